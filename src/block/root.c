#include "block/root.h"
#include "block/graph.h"
#include "base/loop/loop.h"
#include <stdarg.h>
#include <stdio.h>

void blk_root_init(struct blk_root *r, struct blk_node *node, struct blk_use use, const char *what, ...)
{
	struct blk_graph *g = node->graph;
	va_list args;
	*r = (struct blk_root){ .next = g->roots, .node = blk_ref(node), .graph = g, .use = use };
	va_start(args, what);
	if (vasprintf(&r->what, what, args) < 0)
		abort();
	va_end(args);
	g->roots = r;
	node->stats.timed++;
}

const struct blk_root *blk_roots(const struct blk_graph *graph)
{
	return graph->roots;
}

void blk_root_done(struct blk_root *r)
{
	if (!r->node)
		return;
	struct blk_root **at = &r->graph->roots;
	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	r->node->stats.timed--;
	blk_unref(r->node);
	free(r->what);
	*r = (struct blk_root){ 0 };
}

void blk_root_enter(struct blk_root *r)
{
	while (r->graph->quiet)
		co_wait(&r->graph->resumed);
	r->in_flight++;
}

void blk_root_leave(struct blk_root *r)
{
	if (!--r->in_flight && r->graph->quiet)
		co_wake_all(&r->graph->idle);
}

static bool in_flight(const struct blk_graph *g)
{
	for (const struct blk_root *r = g->roots; r; r = r->next)
		if (r->in_flight)
			return true;
	return false;
}

struct blk_nap {
	struct blk_nap *next;
	struct co_wait wait;
	struct loop_timer *timer; /* NULL: it is over */
	bool hurried; /* taken out of the list */
};

static void nap_over(void *arg)
{
	struct blk_nap *n = arg;
	n->timer = NULL;
	co_wake_all(&n->wait);
}

bool blk_rest(struct blk_graph *g, i64 ns)
{
	if (g->hurry)
		return false;
	struct blk_nap nap = { .next = g->naps }, **at = &g->naps;
	nap.timer = loop_timer(loop_here(), loop_now() + ns, nap_over, &nap);
	g->naps = &nap;
	co_wait(&nap.wait);
	while (!nap.hurried && *at != &nap)
		at = &(*at)->next;
	if (!nap.hurried)
		*at = nap.next;
	if (nap.timer)
		loop_timer_cancel(nap.timer);
	return !nap.hurried;
}

void blk_hurry(struct blk_graph *g, bool on)
{
	g->hurry += on ? 1 : -1;
	for (struct blk_nap *n; on && (n = g->naps);) {
		g->naps = n->next; /* who is woken may run, and be gone, at once */
		n->hurried = true;
		co_wake_all_later(&n->wait);
	}
}

void blk_quiesce(struct blk_graph *g)
{
	g->quiet++;
	blk_hurry(g, true);
	while (in_flight(g))
		co_wait(&g->idle);
}

void blk_resume(struct blk_graph *g)
{
	blk_hurry(g, false);
	if (!--g->quiet)
		co_wake_all(&g->resumed);
}

/* ---- changing the graph ---- */

bool blk_reaches(const struct blk_node *node, const struct blk_node *below)
{
	if (node == below)
		return true;
	for (const struct blk_child *c = node->children; c; c = c->next)
		if (blk_reaches(c->node, below))
			return true;
	return false;
}

static void replace_child(struct blk_node *parent, struct blk_child *c, struct blk_node *to)
{
	struct blk_node *from = c->node;
	c->node = blk_ref(to);
	if (parent->file == from && strcmp(c->name, "backing") != 0)
		parent->file = to;
	if (strcmp(c->name, "backing") == 0)
		parent->backing = to;
	if (parent->driver->moved)
		parent->driver->moved(parent, from, to);
	blk_unref(from);
}

void blk_replace(struct blk_node *from, struct blk_node *to)
{
	struct blk_graph *g = from->graph;
	blk_ref(from); /* lives until all are done */
	for (struct blk_node *n = g->nodes; n; n = n->next_node) {
		if (n == to || blk_reaches(to, n))
			continue;
		for (struct blk_child *c = n->children; c; c = c->next)
			if (c->node == from)
				replace_child(n, c, to);
	}
	for (struct blk_root *r = g->roots; r; r = r->next)
		if (r->node == from && !r->stays) {
			r->node = blk_ref(to);
			to->stats.timed++;
			from->stats.timed--;
			blk_unref(from);
		}
	blk_unref(from);
}

void blk_change_child(struct blk_node *node, const char *name, struct blk_node *to)
{
	struct blk_child *c = node->children;
	while (strcmp(c->name, name) != 0)
		c = c->next;
	replace_child(node, c, to);
}

void blk_change_backing(struct blk_node *node, struct blk_node *backing)
{
	if (backing)
		blk_ref(backing);
	blk_child_detach(node, "backing");
	if (backing)
		blk_child_attach(node, "backing", backing);
	node->auto_backing = false;
}

static bool has_parent(const struct blk_node *node)
{
	for (const struct blk_node *n = node->graph->nodes; n; n = n->next_node)
		for (const struct blk_child *c = n->children; c; c = c->next)
			if (c->node == node)
				return true;
	return false;
}

struct err *blk_add_child(struct blk_node *node, struct blk_node *child)
{
	AUTO(free_ptr) char *name = NULL;
	if (!node->driver->add_child)
		return err_new(ERR_UNSUPPORTED, "The node %s does not support adding a child",
			       node->node_name);
	if (has_parent(child))
		return err_new(ERR_BUSY, "The node %s already has a parent", child->node_name);
	if (blk_reaches(child, node))
		return err_new(ERR_INVALID, "Making '%s' a child of '%s' would create a cycle",
			       child->node_name, node->node_name);
	struct err *e = node->driver->add_child(node, child, &name);
	if (e)
		return e;
	blk_child_attach(node, name, blk_ref(child));
	e = blk_check_perms(node);
	/* What was just added can be taken away. */
	if (e && !node->driver->remove_child(node, child))
		blk_child_detach(node, name);
	return e;
}

struct err *blk_remove_child(struct blk_node *node, const char *name)
{
	const struct blk_child *c = node->children;
	while (c && strcmp(c->name, name) != 0)
		c = c->next;
	if (!c)
		return err_new(ERR_NOT_FOUND, "Node '%s' does not have child '%s'", node->node_name, name);
	if (!node->driver->remove_child)
		return err_new(ERR_UNSUPPORTED, "The node %s does not support removing a child",
			       node->node_name);
	struct err *e = node->driver->remove_child(node, c->node);
	if (!e)
		blk_child_detach(node, name);
	return e;
}

struct blk_node *blk_overlay_of(struct blk_node *top, const struct blk_node *node)
{
	struct blk_node *n = top;
	while (n && blk_below(n) != node)
		n = blk_below(n);
	return n;
}

bool blk_is_used(const struct blk_node *node)
{
	for (const struct blk_root *r = node->graph->roots; r; r = r->next)
		if (r->node == node)
			return true;
	return has_parent(node);
}

/* ---- hooks ---- */

static void wait_unhooked(struct blk_node *node)
{
	while (node->hooked)
		co_wait(&node->unhooked);
}

void blk_hook_add(struct blk_node *node, struct blk_hook *h)
{
	wait_unhooked(node);
	h->next = node->hooks;
	node->hooks = h;
}

void blk_hook_remove(struct blk_node *node, struct blk_hook *h)
{
	wait_unhooked(node);
	struct blk_hook **at = &node->hooks;
	while (*at && *at != h)
		at = &(*at)->next;
	if (*at)
		*at = h->next;
}

int blk_hooks_before(struct blk_node *node, u64 offset, u64 len)
{
	int r = 0;
	node->hooked++;
	for (struct blk_hook *h = node->hooks; h; h = h->next) {
		int one = h->before ? h->before(h, offset, len) : 0;
		r = r ? r : one;
	}
	return r;
}

int blk_hooks_after(struct blk_node *node, u64 offset, u64 len, int r)
{
	for (struct blk_hook *h = node->hooks; h; h = h->next) {
		int one = h->after ? h->after(h, offset, len) : 0;
		r = r ? r : one;
	}
	if (!--node->hooked)
		co_wake_all(&node->unhooked);
	return r;
}

/* ---- what images say of each other ---- */

struct err *blk_make_writable(struct blk_node *node, bool *ret_was)
{
	*ret_was = node->flags & BLK_RDWR;
	return *ret_was ? NULL : blk_reopen(node, node->flags | BLK_RDWR);
}

struct err *blk_write_backing(struct blk_node *node, const char *file, const char *fmt)
{
	bool was;
	if (!node->driver->set_backing)
		return err_new(ERR_UNSUPPORTED, "Format '%s' does not keep the name of a backing file",
			       node->driver->name);
	struct err *e = blk_make_writable(node, &was);
	if (e)
		return e;
	e = node->driver->set_backing(node, file, file ? fmt : NULL);
	int r = e ? 0 : blk_flush(node);
	if (r)
		e = err_errno(-r, "Could not flush '%s'", node->node_name);
	if (!was) {
		struct err *back = blk_reopen(node, node->flags & ~(u32)BLK_RDWR);
		if (back && !e)
			return back;
		if (back)
			err_free(back);
	}
	return e;
}
