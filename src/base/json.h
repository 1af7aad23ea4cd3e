/*
 * JSON values: what descriptions of nodes, commands and their answers are made of.
 *
 * Objects keep the order in which members were added. Numbers are 64-bit integers where they fit, else doubles.
 * The parser takes single-quoted strings as well, as QMP clients send them. Depth is bounded, so hostile text cannot
 * exhaust the stack. A value belongs to whoever holds the pointer; putting it into an object or array gives it away.
 * No locks: one thread at a time.
 */
#pragma once
#include "base/base.h"
#include "base/err.h"

enum json_kind { JSON_NULL, JSON_BOOL, JSON_INT, JSON_REAL, JSON_STR, JSON_LIST, JSON_DICT };

struct json {
	enum json_kind kind;
	union {
		bool b;
		i64 i;
		double d;
		char *s;
		struct {
			struct json **items;
			char **keys; /* objects only */
			size_t n, cap, key_cap;
		};
	};
};

struct json *json_null(void);
struct json *json_bool(bool b);
struct json *json_int(i64 i);
/* Printed unsigned when above INT64_MAX is out of scope: sizes stay below 2^63. */
struct json *json_real(double d);
struct json *json_str(const char *s);
struct json *json_strf(const char *fmt, ...) PRINTF(1, 2);
struct json *json_list(void);
struct json *json_dict(void);
struct json *json_copy(const struct json *j);
void json_free(struct json *j);
static inline void json_freep(struct json **j)
{
	json_free(*j);
}

void json_add(struct json *list, struct json *item);
/* Replaces a member of that name; a NULL value is ignored. */
void json_set(struct json *dict, const char *key, struct json *val);
/* NULL when there is none. */
struct json *json_get(const struct json *dict, const char *key);
/* Takes a member out; NULL when there is none. The caller owns it. */
struct json *json_take(struct json *dict, const char *key);
void json_del(struct json *dict, const char *key);
/* A string member's text, NULL when absent or of another kind. */
const char *json_get_str(const struct json *dict, const char *key);
i64 json_get_int(const struct json *dict, const char *key, i64 otherwise);
bool json_get_bool(const struct json *dict, const char *key, bool otherwise);
/* Moves the members of an object and of objects and lists within it to dotted names at the top: {"a":{"b":1}} is {"a.b":1}. */
void json_flatten(struct json *dict);
/* The reverse: {"a.b":1} becomes {"a":{"b":1}}; objects whose keys are 0..n-1 become lists. */
struct err *json_nest(struct json *dict) MUST_CHECK;
/* Takes the members whose names begin with prefix out, as an object without the prefix; empty when there are none. */
struct json *json_take_prefix(struct json *dict, const char *prefix);

/* Parses a whole text. */
struct err *json_parse(const char *text, size_t len, struct json **ret) MUST_CHECK;
/* pretty: four spaces a level and a line a member, as the peer's tools print; else one line with ", " and ": ". */
char *json_text(const struct json *j, bool pretty);
bool json_equal(const struct json *a, const struct json *b);
