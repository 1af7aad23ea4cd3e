#include "control/block/storage.h"
#include "block/object.h"
#include "block/root.h"
#include <stdio.h>

static void said(void *user UNUSED, const char *line)
{
	fprintf(stderr, "%s\n", line);
}

static void tell(struct storage *s, const struct schema_event *event, struct json *data)
{
	if (s->control->qmp)
		qmp_event(s->control->qmp, event, data);
	else
		json_free(data);
}

static void export_gone(void *user, const char *id)
{
	struct json *data = json_dict();
	json_set(data, "id", json_str(id));
	tell(user, &schema_event_block_export_deleted, data);
}

/* ---- jobs' events ---- */

static void job_changed(void *user, const struct job *job)
{
	struct json *data = json_dict();
	json_set(data, "status", json_str(job_status_name(job->status)));
	json_set(data, "id", json_str(job->id));
	tell(user, &schema_event_job_status_change, data);
}

static void job_told(void *user, const struct job *job, enum job_event what)
{
	static const struct schema_event *const events[] = {
		[JOB_EVENT_COMPLETED] = &schema_event_block_job_completed,
		[JOB_EVENT_CANCELLED] = &schema_event_block_job_cancelled,
		[JOB_EVENT_READY] = &schema_event_block_job_ready,
		[JOB_EVENT_PENDING] = &schema_event_block_job_pending,
	};
	struct json *data = json_dict();
	json_set(data, what == JOB_EVENT_PENDING ? "id" : "device", json_str(job->id));
	if (what != JOB_EVENT_PENDING) {
		json_set(data, "len", json_int(job->total));
		json_set(data, "offset", json_int(job->done));
		json_set(data, "speed", json_int(job->speed));
	}
	json_set(data, "type", json_str(job->driver->type));
	if (what == JOB_EVENT_COMPLETED && job->error)
		json_set(data, "error", json_str(err_text(job->error)));
	tell(user, events[what], data);
}

static void job_erred(void *user, const struct job *job, bool reading, enum job_action action)
{
	static const char *const names[] = { "report", "ignore", "stop" };
	struct json *data = json_dict();
	json_set(data, "device", json_str(job->id));
	json_set(data, "operation", json_str(reading ? "read" : "write"));
	json_set(data, "action", json_str(names[action]));
	tell(user, &schema_event_block_job_error, data);
}

/* ---- nodes' events ---- */

static void past_threshold(void *user, const struct blk_node *node, u64 by, u64 threshold)
{
	struct json *data = json_dict();
	json_set(data, "node-name", json_str(node->node_name));
	json_set(data, "amount-exceeded", json_int(by));
	json_set(data, "write-threshold", json_int(threshold));
	tell(user, &schema_event_block_write_threshold, data);
}

static void corrupted(void *user, const struct blk_node *node, const char *what, u64 offset, u64 len,
		      bool fatal)
{
	struct json *data = json_dict();
	json_set(data, "device", json_str("")); /* devices belong to machines */
	json_set(data, "node-name", json_str(node->node_name));
	json_set(data, "msg", json_str(what));
	if (len) {
		json_set(data, "offset", json_int(offset));
		json_set(data, "size", json_int(len));
	}
	json_set(data, "fatal", json_bool(fatal));
	tell(user, &schema_event_block_image_corrupted, data);
}

/* ---- life ---- */

static void end_work(struct control *control)
{
	struct storage *s = control->storage;
	jobs_end(&s->jobs);
	blk_exports_end(&s->exports, NULL);
}

struct storage *storage_new(struct control *control)
{
	struct storage *s = alloc(sizeof(*s));
	s->control = control;
	s->graph = blk_graph_new();
	s->exports.gone = export_gone;
	s->exports.user = s;
	s->jobs = (struct jobs){
		.graph = s->graph, .changed = job_changed, .told = job_told, .erred = job_erred, .user = s
	};
	blk_graph_listen(s->graph, said, NULL);
	blk_graph_watch(s->graph, &(struct blk_watch){
				      .past_threshold = past_threshold, .corrupted = corrupted, .user = s });
	control->storage = s;
	control->ending = end_work;
	return s;
}

void storage_free(struct storage *s)
{
	end_work(s->control);
	storage_stop_nbd(s);
	for (struct storage_node *n; (n = s->nodes);) {
		s->nodes = n->next;
		blk_unref(n->node);
		free(n);
	}
	s->control->storage = NULL;
	blk_graph_free(s->graph);
	free(s);
}

bool storage_offers(const struct schema_type *t, const char *value)
{
	if (t == &schema_type_blockdev_driver)
		return blk_driver_find(value);
	if (t == &schema_type_block_export_type)
		return blk_export_kind_find(value);
	if (t != &schema_type_chardev_backend_kind)
		return true;
	for (const struct chr_kind *const *k = chr_kinds; *k; k++)
		if (strcmp((*k)->name, value) == 0)
			return true;
	return false;
}

struct err *storage_find(struct storage *s, const char *device, const char *node_name, struct blk_node **ret)
{
	*ret = node_name ? blk_find(s->graph, node_name) : NULL;
	if (!*ret && device)
		*ret = blk_find(s->graph, device);
	return *ret ? NULL
		    : err_new(ERR_NOT_FOUND, "Cannot find device='%s' nor node-name='%s'",
			      device ? device : "", node_name ? node_name : "");
}

void storage_keep_node(struct storage *s, struct blk_node *node)
{
	struct storage_node *n = alloc(sizeof(*n));
	*n = (struct storage_node){ .next = s->nodes, .node = node };
	s->nodes = n;
}

struct err *storage_add_node(struct storage *s, const struct json *options)
{
	struct blk_node *node;
	if (!json_get(options, "node-name"))
		return err_new(ERR_INVALID, "'node-name' must be specified for the root node");
	/* auto-read-only: writable as soon as somebody who writes stands on it. */
	bool later = json_get_bool(options, "auto-read-only", false);
	struct err *e = blk_open(s->graph, NULL, NULL, json_copy(options), later ? 0 : BLK_RDWR, &node);
	if (!e && (e = blk_check_perms(node)))
		blk_unref(node);
	else if (!e)
		storage_keep_node(s, node);
	return e;
}

struct err *storage_find_bitmap(struct storage *s, const char *node_name, const char *name,
				struct blk_node **ret_node, struct blk_dirty **ret)
{
	*ret_node = blk_find(s->graph, node_name);
	if (!*ret_node)
		return err_new(ERR_NOT_FOUND, "Node '%s' not found", node_name);
	*ret = blk_dirty_find(*ret_node, name);
	return *ret ? NULL : err_new(ERR_NOT_FOUND, "Dirty bitmap '%s' not found", name);
}
