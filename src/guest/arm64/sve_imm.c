/*
 * A64: SVE: immediates: of elements, bitmasks, sequences; the tables of FEXPA and the choice of FTSSEL.
 * Manual: Arm A-profile architecture, C4.1 "SVE Integer Wide Immediate", "SVE Bitwise Immediate", "SVE Integer Wide Immediate - Predicated", "SVE Index
 * Generation", "SVE Integer Misc - Unpredicated"; shared pseudo-code SVEMoveMaskPreferred, FPExpA, FPTrigSSel.
 */
#include "guest/arm64/sve.h"
#include "arm64_sve_imm.decode.h"

#define LANE lane_int(a->size)
#define D simd_get(t, a->Rd)
#define N simd_get(t, a->Rn)
#define OUT(v) sve_set(t, a->Rd, v)
#define VALUE simd_const(t, LANE, (u64)(i64)(a->imm << (a->sh ? 8 : 0)))
#define IMM simd_const(t, LANE, (u64)(i64)a->imm)
#define WIDE(op) OUT(simd_op2(t, IR_##op, LANE, D, VALUE))
#define SHORT(op) OUT(simd_op2(t, IR_##op, LANE, D, IMM))
#define NOT(v) simd_op1(t, IR_NOT, TY_I64, v)
#define MASK mask_of(t, a->n, a->imms, a->immr)
#define FLOAT simd_const(t, LANE, fp_expand_imm((unsigned)a->imm, lane_fp((unsigned)a->size)))

/* ---- bitmasks ---- */
static bool mask_ok(unsigned n, unsigned imms, unsigned immr)
{
	u64 mask;
	return arm64_bitmask(1, n, imms, immr, &mask);
}

static ir_ref mask_of(struct tr *t, unsigned n, unsigned imms, unsigned immr)
{
	u64 mask = 0;
	arm64_bitmask(1, n, imms, immr, &mask);
	return simd_const(t, TY_I64, mask);
}

/* The size of elements in which a bitmask is written: that of its pattern, at least a byte. */
static unsigned mask_size(unsigned n, unsigned imms)
{
	return n ? 3 : imms < 32 ? 2 : imms < 48 ? 1 : 0;
}

/* Whether DUPM makes a number that DUP (immediate) cannot, for elements of any size: then it is written as MOV. */
static bool mask_preferred(unsigned n, unsigned imms, unsigned immr)
{
	u64 mask = 0;
	arm64_bitmask(1, n, imms, immr, &mask);
	for (unsigned size = 0; size <= 3; size++) {
		unsigned bits = 8u << size;
		i64 element = (i64)(mask << (64 - bits)) >> (64 - bits);
		bool every = mask == (mask << bits % 64 | mask >> (64 - bits) % 64);
		bool small =
		    element == (i8)element || (size && element == (i64)(i16)element && !(element & 0xff));
		if (every && small)
			return false;
	}
	return true;
}

static void arm64_text_mask(struct text *o, unsigned n, unsigned imms, unsigned immr)
{
	u64 mask = 0;
	arm64_bitmask(1, n, imms, immr, &mask);
	arm64_text_hex(o, mask & ~0ull >> (64 - (8u << mask_size(n, imms))));
}

/* ---- others ---- */
/* An immediate that may be shifted; so is a zero. */
static void arm64_text_wide(struct text *o, int imm, unsigned sh)
{
	arm64_text_dec(o, imm * (sh ? 256 : 1));
	if (sh && !imm)
		text_put(o, ", lsl #8");
}

/* start, start + step, ... */
static ir_ref sequence(struct tr *t, unsigned size, i64 start, i64 step)
{
	u8 bytes[16];
	for (unsigned i = 0; i < 16; i++)
		bytes[i] = (u8)((u64)(start + (i64)(i >> size) * step) >> 8 * (i & ((1 << size) - 1)));
	return v_const128(t, bytes);
}

static ir_ref all_of(struct tr *t, unsigned size, unsigned reg)
{
	return v_lanes(t, IR_DUP, lane_int(size), r(t, size == 3, reg), 0, 0, 0);
}

static ir_ref multiples(struct tr *t, unsigned size, unsigned reg)
{
	return simd_op2(t, IR_MUL, lane_int(size), all_of(t, size, reg), sequence(t, size, 0, 1));
}

/* The fraction of 2^(i/64), 52 bits. */
static const u64 exp_fraction[64] = {
	0x0000000000000, 0x02c9a3e778061, 0x059b0d3158574, 0x0874518759bc8, 0x0b5586cf9890f, 0x0e3ec32d3d1a2,
	0x11301d0125b51, 0x1429aaea92de0, 0x172b83c7d517b, 0x1a35beb6fcb75, 0x1d4873168b9aa, 0x2063b88628cd6,
	0x2387a6e756238, 0x26b4565e27cdd, 0x29e9df51fdee1, 0x2d285a6e4030b, 0x306fe0a31b715, 0x33c08b26416ff,
	0x371a7373aa9cb, 0x3a7db34e59ff7, 0x3dea64c123422, 0x4160a21f72e2a, 0x44e086061892d, 0x486a2b5c13cd0,
	0x4bfdad5362a27, 0x4f9b2769d2ca7, 0x5342b569d4f82, 0x56f4736b527da, 0x5ab07dd485429, 0x5e76f15ad2148,
	0x6247eb03a5585, 0x6623882552225, 0x6a09e667f3bcd, 0x6dfb23c651a2f, 0x71f75e8ec5f74, 0x75feb564267c9,
	0x7a11473eb0187, 0x7e2f336cf4e62, 0x82589994cce13, 0x868d99b4492ed, 0x8ace5422aa0db, 0x8f1ae99157736,
	0x93737b0cdc5e5, 0x97d829fde4e50, 0x9c49182a3f090, 0xa0c667b5de565, 0xa5503b23e255d, 0xa9e6b5579fdbf,
	0xae89f995ad3ad, 0xb33a2b84f15fb, 0xb7f76f2fb5e47, 0xbcc1e904bc1d2, 0xc199bdd85529c, 0xc67f12e57d14b,
	0xcb720dcef9069, 0xd072d4a07897c, 0xd5818dcfba487, 0xda9e603db3285, 0xdfc97337b9b5f, 0xe502ee78b3ff6,
	0xea4afa2a490da, 0xefa1bee615a27, 0xf50765b6e4540, 0xfa7c1819e90d8
};

/* FEXPA: element by element; arg 0 the vector, 1 the size. Half precision has every other row, and all have the table's bits rounded. */
static void fexpa(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
	static const u8 fraction_bits[] = { 10, 23, 52 }, exponent_bits[] = { 5, 8, 11 };
	unsigned size = arg[1].w, width = 8u << size, f = fraction_bits[size - 1],
		 e = exponent_bits[size - 1];
	unsigned index_bits = size == 1 ? 5 : 6;
	(void)cpu;
	for (unsigned at = 0; at < 128; at += width) {
		u64 n = arg[0].d[at / 64] >> at % 64;
		u64 fraction = exp_fraction[(n & BITS(index_bits)) << (6 - index_bits)];
		if (f < 52)
			fraction = (fraction + BIT(51 - f)) >> (52 - f);
		u64 v = (n >> index_bits & BITS(e)) << f | fraction;
		for (unsigned i = 0; i < width / 8; i++)
			ret->b[at / 8 + i] = (u8)(v >> 8 * i);
	}
}
HELPER(arm64_fexpa) = { .name = "arm64_fexpa", .fn = fexpa, .effects = HELP_PURE };

/* n, or 1.0 where bit 0 of m is set; the sign is changed where bit 1 of m is. */
static ir_ref trig_select(struct tr *t, unsigned size, ir_ref n, ir_ref m)
{
	enum ir_type lane = lane_int(size);
	unsigned width = 8u << size;
	ir_ref odd = simd_op2(t, IR_VTST, lane, m, simd_const(t, lane, 1));
	ir_ref one = simd_const(t, lane, fp_expand_imm(0x70, lane_fp(size)));
	ir_ref sign = simd_shift(t, IR_SHL, lane, m, width - 2);
	sign = simd_and(t, sign, simd_const(t, lane, BIT(width - 1)));
	/* the sign of n is changed, the one of 1.0 too, which is positive */
	return simd_xor(t, sve_select(t, odd, one, n), sign);
}

/* clang-format off */

/* Wide immediates. */
INSN(add_zi, "00100101 size:2 100000 11 sh:1 imm:8 Rd:5", "add {z2(Rd, Rd, size)}, {wide(imm, sh)}", SVE, "size || !sh") { WIDE(ADD); }
INSN(sub_zi, "00100101 size:2 100001 11 sh:1 imm:8 Rd:5", "sub {z2(Rd, Rd, size)}, {wide(imm, sh)}", SVE, "size || !sh") { WIDE(SUB); }
INSN(subr_zi, "00100101 size:2 100011 11 sh:1 imm:8 Rd:5", "subr {z2(Rd, Rd, size)}, {wide(imm, sh)}", SVE, "size || !sh") { OUT(simd_op2(t, IR_SUB, LANE, VALUE, D)); }
INSN(sqadd_zi, "00100101 size:2 100100 11 sh:1 imm:8 Rd:5", "sqadd {z2(Rd, Rd, size)}, {wide(imm, sh)}", SVE, "size || !sh") { OUT(simd_op2(t, IR_QADDSU, LANE, D, VALUE)); }
INSN(uqadd_zi, "00100101 size:2 100101 11 sh:1 imm:8 Rd:5", "uqadd {z2(Rd, Rd, size)}, {wide(imm, sh)}", SVE, "size || !sh") { WIDE(QADDU); }
/* n - imm = ~(~n + imm). */
INSN(sqsub_zi, "00100101 size:2 100110 11 sh:1 imm:8 Rd:5", "sqsub {z2(Rd, Rd, size)}, {wide(imm, sh)}", SVE, "size || !sh") { OUT(NOT(simd_op2(t, IR_QADDSU, LANE, NOT(D), VALUE))); }
INSN(uqsub_zi, "00100101 size:2 100111 11 sh:1 imm:8 Rd:5", "uqsub {z2(Rd, Rd, size)}, {wide(imm, sh)}", SVE, "size || !sh") { WIDE(QSUBU); }
INSN(smax_zi, "00100101 size:2 101000 110 imm:8s Rd:5", "smax {z2(Rd, Rd, size)}, {dec(imm)}", SVE) { SHORT(MAXS); }
INSN(umax_zi, "00100101 size:2 101001 110 imm:8 Rd:5", "umax {z2(Rd, Rd, size)}, {dec(imm)}", SVE) { SHORT(MAXU); }
INSN(smin_zi, "00100101 size:2 101010 110 imm:8s Rd:5", "smin {z2(Rd, Rd, size)}, {dec(imm)}", SVE) { SHORT(MINS); }
INSN(umin_zi, "00100101 size:2 101011 110 imm:8 Rd:5", "umin {z2(Rd, Rd, size)}, {dec(imm)}", SVE) { SHORT(MINU); }
INSN(mul_zi, "00100101 size:2 110000 110 imm:8s Rd:5", "mul {z2(Rd, Rd, size)}, {dec(imm)}", SVE) { SHORT(MUL); }
INSN(dup_imm, "00100101 size:2 111000 11 sh:1 imm:8s Rd:5", "mov {z(Rd, size)}, {wide(imm, sh)}", SVE, "size || !sh") { OUT(VALUE); }
INSN(fdup, "00100101 size:2 111001 110 imm:8 Rd:5", "fmov {z(Rd, size)}, {fpimm(imm)}", SVE, "size != 0") { OUT(FLOAT); }
INSN(cpy_zero, "00000101 size:2 01 Pg:4 00 sh:1 imm:8s Rd:5", "mov {z(Rd, size)}, {pz(Pg)}, {wide(imm, sh)}", SVE, "size || !sh") { sve_zeroing(t, a->Rd, a->Pg, a->size, VALUE); }
INSN(cpy_merge, "00000101 size:2 01 Pg:4 01 sh:1 imm:8s Rd:5", "mov {z(Rd, size)}, {pm(Pg)}, {wide(imm, sh)}", SVE, "size || !sh") { sve_merge(t, a->Rd, a->Pg, a->size, VALUE); }
INSN(fcpy, "00000101 size:2 01 Pg:4 110 imm:8 Rd:5", "fmov {z(Rd, size)}, {pm(Pg)}, {fpimm(imm)}", SVE, "size != 0") { sve_merge(t, a->Rd, a->Pg, a->size, FLOAT); }

/* Bitmasks. */
INSN(orr_zi, "00000101 000000 n:1 immr:6 imms:6 Rd:5", "orr {z2(Rd, Rd, mask_size(n, imms))}, {mask(n, imms, immr)}", SVE, "mask_ok(n, imms, immr)") { OUT(simd_or(t, D, MASK)); }
INSN(eor_zi, "00000101 010000 n:1 immr:6 imms:6 Rd:5", "eor {z2(Rd, Rd, mask_size(n, imms))}, {mask(n, imms, immr)}", SVE, "mask_ok(n, imms, immr)") { OUT(simd_xor(t, D, MASK)); }
INSN(and_zi, "00000101 100000 n:1 immr:6 imms:6 Rd:5", "and {z2(Rd, Rd, mask_size(n, imms))}, {mask(n, imms, immr)}", SVE, "mask_ok(n, imms, immr)") { OUT(simd_and(t, D, MASK)); }
INSN(dupm, "00000101 110000 n:1 immr:6 imms:6 Rd:5", "[mask_preferred(n, imms, immr)] mov {z(Rd, mask_size(n, imms))}, {mask(n, imms, immr)}; dupm {z(Rd, mask_size(n, imms))}, {mask(n, imms, immr)}", SVE, "mask_ok(n, imms, immr)") { OUT(MASK); }

/* Sequences. */
INSN(index_ii, "00000100 size:2 1 step:5s 010000 start:5s Rd:5", "index {z(Rd, size)}, {dec(start)}, {dec(step)}", SVE) { OUT(sequence(t, a->size, a->start, a->step)); }
INSN(index_ri, "00000100 size:2 1 step:5s 010001 Rn:5 Rd:5", "index {z(Rd, size)}, {r(size == 3, Rn)}, {dec(step)}", SVE) { OUT(simd_op2(t, IR_ADD, LANE, all_of(t, a->size, a->Rn), sequence(t, a->size, 0, a->step))); }
INSN(index_ir, "00000100 size:2 1 Rm:5 010010 start:5s Rd:5", "index {z(Rd, size)}, {dec(start)}, {r(size == 3, Rm)}", SVE) { OUT(simd_op2(t, IR_ADD, LANE, sequence(t, a->size, a->start, 0), multiples(t, a->size, a->Rm))); }
INSN(index_rr, "00000100 size:2 1 Rm:5 010011 Rn:5 Rd:5", "index {z(Rd, size)}, {r(size == 3, Rn)}, {r(size == 3, Rm)}", SVE) { OUT(simd_op2(t, IR_ADD, LANE, all_of(t, a->size, a->Rn), multiples(t, a->size, a->Rm))); }

/* For exponentials and sines. */
INSN(fexpa, "00000100 size:2 1 00000 101110 Rn:5 Rd:5", "fexpa {z2(Rd, Rn, size)}", SVE, "size != 0") { OUT(v_call(t, &ir_helper_arm64_fexpa, TY_V128, (ir_ref[]){ N, konst32(t, (u32)a->size) }, 2)); }
INSN(ftssel, "00000100 size:2 1 Rm:5 101100 Rn:5 Rd:5", "ftssel {z3(Rd, Rn, Rm, size)}", SVE, "size != 0") { OUT(trig_select(t, a->size, N, simd_get(t, a->Rm))); }

/* clang-format on */
#include "arm64_sve_imm.decode.inc"
