/*
 * For tests of the back end: code memory in two views, the shared stubs and a CPU, and a signal handler that turns faults of the code
 * into the guest's, as the engine does. In the unit test program only; one rig at a time.
 */
#pragma once
#include "translate/host/host.h"

struct rig {
	u8 *rw, *rx, *code; /* code: where a region goes, in the writable view */
	intptr_t to_run;
	struct host_stubs stubs;
	struct host_jump *jumps;
	const struct ir_slot *slot;
	u8 *mem; /* a page of guest memory that ends where nothing is; NULL in a rig of somebody who has his own */
	struct cpu *cpu; /* what the guest's state begins with */
	struct host_job job;
	sigjmp_buf raise;
	u32 unsupported, compiled, moved, slow; /* how many regions; how many operations by calls */
};

enum { RIG_PAGE = 4096 };

/* state_size: of the guest's CPU state, which starts zeroed. ints, vecs: the slots that get homes. */
struct rig *rig_new(const struct ir_slot *slot, size_t state_size, const u16 *ints, const u16 *vecs);
void rig_free(struct rig *rig);
/* Makes code of a region, which rig_run then runs. False: it has no host form, or did not fit. */
bool rig_compile(struct rig *rig, const struct ir_region *r);
/* Runs the code until it leaves, as the engine would; gives what ended it. */
enum ir_event rig_run(struct rig *rig);
/* The same by the interpreter. */
enum ir_event rig_interpret(struct rig *rig, const struct ir_region *r);
