/*
 * qcow: QEMU's first copy-on-write image, version 1.
 *
 * Spec       keramics docs/formats/src/qcow.md; libyal/libqcow documentation (version 1 parts).
 * Layout     big-endian header, L1 table, L2 tables and clusters as they were first written. Compressed clusters lie packed, raw
 *            deflate with a window of 4 KiB.
 * Modelled   reading, writing, compression, backing files, AES encryption.
 * Options    encrypt.key-secret (of encrypted images), encrypt.format (aes).
 */
#include "block/format/room.h"
#include "block/format/aes.h"
#include "block/format/compress.h"
#include "block/format/tree.h"
#include <errno.h>
#include <stdio.h>
#include <time.h>

enum { /* header */
       VERSION = 4,
       BACKING_AT = 8,
       BACKING_LEN = 16,
       MTIME = 20,
       SIZE = 24,
       CLUSTER_BITS = 32,
       L2_BITS = 33,
       CRYPT = 36,
       L1_AT = 40,
       HEADER = 48
};
enum { SLICE = 512 };
#define COMPRESSED BIT(63)

struct qcow {
	u32 cluster_bits, cluster;
	struct tree tree;
	struct co_lock unpack_lock;
	u64 unpacked_at; /* entry of the cluster unpacked last; 0: none */
	u8 *unpacked, *packed;
	bool encrypted;
	struct crypto_cipher *aes;
};

static unsigned probe_qcow(const u8 *head, size_t len, const char *filename)
{
	return len >= HEADER && memcmp(head, "QFI\xfb", 4) == 0 && ld_be32(head + VERSION) == 1 ? 100 : 0;
}

/* ---- opening ---- */

static int check_table(const struct tree *t, u64 table)
{
	return table % SLICE || table > (u64)INT64_MAX - t->entries * 8 ? -EIO : 0;
}

static struct err *check_header(struct blk_node *node, const u8 *h)
{
	struct qcow *s = node->state;
	if (memcmp(h, "QFI\xfb", 4) != 0)
		return err_new(ERR_INVALID, "Image not in qcow format");
	if (ld_be32(h + VERSION) != 1)
		return err_hint(err_new(ERR_UNSUPPORTED, "qcow (v%u) does not support qcow version %u", 1,
					ld_be32(h + VERSION)),
				"Try the 'qcow2' driver instead.");
	u32 l2_bits = h[L2_BITS];
	s->cluster_bits = h[CLUSTER_BITS];
	node->size = ld_be64(h + SIZE);
	if (node->size <= 1)
		return err_new(ERR_CORRUPT, "Image size is too small (must be at least 2 bytes)");
	if (s->cluster_bits < 9 || s->cluster_bits > 16)
		return err_new(ERR_CORRUPT, "Cluster size must be between 512 and 64k");
	/* 8 bytes an entry */
	if (l2_bits < 9 - 3 || l2_bits > 16 - 3)
		return err_new(ERR_CORRUPT, "L2 table size must be between 512 and 64k");
	if (ld_be32(h + CRYPT) > 1)
		return err_new(ERR_CORRUPT, "invalid encryption method in qcow header");
	s->encrypted = ld_be32(h + CRYPT);
	s->cluster = 1 << s->cluster_bits;
	s->tree = (struct tree){ .node = node,
				 .big = true,
				 .unit = s->cluster,
				 .slice = SLICE,
				 .align = s->cluster,
				 .entries = BIT(l2_bits),
				 .check = check_table };
	u32 shift = s->cluster_bits + l2_bits;
	if (node->size > (u64)INT64_MAX - BIT(shift) ||
	    (node->size + BIT(shift) - 1) >> shift > INT32_MAX / 8)
		return err_new(ERR_CORRUPT, "Image too large");
	return NULL;
}

static struct err *read_backing_name(struct blk_node *node, const u8 *h)
{
	u32 len = ld_be32(h + BACKING_LEN);
	u64 at = ld_be64(h + BACKING_AT);
	if (!at)
		return NULL;
	if (len > 1023)
		return err_new(ERR_CORRUPT, "Backing file name too long");
	if (at > (u64)INT64_MAX - len)
		return err_new(ERR_CORRUPT, "Backing file name at offset 0x%llx is not valid",
			       (unsigned long long)at);
	node->backing_file = alloc(len + 1);
	int r = len ? blk_pread(node->file, at, node->backing_file, len) : 0;
	return r ? err_errno(-r, "Could not read the backing file's name") : NULL;
}

static struct err *load_l1(struct blk_node *node, u64 at)
{
	struct qcow *s = node->state;
	struct tree *t = &s->tree;
	u64 reach = tree_reach(t), n = (node->size + reach - 1) / reach;
	struct err *e = blk_check_table(at, n, 8, INT32_MAX, 1, "L1 table");
	if (!e && (at < HEADER || at + n * 8 > node->file->size + 512))
		e = err_new(ERR_CORRUPT, "L1 table at offset %llu with %llu entries lies outside the file",
			    (unsigned long long)at, (unsigned long long)n);
	if (!e)
		e = tree_load(t, at, n);
	/* Tables and clusters may lie behind the file's end when the last ones hold nothing but zeros. */
	t->next = MAX(node->file->size, at + n * 8);
	return e;
}

static void free_state(struct qcow *s)
{
	tree_free(&s->tree);
	aes_close(s->aes);
	s->aes = NULL;
	free(s->unpacked);
	free(s->packed);
	s->unpacked = s->packed = NULL;
}

static struct err *open_crypt(struct blk_node *node, struct json *opts, u32 flags)
{
	struct qcow *s = node->state;
	AUTO(free_ptr) char *format = blk_take_str(opts, "encrypt.format");
	AUTO(free_ptr) char *id = blk_take_str(opts, "encrypt.key-secret");
	node->encoded = s->encrypted;
	if (!s->encrypted)
		return format || id
			   ? err_new(ERR_INVALID,
				     "No encryption in image header, but options specified format '%s'",
				     format ? format : "aes")
			   : NULL;
	if (format && strcmp(format, "aes") != 0)
		return err_new(ERR_INVALID,
			       "Header reported 'aes' encryption format but options specify '%s'", format);
	return flags & BLK_NO_IO ? NULL : aes_open(node->graph, id, &s->aes);
}

static struct err *open_qcow(struct blk_node *node, struct json *opts, u32 flags)
{
	struct qcow *s = node->state;
	u8 h[HEADER];
	int r = blk_pread(node->file, 0, h, HEADER);
	if (r)
		return err_errno(-r, "Could not read qcow header");
	struct err *e = check_header(node, h);
	if (!e)
		e = read_backing_name(node, h);
	if (!e)
		e = open_crypt(node, opts, flags);
	if (!e)
		e = load_l1(node, ld_be64(h + L1_AT));
	node->granularity = s->cluster;
	if (e)
		free_state(s);
	return e;
}

static int flush_qcow(struct blk_node *node)
{
	return tree_flush(&((struct qcow *)node->state)->tree);
}

static void close_qcow(struct blk_node *node)
{
	room_close(node, flush_qcow);
	free_state(node->state);
}

/* ---- where and room ---- */

static int map_qcow(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	struct qcow *s = node->state;
	struct tree *t = &s->tree;
	u64 in = offset & (s->cluster - 1), first = 0;
	void *slice = NULL;
	u8 *p;
	int r = tree_find(t, offset, &p, &slice);
	if (r)
		return r;
	u64 n = tree_left(t, offset, p, slice);
	if (p) {
		first = tree_entry(t, p);
		u64 want = MIN(n, (in + len + s->cluster - 1) >> s->cluster_bits);
		for (n = 1; n < want && !(first & COMPRESSED); n++)
			if (tree_entry(t, p + n * 8) != (first ? first + n * s->cluster : 0))
				break;
		cache_put(t->l2, slice);
	}
	*ret = (struct blk_extent){ .where = !first		  ? BLK_HOLE
					     : first & COMPRESSED ? BLK_ENCODED
								  : BLK_DATA,
				    .len = MIN(len, n * s->cluster - in) };
	ret->cookie[0] = first;
	ret->file = node->file;
	ret->offset = first + in;
	return ret->where == BLK_DATA && (first % 512 || first > (u64)INT64_MAX - n * s->cluster) ? -EIO : 0;
}

static int unpack(struct blk_node *node, u64 entry)
{
	struct qcow *s = node->state;
	u32 shift = 63 - s->cluster_bits;
	u64 at = entry & BITS(shift), size = entry >> shift & (s->cluster - 1);
	if (!s->packed)
		s->packed = try_alloc(s->cluster);
	if (!s->unpacked)
		s->unpacked = try_alloc(s->cluster);
	if (!s->packed || !s->unpacked)
		return -ENOMEM;
	s->unpacked_at = 0;
	int r = blk_pread(node->file, at, s->packed, size);
	if (r)
		return r;
	if ((r = deflate_expand(s->packed, size, s->unpacked, s->cluster)))
		return r;
	s->unpacked_at = entry;
	return 0;
}

static int read_qcow(struct blk_node *node, const struct blk_extent *x, u64 offset, struct iovs iov)
{
	struct qcow *s = node->state;
	co_lock(&s->unpack_lock);
	int r = s->unpacked_at == x->cookie[0] ? 0 : unpack(node, x->cookie[0]);
	if (!r)
		iovs_from_buf(iov, s->unpacked + (offset & (s->cluster - 1)));
	co_unlock(&s->unpack_lock);
	return r;
}

static int place_qcow(struct blk_node *node, u64 offset, u64 len, struct blk_place *ret)
{
	struct qcow *s = node->state;
	struct blk_extent x;
	int r = map_qcow(node, offset, len, &x);
	if (r)
		return r;
	if (x.where != BLK_DATA)
		s->tree.next = ROUND_UP(s->tree.next, (u64)s->cluster);
	room_place(node, &x, offset, s->cluster, &s->tree.next, ret);
	ret->reads_zero &= !s->encrypted;
	return 0;
}

static int decode_qcow(struct blk_node *node, u64 offset, u64 file_offset UNUSED, void *buf, size_t len)
{
	struct qcow *s = node->state;
	return s->aes ? aes_change(s->aes, false, offset, buf, len) : -EPERM;
}

static int encode_qcow(struct blk_node *node, u64 offset, u64 file_offset UNUSED, void *buf, size_t len)
{
	struct qcow *s = node->state;
	return s->aes ? aes_change(s->aes, true, offset, buf, len) : -EPERM;
}

static int commit_qcow(struct blk_node *node, const struct blk_place *p)
{
	return tree_commit(&((struct qcow *)node->state)->tree, p);
}

static void abandon_qcow(struct blk_node *node, const struct blk_place *p)
{
	tree_abandon(&((struct qcow *)node->state)->tree, p);
}

/* The format has no zero clusters: what a backing file shows through, is packed or encrypted, the core writes over. */
static int zero_qcow(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	for (int pass = 0; pass < 2; pass++)
		for (u64 done = 0; done < len;) {
			struct blk_extent x;
			int r = map_qcow(node, offset + done, len - done, &x);
			if (!r && (x.where == BLK_ENCODED || (x.where == BLK_DATA && node->encoded) ||
				   (x.where == BLK_HOLE && (node->backing || node->backing_file))))
				r = -ENOTSUP;
			if (!r && pass && x.where == BLK_DATA)
				r = blk_zero(x.file, x.offset, x.len, flags);
			if (r)
				return r;
			done += x.len;
		}
	return 0;
}

static int pack_qcow(struct blk_node *node, u64 offset, const void *buf, void **ret)
{
	struct qcow *s = node->state;
	u8 *out = try_alloc(s->cluster);
	int n = out ? deflate_shrink(buf, s->cluster, out, s->cluster - 1) : -EIO;
	if (n < 0)
		free(out);
	else
		*ret = out;
	return n == -ENOMEM ? 0 : n;
}

static int write_compressed_qcow(struct blk_node *node, u64 offset, const void *packed, size_t size)
{
	struct qcow *s = node->state;
	u32 shift = 63 - s->cluster_bits;
	u64 at = s->tree.next;
	if (at > BITS(shift))
		return -ENOSPC;
	s->tree.next += size;
	int r = blk_pwrite(node->file, at, packed, size);
	return r ? r : tree_set(&s->tree, offset, 1, at | COMPRESSED | (u64)size << shift, 0);
}

/* The directory is empty on disk before the room is given back. */
static int make_empty_qcow(struct blk_node *node)
{
	struct qcow *s = node->state;
	struct tree *t = &s->tree;
	int r = cache_flush(t->l2);
	if (r)
		return r;
	cache_drop(t->l2);
	memset(t->l1.data, 0, t->l1.bytes);
	if (t->l1.bytes)
		blk_table_dirty(&t->l1, 0, t->l1.bytes);
	s->unpacked_at = 0;
	r = blk_table_flush(&t->l1);
	if (!r)
		r = blk_barrier(node->file);
	if (r)
		return r;
	t->next = t->l1.at + t->l1.bytes;
	struct err *e = blk_truncate(node->file, t->next, false, BLK_PREALLOC_OFF, false);
	r = e ? -(err_errnum(e) ?: EIO) : 0;
	err_free(e);
	return r;
}

/* ---- info, making ---- */

static struct err *info_qcow(struct blk_node *node, struct blk_info *ret)
{
	const struct qcow *s = node->state;
	ret->cluster_size = s->cluster;
	ret->encrypted = s->encrypted;
	return NULL;
}

/* *ret: whether there is to be encryption; the secret must be there already. */
static struct err *check_crypt(const struct blk_create *c, bool *ret)
{
	const char *format = blk_opt_str(c->opts, "encrypt.format");
	struct crypto_cipher *aes = NULL;
	*ret = format || blk_opt_bool(c->opts, "encryption", false);
	if (format && blk_opt_str(c->opts, "encryption"))
		return err_new(ERR_INVALID, "Options encryption and encrypt.format are mutually exclusive");
	if (format && strcmp(format, "aes") != 0)
		return err_new(ERR_INVALID, "Only AES encryption is supported by qcow, not '%s'", format);
	struct err *e = *ret ? aes_open(c->graph, blk_opt_str(c->opts, "encrypt.key-secret"), &aes) : NULL;
	aes_close(aes);
	return e;
}

static struct err *create_qcow(struct blk_create *c)
{
	const char *backing = blk_opt_str(c->opts, "backing_file");
	/* With a backing file small clusters, so that little is copied. */
	u32 cluster_bits = backing ? 9 : 12, l2_bits = backing ? 12 : 9, len = backing ? strlen(backing) : 0;
	u64 size = ROUND_UP(c->size, 512ull), l1 = ROUND_UP(HEADER + (u64)len, 8ull);
	bool encrypted;
	struct err *e = check_crypt(c, &encrypted);
	if (e)
		return e;
	if (!size)
		return err_new(ERR_INVALID, "Image size is too small, cannot be zero length");
	if (len > 1023)
		return err_new(ERR_INVALID, "Backing file name too long");
	u64 entries = (size + BIT(cluster_bits + l2_bits) - 1) >> (cluster_bits + l2_bits);
	if (size > (u64)INT64_MAX - BIT(21) || entries > INT32_MAX / 8)
		return err_new(ERR_INVALID, "Image too large");
	AUTO(free_ptr) u8 *h = alloc(l1);
	memcpy(h, "QFI\xfb", 4);
	st_be32(h + VERSION, 1);
	if (len) {
		st_be64(h + BACKING_AT, HEADER);
		st_be32(h + BACKING_LEN, len);
		memcpy(h + HEADER, backing, len);
		st_be32(h + MTIME, 0);
	}
	st_be64(h + SIZE, size);
	h[CLUSTER_BITS] = cluster_bits;
	h[L2_BITS] = l2_bits;
	st_be32(h + CRYPT, encrypted);
	st_be64(h + L1_AT, l1);
	e = blk_truncate(c->file, ROUND_UP(l1 + entries * 8, 512ull), false, BLK_PREALLOC_OFF, true);
	if (e)
		return e;
	int r = blk_pwrite(c->file, 0, h, l1);
	return r ? err_errno(-r, "Could not write the qcow header") : NULL;
}

static const struct blk_opt qcow_opts[] = {
	{ "size", BLK_OPT_SIZE, "Virtual disk size" },
	{ "backing_file", BLK_OPT_STR, "File name of a base image" },
	{ "backing_fmt", BLK_OPT_STR, "Format of the backing image" },
	{ "encryption", BLK_OPT_BOOL,
	  "Encrypt the image with format 'aes'. (Deprecated in favor of encrypt.format=aes)" },
	{ "encrypt.format", BLK_OPT_STR, "Encrypt the image, format choices: 'aes'" },
	{ "encrypt.key-secret", BLK_OPT_STR, "ID of the secret that provides the AES encryption key" },
	{ NULL },
};

BLK_DRIVER(qcow) = {
	.name = "qcow",
	.summary = "QEMU copy-on-write image, version 1",
	.spec = "qcow version 1",
	.kind = BLK_FORMAT,
	.state_size = sizeof(struct qcow),
	.probe = probe_qcow,
	.open = open_qcow,
	.close = close_qcow,
	.map = map_qcow,
	.read = read_qcow,
	.place = place_qcow,
	.commit = commit_qcow,
	.decode = decode_qcow,
	.encode = encode_qcow,
	.abandon = abandon_qcow,
	.zero = zero_qcow,
	.pack = pack_qcow,
	.write_compressed = write_compressed_qcow,
	.flush = flush_qcow,
	.make_empty = make_empty_qcow,
	.info = info_qcow,
	.create = create_qcow,
	.create_opts = qcow_opts,
	.supports_backing = true,
};
