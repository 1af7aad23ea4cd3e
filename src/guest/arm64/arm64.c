/*
 * Arm 64-bit guest: registers, reset, and where each instruction goes.
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
	0, 1, 2, 3, 19, A64_SP, 20, 8, 21, 4, 22, 29, 5, 30, 23, 9, 10, 24, 6, 11, 7, 25, 12, 26, 13, 14, 15, 27, 28, 16, 17, 18, 0xffff,
};
#define HV(n) A64_V0 + n
static const u16 hot_vec[] = {
	HV(0), HV(1), HV(2), HV(3), HV(4), HV(5), HV(6), HV(7), HV(16), HV(17), HV(18), HV(19), HV(20), HV(21), HV(22), HV(23),
	HV(31), HV(30), HV(29), HV(28), HV(24), HV(25), HV(26), HV(27), HV(8), HV(9), HV(10), HV(11), HV(12), HV(13), HV(14), HV(15), 0xffff,
};

static u64 fpsr_get(const struct cpu *cpu)
{
	return arm64_fpsr((const struct arm64 *)cpu);
}

static void fpsr_set(struct cpu *cpu, u64 value)
{
	arm64_set_fpsr((struct arm64 *)cpu, (u32)value);
}

static u64 fpcr_get(const struct cpu *cpu)
{
	return ((const struct arm64 *)cpu)->fpcr;
}

static void fpcr_set(struct cpu *cpu, u64 value)
{
	arm64_set_fpcr((struct arm64 *)cpu, (u32)value);
}

/* DDI 0487 C5.2: N, Z, C, V; the rest of PSTATE is not a program's to see. */
static u64 cpsr_get(const struct cpu *cpu)
{
	return ((const struct arm64 *)cpu)->nzcv & 0xf0000000;
}

static void cpsr_set(struct cpu *cpu, u64 value)
{
	((struct arm64 *)cpu)->nzcv = value & 0xf0000000;
}

/* Signatures of pointers, as gdb takes them off: what of an address is not address. */
static u64 pauth_mask(const struct cpu *cpu UNUSED)
{
	return BITS(7) << 48;
}

static void read_only(struct cpu *cpu UNUSED, u64 value UNUSED)
{
}

#define CORE "org.gnu.gdb.aarch64.core"
#define FPU "org.gnu.gdb.aarch64.fpu"
#define PAUTH "org.gnu.gdb.aarch64.pauth"
#define TLS "org.gnu.gdb.aarch64.tls"
#define GX(n) { "x" #n, CORE, AT(x[n]), 64, NULL, NULL }
#define GV(n) { "v" #n, FPU, AT(v[n]), 128, "aarch64v", NULL }
static const struct guest_reg regs[] = {
	GX(0), GX(1), GX(2), GX(3), GX(4), GX(5), GX(6), GX(7), GX(8), GX(9), GX(10), GX(11), GX(12), GX(13), GX(14), GX(15),
	GX(16), GX(17), GX(18), GX(19), GX(20), GX(21), GX(22), GX(23), GX(24), GX(25), GX(26), GX(27), GX(28), GX(29), GX(30),
	{ "sp", CORE, AT(sp), 64, "data_ptr", NULL },
	{ "pc", CORE, AT(cpu.pc), 64, "code_ptr", NULL },
	{ "cpsr", CORE, 0, 32, "cpsr_flags", NULL, cpsr_get, cpsr_set },
	GV(0), GV(1), GV(2), GV(3), GV(4), GV(5), GV(6), GV(7), GV(8), GV(9), GV(10), GV(11), GV(12), GV(13), GV(14), GV(15),
	GV(16), GV(17), GV(18), GV(19), GV(20), GV(21), GV(22), GV(23), GV(24), GV(25), GV(26), GV(27), GV(28), GV(29), GV(30), GV(31),
	{ "fpsr", FPU, 0, 32, "int", "float", fpsr_get, fpsr_set },
	{ "fpcr", FPU, 0, 32, "int", "float", fpcr_get, fpcr_set },
	{ "pauth_dmask", PAUTH, 0, 64, NULL, "system", pauth_mask, read_only },
	{ "pauth_cmask", PAUTH, 0, 64, NULL, "system", pauth_mask, read_only },
	{ "tpidr", TLS, AT(tpidr_el0), 64, "data_ptr", "system" },
	{ 0 },
};

#define VECTOR(id, type, count) "<vector id='" id "' type='" type "' count='" count "'/>"
#define FIELD(name, type) "<field name='" name "' type='" type "'/>"
#define BIT_FIELD(name, at) "<field name='" name "' start='" at "' end='" at "'/>"
static const struct guest_reg_types reg_types[] = {
	{ CORE, "<flags id='cpsr_flags' size='4'>" BIT_FIELD("V", "28") BIT_FIELD("C", "29") BIT_FIELD("Z", "30") BIT_FIELD("N", "31") "</flags>" },
	{ FPU, VECTOR("v2d", "ieee_double", "2") VECTOR("v2u", "uint64", "2") VECTOR("v2i", "int64", "2")
	       VECTOR("v4f", "ieee_single", "4") VECTOR("v4u", "uint32", "4") VECTOR("v4i", "int32", "4")
	       VECTOR("v8f", "ieee_half", "8") VECTOR("v8u", "uint16", "8") VECTOR("v8i", "int16", "8")
	       VECTOR("v16u", "uint8", "16") VECTOR("v16i", "int8", "16") VECTOR("v1u", "uint128", "1") VECTOR("v1i", "int128", "1")
	       "<union id='vnd'>" FIELD("f", "v2d") FIELD("u", "v2u") FIELD("s", "v2i") "</union>"
	       "<union id='vns'>" FIELD("f", "v4f") FIELD("u", "v4u") FIELD("s", "v4i") "</union>"
	       "<union id='vnh'>" FIELD("f", "v8f") FIELD("u", "v8u") FIELD("s", "v8i") "</union>"
	       "<union id='vnb'>" FIELD("u", "v16u") FIELD("s", "v16i") "</union>"
	       "<union id='vnq'>" FIELD("u", "v1u") FIELD("s", "v1i") "</union>"
	       "<union id='aarch64v'>" FIELD("d", "vnd") FIELD("s", "vns") FIELD("h", "vnh") FIELD("b", "vnb") FIELD("q", "vnq") "</union>" },
	{ 0 },
};

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
	.regs = regs,
	.reg_types = reg_types,
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
