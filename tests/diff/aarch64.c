/*
 * The differential test's view of AArch64: which random words and registers make a test, and what is compared.
 *
 * Left out: unaligned LDAPR, which the peer allows without FEAT_LSE2; DC CVAP and CVADP, which the peer does not have in user mode; what asks for time, randomness or the CPU model, changes the thread pointer, or is a system call; signatures of pointer
 * authentication (the peer's keys are random), which are signed and authenticated in one test instead; register overlaps that the
 * manual leaves open. docs/dev/differences.md lists what is excused, and why.
 */
#include "diff.h"
#include "guest/arm64/sve.h"
#include <signal.h>

extern const struct guest guest_aarch64;

enum { R_SP = 31, R_NZCV, R_FPCR, R_FPSR, R_V = 40, R_P = 104 /* and FFR */, R_SVCR = 121, R_ZA };
enum { FPSR_COMPARED = 0x0800009f };

static const void *model(void)
{
	static struct arm64_model m;
	m = *(const struct arm64_model *)arm64_models[0].data;
	m.dczid = diff_option("zva") ? (u8)diff_option("zva") : m.dczid;
	if (diff_option("no-sve"))
		m.features &= BITS(ARM64_SVE) | BIT(ARM64_CPUID);
	m.features &= ~(BIT(ARM64_WFXT) | BIT(ARM64_XS) | (diff_option("no-lse2") ? BIT(ARM64_LSE2) : 0));
	return &m;
}

static bool named(const struct insn_pattern *p, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(p->name, *names) == 0)
			return true;
	return false;
}

static bool in_group(const struct insn_group *g, const char *part)
{
	return strstr(g->name, part) != NULL;
}

/* Floating-point bits of a lane size, often special. */
static u64 rnd_float(struct rng *r)
{
	static const u64 f64[] = { 0,
				   0x3ff0000000000000,
				   0x7ff0000000000000,
				   0x7ff8000000000000,
				   0x7ff0000000000001,
				   0x0010000000000000,
				   0x000fffffffffffff,
				   1,
				   0x7fefffffffffffff,
				   0x7ff8000012345678,
				   0x43e0000000000000,
				   0x41e0000000000000,
				   0x3fe0000000000000,
				   0x4000000000000000,
				   0x47efffffe0000000,
				   0x3690000000000000 };
	static const u32 f32[] = { 0,	       0x3f800000, 0x7f800000, 0x7fc00000, 0x7f800001, 0x00800000,
				   0x007fffff, 1,	   0x7f7fffff, 0x7fc12345, 0x5f000000, 0x4f000000,
				   0x3f000000, 0x40000000, 0x477fe000, 0x33800000 };
	static const u16 f16[] = { 0, 0x3c00, 0x7c00, 0x7e00, 0x7c01, 0x0400, 0x03ff,
				   1, 0x7bff, 0x7e12, 0x3800, 0x4000, 0x7800, 0x5bff };
	u64 v = 0;
	switch (below(r, 8)) {
	case 0:
	case 1:
		return f64[below(r, LEN(f64))] | (rnd(r) & BIT(63));
	case 2:
	case 3:
		for (unsigned i = 0; i < 64; i += 32)
			v |= (u64)(f32[below(r, LEN(f32))] | (rnd(r) & BIT(31))) << i;
		return v;
	case 4:
		for (unsigned i = 0; i < 64; i += 16)
			v |= (u64)(f16[below(r, LEN(f16))] | (rnd(r) & BIT(15))) << i;
		return v;
	case 5: /* near each other, so that sums cancel */
		return 0x3ff0000000000000 + (rnd(r) & 0x800fffff800fffff);
	case 6:
		for (unsigned i = 0; i < 64; i += 32)
			v |= (u64)(0x3f800000 + (rnd(r) & 0x81ffffff)) << i;
		return v;
	default:
		return rnd_value(r);
	}
}

static void registers(struct rng *r, struct diff_regs *in)
{
	u64 common = rnd_float(r);
	for (unsigned i = 0; i < 32; i++)
		in->r[i] = rnd_value(r);
	in->r[R_NZCV] = rnd(r) & 0xf0000000;
	in->r[R_FPCR] = one_in(r, 2) ? 0 : rnd(r) & KEY_FPCR;
	in->r[R_FPSR] = one_in(r, 2) ? 0 : rnd(r) & FPSR_COMPARED;
	for (unsigned i = R_V; i < R_V + 64; i++)
		in->r[i] = one_in(r, 10) ? common : one_in(r, 3) ? rnd_value(r) : rnd_float(r);
	if (!arm64_model_has(model(), ARM64_SVE))
		return;
	for (unsigned i = R_P; i < R_P + 16; i++)
		in->r[i] = one_in(r, 8) ? 0xffff : one_in(r, 8) ? 0 : rnd(r) & 0xffff;
	in->r[R_P + 16] = one_in(r, 3)	 ? 0xffff
			  : one_in(r, 3) ? rnd(r) & 0xffff
					 : BITS(below(r, 17)); /* FFR */
	if (!arm64_model_has(model(), ARM64_SME))
		return;
	in->r[R_SVCR] = one_in(r, 16) ? 0 : SVCR_ZA | (one_in(r, 2) ? SVCR_SM : 0);
	for (unsigned i = R_ZA; i < R_ZA + 32; i++) {
		u64 v = one_in(r, 10) ? common : one_in(r, 3) ? rnd_value(r) : rnd_float(r);
		in->r[i] = in->r[R_SVCR] & SVCR_ZA ? v : 0;
	}
}

/* Registers of the word are equal now and then, the zero register or SP more often than by chance. */
static u32 bias_registers(const struct insn_pattern *p, struct rng *r, u32 word)
{
	static const char *const names[] = { "Rd", "Rn", "Rm", "Rt", "Rt2", "Rs", "Ra", "Zn", "Zm" };
	u32 one = (u32)below(r, 32);
	for (unsigned i = 0; i < LEN(names); i++) {
		if (one_in(r, 12))
			word = field_set(p, names[i], word, 31);
		else if (one_in(r, 6))
			word = field_set(p, names[i], word, one);
	}
	return word;
}

static u64 data_addr(struct rng *r)
{
	u64 addr = DIFF_DATA + DIFF_DATA_SIZE / 2 + below(r, 64) * 16 - 512;
	return one_in(r, 4) ? addr + below(r, 16) : addr;
}

/* Near one of the ends of the scratch memory, of which there is none behind; on both sides of it. */
static u64 edge_addr(struct rng *r)
{
	return DIFF_DATA + (one_in(r, 3) ? 0 : DIFF_DATA_SIZE) + below(r, 32) - below(r, 64);
}

/* An element of offsets or addresses for SVE: most small, some wild. */
static u64 offset_element(struct rng *r, bool is_address, bool is_signed, u64 near)
{
	u64 wild = one_in(r, 30) ? ((rnd(r) & 0xff) | 1) << 48 : 0; /* not a tag alone, when it is scaled */
	if (is_address)
		return wild + (one_in(r, 8) ? edge_addr(r) : data_addr(r) - near);
	return wild + (u64)((i64)below(r, 128) - (is_signed && one_in(r, 2) ? 128 : 0));
}

/* SVE: a base register or a vector of addresses, offsets, a predicate with all, some or the first elements. */
static bool sve_memory_test(const struct insn_pattern *p, struct rng *r, struct diff_test *test, u32 word)
{
	bool is_vector = field_has(p, "Zn");
	u32 z = field_get(p, is_vector ? "Zn" : "Zm", word), rm = field_get(p, "Rm", word),
	    rn = field_get(p, "Rn", word);
	unsigned lane = strstr(p->name, "_s") && strcmp(p->name, "ld1_64_scaled") != 0 ? 32 : 64;
	unsigned low = strstr(p->name, "x32") ? 32 : 64; /* what of an element counts */
	bool is_signed = low == 64 || field_get(p, "xs", word);
	/* The peer aborts ("sve_ldN_r: code should not be reached") where a structure, an element, or a slice of ZA lies in two pages and one is not there. */
	bool any_edge = diff_option("structure-edges");
	bool edge = (p->name[2] != 'n' && strncmp(p->name, "ld1rq", 5) != 0 &&
		     strcmp(p->name, "ld1_za") != 0 && strcmp(p->name, "st1_za") != 0) ||
		    any_edge;
	/* It gives up at the end of a page where it need not fault: not near the middle of the scratch memory. */
	u64 near =
	    field_get(p, "ff", word) || strncmp(p->name, "ldff", 4) == 0 || strncmp(p->name, "ldnf", 4) == 0
		? 2048
		: 0;
	for (unsigned at = 0; (is_vector || field_has(p, "Zm")) && at < 128; at += lane) {
		u64 v = offset_element(r, is_vector, is_signed, near),
		    *to = &test->in.r[R_V + 2 * z + at / 64];
		if (lane == 32)
			*to = at % 64 ? (u32)*to | v << 32 : (u32)v;
		else
			*to = low == 32 ? (u32)v | rnd(r) << 32 : v;
	}
	if (!edge && field_has(p, "Rm") && rm == rn)
		return false; /* somewhere */
	if (field_has(p, "Rm") && rm != 31)
		test->in.r[rm] = (u64)((i64)rnd(r) >> 57);
	if (field_has(p, "Rn"))
		test->in.r[rn] =
		    edge && one_in(r, 4) ? edge_addr(r) & (any_edge ? ~0ull : ~7ull) : data_addr(r) - near;
	if (one_in(r, 3))
		test->in.r[R_P + field_get(p, "Pg", word)] = one_in(r, 2) ? 0xffff : BITS(below(r, 17));
	return true;
}

static bool memory_test(const struct insn_group *g, const struct insn_pattern *p, struct rng *r,
			struct diff_test *test, u32 *word)
{
	bool general = !in_group(g, "simd") && !in_group(g, "fp");
	if (!one_in(r, 10)) {
		u32 small = (u32)below(r, 64);
		*word = field_set(p, "imm", *word,
				  one_in(r, 2) && field_get(p, "imm", ~0u) != 0xfff ? (u32)-small : small);
	}
	u32 rn = field_get(p, "Rn", *word), rt = field_get(p, "Rt", *word), rt2 = field_get(p, "Rt2", *word),
	    rs = field_get(p, "Rs", *word);
	if (general && field_has(p, "Rn") && rn != 31 && (rn == rt || (field_has(p, "Rt2") && rn == rt2)) &&
	    strstr(p->name, "_p"))
		return false;
	if (field_has(p, "Rt2") && rt == rt2 && p->name[0] == 'l')
		return false;
	if (field_has(p, "Rm")) {
		u64 index = (u64)((i64)rnd(r) >> (56 + below(r, 3)));
		if (one_in(r, 2))
			index = (u32)index | rnd(r) << 32;
		if (field_get(p, "Rm", *word) != 31)
			test->in.r[field_get(p, "Rm", *word)] = index;
	}
	if (field_has(p, "Rn"))
		test->in.r[rn] = strcmp(p->name, "ldapr") == 0 ? data_addr(r) & ~15ull : data_addr(r);
	if (strcmp(p->name, "stxr") == 0 || strcmp(p->name, "stxp") == 0) {
		bool is_pair = p->name[3] == 'p';
		if (rs == rt || (rs == rn && rn != 31) || (is_pair && rs == rt2))
			return false;
		u32 load =
		    (*word & 0xffe07c00) | 1 << 22 | 31 << 16 | 31 << 10; /* LDXR or LDXP of the same kind */
		u32 a = (rn + 1) % 31, b = (rn + 2) % 31;
		load = (load & ~0x7c00u) | (is_pair ? b : 31) << 10 | rn << 5 | a;
		test->word[test->n_words++] = load & ~(1u << 15);
	}
	return true;
}

/* PACIA and relations: the signing instruction for a key and a modifier register, or PACIZA's like for zero. */
static u32 sign_word(unsigned key, bool zero, u32 rn, u32 rd)
{
	return (zero ? 0xdac123e0 : 0xdac10000 | rn << 5) | key << 10 | rd;
}

/*
 * A signed pointer depends on the keys, so each test signs one first and lets the instruction authenticate it: what comes back,
 * where it goes or what it loads can be compared.
 */
static bool auth_test(const struct insn_pattern *p, struct rng *r, struct diff_test *test, u32 *word)
{
	static const struct {
		const char *name;
		u8 reg; /* the pointer's: 0 of Rd, 1 of Rn, else its number */
		u8 modifier; /* 0 Rn, 1 Rm, 2 zero, 3 SP, 4 by the field sp, else its number */
		u8 to; /* 0 anything, 1 code, 2 data */
	} way[] = {
		{ "aut", 0, 0, 0 },   { "autz", 0, 2, 0 }, { "aut_1716", 17, 16, 0 }, { "aut_lr", 30, 4, 0 },
		{ "braz", 1, 2, 1 },  { "bra", 1, 1, 1 },  { "blraz", 1, 2, 1 },      { "blra", 1, 1, 1 },
		{ "reta", 30, 3, 1 }, { "ldra", 1, 2, 2 },
	};
	for (unsigned i = 0; i < LEN(way); i++) {
		if (strcmp(p->name, way[i].name) != 0)
			continue;
		u32 rd = field_get(p, "Rd", *word), rn = field_get(p, "Rn", *word),
		    rm = field_get(p, "Rm", *word);
		u32 reg = way[i].reg == 0 ? rd : way[i].reg == 1 ? rn : way[i].reg;
		u32 modifier = way[i].modifier == 0   ? rn
			       : way[i].modifier == 1 ? rm
			       : way[i].modifier == 3 ? 31
						      : way[i].modifier;
		bool zero = way[i].modifier == 2 || (way[i].modifier == 4 && !field_get(p, "sp", *word));
		if (way[i].modifier == 4)
			modifier = 31;
		unsigned key = field_get(p, "key", *word);
		if (way[i].to == 2)
			key += 2; /* DA, DB */
		if (reg == 31 || (!zero && reg == modifier) ||
		    (way[i].to == 2 && field_get(p, "Rt", *word) == rn))
			return false;
		if (way[i].to == 0)
			test->in.r[reg] =
			    one_in(r, 2) ? test->in.r[reg] << 16 >> 16 : test->in.r[reg] | 0xffffull << 48;
		else if (way[i].to == 1)
			test->in.r[reg] = DIFF_CODE + below(r, 16) * 4;
		else
			test->in.r[reg] = data_addr(r);
		test->word[test->n_words++] = sign_word(key, zero, modifier, reg);
		return true;
	}
	return strncmp(p->name, "xpac", 4) == 0;
}

/* Whether the results are the same but for signatures that stay in registers. */
static bool same_but_signatures(const struct diff_result *a, const struct diff_result *b)
{
	for (unsigned i = 0; i < DIFF_REGS; i++) {
		u64 x = a->out.r[i], y = b->out.r[i];
		if (x != y && (i > 31 || (x ^ y) & BITS(48)))
			return false;
	}
	return a->pc == b->pc && a->signal == b->signal && a->memory == b->memory;
}

static bool system_test(const struct insn_pattern *p, struct rng *r, struct diff_test *test, u32 *word)
{
	static const u16 readable[] = { 0x5a10, 0x5a20, 0x5a21 }; /* NZCV, FPCR, FPSR */
	static const u16 writable[] = { 0x5a10, 0x5a20, 0x5a21, 0x5a15, 0x5a16 }; /* and DIT, SSBS */
	static const char *const caches[] = { "dc_zva",	  "dc_cvac",  "dc_cvau", "dc_cvap",
					      "dc_cvadp", "dc_civac", "ic_ivau", NULL };
	if (strcmp(p->name, "hint") == 0) { /* not where pointer authentication has its own */
		u32 n = field_get(p, "n", *word);
		return n != 7 && n >> 3 != 1 && n >> 3 != 3;
	}
	if (strcmp(p->name, "mrs") == 0)
		*word = field_set(p, "reg", *word, readable[below(r, LEN(readable))]);
	if (strcmp(p->name, "msr") == 0)
		*word = field_set(p, "reg", *word, writable[below(r, LEN(writable))]);
	if (named(p, caches)) {
		if (field_get(p, "Rt", *word) == 31)
			return false;
		test->in.r[field_get(p, "Rt", *word)] = data_addr(r);
	}
	return true;
}

/* Elements of a vector as small numbers, of either sign or (mask) none. */
static void small_elements(struct rng *r, struct diff_test *test, u32 reg, unsigned size, u64 mask)
{
	unsigned bits = 8u << size;
	for (unsigned at = 0; at < 128; at += bits) {
		u64 *v = &test->in.r[R_V + 2 * reg + at / 64], keep = ~0ull >> (64 - bits);
		u64 element = mask ? rnd(r) & mask : below(r, 48) - 24;
		*v = (*v & ~(keep << at % 64)) | (element & keep) << at % 64;
	}
}

/* Numbers near each other where these decide: counters of loops, comparisons, indices of tables. */
static void sve_near(const struct insn_group *g, const struct insn_pattern *p, struct rng *r,
		     struct diff_test *test, u32 word)
{
	u32 rn = field_get(p, "Rn", word), rm = field_get(p, "Rm", word), size = field_get(p, "size", word);
	if (in_group(g, "sve_while") && rn != 31 && rm != 31) {
		static const u64 ends[] = { 0, ~0ull, BIT(63), BITS(63), BITS(31), BIT(31), BITS(32) };
		if (one_in(r, 3))
			test->in.r[one_in(r, 2) ? rn : rm] = ends[below(r, LEN(ends))];
		if (one_in(r, 2))
			test->in.r[rn] = test->in.r[rm] + below(r, 40) - 20;
	} else if (in_group(g, "sve_compare") && one_in(r, 2)) {
		small_elements(r, test, rn, size, 0);
		if (field_has(p, "Rm"))
			small_elements(r, test, rm, strstr(p->name, "_zw") ? 3 : size, 0);
	} else if (strncmp(p->name, "tb", 2) == 0 && in_group(g, "sve_permute") && one_in(r, 2)) {
		small_elements(r, test, rm, size, 63 >> size);
	}
}

static bool make(const struct insn_group *g, const struct insn_pattern *p, const void *cpu_model,
		 struct rng *r, struct diff_test *test)
{
	static const char *const never[] = { "svc", "wfxt", "dsb_nxs", "dc_cvap", "dc_cvadp", NULL };
	struct tr t = { .model = cpu_model };
	if (named(p, never) ||
	    (p->feature >= 0 && !arm64_model_has(cpu_model, (enum arm64_feature)p->feature)))
		return false;
	for (unsigned tries = 0; tries < 200; tries++) {
		u32 word = p->value | ((u32)rnd(r) & ~p->mask);
		word = bias_registers(p, r, word);
		test->n_words = 0;
		registers(r, &test->in);
		t.key =
		    (test->in.r[R_SVCR] & SVCR_SM ? KEY_SM : 0) | (test->in.r[R_SVCR] & SVCR_ZA ? KEY_ZA : 0);
		bool ok = true;
		sve_near(g, p, r, test, word);
		if (in_group(g, "sve_ldst") || in_group(g, "sve_gather") || in_group(g, "sme_ldst"))
			ok = sve_memory_test(p, r, test, word);
		else if (in_group(g, "ldst") || in_group(g, "atomic"))
			ok = memory_test(g, p, r, test, &word);
		else if (in_group(g, "pauth"))
			ok = auth_test(p, r, test, &word);
		else if (in_group(g, "system"))
			ok = system_test(p, r, test, &word);
		else if (in_group(g, "branch") && strcmp(p->name, "udf") != 0 && strcmp(p->name, "brk") != 0)
			word = field_set(p, "imm", word, (u32)below(r, 50) - 25 + (word & 1));
		if (in_group(g, "branch") && field_has(p, "imm") && field_get(p, "imm", word) == 0)
			ok = false; /* for ever */
		if (strcmp(p->name, "br") == 0 || strcmp(p->name, "blr") == 0 ||
		    strcmp(p->name, "ret") == 0) {
			u32 rn = field_get(p, "Rn", word);
			ok = rn != 31;
			if (ok)
				test->in.r[rn] = DIFF_CODE + below(r, 16) * 4; /* traps */
		}
		if (strstr(p->name, "_lit"))
			word = field_set(p, "imm", word, (u32)below(r, 60) - 30);
		int n = g->find(&t, word);
		if (!ok || n < 0 || &g->patterns[n] != p)
			continue;
		test->word[test->n_words++] = word;
		return true;
	}
	return false;
}

static void load(struct cpu *cpu, const struct diff_regs *in)
{
	struct arm64 *a = (struct arm64 *)cpu;
	for (unsigned i = 0; i < 31; i++)
		a->x[i] = in->r[i];
	a->sp = in->r[R_SP];
	a->nzcv = (u32)in->r[R_NZCV];
	arm64_set_fpcr(a, (u32)in->r[R_FPCR]);
	arm64_set_svcr(a, 0);
	arm64_set_svcr(a, (u32)in->r[R_SVCR]);
	arm64_set_fpsr(a, (u32)in->r[R_FPSR]);
	memcpy(a->v, &in->r[R_V], sizeof(a->v));
	for (unsigned i = 0; i < 17; i++)
		arm64_set_pred(&a->p[i], (u16)in->r[R_P + i]);
	memcpy(a->za, &in->r[R_ZA], sizeof(a->za));
}

static void save(const struct cpu *cpu, struct diff_regs *out)
{
	const struct arm64 *a = (const struct arm64 *)cpu;
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < 31; i++)
		out->r[i] = a->x[i];
	out->r[R_SP] = a->sp;
	out->r[R_NZCV] = a->nzcv;
	out->r[R_FPCR] = a->fpcr;
	out->r[R_FPSR] = arm64_fpsr(a);
	memcpy(&out->r[R_V], a->v, sizeof(a->v));
	for (unsigned i = 0; i < 17; i++)
		out->r[R_P + i] = arm64_pred(&a->p[i]);
	out->r[R_SVCR] = a->svcr;
	memcpy(&out->r[R_ZA], a->za, sizeof(a->za));
}

static void mask(struct diff_regs *regs)
{
	regs->r[R_FPCR] &= KEY_FPCR;
	regs->r[R_FPSR] &= FPSR_COMPARED;
	regs->r[R_NZCV] &= 0xf0000000;
}

/* Is a lane of this vector register the smallest normal number of its format, of either sign? */
static bool has_least_normal(const struct diff_regs *regs, u32 n)
{
	static const struct {
		unsigned bits;
		u64 number;
	} format[] = { { 16, 0x0400 }, { 32, 0x00800000 }, { 64, 0x0010000000000000 } };
	for (unsigned i = 0; i < LEN(format); i++)
		for (unsigned at = 0; at < 128; at += format[i].bits) {
			u64 lane = regs->r[R_V + 2 * n + at / 64] >> at % 64;
			if ((lane & BITS(format[i].bits - 1)) == format[i].number)
				return true;
		}
	return false;
}

/* Only FPSR differs, and there only UFC, which the other side has not. */
static bool only_underflow(const struct diff_result *ours, const struct diff_result *theirs)
{
	struct diff_regs a = ours->out, b = theirs->out;
	bool more = (a.r[R_FPSR] ^ b.r[R_FPSR]) == FP_UNDERFLOW && a.r[R_FPSR] & FP_UNDERFLOW;
	a.r[R_FPSR] = b.r[R_FPSR] = 0;
	return more && !memcmp(&a, &b, sizeof(a)) && ours->pc == theirs->pc &&
	       ours->signal == theirs->signal && ours->memory == theirs->memory;
}

/* Only FPSR differs, and there only what tells of flushed and tiny numbers. */
static bool only_flushed(const struct diff_result *ours, const struct diff_result *theirs)
{
	struct diff_regs a = ours->out, b = theirs->out;
	bool more = !((a.r[R_FPSR] ^ b.r[R_FPSR]) & ~(u64)(FPSR_IDC | FP_UNDERFLOW | FP_INEXACT));
	a.r[R_FPSR] = b.r[R_FPSR] = 0;
	return more && !memcmp(&a, &b, sizeof(a)) && ours->pc == theirs->pc &&
	       ours->signal == theirs->signal && ours->memory == theirs->memory;
}

/* Where the peer's ZA is not what the manual says; nothing else may differ. */
static const char *excuse_za(const struct insn_pattern *p, u32 word, const struct diff_test *test,
			     const struct diff_result *ours, const struct diff_result *theirs)
{
	struct diff_regs a = ours->out, b = theirs->out;
	const u8 *our = (const u8 *)&a.r[R_ZA], *their = (const u8 *)&b.r[R_ZA],
		 *before = (const u8 *)&test->in.r[R_ZA];
	bool cleared = true, kept = true; /* what differs: zero here and as it was there; as it was here */
	for (unsigned i = 0; i < 256; i++) {
		if (our[i] == their[i])
			continue;
		cleared = cleared && !our[i] && their[i] == before[i];
		kept = kept && our[i] == before[i];
	}
	memcpy(&a.r[R_ZA], &b.r[R_ZA], 256);
	if (!diff_option("no-lse2") || memcmp(&a, &b, sizeof(a)) || ours->pc != theirs->pc ||
	    ours->signal != theirs->signal || ours->memory != theirs->memory)
		return NULL;
	if (strcmp(p->name, "mopa_b") == 0)
		return "SMOPA: four products of bytes in an element of 32 bits";
	if (strncmp(p->name, "ld1_za", 6) == 0 && field_get(p, "V", word) && cleared)
		return "LD1B (vertical slice): every inactive element is set to zero";
	if (strcmp(p->name, "ldr_za") == 0 && ours->signal && kept)
		return "LDR (ZA): the row is written when all of it is read";
	return NULL;
}

/* Only vector register rd differs, from byte first on. */
static bool only_vector(const struct diff_result *ours, const struct diff_result *theirs, u32 rd,
			unsigned first)
{
	struct diff_regs a = ours->out, b = theirs->out;
	bool same = !memcmp(&a.r[R_V + 2 * rd], &b.r[R_V + 2 * rd], first);
	memcpy(&a.r[R_V + 2 * rd], &b.r[R_V + 2 * rd], 16);
	return same && !memcmp(&a, &b, sizeof(a)) && ours->pc == theirs->pc &&
	       ours->signal == theirs->signal && ours->memory == theirs->memory;
}

/* Loads of which not every element faults: what they left in elements that FFR does not vouch for, and what the peer leaves out. */
static const char *excuse_unfaulting(const struct insn_pattern *p, u32 word, const struct diff_test *test,
				     const struct diff_result *ours, const struct diff_result *theirs)
{
	bool contiguous = strcmp(p->name, "ldff1_br") == 0 || strcmp(p->name, "ldnf1_bi") == 0;
	u32 rd = field_get(p, "Rd", word), known = 0;
	const u64 *v = &theirs->out.r[R_V + 2 * rd], ffr = theirs->out.r[R_P + 16];
	struct diff_result mine = *ours;
	while (known < 16 && ffr >> known & 1)
		known++;
	if (!contiguous && !field_get(p, "ff", word))
		return NULL;
	if (!(ffr & ~mine.out.r[R_P + 16])) /* it may give up wherever it likes */
		mine.out.r[R_P + 16] = ffr;
	if (only_vector(&mine, theirs, rd, known))
		return "Unpredictable_SVELDNFDATA: an element whose bit of FFR is false may be zero";
	if (contiguous && !(test->in.r[R_P + field_get(p, "Pg", word)] & 1) && !v[0] && !v[1] &&
	    only_vector(&mine, theirs, rd, 0))
		return "LDFF1, LDNF1: active elements are loaded where the first one is not active too";
	return NULL;
}

/* WHILEWR, WHILERW: the addresses differ by less than an element. */
static bool within_element(const struct insn_pattern *p, const struct diff_test *test, u32 word)
{
	u32 rn = field_get(p, "Rn", word), rm = field_get(p, "Rm", word);
	u64 n = rn == 31 ? 0 : test->in.r[rn], m = rm == 31 ? 0 : test->in.r[rm];
	return (n < m ? m - n : n - m) >> field_get(p, "size", word) == 0;
}

static const char *excuse(const struct insn_pattern *p, const struct diff_test *test,
			  const struct diff_result *ours, const struct diff_result *theirs)
{
	u32 word = test->word[test->n_words - 1];
	if (strcmp(p->name, "fjcvtzs") == 0 && test->in.r[R_FPCR] & FPCR_FZ)
		return "FPToFixedJS: a flushed denormal is not exact, Z is clear";
	if (strcmp(p->name, "fcvtzs_is") == 0 && field_get(p, "imm", word) >> 4 == 1)
		return "a scalar result of 16 bits is zero-extended";
	if (test->n_words > 1 && (test->word[0] & 0xffffc000) == 0xdac10000 &&
	    same_but_signatures(ours, theirs))
		return "signatures depend on the keys";
	if ((strcmp(p->name, "whilewr") == 0 || strcmp(p->name, "whilerw") == 0) &&
	    within_element(p, test, word))
		return "WHILEWR, WHILERW: a distance of less than an element is 0, every element is true";
	if (diff_option("after-rounding") && only_underflow(ours, theirs) &&
	    has_least_normal(&theirs->out, field_get(p, "Rd", word)))
		return "FPRound: tiny before rounding, rounded up to the least normal number";
	if (diff_option("after-rounding") && test->in.r[R_FPCR] & FPCR_FZ && only_flushed(ours, theirs))
		return "FPSR has not been read while FPCR.FZ was set: its IDC, UFC and IXC are the host's";
	if (strcmp(p->name, "ldr_z") == 0 && theirs->signal == SIGSEGV &&
	    only_vector(ours, theirs, field_get(p, "Rd", word), 0))
		return "LDR (vector) whose second half faults: the peer has written the first";
	const char *why = excuse_unfaulting(p, word, test, ours, theirs);
	return why ? why : excuse_za(p, word, test, ours, theirs);
}

static const char *reg_name(unsigned i, char buf[16])
{
	static const char *const name[] = { "sp", "nzcv", "fpcr", "fpsr" };
	struct text o = { buf, 16, 0, 0 };
	text_put(&o, "");
	if (i < 31)
		text_fmt(&o, "x%u", i);
	else if (i <= R_FPSR)
		text_put(&o, name[i - R_SP]);
	else if (i >= R_V && i < R_V + 64)
		text_fmt(&o, "v%u%c", (i - R_V) / 2, "lh"[i & 1]);
	else if (i >= R_P && i < R_P + 16)
		text_fmt(&o, "p%u", i - R_P);
	else if (i == R_P + 16 || i == R_SVCR)
		text_put(&o, i == R_SVCR ? "svcr" : "ffr");
	else if (i >= R_ZA && i < R_ZA + 32)
		text_fmt(&o, "za%u%c", (i - R_ZA) / 2, "lh"[i & 1]);
	else
		return NULL;
	return buf;
}

const struct diff_guest diff_aarch64 = {
	.name = "aarch64",
	.guest = &guest_aarch64,
	.groups = arm64_groups,
	.trap = 0xd4200000,
	.model = model,
	.make = make,
	.load = load,
	.save = save,
	.mask = mask,
	.excuse = excuse,
	.reg_name = reg_name,
};
