/* VHDX: what its files share. See vhdx.c. */
#pragma once
#include "block/format/guid.h"
#include "block/format/table.h"

/* clang-format off */
enum { /* places in the file */
	VHDX_HEADER_1 = 64 << 10, VHDX_HEADER_2 = 128 << 10, VHDX_REGIONS_1 = 192 << 10, VHDX_REGIONS_2 = 256 << 10, VHDX_START = 1 << 20,
	VHDX_HEADER_SIZE = 4096, VHDX_REGIONS_SIZE = 64 << 10, VHDX_SECTOR = 4096, VHDX_MB = 1 << 20,
};
enum { /* header, 2.2.2 */
	H_CHECKSUM = 4, H_SEQUENCE = 8, H_FILE_GUID = 16, H_DATA_GUID = 32, H_LOG_GUID = 48, H_LOG_VERSION = 64, H_VERSION = 66,
	H_LOG_LENGTH = 68, H_LOG_AT = 72,
};
enum { /* block states, 2.5.1.1 */
	S_NOT_PRESENT = 0, S_UNDEFINED = 1, S_ZERO = 2, S_UNMAPPED = 3, S_PRESENT = 6, S_PARTLY = 7, S_MASK = 7,
};
/* clang-format on */
#define VHDX_MAX_SIZE (64 * TiB)
#define VHDX_OFFSET 0xfffffffffff00000ull /* of a table entry */

extern const u8 vhdx_bat_guid[16], vhdx_metadata_guid[16], vhdx_params_guid[16], vhdx_size_guid[16],
    vhdx_disk_id_guid[16], vhdx_logical_guid[16], vhdx_physical_guid[16], vhdx_locator_guid[16];

struct vhdx_region {
	u64 at;
	u32 len;
	bool found;
};

struct vhdx {
	u8 header[VHDX_HEADER_SIZE]; /* the current one */
	u64 header_at;
	bool session; /* this open has written new identifiers to the headers */
	struct vhdx_region regions[2]; /* block table, metadata */
	u64 regions_end; /* behind all regions and the log */
	u32 block, sector;
	u64 ratio; /* payload blocks a sector bitmap block */
	struct blk_table bat;
	u64 next; /* room for new blocks begins here */
	bool replayed; /* the log was replayed when the image was opened */

	/* The log as this open writes it. */
	u8 log_guid[16];
	u64 log_sequence;
	u32 log_at; /* within the log: where the next entry goes */
	bool log_named; /* the headers carry log_guid */
};

static inline u64 vhdx_log_offset(const struct vhdx *s)
{
	return ld_le64(s->header + H_LOG_AT);
}
static inline u32 vhdx_log_length(const struct vhdx *s)
{
	return ld_le32(s->header + H_LOG_LENGTH);
}

/* CRC-32C of a structure, its own checksum at offset 4 taken as zero. */
u32 vhdx_checksum(const u8 *p, size_t len);
/* Makes the header in memory the current one, twice, so that both copies hold it. */
int vhdx_write_headers(struct blk_node *node) MUST_CHECK;
/* New identifiers go to the headers before the first change of this open. */
int vhdx_begin_writing(struct blk_node *node) MUST_CHECK;

/* ---- log.c ---- */
/* Replays the log if the header names one with valid entries; a read-only node with such a log is refused. */
struct err *vhdx_replay(struct blk_node *node) MUST_CHECK;
/* Writes the changed pieces of the block table, through the log. */
int vhdx_flush_table(struct blk_node *node) MUST_CHECK;
/* The table is in its place: the headers name no log any more. */
int vhdx_end_log(struct blk_node *node) MUST_CHECK;

/* ---- create.c ---- */
struct err *vhdx_create(struct blk_create *c) MUST_CHECK;
extern const struct blk_opt vhdx_opts[];
