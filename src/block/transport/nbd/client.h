/*
 * An NBD client's connection up to the point where an export is chosen. Coroutines, or outside one with waiting.
 *
 * The server is not trusted: lengths are bounded, names are cut, answers that break the protocol end the connection.
 */
#pragma once
#include "base/chan.h"
#include "base/json.h"
#include "base/sock.h"

struct nbd_target {
	struct sock_addr addr;
	struct tls_creds *creds; /* NULL: in the clear */
	char *tls_hostname; /* NULL: the host of addr */
	char *export, *context; /* context: of block status; NULL: none is asked for */
};
/* Frees what the members hold, and drops the reference to the credentials. */
void nbd_target_done(struct nbd_target *t);

struct nbd_info {
	char *name, *description; /* description: NULL when there is none */
	u64 size;
	u16 flags;
	u32 min_block, opt_block, max_block; /* 0: the server did not say */
	char **contexts; /* of a listing */
	unsigned n_contexts;
};
void nbd_info_done(struct nbd_info *info);

struct nbd_link {
	struct chan chan;
	struct nbd_info info;
	bool structured, has_context;
	bool options; /* the server takes options: no export is chosen yet, or one was by GO */
	u32 context_id;
};

/* Connects and agrees on everything: commands may follow. */
struct err *nbd_link_open(const struct nbd_target *t, struct nbd_link *ret) MUST_CHECK;
void nbd_link_close(struct nbd_link *l);
/* All exports of a server with all they say about themselves; each is nbd_info_done() by the caller, then the array freed. */
struct err *nbd_link_list(const struct nbd_target *t, struct nbd_info **ret, size_t *ret_n) MUST_CHECK;

/*
 * nbd://host:port/export, nbd+unix:///export?socket=path, nbds://..., nbd:host:port:exportname=..., nbd:unix:path: into
 * members host, port, path, export and so on of opts.
 */
struct err *nbd_parse_name(const char *filename, struct json *opts) MUST_CHECK;
/* The reverse, as users see it. Caller frees. */
char *nbd_make_name(const struct nbd_target *t);
