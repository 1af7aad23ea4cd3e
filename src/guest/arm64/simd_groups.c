/* arm64 front end: which groups an instruction of floating point, Advanced SIMD or cryptography can belong to. */
#include "guest/arm64/simd.h"

#define SET(...) \
	(const struct insn_group *const[]) \
	{ \
		__VA_ARGS__, NULL \
	}
static const struct insn_group *const *const set_fp = SET(&arm64_fp);
static const struct insn_group *const *const set_convert = SET(&arm64_fp_convert);
static const struct insn_group *const *const set_three = SET(&arm64_simd_three);
static const struct insn_group *const *const set_three_fp = SET(&arm64_simd_three_fp, &arm64_simd_extra);
static const struct insn_group *const *const set_extra = SET(&arm64_simd_extra);
static const struct insn_group *const *const set_two =
    SET(&arm64_simd_two, &arm64_simd_two_fp, &arm64_crypto);
static const struct insn_group *const *const set_diff = SET(&arm64_simd_diff);
static const struct insn_group *const *const set_element = SET(&arm64_simd_element);
static const struct insn_group *const *const set_shift = SET(&arm64_simd_shift, &arm64_simd_permute);
static const struct insn_group *const *const set_permute = SET(&arm64_simd_permute, &arm64_crypto);
static const struct insn_group *const *const set_crypto = SET(&arm64_crypto);
static const struct insn_group *const *const set_ldst = SET(&arm64_ldst_simd);
static const struct insn_group *const *const set_struct = SET(&arm64_ldst_struct);

static bool bit(u32 insn, unsigned n)
{
	return insn >> n & 1;
}

const struct insn_group *const *arm64_simd_candidates(u32 insn)
{
	if (!bit(insn, 25)) /* loads and stores */
		return (insn >> 25 & 0x1f) == 0x06 ? set_struct : set_ldst;
	if (bit(insn, 28) && !bit(insn, 30)) /* scalar floating point */
		return !bit(insn, 24) && (!bit(insn, 21) || !(insn >> 10 & 0x3f)) ? set_convert : set_fp;
	if (insn >> 24 == 0xce)
		return set_crypto;
	if (bit(insn, 24))
		return bit(insn, 10) ? set_shift : set_element;
	if (bit(insn, 21)) {
		if (bit(insn, 10))
			return (insn >> 14 & 3) == 3 ? set_three_fp : set_three;
		return bit(insn, 11) ? set_two : set_diff;
	}
	if (!bit(insn, 10))
		return set_permute;
	return bit(insn, 15) ? set_extra : bit(insn, 22) ? set_three_fp : set_permute;
}
