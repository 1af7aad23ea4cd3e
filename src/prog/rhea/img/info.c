/* img info: what an image is; img snapshot: its internal snapshots. */
#include "prog/rhea/img/img.h"
#include "base/size.h"
#include <getopt.h>
#include <sys/time.h>
#include <time.h>

/* ---- as text ---- */

static void print_key(const char *key)
{
	for (; *key; key++)
		putchar(*key == '-' ? ' ' : *key);
}

static void print_scalar(const struct json *j)
{
	if (j->kind == JSON_STR)
		printf("%s\n", j->s);
	else if (j->kind == JSON_BOOL)
		printf("%s\n", j->b ? "true" : "false");
	else if (j->kind == JSON_INT)
		printf("%lld\n", (long long)j->i);
	else
		putchar('\n');
}

void img_print_specific(const struct json *j, int indent)
{
	for (size_t i = 0; i < j->n; i++) {
		const struct json *v = j->items[i];
		bool deep = v->kind == JSON_DICT || v->kind == JSON_LIST;
		printf("%*s", indent * 4, "");
		if (j->kind == JSON_LIST)
			printf("[%zu]:%s", i, deep ? "\n" : " ");
		else {
			print_key(j->keys[i]);
			printf(":%s", deep ? "\n" : " ");
		}
		if (deep)
			img_print_specific(v, indent + 1);
		else
			print_scalar(v);
	}
}

static void print_snapshot(const char *id, const char *name, u64 vm_size, u64 date, u64 clock_ns,
			   bool has_icount, i64 icount)
{
	char size[32], when[64], clock[64], count[32] = "";
	time_t t = date;
	struct tm tm;
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", localtime_r(&t, &tm));
	u64 s = clock_ns / 1000000000;
	snprintf(clock, sizeof(clock), "%02d:%02d:%02d.%03d", (int)(s / 3600), (int)(s / 60 % 60),
		 (int)(s % 60), (int)(clock_ns / 1000000 % 1000));
	if (has_icount)
		snprintf(count, sizeof(count), "%lld", (long long)icount);
	printf("%-9s %-16s %8s%20s%13s%11s\n", id, name, size_text(vm_size, size), when, clock, count);
}

void img_print_snapshots(const struct json *list)
{
	printf("%-9s %-16s %8s%20s%13s%11s\n", "ID", "TAG", "VM SIZE", "DATE", "VM CLOCK", "ICOUNT");
	for (size_t i = 0; i < list->n; i++) {
		const struct json *s = list->items[i];
		print_snapshot(json_get_str(s, "id"), json_get_str(s, "name"),
			       json_get_int(s, "vm-state-size", 0), json_get_int(s, "date-sec", 0),
			       json_get_int(s, "vm-clock-sec", 0) * 1000000000 +
				   json_get_int(s, "vm-clock-nsec", 0),
			       json_get(s, "icount"), json_get_int(s, "icount", 0));
	}
}

static void print_info(const struct json *j)
{
	char size[32];
	u64 bytes = json_get_int(j, "virtual-size", 0);
	const char *backing = json_get_str(j, "backing-filename"),
		   *full = json_get_str(j, "full-backing-filename");
	printf("image: %s\nfile format: %s\nvirtual size: %s (%llu bytes)\n", json_get_str(j, "filename"),
	       json_get_str(j, "format"), size_text(bytes, size), (unsigned long long)bytes);
	if (json_get(j, "actual-size"))
		printf("disk size: %s\n", size_text(json_get_int(j, "actual-size", 0), size));
	else
		printf("disk size: unavailable\n");
	if (json_get(j, "encrypted"))
		printf("encrypted: yes\n");
	if (json_get(j, "cluster-size"))
		printf("cluster_size: %lld\n", (long long)json_get_int(j, "cluster-size", 0));
	if (json_get_bool(j, "dirty-flag", false))
		printf("cleanly shut down: no\n");
	if (backing) {
		printf("backing file: %s", backing);
		if (!full)
			printf(" (cannot determine actual path)");
		else if (strcmp(full, backing) != 0)
			printf(" (actual path: %s)", full);
		putchar('\n');
	}
	if (json_get(j, "backing-filename-format"))
		printf("backing file format: %s\n", json_get_str(j, "backing-filename-format"));
	if (json_get(j, "snapshots")) {
		printf("Snapshot list:\n");
		img_print_snapshots(json_get(j, "snapshots"));
	}
	const struct json *data = json_get(json_get(j, "format-specific"), "data");
	if (data && data->n) {
		printf("Format specific information:\n");
		img_print_specific(data, 1);
	}
}

static int info(struct img *m, int argc, char **argv)
{
	static const struct option longs[] = { { "help", no_argument, 0, 'h' },
					       { "format", required_argument, 0, 'f' },
					       { "output", required_argument, 0, OPT_OUTPUT },
					       { "backing-chain", no_argument, 0, OPT_BACKING_CHAIN },
					       { "object", required_argument, 0, OPT_OBJECT },
					       { "image-opts", no_argument, 0, OPT_IMAGE_OPTS },
					       { "force-share", no_argument, 0, 'U' },
					       { 0 } };
	const char *fmt = NULL, *output = "human";
	bool chain = false;
	int c;
	while ((c = img_getopt(m, argc, argv, ":hf:U", longs)) != -1) {
		if (c == 'f')
			fmt = optarg;
		else if (c == OPT_OUTPUT)
			output = optarg;
		else if (c == OPT_BACKING_CHAIN)
			chain = true;
		else
			return 0;
	}
	if (optind != argc - 1)
		img_usage_error("Expecting one image file name");
	bool as_json;
	if (!img_output_mode(output, &as_json))
		return 1;
	if (!img_make_objects(m))
		return 1;
	AUTO(json_freep) struct json *list = json_list();
	AUTO(free_ptr) char *name = str_dup(argv[optind]);
	AUTO(free_ptr) char *next_fmt = fmt ? str_dup(fmt) : NULL;
	/* One by one: a chain that leads back to itself is told from a long one by the names. */
	for (bool first = true; name; first = false) {
		for (size_t i = 0; i < list->n; i++)
			if (strcmp(json_get_str(list->items[i], "filename"), name) == 0) {
				img_error("Backing file '%s' creates an infinite loop.", name);
				return 1;
			}
		struct blk_node *node =
		    img_open_as(m, m->image_opts && first, name, next_fmt, BLK_NO_IO | BLK_NO_BACKING);
		if (!node)
			return 1;
		struct json *j = blk_image_info(node);
		json_add(list, j);
		const char *next = json_get_str(j, "full-backing-filename");
		free(name);
		free(next_fmt);
		name = chain && next ? str_dup(next) : NULL;
		next_fmt = node->backing_format ? str_dup(node->backing_format) : NULL;
		blk_unref(node);
	}
	if (as_json) {
		AUTO(free_ptr) char *text = json_text(chain ? list : list->items[0], true);
		puts(text);
		return 0;
	}
	for (size_t i = 0; i < list->n; i++) {
		if (i)
			putchar('\n');
		print_info(list->items[i]);
	}
	return 0;
}

IMG_VERB(info) = {
	.name = "info",
	.usage =
	    "[--object objectdef] [--image-opts] [-f fmt] [--output=ofmt] [--backing-chain] [-U] filename",
	.run = info,
};

/* ---- snapshots ---- */

static int do_snapshot(struct blk_node *node, int action, const char *name)
{
	const struct blk_driver *d = node->driver;
	struct err *e = NULL;
	if (action == 'l') {
		struct json *list = blk_snapshots_json(node);
		if (list) {
			printf("Snapshot list:\n");
			img_print_snapshots(list);
		}
		json_free(list);
		return 0;
	}
	static const struct {
		int action;
		const char *verb;
	} verbs[] = { { 'c', "create" }, { 'a', "apply" }, { 'd', "delete" } };
	const char *verb = "";
	for (unsigned i = 0; i < LEN(verbs); i++)
		if (verbs[i].action == action)
			verb = verbs[i].verb;
	if (!d->snapshot_create) {
		if (action == 'd')
			img_error("Could not delete snapshot '%s': snapshot not found", name);
		else
			img_error("Could not %s snapshot '%s': %d (%s)", verb, name, -95,
				  "Operation not supported");
		return 1;
	}
	if (action == 'c') {
		struct timeval tv;
		gettimeofday(&tv, NULL);
		struct blk_snapshot s = { .date_sec = tv.tv_sec, .date_nsec = tv.tv_usec * 1000 };
		e = d->snapshot_create(node, name, &s);
		if (e) {
			int r = err_errnum(e);
			img_error("Could not create snapshot '%s': %d (%s)", name, -r,
				  r ? strerror(r) : err_text(e));
		}
	} else if (action == 'a') {
		e = d->snapshot_apply(node, name);
		if (e && err_errnum(e) == 2)
			img_error("Could not apply snapshot '%s': %d (%s)", name, -2, strerror(2));
		else if (e)
			img_error("Could not apply snapshot '%s': %s", name, err_text(e));
	} else {
		e = blk_snapshot_delete_named(node, name);
		if (e && err_code(e) == ERR_NOT_FOUND)
			img_error("Could not delete snapshot '%s': snapshot not found", name);
		else if (e)
			img_error("Could not delete snapshot '%s': %s", name, err_text(e));
	}
	bool failed = e;
	err_free(e);
	return failed;
}

static int snapshot(struct img *m, int argc, char **argv)
{
	static const struct option longs[] = { { "help", no_argument, 0, 'h' },
					       { "object", required_argument, 0, OPT_OBJECT },
					       { "image-opts", no_argument, 0, OPT_IMAGE_OPTS },
					       { "force-share", no_argument, 0, 'U' },
					       { 0 } };
	const char *name = NULL;
	int action = 0, c;
	while ((c = img_getopt(m, argc, argv, ":la:c:d:hqU", longs)) != -1) {
		if (c == OPT_FLAG_HELP)
			return 0;
		if (action)
			img_usage_error("Cannot mix '-l', '-a', '-c', '-d'");
		action = c;
		name = optarg;
	}
	if (optind != argc - 1)
		img_usage_error("Expecting one image file name");
	if (!img_make_objects(m))
		return 1;
	if (!action)
		action = 'l';
	u32 flags = action == 'l' ? BLK_NO_IO : BLK_RDWR | BLK_UNMAP | BLK_RESIZE;
	struct blk_node *node = img_open(m, argv[optind], NULL, flags);
	if (!node)
		return 1;
	int status = do_snapshot(node, action, name);
	blk_unref(node);
	return status;
}

IMG_VERB(snapshot) = {
	.name = "snapshot",
	.usage = "[--object objectdef] [--image-opts] [-U] [-q] [-l | -a snapshot | -c snapshot | -d "
		 "snapshot] filename",
	.run = snapshot,
};
