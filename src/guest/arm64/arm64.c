/*
 * Arm 64-bit guest: slots, reset, and where each instruction goes.
 */
#include "guest/arm64/sve.h"

#define AT(field) offsetof(struct arm64, field)
#define X(n) [A64_X0 + n] = { "x" #n, AT(x[n]), TY_I64, 0 }
#define V(n) [A64_V0 + n] = { "v" #n, AT(v[n]), TY_V128, 0 }
#define P(n) [A64_P0 + n] = { "p" #n, AT(p[n]), TY_V128, 0 }
#define ZA(n, array) [A64_ZA + n] = { "za" #n, AT(za[n]), TY_V128, array }
#define KEY(name) { #name "_lo", AT(name.lo), TY_I64, 0 }, { #name "_hi", AT(name.hi), TY_I64, 0 },
/* clang-format off */
const struct ir_slot arm64_slots[] = {
	X(0), X(1), X(2), X(3), X(4), X(5), X(6), X(7), X(8), X(9), X(10), X(11), X(12), X(13), X(14), X(15),
	X(16), X(17), X(18), X(19), X(20), X(21), X(22), X(23), X(24), X(25), X(26), X(27), X(28), X(29), X(30),
	[A64_SP] = { "sp", AT(sp), TY_I64, 0 },
	[A64_NZCV] = { "nzcv", AT(nzcv), TY_FLAGS, 0 },
	V(0), V(1), V(2), V(3), V(4), V(5), V(6), V(7), V(8), V(9), V(10), V(11), V(12), V(13), V(14), V(15),
	V(16), V(17), V(18), V(19), V(20), V(21), V(22), V(23), V(24), V(25), V(26), V(27), V(28), V(29), V(30), V(31),
	[A64_QC] = { "qc", AT(qc), TY_V128, 0 },
	P(0), P(1), P(2), P(3), P(4), P(5), P(6), P(7), P(8), P(9), P(10), P(11), P(12), P(13), P(14), P(15),
	[A64_FFR] = { "ffr", AT(p[16]), TY_V128, 0 },
	ZA(0, 16), ZA(1, 0), ZA(2, 0), ZA(3, 0), ZA(4, 0), ZA(5, 0), ZA(6, 0), ZA(7, 0),
	ZA(8, 0), ZA(9, 0), ZA(10, 0), ZA(11, 0), ZA(12, 0), ZA(13, 0), ZA(14, 0), ZA(15, 0),
	[A64_TPIDR2] = { "tpidr2_el0", AT(tpidr2), TY_I64, 0 },
	[A64_SVCR] = { "svcr", AT(svcr), TY_I32, 0 },
	[A64_FPCR] = { "fpcr", AT(fpcr), TY_I32, 0 },
	[A64_TPIDR] = { "tpidr_el0", AT(tpidr_el0), TY_I64, 0 },
	[A64_TPIDRRO] = { "tpidrro_el0", AT(tpidrro_el0), TY_I64, 0 },
	[A64_EXCL_ADDR] = { "excl_addr", AT(cpu.excl_addr), TY_I64, 0 },
	[A64_EXCL_LO] = { "excl_lo", AT(cpu.excl_val[0]), TY_I64, 0 },
	[A64_EXCL_HI] = { "excl_hi", AT(cpu.excl_val[1]), TY_I64, 0 },
	[A64_SSBS] = { "ssbs", AT(ssbs), TY_I64, 0 },
	[A64_DIT] = { "dit", AT(dit), TY_I64, 0 },
	[A64_KEYS] = KEY(apia) KEY(apib) KEY(apda) KEY(apdb) KEY(apga)
	[A64_SLOTS] = { 0 },
};

/* By how often compiled programs use them (AAPCS64); the ends of the lists are for hosts with many registers. */
static const u16 hot_int[] = {
	0, 1, 2, 3, 19, A64_SP, 20, 8, 30, 21, 4, 22, 29, 5, 23, 9, 10, 24, 6, 11, 7, 25, 12, 26, 13, 14, 15, 27, 28, 16, 17, 18, 0xffff,
};
#define HV(n) A64_V0 + n
static const u16 hot_vec[] = {
	HV(0), HV(1), HV(2), HV(3), HV(4), HV(5), HV(6), HV(7), HV(16), HV(17), HV(18), HV(19), HV(20), HV(21), HV(22), HV(23),
	HV(31), HV(30), HV(29), HV(28), HV(24), HV(25), HV(26), HV(27), HV(8), HV(9), HV(10), HV(11), HV(12), HV(13), HV(14), HV(15), 0xffff,
};

/* clang-format off */
/* Groups by bits 28 to 25 (DDI 0487 C4.1): each list is asked in order. */
static const struct insn_group *const dp_imm[] = { &arm64_dp_imm, NULL };
static const struct insn_group *const dp_reg[] = { &arm64_dp_reg, &arm64_pauth, NULL };
static const struct insn_group *const branch[] = { &arm64_branch, &arm64_pauth, &arm64_system, NULL };
static const struct insn_group *const ldst[] = { &arm64_ldst, &arm64_atomic, &arm64_pauth, NULL };
static const struct insn_group *const reserved[] = { &arm64_branch, NULL };
static const struct insn_group *const none[] = { NULL };
static const struct insn_group *const sme[] = {
#define _(name) &arm64_##name,
	ARM64_SME_GROUPS(_)
#undef _
	NULL,
};
static const struct insn_group *const *const top[16] = {
	[0] = reserved, [1] = none, [3] = none,
	[4] = ldst, [12] = ldst,
	[8] = dp_imm, [9] = dp_imm,
	[10] = branch, [11] = branch,
	[5] = dp_reg, [13] = dp_reg,
	[2] = NULL, /* SVE: sve.c */
	[6] = NULL, [7] = NULL, [14] = NULL, [15] = NULL, /* floating point and SIMD: simd_groups.c */
};
/* clang-format on */

static const struct insn_group *const *groups_of(u32 word)
{
	unsigned part = word >> 25 & 15;
	if (part == 0 && word >> 31)
		return sme;
	if (part == 2)
		return arm64_sve_candidates(word);
	const struct insn_group *const *groups = top[part];
	return groups ? groups : arm64_simd_candidates(word);
}

/* clang-format off */
const struct insn_group *const arm64_groups[] = {
	&arm64_dp_imm, &arm64_dp_reg, &arm64_branch, &arm64_system, &arm64_pauth, &arm64_ldst, &arm64_atomic,
#define _(name) &arm64_##name,
	ARM64_SIMD_GROUPS(_) ARM64_SVE_GROUPS(_) ARM64_SME_GROUPS(_)
#undef _
	NULL,
};
/* clang-format on */

static void reset(struct cpu *cpu, const void *model)
{
	struct arm64 *a = (struct arm64 *)cpu;
	a->model = model;
	a->cpu.excl_addr = ~0ull;
}

void arm64_fp_ctl(u64 key, struct fp_ctl *fp)
{
	/* FPCR.RMode: nearest, plus infinity, minus infinity, zero */
	static const u8 round[4] = { FP_NEAREST_EVEN, FP_UP, FP_DOWN, FP_TO_ZERO };
	*fp = fp_arm;
	fp->round = round[(key & FPCR_RMODE) >> 22];
	fp->default_nan = key & FPCR_DN;
	fp->flush_in = fp->flush_out = key & FPCR_FZ;
	fp->loose_flags = fp->flush_in && !(key & KEY_FPSR);
	fp->flush_in_f16 = fp->flush_out_f16 = key & FPCR_FZ16;
	fp->alt_half = key & FPCR_AHP;
}

static void begin(struct tr *t)
{
	arm64_fp_ctl(t->key, &t->ir->fp);
	t->tag_bits = t->key & KEY_TAGS ? TAG_BITS : 0;
}

static enum guest_sense insn(struct tr *t)
{
	t->len = 4;
	if (t->pc & 3) {
		v_op(t, IR_INSN, TY_VOID, 0, 4, 0, t->pc);
		tr_raise(t, EV_ALIGN, konst(t, t->pc), t->pc);
		return INSN_UNDEFINED;
	}
	v_op(t, IR_INSN, TY_VOID, 0, 4, 0, t->pc);
	if (t->avail < 4) {
		tr_raise(t, EV_FETCH, konst(t, t->pc), t->pc);
		return INSN_UNDEFINED;
	}
	u32 word = ld_le32(t->code);
	for (const struct insn_group *const *g = groups_of(word); *g; g++)
		if (insn_decode(*g, t, word))
			return INSN_OK;
	tr_raise(t, EV_UNDEFINED, konst(t, word), t->pc);
	return INSN_UNDEFINED;
}

/* DDI 0487, BTypeCompatible_BTI, _PACIXSP; Linux forbids PACIASP as the target of a strict jump (SCTLR_EL1.BT0). */
static bool lands(const u8 *code, unsigned how)
{
	enum { BTI_C = 1 << 6, BTI_J = 1 << 7 };
	u32 word = ld_le32(code);
	if ((word & ~(u32)(BTI_C | BTI_J)) == 0xd503241f)
		return (word & BTI_C && how != BTYPE_JUMP_GUARDED) || (word & BTI_J && how != BTYPE_CALL);
	if (word == 0xd503233f || word == 0xd503237f) /* PACIASP, PACIBSP */
		return how != BTYPE_JUMP_GUARDED;
	return (word & 0xffe0001f) == 0xd4200000 || (word & 0xffe0001f) == 0xd4400000; /* BRK, HLT */
}

static const char *text(const u8 *code, u32 avail, u64 pc, u64 key UNUSED, char *buf, size_t size,
			u32 *ret_len)
{
	struct text o = { buf, size, 0, pc };
	*ret_len = MIN(avail, 4u);
	text_put(&o, "");
	if (avail < 4) {
		text_put(&o, ".byte");
		for (u32 i = 0; i < avail; i++)
			text_fmt(&o, "%s0x%02x", i ? ", " : "\t", code[i]);
		return buf;
	}
	u32 word = ld_le32(code);
	for (const struct insn_group *const *g = groups_of(word); *g; g++)
		if (insn_text(*g, &o, word))
			return buf;
	text_fmt(&o, ".inst\t0x%08x", word);
	return buf;
}

GUEST(aarch64) = {
	.name = "aarch64",
	.summary = "Arm, 64 bits",
	.addr_type = TY_I64,
	.insn_min = 4,
	.insn_max = 4,
	.state_size = sizeof(struct arm64),
	.slots = arm64_slots,
	.hot_int = hot_int,
	.hot_vec = hot_vec,
	.models = arm64_models,
	.model_size = sizeof(struct arm64_model),
	.regs = arm64_regs,
	.model_regs = arm64_model_regs,
	.reg_types = arm64_reg_types,
	.gdb_arch = "aarch64",
	.tag_bits = TAG_BITS,
	.key_tags = KEY_TAGS,
	.key_shared = KEY_SHARED,
	.watch_before = true,
	.model_option = arm64_model_option,
	.reset = reset,
	.begin = begin,
	.insn = insn,
	.flags = arm64_flags,
	.text = text,
	.landing_key = KEY_BTI,
	.lands = lands,
};
