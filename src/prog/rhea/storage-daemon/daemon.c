/* rhea storage-daemon (qemu-storage-daemon): nodes, exports and jobs without a machine, told what to do by QMP. */
#include "prog/rhea/process.h"
#include "prog/rhea/verb.h"
#include "base/keyval.h"
#include "base/loop/loop.h"
#include "control/block/storage.h"
#include "control/qmp/qmp.h"
#include <getopt.h>
#include <signal.h>
#include <stdio.h>

struct daemon {
	struct control control;
	struct chr_set chrs;
	struct process process;
	const char *pid_file;
	bool daemonize;
};

enum { O_BLOCKDEV = 256, O_CHARDEV, O_DAEMONIZE, O_EXPORT, O_MONITOR, O_NBD_SERVER, O_OBJECT, O_PIDFILE };

static const struct option longs[] = {
	{ "blockdev", required_argument, NULL, O_BLOCKDEV },
	{ "chardev", required_argument, NULL, O_CHARDEV },
	{ "daemonize", no_argument, NULL, O_DAEMONIZE },
	{ "export", required_argument, NULL, O_EXPORT },
	{ "help", no_argument, NULL, 'h' },
	{ "monitor", required_argument, NULL, O_MONITOR },
	{ "nbd-server", required_argument, NULL, O_NBD_SERVER },
	{ "object", required_argument, NULL, O_OBJECT },
	{ "pidfile", required_argument, NULL, O_PIDFILE },
	{ "trace", required_argument, NULL, 'T' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 },
};

static const char help_text[] =
    "Usage: qemu-storage-daemon [options]\n"
    "Serves nodes of the block layer to others, and does jobs on them.\n\n"
    "  -h, --help             this text\n"
    "  -V, --version          the version\n"
    "  --blockdev [driver=]DRIVER,node-name=NAME,...\n"
    "                         opens an image, file, connection or filter\n"
    "  --chardev KIND,id=ID,...\n"
    "                         a character device: socket, stdio, pipe, file, null\n"
    "  --monitor [chardev=]ID[,mode=control][,pretty=on|off]\n"
    "                         a QMP monitor on a character device\n"
    "  --nbd-server "
    "addr.type=inet,addr.host=HOST,addr.port=PORT[,tls-creds=ID][,tls-authz=ID][,max-connections=N]\n"
    "  --nbd-server addr.type=unix,addr.path=PATH[,...]\n"
    "                         starts the NBD server\n"
    "  --export [type=]nbd,id=ID,node-name=NAME[,name=EXPORT][,writable=on|off][,bitmaps.N=BITMAP]...\n"
    "                         serves a node\n"
    "  --object TYPE,id=ID,...\n"
    "                         a secret, TLS credentials, a throttle group\n"
    "  --pidfile PATH         file for the process number\n"
    "  --daemonize            returns when everything is ready\n";

static void complain(const char *front, struct err *e)
{
	fprintf(stderr, "qemu-storage-daemon: %s%s\n", front, err_text(e));
	if (err_remedy(e))
		fprintf(stderr, "%s\n", err_remedy(e));
	err_free(e);
}

/* ---- options ---- */

/* An option that is a command: its value becomes the command's arguments. */
static struct err *run_command(struct daemon *d, const struct qmp_command *cmd, const char *text,
			       const char *implied)
{
	struct json *args, *ret = NULL;
	struct err *e = keyval_parse(text, implied, &args);
	if (!e)
		e = json_nest(args);
	if (e)
		return e;
	args = schema_coerce(cmd->spec->arg, args);
	e = qmp_run(d->control.qmp, cmd, args, &ret);
	json_free(args);
	if (!e)
		json_free(ret);
	return e;
}

static struct err *add_monitor(struct daemon *d, const char *text)
{
	AUTO(json_freep) struct json *opts = NULL;
	struct err *e = keyval_parse(text, "chardev", &opts);
	if (e)
		return e;
	const char *id = json_get_str(opts, "chardev"), *mode = json_get_str(opts, "mode"),
		   *pretty = json_get_str(opts, "pretty");
	for (size_t i = 0; i < opts->n; i++)
		if (!strstr(" chardev mode pretty id ", opts->keys[i]))
			return err_new(ERR_INVALID, "Parameter '%s' is unexpected", opts->keys[i]);
	struct chr *c = id ? chr_find(&d->chrs, id) : NULL;
	if (!id)
		return err_new(ERR_INVALID, "Parameter 'chardev' is missing");
	if (mode && strcmp(mode, "control") != 0)
		return err_new(ERR_UNSUPPORTED, "mode '%s' is not built: monitors are of mode 'control'",
			       mode);
	if (!c)
		return err_new(ERR_NOT_FOUND, "chardev \"%s\" not found", id);
	if (c->used)
		return err_new(ERR_BUSY, "Device '%s' is in use", id);
	qmp_monitor(d->control.qmp, c, pretty && strcmp(pretty, "on") == 0);
	return NULL;
}

static struct err *start_nbd(struct daemon *d, const char *text)
{
	/* As nbd-server-start, with the address in the newer form. */
	static const struct schema_member members[] = { { "addr", &schema_type_socket_address },
							{ "tls-creds", &schema_type_str, true },
							{ "tls-authz", &schema_type_str, true },
							{ "max-connections", &schema_type_uint32, true },
							{ 0 } };
	static const struct schema_type type = { .name = "NbdServerOptions",
						 .kind = SCHEMA_STRUCT,
						 .members = members };
	struct json *opts;
	struct err *e = keyval_parse(text, NULL, &opts);
	if (!e)
		e = json_nest(opts);
	if (e)
		return e;
	opts = schema_coerce(&type, opts);
	e = schema_check(&type, opts, NULL);
	if (!e)
		e = storage_start_nbd(d->control.storage, json_get(opts, "addr"), opts);
	json_free(opts);
	return e;
}

static struct err *add_chardev(struct daemon *d, const char *text)
{
	struct json *opts;
	struct err *e = keyval_parse(text, "backend", &opts);
	const char *given = e ? NULL : json_get_str(opts, "id");
	AUTO(free_ptr) char *id = given ? str_dup(given) : NULL;
	if (e || (e = chr_add(&d->chrs, opts)))
		return e;
	const struct chr *c = chr_find(&d->chrs, id);
	if (c->kind->terminal) {
		printf("char device redirected to %s (label %s)\n", c->kind->terminal(c), id);
		fflush(stdout);
	}
	return NULL;
}

static struct err *take_option(struct daemon *d, int option, const char *text)
{
	switch (option) {
	case O_BLOCKDEV:
		return run_command(d, qmp_find("blockdev-add"), text, "driver");
	case O_CHARDEV:
		return add_chardev(d, text);
	case O_EXPORT:
		return run_command(d, qmp_find("block-export-add"), text, "type");
	case O_MONITOR:
		return add_monitor(d, text);
	case O_NBD_SERVER:
		return start_nbd(d, text);
	case O_OBJECT:
		return run_command(d, qmp_find("object-add"), text, "qom-type");
	default:
		return NULL;
	}
}

/* Options that say something of the process, before any other has an effect. -1: go on. */
static int first_look(struct daemon *d, int argc, char **argv)
{
	int c;
	while ((c = getopt_long(argc, argv, "hT:V", longs, NULL)) != -1) {
		switch (c) {
		case 'h':
			fputs(help_text, stdout);
			return 0;
		case 'V':
			puts("qemu-storage-daemon version " PEER_VERSION " (Rhea " RHEA_VERSION ")");
			return 0;
		case 'T':
			fputs("qemu-storage-daemon: -T: tracing is not built: leave the option out\n",
			      stderr);
			return 1;
		case O_DAEMONIZE:
			d->daemonize = true;
			break;
		case O_PIDFILE:
			d->pid_file = optarg;
			break;
		case '?':
			return 1;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "qemu-storage-daemon: Unexpected argument: %s\n", argv[optind]);
	return 1;
}

static bool take_options(struct daemon *d, int argc, char **argv)
{
	int c, index;
	optind = 0;
	while ((c = getopt_long(argc, argv, "hT:V", longs, &index)) != -1) {
		struct err *e = take_option(d, c, optarg);
		if (e) {
			AUTO(free_ptr) char *front = strf("--%s %s: ", longs[index].name, optarg);
			complain(front, e);
			return false;
		}
	}
	return true;
}

/* ---- the process ---- */

static bool write_pid(struct daemon *d)
{
	struct err *e = process_write_pid(&d->process, d->pid_file);
	if (e)
		complain("cannot create PID file: ", e);
	return !e;
}

static int serve(struct daemon *d, int argc, char **argv)
{
	process_begin(&d->process, &d->control.quit);
	d->control.chrs = &d->chrs;
	struct storage *s = storage_new(&d->control);
	storage_lend_objects(s, &d->chrs);
	struct qmp *q = qmp_new(&d->control, storage_offers);
	bool ok = take_options(d, argc, argv) && write_pid(d);
	if (ok) {
		qmp_start(q);
		process_ready(&d->process, false);
	}
	while (ok && !d->control.quit)
		loop_run_once(loop_here(), true);
	storage_free(s);
	qmp_free(q);
	chr_set_free(&d->chrs);
	process_end(&d->process);
	return ok ? 0 : 1;
}

static int run(int argc, char **argv)
{
	struct daemon d = { .process.ready_fd = -1 };
	bool child = true;
	int status;
	signal(SIGPIPE, SIG_IGN);
	argv[0] = "qemu-storage-daemon"; /* as getopt's messages name it */
	status = first_look(&d, argc, argv);
	if (status >= 0)
		return status;
	struct err *e = d.daemonize ? process_split(&d.process, &child, &status) : NULL;
	if (e) {
		complain("", e);
		return 1;
	}
	return child ? serve(&d, argc, argv) : status;
}

VERB(storage_daemon) = { .name = "storage-daemon",
			 .peer = "qemu-storage-daemon",
			 .summary = "serves nodes and does jobs, controlled by QMP",
			 .run = run };
