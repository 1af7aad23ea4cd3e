/*
 * RISC-V: traps, interrupts, returns from them, and what the mode of a hart means for the engine (key and contexts).
 * Manual: volume II, chapters "Machine-Level ISA", "Supervisor-Level ISA", "Sstc".
 */
#include "guest/riscv/priv.h"

/* ---- modes ---- */
static const struct satp_mode sv32 = { 2, 32, 4, 10 }, sv39 = { 3, 39, 8, 9 }, sv48 = { 4, 48, 8, 9 },
			      sv57 = { 5, 57, 8, 9 };

static const struct satp_mode *mode_by_number(const struct riscv *r, unsigned mode)
{
	if (!rv64(r))
		return mode ? &sv32 : NULL;
	return mode == 8 ? &sv39 : mode == 9 ? &sv48 : mode == 10 ? &sv57 : NULL;
}

static unsigned mode_number(const struct riscv *r, u64 satp)
{
	return rv64(r) ? satp >> 60 : satp >> 31 & 1;
}

const struct satp_mode *riscv_satp_mode(const struct riscv *r, u64 satp)
{
	return mode_by_number(r, mode_number(r, satp));
}

bool riscv_satp_ok(const struct riscv *r, u64 satp)
{
	return !mode_number(r, satp) || riscv_satp_mode(r, satp);
}

u64 riscv_asid(const struct riscv *r, u64 satp)
{
	return rv64(r) ? satp >> 44 & 0xffff : satp >> 22 & 0x1ff;
}

static u64 context(const struct riscv *r, unsigned priv, bool data)
{
	u64 id = (u64)priv << CTX_PRIV_SHIFT;
	if (priv == PRIV_M || !riscv_satp_mode(r, r->p.satp))
		return id;
	id |= CTX_PAGED | riscv_asid(r, r->p.satp);
	if (data && r->p.mstatus & ST_MXR)
		id |= CTX_MXR;
	if (data && r->p.mstatus & ST_SUM && priv == PRIV_S)
		id |= CTX_SUM;
	return id;
}

static void set_mode(struct riscv *r, unsigned priv)
{
	unsigned fs = field(r->p.mstatus, ST_FS);
	r->cpu.key = (r->cpu.key & (KEY_FRM | KEY_COUNT)) | (u64)priv << KEY_PRIV_SHIFT | KEY_SYSTEM |
		     (fs ? 0 : KEY_FS_OFF) | (fs < 3 ? KEY_FS_CLEAN : 0);
	u64 data = context(r, data_priv(r), true);
	r->cpu.system->enter(&r->cpu, context(r, priv, false), (const u64[CPU_MMUS]){ data, data });
}

void riscv_mode_changed(struct riscv *r)
{
	set_mode(r, priv_of(r));
}

/* ---- interrupts ---- */
u64 riscv_time(const struct riscv *r)
{
	return r->board ? r->board->time(r->board->user) : 0;
}

static bool sstc(const struct riscv *r)
{
	return has(r, RISCV_SSTC) && r->p.menvcfg & ENV_STCE;
}

u64 riscv_pending(const struct riscv *r)
{
	u64 mip = __atomic_load_n(&r->p.mip, __ATOMIC_SEQ_CST) | r->p.msoft;
	if (sstc(r))
		mip = (mip & ~BIT(RISCV_INT_STI)) | (riscv_time(r) >= r->p.stimecmp ? BIT(RISCV_INT_STI) : 0);
	return mip;
}

/* The interrupt to take now, -1 none. *to: the privilege that handles it. */
static int deliverable(const struct riscv *r, unsigned *to)
{
	static const u8 order[] = { RISCV_INT_MEI, RISCV_INT_MSI, RISCV_INT_MTI,
				    RISCV_INT_SEI, RISCV_INT_SSI, RISCV_INT_STI };
	u64 ready = riscv_pending(r) & r->p.mie;
	unsigned priv = priv_of(r);
	if (!ready)
		return -1;
	bool machine = priv < PRIV_M || r->p.mstatus & ST_MIE;
	bool super = priv < PRIV_S || (priv == PRIV_S && r->p.mstatus & ST_SIE);
	u64 m = machine ? ready & ~r->p.mideleg : 0, s = super ? ready & r->p.mideleg : 0;
	*to = m ? PRIV_M : PRIV_S;
	for (unsigned i = 0; (m || s) && i < LEN(order); i++)
		if ((m ? m : s) & BIT(order[i]))
			return order[i];
	return -1;
}

void riscv_check_interrupts(struct riscv *r)
{
	unsigned to;
	if (deliverable(r, &to) >= 0)
		cpu_stop(&r->cpu);
}

void riscv_interrupt(struct cpu *cpu, unsigned which, bool level)
{
	struct riscv *r = (struct riscv *)cpu;
	if (level)
		__atomic_fetch_or(&r->p.mip, BIT(which), __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(&r->p.mip, ~BIT(which), __ATOMIC_SEQ_CST);
	if (level)
		cpu_stop(cpu);
}

void riscv_timer_reached(struct cpu *cpu)
{
	cpu_stop(cpu);
}

void riscv_stimecmp_changed(struct riscv *r)
{
	if (r->board && has(r, RISCV_SSTC))
		r->board->stimecmp(r->board->user, r->p.hartid, sstc(r) ? r->p.stimecmp : ~0ull);
}

/* ---- entry ---- */
static u64 vector(u64 tvec, bool interrupt, u64 cause)
{
	return (tvec & ~3ull) + (tvec & 1 && interrupt ? 4 * cause : 0);
}

static void enter(struct riscv *r, unsigned to, bool interrupt, u64 cause, u64 tval)
{
	struct riscv_priv *p = &r->p;
	unsigned from = priv_of(r);
	u64 code = cause | (interrupt ? BIT(rv64(r) ? 63 : 31) : 0), pc = r->cpu.pc;
	if (to == PRIV_S) {
		p->sepc = pc, p->scause = code, p->stval = tval;
		p->mstatus = with_field(p->mstatus, ST_SPIE, field(p->mstatus, ST_SIE)) & ~ST_SIE;
		p->mstatus = with_field(p->mstatus, ST_SPP, from);
		pc = vector(p->stvec, interrupt, cause);
	} else {
		p->mepc = pc, p->mcause = code, p->mtval = tval;
		p->mstatus = with_field(p->mstatus, ST_MPIE, field(p->mstatus, ST_MIE)) & ~ST_MIE;
		p->mstatus = with_field(p->mstatus, ST_MPP, from);
		pc = vector(p->mtvec, interrupt, cause);
	}
	r->cpu.pc = rv64(r) ? pc : (u32)pc;
	set_mode(r, to);
}

static void exception(struct riscv *r, u64 cause, u64 tval)
{
	bool super = priv_of(r) < PRIV_M && r->p.medeleg >> cause & 1;
	enter(r, super ? PRIV_S : PRIV_M, false, cause, rv64(r) ? tval : (u32)tval);
}

static void interrupt(struct cpu *cpu)
{
	struct riscv *r = (struct riscv *)cpu;
	unsigned to = PRIV_M;
	int which = deliverable(r, &to);
	if (which >= 0)
		enter(r, to, true, which, 0);
}

static bool wakes(const struct cpu *cpu)
{
	const struct riscv *r = (const struct riscv *)cpu;
	return riscv_pending(r) & r->p.mie;
}

static bool event(struct cpu *cpu, enum ir_event event)
{
	struct riscv *r = (struct riscv *)cpu;
	switch (event) {
	case EV_SYSCALL:
		cpu->pc -= 4;
		riscv_uncount(r);
		exception(r, CAUSE_ECALL + priv_of(r), 0);
		return true;
	case EV_UNDEFINED:
		exception(r, CAUSE_ILLEGAL, cpu->event_arg);
		return true;
	case EV_BREAKPOINT:
		riscv_uncount(r);
		exception(r, CAUSE_BREAKPOINT, cpu->pc);
		return true;
	case EV_MEMORY:
	case EV_FETCH:
		exception(r, cpu->fault_code, cpu->fault_addr);
		return true;
	case EV_ALIGN:
		exception(r, cpu->fault_write ? CAUSE_STORE_MISALIGNED : CAUSE_LOAD_MISALIGNED,
			  cpu->fault_addr);
		return true;
	case EV_RISCV_JUMP:
		exception(r, CAUSE_FETCH_MISALIGNED, cpu->event_arg);
		return true;
	case EV_YIELD:
		return true;
	default:
		return false;
	}
}

const struct guest_system riscv_system_mode = {
	.walk = riscv_walk,
	.bus_fault = { CAUSE_LOAD_ACCESS, CAUSE_STORE_ACCESS, CAUSE_FETCH_ACCESS },
	.event = event,
	.interrupt = interrupt,
	.wakes = wakes,
};

/* ---- returns ---- */
static void illegal(struct cpu *cpu, u64 word) NORETURN;
static void illegal(struct cpu *cpu, u64 word)
{
	riscv_uncount((struct riscv *)cpu);
	cpu_raise(cpu, EV_UNDEFINED, word);
}

/* arg: the instruction's word. Gives where to go on. */
static void mret(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
	struct riscv *r = (struct riscv *)cpu;
	struct riscv_priv *p = &r->p;
	if (priv_of(r) != PRIV_M)
		illegal(cpu, arg[0].u);
	unsigned to = field(p->mstatus, ST_MPP);
	p->mstatus = with_field(p->mstatus, ST_MIE, field(p->mstatus, ST_MPIE)) | ST_MPIE;
	p->mstatus = with_field(p->mstatus, ST_MPP, has(r, RISCV_U) ? PRIV_U : PRIV_M);
	if (to != PRIV_M)
		p->mstatus &= ~ST_MPRV;
	set_mode(r, to);
	riscv_check_interrupts(r);
	ret->u = p->mepc;
}

static void sret(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
	struct riscv *r = (struct riscv *)cpu;
	struct riscv_priv *p = &r->p;
	unsigned priv = priv_of(r);
	if (!has(r, RISCV_S) || priv < PRIV_S || (priv == PRIV_S && p->mstatus & ST_TSR))
		illegal(cpu, arg[0].u);
	unsigned to = field(p->mstatus, ST_SPP);
	p->mstatus = with_field(p->mstatus, ST_SIE, field(p->mstatus, ST_SPIE)) | ST_SPIE;
	p->mstatus &= ~(ST_SPP | ST_MPRV);
	set_mode(r, to);
	riscv_check_interrupts(r);
	ret->u = p->sepc;
}

/* Whether WFI may wait; arg: the word. */
static void wfi(struct cpu *cpu, union ir_val *ret UNUSED, const union ir_val *arg)
{
	struct riscv *r = (struct riscv *)cpu;
	unsigned priv = priv_of(r);
	if (priv < PRIV_M && (r->p.mstatus & ST_TW || (priv == PRIV_U && has(r, RISCV_S))))
		illegal(cpu, arg[0].u);
}

/* arg: address or ~0 for all, address-space id or ~0 for all, the word, whether the address and the id are given. */
static void sfence(struct cpu *cpu, union ir_val *ret UNUSED, const union ir_val *arg)
{
	struct riscv *r = (struct riscv *)cpu;
	unsigned priv = priv_of(r), given = arg[3].w;
	if (priv < PRIV_S || (priv == PRIV_S && r->p.mstatus & ST_TVM))
		illegal(cpu, arg[2].u);
	u64 mask = given & 2 ? CTX_ASID | CTX_PAGED : CTX_PAGED,
	    match = given & 2 ? CTX_PAGED | (arg[1].u & CTX_ASID) : CTX_PAGED;
	if (given & 1)
		cpu->system->flush_page(cpu, mask, match, arg[0].u, given & 2);
	else
		cpu->system->flush(cpu, mask, match, given & 2);
}

/* sfence.w.inval, sfence.inval.ir: there is nothing to wait for. */
static void sfence_order(struct cpu *cpu, union ir_val *ret UNUSED, const union ir_val *arg)
{
	if (priv_of((struct riscv *)cpu) < PRIV_S)
		illegal(cpu, arg[0].u);
}

static void fs_dirty(struct cpu *cpu, union ir_val *ret UNUSED, const union ir_val *arg UNUSED)
{
	struct riscv *r = (struct riscv *)cpu;
	r->p.mstatus |= ST_FS;
	riscv_mode_changed(r);
}

static const u16 no_slots[] = { 0xffff }, counting[] = { RV_INSTRET, 0xffff };
#define RAISING HELP_RAISES | HELP_VOLATILE
HELPER(riscv_mret) = { .name = "riscv_mret", .fn = mret, .effects = RAISING, .slots = counting };
HELPER(riscv_sret) = { .name = "riscv_sret", .fn = sret, .effects = RAISING, .slots = counting };
HELPER(riscv_wfi) = { .name = "riscv_wfi", .fn = wfi, .effects = RAISING, .slots = counting };
HELPER(riscv_sfence) = { .name = "riscv_sfence", .fn = sfence, .effects = RAISING, .slots = counting };
HELPER(riscv_sfence_order) = {
	.name = "riscv_sfence_order", .fn = sfence_order, .effects = RAISING, .slots = counting
};
HELPER(riscv_fs_dirty) = {
	.name = "riscv_fs_dirty", .fn = fs_dirty, .effects = HELP_VOLATILE, .slots = no_slots
};

bool riscv_fs_dirty(struct tr *t)
{
	if (!(t->key & KEY_FS_CLEAN))
		return true;
	v_call(t, &ir_helper_riscv_fs_dirty, TY_VOID, NULL, 0);
	tr_end(t, t->pc);
	return false;
}

void riscv_start(struct cpu *cpu, unsigned hart, u64 pc, const struct riscv_board *board)
{
	struct riscv *r = (struct riscv *)cpu;
	memset(&r->p, 0, sizeof(r->p));
	r->board = board;
	r->p.hartid = hart;
	r->p.mstatus = with_field(0, ST_MPP, PRIV_M);
	if (rv64(r))
		r->p.mstatus |= (has(r, RISCV_U) ? BIT(33) : 0) | (has(r, RISCV_S) ? BIT(35) : 0);
	r->p.menvcfg = (has(r, RISCV_SVADU) ? ENV_ADUE : 0) | (has(r, RISCV_SVPBMT) ? ENV_PBMTE : 0);
	r->p.stimecmp = ~0ull;
	cpu->mem_mask = rv64(r) ? ~0ull : 0xffffffff;
	cpu->pc = pc;
	set_mode(r, PRIV_M);
}
