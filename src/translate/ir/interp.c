/*
 * The reference interpreter: runs a region instruction by instruction, with every SET going into the CPU state at once. It is what
 * back ends are tested against, and what runs on hosts that have none.
 *
 * Values live in cells of 16 bytes (more when the region has wider vectors), one for each instruction.
 */
#include "translate/ir/cpu.h"

struct frame {
	const struct ir_region *r;
	struct cpu *cpu;
	u8 *cells;
	u32 cell_size;
};

static union ir_val *cell(const struct frame *f, ir_ref v)
{
	return (union ir_val *)(f->cells + (size_t)v * f->cell_size);
}

/* Integers up to 128 bits and flags as a number. */
static u128 number(const struct frame *f, ir_ref v)
{
	const union ir_val *val = cell(f, v);
	switch (ir_type_size(f->r->insn[v].type)) {
	case 1:
		return val->b[0];
	case 2:
		return val->h[0];
	case 4:
		return val->w;
	case 8:
		return val->u;
	case 16:
		return val->q;
	}
	return 0;
}

static void set_number(union ir_val *ret, enum ir_type type, u128 v)
{
	unsigned unused = 128 - ir_type_size(type) * 8;
	ret->q = type == TY_VOID ? 0 : v << unused >> unused;
}

/* ---- slots ---- */

/* Where a slot (and index) lies; local slots have cells behind those of the instructions. */
static void *slot_at(const struct frame *f, u64 slot, u32 index)
{
	const struct ir_region *r = f->r;
	if (slot >= IR_LOCAL)
		return cell(f, r->n_insn + (slot - IR_LOCAL));
	u32 length = r->slot[slot].array;
	return (u8 *)f->cpu + r->slot[slot + (length ? index % length : 0)].offset;
}

static void get(const struct frame *f, const struct ir_insn *in, u32 index, union ir_val *ret)
{
	ret->q = 0;
	memcpy(ret, slot_at(f, in->imm, index), ir_type_size(in->type));
}

static void set(const struct frame *f, const struct ir_insn *in, u32 index, ir_ref v)
{
	memcpy(slot_at(f, in->imm, index), cell(f, v), ir_type_size(f->r->insn[v].type));
}

/* ---- memory ---- */

static u64 address(const struct frame *f, const struct ir_insn *in)
{
	u64 addr = (u64)number(f, in->a) + (u64)(i64)in->mem.disp;
	return f->r->insn[in->a].type == TY_I32 ? (u32)addr : addr;
}

static void swap_bytes(u8 *p, unsigned size)
{
	for (unsigned i = 0; i < size / 2; i++) {
		u8 t = p[i];
		p[i] = p[size - 1 - i];
		p[size - 1 - i] = t;
	}
}

/* Scalars lie in the host's order, vectors lowest byte first on every host. */
static bool must_swap(struct ir_mem mem)
{
	bool host_big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ && !ir_is_vector(mem.type);
	return mem.big_endian != host_big;
}

static void do_load(const struct frame *f, const struct ir_insn *in, union ir_val *ret)
{
	unsigned size = ir_type_size(in->mem.type), want = ir_type_size(in->type);
	u64 addr = address(f, in);
	union ir_val v;
	v.q = 0;
	for (unsigned at = 0; at < size; at += 16)
		cpu_read(f->cpu, addr + at, v.b + at, MIN(size - at, 16u), in->mem);
	if (must_swap(in->mem))
		swap_bytes(v.b, size);
	if (size >= 16 || want > 16) {
		memset(ret, 0, want);
		memcpy(ret, &v, MIN(size, want));
		return;
	}
	u128 n = size == 1 ? v.b[0] : size == 2 ? v.h[0] : size == 4 ? v.w : size == 8 ? v.u : v.q;
	unsigned unused = 128 - size * 8;
	set_number(ret, in->type, in->mem.sign ? (u128)((i128)(n << unused) >> unused) : n);
}

static void do_store(const struct frame *f, const struct ir_insn *in)
{
	unsigned size = ir_type_size(in->mem.type), have = ir_type_size(f->r->insn[in->b].type);
	u64 addr = address(f, in);
	union ir_val v;
	if (have > 16)
		memcpy(&v, cell(f, in->b), have);
	else
		v.q = have == 10 ? cell(f, in->b)->q : number(f, in->b);
	if (must_swap(in->mem))
		swap_bytes(v.b, size);
	/* the last part first: it faults before anything is written */
	for (unsigned at = ROUND_UP(size, 16u); at;) {
		at -= 16;
		cpu_write(f->cpu, addr + at, v.b + at, MIN(size - at, 16u), in->mem);
	}
}

static void fence(u64 what)
{
	if (what & IR_FENCE_SL)
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	else if (what & IR_FENCE_ALL)
		__atomic_thread_fence(__ATOMIC_ACQ_REL);
}

/* ---- calls ---- */

static void call(const struct frame *f, const struct ir_insn *in, const struct ir_insn *more,
		 union ir_val *ret)
{
	const struct ir_helper *helper = (const struct ir_helper *)(uintptr_t)in->imm;
	const ir_ref ref[6] = {
		in->a, in->b, in->c, more ? more->a : 0, more ? more->b : 0, more ? more->c : 0
	};
	struct cpu *cpu = f->cpu;
	for (unsigned i = 0; i < 6; i++)
		if (ref[i]) {
			unsigned size = ir_type_size(f->r->insn[ref[i]].type);
			cpu->call_arg[i].q = 0;
			memcpy(&cpu->call_arg[i], cell(f, ref[i]), size);
		}
	helper->fn(cpu, &cpu->call_ret, cpu->call_arg);
	memcpy(ret, &cpu->call_ret, ir_type_size(in->type));
}

/* Is one of operands b and c a NaN? */
static bool unordered(const struct frame *f, const struct ir_insn *in)
{
	struct ir_insn compare = { .op = IR_FUNORD, .type = TY_I1, .a = in->b, .b = in->c };
	union ir_val yes = { 0 };
	u32 raised = 0;
	ir_eval(f->r, &compare, cell(f, in->b), cell(f, in->c), cell(f, 0), &yes, &raised);
	return yes.b[0];
}

/* ---- control ---- */

static enum ir_event leave(struct cpu *cpu, u64 pc)
{
	cpu->pc = pc;
	return EV_NONE;
}

/* The values of a block's PHIs, all taken before any is written. Gives how many instructions they are. */
static u32 enter_block(const struct frame *f, u32 block, u32 from)
{
	const struct ir_region *r = f->r;
	const struct ir_insn *in = r->insn + r->block[block].first;
	u32 n = 0;
	while (n < r->block[block].count && (in[n].op == IR_PHI || (in[n].op == IR_NOP && r->n_args)))
		n++;
	if (!n)
		return 0;
	AUTO(free_ptr) u8 *taken = alloc((size_t)n * f->cell_size);
	for (u32 i = 0; i < n; i++)
		for (u32 k = 0; in[i].op == IR_PHI && k < in[i].a; k++)
			if (r->args[in[i].imm + 2 * k] == from)
				memcpy(taken + (size_t)i * f->cell_size,
				       cell(f, r->args[in[i].imm + 2 * k + 1]), f->cell_size);
	memcpy(cell(f, r->block[block].first), taken, (size_t)n * f->cell_size);
	return n;
}

/* On the way back: a request to stop is heeded where a guest instruction starts. */
static bool stops(const struct frame *f, u32 block, u32 n_phi)
{
	const struct ir_insn *in = f->r->insn + f->r->block[block].first + n_phi;
	if (!__atomic_load_n(&f->cpu->stop, __ATOMIC_ACQUIRE))
		return false;
	while (in->op == IR_NOP)
		in++;
	if (in->op != IR_INSN)
		return false;
	f->cpu->pc = in->imm;
	return true;
}

/* Runs one block up to its end. Gives the block to go on in, or ~0 with *event when it left the region. */
static u32 run_block(const struct frame *f, u32 at, u32 end, enum ir_event *event)
{
	const struct ir_region *r = f->r;
	struct cpu *cpu = f->cpu;
	const struct ir_insn *more = NULL;
	for (; at < end; at++) {
		const struct ir_insn *in = r->insn + at;
		union ir_val *ret = cell(f, at);
		switch (in->op) {
		case IR_NOP:
			break;
		case IR_GET:
			get(f, in, 0, ret);
			break;
		case IR_SET:
			set(f, in, 0, in->a);
			break;
		case IR_GETX:
			get(f, in, number(f, in->a), ret);
			break;
		case IR_SETX:
			set(f, in, number(f, in->a), in->b);
			break;
		case IR_INSN:
			cpu->insn_pc = in->imm;
			break;
		case IR_FPFLAGS:
			ret->q = cpu->fp_flags;
			break;
		case IR_SETFPFLAGS:
			cpu->fp_flags = number(f, in->a);
			break;
		case IR_UNRAISE:
			if (unordered(f, in))
				cpu->fp_flags = number(f, in->a);
			break;
		case IR_LD:
			do_load(f, in, ret);
			break;
		case IR_ST:
			do_store(f, in);
			break;
		case IR_CAS:
			set_number(ret, in->type,
				   cpu_cas(cpu, address(f, in), ir_type_size(in->mem.type), number(f, in->b),
					   number(f, in->c), in->mem));
			break;
		case IR_RMW:
			set_number(ret, in->type,
				   cpu_rmw(cpu, address(f, in), ir_type_size(in->mem.type), number(f, in->b),
					   in->mem));
			break;
		case IR_FENCE:
			fence(in->imm);
			break;
		case IR_PREFETCH:
			break;
		case IR_CLEAN:
			if (cpu->clean)
				cpu->clean(cpu, number(f, in->a), in->imm);
			break;
		case IR_ARGS:
			more = in;
			break;
		case IR_CALL:
			call(f, in, more, ret);
			more = NULL;
			break;
		case IR_BR:
			return in->a;
		case IR_BRC:
			return cell(f, in->a)->b[0] & 1 ? in->b : in->c;
		case IR_JUMP:
		case IR_GOSUB:
			*event = leave(cpu, in->imm);
			return ~0u;
		case IR_JUMPI:
		case IR_GOSUBI:
		case IR_RETURN:
			*event = leave(cpu, number(f, in->a));
			return ~0u;
		case IR_RAISE:
			leave(cpu, in->imm);
			cpu->event = in->b;
			cpu->event_arg = in->a ? number(f, in->a) : 0;
			*event = in->b;
			return ~0u;
		default:
			ir_eval(r, in, cell(f, in->a), cell(f, in->b), cell(f, in->c), ret, &cpu->fp_flags);
		}
	}
	abort(); /* no end: ir_verify refuses it */
}

static enum ir_event run(const struct frame *f)
{
	const struct ir_region *r = f->r;
	enum ir_event event = EV_NONE;
	u32 block = 0, n_phi = 0;
	for (;;) {
		u32 first = r->block[block].first;
		u32 next = run_block(f, first + n_phi, first + r->block[block].count, &event);
		if (next == ~0u)
			return event;
		n_phi = enter_block(f, next, block);
		if (ir_polls(r, block, next) && stops(f, next, n_phi))
			return EV_NONE;
		block = next;
	}
}

enum ir_event ir_run(const struct ir_region *r, struct cpu *cpu)
{
	enum { ON_STACK = 16384 };
	u8 near[ON_STACK] __attribute__((aligned(16)));
	struct frame f = { r, cpu, near, 16 };
	sigjmp_buf here, *outer = cpu->raise;
	for (u32 i = 1; i < r->n_insn; i++)
		f.cell_size = MAX(f.cell_size, ir_type_size(r->insn[i].type));
	size_t size = ((size_t)r->n_insn + r->n_local) * f.cell_size;
	u8 *volatile far = size > ON_STACK ? aligned_alloc(16, size) : NULL;
	if (size > ON_STACK && !far)
		abort();
	if (far)
		f.cells = far;
	memset(f.cells + (size_t)r->n_insn * f.cell_size, 0, (size_t)r->n_local * f.cell_size);
	enum ir_event event;
	if (sigsetjmp(here, 0)) {
		event = cpu->event;
	} else {
		cpu->raise = &here;
		event = run(&f);
	}
	cpu->raise = outer;
	free(far);
	return event;
}
