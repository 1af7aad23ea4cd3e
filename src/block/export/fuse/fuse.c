//needs: fuse
/*
 * Spec       include/uapi/linux/fuse.h and fallocate(2), lseek(2) for what users of the file expect; libfuse's low-level API.
 *
 * The root of the mount is the file itself. Every request has a coroutine and a buffer of its own, so that written data goes
 * to the node from where the kernel put it.
 */
#define FUSE_USE_VERSION 31
#include "block/export/fuse/fuse.h"
#include "base/coroutine.h"
#include "base/loop/loop.h"
#include "block/root.h"
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/falloc.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Requests at once: each holds up to MAX_IO bytes. The kernel keeps the rest. */
enum { IN_FLIGHT = 32, MAX_IO = 1 << 20, A_TURN = 16, ALIGN = 4096 };
#define ATTR_SECONDS 1.0

struct fuse_export {
	struct blk_root root; /* its node is what is shown */
	struct fuse_session *session;
	char *mountpoint;
	bool mounted, writable, writethrough, growable, others, over;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	struct timespec since;
	struct loop *home, *loop; /* who made it; where requests run */
	struct loop_fd *watch; /* NULL: too many requests under way, or over */
	unsigned in_flight;
	struct request *unused;
	struct co_wait idle;
	void (*ended)(void *user);
	void *user;
};

struct request {
	struct request *next;
	struct fuse_export *export;
	struct fuse_buf buf;
};

static struct fuse_export *export_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* 0 or a negative errno, as the kernel's side knows it. */
static void answer(fuse_req_t req, int r)
{
	fuse_reply_err(req, r == -ENOTSUP ? EOPNOTSUPP : -r);
}

/* The caller of a system call sees a number only. */
static int errno_of(struct err *e)
{
	int number = err_errnum(e);
	if (!number)
		number = err_code(e) == ERR_UNSUPPORTED ? EOPNOTSUPP
			 : err_code(e) == ERR_DENIED	? EACCES
			 : err_code(e) == ERR_INVALID	? EINVAL
							: EIO;
	err_free(e);
	return -number;
}

/* ---- attributes ---- */

static void init(void *arg, struct fuse_conn_info *conn)
{
	conn->max_read = MAX_IO; /* as the mount option says */
	conn->max_write = MIN(conn->max_write, (u32)MAX_IO);
	conn->max_readahead = MIN(conn->max_readahead, (u32)MAX_IO);
	conn->max_background = IN_FLIGHT;
}

static struct stat attributes(struct fuse_export *x)
{
	u64 size = blk_size(x->root.node), taken = blk_disk_size(x->root.node);
	return (struct stat){
		.st_ino = FUSE_ROOT_ID,
		.st_mode = x->mode,
		.st_nlink = 1,
		.st_uid = x->uid,
		.st_gid = x->gid,
		.st_size = size,
		.st_blksize = MAX(x->root.node->align, 4096u),
		.st_blocks = (taken == ~0ull ? size : taken) / 512,
		.st_atim = x->since,
		.st_mtim = x->since,
		.st_ctim = x->since,
	};
}

static void getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st = attributes(export_of(req));
	fuse_reply_attr(req, &st, ATTR_SECONDS);
}

/* The end of a change that went well, or not: r. */
static int settle(struct fuse_export *x, int r)
{
	return !r && x->writethrough ? blk_flush(x->root.node) : r;
}

/* The old end is a hole afterwards: what a longer disk reads there is zeros. */
static int resize(struct fuse_export *x, u64 size, enum blk_prealloc prealloc)
{
	struct err *e = blk_truncate(x->root.node, size, true, prealloc, true);
	return e ? errno_of(e) : 0;
}

static int set_owner(struct fuse_export *x, const struct stat *want, int what)
{
	/* Nobody else can come in: there is nothing that another owner would mean. */
	if (!x->others)
		return -EOPNOTSUPP;
	if (what & FUSE_SET_ATTR_UID)
		x->uid = want->st_uid;
	if (what & FUSE_SET_ATTR_GID)
		x->gid = want->st_gid;
	return 0;
}

static int change(struct fuse_export *x, const struct stat *want, int what)
{
	enum {
		KNOWN = FUSE_SET_ATTR_SIZE | FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID,
		OWNER = FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID,
	};
	int r = 0;
	if (what & ~KNOWN)
		return -EOPNOTSUPP;
	if ((what & FUSE_SET_ATTR_SIZE) && !x->writable)
		return -EACCES;
	if ((what & FUSE_SET_ATTR_SIZE) && (want->st_size < 0 || want->st_size % 512))
		return -EINVAL;
	if ((what & FUSE_SET_ATTR_MODE) && !x->writable && (want->st_mode & 0222))
		return -EROFS;
	if (what & OWNER)
		r = set_owner(x, want, what);
	if (!r && (what & FUSE_SET_ATTR_SIZE))
		r = settle(x, resize(x, want->st_size, BLK_PREALLOC_OFF));
	if (!r && (what & FUSE_SET_ATTR_MODE))
		x->mode = (want->st_mode & 07777) | S_IFREG;
	return r;
}

static void setattr(fuse_req_t req, fuse_ino_t ino, struct stat *want, int what, struct fuse_file_info *fi)
{
	int r = change(export_of(req), want, what);
	if (r)
		answer(req, r);
	else
		getattr(req, ino, fi);
}

static void open_file(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fuse_reply_open(req, fi);
}

/* ---- data ---- */

static void read_file(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct blk_node *node = export_of(req)->root.node;
	u64 end = blk_size(node), from = offset;
	size = from < end ? MIN(size, end - from) : 0;
	void *buf;
	if (size > MAX_IO || posix_memalign(&buf, ALIGN, MAX(size, (size_t)1))) {
		answer(req, size > MAX_IO ? -EINVAL : -ENOMEM);
		return;
	}
	int r = size ? blk_pread(node, from, buf, size) : 0;
	if (r)
		answer(req, r);
	else
		fuse_reply_buf(req, buf, size);
	free(buf);
}

/* How much of a write the disk takes, once it is as long as it may become. */
static int make_room(struct fuse_export *x, u64 offset, size_t *size)
{
	u64 end = blk_size(x->root.node);
	if (offset + *size <= end)
		return 0;
	if (x->growable)
		return resize(x, ROUND_UP(offset + *size, 512ull), BLK_PREALLOC_OFF);
	*size = offset < end ? end - offset : 0;
	return *size ? 0 : -EIO;
}

static void write_file(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t offset,
		       struct fuse_file_info *fi)
{
	struct fuse_export *x = export_of(req);
	int r = !x->writable ? -EACCES : size > MAX_IO ? -EINVAL : make_room(x, offset, &size);
	if (!r)
		r = settle(x, blk_pwrite(x->root.node, offset, buf, size));
	if (r)
		answer(req, r);
	else
		fuse_reply_write(req, size);
}

static void sync_file(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi)
{
	answer(req, blk_flush(export_of(req)->root.node));
}

static void flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	sync_file(req, ino, 1, fi);
}

/* ---- room and holes ---- */

/* Reserving: only at the end, where making the disk longer does it. */
static int reserve(struct fuse_export *x, u64 offset, u64 len)
{
	if (!x->growable || offset < blk_size(x->root.node))
		return -EOPNOTSUPP;
	int r = offset > blk_size(x->root.node) ? resize(x, offset, BLK_PREALLOC_OFF) : 0;
	return r ? r : resize(x, ROUND_UP(offset + len, 512ull), BLK_PREALLOC_FALLOC);
}

static int make_zeros(struct fuse_export *x, u64 offset, u64 len, int mode)
{
	bool punch = mode & FALLOC_FL_PUNCH_HOLE;
	u64 end = blk_size(x->root.node);
	if (offset + len > end && !(mode & FALLOC_FL_KEEP_SIZE)) {
		int r =
		    x->growable ? resize(x, ROUND_UP(offset + len, 512ull), BLK_PREALLOC_OFF) : -EOPNOTSUPP;
		if (r)
			return r;
		end = blk_size(x->root.node);
	}
	if (offset >= end)
		return 0;
	/* Zeros are what both promise; a part of a cluster is written where it cannot be given back. */
	return blk_zero(x->root.node, offset, MIN(len, end - offset), punch ? BLK_REQ_MAY_UNMAP : 0);
}

static void allocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t len,
		     struct fuse_file_info *fi)
{
	struct fuse_export *x = export_of(req);
	u64 end;
	int r = -EOPNOTSUPP;
	if (!x->writable)
		r = -EACCES;
	else if (offset < 0 || len <= 0 || __builtin_add_overflow((u64)offset, (u64)len, &end) ||
		 end > INT64_MAX - 512)
		r = -EFBIG;
	else if (!mode)
		r = settle(x, reserve(x, offset, len));
	else if (mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE) ||
		 (mode & ~FALLOC_FL_KEEP_SIZE) == FALLOC_FL_ZERO_RANGE)
		r = settle(x, make_zeros(x, offset, len, mode));
	answer(req, r);
}

/* The first byte at or behind offset that is data, or is not. The end counts as a hole. */
static int find(struct blk_node *node, u64 offset, bool data, u64 *ret)
{
	u64 end = blk_size(node);
	if (offset >= end)
		return -ENXIO;
	while (offset < end) {
		struct blk_status s;
		int r = blk_status(node, NULL, offset, end - offset, &s);
		if (r)
			return r;
		if ((s.data && !s.zero) == data)
			break;
		offset += s.len;
	}
	*ret = MIN(offset, end);
	return data && offset >= end ? -ENXIO : 0;
}

static void seek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi)
{
	u64 at;
	int r = -EINVAL;
	if (offset < 0)
		r = -ENXIO;
	else if (whence == SEEK_DATA || whence == SEEK_HOLE)
		r = find(export_of(req)->root.node, offset, whence == SEEK_DATA, &at);
	if (r)
		answer(req, r);
	else
		fuse_reply_lseek(req, at);
}

static const struct fuse_lowlevel_ops operations = {
	.init = init,
	.getattr = getattr,
	.setattr = setattr,
	.open = open_file,
	.read = read_file,
	.write = write_file,
	.flush = flush,
	.fsync = sync_file,
	.fallocate = allocate,
	.lseek = seek,
};

/* ---- requests ---- */

static void ready(void *arg, u32 events);

static void listen_again(struct fuse_export *x)
{
	if (!x->watch && !x->over)
		x->watch = loop_watch(x->loop, fuse_session_fd(x->session), EPOLLIN, ready, x);
}

static void stop_listening(struct fuse_export *x)
{
	if (x->watch)
		loop_unwatch(x->watch);
	x->watch = NULL;
}

static void done(struct fuse_export *x)
{
	if (!--x->in_flight)
		co_wake_all(&x->idle);
}

static void work(void *arg)
{
	struct request *q = arg;
	struct fuse_export *x = q->export;
	blk_root_enter(&x->root);
	fuse_session_process_buf(x->session, &q->buf);
	blk_root_leave(&x->root);
	q->next = x->unused;
	x->unused = q;
	listen_again(x);
	done(x);
}

static struct request *request_new(struct fuse_export *x)
{
	struct request *q = x->unused;
	if (q)
		x->unused = q->next;
	else
		q = alloc(sizeof(*q));
	q->export = x;
	return q;
}

/* Takes one request in. Gives false when there is none, or none will come any more. */
static bool receive(struct fuse_export *x)
{
	struct request *q = request_new(x);
	int r = fuse_session_receive_buf(x->session, &q->buf);
	if (r > 0) {
		x->in_flight++;
		co_enter(co_new(work, q));
		return true;
	}
	q->next = x->unused;
	x->unused = q;
	/* 0: unmounted. A request that was taken back, or a full host, is no reason to end. */
	x->over |= !r || fuse_session_exited(x->session);
	return false;
}

static void tell(void *arg)
{
	struct fuse_export *x = arg;
	co_move(x->home);
	x->ended(x->user);
	done(x);
}

static void ready(void *arg, u32 events)
{
	struct fuse_export *x = arg;
	for (unsigned i = 0; i < A_TURN && x->in_flight < IN_FLIGHT && receive(x); i++)
		;
	if (x->over || x->in_flight >= IN_FLIGHT)
		stop_listening(x);
	if (x->over && x->ended) {
		x->in_flight++;
		co_enter(co_new(tell, x));
	}
}

/* ---- mounting ---- */

static struct err *mount_session(struct fuse_export *x)
{
	AUTO(free_ptr)
	char *options = strf("default_permissions%s,max_read=%d", x->others ? ",allow_other" : "", MAX_IO);
	char *argv[] = { "rhea", "-o", options, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	x->session = fuse_session_new(&args, &operations, sizeof(operations), x);
	fuse_opt_free_args(&args);
	if (!x->session)
		return err_new(ERR_IO, "Failed to set up FUSE session");
	if (fuse_session_mount(x->session, x->mountpoint)) {
		fuse_session_destroy(x->session);
		x->session = NULL;
		return err_hint(err_new(ERR_IO, "Failed to mount FUSE session to export"),
				"Mounting needs /dev/fuse, and fusermount3 for users other than root.");
	}
	x->mounted = true;
	return NULL;
}

static struct err *mount_export(struct fuse_export *x, enum fuse_others others)
{
	x->others = others != FUSE_OTHERS_OFF;
	struct err *e = mount_session(x);
	if (e && others == FUSE_OTHERS_AUTO) {
		err_free(e);
		x->others = false;
		e = mount_session(x);
	}
	if (e)
		return e;
	int fd = fuse_session_fd(x->session), flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return err_errno(errno, "Failed to prepare the FUSE device");
	listen_again(x);
	return NULL;
}

static struct err *check_mountpoint(const char *path, char **ret)
{
	struct stat st;
	if (stat(path, &st))
		return err_errno(errno, "Failed to stat '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_new(ERR_INVALID, "'%s' is not a regular file", path);
	/* The daemon's folder may change before it unmounts. */
	*ret = realpath(path, NULL);
	return *ret ? NULL : err_errno(errno, "Failed to resolve '%s'", path);
}

struct err *fuse_export_new(struct blk_node *node, const struct fuse_describe *d, struct fuse_export **ret)
{
	struct err *e = d->writable ? blk_need_writable(node) : NULL;
	if (e)
		return e;
	if (d->growable && !d->writable)
		return err_new(ERR_INVALID, "'growable' needs 'writable': a disk grows by being written to");
	struct fuse_export *x = alloc(sizeof(*x));
	*x = (struct fuse_export){ .writable = d->writable,
				   .writethrough = d->writethrough,
				   .growable = d->growable,
				   .home = loop_here(),
				   .loop = d->loop ? d->loop : loop_here(),
				   .mode = S_IFREG | (d->writable ? 0600 : 0400),
				   .uid = getuid(),
				   .gid = getgid(),
				   .ended = d->ended,
				   .user = d->user };
	blk_root_init(&x->root, node, d->use, "FUSE export on '%s'", d->mountpoint);
	clock_gettime(CLOCK_REALTIME, &x->since);
	e = check_mountpoint(d->mountpoint, &x->mountpoint);
	if (!e)
		e = mount_export(x, d->allow_other);
	if (e) {
		fuse_export_free(x);
		return e;
	}
	*ret = x;
	return NULL;
}

void fuse_export_free(struct fuse_export *x)
{
	stop_listening(x);
	x->over = true;
	while (x->in_flight)
		co_wait(&x->idle);
	if (x->mounted)
		fuse_session_unmount(x->session);
	if (x->session)
		fuse_session_destroy(x->session);
	for (struct request *q; (q = x->unused);) {
		x->unused = q->next;
		free(q->buf.mem);
		free(q);
	}
	blk_root_done(&x->root);
	free(x->mountpoint);
	free(x);
}
