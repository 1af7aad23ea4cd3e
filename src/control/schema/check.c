/* JSON against the schema. Messages are those that clients of QMP know. */
#include "control/schema/schema.h"

const struct schema_type schema_type_str = { .name = "str", .kind = SCHEMA_STR },
			 schema_type_bool = { .name = "bool", .kind = SCHEMA_BOOL },
			 schema_type_int = { .name = "int",
					     .kind = SCHEMA_INT,
					     .min = INT64_MIN,
					     .max = INT64_MAX },
			 schema_type_uint32 = { .name = "uint32_t", .kind = SCHEMA_INT, .max = UINT32_MAX },
			 schema_type_number = { .name = "number", .kind = SCHEMA_NUMBER },
			 schema_type_any = { .name = "any", .kind = SCHEMA_ANY },
			 schema_type_null = { .name = "null", .kind = SCHEMA_NULL };

/* Where in the arguments: printed only when something is wrong there. */
struct place {
	const struct place *up;
	const char *member; /* NULL: element of a list */
	size_t index;
};

static char *path_of(const struct place *p)
{
	if (!p)
		return str_dup("");
	AUTO(free_ptr) char *up = path_of(p->up);
	if (!p->member)
		return strf("%s[%zu]", up, p->index);
	return strf("%s%s%s", up, *up ? "." : "", p->member);
}

static struct err *complain(const struct place *p, const char *before, const char *after)
{
	AUTO(free_ptr) char *path = path_of(p);
	return err_new(ERR_INVALID, "%s'%s'%s", before, *path ? path : "null", after);
}

/* Values are named by their member alone. */
static struct err *bad_value(const struct place *p, const char *after)
{
	return err_new(ERR_INVALID, "Parameter '%s'%s", p && p->member ? p->member : "null", after);
}

static struct err *wrong_type(const struct place *p, const char *expected)
{
	AUTO(free_ptr) char *after = strf(", expected: %s", expected);
	return complain(p, "Invalid parameter type for ", after);
}

static struct err *check(const struct schema_type *t, const struct json *j, const struct place *at,
			 schema_offers offers);

int schema_enum(const struct schema_type *t, const char *value)
{
	for (int i = 0; t->values[i].name; i++)
		if (strcmp(t->values[i].name, value) == 0)
			return i;
	return -1;
}

static struct err *check_enum(const struct schema_type *t, const struct json *j, const struct place *at,
			      schema_offers offers)
{
	if (j->kind != JSON_STR)
		return wrong_type(at, "string");
	if (schema_enum(t, j->s) >= 0 && (!offers || offers(t, j->s)))
		return NULL;
	AUTO(free_ptr) char *after = strf(" does not accept value '%s'", j->s);
	return bad_value(at, after);
}

static const struct schema_member *find_member(const struct schema_type *t, const char *name)
{
	for (const struct schema_member *m = t ? t->members : NULL; m && m->name; m++)
		if (strcmp(m->name, name) == 0)
			return m;
	return NULL;
}

static struct err *check_members(const struct schema_type *t, const struct json *j, const struct place *at,
				 schema_offers offers)
{
	struct err *e = NULL;
	for (const struct schema_member *m = t->members; m->name && !e; m++) {
		const struct json *v = json_get(j, m->name);
		struct place here = { at, m->name, 0 };
		if (v)
			e = check(m->type, v, &here, offers);
		else if (!m->optional)
			e = complain(&here, "Parameter ", " is missing");
	}
	return e;
}

const struct schema_type *schema_variant(const struct schema_type *t, const struct json *j)
{
	const char *value = t->kind == SCHEMA_UNION ? json_get_str(j, t->tag) : NULL;
	for (const struct schema_variant *v = t->variants; value && v->value; v++)
		if (strcmp(v->value, value) == 0)
			return v->type;
	return NULL;
}

/* Structs and unions; a variant may be a union again. */
static struct err *check_object(const struct schema_type *t, const struct json *j, const struct place *at,
				schema_offers offers)
{
	if (j->kind != JSON_DICT)
		return wrong_type(at, "object");
	struct err *e = NULL;
	for (const struct schema_type *part = t; part && !e; part = schema_variant(part, j))
		e = check_members(part, j, at, offers);
	for (size_t i = 0; i < j->n && !e; i++) {
		const struct schema_type *part = t;
		while (part && !find_member(part, j->keys[i]))
			part = schema_variant(part, j);
		struct place here = { at, j->keys[i], 0 };
		if (!part)
			e = complain(&here, "Parameter ", " is unexpected");
	}
	return e;
}

static bool same_kind(const struct schema_type *t, const struct json *j)
{
	switch (t->kind) {
	case SCHEMA_STR:
	case SCHEMA_ENUM:
		return j->kind == JSON_STR;
	case SCHEMA_BOOL:
		return j->kind == JSON_BOOL;
	case SCHEMA_INT:
		return j->kind == JSON_INT;
	case SCHEMA_NUMBER:
		return j->kind == JSON_INT || j->kind == JSON_REAL;
	case SCHEMA_NULL:
		return j->kind == JSON_NULL;
	case SCHEMA_LIST:
		return j->kind == JSON_LIST;
	case SCHEMA_STRUCT:
	case SCHEMA_UNION:
		return j->kind == JSON_DICT;
	case SCHEMA_ALTERNATE:
	case SCHEMA_ANY:
		break;
	}
	return true;
}

static struct err *check_list(const struct schema_type *t, const struct json *j, const struct place *at,
			      schema_offers offers)
{
	struct err *e = NULL;
	for (size_t i = 0; i < j->n && !e; i++) {
		struct place here = { at, NULL, i };
		e = check(t->element, j->items[i], &here, offers);
	}
	return e;
}

static struct err *check(const struct schema_type *t, const struct json *j, const struct place *at,
			 schema_offers offers)
{
	static const char *const json_name[] = {
		[SCHEMA_STR] = "string",    [SCHEMA_BOOL] = "boolean", [SCHEMA_INT] = "integer",
		[SCHEMA_NUMBER] = "number", [SCHEMA_NULL] = "null",    [SCHEMA_LIST] = "array",
	};
	if (t->kind == SCHEMA_ENUM)
		return check_enum(t, j, at, offers);
	if (t->kind == SCHEMA_STRUCT || t->kind == SCHEMA_UNION)
		return check_object(t, j, at, offers);
	if (t->kind == SCHEMA_ALTERNATE) {
		for (const struct schema_type *const *c = t->choices; *c; c++)
			if (same_kind(*c, j))
				return check(*c, j, at, offers);
		return wrong_type(at, t->name);
	}
	if (!same_kind(t, j))
		return wrong_type(at, json_name[t->kind]);
	if (t->kind == SCHEMA_LIST)
		return check_list(t, j, at, offers);
	if (t->kind == SCHEMA_INT && (j->i < t->min || j->i > t->max)) {
		AUTO(free_ptr) char *after = strf(" expects %s", t->name);
		return bad_value(at, after);
	}
	return NULL;
}

struct err *schema_check(const struct schema_type *t, const struct json *j, schema_offers offers)
{
	return check(t, j, NULL, offers);
}

void schema_fill(const struct schema_type *t, const struct json *j, void *ret)
{
	memset(ret, 0, t->size);
	for (const struct schema_member *m = t->members; m->name; m++) {
		const struct json *v = json_get(j, m->name);
		void *to = (char *)ret + m->offset;
		if (!v)
			continue;
		if (m->has_offset)
			*(bool *)((char *)ret + m->has_offset) = true;
		switch (m->type->kind) {
		case SCHEMA_STR:
			*(const char **)to = v->s;
			break;
		case SCHEMA_BOOL:
			*(bool *)to = v->b;
			break;
		case SCHEMA_INT:
			*(i64 *)to = v->i;
			break;
		case SCHEMA_NUMBER:
			*(double *)to = v->kind == JSON_INT ? (double)v->i : v->d;
			break;
		case SCHEMA_ENUM:
			*(int *)to = schema_enum(m->type, v->s);
			break;
		case SCHEMA_STRUCT:
			schema_fill(m->type, v, to);
			break;
		case SCHEMA_ANY:
		case SCHEMA_NULL:
		case SCHEMA_LIST:
		case SCHEMA_UNION:
		case SCHEMA_ALTERNATE:
			*(const struct json **)to = v;
			break;
		}
	}
}
