/*
 * Compressed writes: the units of a request are packed by several threads at once; what they gave is then written in order.
 */
#include "block/graph.h"
#include "block/dirty.h"
#include "base/coroutine.h"
#include "base/loop/loop.h"
#include <errno.h>

struct unit {
	struct blk_packed *of;
	u64 offset;
	struct iovs iov;
	void *packed;
	int len; /* of packed; 0: does not get smaller */
};

struct blk_packed {
	struct blk_node *node;
	struct co_wait end; /* of the last unit */
	unsigned n, left;
	struct unit units[];
};

static int pack_unit(void *arg)
{
	struct unit *u = arg;
	struct blk_node *node = u->of->node;
	AUTO(free_ptr) u8 *copy = NULL;
	const void *buf = iovs_flat(u->iov);
	if (!buf || u->iov.len < blk_unit(node)) {
		buf = copy = try_alloc(blk_unit(node));
		if (!copy)
			return -ENOMEM;
		iovs_to_buf(u->iov, copy);
	}
	return node->driver->pack(node, u->offset, buf, &u->packed);
}

static void pack_on_worker(void *arg)
{
	struct unit *u = arg;
	u->len = work_run(pack_unit, u);
	if (--u->of->left == 0)
		co_wake_all(&u->of->end);
}

/* One coroutine a unit; outside a coroutine, or for one unit, there is nothing to gain. */
static void pack_all(struct blk_packed *p)
{
	p->left = p->n;
	for (unsigned i = 0; i < p->n; i++)
		if (co_self() && p->n > 1)
			co_enter(co_new(pack_on_worker, &p->units[i]));
		else
			pack_on_worker(&p->units[i]);
	if (p->left)
		co_wait(&p->end);
}

int blk_pack(struct blk_node *node, u64 offset, struct iovs iov, struct blk_packed **ret)
{
	u32 unit = blk_unit(node);
	*ret = NULL;
	if (!node->driver->pack)
		return -ENOTSUP;
	if (!(node->flags & BLK_RDWR))
		return -EPERM;
	if (offset > node->size || iov.len > node->size - offset)
		return -EIO;
	if (!iov.len || offset % unit || (iov.len % unit && offset + iov.len != node->size))
		return -EINVAL;
	unsigned n = (iov.len + unit - 1) / unit;
	struct blk_packed *p = try_alloc(sizeof(*p) + n * sizeof(*p->units));
	if (!p)
		return -ENOMEM;
	p->node = node;
	p->n = n;
	for (u64 i = 0, at = 0; i < n; i++, at += unit)
		p->units[i] = (struct unit){ .of = p,
					     .offset = offset + at,
					     .iov = iovs_cut(iov, at, MIN(iov.len - at, (u64)unit)) };
	pack_all(p);
	int r = 0;
	for (unsigned i = 0; i < n && !r; i++)
		r = MIN(p->units[i].len, 0);
	if (r)
		blk_packed_free(p);
	else
		*ret = p;
	return r;
}

static int write_unit(const struct unit *u)
{
	struct blk_node *node = u->of->node;
	if (!u->len)
		return blk_format_write(node, u->offset, u->iov, 0);
	struct blk_request req;
	blk_req_begin(node, &req, REQ_FREE, u->offset, u->iov.len);
	int r = node->driver->write_compressed(node, u->offset, u->packed, u->len);
	blk_req_end(node, &req);
	return r;
}

static int write_units(const struct blk_packed *p)
{
	int r = 0;
	for (unsigned i = 0; i < p->n && !r; i++)
		r = write_unit(&p->units[i]);
	return r;
}

int blk_write_packed(struct blk_packed *p, u32 flags)
{
	struct blk_node *node = p->node;
	const struct unit *last = &p->units[p->n - 1];
	int r = write_units(p);
	node->written = true;
	if (node->dirty)
		blk_dirty_mark(node, p->units->offset, last->offset + last->iov.len - p->units->offset);
	blk_packed_free(p);
	if (!r && ((flags & BLK_REQ_FUA) || (node->flags & BLK_WRITETHROUGH)))
		r = blk_flush(node);
	return r;
}

void blk_packed_free(struct blk_packed *p)
{
	for (unsigned i = 0; p && i < p->n; i++)
		free(p->units[i].packed);
	free(p);
}

int blk_write_compressed(struct blk_node *node, u64 offset, struct iovs iov)
{
	struct blk_packed *p;
	if (!node->driver->pack && node->driver->kind == BLK_FILTER && node->file)
		return blk_pwritev(node->file, offset, iov, BLK_REQ_COMPRESSED);
	int r = blk_pack(node, offset, iov, &p);
	if (r)
		return r;
	r = write_units(p);
	blk_packed_free(p);
	return r;
}
