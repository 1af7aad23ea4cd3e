/* Exports of the NBD server that nbd-server-start made. */
#include "block/export/export.h"
#include "block/export/nbd.h"
#include "block/iothread.h"

struct state {
	struct nbd_export *export;
};

static struct err *check_name(const struct blk_exports *all, const char *name, const char *description)
{
	enum { MAX_STRING = 4096 };
	if (!all->nbd)
		return err_new(ERR_INVALID, "NBD server not running");
	if (strlen(name) > MAX_STRING)
		return err_new(ERR_INVALID, "export name '%s' too long", name);
	if (description && strlen(description) > MAX_STRING)
		return err_new(ERR_INVALID, "description '%s' too long", description);
	for (const struct nbd_export *x = all->nbd->exports; x; x = x->next)
		if (strcmp(x->name, name) == 0)
			return err_new(ERR_INVALID, "NBD server already has export named '%s'", name);
	return NULL;
}

/* What serves the bitmaps must not change them: a writable export follows none. */
static struct err *find_bitmaps(struct blk_export *x, struct blk_node *node, const struct json *list,
				struct blk_dirty **ret)
{
	struct err *e = NULL;
	for (size_t i = 0; list && i < list->n && !e; i++) {
		const struct json *j = list->items[i];
		bool plain = j->kind == JSON_STR;
		e = blk_export_bitmap(node, plain ? NULL : json_get_str(j, "node"),
				      plain ? j->s : json_get_str(j, "name"), &ret[i]);
		if (!e && !x->writable && ret[i]->enabled && (node->flags & BLK_RDWR))
			e = err_new(ERR_INVALID, "Enabled bitmap '%s' incompatible with readonly export",
				    ret[i]->name);
	}
	return e;
}

static struct err *open_nbd(struct blk_export *x, struct blk_node *node, const struct json *opts)
{
	struct state *s = x->state;
	const char *name = json_get_str(opts, "name"), *description = json_get_str(opts, "description");
	const struct json *bitmaps = json_get(opts, "bitmaps");
	size_t n = bitmaps ? bitmaps->n : 0;
	name = name ? name : node->node_name;
	struct err *e = check_name(x->all, name, description);
	if (e)
		return e;
	struct blk_dirty **found = alloc((n + 1) * sizeof(*found));
	if ((e = find_bitmaps(x, node, bitmaps, found))) {
		free(found);
		return e;
	}
	struct nbd_export *nbd = s->export = nbd_export_new(x->all->nbd, name, node);
	nbd->description = description ? str_dup(description) : NULL;
	nbd->read_only = !x->writable;
	nbd->loop = x->thread ? iothread_loop(x->thread) : NULL;
	nbd->writethrough = x->writethrough;
	nbd->root.use = x->use;
	nbd->shared = true;
	nbd->allocation_depth = json_get_bool(opts, "allocation-depth", false);
	nbd->bitmaps = found;
	nbd->n_bitmaps = n;
	for (size_t i = 0; i < n; i++)
		found[i]->busy = true;
	return NULL;
}

static bool busy(const struct blk_export *x)
{
	const struct state *s = x->state;
	return s->export->users;
}

static void close_nbd(struct blk_export *x)
{
	struct state *s = x->state;
	for (unsigned i = 0; i < s->export->n_bitmaps; i++)
		s->export->bitmaps[i]->busy = false;
	nbd_export_free(x->all->nbd, s->export);
}

EXPORT(nbd) = { .name = "nbd",
		.write_perms = BLK_PERM_WRITE,
		.shares = BLK_PERM_ALL & ~BLK_PERM_RESIZE, /* clients are told the size once */
		.state_size = sizeof(struct state),
		.open = open_nbd,
		.busy = busy,
		.close = close_nbd };
