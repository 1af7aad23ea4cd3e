/* img compare: do two images show the same bytes? */
#include "prog/rhea/img/img.h"
#include "base/coroutine.h"
#include "base/loop/loop.h"
#include <getopt.h>

enum { BUF = 1 << 20, LANES = 4 };

struct pair {
	struct blk_node *a, *b;
	const char *name_a, *name_b;
	u64 total;
	bool strict, quiet;
	struct progress progress;
	u8 *buf_a;
	u64 pos, found_at;
	const char *what;
	unsigned active;
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

__attribute__((format(printf, 3, 0))) static int say(struct pair *p, int status, const char *fmt, u64 at)
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

/* A range that the workers compare; the lowest finding counts. */
struct lane {
	struct pair *p;
	u8 *buf_a, *buf_b;
};

static void found(struct pair *p, int status, u64 at, const char *what)
{
	if (p->status && p->found_at <= at)
		return;
	p->status = status;
	p->found_at = at;
	p->what = what;
}

struct cmp {
	const u8 *a, *b;
	u64 len, at;
	bool differs;
};

static int compare_bytes(void *arg)
{
	struct cmp *c = arg;
	c->differs = differ(c->a, c->b, c->len, &c->at);
	return 0;
}

static int first_nonzero(void *arg)
{
	struct cmp *c = arg;
	c->differs = !is_zero(c->a, c->len);
	for (c->at = 0; c->differs && is_zero(c->a + c->at, MIN((u64)512, c->len - c->at));)
		c->at += 512;
	return 0;
}

enum { SAME, BOTH, ONLY_A, ONLY_B };

/* What has to be read of the next range; false: nothing is left. */
static bool next_range(struct pair *p, u64 *ret_at, u64 *ret_len, int *ret_what)
{
	struct blk_status x, y;
	while (!p->status && p->pos < p->total) {
		u64 at = p->pos, left = p->total - at;
		int r = blk_status(p->a, NULL, at, left, &x);
		const char *name = p->name_a;
		if (!r) {
			name = p->name_b;
			r = blk_status(p->b, NULL, at, MIN(left, x.len), &y);
		}
		if (p->pos != at || p->status)
			continue; /* another lane came first */
		if (r) {
			img_error("Sector allocation test failed for %s", name);
			found(p, 3, at, NULL);
			return false;
		}
		u64 len = MIN(x.len, y.len);
		if (p->strict &&
		    (x.data != y.data || x.zero != y.zero || x.present != y.present || x.depth != y.depth)) {
			found(p, 1, at, "Strict mode: Offset %lld block status mismatch!");
			return false;
		}
		*ret_what = x.zero && y.zero ? SAME : x.zero ? ONLY_B : y.zero ? ONLY_A : BOTH;
		if (*ret_what != SAME)
			len = MIN(len, (u64)BUF);
		p->pos = at + len;
		progress_add(&p->progress, len);
		*ret_at = at;
		*ret_len = len;
		if (*ret_what != SAME)
			return true;
	}
	return false;
}

static void lane(void *arg)
{
	struct lane *l = arg;
	struct pair *p = l->p;
	u64 at, len;
	int what;
	while (next_range(p, &at, &len, &what)) {
		struct cmp c = { what == ONLY_B ? l->buf_b : l->buf_a, l->buf_b, len, 0, false };
		if ((what != ONLY_B && read_into(p->a, p->name_a, at, l->buf_a, len)) ||
		    (what != ONLY_A && read_into(p->b, p->name_b, at, l->buf_b, len))) {
			found(p, 4, at, NULL);
			break;
		}
		work_run(what == BOTH ? compare_bytes : first_nonzero, &c);
		if (c.differs)
			found(p, 1, at + c.at, "Content mismatch at offset %lld!");
	}
	p->active--;
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

static void tail(void *arg)
{
	struct pair *p = arg;
	p->status = compare_tail(p);
}

static void run(struct pair *p)
{
	struct lane lanes[LANES];
	if (p->strict && blk_size(p->a) != blk_size(p->b)) {
		if (!p->quiet)
			puts("Strict mode: Image size mismatch!");
		p->status = 1;
		return;
	}
	p->active = LANES;
	for (unsigned i = 0; i < LANES; i++) {
		lanes[i].p = p;
		if (posix_memalign((void **)&lanes[i].buf_a, 4096, 2 * BUF))
			abort();
		lanes[i].buf_b = lanes[i].buf_a + BUF;
	}
	for (unsigned i = 0; i < LANES; i++)
		co_enter(co_new(lane, &lanes[i]));
	while (p->active)
		loop_run_once(loop_here(), true);
	if (p->status && p->what)
		say(p, p->status, p->what, p->found_at);
	p->buf_a = lanes[0].buf_a;
	if (!p->status)
		co_run(tail, p);
	for (unsigned i = 0; i < LANES; i++)
		free(lanes[i].buf_a);
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
