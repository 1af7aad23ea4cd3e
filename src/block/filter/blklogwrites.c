/*
 * blklogwrites: writes every change of a node to a log, in the order of their ends, so that any moment can be replayed.
 *
 * Spec       Documentation/admin-guide/device-mapper/log-writes.rst of Linux: the log's layout.
 * Layout     little-endian; a superblock, then for each write an entry of one sector and its data.
 * Options    file (child), log (child), log-sector-size (512), log-append (off), log-super-update-interval (4096 writes).
 */
#include "block/filter/pass.h"
#include "base/coroutine.h"
#include <errno.h>

#define MAGIC 0x6a736677736872ull
enum { VERSION = 1, SUPER = 28, ENTRY = 32 };
enum { LOG_FLUSH = BIT(0), LOG_FUA = BIT(1), LOG_DISCARD = BIT(2), LOG_MARK = BIT(3) };
enum { DEFAULT_SECTOR = 512, DEFAULT_INTERVAL = 4096 };

struct logger {
	struct blk_node *log;
	u64 sector, interval;
	u64 at; /* sector of the log that the next entry goes to */
	u64 entries, flushed_entries; /* the superblock knows of the latter */
	struct co_lock super;
};

/* ---- the log ---- */

static int write_super(struct logger *s)
{
	u8 head[SUPER];
	AUTO(free_ptr) u8 *buf = try_alloc(s->sector);
	if (!buf)
		return -ENOMEM;
	co_lock(&s->super);
	u64 entries = s->entries;
	st_le64(head, MAGIC);
	st_le64(head + 8, VERSION);
	st_le64(head + 16, entries);
	st_le32(head + 24, s->sector);
	memcpy(buf, head, SUPER);
	int r = blk_pwrite(s->log, 0, buf, s->sector);
	if (!r)
		r = blk_flush(s->log);
	if (!r)
		s->flushed_entries = entries;
	co_unlock(&s->super);
	return r;
}

static int write_entry(struct logger *s, u64 offset, u64 len, u32 flags, struct iovs data)
{
	AUTO(free_ptr) u8 *buf = try_alloc(s->sector);
	struct iovec v;
	if (!buf)
		return -ENOMEM;
	/* Room first: other entries may be written meanwhile. */
	u64 at = s->at;
	s->at += 1 + data.len / s->sector;
	s->entries++;
	st_le64(buf, offset / s->sector);
	st_le64(buf + 8, len / s->sector);
	st_le64(buf + 16, flags);
	st_le64(buf + 24, data.len);
	int r = blk_pwritev(s->log, at * s->sector, iovs_one(&v, buf, s->sector), 0);
	if (!r && data.len)
		r = blk_pwritev(s->log, (at + 1) * s->sector, data, 0);
	bool due = s->entries - s->flushed_entries >= s->interval;
	return !r && ((flags & (LOG_FLUSH | LOG_FUA)) || due) ? write_super(s) : r;
}

static bool aligned(const struct logger *s, u64 offset, u64 len)
{
	return !((offset | len) & (s->sector - 1));
}

/* ---- requests ---- */

/* Entries are of whole sectors: what else lies in the first and last one is logged as it stands now. */
static int log_whole(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	struct logger *s = node->state;
	u64 from = ROUND_DOWN(offset, s->sector), to = ROUND_UP(offset + len, s->sector);
	AUTO(free_ptr) u8 *buf = try_alloc(to - from);
	struct iovec v;
	if (!buf)
		return -ENOMEM;
	int r = blk_pread(node->file, from, buf, MIN(to, node->file->size) - from);
	return r ? r : write_entry(s, from, to - from, flags, iovs_one(&v, buf, to - from));
}

static int pwritev_log(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	struct logger *s = node->state;
	u32 log_flags = flags & BLK_REQ_FUA ? LOG_FUA : 0;
	int r = pass_pwritev(node, offset, iov, flags);
	if (r)
		return r;
	return aligned(s, offset, iov.len) ? write_entry(s, offset, iov.len, log_flags, iov)
					   : log_whole(node, offset, iov.len, log_flags);
}

/* The log knows no zeros: they are data. */
static int zero(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	return -ENOTSUP;
}

static int discard(struct blk_node *node, u64 offset, u64 len)
{
	static const struct iovs none;
	struct logger *s = node->state;
	/* Whole sectors of it are logged: of the others nothing need be lost. */
	u64 from = ROUND_UP(offset, s->sector), to = ROUND_DOWN(offset + len, s->sector);
	int r = pass_discard(node, offset, len);
	return r || from >= to ? r : write_entry(s, from, to - from, LOG_DISCARD, none);
}

static int flush(struct blk_node *node)
{
	static const struct iovs none;
	struct logger *s = node->state;
	int r = blk_flush(node->file);
	if (!r)
		r = write_entry(s, 0, 0, LOG_FLUSH, none);
	return r ? r : blk_flush(s->log);
}

/* ---- opening ---- */

static struct err *take_options(struct logger *s, struct json *opts, bool *append)
{
	s->interval = DEFAULT_INTERVAL;
	*append = false;
	struct err *e = blk_take_bool(opts, "log-append", append);
	bool has_sector = json_get(opts, "log-sector-size");
	s->sector = DEFAULT_SECTOR;
	if (!e && *append && has_sector)
		return err_new(ERR_INVALID, "log-append and log-sector-size are mutually exclusive");
	if (!e)
		e = blk_take_size(opts, "log-sector-size", &s->sector);
	if (!e && (s->sector < 512 || s->sector > 8 * MiB || (s->sector & (s->sector - 1))))
		e = err_new(ERR_INVALID, "Invalid log sector size %llu", (unsigned long long)s->sector);
	if (!e)
		e = blk_take_size(opts, "log-super-update-interval", &s->interval);
	if (!e && !s->interval)
		e = err_new(ERR_INVALID, "Invalid log superblock update interval 0");
	return e;
}

static struct err *read_super(struct logger *s)
{
	u8 head[SUPER];
	int r = blk_pread(s->log, 0, head, SUPER);
	if (r)
		return err_errno(-r, "Could not read log superblock");
	if (ld_le64(head) != MAGIC)
		return err_new(ERR_INVALID, "Invalid log superblock magic");
	if (ld_le64(head + 8) != VERSION)
		return err_new(ERR_UNSUPPORTED, "Unsupported log version %llu",
			       (unsigned long long)ld_le64(head + 8));
	s->sector = ld_le32(head + 24);
	s->entries = s->flushed_entries = ld_le64(head + 16);
	if (s->sector < 512 || s->sector > 8 * MiB || (s->sector & (s->sector - 1)))
		return err_new(ERR_CORRUPT, "Invalid log sector size %llu", (unsigned long long)s->sector);
	return NULL;
}

/* The end of a log that is continued: entry by entry. */
static struct err *find_end(struct logger *s)
{
	s->at = 1;
	for (u64 i = 0; i < s->entries; i++) {
		u8 e[ENTRY];
		int r = blk_pread(s->log, s->at * s->sector, e, ENTRY);
		if (r)
			return err_errno(-r, "Failed to read log entry %llu", (unsigned long long)i);
		u64 flags = ld_le64(e + 16), len = ld_le64(e + 24);
		if (flags & ~(u64)(LOG_FLUSH | LOG_FUA | LOG_DISCARD | LOG_MARK))
			return err_new(ERR_CORRUPT, "Invalid flags %#llx in log entry %llu",
				       (unsigned long long)flags, (unsigned long long)i);
		if (len % s->sector || s->at * s->sector > s->log->size || len > s->log->size)
			return err_new(ERR_CORRUPT, "Invalid length %llu in log entry %llu",
				       (unsigned long long)len, (unsigned long long)i);
		s->at += 1 + len / s->sector;
	}
	return NULL;
}

static struct err *open_log(struct blk_node *node, struct json *opts, u32 flags)
{
	struct logger *s = node->state;
	bool append;
	struct err *e = pass_open(node, opts, flags);
	if (!e)
		e = blk_open_child(node, opts, "log", NULL, flags | BLK_RDWR | BLK_RESIZE, false, &s->log);
	if (!e)
		e = take_options(s, opts, &append);
	if (!e && append)
		e = read_super(s);
	if (!e && append)
		return find_end(s);
	s->at = 1;
	int r = e ? 0 : write_super(s);
	return r ? err_errno(-r, "Could not write the log's superblock") : e;
}

static void close_log(struct blk_node *node)
{
	struct logger *s = node->state;
	if (write_super(s))
		blk_say(node, "blklogwrites: the last %llu entries are not in the superblock",
			(unsigned long long)(s->entries - s->flushed_entries));
}

static void moved(struct blk_node *node, struct blk_node *from, struct blk_node *to)
{
	struct logger *s = node->state;
	if (s->log == from)
		s->log = to;
}

BLK_DRIVER(blklogwrites) = {
	.name = "blklogwrites",
	.summary = "logs all writes, in the layout of Linux's dm-log-writes",
	.spec = "Linux, device-mapper/log-writes",
	.kind = BLK_FILTER,
	.state_size = sizeof(struct logger),
	.open = open_log,
	.close = close_log,
	.moved = moved,
	.preadv = pass_preadv,
	.pwritev = pwritev_log,
	.passes_fua = true,
	.zero = zero,
	.discard = discard,
	.flush = flush,
	.flushes_children = true,
	.map = pass_map,
	.truncate = pass_truncate,
};
