/*
 * Objects that descriptions of nodes name by id: secrets, TLS credentials, throttle groups. Kept by the graph.
 * One thread.
 */
#pragma once
#include "block/blk.h"
#include "base/tls.h"

struct blk_object {
	struct blk_object *next;
	char *id, *type;
	struct json *props;
	u8 *data; /* secrets: the bytes */
	size_t len;
	struct tls_creds *tls; /* tls-creds-*: the files, read */
	struct throttle *throttle; /* throttle-group */
	struct iothread *thread; /* iothread */
};

/* props: an object with "qom-type", "id" and the rest; taken over. Refuses unknown types, ids in use, and bad members. */
struct err *blk_object_add(struct blk_graph *graph, struct json *props) MUST_CHECK;
/* The same from a command line's "TYPE,id=ID,...". */
struct err *blk_object_add_text(struct blk_graph *graph, const char *text) MUST_CHECK;
struct blk_object *blk_object_find(struct blk_graph *graph, const char *id);
/* A property as it stands, the caller owns it; NULL: it was not given. */
struct json *blk_object_get(const struct blk_object *o, const char *name);
/* val is of the property's type. What can be changed once the object is there: the limits of a throttle group. */
struct err *blk_object_set(struct blk_object *o, const char *name, const struct json *val) MUST_CHECK;
struct err *blk_object_del(struct blk_graph *graph, const char *id) MUST_CHECK;
void blk_objects_free(struct blk_graph *graph);
/* A secret's bytes; they belong to the object. */
struct err *blk_secret(struct blk_graph *graph, const char *id, const u8 **ret, size_t *ret_len) MUST_CHECK;
/* TLS credentials for one side; they belong to the object: take a reference to keep them. */
struct err *blk_tls_creds(struct blk_graph *graph, const char *id, bool server,
			  struct tls_creds **ret) MUST_CHECK;
/* The thread of an object of type iothread; NULL: there is none of this id. */
struct iothread *blk_iothread(struct blk_graph *graph, const char *id);
/* The identity that an authorization object (authz-simple) lets in; belongs to the object. */
struct err *blk_authz(struct blk_graph *graph, const char *id, const char **ret) MUST_CHECK;
