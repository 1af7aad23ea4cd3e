/*
 * RISC-V: the control and status registers of M and S mode, and the counters as system mode has them.
 * Manual: volume II, chapters "CSR Listing", "Machine-Level ISA", "Supervisor-Level ISA", "Sstc", "Smepmp"; volume I, "Zicntr and Zihpm".
 *
 * All registers are kept in RV64's form. A row with WIDE is 64 bits on RV32 too: its upper half has a row of its own, with HIGH.
 * Cycles count nanoseconds, instructions retired themselves; the other counters stand still.
 */
#include "guest/riscv/priv.h"
#include <time.h>

enum { WIDE = 1, HIGH = 2, MODE = 4 /* who writes it changes the mode */, INTERRUPTS = 8 /* or which interrupts are enabled */ };
struct pcsr {
	u16 number;
	u16 count; /* as many registers in a row */
	u8 feature, flags;
	u16 at; /* in struct riscv_priv: read as it lies there, written under the mask, unless there is a function */
	u64 mask;
	const char *name;
	u64 (*get)(const struct riscv *r, unsigned n); /* n: number behind the row's first */
	void (*set)(struct riscv *r, unsigned n, u64 v);
};

/* ---- status ---- */
#define SSTATUS (ST_SIE | ST_SPIE | ST_SPP | ST_FS | ST_SUM | ST_MXR)

static u64 status_get(const struct riscv *r, unsigned n UNUSED)
{
	u64 dirty = field(r->p.mstatus, ST_FS) == 3 ? BIT(rv64(r) ? 63 : 31) : 0;
	return r->p.mstatus | dirty;
}

static u64 sstatus_get(const struct riscv *r, unsigned n)
{
	return status_get(r, n) & (SSTATUS | ST_UXL | BIT(rv64(r) ? 63 : 31));
}

static void status_write(struct riscv *r, u64 v, u64 mask)
{
	u64 old = r->p.mstatus;
	unsigned mpp = field(v, ST_MPP);
	if (!has(r, RISCV_F))
		mask &= ~ST_FS;
	if (!has(r, RISCV_S))
		mask &= ~(SSTATUS | ST_TVM | ST_TSR) | ST_FS;
	if (!has(r, RISCV_U))
		mask &= ~(ST_MPRV | ST_TW);
	if (mpp == 2 || (mpp == PRIV_S && !has(r, RISCV_S)) || (mpp == PRIV_U && !has(r, RISCV_U)))
		mask &= ~ST_MPP;
	r->p.mstatus = (old & ~mask) | (v & mask);
}

static void status_set(struct riscv *r, unsigned n UNUSED, u64 v)
{
	status_write(r, v, SSTATUS | ST_MIE | ST_MPIE | ST_MPP | ST_MPRV | ST_TVM | ST_TW | ST_TSR);
}

static void sstatus_set(struct riscv *r, unsigned n UNUSED, u64 v)
{
	status_write(r, v, SSTATUS);
}

static u64 misa_get(const struct riscv *r, unsigned n UNUSED)
{
	return riscv_misa(r->model) | (rv64(r) ? 2ull << 62 : 1ull << 30);
}

static void ignore(struct riscv *r UNUSED, unsigned n UNUSED, u64 v UNUSED)
{
}

static u64 zero(const struct riscv *r UNUSED, unsigned n UNUSED)
{
	return 0;
}

static u64 vendor_get(const struct riscv *r, unsigned n)
{
	const u64 id[] = { r->model->vendor, r->model->arch, r->model->imp };
	return id[n];
}

/* ---- traps ---- */
static void tvec_set(struct riscv *r, unsigned n UNUSED, u64 v)
{
	r->p.mtvec = v & ~2ull;
}

static void stvec_set(struct riscv *r, unsigned n UNUSED, u64 v)
{
	r->p.stvec = v & ~2ull;
}

static u64 pc_mask(const struct riscv *r)
{
	return has(r, RISCV_C) ? ~1ull : ~3ull;
}

static void mepc_set(struct riscv *r, unsigned n UNUSED, u64 v)
{
	r->p.mepc = v & pc_mask(r);
}

static void sepc_set(struct riscv *r, unsigned n UNUSED, u64 v)
{
	r->p.sepc = v & pc_mask(r);
}

/* ---- interrupts ---- */
static u64 mip_get(const struct riscv *r, unsigned n UNUSED)
{
	return riscv_pending(r);
}

static void ssip_write(struct riscv *r, u64 v)
{
	if (v & BIT(RISCV_INT_SSI))
		__atomic_fetch_or(&r->p.mip, BIT(RISCV_INT_SSI), __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(&r->p.mip, ~BIT(RISCV_INT_SSI), __ATOMIC_SEQ_CST);
}

static void mip_set(struct riscv *r, unsigned n UNUSED, u64 v)
{
	if (!has(r, RISCV_S))
		return;
	ssip_write(r, v);
	r->p.msoft = v & (BIT(RISCV_INT_SEI) | (r->p.menvcfg & ENV_STCE ? 0 : BIT(RISCV_INT_STI)));
}

static u64 sip_get(const struct riscv *r, unsigned n UNUSED)
{
	return riscv_pending(r) & r->p.mideleg;
}

static void sip_set(struct riscv *r, unsigned n UNUSED, u64 v)
{
	if (r->p.mideleg & BIT(RISCV_INT_SSI))
		ssip_write(r, v);
}

static u64 sie_get(const struct riscv *r, unsigned n UNUSED)
{
	return r->p.mie & r->p.mideleg;
}

static void sie_set(struct riscv *r, unsigned n UNUSED, u64 v)
{
	r->p.mie = (r->p.mie & ~r->p.mideleg) | (v & r->p.mideleg);
}

static void mie_set(struct riscv *r, unsigned n UNUSED, u64 v)
{
	r->p.mie = v & (INT_M | (has(r, RISCV_S) ? INT_S : 0));
}

static void stimecmp_set(struct riscv *r, unsigned n UNUSED, u64 v)
{
	r->p.stimecmp = v;
	riscv_stimecmp_changed(r);
}

static void menvcfg_set(struct riscv *r, unsigned n UNUSED, u64 v)
{
	u64 mask = ENV_FIOM | (has(r, RISCV_ZICBOM) ? 0x70 : 0) | (has(r, RISCV_ZICBOZ) ? 0x80 : 0) |
		   (has(r, RISCV_SVADU) ? ENV_ADUE : 0) | (has(r, RISCV_SVPBMT) ? ENV_PBMTE : 0) |
		   (has(r, RISCV_SSTC) ? ENV_STCE : 0);
	r->p.menvcfg = v & mask;
	riscv_stimecmp_changed(r);
	r->cpu.system->flush(&r->cpu, CTX_PAGED, CTX_PAGED, false);
}

/* ---- memory ---- */
static void mseccfg_set(struct riscv *r, unsigned n UNUSED, u64 v)
{
	riscv_mseccfg_set(r, v);
}

static void satp_set(struct riscv *r, unsigned n UNUSED, u64 v)
{
	if (!rv64(r))
		v = (u32)v;
	if (!riscv_satp_ok(r, v))
		return;
	if (riscv_satp_mode(r, v) != riscv_satp_mode(r, r->p.satp)) /* the same number may be another mode's */
		r->cpu.system->flush(&r->cpu, CTX_PAGED, CTX_PAGED, false);
	r->p.satp = v;
}

/* ---- counters ---- */
static u64 now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

enum { CY = 0, TM = 1, IR = 2 };

void riscv_uncount(struct riscv *r)
{
	if (r->cpu.key & KEY_COUNT)
		r->p.minstret--;
}

/*
 * Instructions are counted from when somebody asks for the first time, which costs every region from then on; what had run before is guessed by
 * nanoseconds. The one that asks is in the count already, but not in what it reads.
 */
static void begin_to_count(struct riscv *r)
{
	if (r->cpu.key & KEY_COUNT || r->p.mcountinhibit & BIT(IR))
		return;
	r->p.minstret += now() + 1;
	r->cpu.key |= KEY_COUNT;
}

static u64 counter_get(const struct riscv *r, unsigned n)
{
	u64 v = n == CY ? r->p.mcycle : r->p.minstret;
	if (n == IR && r->cpu.key & KEY_COUNT)
		return v - 1;
	return r->p.mcountinhibit & BIT(n) ? v : v + now();
}

static void counter_set(struct riscv *r, unsigned n, u64 v)
{
	bool running = !(r->p.mcountinhibit & BIT(n) || (n == IR && r->cpu.key & KEY_COUNT));
	*(n == CY ? &r->p.mcycle : &r->p.minstret) = running ? v - now() : v;
}

static u64 any_counter_get(const struct riscv *r, unsigned n) /* U mode's, mhpmcounters too */
{
	return n == TM ? riscv_time(r) : n > IR ? 0 : counter_get(r, n);
}

static void any_counter_set(struct riscv *r, unsigned n, u64 v)
{
	if (n <= IR)
		counter_set(r, n, v);
}

static void inhibit_set(struct riscv *r, unsigned n UNUSED, u64 v)
{
	u64 cycles = counter_get(r, CY), retired = counter_get(r, IR);
	r->p.mcountinhibit = v & (BIT(CY) | BIT(IR));
	if (v & BIT(IR))
		r->cpu.key &= ~(u64)KEY_COUNT;
	counter_set(r, CY, cycles);
	if (!(r->cpu.key & KEY_COUNT))
		counter_set(r, IR, retired);
}

/* clang-format off */
#define P(field) offsetof(struct riscv_priv, field)
#define ALL ~0ull
static const struct pcsr rows[] = {
	{ 0xf11, 3, RISCV_ZICSR, 0, 0, 0, "mvendorid", vendor_get, NULL }, /* marchid, mimpid */
	{ 0xf14, 1, RISCV_ZICSR, 0, P(hartid), 0, "mhartid", NULL, NULL },
	{ 0xf15, 1, RISCV_ZICSR, 0, 0, 0, "mconfigptr", zero, NULL },

	{ 0x300, 1, RISCV_ZICSR, WIDE | MODE | INTERRUPTS, 0, 0, "mstatus", status_get, status_set },
	{ 0x310, 1, RISCV_RV32,  HIGH, 0, 0, "mstatush", status_get, ignore },
	{ 0x301, 1, RISCV_ZICSR, 0, 0, 0, "misa", misa_get, ignore },
	{ 0x302, 1, RISCV_S,     0, P(medeleg), 0xb3ff, "medeleg", NULL, NULL },
	{ 0x312, 1, RISCV_RV32,  HIGH, P(medeleg), 0xb3ff, "medelegh", NULL, ignore },
	{ 0x303, 1, RISCV_S,     INTERRUPTS, P(mideleg), INT_S, "mideleg", NULL, NULL },
	{ 0x304, 1, RISCV_ZICSR, INTERRUPTS, P(mie), 0, "mie", NULL, mie_set },
	{ 0x305, 1, RISCV_ZICSR, 0, P(mtvec), 0, "mtvec", NULL, tvec_set },
	{ 0x306, 1, RISCV_U,     0, P(mcounteren), BITS(32), "mcounteren", NULL, NULL },
	{ 0x320, 1, RISCV_ZICSR, 0, P(mcountinhibit), 0, "mcountinhibit", NULL, inhibit_set },
	{ 0x323, 29, RISCV_ZICSR, 0, 0, 0, "mhpmevent3", zero, ignore },
	{ 0x340, 1, RISCV_ZICSR, 0, P(mscratch), ALL, "mscratch", NULL, NULL },
	{ 0x341, 1, RISCV_ZICSR, 0, P(mepc), 0, "mepc", NULL, mepc_set },
	{ 0x342, 1, RISCV_ZICSR, 0, P(mcause), ALL, "mcause", NULL, NULL },
	{ 0x343, 1, RISCV_ZICSR, 0, P(mtval), ALL, "mtval", NULL, NULL },
	{ 0x344, 1, RISCV_ZICSR, INTERRUPTS, 0, 0, "mip", mip_get, mip_set },
	{ 0x30a, 1, RISCV_U,     WIDE | INTERRUPTS, P(menvcfg), 0, "menvcfg", NULL, menvcfg_set },
	{ 0x31a, 1, RISCV_U,     HIGH | INTERRUPTS, P(menvcfg), 0, "menvcfgh", NULL, menvcfg_set },
	{ 0x747, 1, RISCV_SMEPMP, WIDE, P(mseccfg), 0, "mseccfg", NULL, mseccfg_set },
	{ 0x757, 1, RISCV_SMEPMP, HIGH, P(mseccfg), 0, "mseccfgh", NULL, ignore },
	{ 0x3a0, 4, RISCV_U,     0, 0, 0, "pmpcfg0", riscv_pmpcfg_get, riscv_pmpcfg_set },
	{ 0x3b0, RISCV_PMPS, RISCV_U, 0, 0, 0, "pmpaddr0", riscv_pmpaddr_get, riscv_pmpaddr_set },
	{ 0x7a0, 4, RISCV_ZICSR, 0, 0, 0, "tselect", zero, ignore }, /* tdata1 to tdata3: there are no triggers */
	{ 0xb00, 32, RISCV_ZICSR, WIDE, 0, 0, "mcycle", any_counter_get, any_counter_set },
	{ 0xb80, 32, RISCV_RV32, HIGH, 0, 0, "mcycleh", any_counter_get, any_counter_set },

	{ 0x100, 1, RISCV_S, MODE | INTERRUPTS, 0, 0, "sstatus", sstatus_get, sstatus_set },
	{ 0x104, 1, RISCV_S, INTERRUPTS, 0, 0, "sie", sie_get, sie_set },
	{ 0x105, 1, RISCV_S, 0, P(stvec), 0, "stvec", NULL, stvec_set },
	{ 0x106, 1, RISCV_S, 0, P(scounteren), BITS(32), "scounteren", NULL, NULL },
	{ 0x10a, 1, RISCV_S, 0, P(senvcfg), 0xf1, "senvcfg", NULL, NULL },
	{ 0x140, 1, RISCV_S, 0, P(sscratch), ALL, "sscratch", NULL, NULL },
	{ 0x141, 1, RISCV_S, 0, P(sepc), 0, "sepc", NULL, sepc_set },
	{ 0x142, 1, RISCV_S, 0, P(scause), ALL, "scause", NULL, NULL },
	{ 0x143, 1, RISCV_S, 0, P(stval), ALL, "stval", NULL, NULL },
	{ 0x144, 1, RISCV_S, INTERRUPTS, 0, 0, "sip", sip_get, sip_set },
	{ 0x14d, 1, RISCV_SSTC, WIDE | INTERRUPTS, P(stimecmp), 0, "stimecmp", NULL, stimecmp_set },
	{ 0x15d, 1, RISCV_SSTC, HIGH | INTERRUPTS, P(stimecmp), 0, "stimecmph", NULL, stimecmp_set },
	{ 0x180, 1, RISCV_S, MODE, P(satp), 0, "satp", NULL, satp_set },

	{ 0xc00, 32, RISCV_ZICNTR, WIDE, 0, 0, "cycle", any_counter_get, NULL },
	{ 0xc80, 32, RISCV_RV32, HIGH, 0, 0, "cycleh", any_counter_get, NULL },
};
/* clang-format on */

static const struct pcsr *find(unsigned number)
{
	for (unsigned i = 0; i < LEN(rows); i++)
		if (number - rows[i].number < rows[i].count)
			return &rows[i];
	return NULL;
}

const char *riscv_pcsr_name(unsigned number)
{
	const struct pcsr *c = find(number);
	return c && c->count == 1 ? c->name : NULL;
}

/* Counters that lower privileges see only when the higher ones let them. */
static bool counter_shown(const struct riscv *r, unsigned n)
{
	unsigned priv = priv_of(r);
	if (priv < PRIV_M && !(r->p.mcounteren >> n & 1))
		return false;
	return priv != PRIV_U || !has(r, RISCV_S) || r->p.scounteren >> n & 1;
}

static bool allowed(const struct riscv *r, const struct pcsr *c, unsigned number, bool write)
{
	unsigned priv = priv_of(r);
	if (!c || !has(r, c->feature) || (c->flags & HIGH && rv64(r)) || (write && number >> 10 == 3) || (number >> 8 & 3) > priv)
		return false;
	if ((number & 0xf60) == 0xc00)
		return counter_shown(r, number & 31);
	if (number == 0xb01 || number == 0xb81) /* mtime is the board's */
		return false;
	if (c->number >= 0x3a0 && c->number < 0x3b0 && rv64(r) && number & 1)
		return false;
	if (priv == PRIV_S && number == 0x180)
		return !(r->p.mstatus & ST_TVM);
	if (priv == PRIV_S && c->feature == RISCV_SSTC)
		return r->p.menvcfg & ENV_STCE && r->p.mcounteren & BIT(TM);
	return true;
}

static u64 *place(struct riscv *r, const struct pcsr *c)
{
	return (u64 *)((u8 *)&r->p + c->at);
}

static u64 read_whole(struct riscv *r, const struct pcsr *c, unsigned n)
{
	return c->get ? c->get(r, n) : *place(r, c);
}

static void write_whole(struct riscv *r, const struct pcsr *c, unsigned n, u64 v)
{
	if (c->set)
		c->set(r, n, v);
	else
		*place(r, c) = (*place(r, c) & ~c->mask) | (v & c->mask);
}

static void write_csr(struct riscv *r, const struct pcsr *c, unsigned n, u64 v)
{
	u64 whole = read_whole(r, c, n);
	if (c->flags & HIGH)
		v = v << 32 | (u32)whole;
	else if (!rv64(r) && c->flags & WIDE)
		v = (whole & ~0xffffffffull) | (u32)v;
	write_whole(r, c, n, rv64(r) || c->flags & (WIDE | HIGH) ? v : (u32)v);
	if (c->flags & MODE)
		riscv_mode_changed(r);
	if (c->flags & INTERRUPTS)
		riscv_check_interrupts(r);
}

/* arguments: number and operation << 16, value, the instruction's word. Gives the old value. */
static void csr(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
	struct riscv *r = (struct riscv *)cpu;
	unsigned number = arg[0].w & 0xfff, op = arg[0].w >> 16;
	const struct pcsr *c = find(number);
	if (!allowed(r, c, number, op != CSR_READ)) {
		riscv_uncount(r);
		cpu_raise(cpu, EV_UNDEFINED, arg[2].u);
	}
	unsigned n = number - c->number;
	if (c->get == any_counter_get && n == IR)
		begin_to_count(r);
	u64 whole = read_whole(r, c, n), old = c->flags & HIGH ? whole >> 32 : rv64(r) ? whole : (u32)whole, v = arg[1].u;
	ret->u = old;
	if (number == 0x344) /* mip: what is set and cleared is the software's part, not the inputs */
		old = (old & ~INT_S) | (r->p.mip & BIT(RISCV_INT_SSI)) | r->p.msoft;
	if (op != CSR_READ)
		write_csr(r, c, n, op == CSR_SET ? old | v : op == CSR_CLEAR ? old & ~v : v);
}

static const u16 slots[] = { RV_INSTRET, 0xffff };
HELPER(riscv_csr) = { .name = "riscv_csr", .fn = csr, .effects = HELP_RAISES | HELP_VOLATILE, .slots = slots };

ir_ref riscv_csr_call(struct tr *t, unsigned number, unsigned op, ir_ref v, u32 word)
{
	const ir_ref args[] = { konst32(t, number | op << 16), v_zext(t, TY_I64, v), konst64(t, word) };
	return v_trunc(t, XT(t), v_call(t, &ir_helper_riscv_csr, TY_I64, args, 3));
}
