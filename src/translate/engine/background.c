/*
 * Translating for speed on a thread of its own, while the code that was found to run often goes on in its first translation. User mode; the
 * thread is started when there is first something to do.
 *
 * It is a CPU of the engine that never runs: translations are made, kept and put into the tables by the same code. Guest memory may change or go
 * while it looks, so it reads copies (code_at); what was made from code that has changed since is not put in (tb_insert).
 *
 * Locks: .busy is held while one request is worked on, and by whoever needs the thread to be nowhere else (fork); then .lock, of the queue.
 */
#include "translate/engine/priv.h"
#include "translate/host/syscall.h"
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { QUEUE = 32, STACK = 512 << 10, COPIES = 4 };

struct request {
	u64 pc, key;
};

struct background {
	struct engine *e;
	pthread_mutex_t busy, lock;
	pthread_cond_t wake;
	struct request queue[QUEUE], current; /* the oldest first; what is being made */
	u32 n;
	bool working; /* on .current */
	bool running, stop;
	bool failed; /* the host gives us no thread */
	pid_t tid; /* .thread's; atomic */
	pid_t pid; /* whose process .thread belongs to; a child of vfork shares all this */
	pthread_t thread;
};

/* What the thread sees of guest code: copies of pages, as many as are looked at at a time. */
struct code_copies {
	u8 page[COPIES][1 << PAGE_BITS];
	u32 next;
};

const u8 *code_at(struct priv *p, u64 pc, u32 *ret_avail, u32 *ret_code)
{
	const struct engine_config *config = &p->e->config;
	const u8 *at = config->fetch(config->user, p->cpu, pc, ret_avail, ret_code);
	if (!at || !p->copies)
		return at;
	u8 *copy = p->copies->page[p->copies->next++ % COPIES];
	return host_guarded_copy(copy, at, *ret_avail) ? NULL : copy;
}

struct background *background_new(struct engine *e)
{
	struct background *b = alloc(sizeof(*b));
	b->e = e;
	b->pid = getpid();
	pthread_mutex_init(&b->busy, NULL);
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->wake, NULL);
	return b;
}

void background_free(struct background *b)
{
	if (!b)
		return;
	engine_background_end(b->e);
	pthread_mutex_destroy(&b->busy);
	pthread_mutex_destroy(&b->lock);
	pthread_cond_destroy(&b->wake);
	free(b);
}

static bool same(struct request a, struct request b)
{
	return a.pc == b.pc && a.key == b.key;
}

/* The next request, into .current; false: the thread is to end. Under both locks, of which .busy is let go while there is nothing. */
static bool next(struct background *b)
{
	while (!b->n && !b->stop) {
		pthread_mutex_unlock(&b->busy);
		pthread_cond_wait(&b->wake, &b->lock);
		pthread_mutex_unlock(&b->lock); /* .busy comes first */
		pthread_mutex_lock(&b->busy);
		pthread_mutex_lock(&b->lock);
	}
	if (b->stop)
		return false;
	b->current = b->queue[0];
	memmove(b->queue, b->queue + 1, --b->n * sizeof(b->queue[0]));
	b->working = true;
	return true;
}

static void *work(void *arg)
{
	struct background *b = arg;
	struct cpu *cpu = engine_cpu_new(b->e);
	struct priv *p = cpu->engine_priv;
	p->copies = alloc(sizeof(*p->copies));
	prctl(PR_SET_NAME, "translator");
	__atomic_store_n(&b->tid, gettid(), __ATOMIC_RELAXED);
	pthread_mutex_lock(&b->busy);
	pthread_mutex_lock(&b->lock);
	while (next(b)) {
		pthread_mutex_unlock(&b->lock);
		cpu->key = b->current.key;
		world_enter(p);
		tier_again(p, b->current.pc);
		world_leave(p);
		pthread_mutex_unlock(&b->busy); /* a fork may be waiting */
		pthread_mutex_lock(&b->busy);
		pthread_mutex_lock(&b->lock);
		b->working = false;
	}
	pthread_mutex_unlock(&b->lock);
	pthread_mutex_unlock(&b->busy);
	engine_cpu_free(cpu);
	return NULL;
}

/* Under .lock. Signals are for the guest's threads, but for those of guarded copies. */
static bool start(struct background *b)
{
	sigset_t all, old;
	pthread_attr_t attr;
	if (b->running || b->failed || b->pid != getpid())
		return b->running && !b->stop;
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	b->running = pthread_create(&b->thread, &attr, work, b) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	b->failed = !b->running;
	return b->running;
}

bool background_ask(struct priv *p, u64 pc)
{
	struct background *b = p->e->background;
	struct request q = { pc, p->cpu->key };
	bool later = false;
	if (!b)
		return false;
	pthread_mutex_lock(&b->lock);
	u32 i = 0;
	while (i < b->n && !same(b->queue[i], q))
		i++;
	if (b->working && same(b->current, q)) {
		later = true;
	} else if (i < b->n) { /* it ran as often again, and nobody has begun: not worth waiting for */
		memmove(b->queue + i, b->queue + i + 1, (--b->n - i) * sizeof(b->queue[0]));
	} else if (b->n < QUEUE && start(b)) {
		b->queue[b->n++] = q;
		later = true;
		pthread_cond_signal(&b->wake);
	}
	pthread_mutex_unlock(&b->lock);
	return later;
}

void engine_background_pause(struct engine *e)
{
	if (e->background)
		pthread_mutex_lock(&e->background->busy);
}

void engine_background_resume(struct engine *e)
{
	if (e->background)
		pthread_mutex_unlock(&e->background->busy);
}

void background_after_fork(struct background *b)
{
	if (!b)
		return;
	pthread_mutex_init(&b->busy, NULL);
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->wake, NULL);
	b->n = 0;
	b->working = b->running = b->stop = false;
	b->pid = getpid();
}

void engine_background_end(struct engine *e)
{
	struct background *b = e->background;
	if (!b)
		return;
	pthread_mutex_lock(&b->lock);
	bool first = b->running && !b->stop; /* of those who may want it */
	if (first) {
		b->stop = true;
		b->n = 0;
		pthread_cond_signal(&b->wake);
	}
	pthread_mutex_unlock(&b->lock);
	if (!first)
		return;
	pthread_join(b->thread, NULL);
	/* which comes back a little before the kernel has taken the thread out of the process */
	while (syscall(SYS_tgkill, b->pid, __atomic_load_n(&b->tid, __ATOMIC_RELAXED), 0) == 0)
		sched_yield();
	pthread_mutex_lock(&b->lock);
	b->running = b->stop = b->working = false;
	pthread_mutex_unlock(&b->lock);
}

unsigned engine_background_threads(struct engine *e)
{
	return e->background && __atomic_load_n(&e->background->running, __ATOMIC_RELAXED);
}
