/* NBD in file names. Specification: doc/uri.md of the NetworkBlockDevice project; the older forms: qemu-block-drivers(7). */
#include "block/transport/nbd/client.h"
#include "block/nbd.h"

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* Percent-encoding undone; NULL when it is broken or hides a zero byte. */
static char *decode(const char *s, size_t len)
{
	char *out = alloc(len + 1), *at = out;
	for (size_t i = 0; i < len; i++) {
		if (s[i] != '%') {
			*at++ = s[i];
			continue;
		}
		int hi = len - i > 2 ? hex_digit(s[i + 1]) : -1, lo = hi >= 0 ? hex_digit(s[i + 2]) : -1;
		if (lo < 0 || !(hi | lo)) {
			free(out);
			return NULL;
		}
		*at++ = hi << 4 | lo;
		i += 2;
	}
	return out;
}

/* Takes the text over. False: there is none. */
static bool set(struct json *opts, const char *name, char *text)
{
	if (text)
		json_set(opts, name, json_str(text));
	free(text);
	return text;
}

/* "socket=...&tls-hostname=...": every word must be known. */
static bool parse_query(const char *q, bool is_unix, bool tls, struct json *opts)
{
	static const char *const tls_words[] = { "tls-certificates", "tls-psk-file", "tls-username",
						 "tls-hostname" };
	while (*q) {
		size_t n = strcspn(q, "&;"), name = strcspn(q, "=&;");
		bool ok = false;
		if (name < n && is_unix && name == 6 && strncmp(q, "socket", 6) == 0)
			ok = set(opts, "path", decode(q + 7, n - 7));
		for (unsigned i = 0; i < LEN(tls_words) && tls && name < n; i++)
			if (strlen(tls_words[i]) == name && strncmp(q, tls_words[i], name) == 0)
				ok = set(opts, tls_words[i], decode(q + name + 1, n - name - 1));
		if (!ok)
			return false;
		q += n + (q[n] != 0);
	}
	return true;
}

/* "host", "host:port", "[::1]:port" */
static bool parse_authority(const char *s, size_t len, struct json *opts)
{
	const char *end = s + len, *host = s, *host_end = memchr(s, ':', len), *after;
	const char *at = memchr(s, '@', len);
	if (at) { /* a user's name means nothing here */
		host = s = at + 1;
		host_end = memchr(s, ':', end - s);
	}
	if (s < end && *s == '[') {
		host_end = memchr(s, ']', end - s);
		if (!host_end)
			return false;
		host++;
		after = host_end + 1;
	} else {
		after = host_end = host_end ? host_end : end;
	}
	if (host == host_end || !set(opts, "host", decode(host, host_end - host)))
		return false;
	if (after == end)
		return true;
	if (*after != ':' || strspn(after + 1, "0123456789") < (size_t)(end - after - 1))
		return false;
	return after + 1 == end || set(opts, "port", decode(after + 1, end - after - 1));
}

static bool parse_uri(const char *name, struct json *opts)
{
	size_t scheme = strcspn(name, ":");
	const char *rest = name + scheme + 3;
	bool tls = strncmp(name, "nbds", 4) == 0,
	     is_unix = scheme > 5 && strncmp(name + scheme - 5, "+unix", 5) == 0;
	size_t authority = strcspn(rest, "/?#");
	const char *path = rest + authority, *query = path + strcspn(path, "?#");
	if (is_unix ? authority != 0 : !parse_authority(rest, authority, opts))
		return false;
	if (query > path + 1 && !set(opts, "export", decode(path + 1, query - path - 1)))
		return false;
	if (*query == '#' || !parse_query(*query ? query + 1 : query, is_unix, tls, opts))
		return false;
	if (tls)
		json_set(opts, "tls", json_bool(true));
	return !is_unix || json_get(opts, "path");
}

/* What stands behind "nbd:": unix:PATH or HOST:PORT, then :exportname=NAME. */
static struct err *parse_old(const char *text, struct json *opts)
{
	static const char mark[] = ":exportname=";
	const char *x = strstr(text, mark);
	size_t len = x ? (size_t)(x - text) : strlen(text);
	if (x && x[sizeof(mark) - 1])
		json_set(opts, "export", json_str(x + sizeof(mark) - 1));
	if (!len)
		return NULL; /* the address is missing: said when it is looked for */
	if (strncmp(text, "unix:", 5) == 0) {
		set(opts, "path", strf("%.*s", (int)(len - 5), text + 5));
		return NULL;
	}
	AUTO(free_ptr) char *address = strf("%.*s", (int)len, text);
	char *colon = strrchr(address, ':'), *host = address;
	if (!colon || colon == address || !colon[1])
		return err_new(ERR_INVALID, "error parsing address '%s'", address);
	*colon = 0;
	if (host[0] == '[' && colon[-1] == ']') {
		colon[-1] = 0;
		host++;
	}
	json_set(opts, "host", json_str(host));
	json_set(opts, "port", json_str(colon + 1));
	return NULL;
}

struct err *nbd_parse_name(const char *filename, struct json *opts)
{
	static const char *const address[] = { "host", "port", "path" };
	for (unsigned i = 0; i < LEN(address); i++)
		if (json_get(opts, address[i]))
			return err_new(ERR_INVALID,
				       "host/port/path and file names may not be specified at the same time");
	if (strstr(filename, "://"))
		return parse_uri(filename, opts) ? NULL : err_new(ERR_INVALID, "No valid URL specified");
	if (strncmp(filename, "nbd:", 4) != 0)
		return err_new(ERR_INVALID, "File name string for new protocols must start with 'nbd:'");
	return parse_old(filename + 4, opts);
}

char *nbd_make_name(const struct nbd_target *t)
{
	const char *x = t->export ? t->export : "";
	if (t->addr.path)
		return *x ? strf("nbd+unix:///%s?socket=%s", x, t->addr.path)
			  : strf("nbd+unix://?socket=%s", t->addr.path);
	bool six = t->addr.host && strchr(t->addr.host, ':');
	return strf("nbd://%s%s%s:%s%s%s", six ? "[" : "", t->addr.host ? t->addr.host : "", six ? "]" : "",
		    t->addr.port, *x ? "/" : "", x);
}
