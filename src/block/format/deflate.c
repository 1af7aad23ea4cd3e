/* Raw deflate streams (RFC 1951) with a window of 4 KiB, as qcow and qcow2 images hold them, and zlib streams (RFC 1950), by zlib. */
#include "block/format/compress.h"
#include <errno.h>
#include <zlib.h>

enum { WINDOW = -12 }; /* raw, 4 KiB: readers may not have more */

/* A thread's stream, made once: setting up zlib's tables costs more than a cluster. */
static __thread z_stream *packer;

int deflate_shrink(const void *in, size_t in_len, void *out, size_t out_len)
{
	if (!packer) {
		packer = alloc(sizeof(*packer));
		if (deflateInit2(packer, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW, 9, Z_DEFAULT_STRATEGY) !=
		    Z_OK)
			return -EIO;
	} else {
		deflateReset(packer);
	}
	packer->next_in = (void *)in;
	packer->avail_in = in_len;
	packer->next_out = out;
	packer->avail_out = out_len;
	int r = deflate(packer, Z_FINISH);
	if (r == Z_STREAM_END)
		return out_len - packer->avail_out;
	return r == Z_OK || r == Z_BUF_ERROR ? -ENOMEM : -EIO;
}

int deflate_expand(const void *in, size_t in_len, void *out, size_t out_len)
{
	z_stream s = { .next_in = (void *)in, .avail_in = in_len, .next_out = out, .avail_out = out_len };
	/* Other writers may have used a larger window. */
	if (inflateInit2(&s, -15) != Z_OK)
		return -EIO;
	int r = inflate(&s, Z_FINISH);
	bool full = s.avail_out == 0;
	inflateEnd(&s);
	return (r == Z_STREAM_END || r == Z_BUF_ERROR) && full ? 0 : -EIO;
}

size_t zlib_bound(size_t in_len)
{
	return compressBound(in_len);
}

int zlib_shrink(const void *in, size_t in_len, size_t front, u8 **ret)
{
	uLongf len = compressBound(in_len);
	u8 *out = try_alloc(front + len);
	if (!out || compress2(out + front, &len, in, in_len, Z_DEFAULT_COMPRESSION) != Z_OK) {
		free(out);
		return -ENOMEM;
	}
	*ret = out;
	return len;
}

int zlib_expand(const void *in, size_t in_len, void *out, size_t out_len)
{
	uLongf got = out_len;
	int r = uncompress(out, &got, in, in_len);
	if (r == Z_OK)
		return got;
	return r == Z_BUF_ERROR && got == out_len ? -ENOSPC : -EIO;
}
