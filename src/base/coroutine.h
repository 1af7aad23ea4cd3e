/*
 * Stackful coroutines: straight-line code that waits without holding up its thread.
 *
 * A coroutine runs on a stack of its own (256 KiB, from a pool), within the thread that enters it. It leaves by
 * co_yield() and goes on when somebody calls co_enter() again. Queues of threads that take turns (a gate, loop.h) may be the same:
 * whoever is woken by another thread goes on in its own, soon. Anybody else posts to the loop of its home thread.
 */
#pragma once
#include "base/base.h"

struct co;

/* Not started; freed when fn returns. */
struct co *co_new(void (*fn)(void *arg), void *arg);
/* Runs the coroutine until it yields or ends. Nests: a coroutine may enter another. */
void co_enter(struct co *co);
/* Back to whoever entered. Only in a coroutine. */
void co_yield (void);
/* Frees the stacks that the calling thread keeps; before it ends. */
void co_drop_pool(void);
/* The running one, NULL outside. */
struct co *co_self(void);

struct co_wait { /* a queue of waiting coroutines, first come first served; zeroed: empty */
	struct co_waiter *first, **last;
};
/*
 * Waits until woken. Outside a coroutine the thread's loop runs meanwhile (loop_run_once), so this works
 * everywhere.
 */
void co_wait(struct co_wait *w);
/* Wakes the first waiter, if any: it is entered at once. */
bool co_wake(struct co_wait *w);
void co_wake_all(struct co_wait *w);
/* The same when the running coroutine next yields or ends, so that it finishes first what it is about. */
void co_wake_all_later(struct co_wait *w);

struct co_lock { /* zeroed: free */
	bool held;
	struct co_wait wait;
};
void co_lock(struct co_lock *l);
void co_unlock(struct co_lock *l);
