/*
 * qcow2: what its files share.
 *
 * Specification  docs/interop/qcow2.rst of the QEMU project (versions 2 and 3 of the format).
 *
 * Order of metadata writes: refcounts rise before anything refers to a cluster, and fall after nothing does; data is written
 * before the L2 entry that shows it; an L2 table before the L1 entry. Between dependent writes lies a barrier.
 */
#pragma once
#include "block/blk.h"
#include "block/cache.h"

enum { QCOW2_V2_HEADER = 72, QCOW2_V3_HEADER = 104, QCOW2_HEADER = 112 };
#define QCOW2_MAGIC 0x514649fbu

enum {
	INCOMPAT_DIRTY = BIT(0),
	INCOMPAT_CORRUPT = BIT(1),
	INCOMPAT_DATA_FILE = BIT(2),
	INCOMPAT_COMPRESSION = BIT(3),
	INCOMPAT_EXTENDED = BIT(4),
	INCOMPAT_ALL = BITS(5)
};
enum { COMPAT_LAZY = BIT(0) };
enum { AUTOCLEAR_BITMAPS = BIT(0), AUTOCLEAR_RAW_DATA = BIT(1), AUTOCLEAR_ALL = BITS(2) };

#define ENTRY_COPIED BIT(63)
#define ENTRY_COMPRESSED BIT(62)
#define ENTRY_ZERO BIT(0)
#define OFFSET_MASK 0x00fffffffffffe00ull
#define L1_RESERVED 0x7f000000000001ffull
#define L2_RESERVED 0x3f000000000001feull

enum {
	MAX_L1_BYTES = 32 << 20,
	MAX_REFTABLE_BYTES = 8 << 20,
	MAX_SNAPSHOTS = 65536,
	MAX_SNAPSHOT_BYTES = 64 << 20,
	MAX_SNAPSHOT_EXTRA = 1024,
	MAX_BITMAPS = 65535,
	MAX_BITMAP_DIR = MAX_BITMAPS * 1024
};
enum { SUBS = 32 }; /* subclusters of a cluster, in extended images */

/*
 * Why clusters become free: whether the file is told, pass-discard-* say. It is told when the tables are stable: a crash may need what is in
 * them until then.
 */
enum qcow2_discard { DISCARD_OTHER, DISCARD_ALWAYS, DISCARD_REQUEST, DISCARD_SNAPSHOT };

enum { QCOW2_AES = 1, QCOW2_LUKS }; /* crypt_method */
enum qcow2_compression { QCOW2_ZLIB, QCOW2_ZSTD };

/* Kinds of metadata, as messages name them; also bits of `overlap-check`. */
enum qcow2_part {
	PART_HEADER,
	PART_ACTIVE_L1,
	PART_ACTIVE_L2,
	PART_REFBLOCK,
	PART_REFTABLE,
	PART_SNAPSHOTS,
	PART_INACTIVE_L1,
	PART_INACTIVE_L2,
	PART_BITMAPS,
	PARTS
};

struct qcow2_snapshot {
	u64 l1_offset;
	u32 l1_size;
	char *id, *name;
	u32 date_sec, date_nsec;
	u64 vm_clock, vm_state, disk_size;
	i64 icount;
	u32 extra_size;
	u32 extra_found; /* in the image: more than MAX_SNAPSHOT_EXTRA is not kept, and borne for repair only */
	u8 *unknown; /* extra data beyond what is known here */
};

/* A set of clusters, by index. */
struct qcow2_set {
	u64 *bits, n; /* room for n */
};

struct qcow2_extension { /* of unknown type: kept as it is */
	u32 type, len;
	u8 *data;
};

struct qcow2_bitmap_ext {
	u32 n;
	u64 dir_size, dir_offset;
};

struct qcow2 {
	u32 version, cluster_bits, header_len;
	u64 cluster_size;
	u64 incompatible, compatible, autoclear;
	u32 crypt_method, refcount_order;
	enum qcow2_compression compression;
	u8 *header_rest; /* header bytes beyond QCOW2_HEADER, kept */

	/* L1 and L2. */
	u64 *l1; /* host byte order; room for l1_size entries */
	u32 l1_size;
	u64 l1_offset;
	u32 entry_size; /* 8, extended 16 */
	u32 l2_entries, slice_entries, slice_bytes; /* a slice: what the cache reads of a table at once */
	u32 subs; /* 1 or SUBS */
	u64 sub_size;
	struct cache *l2;

	/* Refcounts. */
	u64 *reftable; /* host byte order */
	u64 reftable_size, reftable_offset;
	u32 reftable_clusters;
	u64 block_entries;
	struct cache *refs;
	u64 free_hint; /* no free cluster lies below this index, but for those held */
	/* Clusters without a reference that one may still have on disk, until the tables are stable: not to be used. */
	struct qcow2_set held, leaving; /* leaving: the tables are being made stable for them */
	struct qcow2_set unwanted; /* of these two: the file is told of those that are free indeed */
	u64 n_held, held_first; /* how many in held; no held or leaving one lies below held_first */
	struct co_lock letting_go;
	u64 packed_at; /* where the next compressed cluster may go on, 0: a new host cluster */

	struct blk_node *data; /* where guest data lies: the file, or the external data file */
	char *data_file;
	struct qcow2_set meta; /* clusters that hold metadata; empty: not made yet */
	u64 meta_end; /* what lies behind it is not in there */
	u32 overlap; /* bits of enum qcow2_part that are checked */

	struct qcow2_snapshot *snapshots;
	u32 n_snapshots;
	u64 snapshots_offset, snapshots_size;
	u32 snapshots_beyond; /* entries that the table is too big for; they are left out, for repair only */

	struct qcow2_extension *ext;
	size_t n_ext;
	bool has_bitmap_ext;
	struct qcow2_bitmap_ext bitmaps;
	u64 crypto_offset, crypto_len;
	struct qcow2_crypt *crypt; /* NULL: not encrypted */

	bool dead; /* found corrupt while writing: nothing more is done */
	bool told; /* a corruption that does not end the image was reported */
	bool lazy;
	u32 discard_passes; /* bits of enum qcow2_discard */
	u64 l2_bytes, refs_bytes; /* bounds of the caches */
	u64 clean_ns; /* tables that were not used for so long leave the cache; 0: stay */
	struct loop_timer *clean;
	u64 vm_state_l1; /* first L1 index behind the disk */
	u8 *plain; /* the cluster that was uncompressed last */
	u64 plain_entry; /* its L2 entry, 0: none */
	struct co_lock lock; /* metadata changes that take several steps */
	struct co_lock table_lock; /* making an L2 table, growing the L1 table */
};

static inline u64 qcow2_index(const struct qcow2 *s, u64 offset)
{
	return offset >> s->cluster_bits;
}
static inline u64 in_cluster(const struct qcow2 *s, u64 offset)
{
	return offset & (s->cluster_size - 1);
}

/* ---- header.c ---- */
int qcow2_write_header(struct blk_node *node) MUST_CHECK;
/* Reports corruption; fatal: marks the image, and nothing more will be done with it. Gives -EIO. */
#define qcow2_corrupt(node, fatal, ...) qcow2_corrupt_at(node, fatal, 0, 0, __VA_ARGS__)
/* The same, found at len bytes of the file. */
int qcow2_corrupt_at(struct blk_node *node, bool fatal, u64 offset, u64 len, const char *fmt, ...)
    PRINTF(5, 6);
int qcow2_mark_dirty(struct blk_node *node) MUST_CHECK;
/* Makes all metadata stable and says so. */
int qcow2_mark_clean(struct blk_node *node) MUST_CHECK;
struct err *qcow2_open(struct blk_node *node, struct json *opts, u32 flags) MUST_CHECK;
void qcow2_close(struct blk_node *node);

/* ---- options.c ---- */
/* At opening: takes them, makes the caches. */
struct err *qcow2_take_options(struct blk_node *node, struct json *opts, u32 flags) MUST_CHECK;
struct err *qcow2_change(struct blk_node *node, struct json *opts, u32 flags, enum blk_change how) MUST_CHECK;

/* ---- l2.c ---- */
enum qcow2_kind {
	KIND_HOLE,
	KIND_ZERO,
	KIND_ZERO_ALLOC,
	KIND_DATA,
	KIND_COMPRESSED,
	KIND_HOLE_ALLOC,
	KIND_BAD
};
/* What subcluster sub of an entry is. HOLE_ALLOC: no data, but the cluster has room. */
enum qcow2_kind qcow2_kind(const struct qcow2 *s, u64 entry, u64 bits, unsigned sub);
int qcow2_map(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret);
int qcow2_place(struct blk_node *node, u64 offset, u64 len, struct blk_place *ret);
int qcow2_commit(struct blk_node *node, const struct blk_place *place);
void qcow2_abandon(struct blk_node *node, const struct blk_place *place);
/* The slice with the entry of a guest offset, pinned; *ret NULL: no table. make: allocate or unshare it. */
int qcow2_slice(struct blk_node *node, u64 offset, bool make, void **ret, u32 *ret_index) MUST_CHECK;
int qcow2_grow_l1(struct blk_node *node, u64 entries, bool exact) MUST_CHECK;
int qcow2_write_l1(struct blk_node *node, u32 index) MUST_CHECK;
u64 qcow2_entry(const struct qcow2 *s, const void *slice, u32 index);
u64 qcow2_entry_bits(const struct qcow2 *s, const void *slice, u32 index);
void qcow2_set_entry(struct qcow2 *s, void *slice, u32 index, u64 entry, u64 bits);
/* Gives up what an entry refers to: one reference less. */
int qcow2_free_entry(struct blk_node *node, u64 entry, enum qcow2_discard discard);
/* Offset and length in the file of a compressed cluster. */
void qcow2_compressed_range(const struct qcow2 *s, u64 entry, u64 *ret_offset, u64 *ret_len);
int qcow2_zero(struct blk_node *node, u64 offset, u64 len, u32 flags);
int qcow2_discard(struct blk_node *node, u64 offset, u64 len);
/* full: entries become holes even where that shows the backing file. */
int qcow2_discard_range(struct blk_node *node, u64 offset, u64 len, bool full, enum qcow2_discard why);

/* ---- refcount.c ---- */
int qcow2_refcount(struct blk_node *node, u64 cluster, u64 *ret) MUST_CHECK;
/* Adds delta to clusters that [offset, offset + len) touches; those that reach 0 are free. */
int qcow2_refcount_add(struct blk_node *node, u64 offset, u64 len, int delta,
		       enum qcow2_discard discard) MUST_CHECK;
/* n clusters in a row, refcount 1; *ret: file offset. */
int qcow2_alloc(struct blk_node *node, u64 n, u64 *ret) MUST_CHECK;
/* At least one in a row, *n at most; *n: how many. */
int qcow2_alloc_some(struct blk_node *node, u64 *n, u64 *ret) MUST_CHECK;
/* At a given place, as many of n as are free there; *ret_n may be 0. */
int qcow2_alloc_at(struct blk_node *node, u64 offset, u64 n, u64 *ret_n) MUST_CHECK;
int qcow2_free(struct blk_node *node, u64 offset, u64 len, enum qcow2_discard discard);
/* Room for a compressed cluster: any byte offset. */
int qcow2_alloc_bytes(struct blk_node *node, u64 len, u64 *ret) MUST_CHECK;
u64 qcow2_get_ref(const struct qcow2 *s, const void *block, u64 index);
void qcow2_set_ref(const struct qcow2 *s, void *block, u64 index, u64 val);
static inline u64 qcow2_max_ref(const struct qcow2 *s)
{
	return s->refcount_order == 6 ? ~0ull >> 1 : BITS(1u << s->refcount_order);
}
/* Flushes both caches, order kept. */
int qcow2_flush_meta(struct blk_node *node) MUST_CHECK;
/* Makes the tables stable, after which clusters that were given up may be used again. */
int qcow2_let_go(struct blk_node *node) MUST_CHECK;

/* ---- overlap.c ---- */
/* False: no memory. */
bool qcow2_set_add(struct qcow2_set *c, u64 from, u64 to) MUST_CHECK;
void qcow2_set_remove(struct qcow2_set *c, u64 from, u64 to);
void qcow2_set_free(struct qcow2_set *c);
static inline bool qcow2_set_has(const struct qcow2_set *c, u64 i)
{
	return i < c->n && (c->bits[i / 64] >> i % 64 & 1);
}
/* Refuses a write to [offset, offset+len) of the file where metadata lies; ignore: parts that may be there. */
int qcow2_check_overlap(struct blk_node *node, u64 offset, u64 len, u32 ignore) MUST_CHECK;
void qcow2_meta_set(struct qcow2 *s, u64 offset, u64 len);
void qcow2_meta_clear(struct qcow2 *s, u64 offset, u64 len);

/* ---- compress.c ---- */
int qcow2_read(struct blk_node *node, const struct blk_extent *extent, u64 offset, struct iovs iov);
int qcow2_pack(struct blk_node *node, u64 offset, const void *buf, void **ret);
int qcow2_write_compressed(struct blk_node *node, u64 offset, const void *packed, size_t len);

/* ---- crypt.c ---- */
/* What header and options say of encryption; finds the key, unless BLK_NO_IO. */
struct err *qcow2_open_crypt(struct blk_node *node, struct json *opts, u32 flags) MUST_CHECK;
void qcow2_close_crypt(struct qcow2 *s);
int qcow2_decode(struct blk_node *node, u64 offset, u64 file_offset, void *buf, size_t len);
int qcow2_encode(struct blk_node *node, u64 offset, u64 file_offset, void *buf, size_t len);
struct json *qcow2_crypt_info(const struct qcow2 *s); /* NULL: not encrypted */
struct err *qcow2_amend_crypt(struct blk_node *node, const struct json *opts, bool force) MUST_CHECK;
/* The method that creation options ask for (0: none), and the bytes of its header. */
struct err *qcow2_crypt_params(const struct json *opts, u32 *ret_method, u64 *ret_bytes) MUST_CHECK;
/* Encrypts a new, empty image; the caller writes the image's header. */
struct err *qcow2_create_crypt(struct blk_node *node, const struct json *opts, u32 method,
			       u64 bytes) MUST_CHECK;

/* ---- snapshot.c ---- */
/* repair: a table that is too big is read as far as it may go. */
struct err *qcow2_load_snapshots(struct blk_node *node, bool repair) MUST_CHECK;
void qcow2_free_snapshot(struct qcow2_snapshot *sn);
struct err *qcow2_extra_too_long(u32 index) MUST_CHECK;
struct err *qcow2_snapshots_too_big(u32 beyond) MUST_CHECK;
void qcow2_free_snapshots(struct qcow2 *s);
int qcow2_write_snapshots(struct blk_node *node) MUST_CHECK;
/* Adds addend to the refcounts of all that an L1 table refers to, and brings the COPIED flags up to date. */
int qcow2_update_refs(struct blk_node *node, u64 l1_offset, u32 l1_size, int addend) MUST_CHECK;
struct err *qcow2_snapshot_list(struct blk_node *node, struct blk_snapshot **ret, size_t *ret_n);
struct err *qcow2_snapshot_create(struct blk_node *node, const char *name, const struct blk_snapshot *meta);
struct err *qcow2_snapshot_apply(struct blk_node *node, const char *id_or_name);
struct err *qcow2_snapshot_delete(struct blk_node *node, const char *id_or_name);
/* Can its L1 table be? -EFBIG: too large, -EINVAL: at no place for one. */
int qcow2_check_l1(const struct qcow2 *s, const struct qcow2_snapshot *snapshot) MUST_CHECK;
/* The L1 table of a snapshot, in host byte order; the caller frees it. Refuses tables that cannot be. */
struct err *qcow2_snapshot_l1(struct blk_node *node, const struct qcow2_snapshot *snapshot,
			      void **ret) MUST_CHECK;
struct err *qcow2_snapshot_load_tmp(struct blk_node *node, const char *id, const char *name);

/* ---- check.c ---- */
struct err *qcow2_check(struct blk_node *node, struct blk_check *res, u32 fix);

/* ---- bitmap.c ---- */
struct err *qcow2_load_bitmaps(struct blk_node *node) MUST_CHECK;
int qcow2_store_bitmaps(struct blk_node *node) MUST_CHECK;
/* Calls fn for each range of the file that bitmaps use. */
int qcow2_each_bitmap_range(struct blk_node *node, int (*fn)(void *user, u64 offset, u64 len),
			    void *user) MUST_CHECK;
struct json *qcow2_bitmap_info(struct blk_node *node);

/* ---- expand.c, refwidth.c ---- */
/* Zero clusters of the disk and all snapshots become holes or zero bytes. */
struct err *qcow2_expand_zeros(struct blk_node *node, void (*progress)(void *user, u64 done, u64 total),
			       void *user) MUST_CHECK;
/* Counts of 1 << order bits from now on. */
struct err *qcow2_set_refcount_width(struct blk_node *node, u32 order,
				     void (*progress)(void *user, u64 done, u64 total),
				     void *user) MUST_CHECK;

/* ---- create.c, resize.c, amend.c ---- */
struct err *qcow2_create(struct blk_create *c);
struct err *qcow2_measure(const struct json *opts, struct blk_node *src, u64 size, struct blk_measure *ret);
struct err *qcow2_truncate(struct blk_node *node, u64 size, bool exact, enum blk_prealloc prealloc,
			   bool zero);
struct err *qcow2_preallocate(struct blk_node *node, u64 from, u64 to, enum blk_prealloc mode) MUST_CHECK;
/* The file ends behind the last cluster in use. */
struct err *qcow2_cut_file(struct blk_node *node) MUST_CHECK;
int qcow2_release(struct blk_node *node);
struct err *qcow2_set_backing(struct blk_node *node, const char *file, const char *fmt);
struct err *qcow2_amend(struct blk_node *node, const struct json *opts, bool force,
			void (*progress)(void *user, u64 done, u64 total), void *user);
int qcow2_make_empty(struct blk_node *node);
extern const struct blk_opt qcow2_create_opts[];
