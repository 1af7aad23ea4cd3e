/* Vectors: between registers of both kinds, and bytes and lanes moved about. */
#include "translate/host/x64/jit.h"

unsigned zero_above(const struct jit *j, u32 v)
{
	const struct ir_insn *in = &j->r->insn[v];
	if (!(j->val[v].flags & VF_ZERO_UPPER) || j->val[v].at != AT_XMM)
		return 16;
	switch (in->op) {
	case IR_VLOW:
		return in->imm;
	case IR_VZEXT:
		return ir_type_size(j->r->insn[in->a].type);
	case IR_LD:
		return ir_type_size(in->mem.type);
	}
	return ir_type_size(in->type);
}

/* d = the low n bytes of a, zero above. */
static void keep_low(struct jit *j, unsigned d, unsigned a, unsigned n)
{
	u8 mask[16] = { 0 };
	memset(mask, 0xff, n);
	if (n == 8)
		x_vrr(&j->c, V_MOVQ_LOAD, d, 0, a);
	else if (n == 4)
		x_vrri(&j->c, V_OP3A(0x21), d, a, a, 0x0e); /* insertps: lanes 1 to 3 zero */
	else
		v_const(j, V_PAND, d, a, mask, 0);
}

static bool same_register(struct jit *j, const struct ir_insn *in, u32 v, unsigned low)
{
	unsigned known = zero_above(j, in->a);
	if (!alias(j, v, in->a)) {
		unsigned a = use_xmm(j, in->a), d = def_xmm(j, v);
		if (d != a)
			x_vrr(&j->c, V_MOVAPS, d, 0, a);
	}
	j->val[v].flags &= ~VF_ZERO_UPPER;
	if (known <= low && j->val[v].at == AT_XMM)
		j->val[v].flags |= VF_ZERO_UPPER;
	return true;
}

static bool extend(struct jit *j, const struct ir_insn *in, u32 v)
{
	enum ir_type from = j->r->insn[in->a].type;
	unsigned n = in->op == IR_VLOW ? in->imm : ir_type_size(from);
	if (!is_gpr(from)) {
		if (n == 10 || n > 16)
			return false;
		if (n == 16 || zero_above(j, in->a) <= n)
			return same_register(j, in, v, n);
		unsigned a = use_xmm(j, in->a), d = def_xmm(j, v);
		keep_low(j, d, a, n);
	} else {
		unsigned a = use_gpr(j, in->a);
		if (from < TY_I32 && !(j->val[in->a].flags & VF_ZERO_UPPER)) {
			unsigned t = temp_gpr(j);
			if (from == TY_I1) {
				x_mov_ri(&j->c, t, 1);
				x_vrr(&j->c, X_PEXT, t, a, t);
			} else {
				x_rr(&j->c, from == TY_I16 ? X_MOVZX16 : X_MOVZX8 | OPB, t, a);
			}
			a = t;
		}
		unsigned d = def_xmm(j, v);
		x_vrr(&j->c, (from == TY_I64 ? OPW : 0) | V_MOVD_LOAD, d, 0, a);
	}
	j->val[v].flags |= VF_ZERO_UPPER;
	return true;
}

/* The low bits as a scalar, or the same bits as another type. */
static bool truncate(struct jit *j, const struct ir_insn *in, u32 v)
{
	enum ir_type from = j->r->insn[in->a].type, to = in->type;
	if (ir_type_size(to) > 16 || ir_type_size(from) > 16 || ir_type_size(to) == 10)
		return false;
	if (!is_gpr(from) && !is_gpr(to))
		return same_register(j, in, v, ir_type_size(to));
	if (is_gpr(from) && is_gpr(to)) { /* CAST of a type to itself */
		unsigned a = use_gpr(j, in->a);
		x_mov_rr(&j->c, OPW, def_gpr(j, v), a);
		j->val[v].flags &= ~VF_ZERO_UPPER;
		return true;
	}
	u32 w = to == TY_I64 || from == TY_I64 ? OPW : 0;
	if (is_gpr(to)) {
		unsigned a = use_xmm(j, in->a), d = def_gpr(j, v);
		x_vrr(&j->c, w | V_MOVD_STORE, a, 0, d);
		j->val[v].flags &= ~VF_ZERO_UPPER;
		if (to == TY_I32)
			j->val[v].flags |= VF_ZERO_UPPER;
		return true;
	}
	unsigned a = use_gpr(j, in->a), d = def_xmm(j, v);
	x_vrr(&j->c, w | V_MOVD_LOAD, d, 0, a);
	j->val[v].flags &= ~VF_ZERO_UPPER;
	if (w || from == TY_I32)
		j->val[v].flags |= VF_ZERO_UPPER;
	return true;
}

static bool duplicate(struct jit *j, const struct ir_insn *in, u32 v)
{
	static const u32 op[9] = {
		[1] = V_OP38(0x78), [2] = V_OP38(0x79), [4] = V_OP38(0x58), [8] = V_OP38(0x59)
	};
	enum ir_type from = j->r->insn[in->a].type;
	unsigned size = ir_type_size(in->lane), a;
	u64 k;
	if (from == TY_I128 || from == TY_F80 || from == TY_F128 || from == TY_I1)
		return false;
	if (const_of(j, in->a, &k) && is_gpr(from)) {
		unsigned d = def_xmm(j, v);
		if (!k)
			x_vrr(&j->c, V_PXOR, d, d, d);
		else
			v_splat(j, V_MOVAPS, d, 0, size, k, 0);
		return true;
	}
	if (is_gpr(from)) {
		unsigned g = use_gpr(j, in->a);
		a = temp_xmm(j);
		x_vrr(&j->c, (from == TY_I64 ? OPW : 0) | V_MOVD_LOAD, a, 0, g);
	} else {
		a = use_xmm(j, in->a);
	}
	unsigned d = def_xmm(j, v);
	x_vrr(&j->c, op[size], d, 0, a);
	return true;
}

static bool get_lane(struct jit *j, const struct ir_insn *in, u32 v)
{
	unsigned size = ir_type_size(in->lane), at = in->imm * size;
	if (!is_gpr(in->type)) {
		if (in->type == TY_I128 || ir_type_size(in->type) != size)
			return false;
		if (!at)
			return same_register(j, in, v, size);
		unsigned a = use_xmm(j, in->a), d = def_xmm(j, v);
		if (size == 8)
			x_vrr(&j->c, V_UNPCKHQ, d, a, a);
		else
			x_vshift(&j->c, V_OP(0x73), 3, d, a, at); /* psrldq */
		j->val[v].flags &= ~VF_ZERO_UPPER;
		if (size == 16 - at)
			j->val[v].flags |= size == 8 ? 0 : VF_ZERO_UPPER;
		return true;
	}
	unsigned a = use_xmm(j, in->a), d = def_gpr(j, v);
	u32 w = in->type == TY_I64 ? OPW : 0;
	switch (size) {
	case 1:
		x_vrri(&j->c, V_PEXTRB, a, 0, d, in->imm);
		break;
	case 2:
		x_vrri(&j->c, V_PEXTRW, a, 0, d, in->imm);
		break;
	default:
		if (!at)
			x_vrr(&j->c, (size == 8 ? OPW : 0) | V_MOVD_STORE, a, 0, d);
		else
			x_vrri(&j->c, (size == 8 ? OPW : 0) | V_PEXTRD, a, 0, d, in->imm);
	}
	if (in->op == IR_VGETS && size < ir_type_size(in->type)) {
		x_rr(&j->c, size == 1 ? w | X_MOVSX8 | OPB : size == 2 ? w | X_MOVSX16 : X_MOVSXD, d, d);
		j->val[v].flags &= ~VF_ZERO_UPPER;
		if (in->type == TY_I32)
			j->val[v].flags |= VF_ZERO_UPPER;
		return true;
	}
	j->val[v].flags |= VF_ZERO_UPPER;
	return true;
}

static bool set_lane(struct jit *j, const struct ir_insn *in, u32 v)
{
	enum ir_type from = j->r->insn[in->b].type;
	unsigned size = ir_type_size(in->lane);
	if (from == TY_I128 || from == TY_F80 || from == TY_F128 || from == TY_I1)
		return false;
	unsigned a = use_xmm(j, in->a);
	if (is_gpr(from)) {
		static const u32 op[9] = {
			[1] = V_PINSRB, [2] = V_PINSRW, [4] = V_PINSRD, [8] = OPW | V_PINSRD
		};
		unsigned b = use_gpr(j, in->b), d = def_xmm(j, v);
		x_vrri(&j->c, op[size], d, a, b, in->imm);
		return true;
	}
	unsigned b = use_xmm(j, in->b);
	if (size == 2) {
		unsigned t = temp_gpr(j), d = def_xmm(j, v);
		x_vrr(&j->c, V_MOVD_STORE, b, 0, t);
		x_vrri(&j->c, V_PINSRW, d, a, t, in->imm);
		return true;
	}
	unsigned d = def_xmm(j, v);
	if (size == 4)
		x_vrri(&j->c, V_OP3A(0x21), d, a, b, in->imm << 4); /* insertps */
	else if (in->imm)
		x_vrr(&j->c, V_UNPCKLQ, d, a, b);
	else
		x_vrri(&j->c, V_OP3A(0x0d), d, a, b, 1); /* blendpd */
	return true;
}

/* Is the pattern made of whole lanes of n bytes? Their numbers; 255 zero. */
static bool lanes_of(const u8 k[16], unsigned n, u8 lane[16])
{
	for (unsigned i = 0; i < 16 / n; i++) {
		lane[i] = k[i * n] == 255 ? 255 : k[i * n] / n;
		for (unsigned b = 0; b < n; b++)
			if (lane[i] == 255 ? k[i * n + b] != 255 : k[i * n + b] != lane[i] * n + b)
				return false;
	}
	return true;
}

/* One host instruction: the interleaving ones, rotations over two registers, blends. x, y: the registers for bytes 0-15 and 16-31. */
static bool shuffle_simple(struct jit *j, const u8 k[16], unsigned d, unsigned x, unsigned y)
{
	static const u8 unpack[2][4] = { { 0x60, 0x61, 0x62, 0x6c }, { 0x68, 0x69, 0x6a, 0x6d } };
	u8 lane[16];
	for (unsigned s = 0; s < 4; s++) {
		unsigned n = 1u << s, count = 16 / n;
		if (!lanes_of(k, n, lane))
			continue;
		for (unsigned high = 0; high < 2; high++)
			for (unsigned swap = 0; swap < 2; swap++) {
				bool fits = true;
				for (unsigned i = 0; i < count; i++)
					fits &= lane[i] ==
						(i / 2 + high * count / 2) + ((i & 1) != swap ? count : 0);
				if (fits)
					return x_vrr(&j->c, V_OP(unpack[high][s]), d, swap ? y : x,
						     swap ? x : y),
					       true;
			}
	}
	bool rotate = true;
	for (unsigned i = 1; i < 16; i++)
		rotate &= k[i] == ((k[0] + i) & 31);
	if (rotate && k[0] < 32) /* palignr: high register first */
		return x_vrri(&j->c, V_OP3A(0x0f), d, k[0] < 16 ? y : x, k[0] < 16 ? x : y, k[0] & 15), true;
	if (lanes_of(k, 2, lane)) {
		unsigned from_b = 0;
		bool blend = true;
		for (unsigned i = 0; i < 8; i++) {
			blend &= lane[i] == i || lane[i] == i + 8;
			from_b |= (lane[i] >= 8) << i;
		}
		if (blend)
			return x_vrri(&j->c, V_OP3A(0x0e), d, x, y, from_b), true;
	}
	if (lanes_of(k, 4, lane)) { /* shufps: two of x, two of y */
		unsigned imm = 0;
		bool fits = true, one = true;
		for (unsigned i = 0; i < 4; i++) {
			fits &= lane[i] != 255 && (lane[i] >= 4) == (i >= 2);
			one &= lane[i] < 4;
			imm |= (lane[i] & 3) << 2 * i;
		}
		if (one)
			return x_vrri(&j->c, V_PSHUFD, d, 0, x, imm), true;
		if (fits)
			return x_vrri(&j->c, MAP0F | 0xc6, d, x, y, imm), true;
	}
	return false;
}

static bool shuffle(struct jit *j, const struct ir_insn *in, u32 v)
{
	u8 k[16], of_b[16], of_a[16];
	bool uses_a = false, uses_b = false;
	memcpy(k, j->r->consts[in->imm], 16);
	for (unsigned i = 0; i < 16; i++) {
		if (k[i] >= 32)
			k[i] = 255;
		else if (in->a == in->b)
			k[i] &= 15;
		uses_a |= k[i] < 16;
		uses_b |= k[i] >= 16 && k[i] < 32;
		of_a[i] = k[i] < 16 ? k[i] : 0x80;
		of_b[i] = k[i] >= 16 && k[i] < 32 ? k[i] - 16 : 0x80;
	}
	if (!uses_a && !uses_b) {
		unsigned d = def_xmm(j, v);
		x_vrr(&j->c, V_PXOR, d, d, d);
		return true;
	}
	unsigned a = uses_a ? use_xmm(j, in->a) : 0, b = uses_b ? use_xmm(j, in->b) : 0;
	if (!uses_a || !uses_b) { /* one register: as if it were both, but by numbers below 16 */
		unsigned x = uses_a ? a : b, d = def_xmm(j, v);
		u8 same[16], both[16];
		for (unsigned i = 0; i < 16; i++)
			same[i] = k[i] == 255 ? 255 : k[i] & 15;
		for (unsigned i = 0; i < 16; i++) /* for the interleaving instructions: odd places from "y" */
			both[i] = same[i];
		if (shuffle_simple(j, both, d, x, x))
			return true;
		for (unsigned s = 0; s < 4; s++)
			for (unsigned i = 0; i < 16; i++)
				both[i] = same[i] == 255 ? 255 : same[i] | (i >> s & 1) << 4;
		for (unsigned s = 0; s < 4; s++) {
			for (unsigned i = 0; i < 16; i++)
				both[i] = same[i] == 255 ? 255 : same[i] | (i >> s & 1) << 4;
			if (shuffle_simple(j, both, d, x, x))
				return true;
		}
		v_const(j, V_PSHUFB, d, x, uses_a ? of_a : of_b, 0);
		return true;
	}
	unsigned d = def_xmm_apart(j, v);
	if (shuffle_simple(j, k, d, a, b))
		return true;
	unsigned t = temp_xmm(j);
	v_const(j, V_PSHUFB, t, a, of_a, 0);
	v_const(j, V_PSHUFB, d, b, of_b, 0);
	x_vrr(&j->c, V_POR, d, d, t);
	return true;
}

static bool table(struct jit *j, const struct ir_insn *in, u32 v)
{
	unsigned a = use_xmm(j, in->a), b = use_xmm(j, in->b), t = temp_xmm(j), d = def_xmm(j, v);
	v_splat(j, V_OP(0xdc), t, b, 1, 0x70, 0); /* paddusb: from 16 on bit 7 is set */
	x_vrr(&j->c, V_PSHUFB, d, a, t);
	return true;
}

bool lower_vec_move(struct jit *j, const struct ir_insn *in, u32 v)
{
	switch (in->op) {
	case IR_CAST:
	case IR_VTRUNC:
		return truncate(j, in, v);
	case IR_VZEXT:
	case IR_VLOW:
		return extend(j, in, v);
	case IR_ZEXT:
		return in->type == TY_I128 && extend(j, in, v);
	case IR_TRUNC:
		return j->r->insn[in->a].type == TY_I128 && truncate(j, in, v);
	case IR_DUP:
		return duplicate(j, in, v);
	case IR_VGET:
	case IR_VGETS:
		return j->r->insn[in->a].type == TY_V128 && get_lane(j, in, v);
	case IR_VSET:
		return set_lane(j, in, v);
	case IR_SHUFFLE:
		return shuffle(j, in, v);
	case IR_TBL:
		return table(j, in, v);
	}
	return false;
}
