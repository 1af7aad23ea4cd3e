/* Jobs: starting them, and what clients tell them. */
#include "control/block/storage.h"
#include "block/job/kinds.h"

static struct job_options options(const char *id, bool has_speed, i64 speed, bool has_finalize, bool finalize,
				  bool has_dismiss, bool dismiss)
{
	return (struct job_options){ .id = id,
				     .speed = has_speed ? speed : 0,
				     .auto_finalize = !has_finalize || finalize,
				     .auto_dismiss = !has_dismiss || dismiss };
}
#define OPTIONS(a) \
	options((a)->job_id, (a)->has_speed, (a)->speed, (a)->has_auto_finalize, (a)->auto_finalize, \
		(a)->has_auto_dismiss, (a)->auto_dismiss)
/* The enums are in the same order; unset is 0, report. */
#define POLICY(a, member) ((enum job_policy)(a)->member)

/* Jobs watch nodes themselves: they need no filter above them, but clients may want one that they can name. */
struct err *storage_check_filter(struct storage *s, const char *name)
{
	return name ? job_check_filter(s->graph, name) : NULL;
}

/* e: of making the job. */
static struct err *begun(struct storage *s, struct err *e, const char *id, struct blk_node *node,
			 const char *filter)
{
	if (!e && filter)
		job_put_filter(job_find(&s->jobs, id), node, filter);
	return e;
}

static struct err *find_device(struct storage *s, const char *name, struct blk_node **ret)
{
	*ret = blk_find(s->graph, name);
	return *ret ? NULL : err_new(ERR_NO_DEVICE, "Device '%s' not found", name);
}

/* ---- stream and commit ---- */

static struct blk_node *by_filename(struct blk_node *top, const char *name)
{
	for (struct blk_node *n = blk_below(top); n; n = blk_below(n))
		if (n->filename && strcmp(n->filename, name) == 0)
			return n;
	return NULL;
}

/* A layer below top by node name or file name; neither: NULL. */
static struct err *find_layer(struct storage *s, struct blk_node *top, const char *node_name,
			      const char *filename, struct blk_node **ret)
{
	*ret = NULL;
	if (node_name && filename)
		return err_new(ERR_INVALID, "'base-node' and 'base' cannot be specified at the same time");
	if (node_name) {
		struct err *e = storage_find(s, NULL, node_name, ret);
		if (!e && !blk_reaches(top, *ret))
			e = err_new(ERR_INVALID, "Node '%s' is not a backing image of '%s'", node_name,
				    top->node_name);
		return e;
	}
	if (filename && !(*ret = by_filename(top, filename)))
		return err_new(ERR_NOT_FOUND, "Can't find '%s' in the backing chain", filename);
	return NULL;
}

static struct err *block_stream(struct qmp_call *call)
{
	struct storage *s = call->control->storage;
	const struct block_stream_arg *a = call->arg;
	struct job_stream j = { .o = OPTIONS(a),
				.backing_file = a->backing_file,
				.on_error = POLICY(a, on_error) };
	struct blk_node *bottom;
	struct err *e = storage_check_filter(s, a->filter_node_name);
	if (!e && a->bottom && (a->base || a->base_node))
		e = err_new(ERR_INVALID, "'bottom' and 'base' cannot be specified at the same time");
	if (!e)
		e = storage_find(s, a->device, a->device, &j.top);
	if (!e && a->bottom) {
		e = find_layer(s, j.top, a->bottom, NULL, &bottom);
		j.base = e ? NULL : bottom->backing;
	} else if (!e) {
		e = find_layer(s, j.top, a->base_node, a->base, &j.base);
	}
	if (!e && !j.base && a->backing_file && !a->bottom)
		e = err_new(ERR_INVALID, "backing file specified, but streaming the entire chain");
	return e ? e : begun(s, job_stream(&s->jobs, &j), a->job_id, j.top, a->filter_node_name);
}
QMP_COMMAND(block_stream) = { &schema_command_block_stream, block_stream };

/* The active layer keeps being written: its commit is a mirror to base. */
static struct err *commit_active(struct storage *s, const struct block_commit_arg *a, struct blk_node *top,
				 struct blk_node *base)
{
	struct job_mirror m = { .o = OPTIONS(a), .source = top, .target = base, .base = base };
	m.on_source = m.on_target = POLICY(a, on_error);
	if (a->backing_file)
		return err_new(ERR_INVALID, "'backing-file' specified, but 'top' is the active layer");
	return job_mirror(&s->jobs, &m);
}

static struct err *block_commit(struct qmp_call *call)
{
	struct storage *s = call->control->storage;
	const struct block_commit_arg *a = call->arg;
	struct job_commit j = { .o = OPTIONS(a),
				.backing_file = a->backing_file,
				.on_error = POLICY(a, on_error) };
	struct err *e = storage_check_filter(s, a->filter_node_name);
	if (!e)
		e = find_device(s, a->device, &j.active);
	if (!e)
		e = find_layer(s, j.active, a->top_node,
			       a->top && strcmp(a->top, j.active->filename) != 0 ? a->top : NULL, &j.top);
	j.top = !e && !j.top ? j.active : j.top;
	if (!e)
		e = find_layer(s, j.top, a->base_node, a->base, &j.base);
	for (struct blk_node *n = j.top; !e && !j.base && n && (n = blk_below(n));)
		if (!blk_below(n))
			j.base = n;
	if (!e && !j.base)
		e = err_new(ERR_NOT_FOUND, "There is no backing file below '%s' to commit to",
			    j.top->node_name);
	if (!e && j.base == j.top)
		e = err_new(ERR_INVALID, "cannot commit an image into itself");
	if (e)
		return e;
	e = j.top == j.active ? commit_active(s, a, j.top, j.base) : job_commit(&s->jobs, &j);
	return begun(s, e, a->job_id, j.active, a->filter_node_name);
}
QMP_COMMAND(block_commit) = { &schema_command_block_commit, block_commit };

/* ---- mirror ---- */

static struct err *check_sync(const char *sync)
{
	if (strcmp(sync, "incremental") != 0 && strcmp(sync, "bitmap") != 0)
		return NULL;
	return err_new(ERR_INVALID, "Sync mode '%s' not supported", sync);
}

static struct err *find_replaced(struct storage *s, const char *name, struct blk_node *source,
				 struct blk_node **ret)
{
	struct err *e = name ? storage_find(s, NULL, name, ret) : NULL;
	if (!e && name && !blk_reaches(*ret, source) && !blk_reaches(source, *ret))
		e = err_new(ERR_INVALID, "Node '%s' has nothing to do with '%s' and cannot be replaced", name,
			    source->node_name);
	return e;
}

static struct err *blockdev_mirror(struct qmp_call *call)
{
	struct storage *s = call->control->storage;
	const struct blockdev_mirror_arg *a = call->arg;
	struct job_mirror m = { .o = OPTIONS(a),
				.sync = (enum job_sync)a->sync,
				.granularity = a->granularity,
				.buf_size = MAX(a->buf_size, (i64)0),
				.blocking = a->copy_mode == MIRROR_COPY_MODE_WRITE_BLOCKING,
				.on_source = POLICY(a, on_source_error),
				.on_target = POLICY(a, on_target_error) };
	struct err *e = storage_check_filter(s, a->filter_node_name);
	if (!e)
		e = check_sync(json_get_str(call->json, "sync"));
	if (!e && a->buf_size < 0)
		e = err_new(ERR_INVALID, "Parameter 'buf-size' expects a non-negative value");
	if (!e)
		e = storage_find(s, a->device, a->device, &m.source);
	if (!e)
		e = storage_find(s, a->target, a->target, &m.target);
	if (!e)
		e = find_replaced(s, a->replaces, m.source, &m.replaces);
	if (!e && m.sync == SYNC_TOP && !m.source->backing)
		m.sync = SYNC_FULL;
	return e ? e : begun(s, job_mirror(&s->jobs, &m), a->job_id, m.source, a->filter_node_name);
}
QMP_COMMAND(blockdev_mirror) = { &schema_command_blockdev_mirror, blockdev_mirror };

static struct err *drive_mirror(struct qmp_call *call)
{
	struct storage *s = call->control->storage;
	const struct drive_mirror *a = call->arg;
	struct job_mirror m = { .o = OPTIONS(a),
				.sync = (enum job_sync)a->sync,
				.granularity = a->granularity,
				.buf_size = MAX(a->buf_size, (i64)0),
				.keep_target = true,
				.keep_room = a->has_unmap && !a->unmap,
				.blocking = a->copy_mode == MIRROR_COPY_MODE_WRITE_BLOCKING,
				.on_source = POLICY(a, on_source_error),
				.on_target = POLICY(a, on_target_error) };
	struct err *e = check_sync(json_get_str(call->json, "sync"));
	if (!e)
		e = storage_find(s, a->device, a->device, &m.source);
	if (!e)
		e = find_replaced(s, a->replaces, m.source, &m.replaces);
	if (e)
		return e;
	if (m.sync == SYNC_TOP && !m.source->backing)
		m.sync = SYNC_FULL;
	struct storage_target t = { .filename = a->target,
				    .format = a->format,
				    .node_name = a->node_name,
				    .existing = a->has_mode && a->mode == NEW_IMAGE_MODE_EXISTING,
				    .source = m.source,
				    .backing = m.sync == SYNC_TOP    ? m.source->backing
					       : m.sync == SYNC_NONE ? m.source
								     : NULL };
	if ((e = storage_open_target(s, &t, &m.target)))
		return e;
	if ((e = job_mirror(&s->jobs, &m)))
		blk_unref(m.target);
	return e;
}
QMP_COMMAND(drive_mirror) = { &schema_command_drive_mirror, drive_mirror };

/* ---- what clients tell jobs ---- */

static struct err *find_job(struct qmp_call *call, bool block, struct job **ret)
{
	const char *id = json_get_str(call->json, "id");
	id = id ? id : json_get_str(call->json, "device");
	*ret = job_find(&call->control->storage->jobs, id);
	if (*ret && (!block || (*ret)->driver->block))
		return NULL;
	return block ? err_new(ERR_NOT_ACTIVE, "Block job '%s' not found", id)
		     : err_new(ERR_NOT_FOUND, "Job not found");
}

static struct err *cancel_by_force(struct job *job)
{
	return job_cancel(job, true);
}

/* A command with a job's name and nothing else, in its old form (block) and its new one. */
#define VERB_COMMAND(id, block, verb) \
	static struct err *id(struct qmp_call *call) \
	{ \
		struct job *job; \
		struct err *e = find_job(call, block, &job); \
		return e ? e : verb(job); \
	}
VERB_COMMAND(do_pause, false, job_pause)
VERB_COMMAND(do_resume, false, job_resume)
VERB_COMMAND(do_cancel, false, cancel_by_force)
VERB_COMMAND(do_complete, false, job_complete)
VERB_COMMAND(do_finalize, false, job_finalize)
VERB_COMMAND(do_dismiss, false, job_dismiss)
VERB_COMMAND(block_pause, true, job_pause)
VERB_COMMAND(block_resume, true, job_resume)
VERB_COMMAND(block_complete, true, job_complete)
VERB_COMMAND(block_finalize, true, job_finalize)
VERB_COMMAND(block_dismiss, true, job_dismiss)

QMP_COMMAND(job_pause) = { &schema_command_job_pause, do_pause };
QMP_COMMAND(job_resume) = { &schema_command_job_resume, do_resume };
QMP_COMMAND(job_cancel) = { &schema_command_job_cancel, do_cancel };
QMP_COMMAND(job_complete) = { &schema_command_job_complete, do_complete };
QMP_COMMAND(job_finalize) = { &schema_command_job_finalize, do_finalize };
QMP_COMMAND(job_dismiss) = { &schema_command_job_dismiss, do_dismiss };
QMP_COMMAND(block_job_pause) = { &schema_command_block_job_pause, block_pause };
QMP_COMMAND(block_job_resume) = { &schema_command_block_job_resume, block_resume };
QMP_COMMAND(block_job_complete) = { &schema_command_block_job_complete, block_complete };
QMP_COMMAND(block_job_finalize) = { &schema_command_block_job_finalize, block_finalize };
QMP_COMMAND(block_job_dismiss) = { &schema_command_block_job_dismiss, block_dismiss };

static struct err *block_job_cancel(struct qmp_call *call)
{
	const struct block_job_cancel_arg *a = call->arg;
	struct job *job;
	struct err *e = find_job(call, true, &job);
	if (!e && job->user_paused && !a->force)
		e = err_new(ERR_BUSY, "The block job for device '%s' is currently paused", a->device);
	return e ? e : job_cancel(job, a->force);
}
QMP_COMMAND(block_job_cancel) = { &schema_command_block_job_cancel, block_job_cancel };

static struct err *block_job_set_speed(struct qmp_call *call)
{
	const struct block_job_set_speed_arg *a = call->arg;
	struct job *job;
	struct err *e = find_job(call, true, &job);
	return e ? e : job_set_speed(job, a->speed);
}
QMP_COMMAND(block_job_set_speed) = { &schema_command_block_job_set_speed, block_job_set_speed };

/* ---- asking ---- */

static struct err *query_jobs(struct qmp_call *call)
{
	call->ret = json_list();
	for (const struct job *j = call->control->storage->jobs.list; j; j = j->next) {
		struct json *o = json_dict();
		json_set(o, "current-progress", json_int(j->done));
		json_set(o, "status", json_str(job_status_name(j->status)));
		json_set(o, "total-progress", json_int(j->total));
		json_set(o, "type", json_str(j->driver->type));
		json_set(o, "id", json_str(j->id));
		if (j->error)
			json_set(o, "error", json_str(err_text(j->error)));
		json_add(call->ret, o);
	}
	return NULL;
}
QMP_COMMAND(query_jobs) = { &schema_command_query_jobs, query_jobs };

static struct err *query_block_jobs(struct qmp_call *call)
{
	call->ret = json_list();
	for (const struct job *j = call->control->storage->jobs.list; j; j = j->next) {
		struct json *o = json_dict();
		if (!j->driver->block) {
			json_free(o);
			continue;
		}
		json_set(o, "auto-finalize", json_bool(j->auto_finalize));
		json_set(o, "io-status", json_str(j->nospace ? "nospace" : j->stopped ? "failed" : "ok"));
		json_set(o, "device", json_str(j->id));
		json_set(o, "auto-dismiss", json_bool(j->auto_dismiss));
		json_set(o, "busy", json_bool(j->status == JOB_RUNNING && !j->resting));
		json_set(o, "len", json_int(j->total));
		json_set(o, "offset", json_int(j->done));
		json_set(o, "status", json_str(job_status_name(j->status)));
		json_set(o, "paused", json_bool(j->user_paused || j->stopped));
		json_set(o, "speed", json_int(j->speed));
		json_set(o, "ready", json_bool(j->ready));
		json_set(o, "type", json_str(j->driver->type));
		if (j->error)
			json_set(o, "error", json_str(err_text(j->error)));
		json_add(call->ret, o);
	}
	return NULL;
}
QMP_COMMAND(query_block_jobs) = { &schema_command_query_block_jobs, query_block_jobs };
