/* Checks of the test programs that run inside user mode: one line a check, in the form of TAP without numbers. */
#pragma once
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int check_failed;
#define CHECK(what, cond) \
	do { \
		int check_ok_ = !!(cond); \
		printf("%s - %s%s\n", check_ok_ ? "ok" : "not ok", what, check_ok_ ? "" : " (" #cond ")"); \
		fflush(stdout); \
		check_failed |= !check_ok_; \
	} while (0)
