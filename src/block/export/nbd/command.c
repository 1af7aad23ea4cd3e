/* Specification: doc/proto.md of the NetworkBlockDevice project: transmission phase, structured replies, block status. */
#include "block/export/nbd/client.h"
#include <errno.h>

enum { MAX_EXTENTS = 8192, SMALL_READ = 16 << 10, CACHE_PIECE = 1 << 20, MAX_STATUS = 4096 };

bool nbd_request_room(struct nbd_request *q, size_t len)
{
	if (len <= q->room)
		return true;
	free(q->data);
	q->room = ROUND_UP(MAX(len, (size_t)1), (size_t)NBD_BUFFER_ALIGN);
	if (posix_memalign((void **)&q->data, NBD_BUFFER_ALIGN, q->room)) {
		q->data = NULL;
		q->room = 0;
	}
	return q->data;
}

/* ---- replies ---- */

static int send_reply(struct nbd_request *q, const void *head, size_t head_len, struct iovs body)
{
	struct nbd_client *c = q->client;
	co_lock(&c->sending);
	int r = c->gone ? -EPIPE : chan_write(&c->chan, head, head_len, body);
	if (r)
		c->gone = true;
	co_unlock(&c->sending);
	return r;
}

static int chunk(struct nbd_request *q, u16 flags, u16 type, const void *extra, u32 extra_len,
		 struct iovs body)
{
	u8 h[64];
	st_be32(h, NBD_CHUNK_MAGIC);
	st_be16(h + 4, flags);
	st_be16(h + 6, type);
	st_be64(h + 8, q->handle);
	st_be32(h + 16, extra_len + body.len);
	if (extra_len)
		memcpy(h + 20, extra, extra_len);
	return send_reply(q, h, 20 + extra_len, body);
}

static int simple(struct nbd_request *q, int error, struct iovs body)
{
	u8 h[16];
	if (q->client->structured) {
		if (!error)
			return chunk(q, NBD_CHUNK_DONE, NBD_CHUNK_NONE, NULL, 0, (struct iovs){ 0 });
		u8 e[6];
		st_be32(e, nbd_errno(error));
		st_be16(e + 4, 0);
		return chunk(q, NBD_CHUNK_DONE, NBD_CHUNK_ERROR, e, 6, (struct iovs){ 0 });
	}
	st_be32(h, NBD_REPLY_MAGIC);
	st_be32(h + 4, error ? nbd_errno(error) : 0);
	st_be64(h + 8, q->handle);
	return send_reply(q, h, 16, error ? (struct iovs){ 0 } : body);
}

static const struct iovs none;

/* ---- reading ---- */

/* The kind of bytes at a place of the disk, as far as it goes; neighbours of one kind go together. */
static int span_of(struct nbd_request *q, u64 at, u64 end, bool *ret_zero, u64 *ret_len)
{
	const struct nbd_export *x = q->client->export;
	*ret_len = 0;
	for (unsigned i = 0; at + *ret_len < end && i < MAX_STATUS; i++) {
		struct blk_status s;
		int r = blk_status(x->root.node, NULL, x->offset + at + *ret_len, end - at - *ret_len, &s);
		if (r)
			return r;
		if (*ret_len && s.zero != *ret_zero)
			break;
		*ret_zero = s.zero;
		*ret_len += s.len;
	}
	return 0;
}

/* Holes go as holes, data in chunks. */
static int read_sparse(struct nbd_request *q)
{
	const struct nbd_export *x = q->client->export;
	for (u64 at = q->from, end = q->from + q->len; at < end;) {
		u8 extra[12];
		struct iovec v;
		bool zero = false;
		u64 len;
		int r = span_of(q, at, end, &zero, &len);
		u8 *buf = q->data + (at - q->from);
		if (!r && !zero)
			r = blk_pread(x->root.node, x->offset + at, buf, len);
		if (r)
			return simple(q, r, none);
		u16 last = at + len == end ? NBD_CHUNK_DONE : 0;
		st_be64(extra, at);
		st_be32(extra + 8, len);
		r = zero ? chunk(q, last, NBD_CHUNK_HOLE, extra, 12, none)
			 : chunk(q, last, NBD_CHUNK_DATA, extra, 8, iovs_one(&v, buf, len));
		if (r)
			return r;
		at += len;
	}
	return 0;
}

static int do_read(struct nbd_request *q)
{
	const struct nbd_export *x = q->client->export;
	struct iovec v;
	if (!nbd_request_room(q, q->len))
		return simple(q, -ENOMEM, none);
	if (q->client->structured && !(q->flags & NBD_FLAG_DF) && q->len > SMALL_READ)
		return read_sparse(q);
	int r = blk_pread(x->root.node, x->offset + q->from, q->data, q->len);
	if (r || !q->client->structured || !q->len)
		return simple(q, r, iovs_one(&v, q->data, q->len));
	u8 extra[8];
	st_be64(extra, q->from);
	return chunk(q, NBD_CHUNK_DONE, NBD_CHUNK_DATA, extra, 8, iovs_one(&v, q->data, q->len));
}

/* A wish that the bytes be at hand: they are read, and the host's page cache keeps them. */
static int do_cache(struct nbd_request *q)
{
	const struct nbd_export *x = q->client->export;
	u64 len = MIN(q->len, (u32)NBD_MAX_DATA);
	int r = 0;
	if (x->root.node->flags & BLK_DIRECT)
		return 0; /* there is no cache to fill */
	if (!nbd_request_room(q, CACHE_PIECE))
		return -ENOMEM;
	for (u64 at = 0; at < len && !r; at += CACHE_PIECE)
		r = blk_pread(x->root.node, x->offset + q->from + at, q->data,
			      MIN(len - at, (u64)CACHE_PIECE));
	return r;
}

/* ---- block status ---- */

struct extents {
	u8 *buf; /* length and flags, big-endian, behind the context's number */
	unsigned n, looked;
	bool one, full;
};

static void add_extent(struct extents *e, u64 len, u32 flags)
{
	if (e->full)
		return; /* what is left out may not grow the last one */
	if (e->n && ld_be32(e->buf + 4 + (e->n - 1) * 8 + 4) == flags) {
		u64 sum = ld_be32(e->buf + 4 + (e->n - 1) * 8) + len;
		if (sum <= UINT32_MAX) {
			st_be32(e->buf + 4 + (e->n - 1) * 8, sum);
			return;
		}
	}
	if (e->n == (e->one ? 1 : MAX_EXTENTS)) {
		e->full = true;
		return;
	}
	st_be32(e->buf + 4 + e->n * 8, len);
	st_be32(e->buf + 4 + e->n++ * 8 + 4, flags);
}

static int send_status(struct nbd_request *q, struct extents *e, u32 id, bool last)
{
	struct iovec v;
	st_be32(e->buf, id);
	return chunk(q, last ? NBD_CHUNK_DONE : 0, NBD_CHUNK_STATUS, NULL, 0,
		     iovs_one(&v, e->buf, 4 + e->n * 8));
}

static int allocation(struct nbd_request *q, struct extents *e, bool depth)
{
	const struct nbd_export *x = q->client->export;
	for (u64 at = q->from, end = q->from + q->len; at < end && !e->full && e->looked < MAX_EXTENTS;) {
		struct blk_status s;
		int r = blk_status(x->root.node, NULL, x->offset + at, end - at, &s);
		if (r)
			return r;
		u32 flags = (s.data ? 0 : NBD_STATE_HOLE) | (s.zero ? NBD_STATE_ZERO : 0);
		if (depth)
			flags = s.present ? s.depth + 1 : 0;
		add_extent(e, s.len, flags);
		at += s.len;
		e->looked++;
	}
	return 0;
}

static void dirty(struct nbd_request *q, struct extents *e, const struct blk_dirty *b)
{
	u64 shift = q->client->export->offset;
	for (u64 at = q->from + shift, end = at + q->len; at < end && !e->full;) {
		u64 start, len;
		if (!blk_dirty_next(b, at, &start, &len) || start >= end) {
			add_extent(e, end - at, 0);
			break;
		}
		len -= start < at ? MIN(len, at - start) : 0;
		start = MAX(start, at);
		if (start > at)
			add_extent(e, start - at, 0);
		len = MIN(len, end - start);
		add_extent(e, len, 1);
		at = start + len;
	}
}

static int do_status(struct nbd_request *q)
{
	struct nbd_client *c = q->client;
	struct nbd_export *x = c->export;
	unsigned left = c->alloc + c->depth;
	for (unsigned i = 0; c->bitmap && i < x->n_bitmaps; i++)
		left += c->bitmap[i];
	if (!left || !q->len)
		return simple(q, -EINVAL, none);
	if (!nbd_request_room(q, 4 + MAX_EXTENTS * 8))
		return simple(q, -ENOMEM, none);
	for (unsigned what = 0; what < 2 + x->n_bitmaps; what++) {
		struct extents e = { .buf = q->data, .one = q->flags & NBD_FLAG_REQ_ONE };
		if (!(what == 0 ? c->alloc : what == 1 ? c->depth : c->bitmap && c->bitmap[what - 2]))
			continue;
		int bad = 0;
		if (what < 2)
			bad = allocation(q, &e, what == 1);
		else
			dirty(q, &e, x->bitmaps[what - 2]);
		int r = bad ? simple(q, bad, none) : send_status(q, &e, what, !--left);
		if (r || bad)
			return r;
	}
	return 0;
}

/* ---- writing ---- */

static int do_write(struct nbd_request *q)
{
	const struct nbd_export *x = q->client->export;
	u32 flags = q->flags & NBD_FLAG_FUA || x->writethrough ? BLK_REQ_FUA : 0;
	u64 from = x->offset + q->from;
	struct iovec v;
	int r;
	if (x->read_only)
		return -EPERM;
	switch (q->type) {
	case NBD_CMD_WRITE:
		return blk_pwritev(x->root.node, from, iovs_one(&v, q->data, q->len), flags);
	case NBD_CMD_TRIM:
		r = blk_discard(x->root.node, from, q->len);
		return r || !flags ? r : blk_flush(x->root.node);
	default:
		return blk_zero(x->root.node, from, q->len,
				flags | (q->flags & NBD_FLAG_NO_HOLE ? 0 : BLK_REQ_MAY_UNMAP) |
				    (q->flags & NBD_FLAG_FAST_ZERO ? BLK_REQ_NO_FALLBACK : 0));
	}
}

/* ---- a request ---- */

/* 0, or the answer to a request that is not to be carried out. */
static int check(const struct nbd_request *q)
{
	static const u16 flags[] = {
		[NBD_CMD_READ] = NBD_FLAG_DF,
		[NBD_CMD_WRITE_ZEROES] = NBD_FLAG_NO_HOLE | NBD_FLAG_FAST_ZERO,
		[NBD_CMD_BLOCK_STATUS] = NBD_FLAG_REQ_ONE,
	};
	u64 size = q->client->export->size;
	if (q->type >= LEN(flags) || q->type == NBD_CMD_DISC || (q->flags & ~(flags[q->type] | NBD_FLAG_FUA)))
		return -EINVAL;
	if ((q->flags & NBD_FLAG_DF) && !q->client->structured)
		return -EINVAL;
	if (q->type == NBD_CMD_READ && q->len > NBD_MAX_DATA)
		return -EINVAL;
	bool writes = q->type == NBD_CMD_WRITE || q->type == NBD_CMD_WRITE_ZEROES;
	if (q->type != NBD_CMD_FLUSH && (q->from > size || q->len > size - q->from))
		return writes ? -ENOSPC : -EINVAL;
	return 0;
}

void nbd_serve(struct nbd_request *q)
{
	int r = check(q);
	if (r) {
		simple(q, r, none);
		return;
	}
	switch (q->type) {
	case NBD_CMD_READ:
		do_read(q);
		break;
	case NBD_CMD_WRITE:
	case NBD_CMD_TRIM:
	case NBD_CMD_WRITE_ZEROES:
		simple(q, do_write(q), none);
		break;
	case NBD_CMD_FLUSH:
		simple(q, blk_flush(q->client->export->root.node), none);
		break;
	case NBD_CMD_CACHE:
		simple(q, do_cache(q), none);
		break;
	case NBD_CMD_BLOCK_STATUS:
		do_status(q);
		break;
	}
}
