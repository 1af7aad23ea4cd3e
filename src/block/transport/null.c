/*
 * null-co, null-aio: a disk that takes everything and gives nothing. For measuring and tests.
 *
 * Options    size (1 GiB), read-zeroes (off: what is read is undefined, and is zeros here as well), latency-ns.
 */
#include "base/coroutine.h"
#include "base/loop/loop.h"
#include "block/blk.h"
#include <errno.h>

struct null {
	u64 latency;
	bool zeroes;
};

static const char *const co_prefixes[] = { "null-co", NULL };
static const char *const aio_prefixes[] = { "null-aio", NULL };

static struct err *parse_name(const char *name, struct json *opts UNUSED)
{
	const char *at = strstr(name, "://");
	return at && !at[3] ? NULL
			    : err_new(ERR_INVALID, "The only allowed filename for this driver is '%.*s://'",
				      (int)strcspn(name, ":"), name);
}

static struct err *open_null(struct blk_node *node, struct json *opts, u32 flags UNUSED)
{
	struct null *s = node->state;
	node->size = 1 * GiB;
	struct err *e = blk_take_size(opts, "size", &node->size);
	if (!e)
		e = blk_take_size(opts, "latency-ns", &s->latency);
	if (!e)
		e = blk_take_bool(opts, "read-zeroes", &s->zeroes);
	if (!e && s->latency > INT64_MAX / 2)
		e = err_new(ERR_INVALID, "latency-ns is invalid");
	if (!e && node->size > INT64_MAX - 512)
		e = err_new(ERR_INVALID, "size is invalid");
	node->size = ROUND_UP(node->size, 512ull);
	node->zero_init = s->zeroes;
	return e;
}

static int wait(struct blk_node *node)
{
	struct null *s = node->state;
	if (s->latency)
		co_sleep(s->latency);
	return 0;
}

static int preadv_null(struct blk_node *node, u64 offset UNUSED, struct iovs iov, u32 flags UNUSED)
{
	iovs_fill(iov, 0);
	return wait(node);
}

static int pwritev_null(struct blk_node *node, u64 offset, struct iovs iov, u32 flags UNUSED)
{
	if (offset + iov.len > node->size)
		return -EINVAL;
	return wait(node);
}

static int zero(struct blk_node *node, u64 offset UNUSED, u64 len UNUSED, u32 flags UNUSED)
{
	return wait(node);
}

static int map(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	struct null *s = node->state;
	*ret = (struct blk_extent){ .where = s->zeroes ? BLK_ZERO : BLK_DATA,
				    .file = node,
				    .offset = offset,
				    .len = len,
				    .has_offset = true };
	return 0;
}

static u64 disk_size(struct blk_node *node UNUSED)
{
	return 0;
}

/* clang-format off */
#define NULL_DISK \
	.kind = BLK_TRANSPORT, .state_size = sizeof(struct null), .parse_name = parse_name, .open = open_null, \
	.preadv = preadv_null, .pwritev = pwritev_null, .zero = zero, .flush = wait, .map = map, .disk_size = disk_size
/* clang-format on */

BLK_DRIVER(null_co) = {
	.name = "null-co", .summary = "takes everything, gives zeros", .prefixes = co_prefixes, NULL_DISK
};
BLK_DRIVER(null_aio) = {
	.name = "null-aio", .summary = "takes everything, gives zeros", .prefixes = aio_prefixes, NULL_DISK
};
