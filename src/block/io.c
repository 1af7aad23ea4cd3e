/*
 * The request path: reading, flushing, zeros, discards, maps. Writing through a format is write.c's.
 *
 * Requests to the same clusters wait for each other where one changes what the other stands on: see blk_req_begin.
 */
#include "block/graph.h"
#include "block/dirty.h"
#include "base/coroutine.h"
#include <errno.h>

enum { BOUNCE = 1 << 20, ZERO_CHUNK = 1 << 16 };

/* Never written: a source of zeros. */
static const u8 zeros[ZERO_CHUNK] __attribute__((aligned(4096)));

/*
 * Reads wait for what gives room back, and the other way round; allocation waits for allocation; what gives room back
 * waits for everything. An ordinary write only waits for allocation and giving back.
 */
static bool conflict(enum blk_req_kind a, enum blk_req_kind b)
{
	if (a == REQ_FREE || b == REQ_FREE)
		return true;
	if (a == REQ_READ || b == REQ_READ)
		return false;
	return a == REQ_ALLOC || b == REQ_ALLOC;
}

struct blk_request *blk_req_conflict(struct blk_node *node, enum blk_req_kind kind, u64 offset, u64 len)
{
	for (struct blk_request *o = node->requests; o; o = o->next)
		if (o->from < offset + len && offset < o->to && conflict(kind, o->kind))
			return o;
	return NULL;
}

void blk_req_add(struct blk_node *node, struct blk_request *r, enum blk_req_kind kind, u64 offset, u64 len)
{
	u64 unit = blk_unit(node);
	r->kind = kind;
	r->from = ROUND_DOWN(offset, unit);
	r->to = ROUND_UP(offset + len, unit);
	r->prev = NULL;
	r->next = node->requests;
	if (r->next)
		r->next->prev = r;
	node->requests = r;
}

void blk_req_begin(struct blk_node *node, struct blk_request *r, enum blk_req_kind kind, u64 offset, u64 len)
{
	/* Whoever gives room back does not slip in while another looks for a place. */
	bool locks = kind == REQ_FREE;
	if (locks)
		co_lock(&node->place_lock);
	while (node->requests && blk_req_conflict(node, kind, offset, len)) {
		if (locks)
			co_unlock(&node->place_lock);
		co_wait(&node->waiters);
		if (locks)
			co_lock(&node->place_lock);
	}
	blk_req_add(node, r, kind, offset, len);
	if (locks)
		co_unlock(&node->place_lock);
}

void blk_req_upgrade(struct blk_node *node, struct blk_request *r)
{
	r->kind = REQ_FREE;
again:
	for (struct blk_request *o = node->requests; o; o = o->next)
		if (o != r && o->kind == REQ_READ && o->from < r->to && r->from < o->to) {
			co_wait(&node->waiters);
			goto again;
		}
}

void blk_req_end(struct blk_node *node, struct blk_request *r)
{
	if (r->prev)
		r->prev->next = r->next;
	else
		node->requests = r->next;
	if (r->next)
		r->next->prev = r->prev;
	if (node->waiters.first)
		co_wake_all_later(&node->waiters);
}

/* ---- reading ---- */

static int read_backing(struct blk_node *node, u64 offset, struct iovs iov)
{
	struct blk_node *b = node->backing;
	u64 size = b ? blk_size(b) : 0;
	size_t part = offset >= size ? 0 : MIN(iov.len, size - offset);
	if (part < iov.len)
		iovs_fill(iovs_cut(iov, part, iov.len - part), 0);
	return part ? blk_preadv(b, offset, iovs_cut(iov, 0, part), 0) : 0;
}

/* Reads and decodes; in place where the buffer allows it. */
static int read_decoded(struct blk_node *node, u64 offset, const struct blk_extent *x, struct iovs iov)
{
	void *flat = iovs_flat(iov);
	bool whole = !((offset | iov.len) & 511);
	if (flat && whole) {
		int r = blk_preadv(x->file, x->offset, iov, 0);
		return r ? r : node->driver->decode(node, offset, x->offset, flat, iov.len);
	}
	u32 skip = offset & 511;
	size_t len = ROUND_UP(skip + iov.len, 512);
	AUTO(free_ptr) u8 *buf = try_alloc(len);
	if (!buf)
		return -ENOMEM;
	int r = blk_pread(x->file, x->offset - skip, buf, len);
	if (!r)
		r = node->driver->decode(node, offset - skip, x->offset - skip, buf, len);
	if (!r)
		iovs_from_buf(iov, buf + skip);
	return r;
}

int blk_format_read(struct blk_node *node, u64 offset, struct iovs iov, u32 flags UNUSED)
{
	for (size_t done = 0; done < iov.len;) {
		struct blk_extent x;
		u64 at = offset + done;
		size_t left = iov.len - done;
		if (node->encoded)
			left = MIN(left, (size_t)BOUNCE);
		int r = node->driver->map(node, at, left, &x);
		if (r)
			return r;
		size_t len = MIN(x.len, left);
		struct iovs part = len == iov.len ? iov : iovs_cut(iov, done, len);
		switch (x.where) {
		case BLK_DATA:
			blk_event(x.file, "read_aio");
			r = node->encoded ? read_decoded(node, at, &x, part)
					  : blk_preadv(x.file, x.offset, part, 0);
			break;
		case BLK_ZERO:
			iovs_fill(part, 0);
			break;
		case BLK_HOLE:
			r = read_backing(node, at, part);
			break;
		case BLK_ENCODED:
			r = node->driver->read(node, &x, at, part);
			break;
		}
		if (r)
			return r;
		done += len;
	}
	return 0;
}

/* The part of a run that comes from above base. */
static int comes_from(struct blk_node *node, struct blk_node *base, u64 offset, u64 len, u64 *ret_len,
		      bool *ret)
{
	struct blk_status st = { .len = len, .present = true };
	int r = base ? blk_status(node, base, offset, len, &st) : 0;
	*ret_len = st.len;
	*ret = st.present;
	return r;
}

int blk_copy_up(struct blk_node *node, struct blk_node *base, u64 offset, u64 len)
{
	u64 unit = blk_unit(node), end = MIN(ROUND_UP(offset + len, unit), node->size);
	int r = 0;
	for (u64 at = ROUND_DOWN(offset, unit); at < end && !r;) {
		struct blk_extent x;
		bool wanted = false;
		r = blk_map(node, at, MIN(end - at, (u64)BOUNCE), &x);
		if (!r && x.where == BLK_HOLE)
			r = comes_from(node, base, at, x.len, &x.len, &wanted);
		if (!r && wanted) {
			AUTO(free_ptr) u8 *buf = try_alloc(x.len);
			struct iovec v;
			r = buf ? read_backing(node, at, iovs_one(&v, buf, x.len)) : -ENOMEM;
			if (!r)
				r = blk_pwritev(node, at, iovs_one(&v, buf, x.len), BLK_REQ_UNCHANGED);
		}
		at += x.len;
	}
	return r;
}

static int read_request(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	u64 size = node->size;
	if (UNLIKELY(flags & BLK_REQ_VM_STATE)) {
		if (!node->vm_state)
			return node->file ? blk_preadv(node->file, offset, iov, flags) : -ENOTSUP;
		return blk_format_read(node, offset + node->vm_state, iov, 0);
	}
	if (UNLIKELY(offset >= size)) {
		iovs_fill(iov, 0);
		return 0;
	}
	if (UNLIKELY(iov.len > size - offset)) {
		iovs_fill(iovs_cut(iov, size - offset, iov.len - (size - offset)), 0);
		iov = iovs_cut(iov, 0, size - offset);
	}
	if (node->driver->preadv)
		return node->driver->preadv(node, offset, iov, flags);
	struct blk_request req;
	blk_req_begin(node, &req, REQ_READ, offset, iov.len);
	int r = blk_format_read(node, offset, iov, flags);
	blk_req_end(node, &req);
	if (UNLIKELY(node->flags & BLK_COPY_ON_READ) && !r && node->backing && (node->flags & BLK_RDWR))
		r = blk_copy_up(node, NULL, offset, iov.len);
	return r;
}

int blk_preadv(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	if (!iov.len)
		return 0;
	i64 began = blk_stats_begin(node);
	return blk_stats_end(node, BLK_STAT_READ, began, iov.len, read_request(node, offset, iov, flags));
}

int blk_pread(struct blk_node *node, u64 offset, void *buf, size_t len)
{
	struct iovec v;
	return blk_preadv(node, offset, iovs_one(&v, buf, len), 0);
}

/* ---- writing ---- */

static int zero_request(struct blk_node *node, u64 offset, u64 len, u32 flags);

/*
 * A write that must be on stable storage when it ends: BLK_REQ_FUA stays in flags where what stands below sees to that, so that
 * nothing but these bytes is waited for. Gives whether a flush must follow instead.
 */
static bool needs_flush(const struct blk_node *node, bool zero, u32 *flags)
{
	const struct blk_node *n = node;
	if (!(*flags & BLK_REQ_FUA) && !(node->flags & BLK_WRITETHROUGH))
		return false;
	while (n->driver->passes_fua && n->file)
		n = n->file;
	bool never = n->driver->kind == BLK_TRANSPORT && (n->flags & BLK_NO_FLUSH);
	bool below = !never && (zero ? n->fua_zero : n->fua);
	*flags = below ? *flags | BLK_REQ_FUA : *flags & ~(u32)BLK_REQ_FUA;
	return !below && !never;
}

static int write_request(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	if (!(node->flags & BLK_RDWR))
		return -EPERM;
	if (offset + iov.len < offset || offset + iov.len > INT64_MAX)
		return -EFBIG;
	if (UNLIKELY(flags & BLK_REQ_VM_STATE)) {
		if (!node->vm_state)
			return node->file ? blk_pwritev(node->file, offset, iov, flags) : -ENOTSUP;
		return blk_format_write(node, offset + node->vm_state, iov, 0);
	}
	/* Only transports grow by writing, seen through filters as well. */
	if (node->driver->kind == BLK_FORMAT && offset + iov.len > node->size)
		return -EIO;
	if (UNLIKELY(node->flags & BLK_DETECT_ZEROES) && !(flags & BLK_REQ_COMPRESSED) && iovs_is_zero(iov))
		return zero_request(node, offset, iov.len,
				    (flags & BLK_REQ_FUA) |
					(node->flags & BLK_DETECT_UNMAP ? BLK_REQ_MAY_UNMAP : 0) |
					BLK_REQ_DETECTED);
	blk_stats_write(node, offset, iov.len);
	bool flush = needs_flush(node, false, &flags);
	bool hooks = UNLIKELY(node->hooks) && !(flags & (BLK_REQ_UNCHANGED | BLK_REQ_HOOKED));
	int r = hooks ? blk_hooks_before(node, offset, iov.len) : 0;
	flags &= ~(u32)BLK_REQ_HOOKED;
	if (r)
		return blk_hooks_after(node, offset, iov.len, r);
	if (flags & BLK_REQ_COMPRESSED)
		r = blk_write_compressed(node, offset, iov);
	else if (node->driver->pwritev)
		r = node->driver->pwritev(node, offset, iov, flags);
	else
		r = blk_format_write(node, offset, iov, flags);
	if (hooks)
		r = blk_hooks_after(node, offset, iov.len, r);
	node->written |= !(flags & BLK_REQ_FUA);
	if (node->dirty)
		blk_dirty_mark(node, offset, iov.len);
	return !r && flush ? blk_flush(node) : r;
}

int blk_pwritev(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	if (!iov.len)
		return 0;
	if (flags & BLK_REQ_HOOKED) /* part of a request that is counted as a whole */
		return write_request(node, offset, iov, flags);
	i64 began = blk_stats_begin(node);
	return blk_stats_end(node, BLK_STAT_WRITE, began, iov.len, write_request(node, offset, iov, flags));
}

int blk_pwrite(struct blk_node *node, u64 offset, const void *buf, size_t len)
{
	struct iovec v;
	return blk_pwritev(node, offset, iovs_one(&v, buf, len), 0);
}

int blk_pwrite_flush(struct blk_node *node, u64 offset, const void *buf, size_t len)
{
	int r = blk_pwrite(node, offset, buf, len);
	return r ? r : blk_flush(node);
}

static int flush_request(struct blk_node *node)
{
	int r = 0;
	if (node->driver->kind == BLK_TRANSPORT && (node->flags & BLK_NO_FLUSH))
		return 0;
	for (struct blk_child *c = node->children; c; c = c->next)
		blk_event(c->node, "flush_to_os");
	node->written = false;
	if (node->driver->flush)
		r = node->driver->flush(node);
	node->written |= r < 0;
	for (struct blk_child *c = node->children; c; c = c->next)
		blk_event(c->node, "flush_to_disk");
	if (node->driver->kind == BLK_TRANSPORT || node->driver->flushes_children)
		return r;
	for (struct blk_child *c = node->children; c && !r; c = c->next)
		if (c->node != node->backing)
			r = blk_flush(c->node);
	return r;
}

int blk_flush(struct blk_node *node)
{
	if (!(node->flags & BLK_RDWR))
		return 0;
	i64 began = blk_stats_begin(node);
	return blk_stats_end(node, BLK_STAT_FLUSH, began, 0, flush_request(node));
}

int blk_barrier(struct blk_node *node)
{
	return node->flags & BLK_NO_FLUSH ? 0 : blk_flush(node);
}

/* Zero bytes, written in pieces. */
static int write_zeros(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	struct iovec v[16];
	/* Not through blk_pwritev: it might find the zeros and come back here. */
	u32 keep = node->flags & BLK_DETECT_ZEROES;
	flags &= ~(u32)(BLK_REQ_MAY_UNMAP | BLK_REQ_NO_FALLBACK | BLK_REQ_FULL_ZERO | BLK_REQ_DETECTED);
	flags |= BLK_REQ_HOOKED;
	while (len) {
		struct iovs iov = { v, 0, 0, 0 };
		while (iov.n < LEN(v) && iov.len < len) {
			size_t part = MIN(len - iov.len, (u64)ZERO_CHUNK);
			v[iov.n++] = (struct iovec){ (void *)zeros, part };
			iov.len += part;
		}
		node->flags &= ~keep;
		int r = blk_pwritev(node, offset, iov, flags);
		node->flags |= keep;
		if (r)
			return r;
		offset += iov.len;
		len -= iov.len;
	}
	return 0;
}

/* What surrounds a partly zeroed granule reads as zeros anyway: then the whole granule may become zero. */
static bool all_zero(struct blk_node *node, u64 offset, u64 len)
{
	while (len) {
		struct blk_status s;
		if (blk_status(node, NULL, offset, len, &s) || !s.zero)
			return false;
		offset += s.len;
		len -= s.len;
	}
	return true;
}

/* One piece within a granule, at the head or tail of a request. */
static int zero_partly(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	u32 unit = node->granularity;
	u64 start = ROUND_DOWN(offset, (u64)unit), end = MIN(ROUND_UP(offset + len, (u64)unit), node->size);
	struct blk_request req;
	int r = -ENOTSUP;
	blk_req_begin(node, &req, REQ_FREE, start, end - start);
	if (all_zero(node, start, offset - start) && all_zero(node, offset + len, end - (offset + len)))
		r = node->driver->zero(node, start, end - start, flags);
	blk_req_end(node, &req);
	if (r != -ENOTSUP)
		return r;
	if (flags & BLK_REQ_NO_FALLBACK)
		return -ENOTSUP;
	return write_zeros(node, offset, len, flags);
}

static int zero_now(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	u64 unit = node->granularity, end = offset + len;
	int r;
	if (!node->driver->zero)
		return flags & BLK_REQ_NO_FALLBACK ? -ENOTSUP : write_zeros(node, offset, len, flags);
	if (offset % unit) {
		u64 part = MIN(ROUND_UP(offset, unit), end) - offset;
		if ((r = zero_partly(node, offset, part, flags)))
			return r;
		offset += part;
	}
	u64 stop = end >= node->size ? end : ROUND_DOWN(end, unit);
	if (offset < stop) {
		struct blk_request req;
		blk_req_begin(node, &req, REQ_FREE, offset, stop - offset);
		r = node->driver->zero(node, offset, stop - offset, flags);
		blk_req_end(node, &req);
		if (r == -ENOTSUP && !(flags & BLK_REQ_NO_FALLBACK))
			r = write_zeros(node, offset, stop - offset, flags);
		if (r)
			return r;
		offset = stop;
	}
	return offset < end ? zero_partly(node, offset, end - offset, flags) : 0;
}

static int zero_request(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	if (!(node->flags & BLK_RDWR))
		return -EPERM;
	if (offset + len < offset || (node->driver->kind == BLK_FORMAT && offset + len > node->size))
		return -EIO;
	if (!(node->flags & BLK_UNMAP))
		flags &= ~(u32)BLK_REQ_MAY_UNMAP;
	blk_stats_write(node, offset, len);
	bool flush = needs_flush(node, true, &flags);
	bool hooks = UNLIKELY(node->hooks) && !(flags & BLK_REQ_UNCHANGED);
	int r = hooks ? blk_hooks_before(node, offset, len) : 0;
	if (!r)
		r = zero_now(node, offset, len, flags);
	if (hooks)
		r = blk_hooks_after(node, offset, len, r);
	node->written = true;
	if (node->dirty)
		blk_dirty_mark(node, offset, len);
	return !r && flush ? blk_flush(node) : r;
}

int blk_zero(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	if (!len)
		return node->flags & BLK_RDWR ? 0 : -EPERM;
	i64 began = blk_stats_begin(node);
	return blk_stats_end(node, BLK_STAT_WRITE, began, len, zero_request(node, offset, len, flags));
}

static int discard_request(struct blk_node *node, u64 offset, u64 len)
{
	if (offset > node->size || len > node->size - offset)
		return -EIO;
	u64 unit = node->granularity, end = offset + len;
	u64 from = ROUND_UP(offset, unit), to = end == node->size ? end : ROUND_DOWN(end, unit);
	if (from >= to)
		return 0;
	bool hooks = UNLIKELY(node->hooks);
	int r = hooks ? blk_hooks_before(node, from, to - from) : 0;
	if (!r) {
		struct blk_request req;
		blk_req_begin(node, &req, REQ_FREE, from, to - from);
		r = node->driver->discard(node, from, to - from);
		blk_req_end(node, &req);
	}
	if (hooks)
		r = blk_hooks_after(node, from, to - from, r);
	node->written = true;
	if (node->dirty)
		blk_dirty_mark(node, from, to - from);
	return r == -ENOTSUP ? 0 : r;
}

int blk_discard(struct blk_node *node, u64 offset, u64 len)
{
	if (!(node->flags & BLK_RDWR))
		return -EPERM;
	if (!node->driver->discard || !(node->flags & BLK_UNMAP))
		return offset > node->size || len > node->size - offset ? -EIO : 0;
	i64 began = blk_stats_begin(node);
	return blk_stats_end(node, BLK_STAT_DISCARD, began, len, discard_request(node, offset, len));
}

struct err *blk_need_writable(const struct blk_node *node)
{
	for (; node; node = node->file)
		if (!(node->flags & BLK_RDWR))
			return err_new(ERR_DENIED, "Block node is read-only");
	return NULL;
}

struct err *blk_truncate(struct blk_node *node, u64 size, bool exact, enum blk_prealloc prealloc, bool zero)
{
	if (!(node->flags & BLK_RDWR))
		return err_new(ERR_DENIED, "Image is read-only");
	if (size > INT64_MAX - 512)
		return err_new(ERR_INVALID, "Required too big image size, it must be not greater than %llu",
			       (unsigned long long)ROUND_DOWN((u64)INT64_MAX, 512ull));
	if (!node->driver->truncate)
		return err_new(ERR_UNSUPPORTED, "Image format driver does not support resize");
	u64 old = node->size;
	struct err *e = node->driver->truncate(node, size, exact, prealloc, zero);
	if (e)
		return e;
	if (node->dirty)
		blk_dirty_resize(node, old);
	return NULL;
}

/* ---- maps ---- */

int blk_map(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	if (offset >= node->size)
		return -EINVAL;
	len = MIN(len, node->size - offset);
	*ret = (struct blk_extent){ .where = BLK_DATA, .len = len };
	if (!node->driver->map) {
		ret->file = node;
		ret->offset = offset;
		return 0;
	}
	int r = node->driver->map(node, offset, len, ret);
	if (!r)
		ret->len = MIN(ret->len, len);
	return r;
}

static void status_of(const struct blk_extent *x, struct blk_status *ret)
{
	ret->len = x->len;
	ret->data = x->where == BLK_DATA || x->where == BLK_ENCODED;
	ret->zero = x->where == BLK_ZERO;
	ret->compressed = x->where == BLK_ENCODED;
	ret->present = x->where != BLK_HOLE;
	ret->has_offset = x->where == BLK_DATA || (x->where == BLK_ZERO && x->has_offset);
	ret->offset = x->offset;
	ret->file = x->file;
	if (UNLIKELY(x->told)) {
		ret->data = ret->has_offset = x->told_data;
		ret->zero = x->told_zero;
		ret->present = x->told_data || x->told_zero;
	}
}

/* Whether a file has holes worth asking for, an eighth of its length. Looked at once: to be wrong later costs time, or a zero that is not told. */
static bool has_holes(struct blk_node *file)
{
	if (!file->holes_known) {
		u64 held = file->driver->map ? blk_disk_size(file) : ~0ull;
		file->holes = held < file->size - file->size / 8;
		file->holes_known = true;
	}
	return file->holes;
}

/* Data of a format may lie in a hole of its file, when it was given room before anybody wrote: it is data that reads as zeros. */
static int look_below(const struct blk_extent *x, struct blk_status *ret)
{
	if (!x->ahead || !ret->has_offset || x->offset >= x->file->size || !has_holes(x->file))
		return 0;
	struct blk_extent below;
	int r = blk_map(x->file, x->offset, ret->len, &below);
	if (r)
		return r;
	ret->len = MIN(ret->len, below.len);
	ret->zero = below.where == BLK_ZERO;
	return 0;
}

int blk_status(struct blk_node *node, struct blk_node *base, u64 offset, u64 len, struct blk_status *ret)
{
	unsigned depth = 0;
	*ret = (struct blk_status){ .len = len };
	if (offset >= node->size)
		return -EINVAL;
	len = MIN(len, node->size - offset);
	for (;;) {
		struct blk_extent x;
		if (offset >= node->size) { /* beyond a short backing file: zeros that this layer makes */
			*ret = (struct blk_status){
				.len = len, .depth = depth, .zero = true, .present = true, .past_end = true
			};
			return 0;
		}
		int r = blk_map(node, offset, len, &x);
		if (r)
			return r;
		status_of(&x, ret);
		ret->has_offset &= !node->encoded; /* nobody can use what lies there */
		ret->depth = depth;
		if ((r = look_below(&x, ret)))
			return r;
		if (x.where != BLK_HOLE)
			return 0;
		len = ret->len;
		struct blk_node *next = blk_layer_below(node);
		if (!next || next == base) {
			ret->zero = !next;
			return 0;
		}
		node = next;
		depth++;
	}
}
