/*
 * RISC-V: page tables.
 * Manual: volume II, chapters "Supervisor-Level ISA" (Sv32 to Sv57), "Svnapot", "Svpbmt", "Svadu".
 */
#include "guest/riscv/priv.h"

enum { PTE_V = 1, PTE_R = 2, PTE_W = 4, PTE_X = 8, PTE_U = 16, PTE_G = 32, PTE_A = 64, PTE_D = 128 };
#define PTE_N BIT(63)
#define PTE_PBMT (3ull << 61)
#define PTE_RESERVED (0x7full << 54)
enum { NAPOT_BITS = 16 }; /* the only size: 64 KiB, by low bits 1000 of the page number */

static bool fails(struct walk_result *ret, enum mmu_access access, bool page)
{
	static const u8 page_fault[] = { CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE, CAUSE_FETCH_PAGE };
	static const u8 access_fault[] = { CAUSE_LOAD_ACCESS, CAUSE_STORE_ACCESS, CAUSE_FETCH_ACCESS };
	ret->fault = (page ? page_fault : access_fault)[access];
	return false;
}

/* The physical side: what PMP says of the page. */
static bool protect(const struct riscv *r, unsigned priv, enum mmu_access access, struct walk_result *ret)
{
	ret->allow &= riscv_pmp_allow(r, ret->phys, priv, &ret->bits);
	return ret->allow & BIT(access) || fails(ret, access, false);
}

static bool canonical(const struct satp_mode *mode, u64 addr)
{
	return mode->bits == 32 || (i64)(addr << (64 - mode->bits)) >> (64 - mode->bits) == (i64)addr;
}

struct entry {
	u64 pte;
	void *host; /* where it lies */
	unsigned level;
	u8 size;
};

static u64 load_entry(const void *host, unsigned size)
{
	return size == 4 ? __atomic_load_n((const u32 *)host, __ATOMIC_ACQUIRE)
			 : __atomic_load_n((const u64 *)host, __ATOMIC_ACQUIRE);
}

static u64 page_number(const struct entry *e)
{
	return e->size == 4 ? e->pte >> 10 : e->pte >> 10 & BITS(44);
}

static bool well_formed(const struct riscv *r, u64 pte, unsigned size)
{
	if (!(pte & PTE_V) || (pte & (PTE_R | PTE_W)) == PTE_W)
		return false;
	if (size == 4)
		return true;
	bool pbmt = has(r, RISCV_SVPBMT) && r->p.menvcfg & ENV_PBMTE;
	if (pte & PTE_RESERVED || (pte & PTE_N && !has(r, RISCV_SVNAPOT)) || (pte & PTE_PBMT && !pbmt) ||
	    (pte & PTE_PBMT) == PTE_PBMT)
		return false;
	return pte & (PTE_R | PTE_X) || !(pte & (PTE_D | PTE_A | PTE_U | PTE_N | PTE_PBMT));
}

/* Down to the leaf. */
static bool find_leaf(struct riscv *r, const struct satp_mode *mode, u64 addr, enum mmu_access access,
		      struct entry *e, struct walk_result *ret)
{
	u64 table = (r->p.satp & (mode->entry == 4 ? BITS(22) : BITS(44))) << 12;
	e->size = mode->entry;
	for (unsigned level = mode->levels; level-- > 0;) {
		u64 at =
		    table + (addr >> (12 + level * mode->index_bits) & BITS(mode->index_bits)) * mode->entry;
		u8 bits = 12;
		e->host = r->cpu.system->ram(&r->cpu, at, mode->entry);
		if (!e->host || !(riscv_pmp_allow(r, at, PRIV_S, &bits) & BIT(MMU_READ)))
			return fails(ret, access, false);
		e->pte = load_entry(e->host, mode->entry);
		e->level = level;
		if (!well_formed(r, e->pte, mode->entry))
			return fails(ret, access, true);
		if (e->pte & (PTE_R | PTE_X))
			return true;
		table = page_number(e) << 12;
	}
	return fails(ret, access, true);
}

/* The leaf's size and physical address. */
static bool place(const struct satp_mode *mode, const struct entry *e, u64 addr, struct walk_result *ret)
{
	u64 page = page_number(e);
	ret->bits = 12 + e->level * mode->index_bits;
	if (e->size == 8 && e->pte & PTE_N) {
		if (e->level || (page & 15) != 8)
			return false;
		ret->bits = NAPOT_BITS;
		page &= ~15ull;
	}
	if (page & BITS(ret->bits - 12)) /* a misaligned superpage */
		return false;
	ret->phys = page << 12 | (addr & BITS(ret->bits));
	return true;
}

/* What the leaf allows, were it accessed and dirty. */
static u8 permitted(u64 pte, u64 context)
{
	unsigned priv = context >> CTX_PRIV_SHIFT & 3;
	u8 allow = (pte & PTE_R ? BIT(MMU_READ) : 0) | (pte & PTE_W ? BIT(MMU_WRITE) : 0) |
		   (pte & PTE_X ? BIT(MMU_FETCH) : 0);
	if (pte & PTE_X && context & CTX_MXR)
		allow |= BIT(MMU_READ);
	if (priv == PRIV_U)
		return pte & PTE_U ? allow : 0;
	if (pte & PTE_U)
		return context & CTX_SUM ? allow & ~BIT(MMU_FETCH) : 0;
	return allow;
}

/* Sets accessed and dirty bits in memory; false: somebody else changed the entry. */
static bool update(const struct entry *e, u64 want)
{
	if (e->size == 4) {
		u32 old = (u32)e->pte;
		return __atomic_compare_exchange_n((u32 *)e->host, &old, (u32)want, false, __ATOMIC_SEQ_CST,
						   __ATOMIC_SEQ_CST);
	}
	u64 old = e->pte;
	return __atomic_compare_exchange_n((u64 *)e->host, &old, want, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

static bool may_update(struct riscv *r)
{
	return has(r, RISCV_SVADU) && r->p.menvcfg & ENV_ADUE;
}

static bool walk_pages(struct riscv *r, const struct satp_mode *mode, u64 context, u64 addr,
		       enum mmu_access access, struct walk_result *ret)
{
	if (!canonical(mode, addr))
		return fails(ret, access, true);
	for (;;) {
		struct entry e;
		if (!find_leaf(r, mode, addr, access, &e, ret))
			return false;
		u64 want = e.pte | PTE_A | (access == MMU_WRITE ? PTE_D : 0);
		if (!place(mode, &e, addr, ret) || !(permitted(e.pte, context) & BIT(access)))
			return fails(ret, access, true);
		if (want != e.pte && !may_update(r))
			return fails(ret, access, true);
		if (want != e.pte && !update(&e, want))
			continue;
		ret->allow = permitted(want, context) & ~(want & PTE_D ? 0 : BIT(MMU_WRITE));
		ret->global = want & PTE_G;
		return true;
	}
}

bool riscv_walk(struct cpu *cpu, u64 context, u64 addr, enum mmu_access access, struct walk_result *ret)
{
	struct riscv *r = (struct riscv *)cpu;
	unsigned priv = context >> CTX_PRIV_SHIFT & 3;
	const struct satp_mode *mode = riscv_satp_mode(r, r->p.satp);
	if (context & CTX_PAGED && mode) {
		if (!walk_pages(r, mode, context, addr, access, ret))
			return false;
	} else {
		*ret = (struct walk_result){ .phys = addr,
					     .bits = 56,
					     .allow = BIT(MMU_READ) | BIT(MMU_WRITE) | BIT(MMU_FETCH) };
		if (addr >> 56)
			return fails(ret, access, false);
	}
	return protect(r, priv, access, ret);
}
