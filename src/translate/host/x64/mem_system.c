/*
 * Guest memory in system mode: every access looks its address up in the table of its context (host.h, HOST_TLB_*), inline; what is not
 * there goes out of line to the engine, which fills the table, does the access itself, or ends the region with the guest's fault.
 */
#include "translate/host/x64/jit.h"

/* Behind the call of stubs->miss: what the access is, and where to go on. */
struct miss_desc {
	struct ir_mem mem;
	u64 pc, konst, leave;
	i32 disp, back, done; /* back, done: from the descriptor's end */
	u8 op, type, narrow; /* narrow: addresses of 32 bits */
	u8 base, add, value, dst; /* registers; value, dst: from 16 on XMM, 0xff: konst, none */
} __attribute__((packed));

static enum ir_type addr_type(const struct jit *j, const struct ir_insn *in)
{
	return (enum ir_type)j->r->insn[in->a].type;
}

u32 system_begin(struct jit *j, const struct ir_insn *in, struct x64_mem *m)
{
	if (!j->job->link_bits)
		return 0;
	u32 w = addr_type(j, in) == TY_I32 ? 0 : OPW;
	flags_clobber(j);
	if (m->index != NOREG || (!w && m->disp)) {
		unsigned t = temp_gpr(j);
		x_lea(&j->c, w, t, *m);
		if (m->base != NOREG)
			j->lock_gpr &= ~BIT(m->base);
		if (m->index != NOREG)
			j->lock_gpr &= ~BIT(m->index);
		j->lock_gpr |= BIT(t);
		*m = x_mem(t, 0);
	}
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
	struct cold *c = cold_new(j, COLD_MISS, miss);
	c->insn = (u32)(in - j->r->insn);
	c->pc = j->insn_pc;
	c->base = m->base, c->a = at, c->b = 0xff, c->dst = 0xff;
	c->disp = m->disp;
	c->back = c->done = j->c.p;
	j->lock_gpr &= ~BIT(last);
	*m = (struct x64_mem){ m->base, at, 0, m->disp };
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
	x_patch(x_call(&j->c), j->job->stubs->mem - j->c.to_run);
	const u8 *end = j->c.p + sizeof(struct miss_desc);
	struct miss_desc d = { .mem = in->mem,
			       .pc = c->pc,
			       .konst = c->konst,
			       .leave = (u64)(uintptr_t)j->job->stubs->miss_leave,
			       .disp = c->disp,
			       .back = (i32)(c->back - end),
			       .done = (i32)(c->done - end),
			       .op = (u8)in->op,
			       .type = in->type,
			       .narrow = addr_type(j, in) == TY_I32,
			       .base = c->base,
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

u64 host_miss(struct cpu *cpu, const struct miss_desc *d)
{
	u64 *gpr = (u64 *)cpu->host_save, addr = gpr[d->base] + (u64)(i64)d->disp, add = 0;
	unsigned size = ir_type_size(d->mem.type);
	u8 buf[16] = { 0 };
	u64 end = (u64)(uintptr_t)(d + 1);
	if (d->narrow)
		addr = (u32)addr;
	if (d->op == IR_ST)
		take_value(cpu, d, buf, size);
	cpu->insn_pc = d->pc;
	switch (cpu->memory->miss(cpu, d->op, addr, buf, size, d->mem, &add)) {
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
