/* img resize, amend, bitmap: changes to one image. */
#include "prog/rhea/img/img.h"
#include "base/size.h"
#include <getopt.h>

static int resize_image(struct blk_node *node, const char *fmt UNUSED, i64 relative, u64 n,
			enum blk_prealloc mode, bool shrink, bool quiet)
{
	u64 now = blk_size(node), size = relative ? (relative > 0 ? now + n : now - n) : n;
	if ((relative < 0 && n >= now) || size > INT64_MAX || !size) {
		img_error("New image size must be positive");
		return 1;
	}
	if (size <= now && mode != BLK_PREALLOC_OFF) {
		img_error("Preallocation can only be used for growing images");
		return 1;
	}
	if (size < now && !shrink) {
		img_error("Use the --shrink option to perform a shrink operation.");
		img_error("warning: Shrinking an image will delete all data beyond the shrunken image's end. "
			  "Before performing "
			  "such an operation, make sure there is no important data there.");
		return 1;
	}
	struct err *e = blk_truncate(node, size, true, mode, false);
	if (e) {
		img_report(e, "%s", "");
		return 1;
	}
	if (!quiet)
		puts("Image resized.");
	return 0;
}

static int resize(struct img *m, int argc, char **argv)
{
	static const struct option longs[] = { { "help", no_argument, 0, 'h' },
					       { "object", required_argument, 0, OPT_OBJECT },
					       { "image-opts", no_argument, 0, OPT_IMAGE_OPTS },
					       { "preallocation", required_argument, 0, OPT_PREALLOCATION },
					       { "shrink", no_argument, 0, OPT_SHRINK },
					       { 0 } };
	if (argc < 3)
		img_usage_error("Not enough arguments");
	/* The size comes last: "-1G" is no option. */
	const char *text = argv[--argc], *fmt = NULL;
	enum blk_prealloc mode = BLK_PREALLOC_OFF;
	bool shrink = false;
	int c;
	while ((c = img_getopt(m, argc, argv, ":f:hq", longs)) != -1) {
		if (c == 'f')
			fmt = optarg;
		else if (c == OPT_PREALLOCATION) {
			if (!blk_prealloc_find(optarg, &mode)) {
				img_error("Invalid preallocation mode '%s'", optarg);
				return 1;
			}
		} else if (c == OPT_SHRINK)
			shrink = true;
		else
			return 0;
	}
	if (optind != argc - 1)
		img_usage_error("Expecting image file name and size");
	int relative = *text == '+' ? 1 : *text == '-' ? -1 : 0;
	u64 n;
	if (!img_parse_size("image size", text + !!relative, &n))
		return 1;
	if (!img_make_objects(m))
		return 1;
	struct blk_node *node = img_open(m, argv[optind], fmt, BLK_RDWR | BLK_RESIZE | BLK_UNMAP);
	if (!node)
		return 1;
	int status = resize_image(node, fmt, relative, n, mode, shrink, m->quiet);
	blk_unref(node);
	return status;
}

IMG_VERB(resize) = {
	.name = "resize",
	.usage = "[--object objectdef] [--image-opts] [-f fmt] [--preallocation=prealloc] [-q] [--shrink] "
		 "filename [+ | -]size",
	.run = resize,
};

/* ---- amend ---- */

static void amend_progress(void *user, u64 done, u64 total)
{
	progress_set(user, done, total);
}

static int amend_image(struct blk_node *node, struct json *opts, bool force, bool show)
{
	const struct blk_driver *d = node->driver;
	struct progress p;
	if (!d->amend) {
		img_error("Format driver '%s' does not support option amendment", d->name);
		return 1;
	}
	for (size_t i = 0; i < opts->n; i++) {
		const struct blk_opt *o = blk_opt_find(d->create_opts, opts->keys[i]);
		if (!o || !o->amend) {
			img_error("Invalid parameter '%s'", opts->keys[i]);
			if (o)
				printf("This option is only supported for image creation\n");
			return 1;
		}
	}
	struct err *e = blk_opts_check(opts, d->create_opts, NULL);
	if (!e) {
		progress_begin(&p, show, 1);
		e = d->amend(node, opts, force, amend_progress, &p);
		progress_end(&p);
	}
	if (e) {
		img_report(e, "%s", "");
		return 1;
	}
	return 0;
}

struct amend_args {
	const char *fmt, *cache;
	bool show, force;
};

static const struct field amend_fields[] = { FIELD_TEXT('f', struct amend_args, fmt),
					     FIELD_TEXT('t', struct amend_args, cache),
					     FIELD_FLAG('p', struct amend_args, show),
					     FIELD_FLAG(OPT_FORCE, struct amend_args, force),
					     { 0 } };

static int amend(struct img *m, int argc, char **argv)
{
	static const struct option longs[] = { { "help", no_argument, 0, 'h' },
					       { "object", required_argument, 0, OPT_OBJECT },
					       { "image-opts", no_argument, 0, OPT_IMAGE_OPTS },
					       { "force", no_argument, 0, OPT_FORCE },
					       { 0 } };
	struct amend_args a = { .cache = "writeback" };
	AUTO(json_freep) struct json *opts = json_dict();
	AUTO(free_ptr) char *list = NULL;
	int c;
	while ((c = img_getopt(m, argc, argv, ":ho:f:t:pq", longs)) != -1) {
		if (field_set(amend_fields, &a, c))
			continue;
		if (c != 'o')
			return 0;
		if (!img_add_options(opts, &list, optarg))
			return 1;
	}
	if (!list)
		img_usage_error("Must specify options (-o)");
	const char *filename = optind == argc - 1 ? argv[optind] : NULL;
	if (a.fmt && img_wants_help(list))
		return img_print_create_options(filename, a.fmt, true);
	if (!filename) {
		img_error("Expecting one image file name");
		return 1;
	}
	u32 flags = BLK_RDWR | BLK_RESIZE | BLK_UNMAP;
	if (!img_make_objects(m))
		return 1;
	if (!img_cache_mode(a.cache, &flags)) {
		img_error("Invalid cache option: %s", a.cache);
		return 1;
	}
	struct blk_node *node = img_open(m, filename, a.fmt, flags);
	if (!node)
		return 1;
	int status;
	if (img_wants_help(list))
		status = img_print_create_options(filename, node->driver->name, true);
	else
		status = amend_image(node, opts, a.force, a.show && !m->quiet);
	blk_unref(node);
	return status;
}

IMG_VERB(amend) = {
	.name = "amend",
	.usage =
	    "[--object objectdef] [--image-opts] [-p] [-q] [-f fmt] [-t cache] [--force] -o options filename",
	.run = amend,
};

/* ---- bitmap ---- */

enum { MAX_ACTIONS = 64 };

struct action {
	int what;
	const char *src; /* merge */
};

static const char *const action_names[] = {
	[OPT_ADD - OPT_ADD] = "add",	     [OPT_REMOVE - OPT_ADD] = "remove",
	[OPT_CLEAR - OPT_ADD] = "clear",     [OPT_ENABLE - OPT_ADD] = "enable",
	[OPT_DISABLE - OPT_ADD] = "disable", [OPT_MERGE - OPT_ADD] = "merge"
};

static struct err *usable(struct blk_node *node, const char *name, struct blk_dirty **ret)
{
	*ret = blk_dirty_find(node, name);
	if (!*ret)
		return err_new(ERR_NOT_FOUND, "Dirty bitmap '%s' not found", name);
	if ((*ret)->inconsistent)
		return err_hint(err_new(ERR_CORRUPT, "Bitmap '%s' is inconsistent and cannot be used", name),
				"Try block-dirty-bitmap-remove to delete this bitmap from disk");
	return NULL;
}

static u32 default_granularity(struct blk_node *node)
{
	struct blk_info info = { 0 };
	struct err *e = node->driver->info ? node->driver->info(node, &info) : NULL;
	err_free(e);
	json_free(info.specific);
	return info.cluster_size ? MAX(4096u, (u32)info.cluster_size) : 65536;
}

static struct err *act(struct blk_node *node, struct blk_node *src, const struct action *a, const char *name,
		       u32 granularity)
{
	struct blk_dirty *b, *from;
	struct err *e;
	switch (a->what) {
	case OPT_ADD:
		if (strlen(name) > 1023)
			return err_new(ERR_INVALID, "Bitmap name is too long");
		if (granularity && (granularity < 512 || (granularity & (granularity - 1))))
			return err_new(ERR_INVALID, "Granularity must be power of 2 and at least 512");
		if ((e = blk_dirty_kept(node)))
			return e;
		e = blk_dirty_new(node, name, granularity ? granularity : default_granularity(node), &b);
		if (!e)
			b->persistent = true;
		return e;
	case OPT_REMOVE:
		if (!(b = blk_dirty_find(node, name)))
			return err_new(ERR_NOT_FOUND, "Dirty bitmap '%s' not found", name);
		blk_dirty_free(node, b);
		return NULL;
	case OPT_MERGE:
		if ((e = usable(node, name, &b)) || (e = usable(src, a->src, &from)))
			return e;
		if (b->size != from->size)
			return err_new(
			    ERR_INVALID,
			    "Bitmaps are of different sizes (destination size is %llu bytes, source "
			    "size is %llu bytes) and can't be merged",
			    (unsigned long long)b->size, (unsigned long long)from->size);
		blk_dirty_merge(b, from);
		return NULL;
	}
	if ((e = usable(node, name, &b)))
		return e;
	if (a->what == OPT_CLEAR)
		blk_dirty_clear(b, 0, b->size);
	else
		b->enabled = a->what == OPT_ENABLE;
	return NULL;
}

static int run_actions(struct blk_node *node, struct blk_node *src, const struct action *a, unsigned n,
		       const char *name, u32 granularity)
{
	for (unsigned i = 0; i < n; i++) {
		struct err *e = act(node, src, &a[i], name, granularity);
		if (e) {
			img_report(e, "Operation %s on bitmap %s failed: ", action_names[a[i].what - OPT_ADD],
				   name);
			return 1;
		}
	}
	return 0;
}

static int bitmap(struct img *m, int argc, char **argv)
{
	static const struct option longs[] = { { "help", no_argument, 0, 'h' },
					       { "object", required_argument, 0, OPT_OBJECT },
					       { "image-opts", no_argument, 0, OPT_IMAGE_OPTS },
					       { "add", no_argument, 0, OPT_ADD },
					       { "clear", no_argument, 0, OPT_CLEAR },
					       { "disable", no_argument, 0, OPT_DISABLE },
					       { "enable", no_argument, 0, OPT_ENABLE },
					       { "granularity", required_argument, 0, 'g' },
					       { "merge", required_argument, 0, OPT_MERGE },
					       { "remove", no_argument, 0, OPT_REMOVE },
					       { "source-file", required_argument, 0, 'b' },
					       { "source-format", required_argument, 0, 'F' },
					       { 0 } };
	const char *fmt = NULL, *src_name = NULL, *src_fmt = NULL;
	struct action actions[MAX_ACTIONS];
	unsigned n = 0;
	bool add = false, merge = false;
	u64 granularity = 0;
	int c;
	while ((c = img_getopt(m, argc, argv, ":b:f:F:g:hU", longs)) != -1) {
		switch (c) {
		case 'b':
			src_name = optarg;
			break;
		case 'f':
			fmt = optarg;
			break;
		case 'F':
			src_fmt = optarg;
			break;
		case 'g':
			if (!img_parse_size("granularity", optarg, &granularity))
				return 1;
			break;
		case OPT_FLAG_HELP:
			return 0;
		default:
			if (n == MAX_ACTIONS)
				img_usage_error("Too many actions");
			actions[n++] = (struct action){ c, optarg };
			add |= c == OPT_ADD;
			merge |= c == OPT_MERGE;
		}
	}
	if (optind != argc - 2)
		img_usage_error("Expecting filename and bitmap name");
	const char *wrong = NULL;
	if (!n)
		wrong = "Need at least one of --add, --remove, --clear, --enable, --disable, or --merge";
	else if (granularity && !add)
		wrong = "granularity only supported with --add";
	else if (src_fmt && !src_name)
		wrong = "-F only supported with -b";
	else if (src_name && !merge)
		wrong = "Merge bitmap source file only supported with --merge";
	if (wrong) {
		img_error("%s", wrong);
		return 1;
	}
	if (!img_make_objects(m))
		return 1;
	struct blk_node *node = img_open(m, argv[optind], fmt, BLK_RDWR | BLK_UNMAP), *src = node;
	if (!node)
		return 1;
	int status = 1;
	if (!src_name || (src = img_open_as(m, false, src_name, src_fmt, BLK_NO_BACKING)))
		status = run_actions(node, src, actions, n, argv[optind + 1], granularity);
	if (src_name)
		blk_unref(src);
	blk_unref(node);
	return status;
}

IMG_VERB(bitmap) = {
	.name = "bitmap",
	.usage = "(--merge SOURCE | --add | --remove | --clear | --enable | --disable)... [-b source_file "
		 "[-F source_fmt]] [-g "
		 "granularity] [--object objectdef] [--image-opts | -f fmt] filename bitmap",
	.run = bitmap,
};
