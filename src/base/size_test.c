#include "size.c"
#include "base/test.h"

TEST(size, parses_suffixes_fractions_and_refuses_the_rest)
{
	static const struct {
		const char *text;
		int r;
		u64 v;
	} t[] = { { "512", 0, 512 },	     { "1k", 0, 1024 },
		  { "1.5G", 0, 1610612736 }, { "0x10", 0, 16 },
		  { "", -EINVAL, 0 },	     { "12Q", -EINVAL, 0 },
		  { "-1", -EINVAL, 0 },	     { "1kk", -EINVAL, 0 },
		  { "16E", -ERANGE, 0 },     { "99999999999999999999", -ERANGE, 0 } };
	for (unsigned i = 0; i < LEN(t); i++) {
		u64 v = 0;
		int r = size_parse(t[i].text, &v);
		if (r != t[i].r || v != t[i].v)
			test_fail(__FILE__, __LINE__, "'%s': %d, %llu", t[i].text, r, (unsigned long long)v);
	}
}

TEST(size, writes_three_digits)
{
	char buf[32];
	CHECK_STR(size_text(0, buf), "0 B");
	CHECK_STR(size_text(200704, buf), "196 KiB");
	CHECK_STR(size_text(1265664, buf), "1.21 MiB");
	CHECK_STR(size_text(1023ull << 20, buf), "0.999 GiB");
}
