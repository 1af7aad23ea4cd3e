/* One region into machine code: the loop over its instructions. See jit.h. */
#include "translate/host/x64/jit.h"

/* Gives the guest's hottest slots their registers. The same for every region, and for the stubs. */
void choose_homes(const struct ir_slot *slot, const u16 *hot_int, const u16 *hot_vec, u16 home[2][16])
{
	static const u8 pins[] = { RBX, RSI, RDI, R8, R9, R10, R12, R13, R14, R15 };
	for (unsigned r = 0; r < 16; r++)
		home[0][r] = home[1][r] = NO_SLOT;
	for (unsigned i = 0; hot_int && i < LEN(pins) && hot_int[i] != NO_SLOT; i++)
		home[0][pins[i]] = hot_int[i];
	for (unsigned i = 0; hot_vec && i < XMM_TEMP0 && hot_vec[i] != NO_SLOT; i++)
		home[1][i] = hot_vec[i];
}

/* Between the home of a slot, if it has one, and where it lies in the CPU state. */
static void home_to_state(struct jit *j, unsigned slot, bool store)
{
	unsigned home = j->slot_home[slot];
	bool wide = ir_type_size(j->r->slot[slot].type) == 8;
	if (home && home <= 16)
		x_rm(&j->c, (wide ? OPW : 0) | (store ? X_MOV_STORE : X_MOV_LOAD), home - 1,
		     slot_mem(j, slot));
	else if (home)
		x_vrm(&j->c, xmm_move(j->r->slot[slot].type, store), home - 17, 0, slot_mem(j, slot));
}

/* An element of an array of slots: by way of the CPU state  */
static bool indexed(struct jit *j, const struct ir_insn *in, u32 v)
{
	const struct ir_slot *slot = &j->r->slot[in->imm];
	unsigned n = slot->array, stride = n > 1 ? slot[1].offset - slot->offset : 0,
		 size = ir_type_size(slot->type);
	bool set = in->op == IR_SETX;
	if (slot->type == TY_FLAGS || slot->type == TY_I1 || size > 16 || slot->type == TY_F16)
		return false;
	bool xmm = !is_gpr(slot->type);
	for (unsigned i = 0; i < n; i++)
		if (slot[i].offset != slot->offset + i * stride || slot[i].type != slot->type)
			return false;
	flags_clobber(j);
	lazy_flush_all(j);
	unsigned index = use_gpr(j, in->a), t = temp_gpr(j);
	unsigned r = set ? (xmm ? use_xmm(j, in->b) : use_gpr(j, in->b)) : 0;
	for (unsigned i = 0; i < n; i++) {
		if (set)
			slot_changed(j, in->imm + i);
		home_to_state(j, in->imm + i, true);
	}
	x_rr(&j->c, 0x69, t, index); /* imul t, index, stride */
	x_32(&j->c, stride);
	struct x64_mem m = { RBP, t, 0, slot->offset - STATE_BIAS };
	if (!set)
		r = xmm ? def_xmm(j, v) : def_gpr(j, v);
	if (!xmm) {
		u32 store = size == 1	? 0x88 | OPB
			    : size == 2 ? P66 | 0x89
			    : size == 8 ? OPW | X_MOV_STORE
					: X_MOV_STORE;
		u32 load = size == 1   ? X_MOVZX8
			   : size == 2 ? X_MOVZX16
			   : size == 8 ? OPW | X_MOV_LOAD
				       : X_MOV_LOAD;
		x_rm(&j->c, set ? store : load, r, m);
	} else {
		u32 store = size >= 10 ? V_MOVDQU_STORE : size == 8 ? V_MOVQ_STORE : V_MOVD_STORE;
		u32 load = size >= 10 ? V_MOVDQU_LOAD : size == 8 ? V_MOVQ_LOAD : V_MOVD_LOAD;
		x_vrm(&j->c, set ? store : load, r, 0, m);
	}
	for (unsigned i = 0; set && i < n; i++)
		home_to_state(j, in->imm + i, false);
	return true;
}

static void lower_slots(struct jit *j, const struct ir_insn *in, u32 v)
{
	unsigned slot = slot_of(j, in->imm);
	if (in->op == IR_GET) {
		get_slot(j, v, slot);
		lazy_touched(j, slot, j->now);
	} else if (in->op == IR_SET) {
		unsigned box = box_of(j, slot);
		if (box != NO_SLOT)
			slot_changed(j, box);
		set_slot(j, slot, in->a);
		if (box != NO_SLOT)
			box_set(j, slot, in->a);
		lazy_touched(j, slot, j->now);
	} else if (!indexed(j, in, v)) {
		j->job->unsupported = true;
	}
}

static void lower(struct jit *j, const struct ir_insn *in, u32 v)
{
	switch (in->op) {
	case IR_GET:
	case IR_SET:
	case IR_GETX:
	case IR_SETX:
		lower_slots(j, in, v);
		return;
	case IR_FPFLAGS:
	case IR_SETFPFLAGS:
	case IR_UNRAISE:
		lower_fp_flags(j, in, v);
		return;
	case IR_CALL:
		lower_call(j, in, v);
		return;
	case IR_CLEAN:
		lower_clean(j, in);
		return;
	case IR_PHI:
		j->job->unsupported = true;
		return;
	}
	if (ir_has(in->op, IR_F_END)) {
		lower_end(j, in);
		return;
	}
	bool pure = ir_has(in->op, IR_F_PURE);
	if (pure && !j->val[v].uses)
		return;
	if (ir_has(in->op, IR_F_MEM) || in->op == IR_PREFETCH) {
		if (in->op != IR_FENCE && (in->mem.align || (in->op != IR_LD && in->op != IR_ST)))
			lazy_flush_all(j); /* these have ways out of their own */
		if (!lower_mem(j, in, v))
			j->job->unsupported = true;
		return;
	}
	if (j->val[v].flags & VF_LATER && (in->op == IR_ADD || in->op == IR_SHL || in->op == IR_EXTRACTU || in->op == IR_AND)) {
		use_later(j, v);
		return;
	}
	if (j->val[v].waits && lazy_wait(j, in, v))
		return;
	bool reads_flags = in->op == IR_ZEXT || in->op == IR_SELECT || in->op == IR_ADC || in->op == IR_SBC ||
			   in->type == TY_FLAGS;
	if (!reads_flags && !(j->val[v].flags & VF_LATER))
		conditions_to_gpr(j, in);
	if (!lower_int(j, in, v) && !lower_vec(j, in, v) && !lower_fp(j, in, v))
		lower_slow(j, in, v);
}

static void emit_insn(struct jit *j, u32 v, u32 pos)
{
	const struct ir_insn *in = &j->r->insn[v];
	if (j->loose && ir_has(in->op, IR_F_END))
		mend_for_ways(j, j->last_block);
	j->cur = v;
	j->now = pos;
	switch (in->op) {
	case IR_INSN:
		j->insn_pc = in->imm;
		return;
	case IR_ARGS:
	case IR_VCONST: /* where they are used */
		return;
	}
	lazy_spare_frame(j);
	lower(j, in, v);
	if (in->op == IR_SET)
		loose_step(j, v);
	if (j->val[v].flags & VF_MERGE && j->val[v].at != AT_NONE)
		keep_in_frame(j, v);
	kill_dead(j);
}

static void emit_block(struct jit *j, u32 number)
{
	const struct ir_region *r = j->r;
	const struct ir_block *b = &r->block[number];
	struct blk *x = &j->blk[number];
	if (x->in_branch)
		return;
	if (x->has_snap)
		snap_give(j, x);
	else if (x->preds != 1)
		alloc_reset(j);
	else if (number)
		cut_lives(j, x);
	lazy_block(j, x);
	x->start = j->c.p;
	if (x->preds != 1 || x->pred != j->last_block)
		system_forget(j);
	j->last_block = number;
	j->loose = x->loose;
	/* Of the block emitted before it may be another: cold ones inside an instruction come behind those that follow it. */
	if (number && b->pc)
		j->insn_pc = b->pc;
	for (u32 f = x->fixes; f; f = j->fix[f - 1].next)
		x_patch(j->fix[f - 1].rel, x->start);
	x->fixes = 0;
	const struct ir_insn *first = &r->insn[b->first];
	if (first->op == IR_NOP && b->count > 1)
		first++;
	if (x->loop_head && first->op == IR_INSN)
		emit_poll(j, first->imm);
	if (j->job->counts && (number == 0 || (x->loop_head && first->op == IR_INSN)))
		emit_count(j, number == 0 ? r->pc : first->imm);
	for (u32 pos = x->first_pos; pos < x->end_pos && !j->c.full && !j->job->unsupported; pos++)
		emit_insn(j, j->at[pos], pos);
}

/*
 * The stub that enters generated code sets MXCSR's rounding to nearest and no flushing. All regions that can follow one another without it
 * have the same rules: one with others that computes sets them where that was not done yet.
 */
static void set_float_modes(struct jit *j)
{
	static const u8 rc[] = { [FP_TO_ZERO] = 3, [FP_DOWN] = 1, [FP_UP] = 2 };
	u8 round = j->r->fp.round;
	u32 modes = (round < LEN(rc) ? (u32)rc[round] << 13 : 0) | (fp_flushes(j) ? MXCSR_FLUSH : 0);
	bool computes = false;
	if (!modes)
		return;
	for (u32 i = 1; i < j->r->n_insn; i++)
		computes |= ir_has(j->r->insn[i].op, IR_F_FLOAT);
	if (!computes)
		return;
	x_rm(&j->c, MAP0F | 0xae, 3, CPU(host_fp)); /* stmxcsr */
	x_rm(&j->c, X_MOV_LOAD, RAX, CPU(host_fp));
	x_mov_rr(&j->c, 0, RCX, RAX);
	x_alu_ri(&j->c, X_AND, 0, RAX, ~MXCSR_MODES);
	x_alu_ri(&j->c, X_OR, 0, RAX, (i32)modes);
	x_rr(&j->c, X_ALU(X_CMP), RAX, RCX);
	u8 *same = x_jcc8(&j->c, XC_E);
	x_rm(&j->c, X_MOV_STORE, RAX, CPU(host_fp));
	x_rm(&j->c, MAP0F | 0xae, 2, CPU(host_fp)); /* ldmxcsr */
	x_patch8(&j->c, same);
}

/* The homes of this guest's slots, as they are for every region: chosen for the first that a job compiles, all being of one guest. */
static void set_homes(struct jit *j, struct host_job *job)
{
	if (j->n_slot > j->slot_home_cap) { /* more local slots than ever before: they have none */
		free(j->slot_home);
		j->slot_home = alloc(j->slot_home_cap = j->n_slot + 16u);
		j->homes_of = NULL;
	}
	if (j->homes_of == job->slot)
		return;
	j->homes_of = job->slot;
	memset(j->slot_home, 0, j->slot_home_cap);
	choose_homes(job->slot, job->hot_int, job->hot_vec, j->home);
	for (unsigned reg = 0; reg < 16; reg++) {
		if (j->home[0][reg] != NO_SLOT)
			j->slot_home[j->home[0][reg]] = reg + 1;
		if (j->home[1][reg] != NO_SLOT)
			j->slot_home[j->home[1][reg]] = reg + 17;
	}
}

static void set_up(struct jit *j, struct host_job *job)
{
	const struct ir_region *r = job->region;
	j->job = job;
	j->r = r;
	j->c =
	    (struct x64_code){ .p = job->out, .start = job->out, .end = job->out_end, .to_run = job->to_run };
	j->n_slot = r->n_slot + r->n_local + MOST_BOXES;
	size_t of_insns = (r->n_insn + 2) * (sizeof(*j->val) + 8 * sizeof(u32)),
	       of_blocks = (r->n_block + 2) * (sizeof(*j->blk) + 6 * sizeof(u32)),
	       of_slots = (j->n_slot + 1) * (12 * sizeof(u32) + 1 + 16), arrays = 32;
	j->mem = grow(j->mem, &j->mem_cap, of_insns + of_blocks + of_slots + arrays * 16, 1);
	j->val = jit_mem(j, (r->n_insn + 2) * sizeof(*j->val)); /* the prepass fills it */
	j->blk = jit_zeroes(j, (r->n_block + 1) * sizeof(*j->blk));
	j->at = jit_mem(j, (r->n_insn + 2) * sizeof(*j->at));
	j->live = jit_mem(j, (r->n_insn + 2) * sizeof(*j->live));
	j->slot_vals = jit_zeroes(j, (j->n_slot + 1) * sizeof(*j->slot_vals));
	j->slot_copy = jit_zeroes(j, (j->n_slot + 1) * sizeof(*j->slot_copy));
	set_homes(j, job);
	alloc_start(j);
	lazy_start(j);
}

/* The job's struct jit, as new but for its memory and what holds for all regions. */
static struct jit *start(struct host_job *job)
{
	if (!job->own)
		job->own = alloc(sizeof(struct jit));
	struct jit *j = job->own;
	if (j->n_moved) /* the last region had others */
		j->homes_of = NULL;
	memset(&j->c, 0, sizeof(*j) - offsetof(struct jit, c));
	return j;
}

void host_job_free(struct host_job *job)
{
	struct jit *j = job->own;
	if (j) {
		free(j->mem);
		free(j->pool);
		free(j->pool_fix);
		free(j->snap);
		free(j->cold);
		free(j->aside);
		free(j->fix);
		free(j->lists);
		free(j->found_site);
		free(j->mend);
		free(j->use);
		free(j->slot_home);
		free(j);
	}
	free(job->site);
	free(job->reloc);
	free(job->ways);
	job->own = NULL;
	job->site = NULL;
	job->reloc = NULL;
	job->ways = NULL;
}

void host_compile(struct host_job *job)
{
	struct jit *j = start(job);
	job->n_site = job->n_reloc = job->n_ways = 0;
	job->size = 0;
	job->n_slow = 0;
	job->unsupported = false;
	set_up(j, job);
	prepass(j);
	homes_enter(j);
	set_float_modes(j);
	boxes_enter(j);
	for (u32 o = 0; o < j->n_order && !j->c.full && !job->unsupported; o++) {
		j->next_block = o + 1 < j->n_order ? j->order[o + 1] : ~0u;
		emit_block(j, j->order[o]);
	}
	if (!j->c.full && !job->unsupported)
		emit_cold(j);
	if (!j->c.full && !job->unsupported)
		mend_ways_out(j);
	if (!j->c.full && !job->unsupported)
		lazy_emit(j);
	if (!j->c.full && !job->unsupported)
		emit_pool(j);
	if (!j->c.full && !job->unsupported)
		job->size = j->c.p - j->c.start;
	job->stopped = j->cur;
}
