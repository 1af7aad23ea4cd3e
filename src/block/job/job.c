/* The life of jobs. */
#include "block/job/job.h"
#include "base/loop/loop.h"
#include <errno.h>

const char *job_status_name(enum job_status s)
{
	static const char *const names[] = { "undefined", "created",   "running", "paused",
					     "ready",	  "standby",   "waiting", "pending",
					     "aborting",  "concluded", "null" };
	return names[s];
}

static void set_status(struct job *job, enum job_status s)
{
	if (job->status == s)
		return;
	job->status = s;
	if (job->jobs->changed)
		job->jobs->changed(job->jobs->user, job);
}

static void tell(struct job *job, enum job_event what)
{
	if (job->driver->block && job->jobs->told)
		job->jobs->told(job->jobs->user, job, what);
}

struct job *job_find(const struct jobs *all, const char *id)
{
	struct job *j = all->list;
	while (j && strcmp(j->id, id) != 0)
		j = j->next;
	return j;
}

struct err *job_new(struct jobs *all, const struct job_driver *driver, const struct job_options *o,
		    struct job **ret)
{
	if (!o->id)
		return err_new(ERR_INVALID, "An explicit job ID is required");
	if (!blk_id_ok(o->id))
		return err_new(ERR_INVALID, "Invalid job ID '%s'", o->id);
	if (job_find(all, o->id))
		return err_new(ERR_INVALID, "Job ID '%s' already in use", o->id);
	if (o->speed < 0)
		return err_new(ERR_INVALID, "Parameter 'speed' expects a non-negative value");
	struct job *job = alloc(driver->size), **at = &all->list;
	job->jobs = all;
	job->driver = driver;
	job->id = str_dup(o->id);
	job->speed = o->speed;
	job->auto_finalize = o->auto_finalize;
	job->auto_dismiss = o->auto_dismiss;
	if ((job->group = o->group))
		job->group->jobs++;
	while (*at)
		at = &(*at)->next;
	*at = job;
	set_status(job, JOB_CREATED);
	*ret = job;
	return NULL;
}

static void leave_group(struct job *job)
{
	if (job->group && !--job->group->jobs)
		free(job->group);
	job->group = NULL;
}

void job_takes(struct job *job, struct blk_node *node, struct blk_use use)
{
	struct job_node *n = alloc(sizeof(*n));
	blk_root_init(&n->root, node, use, "%s job '%s'", job->driver->type, job->id);
	n->root.stays = true;
	n->root.owner = job->apart ? NULL : job;
	n->next = job->nodes;
	job->nodes = n;
}

static void leave_nodes(struct job *job)
{
	job_take_filter_away(job);
	for (struct job_node *n; (n = job->nodes);) {
		job->nodes = n->next;
		blk_root_done(&n->root);
		free(n);
	}
}

struct err *job_check_taken(const struct job *job)
{
	struct err *e = NULL;
	for (const struct job_node *n = job->nodes; n && !e; n = n->next)
		e = blk_check_perms(n->root.node);
	return e;
}

void job_drop(struct job *job)
{
	struct job **at = &job->jobs->list;
	set_status(job, JOB_NULL);
	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	leave_nodes(job);
	leave_group(job);
	if (job->error)
		err_free(job->error);
	free(job->id);
	free(job);
}

struct err *job_check_node(const struct jobs *all, const struct blk_node *node)
{
	for (const struct job *j = all->list; j; j = j->next)
		for (const struct job_node *n = j->nodes; n; n = n->next)
			if (n->root.node == node)
				return err_new(ERR_BUSY,
					       "Node '%s' is busy: block device is in use by block job: %s",
					       node->node_name, j->driver->type);
	return NULL;
}

/* ---- the end ---- */

static void conclude(struct job *job)
{
	leave_nodes(job);
	set_status(job, JOB_CONCLUDED);
	if (job->auto_dismiss)
		job_drop(job);
}

static void fail(struct job *job, int r)
{
	if (!job->error)
		job->error = err_new(ERR_IO, "%s", strerror(job->forced ? ECANCELED : -r));
	set_status(job, JOB_ABORTING);
	job->driver->clean(job, true);
	tell(job, job->forced ? JOB_EVENT_CANCELLED : JOB_EVENT_COMPLETED);
	leave_group(job);
	conclude(job);
}

/* False: it failed. */
static bool finalize(struct job *job)
{
	struct err *e = job->driver->prepare && !job->forced ? job->driver->prepare(job) : NULL;
	if (e || job->forced) {
		job->error = e;
		fail(job, -ECANCELED);
		return false;
	}
	job->driver->clean(job, false);
	tell(job, JOB_EVENT_COMPLETED); /* a mirror that was cancelled when it was ready, too */
	leave_group(job);
	conclude(job);
	return true;
}

static bool same_group(const struct job *a, const struct job *b)
{
	return a == b || (a->group && a->group == b->group);
}

/* All of the group wait: they become pending and, unless a client wants to say when, end. */
static void settle(struct job *job)
{
	struct jobs *all = job->jobs;
	bool by_itself = true;
	for (struct job *j = all->list; j; j = j->next)
		if (same_group(j, job)) {
			set_status(j, JOB_PENDING);
			if (!j->auto_finalize)
				tell(j, JOB_EVENT_PENDING);
			by_itself &= j->auto_finalize;
		}
	if (by_itself) {
		struct err *e = job_finalize(job);
		if (e)
			err_free(e);
	}
}

/* One failed: the others of the group do not succeed either. */
static void fail_group(struct job *job)
{
	if (!job->group || job->group->failed)
		return;
	struct job_group *g = job->group;
	g->failed = true;
	g->jobs++; /* lives until all are told */
again:
	for (struct job *j = job->jobs->list; j; j = j->next) {
		if (j == job || j->group != g || j->forced)
			continue;
		j->forced = j->cancelled = true;
		if (j->status == JOB_WAITING || j->status == JOB_PENDING) {
			fail(j, -ECANCELED);
			goto again;
		}
		job_wake(j);
	}
	if (!--g->jobs)
		free(g);
}

static void finish(struct job *job, int r)
{
	if (job->group && job->group->failed)
		job->forced = true;
	if (r || job->forced) {
		fail_group(job);
		fail(job, r);
		return;
	}
	set_status(job, JOB_WAITING);
	if (!job->group || ++job->group->waiting == job->group->jobs)
		settle(job);
}

static void run(void *arg)
{
	struct job *job = arg;
	struct jobs *all = job->jobs;
	job_pause_point(job);
	int r = job->forced ? -ECANCELED : job->driver->run(job);
	finish(job, r);
	if (!--all->running)
		co_wake_all(&all->idle);
}

static void begin(void *arg)
{
	struct job *job = arg;
	job->timer = NULL;
	co_enter(co_new(run, job));
}

void job_start(struct job *job)
{
	job->jobs->running++;
	set_status(job, JOB_RUNNING);
	job->timer = loop_timer(loop_here(), loop_now(), begin, job);
}

/* ---- verbs ---- */

static struct err *allow(const struct job *job, enum job_verb verb)
{
	static const struct {
		const char *name;
		u16 in;
	} verbs[] = {
		[JOB_DO_CANCEL] = { "cancel", BIT(JOB_CREATED) | BIT(JOB_RUNNING) | BIT(JOB_PAUSED) |
						  BIT(JOB_READY) | BIT(JOB_STANDBY) | BIT(JOB_WAITING) |
						  BIT(JOB_PENDING) },
		[JOB_DO_PAUSE] = { "pause", BIT(JOB_CREATED) | BIT(JOB_RUNNING) | BIT(JOB_PAUSED) |
						BIT(JOB_READY) | BIT(JOB_STANDBY) },
		[JOB_DO_RESUME] = { "resume", BIT(JOB_CREATED) | BIT(JOB_RUNNING) | BIT(JOB_PAUSED) |
						  BIT(JOB_READY) | BIT(JOB_STANDBY) },
		[JOB_DO_SPEED] = { "set-speed", BIT(JOB_CREATED) | BIT(JOB_RUNNING) | BIT(JOB_PAUSED) |
						    BIT(JOB_READY) | BIT(JOB_STANDBY) },
		[JOB_DO_COMPLETE] = { "complete", BIT(JOB_READY) },
		[JOB_DO_FINALIZE] = { "finalize", BIT(JOB_PENDING) },
		[JOB_DO_DISMISS] = { "dismiss", BIT(JOB_CONCLUDED) },
	};
	if (verbs[verb].in & BIT(job->status))
		return NULL;
	return err_new(ERR_INVALID, "Job '%s' in state '%s' cannot accept command verb '%s'", job->id,
		       job_status_name(job->status), verbs[verb].name);
}

struct err *job_pause(struct job *job)
{
	struct err *e = allow(job, JOB_DO_PAUSE);
	if (e)
		return e;
	if (job->user_paused)
		return err_new(ERR_INVALID, "Job is already paused");
	job->user_paused = true;
	job_wake(job);
	return NULL;
}

struct err *job_resume(struct job *job)
{
	if (!job->user_paused && !job->stopped)
		return err_new(ERR_INVALID, "Can't resume a job that was not paused");
	struct err *e = allow(job, JOB_DO_RESUME);
	if (e)
		return e;
	job->user_paused = job->stopped = job->nospace = false;
	job_wake(job);
	return NULL;
}

struct err *job_cancel(struct job *job, bool force)
{
	struct err *e = allow(job, JOB_DO_CANCEL);
	if (e)
		return e;
	job->cancelled = true;
	job->forced |= force || !job->ready;
	job->user_paused = job->stopped = false;
	if (job->status == JOB_WAITING || job->status == JOB_PENDING) {
		job->forced = true;
		fail_group(job);
		fail(job, -ECANCELED);
		return NULL;
	}
	job_wake(job);
	return NULL;
}

struct err *job_complete(struct job *job)
{
	struct err *e = allow(job, JOB_DO_COMPLETE);
	if (!e && (job->cancelled || !job->driver->completes))
		e = err_new(ERR_INVALID, "The active block job '%s' cannot be completed", job->id);
	if (e)
		return e;
	job->completing = true;
	job_wake(job);
	return NULL;
}

/* The group ends together: each does its last changes; one that fails there takes those behind it along. */
struct err *job_finalize(struct job *job)
{
	struct err *e = allow(job, JOB_DO_FINALIZE);
	if (e)
		return e;
	struct job_group *g = job->group;
	if (!g) {
		finalize(job);
		return NULL;
	}
	struct jobs *all = job->jobs;
	bool ok = true;
	g->jobs++;
again:
	for (struct job *j = all->list; j; j = j->next)
		if (j->group == g && j->status == JOB_PENDING) {
			j->forced |= !ok;
			ok &= finalize(j);
			goto again;
		}
	if (!--g->jobs)
		free(g);
	return NULL;
}

struct err *job_dismiss(struct job *job)
{
	struct err *e = allow(job, JOB_DO_DISMISS);
	if (!e)
		job_drop(job);
	return e;
}

struct err *job_set_speed(struct job *job, i64 speed)
{
	struct err *e = allow(job, JOB_DO_SPEED);
	if (!e && speed < 0)
		e = err_new(ERR_INVALID, "Parameter 'speed' expects a non-negative value");
	if (e)
		return e;
	job->speed = speed;
	job->due = 0;
	job_wake(job);
	return NULL;
}

void jobs_end(struct jobs *all)
{
	/* Those that run end by themselves; ending one may free others. */
again:
	for (struct job *j = all->list; j; j = j->next) {
		j->auto_dismiss = true;
		if (j->status == JOB_CONCLUDED) {
			job_drop(j);
			goto again;
		}
		if (!j->forced) {
			struct err *e = job_cancel(j, true);
			if (e) { /* it is about to end */
				err_free(e);
				j->forced = true;
			}
			goto again;
		}
	}
	while (all->running)
		co_wait(&all->idle);
}

/* ---- for drivers ---- */

bool job_interrupted(const struct job *job)
{
	return job->forced || job->user_paused || job->stopped;
}

void job_wake(struct job *job)
{
	co_wake_all(&job->wake);
}

void job_wait(struct job *job)
{
	co_wait(&job->wake);
}

void job_pause_point(struct job *job)
{
	if (job->forced || !job_interrupted(job))
		return;
	enum job_status before = job->status;
	set_status(job, job->ready ? JOB_STANDBY : JOB_PAUSED);
	job->resting = true;
	while (!job->forced && job_interrupted(job))
		job_wait(job);
	job->resting = false;
	set_status(job, before);
}

static void timed_out(void *arg)
{
	struct job *job = arg;
	job->timer = NULL;
	job_wake(job);
}

void job_throttle(struct job *job, u64 bytes)
{
	if (!job->speed)
		return;
	job->due = MAX(job->due, loop_now()) + (i64)((double)bytes / job->speed * 1e9);
	while (job->speed && job->due > loop_now() && !job_interrupted(job)) {
		if (!job->timer)
			job->timer = loop_timer(loop_here(), job->due, timed_out, job);
		job_wait(job);
	}
	if (job->timer) {
		loop_timer_cancel(job->timer);
		job->timer = NULL;
		job_wake(job); /* others that wait for the same timer */
	}
}

void job_set_ready(struct job *job)
{
	if (job->ready)
		return;
	job->ready = true;
	set_status(job, JOB_READY);
	tell(job, JOB_EVENT_READY);
}

enum job_action job_error(struct job *job, enum job_policy policy, bool reading, int errnum)
{
	enum job_action action = JOB_ACTION_REPORT;
	if (policy == JOB_IGNORE)
		action = JOB_ACTION_IGNORE;
	else if (policy == JOB_STOP || (policy == JOB_ENOSPC && errnum == ENOSPC))
		action = JOB_ACTION_STOP;
	if (action == JOB_ACTION_STOP) {
		job->stopped = true;
		job->nospace = errnum == ENOSPC;
	}
	if (job->jobs->erred)
		job->jobs->erred(job->jobs->user, job, reading, action);
	return action;
}
