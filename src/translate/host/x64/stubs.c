/* Code that all regions share: entering, leaving, slow paths, helpers; and what a fault needs. */
#include "translate/host/x64/fp.h"
#include <asm/prctl.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define HWCAP2_FSGSBASE 2 /* asm/hwcap2.h: user programs may write the base of GS */

/* Flags in their stored form (see jit.h) into the form of ir.h. */
static u32 settle(u32 stored)
{
	u32 kind = stored >> STORED_KIND & 3, ah = stored >> 8;
	if (kind == FK_FCMP)
		return ah & 0x40 ? (ah & 4 ? FL_C | FL_V : FL_Z | FL_C) : ah & 1 ? FL_N : FL_C;
	bool carry = (ah & 1) ^ (kind == FK_SUB), half = (ah >> 4 & 1) ^ (kind == FK_SUB);
	return (ah & 0x80 ? FL_N : 0) | (ah & 0x40 ? FL_Z : 0) | (carry ? FL_C : 0) |
	       (stored & 1 ? FL_V : 0) | (ah & 4 ? FL_P : 0) | (half ? FL_A : 0);
}

void host_settle(struct cpu *cpu, const struct host_stubs *stubs)
{
	u32 m = cpu->host_fp;
	if (m & 0x3f) {
		cpu->fp_flags |= (m & 1 ? FP_INVALID : 0) | (m & 4 ? FP_DIVZERO : 0) |
				 (m & 8 ? FP_OVERFLOW : 0) | (m & 16 ? FP_UNDERFLOW : 0) |
				 (m & 32 ? FP_INEXACT : 0);
		cpu->host_fp = m & ~0x3fu;
	}
	for (unsigned i = 0; i < stubs->n_flags; i++) {
		u32 *f = (u32 *)((u8 *)cpu + stubs->flags_at[i]);
		if (*f & STORED_MARK)
			*f = settle(*f);
	}
}

/* GS is a register of the thread, and user programs have no other use for it. */
void host_window(const u8 *base)
{
	static __thread const u8 *now;
	if (LIKELY(now == base))
		return;
	if (getauxval(AT_HWCAP2) &
	    HWCAP2_FSGSBASE) /* a context switch of the guest is not worth a system call */
		__asm__ volatile("wrgsbase %0" : : "r"(base));
	else
		syscall(SYS_arch_prctl, ARCH_SET_GS, base);
	now = base;
}

void host_go_on(void *ucontext, const u8 *run)
{
	((ucontext_t *)ucontext)->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)run;
}

void host_clean(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
	(void)ret;
	if (cpu->clean)
		cpu->clean(cpu, arg[0].u, arg[1].u);
}

/* What a slow path's call finds: general registers, then XMM, as saved by the stub in cpu->host_save. */
static void slow(struct cpu *cpu, const struct slow_desc *d)
{
	u64 *gpr = (u64 *)cpu->host_save;
	u8(*xmm)[16] = (u8(*)[16])(cpu->host_save + 128);
	/* only what ir_eval looks at is set: to clear the rest took longer than to compute */
	struct ir_insn types[4], in;
	types[1].type = d->atype, types[2].type = d->btype, types[3].type = d->ctype;
	struct ir_region like;
	u8 konst[16];
	like.insn = types;
	like.n_insn = LEN(types);
	like.fp = d->fp;
	like.consts = &konst;
	like.n_consts = 1;
	in.op = d->op, in.type = d->type, in.lane = d->lane;
	in.a = 1, in.b = 2, in.c = 3;
	in.imm = d->imm;
	const char *kinds = ir_op_info[d->op].operands;
	if (d->op == IR_SHUFFLE) {
		memcpy(konst, d->konst, 16);
		in.imm = 0;
	}
	if (kinds[1] == 'l')
		in.b = d->b, in.c = d->c;
	union ir_val val[3], ret; /* of 16 bytes at most */
	u8 regs[3] = { d->a, d->b, d->c }, types3[3] = { d->atype, d->btype, d->ctype };
	for (unsigned i = 0; i < 3; i++) {
		val[i].q = 0;
		if (kinds[i] != 'v' || regs[i] == 0xff)
			continue;
		if (regs[i] < 16)
			val[i].u = gpr[regs[i]];
		else
			memcpy(val[i].b, xmm[regs[i] - 16], 16);
		unsigned size = ir_type_size(types3[i]);
		memset(val[i].b + size, 0, 16 - size);
		if (types3[i] == TY_I1)
			val[i].u &= 1;
	}
	ret.q = 0;
	ir_eval(&like, &in, &val[0], &val[1], &val[2], &ret, &cpu->fp_flags);
	if (d->dst >= SLOW_FRAME) {
		memcpy(cpu->frame[d->dst - SLOW_FRAME], &ret.w, 4);
	} else if (d->dst < 16) {
		unsigned size = ir_type_size(d->type);
		u64 v = ret.u;
		gpr[d->dst] = size < 8 ? v & ((1ull << size * 8) - 1) : v;
	} else {
		unsigned size = ir_type_size(d->type);
		memset(xmm[d->dst - 16], 0, 16);
		memcpy(xmm[d->dst - 16], ret.b, size);
	}
}

static void bytes(struct x64_code *c, const char *b, unsigned n)
{
	x_room(c);
	memcpy(c->p, b, n);
	c->p += n;
}
#define BYTES(c, s) bytes(c, s, sizeof(s) - 1)

static void move_homes(struct x64_code *c, const struct ir_slot *slot, u16 home[2][16], bool store)
{
	for (unsigned r = 0; r < 16; r++) {
		if (home[0][r] != NO_SLOT) {
			bool wide = slot[home[0][r]].type == TY_I64;
			x_rm(c, (wide ? OPW : 0) | (store ? X_MOV_STORE : X_MOV_LOAD), r,
			     state_mem(slot[home[0][r]].offset));
		}
		if (home[1][r] != NO_SLOT)
			x_vrm(c, xmm_move(slot[home[1][r]].type, store), r, 0,
			      state_mem(slot[home[1][r]].offset));
	}
}

static void call_abs(struct x64_code *c, u64 fn)
{
	x_mov_ri(c, RAX, fn);
	x_rr(c, 0xff, 2, RAX);
}

static const u8 *here(const struct x64_code *c)
{
	return c->p + c->to_run;
}

/* All registers into cpu->host_save, or back; RBP and RSP stay. */
static void move_all(struct x64_code *c, bool store)
{
	struct x64_mem save = CPU(host_save);
	if (store)
		x_rm(c, MAP0F | 0xae, 3, CPU(host_fp)); /* stmxcsr */
	for (unsigned r = 0; r < 16; r++) {
		if (r != RSP && r != RBP)
			x_rm(c, OPW | (store ? X_MOV_STORE : X_MOV_LOAD), r, x_mem(RBP, save.disp + r * 8));
		x_vrm(c, store ? V_MOVAPS_STORE : V_MOVAPS, r, 0, x_mem(RBP, save.disp + 128 + r * 16));
	}
	if (!store)
		x_rm(c, MAP0F | 0xae, 2, CPU(host_fp)); /* ldmxcsr */
}

/* fn(cpu, the descriptor behind the call), with registers saved. */
static void call_saved(struct x64_code *c, u64 fn)
{
	move_all(c, true);
	x_lea(c, OPW, RDI, state_mem(0));
	x_rm(c, OPW | X_MOV_LOAD, RSI, x_mem(RSP, 0));
	x_alu_ri(c, X_SUB, OPW, RSP, 8);
	call_abs(c, fn);
	x_alu_ri(c, X_ADD, OPW, RSP, 8);
}

static void make_slow(struct x64_code *c)
{
	call_saved(c, (u64)(uintptr_t)slow);
	x_alu_mi(c, X_ADD, OPW, x_mem(RSP, 0), sizeof(struct slow_desc));
	move_all(c, false);
	BYTES(c, "\xc3");
}

/* The same, but the function says where to go on. */
static void make_miss(struct x64_code *c)
{
	call_saved(c, (u64)(uintptr_t)host_miss);
	x_rm(c, OPW | X_MOV_STORE, RAX, x_mem(RSP, 0));
	move_all(c, false);
	BYTES(c, "\xc3");
}

static void make_helper(struct x64_code *c, const struct ir_slot *slot, u16 home[2][16])
{
	move_homes(c, slot, home, true);
	x_rm(c, OPW | X_MOV_STORE, RCX, CPU(insn_pc));
	x_rm(c, MAP0F | 0xae, 3, CPU(host_fp));
	x_lea(c, OPW, RDI, state_mem(0));
	x_lea(c, OPW, RSI, CPU(call_ret));
	x_lea(c, OPW, RDX, CPU(call_arg));
	x_alu_ri(c, X_SUB, OPW, RSP, 8);
	x_rr(c, 0xff, 2, RAX);
	x_alu_ri(c, X_ADD, OPW, RSP, 8);
	x_rm(c, MAP0F | 0xae, 2, CPU(host_fp));
	move_homes(c, slot, home, false);
	BYTES(c, "\xc3");
}

/* EAX: stored flags -> host flags with CF = C. Clobbers EAX alone. */
static void make_flags_stub(struct x64_code *c)
{
	BYTES(c, "\xf6\xc4\x02"); /* test ah, 2: STORED_MARK */
	u8 *plain = x_jcc(c, XC_E);
	BYTES(c, "\xa8\x06"); /* test al, 6: FK_SUB 0, FK_ADD 2, FK_FCMP 4 */
	u8 *sub = x_jcc(c, XC_E);
	BYTES(c, "\xa8\x04");
	u8 *fcmp = x_jcc(c, XC_NE);
	BYTES(c, "\x24\x01\x04\x7f\x9e\xc3"); /* and al, 1; add al, 0x7f; sahf; ret */
	x_patch(sub, c->p);
	BYTES(c,
	      "\x80\xf4\x10\x04\x7f\x9e\xf5\xc3"); /* the same with AF and CF inverted: xor ah, 0x10; cmc */
	x_patch(fcmp,
		c->p); /* N = CF & !ZF, Z = ZF & !PF, C = !CF | ZF, V = PF: by a table of the four outcomes */
	BYTES(c, "\xf6\xc4\x40"); /* test ah, 0x40 */
	u8 *zf = x_jcc8(c, XC_NE);
	BYTES(c, "\xf6\xc4\x01"); /* test ah, 1 */
	u8 *less = x_jcc8(c, XC_NE);
	BYTES(c, "\xb8\x00\x03\x00\x00\x04\x7f\x9e\xc3"); /* greater: C */
	x_patch8(c, less);
	BYTES(c, "\xb8\x00\x82\x00\x00\x04\x7f\x9e\xc3"); /* less: N */
	x_patch8(c, zf);
	BYTES(c, "\xf6\xc4\x04"); /* test ah, 4 */
	u8 *unordered = x_jcc8(c, XC_NE);
	BYTES(c, "\xb8\x00\x43\x00\x00\x04\x7f\x9e\xc3"); /* equal: Z C */
	x_patch8(c, unordered);
	BYTES(c, "\xb8\x01\x03\x00\x00\x04\x7f\x9e\xc3"); /* unordered: C V */
	x_patch(plain, c->p);
	/* N Z C V in bits 31..28, P 27, A 26: to S Z 0 A 0 P 1 C in AH and V in AL */
	BYTES(c, "\x51\x52"); /* push rcx, rdx */
	x_vrr(c, X_RORX, RAX, 0, RAX);
	x_byte(c, 28);
	x_mov_ri(c, RCX, 0xc101);
	x_mov_rr(c, 0, RDX, RAX); /* bits 3..0 N Z C V; P is bit 31, A bit 30 */
	x_vrr(c, X_PDEP, RAX, RAX, RCX);
	x_shift_ri(c, 5, 0, RDX, 30); /* bit 0 A, bit 1 P */
	x_mov_rr(c, 0, RCX, RDX);
	x_alu_ri(c, X_AND, 0, RCX, 1);
	x_shift_ri(c, 4, 0, RCX, 12);
	x_rr(c, X_ALU(X_OR), RAX, RCX);
	x_alu_ri(c, X_AND, 0, RDX, 2);
	x_shift_ri(c, 4, 0, RDX, 9);
	x_rr(c, X_ALU(X_OR), RAX, RDX);
	BYTES(c, "\x5a\x59\x04\x7f\x9e\xc3"); /* pop rdx, rcx; add al, 0x7f; sahf; ret */
}

size_t host_make_stubs(u8 *out, u8 *out_end, intptr_t to_run, const struct ir_slot *slot, const u16 *hot_int,
		       const u16 *hot_vec, struct host_stubs *s)
{
	struct x64_code code = { .p = out, .start = out, .end = out_end, .to_run = to_run }, *c = &code;
	u16 home[2][16];
	choose_homes(slot, hot_int, hot_vec, home);
	s->sha = has_sha();
	s->n_flags = 0;
	for (const struct ir_slot *f = slot; f->name; f++)
		if (f->type == TY_FLAGS && s->n_flags < LEN(s->flags_at))
			s->flags_at[s->n_flags++] = f->offset;
	s->start = here(c);
	/* enter(cpu, code) */
	s->enter = (u64(*)(struct cpu *, const void *))(uintptr_t)here(c);
	BYTES(c, "\x55\x53\x41\x54\x41\x55\x41\x56\x41\x57"); /* push rbp rbx r12 r13 r14 r15 */
	x_alu_ri(c, X_SUB, OPW, RSP, 8 + 16);
	x_rm(c, MAP0F | 0xae, 3, x_mem(RSP, 0)); /* the caller's MXCSR */
	x_lea(c, OPW, RBP, x_mem(RDI, STATE_BIAS));
	x_mov_rr(c, OPW, RAX, RSI);
	x_rm(c, OPW | X_MOV_STORE, RSP, CPU(scratch[8]));
	x_alu_mi(c, X_AND, 0, CPU(host_fp), ~MXCSR_MODES); /* rounding to nearest, no flushing */
	x_rm(c, MAP0F | 0xae, 2, CPU(host_fp));
	move_homes(c, slot, home, false);
	x_rr(c, 0xff, 4, RAX); /* jmp rax */
	/* out: called; the call has a struct host_out */
	s->out = here(c);
	BYTES(c, "\x58"); /* pop rax */
	x_rm(c, OPW | X_MOV_STORE, RAX, CPU(scratch[0]));
	x_mov_ri(c, RAX, HOST_OUT);
	u8 *to_exit = x_jmp(c);
	/* miss: the target in some register */
	u8 *to_miss[16] = { 0 };
	for (unsigned r = RAX + 1; r < 16; r++) {
		s->miss[r] = here(c);
		x_mov_rr(c, OPW, RAX, r);
		to_miss[r] = x_jmp8(c);
	}
	for (unsigned r = RAX + 1; r < 16; r++)
		x_patch8(c, to_miss[r]);
	s->miss[RAX] = here(c);
	x_rm(c, OPW | X_MOV_STORE, RAX, CPU(pc));
	x_mov_ri(c, RAX, HOST_MISS);
	/* exit: the event in EAX */
	x_patch(to_exit, c->p);
	s->exit = here(c);
	move_homes(c, slot, home, true);
	x_rm(c, MAP0F | 0xae, 3, CPU(host_fp));
	x_rm(c, OPW | X_MOV_LOAD, RSP, CPU(scratch[8]));
	x_rm(c, MAP0F | 0xae, 2, x_mem(RSP, 0));
	x_alu_ri(c, X_ADD, OPW, RSP, 8 + 16);
	BYTES(c, "\x41\x5f\x41\x5e\x41\x5d\x41\x5c\x5b\x5d\xc3");
	s->slow = here(c);
	make_slow(c);
	s->helper = here(c);
	make_helper(c, slot, home);
	s->mem = here(c);
	make_miss(c);
	s->miss_leave = here(c);
	x_rm(c, X_MOVZX8, RAX, CPU(event));
	x_patch(x_jmp(c), s->exit - c->to_run);
	s->flags = here(c);
	make_flags_stub(c);
	s->estimates = here(c);
	if (c->end - c->p > FP_ESTIMATES_SIZE)
		c->p += fp_estimate_tables(c->p);
	else
		c->full = true;
	s->end = here(c);
	return c->full ? 0 : (size_t)(c->p - out);
}

void host_link(u8 *place, const u8 *target)
{
	i32 d = target - (place + 4);
	__atomic_store_n((i32 *)place, d, __ATOMIC_RELEASE);
}

u64 host_context_pc(void *ucontext)
{
	return ((ucontext_t *)ucontext)->uc_mcontext.gregs[REG_RIP];
}

void host_fault(const u8 *code, u32 leave, const struct host_stubs *stubs, void *ucontext, u64 event)
{
	greg_t *g = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
	u32 table = 0;
	if (leave)
		memcpy(&table, code + leave - sizeof(table), sizeof(table));
	if (table)
		lazy_fault(code, table, ucontext);
	g[REG_RAX] = (greg_t)event; /* the rest is where the way out expects it */
	g[REG_RIP] = (greg_t)(uintptr_t)(leave ? code + leave : stubs->exit);
}

void host_divert(void *ucontext, struct cpu *cpu)
{
	greg_t *g = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
	g[REG_RDI] = (greg_t)(uintptr_t)cpu;
	g[REG_RSI] = EV_MEMORY;
	g[REG_RDX] = 0;
	g[REG_RSP] = ((g[REG_RSP] - 256) & ~15ll) - 8; /* below the red zone, aligned as after a call */
	g[REG_RIP] = (greg_t)(uintptr_t)cpu_raise;
}
