/* rhea nbd (qemu-nbd): exports an image to NBD clients. */
#include "prog/rhea/nbd/nbd.h"
#include "prog/rhea/img/img.h"
#include "prog/rhea/field.h"
#include "prog/rhea/process.h"
#include "prog/rhea/verb.h"
#include "base/keyval.h"
#include "base/loop/loop.h"
#include "base/size.h"
#include "base/sock.h"
#include "block/nbd.h"
#include "block/object.h"
#include "block/transport/nbd/client.h"
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIRST_PASSED_FD = 3, MAX_PASSED = 64 };

struct nbd {
	struct blk_graph *graph;
	/* What was asked for. */
	const char *bind, *port, *socket, *name, *description, *fmt, *snapshot_of, *pid_file, *device,
	    *tls_creds, *tls_authz, *tls_hostname, *discard, *detect, *cache, *aio, **bitmaps;
	unsigned n_bitmaps, shared, passed; /* passed: descriptors by systemd */
	u64 offset;
	u32 flags;
	bool persistent, read_only, snapshot, list, disconnect, fork, image_opts, verbose, depth, has_name;
	/* What runs. */
	struct nbd_server server;
	struct blk_node *node;
	struct nbd_export *export;
	struct nbd_device *kernel;
	struct process process;
	bool end, own_socket;
};

void nbd_error(const char *fmt, ...)
{
	va_list args;
	fflush(stdout);
	fputs("qemu-nbd: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

void nbd_report(struct err *e, const char *front)
{
	nbd_error("%s%s", front, err_text(e));
	if (err_remedy(e))
		fprintf(stderr, "%s\n", err_remedy(e));
	err_free(e);
}

static void said(void *user UNUSED, const char *line)
{
	fflush(stdout);
	fprintf(stderr, "%s\n", line);
}

/* ---- options ---- */

static const char help_text[] =
    "Usage: qemu-nbd [OPTIONS] FILE\n"
    "  or:  qemu-nbd -L [OPTIONS]\n"
    "  or:  qemu-nbd -d DEV\n"
    "Exports a disk image to NBD clients.\n\n"
    "  -h, --help                this text\n"
    "  -V, --version             the version\n\n"
    "Connection\n"
    "  -p, --port=PORT           TCP port (10809)\n"
    "  -b, --bind=IFACE          address to listen at, or to list from (0.0.0.0)\n"
    "  -k, --socket=PATH         Unix socket instead of TCP\n"
    "  -e, --shared=NUM          so many clients at once (1; 0: any number)\n"
    "  -t, --persistent          goes on when the last client has left\n"
    "  -v, --verbose             tells about clients after --fork, too\n"
    "  -x, --export-name=NAME    name of the export (empty)\n"
    "  -D, --description=TEXT    description of the export\n"
    "  --tls-creds=ID            credentials made by --object: TLS is a must\n"
    "  --tls-authz=ID            authz-simple object that names the client let in\n"
    "  --tls-hostname=NAME       with -L: the name that the server's certificate must bear\n\n"
    "What is served\n"
    "  -f, --format=FORMAT       image format (probed)\n"
    "  -o, --offset=OFFSET       skips the disk's first bytes\n"
    "  -r, --read-only           refuses writes\n"
    "  -s, --snapshot            writes go to a temporary overlay\n"
    "  -l, --load-snapshot=NAME  serves an internal snapshot, read-only; also "
    "snapshot.id=ID,snapshot.name=NAME\n"
    "  -A, --allocation-depth    metadata context qemu:allocation-depth\n"
    "  -B, --bitmap=NAME         metadata context qemu:dirty-bitmap:NAME; may be repeated\n"
    "  --image-opts              FILE is a list of block options\n"
    "  -n, --nocache             the same as --cache=none\n"
    "  --cache=MODE              none, writeback, writethrough, directsync, unsafe\n"
    "  --aio=MODE                threads, native, io_uring\n"
    "  --discard=MODE            ignore, unmap\n"
    "  --detect-zeroes=MODE      off, on, unmap\n"
    "  --object TYPE,id=ID,...   a secret, TLS credentials, ...\n\n"
    "Running\n"
    "  -L, --list                lists the exports of another server\n"
    "  --fork                    returns when the server is ready for clients\n"
    "  --pid-file=PATH           file for the server's process number\n"
    "  -c, --connect=DEV         connects the image to a device of the kernel's client (/dev/nbd0)\n"
    "  -d, --disconnect          disconnects the device\n";

enum {
	O_CACHE = 256,
	O_AIO,
	O_DISCARD,
	O_DETECT,
	O_OBJECT,
	O_TLS_CREDS,
	O_TLS_AUTHZ,
	O_TLS_HOSTNAME,
	O_IMAGE_OPTS,
	O_FORK,
	O_PID_FILE,
	O_SELINUX
};

static const struct option longs[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "port", required_argument, NULL, 'p' },
	{ "bind", required_argument, NULL, 'b' },
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
	{ "cache", required_argument, NULL, O_CACHE },
	{ "aio", required_argument, NULL, O_AIO },
	{ "discard", required_argument, NULL, O_DISCARD },
	{ "detect-zeroes", required_argument, NULL, O_DETECT },
	{ "shared", required_argument, NULL, 'e' },
	{ "format", required_argument, NULL, 'f' },
	{ "persistent", no_argument, NULL, 't' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "object", required_argument, NULL, O_OBJECT },
	{ "export-name", required_argument, NULL, 'x' },
	{ "description", required_argument, NULL, 'D' },
	{ "tls-creds", required_argument, NULL, O_TLS_CREDS },
	{ "tls-hostname", required_argument, NULL, O_TLS_HOSTNAME },
	{ "tls-authz", required_argument, NULL, O_TLS_AUTHZ },
	{ "image-opts", no_argument, NULL, O_IMAGE_OPTS },
	{ "trace", required_argument, NULL, 'T' },
	{ "fork", no_argument, NULL, O_FORK },
	{ "pid-file", required_argument, NULL, O_PID_FILE },
	{ "selinux-label", required_argument, NULL, O_SELINUX },
	{ 0 },
};

static bool add_object(struct nbd *n, const char *text)
{
	struct err *e = blk_object_add_text(n->graph, text);
	if (e)
		nbd_report(e, "");
	return !e;
}

static bool once(const char **to, const char *value, const char *text)
{
	if (*to) {
		nbd_error("%s can only be specified once", text);
		return false;
	}
	*to = value;
	return true;
}

static bool number(const char *text, unsigned *ret)
{
	char *end;
	errno = 0;
	unsigned long v = strtoul(text, &end, 0);
	*ret = v;
	return !errno && end != text && !*end && *text != '-' && v <= INT32_MAX;
}

static bool take_cache(struct nbd *n, const char *mode)
{
	if (!once(&n->cache, mode, "-n and --cache"))
		return false;
	if (img_cache_mode(mode, &n->flags))
		return true;
	nbd_error("Invalid cache mode `%s'", mode);
	return false;
}

static bool take_aio(struct nbd *n, const char *mode)
{
	if (!once(&n->aio, mode, "--aio"))
		return false;
	if (strcmp(mode, "threads") == 0)
		return true;
	if (strcmp(mode, "native") == 0 || strcmp(mode, "io_uring") == 0) {
		n->flags |= strcmp(mode, "native") == 0 ? BLK_IO_NATIVE : BLK_IO_URING;
		return true;
	}
	nbd_error("Invalid aio mode '%s'", mode);
	return false;
}

static bool take_discard(struct nbd *n, const char *mode)
{
	if (!once(&n->discard, mode, "--discard"))
		return false;
	if (strcmp(mode, "unmap") == 0 || strcmp(mode, "on") == 0)
		n->flags |= BLK_UNMAP;
	else if (strcmp(mode, "ignore") != 0 && strcmp(mode, "off") != 0) {
		nbd_error("Invalid discard mode `%s'", mode);
		return false;
	}
	return true;
}

static bool take_detect(struct nbd *n, const char *mode)
{
	n->detect = mode;
	n->flags &= ~(u32)(BLK_DETECT_ZEROES | BLK_DETECT_UNMAP);
	if (strcmp(mode, "on") == 0)
		n->flags |= BLK_DETECT_ZEROES;
	else if (strcmp(mode, "unmap") == 0)
		n->flags |= BLK_DETECT_ZEROES | BLK_DETECT_UNMAP;
	else if (strcmp(mode, "off") != 0) {
		nbd_error("Failed to parse detect_zeroes mode: invalid parameter value: %s", mode);
		return false;
	}
	return true;
}

static bool take_name(struct nbd *n, const char *name, bool description)
{
	if (strlen(name) > NBD_MAX_STRING) {
		nbd_error("export %s '%s' too long", description ? "description" : "name", name);
		return false;
	}
	if (description)
		n->description = name;
	else
		n->name = name;
	n->has_name |= !description;
	return true;
}

static const struct field fields[] = { FIELD_FLAG('s', struct nbd, snapshot),
				       FIELD_TEXT('b', struct nbd, bind),
				       FIELD_TEXT('p', struct nbd, port),
				       FIELD_FLAG('r', struct nbd, read_only),
				       FIELD_FLAG('A', struct nbd, depth),
				       FIELD_FLAG('d', struct nbd, disconnect),
				       FIELD_TEXT('c', struct nbd, device),
				       FIELD_TEXT('f', struct nbd, fmt),
				       FIELD_FLAG('t', struct nbd, persistent),
				       FIELD_FLAG('v', struct nbd, verbose),
				       FIELD_FLAG('L', struct nbd, list),
				       FIELD_TEXT(O_TLS_CREDS, struct nbd, tls_creds),
				       FIELD_TEXT(O_TLS_AUTHZ, struct nbd, tls_authz),
				       FIELD_TEXT(O_TLS_HOSTNAME, struct nbd, tls_hostname),
				       FIELD_FLAG(O_IMAGE_OPTS, struct nbd, image_opts),
				       FIELD_FLAG(O_FORK, struct nbd, fork),
				       FIELD_TEXT(O_PID_FILE, struct nbd, pid_file),
				       { 0 } };

static bool take_option(struct nbd *n, int c)
{
	if (field_set(fields, n, c))
		return true;
	switch (c) {
	case 'n':
		return take_cache(n, "none");
	case O_CACHE:
		return take_cache(n, optarg);
	case O_AIO:
		return take_aio(n, optarg);
	case O_DISCARD:
		return take_discard(n, optarg);
	case O_DETECT:
		return take_detect(n, optarg);
	case 'o':
		if (size_parse(optarg, &n->offset) == 0 && n->offset <= INT64_MAX)
			return true;
		nbd_error("Invalid offset '%s'", optarg);
		return false;
	case 'l':
		n->snapshot_of = optarg;
		return n->read_only = true;
	case 'B':
		n->bitmaps[n->n_bitmaps++] = optarg;
		return true;
	case 'k':
		n->socket = optarg;
		if (*optarg == '/')
			return true;
		nbd_error("socket path must be absolute");
		return false;
	case 'e':
		if (number(optarg, &n->shared))
			return true;
		nbd_error("Invalid shared device number '%s'", optarg);
		return false;
	case 'x':
		return take_name(n, optarg, false);
	case 'D':
		return take_name(n, optarg, true);
	case O_OBJECT:
		return add_object(n, optarg);
	case O_SELINUX:
		nbd_error("SELinux labels are not supported");
		return false;
	case 'T':
		nbd_error("this program has no trace events");
		return false;
	}
	nbd_error("Try `qemu-nbd --help' for more information.");
	return false;
}

/* What does not go together. */
static bool check_options(struct nbd *n, int files)
{
	if (n->list && files) {
		nbd_error("List mode is incompatible with a file name");
		return false;
	}
	if (n->list && (n->has_name || n->description || n->offset || n->device || n->disconnect || n->fmt ||
			n->snapshot_of || n->n_bitmaps || n->depth || n->detect || n->discard)) {
		nbd_error("List mode is incompatible with per-device settings");
		return false;
	}
	if (n->list && n->fork) {
		nbd_error("List mode is incompatible with forking");
		return false;
	}
	if (!n->list && files != 1) {
		nbd_error("Invalid number of arguments");
		fputs("Try `qemu-nbd --help' for more information.\n", stderr);
		return false;
	}
	if (!n->tls_creds && (n->tls_authz || n->tls_hostname)) {
		nbd_error("%s is not permitted without --tls-creds",
			  n->tls_authz ? "--tls-authz" : "--tls-hostname");
		return false;
	}
	if (n->tls_creds && n->socket && n->device) {
		nbd_error("TLS is not supported with a host device");
		return false;
	}
	if (n->tls_hostname && !n->list) {
		nbd_error("TLS hostname is only supported in list mode");
		return false;
	}
	if (n->list && n->tls_authz) {
		nbd_error("TLS authorization is incompatible with export list");
		return false;
	}
	if (n->tls_creds && n->device) {
		nbd_error("TLS is not supported with a host device");
		return false;
	}
	if (n->detect && strcmp(n->detect, "unmap") == 0 && !(n->flags & BLK_UNMAP)) {
		nbd_error(
		    "setting detect-zeroes to unmap is not allowed without setting discard operation to "
		    "unmap");
		return false;
	}
	if (n->image_opts && n->fmt) {
		nbd_error("--image-opts and -f are mutually exclusive");
		return false;
	}
	return true;
}

/* ---- the image ---- */

/* NAME, or snapshot.id=ID,snapshot.name=NAME. */
static struct err *load_snapshot(struct blk_node *node, const char *text)
{
	if (!node->driver->snapshot_load_tmp)
		return err_new(
		    ERR_UNSUPPORTED,
		    "Block format '%s' used by device '' does not support temporarily loading internal "
		    "snapshots",
		    node->driver->name);
	if (strncmp(text, "snapshot.", 9) != 0) {
		struct err *e = node->driver->snapshot_load_tmp(node, text, NULL);
		if (!e)
			return NULL;
		err_free(e);
		return node->driver->snapshot_load_tmp(node, NULL, text);
	}
	struct json *how;
	struct err *e = keyval_parse(text, NULL, &how);
	if (!e)
		e = node->driver->snapshot_load_tmp(node, json_get_str(how, "snapshot.id"),
						    json_get_str(how, "snapshot.name"));
	else
		return e;
	json_free(how);
	return e;
}

static bool open_image(struct nbd *n, const char *file)
{
	struct json *opts = NULL;
	struct err *e = n->image_opts ? keyval_parse(file, NULL, &opts) : NULL;
	u32 flags = n->flags | (n->read_only ? 0 : BLK_RDWR);
	const char *name = n->image_opts ? NULL : file;
	if (!e)
		e = n->snapshot ? blk_open_overlay(n->graph, name, n->fmt, opts, flags, &n->node)
				: blk_open(n->graph, name, n->fmt, opts, flags, &n->node);
	if (e) {
		/* The peer's words for a name that does not open. */
		AUTO(free_ptr) char *front = strf("Failed to blk_new_open '%s': ", file);
		nbd_report(e, front);
		return false;
	}
	if (!n->image_opts && !n->read_only)
		blk_warn_of_probing(n->node, file);
	if (n->snapshot_of && (e = load_snapshot(n->node, n->snapshot_of))) {
		nbd_report(e, "Failed to load snapshot: ");
		return false;
	}
	if (n->offset >= blk_size(n->node) && n->offset) {
		nbd_error("Offset %llu has to be smaller than the image size %llu",
			  (unsigned long long)n->offset, (unsigned long long)blk_size(n->node));
		return false;
	}
	return true;
}

/* A bitmap of the node or, below layers that add none, of what lies under it. */
static struct blk_dirty *find_bitmap(struct blk_node *node, const char *name)
{
	struct blk_dirty *d = NULL;
	for (; node && !d;
	     node = node->driver->kind == BLK_FORMAT && node->backing ? node->backing : node->file)
		d = blk_dirty_find(node, name);
	return d;
}

static bool make_export(struct nbd *n)
{
	struct nbd_export *x = n->export = nbd_export_new(&n->server, n->name, n->node);
	x->read_only = n->read_only;
	x->shared = n->shared != 1;
	x->allocation_depth = n->depth;
	x->offset = n->offset;
	x->size = blk_size(n->node) - n->offset;
	/* Block 0 of a disk whose format was guessed is looked at as a whole. */
	x->min_block = n->node->probed && strcmp(n->node->driver->name, "raw") == 0 ? MAX(512u, x->min_block)
										    : x->min_block;
	if (n->description)
		x->description = str_dup(n->description);
	x->bitmaps = alloc((n->n_bitmaps + 1) * sizeof(*x->bitmaps));
	for (unsigned i = 0; i < n->n_bitmaps; i++) {
		struct blk_dirty *d = find_bitmap(n->node, n->bitmaps[i]);
		if (!d) {
			nbd_error("Bitmap '%s' is not found", n->bitmaps[i]);
			return false;
		}
		if (d->inconsistent) {
			nbd_error("Bitmap '%s' is inconsistent and cannot be used", n->bitmaps[i]);
			return false;
		}
		if (n->read_only && d->enabled && (n->node->flags & BLK_RDWR)) {
			nbd_error("Enabled bitmap '%s' incompatible with readonly export", n->bitmaps[i]);
			return false;
		}
		x->bitmaps[x->n_bitmaps++] = d;
	}
	return true;
}

static bool find_creds(struct nbd *n, bool server, struct tls_creds **ret)
{
	*ret = NULL;
	struct err *e = n->tls_creds ? blk_tls_creds(n->graph, n->tls_creds, server, ret) : NULL;
	if (e) {
		nbd_report(e, "Failed to get TLS creds: ");
		return false;
	}
	if (n->tls_authz && (e = blk_authz(n->graph, n->tls_authz, &n->server.identity))) {
		nbd_report(e, "");
		return false;
	}
	return true;
}

/* ---- running ---- */

static void client_said(void *user UNUSED, const char *line)
{
	nbd_error("%s", line);
}

static void client_left(void *user, bool served)
{
	struct nbd *n = user;
	if (served && !n->server.clients && !n->persistent)
		n->end = true;
}

static bool listen_all(struct nbd *n)
{
	if (n->passed) {
		for (unsigned i = 0; i < n->passed; i++)
			nbd_server_listen(&n->server, FIRST_PASSED_FD + i);
		return true;
	}
	struct sock_addr a = { 0 };
	int fd;
	if (n->socket) {
		a.path = (char *)n->socket;
	} else {
		a.host = (char *)n->bind;
		a.port = (char *)n->port;
	}
	struct err *e = sock_listen(&a, n->shared ? (int)MIN(n->shared, 1024u) : SOMAXCONN, &fd);
	if (e) {
		nbd_report(e, "");
		return false;
	}
	n->own_socket = n->socket;
	nbd_server_listen(&n->server, fd);
	return true;
}

static bool connect_device(struct nbd *n)
{
	int fd;
	struct err *e = nbd_device_connect(n->device, n->export, &n->kernel, &fd);
	if (e) {
		nbd_report(e, "");
		return false;
	}
	nbd_server_attach(&n->server, fd, n->export);
	if (n->verbose)
		fprintf(stderr, "NBD device %s is now connected to %s\n", n->device, n->node->filename);
	return true;
}

static bool write_pid(struct nbd *n)
{
	struct err *e = process_write_pid(&n->process, n->pid_file);
	if (e)
		nbd_report(e, "");
	return !e;
}

static int serve(struct nbd *n, const char *file)
{
	struct tls_creds *creds;
	process_begin(&n->process, &n->end);
	n->server.say = client_said;
	n->server.left = client_left;
	n->server.user = n;
	n->server.max_clients = n->shared;
	bool ok = find_creds(n, true, &creds);
	n->server.creds = creds;
	ok = ok && open_image(n, file) && make_export(n) && (n->device ? connect_device(n) : listen_all(n)) &&
	     write_pid(n);
	if (ok)
		process_ready(&n->process, n->verbose);
	while (ok && !n->end)
		loop_run_once(loop_here(), true);
	if (n->kernel)
		nbd_device_end(n->kernel);
	nbd_server_stop(&n->server);
	if (n->own_socket)
		unlink(n->socket);
	int r = n->node && ok ? blk_flush(n->node) : 0;
	if (r)
		nbd_error("Error flushing drive: %s", strerror(-r));
	if (n->export)
		nbd_export_free(&n->server, n->export);
	blk_unref(n->node);
	process_end(&n->process); /* who waits for the file to go finds the image closed */
	return ok && !r ? 0 : 1;
}

/* ---- processes ---- */

/* sd_listen_fds(3): sockets that listen already. False: what is passed cannot be used. */
static bool take_passed(struct nbd *n)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	unsigned count, owner;
	if (!pid || !fds || !number(pid, &owner) || owner != (unsigned)getpid() || !number(fds, &count) ||
	    !count)
		return true;
	if (count > MAX_PASSED) {
		nbd_error("qemu-nbd does not support socket activation with LISTEN_FDS > %d", MAX_PASSED);
		return false;
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	for (unsigned i = 0; i < count; i++) {
		int fd = FIRST_PASSED_FD + i, listening = 0;
		socklen_t len = sizeof(listening);
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) || !listening) {
			nbd_error("Socket activation failed: invalid file descriptor fd = %d: %s", fd,
				  errno ? strerror(errno) : "it does not listen");
			return false;
		}
	}
	n->passed = count;
	const char *both = n->bind || n->port ? "port or bind"
			   : n->socket	      ? "a Unix socket"
			   : n->device	      ? "a device"
					      : NULL;
	if (both)
		nbd_error("Socket activation cannot be used together with %s", both);
	return !both;
}

static int list(struct nbd *n)
{
	struct nbd_target t = { .tls_hostname = (char *)n->tls_hostname };
	if (!find_creds(n, false, &t.creds))
		return 1;
	if (n->socket) {
		t.addr.path = (char *)n->socket;
	} else {
		t.addr.host = (char *)n->bind;
		t.addr.port = (char *)n->port;
	}
	return nbd_print_list(&t);
}

static int start(struct nbd *n, const char *file)
{
	int status;
	if (n->disconnect) {
		struct err *e = nbd_device_disconnect(file);
		if (e)
			nbd_report(e, "");
		else
			printf("%s disconnected\n", file);
		return e ? 1 : 0;
	}
	if (!n->list && !take_passed(n))
		return 1;
	n->bind = n->bind ? n->bind : "0.0.0.0";
	n->port = n->port ? n->port : "10809";
	if (n->list)
		return list(n);
	/* The server of a device is left running, as mount is done by others. */
	bool child = true;
	struct err *e = n->fork || n->device ? process_split(&n->process, &child, &status) : NULL;
	if (e) {
		nbd_report(e, "");
		return 1;
	}
	return child ? serve(n, file) : status;
}

static int run(int argc, char **argv)
{
	struct nbd n = { .graph = blk_graph_new(),
			 .name = "",
			 .shared = 1,
			 .process.ready_fd = -1,
			 .bitmaps = alloc(argc * sizeof(char *)) };
	int c;
	signal(SIGPIPE, SIG_IGN);
	blk_graph_listen(n.graph, said, NULL);
	argv[0] = "qemu-nbd"; /* as getopt's messages name it */
	while ((c = getopt_long(argc, argv, "hVb:o:p:rsnc:dvk:e:f:tl:x:T:D:AB:L", longs, NULL)) != -1) {
		if (c == 'h') {
			fputs(help_text, stdout);
			return 0;
		}
		if (c == 'V') {
			puts("qemu-nbd " PEER_VERSION " (Rhea " RHEA_VERSION ")");
			return 0;
		}
		if (!take_option(&n, c))
			return 1;
	}
	if (!check_options(&n, argc - optind))
		return 1;
	int status = start(&n, argv[optind]);
	blk_graph_free(n.graph);
	free(n.bitmaps);
	return status;
}

VERB(nbd) = {
	.name = "nbd", .peer = "qemu-nbd", .summary = "exports disk images to NBD clients", .run = run
};
