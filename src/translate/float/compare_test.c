#include "compare.c"
#include "base/test.h"

enum { QNAN = 0x7fc00001, SNAN = 0x7f800001, ONE = 0x3f800000, TWO = 0x40000000 };

TEST(float_compare, orders_by_value_and_signals_as_asked)
{
	static const struct {
		u32 a, b;
		enum fp_order order;
	} rows[] = { { 0, 0x80000000, FP_EQUAL },
		     { ONE, TWO, FP_LESS },
		     { ONE | BIT(31), TWO | BIT(31), FP_GREATER },
		     { 1, 2, FP_LESS },
		     { 0x7f800000, 0x7f7fffff, FP_GREATER },
		     { 0xff800000, 0x7f800000, FP_LESS },
		     { 0x7f800000, 0x7f800000, FP_EQUAL } };
	for (unsigned i = 0; i < LEN(rows); i++) {
		u32 flags = 0;
		CHECK_EQ(f32_compare(rows[i].a, rows[i].b, true, &fp_riscv, &flags), rows[i].order);
		CHECK_EQ(f32_compare(rows[i].b, rows[i].a, true, &fp_riscv, &flags), -rows[i].order);
		CHECK_EQ(flags & ~(u32)FP_INPUT_DENORMAL, 0);
	}
	u32 flags = 0;
	CHECK_EQ(f32_compare(QNAN, ONE, false, &fp_riscv, &flags), FP_UNORDERED);
	CHECK_EQ(flags, 0);
	CHECK_EQ(f32_compare(QNAN, ONE, true, &fp_riscv, &flags), FP_UNORDERED);
	CHECK_EQ(flags, FP_INVALID | FP_INVALID_VC);
	flags = 0;
	CHECK_EQ(f32_compare(ONE, SNAN, false, &fp_riscv, &flags), FP_UNORDERED);
	CHECK_EQ(flags, FP_INVALID | FP_INVALID_SNAN);
	CHECK_EQ(fp_compare_abs(FP_F32, TWO | BIT(31), ONE, true, &fp_arm, &flags), FP_GREATER);
}

TEST(float_compare, flushed_denormals_equal_zero)
{
	struct fp_ctl ctl = fp_arm;
	u32 flags = 0;
	ctl.flush_in = true;
	CHECK_EQ(f32_compare(1, 0x80000002, true, &ctl, &flags), FP_EQUAL);
	CHECK_EQ(flags, FP_INPUT_FLUSHED);
}

TEST(float_compare, maximum_treats_nans_and_zeros_in_four_senses)
{
	const u32 pz = 0, nz = BIT(31), sq = SNAN | BIT(22);
	static const unsigned kinds[] = { FP_MM_PROPAGATE, FP_MM_NUMBER_2008, FP_MM_NUMBER_2019,
					  FP_MM_SECOND };
	const struct {
		u32 a, b, want[4];
		u8 invalid; /* a bit a kind */
	} rows[] = {
		{ ONE, TWO, { TWO, TWO, TWO, TWO }, 0 },
		{ pz, nz, { pz, pz, pz, nz }, 0 },
		{ nz, pz, { pz, pz, pz, pz }, 0 },
		{ QNAN, ONE, { QNAN, ONE, ONE, ONE }, 8 },
		{ ONE, QNAN, { QNAN, ONE, ONE, QNAN }, 8 },
		{ SNAN, ONE, { sq, sq, ONE, ONE }, 15 },
		{ ONE, SNAN, { sq, sq, ONE, SNAN }, 15 },
		{ QNAN, QNAN + 1, { QNAN, QNAN, QNAN, QNAN + 1 }, 8 },
	};
	for (unsigned i = 0; i < LEN(rows); i++)
		for (unsigned k = 0; k < LEN(kinds); k++) {
			u32 flags = 0;
			CHECK_EQ(f32_minmax(rows[i].a, rows[i].b, kinds[k], &fp_x86, &flags),
				 rows[i].want[k]);
			CHECK_EQ(!!(flags & FP_INVALID), rows[i].invalid >> k & 1);
		}
}

TEST(float_compare, minimum_mirrors_and_magnitudes_ignore_signs)
{
	u32 flags = 0;
	CHECK_EQ(f32_minmax(0, BIT(31), FP_MM_PROPAGATE | FP_MM_MIN, &fp_arm, &flags), BIT(31));
	CHECK_EQ(f32_minmax(ONE, TWO | BIT(31), FP_MM_NUMBER_2008 | FP_MM_MIN, &fp_arm, &flags),
		 TWO | BIT(31));
	CHECK_EQ(f32_minmax(ONE, TWO | BIT(31), FP_MM_NUMBER_2008 | FP_MM_MAG, &fp_mips_2008, &flags),
		 TWO | BIT(31));
	CHECK_EQ(
	    f32_minmax(ONE, TWO | BIT(31), FP_MM_NUMBER_2008 | FP_MM_MAG | FP_MM_MIN, &fp_mips_2008, &flags),
	    ONE);
	CHECK_EQ(f32_minmax(TWO, TWO | BIT(31), FP_MM_NUMBER_2008 | FP_MM_MAG, &fp_mips_2008, &flags), TWO);
	CHECK_EQ(flags, 0);
}

TEST(float_compare, arm_ah_takes_the_second_operand)
{
	u32 flags = 0;
	CHECK_EQ(f32_minmax(0, BIT(31), FP_MM_PROPAGATE, &fp_arm_ah, &flags), BIT(31));
	CHECK_EQ(flags, 0);
	CHECK_EQ(f32_minmax(QNAN, ONE, FP_MM_PROPAGATE, &fp_arm_ah, &flags), ONE);
	CHECK_EQ(flags & FP_IEEE_FLAGS, FP_INVALID);
	flags = 0;
	CHECK_EQ(f32_minmax(QNAN, ONE, FP_MM_NUMBER_2008, &fp_arm_ah, &flags), ONE); /* FMAXNM stays */
	CHECK_EQ(flags, 0);
	CHECK_EQ(f32_minmax(0, BIT(31), FP_MM_NUMBER_2008, &fp_arm_ah, &flags), 0);
}
