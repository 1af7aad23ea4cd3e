/*
 * Arm CPU models: features, identification registers, HWCAP bits.
 *
 * MIDR, CTR and DCZID are those of the parts' technical reference manuals. What programs see of ID registers is Linux's choice
 * (Documentation/arm64/cpu-feature-registers.rst); HWCAP numbers are asm/hwcap.h's.
 * Vectors of SVE and SME have 128 bits, so models that have longer ones (a64fx, neoverse-v1) are not here.
 */
#include "guest/arm64/arm64.h"
#include "base/err.h"

static const struct {
	u8 id, shift, value, cap[2];
} feature[ARM64_FEATURE_COUNT] = {
#define _(name, id, shift, value, cap, cap2) { ID_##id, shift, value, { cap, cap2 } },
	ARM64_FEATURES(_)
#undef _
};

/* Fields that follow another one, and fields that read the same on every CPU. */
static const struct {
	u8 id, from, to, most;
} twin[] = {
	{ ID_PFR0, 16, 20, 15 }, /* AdvSIMD as FP */
	{ ID_ISAR1, 4, 24, 1 }, /* GPA as APA */
	{ ID_ISAR1, 8, 28, 1 }, /* GPI as API */
};
static const u64 fixed[ID_COUNT] = { [ID_PFR0] = 0x11, [ID_DFR0] = 6, [ID_MMFR0] = 0xff000000 };

u64 arm64_id_register(const struct arm64_model *m, enum arm64_id id)
{
	u64 v = fixed[id];
	for (unsigned i = 0; i < ARM64_FEATURE_COUNT; i++)
		if (feature[i].id == id && arm64_model_has(m, i) &&
		    (v >> feature[i].shift & 15) < feature[i].value)
			v = (v & ~(15ull << feature[i].shift)) | (u64)feature[i].value << feature[i].shift;
	for (unsigned i = 0; i < LEN(twin); i++)
		if (twin[i].id == id)
			v |= MIN(v >> twin[i].from & 15, twin[i].most) << twin[i].to;
	return v;
}

u64 arm64_hwcap(const struct arm64_model *m, u64 *ret_hwcap2)
{
	u64 cap[2] = { 0 };
	for (unsigned i = 0; i < ARM64_FEATURE_COUNT; i++)
		for (unsigned j = 0; j < 2; j++)
			if (arm64_model_has(m, i) && feature[i].cap[j] != 0xff)
				cap[feature[i].cap[j] / 32] |= BIT(feature[i].cap[j] % 32);
	*ret_hwcap2 = cap[1];
	return cap[0];
}

#define F(name) BIT(ARM64_##name)
#define V8_0 (F(FP) | F(CPUID) | F(CRC32))
#define CRYPTO (F(AES) | F(PMULL) | F(SHA1) | F(SHA256))
#define V8_2 (V8_0 | F(LSE) | F(RDM) | F(DPB) | F(FP16) | F(DOTPROD) | F(LRCPC))
#define ALL (BITS(ARM64_FEATURE_COUNT) & ~(F(PACQARMA5) | F(SVEF64MM)))
#define SME_ALL (F(SME) | F(SMEF32) | F(SMEB16) | F(SMEI8) | F(SMEF64) | F(SMEI16) | F(SMEFA64))
#define SVE_ALL \
	(F(SVE) | F(SVE2) | F(SVEAES) | F(SVEPMULL) | F(SVEBITPERM) | F(SVEBF16) | F(SVESHA3) | F(SVESM4) | \
	 F(SVEI8MM) | F(SVEF32MM))

static const struct arm64_model max = { .features = ALL, .midr = 0x000f0510, .ctr = 0x84448004, .dczid = 4 };
static const struct arm64_model a35 = {
	.features = V8_0 | CRYPTO, .midr = 0x411fd040, .ctr = 0x84448004, .dczid = 4
};
static const struct arm64_model a53 = {
	.features = V8_0 | CRYPTO, .midr = 0x410fd034, .ctr = 0x84448004, .dczid = 4
};
static const struct arm64_model a55 = {
	.features = V8_2 | CRYPTO, .midr = 0x412fd050, .ctr = 0x84448004, .dczid = 4
};
static const struct arm64_model a57 = {
	.features = V8_0 | CRYPTO, .midr = 0x411fd070, .ctr = 0x8444c004, .dczid = 4
};
static const struct arm64_model a72 = {
	.features = V8_0 | CRYPTO, .midr = 0x410fd083, .ctr = 0x8444c004, .dczid = 4
};
static const struct arm64_model a76 = {
	.features = V8_2 | CRYPTO | F(SSBS), .midr = 0x414fd0b1, .ctr = 0x8444c004, .dczid = 4
};
static const struct arm64_model n1 = {
	.features = V8_2 | CRYPTO | F(SSBS), .midr = 0x414fd0c1, .ctr = 0x8444c004, .dczid = 4
};

const struct guest_model arm64_models[] = {
	{ "max", "everything that is implemented; pointer authentication by a quick hash", &max },
	{ "cortex-a35", "Arm Cortex-A35 (Armv8.0)", &a35 },
	{ "cortex-a53", "Arm Cortex-A53 (Armv8.0)", &a53 },
	{ "cortex-a55", "Arm Cortex-A55 (Armv8.2)", &a55 },
	{ "cortex-a57", "Arm Cortex-A57 (Armv8.0)", &a57 },
	{ "cortex-a72", "Arm Cortex-A72 (Armv8.0)", &a72 },
	{ "cortex-a76", "Arm Cortex-A76 (Armv8.2)", &a76 },
	{ "neoverse-n1", "Arm Neoverse N1 (Armv8.2)", &n1 },
	{ 0 },
};

static struct err *on_off(const char *option, const char *value, bool *ret_on)
{
	if (!value || strcmp(value, "on") == 0)
		*ret_on = true;
	else if (strcmp(value, "off") == 0)
		*ret_on = false;
	else
		return err_new(ERR_INVALID, "CPU option '%s' is on or off, not '%s'", option, value);
	return NULL;
}

static const char *const lengths[] = { "256",  "384",  "512",  "640",  "768",  "896",  "1024", "1152",
				       "1280", "1408", "1536", "1664", "1792", "1920", "2048" };

/*
 * The peer's options of vector lengths: those of SVE's registers, and of SME's. One length is there: 128 bits, a quadword (vq), 16 bytes.
 * ret_known: the option was one.
 */
static struct err *length_option(const char *option, const char *value, bool *ret_known)
{
	const char *rest = option + 3;
	*ret_known = strncmp(option, "sve", 3) == 0 || strncmp(option, "sme", 3) == 0;
	if (strcmp(option, "sve-max-vq") == 0) {
		if (value && strcmp(value, "1") == 0)
			return NULL;
		return err_new(ERR_UNSUPPORTED,
			       "'sve-max-vq=%s': vectors of more than 128 bits are not implemented; use 1",
			       value ? value : "");
	}
	if (*ret_known && strcmp(rest, "-default-vector-length") == 0) {
		if (value && (strcmp(value, "16") == 0 || strcmp(value, "-1") == 0))
			return NULL;
		return err_new(ERR_UNSUPPORTED,
			       "'%s=%s': vectors of more than 16 bytes are not implemented; use 16, or -1 "
			       "for the longest",
			       option, value ? value : "");
	}
	bool on = false;
	for (unsigned i = 0; *ret_known && i < LEN(lengths); i++)
		if (strcmp(rest, lengths[i]) == 0) {
			struct err *e = on_off(option, value, &on);
			return e || !on ? e
					: err_new(ERR_UNSUPPORTED,
						  "'%s': vectors of more than 128 bits are not implemented",
						  option);
		}
	*ret_known = *ret_known && (strcmp(rest, "128") == 0 || strcmp(option, "sme_fa64") == 0);
	if (!*ret_known)
		return NULL;
	struct err *e = on_off(option, value, &on);
	return e || on ? e : err_new(ERR_UNSUPPORTED, "'%s' cannot be turned off", option);
}

struct err *arm64_model_option(const void *model, const char *option, const char *value, void **ret_model)
{
	const struct arm64_model *old = model;
	u64 auth = F(PAUTH) | F(PACIMP) | F(PACQARMA5), features = old->features;
	bool on = false, length = false;
	struct err *e = length_option(option, value, &length);
	if (!e && !length)
		e = on_off(option, value, &on);
	if (e)
		return e;
	if (length) {
		if (!(old->features & F(SVE)))
			return err_new(ERR_UNSUPPORTED, "'%s' needs a CPU model with SVE", option);
	} else if (strcmp(option, "pauth") == 0) {
		if (on && !(old->features & F(PAUTH)))
			return err_new(ERR_UNSUPPORTED, "this CPU model has no pointer authentication");
		features &= on ? ~0ull : ~auth;
	} else if (strcmp(option, "pauth-impdef") == 0) {
		if (!(old->features & F(PAUTH)))
			return err_new(ERR_UNSUPPORTED,
				       "'pauth-impdef' needs a CPU model with pointer authentication");
		features = (features & ~auth) | F(PAUTH) | (on ? F(PACIMP) : F(PACQARMA5));
	} else if (strcmp(option, "sve") == 0 || strcmp(option, "sme") == 0) {
		u64 what = option[1] == 'v' ? SVE_ALL | SME_ALL : SME_ALL;
		if (on && (features & what) != what)
			return err_new(ERR_UNSUPPORTED, "'%s=on' needs a CPU model with SVE%s, such as max",
				       option, option[1] == 'v' ? "" : " and SME");
		features &= on ? ~0ull : ~what; /* streaming mode counts on SVE */
	} else {
		return err_new(ERR_INVALID, "unknown CPU option '%s'", option);
	}
	struct arm64_model *m = alloc(sizeof(*m));
	*m = *old;
	m->features = features;
	*ret_model = m;
	return NULL;
}
