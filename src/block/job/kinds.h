/* The kinds of jobs. Each checks its nodes, makes a job and starts it (those of a transaction: see start). */
#pragma once
#include "block/job/job.h"

struct job_stream {
	struct job_options o;
	struct blk_node *top;
	struct blk_node *base; /* stays below; NULL: nothing does */
	const char *backing_file; /* what the image calls its new backing file; NULL: by itself */
	enum job_policy on_error;
};
struct err *job_stream(struct jobs *all, const struct job_stream *s) MUST_CHECK;

struct job_commit { /* top is not the active layer: for that see mirror */
	struct job_options o;
	struct blk_node *active, *top, *base;
	const char *backing_file;
	enum job_policy on_error;
};
struct err *job_commit(struct jobs *all, const struct job_commit *s) MUST_CHECK;

enum job_sync { SYNC_TOP, SYNC_FULL, SYNC_NONE, SYNC_INCREMENTAL, SYNC_BITMAP }; /* as MirrorSyncMode */
struct job_mirror {
	struct job_options o;
	struct blk_node *source, *target;
	struct blk_node *replaces; /* what the target takes the place of; NULL: source */
	struct blk_node *base; /* commit of the active layer: what target is, too */
	enum job_sync sync;
	u32 granularity; /* 0: fitting */
	i64 buf_size; /* at most so much is copied at once; 0: fitting */
	bool keep_room; /* zeros give no room back in the target */
	bool blocking; /* writes end when the target has them */
	bool keep_target; /* the caller's reference to target is given to the job */
	enum job_policy on_source, on_target;
};
struct err *job_mirror(struct jobs *all, const struct job_mirror *s) MUST_CHECK;

enum job_bitmap { BITMAP_ON_SUCCESS, BITMAP_NEVER, BITMAP_ALWAYS }; /* as BitmapSyncMode */
struct job_backup {
	struct job_options o;
	struct blk_node *source, *target;
	enum job_sync sync;
	struct blk_dirty *bitmap; /* NULL: none */
	enum job_bitmap bitmap_mode;
	bool compress, keep_target;
	enum job_policy on_source, on_target;
};
/* The copy is of this moment. The job does not run before job_start(*ret): transactions may still drop it. */
struct err *job_backup(struct jobs *all, const struct job_backup *s, struct job **ret) MUST_CHECK;
/* Before job_start: as if it had never been. */
void job_backup_undo(struct job *job);

/* Makes or changes an image. work: in the job's coroutine; user is freed by done. */
struct job_work {
	struct job_options o;
	bool amends; /* the job's type is amend, not create */
	struct blk_node *node; /* NULL: none that others must leave alone */
	struct err *(*work)(void *user);
	void (*done)(void *user);
	void *user;
};
struct err *job_work(struct jobs *all, const struct job_work *w) MUST_CHECK;
