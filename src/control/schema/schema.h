/*
 * The schema at run time: tables that tools/schemagen.py makes from the *.schema files beside this one, and what walks
 * them: checking JSON against a type, filling C structs from it, and describing it all to clients (query-qmp-schema).
 *
 * The tables are constant; any thread.
 */
#pragma once
#include "base/err.h"
#include "base/json.h"

enum schema_kind {
	SCHEMA_STR,
	SCHEMA_BOOL,
	SCHEMA_INT, /* within min and max */
	SCHEMA_NUMBER,
	SCHEMA_ANY,
	SCHEMA_NULL,
	SCHEMA_LIST,
	SCHEMA_ENUM,
	SCHEMA_STRUCT,
	SCHEMA_UNION,
	SCHEMA_ALTERNATE,
};

struct schema_value {
	const char *name;
	const char *const *features; /* NULL: none; so everywhere */
};

struct schema_member {
	const char *name;
	const struct schema_type *type;
	bool optional;
	const char *const *features;
	/* In the C struct, where there is one; has_offset 0: a member that may be left out is NULL then. */
	u16 offset, has_offset;
};

struct schema_variant {
	const char *value;
	const struct schema_type *type;
};

/* Tables end with a row of zeros. */
struct schema_type {
	const char *name;
	enum schema_kind kind;
	i64 min, max;
	const struct schema_type *element; /* lists */
	const struct schema_value *values; /* enums */
	const struct schema_member *members; /* structs, unions */
	const char *tag; /* unions: the member that says which variant */
	const struct schema_variant *variants;
	const struct schema_type *const *choices; /* alternates */
	size_t size; /* of the C struct; 0: there is none */
};

extern const struct schema_type schema_type_str, schema_type_bool, schema_type_int, schema_type_uint32,
    schema_type_number, schema_type_any, schema_type_null;

struct schema_command {
	const char *name;
	const struct schema_type *arg, *returns; /* returns NULL: an empty object */
	bool oob; /* may be run out of band */
	const char *const *features;
};

struct schema_event {
	const char *name;
	const struct schema_type *data;
	/* At most one a second for each value of this member ("": for all); NULL: no limit. */
	const char *limit_by;
};
extern const struct schema_event *const schema_events[]; /* generated; ends with NULL */

/*
 * Which values of enums and variants of unions this program has, of those in the schema: drivers, kinds of objects. The
 * others are refused and not announced. NULL: all.
 */
typedef bool (*schema_offers)(const struct schema_type *enumeration, const char *value);

/* Refuses what is not of the type, with the member's place in the message: "Parameter 'file.filename' is missing". */
struct err *schema_check(const struct schema_type *t, const struct json *j, schema_offers offers) MUST_CHECK;
/*
 * Fills the C struct of a struct type, or of a union's own members, from JSON that passed schema_check. Strings and JSON
 * members point into j, which must live as long. Nothing to free.
 */
void schema_fill(const struct schema_type *t, const struct json *j, void *ret);
/* The variant's type that a checked value of a union is of; NULL when it adds no members. */
const struct schema_type *schema_variant(const struct schema_type *t, const struct json *j);
/* -1 when there is no such value. */
int schema_enum(const struct schema_type *t, const char *value);

/*
 * From a command line: strings become numbers ("1M"), booleans ("on") where the schema wants them; what cannot be stays, for
 * schema_check to refuse. Takes j and gives it or what replaces it.
 */
struct json *schema_coerce(const struct schema_type *t, struct json *j);

/*
 * What query-qmp-schema gives: these commands, all events, and the types they reach. Names of types are made up, as
 * clients must not depend on them. The caller owns it.
 */
struct json *schema_describe(const struct schema_command *const *commands, size_t n, schema_offers offers);
