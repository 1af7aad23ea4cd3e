/* Verbs of the program, each a file or folder beside this one. */
#pragma once
#include "base/base.h"
#include "base/version.h"

struct verb {
	const char *name; /* rhea NAME ... */
	const char *peer; /* the name of the program that it stands in for; NULL: none */
	const char *summary;
	/* argv[0]: the name it was called by, as messages show it. Gives the exit status. */
	int (*run)(int argc, char **argv);
};

#define VERB(id) \
	extern const struct verb verb_##id; \
	const struct verb verb_##id
//registry: VERB struct verb verb_ verbs
extern const struct verb *const verbs[]; /* generated; ends with NULL */
