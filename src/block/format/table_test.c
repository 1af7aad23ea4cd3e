/*
 * Tests that every format must pass, over a transport in memory that remembers each write: contents against a plain array, images
 * broken at random, ends at any moment (kill) and ends that lose what was not flushed (power cut).
 */
#include "table.c"
#include "block/format/testmem.h"
#include "base/test.h"
#include "block/object.h"
#include <stdio.h>

BLK_DRIVER(testmem) = TESTMEM_DRIVER;

/* ---- the formats and how they are made ---- */

static const struct variant {
	const char *fmt, *opts;
	bool fixed; /* has no metadata that changes */
	bool base; /* lies over another image, full of BASE_ID */
	const char *open; /* options of opening */
} variants[] = {
	{ "vdi", "{}" },
	{ "vdi", "{'static': 'on'}" },
	{ "vpc", "{}" },
	{ "vpc", "{'force_size': 'on'}" },
	{ "vmdk", "{}" },
	{ "vmdk", "{'zeroed_grain': 'on'}" },
	{ "vmdk", "{'subformat': 'streamOptimized'}" },
	{ "vmdk", "{'subformat': 'twoGbMaxExtentSparse'}" },
	{ "vmdk", "{'subformat': 'monolithicFlat'}", true },
	{ "qed", "{}" },
	{ "qed", "{'cluster_size': '4096', 'table_size': '1'}" },
	{ "qcow", "{}" },
	{ "qed", "{'backing_file': 'testmem:base', 'backing_fmt': 'raw', 'cluster_size': '4096'}",
	  .base = true },
	{ "qcow", "{'backing_file': 'testmem:base', 'backing_fmt': 'raw'}", .base = true },
	{ "vmdk", "{'backing_file': 'testmem:base', 'backing_fmt': 'vmdk'}", .base = true },
	{ "cow", "{}" },
	{ "cow", "{'backing_file': 'testmem:base', 'backing_fmt': 'raw'}", .base = true },
#ifdef HAVE_GNUTLS
	{ "luks", "{'key-secret': 's', 'iter-time': '1'}", .open = "{'key-secret': 's'}" },
#endif
	{ "parallels", "{}" },
	{ "parallels", "{'cluster_size': '32256'}" },
	{ "vhdx", "{'block_size': '1M'}" },
	{ "vhdx", "{'block_size': '2M', 'subformat': 'fixed'}", true },
	{ "vpc", "{'subformat': 'fixed', 'force_size': 'on'}", true },
	{ "qcow2", "{'compat': '0.10'}" },
	{ "qcow2", "{'cluster_size': '16384', 'extended_l2': 'on', 'lazy_refcounts': 'on'}" },
	{ "qcow2", "{'cluster_size': '4096', 'backing_file': 'testmem:base', 'backing_fmt': 'raw'}",
	  .base = true },
};

/* RHEA_TEST_FORMAT: the only one that is tried. */
static bool skipped(const struct variant *v)
{
	const char *only = getenv("RHEA_TEST_FORMAT");
	return only && strcmp(only, v->fmt) != 0;
}

enum { DISK = 8 << 20, UNIT = 512, BASE_ID = 9999 };
#define IMAGE "testmem:image"

static void fail(const struct variant *v, const char *what, struct err *e)
{
	test_fail(__FILE__, __LINE__, "%s %s: %s: %s", v->fmt, v->opts, what, e ? err_text(e) : "");
	err_free(e);
}

/* What is shown through where the image itself holds nothing. */
static struct err *make_base(struct blk_graph *g, bool raw)
{
	struct json *opts = json_dict();
	struct blk_node *node;
	json_set(opts, "size", json_strf("%d", DISK));
	struct err *e = blk_create_image(g, "testmem:base", raw ? "raw" : "vmdk", opts);
	if (!e)
		e = blk_open(g, "testmem:base", raw ? "raw" : "vmdk", NULL, BLK_RDWR, &node);
	if (e)
		return e;
	u32 *all = malloc(DISK);
	for (u32 i = 0; i < DISK / 4; i++)
		all[i] = BASE_ID;
	CHECK_EQ(blk_pwrite(node, 0, all, DISK), 0);
	free(all);
	blk_unref(node);
	return NULL;
}

static struct err *open_image(struct blk_graph *g, const struct variant *v, u32 flags, struct blk_node **ret)
{
	struct json *opts = NULL;
	struct err *e = v->open ? json_parse(v->open, strlen(v->open), &opts) : NULL;
	return e ? e : blk_open(g, IMAGE, v->fmt, opts, flags, ret);
}

static struct blk_graph *new_graph(void)
{
	static const char secret[] = "{'qom-type': 'secret', 'id': 's', 'data': 'xyz'}";
	struct blk_graph *g = blk_graph_new();
	struct json *props;
	struct err *e = json_parse(secret, strlen(secret), &props);
	if (!e)
		e = blk_object_add(g, props);
	CHECK(!e);
	err_free(e);
	return g;
}

static bool make(struct blk_graph *g, const struct variant *v)
{
	struct json *opts;
	struct err *e = v->base ? make_base(g, strstr(v->opts, "'raw'")) : NULL;
	if (!e)
		e = json_parse(v->opts, strlen(v->opts), &opts);
	if (!e) {
		json_set(opts, "size", json_strf("%d", DISK));
		e = blk_create_image(g, IMAGE, v->fmt, opts);
	}
	if (!e && v->open) { /* a new image holds noise */
		struct blk_node *node;
		e = open_image(g, v, BLK_RDWR, &node);
		if (!e) {
			CHECK_EQ(blk_zero(node, 0, DISK, 0), 0);
			blk_unref(node);
		}
	}
	if (e)
		fail(v, "create", e);
	return !e;
}

static struct blk_node *reopen_image(struct blk_graph *g, const struct variant *v, u32 flags)
{
	struct blk_node *node = NULL;
	struct err *e = open_image(g, v, flags, &node);
	if (e)
		fail(v, "open", e);
	return node;
}

/* Writes, zeros or discards a random range; what it must read as afterwards goes to ids, one a sector. */
static u32 sizes[] = { 512, 4096, 65536, 200 * 1024, 2 << 20 };

static int step(struct blk_node *node, u32 *ids, u32 id, u64 *ret_from, u64 *ret_len)
{
	static u32 buf[(4 << 20) / 4];
	u64 len = (any(sizes[any(LEN(sizes))]) / UNIT + 1) * UNIT,
	    from = any((DISK - len) / UNIT) * (u64)UNIT;
	if (any(3)) /* crowd */
		from = from % (2 << 20);
	u32 kind = any(10);
	bool pack = node->driver->pack && blk_unit(node) >= UNIT && any(6) == 0;
	if (pack) {
		from = ROUND_DOWN(from, (u64)blk_unit(node));
		len = MIN(blk_unit(node) * (1ull + (kind & 1)), DISK - from);
	}
	*ret_from = from / UNIT;
	*ret_len = len / UNIT;
	if (kind == 0)
		id = 0;
	for (u64 i = 0; i < len / 4; i++)
		buf[i] = id;
	for (u64 i = 0; i < len / UNIT && ids; i++)
		ids[from / UNIT + i] = id;
	struct iovec v;
	int r = pack ? blk_pwritev(node, from, iovs_one(&v, buf, len), BLK_REQ_COMPRESSED) : -ENOTSUP;
	if (r != -ENOTSUP) /* this image takes compressed writes */
		return r;
	return kind ? blk_pwrite(node, from, buf, len)
		    : blk_zero(node, from, len, any(2) ? BLK_REQ_MAY_UNMAP : 0);
}

/* The id a sector holds; UINT32_MAX when it is a mixture. */
static u32 id_of(const u32 *sector)
{
	for (unsigned i = 1; i < UNIT / 4; i++)
		if (sector[i] != sector[0])
			return UINT32_MAX;
	return sector[0];
}

static u32 *contents(struct blk_node *node)
{
	u32 *all = malloc(DISK), *ids = malloc(DISK / UNIT * 4);
	int r = blk_pread(node, 0, all, DISK);
	for (u32 i = 0; i < DISK / UNIT; i++)
		ids[i] = r ? UINT32_MAX : id_of(all + i * (UNIT / 4));
	free(all);
	return ids;
}

static u64 check_errors(struct blk_node *node)
{
	struct blk_check res = { 0 };
	struct err *e = node->driver->check ? node->driver->check(node, &res, 0) : NULL;
	bool failed = e;
	err_free(e);
	return failed + res.corruptions + res.check_errors;
}

TEST(formats, hold_what_random_writes_put_there)
{
	for (const struct variant *v = variants; v < variants + LEN(variants); v++) {
		if (skipped(v))
			continue;
		struct blk_graph *g = new_graph();
		u32 *ids = calloc(DISK / UNIT, 4);
		struct blk_node *node = NULL;
		for (u32 s = 0; s < DISK / UNIT && v->base; s++)
			ids[s] = BASE_ID;
		seed = 1;
		if (make(g, v))
			node = reopen_image(g, v, BLK_RDWR | BLK_UNMAP);
		for (u32 i = 1; i < 250 && node; i++) {
			u64 from, len;
			int r = step(node, ids, i, &from, &len);
			if (r) {
				test_fail(__FILE__, __LINE__, "%s %s: step %u gives %d", v->fmt, v->opts, i,
					  r);
				break;
			}
			if (i % 20 == 0) { /* read-only and back */
				struct err *e = blk_reopen(node, 0);
				if (!e)
					e = blk_reopen(node, BLK_RDWR | BLK_UNMAP);
				if (e)
					fail(v, "reopen", e);
			}
			if (i % 50)
				continue;
			blk_unref(node);
			node = reopen_image(g, v, i % 100 ? BLK_RDWR | BLK_UNMAP : 0);
			u32 *got = node ? contents(node) : NULL;
			for (u32 s = 0; s < DISK / UNIT && got; s++)
				if (got[s] != ids[s]) {
					test_fail(__FILE__, __LINE__,
						  "%s %s: after %u steps sector %u holds %u, not %u", v->fmt,
						  v->opts, i, s, got[s], ids[s]);
					break;
				}
			free(got);
			if (node && check_errors(node))
				test_fail(__FILE__, __LINE__, "%s %s: check finds errors", v->fmt, v->opts);
			blk_unref(node);
			node = reopen_image(g, v, BLK_RDWR | BLK_UNMAP);
		}
		blk_unref(node);
		free(ids);
		blk_graph_free(g);
		mems_free();
	}
}

/* ---- broken images ---- */

struct saved {
	u8 *data[32];
	u64 bytes[32];
};

static void save_all(struct saved *s)
{
	unsigned i = 0;
	for (struct mem *m = mems; m; m = m->next, i++) {
		s->data[i] = memcpy(malloc(m->bytes + 1), m->data, m->bytes);
		s->bytes[i] = m->bytes;
	}
}

static void restore_all(const struct saved *s)
{
	unsigned i = 0;
	for (struct mem *m = mems; m; m = m->next, i++) {
		mem_set_size(m, s->bytes[i]);
		memcpy(m->data, s->data[i], s->bytes[i]);
	}
}

static void saved_free(struct saved *s)
{
	for (unsigned i = 0; i < LEN(s->data); i++)
		free(s->data[i]);
}

/* Metadata lies where the file is not the disk's data: those places were found by looking for bytes that are not 0xdd. */
static u64 metadata_byte(const struct mem *m)
{
	for (unsigned tries = 0; tries < 200; tries++) {
		u64 at = any(8) ? any(MIN(m->bytes, any(2) ? 4096ull : 2ull << 20)) : any(m->bytes);
		if (m->data[at] != 0xdd && (m->data[at] || any(20) == 0))
			return at;
	}
	return any(m->bytes);
}

static void mutate(struct mem *m)
{
	static const u8 favourites[] = { 0, 1, 0x7f, 0x80, 0xff };
	for (u32 n = any(3) + 1; n && m->bytes; n--) {
		u64 at = metadata_byte(m);
		switch (any(5)) {
		case 0:
			m->data[at] ^= 1 << any(8);
			break;
		case 1:
			m->data[at] = favourites[any(LEN(favourites))];
			break;
		case 2:
			m->data[at] += any(3) - 1;
			break;
		case 3:
			memset(m->data + at, any(2) ? 0xff : 0, MIN(m->bytes - at, 1ull << any(4)));
			break;
		default:
			if (any(10) == 0)
				mem_set_size(m, any(m->bytes));
			else
				m->data[at] = any(256);
		}
	}
}

static void use_broken(struct blk_graph *g, const struct variant *v, u8 *buf)
{
	struct blk_node *node = NULL;
	static const u32 modes[] = { 0, BLK_RDWR | BLK_UNMAP, BLK_FOR_CHECK,
				     BLK_RDWR | BLK_FOR_CHECK | BLK_UNMAP, BLK_NO_IO };
	u32 mode = modes[any(LEN(modes))] | (any(2) ? BLK_NO_BACKING : 0);
	if (v->open) /* a changed count of iterations would take minutes */
		mode = BLK_NO_IO;
	struct err *e = open_image(g, v, mode, &node);
	err_free(e);
	if (e)
		return;
	u64 size = MIN(blk_size(node), (u64)DISK * 2);
	int r = 0;
	if (mode & BLK_FOR_CHECK && node->driver->check) {
		struct blk_check res = { 0 };
		e = node->driver->check(node, &res, mode & BLK_RDWR ? BLK_FIX_LEAKS | BLK_FIX_ERRORS : 0);
		err_free(e);
	}
	for (u64 at = 0; at < size && !r && !(mode & BLK_NO_IO); at += 1 << 19)
		r = blk_pread(node, at, buf, MIN(size - at, 1ull << 16));
	if (mode & BLK_RDWR) {
		memset(buf, 0xdd, 70000);
		for (unsigned i = 0; i < 4; i++) {
			r = blk_pwrite(node, any(MAX(size, 70001ull) - 70000), buf, 70000);
			r = blk_zero(node, any(MAX(size, 70001ull) - 70000), 70000, 0);
		}
		r = blk_flush(node);
	}
	struct blk_info info = { 0 };
	e = node->driver->info ? node->driver->info(node, &info) : NULL;
	err_free(e);
	json_free(info.specific);
	blk_unref(node);
}

TEST(formats, broken_images_do_no_harm)
{
	u8 *buf = malloc(1 << 20);
	const char *times = getenv("RHEA_TEST_MUTATIONS");
	for (const struct variant *v = variants; v < variants + LEN(variants); v++) {
		if (skipped(v))
			continue;
		struct blk_graph *g = new_graph();
		struct saved s = { 0 };
		struct blk_node *node = make(g, v) ? reopen_image(g, v, BLK_RDWR) : NULL;
		memset(buf, 0xdd, 1 << 20);
		if (node) {
			CHECK_EQ(blk_pwrite(node, 0, buf, 300000), 0);
			CHECK_EQ(blk_pwrite(node, DISK - 70000, buf, 70000), 0);
			CHECK_EQ(blk_zero(node, 65536, 65536, 0), 0);
		}
		blk_unref(node);
		save_all(&s);
		seed = 7;
		for (unsigned i = times ? atoi(times) : 400; i && node; i--) {
			restore_all(&s);
			struct mem *m = mems;
			for (u32 n = any(8) == 0 ? any(3) : 0; n && m->next; n--)
				m = m->next;
			if (any(2))
				m = mem_find(IMAGE);
			mutate(m);
			if (any(2))
				mend(m);
			use_broken(g, v, buf);
		}
		saved_free(&s);
		blk_graph_free(g);
		mems_free();
	}
	free(buf);
}

/* ---- ends at any moment ---- */

struct step_log {
	size_t begin, end; /* events before and after the step */
	u64 from, len; /* sectors; len 0: a flush */
	u32 id;
};

/* What a sector may hold after the crash: what it held at the last flush, or anything written since. */
static bool allowed(const struct step_log *log, unsigned n, size_t at, u64 sector, u32 id, u32 first)
{
	bool since = true; /* looking at steps after the last flush that ended before the crash */
	while (n--) {
		const struct step_log *l = &log[n];
		if (l->begin > at)
			continue;
		if (!l->len && l->end <= at)
			since = false;
		if (!l->len || sector < l->from || sector >= l->from + l->len)
			continue;
		if (l->id == id)
			return true;
		if (!since)
			return false; /* the last value before the flush, and it is another */
	}
	return id == first;
}

static bool survives(struct blk_graph *g, const struct variant *v, const struct step_log *log, unsigned n,
		     size_t at, bool cut)
{
	struct blk_node *node = NULL;
	struct err *e = open_image(g, v, BLK_RDWR | BLK_UNMAP, &node);
	if (e) {
		fail(v, cut ? "open after a cut" : "open after a kill", e);
		return false;
	}
	u64 errors = check_errors(node);
	u32 *ids = contents(node), bad = 0, where = 0;
	for (u32 s = 0; s < DISK / UNIT; s++)
		if (!allowed(log, n, at, s, ids[s], v->base ? BASE_ID : 0) && !bad++)
			where = s;
	if (bad || errors)
		test_fail(__FILE__, __LINE__,
			  "%s %s: %s at event %zu of %zu: %u wrong sectors, the first %u holds %u; check "
			  "finds %llu errors",
			  v->fmt, v->opts, cut ? "cut" : "kill", at, n_events, bad, where, ids[where],
			  (unsigned long long)errors);
	u32 word[UNIT / 4];
	for (unsigned i = 0; i < UNIT / 4; i++)
		word[i] = 4711;
	u64 sector = any(DISK / UNIT);
	int r = blk_pwrite(node, sector * UNIT, word, UNIT);
	blk_unref(node);
	node = reopen_image(g, v, 0);
	u32 *again = node ? contents(node) : NULL;
	ids[sector] = 4711;
	if (!again || r || memcmp(ids, again, DISK / UNIT * 4) != 0)
		fail(v, "writing after a crash changed something else", NULL);
	blk_unref(node);
	free(again);
	free(ids);
	return !bad && !errors;
}

/* Does steps and notes them; how many. */
static unsigned do_steps(struct blk_node *node, struct step_log *log, unsigned max)
{
	unsigned n = 0;
	for (u32 id = 1; n < max; id++, n++) {
		log[n] = (struct step_log){ .begin = n_events };
		int r;
		if (id % 9 == 0) {
			r = blk_flush(node);
		} else {
			u32 *ids = calloc(DISK / UNIT, 4);
			r = step(node, ids, id, &log[n].from, &log[n].len);
			log[n].id = ids[log[n].from];
			free(ids);
		}
		CHECK_EQ(r, 0);
		log[n].end = n_events;
	}
	return n;
}

/* One sequence of steps that ends so many times; false: not well. */
static bool crashes(const struct variant *v, u64 first_seed, unsigned times)
{
	struct blk_graph *g = new_graph();
	struct step_log log[120];
	unsigned n = 0;
	struct blk_node *node = NULL;
	seed = first_seed;
	if (make(g, v)) {
		log_begin();
		node = reopen_image(g, v, BLK_RDWR | BLK_UNMAP);
	}
	bool ok = node;
	if (node)
		n = do_steps(node, log, LEN(log));
	blk_unref(node);
	logging = false;
	while (ok && times--)
		for (unsigned cut = 0; cut < 2 && ok; cut++) {
			size_t at = any(n_events + 1);
			/* Most is at stake just before a flush. */
			for (bool late = any(2); late && at < n_events && events[at].mem;)
				at++;
			crash(at, cut);
			ok = survives(g, v, log, n, at, cut);
		}
	blk_graph_free(g);
	mems_free();
	return ok;
}

/* RHEA_TEST_CRASHES: kills, and as many cuts. */
TEST(formats, survive_a_kill_and_a_power_cut_at_any_moment)
{
	enum { EACH = 4 };
	const char *times = getenv("RHEA_TEST_CRASHES"), *from = getenv("RHEA_TEST_SEED");
	for (const struct variant *v = variants; v < variants + LEN(variants); v++) {
		if (skipped(v))
			continue;
		unsigned left = times ? atoi(times) : 12;
		for (u64 s = from ? atoi(from) : 3; left && crashes(v, s, MIN(left, (unsigned)EACH)); s++)
			left -= MIN(left, (unsigned)EACH);
	}
}

/* ---- requests that fail ---- */

enum { FAULT_STEPS = 60 };

/*
 * What sectors may hold: what the last step that succeeded left there, or one that failed. When the last flush failed
 * also what they held at the last one that succeeded, and what any step since then left.
 */
struct written {
	u32 ids[DISK / UNIT], flushed[DISK / UNIT];
	struct step_log steps[FAULT_STEPS + 1];
	bool failed[FAULT_STEPS + 1];
	unsigned n, since; /* steps; the first behind the last flush that succeeded */
	bool stable; /* the last flush succeeded */
};

static int one_flush(struct blk_node *node, struct written *w)
{
	int r = blk_flush(node);
	w->stable = r == 0;
	if (w->stable) {
		memcpy(w->flushed, w->ids, sizeof(w->ids));
		w->since = w->n;
	}
	return r;
}

static int one_step(struct blk_node *node, struct written *w, u32 id)
{
	struct step_log *l = &w->steps[w->n];
	u32 *ids = calloc(DISK / UNIT, 4);
	int r = step(node, ids, id, &l->from, &l->len);
	l->id = ids[l->from];
	for (u64 s = l->from; s < l->from + l->len && !r; s++)
		w->ids[s] = l->id;
	w->failed[w->n++] = r;
	free(ids);
	return r;
}

static bool may_hold(const struct written *w, u32 sector, u32 id)
{
	if (id == w->ids[sector] || (!w->stable && id == w->flushed[sector]))
		return true;
	for (unsigned i = 0; i < w->n; i++) {
		const struct step_log *l = &w->steps[i];
		if (l->id == id && sector >= l->from && sector < l->from + l->len &&
		    (w->failed[i] || (!w->stable && i >= w->since)))
			return true;
	}
	return false;
}

static unsigned wrong_sectors(const struct written *w, const u32 *ids, u32 *ret_first)
{
	unsigned bad = 0;
	for (u32 s = 0; s < DISK / UNIT; s++)
		if (!may_hold(w, s, ids[s]) && !bad++)
			*ret_first = s;
	return bad;
}

/* Steps during which requests to the file fail; then the image is closed. */
static void work_with_faults(struct blk_node *node, struct written *w)
{
	for (u32 id = 1; id <= FAULT_STEPS; id++) {
		int r = id % 7 == 0 ? one_flush(node, w) : one_step(node, w, id);
		CHECK(!r || fault.hits);
	}
	int r = one_flush(node, w);
	CHECK(!r || fault.hits);
	blk_unref(node);
}

static bool sound_after_faults(struct blk_graph *g, const struct variant *v, const struct written *w,
			       const char *what)
{
	struct blk_node *node = NULL;
	u32 first = 0;
	struct err *e = open_image(g, v, BLK_RDWR | BLK_UNMAP, &node);
	if (e) {
		fail(v, what, e);
		return false;
	}
	u64 errors = check_errors(node);
	u32 *ids = contents(node);
	unsigned bad = wrong_sectors(w, ids, &first);
	if (errors || bad)
		test_fail(
		    __FILE__, __LINE__,
		    "%s %s: %s: check finds %llu errors; %u wrong sectors, the first %u holds %u, not %u",
		    v->fmt, v->opts, what, (unsigned long long)errors, bad, first, ids[first], w->ids[first]);
	CHECK_EQ(blk_pwrite(node, DISK - UNIT, ids, UNIT), 0);
	blk_unref(node);
	free(ids);
	return !errors && !bad;
}

/* One failing request, or all from some moment on; RHEA_TEST_FAULTS: how many moments of each. */
static bool fail_at(const struct variant *v, const struct fault *f)
{
	struct blk_graph *g = new_graph();
	struct written *w = alloc(sizeof(*w));
	bool ok = make(g, v);
	struct blk_node *node = ok ? reopen_image(g, v, BLK_RDWR | BLK_UNMAP) : NULL;
	memset(w, 0, sizeof(*w));
	for (u32 s = 0; s < DISK / UNIT && v->base; s++)
		w->ids[s] = w->flushed[s] = BASE_ID;
	fault = *f;
	fault.only = mem_find(IMAGE);
	if (node)
		work_with_faults(node, w);
	AUTO(free_ptr)
	char *what = strf("%s of %s %zu, error %d", f->once ? "one" : "all",
			  f->on == FAULT_READ ? "reads" : "writes from", f->left, f->error);
	fault.on = 0;
	ok = node && sound_after_faults(g, v, w, what);
	free(w);
	blk_graph_free(g);
	mems_free();
	return ok;
}

TEST(formats, keep_what_was_written_when_requests_to_the_file_fail)
{
	const char *times = getenv("RHEA_TEST_FAULTS");
	static const u32 kinds[] = { FAULT_WRITE, FAULT_WRITE | FAULT_FLUSH, FAULT_READ };
	for (const struct variant *v = variants; v < variants + LEN(variants); v++) {
		if (skipped(v))
			continue;
		bool ok = true;
		for (unsigned i = times ? atoi(times) : 6; i && ok; i--) {
			seed = 100 + i;
			struct fault f = { kinds[i % LEN(kinds)], any(i % 2 ? 40 : 400), any(2),
					   any(2) ? EIO : ENOSPC };
			ok = fail_at(v, &f);
		}
	}
}
