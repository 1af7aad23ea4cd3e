#include "base/loop/loop.h"
#include "block/job/copy.h"
#include <errno.h>

enum {
	WORKERS = 8,
	CHUNK = 1 << 20,
	MIN_UNIT = 4096,
	PLAIN_UNIT = 65536,
	ALIGN = 4096,
	RETRY = 100000000 /* ns */
};

u32 copy_unit(const struct blk_node *target)
{
	u32 cluster = MAX(target->cluster, target->granularity);
	return MAX(cluster > 1 ? cluster : (u32)PLAIN_UNIT, (u32)MIN_UNIT);
}

struct err *copy_setup(struct copy_job *c, struct blk_node *source, struct blk_node *target, u32 unit,
		       u64 size)
{
	u64 words = ((size + unit - 1) / unit + 63) / 64;
	c->todo = (struct blk_dirty){ .granularity = unit, .size = size, .bits = try_alloc(words * 8 + 8) };
	if (!c->todo.bits)
		return err_new(ERR_BUSY, "No memory to follow %llu bytes", (unsigned long long)size);
	c->chunk = MAX((u32)CHUNK, unit);
	static const struct blk_use mover = { 0, BLK_PERM_ALL,
					      "root" }; /* what it takes is said by job_takes */
	blk_root_init(&c->source, source, mover, "%s job '%s'", c->job.driver->type, c->job.id);
	blk_root_init(&c->target, target, mover, "%s job '%s'", c->job.driver->type, c->job.id);
	c->source.stays = c->target.stays = true;
	if (c->hook.before || c->hook.after) {
		blk_quiesce(source->graph);
		blk_hook_add(source, &c->hook);
		c->hooked = source;
		blk_resume(source->graph);
	}
	return NULL;
}

void copy_done(struct copy_job *c)
{
	if (c->hooked)
		blk_hook_remove(c->hooked, &c->hook);
	c->hooked = NULL;
	blk_root_done(&c->source);
	blk_root_done(&c->target);
	free(c->todo.bits);
	c->todo.bits = NULL;
}

void copy_lock(struct copy_job *c, struct copy_range *r, u64 offset, u64 len)
{
	u64 unit = c->todo.granularity;
	r->from = ROUND_DOWN(offset, unit);
	r->to = ROUND_UP(offset + len, unit);
again:
	for (const struct copy_range *o = c->ranges; o; o = o->next)
		if (o->from < r->to && r->from < o->to) {
			co_wait(&c->range_ended);
			goto again;
		}
	r->next = c->ranges;
	c->ranges = r;
}

void copy_unlock(struct copy_job *c, struct copy_range *r)
{
	struct copy_range **at = &c->ranges;
	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	co_wake_all(&c->range_ended);
}

int copy_mark_present(struct copy_job *c, struct blk_node *base)
{
	struct blk_node *source = c->source.node;
	u64 size = MIN(blk_size(source), c->todo.size);
	for (u64 at = 0; at < size;) {
		struct blk_status s;
		int r = blk_status(source, base, at, size - at, &s);
		if (r)
			return r;
		if (s.present)
			blk_dirty_set(&c->todo, at, s.len);
		at += s.len;
	}
	return 0;
}

/* One piece that is all data or all zeros. */
static int copy_piece(struct copy_job *c, const struct blk_status *s, u64 offset, u8 *buf, bool *reading)
{
	struct iovec v;
	*reading = false;
	if (c->only_present && !s->present)
		return 0;
	if (s->zero && !(c->write_flags & BLK_REQ_COMPRESSED))
		return blk_zero(c->target.node, offset, s->len,
				(c->write_flags & BLK_REQ_UNCHANGED) |
				    (c->keep_room ? 0 : BLK_REQ_MAY_UNMAP));
	*reading = true;
	int r = blk_pread(c->source.node, offset, buf, s->len);
	if (r)
		return r;
	*reading = false;
	return blk_pwritev(c->target.node, offset, iovs_one(&v, buf, s->len), c->write_flags);
}

int copy_part(struct copy_job *c, u64 offset, u64 len, bool *reading)
{
	u64 size = MIN(c->todo.size, blk_size(c->source.node));
	bool whole = c->write_flags & BLK_REQ_COMPRESSED;
	u8 *buf;
	int r = 0;
	*reading = true;
	if (offset >= size)
		return 0;
	len = MIN(len, size - offset);
	if (posix_memalign((void **)&buf, ALIGN, ROUND_UP(len, (u64)ALIGN)))
		return -ENOMEM;
	for (u64 at = offset, end = offset + len; at < end && !r;) {
		struct blk_status s = { .len = MIN(end - at, (u64)c->todo.granularity),
					.present = true,
					.data = true };
		if (!whole)
			r = blk_status(c->source.node, c->base, at, end - at, &s);
		if (!r)
			r = copy_piece(c, &s, at, buf, reading);
		at += s.len;
	}
	free(buf);
	return r;
}

/* The next part to be copied; none of it is todo any more. */
static bool take(struct copy_job *c, u64 *offset, u64 *len)
{
	if (!blk_dirty_next(&c->todo, c->cursor, offset, len)) {
		c->cursor = 0;
		if (!blk_dirty_next(&c->todo, 0, offset, len))
			return false;
	}
	*len = MIN(*len, (u64)c->chunk);
	c->cursor = *offset + *len;
	blk_dirty_clear(&c->todo, *offset, *len);
	return true;
}

/* What an error means: true, the worker goes on. */
static bool after_error(struct copy_job *c, int r, bool reading, u64 offset, u64 len)
{
	enum job_action action = job_error(&c->job, reading ? c->on_source : c->on_target, reading, -r);
	bool ignored = action == JOB_ACTION_IGNORE;
	if (ignored && c->gives_up) {
		c->ignored = c->ignored ? c->ignored : r;
		return true;
	}
	blk_dirty_set(&c->todo, offset, len);
	if (ignored) {
		co_sleep(RETRY);
		return true;
	}
	if (action == JOB_ACTION_REPORT && !c->failed)
		c->failed = r;
	return false;
}

static void worker(void *arg)
{
	struct copy_job *c = arg;
	u64 offset, len;
	while (!c->failed && !job_interrupted(&c->job)) {
		blk_root_enter(&c->source);
		if (!take(c, &offset, &len)) {
			blk_root_leave(&c->source);
			break;
		}
		struct copy_range range;
		bool reading;
		copy_lock(c, &range, offset, len);
		int r = copy_part(c, offset, len, &reading);
		copy_unlock(c, &range);
		blk_root_leave(&c->source);
		if (r && !after_error(c, r, reading, offset, len))
			break;
		c->job.done += r ? 0 : len;
		job_throttle(&c->job, len);
	}
	if (!--c->workers)
		co_wake_all(&c->workers_done);
}

int copy_run(struct copy_job *c)
{
	c->failed = 0;
	do {
		job_pause_point(&c->job);
		/* With a limit one worker is enough, and keeps the limit better. */
		unsigned n = c->job.speed ? 1 : WORKERS;
		for (unsigned i = 0; i < n && copy_left(c) && !c->failed; i++) {
			c->workers++;
			co_enter(co_new(worker, c));
		}
		while (c->workers)
			co_wait(&c->workers_done);
	} while (!c->failed && !c->job.forced && copy_left(c));
	return c->job.forced ? -ECANCELED : c->failed ? c->failed : c->ignored;
}

int copy_clear_absent(struct blk_node *node, struct blk_dirty *todo)
{
	for (u64 at = 0; at < todo->size;) {
		struct blk_status s;
		int r = blk_status(node, node->backing, at, todo->size - at, &s);
		if (r)
			return r;
		/* Whole units: one that begins or ends in something present stays. */
		u64 from = ROUND_UP(at, (u64)todo->granularity),
		    to = at + s.len >= todo->size ? todo->size
						  : ROUND_DOWN(at + s.len, (u64)todo->granularity);
		if (!s.present && from < to)
			blk_dirty_clear(todo, from, to - from);
		at += s.len;
	}
	return 0;
}
