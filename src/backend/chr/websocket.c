/* The server's side of WebSocket (RFC 6455): a request of HTTP, then frames. What they hold is one stream, whatever their borders are. */
#include "backend/chr/wire.h"
#include "base/base64.h"
#include "base/sha1.h"
#include <errno.h>
#include <stdio.h>
#include <strings.h>

enum { MAX_REQUEST = 8192, MAX_CONTROL = 125 };
enum { CONTINUED, TEXT, BINARY, CLOSE = 8, PING, PONG };
enum { FIN = 0x80, RESERVED = 0x70, OPCODE = 0x0f, MASKED = 0x80, LENGTH = 0x7f, LENGTH_16 = 126 };

static int send_text(struct wire *w, const char *text)
{
	return chan_write(&w->chan, text, strlen(text), (struct iovs){ 0 });
}

/* ---- the handshake ---- */

/* The request up to its empty line, with a zero behind it. */
static struct err *read_request(struct wire *w, char *buf)
{
	size_t n = 0;
	while (n < 4 || memcmp(buf + n - 4, "\r\n\r\n", 4) != 0) {
		if (n == MAX_REQUEST - 1)
			return err_new(ERR_INVALID, "the request has more than %d bytes", MAX_REQUEST);
		int r = chan_read(&w->chan, buf + n++, 1);
		if (r)
			return err_errno(-r, "the client left");
	}
	buf[n] = 0;
	return NULL;
}

/* The value of a header, which the caller frees; NULL: there is none. */
static char *header(const char *request, const char *name)
{
	size_t len = strlen(name);
	for (const char *line = strstr(request, "\r\n"); line && line[2]; line = strstr(line + 2, "\r\n"))
		if (strncasecmp(line + 2, name, len) == 0 && line[2 + len] == ':') {
			const char *from = line + 3 + len, *to = strstr(from, "\r\n");
			from += strspn(from, " \t");
			return strf("%.*s", (int)(to - from), from);
		}
	return NULL;
}

static bool has(const char *list, const char *word)
{
	return list && strcasestr(list, word);
}

static struct err *check_request(const char *request, const char *key, const char *protocols)
{
	AUTO(free_ptr)
	char *upgrade = header(request, "Upgrade"), *connection = header(request, "Connection"),
	     *version = header(request, "Sec-WebSocket-Version");
	if (strncmp(request, "GET ", 4) != 0 || !strstr(request, " HTTP/1.1\r\n"))
		return err_new(ERR_INVALID, "the request is not GET of HTTP/1.1");
	if (!has(upgrade, "websocket") || !has(connection, "upgrade"))
		return err_new(ERR_INVALID, "the request does not ask for an upgrade to websocket");
	if (!version || strcmp(version, "13") != 0)
		return err_new(ERR_INVALID, "the version of the protocol is '%s', not 13",
			       version ? version : "");
	if (!key || strlen(key) != 24)
		return err_new(ERR_INVALID, "the key has %zu characters, not 24", key ? strlen(key) : 0);
	return !protocols || has(protocols, "binary")
		   ? NULL
		   : err_new(ERR_INVALID, "the protocol is '%s', not binary", protocols);
}

static char *answer_to(const char *key, bool binary)
{
	AUTO(free_ptr) char *text = strf("%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
	u8 digest[20];
	sha1(text, strlen(text), digest);
	AUTO(free_ptr) char *accept = base64_encode(digest, sizeof(digest));
	return strf("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		    "Sec-WebSocket-Accept: %s\r\n%s\r\n",
		    accept, binary ? "Sec-WebSocket-Protocol: binary\r\n" : "");
}

struct err *websocket_accept(struct wire *w)
{
	AUTO(free_ptr) char *request = alloc(MAX_REQUEST);
	struct err *e = read_request(w, request);
	if (e)
		return err_in(e, "WebSocket");
	AUTO(free_ptr)
	char *key = header(request, "Sec-WebSocket-Key"),
	     *protocols = header(request, "Sec-WebSocket-Protocol");
	int r;
	if ((e = check_request(request, key, protocols))) {
		r = send_text(
		    w, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nSec-WebSocket-Version: 13\r\n\r\n");
		return r ? e : err_in(e, "WebSocket");
	}
	AUTO(free_ptr) char *answer = answer_to(key, protocols);
	r = send_text(w, answer);
	return r ? err_errno(-r, "WebSocket: the client left") : NULL;
}

/* ---- frames ---- */

static int send_frame(struct wire *w, unsigned opcode, const void *data, size_t len)
{
	u8 head[10] = { FIN | opcode, MIN(len, (size_t)LENGTH_16) };
	size_t n = 2;
	struct iovec v;
	if (len > UINT16_MAX) {
		head[1] = LENGTH;
		st_be64(head + 2, len);
		n = 10;
	} else if (len >= LENGTH_16) {
		st_be16(head + 2, len);
		n = 4;
	}
	co_lock(&w->writing);
	int r = chan_write(&w->chan, head, n, iovs_one(&v, data, len));
	co_unlock(&w->writing);
	return r;
}

int websocket_write(struct wire *w, const void *buf, size_t len)
{
	return send_frame(w, BINARY, buf, len);
}

static void unmask(struct wire *w, u8 *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] ^= w->mask[w->mask_at++ % 4];
}

/* The head of the next frame; *ret: its opcode. */
static int read_head(struct wire *w, unsigned *ret)
{
	u8 head[2], more[8];
	int r = chan_read(&w->chan, head, 2);
	u64 len = head[1] & LENGTH;
	if (r)
		return r;
	size_t n = len == LENGTH_16 ? 2 : len == LENGTH ? 8 : 0;
	if (n && (r = chan_read(&w->chan, more, n)))
		return r;
	len = n == 2 ? ld_be16(more) : n == 8 ? ld_be64(more) : len;
	*ret = head[0] & OPCODE;
	bool control = *ret > BINARY, known = *ret <= BINARY || (*ret >= CLOSE && *ret <= PONG);
	if (!known || (head[0] & RESERVED) || !(head[1] & MASKED) || len > INT64_MAX ||
	    (control && (len > MAX_CONTROL || !(head[0] & FIN))))
		return -EPROTO;
	w->left = len;
	w->mask_at = 0;
	return chan_read(&w->chan, w->mask, 4);
}

/* A frame that says something of the connection itself. */
static int control_frame(struct wire *w, unsigned opcode)
{
	u8 data[MAX_CONTROL];
	size_t n = w->left;
	int r = n ? chan_read(&w->chan, data, n) : 0;
	w->left = 0;
	if (r)
		return r;
	unmask(w, data, n);
	if (opcode == PING)
		return send_frame(w, PONG, data, n);
	if (opcode == PONG)
		return 0;
	r = send_frame(w, CLOSE, data, MIN(n, (size_t)2));
	w->ended = true;
	return r;
}

ssize_t websocket_read(struct wire *w, u8 *buf, size_t len)
{
	int r = 0;
	while (!w->left && !w->ended && !r) {
		unsigned opcode;
		r = read_head(w, &opcode);
		if (!r && opcode > BINARY)
			r = control_frame(w, opcode);
	}
	if (r == -EPROTO)
		w->ended = true; /* no way to go on */
	if (r || w->ended)
		return r == -ENODATA ? 0 : r;
	ssize_t n = chan_some(&w->chan, buf, MIN(w->left, (u64)len));
	if (n > 0) {
		unmask(w, buf, n);
		w->left -= n;
	}
	return n;
}

void websocket_end(struct wire *w)
{
	static const u8 going_away[2] = { 1001 >> 8, 1001 & 0xff };
	if (w->ended)
		return;
	int r = send_frame(w, CLOSE, going_away, 2);
	(void)r; /* the other side may be gone */
}
