/*
 * VMDK: space-efficient sparse extents of ESX ("SESPARSE"), read only.
 *
 * Spec       none by their maker; field names, places and types of entries as dissect.hypervisor's tables (disk/c_vmdk.py) state them.
 * Layout     constant header (512 bytes, little-endian 64-bit fields), volatile header, journal, grain directory, all grain tables,
 *            bitmap and map back of the grains, grains. Directory entries number tables, table entries number grains.
 */
#include "block/format/vmdk/vmdk.h"
#include <errno.h>

/* Fields of the constant header, by number; all places and sizes are in sectors. */
enum field {
	MAGIC,
	VERSION,
	CAPACITY,
	GRAIN,
	TABLE,
	FLAGS,
	VOLATILE_AT = 10,
	DIRECTORY_AT = 16,
	DIRECTORY_SIZE,
	TABLES_AT,
	TABLES_SIZE,
	GRAINS_AT = 24,
};
enum { VOLATILE_REPLAY = 24, ENTRY = 8 };
#define VOLATILE_MAGIC 0xcafecafeull
#define KNOWN_VERSION 0x200000001ull /* 2.1 */

static u64 field(const u8 *h, enum field f)
{
	return ld_le64(h + f * 8);
}

bool vmdk_is_se(const u8 *h)
{
	return field(h, MAGIC) == 0xcafebabe;
}

/* A journal that waits to be replayed holds newer tables than those in their places. */
static struct err *check_volatile(const struct vmdk_extent *e, u64 sector)
{
	u8 v[512];
	if (sector > VMDK_SECTORS_MAX || blk_pread(e->file, sector * 512, v, sizeof(v)) ||
	    ld_le64(v) != VOLATILE_MAGIC)
		return err_new(ERR_CORRUPT, "seSparse volatile header at sector %llu is not valid",
			       (unsigned long long)sector);
	if (ld_le64(v + VOLATILE_REPLAY))
		return err_hint(
		    err_new(ERR_UNSUPPORTED,
			    "seSparse image was not closed cleanly: its journal must be replayed first"),
		    "Let its own host open and close it.");
	return NULL;
}

struct err *vmdk_open_se(struct blk_node *node, struct vmdk_extent *e, const u8 *h)
{
	u64 per_table = field(h, TABLE) * 512 / ENTRY, entries;
	if (node->flags & BLK_RDWR)
		return err_hint(err_new(ERR_UNSUPPORTED, "No write support for seSparse images available"),
				"Open the image read-only.");
	if (field(h, VERSION) != KNOWN_VERSION)
		return err_new(ERR_UNSUPPORTED, "Unsupported version: %#llx",
			       (unsigned long long)field(h, VERSION));
	if (field(h, TABLE) > VMDK_SECTORS_MAX)
		return err_new(ERR_CORRUPT, "seSparse grain table of %llu sectors",
			       (unsigned long long)field(h, TABLE));
	struct err *err = check_volatile(e, field(h, VOLATILE_AT));
	if (err)
		return err;
	e->kind = VMDK_SE;
	e->entry_size = ENTRY;
	err = vmdk_check_shape(e, field(h, CAPACITY), field(h, GRAIN), per_table, &entries);
	if (err)
		return err;
	if (field(h, TABLES_AT) > VMDK_SECTORS_MAX || field(h, GRAINS_AT) > VMDK_SECTORS_MAX)
		return err_new(ERR_CORRUPT, "seSparse header: grain tables or grains lie beyond any file");
	if (field(h, DIRECTORY_SIZE) < (entries * ENTRY + 511) / 512)
		return err_new(ERR_CORRUPT, "seSparse grain directory of %llu sectors is too small",
			       (unsigned long long)field(h, DIRECTORY_SIZE));
	e->gt_at = field(h, TABLES_AT) * 512;
	e->gt_room = MIN(field(h, TABLES_SIZE), VMDK_SECTORS_MAX) * 512;
	e->data_at = field(h, GRAINS_AT) * 512;
	return vmdk_load_gd(e, &e->gd, field(h, DIRECTORY_AT), entries, "Grain directory");
}

/* An entry of the directory: its kind in the upper half (only one is known), the table's number in the lower. */
int vmdk_se_table(const struct vmdk_extent *e, u64 entry, u64 *ret)
{
	u64 bytes = (u64)e->gt_entries * ENTRY, at = (entry & UINT32_MAX) * bytes;
	*ret = 0;
	if (!entry)
		return 0;
	if (entry >> 32 != 0x10000000 || at + bytes > e->gt_room)
		return -EINVAL;
	*ret = e->gt_at + at;
	return 0;
}

/* An entry of a table: kind (4 bits), the grain's number: bits 0 to 11, then bits 12 to 59 of it. */
enum blk_where vmdk_se_where(const struct vmdk_extent *e, u64 entry, u64 *ret_at)
{
	enum { NONE, UNMAPPED, ZERO, HERE };
	u64 grain = (entry & BITS(48)) << 12 | (entry >> 48 & BITS(12));
	unsigned kind = entry >> 60;
	/* Beyond any file: the core refuses it. */
	*ret_at = grain > VMDK_SECTORS_MAX / e->grain ? INT64_MAX : e->data_at + grain * e->grain;
	return kind == HERE ? BLK_DATA : kind == NONE ? BLK_HOLE : BLK_ZERO;
}
