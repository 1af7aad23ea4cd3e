/*
 * Who uses the graph from outside: exports, jobs, devices. A user holds a root; the node behind it may be replaced by
 * another (a snapshot, a finished mirror) between two of the user's requests. Belongs to the graph's thread.
 */
#pragma once
#include "block/blk.h"

enum blk_perm {
	BLK_PERM_READ = BIT(0), /* sees one consistent disk */
	BLK_PERM_WRITE = BIT(1),
	BLK_PERM_UNCHANGED = BIT(2), /* writes what is there already */
	BLK_PERM_RESIZE = BIT(3),
	BLK_PERM_ALL = BIT(4) - 1,
};

struct blk_use {
	u32 perm, shared; /* what its user does, and what it bears others doing */
	const char *role; /* "root" for who serves a node to others */
};

struct blk_root { /* in its user's struct */
	struct blk_root *next;
	struct blk_node *node; /* a reference; do not keep it beyond a request */
	struct blk_graph *graph;
	char *what; /* "NBD export 'x'": for messages */
	struct blk_use use;
	const void *owner; /* a job that holds several nodes: they bear each other; NULL: none */
	bool stays; /* keeps its node when others get another one: a job's own */
	unsigned in_flight;
};

/* what is formatted as by printf. Takes a reference to the node. */
void blk_root_init(struct blk_root *r, struct blk_node *node, struct blk_use use, const char *what, ...)
    PRINTF(4, 5);
/* The first of all; the others follow by next. */
const struct blk_root *blk_roots(const struct blk_graph *graph);
/* No request is under way. Drops the reference; r is zeroed. One that was never initialised is ignored. */
void blk_root_done(struct blk_root *r);
/* ---- who may do what (perm.c) ---- */
/* Refuses when users of the node, or of what lies below it, do what others do not bear. */
struct err *blk_check_perms(const struct blk_node *node) MUST_CHECK;
/* May there be such a user? what: as for blk_root_init. */
struct err *blk_check_use(struct blk_node *node, struct blk_use use, const char *what) MUST_CHECK;
/* For those who show them: node->perm and shared of all nodes, and what a node does with its child. */
void blk_settle_perms(struct blk_graph *graph);
struct blk_use blk_use_of_child(const struct blk_node *parent, const struct blk_child *c);

/* Around each request: waits while the graph is being changed. In a coroutine, or outside one. */
void blk_root_enter(struct blk_root *r);
void blk_root_leave(struct blk_root *r);

/* Keeps new requests of all roots waiting and waits for those under way. Nests. Not within a request. */
void blk_quiesce(struct blk_graph *graph);
void blk_resume(struct blk_graph *graph);

/* For filters that hold requests back: rests; at most until somebody has to wait for these requests. False: the time is not over. */
bool blk_rest(struct blk_graph *graph, i64 ns);
/* Around waiting for requests: nobody rests meanwhile. Nests. blk_quiesce does it by itself. */
void blk_hurry(struct blk_graph *graph, bool on);

/* ---- changing the graph; quiesced ---- */

/* Whatever stands on `from` stands on `to` from now on, but for `to` itself and what lies below it. */
void blk_replace(struct blk_node *from, struct blk_node *to);
/* Another backing file, NULL: none. A reference is taken. The header stays: see set_backing. */
void blk_change_backing(struct blk_node *node, struct blk_node *backing);
/* A new child for a node that takes some, such as quorum; a reference is taken. */
struct err *blk_add_child(struct blk_node *node, struct blk_node *child) MUST_CHECK;
struct err *blk_remove_child(struct blk_node *node, const char *name) MUST_CHECK;
/* Another child of this name, which holds the same; not "backing". A reference is taken. */
void blk_change_child(struct blk_node *node, const char *name, struct blk_node *to);
/* Is `below` the node or among what it stands on? */
bool blk_reaches(const struct blk_node *node, const struct blk_node *below);
/* The layer whose backing file this is, going down from top; NULL: none. */
struct blk_node *blk_overlay_of(struct blk_node *top, const struct blk_node *node);
/* Other nodes or roots that stand on it. */
bool blk_is_used(const struct blk_node *node);

/* ---- watching writes ---- */

struct blk_hook { /* in its user's struct */
	struct blk_hook *next;
	/*
	 * Before and after bytes change, by a write, zeros or a discard; not by requests flagged BLK_REQ_UNCHANGED. In the
	 * writer's coroutine; before: anything but 0 fails the request. A request seen by before is seen by after.
	 */
	int (*before)(struct blk_hook *h, u64 offset, u64 len);
	int (*after)(struct blk_hook *h, u64 offset, u64 len);
};
/* Both wait for requests that are between before and after; quiesced, so that there are no others. */
void blk_hook_add(struct blk_node *node, struct blk_hook *h);
void blk_hook_remove(struct blk_node *node, struct blk_hook *h);

/*
 * Gives an open node new options, as blockdev-reopen does: what is not named has its default again. The driver stays, and of
 * the children all but "file" and "backing". options: copied. Quiesced.
 */
struct err *blk_reopen_options(struct blk_node *node, const struct json *options) MUST_CHECK;

/*
 * Writes the name of the backing file into an image (NULL: none); the graph stays. An image that is open for reading alone is
 * opened for writing meanwhile.
 */
struct err *blk_write_backing(struct blk_node *node, const char *file, const char *fmt) MUST_CHECK;
/* The node may be written to from now on; *ret_was: whether it could before. */
struct err *blk_make_writable(struct blk_node *node, bool *ret_was) MUST_CHECK;
