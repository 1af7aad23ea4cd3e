/* Addresses that no memory can have, and on arm64 those with a tag in their top byte. */
#define _GNU_SOURCE
#include "arch.h"
#include "check.h"
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static sigjmp_buf back;
static siginfo_t seen;
static void fault(int sig, siginfo_t *info, void *uc)
{
	seen = *info;
	siglongjmp(back, 1);
}

/* Does an access of this kind fault, with this address? */
enum { LOAD, STORE, ADD, FETCH };
static int faults(int kind, uintptr_t at, uintptr_t shown)
{
	volatile int *p = (volatile int *)at;
	memset(&seen, 0, sizeof(seen));
	if (sigsetjmp(back, 1))
		return seen.si_signo == SIGSEGV && seen.si_code == SEGV_MAPERR && (uintptr_t)seen.si_addr == shown;
	if (kind == LOAD)
		(void)*p;
	else if (kind == STORE)
		*p = 1;
	else if (kind == ADD)
		__atomic_fetch_add(p, 1, __ATOMIC_SEQ_CST);
	else
		((void (*)(void))at)();
	return 0;
}

#if defined(__aarch64__)
#define TAGGED(p, tag) ((void *)((uintptr_t)(p) | (uintptr_t)(tag) << 56))
#ifndef PR_SET_TAGGED_ADDR_CTRL
#define PR_SET_TAGGED_ADDR_CTRL 55
#define PR_GET_TAGGED_ADDR_CTRL 56
#endif

/* Loads and stores of all kinds, seldom or so often that they are translated for it. */
static int accesses(long *m, int n)
{
	int same = 1;
	for (int i = 1; i <= n; i++) {
		volatile long *p = TAGGED(m, i % 255 + 1);
		p[0] = i;
		p[1] = -i;
		same &= m[0] == i && m[1] == -i && p[0] == i && ((volatile signed char *)p)[8] == (signed char)-i;
		same &= __atomic_fetch_add(p, 5, __ATOMIC_SEQ_CST) == i && m[0] == i + 5;
		long a, b;
		__asm__ volatile("ldp %0, %1, [%2]\n" : "=r"(a), "=r"(b) : "r"(p) : "memory");
		same &= a == i + 5 && b == -i;
		__asm__ volatile("ldr q0, [%0]\nstr q0, [%0, #16]\nst1 {v0.2d}, [%0]\ndc zva, %1" ::"r"(p), "r"(p + 64) : "v0", "memory");
		same &= m[2] == a && m[3] == b && m[64] == 0;
		long old;
		int failed;
		__asm__ volatile("1: ldxr %0, [%2]\nstxr %w1, %2, [%2]\ncbnz %w1, 1b" : "=&r"(old), "=&r"(failed) : "r"(p) : "memory");
		same &= old == a && m[0] == (long)p;
	}
	return same;
}

static int answer(void)
{
	return 42;
}

static void tags(void)
{
	long *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t none = (uintptr_t)m + 4096;
	munmap((void *)none, 4096);
	CHECK("accesses ignore the top byte", accesses(m, 3));
	CHECK("a fault by a tagged address is shown without it", faults(LOAD, (uintptr_t)TAGGED(none, 0x5a), none) && faults(STORE, (uintptr_t)TAGGED(none, 1), none));
	CHECK("accesses ignore it often", accesses(m, 2000));
	CHECK("a fault is shown the same way then", faults(LOAD, (uintptr_t)TAGGED(none, 0x5a), none) && faults(ADD, (uintptr_t)TAGGED(none, 0xff), none));
	CHECK("bit 55 counts", faults(LOAD, (uintptr_t)m | 1ul << 55, (uintptr_t)m | 0x1fful << 55));
	CHECK("branches take the top byte off", ((int (*)(void))TAGGED(answer, 0x77))() == 42);
	int pipes[2];
	pipe(pipes);
	CHECK("system calls do not ignore it", write(pipes[1], TAGGED(m, 9), 8) < 0 && errno == EFAULT && prctl(PR_GET_TAGGED_ADDR_CTRL, 0, 0, 0, 0) == 0);
	CHECK("prctl makes them", prctl(PR_SET_TAGGED_ADDR_CTRL, 1, 0, 0, 0) == 0 && prctl(PR_GET_TAGGED_ADDR_CTRL, 0, 0, 0, 0) == 1 &&
					  write(pipes[1], TAGGED(m, 9), 8) == 8 && read(pipes[0], TAGGED(m + 8, 8), 8) == 8 && m[8] == m[0] &&
					  mprotect(TAGGED(m, 7), 4096, PROT_READ) == 0);
	CHECK("with which faults and branches are as before", faults(STORE, (uintptr_t)TAGGED(none, 3), none) && ((int (*)(void))TAGGED(answer, 0x78))() == 42);
	CHECK("and off again", prctl(PR_SET_TAGGED_ADDR_CTRL, 0, 0, 0, 0) == 0 && write(pipes[1], TAGGED(m, 9), 8) < 0 && errno == EFAULT &&
				   prctl(PR_SET_TAGGED_ADDR_CTRL, 0x100, 0, 0, 0) < 0 && errno == EINVAL);
}
#endif

int main(void)
{
	struct sigaction act = { .sa_sigaction = fault, .sa_flags = SA_SIGINFO };
	sigaction(SIGSEGV, &act, NULL);
	if (sizeof(void *) == 8) {
		uintptr_t wild = (uintptr_t)0x00123456789abcd8ull;
		for (int kind = LOAD; kind <= ADD; kind++)
			CHECK("an address that the host does not have is shown", faults(kind, wild, wild));
	}
	CHECK("a jump to nowhere is shown", faults(FETCH, 0x2000, 0x2000));
#if defined(__aarch64__)
	tags();
#endif
	return check_failed;
}
