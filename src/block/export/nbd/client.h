/* NBD server: a client, as negotiation (option.c), commands (command.c) and connections (server.c) see it. */
#pragma once
#include "base/chan.h"
#include "base/coroutine.h"
#include "block/export/nbd.h"
#include "block/nbd.h"

enum {
	NBD_IN_FLIGHT = 16, /* requests of a client */
	NBD_KEPT_BUFFER = 1 << 20, /* buffers up to this size wait for the next request */
	NBD_BYTES_IN_FLIGHT = 2 * NBD_MAX_DATA,
	NBD_MAX_OPTION = 128 << 10, /* bytes of an option's data */
	NBD_MAX_OPTIONS = 4096, /* options of a negotiation */
	NBD_HANDSHAKE_SECONDS = 10,
	NBD_BUFFER_ALIGN = 4096,
};

struct nbd_request {
	struct nbd_client *client;
	u16 flags, type;
	u64 handle, from;
	u32 len;
	u8 *data;
	size_t room; /* bytes at data */
	struct nbd_request *next; /* unused ones */
};

struct nbd_client {
	struct nbd_server *server;
	struct nbd_client *next;
	struct chan chan;
	struct nbd_export *export; /* chosen: counts as its user */
	bool structured, no_zeroes, gone;
	/* What SET_META_CONTEXT agreed on, for this export; good when the same is chosen. */
	struct nbd_export *meta;
	bool alloc, depth, *bitmap;
	unsigned in_flight;
	u64 bytes; /* of data of requests in flight */
	struct nbd_request *unused;
	struct co_wait room, idle;
	struct co_lock sending;
};

/* Until an export is chosen. *ret_quiet: the client went as it may. */
struct err *nbd_negotiate(struct nbd_client *c, bool *ret_quiet) MUST_CHECK;
/* A request's work and its reply; a reply that cannot be sent marks the client as gone. */
void nbd_serve(struct nbd_request *q);
/* Room for len bytes at q->data. False: out of memory. */
bool nbd_request_room(struct nbd_request *q, size_t len);
