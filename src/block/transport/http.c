//needs: curl
/*
 * http, https: a file of a web server, read in ranges by libcurl. Read-only.
 *
 * Transfers run on worker threads, a connection each, at most CONNECTIONS at once; connections are kept and used again. What is
 * read ahead stays for the requests that follow; whoever wants what is on its way already waits for it.
 *
 * Spec       RFC 9110, section 14 (range requests).
 * Options    url, readahead (256K; a multiple of 512), sslverify (on), timeout (5 s; 0: none), cookie, cookie-secret, username,
 *            password-secret, proxy-username, proxy-password-secret.
 */
#include "block/blk.h"
#include "block/object.h"
#include "base/coroutine.h"
#include "base/lib.h"
#include "base/loop/loop.h"
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>

enum { CONNECTIONS = 8, READAHEAD = 256 << 10, MAX_READAHEAD = 64 << 20, TIMEOUT = 5, MAX_TIMEOUT = 10000 };

/* A connection, and what came over it last. */
struct fetch {
	CURL *curl;
	u64 from, want; /* the range asked for */
	u8 *buf;
	size_t room, have;
	bool busy, valid;
	int result;
	u64 used; /* when it was of use last: a counter */
	char error[CURL_ERROR_SIZE];
	struct co_wait arrived;
};

struct http {
	char *url, *cookie, *username, *password, *proxy_username, *proxy_password;
	u64 readahead, timeout;
	u64 bytes; /* what the server has; the last sector may be longer */
	bool verify, ranges;
	u64 clock;
	struct fetch fetches[CONNECTIONS];
	struct co_wait free; /* for a connection */
};

static const char *const http_prefixes[] = { "http", NULL };
static const char *const https_prefixes[] = { "https", NULL };

static struct err *parse_name(const char *name, struct json *opts)
{
	json_set(opts, "url", json_str(name));
	return NULL;
}

/* ---- connections ---- */

/* What libcurl keeps for the whole process, and its functions. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_there;
static struct {
	typeof(curl_global_init) *global_init;
	typeof(curl_easy_init) *easy_init;
	typeof(curl_easy_setopt) *easy_setopt;
	typeof(curl_easy_perform) *easy_perform;
	typeof(curl_easy_getinfo) *easy_getinfo;
	typeof(curl_easy_strerror) *easy_strerror;
	typeof(curl_easy_cleanup) *easy_cleanup;
} curl;

static void start_curl(void)
{
	static const struct lib_function list[] = {
		{ "curl_global_init", &curl.global_init },   { "curl_easy_init", &curl.easy_init },
		{ "curl_easy_setopt", &curl.easy_setopt },   { "curl_easy_perform", &curl.easy_perform },
		{ "curl_easy_getinfo", &curl.easy_getinfo }, { "curl_easy_strerror", &curl.easy_strerror },
		{ "curl_easy_cleanup", &curl.easy_cleanup }, { NULL },
	};
	struct err *e = lib_load("libcurl.so.4", list);
	is_there = !e && curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
	err_free(e);
}

static void set_str(CURL *c, CURLoption option, const char *text)
{
	if (text)
		curl.easy_setopt(c, option, text);
}

static struct err *connect_one(struct http *s, struct fetch *f)
{
	if (f->curl)
		return NULL;
	pthread_once(&once, start_curl);
	CURL *c = f->curl = is_there ? curl.easy_init() : NULL;
	if (!c)
		return err_new(ERR_IO, "libcurl could not be loaded");
	curl.easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl.easy_setopt(c, CURLOPT_ERRORBUFFER, f->error);
	curl.easy_setopt(c, CURLOPT_FAILONERROR, 1L);
	curl.easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
	curl.easy_setopt(c, CURLOPT_MAXREDIRS, 10L);
	curl.easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl.easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	curl.easy_setopt(c, CURLOPT_SSL_VERIFYPEER, (long)s->verify);
	curl.easy_setopt(c, CURLOPT_SSL_VERIFYHOST, s->verify ? 2L : 0L);
	curl.easy_setopt(c, CURLOPT_TIMEOUT, (long)s->timeout);
	if (curl.easy_setopt(c, CURLOPT_URL, s->url))
		return err_new(ERR_INVALID, "libcurl does not take the URL '%s'", s->url);
	set_str(c, CURLOPT_COOKIE, s->cookie);
	set_str(c, CURLOPT_USERNAME, s->username);
	set_str(c, CURLOPT_PASSWORD, s->password);
	set_str(c, CURLOPT_PROXYUSERNAME, s->proxy_username);
	set_str(c, CURLOPT_PROXYPASSWORD, s->proxy_password);
	return NULL;
}

/* ---- reading a range: on a worker ---- */

/* More than was asked for ends the transfer: the server does not know ranges after all. */
static size_t take(char *data, size_t size, size_t n, void *arg)
{
	struct fetch *f = arg;
	size_t len = size * n;
	if (len > f->want - f->have)
		return 0;
	memcpy(f->buf + f->have, data, len);
	f->have += len;
	return len;
}

static int transfer(void *arg)
{
	struct fetch *f = arg;
	long status = 0;
	AUTO(free_ptr)
	char *range =
	    strf("%llu-%llu", (unsigned long long)f->from, (unsigned long long)(f->from + f->want - 1));
	f->have = 0;
	f->error[0] = 0;
	curl.easy_setopt(f->curl, CURLOPT_RANGE, range);
	curl.easy_setopt(f->curl, CURLOPT_WRITEFUNCTION, take);
	curl.easy_setopt(f->curl, CURLOPT_WRITEDATA, f);
	CURLcode r = curl.easy_perform(f->curl);
	curl.easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 200) {
		snprintf(f->error, sizeof(f->error), "the server sent the whole file for the range %s",
			 range);
		return -EIO;
	}
	if (r == CURLE_OPERATION_TIMEDOUT)
		return -ETIMEDOUT;
	if (r == CURLE_OK && f->have == f->want)
		return 0;
	if (r == CURLE_OK || !f->error[0])
		snprintf(f->error, sizeof(f->error), "got %zu of %llu bytes of the range %s", f->have,
			 (unsigned long long)f->want, range);
	return -EIO;
}

/* ---- requests ---- */

static bool covers(const struct fetch *f, u64 offset)
{
	return (f->busy || f->valid) && offset >= f->from && offset < f->from + f->want;
}

/* The connection that has the byte, or gets it; else one that is free, the one whose bytes are the oldest. */
static struct fetch *pick(struct http *s, u64 offset)
{
	struct fetch *best = NULL;
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		struct fetch *f = &s->fetches[i];
		if (covers(f, offset))
			return f;
		if (!f->busy && (!best || f->used < best->used))
			best = f;
	}
	return best;
}

static bool make_room(struct fetch *f, size_t want)
{
	if (f->room >= want)
		return true;
	free(f->buf);
	f->buf = try_alloc(want);
	f->room = f->buf ? want : 0;
	return f->buf;
}

static int fill(struct blk_node *node, struct fetch *f, u64 offset, size_t len)
{
	struct http *s = node->state;
	struct err *e = connect_one(s, f);
	f->from = offset;
	f->want = MIN(MAX((u64)len, s->readahead), s->bytes - offset);
	f->valid = false;
	if (e || !make_room(f, f->want)) {
		bool lacks = !e;
		err_free(e);
		return lacks ? -ENOMEM : -EIO;
	}
	f->busy = true;
	int r = work_run(transfer, f);
	f->busy = false;
	f->valid = !r;
	f->result = r;
	if (r)
		blk_say(node, "curl: %s: %s", s->url, f->error[0] ? f->error : "no answer in time");
	co_wake_all(&f->arrived);
	co_wake(&s->free);
	return r;
}

/* As much of the range as one connection has: *ret_len bytes. */
static int read_some(struct blk_node *node, u64 offset, struct iovs iov, size_t *ret_len)
{
	struct http *s = node->state;
	struct fetch *f;
	while (!(f = pick(s, offset)))
		co_wait(&s->free);
	if (f->busy) {
		co_wait(&f->arrived);
		*ret_len = 0; /* look again */
		return f->result;
	}
	int r = covers(f, offset) ? 0 : fill(node, f, offset, iov.len);
	if (r)
		return r;
	f->used = ++s->clock;
	*ret_len = MIN(iov.len, f->from + f->want - offset);
	iovs_from_buf(iovs_cut(iov, 0, *ret_len), f->buf + (offset - f->from));
	return 0;
}

static int preadv_http(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	u64 bytes = ((struct http *)node->state)->bytes;
	int r = 0;
	if (offset + iov.len > bytes) {
		size_t part = offset < bytes ? bytes - offset : 0;
		iovs_fill(iovs_cut(iov, part, iov.len - part), 0);
		iov = iovs_cut(iov, 0, part);
	}
	for (size_t done = 0, len; done < iov.len && !r; done += len) {
		len = 0;
		r = read_some(node, offset + done, iovs_cut(iov, done, iov.len - done), &len);
	}
	return r;
}

/* ---- opening ---- */

static size_t look_for_ranges(char *line, size_t size, size_t n, void *arg)
{
	static const char name[] = "accept-ranges:";
	struct http *s = arg;
	AUTO(free_ptr) char *text = strf("%.*s", (int)(size * n), line);
	if (strncmp(text, "HTTP/", 5) == 0) /* after a redirection only the last answer counts */
		s->ranges = false;
	if (strncasecmp(text, name, sizeof(name) - 1) == 0)
		s->ranges = strncasecmp(text + sizeof(name) - 1 + strspn(text + sizeof(name) - 1, " \t"),
					"bytes", 5) == 0;
	return size * n;
}

static int ask(void *arg)
{
	return curl.easy_perform(arg);
}

static struct err *find_size(struct blk_node *node)
{
	struct http *s = node->state;
	struct fetch *f = &s->fetches[0];
	struct err *e = connect_one(s, f);
	if (e)
		return e;
	curl_off_t size = -1;
	curl.easy_setopt(f->curl, CURLOPT_NOBODY, 1L);
	curl.easy_setopt(f->curl, CURLOPT_HEADERFUNCTION, look_for_ranges);
	curl.easy_setopt(f->curl, CURLOPT_HEADERDATA, s);
	CURLcode r = work_run(ask, f->curl);
	if (r)
		return err_new(ERR_IO, "CURL: Error opening file: %s",
			       f->error[0] ? f->error : curl.easy_strerror(r));
	curl.easy_getinfo(f->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
	curl.easy_setopt(f->curl, CURLOPT_HEADERFUNCTION, NULL);
	curl.easy_setopt(f->curl, CURLOPT_HEADERDATA, NULL);
	curl.easy_setopt(f->curl, CURLOPT_HTTPGET, 1L);
	if (size < 0)
		return err_new(ERR_IO, "CURL: Error opening file: Server didn't report file size.");
	if (size && !s->ranges)
		return err_new(ERR_UNSUPPORTED,
			       "CURL: Error opening file: Server does not support 'range' (byte ranges).");
	s->bytes = size;
	node->size = ROUND_UP(s->bytes, 512ull);
	return NULL;
}

static struct err *take_secret(struct blk_node *node, struct json *opts, const char *name, char **ret)
{
	AUTO(free_ptr) char *id = blk_take_str(opts, name);
	const u8 *data;
	size_t len;
	if (!id)
		return NULL;
	struct err *e = blk_secret(node->graph, id, &data, &len);
	if (!e)
		*ret = strf("%.*s", (int)len, (const char *)data);
	return e;
}

static struct err *take_numbers(struct http *s, struct json *opts)
{
	s->readahead = READAHEAD;
	s->timeout = TIMEOUT;
	s->verify = true;
	struct err *e = blk_take_size(opts, "readahead", &s->readahead);
	if (!e && s->readahead % 512)
		e = err_new(ERR_INVALID, "HTTP_READAHEAD_SIZE %llu is not a multiple of 512",
			    (unsigned long long)s->readahead);
	if (!e && s->readahead > MAX_READAHEAD)
		e = err_new(ERR_INVALID, "readahead must be at most %d bytes", MAX_READAHEAD);
	if (!e)
		e = blk_take_size(opts, "timeout", &s->timeout);
	if (!e && s->timeout > MAX_TIMEOUT)
		e = err_new(ERR_INVALID, "timeout parameter is too large or negative");
	return e ? e : blk_take_bool(opts, "sslverify", &s->verify);
}

static struct err *take_strings(struct blk_node *node, struct json *opts)
{
	struct http *s = node->state;
	AUTO(free_ptr) char *prefix = strf("%s://", node->driver->name);
	s->url = blk_take_str(opts, "url");
	s->cookie = blk_take_str(opts, "cookie");
	s->username = blk_take_str(opts, "username");
	s->proxy_username = blk_take_str(opts, "proxy-username");
	if (!s->url)
		return err_new(ERR_INVALID, "curl block driver requires an 'url' option");
	if (strncasecmp(s->url, prefix, strlen(prefix)) != 0)
		return err_new(ERR_INVALID,
			       "%s curl driver cannot handle the URL '%s' (does not start with '%s')",
			       node->driver->name, s->url, prefix);
	if (s->cookie && json_get(opts, "cookie-secret"))
		return err_new(ERR_INVALID, "curl driver cannot handle both cookie and cookie secret");
	struct err *e = take_secret(node, opts, "cookie-secret", &s->cookie);
	if (!e)
		e = take_secret(node, opts, "password-secret", &s->password);
	return e ? e : take_secret(node, opts, "proxy-password-secret", &s->proxy_password);
}

static void wipe(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

static void close_http(struct blk_node *node)
{
	struct http *s = node->state;
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		if (s->fetches[i].curl)
			curl.easy_cleanup(s->fetches[i].curl);
		free(s->fetches[i].buf);
	}
	free(s->url);
	free(s->username);
	free(s->proxy_username);
	wipe(s->cookie);
	wipe(s->password);
	wipe(s->proxy_password);
}

static struct err *open_http(struct blk_node *node, struct json *opts, u32 flags)
{
	struct err *e = NULL;
	if (flags & BLK_RDWR && !(flags & BLK_AUTO_RDONLY))
		return err_new(ERR_DENIED, "curl driver does not support writes");
	node->flags &= ~(u32)BLK_RDWR;
	e = take_numbers(node->state, opts);
	if (!e)
		e = take_strings(node, opts);
	if (!e)
		e = find_size(node);
	if (e)
		close_http(node);
	return e;
}

static struct err *reopen_http(struct blk_node *node, u32 flags)
{
	if (flags & BLK_RDWR)
		return err_new(ERR_DENIED, "curl driver does not support writes");
	node->flags = flags;
	return NULL;
}

static u64 disk_size(struct blk_node *node)
{
	return ~0ull;
}

/* clang-format off */
#define WEB_FILE \
	.spec = "RFC 9110", .kind = BLK_TRANSPORT, .state_size = sizeof(struct http), .parse_name = parse_name, .open = open_http, \
	.close = close_http, .reopen = reopen_http, .preadv = preadv_http, .disk_size = disk_size
/* clang-format on */

BLK_DRIVER(http) = {
	.name = "http",
	.summary = "a file of a web server",
	.prefixes = http_prefixes,
	WEB_FILE,
};

BLK_DRIVER(https) = {
	.name = "https",
	.summary = "a file of a web server, by TLS",
	.prefixes = https_prefixes,
	WEB_FILE,
};
