#include "block/object.h"
#include "base/keyval.h"
#include "base/base64.h"
#include "base/size.h"
#include "block/graph.h"
#include "block/iothread.h"
#include "block/throttle.h"
#include <errno.h>
#include <stdio.h>

enum { MAX_SECRET = 64 << 10 };

struct blk_object *blk_object_find(struct blk_graph *graph, const char *id)
{
	struct blk_object *o = graph->objects;
	while (o && strcmp(o->id, id) != 0)
		o = o->next;
	return o;
}

static void drop(struct blk_object *o)
{
	if (o->data)
		explicit_bzero(o->data, o->len);
	json_free(o->props);
	tls_creds_unref(o->tls);
	throttle_unref(o->throttle);
	iothread_free(o->thread);
	free(o->data);
	free(o->id);
	free(o->type);
	free(o);
}

void blk_objects_free(struct blk_graph *graph)
{
	while (graph->objects) {
		struct blk_object *o = graph->objects;
		graph->objects = o->next;
		drop(o);
	}
}

struct err *blk_object_del(struct blk_graph *graph, const char *id)
{
	struct blk_object **at = &graph->objects, *o;
	while (*at && strcmp((*at)->id, id) != 0)
		at = &(*at)->next;
	if (!(o = *at))
		return err_new(ERR_NOT_FOUND, "object '%s' not found", id);
	if (o->thread && iothread_is_used(o->thread))
		return err_new(ERR_BUSY, "object '%s' is in use, can not be deleted", id);
	*at = o->next;
	drop(o);
	return NULL;
}

static struct err *read_secret(const char *path, u8 **ret, size_t *ret_len)
{
	FILE *f = fopen(path, "re");
	if (!f)
		return err_errno(errno, "Unable to read %s", path);
	u8 *buf = alloc(MAX_SECRET);
	*ret_len = fread(buf, 1, MAX_SECRET, f);
	bool bad = ferror(f) || !feof(f);
	fclose(f);
	if (bad) {
		free(buf);
		return err_new(ERR_INVALID, "Unable to read %s: not a file of less than %d bytes", path,
			       MAX_SECRET);
	}
	*ret = buf;
	return NULL;
}

static struct err *decode_base64(struct blk_object *o)
{
	AUTO(free_ptr) u8 *text = o->data;
	o->data = NULL;
	return base64_decode((char *)text, o->len, &o->data, &o->len);
}

static struct err *make_secret(struct blk_graph *graph, struct blk_object *o)
{
	const char *data = json_get_str(o->props, "data"), *file = json_get_str(o->props, "file"),
		   *format = json_get_str(o->props, "format");
	if (data && file)
		return err_new(ERR_INVALID, "'file' and 'data' are mutually exclusive");
	if (!data && !file)
		return err_new(ERR_INVALID, "Must provide 'file' or 'data'");
	if (json_get(o->props, "keyid"))
		return err_new(ERR_UNSUPPORTED,
			       "secrets encrypted by another secret (keyid) are not supported");
	if (format && strcmp(format, "raw") != 0 && strcmp(format, "base64") != 0)
		return err_new(ERR_INVALID, "invalid value for 'format': %s", format);
	if (file) {
		struct err *e = read_secret(file, &o->data, &o->len);
		if (e)
			return e;
	} else {
		o->data = (u8 *)str_dup(data);
		o->len = strlen(data);
	}
	return format && strcmp(format, "base64") == 0 ? decode_base64(o) : NULL;
}

/* ---- TLS ---- */

static struct err *check_members(const struct json *props, const char *const *known)
{
	for (size_t i = 0; i < props->n; i++) {
		const char *const *k = known;
		while (*k && strcmp(*k, props->keys[i]) != 0)
			k++;
		if (!*k)
			return err_new(ERR_INVALID, "Invalid parameter '%s'", props->keys[i]);
	}
	return NULL;
}

static struct err *get_bool(const struct json *props, const char *name, bool *ret)
{
	AUTO(json_freep) struct json *one = json_dict();
	if (json_get(props, name))
		json_set(one, name, json_copy(json_get(props, name)));
	return blk_take_bool(one, name, ret);
}

static struct err *make_tls(struct blk_graph *graph, struct blk_object *o)
{
	static const char *const known[] = { "qom-type",     "id",	 "dir",	     "endpoint",
					     "verify-peer",  "priority", "username", "passwordid",
					     "sanity-check", NULL };
	struct tls_describe d = { .verify_peer = true,
				  .check = true,
				  .dir = json_get_str(o->props, "dir"),
				  .username = json_get_str(o->props, "username"),
				  .priority = json_get_str(o->props, "priority") };
	const char *endpoint = json_get_str(o->props, "endpoint"),
		   *pass = json_get_str(o->props, "passwordid"), *kind = o->type + strlen("tls-creds-");
	d.kind = strcmp(kind, "x509") == 0 ? TLS_X509 : strcmp(kind, "psk") == 0 ? TLS_PSK : TLS_ANON;
	d.server = endpoint && strcmp(endpoint, "server") == 0;
	struct err *e = check_members(o->props, known);
	if (!e && endpoint && !d.server && strcmp(endpoint, "client") != 0)
		e = err_new(ERR_INVALID, "Parameter 'endpoint' does not accept value '%s'", endpoint);
	if (!e && d.kind == TLS_X509 && !d.dir)
		e = err_new(ERR_INVALID, "Missing 'dir' property value");
	if (!e)
		e = get_bool(o->props, "verify-peer", &d.verify_peer);
	if (!e)
		e = get_bool(o->props, "sanity-check", &d.check);
	AUTO(free_ptr) char *password = NULL;
	if (!e && pass) {
		const u8 *secret;
		size_t len;
		e = blk_secret(graph, pass, &secret, &len);
		if (!e)
			d.password = password = strf("%.*s", (int)len, (const char *)secret);
	}
	return e ? e : tls_creds_new(&d, &o->tls);
}

struct err *blk_tls_creds(struct blk_graph *graph, const char *id, bool server, struct tls_creds **ret)
{
	struct blk_object *o = blk_object_find(graph, id);
	if (!o)
		return err_new(ERR_NOT_FOUND, "No TLS credentials with id '%s'", id);
	if (!o->tls)
		return err_new(ERR_INVALID, "Object with id '%s' is not TLS credentials", id);
	if (tls_creds_for_server(o->tls) != server)
		return err_new(ERR_INVALID, "Expected TLS credentials for a %s endpoint",
			       server ? "server" : "client");
	*ret = o->tls;
	return NULL;
}

static struct err *make_authz(struct blk_graph *graph, struct blk_object *o)
{
	static const char *const known[] = { "qom-type", "id", "identity", NULL };
	struct err *e = check_members(o->props, known);
	return e || json_get_str(o->props, "identity")
		   ? e
		   : err_new(ERR_INVALID, "Parameter 'identity' is missing");
}

struct err *blk_authz(struct blk_graph *graph, const char *id, const char **ret)
{
	struct blk_object *o = blk_object_find(graph, id);
	if (!o)
		return err_new(ERR_NOT_FOUND, "No authorization object with id '%s'", id);
	if (strcmp(o->type, "authz-simple") != 0)
		return err_new(ERR_INVALID, "Object with id '%s' is not an authorization", id);
	*ret = json_get_str(o->props, "identity");
	return NULL;
}

static struct err *make_throttle(struct blk_graph *graph, struct blk_object *o)
{
	return throttle_new(o->props, &o->throttle);
}

static struct err *get_count(const struct json *props, const char *name, i64 most, i64 *ret)
{
	const struct json *j = json_get(props, name);
	u64 val;
	if (!j)
		return NULL;
	if (j->kind == JSON_STR && size_parse(j->s, &val) == 0 && val <= (u64)most)
		*ret = val;
	else if (j->kind == JSON_INT && j->i >= 0 && j->i <= most)
		*ret = j->i;
	else
		return err_new(ERR_INVALID, "%s value must be in range [0, %lld]", name, (long long)most);
	return NULL;
}

static struct err *read_iothread(const struct json *props, struct loop_config *ret)
{
	i64 poll_max = 0, grow = 0, shrink = 0, min = 0, max = LOOP_MAX_WORKERS, batch = 0;
	struct err *e;
	if ((e = get_count(props, "poll-max-ns", INT64_MAX, &poll_max)) ||
	    (e = get_count(props, "poll-grow", INT32_MAX, &grow)) ||
	    (e = get_count(props, "poll-shrink", INT32_MAX, &shrink)) ||
	    (e = get_count(props, "thread-pool-min", LOOP_MAX_WORKERS, &min)) ||
	    (e = get_count(props, "thread-pool-max", LOOP_MAX_WORKERS, &max)) ||
	    (e = get_count(props, "aio-max-batch", INT64_MAX, &batch)))
		return e;
	if (batch)
		return err_new(
		    ERR_UNSUPPORTED,
		    "aio-max-batch is not built: requests are submitted as they come; leave it out, or 0");
	if (!max || min > max)
		return err_new(ERR_INVALID, "bad thread-pool-min/thread-pool-max values: %lld and %lld",
			       (long long)min, (long long)max);
	*ret = (struct loop_config){ poll_max, grow ? grow : LOOP_POLL_GROW, shrink, min, max };
	return NULL;
}

static struct err *make_iothread(struct blk_graph *graph, struct blk_object *o)
{
	static const char *const known[] = { "qom-type",
					     "id",
					     "poll-max-ns",
					     "poll-grow",
					     "poll-shrink",
					     "thread-pool-min",
					     "thread-pool-max",
					     "aio-max-batch",
					     NULL };
	struct loop_config config;
	struct err *e = check_members(o->props, known);
	if (!e)
		e = read_iothread(o->props, &config);
	if (e)
		return e;
	o->thread = iothread_new(graph, o->id);
	iothread_configure(o->thread, &config);
	return NULL;
}

/* One property of those it was made with, or could have been. */
static struct err *change_iothread(struct blk_object *o, const char *name, const struct json *val)
{
	AUTO(json_freep) struct json *props = json_copy(o->props);
	struct loop_config config;
	json_set(props, name, json_copy(val));
	struct err *e = read_iothread(props, &config);
	if (e)
		return e;
	iothread_configure(o->thread, &config);
	json_set(o->props, name, json_copy(val));
	return NULL;
}

struct iothread *blk_iothread(struct blk_graph *graph, const char *id)
{
	const struct blk_object *o = blk_object_find(graph, id);
	return o ? o->thread : NULL;
}

static const struct kind {
	const char *type;
	struct err *(*make)(struct blk_graph *graph, struct blk_object *o);
} kinds[] = {
	{ "secret", make_secret },	{ "tls-creds-x509", make_tls },	     { "tls-creds-psk", make_tls },
	{ "tls-creds-anon", make_tls }, { "throttle-group", make_throttle }, { "authz-simple", make_authz },
	{ "iothread", make_iothread },
};

static struct err *make(struct blk_graph *graph, struct blk_object *o, const char *type, const char *id)
{
	const struct kind *k = kinds;
	if (!type)
		return err_new(ERR_INVALID, "Parameter 'qom-type' is missing");
	if (!id)
		return err_new(ERR_INVALID, "Parameter 'id' is missing");
	if (!blk_id_ok(id))
		return err_hint(
		    err_new(ERR_INVALID, "Parameter 'id' expects an identifier"),
		    "Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.");
	while (k < kinds + LEN(kinds) && strcmp(k->type, type) != 0)
		k++;
	if (k == kinds + LEN(kinds))
		return err_new(ERR_INVALID, "Parameter 'qom-type' does not accept value '%s'", type);
	if (blk_object_find(graph, id))
		return err_new(ERR_INVALID,
			       "attempt to add duplicate property '%s' to object (type 'container')", id);
	return k->make(graph, o);
}

struct err *blk_object_add(struct blk_graph *graph, struct json *props)
{
	struct blk_object *o = alloc(sizeof(*o));
	o->props = props;
	const char *type = json_get_str(props, "qom-type"), *id = json_get_str(props, "id");
	o->type = str_dup(type ? type : "");
	o->id = str_dup(id ? id : "");
	struct err *e = make(graph, o, type, id);
	if (e) {
		drop(o);
		return e;
	}
	o->next = graph->objects;
	graph->objects = o;
	return NULL;
}

struct err *blk_object_add_text(struct blk_graph *graph, const char *text)
{
	struct json *props;
	struct err *e = keyval_parse(text, "qom-type", &props);
	return e ? e : blk_object_add(graph, props);
}

struct err *blk_secret(struct blk_graph *graph, const char *id, const u8 **ret, size_t *ret_len)
{
	struct blk_object *o = blk_object_find(graph, id);
	if (!o)
		return err_new(ERR_NOT_FOUND, "No secret with id '%s'", id);
	if (strcmp(o->type, "secret") != 0)
		return err_new(ERR_INVALID, "Object with id '%s' is not a secret", id);
	*ret = o->data;
	*ret_len = o->len;
	return NULL;
}

/* ---- properties ---- */

struct json *blk_object_get(const struct blk_object *o, const char *name)
{
	const struct json *given = json_get(o->props, name);
	if (!o->throttle)
		return given ? json_copy(given) : NULL;
	struct json *limits = throttle_limits(o->throttle);
	if (strcmp(name, "limits") == 0)
		return limits;
	struct json *one = strncmp(name, "x-", 2) == 0 ? json_take(limits, name + 2) : NULL;
	json_free(limits);
	return one;
}

struct err *blk_object_set(struct blk_object *o, const char *name, const struct json *val)
{
	if (o->throttle && strcmp(name, "limits") == 0)
		return throttle_change(o->throttle, val);
	if (o->thread)
		return change_iothread(o, name, val);
	return err_new(ERR_UNSUPPORTED, "Property cannot be set after initialization");
}
