/*
 * A64: hints, barriers, PSTATE, cache maintenance and system registers that programs may use (DDI 0487 C4.1.93, C5, D19).
 *
 * The ID registers read as Linux shows them (Documentation/arm64/cpu-feature-registers.rst). Everything else of the system-register
 * space is undefined at EL0.
 */
#include "guest/arm64/arm64.h"
#include "arm64_system.decode.h"
#include <time.h>
#include <unistd.h>

enum { COUNTER_HZ = 1000000000 }; /* CNTVCT_EL0 counts nanoseconds */
enum { CACHE_LINE = 64 };

/* ---- what FPCR and FPSR are made of ---- */
void arm64_set_fpcr(struct arm64 *a, u32 value)
{
	u32 bits = KEY_FPCR & ~(arm64_model_has(a->model, ARM64_FP16) ? 0u : FPCR_FZ16);
	a->fpcr = value & bits;
	a->cpu.key = (a->cpu.key & ~(u64)KEY_FPCR) | a->fpcr;
}

/* FPSR's IOC DZC OFC UFC IXC are FP_*'s first five bits in the same order; IDC is an operand that was flushed. */
_Static_assert(FP_INVALID == 1 && FP_DIVZERO == 2 && FP_OVERFLOW == 4 && FP_UNDERFLOW == 8 &&
		   FP_INEXACT == 16,
	       "order of FPSR");

u32 arm64_fpsr(const struct arm64 *a)
{
	u32 f = a->cpu.fp_flags;
	return (f & FP_IEEE_FLAGS) | (f & FP_INPUT_FLUSHED ? FPSR_IDC : 0) |
	       (a->qc.d[0] | a->qc.d[1] ? FPSR_QC : 0);
}

void arm64_set_fpsr(struct arm64 *a, u32 value)
{
	a->cpu.fp_flags = (value & FP_IEEE_FLAGS) | (value & FPSR_IDC ? FP_INPUT_FLUSHED : 0);
	a->qc = (union ir_vec128){ .d = { value & FPSR_QC ? 1 : 0 } };
}

static void fpcr_write(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
	arm64_set_fpcr((struct arm64 *)cpu, arg[0].w);
}

static void fpsr_watch(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
	cpu->key |= KEY_FPSR;
}

void arm64_set_svcr(struct arm64 *a, u32 value)
{
	u32 changed = a->svcr ^ value;
	if (changed & SVCR_SM) {
		memset(a->v, 0, sizeof(a->v));
		memset(a->p, 0, sizeof(a->p));
		arm64_set_fpsr(a, 0x0800009f);
	}
	if (changed & SVCR_ZA)
		memset(a->za, 0, sizeof(a->za));
	a->svcr = value & (SVCR_SM | SVCR_ZA);
	a->cpu.key = (a->cpu.key & ~(u64)(KEY_SM | KEY_ZA)) | (a->svcr & SVCR_SM ? KEY_SM : 0) |
		     (a->svcr & SVCR_ZA ? KEY_ZA : 0);
}

static void svcr_write(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
	struct arm64 *a = (struct arm64 *)cpu;
	arm64_set_svcr(a, (a->svcr & ~arg[1].w) | (arg[0].w & arg[1].w));
}

static void counter(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	ret->u = (u64)now.tv_sec * COUNTER_HZ + (u64)now.tv_nsec;
}

/* The host's randomness, or when the program was started with a seed, what follows from it (SplitMix64). */
static void random_number(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
	struct arm64 *a = (struct arm64 *)cpu;
	u64 v = 0;
	bool ok = true;
	if (a->rng) {
		v = a->rng += 0x9e3779b97f4a7c15;
		v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9;
		v = (v ^ v >> 27) * 0x94d049bb133111eb;
		v ^= v >> 31;
	} else {
		ok = getentropy(&v, sizeof(v)) == 0;
	}
	ret->q = (u128)(!ok) << 64 | (ok ? v : 0);
}

static const u16 slots_fpcr[] = { A64_FPCR, 0xffff };
static const u16 slots_none[] = { 0xffff };
HELPER(arm64_fpcr_write) = { .name = "arm64_fpcr_write",
			     .fn = fpcr_write,
			     .effects = HELP_WRITES | HELP_VOLATILE,
			     .slots = slots_fpcr };
HELPER(arm64_fpsr_watch) = {
	.name = "arm64_fpsr_watch", .fn = fpsr_watch, .effects = HELP_VOLATILE, .slots = slots_none
};
HELPER(arm64_svcr_write) = { .name = "arm64_svcr_write",
			     .fn = svcr_write,
			     .effects = HELP_READS | HELP_WRITES | HELP_VOLATILE };
HELPER(arm64_counter) = {
	.name = "arm64_counter", .fn = counter, .effects = HELP_VOLATILE, .slots = slots_none
};
HELPER(arm64_random) = {
	.name = "arm64_random", .fn = random_number, .effects = HELP_VOLATILE, .slots = slots_none
};

/* ---- the registers ---- */
struct sysreg {
	u16 code; /* o0 op1 CRn CRm op2 */
	i8 feature; /* ARM64_*, -1 none */
	u8 arg;
	const char *name;
	ir_ref (*get)(struct tr *t, const struct sysreg *r);
	void (*set)(struct tr *t, const struct sysreg *r, ir_ref v); /* NULL: read-only */
};
#define CODE(op0, op1, crn, crm, op2) (((op0)&1) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))

static const struct arm64_model *model(const struct tr *t)
{
	return t->model;
}

static ir_ref flags_to_bits(struct tr *t)
{
	ir_ref bits = v_op(t, IR_FLBITS, TY_I32, nzcv(t), 0, 0, 0);
	return v_bin(t, IR_AND, bits, konst32(t, 0xf0000000));
}

static void flags_from_bits(struct tr *t, ir_ref bits)
{
	set_nzcv(t, v_op(t, IR_FLPACK, TY_FLAGS, v_bin(t, IR_AND, bits, konst32(t, 0xf0000000)), 0, 0, 0));
}

static ir_ref nzcv_get(struct tr *t, const struct sysreg *reg UNUSED)
{
	return flags_to_bits(t);
}

static void nzcv_set(struct tr *t, const struct sysreg *reg UNUSED, ir_ref v)
{
	flags_from_bits(t, v_trunc(t, TY_I32, v));
}

static ir_ref slot_get(struct tr *t, const struct sysreg *reg)
{
	return v_get(t, reg->arg);
}

static void slot_set(struct tr *t, const struct sysreg *reg, ir_ref v)
{
	v_set(t, reg->arg, v);
}

static void bit_set(struct tr *t, const struct sysreg *reg, ir_ref v)
{
	v_set(t, reg->arg, v_bin(t, IR_AND, v, konst(t, reg->arg == A64_SSBS ? BIT(12) : BIT(24))));
}

static void fpcr_set(struct tr *t, const struct sysreg *reg UNUSED, ir_ref v)
{
	v_call(t, &ir_helper_arm64_fpcr_write, TY_VOID, (ir_ref[]){ v_trunc(t, TY_I32, v) }, 1);
	tr_end(t, t->pc + 4);
}

static ir_ref fpsr_get(struct tr *t, const struct sysreg *reg UNUSED)
{
	ir_ref f = v_op(t, IR_FPFLAGS, TY_I32, 0, 0, 0, 0), qc = v_get(t, A64_QC);
	ir_ref half[2];
	for (unsigned i = 0; i < 2; i++)
		half[i] = ir_emit(
		    t->ir,
		    &(struct ir_insn){ .op = IR_VGET, .type = TY_I64, .lane = TY_I64, .a = qc, .imm = i });
	ir_ref any = v_bin(t, IR_OR, half[0], half[1]);
	ir_ref sticky = v_zext(t, TY_I32, v_cmp(t, IR_NE, any, konst(t, 0)));
	ir_ref idc = v_op(t, IR_EXTRACTU, TY_I32, f, 6, 1, 0); /* FP_INPUT_FLUSHED */
	f = v_bin(t, IR_AND, f, konst32(t, FP_IEEE_FLAGS));
	f = v_bin(t, IR_OR, f, v_bin(t, IR_SHL, idc, konst32(t, 7)));
	return v_bin(t, IR_OR, f, v_bin(t, IR_SHL, sticky, konst32(t, 27)));
}
_Static_assert(FP_INPUT_FLUSHED == 1 << 6 && FPSR_IDC == 1 << 7 && FPSR_QC == 1 << 27,
	       "the places fpsr_get and fpsr_set use");

static void fpsr_set(struct tr *t, const struct sysreg *reg UNUSED, ir_ref v)
{
	v = v_trunc(t, TY_I32, v);
	ir_ref idc = v_op(t, IR_EXTRACTU, TY_I32, v, 7, 1, 0), qc = v_op(t, IR_EXTRACTU, TY_I32, v, 27, 1, 0);
	ir_ref f = v_bin(t, IR_AND, v, konst32(t, FP_IEEE_FLAGS));
	v_op(t, IR_SETFPFLAGS, TY_VOID, v_bin(t, IR_OR, f, v_bin(t, IR_SHL, idc, konst32(t, 6))), 0, 0, 0);
	v_set(t, A64_QC, v_op(t, IR_VZEXT, TY_V128, v_zext(t, TY_I64, qc), 0, 0, 0));
}

static ir_ref svcr_get(struct tr *t, const struct sysreg *reg UNUSED)
{
	return v_zext(t, TY_I64, v_get(t, A64_SVCR));
}

/* The bits of SVCR in mask take value's place. */
static void svcr_change(struct tr *t, ir_ref value, unsigned mask)
{
	v_call(t, &ir_helper_arm64_svcr_write, TY_VOID, (ir_ref[]){ value, konst32(t, mask) }, 2);
	tr_end(t, t->pc + 4);
}

static void svcr_set(struct tr *t, const struct sysreg *reg UNUSED, ir_ref v)
{
	svcr_change(t, v_trunc(t, TY_I32, v), SVCR_SM | SVCR_ZA);
}

static ir_ref counter_get(struct tr *t, const struct sysreg *reg UNUSED)
{
	return v_call(t, &ir_helper_arm64_counter, TY_I64, NULL, 0);
}

static ir_ref frequency_get(struct tr *t, const struct sysreg *reg UNUSED)
{
	return konst(t, COUNTER_HZ);
}

static ir_ref ctr_get(struct tr *t, const struct sysreg *reg UNUSED)
{
	return konst(t, model(t)->ctr);
}

static ir_ref dczid_get(struct tr *t, const struct sysreg *reg UNUSED)
{
	return konst(t, model(t)->dczid);
}

static ir_ref midr_get(struct tr *t, const struct sysreg *reg UNUSED)
{
	return konst(t, model(t)->midr);
}

static ir_ref mpidr_get(struct tr *t, const struct sysreg *reg UNUSED)
{
	return konst(t, BIT(31));
}

static ir_ref zero_get(struct tr *t, const struct sysreg *reg UNUSED)
{
	return konst(t, 0);
}

static ir_ref id_get(struct tr *t, const struct sysreg *reg)
{
	return konst(t, arm64_id_register(model(t), (enum arm64_id)reg->arg));
}

/* RNDR: Z is set, and the result 0, when there was no number. */
static ir_ref rndr_get(struct tr *t, const struct sysreg *reg UNUSED)
{
	ir_ref v = v_call(t, &ir_helper_arm64_random, TY_I128, NULL, 0);
	ir_ref failed = v_op(t, IR_TRUNC, TY_I32, v_op(t, IR_HI, TY_I64, v, 0, 0, 0), 0, 0, 0);
	flags_from_bits(t, v_bin(t, IR_SHL, failed, konst32(t, 30)));
	return v_op(t, IR_LO, TY_I64, v, 0, 0, 0);
}

/* clang-format off */
static const struct sysreg sysregs[] = {
	{ CODE(3, 3,  4,  2, 0), -1, 0, "nzcv", nzcv_get, nzcv_set },
	{ CODE(3, 3,  4,  2, 5), ARM64_DIT, A64_DIT, "dit", slot_get, bit_set },
	{ CODE(3, 3,  4,  2, 6), ARM64_SSBS, A64_SSBS, "ssbs", slot_get, bit_set },
	{ CODE(3, 3,  4,  4, 0), -1, A64_FPCR, "fpcr", slot_get, fpcr_set },
	{ CODE(3, 3,  4,  4, 1), -1, 0, "fpsr", fpsr_get, fpsr_set },
	{ CODE(3, 3, 13,  0, 2), -1, A64_TPIDR, "tpidr_el0", slot_get, slot_set },
	{ CODE(3, 3,  4,  2, 2), ARM64_SME, A64_SVCR, "svcr", svcr_get, svcr_set },
	{ CODE(3, 3, 13,  0, 5), ARM64_SME, A64_TPIDR2, "tpidr2_el0", slot_get, slot_set },
	{ CODE(3, 3, 13,  0, 3), -1, A64_TPIDRRO, "tpidrro_el0", slot_get, NULL },
	{ CODE(3, 3, 14,  0, 0), -1, 0, "cntfrq_el0", frequency_get, NULL },
	{ CODE(3, 3, 14,  0, 2), -1, 0, "cntvct_el0", counter_get, NULL },
	{ CODE(3, 3,  0,  0, 1), -1, 0, "ctr_el0", ctr_get, NULL },
	{ CODE(3, 3,  0,  0, 7), -1, 0, "dczid_el0", dczid_get, NULL },
	{ CODE(3, 3,  2,  4, 0), ARM64_RNG, 0, "rndr", rndr_get, NULL },
	{ CODE(3, 3,  2,  4, 1), ARM64_RNG, 0, "rndrrs", rndr_get, NULL },
	{ CODE(3, 0,  0,  0, 0), -1, 0, "midr_el1", midr_get, NULL },
	{ CODE(3, 0,  0,  0, 5), -1, 0, "mpidr_el1", mpidr_get, NULL },
	{ CODE(3, 0,  0,  0, 6), -1, 0, "revidr_el1", zero_get, NULL },
	{ CODE(3, 0,  0,  4, 0), -1, ID_PFR0, "id_aa64pfr0_el1", id_get, NULL },
	{ CODE(3, 0,  0,  4, 1), -1, ID_PFR1, "id_aa64pfr1_el1", id_get, NULL },
	{ CODE(3, 0,  0,  4, 4), -1, ID_ZFR0, "id_aa64zfr0_el1", id_get, NULL },
	{ CODE(3, 0,  0,  2, 0), -1, 0, "id_isar0_el1", zero_get, NULL },
	{ CODE(3, 0,  0,  2, 1), -1, 0, "id_isar1_el1", zero_get, NULL },
	{ CODE(3, 0,  0,  2, 2), -1, 0, "id_isar2_el1", zero_get, NULL },
	{ CODE(3, 0,  0,  2, 3), -1, 0, "id_isar3_el1", zero_get, NULL },
	{ CODE(3, 0,  0,  2, 4), -1, 0, "id_isar4_el1", zero_get, NULL },
	{ CODE(3, 0,  0,  2, 5), -1, 0, "id_isar5_el1", zero_get, NULL },
	{ CODE(3, 0,  0,  2, 6), -1, 0, "id_mmfr4_el1", zero_get, NULL },
	{ CODE(3, 0,  0,  2, 7), -1, 0, "id_isar6_el1", zero_get, NULL },
	{ CODE(3, 0,  0,  3, 0), -1, 0, "mvfr0_el1", zero_get, NULL },
	{ CODE(3, 0,  0,  3, 1), -1, 0, "mvfr1_el1", zero_get, NULL },
	{ CODE(3, 0,  0,  3, 2), -1, 0, "mvfr2_el1", zero_get, NULL },
	{ CODE(3, 0,  0,  3, 4), -1, 0, "id_pfr2_el1", zero_get, NULL },
	{ CODE(3, 0,  0,  3, 5), -1, 0, "id_dfr1_el1", zero_get, NULL },
	{ CODE(3, 0,  0,  3, 6), -1, 0, "id_mmfr5_el1", zero_get, NULL },
	{ CODE(3, 0,  0,  5, 4), -1, 0, "id_aa64afr0_el1", zero_get, NULL },
	{ CODE(3, 0,  0,  5, 5), -1, 0, "id_aa64afr1_el1", zero_get, NULL },
	{ CODE(3, 0,  0,  4, 5), -1, ID_SMFR0, "id_aa64smfr0_el1", id_get, NULL },
	{ CODE(3, 0,  0,  5, 0), -1, ID_DFR0, "id_aa64dfr0_el1", id_get, NULL },
	{ CODE(3, 0,  0,  6, 0), -1, ID_ISAR0, "id_aa64isar0_el1", id_get, NULL },
	{ CODE(3, 0,  0,  6, 1), -1, ID_ISAR1, "id_aa64isar1_el1", id_get, NULL },
	{ CODE(3, 0,  0,  6, 2), -1, ID_ISAR2, "id_aa64isar2_el1", id_get, NULL },
	{ CODE(3, 0,  0,  7, 0), -1, ID_MMFR0, "id_aa64mmfr0_el1", id_get, NULL },
	{ CODE(3, 0,  0,  7, 1), -1, ID_MMFR1, "id_aa64mmfr1_el1", id_get, NULL },
	{ CODE(3, 0,  0,  7, 2), -1, ID_MMFR2, "id_aa64mmfr2_el1", id_get, NULL },
};
/* clang-format on */

/* The rest of the ID registers' space, which Linux shows as zero. */
static const struct sysreg id_reserved = { 0, -1, 0, NULL, zero_get, NULL };

static const struct sysreg *find_sysreg(const struct tr *t, unsigned code, bool write)
{
	for (const struct sysreg *reg = sysregs; reg < sysregs + LEN(sysregs); reg++)
		if (reg->code == code)
			return (reg->feature < 0 || !t ||
				arm64_model_has(t->model, (enum arm64_feature)reg->feature)) &&
				       (!write || reg->set)
				   ? reg
				   : NULL;
	return !write && code >= CODE(3, 0, 0, 2, 0) && code <= CODE(3, 0, 0, 7, 7) ? &id_reserved : NULL;
}

static void arm64_text_sysreg(struct text *o, unsigned code)
{
	const struct sysreg *reg = find_sysreg(NULL, code, false);
	if (reg && reg->name)
		text_put(o, reg->name);
	else
		text_fmt(o, "s%u_%u_c%u_c%u_%u", 2 | code >> 14, code >> 11 & 7, code >> 7 & 15,
			 code >> 3 & 15, code & 7);
}

static void arm64_text_hint(struct text *o, unsigned n)
{
	static const char *const name[40] = {
		[0] = "nop",	   [1] = "yield", [2] = "wfe",	      [3] = "wfi",	  [4] = "sev",
		[5] = "sevl",	   [16] = "esb",  [17] = "psb csync", [18] = "tsb csync", [20] = "csdb",
		[22] = "clearbhb", [32] = "bti",  [34] = "bti c",     [36] = "bti j",	  [38] = "bti jc"
	};
	if (n < LEN(name) && name[n]) {
		char buf[16];
		unsigned i = 0;
		for (; name[n][i]; i++)
			buf[i] = name[n][i] == ' ' ? '\t' : name[n][i];
		buf[i] = 0;
		text_put(o, buf);
	} else {
		text_fmt(o, "hint\t#0x%x", n);
	}
}

static void arm64_text_barrier(struct text *o, unsigned crm)
{
	static const char *const name[16] = {
		[1] = "oshld", [2] = "oshst",  [3] = "osh",  [5] = "nshld", [6] = "nshst", [7] = "nsh",
		[9] = "ishld", [10] = "ishst", [11] = "ish", [13] = "ld",   [14] = "st",   [15] = "sy"
	};
	if (name[crm])
		text_put(o, name[crm]);
	else
		text_fmt(o, "#0x%02x", crm);
}

static unsigned fence_kind(unsigned crm)
{
	static const u8 kind[4] = { IR_FENCE_ALL, IR_FENCE_LL | IR_FENCE_LS, IR_FENCE_SS, IR_FENCE_ALL };
	return kind[crm & 3];
}

static void fence(struct tr *t, unsigned kind)
{
	v_op(t, IR_FENCE, TY_VOID, 0, 0, 0, kind);
}

static ir_ref flag(struct tr *t, enum ir_cc cc)
{
	return v_zext(t, TY_I32, v_cond(t, nzcv(t), cc));
}

static void set_flag_bits(struct tr *t, ir_ref n, ir_ref z, ir_ref c, ir_ref v)
{
	const ir_ref part[4] = { n, z, c, v };
	ir_ref bits = 0;
	for (unsigned i = 0; i < 4; i++) {
		if (!part[i])
			continue;
		ir_ref one = v_bin(t, IR_SHL, part[i], konst32(t, 31 - i));
		bits = bits ? v_bin(t, IR_OR, bits, one) : one;
	}
	set_nzcv(t, v_op(t, IR_FLPACK, TY_FLAGS, bits, 0, 0, 0));
}

static void zero_block(struct tr *t, ir_ref addr)
{
	unsigned bytes = 4u << model(t)->dczid;
	static const u8 zeros[16];
	ir_ref base = v_bin(t, IR_AND, addr, konst(t, ~(u64)(bytes - 1))), zero = v_const128(t, zeros);
	for (unsigned i = 0; i < bytes; i += 16)
		v_store(t, base, zero, plain(TY_V128, (i32)i));
}

/* clang-format off */

/* Hints; those that are not here are nothing. WFE, WFI and the ones with a timeout give the processor away. */
INSN(hint, "1101 0101 0000 0011 0010 n:7 11111", "{hint(n)}")
{
	if (a->n == 2 || a->n == 3)
		tr_raise(t, EV_YIELD, IR_NONE, t->pc + 4);
}
INSN(wfxt, "1101 0101 0000 0011 0001 0000 00 I:1 Rd:5", "wf{#I:e|i}t {x(Rd)}", WFXT) { tr_raise(t, EV_YIELD, IR_NONE, t->pc + 4); }

/* Barriers. */
INSN(clrex, "1101 0101 0000 0011 0011 CRm:4 010 11111", "[CRm == 15] clrex; clrex {hex(CRm)}") { v_set(t, A64_EXCL_ADDR, konst(t, ~0ull)); }
INSN(dsb,   "1101 0101 0000 0011 0011 CRm:4 100 11111", "[CRm == 0] ssbb; [CRm == 4] pssbb; dsb {barrier(CRm)}") { fence(t, fence_kind(a->CRm)); }
INSN(dsb_nxs, "1101 0101 0000 0011 0011 imm:2 10 001 11111", "dsb {#imm:oshnxs|nshnxs|ishnxs|synxs}", XS) { fence(t, IR_FENCE_ALL); }
INSN(dmb,   "1101 0101 0000 0011 0011 CRm:4 101 11111", "dmb {barrier(CRm)}") { fence(t, fence_kind(a->CRm)); }
INSN(isb,   "1101 0101 0000 0011 0011 CRm:4 110 11111", "[CRm == 15] isb; isb {hex(CRm)}")
{
	fence(t, IR_FENCE_INSN);
	tr_end(t, t->pc + 4);
}
INSN(sb,    "1101 0101 0000 0011 0011 0000 111 11111", "sb", SB) { fence(t, IR_FENCE_ALL); }

/* PSTATE. */
INSN(cfinv,  "1101 0101 0000 0 000 0100 0000 000 11111", "cfinv", FLAGM)
{
	ir_ref c = v_bin(t, IR_SHL, flag(t, CC_CC), konst32(t, 29));
	set_nzcv(t, v_op(t, IR_FLMERGE, TY_FLAGS, nzcv(t), v_op(t, IR_FLPACK, TY_FLAGS, c, 0, 0, 0), 0, FL_C));
}
INSN(xaflag, "1101 0101 0000 0 000 0100 0000 001 11111", "xaflag", FLAGM2)
{
	ir_ref z = flag(t, CC_EQ), c = flag(t, CC_CS), one = konst32(t, 1);
	ir_ref not_c = v_bin(t, IR_XOR, c, one), not_z = v_bin(t, IR_XOR, z, one);
	set_flag_bits(t, v_bin(t, IR_AND, not_c, not_z), v_bin(t, IR_AND, z, c), v_bin(t, IR_OR, c, z), v_bin(t, IR_AND, not_c, z));
}
INSN(axflag, "1101 0101 0000 0 000 0100 0000 010 11111", "axflag", FLAGM2)
{
	ir_ref z = flag(t, CC_EQ), c = flag(t, CC_CS), v = flag(t, CC_VS);
	set_flag_bits(t, 0, v_bin(t, IR_OR, z, v), v_bin(t, IR_ANDN, c, v), 0);
}
INSN(msr_dit,  "1101 0101 0000 0 011 0100 imm:4 010 11111", "[imm > 1] msr s0_3_c4_c{imm}_2, xzr; msr dit, {hex(imm)}", DIT) { v_set(t, A64_DIT, konst(t, a->imm & 1 ? BIT(24) : 0)); }
INSN(msr_svcr, "1101 0101 0000 0 011 0100 0 mask:2 imm:1 011 11111", "{#imm:smstop|smstart}{#mask:| sm| za|}", SME, "mask") { svcr_change(t, konst32(t, a->imm ? ~0u : 0), a->mask); }
INSN(msr_ssbs, "1101 0101 0000 0 011 0100 imm:4 001 11111", "[imm > 1] msr s0_3_c4_c{imm}_1, xzr; msr ssbs, {hex(imm)}", SSBS) { v_set(t, A64_SSBS, konst(t, a->imm & 1 ? BIT(12) : 0)); }

/* Caches: data caches are coherent; IC IVAU forgets translations of the line. */
INSN(dc_zva,   "1101 0101 0000 1 011 0111 0100 001 Rt:5", "dc zva, {x(Rt)}") { zero_block(t, x(t, a->Rt)); }
INSN(dc_cvac,  "1101 0101 0000 1 011 0111 1010 001 Rt:5", "dc cvac, {x(Rt)}") {}
INSN(dc_cvau,  "1101 0101 0000 1 011 0111 1011 001 Rt:5", "dc cvau, {x(Rt)}") {}
INSN(dc_cvap,  "1101 0101 0000 1 011 0111 1100 001 Rt:5", "dc cvap, {x(Rt)}", DPB) {}
INSN(dc_cvadp, "1101 0101 0000 1 011 0111 1101 001 Rt:5", "dc cvadp, {x(Rt)}", DPB2) {}
INSN(dc_civac, "1101 0101 0000 1 011 0111 1110 001 Rt:5", "dc civac, {x(Rt)}") {}
INSN(ic_ivau,  "1101 0101 0000 1 011 0111 0101 001 Rt:5", "ic ivau, {x(Rt)}")
{
	v_op(t, IR_CLEAN, TY_VOID, v_bin(t, IR_AND, x(t, a->Rt), konst(t, ~(u64)(CACHE_LINE - 1))), 0, 0, CACHE_LINE);
}

/* System registers. */
INSN(mrs, "1101010100 1 1 reg:15 Rt:5", "mrs {x(Rt)}, {sysreg(reg)}", "find_sysreg(t, reg, false)")
{
	const struct sysreg *reg = find_sysreg(t, a->reg, false);
	if (reg->get == fpsr_get && t->ir->fp.loose_flags) { /* this instruction again, as all from now on with exact flags */
		v_call(t, &ir_helper_arm64_fpsr_watch, TY_VOID, NULL, 0);
		tr_end(t, t->pc);
		return;
	}
	set_x(t, a->Rt, reg->get(t, reg));
}
INSN(msr, "1101010100 0 1 reg:15 Rt:5", "msr {sysreg(reg)}, {x(Rt)}", "find_sysreg(t, reg, true)")
{
	const struct sysreg *reg = find_sysreg(t, a->reg, true);
	reg->set(t, reg, x(t, a->Rt));
}
/* clang-format on */
#include "arm64_system.decode.inc"
