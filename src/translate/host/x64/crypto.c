/* Cryptography on the host's AES and carry-less multiplication. */
#include "translate/host/x64/jit.h"

static bool aes(struct jit *j, const struct ir_insn *in, u32 v)
{
	unsigned a = use_xmm(j, in->a), b = in->op == IR_AESE || in->op == IR_AESD ? use_xmm(j, in->b) : 0;
	unsigned d = def_xmm(j, v);
	if (in->op == IR_AESIMC) {
		x_vrr(&j->c, V_OP38(0xdb), d, 0, a);
		return true;
	}
	unsigned zero = temp_xmm(j);
	x_vrr(&j->c, V_PXOR, zero, zero, zero);
	if (in->op == IR_AESMC) { /* undo the substitution that comes with MixColumns */
		x_vrr(&j->c, V_OP38(0xdf), d, a, zero);
		x_vrr(&j->c, V_OP38(0xdc), d, d, zero);
	} else {
		x_vrr(&j->c, V_PXOR, d, a, b);
		x_vrr(&j->c, V_OP38(in->op == IR_AESE ? 0xdd : 0xdf), d, d, zero);
	}
	return true;
}

static bool carry_less(struct jit *j, const struct ir_insn *in, u32 v)
{
	if (in->op == IR_PMULL) {
		if (in->lane != TY_I64)
			return false;
		unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm(j, v);
		x_vrri(&j->c, V_OP3A(0x44), d, a, b, (in->imm & 1) | (in->imm >> 1 & 1) << 4);
		return true;
	}
	if (in->type != TY_I64)
		return false;
	unsigned a = use_gpr(j, in->a), b = use_gpr(j, in->b), x = temp_xmm(j), y = temp_xmm(j),
		 d = def_gpr(j, v);
	x_vrr(&j->c, OPW | V_MOVD_LOAD, x, 0, a);
	x_vrr(&j->c, OPW | V_MOVD_LOAD, y, 0, b);
	x_vrri(&j->c, V_OP3A(0x44), x, x, y, 0);
	if (in->op == IR_CLMUL)
		x_vrr(&j->c, OPW | V_MOVD_STORE, x, 0, d);
	else
		x_vrri(&j->c, OPW | V_PEXTRD, x, 0, d, 1);
	return true;
}

bool lower_crypto(struct jit *j, const struct ir_insn *in, u32 v)
{
	switch (in->op) {
	case IR_AESE:
	case IR_AESD:
	case IR_AESMC:
	case IR_AESIMC:
		return in->type == TY_V128 && aes(j, in, v);
	case IR_CLMUL:
	case IR_CLMULH:
	case IR_PMULL:
		return carry_less(j, in, v);
	}
	return false;
}
