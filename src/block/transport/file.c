/*
 * file, host_device, host_cdrom: a file or block device of the host.
 *
 * Reads that the page cache can answer happen on the spot (RWF_NOWAIT); what would block goes to a worker thread.
 * Buffered writes are copies into the page cache and happen on the spot as well. With O_DIRECT everything goes to workers,
 * and buffers that are not aligned are bounced.
 * On ext4 a long write behind all that the file holds asks for its room first: else the file system sets it aside block by block, which takes two fifths
 * of the time (docs/performance.md).
 * With aio=io_uring, and aio=native (which needs O_DIRECT), the kernel does the waiting in place of workers.
 * Options    filename, locking (on, off, auto), aio (threads, native, io_uring).
 */
#include "block/blk.h"
#include "block/transport/aio.h"
#include "block/transport/lock.h"
#include "base/coroutine.h"
#include "base/loop/loop.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

/* From BIG bytes on copying takes longer than handing over to a worker, and other requests can go on meanwhile. */
enum { MAX_IOV = 1024, CHUNK = 1 << 20, BIG = 128 << 10 };
/* From ROOM bytes on asking for room first is worth it. */
enum { ROOM = 512 << 10, EXT4_MAGIC = 0xef53 /* of statfs(2) */ };

/* Each thread that serves requests has a context of its own. */
struct file_aio {
	struct file_aio *next;
	struct loop *loop;
	struct aio *aio;
};

struct file {
	int fd;
	char *name;
	int (*new_aio)(struct aio **ret); /* NULL: worker threads */
	struct file_aio *aios;
	bool native; /* Linux AIO: only with O_DIRECT */
	u64 bytes; /* exact size */
	/* Writes in flight, and the end of the furthest (else of the file): growing must not cut off what one has written already. */
	unsigned writing;
	u64 reach;
	u64 filled; /* from there on the file holds nothing, as far as we know */
	bool device, direct, no_nowait, no_zero_range, no_punch, locking, dropped;
	bool wants_room; /* the file system is one where asking for it is worth it */
	u32 perm, alone; /* locks held */
	/* The last answer of SEEK_DATA or SEEK_HOLE. */
	u64 seek_from, seek_to;
	bool seek_hole;
};

static const char *const file_prefixes[] = { "file", NULL };
static const char *const device_prefixes[] = { "host_device", NULL };
static const char *const cdrom_prefixes[] = { "host_cdrom", NULL };

/* ---- moving bytes ---- */

struct op {
	int fd;
	bool write;
	u64 offset;
	struct iovs iov;
	int how; /* RWF_DSYNC: a write is on stable storage when it ends */
	bool room; /* a write that asks for its room first */
};

/* All of it, blocking. Reads beyond the end give zeros. */
static int move_all(void *arg)
{
	struct op *op = arg;
	struct iovec v[MAX_IOV];
	if (op->room) /* a wish: the write itself says what is wrong */
		(void)!fallocate(op->fd, FALLOC_FL_KEEP_SIZE, op->offset, op->iov.len);
	while (op->iov.len) {
		size_t want;
		unsigned n = iovs_list(op->iov, v, MAX_IOV, &want);
		ssize_t got = !op->write ? preadv(op->fd, v, n, op->offset)
			      : op->how	 ? pwritev2(op->fd, v, n, op->offset, op->how)
					 : pwritev(op->fd, v, n, op->offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got && op->write)
			return -ENOSPC;
		if (!got) {
			iovs_fill(op->iov, 0);
			return 0;
		}
		op->offset += got;
		op->iov = iovs_cut(op->iov, got, op->iov.len - got);
	}
	return 0;
}

/* On the spot: what the page cache holds, or takes. */
static int move_here(struct op *op)
{
	loop_let();
	int r = move_all(op);
	loop_retake();
	return r;
}

static struct aio *add_aio(struct file *s, struct aio *aio)
{
	struct file_aio *a = alloc(sizeof(*a));
	*a = (struct file_aio){ s->aios, loop_here(), aio };
	s->aios = a;
	return aio;
}

static void drop_aio(struct file_aio **at)
{
	struct file_aio *a = *at;
	*at = a->next;
	a->aio->close(a->aio);
	free(a);
}

/* The calling thread's context; NULL: there is none to be had. */
static struct aio *aio_here(struct file *s)
{
	struct file_aio *a = s->aios;
	struct aio *new;
	while (a && a->loop != loop_here())
		a = a->next;
	if (a)
		return a->aio;
	return s->new_aio(&new) ? NULL : add_aio(s, new);
}

/* The same by io_uring or native AIO. */
static int move_by_kernel(struct aio *aio, struct op *op)
{
	while (op->iov.len) {
		struct iovec v[64];
		size_t want;
		unsigned n = iovs_list(op->iov, v, LEN(v), &want);
		ssize_t got = aio->rw(aio, op->fd, op->write, v, n, op->offset, op->how);
		if (got == -EINTR || got == -EAGAIN)
			continue;
		if (got < 0)
			return got;
		if (!got && op->write)
			return -ENOSPC;
		if (!got) {
			iovs_fill(op->iov, 0);
			return 0;
		}
		op->offset += got;
		op->iov = iovs_cut(op->iov, got, op->iov.len - got);
	}
	return 0;
}

static int move(struct file *s, struct op *op)
{
	struct aio *aio = s->new_aio ? aio_here(s) : NULL;
	return aio ? move_by_kernel(aio, op) : work_run(move_all, op);
}

static bool aligned(struct iovs iov, u64 offset, u32 align)
{
	struct iovec v[16];
	size_t got;
	unsigned n = iovs_list(iov, v, LEN(v), &got);
	if (got < iov.len || (offset | iov.len) & (align - 1))
		return false;
	for (unsigned i = 0; i < n; i++)
		if (((uintptr_t)v[i].iov_base | v[i].iov_len) & (align - 1))
			return false;
	return true;
}

/* O_DIRECT with buffers or offsets that the device does not take: through an aligned copy. */
static int bounce(struct blk_node *node, u64 offset, struct iovs iov, bool write, int how)
{
	struct file *s = node->state;
	u32 align = MAX(node->align, 512u);
	u64 from = ROUND_DOWN(offset, (u64)align), to = ROUND_UP(offset + iov.len, (u64)align);
	void *buf;
	if (posix_memalign(&buf, MAX(align, 4096u), to - from))
		return -ENOMEM;
	struct iovec v;
	struct op op = { s->fd, false, from, iovs_one(&v, buf, to - from), 0 };
	bool cut = from != offset || to != offset + iov.len;
	int r = !write || cut ? move(s, &op) : 0;
	if (!r && write) {
		iovs_to_buf(iov, (char *)buf + (offset - from));
		op = (struct op){ s->fd, true, from, iovs_one(&v, buf, to - from), how };
		r = move(s, &op);
	} else if (!r) {
		iovs_from_buf(iov, (char *)buf + (offset - from));
	}
	free(buf);
	return r;
}

static int preadv_file(struct blk_node *node, u64 offset, struct iovs iov, u32 flags UNUSED)
{
	struct file *s = node->state;
	struct op op = { s->fd, false, offset, iov, 0 };
	if (UNLIKELY(s->direct))
		return aligned(iov, offset, node->align) ? move(s, &op) : bounce(node, offset, iov, false, 0);
	if (s->new_aio)
		return move(s, &op);
	if (iov.len >= BIG && co_self())
		return work_run(move_all, &op);
	if (s->no_nowait || !co_self())
		return move_here(&op);
	while (op.iov.len) {
		struct iovec v[64];
		size_t want;
		unsigned n = iovs_list(op.iov, v, LEN(v), &want);
		loop_let();
		ssize_t got = preadv2(s->fd, v, n, op.offset, RWF_NOWAIT);
		bool never = got < 0 && errno == EOPNOTSUPP;
		loop_retake();
		if (got == (ssize_t)op.iov.len)
			return 0;
		if (never) {
			s->no_nowait = true;
			return move_here(&op);
		}
		if (got <= 0)
			return work_run(move_all, &op);
		op.offset += got;
		op.iov = iovs_cut(op.iov, got, op.iov.len - got);
	}
	return 0;
}

static void grown(struct blk_node *node, u64 end)
{
	struct file *s = node->state;
	if (end > s->bytes) {
		s->bytes = end;
		node->size = ROUND_UP(end, 512ull);
	}
}

static void begin_write(struct file *s, u64 end)
{
	s->seek_to = 0;
	s->writing++;
	s->reach = MAX(s->reach, end);
}

/* end: of what was written */
static void end_write(struct blk_node *node, u64 end)
{
	struct file *s = node->state;
	grown(node, end);
	if (!--s->writing)
		s->reach = s->bytes;
}

static int pwritev_file(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	struct file *s = node->state;
	struct op op = { s->fd, true, offset, iov, flags & BLK_REQ_FUA ? RWF_DSYNC : 0 };
	int r;
	op.room = s->wants_room && !s->direct && offset >= s->filled && iov.len >= ROOM;
	s->filled = MAX(s->filled, offset + iov.len);
	begin_write(s, offset + iov.len);
	if (LIKELY(!s->direct && !s->new_aio))
		r = iov.len >= BIG || op.how ? work_run(move_all, &op) : move_here(&op);
	else if (!s->direct || aligned(iov, offset, node->align))
		r = move(s, &op);
	else
		r = bounce(node, offset, iov, true, op.how);
	end_write(node, r ? 0 : offset + iov.len);
	return r;
}

static int sync_fd(void *arg)
{
	struct file *s = arg;
	int r;
	do
		r = fdatasync(s->fd);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

static int flush(struct blk_node *node)
{
	struct file *s = node->state;
	struct aio *aio = s->new_aio ? aio_here(s) : NULL;
	return aio && aio->sync ? aio->sync(aio, s->fd) : work_run(sync_fd, s);
}

struct copy {
	int from, to;
	u64 src, dst, len;
};

static int copy_all(void *arg)
{
	struct copy *c = arg;
	while (c->len) {
		off_t src = c->src, dst = c->dst;
		ssize_t n = copy_file_range(c->from, &src, c->to, &dst, MIN(c->len, (u64)1 << 30), 0);
		if (n < 0 && errno == EINTR)
			continue;
		/* Nothing was copied: the source's last sector may end behind its file. */
		if (!n || (n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EBADF)))
			return -ENOTSUP;
		if (n < 0)
			return -errno;
		c->src += n;
		c->dst += n;
		c->len -= n;
	}
	return 0;
}

static int copy_range(struct blk_node *src, u64 src_offset, struct blk_node *dst, u64 dst_offset, u64 len)
{
	struct file *from = src->state, *to = dst->state;
	struct copy c = { from->fd, to->fd, src_offset, dst_offset, len };
	begin_write(to, dst_offset + len);
	int r = work_run(copy_all, &c);
	end_write(dst, c.dst);
	return r;
}

/* ---- zeros and holes ---- */

static int allocate(int fd, int mode, u64 offset, u64 len)
{
	int r;
	do
		r = fallocate(fd, mode, offset, len);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

static bool unsupported(int r)
{
	return r == -EOPNOTSUPP || r == -ENOSYS || r == -ENOTTY || r == -EINVAL || r == -EPERM;
}

static int zero(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	struct file *s = node->state;
	int r = -ENOTSUP;
	s->seek_to = 0;
	if (!s->device && offset >= s->reach) { /* growing makes zeros */
		if (ftruncate(s->fd, offset + len))
			return -errno;
		s->reach = offset + len;
		grown(node, offset + len);
		if (flags & BLK_REQ_MAY_UNMAP)
			return 0;
	}
	if ((flags & BLK_REQ_MAY_UNMAP) && !s->no_punch) {
		r = allocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len);
		if (unsupported(r))
			s->no_punch = true;
	}
	if (r && !s->no_zero_range) {
		r = allocate(s->fd, FALLOC_FL_ZERO_RANGE, offset, len);
		if (unsupported(r))
			s->no_zero_range = true;
	}
	if (r && !s->no_punch && !s->device) {
		r = allocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len);
		if (unsupported(r))
			s->no_punch = true;
		else if (!r)
			r = allocate(s->fd, 0, offset, len);
		if (unsupported(r)) /* the hole is there; only the reservation is not */
			r = 0;
	}
	if (!r)
		grown(node, offset + len);
	return unsupported(r) ? -ENOTSUP : r;
}

static int discard(struct blk_node *node, u64 offset, u64 len)
{
	struct file *s = node->state;
	s->seek_to = 0;
	if (s->no_punch)
		return -ENOTSUP;
	int r = allocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len);
	if (unsupported(r))
		s->no_punch = true;
	return unsupported(r) ? -ENOTSUP : r;
}

/* Finds the run of data or hole that holds offset. */
static void seek(struct file *s, u64 offset)
{
	off_t data = lseek(s->fd, offset, SEEK_DATA);
	s->seek_from = offset;
	if (data < 0) {
		/* ENXIO: nothing but a hole up to the end; anything else: not known, so data. */
		s->seek_hole = errno == ENXIO;
		s->seek_to = s->bytes;
	} else if ((u64)data > offset) {
		s->seek_hole = true;
		s->seek_to = data;
	} else {
		off_t hole = lseek(s->fd, offset, SEEK_HOLE);
		s->seek_hole = false;
		s->seek_to = hole > (off_t)offset ? (u64)hole : s->bytes;
	}
}

static int map(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	struct file *s = node->state;
	*ret = (struct blk_extent){ .where = BLK_DATA, .file = node, .offset = offset, .len = len };
	if (s->device)
		return 0;
	if (offset >= s->bytes) { /* the rest of the last sector */
		ret->where = BLK_ZERO;
		ret->has_offset = true;
		return 0;
	}
	if (offset < s->seek_from || offset >= s->seek_to)
		seek(s, offset);
	if (s->seek_hole) {
		ret->where = BLK_ZERO;
		ret->has_offset = true;
	}
	u64 end = s->seek_to >= s->bytes ? node->size : ROUND_UP(s->seek_to, 512ull);
	ret->len = MIN(len, end - offset);
	return 0;
}

/* ---- size ---- */

struct fill {
	int fd;
	u64 from, to;
	bool write;
};

static int fill(void *arg)
{
	struct fill *f = arg;
	if (!f->write) {
		int r = posix_fallocate(f->fd, f->from, f->to - f->from);
		return -r;
	}
	AUTO(free_ptr) u8 *buf = try_alloc(CHUNK);
	if (!buf)
		return -ENOMEM;
	while (f->from < f->to) {
		ssize_t n = pwrite(f->fd, buf, MIN(f->to - f->from, (u64)CHUNK), f->from);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		f->from += n;
	}
	return fsync(f->fd) ? -errno : 0;
}

/* Gives the file room from `from` to `to`, in the way asked for; on failure it is cut back to `from`. */
static struct err *preallocate(int fd, u64 from, u64 to, enum blk_prealloc mode)
{
	struct fill f = { fd, from, to, mode == BLK_PREALLOC_FULL };
	if (from >= to || mode == BLK_PREALLOC_OFF)
		return NULL;
	int r = work_run(fill, &f);
	if (!r)
		return NULL;
	if (ftruncate(fd, from))
		r = -errno;
	return err_errno(-r, mode == BLK_PREALLOC_FULL ? "Could not write zeros for preallocation"
						       : "Could not preallocate data for the new file");
}

static struct err *set_length(int fd, u64 old, u64 size, enum blk_prealloc mode)
{
	if (mode != BLK_PREALLOC_OFF && size < old)
		return err_new(ERR_UNSUPPORTED, "Preallocation can't be used for shrinking files");
	if (mode == BLK_PREALLOC_FALLOC)
		return preallocate(fd, old, size, mode);
	if (ftruncate(fd, size))
		return err_errno(errno, "Failed to resize the file");
	return preallocate(fd, old, size, mode);
}

static struct err *truncate_file(struct blk_node *node, u64 size, bool exact, enum blk_prealloc mode,
				 bool zero_new)
{
	struct file *s = node->state;
	if (s->device) {
		if (mode != BLK_PREALLOC_OFF)
			return err_new(ERR_UNSUPPORTED, "Preallocation mode unsupported for devices");
		if (size > s->bytes)
			return err_new(ERR_INVALID, "Cannot grow device files");
		return exact && size != s->bytes ? err_new(ERR_INVALID, "Cannot resize device files") : NULL;
	}
	if (mode == BLK_PREALLOC_METADATA)
		return err_new(ERR_UNSUPPORTED, "Unsupported preallocation mode 'metadata'");
	if (size > s->bytes)
		size = MAX(size, s->reach);
	struct err *e = set_length(s->fd, s->bytes, size, mode);
	if (e)
		return e;
	s->seek_to = 0;
	s->bytes = s->reach = size;
	s->filled = MIN(s->filled, size);
	node->size = ROUND_UP(size, 512ull);
	return NULL;
}

static u64 disk_size(struct blk_node *node)
{
	struct stat st;
	return fstat(((struct file *)node->state)->fd, &st) ? ~0ull : (u64)st.st_blocks * 512;
}

/* ---- opening ---- */

static struct err *measure_size(struct blk_node *node)
{
	struct file *s = node->state;
	struct stat st;
	if (fstat(s->fd, &st))
		return err_errno(errno, "Could not stat file");
	s->device = S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode);
	bool want_device = strcmp(node->driver->name, "file") != 0;
	if (want_device ? !s->device : !S_ISREG(st.st_mode))
		return err_new(ERR_INVALID,
			       want_device
				   ? "'%s' driver requires '%s' to be either a character or block device"
				   : "'%s' driver requires '%s' to be a regular file",
			       node->driver->name, s->name);
	off_t end = s->device ? lseek(s->fd, 0, SEEK_END) : st.st_size;
	if (end < 0)
		return err_errno(errno, "Could not find the size of '%s'", s->name);
	s->bytes = s->reach = end;
	node->size = ROUND_UP(s->bytes, 512ull);
	node->zero_init = !s->device;
	node->fua = true; /* pwritev2(2), since Linux 4.7 */
	return NULL;
}

/* Is it worth asking for room, and from where on? */
static void find_filled(struct file *s)
{
	struct statfs fs;
	s->wants_room = !s->device && !fstatfs(s->fd, &fs) && fs.f_type == EXT4_MAGIC;
	s->filled = s->bytes;
	if (!s->wants_room)
		return;
	off_t hole = lseek(s->fd, 0, SEEK_HOLE);
	if (hole >= 0 && lseek(s->fd, hole, SEEK_DATA) < 0 && errno == ENXIO)
		s->filled = hole;
}

/* The smallest unit that reads accept. */
static void probe_align(struct blk_node *node)
{
	struct file *s = node->state;
	void *buf;
	node->align = s->direct ? 4096 : 1;
	if (!s->direct || posix_memalign(&buf, 4096, 4096))
		return;
	for (u32 align = 512; align <= 4096; align *= 2)
		if (pread(s->fd, buf, align, 0) >= 0) {
			node->align = align;
			break;
		}
	free(buf);
}

static struct err *relock(struct blk_node *node, u32 flags)
{
	struct file *s = node->state;
	if (!s->locking)
		return NULL;
	bool rw = flags & BLK_RDWR;
	u32 perm = (flags & BLK_NO_IO && !rw ? 0 : PERM_READ) | (rw ? PERM_WRITE : 0) |
		   (rw && (flags & BLK_RESIZE) ? PERM_RESIZE : 0);
	u32 alone = flags & BLK_KEEP_WRITERS_OUT && !(flags & BLK_FORCE_SHARE) ? PERM_WRITE | PERM_RESIZE : 0;
	if (flags & BLK_INACTIVE)
		perm = alone = 0;
	struct err *e = lock_change(s->fd, s->name, s->perm, s->alone, perm, alone);
	if (!e) {
		s->perm = perm;
		s->alone = alone;
	}
	return e;
}

static struct err *native_needs_direct(void)
{
	return err_new(ERR_INVALID,
		       "aio=native was specified, but it requires cache.direct=on, which was not specified.");
}

/* mode: NULL when the options do not say it: the flags then do. */
static struct err *start_aio(struct blk_node *node, const char *mode)
{
	struct file *s = node->state;
	bool uring = mode ? strcmp(mode, "io_uring") == 0 : !!(node->flags & BLK_IO_URING);
	bool native = mode ? strcmp(mode, "native") == 0 : !!(node->flags & BLK_IO_NATIVE);
	if (mode && !uring && !native && strcmp(mode, "threads") != 0)
		return err_new(ERR_INVALID, "invalid parameter value: %s", mode);
	if (native && !(node->flags & BLK_DIRECT))
		return native_needs_direct();
	if (uring) {
#ifdef HAVE_URING
		s->new_aio = aio_uring_new;
#else
		return err_new(ERR_UNSUPPORTED,
			       "aio=io_uring was specified, but is not supported in this build.");
#endif
	} else if (native) {
#ifdef HAVE_AIO
		s->new_aio = aio_native_new;
#else
		return err_new(ERR_UNSUPPORTED,
			       "aio=native was specified, but is not supported in this build.");
#endif
		s->native = true;
	}
	struct aio *aio;
	int r = s->new_aio ? s->new_aio(&aio) : 0;
	if (s->new_aio && !r)
		add_aio(s, aio);
	return r ? err_errno(-r, "Unable to use %s; aio=threads works everywhere",
			     uring ? "io_uring" : "Linux native AIO (see /proc/sys/fs/aio-max-nr)")
		 : NULL;
}

static struct err *take_options(struct blk_node *node, struct json *opts)
{
	struct file *s = node->state;
	AUTO(free_ptr) char *locking = blk_take_str(opts, "locking"), *aio = blk_take_str(opts, "aio");
	s->name = blk_take_str(opts, "filename");
	if (!s->name)
		return err_new(ERR_INVALID, "The 'file' block driver requires a file name");
	const char *prefix = node->driver->prefixes[0];
	size_t n = strlen(prefix);
	if (strncmp(s->name, prefix, n) == 0 && s->name[n] == ':')
		memmove(s->name, s->name + n + 1, strlen(s->name + n));
	s->locking = !locking || strcmp(locking, "off") != 0;
	if (locking && strcmp(locking, "on") != 0 && strcmp(locking, "off") != 0 &&
	    strcmp(locking, "auto") != 0)
		return err_new(ERR_INVALID, "invalid parameter value: %s", locking);
	return start_aio(node, aio);
}

static void close_file(struct blk_node *node)
{
	struct file *s = node->state;
	while (s->aios)
		drop_aio(&s->aios);
	if (s->fd >= 0)
		close(s->fd);
	free(s->name);
}

static void left(struct blk_node *node, struct loop *loop)
{
	struct file_aio **at = &((struct file *)node->state)->aios;
	while (*at && (*at)->loop != loop)
		at = &(*at)->next;
	if (*at)
		drop_aio(at);
}

static struct err *open_it(struct blk_node *node)
{
	struct file *s = node->state;
	int mode = (node->flags & BLK_RDWR ? O_RDWR : O_RDONLY) | O_CLOEXEC |
		   (node->flags & BLK_DIRECT ? O_DIRECT : 0);
	s->fd = open(s->name, mode);
	if (s->fd < 0 && (errno == EACCES || errno == EROFS) && (node->flags & BLK_AUTO_RDONLY)) {
		node->flags &= ~(u32)BLK_RDWR;
		s->fd = open(s->name, (mode & ~O_ACCMODE) | O_RDONLY);
	}
	if (s->fd < 0 && errno == EINVAL && (node->flags & BLK_DIRECT))
		return err_errno(EINVAL, "Could not open '%s': filesystem does not support O_DIRECT",
				 s->name);
	if (s->fd < 0)
		return err_errno(errno, "Could not open '%s'", s->name);
	s->direct = node->flags & BLK_DIRECT;
	return NULL;
}

static struct err *open_file(struct blk_node *node, struct json *opts, u32 flags UNUSED)
{
	struct file *s = node->state;
	s->fd = -1;
	struct err *e = take_options(node, opts);
	if (!e)
		e = open_it(node);
	if (!e)
		e = measure_size(node);
	if (!e && s->locking)
		s->locking = lock_works(s->fd);
	if (!e)
		e = relock(node, node->flags);
	if (!e)
		probe_align(node);
	if (!e)
		find_filled(s);
	if (e)
		close_file(node);
	return e;
}

static struct err *reopen(struct blk_node *node, u32 flags)
{
	struct file *s = node->state;
	struct err *e;
	if (s->native && !(flags & BLK_DIRECT))
		return native_needs_direct();
	if ((flags ^ node->flags) & (BLK_RDWR | BLK_DIRECT)) {
		struct file old = *s;
		u32 old_flags = node->flags;
		node->flags = flags;
		if ((e = open_it(node))) {
			s->fd = old.fd;
			node->flags = old_flags;
			return e;
		}
		int fd = s->fd;
		/* Locks belong to the open description: the old one must go before the new one is locked alone. */
		s->fd = old.fd;
		node->flags = old_flags;
		if ((e = lock_change(s->fd, s->name, s->perm, s->alone, 0, 0)))
			err_free(e);
		s->perm = s->alone = 0;
		s->fd = fd;
		if ((e = relock(node, flags))) {
			close(fd);
			s->fd = old.fd;
			struct err *again = relock(node, old_flags);
			err_free(again);
			return e;
		}
		close(old.fd);
		node->flags = flags;
		probe_align(node);
		return NULL;
	}
	if ((e = relock(node, flags)))
		return e;
	node->flags = flags;
	return NULL;
}

/* ---- making ---- */

static struct err *prealloc_mode(const struct json *opts, enum blk_prealloc *ret)
{
	const char *s = blk_opt_str(opts, "preallocation");
	if (!blk_prealloc_find(s, ret))
		return err_new(ERR_INVALID, "Invalid parameter '%s'", s);
	return *ret == BLK_PREALLOC_METADATA
		   ? err_new(ERR_UNSUPPORTED, "Unsupported preallocation mode 'metadata'")
		   : NULL;
}

static struct err *create(struct blk_create *c)
{
	enum blk_prealloc mode;
	struct err *e = prealloc_mode(c->opts, &mode);
	if (e)
		return e;
	const char *name = strncmp(c->filename, "file:", 5) == 0 ? c->filename + 5 : c->filename;
	int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_errno(errno, "Could not create '%s'", name);
	bool locking = lock_works(fd);
	if (locking)
		e = lock_change(fd, name, 0, 0, PERM_WRITE | PERM_RESIZE,
				PERM_READ | PERM_WRITE | PERM_RESIZE);
	if (e)
		e = err_in(e, "Could not create '%s'", name);
	if (!e && ftruncate(fd, 0))
		e = err_errno(errno, "Could not resize file");
	if (!e && blk_opt_bool(c->opts, "nocow", false)) {
		int attr;
		if (ioctl(fd, FS_IOC_GETFLAGS, &attr) == 0) {
			attr |= FS_NOCOW_FL;
			ioctl(fd, FS_IOC_SETFLAGS, &attr); /* only btrfs knows it: a wish, not an order */
		}
	}
	u64 hint = blk_opt_num(c->opts, "extent_size_hint", 0);
	struct fsxattr x;
	if (!e && hint && ioctl(fd, FS_IOC_FSGETXATTR, &x) == 0) { /* likewise */
		x.fsx_xflags |= FS_XFLAG_EXTSIZE;
		x.fsx_extsize = hint;
		ioctl(fd, FS_IOC_FSSETXATTR, &x);
	}
	if (!e)
		e = set_length(fd, 0, c->size, mode);
	/* The first block is written, so that whoever opens the file can find the unit of direct reads. */
	static const u8 zeros[4096];
	if (!e && c->size && mode == BLK_PREALLOC_OFF &&
	    pwrite(fd, zeros, MIN(c->size, sizeof(zeros)), 0) < 0)
		e = err_errno(errno, "Could not write to '%s'", name);
	close(fd);
	return e;
}

static const struct blk_opt create_opts[] = {
	{ "size", BLK_OPT_SIZE, "Virtual disk size" },
	{ "nocow", BLK_OPT_BOOL, "Turn off copy-on-write (valid only on btrfs)" },
	{ "preallocation", BLK_OPT_STR, "Preallocation mode (allowed values: off, falloc, full)" },
	{ "extent_size_hint", BLK_OPT_SIZE, "Extent size hint for the image file, 0 to disable" },
	{ NULL },
};

/* clang-format off */
#define HOST_FILE \
	.kind = BLK_TRANSPORT, .state_size = sizeof(struct file), .open = open_file, .close = close_file, \
	.reopen = reopen, .preadv = preadv_file, .pwritev = pwritev_file, .zero = zero, .discard = discard, .map = map, \
	.flush = flush, .truncate = truncate_file, .left = left, .copy_range = copy_range, .disk_size = disk_size
/* clang-format on */

BLK_DRIVER(file) = {
	.name = "file",
	.summary = "a file of the host",
	.prefixes = file_prefixes,
	.create = create,
	.create_opts = create_opts,
	HOST_FILE,
};

BLK_DRIVER(host_device) = {
	.name = "host_device",
	.summary = "a block device of the host",
	.prefixes = device_prefixes,
	HOST_FILE,
};

BLK_DRIVER(host_cdrom) = {
	.name = "host_cdrom",
	.summary = "a CD drive of the host",
	.prefixes = cdrom_prefixes,
	HOST_FILE,
};
