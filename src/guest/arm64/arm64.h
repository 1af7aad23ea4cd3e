/*
 * Arm 64-bit (A64): the CPU's state, its slots and features, and the words that instruction bodies are written with.
 *
 * Manual: "Arm Architecture Reference Manual for A-profile architecture" (DDI 0487), chapters C3 to C6. Encodings and meaning were
 * taken from Arm's machine-readable description in its Sail form (rems-project/sail-arm, arm-v9.4-a).
 */
#pragma once
#include "guest/guest.h"
#include "guest/insn.h"

/* ---- state ---- */
struct arm64_key {
	u64 lo, hi;
};

struct arm64 {
	struct cpu cpu;
	u64 x[31];
	u32 nzcv; /* as in the register: bits 31 to 28. Here generated code reaches it in the fewest bytes */
	u32 fpcr; /* all implemented bits; those that change arithmetic are in cpu.key too */
	u64 sp;
	union ir_vec128 {
		u8 b[16];
		u16 h[8];
		u32 s[4];
		u64 d[2];
	} v[32] __attribute__((aligned(16)));
	union ir_vec128 qc; /* FPSR.QC: any bit set */
	union ir_vec128 p[17]; /* SVE's predicates and, the last, FFR: a byte for each bit, 0 or 0xff (sve.h) */
	union ir_vec128 za[16]; /* SME's ZA, row by row; zeros while it is off */
	u64 tpidr_el0, tpidrro_el0;
	u64 ssbs, dit; /* PSTATE.SSBS, DIT: kept, without effect. As the registers read: bit 12, bit 24 */
	struct arm64_key apia, apib, apda, apdb, apga; /* pointer authentication keys */
	u64 tpidr2; /* TPIDR2_EL0 */
	u32 svcr; /* SME: SVCR_SM, SVCR_ZA; the key has them too */
	u64 rng; /* state of RNDR where the host has no generator; seeded by reset */
	const struct arm64_model *model;
};

/* Numbers of slots; X0..X30 are 0..30, the table is arm64_slots. */
enum {
	A64_X0,
	A64_LR = 30,
	A64_SP,
	A64_NZCV,
	A64_V0,
	A64_QC =
	    A64_V0 + 32, /* v128, sticky saturation: not zero is set. Saturating instructions OR into it */
	A64_FPCR, /* i32; written by helpers alone */
	A64_TPIDR,
	A64_TPIDRRO,
	A64_EXCL_ADDR,
	A64_EXCL_LO,
	A64_EXCL_HI, /* the exclusive monitor */
	A64_P0,
	A64_FFR = A64_P0 + 16,
	A64_ZA,
	A64_TPIDR2 = A64_ZA + 16,
	A64_SVCR, /* i32; written by helpers alone */
	A64_SSBS,
	A64_DIT,
	A64_KEYS, /* low and high half of IA, IB, DA, DB, GA */
	A64_KEYS_END = A64_KEYS + 9,
	A64_SLOTS
};
extern const struct ir_slot arm64_slots[];

/*
 * cpu->key: what besides the address a translation depends on. FPCR's arithmetic bits in their places there; KEY_*; the rest is 0 in user mode.
 * Who writes FPCR (arm64_fpcr_write) sets the key and ends the region.
 */
enum {
	FPCR_AHP = 1 << 26,
	FPCR_DN = 1 << 25,
	FPCR_FZ = 1 << 24,
	FPCR_RMODE = 3 << 22,
	FPCR_FZ16 = 1 << 19,
	KEY_TAGS = 1 << 0, /* addresses lose their top byte before every access */
	TAG_BITS = 8,
	KEY_FPCR = FPCR_AHP | FPCR_DN | FPCR_FZ | FPCR_RMODE | FPCR_FZ16,
	KEY_BTI = 1 << 1, /* there is guarded memory */
	KEY_FPSR = 1 << 3, /* somebody has read FPSR while FPCR.FZ was set: its flags are to be right then, too */
	KEY_SM = 1 << 4, /* SME: streaming mode */
	KEY_ZA = 1 << 5, /* SME: ZA may be used */
	KEY_SHARED = 1 << 2, /* others may look on: pairs of registers are loaded and stored at once (FEAT_LSE2) */
};
/* Predicates as programs see them: a bit for each byte of a vector. */
u16 arm64_pred(const union ir_vec128 *p);
void arm64_set_pred(union ir_vec128 *p, u16 bits);
enum { SVCR_SM = 1, SVCR_ZA = 2 };
/*
 * SVCR and key (DDI 0487, SetPSTATE_SM, SetPSTATE_ZA): whichever way streaming mode is entered or left, Z, P and FFR become zero and FPSR 0x0800009f; ZA is zero when it
 * is turned on.
 */
void arm64_set_svcr(struct arm64 *a, u32 value);
enum { FPSR_QC = 1 << 27, FPSR_IDC = 1 << 7, FPSR_FLAGS = 0x9f };
void arm64_set_fpcr(struct arm64 *a, u32 value); /* FPCR and key; bits the model has not stay 0 */
u32 arm64_fpsr(const struct arm64 *a); /* out of cpu.fp_flags and qc */
void arm64_set_fpsr(struct arm64 *a, u32 value);

/* The rules of floating point in this mode (FPCR's bits in the key). */
void arm64_fp_ctl(u64 key, struct fp_ctl *fp);

/* ---- features ---- */
enum arm64_id {
	ID_PFR0,
	ID_PFR1,
	ID_ISAR0,
	ID_ISAR1,
	ID_ISAR2,
	ID_MMFR0,
	ID_MMFR1,
	ID_MMFR2,
	ID_DFR0,
	ID_ZFR0,
	ID_SMFR0,
	ID_COUNT
};

/*
 * One row a feature: name, ID register field (register, shift, value; the largest value wins), HWCAP bits (32 and more: HWCAP2; 0xff none).
 * A feature that is not here does not exist.
 */
/* clang-format off */
#define ARM64_FEATURES(_) \
	_(FP,       PFR0,  16, 0,    0,    1)  /* FP and ASIMD: field 0 is "present" */ \
	_(FP16,     PFR0,  16, 1,    9,   10)  /* half-precision arithmetic; the AdvSIMD field at 20 follows */ \
	_(AES,      ISAR0,  4, 1,    3, 0xff) \
	_(PMULL,    ISAR0,  4, 2,    4, 0xff) \
	_(SHA1,     ISAR0,  8, 1,    5, 0xff) \
	_(SHA256,   ISAR0, 12, 1,    6, 0xff) \
	_(SHA512,   ISAR0, 12, 2,   21, 0xff) \
	_(CRC32,    ISAR0, 16, 1,    7, 0xff) \
	_(LSE,      ISAR0, 20, 2,    8, 0xff) \
	_(LSE2,     MMFR2, 32, 1,   25, 0xff) \
	_(RDM,      ISAR0, 28, 1,   12, 0xff) \
	_(SHA3,     ISAR0, 32, 1,   17, 0xff) \
	_(SM3,      ISAR0, 36, 1,   18, 0xff) \
	_(SM4,      ISAR0, 40, 1,   19, 0xff) \
	_(DOTPROD,  ISAR0, 44, 1,   20, 0xff) \
	_(FHM,      ISAR0, 48, 1,   23, 0xff) \
	_(FLAGM,    ISAR0, 52, 1,   27, 0xff) \
	_(FLAGM2,   ISAR0, 52, 2,   39, 0xff) \
	_(RNG,      ISAR0, 60, 1,   48, 0xff) \
	_(DPB,      ISAR1,  0, 1,   16, 0xff) \
	_(DPB2,     ISAR1,  0, 2,   32, 0xff) \
	_(PAUTH,    ISAR1,  0, 0,   30,   31)  /* the instructions; one of the next two says how */ \
	_(PACQARMA5,ISAR1,  4, 1, 0xff, 0xff)  /* GPA at 24 follows */ \
	_(PACIMP,   ISAR1,  8, 3, 0xff, 0xff)  /* with FEAT_PAuth2; GPI at 28 follows */ \
	_(JSCVT,    ISAR1, 12, 1,   13, 0xff) \
	_(FCMA,     ISAR1, 16, 1,   14, 0xff) \
	_(LRCPC,    ISAR1, 20, 1,   15, 0xff) \
	_(LRCPC2,   ISAR1, 20, 2,   26, 0xff) \
	_(FRINTTS,  ISAR1, 32, 1,   40, 0xff) \
	_(SB,       ISAR1, 36, 1,   29, 0xff) \
	_(BF16,     ISAR1, 44, 1,   46, 0xff) \
	_(DGH,      ISAR1, 48, 1,   47, 0xff) \
	_(I8MM,     ISAR1, 52, 1,   45, 0xff) \
	_(XS,       ISAR1, 56, 1, 0xff, 0xff) \
	_(WFXT,     ISAR2,  0, 2,   63, 0xff) \
	_(DIT,      PFR0,  48, 1,   24, 0xff) \
	_(BTI,      PFR1,   0, 1,   49, 0xff) \
	_(SSBS,     PFR1,   4, 2,   28, 0xff) \
	_(SVE,      PFR0,  32, 1,   22, 0xff) \
	_(SVE2,     ZFR0,   0, 1,   33, 0xff) \
	_(SVEAES,   ZFR0,   4, 1,   34, 0xff) \
	_(SVEPMULL, ZFR0,   4, 2,   35, 0xff) \
	_(SVEBITPERM,ZFR0, 16, 1,   36, 0xff) \
	_(SVEBF16,  ZFR0,  20, 1,   44, 0xff) \
	_(SVESHA3,  ZFR0,  32, 1,   37, 0xff) \
	_(SVESM4,   ZFR0,  40, 1,   38, 0xff) \
	_(SVEI8MM,  ZFR0,  44, 1,   41, 0xff) \
	_(SVEF32MM, ZFR0,  52, 1,   42, 0xff) \
	_(SVEF64MM, ZFR0,  56, 1,   43, 0xff)  /* needs vectors of 256 bits, so no model has it */ \
	_(SME,      PFR1,  24, 1,   55, 0xff) \
	_(SMEF32,   SMFR0, 32, 13,  59,   61)  /* with the next two: what every SME has */ \
	_(SMEB16,   SMFR0, 32, 13,  60, 0xff) \
	_(SMEI8,    SMFR0, 36, 15,  58, 0xff) \
	_(SMEF64,   SMFR0, 48, 1,   57, 0xff) \
	_(SMEI16,   SMFR0, 52, 15,  56, 0xff) \
	_(SMEFA64,  SMFR0, 60, 8,   62, 0xff)  /* all of A64 in streaming mode */ \
	_(CPUID,    PFR0,   0, 0,   11, 0xff)  /* Linux emulates reads of the ID registers */
/* clang-format on */
enum arm64_feature {
#define _(name, id, shift, value, cap, cap2) ARM64_##name,
	ARM64_FEATURES(_)
#undef _
	    ARM64_FEATURE_COUNT
};
_Static_assert(ARM64_FEATURE_COUNT <= 64, "features are bits of a u64");

/* A CPU model (struct guest_model's data). */
struct arm64_model {
	u64 features; /* BIT(ARM64_*) */
	u64 midr, ctr;
	u8 dczid; /* DC ZVA's block: log2 of words */
};
static inline bool arm64_model_has(const struct arm64_model *m, enum arm64_feature f)
{
	return m->features & BIT(f);
}
/* An ID register as Linux shows it to programs. */
u64 arm64_id_register(const struct arm64_model *m, enum arm64_id id);
/* AT_HWCAP and AT_HWCAP2. */
u64 arm64_hwcap(const struct arm64_model *m, u64 *ret_hwcap2);

/* CPU models, and "pauth", "pauth-impdef" of -cpu. */
extern const struct guest_model arm64_models[];
struct err *arm64_model_option(const void *model, const char *option, const char *value, void **ret_model);

#define INSN_HAS(t, f) (!(t) || arm64_model_has((t)->model, ARM64_##f))
#define INSN_FEATURE(f) ARM64_##f

/* The instruction groups in the order in which arm64.c asks them: by bits 28 to 25 of the word. */
extern const struct insn_group arm64_dp_imm, arm64_dp_reg, arm64_branch, arm64_system, arm64_pauth,
    arm64_ldst, arm64_atomic;
/* They, ended by NULL; simd.h has the others. For tests and tools. */
extern const struct insn_group *const arm64_groups[];

/* ---- registers ---- */
static inline ir_ref konst(struct tr *t, u64 v)
{
	return v_const(t, TY_I64, v);
}
static inline ir_ref konst32(struct tr *t, u32 v)
{
	return v_const(t, TY_I32, v);
}
/* X registers; 31 is zero. */
static inline ir_ref x(struct tr *t, unsigned n)
{
	return n == 31 ? konst(t, 0) : v_get(t, A64_X0 + n);
}
/* The same, 31 is SP. */
static inline ir_ref xsp(struct tr *t, unsigned n)
{
	return v_get(t, A64_X0 + n);
}
static inline ir_ref w(struct tr *t, unsigned n)
{
	return n == 31 ? konst32(t, 0) : v_trunc(t, TY_I32, x(t, n));
}
static inline ir_ref wsp(struct tr *t, unsigned n)
{
	return v_trunc(t, TY_I32, xsp(t, n));
}
/* sf: 1 the X register, 0 the W register. */
static inline ir_ref r(struct tr *t, unsigned sf, unsigned n)
{
	return sf ? x(t, n) : w(t, n);
}
static inline ir_ref rsp(struct tr *t, unsigned sf, unsigned n)
{
	return sf ? xsp(t, n) : wsp(t, n);
}
/* Sets a register to an integer of any width, zero-extended; 31 is nothing. */
static inline void set_x(struct tr *t, unsigned n, ir_ref v)
{
	if (n != 31)
		v_set(t, A64_X0 + n, v_zext(t, TY_I64, v));
}
/* The same, 31 is SP. */
static inline void set_xsp(struct tr *t, unsigned n, ir_ref v)
{
	v_set(t, A64_X0 + n, v_zext(t, TY_I64, v));
}
static inline enum ir_type int_type(unsigned sf)
{
	return sf ? TY_I64 : TY_I32;
}
static inline ir_ref k(struct tr *t, unsigned sf, u64 v)
{
	return v_const(t, int_type(sf), sf ? v : (u32)v);
}
static inline ir_ref vreg(struct tr *t, unsigned n)
{
	return v_get(t, A64_V0 + n);
}
/* v: all 128 bits (VLOW or VZEXT what is shorter). */
static inline void set_vreg(struct tr *t, unsigned n, ir_ref v)
{
	v_set(t, A64_V0 + n, v);
}

/* ---- indirect branches: PSTATE.BTYPE (DDI 0487 D8.4.6) is how they land ---- */
enum { BTYPE_JUMP = 1, BTYPE_CALL, BTYPE_JUMP_GUARDED };
/* The address for a BR through register n, and for a BLR. */
static inline ir_ref jump_address(struct tr *t, ir_ref to, unsigned n)
{
	bool strict = t->guarded && n != 16 && n != 17;
	return t->key & KEY_BTI ? tr_landing(t, to, strict ? BTYPE_JUMP_GUARDED : BTYPE_JUMP) : to;
}
static inline ir_ref call_address(struct tr *t, ir_ref to)
{
	return t->key & KEY_BTI ? tr_landing(t, to, BTYPE_CALL) : to;
}

/* ---- flags; conditions are numbered as enum ir_cc is ---- */
static inline ir_ref nzcv(struct tr *t)
{
	return v_get(t, A64_NZCV);
}
static inline void set_nzcv(struct tr *t, ir_ref flags)
{
	v_set(t, A64_NZCV, flags);
}
static inline ir_ref cond_holds(struct tr *t, unsigned cond)
{
	return cond >= 14 ? v_const(t, TY_I1, 1) : v_cond(t, nzcv(t), (enum ir_cc)cond);
}
/* A flags value of constant N Z C V (bits 3 to 0). */
static inline ir_ref flags_const(struct tr *t, unsigned n_z_c_v)
{
	return v_op(t, IR_FLPACK, TY_FLAGS, konst32(t, n_z_c_v << 28), 0, 0, 0);
}

/* ---- memory ---- */
enum { SIZE_B, SIZE_H, SIZE_W, SIZE_X };
static inline enum ir_type size_type(unsigned size) /* 0 to 4: i8 to i128 */
{
	return (enum ir_type)(TY_I8 + size);
}
/* An ordinary access: any alignment, disp is added to the address. */
static inline struct ir_mem plain(enum ir_type type, i32 disp)
{
	return (struct ir_mem){ .type = type, .disp = disp };
}
/* Exclusive accesses: aligned to their size (B2.7.2). */
static inline struct ir_mem exclusive(unsigned size, enum ir_order order)
{
	return (struct ir_mem){ .type = size_type(size), .order = order, .align = size, .single = 1 };
}
/* Acquire, release and atomic accesses: aligned to their size, or with FEAT_LSE2 within 16 bytes. */
static inline struct ir_mem ordered(const struct tr *t, unsigned size, enum ir_order order)
{
	struct ir_mem mem = exclusive(size, order);
	if (size && arm64_model_has(t->model, ARM64_LSE2))
		mem.align = IR_WITHIN_16;
	return mem;
}
/* Index register of a register-offset address: option and amount as in the instruction (C6.1.3). */
static inline ir_ref extend_reg(struct tr *t, unsigned rm, unsigned option, unsigned shift)
{
	static const enum ir_type from[4] = { TY_I8, TY_I16, TY_I32, TY_I64 };
	ir_ref v = v_trunc(t, from[option & 3], x(t, rm));
	v = option & 4 ? v_sext(t, TY_I64, v) : v_zext(t, TY_I64, v);
	return shift ? v_bin(t, IR_SHL, v, konst(t, shift)) : v;
}

/* ---- bitmask immediates (C6.2, DecodeBitMasks) ---- */
/* The immediate of the logical instructions and the masks of the bitfield ones; false: reserved. sf 0 demands N == 0. */
bool arm64_bitmask(unsigned sf, unsigned n, unsigned imms, unsigned immr, u64 *ret_mask);

/* ---- formatters of the assembly text: what {name(...)} in INSN lines calls ---- */
void arm64_text_x(struct text *o, unsigned n); /* x0..x30, xzr */
void arm64_text_w(struct text *o, unsigned n);
void arm64_text_xsp(struct text *o, unsigned n); /* x0..x30, sp */
void arm64_text_r(struct text *o, unsigned sf, unsigned n); /* w or x, zr */
void arm64_text_rsp(struct text *o, unsigned sf, unsigned n); /* w or x, sp */
void arm64_text_cond(struct text *o, unsigned cond);
void arm64_text_notcond(struct text *o, unsigned cond);
void arm64_text_hex(struct text *o, u64 v); /* #0x1f */
void arm64_text_dec(struct text *o, i64 v); /* #-16 */
void arm64_text_num(struct text *o, i64 v); /* -16 */
void arm64_text_label(struct text *o, i64 offset); /* pc + offset */
void arm64_text_page(struct text *o, i64 offset); /* page of pc + offset */
void arm64_text_shifted(struct text *o, unsigned sf, unsigned n, unsigned kind,
			unsigned amount); /* x1, lsl #3 */
void arm64_text_extended(struct text *o, unsigned sf, unsigned n, unsigned option, unsigned amount,
			 bool to_sp); /* w1, uxtw #2 */
void arm64_text_mem(struct text *o, unsigned n, i64 disp); /* [x1], [sp, #16] */
void arm64_text_pre(struct text *o, unsigned n, i64 disp); /* [x1, #16]! */
void arm64_text_post(struct text *o, unsigned n, i64 disp); /* [x1], #16 */
void arm64_text_index(struct text *o, unsigned n, unsigned m, unsigned option, bool shifted,
		      unsigned amount); /* [x1, w2, sxtw #3] */
void arm64_text_bitmask(struct text *o, unsigned sf, unsigned n, unsigned imms, unsigned immr);
void arm64_text_prfop(struct text *o, unsigned op); /* pldl1keep, #0x1f */
/* Vector registers: v1.16b by size and Q; b1, h1, s1, d1, q1 by size 0 to 4; v1.h[3]. */
void arm64_text_v(struct text *o, unsigned n, unsigned size, unsigned q);
void arm64_text_f(struct text *o, unsigned n, unsigned size);
void arm64_text_elem(struct text *o, unsigned n, unsigned size, unsigned index);

/* ---- regs.c: as gdb knows them ---- */
extern const struct guest_reg arm64_regs[]; /* of a CPU without SVE */
extern const struct guest_reg_types arm64_reg_types[];
const struct guest_reg *arm64_model_regs(const void *model);

/* ---- flags.c ---- */
enum guest_flags arm64_flags(const u8 *code);
