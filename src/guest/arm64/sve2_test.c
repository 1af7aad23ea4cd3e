#include "sve2.c"
#include "base/test.h"

static bool decodes(u64 without, u32 insn)
{
	const struct arm64_model model = { .features = ~without };
	const struct tr t = { .model = &model };
	for (const struct insn_group *const *g = arm64_sve_candidates(insn); *g; g++)
		if ((*g)->find(&t, insn) >= 0)
			return true;
	return false;
}

TEST(arm64_sve2, reserved_sizes_do_not_decode)
{
	static const struct {
		u32 insn;
		u8 sizes; /* bit n: size n exists */
	} cases[] = {
		{ 0x45000000, 0xe }, /* SADDLB */
		{ 0x45004000, 0xe }, /* SADDWB */
		{ 0x45008000, 0xe }, /* SADDLBT */
		{ 0x4500c000, 0xe }, /* SABALB */
		{ 0x45006000, 0xe }, /* SQDMULLB */
		{ 0x45006800, 0xb }, /* PMULLB */
		{ 0x45009000, 0xf }, /* EORBT */
		{ 0x45206000, 0xe }, /* ADDHNB */
		{ 0x44004000, 0xe }, /* SMLALB */
		{ 0x44000800, 0xe }, /* SQDMLALBT */
		{ 0x44001000, 0xc }, /* CDOT */
		{ 0x44002000, 0xf }, /* CMLA */
		{ 0x44007000, 0xf }, /* SQRDMLAH */
		{ 0x4404a000, 0xe }, /* SADALP */
		{ 0x4400a000, 0x4 }, /* URECPE */
		{ 0x44108000, 0xf }, /* SHADD */
	};
	for (unsigned i = 0; i < LEN(cases); i++)
		for (unsigned size = 0; size < 4; size++)
			CHECK_EQ(decodes(0, cases[i].insn | size << 22), cases[i].sizes >> size & 1);
}

TEST(arm64_sve2, shifts_without_a_size_do_not_decode)
{
	CHECK(!decodes(0, 0x4500a000)); /* SSHLLB */
	CHECK(decodes(0, 0x4508a000));
	CHECK(!decodes(0, 0x45201000)); /* SHRNB */
	CHECK(decodes(0, 0x45601000));
	CHECK(!decodes(0, 0x4500e000)); /* SSRA */
	CHECK(decodes(0, 0x4580e000));
	CHECK(!decodes(0, 0x45204000)); /* SQXTNB: one bit alone tells the size */
	CHECK(decodes(0, 0x45284000));
	CHECK(!decodes(0, 0x45384000));
	CHECK(!decodes(0, 0x45684000));
}

TEST(arm64_sve2, wants_its_features)
{
	CHECK(!decodes(BIT(ARM64_SVE2), 0x45400000)); /* SADDLB */
	CHECK(!decodes(BIT(ARM64_SVEPMULL), 0x45006800)); /* PMULLB of doublewords */
	CHECK(decodes(BIT(ARM64_SVEPMULL), 0x45406800));
}
