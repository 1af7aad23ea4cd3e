#include "base/coroutine.h"
#include "base/loop/loop.h"
#include "base/os/context.h"

enum { STACK = 256 * 1024, POOL = 64 };

struct co {
	struct context ctx, *caller;
	struct co *outer; /* who entered, NULL: no coroutine */
	void (*fn)(void *arg);
	void *arg;
	bool done;
	struct co *next_free;
	struct co_wait later; /* whom to enter when this one yields or ends */
};

struct co_waiter {
	struct co_waiter *next;
	struct co *co; /* NULL: waits outside coroutines */
	struct loop *home; /* of the thread that waits */
	struct loop_job job; /* woken by another */
	bool woken;
};

/* Which coroutine runs is a property of the thread. */
static __thread struct co *running, *pool;
static __thread unsigned pooled;
static __thread struct context main_context;

/* Runs functions one after another: the stack is used again by the next coroutine from the pool. */
static void run(void *arg)
{
	struct co *co = arg;
	context_arrived();
	for (;;) {
		co->fn(co->arg);
		co->done = true;
		co_yield ();
	}
}

struct co *co_new(void (*fn)(void *), void *arg)
{
	struct co *co = pool;
	if (co) {
		pool = co->next_free;
		pooled--;
	} else {
		co = alloc(sizeof(*co));
		context_make(&co->ctx, STACK, run, co);
	}
	co->fn = fn;
	co->arg = arg;
	co->done = false;
	return co;
}

static void recycle(struct co *co)
{
	if (pooled < POOL) {
		co->next_free = pool;
		pool = co;
		pooled++;
	} else {
		context_free(&co->ctx);
		free(co);
	}
}

void co_enter(struct co *co)
{
	co->outer = running;
	co->caller = running ? &running->ctx : &main_context;
	running = co;
	context_switch(co->caller, &co->ctx);
	struct co_wait later = co->later;
	co->later = (struct co_wait){ 0 };
	if (co->done)
		recycle(co);
	if (UNLIKELY(later.first))
		co_wake_all(&later);
}

void co_drop_pool(void)
{
	while (pool) {
		struct co *co = pool;
		pool = co->next_free;
		context_free(&co->ctx);
		free(co);
	}
	pooled = 0;
}

/* Not part of its callers: a coroutine may go on in another thread, and must not look for `running` in the old one. */
__attribute__((noinline)) void co_yield (void)
{
	struct co *co = running;
	running = co->outer;
	context_switch(&co->ctx, co->caller);
}

struct co *co_self(void)
{
	return running;
}

static __attribute__((noinline)) void enqueue(struct co_wait *w, struct co_waiter *me)
{
	if (!w->first)
		w->last = &w->first;
	*w->last = me;
	w->last = &me->next;
}

void co_wait(struct co_wait *w)
{
	struct co_waiter me = { .co = running, .home = loop_here() };
	enqueue(w, &me);
	if (running)
		co_yield ();
	else
		while (!me.woken)
			loop_run_once(loop_here(), true);
}

static void go_on(void *arg)
{
	struct co_waiter *w = arg;
	w->woken = true;
	if (w->co)
		co_enter(w->co);
}

bool co_wake(struct co_wait *w)
{
	struct co_waiter *first = w->first;
	if (!first)
		return false;
	w->first = first->next;
	if (!w->first)
		w->last = &w->first;
	if (LIKELY(first->home == loop_here())) {
		go_on(first);
	} else {
		first->job = (struct loop_job){ .fn = go_on, .arg = first };
		loop_post(first->home, &first->job);
	}
	return true;
}

void co_wake_all(struct co_wait *w)
{
	/* Whoever waits again meanwhile is not woken a second time. */
	struct co_wait now = *w;
	if (!now.first)
		return;
	*w = (struct co_wait){ 0 };
	while (co_wake(&now))
		;
}

void co_wake_all_later(struct co_wait *w)
{
	struct co_wait *later = running ? &running->later : NULL;
	if (!later) {
		co_wake_all(w);
		return;
	}
	if (!w->first)
		return;
	if (!later->first)
		later->last = &later->first;
	*later->last = w->first;
	later->last = w->last;
	*w = (struct co_wait){ 0 };
}

void co_lock(struct co_lock *l)
{
	while (l->held)
		co_wait(&l->wait);
	l->held = true;
}

void co_unlock(struct co_lock *l)
{
	l->held = false;
	co_wake(&l->wait);
}
