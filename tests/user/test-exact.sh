#!/bin/bash
# What a handler of SIGSEGV finds in registers, in code that has run often: the same as instruction by instruction, in kept code too.
. "$(dirname "$0")/../tap.sh"
cat >regs.c <<'C'
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

static uint64_t sum;
static unsigned faults;
static char *closed;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	(void)sig;
#if defined(__riscv)
	const unsigned long *r = u->uc_mcontext.__gregs;
	unsigned n = 32; /* [0] is the pc */
#else
	const unsigned long long *r = u->uc_mcontext.regs;
	unsigned n = 31;
#endif
	for (unsigned i = 0; i < n; i++)
		if (r[i] >> 32 == 0 || r[i] >> 48) /* no address of the stack or the thread */
			sum = (sum ^ r[i]) * 0x9e3779b97f4a7c15u + (sum >> 29);
	faults++;
	mprotect(closed, 4096, PROT_READ | PROT_WRITE);
	(void)info;
}

#define R(x, n) ((x) >> (n) | (x) << (32 - (n)))
static uint32_t __attribute__((noinline)) mix(const uint32_t *p, uint32_t *q, uint32_t a, uint32_t b)
{
	uint32_t c = a ^ 0x12345678, d = b + 77, e = a * 3, f = b ^ a;
	for (int i = 0; i < 16; i++) {
		a += R(e, 6) ^ R(e, 11) ^ p[i];
		d = R(d + a, 7) ^ (c & b);
		q[i] = a ^ d;
		e = (e << 5) + f + q[(i + 3) & 15];
		f = R(f, 13) + (uint32_t)((int32_t)d >> 3);
		c = b, b = a ^ p[(i * 7) & 15];
	}
	return a ^ b ^ c ^ d ^ e ^ f;
}

int main(void)
{
	char *pages = mmap((void *)0x20000000, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	struct sigaction act = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	uint32_t x = 1;
	sigaction(SIGSEGV, &act, NULL);
	for (unsigned i = 0; i < 3 * 4096; i++)
		pages[i] = (char)(i * 37);
	closed = pages + 4096;
	for (unsigned i = 0; i < 4000; i++) {
		/* a part of the words read or written lies in the closed page */
		unsigned off = 4096 - 64 + (i & 15) * 4;
		if (i > 1000 && i % 5 == 0)
			mprotect(closed, 4096, PROT_NONE);
		x = mix((uint32_t *)(pages + (i & 1 ? off : 0)), (uint32_t *)(pages + (i & 1 ? 256 : off)), x, i);
	}
	printf("%08x %u %016llx\n", x, faults, (unsigned long long)sum);
	return 0;
}
C
mkdir keep
for arch in riscv64 aarch64; do
	for how in -O2 "-O3 -funroll-loops"; do
		$arch-linux-gnu-gcc $how -static -o regs regs.c || { echo "not ok 1 - compiles"; exit 1; }
		timeout -k 2 60 rhea-user -keep off -one-insn-per-tb ./regs >want
		RHEA_HOT=20 timeout -k 2 60 rhea-user -keep off ./regs >out
		check "$arch $how: registers at 599 faults, in code made for speed" eval '[ "$(cut -d" " -f2 want)" = 599 ] && cmp -s out want'
		for run in 1 2; do RHEA_HOT=20 timeout -k 2 60 rhea-user -keep "$tmp/keep" ./regs >out; done
		check "$arch $how: in kept code" cmp -s out want
	done
done
echo "1..$n"
exit $status
