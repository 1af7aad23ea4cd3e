#include "simd.c"
#include "base/test.h"

TEST(arm64_simd_imm, expands_floating_point)
{
	CHECK_EQ(fp_expand_imm(0x70, TY_F64), 0x3ff0000000000000);
	CHECK_EQ(fp_expand_imm(0x00, TY_F64), 0x4000000000000000);
	CHECK_EQ(fp_expand_imm(0x80, TY_F32), 0xc0000000);
	CHECK_EQ(fp_expand_imm(0x3f, TY_F32), 0x41f80000); /* 31.0 */
	CHECK_EQ(fp_expand_imm(0x40, TY_F32), 0x3e000000); /* 0.125 */
	CHECK_EQ(fp_expand_imm(0x70, TY_F16), 0x3c00);
	CHECK_EQ(fp_expand_imm(0xff, TY_F16), 0xbfc0); /* -1.9375 */
}

TEST(arm64_simd_imm, expands_modified_immediates)
{
	CHECK_EQ(simd_expand_imm(0, 0, 0xab), 0x000000ab000000ab);
	CHECK_EQ(simd_expand_imm(0, 6, 0xab), 0xab000000ab000000);
	CHECK_EQ(simd_expand_imm(0, 8, 0xab), 0x00ab00ab00ab00ab);
	CHECK_EQ(simd_expand_imm(0, 10, 0xab), 0xab00ab00ab00ab00);
	CHECK_EQ(simd_expand_imm(0, 12, 0xab), 0x0000abff0000abff);
	CHECK_EQ(simd_expand_imm(0, 13, 0xab), 0x00abffff00abffff);
	CHECK_EQ(simd_expand_imm(0, 14, 0xab), 0xabababababababab);
	CHECK_EQ(simd_expand_imm(1, 14, 0xa1), 0xff00ff00000000ff);
	CHECK_EQ(simd_expand_imm(0, 15, 0x70), 0x3f8000003f800000);
	CHECK_EQ(simd_expand_imm(1, 15, 0x70), 0x3ff0000000000000);
}
