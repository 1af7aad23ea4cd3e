/*
 * Conversions between floating point and integers, and between formats.
 *
 * The host has instructions to signed integers only, and of 64 bits for scalars only; what does not fit goes to cold code. Where the host
 * would raise an exception that the guest does not know, the operands are looked at before the conversion, else its result.
 */
#include "translate/host/x64/fp.h"

#define V_CVTTPS2DQ (PF3 | MAP0F | 0x5b)
#define V_CVTPS2DQ (P66 | MAP0F | 0x5b)
#define V_CVTDQ2PS (MAP0F | 0x5b)
#define V_MULP 0x59 /* with a form's prefix */
enum { LT_OQ = 0x11, GT_OQ = 0x1e }; /* predicates of vcmp that raise nothing for quiet NaNs */

void fp_need_between(struct jit *j, const struct form *f, const struct ir_insn *in, u32 v, unsigned dst,
		     unsigned a, u64 low, u64 high)
{
	unsigned t = temp_xmm(j), u = temp_xmm(j);
	v_splat(j, f->compare | 0xc2, t, a, f->size, high, 1);
	x_byte(&j->c, LT_OQ);
	v_splat(j, f->compare | 0xc2, u, a, f->size, low, 1);
	x_byte(&j->c, GT_OQ);
	x_vrr(&j->c, V_PAND, t, t, u);
	x_vrr(&j->c, V_ONES, u, u, u);
	x_vrr(&j->c, V_OP38(f->wide ? 0x0f : 0x0e), t, 0, u); /* vtestps: carry if all are */
	cold_slow(j, x_jcc(&j->c, XC_AE), in, v, dst, 16 + a, 0xff, 0xff);
	j->lock_xmm &= ~(BIT(t) | BIT(u));
}

void fp_come_back(struct jit *j, u32 first_cold)
{
	for (; first_cold < j->n_cold; first_cold++)
		j->cold[first_cold].back = j->c.p;
}

/* ---- to integers ---- */

/* d = the whole numbers t as i64. */
static void lanes_to_i64(struct jit *j, unsigned d, unsigned t)
{
	unsigned r = temp_gpr(j), u = temp_xmm(j);
	x_vrr(&j->c, OPW | PF2 | MAP0F | 0x2c, r, 0, t); /* cvttsd2si */
	x_vrr(&j->c, OPW | V_MOVD_LOAD, d, 0, r);
	x_vrr(&j->c, V_UNPCKHQ, u, t, t);
	x_vrr(&j->c, OPW | PF2 | MAP0F | 0x2c, r, 0, u);
	x_vrri(&j->c, OPW | V_PINSRD, d, d, r, 1);
}

/* To signed 32 bits by truncation or MXCSR's rounding: what does not fit comes out as MIN, with the guest's exception. */
static bool to_i32_packed(struct jit *j, const struct ir_insn *in, u32 v)
{
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), d = def_xmm_apart(j, v), t = temp_xmm(j);
	x_vrr(&j->c, (in->imm & 0xff) == FP_TO_ZERO ? V_CVTTPS2DQ : V_CVTPS2DQ, d, 0, a);
	v_splat(j, V_OP(0x76), t, d, 4, 1u << 31, 0);
	x_vrr(&j->c, V_PTEST, t, 0, t);
	cold_slow(j, x_jcc(&j->c, XC_NE), in, v, 16 + d, 16 + a, 0xff, 0xff);
	return true;
}

static bool to_int_packed(struct jit *j, const struct ir_insn *in, u32 v)
{
	enum fp_round round = in->imm & 0xff;
	int fraction = in->imm >> 16 & 0xff, imm = fp_round_imm(round);
	bool sign = in->op == IR_FTOI, truncates = round == FP_TO_ZERO;
	struct form f;
	bool away = round == FP_NEAREST_AWAY && !fraction;
	if (in->lane == TY_I16)
		return lower_fp_half(j, in, v);
	if ((in->lane != TY_I32 && in->lane != TY_I64) || (imm < 0 && !away))
		return false;
	if (sign && in->lane == TY_I32 && !fraction && (truncates || round == FP_ROUND_CTL))
		return to_i32_packed(j, in, v);
	fp_form(&f, TY_V128, in->lane == TY_I64 ? TY_F64 : TY_F32);
	u64 bound = fp_power(&f, (int)f.size * 8 - 1 - fraction), top = 1ull << (f.size * 8 - 1);
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), d = def_xmm_apart(j, v), x = a, t = a;
	u32 cold = j->n_cold;
	fp_need_between(j, &f, in, v, 16 + d, a, sign ? bound | top : top + 1,
			bound); /* unsigned: -0 at least */
	if (fraction) {
		x = t = temp_xmm(j);
		v_splat(j, f.prefix | V_MULP, x, a, f.size, fp_power(&f, fraction), 0);
	}
	if (!truncates) {
		t = temp_xmm(j);
		fp_round_to(j, &f, t, x, away ? 3 : imm); /* raises inexact */
	}
	if (away)
		fp_round_away(j, &f, in, v, 16 + d, t, a);
	if (f.wide)
		lanes_to_i64(j, d, t);
	else
		x_vrr(&j->c, V_CVTTPS2DQ, d, 0, t);
	fp_come_back(j, cold);
	return true;
}

/* x = a * 2^fraction, where that fits `bits` bits; what does not goes to cold code before it can overflow. */
static unsigned scaled(struct jit *j, const struct form *f, const struct ir_insn *in, u32 v, unsigned dst,
		       unsigned a, unsigned operand, int bits)
{
	int fraction = in->imm >> 16 & 0xff;
	unsigned x = temp_xmm(j);
	v_splat(j, V_PAND, x, a, f->size, (1ull << (f->size * 8 - 1)) - 1, 0);
	v_splat(j, f->compare | 0x2e, x, 0, f->size, fp_power(f, bits - 1 - fraction), 0);
	cold_slow(j, x_jcc(&j->c, XC_AE), in, v, dst, operand, 0xff, 0xff);
	cold_slow(j, x_jcc(&j->c, XC_P), in, v, dst, operand, 0xff, 0xff);
	v_splat(j, f->prefix | V_MULP, x, a, f->size, fp_power(f, fraction), 0);
	return x;
}

bool lower_fp_to_int(struct jit *j, const struct ir_insn *in, u32 v)
{
	struct form f;
	enum ir_type from = j->r->insn[in->a].type;
	bool half = from == TY_F16;
	if (in->type == TY_V128 && from == TY_V128)
		return to_int_packed(j, in, v);
	int imm = fp_round_imm(in->imm & 0xff);
	if (half && !fp_half_rules(j))
		return false;
	bool word = half && in->type == TY_I16;
	if (!fp_form(&f, half ? TY_F32 : from, 0) || f.packed ||
	    (in->type != TY_I32 && in->type != TY_I64 && !word))
		return false;
	bool away = (in->imm & 0xff) == FP_NEAREST_AWAY;
	if (imm < 0 && (!away || in->imm >> 16)) /* round_away's cold code wants the operand as it is */
		return false;
	u32 cold = j->n_cold;
	bool truncates = (in->imm & 0xff) == FP_TO_ZERO, sign = in->op == IR_FTOI;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), d = def_gpr(j, v), operand = 16 + a, x = a;
	u32 w = in->type == TY_I64 || (!sign && !word) ? OPW : 0;
	if (half)
		x = fp_widen_half(j, a);
	if (in->imm >> 16 & 0xff)
		x = scaled(j, &f, in, v, d, x, operand, ir_bits(in->type));
	unsigned t = x;
	if (away) {
		t = temp_xmm(j);
		if (half) {
			x_vrr(&j->c, V_MOVAPS, t, 0, x);
			fp_half_round_away(j, false, t);
		} else {
			fp_round_away(j, &f, in, v, d, t, a);
		}
		imm = 3; /* raises inexact just as well */
	} else if (!truncates) {
		t = temp_xmm(j);
		fp_round_to(j, &f, t, x, imm | 8); /* silently: whether it fits is not known yet */
	}
	if (!sign) { /* 0 <= t < 2^32 or 2^63; NaNs are "below" */
		u64 bound = fp_power(&f, in->type == TY_I64 ? 63 : word ? 16 : 32);
		v_splat(j, f.compare | 0x2e, t, 0, f.size, bound, 0);
		cold_slow(j, x_jcc(&j->c, XC_AE), in, v, d, operand, 0xff, 0xff);
		v_splat(j, f.compare | 0x2e, t, 0, f.size, 0, 0);
		cold_slow(j, x_jcc(&j->c, XC_B), in, v, d, operand, 0xff, 0xff);
		x_vrr(&j->c, f.prefix | w | 0x2c, d, 0, t);
	} else {
		x_vrr(&j->c, f.prefix | w | 0x2c, d, 0, t); /* cvttsd2si: MIN when it does not fit */
		unsigned over = XC_O, low = word ? temp_gpr(j) : 0;
		if (word) {
			x_rr(&j->c, X_MOVSX16, low, d);
			x_rr(&j->c, X_ALU(X_CMP), low, d);
			over = XC_NE;
		} else {
			x_alu_ri(&j->c, X_CMP, w, d, 1); /* overflows for MIN alone */
		}
		cold_slow(j, x_jcc(&j->c, over), in, v, d, operand, 0xff, 0xff);
	}
	if (!truncates)
		fp_round_to(j, &f, t, x, imm); /* it fits: now raise inexact */
	fp_come_back(j, cold);
	j->val[v].flags &= ~VF_ZERO_UPPER;
	if (in->type == TY_I32)
		j->val[v].flags |= VF_ZERO_UPPER;
	return true;
}

/*
 * JavaScript's ToInt32 as Arm has it: the number modulo 2^32, with bit 32 saying that it was exact and not -0. Where the truncated
 * number fits 32 bits, the host raises what the guest does.
 */
bool lower_fp_javascript(struct jit *j, const struct ir_insn *in, u32 v)
{
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), d = def_gpr(j, v), t = temp_xmm(j), bits = temp_gpr(j),
		 one = temp_gpr(j);
	x_vrr(&j->c, PF2 | MAP0F | 0x2c, d, 0, a);
	x_alu_ri(&j->c, X_CMP, 0, d, 1);
	cold_slow(j, x_jcc(&j->c, XC_O), in, v, d, 16 + a, 0xff, 0xff);
	u32 cold = j->n_cold - 1;
	x_vrr(&j->c, V_PXOR, t, t, t);
	x_vrr(&j->c, PF2 | MAP0F | 0x2a, t, t, d); /* cvtsi2sd: the same bits again? -0 comes back as 0 */
	x_vrr(&j->c, OPW | V_MOVD_STORE, t, 0, bits);
	x_vrr(&j->c, OPW | V_MOVD_STORE, a, 0, one);
	x_rr(&j->c, OPW | X_ALU(X_CMP), bits, one);
	x_mov_ri(&j->c, one, 0);
	x_rr(&j->c, X_SETCC(XC_E), 0, one);
	x_shift_ri(&j->c, 4, OPW, one, 32);
	x_rr(&j->c, OPW | X_ALU(X_OR), d, one);
	fp_come_back(j, cold);
	j->val[v].flags &= ~VF_ZERO_UPPER;
	return true;
}

/* ---- from integers ---- */

/* Sixteen bits at a time, each half put into a number as its last bits: what they are too large by is taken away exactly, one rounding. */
static bool from_u32_packed(struct jit *j, const struct ir_insn *in, u32 v)
{
	if (j->r->fp.round == FP_DOWN)
		return false; /* zero would come out negative */
	unsigned a = use_xmm(j, in->a), d = def_xmm_apart(j, v), t = temp_xmm(j);
	x_vshift(&j->c, V_OP(0x72), 2, t, a, 16);
	v_splat(j, V_POR, t, t, 4, 0x53000000, 0); /* 2^39 + high * 2^16 */
	v_splat(j, MAP0F | 0x5c, t, t, 4, 0x53000080, 0); /* less 2^39 + 2^23 */
	v_splat(j, V_PAND, d, a, 4, 0xffff, 0);
	v_splat(j, V_POR, d, d, 4, 0x4b000000, 0); /* 2^23 + low */
	x_vrr(&j->c, MAP0F | 0x58, d, t, d);
	return true;
}

static bool from_64_packed(struct jit *j, const struct ir_insn *in, u32 v)
{
	bool sign = in->op == IR_ITOF;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), d = def_xmm_apart(j, v), t = temp_xmm(j), r = temp_gpr(j);
	u32 cold = j->n_cold;
	for (unsigned i = 0; i < 2; i++) {
		unsigned to = i ? t : d;
		x_vrri(&j->c, OPW | V_PEXTRD, a, 0, r, i);
		if (!sign) {
			x_rr(&j->c, OPW | X_TEST, r, r);
			cold_slow(j, x_jcc(&j->c, XC_S), in, v, 16 + d, 16 + a, 0xff, 0xff);
		}
		x_vrr(&j->c, V_PXOR, to, to, to);
		x_vrr(&j->c, OPW | PF2 | MAP0F | 0x2a, to, to, r); /* cvtsi2sd */
	}
	x_vrr(&j->c, V_UNPCKLQ, d, d, t);
	fp_come_back(j, cold);
	return true;
}

static bool from_int_packed(struct jit *j, const struct ir_insn *in, u32 v)
{
	int fraction = in->imm >> 16 & 0xff;
	u32 cold = j->n_cold;
	struct form f;
	if (in->lane == TY_I16)
		return lower_fp_half(j, in, v);
	if (in->lane != TY_I32 && in->lane != TY_I64)
		return false;
	fp_form(&f, TY_V128, in->lane == TY_I64 ? TY_F64 : TY_F32);
	if (f.wide) {
		from_64_packed(j, in, v);
	} else if (in->op == IR_UTOF) {
		if (!from_u32_packed(j, in, v))
			return false;
	} else {
		unsigned a = use_xmm(j, in->a), d = def_xmm(j, v);
		x_vrr(&j->c, V_CVTDQ2PS, d, 0, a);
	}
	unsigned d = j->val[v].reg;
	if (fraction)
		v_splat(j, f.prefix | V_MULP, d, d, f.size, fp_power(&f, -fraction), 0);
	fp_come_back(j, cold);
	return true;
}

/* To cold code unless f64 holds the integer in a register exactly. */
static void need_exact_double(struct jit *j, const struct ir_insn *in, u32 v, unsigned d, unsigned a)
{
	unsigned t = temp_gpr(j);
	x_mov_ri(&j->c, t, BIT(52));
	x_rr(&j->c, OPW | X_ALU(X_ADD), t, a);
	x_shift_ri(&j->c, 5, OPW, t, 53);
	cold_slow(j, x_jcc(&j->c, XC_NE), in, v, 16 + d, a, 0xff, 0xff);
}

bool lower_fp_from_int(struct jit *j, const struct ir_insn *in, u32 v)
{
	struct form f;
	enum ir_type from = j->r->insn[in->a].type;
	int fraction = in->imm >> 16 & 0xff;
	bool sign = in->op == IR_ITOF, half = in->type == TY_F16;
	if (in->imm & 0xff)
		return false;
	if (in->type == TY_V128 && from == TY_V128)
		return from_int_packed(j, in, v);
	if (half && !fp_half_rules(j))
		return false;
	/* what f32 rounds is too large for f16 anyway, but not once it is scaled: then by way of f64 */
	bool word = half && from == TY_I16, twice = half && fraction && !word;
	if (!fp_form(&f, half ? (twice ? TY_F64 : TY_F32) : in->type, 0) || f.packed ||
	    (from != TY_I32 && from != TY_I64 && !word))
		return false;
	flags_clobber(j);
	unsigned a = use_gpr(j, in->a);
	u32 w = from == TY_I64 || (!sign && !word) ? OPW : 0, cold = j->n_cold;
	if (word) {
		unsigned t = temp_gpr(j);
		x_rr(&j->c, sign ? X_MOVSX16 : X_MOVZX16, t, a);
		a = t;
	}
	if (from == TY_I32 && !sign && !(j->val[in->a].flags & VF_ZERO_UPPER)) {
		unsigned t = temp_gpr(j);
		x_mov_rr(&j->c, 0, t, a);
		a = t;
	}
	unsigned d = def_xmm(j, v);
	if (from == TY_I64 && !sign) {
		x_rr(&j->c, OPW | X_TEST, a, a);
		cold_slow(j, x_jcc(&j->c, XC_S), in, v, 16 + d, a, 0xff, 0xff);
	}
	if (from == TY_I64 && twice)
		need_exact_double(j, in, v, d, a);
	x_vrr(&j->c, V_PXOR, d, d, d);
	x_vrr(&j->c, f.prefix | w | 0x2a, d, d, a);
	if (fraction)
		v_splat(j, f.prefix | V_MULP, d, d, f.size, fp_power(&f, -fraction), 0);
	if (twice)
		fp_half_from_double(j, d, d);
	else if (half)
		x_vrri(&j->c, V_OP3A(0x1d), d, 0, d, 4); /* vcvtps2ph by MXCSR's rounding */
	fp_come_back(j, cold);
	j->val[v].flags |= VF_ZERO_UPPER;
	return true;
}

/* ---- between formats ---- */

static bool convert_packed(struct jit *j, const struct ir_insn *in, u32 v)
{
	enum ir_type from = in->lane, to = in->imm >> 16 & 0xff;
	struct form f;
	bool half = from == TY_F16 || to == TY_F16, high = in->imm >> 8 & 1;
	if (in->imm & 0xff || (half && j->r->fp.alt_half))
		return false;
	if (from == TY_F32 && to == TY_BF16)
		return lower_fp_brain(j, in, v);
	u32 op = from == TY_F32 && to == TY_F64	  ? MAP0F | 0x5a
		 : from == TY_F64 && to == TY_F32 ? P66 | MAP0F | 0x5a
		 : from == TY_F16 && to == TY_F32 ? V_OP38(0x13)
						  : 0;
	bool to_half = from == TY_F32 && to == TY_F16;
	if (!op && !to_half)
		return false;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), x = a, d = def_xmm_apart(j, v), widened = d;
	if (ir_type_size(to) > ir_type_size(from) && high) {
		x = temp_xmm(j);
		x_vrr(&j->c, V_UNPCKHQ, x, a, a);
	}
	if (to_half) {
		x_vrri(&j->c, V_OP3A(0x1d), x, 0, d, 4); /* by MXCSR's rounding */
		widened = a;
	} else {
		x_vrr(&j->c, op, d, 0, x);
		widened = from == TY_F64 ? a : d;
	}
	fp_form(&f, TY_V128, to == TY_F64 || from == TY_F64 ? TY_F64 : TY_F32);
	const unsigned operand[] = { 16 + a, 0xff, 0xff };
	fp_check_nan(j, &f, in, v, 16 + d, widened, widened, operand);
	if (fp_form(&f, TY_V128, to) && from == TY_F64)
		fp_check_least(j, &f, in, v, d, operand);
	return true;
}

bool lower_fp_format(struct jit *j, const struct ir_insn *in, u32 v)
{
	enum ir_type from = j->r->insn[in->a].type, to = in->type;
	if (from == TY_V128)
		return to == TY_V128 && convert_packed(j, in, v);
	if (in->imm & 0xff || ((from == TY_F16 || to == TY_F16) && j->r->fp.alt_half))
		return false;
	if (from == TY_F32 && to == TY_BF16)
		return lower_fp_brain(j, in, v);
	bool halves = (from == TY_F16 && (to == TY_F32 || to == TY_F64)) ||
		      ((from == TY_F32 || from == TY_F64) && to == TY_F16);
	if (!halves && !(from == TY_F32 && to == TY_F64) && !(from == TY_F64 && to == TY_F32))
		return false;
	struct form f;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), d = def_xmm_apart(j, v), checked = d;
	if (from == TY_F16) {
		v_const(j, V_PAND, d, a, (const u8[16]){ 0xff, 0xff },
			0); /* nothing else in the other lanes */
		x_vrr(&j->c, V_OP38(0x13), d, 0, d);
		if (to == TY_F64)
			x_vrr(&j->c, PF3 | MAP0F | 0x5a, d, d, d);
	} else if (to == TY_F16 && from == TY_F64) {
		fp_half_from_double(j, d, a);
		checked = a;
	} else if (to == TY_F16) {
		x_vrri(&j->c, V_OP3A(0x21), d, a, a, 0x0e);
		x_vrri(&j->c, V_OP3A(0x1d), d, 0, d, 4);
		checked = a;
	} else {
		x_vrr(&j->c, (from == TY_F64 ? PF2 : PF3) | MAP0F | 0x5a, d, a, a);
	}
	fp_form(&f, to == TY_F16 ? from : to, 0);
	const unsigned operand[] = { 16 + a, 0xff, 0xff };
	fp_check_nan(j, &f, in, v, 16 + d, checked, checked, operand);
	if (from == TY_F64 && to == TY_F32)
		fp_check_least(j, &f, in, v, d, operand);
	j->val[v].flags &= ~VF_ZERO_UPPER;
	return true;
}
