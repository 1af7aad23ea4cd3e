/*
 * VHDX: Hyper-V disk image, version 2.
 *
 * Spec       [MS-VHDX] Virtual Hard Disk v2 (VHDX) File Format, revision 8.0 (sections are its). log.c: 2.3.
 * Layout     identifier, two headers, two region tables, log, block table, metadata, blocks.
 * Modelled   fixed and dynamic images: reading, writing through the log, replay, making, check.
 * Absent     differencing images and sectors of 4 KiB: refused.
 */
#include "block/format/room.h"
#include "block/format/vhdx/vhdx.h"
#include <errno.h>

/* clang-format off */
const u8 vhdx_bat_guid[16] = { 0x66, 0x77, 0xc2, 0x2d, 0x23, 0xf6, 0x00, 0x42, 0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08 };
const u8 vhdx_metadata_guid[16] = { 0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b, 0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e };
const u8 vhdx_params_guid[16] = { 0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d, 0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b };
const u8 vhdx_size_guid[16] = { 0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48, 0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8 };
const u8 vhdx_disk_id_guid[16] = { 0xab, 0x12, 0xca, 0xbe, 0xe6, 0xb2, 0x23, 0x45, 0x93, 0xef, 0xc3, 0x09, 0xe0, 0x00, 0xc7, 0x46 };
const u8 vhdx_logical_guid[16] = { 0x1d, 0xbf, 0x41, 0x81, 0x6f, 0xa9, 0x09, 0x47, 0xba, 0x47, 0xf2, 0x33, 0xa8, 0xfa, 0xab, 0x5f };
const u8 vhdx_physical_guid[16] = { 0xc7, 0x48, 0xa3, 0xcd, 0x5d, 0x44, 0x71, 0x44, 0x9c, 0xc9, 0xe9, 0x88, 0x52, 0x51, 0xc5, 0x56 };
const u8 vhdx_locator_guid[16] = { 0x2d, 0x5f, 0xd3, 0xa8, 0x0b, 0xb3, 0x4d, 0x45, 0xab, 0xf7, 0xd3, 0xd8, 0x48, 0x34, 0xab, 0x0c };
/* clang-format on */
enum { MAX_REGIONS = 2047, MAX_ITEMS = 2047, METADATA_TABLE = 64 << 10 };

u32 vhdx_checksum(const u8 *p, size_t len)
{
	static const u8 none[4];
	return crc32c(crc32c(crc32c(0, p, 4), none, 4), p + 8, len - 8);
}

static unsigned probe_vhdx(const u8 *head, size_t len, const char *filename)
{
	return len >= 8 && memcmp(head, "vhdxfile", 8) == 0 ? 100 : 0;
}

/* ---- headers (2.2.2) ---- */

static bool header_valid(const u8 *h)
{
	return memcmp(h, "head", 4) == 0 && ld_le32(h + H_CHECKSUM) == vhdx_checksum(h, VHDX_HEADER_SIZE) &&
	       ld_le16(h + H_VERSION) == 1;
}

static struct err *read_headers(struct blk_node *node)
{
	struct vhdx *s = node->state;
	u8 other[VHDX_HEADER_SIZE];
	u8 id[8];
	int r = blk_pread(node->file, 0, id, 8);
	if (!r && memcmp(id, "vhdxfile", 8) != 0)
		return err_new(ERR_INVALID, "Image not in VHDX format");
	if (!r)
		r = blk_pread(node->file, VHDX_HEADER_1, s->header, VHDX_HEADER_SIZE);
	if (!r)
		r = blk_pread(node->file, VHDX_HEADER_2, other, VHDX_HEADER_SIZE);
	if (r)
		return err_errno(-r, "Could not read the VHDX headers");
	bool first = header_valid(s->header), second = header_valid(other);
	if (!first && !second)
		return err_new(ERR_CORRUPT, "No valid VHDX header found at offsets %d and %d", VHDX_HEADER_1,
			       VHDX_HEADER_2);
	s->header_at = VHDX_HEADER_1;
	if (!first || (second && ld_le64(other + H_SEQUENCE) > ld_le64(s->header + H_SEQUENCE))) {
		memcpy(s->header, other, VHDX_HEADER_SIZE);
		s->header_at = VHDX_HEADER_2;
	}
	u64 at = vhdx_log_offset(s);
	u32 len = vhdx_log_length(s);
	if (ld_le16(s->header + H_LOG_VERSION) && !is_zero(s->header + H_LOG_GUID, 16))
		return err_new(ERR_UNSUPPORTED, "VHDX log of version %u", ld_le16(s->header + H_LOG_VERSION));
	if (at < VHDX_START || at % VHDX_MB || len % VHDX_MB || !len || at > (u64)INT64_MAX - len)
		return err_new(ERR_CORRUPT, "VHDX log at offset 0x%llx with %u bytes is not valid",
			       (unsigned long long)at, len);
	if (at + len > ROUND_UP(node->file->size, (u64)VHDX_MB))
		return err_new(ERR_CORRUPT,
			       "VHDX log at offset 0x%llx with %u bytes reaches beyond the end of the file",
			       (unsigned long long)at, len);
	s->regions_end = MAX(s->regions_end, at + len);
	return NULL;
}

int vhdx_write_headers(struct blk_node *node)
{
	struct vhdx *s = node->state;
	int r = 0;
	for (unsigned i = 0; i < 2 && !r; i++) {
		u64 at = s->header_at == VHDX_HEADER_1 ? VHDX_HEADER_2 : VHDX_HEADER_1;
		st_le64(s->header + H_SEQUENCE, ld_le64(s->header + H_SEQUENCE) + 1);
		st_le32(s->header + H_CHECKSUM, vhdx_checksum(s->header, VHDX_HEADER_SIZE));
		r = blk_pwrite(node->file, at, s->header, VHDX_HEADER_SIZE);
		if (!r)
			r = blk_barrier(node->file);
		if (!r)
			s->header_at = at;
	}
	return r;
}

int vhdx_begin_writing(struct blk_node *node)
{
	struct vhdx *s = node->state;
	if (LIKELY(s->session))
		return 0;
	guid_new_le(s->header + H_FILE_GUID);
	guid_new_le(s->header + H_DATA_GUID);
	int r = vhdx_write_headers(node);
	s->session = !r;
	return r;
}

/* ---- regions (2.2.3) ---- */

static bool overlap(u64 a, u64 a_len, u64 b, u64 b_len)
{
	return a < b + b_len && b < a + a_len;
}

static struct err *take_region(struct blk_node *node, const u8 *e)
{
	struct vhdx *s = node->state;
	u64 at = ld_le64(e + 16);
	u32 len = ld_le32(e + 24);
	unsigned which = memcmp(e, vhdx_bat_guid, 16) == 0	  ? 0
			 : memcmp(e, vhdx_metadata_guid, 16) == 0 ? 1
								  : 2;
	if (at < VHDX_START || at % VHDX_MB || !len || len % VHDX_MB || at > (u64)INT64_MAX - len)
		return err_new(ERR_CORRUPT, "VHDX region at offset 0x%llx with %u bytes is not valid",
			       (unsigned long long)at, len);
	if (overlap(at, len, vhdx_log_offset(s), vhdx_log_length(s)))
		return err_new(ERR_CORRUPT, "VHDX region at offset 0x%llx overlaps the log",
			       (unsigned long long)at);
	s->regions_end = MAX(s->regions_end, at + len);
	if (which == 2)
		return ld_le32(e + 28) & 1
			   ? err_new(ERR_UNSUPPORTED, "Unknown VHDX region at offset 0x%llx is required",
				     (unsigned long long)at)
			   : NULL;
	if (s->regions[which].found)
		return err_new(ERR_CORRUPT, "VHDX region at offset 0x%llx appears twice",
			       (unsigned long long)at);
	s->regions[which] = (struct vhdx_region){ at, len, true };
	return NULL;
}

static struct err *read_regions(struct blk_node *node)
{
	struct vhdx *s = node->state;
	AUTO(free_ptr) void *table = NULL;
	u8 *t = NULL;
	struct err *e = NULL;
	static const u32 places[] = { VHDX_REGIONS_1, VHDX_REGIONS_2 };
	for (unsigned i = 0; i < 2 && !e; i++) {
		free(table);
		table = NULL;
		e = blk_load_table(node->file, places[i], VHDX_REGIONS_SIZE, "VHDX region table", &table);
		t = table;
		if (!e && memcmp(t, "regi", 4) == 0 && ld_le32(t + 4) == vhdx_checksum(t, VHDX_REGIONS_SIZE))
			break;
		t = NULL;
	}
	if (e)
		return e;
	if (!t || ld_le32(t + 8) > MAX_REGIONS)
		return err_new(ERR_CORRUPT, "No valid VHDX region table found at offsets %d and %d",
			       VHDX_REGIONS_1, VHDX_REGIONS_2);
	for (u32 i = 0; i < ld_le32(t + 8) && !e; i++)
		e = take_region(node, t + 16 + i * 32);
	const struct vhdx_region *bat = &s->regions[0], *meta = &s->regions[1];
	if (!e && (!bat->found || !meta->found))
		e = err_new(ERR_CORRUPT, "VHDX region table at offset %d names no %s", VHDX_REGIONS_1,
			    bat->found ? "metadata" : "block table");
	if (!e && overlap(bat->at, bat->len, meta->at, meta->len))
		e = err_new(ERR_CORRUPT, "VHDX block table and metadata overlap at offset 0x%llx",
			    (unsigned long long)meta->at);
	return e;
}

/* ---- metadata (2.6) ---- */

/* The item's bytes into buf; missing: an error. */
static struct err *item(struct blk_node *node, const u8 *table, const u8 *guid, void *buf, u32 len,
			const char *name)
{
	const struct vhdx_region *m = &((struct vhdx *)node->state)->regions[1];
	for (u32 i = 0; i < ld_le16(table + 10); i++) {
		const u8 *e = table + 32 + i * 32;
		u32 at = ld_le32(e + 16), have = ld_le32(e + 20);
		if (memcmp(e, guid, 16) != 0)
			continue;
		if (have < len || at < METADATA_TABLE || (u64)at + have > m->len)
			return err_new(ERR_CORRUPT,
				       "VHDX metadata item \"%s\" of %u bytes at offset %u is not valid",
				       name, have, at);
		int r = blk_pread(node->file, m->at + at, buf, len);
		return r ? err_errno(-r, "Could not read VHDX metadata") : NULL;
	}
	return err_new(ERR_CORRUPT, "VHDX metadata item \"%s\" is missing", name);
}

static bool known(const u8 *guid)
{
	const u8 *const all[] = { vhdx_params_guid,  vhdx_size_guid,	 vhdx_disk_id_guid,
				  vhdx_logical_guid, vhdx_physical_guid, vhdx_locator_guid };
	for (unsigned i = 0; i < LEN(all); i++)
		if (memcmp(guid, all[i], 16) == 0)
			return true;
	return false;
}

static struct err *read_items(struct blk_node *node, const u8 *t)
{
	struct vhdx *s = node->state;
	u8 params[8], size[8], logical[4], physical[4];
	struct err *e = item(node, t, vhdx_params_guid, params, 8, "file parameters");
	if (!e)
		e = item(node, t, vhdx_size_guid, size, 8, "virtual disk size");
	if (!e)
		e = item(node, t, vhdx_logical_guid, logical, 4, "logical sector size");
	if (!e)
		e = item(node, t, vhdx_physical_guid, physical, 4, "physical sector size");
	if (e)
		return e;
	s->block = ld_le32(params);
	s->sector = ld_le32(logical);
	node->size = ld_le64(size);
	if (ld_le32(params + 4) & 2)
		return err_new(ERR_UNSUPPORTED, "Differencing VHDX images are not supported");
	if (s->block < VHDX_MB || s->block > 256 * MiB || s->block & (s->block - 1))
		return err_new(ERR_CORRUPT, "VHDX block size %u is not valid", s->block);
	if (s->sector != 512)
		return err_new(s->sector == 4096 ? ERR_UNSUPPORTED : ERR_CORRUPT,
			       "VHDX logical sector size %u is not supported", s->sector);
	if (ld_le32(physical) != 512 && ld_le32(physical) != 4096)
		return err_new(ERR_CORRUPT, "VHDX physical sector size %u is not valid", ld_le32(physical));
	if (node->size > VHDX_MAX_SIZE || node->size % s->sector)
		return err_new(ERR_CORRUPT, "VHDX disk size %llu is not valid",
			       (unsigned long long)node->size);
	return NULL;
}

static struct err *read_metadata(struct blk_node *node)
{
	struct vhdx *s = node->state;
	AUTO(free_ptr) void *table = NULL;
	struct err *e =
	    blk_load_table(node->file, s->regions[1].at, METADATA_TABLE, "VHDX metadata table", &table);
	const u8 *t = table;
	if (e)
		return e;
	if (memcmp(t, "metadata", 8) != 0 || ld_le16(t + 10) > MAX_ITEMS)
		return err_new(ERR_CORRUPT, "VHDX metadata table at offset 0x%llx is not valid",
			       (unsigned long long)s->regions[1].at);
	for (u32 i = 0; i < ld_le16(t + 10); i++)
		if ((ld_le32(t + 32 + i * 32 + 24) & 4) && !known(t + 32 + i * 32))
			return err_new(ERR_UNSUPPORTED, "Unknown VHDX metadata item %u is required", i);
	return read_items(node, t);
}

/* ---- block table (2.5) ---- */

static u64 entry_of(const struct vhdx *s, u64 block)
{
	return block + block / s->ratio;
}

static struct err *check_entry(struct blk_node *node, u64 block, u64 entry)
{
	struct vhdx *s = node->state;
	u64 at = entry & VHDX_OFFSET;
	unsigned state = entry & S_MASK;
	if (state == S_PARTLY || state == 4)
		return err_new(ERR_CORRUPT,
			       "VHDX block %llu is in state %u, which dynamic images do not have",
			       (unsigned long long)block, state);
	if (state != S_PRESENT)
		return NULL;
	bool bad = at < VHDX_START || at > (u64)INT64_MAX - s->block ||
		   overlap(at, s->block, vhdx_log_offset(s), vhdx_log_length(s));
	for (unsigned i = 0; i < LEN(s->regions); i++)
		bad |= overlap(at, s->block, s->regions[i].at, s->regions[i].len);
	if (bad)
		return err_new(ERR_CORRUPT, "VHDX block %llu at offset 0x%llx overlaps the image's metadata",
			       (unsigned long long)block, (unsigned long long)at);
	s->next = MAX(s->next, at + s->block);
	return NULL;
}

static struct err *load_bat(struct blk_node *node)
{
	struct vhdx *s = node->state;
	s->ratio = BIT(23) * s->sector / s->block;
	u64 blocks = (node->size + s->block - 1) / s->block,
	    entries = blocks ? entry_of(s, blocks - 1) + 1 : 0;
	if (entries * 8 > s->regions[0].len)
		return err_new(
		    ERR_CORRUPT, "VHDX block table of %u bytes at offset 0x%llx has no room for %llu blocks",
		    s->regions[0].len, (unsigned long long)s->regions[0].at, (unsigned long long)blocks);
	struct err *e = blk_table_load(&s->bat, &node->file, s->regions[0].at, ROUND_UP(entries * 8, 4096ull),
				       VHDX_SECTOR, "VHDX block table");
	s->next = s->regions_end;
	for (u64 b = 0; b < blocks && !e; b++)
		e = check_entry(node, b, blk_table_le64(&s->bat, entry_of(s, b)));
	/* Behind the end of the file new room is known to read as zeros and needs none written. */
	s->next = ROUND_UP(MAX(s->next, node->file->size), (u64)VHDX_MB);
	return e;
}

/* ---- opening and closing ---- */

static struct err *open_vhdx(struct blk_node *node, struct json *opts, u32 flags)
{
	struct vhdx *s = node->state;
	struct err *e = read_headers(node);
	if (!e)
		e = vhdx_replay(node);
	if (!e)
		e = read_regions(node);
	if (!e)
		e = read_metadata(node);
	if (!e)
		e = load_bat(node);
	node->granularity = s->block;
	if (e)
		blk_table_free(&s->bat);
	return e;
}

static int flush_vhdx(struct blk_node *node)
{
	return vhdx_flush_table(node);
}

static void close_vhdx(struct blk_node *node)
{
	struct vhdx *s = node->state;
	if ((node->flags & BLK_RDWR) && vhdx_flush_table(node) == 0) {
		int r = vhdx_end_log(node);
		if (!r)
			r = blk_flush(node->file);
		(void)r; /* blk_flush() before reports it to those who want to know */
	}
	blk_table_free(&s->bat);
}

static struct err *reopen_vhdx(struct blk_node *node, u32 flags)
{
	int r = 0;
	if ((node->flags & BLK_RDWR) && !(flags & BLK_RDWR)) {
		r = vhdx_flush_table(node);
		if (!r)
			r = vhdx_end_log(node);
		((struct vhdx *)node->state)->session = false;
	}
	if (r)
		return err_errno(-r, "Could not write the VHDX block table");
	node->flags = flags;
	return NULL;
}

/* ---- where and room ---- */

static int map_vhdx(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	struct vhdx *s = node->state;
	u64 b = offset / s->block, in = offset & (s->block - 1),
	    entry = blk_table_le64(&s->bat, entry_of(s, b));
	bool data = (entry & S_MASK) == S_PRESENT;
	*ret = (struct blk_extent){ .where = data ? BLK_DATA : BLK_ZERO, .len = s->block - in };
	if (data) {
		ret->file = node->file;
		ret->offset = (entry & VHDX_OFFSET) + in;
	}
	while (ret->len < len) {
		u64 next = blk_table_le64(&s->bat, entry_of(s, ++b));
		bool more = (next & S_MASK) == S_PRESENT;
		if (more != data || (data && (next & VHDX_OFFSET) != ret->offset + ret->len))
			break;
		ret->len += s->block;
	}
	ret->len = MIN(ret->len, len);
	return 0;
}

static int place_vhdx(struct blk_node *node, u64 offset, u64 len, struct blk_place *ret)
{
	struct vhdx *s = node->state;
	struct blk_extent x;
	int r = vhdx_begin_writing(node);
	if (!r)
		r = map_vhdx(node, offset, len, &x);
	if (r)
		return r;
	if (x.where != BLK_DATA && s->next > (u64)INT64_MAX / 2)
		return -ENOSPC;
	room_place(node, &x, offset, s->block, &s->next, ret);
	return 0;
}

static int commit_vhdx(struct blk_node *node, const struct blk_place *p)
{
	struct vhdx *s = node->state;
	int r = room_extend(node->file, p->file_offset + p->len);
	if (r)
		return r;
	for (u64 done = 0; done < p->len; done += s->block)
		blk_table_set_le64(&s->bat, entry_of(s, (p->offset + done) / s->block),
				   (p->file_offset + done) | S_PRESENT);
	return 0;
}

static void abandon_vhdx(struct blk_node *node, const struct blk_place *p)
{
	room_abandon(&((struct vhdx *)node->state)->next, p);
}

static int zero_vhdx(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	int r = vhdx_begin_writing(node);
	while (len && !r) {
		struct blk_extent x;
		r = map_vhdx(node, offset, len, &x);
		if (!r && x.where == BLK_DATA)
			r = blk_zero(x.file, x.offset, x.len, flags);
		offset += x.len;
		len -= x.len;
	}
	return r;
}

/* ---- info, check ---- */

static struct err *info_vhdx(struct blk_node *node, struct blk_info *ret)
{
	ret->cluster_size = ((struct vhdx *)node->state)->block;
	return NULL;
}

static int compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;
	return x < y ? -1 : x > y;
}

/* Two blocks in one place are an error; opening has checked everything else. */
static struct err *check_vhdx(struct blk_node *node, struct blk_check *res, u32 fix)
{
	struct vhdx *s = node->state;
	u64 blocks = (node->size + s->block - 1) / s->block;
	size_t n = 0;
	if (s->replayed && fix) {
		res->corruptions_fixed++;
		s->replayed = false;
	}
	AUTO(free_ptr) u64 *places = try_alloc(blocks * 8 + 8);
	if (!places)
		return err_new(ERR_BUSY, "Could not allocate memory for the check");
	for (u64 b = 0; b < blocks; b++) {
		u64 entry = blk_table_le64(&s->bat, entry_of(s, b));
		if ((entry & S_MASK) == S_PRESENT)
			places[n++] = entry & VHDX_OFFSET;
	}
	qsort(places, n, 8, compare);
	for (size_t i = 1; i < n; i++)
		if (places[i] < places[i - 1] + s->block) {
			blk_check_say(res, "ERROR: two blocks overlap at offset 0x%llx",
				      (unsigned long long)places[i]);
			res->corruptions++;
		}
	return NULL;
}

BLK_DRIVER(vhdx) = {
	.name = "vhdx",
	.summary = "Hyper-V disk image, version 2",
	.spec = "[MS-VHDX]",
	.kind = BLK_FORMAT,
	.state_size = sizeof(struct vhdx),
	.probe = probe_vhdx,
	.open = open_vhdx,
	.close = close_vhdx,
	.reopen = reopen_vhdx,
	.map = map_vhdx,
	.place = place_vhdx,
	.commit = commit_vhdx,
	.abandon = abandon_vhdx,
	.zero = zero_vhdx,
	.flush = flush_vhdx,
	.info = info_vhdx,
	.check = check_vhdx,
	.create = vhdx_create,
	.create_opts = vhdx_opts,
};
