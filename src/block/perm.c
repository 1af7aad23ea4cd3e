/*
 * Permissions: what users of a node do with it, and what they bear others doing. Users from outside say so themselves (roots);
 * a node says it of its children, by what its own users do. Nothing is kept: the graph is gone through when somebody new comes.
 */
#include "block/graph.h"
#include "block/root.h"
#include <stdio.h>

static bool is_format(const struct blk_node *n)
{
	return n->driver->kind == BLK_FORMAT && strcmp(n->driver->name, "raw") != 0;
}

/* Tables: read always, written and moved about whenever the image may change. Nobody else writes into them. */
static struct blk_use metadata_use(const struct blk_node *parent)
{
	struct blk_use u = { BLK_PERM_READ, BLK_PERM_UNCHANGED | (parent->shared & BLK_PERM_READ) };
	if (parent->flags & BLK_RDWR)
		u.perm |= BLK_PERM_WRITE | BLK_PERM_RESIZE;
	return u;
}

/* A backing file may only change under who bears a changing disk. */
static struct blk_use backing_use(const struct blk_node *parent)
{
	struct blk_use u = { parent->perm & BLK_PERM_READ, BLK_PERM_READ | BLK_PERM_UNCHANGED };
	if (parent->shared & BLK_PERM_WRITE)
		u.shared |= BLK_PERM_WRITE | BLK_PERM_RESIZE;
	return u;
}

struct blk_use blk_use_of_child(const struct blk_node *parent, const struct blk_child *c)
{
	bool format = is_format(parent);
	struct blk_use u = { parent->perm, parent->shared };
	if (strcmp(c->name, "backing") == 0)
		u = backing_use(parent);
	else if (strcmp(parent->driver->name, "luks") == 0)
		u.perm |= BLK_PERM_READ; /* its header stays where it is, and as it is */
	else if (format && strcmp(c->name, "data-file") == 0)
		u.shared &= ~(u32)BLK_PERM_RESIZE;
	else if (format)
		u = metadata_use(parent);
	u.role = c->name;
	return u;
}

/* What all users of the node together do and bear; those of its parents first. */
static void settle(struct blk_node *node)
{
	if (node->settled)
		return;
	node->settled = true;
	node->perm = 0;
	node->shared = BLK_PERM_ALL;
	for (const struct blk_root *r = node->graph->roots; r; r = r->next)
		if (r->node == node) {
			node->perm |= r->use.perm;
			node->shared &= r->use.shared;
		}
	for (struct blk_node *p = node->graph->nodes; p; p = p->next_node)
		for (const struct blk_child *c = p->children; c; c = c->next)
			if (c->node == node) {
				settle(p);
				struct blk_use u = blk_use_of_child(p, c);
				node->perm |= u.perm;
				node->shared &= u.shared;
			}
}

void blk_settle_perms(struct blk_graph *graph)
{
	for (struct blk_node *n = graph->nodes; n; n = n->next_node)
		n->settled = false;
	for (struct blk_node *n = graph->nodes; n; n = n->next_node)
		settle(n);
}

/* ---- conflicts ---- */

struct user { /* of one node: a root, or a node by one of its children */
	const struct blk_root *root;
	const struct blk_node *parent;
	struct blk_use use;
};

/* The next user behind *u; zeroed: the first. */
static bool next_user(const struct blk_node *node, struct user *u)
{
	const struct blk_root *r = u->root ? u->root->next : u->parent ? NULL : node->graph->roots;
	while (r && r->node != node)
		r = r->next;
	if (r) {
		*u = (struct user){ .root = r, .use = r->use };
		return true;
	}
	for (const struct blk_node *p = u->parent ? u->parent->next_node : node->graph->nodes; p;
	     p = p->next_node)
		for (const struct blk_child *c = p->children; c; c = c->next)
			if (c->node == node) {
				*u = (struct user){ .parent = p, .use = blk_use_of_child(p, c) };
				return true;
			}
	return false;
}

static char *name_user(const struct blk_node *node, const struct user *u)
{
	AUTO(free_ptr)
	char *who = u->parent			       ? strf("node '%s'", u->parent->node_name)
		    : strcmp(u->use.role, "root") == 0 ? str_dup("an unnamed block device")
						       : str_dup(u->root->what);
	return strf("%s (uses node '%s' as '%s' child)", who, node->node_name, u->use.role);
}

static char *name_perms(u32 perms)
{
	static const char *const names[] = { "consistent read", "write", "write unchanged", "resize" };
	char *s = str_dup("");
	for (unsigned i = 0; i < LEN(names); i++)
		if (perms & BIT(i)) {
			char *longer = strf("%s%s%s", s, *s ? ", " : "", names[i]);
			free(s);
			s = longer;
		}
	return s;
}

static struct err *refuse(const struct blk_node *node, const struct user *a, const struct user *b, u32 perms)
{
	AUTO(free_ptr) char *one = name_user(node, a), *other = name_user(node, b), *what = name_perms(perms);
	const struct blk_root *r = a->root ? a->root : b->root;
	struct err *e =
	    err_new(ERR_BUSY,
		    "Permission conflict on node '%s': permissions '%s' are both required by %s and "
		    "unshared by %s.",
		    node->node_name, what, one, other);
	return r ? err_hint(e, "The user from outside is %s: end it first", r->what) : e;
}

/* A layer that the same job holds: it knows what it does to what lies below. */
static bool same_owner(const struct user *a, const struct user *b)
{
	const void *owner = a->root ? a->root->owner : b->root ? b->root->owner : NULL;
	const struct blk_node *parent = a->parent ? a->parent : b->parent;
	if (!owner)
		return false;
	if (a->root && b->root)
		return a->root->owner == b->root->owner;
	for (const struct blk_root *r = parent->graph->roots; r; r = r->next)
		if (r->owner == owner && r->node == parent)
			return true;
	return false;
}

static struct err *check_node(const struct blk_node *node)
{
	for (struct user a = { 0 }; next_user(node, &a);)
		for (struct user b = { 0 }; next_user(node, &b);) {
			u32 bad = a.use.perm & ~b.use.shared;
			bool same = a.root == b.root && a.parent == b.parent;
			if (bad && !same && !same_owner(&a, &b))
				return refuse(node, &a, &b, bad);
		}
	return NULL;
}

static struct err *check_below(const struct blk_node *node)
{
	struct err *e = check_node(node);
	for (const struct blk_child *c = node->children; c && !e; c = c->next)
		e = check_below(c->node);
	return e;
}

struct err *blk_check_perms(const struct blk_node *node)
{
	blk_settle_perms(node->graph);
	return check_below(node);
}

struct err *blk_check_use(struct blk_node *node, struct blk_use use, const char *what)
{
	struct blk_root r;
	blk_root_init(&r, node, use, "%s", what);
	struct err *e = blk_check_perms(node);
	blk_root_done(&r);
	return e;
}
