/*
 * A debugger's hold on the guest's threads. debug.c is the threads' side, gdb.c the side of the connection, which has a host thread of its own.
 *
 * Everything stands still (halted) or runs. A guest thread is RUNNING, CALLING (in a system call, which may take long: it is left there, and
 * parks when it comes back), or PARKED. Only parked threads' registers are written; one that is in a call is brought out first.
 * A thread that has something to report parks with it; the connection's thread halts the others and tells the client.
 *
 * Processes that borrow the memory (vfork) are not debugged, nor are children of fork.
 */
#pragma once
#include "control/gdb/gdb.h"
#include "linux/internal.h"

struct debug_point {
	enum gdb_point type;
	u64 addr, len;
};

struct debug {
	struct vm *vm;
	struct gdb *gdb; /* the connection's thread's */
	int fd, wake,
	    mem; /* the connection; an eventfd: a thread reports or the process ends; /proc/self/mem or -1 */
	pthread_mutex_t
	    lock; /* of what follows and of every thread's debug part; taken before vm->threads_lock */
	pthread_cond_t changed;
	bool halted;
	bool over; /* the client is gone: nobody looks any more. Never goes back; read without the lock too */
	bool exiting;
	bool leaving, left; /* the connection's thread shall end without closing it, for exec; and has */
	struct gdb_stop exit;
	u64 pass; /* signals that are not reported: bit sig - 1 */
	struct debug_point *point; /* changed only while halted */
	u32 n_point;
	size_t point_cap;
};

/* The breakpoint or watchpoint that an access or a pc meets; NULL: none. kinds: WATCH_*, 0 for breakpoints. */
const struct debug_point *debug_point_at(const struct debug *d, u64 addr, u32 kinds);
/* Brings a thread out of a system call. */
void debug_kick(const struct thread *t);
/* Guest threads that are debugged: those of this process which have not ended. */
bool debug_counts(const struct thread *t);
/* A parked or calling thread that has something for the client and may run; NULL: none. Locked. */
struct thread *debug_reporter(struct debug *d);
/* Makes all of them stand still. */
void debug_halt(struct debug *d);
/* Lets them go on with their actions. */
void debug_release(struct debug *d);
/* Starts the connection's thread; everything is blocked already. 0 or -errno. */
i64 debug_serve(struct debug *d);
/* The client is gone. */
void debug_end(struct debug *d);
