#include "base/loop/loop.h"
#include "base/coroutine.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { USUAL_WORKERS = 16, EVENTS = 64, FIRST_POLL = 4000 };

struct loop_fd {
	struct loop *loop;
	int fd;
	u32 events;
	void (*fn)(void *arg, u32 events);
	void *arg;
	bool dead;
	struct loop_fd *next_dead;
};

struct loop_timer {
	struct loop *loop;
	struct loop_timer *next;
	i64 when;
	void (*fn)(void *arg);
	void *arg;
};

struct work {
	struct work *next;
	struct loop_job back;
	int (*fn)(void *arg);
	void *arg;
	int result;
	struct co *co;
	struct loop *loop;
};

struct gate {
	sem_t
	    free; /* no mutex: whichever coroutine runs takes and gives it, and checkers of threads see those as threads */
};

struct loop {
	struct gate *gate; /* NULL: shares none */
	int epoll, event;
	struct fd_wait **waits; /* by descriptor */
	size_t n_waits;
	struct loop_timer *timers; /* soonest first */
	struct loop_fd *dead; /* unwatched; freed when no event can name them any more */
	pthread_mutex_t lock;
	struct loop_job *posted GUARDED_BY(lock), **posted_end;
	bool notified;
	/* Workers. */
	pthread_cond_t more;
	struct work *queue, **queue_end;
	unsigned workers, idle;
	bool ending;
	pthread_t threads[LOOP_MAX_WORKERS];
	struct loop_config config;
	i64 poll; /* nanoseconds, up to config.poll_max */
};

static __thread struct loop *here;

i64 loop_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (i64)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct loop *loop_here(void)
{
	struct loop *l = here;
	if (l)
		return l;
	l = here = alloc(sizeof(*l));
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct epoll_event ev = { .events = EPOLLIN };
	if (l->epoll < 0 || l->event < 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->event, &ev)) {
		perror("rhea: cannot make an event loop");
		abort();
	}
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->more, NULL);
	l->posted_end = &l->posted;
	l->queue_end = &l->queue;
	l->config.max_workers = USUAL_WORKERS;
	return l;
}

/* ---- threads that take turns ---- */

struct gate *gate_new(void)
{
	struct gate *g = alloc(sizeof(*g));
	sem_init(&g->free, 0, 1);
	return g;
}

void gate_free(struct gate *g)
{
	sem_destroy(&g->free);
	free(g);
}

void loop_let(void)
{
	if (here && here->gate)
		sem_post(&here->gate->free);
}

void loop_retake(void)
{
	if (here && here->gate)
		while (sem_wait(&here->gate->free) && errno == EINTR)
			;
}

void loop_share(struct gate *g)
{
	loop_let();
	loop_here()->gate = g;
	loop_retake();
}

void loop_done(void)
{
	struct loop *l = here;
	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->ending = true;
	pthread_cond_broadcast(&l->more);
	unsigned n = l->workers;
	pthread_mutex_unlock(&l->lock);
	for (unsigned i = 0; i < n; i++)
		pthread_join(l->threads[i], NULL);
	while (l->dead) {
		struct loop_fd *w = l->dead;
		l->dead = w->next_dead;
		free(w);
	}
	for (size_t i = 0; i < l->n_waits; i++)
		free(l->waits[i]);
	free(l->waits);
	close(l->epoll);
	close(l->event);
	pthread_mutex_destroy(&l->lock);
	pthread_cond_destroy(&l->more);
	free(l);
	here = NULL;
	co_drop_pool();
}

void loop_post(struct loop *l, struct loop_job *job)
{
	pthread_mutex_lock(&l->lock);
	job->next = NULL;
	*l->posted_end = job;
	l->posted_end = &job->next;
	bool tell = !l->notified;
	l->notified = true;
	pthread_mutex_unlock(&l->lock);
	u64 one = 1;
	if (tell && write(l->event, &one, 8) < 0 && errno != EAGAIN)
		abort();
}

static bool run_posted(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
	struct loop_job *job = l->posted;
	l->posted = NULL;
	l->posted_end = &l->posted;
	l->notified = false;
	pthread_mutex_unlock(&l->lock);
	bool any = job;
	while (job) {
		struct loop_job *next = job->next;
		job->fn(job->arg);
		job = next;
	}
	return any;
}

static bool run_timers(struct loop *l)
{
	bool any = false;
	while (l->timers && l->timers->when <= loop_now()) {
		struct loop_timer *t = l->timers;
		l->timers = t->next;
		t->fn(t->arg);
		free(t);
		any = true;
	}
	return any;
}

static int wait_ms(struct loop *l, bool wait)
{
	if (!wait)
		return 0;
	if (!l->timers)
		return -1;
	i64 left = l->timers->when - loop_now();
	return left <= 0 ? 0 : MIN((left + 999999) / 1000000, 1000000);
}

/* An event took so long to come: would another time of polling have been better? */
static void adjust_poll(struct loop *l, i64 took)
{
	const struct loop_config *c = &l->config;
	if (took <= l->poll)
		return;
	if (took > c->poll_max)
		l->poll = c->poll_shrink ? l->poll / c->poll_shrink : 0;
	else
		l->poll = MIN(l->poll ? l->poll * c->poll_grow : FIRST_POLL, c->poll_max);
}

/* Without the gate: nothing of the loop is looked at that others may change. poll: for so long it does not sleep. */
static int wait_events(int epoll, struct epoll_event *ev, int ms, i64 poll)
{
	i64 until = poll ? loop_now() + (ms < 0 ? poll : MIN(poll, ms * 1000000ll)) : 0;
	int n = 0;
	while (!n && poll && loop_now() < until)
		n = epoll_wait(epoll, ev, EVENTS, 0);
	return n ? n : epoll_wait(epoll, ev, EVENTS, ms);
}

bool loop_run_once(struct loop *l, bool wait)
{
	struct epoll_event ev[EVENTS];
	int ms = wait_ms(l, wait);
	bool may_poll = ms && l->config.poll_max;
	i64 poll = may_poll ? l->poll : 0, begin = may_poll ? loop_now() : 0;
	loop_let();
	int n = wait_events(l->epoll, ev, ms, poll);
	i64 took = may_poll ? loop_now() - begin : 0;
	loop_retake();
	if (may_poll)
		adjust_poll(l, took);
	bool any = false;
	for (int i = 0; i < n; i++) {
		struct loop_fd *w = ev[i].data.ptr;
		if (!w) {
			u64 count;
			if (read(l->event, &count, 8) < 0 && errno != EAGAIN)
				abort();
			any |= run_posted(l);
		} else if (!w->dead) {
			w->fn(w->arg, ev[i].events);
			any = true;
		}
	}
	while (l->dead) {
		struct loop_fd *w = l->dead;
		l->dead = w->next_dead;
		free(w);
	}
	return run_timers(l) || any;
}

struct loop_fd *loop_watch(struct loop *l, int fd, u32 events, void (*fn)(void *, u32), void *arg)
{
	struct loop_fd *w = alloc(sizeof(*w));
	*w = (struct loop_fd){ .loop = l, .fd = fd, .events = events, .fn = fn, .arg = arg };
	struct epoll_event ev = { .events = events, .data.ptr = w };
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev))
		perror("rhea: cannot watch a descriptor");
	return w;
}

void loop_watch_change(struct loop_fd *w, u32 events)
{
	if (w->events == events)
		return;
	struct epoll_event ev = { .events = events, .data.ptr = w };
	w->events = events;
	epoll_ctl(w->loop->epoll, EPOLL_CTL_MOD, w->fd, &ev);
}

void loop_unwatch(struct loop_fd *w)
{
	epoll_ctl(w->loop->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	w->dead = true;
	w->next_dead = w->loop->dead;
	w->loop->dead = w;
}

struct loop_timer *loop_timer(struct loop *l, i64 when, void (*fn)(void *), void *arg)
{
	struct loop_timer *t = alloc(sizeof(*t)), **at = &l->timers;
	*t = (struct loop_timer){ .loop = l, .when = when, .fn = fn, .arg = arg };
	while (*at && (*at)->when <= when)
		at = &(*at)->next;
	t->next = *at;
	*at = t;
	return t;
}

void loop_timer_cancel(struct loop_timer *t)
{
	struct loop_timer **at = &t->loop->timers;
	while (*at && *at != t)
		at = &(*at)->next;
	if (*at)
		*at = t->next;
	free(t);
}

/* ---- workers ---- */

static void *worker(void *arg)
{
	struct loop *l = arg;
	pthread_mutex_lock(&l->lock);
	for (;;) {
		while (!l->queue && !l->ending) {
			l->idle++;
			pthread_cond_wait(&l->more, &l->lock);
			l->idle--;
		}
		struct work *w = l->queue;
		if (!w)
			break;
		l->queue = w->next;
		if (!l->queue)
			l->queue_end = &l->queue;
		pthread_mutex_unlock(&l->lock);
		w->result = w->fn(w->arg);
		loop_post(l, &w->back);
		pthread_mutex_lock(&l->lock);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

/* A new worker with all signals blocked; failing to make one is no error while another works. */
static void start_worker(struct loop *l)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&l->threads[l->workers], NULL, worker, l) == 0)
		l->workers++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void loop_configure(struct loop *l, const struct loop_config *c)
{
	pthread_mutex_lock(&l->lock);
	l->config = *c;
	l->poll = MIN(l->poll, c->poll_max);
	for (unsigned had = 0; l->workers < c->min_workers && l->workers + 1 != had;) {
		had = l->workers + 1;
		start_worker(l);
	}
	pthread_mutex_unlock(&l->lock);
}

static void work_done(void *arg)
{
	struct work *w = arg;
	co_enter(w->co);
}

int work_run(int (*fn)(void *), void *arg)
{
	if (!co_self())
		return fn(arg);
	struct loop *l = loop_here();
	struct work w = { .fn = fn, .arg = arg, .co = co_self(), .loop = l };
	w.back = (struct loop_job){ .fn = work_done, .arg = &w };
	pthread_mutex_lock(&l->lock);
	if (!l->idle && l->workers < l->config.max_workers)
		start_worker(l);
	if (!l->workers) {
		pthread_mutex_unlock(&l->lock);
		return fn(arg);
	}
	*l->queue_end = &w;
	l->queue_end = &w.next;
	pthread_mutex_unlock(&l->lock);
	pthread_cond_signal(&l->more); /* not before: whoever wakes takes the lock */
	co_yield ();
	return w.result;
}

/* ---- coroutines that wait ---- */

/* Coroutines that wait for a descriptor: one to read, one to write; the kernel takes one watch a descriptor. */
struct fd_wait {
	struct co *in, *out;
	struct loop_fd *watch;
};

static void watch_for(struct loop *l, int fd, struct fd_wait *w);

static void fd_ready(void *arg, u32 events)
{
	struct loop *l = loop_here();
	int fd = (intptr_t)arg;
	struct fd_wait *w = l->waits[fd];
	bool broken = events & (EPOLLERR | EPOLLHUP);
	struct co *in = events & EPOLLIN || broken ? w->in : NULL,
		  *out = events & EPOLLOUT || broken ? w->out : NULL;
	if (in)
		w->in = NULL;
	if (out)
		w->out = NULL;
	watch_for(l, fd, w);
	if (in)
		co_enter(in);
	if (out)
		co_enter(out);
}

static void watch_for(struct loop *l, int fd, struct fd_wait *w)
{
	u32 events = (w->in ? EPOLLIN : 0) | (w->out ? EPOLLOUT : 0);
	if (w->watch && events) {
		loop_watch_change(w->watch, events);
	} else if (events) {
		w->watch = loop_watch(l, fd, events, fd_ready, (void *)(intptr_t)fd);
	} else if (w->watch) {
		loop_unwatch(w->watch);
		w->watch = NULL;
	}
}

void co_wait_fd(int fd, u32 events)
{
	if (!co_self()) {
		struct pollfd p = { .fd = fd, .events = events };
		ppoll(&p, 1, NULL, NULL);
		return;
	}
	struct loop *l = loop_here();
	size_t had = l->n_waits;
	l->waits = grow(l->waits, &l->n_waits, (size_t)fd + 1, sizeof(*l->waits));
	memset(l->waits + had, 0, (l->n_waits - had) * sizeof(*l->waits));
	if (!l->waits[fd])
		l->waits[fd] = alloc(sizeof(struct fd_wait));
	struct fd_wait *w = l->waits[fd];
	*(events & EPOLLOUT ? &w->out : &w->in) = co_self();
	watch_for(l, fd, w);
	co_yield ();
}

static void enter(void *arg)
{
	co_enter(arg);
}

void co_sleep(i64 ns)
{
	if (!co_self()) {
		struct timespec t = { ns / 1000000000, ns % 1000000000 };
		while (nanosleep(&t, &t) < 0 && errno == EINTR)
			;
		return;
	}
	loop_timer(loop_here(), loop_now() + ns, enter, co_self());
	co_yield ();
}

struct move {
	struct loop_job job;
	struct co *co;
};

static void arrive(void *arg)
{
	co_enter(((struct move *)arg)->co);
}

void co_move(struct loop *to)
{
	if (to == loop_here())
		return;
	struct move m = { .co = co_self() };
	m.job = (struct loop_job){ .fn = arrive, .arg = &m };
	loop_post(to, &m.job); /* this thread holds the gate until the coroutine has left it */
	co_yield ();
}

struct runner {
	void (*fn)(void *arg);
	void *arg;
	bool done;
};

static void run_it(void *arg)
{
	struct runner *r = arg;
	r->fn(r->arg);
	r->done = true;
}

void co_run(void (*fn)(void *), void *arg)
{
	struct runner r = { fn, arg, false };
	co_enter(co_new(run_it, &r));
	while (!r.done)
		loop_run_once(loop_here(), true);
}
