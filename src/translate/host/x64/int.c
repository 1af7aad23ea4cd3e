/* Integer operations on general registers. */
#include "translate/host/x64/jit.h"

static u32 width_of(enum ir_type type)
{
	return type == TY_I64 ? OPW : 0;
}

static void zero_upper(struct jit *j, u32 v, enum ir_type type)
{
	if (type == TY_I32)
		j->val[v].flags |= VF_ZERO_UPPER;
	else
		j->val[v].flags &= ~VF_ZERO_UPPER;
}

/* Constant that fits an immediate, and does not lie in a register already. */
static bool imm_of(struct jit *j, u32 v, u32 w, i32 *ret_imm)
{
	u64 k;
	if (!const_of(j, v, &k) || (i64)(w ? (i64)k : (i32)k) != (i32)k)
		return false;
	*ret_imm = k;
	return true;
}

/* Does a host instruction computing v have to leave flags for its partner? Then saves what was there before. */
static bool prepare_flags(struct jit *j, u32 v, enum ir_type type)
{
	struct val *x = &j->val[v];
	bool wanted = x->flags & VF_SETFL && type >= TY_I32 && j->val[x->partner].last > j->now;
	if (wanted)
		for (u32 i = 0; i < j->n_ef; i++)
			if (j->ef[i] == x->partner && j->val[x->partner].at == AT_FLAGS) {
				/* the same flags are there already, and are made again */
				j->val[x->partner].at = AT_USE;
				j->ef[i] = j->ef[--j->n_ef];
				flags_clobber(j);
				return true;
			}
	flags_clobber(j);
	return wanted;
}

static void flags_left(struct jit *j, u32 v, bool wanted, enum fkind kind)
{
	if (wanted)
		flags_now(j, j->val[v].partner, kind);
}

/* ADD and SUB of a constant or ADD of registers without touching flags, into another register. */
static bool by_lea(struct jit *j, const struct ir_insn *in, u32 v)
{
	u32 w = width_of(in->type);
	i32 k;
	if (in->type < TY_I32 || j->val[v].flags & VF_SETFL)
		return false;
	bool sub = in->op == IR_SUB;
	if (imm_of(j, in->b, w, &k) && k != INT32_MIN) {
		unsigned a = use_gpr(j, in->a), d = def_gpr(j, v);
		if (d == a && !flags_needed(j)) {
			flags_clobber(j);
			x_alu_ri(&j->c, sub ? X_SUB : X_ADD, w, d, k);
		} else {
			x_lea(&j->c, w, d, x_mem(a, sub ? -k : k));
		}
		zero_upper(j, v, in->type);
		return true;
	}
	if (sub)
		return false;
	struct x64_mem m;
	if (in_memory(j, in->b, &m) && !flags_needed(j))
		return false;
	unsigned a = use_gpr(j, in->a), b = use_gpr(j, in->b), d = def_gpr(j, v);
	if ((d == a || d == b) && !flags_needed(j)) {
		flags_clobber(j);
		x_rr(&j->c, w | X_ALU(X_ADD), d, d == a ? b : a);
	} else {
		x_lea(&j->c, w, d, (struct x64_mem){ .base = a, .index = b });
	}
	zero_upper(j, v, in->type);
	return true;
}

static void alu(struct jit *j, const struct ir_insn *in, u32 v, unsigned op, bool commutes)
{
	u32 w = width_of(in->type);
	struct x64_mem m;
	i32 k;
	bool wanted = prepare_flags(j, v, in->type);
	enum fkind kind = op == X_SUB && !j->r->insn[j->val[v].partner].imm ? FK_SUB : FK_ADD;
	if (imm_of(j, in->b, w, &k)) {
		unsigned a = use_gpr(j, in->a), d = def_gpr(j, v);
		if (d != a)
			x_mov_rr(&j->c, w, d, a);
		x_alu_ri(&j->c, op, w, d, k);
	} else {
		unsigned a = use_gpr(j, in->a), d;
		if (in->b != in->a && in_memory(j, in->b, &m)) {
			d = def_gpr(j, v);
			if (d != a)
				x_mov_rr(&j->c, w, d, a);
			x_rm(&j->c, w | X_ALU(op), d, m);
		} else {
			unsigned b = use_gpr(j, in->b);
			d = def_gpr(j, v);
			if (d == b && d != a) {
				if (commutes) {
					x_rr(&j->c, w | X_ALU(op), d, a);
				} else {
					unsigned t = temp_gpr(j);
					x_mov_rr(&j->c, w, t, a);
					x_rr(&j->c, w | X_ALU(op), t, b);
					x_mov_rr(&j->c, OPW, d, t);
				}
			} else {
				if (d != a)
					x_mov_rr(&j->c, w, d, a);
				x_rr(&j->c, w | X_ALU(op), d, b);
			}
		}
	}
	zero_upper(j, v, in->type);
	flags_left(j, v, wanted, kind);
}

static void and_op(struct jit *j, const struct ir_insn *in, u32 v)
{
	u64 k;
	if (const_of(j, in->b, &k) && !(j->val[v].flags & VF_SETFL) &&
	    (k == 0xff || k == 0xffff || (k == 0xffffffff && in->type == TY_I64))) {
		unsigned a = use_gpr(j, in->a), d = def_gpr(j, v);
		if (k == 0xffffffff)
			x_mov_rr(&j->c, 0, d, a);
		else
			x_rr(&j->c, k == 0xff ? X_MOVZX8 | OPB : X_MOVZX16, d, a);
		j->val[v].flags |= VF_ZERO_UPPER;
		return;
	}
	alu(j, in, v, X_AND, true);
	if (in->type == TY_I1 && (j->val[in->a].flags & j->val[in->b].flags & VF_ZERO_UPPER))
		j->val[v].flags |= VF_ZERO_UPPER;
}

static void carry_op(struct jit *j, const struct ir_insn *in, u32 v)
{
	bool sbc = in->op == IR_SBC;
	u32 w = width_of(in->type);
	struct val *x = &j->val[v];
	bool wanted = x->flags & VF_SETFL && in->type >= TY_I32 && j->val[x->partner].last > j->now;
	unsigned a = use_gpr(j, in->a), b = use_gpr(j, in->b);
	if (wanted) /* made by this instruction: not to be saved */
		for (u32 i = 0; i < j->n_ef; i++)
			if (j->ef[i] == x->partner) {
				j->val[x->partner].at = AT_USE;
				j->ef[i] = j->ef[--j->n_ef];
			}
	carry_in(j, in->c, sbc && !in->imm);
	unsigned d = def_gpr(j, v);
	unsigned alu_op = sbc ? X_SBB : X_ADC;
	if (d == b && d != a && sbc) {
		unsigned t = temp_gpr(j);
		x_mov_rr(&j->c, w, t, a);
		x_rr(&j->c, w | X_ALU(alu_op), t, b);
		x_mov_rr(&j->c, OPW, d, t);
	} else if (d == b && d != a) {
		x_rr(&j->c, w | X_ALU(alu_op), d, a);
	} else {
		if (d != a)
			x_mov_rr(&j->c, w, d, a);
		x_rr(&j->c, w | X_ALU(alu_op), d, b);
	}
	zero_upper(j, v, in->type);
	flags_left(j, v, wanted, sbc && !in->imm ? FK_SUB : FK_ADD);
}

static void widen_in_place(struct jit *j, enum ir_type type, unsigned dst, unsigned src, bool sign)
{
	switch (type) {
	case TY_I8:
		x_rr(&j->c, (sign ? OPW | X_MOVSX8 : X_MOVZX8) | OPB, dst, src);
		break;
	case TY_I16:
		x_rr(&j->c, sign ? OPW | X_MOVSX16 : X_MOVZX16, dst, src);
		break;
	default:
		if (sign)
			x_rr(&j->c, X_MOVSXD, dst, src);
		else
			x_mov_rr(&j->c, 0, dst, src);
	}
}

static bool shift(struct jit *j, const struct ir_insn *in, u32 v)
{
	static const u8 kinds[] = { [IR_SHL - IR_SHL] = 4, [IR_SHR - IR_SHL] = 5, [IR_SAR - IR_SHL] = 7 };
	static const u32 variable[] = { X_SHLX, X_SHRX, X_SARX };
	unsigned which = in->op - IR_SHL, bits = ir_bits(in->type);
	u32 w = width_of(in->type);
	u64 k;
	if (const_of(j, in->b, &k)) {
		k &= bits - 1;
		unsigned a = use_gpr(j, in->a), d = def_gpr(j, v);
		if (bits < 32 && in->op != IR_SHL) {
			widen_in_place(j, in->type, d, a, in->op == IR_SAR);
		} else if (in->op == IR_SHL && k >= 1 && k <= 3 && d != a) {
			if (k == 1)
				x_lea(&j->c, w, d, (struct x64_mem){ .base = a, .index = a });
			else
				x_lea(&j->c, w, d, (struct x64_mem){ .base = NOREG, .index = a, .scale = k });
			zero_upper(j, v, in->type);
			return true;
		} else if (flags_needed(j) && k) {
			unsigned t = temp_gpr(j);
			x_mov_ri(&j->c, t, k);
			x_vrr(&j->c, w | variable[which], d, t, a);
			zero_upper(j, v, in->type);
			return true;
		} else if (d != a) {
			x_mov_rr(&j->c, w, d, a);
		}
		if (k) {
			flags_clobber(j);
			x_shift_ri(&j->c, kinds[which], w, d, k);
		}
		zero_upper(j, v, in->type);
		return true;
	}
	if (bits < 32)
		return false;
	unsigned a = use_gpr(j, in->a), b = use_gpr(j, in->b), d = def_gpr(j, v);
	x_vrr(&j->c, w | variable[which], d, b, a);
	zero_upper(j, v, in->type);
	return true;
}

static bool rotate(struct jit *j, const struct ir_insn *in, u32 v)
{
	u32 w = width_of(in->type);
	u64 k;
	if (in->type < TY_I32)
		return false;
	if (const_of(j, in->b, &k)) {
		unsigned a = use_gpr(j, in->a), d = def_gpr(j, v);
		x_vrr(&j->c, w | X_RORX, d, 0, a);
		x_byte(&j->c, k & (w ? 63 : 31));
	} else {
		flags_clobber(j);
		take_gpr(j, RCX);
		unsigned a = use_gpr(j, in->a), b = use_gpr(j, in->b), d = def_gpr_apart(j, v);
		x_mov_rr(&j->c, 0, RCX, b);
		x_mov_rr(&j->c, w, d, a);
		x_prefix(&j->c, w | 0xd3, 0, 0, d); /* ror d, cl */
		x_byte(&j->c, 0xc0 | 1 << 3 | (d & 7));
	}
	zero_upper(j, v, in->type);
	return true;
}

static bool multiply(struct jit *j, const struct ir_insn *in, u32 v)
{
	u32 w = width_of(in->type);
	struct x64_mem m;
	i32 k;
	flags_clobber(j);
	if (imm_of(j, in->b, w, &k)) {
		unsigned a = use_gpr(j, in->a), d = def_gpr(j, v);
		x_rr(&j->c, w | 0x69, d, a);
		x_32(&j->c, k);
	} else {
		unsigned a = use_gpr(j, in->a);
		if (in->b != in->a && in_memory(j, in->b, &m)) {
			unsigned d = def_gpr(j, v);
			if (d != a)
				x_mov_rr(&j->c, w, d, a);
			x_rm(&j->c, w | X_IMUL, d, m);
		} else {
			unsigned b = use_gpr(j, in->b), d = def_gpr(j, v);
			if (d != a && d != b)
				x_mov_rr(&j->c, w, d, a);
			x_rr(&j->c, w | X_IMUL, d, d == b ? a : b);
		}
	}
	zero_upper(j, v, in->type);
	return true;
}

static bool multiply_high(struct jit *j, const struct ir_insn *in, u32 v)
{
	bool wide = in->op == IR_MULWU || in->op == IR_MULWS, sign = in->op == IR_MULHS || in->op == IR_MULWS;
	enum ir_type type = j->r->insn[in->a].type;
	if (type == TY_I32) { /* one 64-bit product */
		flags_clobber(j);
		unsigned a = use_gpr(j, in->a), b = use_gpr(j, in->b), d = def_gpr_apart(j, v),
			 t = temp_gpr(j);
		widen_in_place(j, TY_I32, t, b, sign);
		widen_in_place(j, TY_I32, d, a, sign);
		x_rr(&j->c, OPW | X_IMUL, d, t);
		if (!wide)
			x_shift_ri(&j->c, 5, OPW, d, 32);
		if (!wide)
			zero_upper(j, v, TY_I32);
		return true;
	}
	if (type != TY_I64)
		return false;
	take_gpr(j, RDX);
	take_gpr(j, RAX);
	unsigned a = use_gpr(j, in->a), b = use_gpr(j, in->b);
	if (sign) {
		flags_clobber(j);
		x_mov_rr(&j->c, OPW, RAX, a);
		x_group3(&j->c, 5, OPW, b);
	} else {
		x_mov_rr(&j->c, OPW, RDX, a);
		x_vrr(&j->c, OPW | X_MULX, RDX, RAX, b);
	}
	if (wide) {
		unsigned d = def_xmm(j, v);
		x_vrr(&j->c, OPW | V_MOVD_LOAD, d, 0, RAX);
		x_vrr(&j->c, OPW | V_PINSRD, d, d, RDX);
		x_byte(&j->c, 1);
		return true;
	}
	put_reg(j, v, false, RDX);
	zero_upper(j, v, TY_I64);
	return true;
}

static bool divide(struct jit *j, const struct ir_insn *in, u32 v)
{
	bool sign = in->op == IR_DIVS || in->op == IR_REMS, rem = in->op == IR_REMU || in->op == IR_REMS;
	u32 w = width_of(in->type);
	if (in->type < TY_I32)
		return false;
	flags_clobber(j);
	take_gpr(j, RAX);
	take_gpr(j, RDX);
	unsigned a = use_gpr(j, in->a), b = use_gpr(j, in->b);
	u8 *zero, *minus = NULL, *done[2] = { 0 };
	x_mov_rr(&j->c, w, RAX, a);
	x_rr(&j->c, w | X_TEST, b, b);
	zero = x_jcc8(&j->c, XC_E);
	if (sign) {
		x_alu_ri(&j->c, X_CMP, w, b, -1);
		minus = x_jcc8(&j->c, XC_E);
		x_room(&j->c);
		if (w)
			x_byte(&j->c, 0x48);
		x_byte(&j->c, 0x99); /* cqo */
	} else {
		x_rr(&j->c, X_ALU(X_XOR), RDX, RDX);
	}
	x_group3(&j->c, sign ? 7 : 6, w, b);
	done[0] = x_jmp8(&j->c);
	if (sign) {
		x_patch8(&j->c, minus);
		x_group3(&j->c, 3, w, RAX); /* a / -1 */
		x_rr(&j->c, X_ALU(X_XOR), RDX, RDX);
		done[1] = x_jmp8(&j->c);
	}
	x_patch8(&j->c, zero);
	x_mov_rr(&j->c, w, RDX, RAX); /* a % 0 = a */
	x_rr(&j->c, X_ALU(X_XOR), RAX, RAX);
	x_patch8(&j->c, done[0]);
	if (done[1])
		x_patch8(&j->c, done[1]);
	put_reg(j, v, false, rem ? RDX : RAX);
	zero_upper(j, v, in->type);
	return true;
}

static bool minmax(struct jit *j, const struct ir_insn *in, u32 v)
{
	static const u8 keep[] = { XC_BE, XC_LE, XC_AE,
				   XC_GE }; /* MINU MINS MAXU MAXS: a stays when a cc b */
	u32 w = width_of(in->type);
	if (in->type < TY_I32)
		return false;
	flags_clobber(j);
	unsigned a = use_gpr(j, in->a), b = use_gpr(j, in->b), d = def_gpr_apart(j, v);
	x_rr(&j->c, w | X_ALU(X_CMP), a, b);
	x_mov_rr(&j->c, w, d, b);
	x_rr(&j->c, w | X_CMOV(keep[in->op - IR_MINU]), d, a);
	zero_upper(j, v, in->type);
	return true;
}

static void mask_step(struct jit *j, u32 w, unsigned d, unsigned t, unsigned k, u64 mask, unsigned n)
{
	x_mov_ri(&j->c, k, mask);
	x_mov_rr(&j->c, w, t, d);
	x_shift_ri(&j->c, 5, w, t, n);
	x_rr(&j->c, w | X_ALU(X_AND), t, k);
	x_rr(&j->c, w | X_ALU(X_AND), d, k);
	x_shift_ri(&j->c, 4, w, d, n);
	x_rr(&j->c, w | X_ALU(X_OR), d, t);
}

/* A byte reversed: five copies side by side, of which each gives the bits that lie where a sum of the others' places brings them in order. */
static bool reverse_byte(struct jit *j, const struct ir_insn *in, u32 v)
{
	flags_clobber(j);
	unsigned a = use_gpr(j, in->a), d = def_gpr_apart(j, v), t = temp_gpr(j);
	widen_in_place(j, TY_I8, d, a, false);
	x_mov_ri(&j->c, t, 0x80200802);
	x_rr(&j->c, OPW | X_IMUL, d, t);
	x_mov_ri(&j->c, t, 0x0884422110);
	x_rr(&j->c, OPW | X_ALU(X_AND), d, t);
	x_mov_ri(&j->c, t, 0x0101010101);
	x_rr(&j->c, OPW | X_IMUL, d, t);
	x_shift_ri(&j->c, 5, OPW, d, 32);
	j->val[v].flags &= ~VF_ZERO_UPPER;
	return true;
}

static bool bit_count(struct jit *j, const struct ir_insn *in, u32 v)
{
	u32 w = width_of(in->type);
	unsigned bits = ir_bits(in->type);
	if (in->op == IR_BITREV && in->type == TY_I8)
		return reverse_byte(j, in, v);
	if (bits < 32 && in->op != IR_BSWAP)
		return false;
	const struct ir_insn *arg = &j->r->insn[in->a];
	u32 operand = in->a;
	u32 op = in->op == IR_CLZ ? X_LZCNT : in->op == IR_CTZ ? X_TZCNT : X_POPCNT;
	if (in->op == IR_CLZ && arg->op == IR_BITREV && j->val[in->a].at == AT_USE) {
		operand = arg->a;
		op = X_TZCNT;
	}
	if (j->val[v].flags & VF_LATER)
		return use_later(j, v), true;
	switch (in->op) {
	case IR_CLZ:
	case IR_CTZ:
	case IR_POPCNT: {
		flags_clobber(j);
		unsigned a = use_gpr(j, operand), d = def_gpr(j, v);
		x_rr(&j->c, w | op, d, a);
		break;
	}
	case IR_CLS: {
		flags_clobber(j);
		unsigned a = use_gpr(j, in->a), t = temp_gpr(j), d = def_gpr(j, v);
		x_mov_rr(&j->c, w, t, a);
		x_shift_ri(&j->c, 7, w, t, bits - 1);
		x_rr(&j->c, w | X_ALU(X_XOR), t, a);
		x_rr(&j->c, w | X_LZCNT, d, t);
		x_alu_ri(&j->c, X_SUB, w, d, 1);
		break;
	}
	case IR_BSWAP: {
		unsigned a = use_gpr(j, in->a), d = def_gpr(j, v);
		if (bits < 32) {
			flags_clobber(j);
			if (d != a)
				x_mov_rr(&j->c, 0, d, a);
			if (bits == 16)
				x_shift_ri(&j->c, 1, P66, d, 8);
			j->val[v].flags &= ~VF_ZERO_UPPER;
			return true;
		}
		if (d != a)
			x_mov_rr(&j->c, w, d, a);
		x_room(&j->c);
		if (w || d & 8)
			x_byte(&j->c, 0x40 | (w ? 8 : 0) | (d >> 3 & 1));
		x_byte(&j->c, 0x0f);
		x_byte(&j->c, 0xc8 | (d & 7));
		break;
	}
	default: { /* BITREV */
		flags_clobber(j);
		unsigned a = use_gpr(j, in->a), d = def_gpr_apart(j, v), t = temp_gpr(j), k = temp_gpr(j);
		x_mov_rr(&j->c, w, d, a);
		x_room(&j->c);
		if (w || d & 8)
			x_byte(&j->c, 0x40 | (w ? 8 : 0) | (d >> 3 & 1));
		x_byte(&j->c, 0x0f);
		x_byte(&j->c, 0xc8 | (d & 7));
		u64 ones = w ? ~0ull : 0xffffffff;
		mask_step(j, w, d, t, k, 0x0f0f0f0f0f0f0f0full & ones, 4);
		mask_step(j, w, d, t, k, 0x3333333333333333ull & ones, 2);
		mask_step(j, w, d, t, k, 0x5555555555555555ull & ones, 1);
	}
	}
	zero_upper(j, v, in->type);
	return true;
}

static void extract(struct jit *j, const struct ir_insn *in, u32 v)
{
	unsigned pos = in->b, len = in->c, bits = ir_bits(in->type);
	bool sign = in->op == IR_EXTRACTS;
	u32 w = width_of(in->type);
	unsigned a = use_gpr(j, in->a);
	if (pos == 0 && (len == 8 || len == 16 || len == 32)) {
		unsigned d = def_gpr(j, v);
		widen_in_place(j, len == 8 ? TY_I8 : len == 16 ? TY_I16 : TY_I32, d, a, sign);
		if (sign && bits == 32)
			x_mov_rr(&j->c, 0, d, d);
		j->val[v].flags |= sign && bits < 32 ? 0 : !sign || bits == 32 ? VF_ZERO_UPPER : 0;
		return;
	}
	if (!sign && pos + len < 32 + (w ? 32 : 0) && !(pos == 0 && len < 32)) {
		unsigned t = temp_gpr(j), d = def_gpr(j, v);
		flags_clobber(j);
		x_mov_ri(&j->c, t, pos | len << 8);
		x_vrr(&j->c, w | X_BEXTR, d, t, a);
	} else {
		unsigned d = def_gpr(j, v);
		flags_clobber(j);
		unsigned word = w ? 64 : 32;
		if (d != a)
			x_mov_rr(&j->c, w, d, a);
		if (!sign && pos == 0 && len < 32) {
			x_alu_ri(&j->c, X_AND, w, d, (i32)((1u << len) - 1));
		} else {
			if (word - pos - len)
				x_shift_ri(&j->c, 4, w, d, word - pos - len);
			if (word - len)
				x_shift_ri(&j->c, sign ? 7 : 5, w, d, word - len);
		}
	}
	zero_upper(j, v, in->type);
	if (!sign)
		j->val[v].flags |= VF_ZERO_UPPER;
}

static void deposit(struct jit *j, const struct ir_insn *in, u32 v)
{
	unsigned pos = in->imm & 0xff, len = in->imm >> 8 & 0xff;
	u32 w = width_of(in->type);
	u64 mask = (len >= 64 ? ~0ull : BITS(len)) << pos;
	flags_clobber(j);
	unsigned a = use_gpr(j, in->a), b = use_gpr(j, in->b), t = temp_gpr(j), d = def_gpr_apart(j, v);
	x_mov_ri(&j->c, t, w ? mask : (u32)mask);
	x_vrr(&j->c, w | X_ANDN, d, t, a);
	x_vrr(&j->c, w | X_PDEP, t, b, t);
	x_rr(&j->c, w | X_ALU(X_OR), d, t);
	zero_upper(j, v, in->type);
}

static void funnel(struct jit *j, const struct ir_insn *in, u32 v)
{
	u32 w = width_of(in->type);
	flags_clobber(j);
	unsigned a = use_gpr(j, in->a), b = use_gpr(j, in->b), d = def_gpr_apart(j, v);
	x_mov_rr(&j->c, w, d, b);
	if (in->imm) {
		x_rr(&j->c, w | MAP0F | 0xac, a, d); /* shrd d, a, imm */
		x_byte(&j->c, in->imm);
	}
	zero_upper(j, v, in->type);
}

static void select_xmm(struct jit *j, const struct ir_insn *in, u32 v)
{
	unsigned b = use_xmm(j, in->b), c = use_xmm(j, in->c);
	struct cc cc = cc_of(j, in->a);
	b = use_xmm(j, in->b), c = use_xmm(j, in->c);
	unsigned d = def_xmm_apart(j, v);
	u8 *skip[2] = { 0 };
	x_vrr(&j->c, V_MOVAPS, d, 0, b);
	if (cc.two == 1) {
		u8 *no = x_jcc8(&j->c, cc.a ^ 1);
		skip[0] = x_jcc8(&j->c, cc.b);
		x_patch8(&j->c, no);
	} else {
		skip[0] = x_jcc8(&j->c, cc.a);
		if (cc.two)
			skip[1] = x_jcc8(&j->c, cc.b);
	}
	x_vrr(&j->c, V_MOVAPS, d, 0, c);
	for (unsigned i = 0; i < 2; i++)
		if (skip[i])
			x_patch8(&j->c, skip[i]);
}

static bool select_op(struct jit *j, const struct ir_insn *in, u32 v)
{
	if (in->type == TY_FLAGS)
		return lower_flags(j, in, v);
	if (!is_gpr(in->type))
		return select_xmm(j, in, v), true;
	u32 w = width_of(in->type);
	u32 yes = in->b, no = in->c;
	unsigned b = use_gpr(j, yes), c = use_gpr(j, no);
	struct cc cc = cc_of(j, in->a);
	if (cc.two == 2) { /* not (!a and !b) */
		u32 t = yes;
		yes = no, no = t;
		cc = cc_not(cc);
	}
	b = use_gpr(j, yes), c = use_gpr(j, no);
	unsigned d = def_gpr(j, v);
	bool narrow_copy = in->type == TY_I32;
	if (cc.two) {
		if (d == c) { /* cannot start with yes */
			unsigned t = temp_gpr(j);
			x_mov_rr(&j->c, OPW, t, c);
			c = t;
		}
		if (d != b)
			x_mov_rr(&j->c, w, d, b);
		x_rr(&j->c, w | X_CMOV(cc.a ^ 1), d, c);
		x_rr(&j->c, w | X_CMOV(cc.b ^ 1), d, c);
	} else if (d == b) {
		x_rr(&j->c, w | X_CMOV(cc.a ^ 1), d, c);
	} else {
		if (d != c)
			x_mov_rr(&j->c, w, d, c);
		x_rr(&j->c, w | X_CMOV(cc.a), d, b);
	}
	zero_upper(j, v, in->type);
	if (!narrow_copy && in->type == TY_I1)
		j->val[v].flags &= ~VF_ZERO_UPPER;
	return true;
}

static bool convert(struct jit *j, const struct ir_insn *in, u32 v)
{
	enum ir_type from = j->r->insn[in->a].type;
	struct val *s = &j->val[in->a];
	struct x64_mem m;
	if (!is_gpr(from) || !is_gpr(in->type))
		return false;
	if (in->op == IR_TRUNC) {
		if (s->at != AT_CC && s->at != AT_USE && alias(j, v, in->a)) {
			j->val[v].flags &= ~VF_ZERO_UPPER;
			return true;
		}
		if (lazy_part(j, in, v))
			return true;
		unsigned a = use_gpr(j, in->a);
		if (alias(j, v, in->a)) {
			j->val[v].flags &= ~VF_ZERO_UPPER;
			return true;
		}
		unsigned d = def_gpr(j, v);
		x_mov_rr(&j->c, in->type == TY_I32 ? 0 : OPW, d, a);
		zero_upper(j, v, in->type);
		return true;
	}
	if (in->op == IR_ZEXT) {
		if (from == TY_I1 && (s->at == AT_CC || s->at == AT_USE)) {
			struct cc cc = cc_of(j, in->a);
			unsigned d = def_gpr(j, v);
			setcc(j, cc, d);
			j->val[v].flags |= VF_ZERO_UPPER;
			return true;
		}
		if (from != TY_I1 && in_memory(j, in->a, &m)) {
			unsigned d = def_gpr(j, v);
			x_rm(&j->c, from == TY_I8 ? X_MOVZX8 : from == TY_I16 ? X_MOVZX16 : X_MOV_LOAD, d, m);
			j->val[v].flags |= VF_ZERO_UPPER;
			return true;
		}
		unsigned a = use_gpr(j, in->a);
		if (s->flags & VF_ZERO_UPPER && alias(j, v, in->a)) {
			j->val[v].flags |= VF_ZERO_UPPER;
			return true;
		}
		unsigned d = def_gpr(j, v);
		if (from == TY_I1) {
			flags_clobber(j);
			x_mov_rr(&j->c, 0, d, a);
			x_alu_ri(&j->c, X_AND, 0, d, 1);
		} else {
			widen_in_place(j, from, d, a, false);
		}
		j->val[v].flags |= VF_ZERO_UPPER;
		return true;
	}
	unsigned a = use_gpr(j, in->a), d = def_gpr(j, v);
	if (from == TY_I1) {
		flags_clobber(j);
		x_mov_rr(&j->c, 0, d, a);
		x_alu_ri(&j->c, X_AND, 0, d, 1);
		x_group3(&j->c, 3, OPW, d);
	} else {
		widen_in_place(j, from, d, a, true);
	}
	if (in->type == TY_I32)
		x_mov_rr(&j->c, 0, d, d);
	zero_upper(j, v, in->type);
	return true;
}

/* An f80 lies in the low ten bytes of an XMM register: the significand first. */
static bool f80_parts(struct jit *j, const struct ir_insn *in, u32 v)
{
	enum { SIGN_EXPONENT = 4 };
	if (in->op == IR_PAIR) {
		unsigned a = use_gpr(j, in->a), b = use_gpr(j, in->b), d = def_xmm(j, v);
		x_vrr(&j->c, OPW | V_MOVD_LOAD, d, 0, a);
		x_vrri(&j->c, V_PINSRW, d, d, b, SIGN_EXPONENT);
		return true;
	}
	unsigned a = use_xmm(j, in->a), d = def_gpr(j, v);
	if (in->op == IR_LO)
		x_vrr(&j->c, OPW | V_MOVD_STORE, a, 0, d);
	else
		x_vrri(&j->c, V_PEXTRW, a, 0, d, SIGN_EXPONENT);
	return true;
}

static bool pair_ops(struct jit *j, const struct ir_insn *in, u32 v)
{
	enum ir_type from = j->r->insn[in->a].type;
	if (in->type == TY_F80 || from == TY_F80)
		return f80_parts(j, in, v);
	if (in->op == IR_PAIR && in->type == TY_I128) {
		unsigned a = use_gpr(j, in->a), b = use_gpr(j, in->b), d = def_xmm(j, v);
		x_vrr(&j->c, OPW | V_MOVD_LOAD, d, 0, a);
		x_vrr(&j->c, OPW | V_PINSRD, d, d, b);
		x_byte(&j->c, 1);
		return true;
	}
	if (in->op == IR_PAIR && in->type == TY_I64) {
		flags_clobber(j);
		unsigned a = use_gpr(j, in->a), b = use_gpr(j, in->b), d = def_gpr_apart(j, v),
			 t = temp_gpr(j);
		x_mov_rr(&j->c, OPW, d, b);
		x_shift_ri(&j->c, 4, OPW, d, 32);
		x_mov_rr(&j->c, 0, t, a);
		x_rr(&j->c, OPW | X_ALU(X_OR), d, t);
		return true;
	}
	if (from == TY_I128 && in->type == TY_I64) {
		unsigned a = use_xmm(j, in->a), d = def_gpr(j, v);
		if (in->op == IR_LO) {
			x_vrr(&j->c, OPW | V_MOVD_STORE, a, 0, d);
		} else {
			x_vrr(&j->c, OPW | V_PEXTRD, a, 0, d);
			x_byte(&j->c, 1);
		}
		return true;
	}
	if (from == TY_I64 && in->type == TY_I32) {
		unsigned a = use_gpr(j, in->a), d = def_gpr(j, v);
		if (in->op == IR_LO) {
			x_mov_rr(&j->c, 0, d, a);
		} else {
			flags_clobber(j);
			if (d != a)
				x_mov_rr(&j->c, OPW, d, a);
			x_shift_ri(&j->c, 5, OPW, d, 32);
		}
		j->val[v].flags |= VF_ZERO_UPPER;
		return true;
	}
	return false;
}

static bool unary(struct jit *j, const struct ir_insn *in, u32 v)
{
	u32 w = width_of(in->type);
	if (in->op == IR_ABS) {
		if (in->type < TY_I32)
			return false;
		flags_clobber(j);
		unsigned a = use_gpr(j, in->a), d = def_gpr_apart(j, v);
		x_mov_rr(&j->c, w, d, a);
		x_group3(&j->c, 3, w, d);
		x_rr(&j->c, w | X_CMOV(XC_S), d, a);
	} else {
		if (in->op == IR_NEG)
			flags_clobber(j);
		unsigned a = use_gpr(j, in->a), d = def_gpr(j, v);
		if (d != a)
			x_mov_rr(&j->c, w, d, a);
		x_group3(&j->c, in->op == IR_NOT ? 2 : 3, w, d);
	}
	zero_upper(j, v, in->type);
	return true;
}

static bool crc(struct jit *j, const struct ir_insn *in, u32 v)
{
	static const u32 op[] = { [TY_I8] = OPB | PF2 | MAP38 | 0xf0,
				  [TY_I16] = PF2 | MAP38 | 0xf1,
				  [TY_I32] = PF2 | MAP38 | 0xf1,
				  [TY_I64] = OPW | PF2 | MAP38 | 0xf1 };
	enum ir_type type = j->r->insn[in->b].type;
	if (!in->imm || !is_gpr(type))
		return false;
	unsigned a = use_gpr(j, in->a), b = use_gpr(j, in->b), d = def_gpr(j, v);
	unsigned to = d == b && d != a ? temp_gpr(j) : d;
	if (to != a)
		x_mov_rr(&j->c, 0, to, a);
	if (type == TY_I16)
		x_byte(&j->c, 0x66);
	x_rr(&j->c, op[type], to, b);
	if (to != d)
		x_mov_rr(&j->c, 0, d, to);
	j->val[v].flags |= VF_ZERO_UPPER;
	return true;
}

bool lower_int(struct jit *j, const struct ir_insn *in, u32 v)
{
	if (in->type == TY_FLAGS || in->op == IR_FLBITS)
		return lower_flags(j, in, v);
	switch (in->op) {
	case IR_COND:
		if (j->val[v].flags & VF_LATER)
			use_later(j, v);
		else
			cc_now(j, v, (use_later(j, v), cc_of(j, v)));
		return true;
	case IR_EQ:
	case IR_NE:
	case IR_LTU:
	case IR_LTS:
	case IR_LEU:
	case IR_LES:
		if (!is_gpr(j->r->insn[in->a].type))
			return false;
		/* fall through */
	case IR_FEQ:
	case IR_FLT:
	case IR_FLE:
	case IR_FUNORD:
		if (in->op >= IR_FEQ && !fp_compared(j, j->r->insn[in->a].type))
			return false;
		use_later(j, v);
		if (!(j->val[v].flags & VF_LATER)) {
			struct cc cc = cc_of(j, v);
			cc_now(j, v, cc);
		}
		return true;
	case IR_SELECT:
		return select_op(j, in, v);
	case IR_ZEXT:
	case IR_SEXT:
	case IR_TRUNC:
		return convert(j, in, v);
	case IR_PAIR:
	case IR_LO:
	case IR_HI:
		return pair_ops(j, in, v);
	case IR_MULWU:
	case IR_MULWS:
	case IR_MULHU:
	case IR_MULHS:
		return !ir_is_vector(in->type) && multiply_high(j, in, v);
	case IR_COPY:
		if (alias(j, v, in->a))
			return true;
		if (is_gpr(in->type)) {
			unsigned a = use_gpr(j, in->a);
			x_mov_rr(&j->c, OPW, def_gpr(j, v), a);
		} else {
			unsigned a = use_xmm(j, in->a);
			x_vrr(&j->c, V_MOVAPS, def_xmm(j, v), 0, a);
		}
		return true;
	}
	if (!is_gpr(in->type))
		return false;
	switch (in->op) {
	case IR_ADD:
		if (!by_lea(j, in, v))
			alu(j, in, v, X_ADD, true);
		return true;
	case IR_SUB:
		if (!by_lea(j, in, v))
			alu(j, in, v, X_SUB, false);
		return true;
	case IR_ADC:
	case IR_SBC:
		return in->type >= TY_I32 && (carry_op(j, in, v), true);
	case IR_AND:
		return and_op(j, in, v), true;
	case IR_OR:
		return alu(j, in, v, X_OR, true), true;
	case IR_XOR:
		return alu(j, in, v, X_XOR, true), true;
	case IR_ANDN: {
		bool wanted = prepare_flags(j, v, in->type);
		unsigned a = use_gpr(j, in->a), b = use_gpr(j, in->b), d = def_gpr(j, v);
		x_vrr(&j->c, width_of(in->type) | X_ANDN, d, b, a);
		zero_upper(j, v, in->type);
		if (wanted) /* CF and OF are clear, SF and ZF as they should be */
			flags_left(j, v, true, FK_ADD);
		return true;
	}
	case IR_NOT:
	case IR_NEG:
	case IR_ABS:
		return unary(j, in, v);
	case IR_SHL:
	case IR_SHR:
	case IR_SAR:
		return shift(j, in, v);
	case IR_ROTR:
		return rotate(j, in, v);
	case IR_FUNNEL:
		return in->type >= TY_I32 && (funnel(j, in, v), true);
	case IR_MUL:
		return multiply(j, in, v);
	case IR_DIVU:
	case IR_DIVS:
	case IR_REMU:
	case IR_REMS:
		return divide(j, in, v);
	case IR_MINU:
	case IR_MINS:
	case IR_MAXU:
	case IR_MAXS:
		return minmax(j, in, v);
	case IR_CLZ:
	case IR_CTZ:
	case IR_CLS:
	case IR_POPCNT:
	case IR_BSWAP:
	case IR_BITREV:
		return bit_count(j, in, v);
	case IR_EXTRACTU:
	case IR_EXTRACTS:
		extract(j, in, v);
		return true;
	case IR_DEPOSIT:
		deposit(j, in, v);
		return true;
	case IR_PDEP:
	case IR_PEXT: {
		if (ir_is_vector(in->type) || in->type < TY_I32)
			return false;
		unsigned a = use_gpr(j, in->a), b = use_gpr(j, in->b), d = def_gpr(j, v);
		x_vrr(&j->c, width_of(in->type) | (in->op == IR_PDEP ? X_PDEP : X_PEXT), d, a, b);
		zero_upper(j, v, in->type);
		return true;
	}
	case IR_CRC32:
		return crc(j, in, v);
	}
	return false;
}
