/* QED: what its files share. See qed.c. */
#pragma once
#include "block/format/tree.h"

enum { QED_BACKING = 1, QED_NEED_CHECK = 2, QED_RAW_BACKING = 4, QED_FEATURES = 7 };
enum { QED_HEADER = 64, QED_ZERO = 1, QED_SLICE = 4096 };

struct qed {
	u8 header[QED_HEADER];
	u32 cluster, table_size, header_size; /* bytes, clusters, clusters */
	u64 features, l1_at;
	struct tree tree; /* l1: as many entries as the disk's size needs */
};

/* A cluster, or the first of `clusters`, may lie at this offset. */
bool qed_offset_valid(const struct qed *s, u64 file_size, u64 at, u64 clusters);
/* Writes the header with the features and size as they are in the state. */
int qed_write_header(struct blk_node *node) MUST_CHECK;

/* ---- check.c ---- */
struct err *qed_check(struct blk_node *node, struct blk_check *res, u32 fix);

/* ---- create.c ---- */
struct err *qed_create(struct blk_create *c);
/* Header and backing file's name into `cluster` bytes at buf; 0 or -ENOSPC. */
int qed_put_backing(u8 *buf, u32 room, const char *file, const char *fmt) MUST_CHECK;
extern const struct blk_opt qed_opts[];
