/*
 * What the core's own files share: the graph, options common to all nodes, opening of children. Drivers use blk.h.
 */
#pragma once
#include "block/blk.h"

struct blk_graph {
	struct blk_node *nodes;
	unsigned names; /* counter of made-up node names */
	unsigned opening; /* depth of the chain that is being opened */
	struct blk_object *objects; /* see object.h */
	void (*say)(void *user, const char *line);
	void *say_user;
	struct blk_watch watch;
	struct blk_root *roots; /* see root.h */
	unsigned quiet; /* requests of roots wait: the graph is being changed */
	unsigned hurry; /* nobody rests */
	struct co_wait resumed, idle;
	struct gate *gate; /* of its threads; NULL: there is one alone */
	struct blk_nap *naps; /* who rests in blk_rest */
};

/* ---- open.c ---- */
/* Reads the first bytes and asks every format; raw when nothing else fits. */
enum { BLK_PROBE = 2048 }; /* bytes at the beginning of a file that tell its format */
/* The format of a file that begins so; raw when nothing else fits. len: at most BLK_PROBE. */
const struct blk_driver *blk_probe_bytes(const u8 *head, size_t len, const char *filename);
struct err *blk_probe(struct blk_node *file, const char *filename, const struct blk_driver **ret) MUST_CHECK;
struct blk_node *blk_node_new(struct blk_graph *graph, const struct blk_driver *driver);
void blk_node_drop(struct blk_node *node); /* unlinks and frees, without the driver's close */
void blk_child_attach(struct blk_node *node, const char *name,
		      struct blk_node *child); /* takes the reference */
void blk_child_detach(struct blk_node *node, const char *name); /* drops it */
/* Takes the options that every node has: into flags, where nothing is said as they are. */
struct err *blk_take_common(struct json *opts, u32 *flags) MUST_CHECK;
/* Opens the backing file that options or header name. */
struct err *blk_open_backing(struct blk_node *node, struct json *opts) MUST_CHECK;

/* ---- hooks on writes (root.c) ---- */
/* 0, or what the request fails with; blk_hooks_after must follow either way, and gives what the request gives. */
int blk_hooks_before(struct blk_node *node, u64 offset, u64 len);
int blk_hooks_after(struct blk_node *node, u64 offset, u64 len, int r);

/* ---- requests (io.c, write.c) ---- */
enum blk_req_kind { REQ_READ, REQ_WRITE, REQ_ALLOC, REQ_FREE };

struct blk_request {
	struct blk_request *next, *prev;
	enum blk_req_kind kind;
	u64 from, to; /* rounded to clusters */
};

/* Waits for those in conflict, then registers. */
void blk_req_begin(struct blk_node *node, struct blk_request *r, enum blk_req_kind kind, u64 offset, u64 len);
/* Registers at once. */
void blk_req_add(struct blk_node *node, struct blk_request *r, enum blk_req_kind kind, u64 offset, u64 len);
/* A request in flight that one of this kind would have to wait for; NULL: none. */
struct blk_request *blk_req_conflict(struct blk_node *node, enum blk_req_kind kind, u64 offset, u64 len);
/* Turns a registered request into one that gives room back: new readers wait, older ones are waited for. */
void blk_req_upgrade(struct blk_node *node, struct blk_request *r);
void blk_req_end(struct blk_node *node, struct blk_request *r);
int blk_format_read(struct blk_node *node, u64 offset, struct iovs iov, u32 flags);
int blk_format_write(struct blk_node *node, u64 offset, struct iovs iov, u32 flags);
int blk_write_compressed(struct blk_node *node, u64 offset, struct iovs iov);
/* copy-on-read: what of the range only the backing chain above `base` (NULL: all of it) has is written into this layer, by whole clusters. */
int blk_copy_up(struct blk_node *node, struct blk_node *base, u64 offset, u64 len);
/* The backing file of a layer; filters are part of the layer below them (blk_below takes them one by one). NULL: none. */
static inline struct blk_node *blk_layer_below(struct blk_node *node)
{
	return blk_unfiltered(node)->backing;
}
