/*
 * raw: the file as it is, or a part of it.
 *
 * Options    offset, size: the part (multiples of 512), size defaults to the rest.
 */
#include "block/graph.h"
#include <errno.h>

struct raw {
	u64 offset;
	struct co_lock head; /* one write at a time to what tells the format, when it was probed */
	bool sized; /* a fixed part: cannot be resized */
};

static unsigned probe(const u8 *head UNUSED, size_t len UNUSED, const char *filename UNUSED)
{
	return 1;
}

static struct err *open_raw(struct blk_node *node, struct json *opts, u32 flags UNUSED)
{
	struct raw *s = node->state;
	bool has_size = json_get(opts, "size");
	u64 size = 0, all = node->file->size;
	struct err *e = blk_take_size(opts, "offset", &s->offset);
	if (!e)
		e = blk_take_size(opts, "size", &size);
	if (e)
		return e;
	if (s->offset > all)
		return err_new(ERR_INVALID,
			       "Offset (%llu) cannot be greater than size of the containing file (%lld)",
			       (unsigned long long)s->offset, (long long)all);
	if (has_size && size > all - s->offset)
		return err_new(ERR_INVALID,
			       "The sum of offset (%llu) and size (%llu) has to be smaller or equal to the "
			       "actual size of "
			       "the containing file (%lld)",
			       (unsigned long long)s->offset, (unsigned long long)size, (long long)all);
	if (has_size && size % 512)
		return err_new(ERR_INVALID, "Specified size is not multiple of %d", 512);
	s->sized = has_size;
	node->size = has_size ? size : all - s->offset;
	node->align = node->file->align;
	return NULL;
}

static u64 at(struct blk_node *node, u64 offset)
{
	return offset + ((struct raw *)node->state)->offset;
}

static int preadv_raw(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	blk_event(node->file, "read_aio");
	return blk_preadv(node->file, at(node, offset), iov, flags);
}

/*
 * A guest that writes the header of another format to an image whose format was probed could have it opened as that one
 * next time, and name any file of the host as its backing file. 0, or -EPERM if the file looked so after the write.
 * iov: NULL, zeros.
 */
static int stays_raw(struct blk_node *node, u64 offset, u64 len, const struct iovs *iov)
{
	u8 head[BLK_PROBE] = { 0 };
	size_t all = MIN((u64)BLK_PROBE, node->file->size), n = MIN(len, all - offset);
	int r = blk_pread(node->file, 0, head, all);
	if (r)
		return r;
	if (iov)
		iovs_to_buf(iovs_cut(*iov, 0, n), head + offset);
	else
		memset(head + offset, 0, n);
	return blk_probe_bytes(head, all, node->file->filename) == node->driver ? 0 : -EPERM;
}

/*
 * Before a change at offset of the file: 0, or why it may not be. When it touches what a probed format was told by, nobody else
 * changes that until change_end; *ret_locked says so.
 */
static int change_begin(struct blk_node *node, u64 offset, u64 len, const struct iovs *iov, bool *ret_locked)
{
	struct raw *s = node->state;
	*ret_locked = UNLIKELY(node->probed) && offset < MIN((u64)BLK_PROBE, node->file->size);
	if (!*ret_locked)
		return 0;
	co_lock(&s->head);
	return stays_raw(node, offset, len, iov);
}

static int change_end(struct blk_node *node, int r, bool locked)
{
	struct raw *s = node->state;
	if (locked)
		co_unlock(&s->head);
	return r;
}

static int pwritev_raw(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	bool locked;
	blk_event(node->file, "write_aio");
	offset = at(node, offset);
	int r = change_begin(node, offset, iov.len, &iov, &locked);
	return change_end(node, r ? r : blk_pwritev(node->file, offset, iov, flags), locked);
}

static int zero_raw(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	bool locked;
	offset = at(node, offset);
	int r = change_begin(node, offset, len, NULL, &locked);
	return change_end(node, r ? r : blk_zero(node->file, offset, len, flags), locked);
}

static int discard_raw(struct blk_node *node, u64 offset, u64 len)
{
	bool locked;
	offset = at(node, offset);
	int r = change_begin(node, offset, len, NULL, &locked);
	return change_end(node, r ? r : blk_discard(node->file, offset, len), locked);
}

static int map_raw(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	return blk_map(node->file, at(node, offset), len, ret);
}

static struct err *truncate_raw(struct blk_node *node, u64 size, bool exact, enum blk_prealloc prealloc,
				bool zero)
{
	struct raw *s = node->state;
	if (s->sized)
		return err_new(ERR_UNSUPPORTED, "Cannot resize fixed-size raw disks");
	if (size > INT64_MAX - s->offset)
		return err_new(ERR_INVALID, "Disk size too large for the chosen offset");
	struct err *e = blk_truncate(node->file, s->offset + size, exact, prealloc, zero);
	if (!e)
		node->size = ROUND_UP(size, 512ull);
	return e;
}

static struct err *measure(const struct json *opts, struct blk_node *src, u64 size, struct blk_measure *ret)
{
	ret->required = ret->fully_allocated = src ? src->size : ROUND_UP(size, 512ull);
	return NULL;
}

/* The transport makes the file, of the right size: there is nothing to add. */
static struct err *create(struct blk_create *c)
{
	return NULL;
}

static const struct blk_opt create_opts[] = {
	{ "size", BLK_OPT_SIZE, "Virtual disk size" },
	{ NULL },
};

BLK_DRIVER(raw) = {
	.name = "raw",
	.summary = "the file as it is",
	.kind = BLK_FORMAT,
	.state_size = sizeof(struct raw),
	.probe = probe,
	.open = open_raw,
	.preadv = preadv_raw,
	.pwritev = pwritev_raw,
	.passes_fua = true,
	.zero = zero_raw,
	.discard = discard_raw,
	.map = map_raw,
	.truncate = truncate_raw,
	.measure = measure,
	.create = create,
	.create_opts = create_opts,
};
