/* img create: makes an image. */
#include "prog/rhea/img/img.h"
#include <getopt.h>

static void print_value(const char *text)
{
	for (; *text; text++) { /* as it would be written in an option list */
		if (*text == ',')
			putchar(',');
		putchar(*text);
	}
}

/* Sizes print as bytes, whatever the user wrote. */
static void print_option(const struct blk_opt *o, const struct json *opts)
{
	const char *given = blk_opt_str(opts, o->name), *text = given ? given : o->otherwise;
	if (!text)
		return;
	printf(" %s=", o->name);
	if (o->type == BLK_OPT_SIZE)
		printf("%llu", (unsigned long long)(given ? blk_opt_num(opts, o->name, 0)
							  : strtoull(text, NULL, 10)));
	else if (o->type == BLK_OPT_BOOL)
		printf("%s", blk_opt_bool(opts, o->name, strcmp(text, "on") == 0) ? "on" : "off");
	else
		print_value(text);
}

static void print_formatting(const char *filename, const struct blk_driver *d, const struct blk_driver *t,
			     const struct json *opts)
{
	printf("Formatting '%s', fmt=%s", filename, d->name);
	for (const struct blk_opt *o = d->create_opts; o && o->name; o++)
		print_option(o, opts);
	for (const struct blk_opt *o = t ? t->create_opts : NULL; o && o->name; o++)
		if (!blk_opt_find(d->create_opts, o->name))
			print_option(o, opts);
	putchar('\n');
}

/* The size comes from the backing file when nobody gives one; the file must be there unless -u says not to look. False: reported. */
static bool look_at_backing(struct img *m, const char *filename, struct json *opts, bool has_size,
			    bool no_check)
{
	const char *base = blk_opt_str(opts, "backing_file"), *fmt = blk_opt_str(opts, "backing_fmt");
	AUTO(free_ptr) char *path = blk_path_join(filename, base);
	struct blk_node *node = NULL;
	if (no_check && has_size)
		return true;
	struct json *how = json_dict();
	u32 flags = no_check ? BLK_NO_BACKING : 0;
	if (m->force_share)
		flags |= BLK_FORCE_SHARE;
	struct err *e = blk_open(m->graph, path, fmt, how, flags, &node);
	if (e) {
		e = err_hint(e, "Could not open backing image.%s", "");
		img_error("%s: %s", filename, err_text(e));
		fprintf(stderr, "%s\n", err_remedy(e));
		err_free(e);
		return false;
	}
	if (!fmt) {
		img_error("%s: Backing file specified without backing format", filename);
		fprintf(stderr, "Detected format of %s.\n", node->driver->name);
		blk_unref(node);
		return false;
	}
	if (!has_size) {
		AUTO(free_ptr) char *text = strf("%llu", (unsigned long long)blk_size(node));
		json_set(opts, "size", json_str(text));
	}
	blk_unref(node);
	return true;
}

static bool same_file(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

/* Is there a driver that creates such images with such options? *ret_t: that of the file below. */
static bool can_create(const char *filename, const char *fmt, const struct blk_driver *d,
		       const struct blk_driver **ret_t, struct json *opts)
{
	struct err *e = NULL;
	if ((!d || d->kind != BLK_FORMAT) && !(d && d->kind == BLK_TRANSPORT)) {
		img_error("%s: Unknown file format '%s'", filename, fmt);
		return false;
	}
	/* What is not known is left to the creation to report. */
	if (d->kind == BLK_FORMAT && d->create && !(*ret_t = blk_driver_of_name(filename, &e))) {
		img_report(e, "%s: ", filename);
		return false;
	}
	if (d->kind != BLK_FORMAT || !d->create || !d->create_opts) {
		img_error("%s: Format driver '%s' does not support image creation", filename, fmt);
		return false;
	}
	if ((e = blk_opts_check(opts, d->create_opts, (*ret_t)->create_opts)))
		img_report(e, "%s: ", filename);
	return !e;
}

/* The backing file, given by itself or among the options, which then name it. */
static bool take_backing(const char *filename, const char *fmt, const struct blk_driver *d, const char *base,
			 const char *base_fmt, struct json *opts)
{
	if (base && !blk_opt_find(d->create_opts, "backing_file")) {
		img_error("%s: Backing file not supported for file format '%s'", filename, fmt);
		return false;
	}
	if (base_fmt && !blk_opt_find(d->create_opts, "backing_fmt")) {
		img_error("%s: Backing file format not supported for file format '%s'", filename, fmt);
		return false;
	}
	if (base)
		json_set(opts, "backing_file", json_str(base));
	if (base_fmt)
		json_set(opts, "backing_fmt", json_str(base_fmt));
	base = blk_opt_str(opts, "backing_file");
	base_fmt = blk_opt_str(opts, "backing_fmt");
	if (base_fmt && !base && strcmp(fmt, "qcow2") == 0)
		img_error("%s: Backing format cannot be used without backing file", filename);
	else if (base && !*base)
		img_error("%s: Expected backing file name, got empty string", filename);
	else if (same_file(base, filename))
		img_error("%s: Error: Trying to create an image with the same filename as the backing file",
			  filename);
	else if (base_fmt && !blk_driver_find(base_fmt))
		img_error("%s: Unknown backing file format '%s'", filename, base_fmt);
	else
		return true;
	return false;
}

int img_create_image(struct img *m, const char *filename, const char *fmt, const char *base,
		     const char *base_fmt, struct json *opts, bool has_size, u64 size, bool no_check,
		     bool quiet)
{
	const struct blk_driver *d = blk_driver_find(fmt), *t = NULL;
	if (!can_create(filename, fmt, d, &t, opts))
		return 1;
	if (json_get(opts, "size") && has_size) {
		img_error("%s: The image size must be specified only once", filename);
		return 1;
	}
	if (has_size) {
		AUTO(free_ptr) char *text = strf("%llu", (unsigned long long)size);
		json_set(opts, "size", json_str(text));
	}
	if (!take_backing(filename, fmt, d, base, base_fmt, opts))
		return 1;
	if (blk_opt_str(opts, "backing_file") &&
	    !look_at_backing(m, filename, opts, json_get(opts, "size"), no_check))
		return 1;
	if (!json_get(opts, "size")) {
		img_error("%s: Image creation needs a size parameter", filename);
		return 1;
	}
	if (!quiet) {
		print_formatting(filename, d, t, opts);
		fflush(stdout);
	}
	struct err *e = blk_create_image(m->graph, filename, fmt, json_copy(opts));
	if (e && err_errnum(e) == 27) {
		err_free(e);
		img_error("%s: The image size is too large for file format '%s'%s", filename, fmt,
			  blk_opt_find(d->create_opts, "cluster_size") ? " (try using a larger cluster size)"
								       : "");
		return 1;
	}
	if (e)
		img_report(e, "%s: ", filename);
	return e ? 1 : 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct blk_opt *const *)a)->name, (*(const struct blk_opt *const *)b)->name);
}

int img_print_create_options(const char *filename, const char *fmt, bool amend)
{
	static const char *const kinds[] = { "<str>", "<bool (on/off)>", "<size>", "<num>" };
	const struct blk_driver *d = blk_driver_find(fmt), *t = blk_driver_find("file");
	const struct blk_opt *all[128];
	size_t n = 0;
	if (!d) {
		img_error("Unknown file format '%s'", fmt);
		return 1;
	}
	if (amend ? !d->amend : !d->create_opts) {
		img_error(amend ? "Format driver '%s' does not support option amendment"
				: "Format driver '%s' does not support image creation",
			  fmt);
		return 1;
	}
	for (const struct blk_opt *o = d->create_opts; o->name; o++)
		if (amend ? o->amend : !o->amend_only)
			all[n++] = o;
	for (const struct blk_opt *o = filename && !amend ? t->create_opts : NULL; o && o->name; o++)
		if (!blk_opt_find(d->create_opts, o->name))
			all[n++] = o;
	qsort(all, n, sizeof(*all), by_name);
	printf(amend	  ? "Amend options for '%s':\n"
	       : filename ? "Supported options:\n"
			  : "Supported %s options:\n",
	       fmt);
	for (size_t i = 0; i < n; i++) {
		AUTO(free_ptr) char *left = strf("%s=%s", all[i]->name, kinds[all[i]->type]);
		if (all[i]->help)
			printf("  %-22s - %s\n", left, all[i]->help);
		else
			printf("  %s\n", left);
	}
	if (!filename && !amend)
		printf("\nThe protocol level may support further options.\n"
		       "Specify the target filename to include those options.\n");
	return 0;
}

struct args {
	const char *fmt, *base, *base_fmt;
	bool no_check;
};

static const struct field fields[] = { FIELD_TEXT('f', struct args, fmt),
				       FIELD_TEXT('b', struct args, base),
				       FIELD_TEXT('F', struct args, base_fmt),
				       FIELD_FLAG('u', struct args, no_check),
				       { 0 } };

static int create(struct img *m, int argc, char **argv)
{
	static const struct option longs[] = { { "help", no_argument, 0, 'h' },
					       { "object", required_argument, 0, OPT_OBJECT },
					       { 0 } };
	struct args a = { .fmt = "raw" };
	AUTO(json_freep) struct json *opts = json_dict();
	AUTO(free_ptr) char *list = NULL;
	int c;
	while ((c = img_getopt(m, argc, argv, ":F:b:f:ho:qu", longs)) != -1) {
		if (field_set(fields, &a, c))
			continue;
		if (c != 'o')
			return 0;
		if (!img_add_options(opts, &list, optarg))
			return 1;
	}
	const char *filename = optind < argc ? argv[optind++] : NULL;
	if (list && img_wants_help(list))
		return img_print_create_options(filename, a.fmt, false);
	if (!filename)
		img_usage_error("Expecting image file name");
	u64 size = 0;
	bool has_size = optind < argc;
	if (has_size && !img_parse_size("image size", argv[optind++], &size))
		return 1;
	if (optind != argc)
		img_usage_error("Unexpected argument: %s", argv[optind]);
	if (!img_make_objects(m))
		return 1;
	return img_create_image(m, filename, a.fmt, a.base, a.base_fmt, opts, has_size, size, a.no_check,
				m->quiet);
}

IMG_VERB(create) = {
	.name = "create",
	.usage = "[--object objectdef] [-q] [-f fmt] [-b backing_file [-F backing_fmt]] [-u] [-o options] "
		 "filename [size]",
	.run = create,
};
