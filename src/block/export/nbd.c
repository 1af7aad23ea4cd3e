#include "block/export/nbd.h"
#include "base/coroutine.h"
#include "base/loop/loop.h"
#include "base/sock.h"
#include "block/nbd.h"
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { IN_FLIGHT = 16, MAX_EXTENTS = 8192, MAX_CONTEXTS = 32 };

struct client {
	struct nbd_server *server;
	int fd;
	struct nbd_export *export;
	bool structured, no_zeroes, gone;
	bool alloc, depth;
	bool *bitmap; /* of the export's bitmaps: asked for */
	unsigned in_flight;
	struct co_wait room, idle;
	struct co_lock sending;
};

struct request {
	struct client *client;
	u16 flags, type;
	u64 handle, from;
	u32 len;
	u8 *data;
};

/* ---- negotiation ---- */

static int reply_opt(struct client *c, u32 opt, u32 type, const void *data, u32 len)
{
	u8 h[20];
	struct iovec v;
	st_be64(h, NBD_REP_MAGIC);
	st_be32(h + 8, opt);
	st_be32(h + 12, type);
	st_be32(h + 16, len);
	return sock_write2(c->fd, h, sizeof(h), iovs_one(&v, data, len));
}

static int refuse(struct client *c, u32 opt, u32 error, const char *text)
{
	return reply_opt(c, opt, NBD_REP_ERR(error), text, strlen(text));
}

static struct nbd_export *find(struct nbd_server *s, const char *name)
{
	struct nbd_export *x = s->exports;
	while (x && strcmp(x->name, name) != 0)
		x = x->next;
	return x;
}

static u16 export_flags(const struct client *c)
{
	const struct nbd_export *x = c->export;
	u16 f =
	    NBD_HAS_FLAGS | NBD_SEND_FLUSH | NBD_SEND_FUA | NBD_SEND_CACHE | (x->shared ? NBD_MULTI_CONN : 0);
	if (x->read_only)
		f |= NBD_READ_ONLY;
	else
		f |= NBD_SEND_TRIM | NBD_SEND_WRITE_ZEROES | NBD_SEND_FAST_ZERO |
		     (x->shared ? NBD_MULTI_CONN : 0);
	return f | (c->structured ? NBD_SEND_DF : 0);
}

static int opt_list(struct client *c, u32 opt, u32 len)
{
	if (len)
		return refuse(c, opt, NBD_ERR_INVALID, "OPT_LIST should not have length");
	for (struct nbd_export *x = c->server->exports; x; x = x->next) {
		size_t n = strlen(x->name), d = x->description ? strlen(x->description) : 0;
		AUTO(free_ptr) u8 *buf = alloc(4 + n + d);
		st_be32(buf, n);
		memcpy(buf + 4, x->name, n);
		memcpy(buf + 4 + n, x->description ? x->description : "", d);
		int r = reply_opt(c, opt, NBD_REP_SERVER, buf, 4 + n + d);
		if (r)
			return r;
	}
	return reply_opt(c, opt, NBD_REP_ACK, NULL, 0);
}

static int send_info(struct client *c, u32 opt, u16 what, const void *data, u32 len)
{
	AUTO(free_ptr) u8 *buf = alloc(2 + len);
	st_be16(buf, what);
	memcpy(buf + 2, data, len);
	return reply_opt(c, opt, NBD_REP_INFO, buf, 2 + len);
}

/* A name of 32-bit length at *pos; NULL when the data does not hold it. */
static char *take_name(const u8 *data, u32 len, u32 *pos)
{
	if (len - *pos < 4)
		return NULL;
	u32 n = ld_be32(data + *pos);
	if (n > NBD_MAX_NAME || n > len - *pos - 4)
		return NULL;
	char *name = strf("%.*s", (int)n, (const char *)data + *pos + 4);
	*pos += 4 + n;
	return name;
}

/* INFO and GO. *ret_go: transmission begins. */
static int opt_go(struct client *c, u32 opt, const u8 *data, u32 len, bool *ret_go)
{
	u32 pos = 0;
	AUTO(free_ptr) char *name = take_name(data, len, &pos);
	if (!name || len - pos < 2 || (len - pos - 2) / 2 < ld_be16(data + pos))
		return refuse(c, opt, NBD_ERR_INVALID, "overall request too short");
	bool want_name = false, want_desc = false, want_block = false;
	for (u16 i = 0, n = ld_be16(data + pos); i < n; i++) {
		u16 what = ld_be16(data + pos + 2 + i * 2);
		want_name |= what == NBD_INFO_NAME;
		want_desc |= what == NBD_INFO_DESCRIPTION;
		want_block |= what == NBD_INFO_BLOCK_SIZE;
	}
	struct nbd_export *x = find(c->server, name);
	if (!x) {
		AUTO(free_ptr) char *text = strf("export '%s' not present", name);
		return refuse(c, opt, NBD_ERR_UNKNOWN, text);
	}
	struct nbd_export *before = c->export;
	c->export = x;
	int r = want_name ? send_info(c, opt, NBD_INFO_NAME, x->name, strlen(x->name)) : 0;
	if (!r && want_desc && x->description)
		r = send_info(c, opt, NBD_INFO_DESCRIPTION, x->description, strlen(x->description));
	u8 sizes[12], info[10];
	st_be32(sizes, want_block ? x->node->align : 1);
	st_be32(sizes + 4, MAX(4096u, x->node->align));
	st_be32(sizes + 8, NBD_MAX_DATA);
	if (!r)
		r = send_info(c, opt, NBD_INFO_BLOCK_SIZE, sizes, sizeof(sizes));
	st_be64(info, blk_size(x->node));
	st_be16(info + 8, export_flags(c));
	if (!r)
		r = send_info(c, opt, NBD_INFO_EXPORT, info, sizeof(info));
	if (!r)
		r = reply_opt(c, opt, NBD_REP_ACK, NULL, 0);
	*ret_go = opt == NBD_OPT_GO;
	if (before != x) { /* contexts asked for another export do not count */
		if (c->bitmap && before)
			c->alloc = c->depth = false;
	}
	return r;
}

static int send_context(struct client *c, u32 opt, u32 id, const char *name)
{
	size_t n = strlen(name);
	AUTO(free_ptr) u8 *buf = alloc(4 + n);
	st_be32(buf, opt == NBD_OPT_SET_META ? id : 0);
	memcpy(buf + 4, name, n);
	return reply_opt(c, opt, NBD_REP_META, buf, 4 + n);
}

static bool asks(const char *query, const char *full, const char *space, bool list)
{
	return strcmp(query, full) == 0 || (list && strcmp(query, space) == 0);
}

static int opt_meta(struct client *c, u32 opt, const u8 *data, u32 len)
{
	bool list = opt == NBD_OPT_LIST_META, alloc_on = false, depth_on = false;
	u32 pos = 0;
	AUTO(free_ptr) char *name = take_name(data, len, &pos);
	if (!c->structured)
		return refuse(c, opt, NBD_ERR_INVALID,
			      "request option when structured reply is not negotiated");
	if (!name || len - pos < 4)
		return refuse(c, opt, NBD_ERR_INVALID, "request too short");
	struct nbd_export *x = find(c->server, name);
	if (!x) {
		AUTO(free_ptr) char *text = strf("export '%s' not present", name);
		return refuse(c, opt, NBD_ERR_UNKNOWN, text);
	}
	u32 n = ld_be32(data + pos);
	pos += 4;
	AUTO(free_ptr) bool *bits = alloc(x->n_bitmaps + 1);
	if (list && !n) {
		alloc_on = true;
		depth_on = x->allocation_depth;
		memset(bits, 1, x->n_bitmaps);
	}
	for (u32 i = 0; i < n; i++) {
		AUTO(free_ptr) char *q = take_name(data, len, &pos);
		if (!q)
			return refuse(c, opt, NBD_ERR_INVALID, "query does not fit the request");
		alloc_on |= asks(q, "base:allocation", "base:", list);
		depth_on |= x->allocation_depth && asks(q, "qemu:allocation-depth", "qemu:", list);
		for (unsigned k = 0; k < x->n_bitmaps; k++) {
			AUTO(free_ptr) char *full = strf("qemu:dirty-bitmap:%s", x->bitmaps[k]->name);
			bits[k] |= asks(q, full, "qemu:", list) || asks(q, full, "qemu:dirty-bitmap:", list);
		}
	}
	int r = alloc_on ? send_context(c, opt, 0, "base:allocation") : 0;
	if (!r && depth_on)
		r = send_context(c, opt, 1, "qemu:allocation-depth");
	for (unsigned k = 0; k < x->n_bitmaps && !r; k++) {
		AUTO(free_ptr) char *full = strf("qemu:dirty-bitmap:%s", x->bitmaps[k]->name);
		if (bits[k])
			r = send_context(c, opt, 2 + k, full);
	}
	if (!list) {
		c->export = x;
		c->alloc = alloc_on;
		c->depth = depth_on;
		free(c->bitmap);
		c->bitmap = bits;
		bits = NULL;
	}
	return r ? r : reply_opt(c, opt, NBD_REP_ACK, NULL, 0);
}

static int opt_export_name(struct client *c, const u8 *data, u32 len)
{
	AUTO(free_ptr) char *name = strf("%.*s", (int)len, (const char *)data);
	u8 h[134] = { 0 };
	c->export = find(c->server, name);
	if (!c->export)
		return -EINVAL; /* the old way has no words for it: the connection ends */
	st_be64(h, blk_size(c->export->node));
	st_be16(h + 8, export_flags(c));
	return sock_write(c->fd, h, c->no_zeroes ? 10 : sizeof(h));
}

static int negotiate(struct client *c)
{
	u8 h[18], flags[4];
	st_be64(h, NBD_MAGIC);
	st_be64(h + 8, NBD_OPT_MAGIC);
	st_be16(h + 16, NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES);
	int r = sock_write(c->fd, h, sizeof(h));
	if (!r)
		r = sock_read(c->fd, flags, 4, NULL);
	if (!r && (ld_be32(flags) & ~(u32)(NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES)))
		r = -EINVAL;
	c->no_zeroes = !r && (ld_be32(flags) & NBD_NO_ZEROES);
	while (!r) {
		u8 o[16];
		bool go = false;
		if ((r = sock_read(c->fd, o, sizeof(o), NULL)))
			break;
		u32 opt = ld_be32(o + 8), len = ld_be32(o + 12);
		if (ld_be64(o) != NBD_OPT_MAGIC || len > NBD_MAX_DATA)
			return -EINVAL;
		AUTO(free_ptr) u8 *data = try_alloc(len + 1);
		if (!data)
			return -ENOMEM;
		if ((r = sock_read(c->fd, data, len, NULL)))
			break;
		switch (opt) {
		case NBD_OPT_EXPORT_NAME:
			return opt_export_name(c, data, len);
		case NBD_OPT_ABORT:
			r = reply_opt(c, opt, NBD_REP_ACK, NULL, 0);
			return r ? r : -ECONNRESET;
		case NBD_OPT_LIST:
			r = opt_list(c, opt, len);
			break;
		case NBD_OPT_INFO:
		case NBD_OPT_GO:
			r = opt_go(c, opt, data, len, &go);
			if (go && !r)
				return 0;
			break;
		case NBD_OPT_STRUCTURED_REPLY:
			if (len) {
				r = refuse(c, opt, NBD_ERR_INVALID,
					   "OPT_STRUCTURED_REPLY should not have length");
			} else if (c->structured) {
				r = refuse(c, opt, NBD_ERR_INVALID, "structured reply already negotiated");
			} else {
				c->structured = true;
				r = reply_opt(c, opt, NBD_REP_ACK, NULL, 0);
			}
			break;
		case NBD_OPT_LIST_META:
		case NBD_OPT_SET_META:
			r = opt_meta(c, opt, data, len);
			break;
		case NBD_OPT_STARTTLS:
			r = refuse(c, opt, NBD_ERR_POLICY, "TLS not configured");
			break;
		default:
			r = refuse(c, opt, NBD_ERR_UNSUP, "Unsupported option");
		}
	}
	return r;
}

/* ---- replies ---- */

static int send_reply(struct request *q, const void *head, size_t head_len, struct iovs body)
{
	struct client *c = q->client;
	co_lock(&c->sending);
	int r = c->gone ? -EPIPE : sock_write2(c->fd, head, head_len, body);
	if (r)
		c->gone = true;
	co_unlock(&c->sending);
	return r;
}

static int chunk(struct request *q, u16 flags, u16 type, const void *extra, u32 extra_len, struct iovs body)
{
	u8 h[64];
	st_be32(h, NBD_CHUNK_MAGIC);
	st_be16(h + 4, flags);
	st_be16(h + 6, type);
	st_be64(h + 8, q->handle);
	st_be32(h + 16, extra_len + body.len);
	memcpy(h + 20, extra, extra_len);
	return send_reply(q, h, 20 + extra_len, body);
}

static int simple(struct request *q, int error, struct iovs body)
{
	u8 h[16];
	if (q->client->structured) {
		if (!error)
			return chunk(q, NBD_CHUNK_DONE, NBD_CHUNK_NONE, NULL, 0, (struct iovs){ 0 });
		u8 e[6];
		st_be32(e, nbd_errno(error));
		st_be16(e + 4, 0);
		return chunk(q, NBD_CHUNK_DONE, NBD_CHUNK_ERROR, e, 6, (struct iovs){ 0 });
	}
	st_be32(h, NBD_REPLY_MAGIC);
	st_be32(h + 4, error ? nbd_errno(error) : 0);
	st_be64(h + 8, q->handle);
	return send_reply(q, h, 16, error ? (struct iovs){ 0 } : body);
}

/* ---- commands ---- */

/* Holes go as holes, data in chunks. */
static int read_sparse(struct request *q)
{
	struct blk_node *n = q->client->export->node;
	u64 at = q->from, end = q->from + q->len;
	while (at < end) {
		struct blk_status s;
		u8 extra[12];
		struct iovec v;
		int r = blk_status(n, NULL, at, end - at, &s);
		if (r)
			return simple(q, r, (struct iovs){ 0 });
		u64 len = s.len;
		/* Neighbours of one kind go together. */
		while (at + len < end) {
			struct blk_status more;
			if (blk_status(n, NULL, at + len, end - at - len, &more) || more.zero != s.zero)
				break;
			len += more.len;
		}
		u16 last = at + len == end ? NBD_CHUNK_DONE : 0;
		st_be64(extra, at);
		if (s.zero) {
			st_be32(extra + 8, len);
			r = chunk(q, last, NBD_CHUNK_HOLE, extra, 12, (struct iovs){ 0 });
		} else {
			u8 *buf = q->data + (at - q->from);
			int bad = blk_pread(n, at, buf, len);
			if (bad)
				return simple(q, bad, (struct iovs){ 0 });
			r = chunk(q, last, NBD_CHUNK_DATA, extra, 8, iovs_one(&v, buf, len));
		}
		if (r)
			return r;
		at += len;
	}
	return 0;
}

static int do_read(struct request *q)
{
	struct iovec v;
	if (posix_memalign((void **)&q->data, 4096, MAX(q->len, 1u)))
		return simple(q, -ENOMEM, (struct iovs){ 0 });
	if (q->client->structured && !(q->flags & NBD_FLAG_DF) && q->len)
		return read_sparse(q);
	int r = blk_pread(q->client->export->node, q->from, q->data, q->len);
	if (r || !q->client->structured || !q->len)
		return simple(q, r, iovs_one(&v, q->data, q->len));
	u8 extra[8];
	st_be64(extra, q->from);
	return chunk(q, NBD_CHUNK_DONE, NBD_CHUNK_DATA, extra, 8, iovs_one(&v, q->data, q->len));
}

struct extents {
	u8 *buf; /* length and flags, big-endian, behind the context's number */
	unsigned n;
	bool one, full;
};

static void add_extent(struct extents *e, u64 len, u32 flags)
{
	if (e->n && ld_be32(e->buf + 4 + (e->n - 1) * 8 + 4) == flags) {
		u64 sum = ld_be32(e->buf + 4 + (e->n - 1) * 8) + len;
		if (sum <= UINT32_MAX) {
			st_be32(e->buf + 4 + (e->n - 1) * 8, sum);
			return;
		}
	}
	if (e->n == (e->one ? 1 : MAX_EXTENTS)) {
		e->full = true;
		return;
	}
	st_be32(e->buf + 4 + e->n * 8, len);
	st_be32(e->buf + 4 + e->n++ * 8 + 4, flags);
}

static int send_status(struct request *q, struct extents *e, u32 id, bool last)
{
	struct iovec v;
	st_be32(e->buf, id);
	return chunk(q, last ? NBD_CHUNK_DONE : 0, NBD_CHUNK_STATUS, NULL, 0,
		     iovs_one(&v, e->buf, 4 + e->n * 8));
}

static int allocation(struct request *q, struct extents *e, bool depth)
{
	for (u64 at = q->from, end = q->from + q->len; at < end && !e->full;) {
		struct blk_status s;
		int r = blk_status(q->client->export->node, NULL, at, end - at, &s);
		if (r)
			return r;
		u32 flags = (s.data || (s.has_offset && s.zero && s.present) ? 0 : NBD_STATE_HOLE) |
			    (s.zero ? NBD_STATE_ZERO : 0);
		if (depth)
			flags = s.present ? s.depth + 1 : 0;
		add_extent(e, s.len, flags);
		at += s.len;
	}
	return 0;
}

static void dirty(struct request *q, struct extents *e, const struct blk_dirty *b)
{
	for (u64 at = q->from, end = q->from + q->len; at < end && !e->full;) {
		u64 start, len;
		if (!blk_dirty_next(b, at, &start, &len) || start >= end) {
			add_extent(e, end - at, 0);
			break;
		}
		if (start > at)
			add_extent(e, start - at, 0);
		len = MIN(len, end - start);
		add_extent(e, len, 1);
		at = start + len;
	}
}

static int do_status(struct request *q)
{
	struct client *c = q->client;
	struct nbd_export *x = c->export;
	unsigned left = c->alloc + c->depth;
	for (unsigned i = 0; c->bitmap && i < x->n_bitmaps; i++)
		left += c->bitmap[i];
	if (!left || !q->len)
		return simple(q, -EINVAL, (struct iovs){ 0 });
	struct extents e = { .buf = alloc(4 + MAX_EXTENTS * 8), .one = q->flags & NBD_FLAG_REQ_ONE };
	q->data = e.buf;
	int r = 0, bad = 0;
	for (unsigned what = 0; what < 2 + x->n_bitmaps && !r && !bad; what++) {
		if (!(what == 0 ? c->alloc : what == 1 ? c->depth : c->bitmap && c->bitmap[what - 2]))
			continue;
		e.n = 0;
		e.full = false;
		if (what < 2)
			bad = allocation(q, &e, what == 1);
		else
			dirty(q, &e, x->bitmaps[what - 2]);
		if (!bad)
			r = send_status(q, &e, what, !--left);
	}
	return bad ? simple(q, bad, (struct iovs){ 0 }) : r;
}

static int write_cmd(struct request *q)
{
	struct blk_node *n = q->client->export->node;
	u32 flags = q->flags & NBD_FLAG_FUA ? BLK_REQ_FUA : 0;
	struct iovec v;
	int r;
	if (q->client->export->read_only)
		return -EPERM;
	switch (q->type) {
	case NBD_CMD_WRITE:
		return blk_pwritev(n, q->from, iovs_one(&v, q->data, q->len), flags);
	case NBD_CMD_TRIM:
		r = blk_discard(n, q->from, q->len);
		return r || !flags ? r : blk_flush(n);
	default:
		return blk_zero(n, q->from, q->len,
				flags | (q->flags & NBD_FLAG_NO_HOLE ? 0 : BLK_REQ_MAY_UNMAP) |
				    (q->flags & NBD_FLAG_FAST_ZERO ? BLK_REQ_NO_FALLBACK : 0));
	}
}

static void serve(void *arg)
{
	struct request *q = arg;
	struct client *c = q->client;
	u64 size = blk_size(c->export->node);
	struct iovs none = { 0 };
	if (q->type != NBD_CMD_FLUSH && (q->from > size || q->len > size - q->from)) {
		simple(q, q->type == NBD_CMD_WRITE || q->type == NBD_CMD_WRITE_ZEROES ? -ENOSPC : -EINVAL,
		       none);
	} else {
		switch (q->type) {
		case NBD_CMD_READ:
			do_read(q);
			break;
		case NBD_CMD_WRITE:
		case NBD_CMD_TRIM:
		case NBD_CMD_WRITE_ZEROES:
			simple(q, write_cmd(q), none);
			break;
		case NBD_CMD_FLUSH:
			simple(q, blk_flush(c->export->node), none);
			break;
		case NBD_CMD_CACHE:
			simple(q, 0, none);
			break;
		case NBD_CMD_BLOCK_STATUS:
			do_status(q);
			break;
		default:
			simple(q, -EINVAL, none);
		}
	}
	free(q->data);
	free(q);
	c->in_flight--;
	co_wake(&c->room);
	if (!c->in_flight)
		co_wake_all(&c->idle);
}

static int receive(struct client *c, struct request *q)
{
	u8 h[28];
	int r = sock_read(c->fd, h, sizeof(h), NULL);
	if (r)
		return r;
	if (ld_be32(h) != NBD_REQUEST_MAGIC)
		return -EINVAL;
	*q = (struct request){
		c, ld_be16(h + 4), ld_be16(h + 6), ld_be64(h + 8), ld_be64(h + 16), ld_be32(h + 24), NULL
	};
	if ((q->type == NBD_CMD_READ || q->type == NBD_CMD_WRITE) && q->len > NBD_MAX_DATA)
		return -EINVAL;
	if (q->type != NBD_CMD_WRITE)
		return 0;
	if (posix_memalign((void **)&q->data, 4096, MAX(q->len, 1u)))
		return -ENOMEM;
	return sock_read(c->fd, q->data, q->len, NULL);
}

static void client(void *arg)
{
	struct client *c = arg;
	struct nbd_server *s = c->server;
	int r = negotiate(c);
	while (!r && !c->gone) {
		struct request *q = alloc(sizeof(*q));
		r = receive(c, q);
		if (r || q->type == NBD_CMD_DISC) {
			free(q->data);
			free(q);
			break;
		}
		while (c->in_flight >= IN_FLIGHT)
			co_wait(&c->room);
		c->in_flight++;
		co_enter(co_new(serve, q));
	}
	c->gone = true;
	while (c->in_flight)
		co_wait(&c->idle);
	close(c->fd);
	free(c->bitmap);
	free(c);
	s->clients--;
	co_wake(&s->room);
	if (s->changed)
		s->changed(s->user, false);
}

struct listener {
	struct nbd_server *server;
	int fd;
};

static void accept_all(void *arg)
{
	struct listener *l = arg;
	struct nbd_server *s = l->server;
	while (!s->ended) {
		while (s->max_clients && s->clients >= s->max_clients)
			co_wait(&s->room);
		if (s->ended)
			break;
		int fd = sock_accept(l->fd);
		if (fd < 0)
			break;
		struct client *c = alloc(sizeof(*c));
		c->server = s;
		c->fd = fd;
		s->clients++;
		if (s->changed)
			s->changed(s->user, true);
		co_enter(co_new(client, c));
	}
	close(l->fd);
	free(l);
}

void nbd_server_listen(struct nbd_server *s, int fd)
{
	struct listener *l = alloc(sizeof(*l));
	l->server = s;
	l->fd = fd;
	co_enter(co_new(accept_all, l));
}

struct nbd_export *nbd_export_new(struct nbd_server *s, const char *name, struct blk_node *node)
{
	struct nbd_export *x = alloc(sizeof(*x));
	x->name = str_dup(name);
	x->node = blk_ref(node);
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
	blk_unref(x->node);
	free(x->name);
	free(x->description);
	free(x->bitmaps);
	free(x);
}
