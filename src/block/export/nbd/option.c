/* Specification: doc/proto.md of the NetworkBlockDevice project: handshake phase. */
#include "block/export/nbd/client.h"
#include <errno.h>

struct option {
	u32 id, len;
	const u8 *data;
};

static int reply(struct nbd_client *c, u32 opt, u32 type, const void *data, u32 len)
{
	u8 h[20];
	struct iovec v;
	st_be64(h, NBD_REP_MAGIC);
	st_be32(h + 8, opt);
	st_be32(h + 12, type);
	st_be32(h + 16, len);
	return chan_write(&c->chan, h, sizeof(h), iovs_one(&v, data, len));
}

static int refuse(struct nbd_client *c, u32 opt, u32 error, const char *text)
{
	return reply(c, opt, NBD_REP_ERR(error), text, strlen(text));
}

static int ack(struct nbd_client *c, u32 opt)
{
	return reply(c, opt, NBD_REP_ACK, NULL, 0);
}

static struct nbd_export *find(struct nbd_server *s, const char *name)
{
	struct nbd_export *x = s->exports;
	while (x && strcmp(x->name, name) != 0)
		x = x->next;
	return x;
}

static int refuse_name(struct nbd_client *c, u32 opt, const char *name)
{
	AUTO(free_ptr)
	char *text = strf("export '%.80s%s' not present", name, strlen(name) > 80 ? "..." : "");
	return refuse(c, opt, NBD_ERR_UNKNOWN, text);
}

u16 nbd_export_flags(const struct nbd_export *x, bool structured)
{
	u16 f = NBD_HAS_FLAGS | NBD_SEND_FLUSH | NBD_SEND_FUA | NBD_SEND_CACHE;
	if (x->read_only)
		f |= NBD_READ_ONLY;
	else
		f |= NBD_SEND_TRIM | NBD_SEND_WRITE_ZEROES | NBD_SEND_FAST_ZERO;
	return f | (x->shared ? NBD_MULTI_CONN : 0) | (structured ? NBD_SEND_DF : 0);
}

static int opt_list(struct nbd_client *c, const struct option *o)
{
	if (o->len)
		return refuse(c, o->id, NBD_ERR_INVALID, "OPT_LIST should not have length");
	for (struct nbd_export *x = c->server->exports; x; x = x->next) {
		size_t n = strlen(x->name), d = x->description ? strlen(x->description) : 0;
		AUTO(free_ptr) u8 *buf = alloc(4 + n + d);
		st_be32(buf, n);
		memcpy(buf + 4, x->name, n);
		memcpy(buf + 4 + n, x->description ? x->description : "", d);
		int r = reply(c, o->id, NBD_REP_SERVER, buf, 4 + n + d);
		if (r)
			return r;
	}
	return ack(c, o->id);
}

static int send_info(struct nbd_client *c, u32 opt, u16 what, const void *data, u32 len)
{
	AUTO(free_ptr) u8 *buf = alloc(2 + len);
	st_be16(buf, what);
	memcpy(buf + 2, data, len);
	return reply(c, opt, NBD_REP_INFO, buf, 2 + len);
}

/* A name behind its 32-bit length at *pos; NULL when the data do not hold it, or it holds a zero byte. */
static char *take_name(const struct option *o, u32 *pos)
{
	if (o->len - *pos < 4)
		return NULL;
	u32 n = ld_be32(o->data + *pos);
	if (n > NBD_MAX_NAME || n > o->len - *pos - 4 || memchr(o->data + *pos + 4, 0, n))
		return NULL;
	char *name = strf("%.*s", (int)n, (const char *)o->data + *pos + 4);
	*pos += 4 + n;
	return name;
}

static int send_infos(struct nbd_client *c, const struct option *o, struct nbd_export *x, u32 pos)
{
	bool name = false, description = false, blocks = false;
	for (u16 i = 0, n = ld_be16(o->data + pos); i < n; i++) {
		u16 what = ld_be16(o->data + pos + 2 + i * 2);
		name |= what == NBD_INFO_NAME;
		description |= what == NBD_INFO_DESCRIPTION;
		blocks |= what == NBD_INFO_BLOCK_SIZE;
	}
	int r = name ? send_info(c, o->id, NBD_INFO_NAME, x->name, strlen(x->name)) : 0;
	if (!r && description && x->description)
		r = send_info(c, o->id, NBD_INFO_DESCRIPTION, x->description, strlen(x->description));
	u8 sizes[12], info[10];
	/* A client that does not ask for sizes may send whatever it likes, and is served as well. */
	u32 min = blocks ? x->min_block : 1;
	st_be32(sizes, min);
	st_be32(sizes + 4, MAX(4096u, min));
	st_be32(sizes + 8, NBD_MAX_DATA);
	if (!r)
		r = send_info(c, o->id, NBD_INFO_BLOCK_SIZE, sizes, sizeof(sizes));
	st_be64(info, x->size);
	st_be16(info + 8, nbd_export_flags(x, c->structured));
	return r ? r : send_info(c, o->id, NBD_INFO_EXPORT, info, sizeof(info));
}

static void choose(struct nbd_client *c, struct nbd_export *x)
{
	c->export = x;
	x->users++;
	if (c->meta != x) /* contexts of another export say nothing here */
		c->alloc = c->depth = false;
	if (c->meta != x) {
		free(c->bitmap);
		c->bitmap = NULL;
	}
}

/* INFO and GO. */
static int opt_go(struct nbd_client *c, const struct option *o)
{
	u32 pos = 0;
	AUTO(free_ptr) char *name = take_name(o, &pos);
	if (!name || o->len - pos < 2 || (o->len - pos - 2) / 2 < ld_be16(o->data + pos))
		return refuse(c, o->id, NBD_ERR_INVALID, "overall request too short");
	struct nbd_export *x = find(c->server, name);
	if (!x)
		return refuse_name(c, o->id, name);
	int r = send_infos(c, o, x, pos);
	/* The export may go while the client is slow to read. */
	if (!r && find(c->server, name) != x)
		return -ESHUTDOWN;
	if (!r && o->id == NBD_OPT_GO)
		choose(c, x);
	return r ? r : ack(c, o->id);
}

/* ---- contexts ---- */

static int send_context(struct nbd_client *c, u32 opt, u32 id, const char *name)
{
	size_t n = strlen(name);
	AUTO(free_ptr) u8 *buf = alloc(4 + n);
	st_be32(buf, opt == NBD_OPT_SET_META ? id : 0);
	memcpy(buf + 4, name, n);
	return reply(c, opt, NBD_REP_META, buf, 4 + n);
}

struct wanted {
	bool alloc, depth, *bitmap;
};

/* A query names a context; in a list also all that begin with it up to a colon. */
static bool asks(const char *query, const char *full, const char *space, bool list)
{
	return strcmp(query, full) == 0 || (list && strcmp(query, space) == 0);
}

static void take_query(const struct nbd_export *x, const char *q, bool list, struct wanted *w)
{
	w->alloc |= asks(q, "base:allocation", "base:", list);
	w->depth |= x->allocation_depth && asks(q, "qemu:allocation-depth", "qemu:", list);
	if (strncmp(q, "qemu:", 5) != 0)
		return;
	for (unsigned k = 0; k < x->n_bitmaps; k++) {
		AUTO(free_ptr) char *full = strf("qemu:dirty-bitmap:%s", x->bitmaps[k]->name);
		w->bitmap[k] |= asks(q, full, "qemu:", list) || asks(q, full, "qemu:dirty-bitmap:", list);
	}
}

static int send_contexts(struct nbd_client *c, u32 opt, const struct nbd_export *x, const struct wanted *w)
{
	int r = w->alloc ? send_context(c, opt, 0, "base:allocation") : 0;
	if (!r && w->depth)
		r = send_context(c, opt, 1, "qemu:allocation-depth");
	for (unsigned k = 0; k < x->n_bitmaps && !r; k++) {
		AUTO(free_ptr) char *full = strf("qemu:dirty-bitmap:%s", x->bitmaps[k]->name);
		if (w->bitmap[k])
			r = send_context(c, opt, 2 + k, full);
	}
	return r ? r : ack(c, opt);
}

static int opt_meta(struct nbd_client *c, const struct option *o)
{
	bool list = o->id == NBD_OPT_LIST_META;
	u32 pos = 0;
	AUTO(free_ptr) char *name = take_name(o, &pos);
	if (!c->structured)
		return refuse(c, o->id, NBD_ERR_INVALID,
			      "request option when structured reply is not negotiated");
	if (!name || o->len - pos < 4)
		return refuse(c, o->id, NBD_ERR_INVALID, "request too short");
	if (!list) { /* whatever comes of it: what was agreed on before is void */
		c->meta = NULL;
		c->alloc = c->depth = false;
	}
	struct nbd_export *x = find(c->server, name);
	if (!x)
		return refuse_name(c, o->id, name);
	u32 n = ld_be32(o->data + pos);
	pos += 4;
	struct wanted w = { .bitmap = alloc(x->n_bitmaps + 1) };
	if (list && !n) {
		w.alloc = true;
		w.depth = x->allocation_depth;
		memset(w.bitmap, 1, x->n_bitmaps);
	}
	for (u32 i = 0; i < n; i++) {
		AUTO(free_ptr) char *q = take_name(o, &pos);
		if (!q) {
			free(w.bitmap);
			return refuse(c, o->id, NBD_ERR_INVALID, "query does not fit the request");
		}
		take_query(x, q, list, &w);
	}
	int r = send_contexts(c, o->id, x, &w);
	if (list || find(c->server, name) != x) {
		free(w.bitmap);
		return r;
	}
	c->meta = x;
	c->alloc = w.alloc;
	c->depth = w.depth;
	free(c->bitmap);
	c->bitmap = w.bitmap;
	return r;
}

/* ---- the rest ---- */

static struct err *opt_export_name(struct nbd_client *c, const struct option *o)
{
	u8 h[134] = { 0 };
	AUTO(free_ptr) char *name = strf("%.*s", (int)MIN(o->len, (u32)NBD_MAX_NAME), (const char *)o->data);
	struct nbd_export *x = o->len <= NBD_MAX_NAME ? find(c->server, name) : NULL;
	if (!x) /* the old way has no words for it: the connection ends */
		return err_new(ERR_NOT_FOUND, "export not found");
	st_be64(h, x->size);
	st_be16(h + 8, nbd_export_flags(x, c->structured));
	choose(c, x);
	int r = chan_write(&c->chan, h, c->no_zeroes ? 10 : sizeof(h), (struct iovs){ 0 });
	return r ? err_errno(-r, "write failed") : NULL;
}

static struct err *check_identity(struct nbd_client *c)
{
	if (!c->server->identity)
		return NULL;
	AUTO(free_ptr) char *name = tls_peer_name(c->chan.tls);
	if (name && strcmp(name, c->server->identity) == 0)
		return NULL;
	return err_new(ERR_DENIED, "TLS x509 authz check for %s is denied",
		       name ? name : "a client without a certificate");
}

static struct err *opt_starttls(struct nbd_client *c, const struct option *o, int *ret)
{
	if (o->len)
		*ret = refuse(c, o->id, NBD_ERR_INVALID, "OPT_STARTTLS should not have length");
	else if (!c->server->creds)
		*ret = refuse(c, o->id, NBD_ERR_POLICY, "TLS not configured");
	else if (c->chan.tls)
		*ret = refuse(c, o->id, NBD_ERR_INVALID, "TLS already enabled");
	else if (!(*ret = ack(c, o->id))) {
		/* Nothing that was said in the clear counts. */
		c->structured = c->alloc = c->depth = false;
		c->meta = NULL;
		struct err *e = chan_start_tls(&c->chan, c->server->creds, NULL);
		return e ? e : check_identity(c);
	}
	return NULL;
}

static int opt_structured(struct nbd_client *c, const struct option *o)
{
	if (o->len)
		return refuse(c, o->id, NBD_ERR_INVALID, "OPT_STRUCTURED_REPLY should not have length");
	if (c->structured)
		return refuse(c, o->id, NBD_ERR_INVALID, "structured reply already negotiated");
	c->structured = true;
	return ack(c, o->id);
}

/* *ret: the connection's trouble while answering. */
static struct err *handle(struct nbd_client *c, const struct option *o, bool *quiet, int *ret)
{
	if (c->server->creds && !c->chan.tls && o->id != NBD_OPT_STARTTLS && o->id != NBD_OPT_ABORT) {
		if (o->id == NBD_OPT_EXPORT_NAME)
			return err_new(ERR_DENIED, "Option 0x%x not permitted before TLS", o->id);
		AUTO(free_ptr) char *text = strf("Option 0x%x not permitted before TLS", o->id);
		*ret = refuse(c, o->id, NBD_ERR_TLS_REQD, text);
		return NULL;
	}
	switch (o->id) {
	case NBD_OPT_EXPORT_NAME:
		return opt_export_name(c, o);
	case NBD_OPT_ABORT:
		*quiet = true;
		*ret = ack(c, o->id);
		return err_new(ERR_IO, "the client gave up");
	case NBD_OPT_LIST:
		*ret = opt_list(c, o);
		return NULL;
	case NBD_OPT_STARTTLS:
		return opt_starttls(c, o, ret);
	case NBD_OPT_INFO:
	case NBD_OPT_GO:
		*ret = opt_go(c, o);
		return NULL;
	case NBD_OPT_STRUCTURED_REPLY:
		*ret = opt_structured(c, o);
		return NULL;
	case NBD_OPT_LIST_META:
	case NBD_OPT_SET_META:
		*ret = opt_meta(c, o);
		return NULL;
	}
	AUTO(free_ptr) char *text = strf("Unsupported option %u", o->id);
	*ret = refuse(c, o->id, NBD_ERR_UNSUP, text);
	return NULL;
}

static struct err *broken(const struct nbd_client *c, int r, const char *what)
{
	const char *from = c->chan.tls ? "Cannot read from TLS channel" : "Unable to read from socket";
	if (r == -ENODATA || (r == -ECONNRESET && !c->chan.tls))
		return err_new(ERR_IO, "Failed to read %s: Unexpected end-of-file before all data were read",
			       what);
	return err_errno(-r, "Failed to read %s: %s", what, from);
}

static struct err *one_option(struct nbd_client *c, bool *quiet)
{
	u8 h[16];
	int r = chan_read(&c->chan, h, sizeof(h));
	if (r)
		return broken(c, r, "opts magic");
	struct option o = { .id = ld_be32(h + 8), .len = ld_be32(h + 12) };
	if (ld_be64(h) != NBD_OPT_MAGIC)
		return err_new(ERR_INVALID, "Bad magic received");
	if (o.len > NBD_MAX_DATA)
		return err_new(ERR_INVALID, "len (%u) is larger than max len (%u)", o.len, NBD_MAX_DATA);
	if (o.len > NBD_MAX_OPTION) {
		if ((r = chan_skip(&c->chan, o.len)))
			return broken(c, r, "option data");
		r = refuse(c, o.id, NBD_ERR_TOO_BIG, "option data too long");
		return r ? err_errno(-r, "write failed") : NULL;
	}
	AUTO(free_ptr) u8 *data = alloc(o.len + 1);
	o.data = data;
	if ((r = chan_read(&c->chan, data, o.len)))
		return broken(c, r, "option data");
	struct err *e = handle(c, &o, quiet, &r);
	return e ? e : r ? err_errno(-r, "Failed to write option reply") : NULL;
}

struct err *nbd_negotiate(struct nbd_client *c, bool *ret_quiet)
{
	u8 h[18], flags[4];
	st_be64(h, NBD_MAGIC);
	st_be64(h + 8, NBD_OPT_MAGIC);
	st_be16(h + 16, NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES);
	*ret_quiet = false;
	int r = chan_write(&c->chan, h, sizeof(h), (struct iovs){ 0 });
	if (r)
		return err_errno(-r, "write failed");
	if ((r = chan_read(&c->chan, flags, 4)))
		return broken(c, r, "flags");
	if (ld_be32(flags) & ~(u32)(NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES))
		return err_new(ERR_INVALID, "Unknown client flags 0x%x received", ld_be32(flags));
	c->no_zeroes = ld_be32(flags) & NBD_NO_ZEROES;
	struct err *e = NULL;
	for (unsigned n = 0; !e && !c->export; n++)
		e = n < NBD_MAX_OPTIONS
			? one_option(c, ret_quiet)
			: err_new(ERR_DENIED, "more than %d options without a choice", NBD_MAX_OPTIONS);
	return e;
}
