/* Nodes: making, closing, resizing, asking. */
#include "control/block/storage.h"
#include "block/iothread.h"
#include "block/object.h"
#include "block/root.h"

static struct err *blockdev_add(struct qmp_call *call)
{
	return storage_add_node(call->control->storage, call->json);
}
QMP_COMMAND(blockdev_add) = { &schema_command_blockdev_add, blockdev_add };

static struct err *blockdev_del(struct qmp_call *call)
{
	struct storage *s = call->control->storage;
	const struct blockdev_del_arg *a = call->arg;
	struct blk_node *node = blk_find(s->graph, a->node_name);
	if (!node)
		return err_new(ERR_NOT_FOUND, "Failed to find node with node-name='%s'", a->node_name);
	struct storage_node **at = &s->nodes, *n;
	while (*at && (*at)->node != node)
		at = &(*at)->next;
	struct err *e = job_check_node(&s->jobs, node);
	if (e)
		return e;
	if (!(n = *at))
		return err_new(ERR_BUSY, "Node %s is not owned by the monitor", a->node_name);
	if (blk_is_used(node))
		return err_new(ERR_BUSY, "Block device %s is in use", a->node_name);
	*at = n->next;
	free(n);
	blk_unref(node);
	return NULL;
}
QMP_COMMAND(blockdev_del) = { &schema_command_blockdev_del, blockdev_del };

static struct err *blockdev_reopen(struct qmp_call *call)
{
	struct storage *s = call->control->storage;
	const struct json *list = json_get(call->json, "options");
	struct err *e = NULL;
	blk_quiesce(s->graph);
	for (size_t i = 0; i < list->n && !e; i++) {
		const char *name = json_get_str(list->items[i], "node-name");
		struct blk_node *node = name ? blk_find(s->graph, name) : NULL;
		if (!name)
			e = err_new(ERR_INVALID, "node-name not specified");
		else if (!node)
			e = err_new(ERR_NOT_FOUND, "Failed to find node with node-name='%s'", name);
		else if (!(e = job_check_node(&s->jobs, node)))
			e = blk_reopen_options(node, list->items[i]);
	}
	blk_resume(s->graph);
	return e;
}
QMP_COMMAND(blockdev_reopen) = { &schema_command_blockdev_reopen, blockdev_reopen };

static struct err *block_resize(struct qmp_call *call)
{
	struct storage *s = call->control->storage;
	const struct block_resize_arg *a = call->arg;
	struct blk_node *node;
	struct err *e = storage_find(s, a->device, a->node_name, &node);
	if (!e && a->size < 0)
		e = err_new(ERR_INVALID, "Parameter 'size' expects a >0 size");
	if (!e)
		e = job_check_node(&s->jobs, node);
	if (!e)
		e = blk_check_use(node, (struct blk_use){ BLK_PERM_RESIZE, BLK_PERM_ALL, "root" },
				  "block_resize");
	if (e)
		return e;
	blk_quiesce(s->graph);
	e = blk_truncate(node, a->size, false, BLK_PREALLOC_OFF, false);
	blk_resume(s->graph);
	return e;
}
QMP_COMMAND(block_resize) = { &schema_command_block_resize, block_resize };

static struct err *change_backing_file(struct qmp_call *call)
{
	struct storage *s = call->control->storage;
	const struct change_backing_file_arg *a = call->arg;
	struct blk_node *top, *image;
	struct err *e = storage_find(s, a->device, a->device, &top);
	if (!e)
		e = storage_find(s, NULL, a->image_node_name, &image);
	if (!e && !image->backing)
		e = err_new(ERR_INVALID,
			    "not allowing backing file change on an image without a backing file");
	if (!e && !blk_reaches(top, image))
		e = err_new(ERR_INVALID, "'%s' and image file are not in the same chain", a->device);
	if (!e)
		e = job_check_node(&s->jobs, image);
	return e ? e : blk_write_backing(image, a->backing_file, image->backing->driver->name);
}
QMP_COMMAND(change_backing_file) = { &schema_command_change_backing_file, change_backing_file };

static struct err *change_children(struct qmp_call *call)
{
	struct storage *s = call->control->storage;
	const struct x_blockdev_change_arg *a = call->arg;
	struct blk_node *parent, *node = NULL;
	struct err *e = storage_find(s, a->parent, a->parent, &parent);
	if (!e && !a->child == !a->node)
		e = a->node ? err_new(ERR_INVALID, "The parameters child and node are in conflict")
			    : err_new(ERR_INVALID, "Either child or node must be specified");
	if (!e && a->node && !(node = blk_find(s->graph, a->node)))
		e = err_new(ERR_NOT_FOUND, "Node '%s' not found", a->node);
	if (!e)
		e = job_check_node(&s->jobs, parent);
	if (e)
		return e;
	blk_quiesce(s->graph);
	e = node ? blk_add_child(parent, node) : blk_remove_child(parent, a->child);
	blk_resume(s->graph);
	return e;
}
QMP_COMMAND(x_blockdev_change) = { &schema_command_x_blockdev_change, change_children };

static bool has_user(const struct blk_node *node)
{
	const struct blk_root *r = blk_roots(node->graph);
	while (r && r->node != node)
		r = r->next;
	return r;
}

static struct err *set_iothread(struct qmp_call *call)
{
	struct storage *s = call->control->storage;
	const struct x_blockdev_set_iothread_arg *a = call->arg;
	const char *id = json_get_str(call->json, "iothread");
	struct iothread *thread = id ? blk_iothread(s->graph, id) : NULL;
	struct blk_node *node = blk_find(s->graph, a->node_name);
	if (!node)
		return err_new(ERR_NOT_FOUND, "Failed to find node with node-name='%s'", a->node_name);
	if (has_user(node) && !a->force)
		return err_new(
		    ERR_BUSY,
		    "Node %s is associated with a BlockBackend and could be in use (use force=true "
		    "to override this check)",
		    a->node_name);
	if (has_user(node))
		return err_new(ERR_BUSY,
			       "Node %s is in use, and its users stay in their threads: end them first",
			       a->node_name);
	if (id && !thread)
		return err_new(ERR_NOT_FOUND, "Cannot find iothread %s", id);
	blk_set_iothread(node, thread);
	return NULL;
}
QMP_COMMAND(x_blockdev_set_iothread) = { &schema_command_x_blockdev_set_iothread, set_iothread };

/* ---- asking ---- */

static struct json *bitmaps_of(const struct blk_node *node)
{
	struct json *list = json_list();
	for (const struct blk_dirty *d = node->dirty; d; d = d->next) {
		struct json *j = json_dict();
		json_set(j, "name", json_str(d->name));
		json_set(j, "recording", json_bool(d->enabled));
		json_set(j, "persistent", json_bool(d->persistent));
		json_set(j, "busy", json_bool(d->busy));
		if (d->inconsistent)
			json_set(j, "inconsistent", json_bool(true));
		json_set(j, "granularity", json_int(d->granularity));
		json_set(j, "count", json_int(blk_dirty_count(d)));
		json_add(list, j);
	}
	return list;
}

static struct json *cache_of(const struct blk_node *node)
{
	struct json *j = json_dict();
	json_set(j, "no-flush", json_bool(node->flags & BLK_NO_FLUSH));
	json_set(j, "direct", json_bool(node->flags & BLK_DIRECT));
	json_set(j, "writeback", json_bool(!(node->flags & BLK_WRITETHROUGH)));
	return j;
}

/* The image, and unless flat the images it stands on. */
static struct json *image_of(struct blk_node *node, bool flat)
{
	struct json *j = blk_image_info(node);
	if (!flat && node->backing)
		json_set(j, "backing-image", image_of(node->backing, false));
	return j;
}

static struct json *node_info(struct blk_node *node, bool flat)
{
	static const char *const limits[] = { "iops_rd", "iops_wr", "iops", "bps_wr", "bps", "bps_rd" };
	struct json *j = json_dict();
	int depth = 0;
	for (const struct blk_node *n = node->backing; n; n = n->backing)
		depth++;
	for (unsigned i = 0; i < LEN(limits); i++)
		json_set(j, limits[i], json_int(0));
	json_set(j, "detect_zeroes",
		 json_str(node->flags & BLK_DETECT_UNMAP    ? "unmap"
			  : node->flags & BLK_DETECT_ZEROES ? "on"
							    : "off"));
	json_set(j, "image", image_of(node, flat));
	json_set(j, "ro", json_bool(!(node->flags & BLK_RDWR)));
	json_set(j, "node-name", json_str(node->node_name));
	if (node->backing && node->backing_file)
		json_set(j, "backing_file", json_str(node->backing_file));
	json_set(j, "backing_file_depth", json_int(depth));
	json_set(j, "drv", json_str(node->driver->name));
	json_set(j, "write_threshold", json_int(node->stats.threshold));
	json_set(j, "encrypted", json_bool(json_get_bool(json_get(j, "image"), "encrypted", false)));
	json_set(j, "cache", cache_of(node));
	json_set(j, "file", json_str(node->filename ? node->filename : ""));
	if (node->dirty)
		json_set(j, "dirty-bitmaps", bitmaps_of(node));
	return j;
}

static struct err *query_named_block_nodes(struct qmp_call *call)
{
	const struct query_named_block_nodes_arg *a = call->arg;
	struct blk_graph *g = call->control->storage->graph;
	call->ret = json_list();
	for (struct blk_node *n = NULL; (n = blk_next_node(g, n));)
		json_add(call->ret, node_info(n, a->flat));
	return NULL;
}
QMP_COMMAND(query_named_block_nodes) = { &schema_command_query_named_block_nodes, query_named_block_nodes };

/* Devices belong to machines: there are none here. */
static struct err *query_block(struct qmp_call *call)
{
	call->ret = json_list();
	return NULL;
}
QMP_COMMAND(query_block) = { &schema_command_query_block, query_block };
