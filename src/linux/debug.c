/* The guest threads' side of a debugger. How it works: debug.h. */
#include "linux/debug.h"
#include "linux/syscalls/arg.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- what the connection's thread asks of threads ---- */
bool debug_counts(const struct thread *t)
{
	return !t->borrowed && !t->debug.gone;
}

static const char kick_mark;

bool debug_is_kick(const siginfo_t *info)
{
	return info->si_signo == SIGTRAP && info->si_code == SI_QUEUE &&
	       info->si_value.sival_ptr == (void *)&kick_mark && info->si_pid == getpid();
}

void debug_kick(const struct thread *t)
{
	siginfo_t info = { .si_signo = SIGTRAP, .si_code = SI_QUEUE };
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_ptr = (void *)&kick_mark;
	RAW4(SYS_rt_tgsigqueueinfo, getpid(), t->tid, SIGTRAP, &info);
}

static struct thread *find(struct debug *d, bool (*is)(const struct thread *t))
{
	struct vm *vm = d->vm;
	struct thread *found = NULL, *t;
	pthread_mutex_lock(&vm->threads_lock);
	t = vm->threads;
	for (u32 i = 0; i < vm->n_threads && !found; i++, t = t->next)
		if (debug_counts(t) && is(t))
			found = t;
	pthread_mutex_unlock(&vm->threads_lock);
	return found;
}

static bool is_running(const struct thread *t)
{
	return t->debug.state == DEBUG_RUNNING;
}

static bool is_reporter(const struct thread *t)
{
	return t->debug.has_report && t->debug.action != GDB_STAY;
}

struct thread *debug_reporter(struct debug *d)
{
	return find(d, is_reporter);
}

static bool stop_it(const struct thread *t)
{
	cpu_stop(t->cpu);
	return false;
}

void debug_halt(struct debug *d)
{
	pthread_mutex_lock(&d->lock);
	d->halted = true;
	find(d, stop_it);
	while (find(d, is_running))
		pthread_cond_wait(&d->changed, &d->lock);
	pthread_mutex_unlock(&d->lock);
}

/* A report the client has seen is done with; of the others those that will come again are dropped. */
static bool drop_report(const struct thread *ct)
{
	struct thread *t = (struct thread *)ct;
	if (t->debug.has_report && (t->debug.shown || t->debug.repeats))
		t->debug.has_report = t->debug.shown = false;
	return false;
}

void debug_release(struct debug *d)
{
	pthread_mutex_lock(&d->lock);
	find(d, drop_report);
	d->halted = false;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
}

void debug_end(struct debug *d)
{
	engine_debug_clear(d->vm->engine);
	pthread_mutex_lock(&d->lock);
	d->halted = false;
	__atomic_store_n(&d->over, true, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
}

const struct debug_point *debug_point_at(const struct debug *d, u64 addr, u32 kinds)
{
	static const u8 wants[GDB_POINTS] = { [GDB_POINT_WATCH] = WATCH_WRITE,
					      [GDB_POINT_RWATCH] = WATCH_READ,
					      [GDB_POINT_AWATCH] = WATCH_READ | WATCH_WRITE };
	for (u32 i = 0; i < d->n_point; i++) {
		const struct debug_point *p = &d->point[i];
		if (kinds ? wants[p->type] & kinds && addr >= p->addr && addr - p->addr < p->len
			  : !wants[p->type] && p->addr == addr)
			return p;
	}
	return NULL;
}

bool debug_owns_fd(const struct vm *vm, int fd)
{
	const struct debug *d = vm->debug;
	return fd >= 0 && !d->over && (fd == d->fd || fd == d->wake || fd == d->mem);
}

/* ---- a guest thread's own steps ---- */
static bool is_debugged(const struct thread *t)
{
	const struct debug *d = t->vm->debug;
	return d && !t->borrowed && !__atomic_load_n(&d->over, __ATOMIC_ACQUIRE);
}

static bool may_run(const struct debug *d, const struct thread *t)
{
	return d->over || !(d->halted || t->debug.has_report || t->debug.action == GDB_STAY);
}

/* Stands still as long as it has to. Locked. */
static void park(struct debug *d, struct thread *t)
{
	while (!may_run(d, t)) {
		t->debug.state = DEBUG_PARKED;
		pthread_cond_broadcast(&d->changed);
		pthread_cond_wait(&d->changed, &d->lock);
	}
	t->debug.state = DEBUG_RUNNING;
}

static void wake_connection(const struct debug *d)
{
	const u64 one = 1;
	if (write(d->wake, &one, sizeof(one)) < 0)
		return; /* full: it is awake */
}

/* Parks with something to say, until the client has heard it and lets this thread go on. */
static void report(struct thread *t, enum gdb_why why, int signal, u64 addr, bool repeats)
{
	struct debug *d = t->vm->debug;
	pthread_mutex_lock(&d->lock);
	if (!d->over) {
		t->debug.has_report = true;
		t->debug.shown = false;
		t->debug.repeats = repeats;
		t->debug.report =
		    (struct gdb_stop){ .why = why, .thread = (u64)t->tid, .value = signal, .addr = addr };
		wake_connection(d);
		park(d, t);
		t->debug.has_report = false;
	}
	pthread_mutex_unlock(&d->lock);
}

static enum gdb_why why_of(enum gdb_point type)
{
	static const u8 why[GDB_POINTS] = { GDB_SWBREAK, GDB_HWBREAK, GDB_WATCH, GDB_RWATCH, GDB_AWATCH };
	return (enum gdb_why)why[type];
}

/* The engine came out with EV_DEBUG. */
static void report_point(struct thread *t)
{
	u32 kinds = (u32)t->cpu->event_arg;
	u64 addr = kinds ? t->cpu->fault_addr : t->cpu->pc;
	const struct debug_point *p = debug_point_at(t->vm->debug, addr, kinds);
	if (p)
		report(t, why_of(p->type), SIGTRAP, addr, !kinds || t->abi->guest->watch_before);
}

/* A step was made, with the system call or the fault that belonged to it. */
static void after_step(struct thread *t)
{
	const struct debug_part *s = &t->debug;
	u64 pc = t->cpu->pc;
	t->debug.stepped = false;
	const struct debug_point *p = debug_point_at(t->vm->debug, pc, 0);
	if (s->action == GDB_RANGE && pc >= s->from && pc < s->to && !p)
		return;
	if (p)
		report(t, why_of(p->type), SIGTRAP, pc, true);
	else
		report(t, GDB_SIGNAL, SIGTRAP, 0, true);
}

/* A process that has our memory but is not debugged: breakpoints are stepped over. */
static enum ir_event run_undisturbed(struct thread *t)
{
	enum ir_event ev = cpu_run(t->cpu);
	return ev == EV_DEBUG ? cpu_step(t->cpu) : ev;
}

enum ir_event debug_run(struct thread *t)
{
	struct debug *d = t->vm->debug;
	if (!is_debugged(t))
		return run_undisturbed(t);
	if (t->debug.stepped)
		after_step(t);
	pthread_mutex_lock(&d->lock);
	park(d, t);
	bool step = !d->over && t->debug.action >= GDB_STEP;
	pthread_mutex_unlock(&d->lock);
	enum ir_event ev = step ? cpu_step(t->cpu) : cpu_run(t->cpu);
	t->debug.stepped = step;
	if (ev != EV_DEBUG)
		return ev;
	t->debug.stepped = false;
	report_point(t);
	return EV_NONE;
}

void debug_call(struct thread *t)
{
	struct debug *d = t->vm->debug;
	bool debugged = is_debugged(t);
	if (debugged) {
		pthread_mutex_lock(&d->lock);
		t->debug.state = DEBUG_CALLING;
		pthread_cond_broadcast(&d->changed);
		pthread_mutex_unlock(&d->lock);
	}
	syscall_run(t);
	if (debugged && t->vm->debug && !t->debug.gone) { /* the child of a fork has none */
		pthread_mutex_lock(&d->lock);
		park(d, t);
		pthread_mutex_unlock(&d->lock);
	}
}

int debug_signal(struct thread *t, const siginfo_t *info)
{
	int sig = info->si_signo;
	struct debug *d = t->vm->debug;
	if (!is_debugged(t) || d->pass >> (sig - 1) & 1)
		return sig;
	if (t->debug.injected == sig) {
		t->debug.injected = 0;
		return sig;
	}
	t->debug.info = info;
	report(t, GDB_SIGNAL, sig, 0, false);
	t->debug.info = NULL;
	return is_debugged(t) ? t->debug.signal : sig;
}

void debug_entered_handler(struct thread *t)
{
	if (is_debugged(t) && t->debug.action >= GDB_STEP)
		t->debug.stepped = true;
}

/* Before an end: whatever this thread was told to do, it waits only for the others' sake. Locked. */
static void stand_still(struct debug *d, struct thread *t)
{
	t->debug.state = DEBUG_PARKED;
	pthread_cond_broadcast(&d->changed);
	while (d->halted && !d->over)
		pthread_cond_wait(&d->changed, &d->lock);
}

void debug_exit(struct thread *t, int status, int signal)
{
	struct debug *d = t->vm->debug;
	if (!is_debugged(t))
		return;
	pthread_mutex_lock(&d->lock);
	stand_still(d, t);
	d->exiting = true;
	d->exit = (struct gdb_stop){ .why = signal ? GDB_KILLED : GDB_EXITED,
				     .thread = (u64)t->tid,
				     .value = signal ? signal : status };
	wake_connection(d);
	while (!d->over)
		pthread_cond_wait(&d->changed, &d->lock);
	pthread_mutex_unlock(&d->lock);
}

static bool any(const struct thread *t UNUSED)
{
	return true;
}

void debug_thread_exit(struct thread *t, int status)
{
	struct debug *d = t->vm->debug;
	if (!d ||
	    t->borrowed) /* also when the client is gone: its thread keeps the process from ending by itself */
		return;
	pthread_mutex_lock(&d->lock);
	stand_still(d, t);
	t->debug.gone = true;
	if (t->tid == getpid())
		t->vm->leader_status = status;
	bool last = !find(d, any);
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
	if (!last)
		return;
	t->debug.gone = false;
	debug_exit(t, t->vm->leader_status, 0);
	RAW1(SYS_exit_group, t->vm->leader_status);
}

/* ---- exec: the connection goes on in the next program ---- */
void debug_before_exec(struct thread *t, char *session, size_t size)
{
	struct debug *d = t->vm->debug;
	char agreed[32];
	session[0] = 0;
	if (!is_debugged(t))
		return;
	pthread_mutex_lock(&d->lock);
	stand_still(d, t);
	d->leaving = true;
	wake_connection(d);
	while (!d->left && !d->over)
		pthread_cond_wait(&d->changed, &d->lock);
	pthread_mutex_unlock(&d->lock);
	if (d->over)
		return;
	gdb_save(d->gdb, agreed, sizeof(agreed));
	snprintf(session, size, "%d %llx %s", d->fd, (unsigned long long)d->pass, agreed);
	RAW3(SYS_fcntl, d->fd, F_SETFD, 0);
}

void debug_exec_failed(struct thread *t)
{
	struct debug *d = t->vm->debug;
	if (!d->left)
		return;
	RAW3(SYS_fcntl, d->fd, F_SETFD, FD_CLOEXEC);
	d->leaving = d->left = false;
	if (debug_serve(d) < 0)
		debug_end(d);
}

void debug_after_fork(struct thread *t)
{
	struct debug *d = t->vm->debug;
	if (!d)
		return;
	close(d->fd);
	close(d->wake);
	if (d->mem >= 0)
		close(d->mem);
	t->vm->debug = NULL;
	t->debug = (struct debug_part){ 0 };
	engine_debug_clear(t->vm->engine);
}
