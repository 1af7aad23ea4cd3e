/*
 * Signals: the host's handler, delivery into the guest, default actions. How it works: internal.h.
 *
 * Manual: man 7 signal, 2 sigaction, 2 sigaltstack; order of delivery and restart rules as man 7 signal has them.
 */
#include "linux/internal.h"
#include "linux/syscalls/arg.h"
#include "syscalls.gen.h"
#include "translate/host/syscall.h"
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SIGBIT(sig) BIT((sig)-1)
typedef void host_handler_fn(int, void *, void *);
#define HOST_DEFAULT ((host_handler_fn *)(uintptr_t)SIG_DFL)
#define HOST_IGNORE ((host_handler_fn *)(uintptr_t)SIG_IGN)
/* Signals a fault can raise: never blocked on the host. */
#define FAULTS (SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGFPE) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP))
#define DUMPS \
	(FAULTS | SIGBIT(SIGQUIT) | SIGBIT(SIGABRT) | SIGBIT(SIGSYS) | SIGBIT(SIGXCPU) | SIGBIT(SIGXFSZ))
#define IGNORED (SIGBIT(SIGCHLD) | SIGBIT(SIGCONT) | SIGBIT(SIGURG) | SIGBIT(SIGWINCH))
#define STOPS (SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))
#define UNBLOCKABLE (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))
enum {
	SA_KNOWN = SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER |
		   (int)SA_RESETHAND | 0x800 | 0x04000000
};
#define SS_AUTODISARM_ (1u << 31)

/* clang-format off */
const char *const signal_names[NSIG_GUEST + 1] = {
	[1] = "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV",
	"SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU",
	"SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
};
/* clang-format on */

static __thread struct thread *self;

struct thread *thread_self(void)
{
	return self;
}

void thread_set_self(struct thread *t)
{
	self = t;
}

/* ---- masks ---- */
void signal_host_mask(u64 mask)
{
	mask &= ~FAULTS;
	RAW4(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
}

u64 signal_block_all(void)
{
	u64 all = ~FAULTS, old = 0;
	RAW4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(all));
	return old;
}

void signal_set_mask(struct thread *t, u64 mask)
{
	t->mask = mask & ~UNBLOCKABLE;
	if (t->held_set & ~t->mask)
		t->pending = 1;
	if (!t->has_queued)
		signal_host_mask(t->mask);
}

/* ---- the host's side ---- */
static void give_up(int sig)
{
	host_sigaction(sig, HOST_DEFAULT, 0, 0);
}

static NO_TSAN void host_handler(int sig, void *vinfo, void *uc)
{
	struct thread *t = self;
	siginfo_t *info = vinfo;
	bool can_fault = FAULTS >> (sig - 1) & 1;
	int saved_errno = errno;
	if (can_fault && info->si_code > 0) {
		if (!host_guard_fault(uc) && !(t && engine_fault(t->cpu, uc, info)))
			give_up(sig); /* a fault of our own: happens again, and is fatal */
		errno = saved_errno;
		return;
	}
	if (!t)
		return;
	if (t->vm->debug && debug_is_kick(info)) {
		cpu_stop(t->cpu);
		host_signal_fix(uc);
		return;
	}
	if (can_fault) {
		t->held[sig] = *info;
		t->held_set |= SIGBIT(sig);
	} else {
		t->queued = *info;
		t->has_queued = 1;
	}
	t->pending = 1;
	cpu_stop(t->cpu);
	if (!can_fault || !(t->mask & SIGBIT(sig)))
		host_signal_fix(uc);
	if (!can_fault)
		host_context_set_mask(uc, ~FAULTS);
	errno = saved_errno;
}

/* Makes the host do with a signal what the guest's action asks for. */
static void install(const struct sighand *sh, int sig, const struct guest_action *act)
{
	u64 seen = DUMPS | (sh->all ? ~IGNORED : 0);
	u64 flags = SA_SIGINFO | SA_RESTART | (act->flags & (SA_NOCLDSTOP | SA_NOCLDWAIT));
	void (*fn)(int, void *, void *) = host_handler;
	if (!(FAULTS & SIGBIT(sig))) {
		if (act->handler == (u64)SIG_IGN)
			fn = HOST_IGNORE;
		else if (act->handler == (u64)SIG_DFL && !(seen & SIGBIT(sig)))
			fn = HOST_DEFAULT;
	}
	host_sigaction(sig, fn, flags, ~FAULTS);
}

struct sighand *signal_begin(bool debugged)
{
	struct sighand *sh = sighand_copy(NULL);
	sh->all = debugged;
	for (int sig = 1; sig <= NSIG_GUEST; sig++) {
		struct {
			u64 handler, flags, restorer, mask;
		} was = { 0 };
		struct guest_action *act = &sh->action[sig];
		if (SIGBIT(sig) & UNBLOCKABLE || RAW4(SYS_rt_sigaction, sig, NULL, &was, 8) < 0)
			continue;
		act->handler = was.handler == (u64)SIG_IGN ? (u64)SIG_IGN : (u64)SIG_DFL;
		if (DUMPS & SIGBIT(sig) || debugged)
			install(sh, sig, act);
	}
	return sh;
}

void signal_init(struct thread *t)
{
	u64 mask = 0;
	RAW4(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &mask, sizeof(mask));
	t->mask = (t->vm->opt->restore_mask ? t->vm->opt->signal_mask : mask) & ~UNBLOCKABLE;
	signal_host_mask(t->mask);
}

struct sighand *sighand_copy(struct sighand *from)
{
	struct sighand *sh = alloc(sizeof(*sh));
	if (from) {
		pthread_mutex_lock(&from->lock);
		memcpy(sh->action, from->action, sizeof(sh->action));
		sh->all = from->all;
		pthread_mutex_unlock(&from->lock);
	}
	pthread_mutex_init(&sh->lock, NULL);
	sh->refs = 1;
	return sh;
}

void sighand_put(struct sighand *sh)
{
	if (__atomic_sub_fetch(&sh->refs, 1, __ATOMIC_ACQ_REL) == 0)
		free(sh);
}

void sighand_clear(struct thread *t)
{
	for (int sig = 1; sig <= NSIG_GUEST; sig++)
		if (t->sighand->action[sig].handler > (u64)SIG_IGN) {
			t->sighand->action[sig] = (struct guest_action){ 0 };
			install(t->sighand, sig, &t->sighand->action[sig]);
		}
}

/* Signals that faults can raise have our handler even when the guest ignores them; a program that we exec inherits the wish. */
void signal_before_exec(struct thread *t, bool undo)
{
	for (int sig = 1; sig < 32; sig++)
		if (FAULTS & SIGBIT(sig) && t->sighand->action[sig].handler == (u64)SIG_IGN)
			host_sigaction(sig, undo ? host_handler : HOST_IGNORE, SA_SIGINFO, ~FAULTS);
}

/* ---- delivery ---- */
static bool on_altstack(const struct thread *t, u64 sp)
{
	return !(t->alt_flags & SS_AUTODISARM_) && t->alt_size && sp > t->alt_base &&
	       sp - t->alt_base <= t->alt_size;
}

static u32 altstack_state(const struct thread *t, u64 sp)
{
	return (t->alt_size ? on_altstack(t, sp) ? SS_ONSTACK : 0 : SS_DISABLE) |
	       (t->alt_flags & SS_AUTODISARM_);
}

static NORETURN void die_by(int sig)
{
	u64 none = ~SIGBIT(sig);
	host_sigaction(sig, HOST_DEFAULT, 0, 0);
	RAW3(SYS_tgkill, getpid(), RAW1(SYS_gettid, 0), sig);
	RAW4(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
	for (;;)
		RAW1(SYS_exit_group, 128 + sig);
}

void signal_die(struct thread *t, const siginfo_t *info)
{
	int sig = info->si_signo;
	signal_block_all();
	if (trace_on(&t->vm->log, TRACE_USER_DUMP_CORE_AND_ABORT))
		trace_put(&t->vm->log, TRACE_USER_DUMP_CORE_AND_ABORT, "env=%p signal %d", (void *)t->cpu, sig);
	if (DUMPS & SIGBIT(sig)) {
		struct rlimit none = { 0, 0 };
		bool dumped = core_dump(t, info);
		if (!getrlimit(RLIMIT_CORE, &none))
			none.rlim_cur = 0;
		setrlimit(RLIMIT_CORE, &none);
		dprintf(2, "qemu: uncaught target signal %d (%s) - %s\n", sig, sigdescr_np(sig),
			dumped ? "core dumped" : "core not dumped");
	}
	if (t->vm->debug)
		debug_exit(t, 0, sig);
	if (t->vm->opt->stats)
		vm_print_stats(t->vm);
	engine_keep_flush(t->vm->engine);
	die_by(sig);
}

static void force_segv(struct thread *t)
{
	siginfo_t info = { .si_signo = SIGSEGV, .si_code = SI_KERNEL };
	signal_die(t, &info);
}

static void default_action(struct thread *t, const siginfo_t *info)
{
	u64 bit = SIGBIT(info->si_signo);
	if (bit & IGNORED)
		return;
	if (bit & STOPS)
		RAW2(SYS_kill, getpid(), SIGSTOP);
	else
		signal_die(t, info);
}

static void take(struct thread *t, const siginfo_t *info, bool is_fault);

/* A debugger may want another signal, or none. */
static void deliver(struct thread *t, const siginfo_t *info, bool is_fault)
{
	int sig = t->vm->debug ? debug_signal(t, info) : info->si_signo;
	siginfo_t other = { .si_signo = sig, .si_code = SI_USER };
	if (sig == info->si_signo)
		take(t, info, is_fault);
	else if (sig)
		take(t, &other, false);
}

/* -d int */
static void log_signal(const struct thread *t, const siginfo_t *info, bool is_fault)
{
	const struct log *l = &t->vm->log;
	u64 pc = t->cpu->pc;
	if (log_has(l, LOG_INT) && log_covers(l, pc))
		log_put(l, "Taking signal %d (%s) at pc 0x%llx, code %d, address 0x%llx\n", info->si_signo,
			sigdescr_np(info->si_signo), (unsigned long long)pc, info->si_code, is_fault ? (unsigned long long)t->fault_addr : 0);
}

/* Runs the handler of one signal, or does what stands for it. */
static void take(struct thread *t, const siginfo_t *info, bool is_fault)
{
	int sig = info->si_signo;
	const struct log *l = &t->vm->log;
	log_signal(t, info, is_fault);
	if (trace_on(l, TRACE_USER_HANDLE_SIGNAL))
		trace_put(l, TRACE_USER_HANDLE_SIGNAL, "env=%p signal %d", (void *)t->cpu, sig);
	if (trace_on(l, TRACE_USER_HOST_SIGNAL) && !is_fault)
		trace_put(l, TRACE_USER_HOST_SIGNAL, "env=%p signal %d from the host", (void *)t->cpu, sig);
	struct guest_action *slot = &t->sighand->action[sig], act;
	pthread_mutex_lock(&t->sighand->lock);
	act = *slot;
	if (act.flags & SA_RESETHAND && act.handler > (u64)SIG_IGN) {
		slot->handler = (u64)SIG_DFL;
		install(t->sighand, sig, slot);
	}
	pthread_mutex_unlock(&t->sighand->lock);
	if (log_has(&t->vm->log, LOG_STRACE))
		strace_signal(t, info);
	if (act.handler == (u64)SIG_IGN && !is_fault)
		return;
	if (act.handler <= (u64)SIG_IGN) {
		if (is_fault)
			signal_die(t, info);
		default_action(t, info);
		return;
	}
	if (t->restart && t->restart_result == -EINTR_RESTART && !(act.flags & SA_RESTART)) {
		t->cpu->pc += t->abi->insn_len;
		t->abi->set_result(t->cpu, -EINTR);
	}
	t->restart = false;
	u64 sp = t->abi->sp(t->cpu);
	struct sigframe_info f = { .sig = sig,
				   .info = info,
				   .action = &act,
				   .old_mask = t->mask,
				   .sp = sp,
				   .stack_base = t->alt_base,
				   .stack_size = t->alt_size,
				   .stack_flags = altstack_state(t, sp),
				   .trampoline = vdso_sigreturn(t->vm) };
	if (is_fault) {
		f.fault_addr = t->fault_addr;
		f.fault_esr = t->fault_esr;
	}
	if (act.flags & SA_ONSTACK && t->alt_size && !on_altstack(t, sp))
		f.sp = t->alt_base + t->alt_size;
	if (!t->abi->frame_setup(t, &f)) {
		if (log_has(&t->vm->log, LOG_GUEST_ERRORS))
			log_put(&t->vm->log, "no room for the frame of signal %d at 0x%llx\n", sig, (unsigned long long)f.sp);
		force_segv(t);
	}
	if (trace_on(l, TRACE_USER_SETUP_RT_FRAME))
		trace_put(l, TRACE_USER_SETUP_RT_FRAME, "env=%p frame_addr=0x%llx", (void *)t->cpu, (unsigned long long)t->abi->sp(t->cpu));
	if (t->alt_flags & SS_AUTODISARM_)
		t->alt_base = t->alt_size = t->alt_flags = 0;
	u64 base = t->suspended ? t->suspend_mask : t->mask;
	t->suspended = false;
	t->mask = (base | act.mask | (act.flags & SA_NODEFER ? 0 : SIGBIT(sig))) & ~UNBLOCKABLE;
	if (t->vm->debug)
		debug_entered_handler(t);
}

void signal_deliver(struct thread *t)
{
	while (t->pending) {
		t->pending = 0;
		u64 open = ~(t->suspended ? t->suspend_mask : t->mask);
		u64 held = t->held_set & open;
		if (held) {
			int sig = __builtin_ctzll(held) + 1;
			siginfo_t info = t->held[sig];
			__atomic_and_fetch(&t->held_set, ~SIGBIT(sig), __ATOMIC_RELAXED);
			t->pending = t->has_queued || t->held_set;
			deliver(t, &info, false);
			if (!t->has_queued)
				signal_host_mask(t->mask);
		} else if (t->has_queued) {
			siginfo_t info = t->queued;
			deliver(t, &info, false);
			t->has_queued = 0;
			if (t->held_set & ~t->mask)
				t->pending = 1;
			signal_host_mask(t->mask); /* the next one may come right here */
		}
	}
	t->restart = t->suspended = false;
}

void signal_fault(struct thread *t, int sig, int code, u64 addr, u64 esr)
{
	siginfo_t info = { .si_signo = sig, .si_code = code };
	info.si_addr = (void *)addr;
	t->fault_addr = addr;
	t->fault_esr = esr;
	signal_force(t, &info);
}

void signal_force(struct thread *t, const siginfo_t *info)
{
	if (t->mask & SIGBIT(info->si_signo)) {
		if (t->vm->debug)
			debug_signal(t, info);
		if (log_has(&t->vm->log, LOG_STRACE))
			strace_signal(t, info);
		signal_die(t, info);
	}
	deliver(t, info, true);
	if (!t->has_queued)
		signal_host_mask(t->mask);
}

/* ---- the calls ---- */
bool signal_gate(struct thread *t)
{
	signal_block_all();
	return t->has_queued;
}

bool get_set(struct thread *t, u64 addr, u64 *ret)
{
	return get_u64(t->vm, addr, ret);
}

static bool put_set(struct thread *t, u64 addr, u64 set, size_t len)
{
	u8 b[8];
	if (t->abi->big_endian)
		st_be64(b, set);
	else
		st_le64(b, set);
	return put_mem(t->vm, addr, b, len);
}

/* struct sigaction: handler, flags, on some architectures the restorer, then the mask. */
static bool get_action(struct thread *t, u64 addr, struct guest_action *act)
{
	unsigned word = t->abi->word;
	u64 mask_at = addr + (t->abi->sa_restorer ? 3 : 2) * word;
	return get_word(t->vm, addr, &act->handler) && get_word(t->vm, addr + word, &act->flags) &&
	       (!t->abi->sa_restorer || get_word(t->vm, addr + 2 * word, &act->restorer)) &&
	       get_set(t, mask_at, &act->mask);
}

static bool put_action(struct thread *t, u64 addr, const struct guest_action *act)
{
	unsigned word = t->abi->word;
	u64 mask_at = addr + (t->abi->sa_restorer ? 3 : 2) * word;
	return put_word(t->vm, addr, act->handler) && put_word(t->vm, addr + word, act->flags) &&
	       (!t->abi->sa_restorer || put_word(t->vm, addr + 2 * word, act->restorer)) &&
	       put_set(t, mask_at, act->mask, sizeof(act->mask));
}

i64 sys_rt_sigaction(CALL_ARGS)
{
	int sig = (int)a[0];
	struct guest_action new = { 0 };
	if (a[3] != 8)
		return -EINVAL;
	if (sig < 1 || sig > NSIG_GUEST || (a[1] && SIGBIT(sig) & UNBLOCKABLE))
		return -EINVAL;
	if (a[1] && !get_action(t, a[1], &new))
		return -EFAULT;
	struct guest_action *slot = &t->sighand->action[sig];
	pthread_mutex_lock(&t->sighand->lock);
	struct guest_action old = *slot;
	if (a[1]) {
		new.flags &= SA_KNOWN;
		new.mask &= ~UNBLOCKABLE;
		*slot = new;
		install(t->sighand, sig, slot);
		if (slot->handler == (u64)SIG_IGN)
			__atomic_and_fetch(&t->held_set, ~SIGBIT(sig), __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&t->sighand->lock);
	return a[2] && !put_action(t, a[2], &old) ? -EFAULT : 0;
}

i64 sys_rt_sigprocmask(CALL_ARGS)
{
	u64 set = 0, old = t->mask, new = old;
	if (a[3] != 8)
		return -EINVAL;
	if (a[1]) {
		if (!get_set(t, a[1], &set))
			return -EFAULT;
		switch ((int)a[0]) {
		case SIG_BLOCK:
			new = old | set;
			break;
		case SIG_UNBLOCK:
			new = old & ~set;
			break;
		case SIG_SETMASK:
			new = set;
			break;
		default:
			return -EINVAL;
		}
	}
	if (a[1] && new != old) {
		if (signal_gate(t))
			return -EINTR_AGAIN;
		signal_set_mask(t, new);
	}
	return a[2] && !put_set(t, a[2], old, 8) ? -EFAULT : 0;
}

i64 sys_rt_sigpending(CALL_ARGS)
{
	u64 set = 0;
	if (a[1] > 8)
		return -EINVAL;
	RAW2(SYS_rt_sigpending, &set, 8);
	return put_set(t, a[0], (set | t->held_set) & t->mask, a[1]) ? 0 : -EFAULT;
}

i64 signal_wait_with(struct thread *t, u64 mask,
		     i64 (*call)(struct thread *t, const u64 *a, const u64 *host_mask), const u64 *a)
{
	u64 host_mask = mask & ~FAULTS;
	if (t->held_set & ~mask) {
		t->pending = 1;
		cpu_stop(t->cpu);
	}
	t->suspend_mask = mask & ~UNBLOCKABLE;
	t->suspended = true;
	i64 r = call(t, a, &host_mask);
	if (r == -EINTR_AGAIN && t->held_set & ~mask && !t->has_queued)
		r = -EINTR;
	if (r != -EINTR)
		t->suspended = false;
	return r;
}

static i64 suspend(struct thread *t, const u64 *a UNUSED, const u64 *host_mask)
{
	return HOST2(SYS_rt_sigsuspend, host_mask, 8);
}

i64 sys_rt_sigsuspend(CALL_ARGS)
{
	u64 mask;
	if (a[1] != 8)
		return -EINVAL;
	if (!get_set(t, a[0], &mask))
		return -EFAULT;
	return signal_wait_with(t, mask, suspend, a);
}

static i64 timed_wait(struct thread *t, const u64 *a, const struct timespec *timeout)
{
	u64 set;
	siginfo_t info;
	u8 buf[sizeof(info)];
	if (a[3] != 8)
		return -EINVAL;
	if (!get_set(t, a[0], &set))
		return -EFAULT;
	u64 held = t->held_set & set;
	i64 sig;
	if (held) {
		sig = __builtin_ctzll(held) + 1;
		__atomic_and_fetch(&t->held_set, ~SIGBIT(sig), __ATOMIC_RELAXED);
		info = t->held[sig];
	} else {
		sig = HOST4(SYS_rt_sigtimedwait, &set, &info, timeout, 8);
	}
	if (sig > 0 && a[1]) {
		siginfo_to_guest(t->abi, buf, &info);
		if (!put_mem(t->vm, a[1], buf, sizeof(buf)))
			return -EFAULT;
	}
	return sig;
}

i64 sys_rt_sigtimedwait(CALL_ARGS)
{
	struct timespec ts;
	if (a[2] && !get_struct(t->vm, LAYOUT_timespec, &ts, a[2]))
		return -EFAULT;
	return timed_wait(t, a, a[2] ? &ts : NULL);
}

i64 sys_rt_sigtimedwait_time64(CALL_ARGS)
{
	struct timespec ts;
	if (a[2] && !get_struct(t->vm, LAYOUT_timespec64, &ts, a[2]))
		return -EFAULT;
	return timed_wait(t, a, a[2] ? &ts : NULL);
}

i64 sys_rt_sigreturn(CALL_ARGS)
{
	u64 mask;
	if (signal_gate(t))
		return -EINTR_AGAIN;
	if (trace_on(&t->vm->log, TRACE_USER_DO_RT_SIGRETURN))
		trace_put(&t->vm->log, TRACE_USER_DO_RT_SIGRETURN, "env=%p frame_addr=0x%llx", (void *)t->cpu,
			  (unsigned long long)t->abi->sp(t->cpu));
	if (!t->abi->frame_return(t, &mask)) {
		if (log_has(&t->vm->log, LOG_GUEST_ERRORS))
			log_put(&t->vm->log, "rt_sigreturn: the frame at 0x%llx is damaged\n", (unsigned long long)t->abi->sp(t->cpu));
		signal_set_mask(t, t->mask);
		siginfo_t info = { .si_signo = SIGSEGV, .si_code = SI_KERNEL };
		if (t->mask & SIGBIT(SIGSEGV) || t->sighand->action[SIGSEGV].handler <= (u64)SIG_IGN)
			signal_die(t, &info);
		t->fault_addr = t->fault_esr = 0;
		deliver(t, &info, true);
		return -RESULT_NONE;
	}
	signal_set_mask(t, mask);
	return -RESULT_NONE;
}

i64 sys_sigaltstack(CALL_ARGS)
{
	stack_t ss;
	u64 sp = t->abi->sp(t->cpu);
	stack_t old = { .ss_sp = (void *)t->alt_base,
			.ss_size = t->alt_size,
			.ss_flags = (int)altstack_state(t, sp) };
	if (a[0]) {
		if (!get_struct(t->vm, LAYOUT_stack, &ss, a[0]))
			return -EFAULT;
		u32 mode = (u32)ss.ss_flags & ~SS_AUTODISARM_;
		if (on_altstack(t, sp))
			return -EPERM;
		if (mode != 0 && mode != SS_DISABLE && mode != SS_ONSTACK)
			return -EINVAL;
		if (mode != SS_DISABLE && ss.ss_size < t->abi->min_sigstack)
			return -ENOMEM;
		t->alt_base = mode == SS_DISABLE ? 0 : (u64)ss.ss_sp;
		t->alt_size = mode == SS_DISABLE ? 0 : ss.ss_size;
		t->alt_flags = (u32)ss.ss_flags & SS_AUTODISARM_;
	}
	return a[1] && !put_struct(t->vm, LAYOUT_stack, a[1], &old) ? -EFAULT : 0;
}

/* sigreturn takes back the alternate stack as it was when the handler started. */
void signal_restore_altstack(struct thread *t, u64 base, u64 size, u32 flags)
{
	u32 mode = flags & ~SS_AUTODISARM_;
	if (on_altstack(t, t->abi->sp(t->cpu)) || (mode != SS_DISABLE && size < t->abi->min_sigstack))
		return;
	t->alt_base = mode == SS_DISABLE ? 0 : base;
	t->alt_size = mode == SS_DISABLE ? 0 : size;
	t->alt_flags = flags & SS_AUTODISARM_;
}
