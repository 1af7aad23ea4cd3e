#include "core.c"
#include "base/test.h"

enum { SMALLEST = 0x00800000, HALF = 0x3f000000, ONE = 0x3f800000 };

TEST(float_core, tininess_before_and_after_rounding_differ_just_below_the_smallest_normal)
{
	/* (1 - 2^-24) * 2^-126 rounds up to 2^-126 */
	u32 flags = 0;
	CHECK_EQ(f32_mul(SMALLEST, 0x3f7fffff, &fp_arm, &flags), SMALLEST);
	CHECK_EQ(flags & FP_IEEE_FLAGS, FP_UNDERFLOW | FP_INEXACT);
	flags = 0;
	CHECK_EQ(f32_mul(SMALLEST, 0x3f7fffff, &fp_x86, &flags), SMALLEST);
	CHECK_EQ(flags & FP_IEEE_FLAGS, FP_UNDERFLOW | FP_INEXACT);
	/* (1 + 2^-23) * (1 - 2^-23) * 2^-126 = (1 - 2^-46) * 2^-126 reaches 2^-126 in 24 bits too */
	flags = 0;
	CHECK_EQ(f32_mul(SMALLEST + 1, 0x3f7ffffe, &fp_arm, &flags), SMALLEST);
	CHECK_EQ(flags & FP_IEEE_FLAGS, FP_UNDERFLOW | FP_INEXACT);
	flags = 0;
	CHECK_EQ(f32_mul(SMALLEST + 1, 0x3f7ffffe, &fp_x86, &flags), SMALLEST);
	CHECK_EQ(flags & FP_IEEE_FLAGS, FP_INEXACT);
}

TEST(float_core, arm_flushes_before_rounding_and_x86_after)
{
	struct fp_ctl arm = fp_arm, x86 = fp_x86;
	u32 flags = 0;
	arm.flush_out = x86.flush_out = true;
	CHECK_EQ(f32_mul(SMALLEST | BIT(31), HALF, &arm, &flags), BIT(31));
	CHECK_EQ(flags, FP_UNDERFLOW | FP_OUTPUT_FLUSHED);
	flags = 0;
	CHECK_EQ(f32_mul(SMALLEST | BIT(31), HALF, &x86, &flags), BIT(31));
	CHECK_EQ(flags, FP_UNDERFLOW | FP_INEXACT | FP_OUTPUT_FLUSHED);
	flags = 0;
	CHECK_EQ(f32_mul(SMALLEST + 1, 0x3f7ffffe, &arm, &flags), 0);
	flags = 0;
	CHECK_EQ(f32_mul(SMALLEST + 1, 0x3f7ffffe, &x86, &flags), SMALLEST);
	CHECK_EQ(flags & FP_IEEE_FLAGS, FP_INEXACT);
}

TEST(float_core, f16_has_flush_controls_of_its_own)
{
	struct fp_ctl ctl = fp_arm;
	u32 flags = 0;
	ctl.flush_in = ctl.flush_out = true;
	CHECK_EQ(f16_add(1, 1, &ctl, &flags), 2);
	CHECK_EQ(flags, FP_INPUT_DENORMAL);
	flags = 0;
	CHECK_EQ(f32_add(1, 1, &ctl, &flags), 0);
	CHECK_EQ(flags, FP_INPUT_FLUSHED);
	flags = 0;
	ctl.flush_in_f16 = ctl.flush_out_f16 = true;
	CHECK_EQ(f16_add(1, 1, &ctl, &flags), 0);
	CHECK_EQ(flags, 0); /* FZ16 says nothing */
	CHECK_EQ(fp_convert(FP_F32, FP_F16, 1, &ctl, &flags), 0x33800000); /* conversions leave f16 alone */
	CHECK_EQ(flags & FP_INPUT_FLUSHED, 0);
}

TEST(float_core, x86_says_denormal_operand_unless_something_worse_happened)
{
	u32 flags = 0;
	f32_add(1, ONE, &fp_x86, &flags);
	CHECK_EQ(flags, FP_INPUT_DENORMAL | FP_INEXACT);
	flags = 0;
	f32_add(1, 0x7fc00000, &fp_x86, &flags);
	CHECK_EQ(flags, 0);
	f32_div(1, 0, &fp_x86, &flags);
	CHECK_EQ(flags, FP_DIVZERO);
	flags = 0;
	f32_sqrt(1 | BIT(31), &fp_x86, &flags);
	CHECK_EQ(flags, FP_INVALID | FP_INVALID_SQRT);
}

TEST(float_core, overflow_goes_where_the_rounding_mode_points)
{
	static const struct {
		enum fp_round round;
		u32 positive, negative;
	} rows[] = { { FP_NEAREST_EVEN, 0x7f800000, 0xff800000 }, { FP_TO_ZERO, 0x7f7fffff, 0xff7fffff },
		     { FP_DOWN, 0x7f7fffff, 0xff800000 },	  { FP_UP, 0x7f800000, 0xff7fffff },
		     { FP_NEAREST_AWAY, 0x7f800000, 0xff800000 }, { FP_TO_ODD, 0x7f7fffff, 0xff7fffff } };
	for (unsigned i = 0; i < LEN(rows); i++) {
		struct fp_ctl ctl = fp_riscv;
		u32 flags = 0;
		ctl.round = rows[i].round;
		CHECK_EQ(f32_add(0x7f7fffff, 0x7f7fffff, &ctl, &flags), rows[i].positive);
		CHECK_EQ(f32_add(0xff7fffff, 0xff7fffff, &ctl, &flags), rows[i].negative);
		CHECK_EQ(flags & FP_IEEE_FLAGS, FP_OVERFLOW | FP_INEXACT);
	}
}

TEST(float_core, rounding_to_odd_keeps_what_was_lost_in_the_last_bit)
{
	struct fp_ctl ctl = fp_arm;
	u32 flags = 0;
	ctl.round = FP_TO_ODD;
	CHECK_EQ(fp_convert(FP_F32, FP_F64, 0x3ff0000000000001, &ctl, &flags), ONE + 1);
	CHECK_EQ(fp_convert(FP_F32, FP_F64, 0x3ff000003fffffff, &ctl, &flags), ONE + 1);
	CHECK_EQ(fp_convert(FP_F32, FP_F64, 0x3ff0000020000000, &ctl, &flags), ONE + 1);
	CHECK_EQ(fp_convert(FP_F32, FP_F64, 1, &ctl, &flags), 1);
}

TEST(float_core, enabled_traps_get_a_wrapped_exponent)
{
	struct fp_ctl ctl = fp_ppc;
	u32 flags = 0;
	ctl.wrap_overflow = ctl.wrap_underflow = true;
	CHECK_EQ(f32_mul(0x7f000000, 0x40000000, &ctl, &flags),
		 0x7f800000 - (192u << 23)); /* 2^128 as 2^-64 */
	CHECK_EQ(flags, FP_OVERFLOW);
	flags = 0;
	CHECK_EQ(f32_mul(SMALLEST, HALF, &ctl, &flags), 192u << 23); /* 2^-127 as 2^65 */
	CHECK_EQ(flags, FP_UNDERFLOW);
	flags = 0;
	ctl = fp_ppc;
	ctl.underflow_exact = true;
	CHECK_EQ(f32_mul(SMALLEST, HALF, &ctl, &flags), SMALLEST / 2);
	CHECK_EQ(flags, FP_UNDERFLOW);
}

TEST(float_core, x87_precision_control_shortens_significands_but_not_exponents)
{
	struct fp_ctl ctl = fp_x87;
	u32 flags = 0;
	u128 one = (u128)0x3fff << 64 | BIT(63), three = (u128)0x4000 << 64 | (u64)3 << 62;
	u128 far = (u128)0x7000 << 64 | BIT(63);
	ctl.f80_prec = 24;
	CHECK(fp_div(FP_F80, one, three, &ctl, &flags) == ((u128)0x3ffd << 64 | 0xaaaaab0000000000));
	CHECK_EQ(flags, FP_INEXACT | FP_ROUNDED_UP);
	flags = 0;
	CHECK(fp_mul(FP_F80, far, one, &ctl, &flags) == far);
	CHECK_EQ(flags, 0);
	ctl.f80_prec = 53;
	CHECK(fp_div(FP_F80, one, three, &ctl, &flags) == ((u128)0x3ffd << 64 | 0xaaaaaaaaaaaaa800));
	CHECK(fp_from_int(FP_F80, INT64_MAX, 0, &ctl, &flags) ==
	      ((u128)0x403d << 64 | (u64)INT64_MAX << 1)); /* FILD is exact */
}

TEST(float_core, x87_refuses_encodings_without_a_meaning_and_m68k_takes_them)
{
	u128 unnormal = (u128)0x4000 << 64 | BIT(62), pseudo_inf = (u128)0x7fff << 64,
	     pseudo_denormal = BIT(63);
	u128 one = (u128)0x3fff << 64 | BIT(63), zero = 0;
	u32 flags = 0;
	CHECK(fp_add(FP_F80, unnormal, zero, &fp_x87, &flags) == fp_default_nan(FP_F80, &fp_x87));
	CHECK_EQ(flags, FP_INVALID | FP_INVALID_UNSUPPORTED);
	flags = 0;
	CHECK_EQ(fp_classify(FP_F80, pseudo_inf, &fp_x87), FP_CLASS_SNAN);
	CHECK(fp_add(FP_F80, pseudo_denormal, zero, &fp_x87, &flags) == ((u128)1 << 64 | BIT(63)));
	CHECK_EQ(flags, FP_INPUT_DENORMAL);
	flags = 0;
	CHECK(fp_add(FP_F80, unnormal, zero, &fp_m68k, &flags) == one);
	CHECK_EQ(fp_classify(FP_F80, pseudo_inf, &fp_m68k), FP_CLASS_INF);
	CHECK(fp_add(FP_F80, pseudo_denormal, zero, &fp_m68k, &flags) ==
	      pseudo_denormal); /* 2^-16383, a normal number */
	CHECK_EQ(flags, 0);
	/* its denormals lie one power lower than x87's */
	u128 half = (u128)0x3ffe << 64 | BIT(63);
	CHECK(fp_mul(FP_F80, pseudo_denormal, half, &fp_m68k, &flags) == BIT(62));
	CHECK_EQ(fp_classify(FP_F80, BIT(62), &fp_m68k), FP_CLASS_DENORMAL);
	CHECK(fp_div(FP_F80, one, zero, &fp_m68k, &flags) == (u128)0x7fff << 64);
	CHECK(fp_div(FP_F80, one, zero, &fp_x87, &flags) == ((u128)0x7fff << 64 | BIT(63)));
}

TEST(float_core, default_nans_have_each_guests_shape)
{
	CHECK_EQ(fp_default_nan(FP_F64, &fp_arm), 0x7ff8000000000000);
	CHECK_EQ(fp_default_nan(FP_F64, &fp_x86), 0xfff8000000000000);
	CHECK_EQ(fp_default_nan(FP_F64, &fp_mips_legacy), 0x7ff7ffffffffffff);
	CHECK_EQ(fp_default_nan(FP_F64, &fp_sparc), 0x7fffffffffffffff);
	CHECK_EQ(fp_default_nan(FP_F64, &fp_hppa), 0x7ff4000000000000);
	CHECK_EQ(fp_default_nan(FP_F16, &fp_arm), 0x7e00);
	CHECK_EQ(fp_default_nan(FP_BF16, &fp_arm), 0x7fc0);
	CHECK(fp_default_nan(FP_F80, &fp_x87) == ((u128)0xffff << 64 | 0xc000000000000000));
	CHECK(fp_default_nan(FP_F80, &fp_m68k) == ((u128)0x7fff << 64 | ~0ull));
	CHECK(fp_default_nan(FP_F128, &fp_riscv) == (u128)0x7fff8 << 108);
}

TEST(float_core, nothing_is_lost_by_taking_apart_and_putting_together)
{
	struct fp_ctl ctl = fp_riscv;
	ctl.default_nan = false;
	for (u32 i = 0; i < 0x10000; i++) {
		enum fp_format f = FP_F16;
		for (unsigned k = 0; k < 2; k++, f = FP_BF16) {
			u32 flags = 0;
			struct fp_num n = fp_unpack(f, i, &ctl, &flags);
			u128 back = n.kind >= NUM_QNAN ? fp_pack_nan(f, n, &ctl)
				    : n.kind == NUM_INF
					? fp_inf(f, n.sign, &ctl)
					: fp_round_num(f, n, 0, FP_NEAREST_EVEN, &ctl, &flags);
			if (back != i || flags)
				test_fail(__FILE__, __LINE__, "format %u: %#x comes back as %#x", f, i,
					  (u32)back);
		}
	}
}
