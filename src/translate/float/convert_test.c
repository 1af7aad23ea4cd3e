#include "convert.c"
#include "base/test.h"

TEST(float_convert, what_no_integer_can_express_is_each_guests_own)
{
	enum {
		NAN_POS = 0x7fc00000,
		NAN_NEG = 0xffc00000,
		BIG = 0x4f800000 /* 2^32 */,
		NEG_BIG = 0xcf800000
	};
	static const struct {
		const struct fp_ctl *ctl;
		u32 nan, negative_nan, big, negative_big;
	} rows[] = {
		{ &fp_arm, 0, 0, 0x7fffffff, 0x80000000 },
		{ &fp_x86, 0x80000000, 0x80000000, 0x80000000, 0x80000000 },
		{ &fp_riscv, 0x7fffffff, 0x7fffffff, 0x7fffffff, 0x80000000 },
		{ &fp_ppc, 0x80000000, 0x80000000, 0x7fffffff, 0x80000000 },
		{ &fp_s390x, 0x80000000, 0x80000000, 0x7fffffff, 0x80000000 },
		{ &fp_mips_2008, 0, 0, 0x7fffffff, 0x80000000 },
		{ &fp_sparc, 0x7fffffff, 0x80000000, 0x7fffffff, 0x80000000 },
		{ &fp_alpha, 0, 0, 0, 0 },
	};
	for (unsigned i = 0; i < LEN(rows); i++) {
		static const u32 in[] = { NAN_POS, NAN_NEG, BIG, NEG_BIG };
		const u32 *want = &rows[i].nan;
		for (unsigned k = 0; k < 4; k++) {
			u32 flags = 0;
			CHECK_EQ((u32)f32_to_int(in[k], 32, true, 0, FP_TO_ZERO, rows[i].ctl, &flags),
				 want[k]);
			bool inexact = rows[i].ctl == &fp_s390x && k >= 2;
			CHECK_EQ(flags, FP_INVALID | FP_INVALID_CVI | (inexact ? FP_INEXACT : 0));
		}
	}
	u32 flags = 0;
	CHECK_EQ((u32)f32_to_int(NAN_POS, 32, false, 0, FP_TO_ZERO, &fp_riscv, &flags), 0xffffffff);
	CHECK_EQ((u32)f32_to_int(NEG_BIG, 32, false, 0, FP_TO_ZERO, &fp_riscv, &flags), 0);
	CHECK_EQ((u32)f32_to_int(NEG_BIG, 32, false, 0, FP_TO_ZERO, &fp_x86, &flags), 0xffffffff);
	CHECK_EQ((u32)f32_to_int(NAN_POS, 32, false, 0, FP_TO_ZERO, &fp_ppc, &flags), 0);
}

TEST(float_convert, integer_ranges_end_exactly)
{
	static const struct {
		u64 in;
		unsigned bits;
		bool is_signed;
		u64 out;
		u32 flags;
	} rows[] = {
		{ 0x41dfffffffc00000, 32, true, 0x7fffffff, 0 },
		{ 0x41dfffffffe00000, 32, true, 0x7fffffff, FP_INEXACT }, /* 2^31 - 1/2, towards zero */
		{ 0x41e0000000000000, 32, true, 0x7fffffff, FP_INVALID | FP_INVALID_CVI },
		{ 0xc1e0000000000000, 32, true, 0xffffffff80000000, 0 },
		{ 0xc1e00000001fffff, 32, true, 0xffffffff80000000, FP_INEXACT },
		{ 0xc1e0000000200000, 32, true, 0xffffffff80000000, FP_INVALID | FP_INVALID_CVI },
		{ 0xbfefffffffffffff, 32, false, 0, FP_INEXACT },
		{ 0xbff0000000000000, 32, false, 0, FP_INVALID | FP_INVALID_CVI },
		{ 0x43efffffffffffff, 64, false, 0xfffffffffffff800, 0 },
		{ 0xc3e0000000000000, 64, true, BIT(63), 0 },
		{ 0x405fc00000000000, 8, true, 127, 0 },
		{ 0x4060000000000000, 8, true, 127, FP_INVALID | FP_INVALID_CVI },
	};
	for (unsigned i = 0; i < LEN(rows); i++) {
		u32 flags = 0;
		CHECK_EQ(
		    f64_to_int(rows[i].in, rows[i].bits, rows[i].is_signed, 0, FP_TO_ZERO, &fp_arm, &flags),
		    rows[i].out);
		CHECK_EQ(flags, rows[i].flags);
	}
	u32 flags = 0;
	CHECK(fp_to_int(FP_F128, (u128)0x407e << 112, 128, true, 0, FP_TO_ZERO, &fp_arm, &flags) ==
	      ~(u128)0 >> 1);
	CHECK(flags & FP_INVALID);
	flags = 0;
	CHECK(fp_to_int(FP_F128, (u128)0x407e << 112, 128, false, 0, FP_TO_ZERO, &fp_arm, &flags) ==
	      (u128)1 << 127);
	CHECK_EQ(flags, 0);
}

TEST(float_convert, integers_of_128_bits_round_like_others)
{
	u32 flags = 0;
	CHECK_EQ(f64_from_int((i128)-1, 0, &fp_arm, &flags), 0xbff0000000000000);
	CHECK_EQ(f64_from_uint(~(u128)0, 0, &fp_arm, &flags), 0x47f0000000000000);
	CHECK_EQ(flags, FP_INEXACT | FP_ROUNDED_UP);
	flags = 0;
	CHECK_EQ(f32_from_int(1, 64, &fp_arm, &flags), 0x1f800000);
	CHECK_EQ(flags, 0);
	CHECK_EQ(f16_from_uint(65519, 0, &fp_arm, &flags), 0x7bff);
	CHECK_EQ(f16_from_uint(65520, 0, &fp_arm, &flags), 0x7c00);
	CHECK_EQ(flags & FP_IEEE_FLAGS, FP_OVERFLOW | FP_INEXACT);
}

TEST(float_convert, alternative_half_has_no_infinities)
{
	struct fp_ctl ctl = fp_arm;
	u32 flags = 0;
	ctl.alt_half = true;
	CHECK_EQ(fp_convert(FP_F32, FP_F16, 0x7c00, &ctl, &flags), 0x47800000); /* 65536 */
	CHECK_EQ(fp_convert(FP_F16, FP_F32, 0x47ffe000, &ctl, &flags), 0x7fff);
	CHECK_EQ(flags, 0);
	CHECK_EQ(fp_convert(FP_F16, FP_F32, 0x48000000, &ctl, &flags), 0x7fff);
	CHECK_EQ(flags & FP_IEEE_FLAGS, FP_INVALID);
	CHECK_EQ(fp_convert(FP_F16, FP_F32, 0xff800000, &ctl, &flags), 0xffff);
	CHECK_EQ(fp_convert(FP_F16, FP_F32, 0xffc00000, &ctl, &flags), 0x8000);
	CHECK_EQ(f16_add(0x7c00, 0x3c00, &ctl, &flags), 0x7c00); /* arithmetic does not know it */
}

TEST(float_convert, nan_payloads_keep_their_top_bits)
{
	u32 flags = 0;
	CHECK_EQ(fp_convert(FP_F64, FP_F32, 0xffc00001, &fp_arm, &flags), 0xfff8000020000000);
	CHECK_EQ(fp_convert(FP_F32, FP_F64, 0x7ffabcdef0000000, &fp_arm, &flags), 0x7fd5e6f7);
	CHECK_EQ(flags, 0);
	CHECK_EQ(fp_convert(FP_F32, FP_F64, 0x7ff0000000000001, &fp_arm, &flags), 0x7fc00000);
	CHECK_EQ(flags, FP_INVALID | FP_INVALID_SNAN);
	/* where quiet NaNs lack the first bit, a cut payload must not become infinity */
	flags = 0;
	CHECK_EQ(fp_convert(FP_F32, FP_F64, 0x7ff0000000000001, &fp_mips_legacy, &flags), 0x7fbfffff);
	CHECK_EQ(flags, 0);
}

TEST(float_convert, whole_numbers_keep_the_sign_of_zero)
{
	static const struct {
		enum fp_round round;
		u32 in, out;
	} rows[] = { { FP_NEAREST_EVEN, 0xbf000000, 0x80000000 },
		     { FP_NEAREST_AWAY, 0xbf000000, 0xbf800000 },
		     { FP_NEAREST_EVEN, 0x3fc00000, 0x40000000 },
		     { FP_NEAREST_EVEN, 0x40200000, 0x40000000 },
		     { FP_UP, 0xbf7fffff, 0x80000000 },
		     { FP_DOWN, 0x3f7fffff, 0 },
		     { FP_DOWN, 0x80000001, 0xbf800000 },
		     { FP_TO_ZERO, 0x4b7fffff, 0x4b7fffff },
		     { FP_UP, 0x4afffffd, 0x4afffffe } };
	for (unsigned i = 0; i < LEN(rows); i++) {
		u32 flags = 0;
		CHECK_EQ(f32_round_int(rows[i].in, rows[i].round, true, &fp_arm, &flags), rows[i].out);
		CHECK_EQ(flags & FP_INEXACT, rows[i].in == rows[i].out ? 0 : FP_INEXACT);
		flags = 0;
		f32_round_int(rows[i].in, rows[i].round, false, &fp_arm, &flags);
		CHECK_EQ(flags, 0);
	}
}

TEST(float_convert, frint32_gives_the_most_negative_number_for_what_does_not_fit)
{
	u32 flags = 0;
	CHECK_EQ(fp_round_int_fit(FP_F32, 0x4effffff, FP_TO_ZERO, 32, &fp_arm, &flags), 0x4effffff);
	CHECK_EQ(fp_round_int_fit(FP_F32, 0xcf000000, FP_TO_ZERO, 32, &fp_arm, &flags), 0xcf000000);
	CHECK_EQ(flags, 0);
	CHECK_EQ(fp_round_int_fit(FP_F32, 0x4f000000, FP_TO_ZERO, 32, &fp_arm, &flags), 0xcf000000);
	CHECK_EQ(flags & FP_IEEE_FLAGS, FP_INVALID);
	CHECK_EQ(fp_round_int_fit(FP_F64, 0x7ff0000000000000, FP_TO_ZERO, 64, &fp_arm, &flags),
		 0xc3e0000000000000);
	CHECK_EQ(fp_round_int_fit(FP_F64, 0x7ff8000000000000, FP_TO_ZERO, 32, &fp_arm, &flags),
		 0xc1e0000000000000);
}
