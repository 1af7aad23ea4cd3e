/* img compare: do two images show the same bytes? Lanes read both sides, the main thread compares. */
#include "prog/rhea/img/img.h"
#include "prog/rhea/img/ahead.h"
#include "base/loop/loop.h"
#include <getopt.h>

enum { BUF = 1 << 20, LANES = 4 };

struct pair {
	struct blk_node *a, *b;
	const char *name_a, *name_b;
	u64 total;
	bool strict, quiet;
	struct progress progress;
	u64 pos;
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

/* The first 512-byte unit that is not zero. */
static bool not_zero(const u8 *buf, u64 len, u64 *ret_at)
{
	if (is_zero(buf, len))
		return false;
	for (*ret_at = 0; is_zero(buf + *ret_at, MIN((u64)512, len - *ret_at));)
		*ret_at += 512;
	return true;
}

__attribute__((format(printf, 3, 0))) static int say(struct pair *p, int status, const char *fmt, u64 at)
{
	if (!p->quiet) {
		printf(fmt, (long long)at);
		putchar('\n');
	}
	return status;
}

static bool read_into(struct blk_node *n, const char *name, u64 at, u8 *buf, u64 len)
{
	int r = blk_pread(n, at, buf, len);
	if (r)
		img_error("Error while reading offset %llu of %s: %s", (unsigned long long)at, name,
			  strerror(-r));
	return !r;
}

/* One side reads as zeros: the other must. buf: BUF bytes. */
static int check_zero(struct pair *p, struct blk_node *n, const char *name, u8 *buf, u64 at, u64 len)
{
	while (len) {
		u64 part = MIN(len, (u64)BUF), where;
		if (!read_into(n, name, at, buf, part))
			return 4;
		if (not_zero(buf, part, &where))
			return say(p, 1, "Content mismatch at offset %lld!", at + where);
		at += part;
		len -= part;
	}
	return 0;
}

/* A range that both show, to be read of one or both. */
struct lane {
	struct ahead_lane ahead;
	u64 at, len;
	enum { BOTH, ONLY_A, ONLY_B, UNMAPPED, UNREAD, UNLIKE } what;
	u8 *buf_a, *buf_b;
};

/* The next range, what is known of it. 0, or -errno of the side named *ret_name. */
static int both_status(struct pair *p, u64 at, struct blk_status *x, struct blk_status *y,
		       const char **ret_name)
{
	*ret_name = p->name_a;
	int r = blk_status(p->a, NULL, at, p->total - at, x);
	if (r)
		return r;
	*ret_name = p->name_b;
	return blk_status(p->b, NULL, at, MIN(p->total - at, x->len), y);
}

/* What has to be read of the next range; false: nothing is left. */
static bool next_range(void *user, struct ahead_lane *lane)
{
	struct pair *p = user;
	struct lane *l = (struct lane *)lane;
	struct blk_status x, y;
	const char *name;
	while (p->pos < p->total) {
		u64 at = p->pos;
		int r = both_status(p, at, &x, &y, &name);
		if (p->pos != at)
			continue; /* another lane came first */
		u64 len = r ? p->total - at : MIN(x.len, y.len);
		bool strict =
		    p->strict && !r &&
		    (x.data != y.data || x.zero != y.zero || x.present != y.present || x.depth != y.depth);
		if (r)
			img_error("Sector allocation test failed for %s", name);
		l->what = r ? UNMAPPED : strict ? UNLIKE : x.zero ? ONLY_B : y.zero ? ONLY_A : BOTH;
		bool same = !r && !strict && x.zero && y.zero;
		if (!same)
			len = MIN(len, (u64)BUF);
		progress_add(&p->progress, len);
		l->at = at;
		l->len = len;
		p->pos = at + len;
		if (!same)
			return true;
	}
	return false;
}

static void fetch(void *user, struct ahead_lane *lane)
{
	struct pair *p = user;
	struct lane *l = (struct lane *)lane;
	bool a = l->what == BOTH || l->what == ONLY_A, b = l->what == BOTH || l->what == ONLY_B;
	if ((a && !read_into(p->a, p->name_a, l->at, l->buf_a, l->len)) ||
	    (b && !read_into(p->b, p->name_b, l->at, l->buf_b, l->len)))
		l->what = UNREAD;
}

static bool compare_range(void *user, struct ahead_lane *lane)
{
	struct pair *p = user;
	struct lane *l = (struct lane *)lane;
	u64 where = 0;
	if (l->what == UNMAPPED || l->what == UNREAD)
		p->status = l->what == UNMAPPED ? 3 : 4;
	else if (l->what == UNLIKE)
		p->status = say(p, 1, "Strict mode: Offset %lld block status mismatch!", l->at);
	else if (l->what == BOTH ? differ(l->buf_a, l->buf_b, l->len, &where)
				 : not_zero(l->what == ONLY_A ? l->buf_a : l->buf_b, l->len, &where))
		p->status = say(p, 1, "Content mismatch at offset %lld!", l->at + where);
	return !p->status;
}

/* The larger image's rest must be zeros. */
static int compare_tail(struct pair *p, u8 *buf)
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
		int r = s.zero ? 0 : check_zero(p, n, name, buf, at, s.len);
		if (r)
			return r;
		at += s.len;
		progress_add(&p->progress, s.len);
	}
	return 0;
}

static void run(struct pair *p)
{
	struct lane lanes[LANES] = { 0 };
	if (p->strict && blk_size(p->a) != blk_size(p->b)) {
		if (!p->quiet)
			puts("Strict mode: Image size mismatch!");
		p->status = 1;
		return;
	}
	u8 *bufs;
	if (posix_memalign((void **)&bufs, 4096, (size_t)LANES * 2 * BUF))
		abort();
	for (unsigned i = 0; i < LANES; i++) {
		lanes[i].buf_a = bufs + (size_t)2 * i * BUF;
		lanes[i].buf_b = lanes[i].buf_a + BUF;
	}
	struct ahead ahead = { .next = next_range,
			       .fetch = fetch,
			       .use = compare_range,
			       .user = p,
			       .lanes = lanes,
			       .n = LANES,
			       .size = sizeof(*lanes) };
	ahead_run(&ahead);
	if (!p->status)
		p->status = compare_tail(p, bufs);
	free(bufs);
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
	p.total = MIN(blk_size(p.a), blk_size(p.b));
	progress_begin(&p.progress, show && !m->quiet, MAX(blk_size(p.a), blk_size(p.b)));
	run(&p);
	if (!p.status) {
		if (p.progress.on)
			progress_end(&p.progress);
		if (!m->quiet)
			puts("Images are identical.");
	}
	blk_unref(p.a);
	blk_unref(p.b);
	return p.status;
}

IMG_VERB(compare) = {
	.name = "compare",
	.usage = "[--object objectdef] [--image-opts] [-f fmt] [-F fmt] [-T src_cache] [-p] [-q] [-s] [-U] "
		 "filename1 filename2",
	.run = compare,
};
