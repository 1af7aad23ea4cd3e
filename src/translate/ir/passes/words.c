/*
 * Which slots hold no more than a word at the beginning of each block, on every way that leads there: what is extended from one is not extended again.
 * Guests whose registers hold words that way (RISC-V's by their sign, Arm's and x86's by zeros) move and add them over and over in loops.
 *
 * Facts about slots flow along the blocks until they stand, from all of them downwards: a loop's own words count as words while nothing says otherwise.
 */
#include "translate/ir/passes.h"

enum {
	SIGNED = 1,
	UNSIGNED = 2,
	BOTH = SIGNED | UNSIGNED
}; /* 64 bits: bits 31 to 63 are alike; 32 to 63 are 0 */
enum { MOST_ROUNDS = 8 };

struct words {
	struct ir_region *r;
	u8 *fact; /* of each value */
	u8 *now; /* of each slot, where we are */
	u8 *in; /* of each block, each slot: at its start */
	u32 n_slot;
};

/* Of a value of type from, extended to 64 bits. */
static u8 extended(enum ir_type from, bool sign)
{
	if (from == TY_I32)
		return sign ? SIGNED : UNSIGNED;
	return sign ? SIGNED : BOTH;
}

static u8 shifted(const struct ir_region *r, const struct ir_insn *in)
{
	const struct ir_insn *by = r->insn + in->b;
	u64 n = by->op == IR_CONST ? by->imm & 63 : 0;
	if (in->op == IR_SAR)
		return n >= 32 ? SIGNED : 0;
	return n > 32 ? BOTH : n == 32 ? UNSIGNED : 0;
}

static u8 constant(u64 k)
{
	return ((i64)k == (i32)k ? SIGNED : 0) | (k == (u32)k ? UNSIGNED : 0);
}

static u8 fact_of(const struct words *w, const struct ir_insn *in)
{
	const struct ir_region *r = w->r;
	u8 a = w->fact[in->a], b = w->fact[in->b];
	switch (in->op) {
	case IR_CONST:
		return constant(in->imm);
	case IR_SEXT:
		return extended(r->insn[in->a].type, true);
	case IR_ZEXT:
		return extended(r->insn[in->a].type, false) | (ir_lost_sign(r, r->insn + in->a) ? BOTH : 0);
	case IR_LD:
		return in->mem.type < TY_I64 ? extended(in->mem.type, in->mem.sign) : 0;
	case IR_GET:
		return w->now[ir_slot_number(w->r, in->imm)];
	case IR_AND:
		return (a & b) | (a == BOTH || b == BOTH ? BOTH : (a | b) & UNSIGNED);
	case IR_OR:
	case IR_XOR:
		return a & b;
	case IR_NOT:
		return a & SIGNED;
	case IR_SELECT:
		return b & w->fact[in->c];
	case IR_SHR:
	case IR_SAR:
		return shifted(r, in);
	}
	return 0;
}

static void follow(struct words *w, u32 v)
{
	const struct ir_insn *in = w->r->insn + v;
	if (in->op == IR_SET)
		w->now[ir_slot_number(w->r, in->imm)] = w->fact[in->a];
	ir_forget_written(w->r, in, w->now, sizeof(*w->now));
	w->fact[v] = in->type == TY_I64 ? fact_of(w, in) : 0;
}

/* What is known at a block's end also holds at the start of those it leads to, as far as that was thought so far; true: one of them was seen before, with more. */
static bool lead_on(struct words *w, u32 b)
{
	const struct ir_region *r = w->r;
	bool again = false;
	u32 to[2];
	for (unsigned n = ir_successors(r, b, to); n-- > 0;) {
		u8 *in = w->in + (size_t)to[n] * w->n_slot, less = 0;
		for (u32 i = 0; i < w->n_slot; i++) {
			less |= in[i] & ~w->now[i];
			in[i] &= w->now[i];
		}
		again |= less && r->block[to[n]].first <= r->block[b].first;
	}
	return again;
}

static bool round_of(struct words *w, const u32 *order, u32 n_order)
{
	const struct ir_region *r = w->r;
	bool again = false;
	for (u32 o = 0; o < n_order; o++) {
		const struct ir_block *b = &r->block[order[o]];
		memcpy(w->now, w->in + (size_t)order[o] * w->n_slot, w->n_slot);
		for (u32 v = b->first; v < b->first + b->count; v++)
			follow(w, v);
		again |= lead_on(w, order[o]);
	}
	return again;
}

/* Is it the low word of 64 bits, extended to 64? The whole then; else 0. */
static ir_ref whole_of(const struct ir_region *r, const struct ir_insn *in)
{
	const struct ir_insn *word = r->insn + in->a;
	if ((in->op != IR_SEXT && in->op != IR_ZEXT) || in->type != TY_I64 || word->op != IR_TRUNC ||
	    word->type != TY_I32 || r->insn[word->a].type != TY_I64)
		return 0;
	return word->a;
}

/* What is extended already takes the place of its extension. */
static void replace(struct words *w, ir_ref *same)
{
	struct ir_region *r = w->r;
	same[0] = 0;
	for (u32 v = 1; v < r->n_insn; v++) {
		struct ir_insn *in = r->insn + v;
		ir_ref whole = whole_of(r, in);
		same[v] = v;
		if (!whole || !(w->fact[whole] & (in->op == IR_SEXT ? SIGNED : UNSIGNED)))
			continue;
		same[v] = same[whole];
		*in = (struct ir_insn){ .op = IR_NOP };
	}
	ir_replace(r, same);
}

static bool any_to_replace(const struct ir_region *r)
{
	for (u32 v = 1; v < r->n_insn; v++)
		if (whole_of(r, r->insn + v))
			return true;
	return false;
}

void ir_pass_words(struct ir_region *r)
{
	struct words w = { .r = r, .n_slot = (u32)r->n_slot + r->n_local };
	if (r->quick || r->n_block < 2 || !any_to_replace(r))
		return;
	size_t in = (size_t)r->n_block * w.n_slot;
	u32 *order = ir_scratch(r, (r->n_block + r->n_insn) * sizeof(u32) + r->n_insn + in + w.n_slot),
	    rounds = 0;
	ir_ref *same = order + r->n_block;
	w.fact = (u8 *)(same + r->n_insn);
	w.in = w.fact + r->n_insn;
	w.now = w.in + in;
	memset(w.fact, BOTH, r->n_insn);
	memset(w.in, BOTH, in);
	memset(w.in, 0, w.n_slot); /* block 0: the region's beginning */
	u32 n_order = ir_block_order(r, order);
	while (round_of(&w, order, n_order))
		if (++rounds == MOST_ROUNDS)
			return;
	replace(&w, same);
}
