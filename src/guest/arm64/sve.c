/* arm64 front end: SVE: which group an instruction belongs to; predicates. */
#include "guest/arm64/sve.h"

#define _(name) &arm64_##name,
static const struct insn_group *const integer[] = { ARM64_SVE_PRED_GROUPS(_) ARM64_SVE_INT_GROUPS(_) NULL };
static const struct insn_group *const sve2[] = { ARM64_SVE_EXTRA_GROUPS(_) ARM64_SVE2_INT_GROUPS(_)
						     ARM64_SVE_FP_GROUPS(_) _(sve_streaming) NULL };
static const struct insn_group *const floating[] = { ARM64_SVE_FP_GROUPS(_) NULL };
static const struct insn_group *const memory[] = { ARM64_SVE_MEM_GROUPS(_) NULL };
#undef _

const struct insn_group *const *arm64_sve_candidates(u32 insn)
{
	static const struct insn_group *const *const by[8] = { integer, integer, sve2,	 floating,
							       memory,	memory,	 memory, memory };
	return by[insn >> 29];
}

u16 arm64_pred(const union ir_vec128 *p)
{
	unsigned bits = 0;
	for (unsigned i = 0; i < 16; i++)
		bits |= (p->b[i] & 1u) << i;
	return (u16)bits;
}

void arm64_set_pred(union ir_vec128 *p, u16 bits)
{
	for (unsigned i = 0; i < 16; i++)
		p->b[i] = bits >> i & 1 ? 0xff : 0;
}

unsigned sve_pattern_count(unsigned pattern, unsigned size)
{
	unsigned all = sve_elements(size), n;
	switch (pattern) {
	case 0: /* pow2 */
	case 31:
		return all;
	case 29:
		return all - all % 4;
	case 30:
		return all - all % 3;
	}
	n = pattern <= 8 ? pattern : pattern <= 13 ? 16u << (pattern - 9) : all + 1;
	return n <= all ? n : 0;
}

ir_ref sve_mask(struct tr *t, ir_ref pred, unsigned size)
{
	u8 from[16];
	for (unsigned i = 0; i < 16; i++)
		from[i] = i & ~((1u << size) - 1);
	return size ? simd_shuffle(t, pred, pred, from) : pred;
}

ir_ref sve_active(struct tr *t, ir_ref pred, unsigned size)
{
	return size ? simd_and(t, pred, simd_const(t, lane_int(size), 0xff)) : pred;
}

ir_ref sve_first(struct tr *t, unsigned n, unsigned size)
{
	u8 bytes[16] = { 0 };
	for (unsigned i = 0; i < n; i++)
		bytes[i << size] = 0xff;
	return v_const128(t, bytes);
}

/*
 * With r the active true elements' bits and g the active ones': r has the highest of g's bits if and only if 2 r > g; the lowest of them becomes
 * bit 0 (without any both are 0, and r is shifted by a multiple of 32: not at all).
 */
void sve_test(struct tr *t, ir_ref pred, ir_ref result, unsigned size)
{
	ir_ref active = sve_active(t, pred, size);
	ir_ref g = sve_bits(t, active), r = sve_bits(t, simd_and(t, active, result)), zero = konst32(t, 0);
	ir_ref n = v_bin(t, IR_SHR, r, v_un(t, IR_CTZ, g));
	ir_ref z = v_zext(t, TY_I32, v_cmp(t, IR_EQ, r, zero));
	ir_ref c = v_zext(t, TY_I32, v_cmp(t, IR_LEU, v_bin(t, IR_ADD, r, r), g));
	ir_ref bits =
	    v_bin(t, IR_OR, v_bin(t, IR_SHL, n, konst32(t, 31)), v_bin(t, IR_SHL, z, konst32(t, 30)));
	bits = v_bin(t, IR_OR, bits, v_bin(t, IR_SHL, c, konst32(t, 29)));
	set_nzcv(t, v_op(t, IR_FLPACK, TY_FLAGS, bits, 0, 0, 0));
}

void sve_merge(struct tr *t, unsigned rd, unsigned pg, unsigned size, ir_ref v)
{
	sve_set(t, rd, sve_select(t, sve_governing(t, pg, size), v, simd_get(t, rd)));
}

void sve_zeroing(struct tr *t, unsigned rd, unsigned pg, unsigned size, ir_ref v)
{
	sve_set(t, rd, simd_and(t, sve_governing(t, pg, size), v));
}

const u64 sve_infinity[4] = { 0, 0x7c00, 0x7f800000, 0x7ff0000000000000 };
const u64 sve_default_nan[4] = { 0, 0x7e00, 0x7fc00000, 0x7ff8000000000000 };

ir_ref sve_fp_in(struct tr *t, ir_ref mask, ir_ref v, enum ir_type lane)
{
	static const u64 one[3] = { 0x3c00, 0x3f800000, 0x3ff0000000000000 };
	unsigned size = lane - TY_F16;
	return sve_select(t, mask, v, simd_const(t, lane_int(size + 1), one[size]));
}
