/* What an image is, as clients and users are told (ImageInfo of the schema). */
#include "block/blk.h"

u64 blk_disk_size(struct blk_node *node)
{
	if (node->driver->disk_size)
		return node->driver->disk_size(node);
	u64 sum = 0;
	bool any = false;
	for (struct blk_child *c = node->children; c; c = c->next) {
		if (c->node == node->backing)
			continue;
		u64 n = blk_disk_size(c->node);
		if (n == ~0ull)
			return n;
		sum += n;
		any = true;
	}
	return any ? sum : ~0ull;
}

struct json *blk_snapshots_json(struct blk_node *node)
{
	struct blk_snapshot *list;
	size_t n;
	if (!node->driver->snapshot_list)
		return NULL;
	struct err *e = node->driver->snapshot_list(node, &list, &n);
	if (e) {
		err_free(e);
		return NULL;
	}
	struct json *out = n ? json_list() : NULL;
	for (size_t i = 0; i < n; i++) {
		struct json *s = json_dict();
		if (list[i].icount != -1)
			json_set(s, "icount", json_int(list[i].icount));
		json_set(s, "vm-clock-nsec", json_int(list[i].vm_clock_nsec % 1000000000));
		json_set(s, "name", json_str(list[i].name));
		json_set(s, "date-sec", json_int(list[i].date_sec));
		json_set(s, "date-nsec", json_int(list[i].date_nsec));
		json_set(s, "vm-clock-sec", json_int(list[i].vm_clock_nsec / 1000000000));
		json_set(s, "id", json_str(list[i].id));
		json_set(s, "vm-state-size", json_int(list[i].vm_state_size));
		json_add(out, s);
		free(list[i].id);
		free(list[i].name);
	}
	free(list);
	return out;
}

struct err *blk_snapshot_delete_named(struct blk_node *node, const char *name)
{
	AUTO(json_freep) struct json *list = blk_snapshots_json(node);
	for (size_t i = 0; list && i < list->n; i++)
		if (strcmp(json_get_str(list->items[i], "name"), name) == 0)
			return node->driver->snapshot_delete(node, json_get_str(list->items[i], "id"));
	return err_new(ERR_NOT_FOUND, "There is no snapshot named '%s'", name);
}

struct json *blk_image_info(struct blk_node *node)
{
	struct blk_info info = { 0 };
	struct json *j = json_dict();
	struct err *e = node->driver->info ? node->driver->info(node, &info) : NULL;
	err_free(e);
	if (node->backing_format)
		json_set(j, "backing-filename-format", json_str(node->backing_format));
	struct json *snapshots = blk_snapshots_json(node);
	if (snapshots)
		json_set(j, "snapshots", snapshots);
	json_set(j, "virtual-size", json_int(blk_size(node)));
	json_set(j, "filename", json_str(node->filename));
	if (info.cluster_size)
		json_set(j, "cluster-size", json_int(info.cluster_size));
	json_set(j, "format", json_str(node->driver->name));
	u64 size = blk_disk_size(node);
	if (size != ~0ull)
		json_set(j, "actual-size", json_int(size));
	if (info.specific)
		json_set(j, "format-specific", info.specific);
	if (info.encrypted)
		json_set(j, "encrypted", json_bool(true));
	if (node->backing_file) {
		AUTO(free_ptr) char *full = blk_path_beside(node, node->backing_file);
		if (node->backing || full)
			json_set(j, "full-backing-filename",
				 json_str(node->backing ? node->backing->filename : full));
		json_set(j, "backing-filename", json_str(node->backing_file));
	}
	json_set(j, "dirty-flag", json_bool(info.dirty));
	return j;
}
