/* rhea nbd (qemu-nbd): serves an image to NBD clients; lists what a server exports. */
#include "prog/rhea/img/img.h"
#include "prog/rhea/verb.h"
#include "base/coroutine.h"
#include "base/keyval.h"
#include "base/loop/loop.h"
#include "base/size.h"
#include "base/sock.h"
#include "block/export/nbd.h"
#include "block/nbd.h"
#include "block/object.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	OPT_CACHE = 256,
	OPT_AIO,
	OPT_DISCARD,
	OPT_DETECT,
	OPT_OBJ,
	OPT_TLS_CREDS,
	OPT_IMG_OPTS,
	OPT_FORK,
	OPT_TLS_AUTHZ,
	OPT_PID_FILE,
	OPT_SELINUX,
	OPT_TLS_HOST
};

struct args {
	const char *bind, *port, *socket, *fmt, *export, *description, *snapshot, *pid_file, *file;
	const char *bitmaps[64];
	unsigned n_bitmaps;
	unsigned shared;
	bool persistent, read_only, list, image_opts, fork, verbose, allocation_depth, snapshot_mode,
	    has_offset, fd_given;
	u64 offset;
	u32 flags;
};

struct serve {
	struct nbd_server server;
	bool persistent, stop, seen;
};

__attribute__((format(printf, 1, 2))) static int fail(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	fprintf(stderr, "qemu-nbd: ");
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	return 1;
}

static int report(struct err *e, const char *front)
{
	fail("%s%s", front, err_text(e));
	if (err_remedy(e))
		fprintf(stderr, "%s\n", err_remedy(e));
	err_free(e);
	return 1;
}

static void said(void *user UNUSED, const char *line)
{
	fprintf(stderr, "%s\n", line);
}

/* ---- listing ---- */

struct lister {
	int fd;
	int result;
};

static int ask(int fd, u32 opt, const void *data, u32 len)
{
	u8 h[16];
	struct iovec v;
	st_be64(h, NBD_OPT_MAGIC);
	st_be32(h + 8, opt);
	st_be32(h + 12, len);
	return sock_write2(fd, h, 16, iovs_one(&v, data, len));
}

static int answer(int fd, u32 *ret_type, u8 **ret, u32 *ret_len)
{
	u8 h[20];
	int r = sock_read(fd, h, 20, NULL);
	if (r)
		return r;
	*ret_type = ld_be32(h + 12);
	*ret_len = ld_be32(h + 16);
	if (ld_be64(h) != NBD_REP_MAGIC || *ret_len > NBD_MAX_DATA)
		return -EPROTO;
	free(*ret);
	*ret = alloc(*ret_len + 1);
	return sock_read(fd, *ret, *ret_len, NULL);
}

static void print_flags(u16 f)
{
	static const struct {
		u16 bit;
		const char *name;
	} names[] = { { NBD_READ_ONLY, "readonly" },
		      { NBD_SEND_FLUSH, "flush" },
		      { NBD_SEND_FUA, "fua" },
		      { BIT(4), "rotational" },
		      { NBD_SEND_TRIM, "trim" },
		      { NBD_SEND_WRITE_ZEROES, "zeroes" },
		      { NBD_SEND_DF, "df" },
		      { NBD_MULTI_CONN, "multi" },
		      { BIT(9), "resize" },
		      { NBD_SEND_CACHE, "cache" },
		      { NBD_SEND_FAST_ZERO, "fast-zero" } };
	printf("  flags: 0x%x (", f);
	for (unsigned i = 0; i < LEN(names); i++)
		if (f & names[i].bit)
			printf(" %s", names[i].name);
	printf(" )\n");
}

static int describe(int fd, const char *name)
{
	size_t n = strlen(name);
	AUTO(free_ptr) u8 *buf = alloc(n + 64), *data = NULL;
	u32 type, len;
	st_be32(buf, n);
	memcpy(buf + 4, name, n);
	st_be16(buf + 4 + n, 3);
	st_be16(buf + 6 + n, NBD_INFO_NAME);
	st_be16(buf + 8 + n, NBD_INFO_DESCRIPTION);
	st_be16(buf + 10 + n, NBD_INFO_BLOCK_SIZE);
	int r = ask(fd, NBD_OPT_INFO, buf, 12 + n);
	AUTO(free_ptr) char *desc = NULL;
	u32 sizes[3] = { 0 };
	u64 size = 0;
	u16 flags = 0;
	while (!r && !(r = answer(fd, &type, &data, &len)) && type == NBD_REP_INFO && len >= 2) {
		u16 what = ld_be16(data);
		if (what == NBD_INFO_EXPORT && len == 12) {
			size = ld_be64(data + 2);
			flags = ld_be16(data + 10);
		} else if (what == NBD_INFO_BLOCK_SIZE && len == 14) {
			for (int i = 0; i < 3; i++)
				sizes[i] = ld_be32(data + 2 + i * 4);
		} else if (what == NBD_INFO_DESCRIPTION) {
			free(desc);
			desc = strf("%.*s", (int)len - 2, (char *)data + 2);
		}
	}
	if (desc)
		printf("  description: %s\n", desc);
	printf("  size:  %llu\n", (unsigned long long)size);
	print_flags(flags);
	if (sizes[0])
		printf("  min block: %u\n  opt block: %u\n  max block: %u\n", sizes[0], sizes[1], sizes[2]);
	/* Contexts. */
	st_be32(buf + 4 + n, 0);
	r = r ? r : ask(fd, NBD_OPT_LIST_META, buf, 8 + n);
	AUTO(free_ptr) char *list = str_dup("");
	unsigned count = 0;
	while (!r && !(r = answer(fd, &type, &data, &len)) && type == NBD_REP_META && len > 4) {
		char *more = strf("%s   %.*s\n", list, (int)len - 4, (char *)data + 4);
		free(list);
		list = more;
		count++;
	}
	if (count)
		printf("  available meta contexts: %u\n%s", count, list);
	return r;
}

static void list_exports(void *arg)
{
	struct lister *l = arg;
	u8 h[18], flags[4];
	AUTO(free_ptr) u8 *data = NULL;
	u32 type, len;
	char *names[1024];
	unsigned n = 0;
	int r = sock_read(l->fd, h, 18, NULL);
	if (!r && (ld_be64(h) != NBD_MAGIC || ld_be64(h + 8) != NBD_OPT_MAGIC))
		r = -EPROTO;
	st_be32(flags, NBD_FIXED_NEWSTYLE | NBD_NO_ZEROES);
	if (!r)
		r = sock_write(l->fd, flags, 4);
	if (!r)
		r = ask(l->fd, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
	if (!r)
		r = answer(l->fd, &type, &data, &len);
	if (!r)
		r = ask(l->fd, NBD_OPT_LIST, NULL, 0);
	while (!r && !(r = answer(l->fd, &type, &data, &len)) && type == NBD_REP_SERVER && len >= 4 &&
	       n < LEN(names)) {
		u32 name_len = ld_be32(data);
		names[n++] = strf("%.*s", (int)MIN(name_len, len - 4), (char *)data + 4);
	}
	printf("exports available: %u\n", n);
	for (unsigned i = 0; i < n; i++) {
		printf(" export: '%s'\n", names[i]);
		if (!r)
			r = describe(l->fd, names[i]);
		free(names[i]);
	}
	ask(l->fd, NBD_OPT_ABORT, NULL, 0);
	l->result = r;
}

static int list(const struct args *a)
{
	struct sock_addr addr = { (char *)a->socket, (char *)(a->bind ? a->bind : "0.0.0.0"),
				  (char *)(a->port ? a->port : "10809") };
	struct lister l;
	struct err *e = sock_connect(&addr, &l.fd);
	if (e)
		return report(e, "");
	co_run(list_exports, &l);
	close(l.fd);
	return l.result ? fail("Failed to read the list of exports: %s", strerror(-l.result)) : 0;
}

/* ---- serving ---- */

static void changed(void *user, bool came)
{
	struct serve *s = user;
	s->seen |= came;
	if (!came && !s->server.clients && !s->persistent)
		s->stop = true;
}

static void on_signal(void *arg, u32 events UNUSED)
{
	struct serve *s = arg;
	s->stop = true;
}

/* The socket that systemd hands over, when it is for this process. */
static int activation_fd(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	if (!pid || !fds || atoi(pid) != getpid())
		return -1;
	int n = atoi(fds);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	if (n != 1)
		exit(fail("qemu-nbd does not support socket activation with LISTEN_FDS > 1"));
	sock_prepare(3);
	return 3;
}

static struct err *write_pid(const char *path)
{
	FILE *f = fopen(path, "w");
	if (!f)
		return err_errno(errno, "failed to create pid file '%s'", path);
	fprintf(f, "%d\n", getpid());
	fclose(f);
	return NULL;
}

/* The parent waits until the child serves, and passes its words on. */
static int fork_away(int *ret_pipe)
{
	int p[2];
	if (pipe2(p, O_CLOEXEC))
		return fail("Failed to create a pipe: %s", strerror(errno));
	pid_t pid = fork();
	if (pid < 0)
		return fail("Failed to fork: %s", strerror(errno));
	if (pid == 0) {
		close(p[0]);
		*ret_pipe = p[1];
		return -1;
	}
	close(p[1]);
	char buf[1024];
	ssize_t n = read(p[0], buf, sizeof(buf));
	if (n == 1 && buf[0] == 0)
		return 0;
	int status;
	waitpid(pid, &status, 0);
	return 1;
}

static struct blk_node *open_image(struct blk_graph *g, struct args *a)
{
	struct json *opts = NULL;
	struct blk_node *node = NULL;
	struct err *e = NULL;
	if (a->image_opts)
		e = keyval_parse(a->file, NULL, &opts);
	if (!e && !a->image_opts && a->has_offset) {
		opts = json_dict();
		json_set(opts, "driver", json_str("raw"));
		json_set(opts, "offset", json_int(a->offset));
		if (a->fmt)
			json_set(opts, "file.driver", json_str(a->fmt));
		if (a->fmt && blk_driver_find(a->fmt) && blk_driver_find(a->fmt)->kind == BLK_FORMAT) {
			json_set(opts, "file.file.filename", json_str(a->file));
			e = blk_open(g, NULL, "raw", opts, a->flags, &node);
		} else {
			e = blk_open(g, a->file, "raw", opts, a->flags, &node);
		}
	} else if (!e) {
		e = blk_open(g, a->image_opts ? NULL : a->file, a->image_opts ? NULL : a->fmt, opts, a->flags,
			     &node);
	}
	if (e) {
		AUTO(free_ptr) char *front = strf("Failed to blk_new_open '%s': ", a->file);
		report(e, front);
		return NULL;
	}
	return node;
}

static int add_bitmaps(struct nbd_export *x, const struct args *a)
{
	x->bitmaps = alloc(a->n_bitmaps * sizeof(*x->bitmaps));
	for (unsigned i = 0; i < a->n_bitmaps; i++) {
		struct blk_dirty *b = NULL;
		for (struct blk_node *n = x->node; n && !b; n = n->backing)
			b = blk_dirty_find(n, a->bitmaps[i]);
		if (!b)
			return fail("Failed to blk_exp_add: Bitmap '%s' is not found", a->bitmaps[i]);
		if (b->inconsistent)
			return fail("Failed to blk_exp_add: Bitmap '%s' is inconsistent and cannot be used",
				    a->bitmaps[i]);
		if (!x->read_only && b->enabled)
			return fail(
			    "Failed to blk_exp_add: Enabled bitmap '%s' incompatible with readonly export",
			    a->bitmaps[i]);
		x->bitmaps[x->n_bitmaps++] = b;
	}
	return 0;
}

static int serve(struct blk_graph *g, struct args *a, int ready)
{
	struct serve s = { .persistent = a->persistent };
	struct blk_node *node = open_image(g, a);
	if (!node)
		return 1;
	int status = 1, fd = activation_fd();
	s.server.max_clients = a->shared;
	s.server.changed = changed;
	s.server.user = &s;
	struct nbd_export *x = nbd_export_new(&s.server, a->export, node);
	x->read_only = !(node->flags & BLK_RDWR);
	x->shared = a->shared != 1;
	x->allocation_depth = a->allocation_depth;
	x->description = a->description ? str_dup(a->description) : NULL;
	struct err *e = NULL;
	if (a->snapshot && !img_load_snapshot(node, a->snapshot))
		goto out;
	if (add_bitmaps(x, a))
		goto out;
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int sig = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	struct sock_addr addr = { (char *)a->socket, (char *)(a->bind ? a->bind : "0.0.0.0"),
				  (char *)(a->port ? a->port : "10809") };
	if (fd < 0 && (e = sock_listen(&addr, a->shared ? MAX(a->shared, 16u) : 128, &fd))) {
		report(e, "");
		goto out;
	}
	struct loop_fd *w = loop_watch(loop_here(), sig, 1, on_signal, &s);
	nbd_server_listen(&s.server, fd);
	if (a->pid_file && (e = write_pid(a->pid_file))) {
		report(e, "");
		goto out;
	}
	if (ready >= 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		dup2(null, 0);
		dup2(null, 1);
		if (!a->verbose)
			dup2(null, 2);
		if (chdir("/") || write(ready, "", 1) != 1)
			goto out;
		close(ready);
	}
	while (!s.stop)
		loop_run_once(loop_here(), true);
	loop_unwatch(w);
	s.server.ended = true;
	status = 0;
	if (blk_flush(node))
		status = fail("Failed to flush the image");
	if (a->socket)
		unlink(a->socket);
	if (a->pid_file)
		unlink(a->pid_file);
out:
	nbd_export_free(&s.server, x);
	blk_unref(node);
	return status;
}

/* ---- arguments ---- */

static int usage(void)
{
	puts("Usage: qemu-nbd [OPTIONS] FILE\n  or:  qemu-nbd -L [OPTIONS]\nServes a disk image by the NBD "
	     "protocol.\n\n"
	     "  -h, --help                display this help and exit\n"
	     "  -V, --version             output version information and exit\n\n"
	     "Connection properties:\n"
	     "  -p, --port=PORT           port to listen on (default `10809')\n"
	     "  -b, --bind=IFACE          interface to bind to (default `0.0.0.0')\n"
	     "  -k, --socket=PATH         path to the unix socket\n"
	     "  -e, --shared=NUM          device can be shared by NUM clients (default '1')\n"
	     "  -t, --persistent          don't exit on the last connection\n"
	     "  -v, --verbose             display extra debugging information\n"
	     "  -x, --export-name=NAME    expose export by name (default is empty string)\n"
	     "  -D, --description=TEXT    export a human-readable description\n\n"
	     "Exposing part of the image:\n"
	     "  -o, --offset=OFFSET       offset into the image\n"
	     "  -A, --allocation-depth    expose the allocation depth\n"
	     "  -B, --bitmap=NAME         expose a persistent dirty bitmap\n\n"
	     "General purpose options:\n"
	     "  -L, --list                list exports available from another NBD server\n"
	     "  --object type,id=ID,...   define an object such as 'secret'\n"
	     "  --fork                    fork off the server process and exit the parent\n"
	     "                            once the server is running\n"
	     "  --pid-file=PATH           store the server's process ID in the given file\n\n"
	     "Block device options:\n"
	     "  -f, --format=FORMAT       set image format (raw, qcow2, ...)\n"
	     "  -r, --read-only           export read-only\n"
	     "  -l, --load-snapshot=SNAPSHOT_PARAM\n"
	     "                            load an internal snapshot inside FILE and export it\n"
	     "  -n, --nocache             disable host cache\n"
	     "      --cache=MODE          set cache mode used to access the disk image\n"
	     "      --aio=MODE            set AIO mode\n"
	     "      --discard=MODE        set discard mode (ignore, unmap)\n"
	     "      --detect-zeroes=MODE  set detect-zeroes mode (off, on, unmap)\n"
	     "      --image-opts          treat FILE as a full set of image options");
	return 0;
}

static const struct option longs[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "bind", required_argument, NULL, 'b' },
	{ "port", required_argument, NULL, 'p' },
	{ "socket", required_argument, NULL, 'k' },
	{ "offset", required_argument, NULL, 'o' },
	{ "read-only", no_argument, NULL, 'r' },
	{ "allocation-depth", no_argument, NULL, 'A' },
	{ "bitmap", required_argument, NULL, 'B' },
	{ "connect", required_argument, NULL, 'c' },
	{ "disconnect", no_argument, NULL, 'd' },
	{ "list", no_argument, NULL, 'L' },
	{ "snapshot", no_argument, NULL, 's' },
	{ "load-snapshot", required_argument, NULL, 'l' },
	{ "nocache", no_argument, NULL, 'n' },
	{ "cache", required_argument, NULL, OPT_CACHE },
	{ "aio", required_argument, NULL, OPT_AIO },
	{ "discard", required_argument, NULL, OPT_DISCARD },
	{ "detect-zeroes", required_argument, NULL, OPT_DETECT },
	{ "shared", required_argument, NULL, 'e' },
	{ "format", required_argument, NULL, 'f' },
	{ "persistent", no_argument, NULL, 't' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "object", required_argument, NULL, OPT_OBJ },
	{ "export-name", required_argument, NULL, 'x' },
	{ "description", required_argument, NULL, 'D' },
	{ "tls-creds", required_argument, NULL, OPT_TLS_CREDS },
	{ "tls-hostname", required_argument, NULL, OPT_TLS_HOST },
	{ "tls-authz", required_argument, NULL, OPT_TLS_AUTHZ },
	{ "image-opts", no_argument, NULL, OPT_IMG_OPTS },
	{ "trace", required_argument, NULL, 'T' },
	{ "fork", no_argument, NULL, OPT_FORK },
	{ "pid-file", required_argument, NULL, OPT_PID_FILE },
	{ "selinux-label", required_argument, NULL, OPT_SELINUX },
	{ 0 },
};

static int take_mode(struct args *a, int c, const char *text)
{
	if (c == OPT_CACHE)
		return img_cache_mode(text, &a->flags) ? 0 : fail("Invalid cache mode `%s'", text);
	if (c == OPT_AIO)
		return img_aio_mode(text, &a->flags) ? 0 : fail("Invalid aio mode '%s'", text);
	if (c == OPT_DISCARD) {
		bool on = strcmp(text, "unmap") == 0 || strcmp(text, "on") == 0;
		if (!on && strcmp(text, "ignore") != 0 && strcmp(text, "off") != 0)
			return fail("Invalid discard mode `%s'", text);
		a->flags = on ? a->flags | BLK_UNMAP : a->flags & ~(u32)BLK_UNMAP;
		return 0;
	}
	if (strcmp(text, "off") && strcmp(text, "on") && strcmp(text, "unmap"))
		return fail("Failed to parse detect_zeroes mode: Invalid parameter '%s'", text);
	a->flags |= strcmp(text, "off") ? BLK_DETECT_ZEROES : 0;
	a->flags |= strcmp(text, "unmap") ? 0 : BLK_DETECT_UNMAP;
	return 0;
}

/* -1: go on. */
static int read_args(struct blk_graph *g, int argc, char **argv, struct args *a)
{
	int c;
	while ((c = getopt_long(argc, argv, "hVb:o:p:rsnc:dvk:e:f:tl:x:T:D:AB:L", longs, NULL)) != -1) {
		switch (c) {
		case 'h':
			return usage();
		case 'V':
			puts("qemu-nbd " PEER_VERSION " (Rhea " RHEA_VERSION ")");
			return 0;
		case 'b':
			a->bind = optarg;
			break;
		case 'p':
			a->port = optarg;
			break;
		case 'k':
			a->socket = optarg;
			if (optarg[0] != '/')
				return fail("socket path must be absolute");
			break;
		case 'o':
			if (size_parse(optarg, &a->offset))
				return fail("Invalid offset '%s'", optarg);
			a->has_offset = true;
			break;
		case 'r':
			a->read_only = true;
			break;
		case 'A':
			a->allocation_depth = true;
			break;
		case 'B':
			if (a->n_bitmaps < LEN(a->bitmaps))
				a->bitmaps[a->n_bitmaps++] = optarg;
			break;
		case 'c':
		case 'd':
			return fail(
			    "The kernel's NBD device is not supported; use nbd-client with a served socket");
		case 's':
			return fail("-s is not supported; serve an overlay made with `qemu-img create -b'");
		case 'l':
			a->snapshot = optarg;
			break;
		case 'n':
			a->flags |= BLK_DIRECT;
			break;
		case OPT_CACHE:
		case OPT_AIO:
		case OPT_DISCARD:
		case OPT_DETECT:
			if (take_mode(a, c, optarg))
				return 1;
			break;
		case 'e': {
			char *end;
			long n = strtol(optarg, &end, 0);
			if (*end || n < 0 || n > INT32_MAX)
				return fail("Invalid shared device number '%s'", optarg);
			a->shared = n;
			break;
		}
		case 'f':
			a->fmt = optarg;
			break;
		case 't':
			a->persistent = true;
			break;
		case 'v':
			a->verbose = true;
			break;
		case 'x':
			a->export = optarg;
			if (strlen(optarg) > NBD_MAX_STRING)
				return fail("export name '%s' too long", optarg);
			break;
		case 'D':
			a->description = optarg;
			if (strlen(optarg) > NBD_MAX_STRING)
				return fail("export description '%s' too long", optarg);
			break;
		case 'L':
			a->list = true;
			break;
		case 'T':
			return fail("tracing is not supported");
		case OPT_OBJ: {
			struct json *props;
			struct err *e = keyval_parse(optarg, "qom-type", &props);
			if (!e)
				e = blk_object_add(g, props);
			if (e)
				return report(e, "");
			break;
		}
		case OPT_TLS_CREDS:
		case OPT_TLS_AUTHZ:
		case OPT_TLS_HOST:
			return fail("TLS is not supported");
		case OPT_SELINUX:
			return fail("SELinux labels are not supported");
		case OPT_IMG_OPTS:
			a->image_opts = true;
			break;
		case OPT_FORK:
			a->fork = true;
			break;
		case OPT_PID_FILE:
			a->pid_file = optarg;
			break;
		default:
			fprintf(stderr, "Try `qemu-nbd --help' for more information.\n");
			return 1;
		}
	}
	return -1;
}

static int run(int argc, char **argv)
{
	struct blk_graph *g = blk_graph_new();
	struct args a = { .shared = 1, .export = "", .flags = BLK_UNMAP };
	/* Buffers of requests come and go: fresh pages for each would cost more than the copying. */
	mallopt(M_MMAP_THRESHOLD, 64 << 20);
	mallopt(M_TRIM_THRESHOLD, 256 << 20);
	signal(SIGPIPE, SIG_IGN);
	blk_graph_listen(g, said, NULL);
	int status = read_args(g, argc, argv, &a), ready = -1;
	if (status >= 0)
		return status;
	if (a.list) {
		if (argc != optind)
			return fail("List mode is incompatible with a file name");
		if (a.export[0] || a.description || a.has_offset || a.fork || a.fmt || a.read_only ||
		    a.n_bitmaps)
			return fail("List mode is incompatible with per-device settings");
		return list(&a);
	}
	if (argc - optind != 1) {
		fail("Invalid number of arguments");
		fprintf(stderr, "Try `qemu-nbd --help' for more information.\n");
		return 1;
	}
	if (a.image_opts && a.fmt)
		return fail("--image-opts and -f are mutually exclusive");
	if (a.socket && (a.bind || a.port))
		return fail("-b and -p cannot be used with -k");
	a.file = argv[optind];
	a.flags |= a.read_only || a.snapshot ? 0 : BLK_RDWR;
	if (a.fork && (status = fork_away(&ready)) >= 0)
		return status;
	status = serve(g, &a, ready);
	blk_graph_free(g);
	return status;
}

VERB(nbd) = { .name = "nbd", .peer = "qemu-nbd", .summary = "serves an image to NBD clients", .run = run };
