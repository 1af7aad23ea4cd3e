/* Raw deflate streams (RFC 1951) with a window of 4 KiB, as qcow2 images hold them, by zlib. */
#include "block/format/qcow2/compress.h"
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
