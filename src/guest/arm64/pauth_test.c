#include "pauth.c"
#include "base/test.h"

/* The vector of "The QARMA Block Cipher Family" (Avanzi, 2017) for the S-box sigma 2 and five rounds. */
TEST(arm64_pauth, qarma5_gives_the_paper_s_vector)
{
	struct arm64_key key = { .hi = 0x84be85ce9804e94b, .lo = 0xec2802d4e0a488e9 };
	CHECK_EQ(qarma5(0xfb623599da6e8127, 0x477d469dec0b8762, key), 0xc003b93999b33765);
}

static u64 call_helper(const struct ir_helper *h, struct arm64 *a, u64 ptr, u64 modifier, unsigned key)
{
	union ir_val ret = { 0 }, arg[3] = { { .u = ptr }, { .u = modifier }, { .u = key } };
	h->fn(&a->cpu, &ret, arg);
	return ret.u;
}

static void signs_and_checks(const struct arm64_model *model)
{
	static const u64 pointers[] = { 0, 0x1000, 0xffffdeadbeef, 0x5a007fffabcd1230, 0xffff800000001000 };
	struct arm64 a = { .model = model,
			   .apia = { 1, 2 },
			   .apib = { 3, 4 },
			   .apda = { 5, 6 },
			   .apdb = { 0x123456789abcdef0, 0xfedcba9876543210 } };
	unsigned changed = 0;
	for (unsigned key = KEY_IA; key <= KEY_DB; key++)
		for (unsigned i = 0; i < LEN(pointers); i++) {
			u64 s = call_helper(&ir_helper_arm64_pac_sign, &a, pointers[i], i * 16, key);
			changed += s != pointers[i];
			CHECK_EQ(s & ~field_of(s), pointers[i] & ~field_of(s));
			CHECK_EQ(call_helper(&ir_helper_arm64_pac_auth, &a, s, i * 16, key), pointers[i]);
			CHECK_EQ(strip(s), pointers[i]);
			u64 bad = call_helper(&ir_helper_arm64_pac_auth, &a, s ^ BIT(50), i * 16, key);
			CHECK_EQ(bad >> (pointers[i] >> 55 & 1 ? 61 : 53) & 3, key & 1 ? 2 : 1);
			CHECK(bad != pointers[i]);
		}
	CHECK(changed >= 18); /* of 20; a signature may be the plain bits by chance */
	/* signing what is signed already gives something that fails */
	u64 once = call_helper(&ir_helper_arm64_pac_sign, &a, 0x1000, 0, KEY_IA);
	u64 twice = call_helper(&ir_helper_arm64_pac_sign, &a, once, 0, KEY_IA);
	if (once != 0x1000)
		CHECK(call_helper(&ir_helper_arm64_pac_auth, &a, twice, 0, KEY_IA) != 0x1000);
}

TEST(arm64_pauth, what_is_signed_is_accepted_and_what_is_changed_is_not)
{
	static const struct arm64_model architected = { .features = BIT(ARM64_PAUTH) | BIT(ARM64_PACQARMA5) };
	signs_and_checks(&architected);
}
