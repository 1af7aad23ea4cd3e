#include "header.c"
#include "base/loop/loop.h"
#include "base/test.h"
#include <unistd.h>

static struct blk_node *image(struct blk_graph *g, char *path, const char *const *opts, u32 flags)
{
	struct blk_node *n = NULL;
	struct json *o = json_dict();
	strcpy(path, "/tmp/rhea-qcow2-XXXXXX");
	close(mkstemp(path));
	json_set(o, "size", json_str("64M"));
	for (; *opts; opts += 2)
		json_set(o, opts[0], json_str(opts[1]));
	struct err *e = blk_create_image(g, path, "qcow2", o);
	if (!e)
		e = blk_open(g, path, "qcow2", NULL, flags | BLK_UNMAP | BLK_RESIZE | BLK_NO_FLUSH, &n);
	if (e)
		test_fail(__FILE__, __LINE__, "%s", err_text(e));
	err_free(e);
	return n;
}

static void check_clean(struct blk_node *n)
{
	struct blk_check c = { .image_end = 0 };
	CHECK_EQ(blk_flush(n), 0);
	struct err *e = n->driver->check(n, &c, 0);
	CHECK(!e);
	err_free(e);
	CHECK_EQ(c.corruptions, 0);
	CHECK_EQ(c.leaks, 0);
	CHECK_EQ(c.check_errors, 0);
}

static const char *const *const kinds[] = {
	(const char *const[]){ NULL },
	(const char *const[]){ "cluster_size", "512", "refcount_bits", "64", NULL },
	(const char *const[]){ "compat", "0.10", NULL },
	(const char *const[]){ "extended_l2", "on", NULL },
	(const char *const[]){ "cluster_size", "2M", "refcount_bits", "1", NULL },
	(const char *const[]){ "lazy_refcounts", "on", NULL },
};

/* A model of the disk in memory, and the image, under the same random operations. */
TEST(qcow2, does_what_a_plain_disk_would_do)
{
	enum { DISK = 4 << 20, STEPS = 400 };
	for (unsigned k = 0; k < LEN(kinds); k++) {
		struct blk_graph *g = blk_graph_new();
		char path[64];
		struct blk_node *n = image(g, path, kinds[k], BLK_RDWR);
		AUTO(free_ptr) u8 *model = alloc(DISK);
		AUTO(free_ptr) u8 *buf = alloc(1 << 18);
		u32 x = k + 1;
		for (unsigned i = 0; i < STEPS; i++) {
			x = x * 1664525u + 1013904223u;
			u64 len = 1 + (x >> 8) % (1 << 17), at = (x * 40503u >> 4) % (DISK - len);
			switch (x >> 28) {
			case 0 ... 5:
				memset(buf, i, len);
				memset(model + at, i, len);
				CHECK_EQ(blk_pwrite(n, at, buf, len), 0);
				break;
			case 6 ... 7:
				memset(model + at, 0, len);
				CHECK_EQ(blk_zero(n, at, len, i & 1 ? BLK_REQ_MAY_UNMAP : 0), 0);
				break;
			default:
				CHECK_EQ(blk_pread(n, at, buf, len), 0);
				if (memcmp(buf, model + at, len) != 0)
					test_fail(__FILE__, __LINE__, "kind %u: step %u reads something else",
						  k, i);
			}
		}
		check_clean(n);
		blk_unref(n);
		unlink(path);
		blk_graph_free(g);
	}
}

TEST(qcow2, a_snapshot_keeps_the_old_contents)
{
	struct blk_graph *g = blk_graph_new();
	char path[64];
	struct blk_node *n = image(g, path, kinds[0], BLK_RDWR);
	u8 buf[4096];
	struct blk_snapshot meta = { .icount = -1 };
	memset(buf, 1, sizeof(buf));
	CHECK_EQ(blk_pwrite(n, 0, buf, sizeof(buf)), 0);
	CHECK(!n->driver->snapshot_create(n, "one", &meta));
	memset(buf, 2, sizeof(buf));
	CHECK_EQ(blk_pwrite(n, 0, buf, sizeof(buf)), 0);
	check_clean(n);
	CHECK(!n->driver->snapshot_apply(n, "one"));
	CHECK_EQ(blk_pread(n, 0, buf, sizeof(buf)), 0);
	CHECK_EQ(buf[100], 1);
	check_clean(n);
	CHECK(!n->driver->snapshot_delete(n, "1"));
	check_clean(n);
	blk_unref(n);
	unlink(path);
	blk_graph_free(g);
}

struct writer {
	struct blk_node *n;
	unsigned first, *left;
};

static void write_some(void *arg)
{
	struct writer *w = arg;
	u8 buf[3000];
	for (unsigned i = 0; i < 50; i++) {
		memset(buf, w->first, sizeof(buf));
		CHECK_EQ(blk_pwrite(w->n, (u64)(i * 8 + w->first) * 3000, buf, sizeof(buf)), 0);
	}
	--*w->left;
}

TEST(qcow2, writers_of_the_same_cluster_do_not_lose_each_others_bytes)
{
	struct blk_graph *g = blk_graph_new();
	char path[64];
	struct blk_node *n = image(g, path, kinds[0], BLK_RDWR);
	struct writer w[8];
	unsigned left = 8;
	for (unsigned i = 0; i < 8; i++) {
		w[i] = (struct writer){ n, i, &left };
		co_enter(co_new(write_some, &w[i]));
	}
	while (left)
		loop_run_once(loop_here(), true);
	for (unsigned i = 0; i < 400; i++) {
		u8 b[2];
		CHECK_EQ(blk_pread(n, i * 3000ull, &b[0], 1), 0);
		CHECK_EQ(blk_pread(n, i * 3000ull + 2999, &b[1], 1), 0);
		CHECK(b[0] == i % 8 && b[1] == i % 8);
	}
	check_clean(n);
	blk_unref(n);
	unlink(path);
	blk_graph_free(g);
}

/* With any header byte changed the image is refused or read without harm, and never written to. */
TEST(qcow2, changed_header_bytes_do_no_harm)
{
	struct blk_graph *g = blk_graph_new();
	char path[64];
	struct blk_node *n = image(g, path, kinds[0], BLK_RDWR), *file;
	u8 buf[4096] = { 1 };
	CHECK_EQ(blk_pwrite(n, 0, buf, sizeof(buf)), 0);
	blk_unref(n);
	struct err *e = blk_open(g, path, NULL, NULL, BLK_RDWR | BLK_PROTOCOL, &file);
	CHECK(!e);
	for (u64 at = 4; at < 112; at++)
		for (unsigned v = 0; v < 3; v++) {
			u8 old, now = (u8[]){ 0xff, 0x7f, 1 }[v];
			CHECK_EQ(blk_pread(file, at, &old, 1), 0);
			CHECK_EQ(blk_pwrite(file, at, &now, 1), 0);
			e = blk_open(g, path, "qcow2", NULL, BLK_NO_BACKING | BLK_FORCE_SHARE, &n);
			if (!e) {
				int r = blk_pread(n, 0, buf, sizeof(buf));
				(void)r;
				blk_unref(n);
			}
			err_free(e);
			CHECK_EQ(blk_pwrite(file, at, &old, 1), 0);
		}
	blk_unref(file);
	unlink(path);
	blk_graph_free(g);
}

/* What the header names far behind the file's end takes no memory, and is known once the file has grown so far. */
TEST(qcow2, tables_that_lie_far_away_do_not_make_the_map_of_metadata_huge)
{
	enum { L1_OFFSET = 40, CLUSTER = 65536 };
	struct blk_graph *g = blk_graph_new();
	char path[64];
	struct blk_node *n = image(g, path, kinds[0], BLK_RDWR), *file;
	blk_unref(n);
	struct err *e = blk_open(g, path, NULL, NULL, BLK_RDWR | BLK_PROTOCOL, &file);
	CHECK(!e);
	u8 far[8];
	st_be64(far, BIT(40));
	CHECK_EQ(blk_pwrite(file, L1_OFFSET, far, sizeof(far)), 0);
	blk_unref(file);
	e = blk_open(g, path, "qcow2", NULL, BLK_RDWR, &n);
	CHECK(!e);
	struct qcow2 *s = n->state;
	CHECK_EQ(qcow2_check_overlap(n, CLUSTER * 4, CLUSTER, 0), 0);
	CHECK(s->meta.bits && s->meta.n < BIT(20));
	n->file->size = BIT(41);
	CHECK(qcow2_check_overlap(n, BIT(40), CLUSTER, 0) != 0);
	blk_unref(n);
	unlink(path);
	blk_graph_free(g);
}
