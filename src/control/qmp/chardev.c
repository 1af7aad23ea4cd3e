/* Character devices. */
#include "control/qmp/qmp.h"
#include "schema.gen.h"

static struct err *query_chardev(struct qmp_call *call)
{
	call->ret = json_list();
	for (const struct chr *c = call->control->chrs->list; c; c = c->next) {
		AUTO(free_ptr) char *text = chr_text(c);
		struct json *j = json_dict();
		json_set(j, "frontend-open", json_bool(c->used));
		json_set(j, "filename", json_str(text));
		json_set(j, "label", json_str(c->id));
		json_add(call->ret, j);
	}
	return NULL;
}
QMP_COMMAND(query_chardev) = { &schema_command_query_chardev, query_chardev };

static struct err *query_chardev_backends(struct qmp_call *call)
{
	call->ret = json_list();
	for (const struct chr_kind *const *k = chr_kinds; *k; k++) {
		struct json *j = json_dict();
		json_set(j, "name", json_str((*k)->name));
		json_add(call->ret, j);
	}
	return NULL;
}
QMP_COMMAND(query_chardev_backends) = { &schema_command_query_chardev_backends, query_chardev_backends };

/* {"a": 1, "b": true, "addr": {"type": "inet", "data": {...}}}: as command lines write it, strings by name. */
static void as_options(const struct json *from, struct json *to)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct json *v = from->items[i];
		const char *key = strcmp(from->keys[i], "str") == 0 ? "fd" : from->keys[i];
		if (v->kind == JSON_DICT)
			as_options(json_get(v, "data") ? json_get(v, "data") : v, to);
		else if (v->kind == JSON_BOOL)
			json_set(to, key, json_str(v->b ? "on" : "off"));
		else if (v->kind == JSON_INT)
			json_set(to, key, json_strf("%lld", (long long)v->i));
		else
			json_set(to, key, json_copy(v));
	}
}

/* {"id": ..., "backend": {"type": ..., "data": {...}}} as chr_add takes it. */
static struct json *device_options(const struct json *args)
{
	const struct json *backend = json_get(args, "backend");
	const char *type = json_get_str(backend, "type");
	bool is_socket = strcmp(type, "socket") == 0;
	struct json *opts = json_dict();
	as_options(json_get(backend, "data"), opts);
	/* The schema's names for what command lines call path; sockets are servers unless told otherwise. */
	struct json *path = json_take(opts, strcmp(type, "file") == 0 ? "out" : "device");
	json_set(opts, "path", path);
	if (is_socket && !json_get(opts, "server"))
		json_set(opts, "server", json_str("on"));
	if (is_socket && !json_get(opts, "wait") && strcmp(json_get_str(opts, "server"), "on") == 0)
		json_set(opts, "wait", json_str("off"));
	json_set(opts, "backend", json_str(type));
	json_set(opts, "id", json_copy(json_get(args, "id")));
	return opts;
}

static struct err *not_added(struct err *e, const char *id)
{
	return e ? err_in(e, "Failed to add chardev '%s'", id) : NULL;
}

/* {"pty": ...} of a device that made a terminal. */
static struct json *made(const struct chr *c)
{
	struct json *j = json_dict();
	if (c->kind->terminal)
		json_set(j, "pty", json_str(c->kind->terminal(c)));
	return j;
}

static struct err *chardev_add(struct qmp_call *call)
{
	const char *id = json_get_str(call->json, "id");
	bool taken = chr_find(call->control->chrs, id);
	struct err *e = chr_add(call->control->chrs, device_options(call->json));
	if (e)
		return taken ? e : not_added(e, id);
	call->ret = made(chr_find(call->control->chrs, id));
	return NULL;
}
QMP_COMMAND(chardev_add) = { &schema_command_chardev_add, chardev_add };

static struct err *chardev_change(struct qmp_call *call)
{
	const char *id = json_get_str(call->json, "id");
	const struct chr *old = chr_find(call->control->chrs, id);
	bool may = old && !old->used;
	struct err *e = chr_change(call->control->chrs, device_options(call->json));
	if (e)
		return may ? not_added(e, id) : e;
	call->ret = made(chr_find(call->control->chrs, id));
	return NULL;
}
QMP_COMMAND(chardev_change) = { &schema_command_chardev_change, chardev_change };

static struct err *chardev_send_break(struct qmp_call *call)
{
	const struct chardev_send_break_arg *a = call->arg;
	/* Monitors, so far the only users of devices, take no notice. */
	return chr_find(call->control->chrs, a->id) ? NULL
						    : err_new(ERR_NOT_FOUND, "Chardev '%s' not found", a->id);
}
QMP_COMMAND(chardev_send_break) = { &schema_command_chardev_send_break, chardev_send_break };

static struct err *chardev_remove(struct qmp_call *call)
{
	const struct chardev_remove_arg *a = call->arg;
	return chr_remove(call->control->chrs, a->id);
}
QMP_COMMAND(chardev_remove) = { &schema_command_chardev_remove, chardev_remove };
