/*
 * img convert: copies images, of any formats, into a new one.
 *
 * Several lanes each take the next piece of the source and read it; what was read is written in order by the main thread, or
 * by the lanes as it comes (-W).
 */
#include "prog/rhea/img/img.h"
#include "prog/rhea/img/ahead.h"
#include "base/loop/loop.h"
#include "base/size.h"
#include <errno.h>
#include <getopt.h>
#include <sys/mman.h>

/* Between host files pieces are small, so that the caches still hold what was read when it is written. */
enum { BUF = 2 << 20, LOCAL = 1 << 20, MAX_COROUTINES = 16, UNIT = 512 };

struct convert {
	struct blk_node *const *src;
	unsigned n_src;
	u64 *src_size, *src_start; /* where each begins in the target */
	struct blk_node *dst, *base; /* base: target's backing file, -B */
	u64 total, pos;
	struct co_lock asking; /* what is at pos: one lane at a time, since an answer may be a server's */
	u64 min_sparse, compress_unit, align;
	bool created; /* the target is new */
	bool compressed, target_zero, target_has_backing, in_order, salvage, copy_range;
	u64 rate; /* bytes a second, 0: no limit */
	i64 rate_start;
	u64 rate_done;
	unsigned coroutines;
	u64 piece; /* bytes that are read at once */
	bool local; /* from and to files of this host */
	u64 done; /* for the progress: bytes written or skipped */
	struct progress progress;
	int error;
	u64 data_total; /* of what is data at all */
	bool quiet;
};

enum kind { K_DATA, K_ZERO, K_BACKING };

struct piece {
	u64 at, len;
	enum kind kind;
};

static unsigned source_at(const struct convert *c, u64 at, u64 *ret_offset)
{
	unsigned i = 0;
	while (i + 1 < c->n_src && at >= c->src_start[i + 1])
		i++;
	*ret_offset = at - c->src_start[i];
	return i;
}

/* The kind of what is at `at`, and how far it goes. */
static int status_at(struct convert *c, u64 at, u64 *ret_len, enum kind *ret)
{
	u64 offset, left;
	unsigned i = source_at(c, at, &offset);
	struct blk_status s;
	left = c->src_size[i] - offset;
	bool over = c->target_has_backing && at < blk_size(c->base);
	if (over)
		left = MIN(left, blk_size(c->base) - at);
	int r = blk_status(c->src[i], over ? c->src[i]->backing : NULL, offset, left, &s);
	if (r)
		return r;
	*ret_len = s.len;
	if (over && !s.present && !s.data)
		*ret = K_BACKING; /* the target's backing file shows it anyway */
	else if (s.zero && c->target_has_backing && !over && c->created)
		*ret = K_BACKING; /* so does nothing, behind its end */
	else /* without sparse detection zeros are written like any bytes */
		*ret = s.zero && c->min_sparse ? K_ZERO : K_DATA;
	return 0;
}

/* Compressed pieces are whole units, whatever they are made of. */
static void fit_to_units(const struct convert *c, u64 at, enum kind *kind, u64 *len)
{
	if (*kind == K_DATA || *len < c->compress_unit || at % c->compress_unit) {
		*len = MIN(ROUND_UP(MAX(*len, 1ull), c->compress_unit), c->total - at);
		*len = MIN(*len, (u64)ROUND_DOWN((u64)BUF, c->compress_unit));
		*kind = K_DATA;
	} else if (at + *len < c->total) {
		*len = ROUND_DOWN(*len, c->compress_unit);
	}
}

/* The piece at pos, which goes behind it. False: none is left, or an error. */
static bool take_piece(struct convert *c, struct piece *p)
{
	if (c->error || c->pos >= c->total)
		return false;
	u64 at = c->pos, len;
	int r = status_at(c, at, &len, &p->kind);
	if (r && c->salvage) {
		p->kind = K_DATA;
		len = MIN((u64)UNIT, c->total - at);
		r = 0;
	}
	if (r) {
		img_error("error while reading block status at offset %llu: %s", (unsigned long long)at,
			  strerror(-r));
		c->error = r;
		return false;
	}
	if (p->kind == K_DATA)
		len = MIN(len, c->piece);
	if (c->compressed)
		fit_to_units(c, at, &p->kind, &len);
	p->at = at;
	p->len = len;
	c->pos = at + len;
	return true;
}

/* The next piece for a lane. */
static bool next_piece(struct convert *c, struct piece *p)
{
	co_lock(&c->asking);
	bool more = take_piece(c, p);
	co_unlock(&c->asking);
	return more;
}

static int read_piece(struct convert *c, u64 at, u8 *buf, u64 len)
{
	while (len) {
		u64 offset;
		unsigned i = source_at(c, at, &offset);
		u64 part = MIN(len, c->src_size[i] - offset);
		int r = blk_pread(c->src[i], offset, buf, part);
		if (r && c->salvage) {
			if (part > UNIT) { /* sector by sector */
				for (u64 k = 0; k < part; k += UNIT)
					read_piece(c, at + k, buf + k, MIN((u64)UNIT, part - k));
			} else {
				if (!c->quiet)
					img_error("warning: error while reading offset %llu: %s",
						  (unsigned long long)at, strerror(-r));
				memset(buf, 0, part);
			}
			r = 0;
		}
		if (r) {
			img_error("error while reading at byte %llu: %s", (unsigned long long)at,
				  strerror(-r));
			return r;
		}
		at += part;
		buf += part;
		len -= part;
	}
	return 0;
}

/* Length of the run at buf that is all zero, or that holds data; holes shorter than min_sparse count as data. */
static u64 run_of(u64 step, const u8 *buf, u64 at, u64 len, bool *ret_zero)
{
	if (!step) {
		*ret_zero = false;
		return len;
	}
	u64 first = MIN(len, step - at % step), n = first;
	*ret_zero = is_zero(buf, first);
	while (n < len) {
		u64 part = MIN(len - n, step);
		if (is_zero(buf + n, part) != *ret_zero)
			break;
		n += part;
	}
	return n;
}

/* Runs of a piece that are all zero, or hold data. */
struct runs {
	u64 step, at, len;
	const u8 *buf;
	unsigned n;
	struct run {
		u64 len;
		bool zero;
		struct iovec vec;
		struct blk_packed *packed; /* of a run of data, for a compressed target */
	} run[BUF / UNIT + 1];
};

static void find_runs(struct runs *s)
{
	s->n = 0;
	for (u64 n = 0; n < s->len;) {
		struct run *r = &s->run[s->n++];
		r->len = run_of(s->step, s->buf + n, s->at + n, s->len - n, &r->zero);
		r->packed = NULL;
		n += r->len;
	}
}

static int write_zeros(struct convert *c, u64 at, u64 len)
{
	if (c->target_zero)
		return 0;
	int r = blk_zero(c->dst, at, len, c->min_sparse ? BLK_REQ_MAY_UNMAP : 0);
	if (r)
		img_error("error while writing at byte %llu: %s", (unsigned long long)at, strerror(-r));
	return r;
}

/* The runs of data, before their turn to be written comes. */
static int pack_runs(struct convert *c, struct runs *s)
{
	int r = 0;
	u64 at = 0;
	for (unsigned i = 0; i < s->n && !r; i++) {
		struct run *run = &s->run[i];
		if (!run->zero)
			r = blk_pack(c->dst, s->at + at, iovs_one(&run->vec, s->buf + at, run->len),
				     &run->packed);
		at += run->len;
	}
	if (r)
		img_error("error while compressing at byte %llu: %s", (unsigned long long)(s->at + at),
			  strerror(-r));
	return r;
}

static void drop_packed(struct runs *s)
{
	for (unsigned i = 0; i < s->n; i++)
		blk_packed_free(s->run[i].packed);
	s->n = 0;
}

static int write_data(struct convert *c, u64 at, const u8 *buf, struct run *run)
{
	struct blk_packed *packed = run->packed;
	run->packed = NULL;
	int r = packed ? blk_write_packed(packed, 0)
		       : blk_pwritev(c->dst, at, iovs_one(&run->vec, buf, run->len), 0);
	if (r)
		img_error("error while writing at byte %llu: %s", (unsigned long long)at, strerror(-r));
	return r;
}

static int write_piece(struct convert *c, const struct piece *p, const u8 *buf, struct runs *runs)
{
	if (p->kind == K_BACKING)
		return 0;
	if (p->kind == K_ZERO)
		return write_zeros(c, p->at, p->len);
	u64 at = p->at;
	for (unsigned i = 0; i < runs->n; i++) {
		struct run *run = &runs->run[i];
		int r = run->zero ? write_zeros(c, at, run->len) : write_data(c, at, buf + (at - p->at), run);
		if (r)
			return r;
		at += run->len;
	}
	return 0;
}

/* The host copies the piece by itself, -C. *ret_done false: it cannot, here or at all. */
static int copy_piece(struct convert *c, const struct piece *p, bool *ret_done)
{
	*ret_done = false;
	for (u64 at = p->at, left = p->len; left;) {
		u64 offset;
		unsigned i = source_at(c, at, &offset);
		u64 part = MIN(left, c->src_size[i] - offset);
		int r = blk_copy_range(c->src[i], offset, c->dst, at, part);
		if (r == -ENOTSUP)
			return 0;
		if (r) {
			img_error("error while copying at byte %llu: %s", (unsigned long long)at,
				  strerror(-r));
			return r;
		}
		at += part;
		left -= part;
	}
	*ret_done = true;
	return 0;
}

/* No more than the rate asked for, over the whole time. */
static void hold_back(struct convert *c, u64 len)
{
	if (!c->rate)
		return;
	c->rate_done += len;
	i64 due = c->rate_start + (i64)((double)c->rate_done / c->rate * 1e9), now = loop_now();
	if (due > now)
		co_sleep(due - now);
}

struct lane {
	struct ahead_lane ahead;
	struct piece p;
	u8 *buf;
	struct runs runs;
	int error;
	bool copied; /* by the host: nothing is left to be written */
};

static bool next(void *user, struct ahead_lane *lane)
{
	return next_piece(user, &((struct lane *)lane)->p);
}

static int fetch_data(struct convert *c, struct lane *l)
{
	const struct piece *p = &l->p;
	int r = c->copy_range ? copy_piece(c, p, &l->copied) : 0;
	if (r || l->copied)
		return r;
	if ((r = read_piece(c, p->at, l->buf, p->len)))
		return r;
	l->runs.step = c->compressed && c->min_sparse ? c->compress_unit : c->min_sparse;
	l->runs.at = p->at;
	l->runs.len = p->len;
	l->runs.buf = l->buf;
	find_runs(&l->runs);
	return c->compressed ? pack_runs(c, &l->runs) : 0;
}

static bool finish(void *user, struct ahead_lane *lane)
{
	struct convert *c = user;
	struct lane *l = (struct lane *)lane;
	int r = l->error;
	if (!r && !c->error && !l->copied)
		r = write_piece(c, &l->p, l->buf, &l->runs);
	if (r && !c->error)
		c->error = r;
	if (l->p.kind == K_DATA) {
		c->done += l->p.len;
		progress_set(&c->progress, MIN(c->done, c->data_total), c->data_total);
	}
	return !c->error;
}

static void fetch(void *user, struct ahead_lane *lane)
{
	struct convert *c = user;
	struct lane *l = (struct lane *)lane;
	l->copied = false;
	l->error = l->p.kind == K_DATA ? fetch_data(c, l) : 0;
	if (l->p.kind == K_DATA)
		hold_back(c, l->p.len);
	if (!c->in_order)
		finish(c, lane);
}

/* How much is to be copied, for the progress. */
static int count_data(struct convert *c)
{
	for (u64 at = 0; at < c->total;) {
		u64 len;
		enum kind kind;
		int r = status_at(c, at, &len, &kind);
		if (r && !c->salvage) {
			img_error("error while reading block status at offset %llu: %s",
				  (unsigned long long)at, strerror(-r));
			return r;
		}
		if (r) {
			len = MIN((u64)UNIT, c->total - at);
			kind = K_DATA;
		}
		if (kind == K_DATA)
			c->data_total += len;
		at += len;
	}
	return 0;
}

static int run(struct convert *c)
{
	int r = c->progress.on ? count_data(c) : 0;
	if (r)
		return r;
	c->rate_start = loop_now();
	AUTO(free_ptr) struct lane *lanes = alloc(c->coroutines * sizeof(*lanes));
	u8 *bufs;
	size_t room = c->coroutines * (size_t)c->piece;
	if (posix_memalign((void **)&bufs, BUF, room))
		return -ENOMEM;
	madvise(bufs, room,
		MADV_HUGEPAGE); /* fewer faults here and TLB misses in the kernel's copies: a wish */
	for (unsigned i = 0; i < c->coroutines; i++)
		lanes[i].buf = bufs + i * (size_t)c->piece;
	struct ahead ahead = { .next = next,
			       .fetch = fetch,
			       .use = c->in_order ? finish : NULL,
			       .in_lane = !c->local,
			       .user = c,
			       .lanes = lanes,
			       .n = c->coroutines,
			       .size = sizeof(*lanes) };
	ahead_run(&ahead);
	for (unsigned i = 0; i < c->coroutines; i++)
		drop_packed(&lanes[i].runs);
	free(bufs);
	return c->error;
}

/* ---- the verb ---- */

struct args {
	const char *fmt, *out_fmt, *out, *out_base, *out_base_fmt, *cache, *src_cache, *snapshot;
	char **src;
	int n_src;
	bool compress, progress, no_create, target_image_opts, target_is_zero, salvage, unordered, bitmaps,
	    skip_broken, copy_range, sparse_given;
	long coroutines;
	u64 sparse, rate;
	struct json *opts;
	char *list;
};

static const struct field fields[] = { FIELD_TEXT('f', struct args, fmt),
				       FIELD_TEXT('O', struct args, out_fmt),
				       FIELD_TEXT('B', struct args, out_base),
				       FIELD_TEXT('F', struct args, out_base_fmt),
				       FIELD_FLAG('C', struct args, copy_range),
				       FIELD_FLAG('c', struct args, compress),
				       FIELD_TEXT('l', struct args, snapshot),
				       FIELD_FLAG('p', struct args, progress),
				       FIELD_TEXT('t', struct args, cache),
				       FIELD_TEXT('T', struct args, src_cache),
				       FIELD_FLAG('n', struct args, no_create),
				       FIELD_FLAG('W', struct args, unordered),
				       FIELD_FLAG(OPT_TARGET_IMAGE_OPTS, struct args, target_image_opts),
				       FIELD_FLAG(OPT_SALVAGE, struct args, salvage),
				       FIELD_FLAG(OPT_TARGET_IS_ZERO, struct args, target_is_zero),
				       FIELD_FLAG(OPT_BITMAPS, struct args, bitmaps),
				       FIELD_FLAG(OPT_SKIP_BROKEN, struct args, skip_broken),
				       { 0 } };

/* What -S, -m and the like say; false: nothing that is right, which was reported. */
static bool read_sparse(struct args *a)
{
	u64 v;
	if (!img_parse_size("buffer size for sparse output", optarg, &v))
		return false;
	enum { MOST = 16 << 20 };
	if (v % UNIT || v > MOST) {
		img_error(
		    "Invalid buffer size for sparse output specified. Valid sizes are multiples of %llu "
		    "up to %llu. Select 0 to disable sparse detection (fully allocates output).",
		    (unsigned long long)UNIT, (unsigned long long)MOST);
		return false;
	}
	a->sparse = v;
	a->sparse_given = true;
	return true;
}

static bool read_coroutines(struct args *a)
{
	char *end;
	a->coroutines = strtol(optarg, &end, 0);
	if (!*end && *optarg && a->coroutines >= 1 && a->coroutines <= MAX_COROUTINES)
		return true;
	img_error("Invalid number of coroutines. Allowed number of coroutines is between 1 and %d",
		  MAX_COROUTINES);
	return false;
}

/* Parses until the end; -1: go on, else the exit status. */
static int read_args(struct img *m, int argc, char **argv, struct args *a)
{
	static const struct option longs[] = { { "help", no_argument, 0, 'h' },
					       { "object", required_argument, 0, OPT_OBJECT },
					       { "source-image-opts", no_argument, 0, OPT_IMAGE_OPTS },
					       { "image-opts", no_argument, 0, OPT_IMAGE_OPTS },
					       { "force-share", no_argument, 0, 'U' },
					       { "target-image-opts", no_argument, 0, OPT_TARGET_IMAGE_OPTS },
					       { "salvage", no_argument, 0, OPT_SALVAGE },
					       { "target-is-zero", no_argument, 0, OPT_TARGET_IS_ZERO },
					       { "bitmaps", no_argument, 0, OPT_BITMAPS },
					       { "skip-broken-bitmaps", no_argument, 0, OPT_SKIP_BROKEN },
					       { 0 } };
	int c;
	while ((c = img_getopt(m, argc, argv, ":hf:O:B:CcF:o:l:S:pt:T:qnm:WUr:", longs)) != -1) {
		bool ok = true;
		if (field_set(fields, a, c))
			continue;
		if (c == 'o')
			ok = img_add_options(a->opts, &a->list, optarg);
		else if (c == 'S')
			ok = read_sparse(a);
		else if (c == 'm')
			ok = read_coroutines(a);
		else if (c == 'r')
			ok = img_parse_size("rate limit", optarg, &a->rate);
		else
			return 0;
		if (!ok)
			return 1;
	}
	return -1;
}

static int check_args(struct args *a)
{
	if (a->out_fmt == NULL && !a->target_image_opts)
		a->out_fmt = "raw";
	if (a->skip_broken && !a->bitmaps)
		img_error("Use of --skip-broken-bitmaps requires --bitmaps");
	else if (a->target_image_opts && a->out_fmt)
		img_error("-O and --target-image-opts are mutually exclusive");
	else if (a->target_image_opts && !a->no_create)
		img_error("--target-image-opts requires use of -n flag");
	else if (a->copy_range && a->sparse_given)
		img_error("Cannot enable copy offloading when -S is used");
	else if (a->copy_range && a->compress)
		img_error("Cannot enable copy offloading when -c is used");
	else if (a->copy_range && a->salvage)
		img_error("Cannot use copy offloading in salvaging mode");
	else if (a->no_create && a->opts->n)
		img_error("-o has no effect when skipping image creation");
	else if (a->target_is_zero && !a->no_create)
		img_error("--target-is-zero requires use of -n flag");
	else if (a->target_is_zero && a->out_base)
		img_error("Cannot use --target-is-zero when the destination image has a backing file");
	else if (a->n_src < 1)
		img_error("Must specify image file name");
	else
		return -1;
	return 1;
}

static bool open_sources(struct img *m, struct args *a, struct convert *c, struct blk_node **src)
{
	u32 flags = 0;
	if (!img_cache_mode(a->src_cache, &flags)) {
		img_error("Invalid source cache option: %s", a->src_cache);
		return false;
	}
	for (int i = 0; i < a->n_src; i++) {
		if (!(src[i] = img_open(m, a->src[i], a->fmt, flags)))
			return false;
		c->src_start[i] = c->total;
		c->src_size[i] = blk_size(src[i]);
		c->total += c->src_size[i];
		c->n_src = i + 1;
	}
	return true;
}

static int create_target(struct img *m, struct args *a, struct convert *c)
{
	const struct blk_driver *d = blk_driver_find(a->out_fmt);
	struct err *e;
	const struct blk_driver *t = blk_driver_of_name(a->out, &e);
	if (!t) {
		img_report(e, "%s", "");
		return 1;
	}
	if (!d->create_opts) {
		img_error("Format driver '%s' does not support image creation", d->name);
		return 1;
	}
	if ((e = blk_opts_check(a->opts, d->create_opts, t->create_opts))) {
		img_report(e, "%s", "");
		return 1;
	}
	u64 want = blk_opt_num(a->opts, "size", ~0ull);
	if (want < c->total) {
		img_error("-o size=%llu would cut the source, which has %llu bytes: resize the image after conversion",
			  (unsigned long long)want, (unsigned long long)c->total);
		return 1;
	}
	AUTO(free_ptr) char *text = strf("%llu", (unsigned long long)(want == ~0ull ? c->total : want));
	json_set(a->opts, "size", json_str(text));
	if (a->out_base)
		json_set(a->opts, "backing_file", json_str(a->out_base));
	if (a->out_base_fmt)
		json_set(a->opts, "backing_fmt", json_str(a->out_base_fmt));
	e = blk_create_image(m->graph, a->out, a->out_fmt, json_copy(a->opts));
	if (e) {
		if (err_errnum(e) == EFBIG) {
			err_free(e);
			img_error("%s: The image size is too large for file format '%s'", a->out, a->out_fmt);
		} else {
			img_report(e, "%s: error while converting %s: ", a->out, a->out_fmt);
		}
		return 1;
	}
	return 0;
}

static int check_target(struct img *m, struct args *a, struct convert *c)
{
	const struct blk_driver *d = a->out_fmt ? blk_driver_find(a->out_fmt) : NULL;
	if (a->out_fmt && (!d || d->kind != BLK_FORMAT)) {
		img_error("Unknown file format '%s'", a->out_fmt);
		return 1;
	}
	const char *base = a->out_base ? a->out_base : blk_opt_str(a->opts, "backing_file");
	if (base && d && !blk_opt_find(d->create_opts, "backing_file")) {
		img_error("Backing file not supported for file format '%s'", d->name);
		return 1;
	}
	a->out_base = base;
	if (!a->out_base_fmt)
		a->out_base_fmt = blk_opt_str(a->opts, "backing_fmt");
	if (base && c->n_src > 1) {
		img_error("Having a backing file for the target makes no sense when concatenating multiple "
			  "input images");
		return 1;
	}
	if (base) {
		struct blk_node *node;
		struct err *e = blk_open(m->graph, base, a->out_base_fmt, NULL, BLK_NO_IO, &node);
		if (e) {
			img_report(e, "Could not open backing file: ");
			return 1;
		}
		if (!a->out_base_fmt && !a->no_create) {
			img_error("Use of backing file requires explicit backing format");
			blk_unref(node);
			return 1;
		}
		blk_unref(node);
	}
	if (a->compress && d && !d->write_compressed) {
		img_error("Compression not supported for this file format");
		return 1;
	}
	const char *prealloc = blk_opt_str(a->opts, "preallocation");
	if (a->compress && prealloc && strcmp(prealloc, "off") != 0) {
		img_error("Compression and preallocation not supported at the same time");
		return 1;
	}
	const char *enc = blk_opt_str(a->opts, "encryption");
	if (a->compress && ((enc && strcmp(enc, "off") != 0) || blk_opt_str(a->opts, "encrypt.format"))) {
		img_error("Compression and encryption not supported at the same time");
		return 1;
	}
	return 0;
}

static int copy_bitmaps(struct convert *c, bool skip_broken)
{
	for (struct blk_dirty *b = c->src[0]->dirty, *d; b; b = b->next) {
		if (!b->persistent)
			continue;
		if (b->inconsistent) {
			if (skip_broken) {
				fprintf(stderr, "qemu-img: warning: Skipping inconsistent bitmap %s\n",
					b->name);
				continue;
			}
			img_error("Cannot copy inconsistent bitmap '%s'\nTry --skip-broken-bitmaps, or use "
				  "'qemu-img bitmap "
				  "--remove'",
				  b->name);
			return 1;
		}
		struct err *e = blk_dirty_new(c->dst, b->name, b->granularity, &d);
		if (e) {
			img_report(e, "Failed to create bitmap %s: ", b->name);
			return 1;
		}
		d->persistent = true;
		d->enabled = b->enabled;
		blk_dirty_merge(d, b);
	}
	return 0;
}

/* A new image reads as zeros when its file does. */
static bool reads_zero(const struct blk_node *dst)
{
	const struct blk_node *n = dst;
	/* What the file's zeros decipher to is something else. */
	if (dst->encoded && !dst->driver->zero)
		return false;
	while (n && n->driver->kind != BLK_TRANSPORT)
		n = n->file;
	return n && n->zero_init && !dst->backing;
}

/* A new encrypted image is opened by the key that it was made with. */
static struct json *target_options(const struct args *a)
{
	static const char *const keys[] = { "key-secret", "encrypt.key-secret" };
	struct json *how = json_dict();
	for (unsigned i = 0; i < LEN(keys) && !a->no_create; i++)
		if (blk_opt_str(a->opts, keys[i]))
			json_set(how, keys[i], json_str(blk_opt_str(a->opts, keys[i])));
	return how;
}

static struct blk_node *open_target(struct img *m, const struct args *a, u32 flags)
{
	if (a->target_image_opts)
		return img_open_as(m, true, a->out, NULL, flags);
	return img_open_with(m, a->out, a->out, a->out_fmt, target_options(a), flags);
}

/* Only files of this host? */
static bool all_local(const struct convert *c)
{
	bool local = img_is_local(c->dst);
	for (unsigned i = 0; i < c->n_src; i++)
		local &= img_is_local(c->src[i]);
	return local;
}

/* What is asked of the sources: snapshots, bitmaps. */
static bool check_sources(const struct args *a, struct convert *c)
{
	struct blk_node *first = c->src[0];
	if (a->snapshot && c->n_src > 1)
		img_error("No support for concatenating multiple snapshot");
	else if (a->bitmaps && c->n_src > 1)
		img_error("Copying bitmaps only possible with single source");
	else if (a->bitmaps && !first->dirty && strcmp(first->driver->name, "qcow2") != 0)
		img_error("Source lacks bitmap support");
	else if (!a->snapshot)
		return true;
	else if (img_load_snapshot(first, a->snapshot)) {
		c->src_size[0] = c->total = blk_size(first);
		return true;
	}
	return false;
}

static bool keeps_bitmaps(struct blk_node *node)
{
	struct err *e = blk_dirty_kept(node);
	err_free(e);
	return !e;
}

/* Opens the target, which is there by now, and sees that it can take what is asked. */
static bool prepare_target(struct img *m, const struct args *a, struct convert *c)
{
	u32 flags = BLK_RDWR | BLK_UNMAP | (a->no_create ? 0 : BLK_RESIZE);
	if (!img_cache_mode(a->cache, &flags)) {
		img_error("Invalid cache option: %s", a->cache);
		return false;
	}
	if (!a->no_create && !a->out_base)
		flags |= BLK_NO_BACKING;
	m->force_share = false;
	c->dst = open_target(m, a, flags);
	if (!c->dst)
		return false;
	if (a->no_create && blk_size(c->dst) < c->total)
		img_error("output file is smaller than input file");
	else if (a->compress && !c->dst->driver->write_compressed)
		img_error("Compression not supported for this file format");
	else if (a->compress && c->dst->encoded)
		img_error("Compression and encryption not supported at the same time");
	else if (a->bitmaps && !keeps_bitmaps(c->dst))
		img_error("Format driver '%s' does not support bitmaps", c->dst->driver->name);
	else
		return true;
	return false;
}

/* How the copy goes about it, by what source and target are. */
static void settle(const struct args *a, struct convert *c)
{
	const char *prealloc = blk_opt_str(a->opts, "preallocation");
	c->created = !a->no_create;
	c->base = c->dst->backing;
	c->target_has_backing = a->out_base && c->base;
	c->target_zero = a->target_is_zero || (!a->no_create && !a->out_base && reads_zero(c->dst));
	c->compress_unit = blk_unit(c->dst);
	if (c->compressed && c->compress_unit < UNIT)
		c->compress_unit = 65536;
	if (prealloc && strcmp(prealloc, "off") != 0 && !a->sparse_given)
		c->min_sparse = c->target_zero ? a->sparse : 0;
	c->local = all_local(c);
	c->piece = c->compressed || !c->local ? BUF : LOCAL;
	c->rate = a->rate;
}

static int convert_all(struct img *m, struct args *a, struct convert *c)
{
	int status = check_target(m, a, c);
	if (status)
		return status;
	if (!check_sources(a, c))
		return 1;
	if (!a->no_create && (status = create_target(m, a, c)))
		return status;
	if (!prepare_target(m, a, c))
		return 1;
	settle(a, c);
	progress_begin(&c->progress, a->progress && !m->quiet, c->total);
	if (run(c) || (a->bitmaps && copy_bitmaps(c, a->skip_broken)))
		return 1;
	int r = blk_flush(c->dst);
	if (r) {
		img_error("error while flushing: %s", strerror(-r));
		return 1;
	}
	progress_end(&c->progress);
	return 0;
}

static int convert(struct img *m, int argc, char **argv)
{
	struct args a = { .cache = "unsafe",
			  .src_cache = "writeback",
			  .sparse = 4096,
			  .coroutines = 8,
			  .opts = json_dict() };
	int status = read_args(m, argc, argv, &a);
	if (status < 0) {
		a.n_src = argc - optind - 1;
		a.src = argv + optind;
		a.out = a.n_src >= 0 ? argv[argc - 1] : NULL;
		if (a.list && img_wants_help(a.list))
			status = img_print_create_options(a.n_src > 0 ? a.out : NULL,
							  a.out_fmt ? a.out_fmt : "raw", false);
	}
	if (status < 0)
		status = check_args(&a);
	if (status < 0 && !img_make_objects(m))
		status = 1;
	if (status >= 0) {
		json_free(a.opts);
		free(a.list);
		return status;
	}
	AUTO(free_ptr) struct blk_node **src = alloc(a.n_src * sizeof(*src));
	struct convert c = { .src = src,
			     .in_order = !a.unordered,
			     .coroutines = a.coroutines,
			     .compressed = a.compress,
			     .min_sparse = a.sparse,
			     .salvage = a.salvage,
			     .copy_range = a.copy_range,
			     .quiet = m->quiet };
	c.src_start = alloc(a.n_src * sizeof(u64));
	c.src_size = alloc(a.n_src * sizeof(u64));
	status = open_sources(m, &a, &c, src) ? convert_all(m, &a, &c) : 1;
	blk_unref(c.dst);
	for (int i = 0; i < a.n_src; i++)
		blk_unref(src[i]);
	free(c.src_start);
	free(c.src_size);
	json_free(a.opts);
	free(a.list);
	return status;
}

IMG_VERB(convert) = {
	.name = "convert",
	.usage = "[--object objectdef] [--image-opts] [--target-image-opts] [--target-is-zero] [--bitmaps] "
		 "[-U] [-C] [-c] [-p] "
		 "[-q] [-n] [-f fmt] [-t cache] [-T src_cache] [-O output_fmt] [-B backing_file [-F "
		 "backing_fmt]] [-o options] "
		 "[-l snapshot_param] [-S sparse_size] [-r rate_limit] [-m num_coroutines] [-W] [--salvage] "
		 "filename [filename2 "
		 "[...]] output_filename",
	.run = convert,
};
