/* The schema as clients ask for it: query-qmp-schema. */
#include "control/schema/schema.h"
#include <stdio.h>

/* A type that was reached gets the next number; a list's name is its element's in brackets. */
struct describe {
	schema_offers offers;
	const struct schema_type **types;
	size_t n, cap;
	struct json *out;
};

static const struct schema_type nothing = { .name = "nothing",
					    .kind = SCHEMA_STRUCT,
					    .members = (const struct schema_member[]){ { 0 } } };

static struct json *name_of(struct describe *d, const struct schema_type *t)
{
	if (t->kind == SCHEMA_INT)
		t = &schema_type_int;
	size_t i = 0;
	while (i < d->n && d->types[i] != t)
		i++;
	if (i == d->n) {
		d->types = grow(d->types, &d->cap, d->n + 1, sizeof(*d->types));
		d->types[d->n++] = t;
	}
	if (t->kind == SCHEMA_LIST) {
		AUTO(json_freep) struct json *element = name_of(d, t->element);
		return json_strf("[%s]", element->s);
	}
	if (t->kind < SCHEMA_LIST)
		return json_str(t->name);
	return json_strf("%zu", i);
}

static void put_features(struct json *j, const char *const *features)
{
	if (!features)
		return;
	struct json *list = json_list();
	for (; *features; features++)
		json_add(list, json_str(*features));
	json_set(j, "features", list);
}

static bool offered(struct describe *d, const struct schema_type *enumeration, const char *value)
{
	return !d->offers || d->offers(enumeration, value);
}

static void put_builtin(struct describe *d UNUSED, const struct schema_type *t, struct json *j)
{
	static const char *const names[] = {
		[SCHEMA_STR] = "string",    [SCHEMA_BOOL] = "boolean", [SCHEMA_INT] = "int",
		[SCHEMA_NUMBER] = "number", [SCHEMA_ANY] = "value",    [SCHEMA_NULL] = "null"
	};
	json_set(j, "json-type", json_str(names[t->kind]));
}

static void put_enum(struct describe *d, const struct schema_type *t, struct json *j)
{
	struct json *members = json_list(), *values = json_list();
	for (const struct schema_value *v = t->values; v->name; v++) {
		if (!offered(d, t, v->name))
			continue;
		struct json *m = json_dict();
		json_set(m, "name", json_str(v->name));
		put_features(m, v->features);
		json_add(members, m);
		json_add(values, json_str(v->name));
	}
	json_set(j, "members", members);
	json_set(j, "values", values);
}

/* Every value of the tag has its variant; one that adds nothing an empty one. */
static void put_variants(struct describe *d, const struct schema_type *t, struct json *j)
{
	const struct schema_type *tag = NULL;
	struct json *list = json_list();
	for (const struct schema_member *m = t->members; m->name; m++)
		if (strcmp(m->name, t->tag) == 0)
			tag = m->type;
	for (const struct schema_value *v = tag->values; v->name; v++) {
		const struct schema_variant *row = t->variants;
		while (row->value && strcmp(row->value, v->name) != 0)
			row++;
		if (!offered(d, tag, v->name))
			continue;
		struct json *m = json_dict();
		json_set(m, "case", json_str(v->name));
		json_set(m, "type", name_of(d, row->value ? row->type : &nothing));
		json_add(list, m);
	}
	json_set(j, "tag", json_str(t->tag));
	json_set(j, "variants", list);
}

static void put_object(struct describe *d, const struct schema_type *t, struct json *j)
{
	struct json *list = json_list();
	if (t->kind == SCHEMA_UNION)
		put_variants(d, t, j);
	for (const struct schema_member *m = t->members; m->name; m++) {
		struct json *one = json_dict();
		json_set(one, "name", json_str(m->name));
		if (m->optional)
			json_set(one, "default", json_null());
		json_set(one, "type", name_of(d, m->type));
		put_features(one, m->features);
		json_add(list, one);
	}
	json_set(j, "members", list);
}

static void put_type(struct describe *d, const struct schema_type *t)
{
	static const char *const meta[] = {
		[SCHEMA_LIST] = "array",   [SCHEMA_ENUM] = "enum",	     [SCHEMA_STRUCT] = "object",
		[SCHEMA_UNION] = "object", [SCHEMA_ALTERNATE] = "alternate",
	};
	struct json *j = json_dict();
	json_set(j, "name", name_of(d, t));
	switch (t->kind) {
	case SCHEMA_LIST:
		json_set(j, "element-type", name_of(d, t->element));
		break;
	case SCHEMA_ENUM:
		put_enum(d, t, j);
		break;
	case SCHEMA_STRUCT:
	case SCHEMA_UNION:
		put_object(d, t, j);
		break;
	case SCHEMA_ALTERNATE: {
		struct json *list = json_list();
		for (const struct schema_type *const *c = t->choices; *c; c++) {
			struct json *one = json_dict();
			json_set(one, "type", name_of(d, *c));
			json_add(list, one);
		}
		json_set(j, "members", list);
		break;
	}
	default:
		put_builtin(d, t, j);
	}
	json_set(j, "meta-type", json_str(t->kind < SCHEMA_LIST ? "builtin" : meta[t->kind]));
	json_add(d->out, j);
}

struct json *schema_describe(const struct schema_command *const *commands, size_t n, schema_offers offers)
{
	struct describe d = { .offers = offers, .out = json_list() };
	json_free(name_of(&d, &nothing));
	for (size_t i = 0; i < n; i++) {
		struct json *j = json_dict();
		json_set(j, "name", json_str(commands[i]->name));
		json_set(j, "ret-type", name_of(&d, commands[i]->returns ? commands[i]->returns : &nothing));
		json_set(j, "meta-type", json_str("command"));
		json_set(j, "arg-type",
			 name_of(&d, commands[i]->arg->members->name ? commands[i]->arg : &nothing));
		if (commands[i]->oob)
			json_set(j, "allow-oob", json_bool(true));
		put_features(j, commands[i]->features);
		json_add(d.out, j);
	}
	for (const struct schema_event *const *e = schema_events; *e; e++) {
		struct json *j = json_dict();
		json_set(j, "name", json_str((*e)->name));
		json_set(j, "meta-type", json_str("event"));
		json_set(j, "arg-type", name_of(&d, (*e)->data->members->name ? (*e)->data : &nothing));
		json_add(d.out, j);
	}
	for (size_t i = 0; i < d.n; i++) /* grows meanwhile */
		put_type(&d, d.types[i]);
	free(d.types);
	return d.out;
}
