#include "copy-before-write.c"
#include "base/test.h"
#include <stdio.h>
#include <unistd.h>

enum { SIZE = 1 << 20 };

struct disk {
	struct blk_graph *g;
	char base[64], target[64];
	struct blk_node *top, *access;
};

static void make_file(struct blk_graph *g, char *path, int byte)
{
	struct json *opts = json_dict();
	strcpy(path, "/tmp/rhea-cbw-XXXXXX");
	close(mkstemp(path));
	json_set(opts, "size", json_str("1M"));
	struct err *e = blk_create_image(g, path, "raw", opts);
	CHECK(!e);
	struct blk_node *n;
	static u8 buf[SIZE];
	memset(buf, byte, SIZE);
	e = blk_open(g, path, "raw", NULL, BLK_RDWR, &n);
	CHECK(!e);
	CHECK_EQ(blk_pwrite(n, 0, buf, SIZE), 0);
	blk_unref(n);
}

static struct blk_node *open_json(struct blk_graph *g, const char *text)
{
	struct json *how;
	struct blk_node *n = NULL;
	struct err *e = json_parse(text, strlen(text), &how);
	CHECK(!e);
	e = blk_open(g, NULL, NULL, how, BLK_RDWR | BLK_UNMAP, &n);
	if (e)
		test_fail(__FILE__, __LINE__, "%s", err_text(e));
	err_free(e);
	return n;
}

/* more: further options of the filter; bad: the target fails every write. */
static void start(struct disk *d, const char *more, bool bad)
{
	d->g = blk_graph_new();
	make_file(d->g, d->base, 1);
	make_file(d->g, d->target, 0xee);
	AUTO(free_ptr)
	char *target = bad ? strf("{'driver': 'blkdebug', 'inject-error': [{'event': 'none', 'iotype': "
				  "'write', 'errno': 28}], "
				  "'image': {'driver': 'file', 'filename': '%s'}}",
				  d->target)
			   : strf("{'driver': 'file', 'filename': '%s'}", d->target);
	AUTO(free_ptr)
	char *top =
	    strf("{'driver': 'copy-before-write', 'node-name': 'cbw', 'file': {'driver': 'file', 'filename': "
		 "'%s'}, 'target': %s%s}",
		 d->base, target, more);
	d->top = open_json(d->g, top);
	d->access = open_json(
	    d->g, "{'driver': 'snapshot-access', 'file': 'cbw', 'read-only': true, 'discard': 'unmap'}");
}

static void stop(struct disk *d)
{
	blk_unref(d->access);
	blk_unref(d->top);
	blk_graph_free(d->g);
	unlink(d->base);
	unlink(d->target);
}

static int byte_at(struct blk_node *n, u64 offset)
{
	u8 b;
	int r = blk_pread(n, offset, &b, 1);
	return r ? r : b;
}

TEST(cbw, the_snapshot_stays_as_it_was)
{
	struct disk d;
	u8 buf[70000];
	start(&d, "", false);
	memset(buf, 2, sizeof(buf));
	CHECK_EQ(blk_pwrite(d.top, 0x11000, buf, sizeof(buf)), 0);
	CHECK_EQ(blk_zero(d.top, 0x40000, 0x10000, BLK_REQ_MAY_UNMAP), 0);
	CHECK_EQ(byte_at(d.top, 0x11000), 2);
	CHECK_EQ(byte_at(d.top, 0x40000), 0);
	CHECK_EQ(byte_at(d.top, 0x50000), 1);
	static u8 all[SIZE];
	CHECK_EQ(blk_pread(d.access, 0, all, SIZE), 0);
	for (size_t i = 0; i < SIZE; i++)
		if (all[i] != 1) {
			test_fail(__FILE__, __LINE__, "byte %zu is %d", i, all[i]);
			break;
		}
	/* Only the clusters that were written went to the target, as a whole. */
	struct cbw *s = d.top->state;
	CHECK_EQ(byte_at(s->target, 0x10000), 1);
	CHECK_EQ(byte_at(s->target, 0x2ffff), 1);
	CHECK_EQ(byte_at(s->target, 0x30000), 0xee);
	CHECK_EQ(byte_at(s->target, 0), 0xee);
	/* A second write copies nothing. */
	CHECK_EQ(blk_pwrite(d.top, 0x11000, buf, 512), 0);
	CHECK_EQ(byte_at(d.access, 0x11000), 1);
	stop(&d);
}

TEST(cbw, what_the_snapshot_discards_is_not_copied_nor_read)
{
	struct disk d;
	u8 buf[512] = { 3 };
	start(&d, "", false);
	CHECK_EQ(cbw_snapshot_discard(d.top, 0x20000, 0x10000), 0);
	CHECK_EQ(blk_pwrite(d.top, 0x20000, buf, sizeof(buf)), 0);
	CHECK_EQ(byte_at(d.access, 0x20000), -EACCES);
	CHECK_EQ(byte_at(d.access, 0x1ffff), 1);
	stop(&d);
}

TEST(cbw, a_failing_copy_refuses_the_write_or_ends_the_snapshot)
{
	struct disk d;
	u8 buf[512] = { 3 };
	start(&d, "", true);
	CHECK_EQ(blk_pwrite(d.top, 0, buf, sizeof(buf)), -ENOSPC);
	CHECK_EQ(byte_at(d.top, 0), 1);
	CHECK_EQ(byte_at(d.access, 0), 1);
	stop(&d);
	start(&d, ", 'on-cbw-error': 'break-snapshot'", true);
	CHECK_EQ(blk_pwrite(d.top, 0, buf, sizeof(buf)), 0);
	CHECK_EQ(byte_at(d.top, 0), 3);
	CHECK_EQ(byte_at(d.access, 0x80000), -EACCES);
	stop(&d);
}

struct writer {
	struct blk_node *node;
	u64 offset;
	int result;
	unsigned *left;
};

static void write_one(void *arg)
{
	struct writer *w = arg;
	u8 buf[4096];
	memset(buf, 5, sizeof(buf));
	w->result = blk_pwrite(w->node, w->offset, buf, sizeof(buf));
	--*w->left;
}

TEST(cbw, writes_at_the_same_time_copy_each_cluster_once)
{
	struct disk d;
	struct writer w[64];
	unsigned left = LEN(w);
	start(&d, "", false);
	for (unsigned i = 0; i < LEN(w); i++) {
		w[i] = (struct writer){ d.top, (i * 37 % 64) * 8192, 0, &left };
		co_enter(co_new(write_one, &w[i]));
	}
	while (left)
		loop_run_once(loop_here(), true);
	for (unsigned i = 0; i < LEN(w); i++) {
		CHECK_EQ(w[i].result, 0);
		CHECK_EQ(byte_at(d.top, w[i].offset), 5);
		CHECK_EQ(byte_at(d.access, w[i].offset), 1);
	}
	stop(&d);
}
