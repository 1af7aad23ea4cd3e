#include "backend/chr/wire.h"
#include <errno.h>

static struct err *check_name(struct wire *w, const char *identity)
{
	if (!identity)
		return NULL;
	AUTO(free_ptr) char *name = tls_peer_name(w->chan.tls);
	return name && strcmp(name, identity) == 0
		   ? NULL
		   : err_new(ERR_DENIED, "The client's certificate names '%s'", name ? name : "nobody");
}

static struct err *shake_hands(struct wire *w, const struct wire_options *o)
{
	struct err *e = NULL;
	if (o->creds)
		e = chan_start_tls(&w->chan, o->creds, o->hostname);
	if (!e && o->creds)
		e = check_name(w, o->identity);
	if (!e && o->kind == WIRE_WEBSOCKET)
		e = websocket_accept(w);
	if (!e && o->kind == WIRE_TELNET && o->server) {
		int r = telnet_greet(w);
		e = r ? err_errno(-r, "The client left") : NULL;
	}
	return e;
}

struct err *wire_open(struct wire *w, int fd, const struct wire_options *o)
{
	*w = (struct wire){ .kind = o->kind };
	chan_init(&w->chan, fd);
	chan_limit(&w->chan, WIRE_HANDSHAKE_SECONDS);
	struct err *e = shake_hands(w, o);
	if (!chan_in_time(&w->chan)) {
		err_free(e);
		e = err_new(ERR_IO, "The handshake took more than %d seconds", WIRE_HANDSHAKE_SECONDS);
	}
	if (e)
		chan_close(&w->chan);
	return e;
}

ssize_t wire_read(struct wire *w, void *buf, size_t len)
{
	if (w->kind == WIRE_WEBSOCKET)
		return websocket_read(w, buf, len);
	for (;;) {
		ssize_t n = chan_some(&w->chan, buf, len);
		if (n <= 0 || w->kind == WIRE_PLAIN)
			return n;
		if ((n = telnet_strip(w, buf, n)))
			return n;
	}
}

int wire_write(struct wire *w, const void *buf, size_t len)
{
	struct iovec v;
	if (w->kind == WIRE_WEBSOCKET)
		return websocket_write(w, buf, len);
	return w->kind == WIRE_TELNET ? telnet_write(w, buf, len)
				      : chan_write(&w->chan, "", 0, iovs_one(&v, buf, len));
}

void wire_close(struct wire *w)
{
	if (w->kind == WIRE_WEBSOCKET)
		websocket_end(w);
	chan_close(&w->chan);
}
