#include "sve_streaming.c"
#include "base/test.h"

/* PSEL, REVD, SCLAMP, UCLAMP. */
static const u32 words[] = { 0x25307942, 0x052e8020, 0x4402c020, 0x4402c420 };

TEST(arm64_sve_streaming, is_of_streaming_mode_and_sme_alone)
{
	static const struct arm64_model with = { .features =
						     BIT(ARM64_SVE) | BIT(ARM64_SVE2) | BIT(ARM64_SME) };
	static const struct arm64_model without = { .features = BIT(ARM64_SVE) | BIT(ARM64_SVE2) };
	for (unsigned i = 0; i < LEN(words); i++) {
		struct tr t = { .model = &with, .key = KEY_ZA };
		CHECK(arm64_sve_streaming.find(&t, words[i]) < 0);
		t.key = KEY_SM;
		CHECK(arm64_sve_streaming.find(&t, words[i]) >= 0);
		t.model = &without;
		CHECK(arm64_sve_streaming.find(&t, words[i]) < 0);
	}
}
