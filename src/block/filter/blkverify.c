/*
 * blkverify: compares a node with a raw one that gets the same writes. For tests of formats.
 *
 * File name  blkverify:RAW:IMAGE
 * Options    raw (child), test (child). A read whose contents differ fails and says where.
 */
#include "block/filter/pass.h"
#include <errno.h>

struct verify {
	struct blk_node *test;
};

static const char *const prefixes[] = { "blkverify", NULL };

static struct err *parse_name(const char *name, struct json *opts)
{
	const char *p = name + strlen("blkverify:"), *colon;
	if (strncmp(name, "blkverify:", 10) != 0) { /* the driver is named by an option, and this is the image */
		json_set(opts, "x-image", json_str(name));
		return NULL;
	}
	if (!(colon = strchr(p, ':')))
		return err_new(ERR_INVALID, "blkverify requires raw copy and original image path");
	AUTO(free_ptr) char *raw = strf("%.*s", (int)(colon - p), p);
	json_set(opts, "x-raw", json_str(raw));
	json_set(opts, "x-image", json_str(colon + 1));
	return NULL;
}

static struct err *open_verify(struct blk_node *node, struct json *opts, u32 flags)
{
	struct verify *s = node->state;
	AUTO(free_ptr) char *raw = blk_take_str(opts, "x-raw"), *image = blk_take_str(opts, "x-image");
	struct err *e = pass_open_child(node, opts, "raw", raw, flags);
	/* The image's format is probed: it is what the test is about. */
	if (!e)
		e = blk_open_format_child(node, opts, "test", image, flags, &s->test);
	if (!e)
		node->size = s->test->size;
	return e;
}

static int preadv_verify(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	struct verify *s = node->state;
	AUTO(free_ptr) u8 *raw = try_alloc(iov.len);
	AUTO(free_ptr) u8 *test = try_alloc(iov.len);
	if (!raw || !test)
		return -ENOMEM;
	int r = blk_pread(s->test, offset, test, iov.len),
	    r_raw = blk_pread(node->file, offset, raw, iov.len);
	if (r || r_raw) {
		if (r != r_raw)
			blk_say(node, "blkverify: read offset %llu bytes %zu return value mismatch %d != %d",
				(unsigned long long)offset, iov.len, r, r_raw);
		return r ? r : r_raw;
	}
	size_t i = 0;
	while (i < iov.len && raw[i] == test[i])
		i++;
	if (i < iov.len) {
		blk_say(node, "blkverify: read offset %llu bytes %zu contents mismatch at offset %llu",
			(unsigned long long)offset, iov.len, (unsigned long long)(offset + i));
		return -EIO;
	}
	iovs_from_buf(iov, test);
	return 0;
}

/* A change of both; they must agree on how it went. */
static int agree(struct blk_node *node, const char *what, u64 offset, u64 len, int r, int raw)
{
	if (r == raw)
		return r;
	blk_say(node, "blkverify: %s offset %llu bytes %llu return value mismatch %d != %d", what,
		(unsigned long long)offset, (unsigned long long)len, r, raw);
	return r ? r : raw;
}

static int pwritev_verify(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	struct verify *s = node->state;
	int r = blk_pwritev(s->test, offset, iov, flags);
	return agree(node, "write", offset, iov.len, r, blk_pwritev(node->file, offset, iov, flags));
}

static int zero(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	struct verify *s = node->state;
	int r = blk_zero(s->test, offset, len, flags);
	return agree(node, "zeroes", offset, len, r, blk_zero(node->file, offset, len, flags));
}

static void moved(struct blk_node *node, struct blk_node *from, struct blk_node *to)
{
	struct verify *s = node->state;
	if (s->test == from)
		s->test = to;
}

BLK_DRIVER(blkverify) = {
	.name = "blkverify",
	.summary = "compares an image with a raw copy, for tests",
	.kind = BLK_FILTER,
	.state_size = sizeof(struct verify),
	.prefixes = prefixes,
	.parse_name = parse_name,
	.open = open_verify,
	.moved = moved,
	.preadv = preadv_verify,
	.pwritev = pwritev_verify,
	.zero = zero,
};
