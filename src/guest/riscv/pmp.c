/*
 * RISC-V: physical memory protection and its enhancement Smepmp.
 * Manual: volume II, chapters "Physical Memory Protection" and "Smepmp".
 *
 * The grain is a page of 4 KiB (PMP's G is 10): what is allowed never changes inside a page, so that the engine may keep it by the page.
 */
#include "guest/riscv/priv.h"

enum { R = 1, W = 2, X = 4, MODE = 0x18, TOR = 0x08, NA4 = 0x10, NAPOT = 0x18, LOCK = 0x80 };
enum { GRAIN = 10 }; /* bits of pmpaddr that do not count */
#define LOW (BITS(GRAIN))

static u64 address_bits(const struct riscv *r)
{
	return rv64(r) ? BITS(54) : BITS(32);
}

/* The range of entry n: [*lo, *hi] of pages. False: it is off. */
static bool range(const struct riscv *r, unsigned n, u64 *lo, u64 *hi)
{
	u64 a = r->p.pmpaddr[n];
	switch (r->p.pmpcfg[n] & MODE) {
	case TOR:
		*lo = n ? r->p.pmpaddr[n - 1] >> GRAIN : 0;
		*hi = (a >> GRAIN) - 1;
		return *lo < (a >> GRAIN);
	case NAPOT:
		a |= LOW >> 1; /* the smallest is one page */
		*lo = (a & (a + 1)) >> GRAIN;
		*hi = (a | (a + 1)) >> GRAIN;
		return true;
	}
	return false;
}

/* What a matching entry allows, without Machine Mode Lockdown. */
static u8 plain_rule(u8 cfg, unsigned priv)
{
	if (priv == PRIV_M && !(cfg & LOCK))
		return R | W | X;
	return cfg & (R | W | X);
}

/* With it: Smepmp's truth table, by L, X, W, R. */
static u8 lockdown_rule(u8 cfg, unsigned priv)
{
	static const u8 machine[16] = { 0, 0, R | W, 0, 0, 0, R | W, 0, 0, R, X, R | W, X, R | X, R | X, R };
	static const u8 others[16] = { 0, R, R, R | W, X, R | X, R | W, R | W | X, 0, 0, X, 0, 0, 0, X, R };
	unsigned i = (cfg & LOCK ? 8 : 0) | (cfg & 7);
	return priv == PRIV_M ? machine[i] : others[i];
}

static u8 to_access(u8 rwx)
{
	return (rwx & R ? BIT(MMU_READ) : 0) | (rwx & W ? BIT(MMU_WRITE) : 0) |
	       (rwx & X ? BIT(MMU_FETCH) : 0);
}

u8 riscv_pmp_allow(const struct riscv *r, u64 phys, unsigned priv, u8 *bits)
{
	u64 page = phys >> 12, lo, hi;
	bool lockdown = r->p.mseccfg & SECCFG_MML;
	for (unsigned n = 0; n < RISCV_PMPS; n++) {
		if (!range(r, n, &lo, &hi))
			continue;
		/* the largest range around the page that this entry covers all of, or nothing of */
		bool in = page >= lo && page <= hi;
		while (*bits > 12) {
			u64 first = page & ~BITS(*bits - 12), last = page | BITS(*bits - 12);
			if (in ? first >= lo && last <= hi : last < lo || first > hi)
				break;
			--*bits;
		}
		if (in)
			return to_access(lockdown ? lockdown_rule(r->p.pmpcfg[n], priv)
						  : plain_rule(r->p.pmpcfg[n], priv));
	}
	if (priv != PRIV_M || r->p.mseccfg & SECCFG_MMWP)
		return 0;
	return to_access(lockdown ? R | W : R | W | X);
}

/* ---- the registers ---- */
static bool locked(const struct riscv *r, unsigned n)
{
	return r->p.pmpcfg[n] & LOCK && !(r->p.mseccfg & SECCFG_RLB);
}

static bool adds_machine_code(u8 cfg) /* with lockdown, rules that let M run code cannot be added */
{
	return cfg & LOCK && ((cfg & X) || (cfg & (R | W)) == W) && (cfg & 7) != 7;
}

static void set_cfg(struct riscv *r, unsigned n, u8 cfg)
{
	cfg &= R | W | X | MODE | LOCK;
	bool mml = r->p.mseccfg & SECCFG_MML;
	if (locked(r, n) || (mml && !(r->p.mseccfg & SECCFG_RLB) && adds_machine_code(cfg)))
		return;
	if (!mml && (cfg & (R | W)) == W) /* reserved */
		cfg &= ~W;
	if ((cfg & MODE) == NA4) /* smaller than the grain */
		cfg = (cfg & ~MODE) | (r->p.pmpcfg[n] & MODE);
	r->p.pmpcfg[n] = cfg;
}

u64 riscv_pmpcfg_get(const struct riscv *r, unsigned n)
{
	u64 v = 0;
	for (unsigned i = 0; i < (rv64(r) ? 8u : 4u); i++)
		v |= (u64)r->p.pmpcfg[n * 4 + i] << i * 8;
	return v;
}

void riscv_pmpcfg_set(struct riscv *r, unsigned n, u64 value)
{
	for (unsigned i = 0; i < (rv64(r) ? 8u : 4u); i++)
		set_cfg(r, n * 4 + i, (u8)(value >> i * 8));
	r->cpu.system->flush(&r->cpu, 0, 0, false);
}

u64 riscv_pmpaddr_get(const struct riscv *r, unsigned n)
{
	u64 a = r->p.pmpaddr[n];
	return (r->p.pmpcfg[n] & MODE) == NAPOT ? a | LOW >> 1 : a & ~LOW;
}

void riscv_pmpaddr_set(struct riscv *r, unsigned n, u64 value)
{
	if (locked(r, n) || (n + 1 < RISCV_PMPS && locked(r, n + 1) && (r->p.pmpcfg[n + 1] & MODE) == TOR))
		return;
	r->p.pmpaddr[n] = value & address_bits(r);
	r->cpu.system->flush(&r->cpu, 0, 0, false);
}

void riscv_mseccfg_set(struct riscv *r, u64 value)
{
	u64 old = r->p.mseccfg, rlb = value & SECCFG_RLB;
	for (unsigned n = 0; n < RISCV_PMPS; n++)
		if (r->p.pmpcfg[n] & LOCK && !(old & SECCFG_RLB))
			rlb = 0;
	r->p.mseccfg = (old & (SECCFG_MML | SECCFG_MMWP)) | (value & (SECCFG_MML | SECCFG_MMWP)) | rlb;
	r->cpu.system->flush(&r->cpu, 0, 0, false);
}
