/* seccomp: filters and the strict mode, as a program that locks itself in sees them. Each case is a child, since there is no way back. */
#define _GNU_SOURCE
#include "arch.h"
#include "check.h"
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF_NOT(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))
#if defined(__aarch64__)
#define ARCH 0xc00000b7
#elif __riscv_xlen == 64
#define ARCH 0xc00000f3
#else
#define ARCH 0x400000f3
#endif

/* What getppid gets; everything else is allowed. */
static int install(unsigned answer, unsigned flags)
{
	struct sock_filter code[] = { LOAD(arch), IF_NOT(ARCH, 3), LOAD(nr), IF_NOT(SYS_getppid, 1), RETURN(answer), RETURN(SECCOMP_RET_ALLOW) };
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

/* The wait status of a child that runs it; it ends with the result. */
static int child(int (*body)(void))
{
	int status = -1;
	fflush(stdout);
	pid_t pid = fork();
	if (!pid)
		_exit(body());
	waitpid(pid, &status, 0);
	return status;
}
#define ENDS(status, n) (WIFEXITED(status) && WEXITSTATUS(status) == (n))
#define DIES(status, sig) (WIFSIGNALED(status) && WTERMSIG(status) == (sig))

static int needs_leave(void)
{
	if (setresuid(65534, 65534, 65534))
		return 0;
	return install(SECCOMP_RET_ALLOW, 0) == -1 && errno == EACCES ? 0 : 1;
}

static void locked(void)
{
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int gives_errno(void)
{
	locked();
	if (install(SECCOMP_RET_ERRNO | EXDEV, 0))
		return 1;
	errno = 0;
	return syscall(SYS_getppid) == -1 && errno == EXDEV && getpid() > 0 && prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2 ? 0 : 2;
}

static int strictest_wins(void)
{
	locked();
	if (install(SECCOMP_RET_ERRNO | 7, 0) || install(SECCOMP_RET_TRACE, 0) || install(SECCOMP_RET_ERRNO | 9, 0) || install(SECCOMP_RET_LOG, 0))
		return 1;
	return syscall(SYS_getppid) == -1 && errno == 9 ? 0 : 2;
}

static int without_tracer(void)
{
	locked();
	return !install(SECCOMP_RET_TRACE, 0) && syscall(SYS_getppid) == -1 && errno == ENOSYS ? 0 : 1;
}

static volatile int trapped;
static void on_sys(int sig, siginfo_t *info, void *uc)
{
	trapped = sig == SIGSYS && info->si_code == 1 && info->si_errno == 77 && info->si_syscall == SYS_getppid && (unsigned)info->si_arch == ARCH &&
		  (unsigned long)info->si_call_addr == (unsigned long)CONTEXT_PC((ucontext_t *)uc);
}

static int traps(void)
{
	struct sigaction sa = { .sa_sigaction = on_sys, .sa_flags = SA_SIGINFO };
	locked();
	sigaction(SIGSYS, &sa, NULL);
	if (install(SECCOMP_RET_TRAP | 77, 0))
		return 1;
	syscall(SYS_getppid);
	return trapped ? 0 : 2;
}

static int blocked_trap(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return traps();
}

static int kills(void)
{
	signal(SIGSYS, SIG_IGN);
	locked();
	return install(SECCOMP_RET_KILL_PROCESS, 0) ? 1 : (int)syscall(SYS_getppid);
}

static void *asks(void *arg)
{
	(void)arg;
	syscall(SYS_getppid);
	return (void *)1;
}

static void *locks_itself_in(void *arg)
{
	install(SECCOMP_RET_KILL_THREAD, 0);
	return asks(arg);
}

static int kills_a_thread(void)
{
	pthread_t t;
	void *result = (void *)2;
	locked();
	pthread_create(&t, NULL, locks_itself_in, NULL);
	for (int i = 0; i < 500 && pthread_tryjoin_np(t, &result) == EBUSY; i++)
		usleep(10000);
	return result != (void *)1 && syscall(SYS_getppid) > 0 ? 0 : 1;
}

static volatile int go;
static void *waits(void *arg)
{
	(void)arg;
	while (!go)
		usleep(1000);
	return (void *)(long)(syscall(SYS_getppid) == -1 && errno == EXDEV);
}

static int synchronizes(void)
{
	pthread_t t[2];
	void *result[2];
	locked();
	for (int i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, waits, NULL);
	if (install(SECCOMP_RET_ERRNO | EXDEV, SECCOMP_FILTER_FLAG_TSYNC))
		return 1;
	go = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], &result[i]);
	return result[0] && result[1] ? 0 : 2;
}

static char *self;
static int goes_on_over_exec(void)
{
	locked();
	if (install(SECCOMP_RET_ERRNO | EXDEV, 0) || install(SECCOMP_RET_LOG, 0))
		return 1;
	execl(self, self, "filtered", NULL);
	return 2;
}

static int looks_at_arguments(void)
{
	/* lseek to the position 0x100000002 alone is forbidden: both halves count; arithmetic, memory and the index register on the way */
	struct sock_filter code[] = {
		LOAD(nr), IF_NOT(SYS_lseek, 13), LOAD(args[1]), BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LDX | BPF_MEM, 3), BPF_STMT(BPF_LD | BPF_IMM, 6),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 1), BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 1), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 6),
		LOAD(args[1]), BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1]) + 4), BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_MISC | BPF_TXA, 0), IF_NOT(1, 1), RETURN(SECCOMP_RET_ERRNO | EXDEV), RETURN(SECCOMP_RET_ALLOW)
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };
	int fd = open("/dev/zero", 0);
	locked();
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0))
		return 1;
	return syscall(SYS_lseek, fd, 2, 0) >= 0 && syscall(SYS_lseek, fd, 0x100000003, 0) >= 0 && syscall(SYS_lseek, fd, 0x200000002, 0) >= 0 &&
	       syscall(SYS_lseek, fd, 0x100000002, 0) == -1 && errno == EXDEV ? 0 : 2;
}

static int strict(void)
{
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0))
		return 1;
	write(1, "", 0);
	syscall(SYS_exit, 5);
	return 2;
}

static int strict_dies(void)
{
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0);
	return (int)syscall(SYS_getpid) & 1;
}

static int refuses_bad_programs(void)
{
	static const struct {
		unsigned n;
		struct sock_filter code[2];
	} bad[] = {
		{ 0, { RETURN(SECCOMP_RET_ALLOW) } },
		{ 1, { BPF_STMT(BPF_LD | BPF_IMM, 1) } },
		{ 2, { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RETURN(SECCOMP_RET_ALLOW) } },
		{ 2, { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RETURN(SECCOMP_RET_ALLOW) } },
		{ 2, { BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), RETURN(SECCOMP_RET_ALLOW) } },
		{ 2, { BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(SECCOMP_RET_ALLOW) } },
		{ 2, { BPF_STMT(BPF_JMP | BPF_JA, 1), RETURN(SECCOMP_RET_ALLOW) } },
		{ 2, { BPF_STMT(BPF_ST, 16), RETURN(SECCOMP_RET_ALLOW) } },
	};
	locked();
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sock_fprog program = { (unsigned short)bad[i].n, (struct sock_filter *)bad[i].code };
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != -1 || errno != EINVAL)
			return 1 + (int)i;
	}
	unsigned allow = SECCOMP_RET_ALLOW, none = 0x12340000;
	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &allow) == 0 && syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &none) == -1 &&
	       errno == EOPNOTSUPP ? 0 : 100;
}

int main(int argc, char **argv)
{
	self = argv[0];
	if (argc > 1 && strcmp(argv[1], "filtered") == 0)
		return syscall(SYS_getppid) == -1 && errno == EXDEV ? 42 : 1;
	CHECK("filters are for those with the right to them", ENDS(child(needs_leave), 0));
	CHECK("a filter gives an errno, to one call alone", ENDS(child(gives_errno), 0));
	CHECK("of several filters the strictest wins, of those alike the latest", ENDS(child(strictest_wins), 0));
	CHECK("without a tracer the call is not there", ENDS(child(without_tracer), 0));
	CHECK("SIGSYS says which call it was", ENDS(child(traps), 0));
	CHECK("blocked, it kills", DIES(child(blocked_trap), SIGSYS));
	CHECK("a filter kills the process, whatever it does with SIGSYS", DIES(child(kills), SIGSYS));
	CHECK("a filter kills a thread, and the others go on", ENDS(child(kills_a_thread), 0));
	CHECK("threads get the filter that one installs for all", ENDS(child(synchronizes), 0));
	CHECK("filters go on over exec", ENDS(child(goes_on_over_exec), 42));
	CHECK("a filter looks at all 64 bits of an argument", ENDS(child(looks_at_arguments), 0));
	CHECK("strict mode lets a program end", ENDS(child(strict), 5));
	CHECK("and kills it for other calls", DIES(child(strict_dies), SIGKILL));
	CHECK("programs that are no filters are refused", ENDS(child(refuses_bad_programs), 0));
	return check_failed;
}
