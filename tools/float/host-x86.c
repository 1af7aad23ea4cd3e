/*
 * Developer's tool for x86-64 hosts: the host's own SSE, FMA, F16C and x87 instructions against src/translate/float, on random
 * and special operands, under every rounding mode, with DAZ, FTZ and x87's precision control. Compares results bit by bit
 * (NaNs included) and all six exception flags.
 *
 *	tools/float/host-x86.sh [COUNT [SEED]]
 */
#include "translate/float/float.h"
#include "operands.h"
#include <immintrin.h>
#include <stdio.h>

static unsigned long bad, total;

/* x86's flag order: IE DE ZE OE UE PE. */
static unsigned x86_flags(u32 f)
{
	return (f & FP_INVALID ? 1 : 0) | (f & FP_INPUT_DENORMAL ? 2 : 0) | (f & FP_DIVZERO ? 4 : 0) |
	       (f & FP_OVERFLOW ? 8 : 0) | (f & FP_UNDERFLOW ? 16 : 0) | (f & FP_INEXACT ? 32 : 0);
}

static void check(const char *op, unsigned mode, u128 a, u128 b, u128 c, u128 got, unsigned gf, u128 want,
		  unsigned wf)
{
	total++;
	if (got == want && gf == wf)
		return;
	if (bad++ < 40)
		printf("%s mode %x: %llx:%llx %llx:%llx %llx: got %llx:%llx %02x, host %llx:%llx %02x\n", op,
		       mode, (unsigned long long)(a >> 64), (unsigned long long)a,
		       (unsigned long long)(b >> 64), (unsigned long long)b, (unsigned long long)c,
		       (unsigned long long)(got >> 64), (unsigned long long)got, gf,
		       (unsigned long long)(want >> 64), (unsigned long long)want, wf);
}

static const u8 round_of[4] = { FP_NEAREST_EVEN, FP_DOWN, FP_UP, FP_TO_ZERO };

/* clang-format off */
#define ASM2(insn) { __m128d x, y; memcpy(&x, &va, 16); memcpy(&y, &vb, 16); \
	_mm_setcsr(csr); __asm__ volatile(insn " %1, %0" : "+x"(x) : "x"(y)); hf = _mm_getcsr() & 63; _mm_setcsr(0x1f80); memcpy(&host, &x, 16); }
#define ASM1(insn) { __m128d x, y; memcpy(&y, &va, 16); memset(&x, 0, 16); \
	_mm_setcsr(csr); __asm__ volatile(insn " %1, %0" : "+x"(x) : "x"(y)); hf = _mm_getcsr() & 63; _mm_setcsr(0x1f80); memcpy(&host, &x, 16); }
#define ASM3(insn) { __m128d x, y, z; memcpy(&x, &va, 16); memcpy(&y, &vb, 16); memcpy(&z, &vc, 16); \
	_mm_setcsr(csr); __asm__ volatile(insn " %2, %1, %0" : "+x"(x) : "x"(y), "x"(z)); hf = _mm_getcsr() & 63; _mm_setcsr(0x1f80); memcpy(&host, &x, 16); }
#define ASMI(insn, T) { __m128d y; T r; memcpy(&y, &va, 16); \
	_mm_setcsr(csr); __asm__ volatile(insn " %1, %0" : "=r"(r) : "x"(y)); hf = _mm_getcsr() & 63; _mm_setcsr(0x1f80); host = r; }
#define SHOW(name, expr) { u32 fl = 0; u128 mine = (expr); check(name, mode, va, vb, vc, mine, x86_flags(fl), host & mask, hf); }
/* clang-format on */

static void sse_case(enum fp_format f, unsigned mode)
{
	struct fp_ctl ctl = fp_x86;
	unsigned csr = 0x1f80 | (mode & 3) << 13 | (mode & 4 ? 0x40 : 0) | (mode & 8 ? 0x8000 : 0), hf;
	u128 va = operand(f), vb = operand(f), vc = operand(f), host;
	u128 mask = f == FP_F32 ? 0xffffffff : ~0ull;
	ctl.round = round_of[mode & 3];
	ctl.flush_in = mode & 4;
	ctl.flush_out = mode & 8;
#define BOTH(macro, stem, ...) \
	if (f == FP_F32) \
	macro(stem "s" __VA_ARGS__) else macro(stem "d" __VA_ARGS__)
	BOTH(ASM2, "adds")
	SHOW("add", fp_add(f, va, vb, &ctl, &fl));
	BOTH(ASM2, "subs")
	SHOW("sub", fp_sub(f, va, vb, &ctl, &fl));
	BOTH(ASM2, "muls")
	SHOW("mul", fp_mul(f, va, vb, &ctl, &fl));
	BOTH(ASM2, "divs")
	SHOW("div", fp_div(f, va, vb, &ctl, &fl));
	BOTH(ASM2, "maxs")
	SHOW("max", fp_minmax(f, va, vb, FP_MM_SECOND, &ctl, &fl));
	BOTH(ASM2, "mins")
	SHOW("min", fp_minmax(f, va, vb, FP_MM_SECOND | FP_MM_MIN, &ctl, &fl));
	BOTH(ASM1, "sqrts")
	SHOW("sqrt", fp_sqrt(f, va, &ctl, &fl));
	BOTH(ASM3, "vfmadd213s") /* x = y * x + z */
	SHOW("fma", fp_fma(f, vb, va, vc, 0, &ctl, &fl));
	BOTH(ASM3, "vfnmsub213s")
	SHOW("fnmsub", fp_fma(f, vb, va, vc, FP_FMA_NEG_PRODUCT | FP_FMA_NEG_ADDEND, &ctl, &fl));
	if (f == FP_F32)
		ASM1("roundss $4,")
	else
		ASM1("roundsd $4,")
	SHOW("round", fp_round_int(f, va, FP_ROUND_CTL, true, &ctl, &fl));
	if (f == FP_F32)
		ASM1("cvtss2sd")
	else
		ASM1("cvtsd2ss")
	mask = f == FP_F32 ? ~0ull : 0xffffffff;
	SHOW("convert", fp_convert(f == FP_F32 ? FP_F64 : FP_F32, f, va, &ctl, &fl));
	if (f == FP_F32)
		ASMI("cvtss2si", u32)
	else
		ASMI("cvtsd2si", u32)
	mask = 0xffffffff;
	SHOW("to i32", (u32)fp_to_int(f, va, 32, true, 0, FP_ROUND_CTL, &ctl, &fl));
	if (f == FP_F32)
		ASMI("cvttss2si", u64)
	else
		ASMI("cvttsd2si", u64)
	mask = ~0ull;
	SHOW("to i64", (u64)fp_to_int(f, va, 64, true, 0, FP_TO_ZERO, &ctl, &fl));
	/* flags of comparison; result as CF */
	__m128d x, y;
	u8 below;
	memcpy(&x, &va, 16);
	memcpy(&y, &vb, 16);
	_mm_setcsr(csr);
	if (f == FP_F32)
		__asm__ volatile("ucomiss %2, %1; setb %0" : "=r"(below) : "x"(x), "x"(y) : "cc");
	else
		__asm__ volatile("comisd %2, %1; setb %0" : "=r"(below) : "x"(x), "x"(y) : "cc");
	hf = _mm_getcsr() & 63;
	_mm_setcsr(0x1f80);
	host = below;
	u32 fl = 0;
	enum fp_order o = fp_compare(f, va, vb, f == FP_F64, &ctl, &fl);
	check("compare", mode, va, vb, 0, o == FP_LESS || o == FP_UNORDERED, x86_flags(fl), host, hf);
}

static void half_case(unsigned mode)
{
	struct fp_ctl ctl = fp_x86;
	unsigned csr = 0x1f80 | (mode & 3) << 13 | (mode & 4 ? 0x40 : 0) | (mode & 8 ? 0x8000 : 0), hf;
	u128 va = operand(FP_F32), vb = 0, vc = 0, host, mask = 0xffff;
	ctl.round = round_of[mode & 3];
	ctl.flush_in = mode & 4;
	ctl.flush_out = mode & 8;
	__m128i x, y;
	memcpy(&x, &va, 16);
	_mm_setcsr(csr);
	__asm__ volatile("vcvtps2ph $4, %1, %0" : "=x"(y) : "x"(x));
	hf = _mm_getcsr() & 63;
	_mm_setcsr(0x1f80);
	memcpy(&host, &y, 16);
	SHOW("to f16", fp_convert(FP_F16, FP_F32, va, &ctl, &fl));
	va = operand(FP_F16);
	memcpy(&x, &va, 16);
	_mm_setcsr(csr);
	__asm__ volatile("vcvtph2ps %1, %0" : "=x"(y) : "x"(x));
	hf = _mm_getcsr() & 63;
	_mm_setcsr(0x1f80);
	memcpy(&host, &y, 16);
	mask = 0xffffffff;
	SHOW("from f16", fp_convert(FP_F32, FP_F16, va, &ctl, &fl));
}

/* clang-format off */
/* clang-format on */
#define X87_BINARY(insn) \
	__asm__ volatile("fninit; fldcw %4; fldt %3; fldt %2; " insn "; fnstsw %1; fstpt %0; fninit" \
			 : "=m"(host), "=m"(sw) \
			 : "m"(va), "m"(vb), "m"(cw) \
			 : "st", "st(1)", "memory")
#define X87_UNARY(insn) \
	__asm__ volatile("fninit; fldcw %3; fldt %2; " insn "; fnstsw %1; fstpt %0; fninit" \
			 : "=m"(host), "=m"(sw) \
			 : "m"(va), "m"(cw) \
			 : "st", "memory")

#define X87_CHECK(name, expr) \
	{ \
		u32 fl = 0; \
		u128 mine = (expr); \
		u128 mask80 = ((u128)0xffff << 64) | ~0ull; \
		check(name, mode, va, vb, 0, mine, \
		      x86_flags(fl) | (fl & FP_ROUNDED_UP && fl & FP_INEXACT ? 0x200 : 0), host & mask80, \
		      (sw & 63) | (sw & 0x20 ? sw & 0x200 : 0)); \
	}

/* FPREM and FPREM1 until they are through: how far a partial step goes is the CPU's own choice. */
static void remainder_case(u128 va, u128 vb, unsigned mode, u16 cw, const struct fp_ctl *ctl)
{
	for (unsigned nearest = 0; nearest < 2; nearest++) {
		u128 host = 0, mine = va;
		u16 sw;
		u64 q;
		bool partial;
		u32 fl = 0;
		if (nearest)
			__asm__ volatile("fninit; fldcw %4; fldt %3; fldt %2; 1: fprem1; fnstsw %%ax; testb "
					 "$4, %%ah; jnz 1b; "
					 "movw %%ax, %1; fstpt %0; fninit"
					 : "=m"(host), "=m"(sw)
					 : "m"(va), "m"(vb), "m"(cw)
					 : "memory", "ax", "cc");
		else
			__asm__ volatile("fninit; fldcw %4; fldt %3; fldt %2; 1: fprem; fnstsw %%ax; testb "
					 "$4, %%ah; jnz 1b; "
					 "movw %%ax, %1; fstpt %0; fninit"
					 : "=m"(host), "=m"(sw)
					 : "m"(va), "m"(vb), "m"(cw)
					 : "memory", "ax", "cc");
		do
			mine = fp_rem_partial(mine, vb, nearest, &q, &partial, ctl, &fl);
		while (partial);
		unsigned raised = x86_flags(fl),
			 quotient = (q & 4 ? 0x100 : 0) | (q & 2 ? 0x4000 : 0) | (q & 1 ? 0x200 : 0);
		check(nearest ? "x87 prem1" : "x87 prem", mode, va, vb, q, mine, raised | quotient,
		      host & ~((~(u128)0) << 80), (sw & 63) | (raised & 1 ? 0 : sw & 0x4300));
	}
}

static void x87_case(unsigned mode)
{
	static const u8 prec[4] = { 24, 64, 53, 64 };
	struct fp_ctl ctl = fp_x87;
	u16 cw = 0x003f | (mode & 3) << 10 | (mode >> 2 & 3) << 8, sw;
	u128 va = operand(FP_F80), vb = operand(FP_F80), host = 0;
	if ((mode >> 2 & 3) == 1)
		return;
	ctl.round = round_of[mode & 3];
	ctl.f80_prec = prec[mode >> 2 & 3];
	X87_BINARY("faddp");
	X87_CHECK("x87 add", fp_add(FP_F80, va, vb, &ctl, &fl));
	X87_BINARY("fsubp");
	X87_CHECK("x87 sub", fp_sub(FP_F80, va, vb, &ctl, &fl));
	X87_BINARY("fmulp");
	X87_CHECK("x87 mul", fp_mul(FP_F80, va, vb, &ctl, &fl));
	X87_BINARY("fdivp");
	X87_CHECK("x87 div", fp_div(FP_F80, va, vb, &ctl, &fl));
	X87_UNARY("fsqrt");
	X87_CHECK("x87 sqrt", fp_sqrt(FP_F80, va, &ctl, &fl));
	X87_UNARY("frndint");
	X87_CHECK("x87 rndint", fp_round_int(FP_F80, va, FP_ROUND_CTL, true, &ctl, &fl));
	remainder_case(va, vb, mode, cw, &ctl);
	u64 out = 0;
	__asm__ volatile("fninit; fldcw %3; fldt %2; fistpll %0; fnstsw %1; fninit"
			 : "=m"(out), "=m"(sw)
			 : "m"(va), "m"(cw)
			 : "memory");
	host = out;
	X87_CHECK("x87 fist", (u64)fp_to_int(FP_F80, va, 64, true, 0, FP_ROUND_CTL, &ctl, &fl));
	u32 single = 0;
	__asm__ volatile("fninit; fldcw %3; fldt %2; fstps %0; fnstsw %1; fninit"
			 : "=m"(single), "=m"(sw)
			 : "m"(va), "m"(cw)
			 : "memory");
	host = single;
	X87_CHECK("x87 fst f32", fp_convert(FP_F32, FP_F80, va, &ctl, &fl));
	u128 keep = va;
	va = single = (u32)operand(FP_F32);
	__asm__ volatile("fninit; fldcw %3; flds %2; fnstsw %1; fstpt %0; fninit"
			 : "=m"(host), "=m"(sw)
			 : "m"(single), "m"(cw)
			 : "memory");
	X87_CHECK("x87 fld f32", fp_convert(FP_F80, FP_F32, va, &ctl, &fl));
	va = keep;
}

int main(int argc, char **argv)
{
	unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000000;
	seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	for (unsigned long i = 0; i < count; i++) {
		sse_case(FP_F32, i & 15);
		sse_case(FP_F64, i & 15);
		half_case(i & 15);
		x87_case(i & 15);
	}
	printf("%lu of %lu differ\n", bad, total);
	return bad != 0;
}
