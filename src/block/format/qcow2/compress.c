/* qcow2: compressed clusters: raw deflate, and zstd. The work is done on worker threads. */
#include "block/format/compress.h"
#include "block/format/qcow2/qcow2.h"
#include "base/loop/loop.h"
#include <errno.h>

struct job {
	enum qcow2_compression type;
	const void *in;
	size_t in_len;
	void *out;
	size_t out_len;
};

static int expand(void *arg)
{
	struct job *j = arg;
#if defined(HAVE_ZSTD)
	if (j->type == QCOW2_ZSTD)
		return zstd_expand(j->in, j->in_len, j->out, j->out_len);
#endif
	return deflate_expand(j->in, j->in_len, j->out, j->out_len);
}

static int shrink(void *arg)
{
	struct job *j = arg;
#if defined(HAVE_ZSTD)
	if (j->type == QCOW2_ZSTD)
		return zstd_shrink(j->in, j->in_len, j->out, j->out_len);
#endif
	return deflate_shrink(j->in, j->in_len, j->out, j->out_len);
}

/* Reads and expands the cluster of an entry into out (a whole cluster). */
static int load(struct blk_node *node, u64 entry, void *out)
{
	struct qcow2 *s = node->state;
	u64 offset, len;
	qcow2_compressed_range(s, entry, &offset, &len);
	AUTO(free_ptr) u8 *packed = try_alloc(len);
	if (!packed)
		return -ENOMEM;
	int r = blk_pread(node->file, offset, packed, len);
	if (r)
		return r;
	struct job j = { s->compression, packed, len, out, s->cluster_size };
	return work_run(expand, &j);
}

int qcow2_read(struct blk_node *node, const struct blk_extent *x, u64 offset, struct iovs iov)
{
	struct qcow2 *s = node->state;
	u64 entry = x->cookie[0];
	void *flat = iovs_flat(iov);
	if (flat && iov.len == s->cluster_size)
		return load(node, entry, flat);
	/* Small reads come one after another: the cluster expanded last is kept. */
	if (s->plain_entry != entry || !s->plain) {
		u8 *buf = try_alloc(s->cluster_size);
		if (!buf)
			return -ENOMEM;
		int r = load(node, entry, buf);
		if (r) {
			free(buf);
			return r;
		}
		free(s->plain);
		s->plain = buf;
		s->plain_entry = entry;
	}
	iovs_from_buf(iov, s->plain + in_cluster(s, offset));
	return 0;
}

static unsigned sectors_shift(const struct qcow2 *s)
{
	return 62 - (s->cluster_bits - 8);
}

/* Takes room for the packed bytes and writes them there. When that fails the room is free again. */
static int write_packed(struct blk_node *node, const void *packed, size_t len, u64 *ret)
{
	struct qcow2 *s = node->state;
	int r = qcow2_alloc_bytes(node, len, ret);
	if (r)
		return r;
	if (*ret < s->cluster_size)
		return qcow2_corrupt(node, true,
				     "Preventing invalid allocation of compressed cluster at offset 0");
	/* An entry has as many bits for the place as the count of sectors leaves. */
	if (*ret >> MIN(sectors_shift(s), 56u))
		r = -EFBIG;
	if (!r)
		r = qcow2_check_overlap(node, *ret, len, 0);
	if (!r) {
		blk_event(node->file, "write_compressed");
		r = blk_pwrite(node->file, *ret, packed, len);
	}
	if (r)
		qcow2_free(node, *ret, len, DISCARD_OTHER);
	return r;
}

/* Writes the packed bytes and the entry for them. Under the lock: room is taken and shown in one order. */
static int store(struct blk_node *node, u64 offset, const void *packed, size_t len)
{
	struct qcow2 *s = node->state;
	u64 at;
	void *slice;
	u32 index;
	int r = qcow2_slice(node, offset, true, &slice, &index);
	if (r)
		return r;
	u64 old = qcow2_entry(s, slice, index);
	r = write_packed(node, packed, len, &at);
	if (!r && !s->lazy)
		r = cache_after(s->l2, s->refs);
	if (!r) {
		u64 sectors = ((at + len - 1) >> 9) - (at >> 9);
		cache_after_data(s->l2, &node->file);
		u64 entry = at | ENTRY_COMPRESSED | sectors << sectors_shift(s);
		qcow2_set_entry(s, slice, index, entry, 0);
		/* What was unpacked last may have lain in this very room before it was given up. */
		if (s->plain_entry == old || s->plain_entry == entry)
			s->plain_entry = 0;
	}
	cache_put(s->l2, slice);
	return r ? r : qcow2_free_entry(node, old, DISCARD_OTHER);
}

int qcow2_pack(struct blk_node *node, u64 offset, const void *buf, void **ret)
{
	struct qcow2 *s = node->state;
	if (s->data_file || s->crypt) /* compressed clusters would lie there in the clear */
		return -ENOTSUP;
	u8 *packed = try_alloc(s->cluster_size);
	struct job j = { s->compression, buf, s->cluster_size, packed, s->cluster_size - 1 };
	int n = packed ? shrink(&j) : -EIO;
	if (n <= 0) {
		free(packed);
		return n == -ENOMEM ? 0 : n;
	}
	u8 *fit = realloc(packed, n);
	*ret = fit ? fit : packed;
	return n;
}

int qcow2_write_compressed(struct blk_node *node, u64 offset, const void *packed, size_t len)
{
	struct qcow2 *s = node->state;
	if (s->dead)
		return -ENOMEDIUM;
	co_lock(&node->place_lock);
	int r = store(node, offset, packed, len);
	co_unlock(&node->place_lock);
	return r;
}
