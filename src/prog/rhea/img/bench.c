/* img bench: many requests, timed; img dd: copies a part, in blocks. */
#include "prog/rhea/img/img.h"
#include "base/coroutine.h"
#include "base/loop/loop.h"
#include "base/size.h"
#include <getopt.h>

struct bench {
	struct blk_node *node;
	u8 *buf;
	u64 size, at, step;
	size_t bufsize;
	unsigned count, depth, flush_every, active;
	bool write, drain;
	unsigned done, flushing;
	int error;
	struct co_wait flush_wait;
};

static void flush_now(struct bench *b)
{
	int r = blk_flush(b->node);
	if (r && !b->error)
		b->error = r;
}

static void worker(void *arg)
{
	struct bench *b = arg;
	while (b->count && !b->error) {
		u64 at = b->at;
		struct iovec v;
		b->count--;
		b->at = (b->at + b->step) % (b->size ? b->size : 1);
		if (b->size <= at + b->bufsize)
			b->at = 0;
		struct iovs iov = iovs_one(&v, b->buf, b->bufsize);
		int r = b->write ? blk_pwritev(b->node, at, iov, 0) : blk_preadv(b->node, at, iov, 0);
		if (r) {
			if (!b->error)
				img_error("Failed request: %s", strerror(-r));
			b->error = r;
		}
		if (b->flush_every && ++b->done % b->flush_every == 0)
			flush_now(b);
	}
	b->active--;
}

static int bench(struct img *m, int argc, char **argv)
{
	static const struct option longs[] = { { "help", no_argument, 0, 'h' },
					       { "flush-interval", required_argument, 0, OPT_FLUSH_INTERVAL },
					       { "image-opts", no_argument, 0, OPT_IMAGE_OPTS },
					       { "no-drain", no_argument, 0, OPT_NO_DRAIN },
					       { "pattern", required_argument, 0, OPT_PATTERN },
					       { "object", required_argument, 0, OPT_OBJECT },
					       { "force-share", no_argument, 0, 'U' },
					       { 0 } };
	struct bench b = { .count = 75000, .depth = 64, .bufsize = 4096, .drain = true };
	const char *fmt = NULL;
	u64 offset = 0, v;
	unsigned long pattern = 0;
	u32 flags = 0;
	bool has_step = false;
	int c;
	while ((c = img_getopt(m, argc, argv, ":hc:d:f:ni:o:qs:S:t:wU", longs)) != -1) {
		char *end = NULL;
		switch (c) {
		case 'c':
		case 'd':
		case OPT_FLUSH_INTERVAL:
			v = strtoul(optarg, &end, 0);
			if (*end || !*optarg || v > INT32_MAX) {
				img_error(c == 'c'   ? "Invalid request count specified"
					  : c == 'd' ? "Invalid queue depth specified"
						     : "Invalid flush interval specified");
				return 1;
			}
			*(c == 'c' ? &b.count : c == 'd' ? &b.depth : &b.flush_every) = v;
			break;
		case 'f':
			fmt = optarg;
			break;
		case 'n':
			flags |= BLK_IO_NATIVE;
			break;
		case 'i':
			if (!img_aio_mode(optarg, &flags)) {
				img_error("Invalid aio option: %s", optarg);
				return 1;
			}
			break;
		case 'o':
			if (!img_parse_size("offset", optarg, &offset))
				return 1;
			break;
		case 's':
			if (!img_parse_size("buffer size", optarg, &v) || v > INT32_MAX || !v)
				return 1;
			b.bufsize = v;
			break;
		case 'S':
			if (!img_parse_size("step_size", optarg, &b.step))
				return 1;
			has_step = true;
			break;
		case 't':
			if (!img_cache_mode(optarg, &flags)) {
				img_error("Invalid cache mode");
				return 1;
			}
			break;
		case 'w':
			b.write = true;
			flags |= BLK_RDWR | BLK_UNMAP;
			break;
		case OPT_PATTERN:
			pattern = strtoul(optarg, &end, 0);
			if (*end || pattern > 255) {
				img_error("Invalid pattern byte specified");
				return 1;
			}
			break;
		case OPT_NO_DRAIN:
			b.drain = false;
			break;
		default:
			return 0;
		}
	}
	if (optind != argc - 1)
		img_usage_error("Expecting one image file name");
	if (!b.write && b.flush_every) {
		img_error("--flush-interval is only available in write tests");
		return 1;
	}
	if (b.flush_every && b.flush_every < b.depth) {
		img_error("Flush interval can't be smaller than depth");
		return 1;
	}
	if ((flags & BLK_IO_NATIVE) && !(flags & BLK_DIRECT)) {
		img_error(
		    "aio=native was specified, but it requires cache.direct=on, which was not specified.");
		return 1;
	}
	if (!img_make_objects(m) || !(b.node = img_open(m, argv[optind], fmt, flags)))
		return 1;
	b.size = blk_size(b.node);
	b.step = has_step && b.step ? b.step : b.bufsize;
	b.at = offset;
	printf("Sending %u %s requests, %zu bytes each, %u in parallel (starting at offset %lld, step size "
	       "%llu)\n",
	       b.count, b.write ? "write" : "read", b.bufsize, b.depth, (long long)offset,
	       (unsigned long long)b.step);
	if (b.flush_every)
		printf("Sending flush every %u %srequests\n", b.flush_every, b.drain ? "drained " : "");
	fflush(stdout);
	if (posix_memalign((void **)&b.buf, 4096, b.bufsize))
		return 1;
	memset(b.buf, pattern, b.bufsize);
	i64 start = loop_now();
	unsigned depth = MIN(b.depth, b.count);
	b.active = depth;
	for (unsigned i = 0; i < depth; i++)
		co_enter(co_new(worker, &b));
	while (b.active)
		loop_run_once(loop_here(), true);
	printf("Run completed in %3.3f seconds.\n", (loop_now() - start) / 1e9);
	free(b.buf);
	blk_unref(b.node);
	return b.error ? 1 : 0;
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
	if (to && size_parse(eq + 1, to)) {
		img_error("invalid number: '%s'", eq + 1);
		return false;
	}
	if (to == &d->bs && (!d->bs || d->bs > INT32_MAX)) {
		img_error("Invalid number: '%s'", eq + 1);
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
		img_error("Must specify both input and output file names");
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
