/* Flags and conditions: which host flags stand for what, when they must be moved away, how they are tested. See jit.h. */
#include "translate/host/x64/fp.h"

struct cc cc_not(struct cc cc)
{
	return (struct cc){ cc.a ^ 1, cc.b ^ 1, cc.two ? 3 - cc.two : 0 };
}

static struct cc one(unsigned a)
{
	return (struct cc){ .a = a };
}

static struct cc both(unsigned a, unsigned b)
{
	return (struct cc){ a, b, 1 };
}

/* After ucomis (less C, equal Z, unordered Z P C): the guest's less N, equal ZC, greater C, unordered CV. */
static struct cc map_fcmp(enum ir_cc cc)
{
	switch (cc) {
	case CC_EQ:
		return both(XC_E, XC_NP);
	case CC_NE:
		return cc_not(both(XC_E, XC_NP));
	case CC_CC:
	case CC_MI:
		return both(XC_B, XC_NP);
	case CC_CS:
	case CC_PL:
		return cc_not(both(XC_B, XC_NP));
	case CC_VS:
		return one(XC_P);
	case CC_VC:
		return one(XC_NP);
	case CC_A:
		return both(XC_B, XC_NP);
	case CC_BE:
		return cc_not(both(XC_B, XC_NP));
	case CC_P:
		return both(XC_E, XC_NE);
	case CC_NP:
		return cc_not(both(XC_E, XC_NE));
	case CC_HI:
		return cc_not(both(XC_BE, XC_NP));
	case CC_LS:
		return both(XC_BE, XC_NP);
	case CC_GE:
		return one(XC_AE);
	case CC_LT:
		return one(XC_B);
	case CC_GT:
		return one(XC_A);
	default:
		return one(XC_BE);
	}
}

/* The host's condition for a guest's, when the flags stand as kind says. */
static struct cc map_cc(enum fkind kind, enum ir_cc cc)
{
	static const u8 same[CC_COUNT] = { XC_E,  XC_NE, XC_B, XC_AE, XC_S, XC_NS, XC_O,  XC_NO, XC_A, XC_BE,
					   XC_GE, XC_L,	 XC_G, XC_LE, 0,    XC_A,  XC_BE, XC_P,	 XC_NP };
	if (cc == CC_AL)
		return cc_not(both(XC_E, XC_NE));
	if (kind == FK_FCMP)
		return map_fcmp(cc);
	if (kind == FK_SUB) { /* CF = !C */
		switch (cc) {
		case CC_CS:
			return one(XC_AE);
		case CC_CC:
			return one(XC_B);
		case CC_A:
			return both(XC_B, XC_NE);
		case CC_BE:
			return cc_not(both(XC_B, XC_NE));
		default:
			return one(same[cc]);
		}
	}
	if (cc == CC_HI)
		return both(XC_B, XC_NE);
	if (cc == CC_LS)
		return cc_not(both(XC_B, XC_NE));
	return one(same[cc]);
}

static void ef_drop(struct jit *j, u32 v)
{
	for (u32 i = 0; i < j->n_ef; i++)
		if (j->ef[i] == v)
			j->ef[i] = j->ef[--j->n_ef];
}

static void ef_add(struct jit *j, u32 v)
{
	ef_drop(j, v);
	if (j->n_ef == LEN(j->ef))
		flags_clobber(j);
	j->ef[j->n_ef++] = v;
}

void flags_now(struct jit *j, u32 v, enum fkind kind)
{
	ef_add(j, v);
	put_at(j, v, AT_FLAGS);
	j->val[v].fkind = kind | (j->val[v].fkind & 0x80);
}

void cc_now(struct jit *j, u32 v, struct cc cc)
{
	ef_add(j, v);
	put_at(j, v, AT_CC);
	j->val[v].cc = cc;
}

void use_later(struct jit *j, u32 v)
{
	put_at(j, v, AT_USE);
}

void setcc(struct jit *j, struct cc cc, unsigned reg)
{
	x_rr(&j->c, X_SETCC(cc.a), 0, reg);
	x_rr(&j->c, X_MOVZX8 | OPB, reg, reg);
	if (cc.two) { /* by a, then corrected by b, without touching the flags */
		u8 *skip = x_jcc8(&j->c, cc.two == 1 ? cc.b : cc.b ^ 1);
		x_mov_ri(&j->c, reg, cc.two == 1 ? 0 : 1);
		x_patch8(&j->c, skip);
	}
}

static void copy32(struct jit *j, struct x64_mem from, struct x64_mem to)
{
	unsigned r = temp_gpr(j);
	x_rm(&j->c, X_MOV_LOAD, r, from);
	x_rm(&j->c, X_MOV_STORE, r, to);
	j->lock_gpr &= ~BIT(r);
}

/* RAX for a moment, whatever is there: an operand of the current instruction is put aside and comes back. Leaves the flags alone. */
static bool borrow_rax(struct jit *j)
{
	if (j->lock_gpr & BIT(RAX)) {
		x_rm(&j->c, OPW | X_MOV_STORE, RAX, CPU(scratch[4]));
		return true;
	}
	take_gpr(j, RAX);
	return false;
}

static void return_rax(struct jit *j, bool lent)
{
	if (lent)
		x_rm(&j->c, OPW | X_MOV_LOAD, RAX, CPU(scratch[4]));
	else
		j->lock_gpr &= ~BIT(RAX);
}

void flags_store(struct jit *j, u32 v, struct x64_mem to)
{
	struct val *x = &j->val[v];
	const struct ir_insn *in = &j->r->insn[v];
	u64 k;
	if (x->at == AT_FLMEM) {
		copy32(j, frame_mem(x->frame), to);
		return;
	}
	if (x->at == AT_SLOT) {
		copy32(j, slot_mem(j, x->slot), to);
		return;
	}
	if (in->op == IR_FLPACK && x->at == AT_USE) {
		if (const_of(j, in->a, &k)) {
			x_rm(&j->c, 0xc7, 0, to);
			x_32(&j->c, k & 0xfc000000);
		} else { /* the bits below 26 must be clear: without touching the flags */
			unsigned s = use_gpr(j, in->a), r = temp_gpr(j);
			x_vrr(&j->c, X_RORX, r, 0, s);
			x_byte(&j->c, 26);
			unsigned mask = temp_gpr(j);
			x_mov_ri(&j->c, mask, 0x3f);
			x_vrr(&j->c, X_PEXT, r, r, mask);
			x_vrr(&j->c, X_RORX, r, 0, r);
			x_byte(&j->c, 6);
			x_rm(&j->c, X_MOV_STORE, r, to);
			j->lock_gpr &= ~(BIT(r) | BIT(mask));
		}
		return;
	}
	flags_load(j, v);
	bool lent = borrow_rax(j);
	x_room(&j->c);
	x_byte(&j->c, 0x9f); /* lahf */
	x_byte(&j->c, 0x0f); /* seto al */
	x_byte(&j->c, 0x90 | XC_O);
	x_byte(&j->c, 0xc0);
	unsigned kind = x->fkind & 3;
	if (kind) /* AL being 0 or 1; leaves the flags alone */
		x_lea(&j->c, 0, RAX, x_mem(RAX, (i32)(kind << STORED_KIND)));
	x_rm(&j->c, X_MOV_STORE, RAX, to); /* one store, for one load to be served from */
	return_rax(j, lent);
}

static void move_away(struct jit *j, u32 v)
{
	struct val *x = &j->val[v];
	if (x->at == AT_CC) {
		u32 locked = j->lock_gpr;
		struct cc cc = x->cc;
		unsigned r = temp_gpr(j);
		setcc(j, cc, r);
		x->at = AT_GPR;
		x->reg = r;
		x->flags |= VF_ZERO_UPPER;
		j->gpr[r] = v;
		j->lock_gpr = locked;
	} else if (x->fkind & 0x80 || x->flags & VF_RESULT) {
		x->at = AT_USE;
	} else {
		if (x->frame < 0) {
			int frame = frame_new(j);
			flags_store(j, v, frame_mem(frame));
			x->frame = frame;
		}
		x->at = AT_FLMEM;
	}
}

bool flags_needed(const struct jit *j)
{
	for (u32 i = 0; i < j->n_ef; i++)
		if ((j->val[j->ef[i]].at == AT_FLAGS || j->val[j->ef[i]].at == AT_CC) &&
		    j->val[j->ef[i]].last > j->now)
			return true;
	return false;
}

void flags_clobber(struct jit *j)
{
	for (u32 i = 0; i < j->n_ef; i++) {
		u32 v = j->ef[i];
		struct val *x = &j->val[v];
		if ((x->at == AT_FLAGS || x->at == AT_CC) && x->last > j->now)
			move_away(j, v);
		else if (x->at == AT_FLAGS || x->at == AT_CC)
			x->at = AT_NONE;
	}
	j->n_ef = 0;
	j->compared = 0;
}

static u32 width(const struct jit *j, u32 v)
{
	return j->r->insn[v].type == TY_I64 ? OPW : 0;
}

static bool imm32(struct jit *j, u32 v, u32 w, i32 *ret_imm)
{
	u64 k;
	if (!const_of(j, v, &k) || j->val[v].at == AT_GPR || (i64)(w ? (i64)k : (i32)k) != (i32)k)
		return false;
	*ret_imm = k;
	return true;
}

/* An ALU operation of registers (reg = reg op rm) at a type's own width. */
static u32 sized_alu(enum ir_type type, unsigned op)
{
	return type == TY_I8	? OPB | (op << 3 | 2)
	       : type == TY_I16 ? P66 | X_ALU(op)
	       : type == TY_I64 ? OPW | X_ALU(op)
				: X_ALU(op);
}

unsigned fp_operand(struct jit *j, u32 v)
{
	unsigned x = use_xmm(j, v);
	return j->r->insn[v].type == TY_F16 ? fp_widen_half(j, x) : x;
}

/* cmp a, b at a's width */
static void compare(struct jit *j, u32 a, u32 b)
{
	enum ir_type type = j->r->insn[a].type;
	i32 k;
	struct x64_mem m;
	u32 w = width(j, a);
	if (type == TY_I1) { /* in the top bits of two scratch registers */
		u32 locked = j->lock_gpr;
		unsigned ra = temp_gpr(j), rb;
		x_mov_rr(&j->c, 0, ra, use_gpr(j, a));
		j->lock_gpr = locked | BIT(ra);
		rb = temp_gpr(j);
		x_mov_rr(&j->c, 0, rb, use_gpr(j, b));
		x_shift_ri(&j->c, 4, 0, ra, 31);
		x_shift_ri(&j->c, 4, 0, rb, 31);
		x_rr(&j->c, X_ALU(X_CMP), ra, rb);
		return;
	}
	if (type < TY_I32) {
		unsigned ra = use_gpr(j, a), rb = use_gpr(j, b);
		x_rr(&j->c, sized_alu(type, X_CMP), ra, rb);
		return;
	}
	if (imm32(j, b, w, &k)) {
		if (in_memory(j, a, &m)) {
			x_alu_mi(&j->c, X_CMP, w, m, k);
			return;
		}
		unsigned ra = use_gpr(j, a);
		if (k == 0)
			x_rr(&j->c, w | X_TEST, ra, ra);
		else
			x_alu_ri(&j->c, X_CMP, w, ra, k);
		return;
	}
	if (dies(j, a) && in_memory(j, a, &m) && !in_memory(j, b, &(struct x64_mem){ 0 })) {
		x_rm(&j->c, w | 0x39, use_gpr(j, b), m); /* cmp [a], b */
		return;
	}
	unsigned ra = use_gpr(j, a);
	if (in_memory(j, b, &m))
		x_rm(&j->c, w | X_ALU(X_CMP), ra, m);
	else
		x_rr(&j->c, w | X_ALU(X_CMP), ra, use_gpr(j, b));
}

void carry_in(struct jit *j, u32 c, bool inverted)
{
	struct val *x = &j->val[c];
	const struct ir_insn *in = &j->r->insn[c];
	u64 k;
	if (const_of(j, c, &k)) {
		flags_clobber(j);
		x_room(&j->c);
		x_byte(&j->c, (k & 1) ^ inverted ? 0xf9 : 0xf8); /* stc, clc */
		return;
	}
	if (in->op == IR_COND && x->at == AT_USE && (in->imm == CC_CS || in->imm == CC_CC)) {
		flags_load(j, in->a);
		enum fkind kind = j->val[in->a].fkind & 3;
		if (kind != FK_FCMP) {
			bool cf = (in->imm == CC_CS) == (kind == FK_ADD); /* the condition is CF, else !CF */
			flags_clobber(j);
			if (cf == inverted) {
				x_room(&j->c);
				x_byte(&j->c, 0xf5); /* cmc */
			}
			return;
		}
	}
	unsigned r = use_gpr(j, c);
	flags_clobber(j);
	x_rr(&j->c, MAP0F | 0xba, 4, r); /* bt r, 0 */
	x_byte(&j->c, 0);
	if (inverted) {
		x_room(&j->c);
		x_byte(&j->c, 0xf5);
	}
}

/* Emits what makes the flags of v from its operands; the caller saved what was in the host's flags. */
static void make_flags(struct jit *j, u32 v)
{
	const struct ir_insn *in = &j->r->insn[v];
	enum ir_type type = j->r->insn[in->a].type;
	u32 w = width(j, in->a);
	i32 k;
	switch (in->op) {
	case IR_FLSUB:
		compare(j, in->a, in->b);
		j->compared = v;
		flags_now(j, v, in->imm ? FK_ADD : FK_SUB);
		return;
	case IR_FLADD: {
		unsigned a = use_gpr(j, in->a), t = temp_gpr(j);
		x_mov_rr(&j->c, w, t, a);
		if (type >= TY_I32 && imm32(j, in->b, w, &k))
			x_alu_ri(&j->c, X_ADD, w, t, k);
		else
			x_rr(&j->c, sized_alu(type, X_ADD), t, use_gpr(j, in->b));
		j->lock_gpr &= ~BIT(t);
		flags_now(j, v, FK_ADD);
		return;
	}
	case IR_FLADC:
	case IR_FLSBC: {
		bool sbc = in->op == IR_FLSBC;
		unsigned a = use_gpr(j, in->a), b = use_gpr(j, in->b), t = temp_gpr(j);
		x_mov_rr(&j->c, w, t, a);
		carry_in(j, in->c, sbc && !in->imm);
		x_rr(&j->c, sized_alu(type, sbc ? X_SBB : X_ADC), t, b);
		j->lock_gpr &= ~BIT(t);
		flags_now(j, v, sbc && !in->imm ? FK_SUB : FK_ADD);
		return;
	}
	case IR_FLLOGIC: {
		unsigned a = use_gpr(j, in->a);
		x_rr(&j->c, type == TY_I8 ? 0x84 | OPB : type == TY_I16 ? P66 | X_TEST : w | X_TEST, a, a);
		flags_now(j, v, FK_ADD);
		return;
	}
	case IR_FLFCMP: {
		unsigned a = fp_operand(j, in->a), b = fp_operand(j, in->b);
		u32 op = MAP0F | (in->imm & 1 ? 0x2f : 0x2e) | (type == TY_F64 ? P66 : 0);
		fp_ucomis(j, op, type, a, b);
		flags_now(j, v, in->imm & 2 ? FK_ADD : FK_FCMP); /* x86's own form is as it comes */
		return;
	}
	}
}

/* EAX holds the stored form: into the host's flags, C as CF. */
static void load_eax(struct jit *j, u32 v, bool lent)
{
	to_stub(j, x_call(&j->c), j->job->stubs->flags);
	return_rax(j, lent);
	flags_now(j, v, FK_ADD);
}

void flags_load(struct jit *j, u32 v)
{
	struct val *x = &j->val[v];
	const struct ir_insn *in = &j->r->insn[v];
	u64 k;
	if (x->at == AT_FLAGS)
		return;
	flags_clobber(j);
	if (x->at == AT_FLMEM || x->at == AT_SLOT) {
		bool lent = borrow_rax(j);
		x_rm(&j->c, X_MOV_LOAD, RAX, x->at == AT_SLOT ? slot_mem(j, x->slot) : frame_mem(x->frame));
		if (x->at == AT_SLOT) { /* it stays there; this is a copy */
			u16 slot = x->slot;
			load_eax(j, v, lent);
			flags_at_slot(j, v, slot);
			return;
		}
		load_eax(j, v, lent);
	} else if (x->flags & VF_RESULT) {
		unsigned r = use_gpr(j, x->partner);
		x_rr(&j->c, width(j, x->partner) | X_TEST, r, r);
		flags_now(j, v, in->op == IR_FLSUB || in->op == IR_FLSBC ? FK_SUB : FK_ADD);
	} else if (in->op == IR_FLPACK) {
		unsigned s = const_of(j, in->a, &k) ? 0 : use_gpr(j, in->a);
		bool lent = borrow_rax(j);
		if (const_of(j, in->a, &k)) {
			x_mov_ri(&j->c, RAX, k & 0xfc000000);
		} else {
			x_mov_rr(&j->c, 0, RAX, s);
			x_prefix(&j->c, 0x25, 0, 0, 0); /* and eax, imm32 */
			x_32(&j->c, 0xfc000000);
		}
		load_eax(j, v, lent);
	} else {
		make_flags(j, v);
	}
}

/* Bit v of an EXTRACTU that was left for here; the condition: it is set. */
static struct cc bit_test(struct jit *j, const struct ir_insn *in)
{
	unsigned pos = in->b;
	struct x64_mem m;
	if (in_memory(j, in->a, &m)) {
		m.disp += pos / 8;
		x_rm(&j->c, 0xf6, 0, m); /* test byte, imm8 */
		x_byte(&j->c, 1 << pos % 8);
		return one(XC_NE);
	}
	unsigned r = use_gpr(j, in->a);
	if (pos == 31 || pos == 63) {
		x_rr(&j->c, (pos == 63 ? OPW : 0) | X_TEST, r, r);
		return one(XC_S);
	}
	if (pos < 31) {
		x_rr(&j->c, pos < 8 ? 0xf6 | OPB : 0xf7, 0, r);
		if (pos < 8)
			x_byte(&j->c, 1 << pos);
		else
			x_32(&j->c, 1u << pos);
		return one(XC_NE);
	}
	x_rr(&j->c, OPW | MAP0F | 0xba, 4, r); /* bt r, pos */
	x_byte(&j->c, pos);
	return one(XC_B);
}

/* After ucomis b, a, where b > a and b >= a read well. */
static struct cc float_cc(enum ir_op op)
{
	return op == IR_FEQ   ? both(XC_E, XC_NP)
	       : op == IR_FLT ? one(XC_A)
	       : op == IR_FLE ? one(XC_AE)
			      : one(XC_P);
}

/* The condition of a comparison of integers whose operands were compared as they are, or the other way round. */
static struct cc integer_cc(enum ir_op op, bool turned)
{
	static const u8 straight[] = { XC_E, XC_NE, XC_B, XC_L, XC_BE, XC_LE },
			turned_cc[] = { XC_E, XC_NE, XC_A, XC_G, XC_AE, XC_GE };
	return one((turned ? turned_cc : straight)[op - IR_EQ]);
}

static struct cc compare_cc(struct jit *j, u32 v)
{
	const struct ir_insn *in = &j->r->insn[v];
	if (in->op >= IR_FEQ) {
		bool quiet = in->op == IR_FEQ || in->op == IR_FUNORD;
		unsigned a = fp_operand(j, in->a), b = fp_operand(j, in->b);
		enum ir_type type = j->r->insn[in->a].type;
		u32 op = MAP0F | (quiet ? 0x2e : 0x2f) | (type == TY_F64 ? P66 : 0);
		fp_ucomis(j, op, type, b, a);
		j->compared = v;
		return float_cc(in->op);
	}
	if (j->val[in->a].at == AT_USE && j->r->insn[in->a].op == IR_EXTRACTU) {
		struct cc set = bit_test(j, &j->r->insn[in->a]);
		return in->op == IR_NE ? set : cc_not(set);
	}
	i32 k;
	bool turned = j->r->insn[in->a].type >= TY_I32 && imm32(j, in->a, width(j, in->a), &k) &&
		      j->r->insn[in->b].op != IR_CONST;
	compare(j, turned ? in->b : in->a, turned ? in->a : in->b);
	return integer_cc(in->op, turned);
}

static bool is_condition(const struct jit *j, u32 v)
{
	return (j->val[v].at == AT_CC || j->val[v].at == AT_USE) && j->r->insn[v].type == TY_I1;
}

void conditions_to_gpr(struct jit *j, const struct ir_insn *in)
{
	unsigned values = ir_op_info[in->op].values;
	u32 operand[3] = { values & 1 ? in->a : 0, values & 2 ? in->b : 0, values & 4 ? in->c : 0 };
	if (!is_condition(j, operand[0]) && !is_condition(j, operand[1]) && !is_condition(j, operand[2]))
		return;
	u32 locked = j->lock_gpr;
	for (unsigned i = 0; i < 6; i++) { /* what is in the flags first: computing the others destroys it */
		u32 v = operand[i % 3];
		if (is_condition(j, v) && j->val[v].at == (i < 3 ? AT_CC : AT_USE))
			use_gpr(j, v);
	}
	j->lock_gpr = locked;
}

static bool same_number(struct jit *j, u32 a, u32 b)
{
	u64 ka, kb;
	return a == b || (const_of(j, a, &ka) && const_of(j, b, &kb) && ka == kb);
}

/* Do the host's flags stand as a comparison of integers wants them, because its operands were compared for the guest's flags? */
static bool compared_already(struct jit *j, const struct ir_insn *in, struct cc *ret)
{
	if (!j->compared || in->op < IR_EQ || in->op >= IR_FEQ)
		return false;
	const struct ir_insn *flags = &j->r->insn[j->compared];
	if (flags->op != IR_FLSUB)
		return false;
	bool as_is = same_number(j, in->a, flags->a) && same_number(j, in->b, flags->b);
	if (!as_is && !(same_number(j, in->a, flags->b) && same_number(j, in->b, flags->a)))
		return false;
	*ret = integer_cc(in->op, !as_is);
	return true;
}

/* A condition of one packed flag that nobody has loaded yet: its bit is tested where it lies. */
static bool packed_flag(struct jit *j, const struct ir_insn *cond, struct cc *ret)
{
	static const u8 bit[] = {
		[CC_EQ >> 1] = 30, [CC_CS >> 1] = 29, [CC_MI >> 1] = 31, [CC_VS >> 1] = 28
	};
	const struct ir_insn *pack = &j->r->insn[cond->a];
	u64 k;
	if (pack->op != IR_FLPACK || j->val[cond->a].at != AT_USE || cond->imm > CC_VC ||
	    const_of(j, pack->a, &k))
		return false;
	use_gpr(j, pack->a);
	flags_clobber(j);
	*ret = bit_test(j, &(struct ir_insn){ .a = pack->a, .b = bit[cond->imm >> 1] });
	if (cond->imm & 1)
		*ret = cc_not(*ret);
	return true;
}

struct cc cc_of(struct jit *j, u32 v)
{
	struct val *x = &j->val[v];
	const struct ir_insn *in = &j->r->insn[v];
	struct cc cc;
	if (x->at == AT_CC)
		return x->cc;
	if (x->at == AT_USE && in->op == IR_COND) {
		if (packed_flag(j, in, &cc))
			return cc;
		flags_load(j, in->a);
		return map_cc(j->val[in->a].fkind & 3, in->imm);
	}
	if (x->at == AT_USE && compared_already(j, in, &cc))
		return cc;
	if (x->at == AT_USE) {
		conditions_to_gpr(j, in);
		flags_clobber(j);
		return compare_cc(j, v);
	}
	if (j->compared == v)
		return float_cc(in->op);
	unsigned r = use_gpr(j, v);
	flags_clobber(j);
	x_rr(&j->c, 0xf6 | OPB, 0, r); /* test r8, 1 */
	x_byte(&j->c, 1);
	return one(XC_NE);
}

/* Jumps to the returned places if cc; NULL where there is none. */
static void jump_if(struct jit *j, struct cc cc, u8 *away[2])
{
	away[0] = away[1] = NULL;
	if (!cc.two) {
		away[0] = x_jcc(&j->c, cc.a);
	} else if (cc.two == 2) {
		away[0] = x_jcc(&j->c, cc.a);
		away[1] = x_jcc(&j->c, cc.b);
	} else {
		u8 *here = x_jcc8(&j->c, cc.a ^ 1);
		away[0] = x_jcc(&j->c, cc.b);
		x_patch8(&j->c, here);
	}
}

/* One conditional compare: cond ? flags of a comparison : a constant. What the comparison reads is brought into registers first. */
static bool select_compare(struct jit *j, const struct ir_insn *in, u32 v)
{
	const struct ir_insn *yes = &j->r->insn[in->b], *no = &j->r->insn[in->c];
	u64 k, c;
	if (j->val[in->b].at != AT_USE || no->op != IR_FLPACK || !const_of(j, no->a, &k))
		return false;
	if (yes->op != IR_FLSUB && yes->op != IR_FLADD)
		return false;
	enum fkind kind = yes->op == IR_FLSUB && !yes->imm ? FK_SUB : FK_ADD;
	bool b_in_register = !const_of(j, yes->b, &c) || (i64)c != (i32)c;
	take_gpr(j, RAX); /* first, lest it drive out what the comparison reads */
	use_gpr(j, yes->a);
	if (b_in_register)
		use_gpr(j, yes->b);
	struct cc cc = cc_of(j, in->a);
	bool narrow = j->r->insn[yes->a].type < TY_I32 || yes->op == IR_FLADD;
	if (narrow) { /* the comparison takes a scratch register: let nobody be spilled on one way only */
		unsigned t = temp_gpr(j), t2 = temp_gpr(j);
		j->lock_gpr &= ~(BIT(t) | BIT(t2));
		cc = cc_of(j, in->a);
	}
	use_gpr(j,
		yes->a); /* moves, if anything: the flags are whole, and from the jump on nothing may move */
	if (b_in_register)
		use_gpr(j, yes->b);
	flags_clobber(j);
	u8 *away[2];
	jump_if(j, cc_not(cc), away);
	make_flags(j, in->b);
	j->compared = 0; /* on one of two ways only */
	ef_drop(j, in->b);
	j->val[in->b].at = AT_USE;
	u8 *done = x_jmp8(&j->c);
	for (unsigned i = 0; i < 2; i++)
		if (away[i])
			x_patch(away[i], j->c.p);
	bool carry = (bool)(k & FL_C) != (kind == FK_SUB), half = (bool)(k & FL_A) != (kind == FK_SUB);
	u32 lahf = (k & FL_N ? 0x80 : 0) | (k & FL_Z ? 0x40 : 0) | (half ? 0x10 : 0) | (k & FL_P ? 4 : 0) |
		   2 | carry;
	x_mov_ri(&j->c, RAX, lahf << 8 | (k & FL_V ? 1 : 0));
	x_room(&j->c);
	x_byte(&j->c, 0x04); /* add al, 0x7f: makes OF, then sahf the others */
	x_byte(&j->c, 0x7f);
	x_byte(&j->c, 0x9e);
	x_patch8(&j->c, done);
	j->lock_gpr &= ~BIT(RAX);
	flags_now(j, v, kind);
	return true;
}

static void select_flags(struct jit *j, const struct ir_insn *in, u32 v)
{
	if (select_compare(j, in, v))
		return;
	int frame[3];
	for (unsigned i = 0; i < 3; i++)
		frame[i] = frame_new(j);
	u32 last = j->val[in->a].last; /* still read below */
	j->val[in->a].last = j->now + 1;
	flags_store(j, in->b, frame_mem(frame[0]));
	flags_store(j, in->c, frame_mem(frame[1]));
	unsigned cond = use_gpr(j, in->a);
	flags_clobber(j);
	j->val[in->a].last = last;
	unsigned t = temp_gpr(j);
	x_rm(&j->c, X_MOV_LOAD, t, frame_mem(frame[0]));
	x_rr(&j->c, 0xf6 | OPB, 0, cond);
	x_byte(&j->c, 1);
	x_rm(&j->c, X_CMOV(XC_E), t, frame_mem(frame[1]));
	x_rm(&j->c, X_MOV_STORE, t, frame_mem(frame[2]));
	j->frame_used &= ~(BIT(frame[0]) | BIT(frame[1]));
	j->lock_gpr &= ~BIT(t);
	put_at(j, v, AT_FLMEM);
	j->val[v].frame = frame[2];
}

/* less N, equal Z C, greater C, unordered C V, from LAHF's CF (8), PF (10), ZF (14) in EAX */
static void bits_of_fcmp(struct jit *j, unsigned dst, unsigned t)
{
	static const struct {
		u32 bits;
		u8 pattern;
	} row[] = { { FL_N, 1 }, { FL_Z | FL_C, 4 }, { FL_C | FL_V, 7 } }; /* ZF PF CF */
	x_mov_ri(&j->c, t, 0x4500);
	x_vrr(&j->c, X_PEXT, t, RAX, t);
	x_mov_ri(&j->c, dst, FL_C); /* greater */
	for (unsigned i = 0; i < LEN(row); i++) {
		x_mov_ri(&j->c, RAX, row[i].bits);
		x_alu_ri(&j->c, X_CMP, 0, t, row[i].pattern);
		x_rr(&j->c, X_CMOV(XC_E), dst, RAX);
	}
}

/* Flags in the form of ir.h in a new scratch register. */
static unsigned flags_bits(struct jit *j, u32 f)
{
	u32 locked = j->lock_gpr;
	flags_load(j, f);
	j->lock_gpr = locked;
	enum fkind kind = j->val[f].fkind & 3;
	take_gpr(j, RAX);
	x_room(&j->c);
	x_byte(&j->c, 0x9f); /* lahf */
	x_rr(&j->c, X_SETCC(XC_O), 0, RAX);
	x_rr(&j->c, X_MOVZX16, RAX, RAX);
	flags_clobber(j);
	unsigned t = temp_gpr(j), dst = temp_gpr(j);
	if (kind == FK_FCMP) {
		bits_of_fcmp(j, dst, t);
		j->lock_gpr &= ~(BIT(t) | BIT(RAX));
		return dst;
	}
	x_mov_ri(&j->c, t, 0xc101); /* S Z C O */
	x_vrr(&j->c, X_PEXT, dst, RAX, t);
	x_shift_ri(&j->c, 4, 0, dst, 28);
	x_mov_ri(&j->c, t, 0x0400); /* P */
	x_vrr(&j->c, X_PEXT, t, RAX, t);
	x_shift_ri(&j->c, 4, 0, t, 27);
	x_rr(&j->c, X_ALU(X_OR), dst, t);
	x_mov_ri(&j->c, t, 0x1000); /* A */
	x_vrr(&j->c, X_PEXT, t, RAX, t);
	x_shift_ri(&j->c, 4, 0, t, 26);
	x_rr(&j->c, X_ALU(X_OR), dst, t);
	if (kind == FK_SUB)
		x_alu_ri(&j->c, X_XOR, 0, dst, FL_C | FL_A);
	j->lock_gpr &= ~(BIT(t) | BIT(RAX));
	return dst;
}

static void merge_flags(struct jit *j, const struct ir_insn *in, u32 v)
{
	int frame = frame_new(j);
	u32 last = j->val[in->b].last; /* the same flags may be on both sides */
	j->val[in->b].last = j->now + 1;
	unsigned a = flags_bits(j, in->a);
	j->val[in->b].last = last;
	x_rm(&j->c, X_MOV_STORE, a, frame_mem(frame));
	j->lock_gpr &= ~BIT(a);
	unsigned b = flags_bits(j, in->b);
	flags_clobber(j);
	a = temp_gpr(j);
	x_mov_ri(&j->c, a, ~(u32)in->imm);
	x_rm(&j->c, X_ALU(X_AND), a, frame_mem(frame));
	x_prefix(&j->c, 0x81, 0, 0, b);
	x_byte(&j->c, 0xc0 | X_AND << 3 | (b & 7));
	x_32(&j->c, in->imm);
	x_rr(&j->c, X_ALU(X_OR), a, b);
	x_rm(&j->c, X_MOV_STORE, a, frame_mem(frame));
	put_at(j, v, AT_FLMEM);
	j->val[v].frame = frame;
}

void flags_in_frame(struct jit *j, u32 v, int frame)
{
	put_at(j, v, AT_FLMEM);
	j->val[v].frame = frame;
}

/* Flags that are not made here: of integers that are in no general register, of numbers that the host cannot compare. */
static bool wide_flags(const struct jit *j, const struct ir_insn *in)
{
	enum ir_type type = j->r->insn[in->a].type;
	if (in->op == IR_FLFCMP)
		return !fp_compared(j, type);
	return in->op <= IR_FLLOGIC && in->op >= IR_FLADD && !is_gpr(type);
}

bool lower_flags(struct jit *j, const struct ir_insn *in, u32 v)
{
	struct val *x = &j->val[v];
	if (wide_flags(j, in))
		return false;
	switch (in->op) {
	case IR_FLBITS: {
		unsigned t = flags_bits(j, in->a);
		put_reg(j, v, false, t);
		x->flags |= VF_ZERO_UPPER;
		return true;
	}
	case IR_FLPACK:
		put_at(j, v, AT_USE);
		return true;
	case IR_SELECT:
		select_flags(j, in, v);
		return true;
	case IR_FLMERGE:
		merge_flags(j, in, v);
		return true;
	}
	if (in->op == IR_COPY) {
		int frame = frame_new(j);
		flags_store(j, in->a, frame_mem(frame));
		flags_in_frame(j, v, frame);
		return true;
	}
	if (in->op < IR_FLADD || in->op > IR_FLMERGE)
		return false;
	if (x->flags & VF_LATER) {
		put_at(j, v, AT_USE);
		return true;
	}
	for (u32 i = 0; i < j->n_ef; i++) /* the arithmetic with the same operands left them */
		if (j->ef[i] == v)
			return true;
	if ((in->op == IR_FLADC || in->op == IR_FLSBC) &&
	    j->val[in->c].at == AT_CC) { /* read after they are gone */
		u32 locked = j->lock_gpr;
		use_gpr(j, in->c);
		j->lock_gpr = locked;
	}
	flags_clobber(j);
	make_flags(j, v);
	return true;
}
