/*
 * Libraries that few runs need are opened when one does: to load them with what they need in turn takes longer than most
 * runs do.
 */
#pragma once
#include "base/err.h"

struct lib_function {
	const char *name;
	void *to; /* the address of a pointer to such a function */
};

/* Opens a library for the rest of the process and finds functions in it; the list ends with name NULL. Any thread. */
struct err *lib_load(const char *soname, const struct lib_function *list) MUST_CHECK;
