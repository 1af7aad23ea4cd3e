#include "log.c"
#include "base/test.h"

TEST(log, ranges_have_three_forms)
{
	struct log l = { .fd = -1 };
	CHECK(log_covers(&l, 5)); /* none given: all */
	CHECK(!log_parse_ranges("0x1000..0x1fff,0x4000+0x100,0x9000-0x10", &l.range, &l.n_range));
	CHECK_EQ(l.n_range, 3);
	static const u64 in[] = { 0x1000, 0x1fff, 0x4000, 0x40ff, 0x9000, 0x8ff1 },
			 out[] = { 0xfff, 0x2000, 0x4100, 0x9001, 0x8ff0 };
	for (unsigned i = 0; i < LEN(in); i++)
		CHECK(log_covers(&l, in[i]));
	for (unsigned i = 0; i < LEN(out); i++)
		CHECK(!log_covers(&l, out[i]));
	free(l.range);
}

TEST(log, bad_ranges_and_items_are_named)
{
	static const char *const bad[] = { "1", "1..",	 "2..1", "1+",	  "1+0",
					   "x", "1..2;", "-1+2", "1+2,,", "0xffffffffffffffff+2" };
	struct log_range *r;
	unsigned n;
	u32 items;
	for (unsigned i = 0; i < LEN(bad); i++) {
		struct err *e = log_parse_ranges(bad[i], &r, &n);
		CHECK(e && strstr(err_text(e), bad[i]));
		if (e)
			err_free(e);
	}
	struct err *e = log_parse_items("cpu,in_as,exec", &items);
	CHECK(e && strstr(err_text(e), "'in_as'"));
	err_free(e);
	CHECK(!log_parse_items("cpu,in_asm", &items));
	CHECK_EQ(items, LOG_CPU | LOG_IN_ASM);
}
