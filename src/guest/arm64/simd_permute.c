/*
 * A64: Advanced SIMD, moving lanes: copy, permute, extract, table; modified immediates.
 * Manual: Arm A-profile architecture, C4.1 "Advanced SIMD copy", "permute", "extract", "table lookup", "modified immediate", "Advanced SIMD
 * scalar copy".
 */
#include "guest/arm64/simd.h"
#include "arm64_simd_permute.decode.h"

#define D simd_get(t, a->Rd)
#define N simd_get(t, a->Rn)
#define M simd_get(t, a->Rm)
#define BYTES q_bytes(a->Q)
#define OUT(v) simd_set(t, a->Rd, v, BYTES)
/* The lowest set bit of imm5 tells the lane's size, the bits above it the index. */
#define SIZE (unsigned)__builtin_ctz(a->imm5)
#define INDEX ((unsigned)a->imm5 >> (SIZE + 1))

static ir_ref lane_get(struct tr *t, enum ir_op op, enum ir_type type, unsigned reg, unsigned size,
		       unsigned index)
{
	return simd_scalar(t, op, type, lane_int(size), simd_get(t, reg), index);
}

static void insert_lane(struct tr *t, unsigned rd, unsigned rn, unsigned size, unsigned to, unsigned from)
{
	u8 mask[16];
	for (unsigned i = 0; i < 16; i++)
		mask[i] = i >> size == to ? 16 + (from << size) + (i & ((1 << size) - 1)) : i;
	v_set(t, A64_V0 + rd, simd_shuffle(t, simd_get(t, rd), simd_get(t, rn), mask));
}

static void insert(struct tr *t, unsigned rd, unsigned rn, unsigned size, unsigned index)
{
	ir_ref v = size == 3 ? x(t, rn) : w(t, rn);
	v_set(t, A64_V0 + rd, v_lanes(t, IR_VSET, lane_int(size), simd_get(t, rd), v, 0, index));
}

#define PERMUTE(kind, second) OUT(simd_permute(t, PERMUTE_##kind, second, N, M, a->size, BYTES))

/* Bytes of len + 1 registers from rn on; those beyond the table are 0, or (keep) as they were. */
static void table(struct tr *t, unsigned rd, unsigned rn, unsigned rm, unsigned len, bool keep,
		  unsigned bytes)
{
	ir_ref index = simd_get(t, rm), v = simd_table(t, rn, len + 1, index);
	if (keep) {
		ir_ref inside = simd_op2(t, IR_VGTU, TY_I8, simd_const(t, TY_I8, 16 * (len + 1)), index);
		v = v_lanes(t, IR_BSL, TY_I64, inside, v, simd_get(t, rd), 0);
	}
	simd_set(t, rd, v, bytes);
}

static void move_imm(struct tr *t, unsigned rd, u64 value, unsigned q)
{
	v_set(t, A64_V0 + rd, simd_const64(t, value, q ? value : 0));
}
#define IMM(op) simd_expand_imm(op, a->cmode, a->imm)
#define MOVE(value) move_imm(t, a->Rd, value, a->Q)
#define LOGIC(op, value) OUT(simd_op2(t, IR_##op, TY_I64, D, simd_const64(t, value, value)))

/* clang-format off */

/* Copy. */
INSN(dup_elem, "0 Q:1 0 01110000 imm5:5 0 0000 1 Rn:5 Rd:5", "dup {v(Rd, SIZE, Q)}, {elem(Rn, SIZE, INDEX)}", "(imm5 & 15) && ((imm5 & 7) || Q)")
{
	v_set(t, A64_V0 + a->Rd, simd_dup(t, N, SIZE, INDEX, BYTES));
}
INSN(dup_gen, "0 Q:1 0 01110000 imm5:5 0 0001 1 Rn:5 Rd:5", "dup {v(Rd, SIZE, Q)}, {r(SIZE == 3, Rn)}", "(imm5 & 15) && ((imm5 & 7) || Q)")
{
	ir_ref v = SIZE == 3 ? x(t, a->Rn) : w(t, a->Rn);
	OUT(v_lanes(t, IR_DUP, lane_int(SIZE), v, 0, 0, 0));
}
INSN(dup_s, "01 0 11110000 imm5:5 0 0000 1 Rn:5 Rd:5", "mov {f(Rd, SIZE)}, {elem(Rn, SIZE, INDEX)}", "imm5 & 15") { v_set(t, A64_V0 + a->Rd, simd_lane(t, N, SIZE, INDEX)); }
INSN(smov, "0 Q:1 0 01110000 imm5:5 0 0101 1 Rn:5 Rd:5", "smov {r(Q, Rd)}, {elem(Rn, SIZE, INDEX)}", "(imm5 & 3) || (Q && (imm5 & 7))") { set_x(t, a->Rd, lane_get(t, IR_VGETS, int_type(a->Q), a->Rn, SIZE, INDEX)); }
INSN(umov, "0 Q:1 0 01110000 imm5:5 0 0111 1 Rn:5 Rd:5", "[SIZE >= 2] mov {r(Q, Rd)}, {elem(Rn, SIZE, INDEX)}; umov {r(Q, Rd)}, {elem(Rn, SIZE, INDEX)}", "Q ? (imm5 & 15) == 8 : (imm5 & 7) != 0") { set_x(t, a->Rd, lane_get(t, IR_VGET, int_type(a->Q), a->Rn, SIZE, INDEX)); }
INSN(ins_gen, "0 1 0 01110000 imm5:5 0 0011 1 Rn:5 Rd:5", "mov {elem(Rd, SIZE, INDEX)}, {r(SIZE == 3, Rn)}", "imm5 & 15") { insert(t, a->Rd, a->Rn, SIZE, INDEX); }
INSN(ins_elem, "0 1 1 01110000 imm5:5 0 imm4:4 1 Rn:5 Rd:5", "mov {elem(Rd, SIZE, INDEX)}, {elem(Rn, SIZE, imm4 >> SIZE)}", "imm5 & 15") { insert_lane(t, a->Rd, a->Rn, SIZE, INDEX, a->imm4 >> SIZE); }

/* Permute. */
INSN(uzp1, "0 Q:1 0 01110 size:2 0 Rm:5 0 001 10 Rn:5 Rd:5", "uzp1 {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { PERMUTE(UZP, 0); }
INSN(uzp2, "0 Q:1 0 01110 size:2 0 Rm:5 0 101 10 Rn:5 Rd:5", "uzp2 {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { PERMUTE(UZP, 1); }
INSN(trn1, "0 Q:1 0 01110 size:2 0 Rm:5 0 010 10 Rn:5 Rd:5", "trn1 {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { PERMUTE(TRN, 0); }
INSN(trn2, "0 Q:1 0 01110 size:2 0 Rm:5 0 110 10 Rn:5 Rd:5", "trn2 {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { PERMUTE(TRN, 1); }
INSN(zip1, "0 Q:1 0 01110 size:2 0 Rm:5 0 011 10 Rn:5 Rd:5", "zip1 {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { PERMUTE(ZIP, 0); }
INSN(zip2, "0 Q:1 0 01110 size:2 0 Rm:5 0 111 10 Rn:5 Rd:5", "zip2 {v3(Rd, Rn, Rm, size, Q)}", "size != 3 || Q") { PERMUTE(ZIP, 1); }
INSN(ext,  "0 Q:1 1 01110 00 0 Rm:5 0 imm:4 0 Rn:5 Rd:5", "ext {v3(Rd, Rn, Rm, 0, Q)}, {dec(imm)}", "Q || imm < 8") { v_set(t, A64_V0 + a->Rd, simd_extract(t, N, M, a->imm, BYTES)); }
INSN(tbl,  "0 Q:1 0 01110 00 0 Rm:5 0 len:2 0 00 Rn:5 Rd:5", "tbl {v(Rd, 0, Q)}, {list(Rn, len + 1, 0, 1)}, {v(Rm, 0, Q)}") { table(t, a->Rd, a->Rn, a->Rm, a->len, false, BYTES); }
INSN(tbx,  "0 Q:1 0 01110 00 0 Rm:5 0 len:2 1 00 Rn:5 Rd:5", "tbx {v(Rd, 0, Q)}, {list(Rn, len + 1, 0, 1)}, {v(Rm, 0, Q)}") { table(t, a->Rd, a->Rn, a->Rm, a->len, true, BYTES); }

/* Modified immediates. */
INSN(movi_s,  "0 Q:1 0 0111100000 imm.5:3 cmode=0xx0 0 1 imm:5 Rd:5", "movi {v(Rd, 2, Q)}, {hex(imm)}{lslimm(cmode >> 1)}") { MOVE(IMM(0)); }
INSN(orr_is,  "0 Q:1 0 0111100000 imm.5:3 cmode=0xx1 0 1 imm:5 Rd:5", "orr {v(Rd, 2, Q)}, {hex(imm)}{lslimm(cmode >> 1)}") { LOGIC(OR, IMM(0)); }
INSN(movi_h,  "0 Q:1 0 0111100000 imm.5:3 cmode=10x0 0 1 imm:5 Rd:5", "movi {v(Rd, 1, Q)}, {hex(imm)}{lslimm(cmode >> 1 & 1)}") { MOVE(IMM(0)); }
INSN(orr_ih,  "0 Q:1 0 0111100000 imm.5:3 cmode=10x1 0 1 imm:5 Rd:5", "orr {v(Rd, 1, Q)}, {hex(imm)}{lslimm(cmode >> 1 & 1)}") { LOGIC(OR, IMM(0)); }
INSN(movi_m,  "0 Q:1 0 0111100000 imm.5:3 cmode=110x 0 1 imm:5 Rd:5", "movi {v(Rd, 2, Q)}, {hex(imm)}, msl #{#cmode & 1:8|16}") { MOVE(IMM(0)); }
INSN(movi_b,  "0 Q:1 0 0111100000 imm.5:3 cmode=1110 0 1 imm:5 Rd:5", "movi {v(Rd, 0, Q)}, {hex(imm)}") { MOVE(IMM(0)); }
INSN(fmov_is, "0 Q:1 0 0111100000 imm.5:3 cmode=1111 0 1 imm:5 Rd:5", "fmov {v(Rd, 2, Q)}, {fpimm(imm)}") { MOVE(IMM(0)); }
INSN(fmov_ih, "0 Q:1 0 0111100000 imm.5:3 1111 1 1 imm:5 Rd:5", "fmov {v(Rd, 1, Q)}, {fpimm(imm)}", FP16) { MOVE(fp_expand_imm(a->imm, TY_F16) * 0x0001000100010001); }
INSN(mvni_s,  "0 Q:1 1 0111100000 imm.5:3 cmode=0xx0 0 1 imm:5 Rd:5", "mvni {v(Rd, 2, Q)}, {hex(imm)}{lslimm(cmode >> 1)}") { MOVE(~IMM(1)); }
INSN(bic_is,  "0 Q:1 1 0111100000 imm.5:3 cmode=0xx1 0 1 imm:5 Rd:5", "bic {v(Rd, 2, Q)}, {hex(imm)}{lslimm(cmode >> 1)}") { LOGIC(ANDN, IMM(1)); }
INSN(mvni_h,  "0 Q:1 1 0111100000 imm.5:3 cmode=10x0 0 1 imm:5 Rd:5", "mvni {v(Rd, 1, Q)}, {hex(imm)}{lslimm(cmode >> 1 & 1)}") { MOVE(~IMM(1)); }
INSN(bic_ih,  "0 Q:1 1 0111100000 imm.5:3 cmode=10x1 0 1 imm:5 Rd:5", "bic {v(Rd, 1, Q)}, {hex(imm)}{lslimm(cmode >> 1 & 1)}") { LOGIC(ANDN, IMM(1)); }
INSN(mvni_m,  "0 Q:1 1 0111100000 imm.5:3 cmode=110x 0 1 imm:5 Rd:5", "mvni {v(Rd, 2, Q)}, {hex(imm)}, msl #{#cmode & 1:8|16}") { MOVE(~IMM(1)); }
INSN(movi_d,  "0 Q:1 1 0111100000 imm.5:3 cmode=1110 0 1 imm:5 Rd:5", "[Q] movi {v(Rd, 3, 1)}, {hex(simd_expand_imm(1, 14, imm))}; movi {f(Rd, 3)}, {hex(simd_expand_imm(1, 14, imm))}") { MOVE(IMM(1)); }
INSN(fmov_id, "0 1 1 0111100000 imm.5:3 cmode=1111 0 1 imm:5 Rd:5", "fmov {v(Rd, 3, 1)}, {fpimm(imm)}") { move_imm(t, a->Rd, IMM(1), 1); }

/* clang-format on */
#include "arm64_simd_permute.decode.inc"
