/* VMDK: where the bytes are, room for new ones, compressed grains. */
#include "block/format/vmdk/vmdk.h"
#include "block/format/compress.h"
#include <errno.h>

enum { MARKER = 12 };

static struct vmdk_extent *extent_of(struct blk_node *node, u64 offset)
{
	struct vmdk *s = node->state;
	size_t lo = 0, hi = s->n;
	while (hi - lo > 1) {
		size_t mid = (lo + hi) / 2;
		if (s->extents[mid].start <= offset)
			lo = mid;
		else
			hi = mid;
	}
	return &s->extents[lo];
}

/* What an entry stands for. */
static enum blk_where where(const struct vmdk_extent *e, u64 entry, u64 *ret_at)
{
	if (e->kind == VMDK_SE)
		return vmdk_se_where(e, entry, ret_at);
	*ret_at = entry * 512;
	if (!entry)
		return BLK_HOLE;
	if (entry == VMDK_ZEROED && e->zero_grain)
		return BLK_ZERO;
	return e->compressed ? BLK_ENCODED : BLK_DATA;
}

/* Contents come from the parent that the descriptor names: one that was changed since is another disk. */
static int check_parent(struct blk_node *node)
{
	struct vmdk *s = node->state;
	struct blk_node *b = node->backing;
	if (s->parent_checked || !b)
		return 0;
	b = blk_unfiltered(b);
	if (b->driver != node->driver || ((struct vmdk *)b->state)->opened_cid != s->parent_cid)
		return -EINVAL;
	s->parent_checked = true;
	return 0;
}

static int map_sparse(struct vmdk_extent *e, u64 in, u64 len, struct blk_extent *ret)
{
	u64 n = in / e->grain, skip = in & (e->grain - 1), entry, at, next;
	int r = vmdk_get_entry(e, n, &entry);
	if (r)
		return r;
	ret->where = where(e, entry, &at);
	ret->len = e->grain - skip;
	ret->file = ret->where == BLK_DATA ? e->file : NULL;
	ret->offset = at + skip;
	if (ret->where == BLK_ENCODED) {
		ret->cookie[0] = at;
		ret->cookie[1] = n;
	} else {
		while (ret->len < len) {
			r = vmdk_get_entry(e, ++n, &entry);
			if (r || where(e, entry, &next) != ret->where ||
			    (ret->where == BLK_DATA && next != ret->offset + ret->len))
				break;
			ret->len += e->grain;
		}
	}
	ret->len = MIN(ret->len, len);
	/* A grain beyond the end: the file was cut off, or lies. */
	return ret->where == BLK_DATA && ret->offset - skip >= e->file->size ? -EIO : 0;
}

int vmdk_map(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	struct vmdk_extent *e = extent_of(node, offset);
	u64 in = offset - e->start;
	if (in >= e->size) { /* the core rounds sizes up to sectors */
		*ret = (struct blk_extent){ .where = BLK_ZERO, .len = len };
		return 0;
	}
	*ret = (struct blk_extent){ .where = BLK_DATA, .len = MIN(len, e->size - in), .file = e->file };
	switch (e->kind) {
	case VMDK_FLAT:
		ret->offset = e->flat_at + in;
		ret->ahead = true;
		return 0;
	case VMDK_ZERO:
		ret->where = BLK_ZERO;
		return 0;
	default: {
		int r = map_sparse(e, in, ret->len, ret);
		return !r && ret->where == BLK_HOLE ? check_parent(node) : r;
	}
	}
}

/* ---- compressed grains ---- */

static int unpack(struct blk_node *node, struct vmdk_extent *e, u64 at)
{
	struct vmdk *s = node->state;
	u32 max = zlib_bound(e->grain) + MARKER + 512, size = e->grain;
	if (!s->packed && !(s->packed = try_alloc(max)))
		return -ENOMEM;
	if (!s->unpacked && !(s->unpacked = try_alloc(e->grain)))
		return -ENOMEM;
	s->unpacked_of = NULL;
	u64 file = e->file->size;
	if (at >= file)
		return -EIO;
	/* One read is enough for most grains. */
	int r = blk_pread(e->file, at, s->packed, MIN((u64)max, file - at));
	if (r)
		return r;
	if (e->markers) {
		size = ld_le32(s->packed + 8);
		if (!size || size > max - MARKER)
			return -EINVAL;
	}
	int got = zlib_expand(s->packed + (e->markers ? MARKER : 0), size, s->unpacked, e->grain);
	/* Without markers the length is not known: what lies behind the stream does not count. */
	if (got == -ENOSPC && !e->markers)
		got = e->grain;
	if (got < 0)
		return -EINVAL;
	memset(s->unpacked + got, 0, e->grain - got);
	s->unpacked_of = e;
	s->unpacked_at = at;
	return 0;
}

int vmdk_read(struct blk_node *node, const struct blk_extent *x, u64 offset, struct iovs iov)
{
	struct vmdk *s = node->state;
	struct vmdk_extent *e = extent_of(node, offset);
	int r = 0;
	co_lock(&s->unpack_lock);
	if (s->unpacked_of && s->unpacked_of->grain != e->grain) { /* another extent's buffers */
		free(s->packed);
		free(s->unpacked);
		s->packed = s->unpacked = NULL;
		s->unpacked_of = NULL;
	}
	if (s->unpacked_of != e || s->unpacked_at != x->cookie[0])
		r = unpack(node, e, x->cookie[0]);
	if (!r)
		iovs_from_buf(iov, s->unpacked + (offset - e->start - x->cookie[1] * e->grain));
	co_unlock(&s->unpack_lock);
	return r;
}

/* Marker and stream, padded to sectors. The last grain of an extent is packed no longer than it is. */
int vmdk_pack(struct blk_node *node, u64 offset, const void *buf, void **ret)
{
	struct vmdk_extent *e = extent_of(node, offset);
	u64 in = offset - e->start;
	u8 *out;
	if (!e->compressed)
		return -ENOTSUP;
	if (in & (e->grain - 1))
		return -EINVAL;
	int size = zlib_shrink(buf, MIN(e->size - in, (u64)e->grain), MARKER, &out);
	if (size < 0)
		return size;
	size_t bytes = ROUND_UP((size_t)MARKER + size, 512ul);
	u8 *padded = realloc(out, bytes);
	if (!padded) {
		free(out);
		return -ENOMEM;
	}
	memset(padded + MARKER + size, 0, bytes - MARKER - size);
	st_le64(padded, in / 512);
	st_le32(padded + 8, size);
	*ret = padded;
	return bytes;
}

int vmdk_write_compressed(struct blk_node *node, u64 offset, const void *packed, size_t bytes)
{
	struct vmdk_extent *e = extent_of(node, offset);
	int r = vmdk_begin_writing(node);
	if (r)
		return r;
	u64 at = e->next;
	if ((at + bytes) / 512 > UINT32_MAX)
		return -ENOSPC;
	e->next += bytes;
	u32 skip = e->markers ? 0 : MARKER;
	r = blk_pwrite(e->file, at, (const u8 *)packed + skip, bytes - skip);
	return r ? r : vmdk_set_entries(e, (offset - e->start) / e->grain, 1, at / 512, 0);
}

/* ---- writing ---- */

int vmdk_place(struct blk_node *node, u64 offset, u64 len, struct blk_place *ret)
{
	struct vmdk_extent *e = extent_of(node, offset);
	struct blk_extent x;
	if (e->read_only || e->kind == VMDK_ZERO || e->kind == VMDK_SE)
		return -EPERM;
	int r = vmdk_begin_writing(node);
	if (!r)
		r = vmdk_map(node, offset, len, &x);
	if (r)
		return r;
	if (x.where == BLK_DATA) {
		*ret = (struct blk_place){
			.offset = offset, .len = x.len, .file = x.file, .file_offset = x.offset
		};
		return 0;
	}
	u64 in = offset - e->start, from = ROUND_DOWN(in, (u64)e->grain);
	u64 bytes = e->compressed ? e->grain : ROUND_UP(in + x.len, (u64)e->grain) - from;
	*ret = (struct blk_place){ .offset = e->start + from,
				   .len = MIN(bytes, e->size - from),
				   .file = e->file,
				   .fresh = true,
				   .whole = e->compressed,
				   .file_offset = e->next };
	if (e->compressed)
		return 0;
	if ((e->next + bytes) / 512 > UINT32_MAX)
		return -ENOSPC;
	ret->reads_zero = e->file->zero_init && e->next >= e->file->size;
	ret->cookie[0] = bytes;
	e->next += bytes;
	return 0;
}

int vmdk_commit(struct blk_node *node, const struct blk_place *p)
{
	struct vmdk_extent *e = extent_of(node, p->offset);
	u64 end = p->file_offset + p->cookie[0];
	if (e->file->size < end) { /* whole grains, for other readers */
		struct err *err = blk_truncate(e->file, end, false, BLK_PREALLOC_OFF, true);
		if (err) {
			int r = -(err_errnum(err) ?: EIO);
			err_free(err);
			return r;
		}
	}
	return vmdk_set_entries(e, (p->offset - e->start) / e->grain, p->cookie[0] / e->grain,
				p->file_offset / 512, e->grain / 512);
}

void vmdk_abandon(struct blk_node *node, const struct blk_place *p)
{
	struct vmdk_extent *e = extent_of(node, p->offset);
	if (p->cookie[0] && e->next == p->file_offset + p->cookie[0])
		e->next = p->file_offset;
}

/* Grains in use keep their room; others are marked where the extent has a mark, when a parent would show through. */
static int zero_part(struct blk_node *node, struct vmdk_extent *e, u64 offset, const struct blk_extent *x,
		     u32 flags)
{
	u64 in = offset - e->start;
	if (x->where == BLK_DATA)
		return blk_zero(x->file, x->offset, x->len, flags);
	if (x->where == BLK_ZERO || (x->where == BLK_HOLE && !node->backing && !node->backing_file))
		return 0;
	bool whole = !(in & (e->grain - 1)) && (!(x->len & (e->grain - 1)) || in + x->len == e->size);
	if (!whole || !e->zero_grain)
		return -ENOTSUP;
	return vmdk_set_entries(e, in / e->grain, (x->len + e->grain - 1) / e->grain, VMDK_ZEROED, 0);
}

int vmdk_zero(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	int r = vmdk_begin_writing(node);
	/* All or nothing: the core writes zeros itself when told that this cannot be done. */
	for (int pass = 0; pass < 2 && !r; pass++) {
		for (u64 done = 0; done < len && !r;) {
			struct vmdk_extent *e = extent_of(node, offset + done);
			struct blk_extent x;
			r = vmdk_map(node, offset + done, len - done, &x);
			if (!r && (e->read_only || e->kind == VMDK_SE))
				r = -EPERM;
			if (r)
				return r;
			if (pass)
				r = zero_part(node, e, offset + done, &x, flags);
			else if (x.where == BLK_ENCODED ||
				 (x.where == BLK_HOLE && node->backing && !e->zero_grain))
				r = -ENOTSUP;
			done += x.len;
		}
	}
	return r;
}
