#include "csr_text.c"
#include "base/test.h"

TEST(riscv_csr_text, registers_have_their_names)
{
	static const struct {
		unsigned number;
		const char *name;
	} rows[] = { { 0x001, "fflags" },      { 0x300, "mstatus" },	 { 0x323, "mhpmevent3" },
		     { 0x33f, "mhpmevent31" }, { 0x3a0, "pmpcfg0" },	 { 0x3ef, "pmpaddr63" },
		     { 0x7a1, "tdata1" },      { 0x7b3, "dscratch1" },	 { 0xb9f, "mhpmcounter31h" },
		     { 0xc00, "cycle" },       { 0xc03, "hpmcounter3" }, { 0xc83, "hpmcounter3h" },
		     { 0xf12, "marchid" },     { 0x656, "hviprio1h" },	 { 0x800, "0x800" },
		     { 0x340, "mscratch" } };
	for (unsigned i = 0; i < LEN(rows); i++) {
		char buf[40] = "";
		struct text o = { buf, sizeof(buf), 0, 0 };
		riscv_text_csr(&o, rows[i].number);
		CHECK_STR(buf, rows[i].name);
	}
}

TEST(riscv_csr_text, no_number_has_two_rows)
{
	for (unsigned i = 0; i < LEN(names); i++)
		for (unsigned k = 0; k < i; k++)
			CHECK(names[i].number + names[i].count <= names[k].number ||
			      names[k].number + names[k].count <= names[i].number);
}
