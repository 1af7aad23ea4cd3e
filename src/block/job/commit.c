/* commit of layers below the active one: they go into base, and the layer above them stands on base. */
#include "block/job/copy.h"
#include "block/job/kinds.h"
#include <errno.h>

struct commit {
	struct copy_job copy;
	struct blk_node *active; /* a reference */
	char *backing_file;
	bool base_was_writable;
};

static struct commit *self(struct job *job)
{
	return (struct commit *)job;
}

static int run(struct job *job)
{
	struct copy_job *c = &self(job)->copy;
	job->total = c->todo.size;
	int r = copy_mark_present(c, c->base);
	if (!r) {
		job->done = job->total - MIN(job->total, copy_left(c));
		r = copy_run(c);
	}
	job->done = r ? job->done : job->total;
	return r ? r : blk_flush(c->target.node);
}

static struct err *prepare(struct job *job)
{
	struct commit *s = self(job);
	struct blk_node *base = s->copy.target.node, *top = s->copy.source.node;
	struct blk_node *overlay = blk_overlay_of(s->active, top);
	if (!overlay)
		return err_new(ERR_INVALID, "Could not find overlay image for %s", top->node_name);
	blk_quiesce(job->jobs->graph);
	struct err *e = blk_write_backing(overlay, s->backing_file ? s->backing_file : base->filename,
					  base->driver->name);
	if (!e)
		blk_change_backing(overlay, base);
	blk_resume(job->jobs->graph);
	return e;
}

static void clean(struct job *job, bool failed UNUSED)
{
	struct commit *s = self(job);
	struct blk_node *base = s->copy.target.node;
	blk_quiesce(job->jobs->graph);
	if (!s->base_was_writable) {
		struct err *e = blk_reopen(base, base->flags & ~(u32)BLK_RDWR);
		if (e)
			err_free(e); /* it stays writable: nothing is lost */
	}
	copy_done(&s->copy);
	blk_unref(s->active);
	blk_resume(job->jobs->graph);
	free(s->backing_file);
}

static struct err *set_up(struct commit *s, const struct job_commit *given)
{
	struct copy_job *c = &s->copy;
	struct err *e = blk_make_writable(given->base, &s->base_was_writable);
	if (!e && blk_size(given->base) < blk_size(given->top))
		e = blk_truncate(given->base, blk_size(given->top), false, BLK_PREALLOC_OFF, false);
	c->on_source = c->on_target = given->on_error;
	c->base = given->base;
	c->only_present = true;
	return e ? e : copy_setup(c, given->top, given->base, copy_unit(given->base), blk_size(given->top));
}

/* The layers that are merged do not hold a disk any more once base is written to. */
static void take_nodes(struct job *job, const struct job_commit *given)
{
	bool merged = false;
	job_takes(
	    job, given->base,
	    (struct blk_use){ BLK_PERM_READ | BLK_PERM_WRITE, BLK_PERM_READ | BLK_PERM_UNCHANGED, "base" });
	for (struct blk_node *n = given->active; n && n != given->base; n = blk_below(n)) {
		merged |= n == given->top;
		job_takes(
		    job, n,
		    merged ? (struct blk_use){ 0, BLK_PERM_WRITE | BLK_PERM_UNCHANGED, "intermediate node" }
			   : (struct blk_use){ 0, BLK_PERM_ALL, "main node" });
	}
}

struct err *job_commit(struct jobs *all, const struct job_commit *given)
{
	static const struct job_driver driver = { .type = "commit",
						  .size = sizeof(struct commit),
						  .block = true,
						  .run = run,
						  .prepare = prepare,
						  .clean = clean };
	struct job *job;
	struct err *e = NULL;
	for (struct blk_node *n = given->active; n && !e; n = n == given->base ? NULL : blk_below(n))
		e = job_check_node(all, n);
	if (!e)
		e = job_new(all, &driver, &given->o, &job);
	if (e)
		return e;
	struct commit *s = self(job);
	take_nodes(job, given);
	e = job_check_taken(job);
	if (!e)
		e = set_up(s, given);
	if (e) {
		job_drop(job);
		return e;
	}
	s->active = blk_ref(given->active);
	s->backing_file = given->backing_file ? str_dup(given->backing_file) : NULL;
	job_start(job);
	return NULL;
}
