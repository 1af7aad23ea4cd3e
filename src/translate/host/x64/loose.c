/*
 * NaNs that nobody looks at. Where a guest has one NaN only (RISC-V), a result that goes into arithmetic and comparisons alone may be any quiet NaN: it is
 * "loose", and not tested. A slot may hold such a number while nothing in the region reads its bits; where the region is left, by a jump, an event or a fault,
 * the slots that are loose there are mended: a NaN becomes the default one. So they are where ways meet of which one brings a number that was not computed
 * here, and may be any NaN rightly: slots without a home are loose on no such way.
 *
 * Which results: those whose bits no way through the region reads, by slots (backwards). Which slots may be loose where: forwards. Only f64, slots below 64,
 * and regions that leave in ways known here: of user mode, not counting.
 */
#include "translate/host/x64/fp.h"
#include "translate/ir/passes.h"

/* ---- which ---- */

/* Does nothing that the operation gives, or raises, depend on which quiet NaN an operand is? */
static bool tolerates(enum ir_op op)
{
	switch (op) {
	case IR_FADD ... IR_FSQRT:
	case IR_FMA:
	case IR_FMIN:
	case IR_FMAX:
	case IR_FCVT:
	case IR_FTOI:
	case IR_FTOU:
	case IR_FEQ ... IR_FUNORD:
	case IR_UNRAISE:
	case IR_SET: /* by slots */
		return true;
	default:
		return false;
	}
}
_Static_assert(IR_FSQRT - IR_FADD == 4 && IR_FUNORD - IR_FEQ == 3,
	       "add, sub, mul, div, sqrt; eq, lt, le, unord");

static bool may_be_loose(const struct ir_insn *in)
{
	return in->op >= IR_FADD && in->op <= IR_FSQRT && in->type == TY_F64 && !(in->imm & 0xff);
}

/* Is a NaN that it gives the default one, or loose? */
static bool computes(const struct ir_insn *in)
{
	return ir_has(in->op, IR_F_FLOAT) && in->type == TY_F64;
}

static u64 slot_bit(const struct jit *j, u64 slot)
{
	return slot < 64 && slot < j->r->n_slot && j->r->slot[slot].type == TY_F64 ? BIT(slot) : 0;
}

bool slots_reached(enum ir_op op)
{
	return op == IR_CALL || op == IR_CLEAN || op == IR_GETX || op == IR_SETX;
}

/* The values whose bits an operation reads, and whether there are any that may be loose. What is copied to another slot counts as read. */
static bool find_readers(struct jit *j)
{
	bool any = false;
	for (u32 o = 0; o < j->n_order; o++) {
		const struct ir_block *b = &j->r->block[j->order[o]];
		for (u32 i = b->first; i < b->first + b->count; i++) {
			const struct ir_insn *in = &j->r->insn[i];
			u32 operand[3] = { in->a, in->b, in->c };
			any |= may_be_loose(in);
			bool plain_set = slot_bit(j, in->imm) && computes(&j->r->insn[in->a]);
			if (tolerates(in->op) && (in->op != IR_SET || plain_set))
				continue;
			for (unsigned k = 0; k < 3; k++)
				if (ir_is_value(in->op, k))
					j->val[operand[k]].flags |= VF_BITS;
		}
	}
	return any;
}

static u64 computed_behind(const struct jit *j, const struct ir_insn *in, u64 computed)
{
	if (slots_reached(in->op))
		return 0;
	if (in->op != IR_SET)
		return computed;
	u64 bit = slot_bit(j, in->imm);
	return computes(&j->r->insn[in->a]) ? computed | bit : computed & ~bit;
}

/* The slots that hold, at the start of each block, what was computed in this region, whatever way leads there. */
static void find_computed_slots(struct jit *j)
{
	for (u32 o = 0; o < j->n_order; o++)
		j->blk[j->order[o]].computed = o ? ~0ull : 0;
	for (bool more = true; more;) {
		more = false;
		for (u32 o = 0; o < j->n_order; o++) {
			const struct ir_block *b = &j->r->block[j->order[o]];
			u64 computed = j->blk[j->order[o]].computed;
			u32 to[2];
			for (u32 i = b->first; i < b->first + b->count; i++)
				computed = computed_behind(j, &j->r->insn[i], computed);
			for (unsigned k = ir_successors(j->r, j->order[o], to); k-- > 0;) {
				more |= j->blk[to[k]].computed & ~computed;
				j->blk[to[k]].computed &= computed;
			}
		}
	}
}

/* The slots whose bits may be read behind the start of a block, given those behind its end. True in *more: it was learnt of a value. */
static u64 read_before(struct jit *j, const struct ir_block *b, u64 read, bool *more)
{
	for (u32 i = b->first + b->count; i-- > b->first;) {
		const struct ir_insn *in = &j->r->insn[i];
		u64 bit = in->op == IR_GET || in->op == IR_SET ? slot_bit(j, in->imm) : 0;
		if (in->op == IR_SET && read & bit && !(j->val[in->a].flags & VF_BITS)) {
			j->val[in->a].flags |= VF_BITS;
			*more = true;
		}
		if (in->op == IR_SET)
			read &= ~bit;
		else if (in->op == IR_GET && j->val[i].flags & VF_BITS)
			read |= bit;
		else if (slots_reached(in->op))
			read = ~0ull;
	}
	return read;
}

static void find_read_slots(struct jit *j)
{
	u64 homes = 0;
	for (unsigned s = 0; s < 64 && s < j->r->n_slot; s++)
		homes |= j->slot_home[s] ? BIT(s) : 0;
	for (bool more = true; more;) {
		more = false;
		for (u32 o = j->n_order; o-- > 0;) {
			const struct ir_block *b = &j->r->block[j->order[o]];
			struct blk *x = &j->blk[j->order[o]];
			u64 read = 0;
			u32 to[2];
			for (unsigned k = ir_successors(j->r, j->order[o], to); k-- > 0;)
				read |= j->blk[to[k]].read;
			read = read_before(j, b, read, &more) | (~x->computed & ~homes);
			more |= read != x->read;
			x->read = read;
		}
	}
}

/* The slots that may be loose behind an instruction, given those before it. */
static u64 loose_behind(struct jit *j, u32 i, u64 loose)
{
	const struct ir_insn *in = &j->r->insn[i];
	if (in->op == IR_GET && loose & slot_bit(j, in->imm))
		j->val[i].flags |= VF_LOOSE;
	if (in->op != IR_SET)
		return loose;
	u64 bit = slot_bit(j, in->imm);
	return j->val[in->a].flags & VF_LOOSE ? loose | bit : loose & ~bit;
}

static void find_loose_slots(struct jit *j)
{
	for (bool more = true; more;) {
		more = false;
		for (u32 o = 0; o < j->n_order; o++) {
			const struct ir_block *b = &j->r->block[j->order[o]];
			u64 loose = j->blk[j->order[o]].loose;
			u32 to[2];
			for (u32 i = b->first; i < b->first + b->count; i++)
				loose = loose_behind(j, i, loose);
			for (unsigned k = ir_successors(j->r, j->order[o], to); k-- > 0;) {
				struct blk *x = &j->blk[to[k]];
				more |= loose & x->computed & ~x->loose;
				x->loose |= loose & x->computed;
			}
		}
	}
}

void choose_loose(struct jit *j)
{
	const struct fp_ctl *f = &j->r->fp;
	if (!f->default_nan || !fp_host_rules(j) || f->flush_in || j->job->link_bits || j->job->counts ||
	    !find_readers(j))
		return;
	find_computed_slots(j);
	find_read_slots(j);
	for (u32 o = 0; o < j->n_order; o++) {
		const struct ir_block *b = &j->r->block[j->order[o]];
		for (u32 i = b->first; i < b->first + b->count; i++)
			if (may_be_loose(&j->r->insn[i]) && !(j->val[i].flags & VF_BITS))
				j->val[i].flags |= VF_LOOSE;
	}
	find_loose_slots(j);
}

void loose_step(struct jit *j, u32 v)
{
	j->loose = loose_behind(j, v, j->loose);
}

/* ---- mending ---- */

/* The register that the slot lies in: its home, or the scratch register. */
static unsigned fetch(struct jit *j, unsigned slot, unsigned scratch)
{
	if (j->slot_home[slot])
		return j->slot_home[slot] - 17;
	x_vrm(&j->c, V_MOVQ_LOAD, scratch, 0, slot_mem(j, slot));
	return scratch;
}

static void test(struct jit *j, unsigned a, unsigned b)
{
	x_vrr(&j->c, P66 | MAP0F | 0x2e, a, 0, b); /* ucomisd: neither is a signalling one */
}

/* Mends these slots one by one. Touches homes, and for slots without XMM12. */
static void mend_each(struct jit *j, u64 slots)
{
	u64 nan = slots ? (u64)fp_default_nan(FP_F64, &j->r->fp) : 0;
	for (; slots; slots &= slots - 1) {
		unsigned slot = (unsigned)__builtin_ctzll(slots), r = fetch(j, slot, XMM_TEMP0);
		x_room(&j->c);
		test(j, r, r);
		u8 *fine = x_jcc8(&j->c, XC_NP);
		v_splat(j, V_MOVQ_LOAD, r, 0, 8, nan, 0);
		if (!j->slot_home[slot])
			x_vrm(&j->c, V_MOVQ_STORE, r, 0, slot_mem(j, slot));
		x_patch8(&j->c, fine);
	}
}

/* Two slots a test. */
static void mend_some(struct jit *j, u64 slots)
{
	j->loose &= ~slots;
	while (slots) {
		u64 some = slots & -slots;
		slots &= slots - 1;
		unsigned a = fetch(j, (unsigned)__builtin_ctzll(some), XMM_TEMP0), b = a;
		if (slots) {
			b = fetch(j, (unsigned)__builtin_ctzll(slots), XMM_TEMP0 + 1);
			some |= slots & -slots;
			slots &= slots - 1;
		}
		test(j, a, b);
		struct cold *c = cold_new(j, COLD_MEND, x_jcc(&j->c, XC_P));
		c->loose = some;
		c->back = j->c.p;
	}
}

void mend(struct jit *j)
{
	mend_some(j, j->loose);
}

void mend_for_ways(struct jit *j, u32 block)
{
	u64 slots = 0;
	u32 to[2];
	for (unsigned k = ir_successors(j->r, block, to); k-- > 0;)
		slots |= j->loose & ~j->blk[to[k]].computed;
	if (!slots)
		return;
	flags_clobber(j);
	mend_some(j, slots);
}

void emit_mend(struct jit *j, const struct cold *c)
{
	mend_each(j, c->loose);
	if (c->kind == COLD_MEND)
		x_patch(x_jmp(&j->c), c->back);
}

/* ---- faults ---- */

/* The number, from 1 on, of the way out that mends the slots that are loose now; 0: none are. */
u32 mend_number(struct jit *j)
{
	u32 i = 0;
	while (i < j->n_mend && j->mend[i].slots != j->loose)
		i++;
	if (!j->loose)
		return 0;
	if (i == j->n_mend) {
		j->mend = grow(j->mend, &j->mend_cap, j->n_mend + 1, sizeof(*j->mend));
		j->mend[j->n_mend++].slots = j->loose;
	}
	return i + 1;
}

void mend_ways_out(struct jit *j)
{
	u32 plain = j->leave ? (u32)(j->leave - j->c.start) : 0;
	for (u32 i = 0; i < j->n_mend; i++) {
		x_room(&j->c);
		x_32(&j->c, 0); /* where lazy_emit puts its table */
		j->mend[i].at = (u32)(j->c.p - j->c.start);
		mend_each(j, j->mend[i].slots);
		leave_by_exit(j);
	}
	for (u32 i = 0; i < j->job->n_site; i++) {
		u32 *leave = &j->job->site[i].leave;
		*leave = *leave ? j->mend[*leave - 1].at : plain;
	}
}
