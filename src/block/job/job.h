/*
 * Jobs: long work on nodes, by kind (job_driver), with the life that clients of QMP know: created, running, ready (a mirror
 * that has caught up), waiting (for the others of its group), pending (for finalize), concluded. Belongs to the graph's thread;
 * a job's work is a coroutine.
 */
#pragma once
#include "block/dirty.h"
#include "block/root.h"

enum job_status { /* as JobStatus of the schema */
		  JOB_UNDEFINED,
		  JOB_CREATED,
		  JOB_RUNNING,
		  JOB_PAUSED,
		  JOB_READY,
		  JOB_STANDBY,
		  JOB_WAITING,
		  JOB_PENDING,
		  JOB_ABORTING,
		  JOB_CONCLUDED,
		  JOB_NULL,
};
enum job_event { JOB_EVENT_COMPLETED, JOB_EVENT_CANCELLED, JOB_EVENT_READY, JOB_EVENT_PENDING };
enum job_policy { JOB_REPORT, JOB_IGNORE, JOB_ENOSPC, JOB_STOP, JOB_AUTO }; /* as BlockdevOnError */
enum job_action { JOB_ACTION_REPORT, JOB_ACTION_IGNORE, JOB_ACTION_STOP };
enum job_verb {
	JOB_DO_CANCEL,
	JOB_DO_PAUSE,
	JOB_DO_RESUME,
	JOB_DO_SPEED,
	JOB_DO_COMPLETE,
	JOB_DO_FINALIZE,
	JOB_DO_DISMISS
};

struct job;

struct jobs { /* zeroed but for graph and what is told */
	struct blk_graph *graph;
	struct job *list;
	unsigned running; /* coroutines */
	struct co_wait idle;
	void (*changed)(void *user, const struct job *job);
	void (*told)(void *user, const struct job *job, enum job_event what);
	void (*erred)(void *user, const struct job *job, bool reading, enum job_action action);
	void *user;
};

struct job_driver {
	const char *type; /* as JobType of the schema */
	size_t size; /* the whole struct, which begins with struct job */
	bool block; /* moves data: has a speed, and the old commands know it */
	bool completes; /* becomes ready, and ends when told */
	int (*run)(struct job *job); /* 0, or -errno; job->error may say more */
	/* The last changes, when all of the group have succeeded; NULL: none. */
	struct err *(*prepare)(struct job *job);
	/* After prepare, or instead of it: gives back what was taken. failed: as if the job had never been. */
	void (*clean)(struct job *job, bool failed);
};

struct job_group { /* jobs that succeed together or not at all */
	unsigned jobs, waiting;
	bool failed;
};

struct job_node {
	struct job_node *next;
	struct blk_root root;
};

struct job {
	struct job *next;
	struct jobs *jobs;
	const struct job_driver *driver;
	char *id;
	enum job_status status;
	u64 done, total; /* bytes */
	i64 speed; /* bytes a second; 0: no limit */
	i64 due; /* throttled until then */
	bool auto_finalize, auto_dismiss, user_paused, stopped; /* stopped: by an I/O error */
	bool ready, completing, cancelled, forced, nospace, resting, finalizing;
	struct err *error;
	struct job_group *group; /* NULL: alone */
	struct co_wait wake;
	struct loop_timer *timer;
	struct job_node *nodes; /* taken */
	bool apart; /* none of them may lie upon another: a copy would change what it copies */
	struct blk_node *filter; /* above what the job works on; NULL: none */
};

const char *job_status_name(enum job_status s);

struct job_options {
	const char *id;
	i64 speed;
	bool auto_finalize, auto_dismiss;
	struct job_group *group;
};

/* A new job in the list, created. Refuses a bad or used id. */
struct err *job_new(struct jobs *all, const struct job_driver *driver, const struct job_options *o,
		    struct job **ret) MUST_CHECK;
/* A job that could not be set up vanishes, without clean. */
void job_drop(struct job *job);
/* It is running; its coroutine begins when the main loop comes round. */
void job_start(struct job *job);
struct job *job_find(const struct jobs *all, const char *id);
/* Others leave the node alone while the job lives: commands are refused, users by what `use` bears. */
void job_takes(struct job *job, struct blk_node *node, struct blk_use use);
/* For clients that want to name it: a node above the one that is worked on, until the job's end. The name was checked. */
struct err *job_check_filter(struct blk_graph *graph, const char *name) MUST_CHECK;
void job_put_filter(struct job *job, struct blk_node *node, const char *name);
void job_take_filter_away(struct job *job); /* if there is one */
/* After the last job_takes: refuses when those who are there already do not go with the job. */
struct err *job_check_taken(const struct job *job) MUST_CHECK;
/* Refuses a node that a job has taken. */
struct err *job_check_node(const struct jobs *all, const struct blk_node *node) MUST_CHECK;
/* Cancels all jobs and waits for them; for the program's end. */
void jobs_end(struct jobs *all);

/* ---- what clients ask for; refused where the job's status does not allow it ---- */
struct err *job_pause(struct job *job) MUST_CHECK;
struct err *job_resume(struct job *job) MUST_CHECK;
/* force: a mirror that is ready is given up, too. */
struct err *job_cancel(struct job *job, bool force) MUST_CHECK;
struct err *job_complete(struct job *job) MUST_CHECK;
struct err *job_finalize(struct job *job) MUST_CHECK;
struct err *job_dismiss(struct job *job) MUST_CHECK;
struct err *job_set_speed(struct job *job, i64 speed) MUST_CHECK;

/* ---- for drivers, in the job's coroutine ---- */
/* Rests while the job is paused. */
void job_pause_point(struct job *job);
/* Time to leave the work: paused, or cancelled. */
bool job_interrupted(const struct job *job);
/* Waits until somebody wakes the job, or a command concerns it. */
void job_wait(struct job *job);
void job_wake(struct job *job);
/* So many bytes were moved: waits as the speed demands. */
void job_throttle(struct job *job, u64 bytes);
void job_set_ready(struct job *job);
/* An I/O error happened; what is to be done. Stop: the job is paused now. */
enum job_action job_error(struct job *job, enum job_policy policy, bool reading, int errnum);
