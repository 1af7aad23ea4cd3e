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

static unsigned slot_of(const struct jit *j, u64 imm)
{
	return imm >= IR_LOCAL ? imm - IR_LOCAL + j->r->n_slot : imm;
}

static void lower_slots(struct jit *j, const struct ir_insn *in, u32 v)
{
	unsigned slot = slot_of(j, in->imm);
	if (in->op == IR_GET) {
		get_slot(j, v, slot);
	} else if (in->op == IR_SET) {
		set_slot(j, slot, in->a);
	} else {
		j->job->unsupported = true; /* GETX, SETX: no guest uses them yet */
	}
}

static void lower_fpflags(struct jit *j, const struct ir_insn *in, u32 v)
{
	flags_clobber(j);
	x_room(&j->c);
	x_rm(&j->c, MAP0F | 0xae, 3, CPU(host_fp)); /* stmxcsr */
	if (in->op == IR_FPFLAGS) {
		unsigned d = def_gpr(j, v), t = temp_gpr(j);
		x_rm(&j->c, X_MOV_LOAD, d, CPU(host_fp));
		x_mov_rr(&j->c, 0, t, d);
		x_alu_ri(&j->c, X_AND, 0, d, 1); /* IE */
		x_shift_ri(&j->c, 5, 0, t, 1); /* ZE OE UE PE follow DE */
		x_alu_ri(&j->c, X_AND, 0, t, 0x1e);
		x_rr(&j->c, X_ALU(X_OR), d, t);
		x_rm(&j->c, X_ALU(X_OR), d, CPU(fp_flags));
		j->val[v].flags |= VF_ZERO_UPPER;
		return;
	}
	x_alu_mi(&j->c, X_AND, 0, CPU(host_fp), ~0x3f);
	x_rm(&j->c, MAP0F | 0xae, 2, CPU(host_fp)); /* ldmxcsr */
	unsigned r = use_gpr(j, in->a);
	x_rm(&j->c, X_MOV_STORE, r, CPU(fp_flags));
}

static void lower(struct jit *j, const struct ir_insn *in, u32 v)
{
	const char *flags = ir_op_info[in->op].flags;
	switch (in->op) {
	case IR_NOP: case IR_ARGS:
		return;
	case IR_INSN:
		j->insn_pc = in->imm;
		return;
	case IR_GET: case IR_SET: case IR_GETX: case IR_SETX:
		lower_slots(j, in, v);
		return;
	case IR_FPFLAGS: case IR_SETFPFLAGS:
		lower_fpflags(j, in, v);
		return;
	case IR_CALL:
		lower_call(j, in, v);
		return;
	case IR_CLEAN:
		lower_clean(j, in);
		return;
	case IR_CONST: case IR_VCONST:
		return; /* where it is used */
	case IR_PHI:
		j->job->unsupported = true;
		return;
	}
	if (strchr(flags, 'E')) {
		lower_end(j, in);
		return;
	}
	bool pure = strchr(flags, 'P');
	if (pure && !j->val[v].uses)
		return;
	if (strchr(flags, 'M') || in->op == IR_PREFETCH) {
		if (!lower_mem(j, in, v))
			j->job->unsupported = true;
		return;
	}
	if (j->val[v].flags & VF_LATER && (in->op == IR_ADD || in->op == IR_SHL)) {
		use_later(j, v);
		return;
	}
	if (!lower_int(j, in, v) && !lower_vec(j, in, v) && !lower_fp(j, in, v))
		lower_slow(j, in, v);
}

static void emit_block(struct jit *j, u32 number)
{
	const struct ir_region *r = j->r;
	const struct ir_block *b = &r->block[number];
	struct blk *x = &j->blk[number];
	if (x->has_snap)
		snap_give(j, x);
	else if (x->preds != 1)
		alloc_reset(j);
	x->start = j->c.p;
	for (u32 f = x->fixes; f; f = j->fix[f - 1].next)
		x_patch(j->fix[f - 1].rel, x->start);
	x->fixes = 0;
	const struct ir_insn *first = &r->insn[b->first];
	if (first->op == IR_NOP && b->count > 1)
		first++;
	if (x->loop_head && first->op == IR_INSN)
		poll_stop(j, first->imm);
	for (u32 i = b->first; i < b->first + b->count && !j->c.full && !j->job->unsupported; i++) {
		j->cur = i;
		j->now = j->pos[i];
		lower(j, &r->insn[i], i);
		if (j->val[i].flags & VF_MERGE && j->val[i].at != AT_NONE)
			keep_in_frame(j, i);
		kill_dead(j);
	}
}

static void set_up(struct jit *j, struct host_job *job)
{
	const struct ir_region *r = job->region;
	j->job = job;
	j->r = r;
	j->c = (struct x64_code){ .p = job->out, .start = job->out, .end = job->out_end, .to_run = job->to_run };
	j->n_slot = r->n_slot + r->n_local;
	j->val = alloc((r->n_insn + 2) * sizeof(*j->val));
	j->blk = alloc((r->n_block + 1) * sizeof(*j->blk));
	j->pos = alloc((r->n_insn + 2) * sizeof(*j->pos));
	j->slot_home = alloc(j->n_slot + 1);
	j->slot_vals = alloc((j->n_slot + 1) * sizeof(*j->slot_vals));
	choose_homes(job->slot, job->hot_int, job->hot_vec, j->home);
	for (unsigned reg = 0; reg < 16; reg++) {
		job->home_gpr[reg] = job->home_vec[reg] = 0xff;
		if (j->home[0][reg] != NO_SLOT) {
			j->slot_home[j->home[0][reg]] = reg + 1;
			job->home_gpr[reg] = j->home[0][reg];
		}
		if (j->home[1][reg] != NO_SLOT) {
			j->slot_home[j->home[1][reg]] = reg + 17;
			job->home_vec[reg] = j->home[1][reg];
		}
	}
	alloc_start(j);
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

static void tear_down(struct jit *j)
{
	for (u32 i = 0; i < j->r->n_block; i++)
		free(j->blk[i].snap.val);
	free(j->val);
	free(j->blk);
	free(j->pos);
	free(j->slot_home);
	free(j->slot_vals);
	free(j->order);
	free(j->live);
	free(j->cold);
	free(j->fix);
}

void host_compile(struct host_job *job)
{
	struct jit j = { 0 };
	job->n_site = 0;
	job->size = 0;
	job->n_slow = 0;
	job->unsupported = false;
	set_up(&j, job);
	prepass(&j);
	mark_loops(&j);
	for (u32 o = 0; o < j.n_order && !j.c.full && !job->unsupported; o++) {
		j.next_block = o + 1 < j.n_order ? j.order[o + 1] : ~0u;
		emit_block(&j, j.order[o]);
	}
	if (!j.c.full && !job->unsupported)
		emit_cold(&j);
	if (!j.c.full && !job->unsupported)
		job->size = j.c.p - j.c.start;
	job->stopped = j.cur;
	tear_down(&j);
}
