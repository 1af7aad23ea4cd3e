/* Signals: handlers, masks, queues, stacks, restarts, contexts that a handler changes. */
#define _GNU_SOURCE
#include "arch.h"
#include "check.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <poll.h>
#include <time.h>

static volatile int count, last, values[16], n_values;
static volatile void *fault_addr;
static volatile int fault_code;
static sigjmp_buf back;

static void counter(int sig)
{
	count++;
	last = sig;
}

static void queued(int sig, siginfo_t *info, void *uc)
{
	if (n_values < 16)
		values[n_values++] = info->si_value.sival_int;
}

static void set(int sig, void *fn, int flags)
{
	struct sigaction sa = { .sa_flags = flags };
	sa.sa_sigaction = fn;
	sigaction(sig, &sa, NULL);
}

static void on_fault(int sig, siginfo_t *info, void *uc)
{
	fault_addr = info->si_addr;
	fault_code = info->si_code;
	last = sig;
	siglongjmp(back, 1);
}

static void skip_fault(int sig, siginfo_t *info, void *vuc)
{
	ucontext_t *uc = vuc;
	count++;
	CONTEXT_REG(uc) = 0x1234;
	CONTEXT_PC(uc) += 4;
}

static void faults(void)
{
	int page = getpagesize();
	char *ro = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	set(SIGSEGV, on_fault, SA_SIGINFO);
	set(SIGBUS, on_fault, SA_SIGINFO);
	set(SIGILL, on_fault, SA_SIGINFO);
	set(SIGTRAP, on_fault, SA_SIGINFO);
	if (!sigsetjmp(back, 1))
		*(volatile int *)0x1238 = 1;
	CHECK("write to unmapped memory: address and code", fault_addr == (void *)0x1238 && fault_code == SEGV_MAPERR);
	if (!sigsetjmp(back, 1))
		ro[16] = 1;
	CHECK("write to read-only memory: address and code", fault_addr == ro + 16 && fault_code == SEGV_ACCERR);
	if (!sigsetjmp(back, 1))
		((void (*)(void))ro)();
	CHECK("jump to memory that is not executable", fault_addr == ro && fault_code == SEGV_ACCERR && last == SIGSEGV);
	FILE *f = tmpfile();
	char *map = mmap(NULL, page, PROT_READ, MAP_SHARED, fileno(f), 0);
	if (!sigsetjmp(back, 1))
		(void)*(volatile char *)map;
	CHECK("read behind the end of a file: SIGBUS", last == SIGBUS && fault_code == BUS_ADRERR && fault_addr == map);
	if (!sigsetjmp(back, 1))
		__asm__ volatile(UNDEFINED_INSN);
	CHECK("undefined instruction: SIGILL", last == SIGILL);
	if (!sigsetjmp(back, 1))
		__asm__ volatile(BREAK_INSN);
	CHECK("breakpoint: SIGTRAP", last == SIGTRAP);
	count = 0;
	set(SIGSEGV, skip_fault, SA_SIGINFO);
	unsigned long operand = 7;
	STORE_AT_NULL(operand);
	CHECK("handler changes a register and the pc", count == 1 && operand == 0x1234);
	fclose(f);
}

/* Addresses of no memory at all, among them some that the host's processor would not even look up. */
static void wild_pointers(void)
{
	static const unsigned long wild[] = { 0x123456780000, 0x0001000000000000, 0x1234567800000000, 0x0080000000000000, 0xffff800000001000 };
	int reads = 1, writes = 1, atomics = 1;
	set(SIGSEGV, on_fault, SA_SIGINFO);
	for (unsigned i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		void *seen = (void *)IGNORE_TOP(wild[i]);
		if (!sigsetjmp(back, 1))
			(void)*(volatile long *)wild[i];
		reads &= fault_addr == seen && fault_code == SEGV_MAPERR;
		fault_addr = NULL;
		if (!sigsetjmp(back, 1))
			*(volatile char *)wild[i] = 1;
		writes &= fault_addr == seen && fault_code == SEGV_MAPERR;
		fault_addr = NULL;
		if (!sigsetjmp(back, 1))
			__atomic_fetch_add((int *)wild[i], 1, __ATOMIC_SEQ_CST);
		atomics &= fault_addr == seen && fault_code == SEGV_MAPERR;
		fault_addr = NULL;
	}
	CHECK("reads by wild pointers are told with their address", reads);
	CHECK("so are writes", writes);
	CHECK("and atomic operations", atomics);
#ifdef __aarch64__
	static int here = 5;
	int *tagged = (int *)((unsigned long)&here | 0xa5ul << 56);
	int got = 0;
	if (!sigsetjmp(back, 1)) {
		*(volatile int *)tagged += 2;
		got = __atomic_add_fetch(tagged, 3, __ATOMIC_SEQ_CST);
	}
	CHECK("the top byte of an address does not count", got == 10 && here == 10);
#endif
}

static void real_time(void)
{
	sigset_t block, old;
	set(SIGRTMIN + 1, queued, SA_SIGINFO);
	set(SIGRTMIN + 2, queued, SA_SIGINFO);
	sigemptyset(&block);
	sigaddset(&block, SIGRTMIN + 1);
	sigaddset(&block, SIGRTMIN + 2);
	sigprocmask(SIG_BLOCK, &block, &old);
	n_values = 0;
	for (int i = 0; i < 3; i++) {
		sigqueue(getpid(), SIGRTMIN + 2, (union sigval){ .sival_int = 20 + i });
		sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 10 + i });
	}
	sigset_t pending;
	sigpending(&pending);
	CHECK("blocked signals are pending", sigismember(&pending, SIGRTMIN + 1) && sigismember(&pending, SIGRTMIN + 2));
	siginfo_t info;
	struct timespec zero = { 0 };
	int sig = sigtimedwait(&block, &info, &zero);
	CHECK("sigtimedwait takes the first of the lowest", sig == SIGRTMIN + 1 && info.si_value.sival_int == 10);
	sigprocmask(SIG_SETMASK, &old, NULL);
	CHECK("all queued signals arrive", n_values == 5);
	int n10 = 0, n20 = 0, ordered = 1;
	for (int i = 0; i < n_values; i++) {
		if (values[i] < 20)
			n10++;
		else
			n20++;
	}
	/* Each is delivered on top of the one before, so handlers run last to first within one delivery; the counts are what is sure. */
	CHECK("each with its value", n10 == 2 && n20 == 3 && ordered);
}

static char alt[65536] __attribute__((aligned(16)));
static volatile int on_alt;
static void where(int sig)
{
	char here;
	stack_t ss;
	sigaltstack(NULL, &ss);
	on_alt = &here >= alt && &here < alt + sizeof(alt) && ss.ss_flags == SS_ONSTACK;
}

static int recurse(int n)
{
	volatile char fill[4096];
	fill[0] = n;
	return recurse(n + 1) + fill[0];
}

static void stacks(void)
{
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) }, now;
	CHECK("sigaltstack", sigaltstack(&ss, NULL) == 0);
	set(SIGUSR1, where, SA_ONSTACK);
	raise(SIGUSR1);
	CHECK("handler runs on the alternate stack", on_alt);
	sigaltstack(NULL, &now);
	CHECK("and leaves it", now.ss_flags == 0 && now.ss_sp == alt);
	ss.ss_size = 100;
	CHECK("too small a stack is refused", sigaltstack(&ss, NULL) < 0 && errno == ENOMEM);
	set(SIGSEGV, on_fault, SA_SIGINFO | SA_ONSTACK);
	last = 0;
	if (!sigsetjmp(back, 1))
		recurse(0);
	CHECK("stack overflow is caught on the alternate stack", last == SIGSEGV);
}

static void flags(void)
{
	set(SIGUSR2, counter, SA_RESETHAND);
	count = 0;
	raise(SIGUSR2);
	struct sigaction sa;
	sigaction(SIGUSR2, NULL, &sa);
	CHECK("SA_RESETHAND", count == 1 && sa.sa_handler == SIG_DFL);
	CHECK("SIGKILL cannot be handled", sigaction(SIGKILL, &(struct sigaction){ .sa_handler = counter }, NULL) < 0 && errno == EINVAL);
	sa = (struct sigaction){ .sa_handler = counter, .sa_flags = SA_NODEFER | SA_RESTART };
	sigaddset(&sa.sa_mask, SIGHUP);
	sigaction(SIGUSR2, &sa, NULL);
	struct sigaction got;
	sigaction(SIGUSR2, NULL, &got);
	CHECK("sigaction gives back what it was given", got.sa_handler == counter && (got.sa_flags & ~0x04000000) == (SA_NODEFER | SA_RESTART) &&
							      sigismember(&got.sa_mask, SIGHUP));
}

static void restarts(void)
{
	int p[2];
	char c = 0;
	struct itimerval tv = { .it_value = { 0, 50000 } };
	pipe(p);
	set(SIGALRM, counter, 0);
	count = 0;
	setitimer(ITIMER_REAL, &tv, NULL);
	ssize_t n = read(p[0], &c, 1);
	CHECK("read is interrupted without SA_RESTART", n < 0 && errno == EINTR && count == 1);
	set(SIGALRM, counter, SA_RESTART);
	pid_t pid = fork();
	if (!pid) {
		usleep(150000);
		write(p[1], "x", 1);
		_exit(0);
	}
	setitimer(ITIMER_REAL, &tv, NULL);
	n = read(p[0], &c, 1);
	CHECK("read goes on with SA_RESTART", n == 1 && c == 'x' && count == 2);
	waitpid(pid, NULL, 0);
	setitimer(ITIMER_REAL, &tv, NULL);
	n = poll(NULL, 0, 2000);
	CHECK("poll is interrupted in spite of SA_RESTART", n < 0 && errno == EINTR);
	struct timespec ts = { 1, 0 }, left;
	setitimer(ITIMER_REAL, &tv, NULL);
	n = nanosleep(&ts, &left);
	CHECK("nanosleep tells what is left", n < 0 && errno == EINTR && left.tv_sec == 0 && left.tv_nsec > 500000000);
}

static void waiting(void)
{
	sigset_t block, old, none;
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	set(SIGUSR1, counter, 0);
	sigprocmask(SIG_BLOCK, &block, &old);
	raise(SIGUSR1);
	count = 0;
	CHECK("sigsuspend opens the mask", sigsuspend(&none) < 0 && errno == EINTR && count == 1);
	sigset_t now;
	sigprocmask(SIG_BLOCK, NULL, &now);
	CHECK("and puts it back", sigismember(&now, SIGUSR1));
	raise(SIGUSR1);
	count = 0;
	CHECK("ppoll opens the mask", ppoll(NULL, 0, NULL, &none) < 0 && errno == EINTR && count == 1);
	int fd = signalfd(-1, &block, SFD_CLOEXEC);
	raise(SIGUSR1);
	struct signalfd_siginfo si = { 0 };
	CHECK("signalfd reads a signal", read(fd, &si, sizeof(si)) == sizeof(si) && si.ssi_signo == SIGUSR1 && si.ssi_pid == getpid());
	close(fd);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static volatile int stop;
static volatile long hits;
static void hit(int sig, siginfo_t *info, void *uc)
{
	hits++;
}
static void *storm(void *arg)
{
	pthread_t main = *(pthread_t *)arg;
	while (!stop) {
		pthread_kill(main, SIGURG);
		struct timespec ts = { 0, 20000 };
		nanosleep(&ts, NULL);
	}
	return NULL;
}

static __attribute__((noinline)) unsigned long work(volatile unsigned *volatile count)
{
	unsigned n = *count;
	unsigned long h = 5381;
	double d = 1;
	for (unsigned i = 0; i < n; i++) {
		h = h * 33 + (i ^ h >> 7);
		d = d * 1.0000001 + 1e-9;
		if (d > 2)
			d -= 1;
	}
	return h + (unsigned long)(d * 1e9);
}

static void preemption(void)
{
	volatile unsigned n = 20000;
	unsigned long want = work(&n);
	pthread_t self = pthread_self(), t;
	set(SIGURG, hit, SA_SIGINFO | SA_RESTART);
	pthread_create(&t, NULL, storm, &self);
	int same = 1;
	for (int i = 0; i < 20000 && hits < 300; i++)
		same &= work(&n) == want;
	stop = 1;
	pthread_join(t, NULL);
	CHECK("a computation under a storm of signals is undisturbed", same && hits >= 300);
}

static void deaths(void)
{
	int status;
	pid_t pid = fork();
	if (!pid) {
		signal(SIGTERM, SIG_DFL);
		raise(SIGTERM);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	CHECK("a child dies by SIGTERM", WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	pid = fork();
	if (!pid) {
		close(2);
		signal(SIGSEGV, SIG_DFL);
		*(volatile int *)8 = 0;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	CHECK("a child dies by SIGSEGV", WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	pid = fork();
	if (!pid) {
		close(2);
		sigset_t set;
		sigemptyset(&set);
		sigaddset(&set, SIGSEGV);
		signal(SIGSEGV, counter);
		sigprocmask(SIG_BLOCK, &set, NULL);
		*(volatile int *)8 = 0;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	CHECK("a fault while SIGSEGV is blocked kills", WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	sigset_t set, old;
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	signal(SIGSEGV, counter);
	sigprocmask(SIG_BLOCK, &set, &old);
	count = 0;
	kill(getpid(), SIGSEGV);
	sigset_t pending;
	sigpending(&pending);
	CHECK("SIGSEGV that somebody sends can be blocked", count == 0 && sigismember(&pending, SIGSEGV));
	sigprocmask(SIG_SETMASK, &old, NULL);
	CHECK("and comes when it is unblocked", count == 1);
	pid = fork();
	if (!pid) {
		raise(SIGSTOP);
		_exit(3);
	}
	waitpid(pid, &status, WUNTRACED);
	CHECK("a child stops", WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	kill(pid, SIGCONT);
	waitpid(pid, &status, 0);
	CHECK("and goes on", WIFEXITED(status) && WEXITSTATUS(status) == 3);
}

int main(void)
{
	flags();
	real_time();
	faults();
	wild_pointers();
	stacks();
	restarts();
	waiting();
	deaths();
	preemption();
	return check_failed;
}
