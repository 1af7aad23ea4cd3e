/*
 * Ends at any moment while snapshots are made, applied and deleted and the disk is written, resized and discarded: the image opens for
 * writing, nothing is corrupt, no flushed write is lost, and every snapshot in the list holds what it was made of.
 */
#include "snapshot.c"
#include "base/test.h"
#include "block/format/testmem.h"
#include <stdio.h>

static const char *const prefixes[] = { "testsnap", NULL };
BLK_DRIVER(testsnap) = TESTMEM_DRIVER_AS("testsnap", prefixes);

enum { MAX_DISK = 1 << 20, UNIT = 512, SECTORS = MAX_DISK / UNIT, STEPS = 60 };
#define IMAGE "testsnap:image"

static const struct variant {
	const char *opts, *how; /* of making and of opening */
} variants[] = {
	{ "{'cluster_size': '512'}", "{}" },
	{ "{'cluster_size': '4096', 'lazy_refcounts': 'on'}", "{}" },
	{ "{'cluster_size': '16384', 'extended_l2': 'on', 'refcount_bits': '8'}", "{}" },
	{ "{'cluster_size': '1024'}", "{'pass-discard-other': true}" },
};

struct step {
	size_t begin, end; /* events before and after it */
	bool flush;
	u32 id[SECTORS]; /* what the disk holds after it */
};

struct run {
	const char *opts, *how;
	struct blk_graph *graph;
	struct blk_node *node;
	struct step step[STEPS + 1]; /* the first: before anything was done */
	unsigned n, snapshots[STEPS], n_snapshots;
};

static void take_variant(struct run *x, unsigned i)
{
	x->opts = variants[i].opts;
	x->how = variants[i].how;
}

static void complain(const struct run *x, const char *what, struct err *e)
{
	test_fail(__FILE__, __LINE__, "%s: %s: %s", x->opts, what, e ? err_text(e) : "");
	err_free(e);
}

static struct blk_node *open_image(struct run *x, u32 flags)
{
	struct blk_node *node = NULL;
	struct json *how;
	struct err *e = json_parse(x->how, strlen(x->how), &how);
	if (!e)
		e = blk_open(x->graph, IMAGE, "qcow2", how, flags, &node);
	if (e)
		complain(x, "open", e);
	return node;
}

static int change(struct run *x, struct step *s, u32 id)
{
	static u32 buf[MAX_DISK / 4];
	u32 size = blk_size(x->node) / UNIT, len = any(MIN(size, 300u)) + 1, from = any(size - len + 1),
	    kind = any(6), cluster = blk_unit(x->node) / UNIT;
	struct iovec v;
	if (kind < 2)
		id = 0;
	if (kind == 5) { /* whole clusters */
		from = ROUND_DOWN(from, cluster);
		len = MIN(ROUND_UP(len, cluster), size - from);
	}
	for (u32 i = 0; i < len * (UNIT / 4); i++)
		buf[i] = id;
	for (u32 i = 0; i < len; i++)
		s->id[from + i] = id;
	if (kind == 0)
		return blk_zero(x->node, (u64)from * UNIT, (u64)len * UNIT, BLK_REQ_MAY_UNMAP);
	return blk_pwritev(x->node, (u64)from * UNIT, iovs_one(&v, buf, (u64)len * UNIT),
			   kind == 5 ? BLK_REQ_COMPRESSED : 0);
}

static struct err *resize(struct run *x, struct step *s)
{
	u64 size = ROUND_UP(any(MAX_DISK) + 1, 65536u);
	struct err *e = blk_truncate(x->node, size, true, BLK_PREALLOC_OFF, false);
	if (e && !fault.hits) { /* in the way: snapshots of older images */
		err_free(e);
		return NULL;
	}
	for (u64 i = size / UNIT; i < SECTORS; i++)
		s->id[i] = 0; /* or not, when it failed on the way */
	return e;
}

static struct err *snapshot_step(struct run *x, struct step *s, u32 id, u32 kind)
{
	static const struct blk_snapshot meta = { .icount = -1 };
	u32 i = x->n_snapshots ? any(x->n_snapshots) : 0;
	char name[16];
	snprintf(name, sizeof(name), "s%u", kind == 0 ? id : x->snapshots[i]);
	if (kind == 0) {
		x->snapshots[x->n_snapshots++] = id;
		return qcow2_snapshot_create(x->node, name, &meta);
	}
	if (kind == 1) {
		memcpy(s->id, x->step[x->snapshots[i]].id, sizeof(s->id));
		return qcow2_snapshot_apply(x->node, name);
	}
	x->snapshots[i] = x->snapshots[--x->n_snapshots];
	return qcow2_snapshot_delete(x->node, name);
}

static int do_step(struct run *x)
{
	u32 id = ++x->n, kind = any(12);
	struct step *s = &x->step[id];
	struct err *e = NULL;
	int r = 0;
	memcpy(s->id, x->step[id - 1].id, sizeof(s->id));
	s->begin = n_events;
	if (kind == 0) {
		s->flush = true;
		r = blk_flush(x->node);
	} else if (kind == 1) {
		e = resize(x, s);
	} else if (kind < 6 && (kind < 4 || x->n_snapshots)) {
		e = snapshot_step(x, s, id, x->n_snapshots ? kind % 3 : 0);
	} else {
		r = change(x, s, id);
	}
	s->end = n_events;
	bool failed = r || e;
	if (failed && !fault.hits)
		complain(x, "step", e ? e : err_errno(-r, "%u", kind));
	else
		err_free(e);
	s->flush &= !failed;
	return failed;
}

static bool make(struct run *x)
{
	struct json *opts;
	struct err *e = json_parse(x->opts, strlen(x->opts), &opts);
	if (!e) {
		json_set(opts, "size", json_strf("%d", MAX_DISK));
		e = blk_create_image(x->graph, IMAGE, "qcow2", opts);
	}
	if (e) {
		complain(x, "create", e);
		return false;
	}
	log_begin();
	x->node = open_image(x, BLK_RDWR | BLK_UNMAP | BLK_RESIZE);
	return x->node;
}

/* Sectors of node that hold something else than one of step[from..to] left there. */
static unsigned wrong(struct run *x, struct blk_node *node, unsigned from, unsigned to)
{
	static u32 all[MAX_DISK / 4];
	unsigned bad = 0;
	if (blk_pread(node, 0, all, MAX_DISK))
		return SECTORS;
	for (unsigned i = 0; i < SECTORS; i++) {
		bool fits = false;
		for (unsigned k = from; k <= to && !fits; k++)
			fits = x->step[k].id[i] == all[i * (UNIT / 4)];
		bad += !fits;
	}
	return bad;
}

static void check_snapshots_of(struct run *x)
{
	struct blk_snapshot *list = NULL;
	size_t n = 0;
	struct blk_node *node = open_image(x, 0);
	struct err *e = node ? qcow2_snapshot_list(node, &list, &n) : NULL;
	blk_unref(node);
	for (size_t i = 0; i < n && !e; i++) {
		unsigned step = atoi(list[i].name + 1);
		node = open_image(x, 0);
		e = node ? qcow2_snapshot_load_tmp(node, list[i].id, list[i].name) : NULL;
		unsigned bad = node && !e ? wrong(x, node, step, step) : 0;
		if (bad)
			test_fail(__FILE__, __LINE__, "%s: snapshot %s: %u wrong sectors", x->opts,
				  list[i].name, bad);
		blk_unref(node);
	}
	if (e)
		complain(x, "snapshot", e);
	for (size_t i = 0; i < n; i++) {
		free(list[i].id);
		free(list[i].name);
	}
	free(list);
}

static bool survives(struct run *x, size_t at, bool cut)
{
	unsigned from = 0, to = 0;
	for (unsigned i = 1; i <= x->n; i++) {
		if (x->step[i].flush && x->step[i].end <= at)
			from = i;
		if (x->step[i].begin < at)
			to = i;
	}
	x->node = open_image(x, BLK_RDWR | BLK_UNMAP);
	if (!x->node)
		return false;
	struct blk_check res = { 0 };
	struct err *e = qcow2_check(x->node, &res, 0);
	unsigned bad = wrong(x, x->node, from, MAX(from, to));
	if (e || res.corruptions || res.check_errors || bad)
		test_fail(__FILE__, __LINE__,
			  "%s: %s at event %zu of %zu, step %u: %llu corruptions, %u wrong sectors", x->opts,
			  cut ? "cut" : "kill", at, n_events, to, (unsigned long long)res.corruptions, bad);
	bool ok = !e && !res.corruptions && !bad;
	err_free(e);
	blk_unref(x->node);
	check_snapshots_of(x);
	return ok;
}

/* As survives() after a kill, of whatever the failing writes left. */
TEST(qcow2, writes_that_fail_from_some_moment_on_leave_an_image_that_opens)
{
	for (unsigned i = 0; i < 10 * LEN(variants); i++) {
		struct run *x = alloc(sizeof(*x));
		take_variant(x, i % LEN(variants));
		x->graph = blk_graph_new();
		seed = 77 + i;
		bool ok = make(x);
		fault = (struct fault){ FAULT_WRITE, any(600), .error = EIO };
		while (ok && x->n < STEPS && do_step(x) == 0)
			;
		fault.left = 0;
		blk_unref(x->node);
		fault = (struct fault){ 0 };
		logging = false;
		if (ok)
			survives(x, n_events, false);
		blk_graph_free(x->graph);
		mems_free();
		free(x);
	}
}

TEST(qcow2, snapshot_operations_survive_a_kill_and_a_power_cut_at_any_moment)
{
	const char *times = getenv("RHEA_TEST_CRASHES"), *from = getenv("RHEA_TEST_SEED");
	for (unsigned v = 0; v < LEN(variants); v++) {
		struct run *x = alloc(sizeof(*x));
		take_variant(x, v);
		x->graph = blk_graph_new();
		seed = (from ? atoi(from) : 11) + v;
		bool ok = make(x);
		for (unsigned i = 0; ok && i < STEPS; i++)
			do_step(x);
		blk_unref(x->node);
		logging = false;
		for (unsigned i = times ? atoi(times) : 150; ok && i; i--)
			for (unsigned cut = 0; cut < 2 && ok; cut++) {
				size_t at = any(n_events + 1);
				crash(at, cut);
				ok = survives(x, at, cut);
			}
		blk_graph_free(x->graph);
		mems_free();
		free(x);
	}
}
