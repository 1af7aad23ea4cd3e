/* Options of command lines that only set a member of what a program keeps of them. */
#pragma once
#include "base/base.h"
#include <stddef.h>

/* A flag (bool), or a text: the option's own argument (const char *). */
struct field {
	int option;
	bool text;
	size_t at;
};
#define FIELD_FLAG(option, type, member) \
	{ \
		option, false, offsetof(type, member) \
	}
#define FIELD_TEXT(option, type, member) \
	{ \
		option, true, offsetof(type, member) \
	}
/* Sets what option c of getopt stands for, whose argument is optarg; false: none of these, which end with { 0 }. */
bool field_set(const struct field *fields, void *args, int c);
