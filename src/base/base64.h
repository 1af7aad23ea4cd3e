/* Base64 (RFC 4648, section 4). Any thread. */
#pragma once
#include "base/err.h"

/* One line, padded. The caller frees. */
char *base64_encode(const void *data, size_t len);
/*
 * Reads up to the first padding; white space is skipped, other characters are refused. *ret has a zero byte behind its *ret_len bytes;
 * the caller frees it.
 */
struct err *base64_decode(const char *text, size_t len, u8 **ret, size_t *ret_len) MUST_CHECK;
