/*
 * Parallels: expandable image (HDS).
 *
 * Spec       "Parallels Expandable Image File Format" (docs/interop/parallels.rst).
 * Layout     header, allocation table (a little-endian u32 a cluster: where it lies, in sectors or clusters; 0: zeros), clusters.
 * Modelled   both magics, reading, writing, check and repair, making. Clusters need not be a power of two.
 * Note       an image whose "in use" mark was left by a crash is looked through when it is opened for writing: tables are written so that
 *            a crash leaks clusters at most, so there is nothing to fear, unless another program wrote it.
 * Absent     dirty bitmaps in the format extension: dropped at the first write, as the specification asks of who does not keep them;
 *            images with extensions that are marked as necessary are refused for writing.
 */
#include "block/format/room.h"
#include "block/format/table.h"
#include <errno.h>

enum {
	VERSION = 16,
	HEADS = 20,
	CYLINDERS = 24,
	TRACKS = 28,
	ENTRIES = 32,
	SECTORS = 36,
	IN_USE = 44,
	DATA_AT = 48,
	FLAGS = 52,
	EXT_AT = 56,
	HEADER = 64
};
#define MARK_OPEN 0x746f6e59u
#define MARK_CLOSED 0x312e3276u
#define EXT_MAGIC 0xab234cef23dcea87ull
enum { DEFAULT_CLUSTER = 1 << 20, EXT_NECESSARY = 1 };

struct parallels {
	u8 header[HEADER];
	u32 entries, cluster, unit; /* bytes; unit: what table entries count in */
	struct blk_table bat; /* header and table: they share the first pieces of the file */
	u64 data_at, next; /* where clusters begin; room for new ones */
	bool unclean; /* not closed by whoever had it open before */
	bool marked; /* this open has marked the image as in use */
};

static unsigned probe_parallels(const u8 *head, size_t len, const char *filename)
{
	if (len < HEADER ||
	    (memcmp(head, "WithoutFreeSpace", 16) != 0 && memcmp(head, "WithouFreSpacExt", 16) != 0))
		return 0;
	return ld_le32(head + VERSION) == 2 ? 100 : 0;
}

static u64 entry(const struct parallels *s, u64 i)
{
	return (u64)ld_le32(s->bat.data + HEADER + i * 4) * s->unit;
}

static void set_entry(struct parallels *s, u64 i, u64 at)
{
	st_le32(s->bat.data + HEADER + i * 4, at / s->unit);
	blk_table_dirty(&s->bat, HEADER + i * 4, 4);
}

/* ---- opening ---- */

static struct err *check_header(struct blk_node *node)
{
	struct parallels *s = node->state;
	const u8 *h = s->header;
	bool ext = memcmp(h, "WithouFreSpacExt", 16) == 0;
	u64 sectors = ext ? ld_le64(h + SECTORS) : ld_le32(h + SECTORS);
	u32 tracks = ld_le32(h + TRACKS);
	if (!probe_parallels(h, HEADER, NULL))
		return err_new(ERR_INVALID, "Image not in Parallels format");
	if (!tracks)
		return err_new(ERR_CORRUPT, "Invalid image: Zero sectors per track");
	if (tracks > INT32_MAX / 513)
		return err_new(ERR_CORRUPT, "Invalid image: Too big cluster");
	s->entries = ld_le32(h + ENTRIES);
	s->cluster = tracks * 512;
	s->unit = ext ? s->cluster : 512;
	if (s->entries > INT32_MAX / 4)
		return err_new(ERR_CORRUPT, "Catalog too large");
	if (sectors > INT64_MAX / 512)
		return err_new(ERR_CORRUPT, "Invalid image: disk of %llu sectors is too large",
			       (unsigned long long)sectors);
	node->size = sectors * 512;
	u64 end = HEADER + s->entries * 4ull;
	s->data_at = ld_le32(h + DATA_AT) * 512ull;
	if (!s->data_at)
		s->data_at = ROUND_UP(end, 512ull);
	if (s->data_at < end)
		return err_new(ERR_CORRUPT, "Invalid image: data offset %llu lies within the catalog",
			       (unsigned long long)s->data_at);
	if (end > node->file->size)
		return err_new(ERR_CORRUPT,
			       "Invalid image: catalog of %u entries reaches beyond the end of the file",
			       s->entries);
	return NULL;
}

/* In clusters from the start of the data, rounded up. */
static u64 file_end(const struct blk_node *node)
{
	const struct parallels *s = node->state;
	u64 size = node->file->size;
	return size <= s->data_at
		   ? s->data_at
		   : s->data_at + (size - s->data_at + s->cluster - 1) / s->cluster * s->cluster;
}

static bool entry_valid(const struct blk_node *node, u64 at)
{
	const struct parallels *s = node->state;
	return at >= s->data_at && at < node->file->size;
}

/* Two guest clusters in one place, or one outside the file. */
static bool table_sound(struct blk_node *node)
{
	struct parallels *s = node->state;
	u64 n = (file_end(node) - s->data_at) / s->cluster + 1;
	AUTO(free_ptr) u8 *seen = try_alloc(n / 8 + 1);
	for (u32 i = 0; i < s->entries && seen; i++) {
		u64 at = entry(s, i), c = (at - s->data_at) / s->cluster;
		if (!at)
			continue;
		if (!entry_valid(node, at) || (at - s->data_at) % s->cluster || seen[c / 8] & BIT(c % 8))
			return false;
		seen[c / 8] |= BIT(c % 8);
	}
	return seen;
}

static struct err *check_extension(struct blk_node *node)
{
	struct parallels *s = node->state;
	u64 at = ld_le64(s->header + EXT_AT);
	if (!at)
		return NULL;
	AUTO(free_ptr) void *ext = NULL;
	struct err *e = blk_check_table(at > INT64_MAX / 512 ? UINT64_MAX : at * 512, 1, s->cluster,
					INT32_MAX, 512, "Format extension");
	if (!e)
		e = blk_load_table(node->file, at * 512, s->cluster, "format extension", &ext);
	if (e)
		return e;
	const u8 *p = ext, *end = p + s->cluster;
	if (ld_le64(p) != EXT_MAGIC)
		return err_new(ERR_CORRUPT, "Format extension at offset %llu is not valid",
			       (unsigned long long)at * 512);
	for (p += 24; end - p >= 24 && ld_le64(p);) {
		u64 size = ROUND_UP((u64)ld_le32(p + 16), 8ull);
		if (ld_le64(p + 8) & EXT_NECESSARY)
			return err_hint(
			    err_new(
				ERR_UNSUPPORTED,
				"Parallels image has an extension (%llx) that is necessary to write to it",
				(unsigned long long)ld_le64(p)),
			    "Open the image read-only.");
		if (size > (u64)(end - p) - 24)
			break;
		p += 24 + size;
	}
	blk_say(node, "warning: Format Extension ignored in RW mode");
	return NULL;
}

static struct err *make_writable(struct blk_node *node)
{
	struct parallels *s = node->state;
	if (s->data_at % 512 || (s->unit != 512 && s->data_at % s->unit))
		return err_new(
		    ERR_UNSUPPORTED,
		    "Parallels image with data at offset %llu, which is not a multiple of the cluster size",
		    (unsigned long long)s->data_at);
	struct err *e = check_extension(node);
	if (e || !s->unclean || (node->flags & BLK_FOR_CHECK))
		return e;
	if (!table_sound(node))
		return err_hint(err_new(ERR_CORRUPT, "Image was not closed correctly, and its catalog is "
						     "damaged; cannot be opened read/write"),
				"Run: qemu-img check -r all '%s'", node->file->filename);
	s->unclean = false;
	return NULL;
}

static struct err *open_parallels(struct blk_node *node, struct json *opts, u32 flags)
{
	struct parallels *s = node->state;
	int r = blk_pread(node->file, 0, s->header, HEADER);
	if (r)
		return err_errno(-r, "Could not read the Parallels header");
	struct err *e = check_header(node);
	if (!e)
		e = blk_table_load(&s->bat, &node->file, 0, HEADER + s->entries * 4ull, 512, "catalog");
	if (e)
		return e;
	s->unclean = ld_le32(s->header + IN_USE) == MARK_OPEN;
	s->next = s->data_at;
	for (u32 i = 0; i < s->entries; i++)
		if (entry_valid(node, entry(s, i)))
			s->next = MAX(s->next, entry(s, i) + s->cluster);
	/* Whole clusters from the start of the data: rooms between are not looked for. */
	s->next = s->data_at + (s->next - s->data_at + s->cluster - 1) / s->cluster * s->cluster;
	if (ld_le64(s->header + EXT_AT))
		s->next = MAX(s->next, file_end(node));
	if (s->cluster & (s->cluster - 1))
		node->cluster = 1u << 31; /* requests wait in powers of two: all for each other */
	else
		node->granularity = s->cluster;
	if (flags & BLK_RDWR)
		e = make_writable(node);
	if (e)
		blk_table_free(&s->bat);
	return e;
}

/* ---- the mark ---- */

static int write_mark(struct blk_node *node, u32 mark)
{
	struct parallels *s = node->state;
	st_le32(s->header + IN_USE, mark);
	if (mark == MARK_OPEN)
		st_le64(s->header + EXT_AT, 0);
	memcpy(s->bat.data, s->header, HEADER);
	int r = blk_pwrite(node->file, 0, s->header, HEADER);
	return r ? r : blk_barrier(node->file);
}

static int begin_writing(struct blk_node *node)
{
	struct parallels *s = node->state;
	if (LIKELY(s->marked))
		return 0;
	int r = write_mark(node, MARK_OPEN);
	s->marked = !r;
	return r;
}

static int flush_parallels(struct blk_node *node)
{
	return blk_table_flush(&((struct parallels *)node->state)->bat);
}

static int end_writing(struct blk_node *node)
{
	struct parallels *s = node->state;
	int r = flush_parallels(node);
	/* A mark that was found goes too, once the table is known to be sound. */
	bool stale = ld_le32(s->header + IN_USE) == MARK_OPEN && !s->unclean;
	if (!r && (s->marked || stale)) {
		r = blk_flush(node->file);
		if (!r)
			r = write_mark(node, MARK_CLOSED);
		s->marked = r;
	}
	return r;
}

static void close_parallels(struct blk_node *node)
{
	struct parallels *s = node->state;
	if (node->flags & BLK_RDWR) {
		int r = end_writing(node);
		(void)r; /* the mark stays; blk_flush() before reports it to those who want to know */
	}
	blk_table_free(&s->bat);
}

static struct err *reopen_parallels(struct blk_node *node, u32 flags)
{
	u32 old = node->flags;
	struct err *e = NULL;
	int r = (old & BLK_RDWR) && !(flags & BLK_RDWR) ? end_writing(node) : 0;
	if (r)
		return err_errno(-r, "Could not mark the image as closed");
	node->flags = flags;
	if ((flags & BLK_RDWR) && !(old & BLK_RDWR))
		e = make_writable(node);
	if (e)
		node->flags = old;
	return e;
}

/* ---- where and room ---- */

static int map_parallels(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	struct parallels *s = node->state;
	u64 i = offset / s->cluster, in = offset % s->cluster, first = i < s->entries ? entry(s, i) : 0;
	*ret = (struct blk_extent){ .where = first ? BLK_DATA : BLK_HOLE, .len = s->cluster - in };
	while (ret->len < len) {
		u64 next = ++i < s->entries ? entry(s, i) : 0;
		if (first ? next != first + in + ret->len : next)
			break;
		ret->len += s->cluster;
	}
	ret->len = MIN(ret->len, len);
	if (!first)
		return 0;
	ret->file = node->file;
	ret->offset = first + in;
	return entry_valid(node, first) ? 0 : -EIO;
}

static int place_parallels(struct blk_node *node, u64 offset, u64 len, struct blk_place *ret)
{
	struct parallels *s = node->state;
	struct blk_extent x;
	int r = begin_writing(node);
	if (!r)
		r = map_parallels(node, offset, len, &x);
	if (r)
		return r;
	u64 end = offset + x.len + s->cluster - 1;
	if (x.where != BLK_DATA && end / s->cluster > s->entries)
		return -EINVAL;
	if (x.where != BLK_DATA && (s->next + x.len + 2 * s->cluster) / s->unit > UINT32_MAX)
		return -ENOSPC;
	room_place(node, &x, offset, s->cluster, &s->next, ret);
	return 0;
}

static int commit_parallels(struct blk_node *node, const struct blk_place *p)
{
	struct parallels *s = node->state;
	int r = room_extend(node->file, p->file_offset + p->len);
	if (r)
		return r;
	for (u64 done = 0; done < p->len; done += s->cluster)
		set_entry(s, (p->offset + done) / s->cluster, p->file_offset + done);
	return 0;
}

static void abandon_parallels(struct blk_node *node, const struct blk_place *p)
{
	room_abandon(&((struct parallels *)node->state)->next, p);
}

/* There is no mark for zeros: over a backing file the core writes them. */
static int zero_parallels(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	int r = begin_writing(node);
	for (int pass = 0; pass < 2; pass++)
		for (u64 done = 0; done < len && !r;) {
			struct blk_extent x;
			r = map_parallels(node, offset + done, len - done, &x);
			if (!r && x.where == BLK_HOLE && node->backing)
				r = -ENOTSUP;
			if (!r && pass && x.where == BLK_DATA)
				r = blk_zero(x.file, x.offset, x.len, flags);
			done += x.len;
		}
	return r;
}

/* ---- info, check ---- */

static struct err *info_parallels(struct blk_node *node, struct blk_info *ret)
{
	ret->dirty = ((struct parallels *)node->state)->unclean;
	return NULL;
}

static void check_mark(struct parallels *s, struct blk_check *res, bool fix)
{
	if (!s->unclean)
		return;
	blk_check_say(res, "%s image was not closed correctly", fix ? "Repairing" : "ERROR");
	res->corruptions++;
	if (fix) {
		s->unclean = false; /* the mark goes when the image is closed */
		res->corruptions_fixed++;
	}
}

static void check_entries(struct blk_node *node, struct blk_check *res, bool fix, u8 *seen)
{
	struct parallels *s = node->state;
	u64 last = 0;
	for (u32 i = 0; i < s->entries; i++) {
		u64 at = entry(s, i), c = (at - s->data_at) / s->cluster;
		bool bad = at && (!entry_valid(node, at) || (at - s->data_at) % s->cluster);
		if (bad) {
			blk_check_say(res, "%s cluster %u is outside image", fix ? "Repairing" : "ERROR", i);
			res->corruptions++;
			if (fix) {
				set_entry(s, i, 0);
				res->corruptions_fixed++;
			}
		}
		if (!at || bad) {
			last = 0;
			continue;
		}
		if (seen[c / 8] & BIT(c % 8)) {
			blk_check_say(res, "ERROR cluster %u lies where another does, at offset %llu", i,
				      (unsigned long long)at);
			res->corruptions++;
		}
		seen[c / 8] |= BIT(c % 8);
		res->allocated_clusters++;
		res->fragmented_clusters += last && at != last + s->cluster;
		res->image_end = MAX(res->image_end, at + s->cluster);
		last = at;
	}
}

/* Clusters behind the last one in use can be given back; those between stay. */
static struct err *check_leaks(struct blk_node *node, struct blk_check *res, bool fix, const u8 *seen)
{
	struct parallels *s = node->state;
	u64 leaks = 0, end = file_end(node);
	for (u64 c = 0; c < (end - s->data_at) / s->cluster; c++)
		leaks += !(seen[c / 8] & BIT(c % 8));
	u64 tail = end > res->image_end ? (end - res->image_end) / s->cluster : 0;
	res->leaks += leaks;
	if (!tail)
		return NULL;
	blk_check_say(res, "%s space leaked at the end of the image %llu", fix ? "Repairing" : "ERROR",
		      (unsigned long long)(end - res->image_end));
	if (!fix)
		return NULL;
	struct err *e = blk_truncate(node->file, res->image_end, true, BLK_PREALLOC_OFF, false);
	if (!e) {
		res->leaks_fixed += tail;
		s->next = res->image_end;
	}
	return e;
}

static struct err *check_parallels(struct blk_node *node, struct blk_check *res, u32 fix)
{
	struct parallels *s = node->state;
	u64 n = (file_end(node) - s->data_at) / s->cluster + 1;
	AUTO(free_ptr) u8 *seen = try_alloc(n / 8 + 1);
	if (!seen)
		return err_new(ERR_BUSY, "Could not allocate memory for the check");
	res->total_clusters = s->entries;
	res->image_end = s->data_at;
	check_mark(s, res, fix & BLK_FIX_ERRORS);
	check_entries(node, res, fix & BLK_FIX_ERRORS, seen);
	/* The extension's clusters are not in the table. */
	struct err *e = NULL;
	if (!ld_le64(s->header + EXT_AT))
		e = check_leaks(node, res, fix & BLK_FIX_LEAKS, seen);
	int r = !e && fix ? flush_parallels(node) : 0;
	return r ? err_errno(-r, "Could not write the catalog") : e;
}

/* ---- making ---- */

static struct err *create_parallels(struct blk_create *c)
{
	u64 cluster = blk_opt_num(c->opts, "cluster_size", DEFAULT_CLUSTER), size = ROUND_UP(c->size, 512ull);
	if (!cluster)
		cluster = DEFAULT_CLUSTER;
	cluster = ROUND_UP(cluster, 512ull);
	if (cluster > UINT32_MAX || cluster / 512 > INT32_MAX / 513)
		return err_new(ERR_INVALID, "Cluster size is too large");
	if (size / cluster >= INT32_MAX / 4)
		return err_new(ERR_INVALID, "Image size is too large for this cluster size");
	u64 entries = (size + cluster - 1) / cluster, table = ROUND_UP(HEADER + entries * 4, 512ull);
	u64 data = (table + cluster - 1) / cluster * cluster;
	u8 h[HEADER] = "WithouFreSpacExt";
	st_le32(h + VERSION, 2);
	st_le32(h + HEADS, 16);
	u64 cylinders = size / 512 / 16 / 32;
	st_le32(h + CYLINDERS, MIN(cylinders, (u64)UINT32_MAX));
	st_le32(h + TRACKS, cluster / 512);
	st_le32(h + ENTRIES, entries);
	st_le64(h + SECTORS, size / 512);
	st_le32(h + DATA_AT, data / 512);
	struct err *e = blk_truncate(c->file, data, false, BLK_PREALLOC_OFF, true);
	if (e)
		return e;
	int r = blk_pwrite(c->file, 0, h, HEADER);
	return r ? err_errno(-r, "Failed to create Parallels image") : NULL;
}

static const struct blk_opt parallels_opts[] = {
	{ "size", BLK_OPT_SIZE, "Virtual disk size" },
	{ "cluster_size", BLK_OPT_SIZE, "Parallels image cluster size", "1048576" },
	{ NULL },
};

BLK_DRIVER(parallels) = {
	.name = "parallels",
	.summary = "Parallels expandable image",
	.spec = "parallels.rst",
	.kind = BLK_FORMAT,
	.state_size = sizeof(struct parallels),
	.probe = probe_parallels,
	.open = open_parallels,
	.close = close_parallels,
	.reopen = reopen_parallels,
	.map = map_parallels,
	.place = place_parallels,
	.commit = commit_parallels,
	.abandon = abandon_parallels,
	.zero = zero_parallels,
	.flush = flush_parallels,
	.info = info_parallels,
	.check = check_parallels,
	.create = create_parallels,
	.create_opts = parallels_opts,
	.supports_backing = true,
};
