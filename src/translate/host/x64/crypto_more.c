/*
 * SHA-512 and SM3, for which the host has no instructions: rounds in general registers, schedules in vector lanes.
 *
 * Source: FIPS 180-4, GB/T 32905; Arm's operand order as in translate/ir/eval_crypto.c.
 */
#include "translate/host/x64/jit.h"

#define V_PALIGNR V_OP3A(0x0f)
#define V_PADDD V_OP(0xfe)
#define V_PADDQ V_OP(0xd4)

/* A lane of 64 bits into a general register. */
static void lane64(struct jit *j, unsigned r, unsigned x, unsigned lane)
{
	if (lane)
		x_vrri(&j->c, OPW | V_PEXTRD, x, 0, r, 1);
	else
		x_vrr(&j->c, OPW | V_MOVD_STORE, x, 0, r);
}

static void op64(struct jit *j, unsigned alu, unsigned d, unsigned a)
{
	x_rr(&j->c, OPW | X_ALU(alu), d, a);
}

/* d = a rotated right by three counts, put together; t is scratch. */
static void big_sigma(struct jit *j, unsigned d, unsigned a, unsigned t, const u8 count[3])
{
	x_vrr(&j->c, OPW | X_RORX, d, 0, a);
	x_byte(&j->c, count[0]);
	for (unsigned i = 1; i < 3; i++) {
		x_vrr(&j->c, OPW | X_RORX, t, 0, a);
		x_byte(&j->c, count[i]);
		op64(j, X_XOR, d, t);
	}
}

/* The halves of two rounds of SHA-512. Operands: w sums, x and y parts of the state. */
static bool sha512_rounds(struct jit *j, const struct ir_insn *in, u32 v)
{
	static const u8 sigma1[] = { 14, 18, 41 };
	flags_clobber(j);
	unsigned w = use_xmm(j, in->a), x = use_xmm(j, in->b), y = use_xmm(j, in->c), d = def_xmm_apart(j, v);
	unsigned t = temp_xmm(j), p = temp_gpr(j), q = temp_gpr(j), r = temp_gpr(j), s = temp_gpr(j);
	lane64(j, p, y, 1);
	lane64(j, q, x, 0);
	lane64(j, r, x, 1);
	x_vrr(&j->c, OPW | X_ANDN, r, p, r); /* choose(y1, x0, x1) */
	op64(j, X_AND, q, p);
	op64(j, X_XOR, r, q);
	big_sigma(j, s, p, q, sigma1);
	op64(j, X_ADD, s, r);
	lane64(j, q, w, 1);
	op64(j, X_ADD, s, q);
	x_vrr(&j->c, OPW | V_MOVD_LOAD, d, 0, s); /* the upper result */
	lane64(j, q, y, 0);
	op64(j, X_ADD, q, s);
	lane64(j, r, x, 0);
	x_vrr(&j->c, OPW | X_ANDN, r, q, r); /* choose(q, y1, x0) */
	op64(j, X_AND, p, q);
	op64(j, X_XOR, p, r);
	big_sigma(j, r, q, s, sigma1);
	op64(j, X_ADD, p, r);
	lane64(j, s, w, 0);
	op64(j, X_ADD, p, s);
	x_vrr(&j->c, OPW | V_MOVD_LOAD, t, 0, p);
	x_vrr(&j->c, V_UNPCKLQ, d, t, d);
	return true;
}

/* d = the majority of each bit of d, a and b; a is changed. */
static void majority(struct jit *j, unsigned d, unsigned a, unsigned b, unsigned t)
{
	x_mov_rr(&j->c, OPW, t, d);
	op64(j, X_AND, t, a);
	op64(j, X_OR, a, d);
	op64(j, X_AND, a, b);
	x_mov_rr(&j->c, OPW, d, t);
	op64(j, X_OR, d, a);
}

static bool sha512_rounds2(struct jit *j, const struct ir_insn *in, u32 v)
{
	static const u8 sigma0[] = { 28, 34, 39 };
	flags_clobber(j);
	unsigned w = use_xmm(j, in->a), x = use_xmm(j, in->b), y = use_xmm(j, in->c), d = def_xmm_apart(j, v);
	unsigned p = temp_gpr(j), q = temp_gpr(j), r = temp_gpr(j), s = temp_gpr(j);
	lane64(j, p, y, 0);
	lane64(j, q, x, 0);
	lane64(j, r, y, 1);
	majority(j, q, r, p, s);
	big_sigma(j, s, p, r, sigma0);
	op64(j, X_ADD, s, q);
	lane64(j, q, w, 1);
	op64(j, X_ADD, s, q); /* the upper result */
	lane64(j, r, y, 1);
	majority(j, p, r, s, q);
	big_sigma(j, q, s, r, sigma0);
	op64(j, X_ADD, q, p);
	lane64(j, r, w, 0);
	op64(j, X_ADD, q, r);
	x_vrr(&j->c, OPW | V_MOVD_LOAD, d, 0, q);
	x_vrri(&j->c, OPW | V_PINSRD, d, d, s, 1);
	return true;
}

/* d ^= each 64-bit lane of a rotated right by n, or shifted. */
static void mix64(struct jit *j, unsigned d, unsigned a, unsigned n, bool rotate)
{
	unsigned t = temp_xmm(j);
	x_vshift(&j->c, V_OP(0x73), 2, t, a, n);
	x_vrr(&j->c, V_PXOR, d, d, t);
	if (rotate) {
		x_vshift(&j->c, V_OP(0x73), 6, t, a, 64 - n);
		x_vrr(&j->c, V_PXOR, d, d, t); /* the two have no bit in common */
	}
	j->lock_xmm &= ~BIT(t);
}

static bool sha512_schedule(struct jit *j, const struct ir_insn *in, u32 v)
{
	bool second = in->op == IR_SHA512SU1;
	unsigned w = use_xmm(j, in->a), x = use_xmm(j, in->b), y = second ? use_xmm(j, in->c) : 0,
		 d = def_xmm_apart(j, v), from = x;
	if (!second) {
		from = temp_xmm(j);
		x_vrri(&j->c, V_PALIGNR, from, x, w, 8);
	}
	x_vrr(&j->c, V_PXOR, d, d, d);
	mix64(j, d, from, second ? 19 : 1, true);
	mix64(j, d, from, second ? 61 : 8, true);
	mix64(j, d, from, second ? 6 : 7, false);
	x_vrr(&j->c, V_PADDQ, d, d, w);
	if (second)
		x_vrr(&j->c, V_PADDQ, d, d, y);
	return true;
}

/* ---- SM3 ---- */

/* d = x ^ rol(x, 15) ^ rol(x, 23) in lanes of 32 bits; t, u are scratch. */
static void spread(struct jit *j, unsigned d, unsigned x, unsigned t, unsigned u)
{
	v_rotate_left(j, t, x, u, 15);
	x_vrr(&j->c, V_PXOR, d, x, t);
	v_rotate_left(j, t, t, u, 8);
	x_vrr(&j->c, V_PXOR, d, d, t);
}

static bool sm3_schedule(struct jit *j, const struct ir_insn *in, u32 v)
{
	enum { UP_THREE = 12, DOWN_ONE = 4 }; /* bytes */
	unsigned a = use_xmm(j, in->a), n = use_xmm(j, in->b), m = use_xmm(j, in->c), d = def_xmm_apart(j, v);
	unsigned x = temp_xmm(j), t = temp_xmm(j), u = temp_xmm(j);
	if (in->op == IR_SM3PARTW1) { /* the last word takes the first one's result */
		x_vshift(&j->c, V_OP(0x73), 3, x, m, DOWN_ONE);
		v_rotate_left(j, x, x, u, 15);
		x_vrr(&j->c, V_PXOR, x, x, a);
		x_vrr(&j->c, V_PXOR, x, x, n);
		spread(j, d, x, t, u);
		x_vshift(&j->c, V_OP(0x73), 7, t, d, UP_THREE);
		v_rotate_left(j, t, t, u, 15);
		x_vrr(&j->c, V_PXOR, x, x, t);
		spread(j, d, x, t, u);
		return true;
	}
	v_rotate_left(j, x, m, u, 7);
	x_vrr(&j->c, V_PXOR, x, x, n);
	x_vrr(&j->c, V_PXOR, d, x, a);
	x_vshift(&j->c, V_OP(0x73), 7, x, x, UP_THREE);
	v_rotate_left(j, x, x, u, 15);
	x_vrr(&j->c, V_PXOR, d, d, x);
	v_rotate_left(j, x, x, t, 15);
	x_vrr(&j->c, V_PXOR, d, d, x);
	v_rotate_left(j, x, x, t, 8);
	x_vrr(&j->c, V_PXOR, d, d, x);
	return true;
}

static bool sm3_sum(struct jit *j, const struct ir_insn *in, u32 v)
{
	static const u8 highest[16] = { [12] = 255, 255, 255, 255 };
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), c = use_xmm(j, in->c), d = def_xmm_apart(j, v),
		 t = temp_xmm(j);
	v_rotate_left(j, d, a, t, 12);
	x_vrr(&j->c, V_PADDD, d, d, b);
	x_vrr(&j->c, V_PADDD, d, d, c);
	v_rotate_left(j, d, d, t, 7);
	v_const(j, V_PAND, d, d, highest, 0);
	return true;
}

static void op32(struct jit *j, unsigned alu, unsigned d, unsigned a)
{
	x_rr(&j->c, X_ALU(alu), d, a);
}

static void lane32(struct jit *j, unsigned r, unsigned x, unsigned lane)
{
	x_vrri(&j->c, V_PEXTRD, x, 0, r, lane);
}

static void rol32(struct jit *j, unsigned d, unsigned a, unsigned n)
{
	x_vrr(&j->c, X_RORX, d, 0, a);
	x_byte(&j->c, 32 - n);
}

/* s = the round's function of p, q and r: parity, majority or choice; q stays. */
static void sm3_function(struct jit *j, unsigned kind, unsigned s, unsigned p, unsigned q, unsigned r)
{
	enum { TT1B = 1, TT2B = 3 };
	if (kind == TT2B) {
		x_vrr(&j->c, X_ANDN, s, p, r);
		op32(j, X_AND, p, q);
		op32(j, X_OR, s, p);
	} else if (kind == TT1B) { /* (p & q) | (r & (p | q)) */
		x_mov_rr(&j->c, 0, s, p);
		op32(j, X_OR, s, q);
		op32(j, X_AND, s, r);
		op32(j, X_AND, p, q);
		op32(j, X_OR, s, p);
	} else {
		x_mov_rr(&j->c, 0, s, p);
		op32(j, X_XOR, s, q);
		op32(j, X_XOR, s, r);
	}
}

static bool sm3_round(struct jit *j, const struct ir_insn *in, u32 v)
{
	enum { DOWN_A_WORD = 0x39 };
	unsigned index = in->imm & 3, kind = in->imm >> 2 & 3;
	flags_clobber(j);
	unsigned a = use_xmm(j, in->a), n = use_xmm(j, in->b), m = use_xmm(j, in->c), d = def_xmm_apart(j, v);
	unsigned p = temp_gpr(j), q = temp_gpr(j), r = temp_gpr(j), s = temp_gpr(j);
	x_vrri(&j->c, V_PSHUFD, d, 0, a, DOWN_A_WORD);
	lane32(j, p, a, 3);
	lane32(j, q, a, 2);
	lane32(j, r, a, 1);
	sm3_function(j, kind, s, p, q, r);
	rol32(j, q, q, kind < 2 ? 9 : 19);
	x_vrri(&j->c, V_PINSRD, d, d, q, 1);
	lane32(j, r, n, 3);
	if (kind < 2) {
		lane32(j, p, a, 3);
		rol32(j, p, p, 12);
		op32(j, X_XOR, r, p);
	}
	op32(j, X_ADD, s, r);
	lane32(j, r, m, index);
	op32(j, X_ADD, s, r);
	lane32(j, r, a, 0);
	op32(j, X_ADD, s, r);
	if (kind >= 2) {
		rol32(j, p, s, 9);
		rol32(j, q, s, 17);
		op32(j, X_XOR, s, p);
		op32(j, X_XOR, s, q);
	}
	x_vrri(&j->c, V_PINSRD, d, d, s, 3);
	return true;
}

bool lower_crypto_more(struct jit *j, const struct ir_insn *in, u32 v)
{
	if (in->type != TY_V128)
		return false;
	switch (in->op) {
	case IR_SHA512H:
		return sha512_rounds(j, in, v);
	case IR_SHA512H2:
		return sha512_rounds2(j, in, v);
	case IR_SHA512SU0:
	case IR_SHA512SU1:
		return sha512_schedule(j, in, v);
	case IR_SM3PARTW1:
	case IR_SM3PARTW2:
		return sm3_schedule(j, in, v);
	case IR_SM3SS1:
		return sm3_sum(j, in, v);
	case IR_SM3TT:
		return sm3_round(j, in, v);
	}
	return false;
}
