/* Counters of nodes, and the threshold of writes. */
#include "control/block/storage.h"
#include <stdio.h>

/* Members of BlockDeviceStats that each kind of request has, after its short name. */
static void set_counts(struct json *j, const char *name, const struct blk_stat_count *c)
{
	const struct {
		const char *form;
		u64 value;
	} members[] = {
		{ "%s_operations", c->done },  { "failed_%s_operations", c->failed },
		{ "%s_total_time_ns", c->ns }, { "invalid_%s_operations", 0 },
		{ "%s_bytes", c->bytes },      { "%s_merged", 0 },
	};
	/* A flush moves nothing. */
	unsigned n = strcmp(name, "flush") == 0 ? LEN(members) - 2 : LEN(members);
	for (unsigned i = 0; i < n; i++) {
		char key[48];
		snprintf(key, sizeof(key), members[i].form, name);
		json_set(j, key, json_int(members[i].value));
	}
}

static struct json *counts_of(const struct blk_stats *s)
{
	static const char *const names[] = { [BLK_STAT_READ] = "rd",
					     [BLK_STAT_WRITE] = "wr",
					     [BLK_STAT_DISCARD] = "unmap",
					     [BLK_STAT_FLUSH] = "flush" };
	struct json *j = json_dict();
	for (unsigned i = 0; i < BLK_STATS; i++)
		set_counts(j, names[i], &s->of[i]);
	json_set(j, "wr_highest_offset", json_int(s->highest));
	json_set(j, "account_invalid", json_bool(false));
	json_set(j, "account_failed", json_bool(false));
	json_set(j, "timed_stats", json_list());
	return j;
}

static struct json *stats_of(const struct blk_node *node)
{
	struct json *j = json_dict();
	const struct blk_stat_count *discard = &node->stats.of[BLK_STAT_DISCARD];
	json_set(j, "node-name", json_str(node->node_name));
	json_set(j, "stats", counts_of(&node->stats));
	if (strcmp(node->driver->name, "file") == 0 || strcmp(node->driver->name, "host_device") == 0) {
		struct json *own = json_dict();
		json_set(own, "driver", json_str(node->driver->name));
		json_set(own, "discard-nb-ok", json_int(discard->done));
		json_set(own, "discard-nb-failed", json_int(discard->failed));
		json_set(own, "discard-bytes-ok", json_int(discard->bytes));
		json_set(j, "driver-specific", own);
	}
	if (node->file)
		json_set(j, "parent", stats_of(node->file));
	if (node->backing)
		json_set(j, "backing", stats_of(node->backing));
	return j;
}

/* Devices belong to machines: without query-nodes there are none to be counted here. */
static struct err *query_blockstats(struct qmp_call *call)
{
	const struct query_blockstats_arg *a = call->arg;
	call->ret = json_list();
	for (struct blk_node *n = NULL;
	     a->query_nodes && (n = blk_next_node(call->control->storage->graph, n));)
		json_add(call->ret, stats_of(n));
	return NULL;
}
QMP_COMMAND(query_blockstats) = { &schema_command_query_blockstats, query_blockstats };

static struct err *set_threshold(struct qmp_call *call)
{
	const struct block_set_write_threshold_arg *a = call->arg;
	struct blk_node *node = blk_find(call->control->storage->graph, a->node_name);
	if (!node)
		return err_new(ERR_NOT_FOUND, "Device '%s' not found", a->node_name);
	if (a->write_threshold < 0)
		return err_new(ERR_INVALID, "Parameter 'write-threshold' expects an offset, not %lld",
			       (long long)a->write_threshold);
	node->stats.threshold = a->write_threshold;
	return NULL;
}
QMP_COMMAND(block_set_write_threshold) = { &schema_command_block_set_write_threshold, set_threshold };
