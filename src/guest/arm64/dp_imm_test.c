#include "dp_imm.c"
#include "base/test.h"

/* Each immediate is a run of ones, rotated, repeated: for every element size all lengths but full and all rotations. */
TEST(arm64_dp_imm, there_are_5334_bitmask_immediates_of_64_bits_and_1302_of_32)
{
	static u64 seen[6000];
	unsigned n = 0, n32 = 0;
	for (unsigned code = 0; code < 1 << 13; code++) {
		u64 mask;
		if (!arm64_bitmask(1, code >> 12, code >> 6 & 63, code & 63, &mask))
			continue;
		CHECK(mask != 0 && mask != ~0ull);
		bool known = false;
		for (unsigned i = 0; i < n && !known; i++)
			known = seen[i] == mask;
		if (!known)
			seen[n++] = mask;
		if (!known && arm64_bitmask(0, code >> 12, code >> 6 & 63, code & 63, &mask))
			n32++;
	}
	CHECK_EQ(n, 5334);
	CHECK_EQ(n32, 1302);
}

TEST(arm64_dp_imm, reserved_bitmasks_are_refused)
{
	u64 mask;
	CHECK(!arm64_bitmask(1, 0, 63, 0, &mask)); /* no element size */
	CHECK(!arm64_bitmask(1, 1, 63, 0, &mask)); /* all ones */
	CHECK(!arm64_bitmask(1, 0, 0x3d, 0, &mask)); /* all ones of two bits */
	CHECK(!arm64_bitmask(0, 1, 0, 0, &mask)); /* 64-bit elements of a W register */
	CHECK(arm64_bitmask(0, 0, 0x3c, 1, &mask));
	CHECK_EQ(mask, 0xaaaaaaaaaaaaaaaa);
}
