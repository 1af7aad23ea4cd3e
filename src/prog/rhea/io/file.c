/* io: commands about the file as a whole. */
#include "prog/rhea/io/io.h"
#include "base/coroutine.h"
#include "base/keyval.h"
#include "base/loop/loop.h"
#include "prog/rhea/img/img.h"
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <unistd.h>

struct call {
	struct io *io;
	u64 offset, len;
	int result;
};

static void flush_it(void *arg)
{
	struct call *c = arg;
	c->result = blk_flush(c->io->node);
}

static int flush(struct io *io, int argc UNUSED, char **argv UNUSED)
{
	struct call c = { .io = io };
	co_run(flush_it, &c);
	return c.result ? 1 : 0;
}

static int aio_flush(struct io *io, int argc UNUSED, char **argv UNUSED)
{
	io_drain(io);
	return 0;
}

static int length(struct io *io, int argc UNUSED, char **argv UNUSED)
{
	char text[64];
	printf("%s\n", io_size(blk_size(io->node), text));
	return 0;
}

static int truncate_file(struct io *io, int argc, char **argv)
{
	enum blk_prealloc mode = BLK_PREALLOC_OFF;
	u64 size;
	int c;
	while ((c = getopt(argc, argv, "m:")) != -1) {
		if (c != 'm')
			return 1;
		if (!blk_prealloc_find(optarg, &mode)) {
			fprintf(stderr, "qemu-io: Invalid parameter '%s'\n", optarg);
			return 1;
		}
	}
	if (!io_number(argv[optind], &size))
		return 1;
	struct err *e = blk_truncate(io->node, size, false, mode, false);
	if (!e)
		return 0;
	fflush(stdout);
	fprintf(stderr, "qemu-io: %s\n", err_text(e));
	err_free(e);
	return 1;
}

static int info(struct io *io, int argc UNUSED, char **argv UNUSED)
{
	struct blk_info i = { 0 };
	char size[64];
	printf("format name: %s\n", io->node->driver->name);
	if (io->node->driver->kind ==
	    BLK_TRANSPORT) { /* it is its own protocol, and has nothing else to tell */
		printf("format name: %s\n", io->node->driver->name);
		return 0;
	}
	struct err *e = io->node->driver->info ? io->node->driver->info(io->node, &i) : NULL;
	if (e) {
		err_free(e);
		return 1;
	}
	printf("cluster size: %s\n", io_size(i.cluster_size, size));
	printf("vm state offset: %s\n", io_size(io->node->vm_state, size));
	const struct json *data = json_get(i.specific, "data");
	if (data && data->n) {
		printf("Format specific information:\n");
		img_print_specific(data, 1);
	}
	json_free(i.specific);
	return 0;
}

static void discard_it(void *arg)
{
	struct call *c = arg;
	c->result = blk_discard(c->io->node, c->offset, c->len);
}

static int discard(struct io *io, int argc, char **argv)
{
	bool machine = false, quiet = false;
	struct call d = { .io = io };
	int c;
	while ((c = getopt(argc, argv, "Cq")) != -1) {
		if (c == 'C')
			machine = true;
		else if (c == 'q')
			quiet = true;
		else
			return 1;
	}
	if (optind != argc - 2) {
		printf("discard [-Cq] off len -- discards a number of bytes at a specified offset\n");
		return 1;
	}
	if (!io_number(argv[optind], &d.offset) || !io_number(argv[optind + 1], &d.len))
		return 1;
	i64 start = loop_now();
	co_run(discard_it, &d);
	if (d.result) {
		printf("discard failed: %s\n", strerror(-d.result));
		return 1;
	}
	if (!quiet)
		io_report("discard", d.offset, d.len, start, machine);
	return 0;
}

/* Allocated in this layer, zeros included. */
static int allocated(struct io *io, u64 offset, u64 len, bool *ret, u64 *ret_n)
{
	struct blk_extent x;
	u64 n = 0;
	while (n < len) {
		int r = blk_map(io->node, offset + n, len - n, &x);
		if (r)
			return r;
		bool here = x.where != BLK_HOLE;
		if (n && here != *ret)
			break;
		*ret = here;
		n += x.len;
	}
	*ret_n = n;
	return 0;
}

static int alloc_cmd(struct io *io, int argc, char **argv)
{
	u64 offset, len = 512, sum = 0, n;
	char text[64];
	if (!io_number(argv[1], &offset) || (argc > 2 && !io_number(argv[2], &len)))
		return 1;
	if (offset > INT64_MAX - len)
		return 1;
	len = offset < blk_size(io->node) ? MIN(len, blk_size(io->node) - offset) : 0;
	for (u64 at = 0; at < len; at += n) {
		bool here;
		int r = allocated(io, offset + at, len - at, &here, &n);
		if (r) {
			printf("is_allocated failed: %s\n", strerror(-r));
			return 1;
		}
		sum += here ? n : 0;
	}
	printf("%llu/%llu bytes allocated at offset %s\n", (unsigned long long)sum, (unsigned long long)len,
	       io_size(offset, text));
	return 0;
}

static int map(struct io *io, int argc UNUSED, char **argv UNUSED)
{
	u64 size = blk_size(io->node);
	char a[64], b[64];
	for (u64 at = 0; at < size;) {
		bool here = false;
		u64 n = 0;
		int r = allocated(io, at, size - at, &here, &n);
		if (r) {
			printf("Failed to get allocation status: %s\n", strerror(-r));
			return 1;
		}
		printf("%s (0x%llx) bytes %s allocated at offset %s (0x%llx)\n", io_size(n, a),
		       (unsigned long long)n, here ? "   " : "not", io_size(at, b), (unsigned long long)at);
		at += n;
	}
	return 0;
}

static int sleep_cmd(struct io *io, int argc UNUSED, char **argv)
{
	char *end;
	long ms = strtol(argv[1], &end, 0);
	if (*end || end == argv[1] || ms < 0) {
		printf("%s is not a valid pattern byte\n", argv[1]);
		return 1;
	}
	i64 until = loop_now() + ms * 1000000ll;
	if (!io->in_flight) {
		co_sleep(ms * 1000000ll);
		return 0;
	}
	while (loop_now() < until && io->in_flight)
		loop_run_once(loop_here(), true);
	if (loop_now() < until)
		co_sleep(until - loop_now());
	return 0;
}

static int abort_cmd(struct io *io UNUSED, int argc UNUSED, char **argv UNUSED)
{
	abort();
}

static int sigraise(struct io *io UNUSED, int argc UNUSED, char **argv)
{
	char *end;
	long sig = strtol(argv[1], &end, 0);
	if (*end || end == argv[1])
		return 1;
	fflush(stdout);
	raise(sig);
	return 0;
}

static int close_cmd(struct io *io, int argc UNUSED, char **argv UNUSED)
{
	io_close(io);
	return 0;
}

static int wrong(const char *what, const char *value)
{
	fprintf(stderr, "qemu-io: Invalid %s option: %s\n", what, value);
	return -1;
}

int io_mode_option(struct io_mode *m, int option, const char *arg)
{
	switch (option) {
	case 's':
		m->snapshot = true;
		return 0;
	case 'n':
		m->flags = (m->flags | BLK_DIRECT) & ~(u32)BLK_WRITETHROUGH;
		return 0;
	case 'C':
		m->flags |= BLK_COPY_ON_READ;
		return 0;
	case 'r':
		m->rdonly = true;
		return 0;
	case 'k':
		m->flags |= BLK_IO_NATIVE;
		return 0;
	case 'U':
		m->flags |= BLK_FORCE_SHARE;
		return 0;
	case 'i':
		return img_aio_mode(arg, &m->flags) ? 0 : wrong("aio", arg);
	case 't':
		return img_cache_mode(arg, &m->flags) ? 0 : wrong("cache", arg);
	case 'd':
		m->flags &= ~(u32)BLK_UNMAP;
		if (strcmp(arg, "unmap") == 0 || strcmp(arg, "on") == 0)
			m->flags |= BLK_UNMAP;
		else if (strcmp(arg, "ignore") != 0 && strcmp(arg, "off") != 0)
			return wrong("discard", arg);
		return 0;
	default:
		return 1;
	}
}

static int open_cmd(struct io *io, int argc, char **argv)
{
	struct io_mode mode = { .flags = IO_USUAL_FLAGS };
	AUTO(free_ptr) char *options = NULL;
	int c;
	while ((c = getopt(argc, argv, IO_MODE_OPTIONS "o:")) != -1) {
		if (c == 'o') {
			char *both = options ? strf("%s,%s", options, optarg) : str_dup(optarg);
			free(options);
			options = both;
		} else if (io_mode_option(&mode, c, optarg)) {
			return 1;
		}
	}
	if (io->image_opts && (optind == argc || options)) {
		printf("Can't use 'open' with --image-opts unless a file is named\n");
		return 1;
	}
	int r = 1;
	if (optind == argc - 1 && io->image_opts)
		r = io_open(io, NULL, NULL, argv[optind], &mode);
	else if (optind == argc - 1)
		r = io_open(io, argv[optind], NULL, options, &mode);
	else if (optind == argc && options)
		r = io_open(io, NULL, NULL, options, &mode);
	else
		printf("open [-rsCnkU] [-t cache] [-d discard] [-o options] [path] -- open the file "
		       "specified by path\n");
	return r;
}

/* Options that cannot change may be given as they are: "file.node-name" of the child's name. */
static struct err *same_value(struct blk_node *node, const char *key, const struct json *val)
{
	const char *dot, *now = NULL;
	while (node && (dot = strchr(key, '.'))) {
		struct blk_child *c = node->children;
		while (c && (strncmp(c->name, key, dot - key) != 0 || strlen(c->name) != (size_t)(dot - key)))
			c = c->next;
		if (!c)
			break;
		node = c->node;
		key = dot + 1;
	}
	if (strcmp(key, "node-name") == 0)
		now = node->node_name;
	else if (strcmp(key, "driver") == 0)
		now = node->driver->name;
	else
		now = json_get_str(node->options, key);
	if (now && val->kind == JSON_STR && strcmp(now, val->s) == 0)
		return NULL;
	return err_new(ERR_UNSUPPORTED, "Cannot change the option '%s'", key);
}

/* All of it, or nothing when a part of it is refused. opts: NULL, or what is left of them for the format. */
static struct err *change(struct io *io, struct json *opts, u32 flags)
{
	const struct blk_driver *d = io->node->driver;
	AUTO(json_freep) struct json *rest = opts ? json_copy(opts) : NULL;
	struct err *e =
	    opts && d->change ? d->change(io->node, rest, flags, BLK_CHANGE_KEEP | BLK_CHANGE_TRY) : NULL;
	for (size_t i = 0; i < (opts ? rest->n : 0) && !e; i++)
		e = same_value(io->node, rest->keys[i], rest->items[i]);
	if (e)
		return e;
	io_drain(io);
	if (opts && d->change)
		e = d->change(io->node, opts, flags, BLK_CHANGE_KEEP);
	return e ? e : blk_reopen(io->node, flags);
}

static int reopen(struct io *io, int argc, char **argv)
{
	u32 flags = io->node->flags;
	bool cache = false, rw = false;
	AUTO(json_freep) struct json *opts = NULL;
	struct err *e = NULL;
	int c;
	while ((c = getopt(argc, argv, "c:o:rw")) != -1) {
		switch (c) {
		case 'c':
			if (!img_cache_mode(optarg, &flags)) {
				fprintf(stderr, "qemu-io: Invalid cache option: %s\n", optarg);
				return 1;
			}
			cache = true;
			break;
		case 'o':
			if ((e = keyval_parse(optarg, NULL, &opts)))
				goto out;
			break;
		case 'r':
		case 'w':
			if (rw) {
				fprintf(stderr, "qemu-io: Only one -r/-w option can be given\n");
				return 1;
			}
			flags = c == 'r' ? flags & ~(u32)BLK_RDWR : flags | BLK_RDWR;
			rw = true;
			break;
		default:
			return 1;
		}
	}
	if (cache && opts &&
	    (json_get(opts, "cache.direct") || json_get(opts, "cache.no-flush") ||
	     json_get(opts, "cache.writeback")))
		e = err_new(ERR_INVALID, "Cannot set both -c and the cache options");
	if (!e && rw && opts && json_get(opts, "read-only"))
		e = err_new(ERR_INVALID, "Cannot set both -r/-w and 'read-only'");
	static const struct {
		const char *name;
		u32 flag;
		bool invert;
	} table[] = { { "read-only", BLK_RDWR, true },
		      { "cache.direct", BLK_DIRECT },
		      { "cache.no-flush", BLK_NO_FLUSH } };
	for (unsigned i = 0; i < LEN(table) && opts && !e; i++) {
		bool on = !!(flags & table[i].flag) != table[i].invert;
		e = blk_take_bool(opts, table[i].name, &on);
		flags = on != table[i].invert ? flags | table[i].flag : flags & ~table[i].flag;
	}
	bool auto_rdonly = flags & BLK_AUTO_RDONLY;
	if (opts && !e && !(e = blk_take_bool(opts, "auto-read-only", &auto_rdonly)) &&
	    auto_rdonly != !!(flags & BLK_AUTO_RDONLY))
		e = err_new(ERR_UNSUPPORTED, "Cannot change the option 'auto-read-only'");
	if (!e)
		e = change(io, opts, flags);
out:
	if (!e)
		return 0;
	fflush(stdout);
	fprintf(stderr, "qemu-io: %s\n", err_text(e));
	err_free(e);
	return 1;
}

/* clang-format off */
IO_CMD(flush) = { "flush", "f", NULL, "flush all in-core file state to disk", NULL, 0, 0, false, flush };
IO_CMD(aio_flush) = { "aio_flush", NULL, NULL, "completes all outstanding aio requests", NULL, 0, 0, false, aio_flush };
IO_CMD(length) = { "length", "l", NULL, "gets the length of the current file", NULL, 0, 0, false, length };
IO_CMD(truncate) = { "truncate", "t", "[-m prealloc_mode] off", "truncates the current file at the given offset", NULL, 1, 3, false, truncate_file };
IO_CMD(info) = { "info", "i", NULL, "prints information about the current file", NULL, 0, 0, false, info };
IO_CMD(discard) = { "discard", "d", "[-Cq] off len", "discards a number of bytes at a specified offset", NULL, 2, -1, false, discard };
IO_CMD(alloc) = { "alloc", "a", "offset [count]", "checks if offset is allocated in the file", NULL, 1, 2, false, alloc_cmd };
IO_CMD(map) = { "map", NULL, "", "prints the allocated areas of a file", NULL, 0, 1, false, map };
IO_CMD(sleep) = { "sleep", NULL, NULL, "waits for the given value in milliseconds", NULL, 1, 1, true, sleep_cmd };
IO_CMD(abort) = { "abort", NULL, NULL, "simulate a program crash using abort(3)", NULL, 0, 0, true, abort_cmd };
IO_CMD(sigraise) = { "sigraise", NULL, "signal", "raises a signal", NULL, 1, 1, true, sigraise };
IO_CMD(close) = { "close", "c", NULL, "close the current open file", NULL, 0, 0, false, close_cmd };
IO_CMD(open) = { "open", "o", "[-rsCnkU] [-t cache] [-d discard] [-o options] [path]", "open the file specified by path", NULL, 0, -1, true, open_cmd };
IO_CMD(reopen) = { "reopen", NULL, "[(-r|-w)] [-c cache] [-o options]", "reopens an image with new options", NULL, 0, -1, false, reopen };
/* clang-format on */
