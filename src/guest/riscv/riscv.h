/*
 * RISC-V, 32 and 64 bits: the CPU's state, its slots and features, and the words that instruction bodies are written with.
 *
 * Manual: "The RISC-V Instruction Set Manual", volumes I (unprivileged) and II (privileged), riscv/riscv-isa-manual. Encodings as in
 * riscv/riscv-opcodes. One source serves both widths: XT(t) is the type of an x register.
 */
#pragma once
#include "guest/guest.h"
#include "guest/insn.h"

/* ---- state ---- */
/* What M and S mode have: CSRs by their names, in RV64's form. */
enum { RISCV_PMPS = 16 };
struct riscv_priv {
	u64 hartid;
	u64 mstatus, medeleg, mideleg, mie, mtvec, mcounteren, mscratch, mepc, mcause, mtval, mcountinhibit, menvcfg, mseccfg;
	u64 mip; /* the interrupt inputs and SSIP; atomic: the board sets bits too */
	u64 msoft; /* what software wrote into mip's STIP and SEIP */
	u64 stvec, scounteren, senvcfg, sscratch, sepc, scause, stval, satp, stimecmp;
	u64 mcycle; /* what is added to the running count; stopped: the count */
	u64 minstret; /* the same until instructions are counted (KEY_COUNT), then how many */
	u8 pmpcfg[RISCV_PMPS];
	u64 pmpaddr[RISCV_PMPS];
};

/* What a board gives to a hart. Any of its functions may be called on the hart's thread. */
struct riscv_board {
	u64 (*time)(void *user); /* mtime */
	void (*stimecmp)(void *user, unsigned hart, u64 when); /* riscv_timer_reached is wanted when time gets there; ~0: never */
	void *user;
};

struct riscv {
	struct cpu cpu;
	u64 x[32]; /* RV32: the low halves count; x[0] stays 0 */
	u64 f[32]; /* narrower values NaN-boxed */
	const struct riscv_model *model;
	struct riscv_priv p; /* system mode */
	const struct riscv_board *board;
};

/* System mode, before the CPU first runs: its number, where it starts, and the board (borrowed). */
void riscv_start(struct cpu *cpu, unsigned hart, u64 pc, const struct riscv_board *board);
/* Sets or clears an interrupt input; from any thread. */
enum { RISCV_INT_SSI = 1, RISCV_INT_MSI = 3, RISCV_INT_STI = 5, RISCV_INT_MTI = 7, RISCV_INT_SEI = 9, RISCV_INT_MEI = 11 };
void riscv_interrupt(struct cpu *cpu, unsigned which, bool level);
/* The time that stimecmp names has come; from any thread. */
void riscv_timer_reached(struct cpu *cpu);

/* Numbers of slots; x0..x31 are 0..31, f0..f31 behind them. The tables are riscv64_slots and riscv32_slots. */
enum { RV_RA = 1, RV_SP = 2, RV_T0 = 5, RV_A0 = 10, RV_F0 = 32, RV_EXCL_ADDR = 64, RV_EXCL_VAL, RV_INSTRET, RV_SLOTS };

/*
 * cpu->key: fcsr.frm in its first three bits (5 to 7: dynamic rounding is undefined). In system mode also: that it is; the privilege;
 * whether floating point is off, and whether mstatus.FS says dirty; whether instructions are counted, which they are from when somebody
 * first asks. Who changes it ends the region.
 */
enum { KEY_FRM = 7, KEY_PRIV_SHIFT = 3, KEY_SYSTEM = 1 << 5, KEY_FS_OFF = 1 << 6, KEY_FS_CLEAN = 1 << 7, KEY_COUNT = 1 << 8 };
u32 riscv_fcsr(const struct riscv *r);
void riscv_set_fcsr(struct riscv *r, u32 value);
/* The present instruction, already counted, is none that retires: it raises an exception. */
void riscv_uncount(struct riscv *r);

/* ---- features ---- */
/*
 * One row a feature: name, name in -cpu and in isa strings, what it needs (another feature or itself), bit of riscv_hwprobe's IMA_EXT_0
 * (0xff none; linux Documentation/arch/riscv/hwprobe.rst). One letter: a bit of AT_HWCAP too. A feature that is not here does not exist.
 */
/* clang-format off */
#define RISCV_FEATURES(_) \
	_(RV32,        "rv32",        RV32,   0xff) \
	_(RV64,        "rv64",        RV64,   0xff) \
	_(I,           "i",           I,      0xff) \
	_(M,           "m",           M,      0xff) \
	_(A,           "a",           A,      0xff) \
	_(F,           "f",           ZICSR,  0xff) \
	_(D,           "d",           F,      0)    /* hwprobe: F and D */ \
	_(C,           "c",           C,      1) \
	_(ZICBOM,      "zicbom",      ZICBOM, 55) \
	_(ZICBOP,      "zicbop",      ZICBOP, 0xff) \
	_(ZICBOZ,      "zicboz",      ZICBOZ, 6) \
	_(ZICNTR,      "zicntr",      ZICSR,  50) \
	_(ZICOND,      "zicond",      ZICOND, 35) \
	_(ZICSR,       "zicsr",       ZICSR,  0xff) \
	_(ZIFENCEI,    "zifencei",    ZIFENCEI, 0xff) \
	_(ZIHINTNTL,   "zihintntl",   ZIHINTNTL, 29) \
	_(ZIHINTPAUSE, "zihintpause", ZIHINTPAUSE, 36) \
	_(ZIHPM,       "zihpm",       ZICSR,  51) \
	_(ZACAS,       "zacas",       A,      34) \
	_(ZAWRS,       "zawrs",       A,      48) \
	_(ZFA,         "zfa",         F,      32) \
	_(ZFH,         "zfh",         ZFHMIN, 27) \
	_(ZFHMIN,      "zfhmin",      F,      28) \
	_(ZCB,         "zcb",         C,      44) \
	_(ZBA,         "zba",         ZBA,    3) \
	_(ZBB,         "zbb",         ZBB,    4) \
	_(ZBC,         "zbc",         ZBC,    7) \
	_(ZBKB,        "zbkb",        ZBKB,   8) \
	_(ZBKC,        "zbkc",        ZBKC,   9) \
	_(ZBKX,        "zbkx",        ZBKX,   10) \
	_(ZBS,         "zbs",         ZBS,    5) \
	_(ZKND,        "zknd",        ZKND,   11) \
	_(ZKNE,        "zkne",        ZKNE,   12) \
	_(ZKNH,        "zknh",        ZKNH,   13) \
	_(ZKSED,       "zksed",       ZKSED,  14) \
	_(ZKSH,        "zksh",        ZKSH,   15) \
	_(SMEPMP,      "smepmp",      ZICSR,  0xff) \
	_(SSTC,        "sstc",        S,      0xff) \
	_(SVADU,       "svadu",       S,      0xff) /* without it, page faults ask for accessed and dirty bits */ \
	_(SVINVAL,     "svinval",     S,      0xff) \
	_(SVNAPOT,     "svnapot",     S,      0xff) \
	_(SVPBMT,      "svpbmt",      S,      0xff) \
	_(S,           "s",           U,      0xff) \
	_(U,           "u",           ZICSR,  0xff) \
	_(ZKT,         "zkt",         ZKT,    16)   /* data-independent timing: of multiplications, logic and shifts the host's is */
/* clang-format on */
enum riscv_feature {
#define _(name, text, needs, probe) RISCV_##name,
	RISCV_FEATURES(_)
#undef _
	    RISCV_FEATURE_COUNT
};
_Static_assert(RISCV_FEATURE_COUNT <= 64, "features are bits of a u64");
enum { RISCV_CACHE_BLOCK = 64 }; /* bytes, of the cbo.* instructions */

/* A CPU model (struct guest_model's data). */
struct riscv_model {
	u64 features; /* BIT(RISCV_*) */
	u64 vendor, arch, imp; /* mvendorid, marchid, mimpid */
};
static inline bool riscv_model_has(const struct riscv_model *m, enum riscv_feature f)
{
	return m->features & BIT(f);
}
/* AT_HWCAP: a bit for each one-letter extension. */
u64 riscv_hwcap(const struct riscv_model *m);
/* RISCV_HWPROBE_KEY_IMA_EXT_0. */
u64 riscv_hwprobe_ext(const struct riscv_model *m);
/* "rv64imafdc_zicsr_..."; buf holds at least 256 bytes. */
void riscv_isa_string(const struct riscv_model *m, char *buf, size_t size);
/* misa's extension bits. */
u32 riscv_misa(const struct riscv_model *m);

/* CPU models, and the extensions' names as options of -cpu. */
extern const struct guest_model riscv64_models[], riscv32_models[];
struct err *riscv_model_option(const void *model, const char *option, const char *value, void **ret_model);
/* With everything, for assembly text and tools. */
extern const struct riscv_model riscv64_everything, riscv32_everything;

static inline bool riscv_has(const struct tr *t, enum riscv_feature f)
{
	return !t || riscv_model_has(t->model, f);
}
#define INSN_HAS(t, f) riscv_has(t, RISCV_##f)
#define INSN_FEATURE(f) RISCV_##f

/* ---- system mode ---- */
enum { EV_RISCV_JUMP = EV_GUEST }; /* a jump to a misaligned address; argument: that */
extern const struct guest_system riscv_system_mode;
static inline bool is_system(const struct tr *t)
{
	return t && t->key & KEY_SYSTEM;
}
/* In system mode: a CSR that is not of U mode's floating point, by a call. word: the instruction, for the exception. */
enum { CSR_READ, CSR_WRITE, CSR_SET, CSR_CLEAR };
ir_ref riscv_csr_call(struct tr *t, unsigned number, unsigned op, ir_ref v, u32 word);
/* Before an instruction of floating point: false when mstatus.FS was clean, and the instruction comes again when it says dirty. */
bool riscv_fs_dirty(struct tr *t);

/* ---- the instruction groups; riscv.c tells who is asked when ---- */
extern const struct insn_group riscv_int, riscv_muldiv, riscv_atomic, riscv_csr, riscv_system, riscv_bitmanip, riscv_crypto,
    riscv_fp, riscv_compressed;
extern const struct insn_group *const riscv_groups[]; /* all, ended by NULL; for tests and tools */
/* Translates an instruction of 32 bits, with t->len set already; false: undefined. */
bool riscv_run32(struct tr *t, u32 word);
/* Its text. rv32: by that width's patterns. False: undefined. */
bool riscv_text32(struct text *o, u32 word, bool rv32);

/* ---- registers ---- */
static inline bool is_rv64(const struct tr *t)
{
	return riscv_has(t, RISCV_RV64);
}
static inline enum ir_type XT(const struct tr *t)
{
	return is_rv64(t) ? TY_I64 : TY_I32;
}
static inline unsigned xlen(const struct tr *t)
{
	return is_rv64(t) ? 64 : 32;
}
static inline ir_ref konst(struct tr *t, u64 v) /* of an x register's width */
{
	return v_const(t, XT(t), is_rv64(t) ? v : (u32)v);
}
static inline ir_ref konst32(struct tr *t, u32 v)
{
	return v_const(t, TY_I32, v);
}
static inline ir_ref konst64(struct tr *t, u64 v)
{
	return v_const(t, TY_I64, v);
}
static inline ir_ref x(struct tr *t, unsigned n)
{
	return n ? v_get(t, n) : konst(t, 0);
}
static inline ir_ref w(struct tr *t, unsigned n) /* the low 32 bits */
{
	return n ? v_trunc(t, TY_I32, v_get(t, n)) : konst32(t, 0);
}
/* Sets a register to an integer at most as wide, sign-extended (i1: zero-extended). */
static inline void set_x(struct tr *t, unsigned n, ir_ref v)
{
	if (n)
		v_set(t, n, v_type(t, v) == TY_I1 ? v_zext(t, XT(t), v) : v_sext(t, XT(t), v));
}
/* AND, OR, XOR, ANDN; b is not used for NOT. Words are often put together by these. */
static inline ir_ref logic(struct tr *t, enum ir_op op, ir_ref a, ir_ref b)
{
	v_room(t);
	return v_op(t, op, v_type(t, a), a, b, 0, 0);
}
/* An address as the exclusive monitor and 64-bit arithmetic have it. */
static inline ir_ref wide(struct tr *t, ir_ref v)
{
	return v_zext(t, TY_I64, v);
}

/* ---- memory ---- */
enum { SIZE_B, SIZE_H, SIZE_W, SIZE_D, SIZE_Q };
static inline enum ir_type size_type(unsigned size)
{
	return (enum ir_type)(TY_I8 + size);
}
static inline struct ir_mem plain(enum ir_type type, i32 disp, bool sign)
{
	return (struct ir_mem){ .type = type, .disp = disp, .sign = sign };
}
/* LR, SC and AMOs: aligned to their size. */
static inline struct ir_mem ordered(unsigned size, unsigned aq, unsigned rl)
{
	return (struct ir_mem){ .type = size_type(size),
				.order = aq && rl ? ORD_SEQ_CST
					 : aq	  ? ORD_ACQUIRE
					 : rl	  ? ORD_RELEASE
						  : ORD_RELAXED,
				.align = size,
				.single = 1 };
}

/* ---- formatters of the assembly text: what {name(...)} in INSN lines calls ---- */
void riscv_text_x(struct text *o, unsigned n); /* zero, ra, sp, ... */
void riscv_text_f(struct text *o, unsigned n); /* ft0, ... */
void riscv_text_num(struct text *o, i64 v);
void riscv_text_hex(struct text *o, u64 v); /* 0x1f */
void riscv_text_label(struct text *o, i64 offset); /* pc + offset */
void riscv_text_mem(struct text *o, unsigned rs1, i64 disp); /* 8(sp) */
void riscv_text_aqrl(struct text *o, unsigned aq, unsigned rl); /* .aq, .rl, .aqrl */
void riscv_text_rm(struct text *o, unsigned rm); /* ,rtz; nothing when dynamic */
void riscv_text_fence(struct text *o, unsigned set); /* iorw */
void riscv_text_csr(struct text *o, unsigned number);
void riscv_text_word(struct text *o,
		     u32 word); /* a whole instruction of 32 bits: what a compressed one stands for */
void riscv_text_word32(struct text *o, u32 word); /* the same on RV32 */
