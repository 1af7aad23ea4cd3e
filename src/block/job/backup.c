/*
 * backup: a target gets what the source held at the job's beginning. Whoever writes to a part that is not copied yet waits
 * until its old contents are.
 */
#include "block/job/copy.h"
#include "block/job/kinds.h"
#include <errno.h>

enum { NOT_RESIZED = BLK_PERM_ALL & ~BLK_PERM_RESIZE };

struct backup {
	struct copy_job copy;
	enum job_sync sync;
	struct blk_dirty *bitmap; /* the source's; busy meanwhile */
	enum job_bitmap bitmap_mode;
	struct blk_dirty *since; /* what is written during the job */
};

static struct backup *self(struct job *job)
{
	return (struct backup *)job;
}

static int before(struct blk_hook *h, u64 offset, u64 len)
{
	struct copy_job *c = container_of(h, struct copy_job, hook);
	u64 at = ROUND_DOWN(offset, (u64)c->todo.granularity), end = offset + len, part;
	int r = 0;
	/* Those that are just being copied first. */
	struct copy_range range;
	copy_lock(c, &range, offset, len);
	while (!r && blk_dirty_next(&c->todo, at, &at, &part) && at < end) {
		bool reading;
		part = MIN(part, (u64)c->chunk);
		r = copy_part(c, at, part, &reading);
		if (!r) {
			blk_dirty_clear(&c->todo, at, part);
			c->job.done += part;
		}
		at += part;
	}
	copy_unlock(c, &range);
	return r;
}

static int run(struct job *job)
{
	struct backup *b = self(job);
	struct copy_job *c = &b->copy;
	int r = 0;
	if (b->sync == SYNC_TOP) {
		/* Only now: marking takes reads, which setting up should not wait for. */
		r = copy_clear_absent(c->source.node, &c->todo);
		job->total = MIN(job->total, copy_left(c) + job->done);
	}
	if (b->sync == SYNC_NONE) {
		while (!job->cancelled) {
			job_pause_point(job);
			if (!job->cancelled)
				job_wait(job);
		}
		return -ECANCELED;
	}
	if (!r)
		r = copy_run(c);
	return r ? r : blk_flush(c->target.node);
}

/* The bitmap after the job: what was written since it began, and what a failed one did not copy. */
static void settle_bitmap(struct backup *b, bool failed)
{
	struct blk_node *source = b->copy.source.node;
	struct blk_dirty *d = b->bitmap, *since = b->since;
	bool forget = b->bitmap_mode == BITMAP_ALWAYS || (b->bitmap_mode == BITMAP_ON_SUCCESS && !failed);
	if (!d)
		return;
	if (forget) {
		blk_dirty_clear(d, 0, d->size);
		if (failed)
			blk_dirty_merge(d, &b->copy.todo);
	}
	if (since) {
		blk_dirty_merge(d, since);
		blk_dirty_free(source, since);
	}
	d->busy = false;
}

static void clean(struct job *job, bool failed)
{
	struct backup *b = self(job);
	blk_quiesce(job->jobs->graph);
	settle_bitmap(b, failed);
	copy_done(&b->copy);
	blk_resume(job->jobs->graph);
}

void job_backup_undo(struct job *job)
{
	struct backup *b = self(job);
	enum job_bitmap mode = b->bitmap_mode;
	b->bitmap_mode = BITMAP_NEVER;
	clean(job, true);
	b->bitmap_mode = mode;
	job_drop(job);
}

/* What would be written with the target and shown by the source; NULL: nothing. A target's backing file may well be the source. */
static const struct blk_node *written_below(const struct blk_node *target, const struct blk_node *source)
{
	const struct blk_node *found = blk_reaches(source, target) ? target : NULL;
	for (const struct blk_child *c = target->children; c && !found; c = c->next)
		if (c->node != target->backing)
			found = written_below(c->node, source);
	return found;
}

static struct err *check(struct jobs *all, const struct job_backup *s)
{
	struct err *e = job_check_node(all, s->source);
	if (!e)
		e = job_check_node(all, s->target);
	if (!e && s->source == s->target)
		e = err_new(ERR_INVALID, "Source and target cannot be the same");
	if (!e)
		e = blk_need_writable(s->target);
	const struct blk_node *both = e ? NULL : written_below(s->target, s->source);
	if (both)
		e = err_new(ERR_BUSY,
			    "Permission conflict on node '%s': the target '%s' would write to what the "
			    "source '%s' shows",
			    both->node_name, s->target->node_name, s->source->node_name);
	if (!e && blk_size(s->source) != blk_size(s->target))
		e = err_new(ERR_INVALID, "Source and target image have different sizes");
	if (!e && s->compress && !s->target->driver->write_compressed)
		e = err_new(ERR_UNSUPPORTED, "Compression is not supported for this drive %s",
			    s->target->node_name);
	return e;
}

static struct err *follow(struct backup *b, const struct job_backup *s)
{
	b->bitmap = s->bitmap;
	if (!s->bitmap)
		return NULL;
	blk_dirty_merge(&b->copy.todo, s->bitmap);
	AUTO(free_ptr) char *name = strf("#backup-%s", b->copy.job.id);
	struct err *e = blk_dirty_new(s->source, name, s->bitmap->granularity, &b->since);
	s->bitmap->busy = !e;
	return e;
}

struct err *job_backup(struct jobs *all, const struct job_backup *s, struct job **ret)
{
	static const struct job_driver driver = {
		.type = "backup", .size = sizeof(struct backup), .block = true, .run = run, .clean = clean
	};
	struct job *job;
	struct err *e = check(all, s);
	if (!e)
		e = job_new(all, &driver, &s->o, &job);
	if (e)
		return e;
	struct backup *b = self(job);
	struct copy_job *c = &b->copy;
	c->hook = (struct blk_hook){ .before = before };
	c->on_source = s->on_source;
	c->on_target = s->on_target;
	c->write_flags = s->compress ? BLK_REQ_COMPRESSED : 0;
	b->sync = s->sync;
	b->bitmap_mode = s->bitmap_mode;
	job_takes(job, s->source, (struct blk_use){ 0, NOT_RESIZED, "source" });
	job_takes(job, s->target, (struct blk_use){ BLK_PERM_WRITE, NOT_RESIZED, "target" });
	e = job_check_taken(job);
	if (!e)
		e = copy_setup(c, s->source, s->target, copy_unit(s->target), blk_size(s->source));
	if (!e && (s->sync == SYNC_FULL || s->sync == SYNC_TOP || s->sync == SYNC_NONE))
		blk_dirty_set(&c->todo, 0, c->todo.size);
	else if (!e)
		e = follow(b, s);
	if (e) {
		copy_done(c);
		job_drop(job);
		return e;
	}
	job->total = s->sync == SYNC_NONE ? c->todo.size : MIN(copy_left(c), c->todo.size);
	if (s->keep_target)
		blk_unref(s->target);
	*ret = job;
	return NULL;
}
