/* Snapshots and backups: actions of transactions, and commands of one action. */
#include "control/block/transaction.h"
#include "block/job/kinds.h"
#include "block/root.h"
#include <time.h>

/* ---- an overlay takes the place of a node ---- */

struct overlay {
	struct blk_node *node, *overlay; /* references */
};

static void take_off(struct overlay *o)
{
	blk_replace(o->overlay, o->node);
	blk_change_backing(o->overlay, NULL);
}

static struct err *put_above(struct overlay *o)
{
	if (o->overlay->backing)
		return err_new(ERR_INVALID, "The overlay already has a backing image");
	if (!o->overlay->driver->supports_backing)
		return err_new(ERR_UNSUPPORTED, "The overlay does not support backing images");
	if (blk_is_used(o->overlay))
		return err_new(ERR_BUSY, "The overlay is already in use");
	if (blk_reaches(o->node, o->overlay))
		return err_new(ERR_INVALID, "Making '%s' a backing child of '%s' would create a cycle",
			       o->node->node_name, o->overlay->node_name);
	blk_change_backing(o->overlay, o->node);
	blk_replace(o->node, o->overlay);
	struct err *e = blk_check_perms(o->overlay);
	if (e)
		take_off(o);
	return e;
}

/* Nobody writes to the node below any more: others may read its file. */
static void seal(struct action *a)
{
	struct overlay *o = a->state;
	struct err *e = blk_reopen(o->node, o->node->flags & ~(u32)BLK_RDWR);
	err_free(e); /* it stays open for writing: nothing is lost */
}

static void undo_overlay(struct action *a)
{
	take_off(a->state);
}

static void drop_overlay(struct action *a)
{
	struct overlay *o = a->state;
	blk_unref(o->node);
	blk_unref(o->overlay);
}

static struct err *idle(struct storage *s, struct blk_node *node)
{
	int r = blk_flush(node);
	struct err *e = job_check_node(&s->jobs, node);
	return !e && r ? err_errno(-r, "Could not flush '%s'", node->node_name) : e;
}

static struct err *snapshot(struct action *a)
{
	struct overlay *o = a->state;
	struct blockdev_snapshot arg;
	schema_fill(&schema_type_blockdev_snapshot, a->data, &arg);
	struct err *e = storage_find(a->storage, arg.overlay, arg.overlay, &o->overlay);
	if (!e)
		e = storage_find(a->storage, arg.node, arg.node, &o->node);
	if (!e)
		e = idle(a->storage, o->node);
	if (!e)
		e = put_above(o);
	if (e)
		return e;
	blk_ref(o->node);
	blk_ref(o->overlay);
	return NULL;
}
ACTION(blockdev_snapshot) = { "blockdev-snapshot", sizeof(struct overlay), snapshot, seal, undo_overlay,
			      drop_overlay };

static struct err *snapshot_file(struct action *a)
{
	struct overlay *o = a->state;
	struct blockdev_snapshot_sync arg;
	schema_fill(&schema_type_blockdev_snapshot_sync, a->data, &arg);
	struct err *e = storage_find(a->storage, arg.device, arg.node_name, &o->node);
	if (!e && arg.node_name && !arg.snapshot_node_name)
		e = err_new(ERR_INVALID, "New overlay node-name missing");
	if (!e && arg.snapshot_node_name && blk_find(a->storage->graph, arg.snapshot_node_name))
		e = err_new(ERR_INVALID, "New overlay node-name already in use");
	if (!e)
		e = idle(a->storage, o->node);
	bool existing = arg.has_mode && arg.mode == NEW_IMAGE_MODE_EXISTING;
	struct storage_target t = { .filename = arg.snapshot_file,
				    .format = arg.format ? arg.format : "qcow2",
				    .node_name = arg.snapshot_node_name,
				    .existing = existing,
				    .names = existing ? NULL : o->node,
				    .source = o->node,
				    .no_backing = true };
	if (!e)
		e = storage_open_target(a->storage, &t, &o->overlay);
	if (e)
		return e;
	if ((e = put_above(o))) {
		blk_unref(o->overlay);
		return e;
	}
	blk_ref(o->node);
	return NULL;
}

/* The overlay lives as long as somebody stands on it, or until blockdev-del. */
static void keep_overlay(struct action *a)
{
	struct overlay *o = a->state;
	seal(a);
	storage_keep_node(a->storage, blk_ref(o->overlay));
}
ACTION(blockdev_snapshot_sync) = { "blockdev-snapshot-sync",
				   sizeof(struct overlay),
				   snapshot_file,
				   keep_overlay,
				   undo_overlay,
				   drop_overlay };

/* ---- inside the image ---- */

struct internal {
	struct blk_node *node;
	const char *name;
};

static struct err *snapshot_inside(struct action *a)
{
	struct internal *i = a->state;
	i->name = json_get_str(a->data, "name");
	const char *device = json_get_str(a->data, "device");
	struct err *e = storage_find(a->storage, device, device, &i->node);
	if (!e)
		e = idle(a->storage, i->node);
	if (e)
		return e;
	if (!i->node->driver->snapshot_create || !(i->node->flags & BLK_RDWR))
		return err_new(
		    ERR_UNSUPPORTED,
		    "Block format '%s' used by device '%s' does not support feature 'internal snapshots'",
		    i->node->driver->name, device);
	if (!*i->name)
		return err_new(ERR_INVALID, "Name is empty");
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	struct blk_snapshot meta = { .date_sec = now.tv_sec, .date_nsec = now.tv_nsec, .icount = -1 };
	return i->node->driver->snapshot_create(i->node, i->name, &meta);
}

static void undo_inside(struct action *a)
{
	struct internal *i = a->state;
	struct err *e = blk_snapshot_delete_named(i->node, i->name);
	if (e)
		err_free(e);
}
ACTION(blockdev_snapshot_internal_sync) = {
	"blockdev-snapshot-internal-sync", sizeof(struct internal), snapshot_inside, NULL, undo_inside, NULL
};

/* The snapshot of that id and that name, where they are given. */
static struct json *find_inside(struct blk_node *node, const char *id, const char *name)
{
	AUTO(json_freep) struct json *list = blk_snapshots_json(node);
	for (size_t i = 0; list && i < list->n; i++)
		if ((!id || strcmp(json_get_str(list->items[i], "id"), id) == 0) &&
		    (!name || strcmp(json_get_str(list->items[i], "name"), name) == 0))
			return json_copy(list->items[i]);
	return NULL;
}

static struct err *delete_inside(struct qmp_call *call)
{
	struct storage *s = call->control->storage;
	const struct blockdev_snapshot_delete_internal_sync_arg *a = call->arg;
	struct blk_node *node;
	struct err *e = storage_find(s, a->device, a->device, &node);
	if (!e && !a->id && !a->name)
		e = err_new(ERR_INVALID, "Name or id must be provided");
	if (!e)
		e = idle(s, node);
	if (e)
		return e;
	AUTO(json_freep) struct json *found = find_inside(node, a->id, a->name);
	if (!found || !node->driver->snapshot_delete)
		return err_new(ERR_NOT_FOUND,
			       "Snapshot with id '%s' and name '%s' does not exist on device '%s'",
			       a->id ? a->id : "NULL", a->name ? a->name : "NULL", a->device);
	blk_quiesce(s->graph);
	e = node->driver->snapshot_delete(node, json_get_str(found, "id"));
	blk_resume(s->graph);
	if (!e)
		call->ret = json_copy(found);
	return e;
}
QMP_COMMAND(blockdev_snapshot_delete_internal_sync) = {
	&schema_command_blockdev_snapshot_delete_internal_sync, delete_inside
};

/* ---- backup ---- */

struct backup_action {
	struct job *job;
};

/* drive: the old form, to a file that is made. */
static struct err *backup(struct action *a, bool drive)
{
	struct backup_action *state = a->state;
	struct drive_backup arg;
	schema_fill(&schema_type_drive_backup, a->data, &arg); /* has all members of the new form, and more */
	struct job_backup b = { .o = { .id = arg.job_id,
				       .speed = arg.speed,
				       .auto_finalize = !arg.has_auto_finalize || arg.auto_finalize,
				       .auto_dismiss = !arg.has_auto_dismiss || arg.auto_dismiss,
				       .group = a->group },
				.sync = (enum job_sync)arg.sync,
				.bitmap_mode = (enum job_bitmap)arg.bitmap_mode,
				.compress = arg.compress,
				.keep_target = drive,
				.on_source = (enum job_policy)arg.on_source_error,
				.on_target = (enum job_policy)arg.on_target_error };
	bool by_bitmap = b.sync == SYNC_INCREMENTAL || b.sync == SYNC_BITMAP;
	struct blk_node *node;
	struct err *e = storage_check_filter(a->storage, arg.filter_node_name);
	if (!e && json_get(a->data, "x-perf"))
		e = err_new(ERR_UNSUPPORTED, "'x-perf' is not built: leave it out");
	if (!e)
		e = storage_find(a->storage, arg.device, arg.device, &b.source);
	if (!e && by_bitmap && !arg.bitmap)
		e = err_new(ERR_INVALID, "must provide a valid bitmap name for '%s' sync mode",
			    json_get_str(a->data, "sync"));
	if (!e && b.sync == SYNC_BITMAP && !arg.has_bitmap_mode)
		e = err_new(ERR_INVALID, "Bitmap sync mode must be given when providing a bitmap");
	if (!e && arg.bitmap && !by_bitmap)
		e = err_new(ERR_UNSUPPORTED,
			    "'bitmap' goes with sync 'incremental' or 'bitmap', not with '%s'",
			    json_get_str(a->data, "sync"));
	if (!e && arg.bitmap)
		e = storage_find_bitmap(a->storage, b.source->node_name, arg.bitmap, &node, &b.bitmap);
	if (!e && b.bitmap && (b.bitmap->busy || b.bitmap->inconsistent))
		e = err_new(ERR_BUSY, "Bitmap '%s' is %s and cannot be used", arg.bitmap,
			    b.bitmap->busy ? "currently in use by another operation" : "inconsistent");
	if (!e && !drive)
		e = storage_find(a->storage, arg.target, arg.target, &b.target);
	struct storage_target t = { .filename = arg.target,
				    .format = arg.format,
				    .source = b.source,
				    .existing = arg.has_mode && arg.mode == NEW_IMAGE_MODE_EXISTING };
	if (!e && drive)
		t.backing = b.sync == SYNC_TOP ? b.source->backing : b.sync == SYNC_NONE ? b.source : NULL;
	if (!e && drive)
		e = storage_open_target(a->storage, &t, &b.target);
	if (!e && (e = job_backup(&a->storage->jobs, &b, &state->job)) && drive)
		blk_unref(b.target);
	if (!e && arg.filter_node_name)
		job_put_filter(state->job, b.source, arg.filter_node_name);
	return e;
}

static struct err *blockdev_backup(struct action *a)
{
	return backup(a, false);
}

static struct err *drive_backup(struct action *a)
{
	return backup(a, true);
}

static void start_backup(struct action *a)
{
	struct backup_action *state = a->state;
	job_start(state->job);
}

static void undo_backup(struct action *a)
{
	struct backup_action *state = a->state;
	job_backup_undo(state->job);
}
ACTION(blockdev_backup) = { "blockdev-backup", sizeof(struct backup_action),
			    blockdev_backup,   start_backup,
			    undo_backup,       NULL };
ACTION(drive_backup) = { "drive-backup", sizeof(struct backup_action),
			 drive_backup,	 start_backup,
			 undo_backup,	 NULL };

/* ---- as commands ---- */

#define ACTION_COMMAND(id) \
	static struct err *run_##id(struct qmp_call *call) \
	{ \
		return action_run(call, &action_kind_##id); \
	}
ACTION_COMMAND(blockdev_snapshot)
ACTION_COMMAND(blockdev_snapshot_sync)
ACTION_COMMAND(blockdev_snapshot_internal_sync)
ACTION_COMMAND(blockdev_backup)
ACTION_COMMAND(drive_backup)
QMP_COMMAND(blockdev_snapshot) = { &schema_command_blockdev_snapshot, run_blockdev_snapshot };
QMP_COMMAND(blockdev_snapshot_sync) = { &schema_command_blockdev_snapshot_sync, run_blockdev_snapshot_sync };
QMP_COMMAND(blockdev_snapshot_internal_sync) = { &schema_command_blockdev_snapshot_internal_sync,
						 run_blockdev_snapshot_internal_sync };
QMP_COMMAND(blockdev_backup) = { &schema_command_blockdev_backup, run_blockdev_backup };
QMP_COMMAND(drive_backup) = { &schema_command_drive_backup, run_drive_backup };
