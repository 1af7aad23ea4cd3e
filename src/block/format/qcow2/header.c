/* qcow2: the header and its extensions; opening and closing; what "info" shows. */
#include "block/format/qcow2/qcow2.h"
#include "base/loop/loop.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum {
	EXT_END = 0,
	EXT_BACKING_FORMAT = 0xe2792aca,
	EXT_FEATURES = 0x6803f857,
	EXT_BITMAPS = 0x23852875,
	EXT_CRYPTO = 0x0537be77,
	EXT_DATA_FILE = 0x44415441,
};

/* clang-format off */
static const struct { u8 type, bit; const char *name; } features[] = {
	{ 0, 0, "dirty bit" }, { 0, 1, "corrupt bit" }, { 0, 2, "external data file" },
	{ 0, 3, "compression type" }, { 0, 4, "extended L2 entries" },
	{ 1, 0, "lazy refcounts" },
	{ 2, 0, "bitmaps" }, { 2, 1, "raw external data" },
};
/* clang-format on */
enum { FEATURE_LEN = 48 };

/* ---- corruption ---- */

int qcow2_corrupt_at(struct blk_node *node, bool fatal, u64 offset, u64 len, const char *fmt, ...)
{
	struct qcow2 *s = node->state;
	char text[256];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fatal &= (node->flags & BLK_RDWR) && !(node->flags & BLK_INACTIVE);
	if (s->dead || (s->told && !fatal))
		return -EIO;
	s->told = true;
	blk_corrupted(node, text, offset, len, fatal);
	if (!fatal) {
		blk_say(node,
			"qcow2: Image is corrupt: %s; further non-fatal corruption events will be suppressed",
			text);
		return -EIO;
	}
	blk_say(node, "qcow2: Marking image as corrupt: %s; further corruption events will be suppressed",
		text);
	s->incompatible |= INCOMPAT_CORRUPT;
	s->dead = true;
	if (s->version >= 3) {
		u8 be[8];
		st_be64(be, s->incompatible);
		int r = blk_pwrite_flush(node->file, 72, be, 8);
		(void)r; /* there is nothing more to be done */
	}
	return -EIO;
}

static int write_incompatible(struct blk_node *node, u64 bits)
{
	u8 be[8];
	st_be64(be, bits);
	return blk_pwrite_flush(node->file, 72, be, 8);
}

int qcow2_mark_dirty(struct blk_node *node)
{
	struct qcow2 *s = node->state;
	if (s->incompatible & INCOMPAT_DIRTY)
		return 0;
	int r = write_incompatible(node, s->incompatible | INCOMPAT_DIRTY);
	if (!r)
		s->incompatible |= INCOMPAT_DIRTY;
	return r;
}

int qcow2_mark_clean(struct blk_node *node)
{
	struct qcow2 *s = node->state;
	if (!(s->incompatible & INCOMPAT_DIRTY))
		return 0;
	u64 clean = s->incompatible & ~(u64)INCOMPAT_DIRTY;
	int r = qcow2_flush_meta(node);
	if (!r)
		r = blk_flush(node->file);
	if (!r)
		r = write_incompatible(node, clean);
	if (!r)
		s->incompatible = clean;
	return r;
}

/* ---- writing ---- */

struct out {
	u8 *buf;
	size_t len, cap;
};

static bool put_ext(struct out *o, u32 type, const void *data, size_t len)
{
	size_t padded = ROUND_UP(len, (size_t)8);
	if (o->len + 8 + padded > o->cap)
		return false;
	st_be32(o->buf + o->len, type);
	st_be32(o->buf + o->len + 4, len);
	memcpy(o->buf + o->len + 8, data ? data : "", len);
	o->len += 8 + padded;
	return true;
}

static bool put_extensions(struct blk_node *node, struct out *o)
{
	struct qcow2 *s = node->state;
	bool ok = true;
	if (node->backing_format)
		ok = put_ext(o, EXT_BACKING_FORMAT, node->backing_format, strlen(node->backing_format));
	if (s->data_file && s->data_file[0])
		ok = ok && put_ext(o, EXT_DATA_FILE, s->data_file, strlen(s->data_file));
	if (s->crypto_len) {
		u8 ext[16];
		st_be64(ext, s->crypto_offset);
		st_be64(ext + 8, s->crypto_len);
		ok = ok && put_ext(o, EXT_CRYPTO, ext, 16);
	}
	if (s->version >= 3) {
		u8 table[LEN(features) * FEATURE_LEN] = { 0 };
		for (unsigned i = 0; i < LEN(features); i++) {
			table[i * FEATURE_LEN] = features[i].type;
			table[i * FEATURE_LEN + 1] = features[i].bit;
			memcpy(table + i * FEATURE_LEN + 2, features[i].name, strlen(features[i].name));
		}
		ok = ok && put_ext(o, EXT_FEATURES, table, sizeof(table));
	}
	if (s->has_bitmap_ext) {
		u8 ext[24] = { 0 };
		st_be32(ext, s->bitmaps.n);
		st_be64(ext + 8, s->bitmaps.dir_size);
		st_be64(ext + 16, s->bitmaps.dir_offset);
		ok = ok && put_ext(o, EXT_BITMAPS, ext, 24);
	}
	for (size_t i = 0; i < s->n_ext; i++)
		ok = ok && put_ext(o, s->ext[i].type, s->ext[i].data, s->ext[i].len);
	return ok && put_ext(o, EXT_END, NULL, 0);
}

int qcow2_write_header(struct blk_node *node)
{
	struct qcow2 *s = node->state;
	AUTO(free_ptr) u8 *h = try_alloc(s->cluster_size);
	if (!h)
		return -ENOMEM;
	u32 len = s->version < 3 ? QCOW2_V2_HEADER : MAX(s->header_len, (u32)QCOW2_HEADER);
	size_t name = node->backing_file ? strlen(node->backing_file) : 0;
	if (len > s->cluster_size)
		return -EINVAL;
	struct out o = { h, len, s->cluster_size };
	st_be32(h, QCOW2_MAGIC);
	st_be32(h + 4, s->version);
	st_be32(h + 20, s->cluster_bits);
	st_be64(h + 24, node->size);
	st_be32(h + 32, s->crypt_method);
	st_be32(h + 36, s->l1_size);
	st_be64(h + 40, s->l1_offset);
	st_be64(h + 48, s->reftable_offset);
	st_be32(h + 56, s->reftable_clusters);
	st_be32(h + 60, s->n_snapshots);
	st_be64(h + 64, s->snapshots_offset);
	if (s->version >= 3) {
		st_be64(h + 72, s->incompatible);
		st_be64(h + 80, s->compatible);
		st_be64(h + 88, s->autoclear);
		st_be32(h + 96, s->refcount_order);
		st_be32(h + 100, len);
		h[104] = s->compression;
		if (s->header_rest && s->header_len > QCOW2_HEADER)
			memcpy(h + QCOW2_HEADER, s->header_rest, s->header_len - QCOW2_HEADER);
	}
	if (!put_extensions(node, &o) || o.len + name > s->cluster_size)
		return -ENOSPC;
	if (node->backing_file) {
		st_be64(h + 8, o.len);
		st_be32(h + 16, name);
		memcpy(h + o.len, node->backing_file, name);
	}
	return blk_pwrite(node->file, 0, h, s->cluster_size);
}

/* ---- reading ---- */

static struct err *read_ext(struct blk_node *node, u32 type, const u8 *data, u32 len)
{
	struct qcow2 *s = node->state;
	switch (type) {
	case EXT_BACKING_FORMAT:
		if (len >= 64)
			return err_new(ERR_CORRUPT, "ERROR: ext_backing_format: len=%u too large (>=%zu)",
				       len, (size_t)64);
		free(node->backing_format);
		node->backing_format = strf("%.*s", (int)len, (const char *)data);
		return NULL;
	case EXT_FEATURES:
		return NULL; /* written anew each time */
	case EXT_DATA_FILE:
		free(s->data_file);
		s->data_file = strf("%.*s", (int)len, (const char *)data);
		return NULL;
	case EXT_CRYPTO:
		if (len < 16)
			return err_new(ERR_CORRUPT, "CRYPTO header extension size %u, but expected size %u",
				       len, 16);
		s->crypto_offset = ld_be64(data);
		s->crypto_len = ld_be64(data + 8);
		if (s->crypto_offset % s->cluster_size || s->crypto_len > 64 * MiB)
			return err_new(
			    ERR_CORRUPT,
			    "Encryption header offset '%llu' is not a multiple of cluster size '%llu'",
			    (unsigned long long)s->crypto_offset, (unsigned long long)s->cluster_size);
		return NULL;
	case EXT_BITMAPS:
		if (len != 24)
			return err_new(ERR_CORRUPT, "bitmaps_ext: Invalid extension length");
		if (s->version >= 3 && !(s->autoclear & AUTOCLEAR_BITMAPS))
			return NULL; /* stale: another program wrote without knowing bitmaps */
		s->has_bitmap_ext = true;
		s->bitmaps.n = ld_be32(data);
		s->bitmaps.dir_size = ld_be64(data + 8);
		s->bitmaps.dir_offset = ld_be64(data + 16);
		if (ld_be32(data + 4))
			return err_new(ERR_CORRUPT, "bitmaps_ext: Reserved field is not zero");
		if (!s->bitmaps.n)
			return err_new(ERR_CORRUPT, "found bitmaps extension with zero bitmaps");
		if (s->bitmaps.n > MAX_BITMAPS)
			return err_new(
			    ERR_CORRUPT,
			    "bitmaps_ext: image has %u bitmaps, exceeding the QEMU supported maximum of %d",
			    s->bitmaps.n, MAX_BITMAPS);
		if (s->bitmaps.dir_offset % s->cluster_size)
			return err_new(ERR_CORRUPT, "bitmaps_ext: invalid bitmap directory offset");
		if (s->bitmaps.dir_size > MAX_BITMAP_DIR)
			return err_new(ERR_CORRUPT,
				       "bitmaps_ext: bitmap directory size (%llu) exceeds the maximum "
				       "supported size (%d)",
				       (unsigned long long)s->bitmaps.dir_size, MAX_BITMAP_DIR);
		return NULL;
	}
	s->ext = realloc(s->ext, (s->n_ext + 1) * sizeof(*s->ext));
	if (!s->ext)
		abort();
	struct qcow2_extension *x = &s->ext[s->n_ext++];
	*x = (struct qcow2_extension){ type, len, alloc(len) };
	memcpy(x->data, data, len);
	return NULL;
}

static struct err *read_extensions(struct blk_node *node, const u8 *h, u64 from, u64 end)
{
	while (from < end) {
		if (end - from < 8)
			return err_new(ERR_CORRUPT, "Header extension too large");
		u32 type = ld_be32(h + from), len = ld_be32(h + from + 4);
		from += 8;
		if (type == EXT_END)
			return NULL;
		if (len > end - from)
			return err_new(ERR_CORRUPT, "Header extension too large");
		struct err *e = read_ext(node, type, h + from, len);
		if (e)
			return e;
		from += ROUND_UP(len, 8u);
	}
	return NULL;
}

/* Names of the unknown features, from the image's own table where it has one. */
static struct err *unknown_features(const u8 *h, u64 from, u64 end, u64 bits)
{
	const u8 *table = NULL;
	u32 table_len = 0;
	while (from + 8 <= end) {
		u32 type = ld_be32(h + from), len = ld_be32(h + from + 4);
		if (type == EXT_END || len > end - from - 8)
			break;
		if (type == EXT_FEATURES) {
			table = h + from + 8;
			table_len = len;
		}
		from += 8 + ROUND_UP(len, 8u);
	}
	char *list = str_dup("");
	for (unsigned bit = 0; bit < 64; bit++) {
		if (!(bits >> bit & 1))
			continue;
		for (u32 i = 0; i + 2 < table_len; i += FEATURE_LEN) {
			if (table[i] != 0 || table[i + 1] != bit)
				continue;
			char *more =
			    strf("%s%s%.*s", list, *list ? ", " : "",
				 (int)MIN(table_len - i - 2, FEATURE_LEN - 2u), (const char *)table + i + 2);
			free(list);
			list = more;
			bits &= ~BIT(bit);
			break;
		}
	}
	if (bits) {
		char *more = strf("%s%sUnknown incompatible feature: %llx", list, *list ? ", " : "",
				  (unsigned long long)bits);
		free(list);
		list = more;
	}
	struct err *e = err_new(ERR_UNSUPPORTED, "Unsupported qcow2 feature(s): %s", list);
	free(list);
	return e;
}

static struct err *read_features(struct blk_node *node, const u8 *h, u64 ext_end, u32 flags)
{
	struct qcow2 *s = node->state;
	s->incompatible = ld_be64(h + 72);
	s->compatible = ld_be64(h + 80);
	s->autoclear = ld_be64(h + 88);
	s->refcount_order = ld_be32(h + 96);
	if (s->incompatible & ~(u64)INCOMPAT_ALL)
		return unknown_features(h, s->header_len, ext_end, s->incompatible & ~(u64)INCOMPAT_ALL);
	u8 compression = s->header_len > 104 ? h[104] : 0;
	if (!(s->incompatible & INCOMPAT_COMPRESSION) && compression)
		return err_new(ERR_CORRUPT,
			       "qcow2: Compression type incompatible feature bit must not be set");
	if ((s->incompatible & INCOMPAT_COMPRESSION) && !compression)
		return err_new(ERR_CORRUPT, "qcow2: Compression type incompatible feature bit must be set");
	if (compression > QCOW2_ZSTD)
		return err_new(ERR_UNSUPPORTED, "qcow2: unknown compression type: %u", compression);
#if !defined(HAVE_ZSTD)
	if (compression == QCOW2_ZSTD)
		return err_new(ERR_UNSUPPORTED, "qcow2: this build has no zstd");
#endif
	s->compression = compression;
	if (s->refcount_order > 6)
		return err_new(ERR_CORRUPT, "Reference count entry width too large; may not exceed 64 bits");
	if ((s->incompatible & INCOMPAT_CORRUPT) && (flags & BLK_RDWR) && !(flags & BLK_FOR_CHECK))
		return err_new(ERR_CORRUPT, "qcow2: Image is corrupt; cannot be opened read/write");
	return NULL;
}

static struct err *check_geometry(struct blk_node *node, const u8 *h, u32 flags)
{
	struct qcow2 *s = node->state;
	s->l1_size = ld_be32(h + 36);
	s->l1_offset = ld_be64(h + 40);
	s->reftable_offset = ld_be64(h + 48);
	s->reftable_clusters = ld_be32(h + 56);
	s->n_snapshots = ld_be32(h + 60);
	s->snapshots_offset = ld_be64(h + 64);
	if (!s->reftable_clusters && !(flags & BLK_FOR_CHECK))
		return err_new(ERR_CORRUPT, "Image does not contain a reference count table");
	struct err *e = blk_check_table(s->reftable_offset, s->reftable_clusters, s->cluster_size,
					MAX_REFTABLE_BYTES, s->cluster_size, "Reference count table");
	if (e)
		return e;
	if (s->n_snapshots > MAX_SNAPSHOTS)
		return err_new(ERR_CORRUPT, "Snapshot table too large");
	if ((e = blk_check_table(s->snapshots_offset, s->n_snapshots, 40, (u64)MAX_SNAPSHOTS * 40,
				 s->cluster_size, "Snapshot table")))
		return e;
	if ((e = blk_check_table(s->l1_offset, s->l1_size, 8, MAX_L1_BYTES, s->cluster_size,
				 "Active L1 table")))
		return e;
	u64 span = (u64)s->l2_entries << s->cluster_bits, want = (node->size + span - 1) / span;
	s->vm_state_l1 = want;
	if (want > INT32_MAX || want > MAX_L1_BYTES / 8)
		return err_new(ERR_CORRUPT, "Image is too big");
	if (s->l1_size < want)
		return err_new(ERR_CORRUPT, "L1 table is too small");
	return NULL;
}

/* Numbers of the header into the state, each checked before the next relies on it. */
static struct err *read_header(struct blk_node *node, u32 flags)
{
	struct qcow2 *s = node->state;
	u8 first[QCOW2_HEADER];
	int r = blk_pread(node->file, 0, first, sizeof(first));
	if (r)
		return err_errno(-r, "Could not read qcow2 header");
	if (ld_be32(first) != QCOW2_MAGIC)
		return err_new(ERR_INVALID, "Image is not in qcow2 format");
	s->version = ld_be32(first + 4);
	if (s->version != 2 && s->version != 3)
		return err_new(ERR_UNSUPPORTED, "Unsupported qcow2 version %u", s->version);
	s->cluster_bits = ld_be32(first + 20);
	if (s->cluster_bits < 9 || s->cluster_bits > 21)
		return err_new(ERR_CORRUPT, "Unsupported cluster size: 2^%u", s->cluster_bits);
	s->cluster_size = 1ull << s->cluster_bits;
	s->header_len = s->version == 2 ? QCOW2_V2_HEADER : ld_be32(first + 100);
	s->refcount_order = 4;
	if (s->version == 3 && s->header_len < QCOW2_V3_HEADER)
		return err_new(ERR_CORRUPT, "qcow2 header too short");
	if (s->header_len > s->cluster_size)
		return err_new(ERR_CORRUPT, "qcow2 header exceeds cluster size");
	u64 backing = ld_be64(first + 8);
	u32 name_len = ld_be32(first + 16);
	if (backing > s->cluster_size)
		return err_new(ERR_CORRUPT, "Invalid backing file offset");
	void *buf;
	struct err *e = blk_load_table(node->file, 0, s->cluster_size, "qcow2 header", &buf);
	if (e)
		return e;
	AUTO(free_ptr) u8 *h = buf;
	u64 ext_end = backing ? backing : s->cluster_size;
	if (s->version == 3 && (e = read_features(node, h, ext_end, flags)))
		return e;
	if (s->header_len > QCOW2_HEADER) {
		s->header_rest = alloc(s->header_len - QCOW2_HEADER);
		memcpy(s->header_rest, h + QCOW2_HEADER, s->header_len - QCOW2_HEADER);
	}
	node->size = ld_be64(h + 24);
	if (node->size > INT64_MAX - 512)
		return err_new(ERR_CORRUPT, "Image is too big: %llu bytes", (unsigned long long)node->size);
	s->crypt_method = ld_be32(h + 32);
	s->subs = s->incompatible & INCOMPAT_EXTENDED ? SUBS : 1;
	if (s->subs > 1 && s->cluster_bits < 14)
		return err_new(ERR_CORRUPT,
			       "Extended L2 entries need clusters of 16 KiB or more, not 2^%u bytes",
			       s->cluster_bits);
	s->sub_size = s->cluster_size / s->subs;
	s->entry_size = s->subs > 1 ? 16 : 8;
	s->l2_entries = s->cluster_size / s->entry_size;
	s->block_entries = s->cluster_size * 8 >> s->refcount_order;
	if ((e = check_geometry(node, h, flags)))
		return e;
	if ((e = read_extensions(node, h, s->header_len, ext_end)))
		return e;
	if (!backing)
		return NULL;
	if (name_len > MIN((u64)1023, s->cluster_size - backing))
		return err_new(ERR_CORRUPT, "Backing file name too long");
	if (s->autoclear & AUTOCLEAR_RAW_DATA)
		return err_new(ERR_CORRUPT,
			       "A raw external data file cannot be used together with a backing file");
	node->backing_file = strf("%.*s", (int)name_len, (const char *)h + backing);
	return NULL;
}

static struct err *read_tables(struct blk_node *node)
{
	struct qcow2 *s = node->state;
	void *buf;
	struct err *e = blk_load_table(node->file, s->l1_offset, (u64)s->l1_size * 8, "L1 table", &buf);
	if (e)
		return e;
	s->l1 = buf;
	for (u32 i = 0; i < s->l1_size; i++)
		s->l1[i] = ld_be64(s->l1 + i);
	u64 bytes = (u64)s->reftable_clusters << s->cluster_bits;
	if ((e = blk_load_table(node->file, s->reftable_offset, bytes, "reference count table", &buf)))
		return e;
	s->reftable = buf;
	s->reftable_size = bytes / 8;
	for (u64 i = 0; i < s->reftable_size; i++)
		s->reftable[i] = ld_be64(s->reftable + i);
	return NULL;
}

/* ---- opening ---- */

static struct err *open_data_file(struct blk_node *node, struct json *opts, u32 flags)
{
	struct qcow2 *s = node->state;
	s->data = node->file;
	bool named = s->incompatible & INCOMPAT_DATA_FILE;
	if (!named) {
		AUTO(json_freep) struct json *sub = json_take_prefix(opts, "data-file.");
		AUTO(json_freep) struct json *ref = json_take(opts, "data-file");
		if (sub->n || ref)
			return err_new(ERR_INVALID,
				       "'data-file' can only be set for images with an external data file");
		return NULL;
	}
	/* The name counts from the working directory, as the peer takes it, not from the image. */
	const char *path = s->data_file && s->data_file[0] ? s->data_file : NULL;
	if (!s->data_file)
		s->data_file = str_dup("");
	bool given = json_get(opts, "data-file") || json_get(opts, "data-file.filename") ||
		     json_get(opts, "data-file.driver");
	struct blk_node *data;
	struct err *e = blk_open_child(node, opts, "data-file", given ? NULL : path, flags, true, &data);
	if (e)
		return e;
	if (!data)
		return err_new(ERR_INVALID, "'data-file' is required for this image");
	s->data = data;
	return NULL;
}

static void pass_on(void *user, const char *line)
{
	blk_say(user, "%s", line);
}

/* What may be cleaned up when the image is opened for writing. */
static struct err *settle(struct blk_node *node, u32 flags)
{
	struct qcow2 *s = node->state;
	if (!(flags & BLK_RDWR) || (flags & BLK_INACTIVE))
		return NULL;
	if (s->autoclear & ~(u64)AUTOCLEAR_ALL) {
		s->autoclear &= AUTOCLEAR_ALL;
		int r = qcow2_write_header(node);
		if (r)
			return err_errno(-r, "Could not update qcow2 header");
	}
	if ((s->incompatible & INCOMPAT_DIRTY) && !(flags & BLK_FOR_CHECK)) {
		struct blk_check res = { .say = pass_on, .user = node };
		struct err *e = qcow2_check(node, &res, BLK_FIX_ERRORS | BLK_FIX_LEAKS);
		if (e)
			return err_in(e, "Could not repair dirty image");
		if (res.check_errors)
			return err_new(ERR_IO, "Could not repair dirty image: Input/output error");
	}
	return NULL;
}

/* Writes nothing: an image that is refused stays as it is. */
static void forget(struct blk_node *node)
{
	struct qcow2 *s = node->state;
	if (s->clean)
		loop_timer_cancel(s->clean);
	cache_free(s->l2);
	cache_free(s->refs);
	qcow2_free_snapshots(s);
	qcow2_close_crypt(s);
	for (size_t i = 0; i < s->n_ext; i++)
		free(s->ext[i].data);
	free(s->ext);
	free(s->l1);
	free(s->reftable);
	qcow2_set_free(&s->meta);
	qcow2_set_free(&s->held);
	qcow2_set_free(&s->leaving);
	qcow2_set_free(&s->unwanted);
	free(s->header_rest);
	free(s->data_file);
	free(s->plain);
	*s = (struct qcow2){ .version = s->version };
}

struct err *qcow2_open(struct blk_node *node, struct json *opts, u32 flags)
{
	struct qcow2 *s = node->state;
	struct err *e = read_header(node, flags);
	if (!e)
		e = qcow2_open_crypt(node, opts, flags);
	if (!e)
		e = read_tables(node);
	if (!e)
		e = qcow2_take_options(node, opts, flags);
	if (!e)
		e = open_data_file(node, opts, flags);
	if (!e) {
		node->granularity = s->sub_size;
		node->cluster = s->cluster_size;
		node->vm_state = s->vm_state_l1 * s->l2_entries << s->cluster_bits;
		e = qcow2_load_snapshots(node, flags & BLK_FOR_CHECK);
	}
	if (!e && s->has_bitmap_ext)
		e = qcow2_load_bitmaps(node);
	if (!e)
		e = settle(node, flags);
	if (e)
		forget(node);
	return e;
}

void qcow2_close(struct blk_node *node)
{
	struct qcow2 *s = node->state;
	if ((node->flags & BLK_RDWR) && !(node->flags & BLK_INACTIVE) && s->l2 && !s->dead) {
		int r = qcow2_store_bitmaps(node);
		if (!r)
			r = qcow2_flush_meta(node);
		if (!r && s->unwanted.bits)
			r = qcow2_let_go(node);
		if (r)
			blk_say(node, "Failed to flush the metadata of '%s': %s",
				node->filename ? node->filename : "", strerror(-r));
		if (!r && !(node->flags & BLK_FOR_CHECK) && s->lazy)
			r = qcow2_mark_clean(node); /* else it is put right when it is opened */
	}
	forget(node);
}

static struct err *keeps_bitmaps(const struct blk_node *node)
{
	const struct qcow2 *s = node->state;
	return s->version < 3 ? err_new(ERR_UNSUPPORTED, "Cannot store dirty bitmaps in qcow2 v2 files")
			      : NULL;
}

/* ---- info ---- */

static struct err *info(struct blk_node *node, struct blk_info *ret)
{
	struct qcow2 *s = node->state;
	struct json *d = json_dict();
	json_set(d, "compat", json_str(s->version == 2 ? "0.10" : "1.1"));
	if (s->version >= 3 || s->compression)
		json_set(d, "compression-type", json_str(s->compression == QCOW2_ZSTD ? "zstd" : "zlib"));
	if (s->version == 2)
		json_set(d, "compression-type", json_str("zlib"));
	if (s->version >= 3)
		json_set(d, "lazy-refcounts", json_bool(s->compatible & COMPAT_LAZY));
	struct json *bitmaps = qcow2_bitmap_info(node);
	if (bitmaps)
		json_set(d, "bitmaps", bitmaps);
	json_set(d, "refcount-bits", json_int(1 << s->refcount_order));
	json_set(d, "encrypt", qcow2_crypt_info(s));
	if (s->data_file && s->data_file[0])
		json_set(d, "data-file", json_str(s->data_file));
	if (s->data_file)
		json_set(d, "data-file-raw", json_bool(s->autoclear & AUTOCLEAR_RAW_DATA));
	if (s->version >= 3) {
		json_set(d, "corrupt", json_bool(s->incompatible & INCOMPAT_CORRUPT));
		json_set(d, "extended-l2", json_bool(s->subs > 1));
	}
	ret->cluster_size = s->cluster_size;
	ret->dirty = s->incompatible & INCOMPAT_DIRTY;
	ret->encrypted = s->crypt_method;
	ret->specific = json_dict();
	json_set(ret->specific, "type", json_str("qcow2"));
	json_set(ret->specific, "data", d);
	return NULL;
}

static unsigned probe(const u8 *head, size_t len, const char *filename UNUSED)
{
	return len >= 8 && ld_be32(head) == QCOW2_MAGIC && ld_be32(head + 4) >= 2 ? 100 : 0;
}

static int flush(struct blk_node *node)
{
	struct qcow2 *s = node->state;
	if (s->dead)
		return -ENOMEDIUM;
	return qcow2_let_go(node);
}

static void moved(struct blk_node *node, struct blk_node *from, struct blk_node *to)
{
	struct qcow2 *s = node->state;
	if (s->data == from)
		s->data = to;
}

BLK_DRIVER(qcow2) = {
	.name = "qcow2",
	.summary = "QEMU copy-on-write image, versions 2 and 3",
	.spec = "docs/interop/qcow2.rst of the QEMU project",
	.kind = BLK_FORMAT,
	.state_size = sizeof(struct qcow2),
	.probe = probe,
	.open = qcow2_open,
	.close = qcow2_close,
	.moved = moved,
	.change = qcow2_change,
	.map = qcow2_map,
	.read = qcow2_read,
	.place = qcow2_place,
	.commit = qcow2_commit,
	.decode = qcow2_decode,
	.encode = qcow2_encode,
	.abandon = qcow2_abandon,
	.pack = qcow2_pack,
	.write_compressed = qcow2_write_compressed,
	.zero = qcow2_zero,
	.discard = qcow2_discard,
	.flush = flush,
	.truncate = qcow2_truncate,
	.create = qcow2_create,
	.create_opts = qcow2_create_opts,
	.supports_backing = true,
	.info = info,
	.check = qcow2_check,
	.measure = qcow2_measure,
	.amend = qcow2_amend,
	.set_backing = qcow2_set_backing,
	.make_empty = qcow2_make_empty,
	.release = qcow2_release,
	.keeps_bitmaps = keeps_bitmaps,
	.snapshot_list = qcow2_snapshot_list,
	.snapshot_create = qcow2_snapshot_create,
	.snapshot_apply = qcow2_snapshot_apply,
	.snapshot_delete = qcow2_snapshot_delete,
	.snapshot_load_tmp = qcow2_snapshot_load_tmp,
};
