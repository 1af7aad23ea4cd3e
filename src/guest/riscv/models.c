/*
 * RISC-V CPU models and extensions.
 *
 * Profiles: riscv-isa-manual src/profiles. HWCAP and hwprobe bits: Linux uapi asm/hwcap.h, Documentation/arch/riscv/hwprobe.rst.
 * Order of names in an isa string: volume I, "ISA extension naming conventions".
 */
#include "guest/riscv/riscv.h"
#include "base/err.h"
#include <strings.h>

static const struct {
	const char *name;
	u8 needs, probe;
} feature[RISCV_FEATURE_COUNT] = {
#define _(id, text, needs, probe) { text, RISCV_##needs, probe },
	RISCV_FEATURES(_)
#undef _
};

#define F(name) BIT(RISCV_##name)
#define BASE (F(I) | F(M) | F(A) | F(ZICSR) | F(ZIFENCEI) | F(ZICNTR) | F(ZIHPM))
#define G (BASE | F(F) | F(D))
#define GC (G | F(C))
#define SU (F(S) | F(U))
#define B (F(ZBA) | F(ZBB) | F(ZBS))
#define RVA22 (GC | SU | B | F(ZICBOM) | F(ZICBOP) | F(ZICBOZ) | F(ZFHMIN) | F(ZIHINTPAUSE) | F(ZKT))
#define ALL (BITS(RISCV_FEATURE_COUNT) & ~(F(RV32) | F(RV64)))
/* The peer's rv64 and rv32. */
#define USUAL \
	(GC | SU | F(SSTC) | F(SVADU) | B | F(ZBC) | F(ZICBOM) | F(ZICBOP) | F(ZICBOZ) | F(ZIHINTPAUSE) | \
	 F(ZIHINTNTL) | F(ZAWRS) | F(ZFA))

const struct riscv_model riscv64_everything = { .features = ALL | F(RV64) };
const struct riscv_model riscv32_everything = { .features = ALL | F(RV32) };
static const struct riscv_model usual64 = { .features = USUAL | F(RV64) },
				usual32 = { .features = USUAL | F(RV32) };
static const struct riscv_model only_i64 = { .features = F(RV64) | F(I) },
				only_i32 = { .features = F(RV32) | F(I) };
static const struct riscv_model rva20 = { .features = F(RV64) | GC | SU };
static const struct riscv_model rva22 = { .features = F(RV64) | RVA22 };
static const struct riscv_model rva22s = { .features = F(RV64) | RVA22 | F(SVPBMT) | F(SVINVAL) };
static const struct riscv_model e51 = { .features = F(RV64) | BASE | F(C) | F(U), .vendor = 0x489 };
static const struct riscv_model u54 = { .features = F(RV64) | GC | SU, .vendor = 0x489 };
static const struct riscv_model shakti = { .features = F(RV64) | GC | SU };
static const struct riscv_model e31 = { .features = F(RV32) | BASE | F(C) | F(U), .vendor = 0x489 };
static const struct riscv_model e34 = { .features = F(RV32) | BASE | F(F) | F(C) | F(U), .vendor = 0x489 };
static const struct riscv_model u34 = { .features = F(RV32) | GC | SU, .vendor = 0x489 };
static const struct riscv_model ibex = { .features = F(RV32) | F(I) | F(M) | F(C) | F(ZICSR) | F(ZIFENCEI) |
						     F(ZICNTR) | F(ZIHPM) | F(U) };

const struct guest_model riscv64_models[] = {
	{ "max", "everything that is implemented", &riscv64_everything },
	{ "any", "the same", &riscv64_everything },
	{ "rv64", "RV64GC with bit manipulation, cache-block operations, Zfa, Zawrs", &usual64 },
	{ "rv64i", "the base instructions alone; extensions by option", &only_i64 },
	{ "rva20u64", "profile RVA20U64", &rva20 },
	{ "rva22u64", "profile RVA22U64", &rva22 },
	{ "rva22s64", "profile RVA22S64", &rva22s },
	{ "sifive-e51", "SiFive E51 (RV64IMAC)", &e51 },
	{ "sifive-u54", "SiFive U54 (RV64GC)", &u54 },
	{ "shakti-c", "Shakti C class (RV64GC)", &shakti },
	{ 0 },
};

const struct guest_model riscv32_models[] = {
	{ "max", "everything that is implemented", &riscv32_everything },
	{ "any", "the same", &riscv32_everything },
	{ "rv32", "RV32GC with bit manipulation, cache-block operations, Zfa, Zawrs", &usual32 },
	{ "rv32i", "the base instructions alone; extensions by option", &only_i32 },
	{ "sifive-e31", "SiFive E31 (RV32IMAC)", &e31 },
	{ "sifive-e34", "SiFive E34 (RV32IMAFC)", &e34 },
	{ "sifive-u34", "SiFive U34 (RV32GC)", &u34 },
	{ "lowrisc-ibex", "lowRISC Ibex (RV32IMC)", &ibex },
	{ 0 },
};

static bool is_mode(unsigned f) /* a privilege, not an extension */
{
	return f == RISCV_S || f == RISCV_U;
}

u32 riscv_misa(const struct riscv_model *m)
{
	u32 bits = 0;
	for (unsigned i = RISCV_I; i < RISCV_FEATURE_COUNT; i++)
		if (!feature[i].name[1] && riscv_model_has(m, i))
			bits |= BIT(feature[i].name[0] - 'a');
	return bits;
}

u64 riscv_hwcap(const struct riscv_model *m)
{
	return riscv_misa(m) & ~(BIT('s' - 'a') | BIT('u' - 'a'));
}

u64 riscv_hwprobe_ext(const struct riscv_model *m)
{
	enum { ZCA = 43, ZCD = 45, ZAAMO = 56, ZALRSC = 57 }; /* parts of others here */
	u64 bits = riscv_model_has(m, RISCV_A) ? BIT(ZAAMO) | BIT(ZALRSC) : 0;
	if (riscv_model_has(m, RISCV_C))
		bits |= BIT(ZCA) | (riscv_model_has(m, RISCV_D) ? BIT(ZCD) : 0);
	for (unsigned i = 0; i < RISCV_FEATURE_COUNT; i++)
		if (feature[i].probe != 0xff && riscv_model_has(m, i))
			bits |= BIT(feature[i].probe);
	return bits;
}

void riscv_isa_string(const struct riscv_model *m, char *buf, size_t size)
{
	struct text o = { buf, size, 0, 0 };
	text_put(&o, riscv_model_has(m, RISCV_RV64) ? "rv64" : "rv32");
	for (unsigned i = RISCV_I; i < RISCV_FEATURE_COUNT; i++)
		if (riscv_model_has(m, i) && !is_mode(i))
			text_fmt(&o, "%s%s", feature[i].name[1] ? "_" : "", feature[i].name);
}

/* What is off takes along what needs it, what is on brings what it needs. */
static u64 closed(u64 features, unsigned changed, bool on)
{
	if (on) {
		for (unsigned i = changed; feature[i].needs != i; i = feature[i].needs)
			features |= BIT(feature[i].needs);
		return features;
	}
	for (unsigned pass = 0; pass < 4; pass++)
		for (unsigned i = 0; i < RISCV_FEATURE_COUNT; i++)
			if (!(features & BIT(feature[i].needs)))
				features &= ~BIT(i);
	return features;
}

/* Names that stand for several extensions. */
static const struct {
	const char *name;
	u64 features;
} sets[] = {
	{ "g", G },
	{ "b", B },
	{ "zkn", F(ZBKB) | F(ZBKC) | F(ZBKX) | F(ZKND) | F(ZKNE) | F(ZKNH) },
	{ "zks", F(ZBKB) | F(ZBKC) | F(ZBKX) | F(ZKSED) | F(ZKSH) },
	{ "Counters", F(ZICNTR) | F(ZIHPM) },
};
/* Known, and not there. */
static const char *const absent[] = { "v",	  "h",	       "e",	"zve32f",   "zve64f",  "zve64d",
				      "zdinx",	  "zfinx",     "zhinx", "zhinxmin", "zkr",     "zabha",
				      "zimop",	  "zcmop",     "zcmp",	"zcmt",	    "zicfilp", "zicfiss",
				      "sscofpmf", "smstateen", "svade", "zicclsm" };

/* Names count in any case: the peer writes some as Zfh. */
static struct err *find(const char *option, u64 *ret_set)
{
	for (unsigned i = 0; i < LEN(sets); i++)
		if (strcasecmp(option, sets[i].name) == 0) {
			*ret_set = sets[i].features;
			return NULL;
		}
	for (unsigned i = RISCV_I; i < RISCV_FEATURE_COUNT; i++)
		if (strcasecmp(option, feature[i].name) == 0) {
			*ret_set = BIT(i);
			return NULL;
		}
	*ret_set = 0;
	for (unsigned i = 0; i < LEN(absent); i++)
		if (strcasecmp(option, absent[i]) == 0)
			return NULL;
	return err_new(ERR_INVALID, "unknown CPU option '%s'", option);
}

struct err *riscv_model_option(const void *model, const char *option, const char *value, void **ret_model)
{
	const struct riscv_model *old = model;
	bool on = !value || strcmp(value, "on") == 0 || strcmp(value, "true") == 0;
	u64 set = 0;
	struct err *e = find(option, &set);
	if (e)
		return e;
	if (!on && strcmp(value, "off") != 0 && strcmp(value, "false") != 0)
		return err_new(ERR_INVALID, "CPU option '%s' is on or off, not '%s'", option, value);
	if (!set && on)
		return err_new(ERR_UNSUPPORTED, "the extension '%s' is not implemented", option);
	if (set & F(I) && !on)
		return err_new(ERR_UNSUPPORTED, "a CPU without the base instructions is not implemented");
	struct riscv_model *m = alloc(sizeof(*m));
	*m = *old;
	m->features = on ? m->features | set : m->features & ~set;
	if (!on)
		m->features = closed(m->features, 0, false);
	for (unsigned i = 0; on && i < RISCV_FEATURE_COUNT; i++)
		if (set & BIT(i))
			m->features = closed(m->features, i, true);
	*ret_model = m;
	return NULL;
}
