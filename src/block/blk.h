/*
 * The block graph: nodes, and what a format, a transport or a filter has to say about itself.
 *
 * A node is an open image, host file, connection or filter. It has children by role ("file", "backing", "data-file", ...).
 * A *format* answers "where are these bytes?" (map) and "make me a place for these bytes" (place, then commit); the core
 * (io.c, write.c) does the reading, zeros, backing chains, copy-on-write and the waiting for each other of requests,
 * once for all formats. A *transport* (host file, NBD, ...) and a *filter* move the bytes themselves (preadv, pwritev).
 *
 * Rules for a driver
 *  - Data-path hooks return 0 or a negative errno. Hooks that open, create, check or change options return struct err *.
 *  - Hooks run in a coroutine, or outside one when the caller can wait; either way blk_pread() and the like on a child
 *    simply return when the work is done. Between two such calls other requests of the same node may run: protect
 *    state that spans one with a struct co_lock. One thread at a time runs any of this: the graph's own, or one of its
 *    I/O threads (iothread.h), which take turns.
 *  - An image is untrusted: every offset, size and count is checked before use (blk_check_table, blk_load_table),
 *    tables come from try_alloc, and a refusal names offset and field.
 *  - Metadata writes are ordered so that an end at any moment leaves a valid image with at most leaks: new room is
 *    written first, then what refers to it; a reference goes before the room is given back. Between the two lies
 *    a blk_barrier(), which the metadata cache (cache.h) knows to issue.
 */
#pragma once
#include "base/base.h"
#include "base/coroutine.h"
#include "base/err.h"
#include "base/iov.h"
#include "base/json.h"
#include "block/stats.h"

struct blk_node;
struct blk_driver;
struct blk_graph;
struct loop;
struct iothread;

/* ---- opening ---- */

/* All nodes of a process or machine, and the objects (secrets, TLS credentials, throttle groups) they may name. */
struct blk_graph *blk_graph_new(void);
/* Every node must have been closed. */
void blk_graph_free(struct blk_graph *graph);
/* Where the graph's messages about images go ("qcow2: Marking image as corrupt: ..."); without it they are lost. */
void blk_graph_listen(struct blk_graph *graph, void (*say)(void *user, const char *line), void *user);
void blk_say(struct blk_node *node, const char *fmt, ...) PRINTF(2, 3);
/* What happens to nodes, for clients of a control protocol. Members may be NULL; called within requests. */
struct blk_watch {
	/* A write went so far beyond what was set in its node's stats. */
	void (*past_threshold)(void *user, const struct blk_node *node, u64 by, u64 threshold);
	/* Damage was found at [offset, offset+len) of the image (len 0: no place is known); fatal: nothing more is done. */
	void (*corrupted)(void *user, const struct blk_node *node, const char *what, u64 offset, u64 len,
			  bool fatal);
	void *user;
};
void blk_graph_watch(struct blk_graph *graph, const struct blk_watch *watch); /* copied */
/* For formats: tells the graph's watch. */
void blk_corrupted(struct blk_node *node, const char *what, u64 offset, u64 len, bool fatal);
/* May this name a node, a job, an export? Letters, digits, "-._"; a letter first. */
bool blk_id_ok(const char *id);
/* All nodes: the one behind this one, the first for NULL; NULL at the end. */
struct blk_node *blk_next_node(struct blk_graph *graph, const struct blk_node *node);
/* NULL when there is none. Not referenced. */
struct blk_node *blk_find(struct blk_graph *graph, const char *node_name);

enum blk_open_flags {
	BLK_RDWR = BIT(0),
	BLK_NO_BACKING = BIT(1), /* the backing file is not opened; what it holds reads as zeros */
	BLK_NO_IO = BIT(2), /* only metadata will be looked at: no keys needed */
	BLK_FOR_CHECK =
	    BIT(3), /* opens images whose tables are doubtful, so that check and repair can work */
	BLK_FORCE_SHARE = BIT(4), /* takes no locks against writers; read-only */
	BLK_UNMAP = BIT(5), /* discard=unmap: discards reach the file */
	BLK_DIRECT = BIT(6), /* cache.direct: past the host's page cache */
	BLK_NO_FLUSH = BIT(7), /* cache.no-flush: flushes are not passed to the host */
	BLK_WRITETHROUGH = BIT(8), /* every write is followed by a flush */
	BLK_RESIZE = BIT(9), /* will be resized: part of the lock */
	BLK_PROTOCOL = BIT(10), /* no format is laid over the transport */
	BLK_AUTO_RDONLY = BIT(11), /* falls back to read-only when writing is not permitted */
	BLK_COPY_ON_READ = BIT(12),
	BLK_KEEP_WRITERS_OUT = BIT(16), /* a format's file: the lock lets no other writer in */
	BLK_DETECT_ZEROES = BIT(18),
	BLK_DETECT_UNMAP = BIT(19),
	BLK_NO_BACKING_ERR = BIT(17), /* a backing file that cannot be opened is left out */
	BLK_IO_NATIVE = BIT(13), /* aio=native and aio=io_uring, where the options do not say another */
	BLK_IO_URING = BIT(14),
	BLK_INACTIVE = BIT(15), /* takes no locks, writes nothing, until activated */
};

/*
 * Opens filename (may be NULL when options say it all), as format fmt (NULL: probe). options: an object as -blockdev
 * takes it, nested or flat, or NULL; it is taken over and freed. The node comes with one reference.
 */
struct err *blk_open(struct blk_graph *graph, const char *filename, const char *fmt, struct json *options,
		     u32 flags, struct blk_node **ret) MUST_CHECK;
/* Says on stderr, in QEMU's words, that an image opened for writing by this name was taken for raw because it looks like nothing else; else nothing. */
void blk_warn_of_probing(const struct blk_node *node, const char *name);
/* The same with an overlay in a temporary file above it, which takes the writes; nothing of them stays. */
struct err *blk_open_overlay(struct blk_graph *graph, const char *filename, const char *fmt,
			     struct json *options, u32 flags, struct blk_node **ret) MUST_CHECK;
struct blk_node *blk_ref(struct blk_node *node);
/* Changes the flags of a node and what lies below it (not its backing file): BLK_RDWR, cache modes. */
struct err *blk_reopen(struct blk_node *node, u32 flags) MUST_CHECK;
/* Drops a reference; the last one flushes and closes the node and drops its children. NULL is ignored. */
void blk_unref(struct blk_node *node);
static inline void blk_unrefp(struct blk_node **node)
{
	blk_unref(*node);
}

/* ---- reading and writing: in a coroutine or outside; 0 or a negative errno ---- */

enum blk_req_flags {
	BLK_REQ_FUA = BIT(0), /* on stable storage when the call returns */
	BLK_REQ_MAY_UNMAP = BIT(1), /* zeros: room may be given back */
	BLK_REQ_NO_FALLBACK = BIT(2), /* zeros: -ENOTSUP rather than writing zero bytes */
	BLK_REQ_COMPRESSED = BIT(3),
	BLK_REQ_FULL_ZERO = BIT(4), /* zeros: the core's own: aligned to the node's granularity */
	BLK_REQ_VM_STATE =
	    BIT(6), /* offset counts from where the format keeps a machine's state, behind the disk */
	BLK_REQ_DETECTED = BIT(7), /* zeros: found by detect-zeroes */
	BLK_REQ_HOOKED = BIT(8), /* the core's own: part of a request that hooks have seen */
	BLK_REQ_UNCHANGED = BIT(5), /* the visible contents stay the same (copy-on-read, stream) */
};

int blk_preadv(struct blk_node *node, u64 offset, struct iovs iov, u32 flags) MUST_CHECK;
int blk_pwritev(struct blk_node *node, u64 offset, struct iovs iov, u32 flags) MUST_CHECK;
int blk_pread(struct blk_node *node, u64 offset, void *buf, size_t len) MUST_CHECK;
int blk_pwrite(struct blk_node *node, u64 offset, const void *buf, size_t len) MUST_CHECK;
int blk_pwrite_flush(struct blk_node *node, u64 offset, const void *buf, size_t len) MUST_CHECK;
int blk_zero(struct blk_node *node, u64 offset, u64 len, u32 flags) MUST_CHECK;
/*
 * A compressed write in two steps, so that several threads can pack what is then written in order: pack changes nothing.
 * offset: a multiple of blk_unit(); a part of a unit only at the disk's end. iov must live until blk_write_packed, which
 * frees *ret, as blk_packed_free does. NULL is ignored by the latter.
 */
struct blk_packed;
int blk_pack(struct blk_node *node, u64 offset, struct iovs iov, struct blk_packed **ret) MUST_CHECK;
int blk_write_packed(struct blk_packed *packed, u32 flags) MUST_CHECK;
void blk_packed_free(struct blk_packed *packed);
/* A hint: what cannot be given back stays, without an error. */
int blk_discard(struct blk_node *node, u64 offset, u64 len) MUST_CHECK;
/*
 * Copies without passing through memory, where both sides are plain bytes of host files. -ENOTSUP: they are not, or the
 * host cannot; part of the range may have been copied. The caller keeps other writes to the target's range away.
 */
int blk_copy_range(struct blk_node *src, u64 src_offset, struct blk_node *dst, u64 dst_offset,
		   u64 len) MUST_CHECK;
/* Everything written so far, metadata included, reaches stable storage. */
int blk_flush(struct blk_node *node) MUST_CHECK;
/* Orders metadata writes for power cuts: what was written to the node before is stable before what follows. */
int blk_barrier(struct blk_node *node) MUST_CHECK;

enum blk_prealloc { BLK_PREALLOC_OFF, BLK_PREALLOC_METADATA, BLK_PREALLOC_FALLOC, BLK_PREALLOC_FULL };
extern const char *const blk_prealloc_names[]; /* by enum blk_prealloc */
/* NULL is off. False: no such mode. */
bool blk_prealloc_find(const char *name, enum blk_prealloc *ret);
/* Refuses a node that was opened read-only, or lies over a file that was, in the words that users know. */
struct err *blk_need_writable(const struct blk_node *node) MUST_CHECK;
/* exact: the driver must have this very size, else a larger one will do. zero: the new part must read as zeros. */
struct err *blk_truncate(struct blk_node *node, u64 size, bool exact, enum blk_prealloc prealloc,
			 bool zero) MUST_CHECK;
/* What is compressed, copied or shared at once: the larger of granularity and cluster. */
u32 blk_unit(const struct blk_node *node);
/* Bytes a guest sees; a multiple of 512. */
u64 blk_size(const struct blk_node *node);

/* ---- where are these bytes? ---- */

enum blk_where {
	BLK_DATA, /* in `file` at `offset` */
	BLK_ZERO, /* read as zeros */
	BLK_HOLE, /* this layer says nothing: the backing chain answers, zeros beyond its end */
	BLK_ENCODED, /* compressed or otherwise only readable through the driver's `read` */
};

struct blk_extent {
	enum blk_where where;
	struct blk_node *file; /* BLK_DATA */
	u64 offset; /* in file: BLK_DATA, and BLK_ZERO when has_offset */
	u64 len; /* how far the answer holds; never 0, never more than was asked */
	bool has_offset; /* BLK_ZERO with room reserved at offset */
	u64 cookie[2]; /* BLK_ENCODED: the driver's own */
	/* What is shown of the range, where that says more than `where`: what a server tells (zeros with room, a dirty bitmap). */
	bool told, told_data, told_zero;
	bool ahead; /* BLK_DATA: the format makes room before anybody writes, so that its file may have a hole there */
};

/* One layer's answer, without looking at backing files. */
int blk_map(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret) MUST_CHECK;

/* What a whole chain says of a range, as "map" prints it. */
struct blk_status {
	u64 len;
	unsigned depth; /* layers below the top */
	bool data, zero, present, has_offset, compressed; /* data and zero: room was made for it, nothing was written there */
	bool past_end; /* zeros behind the end of a backing file: the layer above it makes them */
	u64 offset;
	struct blk_node *file; /* where offset counts, when has_offset */
};
/* base: a layer below which is not looked (excluded), NULL: all. */
int blk_status(struct blk_node *node, struct blk_node *base, u64 offset, u64 len,
	       struct blk_status *ret) MUST_CHECK;

/* A place for bytes to be written: file offsets that the core writes to. */
struct blk_place {
	u64 offset, len; /* guest range the place stands for; len is never 0 */
	struct blk_node *file;
	u64 file_offset; /* where `offset` goes */
	/*
	 * False: the bytes are at home already, [offset, offset+len) lies within the request and nothing else happens.
	 * True: new room of whole granules around (part of) the request. The core fills what the request does not cover
	 * with what the guest sees there now, writes, and then calls commit, or abandon when the write failed.
	 */
	bool fresh;
	bool
	    reads_zero; /* fresh: the room is known to read as zeros, so zeros around the request need no write */
	/*
	 * fresh: the driver only takes whole, compressed units: the core puts the request's bytes into what the guest sees
	 * there and calls write_compressed; commit is not called.
	 */
	bool whole;
	bool frees_old; /* fresh: commit gives room back that requests in flight may be reading */
	u64 cookie[4]; /* the driver's own */
};

/* ---- options of creation, and of a driver ---- */

enum blk_opt_type { BLK_OPT_STR, BLK_OPT_BOOL, BLK_OPT_SIZE, BLK_OPT_NUM };

struct blk_opt { /* ends with name == NULL; the order is the one in which "Formatting ..." prints */
	const char *name;
	enum blk_opt_type type;
	const char *help;
	const char *otherwise; /* printed and used when not given; NULL: none */
	bool amend; /* may be changed by amend */
	bool amend_only; /* and by nothing else: not an option of creation */
};

/* Typed access to creation options (an object of strings, checked against the table by the core). */
const char *blk_opt_str(const struct json *opts, const char *name); /* NULL when not given */
bool blk_opt_bool(const struct json *opts, const char *name, bool otherwise);
u64 blk_opt_num(const struct json *opts, const char *name, u64 otherwise);

/* NULL when the table, which may be NULL, has none of this name. */
const struct blk_opt *blk_opt_find(const struct blk_opt *table, const char *name);
/* Refuses names that neither table has, and values of another type. opts: strings. */
struct err *blk_opts_check(const struct json *opts, const struct blk_opt *table,
			   const struct blk_opt *more) MUST_CHECK;

/* Takes open-time options out of node's options; what a driver does not take is refused by the core. */
char *blk_take_str(struct json *opts, const char *name); /* caller frees; NULL when not given */
struct err *blk_take_bool(struct json *opts, const char *name,
			  bool *ret) MUST_CHECK; /* untouched when not given */
struct err *blk_take_size(struct json *opts, const char *name, u64 *ret) MUST_CHECK;

/* ---- results ---- */

/* Bytes the node takes on the host; ~0: unknown. */
u64 blk_disk_size(struct blk_node *node);
/* The snapshots inside an image; NULL: it has none. The caller owns it. */
struct json *blk_snapshots_json(struct blk_node *node);
/* Deletes the first snapshot of this name; another's id is no name. ERR_NOT_FOUND: there is none. */
struct err *blk_snapshot_delete_named(struct blk_node *node, const char *name) MUST_CHECK;
/* An image's sizes, names, snapshots and format's own facts, as ImageInfo of the schema; the caller owns it. */
struct json *blk_image_info(struct blk_node *node);

struct blk_check {
	u64 corruptions, leaks, check_errors; /* found */
	u64 corruptions_fixed, leaks_fixed;
	u64 image_end; /* offset behind the last byte in use */
	u64 total_clusters, allocated_clusters, fragmented_clusters,
	    compressed_clusters; /* total 0: not counted */
	/* One line a finding, to where the caller wants it ("ERROR ..." or "Leaked cluster ..."). May be NULL. */
	void (*say)(void *user, const char *line);
	void *user;
};
void blk_check_say(struct blk_check *c, const char *fmt, ...) PRINTF(2, 3);
enum blk_fix { BLK_FIX_LEAKS = BIT(0), BLK_FIX_ERRORS = BIT(1) };

struct blk_info { /* what "info" prints beyond the size; members of the core are filled already */
	u64 cluster_size; /* 0: has none */
	bool dirty, encrypted, compressed;
	struct json *specific; /* {"type": ..., "data": {...}}, owned by the struct; NULL: none */
};

struct blk_snapshot {
	char *id, *name; /* owned by the list */
	u64 vm_state_size, disk_size;
	u64 date_sec, date_nsec, vm_clock_nsec;
	i64 icount; /* -1: none */
};

struct blk_measure {
	u64 required, fully_allocated;
	bool has_bitmaps;
	u64 bitmaps;
};

/* ---- drivers ---- */

enum blk_change {
	BLK_CHANGE_KEEP = BIT(0), /* what opts do not name stays as it is, else it gets its default */
	BLK_CHANGE_TRY = BIT(1), /* nothing changes: only whether it could */
};

enum blk_kind { BLK_FORMAT, BLK_TRANSPORT, BLK_FILTER };
enum blk_debug_op { BLK_DEBUG_BREAK, BLK_DEBUG_REMOVE, BLK_DEBUG_RESUME, BLK_DEBUG_WAIT };

struct blk_create {
	struct blk_graph *graph;
	const char *filename;
	const struct json *opts; /* strings, see blk_opt_*() */
	u64 size; /* option "size" as it was given */
	struct blk_node *file; /* a format's: open for writing, empty */
};

struct blk_driver {
	const char *name, *summary;
	const char *spec; /* the specification it follows */
	enum blk_kind kind;
	size_t state_size; /* node->state: zeroed before open */

	/* Formats: 0 no, 100 certain. head: the first len (up to 2048) bytes; filename may be NULL. */
	unsigned (*probe)(const u8 *head, size_t len, const char *filename);
	/* Transports: the prefix of file names, "nbd" for nbd:..., nbd+unix is a second entry of `prefixes`. */
	const char *const *prefixes;
	/* Transports: the members that a file name stands for go into opts ("nbd://host:1/x" gives host, port, export). */
	struct err *(*parse_name)(const char *filename, struct json *opts);

	/* opts: what is left after the core took its own members; the driver takes its own with blk_take_*(). */
	struct err *(*open)(struct blk_node *node, struct json *opts, u32 flags);
	/* Flushes what is dirty (errors are lost here; blk_flush reports them) and frees what the state holds. */
	void (*close)(struct blk_node *node);
	/* A thread (iothread.h) ends: what was kept for requests that its loop made goes. NULL: nothing is. */
	void (*left)(struct blk_node *node, struct loop *loop);
	/* Another node took a child's place: for drivers that keep pointers beside file and backing. */
	void (*moved)(struct blk_node *node, struct blk_node *from, struct blk_node *to);
	/* Children that come and go while the node is open; NULL: none do. The core attaches and detaches. *ret_name is the core's to free. */
	struct err *(*add_child)(struct blk_node *node, struct blk_node *child, char **ret_name);
	struct err *(*remove_child)(struct blk_node *node, struct blk_node *child);
	/* Takes those options out of opts that can change while the node is open; no request is in flight. flags: as they will be. NULL: none. */
	struct err *(*change)(struct blk_node *node, struct json *opts, u32 flags, enum blk_change how);
	/* Flags changed (read-only to writable, cache mode). NULL: nothing to do but what the core does. */
	struct err *(*reopen)(struct blk_node *node, u32 flags);

	/* Formats: where and room. Requests are within the size; map and place may answer for less than asked. */
	int (*map)(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret);
	int (*read)(struct blk_node *node, const struct blk_extent *extent, u64 offset, struct iovs iov);
	int (*place)(struct blk_node *node, u64 offset, u64 len, struct blk_place *ret);
	int (*commit)(struct blk_node *node, const struct blk_place *place);
	void (*abandon)(struct blk_node *node, const struct blk_place *place);
	/*
	 * Formats whose data needs a change on the way to the file (encryption): `buf` (guest offset, len, multiple
	 * of 512) is changed in place; file_offset: where it lies in the file.
	 */
	int (*decode)(struct blk_node *node, u64 offset, u64 file_offset, void *buf, size_t len);
	int (*encode)(struct blk_node *node, u64 offset, u64 file_offset, void *buf, size_t len);
	/*
	 * Compressed units (granularity or cluster bytes, whichever is more). pack: any thread, any number at once, so it
	 * reads nothing of the state that changes: packs what offset will hold (a whole unit, zeros behind the disk's
	 * end); *ret is the core's to free. Gives the length of *ret, 0 when it does not get smaller (the core then writes
	 * plain bytes), or a negative errno. write_compressed: room for what pack gave, and the reference to it.
	 */
	int (*pack)(struct blk_node *node, u64 offset, const void *buf, void **ret);
	int (*write_compressed)(struct blk_node *node, u64 offset, const void *packed, size_t len);

	/* Transports and filters: the bytes themselves. */
	int (*preadv)(struct blk_node *node, u64 offset, struct iovs iov, u32 flags);
	int (*pwritev)(struct blk_node *node, u64 offset, struct iovs iov, u32 flags);
	/* pwritev and zero hand BLK_REQ_FUA on to `file` with all the bytes, and keep nothing else that needs a flush. */
	bool passes_fua;

	/* Transports: between two nodes of the same driver; -ENOTSUP when the host cannot. */
	int (*copy_range)(struct blk_node *src, u64 src_offset, struct blk_node *dst, u64 dst_offset,
			  u64 len);

	/* All kinds. zero and discard: whole granules; -ENOTSUP lets the core write zeros, or forget the discard. */
	int (*zero)(struct blk_node *node, u64 offset, u64 len, u32 flags);
	int (*discard)(struct blk_node *node, u64 offset, u64 len);
	/* Metadata to the children; the core flushes the children after it, unless flush does so itself. */
	int (*flush)(struct blk_node *node);
	bool flushes_children;
	struct err *(*truncate)(struct blk_node *node, u64 size, bool exact, enum blk_prealloc prealloc,
				bool zero);
	u64 (*disk_size)(
	    struct blk_node *node); /* bytes taken on the host; ~0: unknown; NULL: the children's sum */

	struct err *(*create)(struct blk_create *c);
	const struct blk_opt *create_opts; /* NULL: cannot be created */
	bool supports_backing;

	struct err *(*info)(struct blk_node *node, struct blk_info *ret);
	struct err *(*check)(struct blk_node *node, struct blk_check *res, u32 fix);
	struct err *(*measure)(const struct json *opts, struct blk_node *src, u64 size,
			       struct blk_measure *ret);
	struct err *(*amend)(struct blk_node *node, const struct json *opts, bool force,
			     void (*progress)(void *user, u64 done, u64 total), void *user);
	struct err *(*set_backing)(struct blk_node *node, const char *file, const char *fmt);
	/* Drops all that the layer holds: it reads as its backing file again. NULL: the core discards. */
	int (*make_empty)(struct blk_node *node);
	/* Gives the host the room in the file back that nothing refers to. NULL: there is none. */
	int (*release)(struct blk_node *node);
	struct err *(*snapshot_list)(struct blk_node *node, struct blk_snapshot **ret, size_t *ret_n);
	struct err *(*snapshot_create)(struct blk_node *node, const char *name,
				       const struct blk_snapshot *meta);
	struct err *(*snapshot_apply)(struct blk_node *node, const char *id_or_name);
	struct err *(*snapshot_delete)(struct blk_node *node, const char *id_or_name);
	/* Whether persistent bitmaps may be made; NULL: the format has none. */
	struct err *(*keeps_bitmaps)(const struct blk_node *node);
	/* Filters for tests: something of this name is about to be done to the node; breakpoints. */
	void (*event)(struct blk_node *node, const char *name);
	int (*debug)(struct blk_node *node, enum blk_debug_op op, const char *event, const char *tag);
	/* Reads from a snapshot from now on; the node is read-only. */
	struct err *(*snapshot_load_tmp)(struct blk_node *node, const char *id, const char *name);
};

#define BLK_DRIVER(id) \
	extern const struct blk_driver blk_driver_##id; \
	const struct blk_driver blk_driver_##id
//registry: BLK_DRIVER struct blk_driver blk_driver_ blk_drivers
extern const struct blk_driver *const blk_drivers[]; /* generated; ends with NULL */
const struct blk_driver *blk_driver_find(const char *name);
/* The transport that a file name asks for; NULL with *ret_err set when its prefix is unknown. */
const struct blk_driver *blk_driver_of_name(const char *filename, struct err **ret_err);

/* ---- nodes, as a driver sees them ---- */

struct blk_child {
	struct blk_child *next;
	char *name;
	struct blk_node *node;
};

struct blk_request;
struct blk_dirty;

struct blk_node {
	const struct blk_driver *driver;
	void *state;
	u32 flags; /* enum blk_open_flags as in force */
	u64 size; /* set by the driver's open; the core rounds it up to 512 */
	/*
	 * Set by the driver's open, else 1. granularity: the unit of place, zero, discard and write_compressed, a power
	 * of two. cluster: the unit in which requests wait for each other, a multiple of granularity (0: the same).
	 */
	u32 granularity, cluster;
	u32 align; /* transports: unit of offsets, lengths and buffers (O_DIRECT); else 1 */
	u64 vm_state; /* formats that keep a machine's state: where it begins, in bytes of the guest's disk; else 0 */
	bool encoded; /* data passes the driver's decode and encode */
	bool fua,
	    fua_zero; /* transports: pwritev, zero carry out BLK_REQ_FUA themselves; else the core flushes behind them */
	bool zero_init; /* transports: a newly made or grown file reads as zeros */
	struct blk_node *file, *backing; /* shortcuts to the children of these names */
	struct blk_child *children;

	char *node_name;
	char *filename; /* as given or made up by the core; "json:{...}" when nothing shorter says it */
	/* Formats set these from the header, in open: the core opens the child. */
	char *backing_file, *backing_format;

	/* Below: the core's. */
	unsigned refs;
	struct json *options; /* as opened, nested */
	u32 perm, shared; /* enum blk_perm (root.h): what all users do, and bear, as of blk_settle_perms */
	bool settled;
	struct iothread *
	    thread; /* where exports of this node run that name no other; NULL: in the graph's own. Not counted as its user */
	struct blk_request *requests; /* in flight */
	struct co_wait waiters; /* for one of them to end */
	struct co_lock place_lock;
	bool written; /* since the last flush */
	bool holes, holes_known; /* of a file: whether it has many */
	bool probed;
	bool auto_backing; /* backing was opened because the header names it */
	struct blk_dirty *dirty; /* bitmaps that follow writes; see dirty.h */
	struct blk_stats stats;
	struct blk_hook *hooks; /* who watches writes; see root.h */
	unsigned hooked; /* requests that hooks have seen the beginning of */
	struct co_wait unhooked;
	struct blk_node *next_node; /* all nodes of the graph */
	struct blk_graph *graph;
};

/* What this very node passes on to: the backing file of a format, the file of a filter; NULL: none. blk_layer_below skips filters. */
static inline struct blk_node *blk_below(const struct blk_node *node)
{
	return node->driver->kind == BLK_FILTER && node->file ? node->file : node->backing;
}

/* Where the node keeps its pointer to a child: stays where it is when the child is replaced. */
struct blk_node **blk_child_slot(struct blk_node *node, const struct blk_node *child);

/* What filters stand on: the node itself when it is none. */
static inline struct blk_node *blk_unfiltered(struct blk_node *node)
{
	while (node->driver->kind == BLK_FILTER && node->file)
		node = node->file;
	return node;
}

/* Tells a filter for tests what a format is about to do to its file ("l2_load", "cluster_alloc"). */
static inline void blk_event(struct blk_node *file, const char *name)
{
	if (UNLIKELY(file->driver->event))
		file->driver->event(file, name);
}

/*
 * For a driver's open: opens child `name` from the options below `name.` (or a node-name, or filename). What names no driver
 * is a transport. optional: *ret is NULL when options say nothing.
 */
struct err *blk_open_child(struct blk_node *node, struct json *opts, const char *name, const char *filename,
			   u32 flags, bool optional, struct blk_node **ret) MUST_CHECK;
/* The same; the format of what names no driver is probed. */
struct err *blk_open_format_child(struct blk_node *node, struct json *opts, const char *name,
				  const char *filename, u32 flags, struct blk_node **ret) MUST_CHECK;

/* The format's own extra files (extents of an image of several): created anew. */
struct err *blk_create_file(struct blk_graph *graph, const char *filename, u64 size,
			    struct blk_node **ret) MUST_CHECK;

/* Makes an image: checks opts (strings; taken over) against the tables of format and transport. */
struct err *blk_create_image(struct blk_graph *graph, const char *filename, const char *fmt,
			     struct json *opts) MUST_CHECK;

/*
 * Checks that count entries of entry_size bytes at offset lie within 2^63 and below max_bytes, and offset is a multiple
 * of align. what names the table in the message ("L1 table").
 */
struct err *blk_check_table(u64 offset, u64 count, u32 entry_size, u64 max_bytes, u32 align,
			    const char *what) MUST_CHECK;
/* Reads a table after blk_check_table; the buffer is the caller's to free. Bytes beyond the file's end read as zeros. */
struct err *blk_load_table(struct blk_node *file, u64 offset, u64 bytes, const char *what,
			   void **ret) MUST_CHECK;

/* A path named inside an image, seen from the image's own: "dir/a.qcow2" and "b" give "dir/b". Caller frees. */
char *blk_path_join(const char *base, const char *path);
/* The same, seen from the file of a node, filters or not; NULL when the node has no folder. */
char *blk_path_beside(const struct blk_node *node, const char *path);
/* "nbd:", "https:" and so on in front? */
bool blk_path_has_protocol(const char *path);
