/* qcow2: making, measuring, resizing and preallocating images; the backing file's name. */
#include "block/format/qcow2/qcow2.h"
#include "base/size.h"
#include <errno.h>
#include <stdio.h>

enum { DEFAULT_CLUSTER = 65536 };

/* clang-format off */
const struct blk_opt qcow2_create_opts[] = {
	{ "encryption", BLK_OPT_BOOL, "Encrypt the image with format 'aes'. (Deprecated in favor of encrypt.format=aes)" },
	{ "encrypt.format", BLK_OPT_STR, "Encrypt the image, format choices: 'aes', 'luks'" },
	{ "encrypt.key-secret", BLK_OPT_STR, "ID of secret providing qcow AES key or LUKS passphrase" },
	{ "encrypt.cipher-alg", BLK_OPT_STR, "Name of encryption cipher algorithm" },
	{ "encrypt.cipher-mode", BLK_OPT_STR, "Name of encryption cipher mode" },
	{ "encrypt.ivgen-alg", BLK_OPT_STR, "Name of IV generator algorithm" },
	{ "encrypt.ivgen-hash-alg", BLK_OPT_STR, "Name of IV generator hash algorithm" },
	{ "encrypt.hash-alg", BLK_OPT_STR, "Name of encryption hash algorithm" },
	{ "encrypt.iter-time", BLK_OPT_NUM, "Time to spend in PBKDF in milliseconds", .amend = true },
	{ "encrypt.state", BLK_OPT_STR, "Select new state of affected keyslots (active/inactive)", .amend = true, .amend_only = true },
	{ "encrypt.keyslot", BLK_OPT_NUM, "Select a single keyslot to modify explicitly", .amend = true, .amend_only = true },
	{ "encrypt.old-secret", BLK_OPT_STR, "Select all keyslots that match this password", .amend = true, .amend_only = true },
	{ "encrypt.new-secret", BLK_OPT_STR, "New secret to set in the matching keyslots", .amend = true, .amend_only = true },
	{ "cluster_size", BLK_OPT_SIZE, "qcow2 cluster size", "65536" },
	{ "extended_l2", BLK_OPT_BOOL, "Extended L2 tables", "off" },
	{ "preallocation", BLK_OPT_STR, "Preallocation mode (allowed values: off, metadata, falloc, full)" },
	{ "compression_type", BLK_OPT_STR, "Compression method used for image cluster compression", "zlib" },
	{ "size", BLK_OPT_SIZE, "Virtual disk size", .amend = true },
	{ "compat", BLK_OPT_STR, "Compatibility level (v2 [0.10] or v3 [1.1])", .amend = true },
	{ "backing_file", BLK_OPT_STR, "File name of a base image", .amend = true },
	{ "backing_fmt", BLK_OPT_STR, "Image format of the base image", .amend = true },
	{ "data_file", BLK_OPT_STR, "File name of an external data file", .amend = true },
	{ "data_file_raw", BLK_OPT_BOOL, "The external data file must stay valid as a raw image", .amend = true },
	{ "lazy_refcounts", BLK_OPT_BOOL, "Postpone refcount updates", "off", .amend = true },
	{ "refcount_bits", BLK_OPT_NUM, "Width of a reference count entry in bits", "16", .amend = true },
	{ NULL },
};
/* clang-format on */

struct params {
	u32 version, cluster_bits, refcount_order, subs, crypt_method;
	u64 crypt_bytes; /* of the encryption's header */
	bool lazy, extended, raw_data;
	enum qcow2_compression compression;
	enum blk_prealloc prealloc;
	const char *backing, *backing_fmt, *data_file;
	u64 size;
};

static struct err *choose(const char *value, const char *name, const char *const *names, unsigned n,
			  unsigned *ret)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(value, names[i]) == 0) {
			*ret = i;
			return NULL;
		}
	return err_new(ERR_INVALID, "Parameter '%s' does not accept value '%s'", name, value);
}

static struct err *read_version(const struct json *o, struct params *p)
{
	static const char *const names[] = { "0.10", "1.1", "v2", "v3" };
	const char *compat = blk_opt_str(o, "compat");
	unsigned i = 1;
	struct err *e = compat ? choose(compat, "version", names, LEN(names), &i) : NULL;
	p->version = i % 2 ? 3 : 2;
	return e;
}

static struct err *read_params(const struct json *o, u64 size, struct params *p)
{
	static const char *const types[] = { "zlib", "zstd" };
	struct err *e = read_version(o, p);
	unsigned i = 0;
	const char *mode = blk_opt_str(o, "preallocation"), *type = blk_opt_str(o, "compression_type");
	if (!e && mode)
		e = choose(mode, "preallocation", blk_prealloc_names, BLK_PREALLOC_FULL + 1, &i);
	p->prealloc = i;
	i = 0;
	if (!e && type)
		e = choose(type, "compression-type", types, LEN(types), &i);
	p->compression = i;
	if (e)
		return e;
#if !defined(HAVE_ZSTD)
	if (i)
		return err_new(ERR_UNSUPPORTED, "Parameter 'compression-type' does not accept value 'zstd'");
#endif
	if ((e = qcow2_crypt_params(o, &p->crypt_method, &p->crypt_bytes)))
		return e;
	u64 cs = blk_opt_num(o, "cluster_size", DEFAULT_CLUSTER), bits = blk_opt_num(o, "refcount_bits", 16);
	p->extended = blk_opt_bool(o, "extended_l2", false);
	p->lazy = blk_opt_bool(o, "lazy_refcounts", false);
	p->raw_data = blk_opt_bool(o, "data_file_raw", false);
	p->data_file = blk_opt_str(o, "data_file");
	p->backing = blk_opt_str(o, "backing_file");
	p->backing_fmt = blk_opt_str(o, "backing_fmt");
	p->size = ROUND_UP(size, 512ull);
	p->subs = p->extended ? SUBS : 1;
	if (cs < 512 || cs > 2 * MiB || (cs & (cs - 1)))
		return err_new(ERR_INVALID, "Cluster size must be a power of two between %d and %dk", 512,
			       2048);
	p->cluster_bits = __builtin_ctzll(cs);
	if (p->extended && p->version < 3)
		return err_new(
		    ERR_INVALID,
		    "Extended L2 entries are only supported with compatibility level 1.1 and above "
		    "(use version=v3 or greater)");
	if (p->extended && cs < 16384)
		return err_new(
		    ERR_INVALID,
		    "Extended L2 entries are only supported with cluster sizes of at least %u bytes", 16384);
	if (!bits || bits > 64 || (bits & (bits - 1)))
		return err_new(ERR_INVALID,
			       "Refcount width must be a power of two and may not exceed 64 bits");
	p->refcount_order = __builtin_ctzll(bits);
	if (p->version < 3 && bits != 16)
		return err_new(
		    ERR_INVALID,
		    "Different refcount widths than 16 bits require compatibility level 1.1 or above "
		    "(use version=v3 or greater)");
	return NULL;
}

static struct err *check_params(const struct params *p)
{
	if (p->backing && p->prealloc != BLK_PREALLOC_OFF && !p->extended)
		return err_new(
		    ERR_INVALID,
		    "Backing file and preallocation can only be used at the same time if extended_l2 "
		    "is enabled");
	if (p->version < 3 && p->lazy)
		return err_new(ERR_INVALID,
			       "Lazy refcounts only supported with compatibility level 1.1 and above (use "
			       "version=v3 or greater)");
	if (p->version < 3 && p->compression)
		return err_new(ERR_INVALID,
			       "Non-zlib compression type is only supported with compatibility level 1.1 and "
			       "above (use version=v3 or greater)");
	if (p->version < 3 && p->data_file)
		return err_new(
		    ERR_INVALID,
		    "External data files are only supported with compatibility level 1.1 and above "
		    "(use version=v3 or greater)");
	if (p->raw_data && !p->data_file)
		return err_new(ERR_INVALID, "data-file-raw requires data-file");
	if (p->raw_data && p->crypt_method)
		return err_new(
		    ERR_INVALID,
		    "An encrypted data file is no raw image: data-file-raw cannot be used with encryption");
	if (p->crypt_method && p->prealloc != BLK_PREALLOC_OFF && p->version < 3)
		return err_new(ERR_INVALID, "Encryption and preallocation can only be used at the same time "
					    "with compatibility level 1.1 "
					    "and above (use version=v3 or greater)");
	if (p->raw_data && p->backing)
		return err_new(ERR_INVALID, "Backing file and data-file-raw cannot be used at the same time");
	if (p->backing && strlen(p->backing) > 1023)
		return err_new(ERR_INVALID, "Backing file name too long");
	u64 per_l1 = (1ull << (2 * p->cluster_bits)) / (p->extended ? 16 : 8);
	if ((p->size + per_l1 - 1) / per_l1 > MAX_L1_BYTES / 8)
		return err_errno(EFBIG, "Could not resize image: Failed to grow the L1 table");
	return NULL;
}

/* Header, table and block of counts, each a cluster: the least that can be opened. */
static int write_seed(struct blk_node *file, const struct params *p)
{
	u64 cs = 1ull << p->cluster_bits;
	AUTO(free_ptr) u8 *buf = try_alloc(3 * cs);
	if (!buf)
		return -ENOMEM;
	struct qcow2 s = { .refcount_order = p->refcount_order };
	u8 *h = buf;
	st_be32(h, QCOW2_MAGIC);
	st_be32(h + 4, p->version);
	st_be32(h + 20, p->cluster_bits);
	st_be64(h + 40, 0);
	st_be64(h + 48, cs);
	st_be32(h + 56, 1);
	if (p->version >= 3) {
		st_be64(h + 72, (p->extended ? INCOMPAT_EXTENDED : 0) |
				    (p->compression ? INCOMPAT_COMPRESSION : 0) |
				    (p->data_file ? INCOMPAT_DATA_FILE : 0));
		st_be64(h + 80, p->lazy ? COMPAT_LAZY : 0);
		st_be64(h + 88, p->raw_data ? AUTOCLEAR_RAW_DATA : 0);
		st_be32(h + 96, p->refcount_order);
		st_be32(h + 100, QCOW2_HEADER);
		h[104] = p->compression;
	}
	st_be64(buf + cs, 2 * cs);
	for (u64 i = 0; i < 3; i++)
		qcow2_set_ref(&s, buf + 2 * cs, i, 1);
	return blk_pwrite(file, 0, buf, 3 * cs);
}

static struct err *make_data_file(struct blk_create *c, const struct params *p)
{
	struct blk_node *data;
	struct err *e = blk_create_file(c->graph, p->data_file, 0, &data);
	if (e)
		return err_in(e, "Could not create the data file '%s'", p->data_file);
	blk_unref(data);
	return NULL;
}

static struct err *open_seed(struct blk_create *c, const struct params *p, struct blk_node **ret)
{
	struct json *opts = json_dict();
	json_set(opts, "file", json_str(c->file->node_name));
	if (p->data_file) {
		json_set(opts, "data-file.filename", json_str(p->data_file));
		json_set(opts, "data-file.driver", json_str("file"));
	}
	return blk_open(c->graph, NULL, "qcow2", opts,
			BLK_RDWR | BLK_RESIZE | BLK_UNMAP | BLK_NO_BACKING | BLK_NO_FLUSH, ret);
}

struct err *qcow2_create(struct blk_create *c)
{
	struct params p = { 0 };
	struct err *e = read_params(c->opts, c->size, &p);
	if (!e)
		e = check_params(&p);
	if (!e && p.data_file)
		e = make_data_file(c, &p);
	if (e)
		return e;
	int r = write_seed(c->file, &p);
	if (r)
		return err_errno(-r, "Could not write qcow2 header");
	struct blk_node *node;
	if ((e = open_seed(c, &p, &node)))
		return e;
	struct qcow2 *s = node->state;
	if (p.data_file) {
		free(s->data_file);
		s->data_file = str_dup(p.data_file);
	}
	node->backing_file = p.backing ? str_dup(p.backing) : NULL;
	node->backing_format = p.backing && p.backing_fmt ? str_dup(p.backing_fmt) : NULL;
	e = qcow2_create_crypt(node, c->opts, p.crypt_method, p.crypt_bytes);
	u64 span = (u64)s->l2_entries << s->cluster_bits;
	r = e ? 0 : qcow2_grow_l1(node, (p.size + span - 1) / span, true);
	node->size = p.size;
	if (!r && !e)
		r = qcow2_write_header(node);
	if (r)
		e = err_errno(-r, "Could not write the image's tables");
	if (!e && p.raw_data && p.size)
		e = blk_truncate(s->data, p.size, false, BLK_PREALLOC_OFF, false);
	if (!e && p.prealloc != BLK_PREALLOC_OFF)
		e = qcow2_preallocate(node, 0, p.size, p.prealloc);
	else if (!e && p.raw_data && p.size)
		e = qcow2_preallocate(node, 0, p.size, BLK_PREALLOC_METADATA);
	blk_unref(node);
	return e;
}

/* ---- sizes ---- */

struct err *qcow2_preallocate(struct blk_node *node, u64 from, u64 to, enum blk_prealloc mode)
{
	struct qcow2 *s = node->state;
	u64 end = 0, at = from;
	int r = 0;
	while (at < to && !r) {
		struct blk_extent x;
		struct blk_place p = { 0 };
		r = qcow2_map(node, at, to - at, &x);
		if (r)
			break;
		if (x.where == BLK_DATA || x.where == BLK_ENCODED) {
			if (x.where == BLK_DATA)
				end = MAX(end, x.offset + x.len);
			at += x.len;
			continue;
		}
		r = qcow2_place(node, at, MIN(x.len, to - at), &p);
		if (!r && p.fresh && (s->subs > 1 || s->crypt)) {
			/* Subclusters stay unallocated, or show zeros: only the room is taken. Undeciphered, what is there
			   would not be zeros. */
			u64 shows = s->subs > 1 ? 0 : ENTRY_ZERO;
			void *slice;
			u32 index;
			r = qcow2_slice(node, at, true, &slice, &index);
			for (u64 i = 0; i < p.cookie[1] && !r; i++)
				qcow2_set_entry(s, slice, index + i,
						(p.cookie[0] + (i << s->cluster_bits)) | ENTRY_COPIED | shows,
						qcow2_entry_bits(s, slice, index + i));
			if (slice)
				cache_put(s->l2, slice);
			if (!r)
				r = cache_after(s->l2, s->refs);
			u64 first = ROUND_DOWN(at, s->cluster_size);
			p.offset = first;
			p.file_offset = p.cookie[0];
			p.len = p.cookie[1] << s->cluster_bits;
		} else if (!r && p.fresh) {
			r = qcow2_commit(node, &p);
		}
		if (r)
			break;
		end = MAX(end, p.file_offset + p.len);
		at = p.offset + p.len;
	}
	if (r)
		return err_errno(-r, "Could not preallocate metadata");
	if (s->data_file)
		end = MIN(end, to);
	if (end > s->data->size || mode > BLK_PREALLOC_METADATA) {
		if (mode == BLK_PREALLOC_METADATA)
			mode = BLK_PREALLOC_OFF;
		if (end > s->data->size)
			return blk_truncate(s->data, end, false, mode, false);
	}
	return NULL;
}

/* L1 entries that no longer stand for anything, and then, when that is stable, the tables they led to. */
static int drop_l1_tail(struct blk_node *node, u64 keep)
{
	struct qcow2 *s = node->state;
	u64 n = s->l1_size > keep ? s->l1_size - keep : 0;
	AUTO(free_ptr) u64 *tables = try_alloc(n * 8);
	int r = tables ? qcow2_flush_meta(node) : -ENOMEM;
	if (!r)
		r = blk_barrier(node->file);
	for (u64 i = 0; i < n && !r; i++) {
		tables[i] = s->l1[keep + i] & OFFSET_MASK;
		if (!tables[i])
			continue;
		s->l1[keep + i] = 0;
		r = qcow2_write_l1(node, keep + i);
	}
	if (!r)
		r = blk_barrier(node->file);
	for (u64 i = 0; i < n && !r; i++)
		if (tables[i])
			r = qcow2_refcount_add(node, tables[i], s->cluster_size, -1, DISCARD_ALWAYS);
	return r;
}

struct err *qcow2_cut_file(struct blk_node *node)
{
	struct qcow2 *s = node->state;
	u64 last = (node->file->size + s->cluster_size - 1) >> s->cluster_bits, count = 0;
	/* Nothing that is stable may refer to what goes. */
	if (qcow2_flush_meta(node) || blk_barrier(node->file))
		return NULL;
	while (last && !count) {
		if (qcow2_refcount(node, last - 1, &count))
			return NULL;
		if (!count)
			last--;
	}
	if (last << s->cluster_bits >= node->file->size)
		return NULL;
	return blk_truncate(node->file, last << s->cluster_bits, false, BLK_PREALLOC_OFF, false);
}

static struct err *shrink(struct blk_node *node, u64 size)
{
	struct qcow2 *s = node->state;
	u64 old = node->size, from = ROUND_UP(size, s->cluster_size);
	u64 span = (u64)s->l2_entries << s->cluster_bits, keep = (size + span - 1) / span;
	int r = 0;
	/* The header first: from then on nothing asks for what goes. */
	node->size = size;
	r = qcow2_write_header(node);
	if (!r)
		r = blk_barrier(node->file);
	if (!r && from < ROUND_UP(old, s->cluster_size))
		r = qcow2_discard_range(node, from, ROUND_UP(old, s->cluster_size) - from, true,
					DISCARD_REQUEST);
	if (r)
		return err_errno(-r, "Failed to discard cropped clusters");
	if ((r = drop_l1_tail(node, keep)))
		return err_errno(-r, "Failed to reduce the number of L2 tables");
	struct err *e = s->data_file ? blk_truncate(s->data, size, false, BLK_PREALLOC_OFF, false) : NULL;
	return e ? e : qcow2_cut_file(node);
}

struct err *qcow2_truncate(struct blk_node *node, u64 size, bool exact, enum blk_prealloc mode, bool zero)
{
	struct qcow2 *s = node->state;
	u64 old = node->size;
	if (size % 512)
		return err_new(ERR_INVALID, "The new size must be a multiple of %u", 512);
	if (s->n_snapshots && s->version < 3)
		return err_new(ERR_UNSUPPORTED, "Can't resize a v2 image which has snapshots");
	if (size < old && mode != BLK_PREALLOC_OFF)
		return err_new(ERR_INVALID, "Preallocation can't be used for shrinking an image");
	if (size < old)
		return shrink(node, size);
	u64 span = (u64)s->l2_entries << s->cluster_bits;
	if ((size + span - 1) / span > MAX_L1_BYTES / 8)
		return err_errno(EFBIG, "Failed to grow the L1 table");
	int r = qcow2_grow_l1(node, (size + span - 1) / span, true);
	if (r)
		return err_errno(-r, "Failed to grow the L1 table");
	if (s->data_file && (exact || s->data->size < size)) {
		struct err *e = blk_truncate(s->data, size, exact, BLK_PREALLOC_OFF, false);
		if (e)
			return e;
	}
	node->size = size;
	s->vm_state_l1 = (size + span - 1) / span;
	node->vm_state = s->vm_state_l1 * span;
	/* What an earlier life of the last cluster left behind the end, and what the backing file would show. */
	u64 tail = MIN(ROUND_UP(old, s->cluster_size), size);
	if (zero || (node->backing && node->backing->size > old))
		tail = size;
	if (tail > old)
		r = blk_zero(node, old, tail - old, 0);
	if (!r)
		r = qcow2_flush_meta(node);
	if (!r)
		r = qcow2_write_header(node);
	if (r) {
		node->size = old;
		return err_errno(-r, "Failed to update the image size");
	}
	return mode == BLK_PREALLOC_OFF ? NULL : qcow2_preallocate(node, old, size, mode);
}

int qcow2_make_empty(struct blk_node *node)
{
	struct qcow2 *s = node->state;
	blk_event(node->file, "empty_image_prepare");
	/* The file keeps the bytes until no table refers to them: ended in between, the image holds what it held. */
	int r = qcow2_discard_range(node, 0, ROUND_UP(node->size, s->cluster_size), true, DISCARD_OTHER);
	if (!r && !s->n_snapshots)
		r = drop_l1_tail(node, 0);
	if (!r) {
		struct err *e = s->data_file ? NULL : qcow2_cut_file(node);
		err_free(e);
	}
	return r;
}

struct err *qcow2_set_backing(struct blk_node *node, const char *file, const char *fmt)
{
	struct qcow2 *s = node->state;
	if (file && strlen(file) > 1023)
		return err_new(ERR_INVALID, "Backing file name too long");
	if (file && (s->autoclear & AUTOCLEAR_RAW_DATA))
		return err_new(ERR_INVALID,
			       "A raw external data file cannot be used together with a backing file");
	char *old_file = node->backing_file, *old_fmt = node->backing_format;
	node->backing_file = file && *file ? str_dup(file) : NULL;
	node->backing_format = fmt && *fmt && node->backing_file ? str_dup(fmt) : NULL;
	int r = qcow2_flush_meta(node);
	if (!r)
		r = qcow2_write_header(node);
	if (!r)
		r = blk_flush(node->file);
	if (r) {
		free(node->backing_file);
		free(node->backing_format);
		node->backing_file = old_file;
		node->backing_format = old_fmt;
		return err_errno(-r, "Could not write the header");
	}
	free(old_file);
	free(old_fmt);
	return NULL;
}

/* ---- measuring ---- */

/* Clusters of metadata for a disk of this size that is allocated in full, the counts' own included. */
static u64 metadata_bytes(u64 size, u32 cluster_bits, u32 order, bool extended)
{
	u64 cs = 1ull << cluster_bits, data = (size + cs - 1) >> cluster_bits,
	    per_l2 = cs / (extended ? 16 : 8);
	u64 l2 = (data + per_l2 - 1) / per_l2, l1 = (l2 * 8 + cs - 1) >> cluster_bits;
	u64 block_entries = cs * 8 >> order, fixed = data + 1 + l1 + l2, blocks = 0, table = 0;
	for (;;) {
		u64 b = (fixed + blocks + table + block_entries - 1) / block_entries,
		    t = (b * 8 + cs - 1) >> cluster_bits;
		if (b == blocks && t == table)
			break;
		blocks = b;
		table = t;
	}
	return (1 + l1 + l2 + blocks + table) << cluster_bits;
}

static struct err *data_of(struct blk_node *src, u64 cluster, u64 *ret)
{
	u64 at = 0;
	*ret = 0;
	while (at < src->size) {
		struct blk_status st;
		int r = blk_status(src, NULL, at, src->size - at, &st);
		if (r)
			return err_errno(-r, "Unable to get block status");
		if (st.data && !st.zero) {
			/* Whole clusters around the data. */
			u64 from = ROUND_DOWN(at, cluster), to = ROUND_UP(at + st.len, cluster);
			*ret += to - from;
			at = MIN(to, src->size);
		} else {
			at += st.len;
		}
	}
	return NULL;
}

struct err *qcow2_measure(const struct json *opts, struct blk_node *src, u64 size, struct blk_measure *ret)
{
	struct params p = { 0 };
	struct err *e = read_params(opts, size, &p);
	if (e)
		return e;
	u64 cs = 1ull << p.cluster_bits;
	if (src)
		size = src->size;
	size = ROUND_UP(size, cs);
	u64 per_l1 = (cs * cs) / (p.extended ? 16 : 8);
	if ((size + per_l1 - 1) / per_l1 > MAX_L1_BYTES / 8)
		return err_new(ERR_INVALID, "The image size is too large (try using a larger cluster size)");
	u64 data = 0;
	if (src && p.prealloc != BLK_PREALLOC_FALLOC && p.prealloc != BLK_PREALLOC_FULL && !p.backing &&
	    (e = data_of(src, cs, &data)))
		return e;
	if (p.prealloc == BLK_PREALLOC_FALLOC || p.prealloc == BLK_PREALLOC_FULL || (src && p.backing))
		data = size;
	u64 meta =
	    metadata_bytes(size, p.cluster_bits, p.refcount_order, p.extended) + ROUND_UP(p.crypt_bytes, cs);
	ret->fully_allocated = meta + (p.data_file ? 0 : size);
	ret->required = meta + (p.data_file ? 0 : data);
	return NULL;
}
