/* VMDK: what its files share. See vmdk.c. */
#pragma once
#include "block/cache.h"
#include "block/format/guid.h"
#include "block/format/table.h"

enum vmdk_kind {
	VMDK_FLAT, /* the bytes as they are, in a file of their own */
	VMDK_ZERO, /* no file: zeros */
	VMDK_SPARSE, /* hosted sparse extent, "KDMV" */
	VMDK_COWD, /* ESX sparse extent, "COWD" */
	VMDK_SE, /* ESX space-efficient sparse extent, read only */
};

/* clang-format off */
enum { /* hosted sparse header */
	K_VERSION = 4, K_FLAGS = 8, K_CAPACITY = 12, K_GRAIN = 20, K_DESC_AT = 28, K_DESC_LEN = 36, K_GT_ENTRIES = 44, K_RGD = 48, K_GD = 56,
	K_OVERHEAD = 64, K_DIRTY = 72, K_EOL = 73, K_COMPRESSION = 77, K_HEADER = 512,
};
enum { KF_NEWLINES = 1, KF_BACKUP = 2, KF_ZERO_GRAIN = 4, KF_COMPRESSED = 1 << 16, KF_MARKERS = 1 << 17 };
/* clang-format on */
#define VMDK_SECTORS_MAX ((u64)INT64_MAX / 512)
enum { VMDK_DESC_MAX = 4 << 20, VMDK_SLICE = 512, VMDK_ZEROED = 1 };

struct vmdk_extent {
	enum vmdk_kind kind;
	struct blk_node *file; /* a child of the node; NULL: VMDK_ZERO */
	struct blk_node **slot; /* where the node keeps it */
	const char *type; /* as "info" names it; "" in a single file */
	u64 start, size; /* of the disk; bytes */
	bool read_only;
	u64 flat_at; /* VMDK_FLAT: where in the file */

	bool compressed, markers, zero_grain;
	u32 grain; /* bytes */
	u32 gt_entries, entry_size;
	struct blk_table gd, backup; /* grain directory and its copy; backup.data NULL: none */
	struct cache *gts, *backup_gts; /* slices of grain tables, and of their copies */
	u64 gt_at, gt_room, data_at; /* VMDK_SE: where tables and grains begin; bytes of all tables */
	u64 next; /* room for new grains begins here */
};

struct vmdk {
	struct vmdk_extent *extents;
	size_t n, cap;
	char *desc; /* the descriptor's text */
	u64 desc_at, desc_room; /* in node->file; room 0: the file is the descriptor */
	char *create_type;
	u32 cid, parent_cid;
	u32 opened_cid; /* what children were told: writes of this open do not make them strangers */
	bool changed; /* this open has given the contents a new identifier */
	bool parent_checked;
	/* The grain unpacked last. */
	struct co_lock unpack_lock;
	struct vmdk_extent *unpacked_of;
	u64 unpacked_at;
	u8 *unpacked, *packed;
};

/* ---- desc.c: the descriptor ---- */
/* Takes what the text says into the state, except extents. */
struct err *vmdk_parse_desc(struct blk_node *node) MUST_CHECK;
struct vmdk_line {
	char *name, *type, *access; /* name NULL: none */
	u64 sectors, offset;
};
/* The extent line at *pos or behind; *pos moves behind it. False: no more. ret owns its strings. */
bool vmdk_next_line(const char **pos, struct vmdk_line *ret, struct err **ret_err);
void vmdk_line_free(struct vmdk_line *l);
/* The contents are about to change for the first time: a new identifier goes to the descriptor. */
int vmdk_begin_writing(struct blk_node *node) MUST_CHECK;

/* ---- extent.c: sparse extents ---- */
struct vmdk_extent *vmdk_add_extent(struct blk_node *node, struct vmdk_extent e);
/* Looks at the first bytes of e.file and opens the kind of sparse extent it is. */
struct err *vmdk_open_sparse(struct blk_node *node, struct vmdk_extent *e) MUST_CHECK;
void vmdk_close_extent(struct vmdk_extent *e);
int vmdk_flush_extent(struct vmdk_extent *e) MUST_CHECK;
/* Entry of grain n; raw, as sectors (VMDK_SE: the 64-bit entry). */
int vmdk_get_entry(struct vmdk_extent *e, u64 n, u64 *ret) MUST_CHECK;
int vmdk_set_entries(struct vmdk_extent *e, u64 n, u64 count, u32 first, u32 step) MUST_CHECK;
struct err *vmdk_check_extent(struct vmdk_extent *e, struct blk_check *res) MUST_CHECK;

/* What every kind of sparse extent has to keep: sets grain, gt_entries, size. sectors: capacity; grain: sectors. */
struct err *vmdk_check_shape(struct vmdk_extent *e, u64 sectors, u64 grain, u64 gt_entries,
			     u64 *ret_gd) MUST_CHECK;
/* Loads a grain directory; every grain table must lie within the file. */
struct err *vmdk_load_gd(struct vmdk_extent *e, struct blk_table *t, u64 sector, u64 entries,
			 const char *what) MUST_CHECK;

/* ---- sesparse.c ---- */
bool vmdk_is_se(const u8 *header);
struct err *vmdk_open_se(struct blk_node *node, struct vmdk_extent *e, const u8 *header) MUST_CHECK;
/* Where the table of a directory entry lies; 0: it is not there. */
int vmdk_se_table(const struct vmdk_extent *e, u64 entry, u64 *ret) MUST_CHECK;
enum blk_where vmdk_se_where(const struct vmdk_extent *e, u64 entry, u64 *ret_at);

/* ---- data.c: where the bytes are ---- */
int vmdk_map(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret);
int vmdk_read(struct blk_node *node, const struct blk_extent *x, u64 offset, struct iovs iov);
int vmdk_place(struct blk_node *node, u64 offset, u64 len, struct blk_place *ret);
int vmdk_commit(struct blk_node *node, const struct blk_place *p);
void vmdk_abandon(struct blk_node *node, const struct blk_place *p);
int vmdk_zero(struct blk_node *node, u64 offset, u64 len, u32 flags);
int vmdk_pack(struct blk_node *node, u64 offset, const void *buf, void **ret);
int vmdk_write_compressed(struct blk_node *node, u64 offset, const void *packed, size_t bytes);

/* ---- create.c ---- */
struct err *vmdk_create(struct blk_create *c);
extern const struct blk_opt vmdk_opts[];
