/*
 * VPC: Virtual PC and Hyper-V disk image (VHD).
 *
 * Spec       "Virtual Hard Disk Image Format Specification", version 1.0; field places after libyal/libvhdi, documentation.
 * Layout     dynamic: copy of the footer, dynamic header, block table (a big-endian u32 a block: its first sector), blocks, each with a
 *            bitmap of its sectors in front, footer. Fixed: the disk, then the footer.
 * Modelled   fixed and dynamic images, reading and writing; differencing images, reading.
 * Absent     writing to differencing images: refused.
 * Options    force_size_calc (auto, chs, current_size): which of the footer's two sizes counts.
 */
#include "block/format/room.h"
#include "block/format/guid.h"
#include "block/format/table.h"
#include "block/format/utf16.h"
#include <errno.h>
#include <time.h>

/* clang-format off */
enum { /* footer, big-endian */
	COOKIE = 0, FEATURES = 8, FORMAT_VERSION = 12, NEXT_AT = 16, TIME = 24, CREATOR = 28, CREATOR_VERSION = 32, CREATOR_OS = 36,
	ORIGINAL_SIZE = 40, CURRENT_SIZE = 48, CYLINDERS = 56, HEADS = 58, SECTORS = 59, TYPE = 60, CHECKSUM = 64, UUID = 68, FOOTER = 512,
};
enum { /* dynamic header */
	TABLE_AT = 16, HEADER_VERSION = 24, ENTRIES = 28, BLOCK_SIZE = 32, HEADER_CHECKSUM = 36, PARENT_NAME = 64, LOCATORS = 576,
	HEADER = 1024,
};
/* clang-format on */
enum { FIXED = 2, DYNAMIC = 3, DIFFERENCING = 4 };
enum { DEFAULT_BLOCK = 2 << 20, MAX_CHS = 65535 * 16 * 255, MAX_ENTRIES = 0x1fffffff, UNUSED_ENTRY = -1 };
#define MAX_BYTES (2040 * GiB)
#define EPOCH 946684800 /* 2000-01-01 */

struct vpc {
	u8 footer[FOOTER];
	u32 type, block, bitmap; /* bytes: of a block's data, of its bitmap */
	struct blk_table bat;
	u64 next; /* room for new blocks begins here */
	/* Differencing: the bitmap read last. */
	u8 *sectors;
	u64 sectors_of;
};

static unsigned probe_vpc(const u8 *head, size_t len, const char *filename)
{
	return len >= FOOTER && memcmp(head, "conectix", 8) == 0 ? 100 : 0;
}

static u32 checksum(const u8 *p, size_t len, u32 field)
{
	u32 sum = 0;
	for (size_t i = 0; i < len; i++)
		if (i < field || i >= field + 4)
			sum += p[i];
	return ~sum;
}

static bool intact(const u8 *footer)
{
	return memcmp(footer, "conectix", 8) == 0 &&
	       ld_be32(footer + CHECKSUM) == checksum(footer, FOOTER, CHECKSUM);
}

/* ---- opening ---- */

/* The copy in front serves dynamic images when the end was torn off; a fixed image has none. */
static struct err *read_footer(struct blk_node *node)
{
	struct vpc *s = node->state;
	u8 front[FOOTER];
	u64 size = node->file->size;
	if (size < FOOTER)
		return err_new(ERR_INVALID,
			       "invalid VPC image: the file of %llu bytes has no room for a footer",
			       (unsigned long long)size);
	int r = blk_pread(node->file, 0, front, FOOTER);
	if (!r)
		r = blk_pread(node->file, size - FOOTER, s->footer, FOOTER);
	if (r)
		return err_errno(-r, "Unable to read VHD footer");
	bool front_ok = memcmp(front, "conectix", 8) == 0 && ld_be32(front + TYPE) != FIXED;
	bool end_ok = memcmp(s->footer, "conectix", 8) == 0;
	if (!front_ok && !end_ok)
		return err_new(ERR_INVALID, "invalid VPC image");
	if (front_ok && (intact(front) || !intact(s->footer)))
		memcpy(s->footer, front, FOOTER);
	s->type = ld_be32(s->footer + TYPE);
	if (s->type != FIXED && s->type != DYNAMIC && s->type != DIFFERENCING)
		return err_new(ERR_UNSUPPORTED, "Unsupported VHD disk type %u at offset %d of the footer",
			       s->type, TYPE);
	return NULL;
}

static u64 chs_sectors(const u8 *footer)
{
	return (u64)ld_be16(footer + CYLINDERS) * footer[HEADS] * footer[SECTORS];
}

/*
 * Virtual PC gave guests the disk that the geometry describes, other makers the size as it is written; the latter also counts where no
 * geometry reaches.
 */
static struct err *find_size(struct blk_node *node, struct json *opts)
{
	static const char *const by_size[] = { "win ", "qem2", "d2v ", "tap\0", "CTXS", "wa\0\0" };
	struct vpc *s = node->state;
	AUTO(free_ptr) char *how = blk_take_str(opts, "force_size_calc");
	bool current = chs_sectors(s->footer) == MAX_CHS;
	for (unsigned i = 0; i < LEN(by_size); i++)
		current |= memcmp(s->footer + CREATOR, by_size[i], 4) == 0;
	if (how && strcmp(how, "auto") != 0) {
		if (strcmp(how, "chs") != 0 && strcmp(how, "current_size") != 0)
			return err_new(ERR_INVALID, "Invalid size calculation algorithm");
		current = how[1] == 'u' || chs_sectors(s->footer) == MAX_CHS;
	}
	node->size = current ? ld_be64(s->footer + CURRENT_SIZE) : chs_sectors(s->footer) * 512;
	if (node->size > MAX_BYTES)
		return err_new(ERR_CORRUPT,
			       "VHD image of %llu bytes (offset %d of the footer) is larger than %llu",
			       (unsigned long long)node->size, CURRENT_SIZE, (unsigned long long)MAX_BYTES);
	node->size = ROUND_UP(node->size, 512ull);
	return NULL;
}

/* Takes the parent's name: the relative path if there is one, else the name in the header. */
static struct err *find_parent(struct blk_node *node, const u8 *h)
{
	for (const u8 *l = h + LOCATORS; l < h + LOCATORS + 8 * 24; l += 24) {
		u32 len = ld_be32(l + 8);
		if (memcmp(l, "W2ru", 4) != 0 || !len || len > 4096)
			continue;
		AUTO(free_ptr) void *name = NULL;
		struct err *e =
		    blk_load_table(node->file, ld_be64(l + 16) & INT64_MAX, len, "parent locator", &name);
		if (e)
			return e;
		node->backing_file = utf16_text(name, len / 2, false, true);
		break;
	}
	if (!node->backing_file)
		node->backing_file = utf16_text(h + PARENT_NAME, 256, true, true);
	if (!*node->backing_file)
		return err_new(ERR_CORRUPT, "Differencing VHD image names no parent");
	node->backing_format = str_dup("vpc");
	return NULL;
}

static struct err *check_header(struct blk_node *node, const u8 *h, u64 at)
{
	struct vpc *s = node->state;
	u32 entries = ld_be32(h + ENTRIES);
	u64 table = ld_be64(h + TABLE_AT);
	s->block = ld_be32(h + BLOCK_SIZE);
	if (memcmp(h, "cxsparse", 8) != 0)
		return err_new(ERR_CORRUPT, "Invalid header magic at offset %llu", (unsigned long long)at);
	if (s->block < 512 || s->block & (s->block - 1) || s->block > 256 * MiB)
		return err_new(ERR_CORRUPT, "Invalid block size %u", s->block);
	s->bitmap = ROUND_UP(s->block / 512 / 8, 512u);
	if (!s->bitmap)
		s->bitmap = 512;
	if (entries > MAX_ENTRIES)
		return err_new(ERR_CORRUPT, "Max Table Entries too large (%u)", entries);
	if ((u64)entries * s->block < node->size)
		return err_new(ERR_CORRUPT, "Page table too small: %u blocks of %u bytes for a disk of %llu",
			       entries, s->block, (unsigned long long)node->size);
	if (ld_be32(h + HEADER_CHECKSUM) != checksum(h, HEADER, HEADER_CHECKSUM))
		return err_new(ERR_CORRUPT, "The checksum of the dynamic header at offset %llu is incorrect",
			       (unsigned long long)at);
	struct err *e = blk_check_table(table, entries, 4, MAX_ENTRIES * 4ull, 1, "Block table");
	if (!e && table + entries * 4ull > node->file->size)
		e = err_new(ERR_CORRUPT, "Block table at offset %llu reaches beyond the end of the file",
			    (unsigned long long)table);
	return e;
}

/* Blocks begin behind table and header, and every entry in use moves the room for new ones. */
static struct err *find_room(struct blk_node *node, u64 header_at)
{
	struct vpc *s = node->state;
	s->next = MAX(header_at + HEADER, ROUND_UP(s->bat.at + s->bat.bytes, 512ull));
	for (u64 i = 0; i < s->bat.bytes / 4; i++) {
		u64 at = blk_table_be32(&s->bat, i) * 512ull;
		if (at / 512 == UINT32_MAX)
			continue;
		if (at < header_at + HEADER ||
		    (at < s->bat.at + s->bat.bytes && at + s->bitmap + s->block > s->bat.at))
			return err_new(ERR_CORRUPT, "Block %llu at offset %llu overlaps the image's tables",
				       (unsigned long long)i, (unsigned long long)at);
		s->next = MAX(s->next, at + s->bitmap + s->block);
	}
	return NULL;
}

static struct err *open_dynamic(struct blk_node *node)
{
	struct vpc *s = node->state;
	AUTO(free_ptr) void *h = NULL;
	u64 at = ld_be64(s->footer + NEXT_AT);
	struct err *e = blk_check_table(at, 1, HEADER, HEADER, 1, "Dynamic header");
	if (!e)
		e = blk_load_table(node->file, at, HEADER, "dynamic header", &h);
	if (!e)
		e = check_header(node, h, at);
	if (!e && s->type == DIFFERENCING)
		e = find_parent(node, h);
	if (!e && s->type == DIFFERENCING && (node->flags & BLK_RDWR))
		e = err_new(ERR_UNSUPPORTED, "Differencing VHD images can only be opened read-only");
	if (e)
		return e;
	u64 entries = (node->size + s->block - 1) / s->block;
	e = blk_table_load(&s->bat, &node->file, ld_be64((u8 *)h + TABLE_AT), entries * 4, 512, "block table");
	if (!e)
		e = find_room(node, at);
	node->granularity = s->block;
	return e;
}

static void free_state(struct blk_node *node)
{
	struct vpc *s = node->state;
	blk_table_free(&s->bat);
	free(s->sectors);
	s->sectors = NULL;
}

static struct err *open_vpc(struct blk_node *node, struct json *opts, u32 flags)
{
	struct vpc *s = node->state;
	struct err *e = read_footer(node);
	if (!e)
		e = find_size(node, opts);
	if (!e && s->type == FIXED && node->size > node->file->size - FOOTER)
		e = err_new(ERR_CORRUPT, "Fixed VHD image of %llu bytes in a file of %llu bytes",
			    (unsigned long long)node->size, (unsigned long long)node->file->size);
	if (!e && s->type != FIXED)
		e = open_dynamic(node);
	if (!e && !intact(s->footer))
		e = err_new(ERR_CORRUPT, "The checksum of the VHD footer is incorrect");
	if (e)
		free_state(node);
	return e;
}

static int flush_vpc(struct blk_node *node)
{
	return blk_table_flush(&((struct vpc *)node->state)->bat);
}

static void close_vpc(struct blk_node *node)
{
	room_close(node, flush_vpc);
	free_state(node);
}

/* ---- where and room ---- */

/* Differencing: the bitmap says, sector by sector, what lies here. */
static int map_sectors(struct blk_node *node, u64 block_at, u64 in, struct blk_extent *ret)
{
	struct vpc *s = node->state;
	if (!s->sectors && !(s->sectors = try_alloc(s->bitmap)))
		return -ENOMEM;
	if (s->sectors_of != block_at) {
		s->sectors_of = 0;
		int r = blk_pread(node->file, block_at, s->sectors, s->bitmap);
		if (r)
			return r;
		s->sectors_of = block_at;
	}
	u64 n = in / 512, end = (in + ret->len + 511) / 512, from = n;
	bool here = s->sectors[n / 8] & (0x80 >> n % 8);
	while (n < end && !!(s->sectors[n / 8] & (0x80 >> n % 8)) == here)
		n++;
	if (n < end)
		ret->len = MIN(ret->len, (n - from) * 512 - in % 512);
	if (!here)
		ret->where = BLK_HOLE;
	return 0;
}

static int map_vpc(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	struct vpc *s = node->state;
	*ret = (struct blk_extent){ .where = BLK_DATA, .file = node->file, .offset = offset, .len = len };
	if (s->type == FIXED) {
		ret->ahead = true;
		return 0;
	}
	u64 i = offset / s->block, in = offset & (s->block - 1);
	u32 sector = blk_table_be32(&s->bat, i);
	ret->len = s->block - in;
	if (sector == UINT32_MAX) {
		ret->where = s->type == DIFFERENCING ? BLK_HOLE : BLK_ZERO;
		while (ret->len < len && blk_table_be32(&s->bat, ++i) == UINT32_MAX)
			ret->len += s->block;
	}
	ret->len = MIN(ret->len, len);
	ret->offset = sector * 512ull + s->bitmap + in;
	return sector != UINT32_MAX && s->type == DIFFERENCING ? map_sectors(node, sector * 512ull, in, ret)
							       : 0;
}

static int place_vpc(struct blk_node *node, u64 offset, u64 len, struct blk_place *ret)
{
	struct vpc *s = node->state;
	struct blk_extent x;
	int r = s->type == DIFFERENCING ? -EPERM : map_vpc(node, offset, len, &x);
	if (r)
		return r;
	if (x.where == BLK_DATA) {
		*ret = (struct blk_place){
			.offset = offset, .len = x.len, .file = x.file, .file_offset = x.offset
		};
		return 0;
	}
	if (s->next / 512 >= UINT32_MAX)
		return -ENOSPC;
	*ret = (struct blk_place){ .offset = ROUND_DOWN(offset, (u64)s->block),
				   .len = s->block,
				   .file = node->file,
				   .fresh = true };
	ret->file_offset = s->next + s->bitmap;
	ret->reads_zero = node->file->zero_init && ret->file_offset >= node->file->size;
	ret->cookie[0] = s->next;
	s->next += s->bitmap + s->block;
	return 0;
}

/* The footer moves on; until its new place is written the copy in front stands for it. */
static int commit_vpc(struct blk_node *node, const struct blk_place *p)
{
	struct vpc *s = node->state;
	u64 at = p->cookie[0];
	AUTO(free_ptr) u8 *bitmap = try_alloc(s->bitmap);
	if (!bitmap)
		return -ENOMEM;
	memset(bitmap, 0xff, MAX(s->block / 512 / 8, 1u));
	int r = blk_pwrite(node->file, s->next, s->footer, FOOTER);
	if (!r)
		r = blk_pwrite(node->file, at, bitmap, s->bitmap);
	if (!r)
		blk_table_set_be32(&s->bat, p->offset / s->block, at / 512);
	return r;
}

static void abandon_vpc(struct blk_node *node, const struct blk_place *p)
{
	struct vpc *s = node->state;
	if (s->next != p->cookie[0] + s->bitmap + s->block)
		return;
	s->next = p->cookie[0];
	int r = blk_pwrite(node->file, s->next, s->footer, FOOTER);
	(void)r; /* on a full disk; the copy in front still stands */
}

static int zero_vpc(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	if (((struct vpc *)node->state)->type == DIFFERENCING)
		return -EPERM;
	while (len) {
		struct blk_extent x;
		int r = map_vpc(node, offset, len, &x);
		if (!r && x.where == BLK_DATA)
			r = blk_zero(x.file, x.offset, x.len, flags);
		if (r)
			return r;
		offset += x.len;
		len -= x.len;
	}
	return 0;
}

static struct err *info_vpc(struct blk_node *node, struct blk_info *ret)
{
	struct vpc *s = node->state;
	ret->cluster_size = s->type == FIXED ? 0 : s->block;
	return NULL;
}

/* ---- making ---- */

struct geometry {
	u32 cylinders, heads, sectors;
};

/* The specification's appendix "CHS Calculation". */
static struct geometry fit(u64 total)
{
	struct geometry g = { 0, 16, 17 };
	u32 tracks;
	if (total > MAX_CHS)
		total = MAX_CHS;
	if (total > 65535 * 16 * 63) {
		g.sectors = 255;
		tracks = total / g.sectors;
	} else {
		tracks = total / g.sectors;
		g.heads = MAX((tracks + 1023) / 1024, 4u);
		if (tracks >= g.heads * 1024 || g.heads > 16) {
			g.sectors = 31;
			g.heads = 16;
			tracks = total / g.sectors;
		}
		if (tracks >= g.heads * 1024) {
			g.sectors = 63;
			g.heads = 16;
			tracks = total / g.sectors;
		}
	}
	g.cylinders = tracks / g.heads;
	return g;
}

/* The size and geometry a new image gets: rounded up to a geometry unless the size is to stay as it is. */
static struct err *choose_size(u64 size, bool force, u64 *ret_sectors, struct geometry *ret)
{
	u64 want = (size + 511) / 512, sectors = 0;
	*ret = (struct geometry){ 65535, 16, 255 };
	if (want > MAX_BYTES / 512)
		return err_new(ERR_UNSUPPORTED, "The image size is too large for file format 'vpc'");
	for (u64 more = 0; !force && want <= MAX_CHS && sectors < want; more++) {
		*ret = fit(want + more);
		sectors = (u64)ret->cylinders * ret->heads * ret->sectors;
	}
	if (!force && !want)
		*ret = fit(0);
	*ret_sectors = sectors > want ? sectors : want;
	return NULL;
}

static int write_dynamic(struct blk_node *file, const u8 *footer, u64 sectors)
{
	u32 entries = (sectors * 512 + DEFAULT_BLOCK - 1) / DEFAULT_BLOCK;
	u64 table = FOOTER + HEADER, bytes = ROUND_UP(entries * 4ull, 512ull);
	u8 h[HEADER] = "cxsparse";
	memset(h + 8, 0xff, 8);
	st_be64(h + TABLE_AT, table);
	st_be32(h + HEADER_VERSION, 0x00010000);
	st_be32(h + ENTRIES, entries);
	st_be32(h + BLOCK_SIZE, DEFAULT_BLOCK);
	st_be32(h + HEADER_CHECKSUM, checksum(h, HEADER, HEADER_CHECKSUM));
	AUTO(free_ptr) u8 *all = try_alloc(table + bytes + FOOTER);
	if (!all)
		return -ENOMEM;
	memcpy(all, footer, FOOTER);
	memcpy(all + FOOTER, h, HEADER);
	memset(all + table, 0xff, bytes);
	memcpy(all + table + bytes, footer, FOOTER);
	return blk_pwrite(file, 0, all, table + bytes + FOOTER);
}

static struct err *create_vpc(struct blk_create *c)
{
	const char *sub = blk_opt_str(c->opts, "subformat");
	bool fixed = sub && strcmp(sub, "fixed") == 0, force = blk_opt_bool(c->opts, "force_size", false);
	struct geometry g;
	u64 sectors = 0;
	u8 f[FOOTER] = "conectix";
	if (sub && !fixed && strcmp(sub, "dynamic") != 0)
		return err_new(ERR_INVALID, "Invalid parameter '%s'", sub);
	struct err *e = choose_size(c->size, force, &sectors, &g);
	if (e)
		return e;
	st_be32(f + FEATURES, 2);
	st_be32(f + FORMAT_VERSION, 0x00010000);
	st_be64(f + NEXT_AT, fixed ? ~0ull : FOOTER);
	st_be32(f + TIME, time(NULL) - EPOCH);
	memcpy(f + CREATOR, force ? "qem2" : "qemu", 4); /* names that readers know how to take the size of */
	st_be32(f + CREATOR_VERSION, 0x00050003);
	memcpy(f + CREATOR_OS, "Wi2k", 4);
	st_be64(f + ORIGINAL_SIZE, sectors * 512);
	st_be64(f + CURRENT_SIZE, sectors * 512);
	st_be16(f + CYLINDERS, g.cylinders);
	f[HEADS] = g.heads;
	f[SECTORS] = g.sectors;
	st_be32(f + TYPE, fixed ? FIXED : DYNAMIC);
	guid_new(f + UUID);
	st_be32(f + CHECKSUM, checksum(f, FOOTER, CHECKSUM));
	int r;
	if (fixed) {
		e = blk_truncate(c->file, sectors * 512, false, BLK_PREALLOC_OFF, true);
		if (e)
			return e;
		r = blk_pwrite(c->file, sectors * 512, f, FOOTER);
	} else {
		r = write_dynamic(c->file, f, sectors);
	}
	return r ? err_errno(-r, "Could not write the VHD image's metadata") : NULL;
}

static const struct blk_opt vpc_opts[] = {
	{ "size", BLK_OPT_SIZE, "Virtual disk size" },
	{ "subformat", BLK_OPT_STR,
	  "Type of virtual hard disk format. Supported formats are {dynamic (default) | fixed} " },
	{ "force_size", BLK_OPT_BOOL,
	  "Force disk size calculation to use the actual size specified, rather than using the nearest "
	  "CHS-based calculation" },
	{ NULL },
};

BLK_DRIVER(vpc) = {
	.name = "vpc",
	.summary = "Virtual PC and Hyper-V disk image (VHD)",
	.spec = "Virtual Hard Disk Image Format Specification 1.0",
	.kind = BLK_FORMAT,
	.state_size = sizeof(struct vpc),
	.probe = probe_vpc,
	.open = open_vpc,
	.close = close_vpc,
	.map = map_vpc,
	.place = place_vpc,
	.commit = commit_vpc,
	.abandon = abandon_vpc,
	.zero = zero_vpc,
	.flush = flush_vpc,
	.info = info_vpc,
	.create = create_vpc,
	.create_opts = vpc_opts,
};
