/*
 * The storage part of a program: graph, objects, jobs, exports, and which nodes clients have made. Commands of the schema
 * act on it. Belongs to the main thread.
 */
#pragma once
#include "block/blk.h"
#include "block/dirty.h"
#include "block/export/export.h"
#include "block/export/nbd.h"
#include "block/job/job.h"
#include "control/control.h"
#include "control/qmp/qmp.h"
#include "schema.gen.h"

struct storage_node { /* a node that blockdev-add made: alive until blockdev-del */
	struct storage_node *next;
	struct blk_node *node;
};

struct storage {
	struct control *control;
	struct blk_graph *graph;
	struct jobs jobs;
	struct storage_node *nodes;
	struct blk_exports exports;
	struct nbd_server nbd;
	char *nbd_path; /* socket file of the server, removed at its end */
	struct tls_creds *nbd_creds;
	char *nbd_identity;
};

/* Sets control->storage. Objects, nodes, exports are added by commands. */
struct storage *storage_new(struct control *control);
/* Ends jobs, exports and nodes, in this order. */
void storage_free(struct storage *s);

/* Character devices find credentials and authorizations among the storage's objects from now on, as long as it lives. */
void storage_lend_objects(struct storage *s, struct chr_set *chrs);

/* What of the schema this program has: see schema_offers. */
bool storage_offers(const struct schema_type *enumeration, const char *value);

/* options: as blockdev-add takes them; copied. */
struct err *storage_add_node(struct storage *s, const struct json *options) MUST_CHECK;
/* Keeps a node that a command made as if blockdev-add had; takes the reference. */
void storage_keep_node(struct storage *s, struct blk_node *node);
/* By node name, with the messages that clients know; device: another name, NULL: none. There are no devices here. */
struct err *storage_find(struct storage *s, const char *device, const char *node_name,
			 struct blk_node **ret) MUST_CHECK;
/* The bitmap of a node, with the messages that clients know. */
struct err *storage_find_bitmap(struct storage *s, const char *node_name, const char *name,
				struct blk_node **ret_node, struct blk_dirty **ret) MUST_CHECK;

/* addr: SocketAddress; opts: tls-creds, tls-authz, max-connections. */
struct err *storage_start_nbd(struct storage *s, const struct json *addr, const struct json *opts) MUST_CHECK;
/* Stops the NBD server, if there is one, and its exports. */
void storage_stop_nbd(struct storage *s);

/* An image file that a command makes, or finds, and opens. */
struct storage_target {
	const char *filename, *format, *node_name; /* format NULL: the source's, or probed */
	bool existing; /* it is there already */
	bool no_backing; /* whatever its header says */
	struct blk_node *source; /* size, format and cache mode are as its */
	struct blk_node *
	    backing; /* what it stands on, and what its header names; NULL: nothing, or what its header says */
	struct blk_node *names; /* what its header names, though it does not stand on it yet */
};
struct err *storage_open_target(struct storage *s, const struct storage_target *t,
				struct blk_node **ret) MUST_CHECK;
/* filter-node-name of a job; NULL: none. */
struct err *storage_check_filter(struct storage *s, const char *name) MUST_CHECK;
