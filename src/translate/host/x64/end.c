/* Ends of blocks, exits of regions, calls into C, and the code that lies out of line. */
#include "translate/host/x64/jit.h"

struct cold *cold_new(struct jit *j, unsigned kind, u8 *from)
{
	j->cold = grow(j->cold, &j->cold_cap, j->n_cold + 1, sizeof(*j->cold));
	struct cold *c = &j->cold[j->n_cold++];
	*c = (struct cold){ .kind = kind, .from = from, .a = 0xff, .loose = j->loose };
	return c;
}

void cold_slow(struct jit *j, u8 *from, const struct ir_insn *in, u32 v, unsigned dst, unsigned a, unsigned b,
	       unsigned c)
{
	struct cold *k = cold_new(j, COLD_SLOW, from);
	k->insn = v;
	k->dst = dst, k->a = a, k->b = b, k->c = c;
	k->back = j->c.p;
}

static void call_stub(struct jit *j, const u8 *run)
{
	to_stub(j, x_call(&j->c), run);
}

static void jump_stub(struct jit *j, const u8 *run)
{
	to_stub(j, x_jmp(&j->c), run);
}

/* ---- pure operations without an inline form ---- */
static void put_desc(struct jit *j, u32 insn, unsigned dst, unsigned a, unsigned b, unsigned c)
{
	const struct ir_insn *in = &j->r->insn[insn];
	struct slow_desc d = { .imm = in->imm,
			       .op = in->op,
			       .type = in->type,
			       .lane = in->lane,
			       .dst = dst,
			       .a = a,
			       .b = b,
			       .c = c,
			       .fp = j->r->fp };
	const char *kinds = ir_op_info[in->op].operands;
	d.atype = kinds[0] == 'v' ? j->r->insn[in->a].type : 0;
	d.btype = kinds[1] == 'v' ? j->r->insn[in->b].type : 0;
	d.ctype = kinds[2] == 'v' ? j->r->insn[in->c].type : 0;
	if (kinds[1] == 'l') { /* literals travel in place of registers */
		d.b = in->b;
		d.c = in->c;
	}
	if (in->op == IR_SHUFFLE)
		memcpy(d.konst, j->r->consts[in->imm], 16);
	x_room(&j->c);
	call_stub(j, j->job->stubs->slow);
	if (j->c.p + sizeof(d) + 64 > j->c.end) {
		j->c.full = true;
		return;
	}
	memcpy(j->c.p, &d, sizeof(d));
	j->c.p += sizeof(d);
}

static unsigned operand(struct jit *j, u32 v)
{
	if (!v)
		return 0xff;
	return is_gpr(j->r->insn[v].type) ? use_gpr(j, v) : 16 + use_xmm(j, v);
}

void lower_slow(struct jit *j, const struct ir_insn *in, u32 v)
{
	const char *kinds = ir_op_info[in->op].operands;
	u32 ops[3] = { in->a, in->b, in->c };
	unsigned reg[3] = { 0xff, 0xff, 0xff };
	for (unsigned i = 0; i < 3; i++) {
		if (kinds[i] != 'v' || !ops[i])
			continue;
		enum ir_type type = j->r->insn[ops[i]].type;
		if (type == TY_FLAGS || ir_type_size(type) > 16) {
			j->job->unsupported = true;
			return;
		}
		reg[i] = operand(j, ops[i]);
	}
	if (ir_type_size(in->type) > 16) {
		j->job->unsupported = true;
		return;
	}
	j->job->n_slow++;
	j->job->last_slow = j->cur;
	flags_clobber(j);
	if (in->type == TY_FLAGS) {
		int frame = frame_new(j);
		put_desc(j, v, SLOW_FRAME + frame, reg[0], reg[1], reg[2]);
		flags_in_frame(j, v, frame);
		return;
	}
	unsigned d = is_gpr(in->type) ? def_gpr(j, v) : 16 + def_xmm(j, v);
	j->val[v].flags &= ~VF_ZERO_UPPER;
	put_desc(j, v, d, reg[0], reg[1], reg[2]);
	if (is_gpr(in->type))
		j->val[v].flags |= VF_ZERO_UPPER;
}

/* ---- helpers ---- */
void put_arg(struct jit *j, unsigned n, u32 v)
{
	struct x64_mem to = CPU(call_arg);
	if (!v)
		return;
	to.disp += n * sizeof(union ir_val);
	enum ir_type type = j->r->insn[v].type;
	if (type == TY_FLAGS) {
		flags_store(j, v, to);
		return;
	}
	if (!is_gpr(type)) {
		x_vrm(&j->c, V_MOVDQU_STORE, use_xmm(j, v), 0, to);
		return;
	}
	unsigned r = use_gpr(j, v);
	if (type == TY_I64 || j->val[v].flags & VF_ZERO_UPPER) {
		x_rm(&j->c, OPW | X_MOV_STORE, r, to);
		return;
	}
	unsigned t = temp_gpr(j);
	if (type <= TY_I8)
		x_rr(&j->c, X_MOVZX8 | OPB, t, r);
	else if (type == TY_I16)
		x_rr(&j->c, X_MOVZX16, t, r);
	else
		x_mov_rr(&j->c, 0, t, r);
	if (type == TY_I1) {
		flags_clobber(j);
		x_alu_ri(&j->c, X_AND, 0, t, 1);
	}
	x_rm(&j->c, OPW | X_MOV_STORE, t, to);
	j->lock_gpr &= ~BIT(t);
}

static void release_locks(struct jit *j)
{
	j->lock_gpr = j->lock_xmm = 0;
}

/* All slots to the CPU state, values to the frame, then the stub calls and brings the slots back. fn in RAX, guest pc in RCX. */
void call_c(struct jit *j, u64 fn)
{
	release_locks(j);
	flags_clobber(j);
	release_locks(j);
	lazy_flush_all(j);
	release_locks(j);
	forget_copies(j);
	for (unsigned s = 0; s < j->n_slot; s++) /* what lies at a slot may be changed by the call */
		if (j->slot_vals[s] && (s < j->r->n_slot)) {
			slot_changed(j, s);
			release_locks(j);
		}
	spill_all(j);
	system_forget(j);
	mend(j);
	homes_leave(j);
	mov_image(j, RAX, fn);
	x_mov_ri(&j->c, RCX, j->insn_pc);
	call_stub(j, j->job->stubs->helper);
	homes_called(j);
}

void lower_call(struct jit *j, const struct ir_insn *in, u32 v)
{
	const struct ir_helper *h = (const struct ir_helper *)(uintptr_t)in->imm;
	const struct ir_insn *more = in - 1;
	u32 args[6] = { in->a, in->b, in->c };
	if (more->op == IR_ARGS)
		args[3] = more->a, args[4] = more->b, args[5] = more->c;
	for (unsigned i = 0; i < 6; i++) {
		put_arg(j, i, args[i]);
		release_locks(j);
	}
	call_c(j, (u64)(uintptr_t)h->fn);
	call_result(j, in, v);
}

void call_result(struct jit *j, const struct ir_insn *in, u32 v)
{
	if (!in->type || !j->val[v].uses)
		return;
	struct x64_mem from = CPU(call_ret);
	if (in->type == TY_FLAGS) {
		int frame = frame_new(j);
		unsigned t = temp_gpr(j);
		x_rm(&j->c, X_MOV_LOAD, t, from);
		x_rm(&j->c, X_MOV_STORE, t, frame_mem(frame));
		flags_in_frame(j, v, frame);
	} else if (is_gpr(in->type)) {
		unsigned d = def_gpr(j, v);
		x_rm(&j->c, OPW | X_MOV_LOAD, d, from);
	} else {
		x_vrm(&j->c, V_MOVDQU_LOAD, def_xmm(j, v), 0, from);
	}
}

/* CLEAN: tells the engine, by the CPU's hook. */
void lower_clean(struct jit *j, const struct ir_insn *in)
{
	struct x64_mem len = CPU(call_arg);
	put_arg(j, 0, in->a);
	release_locks(j);
	len.disp += sizeof(union ir_val);
	unsigned t = temp_gpr(j);
	x_mov_ri(&j->c, t, in->imm);
	x_rm(&j->c, OPW | X_MOV_STORE, t, len);
	call_c(j, (u64)(uintptr_t)host_clean);
}

/* ---- jumps inside the region ---- */
/*
 * A jump forwards has a displacement of 8 bits where the IR instructions that it skips are so few that they are likely to make no more code than it reaches over:
 * of 27 in the first tier one in a hundred skips makes more than 127 bytes. Where one does not reach, the region is compiled again without such (host_compile).
 */
static bool likely_near(const struct jit *j, u32 pos, unsigned more)
{
	enum {
		NEAR = 27,
		NEAR_LAZY = 16 /* slots are set at the ends of blocks */,
		NEAR_SYSTEM = 13 /* accesses are longer */
	};
	unsigned most = j->job->link_bits ? NEAR_SYSTEM : j->lazy ? NEAR_LAZY : NEAR;
	return !j->long_jumps && pos - j->now + more <= most;
}

enum { ALWAYS = 16 }; /* beside enum x64_cc */

/* Returns where the displacement lies. */
static u8 *jump(struct jit *j, unsigned cc, bool near)
{
	if (cc == ALWAYS)
		return near ? x_jmp8(&j->c) : x_jmp(&j->c);
	return near ? x_jcc8(&j->c, cc) : x_jcc(&j->c, cc);
}

void jump_patch(struct jit *j, u8 *rel, bool near, const u8 *target)
{
	ptrdiff_t d = target - (rel + 1);
	if (!near)
		x_patch(rel, target);
	else if (d == (i8)d)
		*rel = (u8)d;
	else
		j->too_far = true;
}

/* To a piece that is among the first behind the region; in the second tier they are too long for that. */
static struct cold *jump_cold(struct jit *j, unsigned kind, unsigned cc)
{
	bool near = !j->lazy && likely_near(j, j->end_pos, j->n_cold_near);
	struct cold *c = cold_new(j, kind, jump(j, cc, near));
	c->from_near = near;
	j->n_cold_near += near;
	return c;
}

static void to_block(struct jit *j, unsigned cc, u32 block)
{
	struct blk *b = &j->blk[block];
	bool near = b->start ? b->start - j->c.p >= -126 : likely_near(j, b->first_pos, 0);
	u8 *rel = jump(j, cc, near);
	if (b->start) {
		jump_patch(j, rel, near, b->start);
		return;
	}
	j->fix = grow(j->fix, &j->fix_cap, j->n_fix + 1, sizeof(*j->fix));
	j->fix[j->n_fix] = (struct fix){ rel, b->fixes, near };
	b->fixes = ++j->n_fix;
}

/* ---- ends of blocks ---- */
static void leave_state(struct jit *j, u32 block)
{
	struct blk *b = &j->blk[block];
	if (b->preds == 1 && j->next_block != block && !b->has_snap)
		snap_take(j, b);
}

/*
 * Room so that the displacement at p + ahead does not straddle: it is patched while others run. Stores are whole within 8 aligned bytes; Intel says within
 * a line of the cache (SDM volume 3, 9.1.1), AMD does not (AMD64 APM volume 1, 3.9, "Atomicity of accesses").
 */
static void align_link(struct jit *j, unsigned ahead)
{
	x_room(&j->c);
	while (((uintptr_t)j->c.p + ahead) % 8 > 4) /* all of it one NOP with prefixes */
		x_byte(&j->c, ((uintptr_t)j->c.p + ahead) % 8 == 7 ? 0x90 : 0x66);
}

/* May a jump go straight to the translation of pc, whatever page tables become? */
static bool linkable(const struct jit *j, u64 pc)
{
	unsigned bits = j->job->link_bits;
	return !bits || (!((pc ^ j->r->pc) >> bits) && (pc & BITS(bits)) + j->job->insn_max <= BIT(bits));
}

/*
 * Does a jump out to pc ask whether to stop? Regions that follow one another without it begin at higher and higher addresses, so no way round is without: inside a region
 * loops' heads ask, and indirect jumps come out by themselves then (cpu_stop).
 */
static bool asks(const struct jit *j, u64 pc)
{
	return pc <= j->r->pc;
}

/* Is the block nothing but a jump out, none that asks whether to stop, and reached from here alone? */
static bool is_way_out(const struct jit *j, u32 block, u64 *ret_pc)
{
	const struct ir_block *b = &j->r->block[block];
	const struct ir_insn *in = j->r->insn + b->first, *end = in + b->count - 1;
	while (in < end && in->op == IR_NOP)
		in++;
	*ret_pc = end->imm;
	return in == end && !j->n_moved && !j->loose && end->op == IR_JUMP && !asks(j, end->imm) &&
	       j->blk[block].preds == 1 && linkable(j, end->imm);
}

static void jcc_to(struct jit *j, unsigned cc, u32 block)
{
	u64 pc;
	if (!is_way_out(j, block, &pc)) {
		to_block(j, cc, block);
		return;
	}
	align_link(j, 2);
	cold_new(j, COLD_LINK, x_jcc(&j->c, cc))->pc = pc;
	j->blk[block].in_branch = true;
}

static void branch(struct jit *j, const struct ir_insn *in)
{
	struct cc cc = cc_of(j, in->a);
	u32 yes = in->b, no = in->c;
	if (j->next_block == yes) {
		u32 t = yes;
		yes = no, no = t;
		cc = cc_not(cc);
	}
	kill_dead(j);
	if (!cc.two) {
		jcc_to(j, cc.a, yes);
	} else if (cc.two == 2) {
		jcc_to(j, cc.a, yes);
		jcc_to(j, cc.b, yes);
	} else {
		u8 *skip = x_jcc8(&j->c, cc.a ^ 1);
		jcc_to(j, cc.b, yes);
		x_patch8(&j->c, skip);
	}
	if (!j->blk[yes].in_branch)
		leave_state(j, yes);
	leave_state(j, no);
	if (j->next_block != no)
		to_block(j, ALWAYS, no);
}

/*
 * A jump that never comes out otherwise asks whether it shall. Where it shall, all bits of cpu->stop are set; an instruction without a constant is one
 * operation with the jump behind it.
 */
void emit_poll(struct jit *j, u64 pc)
{
	flags_clobber(j);
	x_rm(&j->c, X_TEST, RBP, CPU(stop));
	struct cold *c = jump_cold(j, COLD_EVENT, XC_NE);
	c->event = EV_NONE;
	c->pc = pc;
}

/* A region that counts how often it runs comes out when that was often. */
void emit_count(struct jit *j, u64 pc)
{
	u32 slot = host_heat_slot(j->r->pc, j->job->insn_shift);
	flags_clobber(j);
	x_alu_mi(&j->c, X_SUB, 0, CPU(heat[slot]), 1);
	jump_cold(j, COLD_HOT, XC_B)->pc = pc;
}

/*
 * To the guest address in a register by the CPU's hash of translations; odd: it is RAX, and the lowest bit does not count. Where the index is the low 16 bits without
 * that bit, what is odd is compared with the code of an entry, which is even.
 */
static void through_table(struct jit *j, unsigned target, bool odd)
{
	unsigned shift = j->job->insn_shift, index = target == RCX ? RAX : RCX,
		 table = target == RDX ? RAX : RDX;
	struct x64_mem entry = { .base = table, .index = index, .scale = shift ? 4 - shift : 0 };
	if (shift + HOST_JUMP_BITS == 16) {
		x_rr(&j->c, X_MOVZX16, index, target);
	} else {
		x_mov_rr(&j->c, 0, index, target);
		x_alu_ri(&j->c, X_AND, 0, index, ((1 << HOST_JUMP_BITS) - 1) << shift);
	}
	if (shift == 0)
		x_shift_ri(&j->c, 4, 0, index, 4);
	x_rm(&j->c, OPW | X_MOV_LOAD, table, CPU(jump_table));
	x_rm(&j->c, OPW | X_ALU(X_CMP), target, entry);
	if (odd)
		jump_cold(j, COLD_ODD, XC_NE);
	else
		to_stub(j, x_jcc(&j->c, XC_NE), j->job->stubs->miss[target]);
	entry.disp = 8;
	x_rm(&j->c, 0xff, 4, entry); /* jmp */
}

static void direct(struct jit *j, u64 pc)
{
	if (asks(j, pc))
		emit_poll(j, pc);
	mend(j);
	homes_leave(j);
	if (!linkable(j, pc)) {
		flags_clobber(j);
		x_mov_ri(&j->c, RAX, pc);
		through_table(j, RAX, false);
		return;
	}
	align_link(j, 1);
	cold_new(j, COLD_LINK, x_jmp(&j->c))->pc = pc;
}

static void indirect(struct jit *j, u32 target)
{
	bool odd = j->val[target].at == AT_USE && j->r->insn[target].op == IR_AND;
	if (odd)
		target = j->r->insn[target].a;
	unsigned r = use_gpr(j, target);
	bool wide = j->r->insn[target].type == TY_I64;
	flags_clobber(j);
	if (!wide || (r != RAX && (odd || j->loose || j->n_moved))) { /* it is changed, or registers are */
		x_mov_rr(&j->c, wide ? OPW : 0, RAX, r);
		r = RAX;
	}
	mend(j);
	homes_leave(j);
	through_table(j, r, odd);
}

static void leave(struct jit *j, u64 pc, u32 event)
{
	x_mov_ri(&j->c, RAX, pc);
	x_rm(&j->c, OPW | X_MOV_STORE, RAX, CPU(pc));
	x_mov_ri(&j->c, RAX, event);
	leave_by_exit(j);
}

void leave_by_exit(struct jit *j)
{
	if (j->leave) {
		x_patch(x_jmp(&j->c), j->leave);
		return;
	}
	homes_leave(j);
	jump_stub(j, j->job->stubs->exit);
}

void lower_end(struct jit *j, const struct ir_insn *in)
{
	/* before a branch, too: ways out get no longer for what would be stored on both ways in most code */
	if (in->op != IR_BR || j->blk[in->a].preds != 1 || j->next_block != in->a)
		lazy_flush_all(j);
	switch (in->op) {
	case IR_BR:
		kill_dead(j);
		leave_state(j, in->a);
		if (j->next_block != in->a)
			to_block(j, ALWAYS, in->a);
		break;
	case IR_BRC:
		branch(j, in);
		break;
	case IR_JUMP:
	case IR_GOSUB:
		direct(j, in->imm);
		break;
	case IR_JUMPI:
	case IR_GOSUBI:
	case IR_RETURN:
		indirect(j, in->a);
		break;
	case IR_RAISE:
		if (!in->a) {
			x_rm(&j->c, OPW | 0xc7, 0, CPU(event_arg));
			x_32(&j->c, 0);
		} else {
			unsigned r = use_gpr(j, in->a);
			if (j->r->insn[in->a].type != TY_I64 && !(j->val[in->a].flags & VF_ZERO_UPPER)) {
				unsigned t = temp_gpr(j);
				x_mov_rr(&j->c, 0, t, r);
				r = t;
			}
			x_rm(&j->c, OPW | X_MOV_STORE, r, CPU(event_arg));
		}
		mend(j);
		x_mov_ri(&j->c, RCX, j->insn_pc);
		x_rm(&j->c, OPW | X_MOV_STORE, RCX, CPU(insn_pc));
		leave(j, in->imm, in->b);
		break;
	default:
		j->job->unsupported = true;
	}
}

/* Back if all .dst bytes from the address in register a on lie in the same aligned 16. */
static void back_if_within(struct jit *j, const struct cold *c)
{
	unsigned t = c->a == RCX ? RDX : RCX;
	x_rm(&j->c, OPW | X_MOV_STORE, t, CPU(scratch[2]));
	x_lea(&j->c, OPW, t, (struct x64_mem){ .base = c->a, .index = NOREG, .disp = c->dst - 1 });
	x_rr(&j->c, OPW | X_ALU(X_XOR), t, c->a);
	x_rr(&j->c, 0xf6 | OPB, 0, t); /* test r8, imm8 */
	x_byte(&j->c, 16);
	x_rm(&j->c, OPW | X_MOV_LOAD, t, CPU(scratch[2]));
	x_patch(x_jcc(&j->c, XC_E), c->back);
}

/* Leaves by a call; jump: whose 32-bit displacement is set when it is linked, or NULL. */
static void leave_by_call(struct jit *j, unsigned what, u64 pc, const u8 *jump)
{
	struct host_job *job = j->job;
	x_patch(x_call(&j->c), job->stubs->out - j->c.to_run);
	job->ways = grow(job->ways, &job->ways_cap, job->n_ways + 1, sizeof(*job->ways));
	job->ways[job->n_ways++] = (struct host_out){ .pc = pc,
						      .at = (u32)(j->c.p - j->c.start),
						      .what = what,
						      .site = jump ? (u32)(jump - j->c.start) : 0 };
}

static void emit_event(struct jit *j, const struct cold *c)
{
	if (c->kind == COLD_WITHIN)
		back_if_within(j, c);
	if (c->event == EV_ALIGN) {
		x_rm(&j->c, OPW | X_MOV_STORE, c->a, CPU(fault_addr));
		x_rm(&j->c, 0xc7, 0, CPU(fault_code));
		x_32(&j->c, 1); /* BUS_ADRALN */
		x_rm(&j->c, 0xc6, 0, CPU(fault_write));
		x_byte(&j->c, c->b);
	}
	emit_mend(j, c);
	if (!j->leave)
		leave_by_call(j, c->event, c->pc, NULL);
	else
		leave(j, c->pc, c->event);
}

static void emit_piece(struct jit *j, const struct cold *c)
{
	u32 i = (u32)(c - j->cold);
	if (c->from)
		jump_patch(j, c->from, c->from_near, j->c.p);
	if (c->kind == COLD_SLOW) {
		put_desc(j, c->insn, c->dst, c->a, c->b, c->c);
		for (u32 k = 0; k < j->n_aside; k++)
			if (j->aside[k].insn == c->insn && j->aside[k].n_cold > i)
				move_aside(j, j->aside[k].xmm, j->aside[k].reg, j->aside[k].frame);
		x_patch(x_jmp(&j->c), c->back);
	} else if (c->kind == COLD_MISS) {
		emit_miss(j, c);
	} else if (c->kind == COLD_COMPARE) {
		emit_compare(j, c);
	} else if (c->kind == COLD_MEND) {
		emit_mend(j, c);
	} else if (c->kind == COLD_NAN) {
		emit_nan(j, c);
	} else if (c->kind == COLD_UNRAISE) {
		emit_unraise(j, c);
	} else if (c->kind == COLD_ODD) {
		x_alu_ri(&j->c, X_AND, OPW, RAX, ~1);
		jump_stub(j, j->job->stubs->miss[RAX]);
	} else if (c->kind == COLD_FAR) {
		emit_far(j, c);
	} else if (c->kind == COLD_LINK) {
		leave_by_call(j, HOST_LINK, c->pc, c->from);
	} else if (c->kind == COLD_HOT) {
		leave_by_call(j, HOST_HOT, c->pc, NULL);
	} else {
		emit_event(j, c);
	}
}

void emit_cold(struct jit *j)
{
	homes_way_out(j);
	for (unsigned near = 2; near-- > 0;) { /* first those that jumps of 8 bits lead to */
		for (u32 i = 0; i < j->n_cold; i++) {
			x_room(&j->c);
			if (j->c.full)
				return;
			if (j->cold[i].from_near == near)
				emit_piece(j, &j->cold[i]);
		}
	}
}
