/* Options from command lines, where everything is a string, made into what the schema says. */
#include "control/schema/schema.h"
#include "base/size.h"

static struct json *number_of(const char *s)
{
	u64 v;
	if (*s == '-' && size_parse(s + 1, &v) == 0 && v <= INT64_MAX)
		return json_int(-(i64)v);
	return size_parse(s, &v) == 0 && v <= INT64_MAX ? json_int(v) : NULL;
}

static struct json *bool_of(const char *s)
{
	static const char *const words[] = { "off", "on", "no", "yes", "false", "true", "n", "y" };
	for (unsigned i = 0; i < LEN(words); i++)
		if (strcmp(words[i], s) == 0)
			return json_bool(i % 2);
	return NULL;
}

/* Of an alternate: the object's type for an object, else a simple one. */
static const struct schema_type *choose(const struct schema_type *t, const struct json *j)
{
	for (const struct schema_type *const *c = t->choices; *c; c++) {
		bool deep = (*c)->kind == SCHEMA_STRUCT || (*c)->kind == SCHEMA_UNION;
		if (deep == (j->kind == JSON_DICT))
			return *c;
	}
	return NULL;
}

static void coerce_members(const struct schema_type *t, struct json *j)
{
	for (const struct schema_member *m = t->members; m->name; m++) {
		struct json *v = json_take(j, m->name);
		json_set(j, m->name, v ? schema_coerce(m->type, v) : NULL);
	}
}

struct json *schema_coerce(const struct schema_type *t, struct json *j)
{
	struct json *made = NULL;
	switch (t->kind) {
	case SCHEMA_INT:
	case SCHEMA_NUMBER:
		made = j->kind == JSON_STR ? number_of(j->s) : NULL;
		break;
	case SCHEMA_BOOL:
		made = j->kind == JSON_STR ? bool_of(j->s) : NULL;
		break;
	case SCHEMA_LIST:
		for (size_t i = 0; j->kind == JSON_LIST && i < j->n; i++)
			j->items[i] = schema_coerce(t->element, j->items[i]);
		break;
	case SCHEMA_STRUCT:
	case SCHEMA_UNION:
		for (const struct schema_type *part = t; part && j->kind == JSON_DICT;
		     part = schema_variant(part, j))
			coerce_members(part, j);
		break;
	case SCHEMA_ALTERNATE: {
		const struct schema_type *choice = choose(t, j);
		return choice ? schema_coerce(choice, j) : j;
	}
	default:
		break;
	}
	if (!made)
		return j;
	json_free(j);
	return made;
}
