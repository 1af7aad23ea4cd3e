/* VMDK: sparse extents: headers, grain directories, grain tables. */
#include "block/format/vmdk/vmdk.h"
#include <errno.h>

/* clang-format off */
enum { /* COWD header */
	C_FLAGS = 8, C_CAPACITY = 12, C_GRAIN = 16, C_GD = 20, C_GD_ENTRIES = 24, C_FREE = 28, C_HEADER = 2048, C_GT_ENTRIES = 4096,
};
/* clang-format on */
#define GD_AT_END UINT64_MAX
enum { MAX_GRAIN = 0x200000, MAX_GD = 32 << 20, MAX_GT = 512, MARKER_FOOTER = 3 };

struct vmdk_extent *vmdk_add_extent(struct blk_node *node, struct vmdk_extent e)
{
	struct vmdk *s = node->state;
	s->extents = grow(s->extents, &s->cap, s->n + 1, sizeof(e));
	if (e.file)
		e.slot = blk_child_slot(node, e.file);
	s->extents[s->n] = e;
	return &s->extents[s->n++];
}

struct err *vmdk_check_shape(struct vmdk_extent *e, u64 sectors, u64 grain, u64 gt_entries, u64 *ret_gd)
{
	if (grain > MAX_GRAIN || !grain || grain & (grain - 1))
		return err_new(ERR_CORRUPT, "Invalid granularity, image may be corrupt");
	if (!gt_entries || gt_entries > (e->kind == VMDK_SPARSE ? (u64)MAX_GT : C_GT_ENTRIES))
		return err_new(ERR_CORRUPT, "L2 table size too big");
	u64 per_table = grain * gt_entries, gd = sectors / per_table + (sectors % per_table != 0);
	if (gd > MAX_GD)
		return err_new(ERR_CORRUPT, "L1 size too big");
	if (sectors > VMDK_SECTORS_MAX)
		return err_new(ERR_CORRUPT, "Extent of %llu sectors is too large",
			       (unsigned long long)sectors);
	e->grain = grain * 512;
	e->gt_entries = gt_entries;
	e->size = sectors * 512;
	*ret_gd = gd;
	return NULL;
}

struct err *vmdk_load_gd(struct vmdk_extent *e, struct blk_table *t, u64 sector, u64 entries,
			 const char *what)
{
	u64 gt_bytes = (u64)e->gt_entries * e->entry_size, end = ROUND_UP(e->file->size, 512ull);
	if (sector > VMDK_SECTORS_MAX)
		return err_new(ERR_CORRUPT, "%s offset invalid", what);
	struct err *err = blk_check_table(sector * 512, entries, e->entry_size, (u64)MAX_GD * 8, 512, what);
	if (!err && sector * 512 + entries * e->entry_size > end)
		err = err_new(ERR_CORRUPT, "%s at offset %llu reaches beyond the end of the file", what,
			      (unsigned long long)sector * 512);
	if (!err)
		err = blk_table_load(t, e->slot, sector * 512, entries * e->entry_size, 512, what);
	for (u64 i = 0; i < entries && !err && e->kind != VMDK_SE; i++) {
		u64 at = blk_table_le32(t, i) * 512ull;
		if (at > 512 && at + gt_bytes > end)
			err =
			    err_new(ERR_CORRUPT,
				    "%s entry %llu: table at offset %llu reaches beyond the end of the file",
				    what, (unsigned long long)i, (unsigned long long)at);
	}
	return err;
}

/* ---- hosted sparse extents ---- */

/* A stream that was written in one go has its header's second, true copy near the end. */
static struct err *read_footer(struct vmdk_extent *e, u8 *h)
{
	u8 f[1536];
	u64 size = e->file->size;
	if (size < sizeof(f) + K_HEADER)
		return err_new(ERR_CORRUPT, "File truncated, its footer is missing");
	int r = blk_pread(e->file, size - sizeof(f), f, sizeof(f));
	if (r)
		return err_errno(-r, "Could not read the footer");
	const u8 *end = f + 1024;
	if (ld_le32(f + 8) || ld_le32(f + 12) != MARKER_FOOTER || memcmp(f + 512, "KDMV", 4) != 0 ||
	    !is_zero(end, 16))
		return err_new(ERR_CORRUPT, "Footer at offset %llu is not valid",
			       (unsigned long long)(size - sizeof(f)));
	memcpy(h, f + 512, K_HEADER);
	return NULL;
}

static struct err *check_kdmv(struct vmdk_extent *e, const u8 *h)
{
	u32 version = ld_le32(h + K_VERSION), flags = ld_le32(h + K_FLAGS);
	if (!version || version > 3)
		return err_new(ERR_UNSUPPORTED, "Unsupported VMDK version %u", version);
	if ((flags & KF_NEWLINES) && memcmp(h + K_EOL, "\n \r\n", 4) != 0)
		return err_new(ERR_CORRUPT,
			       "Line ends at offset %d were changed: the file was copied as text", K_EOL);
	if ((flags & KF_COMPRESSED) && ld_le16(h + K_COMPRESSION) != 1)
		return err_new(ERR_UNSUPPORTED, "Unsupported VMDK compression %u",
			       ld_le16(h + K_COMPRESSION));
	u64 overhead = ld_le64(h + K_OVERHEAD);
	if (overhead > VMDK_SECTORS_MAX || overhead * 512 > e->file->size)
		return err_new(ERR_CORRUPT, "File truncated, expecting at least %lld bytes",
			       (long long)(MIN(overhead, VMDK_SECTORS_MAX) * 512));
	return NULL;
}

static struct err *open_kdmv(struct blk_node *node, struct vmdk_extent *e, u8 *h)
{
	struct err *err = ld_le64(h + K_GD) == GD_AT_END ? read_footer(e, h) : NULL;
	u64 entries;
	if (err)
		return err;
	u32 flags = ld_le32(h + K_FLAGS);
	e->kind = VMDK_SPARSE;
	e->entry_size = 4;
	e->compressed = flags & KF_COMPRESSED;
	e->markers = flags & KF_MARKERS;
	e->zero_grain = flags & KF_ZERO_GRAIN;
	err = vmdk_check_shape(e, ld_le64(h + K_CAPACITY), ld_le64(h + K_GRAIN), ld_le32(h + K_GT_ENTRIES),
			       &entries);
	if (!err)
		err = check_kdmv(e, h);
	if (!err)
		err = vmdk_load_gd(e, &e->gd, ld_le64(h + K_GD), entries, "Grain directory");
	u64 backup = ld_le64(h + K_RGD);
	if (!err && (flags & KF_BACKUP) && backup && backup != ld_le64(h + K_GD))
		err = vmdk_load_gd(e, &e->backup, backup, entries, "Redundant grain directory");
	e->next = ROUND_UP(MAX(e->file->size, ld_le64(h + K_OVERHEAD) * 512),
			   e->compressed ? 512ull : (u64)e->grain);
	return err;
}

/* ---- ESX sparse extents ---- */

static struct err *open_cowd(struct vmdk_extent *e)
{
	u8 h[C_HEADER];
	u64 entries;
	int r = blk_pread(e->file, 0, h, sizeof(h));
	if (r)
		return err_errno(-r, "Could not read header from file '%s'", e->file->filename);
	e->kind = VMDK_COWD;
	e->entry_size = 4;
	struct err *err =
	    vmdk_check_shape(e, ld_le32(h + C_CAPACITY), ld_le32(h + C_GRAIN), C_GT_ENTRIES, &entries);
	if (!err && ld_le32(h + C_GD_ENTRIES) < entries)
		err = err_new(ERR_CORRUPT, "Grain directory of %u entries is too small for %u sectors",
			      ld_le32(h + C_GD_ENTRIES), ld_le32(h + C_CAPACITY));
	if (!err)
		err = vmdk_load_gd(e, &e->gd, ld_le32(h + C_GD), entries, "Grain directory");
	e->next = ROUND_UP(e->file->size, (u64)MAX(e->grain, 512u));
	return err;
}

struct err *vmdk_open_sparse(struct blk_node *node, struct vmdk_extent *e)
{
	u8 h[512];
	u64 claimed = e->size;
	int r = blk_pread(e->file, 0, h, sizeof(h));
	if (r)
		return err_errno(-r, "Could not read header from file '%s'", e->file->filename);
	struct err *err;
	if (memcmp(h, "KDMV", 4) == 0)
		err = open_kdmv(node, e, h);
	else if (memcmp(h, "COWD", 4) == 0)
		err = open_cowd(e);
	else if (vmdk_is_se(h))
		err = vmdk_open_se(node, e, h);
	else
		err = err_new(ERR_INVALID, "Image not in VMDK format");
	if (err)
		return err;
	if (claimed && e->size < claimed)
		return err_new(ERR_CORRUPT, "Extent '%s' holds %llu bytes, the descriptor says %llu",
			       e->file->filename, (unsigned long long)e->size, (unsigned long long)claimed);
	if (claimed)
		e->size = claimed;
	enum { CACHE = 8 << 20 };
	e->gts = cache_new(e->slot, VMDK_SLICE, CACHE, "grain tables");
	if (e->backup.data)
		e->backup_gts = cache_new(e->slot, VMDK_SLICE, CACHE, "redundant grain tables");
	return NULL;
}

void vmdk_close_extent(struct vmdk_extent *e)
{
	cache_free(e->gts);
	cache_free(e->backup_gts);
	blk_table_free(&e->gd);
	blk_table_free(&e->backup);
}

int vmdk_flush_extent(struct vmdk_extent *e)
{
	int r = 0;
	if (e->backup_gts)
		r = cache_flush(e->backup_gts);
	if (!r && e->gts)
		r = cache_flush(e->gts);
	if (!r)
		r = blk_table_flush(&e->backup);
	return r ? r : blk_table_flush(&e->gd);
}

/* ---- entries ---- */

/* Where the entry of grain n lies; 0: its table is not there. */
static int entry_at(const struct vmdk_extent *e, const struct blk_table *gd, u64 n, u64 *ret)
{
	u64 t = n / e->gt_entries, in = n % e->gt_entries * e->entry_size, d;
	*ret = 0;
	if (e->kind != VMDK_SE) {
		d = blk_table_le32(gd, t);
		if (d && !(d == VMDK_ZEROED && e->zero_grain))
			*ret = d * 512 + in;
		return 0;
	}
	int r = vmdk_se_table(e, blk_table_le64(gd, t), &d);
	*ret = d ? d + in : 0;
	return r;
}

int vmdk_get_entry(struct vmdk_extent *e, u64 n, u64 *ret)
{
	u64 at;
	void *slice;
	int r = entry_at(e, &e->gd, n, &at);
	*ret = 0;
	if (r)
		return r;
	if (!at) {
		u64 d = e->kind == VMDK_SE ? 0 : blk_table_le32(&e->gd, n / e->gt_entries);
		*ret = d; /* 0, or a whole table of zeroed grains */
		return 0;
	}
	r = cache_get(e->gts, ROUND_DOWN(at, (u64)VMDK_SLICE), &slice);
	if (r)
		return r;
	const u8 *p = (u8 *)slice + at % VMDK_SLICE;
	*ret = e->entry_size == 8 ? ld_le64(p) : ld_le32(p);
	cache_put(e->gts, slice);
	return 0;
}

/* A grain table for directory entry t: empty, in new room, on disk before the directory names it. */
static int new_table(struct vmdk_extent *e, struct blk_table *gd, u64 t)
{
	u32 bytes = e->gt_entries * 4, old = blk_table_le32(gd, t);
	u64 at = ROUND_UP(e->next, 512ull);
	AUTO(free_ptr) u8 *table = try_alloc(bytes);
	if (!table)
		return -ENOMEM;
	if (at / 512 > UINT32_MAX)
		return -ENOSPC;
	for (u32 i = 0; i < e->gt_entries; i++)
		st_le32(table + i * 4, old);
	e->next = ROUND_UP(at + bytes, e->compressed ? 512ull : (u64)e->grain);
	int r = blk_pwrite(e->file, at, table, bytes);
	if (!r && (blk_table_le32(gd, t) == old))
		blk_table_set_le32(gd, t, at / 512);
	return r;
}

static int set_in(struct vmdk_extent *e, struct blk_table *gd, struct cache *c, u64 n, u64 count, u32 val,
		  u32 step)
{
	for (u64 i = 0; i < count;) {
		u64 at;
		void *slice;
		int r = entry_at(e, gd, n + i, &at);
		if (!r && !at) {
			r = new_table(e, gd, (n + i) / e->gt_entries);
			if (!r)
				r = entry_at(e, gd, n + i, &at);
		}
		if (!r)
			r = cache_get(c, ROUND_DOWN(at, (u64)VMDK_SLICE), &slice);
		if (r)
			return r;
		u32 from = at % VMDK_SLICE, to = from;
		/* Up to the end of the slice, and of the table. */
		u64 left = MIN(count - i, e->gt_entries - (n + i) % e->gt_entries);
		for (; to < VMDK_SLICE && left; to += 4, left--, i++, val += step)
			st_le32((u8 *)slice + to, val);
		cache_dirty(c, slice, from, to);
		cache_put(c, slice);
	}
	return 0;
}

int vmdk_set_entries(struct vmdk_extent *e, u64 n, u64 count, u32 first, u32 step)
{
	cache_after_data(e->gts, e->slot);
	int r = set_in(e, &e->gd, e->gts, n, count, first, step);
	if (!r && e->backup_gts) {
		cache_after_data(e->backup_gts, e->slot);
		r = set_in(e, &e->backup, e->backup_gts, n, count, first, step);
	}
	return r;
}

/* ---- check ---- */

struct err *vmdk_check_extent(struct vmdk_extent *e, struct blk_check *res)
{
	if (e->kind == VMDK_FLAT || e->kind == VMDK_ZERO)
		return NULL;
	u64 sectors = e->file->size / 512 + 1;
	AUTO(free_ptr) u8 *seen = try_alloc(sectors / 8 + 1);
	if (!seen)
		return err_new(ERR_BUSY, "Could not allocate memory for the check");
	for (u64 n = 0; n < (e->size + e->grain - 1) / e->grain; n++) {
		u64 entry, at;
		int r = entry_at(e, &e->gd, n, &at);
		if (!r && !at) { /* no table: on to the next */
			n = (n / e->gt_entries + 1) * e->gt_entries - 1;
			continue;
		}
		r = r ? r : vmdk_get_entry(e, n, &entry);
		if (r) {
			blk_check_say(res, "ERROR: could not get entry of grain %llu", (unsigned long long)n);
			res->check_errors++;
			if (r == -EIO)
				return NULL;
			continue;
		}
		if (!entry || e->kind == VMDK_SE || (entry == VMDK_ZEROED && e->zero_grain))
			continue;
		at = e->start + n * e->grain;
		if (entry >= sectors) {
			blk_check_say(res,
				      "ERROR: cluster at guest offset %llu lies beyond the end of the file, "
				      "at sector %llu",
				      (unsigned long long)at, (unsigned long long)entry);
			res->corruptions++;
		} else if (seen[entry / 8] & BIT(entry % 8)) {
			blk_check_say(
			    res,
			    "ERROR: cluster at guest offset %llu shares sector %llu of the file with another",
			    (unsigned long long)at, (unsigned long long)entry);
			res->corruptions++;
		} else {
			seen[entry / 8] |= BIT(entry % 8);
		}
	}
	return NULL;
}
