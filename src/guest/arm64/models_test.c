#include "models.c"
#include "base/test.h"

static const struct arm64_model *named(const char *name)
{
	for (const struct guest_model *m = arm64_models; m->name; m++)
		if (strcmp(m->name, name) == 0)
			return m->data;
	return NULL;
}

/* Read on Linux under the peer's model of the part (mrs in a program). */
TEST(arm64_models, parts_identify_themselves_as_they_do_elsewhere)
{
	static const struct {
		const char *name;
		u64 midr, pfr0, isar0, isar1, hwcap;
	} v[] = {
		{ "cortex-a53", 0x410fd034, 0x11, 0x11120, 0, 0x8fb },
		{ "cortex-a57", 0x411fd070, 0x11, 0x11120, 0, 0x8fb },
		{ "cortex-a72", 0x410fd083, 0x11, 0x11120, 0, 0x8fb },
		{ "cortex-a76", 0x414fd0b1, 0x110011, 0x100010211120, 0x100001, 0x10119ffb },
		{ "neoverse-n1", 0x414fd0c1, 0x110011, 0x100010211120, 0x100001, 0x10119ffb },
	};
	for (unsigned i = 0; i < LEN(v); i++) {
		const struct arm64_model *m = named(v[i].name);
		u64 cap2;
		CHECK_EQ(m->midr, v[i].midr);
		CHECK_EQ(arm64_id_register(m, ID_PFR0), v[i].pfr0);
		CHECK_EQ(arm64_id_register(m, ID_ISAR0), v[i].isar0);
		CHECK_EQ(arm64_id_register(m, ID_ISAR1), v[i].isar1);
		CHECK_EQ(arm64_id_register(m, ID_MMFR0), 0xff000000);
		CHECK_EQ(arm64_hwcap(m, &cap2), v[i].hwcap);
		CHECK_EQ(cap2, 0);
	}
}

TEST(arm64_models, nothing_of_mte_is_advertised)
{
	const struct arm64_model *m = named("max");
	u64 cap2, cap = arm64_hwcap(m, &cap2);
	CHECK(cap);
	CHECK_EQ(cap2 & BIT(18), 0);
	CHECK_EQ(arm64_id_register(m, ID_PFR1) >> 8 & 15, 0);
}

TEST(arm64_models, options_change_pointer_authentication_and_refuse_the_rest)
{
	const struct arm64_model *m = named("max");
	void *new = NULL;
	struct err *e = arm64_model_option(m, "pauth-impdef", "off", &new);
	CHECK(!e && arm64_model_has(new, ARM64_PACQARMA5) && !arm64_model_has(new, ARM64_PACIMP));
	CHECK_EQ(arm64_id_register(new, ID_ISAR1) >> 4 & 0xff, 0x01);
	free(new);
	e = arm64_model_option(m, "pauth", "off", &new);
	CHECK(!e && !arm64_model_has(new, ARM64_PAUTH));
	u64 cap2;
	CHECK_EQ(arm64_hwcap(new, &cap2) >> 30 & 3, 0);
	free(new);
	static const char *const bad[][2] = { { "sve-max-vq", "2" }, { "sve256", "on" }, { "sme-default-vector-length", "32" }, { "pauth", "maybe" }, { "no-such", "on" } };
	for (unsigned i = 0; i < LEN(bad); i++) {
		e = arm64_model_option(m, bad[i][0], bad[i][1], &new);
		CHECK(e);
		err_free(e);
	}
	e = arm64_model_option(named("cortex-a53"), "pauth-impdef", "on", &new);
	CHECK(e);
	err_free(e);
}
