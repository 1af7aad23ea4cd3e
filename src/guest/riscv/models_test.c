#include "models.c"
#include "base/test.h"

static const struct riscv_model *named(const struct guest_model *models, const char *name)
{
	for (const struct guest_model *m = models; m->name; m++)
		if (strcmp(m->name, name) == 0)
			return m->data;
	return NULL;
}

/* The model after one option; its isa string is compared. */
static void isa_with(const char *name, const char *option, const char *value, const char *want)
{
	char isa[256];
	void *made = NULL;
	struct err *e = riscv_model_option(named(riscv64_models, name), option, value, &made);
	if (e) {
		test_fail(__FILE__, __LINE__, "%s: %s", option, err_text(e));
		err_free(e);
		return;
	}
	riscv_isa_string(made, isa, sizeof(isa));
	CHECK_STR(isa, want);
	free(made);
}

TEST(riscv_models, profiles_have_what_they_demand)
{
	static const enum riscv_feature demanded[] = { RISCV_C,		  RISCV_ZICNTR, RISCV_ZIHPM,
						       RISCV_ZIHINTPAUSE, RISCV_ZBA,	RISCV_ZBB,
						       RISCV_ZBS,	  RISCV_ZICBOM, RISCV_ZICBOP,
						       RISCV_ZICBOZ,	  RISCV_ZFHMIN, RISCV_ZKT };
	const struct riscv_model *u = named(riscv64_models, "rva22u64"),
				 *s = named(riscv64_models, "rva22s64");
	for (unsigned i = 0; i < LEN(demanded); i++)
		CHECK(riscv_model_has(u, demanded[i]) && riscv_model_has(s, demanded[i]));
	CHECK(riscv_model_has(s, RISCV_SVPBMT) && riscv_model_has(s, RISCV_SVINVAL));
	CHECK(!riscv_model_has(named(riscv64_models, "rva20u64"), RISCV_ZBB));
}

TEST(riscv_models, an_option_brings_what_it_needs_and_takes_along_what_needs_it)
{
	isa_with("rv64i", "d", "on", "rv64ifd_zicsr");
	isa_with("rv64i", "zacas", NULL, "rv64ia_zacas");
	isa_with("sifive-u54", "f", "off", "rv64imac_zicntr_zicsr_zifencei_zihpm");
	isa_with("rv64i", "Zfh", "true", "rv64if_zicsr_zfh_zfhmin");
	isa_with("rv64i", "b", "on", "rv64i_zba_zbb_zbs");
}

TEST(riscv_models, what_is_not_there_is_refused_by_name)
{
	static const char *const refused[][2] = {
		{ "v", "on" }, { "zve32f", "on" }, { "zba", "perhaps" }, { "zzz", "on" }, { "i", "off" }
	};
	for (unsigned i = 0; i < LEN(refused); i++) {
		void *made = NULL;
		struct err *e = riscv_model_option(&riscv64_everything, refused[i][0], refused[i][1], &made);
		CHECK(e && strstr(err_text(e), refused[i][0][0] == 'i' ? "base" : refused[i][0]));
		err_free(e);
	}
	isa_with("rv64i", "v", "off", "rv64i");
}

TEST(riscv_models, the_kernel_interface_says_what_the_model_has)
{
	const struct riscv_model *u = named(riscv64_models, "sifive-u54");
	CHECK_EQ(riscv_hwcap(u), BIT('i' - 'a') | BIT('m' - 'a') | BIT('a' - 'a') | BIT('f' - 'a') |
				     BIT('d' - 'a') | BIT('c' - 'a'));
	CHECK_EQ(riscv_hwprobe_ext(u) & BITS(17), BIT(0) | BIT(1)); /* F and D, C; no Zb*, Zk* */
	CHECK(riscv_hwprobe_ext(&riscv64_everything) & BIT(4)); /* Zbb */
	CHECK_EQ(riscv_misa(u) >> 18 & 1, 1); /* S */
}
