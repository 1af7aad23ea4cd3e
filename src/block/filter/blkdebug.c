/*
 * blkdebug: passes requests on, and fails or holds some of them, by rules. For tests of what is above.
 *
 * A rule waits for an event, which formats report (blk_event); an injected error then meets the requests that follow.
 * File name  blkdebug:CONFIG:IMAGE, CONFIG an ini file of [inject-error] and [set-state] sections, or empty.
 * Options    image (child), config, inject-error.N.*, set-state.N.*, align (a power of two: other reads and writes are widened),
 *            max-transfer, max-write-zero, max-discard (longer requests are split), opt-write-zero, opt-discard (requests are
 *            split at multiples of it).
 */
#include "base/coroutine.h"
#include "block/blk.h"
#include <errno.h>
#include <stdio.h>

enum { MAX_RULES = 256 };
enum {
	IO_READ = BIT(0),
	IO_WRITE = BIT(1),
	IO_ZERO = BIT(2),
	IO_DISCARD = BIT(3),
	IO_FLUSH = BIT(4),
	IO_STATUS = BIT(5)
};

struct rule {
	char *event; /* "none": always */
	bool set_state, once, immediately, active, spent;
	int error, state, new_state;
	i64 sector; /* -1: any */
	u32 io;
};

struct held { /* a breakpoint, and who stopped there */
	struct held *next;
	char *event, *tag;
	bool hit, removed;
	struct co_wait wait;
};

struct debug {
	struct rule rules[MAX_RULES];
	unsigned n;
	int state;
	u64 align, max_transfer, max_zero, max_discard, opt_zero, opt_discard; /* 0: no limit */
	struct held *held;
	struct co_wait hits;
	struct co_lock widening; /* reading and writing back is one step */
};

static const char *const prefixes[] = { "blkdebug", NULL };

static struct err *parse_name(const char *name, struct json *opts)
{
	const char *p = name + strlen("blkdebug:"), *colon;
	if (strncmp(name, "blkdebug:", 9) != 0) { /* the driver is named by an option, and this is the image */
		json_set(opts, "x-image", json_str(name));
		return NULL;
	}
	if (!(colon = strchr(p, ':')))
		return err_new(ERR_INVALID, "blkdebug requires both config file and image path");
	if (colon != p) {
		AUTO(free_ptr) char *config = strf("%.*s", (int)(colon - p), p);
		json_set(opts, "config", json_str(config));
	}
	json_set(opts, "x-image", json_str(colon + 1));
	return NULL;
}

/* ---- rules ---- */

static bool flag(const struct json *o, const char *name)
{
	struct json *j = json_get(o, name);
	return j && ((j->kind == JSON_BOOL && j->b) || (j->kind == JSON_STR && strcmp(j->s, "on") == 0));
}

static i64 number(const struct json *o, const char *name, i64 otherwise)
{
	struct json *j = json_get(o, name);
	return !j		     ? otherwise
	       : j->kind == JSON_INT ? j->i
	       : j->kind == JSON_STR ? strtoll(j->s, NULL, 0)
				     : otherwise;
}

static u32 io_types(const char *name)
{
	static const struct {
		const char *name;
		u32 io;
	} types[] = { { "read", IO_READ },	 { "write", IO_WRITE }, { "write-zeroes", IO_ZERO },
		      { "discard", IO_DISCARD }, { "flush", IO_FLUSH }, { "block-status", IO_STATUS } };
	for (unsigned i = 0; name && i < LEN(types); i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].io;
	return name ? 0 : IO_READ | IO_WRITE | IO_ZERO | IO_DISCARD | IO_FLUSH;
}

static struct err *add_rule(struct debug *s, const struct json *o, bool set_state)
{
	const char *event = json_get_str(o, "event"), *io = json_get_str(o, "iotype");
	if (s->n == MAX_RULES)
		return err_new(ERR_INVALID, "more than %d rules", MAX_RULES);
	if (!event && set_state)
		return err_new(ERR_INVALID, "Missing event name for rule");
	struct rule *r = &s->rules[s->n++];
	*r = (struct rule){ .event = str_dup(event ? event : "none"),
			    .set_state = set_state,
			    .once = flag(o, "once"),
			    .immediately = flag(o, "immediately"),
			    .error = number(o, "errno", EIO),
			    .state = number(o, "state", 0),
			    .new_state = number(o, "new_state", 0),
			    .sector = number(o, "sector", -1),
			    .io = io_types(io) };
	if (!r->io)
		return err_new(ERR_INVALID, "Invalid parameter '%s'", io);
	r->active = strcmp(r->event, "none") == 0;
	return NULL;
}

static struct err *read_config(struct debug *s, const char *path)
{
	FILE *f = fopen(path, "re");
	if (!f)
		return err_errno(errno, "Could not read blkdebug config file");
	char line[512], key[128], val[256];
	struct json *o = NULL;
	struct err *e = NULL;
	bool set_state = false;
	while (!e && fgets(line, sizeof(line), f)) {
		bool inject = strncmp(line, "[inject-error", 13) == 0,
		     set = strncmp(line, "[set-state", 10) == 0;
		if (inject || set) {
			if (o)
				e = add_rule(s, o, set_state);
			json_free(o);
			o = json_dict();
			set_state = set;
		} else if (sscanf(line, " %127[a-z_-] = \"%255[^\"]\"", key, val) == 2 && o) {
			json_set(o, key, json_str(val));
		} else if (line[strspn(line, " \t\n")] && line[0] != '#') {
			e = err_new(ERR_INVALID, "Could not parse blkdebug config file: %.*s",
				    (int)strcspn(line, "\n"), line);
		}
	}
	if (o && !e)
		e = add_rule(s, o, set_state);
	json_free(o);
	fclose(f);
	return e;
}

static struct err *take_rules(struct debug *s, struct json *opts, const char *name, bool set_state)
{
	for (unsigned i = 0;; i++) {
		AUTO(free_ptr) char *prefix = strf("%s.%u.", name, i);
		AUTO(json_freep) struct json *o = json_take_prefix(opts, prefix);
		if (!o->n)
			return NULL;
		struct err *e = add_rule(s, o, set_state);
		if (e)
			return e;
	}
}

/* ---- events ---- */

static void event(struct blk_node *node, const char *name)
{
	struct debug *s = node->state;
	int state = s->state, next = state;
	bool injected = false;
	for (unsigned i = 0; i < s->n; i++) {
		struct rule *r = &s->rules[i];
		if (r->spent || strcmp(r->event, name) != 0 || (r->state && r->state != state))
			continue;
		if (r->set_state) {
			next = r->new_state;
			continue;
		}
		/* A new injection takes the place of the earlier ones. */
		for (unsigned k = 0; k < s->n && !injected; k++)
			s->rules[k].active = false;
		injected = true;
		r->active = true;
	}
	s->state = next;
	for (struct held *h = s->held; h && co_self(); h = h->next)
		if (!h->hit && !h->removed && strcmp(h->event, name) == 0) {
			h->hit = true;
			printf("blkdebug: Suspended request '%s'\n", h->tag);
			fflush(stdout);
			co_wake_all(&s->hits);
			co_wait(&h->wait);
			printf("blkdebug: Resuming request '%s'\n", h->tag);
			fflush(stdout);
			h->removed = true;
			break;
		}
}

static int check(struct debug *s, u64 offset, u64 len, u32 io)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct rule *r = &s->rules[i];
		if (r->set_state || !r->active || r->spent || !(r->io & io) ||
		    (r->state && r->state != s->state))
			continue;
		u64 at = r->sector * 512;
		if (r->sector >= 0 && (at < offset || at >= offset + MAX(len, 1ull)))
			continue;
		if (r->once)
			r->spent = true;
		return -r->error;
	}
	return 0;
}

static int debug_op(struct blk_node *node, enum blk_debug_op op, const char *name, const char *tag)
{
	struct debug *s = node->state;
	int r = -ENOENT;
	if (op == BLK_DEBUG_BREAK) {
		struct held *h = alloc(sizeof(*h)), **at = &s->held;
		*h = (struct held){ .event = str_dup(name), .tag = str_dup(tag) };
		while (*at)
			at = &(*at)->next;
		*at = h;
		return 0;
	}
	for (struct held *h = s->held; h; h = h->next) {
		if (h->removed || strcmp(h->tag, tag) != 0)
			continue;
		if (op == BLK_DEBUG_WAIT) {
			while (!h->hit)
				co_wait(&s->hits);
			return 0;
		}
		if (op == BLK_DEBUG_RESUME && !h->hit)
			continue;
		if (op == BLK_DEBUG_REMOVE)
			h->removed = true;
		r = 0;
		if (h->hit)
			co_wake_all(&h->wait);
	}
	return op == BLK_DEBUG_WAIT ? -ENOENT : r;
}

/* ---- requests ---- */

static int rw(struct blk_node *node, u64 offset, struct iovs iov, u32 flags, bool write)
{
	struct debug *s = node->state;
	size_t max = s->max_transfer ? s->max_transfer : iov.len;
	int r = check(s, offset, iov.len, write ? IO_WRITE : IO_READ);
	for (size_t n = 0; n < iov.len && !r; n += max) {
		struct iovs part = iovs_cut(iov, n, MIN(max, iov.len - n));
		r = write ? blk_pwritev(node->file, offset + n, part, flags)
			  : blk_preadv(node->file, offset + n, part, flags);
	}
	node->size = node->file->size;
	return r;
}

/* A request that is not made of whole units: through a buffer that is. */
static int widened(struct blk_node *node, u64 offset, struct iovs iov, u32 flags, bool write)
{
	struct debug *s = node->state;
	u64 from = ROUND_DOWN(offset, s->align), to = ROUND_UP(offset + iov.len, s->align);
	AUTO(free_ptr) u8 *buf = try_alloc(to - from);
	struct iovec v;
	if (!buf)
		return -ENOMEM;
	if (write)
		co_lock(&s->widening);
	int r = rw(node, from, iovs_one(&v, buf, to - from), 0, false);
	if (!r && write) {
		iovs_to_buf(iov, buf + (offset - from));
		r = rw(node, from, iovs_one(&v, buf, MIN(to, node->size) - from), flags, true);
	} else if (!r) {
		iovs_from_buf(iov, buf + (offset - from));
	}
	if (write)
		co_unlock(&s->widening);
	return r;
}

static bool is_aligned(const struct blk_node *node, u64 offset, u64 len)
{
	const struct debug *s = node->state;
	return !s->align || !((offset | len) & (s->align - 1)) || offset + len > node->size;
}

static int preadv_debug(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	return is_aligned(node, offset, iov.len) ? rw(node, offset, iov, flags, false)
						 : widened(node, offset, iov, flags, false);
}

static int pwritev_debug(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	return is_aligned(node, offset, iov.len) ? rw(node, offset, iov, flags, true)
						 : widened(node, offset, iov, flags, true);
}

/* How much of a request goes in one piece: up to the next multiple of opt, then whole multiples, no more than max. */
static u64 piece(u64 offset, u64 len, u64 opt, u64 max)
{
	u64 n = max ? MIN(len, max) : len;
	if (!opt)
		return n;
	if (offset % opt)
		return MIN(n, opt - offset % opt);
	return n > opt ? n - n % opt : n;
}

static int zero(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	struct debug *s = node->state;
	int r = check(s, offset, len, IO_ZERO);
	for (u64 n; len && !r; offset += n, len -= n) {
		n = piece(offset, len, s->opt_zero, s->max_zero);
		r = blk_zero(node->file, offset, n, flags);
	}
	node->size = node->file->size;
	return r;
}

static int discard(struct blk_node *node, u64 offset, u64 len)
{
	struct debug *s = node->state;
	int r = check(s, offset, len, IO_DISCARD);
	for (u64 n; len && !r; offset += n, len -= n) {
		n = piece(offset, len, s->opt_discard, s->max_discard);
		r = blk_discard(node->file, offset, n);
	}
	return r;
}

static int flush(struct blk_node *node)
{
	return check(node->state, 0, 0, IO_FLUSH);
}

static int map(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	int r = check(node->state, offset, len, IO_STATUS);
	return r ? r : blk_map(node->file, offset, len, ret);
}

static struct err *truncate_debug(struct blk_node *node, u64 size, bool exact, enum blk_prealloc mode,
				  bool zeros)
{
	struct err *e = blk_truncate(node->file, size, exact, mode, zeros);
	node->size = node->file->size;
	return e;
}

/* ---- opening ---- */

static struct err *take_power(struct json *opts, const char *name, u64 *ret)
{
	struct err *e = blk_take_size(opts, name, ret);
	if (!e && *ret && ((*ret & (*ret - 1)) || *ret > INT32_MAX + 1ull) && strcmp(name, "align") == 0)
		e = err_new(ERR_INVALID, "Cannot meet constraints with %s %llu", name,
			    (unsigned long long)*ret);
	return e;
}

static void close_debug(struct blk_node *node)
{
	struct debug *s = node->state;
	for (unsigned i = 0; i < s->n; i++)
		free(s->rules[i].event);
	while (s->held) {
		struct held *h = s->held;
		s->held = h->next;
		free(h->event);
		free(h->tag);
		free(h);
	}
}

static struct err *open_debug(struct blk_node *node, struct json *opts, u32 flags)
{
	struct debug *s = node->state;
	AUTO(free_ptr) char *config = blk_take_str(opts, "config"), *image = blk_take_str(opts, "x-image");
	struct blk_node *child;
	struct err *e = NULL;
	s->state = 1;
	if (config)
		e = read_config(s, config);
	if (!e)
		e = take_rules(s, opts, "inject-error", false);
	if (!e)
		e = take_rules(s, opts, "set-state", true);
	if (!e && !(e = take_power(opts, "align", &s->align)) &&
	    !(e = take_power(opts, "max-transfer", &s->max_transfer)) &&
	    !(e = take_power(opts, "opt-write-zero", &s->opt_zero)) &&
	    !(e = take_power(opts, "max-write-zero", &s->max_zero)) &&
	    !(e = take_power(opts, "opt-discard", &s->opt_discard)))
		e = take_power(opts, "max-discard", &s->max_discard);
	if (!e)
		e = blk_open_child(node, opts, "image", image, flags, false, &child);
	if (e) {
		close_debug(node);
		return e;
	}
	node->file = child;
	node->size = child->size;
	node->zero_init = child->zero_init;
	node->align = MAX((u32)s->align, child->align);
	return NULL;
}

BLK_DRIVER(blkdebug) = {
	.name = "blkdebug",
	.summary = "fails or holds requests by rules, for tests",
	.kind = BLK_FILTER,
	.state_size = sizeof(struct debug),
	.prefixes = prefixes,
	.parse_name = parse_name,
	.open = open_debug,
	.close = close_debug,
	.preadv = preadv_debug,
	.pwritev = pwritev_debug,
	.zero = zero,
	.discard = discard,
	.flush = flush,
	.map = map,
	.truncate = truncate_debug,
	.event = event,
	.debug = debug_op,
};
