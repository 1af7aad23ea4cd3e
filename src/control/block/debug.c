/* The graph and bitmaps as tests and those who look for faults want to see them. */
#include "control/block/storage.h"
#include "block/root.h"

struct listing {
	struct json *nodes, *edges;
	u64 ids;
};

static struct json *perm_names(u32 perms)
{
	static const char *const names[] = { "consistent-read", "write", "write-unchanged", "resize" };
	struct json *list = json_list();
	for (unsigned i = 0; i < LEN(names); i++)
		if (perms & BIT(i))
			json_add(list, json_str(names[i]));
	return list;
}

static i64 add_node(struct listing *l, const char *type, const char *name)
{
	struct json *j = json_dict();
	json_set(j, "id", json_int(++l->ids));
	json_set(j, "type", json_str(type));
	json_set(j, "name", json_str(name));
	json_add(l->nodes, j);
	return l->ids;
}

static void add_edge(struct listing *l, i64 parent, i64 child, const struct blk_use *use)
{
	struct json *j = json_dict();
	json_set(j, "parent", json_int(parent));
	json_set(j, "child", json_int(child));
	json_set(j, "name", json_str(use->role));
	json_set(j, "perm", perm_names(use->perm));
	json_set(j, "shared-perm", perm_names(use->shared));
	json_add(l->edges, j);
}

/* Nodes are listed first, in the graph's order: that gives their ids. */
static i64 id_of(struct blk_graph *g, const struct blk_node *node)
{
	i64 id = 1;
	for (struct blk_node *n = NULL; (n = blk_next_node(g, n)) && n != node;)
		id++;
	return id;
}

static void add_users(struct listing *l, struct storage *s)
{
	for (const struct job *job = s->jobs.list; job; job = job->next) {
		i64 id = add_node(l, "block-job", job->id);
		for (const struct job_node *n = job->nodes; n; n = n->next)
			add_edge(l, id, id_of(s->graph, n->root.node), &n->root.use);
	}
	for (const struct blk_root *r = blk_roots(s->graph); r; r = r->next)
		if (strcmp(r->use.role, "root") == 0 && !r->stays)
			add_edge(l, add_node(l, "block-backend", ""), id_of(s->graph, r->node), &r->use);
}

static struct err *query_graph(struct qmp_call *call)
{
	struct storage *s = call->control->storage;
	struct listing l = { json_list(), json_list(), 0 };
	blk_settle_perms(s->graph);
	for (struct blk_node *n = NULL; (n = blk_next_node(s->graph, n));)
		add_node(&l, "block-driver", n->node_name);
	for (struct blk_node *n = NULL; (n = blk_next_node(s->graph, n));)
		for (const struct blk_child *c = n->children; c; c = c->next) {
			struct blk_use use = blk_use_of_child(n, c);
			add_edge(&l, id_of(s->graph, n), id_of(s->graph, c->node), &use);
		}
	add_users(&l, s);
	call->ret = json_dict();
	json_set(call->ret, "nodes", l.nodes);
	json_set(call->ret, "edges", l.edges);
	return NULL;
}
QMP_COMMAND(x_debug_query_block_graph) = { &schema_command_x_debug_query_block_graph, query_graph };
