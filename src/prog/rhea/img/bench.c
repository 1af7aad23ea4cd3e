/* img bench: many requests, timed; img dd: copies a part, in blocks. */
#include "prog/rhea/img/img.h"
#include "base/coroutine.h"
#include "base/loop/loop.h"
#include "base/size.h"
#include <errno.h>
#include <getopt.h>

struct bench {
	struct blk_node *node;
	u8 *buf;
	u64 size, at, step;
	size_t bufsize;
	unsigned count, depth, flush_every, active;
	unsigned begun, in_flight;
	bool write, drain;
	bool due; /* a flush waits for what is in flight, and who would begin something waits for the flush */
	int error;
	struct co_wait flushed;
};

static void flush_now(struct bench *b)
{
	int r = blk_flush(b->node);
	if (r && !b->error)
		b->error = r;
}

static void request(struct bench *b)
{
	u64 at = b->at;
	struct iovec v;
	b->at = (b->at + b->step) % (b->size ? b->size : 1);
	if (b->size <= at + b->bufsize)
		b->at = 0;
	struct iovs iov = iovs_one(&v, b->buf, b->bufsize);
	b->in_flight++;
	int r = at > b->size || b->bufsize > b->size - at ? -EIO
		: b->write				  ? blk_pwritev(b->node, at, iov, 0)
							  : blk_preadv(b->node, at, iov, 0);
	b->in_flight--;
	if (r) {
		if (!b->error)
			img_error("Failed request: %s", strerror(-r));
		b->error = r;
	}
}

static void worker(void *arg)
{
	struct bench *b = arg;
	while (b->count && !b->error) {
		if (b->due) {
			co_wait(&b->flushed);
			continue;
		}
		b->count--;
		bool flush = b->flush_every && ++b->begun % b->flush_every == 0;
		b->due = flush && b->drain;
		request(b);
		if (b->due ? !b->in_flight : flush)
			flush_now(b);
		if (b->due && !b->in_flight) {
			b->due = false;
			co_wake_all(&b->flushed);
		}
	}
	b->active--;
}

struct bench_args {
	const char *fmt;
	u64 offset, step, bufsize;
	unsigned count, depth, flush_every;
	unsigned long pattern;
	u32 flags;
	bool native, write, no_drain;
};

static const struct field bench_fields[] = { FIELD_TEXT('f', struct bench_args, fmt),
					     FIELD_FLAG('n', struct bench_args, native),
					     FIELD_FLAG('w', struct bench_args, write),
					     FIELD_FLAG(OPT_NO_DRAIN, struct bench_args, no_drain),
					     { 0 } };

static bool read_count(const char *what, unsigned *ret)
{
	char *end;
	u64 v = strtoul(optarg, &end, 0);
	if (*end || !*optarg || v > INT32_MAX) {
		img_error("Invalid %s specified", what);
		return false;
	}
	*ret = v;
	return true;
}

static bool read_pattern(unsigned long *ret)
{
	char *end;
	*ret = strtoul(optarg, &end, 0);
	if (!*end && *ret <= 255)
		return true;
	img_error("Invalid pattern byte specified");
	return false;
}

/* What is no flag and no text; false: wrong, which was reported. */
static bool bench_option(struct bench_args *a, int c)
{
	switch (c) {
	case 'c':
		return read_count("request count", &a->count);
	case 'd':
		return read_count("queue depth", &a->depth);
	case OPT_FLUSH_INTERVAL:
		return read_count("flush interval", &a->flush_every);
	case 'o':
		return img_parse_size("offset", optarg, &a->offset);
	case 's':
		return img_parse_size_to("buffer size", optarg, INT32_MAX, &a->bufsize);
	case 'S':
		return img_parse_size_to("step_size", optarg, INT32_MAX, &a->step);
	case OPT_PATTERN:
		return read_pattern(&a->pattern);
	case 'i':
		if (img_aio_mode(optarg, &a->flags))
			return true;
		img_error("Invalid aio option: %s", optarg);
		return false;
	default: /* -t */
		if (img_cache_mode(optarg, &a->flags))
			return true;
		img_error("Invalid cache mode");
		return false;
	}
}

/* -1: go on, else the exit status. */
static int bench_args(struct img *m, int argc, char **argv, struct bench_args *a)
{
	static const struct option longs[] = { { "help", no_argument, 0, 'h' },
					       { "flush-interval", required_argument, 0, OPT_FLUSH_INTERVAL },
					       { "image-opts", no_argument, 0, OPT_IMAGE_OPTS },
					       { "no-drain", no_argument, 0, OPT_NO_DRAIN },
					       { "pattern", required_argument, 0, OPT_PATTERN },
					       { "object", required_argument, 0, OPT_OBJECT },
					       { "force-share", no_argument, 0, 'U' },
					       { 0 } };
	int c;
	while ((c = img_getopt(m, argc, argv, ":hc:d:f:ni:o:qs:S:t:wU", longs)) != -1) {
		if (c == OPT_FLAG_HELP)
			return 0;
		if (!field_set(bench_fields, a, c) && !bench_option(a, c))
			return 1;
	}
	a->flags |= (a->native ? BLK_IO_NATIVE : 0) | (a->write ? BLK_RDWR | BLK_UNMAP : 0);
	if (optind != argc - 1)
		img_usage_error("Expecting one image file name");
	if (!a->write && a->flush_every)
		img_error("--flush-interval is only available in write tests");
	else if (a->flush_every && a->flush_every < a->depth)
		img_error("Flush interval can't be smaller than depth");
	else if (!a->depth)
		img_error("Invalid queue depth specified");
	else if ((a->flags & BLK_IO_NATIVE) && !(a->flags & BLK_DIRECT))
		img_error(
		    "aio=native was specified, but it requires cache.direct=on, which was not specified.");
	else
		return -1;
	return 1;
}

/* Runs it; the seconds are told. */
static int bench_run(struct bench *b, unsigned long pattern)
{
	if (posix_memalign((void **)&b->buf, 4096, b->bufsize))
		return 1;
	memset(b->buf, pattern, b->bufsize);
	i64 start = loop_now();
	b->active = MIN(b->depth, b->count);
	for (unsigned i = b->active; i; i--)
		co_enter(co_new(worker, b));
	while (b->active)
		loop_run_once(loop_here(), true);
	printf("Run completed in %3.3f seconds.\n", (loop_now() - start) / 1e9);
	free(b->buf);
	return b->error ? 1 : 0;
}

static int bench(struct img *m, int argc, char **argv)
{
	struct bench_args a = { .count = 75000, .depth = 64, .bufsize = 4096 };
	int status = bench_args(m, argc, argv, &a);
	if (status >= 0)
		return status;
	struct blk_node *node = img_make_objects(m) ? img_open(m, argv[optind], a.fmt, a.flags) : NULL;
	if (!node)
		return 1;
	struct bench b = { .node = node,
			   .size = blk_size(node),
			   .at = a.offset,
			   .step = a.step ? a.step : a.bufsize,
			   .bufsize = a.bufsize,
			   .count = a.count,
			   .depth = a.depth,
			   .flush_every = a.flush_every,
			   .write = a.write,
			   .drain = !a.no_drain };
	printf("Sending %u %s requests, %zu bytes each, %u in parallel (starting at offset %lld, step size "
	       "%llu)\n",
	       b.count, b.write ? "write" : "read", b.bufsize, b.depth, (long long)a.offset,
	       (unsigned long long)b.step);
	if (b.flush_every)
		printf("Sending flush every %u %srequests\n", b.flush_every, b.drain ? "drained " : "");
	fflush(stdout);
	status = bench_run(&b, a.pattern);
	blk_unref(node);
	return status;
}

IMG_VERB(bench) = {
	.name = "bench",
	.usage = "[-c count] [-d depth] [-f fmt] [--flush-interval=flush_interval] [-i aio] [-n] "
		 "[--no-drain] [-o offset] "
		 "[--pattern=pattern] [-q] [-s buffer_size] [-S step_size] [-t cache] [-w] [-U] filename",
	.run = bench,
};

/* ---- dd ---- */

struct dd {
	u64 bs, count, skip;
	bool has_count;
	char *in, *out;
};

static bool dd_operand(struct dd *d, const char *arg)
{
	const char *eq = strchr(arg, '=');
	if (!eq) {
		img_error("unrecognized operand %s", arg);
		return false;
	}
	size_t n = eq - arg;
	u64 *to = NULL;
	if (n == 2 && strncmp(arg, "if", 2) == 0)
		d->in = (char *)eq + 1;
	else if (n == 2 && strncmp(arg, "of", 2) == 0)
		d->out = (char *)eq + 1;
	else if (n == 2 && strncmp(arg, "bs", 2) == 0)
		to = &d->bs;
	else if (n == 5 && strncmp(arg, "count", 5) == 0) {
		to = &d->count;
		d->has_count = true;
	} else if (n == 4 && strncmp(arg, "skip", 4) == 0)
		to = &d->skip;
	else {
		img_error("unrecognized operand %.*s", (int)n, arg);
		return false;
	}
	AUTO(free_ptr) char *what = strf("%.*s", (int)n, arg);
	if (to && !img_parse_size(what, eq + 1, to))
		return false;
	if (to == &d->bs && (!d->bs || d->bs > INT32_MAX)) {
		img_error("Invalid bs specified. Must be between 1 and %d.", INT32_MAX);
		return false;
	}
	return true;
}

static int dd_copy(struct dd *d, struct blk_node *in, struct blk_node *out, u64 size)
{
	AUTO(free_ptr) u8 *buf = alloc(d->bs);
	for (u64 at = d->skip * d->bs, to = 0; at < size; at += d->bs, to += d->bs) {
		u64 len = MIN(d->bs, size - at);
		int r = blk_pread(in, at, buf, len);
		if (r) {
			img_error("error while reading from input image file: %s", strerror(-r));
			return 1;
		}
		if ((r = blk_pwrite(out, to, buf, len))) {
			img_error("error while writing to output image file: %s", strerror(-r));
			return 1;
		}
	}
	return 0;
}

static int dd(struct img *m, int argc, char **argv)
{
	static const struct option longs[] = { { "help", no_argument, 0, 'h' },
					       { "object", required_argument, 0, OPT_OBJECT },
					       { "image-opts", no_argument, 0, OPT_IMAGE_OPTS },
					       { "force-share", no_argument, 0, 'U' },
					       { 0 } };
	struct dd d = { .bs = 512 };
	const char *fmt = NULL, *out_fmt = "raw";
	int c;
	while ((c = img_getopt(m, argc, argv, ":hf:O:U", longs)) != -1) {
		if (c == 'O')
			out_fmt = optarg;
		else if (c == 'f')
			fmt = optarg;
		else
			return 0;
	}
	for (int i = optind; i < argc; i++)
		if (!dd_operand(&d, argv[i]))
			return 1;
	if (!d.in || !d.out) {
		img_error("Must specify both input and output files");
		return 1;
	}
	if (!img_make_objects(m))
		return 1;
	struct blk_node *in = img_open(m, d.in, fmt, 0), *out = NULL;
	if (!in)
		return 1;
	const struct blk_driver *drv = blk_driver_find(out_fmt);
	int status = 1;
	u64 size = blk_size(in);
	if (d.has_count && d.count <= INT64_MAX / d.bs && (d.count + d.skip) * d.bs < size)
		size = (d.count + d.skip) * d.bs;
	u64 skipped = d.skip > INT64_MAX / d.bs ? ~0ull : d.skip * d.bs;
	if (!drv) {
		img_error("Unknown file format '%s'", out_fmt);
	} else if (!drv->create_opts) {
		img_error("Format driver '%s' does not support image creation", drv->name);
	} else {
		struct json *opts = json_dict();
		if (skipped > size) {
			img_error("%s: cannot skip to specified offset", d.in);
			d.skip = 0;
			skipped = size;
		}
		AUTO(free_ptr)
		char *text = strf("%llu", (unsigned long long)(skipped >= size ? 0 : size - skipped));
		json_set(opts, "size", json_str(text));
		struct err *e = blk_create_image(m->graph, d.out, out_fmt, opts);
		if (e)
			img_report(e, "%s: error while creating output image: ", d.out);
		else if ((out = img_open_as(m, false, d.out, out_fmt, BLK_RDWR | BLK_UNMAP | BLK_RESIZE)))
			status = skipped >= size ? 0 : dd_copy(&d, in, out, size);
	}
	blk_unref(in);
	blk_unref(out);
	return status;
}

IMG_VERB(dd) = {
	.name = "dd",
	.usage = "[--image-opts] [-U] [-f fmt] [-O output_fmt] [bs=block_size] [count=blocks] [skip=blocks] "
		 "if=input of=output",
	.run = dd,
};
