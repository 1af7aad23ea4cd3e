/*
 * What a client of a socket says and hears, in the clothes that options ask for: plain, by TLS, by telnet (RFC 854) or by WebSocket
 * (RFC 6455), the latter two over TLS as well. For coroutines; outside one the calls wait. One reader and one writer at a time.
 */
#pragma once
#include "base/chan.h"
#include "base/coroutine.h"

/* Whoever takes longer to shake hands keeps others out, and is sent away. */
enum { WIRE_HANDSHAKE_SECONDS = 10 };

enum wire_kind { WIRE_PLAIN, WIRE_TELNET, WIRE_WEBSOCKET };

struct wire {
	struct chan chan;
	enum wire_kind kind;
	bool ended; /* WebSocket: one side said that it is the end */
	bool mid_command; /* telnet: within a command; its bytes so far */
	u8 command[2];
	u8 n_command;
	u64 left; /* WebSocket: bytes of the frame that were not read yet */
	u8 mask[4], mask_at;
	struct co_lock writing; /* answers to pings go between what the user writes */
};

struct wire_options {
	enum wire_kind kind;
	struct tls_creds *creds; /* NULL: in the clear */
	const char *identity; /* the name that a client's certificate must bear; NULL: any */
	const char *hostname; /* of the server, for a client */
	bool server;
};

/*
 * Takes over a connected descriptor and shakes hands; in a coroutine within WIRE_HANDSHAKE_SECONDS. On failure it is closed.
 */
struct err *wire_open(struct wire *w, int fd, const struct wire_options *o) MUST_CHECK;
/* Up to len bytes, at least one; 0: the other side left. -errno. */
ssize_t wire_read(struct wire *w, void *buf, size_t len);
/* All len bytes, or -errno. */
int wire_write(struct wire *w, const void *buf, size_t len);
/* Says goodbye and closes. */
void wire_close(struct wire *w);

/* ---- telnet.c ---- */
int telnet_greet(struct wire *w);
/* Takes commands out of n bytes; what is left. */
size_t telnet_strip(struct wire *w, u8 *buf, size_t n);
int telnet_write(struct wire *w, const u8 *buf, size_t len);

/* ---- websocket.c ---- */
struct err *websocket_accept(struct wire *w) MUST_CHECK;
ssize_t websocket_read(struct wire *w, u8 *buf, size_t len);
int websocket_write(struct wire *w, const void *buf, size_t len);
void websocket_end(struct wire *w);
