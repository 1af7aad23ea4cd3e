/*
 * copy-before-write: before a part of the disk is written for the first time, what was there is copied to a target.
 *
 * Options    file (child), target (child), bitmap.node and bitmap.name (copy only what the bitmap says), on-cbw-error
 *            (break-guest-write: a write whose copy fails is refused; break-snapshot: the snapshot ends instead),
 *            cbw-timeout (seconds until a copy counts as failed; 0: never).
 */
#include "block/filter/cbw.h"
#include "block/dirty.h"
#include "block/filter/pass.h"
#include "base/coroutine.h"
#include "base/loop/loop.h"
#include <errno.h>

enum { CLUSTER = 64 << 10, MAX_COPY = 1 << 20 };

/* A part that is being copied, or read by the snapshot: others wait. */
struct busy {
	struct busy *next;
	u64 from, to;
	bool reads;
};

struct cbw {
	struct blk_node *target;
	u64 cluster;
	struct blk_dirty *todo; /* not copied yet */
	struct blk_dirty *access; /* belongs to the snapshot */
	struct busy *busy;
	struct co_wait changed;
	bool break_snapshot;
	int broken; /* the error that ended the snapshot */
	u64 timeout; /* seconds */
	unsigned copies; /* coroutines that copy */
	struct co_wait idle;
};

bool cbw_is(const struct blk_node *node)
{
	return strcmp(node->driver->name, "copy-before-write") == 0;
}

/* ---- parts in use ---- */

static bool in_use(const struct cbw *s, u64 from, u64 to, bool reads)
{
	for (const struct busy *b = s->busy; b; b = b->next)
		if (b->from < to && from < b->to && !(reads && b->reads))
			return true;
	return false;
}

/* Waits until nobody else is there; readers do not mind each other. */
static void begin(struct cbw *s, struct busy *b, u64 from, u64 to, bool reads)
{
	while (in_use(s, from, to, reads))
		co_wait(&s->changed);
	*b = (struct busy){ s->busy, from, to, reads };
	s->busy = b;
}

static void end(struct cbw *s, struct busy *b)
{
	struct busy **at = &s->busy;
	while (*at != b)
		at = &(*at)->next;
	*at = b->next;
	co_wake_all(&s->changed);
}

/* ---- copying ---- */

static int copy_bytes(struct blk_node *node, u64 offset, u64 len)
{
	struct cbw *s = node->state;
	struct blk_status st;
	struct iovec v;
	int r = blk_status(node->file, NULL, offset, len, &st);
	if (!r && st.zero && st.len >= len)
		return blk_zero(s->target, offset, len, BLK_REQ_MAY_UNMAP);
	AUTO(free_ptr) u8 *buf = try_alloc(len);
	if (!buf)
		return -ENOMEM;
	r = blk_preadv(node->file, offset, iovs_one(&v, buf, len), 0);
	return r ? r : blk_pwritev(s->target, offset, iovs_one(&v, buf, len), 0);
}

/* One copy, in a coroutine of its own: whoever wants to write does not wait for it longer than the time given. */
struct copy {
	struct blk_node *node;
	u64 from, to;
	int result;
	bool done, left; /* left: nobody waits any more */
	struct loop_timer *timer;
	struct co_wait wait;
};

static void copy_ended(struct copy *c)
{
	struct cbw *s = c->node->state;
	if (!c->result)
		blk_dirty_clear(s->todo, c->from, c->to - c->from);
	c->done = true;
	if (c->timer)
		loop_timer_cancel(c->timer);
	if (c->left)
		free(c);
	else
		co_wake(&c->wait);
	if (!--s->copies)
		co_wake_all(&s->idle);
}

static void copy_now(void *arg)
{
	struct copy *c = arg;
	struct cbw *s = c->node->state;
	struct busy b;
	u64 at, len;
	begin(s, &b, c->from, c->to, true);
	/* Others may have been faster while this one waited. */
	if (blk_dirty_next(s->todo, c->from, &at, &len) && at < c->to && !s->broken) {
		c->from = at;
		c->to = MIN(c->to, at + len);
		c->result = copy_bytes(c->node, c->from, c->to - c->from);
	}
	end(s, &b);
	copy_ended(c);
}

static void too_late(void *arg)
{
	struct copy *c = arg;
	c->timer = NULL;
	c->left = true;
	co_wake(&c->wait);
}

static int copy(struct blk_node *node, u64 from, u64 to)
{
	struct cbw *s = node->state;
	struct copy *c = alloc(sizeof(*c));
	*c = (struct copy){ .node = node, .from = from, .to = to };
	s->copies++;
	if (s->timeout)
		c->timer = loop_timer(loop_here(), loop_now() + (i64)s->timeout * 1000000000, too_late, c);
	co_enter(co_new(copy_now, c));
	while (!c->done && !c->left)
		co_wait(&c->wait);
	if (!c->done)
		return -ETIMEDOUT;
	int r = c->result;
	free(c);
	return r;
}

/* Copies what of the range is still to be copied. */
static int copy_range(struct blk_node *node, u64 from, u64 to)
{
	struct cbw *s = node->state;
	u64 at = from, len;
	int r = 0;
	while (!r && !s->broken && blk_dirty_next(s->todo, at, &at, &len) && at < to) {
		len = MIN(len, to - at);
		r = copy(node, at, at + MIN(len, (u64)MAX_COPY));
	}
	return r;
}

/* What every change of the disk begins with; the range is held until after_write. */
static int before_write(struct blk_node *node, u64 offset, u64 len, struct busy *b)
{
	struct cbw *s = node->state;
	u64 from = ROUND_DOWN(offset, s->cluster),
	    to = MIN(ROUND_UP(offset + len, s->cluster), s->todo->size);
	int r = copy_range(node, from, to);
	if (r && s->break_snapshot && !s->broken) {
		s->broken = r;
		blk_say(node, "copy-before-write: the snapshot is lost: %s", strerror(-r));
	}
	begin(s, b, from, MAX(to, offset + len), false);
	return r && !s->break_snapshot ? r : 0;
}

static int pwritev_cbw(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	struct busy b;
	int r = before_write(node, offset, iov.len, &b);
	if (!r)
		r = pass_pwritev(node, offset, iov, flags);
	end(node->state, &b);
	return r;
}

static int zero(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	struct busy b;
	int r = before_write(node, offset, len, &b);
	if (!r)
		r = pass_zero(node, offset, len, flags);
	end(node->state, &b);
	return r;
}

static int discard(struct blk_node *node, u64 offset, u64 len)
{
	struct busy b;
	int r = before_write(node, offset, len, &b);
	if (!r)
		r = pass_discard(node, offset, len);
	end(node->state, &b);
	return r;
}

/* ---- the snapshot ---- */

/* Where the snapshot's bytes at offset are, and for how far. */
static int find(struct blk_node *node, u64 offset, u64 len, struct blk_node **ret, u64 *ret_len)
{
	struct cbw *s = node->state;
	u64 at, run;
	if (s->broken)
		return -EACCES;
	if (offset >= s->access->size || !blk_dirty_next(s->access, offset, &at, &run) || at > offset)
		return -EACCES;
	*ret_len = MIN(len, run);
	if (blk_dirty_next(s->todo, offset, &at, &run) && at == offset) {
		*ret = node->file;
		*ret_len = MIN(*ret_len, run);
	} else {
		*ret = s->target;
		*ret_len = run && at > offset ? MIN(*ret_len, at - offset) : *ret_len;
	}
	return 0;
}

int cbw_snapshot_read(struct blk_node *node, u64 offset, struct iovs iov)
{
	struct cbw *s = node->state;
	int r = 0;
	for (u64 done = 0, len; done < iov.len && !r; done += len) {
		struct blk_node *from;
		struct busy b;
		u64 at = offset + done;
		begin(s, &b, at, at + (iov.len - done), true);
		r = find(node, at, iov.len - done, &from, &len);
		if (!r)
			r = blk_preadv(from, at, iovs_cut(iov, done, len), 0);
		end(s, &b);
	}
	return r;
}

int cbw_snapshot_map(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	struct blk_node *from;
	struct blk_status st;
	int r = find(node, offset, len, &from, &len);
	if (!r)
		r = blk_status(from, NULL, offset, len, &st);
	if (r)
		return r;
	*ret = (struct blk_extent){
		.where = st.zero ? BLK_ZERO : BLK_DATA, .file = node, .offset = offset, .len = st.len
	};
	return 0;
}

int cbw_snapshot_discard(struct blk_node *node, u64 offset, u64 len)
{
	struct cbw *s = node->state;
	/* Only whole clusters: the rest of a cluster may still be wanted. */
	u64 from = ROUND_UP(offset, s->cluster), to = offset + len;
	to = to >= s->access->size ? s->access->size : ROUND_DOWN(to, s->cluster);
	if (from >= to)
		return 0;
	struct busy b;
	begin(s, &b, from, to, false);
	blk_dirty_clear(s->access, from, to - from);
	blk_dirty_clear(s->todo, from, to - from);
	int r = blk_discard(s->target, from, to - from);
	end(s, &b);
	return r;
}

/* ---- opening ---- */

static struct err *cluster_of(struct blk_node *target, u64 *ret)
{
	struct blk_info info = { 0 };
	*ret = CLUSTER;
	struct err *e = target->driver->info ? target->driver->info(target, &info) : NULL;
	json_free(info.specific);
	*ret = MAX(*ret, info.cluster_size);
	return e;
}

static struct err *take_bitmap(struct blk_node *node, struct json *opts, struct blk_dirty **ret)
{
	AUTO(free_ptr) char *on = blk_take_str(opts, "bitmap.node");
	AUTO(free_ptr) char *name = blk_take_str(opts, "bitmap.name");
	*ret = NULL;
	if (!on && !name)
		return NULL;
	if (!on || !name)
		return err_new(ERR_INVALID, "Parameter 'bitmap.%s' is missing", on ? "name" : "node");
	struct blk_node *n = blk_find(node->graph, on);
	if (!n)
		return err_new(ERR_NOT_FOUND, "Cannot find device='' nor node-name='%s'", on);
	*ret = blk_dirty_find(n, name);
	return *ret ? NULL : err_new(ERR_NOT_FOUND, "Bitmap '%s' does not exist", name);
}

static struct err *take_options(struct cbw *s, struct json *opts)
{
	AUTO(free_ptr) char *policy = blk_take_str(opts, "on-cbw-error");
	s->break_snapshot = policy && strcmp(policy, "break-snapshot") == 0;
	if (policy && !s->break_snapshot && strcmp(policy, "break-guest-write") != 0)
		return err_new(ERR_INVALID, "Parameter 'on-cbw-error' does not accept value '%s'", policy);
	struct err *e = blk_take_size(opts, "cbw-timeout", &s->timeout);
	return !e && s->timeout > UINT32_MAX ? err_new(ERR_INVALID, "'cbw-timeout' is too large") : e;
}

static struct err *make_sets(struct blk_node *node, const struct blk_dirty *wanted)
{
	struct cbw *s = node->state;
	struct err *e = blk_dirty_loose(node->size, s->cluster, &s->todo);
	if (!e)
		e = blk_dirty_loose(node->size, s->cluster, &s->access);
	if (e)
		return e;
	if (wanted)
		blk_dirty_merge(s->todo, wanted);
	else
		blk_dirty_set(s->todo, 0, node->size);
	blk_dirty_merge(s->access, s->todo);
	return NULL;
}

static void close_cbw(struct blk_node *node)
{
	struct cbw *s = node->state;
	while (s->copies)
		co_wait(&s->idle);
	if (s->todo)
		blk_dirty_free(NULL, s->todo);
	if (s->access)
		blk_dirty_free(NULL, s->access);
}

static struct err *open_cbw(struct blk_node *node, struct json *opts, u32 flags)
{
	struct cbw *s = node->state;
	struct blk_dirty *wanted;
	struct err *e = pass_open(node, opts, flags);
	if (!e)
		e = blk_open_child(node, opts, "target", NULL, flags | BLK_RDWR, false, &s->target);
	if (!e && s->target->size < node->size)
		e = err_new(ERR_INVALID, "The target is %llu bytes long, less than the disk's %llu",
			    (unsigned long long)s->target->size, (unsigned long long)node->size);
	if (!e)
		e = take_options(s, opts);
	if (!e)
		e = take_bitmap(node, opts, &wanted);
	if (!e)
		e = cluster_of(s->target, &s->cluster);
	if (!e)
		e = make_sets(node, wanted);
	if (e)
		close_cbw(node);
	return e;
}

static struct err *truncate_cbw(struct blk_node *node, u64 size, bool exact, enum blk_prealloc prealloc,
				bool zeros)
{
	return err_new(ERR_UNSUPPORTED, "A disk below copy-before-write cannot be resized");
}

static void moved(struct blk_node *node, struct blk_node *from, struct blk_node *to)
{
	struct cbw *s = node->state;
	if (s->target == from)
		s->target = to;
}

BLK_DRIVER(copy_before_write) = {
	.name = "copy-before-write",
	.summary = "copies what is overwritten to a target",
	.kind = BLK_FILTER,
	.state_size = sizeof(struct cbw),
	.open = open_cbw,
	.close = close_cbw,
	.moved = moved,
	.preadv = pass_preadv,
	.pwritev = pwritev_cbw,
	.zero = zero,
	.discard = discard,
	.map = pass_map,
	.truncate = truncate_cbw,
};
