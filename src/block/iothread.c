#include "block/iothread.h"
#include "block/graph.h"
#include "base/loop/loop.h"
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>

struct iothread {
	struct blk_graph *graph;
	char *name;
	pthread_t thread;
	struct loop *loop;
	struct loop_config config;
	sem_t ready; /* loop is set */
	struct loop_job end;
	bool ending;
	unsigned users;
};

static void run(struct iothread *t)
{
	char name[16];
	snprintf(name, sizeof(name), "IO %s", t->name);
	pthread_setname_np(pthread_self(), name);
	t->loop = loop_here();
	loop_configure(t->loop, &t->config);
	sem_post(&t->ready);
	loop_share(t->graph->gate);
	while (!t->ending)
		loop_run_once(t->loop, true);
	loop_share(NULL);
	loop_done();
}

static void *start(void *arg)
{
	run(arg);
	return NULL;
}

/* Signals are the main thread's. */
static int create(struct iothread *t)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int r = pthread_create(&t->thread, NULL, start, t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

struct iothread *iothread_new(struct blk_graph *graph, const char *name)
{
	struct iothread *t = alloc(sizeof(*t));
	t->graph = graph;
	t->name = str_dup(name);
	return t;
}

void iothread_configure(struct iothread *t, const struct loop_config *config)
{
	t->config = *config;
	if (t->loop)
		loop_configure(t->loop, config);
}

static struct err *start_running(struct iothread *t)
{
	struct blk_graph *g = t->graph;
	if (!g->gate) {
		g->gate = gate_new();
		loop_share(g->gate);
	}
	sem_init(&t->ready, 0, 0);
	int r = create(t);
	while (!r && sem_wait(&t->ready) && errno == EINTR)
		;
	sem_destroy(&t->ready);
	return r ? err_errno(r, "Could not start I/O thread '%s'", t->name) : NULL;
}

static void end(void *arg)
{
	((struct iothread *)arg)->ending = true;
}

void iothread_free(struct iothread *t)
{
	if (!t)
		return;
	for (struct blk_node *n = t->graph->nodes; n; n = n->next_node) {
		if (n->driver->left && t->loop)
			n->driver->left(n, t->loop);
		if (n->thread == t)
			n->thread = NULL;
	}
	if (t->loop) {
		t->end = (struct loop_job){ .fn = end, .arg = t };
		loop_post(t->loop, &t->end);
		loop_let();
		pthread_join(t->thread, NULL);
		loop_retake();
	}
	free(t->name);
	free(t);
}

void blk_set_iothread(struct blk_node *node, struct iothread *t)
{
	node->thread = t;
	for (struct blk_child *c = node->children; c; c = c->next)
		blk_set_iothread(c->node, t);
}

struct loop *iothread_loop(const struct iothread *t)
{
	return t->loop;
}

struct err *iothread_use(struct iothread *t)
{
	struct err *e = t && !t->loop ? start_running(t) : NULL;
	if (t && !e)
		t->users++;
	return e;
}

void iothread_unuse(struct iothread *t)
{
	if (t)
		t->users--;
}

bool iothread_is_used(const struct iothread *t)
{
	return t->users;
}
