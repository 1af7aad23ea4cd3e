/*
 * System mode's signals: faults of accesses in windows, and a clock of each CPU thread's own time. Which CPU a signal is for only the
 * thread knows, so that is thread-local.
 */
#include "translate/engine/window.h"
#include "translate/engine/priv.h"
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static __thread struct cpu *running;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	if (running && engine_fault(running, context, info))
		return;
	signal(sig, SIG_DFL); /* our own mistake: happens again, and ends us */
}

static void on_tick(int sig UNUSED)
{
	struct cpu *cpu = running;
	if (!cpu)
		return;
	struct priv *p = cpu->engine_priv;
	__atomic_store_n(&p->mmu->tick, true, __ATOMIC_SEQ_CST);
	cpu_stop(cpu);
}

static void catch (void)
{
	static __thread bool done;
	struct sigaction fault = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct sigaction tick = { .sa_handler = on_tick, .sa_flags = SA_RESTART };
	if (done)
		return;
	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGBUS, &fault, NULL);
	sigaction(SIGVTALRM, &tick, NULL);
	done = true;
}

/* The thread's CPU time, so that nothing wakes a CPU that waits. */
static void start_clock(struct mmu *m)
{
	pid_t self = (pid_t)syscall(SYS_gettid);
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGVTALRM };
	struct itimerspec each = { { 0, WINDOW_TICK_MS * 1000000 }, { 0, WINDOW_TICK_MS * 1000000 } };
	if (m->timed && m->timed_thread == self)
		return;
	if (m->timed)
		timer_delete(m->timer);
	event._sigev_un._tid = self;
	m->timed = timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &m->timer) == 0;
	m->timed_thread = self;
	if (m->timed)
		timer_settime(m->timer, 0, &each, NULL);
}

void signals_enter(struct priv *p)
{
	if (!p->e->windows)
		return;
	catch ();
	running = p->cpu;
	if (p->e->config.windows == WINDOWS_AUTO)
		start_clock(p->mmu);
}

void signals_leave(void)
{
	running = NULL;
}
