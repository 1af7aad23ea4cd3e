/*
 * Boxes opened once. Where a guest keeps f32 in registers of f64 (RISC-V), each read of one asks whether the upper half is all ones. In a loop that reads a slot
 * more often than it writes it the answer is kept: what the slot holds as f32 lies in a place of the frame as well, numbered as a local slot, from the
 * region's beginning on; whatever sets the slot sets that too. Only slots that the region sets to boxed numbers alone.
 */
#include "translate/host/x64/fp.h"

enum { READ = 1, WRITE = 2, PRICE = 6, MOST_LOCALS = 16 };

/* What keeping it open gains, by slot, and what it may cost where nothing speaks against it. */
static void weigh(const struct jit *j, const struct ir_block *b, i32 once, i32 gain[64])
{
	i32 write = j->job->moves == MOVES_ALWAYS ? 0 : once * WRITE;
	for (u32 i = b->first; i < b->first + b->count; i++) {
		const struct ir_insn *in = &j->r->insn[i], *a = &j->r->insn[in->a];
		if (in->op == IR_FUNBOX && in->type == TY_F32 && a->op == IR_GET && a->imm < 64)
			gain[a->imm] += once * READ;
		if (in->op != IR_SET || in->imm >= 64)
			continue;
		bool boxed = a->op == IR_FBOX && j->r->insn[a->a].type == TY_F32;
		gain[in->imm] -= boxed ? write : 1 << 24;
	}
}

static bool reaches_slots(const struct ir_region *r)
{
	for (u32 i = 1; i < r->n_insn; i++)
		if (slots_reached(r->insn[i].op))
			return true;
	return false;
}

void choose_boxes(struct jit *j)
{
	i32 gain[64] = { 0 }, price = j->job->moves == MOVES_ALWAYS ? 0 : PRICE;
	unsigned best;
	for (u32 o = 0; o < j->n_order; o++) {
		const struct blk *x = &j->blk[j->order[o]];
		weigh(j, &j->r->block[j->order[o]], 1 << x->depth * 3, gain);
	}
	while (j->n_box < LEN(j->box)) {
		best = 0;
		for (unsigned s = 0; s < 64; s++)
			best = gain[s] > gain[best] ? s : best;
		if (gain[best] <= price || j->r->n_local > MOST_LOCALS || (!j->n_box && reaches_slots(j->r)))
			break;
		gain[best] = 0;
		unsigned place = (unsigned)j->r->n_local + j->n_box;
		j->box[j->n_box++] = best;
		j->frame_kept |= BIT(FRAME_SLOTS - 1 - place);
	}
	j->frame_used |= j->frame_kept;
}

unsigned box_of(const struct jit *j, unsigned slot)
{
	for (unsigned i = 0; i < j->n_box; i++)
		if (j->box[i] == slot)
			return j->r->n_slot + j->r->n_local + i;
	return NO_SLOT;
}

void boxes_enter(struct jit *j)
{
	u64 nan = j->n_box ? (u64)fp_default_nan(FP_F32, &j->r->fp) : 0;
	for (unsigned i = 0; i < j->n_box; i++) {
		unsigned home = j->slot_home[j->box[i]], r = home ? home - 17u : XMM_TEMP0;
		x_room(&j->c);
		if (home)
			x_vrr(&j->c, V_MOVAPS, XMM_TEMP0, 0, r);
		else
			x_vrm(&j->c, V_MOVQ_LOAD, r, 0, slot_mem(j, j->box[i]));
		fp_test_box(j, 4, XMM_TEMP0);
		u8 *fine = x_jcc8(&j->c, XC_B);
		v_splat(j, V_MOVD_LOAD, XMM_TEMP0, 0, 4, nan, 0);
		x_patch8(&j->c, fine);
		x_vrm(&j->c, V_MOVD_STORE, XMM_TEMP0, 0, slot_mem(j, box_of(j, j->box[i])));
	}
}

void box_set(struct jit *j, unsigned slot, u32 v)
{
	x_vrm(&j->c, V_MOVD_STORE, use_xmm(j, v), 0, slot_mem(j, box_of(j, slot)));
}

bool box_opened(struct jit *j, const struct ir_insn *in, u32 v)
{
	const struct val *a = &j->val[in->a];
	unsigned place = a->at == AT_SLOT && in->type == TY_F32 ? box_of(j, a->slot) : NO_SLOT;
	if (place == NO_SLOT)
		return false;
	put_slot(j, v, place);
	j->val[v].flags &= ~VF_ZERO_UPPER;
	return true;
}
