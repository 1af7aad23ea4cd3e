/* SHA-1 (FIPS 180-4), for protocols that ask for it; no protection against anybody. Any thread. */
#pragma once
#include "base/base.h"

void sha1(const void *data, size_t len, u8 ret[20]);
