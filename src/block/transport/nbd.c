/*
 * nbd: a disk that an NBD server exports.
 *
 * Specification  doc/proto.md and doc/uri.md of the NetworkBlockDevice project.
 * Modelled   fixed newstyle negotiation, structured replies, block status (base:allocation), several requests in flight.
 * Absent     TLS, reconnection, the oldstyle negotiation.
 * Options    server.{type,host,port,path} or host, port, path; export.
 */
#include "block/nbd.h"
#include "base/coroutine.h"
#include "base/sock.h"
#include "block/blk.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { MAX_REPLY_TEXT = 4096 };

struct call {
	struct call *next;
	u64 handle;
	bool done;
	int result;
	struct iovs iov; /* of reads */
	u64 offset;
	u32 got_status; /* extents taken from a status reply */
	struct {
		u32 len, flags;
	} extent;
};

struct nbd {
	struct sock_addr addr;
	char *export;
	int fd;
	u64 bytes, next_handle;
	u16 flags;
	u32 min_block, max_block;
	bool structured, has_status, broken;
	u32 context;
	struct call *calls;
	bool reading;
	struct co_wait readers;
	struct co_lock sending;
};

static const char *const prefixes[] = { "nbd", "nbd+tcp", "nbd+unix", NULL };

/* ---- names ---- */

static char *unescape(const char *s, size_t len)
{
	char *out = alloc(len + 1), *at = out;
	for (size_t i = 0; i < len; i++) {
		unsigned v;
		if (s[i] == '%' && len - i > 2 && isxdigit((u8)s[i + 1]) && isxdigit((u8)s[i + 2]) &&
		    sscanf(s + i + 1, "%2x", &v) == 1) {
			*at++ = v;
			i += 2;
		} else {
			*at++ = s[i];
		}
	}
	return out;
}

static void set_owned(struct json *opts, const char *key, char *val)
{
	json_set(opts, key, json_str(val));
	free(val);
}

/* host[:port], [v6]:port */
static void parse_host(struct json *opts, const char *s, size_t len)
{
	const char *host = s, *colon = NULL;
	size_t host_len = len;
	if (len && *s == '[') {
		const char *end = memchr(s, ']', len);
		if (end) {
			host = s + 1;
			host_len = end - host;
			colon = end + 1 < s + len && end[1] == ':' ? end + 1 : NULL;
		}
	} else if ((colon = memchr(s, ':', len))) {
		host_len = colon - s;
	}
	set_owned(opts, "server.type", str_dup("inet"));
	set_owned(opts, "server.host", host_len ? unescape(host, host_len) : str_dup("localhost"));
	set_owned(opts, "server.port",
		  colon && colon + 1 < s + len ? unescape(colon + 1, s + len - colon - 1) : str_dup("10809"));
}

/* nbd://host:port/export, nbd+unix:///export?socket=path */
static struct err *parse_uri(const char *name, struct json *opts)
{
	bool local = strncmp(name, "nbd+unix:", 9) == 0;
	const char *p = strstr(name, "://") + 3, *query = strchr(p, '?');
	size_t len = query ? (size_t)(query - p) : strlen(p);
	const char *slash = memchr(p, '/', len);
	size_t host_len = slash ? (size_t)(slash - p) : len;
	const char *socket = query && strncmp(query + 1, "socket=", 7) == 0 ? query + 8 : NULL;
	if (local && (!socket || host_len))
		return err_new(ERR_INVALID, "No valid URL specified");
	if (!local && query)
		return err_new(ERR_INVALID, "No valid URL specified");
	if (local) {
		set_owned(opts, "server.type", str_dup("unix"));
		set_owned(opts, "server.path", unescape(socket, strlen(socket)));
	} else {
		parse_host(opts, p, host_len);
	}
	if (slash && slash + 1 < p + len)
		set_owned(opts, "export", unescape(slash + 1, p + len - slash - 1));
	return NULL;
}

/* nbd:host:port[:exportname=x], nbd:unix:path[:exportname=x] */
static struct err *parse_name(const char *name, struct json *opts)
{
	if (strstr(name, "://"))
		return parse_uri(name, opts);
	const char *p = name + 4, *export = strstr(p, ":exportname=");
	size_t len = export ? (size_t)(export - p) : strlen(p);
	if (strncmp(name, "nbd:", 4) != 0)
		return err_new(ERR_INVALID, "File name string for new protocols must start with 'nbd:'");
	if (!len)
		return err_new(ERR_INVALID, "No valid URL specified");
	if (export)
		json_set(opts, "export", json_str(export + 12));
	if (len > 5 && strncmp(p, "unix:", 5) == 0) {
		set_owned(opts, "server.type", str_dup("unix"));
		set_owned(opts, "server.path", strf("%.*s", (int)len - 5, p + 5));
	} else {
		parse_host(opts, p, len);
	}
	return NULL;
}

/* ---- negotiation ---- */

static int send_opt(struct nbd *s, u32 opt, const void *data, u32 len)
{
	u8 h[16];
	struct iovec v;
	st_be64(h, NBD_OPT_MAGIC);
	st_be32(h + 8, opt);
	st_be32(h + 12, len);
	return sock_write2(s->fd, h, sizeof(h), iovs_one(&v, data, len));
}

struct opt_reply {
	u32 type, len;
	u8 *data;
};

static struct err *read_opt(struct nbd *s, u32 opt, struct opt_reply *ret)
{
	u8 h[20];
	int r = sock_read(s->fd, h, sizeof(h), NULL);
	if (r)
		return err_errno(-r, "failed to read option reply");
	ret->type = ld_be32(h + 12);
	ret->len = ld_be32(h + 16);
	if (ld_be64(h) != NBD_REP_MAGIC || ld_be32(h + 8) != opt)
		return err_new(ERR_CORRUPT, "Unexpected option reply magic");
	if (ret->len > MAX_REPLY_TEXT * 4)
		return err_new(ERR_CORRUPT, "option reply of %u bytes is too long", ret->len);
	free(ret->data);
	ret->data = alloc(ret->len + 1);
	r = sock_read(s->fd, ret->data, ret->len, NULL);
	return r ? err_errno(-r, "failed to read option reply") : NULL;
}

static void free_reply(struct opt_reply *r)
{
	free(r->data);
}

/* Structured replies and the allocation context: both a wish. */
static struct err *ask_extras(struct nbd *s)
{
	AUTO(free_reply) struct opt_reply r = { 0 };
	static const char context[] = "base:allocation";
	int bad = send_opt(s, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
	if (bad)
		return err_errno(-bad, "Failed to send option request");
	struct err *e = read_opt(s, NBD_OPT_STRUCTURED_REPLY, &r);
	if (e || r.type != NBD_REP_ACK)
		return e;
	s->structured = true;
	size_t n = strlen(s->export), c = strlen(context);
	AUTO(free_ptr) u8 *buf = alloc(12 + n + c);
	st_be32(buf, n);
	memcpy(buf + 4, s->export, n);
	st_be32(buf + 4 + n, 1);
	st_be32(buf + 8 + n, c);
	memcpy(buf + 12 + n, context, c);
	if ((bad = send_opt(s, NBD_OPT_SET_META, buf, 12 + n + c)))
		return err_errno(-bad, "Failed to send option request");
	while (!(e = read_opt(s, NBD_OPT_SET_META, &r)) && r.type == NBD_REP_META)
		if (r.len == 4 + c && memcmp(r.data + 4, context, c) == 0) {
			s->has_status = true;
			s->context = ld_be32(r.data);
		}
	return e;
}

static struct err *export_name(struct nbd *s, bool no_zeroes)
{
	u8 h[134];
	int r = send_opt(s, NBD_OPT_EXPORT_NAME, s->export, strlen(s->export));
	if (!r)
		r = sock_read(s->fd, h, no_zeroes ? 10 : sizeof(h), NULL);
	if (r)
		return err_errno(-r, "Failed to read export length");
	s->bytes = ld_be64(h);
	s->flags = ld_be16(h + 8);
	return NULL;
}

static struct err *go(struct nbd *s, bool no_zeroes)
{
	AUTO(free_reply) struct opt_reply r = { 0 };
	size_t n = strlen(s->export);
	AUTO(free_ptr) u8 *buf = alloc(8 + n);
	st_be32(buf, n);
	memcpy(buf + 4, s->export, n);
	st_be16(buf + 4 + n, 1);
	st_be16(buf + 6 + n, NBD_INFO_BLOCK_SIZE);
	int bad = send_opt(s, NBD_OPT_GO, buf, 8 + n);
	if (bad)
		return err_errno(-bad, "Failed to send option request");
	for (;;) {
		struct err *e = read_opt(s, NBD_OPT_GO, &r);
		if (e)
			return e;
		if (r.type == NBD_REP_ACK)
			return NULL;
		if (r.type == NBD_REP_ERR(NBD_ERR_UNSUP))
			return export_name(s, no_zeroes);
		if (r.type == NBD_REP_ERR(NBD_ERR_UNKNOWN))
			return err_hint(err_new(ERR_NOT_FOUND, "Requested export not available"),
					"server reported: %s", (char *)r.data);
		if (r.type == NBD_REP_ERR(NBD_ERR_TLS_REQD))
			return err_new(ERR_UNSUPPORTED, "Server requires TLS, which is not supported");
		if (r.type >> 31)
			return err_new(ERR_IO, "Server refused the export (error %#x)", r.type);
		if (r.type != NBD_REP_INFO || r.len < 2)
			return err_new(ERR_CORRUPT, "unexpected reply type %u to NBD_OPT_GO", r.type);
		u16 what = ld_be16(r.data);
		if (what == NBD_INFO_EXPORT && r.len == 12) {
			s->bytes = ld_be64(r.data + 2);
			s->flags = ld_be16(r.data + 10);
		} else if (what == NBD_INFO_BLOCK_SIZE && r.len == 14) {
			s->min_block = ld_be32(r.data + 2);
			s->max_block = ld_be32(r.data + 10);
			if (!s->min_block || (s->min_block & (s->min_block - 1)) || s->min_block > 65536)
				return err_new(
				    ERR_CORRUPT,
				    "server's minimum block size %u is not a power of two up to 64k",
				    s->min_block);
		}
	}
}

static struct err *negotiate(struct nbd *s)
{
	u8 h[18];
	int r = sock_read(s->fd, h, sizeof(h), NULL);
	if (r)
		return err_errno(-r, "Failed to read initial magic");
	if (ld_be64(h) != NBD_MAGIC)
		return err_new(ERR_CORRUPT, "Bad initial magic received: 0x%llx",
			       (unsigned long long)ld_be64(h));
	if (ld_be64(h + 8) != NBD_OPT_MAGIC)
		return err_new(ERR_UNSUPPORTED,
			       "Server speaks the oldstyle protocol, which is not supported");
	u16 theirs = ld_be16(h + 16);
	u32 mine = (theirs & NBD_FIXED_NEWSTYLE) | (theirs & NBD_NO_ZEROES);
	u8 out[4];
	st_be32(out, mine);
	if ((r = sock_write(s->fd, out, 4)))
		return err_errno(-r, "Failed to send client flags");
	if (!(theirs & NBD_FIXED_NEWSTYLE))
		return export_name(s, theirs & NBD_NO_ZEROES);
	struct err *e = ask_extras(s);
	return e ? e : go(s, theirs & NBD_NO_ZEROES);
}

/* ---- requests ---- */

static struct call *find(struct nbd *s, u64 handle)
{
	struct call *c = s->calls;
	while (c && c->handle != handle)
		c = c->next;
	return c;
}

static int local_errno(u32 error)
{
	return error == 1 || error == 5 || error == 12 || error == 28 || error == 95 || error == 75 ||
		       error == 108
		   ? -(int)error
		   : -EINVAL;
}

/* A part of a read's bytes; the server's offsets are checked. */
static int take_data(struct nbd *s, struct call *c, u64 offset, u32 len, bool hole)
{
	if (offset < c->offset || offset - c->offset > c->iov.len || len > c->iov.len - (offset - c->offset))
		return -EPROTO;
	struct iovs part = iovs_cut(c->iov, offset - c->offset, len);
	if (!hole)
		return sock_readv(s->fd, part);
	iovs_fill(part, 0);
	return 0;
}

static int skip(struct nbd *s, u32 len)
{
	u8 buf[512];
	int r = 0;
	for (; len && !r; len -= MIN(len, (u32)sizeof(buf)))
		r = sock_read(s->fd, buf, MIN(len, (u32)sizeof(buf)), NULL);
	return r;
}

static int read_chunk(struct nbd *s)
{
	u8 h[16], x[20];
	int r = sock_read(s->fd, h, 16, NULL);
	if (r)
		return r;
	u16 flags = ld_be16(h), type = ld_be16(h + 2);
	u32 len = ld_be32(h + 12);
	struct call *c = find(s, ld_be64(h + 4));
	if (!c || len > NBD_MAX_DATA + 64)
		return -EPROTO;
	if (type == NBD_CHUNK_NONE) {
		r = len ? -EPROTO : 0;
	} else if (type == NBD_CHUNK_DATA && len > 8) {
		r = sock_read(s->fd, x, 8, NULL);
		if (!r)
			r = take_data(s, c, ld_be64(x), len - 8, false);
	} else if (type == NBD_CHUNK_HOLE && len == 12) {
		r = sock_read(s->fd, x, 12, NULL);
		if (!r)
			r = take_data(s, c, ld_be64(x), ld_be32(x + 8), true);
	} else if (type == NBD_CHUNK_STATUS && len >= 12 && !((len - 4) % 8)) {
		r = sock_read(s->fd, x, 12, NULL);
		if (!r && ld_be32(x) == s->context) {
			c->extent.len = ld_be32(x + 4);
			c->extent.flags = ld_be32(x + 8);
			c->got_status = 1;
		}
		if (!r)
			r = skip(s, len - 12);
	} else if (type >> 15 && len >= 6) {
		r = sock_read(s->fd, x, 6, NULL);
		if (!r && !c->result)
			c->result = local_errno(ld_be32(x));
		if (!r)
			r = skip(s, len - 6);
	} else {
		return -EPROTO;
	}
	if (flags & NBD_CHUNK_DONE)
		c->done = true;
	return r;
}

static int read_reply(struct nbd *s)
{
	u8 h[16];
	int r = sock_read(s->fd, h, 4, NULL);
	if (r)
		return r;
	if (ld_be32(h) == NBD_CHUNK_MAGIC && s->structured)
		return read_chunk(s);
	if (ld_be32(h) != NBD_REPLY_MAGIC)
		return -EPROTO;
	if ((r = sock_read(s->fd, h + 4, 12, NULL)))
		return r;
	struct call *c = find(s, ld_be64(h + 8));
	if (!c)
		return -EPROTO;
	if (ld_be32(h + 4))
		c->result = local_errno(ld_be32(h + 4));
	else if (c->iov.len)
		r = sock_readv(s->fd, c->iov);
	c->done = true;
	return r;
}

/* Whoever waits reads replies for all until its own has come. */
static void wait_for(struct nbd *s, struct call *c)
{
	while (!c->done && !s->broken) {
		if (s->reading) {
			co_wait(&s->readers);
			continue;
		}
		s->reading = true;
		if (read_reply(s))
			s->broken = true;
		s->reading = false;
		co_wake_all(&s->readers);
	}
	if (!c->done)
		c->result = -EIO;
}

static int call(struct nbd *s, u16 type, u16 flags, u64 offset, u32 len, struct iovs data, struct call *c)
{
	u8 h[28];
	if (s->broken)
		return -EIO;
	c->handle = ++s->next_handle;
	c->offset = offset;
	st_be32(h, NBD_REQUEST_MAGIC);
	st_be16(h + 4, flags);
	st_be16(h + 6, type);
	st_be64(h + 8, c->handle);
	st_be64(h + 16, offset);
	st_be32(h + 24, len);
	c->next = s->calls;
	s->calls = c;
	co_lock(&s->sending);
	int r = sock_write2(s->fd, h, sizeof(h), data);
	co_unlock(&s->sending);
	if (r)
		s->broken = true;
	wait_for(s, c);
	struct call **at = &s->calls;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	return c->result;
}

static u32 limit(const struct nbd *s)
{
	return s->max_block ? MIN(s->max_block, (u32)NBD_MAX_DATA) : NBD_MAX_DATA;
}

static int preadv_nbd(struct blk_node *node, u64 offset, struct iovs iov, u32 flags UNUSED)
{
	struct nbd *s = node->state;
	for (size_t done = 0; done < iov.len;) {
		size_t len = MIN(iov.len - done, (size_t)limit(s));
		u64 at = offset + done;
		if (at >= s->bytes) {
			iovs_fill(iovs_cut(iov, done, iov.len - done), 0);
			return 0;
		}
		if (len > s->bytes - at) {
			iovs_fill(iovs_cut(iov, done + (s->bytes - at), len - (s->bytes - at)), 0);
			len = s->bytes - at;
		}
		struct call c = { .iov = iovs_cut(iov, done, len) };
		int r = call(s, NBD_CMD_READ, 0, at, len, (struct iovs){ 0 }, &c);
		if (r)
			return r;
		done += len;
	}
	return 0;
}

static int pwritev_nbd(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	struct nbd *s = node->state;
	if (s->flags & NBD_READ_ONLY)
		return -EPERM;
	if (offset > s->bytes || iov.len > s->bytes - offset)
		return -ENOSPC;
	bool fua = (flags & BLK_REQ_FUA) && (s->flags & NBD_SEND_FUA);
	for (size_t done = 0; done < iov.len;) {
		size_t len = MIN(iov.len - done, (size_t)limit(s));
		struct call c = { 0 };
		int r = call(s, NBD_CMD_WRITE, fua ? NBD_FLAG_FUA : 0, offset + done, len,
			     iovs_cut(iov, done, len), &c);
		if (r)
			return r;
		done += len;
	}
	return 0;
}

static int plain(struct nbd *s, u16 type, u16 flags, u64 offset, u64 len)
{
	do {
		struct call c = { 0 };
		u32 part = MIN(len, (u64)1 << 30);
		int r = call(s, type, flags, offset, part, (struct iovs){ 0 }, &c);
		if (r)
			return r;
		offset += part;
		len -= part;
	} while (len);
	return 0;
}

static int zero(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	struct nbd *s = node->state;
	if (!(s->flags & NBD_SEND_WRITE_ZEROES))
		return -ENOTSUP;
	if (offset > s->bytes || len > s->bytes - offset)
		return -ENOSPC;
	if ((flags & BLK_REQ_NO_FALLBACK) && !(s->flags & NBD_SEND_FAST_ZERO))
		return -ENOTSUP;
	return plain(s, NBD_CMD_WRITE_ZEROES,
		     (flags & BLK_REQ_MAY_UNMAP ? 0 : NBD_FLAG_NO_HOLE) |
			 (flags & BLK_REQ_NO_FALLBACK ? NBD_FLAG_FAST_ZERO : 0),
		     offset, len);
}

static int discard(struct blk_node *node, u64 offset, u64 len)
{
	struct nbd *s = node->state;
	return s->flags & NBD_SEND_TRIM ? plain(s, NBD_CMD_TRIM, 0, offset, len) : -ENOTSUP;
}

static int flush(struct blk_node *node)
{
	struct nbd *s = node->state;
	return s->flags & NBD_SEND_FLUSH ? plain(s, NBD_CMD_FLUSH, 0, 0, 0) : 0;
}

static int map(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	struct nbd *s = node->state;
	*ret = (struct blk_extent){ .where = BLK_DATA, .file = node, .offset = offset, .len = len };
	if (offset >= s->bytes) {
		ret->where = BLK_ZERO;
		return 0;
	}
	len = MIN(len, s->bytes - offset);
	if (!s->has_status || s->broken)
		return 0;
	struct call c = { 0 };
	int r = call(s, NBD_CMD_BLOCK_STATUS, NBD_FLAG_REQ_ONE, offset, MIN(len, (u64)1 << 30),
		     (struct iovs){ 0 }, &c);
	if (r || !c.got_status || !c.extent.len)
		return r ? r : -EPROTO;
	ret->len = MIN((u64)c.extent.len, len);
	if (c.extent.flags & NBD_STATE_ZERO) {
		ret->where = BLK_ZERO;
		ret->has_offset = true;
	}
	return 0;
}

/* ---- opening ---- */

static struct err *take_address(struct nbd *s, struct json *opts)
{
	AUTO(free_ptr) char *type = blk_take_str(opts, "server.type");
	AUTO(free_ptr)
	char *creds = blk_take_str(opts, "tls-creds"), *delay = blk_take_str(opts, "reconnect-delay"),
	     *timeout = blk_take_str(opts, "open-timeout");
	s->addr.path = blk_take_str(opts, "server.path");
	s->addr.host = blk_take_str(opts, "server.host");
	s->addr.port = blk_take_str(opts, "server.port");
	if (!s->addr.path)
		s->addr.path = blk_take_str(opts, "path");
	if (!s->addr.host)
		s->addr.host = blk_take_str(opts, "host");
	if (!s->addr.port)
		s->addr.port = blk_take_str(opts, "port");
	s->export = blk_take_str(opts, "export");
	if (!s->export)
		s->export = str_dup("");
	if (strlen(s->export) > NBD_MAX_NAME)
		return err_new(ERR_INVALID, "export name too long to send to server");
	if (creds)
		return err_new(ERR_UNSUPPORTED, "TLS is not supported by the NBD client");
	if ((delay && strcmp(delay, "0") != 0) || (timeout && strcmp(timeout, "0") != 0))
		return err_new(ERR_UNSUPPORTED,
			       "reconnect-delay and open-timeout are not supported by the NBD client");
	if (s->addr.path && s->addr.host)
		return err_new(ERR_INVALID, "path and host may not be used at the same time");
	if (!s->addr.path && !s->addr.host)
		return err_new(ERR_INVALID, s->addr.port ? "port may not be used without host"
							 : "NBD server address missing");
	if (!s->addr.path && !s->addr.port)
		s->addr.port = str_dup("10809");
	return NULL;
}

static void close_nbd(struct blk_node *node)
{
	struct nbd *s = node->state;
	if (s->fd >= 0 && !s->broken) {
		u8 h[28] = { 0 };
		st_be32(h, NBD_REQUEST_MAGIC);
		st_be16(h + 6, NBD_CMD_DISC);
		sock_write(s->fd, h, sizeof(h));
	}
	if (s->fd >= 0)
		close(s->fd);
	sock_addr_free(&s->addr);
	free(s->export);
}

static struct err *open_nbd(struct blk_node *node, struct json *opts, u32 flags)
{
	struct nbd *s = node->state;
	s->fd = -1;
	struct err *e = take_address(s, opts);
	if (!e)
		e = sock_connect(&s->addr, &s->fd);
	if (!e)
		e = negotiate(s);
	if (!e && (s->flags & NBD_READ_ONLY) && (flags & BLK_RDWR)) {
		if (flags & BLK_AUTO_RDONLY)
			node->flags &= ~(u32)BLK_RDWR;
		else
			e = err_new(ERR_DENIED, "request on write denied without write permission");
	}
	if (!e && s->bytes > INT64_MAX - 512)
		e = err_new(ERR_CORRUPT, "server's export of %llu bytes is too large",
			    (unsigned long long)s->bytes);
	if (e) {
		s->broken = true;
		close_nbd(node);
		return e;
	}
	node->size = ROUND_UP(s->bytes, 512ull);
	node->align = MAX(s->min_block, 1u);
	return NULL;
}

static u64 disk_size(struct blk_node *node UNUSED)
{
	return ~0ull;
}

BLK_DRIVER(nbd) = {
	.name = "nbd",
	.summary = "a disk that an NBD server exports",
	.spec = "doc/proto.md of the NetworkBlockDevice project",
	.kind = BLK_TRANSPORT,
	.state_size = sizeof(struct nbd),
	.prefixes = prefixes,
	.parse_name = parse_name,
	.open = open_nbd,
	.close = close_nbd,
	.preadv = preadv_nbd,
	.pwritev = pwritev_nbd,
	.zero = zero,
	.discard = discard,
	.flush = flush,
	.map = map,
	.disk_size = disk_size,
};
