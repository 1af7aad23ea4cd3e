/* Making images: blockdev-create, and files that other commands need. */
#include "control/block/storage.h"
#include "block/job/kinds.h"
#include "block/root.h"

/* ---- blockdev-create ---- */

struct creation {
	struct storage *storage;
	const struct blk_driver *driver;
	struct json *opts; /* strings, by the names of the driver's table */
	u64 size;
	struct blk_node *file; /* NULL: the driver makes a file */
};

static struct err *make(void *user)
{
	struct creation *m = user;
	struct blk_create c = { .graph = m->storage->graph,
				.filename = json_get_str(m->opts, "filename"),
				.opts = m->opts,
				.size = m->size,
				.file = m->file };
	AUTO(json_freep) struct json *name = json_take(m->opts, "filename"); /* no option of the table */
	struct err *e = blk_opts_check(m->opts, m->driver->create_opts, NULL);
	if (!e)
		e = m->driver->create(&c);
	int r = !e && m->file ? blk_flush(m->file) : 0;
	return r ? err_errno(-r, "Could not flush '%s'", m->file->node_name) : e;
}

static void made(void *user)
{
	struct creation *m = user;
	json_free(m->opts);
	blk_unref(m->file);
	free(m);
}

/* "cluster-size" of the schema is "cluster_size" of the formats; a version is a compatibility level. */
static void set_option(struct json *opts, const struct blk_driver *d, const char *name, const struct json *v)
{
	AUTO(free_ptr) char *key = str_dup(name);
	const struct blk_opt *same = d->create_opts;
	while (same->name && strcmp(same->name, name) != 0)
		same++;
	for (char *p = key; *p && !same->name; p++)
		*p = *p == '-' ? '_' : *p;
	if (strcmp(name, "version") == 0)
		json_set(opts, "compat", json_str(strcmp(v->s, "v2") == 0 ? "0.10" : "1.1"));
	else if (v->kind == JSON_BOOL)
		json_set(opts, key, json_str(v->b ? "on" : "off"));
	else if (v->kind == JSON_INT)
		json_set(opts, key, json_strf("%lld", (long long)v->i));
	else if (v->kind == JSON_STR)
		json_set(opts, key, json_str(v->s));
}

/* "encrypt": {"format": "luks", "key-secret": ...} becomes encrypt.format, encrypt.key-secret, ... */
static void set_nested(struct json *opts, const char *name, const struct json *v)
{
	for (size_t i = 0; i < v->n; i++) {
		AUTO(free_ptr) char *key = strf("%s.%s", name, v->keys[i]);
		json_set(opts, key,
			 v->items[i]->kind == JSON_INT ? json_strf("%lld", (long long)v->items[i]->i)
						       : json_copy(v->items[i]));
	}
}

/* What a client gives as members of the schema, as the formats' options. */
static void take_given(struct json *opts, const struct blk_driver *d, const struct json *given)
{
	for (size_t i = 0; i < given->n; i++) {
		const char *key = given->keys[i];
		if (strcmp(key, "driver") == 0 || strcmp(key, "file") == 0)
			continue;
		if (given->items[i]->kind == JSON_DICT)
			set_nested(opts, key, given->items[i]);
		else
			set_option(opts, d, key, given->items[i]);
	}
}

static struct err *open_ref(struct storage *s, const struct json *ref, struct blk_node **ret)
{
	if (ref->kind == JSON_DICT)
		return blk_open(s->graph, NULL, NULL, json_copy(ref),
				BLK_RDWR | BLK_PROTOCOL | BLK_RESIZE | BLK_UNMAP, ret);
	bool was;
	struct err *e = storage_find(s, ref->s, ref->s, ret);
	if (!e && (*ret)->flags & BLK_AUTO_RDONLY)
		e = blk_make_writable(*ret, &was);
	if (!e)
		blk_ref(*ret);
	return e;
}

static struct err *blockdev_create(struct qmp_call *call)
{
	struct storage *s = call->control->storage;
	const struct json *given = json_get(call->json, "options"), *file = json_get(given, "file");
	const char *name = json_get_str(given, "driver");
	const struct blk_driver *d = blk_driver_find(name);
	if (!d->create || !d->create_opts)
		return err_new(ERR_UNSUPPORTED, "Driver '%s' does not support blockdev-create", name);
	if (json_get(given, "data-file"))
		return err_new(
		    ERR_UNSUPPORTED,
		    "'data-file' is not built for blockdev-create: use qemu-img create -o data_file=FILE");
	struct creation *m = alloc(sizeof(*m));
	*m = (struct creation){
		.storage = s, .driver = d, .opts = json_dict(), .size = json_get_int(given, "size", 0)
	};
	take_given(m->opts, d, given);
	struct err *e = file ? open_ref(s, file, &m->file) : NULL;
	struct job_work w = { .o = { .id = json_get_str(call->json, "job-id"), .auto_finalize = true },
			      .work = make,
			      .done = made,
			      .user = m };
	if (!e)
		e = job_work(&s->jobs, &w);
	if (e)
		made(m);
	return e;
}
QMP_COMMAND(blockdev_create) = { &schema_command_blockdev_create, blockdev_create };

/* ---- x-blockdev-amend ---- */

struct amendment {
	struct blk_node *node; /* a reference */
	struct json *opts;
	bool force;
};

static void no_progress(void *user UNUSED, u64 done UNUSED, u64 total UNUSED)
{
}

static struct err *amend(void *user)
{
	struct amendment *m = user;
	const struct blk_driver *d = m->node->driver;
	struct err *e = blk_opts_check(m->opts, d->create_opts, NULL);
	if (e || !m->opts->n)
		return e;
	blk_quiesce(m->node->graph);
	e = d->amend(m->node, m->opts, m->force, no_progress, NULL);
	blk_resume(m->node->graph);
	return e;
}

static void amended(void *user)
{
	struct amendment *m = user;
	json_free(m->opts);
	blk_unref(m->node);
	free(m);
}

static struct err *blockdev_amend(struct qmp_call *call)
{
	struct storage *s = call->control->storage;
	const struct x_blockdev_amend_arg *a = call->arg;
	const struct json *given = json_get(call->json, "options");
	struct blk_node *node;
	struct err *e = storage_find(s, NULL, a->node_name, &node);
	if (!e && strcmp(node->driver->name, json_get_str(given, "driver")) != 0)
		e = err_new(ERR_INVALID, "x-blockdev-amend doesn't support changing the block driver");
	if (!e && !node->driver->amend)
		e = err_new(ERR_UNSUPPORTED, "Driver does not support x-blockdev-amend");
	if (!e)
		e = job_check_node(&s->jobs, node);
	bool was;
	if (!e)
		e = blk_make_writable(node, &was);
	if (e)
		return e;
	struct amendment *m = alloc(sizeof(*m));
	*m = (struct amendment){ .node = blk_ref(node), .opts = json_dict(), .force = a->force };
	take_given(m->opts, node->driver, given);
	struct job_work w = { .o = { .id = a->job_id, .auto_finalize = true },
			      .amends = true,
			      .node = node,
			      .work = amend,
			      .done = amended,
			      .user = m };
	if ((e = job_work(&s->jobs, &w)))
		amended(m);
	return e;
}
QMP_COMMAND(x_blockdev_amend) = { &schema_command_x_blockdev_amend, blockdev_amend };

/* ---- files that drive-mirror, drive-backup and snapshots make ---- */

struct err *storage_open_target(struct storage *s, const struct storage_target *t, struct blk_node **ret)
{
	const char *format = t->format ? t->format : t->existing ? NULL : t->source->driver->name;
	struct json *how = json_dict();
	struct err *e = NULL;
	if (!t->existing) {
		struct json *opts = json_dict();
		json_set(opts, "size", json_strf("%llu", (unsigned long long)blk_size(t->source)));
		const struct blk_node *named = t->backing ? t->backing : t->names;
		if (named) {
			json_set(opts, "backing_file", json_str(named->filename));
			json_set(opts, "backing_fmt", json_str(named->driver->name));
		}
		e = blk_create_image(s->graph, t->filename, format, opts);
	}
	if (t->node_name)
		json_set(how, "node-name", json_str(t->node_name));
	if (t->backing)
		json_set(how, "backing", json_str(t->backing->node_name));
	else if (t->no_backing)
		json_set(how, "backing", json_null());
	if (e)
		json_free(how);
	return e ? e
		 : blk_open(s->graph, t->filename, format, how,
			    BLK_RDWR | (t->source->flags & (BLK_UNMAP | BLK_DIRECT)), ret);
}
