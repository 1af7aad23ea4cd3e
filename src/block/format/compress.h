/* One-shot compression, a file a library. Any thread. */
#pragma once
#include "base/base.h"

/* Raw deflate in a window of 4 KiB. Packed length, or -ENOMEM when it does not fit out_len, or -EIO. */
int deflate_shrink(const void *in, size_t in_len, void *out, size_t out_len);
/* 0 when exactly out_len bytes came out, else -EIO. in may have more than one stream's bytes. */
int deflate_expand(const void *in, size_t in_len, void *out, size_t out_len);

/* A zlib stream of in; *ret is the caller's to free, with `front` bytes of zeros before it. Its length, or -ENOMEM. */
int zlib_shrink(const void *in, size_t in_len, size_t front, u8 **ret);
/* Longest stream that in_len bytes may become. */
size_t zlib_bound(size_t in_len);
/* Length of what came out; -ENOSPC when out is full and the stream does not end there, else -EIO. in may be longer. */
int zlib_expand(const void *in, size_t in_len, void *out, size_t out_len);

/* zstd frames: as deflate. */
int zstd_shrink(const void *in, size_t in_len, void *out, size_t out_len);
int zstd_expand(const void *in, size_t in_len, void *out, size_t out_len);
