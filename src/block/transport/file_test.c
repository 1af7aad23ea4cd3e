#include "file.c"
#include "base/test.h"
#include "block/graph.h"
#include <linux/fiemap.h>
#include <stdlib.h>

enum { PIECE = 1 << 20, FAR = 8 << 20 };

struct far_write {
	struct blk_node *node;
	u8 *buf;
	int result;
};

static void write_far(void *arg)
{
	struct far_write *w = arg;
	w->result = blk_pwrite(w->node, FAR, w->buf, PIECE);
}

/* Until the bytes are in the file. The write's coroutine does not know yet: no loop runs. */
static void await_bytes(const char *path)
{
	struct stat st = { 0 };
	for (unsigned i = 0; i < 10000 && st.st_size < FAR + PIECE; i++) {
		usleep(1000);
		CHECK_EQ(stat(path, &st), 0);
	}
	CHECK_EQ(st.st_size, FAR + PIECE);
}

static void rest(void *arg UNUSED)
{
	co_sleep(1);
}

/* lengthen: what makes the file longer while a write further on is in flight; gives its result. */
static void grow_beside_a_write(int (*lengthen)(struct blk_node *node))
{
	char path[] = "/tmp/rhea-file-XXXXXX";
	close(mkstemp(path));
	struct blk_graph *g = blk_graph_new();
	struct far_write w = { .buf = alloc(PIECE), .result = 1 };
	struct err *e = blk_open(g, path, NULL, NULL, BLK_RDWR | BLK_PROTOCOL | BLK_RESIZE, &w.node);
	CHECK(!e);
	memset(w.buf, 0xa5, PIECE);
	co_enter(co_new(write_far, &w));
	await_bytes(path);
	CHECK_EQ(lengthen(w.node), 0);
	while (w.result == 1)
		co_run(rest, NULL);
	CHECK_EQ(w.result, 0);
	memset(w.buf, 0, PIECE);
	CHECK_EQ(blk_pread(w.node, FAR, w.buf, PIECE), 0);
	CHECK(w.buf[0] == 0xa5 && w.buf[PIECE - 1] == 0xa5);
	/* Nothing is in flight any more: what was asked for counts. */
	e = blk_truncate(w.node, 2 * FAR, true, BLK_PREALLOC_OFF, false);
	CHECK(!e);
	CHECK_EQ(w.node->size, 2 * FAR);
	blk_unref(w.node);
	unlink(path);
	free(w.buf);
	blk_graph_free(g);
}

static int grow_by_zeros(struct blk_node *node)
{
	return blk_zero(node, PIECE, PIECE, BLK_REQ_MAY_UNMAP);
}

static int grow_by_length(struct blk_node *node)
{
	struct err *e = blk_truncate(node, PIECE, false, BLK_PREALLOC_OFF, true);
	int r = e ? -EIO : 0;
	err_free(e);
	return r;
}

TEST(file, zeros_at_the_end_do_not_cut_off_a_write_in_flight_behind_them)
{
	grow_beside_a_write(grow_by_zeros);
}

TEST(file, growing_does_not_cut_off_a_write_in_flight_behind_the_new_end)
{
	grow_beside_a_write(grow_by_length);
}

/* Whether the file system still has to find room for what was written at offset. */
static bool is_put_off(int fd, u64 offset)
{
	union {
		struct fiemap map;
		u8 room[sizeof(struct fiemap) + sizeof(struct fiemap_extent)];
	} m = { .map = { .fm_start = offset, .fm_length = 4096, .fm_extent_count = 1 } };
	CHECK_EQ(ioctl(fd, FS_IOC_FIEMAP, &m.map), 0);
	CHECK_EQ(m.map.fm_mapped_extents, 1);
	return m.map.fm_extents[0].fe_flags & FIEMAP_EXTENT_DELALLOC;
}

/* In the file's last hole, and behind its end. */
TEST(file, long_writes_to_nowhere_yet_ask_ext4_for_their_room)
{
	char path[] = "/var/tmp/rhea-file-XXXXXX"; /* tmpfs is asked for nothing */
	int fd = mkstemp(path);
	struct statfs fs;
	struct blk_graph *g = blk_graph_new();
	struct blk_node *node;
	u8 *buf = alloc(PIECE);
	if (fstatfs(fd, &fs) || fs.f_type != EXT4_MAGIC) {
		printf("# not tried: %s is not on ext4\n", path);
		goto out;
	}
	CHECK_EQ(ftruncate(fd, 4 * PIECE), 0);
	CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
	struct err *e = blk_open(g, path, NULL, NULL, BLK_RDWR | BLK_PROTOCOL | BLK_RESIZE, &node);
	CHECK(!e);
	memset(buf, 0xa5, PIECE);
	CHECK_EQ(blk_pwrite(node, PIECE, buf, PIECE), 0);
	CHECK_EQ(blk_pwrite(node, 6 * PIECE, buf, PIECE), 0);
	CHECK_EQ(blk_pwrite(node, 9 * PIECE, buf, 4096), 0);
	struct stat st;
	CHECK(!is_put_off(fd, PIECE) && !is_put_off(fd, 6 * PIECE));
	CHECK(fstat(fd, &st) == 0 && st.st_size == 9 * PIECE + 4096);
	CHECK(st.st_blocks >= 2 * PIECE / 512 && st.st_blocks < 3 * PIECE / 512);
	memset(buf, 0, PIECE);
	CHECK_EQ(blk_pread(node, PIECE, buf, PIECE), 0);
	CHECK(buf[0] == 0xa5 && buf[PIECE - 1] == 0xa5);
	CHECK_EQ(blk_pread(node, 5 * PIECE, buf, PIECE), 0);
	CHECK(buf[0] == 0 && buf[PIECE - 1] == 0);
	blk_unref(node);
out:
	free(buf);
	blk_graph_free(g);
	close(fd);
	unlink(path);
}
