/* One-shot compression, a file a library. Any thread. */
#pragma once
#include "base/base.h"

/* Packed length, or -ENOMEM when it does not fit out_len, or -EIO. */
int deflate_shrink(const void *in, size_t in_len, void *out, size_t out_len);
/* 0 when exactly out_len bytes came out, else -EIO. in may have more than one stream's bytes. */
int deflate_expand(const void *in, size_t in_len, void *out, size_t out_len);
int zstd_shrink(const void *in, size_t in_len, void *out, size_t out_len);
int zstd_expand(const void *in, size_t in_len, void *out, size_t out_len);
