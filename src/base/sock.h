/*
 * Stream sockets for coroutines: whole reads and writes, connecting and listening. Descriptors are non-blocking;
 * outside a coroutine the calls wait with poll().
 */
#pragma once
#include "base/err.h"
#include "base/iov.h"

struct sock_addr {
	char *path; /* Unix socket; else host and port */
	char *host, *port;
};
void sock_addr_free(struct sock_addr *a);

/* A connected descriptor. Messages: "Failed to connect to 'host:port': Connection refused". */
struct err *sock_connect(const struct sock_addr *a, int *ret_fd) MUST_CHECK;
/* A listening descriptor. An old socket file of the name is replaced. */
struct err *sock_listen(const struct sock_addr *a, int backlog, int *ret_fd) MUST_CHECK;
/* A new connection, or -errno; waits for one. */
int sock_accept(int fd);
/* All len bytes: 0, -errno; -ECONNRESET at the other side's end, *ret_eof (may be NULL) true when not a byte came. */
int sock_read(int fd, void *buf, size_t len, bool *ret_eof);
int sock_readv(int fd, struct iovs iov);
int sock_write(int fd, const void *buf, size_t len);
/* A header and a payload in one go. */
int sock_write2(int fd, const void *head, size_t head_len, struct iovs iov);
/* Makes it non-blocking, close-on-exec, and without Nagle's delay where that applies. */
void sock_prepare(int fd);
