/* Floating point as whole loops have it: which NaN a result is when somebody looks, flags that comparisons leave alone, NaN boxes. */
#define _GNU_SOURCE
#include "arch.h"
#include "check.h"
#include <fenv.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>

enum { ROUNDS = 60000 };
static volatile double one = 1, infinity_ = INFINITY;

static double from_bits(uint64_t u)
{
	double d;
	memcpy(&d, &u, 8);
	return d;
}
static uint64_t bits(double d)
{
	uint64_t u;
	memcpy(&u, &d, 8);
	return u;
}

/* ---- comparisons ---- */
static void comparisons(void)
{
	volatile double quiet = from_bits(0x7ff8000000000123), signalling = from_bits(0x7ff0000000000123);
	int less = 0, raised = 0, kept = 0;
	feclearexcept(FE_ALL_EXCEPT);
	for (int i = 0; i < ROUNDS; i++) {
		double a = i % 3 ? one : quiet;
		less += __builtin_isless(a, infinity_);
		raised |= fetestexcept(FE_ALL_EXCEPT);
	}
	CHECK("quiet comparisons say whether, and of NaNs no", less == ROUNDS / 3 * 2);
	CHECK("and raise nothing", raised == 0);
	feraiseexcept(FE_OVERFLOW | FE_INEXACT);
	for (int i = 0; i < ROUNDS; i++) {
		kept += __builtin_islessequal(i % 5 ? one : quiet, one);
		raised |= fetestexcept(FE_ALL_EXCEPT) ^ (FE_OVERFLOW | FE_INEXACT);
	}
	CHECK("nor take anything back", kept == ROUNDS / 5 * 4 && raised == 0);
	feclearexcept(FE_ALL_EXCEPT);
	less = signalling < one;
	CHECK("a comparison of a signalling NaN is invalid",
	      !less && fetestexcept(FE_ALL_EXCEPT) == FE_INVALID);
}

#if defined(__riscv) && __riscv_xlen == 64
#define CANONICAL 0x7ff8000000000000

static sigjmp_buf back;
static uint64_t seen[3];

static void on_fault(int sig, siginfo_t *info, void *vuc)
{
	ucontext_t *uc = vuc;
	for (int i = 0; i < 3; i++)
		seen[i] = uc->uc_mcontext.__fpregs.__d.__f[10 + i];
	siglongjmp(back, 1);
}

/* A jump that translated code leaves by: what comes behind is not seen together with what comes before. */
#define LEAVE "la t1, 9f\n\tjr t1\n9:\n\t"

/*
 * n rounds: fa0 is loaded, fa1 and fa2 are computed of it and used; then the word at where is read. The last round reads at the end instead.
 */
static void rounds(const double *from, double *ret, long n, const int *where, const int *end)
{
	register double a __asm__("fa0"), b __asm__("fa1"), c __asm__("fa2"), sum __asm__("fa3") = 0;
	__asm__ volatile("1:\n\tfld fa0, 0(%[from])\n\tfsub.d fa1, fa0, fa0\n\tfmul.d fa2, fa1, fa1\n\taddi "
			 "%[n], %[n], -1\n\t"
			 "bnez %[n], 2f\n\tmv %[where], %[end]\n2:\tlw t0, 0(%[where])\n\tfadd.d fa3, fa3, "
			 "fa2\n\tbnez %[n], 1b\n\t" LEAVE
			 : "=f"(a), "=f"(b), "=f"(c), "+f"(sum), [n] "+r"(n), [where] "+r"(where)
			 : [from] "r"(from), [end] "r"(end)
			 : "t0", "t1", "memory");
	ret[0] = a, ret[1] = b, ret[2] = c, ret[3] = sum;
}

static void which_nan(void)
{
	static const int there;
	const double payload = from_bits(0xfff8000000000456);
	double out[4];
	struct sigaction sa = { .sa_flags = SA_SIGINFO, .sa_sigaction = on_fault };
	sigaction(SIGSEGV, &sa, NULL);
	rounds((const double *)&infinity_, out, ROUNDS, &there, &there);
	CHECK("NaNs of a loop are the canonical one when they are stored",
	      bits(out[1]) == CANONICAL && bits(out[2]) == CANONICAL && bits(out[3]) == CANONICAL);
	rounds(&payload, out, ROUNDS, &there, &there);
	CHECK("a NaN that was only loaded is as it was",
	      bits(out[0]) == bits(payload) && bits(out[2]) == CANONICAL);
	if (!sigsetjmp(back, 1))
		rounds(&payload, out, ROUNDS, &there, NULL);
	CHECK("and so they are where the loop faults",
	      seen[0] == bits(payload) && seen[1] == CANONICAL && seen[2] == CANONICAL);
	signal(SIGSEGV, SIG_DFL);
}

/* What a loop loads on one way and computes on the other. */
static void two_ways(void)
{
	const double payload = from_bits(0x7ff8000000000789);
	long loaded = 0, computed = 0, other = 0;
	for (long i = 0; i < ROUNDS; i++) {
		register double v __asm__("fa0");
		double in = infinity_, used = 1;
		uint64_t is;
		__asm__ volatile("andi t0, %[i], 1\n\tfsub.d %[v], %[in], %[in]\n\tfadd.d %[used], %[used], "
				 "%[v]\n\tbnez t0, 1f\n\t"
				 "fld %[v], 0(%[p])\n1:\tfadd.d %[used], %[used], %[v]\n\t" LEAVE
				 "fmv.x.d %[is], %[v]"
				 : [v] "=&f"(v), [is] "=r"(is), [used] "+f"(used)
				 : [i] "r"(i), [in] "f"(in), [p] "r"(&payload)
				 : "t0", "t1");
		loaded += is == bits(payload);
		computed += is == CANONICAL;
		other += is != bits(payload) && is != CANONICAL;
	}
	CHECK("NaNs that one way loads and another computes",
	      loaded == ROUNDS / 2 && computed == ROUNDS / 2 && !other);
}

/* Single precision: every operand's box is looked at, wherever it comes from. */
static void boxes(void)
{
	long canonical = 0, number = 0;
	for (long i = 0; i < ROUNDS; i++) {
		uint64_t in = i & 1 ? 0xffffffff40000000 : 0xfffffffe40000000, out;
		__asm__ volatile("fmv.d.x fa0, %[in]\n\tfmv.w.x fa1, %[one]\n\tli t0, 3\n1:\tfmul.s fa1, "
				 "fa1, fa0\n\taddi t0, t0, -1\n\t"
				 "bnez t0, 1b\n\tfmv.x.d %[out], fa1"
				 : [out] "=r"(out)
				 : [in] "r"(in), [one] "r"(0x3f800000)
				 : "t0", "fa0", "fa1");
		number += out == 0xffffffff41000000;
		canonical += out == 0xffffffff7fc00000;
	}
	CHECK("what is not boxed is the canonical NaN", number == ROUNDS / 2 && canonical == ROUNDS / 2);
}
#else
static void which_nan(void)
{
}
static void two_ways(void)
{
}
static void boxes(void)
{
}
#endif

int main(void)
{
	comparisons();
	which_nan();
	two_ways();
	boxes();
	return check_failed;
}
