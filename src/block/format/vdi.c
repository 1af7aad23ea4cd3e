/*
 * VDI: VirtualBox disk image, version 1.1.
 *
 * Layout     header, block map (a little-endian u32 a block: its number in the data area), blocks in the order they were first written.
 *            No prose specification is published; field places agree in all public readers of the format.
 * Modelled   dynamic and fixed images, reading and writing; check.
 * Absent     differencing images and snapshots: refused.
 */
#include "block/format/room.h"
#include "block/format/guid.h"
#include "block/format/table.h"
#include <errno.h>

/* clang-format off */
enum {
	SIGNATURE = 0x40, VERSION = 0x44, HEADER_SIZE = 0x48, TYPE = 0x4c, MAP_AT = 0x154, DATA_AT = 0x158, SECTOR_SIZE = 0x168,
	DISK_SIZE = 0x170, BLOCK_SIZE = 0x178, BLOCK_EXTRA = 0x17c, BLOCKS = 0x180, ALLOCATED = 0x184, UUID_IMAGE = 0x188,
	UUID_SNAP = 0x198, UUID_LINK = 0x1a8, UUID_PARENT = 0x1b8, HEADER = 0x200,
};
/* clang-format on */
enum { DYNAMIC = 1, FIXED = 2, BLOCK = 1 << 20, MAX_BLOCKS = 0x7fffffff / 4 - 127 };
#define MAGIC 0xbeda107fu
#define NEVER_WRITTEN 0xffffffffu
#define DISCARDED 0xfffffffeu
#define MAX_SIZE ((u64)MAX_BLOCKS * BLOCK)

struct vdi {
	u8 header[HEADER];
	struct blk_table map;
	u32 blocks, next; /* next: the first block behind all in use */
	bool header_dirty;
	u64 data_at;
};

static unsigned probe_vdi(const u8 *head, size_t len, const char *filename)
{
	return len >= HEADER && ld_le32(head + SIGNATURE) == MAGIC ? 100 : 0;
}

/* ---- opening ---- */

static struct err *check_header(const u8 *h, u64 size)
{
	u32 blocks = ld_le32(h + BLOCKS);
	if (ld_le32(h + SIGNATURE) != MAGIC)
		return err_new(ERR_INVALID, "Image not in VDI format (bad signature %08x)",
			       ld_le32(h + SIGNATURE));
	if (ld_le32(h + VERSION) != 0x00010001)
		return err_new(ERR_UNSUPPORTED, "unsupported VDI image (version %u.%u)",
			       ld_le32(h + VERSION) >> 16, ld_le32(h + VERSION) & 0xffff);
	if (ld_le32(h + MAP_AT) % 512)
		return err_new(ERR_UNSUPPORTED, "unsupported VDI image (unaligned block map offset 0x%x)",
			       ld_le32(h + MAP_AT));
	if (ld_le32(h + DATA_AT) % 512)
		return err_new(ERR_UNSUPPORTED, "unsupported VDI image (unaligned data offset 0x%x)",
			       ld_le32(h + DATA_AT));
	if (ld_le32(h + SECTOR_SIZE) != 512)
		return err_new(ERR_UNSUPPORTED, "unsupported VDI image (sector size %u is not 512)",
			       ld_le32(h + SECTOR_SIZE));
	if (ld_le32(h + BLOCK_SIZE) != BLOCK)
		return err_new(ERR_UNSUPPORTED, "unsupported VDI image (block size %u is not %u)",
			       ld_le32(h + BLOCK_SIZE), BLOCK);
	if (ld_le32(h + BLOCK_EXTRA))
		return err_new(ERR_UNSUPPORTED, "unsupported VDI image (%u bytes of extra data a block)",
			       ld_le32(h + BLOCK_EXTRA));
	if (size > (u64)blocks * BLOCK)
		return err_new(ERR_CORRUPT,
			       "unsupported VDI image (disk size %llu, image bitmap has room for %llu)",
			       (unsigned long long)size, (unsigned long long)blocks * BLOCK);
	if (!is_zero(h + UUID_LINK, 16))
		return err_new(ERR_UNSUPPORTED, "unsupported VDI image (non-NULL link UUID)");
	if (!is_zero(h + UUID_PARENT, 16))
		return err_new(ERR_UNSUPPORTED, "unsupported VDI image (non-NULL parent UUID)");
	if (blocks > MAX_BLOCKS)
		return err_new(ERR_CORRUPT, "unsupported VDI image (too many blocks %u, max is %u)", blocks,
			       (u32)MAX_BLOCKS);
	return NULL;
}

/*
 * The map must lie between header and data. One that reaches beyond the file's end would read as zeros, every block at the same
 * place: not a table.
 */
static struct err *load_map(struct blk_node *node)
{
	struct vdi *v = node->state;
	u64 at = ld_le32(v->header + MAP_AT), end = at + (u64)v->blocks * 4;
	if (at < HEADER || v->data_at < end)
		return err_new(ERR_CORRUPT,
			       "unsupported VDI image (block map at 0x%llx with %u entries overlaps the "
			       "header or the data at 0x%llx)",
			       (unsigned long long)at, v->blocks, (unsigned long long)v->data_at);
	if (end > node->file->size)
		return err_new(ERR_CORRUPT,
			       "unsupported VDI image (block map at 0x%llx with %u entries, but the file "
			       "ends at 0x%llx)",
			       (unsigned long long)at, v->blocks, (unsigned long long)node->file->size);
	struct err *e = blk_table_load(&v->map, &node->file, at, (u64)v->blocks * 4, 512, "block map");
	/* The header's count may differ from the map after a crash: what the map says counts. */
	for (u32 i = 0; i < v->blocks && !e; i++) {
		u32 b = blk_table_le32(&v->map, i);
		if (b < MAX_BLOCKS && b >= v->next)
			v->next = b + 1;
	}
	return e;
}

static struct err *open_vdi(struct blk_node *node, struct json *opts, u32 flags)
{
	struct vdi *v = node->state;
	u8 *h = v->header;
	int r = blk_pread(node->file, 0, h, HEADER);
	if (r)
		return err_errno(-r, "Could not read the VDI header");
	u64 size = ld_le64(h + DISK_SIZE);
	if (size > MAX_SIZE)
		return err_new(ERR_UNSUPPORTED,
			       "Unsupported VDI image size (size is 0x%llx, max supported is 0x%llx)",
			       (unsigned long long)size, (unsigned long long)MAX_SIZE);
	size = ROUND_UP(size, 512ull);
	struct err *e = check_header(h, size);
	if (e)
		return e;
	v->blocks = ld_le32(h + BLOCKS);
	v->data_at = ld_le32(h + DATA_AT);
	node->size = size;
	node->granularity = BLOCK;
	/* Who only asks for the size need not wait for a map of up to 2 GiB. */
	return (flags & BLK_NO_IO) && !(flags & (BLK_RDWR | BLK_FOR_CHECK)) ? NULL : load_map(node);
}

/* The header goes first: at worst it counts blocks that no entry names, never fewer. */
static int flush_vdi(struct blk_node *node)
{
	struct vdi *v = node->state;
	int r = 0;
	if (v->header_dirty) {
		v->header_dirty = false;
		st_le32(v->header + ALLOCATED, v->next);
		r = blk_pwrite(node->file, 0, v->header, HEADER);
		if (r)
			v->header_dirty = true;
	}
	return r ? r : blk_table_flush(&v->map);
}

static void close_vdi(struct blk_node *node)
{
	struct vdi *v = node->state;
	room_close(node, flush_vdi);
	blk_table_free(&v->map);
}

/* ---- where and room ---- */

static int map_vdi(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	struct vdi *v = node->state;
	u64 i = offset / BLOCK, in = offset % BLOCK;
	if (!v->map.data)
		return -EPERM;
	u32 first = blk_table_le32(&v->map, i);
	bool data = first < DISCARDED;
	*ret = (struct blk_extent){ .where = data ? BLK_DATA : BLK_ZERO, .len = BLOCK - in };
	if (data && first >= MAX_BLOCKS)
		return -EIO;
	while (ret->len < len) {
		u32 next = blk_table_le32(&v->map, ++i);
		if (data ? next != ++first : next < DISCARDED)
			break;
		ret->len += BLOCK;
	}
	ret->len = MIN(ret->len, len);
	if (data) {
		ret->file = node->file;
		ret->ahead = ld_le32(v->header + TYPE) == FIXED;
		ret->offset = v->data_at + (u64)blk_table_le32(&v->map, offset / BLOCK) * BLOCK + in;
	}
	return 0;
}

static int place_vdi(struct blk_node *node, u64 offset, u64 len, struct blk_place *ret)
{
	struct vdi *v = node->state;
	struct blk_extent x;
	int r = map_vdi(node, offset, len, &x);
	if (r)
		return r;
	if (x.where == BLK_DATA) {
		*ret = (struct blk_place){
			.offset = offset, .len = x.len, .file = x.file, .file_offset = x.offset
		};
		return 0;
	}
	u64 from = ROUND_DOWN(offset, (u64)BLOCK), n = (ROUND_UP(offset + x.len, (u64)BLOCK) - from) / BLOCK;
	if (v->next + n > MAX_BLOCKS)
		return -ENOSPC;
	*ret = (struct blk_place){ .offset = from, .len = n * BLOCK, .file = node->file, .fresh = true };
	ret->file_offset = v->data_at + (u64)v->next * BLOCK;
	ret->reads_zero = node->file->zero_init && ret->file_offset >= node->file->size;
	ret->cookie[0] = v->next;
	v->next += n;
	return 0;
}

static int commit_vdi(struct blk_node *node, const struct blk_place *p)
{
	struct vdi *v = node->state;
	int r = room_extend(node->file, p->file_offset + p->len); /* whole blocks, for other readers */
	if (r)
		return r;
	for (u64 i = 0; i < p->len / BLOCK; i++)
		blk_table_set_le32(&v->map, p->offset / BLOCK + i, p->cookie[0] + i);
	v->header_dirty = true;
	return 0;
}

static void abandon_vdi(struct blk_node *node, const struct blk_place *p)
{
	struct vdi *v = node->state;
	if (v->next == p->cookie[0] + p->len / BLOCK)
		v->next = p->cookie[0];
}

/* Blocks keep their place; there is no state of the map that both says zero and keeps the room from leaking. */
static int zero_vdi(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	while (len) {
		struct blk_extent x;
		int r = map_vdi(node, offset, len, &x);
		if (!r && x.where == BLK_DATA)
			r = blk_zero(x.file, x.offset, x.len, flags);
		if (r)
			return r;
		offset += x.len;
		len -= x.len;
	}
	return 0;
}

/* ---- info, check, making ---- */

static struct err *info_vdi(struct blk_node *node, struct blk_info *ret)
{
	ret->cluster_size = BLOCK;
	return NULL;
}

static struct err *check_vdi(struct blk_node *node, struct blk_check *res, u32 fix)
{
	struct vdi *v = node->state;
	if (fix)
		return err_new(ERR_UNSUPPORTED, "This image format does not support repair");
	AUTO(free_ptr) u8 *seen = try_alloc(v->blocks / 8 + 1);
	u32 used = 0, claimed = ld_le32(v->header + ALLOCATED);
	if (!seen)
		return err_new(ERR_BUSY, "Could not allocate memory for the check");
	for (u32 i = 0; i < v->blocks; i++) {
		u32 b = blk_table_le32(&v->map, i);
		if (b >= DISCARDED)
			continue;
		used++;
		if (b >= v->blocks) {
			blk_check_say(res, "ERROR: block index %u out of range, is %u", i, b);
			res->corruptions++;
		} else if (seen[b / 8] & BIT(b % 8)) {
			blk_check_say(res, "ERROR: block index %u also used by %u", b, i);
			res->corruptions++;
		} else {
			seen[b / 8] |= BIT(b % 8);
		}
	}
	if (used > claimed) {
		blk_check_say(res, "ERROR: allocated blocks mismatch, is %u, should be %u", used, claimed);
		res->corruptions++;
	} else {
		res->leaks += claimed - used;
	}
	return NULL;
}

static struct err *create_vdi(struct blk_create *c)
{
	bool fixed = blk_opt_bool(c->opts, "static", false);
	u64 blocks = (c->size + BLOCK - 1) / BLOCK, map_bytes = ROUND_UP(blocks * 4, 512ull);
	u8 h[HEADER] = "<<< Rhea VM Virtual Disk Image >>>\n";
	if (c->size > MAX_SIZE)
		return err_new(ERR_UNSUPPORTED,
			       "Unsupported VDI image size (size is 0x%llx, max supported is 0x%llx)",
			       (unsigned long long)c->size, (unsigned long long)MAX_SIZE);
	st_le32(h + SIGNATURE, MAGIC);
	st_le32(h + VERSION, 0x00010001);
	st_le32(h + HEADER_SIZE, 0x180);
	st_le32(h + TYPE, fixed ? FIXED : DYNAMIC);
	st_le32(h + MAP_AT, HEADER);
	st_le32(h + DATA_AT, HEADER + map_bytes);
	st_le32(h + SECTOR_SIZE, 512);
	st_le64(h + DISK_SIZE, c->size);
	st_le32(h + BLOCK_SIZE, BLOCK);
	st_le32(h + BLOCKS, blocks);
	st_le32(h + ALLOCATED, fixed ? blocks : 0);
	guid_new(h + UUID_IMAGE);
	guid_new(h + UUID_SNAP);
	AUTO(free_ptr) u8 *map = try_alloc(map_bytes + 1);
	if (!map)
		return err_new(ERR_BUSY, "Could not allocate a block map of %llu bytes",
			       (unsigned long long)map_bytes);
	for (u64 i = 0; i < blocks; i++)
		st_le32(map + i * 4, fixed ? (u32)i : NEVER_WRITTEN);
	int r = blk_pwrite(c->file, 0, h, HEADER);
	if (!r && map_bytes)
		r = blk_pwrite(c->file, HEADER, map, map_bytes);
	if (r)
		return err_errno(-r, "Could not write the image's header");
	if (fixed)
		return blk_truncate(c->file, HEADER + map_bytes + blocks * BLOCK, false, BLK_PREALLOC_OFF,
				    true);
	return NULL;
}

static const struct blk_opt vdi_opts[] = {
	{ "size", BLK_OPT_SIZE, "Virtual disk size" },
	{ "static", BLK_OPT_BOOL, "VDI static (pre-allocated) image", "off" },
	{ NULL },
};

BLK_DRIVER(vdi) = {
	.name = "vdi",
	.summary = "VirtualBox disk image",
	.spec = "VDI 1.1",
	.kind = BLK_FORMAT,
	.state_size = sizeof(struct vdi),
	.probe = probe_vdi,
	.open = open_vdi,
	.close = close_vdi,
	.map = map_vdi,
	.place = place_vdi,
	.commit = commit_vdi,
	.abandon = abandon_vdi,
	.zero = zero_vdi,
	.flush = flush_vdi,
	.info = info_vdi,
	.check = check_vdi,
	.create = create_vdi,
	.create_opts = vdi_opts,
};
