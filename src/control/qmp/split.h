/* Cuts a stream of bytes into JSON values, without reading them yet. */
#pragma once
#include "base/base.h"

enum split_fault { SPLIT_OK, SPLIT_TOO_LONG, SPLIT_TOO_DEEP };

struct split { /* zeroed: at the start */
	char *text; /* what came of the value so far */
	size_t len, cap;
	unsigned depth;
	char quote; /* within a string: its end */
	bool escaped;
	enum split_fault fault;
};

/*
 * Takes bytes up to the end of a value; *at moves on. True: text[0..len) is a whole value (which may be no JSON at all),
 * or fault says why it is none; then split_next().
 */
bool split_feed(struct split *s, const char **at, const char *end);
/* The value is done with. */
void split_next(struct split *s);
void split_free(struct split *s);
