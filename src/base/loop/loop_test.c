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
