#include "arith.c"
#include "base/test.h"
#include <fenv.h>
#include <float.h>
#include <math.h>

static u64 next(u64 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed * 0x2545f4914f6cdd1dull;
}

/* Random bits, exponents drawn to the ends and the middle, fractions to runs of equal bits. */
static u64 operand64(u64 *seed)
{
	u64 r = next(seed), fraction = next(seed) & BITS(52), n = r >> 20 & 63, exponent = r & 0x7ff;
	if (r >> 11 & 1)
		exponent = r >> 12 & 1 ? 0x3ff + (r & 63) - 32 : r >> 13 & 1 ? r & 3 : 0x7ff - (r & 3);
	if ((r >> 14 & 3) == 0)
		fraction = (n < 52 ? BIT(n) : 0) - (r >> 16 & 1);
	return (r >> 17 & 1) << 63 | exponent << 52 | (fraction & BITS(52));
}

static u32 operand32(u64 *seed)
{
	u64 r = next(seed), fraction = next(seed) & BITS(23), n = r >> 20 & 31, exponent = r & 0xff;
	if (r >> 11 & 1)
		exponent = r >> 12 & 1 ? 0x7f + (r & 63) - 32 : r >> 13 & 1 ? r & 3 : 0xff - (r & 3);
	if ((r >> 14 & 3) == 0)
		fraction = (n < 23 ? BIT(n) : 0) - (r >> 16 & 1);
	return (u32)((r >> 17 & 1) << 31 | exponent << 23 | (fraction & BITS(23)));
}

static const struct {
	int host;
	enum fp_round mine;
} rounds[] = { { FE_TONEAREST, FP_NEAREST_EVEN },
	       { FE_TOWARDZERO, FP_TO_ZERO },
	       { FE_DOWNWARD, FP_DOWN },
	       { FE_UPWARD, FP_UP } };

static u32 host_flags(void)
{
	int f = fetestexcept(FE_ALL_EXCEPT);
	return (f & FE_INVALID ? FP_INVALID : 0) | (f & FE_DIVBYZERO ? FP_DIVZERO : 0) |
	       (f & FE_OVERFLOW ? FP_OVERFLOW : 0) | (f & FE_UNDERFLOW ? FP_UNDERFLOW : 0) |
	       (f & FE_INEXACT ? FP_INEXACT : 0);
}

/* Whether this host tells tiny results before it rounds: the largest denormal plus a bit, rounded to the smallest normal number. */
static bool host_tiny_before(void)
{
	volatile double a = 0x1p-1022, b = 1 - 0x1p-53;
	feclearexcept(FE_ALL_EXCEPT);
	volatile double c = a * b;
	(void)c;
	return fetestexcept(FE_UNDERFLOW);
}

/* clang-format off */
#define HOST_OPS(T, fma_, sqrt_) \
	switch (op) { \
	case 0: r = x + y; break; \
	case 1: r = x - y; break; \
	case 2: r = x * y; break; \
	case 3: r = x / y; break; \
	case 4: r = sqrt_(x); break; \
	default: r = fma_(x, y, z); break; \
	}
/* clang-format on */

static __attribute__((noinline)) double host64(unsigned op, volatile double x, volatile double y,
					       volatile double z)
{
	volatile double r;
	HOST_OPS(double, fma, sqrt)
	return r;
}

static __attribute__((noinline)) float host32(unsigned op, volatile float x, volatile float y,
					      volatile float z)
{
	volatile float r;
	HOST_OPS(float, fmaf, sqrtf)
	return r;
}

static u128 mine(unsigned op, enum fp_format f, u128 a, u128 b, u128 c, const struct fp_ctl *ctl, u32 *flags)
{
	switch (op) {
	case 0:
		return fp_add(f, a, b, ctl, flags);
	case 1:
		return fp_sub(f, a, b, ctl, flags);
	case 2:
		return fp_mul(f, a, b, ctl, flags);
	case 3:
		return fp_div(f, a, b, ctl, flags);
	case 4:
		return fp_sqrt(f, a, ctl, flags);
	default:
		return fp_fma(f, a, b, c, 0, ctl, flags);
	}
}

/* Everything but NaN payloads, and invalid of inf * 0 + NaN, is the same on every host. */
static bool same(enum fp_format f, u128 got, u32 got_flags, u128 want, u32 want_flags,
		 const struct fp_ctl *ctl)
{
	if (fp_is_nan(f, want, ctl))
		return fp_is_nan(f, got, ctl) && (got_flags & FP_IEEE_FLAGS) == want_flags;
	return got == want && (got_flags & FP_IEEE_FLAGS) == want_flags;
}

TEST(float_arith, f32_and_f64_agree_with_the_hosts_arithmetic)
{
	u64 seed = 42;
	struct fp_ctl ctl = { .inf_zero_nan = FP_IZN_SILENT, .tiny_before_rounding = host_tiny_before() };
	unsigned bad = 0;
	for (unsigned i = 0; i < 240000 && bad < 5; i++) {
		unsigned op = i % 6, k = i / 6 % 4;
		u64 a = operand64(&seed), b = operand64(&seed), c = operand64(&seed), want;
		u32 a32 = operand32(&seed), b32 = operand32(&seed), c32 = operand32(&seed), want32, flags = 0,
		    flags32 = 0;
		double x, y, z, r;
		float x32, y32, z32, r32;
		memcpy(&x, &a, 8), memcpy(&y, &b, 8), memcpy(&z, &c, 8);
		memcpy(&x32, &a32, 4), memcpy(&y32, &b32, 4), memcpy(&z32, &c32, 4);
		ctl.round = rounds[k].mine;
		u64 got = (u64)mine(op, FP_F64, a, b, c, &ctl, &flags);
		u32 got32 = (u32)mine(op, FP_F32, a32, b32, c32, &ctl, &flags32);
		fesetround(rounds[k].host);
		feclearexcept(FE_ALL_EXCEPT);
		r = host64(op, x, y, z);
		u32 raised = host_flags();
		feclearexcept(FE_ALL_EXCEPT);
		r32 = host32(op, x32, y32, z32);
		u32 raised32 = host_flags();
		fesetround(FE_TONEAREST);
		memcpy(&want, &r, 8), memcpy(&want32, &r32, 4);
		bool inf_zero = op == 5 && isnan(z) && ((isinf(x) && !y) || (!x && isinf(y)));
		bool inf_zero32 = op == 5 && isnan(z32) && ((isinf(x32) && !y32) || (!x32 && isinf(y32)));
		if (!inf_zero && !same(FP_F64, got, flags, want, raised, &ctl) && ++bad)
			test_fail(__FILE__, __LINE__,
				  "op %u round %u of %#llx %#llx %#llx: %#llx %#x, host %#llx %#x", op, k,
				  (unsigned long long)a, (unsigned long long)b, (unsigned long long)c,
				  (unsigned long long)got, flags, (unsigned long long)want, raised);
		if (!inf_zero32 && !same(FP_F32, got32, flags32, want32, raised32, &ctl) && ++bad)
			test_fail(__FILE__, __LINE__, "op %u round %u of %#x %#x %#x: %#x %#x, host %#x %#x",
				  op, k, a32, b32, c32, got32, flags32, want32, raised32);
	}
}

TEST(float_arith, f80_agrees_with_long_double_where_that_is_one)
{
#if LDBL_MANT_DIG == 64
	u64 seed = 7;
	struct fp_ctl ctl = fp_x87;
	unsigned bad = 0;
	for (unsigned i = 0; i < 60000 && bad < 5; i++) {
		unsigned k = i / 4 % 4;
		u64 r = next(&seed);
		u128 a = (u128)(r & 0xffff) << 64 | BIT(63) | next(&seed),
		     b = (u128)(r >> 16 & 0xffff) << 64 | BIT(63) | next(&seed);
		if (r >> 40 & 1)
			b = (b & ~((u128)0x7fff << 64)) | (a & (u128)0x7fff << 64);
		volatile long double x = 0, y = 0, z = 0;
		memcpy((void *)&x, &a, 10), memcpy((void *)&y, &b, 10);
		ctl.round = rounds[k].mine;
		u32 flags = 0;
		u128 got = mine(i % 4, FP_F80, a, b, 0, &ctl, &flags), want = 0;
		fesetround(rounds[k].host);
		feclearexcept(FE_ALL_EXCEPT);
		if (i % 4 == 0)
			z = x + y;
		else if (i % 4 == 1)
			z = x - y;
		else if (i % 4 == 2)
			z = x * y;
		else
			z = x / y;
		u32 raised = host_flags();
		fesetround(FE_TONEAREST);
		memcpy(&want, (void *)&z, 10);
		if ((got != want || (flags & FP_IEEE_FLAGS) != raised) && ++bad)
			test_fail(__FILE__, __LINE__, "op %u round %u, case %u", i % 4, k, i);
	}
#else
	test_skip("long double is not an f80 here");
#endif
}

/* Who passes which NaN on: two operands, quiet Q1 = 7fc00001, Q2 = 7fc00002, signalling S2 = 7f800002. */
TEST(float_arith, each_guest_chooses_its_own_nan)
{
	enum { Q1 = 0x7fc00001, Q2 = 0x7fc00002, S2 = 0x7f800002, S2Q = 0x7fc00002, ONE = 0x3f800000 };
	static const struct {
		const struct fp_ctl *ctl;
		u32 q1_q2, q1_s2, one_s2, zero_over_zero;
	} rows[] = {
		{ &fp_arm, Q1, S2Q, S2Q, 0x7fc00000 },
		{ &fp_arm_ah, Q1, Q1, S2Q, 0xffc00000 },
		{ &fp_x86, Q1, Q1, S2Q, 0xffc00000 },
		{ &fp_riscv, 0x7fc00000, 0x7fc00000, 0x7fc00000, 0x7fc00000 },
		{ &fp_ppc, Q1, Q1, S2Q, 0x7fc00000 },
		{ &fp_mips_2008, Q1, S2Q, S2Q, 0x7fc00000 },
		{ &fp_sparc, Q2, S2Q, S2Q, 0x7fffffff },
		{ &fp_s390x, Q1, S2Q, S2Q, 0x7fc00000 },
		{ &fp_alpha, Q2, S2Q, S2Q, 0xffc00000 },
		/* the other way round: the first fraction bit says signalling */
		{ &fp_mips_legacy, 0x7fbfffff, 0x7fbfffff, 0x7fbfffff, 0x7fbfffff },
		{ &fp_sh4, 0x7fbfffff, 0x7fbfffff, 0x7fbfffff, 0x7fbfffff },
		{ &fp_hppa, 0x7fa00001, 0x7fa00001, S2, 0x7fa00000 },
	};
	for (unsigned i = 0; i < LEN(rows); i++) {
		const struct fp_ctl *c = rows[i].ctl;
		u32 flags = 0;
		CHECK_EQ(f32_add(Q1, Q2, c, &flags), rows[i].q1_q2);
		CHECK_EQ(flags & FP_IEEE_FLAGS, c->snan_bit_set ? FP_INVALID : 0);
		CHECK_EQ(f32_mul(Q1, S2, c, &flags), rows[i].q1_s2);
		CHECK(flags & FP_INVALID);
		CHECK_EQ(f32_add(ONE, S2, c, &flags), rows[i].one_s2);
		CHECK_EQ(f32_div(0, 0, c, &flags), rows[i].zero_over_zero);
		CHECK(flags & FP_INVALID_ZDZ);
	}
}

TEST(float_arith, x87_prefers_the_larger_significand_and_quiet_nans)
{
	u128 q1 = (u128)0x7fff << 64 | 0xc000000000000001, q2 = (u128)0x7fff << 64 | 0xc000000000000002;
	u128 s9 = (u128)0x7fff << 64 | 0x8000000000000009, negative = (u128)1 << 79;
	u32 flags = 0;
	CHECK(fp_add(FP_F80, q1, q2, &fp_x87, &flags) == q2);
	CHECK(fp_add(FP_F80, q2 | negative, q1, &fp_x87, &flags) == (q2 | negative));
	CHECK(fp_add(FP_F80, q1 | negative, q1, &fp_x87, &flags) == q1);
	CHECK_EQ(flags, 0);
	CHECK(fp_add(FP_F80, s9, q1, &fp_x87, &flags) == q1);
	CHECK_EQ(flags, FP_INVALID | FP_INVALID_SNAN);
}

TEST(float_arith, infinity_times_zero_plus_nan_is_each_guests_affair)
{
	const u32 inf = 0x7f800000, nan = 0x7fc00123;
	u32 flags = 0;
	CHECK_EQ(f32_fma(inf, 0, nan, 0, &fp_arm, &flags), 0x7fc00000);
	CHECK_EQ(flags, FP_INVALID | FP_INVALID_IMZ);
	flags = 0;
	CHECK_EQ(f32_fma(0, inf, nan, 0, &fp_x86, &flags), nan);
	CHECK_EQ(flags, 0);
	CHECK_EQ(f32_fma(inf, 0, nan, 0, &fp_ppc, &flags), nan);
	CHECK_EQ(flags, FP_INVALID | FP_INVALID_IMZ);
}

TEST(float_arith, causes_of_invalid_are_told_apart)
{
	const u32 inf = 0x7f800000, one = 0x3f800000;
	u32 flags;
/* clang-format off */
#define CAUSE(expr, cause) do { flags = 0; (void)(expr); CHECK_EQ(flags, FP_INVALID | (cause)); } while (0)
	/* clang-format on */
	CAUSE(f32_sub(inf, inf, &fp_ppc, &flags), FP_INVALID_ISI);
	CAUSE(f32_div(inf, inf, &fp_ppc, &flags), FP_INVALID_IDI);
	CAUSE(f32_mul(inf, 0, &fp_ppc, &flags), FP_INVALID_IMZ);
	CAUSE(f32_sqrt(one | BIT(31), &fp_ppc, &flags), FP_INVALID_SQRT);
	CAUSE(f32_fma(inf, one, inf | BIT(31), 0, &fp_ppc, &flags), FP_INVALID_ISI);
	CAUSE(fp_rem(FP_F32, inf, one, true, NULL, &fp_ppc, &flags), FP_INVALID_REM);
#undef CAUSE
}

TEST(float_arith, negation_in_fused_multiply_add_spares_nans_but_on_arm)
{
	u32 flags = 0, nan = 0x7fc00001, one = 0x3f800000;
	CHECK_EQ(f32_fma(nan, one, one, FP_FMA_NEG_PRODUCT, &fp_arm, &flags), nan | BIT(31));
	CHECK_EQ(f32_fma(nan, one, one, FP_FMA_NEG_PRODUCT, &fp_x86, &flags), nan);
	CHECK_EQ(f32_fma(one, one, nan, FP_FMA_NEG_ADDEND, &fp_arm, &flags), nan | BIT(31));
	CHECK_EQ(f32_fma(nan, one, one, FP_FMA_NEG_RESULT, &fp_ppc, &flags), nan);
	CHECK_EQ(f32_fma(one, one, one, FP_FMA_NEG_RESULT, &fp_ppc, &flags), 0xc0000000);
	CHECK_EQ(f32_fma(one, one, one, FP_FMA_HALVE, &fp_ppc, &flags), one);
}

TEST(float_arith, remainders_give_the_low_bits_of_the_quotient)
{
	u32 flags = 0;
	u64 q;
	/* 17 by 5: to nearest 3 and 2, truncated 3; 18 by 5: 4 and -2, truncated 3 and 3 */
	CHECK_EQ(fp_rem(FP_F64, 0x4031000000000000, 0x4014000000000000, true, &q, &fp_x86, &flags),
		 0x4000000000000000);
	CHECK_EQ(q, 3);
	CHECK_EQ(fp_rem(FP_F64, 0x4032000000000000, 0x4014000000000000, true, &q, &fp_x86, &flags),
		 0xc000000000000000);
	CHECK_EQ(q, 4);
	CHECK_EQ(fp_rem(FP_F64, 0x4032000000000000, 0x4014000000000000, false, &q, &fp_x86, &flags),
		 0x4008000000000000);
	CHECK_EQ(q, 3);
	CHECK_EQ(flags, 0);
	/* the largest f128 by the smallest: over 32,000 steps, remainder 0 */
	u128 largest = ((u128)0x7ffe << 112) | (((u128)1 << 112) - 1);
	CHECK(fp_rem(FP_F128, largest, 1, true, &q, &fp_s390x, &flags) == 0);
	CHECK_EQ(flags, FP_INPUT_DENORMAL);
}

TEST(float_arith, scaling_saturates_far_exponents)
{
	u32 flags = 0;
	CHECK_EQ(fp_scale(FP_F64, 0x3ff0000000000000, 10, &fp_x86, &flags), 0x4090000000000000);
	CHECK_EQ(flags, 0);
	CHECK_EQ(fp_scale(FP_F64, 1, 2097, &fp_x86, &flags), 0x7fe0000000000000);
	CHECK_EQ(flags, FP_INPUT_DENORMAL);
	CHECK_EQ(fp_scale(FP_F64, 1, 2098, &fp_x86, &flags), 0x7ff0000000000000);
	CHECK_EQ(flags & FP_IEEE_FLAGS, FP_OVERFLOW | FP_INEXACT);
	flags = 0;
	CHECK_EQ(fp_scale(FP_F64, 0x3ff0000000000000, INT64_MIN, &fp_x86, &flags), 0);
	CHECK_EQ(flags & FP_IEEE_FLAGS, FP_UNDERFLOW | FP_INEXACT);
}
