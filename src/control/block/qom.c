/*
 * The tree of objects as clients see it: /objects/ID, /chardevs/ID. What properties a type has is taken from the schema's ObjectOptions.
 */
#include "block/graph.h"
#include "block/iothread.h"
#include "block/object.h"
#include "control/block/storage.h"

/* ---- types ---- */

/* Types that others descend from. */
static const struct parent {
	const char *type, *parent;
} parents[] = {
	{ "object", NULL },
	{ "authz", "object" },
	{ "chardev", "object" },
	{ "event-loop-base", "object" },
	{ "secret_common", "object" },
	{ "tls-creds", "object" },
};

/* Those of which there are objects, and whose name does not say what they descend from. */
static const struct parent concrete[] = {
	{ "authz-simple", "authz" },	   { "chardev-memory", "chardev-ringbuf" },
	{ "container", "object" },	   { "iothread", "event-loop-base" },
	{ "secret", "secret_common" },	   { "throttle-group", "object" },
	{ "tls-creds-anon", "tls-creds" }, { "tls-creds-psk", "tls-creds" },
	{ "tls-creds-x509", "tls-creds" },
};

static const char *in_table(const struct parent *table, size_t n, const char *type)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(table[i].type, type) == 0)
			return table[i].parent;
	return NULL;
}

static const char *parent_of(const char *type)
{
	const char *p = in_table(concrete, LEN(concrete), type);
	return p ? p : strncmp(type, "chardev-", 8) == 0 ? "chardev" : in_table(parents, LEN(parents), type);
}

static bool creatable(const char *type)
{
	return schema_enum(&schema_type_object_type, type) >= 0 &&
	       storage_offers(&schema_type_object_type, type);
}

static bool descends(const char *type, const char *from)
{
	if (strcmp(from, "user-creatable") == 0)
		return creatable(type);
	while (type && strcmp(type, from) != 0)
		type = parent_of(type);
	return type;
}

static void put_type(struct json *list, const char *type, bool abstract, const char *from)
{
	if (from && !descends(type, from))
		return;
	struct json *j = json_dict();
	const char *parent = parent_of(type);
	json_set(j, "name", json_str(type));
	json_set(j, "abstract", abstract ? json_bool(true) : NULL);
	json_set(j, "parent", parent ? json_str(parent) : NULL);
	json_add(list, j);
}

static struct err *qom_list_types(struct qmp_call *call)
{
	const char *from = json_get_str(call->json, "implements");
	call->ret = json_list();
	put_type(call->ret, "container", false, from);
	for (const struct schema_value *v = schema_type_object_type.values; v->name; v++)
		if (creatable(v->name))
			put_type(call->ret, v->name, false, from);
	for (const struct chr_kind *const *k = chr_kinds; *k; k++) {
		AUTO(free_ptr) char *type = strf("chardev-%s", (*k)->name);
		put_type(call->ret, type, false, from);
	}
	for (size_t i = 0; i < LEN(parents) && json_get_bool(call->json, "abstract", false); i++)
		put_type(call->ret, parents[i].type, true, from);
	return NULL;
}
QMP_COMMAND(qom_list_types) = { &schema_command_qom_list_types, qom_list_types };

/* ---- properties ---- */

static const char *type_name(const struct schema_type *t)
{
	return t->kind == SCHEMA_STR ? "string" : t->name;
}

static void put_property(struct json *list, const char *name, const char *type)
{
	struct json *j = json_dict();
	json_set(j, "name", json_str(name));
	json_set(j, "type", json_str(type));
	json_add(list, j);
}

/* Members beside qom-type and id; ends with a row of zeros. */
static const struct schema_member *members_of(const char *type)
{
	static const struct schema_member none[] = { { 0 } };
	for (const struct schema_variant *v = schema_type_object_options.variants; v->value; v++)
		if (strcmp(v->value, type) == 0)
			return v->type->members;
	return none;
}

static struct json *properties(const char *type)
{
	struct json *list = json_list();
	put_property(list, "type", "string");
	for (const struct schema_member *m = members_of(type); m->name; m++)
		put_property(list, m->name, type_name(m->type));
	return list;
}

static bool known_type(const char *type)
{
	if (strncmp(type, "chardev-", 8) == 0)
		for (const struct chr_kind *const *k = chr_kinds; *k; k++)
			if (strcmp((*k)->name, type + 8) == 0)
				return true;
	return strcmp(type, "object") == 0 || strcmp(type, "container") == 0 || creatable(type) ||
	       in_table(parents, LEN(parents), type);
}

static struct err *qom_list_properties(struct qmp_call *call)
{
	const struct qom_list_properties_arg *a = call->arg;
	if (!known_type(a->typename))
		return err_new(ERR_NO_DEVICE, "Class '%s' not found", a->typename);
	call->ret = properties(a->typename);
	return NULL;
}
QMP_COMMAND(qom_list_properties) = { &schema_command_qom_list_properties, qom_list_properties };

/* ---- paths ---- */

enum place { ROOT, OBJECTS, CHARDEVS, PLACES };
static const char *const places[PLACES] = { "", "objects", "chardevs" };

/* What a path leads to: the object or device, or the container itself. */
struct target {
	enum place place;
	struct blk_object *object;
	struct chr *chr;
};

static bool is_container(const struct target *t)
{
	return !t->object && !t->chr;
}

/* Containers are there as soon as there is something in them. */
static bool filled(const struct control *c, enum place p)
{
	return p == OBJECTS ? c->storage->graph->objects != NULL : c->chrs->list != NULL;
}

static bool find_child(const struct control *c, enum place p, const char *id, struct target *ret)
{
	struct target t = { .place = p };
	if (p == OBJECTS)
		t.object = blk_object_find(c->storage->graph, id);
	else
		t.chr = chr_find(c->chrs, id);
	if (!is_container(&t))
		*ret = t;
	return !is_container(&t);
}

/* How many places the words of a path lead to; ret: one of them. */
static unsigned find_all(const struct control *c, char *const *words, unsigned n, bool absolute,
			 struct target *ret)
{
	unsigned found = 0;
	if (!n) {
		*ret = (struct target){ .place = ROOT };
		return absolute ? 1 : PLACES;
	}
	for (enum place p = OBJECTS; p < PLACES; p++) {
		if (n == 1 && !absolute)
			found += find_child(c, p, words[0], ret);
		if (!filled(c, p) || strcmp(words[0], places[p]) != 0)
			continue;
		if (n == 1)
			*ret = (struct target){ .place = p };
		found += n == 1 || find_child(c, p, words[1], ret);
	}
	return found;
}

static struct err *resolve(const struct control *c, const char *path, struct target *ret)
{
	AUTO(free_ptr) char *copy = str_dup(path);
	char *words[3], *rest = NULL;
	unsigned n = 0, found = 0;
	for (char *w = strtok_r(copy, "/", &rest); w && n < LEN(words); w = strtok_r(NULL, "/", &rest))
		words[n++] = w;
	if (n < LEN(words))
		found = find_all(c, words, n, path[0] == '/', ret);
	if (!found)
		return err_new(ERR_NO_DEVICE, "Device '%s' not found", path);
	return found == 1 ? NULL : err_new(ERR_INVALID, "Path '%s' is ambiguous", path);
}

/* The caller frees it. */
static char *type_of(const struct target *t)
{
	return t->chr ? strf("chardev-%s", t->chr->kind->name)
		      : str_dup(t->object ? t->object->type : "container");
}

/* ---- what lies in containers ---- */

static void put_child(struct json *list, const char *name, const struct target *t)
{
	AUTO(free_ptr) char *type = type_of(t), *text = strf("child<%s>", type);
	put_property(list, name, text);
}

static struct json *children(const struct control *c, enum place place)
{
	struct json *list = properties("container");
	for (enum place p = OBJECTS; p < PLACES && place == ROOT; p++)
		if (filled(c, p))
			put_child(list, places[p], &(struct target){ .place = p });
	for (struct blk_object *o = c->storage->graph->objects; o && place == OBJECTS; o = o->next)
		put_child(list, o->id, &(struct target){ .object = o });
	for (struct chr *d = c->chrs->list; d && place == CHARDEVS; d = d->next)
		put_child(list, d->id, &(struct target){ .chr = d });
	return list;
}

static struct err *qom_list(struct qmp_call *call)
{
	const struct qom_list_arg *a = call->arg;
	struct target t;
	struct err *e = resolve(call->control, a->path, &t);
	if (e)
		return e;
	AUTO(free_ptr) char *type = type_of(&t);
	call->ret = is_container(&t) ? children(call->control, t.place) : properties(type);
	return NULL;
}
QMP_COMMAND(qom_list) = { &schema_command_qom_list, qom_list };

/* ---- one property ---- */

static struct err *no_property(const struct target *t, const char *name, const char *what)
{
	AUTO(free_ptr) char *type = type_of(t);
	return err_new(ERR_INVALID, "Property '%s.%s' %s", type, name, what);
}

/* Whether a container holds it, as a property that is the path of what it holds. */
static bool holds(const struct control *c, const struct target *t, const char *name)
{
	struct target child;
	if (!is_container(t))
		return false;
	if (t->place != ROOT)
		return find_child(c, t->place, name, &child);
	return (strcmp(name, places[OBJECTS]) == 0 && filled(c, OBJECTS)) ||
	       (strcmp(name, places[CHARDEVS]) == 0 && filled(c, CHARDEVS));
}

static const struct schema_member *find_member(const struct target *t, const char *name)
{
	if (!t->object)
		return NULL;
	const struct schema_member *m = members_of(t->object->type);
	while (m->name && strcmp(m->name, name) != 0)
		m++;
	return m->name ? m : NULL;
}

/* What a property is that was not given. */
static struct json *usual(const struct schema_member *m)
{
	static const struct {
		const char *name;
		i64 val;
	} numbers[] = { { "thread-pool-max", LOOP_MAX_WORKERS } };
	switch (m->type->kind) {
	case SCHEMA_BOOL:
		return json_bool(true);
	case SCHEMA_ENUM:
		return json_str(m->type->values[0].name);
	case SCHEMA_STR:
		return json_str("");
	default:
		for (size_t i = 0; i < LEN(numbers); i++)
			if (strcmp(numbers[i].name, m->name) == 0)
				return json_int(numbers[i].val);
		return json_int(0);
	}
}

static struct err *qom_get(struct qmp_call *call)
{
	const struct qom_get_arg *a = call->arg;
	struct target t;
	struct err *e = resolve(call->control, a->path, &t);
	if (e)
		return e;
	const struct schema_member *m = find_member(&t, a->property);
	if (strcmp(a->property, "type") == 0) {
		AUTO(free_ptr) char *type = type_of(&t);
		call->ret = json_str(type);
	} else if (holds(call->control, &t, a->property)) {
		call->ret = t.place == ROOT ? json_strf("/%s", a->property)
					    : json_strf("/%s/%s", places[t.place], a->property);
	} else if (m) {
		call->ret = blk_object_get(t.object, m->name);
		call->ret = call->ret ? call->ret : usual(m);
	} else {
		e = no_property(&t, a->property, "not found");
	}
	return e;
}
QMP_COMMAND(qom_get) = { &schema_command_qom_get, qom_get };

static struct err *check_value(const struct schema_member *m, const struct json *val)
{
	const struct schema_member only[] = { *m, { 0 } };
	const struct schema_type type = { .kind = SCHEMA_STRUCT, .members = only };
	AUTO(json_freep) struct json *j = json_dict();
	json_set(j, m->name, json_copy(val));
	return schema_check(&type, j, storage_offers);
}

static struct err *qom_set(struct qmp_call *call)
{
	const struct qom_set_arg *a = call->arg;
	struct target t;
	struct err *e = resolve(call->control, a->path, &t);
	if (e)
		return e;
	const struct schema_member *m = find_member(&t, a->property);
	if (strcmp(a->property, "type") == 0 || holds(call->control, &t, a->property))
		return no_property(&t, a->property, "is not writable");
	if (!m)
		return no_property(&t, a->property, "not found");
	e = check_value(m, a->value);
	return e ? e : blk_object_set(t.object, m->name, a->value);
}
QMP_COMMAND(qom_set) = { &schema_command_qom_set, qom_set };
