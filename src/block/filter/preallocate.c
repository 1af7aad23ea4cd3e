/*
 * preallocate: a file that grows by being written to is made longer in large steps; what is too much goes at the end.
 *
 * Options    file (child), prealloc-size (128 MiB: a step), prealloc-align (1 MiB: of the file's new end).
 */
#include "block/filter/pass.h"
#include "base/coroutine.h"
#include <errno.h>

struct prealloc {
	u64 size, align;
	u64 end; /* of the child, with what was reserved; node->size is the end that users see */
	bool fails; /* the child cannot: not tried again */
	struct co_lock growing;
};

static struct err *take_options(struct prealloc *s, struct json *opts)
{
	s->size = 128 * MiB;
	s->align = 1 * MiB;
	struct err *e = blk_take_size(opts, "prealloc-align", &s->align);
	if (!e)
		e = blk_take_size(opts, "prealloc-size", &s->size);
	if (!e && (!s->align || s->align % 512 || (s->align & (s->align - 1))))
		e = err_new(
		    ERR_INVALID,
		    "prealloc-align parameter of preallocate filter is not a power of two of at least 512");
	if (!e && s->size > TiB)
		e = err_new(ERR_INVALID, "prealloc-size parameter of preallocate filter is more than 1 TiB");
	return e;
}

static struct err *open_prealloc(struct blk_node *node, struct json *opts, u32 flags)
{
	struct prealloc *s = node->state;
	struct err *e = pass_open(node, opts, flags | (flags & BLK_RDWR ? BLK_RESIZE : 0));
	if (!e)
		e = take_options(s, opts);
	s->end = node->size;
	return e;
}

/* Gives back what nobody wrote to. */
static struct err *cut(struct blk_node *node)
{
	struct prealloc *s = node->state;
	if (s->end <= node->size || !(node->flags & BLK_RDWR))
		return NULL;
	struct err *e = blk_truncate(node->file, node->size, true, BLK_PREALLOC_OFF, false);
	if (!e)
		s->end = node->size;
	return e;
}

static void close_prealloc(struct blk_node *node)
{
	struct err *e = cut(node);
	if (e)
		blk_say(node, "preallocate: the file keeps %llu bytes too many: %s",
			(unsigned long long)(((struct prealloc *)node->state)->end - node->size),
			err_text(e));
	err_free(e);
}

/* Reserved room reads as zeros; failing to get it is no error: the write itself will tell. */
static void make_room(struct blk_node *node, u64 to)
{
	struct prealloc *s = node->state;
	co_lock(&s->growing);
	if (to > s->end && !s->fails) {
		u64 end = ROUND_UP(to + s->size, s->align);
		struct err *e = blk_truncate(node->file, end, false, BLK_PREALLOC_FALLOC, true);
		s->fails = e;
		if (!e)
			s->end = end;
		err_free(e);
	}
	co_unlock(&s->growing);
}

static int wrote(struct blk_node *node, u64 to, int r)
{
	struct prealloc *s = node->state;
	if (!r) {
		node->size = MAX(node->size, ROUND_UP(to, 512ull));
		s->end = MAX(s->end, node->size);
	}
	return r;
}

static int pwritev_prealloc(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	make_room(node, offset + iov.len);
	return wrote(node, offset + iov.len, blk_pwritev(node->file, offset, iov, flags));
}

static int zero(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	make_room(node, offset + len);
	/* New room is zero already. */
	if (offset >= node->size && offset + len <= ((struct prealloc *)node->state)->end &&
	    !(flags & BLK_REQ_MAY_UNMAP))
		return wrote(node, offset + len, 0);
	return wrote(node, offset + len, blk_zero(node->file, offset, len, flags));
}

static struct err *truncate_prealloc(struct blk_node *node, u64 size, bool exact, enum blk_prealloc prealloc,
				     bool zeros)
{
	struct prealloc *s = node->state;
	struct err *e = cut(node);
	if (!e)
		e = blk_truncate(node->file, size, exact, prealloc, zeros);
	if (!e)
		s->end = node->size = node->file->size;
	return e;
}

/* Who stops writing leaves a file of the right length. */
static struct err *reopen_prealloc(struct blk_node *node, u32 flags)
{
	struct err *e = flags & BLK_RDWR ? NULL : cut(node);
	if (!e)
		node->flags = flags;
	return e;
}

BLK_DRIVER(preallocate) = {
	.name = "preallocate",
	.summary = "makes a growing file longer in large steps",
	.kind = BLK_FILTER,
	.state_size = sizeof(struct prealloc),
	.open = open_prealloc,
	.close = close_prealloc,
	.reopen = reopen_prealloc,
	.preadv = pass_preadv,
	.pwritev = pwritev_prealloc,
	.zero = zero,
	.discard = pass_discard,
	.map = pass_map,
	.truncate = truncate_prealloc,
};
