/* Connections: accepting, receiving requests, ending. */
#include "block/export/nbd/client.h"
#include "base/loop/loop.h"
#include "base/sock.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct nbd_listener {
	struct nbd_listener *next;
	struct nbd_server *server;
	int fd;
	struct loop_fd *watch; /* NULL: waits for room */
	struct loop_timer *timer; /* looks again; NULL: not needed */
};

static const i64 RETRY = 100000000;

static void update_listeners(struct nbd_server *s);

static void say(struct nbd_server *s, const char *front, struct err *e)
{
	AUTO(free_ptr) char *line = strf("%s: %s", front, err_text(e));
	err_free(e);
	if (s->say)
		s->say(s->user, line);
}

/* ---- requests ---- */

static struct nbd_request *request_new(struct nbd_client *c)
{
	struct nbd_request *q = c->unused;
	if (q)
		c->unused = q->next;
	else
		q = alloc(sizeof(*q));
	q->client = c;
	return q;
}

static void request_drop(struct nbd_request *q)
{
	if (q->room > NBD_KEPT_BUFFER) {
		free(q->data);
		q->data = NULL;
		q->room = 0;
	}
	q->next = q->client->unused;
	q->client->unused = q;
}

/* Data that a request keeps in memory. */
static u64 weight(const struct nbd_request *q)
{
	return q->type == NBD_CMD_READ || q->type == NBD_CMD_WRITE ? MIN(q->len, (u32)NBD_MAX_DATA) : 0;
}

static void work(void *arg)
{
	struct nbd_request *q = arg;
	struct nbd_client *c = q->client;
	struct blk_root *root = &c->export->root;
	blk_root_enter(root);
	nbd_serve(q);
	blk_root_leave(root);
	c->in_flight--;
	c->bytes -= weight(q);
	request_drop(q);
	if (c->gone)
		chan_shut(&c->chan); /* nobody reads on */
	co_wake(&c->room);
	if (!c->in_flight)
		co_wake_all(&c->idle);
}

/* The next request, its data included; waits until there is room for it. */
static int receive(struct nbd_client *c, struct nbd_request *q)
{
	u8 h[28];
	int r = chan_read(&c->chan, h, sizeof(h));
	if (r)
		return r;
	if (ld_be32(h) != NBD_REQUEST_MAGIC)
		return -EPROTO;
	q->flags = ld_be16(h + 4);
	q->type = ld_be16(h + 6);
	q->handle = ld_be64(h + 8);
	q->from = ld_be64(h + 16);
	q->len = ld_be32(h + 24);
	if (q->type == NBD_CMD_WRITE && q->len > NBD_MAX_DATA)
		return -EMSGSIZE;
	while (!c->gone && (c->in_flight >= NBD_IN_FLIGHT ||
			    (c->in_flight && c->bytes + weight(q) > NBD_BYTES_IN_FLIGHT)))
		co_wait(&c->room);
	if (c->gone)
		return -EPIPE;
	if (q->type != NBD_CMD_WRITE)
		return 0;
	return nbd_request_room(q, q->len) ? chan_read(&c->chan, q->data, q->len) : -ENOMEM;
}

static struct err *why(int r)
{
	if (r == -EPROTO)
		return err_new(ERR_INVALID, "invalid magic (got 0x...): not an NBD request");
	if (r == -EMSGSIZE)
		return err_new(ERR_INVALID, "len is larger than max len (%d)", NBD_MAX_DATA);
	if (r == -ECONNRESET)
		return err_new(ERR_IO,
			       "Failed to read request: Unexpected end-of-file before all data were read");
	return err_errno(-r, "Failed to read request");
}

static void transmit(struct nbd_client *c)
{
	while (!c->gone) {
		struct nbd_request *q = request_new(c);
		int r = receive(c, q);
		if (r || q->type == NBD_CMD_DISC) {
			if (r && r != -ENODATA && !c->gone)
				say(c->server, "Disconnect client, due to", why(r));
			request_drop(q);
			break;
		}
		c->in_flight++;
		c->bytes += weight(q);
		co_enter(co_new(work, q));
	}
}

/* In the export's thread. Everything else of a client is its server's. */
static void transmit_there(struct nbd_client *c)
{
	struct loop *home = loop_here(), *there = c->export->loop;
	if (there)
		co_move(there);
	transmit(c);
	co_move(home);
}

/* ---- clients ---- */

static void unlink_client(struct nbd_client *c)
{
	struct nbd_client **at = &c->server->list;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
}

static void end(struct nbd_client *c)
{
	struct nbd_server *s = c->server;
	struct nbd_export *x = c->export;
	while (c->in_flight)
		co_wait(&c->idle);
	c->gone = true;
	unlink_client(c);
	chan_close(&c->chan);
	for (struct nbd_request *q; (q = c->unused);) {
		c->unused = q->next;
		free(q->data);
		free(q);
	}
	free(c->bitmap);
	free(c);
	s->clients--;
	update_listeners(s);
	if (x && !--x->users)
		co_wake_all(&x->idle);
	if (!s->clients)
		co_wake_all(&s->idle);
	if (s->left)
		s->left(s->user, x);
}

static void serve(void *arg)
{
	struct nbd_client *c = arg;
	bool quiet = false;
	struct err *e = NULL;
	if (!c->export) {
		chan_limit(&c->chan, NBD_HANDSHAKE_SECONDS);
		e = nbd_negotiate(c, &quiet);
		chan_in_time(&c->chan);
	}
	if (!e)
		transmit_there(c);
	else if (quiet || c->gone)
		err_free(e);
	else
		say(c->server, "option negotiation failed", e);
	end(c);
}

static void client_new(struct nbd_server *s, int fd, struct nbd_export *x)
{
	struct nbd_client *c = alloc(sizeof(*c));
	chan_init(&c->chan, fd);
	c->server = s;
	c->export = x;
	if (x)
		x->users++;
	c->next = s->list;
	s->list = c;
	s->clients++;
	update_listeners(s);
	co_enter(co_new(serve, c));
}

/* ---- listening ---- */

static bool has_room(const struct nbd_server *s)
{
	return !s->max_clients || s->clients < s->max_clients;
}

static void pause_listening(struct nbd_listener *l)
{
	if (l->watch)
		loop_unwatch(l->watch);
	l->watch = NULL;
}

static void arrived(void *arg, u32 events);

static void resume_listening(void *arg)
{
	struct nbd_listener *l = arg;
	l->timer = NULL;
	if (!l->watch && has_room(l->server))
		l->watch = loop_watch(loop_here(), l->fd, EPOLLIN, arrived, l);
}

/* One client a turn, as long as there is room; else the queue of the socket keeps them. */
static void arrived(void *arg, u32 events UNUSED)
{
	struct nbd_listener *l = arg;
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0) {
		sock_prepare(fd);
		client_new(l->server, fd, NULL);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
		pause_listening(l); /* until somebody leaves */
		l->timer = loop_timer(loop_here(), loop_now() + RETRY, resume_listening, l);
	}
}

/* The number of clients changed. */
static void update_listeners(struct nbd_server *s)
{
	for (struct nbd_listener *l = s->listeners; l; l = l->next) {
		if (!has_room(s))
			pause_listening(l);
		else if (!l->timer)
			resume_listening(l);
	}
}

void nbd_server_listen(struct nbd_server *s, int fd)
{
	struct nbd_listener *l = alloc(sizeof(*l));
	sock_prepare(fd);
	l->server = s;
	l->fd = fd;
	l->next = s->listeners;
	s->listeners = l;
	resume_listening(l);
}

void nbd_server_attach(struct nbd_server *s, int fd, struct nbd_export *x)
{
	sock_prepare(fd);
	client_new(s, fd, x);
}

static void drop_client(struct nbd_client *c)
{
	c->gone = true;
	chan_shut(&c->chan);
	co_wake_all(&c->room);
}

void nbd_server_stop(struct nbd_server *s)
{
	for (struct nbd_listener *l; (l = s->listeners);) {
		s->listeners = l->next;
		pause_listening(l);
		if (l->timer)
			loop_timer_cancel(l->timer);
		close(l->fd);
		free(l);
	}
	/* Waking may end clients: look again from the start. */
again:
	for (struct nbd_client *c = s->list; c; c = c->next)
		if (!c->gone) {
			drop_client(c);
			goto again;
		}
	while (s->clients)
		co_wait(&s->idle);
}

/* ---- exports ---- */

struct nbd_export *nbd_export_new(struct nbd_server *s, const char *name, struct blk_node *node)
{
	struct nbd_export *x = alloc(sizeof(*x));
	x->name = str_dup(name);
	blk_root_init(&x->root, node, (struct blk_use){ 0, BLK_PERM_ALL, "root" }, "NBD export '%s'", name);
	x->size = blk_size(node);
	x->min_block = MAX(node->align, 1u);
	x->next = s->exports;
	s->exports = x;
	return x;
}

void nbd_export_free(struct nbd_server *s, struct nbd_export *x)
{
	struct nbd_export **at = &s->exports;
	while (*at && *at != x)
		at = &(*at)->next;
	if (*at)
		*at = x->next;
again:
	for (struct nbd_client *c = s->list; c; c = c->next) {
		if (c->meta == x && c->export != x)
			c->meta = NULL;
		if (c->export == x && !c->gone) {
			drop_client(c);
			goto again;
		}
	}
	while (x->users)
		co_wait(&x->idle);
	blk_root_done(&x->root);
	free(x->name);
	free(x->description);
	free(x->bitmaps);
	free(x);
}
