/* img map: where an image's bytes lie; img measure: how much room a copy would take; img compare. */
#include "prog/rhea/img/img.h"
#include <getopt.h>

struct entry {
	u64 start, len;
	struct blk_status s;
};

static bool same(const struct entry *a, const struct blk_status *b)
{
	const struct blk_status *s = &a->s;
	if (s->zero != b->zero || s->data != b->data || s->present != b->present || s->depth != b->depth ||
	    s->has_offset != b->has_offset)
		return false;
	return !s->has_offset || (s->file == b->file && s->offset + a->len == b->offset);
}

static int print_entry(const struct entry *e, bool as_json, bool first)
{
	if (as_json) {
		printf("%s{ \"start\": %llu, \"length\": %llu, \"depth\": %u, \"present\": %s, \"zero\": %s, "
		       "\"data\": %s",
		       first ? "[" : ",\n", (unsigned long long)e->start, (unsigned long long)e->len,
		       e->s.depth, e->s.present ? "true" : "false", e->s.zero ? "true" : "false",
		       e->s.data ? "true" : "false");
		if (e->s.has_offset)
			printf(", \"offset\": %llu", (unsigned long long)e->s.offset);
		printf("}");
		return 0;
	}
	if (e->s.data && !e->s.has_offset) {
		img_error("File contains external, encrypted or compressed clusters.");
		return 1;
	}
	if (e->s.data && !e->s.zero)
		printf("%#-16llx%#-16llx%#-16llx%s\n", (unsigned long long)e->start,
		       (unsigned long long)e->len, (unsigned long long)e->s.offset,
		       e->s.file ? e->s.file->filename : "");
	return 0;
}

static int print_map(struct blk_node *node, u64 from, u64 end, bool as_json)
{
	struct entry cur = { .len = 0 };
	bool first = true;
	if (!as_json)
		printf("%-16s%-16s%-16s%s\n", "Offset", "Length", "Mapped to", "File");
	for (u64 at = from; at < end;) {
		struct blk_status s;
		int r = blk_status(node, NULL, at, end - at, &s);
		if (r) {
			img_error("Failed to read image metadata: %s", strerror(-r));
			return 1;
		}
		if (s.past_end) { /* clients are told of the layer that makes the zeros */
			s.depth--;
			s.present = false;
		}
		if (cur.len && same(&cur, &s)) {
			cur.len += s.len;
		} else {
			if (cur.len && print_entry(&cur, as_json, first))
				return 1;
			first &= !cur.len;
			cur = (struct entry){ at, s.len, s };
		}
		at += s.len;
	}
	if (cur.len && print_entry(&cur, as_json, first))
		return 1;
	if (as_json)
		puts(cur.len ? "]" : "[]");
	return 0;
}

static int map(struct img *m, int argc, char **argv)
{
	static const struct option longs[] = { { "help", no_argument, 0, 'h' },
					       { "format", required_argument, 0, 'f' },
					       { "output", required_argument, 0, OPT_OUTPUT },
					       { "object", required_argument, 0, OPT_OBJECT },
					       { "image-opts", no_argument, 0, OPT_IMAGE_OPTS },
					       { "force-share", no_argument, 0, 'U' },
					       { "start-offset", required_argument, 0, 's' },
					       { "max-length", required_argument, 0, 'l' },
					       { 0 } };
	const char *fmt = NULL, *output = "human";
	u64 start = 0, max = ~0ull;
	int c;
	while ((c = img_getopt(m, argc, argv, ":f:s:l:hU", longs)) != -1) {
		if (c == 'f')
			fmt = optarg;
		else if (c == OPT_OUTPUT)
			output = optarg;
		else if (c == 's') {
			if (!img_parse_size("start offset", optarg, &start))
				return 1;
		} else if (c == 'l') {
			if (!img_parse_size("max length", optarg, &max))
				return 1;
		} else
			return 0;
	}
	if (optind != argc - 1)
		img_usage_error("Expecting one image file name");
	bool as_json;
	if (!img_output_mode(output, &as_json))
		return 1;
	if (!img_make_objects(m))
		return 1;
	struct blk_node *node = img_open(m, argv[optind], fmt, 0);
	if (!node)
		return 1;
	u64 end = max < blk_size(node) && start < blk_size(node) - max ? start + max : blk_size(node);
	int status = print_map(node, start, end, as_json);
	blk_unref(node);
	return status;
}

IMG_VERB(map) = {
	.name = "map",
	.usage = "[--object objectdef] [--image-opts] [-f fmt] [--start-offset=offset] [--max-length=len] "
		 "[--output=ofmt] "
		 "[-U] filename",
	.run = map,
};

/* ---- measure ---- */

static int do_measure(struct img *m, const char *filename, const char *fmt, const char *out_fmt,
		      struct json *opts, bool has_size, u64 size, const char *snapshot, bool as_json)
{
	struct blk_node *node = NULL;
	if (filename && !(node = img_open(m, filename, fmt, BLK_UNMAP)))
		return 1;
	if (snapshot && !img_load_snapshot(node, snapshot)) {
		blk_unref(node);
		return 1;
	}
	const struct blk_driver *d = blk_driver_find(out_fmt);
	int status = 1;
	struct err *e = NULL;
	struct blk_measure res = { 0 };
	if (!d)
		img_error("Unknown file format '%s'", out_fmt);
	else if (!d->create_opts)
		img_error("Format driver '%s' does not support image creation", d->name);
	else if ((e = blk_opts_check(opts, d->create_opts, blk_driver_find("file")->create_opts)))
		img_report(e, "%s", "");
	else if (!d->measure)
		img_error("Block driver '%s' does not support size measurement", d->name);
	else if ((e = d->measure(opts, node, has_size ? size : 0, &res)))
		img_report(e, "%s", "");
	else
		status = 0;
	if (!status && node && strcmp(out_fmt, "qcow2") == 0 && strcmp(node->driver->name, "qcow2") == 0 &&
	    strcmp(blk_opt_str(opts, "compat") ? blk_opt_str(opts, "compat") : "", "0.10") != 0) {
		res.has_bitmaps = true;
		u64 cs = blk_opt_num(opts, "cluster_size", 65536), dir = 0;
		for (struct blk_dirty *b = node->dirty; b; b = b->next) {
			if (!b->persistent || b->inconsistent)
				continue;
			u64 bytes = (blk_dirty_bits(b) + 7) / 8, clusters = (bytes + cs - 1) / cs;
			res.bitmaps += clusters * cs + ROUND_UP(clusters * 8, cs);
			dir += ROUND_UP(24 + strlen(b->name), 8ull);
		}
		res.bitmaps += ROUND_UP(dir, cs);
	}
	blk_unref(node);
	if (status)
		return status;
	if (as_json) {
		AUTO(json_freep) struct json *j = json_dict();
		if (res.has_bitmaps)
			json_set(j, "bitmaps", json_int(res.bitmaps));
		json_set(j, "required", json_int(res.required));
		json_set(j, "fully-allocated", json_int(res.fully_allocated));
		AUTO(free_ptr) char *text = json_text(j, true);
		puts(text);
		return 0;
	}
	printf("required size: %llu\nfully allocated size: %llu\n", (unsigned long long)res.required,
	       (unsigned long long)res.fully_allocated);
	if (res.has_bitmaps)
		printf("bitmaps size: %llu\n", (unsigned long long)res.bitmaps);
	return 0;
}

struct measure_args {
	const char *fmt, *out_fmt, *output, *snapshot;
};

static const struct field measure_fields[] = { FIELD_TEXT('f', struct measure_args, fmt),
					       FIELD_TEXT('O', struct measure_args, out_fmt),
					       FIELD_TEXT('l', struct measure_args, snapshot),
					       FIELD_TEXT(OPT_OUTPUT, struct measure_args, output),
					       { 0 } };

/* -l: a name, or "snapshot.id=..,snapshot.name=.."; false: another member, which was reported. */
static bool check_snapshot(const char *text)
{
	const char *p = text && strncmp(text, "snapshot.", 9) == 0 ? text : NULL;
	while (p && *p) {
		if (strncmp(p, "snapshot.id=", 12) != 0 && strncmp(p, "snapshot.name=", 14) != 0) {
			img_error("Invalid parameter '%.*s'", (int)strcspn(p, "=,"), p);
			img_error("Failed in parsing snapshot param '%s'", text);
			return false;
		}
		p = strchr(p, ',');
		p = p ? p + 1 : NULL;
	}
	return true;
}

static int measure(struct img *m, int argc, char **argv)
{
	static const struct option longs[] = { { "help", no_argument, 0, 'h' },
					       { "image-opts", no_argument, 0, OPT_IMAGE_OPTS },
					       { "object", required_argument, 0, OPT_OBJECT },
					       { "output", required_argument, 0, OPT_OUTPUT },
					       { "size", required_argument, 0, OPT_SIZE },
					       { "force-share", no_argument, 0, 'U' },
					       { 0 } };
	struct measure_args a = { .out_fmt = "raw", .output = "human" };
	AUTO(json_freep) struct json *opts = json_dict();
	AUTO(free_ptr) char *list = NULL;
	bool has_size = false;
	u64 size = 0;
	int c;
	while ((c = img_getopt(m, argc, argv, "hf:l:o:O:U", longs)) != -1) {
		if (field_set(measure_fields, &a, c))
			continue;
		if (c != 'o' && c != OPT_SIZE)
			return 0;
		if (c == 'o' ? !img_add_options(opts, &list, optarg)
			     : !img_parse_size("image size", optarg, &size))
			return 1;
		has_size |= c == OPT_SIZE;
	}
	bool as_json;
	if (!check_snapshot(a.snapshot) || !img_output_mode(a.output, &as_json))
		return 1;
	if (argc - optind > 1) {
		img_error("At most one filename argument is allowed.");
		return 1;
	}
	const char *filename = argc - optind == 1 ? argv[optind] : NULL;
	if (!filename && (m->image_opts || a.fmt || a.snapshot)) {
		img_error("--image-opts, -f, and -l require a filename argument.");
		return 1;
	}
	if (!filename && !has_size) {
		img_error("Either --size N or one filename must be specified.");
		return 1;
	}
	if (filename && has_size) {
		img_error("--size N cannot be used together with a filename.");
		return 1;
	}
	if (!img_make_objects(m))
		return 1;
	return do_measure(m, filename, a.fmt, a.out_fmt, opts, has_size, size, a.snapshot, as_json);
}

IMG_VERB(measure) = {
	.name = "measure",
	.usage = "[--output=ofmt] [-O output_fmt] [-o options] [--size N | [--object objectdef] "
		 "[--image-opts] [-f fmt] [-l "
		 "snapshot_param] filename]",
	.run = measure,
};

bool img_load_snapshot(struct blk_node *node, const char *spec)
{
	const char *id = NULL, *name = NULL;
	AUTO(free_ptr) char *copy = str_dup(spec);
	struct err *e = NULL;
	if (!node->driver->snapshot_load_tmp) {
		img_error("Failed to load snapshot: Device '' does not support internal snapshots");
		return false;
	}
	if (strncmp(spec, "snapshot.", 9) == 0) {
		for (char *p = copy, *next; p; p = next) {
			next = strchr(p, ',');
			if (next)
				*next++ = 0;
			if (strncmp(p, "snapshot.id=", 12) == 0)
				id = p + 12;
			else if (strncmp(p, "snapshot.name=", 14) == 0)
				name = p + 14;
		}
		e = node->driver->snapshot_load_tmp(node, id, name);
	} else {
		e = node->driver->snapshot_load_tmp(node, spec, NULL);
		if (e && err_code(e) == ERR_NOT_FOUND) {
			err_free(e);
			e = node->driver->snapshot_load_tmp(node, NULL, spec);
		}
	}
	if (e)
		img_report(e, "Failed to load snapshot: ");
	return !e;
}
