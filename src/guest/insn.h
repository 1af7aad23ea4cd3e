/*
 * What tools/decodegen.py makes from a guest's INSN() lines: groups of instruction patterns, to decode, to print, and for tests to draw
 * random instructions from.
 */
#pragma once
#include "translate/ir/build.h"

/* Assembly text under construction; what does not fit is cut off, the end is always terminated. */
struct text {
	char *buf;
	size_t size, len;
	u64 pc;
};
void text_put(struct text *o, const char *s);
void text_fmt(struct text *o, const char *fmt, ...) PRINTF(2, 3);

struct insn_field {
	const char *name;
	u8 lo, width; /* where it lies in the word */
	u8 at; /* which bits of the field these are: from this one up */
	bool sign;
};

struct insn_pattern {
	const char *name;
	u32 mask, value; /* the fixed bits */
	i16 feature; /* the first feature it wants, in the guest's numbers; -1: none */
	const struct insn_field *fields;
	u8 n_fields;
	void (*run)(struct tr *t, u32 insn); /* emits its meaning */
	void (*say)(struct text *o, u32 insn); /* its assembly text */
};

struct insn_group {
	const char *name;
	u8 length; /* bits of an instruction: 16 or 32 */
	u32 n;
	const struct insn_pattern *patterns;
	/* The number of the pattern that fits, or -1. Features are asked of t's model; t NULL: every feature is there. */
	int (*find)(const struct tr *t, u32 insn);
};

/* Translates insn if it belongs to the group. */
static inline bool insn_decode(const struct insn_group *g, struct tr *t, u32 insn)
{
	int n = g->find(t, insn);
	if (n < 0)
		return false;
	g->patterns[n].run(t, insn);
	return true;
}
/* Its text, with the features of every model; false: not in the group. */
static inline bool insn_text(const struct insn_group *g, struct text *o, u32 insn)
{
	int n = g->find(NULL, insn);
	if (n < 0)
		return false;
	g->patterns[n].say(o, insn);
	return true;
}

/* See tools/decodegen.py for the pattern and assembly languages. */
#define INSN(name, pattern, ...) static void insn_##name(struct tr *t, const struct arg_##name *a)
