//needs: fuse
#include "fuse.c"
#include "base/test.h"
#include <pthread.h>
#include <stdatomic.h>

/* A thread with a loop of its own serves; the test is the program that uses the file. */
struct server {
	pthread_t thread;
	char dir[64], image[96], file[96];
	const char *fmt;
	struct fuse_describe how;
	u32 flags;
	struct loop *loop;
	struct loop_job stop;
	bool end;
	struct err *error;
	atomic_bool up;
};

static void end_now(void *arg)
{
	((struct server *)arg)->end = true;
}

static void *serve(void *arg)
{
	struct server *s = arg;
	struct blk_graph *g = blk_graph_new();
	struct blk_node *node = NULL;
	struct fuse_export *x = NULL;
	s->loop = loop_here();
	s->error = blk_open(g, s->image, s->fmt, NULL, s->flags, &node);
	if (!s->error)
		s->error = fuse_export_new(node, &s->how, &x);
	atomic_store(&s->up, true);
	while (x && !s->end)
		loop_run_once(s->loop, true);
	if (x)
		fuse_export_free(x);
	blk_unref(node);
	blk_graph_free(g);
	loop_done();
	return NULL;
}

/* False: this host lets nobody mount. */
static bool start(struct server *s, const char *fmt)
{
	s->fmt = fmt;
	strcpy(s->dir, "/tmp/rhea-fuse-XXXXXX");
	CHECK(mkdtemp(s->dir) != NULL);
	snprintf(s->image, sizeof(s->image), "%s/image", s->dir);
	snprintf(s->file, sizeof(s->file), "%s/mount", s->dir);
	close(open(s->file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	struct blk_graph *g = blk_graph_new();
	struct json *opts = json_dict();
	json_set(opts, "size", json_str("4M"));
	struct err *e = blk_create_image(g, s->image, fmt, opts);
	CHECK(!e);
	err_free(e);
	blk_graph_free(g);
	s->how.mountpoint = s->file;
	s->stop = (struct loop_job){ .fn = end_now, .arg = s };
	pthread_create(&s->thread, NULL, serve, s);
	while (!atomic_load(&s->up))
		usleep(1000);
	if (!s->error)
		return true;
	if (access("/dev/fuse", R_OK | W_OK) || strstr(err_text(s->error), "Failed to mount"))
		test_skip("%s", err_text(s->error));
	else
		test_fail(__FILE__, __LINE__, "%s", err_text(s->error));
	return false;
}

static void stop(struct server *s)
{
	if (!s->error)
		loop_post(s->loop, &s->stop);
	pthread_join(s->thread, NULL);
	struct stat st;
	CHECK(stat(s->file, &st) == 0 && st.st_size == 0); /* unmounted: the covered file again */
	err_free(s->error);
	unlink(s->image);
	unlink(s->file);
	rmdir(s->dir);
}

static int open_export(struct server *s, int mode)
{
	int fd = open(s->file, mode | O_CLOEXEC);
	CHECK(fd >= 0);
	return fd;
}

static u64 length(int fd)
{
	struct stat st;
	CHECK(fstat(fd, &st) == 0);
	return st.st_size;
}

TEST(fuse, a_node_is_a_file_that_programs_read_and_write)
{
	struct server s = { .how = { .writable = true }, .flags = BLK_RDWR | BLK_UNMAP };
	static u8 a[300000], b[300000];
	if (start(&s, "qcow2")) {
		int fd = open_export(&s, O_RDWR);
		CHECK_EQ(length(fd), 4 << 20);
		for (size_t i = 0; i < sizeof(a); i++)
			a[i] = i * 7 + i / 256;
		CHECK_EQ(pwrite(fd, a, sizeof(a), 12345), sizeof(a));
		CHECK_EQ(fsync(fd), 0);
		CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
		CHECK_EQ(pread(fd, b, sizeof(b), 12345), sizeof(b));
		CHECK(memcmp(a, b, sizeof(a)) == 0);
		CHECK_EQ(pread(fd, b, 10, (4 << 20) - 4), 4);
		CHECK_EQ(close(fd), 0);
	}
	stop(&s);
}

TEST(fuse, holes_are_punched_and_found)
{
	struct server s = { .how = { .writable = true }, .flags = BLK_RDWR | BLK_UNMAP };
	static u8 a[0x40000];
	if (start(&s, "qcow2")) {
		int fd = open_export(&s, O_RDWR);
		CHECK_EQ(lseek(fd, 0, SEEK_DATA), -1);
		CHECK_EQ(errno, ENXIO);
		memset(a, 9, sizeof(a));
		CHECK_EQ(pwrite(fd, a, sizeof(a), 0x100000), sizeof(a));
		CHECK_EQ(fsync(fd), 0);
		CHECK_EQ(lseek(fd, 0, SEEK_DATA), 0x100000);
		CHECK_EQ(lseek(fd, 0x100000, SEEK_HOLE), 0x140000);
		CHECK_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0x110000, 0x10000), 0);
		CHECK_EQ(lseek(fd, 0x100000, SEEK_HOLE), 0x110000);
		CHECK_EQ(lseek(fd, 0x110000, SEEK_DATA), 0x120000);
		CHECK_EQ(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0x120000, 512), 0);
		CHECK_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0x130200, 512), 0);
		CHECK_EQ(pread(fd, a, 1024, 0x130000), 1024);
		CHECK(a[511] == 9 && is_zero(a + 512, 512));
		CHECK_EQ(pread(fd, a, 1024, 0x120000), 1024);
		CHECK(is_zero(a, 512) && a[512] == 9);
		CHECK_EQ(fallocate(fd, 0, 0, 4096), -1);
		CHECK_EQ(errno, EOPNOTSUPP);
		close(fd);
	}
	stop(&s);
}

TEST(fuse, only_growable_exports_grow_by_writing_all_writable_ones_by_truncate)
{
	for (unsigned growable = 0; growable < 2; growable++) {
		struct server s = { .how = { .writable = true, .growable = growable },
				    .flags = BLK_RDWR | BLK_RESIZE };
		if (start(&s, growable ? "qcow2" : "raw")) {
			int fd = open_export(&s, O_RDWR);
			if (growable) {
				CHECK_EQ(pwrite(fd, "x", 1, 5 << 20), 1);
				CHECK_EQ(length(fd), (5 << 20) + 512);
				CHECK_EQ(fallocate(fd, 0, 6 << 20, 1 << 20), 0);
				CHECK_EQ(length(fd), 7 << 20);
			} else {
				CHECK_EQ(pwrite(fd, "x", 1, 5 << 20), -1);
				CHECK_EQ(length(fd), 4 << 20);
				CHECK_EQ(fallocate(fd, 0, 6 << 20, 1 << 20), -1);
			}
			CHECK_EQ(ftruncate(fd, 8 << 20), 0);
			CHECK_EQ(length(fd), 8 << 20);
			CHECK_EQ(ftruncate(fd, 1000), -1);
			close(fd);
		}
		stop(&s);
	}
}

TEST(fuse, a_read_only_export_takes_no_writes)
{
	struct server s = { 0 };
	if (start(&s, "raw")) {
		int fd = open(s.file, O_RDWR | O_CLOEXEC);
		/* Root passes the mode bits, and is stopped at the write. */
		CHECK(fd < 0 || pwrite(fd, "x", 1, 0) < 0);
		CHECK_EQ(errno, EACCES);
		CHECK(fd < 0 || ftruncate(fd, 0) < 0);
		CHECK(chmod(s.file, 0666) < 0);
		CHECK_EQ(errno, EROFS);
		if (fd >= 0)
			close(fd);
	}
	stop(&s);
}

TEST(fuse, what_cannot_be_exported_is_refused)
{
	struct blk_graph *g = blk_graph_new();
	struct blk_node *node;
	struct fuse_export *x;
	struct err *e = blk_open(g, "null-co://", "raw", NULL, 0, &node);
	CHECK(!e);
	struct fuse_describe how = { .mountpoint = "/tmp" };
	e = fuse_export_new(node, &how, &x);
	CHECK(e);
	CHECK_STR(err_text(e), "'/tmp' is not a regular file");
	err_free(e);
	how = (struct fuse_describe){ .mountpoint = "/nonexistent/file" };
	e = fuse_export_new(node, &how, &x);
	CHECK(e && err_errnum(e) == ENOENT);
	err_free(e);
	how.writable = true;
	e = fuse_export_new(node, &how, &x);
	CHECK(e);
	CHECK_STR(err_text(e), "Block node is read-only");
	err_free(e);
	blk_unref(node);
	blk_graph_free(g);
}
