/*
 * NBD server: exports nodes to clients. Fixed newstyle negotiation, simple and structured replies, block status for
 * base:allocation, qemu:allocation-depth and qemu:dirty-bitmap:NAME.
 *
 * Belongs to its loop's thread.
 */
#pragma once
#include "block/blk.h"
#include "block/dirty.h"

struct nbd_export {
	struct nbd_export *next;
	char *name, *description;
	struct blk_node *node;
	bool read_only, shared, allocation_depth;
	struct blk_dirty **bitmaps;
	unsigned n_bitmaps;
};

struct nbd_server {
	struct nbd_export *exports;
	unsigned max_clients, clients; /* 0: no limit */
	bool ended; /* no new clients */
	/* A client came or went; after a client went, `clients` is without it. */
	void (*changed)(void *user, bool came);
	void *user;
	struct co_wait room;
};

struct nbd_export *nbd_export_new(struct nbd_server *s, const char *name, struct blk_node *node);
void nbd_export_free(struct nbd_server *s, struct nbd_export *x);
/* Starts a coroutine that accepts clients on the descriptor, until it is closed. */
void nbd_server_listen(struct nbd_server *s, int fd);
