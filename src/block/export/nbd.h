/*
 * NBD server: exports nodes to clients. Fixed newstyle negotiation, TLS, simple and structured replies, block status for
 * base:allocation, qemu:allocation-depth and qemu:dirty-bitmap:NAME.
 *
 * Clients are not trusted: what one of them can make the server keep is bounded (requests and bytes in flight, option
 * data, seconds until an export is chosen), and nothing it sends ends more than its own connection.
 *
 * Belongs to its loop's thread, but for exports that have another.
 */
#pragma once
#include "base/coroutine.h"
#include "base/tls.h"
#include "block/blk.h"
#include "block/dirty.h"
#include "block/root.h"

struct nbd_client;
struct nbd_listener;

struct nbd_export {
	struct nbd_export *next;
	char *name, *description;
	struct blk_root root; /* its node is what is served */
	u64 offset, size; /* the part of the node that is served */
	bool read_only, shared, allocation_depth;
	bool writethrough; /* every write is followed by a flush */
	struct loop
	    *loop; /* where connections go on once they have chosen the export; NULL: where they began */
	u32 min_block; /* what clients are told, and held to */
	struct blk_dirty **bitmaps; /* the array is the export's, the bitmaps are their node's */
	unsigned n_bitmaps;
	unsigned users; /* clients */
	struct co_wait idle;
};

/* Zeroed, then the members a caller wants are set; they outlive the server's clients. */
struct nbd_server {
	struct nbd_export *exports;
	struct tls_creds *creds; /* set: TLS is a must */
	const char *identity; /* set: the name a client's certificate must bear */
	unsigned max_clients, clients; /* 0: no limit */
	/* A client went, `clients` is without it; served: it had chosen an export. May be NULL. */
	void (*left)(void *user, bool served);
	/* What went wrong with a client. May be NULL. */
	void (*say)(void *user, const char *line);
	void *user;
	/* The rest is the server's. */
	struct co_wait idle;
	struct nbd_client *list;
	struct nbd_listener *listeners;
};

/* Serves the whole node; the other members may be set before a client comes. */
struct nbd_export *nbd_export_new(struct nbd_server *s, const char *name, struct blk_node *node);
/* Ends the export's connections, waits for requests under way, and frees it. */
void nbd_export_free(struct nbd_server *s, struct nbd_export *x);
/* Accepts clients on the listening descriptor from now on, and takes the descriptor over. */
void nbd_server_listen(struct nbd_server *s, int fd);
/* Serves the export on a connected descriptor at once, without negotiation: for the kernel's client. */
void nbd_server_attach(struct nbd_server *s, int fd, struct nbd_export *x);
/* Ends listening and all connections; returns when the last request is done. Exports stay. */
void nbd_server_stop(struct nbd_server *s);
/* The flags an export is announced with. structured: the client understands structured replies. */
u16 nbd_export_flags(const struct nbd_export *x, bool structured);
