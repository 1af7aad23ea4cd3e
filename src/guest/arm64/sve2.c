/*
 * arm64 front end: SVE2: what its groups share: pairs of elements, saturating and complex products.
 * Source: Arm A-profile architecture, C8 (SMULLB, SQDMLALB, SQRDMLAH, CMLA, SQRDCMLAH, CDOT).
 */
#include "guest/arm64/sve.h"

ir_ref sve2_even(struct tr *t, unsigned size)
{
	return size == 3 ? simd_const64(t, ~0ull, 0) : simd_const(t, lane_int(size + 1), BITS(8u << size));
}

ir_ref sve2_swap(struct tr *t, ir_ref v, unsigned size)
{
	u8 from[16];
	for (unsigned i = 0; i < 16; i++)
		from[i] = i ^ 1u << size;
	return simd_shuffle(t, v, v, from);
}

ir_ref sve2_half(struct tr *t, ir_ref v, unsigned size, unsigned top)
{
	u8 from[16];
	for (unsigned i = 0, low = (1u << size) - 1; i < 16; i++)
		from[i] = (i & 7 & ~low) * 2 + (top << size) + (i & low);
	return simd_shuffle(t, v, v, from);
}

ir_ref sve2_twice(struct tr *t, ir_ref v, unsigned size, unsigned top)
{
	u8 from[16];
	for (unsigned i = 0; i < 16; i++)
		from[i] = (i & ~(1u << size)) | top << size;
	return simd_shuffle(t, v, v, from);
}

ir_ref sve2_extend(struct tr *t, ir_ref v, unsigned size, bool is_unsigned, unsigned top)
{
	enum ir_type wide = lane_int(size + 1);
	unsigned bits = 8u << size;
	if (size == 2 && !is_unsigned) /* which hosts do better than arithmetic shifts of 64 bits */
		return simd_op1(t, IR_WIDENS, TY_I32, sve2_half(t, v, size, top));
	if (top)
		return simd_shift(t, is_unsigned ? IR_SHR : IR_SAR, wide, v, bits);
	if (is_unsigned)
		return simd_and(t, v, sve2_even(t, size));
	return simd_shift(t, IR_SAR, wide, simd_shift(t, IR_SHL, wide, v, bits), bits);
}

void sve2_set_half(struct tr *t, unsigned rd, unsigned size, unsigned top, ir_ref wide)
{
	ir_ref even = sve2_even(t, size);
	if (!top) {
		sve_set(t, rd, simd_and(t, wide, even));
		return;
	}
	ir_ref odd = simd_shift(t, IR_SHL, lane_int(size + 1), wide, 8u << size);
	sve_set(t, rd, simd_or(t, simd_and(t, simd_get(t, rd), even), odd));
}

ir_ref sve2_qdmull(struct tr *t, int accumulate, unsigned size, ir_ref d, ir_ref n, ir_ref m)
{
	enum ir_type wide = lane_int(size + 1);
	ir_ref product = simd_op2(t, IR_MULLS, lane_int(size), n, m);
	product = simd_op2(t, IR_QADDS, wide, product, product);
	return accumulate ? simd_op2(t, accumulate > 0 ? IR_QADDS : IR_QSUBS, wide, d, product) : product;
}

/* There is nothing wider than 64 bits to compose it of. */
ir_ref sve2_qrdmla(struct tr *t, bool subtract, unsigned size, ir_ref d, ir_ref n, ir_ref m)
{
	if (size == 3)
		return v_lanes(t, subtract ? IR_QRDMLSH : IR_QRDMLAH, TY_I64, d, n, m, 0);
	return simd_qrdmla(t, subtract, lane_int(size), d, n, m, 0);
}

static ir_ref accumulate(struct tr *t, bool saturating, bool subtract, unsigned size, ir_ref d, ir_ref n,
			 ir_ref m)
{
	enum ir_type lane = lane_int(size);
	if (saturating)
		return sve2_qrdmla(t, subtract, size, d, n, m);
	return simd_op2(t, subtract ? IR_SUB : IR_ADD, lane, d, simd_op2(t, IR_MUL, lane, n, m));
}

/* A quarter of the product: both parts of m are multiplied with the real part of n, or with the imaginary one and exchanged. */
ir_ref sve2_cmla(struct tr *t, bool saturating, unsigned size, unsigned rot, ir_ref d, ir_ref n, ir_ref m)
{
	bool minus_real = rot == 1 || rot == 2, minus_imag = rot >= 2;
	n = sve2_twice(t, n, size, rot & 1);
	m = rot & 1 ? sve2_swap(t, m, size) : m;
	ir_ref imag = accumulate(t, saturating, minus_imag, size, d, n, m);
	if (minus_real == minus_imag)
		return imag;
	return sve_select(t, sve2_even(t, size), accumulate(t, saturating, minus_real, size, d, n, m), imag);
}

/* Real and imaginary parts are multiplied with each other; one product of each pair may be subtracted. */
ir_ref sve2_cdot(struct tr *t, unsigned size, unsigned rot, ir_ref d, ir_ref n, ir_ref m)
{
	enum ir_type lane = lane_int(size), from = lane - 2, between = lane - 1;
	ir_ref sum[2];
	m = rot & 1 ? sve2_swap(t, m, size - 2) : m;
	for (unsigned high = 0; high < 2; high++) {
		ir_ref product = v_lanes(t, IR_MULLS, from, n, m, 0, high);
		if (rot == 0 || rot == 3)
			product = sve_select(t, sve2_even(t, size - 1), product,
					     simd_op1(t, IR_NEG, between, product));
		sum[high] = simd_op1(t, IR_PADDWS, between, product);
	}
	return simd_op2(t, IR_ADD, lane, d, simd_op2(t, IR_PADD, lane, sum[0], sum[1]));
}
