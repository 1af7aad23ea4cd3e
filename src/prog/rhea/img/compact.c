/* img compact: clusters of zeros, and room that an image does not use, go back to the host. */
#include "prog/rhea/img/img.h"
#include <errno.h>
#include <getopt.h>

enum { CHUNK = 1 << 20, LEAST = 4096 };

struct compact {
	struct blk_node *node;
	struct progress progress;
	u64 unit;
	u8 *buf;
};

/* Zeros of the layer that hold room become holes, as far as the format has a way to say so. */
static int drop_zeros(struct compact *c, u64 offset, u64 len)
{
	int r = blk_pread(c->node, offset, c->buf, len);
	for (u64 at = 0; at < len && !r;) {
		u64 n = 0;
		while (at + n < len && is_zero(c->buf + at + n, MIN(c->unit, len - at - n)))
			n += MIN(c->unit, len - at - n);
		if (n)
			r = blk_zero(c->node, offset + at, n, BLK_REQ_MAY_UNMAP | BLK_REQ_NO_FALLBACK);
		if (r == -ENOTSUP)
			r = 0;
		at += MAX(n, c->unit);
	}
	return r;
}

static int drop_all_zeros(struct compact *c)
{
	u64 size = blk_size(c->node);
	int r = 0;
	for (u64 at = 0; at < size && !r;) {
		struct blk_extent x;
		r = blk_map(c->node, at, MIN(size - at, (u64)CHUNK), &x);
		if (!r && (x.where == BLK_DATA || (x.where == BLK_ZERO && x.has_offset)))
			r = drop_zeros(c, at, x.len);
		at += x.len;
		progress_set(&c->progress, at, size);
	}
	return r;
}

static int run(struct img *m, struct blk_node *node, bool progress)
{
	struct compact c = { .node = node, .unit = MAX(node->granularity, (u32)LEAST), .buf = alloc(CHUNK) };
	u64 before = blk_disk_size(node);
	progress_begin(&c.progress, progress && !m->quiet, blk_size(node));
	int r = drop_all_zeros(&c);
	if (!r && node->driver->release)
		r = node->driver->release(node);
	if (!r)
		r = blk_flush(node);
	free(c.buf);
	if (r) {
		img_error("Could not compact the image: %s", strerror(-r));
		return 1;
	}
	progress_end(&c.progress);
	u64 after = blk_disk_size(node);
	if (!m->quiet && before != ~0ull && after != ~0ull)
		printf("Image compacted: %llu bytes on the host before, %llu now.\n",
		       (unsigned long long)before, (unsigned long long)after);
	return 0;
}

static int compact(struct img *m, int argc, char **argv)
{
	static const struct option longs[] = { { "help", no_argument, 0, 'h' },
					       { "object", required_argument, 0, OPT_OBJECT },
					       { "image-opts", no_argument, 0, OPT_IMAGE_OPTS },
					       { 0 } };
	const char *fmt = NULL;
	bool progress = false;
	int c;
	while ((c = img_getopt(m, argc, argv, ":f:hqp", longs)) != -1) {
		if (c == 'f')
			fmt = optarg;
		else if (c == 'p')
			progress = true;
		else
			return 0;
	}
	if (optind != argc - 1)
		img_usage_error("Expecting one image file name");
	if (!img_make_objects(m))
		return 1;
	struct blk_node *node =
	    img_open(m, argv[optind], fmt, BLK_RDWR | BLK_RESIZE | BLK_UNMAP | BLK_NO_BACKING);
	if (!node)
		return 1;
	int status = run(m, node, progress);
	blk_unref(node);
	return status;
}

IMG_VERB(compact) = {
	.name = "compact",
	.usage = "[--object objectdef] [--image-opts] [-f fmt] [-p] [-q] filename",
	.run = compact,
};
