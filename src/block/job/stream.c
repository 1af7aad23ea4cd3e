/* stream: what the layers below an image hold is written into it, until it needs them no more. */
#include "block/job/copy.h"
#include "block/job/kinds.h"
#include <errno.h>

struct stream {
	struct copy_job copy;
	struct blk_node *base;
	char *backing_file;
};

static struct stream *self(struct job *job)
{
	return (struct stream *)job;
}

/* A write by others and the copying of the same part take turns: else an old cluster could cover a new one. */
static int before(struct blk_hook *h, u64 offset, u64 len)
{
	struct copy_job *c = container_of(h, struct copy_job, hook);
	struct copy_range *r = alloc(sizeof(*r));
	copy_lock(c, r, offset, len);
	return 0;
}

static int after(struct blk_hook *h, u64 offset, u64 len)
{
	struct copy_job *c = container_of(h, struct copy_job, hook);
	u64 unit = c->todo.granularity, from = ROUND_DOWN(offset, unit), to = ROUND_UP(offset + len, unit);
	for (struct copy_range *r = c->ranges; r; r = r->next)
		if (r->from == from && r->to == to) {
			copy_unlock(c, r);
			free(r);
			break;
		}
	return 0;
}

/* Only what top does not hold itself is copied. */
static int mark(struct copy_job *c)
{
	struct blk_node *top = c->source.node;
	for (u64 at = 0; at < c->todo.size;) {
		struct blk_extent x;
		int r = blk_map(top, at, c->todo.size - at, &x);
		if (r)
			return r;
		if (x.where == BLK_HOLE)
			blk_dirty_set(&c->todo, at, x.len);
		else
			c->job.done += x.len;
		at += x.len;
	}
	return 0;
}

static int run(struct job *job)
{
	struct copy_job *c = &self(job)->copy;
	job->total = c->todo.size;
	int r = mark(c);
	if (!r)
		r = copy_run(c);
	job->done = r ? job->done : job->total;
	return r ? r : blk_flush(c->target.node);
}

static struct err *prepare(struct job *job)
{
	struct stream *s = self(job);
	struct blk_node *top = s->copy.target.node, *base = s->base;
	const char *name = s->backing_file ? s->backing_file : base ? base->filename : NULL;
	blk_quiesce(job->jobs->graph);
	struct err *e = top->backing
			    ? blk_write_backing(top, base ? name : NULL, base ? base->driver->name : NULL)
			    : NULL;
	if (!e)
		blk_change_backing(top, base);
	blk_resume(job->jobs->graph);
	return e;
}

static void clean(struct job *job, bool failed UNUSED)
{
	struct stream *s = self(job);
	blk_quiesce(job->jobs->graph);
	copy_done(&s->copy);
	blk_unref(s->base);
	blk_resume(job->jobs->graph);
	free(s->backing_file);
}

/* A layer below that somebody else writes would change under the copy. */
static struct err *take_layers(struct job *job, struct blk_node *top, struct blk_node *base)
{
	struct err *e = NULL;
	for (struct blk_node *n = top; n && n != base && !e; n = n->backing) {
		e = job_check_node(job->jobs, n);
		job_takes(job, n,
			  n == top ? (struct blk_use){ BLK_PERM_READ | BLK_PERM_UNCHANGED, BLK_PERM_ALL,
						       "main node" }
				   : (struct blk_use){ BLK_PERM_READ, BLK_PERM_READ | BLK_PERM_UNCHANGED,
						       "intermediate node" });
	}
	return e ? e : job_check_taken(job);
}

struct err *job_stream(struct jobs *all, const struct job_stream *given)
{
	static const struct job_driver driver = { .type = "stream",
						  .size = sizeof(struct stream),
						  .block = true,
						  .run = run,
						  .prepare = prepare,
						  .clean = clean };
	struct job *job;
	struct err *e = blk_need_writable(given->top);
	if (!e)
		e = job_new(all, &driver, &given->o, &job);
	if (e)
		return e;
	struct stream *s = self(job);
	struct copy_job *c = &s->copy;
	e = take_layers(job, given->top, given->base);
	c->hook = (struct blk_hook){ .before = before, .after = after };
	c->on_source = c->on_target = given->on_error;
	c->gives_up = true; /* what lies below must stay then */
	c->write_flags = BLK_REQ_UNCHANGED;
	c->base = given->base;
	c->only_present = true;
	if (!e)
		e = copy_setup(c, given->top, given->top, copy_unit(given->top), blk_size(given->top));
	if (e) {
		job_drop(job);
		return e;
	}
	s->base = given->base ? blk_ref(given->base) : NULL;
	s->backing_file = given->backing_file ? str_dup(given->backing_file) : NULL;
	job_start(job);
	return NULL;
}
