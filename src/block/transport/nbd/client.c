/* Specification: doc/proto.md of the NetworkBlockDevice project: handshake, options. */
#include "block/transport/nbd/client.h"
#include "block/nbd.h"
#include <errno.h>
#include <unistd.h>

enum { MAX_REPLY = 64 << 10, MAX_EXPORTS = 10000, MAX_CONTEXTS = 1000, MAX_TEXT = 1024 };

struct reply {
	u32 type, len;
	u8 *data; /* with a zero byte behind it */
};

static const char *const option_names[] = { [NBD_OPT_EXPORT_NAME] = "export name",
					    [NBD_OPT_ABORT] = "abort",
					    [NBD_OPT_LIST] = "list",
					    [NBD_OPT_STARTTLS] = "starttls",
					    [NBD_OPT_INFO] = "info",
					    [NBD_OPT_GO] = "go",
					    [NBD_OPT_STRUCTURED_REPLY] = "structured reply",
					    [NBD_OPT_LIST_META] = "list meta context",
					    [NBD_OPT_SET_META] = "set meta context" };

void nbd_target_done(struct nbd_target *t)
{
	sock_addr_free(&t->addr);
	tls_creds_unref(t->creds);
	free(t->tls_hostname);
	free(t->export);
	free(t->context);
	*t = (struct nbd_target){ 0 };
}

void nbd_info_done(struct nbd_info *i)
{
	for (unsigned k = 0; k < i->n_contexts; k++)
		free(i->contexts[k]);
	free(i->contexts);
	free(i->name);
	free(i->description);
	*i = (struct nbd_info){ 0 };
}

static struct err *io_error(int r, const char *what)
{
	if (r == -ENODATA || r == -ECONNRESET)
		return err_new(ERR_IO, "Failed to read %s: Unexpected end-of-file before all data were read",
			       what);
	if (r == -ECONNABORTED)
		return err_errno(-r, "Failed to read %s: Cannot read from TLS channel", what);
	return err_errno(-r, "Failed to read %s", what);
}

static struct err *send_option(struct nbd_link *l, u32 opt, const void *data, u32 len)
{
	u8 h[16];
	struct iovec v;
	st_be64(h, NBD_OPT_MAGIC);
	st_be32(h + 8, opt);
	st_be32(h + 12, len);
	int r = chan_write(&l->chan, h, sizeof(h), iovs_one(&v, data, len));
	return r ? err_errno(-r, "Failed to send option request header") : NULL;
}

/* The answer's next part; its data are the caller's. */
static struct err *read_reply(struct nbd_link *l, u32 opt, struct reply *ret)
{
	u8 h[20];
	int r = chan_read(&l->chan, h, sizeof(h));
	if (r)
		return io_error(r, "option reply");
	u32 type = ld_be32(h + 12), len = ld_be32(h + 16);
	if (ld_be64(h) != NBD_REP_MAGIC)
		return err_new(ERR_CORRUPT, "Unexpected option reply magic");
	if (ld_be32(h + 8) != opt)
		return err_new(ERR_CORRUPT, "Unexpected option type %u, expected %u", ld_be32(h + 8), opt);
	if (len > MAX_REPLY)
		return err_new(ERR_CORRUPT, "option reply of %u bytes is too long", len);
	u8 *data = alloc(len + 1);
	r = chan_read(&l->chan, data, len);
	if (r) {
		free(data);
		return io_error(r, "option reply");
	}
	*ret = (struct reply){ type, len, data };
	return NULL;
}

/* A refusal, in words; what the server adds stands on a line of its own. */
static struct err *refusal(u32 opt, const struct reply *p)
{
	static const char *const texts[] = {
		[NBD_ERR_UNSUP] = "Unsupported option %u (%s)",
		[NBD_ERR_POLICY] = "Denied by server for option %u (%s)",
		[NBD_ERR_INVALID] = "Invalid parameters for option %u (%s)",
		[NBD_ERR_PLATFORM] = "Server lacks support for option %u (%s)",
		[NBD_ERR_TLS_REQD] = "TLS negotiation required before option %u (%s)",
		[NBD_ERR_UNKNOWN] = "Requested export not available",
		[NBD_ERR_SHUTDOWN] = "Server shutting down before option %u (%s)",
		[NBD_ERR_BLOCK_SIZE] = "Server requires INFO_BLOCK_SIZE for option %u (%s)",
		[NBD_ERR_TOO_BIG] = "Request too big for option %u (%s)",
	};
	u32 n = p->type & ~(u32)BIT(31);
	const char *fmt =
	    n < LEN(texts) && texts[n] ? texts[n] : "Unknown error code when asking for option %u (%s)";
	struct err *e = n == NBD_ERR_UNKNOWN ? err_new(ERR_NOT_FOUND, "Requested export not available")
					     : err_new(ERR_DENIED, fmt, opt, option_names[opt]);
	AUTO(free_ptr)
	char *said =
	    p->len ? strf("server reported: %.*s", (int)MIN(p->len, (u32)MAX_TEXT), (char *)p->data) : NULL;
	/* A terminal is not the server's to steer. */
	for (char *c = said; c && *c; c++)
		if ((u8)*c < 32 || *c == 127)
			*c = '?';
	const char *advice = n == NBD_ERR_TLS_REQD ? "Did you forget a valid tls-creds?" : NULL;
	if (advice && said)
		return err_hint(e, "%s\n%s", advice, said);
	return advice || said ? err_hint(e, "%s", advice ? advice : said) : e;
}

static bool is_error(const struct reply *p)
{
	return p->type & BIT(31);
}

/* An option without data that is granted or not. */
static struct err *ask(struct nbd_link *l, u32 opt, bool must, bool *ret_granted)
{
	struct reply p;
	struct err *e = send_option(l, opt, NULL, 0);
	if (!e)
		e = read_reply(l, opt, &p);
	if (e)
		return e;
	*ret_granted = p.type == NBD_REP_ACK;
	if (!*ret_granted && !is_error(&p))
		e = err_new(ERR_CORRUPT, "Unexpected reply type %u to option %u (%s)", p.type, opt,
			    option_names[opt]);
	else if (!*ret_granted && must)
		e = refusal(opt, &p);
	free(p.data);
	return e;
}

static struct err *begin(const struct nbd_target *t, struct nbd_link *l, bool *ret_fixed, bool *ret_old)
{
	u8 h[18], flags[4];
	int fd;
	struct err *e = sock_connect(&t->addr, &fd);
	if (e)
		return e;
	chan_init(&l->chan, fd);
	int r = chan_read(&l->chan, h, 16);
	if (r)
		return io_error(r, "initial magic");
	if (ld_be64(h) != NBD_MAGIC)
		return err_new(ERR_CORRUPT, "Bad initial magic received: 0x%016llx",
			       (unsigned long long)ld_be64(h));
	*ret_old = ld_be64(h + 8) == NBD_OLD_MAGIC;
	if (*ret_old)
		return NULL;
	if (ld_be64(h + 8) != NBD_OPT_MAGIC)
		return err_new(ERR_CORRUPT, "Bad server magic received: 0x%016llx",
			       (unsigned long long)ld_be64(h + 8));
	if ((r = chan_read(&l->chan, h + 16, 2)))
		return io_error(r, "server flags");
	u16 server = ld_be16(h + 16);
	*ret_fixed = server & NBD_FIXED_NEWSTYLE;
	l->options = *ret_fixed;
	st_be32(flags, server & (NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES));
	if ((r = chan_write(&l->chan, flags, 4, (struct iovs){ 0 })))
		return err_errno(-r, "Failed to send clientflags field");
	if (!t->creds)
		return NULL;
	if (!*ret_fixed)
		return err_new(ERR_UNSUPPORTED, "Server does not support STARTTLS");
	bool granted;
	if ((e = ask(l, NBD_OPT_STARTTLS, true, &granted)))
		return e;
	l->options = false;
	if ((e = chan_start_tls(&l->chan, t->creds, t->tls_hostname ? t->tls_hostname : t->addr.host)))
		return e;
	l->options = true;
	return NULL;
}

/* ---- INFO and GO ---- */

static void take_text(char **to, const struct reply *p)
{
	free(*to);
	*to = strf("%.*s", (int)MIN(p->len - 2, (u32)NBD_MAX_STRING), (char *)p->data + 2);
}

static struct err *take_info(struct nbd_info *i, const struct reply *p, bool *has_export)
{
	u16 what = p->len >= 2 ? ld_be16(p->data) : UINT16_MAX;
	const u8 *d = p->data + 2;
	switch (what) {
	case NBD_INFO_EXPORT:
		if (p->len != 12)
			break;
		i->size = ld_be64(d);
		i->flags = ld_be16(d + 8);
		*has_export = true;
		return i->size > INT64_MAX ? err_new(ERR_CORRUPT, "export size of %llu bytes is too large",
						     (unsigned long long)i->size)
					   : NULL;
	case NBD_INFO_BLOCK_SIZE:
		if (p->len != 14)
			break;
		i->min_block = ld_be32(d);
		i->opt_block = ld_be32(d + 4);
		i->max_block = ld_be32(d + 8);
		if (!i->min_block || i->min_block & (i->min_block - 1) || i->min_block > 64 << 10)
			return err_new(ERR_CORRUPT,
				       "server minimum block size %u is not a power of two up to 64 KiB",
				       i->min_block);
		if (i->opt_block & (i->opt_block - 1) || i->opt_block < i->min_block)
			return err_new(ERR_CORRUPT, "server preferred block size %u is not valid",
				       i->opt_block);
		if (i->max_block < i->min_block)
			return err_new(ERR_CORRUPT, "server maximum block size %u is not valid",
				       i->max_block);
		return NULL;
	case NBD_INFO_NAME:
		return NULL; /* a canonical name: the one that was asked for serves as well */
	case NBD_INFO_DESCRIPTION:
		take_text(&i->description, p);
		return NULL;
	default:
		if (p->len >= 2)
			return NULL;
	}
	return err_new(ERR_CORRUPT, "information of type %u has a length of %u", what, p->len);
}

/* *ret_known false: the server does not know the option. */
static struct err *info_or_go(struct nbd_link *l, u32 opt, const char *name, struct nbd_info *i,
			      bool *ret_known)
{
	size_t n = strlen(name);
	AUTO(free_ptr) u8 *req = alloc(n + 12);
	bool has_export = false;
	u16 items = opt == NBD_OPT_INFO ? 2 : 1;
	st_be32(req, n);
	memcpy(req + 4, name, n);
	st_be16(req + 4 + n, items);
	st_be16(req + 6 + n, NBD_INFO_BLOCK_SIZE);
	st_be16(req + 8 + n, NBD_INFO_DESCRIPTION);
	*ret_known = true;
	struct err *e = send_option(l, opt, req, 6 + n + 2 * items);
	for (unsigned parts = 0; !e; parts++) {
		struct reply p;
		if ((e = read_reply(l, opt, &p)))
			break;
		bool end = p.type == NBD_REP_ACK;
		if (end && !has_export) {
			e = err_new(ERR_CORRUPT, "broken server omitted the export's size");
		} else if (p.type == NBD_REP_ERR(NBD_ERR_UNSUP)) {
			*ret_known = false;
			end = true;
		} else if (is_error(&p)) {
			e = refusal(opt, &p);
		} else if (p.type == NBD_REP_INFO && parts < 1000) {
			e = take_info(i, &p, &has_export);
		} else if (!end) {
			e = err_new(ERR_CORRUPT, "Unexpected reply type %u to option %u (%s)", p.type, opt,
				    option_names[opt]);
		}
		free(p.data);
		if (end)
			break;
	}
	return e;
}

/* The way before GO: no word about errors but the connection's end. */
static struct err *export_name(struct nbd_link *l, const char *name, bool zeroes)
{
	u8 h[10];
	struct err *e = send_option(l, NBD_OPT_EXPORT_NAME, name, strlen(name));
	if (e)
		return e;
	int r = chan_read(&l->chan, h, sizeof(h));
	if (!r && zeroes)
		r = chan_skip(&l->chan, 124);
	if (r == -ENODATA)
		return err_new(ERR_NOT_FOUND, "Requested export not available");
	if (r)
		return io_error(r, "export length");
	l->info.size = ld_be64(h);
	l->info.flags = ld_be16(h + 8);
	return l->info.size > INT64_MAX ? err_new(ERR_CORRUPT, "export size is too large") : NULL;
}

static struct err *old_style(struct nbd_link *l, const struct nbd_target *t)
{
	u8 h[12];
	if (t->creds)
		return err_new(ERR_UNSUPPORTED, "Server does not support STARTTLS");
	int r = chan_read(&l->chan, h, sizeof(h));
	if (!r)
		r = chan_skip(&l->chan, 124);
	if (r)
		return io_error(r, "export length");
	l->info.size = ld_be64(h);
	l->info.flags = ld_be32(h + 8);
	if (ld_be32(h + 8) >> 16)
		return err_new(ERR_CORRUPT, "Unexpected export flags %#x", ld_be32(h + 8));
	if (t->export && *t->export)
		return err_new(ERR_NOT_FOUND, "Server does not support non-empty export names");
	return l->info.size > INT64_MAX ? err_new(ERR_CORRUPT, "export size is too large") : NULL;
}

/* ---- contexts ---- */

/* Asks for the context (SET) or for the names of all (LIST, context NULL). */
static struct err *contexts(struct nbd_link *l, u32 opt, const char *export, const char *context,
			    struct nbd_info *list)
{
	size_t n = strlen(export), q = context ? strlen(context) : 0;
	AUTO(free_ptr) u8 *req = alloc(n + q + 12);
	st_be32(req, n);
	memcpy(req + 4, export, n);
	st_be32(req + 4 + n, !!context);
	if (context) {
		st_be32(req + 8 + n, q);
		memcpy(req + 12 + n, context, q);
	}
	struct err *e = send_option(l, opt, req, 8 + n + (context ? 4 + q : 0));
	for (bool end = false; !e && !end;) {
		struct reply p;
		if ((e = read_reply(l, opt, &p)))
			break;
		bool one = p.type == NBD_REP_META && p.len >= 4;
		end = p.type == NBD_REP_ACK || is_error(&p); /* refused: then there are none */
		if (!one && !end)
			e = err_new(ERR_CORRUPT, "Unexpected reply type %u to option %u (%s)", p.type, opt,
				    option_names[opt]);
		else if (one && list && list->n_contexts >= MAX_CONTEXTS)
			e = err_new(ERR_CORRUPT, "the server lists more than %u contexts", MAX_CONTEXTS);
		else if (one && list) {
			list->contexts = realloc(list->contexts, (list->n_contexts + 1) * sizeof(char *));
			if (!list->contexts)
				abort();
			list->contexts[list->n_contexts++] = strf("%s", (char *)p.data + 4);
		} else if (one && (p.len - 4 != q || memcmp(p.data + 4, context, q) || l->has_context))
			e = err_new(ERR_CORRUPT, "the server offers a context that was not asked for");
		else if (one) {
			l->has_context = true;
			l->context_id = ld_be32(p.data);
		}
		free(p.data);
	}
	return e;
}

/* ---- the whole ---- */

static struct err *negotiate(const struct nbd_target *t, struct nbd_link *l)
{
	const char *name = t->export ? t->export : "";
	bool fixed, old, known = false;
	if (strlen(name) > NBD_MAX_NAME)
		return err_new(ERR_INVALID, "export name too long to send to server");
	struct err *e = begin(t, l, &fixed, &old);
	if (e || old)
		return e ? e : old_style(l, t);
	if (fixed)
		e = ask(l, NBD_OPT_STRUCTURED_REPLY, false, &l->structured);
	if (!e && fixed && l->structured && t->context)
		e = contexts(l, NBD_OPT_SET_META, name, t->context, NULL);
	if (!e && fixed)
		e = info_or_go(l, NBD_OPT_GO, name, &l->info, &known);
	if (!e && !known) {
		e = export_name(l, name, !fixed);
		l->info.min_block = 0;
	}
	return e;
}

/* No export is chosen: says so where the server understands it. */
static void give_up(struct nbd_link *l)
{
	struct err *e = l->options ? send_option(l, NBD_OPT_ABORT, NULL, 0) : NULL;
	err_free(e);
}

struct err *nbd_link_open(const struct nbd_target *t, struct nbd_link *ret)
{
	struct nbd_link l = { .chan.fd = -1 };
	struct err *e = negotiate(t, &l);
	if (e) {
		give_up(&l);
		nbd_link_close(&l);
		return e;
	}
	l.info.name = str_dup(t->export ? t->export : "");
	*ret = l;
	return NULL;
}

void nbd_link_close(struct nbd_link *l)
{
	if (l->chan.fd >= 0)
		chan_close(&l->chan);
	nbd_info_done(&l->info);
}

static struct err *list_names(struct nbd_link *l, struct nbd_info **list, size_t *n)
{
	size_t cap = 0;
	struct err *e = send_option(l, NBD_OPT_LIST, NULL, 0);
	for (bool end = false; !e && !end;) {
		struct reply p;
		if ((e = read_reply(l, NBD_OPT_LIST, &p)))
			break;
		u32 len = p.len >= 4 ? ld_be32(p.data) : 0;
		end = p.type == NBD_REP_ACK;
		if (is_error(&p)) {
			e = refusal(NBD_OPT_LIST, &p);
		} else if (p.type == NBD_REP_SERVER && p.len >= 4 && len <= p.len - 4 &&
			   len <= NBD_MAX_NAME && *n < MAX_EXPORTS) {
			*list = grow(*list, &cap, *n + 1, sizeof(**list));
			struct nbd_info *i = &(*list)[(*n)++];
			*i = (struct nbd_info){ .name = strf("%.*s", (int)len, (char *)p.data + 4) };
			if (p.len > 4 + len)
				i->description = strf("%.*s", (int)MIN(p.len - 4 - len, (u32)NBD_MAX_STRING),
						      (char *)p.data + 4 + len);
		} else if (!end) {
			e = err_new(ERR_CORRUPT, "incorrect answer to option %u (list)", NBD_OPT_LIST);
		}
		free(p.data);
	}
	return e;
}

static struct err *list_all(const struct nbd_target *t, struct nbd_link *l, struct nbd_info **list, size_t *n)
{
	bool fixed = false, old, known = true;
	struct err *e = begin(t, l, &fixed, &old);
	if (e)
		return e;
	if (old) {
		if ((e = old_style(l, t)))
			return e;
		*list = alloc(sizeof(**list));
		**list = l->info;
		(*list)->name = str_dup("");
		*n = 1;
		l->info = (struct nbd_info){ 0 };
		return NULL;
	}
	if (!fixed)
		return err_new(ERR_UNSUPPORTED, "Failed to list exports: the server does not know how");
	if ((e = ask(l, NBD_OPT_STRUCTURED_REPLY, false, &l->structured)) || (e = list_names(l, list, n)))
		return e;
	for (size_t k = 0; k < *n && known && !e; k++) {
		struct nbd_info *i = &(*list)[k];
		e = info_or_go(l, NBD_OPT_INFO, i->name, i, &known);
		if (!e && known && l->structured)
			e = contexts(l, NBD_OPT_LIST_META, i->name, NULL, i);
	}
	return e;
}

struct err *nbd_link_list(const struct nbd_target *t, struct nbd_info **ret, size_t *ret_n)
{
	struct nbd_link l = { .chan.fd = -1 };
	struct nbd_info *list = NULL;
	size_t n = 0;
	struct err *e = list_all(t, &l, &list, &n);
	give_up(&l);
	nbd_link_close(&l);
	if (!e) {
		*ret = list;
		*ret_n = n;
		return NULL;
	}
	for (size_t k = 0; k < n; k++)
		nbd_info_done(&list[k]);
	free(list);
	return e;
}
