/* vFile: the client reads files of the target's, so that it needs no copy of its own of the program and its libraries. Read only. */
#include "control/gdb/priv.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_EMFILE = 24, FILE_ENAMETOOLONG = 91, FILE_EUNKNOWN = 9999, NAME_BYTES = 4096 };

/* Numbers of the protocol's own (appendix E.13.7.2, "Errno Values"): Linux's up to 30. */
static void put_failure(struct gdb *g, int err)
{
	int code = err <= 30 ? err : err == ENAMETOOLONG ? FILE_ENAMETOOLONG : FILE_EUNKNOWN;
	reply_fmt(&g->out, "F-1,%x", code);
}

static void put_number(struct gdb *g, u64 n)
{
	reply_fmt(&g->out, "F%llx", (unsigned long long)n);
}

static int *find(struct gdb *g, const char **p)
{
	u64 n;
	return scan_hex(p, &n) && n < FILES_MAX && g->file[n] >= 0 ? &g->file[n] : NULL;
}

/* A name in hexadecimal digits; false: longer than names can be. */
static bool scan_name(const char **p, char *name)
{
	size_t n = scan_bytes(*p, (u8 *)name, NAME_BYTES - 1);
	name[n] = 0;
	*p += 2 * n;
	return n < NAME_BYTES - 1 && (!**p || **p == ',');
}

static void open_file(struct gdb *g, const char *p)
{
	char name[NAME_BYTES];
	u64 flags, mode;
	unsigned i = 0;
	if (!scan_name(&p, name) || !skip_char(&p, ',') || !scan_hex(&p, &flags) || !skip_char(&p, ',') ||
	    !scan_hex(&p, &mode)) {
		put_failure(g, EINVAL);
		return;
	}
	while (i < FILES_MAX && g->file[i] >= 0)
		i++;
	int fd = flags ? -EROFS : i == FILES_MAX ? -FILE_EMFILE : g->ops->open(g->user, name);
	if (fd < 0) {
		put_failure(g, -fd);
		return;
	}
	g->file[i] = fd;
	put_number(g, i);
}

static void read_file(struct gdb *g, const char *p)
{
	u64 count, offset;
	u8 buf[PACKET_MAX / 2];
	const int *fd = find(g, &p);
	if (!fd || !skip_char(&p, ',') || !scan_hex(&p, &count) || !skip_char(&p, ',') ||
	    !scan_hex(&p, &offset)) {
		put_failure(g, fd ? EINVAL : EBADF);
		return;
	}
	ssize_t n = pread(*fd, buf, MIN(count, sizeof(buf)), (off_t)offset);
	if (n < 0) {
		put_failure(g, errno);
		return;
	}
	put_number(g, (u64)n);
	reply_put(&g->out, ";", 1);
	reply_put(&g->out, buf, (size_t)n);
}

/* struct stat as the protocol lays it out (E.13.8.2): big-endian words. */
static void stat_file(struct gdb *g, const char *p)
{
	struct stat st;
	u8 b[64];
	const int *fd = find(g, &p);
	if (!fd || fstat(*fd, &st) < 0) {
		put_failure(g, fd ? errno : EBADF);
		return;
	}
	const u32 head[] = { (u32)st.st_dev, (u32)st.st_ino, st.st_mode,     (u32)st.st_nlink,
			     st.st_uid,	     st.st_gid,	     (u32)st.st_rdev };
	const u64 sizes[] = { (u64)st.st_size, (u64)st.st_blksize, (u64)st.st_blocks };
	const u32 times[] = { (u32)st.st_atime, (u32)st.st_mtime, (u32)st.st_ctime };
	for (unsigned i = 0; i < LEN(head); i++)
		st_be32(b + 4 * i, head[i]);
	for (unsigned i = 0; i < LEN(sizes); i++)
		st_be64(b + 28 + 8 * i, sizes[i]);
	for (unsigned i = 0; i < LEN(times); i++)
		st_be32(b + 52 + 4 * i, times[i]);
	put_number(g, sizeof(b));
	reply_put(&g->out, ";", 1);
	reply_put(&g->out, b, sizeof(b));
}

static void close_file(struct gdb *g, const char *p)
{
	int *fd = find(g, &p);
	if (!fd) {
		put_failure(g, EBADF);
		return;
	}
	close(*fd);
	*fd = -1;
	put_number(g, 0);
}

void file_run(struct gdb *g, const char *p)
{
	static const struct {
		const char *name;
		void (*run)(struct gdb *g, const char *p);
	} requests[] = { { "open:", open_file },
			 { "pread:", read_file },
			 { "fstat:", stat_file },
			 { "close:", close_file } };
	if (!g->ops->open)
		return;
	if (skip_text(&p, "setfs:")) { /* there is one file system, whatever the process */
		put_number(g, 0);
		return;
	}
	for (unsigned i = 0; i < LEN(requests); i++)
		if (skip_text(&p, requests[i].name)) {
			requests[i].run(g, p);
			return;
		}
}

void file_close_all(struct gdb *g)
{
	for (unsigned i = 0; i < FILES_MAX; i++)
		if (g->file[i] >= 0)
			close(g->file[i]);
}
