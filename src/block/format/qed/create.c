/* QED: making images; the backing file's name. */
#include "block/format/qed/qed.h"
#include <errno.h>

enum { MIN_CLUSTER = 4096, MAX_CLUSTER = 64 << 20, MIN_TABLE = 1, MAX_TABLE = 16 };

int qed_put_backing(u8 *buf, u32 room, const char *file, const char *fmt)
{
	u64 features = ld_le64(buf + 16) & ~(u64)(QED_BACKING | QED_RAW_BACKING);
	u32 len = file ? strlen(file) : 0;
	if (QED_HEADER + (u64)len > room || len >= 1024)
		return -ENOSPC;
	memset(buf + QED_HEADER, 0, MIN(room - QED_HEADER, 1024u));
	if (len) {
		memcpy(buf + QED_HEADER, file, len);
		features |= QED_BACKING | (fmt && strcmp(fmt, "raw") == 0 ? QED_RAW_BACKING : 0);
	}
	st_le64(buf + 16, features);
	st_le32(buf + 56, len ? QED_HEADER : 0);
	st_le32(buf + 60, len);
	return 0;
}

struct err *qed_create(struct blk_create *c)
{
	u64 cluster = blk_opt_num(c->opts, "cluster_size", 65536),
	    table = blk_opt_num(c->opts, "table_size", 4);
	u64 size = ROUND_UP(c->size, 512ull), reach;
	if (!table)
		table = 4;
	if (cluster < MIN_CLUSTER || cluster > MAX_CLUSTER || cluster & (cluster - 1))
		return err_new(ERR_INVALID, "QED cluster size must be within range [%d, %d] and power of 2",
			       MIN_CLUSTER, MAX_CLUSTER);
	if (table < MIN_TABLE || table > MAX_TABLE || table & (table - 1))
		return err_new(ERR_INVALID, "QED table size must be within range [%d, %d] and power of 2",
			       MIN_TABLE, MAX_TABLE);
	u64 entries = table * cluster / 8;
	if (!__builtin_mul_overflow(entries * entries, cluster, &reach) && size > reach)
		return err_new(
		    ERR_INVALID,
		    "QED image size must be a non-zero multiple of cluster size and less than %llu bytes",
		    (unsigned long long)reach);
	AUTO(free_ptr) u8 *h = try_alloc(cluster);
	if (!h)
		return err_new(ERR_BUSY, "Could not allocate %llu bytes", (unsigned long long)cluster);
	memcpy(h, "QED", 4);
	st_le32(h + 4, cluster);
	st_le32(h + 8, table);
	st_le32(h + 12, 1);
	st_le64(h + 40, cluster);
	st_le64(h + 48, size);
	int r = qed_put_backing(h, cluster, blk_opt_str(c->opts, "backing_file"),
				blk_opt_str(c->opts, "backing_fmt"));
	if (r)
		return err_new(ERR_INVALID, "Backing file name too long");
	struct err *e = blk_truncate(c->file, cluster * (1 + table), false, BLK_PREALLOC_OFF, true);
	if (e)
		return e;
	r = blk_pwrite(c->file, 0, h, cluster);
	return r ? err_errno(-r, "Could not write the QED header") : NULL;
}

const struct blk_opt qed_opts[] = {
	{ "size", BLK_OPT_SIZE, "Virtual disk size" },
	{ "backing_file", BLK_OPT_STR, "File name of a base image" },
	{ "backing_fmt", BLK_OPT_STR, "Image format of the base image" },
	{ "cluster_size", BLK_OPT_SIZE, "Cluster size (in bytes)", "65536" },
	{ "table_size", BLK_OPT_SIZE, "L1/L2 table size (in clusters)" },
	{ NULL },
};
