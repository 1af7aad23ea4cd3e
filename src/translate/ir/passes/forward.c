/* Values instead of slots, simplification, and operations done once in a block. What it does stands in passes.h. */
#include "translate/ir/passes.h"
#include "translate/ir/build.h"

struct forward {
	struct ir_region *r;
	ir_ref *same; /* of each value: what it was replaced by, or itself */
	ir_ref *known; /* of each block, each slot: the value it holds at the block's end (0: unknown) */
	u32 *pred; /* of each block: the only one that leads there, MANY, or NONE */
	bool *done;
	bool late; /* a value was used where the text has it before it is made */
	u32 *slot_of; /* of each value: the slot that was set to it or read last, + 1; 0: none */
	u32 *table; /* operations of this block by hash */
	u32 table_mask;
	u32 n_slot; /* with locals */
	u32 first; /* of this block */
};
enum { NO_PRED = 0xffffffff, MANY = 0xfffffffe };

/* ---- the graph ---- */

static void find_preds(struct forward *f)
{
	const struct ir_region *r = f->r;
	memset(f->pred, 0xff, r->n_block * sizeof(*f->pred));
	f->pred[0] = MANY;
	for (u32 b = 0; b < r->n_block; b++) {
		u32 to[2];
		if (!r->block[b].count)
			continue;
		for (unsigned k = ir_successors(r, b, to); k-- > 0;)
			f->pred[to[k]] = f->pred[to[k]] == NO_PRED ? b : MANY;
	}
}

/* ---- operations that were done before in this block ---- */

static u32 hash(const struct ir_insn *in)
{
	u64 h = ((u64)in->op << 48 | (u64)in->type << 40 | (u64)in->lane << 32 | in->a) * 0x9e3779b97f4a7c15;
	h ^= (in->imm + ((u64)in->b << 32) + in->c) * 0xc2b2ae3d27d4eb4f;
	h *= 0x9e3779b97f4a7c15;
	return (u32)(h >> 32);
}

static bool equal(const struct ir_insn *x, const struct ir_insn *y)
{
	return x->op == y->op && x->type == y->type && x->lane == y->lane && x->a == y->a && x->b == y->b &&
	       x->c == y->c && x->imm == y->imm;
}

/* The value that was made in this block by the same operation, or 0; then it is remembered as v. */
static ir_ref seen(struct forward *f, ir_ref v)
{
	const struct ir_insn *in = f->r->insn + v;
	u32 at = hash(in) & f->table_mask;
	for (unsigned tries = 0; tries < 4; tries++, at = (at + 1) & f->table_mask) {
		ir_ref old = f->table[at];
		if (old < f->first || old >= v) { /* of another block */
			f->table[at] = v;
			return 0;
		}
		if (equal(f->r->insn + old, in))
			return old;
	}
	return 0; /* crowded: let it be */
}

/* ---- slots ---- */

static void forget(u8 *known, size_t each, u32 first, u32 n)
{
	memset(known + each * first, 0, each * n);
}

void ir_forget_written(const struct ir_region *r, const struct ir_insn *in, void *known, size_t each)
{
	if (in->op == IR_SETX)
		forget(known, each, in->imm, r->slot[in->imm].array);
	if (in->op != IR_CALL)
		return;
	const struct ir_helper *helper = (const struct ir_helper *)(uintptr_t)in->imm;
	if (helper->effects & HELP_WRITES && !helper->slots)
		forget(known, each, 0, r->n_slot);
	else if (helper->effects & HELP_WRITES)
		for (const u16 *s = helper->slots; *s != 0xffff; s++)
			forget(known, each, *s, 1);
}

/* Slots by what the block's instructions say so far. True: the instruction is not needed, being the value *same (0: none). */
static bool slots(struct forward *f, const struct ir_insn *in, ir_ref v, ir_ref *known, ir_ref *same)
{
	const struct ir_region *r = f->r;
	ir_ref *k;
	switch (in->op) {
	case IR_GET:
		k = known + ir_slot_number(r, in->imm);
		*same = *k;
		if (!*k)
			*k = v;
		f->slot_of[*k] = ir_slot_number(r, in->imm) + 1;
		return *same;
	case IR_SET:
		k = known + ir_slot_number(r, in->imm);
		if (*k == in->a)
			return true;
		*k = in->a;
		f->slot_of[in->a] = ir_slot_number(r, in->imm) + 1;
		return false;
	}
	ir_forget_written(r, in, known, sizeof(*known));
	return false;
}

/* ---- driving ---- */

enum { HAS_A = 1, HAS_B = 2, HAS_C = 4, PURE = 8, SLOTS = 16, PLAIN = 32 /* nothing to simplify */ };
/* clang-format off */
static const u8 traits[IR_OP_COUNT] = {
	[IR_NOP] = PLAIN,
#define _(name, ops, res, flag) \
	[IR_##name] = ((ops)[0] == 'v' ? HAS_A : 0) | ((ops)[1] == 'v' ? HAS_B : 0) | ((ops)[2] == 'v' ? HAS_C : 0) | \
		      ((flag)[0] == 'P' ? PURE : 0) | ((flag)[0] == 'S' ? SLOTS : 0) | \
		      ((ops)[0] != 'v' || IR_##name == IR_SET ? PLAIN : 0),
	IR_OPS(_)
#undef _
};
/* clang-format on */

/* A value's replacement; literals (no mask) stay as they are, without a jump: of value 0 there is none. */
static inline ir_ref take_operand(const ir_ref *same, ir_ref operand, u32 mask)
{
	return (operand & ~mask) | same[operand & mask];
}

/* True: an operand is made behind v in the text. */
static inline bool take_operands(const ir_ref *same, struct ir_insn *in, u32 has, ir_ref v)
{
	u32 mask_a = -(has & HAS_A), mask_b = -(has / HAS_B & 1);
	bool late = (in->a & mask_a) > v || (in->b & mask_b) > v;
	in->a = take_operand(same, in->a, mask_a);
	in->b = take_operand(same, in->b, mask_b);
	if (has & HAS_C) {
		late |= in->c > v;
		in->c = same[in->c];
	}
	return late;
}

static void remove_insn(struct ir_insn *in)
{
	*in = (struct ir_insn){ .op = IR_NOP };
}

bool ir_lost_sign(const struct ir_region *r, const struct ir_insn *in)
{
	const struct ir_insn *count = r->insn + in->b;
	return in->op == IR_SHR && in->type == TY_I32 && count->op == IR_CONST && count->imm & 31;
}

/* Is it a word extended by its sign? */
static bool is_word(const struct ir_region *r, const struct ir_insn *in)
{
	const struct ir_insn *a = r->insn + in->a;
	return (in->op == IR_ZEXT && ir_lost_sign(r, a)) || (in->op == IR_SEXT && a->type == TY_I32);
}

/*
 * Bits of two words, each extended by its sign: those of the words, extended (guests whose registers hold words that way; what is only read as a
 * word need not be extended at all, and rotations are seen). The second instruction for it stands where the front end left room.
 */
static void narrow(struct forward *f, ir_ref v)
{
	struct ir_region *r = f->r;
	struct ir_insn *in = r->insn + v, *room = in - 1;
	const struct ir_insn *a = r->insn + in->a, *b = in->op == IR_NOT ? a : r->insn + in->b;
	if (in->type != TY_I64 || v <= f->first || room->op != IR_NOP || room->imm != IR_ROOM ||
	    !is_word(r, a) || !is_word(r, b))
		return;
	*room = (struct ir_insn){ .op = in->op, .type = TY_I32, .a = a->a, .b = in->op == IR_NOT ? 0 : b->a };
	ir_ref same = ir_simplify(r, room);
	if (same)
		remove_insn(room);
	*in = (struct ir_insn){ .op = IR_SEXT, .type = TY_I64, .a = same ? same : v - 1 };
}

static bool in_slot(const struct forward *f, const ir_ref *known, ir_ref v)
{
	return f->slot_of[v] && known[f->slot_of[v] - 1] == v;
}

/*
 * An address by a register that was counted on, as slots have it: by the number that was there before, that would have to be kept for it
 * alone.
 */
static bool counted_on(const struct forward *f, const ir_ref *known, const struct ir_insn *in)
{
	const struct ir_insn *sum = f->r->insn + in->a;
	return (in->op == IR_LD || in->op == IR_ST) && sum->op == IR_ADD && in_slot(f, known, in->a) &&
	       !in_slot(f, known, sum->a);
}

static void forward_block(struct forward *f, u32 b)
{
	struct ir_region *r = f->r;
	ir_ref *known = f->known + (size_t)b * f->n_slot;
	u32 pred = f->pred[b], end = r->block[b].first + r->block[b].count;
	if (pred < MANY && f->done[pred])
		memcpy(known, f->known + (size_t)pred * f->n_slot, f->n_slot * sizeof(*known));
	else
		memset(known, 0, f->n_slot * sizeof(*known));
	f->first = r->block[b].first;
	ir_ref *replaced = f->same;
	const u8 look = r->quick ? 0 : PURE;
	bool late = false;
	struct ir_insn *in = r->insn + f->first;
	for (u32 v = f->first; v < end; v++, in++) {
		ir_ref same = 0;
		u8 kind = traits[in->op];
		if (kind & (HAS_A | HAS_B | HAS_C))
			late |= take_operands(replaced, in, kind, v);
		if (!(kind & PLAIN) && !counted_on(f, known, in)) {
			if ((same = ir_simplify(r, in))) {
				replaced[v] = same;
				remove_insn(in);
				continue;
			}
			if (in->op >= IR_AND && in->op <= IR_NOT)
				narrow(f, v);
			if (in->op == IR_SETFPFLAGS)
				ir_unraise(r, in, f->first);
			kind = traits[in->op];
		}
		if (kind & SLOTS ? slots(f, in, v, known, &same) : kind & look && (same = seen(f, v))) {
			replaced[v] = same;
			remove_insn(in);
		}
	}
	f->late |= late;
	f->done[b] = true;
}

void ir_replace(struct ir_region *r, const ir_ref *same)
{
	for (u32 v = 1; v < r->n_insn; v++)
		take_operands(same, r->insn + v, traits[r->insn[v].op], v);
	for (u32 i = 1; i < r->n_args; i += 2)
		r->args[i] = same[r->args[i]];
}

u32 ir_block_order(const struct ir_region *r, u32 *order)
{
	u32 n = 0;
	for (u32 b = 0; b < r->n_block; b++) {
		u32 at = n;
		if (!r->block[b].count)
			continue;
		for (; at && r->block[order[at - 1]].first > r->block[b].first; at--)
			order[at] = order[at - 1];
		order[at] = b;
		n++;
	}
	return n;
}

/* Whether a way from one block to another is gone, by a BRC that became BR: PHIs lose the value from there. */
static void drop_ways(struct ir_region *r)
{
	for (u32 b = 0; b < r->n_block; b++)
		for (u32 v = r->block[b].first;
		     v < r->block[b].first + r->block[b].count && r->insn[v].op == IR_PHI; v++) {
			struct ir_insn *in = r->insn + v;
			u32 kept = 0, to[2];
			for (u32 k = 0; k < in->a; k++) {
				ir_ref *pair = r->args + in->imm + 2 * k;
				unsigned n = ir_successors(r, pair[0], to);
				if ((n > 0 && to[0] == b) || (n > 1 && to[1] == b)) {
					r->args[in->imm + 2 * kept] = pair[0];
					r->args[in->imm + 2 * kept++ + 1] = pair[1];
				}
			}
			in->a = kept;
		}
}

void ir_pass_forward(struct ir_region *r)
{
	struct forward f = { .r = r, .n_slot = (u32)r->n_slot + r->n_local };
	u32 table_size = 64;
	while (table_size < r->n_insn && table_size < 4096)
		table_size *= 2;
	size_t known = (size_t)r->n_block * f.n_slot;
	u32 *mem =
	    ir_scratch(r, (2 * r->n_insn + known + 2 * r->n_block + table_size) * sizeof(u32) + r->n_block);
	f.same = mem;
	f.slot_of = f.same + r->n_insn;
	f.known = f.slot_of + r->n_insn;
	f.pred = f.known + known;
	f.table = f.pred + r->n_block;
	f.table_mask = table_size - 1;
	u32 *order = f.table + table_size;
	f.done = (bool *)(order + r->n_block);
	memset(f.slot_of, 0, r->n_insn * sizeof(u32));
	if (!r->quick)
		memset(f.table, 0, table_size * sizeof(u32));
	memset(f.done, 0, r->n_block);
	for (u32 v = 0; v < r->n_insn; v++)
		f.same[v] = v;
	find_preds(&f);
	u32 n_order = ir_block_order(r, order);
	for (u32 o = 0; o < n_order; o++)
		forward_block(&f, order[o]);
	/* used where the text has them before they are made: blocks out of order, and PHIs */
	if (f.late || r->n_args) {
		ir_replace(r, f.same);
		drop_ways(r);
	}
}
