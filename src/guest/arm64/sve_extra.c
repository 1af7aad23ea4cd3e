/*
 * A64: SVE: dot products, matrices of bytes, searches, histograms, permutations of bits, cryptography.
 * Manual: Arm A-profile architecture, C4.1 "SVE Integer Multiply-Add - Unpredicated", "SVE Multiply - Indexed", "SVE Misc", "SVE2 Character
 * Match", "SVE2 Histogram Computation", "SVE2 Crypto Extensions".
 */
#include "guest/arm64/sve.h"
#include "arm64_sve_extra.decode.h"

#define LANE lane_int(a->size)
#define D simd_get(t, a->Rd)
#define N simd_get(t, a->Rn)
#define M simd_get(t, a->Rm)
#define OUT(v) sve_set(t, a->Rd, v)
#define DOT(kind, m) OUT(dot(t, 2 + (a->size & 1), IR_DOT##kind, IR_MULL##kind, IR_PADDW##kind, D, N, m))
#define DOT_BYTES(op, n, m) OUT(v_lanes(t, IR_##op, TY_I32, D, n, m, 0))
#define ELEMENT(size) simd_dup(t, M, size, a->index, 16)
#define OP1(op) OUT(v_op(t, IR_##op, TY_V128, D, 0, 0, 0))
#define OP2(op, x, y) OUT(v_op(t, IR_##op, TY_V128, x, y, 0, 0))
#define BITS2(op) simd_op2(t, IR_##op, LANE, N, M)
#define MATCH(invert) match(t, a->Pd, a->Pg, a->size, N, M, invert)

/* Elements of 4 bytes (size 2): four products of bytes are added to each; of 8 (size 3): four products of 16-bit numbers. */
static ir_ref dot(struct tr *t, unsigned size, enum ir_op op, enum ir_op multiply, enum ir_op widen, ir_ref d,
		  ir_ref n, ir_ref m)
{
	if (size == 2)
		return v_lanes(t, op, TY_I32, d, n, m, 0);
	ir_ref pairs[2];
	for (unsigned high = 0; high < 2; high++)
		pairs[high] = simd_op1(t, widen, TY_I32, v_lanes(t, multiply, TY_I16, n, m, 0, high));
	return simd_op2(t, IR_ADD, TY_I64, d, simd_op2(t, IR_PADD, TY_I64, pairs[0], pairs[1]));
}

/* Flags and Pd: the active elements of n that equal some element of m (invert: none). */
static void match(struct tr *t, unsigned pd, unsigned pg, unsigned size, ir_ref n, ir_ref m, bool invert)
{
	ir_ref found = simd_zero(t), pred = sve_pred(t, pg);
	for (unsigned i = 0; i < sve_elements(size); i++)
		found =
		    simd_or(t, found, simd_op2(t, IR_VEQ, lane_int(size), n, simd_dup(t, m, size, i, 16)));
	ir_ref active = sve_active(t, pred, size);
	ir_ref result = invert ? simd_op2(t, IR_ANDN, TY_I64, active, found) : simd_and(t, active, found);
	sve_set_pred(t, pd, result);
	sve_test(t, pred, result, size);
}

/* How many elements of m equal each of n's. */
static ir_ref histogram(struct tr *t, ir_ref n, ir_ref m)
{
	ir_ref count = simd_zero(t);
	for (unsigned i = 0; i < 16; i++)
		count = simd_op2(t, IR_SUB, TY_I8, count,
				 simd_op2(t, IR_VEQ, TY_I8, n, simd_dup(t, m, 0, i, 16)));
	return count;
}

/* How many active elements of m up to its own place equal each of n's active ones: m goes by, element by element. */
static ir_ref count_before(struct tr *t, unsigned pg, unsigned size, ir_ref n, ir_ref m)
{
	ir_ref mask = sve_governing(t, pg, size), count = simd_zero(t), zero = count;
	for (unsigned i = 0; i < sve_elements(size); i++) {
		u8 up[16];
		for (unsigned b = 0; b < 16; b++)
			up[b] = b < i << size ? 255 : b - (i << size);
		ir_ref same = simd_op2(t, IR_VEQ, lane_int(size), n, simd_shuffle(t, m, zero, up));
		same = simd_and(t, same, simd_shuffle(t, mask, zero, up));
		count = simd_op2(t, IR_SUB, lane_int(size), count, same);
	}
	return simd_and(t, mask, count);
}

/* The bits of n where m has ones, together at the bottom, and above them the others. */
static ir_ref group(struct tr *t, enum ir_type lane, ir_ref n, ir_ref m)
{
	ir_ref ones = simd_op2(t, IR_PEXT, lane, n, m);
	ir_ref zeros = simd_op2(t, IR_PEXT, lane, n, simd_op1(t, IR_NOT, TY_I64, m));
	return simd_or(t, ones, simd_op2(t, IR_SHLVU, lane, zeros, simd_op1(t, IR_POPCNT, lane, m)));
}

/* clang-format off */

/* Dot products. */
INSN(sdot_zzz,   "01000100 1 size:1 0 Rm:5 00000 0 Rn:5 Rd:5", "sdot {z(Rd, 2 + size)}, {z2(Rn, Rm, size)}", SVE) { DOT(S, M); }
INSN(udot_zzz,   "01000100 1 size:1 0 Rm:5 00000 1 Rn:5 Rd:5", "udot {z(Rd, 2 + size)}, {z2(Rn, Rm, size)}", SVE) { DOT(U, M); }
INSN(usdot_zzz,  "01000100 10 0 Rm:5 011110 Rn:5 Rd:5", "usdot {z(Rd, 2)}, {z2(Rn, Rm, 0)}", SVEI8MM) { DOT_BYTES(DOTUS, N, M); }
INSN(sdot_zzzi,  "01000100 101 index:2 Rm:3 00000 0 Rn:5 Rd:5", "sdot {z(Rd, 2)}, {z(Rn, 0)}, {ze(Rm, 0, index)}", SVE) { DOT_BYTES(DOTS, N, ELEMENT(2)); }
INSN(udot_zzzi,  "01000100 101 index:2 Rm:3 00000 1 Rn:5 Rd:5", "udot {z(Rd, 2)}, {z(Rn, 0)}, {ze(Rm, 0, index)}", SVE) { DOT_BYTES(DOTU, N, ELEMENT(2)); }
INSN(sdot_zzzid, "01000100 111 index:1 Rm:4 00000 0 Rn:5 Rd:5", "sdot {z(Rd, 3)}, {z(Rn, 1)}, {ze(Rm, 1, index)}", SVE) { OUT(dot(t, 3, IR_DOTS, IR_MULLS, IR_PADDWS, D, N, ELEMENT(3))); }
INSN(udot_zzzid, "01000100 111 index:1 Rm:4 00000 1 Rn:5 Rd:5", "udot {z(Rd, 3)}, {z(Rn, 1)}, {ze(Rm, 1, index)}", SVE) { OUT(dot(t, 3, IR_DOTU, IR_MULLU, IR_PADDWU, D, N, ELEMENT(3))); }
INSN(usdot_zzzi, "01000100 101 index:2 Rm:3 000110 Rn:5 Rd:5", "usdot {z(Rd, 2)}, {z(Rn, 0)}, {ze(Rm, 0, index)}", SVEI8MM) { DOT_BYTES(DOTUS, N, ELEMENT(2)); }
INSN(sudot_zzzi, "01000100 101 index:2 Rm:3 000111 Rn:5 Rd:5", "sudot {z(Rd, 2)}, {z(Rn, 0)}, {ze(Rm, 0, index)}", SVEI8MM) { DOT_BYTES(DOTUS, ELEMENT(2), N); }

/* Matrices: 2 rows of 8 bytes by 8 rows of 2. */
INSN(smmla_zzz,  "01000101 00 0 Rm:5 100110 Rn:5 Rd:5", "smmla {z(Rd, 2)}, {z2(Rn, Rm, 0)}", SVEI8MM) { DOT_BYTES(MMLAS, N, M); }
INSN(usmmla_zzz, "01000101 10 0 Rm:5 100110 Rn:5 Rd:5", "usmmla {z(Rd, 2)}, {z2(Rn, Rm, 0)}", SVEI8MM) { DOT_BYTES(MMLAUS, N, M); }
INSN(ummla_zzz,  "01000101 11 0 Rm:5 100110 Rn:5 Rd:5", "ummla {z(Rd, 2)}, {z2(Rn, Rm, 0)}", SVEI8MM) { DOT_BYTES(MMLAU, N, M); }

/* Searches and histograms. */
INSN(match_ppzz,   "01000101 size:2 1 Rm:5 100 Pg:3 Rn:5 0 Pd:4", "match {ps(Pd, size)}, {pz(Pg)}, {z2(Rn, Rm, size)}", SVE2, "size < 2") { MATCH(false); }
INSN(nmatch_ppzz,  "01000101 size:2 1 Rm:5 100 Pg:3 Rn:5 1 Pd:4", "nmatch {ps(Pd, size)}, {pz(Pg)}, {z2(Rn, Rm, size)}", SVE2, "size < 2") { MATCH(true); }
INSN(histcnt_zpzz, "01000101 size:2 1 Rm:5 110 Pg:3 Rn:5 Rd:5", "histcnt {z(Rd, size)}, {pz(Pg)}, {z2(Rn, Rm, size)}", SVE2, "size >= 2") { OUT(count_before(t, a->Pg, a->size, N, M)); }
INSN(histseg_zzz,  "01000101 00 1 Rm:5 101000 Rn:5 Rd:5", "histseg {z3(Rd, Rn, Rm, 0)}", SVE2) { OUT(histogram(t, N, M)); }

/* Permutations of bits. */
INSN(bext_zzz, "01000101 size:2 0 Rm:5 101100 Rn:5 Rd:5", "bext {z3(Rd, Rn, Rm, size)}", SVEBITPERM) { OUT(BITS2(PEXT)); }
INSN(bdep_zzz, "01000101 size:2 0 Rm:5 101101 Rn:5 Rd:5", "bdep {z3(Rd, Rn, Rm, size)}", SVEBITPERM) { OUT(BITS2(PDEP)); }
INSN(bgrp_zzz, "01000101 size:2 0 Rm:5 101110 Rn:5 Rd:5", "bgrp {z3(Rd, Rn, Rm, size)}", SVEBITPERM) { OUT(group(t, LANE, N, M)); }

/* Cryptography. */
INSN(aesmc_zz,    "01000101 00100000 111000 00000 Rd:5", "aesmc {z2(Rd, Rd, 0)}", SVEAES) { OP1(AESMC); }
INSN(aesimc_zz,   "01000101 00100000 111001 00000 Rd:5", "aesimc {z2(Rd, Rd, 0)}", SVEAES) { OP1(AESIMC); }
INSN(aese_zzz,    "01000101 00100010 111000 Rm:5 Rd:5", "aese {z3(Rd, Rd, Rm, 0)}", SVEAES) { OP2(AESE, D, M); }
INSN(aesd_zzz,    "01000101 00100010 111001 Rm:5 Rd:5", "aesd {z3(Rd, Rd, Rm, 0)}", SVEAES) { OP2(AESD, D, M); }
INSN(sm4e_zzz,    "01000101 00100011 111000 Rm:5 Rd:5", "sm4e {z3(Rd, Rd, Rm, 2)}", SVESM4) { OP2(SM4E, D, M); }
INSN(sm4ekey_zzz, "01000101 001 Rm:5 111100 Rn:5 Rd:5", "sm4ekey {z3(Rd, Rn, Rm, 2)}", SVESM4) { OP2(SM4EKEY, N, M); }
INSN(rax1_zzz,    "01000101 001 Rm:5 111101 Rn:5 Rd:5", "rax1 {z3(Rd, Rn, Rm, 3)}", SVESHA3) { OUT(simd_xor(t, N, simd_rotate_right(t, TY_I64, M, 63))); }

/* clang-format on */
#include "arm64_sve_extra.decode.inc"
