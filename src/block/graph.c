/* Nodes and their children: life, names, references. Opening is open.c's. */
#include "block/graph.h"
#include "base/loop/loop.h"
#include "block/dirty.h"
#include "block/object.h"
#include <stdarg.h>
#include <stdio.h>

struct blk_graph *blk_graph_new(void)
{
	return alloc(sizeof(struct blk_graph));
}

void blk_graph_free(struct blk_graph *graph)
{
	blk_objects_free(graph);
	if (graph->gate) {
		loop_share(NULL);
		gate_free(graph->gate);
	}
	free(graph);
}

void blk_graph_listen(struct blk_graph *graph, void (*say)(void *, const char *), void *user)
{
	graph->say = say;
	graph->say_user = user;
}

void blk_graph_watch(struct blk_graph *graph, const struct blk_watch *watch)
{
	graph->watch = *watch;
}

void blk_corrupted(struct blk_node *node, const char *what, u64 offset, u64 len, bool fatal)
{
	const struct blk_watch *w = &node->graph->watch;
	if (w->corrupted)
		w->corrupted(w->user, node, what, offset, len, fatal);
}

static char *vformat(const char *fmt, va_list args)
{
	char *s;
	if (vasprintf(&s, fmt, args) < 0)
		abort();
	return s;
}

void blk_say(struct blk_node *node, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	AUTO(free_ptr) char *line = vformat(fmt, args);
	va_end(args);
	if (node->graph->say)
		node->graph->say(node->graph->say_user, line);
}

void blk_check_say(struct blk_check *c, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	AUTO(free_ptr) char *line = vformat(fmt, args);
	va_end(args);
	if (c->say)
		c->say(c->user, line);
}

struct blk_node *blk_next_node(struct blk_graph *graph, const struct blk_node *node)
{
	return node ? node->next_node : graph->nodes;
}

struct blk_node *blk_find(struct blk_graph *graph, const char *node_name)
{
	struct blk_node *n = graph->nodes;
	while (n && strcmp(n->node_name, node_name) != 0)
		n = n->next_node;
	return n;
}

const struct blk_driver *blk_driver_find(const char *name)
{
	for (const struct blk_driver *const *d = blk_drivers; *d; d++)
		if (strcmp((*d)->name, name) == 0)
			return *d;
	return NULL;
}

struct blk_node *blk_node_new(struct blk_graph *graph, const struct blk_driver *driver)
{
	struct blk_node *n = alloc(sizeof(*n));
	n->driver = driver;
	n->state = alloc(driver->state_size);
	n->granularity = n->align = 1;
	n->refs = 1;
	n->graph = graph;
	n->node_name = strf("#block%03u", graph->names++);
	n->next_node = graph->nodes;
	graph->nodes = n;
	return n;
}

void blk_child_attach(struct blk_node *node, const char *name, struct blk_node *child)
{
	struct blk_child *c = alloc(sizeof(*c)), **at = &node->children;
	c->name = str_dup(name);
	c->node = child;
	while (*at)
		at = &(*at)->next;
	*at = c;
	if (strcmp(name, "file") == 0)
		node->file = child;
	if (strcmp(name, "backing") == 0)
		node->backing = child;
}

void blk_child_detach(struct blk_node *node, const char *name)
{
	struct blk_child **at = &node->children, *c;
	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	if (!(c = *at))
		return;
	*at = c->next;
	if (node->file == c->node)
		node->file = NULL;
	if (strcmp(name, "backing") == 0)
		node->backing = NULL;
	blk_unref(c->node);
	free(c->name);
	free(c);
}

void blk_node_drop(struct blk_node *node)
{
	while (node->children)
		blk_child_detach(node, node->children->name);
	struct blk_node **at = &node->graph->nodes;
	while (*at != node)
		at = &(*at)->next_node;
	*at = node->next_node;
	while (node->dirty)
		blk_dirty_free(node, node->dirty);
	json_free(node->options);
	free(node->node_name);
	free(node->filename);
	free(node->backing_file);
	free(node->backing_format);
	free(node->state);
	free(node);
}

struct blk_node **blk_child_slot(struct blk_node *node, const struct blk_node *child)
{
	struct blk_child *c = node->children;
	while (c->node != child)
		c = c->next;
	return &c->node;
}

struct blk_node *blk_ref(struct blk_node *node)
{
	node->refs++;
	return node;
}

void blk_unref(struct blk_node *node)
{
	if (!node || --node->refs)
		return;
	/* Formats leave the flush to what they stand on: it has their last metadata then. */
	if (node->driver->kind == BLK_TRANSPORT && node->written && blk_flush(node))
		blk_say(
		    node,
		    "%s: the last flush before closing failed: what was written may not be on stable storage",
		    node->node_name);
	if (node->driver->close)
		node->driver->close(node);
	blk_node_drop(node);
}

u32 blk_unit(const struct blk_node *node)
{
	return MAX(node->granularity, node->cluster);
}

u64 blk_size(const struct blk_node *node)
{
	return node->size;
}

struct err *blk_reopen(struct blk_node *node, u32 flags)
{
	enum { OWN = BLK_RDWR | BLK_WRITETHROUGH | BLK_NO_FLUSH | BLK_DIRECT | BLK_UNMAP };
	u32 now = (node->flags & ~(u32)OWN) | (flags & OWN);
	struct err *e = NULL;
	if (!(flags & BLK_RDWR) && (node->flags & BLK_RDWR)) {
		int r = blk_flush(node);
		if (r)
			return err_errno(-r, "Error flushing drive");
	}
	/* Who stops writing says so in the file while it can still be written. */
	bool ends = node->driver->reopen && (node->flags & BLK_RDWR) && !(now & BLK_RDWR);
	if (ends)
		e = node->driver->reopen(node, now);
	for (struct blk_child *c = node->children; c && !e; c = c->next) {
		u32 below = flags & ~(u32)BLK_WRITETHROUGH;
		if (c->node == node->backing)
			continue;
		if (c->node->driver->kind == BLK_TRANSPORT && (c->node->flags & BLK_KEEP_WRITERS_OUT))
			c->node->flags = flags & BLK_RDWR ? c->node->flags | BLK_RESIZE
							  : c->node->flags & ~(u32)BLK_RESIZE;
		e = blk_reopen(c->node, below | BLK_UNMAP);
	}
	if (!e && node->driver->reopen && !ends)
		return node->driver->reopen(node, now);
	if (!e)
		node->flags = now;
	return e;
}
