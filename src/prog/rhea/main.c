/* rhea: dispatches by the name it was called by, or by its first word. */
#include "prog/rhea/verb.h"
#include <stdio.h>

static const struct verb *find(const char *name, bool peer)
{
	for (const struct verb *const *v = verbs; *v; v++) {
		const char *has = peer ? (*v)->peer : (*v)->name;
		if (has && strcmp(has, name) == 0)
			return *v;
	}
	return NULL;
}

static int usage(FILE *to)
{
	fputs("usage: rhea VERB ...\n\n", to);
	for (const struct verb *const *v = verbs; *v; v++)
		fprintf(to, "  %-16s %s\n", (*v)->name, (*v)->summary);
	fputs("\nrhea VERB --help tells more.\n", to);
	return to == stdout ? 0 : 1;
}

static int names(void)
{
	for (const struct verb *const *v = verbs; *v; v++)
		if ((*v)->peer)
			puts((*v)->peer);
	return 0;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/'), *self = slash ? slash + 1 : argv[0];
	const struct verb *v = find(self, true);
	if (v) {
		argv[0] = (char *)self;
		return v->run(argc, argv);
	}
	if (argc < 2)
		return usage(stderr);
	if (strcmp(argv[1], "--names") == 0)
		return names();
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return usage(stdout);
	if (strcmp(argv[1], "--version") == 0) {
		puts("Rhea " RHEA_VERSION);
		return 0;
	}
	v = find(argv[1], false);
	if (!v) {
		fprintf(stderr, "rhea: unknown verb '%s'\n", argv[1]);
		return usage(stderr);
	}
	/* Messages name the program as scripts know it. */
	argv[1] = (char *)(v->peer ? v->peer : v->name);
	return v->run(argc - 1, argv + 1);
}
