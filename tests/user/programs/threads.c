/* Threads: creation, join, locks, thread-local storage, robust locks, fork from threads, clone in odd shapes. */
#define _GNU_SOURCE
#include "check.h"
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long total;
static atomic_long atomic_total;
static __thread int own;

static void *adder(void *arg)
{
	own = (int)(long)arg;
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&lock);
		total++;
		pthread_mutex_unlock(&lock);
		atomic_total++;
	}
	return (void *)(long)own;
}

static void *die_with_lock(void *arg)
{
	pthread_mutex_lock(arg);
	return NULL;
}

static void *forker(void *arg)
{
	int bad = 0;
	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();
		if (!pid) {
			free(malloc(1000));
			_exit(7);
		}
		int status = 0;
		bad |= waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 7;
	}
	return (void *)(long)bad;
}

static volatile int busy = 1;
static void *allocator(void *arg)
{
	while (busy)
		free(malloc(100 + rand() % 5000));
	return NULL;
}

static volatile int shared;
static int child_in_memory(void *arg)
{
	shared = 42;
	return 5;
}

static void shapes(void)
{
	enum { STACK = 65536 };
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid = clone(child_in_memory, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
	CHECK("CLONE_VM with CLONE_VFORK shares memory", pid > 0 && shared == 42 && waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 5);
	shared = 0;
	pid = clone(child_in_memory, stack + STACK, CLONE_VM | SIGCHLD, NULL);
	CHECK("CLONE_VM alone is a process in our memory", pid > 0 && waitpid(pid, &status, 0) == pid && shared == 42 && WEXITSTATUS(status) == 5);
	shared = 0;
	int pidfd = -1;
	pid = clone(child_in_memory, stack + STACK, CLONE_PIDFD | SIGCHLD, NULL, &pidfd);
	CHECK("CLONE_PIDFD gives a descriptor; memory is not shared", pid > 0 && pidfd >= 0 && waitpid(pid, &status, 0) == pid && shared == 0);
	close(pidfd);
	struct clone_args args = { .flags = 0, .exit_signal = SIGCHLD };
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!pid)
		_exit(9);
	CHECK("clone3 forks", pid > 0 && waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 9);
	CHECK("CLONE_THREAD without CLONE_SIGHAND is refused", clone(child_in_memory, stack + STACK, CLONE_THREAD, NULL) < 0 && errno == EINVAL);
	pid = vfork();
	if (!pid)
		_exit(11);
	CHECK("vfork", waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 11);
	char *const argv[] = { "/proc/self/exe", "child", NULL };
	char *env[] = { "X=1", NULL };
	CHECK("posix_spawn of ourselves", posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, env) == 0 && waitpid(pid, &status, 0) == pid &&
						   WEXITSTATUS(status) == 21);
	CHECK("posix_spawn of what is not there", posix_spawn(&pid, "/nowhere/nothing", NULL, NULL, argv, env) == ENOENT);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "child"))
		return getenv("X") && !getenv("PATH") ? 21 : 22;
	pthread_t t[8];
	int joined = 1;
	for (long i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, adder, (void *)i);
	for (long i = 0; i < 8; i++) {
		void *r;
		pthread_join(t[i], &r);
		joined &= r == (void *)i;
	}
	CHECK("8 threads with a lock count to 16000", total == 16000 && atomic_total == 16000);
	CHECK("join gives each thread's own value", joined);
	int churn = 1;
	for (int i = 0; i < 100; i++) {
		pthread_t one;
		churn &= pthread_create(&one, NULL, adder, (void *)1L) == 0 && pthread_join(one, NULL) == 0;
	}
	CHECK("100 threads one after the other", churn);
	pthread_mutexattr_t attr;
	pthread_mutex_t robust;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&robust, &attr);
	pthread_create(&t[0], NULL, die_with_lock, &robust);
	pthread_join(t[0], NULL);
	CHECK("a robust lock tells that its owner died", pthread_mutex_lock(&robust) == EOWNERDEAD);
	pthread_create(&t[0], NULL, allocator, NULL);
	pthread_create(&t[1], NULL, allocator, NULL);
	void *bad1, *bad2;
	pthread_create(&t[2], NULL, forker, NULL);
	pthread_create(&t[3], NULL, forker, NULL);
	pthread_join(t[2], &bad1);
	pthread_join(t[3], &bad2);
	busy = 0;
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	CHECK("fork from busy threads", !bad1 && !bad2);
	shapes();
	return check_failed;
}
