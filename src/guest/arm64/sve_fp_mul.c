/*
 * A64: SVE: floating-point multiply-add: predicated, by element, complex, widening, dot and matrix products.
 * Manual: Arm A-profile architecture, C4.1 "SVE Floating Point Multiply-Add", "Multiply-Add - Indexed", "Complex Multiply-Add", "Widening
 * Multiply-Add", "SVE BFloat16", "SVE floating point matrix multiply accumulate".
 */
#include "guest/arm64/sve.h"
#include "arm64_sve_fp_mul.decode.h"

#define LANE lane_fp(a->size)
#define D simd_get(t, a->Rd)
#define N simd_get(t, a->Rn)
#define M simd_get(t, a->Rm)
/* Element i of Zm everywhere. */
#define ELEMENT(size, i) simd_dup(t, M, size, i, SVE_BYTES)
#define OUT(v) sve_set(t, a->Rd, v)
#define FMA(size, imm, x, y, sum) simd_fp(t, IR_FMA, lane_fp(size), x, y, sum, imm)
#define MERGED(imm, x, y, sum) merged_fma(t, a->size, a->Rd, a->Pg, x, y, sum, imm)
#define FMLA (0)
#define FMLS FP_IMM_NEG_PRODUCT
#define FNMLA (FP_IMM_NEG_PRODUCT | FP_IMM_NEG_ADDEND)
#define FNMLS FP_IMM_NEG_ADDEND
/* Even (top: odd) elements of 2 bytes, in the low half. */
#define HALVES(v, top) sve_gather_parts(t, v, 1, 2, top)
#define FMLAL(m, top, subtract) OUT(simd_fp(t, IR_FMLAL, TY_F32, D, HALVES(N, top), m, (subtract) << 9))
#define BF(op, m, imm) OUT(simd_fp(t, IR_##op, TY_F32, D, N, m, imm))

/* n * m + sum in active elements. */
static void merged_fma(struct tr *t, unsigned size, unsigned rd, unsigned pg, ir_ref n, ir_ref m, ir_ref sum,
		       u64 imm)
{
	ir_ref mask = sve_governing(t, pg, size), old = simd_get(t, rd);
	enum ir_type lane = lane_fp(size);
	ir_ref r =
	    simd_fp(t, IR_FMA, lane, simd_and(t, mask, n), simd_and(t, mask, m), simd_and(t, mask, sum), imm);
	sve_set(t, rd, sve_select(t, mask, r, old));
}

/* Pairs of elements made of pairs of v: element `even` of the pair, then element `odd`. */
static ir_ref pick(struct tr *t, ir_ref v, unsigned size, unsigned even, unsigned odd)
{
	u8 mask[16];
	for (unsigned i = 0; i < 16; i++) {
		unsigned element = i >> size;
		mask[i] = ((element & ~1u) + (element & 1 ? odd : even)) << size | (i & BITS(size));
	}
	return simd_shuffle(t, v, v, mask);
}

/* v with the signs of even, resp. odd, elements turned. */
static ir_ref turn(struct tr *t, ir_ref v, unsigned size, bool even, bool odd)
{
	unsigned bits = 8u << size;
	u64 sign[2] = { 0 };
	for (unsigned i = 0; i < sve_elements(size); i++)
		if (i & 1 ? odd : even)
			sign[i * bits / 64] |= BIT(i * bits % 64 + bits - 1);
	return simd_xor(t, v, simd_const64(t, sign[0], sign[1]));
}

/* The factors of FCMLA, element by element: each of its parts is a multiplication and an addition of its own. */
static ir_ref complex_n(struct tr *t, ir_ref n, unsigned size, unsigned rot)
{
	return pick(t, n, size, rot & 1, rot & 1);
}
static ir_ref complex_m(struct tr *t, ir_ref m, unsigned size, unsigned rot)
{
	return turn(t, pick(t, m, size, rot & 1, !(rot & 1)), size, rot == 1 || rot == 2, rot >> 1);
}

static void complex_add(struct tr *t, unsigned size, unsigned rd, unsigned pg, ir_ref n, ir_ref m,
			unsigned rot)
{
	ir_ref mask = sve_governing(t, pg, size);
	enum ir_type lane = lane_fp(size);
	m = turn(t, pick(t, m, size, 1, 0), size, !rot, rot);
	ir_ref r = simd_fp(t, IR_FADD, lane, simd_and(t, mask, n), simd_and(t, mask, m), 0, 0);
	sve_set(t, rd, sve_select(t, mask, r, n));
}

/* d + n times m transposed, matrices of 2 by 2: two products, rounded, and their sums, rounded (FPMatMulAdd). */
static ir_ref matrix(struct tr *t, ir_ref d, ir_ref n, ir_ref m)
{
	ir_ref product[2];
	for (unsigned k = 0; k < 2; k++) {
		u8 row[16], column[16];
		for (unsigned i = 0; i < 16; i++) {
			row[i] = (i & 8) | k << 2 | (i & 3);
			column[i] = (i & 4) << 1 | k << 2 | (i & 3);
		}
		product[k] = simd_fp(t, IR_FMUL, TY_F32, simd_shuffle(t, n, n, row),
				     simd_shuffle(t, m, m, column), 0, 0);
	}
	return simd_fp(t, IR_FADD, TY_F32, d, simd_fp(t, IR_FADD, TY_F32, product[0], product[1], 0, 0), 0,
		       0);
}

/* clang-format off */

/* Predicated, into the addend; into a factor. */

INSN(fmla_zpzzz,  "01100101 size:2 1 Rm:5 000 Pg:3 Rn:5 Rd:5", "fmla {z(Rd, size)}, {pm(Pg)}, {z2(Rn, Rm, size)}", SVE, "size") { MERGED(FMLA, N, M, D); }
INSN(fmls_zpzzz,  "01100101 size:2 1 Rm:5 001 Pg:3 Rn:5 Rd:5", "fmls {z(Rd, size)}, {pm(Pg)}, {z2(Rn, Rm, size)}", SVE, "size") { MERGED(FMLS, N, M, D); }
INSN(fnmla_zpzzz, "01100101 size:2 1 Rm:5 010 Pg:3 Rn:5 Rd:5", "fnmla {z(Rd, size)}, {pm(Pg)}, {z2(Rn, Rm, size)}", SVE, "size") { MERGED(FNMLA, N, M, D); }
INSN(fnmls_zpzzz, "01100101 size:2 1 Rm:5 011 Pg:3 Rn:5 Rd:5", "fnmls {z(Rd, size)}, {pm(Pg)}, {z2(Rn, Rm, size)}", SVE, "size") { MERGED(FNMLS, N, M, D); }
INSN(fmad_zpzzz,  "01100101 size:2 1 Ra:5 100 Pg:3 Rm:5 Rd:5", "fmad {z(Rd, size)}, {pm(Pg)}, {z2(Rm, Ra, size)}", SVE, "size") { MERGED(FMLA, D, M, simd_get(t, a->Ra)); }
INSN(fmsb_zpzzz,  "01100101 size:2 1 Ra:5 101 Pg:3 Rm:5 Rd:5", "fmsb {z(Rd, size)}, {pm(Pg)}, {z2(Rm, Ra, size)}", SVE, "size") { MERGED(FMLS, D, M, simd_get(t, a->Ra)); }
INSN(fnmad_zpzzz, "01100101 size:2 1 Ra:5 110 Pg:3 Rm:5 Rd:5", "fnmad {z(Rd, size)}, {pm(Pg)}, {z2(Rm, Ra, size)}", SVE, "size") { MERGED(FNMLA, D, M, simd_get(t, a->Ra)); }
INSN(fnmsb_zpzzz, "01100101 size:2 1 Ra:5 111 Pg:3 Rm:5 Rd:5", "fnmsb {z(Rd, size)}, {pm(Pg)}, {z2(Rm, Ra, size)}", SVE, "size") { MERGED(FNMLS, D, M, simd_get(t, a->Ra)); }

/* By element. */

INSN(fmla_zzi_h, "01100100 0 i.2:1 1 i:2 Rm:3 000 000 Rn:5 Rd:5", "fmla {z2(Rd, Rn, 1)}, {ze(Rm, 1, i)}", SVE) { OUT(FMA(1, FMLA, N, ELEMENT(1, a->i), D)); }
INSN(fmla_zzi_s, "01100100 10 1 i:2 Rm:3 000 000 Rn:5 Rd:5", "fmla {z2(Rd, Rn, 2)}, {ze(Rm, 2, i)}", SVE) { OUT(FMA(2, FMLA, N, ELEMENT(2, a->i), D)); }
INSN(fmla_zzi_d, "01100100 11 1 i:1 Rm:4 000 000 Rn:5 Rd:5", "fmla {z2(Rd, Rn, 3)}, {ze(Rm, 3, i)}", SVE) { OUT(FMA(3, FMLA, N, ELEMENT(3, a->i), D)); }
INSN(fmls_zzi_h, "01100100 0 i.2:1 1 i:2 Rm:3 000 001 Rn:5 Rd:5", "fmls {z2(Rd, Rn, 1)}, {ze(Rm, 1, i)}", SVE) { OUT(FMA(1, FMLS, N, ELEMENT(1, a->i), D)); }
INSN(fmls_zzi_s, "01100100 10 1 i:2 Rm:3 000 001 Rn:5 Rd:5", "fmls {z2(Rd, Rn, 2)}, {ze(Rm, 2, i)}", SVE) { OUT(FMA(2, FMLS, N, ELEMENT(2, a->i), D)); }
INSN(fmls_zzi_d, "01100100 11 1 i:1 Rm:4 000 001 Rn:5 Rd:5", "fmls {z2(Rd, Rn, 3)}, {ze(Rm, 3, i)}", SVE) { OUT(FMA(3, FMLS, N, ELEMENT(3, a->i), D)); }
INSN(fmul_zzi_h, "01100100 0 i.2:1 1 i:2 Rm:3 001 000 Rn:5 Rd:5", "fmul {z2(Rd, Rn, 1)}, {ze(Rm, 1, i)}", SVE) { OUT(simd_fp(t, IR_FMUL, TY_F16, N, ELEMENT(1, a->i), 0, 0)); }
INSN(fmul_zzi_s, "01100100 10 1 i:2 Rm:3 001 000 Rn:5 Rd:5", "fmul {z2(Rd, Rn, 2)}, {ze(Rm, 2, i)}", SVE) { OUT(simd_fp(t, IR_FMUL, TY_F32, N, ELEMENT(2, a->i), 0, 0)); }
INSN(fmul_zzi_d, "01100100 11 1 i:1 Rm:4 001 000 Rn:5 Rd:5", "fmul {z2(Rd, Rn, 3)}, {ze(Rm, 3, i)}", SVE) { OUT(simd_fp(t, IR_FMUL, TY_F64, N, ELEMENT(3, a->i), 0, 0)); }

/* Complex numbers; by pair of elements. */

INSN(fcmla_zpzzz, "01100100 size:2 0 Rm:5 0 rot:2 Pg:3 Rn:5 Rd:5", "fcmla {z(Rd, size)}, {pm(Pg)}, {z2(Rn, Rm, size)}, #{#rot:0|90|180|270}", SVE, "size") { MERGED(FMLA, complex_n(t, N, a->size, a->rot), complex_m(t, M, a->size, a->rot), D); }
INSN(fcadd_zpzz,  "01100100 size:2 00000 rot:1 100 Pg:3 Rm:5 Rd:5", "fcadd {z(Rd, size)}, {pm(Pg)}, {z2(Rd, Rm, size)}, #{#rot:90|270}", SVE, "size") { complex_add(t, a->size, a->Rd, a->Pg, D, M, a->rot); }
INSN(fcmla_zzi_h, "01100100 10 1 i:2 Rm:3 0001 rot:2 Rn:5 Rd:5", "fcmla {z2(Rd, Rn, 1)}, {ze(Rm, 1, i)}, #{#rot:0|90|180|270}", SVE) { OUT(FMA(1, FMLA, complex_n(t, N, 1, a->rot), complex_m(t, ELEMENT(2, a->i), 1, a->rot), D)); }
INSN(fcmla_zzi_s, "01100100 11 1 i:1 Rm:4 0001 rot:2 Rn:5 Rd:5", "fcmla {z2(Rd, Rn, 2)}, {ze(Rm, 2, i)}, #{#rot:0|90|180|270}", SVE) { OUT(FMA(2, FMLA, complex_n(t, N, 2, a->rot), complex_m(t, ELEMENT(3, a->i), 2, a->rot), D)); }

/* Halves widened: even elements, odd elements. */

INSN(fmlal_zzz, "01100100 10 1 Rm:5 10 s:1 00 T:1 Rn:5 Rd:5", "fml{#s:a|s}l{#T:b|t} {z(Rd, 2)}, {z2(Rn, Rm, 1)}", SVE2) { FMLAL(HALVES(M, a->T), a->T, a->s); }
INSN(fmlal_zzi, "01100100 10 1 i.1:2 Rm:3 01 s:1 0 i:1 T:1 Rn:5 Rd:5", "fml{#s:a|s}l{#T:b|t} {z(Rd, 2)}, {z(Rn, 1)}, {ze(Rm, 1, i)}", SVE2) { FMLAL(ELEMENT(1, a->i), a->T, a->s); }

/* BFloat16. */

INSN(bfmlal_zzz, "01100100 11 1 Rm:5 100 00 T:1 Rn:5 Rd:5", "bfmlal{#T:b|t} {z(Rd, 2)}, {z2(Rn, Rm, 1)}", SVEBF16) { BF(BFMLAL, M, a->T << 8); }
INSN(bfmlal_zzi, "01100100 11 1 i.1:2 Rm:3 010 0 i:1 T:1 Rn:5 Rd:5", "bfmlal{#T:b|t} {z(Rd, 2)}, {z(Rn, 1)}, {ze(Rm, 1, i)}", SVEBF16) { BF(BFMLAL, ELEMENT(1, a->i), a->T << 8); }
INSN(bfdot_zzz,  "01100100 01 1 Rm:5 100 000 Rn:5 Rd:5", "bfdot {z(Rd, 2)}, {z2(Rn, Rm, 1)}", SVEBF16) { BF(BFDOT, M, 0); }
INSN(bfdot_zzi,  "01100100 01 1 i:2 Rm:3 010 000 Rn:5 Rd:5", "bfdot {z(Rd, 2)}, {z(Rn, 1)}, {ze(Rm, 1, i)}", SVEBF16) { BF(BFDOT, ELEMENT(2, a->i), 0); }
INSN(bfmmla_zzz, "01100100 01 1 Rm:5 111 001 Rn:5 Rd:5", "bfmmla {z(Rd, 2)}, {z2(Rn, Rm, 1)}", SVEBF16) { BF(BFMMLA, M, 0); }

INSN(fmmla_s, "01100100 10 1 Rm:5 111 001 Rn:5 Rd:5", "fmmla {z3(Rd, Rn, Rm, 2)}", SVEF32MM) { OUT(matrix(t, D, N, M)); }

/* clang-format on */
#include "arm64_sve_fp_mul.decode.inc"
