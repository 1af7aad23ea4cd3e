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

/* The value that v is at no great distance from, which is added to *disp: what is known of one is known of the other. */
static u32 root_of(const struct jit *j, u32 v, i64 *disp)
{
	u64 k;
	for (unsigned n = 0; n < 8 && v; n++) {
		const struct ir_insn *sum = &j->r->insn[v];
		if (sum->op != IR_ADD || sum->type != TY_I64 || !const_of(j, sum->b, &k) || (i64)k != (i16)k)
			break;
		*disp += (i64)k;
		v = sum->a;
	}
	return v;
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

/* The registers that hold this value. */
static u32 held_in(const struct jit *j, u32 v)
{
	return v && j->val[v].at == AT_GPR ? BIT(j->val[v].reg) : 0;
}

/* The address in one register, and a displacement. What it was in is free, if the access does not read or write that as well. */
static void in_one_register(struct jit *j, const struct ir_insn *in, u32 w, struct x64_mem *m)
{
	unsigned t = temp_gpr(j);
	u32 parts = (m->base != NOREG ? BIT(m->base) : 0) | (m->index != NOREG ? BIT(m->index) : 0);
	u32 needed = held_in(j, j->cur) | (in->op == IR_LD ? 0 : held_in(j, in->b) | held_in(j, in->c));
	x_lea(&j->c, w, t, *m);
	j->lock_gpr &= ~(parts & ~needed);
	j->lock_gpr |= BIT(t);
	*m = x_mem(t, 0);
}

/* ---- by the table ---- */
/* Leaves the address of a page's entry in `at`; jumps when not all of so many bytes lie in that page, or they may not be accessed. */
static u8 *look_up(struct jit *j, struct x64_mem m, u32 size, u32 w, bool write, unsigned mmu, unsigned last,
		   unsigned at)
{
	struct x64_mem end = m, table = CPU(tlb);
	end.disp += (i32)size - 1;
	table.disp += (i32)(mmu * 8);
	if (end.disp)
		x_lea(&j->c, w, last, end);
	else
		x_mov_rr(&j->c, w, last, m.base);
	if (!m.disp || size == 1) {
		x_vrr(&j->c, OPW | X_RORX, at, 0, m.disp ? last : m.base);
		x_byte(&j->c, 12 - HOST_TLB_ENTRY_BITS);
	} else {
		x_lea(&j->c, OPW, at, m);
		x_shift_ri(&j->c, 5, OPW, at, 12 - HOST_TLB_ENTRY_BITS);
	}
	x_alu_ri(&j->c, X_OR, OPW, last, 0xfff);
	x_alu_ri(&j->c, X_AND, 0, at, ((1 << HOST_TLB_BITS) - 1) << HOST_TLB_ENTRY_BITS);
	x_rm(&j->c, OPW | X_ALU(X_ADD), at, table);
	x_rm(&j->c, OPW | X_ALU(X_CMP), last, x_mem(at, write ? HOST_TLB_WRITE : HOST_TLB_READ));
	return x_jcc(&j->c, XC_NE);
}

/*
 * Accesses of a block by the same base: the first asks whether all of them lie in one page, and leaves the distance to host memory in cpu->near for
 * the others, which only ask whether it is there. A miss in between may change the table, and empties cpu->near; who finds it empty, or not all
 * in one page, is looked up alone, out of line.
 */
enum {
	NEAR_MOST = 512 /* bytes from the first to the last: the more, the more often they lie in two pages */
};

static bool is_near(const struct ir_insn *in)
{
	return (in->op == IR_LD || in->op == IR_ST) && !in->mem.mmu && !in->mem.align;
}

/* Widens n by an access, if it stays small. */
static void take_in(struct near *n, const struct ir_insn *in, i64 disp)
{
	i64 lo = MIN(n->lo, disp), hi = MAX(n->hi, disp + (i64)ir_type_size(in->mem.type));
	if (hi - lo > NEAR_MOST)
		return;
	n->lo = lo, n->hi = hi, n->n++;
	n->write |= in->op == IR_ST;
}

/* The current access and those to come by the same base; where they lie as seen from there. */
static struct near gather(const struct jit *j, const struct ir_insn *in, u32 root, i64 disp)
{
	struct near n = { .base = root, .lo = disp, .hi = disp };
	const struct ir_insn *end = in + 1;
	take_in(&n, in, disp);
	while (!ir_has(end->op, IR_F_END) && end->op != IR_CALL && end->op != IR_CLEAN)
		end++;
	for (in++; in < end; in++) {
		disp = in->mem.disp;
		if (is_near(in) && root_of(j, in->a, &disp) == root)
			take_in(&n, in, disp);
	}
	return n;
}

/* Whose distance, found before, is this access's as well? */
static struct near *near_of(struct jit *j, const struct ir_insn *in, u32 root, i64 disp)
{
	for (u32 i = 0; i < LEN(j->near); i++) {
		struct near *n = &j->near[i];
		if (n->base && n->base == root && disp >= n->lo &&
		    disp + (i64)ir_type_size(in->mem.type) <= n->hi && (in->op == IR_LD || n->write))
			return n;
	}
	return NULL;
}

static struct x64_mem near_mem(const struct jit *j, const struct near *n)
{
	struct x64_mem m = CPU(near);
	m.disp += (i32)(n - j->near) * 8;
	return m;
}

/* Finds the distance to host memory for this access and others, if it has a root; gives the jump away and, if others shall have it too, *ret_near. */
static u8 *look_up_all(struct jit *j, const struct ir_insn *in, u32 w, const struct x64_mem *m, u32 root,
		       i64 disp, unsigned at, struct near **ret_near)
{
	struct near n = root ? gather(j, in, root, disp) : (struct near){ 0 };
	unsigned last = temp_gpr(j), mmu = in->mem.mmu % CPU_MMUS;
	u8 *away;
	if (n.n < 2) {
		away = look_up(j, *m, ir_type_size(in->mem.type), w, in->op != IR_LD, mmu, last, at);
		*ret_near = NULL;
	} else {
		away = look_up(j, x_mem(m->base, m->disp + (i32)(n.lo - disp)), (u32)(n.hi - n.lo), w,
			       n.write, mmu, last, at);
		*ret_near = &j->near[j->n_near++ % LEN(j->near)];
		**ret_near = n;
	}
	j->lock_gpr &= ~BIT(last);
	return away;
}

static void table_begin(struct jit *j, const struct ir_insn *in, u32 w, struct x64_mem *m)
{
	if (m->index != NOREG || (!w && m->disp)) {
		in_one_register(j, in, w, m);
		j->mem_base = 0;
	}
	unsigned at = temp_gpr(j);
	i64 disp = m->disp;
	u32 root = w && is_near(in) ? root_of(j, j->mem_base, &disp) : 0;
	struct near *n = near_of(j, in, root, disp);
	u8 *away;
	bool again = n; /* looked up before */
	if (again) {
		x_rm(&j->c, OPW | X_MOV_LOAD, at, near_mem(j, n));
		x_rr(&j->c, OPW | X_TEST, at, at);
		away = x_jcc(&j->c, XC_E);
	} else {
		away = look_up_all(j, in, w, m, root, disp, at, &n);
		x_rm(&j->c, OPW | X_MOV_LOAD, at, x_mem(at, HOST_TLB_ADD));
		if (n)
			x_rm(&j->c, OPW | X_MOV_STORE, at, near_mem(j, n));
	}
	struct cold *c = miss_new(j, in, *m, away);
	c->a = at;
	if (n)
		c->kind = COLD_FAR, c->near = again ? 0 : 1 + (n - j->near);
	*m = (struct x64_mem){ m->base, at, 0, m->disp, NO_WINDOW };
}

/* Out of line: this access alone. What it needs a register for lies aside meanwhile. */
void emit_far(struct jit *j, const struct cold *c)
{
	static const u8 some[] = { RAX, RCX, RDX, R11 };
	const struct ir_insn *in = &j->r->insn[c->insn];
	unsigned n = 0;
	while (some[n] == c->a || some[n] == c->b || some[n] == c->base)
		n++;
	if (c->near) {
		x_rm(&j->c, OPW | 0xc7, 0, near_mem(j, &j->near[c->near - 1]));
		x_32(&j->c, 0);
	}
	x_rm(&j->c, OPW | X_MOV_STORE, some[n], CPU(scratch[4]));
	u8 *miss = look_up(j, x_mem(c->base, c->disp), ir_type_size(in->mem.type), OPW, in->op != IR_LD, 0,
			   some[n], c->a);
	x_rm(&j->c, OPW | X_MOV_LOAD, c->a, x_mem(c->a, HOST_TLB_ADD));
	x_rm(&j->c, OPW | X_MOV_LOAD, some[n], CPU(scratch[4]));
	x_patch(x_jmp(&j->c), c->back);
	x_patch(miss, j->c.p);
	x_rm(&j->c, OPW | X_MOV_LOAD, some[n], CPU(scratch[4]));
	emit_miss(j, c);
}

/* ---- by the window ---- */
/*
 * Is this value known to be within, or one close to it? Remembered while blocks follow one another: a window that goes leaves a place where every access faults, and who is
 * found outside does not come back.
 */
static bool known_within(struct jit *j, enum host_reach reach, i32 disp)
{
	i64 distance = 0;
	if (!j->mem_base || disp >= 1 << 30 || disp <= -(1 << 30)) /* the guards hold little more */
		return false;
	u32 root = root_of(j, j->mem_base, &distance);
	for (u32 i = 0; i < j->n_checked && i < LEN(j->checked); i++)
		if (j->checked[i].value == root && j->checked[i].reach == reach)
			return true;
	j->checked[j->n_checked % LEN(j->checked)].value = root;
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
	if (w && !known_within(j, reach, m->disp))
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
		in_one_register(j, in, w, m);
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

void system_forget(struct jit *j)
{
	j->n_checked = 0;
	memset(j->near, 0, sizeof(j->near));
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
	memset(cpu->near, 0, sizeof(cpu->near));
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
