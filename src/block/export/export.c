#include "block/export/export.h"
#include "block/dirty.h"
#include "block/iothread.h"
#include "block/object.h"
#include "block/root.h"

const struct blk_export_kind *blk_export_kind_find(const char *name)
{
	for (const struct blk_export_kind *const *k = blk_export_kinds; *k; k++)
		if (strcmp((*k)->name, name) == 0)
			return *k;
	return NULL;
}

struct blk_export *blk_export_find(const struct blk_exports *all, const char *id)
{
	struct blk_export *x = all->list;
	while (x && strcmp(x->id, id) != 0)
		x = x->next;
	return x;
}

static void drop(struct blk_export *x)
{
	iothread_unuse(x->thread);
	free(x->state);
	free(x->node_name);
	free(x->id);
	free(x);
}

static struct err *check(const struct blk_exports *all, struct blk_node *node, const struct json *opts)
{
	const char *id = json_get_str(opts, "id"), *name = json_get_str(opts, "node-name");
	bool writable = json_get_bool(opts, "writable", false);
	if (!blk_id_ok(id))
		return err_new(ERR_INVALID, "Invalid block export id");
	if (blk_export_find(all, id))
		return err_new(ERR_INVALID, "Block export id '%s' is already in use", id);
	if (!node)
		return err_new(ERR_NOT_FOUND, "Cannot find device='' nor node-name='%s'", name);
	bool was;
	if (writable && node->flags & BLK_AUTO_RDONLY) {
		struct err *e = blk_make_writable(node, &was);
		if (e)
			return e;
	}
	return writable ? blk_need_writable(node) : NULL;
}

/* The thread that is asked for, or the node's. It is the export's alone: a node may be used by any. */
static struct err *find_thread(struct blk_node *node, const struct json *opts, struct iothread **ret)
{
	const char *id = json_get_str(opts, "iothread");
	*ret = id ? blk_iothread(node->graph, id) : node->thread;
	return id && !*ret ? err_new(ERR_NOT_FOUND, "iothread \"%s\" not found", id) : NULL;
}

struct err *blk_export_add(struct blk_exports *all, struct blk_graph *graph, const struct json *opts)
{
	const char *name = json_get_str(opts, "node-name"), *type = json_get_str(opts, "type");
	struct blk_node *node = blk_find(graph, name);
	const struct blk_export_kind *kind = blk_export_kind_find(type);
	if (!kind)
		return err_new(ERR_UNSUPPORTED, "No driver found for the requested export type '%s'", type);
	struct err *e = check(all, node, opts);
	bool writable = json_get_bool(opts, "writable", false);
	struct blk_use use = { BLK_PERM_READ | (writable ? kind->write_perms : 0), kind->shares, "root" };
	AUTO(free_ptr) char *what = strf("block export '%s'", json_get_str(opts, "id"));
	struct iothread *thread = NULL;
	if (!e)
		e = find_thread(node, opts, &thread);
	if (!e)
		e = blk_check_use(node, use, what);
	if (!e)
		e = iothread_use(thread);
	if (e)
		return e;
	struct blk_export *x = alloc(sizeof(*x));
	*x = (struct blk_export){ .all = all,
				  .graph = graph,
				  .kind = kind,
				  .id = str_dup(json_get_str(opts, "id")),
				  .node_name = str_dup(name),
				  .state = alloc(kind->state_size),
				  .writable = writable,
				  .use = use,
				  .thread = thread,
				  .writethrough = json_get_bool(opts, "writethrough", false) };
	if ((e = kind->open(x, node, opts))) {
		drop(x);
		return e;
	}
	struct blk_export **at = &all->list;
	while (*at)
		at = &(*at)->next;
	*at = x;
	return NULL;
}

void blk_export_end(struct blk_export *x)
{
	struct blk_exports *all = x->all;
	x->ending = true;
	blk_hurry(x->graph, true);
	x->kind->close(x);
	blk_hurry(x->graph, false);
	struct blk_export **at = &all->list;
	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	if (all->gone)
		all->gone(all->user, x->id);
	drop(x);
}

void blk_exports_end(struct blk_exports *all, const struct blk_export_kind *kind)
{
again:
	for (struct blk_export *x = all->list; x; x = x->next)
		if (!x->ending && (!kind || x->kind == kind)) {
			blk_export_end(x);
			goto again;
		}
}

struct err *blk_export_bitmap(struct blk_node *node, const char *node_name, const char *name,
			      struct blk_dirty **ret)
{
	struct blk_dirty *d = NULL;
	if (node_name) {
		node = blk_find(node->graph, node_name);
		if (!node)
			return err_new(ERR_NOT_FOUND, "Cannot find device='' nor node-name='%s'", node_name);
		d = blk_dirty_find(node, name);
	} else {
		for (; node && !d; node = node->backing ? node->backing : node->file)
			d = blk_dirty_find(node, name);
	}
	if (!d)
		return err_new(ERR_NOT_FOUND, "Bitmap '%s' is not found", name);
	if (d->busy)
		return err_new(ERR_BUSY,
			       "Bitmap '%s' is currently in use by another operation and cannot be used",
			       name);
	if (d->inconsistent)
		return err_hint(err_new(ERR_INVALID, "Bitmap '%s' is inconsistent and cannot be used", name),
				"Try block-dirty-bitmap-remove to delete this bitmap from disk");
	*ret = d;
	return NULL;
}
