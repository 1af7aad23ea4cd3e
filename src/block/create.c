/* Making images: the transport makes the file, the format writes its metadata into it. */
#include "block/graph.h"
#include <errno.h>

static bool has(const struct blk_opt *table, const char *name)
{
	for (; table && table->name; table++)
		if (strcmp(table->name, name) == 0)
			return true;
	return false;
}

/* The transport's part of the options: what the format has itself is the format's, but for raw, which has nothing. */
static void split_opts(struct json *all, const struct blk_opt *table, const struct blk_opt *format,
		       struct json *out)
{
	for (; table && table->name; table++) {
		struct json *v = json_get(all, table->name);
		if (v && !has(format, table->name))
			json_set(out, table->name, json_copy(v));
	}
}

static struct err *create_file(struct blk_graph *graph, const char *filename, const struct json *opts,
			       const struct blk_opt *format, u64 size)
{
	struct err *e;
	const struct blk_driver *t = blk_driver_of_name(filename, &e);
	if (!t)
		return e;
	if (!t->create)
		return err_new(ERR_UNSUPPORTED,
			       "Protocol driver '%s' does not support image creation, and opening the "
			       "image failed",
			       t->name);
	AUTO(json_freep) struct json *own = json_dict();
	split_opts((struct json *)opts, t->create_opts, format, own);
	struct blk_create c = { .graph = graph, .filename = filename, .opts = own, .size = size };
	return t->create(&c);
}

struct err *blk_create_file(struct blk_graph *graph, const char *filename, u64 size, struct blk_node **ret)
{
	AUTO(json_freep) struct json *none = json_dict();
	struct err *e = create_file(graph, filename, none, NULL, size);
	if (e)
		return e;
	return blk_open(graph, filename, NULL, NULL, BLK_RDWR | BLK_PROTOCOL | BLK_RESIZE | BLK_UNMAP, ret);
}

/* A transport without files of its own (NBD, a host device) is there already, or not at all. */
static struct err *open_existing(struct blk_graph *graph, const char *filename, const struct blk_driver *t,
				 u64 size)
{
	struct blk_node *node;
	struct err *e =
	    blk_open(graph, filename, NULL, NULL, BLK_RDWR | BLK_PROTOCOL | BLK_RESIZE | BLK_UNMAP, &node);
	if (e)
		return err_in(
		    e, "Protocol driver '%s' does not support image creation, and opening the image failed",
		    t->name);
	if (node->size < size)
		e = err_new(ERR_INVALID, "The image file '%s' is too small: it holds %llu bytes of %llu",
			    filename, (unsigned long long)node->size, (unsigned long long)size);
	blk_unref(node);
	return e;
}

struct err *blk_create_image(struct blk_graph *graph, const char *filename, const char *fmt,
			     struct json *options)
{
	AUTO(json_freep) struct json *opts = options;
	const struct blk_driver *d = blk_driver_find(fmt);
	struct err *e;
	if (!d)
		return err_new(ERR_INVALID, "Unknown file format '%s'", fmt);
	const struct blk_driver *t = blk_driver_of_name(filename, &e);
	if (!t)
		return e;
	if (!d->create || !d->create_opts)
		return err_new(ERR_UNSUPPORTED, "Format driver '%s' does not support image creation", fmt);
	if ((e = blk_opts_check(opts, d->create_opts, t->create_opts)))
		return e;
	for (const struct blk_opt *o = d->create_opts; o->name; o++)
		if (o->amend_only && json_get(opts, o->name))
			return err_new(ERR_INVALID, "Invalid parameter '%s'", o->name);
	u64 size = blk_opt_num(opts, "size", 0);
	bool raw = strcmp(fmt, "raw") == 0;
	if (t->create)
		e = create_file(graph, filename, opts, d->create_opts, raw ? size : 0);
	else
		e = open_existing(graph, filename, t, raw ? size : 0);
	if (e || raw)
		return e;
	struct blk_node *file;
	e = blk_open(graph, filename, NULL, NULL,
		     BLK_RDWR | BLK_PROTOCOL | BLK_RESIZE | BLK_UNMAP | BLK_KEEP_WRITERS_OUT, &file);
	if (e)
		return e;
	struct blk_create c = {
		.graph = graph, .filename = filename, .opts = opts, .size = size, .file = file
	};
	e = d->create(&c);
	int r = e ? 0 : blk_flush(file);
	blk_unref(file);
	return r ? err_errno(-r, "Could not flush '%s'", filename) : e;
}

struct err *blk_check_table(u64 offset, u64 count, u32 entry_size, u64 max_bytes, u32 align, const char *what)
{
	u64 bytes;
	if (__builtin_mul_overflow(count, (u64)entry_size, &bytes) || bytes > max_bytes)
		return err_new(ERR_CORRUPT, "%s too large", what);
	if (offset > INT64_MAX || bytes > INT64_MAX - offset || offset % align)
		return err_new(ERR_INVALID, "%s offset invalid", what);
	return NULL;
}

struct err *blk_load_table(struct blk_node *file, u64 offset, u64 bytes, const char *what, void **ret)
{
	void *p = try_alloc(bytes);
	if (!p)
		return err_new(ERR_BUSY, "Could not allocate %llu bytes for the %s",
			       (unsigned long long)bytes, what);
	int r = bytes ? blk_pread(file, offset, p, bytes) : 0;
	if (r) {
		free(p);
		return err_errno(-r, "Could not read %s", what);
	}
	*ret = p;
	return NULL;
}
