/*
 * Guest memory in system mode: an access looks its address up in the table of its context (host.h, HOST_TLB_*), inline, or reaches it in the
 * window that GS begins at. What is not there goes out of line to the engine, which does the access itself, makes place for the next one,
 * or ends the region with the guest's fault.
 */
#include "translate/host/x64/jit.h"

/* Behind the call of stubs->miss: what the access is, and where to go on. */
struct miss_desc {
	struct ir_mem mem;
	u64 pc, konst, leave;
	i32 disp, back, done; /* back, done: from the descriptor's end */
	u8 op, type, narrow; /* narrow: addresses of 32 bits */
	u8 reach; /* enum host_reach */
	u8 base, index, scale, add, value, dst; /* registers; value, dst: from 16 on XMM, 0xff: konst, none */
} __attribute__((packed));

static enum ir_type addr_type(const struct jit *j, const struct ir_insn *in)
{
	return (enum ir_type)j->r->insn[in->a].type;
}

/* A cold piece for this access, entered from a jump (NULL: only by a fault), with its address in at most one register and displacement. */
static struct cold *miss_new(struct jit *j, const struct ir_insn *in, struct x64_mem m, u8 *from)
{
	struct cold *c = cold_new(j, COLD_MISS, from);
	c->insn = (u32)(in - j->r->insn);
	c->pc = j->insn_pc;
	c->base = m.base, c->index = m.index, c->scale = m.scale;
	c->a = c->b = c->dst = 0xff;
	c->disp = m.disp;
	c->back = c->done = j->c.p;
	return c;
}

/* The address in one register, and a displacement. */
static void in_one_register(struct jit *j, u32 w, struct x64_mem *m)
{
	unsigned t = temp_gpr(j);
	x_lea(&j->c, w, t, *m);
	if (m->base != NOREG)
		j->lock_gpr &= ~BIT(m->base);
	if (m->index != NOREG)
		j->lock_gpr &= ~BIT(m->index);
	j->lock_gpr |= BIT(t);
	*m = x_mem(t, 0);
}

/* ---- by the table ---- */
static void table_begin(struct jit *j, const struct ir_insn *in, u32 w, struct x64_mem *m)
{
	if (m->index != NOREG || (!w && m->disp))
		in_one_register(j, w, m);
	unsigned last = temp_gpr(j), at = temp_gpr(j);
	x_lea(&j->c, w, last, x_mem(m->base, m->disp + (i32)ir_type_size(in->mem.type) - 1));
	x_alu_ri(&j->c, X_OR, OPW, last, 0xfff);
	x_lea(&j->c, OPW, at, *m);
	x_shift_ri(&j->c, 5, OPW, at, 12 - HOST_TLB_ENTRY_BITS);
	x_alu_ri(&j->c, X_AND, 0, at, ((1 << HOST_TLB_BITS) - 1) << HOST_TLB_ENTRY_BITS);
	struct x64_mem table = CPU(tlb);
	table.disp += in->mem.mmu % CPU_MMUS * 8;
	x_rm(&j->c, OPW | X_ALU(X_ADD), at, table);
	x_rm(&j->c, OPW | X_ALU(X_CMP), last, x_mem(at, in->op == IR_LD ? HOST_TLB_READ : HOST_TLB_WRITE));
	u8 *miss = x_jcc(&j->c, XC_NE);
	x_rm(&j->c, OPW | X_MOV_LOAD, at, x_mem(at, HOST_TLB_ADD));
	miss_new(j, in, *m, miss)->a = at;
	j->lock_gpr &= ~BIT(last);
	*m = (struct x64_mem){ m->base, at, 0, m->disp, NO_WINDOW };
}

/* ---- by the window ---- */
/*
 * Is this value known to be within? Remembered till the block ends: a window that goes leaves a place where every access faults, and who is
 * found outside does not come back.
 */
static bool known_within(struct jit *j, enum host_reach reach)
{
	for (u32 i = 0; i < j->n_checked && i < LEN(j->checked); i++)
		if (j->checked[i].value == j->mem_base && j->checked[i].reach == reach)
			return true;
	j->checked[j->n_checked % LEN(j->checked)].value = j->mem_base;
	j->checked[j->n_checked++ % LEN(j->checked)].reach = reach;
	return false;
}

/* Jumps when a register is not within. */
static u8 *compare(struct jit *j, enum host_reach reach, unsigned reg)
{
	if (reach == REACH_BOTH) {
		unsigned t = temp_gpr(j);
		x_rm(&j->c, OPW | X_MOV_LOAD, t, CPU(window_low));
		x_rr(&j->c, OPW | X_ALU(X_ADD), t, reg);
		x_rm(&j->c, OPW | X_ALU(X_CMP), t, CPU(window_span));
		j->lock_gpr &= ~BIT(t);
	} else {
		x_rm(&j->c, OPW | X_ALU(X_CMP), reg, reach == REACH_LOW ? CPU(window_low) : CPU(window_high));
	}
	return x_jcc(&j->c, reach == REACH_HIGH ? XC_B : XC_AE);
}

static void expect_fault(struct jit *j, struct cold *c, enum host_reach reach)
{
	c->reach = reach;
	c->site = j->job->n_site + 1;
}

/* One comparison at most. The displacement is not in it: there is nothing for the 2 GiB before and behind the window. */
static void halves_begin(struct jit *j, const struct ir_insn *in, u32 w, enum host_reach reach,
			 struct x64_mem *m)
{
	u8 *miss = NULL;
	if (w && !(j->mem_base && known_within(j, reach)))
		miss = compare(j, reach, m->base);
	m->window = w ? WINDOW_64 : WINDOW_32;
	expect_fault(j, miss_new(j, in, *m, miss), reach);
}

/* The distance into the slice that the address is predicted to be in: too far for every other address. */
static void slice_begin(struct jit *j, const struct ir_insn *in, enum host_reach reach, struct x64_mem *m)
{
	unsigned t = temp_gpr(j), n = reach - REACH_SLICE;
	struct x64_mem slice = CPU(window_slice), host = CPU(window_host);
	slice.disp += n * 8;
	host.disp += n * 8;
	x_mov_rr(&j->c, OPW, t, m->base);
	x_rm(&j->c, OPW | X_ALU(X_SUB), t, slice);
	x_rm(&j->c, OPW | X_ALU(X_CMP), t, CPU(window_size));
	u8 *miss = x_jcc(&j->c, XC_AE);
	x_rm(&j->c, OPW | X_ALU(X_ADD), t, host);
	expect_fault(j, miss_new(j, in, *m, miss), reach);
	*m = x_mem(t, m->disp);
}

static void window_begin(struct jit *j, const struct ir_insn *in, u32 w, enum host_reach reach,
			 struct x64_mem *m)
{
	if (w && m->index != NOREG) {
		in_one_register(j, w, m);
		j->mem_base = 0;
	}
	if (reach < REACH_SLICE)
		halves_begin(j, in, w, reach, m);
	else
		slice_begin(j, in, reach, m);
}

/*
 * Only what ends with the access itself: its cold piece is also entered after a fault, when nothing has happened yet, and never comes
 * back to try again.
 */
static enum host_reach reach_of(const struct jit *j, const struct ir_insn *in)
{
	bool plain = in->op == IR_LD || (in->op == IR_ST && !(in->mem.order & ORD_RELEASE));
	return plain && !in->mem.mmu && j->job->reach ? j->job->reach(j->job->user, j->insn_pc) : REACH_TABLE;
}

u32 system_begin(struct jit *j, const struct ir_insn *in, struct x64_mem *m)
{
	if (!j->job->link_bits)
		return 0;
	u32 w = addr_type(j, in) == TY_I32 ? 0 : OPW;
	enum host_reach reach = reach_of(j, in);
	flags_clobber(j);
	if (reach == REACH_TABLE)
		table_begin(j, in, w, m);
	else
		window_begin(j, in, w, reach, m);
	return j->n_cold;
}

void system_value(struct jit *j, u32 access, unsigned reg, u64 konst)
{
	if (!access)
		return;
	j->cold[access - 1].b = reg;
	j->cold[access - 1].konst = konst;
}

void system_end(struct jit *j, u32 access, unsigned dst)
{
	if (!access)
		return;
	j->cold[access - 1].dst = dst;
	j->cold[access - 1].done = j->c.p;
}

void emit_miss(struct jit *j, const struct cold *c)
{
	const struct ir_insn *in = &j->r->insn[c->insn];
	if (c->site)
		j->job->site[c->site - 1].pc = j->c.p - j->c.start;
	x_patch(x_call(&j->c), j->job->stubs->mem - j->c.to_run);
	const u8 *end = j->c.p + sizeof(struct miss_desc);
	struct miss_desc d = { .mem = in->mem,
			       .pc = c->pc,
			       .konst = c->konst,
			       .leave = (u64)(uintptr_t)(j->leave ? j->leave_event + j->c.to_run
								  : j->job->stubs->miss_leave),
			       .disp = c->disp,
			       .back = (i32)(c->back - end),
			       .done = (i32)(c->done - end),
			       .op = (u8)in->op,
			       .type = in->type,
			       .narrow = addr_type(j, in) == TY_I32,
			       .reach = c->reach,
			       .base = c->base,
			       .index = c->index,
			       .scale = c->scale,
			       .add = c->a,
			       .value = c->b,
			       .dst = c->dst };
	if (end + 64 > j->c.end) {
		j->c.full = true;
		return;
	}
	memcpy(j->c.p, &d, sizeof(d));
	j->c.p += sizeof(d);
}

/* ---- what the stub calls ---- */
static void swap_bytes(u8 *p, unsigned size)
{
	for (unsigned i = 0; i < size / 2; i++) {
		u8 t = p[i];
		p[i] = p[size - 1 - i];
		p[size - 1 - i] = t;
	}
}

static void give_value(struct cpu *cpu, const struct miss_desc *d, u8 *buf, unsigned size)
{
	u64 *gpr = (u64 *)cpu->host_save;
	u64 v = 0;
	if (d->mem.big_endian)
		swap_bytes(buf, size);
	if (d->dst >= 16) {
		u8 *xmm = cpu->host_save + 128 + (d->dst - 16) * 16;
		memset(xmm, 0, 16);
		memcpy(xmm, buf, size);
		return;
	}
	memcpy(&v, buf, size);
	if (d->mem.sign && size < 8)
		v = (u64)((i64)(v << (64 - size * 8)) >> (64 - size * 8));
	gpr[d->dst] = d->type == TY_I64 ? v : (u32)v;
}

static void take_value(const struct cpu *cpu, const struct miss_desc *d, u8 *buf, unsigned size)
{
	if (d->value == 0xff)
		memcpy(buf, &d->konst, sizeof(d->konst));
	else
		memcpy(buf,
		       d->value < 16 ? cpu->host_save + d->value * 8
				     : cpu->host_save + 128 + (d->value - 16) * 16,
		       d->value < 16 ? 8 : 16);
	if (d->mem.big_endian)
		swap_bytes(buf, size);
}

static enum cpu_tried tried(const struct cpu *cpu, const struct miss_desc *d, const u64 *gpr)
{
	if (d->reach == REACH_TABLE)
		return TRIED_TABLE;
	bool low = gpr[d->base] < cpu->window_low, high = gpr[d->base] >= cpu->window_high;
	if (d->reach >= REACH_SLICE)
		return gpr[d->base] - cpu->window_slice[d->reach - REACH_SLICE] < cpu->window_size
			   ? TRIED_WINDOW
			   : TRIED_OUTSIDE;
	bool within = d->narrow || (d->reach == REACH_LOW    ? low
				    : d->reach == REACH_HIGH ? high
							     : low || high);
	return within ? TRIED_WINDOW : TRIED_OUTSIDE;
}

u64 host_miss(struct cpu *cpu, const struct miss_desc *d)
{
	u64 *gpr = (u64 *)cpu->host_save, addr = (u64)(i64)d->disp, add = 0;
	unsigned size = ir_type_size(d->mem.type);
	u8 buf[16] = { 0 };
	u64 end = (u64)(uintptr_t)(d + 1);
	if (d->base != NOREG)
		addr += gpr[d->base];
	if (d->index != NOREG)
		addr += gpr[d->index] << d->scale;
	if (d->narrow)
		addr = (u32)addr;
	if (d->op == IR_ST)
		take_value(cpu, d, buf, size);
	cpu->insn_pc = d->pc;
	switch (cpu->memory->miss(cpu, d->op, addr, buf, size, d->mem, tried(cpu, d, gpr), &add)) {
	case MISS_RETRY:
		gpr[d->add] = add;
		return end + (u64)(i64)d->back;
	case MISS_DONE:
		if (d->op == IR_LD && d->dst != 0xff)
			give_value(cpu, d, buf, size);
		return end + (u64)(i64)d->done;
	default:
		cpu->pc = d->pc;
		return d->leave;
	}
}
