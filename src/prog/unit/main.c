/* The unit test program: runs all tests, or those whose unit or name contains argv[1]. TAP output, for `meson test`. */
#include "base/test.h"
#include <stdarg.h>

struct test_case {
	const char *unit, *name;
	void (*run)(void);
};
extern const struct test_case test_cases[];
static bool failed, skipped;

void test_fail(const char *file, int line, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	printf("# %s:%d: ", file, line);
	vprintf(fmt, args);
	putchar('\n');
	va_end(args);
	failed = true;
}

void test_skip(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	printf("# skipped: ");
	vprintf(fmt, args);
	putchar('\n');
	va_end(args);
	skipped = true;
}

int main(int argc, char **argv)
{
	unsigned n = 0, bad = 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (const struct test_case *t = test_cases; t->unit; t++) {
		if (argc > 1 && !strstr(t->unit, argv[1]) && !strstr(t->name, argv[1]))
			continue;
		failed = skipped = false;
		t->run();
		printf("%s %u - %s: %s%s\n", failed ? "not ok" : "ok", ++n, t->unit, t->name,
		       skipped && !failed ? " # SKIP" : "");
		bad += failed;
	}
	printf("1..%u\n", n);
	return bad ? 1 : 0;
}
