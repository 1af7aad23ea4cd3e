/*
 * arm64 front end: shuffles, constants and saturation for the floating-point and Advanced SIMD groups.
 * Source: Arm A-profile architecture, shared pseudo-code AdvSIMDExpandImm, VFPExpandImm.
 */
#include "guest/arm64/simd.h"

ir_ref simd_shift(struct tr *t, enum ir_op op, enum ir_type lane, ir_ref v, unsigned count)
{
	if (op == IR_RSHRU || op == IR_RSHRS)
		return v_lanes(t, op, lane, v, 0, 0, count);
	if (!count)
		return v;
	return v_lanes(t, op, lane, v, v_const(t, TY_I32, count), 0, 0);
}

ir_ref simd_const64(struct tr *t, u64 low, u64 high)
{
	u8 bytes[16];
	st_le64(bytes, low);
	st_le64(bytes + 8, high);
	return v_const128(t, bytes);
}

ir_ref simd_rotate_right(struct tr *t, enum ir_type lane, ir_ref v, unsigned count)
{
	if (!count)
		return v;
	return simd_or(t, simd_shift(t, IR_SHR, lane, v, count),
		       simd_shift(t, IR_SHL, lane, v, ir_bits(lane) - count));
}

void simd_across(struct tr *t, unsigned rd, enum ir_op op, enum ir_type lane, ir_ref v)
{
	ir_ref all = simd_scalar(t, op, lane == TY_I64 ? TY_I64 : TY_I32, lane, v, 0);
	v_set(t, A64_V0 + rd, v_op(t, IR_VZEXT, TY_V128, all, 0, 0, 0));
}

static u64 replicate(u64 value, unsigned bits)
{
	if (bits < 64)
		value &= BITS(bits);
	for (; bits < 64; bits *= 2)
		value |= value << bits;
	return value;
}

ir_ref simd_const(struct tr *t, enum ir_type lane, u64 value)
{
	value = replicate(value, ir_bits(lane));
	return simd_const64(t, value, value);
}

ir_ref simd_shuffle(struct tr *t, ir_ref a, ir_ref b, const u8 mask[16])
{
	return v_op(t, IR_SHUFFLE, TY_V128, a, b, 0, ir_const128(t->ir, mask));
}

ir_ref simd_dup(struct tr *t, ir_ref v, unsigned size, unsigned index, unsigned bytes)
{
	u8 mask[16];
	for (unsigned i = 0; i < 16; i++)
		mask[i] = i < bytes ? (index << size) + (i & ((1 << size) - 1)) : 255;
	return simd_shuffle(t, v, v, mask);
}

ir_ref simd_lane(struct tr *t, ir_ref v, unsigned size, unsigned index)
{
	return index ? simd_dup(t, v, size, index, 1 << size) : simd_low(t, v, 1 << size);
}

ir_ref simd_permute(struct tr *t, enum simd_permutation kind, unsigned second, ir_ref n, ir_ref m,
		    unsigned size, unsigned bytes)
{
	unsigned lanes = bytes >> size;
	u8 mask[16];
	memset(mask, 255, sizeof(mask));
	for (unsigned i = 0; i < bytes; i++) {
		unsigned lane = i >> size, from, other;
		switch (kind) {
		case PERMUTE_UZP:
			from = (lane * 2 + second) % lanes;
			other = lane >= lanes / 2;
			break;
		case PERMUTE_TRN:
			from = (lane & ~1u) + second;
			other = lane & 1;
			break;
		default:
			from = lane / 2 + second * lanes / 2;
			other = lane & 1;
		}
		mask[i] = other * 16 + (from << size) + (i & ((1 << size) - 1));
	}
	return simd_shuffle(t, n, m, mask);
}

ir_ref simd_extract(struct tr *t, ir_ref n, ir_ref m, unsigned from, unsigned bytes)
{
	u8 mask[16];
	for (unsigned i = 0; i < 16; i++)
		mask[i] = i >= bytes ? 255 : from + i < bytes ? from + i : 16 + from + i - bytes;
	return simd_shuffle(t, n, m, mask);
}

ir_ref simd_reverse(struct tr *t, ir_ref v, unsigned size, unsigned log, unsigned bytes)
{
	u8 mask[16];
	for (unsigned i = 0; i < 16; i++)
		mask[i] = i < bytes ? i ^ ((1 << log) - (1 << size)) : 255;
	return simd_shuffle(t, v, v, mask);
}

ir_ref simd_table(struct tr *t, unsigned rn, unsigned count, ir_ref index)
{
	ir_ref v = IR_NONE;
	for (unsigned i = 0; i < count; i++) {
		ir_ref at = i ? simd_op2(t, IR_SUB, TY_I8, index, simd_const(t, TY_I8, 16 * i)) : index;
		ir_ref part = simd_op2(t, IR_TBL, TY_I8, simd_get(t, (rn + i) & 31), at);
		v = i ? simd_or(t, v, part) : part;
	}
	return v;
}

ir_ref simd_concat(struct tr *t, ir_ref lo, ir_ref hi)
{
	static const u8 mask[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23 };
	return simd_shuffle(t, lo, hi, mask);
}

ir_ref simd_twice(struct tr *t, ir_ref v, unsigned bytes)
{
	return bytes == 16 ? v : simd_concat(t, v, v);
}

void simd_set_half(struct tr *t, unsigned reg, ir_ref v, unsigned q)
{
	v_set(t, A64_V0 + reg, q ? simd_concat(t, simd_get(t, reg), v) : v);
}

void simd_qc(struct tr *t, ir_ref v, unsigned bytes)
{
	v_set(t, A64_QC, simd_or(t, v_get(t, A64_QC), simd_low(t, v, bytes)));
}

void simd_qc_differ(struct tr *t, ir_ref a, ir_ref b, unsigned bytes)
{
	simd_qc(t, simd_xor(t, a, b), bytes);
}

ir_ref simd_element(struct tr *t, unsigned size, unsigned L, unsigned M, unsigned Rm, unsigned H,
		    unsigned bytes)
{
	unsigned index = size == 1 ? H << 2 | L << 1 | M : size == 2 ? H << 1 | L : H;
	unsigned reg = size == 1 ? Rm : M << 4 | Rm;
	return simd_dup(t, simd_get(t, reg), size, index, bytes);
}

u64 fp_expand_imm(unsigned imm8, enum ir_type type)
{
	static const u8 exponent_bits[] = { 5, 8, 11 }, fraction_bits[] = { 10, 23, 52 };
	unsigned e = exponent_bits[type - TY_F16], f = fraction_bits[type - TY_F16];
	u64 b = imm8 >> 6 & 1;
	u64 exponent = (b ^ 1) << (e - 1) | (b ? BITS(e - 3) << 2 : 0) | (imm8 >> 4 & 3);
	return (u64)(imm8 >> 7) << (e + f) | exponent << f | (u64)(imm8 & 15) << (f - 4);
}

u64 simd_expand_imm(unsigned op, unsigned cmode, unsigned imm8)
{
	switch (cmode >> 1) {
	case 0 ... 3:
		return replicate((u64)imm8 << 8 * (cmode >> 1), 32);
	case 4 ... 5:
		return replicate((u64)imm8 << 8 * (cmode >> 1 & 1), 16);
	case 6:
		return replicate(cmode & 1 ? imm8 << 16 | 0xffff : imm8 << 8 | 0xff, 32);
	}
	if (!(cmode & 1)) {
		u64 mask = 0;
		for (unsigned i = 0; i < 8 && op; i++)
			mask |= imm8 >> i & 1 ? 0xffull << 8 * i : 0;
		return op ? mask : replicate(imm8, 8);
	}
	return op ? fp_expand_imm(imm8, TY_F64) : replicate(fp_expand_imm(imm8, TY_F32), 32);
}

/* 2 * n * m saturates only when both are the most negative number. */
ir_ref simd_qdmulh(struct tr *t, enum ir_op op, enum ir_type lane, ir_ref n, ir_ref m, unsigned bytes)
{
	ir_ref min = simd_const(t, lane, BIT(ir_bits(lane) - 1));
	ir_ref both = simd_and(t, simd_op2(t, IR_VEQ, lane, n, m), simd_op2(t, IR_VEQ, lane, n, min));
	simd_qc(t, both, bytes);
	return simd_op2(t, op, lane, n, m);
}

/*
 * d + 2 * n * m (or -), rounded, the high half (FEAT_RDM). Everything is halved in lanes of twice the size,
 * (d << (w - 1)) + n * m, where it is exact: |d| < 2^(w - 1) and the product at most 2^(2w - 2).
 */
ir_ref simd_qrdmla(struct tr *t, bool subtract, enum ir_type lane, ir_ref d, ir_ref n, ir_ref m,
		   unsigned bytes)
{
	enum ir_type wide = lane + 1;
	unsigned w = ir_bits(lane);
	ir_ref half[2], low[2];
	for (unsigned high = 0; high < 2; high++) {
		ir_ref sum = simd_shift(t, IR_SHL, wide, v_lanes(t, IR_WIDENS, lane, d, 0, 0, high), w - 1);
		ir_ref product = v_lanes(t, IR_MULLS, lane, n, m, 0, high);
		sum = simd_op2(t, subtract ? IR_SUB : IR_ADD, wide, sum, product);
		sum = simd_shift(t, IR_RSHRS, wide, sum, w - 1);
		half[high] = simd_op1(t, IR_NARROWSS, wide, sum);
		low[high] = simd_op1(t, IR_NARROW, wide, sum);
	}
	ir_ref r = simd_concat(t, half[0], half[1]);
	if (bytes)
		simd_qc_differ(t, r, simd_concat(t, low[0], low[1]), bytes);
	return r;
}

ir_ref simd_mulh(struct tr *t, enum ir_op multiply, enum ir_type lane, ir_ref n, ir_ref m)
{
	if (lane == TY_I16 ||
	    lane == TY_I64) /* the host has 16 bits; nothing is as wide as the other's product */
		return simd_op2(t, multiply == IR_MULLS ? IR_MULHS : IR_MULHU, lane, n, m);
	unsigned size = ir_bits(lane) / 8;
	ir_ref low = v_lanes(t, multiply, lane, n, m, 0, 0), high = v_lanes(t, multiply, lane, n, m, 0, 1);
	u8 upper[16];
	for (unsigned i = 0; i < 16; i++)
		upper[i] = i / size * 2 * size + size + i % size;
	return simd_shuffle(t, low, high, upper);
}

ir_ref simd_qdmull(struct tr *t, int accumulate, enum ir_type lane, ir_ref d, ir_ref n, ir_ref m,
		   unsigned high, unsigned bytes)
{
	enum ir_type wide = lane + 1;
	ir_ref product = v_lanes(t, IR_MULLS, lane, n, m, 0, high);
	ir_ref twice = simd_op2(t, IR_QADDS, wide, product, product);
	simd_qc_differ(t, twice, simd_op2(t, IR_ADD, wide, product, product), bytes);
	if (!accumulate)
		return twice;
	ir_ref r = simd_op2(t, accumulate > 0 ? IR_QADDS : IR_QSUBS, wide, d, twice);
	simd_qc_differ(t, r, simd_op2(t, accumulate > 0 ? IR_ADD : IR_SUB, wide, d, twice), bytes);
	return r;
}

/* A saturated sum or difference differs from the wrapped one, for it is less than 2^width away from the exact one. */
ir_ref simd_saturate(struct tr *t, enum ir_op op, enum ir_op plain, enum ir_type lane, ir_ref n, ir_ref m,
		     unsigned bytes)
{
	ir_ref r = simd_op2(t, op, lane, n, m);
	simd_qc_differ(t, r, simd_op2(t, plain, lane, n, m), bytes);
	return r;
}

ir_ref simd_narrow(struct tr *t, enum ir_op op, enum ir_op widen, enum ir_type lane, ir_ref v, unsigned bytes)
{
	ir_ref r = simd_op1(t, op, lane + 1, v);
	simd_qc_differ(t, simd_op1(t, widen, lane, r), v, bytes);
	return r;
}
