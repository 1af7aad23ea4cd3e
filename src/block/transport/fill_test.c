#include "fill.c"
#include "base/test.h"
#include "block/graph.h"
#include "block/blk.h"
#include "base/coroutine.h"
#include "base/loop/loop.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PIECE = 1 << 20 };

/* A new file on a tmpfs, of this length; -1: there is none, or it cannot be filled, which is told. */
static int new_file(char *path, off_t len, int *ret_filler)
{
	strcpy(path, "/dev/shm/rhea-fill-XXXXXX");
	int fd = mkstemp(path);
	if (fd >= 0 && ftruncate(fd, len) == 0 && (*ret_filler = fill_open(fd)) >= 0)
		return fd;
	test_skip("/dev/shm is no tmpfs, or userfaultfd(2) is not allowed");
	if (fd >= 0) {
		unlink(path);
		close(fd);
	}
	return -1;
}

static bool holds(int fd, u64 at, u8 byte)
{
	u8 got[FILL_UNIT], want[FILL_UNIT];
	memset(want, byte, sizeof(want));
	return pread(fd, got, sizeof(got), (off_t)at) == FILL_UNIT && !memcmp(got, want, sizeof(got));
}

TEST(fill, holes_are_filled_and_nothing_else)
{
	char path[40];
	int filler, fd = new_file(path, 4 * PIECE, &filler);
	if (fd < 0)
		return;
	u8 *buf = alloc(PIECE + 1);
	memset(buf, 0xa5, PIECE + 1);
	CHECK_EQ(fill_pages(filler, fd, PIECE, buf + 1, PIECE), 0); /* the source may lie anywhere */
	CHECK(holds(fd, PIECE, 0xa5) && holds(fd, 2 * PIECE - FILL_UNIT, 0xa5));
	CHECK(holds(fd, PIECE - FILL_UNIT, 0) && holds(fd, 2 * PIECE, 0));
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), PIECE);
	CHECK_EQ(lseek(fd, PIECE, SEEK_HOLE), 2 * PIECE);
	/* what is there stays, and so does the file's end */
	memset(buf, 0x5a, PIECE);
	CHECK_EQ(fill_pages(filler, fd, PIECE, buf, PIECE), -EAGAIN);
	CHECK(holds(fd, PIECE, 0xa5));
	CHECK_EQ(fill_pages(filler, fd, 4 * PIECE, buf, PIECE), -EAGAIN);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 4 * PIECE);
	free(buf);
	unlink(path);
	close(fd);
	close(filler);
}

struct writes {
	struct blk_node *node;
	u8 *buf;
	int result;
};

/* Over a page that is there, into a hole, and behind the end. */
static void write_some(void *arg)
{
	struct writes *w = arg;
	w->result = blk_pwrite(w->node, PIECE + FILL_UNIT, w->buf, FILL_UNIT);
	for (unsigned i = 1; i < 4 && !w->result; i++)
		w->result = blk_pwrite(w->node, (u64)i * PIECE, w->buf + i, PIECE);
}

TEST(fill, writes_end_well_whatever_was_there)
{
	char path[40];
	int filler, fd = new_file(path, 3 * PIECE, &filler);
	if (fd < 0)
		return;
	struct timespec old[2] = { { 1, 0 }, { 1, 0 } };
	struct stat st;
	CHECK_EQ(futimens(fd, old), 0);
	struct blk_graph *g = blk_graph_new();
	struct writes w = { .buf = alloc(PIECE + 4) };
	struct err *e = blk_open(g, path, NULL, NULL, BLK_RDWR | BLK_PROTOCOL | BLK_RESIZE, &w.node);
	CHECK(!e && w.node->abreast);
	for (unsigned i = 0; i < PIECE + 4; i++)
		w.buf[i] = (u8)(i * 7 + i / 4096);
	co_run(write_some, &w);
	CHECK_EQ(w.result, 0);
	blk_unref(w.node);
	blk_graph_free(g);
	u8 *got = alloc(PIECE);
	for (unsigned i = 1; i < 4; i++)
		CHECK(pread(fd, got, PIECE, (off_t)i * PIECE) == PIECE && !memcmp(got, w.buf + i, PIECE));
	CHECK(pread(fd, got, PIECE, 0) == PIECE && !got[0] && !memcmp(got, got + 1, PIECE - 1));
	CHECK(!fstat(fd, &st) && st.st_mtim.tv_sec > 1 && st.st_size == 4 * PIECE);
	free(got);
	free(w.buf);
	unlink(path);
	close(fd);
	close(filler);
}
