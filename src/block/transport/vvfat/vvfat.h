/*
 * vvfat: what its files share. A folder of the host is shown as a disk with a FAT file system.
 *
 * Spec       "Microsoft Extensible Firmware Initiative FAT32 File System Specification", version 1.03.
 */
#pragma once
#include "block/blk.h"
#include "block/dirty.h"

enum { SECTOR = 512, ENTRY = 32, MAX_DEPTH = 32, MAX_ENTRIES = 65536, NAME_MAX_16 = 255 };
enum { ATTR_READ_ONLY = 1, ATTR_VOLUME = 8, ATTR_DIR = 16, ATTR_ARCHIVE = 32, ATTR_LONG = 15 };
enum { ENTRY_ATTR = 11, ENTRY_TIME = 22, ENTRY_DATE = 24, ENTRY_HIGH = 20, ENTRY_LOW = 26, ENTRY_SIZE = 28 };

/* Where clusters come from that nobody wrote to. */
struct source {
	u32 first, n; /* clusters */
	u8 *dir; /* a folder's entries; NULL: a file's bytes */
	char *path; /* of the file, below the folder */
	u64 size;
	int fd; /* the file as it was, once the name may mean another; -1: open by name */
};

struct volume {
	int root; /* the folder */
	unsigned bits; /* 12, 16, 32 */
	u32 cluster; /* bytes */
	u32 base, reserved, fat_sectors, root_sectors; /* sectors; base: in front of the volume */
	u32 cylinders, heads, per_track, data; /* data: the first sector of cluster 2 */
	u64 total; /* sectors of the disk */
	u32 clusters, next; /* how many; the next free one */
	u8 *head; /* all sectors below data */
	struct source *sources; /* by first cluster */
	size_t n_sources, cap_sources;
};

/* ---- volume.c: layout and tables ---- */
struct vvfat_layout {
	unsigned bits; /* 0: what suits */
	bool floppy;
	char label[12];
};
/* content: bytes of the folder's files, rounded up generously. */
struct err *volume_lay_out(struct volume *v, const struct vvfat_layout *how, u64 content) MUST_CHECK;
void volume_free(struct volume *v);
u32 volume_end_mark(const struct volume *v); /* entries from here on end a chain */
/* Entry of a table that begins at fat. */
u32 volume_next(const struct volume *v, const u8 *fat, u32 cluster);
static inline u8 *volume_fat(const struct volume *v)
{
	return v->head + (v->base + v->reserved) * (u64)SECTOR;
}
/* n clusters in a row, chained; *ret 0 when n is 0. */
struct err *volume_take(struct volume *v, u64 n, u32 *ret) MUST_CHECK;
struct source *volume_add(struct volume *v, u32 first, u32 n);
/* The source that has a cluster; NULL: none, so zeros. */
struct source *volume_source(const struct volume *v, u32 cluster);
/* A path below the folder, no symbolic link on the way. A descriptor or a negative errno. */
int volume_open(const struct volume *v, const char *path, int flags, int mode);

/* ---- scan.c: the folder's entries become tables ---- */
struct err *volume_measure(const struct volume *v, u64 *ret) MUST_CHECK;
struct err *volume_scan(struct volume *v, const char *label) MUST_CHECK;

/* ---- names.c ---- */
/* The unique short name of a file among the n entries at dir; *ret_long: entries for the long name in front of it (0: none). */
void name_make_short(const char *name, const u8 *dir, size_t n, u8 ret[11], unsigned *ret_long);
/* The entries of the long name, the last part first; sum: name_sum of the short one. */
void name_put_long(const char *name, unsigned n, u8 sum, u8 *out);
u8 name_sum(const u8 name[11]);
/* The name of the entry behind n_long entries of a long name; NULL when it is not one that the host may see. Caller frees. */
char *name_of_entry(const u8 *entry, const u8 *longs, unsigned n_long);

/* ---- sync.c: what the guest wrote becomes files again ---- */
struct sync;
/* read: gives bytes of the disk as the guest sees it. */
struct sync *sync_new(struct volume *v, int (*read)(void *user, u64 offset, void *buf, size_t len),
		      void *user);
void sync_free(struct sync *s); /* NULL is ignored */
/*
 * Brings the folder up to date. dirty: what was written since the last time, in sectors. -EAGAIN: the file system is in the
 * middle of a change; nothing was done. Another negative errno: not all of it could be done.
 */
int sync_run(struct sync *s, const struct blk_dirty *dirty) MUST_CHECK;
