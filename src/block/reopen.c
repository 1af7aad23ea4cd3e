/* Other options for an open node. */
#include "block/graph.h"
#include "block/root.h"

struct new_children { /* not referenced; what is there already when options name none */
	struct blk_node *file, *backing;
};

static struct err *find_new(const struct blk_node *node, const char *role, const char *name,
			    struct blk_node **ret)
{
	*ret = blk_find(node->graph, name);
	if (!*ret)
		return err_new(ERR_NOT_FOUND, "Cannot find device='' nor node-name='%s'", name);
	if (blk_reaches(*ret, node))
		return err_new(ERR_INVALID, "Making '%s' a %s child of '%s' would create a cycle", name, role,
			       node->node_name);
	return NULL;
}

/* "file" may become another node; what names another child must name the one that is there. */
static struct err *take_children(const struct blk_node *node, struct json *opts, struct new_children *ret)
{
	for (const struct blk_child *c = node->children; c; c = c->next) {
		if (c->node == node->backing)
			continue;
		AUTO(json_freep) struct json *ref = json_take(opts, c->name);
		AUTO(free_ptr) char *prefix = strf("%s.", c->name);
		json_free(json_take_prefix(opts, prefix)); /* described anew: stays as it is */
		bool same = !ref || (ref->kind == JSON_STR && strcmp(ref->s, c->node->node_name) == 0);
		if (same)
			continue;
		if (ref->kind != JSON_STR || c->node != node->file || strcmp(c->name, "file") != 0)
			return err_new(ERR_UNSUPPORTED, "Cannot change the option '%s'", c->name);
		struct err *e = find_new(node, c->name, ref->s, &ret->file);
		if (e)
			return e;
	}
	return NULL;
}

static struct err *take_backing(const struct blk_node *node, struct json *opts, struct new_children *ret)
{
	AUTO(json_freep) struct json *ref = json_take(opts, "backing");
	json_free(json_take_prefix(opts, "backing."));
	if (ref && ref->kind != JSON_STR)
		ret->backing = NULL;
	return ref && ref->kind == JSON_STR ? find_new(node, "backing", ref->s, &ret->backing) : NULL;
}

/* What the driver did not take must be as it was. */
static struct err *same_rest(const struct blk_node *node, const struct json *opts)
{
	for (size_t i = 0; i < opts->n; i++) {
		const struct json *old = json_get(node->options, opts->keys[i]);
		if (!old || !json_equal(old, opts->items[i]))
			return err_new(ERR_UNSUPPORTED, "Cannot change the option '%s'", opts->keys[i]);
	}
	return NULL;
}

static void set_children(struct blk_node *node, const struct new_children *to)
{
	if (to->file != node->file)
		blk_change_child(node, "file", to->file);
	if (to->backing != node->backing)
		blk_change_backing(node, to->backing);
}

/* New children, and flags with them; all as before when somebody else does not bear it. */
static struct err *change(struct blk_node *node, const struct new_children *to, u32 flags)
{
	struct new_children old = { node->file, node->backing };
	int r = to->file == node->file ? 0 : blk_flush(node);
	if (r)
		return err_errno(-r, "Could not flush '%s'", node->node_name);
	if (old.file)
		blk_ref(old.file);
	if (old.backing)
		blk_ref(old.backing);
	set_children(node, to);
	struct err *e = blk_check_perms(node);
	if (!e)
		e = blk_reopen(node, flags);
	if (e)
		set_children(node, &old);
	blk_unref(old.file);
	blk_unref(old.backing);
	return e;
}

struct err *blk_reopen_options(struct blk_node *node, const struct json *options)
{
	enum { DETECT = BLK_DETECT_ZEROES | BLK_DETECT_UNMAP };
	AUTO(json_freep) struct json *opts = json_copy(options);
	u32 flags = BLK_RDWR;
	struct new_children to = { node->file, node->backing };
	json_flatten(opts);
	AUTO(free_ptr) char *driver = blk_take_str(opts, "driver"), *name = blk_take_str(opts, "node-name");
	if (driver && strcmp(driver, node->driver->name) != 0)
		return err_new(ERR_UNSUPPORTED, "Cannot change the option 'driver'");
	struct err *e = blk_take_common(opts, &flags);
	if (!e)
		e = take_children(node, opts, &to);
	if (!e)
		e = take_backing(node, opts, &to);
	AUTO(json_freep) struct json *rest = json_copy(opts);
	if (!e && node->driver->change)
		e = node->driver->change(node, rest, flags, BLK_CHANGE_TRY);
	if (!e)
		e = same_rest(node, rest);
	if (!e && node->driver->change)
		e = node->driver->change(node, opts, flags, 0);
	if (!e)
		e = change(node, &to, flags);
	if (!e)
		node->flags = (node->flags & ~(u32)DETECT) | (flags & DETECT);
	return e;
}
