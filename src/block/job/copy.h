/*
 * What jobs that move data share: a set of parts that are to be copied (todo), workers that copy them, and the order between
 * them and writes by others. Belongs to the job.
 */
#pragma once
#include "block/job/job.h"

struct copy_range {
	struct copy_range *next;
	u64 from, to;
};

struct copy_job {
	struct job job;
	struct blk_root source, target;
	struct blk_node *base; /* what lies below is not looked at; NULL: all is */
	struct blk_dirty todo; /* bits alone; granularity: the unit */
	u64 cursor;
	enum job_policy on_source, on_target;
	u32 write_flags, chunk;
	bool keep_room; /* zeros are written into room that stays */
	bool
	    gives_up; /* what failed and is to be ignored is left out, and the job fails in the end; else it is tried again */
	bool only_present; /* parts that the layers above base do not hold are left out */
	unsigned workers;
	int failed, ignored; /* -errno; ignored: of a part that was given up */
	struct copy_range *ranges; /* being copied, or written by others */
	struct co_wait range_ended, workers_done;
	struct blk_hook hook;
	struct blk_node *hooked; /* where the hook is */
};

/* Sets up source, target, todo (empty) and the rest; quiesces to put the hook where it has functions. unit: a power of two. */
struct err *copy_setup(struct copy_job *c, struct blk_node *source, struct blk_node *target, u32 unit,
		       u64 size) MUST_CHECK;
/* Undoes it; a job that failed to be set up, too. Quiesced only when a hook is there. */
void copy_done(struct copy_job *c);
/* Copies all of todo, until it is empty or the job is interrupted. 0 or -errno, when the policy says so. */
int copy_run(struct copy_job *c);
/* Copies one part at once: 0 or -errno, *reading: which side failed. */
int copy_part(struct copy_job *c, u64 offset, u64 len, bool *reading);
/* A part is this one's alone until it is unlocked. */
void copy_lock(struct copy_job *c, struct copy_range *r, u64 offset, u64 len);
void copy_unlock(struct copy_job *c, struct copy_range *r);
/* Marks what the layers of source above base hold. */
int copy_mark_present(struct copy_job *c, struct blk_node *base);
/* The reverse: takes out of todo what this layer alone does not hold. */
int copy_clear_absent(struct blk_node *node, struct blk_dirty *todo);
/* The unit of a node's clusters, within limits that suit todo. */
u32 copy_unit(const struct blk_node *target);
static inline u64 copy_left(const struct copy_job *c)
{
	return blk_dirty_count(&c->todo);
}
