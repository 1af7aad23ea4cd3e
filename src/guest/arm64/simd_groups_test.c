#include "simd_groups.c"
#include "base/err.h"
#include "one_insn.h"
#include <stdio.h>

#include "simd_cases.h"

/* Pattern, hash of its cases' outcomes. */
struct vector {
	const char *name;
	u64 hash;
};
#include "simd_vectors.inc"

static const struct vector *vector_of(const char *name)
{
	for (size_t i = 0; i < LEN(vectors); i++)
		if (strcmp(vectors[i].name, name) == 0)
			return &vectors[i];
	return NULL;
}

static void run_case(struct ir_region *ir, const struct simd_case *c, struct simd_outcome *out)
{
	static struct arm64 a;
	memset(&a, 0, sizeof(a));
	a.nzcv = (u32)CASE_NZCV << 28;
	for (unsigned i = 0; i < 32; i++)
		memcpy(&a.v[i], c->in[i & 3], 16);
	for (unsigned i = 0; i < 31; i++)
		a.x[i] = c->in[i & 3][0];
	one_insn(ir, c->insn, c->fpcr);
	ir_run(ir, &a.cpu);
	*out = (struct simd_outcome){ { a.v[0].d[0], a.v[0].d[1] }, a.x[0], a.nzcv >> 28, arm64_fpsr(&a) };
}

static const struct insn_group *const groups[] = {
#define _(name) &arm64_##name,
	ARM64_SIMD_GROUPS(_)
#undef _
};

TEST(arm64_simd, gives_what_the_vectors_say)
{
	struct ir_region *ir = ir_new(guest_aarch64.slots, TY_I64);
	for (unsigned i = 0; i < LEN(groups); i++)
		for (u32 n = 0;
		     n < groups[i]->n && groups[i] != &arm64_ldst_simd && groups[i] != &arm64_ldst_struct;
		     n++) {
			const char *name = groups[i]->patterns[n].name;
			const struct vector *v = vector_of(name);
			u64 state = case_seed(name), hash = 0;
			for (unsigned k = 0; k < CASES; k++) {
				struct simd_case c;
				struct simd_outcome out;
				case_next(&state, groups[i], n, &c);
				run_case(ir, &c, &out);
				hash = case_hash(hash, &out);
			}
			if (UNLIKELY(!v) || v->hash != hash)
				test_fail(__FILE__, __LINE__, "%s: 0x%016llx is %s", name,
					  (unsigned long long)hash,
					  v ? "not what it was" : "not in simd_vectors.inc");
		}
	ir_free(ir);
}

static u32 next(u32 *x)
{
	*x = *x * 1664525u + 1013904223u;
	return (*x >> 16 | *x << 16) * 2654435761u;
}

/* A word of the pattern that no other condition refuses; 0: none was met. */
static u32 word_of(const struct insn_group *g, u32 n, u32 *x)
{
	const struct insn_pattern *p = &g->patterns[n];
	for (unsigned tries = 0; tries < 5000; tries++) {
		u32 word = (next(x) & ~p->mask) | p->value;
		if (g->find(NULL, word) == (int)n)
			return word;
	}
	return 0;
}

TEST(arm64_simd, finds_the_group_of_every_pattern_and_makes_valid_code)
{
	u32 x = 1;
	struct ir_region *ir = ir_new(guest_aarch64.slots, TY_I64);
	for (unsigned i = 0; i < LEN(groups); i++) {
		const struct insn_group *g = groups[i];
		for (u32 n = 0; n < g->n; n++) {
			for (unsigned again = 0; again < 8; again++) {
				u32 word = word_of(g, n, &x);
				const struct insn_group *const *c = arm64_simd_candidates(word);
				while (*c && (*c)->find(NULL, word) < 0)
					c++;
				if (!word || *c != g)
					test_fail(__FILE__, __LINE__, "%s %s: %08x is taken for %s", g->name,
						  g->patterns[n].name, word, *c ? (*c)->name : "nothing");
				one_insn(ir, word, 0);
				struct err *e = ir_verify(ir);
				if (e)
					test_fail(__FILE__, __LINE__, "%s %08x: %s", g->patterns[n].name,
						  word, err_text(e));
				err_free(e);
			}
		}
	}
	ir_free(ir);
}

TEST(arm64_simd, leaves_reserved_encodings_undefined)
{
	static const u32 reserved[] = {
		0x0ee18400, /* add v0.1d */
		0x2e20dc00 + 0x00400000, /* fmul v0.1d */
		0x4ee09c00, /* mul v0.2d */
		0x1ea22820, /* fadd of ftype 2 */
	};
	for (unsigned i = 0; i < LEN(reserved); i++) {
		char buf[64];
		u8 code[4];
		u32 len;
		st_le32(code, reserved[i]);
		CHECK(strncmp(guest_aarch64.text(code, 4, 0, 0, buf, sizeof(buf), &len), ".inst", 5) == 0);
	}
}

/* A model without a feature does not have its instructions. */
TEST(arm64_simd, asks_the_model_for_features)
{
	static const struct {
		u32 insn;
		enum arm64_feature feature;
	} v[] = {
		{ 0x1ee22820, ARM64_FP16 },    { 0x0e421420, ARM64_FP16 }, { 0x4e284820, ARM64_AES },
		{ 0x0ee2e020, ARM64_PMULL },   { 0x5e020020, ARM64_SHA1 }, { 0x5e024020, ARM64_SHA256 },
		{ 0xce628020, ARM64_SHA512 },  { 0xce020c20, ARM64_SHA3 }, { 0xce62c020, ARM64_SM3 },
		{ 0xcec08420, ARM64_SM4 },     { 0x2e828420, ARM64_RDM },  { 0x0e829420, ARM64_DOTPROD },
		{ 0x0e22ec20, ARM64_FHM },     { 0x6e82c420, ARM64_FCMA }, { 0x1e7e0020, ARM64_JSCVT },
		{ 0x1e284020, ARM64_FRINTTS }, { 0x1e634020, ARM64_BF16 }, { 0x4e82a420, ARM64_I8MM },
	};
	struct ir_region *ir = ir_new(guest_aarch64.slots, TY_I64);
	for (unsigned i = 0; i < LEN(v); i++)
		for (unsigned has = 0; has < 2; has++) {
			struct arm64_model m = { .features = has ? BIT(v[i].feature) : ~BIT(v[i].feature) };
			u8 code[4];
			st_le32(code, v[i].insn);
			ir_reset(ir);
			struct tr t = { .ir = ir,
					.guest = &guest_aarch64,
					.model = &m,
					.pc = 0x1000,
					.code = code,
					.avail = 4 };
			guest_aarch64.begin(&t);
			if ((guest_aarch64.insn(&t) == INSN_OK) != has)
				test_fail(__FILE__, __LINE__, "%08x %s the feature", v[i].insn,
					  has ? "refused with" : "accepted without");
		}
	ir_free(ir);
}
