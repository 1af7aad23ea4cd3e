/*
 * Cryptography on the host's AES, carry-less multiplication and, where it has them, SHA instructions.
 *
 * Source: Intel SDM volume 2, chapters 3 and 4 (SHA1RNDS4 and what follows it alphabetically); Arm's side as in translate/ir/eval_crypto.c.
 */
#include "translate/host/x64/jit.h"

static bool is_zero(const struct jit *j, u32 v)
{
	static const u8 zeroes[16];
	const struct ir_insn *in = &j->r->insn[v];
	return in->op == IR_VCONST && !memcmp(j->r->consts[in->imm], zeroes, 16);
}

/* A round of the host's, op, of the round in: the key is added before instead of after. */
static void aes_round(struct jit *j, u32 op, const struct ir_insn *in, u32 v)
{
	bool key = !is_zero(j, in->b);
	unsigned a = use_xmm(j, in->a), b = key ? use_xmm(j, in->b) : 0, d = def_xmm(j, v),
		 zero = temp_xmm(j);
	if (key)
		x_vrr(&j->c, V_PXOR, d, a, b);
	x_vrr(&j->c, V_PXOR, zero, zero, zero);
	x_vrr(&j->c, V_OP38(op), d, key ? d : a, zero);
}

static void aes_columns(struct jit *j, const struct ir_insn *in, u32 v)
{
	unsigned a = use_xmm(j, in->a), d = def_xmm(j, v);
	if (in->op == IR_AESIMC) {
		x_vrr(&j->c, V_OP38(0xdb), d, 0, a);
		return;
	}
	unsigned zero = temp_xmm(j); /* undo the substitution that comes with MixColumns */
	x_vrr(&j->c, V_PXOR, zero, zero, zero);
	x_vrr(&j->c, V_OP38(0xdf), d, a, zero);
	x_vrr(&j->c, V_OP38(0xdc), d, d, zero);
}

/* A round whose columns are mixed by the next operation, and by nothing else used, is done by that (prepass). */
static bool aes(struct jit *j, const struct ir_insn *in, u32 v)
{
	enum { AESENC = 0xdc, AESENCLAST, AESDEC, AESDECLAST };
	bool mixes = in->op == IR_AESMC || in->op == IR_AESIMC;
	if (j->val[v].flags & VF_LATER)
		use_later(j, v);
	else if (mixes && j->val[in->a].at == AT_USE)
		aes_round(j, in->op == IR_AESMC ? AESENC : AESDEC, &j->r->insn[in->a], v);
	else if (mixes)
		aes_columns(j, in, v);
	else
		aes_round(j, in->op == IR_AESE ? AESENCLAST : AESDECLAST, in, v);
	return true;
}

/* Products without carries of bytes, or of bytes in words: the factor doubled, for each bit of the other one. */
static bool multiply_bytes(struct jit *j, const struct ir_insn *in, u32 v)
{
	bool words = in->op == IR_PMULL;
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), d = def_xmm_apart(j, v);
	unsigned x = temp_xmm(j), y = temp_xmm(j), t = temp_xmm(j), zero = temp_xmm(j);
	x_vrr(&j->c, V_PXOR, zero, zero, zero);
	x_vrr(&j->c, V_MOVAPS, x, 0, a);
	x_vrr(&j->c, V_MOVAPS, y, 0, b);
	if (words) { /* punpcklbw, punpckhbw */
		x_vrr(&j->c, V_OP(in->imm == 3 ? 0x68 : 0x60), x, x, zero);
		x_vrr(&j->c, V_OP(in->imm == 3 ? 0x68 : 0x60), y, y, zero);
	}
	for (unsigned bit = 0; bit < 8; bit++) {
		x_vshift(&j->c, V_OP(0x71), 6, t, y, (words ? 15 : 7) - bit); /* the bit to its lane's sign */
		x_vrr(&j->c, V_OP(words ? 0x65 : 0x64), t, zero, t);
		x_vrr(&j->c, V_PAND, t, t, x);
		if (bit)
			x_vrr(&j->c, V_PXOR, d, d, t);
		else
			x_vrr(&j->c, V_MOVAPS, d, 0, t);
		if (bit < 7)
			x_vrr(&j->c, V_OP(words ? 0xfd : 0xfc), x, x, x);
	}
	return true;
}

/*
 * Barrett's division, bits reflected: the quotient by the polynomial, which is the low half of a product with the inverse, times the
 * polynomial. Source: V. Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction" (Intel, 2009).
 */
static bool crc(struct jit *j, const struct ir_insn *in, u32 v)
{
	static const u64 inverse[] = { 0xb4e5b025f7011641, 0x4869ec38dea713f1 };
	static const u64 polynomial[] = { 0x1db710641, 0x105ec76f1 };
	unsigned bits = ir_bits(j->r->insn[in->b].type);
	u8 constants[16];
	if (bits < 8 || bits > 64)
		return false;
	st_le64(constants, inverse[in->imm & 1]);
	st_le64(constants + 8, polynomial[in->imm & 1]);
	flags_clobber(j);
	unsigned a = use_gpr(j, in->a), b = use_gpr(j, in->b), x = temp_xmm(j), d = temp_gpr(j);
	x_mov_rr(&j->c, 0, d, a);
	x_rr(&j->c, OPW | X_ALU(X_XOR), d, b);
	if (bits < 64)
		x_shift_ri(&j->c, 4, OPW, d, 64 - bits);
	x_vrr(&j->c, OPW | V_MOVD_LOAD, x, 0, d);
	v_const(j, V_OP3A(0x44), x, x, constants, 1);
	x_byte(&j->c, 0x00);
	v_const(j, V_OP3A(0x44), x, x, constants, 1);
	x_byte(&j->c, 0x10);
	x_vrri(&j->c, V_PEXTRD, x, 0, d, 2);
	if (bits < 32) { /* what has not been shifted out yet */
		unsigned t = temp_gpr(j);
		x_mov_rr(&j->c, 0, t, a);
		x_shift_ri(&j->c, 5, 0, t, bits);
		x_rr(&j->c, X_ALU(X_XOR), d, t);
	}
	put_reg(j, v, false, d);
	j->val[v].flags |= VF_ZERO_UPPER;
	return true;
}

static bool carry_less(struct jit *j, const struct ir_insn *in, u32 v)
{
	if (in->op == IR_PMULL) {
		if (in->lane == TY_I8)
			return multiply_bytes(j, in, v);
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

/* ---- SHA ---- */

/* These have no VEX form: the first register is also the first source. */
#define V_SHA1RNDS4 (MAP3A | 0xcc)
#define V_SHA256RNDS2 (MAP38 | 0xcb) /* and XMM0: the words with their constants */
#define V_SHA256MSG1 (MAP38 | 0xcc)
#define V_SHA256MSG2 (MAP38 | 0xcd)
#define V_SHUFPS (MAP0F | 0xc6)
#define V_PALIGNR V_OP3A(0x0f)
#define V_PADDD V_OP(0xfe)
enum { HIGH_PAIRS = 0xbb, LOW_PAIRS = 0x11, REVERSE = 0x1b, UPPER_HALF = 0x0e };

/* The other half of the same four rounds of SHA-256, when it follows in this block and is not computed yet; 0: none. */
static u32 other_half(const struct jit *j, const struct ir_insn *in)
{
	enum { FAR = 8 };
	enum ir_op wanted = in->op == IR_SHA256H ? IR_SHA256H2 : IR_SHA256H;
	const struct ir_region *r = j->r;
	for (u32 i = j->cur + 1; i < r->n_insn && i <= j->cur + FAR; i++) {
		const struct ir_insn *x = &r->insn[i];
		if (ir_has(x->op, 'E'))
			break;
		if (x->op == wanted && x->a == in->b && x->b == in->a && x->c == in->c &&
		    x->type == in->type && j->val[i].uses && j->val[i].at == AT_NONE)
			return i;
	}
	return 0;
}

/* What is read last by an instruction that this one stands for as well dies here. */
static void reads_now(struct jit *j, u32 other)
{
	const struct ir_insn *in = &j->r->insn[other];
	const u32 operand[3] = { in->a, in->b, in->c };
	for (unsigned i = 0; i < 3; i++)
		if (j->val[operand[i]].last == j->val[other].pos)
			j->next_death = j->val[operand[i]].last = j->now;
}

/*
 * Four rounds. Arm has the state as (d c b a) and (h g f e), highest word first, the host as (a b e f) and (c d g h). XMM0 is put aside
 * for the words of the schedule and serves for the result at the end. Arm's two instructions give half the result each: done at once.
 */
static bool sha256_rounds(struct jit *j, const struct ir_insn *in, u32 v)
{
	if (j->val[v].at != AT_NONE)
		return true; /* came with the other half */
	bool first = in->op == IR_SHA256H;
	u32 other = other_half(j, in);
	if (other)
		reads_now(j, other);
	unsigned x = use_xmm(j, first ? in->a : in->b), y = use_xmm(j, first ? in->b : in->a),
		 w = use_xmm(j, in->c), d = def_xmm(j, v);
	j->lock_xmm |= BIT(0) | BIT(d);
	unsigned abef = temp_xmm(j), cdgh = d && d != w ? d : temp_xmm(j), saved = d ? temp_xmm(j) : 0;
	x_vrri(&j->c, V_SHUFPS, abef, y, x, LOW_PAIRS);
	x_vrri(&j->c, V_SHUFPS, cdgh, y, x, HIGH_PAIRS);
	if (saved)
		x_vrr(&j->c, V_MOVAPS, saved, 0, 0);
	if (w)
		x_vrr(&j->c, V_MOVAPS, 0, 0, w);
	x_rr(&j->c, V_SHA256RNDS2, cdgh, abef); /* the new (a b e f); the old one is the new (c d g h) */
	x_vrri(&j->c, V_PSHUFD, 0, 0, 0, UPPER_HALF);
	x_rr(&j->c, V_SHA256RNDS2, abef, cdgh);
	x_vrri(&j->c, V_SHUFPS, 0, abef, cdgh, first ? HIGH_PAIRS : LOW_PAIRS);
	if (other) {
		x_vrri(&j->c, V_SHUFPS, abef, abef, cdgh, first ? LOW_PAIRS : HIGH_PAIRS);
		put_reg(j, other, true, abef);
	}
	if (saved) {
		x_vrr(&j->c, V_MOVAPS, d, 0, 0);
		x_vrr(&j->c, V_MOVAPS, 0, 0, saved);
	}
	return true;
}

static bool sha256_schedule(struct jit *j, const struct ir_insn *in, u32 v)
{
	bool second = in->op == IR_SHA256SU1;
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), c = second ? use_xmm(j, in->c) : b,
		 d = def_xmm(j, v), t = d == c || (second && d == a) ? temp_xmm(j) : d;
	if (second) {
		x_vrri(&j->c, V_PALIGNR, t, c, b, 4);
		x_vrr(&j->c, V_PADDD, t, t, a);
	} else if (t != a) {
		x_vrr(&j->c, V_MOVAPS, t, 0, a);
	}
	x_rr(&j->c, second ? V_SHA256MSG2 : V_SHA256MSG1, t, c);
	if (t != d)
		x_vrr(&j->c, V_MOVAPS, d, 0, t);
	return true;
}

/* Four rounds of SHA-1. The host adds the round's constant itself, which the guest's words have in them. */
static bool sha1_rounds(struct jit *j, const struct ir_insn *in, u32 v)
{
	static const u32 constant[] = { 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc };
	unsigned kind = in->op == IR_SHA1C ? 0 : in->op == IR_SHA1P ? 1 : 2;
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), c = use_xmm(j, in->c), d = def_xmm(j, v);
	j->lock_xmm |= BIT(d);
	unsigned e = temp_xmm(j), w = temp_xmm(j);
	x_vshift(&j->c, V_OP(0x73), 7, e, b, 12); /* pslldq */
	x_vrri(&j->c, V_PSHUFD, w, 0, c, REVERSE);
	v_splat(j, V_PADDD, w, w, 4, (u32)-constant[kind], 0);
	x_vrr(&j->c, V_PADDD, w, w, e);
	x_vrri(&j->c, V_PSHUFD, d, 0, a, REVERSE);
	x_rr(&j->c, V_SHA1RNDS4, d, w);
	x_byte(&j->c, kind);
	x_vrri(&j->c, V_PSHUFD, d, 0, d, REVERSE);
	return true;
}

void v_rotate_left(struct jit *j, unsigned d, unsigned a, unsigned t, unsigned n)
{
	if (d != a)
		x_vshift(&j->c, V_OP(0x72), 6, d, a, n);
	x_vshift(&j->c, V_OP(0x72), 2, t, a, 32 - n);
	if (d == a)
		x_vshift(&j->c, V_OP(0x72), 6, d, a, n);
	x_vrr(&j->c, V_POR, d, d, t);
}

static bool sha1_schedule(struct jit *j, const struct ir_insn *in, u32 v)
{
	unsigned a = use_xmm(j, in->a);
	if (in->op == IR_SHA1H) {
		static const u8 lowest[16] = { 255, 255, 255, 255 };
		unsigned d = def_xmm_apart(j, v);
		unsigned t = temp_xmm(j);
		v_rotate_left(j, d, a, t, 30);
		v_const(j, V_PAND, d, d, lowest, 0);
		return true;
	}
	unsigned b = use_xmm(j, in->b), c = in->op == IR_SHA1SU0 ? use_xmm(j, in->c) : 0,
		 d = def_xmm_apart(j, v), t = temp_xmm(j);
	if (in->op == IR_SHA1SU0) {
		x_vrri(&j->c, V_PALIGNR, t, b, a, 8);
		x_vrr(&j->c, V_PXOR, d, a, c);
		x_vrr(&j->c, V_PXOR, d, d, t);
		return true;
	}
	unsigned u = temp_xmm(j);
	x_vshift(&j->c, V_OP(0x73), 3, t, b, 4); /* psrldq */
	x_vrr(&j->c, V_PXOR, t, t, a);
	v_rotate_left(j, d, t, t, 1);
	x_vshift(&j->c, V_OP(0x73), 7, u, d,
		 12); /* the last word takes the first one's result, rotated again */
	v_rotate_left(j, t, u, u, 1);
	x_vrr(&j->c, V_PXOR, d, d, t);
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
	case IR_PMUL:
		return in->type == TY_V128 && in->lane == TY_I8 && multiply_bytes(j, in, v);
	case IR_CRC32:
		return crc(j, in, v);
	case IR_SHA256H:
	case IR_SHA256H2:
		return in->type == TY_V128 && j->job->stubs->sha && sha256_rounds(j, in, v);
	case IR_SHA256SU0:
	case IR_SHA256SU1:
		return in->type == TY_V128 && j->job->stubs->sha && sha256_schedule(j, in, v);
	case IR_SHA1C:
	case IR_SHA1P:
	case IR_SHA1M:
		return in->type == TY_V128 && j->job->stubs->sha && sha1_rounds(j, in, v);
	case IR_SHA1H:
	case IR_SHA1SU0:
	case IR_SHA1SU1:
		return in->type == TY_V128 && sha1_schedule(j, in, v);
	}
	return lower_crypto_more(j, in, v);
}
