/* img rebase: another backing file under an image; img commit: an image's changes into its backing file. */
#include "prog/rhea/img/img.h"
#include "base/loop/loop.h"
#include <getopt.h>

enum { BUF = 2 << 20 };

struct rebase {
	struct blk_node *top, *old_base, *new_base;
	bool compress;
	struct progress progress;
	int status;
};

static int read_base(struct blk_node *base, const char *what, u64 at, u8 *buf, u64 len)
{
	u64 size = base ? blk_size(base) : 0, part = at >= size ? 0 : MIN(len, size - at);
	memset(buf + part, 0, len - part);
	int r = part ? blk_pread(base, at, buf, part) : 0;
	if (r)
		img_error("error while reading from %s backing file: %s", what, strerror(-r));
	return r;
}

/* Zeros without bytes, if the image can say that whatever lies below it. */
static bool zeroed(struct blk_node *top, u64 at, u64 len)
{
	if (blk_zero(top, at, len, BLK_REQ_NO_FALLBACK))
		return false;
	while (len) {
		struct blk_extent x;
		if (blk_map(top, at, len, &x) || x.where == BLK_HOLE)
			return false;
		at += x.len;
		len -= x.len;
	}
	return true;
}

/*
 * How far the units from `at` on all differ, or are all the same; of those that differ, whether all lie within the
 * old backing file, or all behind its end.
 */
static u64 run_of(const u8 *old, const u8 *now, u64 at, u64 len, u64 unit, u64 old_size, bool *ret_differs)
{
	u64 n = MIN(unit - at % unit, len);
	*ret_differs = memcmp(old, now, n) != 0;
	while (n < len) {
		u64 part = MIN(unit, len - n);
		if ((memcmp(old + n, now + n, part) != 0) != *ret_differs ||
		    (at + n >= old_size) != (at >= old_size))
			break;
		n += part;
	}
	return n;
}

/* What shows through the image and differs below is written into the image. */
static void do_rebase(void *arg)
{
	struct rebase *b = arg;
	u64 size = blk_size(b->top), old_size = b->old_base ? blk_size(b->old_base) : 0;
	u8 *old, *now;
	if (posix_memalign((void **)&old, 4096, BUF) || posix_memalign((void **)&now, 4096, BUF)) {
		b->status = 1;
		return;
	}
	for (u64 at = 0; at < size && !b->status;) {
		struct blk_extent x;
		u64 len = MIN(size - at, (u64)BUF);
		int r = blk_map(b->top, at, len, &x);
		if (r) {
			img_error("error while reading image metadata: %s", strerror(-r));
			b->status = 1;
			break;
		}
		len = x.len;
		if (x.where == BLK_HOLE) {
			if (read_base(b->old_base, "old", at, old, len) ||
			    read_base(b->new_base, "new", at, now, len)) {
				b->status = 1;
				break;
			}
			/* Runs of differing units of 64 KiB, at least: whole clusters mostly. */
			u64 unit = MAX(b->top->granularity, b->compress ? 65536u : 512u);
			for (u64 n = 0; n < len && !b->status;) {
				bool differs;
				u64 part =
				    run_of(old + n, now + n, at + n, len - n, unit, old_size, &differs);
				if (differs) {
					struct iovec v;
					r = at + n >= old_size && zeroed(b->top, at + n, part)
						? 0
						: blk_pwritev(b->top, at + n, iovs_one(&v, old + n, part),
							      b->compress ? BLK_REQ_COMPRESSED : 0);
					if (r) {
						img_error("Error while writing to COW image: %s",
							  strerror(-r));
						b->status = 1;
					}
				}
				n += part;
			}
		}
		at += len;
		progress_set(&b->progress, at, size);
	}
	free(old);
	free(now);
}

static int open_base(struct img *m, const char *name, const char *fmt, u32 flags, const char *what,
		     struct blk_node **ret)
{
	struct err *e =
	    blk_open(m->graph, name, fmt, NULL, flags | (m->force_share ? BLK_FORCE_SHARE : 0), ret);
	if (e)
		img_report(e, "Could not open %s backing file '%s': ", what, name);
	return e ? 1 : 0;
}

static int rebase_image(struct img *m, struct blk_node *top, const char *base, const char *base_fmt,
			bool unsafe, u32 src_flags, bool show, bool compress)
{
	struct rebase b = { .top = top, .compress = compress };
	if (base_fmt && !blk_driver_find(base_fmt)) {
		img_error("Invalid format name: '%s'", base_fmt);
		return 1;
	}
	if (!top->driver->set_backing) {
		img_error("Could not change the backing file to '%s': Operation not supported",
			  base ? base : "");
		return 1;
	}
	bool has_base = base && *base;
	if (!unsafe) {
		b.old_base = top->backing ? blk_ref(top->backing) : NULL;
		if (has_base) {
			AUTO(free_ptr) char *path = blk_path_join(top->filename, base);
			if (open_base(m, path, base_fmt, src_flags, "new", &b.new_base)) {
				blk_unref(b.old_base);
				return 1;
			}
			if (!base_fmt) {
				img_error("Backing file specified without backing format");
				fprintf(stderr, "Detected format of %s.\n", b.new_base->driver->name);
				blk_unref(b.new_base);
				blk_unref(b.old_base);
				return 1;
			}
		}
		progress_begin(&b.progress, show, blk_size(top));
		co_run(do_rebase, &b);
	} else if (has_base && !base_fmt) {
		/* Nobody looks at the file, but its format must be said. */
		img_error("Could not change the backing file to '%s': backing format must be specified",
			  base);
		return 1;
	}
	if (!b.status) {
		struct err *e =
		    top->driver->set_backing(top, has_base ? base : NULL, has_base ? base_fmt : NULL);
		if (e) {
			if (err_errnum(e) == 28)
				img_error("Could not change the backing file to '%s': No space left in the "
					  "file header",
					  base ? base : "");
			else
				img_report(e,
					   "Could not change the backing file to '%s': ", base ? base : "");
			b.status = 1;
		}
	}
	if (!b.status && !unsafe)
		progress_end(&b.progress);
	blk_unref(b.old_base);
	blk_unref(b.new_base);
	return b.status;
}

static int rebase(struct img *m, int argc, char **argv)
{
	static const struct option longs[] = { { "help", no_argument, 0, 'h' },
					       { "object", required_argument, 0, OPT_OBJECT },
					       { "image-opts", no_argument, 0, OPT_IMAGE_OPTS },
					       { "force-share", no_argument, 0, 'U' },
					       { 0 } };
	const char *fmt = NULL, *base = NULL, *base_fmt = NULL, *cache = "writeback",
		   *src_cache = "writeback";
	bool unsafe = false, show = false, compress = false, has_base = false;
	int c;
	while ((c = img_getopt(m, argc, argv, ":hf:F:b:upt:T:qUc", longs)) != -1) {
		switch (c) {
		case 'f':
			fmt = optarg;
			break;
		case 'F':
			base_fmt = optarg;
			break;
		case 'b':
			base = optarg;
			has_base = true;
			break;
		case 'u':
			unsafe = true;
			break;
		case 'p':
			show = true;
			break;
		case 't':
			cache = optarg;
			break;
		case 'T':
			src_cache = optarg;
			break;
		case 'c':
			compress = true;
			break;
		default:
			return 0;
		}
	}
	if (optind != argc - 1)
		img_usage_error("Expecting one image file name");
	if (!unsafe && !has_base)
		img_usage_error("Must specify backing file (-b) or use unsafe mode (-u)");
	u32 flags = BLK_RDWR | BLK_UNMAP | (unsafe ? BLK_NO_BACKING : 0), src_flags = 0;
	if (!img_make_objects(m))
		return 1;
	if (!img_cache_mode(cache, &flags)) {
		img_error("Invalid cache option: %s", cache);
		return 1;
	}
	if (!img_cache_mode(src_cache, &src_flags)) {
		img_error("Invalid source cache option: %s", src_cache);
		return 1;
	}
	struct blk_node *top = img_open(m, argv[optind], fmt, flags);
	if (!top)
		return 1;
	int status = rebase_image(m, top, base, base_fmt, unsafe, src_flags, show && !m->quiet, compress);
	blk_unref(top);
	return status;
}

IMG_VERB(rebase) = {
	.name = "rebase",
	.usage = "[--object objectdef] [--image-opts] [-U] [-q] [-f fmt] [-t cache] [-T src_cache] [-p] [-u] "
		 "[-c] -b "
		 "backing_file [-F backing_fmt] filename",
	.run = rebase,
};

/* ---- commit ---- */

struct commit {
	struct blk_node *top, *base;
	u64 rate, done_bytes;
	i64 start;
	struct progress progress;
	int status;
};

static void commit_failed(struct commit *c, int r)
{
	img_error("Block job failed: %s", strerror(-r));
	c->status = 1;
}

static void do_commit(void *arg)
{
	struct commit *c = arg;
	u64 size = blk_size(c->top);
	u8 *buf;
	if (posix_memalign((void **)&buf, 4096, BUF)) {
		c->status = 1;
		return;
	}
	for (u64 at = 0; at < size && !c->status;) {
		struct blk_status s;
		int r = blk_status(c->top, c->base, at, MIN(size - at, (u64)BUF), &s);
		if (!r && s.present) {
			if (s.zero)
				r = blk_zero(c->base, at, s.len, BLK_REQ_MAY_UNMAP);
			else if (!(r = blk_pread(c->top, at, buf, s.len)))
				r = blk_pwrite(c->base, at, buf, s.len);
			c->done_bytes += s.len;
			if (c->rate) {
				i64 due = c->start + (i64)((double)c->done_bytes / c->rate * 1e9),
				    now = loop_now();
				if (due > now)
					co_sleep(due - now);
			}
		}
		if (r)
			commit_failed(c, r);
		at += s.len;
		progress_set(&c->progress, at, size);
	}
	int r = c->status ? 0 : blk_flush(c->base);
	if (r)
		commit_failed(c, r);
	free(buf);
}

static struct blk_node *find_base(struct blk_node *top, const char *name)
{
	if (!name)
		return top->backing;
	AUTO(free_ptr) char *full = blk_path_join(top->filename, name);
	AUTO(free_ptr) char *real = realpath(full, NULL);
	for (struct blk_node *n = top; n->backing; n = n->backing) {
		AUTO(free_ptr) char *has = realpath(n->backing->filename, NULL);
		if (strcmp(n->backing->filename, full) == 0 || (real && has && strcmp(real, has) == 0) ||
		    (n->backing_file && strcmp(n->backing_file, name) == 0))
			return n->backing;
	}
	return NULL;
}

static struct err *make_writable(struct blk_node *node)
{
	struct err *e = NULL;
	for (struct blk_child *c = node->children; c && !e; c = c->next)
		if (c->node != node->backing)
			e = make_writable(c->node);
	if (e || (node->flags & BLK_RDWR))
		return e;
	u32 flags = node->flags | BLK_RDWR | BLK_UNMAP;
	if (node->driver->kind == BLK_TRANSPORT && (node->flags & BLK_KEEP_WRITERS_OUT))
		flags |= BLK_RESIZE;
	if (node->driver->reopen)
		return node->driver->reopen(node, flags);
	node->flags = flags;
	return NULL;
}

static int commit_image(struct blk_node *top, const char *base_name, u64 rate, bool drop, bool show,
			bool quiet)
{
	if (!top->backing && !base_name) {
		img_error("Image does not have a backing file");
		return 1;
	}
	struct commit c = { .top = top, .rate = rate, .start = loop_now() };
	c.base = find_base(top, base_name);
	if (!c.base) {
		img_error("Did not find '%s' in the backing chain of '%s'", base_name, top->filename);
		return 1;
	}
	struct err *e = make_writable(c.base);
	if (!e && blk_size(c.base) < blk_size(top))
		e = blk_truncate(c.base, blk_size(top), false, BLK_PREALLOC_OFF, false);
	if (e) {
		img_report(e, "%s", "");
		return 1;
	}
	progress_begin(&c.progress, show, blk_size(top));
	co_run(do_commit, &c);
	if (c.status)
		return c.status;
	/* Everything lies below now, stable: the top may let go of it. */
	if (!drop && !base_name) {
		int r = top->driver->make_empty ? top->driver->make_empty(top) : -95;
		if (r == -95)
			r = 0;
		if (r) {
			img_error("Failed to empty %s: %s", top->filename, strerror(-r));
			return 1;
		}
	}
	progress_end(&c.progress);
	if (!quiet)
		puts("Image committed.");
	return 0;
}

static int commit(struct img *m, int argc, char **argv)
{
	static const struct option longs[] = { { "help", no_argument, 0, 'h' },
					       { "object", required_argument, 0, OPT_OBJECT },
					       { "image-opts", no_argument, 0, OPT_IMAGE_OPTS },
					       { 0 } };
	const char *fmt = NULL, *cache = "writeback", *base = NULL;
	bool drop = false, show = false;
	u64 rate = 0;
	int c;
	while ((c = img_getopt(m, argc, argv, ":f:ht:b:dpqr:", longs)) != -1) {
		switch (c) {
		case 'f':
			fmt = optarg;
			break;
		case 't':
			cache = optarg;
			break;
		case 'b':
			base = optarg;
			drop = true;
			break;
		case 'd':
			drop = true;
			break;
		case 'p':
			show = true;
			break;
		case 'r':
			if (!img_parse_size("rate limit", optarg, &rate))
				return 1;
			break;
		default:
			return 0;
		}
	}
	if (optind != argc - 1)
		img_usage_error("Expecting one image file name");
	u32 flags = BLK_RDWR | BLK_UNMAP;
	if (!img_make_objects(m))
		return 1;
	if (!img_cache_mode(cache, &flags)) {
		img_error("Invalid cache option: %s", cache);
		return 1;
	}
	struct blk_node *top = img_open(m, argv[optind], fmt, flags);
	if (!top)
		return 1;
	int status = commit_image(top, base, rate, drop, show && !m->quiet, m->quiet);
	blk_unref(top);
	return status;
}

IMG_VERB(commit) = {
	.name = "commit",
	.usage = "[--object objectdef] [--image-opts] [-q] [-f fmt] [-t cache] [-b base] [-r rate_limit] "
		 "[-d] [-p] filename",
	.run = commit,
};
