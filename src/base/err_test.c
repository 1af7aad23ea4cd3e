#include "err.c"
#include "base/test.h"

TEST(err, puts_context_in_front_and_keeps_code_and_errno)
{
	struct err *e = err_in(err_errno(ENOENT, "cannot open '%s'", "a.img"), "drive '%s'", "hd0");
	CHECK(strcmp(err_text(e), "drive 'hd0': cannot open 'a.img': No such file or directory") == 0);
	CHECK_EQ(err_code(e), ERR_NOT_FOUND);
	CHECK_EQ(err_errnum(e), ENOENT);
	err_free(e);
}

TEST(err, carries_a_remedy)
{
	struct err *e = err_hint(err_new(ERR_BUSY, "locked"), "stop process %d", 7);
	CHECK(strcmp(err_remedy(e), "stop process 7") == 0);
	err_free(e);
}
