// Small functions that are called in loops: calls PART, which prints what it found.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define ALONE __attribute__((noinline, noclone))
static ALONE uint64_t leaf(uint64_t a) { return a * 3 + 1; }
static ALONE uint64_t ways(uint64_t a)
{
	if (a & 1)
		return a >> 1;
	if (a % 3 == 0)
		return a * 5;
	return ~a;
}
static ALONE uint64_t loop(uint64_t a)
{
	for (unsigned i = 0; i < (a & 3); i++)
		a = a << 7 ^ a >> 3;
	return a;
}
static ALONE void put(uint64_t *to, uint64_t a) { *to += a; }
static ALONE int below(int64_t a, int64_t b) { return a < b; }
static ALONE uint64_t again(uint64_t a) { return ways(leaf(a)); } /* ends by a jump */
static ALONE uint64_t deep(uint64_t a) { return loop(a) + again(a); }

static int plain(void)
{
	uint64_t s = 1, sum = 0;
	for (unsigned i = 0; i < 300000; i++) {
		s = leaf(s) ^ ways(s + i);
		s += loop(s >> 5);
		put(&sum, deep(s));
		if (below((int64_t)s, (int64_t)sum))
			s ^= again(i);
	}
	return printf("%016llx %016llx\n", (unsigned long long)s, (unsigned long long)sum) < 0;
}

#ifdef __aarch64__
uint64_t odd(uint64_t rounds), fault(uint64_t rounds, const volatile uint64_t *from);
extern const char here[], behind[];
static unsigned right, wrong;

static void step_over(int sig, siginfo_t *si, void *uc)
{
	mcontext_t *m = &((ucontext_t *)uc)->uc_mcontext;
	int good = m->pc == (uintptr_t)here && m->regs[30] == (uintptr_t)behind && m->regs[3] == 8 && m->fault_address == 16;
	right += good;
	wrong += !good;
	(void)sig, (void)si;
	m->regs[3] = 1;
	m->pc += 4;
}

/* The caller in one page, the function in another: bl to it, sum of what it gives. */
static unsigned code[2][1024] __attribute__((aligned(4096)));
enum { RET = 0xd65f03c0 };
static void write_function(unsigned n)
{
	code[1][0] = 0x11000000 | n << 10; /* add w0, w0, #n */
	code[1][1] = RET;
	__builtin___clear_cache((char *)code[1], (char *)code[1] + 8);
}
static unsigned run(unsigned rounds)
{
	return ((unsigned (*)(unsigned, unsigned))code[0])(0, rounds);
}
static sigjmp_buf out;
static uintptr_t fault_pc, fault_lr;
static void leave(int sig, siginfo_t *si, void *uc)
{
	(void)sig, (void)si;
	fault_pc = ((ucontext_t *)uc)->uc_mcontext.pc;
	fault_lr = ((ucontext_t *)uc)->uc_mcontext.regs[30];
	siglongjmp(out, 1);
}

static int changed(void)
{
	/* mov x9, x30; bl code[1]; subs w1, w1, #1; b.ne -8; ret x9 */
	static const unsigned caller[] = { 0xaa1e03e9, 0x94000000 | 1023, 0x71000421, 0x54ffffc1, 0xd65f0120 };
	memcpy(code[0], caller, sizeof(caller));
	__builtin___clear_cache((char *)code[0], (char *)code[0] + sizeof(caller));
	mprotect(code, sizeof(code), PROT_READ | PROT_WRITE | PROT_EXEC);
	for (unsigned n = 1; n < 20; n++) {
		write_function(n);
		if (run(50000) != n * 50000)
			return printf("%u: not %u\n", n, n * 50000), 1;
	}
	struct sigaction sa = { .sa_sigaction = leave, .sa_flags = SA_SIGINFO };
	sigaction(SIGSEGV, &sa, NULL);
	munmap(code[1], 4096);
	if (sigsetjmp(out, 1))
		return printf("%d %d\n", fault_pc == (uintptr_t)code[1], fault_lr == (uintptr_t)(code[0] + 2)) < 0;
	run(1);
	return printf("it ran what is gone\n"), 1;
}
#endif

int main(int argc, char **argv)
{
	if (argc < 2 || !strcmp(argv[1], "plain"))
		return plain();
#ifdef __aarch64__
	if (!strcmp(argv[1], "odd"))
		return printf("%llx\n", (unsigned long long)odd(102400)) < 0;
	if (!strcmp(argv[1], "fault")) {
		struct sigaction sa = { .sa_sigaction = step_over, .sa_flags = SA_SIGINFO };
		sigaction(SIGSEGV, &sa, NULL);
		uint64_t three = 3;
		unsigned long long a = fault(100000, &three), b = fault(100, (void *)16), c = fault(100000, &three);
		return printf("%llu %llu %llu %u %u\n", a, b, c, right, wrong) < 0;
	}
	if (!strcmp(argv[1], "changed"))
		return changed();
#endif
	return 2;
}
