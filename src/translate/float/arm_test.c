#include "arm.c"
#include "base/test.h"

TEST(float_arm, estimates_are_those_of_the_manual)
{
	/* sqrt and reciprocal of 1 and around the ends of the tables; the rest is compared with a CPU by tests/float */
	u32 flags = 0;
	CHECK_EQ(fp_arm_recip_estimate(FP_F32, 0x3f800000, false, &fp_arm, &flags), 0x3f7f8000);
	CHECK_EQ(fp_arm_rsqrt_estimate(FP_F32, 0x3f800000, false, &fp_arm, &flags), 0x3f7f8000);
	CHECK_EQ(fp_arm_recip_estimate(FP_F32, 0x00000001, false, &fp_arm, &flags), 0x7f800000);
	CHECK_EQ(flags & FP_IEEE_FLAGS, FP_OVERFLOW | FP_INEXACT);
	flags = 0;
	CHECK_EQ(fp_arm_recip_estimate(FP_F32, 0x00400000, false, &fp_arm, &flags), 0x7eff8000); /* denormals that have one */
	CHECK_EQ(fp_arm_recip_estimate(FP_F32, 0x00200000, false, &fp_arm, &flags), 0x7f7f8000);
	CHECK_EQ(fp_arm_recip_estimate(FP_F32, 0x7e800001, false, &fp_arm, &flags), 0x007fc000); /* and that are one */
	CHECK_EQ(flags, 0);
	CHECK_EQ(fp_arm_urecpe(0x7fffffff), 0xffffffff);
	CHECK_EQ(fp_arm_urecpe(0x80000000), 0xff800000);
	CHECK_EQ(fp_arm_ursqrte(0x3fffffff), 0xffffffff);
	CHECK_EQ(fp_arm_ursqrte(0x40000000), 0xff800000);
}

TEST(float_arm, estimates_are_as_near_as_they_promise)
{
	/* 8 bits, or 12 with FEAT_RPRES: half an interval of the table and half a unit of the result */
	for (u32 i = 0; i < 4096; i++) {
		u32 x = 0x3f800000 + (i << 11), flags = 0;
		float value, e8, e12, s12;
		u32 r8 = (u32)fp_arm_recip_estimate(FP_F32, x, true, &fp_arm, &flags);
		u32 r12 = (u32)fp_arm_recip_estimate(FP_F32, x, true, &fp_arm_ah, &flags);
		u32 q12 = (u32)fp_arm_rsqrt_estimate(FP_F32, x, true, &fp_arm_ah, &flags);
		memcpy(&value, &x, 4), memcpy(&e8, &r8, 4), memcpy(&e12, &r12, 4), memcpy(&s12, &q12, 4);
		float d8 = e8 * value - 1, d12 = e12 * value - 1, ds = s12 * s12 * value - 1;
		CHECK(d8 < 1.0f / 256 && d8 > -1.0f / 256);
		CHECK(d12 < 1.5f / 4096 && d12 > -1.5f / 4096);
		CHECK(ds < 3.0f / 4096 && ds > -3.0f / 4096);
		CHECK_EQ(flags, 0);
	}
}

TEST(float_arm, steps_and_mulx_give_constants_for_infinity_times_zero)
{
	const u32 inf = 0x7f800000;
	u32 flags = 0;
	CHECK_EQ(fp_arm_mulx(FP_F32, inf, BIT(31), &fp_arm, &flags), 0xc0000000);
	CHECK_EQ(fp_arm_recip_step(FP_F32, inf, 0, &fp_arm, &flags), 0x40000000);
	CHECK_EQ(fp_arm_rsqrt_step(FP_F32, 0, inf, &fp_arm, &flags), 0x3fc00000);
	CHECK_EQ(flags, 0);
	CHECK_EQ(fp_arm_recip_step(FP_F32, 0x3f800000, 0x40000000, &fp_arm, &flags), 0);
	CHECK_EQ(fp_arm_rsqrt_step(FP_F32, 0x3f800000, 0x3f800000, &fp_arm, &flags), 0x3f800000);
	CHECK_EQ(fp_arm_recip_step(FP_F32, 0x7fc00001, 0, &fp_arm, &flags),
		 0xffc00001); /* FPNeg comes first */
	CHECK_EQ(fp_arm_recip_step(FP_F32, 0x7fc00001, 0, &fp_arm_ah, &flags), 0x7fc00001);
	CHECK_EQ(flags, 0);
}

TEST(float_arm, ah_silences_estimates)
{
	u32 flags = 0;
	CHECK_EQ(fp_arm_recip_estimate(FP_F32, 1, false, &fp_arm_ah, &flags),
		 0x7f800000); /* a denormal is zero */
	CHECK_EQ(fp_arm_rsqrt_estimate(FP_F32, 0xbf800000, false, &fp_arm_ah, &flags), 0xffc00000);
	CHECK_EQ(fp_arm_recip_estimate(FP_F32, 0x7f800001, false, &fp_arm_ah, &flags), 0x7fc00001);
	CHECK_EQ(fp_arm_bfcvt(0x7f800001, &fp_arm_ah, &flags), 0x7fc0);
	CHECK_EQ(flags, 0);
}

TEST(float_arm, ah_reports_denormal_operands_but_not_of_f16)
{
	u32 flags = 0;
	f32_add(1, 0x3f800000, &fp_arm_ah, &flags);
	CHECK_EQ(flags, FP_INPUT_DENORMAL | FP_INEXACT);
	flags = 0;
	f16_add(1, 1, &fp_arm_ah, &flags);
	CHECK_EQ(flags, 0);
}

TEST(float_arm, bf16_dot_product_rounds_to_odd_and_knows_no_denormals)
{
	/* 1 * 1 + 2^-40 * 1, added to 0: the lost part sets the last bit */
	CHECK_EQ(fp_arm_bfdot(0, 0x2b803f80, 0x3f803f80, false, &fp_arm), 0x3f800001);
	CHECK_EQ(fp_arm_bfdot(0, 0x2b803f80, 0x3f803f80, true, &fp_arm), 0x3f800000);
	CHECK_EQ(fp_arm_bfdot(1, 0, 0, false, &fp_arm), 0); /* a denormal addend */
	CHECK_EQ(fp_arm_bfdot(0, 0x00007f7f, 0x00007f7f, false, &fp_arm), 0x7f800000);
	CHECK_EQ(fp_arm_bfdot(0, 0x00007fc1, 0, false, &fp_arm), 0x7fc00000);
}

TEST(float_arm, f16_products_report_nans_in_the_sums_format)
{
	u32 flags = 0;
	CHECK_EQ(fp_fma_widen(FP_F16, FP_F32, 0x7e01, 0x3c00, 0x3f800000, 0, &fp_arm, &flags), 0x7fc02000);
	CHECK_EQ(flags, 0);
	/* 65504 * 65504 fits an f32 */
	CHECK_EQ(fp_fma_widen(FP_F16, FP_F32, 0x7bff, 0x7bff, 0, 0, &fp_arm, &flags), 0x4f7fc004);
	CHECK_EQ(flags, 0);
}
