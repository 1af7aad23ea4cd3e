/*
 * What users of user mode complained of most, as far as no other program here shows it; docs/user/user-mode.md lists all twelve. Numbers are that
 * list's.
 */
#define _GNU_SOURCE
#include "check.h"
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>

/* 2: a large .bss and the brk area behind it */
static char huge[64 << 20];

static void bss_and_brk(void)
{
	int clean = 1;
	for (size_t i = 0; i < sizeof(huge); i += 4096)
		clean &= huge[i] == 0;
	huge[sizeof(huge) - 1] = 1;
	CHECK("2: a huge bss is clean and writable", clean && huge[sizeof(huge) - 1] == 1);
	char *old = sbrk(48 << 20);
	CHECK("2: brk has room behind it", old != (void *)-1 && (old[0] = 1) && (old[(48 << 20) - 1] = 1) && sbrk(-(48 << 20)) != (void *)-1);
}

/* 4: a signal sent to a thread moves it elsewhere and it goes on later, as Go's scheduler does, also within a leaf loop */
static atomic_ulong diverted;
static volatile int spin_on = 1;

static void elsewhere(void)
{
	atomic_fetch_add(&diverted, 1);
}

/* A call put in behind the interrupted instruction: the stub saves what the code in the middle of nowhere may hold. */
__attribute__((naked)) static void detour(void)
{
	__asm__("sub sp, sp, #1024\n stp x0, x1, [sp]\n stp x2, x3, [sp, #16]\n stp x4, x5, [sp, #32]\n stp x6, x7, [sp, #48]\n"
		"stp x8, x9, [sp, #64]\n stp x10, x11, [sp, #80]\n stp x12, x13, [sp, #96]\n stp x14, x15, [sp, #112]\n"
		"stp x16, x17, [sp, #128]\n stp x18, x29, [sp, #144]\n mrs x0, nzcv\n stp x30, x0, [sp, #160]\n"
		"stp q0, q1, [sp, #176]\n stp q2, q3, [sp, #208]\n stp q4, q5, [sp, #240]\n stp q6, q7, [sp, #272]\n"
		"stp q16, q17, [sp, #304]\n stp q18, q19, [sp, #336]\n stp q20, q21, [sp, #368]\n stp q22, q23, [sp, #400]\n"
		"bl elsewhere_c\n"
		"ldp q0, q1, [sp, #176]\n ldp q2, q3, [sp, #208]\n ldp q4, q5, [sp, #240]\n ldp q6, q7, [sp, #272]\n"
		"ldp q16, q17, [sp, #304]\n ldp q18, q19, [sp, #336]\n ldp q20, q21, [sp, #368]\n ldp q22, q23, [sp, #400]\n"
		"ldp x30, x0, [sp, #160]\n msr nzcv, x0\n ldp x0, x1, [sp]\n ldp x2, x3, [sp, #16]\n ldp x4, x5, [sp, #32]\n"
		"ldp x6, x7, [sp, #48]\n ldp x8, x9, [sp, #64]\n ldp x10, x11, [sp, #80]\n ldp x12, x13, [sp, #96]\n"
		"ldp x14, x15, [sp, #112]\n ldp x16, x17, [sp, #128]\n ldp x18, x29, [sp, #144]\n add sp, sp, #1024\n"
		"ldr x27, [sp], #16\n br x27\n");
}
__attribute__((used)) void elsewhere_c(void);
void elsewhere_c(void)
{
	elsewhere();
}

/* x27 is given to the detour: the loop below does not use it. */
static void divert(int sig, siginfo_t *info, void *vuc)
{
	ucontext_t *uc = vuc;
	extern const char loop_begin[], loop_end[] __attribute__((visibility("hidden")));
	uint64_t pc = uc->uc_mcontext.pc;
	(void)sig, (void)info;
	if (pc < (uint64_t)loop_begin || pc >= (uint64_t)loop_end)
		return;
	uc->uc_mcontext.sp -= 16;
	*(uint64_t *)uc->uc_mcontext.sp = pc;
	uc->uc_mcontext.pc = (uint64_t)detour;
}

static void *victim(void *arg)
{
	uint64_t n = 0, sum = 0, want = 0;
	stack_t own = { .ss_sp = arg, .ss_size = 65536 };
	sigaltstack(&own, NULL);
	while (spin_on) {
		uint64_t a = 0, i = 10000;
		__asm__ volatile(".globl loop_begin, loop_end\n loop_begin: add %0, %0, %1\n subs %1, %1, #1\n b.ne loop_begin\nloop_end:\n" : "+r"(a), "+r"(i) : : "cc", "x27");
		sum += a;
		want += 10000ull * 10001 / 2;
		n++;
	}
	return (void *)(uintptr_t)(n && sum == want);
}

static void preemption(void)
{
	struct sigaction sa = { .sa_sigaction = divert, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };
	pthread_t t;
	void *good;
	sigaction(SIGURG, &sa, NULL);
	pthread_create(&t, NULL, victim, malloc(65536));
	for (int i = 0; i < 2000 && atomic_load(&diverted) < 200; i++) {
		pthread_kill(t, SIGURG);
		usleep(500);
	}
	spin_on = 0;
	pthread_join(t, &good);
	CHECK("4: a thread is taken out of a loop anywhere, and goes on undisturbed", good && atomic_load(&diverted) >= 20);
}

/* 5, 6: code written through one mapping runs in another, over and over, with threads running it meanwhile */
static int (*volatile code)(void);
static void *runner(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100000; i++) {
		int v = code();
		if (v < 0 || v > 1000)
			return (void *)1;
	}
	return NULL;
}

static void put_code(uint32_t *rw, uint32_t *rx, int value)
{
	rw[0] = 0x52800000 | (uint32_t)value << 5; /* mov w0, #value */
	rw[1] = 0xd65f03c0; /* ret */
	__builtin___clear_cache((char *)rx, (char *)(rx + 2));
}

static void double_mapping(void)
{
	int fd = memfd_create("jit", 0), same = 1;
	void *bad;
	pthread_t t;
	ftruncate(fd, 65536);
	uint32_t *rw = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint32_t *rx = mmap(NULL, 65536, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	put_code(rw, rx, 0);
	code = (int (*)(void))rx;
	for (int i = 1; i <= 500; i++) {
		put_code(rw, rx, i);
		same &= code() == i;
	}
	CHECK("5, 6: code written by its other mapping is the code that runs", same);
	pthread_create(&t, NULL, runner, NULL);
	for (int i = 0; i < 300; i++) {
		put_code(rw, rx, i % 1000);
		sched_yield();
	}
	pthread_join(t, &bad);
	CHECK("5, 6: also while a thread runs it", !bad);
	int r = (int)syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
	CHECK("5: membarrier works, or says that it is not there",
	      r == 0 ? !syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) : errno == ENOSYS || errno == EINVAL || errno == EPERM);
}

/* 8: threads poll by reading a page that is taken away when they shall stop */
static char *page;
static atomic_int stopped, safe_round, resumed;
static void safepoint(int sig, siginfo_t *info, void *uc)
{
	(void)sig, (void)uc;
	if ((char *)info->si_addr < page || (char *)info->si_addr >= page + 4096)
		_exit(99);
	int now = atomic_load(&safe_round);
	atomic_fetch_add(&stopped, 1);
	while (atomic_load(&resumed) < now)
		sched_yield();
}

static void *java(void *arg)
{
	volatile char *p = page;
	for (volatile long *until = arg; *until;)
		(void)*p;
	return NULL;
}

static void safepoints(void)
{
	struct sigaction sa = { .sa_sigaction = safepoint, .sa_flags = SA_SIGINFO };
	pthread_t t[3];
	volatile long go = 1;
	unsigned cpu = ~0u;
	int rounds = 0;
	sigaction(SIGSEGV, &sa, NULL);
	page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, java, (void *)&go);
	for (; rounds < 20; rounds++) {
		atomic_store(&stopped, 0);
		atomic_store(&safe_round, rounds + 1);
		mprotect(page, 4096, PROT_NONE);
		for (int i = 0; i < 20000 && atomic_load(&stopped) < 3; i++)
			usleep(100);
		if (atomic_load(&stopped) != 3)
			break;
		mprotect(page, 4096, PROT_READ);
		atomic_store(&resumed, rounds + 1);
	}
	mprotect(page, 4096, PROT_READ);
	atomic_store(&resumed, 1000);
	go = 0;
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	CHECK("8: threads stop at a page that is taken away, and go on", rounds == 20);
	CHECK("8: getcpu", syscall(SYS_getcpu, &cpu, NULL, NULL) == 0 && cpu < 4096);
	signal(SIGSEGV, SIG_DFL);
}

/* 9: fork and exec from a process full of threads and timers */
static void *churn(void *arg)
{
	while (*(volatile int *)arg)
		free(malloc(1000));
	return NULL;
}

static void tick(int sig)
{
	(void)sig;
}

static void fork_storm(void)
{
	volatile int go = 1;
	int good = 0, status;
	pthread_t t[3];
	struct itimerval fast = { { 0, 2000 }, { 0, 2000 } }, none = { { 0, 0 }, { 0, 0 } };
	struct sigaction sa = { .sa_handler = tick, .sa_flags = SA_RESTART };
	sigaction(SIGALRM, &sa, NULL);
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, churn, (void *)&go);
	setitimer(ITIMER_REAL, &fast, NULL);
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();
		if (!child) {
			free(malloc(100));
			_exit(7);
		}
		good += child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7;
	}
	setitimer(ITIMER_REAL, &none, NULL);
	go = 0;
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	CHECK("9: fork among threads under a timer's signals", good == 20);
}

/* 11: flags of namespaces reach the kernel; what is not there says so */
static void interfaces(void)
{
	int status = -1;
	pid_t child = fork();
	if (!child)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 || errno == EPERM || errno == ENOSPC ? 0 : errno);
	waitpid(child, &status, 0);
	CHECK("11: a namespace can be had, or the kernel forbids it", WIFEXITED(status) && WEXITSTATUS(status) == 0);
	errno = 0;
	CHECK("11: io_uring is absent, not broken", syscall(425, 4, NULL) == -1 && (errno == ENOSYS || errno == EPERM || errno == EFAULT));
	void *p = mmap(NULL, 1ul << 42, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK("11: a sanitizer's reservation of 4 TiB", p != MAP_FAILED && !munmap(p, 1ul << 42));
}

int main(void)
{
	bss_and_brk();
	preemption();
	double_mapping();
	safepoints();
	fork_storm();
	interfaces();
	return check_failed;
}
