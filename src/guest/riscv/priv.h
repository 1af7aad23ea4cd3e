/*
 * RISC-V's privileged architecture: the state of M and S mode, and what its parts (traps, CSRs, page tables, PMP) need of each other.
 *
 * Manual: volume II (privileged), riscv/riscv-isa-manual.
 */
#pragma once
#include "guest/riscv/riscv.h"

enum { PRIV_U, PRIV_S, PRIV_M = 3 };
enum { /* mcause */
	CAUSE_FETCH_MISALIGNED, CAUSE_FETCH_ACCESS, CAUSE_ILLEGAL, CAUSE_BREAKPOINT, CAUSE_LOAD_MISALIGNED, CAUSE_LOAD_ACCESS,
	CAUSE_STORE_MISALIGNED, CAUSE_STORE_ACCESS, CAUSE_ECALL, CAUSE_FETCH_PAGE = 12, CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE = 15,
};
#define INT_S (BIT(RISCV_INT_SSI) | BIT(RISCV_INT_STI) | BIT(RISCV_INT_SEI))
#define INT_M (BIT(RISCV_INT_MSI) | BIT(RISCV_INT_MTI) | BIT(RISCV_INT_MEI))

/* mstatus, as RV64 has it; RV32 sees it in two halves, SD apart. */
#define ST_SIE BIT(1)
#define ST_MIE BIT(3)
#define ST_SPIE BIT(5)
#define ST_MPIE BIT(7)
#define ST_SPP BIT(8)
#define ST_MPP (3ull << 11)
#define ST_FS (3ull << 13)
#define ST_MPRV BIT(17)
#define ST_SUM BIT(18)
#define ST_MXR BIT(19)
#define ST_TVM BIT(20)
#define ST_TW BIT(21)
#define ST_TSR BIT(22)
#define ST_UXL (3ull << 32)
#define ST_SXL (3ull << 34)
#define ENV_FIOM BIT(0)
#define ENV_ADUE BIT(61)
#define ENV_PBMTE BIT(62)
#define ENV_STCE BIT(63)
enum { SECCFG_MML = 1, SECCFG_MMWP = 2, SECCFG_RLB = 4 };

static inline unsigned field(u64 reg, u64 mask)
{
	return (unsigned)((reg & mask) >> __builtin_ctzll(mask));
}
static inline u64 with_field(u64 reg, u64 mask, u64 v)
{
	return (reg & ~mask) | (v << __builtin_ctzll(mask) & mask);
}
static inline bool has(const struct riscv *r, enum riscv_feature f)
{
	return riscv_model_has(r->model, f);
}
static inline bool rv64(const struct riscv *r)
{
	return has(r, RISCV_RV64);
}
static inline unsigned priv_of(const struct riscv *r)
{
	return r->cpu.key >> KEY_PRIV_SHIFT & 3;
}
/* The privilege of loads and stores. */
static inline unsigned data_priv(const struct riscv *r)
{
	return r->p.mstatus & ST_MPRV && priv_of(r) == PRIV_M ? field(r->p.mstatus, ST_MPP) : priv_of(r);
}

/* ---- trap.c ---- */
/* After a change of privilege, mstatus or satp: key and contexts follow. */
void riscv_mode_changed(struct riscv *r);
/* After a change of what interrupts are pending or enabled: the region is left soon if one is to be taken. */
void riscv_check_interrupts(struct riscv *r);
/* mip with what the counters make of it. */
u64 riscv_pending(const struct riscv *r);
u64 riscv_time(const struct riscv *r);
/* Tells the board when stimecmp next matters. */
void riscv_stimecmp_changed(struct riscv *r);
/* satp: address-space id, bits of the mode's virtual addresses (0: no translation), bytes of an entry. */
struct satp_mode {
	u8 levels, bits, entry, index_bits;
};
const struct satp_mode *riscv_satp_mode(const struct riscv *r, u64 satp); /* NULL: bare */
u64 riscv_asid(const struct riscv *r, u64 satp);
bool riscv_satp_ok(const struct riscv *r, u64 satp); /* may it be written? */

/* ---- walk.c ---- */
bool riscv_walk(struct cpu *cpu, u64 context, u64 addr, enum mmu_access access, struct walk_result *ret);
/* Numbers of contexts: address space, privilege, SUM, MXR, translated. */
enum { CTX_PRIV_SHIFT = 16, CTX_SUM = 1 << 18, CTX_MXR = 1 << 19, CTX_PAGED = 1 << 20, CTX_ASID = 0xffff };

/* ---- pmp.c ---- */
/* What may be done at a physical address; *bits is lowered until the range of that size around it is all alike, not below 12. */
u8 riscv_pmp_allow(const struct riscv *r, u64 phys, unsigned priv, u8 *bits);
u64 riscv_pmpcfg_get(const struct riscv *r, unsigned n); /* n: the register's number behind pmpcfg */
void riscv_pmpcfg_set(struct riscv *r, unsigned n, u64 value);
u64 riscv_pmpaddr_get(const struct riscv *r, unsigned n);
void riscv_pmpaddr_set(struct riscv *r, unsigned n, u64 value);
void riscv_mseccfg_set(struct riscv *r, u64 value);

/* ---- pcsr.c ---- */
const char *riscv_pcsr_name(unsigned number); /* NULL: there is none of that number */
