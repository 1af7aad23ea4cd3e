#include "raw.c"
#include "base/test.h"
#include <stdio.h>
#include <unistd.h>

static struct blk_node *make(struct blk_graph *g, char *path, const char *options)
{
	struct blk_node *node = NULL;
	struct json *opts = json_dict(), *how;
	strcpy(path, "/tmp/rhea-raw-XXXXXX");
	close(mkstemp(path));
	json_set(opts, "size", json_str("1M"));
	struct err *e = blk_create_image(g, path, "raw", opts);
	CHECK(!e);
	err_free(e);
	e = json_parse(options, strlen(options), &how);
	CHECK(!e);
	e = blk_open(g, path, "raw", how, BLK_RDWR | BLK_UNMAP, &node);
	if (e)
		test_fail(__FILE__, __LINE__, "%s", err_text(e));
	err_free(e);
	return node;
}

TEST(raw, what_is_written_is_read_and_zeros_become_holes)
{
	struct blk_graph *g = blk_graph_new();
	char path[64];
	struct blk_node *n = make(g, path, "{}");
	u8 buf[8192];
	memset(buf, 0xa5, sizeof(buf));
	CHECK_EQ(blk_pwrite(n, 4096, buf, sizeof(buf)), 0);
	CHECK_EQ(blk_zero(n, 4096, 4096, BLK_REQ_MAY_UNMAP), 0);
	CHECK_EQ(blk_pread(n, 4096, buf, sizeof(buf)), 0);
	CHECK(is_zero(buf, 4096));
	CHECK_EQ(buf[4096], 0xa5);
	CHECK_EQ(blk_pwrite(n, 1 << 20, buf, 512), (u64)-EIO);
	blk_unref(n);
	unlink(path);
	blk_graph_free(g);
}

TEST(raw, offset_and_size_show_a_part_of_the_file)
{
	struct blk_graph *g = blk_graph_new();
	char path[64];
	struct blk_node *n = make(g, path, "{'offset': 65536, 'size': 4096}");
	u8 buf[512] = { 7 };
	CHECK_EQ(blk_size(n), 4096);
	CHECK_EQ(blk_pwrite(n, 0, buf, 512), 0);
	CHECK_EQ(blk_pread(n->file, 65536, buf, 1), 0);
	CHECK_EQ(buf[0], 7);
	struct err *e = blk_truncate(n, 8192, false, BLK_PREALLOC_OFF, false);
	CHECK(e && err_code(e) == ERR_UNSUPPORTED);
	err_free(e);
	blk_unref(n);
	unlink(path);
	blk_graph_free(g);
}

TEST(raw, a_second_writer_is_refused_only_by_formats_that_ask_for_it)
{
	struct blk_graph *g = blk_graph_new();
	char path[64];
	struct blk_node *n = make(g, path, "{}"), *alone, *second = NULL;
	struct err *e = blk_open(g, path, NULL, NULL, BLK_PROTOCOL | BLK_KEEP_WRITERS_OUT, &alone);
	CHECK(e && strcmp(err_text(e), "Failed to get shared \"write\" lock") == 0);
	err_free(e);
	e = blk_open(g, path, "raw", NULL, BLK_RDWR, &second);
	CHECK(!e);
	blk_unref(second);
	blk_unref(n);
	unlink(path);
	blk_graph_free(g);
}

TEST(raw, unknown_options_are_refused_by_name)
{
	struct blk_graph *g = blk_graph_new();
	char path[64];
	struct blk_node *n = make(g, path, "{}"), *m = NULL;
	struct json *how = json_dict();
	json_set(how, "frob", json_int(1));
	struct err *e = blk_open(g, path, "raw", how, 0, &m);
	CHECK(e);
	CHECK_STR(err_text(e), "Block format 'raw' does not support the option 'frob'");
	err_free(e);
	blk_unref(n);
	unlink(path);
	blk_graph_free(g);
}
