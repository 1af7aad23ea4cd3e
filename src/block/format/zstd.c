/* zstd frames, by libzstd. */
//needs: zstd
#include "block/format/compress.h"
#include <errno.h>
#include <zstd.h>

static __thread ZSTD_CCtx *packer;
static __thread ZSTD_DCtx *unpacker;

int zstd_shrink(const void *in, size_t in_len, void *out, size_t out_len)
{
	if (!packer && !(packer = ZSTD_createCCtx()))
		return -EIO;
	size_t n = ZSTD_compress2(packer, out, out_len, in, in_len);
	return ZSTD_isError(n) ? -ENOMEM : (int)n;
}

int zstd_expand(const void *in, size_t in_len, void *out, size_t out_len)
{
	ZSTD_inBuffer from = { in, in_len, 0 };
	ZSTD_outBuffer to = { out, out_len, 0 };
	if (!unpacker && !(unpacker = ZSTD_createDCtx()))
		return -EIO;
	ZSTD_DCtx_reset(unpacker, ZSTD_reset_session_only);
	/* Behind the frame lie other clusters' bytes: it must end exactly when the cluster is full. */
	while (to.pos < to.size) {
		size_t had_in = from.pos, had_out = to.pos;
		size_t r = ZSTD_decompressStream(unpacker, &to, &from);
		if (ZSTD_isError(r) || (from.pos == had_in && to.pos == had_out))
			return -EIO;
		if (!r)
			break;
	}
	return to.pos == to.size ? 0 : -EIO;
}
