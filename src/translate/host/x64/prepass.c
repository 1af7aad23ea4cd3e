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
	for (u32 o = 0; o < j->n_order; o++) {
		const struct ir_block *b = &j->r->block[j->order[o]];
		const struct ir_insn *end = &j->r->insn[b->first + b->count - 1];
		u32 to[2] = { end->op == IR_BR ? end->a : end->b, end->c };
		unsigned n = end->op == IR_BR ? 1 : end->op == IR_BRC ? 2 : 0;
		for (unsigned i = 0; i < n; i++)
			if (j->blk[to[i]].order <= o)
				j->blk[to[i]].loop_head = true;
	}
}

/* What an operation does to the host's flags; those that are not named leave them alone when they compute vectors, else not. */
enum { BY_KIND, LEAVES, ADDS, SUBTRACTS, LOGIC, ASKS };
static const u8 flag_manners[IR_OP_COUNT] = {
	[IR_NOP] = LEAVES,   [IR_CONST] = LEAVES,  [IR_VCONST] = LEAVES,   [IR_GET] = LEAVES,
	[IR_SET] = LEAVES,   [IR_INSN] = LEAVES,   [IR_COPY] = LEAVES,	   [IR_NOT] = LEAVES,
	[IR_ZEXT] = LEAVES,  [IR_SEXT] = LEAVES,   [IR_TRUNC] = LEAVES,	   [IR_LO] = LEAVES,
	[IR_HI] = LEAVES,    [IR_PAIR] = LEAVES,   [IR_CAST] = LEAVES,	   [IR_COND] = LEAVES,
	[IR_LD] = LEAVES,    [IR_ST] = LEAVES,	   [IR_PREFETCH] = LEAVES, [IR_DUP] = LEAVES,
	[IR_VGET] = LEAVES,  [IR_VGETS] = LEAVES,  [IR_VSET] = LEAVES,	   [IR_VLOW] = LEAVES,
	[IR_VZEXT] = LEAVES, [IR_VTRUNC] = LEAVES, [IR_SHUFFLE] = LEAVES,  [IR_TBL] = LEAVES,
	[IR_BSL] = LEAVES,   [IR_BR] = LEAVES,	   [IR_FLPACK] = LEAVES,   [IR_JUMP] = LEAVES,
	[IR_GOSUB] = LEAVES, [IR_JUMPI] = LEAVES,  [IR_RETURN] = LEAVES,   [IR_GOSUBI] = LEAVES,
	[IR_BSWAP] = LEAVES, [IR_FBOX] = LEAVES,   [IR_ADD] = ADDS,	   [IR_SHL] = ADDS,
	[IR_SHR] = ADDS,     [IR_SAR] = ADDS,	   [IR_ROTR] = ADDS,	   [IR_SUB] = SUBTRACTS,
	[IR_AND] = LOGIC,    [IR_OR] = LOGIC,	   [IR_XOR] = LOGIC,	   [IR_ANDN] = LOGIC,
	[IR_SELECT] = ASKS,  [IR_BRC] = ASKS,
};

static bool clobbers_flags(const struct ir_region *r, const struct ir_insn *in)
{
	switch (flag_manners[in->op]) {
	case LEAVES:
		return false;
	case ADDS:
		return !(in->type >= TY_I32);
	case SUBTRACTS:
		return !(ir_is_vector(in->type) || r->insn[in->b].op == IR_CONST);
	case LOGIC:
		return !ir_is_vector(in->type);
	case ASKS:
		return r->insn[in->a].op != IR_COND;
	}
	return !(ir_is_vector(in->type) && ir_has(in->op, IR_F_PURE));
}

static bool is_flag_maker(enum ir_op op)
{
	return op >= IR_FLADD && op <= IR_FLMERGE;
}

static u32 root_of(const struct jit *j, u32 b)
{
	while (j->blk[b].preds == 1 && j->blk[b].pred != ~0u)
		b = j->blk[b].pred;
	return b;
}

static bool is_compare(enum ir_op op)
{
	return op >= IR_EQ && op <= IR_LES; /* not of floats: they raise flags, read or not */
}

struct plan { /* scratch of this pass, by value */
	u32 *at; /* by position: the instruction */
	u32 *root, *addr_uses, *cc_uses, *select_uses;
	u32 *clobbers; /* by position: how many may-clobber instructions before */
};

static void note_use(struct jit *j, struct plan *p, const struct ir_insn *in, unsigned k, u32 v, u32 pos,
		     u32 root)
{
	struct val *x = &j->val[v];
	x->uses++;
	x->last = pos; /* positions only grow */
	if (p->root[v] != root)
		x->flags |= VF_MERGE;
	if (k == 0 && (in->op == IR_LD || in->op == IR_ST))
		p->addr_uses[v]++;
	if (in->op == IR_COND)
		p->cc_uses[v] |= BIT(in->imm);
	else if (j->r->insn[v].type == TY_FLAGS)
		p->cc_uses[v] |= BIT(31);
	if (k && in->op == IR_SELECT && in->type == TY_FLAGS)
		p->select_uses[v]++;
}

/* Gives instructions their positions, 1 and up; returns how many there are and one. */
static u32 count_uses(struct jit *j, struct plan *p)
{
	const struct ir_region *r = j->r;
	u32 pos = 1;
	for (u32 o = 0; o < j->n_order; o++) {
		const struct ir_block *b = &r->block[j->order[o]];
		u32 root = root_of(j, j->order[o]);
		j->blk[j->order[o]].first_pos = pos;
		for (u32 i = b->first, end = i + b->count; i < end; i++) {
			const struct ir_insn *in = &r->insn[i];
			if (in->op == IR_NOP)
				continue;
			p->root[i] = root;
			if (in->op == IR_INSN || in->op == IR_CONST) /* nothing happens there */
				continue;
			j->pos[i] = pos;
			p->at[pos] = i;
			p->clobbers[pos] = p->clobbers[pos - 1] + clobbers_flags(r, in);
			unsigned values = ir_op_info[in->op].values;
			if (values & 1 && in->a)
				note_use(j, p, in, 0, in->a, pos, root);
			if (values & 2 && in->b)
				note_use(j, p, in, 1, in->b, pos, root);
			if (values & 4 && in->c)
				note_use(j, p, in, 2, in->c, pos, root);
			if (in->op == IR_ARGS) { /* read by the CALL behind it */
				u32 operand[3] = { in->a, in->b, in->c };
				for (unsigned k = 0; k < 3; k++)
					if (operand[k])
						j->val[operand[k]].last = pos + 1;
			}
			pos++;
		}
	}
	return pos;
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
			    r->insn[i].c == in->c)
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
	    j->pos[twin] + 1 != j->pos[f])
		return;
	for (unsigned i = 0; i < 2; i++)
		if (j->val[operand[i]].last == j->pos[f])
			j->val[operand[i]].last = j->pos[twin];
}

static void plan_flags(struct jit *j, const struct plan *p, u32 f)
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
	if (x->last <= j->pos[f] || p->clobbers[x->last - 1] == p->clobbers[j->pos[f]])
		return; /* they stay in the host's flags until they are read */
	if (partner && in->op != IR_FLLOGIC &&
	    !(p->cc_uses[f] & ~(BIT(CC_EQ) | BIT(CC_NE) | BIT(CC_MI) | BIT(CC_PL)))) {
		x->flags |= VF_RESULT;
		j->val[partner].last = MAX(j->val[partner].last, x->last);
		if (p->root[partner] != p->root[f])
			x->flags &= ~VF_RESULT;
	} else if (in->op == IR_FLADD || in->op == IR_FLSUB || in->op == IR_FLLOGIC) {
		x->fkind = 0x80; /* recompute from the operands */
		j->val[in->a].last = MAX(j->val[in->a].last, x->last);
		if (in->op != IR_FLLOGIC)
			j->val[in->b].last = MAX(j->val[in->b].last, x->last);
	}
}

static bool address_part(const struct jit *j, const struct plan *p, u32 v)
{
	const struct ir_insn *in = &j->r->insn[v];
	const struct val *x = &j->val[v];
	return in->op == IR_ADD && in->type == TY_I64 && x->uses && p->addr_uses[v] == x->uses &&
	       !(x->flags & VF_MERGE) && in->b != in->a;
}

/* A comparison of one bit with zero tests it where it is. */
static void plan_bit_test(struct jit *j, const struct ir_insn *cmp)
{
	const struct ir_insn *bit = &j->r->insn[cmp->a], *zero = &j->r->insn[cmp->b];
	struct val *x = &j->val[cmp->a];
	if ((cmp->op == IR_EQ || cmp->op == IR_NE) && bit->op == IR_EXTRACTU && bit->c == 1 &&
	    bit->type >= TY_I32 && zero->op == IR_CONST && !zero->imm && x->uses == 1 &&
	    !(x->flags & VF_MERGE))
		x->flags |= VF_LATER;
}

/* Conditions, bit tests and parts of addresses are computed where they are used; what they are computed from lives until then. */
static void plan_one(struct jit *j, const struct plan *p, u32 i)
{
	const struct ir_region *r = j->r;
	const struct ir_insn *in = &r->insn[i];
	struct val *x = &j->val[i];
	if (in->type == TY_FLAGS && is_flag_maker(in->op)) {
		if (x->uses == 1 && p->select_uses[i] && !(x->flags & VF_MERGE) &&
		    (!in->a || j->r->insn[in->a].type <= TY_I64))
			x->flags |= VF_LATER;
		else
			plan_flags(j, p, i);
	} else if (in->op == IR_COND || (is_compare(in->op) && x->uses == 1)) {
		if (!(x->flags & VF_MERGE)) {
			x->flags |= VF_LATER;
			plan_bit_test(j, in);
		}
	} else if (in->op == IR_BITREV && x->uses == 1 && in->type >= TY_I32 && i + 1 < r->n_insn &&
		   r->insn[i + 1].op == IR_CLZ && r->insn[i + 1].a == i) {
		x->flags |= VF_LATER;
	} else if (address_part(j, p, i)) {
		x->flags |= VF_LATER;
		const struct ir_insn *shift = &r->insn[in->b];
		struct val *s = &j->val[in->b];
		if (shift->op == IR_SHL && s->uses == 1 && r->insn[shift->b].op == IR_CONST &&
		    r->insn[shift->b].imm <= 3 && !(s->flags & VF_MERGE))
			s->flags |= VF_LATER;
	}
	if (!(x->flags & VF_LATER) && in->op != IR_FLPACK) /* FLPACK always is */
		return;
	u32 operand[3] = { in->a, in->b, in->c };
	for (unsigned k = 0; k < 3; k++)
		if (ir_is_value(in->op, k) && operand[k])
			j->val[operand[k]].last = MAX(j->val[operand[k]].last, x->last);
}

static void plan_later(struct jit *j, const struct plan *p, u32 end)
{
	for (u32 pos = end; pos-- > 1;) /* backwards, so that lengthened lives reach operands of operands */
		if (j->val[p->at[pos]].uses)
			plan_one(j, p, p->at[pos]);
}

static void hint(struct jit *j, u32 v, unsigned slot, u32 pos)
{
	j->val[v].hint = slot;
	j->val[v].hint_pos = pos;
}

/* Which values of one block can be computed straight into a slot's home: nothing between may read the old one or need it for exactness. */
static void plan_hints_of(struct jit *j, const struct plan *p, u32 first, u32 end, u32 *touched)
{
	u32 barrier = ~0u;
	for (u32 pos = end;
	     pos-- > first;) { /* backwards: a SET in another block than its value gives no hint */
		u32 i = p->at[pos];
		const struct ir_insn *in = &j->r->insn[i];
		struct val *x = &j->val[i];
		if (x->hint != NO_SLOT &&
		    (x->hint_pos >= end || barrier < x->hint_pos || touched[x->hint] < x->hint_pos))
			x->hint = NO_SLOT;
		/* what is narrowed and still needed as a whole must not be where its narrow part is widened again */
		bool narrows = in->op == IR_VLOW || in->op == IR_TRUNC;
		if (x->hint != NO_SLOT && in->a && j->val[in->a].hint == NO_SLOT &&
		    (narrows
			 ? j->val[in->a].last <= pos
			 : in->op == IR_ZEXT || in->op == IR_VZEXT || in->op == IR_COPY || in->op == IR_CAST))
			hint(j, in->a, x->hint, x->hint_pos);
		if (in->op == IR_SET) {
			unsigned s = slot_of(j, in->imm);
			touched[s] = pos;
			if (j->slot_home[s] && j->val[in->a].hint == NO_SLOT &&
			    !(j->val[in->a].flags & VF_LATER) && j->r->insn[in->a].op != IR_CONST)
				hint(j, in->a, s, pos);
		} else if (in->op == IR_GET) {
			touched[slot_of(j, in->imm)] = pos;
		} else if (ir_has(in->op, IR_F_MEM | IR_F_END | IR_F_EXIT) || in->op == IR_CALL ||
			   in->op == IR_GETX || in->op == IR_SETX) {
			barrier = pos;
		}
	}
}

static void plan_hints(struct jit *j, const struct plan *p, u32 end)
{
	u32 *touched =
	    jit_mem(j, j->n_slot * sizeof(*touched)); /* position of the next GET or SET of the slot */
	for (u32 o = j->n_order; o-- > 0;) {
		u32 first = j->blk[j->order[o]].first_pos;
		memset(touched, 0xff, j->n_slot * sizeof(*touched));
		plan_hints_of(j, p, first, end, touched);
		end = first;
	}
}

void prepass(struct jit *j)
{
	const struct ir_region *r = j->r;
	u32 n = r->n_insn + 1;
	size_t size = (n + 1) * sizeof(u32);
	lay_out(j);
	mark_loops(j);
	if (!j->job->counts) /* what does has not run often */
		choose_moves(j);
	struct plan p = { .at = jit_mem(j, size),
			  .root = jit_mem(j, size),
			  .addr_uses = jit_zeroes(j, size),
			  .cc_uses = jit_zeroes(j, size),
			  .select_uses = jit_zeroes(j, size),
			  .clobbers = jit_mem(j, size) };
	p.clobbers[0] = p.root[0] = 0;
	for (u32 i = 0; i < n; i++) {
		j->val[i].hint = NO_SLOT;
		j->val[i].frame = -1;
	}
	u32 end = count_uses(j, &p);
	plan_later(j, &p, end);
	plan_hints(j, &p, end);
}
