/*
 * The event loop of a thread: descriptors, timers, work posted by other threads, and worker threads for what blocks.
 *
 * Each thread has at most one loop, made when first asked for. Everything but loop_post() belongs to its thread, or to threads
 * that share a gate with it.
 *
 * Threads that work on the same things take turns by a gate: handlers, and whatever runs outside loop_run_once(), run while their
 * thread holds it; sleeping in loop_run_once() lets others in. So what one thread could rely on between two points where it waits,
 * each of several can. co_wake() and its like work across them: who waited goes on in its own thread.
 */
#pragma once
#include "base/base.h"

struct loop;

/* The calling thread's loop. */
struct loop *loop_here(void);
/* Ends the calling thread's loop and its workers; for threads that end before the process. */
void loop_done(void);
/* Handles what is ready; wait: sleeps until there is something. Returns false when nothing was handled. */
bool loop_run_once(struct loop *l, bool wait);

/* How a loop waits, and how many worker threads it has. */
struct loop_config {
	i64 poll_max; /* nanoseconds: before it sleeps it looks for events for up to so long, if that was of use lately; 0: never */
	unsigned poll_grow, poll_shrink; /* how that time changes: times so much; by so much, 0: to nothing */
	unsigned min_workers, max_workers; /* min: made at once; max: up to LOOP_MAX_WORKERS */
};
enum { LOOP_MAX_WORKERS = 64, LOOP_POLL_GROW = 2 };
/* In the loop's thread, or in one that holds their gate. Workers that there are stay. */
void loop_configure(struct loop *l, const struct loop_config *c);

struct gate;
struct gate *gate_new(void);
/* No thread shares it any more. */
void gate_free(struct gate *g);
/* The calling thread's loop shares the gate from now on, and the thread holds it when the call returns. NULL: shares none, after letting go. */
void loop_share(struct gate *g);
/* Around a system call that takes time and touches nothing others may change: lets them in meanwhile. Nothing happens in threads that share no gate. */
void loop_let(void);
void loop_retake(void);

struct loop_job {
	struct loop_job *next;
	void (*fn)(void *arg);
	void *arg;
};
/* Any thread: job->fn runs in the loop's thread. The job must live until then. */
void loop_post(struct loop *l, struct loop_job *job);

struct loop_fd;
/* Calls fn(arg, events) when descriptor fd is ready; events: EPOLLIN, EPOLLOUT. */
struct loop_fd *loop_watch(struct loop *l, int fd, u32 events, void (*fn)(void *arg, u32 events), void *arg);
void loop_watch_change(struct loop_fd *w, u32 events);
void loop_unwatch(struct loop_fd *w);

struct loop_timer;
/* Calls fn(arg) once at or after the monotonic time `when` (nanoseconds). */
struct loop_timer *loop_timer(struct loop *l, i64 when, void (*fn)(void *arg), void *arg);
/* Forgets a timer that has not fired. */
void loop_timer_cancel(struct loop_timer *t);
i64 loop_now(void); /* monotonic nanoseconds */

/*
 * Runs fn(arg) on a worker thread and gives its result; a coroutine waits without holding up the loop. Outside a
 * coroutine fn simply runs here.
 */
int work_run(int (*fn)(void *arg), void *arg);
/* Waits for the descriptor, as a coroutine (one for EPOLLIN and one for EPOLLOUT at a time) or with poll(). */
void co_wait_fd(int fd, u32 events);
void co_sleep(i64 nanoseconds);
/* The running coroutine goes on in another thread, whose loop shares a gate with this one. */
void co_move(struct loop *to);
/* Runs fn(arg) as a coroutine and the loop until it ended. */
void co_run(void (*fn)(void *arg), void *arg);
