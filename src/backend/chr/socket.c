/*
 * socket: a client or server of TCP or Unix sockets. Options: path, or host and port, or fd (that listens, or is connected);
 * server, wait (server: start only when a client came), reconnect (seconds; client); tls-creds, tls-authz, telnet, websocket (server).
 */
#include "backend/chr/chr.h"
#include "backend/chr/wire.h"
#include "base/loop/loop.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct socket_state {
	struct sock_addr addr;
	int listen; /* -1: a client */
	i64 reconnect; /* nanoseconds, 0: never */
	bool server, own_path;
	struct wire_options clothes; /* creds: a reference; identity: ours */
	struct wire wire; /* of the end that is connected */
};

static const char *const options[] = { "path",	    "host",	 "port",    "fd",	 "server",
				       "wait",	    "reconnect", "delay",   "mux",	 "nodelay",
				       "abstract",  "tight",	 "telnet",  "websocket", "tls-creds",
				       "tls-authz", "tn3270",	 "logfile", NULL };

static bool on_off(const char *s, bool *ret)
{
	bool on = strcmp(s, "on") == 0 || strcmp(s, "yes") == 0 || strcmp(s, "true") == 0;
	*ret = on;
	return on || strcmp(s, "off") == 0 || strcmp(s, "no") == 0 || strcmp(s, "false") == 0;
}

static struct err *get_bool(const struct json *opts, const char *name, bool *ret)
{
	const char *s = json_get_str(opts, name);
	return !s || on_off(s, ret) ? NULL
				    : err_new(ERR_INVALID, "Parameter '%s' expects 'on' or 'off'", name);
}

/* What this kind does not do, asked to be on. */
static struct err *check_absent(const struct json *opts)
{
	static const char *const absent[] = { "mux", "abstract", "tn3270" };
	struct err *e = NULL;
	for (unsigned i = 0; i < LEN(absent) && !e; i++) {
		bool on = false;
		e = get_bool(opts, absent[i], &on);
		if (!e && on)
			e = err_new(ERR_UNSUPPORTED, "'%s=on' is not built: leave it out", absent[i]);
	}
	return !e && json_get(opts, "logfile")
		   ? err_new(ERR_UNSUPPORTED, "'logfile' is not built: leave it out")
		   : e;
}

static struct err *take_creds(struct chr *c, struct socket_state *s, const struct json *opts)
{
	const char *creds = json_get_str(opts, "tls-creds"), *authz = json_get_str(opts, "tls-authz"),
		   *identity;
	const struct chr_objects *objects = c->objects;
	if (!creds)
		return authz ? err_new(ERR_INVALID, "'tls_authz' option requires 'tls_creds' option") : NULL;
	if (!objects->creds)
		return err_new(ERR_NOT_FOUND, "No TLS credentials with id '%s'", creds);
	struct tls_creds *found;
	struct err *e = objects->creds(objects->user, creds, s->server, &found);
	if (!e)
		s->clothes.creds = tls_creds_ref(found);
	if (!e && authz && !(e = objects->identity(objects->user, authz, &identity)))
		s->clothes.identity = str_dup(identity);
	return e;
}

/* How bytes are dressed between here and the other end. server is known. */
static struct err *take_clothes(struct chr *c, struct socket_state *s, const struct json *opts)
{
	bool telnet = false, websocket = false;
	struct err *e = get_bool(opts, "telnet", &telnet);
	if (!e)
		e = get_bool(opts, "websocket", &websocket);
	if (!e && telnet && websocket)
		e = err_new(ERR_INVALID, "'telnet' and 'websocket' are mutually exclusive");
	if (!e && websocket && !s->server)
		e = err_new(ERR_UNSUPPORTED, "Websocket client is not implemented: 'websocket' is for sockets with server=on");
	s->clothes.kind = telnet ? WIRE_TELNET : websocket ? WIRE_WEBSOCKET : WIRE_PLAIN;
	s->clothes.server = s->server;
	return e ? e : take_creds(c, s, opts);
}

/* An end has come: it is shaken hands with. The descriptor is taken over. */
static struct err *dress(struct chr *c, int fd)
{
	struct socket_state *s = c->state;
	s->clothes.hostname = s->server ? NULL : s->addr.host;
	struct err *e = wire_open(&s->wire, fd, &s->clothes);
	if (!e)
		c->in = c->out = fd;
	return e;
}

static struct err *open_fd(struct chr *c, struct socket_state *s, const char *text)
{
	char *end;
	long fd = strtol(text, &end, 10);
	int listening = 0;
	socklen_t len = sizeof(listening);
	if (!*text || *end || fd < 0 || fd > INT32_MAX || fcntl(fd, F_GETFD) < 0)
		return err_new(ERR_INVALID, "File descriptor '%s' is not open", text);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len))
		return err_new(ERR_INVALID, "File descriptor '%s' is not a socket", text);
	if (!listening != !s->server)
		return err_new(ERR_INVALID, "File descriptor '%s' %s", text,
			       listening ? "listens: give server=on" : "does not listen: give server=off");
	sock_prepare(fd);
	if (!s->server)
		return dress(c, fd);
	s->listen = fd;
	return NULL;
}

static struct err *read_options(struct chr *c, struct socket_state *s, const struct json *opts, bool *wait)
{
	const char *fd = json_get_str(opts, "fd"), *path = json_get_str(opts, "path"),
		   *host = json_get_str(opts, "host"), *port = json_get_str(opts, "port"),
		   *again = json_get_str(opts, "reconnect");
	struct err *e = check_absent(opts);
	if (!e)
		e = get_bool(opts, "server", &s->server);
	*wait = s->server;
	if (!e && json_get(opts, "wait") && !s->server)
		e = err_new(ERR_INVALID, "'wait' option is incompatible with socket in client connect mode");
	if (!e)
		e = get_bool(opts, "wait", wait);
	if (!e && again) {
		char *end;
		s->reconnect = strtoll(again, &end, 10) * 1000000000;
		if (*end || s->reconnect < 0 || s->server)
			e = err_new(ERR_INVALID, "Parameter 'reconnect' expects seconds, for a client");
	}
	if (!e)
		e = take_clothes(c, s, opts);
	if (e)
		return e;
	if (!!fd + !!path + (host || port) != 1)
		return err_new(ERR_INVALID,
			       "chardev: socket: exactly one of path, host and port, or fd is required");
	if (fd)
		return open_fd(c, s, fd);
	if (!path && !port)
		return err_new(ERR_INVALID, "chardev: socket: no port given");
	s->addr.path = path ? str_dup(path) : NULL;
	s->addr.host = !path && host ? str_dup(host) : NULL;
	s->addr.port = path ? NULL : str_dup(port);
	return NULL;
}

static char *text(const struct chr *c)
{
	const struct socket_state *s = c->state;
	static const char *const names[] = {
		[WIRE_PLAIN] = "tcp", [WIRE_TELNET] = "telnet", [WIRE_WEBSOCKET] = "websocket"
	};
	const char *front = c->in < 0 ? "disconnected:" : "", *end = s->server ? ",server=on" : "";
	if (s->addr.path)
		return strf("%sunix:%s%s", front, s->addr.path, end);
	if (s->addr.port)
		return strf("%s%s:%s:%s%s", front, names[s->clothes.kind], s->addr.host ? s->addr.host : "",
			    s->addr.port, end);
	return strf("%sfd:%d%s", front, s->server ? s->listen : c->in, end);
}

static struct err *connect_once(struct chr *c)
{
	struct socket_state *s = c->state;
	int fd;
	struct err *e = sock_connect(&s->addr, &fd);
	return e ? e : dress(c, fd);
}

static int wait_socket(struct chr *c)
{
	struct socket_state *s = c->state;
	while (s->server) { /* a client that does not find the words is sent away, and the next may come */
		int fd = sock_accept(s->listen);
		struct err *e = fd < 0 ? NULL : dress(c, fd);
		if (!e)
			return MIN(fd, 0);
		err_free(e);
	}
	while (s->reconnect && (s->addr.path || s->addr.port)) {
		co_sleep(s->reconnect);
		struct err *e = connect_once(c);
		if (!e)
			return 0;
		err_free(e);
	}
	return -ENOTCONN;
}

static ssize_t read_socket(struct chr *c, void *buf, size_t len)
{
	struct socket_state *s = c->state;
	return wire_read(&s->wire, buf, len);
}

static int write_socket(struct chr *c, const void *buf, size_t len)
{
	struct socket_state *s = c->state;
	return wire_write(&s->wire, buf, len);
}

static void hang_up(struct chr *c)
{
	struct socket_state *s = c->state;
	if (c->in >= 0)
		wire_close(&s->wire);
}

static struct err *open_socket(struct chr *c, const struct json *opts)
{
	struct socket_state *s = c->state;
	bool wait;
	s->listen = -1;
	struct err *e = read_options(c, s, opts, &wait);
	if (e)
		return e;
	if (s->server && s->listen < 0) {
		e = sock_listen(&s->addr, 1, &s->listen);
		s->own_path = !e && s->addr.path;
	} else if (!s->server && c->in < 0) {
		e = connect_once(c);
		if (e && s->reconnect) { /* tried again later */
			err_free(e);
			e = NULL;
		}
	}
	if (!e && wait) {
		AUTO(free_ptr) char *name = text(c);
		fprintf(stderr, "info: waiting for connection on: %s\n", name);
		int r = wait_socket(c);
		if (r)
			e = err_errno(-r, "No connection on %s", name);
	}
	return e;
}

static void close_socket(struct chr *c)
{
	struct socket_state *s = c->state;
	chr_hang_up(c);
	tls_creds_unref(s->clothes.creds);
	free((char *)s->clothes.identity);
	if (s->listen >= 0)
		close(s->listen);
	if (s->own_path)
		unlink(s->addr.path);
	sock_addr_free(&s->addr);
}

CHR(socket) = {
	.name = "socket",
	.summary = "TCP or Unix socket, client or server",
	.options = options,
	.state_size = sizeof(struct socket_state),
	.open = open_socket,
	.wait = wait_socket,
	.read = read_socket,
	.write = write_socket,
	.hang_up = hang_up,
	.close = close_socket,
	.text = text,
};
