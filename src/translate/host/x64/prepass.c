/*
 * Before emission: the order of blocks, where each value is used last, which values are computed only where they are used, which can be
 * computed straight into the home of the slot they are set to, and how flags survive. See jit.h.
 */
#include "translate/host/x64/jit.h"

static const struct ir_insn *end_of(const struct ir_region *r, u32 block)
{
	return &r->insn[r->block[block].first + r->block[block].count - 1];
}

static unsigned successors(const struct ir_insn *end, u32 to[2])
{
	if (end->op == IR_BR) {
		to[0] = end->a;
		return 1;
	}
	if (end->op == IR_BRC) {
		bool likely = end->imm == 1;
		to[0] = likely ? end->b : end->c; /* the one to lay next */
		to[1] = likely ? end->c : end->b;
		return 2;
	}
	return 0;
}

/* Traces: after each block its likelier successor, as long as that has no place yet. */
static void lay_out(struct jit *j)
{
	const struct ir_region *r = j->r;
	u32 *todo = jit_mem(j, (2 * r->n_block + 2) * sizeof(*todo)), n_todo = 1;
	todo[0] = 0;
	j->order = jit_mem(j, (r->n_block + 1) * sizeof(*j->order));
	for (u32 i = 0; i < r->n_block; i++)
		j->blk[i].order = ~0u;
	j->blk[0].preds = 1;
	j->blk[0].pred = ~0u;
	while (n_todo) {
		u32 b = todo[--n_todo];
		while (b != ~0u && j->blk[b].order == ~0u && r->block[b].count) {
			u32 to[2], next = ~0u;
			j->blk[b].order = j->n_order;
			j->order[j->n_order++] = b;
			unsigned n = successors(end_of(r, b), to);
			for (unsigned i = 0; i < n; i++) {
				j->blk[to[i]].preds++;
				j->blk[to[i]].pred = b;
				if (j->blk[to[i]].order == ~0u && next == ~0u &&
				    !(r->block[to[i]].cold && i == 0 && n == 2))
					next = to[i];
				else
					todo[n_todo++] = to[i];
			}
			if (n_todo > 2 * r->n_block)
				break;
			b = next;
		}
	}
}

static void mark_loops(struct jit *j)
{
	const struct ir_region *r = j->r;
	for (u32 o = 0; o < j->n_order; o++) {
		u32 to[2], b = j->order[o];
		for (unsigned n = successors(end_of(r, b), to); n-- > 0;)
			j->blk[to[n]].loop_head |= ir_polls(r, b, to[n]);
	}
}

/* What an operation does to the host's flags; those that are not named leave them alone when they compute vectors, else not. */
enum { BY_KIND, LEAVES, ADDS, SUBTRACTS, LOGIC, ASKS };
static const u8 flag_manners[IR_OP_COUNT] = {
	[IR_NOP] = LEAVES,    [IR_CONST] = LEAVES,  [IR_VCONST] = LEAVES,   [IR_GET] = LEAVES,
	[IR_SET] = LEAVES,    [IR_INSN] = LEAVES,   [IR_COPY] = LEAVES,	    [IR_NOT] = LEAVES,
	[IR_ZEXT] = LEAVES,   [IR_SEXT] = LEAVES,   [IR_TRUNC] = LEAVES,    [IR_LO] = LEAVES,
	[IR_HI] = LEAVES,     [IR_PAIR] = LEAVES,   [IR_CAST] = LEAVES,	    [IR_COND] = LEAVES,
	[IR_LD] = LEAVES,     [IR_ST] = LEAVES,	    [IR_PREFETCH] = LEAVES, [IR_DUP] = LEAVES,
	[IR_VGET] = LEAVES,   [IR_VGETS] = LEAVES,  [IR_VSET] = LEAVES,	    [IR_VLOW] = LEAVES,
	[IR_VZEXT] = LEAVES,  [IR_VTRUNC] = LEAVES, [IR_SHUFFLE] = LEAVES,  [IR_TBL] = LEAVES,
	[IR_VBITS] = LEAVES,  [IR_BSL] = LEAVES,    [IR_BR] = LEAVES,	    [IR_FLPACK] = LEAVES,
	[IR_JUMP] = LEAVES,   [IR_GOSUB] = LEAVES,  [IR_JUMPI] = LEAVES,    [IR_RETURN] = LEAVES,
	[IR_GOSUBI] = LEAVES, [IR_BSWAP] = LEAVES,  [IR_FBOX] = LEAVES,	    [IR_ADD] = ADDS,
	[IR_SHL] = ADDS,      [IR_SHR] = ADDS,	    [IR_SAR] = ADDS,	    [IR_ROTR] = ADDS,
	[IR_SUB] = SUBTRACTS, [IR_AND] = LOGIC,	    [IR_OR] = LOGIC,	    [IR_XOR] = LOGIC,
	[IR_ANDN] = LOGIC,    [IR_SELECT] = ASKS,   [IR_BRC] = ASKS,
};

static inline bool clobbers_flags(const struct ir_insn *insn, const struct ir_insn *in)
{
	switch (flag_manners[in->op]) {
	case LEAVES:
		return false;
	case ADDS:
		return !(in->type >= TY_I32);
	case SUBTRACTS:
		return !(ir_is_vector(in->type) || insn[in->b].op == IR_CONST);
	case LOGIC:
		return !ir_is_vector(in->type);
	case ASKS:
		return insn[in->a].op != IR_COND;
	}
	return !(ir_is_vector(in->type) && ir_has(in->op, IR_F_PURE));
}

static bool is_flag_maker(enum ir_op op)
{
	return op >= IR_FLADD && op <= IR_FLMERGE;
}

static bool is_compare(enum ir_op op)
{
	return op >= IR_EQ && op <= IR_LES; /* not of floats: they raise flags, read or not */
}

/* What a value is used for (val.plan). Of flags, bit n: condition n. */
enum {
	FOR_MORE_THAN_ADDRESSES = 1 << 29,
	FOR_SELECT = 1 << 30, /* flags: chosen by a SELECT */
	FOR_ALL_FLAGS = 1u << 31,
};
_Static_assert(CC_COUNT < 29, "conditions have bits");

/* May the operation be put off until a slot that was set to its result is looked at? */
static bool can_wait(const struct ir_insn *insn, const struct ir_insn *in)
{
	switch (in->op) {
	case IR_SEXT:
	case IR_ZEXT:
		return in->type == TY_I64 && insn[in->a].type == TY_I32;
	case IR_SHL:
	case IR_SHR:
	case IR_SAR:
		return (in->type == TY_I64 || in->type == TY_I32) && insn[in->b].op == IR_CONST &&
		       insn[in->a].op != IR_CONST;
	}
	return false;
}

/* Which values are needed for slots alone, that may be set later, or for others that are. */
static void plan_waits(struct jit *j, u32 end)
{
	const struct ir_insn *insn = j->r->insn;
	struct val *val = j->val;
	for (u32 pos = end; pos-- > 1;) {
		u32 v = j->at[pos];
		const struct ir_insn *in = &insn[v];
		if (in->op == IR_SET && in->imm < j->r->n_slot && j->deferrable[in->imm])
			continue;
		if (can_wait(insn, in) && val[v].uses && !val[v].more &&
		    !(val[v].flags & (VF_MERGE | VF_LATER))) {
			val[v].waits = true;
			if (in->op == IR_SEXT || in->op == IR_ZEXT)
				continue; /* of a shift, perhaps; but a shift of nothing that waits itself */
		}
		const u32 operand[3] = { in->a, in->b, in->c };
		for (unsigned k = 0; k < 3; k++)
			if (ir_op_info[in->op].values >> k & 1)
				val[operand[k]].more = true;
	}
}

static void note_flags_use(struct val *x, const struct ir_insn *in, unsigned k)
{
	x->plan |= in->op == IR_COND ? BIT(in->imm) : (u32)FOR_ALL_FLAGS;
	if (k && in->op == IR_SELECT)
		x->plan |= FOR_SELECT;
}

/* The value x of type `type` is used as operand k. */
static inline void note_use(struct val *x, enum ir_type type, const struct ir_insn *in, unsigned k, u32 pos,
			    u32 root)
{
	x->uses++;
	x->last = pos; /* positions only grow */
	if (k || (in->op != IR_LD && in->op != IR_ST))
		x->plan |= FOR_MORE_THAN_ADDRESSES;
	if (UNLIKELY(x->root != root))
		x->flags |= VF_MERGE;
	if (UNLIKELY(type == TY_FLAGS))
		note_flags_use(x, in, k);
}

/* What an ARGS reads is read by the CALL behind it. */
static void live_until_call(struct jit *j, const struct ir_insn *in, u32 pos)
{
	u32 operand[3] = { in->a, in->b, in->c };
	for (unsigned k = 0; k < 3; k++)
		if (operand[k])
			j->val[operand[k]].last = pos + 1;
}

/* clang-format off */
/* Operations of which plan_one knows something by themselves. */
static const bool has_plan[IR_OP_COUNT] = {
	[IR_FLADD... IR_FLMERGE] = true, [IR_EQ... IR_LES] = true, [IR_COND] = true, [IR_BITREV] = true, [IR_ADD] = true,
	[IR_AND] = true, [IR_AESMC] = true, [IR_AESIMC] = true,
};
/* clang-format on */

/* Gives one block's instructions their positions, from pos on; returns where they end. clobbers, candidates: see count_uses. */
static u32 count_block(struct jit *j, const struct ir_block *b, u32 root, u32 pos, u32 *clobbers,
		       u32 *candidates, u32 *n)
{
	const struct ir_insn *insn =
	    j->r->insn; /* by themselves, here and below: for the compiler a store might change j */
	struct val *val = j->val;
	u32 *at = j->at, n_clobbers = clobbers[pos - 1];
	for (u32 i = b->first, end = i + b->count; i < end; i++) {
		const struct ir_insn *in = &insn[i];
		if (in->op == IR_NOP)
			continue;
		val[i].root = root;
		if (in->op == IR_CONST) /* where it is used */
			continue;
		val[i].pos = pos;
		at[pos] = i;
		clobbers[pos] = n_clobbers += clobbers_flags(insn, in);
		candidates[*n] = i;
		*n += has_plan[in->op];
		unsigned values = ir_op_info[in->op].values;
		if (values & 1 && in->a)
			note_use(&val[in->a], insn[in->a].type, in, 0, pos, root);
		if (values & 2 && in->b)
			note_use(&val[in->b], insn[in->b].type, in, 1, pos, root);
		if (values & 4 && in->c)
			note_use(&val[in->c], insn[in->c].type, in, 2, pos, root);
		if (UNLIKELY(in->op == IR_ARGS))
			live_until_call(j, in, pos);
		pos++;
	}
	return pos;
}

/*
 * Gives instructions their positions, 1 and up; returns how many there are and one. clobbers: by position, how many instructions that may
 * clobber the host's flags come before. candidates: those of which plan_one knows something, *ret_n of them.
 */
static u32 count_uses(struct jit *j, u32 *clobbers, u32 *candidates, u32 *ret_n)
{
	u32 pos = 1;
	clobbers[0] = 0;
	for (u32 o = 0; o < j->n_order; o++) {
		u32 b = j->order[o];
		struct blk *x = &j->blk[b];
		x->root = x->preds == 1 && x->pred != ~0u ? j->blk[x->pred].root : b;
		x->first_pos = pos;
		pos = x->end_pos = count_block(j, &j->r->block[b], x->root, pos, clobbers, candidates, ret_n);
	}
	return j->end_pos = pos;
}

/* The arithmetic whose host instruction makes these flags: just before or behind, with the same operands. */
static u32 find_partner(const struct jit *j, u32 f)
{
	static const u8 twin[][2] = {
		{ IR_FLADD, IR_ADD }, { IR_FLSUB, IR_SUB }, { IR_FLADC, IR_ADC }, { IR_FLSBC, IR_SBC }
	};
	const struct ir_region *r = j->r;
	const struct ir_insn *in = &r->insn[f];
	for (unsigned t = 0; t < LEN(twin); t++) {
		if (in->op != twin[t][0])
			continue;
		for (u32 i = f - MIN(f - 1, 4u); i < f + 4 && i < r->n_insn; i++)
			if (r->insn[i].op == twin[t][1] && r->insn[i].a == in->a && r->insn[i].b == in->b &&
			    r->insn[i].c == in->c && (in->op != IR_FLSBC || r->insn[i].imm == in->imm))
				return i;
	}
	if (in->op == IR_FLLOGIC && (r->insn[in->a].op == IR_AND || r->insn[in->a].op == IR_ANDN) &&
	    f - in->a < 4)
		return in->a;
	return 0;
}

/*
 * Flags right behind the arithmetic that makes them do not read the operands: those may die there. (Flags that are made again later say
 * so themselves.)
 */
static void spare_operands(struct jit *j, u32 f)
{
	const struct ir_insn *in = &j->r->insn[f];
	u32 twin = j->val[f].partner, operand[2] = { in->a, in->b };
	if (twin + 1 != f || !j->val[twin].uses || j->r->insn[twin].type < TY_I32 || in->op == IR_FLLOGIC ||
	    j->val[twin].pos + 1 != j->val[f].pos)
		return;
	for (unsigned i = 0; i < 2; i++)
		if (j->val[operand[i]].last == j->val[f].pos)
			j->val[operand[i]].last = j->val[twin].pos;
}

static void plan_flags(struct jit *j, const u32 *clobbers, u32 f)
{
	struct val *x = &j->val[f];
	const struct ir_insn *in = &j->r->insn[f];
	if (in->op != IR_FLPACK && in->op != IR_FLMERGE && !is_gpr(j->r->insn[in->a].type))
		return; /* made by a call, or of floating point */
	u32 partner = find_partner(j, f);
	if (partner) {
		x->partner = partner;
		j->val[partner].partner = f;
		j->val[partner].flags |= VF_SETFL;
		spare_operands(j, f);
	}
	if (x->last <= j->val[f].pos || clobbers[x->last - 1] == clobbers[j->val[f].pos])
		return; /* they stay in the host's flags until they are read */
	if (partner && in->op != IR_FLLOGIC &&
	    !(x->plan &
	      ~(u32)(FOR_MORE_THAN_ADDRESSES | BIT(CC_EQ) | BIT(CC_NE) | BIT(CC_MI) | BIT(CC_PL)))) {
		x->flags |= VF_RESULT;
		j->val[partner].last = MAX(j->val[partner].last, x->last);
		if (j->val[partner].root != x->root)
			x->flags &= ~VF_RESULT;
	} else if (in->op == IR_FLADD || in->op == IR_FLSUB || in->op == IR_FLLOGIC) {
		x->fkind = 0x80; /* recompute from the operands */
		j->val[in->a].last = MAX(j->val[in->a].last, x->last);
		if (in->op != IR_FLLOGIC)
			j->val[in->b].last = MAX(j->val[in->b].last, x->last);
	}
}

static bool address_part(const struct jit *j, u32 v)
{
	const struct ir_insn *in = &j->r->insn[v];
	const struct val *x = &j->val[v];
	return in->op == IR_ADD && in->type == TY_I64 && !(x->plan & FOR_MORE_THAN_ADDRESSES) &&
	       !(x->flags & VF_MERGE) && in->b != in->a;
}

/* A comparison of one bit with zero tests it where it is. */
static bool is_bit_test(const struct jit *j, const struct ir_insn *cmp)
{
	const struct ir_insn *bit = &j->r->insn[cmp->a], *zero = &j->r->insn[cmp->b];
	const struct val *x = &j->val[cmp->a];
	return (cmp->op == IR_EQ || cmp->op == IR_NE) && bit->op == IR_EXTRACTU && bit->c == 1 &&
	       bit->type >= TY_I32 && zero->op == IR_CONST && !zero->imm && x->uses == 1 &&
	       !(x->flags & VF_MERGE);
}

/* Is an operation of the round that it mixes the columns of the only use, so that the host does both in one? */
static bool whole_round(const struct jit *j, const struct ir_insn *mix)
{
	const struct ir_insn *round = &j->r->insn[mix->a];
	const struct val *x = &j->val[mix->a];
	return round->op == (mix->op == IR_AESMC ? IR_AESE : IR_AESD) && mix->type == TY_V128 &&
	       x->uses == 1 && !(x->flags & VF_MERGE);
}

/* Is it the target of a jump without its lowest bit, so that most jumps need not see to that? */
static bool even_target(const struct jit *j, const struct ir_insn *in, const struct val *x)
{
	enum ir_op by = j->r->insn[j->at[x->last]].op;
	const struct ir_insn *mask = &j->r->insn[in->b];
	return in->op == IR_AND && in->type == TY_I64 && mask->op == IR_CONST && mask->imm == ~1ull &&
	       j->r->insn[in->a].op != IR_CONST && x->uses == 1 && !(x->flags & (VF_MERGE | VF_SETFL)) &&
	       (by == IR_JUMPI || by == IR_GOSUBI || by == IR_RETURN);
}

/* What the instruction is computed from lives until a position. */
static void lengthen(struct jit *j, const struct ir_insn *in, u32 last)
{
	u32 operand[3] = { in->a, in->b, in->c };
	for (unsigned k = 0; k < 3; k++)
		if (ir_is_value(in->op, k) && operand[k])
			j->val[operand[k]].last = MAX(j->val[operand[k]].last, last);
}

/* Conditions, bit tests, rounds of AES, targets of jumps and parts of addresses are computed where they are used; what they are computed from lives until then. */
static void plan_one(struct jit *j, const u32 *clobbers, u32 i)
{
	const struct ir_region *r = j->r;
	const struct ir_insn *in = &r->insn[i];
	struct val *x = &j->val[i];
	u32 also = 0; /* of its operands: one that is computed with it */
	if (in->type == TY_FLAGS && is_flag_maker(in->op)) {
		if (x->uses == 1 && x->plan & FOR_SELECT && !(x->flags & VF_MERGE) &&
		    (!in->a || j->r->insn[in->a].type <= TY_I64))
			x->flags |= VF_LATER;
		else
			plan_flags(j, clobbers, i);
	} else if (in->op == IR_COND || (is_compare(in->op) && x->uses == 1)) {
		if (!(x->flags & VF_MERGE)) {
			x->flags |= VF_LATER;
			also = is_bit_test(j, in) ? in->a : 0;
		}
	} else if (in->op == IR_BITREV && x->uses == 1 && in->type >= TY_I32 && i + 1 < r->n_insn &&
		   r->insn[i + 1].op == IR_CLZ && r->insn[i + 1].a == i) {
		x->flags |= VF_LATER;
	} else if (even_target(j, in, x)) {
		x->flags |= VF_LATER;
	} else if (in->op == IR_AESMC || in->op == IR_AESIMC) {
		also = whole_round(j, in) ? in->a : 0;
	} else if (address_part(j, i)) {
		x->flags |= VF_LATER;
		const struct ir_insn *shift = &r->insn[in->b];
		const struct val *s = &j->val[in->b];
		if (shift->op == IR_SHL && s->uses == 1 && r->insn[shift->b].op == IR_CONST &&
		    r->insn[shift->b].imm <= 3 && !(s->flags & VF_MERGE))
			also = in->b;
	}
	if (x->flags & VF_LATER || in->op == IR_FLPACK) /* FLPACK always is */
		lengthen(j, in, x->last);
	if (also) {
		j->val[also].flags |= VF_LATER;
		lengthen(j, &r->insn[also], j->val[also].last);
	}
}

static void plan_later(struct jit *j, const u32 *clobbers, const u32 *candidates, u32 n)
{
	while (n-- > 0) /* backwards, so that lengthened lives reach operands of operands */
		if (j->val[candidates[n]].uses)
			plan_one(j, clobbers, candidates[n]);
}

static void hint(struct jit *j, u32 v, unsigned slot, u32 pos)
{
	j->val[v].hint = slot;
	j->val[v].hint_pos = pos;
}

/* Is the hint of the value made at pos one that cannot be followed? */
static bool vain_hint(const struct val *x, u32 end, u32 barrier, const u32 *touched)
{
	return x->hint_pos >= end || barrier < x->hint_pos || touched[x->hint] < x->hint_pos;
}

/* Of the host's operations of two operands: in which of them may the result lie? Bits as in ir_op_info.values. */
static const u8 in_operand[IR_OP_COUNT] = {
	[IR_ADD] = 3, [IR_AND] = 3, [IR_OR] = 3,  [IR_XOR] = 3, [IR_MUL] = 3,
	[IR_SUB] = 1, [IR_SHL] = 1, [IR_SHR] = 1, [IR_SAR] = 1,
};

/* Is it another form of its operand, which lies where that does? */
static bool another_form(enum ir_op op)
{
	return op == IR_ZEXT || op == IR_VZEXT || op == IR_COPY || op == IR_CAST;
}

static bool narrows(enum ir_op op)
{
	return op == IR_VLOW || op == IR_TRUNC;
}

/* The operand that the result will replace shall be computed where the result shall be: one that nothing else wants, in any form. */
static void hint_operand(struct jit *j, const struct ir_insn *in, const struct val *x, u32 pos)
{
	const u32 operand[2] = { in->a, in->b };
	if (in->type < TY_I32 || in->type > TY_I64)
		return;
	for (unsigned k = 0; k < 2; k++) {
		const struct val *o = &j->val[operand[k]];
		enum ir_op op = j->r->insn[operand[k]].op;
		if (!(in_operand[in->op] >> k & 1) || o->uses != 1 || o->last > pos || o->hint != NO_SLOT ||
		    o->flags & (VF_LATER | VF_MERGE) || op == IR_CONST || op == IR_GET || another_form(op) ||
		    narrows(op))
			continue;
		hint(j, operand[k], x->hint, x->hint_pos);
		return;
	}
}

/* What a hinted value is widened from, or the same as, shall be computed there as well. */
static void pass_hint(struct jit *j, const struct ir_insn *in, const struct val *x, u32 pos)
{
	if (in_operand[in->op]) {
		hint_operand(j, in, x, pos);
		return;
	}
	/*
	 * What is narrowed and still needed as a whole, by slots that are set later, too, must not be where its narrow part is widened
	 * again.
	 */
	const struct val *o = &j->val[in->a];
	if (in->a && o->hint == NO_SLOT &&
	    (narrows(in->op) ? o->last <= pos && (!j->lazy || o->uses == 1) : another_form(in->op)))
		hint(j, in->a, x->hint, x->hint_pos);
}

/* May slots be looked at, or left, there? */
static inline bool is_barrier(enum ir_op op)
{
	return ir_has(op, IR_F_MEM | IR_F_END | IR_F_EXIT) || op == IR_CALL || op == IR_GETX || op == IR_SETX;
}

/*
 * Which values of one block can be computed straight into a slot's home: nothing between may read the old one or need it for exactness.
 * touched: by slot, the position of the next GET or SET.
 */
static void plan_hints_of(struct jit *j, u32 first, u32 end, u32 *touched)
{
	const struct ir_insn *insn = j->r->insn;
	struct val *val = j->val;
	const u32 *at = j->at;
	u32 barrier = ~0u;
	for (u32 pos = end;
	     pos-- > first;) { /* backwards: a SET in another block than its value gives no hint */
		const struct ir_insn *in = &insn[at[pos]];
		struct val *x = &val[at[pos]];
		if (x->hint != NO_SLOT) {
			if (vain_hint(x, end, barrier, touched))
				x->hint = NO_SLOT;
			else
				pass_hint(j, in, x, pos);
		}
		if (in->op == IR_SET) {
			unsigned s = slot_of(j, in->imm);
			touched[s] = pos;
			if (j->slot_home[s] && val[in->a].hint == NO_SLOT && !(val[in->a].flags & VF_LATER) &&
			    insn[in->a].op != IR_CONST)
				hint(j, in->a, s, pos);
		} else if (in->op == IR_GET) {
			touched[slot_of(j, in->imm)] = pos;
		} else if (is_barrier(in->op)) {
			barrier = pos;
		}
	}
}

static void plan_hints(struct jit *j)
{
	u32 *touched = jit_mem(j, j->n_slot * sizeof(*touched));
	/* once: what is touched behind a block is behind all of its hints */
	memset(touched, 0xff, j->n_slot * sizeof(*touched));
	for (u32 o = j->n_order; o-- > 0;) {
		const struct blk *x = &j->blk[j->order[o]];
		plan_hints_of(j, x->first_pos, x->end_pos, touched);
	}
}

void plan_deaths(struct jit *j, const struct blk *x)
{
	const struct ir_insn *insn = j->r->insn;
	u32 n_barrier = 0;
	struct next_touch *next = j->next_touch;
	memset(next, 0, j->r->n_slot * sizeof(*next));
#define DEATH(slot) \
	((struct death){ next[slot].set, \
			 n_barrier > next[slot].barrier ? j->barrier[next[slot].barrier] : 0 })
	for (u32 pos = x->end_pos; pos-- > x->first_pos;) {
		const struct ir_insn *in = &insn[j->at[pos]];
		if (is_barrier(in->op)) {
			j->barrier[n_barrier++] = pos;
		} else if ((in->op == IR_SET || in->op == IR_GET) && in->imm < j->r->n_slot) {
			j->death[pos] = DEATH(in->imm);
			next[in->imm] = (struct next_touch){ in->op == IR_SET ? pos : 0, n_barrier };
		}
	}
	const struct death untouched = { 0, n_barrier ? j->barrier[0] : 0 };
	for (unsigned s = 0; s < j->r->n_slot; s++)
		j->dying[s] = untouched;
	for (u32 pos = x->first_pos; pos < x->end_pos; pos++) {
		const struct ir_insn *in = &insn[j->at[pos]];
		if ((in->op == IR_SET || in->op == IR_GET) && in->imm < j->r->n_slot)
			j->dying[in->imm] = DEATH(in->imm);
	}
#undef DEATH
}

/* So many values of which nothing is known. Copying is much faster than setting each. */
static void blank(struct val *val, u32 n)
{
	const u32 some = MIN(n, 16u);
	for (u32 i = 0; i < some; i++)
		val[i] = (struct val){ .hint = NO_SLOT, .frame = -1 };
	for (u32 i = some; i < n; i += some)
		memcpy(val + i, val, MIN(n - i, some) * sizeof(*val));
}

void prepass(struct jit *j)
{
	u32 n = j->r->n_insn + 2, n_candidates = 0;
	u32 *clobbers = jit_mem(j, n * sizeof(*clobbers)), *candidates = jit_mem(j, n * sizeof(*candidates));
	lay_out(j);
	mark_loops(j);
	if (!j->job->counts) /* what does has not run often */
		choose_moves(j);
	blank(j->val, n);
	u32 end = count_uses(j, clobbers, candidates, &n_candidates);
	plan_later(j, clobbers, candidates, n_candidates);
	if (j->lazy)
		plan_waits(j, end);
	plan_hints(j);
	choose_loose(j);
	if (j->r->quick)
		return;
	find_uses(j);
	choose_boxes(j);
}
