/*
 * Arm 64-bit guest: its registers as gdb and the log know them.
 * Facts: gdb's manual, "AArch64 Features". Where the CPU has SVE its feature takes the place of the one with the V registers, which gdb makes of Z.
 */
#include "guest/arm64/sve.h"

#define AT(field) offsetof(struct arm64, field)

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

/* VL in units of 64 bits. */
static u64 vg_get(const struct cpu *cpu UNUSED)
{
	return SVE_BYTES / 8;
}

/* gdb's predicates have a bit for each byte of a vector. */
#define PREDICATE(n) \
	static u64 p##n##_get(const struct cpu *cpu) \
	{ \
		return arm64_pred(&((const struct arm64 *)cpu)->p[n]); \
	} \
	static void p##n##_set(struct cpu *cpu, u64 value) \
	{ \
		arm64_set_pred(&((struct arm64 *)cpu)->p[n], (u16)value); \
	}
/* clang-format off */
PREDICATE(0) PREDICATE(1) PREDICATE(2) PREDICATE(3) PREDICATE(4) PREDICATE(5) PREDICATE(6) PREDICATE(7) PREDICATE(8)
PREDICATE(9) PREDICATE(10) PREDICATE(11) PREDICATE(12) PREDICATE(13) PREDICATE(14) PREDICATE(15) PREDICATE(16)

#define CORE "org.gnu.gdb.aarch64.core"
#define FPU "org.gnu.gdb.aarch64.fpu"
#define SVE "org.gnu.gdb.aarch64.sve"
#define PAUTH "org.gnu.gdb.aarch64.pauth"
#define TLS "org.gnu.gdb.aarch64.tls"
#define GX(n) { "x" #n, CORE, AT(x[n]), 64, NULL, NULL }
#define GV(n) { "v" #n, FPU, AT(v[n]), 128, "aarch64v", NULL }
#define GZ(n) { "z" #n, SVE, AT(v[n]), 128, "aarch64v", NULL }
#define GP(n) { "p" #n, SVE, 0, 16, "svep", NULL, p##n##_get, p##n##_set }
#define CORE_REGS \
	GX(0), GX(1), GX(2), GX(3), GX(4), GX(5), GX(6), GX(7), GX(8), GX(9), GX(10), GX(11), GX(12), GX(13), GX(14), GX(15), \
	GX(16), GX(17), GX(18), GX(19), GX(20), GX(21), GX(22), GX(23), GX(24), GX(25), GX(26), GX(27), GX(28), GX(29), GX(30), \
	{ "sp", CORE, AT(sp), 64, "data_ptr", NULL }, \
	{ "pc", CORE, AT(cpu.pc), 64, "code_ptr", NULL }, \
	{ "cpsr", CORE, 0, 32, "cpsr_flags", NULL, cpsr_get, cpsr_set }
#define VECTOR_REGS(_) \
	_(0), _(1), _(2), _(3), _(4), _(5), _(6), _(7), _(8), _(9), _(10), _(11), _(12), _(13), _(14), _(15), \
	_(16), _(17), _(18), _(19), _(20), _(21), _(22), _(23), _(24), _(25), _(26), _(27), _(28), _(29), _(30), _(31)
#define STATUS_REGS(feature) \
	{ "fpsr", feature, 0, 32, "int", "float", fpsr_get, fpsr_set }, \
	{ "fpcr", feature, 0, 32, "int", "float", fpcr_get, fpcr_set }
#define OTHER_REGS \
	{ "pauth_dmask", PAUTH, 0, 64, NULL, "system", pauth_mask, read_only }, \
	{ "pauth_cmask", PAUTH, 0, 64, NULL, "system", pauth_mask, read_only }, \
	{ "tpidr", TLS, AT(tpidr_el0), 64, "data_ptr", "system" }

const struct guest_reg arm64_regs[] = { CORE_REGS, VECTOR_REGS(GV), STATUS_REGS(FPU), OTHER_REGS, { 0 } };

static const struct guest_reg sve_regs[] = {
	CORE_REGS, VECTOR_REGS(GZ), STATUS_REGS(SVE),
	GP(0), GP(1), GP(2), GP(3), GP(4), GP(5), GP(6), GP(7), GP(8), GP(9), GP(10), GP(11), GP(12), GP(13), GP(14), GP(15),
	{ "ffr", SVE, 0, 16, "svep", "vector", p16_get, p16_set },
	{ "vg", SVE, 0, 64, "int", NULL, vg_get, read_only },
	OTHER_REGS, { 0 },
};

#define VECTOR(id, type, count) "<vector id='" id "' type='" type "' count='" count "'/>"
#define FIELD(name, type) "<field name='" name "' type='" type "'/>"
#define BIT_FIELD(name, at) "<field name='" name "' start='" at "' end='" at "'/>"
#define VECTOR_TYPES \
	VECTOR("v2d", "ieee_double", "2") VECTOR("v2u", "uint64", "2") VECTOR("v2i", "int64", "2") \
	VECTOR("v4f", "ieee_single", "4") VECTOR("v4u", "uint32", "4") VECTOR("v4i", "int32", "4") \
	VECTOR("v8f", "ieee_half", "8") VECTOR("v8u", "uint16", "8") VECTOR("v8i", "int16", "8") \
	VECTOR("v16u", "uint8", "16") VECTOR("v16i", "int8", "16") VECTOR("v1u", "uint128", "1") VECTOR("v1i", "int128", "1") \
	"<union id='vnd'>" FIELD("f", "v2d") FIELD("u", "v2u") FIELD("s", "v2i") "</union>" \
	"<union id='vns'>" FIELD("f", "v4f") FIELD("u", "v4u") FIELD("s", "v4i") "</union>" \
	"<union id='vnh'>" FIELD("f", "v8f") FIELD("u", "v8u") FIELD("s", "v8i") "</union>" \
	"<union id='vnb'>" FIELD("u", "v16u") FIELD("s", "v16i") "</union>" \
	"<union id='vnq'>" FIELD("u", "v1u") FIELD("s", "v1i") "</union>" \
	"<union id='aarch64v'>" FIELD("d", "vnd") FIELD("s", "vns") FIELD("h", "vnh") FIELD("b", "vnb") FIELD("q", "vnq") "</union>"
const struct guest_reg_types arm64_reg_types[] = {
	{ CORE, "<flags id='cpsr_flags' size='4'>" BIT_FIELD("V", "28") BIT_FIELD("C", "29") BIT_FIELD("Z", "30") BIT_FIELD("N", "31") "</flags>" },
	{ FPU, VECTOR_TYPES },
	{ SVE, VECTOR_TYPES VECTOR("svep", "uint8", "2") },
	{ 0 },
};
/* clang-format on */

const struct guest_reg *arm64_model_regs(const void *model)
{
	return arm64_model_has(model, ARM64_SVE) ? sve_regs : arm64_regs;
}
