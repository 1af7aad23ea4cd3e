/*
 * Opening: from a file name, a "json:" name or a description to nodes. File names say the transport by their prefix;
 * the format is probed when nobody names it; formats name their backing files.
 */
#include "block/graph.h"
#include "block/root.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum { MAX_CHAIN = 200 };

bool blk_path_has_protocol(const char *path)
{
	size_t n = strcspn(path, ":/");
	return path[n] == ':';
}

char *blk_path_join(const char *base, const char *path)
{
	if (path[0] == '/' || blk_path_has_protocol(path) || !base)
		return str_dup(path);
	const char *start = blk_path_has_protocol(base) ? strchr(base, ':') + 1 : base,
		   *slash = strrchr(start, '/');
	size_t keep = slash ? slash + 1 - base : start - base;
	return strf("%.*s%s", (int)keep, base, path);
}

/* "blkdebug:config:image" */
static bool is_filter_name(const char *filename)
{
	struct err *e = NULL;
	const struct blk_driver *d =
	    blk_path_has_protocol(filename) ? blk_driver_of_name(filename, &e) : NULL;
	err_free(e);
	return d && d->kind == BLK_FILTER;
}

char *blk_path_beside(const struct blk_node *node, const char *path)
{
	if (path[0] == '/' || blk_path_has_protocol(path))
		return str_dup(path);
	/* A description has no folder, nor has the name of a filter, but the one file below it has. */
	while (node->filename &&
	       (strncmp(node->filename, "json:", 5) == 0 || is_filter_name(node->filename))) {
		const struct blk_node *below = node->file ? node->file
					       : node->children && !node->children->next
						   ? node->children->node
						   : NULL;
		if (!below)
			return NULL;
		node = below;
	}
	return blk_path_join(node->filename, path);
}

static bool has_prefix(const struct blk_driver *d, const char *name, size_t len)
{
	for (const char *const *p = d->prefixes; p && *p; p++)
		if (strlen(*p) == len && strncmp(*p, name, len) == 0)
			return true;
	return false;
}

const struct blk_driver *blk_driver_of_name(const char *filename, struct err **ret_err)
{
	struct stat st;
	*ret_err = NULL;
	if (!blk_path_has_protocol(filename)) {
		if (stat(filename, &st) == 0 && (S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode)))
			return blk_driver_find("host_device");
		return blk_driver_find("file");
	}
	size_t len = strcspn(filename, ":");
	for (const struct blk_driver *const *d = blk_drivers; *d; d++)
		if (has_prefix(*d, filename, len))
			return *d;
	*ret_err = err_new(ERR_UNSUPPORTED, "Unknown protocol '%.*s'", (int)len, filename);
	return NULL;
}

const struct blk_driver *blk_probe_bytes(const u8 *head, size_t len, const char *filename)
{
	const struct blk_driver *found = blk_driver_find("raw");
	unsigned best = 0;
	for (const struct blk_driver *const *d = blk_drivers; *d && len; d++) {
		unsigned score = (*d)->probe ? (*d)->probe(head, len, filename) : 0;
		if (score > best) {
			best = score;
			found = *d;
		}
	}
	return found;
}

struct err *blk_probe(struct blk_node *file, const char *filename, const struct blk_driver **ret)
{
	u8 head[BLK_PROBE] = { 0 };
	size_t len = MIN((u64)BLK_PROBE, file->size);
	int r = len ? blk_pread(file, 0, head, len) : 0;
	if (r)
		return err_errno(-r, "Could not read image for determining its format");
	*ret = blk_probe_bytes(head, len, filename);
	return NULL;
}

/* ---- options every node has ---- */

static struct err *take_flag(struct json *opts, const char *name, u32 flag, bool invert, u32 *flags)
{
	bool on = !!(*flags & flag) != invert;
	struct err *e = blk_take_bool(opts, name, &on);
	if (!e)
		*flags = on != invert ? *flags | flag : *flags & ~flag;
	return e;
}

struct err *blk_take_common(struct json *opts, u32 *flags)
{
	struct err *e = NULL;
	static const struct {
		const char *name;
		u32 flag;
		bool invert;
	} table[] = {
		{ "read-only", BLK_RDWR, true },
		{ "auto-read-only", BLK_AUTO_RDONLY },
		{ "cache.direct", BLK_DIRECT },
		{ "cache.no-flush", BLK_NO_FLUSH },
		{ "cache.writeback", BLK_WRITETHROUGH, true },
		{ "force-share", BLK_FORCE_SHARE },
		{ "copy-on-read", BLK_COPY_ON_READ },
	};
	for (unsigned i = 0; i < LEN(table) && !e; i++)
		e = take_flag(opts, table[i].name, table[i].flag, table[i].invert, flags);
	AUTO(free_ptr) char *discard = e ? NULL : blk_take_str(opts, "discard");
	if (discard && strcmp(discard, "unmap") != 0 && strcmp(discard, "on") != 0 &&
	    strcmp(discard, "ignore") != 0 && strcmp(discard, "off") != 0)
		return err_new(ERR_INVALID, "Invalid discard option");
	if (discard)
		*flags = strcmp(discard, "unmap") == 0 || strcmp(discard, "on") == 0
			     ? *flags | BLK_UNMAP
			     : *flags & ~(u32)BLK_UNMAP;
	AUTO(free_ptr) char *detect = e ? NULL : blk_take_str(opts, "detect-zeroes");
	if (detect) {
		static const char *const modes[] = { "off", "on", "unmap" };
		unsigned i = 0;
		while (i < LEN(modes) && strcmp(modes[i], detect) != 0)
			i++;
		if (i == LEN(modes))
			return err_new(ERR_INVALID, "Invalid parameter '%s'", detect);
		if (i == 2 && !(*flags & BLK_UNMAP))
			return err_new(ERR_INVALID,
				       "setting detect-zeroes to unmap is not allowed without setting "
				       "discard operation to unmap");
		*flags &= ~(u32)(BLK_DETECT_ZEROES | BLK_DETECT_UNMAP);
		*flags |= (i ? BLK_DETECT_ZEROES : 0) | (i == 2 ? BLK_DETECT_UNMAP : 0);
	}
	if (!e && (*flags & BLK_FORCE_SHARE) && (*flags & BLK_RDWR))
		return err_new(ERR_INVALID, "force-share=on can only be used with read-only images");
	return e;
}

bool blk_id_ok(const char *id)
{
	bool ok = isalpha((u8)id[0]);
	for (const char *p = id; *p && ok; p++)
		ok = isalnum((u8)*p) || strchr("-._", *p);
	return ok;
}

static struct err *name_node(struct blk_node *node, char *name)
{
	if (!name)
		return NULL;
	if (!blk_id_ok(name) || strlen(name) > 31)
		return err_new(ERR_INVALID, "Invalid node-name: '%s'", name);
	if (blk_find(node->graph, name))
		return err_new(ERR_INVALID, "Duplicate nodes with node-name='%s'", name);
	free(node->node_name);
	node->node_name = str_dup(name);
	return NULL;
}

/* "json:{...}": its members join the options; those given beside it win. */
static struct err *merge_json(const char *filename, struct json *opts)
{
	struct json *j;
	struct err *e = json_parse(filename + 5, strlen(filename + 5), &j);
	if (e)
		return err_in(e, "Could not parse the JSON options");
	if (j->kind != JSON_DICT) {
		json_free(j);
		return err_new(ERR_INVALID, "Invalid JSON object given");
	}
	json_flatten(j);
	for (size_t i = 0; i < j->n; i++)
		if (!json_get(opts, j->keys[i]))
			json_set(opts, j->keys[i], json_copy(j->items[i]));
	json_free(j);
	return NULL;
}

/* ---- children ---- */

/* Whatever a child is told by its parent's flags. */
static u32 child_flags(const struct blk_node *node, u32 flags)
{
	u32 keep = flags & ~(u32)(BLK_NO_BACKING | BLK_FOR_CHECK | BLK_COPY_ON_READ | BLK_WRITETHROUGH |
				  BLK_DETECT_ZEROES | BLK_DETECT_UNMAP | BLK_KEEP_WRITERS_OUT);
	keep |= BLK_PROTOCOL | BLK_UNMAP;
	if (node->driver->kind == BLK_FORMAT && strcmp(node->driver->name, "raw") != 0)
		keep |= BLK_KEEP_WRITERS_OUT | (keep & BLK_RDWR ? BLK_RESIZE : 0);
	else
		keep |= flags & BLK_KEEP_WRITERS_OUT;
	return keep;
}

/*
 * A host file that was opened by itself becomes what its user needs: writable (auto-read-only) or not, and locked against
 * other writers when a format keeps its tables in it.
 */
static struct err *suit_parent(const struct blk_node *node, struct blk_node *child)
{
	u32 want = child->flags;
	if (child->driver->kind != BLK_TRANSPORT || !child->driver->reopen)
		return NULL;
	if (child->flags & BLK_AUTO_RDONLY && !blk_is_used(child))
		want = (want & ~(u32)BLK_RDWR) | (node->flags & BLK_RDWR);
	if (node->driver->kind == BLK_FORMAT && strcmp(node->driver->name, "raw") != 0)
		want |= BLK_KEEP_WRITERS_OUT | (want & BLK_RDWR ? BLK_RESIZE : 0);
	return want == child->flags ? NULL : child->driver->reopen(child, want);
}

/* flags: the child's own. */
static struct err *open_child(struct blk_node *node, struct json *opts, const char *name,
			      const char *filename, u32 flags, bool optional, struct blk_node **ret)
{
	AUTO(free_ptr) char *prefix = strf("%s.", name);
	struct json *sub = json_take_prefix(opts, prefix);
	AUTO(json_freep) struct json *ref = json_take(opts, name);
	struct blk_node *child = NULL;
	struct err *e = NULL;
	*ret = NULL;
	if (ref && ref->kind == JSON_STR) {
		child = blk_find(node->graph, ref->s);
		json_free(sub);
		if (!child)
			return err_new(ERR_NOT_FOUND, "Cannot find device='%s' nor node-name='%s'", ref->s,
				       ref->s);
		e = suit_parent(node, child);
		if (!e)
			blk_ref(child);
	} else if (filename || sub->n) {
		e = blk_open(node->graph, filename, NULL, sub, flags, &child);
	} else {
		json_free(sub);
		if (optional)
			return NULL;
		return err_new(ERR_INVALID, "A block device must be specified for \"%s\"", name);
	}
	if (e)
		return e;
	blk_child_attach(node, name, child);
	*ret = child;
	return NULL;
}

struct err *blk_open_child(struct blk_node *node, struct json *opts, const char *name, const char *filename,
			   u32 flags, bool optional, struct blk_node **ret)
{
	return open_child(node, opts, name, filename, child_flags(node, flags), optional, ret);
}

struct err *blk_open_format_child(struct blk_node *node, struct json *opts, const char *name,
				  const char *filename, u32 flags, struct blk_node **ret)
{
	return open_child(node, opts, name, filename, child_flags(node, flags) & ~(u32)BLK_PROTOCOL, false,
			  ret);
}

struct err *blk_open_backing(struct blk_node *node, struct json *opts)
{
	struct json *sub = json_take_prefix(opts, "backing.");
	AUTO(json_freep) struct json *ref = json_take(opts, "backing");
	struct blk_node *child = NULL;
	struct err *e = NULL;
	if (ref && ref->kind == JSON_STR && ref->s[0]) {
		json_free(sub);
		child = blk_find(node->graph, ref->s);
		if (!child)
			return err_new(ERR_NOT_FOUND, "Cannot find device='%s' nor node-name='%s'", ref->s,
				       ref->s);
		blk_child_attach(node, "backing", blk_ref(child));
		return NULL;
	}
	bool none =
	    (ref && (ref->kind == JSON_NULL || ref->kind == JSON_STR)) || (node->flags & BLK_NO_BACKING);
	bool from_header = !none && node->backing_file && !json_get(sub, "file.filename") &&
			   !json_get(sub, "file") && !json_get(sub, "filename") &&
			   !json_get(sub, "file.driver");
	if (none || (!from_header && !sub->n)) {
		json_free(sub);
		return NULL;
	}
	/* Each layer opens the next: a loop would never end. */
	if (node->graph->opening >= MAX_CHAIN) {
		json_free(sub);
		return err_new(ERR_INVALID,
			       "Backing chain of more than %d images, or one that leads back to itself",
			       MAX_CHAIN);
	}
	AUTO(free_ptr) char *path = NULL;
	if (from_header) {
		path = blk_path_beside(node, node->backing_file);
		if (!path) {
			json_free(sub);
			return err_new(ERR_INVALID, "Cannot use relative backing file names for '%s'",
				       node->filename);
		}
		if (node->backing_format && !json_get(sub, "driver"))
			json_set(sub, "driver", json_str(node->backing_format));
		node->auto_backing = !sub->n || (sub->n == 1 && json_get(sub, "driver"));
	}
	u32 flags = node->flags & ~(u32)(BLK_RDWR | BLK_NO_BACKING | BLK_FOR_CHECK | BLK_COPY_ON_READ |
					 BLK_PROTOCOL | BLK_KEEP_WRITERS_OUT | BLK_RESIZE | BLK_UNMAP |
					 BLK_DETECT_ZEROES | BLK_DETECT_UNMAP | BLK_WRITETHROUGH);
	node->graph->opening++;
	e = blk_open(node->graph, path, NULL, sub, flags, &child);
	node->graph->opening--;
	if (e)
		return err_in(e, "Could not open backing file");
	blk_child_attach(node, "backing", child);
	return NULL;
}

/* ---- a node ---- */

static const char *kind_name(const struct blk_driver *d)
{
	return d->kind == BLK_FORMAT ? "format" : "protocol";
}

/* A format node that is no more than what lies below its name. */
static bool same_name(const struct json *o, const char *filename)
{
	if (filename)
		return strncmp(filename, "json:", 5) != 0;
	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->keys[i], "driver") != 0 && strncmp(o->keys[i], "file", 4) != 0)
			return false;
	return true;
}

/* How this node can be named to open the same again. */
static void make_filename(struct blk_node *node, const char *filename)
{
	const struct json *o = node->options;
	bool plain = true; /* nothing but what a name says */
	for (size_t i = 0; i < o->n; i++) {
		const char *k = o->keys[i];
		if (strcmp(k, "driver") != 0 && strcmp(k, "filename") != 0 && strcmp(k, "file.driver") != 0 &&
		    strcmp(k, "file.filename") != 0 && strcmp(k, "file") != 0 &&
		    strcmp(k, "node-name") != 0 && strncmp(k, "cache.", 6) != 0 &&
		    strcmp(k, "read-only") != 0 && strcmp(k, "discard") != 0 &&
		    strcmp(k, "auto-read-only") != 0 && strcmp(k, "force-share") != 0 &&
		    strcmp(k, "detect-zeroes") != 0 && strcmp(k, "file.node-name") != 0 &&
		    strcmp(k, "locking") != 0 && strcmp(k, "aio") != 0 && strcmp(k, "file.locking") != 0 &&
		    strcmp(k, "file.aio") != 0 && strncmp(k, "backing", 7) != 0 &&
		    strncmp(k, "data-file", 9) != 0)
			plain = false;
	}
	if (node->filename)
		return;
	/* A transport other than a file knows best how it is named: nbd:unix:... is nbd+unix://... */
	const char *below = node->driver->kind == BLK_FORMAT && node->file ? node->file->filename : NULL;
	if (below && blk_path_has_protocol(below) && strncmp(below, "json:", 5) != 0 &&
	    same_name(o, filename)) {
		node->filename = str_dup(below);
	} else if (filename && strncmp(filename, "file:", 5) == 0) {
		/* Without the prefix, but never so that the rest looks like one. */
		node->filename = strf("%s%s", blk_path_has_protocol(filename + 5) ? "./" : "", filename + 5);
	} else if (filename && strncmp(filename, "json:", 5) != 0) {
		node->filename = str_dup(filename);
	} else if (plain && node->driver->kind == BLK_FORMAT && node->file && node->file->filename &&
		   strncmp(node->file->filename, "json:", 5) != 0) {
		node->filename = str_dup(node->file->filename);
	} else if (node->driver->kind == BLK_TRANSPORT && plain && json_get_str(o, "filename")) {
		node->filename = str_dup(json_get_str(o, "filename"));
	} else {
		AUTO(json_freep) struct json *copy = json_copy(o);
		struct err *e = json_nest(copy);
		err_free(e);
		if (!json_get(copy, "driver"))
			json_set(copy, "driver", json_str(node->driver->name));
		AUTO(free_ptr) char *text = json_text(copy, false);
		node->filename = strf("json:%s", text);
	}
}

static struct err *leftover(const struct blk_driver *d, const struct json *opts)
{
	if (!opts->n)
		return NULL;
	return err_new(ERR_INVALID, "Block %s '%s' does not support the option '%s'", kind_name(d), d->name,
		       opts->keys[0]);
}

/* Everything after the driver and, for formats, the file child is known. */
static struct err *open_driver(struct blk_node *node, const char *filename, struct json *opts)
{
	struct err *e = node->driver->open ? node->driver->open(node, opts, node->flags) : NULL;
	if (e)
		return e;
	if (node->driver->kind != BLK_TRANSPORT)
		node->size = ROUND_UP(node->size, 512ull);
	make_filename(node, filename);
	if (node->driver->kind != BLK_TRANSPORT)
		e = blk_open_backing(node, opts);
	if (e && (node->flags & BLK_NO_BACKING_ERR)) {
		err_free(e);
		e = NULL;
	}
	if (!e)
		e = leftover(node->driver, opts);
	if (e && node->driver->close)
		node->driver->close(node);
	return e;
}

static struct err *open_transport(struct blk_graph *g, const struct blk_driver *d, const char *filename,
				  struct json *opts, u32 flags, struct blk_node **ret)
{
	AUTO(free_ptr) char *name = blk_take_str(opts, "node-name");
	struct blk_node *node = blk_node_new(g, d);
	struct err *e = name_node(node, name);
	AUTO(free_ptr) char *own = NULL;
	if (!e)
		e = blk_take_common(opts, &flags);
	node->flags = flags;
	node->options = json_copy(opts);
	if (!e && filename) {
		if (d->parse_name)
			e = d->parse_name(filename, opts);
		else if (!json_get(opts, "filename"))
			json_set(opts, "filename", json_str(filename));
		if (!e) {
			json_free(node->options);
			node->options = json_copy(opts);
		}
	}
	json_set(node->options, "driver", json_str(d->name));
	if (!e)
		e = open_driver(node, filename, opts);
	if (e) {
		blk_node_drop(node);
		return e;
	}
	*ret = node;
	return NULL;
}

static struct err *open_format(struct blk_graph *g, const struct blk_driver *d, const char *filename,
			       struct json *opts, u32 flags, struct blk_node **ret)
{
	AUTO(free_ptr) char *name = blk_take_str(opts, "node-name");
	struct err *e = blk_take_common(opts, &flags);
	if (e)
		return e;
	/* The file is opened by a node that does not know its format yet; a filter stands in. */
	static const struct blk_driver unknown = { .name = "probe", .kind = BLK_FORMAT };
	struct blk_node *node = blk_node_new(g, d ? d : &unknown);
	AUTO(json_freep) struct json *given = json_copy(opts);
	struct blk_node *file;
	node->flags = flags;
	e = name_node(node, name);
	if (!e)
		e = blk_open_child(node, opts, "file", filename, flags, false, &file);
	if (!e && !d) {
		e = blk_probe(file, filename ? filename : file->filename, &d);
		node->probed = true;
		if (!e && strcmp(d->name, "raw") == 0 && (file->flags & BLK_KEEP_WRITERS_OUT) &&
		    file->driver->reopen)
			e = file->driver->reopen(file,
						 file->flags & ~(u32)(BLK_KEEP_WRITERS_OUT | BLK_RESIZE));
	}
	if (!e) {
		node->driver = d;
		free(node->state);
		node->state = alloc(d->state_size);
		node->options = json_copy(given);
		json_set(node->options, "driver", json_str(d->name));
		e = open_driver(node, filename, opts);
	}
	if (e) {
		blk_node_drop(node);
		return e;
	}
	*ret = node;
	return NULL;
}

struct err *blk_open(struct blk_graph *g, const char *filename, const char *fmt, struct json *options,
		     u32 flags, struct blk_node **ret)
{
	AUTO(json_freep) struct json *opts = options ? options : json_dict();
	struct err *e = NULL;
	json_flatten(opts);
	if (fmt && !json_get(opts, "driver")) /* it counts for more than what a "json:" name says */
		json_set(opts, "driver", json_str(fmt));
	if (filename && strncmp(filename, "json:", 5) == 0) {
		if ((e = merge_json(filename, opts)))
			return e;
		filename = NULL;
	}
	AUTO(free_ptr) char *name = blk_take_str(opts, "driver");
	const struct blk_driver *d = name ? blk_driver_find(name) : NULL;
	if (name && !d)
		return err_new(ERR_INVALID, "Unknown driver '%s'", name);
	AUTO(free_ptr) char *in_opts = NULL;
	if (d && d->kind != BLK_FORMAT)
		return open_transport(g, d, filename, opts, flags, ret);
	if (!filename && (flags & BLK_PROTOCOL) && !d) {
		/* A child that is described by a name alone. */
		in_opts = blk_take_str(opts, "filename");
		filename = in_opts;
	}
	if ((flags & BLK_PROTOCOL) && !d) {
		if (!filename)
			return err_new(ERR_INVALID, "Must specify either driver or file");
		d = blk_driver_of_name(filename, &e);
		if (!d)
			return e;
		return open_transport(g, d, filename, opts, flags, ret);
	}
	flags &= ~(u32)BLK_PROTOCOL;
	if (!filename) {
		in_opts = blk_take_str(opts, "filename");
		filename = in_opts;
	}
	return open_format(g, d, filename, opts, flags, ret);
}

void blk_warn_of_probing(const struct blk_node *node, const char *name)
{
	if (node->probed && strcmp(node->driver->name, "raw") == 0)
		fprintf(stderr,
			"WARNING: Image format was not specified for '%s' and probing guessed raw.\n"
			"         Automatically detecting the format is dangerous for raw images, write "
			"operations on block 0 will be restricted.\n"
			"         Specify the 'raw' format explicitly to remove the restrictions.\n",
			name);
}
