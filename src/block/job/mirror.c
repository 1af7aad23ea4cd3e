/*
 * mirror: a target is made equal to a source and kept so; when told to complete it takes the source's place. Also the commit
 * of an active layer, whose target is a layer below it.
 */
#include "block/job/copy.h"
#include "block/job/kinds.h"
#include <errno.h>

struct mirror {
	struct copy_job copy;
	struct blk_node *replaces; /* a reference; NULL: the source */
	struct blk_node *base; /* commit: the target */
	enum job_sync sync;
	bool blocking, quiet, was_writable;
};

static struct mirror *self(struct job *job)
{
	return (struct mirror *)job;
}

/* Something was written: it is to be copied; at once when writes wait for the target. */
static int after(struct blk_hook *h, u64 offset, u64 len)
{
	struct copy_job *c = container_of(h, struct copy_job, hook);
	struct mirror *m = (struct mirror *)c;
	u64 unit = c->todo.granularity, from = ROUND_DOWN(offset, unit), to = ROUND_UP(offset + len, unit);
	blk_dirty_set(&c->todo, offset, len);
	c->job.total = MAX(c->job.total, c->job.done + copy_left(c));
	if (m->blocking && c->job.ready) {
		struct copy_range range;
		bool reading;
		copy_lock(c, &range, from, to - from);
		blk_dirty_clear(&c->todo, from, to - from);
		if (copy_part(c, from, to - from, &reading))
			blk_dirty_set(&c->todo, offset,
				      len); /* the worker tries again, and says what is wrong */
		else
			c->job.done += to - from;
		copy_unlock(c, &range);
	}
	if (copy_left(c))
		job_wake(&c->job);
	return 0;
}

static int mark(struct mirror *m)
{
	struct copy_job *c = &m->copy;
	if (m->base)
		return copy_mark_present(c, m->base);
	if (m->sync == SYNC_FULL)
		blk_dirty_set(&c->todo, 0, c->todo.size);
	return m->sync == SYNC_TOP ? copy_mark_present(c, c->source.node->backing) : 0;
}

static bool asked_to_end(const struct job *job)
{
	return job->completing || job->cancelled;
}

static int run(struct job *job)
{
	struct mirror *m = self(job);
	struct copy_job *c = &m->copy;
	int r = mark(m);
	job->total = copy_left(c);
	while (!r && !(r = copy_run(c))) {
		if (!(r = blk_flush(c->target.node)) && !job->ready && !copy_left(c)) {
			job->total = job->done;
			job_set_ready(job);
		}
		job_pause_point(job);
		if (job->forced)
			return -ECANCELED;
		if (r || copy_left(c))
			continue;
		if (!asked_to_end(job)) {
			job_wait(job);
			continue;
		}
		/* Nobody writes from here on: what came in between is copied, then both are equal. */
		blk_quiesce(job->jobs->graph);
		if (!copy_left(c)) {
			m->quiet = true;
			return blk_flush(c->target.node);
		}
		blk_resume(job->jobs->graph);
	}
	return r;
}

/* Cancelling when ready leaves an equal target behind, and the graph as it was. */
static struct err *prepare(struct job *job)
{
	struct mirror *m = self(job);
	struct blk_node *target = m->copy.target.node;
	if (!job->completing)
		return NULL;
	struct blk_node *old = m->replaces ? m->replaces : m->copy.source.node;
	if (blk_size(old) != blk_size(target) && !m->base)
		return err_new(ERR_INVALID, "cannot replace node '%s' of %llu bytes by one of %llu",
			       old->node_name, (unsigned long long)blk_size(old),
			       (unsigned long long)blk_size(target));
	blk_replace(old, target);
	return NULL;
}

static void clean(struct job *job, bool failed)
{
	struct mirror *m = self(job);
	struct blk_node *target = m->copy.target.node;
	if (!m->quiet)
		blk_quiesce(job->jobs->graph);
	bool stays_below = m->base && (failed || !job->completing);
	if (stays_below && !m->was_writable) {
		struct err *e = blk_reopen(target, target->flags & ~(u32)BLK_RDWR);
		if (e)
			err_free(e); /* it stays writable: nothing is lost */
	}
	copy_done(&m->copy);
	blk_unref(m->replaces);
	blk_resume(job->jobs->graph);
}

static struct err *check(struct jobs *all, const struct job_mirror *s)
{
	struct err *e = job_check_node(all, s->source);
	if (!e)
		e = job_check_node(all, s->target);
	if (!e && s->source == s->target)
		e = err_new(ERR_INVALID, "Can't mirror node into itself");
	if (!e && s->granularity && (s->granularity < 512 || s->granularity > 64 * MiB))
		e = err_new(ERR_INVALID, "Parameter 'granularity' expects a value in range [512B, 64MB]");
	if (!e && s->granularity & (s->granularity - 1))
		e = err_new(ERR_INVALID, "Parameter 'granularity' expects a power of 2");
	if (!e && !s->base)
		e = blk_need_writable(s->target);
	if (!e && !s->base && blk_size(s->source) != blk_size(s->target))
		e = err_new(ERR_INVALID, "Source and target image have different sizes");
	return e;
}

static struct err *set_up(struct mirror *m, const struct job_mirror *s)
{
	struct copy_job *c = &m->copy;
	struct err *e = blk_make_writable(s->target, &m->was_writable);
	if (!e && s->base && blk_size(s->target) < blk_size(s->source))
		e = blk_truncate(s->target, blk_size(s->source), false, BLK_PREALLOC_OFF, false);
	m->base = s->base;
	m->sync = s->sync;
	m->blocking = s->blocking;
	c->base = s->base;
	c->only_present = s->base;
	c->on_source = s->on_source;
	c->on_target = s->on_target;
	c->hook = (struct blk_hook){ .after = after };
	u32 unit = MAX(s->granularity ? s->granularity : copy_unit(s->target), copy_unit(s->target));
	if (!e)
		e = copy_setup(c, s->source, s->target, unit, blk_size(s->source));
	if (!e && s->buf_size)
		c->chunk = MAX(unit, (u32)MIN((u64)c->chunk, ROUND_DOWN((u64)s->buf_size, (u64)unit)));
	c->keep_room = s->keep_room;
	return e;
}

/* The target holds no disk before it is equal; that of a commit always does, with what is written above it. */
static void take_nodes(struct job *job, const struct job_mirror *s)
{
	u32 others = BLK_PERM_ALL & ~BLK_PERM_RESIZE;
	job->apart = !s->base;
	job_takes(job, s->source, (struct blk_use){ BLK_PERM_READ, others, "source" });
	job_takes(job, s->target,
		  (struct blk_use){ BLK_PERM_WRITE, s->base ? others : BLK_PERM_UNCHANGED, "target" });
	for (struct blk_node *n = s->base ? blk_below(s->source) : NULL; n && n != s->base; n = blk_below(n))
		job_takes(job, n,
			  (struct blk_use){ 0, BLK_PERM_WRITE | BLK_PERM_UNCHANGED, "intermediate node" });
}

struct err *job_mirror(struct jobs *all, const struct job_mirror *s)
{
	static const struct job_driver mirror = { .type = "mirror",
						  .size = sizeof(struct mirror),
						  .block = true,
						  .completes = true,
						  .run = run,
						  .prepare = prepare,
						  .clean = clean },
				       commit = { .type = "commit",
						  .size = sizeof(struct mirror),
						  .block = true,
						  .completes = true,
						  .run = run,
						  .prepare = prepare,
						  .clean = clean };
	struct job *job;
	struct err *e = check(all, s);
	if (!e)
		e = job_new(all, s->base ? &commit : &mirror, &s->o, &job);
	if (e)
		return e;
	struct mirror *m = self(job);
	take_nodes(job, s);
	e = job_check_taken(job);
	if (!e)
		e = set_up(m, s);
	if (e) {
		job_drop(job);
		return e;
	}
	m->replaces = s->replaces ? blk_ref(s->replaces) : NULL;
	if (s->keep_target)
		blk_unref(s->target); /* the job's own remains */
	job_start(job);
	return NULL;
}
