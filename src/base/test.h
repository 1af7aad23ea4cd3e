/*
 * Tests: one TEST() per behaviour, named as a sentence; tools/scan.py finds them, prog/unit.c runs them.
 * X_test.c lies beside X.c, includes it, and is compiled in its place.
 */
#pragma once
#include "base/base.h"
#include <stdio.h>

#define TEST(unit, behaviour) \
	void test_##unit##__##behaviour(void); \
	void test_##unit##__##behaviour(void)

void test_fail(const char *file, int line, const char *fmt, ...) PRINTF(3, 4);
/* Says that the test could not run here, and why; it is counted apart from passes and failures. */
void test_skip(const char *fmt, ...) PRINTF(1, 2);

/* clang-format off */
#define CHECK(cond) do { if (!(cond)) test_fail(__FILE__, __LINE__, "%s", #cond); } while (0)
#define CHECK_EQ(got, want) do { \
	u64 got_ = (u64)(got), want_ = (u64)(want); \
	if (got_ != want_) \
		test_fail(__FILE__, __LINE__, "%s is %#llx, not %#llx", #got, \
			  (unsigned long long)got_, (unsigned long long)want_); \
} while (0)
#define CHECK_STR(got, want) do { \
	const char *got_ = (got), *want_ = (want); \
	if (!got_ || strcmp(got_, want_) != 0) \
		test_fail(__FILE__, __LINE__, "%s is '%s', not '%s'", #got, got_ ? got_ : "(null)", want_ ? want_ : "(null)"); \
} while (0)
/* clang-format on */
