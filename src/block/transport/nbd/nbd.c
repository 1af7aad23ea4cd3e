/*
 * Exports of NBD servers as nodes.
 *
 * Many requests are in flight at once: each has a slot, a coroutine reads replies and wakes the requests. When a connection
 * breaks, the requests in flight and later ones wait up to reconnect-delay seconds for a new one and are sent again;
 * without a delay those in flight fail, and a later one tries to connect once.
 *
 * Specification  doc/proto.md of the NetworkBlockDevice project: transmission, structured replies, block status.
 */
#include "block/transport/nbd/client.h"
#include "block/blk.h"
#include "block/nbd.h"
#include "block/object.h"
#include "base/coroutine.h"
#include "base/loop/loop.h"
#include <errno.h>
#include <stdio.h>

enum { SLOTS = 64, MAX_HOLE = 1 << 30 };
static const i64 second = 1000000000;

struct slot {
	u64 handle, offset;
	u32 len, got;
	u16 type, flags;
	struct iovs data;
	int error;
	u32 extent_len, extent_flags; /* BLOCK_STATUS; extent_len 0: none yet */
	bool done, lost; /* lost: the connection broke before the answer */
	struct co_wait wait;
};

struct conn {
	struct nbd_link link;
	unsigned users; /* requests, the reader, the node */
	bool dead, reading;
	struct slot *slots[SLOTS];
	u32 generation, busy;
	struct co_wait room, reader_end;
	struct co_lock sending;
};

struct nbd {
	struct nbd_target target;
	struct conn *conn; /* NULL: none */
	struct nbd_info info; /* of the first connection: later ones must agree */
	bool structured, has_context;
	bool dirty_context; /* x-dirty-bitmap: flags mean what the bitmap says */
	u64 reconnect_delay, open_timeout; /* seconds */
	i64 lost_at;
	struct co_lock connecting, unaligned;
};

/* ---- replies ---- */

static void put(struct conn *c)
{
	if (--c->users)
		return;
	nbd_link_close(&c->link);
	free(c);
}

static void finish(struct conn *c, struct slot *s)
{
	c->slots[s->handle % SLOTS] = NULL;
	c->busy--;
	s->done = true;
	co_wake(&s->wait);
	co_wake(&c->room);
}

static struct slot *slot_of(struct conn *c, u64 handle)
{
	struct slot *s = c->slots[handle % SLOTS];
	return s && s->handle == handle ? s : NULL;
}

static int read_simple(struct conn *c)
{
	u8 h[12];
	int r = chan_read(&c->link.chan, h, sizeof(h));
	struct slot *s = r ? NULL : slot_of(c, ld_be64(h + 4));
	if (r || !s || s->type == NBD_CMD_BLOCK_STATUS || (c->link.structured && s->type == NBD_CMD_READ))
		return r ? r : -EPROTO;
	s->error = nbd_from_errno(ld_be32(h));
	if (!s->error && s->type == NBD_CMD_READ)
		r = chan_readv(&c->link.chan, s->data);
	s->got = s->len;
	if (!r)
		finish(c, s);
	return r;
}

/* A piece of what was asked for: [offset, offset + len) lies within the request. */
static bool within(const struct slot *s, u64 offset, u64 len)
{
	return offset >= s->offset && offset - s->offset <= s->len && len <= s->len - (offset - s->offset);
}

static int data_chunk(struct conn *c, struct slot *s, u16 type, u32 len)
{
	u8 h[12];
	u32 head = type == NBD_CHUNK_HOLE ? 12 : 8;
	if (s->type != NBD_CMD_READ || len < head || (type == NBD_CHUNK_HOLE && len != head))
		return -EPROTO;
	int r = chan_read(&c->link.chan, h, head);
	u64 offset = ld_be64(h);
	u32 bytes = type == NBD_CHUNK_HOLE ? ld_be32(h + 8) : len - 8;
	if (r || !bytes || !within(s, offset, bytes))
		return r ? r : -EPROTO;
	struct iovs part = iovs_cut(s->data, offset - s->offset, bytes);
	s->got += bytes;
	if (type == NBD_CHUNK_HOLE)
		iovs_fill(part, 0);
	else
		r = chan_readv(&c->link.chan, part);
	return r;
}

static int status_chunk(struct conn *c, struct slot *s, u32 len)
{
	u8 h[12];
	if (s->type != NBD_CMD_BLOCK_STATUS || len < 12 || (len - 4) % 8)
		return -EPROTO;
	int r = chan_read(&c->link.chan, h, 12);
	if (!r)
		r = chan_skip(&c->link.chan, len - 12); /* more extents than were asked for */
	if (r)
		return r;
	if (ld_be32(h) != c->link.context_id || !ld_be32(h + 4) || s->extent_len)
		return -EPROTO;
	s->extent_len = MIN(ld_be32(h + 4), s->len);
	s->extent_flags = ld_be32(h + 8);
	return 0;
}

static int error_chunk(struct conn *c, struct slot *s, u32 len)
{
	u8 h[6];
	if (len < 6)
		return -EPROTO;
	int r = chan_read(&c->link.chan, h, 6);
	if (!r)
		r = chan_skip(&c->link.chan, len - 6); /* words and an offset */
	if (!r && !s->error)
		s->error = ld_be32(h) ? nbd_from_errno(ld_be32(h)) : -EIO;
	return r;
}

static int read_chunk(struct conn *c)
{
	u8 h[16];
	int r = chan_read(&c->link.chan, h, sizeof(h));
	if (r)
		return r;
	u16 flags = ld_be16(h), type = ld_be16(h + 2);
	u32 len = ld_be32(h + 12);
	struct slot *s = slot_of(c, ld_be64(h + 4));
	if (!s || !c->link.structured)
		return -EPROTO;
	if (type == NBD_CHUNK_NONE)
		r = len || !(flags & NBD_CHUNK_DONE) ? -EPROTO : 0;
	else if (type == NBD_CHUNK_DATA || type == NBD_CHUNK_HOLE)
		r = data_chunk(c, s, type, len);
	else if (type == NBD_CHUNK_STATUS)
		r = status_chunk(c, s, len);
	else if (type & 0x8000)
		r = error_chunk(c, s, len);
	else
		r = -EPROTO;
	if (!r && (flags & NBD_CHUNK_DONE))
		finish(c, s);
	return r;
}

static void reader(void *arg)
{
	struct conn *c = arg;
	u8 magic[4];
	int r = 0;
	while (!r && !(r = chan_read(&c->link.chan, magic, 4)))
		r = ld_be32(magic) == NBD_REPLY_MAGIC	? read_simple(c)
		    : ld_be32(magic) == NBD_CHUNK_MAGIC ? read_chunk(c)
							: -EPROTO;
	c->dead = true;
	chan_shut(&c->link.chan);
	for (unsigned i = 0; i < SLOTS; i++)
		if (c->slots[i]) {
			c->slots[i]->lost = true;
			finish(c, c->slots[i]);
		}
	co_wake_all(&c->room);
	c->reading = false;
	co_wake_all(&c->reader_end);
	put(c);
}

/* ---- connections ---- */

static void start(struct nbd *s, struct nbd_link *l)
{
	struct conn *c = alloc(sizeof(*c));
	c->link = *l;
	c->users = 2;
	c->reading = true;
	s->conn = c;
	s->lost_at = 0;
	co_enter(co_new(reader, c));
}

/* The same disk as before? */
static struct err *same_export(const struct nbd *s, const struct nbd_link *l)
{
	if (l->info.size != s->info.size ||
	    (l->info.flags ^ s->info.flags) & (NBD_READ_ONLY | NBD_SEND_FUA) ||
	    l->info.min_block > MAX(s->info.min_block, 1u) || l->has_context != s->has_context)
		return err_new(ERR_INVALID, "the export is not the same any more");
	return NULL;
}

/* A connection with one user more. Waits for one as long as reconnect-delay allows. */
static int get(struct nbd *s, struct conn **ret)
{
	int r = 0;
	co_lock(&s->connecting);
	if (s->conn && s->conn->dead) {
		put(s->conn);
		s->conn = NULL;
		s->lost_at = loop_now();
	}
	i64 until = s->lost_at + (i64)s->reconnect_delay * second;
	while (!s->conn && !r) {
		struct nbd_link l;
		struct err *e = nbd_link_open(&s->target, &l);
		if (!e && (e = same_export(s, &l)))
			nbd_link_close(&l);
		i64 left = until - loop_now();
		if (!e)
			start(s, &l);
		else if (left <= 0)
			r = -EIO;
		else
			co_sleep(MIN(left, second / 4));
		err_free(e);
	}
	if (!r) {
		s->conn->users++;
		*ret = s->conn;
	}
	co_unlock(&s->connecting);
	return r;
}

/* ---- requests ---- */

static int send_request(struct conn *c, struct slot *q)
{
	u8 h[28];
	while (c->busy >= SLOTS && !c->dead)
		co_wait(&c->room);
	if (c->dead)
		return -EPIPE;
	unsigned i = 0;
	while (c->slots[i])
		i++;
	q->handle = (u64)++c->generation << 32 | i;
	c->slots[i] = q;
	c->busy++;
	st_be32(h, NBD_REQUEST_MAGIC);
	st_be16(h + 4, q->flags);
	st_be16(h + 6, q->type);
	st_be64(h + 8, q->handle);
	st_be64(h + 16, q->offset);
	st_be32(h + 24, q->len);
	co_lock(&c->sending);
	int r = c->dead ? -EPIPE
			: chan_write(&c->link.chan, h, sizeof(h),
				     q->type == NBD_CMD_WRITE ? q->data : (struct iovs){ 0 });
	co_unlock(&c->sending);
	if (r)
		chan_shut(&c->link.chan); /* the reader sees the end and tells everybody */
	while (!q->done)
		co_wait(&q->wait);
	return 0;
}

struct call {
	struct nbd *s;
	struct slot *q;
	int result;
};

static void run_call(void *arg)
{
	struct call *k = arg;
	struct slot *q = k->q;
	for (;;) {
		struct conn *c;
		k->result = get(k->s, &c);
		if (k->result)
			return;
		q->error = 0;
		q->got = q->extent_len = 0;
		q->done = q->lost = false;
		if (send_request(c, q))
			q->lost = true;
		put(c);
		if (!q->lost || !k->s->reconnect_delay)
			break;
	}
	k->result = q->lost ? -EIO : q->error;
	if (!k->result && q->type == NBD_CMD_READ && q->got != q->len)
		k->result = -EIO; /* the server left a part of the answer out */
}

static int request(struct blk_node *node, struct slot *q)
{
	struct call k = { .s = node->state, .q = q };
	if (co_self())
		run_call(&k);
	else
		co_run(run_call, &k);
	return k.result;
}

static u32 max_data(const struct nbd *s)
{
	return s->info.max_block ? MIN(s->info.max_block, (u32)NBD_MAX_DATA) : NBD_MAX_DATA;
}

/* Reads or writes what is aligned as the server wants it. */
static int transfer(struct blk_node *node, u16 type, u16 flags, u64 offset, struct iovs iov)
{
	u32 max = ROUND_DOWN(max_data(node->state), node->align);
	for (size_t done = 0; done < iov.len;) {
		u32 len = MIN(iov.len - done, (size_t)max);
		struct slot q = { .type = type,
				  .flags = flags,
				  .offset = offset + done,
				  .len = len,
				  .data = len == iov.len ? iov : iovs_cut(iov, done, len) };
		int r = request(node, &q);
		if (r)
			return r;
		done += len;
	}
	return 0;
}

/* Requests at odd places, for servers that want whole blocks: the blocks around are read, and written back. */
static int unaligned(struct blk_node *node, u16 type, u16 flags, u64 offset, struct iovs iov)
{
	struct nbd *s = node->state;
	u64 from = ROUND_DOWN(offset, (u64)node->align),
	    to = MIN(ROUND_UP(offset + iov.len, (u64)node->align), ROUND_UP(s->info.size, (u64)node->align));
	struct iovec v;
	AUTO(free_ptr) u8 *buf = try_alloc(to - from);
	if (!buf)
		return -ENOMEM;
	bool write = type == NBD_CMD_WRITE;
	if (write)
		co_lock(&s->unaligned);
	int r = transfer(node, NBD_CMD_READ, 0, from, iovs_one(&v, buf, to - from));
	if (!r && write) {
		iovs_to_buf(iov, buf + (offset - from));
		r = transfer(node, NBD_CMD_WRITE, flags, from, iovs_one(&v, buf, to - from));
	}
	if (write)
		co_unlock(&s->unaligned);
	else if (!r)
		iovs_from_buf(iov, buf + (offset - from));
	return r;
}

static int move(struct blk_node *node, u16 type, u16 flags, u64 offset, struct iovs iov)
{
	u32 mask = node->align - 1;
	return (offset | iov.len) & mask ? unaligned(node, type, flags, offset, iov)
					 : transfer(node, type, flags, offset, iov);
}

static int preadv_nbd(struct blk_node *node, u64 offset, struct iovs iov, u32 flags UNUSED)
{
	return move(node, NBD_CMD_READ, 0, offset, iov);
}

static u16 fua(u32 flags)
{
	return flags & BLK_REQ_FUA ? NBD_FLAG_FUA : 0;
}

static int pwritev_nbd(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	if (offset > node->size || iov.len > node->size - offset)
		return -ENOSPC; /* exports do not grow */
	return move(node, NBD_CMD_WRITE, fua(flags), offset, iov);
}

static int span(struct blk_node *node, u16 type, u16 flags, u64 offset, u64 len)
{
	while (len) {
		struct slot q = {
			.type = type, .flags = flags, .offset = offset, .len = MIN(len, (u64)MAX_HOLE)
		};
		int r = request(node, &q);
		if (r)
			return r;
		offset += q.len;
		len -= q.len;
	}
	return 0;
}

static int zero(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	struct nbd *s = node->state;
	if (!(s->info.flags & NBD_SEND_WRITE_ZEROES))
		return -ENOTSUP;
	bool fast = flags & BLK_REQ_NO_FALLBACK;
	if (fast && !(s->info.flags & NBD_SEND_FAST_ZERO))
		return -ENOTSUP;
	return span(node, NBD_CMD_WRITE_ZEROES,
		    (flags & BLK_REQ_MAY_UNMAP ? 0 : NBD_FLAG_NO_HOLE) | (fast ? NBD_FLAG_FAST_ZERO : 0) |
			fua(flags),
		    offset, len);
}

static int discard(struct blk_node *node, u64 offset, u64 len)
{
	struct nbd *s = node->state;
	return s->info.flags & NBD_SEND_TRIM ? span(node, NBD_CMD_TRIM, 0, offset, len) : -ENOTSUP;
}

static int flush(struct blk_node *node)
{
	struct nbd *s = node->state;
	struct slot q = { .type = NBD_CMD_FLUSH };
	return s->info.flags & NBD_SEND_FLUSH ? request(node, &q) : 0;
}

static int map(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	struct nbd *s = node->state;
	*ret = (struct blk_extent){
		.where = BLK_DATA, .file = node, .offset = offset, .len = len, .has_offset = true
	};
	if (!s->has_context)
		return 0;
	u64 from = ROUND_DOWN(offset, (u64)node->align);
	u64 want = MIN(ROUND_UP(offset + len, (u64)node->align), s->info.size) - from;
	struct slot q = { .type = NBD_CMD_BLOCK_STATUS,
			  .flags = NBD_FLAG_REQ_ONE,
			  .offset = from,
			  .len = MIN(want, (u64)MAX_HOLE) };
	int r = request(node, &q);
	if (r)
		return r;
	if (!q.extent_len || q.extent_len <= offset - from)
		return -EIO;
	ret->len = MIN(q.extent_len - (offset - from), len);
	bool hole = q.extent_flags & NBD_STATE_HOLE, zero = q.extent_flags & NBD_STATE_ZERO;
	if (zero && !s->dirty_context)
		ret->where = BLK_ZERO;
	if (s->dirty_context || (zero && !hole)) {
		ret->told = true;
		ret->told_data = !hole;
		ret->told_zero = zero;
	}
	return 0;
}

static struct err *truncate_nbd(struct blk_node *node, u64 size, bool exact,
				enum blk_prealloc prealloc UNUSED, bool zero_new UNUSED)
{
	if (exact && size != node->size)
		return err_new(ERR_UNSUPPORTED, "Cannot resize NBD nodes");
	if (size > node->size)
		return err_new(ERR_UNSUPPORTED, "Cannot grow NBD nodes");
	return NULL;
}

/* ---- opening ---- */

static struct err *member_missing(const char *name)
{
	return err_new(ERR_INVALID, "Parameter '%s' is missing", name);
}

/* server.type and its members, or the older path, host and port. */
static struct err *take_address(struct nbd *s, struct json *opts)
{
	struct sock_addr *a = &s->target.addr;
	AUTO(free_ptr) char *type = blk_take_str(opts, "server.type");
	a->path = blk_take_str(opts, "path");
	a->host = blk_take_str(opts, "host");
	a->port = blk_take_str(opts, "port");
	if (a->path && a->host)
		return err_new(ERR_INVALID, "path and host may not be used at the same time");
	if (a->path && a->port)
		return err_new(ERR_INVALID, "port may not be used without host");
	if (type) {
		if (a->path || a->host)
			return err_new(ERR_INVALID,
				       "'server' and path/host/port may not be used at the same time");
		if (strcmp(type, "unix") == 0) {
			a->path = blk_take_str(opts, "server.path");
			return a->path ? NULL : member_missing("path");
		}
		if (strcmp(type, "inet") != 0)
			return err_new(ERR_INVALID, "Parameter 'type' does not accept value '%s'", type);
		a->host = blk_take_str(opts, "server.host");
		a->port = blk_take_str(opts, "server.port");
		return a->host ? a->port ? NULL : member_missing("port") : member_missing("host");
	}
	if (json_get(opts, "server.path") || json_get(opts, "server.host"))
		return member_missing("type");
	if (!a->path && !a->host)
		return err_new(ERR_INVALID, "NBD server address missing");
	if (!a->path && !a->port)
		a->port = strf("%u", NBD_DEFAULT_PORT);
	return NULL;
}

/* nbds:// brings its credentials along; else they are an object's. */
static struct err *take_tls(struct blk_node *node, struct json *opts)
{
	struct nbd_target *t = &((struct nbd *)node->state)->target;
	AUTO(free_ptr)
	char *id = blk_take_str(opts, "tls-creds"), *dir = blk_take_str(opts, "tls-certificates"),
	     *psk = blk_take_str(opts, "tls-psk-file"), *user = blk_take_str(opts, "tls-username");
	bool tls = false;
	struct err *e = blk_take_bool(opts, "tls", &tls);
	t->tls_hostname = blk_take_str(opts, "tls-hostname");
	if (!e && id) {
		e = blk_tls_creds(node->graph, id, false, &t->creds);
		if (!e)
			tls_creds_ref(t->creds);
		return e;
	}
	if (e || !tls)
		return e ? e
		       : t->tls_hostname && *t->tls_hostname
			   ? err_new(ERR_INVALID, "tls-hostname cannot be used without tls-creds")
			   : NULL;
	struct tls_describe d = { .kind = psk ? TLS_PSK : TLS_X509,
				  .verify_peer = true,
				  .dir = dir,
				  .psk_file = psk,
				  .username = user };
	return tls_creds_new(&d, &t->creds);
}

static struct err *take_seconds(struct json *opts, const char *name, u64 *ret)
{
	AUTO(free_ptr) char *text = blk_take_str(opts, name);
	char *end = text;
	if (!text)
		return NULL;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	if (!*text || *end || *text == '-' || errno || *ret > UINT32_MAX)
		return err_new(ERR_INVALID, "Parameter '%s' expects a number", name);
	return NULL;
}

static struct err *take_options(struct blk_node *node, struct json *opts)
{
	struct nbd *s = node->state;
	struct nbd_target *t = &s->target;
	AUTO(free_ptr) char *name = blk_take_str(opts, "filename");
	struct err *e = name ? nbd_parse_name(name, opts) : NULL;
	t->export = blk_take_str(opts, "export");
	AUTO(free_ptr) char *bitmap = blk_take_str(opts, "x-dirty-bitmap");
	if (!e && t->export && strlen(t->export) > NBD_MAX_NAME)
		e = err_new(ERR_INVALID, "export name too long to send to server");
	if (!e && bitmap && strlen(bitmap) > NBD_MAX_STRING)
		e = err_new(ERR_INVALID, "x-dirty-bitmap query too long to send to server");
	t->context = str_dup(bitmap ? bitmap : "base:allocation");
	s->dirty_context = bitmap;
	if (!e)
		e = take_address(s, opts);
	if (!e)
		e = take_tls(node, opts);
	if (!e)
		e = take_seconds(opts, "reconnect-delay", &s->reconnect_delay);
	return e ? e : take_seconds(opts, "open-timeout", &s->open_timeout);
}

/* Connects; with open-timeout again and again until it is over. */
static struct err *connect_first(struct nbd *s, struct nbd_link *ret)
{
	i64 until = loop_now() + (i64)s->open_timeout * second;
	for (;;) {
		struct err *e = nbd_link_open(&s->target, ret);
		i64 left = until - loop_now();
		if (!e || left <= 0)
			return e;
		err_free(e);
		co_sleep(MIN(left, second / 4));
	}
}

static struct err *set_up(struct blk_node *node, const struct nbd_link *l)
{
	struct nbd *s = node->state;
	s->info = l->info;
	s->info.name = s->info.description = NULL;
	s->structured = l->structured;
	s->has_context = l->has_context;
	node->size = l->info.size;
	node->fua = node->fua_zero = l->info.flags & NBD_SEND_FUA;
	node->align = MAX(l->info.min_block, 1u);
	node->granularity = node->align;
	if (s->dirty_context && !l->has_context)
		return err_new(ERR_NOT_FOUND, "requested x-dirty-bitmap %s not found", s->target.context);
	if (!(l->info.flags & NBD_READ_ONLY) || !(node->flags & BLK_RDWR))
		return NULL;
	if (!(node->flags & BLK_AUTO_RDONLY))
		return err_new(ERR_DENIED, "request on denied export: NBD export is read-only");
	node->flags &= ~(u32)BLK_RDWR;
	return NULL;
}

static struct err *open_nbd(struct blk_node *node, struct json *opts, u32 flags UNUSED)
{
	struct nbd *s = node->state;
	struct nbd_link l;
	struct err *e = take_options(node, opts);
	if (!e)
		e = connect_first(s, &l);
	if (!e && (e = set_up(node, &l)))
		nbd_link_close(&l);
	if (e) {
		nbd_target_done(&s->target);
		return e;
	}
	node->filename = nbd_make_name(&s->target);
	start(s, &l);
	return NULL;
}

static void close_nbd(struct blk_node *node)
{
	struct nbd *s = node->state;
	struct conn *c = s->conn;
	if (c) {
		u8 bye[28] = { 0 };
		st_be32(bye, NBD_REQUEST_MAGIC);
		st_be16(bye + 6, NBD_CMD_DISC);
		if (!c->dead && chan_write(&c->link.chan, bye, sizeof(bye), (struct iovs){ 0 }))
			c->dead = true;
		chan_shut(&c->link.chan);
		while (c->reading)
			co_wait(&c->reader_end);
		put(c);
	}
	nbd_target_done(&s->target);
}

static struct err *reopen(struct blk_node *node, u32 flags)
{
	struct nbd *s = node->state;
	if ((flags & BLK_RDWR) && (s->info.flags & NBD_READ_ONLY))
		return err_new(ERR_DENIED, "Can't reopen read-only NBD mount as read/write");
	node->flags = flags;
	return NULL;
}

static u64 disk_size(struct blk_node *node UNUSED)
{
	return ~0ull;
}

static const char *const prefixes[] = { "nbd", "nbd+tcp", "nbd+unix", "nbds", "nbds+tcp", "nbds+unix", NULL };

BLK_DRIVER(nbd) = {
	.name = "nbd",
	.summary = "an export of an NBD server",
	.spec = "NetworkBlockDevice doc/proto.md",
	.kind = BLK_TRANSPORT,
	.state_size = sizeof(struct nbd),
	.prefixes = prefixes,
	.parse_name = nbd_parse_name,
	.open = open_nbd,
	.close = close_nbd,
	.reopen = reopen,
	.preadv = preadv_nbd,
	.pwritev = pwritev_nbd,
	.zero = zero,
	.discard = discard,
	.flush = flush,
	.map = map,
	.truncate = truncate_nbd,
	.disk_size = disk_size,
};
