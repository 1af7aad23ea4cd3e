/*
 * Arithmetic of f16 by way of f32, which the host has: rounding twice gives what rounding once does, as f32 has more than twice as many
 * bits and two (Figueroa, "When is double rounding innocuous?"); so do inexact, overflow and underflow, as a result of f32 that
 * is inexact is never one that f16 could hold. Not so fused multiply-add, which goes to ir_eval.
 *
 * Eight lanes take a whole YMM register. Its upper halves are cleared before anything else runs: SSE code in C would pay for them.
 */
#include "translate/host/x64/fp.h"

#define V_PH2PS V_OP38(0x13)
#define V_PS2PH V_OP3A(0x1d) /* stores: the source stands in the place of the destination */
#define V_PACKSSDW V_OP(0x6b)
#define V_EXTRACTI128 (V_OP3A(0x39) | OPL)
enum { BY_MXCSR = 4, UNORDERED = 3 };

static void vzeroupper(struct jit *j)
{
	x_room(&j->c);
	x_byte(&j->c, 0xc5);
	x_byte(&j->c, 0xf8);
	x_byte(&j->c, 0x77);
}

/* x = a as f32: its eight lanes, or the lowest alone with zeros above. */
static unsigned widen(struct jit *j, bool packed, unsigned a)
{
	unsigned x = temp_xmm(j);
	if (packed) {
		x_vrr(&j->c, V_PH2PS | OPL, x, 0, a);
		return x;
	}
	v_const(j, V_PAND, x, a, (const u8[16]){ 0xff, 0xff }, 0);
	x_vrr(&j->c, V_PH2PS, x, 0, x);
	return x;
}

/* To cold code if there is a NaN in p or q (f32; zeros above a scalar). */
static void check_nan(struct jit *j, const struct ir_insn *in, u32 v, unsigned d, unsigned p, unsigned q,
		      const unsigned operand[3])
{
	bool packed = in->type == TY_V128;
	unsigned t = temp_xmm(j);
	x_vrri(&j->c, MAP0F | (packed ? OPL : PF3) | 0xc2, t, p, q, UNORDERED);
	x_vrr(&j->c, V_OP38(0x0e) | (packed ? OPL : 0), t, 0, t); /* vtestps */
	cold_slow(j, x_jcc(&j->c, XC_NE), in, v, 16 + d, operand[0], operand[1], operand[2]);
	j->lock_xmm &= ~BIT(t);
}

/* d = the f32 in x as f16; the last cold path comes back here. */
static void narrow(struct jit *j, const struct ir_insn *in, u32 v, unsigned d, unsigned x)
{
	bool packed = in->type == TY_V128;
	x_vrri(&j->c, V_PS2PH | (packed ? OPL : 0), x, 0, d, BY_MXCSR);
	j->cold[j->n_cold - 1].back = j->c.p;
	if (packed)
		vzeroupper(j);
	else
		j->val[v].flags |= VF_ZERO_UPPER;
}

static bool arithmetic(struct jit *j, const struct ir_insn *in, u32 v)
{
	static const u8 code[] = { [IR_FADD - IR_FADD] = 0x58,
				   [IR_FSUB - IR_FADD] = 0x5c,
				   [IR_FMUL - IR_FADD] = 0x59,
				   [IR_FDIV - IR_FADD] = 0x5e,
				   [IR_FSQRT - IR_FADD] = 0x51 };
	bool one = in->op == IR_FSQRT, packed = in->type == TY_V128;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), b = one ? a : use_xmm(j, in->b), d = def_xmm_apart(j, v);
	unsigned x = widen(j, packed, a), y = one ? x : widen(j, packed, b);
	x_vrr(&j->c, (packed ? OPL : PF3) | MAP0F | code[in->op - IR_FADD], x, one && packed ? 0 : x, y);
	check_nan(j, in, v, d, x, x, (unsigned[]){ 16 + a, one ? 0xff : 16 + b, 0xff });
	narrow(j, in, v, d, x);
	return true;
}

/* As in fp.c: both orders, and the signs put together. */
static bool minmax(struct jit *j, const struct ir_insn *in, u32 v)
{
	bool max = in->op == IR_FMAX, packed = in->type == TY_V128;
	u32 wide = packed ? OPL : 0, op = wide | MAP0F | (packed ? 0 : PF3) | (max ? 0x5f : 0x5d);
	if (in->imm >> 8 >= FP_MM_SECOND)
		return false;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm_apart(j, v);
	unsigned x = widen(j, packed, a), y = widen(j, packed, b);
	check_nan(j, in, v, d, x, y, (unsigned[]){ 16 + a, 16 + b, 0xff });
	unsigned t = temp_xmm(j);
	x_vrr(&j->c, op, t, x, y);
	x_vrr(&j->c, op, x, y, x);
	x_vrr(&j->c, wide | MAP0F | (max ? 0x54 : 0x56), t, t, x);
	narrow(j, in, v, d, t);
	return true;
}

static bool masks(struct jit *j, const struct ir_insn *in, u32 v)
{
	unsigned predicate = in->op == IR_VFEQ	 ? 0
			     : in->op == IR_VFGT ? 0x0e
						 : 0x0d; /* EQ_OQ, GT_OS, GE_OS */
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm(j, v);
	unsigned x = widen(j, true, a), y = widen(j, true, b);
	x_vrri(&j->c, OPL | MAP0F | 0xc2, x, x, y, predicate);
	x_vrri(&j->c, V_EXTRACTI128, x, 0, y, 1);
	x_vrr(&j->c, V_PACKSSDW, d, x, y);
	vzeroupper(j);
	return true;
}

static bool round_integral(struct jit *j, const struct ir_insn *in, u32 v)
{
	int imm = fp_round_imm(in->imm & 0xff);
	bool packed = in->type == TY_V128;
	if (imm < 0 || in->imm >> 9)
		return false;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), d = def_xmm_apart(j, v), x = widen(j, packed, a);
	x_vrri(&j->c, V_OP3A(packed ? 0x08 : 0x0a) | (packed ? OPL : 0), x, packed ? 0 : x, x,
	       imm | (in->imm >> 8 & 1 ? 0 : 8));
	check_nan(j, in, v, d, x, x, (unsigned[]){ 16 + a, 0xff, 0xff });
	narrow(j, in, v, d, x);
	return true;
}

/* Sums of f32 with products of f16: exact products, one rounding. */
static bool multiply_add_long(struct jit *j, const struct ir_insn *in, u32 v)
{
	bool high = in->imm >> 8 & 1, subtract = in->imm >> 9 & 1;
	struct form f;
	fp_form(&f, TY_V128, TY_F32);
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), c = use_xmm(j, in->c), d = def_xmm_apart(j, v);
	unsigned x = temp_xmm(j), y = temp_xmm(j);
	if (high) {
		x_vrr(&j->c, V_UNPCKHQ, x, b, b);
		x_vrr(&j->c, V_UNPCKHQ, y, c, c);
	}
	x_vrr(&j->c, V_PH2PS, x, 0, high ? x : b);
	x_vrr(&j->c, V_PH2PS, y, 0, high ? y : c);
	x_vrr(&j->c, V_MOVAPS, d, 0, a);
	x_vrr(&j->c, V_OP38(subtract ? 0xbc : 0xb8), d, x, y); /* vfnmadd231ps, vfmadd231ps */
	j->lock_xmm &= ~(BIT(x) | BIT(y));
	fp_check_nan(j, &f, in, v, 16 + d, d, d, (unsigned[]){ 16 + a, 16 + b, 16 + c });
	return true;
}

/* Lanes of 16 bits, all of which f32 holds exactly. */
static bool from_int(struct jit *j, const struct ir_insn *in, u32 v)
{
	if (in->imm)
		return false;
	unsigned a = use_xmm(j, in->a), d = def_xmm(j, v), x = temp_xmm(j);
	x_vrr(&j->c, V_OP38(in->op == IR_ITOF ? 0x23 : 0x33) | OPL, x, 0, a); /* vpmovsxwd, vpmovzxwd */
	x_vrr(&j->c, MAP0F | OPL | 0x5b, x, 0, x);
	x_vrri(&j->c, V_PS2PH | OPL, x, 0, d, BY_MXCSR);
	vzeroupper(j);
	return true;
}

bool fp_half_rules(const struct jit *j)
{
	return !j->r->fp.flush_in_f16 && !j->r->fp.flush_out_f16;
}

bool lower_fp_half(struct jit *j, const struct ir_insn *in, u32 v)
{
	if (!fp_half_rules(j))
		return false;
	switch (in->op) {
	case IR_FADD:
	case IR_FSUB:
	case IR_FMUL:
	case IR_FDIV:
	case IR_FSQRT:
		return !(in->imm & 0xff) && arithmetic(j, in, v);
	case IR_FMIN:
	case IR_FMAX:
		return minmax(j, in, v);
	case IR_VFEQ:
	case IR_VFGT:
	case IR_VFGE:
		return masks(j, in, v);
	case IR_FRINT:
		return round_integral(j, in, v);
	case IR_FMLAL:
		return multiply_add_long(j, in, v);
	case IR_ITOF:
	case IR_UTOF:
		return from_int(j, in, v);
	}
	return false;
}
