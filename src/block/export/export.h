/*
 * Exports: nodes served to others, by kind: EXPORT(nbd) in a file of its own. Belongs to the graph's thread.
 */
#pragma once
#include "block/root.h"

struct nbd_server;
struct blk_exports;

struct blk_export {
	struct blk_export *next;
	struct blk_exports *all;
	const struct blk_export_kind *kind;
	struct blk_graph *graph;
	char *id, *node_name;
	void *state;
	bool writable, writethrough;
	struct blk_use use;
	struct iothread *thread; /* where its requests run; NULL: in the graph's own */
	bool ending; /* to be gone as soon as nobody is connected */
};

struct blk_exports { /* zeroed, then the members below are set */
	struct blk_export *list;
	struct nbd_server *nbd; /* NULL: not started */
	void (*gone)(void *user, const char *id); /* may be NULL */
	void *user;
};

struct blk_export_kind {
	const char *name; /* as in BlockExportType of the schema */
	size_t state_size;
	u32 write_perms; /* what a writable one does besides reading: enum blk_perm */
	u32 shares; /* what it bears others doing */
	/* opts: what block-export-add was given, checked against the schema; holds a root of this use for the node. */
	struct err *(*open)(struct blk_export *x, struct blk_node *node, const struct json *opts);
	/* Somebody is connected: mode safe refuses to end it. NULL: never. */
	bool (*busy)(const struct blk_export *x);
	/* Ends connections, waits for requests under way. */
	void (*close)(struct blk_export *x);
};

#define EXPORT(id) \
	extern const struct blk_export_kind blk_export_kind_##id; \
	const struct blk_export_kind blk_export_kind_##id
//registry: EXPORT struct blk_export_kind blk_export_kind_ blk_export_kinds
extern const struct blk_export_kind *const blk_export_kinds[]; /* generated; ends with NULL */

const struct blk_export_kind *blk_export_kind_find(const char *name);
/* opts: see open; type, id and node-name at least. */
struct err *blk_export_add(struct blk_exports *all, struct blk_graph *graph,
			   const struct json *opts) MUST_CHECK;
struct blk_export *blk_export_find(const struct blk_exports *all, const char *id);
/* Closes and frees it; gone is told. */
void blk_export_end(struct blk_export *x);
/* All of a kind; NULL: all. */
void blk_exports_end(struct blk_exports *all, const struct blk_export_kind *kind);
/* A bitmap of the node or of what lies below it. node_name NULL: of the node; else of that one alone. */
struct err *blk_export_bitmap(struct blk_node *node, const char *node_name, const char *name,
			      struct blk_dirty **ret) MUST_CHECK;
