/*
 * throttle: requests wait until the limits of a group let them go. Options: file (child), throttle-group (an object).
 */
#include "block/throttle.h"
#include "block/filter/pass.h"
#include "block/object.h"

struct state {
	struct throttle *group;
};

static struct err *find_group(struct blk_node *node, struct json *opts)
{
	struct state *s = node->state;
	AUTO(free_ptr) char *id = blk_take_str(opts, "throttle-group");
	if (!id)
		return err_new(ERR_INVALID, "Please specify a throttle group");
	struct blk_object *o = blk_object_find(node->graph, id);
	if (!o || !o->throttle)
		return err_new(ERR_NOT_FOUND, "Throttle group '%s' does not exist", id);
	s->group = throttle_ref(o->throttle);
	return NULL;
}

static struct err *open_throttle(struct blk_node *node, struct json *opts, u32 flags)
{
	struct err *e = pass_open(node, opts, flags);
	return e ? e : find_group(node, opts);
}

static void close_throttle(struct blk_node *node)
{
	throttle_unref(((struct state *)node->state)->group);
}

static void wait(struct blk_node *node, bool write, u64 bytes)
{
	throttle_wait(((struct state *)node->state)->group, node->graph, write, bytes);
}

static int preadv_throttle(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	wait(node, false, iov.len);
	return pass_preadv(node, offset, iov, flags);
}

static int pwritev_throttle(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	wait(node, true, iov.len);
	return pass_pwritev(node, offset, iov, flags);
}

static int zero(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	wait(node, true, len);
	return pass_zero(node, offset, len, flags);
}

static int discard(struct blk_node *node, u64 offset, u64 len)
{
	wait(node, true, len);
	return pass_discard(node, offset, len);
}

BLK_DRIVER(throttle) = {
	.name = "throttle",
	.summary = "limits bytes and requests a second",
	.kind = BLK_FILTER,
	.state_size = sizeof(struct state),
	.open = open_throttle,
	.close = close_throttle,
	.preadv = preadv_throttle,
	.pwritev = pwritev_throttle,
	.passes_fua = true,
	.zero = zero,
	.discard = discard,
	.map = pass_map,
	.truncate = pass_truncate,
};
