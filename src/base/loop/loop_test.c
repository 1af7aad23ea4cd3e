#include "loop.c"
#include "base/test.h"

enum { ROUNDS = 200, WANDERERS = 8 };

/* Two threads that share a gate; what is below `gate` is theirs in turns, without any other lock. */
struct pair {
	struct gate *gate;
	struct loop *main, *other;
	pthread_t thread;
	sem_t ready;
	bool end;
	unsigned inside, most, done, crossings;
	struct co_lock lock;
	struct co_wait full, empty;
	int box; /* 0: empty */
};

static void *other(void *arg)
{
	struct pair *p = arg;
	p->other = loop_here();
	sem_post(&p->ready);
	loop_share(p->gate);
	while (!p->end)
		loop_run_once(p->other, true);
	loop_share(NULL);
	loop_done();
	return NULL;
}

static void begin(struct pair *p)
{
	*p = (struct pair){ .gate = gate_new(), .main = loop_here() };
	sem_init(&p->ready, 0, 0);
	loop_share(p->gate);
	pthread_create(&p->thread, NULL, other, p);
	while (sem_wait(&p->ready))
		;
}

static void stop_other(void *arg)
{
	((struct pair *)arg)->end = true;
}

static void finish(struct pair *p)
{
	struct loop_job job = { .fn = stop_other, .arg = p };
	loop_post(p->other, &job);
	loop_let();
	pthread_join(p->thread, NULL);
	loop_retake();
	loop_share(NULL);
	sem_destroy(&p->ready);
	gate_free(p->gate);
}

static void wander(void *arg)
{
	struct pair *p = arg;
	for (int i = 0; i < ROUNDS; i++) {
		struct loop *to = i % 2 ? p->main : p->other;
		co_move(to);
		p->crossings += loop_here() == to;
		co_lock(&p->lock);
		p->most = MAX(p->most, ++p->inside);
		loop_let(); /* the other thread may run here, and wait for the lock */
		sched_yield();
		loop_retake();
		p->inside--;
		co_unlock(&p->lock);
	}
	co_move(p->main);
	p->done++;
}

TEST(loop, coroutines_move_between_threads_that_take_turns)
{
	struct pair p;
	begin(&p);
	for (int i = 0; i < WANDERERS; i++)
		co_enter(co_new(wander, &p));
	while (p.done < WANDERERS)
		loop_run_once(loop_here(), true);
	finish(&p);
	CHECK_EQ(p.crossings, ROUNDS * WANDERERS);
	CHECK_EQ(p.most, 1);
}

static void produce(void *arg)
{
	struct pair *p = arg;
	co_move(p->other);
	for (int i = 1; i <= ROUNDS; i++) {
		while (p->box)
			co_wait(&p->empty);
		p->box = i;
		co_wake(&p->full);
	}
}

TEST(loop, who_waits_is_woken_by_another_thread)
{
	struct pair p;
	int sum = 0;
	begin(&p);
	co_enter(co_new(produce, &p));
	for (int i = 1; i <= ROUNDS; i++) { /* outside a coroutine: the loop runs meanwhile */
		while (!p.box)
			co_wait(&p.full);
		sum += p.box == i;
		p.box = 0;
		co_wake(&p.empty);
	}
	finish(&p);
	CHECK_EQ(sum, ROUNDS);
}

static void *ring_often(void *arg)
{
	const int *fd = arg;
	u64 one = 1;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct timespec t = { .tv_nsec = 20000 };
		nanosleep(&t, NULL);
		if (write(*fd, &one, 8) != 8)
			break;
	}
	return NULL;
}

static void heard(void *arg, u32 events UNUSED)
{
	u64 n;
	if (read(*(int *)arg, &n, 8) != 8)
		abort();
}

TEST(loop, looks_for_events_before_it_sleeps_as_long_as_that_is_of_use)
{
	const struct loop_config poll = { .poll_max = 60000000000, .poll_grow = 2, .max_workers = 4 },
				 usual = { .max_workers = USUAL_WORKERS };
	struct loop *l = loop_here();
	int fd = eventfd(0, EFD_NONBLOCK);
	struct loop_fd *w = loop_watch(l, fd, EPOLLIN, heard, &fd);
	pthread_t t;
	u64 one = 1;
	loop_configure(l, &poll);
	CHECK_EQ(l->poll, 0);
	pthread_create(&t, NULL, ring_often, &fd);
	do
		loop_run_once(l, true);
	while (!l->poll);
	pthread_join(t, NULL);
	while (loop_run_once(l, false))
		;
	/* What came within the time changes nothing, what took longer than the most that may be takes it back. */
	adjust_poll(l, l->poll);
	CHECK(l->poll >= FIRST_POLL && l->poll <= poll.poll_max);
	adjust_poll(l, poll.poll_max + 1);
	CHECK_EQ(l->poll, 0);
	adjust_poll(l, 10);
	CHECK_EQ(l->poll, FIRST_POLL);
	adjust_poll(l, FIRST_POLL + 1);
	CHECK_EQ(l->poll, FIRST_POLL * 2);
	/* While it looks, what is ready is found. */
	CHECK_EQ(write(fd, &one, 8), 8);
	CHECK(loop_run_once(l, true));
	CHECK_EQ(l->poll, FIRST_POLL * 2);
	loop_configure(l, &usual);
	CHECK_EQ(l->poll, 0);
	loop_unwatch(w);
	loop_run_once(l, false);
	close(fd);
}

TEST(loop, makes_the_workers_that_it_is_told_to)
{
	const struct loop_config c = { .min_workers = 3, .max_workers = 5 },
				 usual = { .max_workers = USUAL_WORKERS };
	struct loop *l = loop_here();
	unsigned had = l->workers;
	loop_configure(l, &c);
	CHECK_EQ(l->workers, MAX(had, 3u));
	loop_configure(l, &usual);
}
