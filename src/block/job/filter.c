/* A node above the one that a job works on, for clients that want to name it: it hands everything on. */
#include "block/filter/pass.h"
#include "block/graph.h"
#include "block/job/job.h"

/* Not in the registry: nobody opens one. */
static const struct blk_driver driver = { .name = "job-filter",
					  .summary = "what stands above a node that a job works on",
					  .kind = BLK_FILTER,
					  .preadv = pass_preadv,
					  .pwritev = pass_pwritev,
					  .zero = pass_zero,
					  .discard = pass_discard,
					  .map = pass_map,
					  .truncate = pass_truncate };

struct err *job_check_filter(struct blk_graph *graph, const char *name)
{
	if (!blk_id_ok(name))
		return err_new(ERR_INVALID, "Invalid node-name: '%s'", name);
	if (blk_find(graph, name))
		return err_new(ERR_INVALID, "Duplicate nodes with node-name='%s'", name);
	return NULL;
}

void job_put_filter(struct job *job, struct blk_node *node, const char *name)
{
	struct blk_node *f = blk_node_new(node->graph, &driver);
	free(f->node_name);
	f->node_name = str_dup(name);
	f->filename = str_dup(node->filename ? node->filename : "");
	f->flags = node->flags;
	f->size = node->size;
	f->align = node->align;
	f->zero_init = node->zero_init;
	f->options = json_dict();
	json_set(f->options, "driver", json_str(driver.name));
	blk_quiesce(node->graph);
	blk_child_attach(f, "file", blk_ref(node));
	blk_replace(node, f);
	blk_resume(node->graph);
	job->filter = f;
	job_takes(job, f, (struct blk_use){ 0, BLK_PERM_ALL, "main node" });
}

void job_take_filter_away(struct job *job)
{
	struct blk_node *f = job->filter;
	if (!f)
		return;
	blk_quiesce(f->graph);
	blk_replace(f, f->file);
	blk_resume(f->graph);
	job->filter = NULL;
	blk_unref(f);
}
