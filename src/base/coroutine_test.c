#include "coroutine.c"
#include "base/test.h"

static void thrice(void *arg)
{
	int *n = arg;
	for (int i = 0; i < 3; i++) {
		++*n;
		co_yield ();
	}
}

TEST(coroutine, yields_and_goes_on_where_it_was)
{
	int n = 0;
	struct co *co = co_new(thrice, &n);
	for (int i = 1; i <= 3; i++) {
		co_enter(co);
		CHECK_EQ(n, i);
	}
	co_enter(co);
	CHECK_EQ(n, 3);
	CHECK(!co_self());
}

struct order {
	struct co_wait gate;
	int n, waiter, opener;
};

static void waits(void *arg)
{
	struct order *o = arg;
	co_wait(&o->gate);
	o->waiter = ++o->n;
}

static void opens(void *arg)
{
	struct order *o = arg;
	co_wake_all_later(&o->gate);
	o->opener = ++o->n;
}

TEST(coroutine, later_means_after_the_one_that_wakes_ended)
{
	struct order o = { 0 };
	co_enter(co_new(waits, &o));
	co_enter(co_new(opens, &o));
	CHECK_EQ(o.opener, 1);
	CHECK_EQ(o.waiter, 2);
}

struct shared {
	struct co_lock lock;
	int inside, most, done;
};

static void worker(void *arg)
{
	struct shared *s = arg;
	co_lock(&s->lock);
	s->most = MAX(s->most, ++s->inside);
	co_sleep(1000);
	s->inside--;
	co_unlock(&s->lock);
	s->done++;
}

TEST(coroutine, a_lock_lets_one_in)
{
	struct shared s = { 0 };
	for (int i = 0; i < 20; i++)
		co_enter(co_new(worker, &s));
	while (s.done < 20)
		loop_run_once(loop_here(), true);
	CHECK_EQ(s.most, 1);
}

static int square(void *arg)
{
	int *n = arg;
	*n *= *n;
	return 7;
}

static void ask(void *arg)
{
	int *n = arg;
	*n = work_run(square, n) == 7 ? *n : -1;
}

TEST(coroutine, work_on_another_thread_comes_back)
{
	int n = 9;
	co_run(ask, &n);
	CHECK_EQ(n, 81);
}
