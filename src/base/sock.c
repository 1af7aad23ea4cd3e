#include "base/sock.h"
#include "base/loop/loop.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_IOV = 256 };

void sock_addr_free(struct sock_addr *a)
{
	free(a->path);
	free(a->host);
	free(a->port);
	*a = (struct sock_addr){ 0 };
}

void sock_prepare(int fd)
{
	int one = 1;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
		   sizeof(one)); /* fails on others, which have no delay */
}

static struct err *unix_addr(const char *path, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(ret->sun_path))
		return err_hint(err_new(ERR_INVALID, "UNIX socket path '%s' is too long", path),
				"Path must be less than %zu bytes", sizeof(ret->sun_path));
	strcpy(ret->sun_path, path);
	return NULL;
}

static int connect_now(int fd, const struct sockaddr *sa, socklen_t len)
{
	if (connect(fd, sa, len) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	int error;
	socklen_t n = sizeof(error);
	co_wait_fd(fd, EPOLLOUT);
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) ? -errno : -error;
}

static struct err *look_up(const struct sock_addr *a, bool passive, struct addrinfo **ret)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = passive ? AI_PASSIVE : 0 };
	int r = getaddrinfo(a->host && *a->host ? a->host : NULL, a->port, &hints, ret);
	return r ? err_new(ERR_NOT_FOUND, "address resolution failed for %s:%s: %s", a->host ? a->host : "",
			   a->port, gai_strerror(r))
		 : NULL;
}

struct err *sock_connect(const struct sock_addr *a, int *ret_fd)
{
	struct err *e;
	int r = -ECONNREFUSED, fd = -1;
	if (a->path) {
		struct sockaddr_un sa;
		if ((e = unix_addr(a->path, &sa)))
			return e;
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		r = fd < 0 ? -errno : connect(fd, (struct sockaddr *)&sa, sizeof(sa)) ? -errno : 0;
		if (r && fd >= 0)
			close(fd);
		if (r)
			return err_errno(-r, "Failed to connect to '%s'", a->path);
		sock_prepare(fd);
		*ret_fd = fd;
		return NULL;
	}
	struct addrinfo *list;
	if ((e = look_up(a, false, &list)))
		return e;
	for (struct addrinfo *i = list; i; i = i->ai_next) {
		fd = socket(i->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		r = fd < 0 ? -errno : connect_now(fd, i->ai_addr, i->ai_addrlen);
		if (!r)
			break;
		if (fd >= 0)
			close(fd);
	}
	freeaddrinfo(list);
	if (r)
		return err_errno(-r, "Failed to connect to '%s:%s'", a->host ? a->host : "", a->port);
	sock_prepare(fd);
	*ret_fd = fd;
	return NULL;
}

struct err *sock_listen(const struct sock_addr *a, int backlog, int *ret_fd)
{
	struct err *e;
	int r = -EADDRNOTAVAIL, fd = -1, one = 1;
	if (a->path) {
		struct sockaddr_un sa;
		if ((e = unix_addr(a->path, &sa)))
			return e;
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		unlink(a->path);
		if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, backlog)) {
			r = -errno;
			if (fd >= 0)
				close(fd);
			return err_errno(-r, "Failed to bind socket to %s", a->path);
		}
		*ret_fd = fd;
		return NULL;
	}
	struct addrinfo *list;
	if ((e = look_up(a, true, &list)))
		return e;
	for (struct addrinfo *i = list; i && r; i = i->ai_next) {
		fd = socket(i->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd < 0)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		r = bind(fd, i->ai_addr, i->ai_addrlen) || listen(fd, backlog) ? -errno : 0;
		if (r)
			close(fd);
	}
	freeaddrinfo(list);
	if (r)
		return err_errno(-r, "Failed to find an available port");
	*ret_fd = fd;
	return NULL;
}

int sock_accept(int fd)
{
	for (;;) {
		int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (c >= 0) {
			sock_prepare(c);
			return c;
		}
		if (errno == EAGAIN)
			co_wait_fd(fd, EPOLLIN);
		else if (errno != EINTR && errno != ECONNABORTED)
			return -errno;
	}
}

int sock_read(int fd, void *buf, size_t len, bool *ret_eof)
{
	size_t done = 0;
	if (ret_eof)
		*ret_eof = false;
	while (done < len) {
		ssize_t n = recv(fd, (char *)buf + done, len - done, 0);
		if (n > 0) {
			done += n;
		} else if (n == 0) {
			if (ret_eof)
				*ret_eof = done == 0;
			return -ECONNRESET;
		} else if (errno == EAGAIN) {
			co_wait_fd(fd, EPOLLIN);
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

int sock_readv(int fd, struct iovs iov)
{
	while (iov.len) {
		struct iovec v[MAX_IOV];
		size_t got;
		struct msghdr m = { .msg_iov = v, .msg_iovlen = iovs_list(iov, v, MAX_IOV, &got) };
		ssize_t n = recvmsg(fd, &m, 0);
		if (n > 0)
			iov = iovs_cut(iov, n, iov.len - n);
		else if (n == 0)
			return -ECONNRESET;
		else if (errno == EAGAIN)
			co_wait_fd(fd, EPOLLIN);
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

static int send_all(int fd, struct iovs iov)
{
	while (iov.len) {
		struct iovec v[MAX_IOV];
		size_t got;
		struct msghdr m = { .msg_iov = v, .msg_iovlen = iovs_list(iov, v, MAX_IOV, &got) };
		loop_let();
		ssize_t n = sendmsg(fd, &m, MSG_NOSIGNAL);
		int error = n < 0 ? errno : 0;
		loop_retake();
		if (n >= 0)
			iov = iovs_cut(iov, n, iov.len - n);
		else if (error == EAGAIN)
			co_wait_fd(fd, EPOLLOUT);
		else if (error != EINTR)
			return -error;
	}
	return 0;
}

int sock_write(int fd, const void *buf, size_t len)
{
	struct iovec v;
	return send_all(fd, iovs_one(&v, buf, len));
}

int sock_write2(int fd, const void *head, size_t head_len, struct iovs iov)
{
	struct iovec v[MAX_IOV];
	size_t got;
	v[0] = (struct iovec){ (void *)head, head_len };
	unsigned n = 1 + iovs_list(iov, v + 1, MAX_IOV - 1, &got);
	int r = send_all(fd, (struct iovs){ v, n, 0, head_len + got });
	return r || got == iov.len ? r : send_all(fd, iovs_cut(iov, got, iov.len - got));
}
