/*
 * A64: SVE instructions that came with SME, and which without FEAT_SVE2p1 are of streaming mode alone.
 * Manual: Arm A-profile architecture, C8.2 "PSEL", "REVD", "SCLAMP", "UCLAMP".
 */
#include "guest/arm64/sve.h"
#include "arm64_sve_streaming.decode.h"

#define LANE lane_int(a->size)
#define D simd_get(t, a->Rd)
/* The lowest set bit of the low half of PSEL's immediate tells the size, the bits above it the offset. */
#define SIZE (unsigned)__builtin_ctz(a->imm)
#define OFFSET ((unsigned)a->imm >> (SIZE + 1))

/* No less than n, no more than m. */
static ir_ref clamp(struct tr *t, enum ir_op max, enum ir_op min, enum ir_type lane, ir_ref d, ir_ref n,
		    ir_ref m)
{
	return simd_op2(t, min, lane, simd_op2(t, max, lane, n, d), m);
}

static void arm64_text_pindex(struct text *o, unsigned p, unsigned size, unsigned w, unsigned offset)
{
	arm64_text_ps(o, p, size);
	text_fmt(o, "[w%u, %u]", w, offset);
}

/* clang-format off */

INSN(psel, "00100101 imm.3:2 1 imm:3 Rv:2 01 Pn:4 0 Pm:4 0 Pd:4", "psel {p(Pd)}, {p(Pn)}, {pindex(Pm, SIZE, 12 + Rv, OFFSET)}", SME, "imm & 15", "IN_SM")
{
	ir_ref element = v_bin(t, IR_AND, v_addi(t, w(t, 12 + a->Rv), OFFSET), konst32(t, sve_elements(SIZE) - 1));
	ir_ref bit = v_bin(t, IR_SHL, element, konst32(t, SIZE));
	bit = v_bin(t, IR_AND, v_bin(t, IR_SHR, sve_bits(t, sve_pred(t, a->Pm)), bit), konst32(t, 1));
	ir_ref every = v_lanes(t, IR_DUP, TY_I64, v_un(t, IR_NEG, v_zext(t, TY_I64, bit)), 0, 0, 0);
	sve_set_pred(t, a->Pd, simd_and(t, sve_pred(t, a->Pn), every));
}
INSN(revd, "00000101 00 101110 100 Pg:3 Rn:5 Rd:5", "revd {z(Rd, 4)}, {pm(Pg)}, {z(Rn, 4)}", SME, "IN_SM") { sve_merge(t, a->Rd, a->Pg, 4, simd_reverse(t, simd_get(t, a->Rn), 3, 4, 16)); }
INSN(clamp, "01000100 size:2 0 Rm:5 11000 U:1 Rn:5 Rd:5", "{#U:s|u}clamp {z3(Rd, Rn, Rm, size)}", SME, "IN_SM")
{
	sve_set(t, a->Rd, clamp(t, a->U ? IR_MAXU : IR_MAXS, a->U ? IR_MINU : IR_MINS, LANE, D, simd_get(t, a->Rn), simd_get(t, a->Rm)));
}

/* clang-format on */
#include "arm64_sve_streaming.decode.inc"
