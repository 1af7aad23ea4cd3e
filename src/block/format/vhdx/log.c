/*
 * VHDX: the log. [MS-VHDX] 2.3.
 *
 * Every change of the block table is one entry (or a few, when much changed at once): the entry is written and made stable, then its sectors
 * go to their places. An entry is a sequence of its own (its tail is itself), so a replay takes the newest valid one; what it holds is
 * either in place already or about to be.
 */
#include "block/format/vhdx/vhdx.h"
#include <errno.h>

/* clang-format off */
enum { /* entry header, 2.3.1.1 */
	E_CHECKSUM = 4, E_LENGTH = 8, E_TAIL = 12, E_SEQUENCE = 16, E_COUNT = 24, E_GUID = 32, E_FLUSHED = 48, E_LAST = 56, E_HEADER = 64,
};
enum { /* descriptors, 2.3.1.2, 2.3.1.3 */
	D_TRAILING = 4, D_LEADING = 8, D_LENGTH = 8, D_OFFSET = 16, D_SEQUENCE = 24, D_SIZE = 32,
};
/* clang-format on */
#define LOGE 0x65676f6cu
#define ZERO 0x6f72657au
#define DESC 0x63736564u
#define DATA 0x61746164u
enum { PIECES = 60 }; /* sectors of one entry: no entry reaches the one before it, even in the smallest log */
#define FILE_MAX (128 * TiB)

/* ---- replay ---- */

struct entry {
	u64 sequence, last, flushed;
	u32 at, len, tail, count;
};

struct log {
	u8 *data; /* the whole ring */
	u32 len;
	const u8 *guid;
	u8 *flat; /* the entry looked at, in one piece */
	u64 budget; /* bytes that may still be checked: a log made of overlapping entries must not take for ever */
};

static const u8 *descriptor(const struct log *l, u32 n)
{
	return l->flat + E_HEADER + (size_t)n * D_SIZE;
}

static u32 descriptor_sectors(u32 count)
{
	return (E_HEADER + (u64)count * D_SIZE + VHDX_SECTOR - 1) / VHDX_SECTOR;
}

/* Descriptors and their data sectors belong together and to the entry. */
static bool descriptors_valid(const struct log *l, const struct entry *e)
{
	u32 sector = descriptor_sectors(e->count);
	for (u32 i = 0; i < e->count; i++) {
		const u8 *d = descriptor(l, i);
		u64 at = ld_le64(d + D_OFFSET);
		if (ld_le64(d + D_SEQUENCE) != e->sequence || at % VHDX_SECTOR || at < VHDX_REGIONS_1 ||
		    at > FILE_MAX)
			return false;
		if (ld_le32(d) == ZERO) {
			u64 len = ld_le64(d + D_LENGTH);
			if (len % VHDX_SECTOR || len > FILE_MAX)
				return false;
			continue;
		}
		if (ld_le32(d) != DESC || (u64)(sector + 1) * VHDX_SECTOR > e->len)
			return false;
		const u8 *s = l->flat + (size_t)sector++ * VHDX_SECTOR;
		if (ld_le32(s) != DATA || ld_le32(s + 4) != e->sequence >> 32 ||
		    ld_le32(s + VHDX_SECTOR - 4) != (u32)e->sequence)
			return false;
	}
	return true;
}

/* Reads the entry at `at` into l->flat; false when there is none that is whole. */
static bool read_entry(struct log *l, u32 at, struct entry *e)
{
	const u8 *h = l->data + at;
	*e = (struct entry){ ld_le64(h + E_SEQUENCE), ld_le64(h + E_LAST), ld_le64(h + E_FLUSHED), at,
			     ld_le32(h + E_LENGTH),   ld_le32(h + E_TAIL), ld_le32(h + E_COUNT) };
	if (ld_le32(h) != LOGE || memcmp(h + E_GUID, l->guid, 16) != 0 || !e->sequence || !e->len ||
	    e->len % VHDX_SECTOR || e->len > l->len || e->tail % VHDX_SECTOR || e->tail >= l->len ||
	    (u64)descriptor_sectors(e->count) * VHDX_SECTOR > e->len || e->len > l->budget)
		return false;
	l->budget -= e->len;
	u32 first = MIN(e->len, l->len - at);
	memcpy(l->flat, h, first);
	memcpy(l->flat + first, l->data, e->len - first);
	return ld_le32(l->flat + E_CHECKSUM) == vhdx_checksum(l->flat, e->len) && descriptors_valid(l, e);
}

struct sequence {
	u32 tail, len; /* where it begins; bytes */
	struct entry head;
};

/* The sequence of entries that begins at `at`; empty when its head's tail does not lie within. */
static struct sequence sequence_at(struct log *l, u32 at)
{
	struct sequence s = { at };
	struct entry e;
	bool valid = false;
	u32 pos = at;
	while (s.len < l->len && read_entry(l, pos, &e) && e.len <= l->len - s.len &&
	       (!s.len || e.sequence == s.head.sequence + 1)) {
		s.len += e.len;
		s.head = e;
		pos = (pos + e.len) % l->len;
		u32 back = (e.tail + l->len - at) % l->len;
		valid = back < s.len;
	}
	if (!valid)
		s.len = 0;
	return s;
}

static struct sequence find_active(struct log *l)
{
	struct sequence best = { 0 };
	for (u32 at = 0; at < l->len;) {
		struct sequence s = sequence_at(l, at);
		if (s.len && s.head.sequence > best.head.sequence)
			best = s;
		if (s.len && at + s.len >= l->len)
			break;
		at += MAX(s.len, (u32)VHDX_SECTOR);
	}
	return best;
}

static int apply_entry(struct blk_node *file, const struct log *l, const struct entry *e)
{
	u32 sector = descriptor_sectors(e->count);
	int r = 0;
	for (u32 i = 0; i < e->count && !r; i++) {
		const u8 *d = descriptor(l, i);
		u64 at = ld_le64(d + D_OFFSET);
		if (ld_le32(d) == ZERO) {
			r = ld_le64(d + D_LENGTH) ? blk_zero(file, at, ld_le64(d + D_LENGTH), 0) : 0;
			continue;
		}
		u8 buf[VHDX_SECTOR];
		memcpy(buf, l->flat + (size_t)sector++ * VHDX_SECTOR, VHDX_SECTOR);
		memcpy(buf, d + D_LEADING, 8);
		memcpy(buf + VHDX_SECTOR - 4, d + D_TRAILING, 4);
		r = blk_pwrite(file, at, buf, VHDX_SECTOR);
	}
	return r;
}

static struct err *apply(struct blk_node *node, struct log *l, const struct sequence *s)
{
	struct vhdx *v = node->state;
	struct entry e = { 0 };
	u32 pos = s->head.tail;
	int r = vhdx_begin_writing(node);
	l->budget = l->len;
	do {
		if (r || !read_entry(l, pos, &e))
			return err_errno(r ? -r : EIO, "Could not replay the VHDX log");
		r = apply_entry(node->file, l, &e);
		pos = (pos + e.len) % l->len;
	} while (!r && e.sequence != s->head.sequence);
	if (!r && node->file->size < s->head.last) {
		struct err *err = blk_truncate(node->file, s->head.last, false, BLK_PREALLOC_OFF, true);
		if (err)
			return err;
	}
	if (!r)
		r = blk_flush(node->file);
	if (r)
		return err_errno(-r, "Could not replay the VHDX log");
	memset(v->header + H_LOG_GUID, 0, 16);
	r = vhdx_write_headers(node);
	v->replayed = true;
	return r ? err_errno(-r, "Could not write the VHDX headers") : NULL;
}

struct err *vhdx_replay(struct blk_node *node)
{
	struct vhdx *s = node->state;
	u8 guid[16];
	memcpy(guid, s->header + H_LOG_GUID, 16);
	if (is_zero(guid, 16) || !vhdx_log_length(s))
		return NULL;
	AUTO(free_ptr) void *data = NULL;
	AUTO(free_ptr) u8 *flat = try_alloc(vhdx_log_length(s));
	struct err *e = blk_load_table(node->file, vhdx_log_offset(s), vhdx_log_length(s), "VHDX log", &data);
	if (!e && !flat)
		e = err_new(ERR_BUSY, "Could not allocate %u bytes for the VHDX log", vhdx_log_length(s));
	if (e)
		return e;
	struct log l = { data, vhdx_log_length(s), guid, flat, vhdx_log_length(s) * 4ull + 64 * MiB };
	struct sequence active = find_active(&l);
	/* A log named before its first entry was written: nothing happened yet. */
	if (!active.len)
		return NULL;
	if (active.head.flushed > node->file->size || active.head.last > FILE_MAX)
		return err_new(
		    ERR_CORRUPT,
		    "VHDX image file of %llu bytes is truncated: its log was written when it had %llu",
		    (unsigned long long)node->file->size, (unsigned long long)active.head.flushed);
	if (!(node->flags & BLK_RDWR))
		return err_hint(
		    err_new(
			ERR_DENIED,
			"VHDX image file '%s' opened read-only, but contains a log that needs to be replayed",
			node->file->filename),
		    "To replay the log, run:\nqemu-img check -r all '%s'", node->file->filename);
	return apply(node, &l, &active);
}

/* ---- writing ---- */

static int write_entry(struct blk_node *node, const struct blk_pieces *p)
{
	struct vhdx *s = node->state;
	u32 len = (1 + p->n) * VHDX_SECTOR;
	AUTO(free_ptr) u8 *h = try_alloc(len);
	if (!h)
		return -ENOMEM;
	if (s->log_at + len > vhdx_log_length(s))
		s->log_at = 0;
	s->log_sequence++;
	st_le32(h, LOGE);
	st_le32(h + E_LENGTH, len);
	st_le32(h + E_TAIL, s->log_at);
	st_le64(h + E_SEQUENCE, s->log_sequence);
	st_le32(h + E_COUNT, p->n);
	memcpy(h + E_GUID, s->log_guid, 16);
	u64 size = ROUND_DOWN(node->file->size, (u64)VHDX_MB);
	st_le64(h + E_FLUSHED, size);
	st_le64(h + E_LAST, size);
	for (size_t i = 0; i < p->n; i++) {
		u8 *d = h + E_HEADER + i * D_SIZE, *to = h + (1 + i) * VHDX_SECTOR;
		const u8 *from = p->data + i * VHDX_SECTOR;
		st_le32(d, DESC);
		memcpy(d + D_TRAILING, from + VHDX_SECTOR - 4, 4);
		memcpy(d + D_LEADING, from, 8);
		st_le64(d + D_OFFSET, s->bat.at + p->index[i] * VHDX_SECTOR);
		st_le64(d + D_SEQUENCE, s->log_sequence);
		memcpy(to, from, VHDX_SECTOR);
		st_le32(to, DATA);
		st_le32(to + 4, s->log_sequence >> 32);
		st_le32(to + VHDX_SECTOR - 4, s->log_sequence);
	}
	st_le32(h + E_CHECKSUM, vhdx_checksum(h, len));
	int r = blk_pwrite(node->file, vhdx_log_offset(s) + s->log_at, h, len);
	if (!r)
		s->log_at += len;
	return r;
}

/* The first entry is in the log before the headers name it: a named log is never empty. */
static int through_log(struct blk_node *node, const struct blk_pieces *p)
{
	struct vhdx *s = node->state;
	if (!s->log_named && is_zero(s->log_guid, 16))
		guid_new_le(s->log_guid);
	int r = write_entry(node, p);
	if (!r)
		r = blk_barrier(node->file);
	if (!r && !s->log_named) {
		memcpy(s->header + H_LOG_GUID, s->log_guid, 16);
		r = vhdx_write_headers(node);
		s->log_named = !r;
	}
	if (!r)
		r = blk_table_write(&s->bat, p);
	return r ? r : blk_barrier(node->file);
}

int vhdx_flush_table(struct blk_node *node)
{
	struct vhdx *s = node->state;
	struct blk_pieces p;
	if (!s->bat.data || !s->bat.n_dirty)
		return 0;
	co_lock(&s->bat.lock);
	int r = blk_table_take(&s->bat, &p);
	if (!r)
		r = blk_barrier(node->file); /* data, and the file's size that entries speak of */
	for (size_t i = 0; i < p.n && !r; i += PIECES) {
		struct blk_pieces part = { MIN(p.n - i, (size_t)PIECES), p.index + i,
					   p.data + i * VHDX_SECTOR };
		r = through_log(node, &part);
	}
	if (r)
		blk_table_untake(&s->bat, &p);
	blk_pieces_free(&p);
	co_unlock(&s->bat.lock);
	return r;
}

int vhdx_end_log(struct blk_node *node)
{
	struct vhdx *s = node->state;
	if (!s->log_named)
		return 0;
	int r = blk_flush(node->file);
	if (r)
		return r;
	memset(s->header + H_LOG_GUID, 0, 16);
	memset(s->log_guid, 0, 16);
	s->log_named = false;
	s->log_at = 0;
	return vhdx_write_headers(node);
}
