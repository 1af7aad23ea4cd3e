/* create, amend: one step of work that takes its time. */
#include "block/job/kinds.h"
#include <errno.h>

struct work_job {
	struct job job;
	struct job_work work;
};

static int run(struct job *job)
{
	struct work_job *w = (struct work_job *)job;
	job->total = 1;
	job->error = w->work.work(w->work.user);
	job->done = 1;
	return job->error ? -EIO : 0;
}

static void clean(struct job *job, bool failed UNUSED)
{
	struct work_job *w = (struct work_job *)job;
	w->work.done(w->work.user);
}

struct err *job_work(struct jobs *all, const struct job_work *given)
{
	static const struct job_driver
	    create = { .type = "create", .size = sizeof(struct work_job), .run = run, .clean = clean },
	    amend = { .type = "amend", .size = sizeof(struct work_job), .run = run, .clean = clean };
	struct job *job;
	struct err *e = job_new(all, given->amends ? &amend : &create, &given->o, &job);
	if (e)
		return e;
	struct work_job *w = (struct work_job *)job;
	w->work = *given;
	if (given->node)
		job_takes(job, given->node, (struct blk_use){ 0, BLK_PERM_ALL, "root" });
	job_start(job);
	return NULL;
}
