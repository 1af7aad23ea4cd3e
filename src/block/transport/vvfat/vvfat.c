/*
 * vvfat: a folder of the host as a disk with a FAT file system. Writes go to a temporary file, and into the folder at every flush.
 *
 * File name  fat:[rw:][floppy:][12:|16:|32:]FOLDER
 * Options    dir, fat-type (12, 16, 32; 0: 16 for disks, 12 for floppies), floppy (off), label ("QEMU VVFAT"), rw (off).
 * Modelled   long names, folders, changed, new, renamed and removed files.
 * Absent     changes that somebody else makes in the folder while it is shown; symbolic links and special files.
 */
#include "block/transport/vvfat/vvfat.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

struct vvfat {
	struct volume v;
	bool rw;
	int overlay; /* what was written, at its place */
	struct blk_dirty *written, *dirty; /* ever, and since the folder was brought up to date; in sectors */
	bool behind; /* the folder is */
	struct sync *sync;
	char *dir;
};

static const char *const prefixes[] = { "fat", NULL };

static struct err *parse_name(const char *name, struct json *opts)
{
	static const struct {
		const char *word, *option, *value;
	} words[] = { { "rw:", "rw", "on" },
		      { "floppy:", "floppy", "on" },
		      { "12:", "fat-type", "12" },
		      { "16:", "fat-type", "16" },
		      { "32:", "fat-type", "32" } };
	const char *p = strchr(name, ':') + 1;
again:
	for (unsigned i = 0; i < LEN(words); i++)
		if (strncmp(p, words[i].word, strlen(words[i].word)) == 0) {
			json_set(opts, words[i].option, json_str(words[i].value));
			p += strlen(words[i].word);
			goto again;
		}
	json_set(opts, "dir", json_str(p));
	return NULL;
}

/* ---- reading ---- */

static int read_fd(int fd, u64 offset, u8 *buf, size_t len)
{
	while (len) {
		ssize_t n = pread(fd, buf, len, offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n) { /* the file became shorter */
			memset(buf, 0, len);
			return 0;
		}
		buf += n;
		offset += n;
		len -= n;
	}
	return 0;
}

static int read_file(const struct volume *v, const struct source *src, u64 offset, u8 *buf, size_t len)
{
	size_t part = offset < src->size ? MIN(len, src->size - offset) : 0;
	memset(buf + part, 0, len - part);
	if (!part)
		return 0;
	if (src->fd >= 0)
		return read_fd(src->fd, offset, buf, part);
	int fd = volume_open(v, src->path, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0)
		return fd;
	int r = read_fd(fd, offset, buf, part);
	close(fd);
	return r;
}

/* What nobody wrote to: as much as lies in one piece. */
static int read_base(const struct volume *v, u64 offset, u8 *buf, size_t *len)
{
	u64 data = (u64)v->data * SECTOR;
	if (offset < data) {
		*len = MIN(*len, data - offset);
		memcpy(buf, v->head + offset, *len);
		return 0;
	}
	u64 cluster = (offset - data) / v->cluster + 2;
	const struct source *src = cluster < v->clusters + 2ull ? volume_source(v, cluster) : NULL;
	if (!src) {
		*len = MIN(*len, v->cluster - (offset - data) % v->cluster);
		memset(buf, 0, *len);
		return 0;
	}
	u64 at = offset - data - (u64)(src->first - 2) * v->cluster;
	*len = MIN(*len, (u64)src->n * v->cluster - at);
	if (!src->dir)
		return read_file(v, src, at, buf, *len);
	memcpy(buf, src->dir + at, *len);
	return 0;
}

static int read_disk(void *user, u64 offset, void *buf, size_t len)
{
	struct vvfat *s = user;
	u64 at, run;
	int r = 0;
	for (size_t n; len && !r; offset += n, len -= n, buf = (u8 *)buf + n) {
		n = len;
		bool any = s->written && blk_dirty_next(s->written, offset, &at, &run);
		if (any && at <= offset) {
			n = MIN((u64)len, run);
			r = read_fd(s->overlay, offset, buf, n);
			continue;
		}
		if (any)
			n = MIN((u64)len, at - offset);
		r = read_base(&s->v, offset, buf, &n);
	}
	return r;
}

static int preadv_vvfat(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	void *flat = iovs_flat(iov);
	if (flat)
		return read_disk(node->state, offset, flat, iov.len);
	AUTO(free_ptr) u8 *buf = try_alloc(iov.len);
	int r = buf ? read_disk(node->state, offset, buf, iov.len) : -ENOMEM;
	if (!r)
		iovs_from_buf(iov, buf);
	return r;
}

/* ---- writing ---- */

static int bring_up_to_date(struct blk_node *node)
{
	struct vvfat *s = node->state;
	if (!s->behind)
		return 0;
	int r = sync_run(s->sync, s->dirty);
	if (r)
		return r;
	blk_dirty_clear(s->dirty, 0, node->size);
	s->behind = false;
	return 0;
}

static int pwritev_vvfat(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	struct vvfat *s = node->state;
	u64 from = ROUND_DOWN(offset, (u64)SECTOR), to = ROUND_UP(offset + iov.len, (u64)SECTOR);
	if (to > node->size)
		return -ENOSPC;
	AUTO(free_ptr) u8 *buf = try_alloc(to - from);
	if (!buf)
		return -ENOMEM;
	int r = (offset | iov.len) % SECTOR ? read_disk(s, from, buf, to - from) : 0;
	if (r)
		return r;
	iovs_to_buf(iov, buf + (offset - from));
	for (u64 done = 0; done < to - from;) {
		ssize_t n = pwrite(s->overlay, buf + done, to - from - done, from + done);
		if (n < 0 && errno != EINTR)
			return -errno;
		done += MAX(n, 0);
	}
	blk_dirty_set(s->written, from, to - from);
	blk_dirty_set(s->dirty, from, to - from);
	s->behind = true;
	return 0;
}

static int flush(struct blk_node *node)
{
	int r = bring_up_to_date(node);
	/* In the middle of a change there is nothing to do yet: a later flush comes. */
	return r == -EAGAIN ? 0 : r;
}

/* ---- opening ---- */

static struct err *take_options(struct vvfat *s, struct json *opts, struct vvfat_layout *how)
{
	u64 type = 0;
	AUTO(free_ptr) char *label = blk_take_str(opts, "label");
	s->dir = blk_take_str(opts, "dir");
	if (!s->dir)
		return err_new(ERR_INVALID, "vvfat block driver requires a 'dir' option");
	struct err *e = blk_take_size(opts, "fat-type", &type);
	if (!e)
		e = blk_take_bool(opts, "floppy", &how->floppy);
	if (!e)
		e = blk_take_bool(opts, "rw", &s->rw);
	if (e)
		return e;
	if (type && type != 12 && type != 16 && type != 32)
		return err_new(ERR_INVALID, "Valid FAT types are only 12, 16 and 32");
	if (how->floppy && type && type != 12)
		return err_new(ERR_INVALID, "A floppy has FAT12: 'fat-type' must be 12 or left out");
	if (label && strlen(label) > 11)
		return err_new(ERR_INVALID, "vvfat label cannot be longer than 11 bytes");
	how->bits = type;
	snprintf(how->label, sizeof(how->label), "%-11s", label ? label : "QEMU VVFAT");
	return NULL;
}

static struct err *open_overlay(struct blk_node *node)
{
	struct vvfat *s = node->state;
	const char *dir = getenv("TMPDIR");
	AUTO(free_ptr) char *path = strf("%s/rhea-vvfat-XXXXXX", dir && *dir ? dir : "/var/tmp");
	s->overlay = mkostemp(path, O_CLOEXEC);
	if (s->overlay < 0)
		return err_errno(errno, "Could not make a temporary file '%s'", path);
	unlink(path);
	struct err *e = blk_dirty_loose(node->size, SECTOR, &s->written);
	if (!e)
		e = blk_dirty_loose(node->size, SECTOR, &s->dirty);
	if (e)
		return e;
	s->sync = sync_new(&s->v, read_disk, s);
	int r = sync_run(s->sync, NULL);
	return r ? err_errno(-r, "Could not read the file system of '%s' back", s->dir) : NULL;
}

static struct err *open_folder(struct vvfat *s, const struct vvfat_layout *how)
{
	u64 content;
	s->v.root = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->v.root < 0)
		return err_errno(errno, "Could not read directory %s", s->dir);
	/* Two writers would undo each other's work. */
	if (s->rw && flock(s->v.root, LOCK_EX | LOCK_NB))
		return err_errno(errno, "'%s' is shown with rw=on by another program already", s->dir);
	struct err *e = volume_measure(&s->v, &content);
	if (!e)
		e = volume_lay_out(&s->v, how, content);
	return e ? e : volume_scan(&s->v, how->label);
}

static void release(struct vvfat *s)
{
	sync_free(s->sync);
	volume_free(&s->v);
	if (s->overlay >= 0)
		close(s->overlay);
	if (s->written)
		blk_dirty_free(NULL, s->written);
	if (s->dirty)
		blk_dirty_free(NULL, s->dirty);
	free(s->dir);
}

static struct err *open_vvfat(struct blk_node *node, struct json *opts, u32 flags)
{
	struct vvfat *s = node->state;
	struct vvfat_layout how = { 0 };
	s->v.root = s->overlay = -1;
	struct err *e = take_options(s, opts, &how);
	if (!e && !s->rw && (flags & BLK_RDWR) && !(flags & BLK_AUTO_RDONLY))
		e = err_hint(err_new(ERR_DENIED, "Image is read-only"),
			     "With rw=on ('fat:rw:...') the guest may write.");
	if (!s->rw)
		node->flags &= ~(u32)BLK_RDWR;
	s->rw = node->flags & BLK_RDWR;
	if (!e)
		e = open_folder(s, &how);
	node->size = s->v.total * SECTOR;
	if (!e && s->rw)
		e = open_overlay(node);
	if (e)
		release(s);
	return e;
}

static void close_vvfat(struct blk_node *node)
{
	struct vvfat *s = node->state;
	int r = bring_up_to_date(node);
	if (r)
		blk_say(node, "vvfat: '%s' is not as the guest left it: %s", s->dir,
			r == -EAGAIN ? "the file system was in the middle of a change" : strerror(-r));
	release(s);
}

static struct err *reopen_vvfat(struct blk_node *node, u32 flags)
{
	struct vvfat *s = node->state;
	if ((flags & BLK_RDWR) && !s->rw)
		return err_new(ERR_DENIED, "Image is read-only");
	node->flags = flags;
	return NULL;
}

static u64 disk_size(struct blk_node *node)
{
	return ~0ull;
}

BLK_DRIVER(vvfat) = {
	.name = "vvfat",
	.summary = "a folder as a disk with a FAT file system",
	.spec = "Microsoft FAT32 File System Specification 1.03",
	.kind = BLK_TRANSPORT,
	.state_size = sizeof(struct vvfat),
	.prefixes = prefixes,
	.parse_name = parse_name,
	.open = open_vvfat,
	.close = close_vvfat,
	.reopen = reopen_vvfat,
	.preadv = preadv_vvfat,
	.pwritev = pwritev_vvfat,
	.flush = flush,
	.disk_size = disk_size,
};
