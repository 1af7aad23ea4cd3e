/*
 * Character devices: where bytes of a monitor, later of a serial line, come from and go to. One end at a time is connected:
 * a client of a listening socket, a peer that was connected to, the standard streams.
 *
 * Made and freed in the main thread; from chr_wait on it belongs to the thread of whoever uses it.
 */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include "base/sock.h"
#include "base/tls.h"

struct chr;

struct chr_kind {
	const char *name, *summary;
	const char *const *options; /* ends with NULL */
	size_t state_size;
	/* Opens; opts holds known names only. */
	struct err *(*open)(struct chr *c, const struct json *opts);
	/* Waits for the next end to be connected and sets in and out; -errno when there will be none. */
	int (*wait)(struct chr *c);
	/* Instead of in and out, as chr_read and chr_write; NULL: the descriptors are read and written. */
	ssize_t (*read)(struct chr *c, void *buf, size_t len);
	int (*write)(struct chr *c, const void *buf, size_t len);
	/* The end left. NULL: in and out are closed. */
	void (*hang_up)(struct chr *c);
	void (*close)(struct chr *c);
	/* As query-chardev names it; the caller frees. NULL: the kind's name. */
	char *(*text)(const struct chr *c);
	/* The terminal that it made, for its user to open. NULL: it makes none. */
	const char *(*terminal)(const struct chr *c);
};

#define CHR(id) \
	extern const struct chr_kind chr_kind_##id; \
	const struct chr_kind chr_kind_##id
//registry: CHR struct chr_kind chr_kind_ chr_kinds
extern const struct chr_kind *const chr_kinds[]; /* generated; ends with NULL */

struct chr {
	struct chr *next;
	const struct chr_kind *kind;
	char *id;
	void *state;
	int in, out; /* of the connected end; -1: none */
	bool used; /* somebody has taken it */
	const struct chr_objects *objects; /* for open */
};

/* Where devices find the objects that they name by id; what is given belongs to the object. */
struct chr_objects {
	void *user;
	struct err *(*creds)(void *user, const char *id, bool server, struct tls_creds **ret);
	struct err *(*identity)(void *user, const char *id,
				const char **ret); /* whom an authorization lets in */
};

struct chr_set { /* zeroed: empty */
	struct chr *list;
	struct chr_objects objects; /* zeroed: there are none */
};

/* opts: strings by name, as keyval_parse gives them with "backend" implied; taken over. */
struct err *chr_add(struct chr_set *s, struct json *opts) MUST_CHECK;
struct chr *chr_find(const struct chr_set *s, const char *id);
/* Another device takes the place of the one with its id, which stays when the other cannot be opened. Refused while somebody uses it. */
struct err *chr_change(struct chr_set *s, struct json *opts) MUST_CHECK;
/* Refused while somebody uses it. */
struct err *chr_remove(struct chr_set *s, const char *id) MUST_CHECK;
void chr_set_free(struct chr_set *s);
char *chr_text(const struct chr *c);

/* Waits for an end to be connected: 0, or -errno when there will be none any more. In a coroutine. */
int chr_wait(struct chr *c);
void chr_hang_up(struct chr *c);
/* Up to len bytes, at least one; 0: the end left. Waits; any kind of descriptor, blocking or not. */
ssize_t chr_read(struct chr *c, void *buf, size_t len);
/* All len bytes, or -errno. */
int chr_write(struct chr *c, const void *buf, size_t len);
