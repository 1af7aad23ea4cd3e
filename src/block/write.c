/* Writing through a format: a place for the bytes, copy-on-write around them, then the reference to the place. */
#include "block/graph.h"
#include "base/coroutine.h"
#include <errno.h>

/* What is written around the request's bytes, so that whole granules are written. */
struct around {
	u8 *head, *tail;
	size_t head_len, tail_len;
	bool head_skip, tail_skip; /* zeros, in room that reads as zeros: no need to write them */
};

static bool reads_zero(struct blk_node *node, u64 offset, u64 len)
{
	while (len && offset < node->size) {
		struct blk_status s;
		if (blk_status(node, NULL, offset, MIN(len, node->size - offset), &s) || !s.zero)
			return false;
		offset += s.len;
		len -= MIN(s.len, len);
	}
	return true;
}

static int old_bytes(struct blk_node *node, u64 offset, size_t len, bool room_is_zero, u8 **ret,
		     bool *ret_skip)
{
	*ret_skip = false;
	if (!len)
		return 0;
	bool zero = reads_zero(node, offset, len);
	if (zero && room_is_zero) {
		*ret_skip = true;
		return 0;
	}
	*ret = try_alloc(len);
	if (!*ret)
		return -ENOMEM;
	if (zero)
		return 0;
	struct iovec v;
	size_t part = offset >= node->size ? 0 : MIN(len, node->size - offset);
	return part ? blk_format_read(node, offset, iovs_one(&v, *ret, part), 0) : 0;
}

/* The pieces in one list, encoded where the format wants it. */
static int write_pieces(struct blk_node *node, const struct blk_place *p, const struct around *a,
			struct iovs mid)
{
	blk_event(p->file, "write_aio");
	u64 file_offset = p->file_offset + (a->head_skip ? a->head_len : 0);
	size_t head = a->head_skip ? 0 : a->head_len, tail = a->tail_skip ? 0 : a->tail_len;
	size_t total = head + mid.len + tail;
	if (node->encoded) {
		u64 guest = p->offset + (a->head_skip ? a->head_len : 0);
		AUTO(free_ptr) u8 *buf = try_alloc(total);
		if (!buf)
			return -ENOMEM;
		memcpy(buf, a->head ? a->head : buf, head);
		iovs_to_buf(mid, buf + head);
		memcpy(buf + head + mid.len, a->tail ? a->tail : buf, tail);
		int r = node->driver->encode(node, guest, file_offset, buf, total);
		return r ? r : blk_pwrite(p->file, file_offset, buf, total);
	}
	if (!head && !tail)
		return blk_pwritev(p->file, file_offset, mid, 0);
	AUTO(free_ptr) struct iovec *v = try_alloc((mid.n + 2) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	unsigned n = 0;
	size_t got;
	if (head)
		v[n++] = (struct iovec){ a->head, head };
	n += iovs_list(mid, v + n, mid.n, &got);
	if (tail)
		v[n++] = (struct iovec){ a->tail, tail };
	return blk_pwritev(p->file, file_offset, (struct iovs){ v, n, 0, total }, 0);
}

static int write_fresh(struct blk_node *node, const struct blk_place *p, u64 offset, struct iovs part)
{
	struct around a = { .head_len = offset - p->offset,
			    .tail_len = p->offset + p->len - (offset + part.len) };
	/* Encoded rooms hold no plain zeros. */
	bool room_is_zero = p->reads_zero && !node->encoded;
	if (a.head_len || a.tail_len)
		blk_event(p->file, "cow_read");
	int r = old_bytes(node, p->offset, a.head_len, room_is_zero, &a.head, &a.head_skip);
	if (!r)
		r = old_bytes(node, offset + part.len, a.tail_len, room_is_zero, &a.tail, &a.tail_skip);
	if (!r)
		r = write_pieces(node, p, &a, part);
	free(a.head);
	free(a.tail);
	return r;
}

/* The driver packs whole units: what the guest sees there, with the request's bytes in it. */
static int write_whole(struct blk_node *node, const struct blk_place *p, u64 offset, struct iovs part)
{
	size_t len = MIN(p->len, node->size - p->offset);
	AUTO(free_ptr) u8 *buf = try_alloc(MAX(len, (size_t)blk_unit(node)));
	AUTO(free_ptr) void *packed = NULL;
	struct iovec v;
	if (!buf)
		return -ENOMEM;
	int n = part.len < len ? blk_format_read(node, p->offset, iovs_one(&v, buf, len), 0) : 0;
	iovs_to_buf(part, buf + (offset - p->offset));
	if (!n)
		n = node->driver->pack(node, p->offset, buf, &packed);
	return n < 0 ? n : node->driver->write_compressed(node, p->offset, packed, n);
}

static int write_in_place(struct blk_node *node, const struct blk_place *p, struct iovs part)
{
	struct around none = { 0 };
	return write_pieces(node, p, &none, part);
}

/*
 * Asks the format for a place for the bytes at `at`, and registers the request before anybody else may ask.
 * Clusters that another request is making or giving back are waited for, or left to the next turn.
 */
static int find_place(struct blk_node *node, u64 at, size_t *len, struct blk_place *p,
		      struct blk_request *req)
{
	co_lock(&node->place_lock);
	struct blk_request *other;
	while (node->requests && (other = blk_req_conflict(node, REQ_WRITE, at, *len))) {
		if (other->from > at) {
			*len = other->from - at;
			continue;
		}
		co_unlock(&node->place_lock);
		co_wait(&node->waiters);
		co_lock(&node->place_lock);
	}
	int r = node->driver->place(node, at, *len, p);
	if (!r) {
		*len = MIN(*len, p->offset + p->len - at);
		blk_req_add(node, req, p->fresh ? REQ_ALLOC : REQ_WRITE, at, *len);
	}
	co_unlock(&node->place_lock);
	return r;
}

/* Encoding works on sectors: a request that cuts one is widened by reading what is around it. */
static int write_widened(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	u64 from = ROUND_DOWN(offset, 512ull), to = ROUND_UP(offset + iov.len, 512ull);
	AUTO(free_ptr) u8 *buf = try_alloc(to - from);
	struct iovec v;
	if (!buf)
		return -ENOMEM;
	int r = blk_format_read(node, from, iovs_one(&v, buf, to - from), 0);
	if (r)
		return r;
	iovs_to_buf(iov, buf + (offset - from));
	return blk_format_write(node, from, iovs_one(&v, buf, to - from), flags);
}

int blk_format_write(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	if (!node->driver->place)
		return -ENOTSUP;
	if (node->encoded && ((offset | iov.len) & 511))
		return write_widened(node, offset, iov, flags);
	for (size_t done = 0; done < iov.len;) {
		struct blk_place p = { 0 };
		struct blk_request req;
		u64 at = offset + done;
		size_t len = iov.len - done;
		int r = find_place(node, at, &len, &p, &req);
		if (r)
			return r;
		struct iovs part = len == iov.len ? iov : iovs_cut(iov, done, len);
		if (p.whole) {
			r = write_whole(node, &p, at, part);
		} else if (p.fresh) {
			r = write_fresh(node, &p, at, part);
			if (!r && p.frees_old)
				blk_req_upgrade(node, &req);
			if (!r)
				r = node->driver->commit(node, &p);
			else if (node->driver->abandon)
				node->driver->abandon(node, &p);
		} else {
			r = write_in_place(node, &p, part);
		}
		blk_req_end(node, &req);
		if (r)
			return r;
		done += len;
	}
	return 0;
}
