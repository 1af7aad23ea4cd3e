#include "base/chan.h"
#include "base/loop/loop.h"
#include "base/sock.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 8192 };

void chan_init(struct chan *c, int fd)
{
	*c = (struct chan){ .fd = fd, .buf = alloc(BUFFER) };
}

void chan_shut(struct chan *c)
{
	shutdown(c->fd, SHUT_RDWR);
}

static void too_late(void *arg)
{
	struct chan *c = arg;
	c->deadline = NULL;
	chan_shut(c);
}

void chan_limit(struct chan *c, unsigned seconds)
{
	c->deadline = loop_timer(loop_here(), loop_now() + seconds * 1000000000ll, too_late, c);
}

bool chan_in_time(struct chan *c)
{
	bool in_time = c->deadline;
	if (in_time)
		loop_timer_cancel(c->deadline);
	c->deadline = NULL;
	return in_time;
}

void chan_close(struct chan *c)
{
	chan_in_time(c);
	tls_end(c->tls);
	close(c->fd);
	free(c->buf);
	*c = (struct chan){ .fd = -1 };
}

/* Some bytes: their number, 0 at the end, -errno. */
static ssize_t get(struct chan *c, void *buf, size_t len)
{
	if (c->tls)
		return tls_recv(c->tls, buf, len);
	for (;;) {
		loop_let();
		ssize_t n = recv(c->fd, buf, len, 0);
		int error = n < 0 ? errno : 0;
		loop_retake();
		if (n >= 0)
			return n;
		if (error == EAGAIN)
			co_wait_fd(c->fd, EPOLLIN);
		else if (error != EINTR)
			return -error;
	}
}

ssize_t chan_some(struct chan *c, void *buf, size_t len)
{
	size_t n = MIN((size_t)(c->have - c->at), len);
	if (!n)
		return get(c, buf, len);
	memcpy(buf, c->buf + c->at, n);
	c->at += n;
	return n;
}

int chan_read(struct chan *c, void *buf, size_t len)
{
	for (size_t done = 0; done < len;) {
		u8 *to = (u8 *)buf + done;
		size_t left = len - done;
		ssize_t n = MIN((size_t)(c->have - c->at), left);
		if (n) {
			memcpy(to, c->buf + c->at, n);
			c->at += n;
		} else if (left >= BUFFER) {
			n = get(c, to, left);
		} else {
			c->at = c->have = 0;
			n = get(c, c->buf, BUFFER);
			if (n > 0) {
				c->have = n;
				continue;
			}
		}
		if (n <= 0)
			return n ? (int)n : done ? -ECONNRESET : -ENODATA;
		done += n;
	}
	return 0;
}

int chan_readv(struct chan *c, struct iovs iov)
{
	size_t skip = iov.skip, left = iov.len;
	for (unsigned i = 0; i < iov.n && left; i++, skip = 0) {
		size_t part = MIN(iov.v[i].iov_len - skip, left);
		int r = chan_read(c, (u8 *)iov.v[i].iov_base + skip, part);
		if (r)
			return r;
		left -= part;
	}
	return 0;
}

int chan_skip(struct chan *c, u64 len)
{
	u8 buf[4096];
	while (len) {
		size_t part = MIN(len, (u64)sizeof(buf));
		int r = chan_read(c, buf, part);
		if (r)
			return r;
		len -= part;
	}
	return 0;
}

int chan_write(struct chan *c, const void *head, size_t head_len, struct iovs payload)
{
	return c->tls ? tls_send(c->tls, head, head_len, payload)
		      : sock_write2(c->fd, head, head_len, payload);
}

struct err *chan_start_tls(struct chan *c, struct tls_creds *creds, const char *hostname)
{
	if (c->at != c->have)
		return err_new(ERR_DENIED, "Data in the clear follows the request for TLS");
	return tls_start(creds, c->fd, hostname, &c->tls);
}
