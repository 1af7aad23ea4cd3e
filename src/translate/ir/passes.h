/*
 * The passes that every translation goes through. Each takes time linear in the region's length and keeps its memory with the region.
 * They work in place: what is removed becomes IR_NOP, values keep their numbers, blocks their places.
 */
#pragma once
#include "translate/ir/ir.h"

/*
 * Values instead of slots: a GET takes what the SET or GET before it, in its block or in the only block that leads there, had; SETs of what
 * the slot holds already go. Then constants, algebra, chains of width changes, conditions of comparisons, and in each block
 * operations that were done before (not in quick regions).
 */
void ir_pass_forward(struct ir_region *r);

/*
 * Words that are extended to 64 bits though their slot, on every way to where they are read, holds nothing but such: the slot's value instead (words.c).
 * Behind ir_pass_forward; not in quick regions.
 */
void ir_pass_words(struct ir_region *r);

/*
 * Removes SETs that nobody can see, and values that nobody uses. A slot of type flags counts as seen by GETs, helpers that read it, and
 * exits only: where an instruction faults, the flags may be those of an earlier instruction when the ones it saw are overwritten on
 * every path that goes on. flags_dead_at, or NULL: whether the guest code at pc overwrites the flags before it reads them; asked for the
 * targets of JUMP, GOSUB and of RAISE without an event.
 */
void ir_pass_dead(struct ir_region *r, bool (*flags_dead_at)(void *user, u64 pc), void *user);

/* ---- inside passes ---- */

/* Memory for a pass, not cleared; the next call takes it back. */
static inline void *ir_scratch(struct ir_region *r, size_t size)
{
	if (size > r->scratch_cap) {
		free(r->scratch);
		r->scratch_cap = 0;
		r->scratch = grow(NULL, &r->scratch_cap, size, 1);
	}
	return r->scratch;
}

/* Where a block's end leads inside the region: none to two blocks. */
static inline unsigned ir_successors(const struct ir_region *r, u32 block, u32 to[2])
{
	const struct ir_insn *end = r->insn + r->block[block].first + r->block[block].count - 1;
	if (end->op == IR_BR) {
		to[0] = end->a;
		return 1;
	}
	if (end->op != IR_BRC)
		return 0;
	to[0] = end->b;
	to[1] = end->c;
	return 2;
}

/* Slots and, behind them, locals by one number. */
static inline u32 ir_slot_number(const struct ir_region *r, u64 slot)
{
	return slot >= IR_LOCAL ? r->n_slot + (u32)(slot - IR_LOCAL) : (u32)slot;
}

/* What is known of each slot (`each` bytes, all 0 for nothing) when in has been done, as far as it is a CALL or SETX: nothing of those that it may write. */
void ir_forget_written(const struct ir_region *r, const struct ir_insn *in, void *known, size_t each);

/* Is it a word that was shifted right, and so has no sign? */
bool ir_lost_sign(const struct ir_region *r, const struct ir_insn *in);

/* The blocks that have instructions, in the order of those. Returns how many; order: room for all. */
u32 ir_block_order(const struct ir_region *r, u32 *order);

/*
 * set, a SETFPFLAGS in the block that begins with first: where it puts back what was read, and only numbers were compared since (each with the
 * same other one), it becomes UNRAISE.
 */
void ir_unraise(struct ir_region *r, struct ir_insn *set, ir_ref first);

/* Puts same[v] in the place of each value v that is used. */
void ir_replace(struct ir_region *r, const ir_ref *same);

/* One instruction by itself: what value it is the same as (0: none), or in place a simpler one. It lies in the region, or is about to. */
ir_ref ir_simplify(struct ir_region *r, struct ir_insn *in);
