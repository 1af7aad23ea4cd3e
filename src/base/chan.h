/*
 * A stream to somebody else: a connected socket, in the clear or by TLS, with a small read buffer. For coroutines; outside
 * one the calls wait with poll(). One reader and one writer at a time.
 */
#pragma once
#include "base/iov.h"
#include "base/tls.h"

struct loop_timer;

struct chan {
	int fd;
	struct tls *tls; /* NULL: in the clear */
	u32 at, have; /* unread bytes: buf[at..have) */
	u8 *buf;
	struct loop_timer *deadline;
};

/* Takes over the descriptor, which is connected and non-blocking (sock_prepare). */
void chan_init(struct chan *c, int fd);
/* Both directions end now; whoever waits in a read or write comes back with an error. The descriptor stays. */
void chan_shut(struct chan *c);
/* For a handshake: both directions end unless chan_in_time comes within so many seconds. Works while the calling thread's loop runs. */
void chan_limit(struct chan *c, unsigned seconds);
/* There is no limit any more. False: it was passed. */
bool chan_in_time(struct chan *c);
/* Says goodbye (TLS) and closes. No other call may be under way. */
void chan_close(struct chan *c);
/* All len bytes: 0 or -errno; -ECONNRESET at the other side's end, -ENODATA when it ended before the first byte. */
int chan_read(struct chan *c, void *buf, size_t len);
int chan_readv(struct chan *c, struct iovs iov);
/* Some bytes, at most len: their number, 0 at the end, -errno. */
ssize_t chan_some(struct chan *c, void *buf, size_t len);
/* Reads and throws away. */
int chan_skip(struct chan *c, u64 len);
/* A header and a payload in one go. */
int chan_write(struct chan *c, const void *head, size_t head_len, struct iovs payload);
/*
 * TLS from here on. hostname: what a client's check of the server's certificate expects, NULL: none is known. Refused when
 * bytes in the clear came in behind the request to begin.
 */
struct err *chan_start_tls(struct chan *c, struct tls_creds *creds, const char *hostname) MUST_CHECK;
