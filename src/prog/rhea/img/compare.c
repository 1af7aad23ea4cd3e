/* img compare: do two images show the same bytes? */
#include "prog/rhea/img/img.h"
#include "base/loop/loop.h"
#include <getopt.h>

enum { BUF = 2 << 20 };

struct pair {
	struct blk_node *a, *b;
	const char *name_a, *name_b;
	u64 total;
	bool strict, quiet;
	struct progress progress;
	u8 *buf_a, *buf_b;
	int status;
};

/* The first differing 512-byte unit. */
static bool differ(const u8 *a, const u8 *b, u64 len, u64 *ret_at)
{
	if (memcmp(a, b, len) == 0)
		return false;
	u64 at = 0;
	while (at < len && memcmp(a + at, b + at, MIN((u64)512, len - at)) == 0)
		at += 512;
	*ret_at = at;
	return true;
}

static int say(struct pair *p, int status, const char *fmt, u64 at)
{
	if (!p->quiet) {
		printf(fmt, (long long)at);
		putchar('\n');
	}
	return status;
}

static int read_into(struct blk_node *n, const char *name, u64 at, u8 *buf, u64 len)
{
	int r = blk_pread(n, at, buf, len);
	if (r)
		img_error("Error while reading offset %llu of %s: %s", (unsigned long long)at, name,
			  strerror(-r));
	return r;
}

/* One side reads as zeros: the other must. */
static int check_zero(struct pair *p, struct blk_node *n, const char *name, u64 at, u64 len)
{
	while (len) {
		u64 part = MIN(len, (u64)BUF);
		if (read_into(n, name, at, p->buf_a, part))
			return 4;
		for (u64 i = 0; i < part; i += 512)
			if (!is_zero(p->buf_a + i, MIN((u64)512, part - i)))
				return say(p, 1, "Content mismatch at offset %lld!", at + i);
		at += part;
		len -= part;
	}
	return 0;
}

static int compare_range(struct pair *p, u64 at, u64 *ret_len)
{
	struct blk_status x, y;
	u64 left = p->total - at, diff;
	int r = blk_status(p->a, NULL, at, left, &x);
	if (r) {
		img_error("Sector allocation test failed for %s", p->name_a);
		return 3;
	}
	if ((r = blk_status(p->b, NULL, at, MIN(left, x.len), &y))) {
		img_error("Sector allocation test failed for %s", p->name_b);
		return 3;
	}
	u64 len = MIN(x.len, y.len);
	*ret_len = len;
	if (p->strict &&
	    (x.data != y.data || x.zero != y.zero || x.present != y.present || x.depth != y.depth))
		return say(p, 1, "Strict mode: Offset %lld block status mismatch!", at);
	if (x.zero && y.zero)
		return 0;
	if (x.zero)
		return check_zero(p, p->b, p->name_b, at, len);
	if (y.zero)
		return check_zero(p, p->a, p->name_a, at, len);
	len = *ret_len = MIN(len, (u64)BUF);
	if (read_into(p->a, p->name_a, at, p->buf_a, len) || read_into(p->b, p->name_b, at, p->buf_b, len))
		return 4;
	return differ(p->buf_a, p->buf_b, len, &diff)
		   ? say(p, 1, "Content mismatch at offset %lld!", at + diff)
		   : 0;
}

/* The larger image's rest must be zeros. */
static int compare_tail(struct pair *p)
{
	u64 a = blk_size(p->a), b = blk_size(p->b);
	struct blk_node *n = a > b ? p->a : p->b;
	const char *name = a > b ? p->name_a : p->name_b;
	u64 at = MIN(a, b), end = MAX(a, b);
	if (at == end)
		return 0;
	if (p->strict)
		return say(p, 1, "Strict mode: Image size mismatch! (%lld)", at);
	if (!p->quiet)
		printf("Warning: Image size mismatch!\n");
	while (at < end) {
		struct blk_status s;
		if (blk_status(n, NULL, at, end - at, &s)) {
			img_error("Sector allocation test failed for %s", name);
			return 3;
		}
		int r = s.zero ? 0 : check_zero(p, n, name, at, s.len);
		if (r)
			return r;
		at += s.len;
		progress_add(&p->progress, s.len);
	}
	return 0;
}

static void run(void *arg)
{
	struct pair *p = arg;
	if (p->strict && blk_size(p->a) != blk_size(p->b)) {
		if (!p->quiet)
			puts("Strict mode: Image size mismatch!");
		p->status = 1;
		return;
	}
	for (u64 at = 0; at < p->total && !p->status;) {
		u64 len = 0;
		p->status = compare_range(p, at, &len);
		at += len;
		progress_add(&p->progress, len);
	}
	if (!p->status)
		p->status = compare_tail(p);
}

static int compare(struct img *m, int argc, char **argv)
{
	static const struct option longs[] = { { "help", no_argument, 0, 'h' },
					       { "object", required_argument, 0, OPT_OBJECT },
					       { "image-opts", no_argument, 0, OPT_IMAGE_OPTS },
					       { "force-share", no_argument, 0, 'U' },
					       { 0 } };
	const char *fmt_a = NULL, *fmt_b = NULL, *cache = "writeback";
	struct pair p = { .status = 0 };
	bool show = false;
	int c;
	while ((c = img_getopt(m, argc, argv, ":hf:F:T:pqsU", longs)) != -1) {
		switch (c) {
		case 'f':
			fmt_a = optarg;
			break;
		case 'F':
			fmt_b = optarg;
			break;
		case 'T':
			cache = optarg;
			break;
		case 'p':
			show = true;
			break;
		case 's':
			p.strict = true;
			break;
		default:
			return 0;
		}
	}
	if (optind != argc - 2)
		img_usage_error("Expecting two image file names");
	p.quiet = m->quiet;
	p.name_a = argv[optind];
	p.name_b = argv[optind + 1];
	u32 flags = 0;
	if (!img_make_objects(m))
		return 2;
	if (!img_cache_mode(cache, &flags)) {
		img_error("Invalid source cache option: %s", cache);
		return 2;
	}
	if (!(p.a = img_open(m, p.name_a, fmt_a, flags)))
		return 2;
	if (!(p.b = img_open(m, p.name_b, fmt_b, flags))) {
		blk_unref(p.a);
		return 2;
	}
	if (posix_memalign((void **)&p.buf_a, 4096, BUF) || posix_memalign((void **)&p.buf_b, 4096, BUF))
		return 4;
	p.total = MIN(blk_size(p.a), blk_size(p.b));
	progress_begin(&p.progress, show && !m->quiet, MAX(blk_size(p.a), blk_size(p.b)));
	co_run(run, &p);
	if (!p.status) {
		if (p.progress.on)
			progress_end(&p.progress);
		if (!m->quiet)
			puts("Images are identical.");
	}
	blk_unref(p.a);
	blk_unref(p.b);
	free(p.buf_a);
	free(p.buf_b);
	return p.status;
}

IMG_VERB(compare) = {
	.name = "compare",
	.usage = "[--object objectdef] [--image-opts] [-f fmt] [-F fmt] [-T src_cache] [-p] [-q] [-s] [-U] "
		 "filename1 filename2",
	.run = compare,
};
