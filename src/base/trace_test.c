#include "trace.c"
#include "base/test.h"

TEST(trace, patterns_switch_on_and_off)
{
	u32 on = 0;
	char *file = NULL;
	CHECK(!trace_parse("enable=guest_*,-*_ret,file=out", &on, &file));
	CHECK_EQ(on, 1u << TRACE_GUEST_USER_SYSCALL);
	CHECK_STR(file, "out");
	free(file);
	struct err *e = trace_parse("user_for?,nothing_*", &on, &file);
	CHECK(e && strstr(err_text(e), "'nothing_*'"));
	err_free(e);
	CHECK(on >> TRACE_USER_FORK & 1);
	e = trace_parse("events=/nonexistent", &on, &file);
	CHECK(e && strstr(err_text(e), "/nonexistent"));
	err_free(e);
}
