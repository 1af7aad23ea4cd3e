/* qcow2: changing options of an image that exists. */
#include "block/format/qcow2/qcow2.h"
#include <errno.h>

static u32 wanted_version(const char *compat)
{
	if (strcmp(compat, "0.10") == 0 || strcmp(compat, "v2") == 0)
		return 2;
	return strcmp(compat, "1.1") == 0 || strcmp(compat, "v3") == 0 ? 3 : 0;
}

static struct err *downgrade(struct blk_node *node, void (*progress)(void *, u64, u64), void *user)
{
	struct qcow2 *s = node->state;
	if (s->incompatible & INCOMPAT_DATA_FILE)
		return err_new(ERR_UNSUPPORTED, "Cannot downgrade an image with a data file");
	if (s->incompatible & ~(u64)INCOMPAT_DIRTY)
		return err_new(ERR_UNSUPPORTED,
			       "Cannot downgrade an image with incompatible features 0x%llx set",
			       (unsigned long long)(s->incompatible & ~(u64)INCOMPAT_DIRTY));
	if (s->refcount_order != 4)
		return err_new(ERR_UNSUPPORTED, "compat=0.10 requires refcount_bits=16");
	for (u32 i = 0; i < s->n_snapshots; i++)
		if (s->snapshots[i].vm_state || s->snapshots[i].disk_size != node->size)
			return err_new(ERR_UNSUPPORTED, "Internal snapshots prevent downgrade of image");
	struct err *e = qcow2_expand_zeros(node, progress, user);
	if (e)
		return e;
	s->incompatible = s->compatible = s->autoclear = 0;
	s->lazy = false;
	s->version = 2;
	int r = qcow2_write_header(node);
	return r ? err_errno(-r, "Failed to update the image header") : NULL;
}

static struct err *upgrade(struct blk_node *node)
{
	struct qcow2 *s = node->state;
	bool thin = false;
	for (u32 i = 0; i < s->n_snapshots; i++)
		thin |= s->snapshots[i].extra_size < 24;
	int r = thin ? qcow2_write_snapshots(node) : 0;
	s->version = 3;
	if (!r)
		r = qcow2_write_header(node);
	return r ? err_errno(-r, "Failed to update the image header") : NULL;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static struct err *refuse(struct blk_node *node, const struct json *opts, u32 version, bool lazy)
{
	struct qcow2 *s = node->state;
	static const char *const fixed[] = { "cluster_size", "preallocation", "encryption", "extended_l2",
					     "compression_type" };
	for (unsigned i = 0; i < LEN(fixed); i++)
		if (blk_opt_str(opts, fixed[i]))
			return err_new(ERR_INVALID, "Invalid parameter '%s'", fixed[i]);
	const char *file = blk_opt_str(opts, "backing_file"), *fmt = blk_opt_str(opts, "backing_fmt");
	if ((file || fmt) && (!same_text(file, node->backing_file) || !same_text(fmt, node->backing_format)))
		return err_hint(err_new(ERR_UNSUPPORTED, "Cannot amend the backing file"),
				"You can use 'qemu-img rebase' "
				"instead.");
	if (lazy && version < 3)
		return err_new(ERR_INVALID,
			       "Lazy refcounts only supported with compatibility level 1.1 and above (use "
			       "compat=1.1 or greater)");
	u64 bits = blk_opt_num(opts, "refcount_bits", 1u << s->refcount_order);
	if (!bits || bits > 64 || (bits & (bits - 1)))
		return err_new(ERR_INVALID,
			       "Refcount width must be a power of two and may not exceed 64 bits");
	if (bits != 16 && version < 3 && blk_opt_str(opts, "refcount_bits"))
		return err_new(
		    ERR_INVALID,
		    "Refcount widths other than 16 bits require compatibility level 1.1 or above (use "
		    "compat=1.1 or greater)");
	if (blk_opt_str(opts, "data_file") && !(s->incompatible & INCOMPAT_DATA_FILE))
		return err_new(ERR_INVALID,
			       "data-file can only be set for images that use an external data file");
	if (blk_opt_bool(opts, "data_file_raw", false) && !(s->autoclear & AUTOCLEAR_RAW_DATA))
		return err_new(ERR_INVALID, "data-file-raw cannot be set on existing images");
	return NULL;
}

struct err *qcow2_amend(struct blk_node *node, const struct json *opts, bool force,
			void (*progress)(void *, u64, u64), void *user)
{
	struct qcow2 *s = node->state;
	const char *compat = blk_opt_str(opts, "compat"), *size = blk_opt_str(opts, "size"),
		   *data_file = blk_opt_str(opts, "data_file");
	u32 version = compat ? wanted_version(compat) : s->version;
	if (!version)
		return err_new(ERR_INVALID, "Unknown compatibility level %s", compat);
	bool lazy = blk_opt_bool(opts, "lazy_refcounts", s->compatible & COMPAT_LAZY);
	struct err *e = refuse(node, opts, version, blk_opt_str(opts, "lazy_refcounts") ? lazy : false);
	if (!e)
		e = qcow2_amend_crypt(node, opts, force);
	if (!e && version > s->version)
		e = upgrade(node);
	if (!e && blk_opt_str(opts, "lazy_refcounts") && version >= 3 &&
	    lazy != !!(s->compatible & COMPAT_LAZY)) {
		s->compatible = lazy ? s->compatible | COMPAT_LAZY : s->compatible & ~(u64)COMPAT_LAZY;
		s->lazy = lazy;
		int r = qcow2_flush_meta(node);
		if (!r)
			r = qcow2_write_header(node);
		if (r)
			e = err_errno(-r, "Failed to update the image header");
	}
	u64 bits = blk_opt_num(opts, "refcount_bits", 1u << s->refcount_order);
	if (!e && bits != 1u << s->refcount_order)
		e = qcow2_set_refcount_width(node, __builtin_ctzll(bits), progress, user);
	if (!e && data_file) {
		free(s->data_file);
		s->data_file = str_dup(data_file);
		int r = qcow2_write_header(node);
		if (r)
			e = err_errno(-r, "Failed to update the image header");
	}
	if (!e && blk_opt_str(opts, "data_file_raw") && !blk_opt_bool(opts, "data_file_raw", false)) {
		s->autoclear &= ~(u64)AUTOCLEAR_RAW_DATA;
		int r = qcow2_write_header(node);
		if (r)
			e = err_errno(-r, "Failed to update the image header");
	}
	if (!e && size)
		e = blk_truncate(node, blk_opt_num(opts, "size", 0), true, BLK_PREALLOC_OFF, false);
	if (!e && version < s->version)
		e = downgrade(node, progress, user);
	if (!e && progress)
		progress(user, 1, 1);
	return e;
}
