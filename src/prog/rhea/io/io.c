/* rhea io (qemu-io): exercises images by commands, from -c or from standard input. */
#include "prog/rhea/io/io.h"
#include "prog/rhea/img/img.h"
#include "prog/rhea/verb.h"
#include "base/keyval.h"
#include "base/loop/loop.h"
#include "base/size.h"
#include "block/object.h"
#include <getopt.h>
#include <signal.h>
#include <unistd.h>

enum { MAX_WORDS = 1024 };

static void report(struct err *e, const char *front)
{
	fflush(stdout);
	fprintf(stderr, "qemu-io: %s%s\n", front, err_text(e));
	if (err_remedy(e))
		fprintf(stderr, "%s\n", err_remedy(e));
	err_free(e);
}

static void said(void *user UNUSED, const char *line)
{
	fflush(stdout);
	fprintf(stderr, "%s\n", line);
}

bool io_number(const char *text, u64 *ret)
{
	int r = size_parse(text, ret);
	if (r == 0 && *ret > INT64_MAX)
		r = -34;
	if (r == -34)
		printf("Parsing error: argument too large -- %s\n", text);
	else if (r)
		printf("Parsing error: non-numeric argument, or extraneous/unrecognized suffix -- %s\n",
		       text);
	return !r;
}

const char *io_size(double bytes, char *buf)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned i = 0;
	while (bytes >= 1024 && i + 1 < LEN(units)) {
		bytes /= 1024;
		i++;
	}
	char number[32];
	snprintf(number, sizeof(number), i ? "%.3f" : "%f", bytes);
	/* Whole numbers stand without a fraction. */
	char *dot = strchr(number, '.');
	if (dot && strspn(dot + 1, "0") == strlen(dot + 1))
		*dot = 0;
	snprintf(buf, 64, "%s %s", number, units[i]);
	return buf;
}

void io_drain(struct io *io)
{
	while (io->in_flight)
		loop_run_once(loop_here(), true);
}

void io_close(struct io *io)
{
	io_drain(io);
	blk_unref(io->node);
	free(io->name);
	io->node = NULL;
	io->name = NULL;
}

/* ---- opening ---- */

int io_open(struct io *io, const char *name, const char *fmt, const char *options, const struct io_mode *mode)
{
	u32 flags = mode->flags | (mode->rdonly ? 0 : BLK_RDWR);
	struct json *opts = NULL;
	struct err *e = NULL;
	if (options && (e = keyval_parse(options, NULL, &opts))) {
		report(e, "");
		return 1;
	}
	if (io->node) {
		fprintf(stderr, "file open already, try 'help close'\n");
		json_free(opts);
		return 1;
	}
	/* Relative names of blkdebug's rules and the like stay as given. */
	if (mode->snapshot)
		e = blk_open_overlay(io->graph, name, fmt, opts, flags, &io->node);
	else
		e = blk_open(io->graph, name, fmt, opts, flags, &io->node);
	if (!e && (flags & BLK_RDWR) && (e = blk_need_writable(io->node))) { /* options may say so */
		blk_unref(io->node);
		io->node = NULL;
	}
	if (e) {
		AUTO(free_ptr)
		char *front = name ? strf("can't open device %s: ", name) : str_dup("can't open: ");
		report(e, front);
		return 1;
	}
	if (name && (flags & BLK_RDWR))
		blk_warn_of_probing(io->node, name);
	io->name = name ? str_dup(name) : NULL;
	return 0;
}

/* ---- commands ---- */

static const struct io_cmd *find(const char *name)
{
	for (const struct io_cmd *const *c = io_cmds; *c; c++)
		if (strcmp((*c)->name, name) == 0 || ((*c)->alt && strcmp((*c)->alt, name) == 0))
			return *c;
	return NULL;
}

int io_usage(const struct io_cmd *cmd)
{
	printf("%s %s -- %s\n", cmd->name, cmd->args ? cmd->args : "", cmd->summary);
	return 1;
}

int io_run_line(struct io *io, const char *line)
{
	AUTO(free_ptr) char *copy = str_dup(line);
	char *words[MAX_WORDS + 1], *save;
	int n = 0;
	for (char *w = strtok_r(copy, " ", &save); w && n < MAX_WORDS; w = strtok_r(NULL, " ", &save))
		words[n++] = w;
	words[n] = NULL;
	if (!n)
		return 0;
	const struct io_cmd *c = find(words[0]);
	if (!c) {
		fflush(stdout);
		fprintf(stderr, "command \"%s\" not found\n", words[0]);
		return 1;
	}
	if (!c->without_file && !io->node) {
		fflush(stdout);
		fprintf(stderr, "no file open, try 'help open'\n");
		return 1;
	}
	int args = n - 1;
	if (args < c->min_args || (c->max_args >= 0 && args > c->max_args)) {
		fflush(stdout);
		if (c->max_args < 0)
			fprintf(stderr, "bad argument count %d to %s, expected at least %d arguments\n", args,
				words[0], c->min_args);
		else if (c->min_args == c->max_args)
			fprintf(stderr, "bad argument count %d to %s, expected %d arguments\n", args,
				words[0], c->min_args);
		else
			fprintf(stderr, "bad argument count %d to %s, expected between %d and %d arguments\n",
				args, words[0], c->min_args, c->max_args);
		return 1;
	}
	optind = 0;
	opterr = 1;
	return c->run(io, n, words) ? 1 : 0;
}

static int quit(struct io *io, int argc UNUSED, char **argv UNUSED)
{
	io->quit = true;
	return 0;
}

static int help(struct io *io UNUSED, int argc, char **argv)
{
	if (argc == 1) {
		for (const struct io_cmd *const *c = io_cmds; *c; c++)
			printf("%s %s -- %s\n", (*c)->name, (*c)->args ? (*c)->args : "", (*c)->summary);
		printf("\nUse 'help commandname' for extended help.\n");
		return 0;
	}
	const struct io_cmd *c = find(argv[1]);
	if (!c) {
		printf("command %s not found\n", argv[1]);
		return 1;
	}
	io_usage(c);
	if (c->help)
		printf("\n%s", c->help);
	return 0;
}

IO_CMD(quit) = {
	.name = "quit", .alt = "q", .summary = "exit the program", .without_file = true, .run = quit
};
IO_CMD(help) = { .name = "help",
		 .alt = "?",
		 .args = "[command]",
		 .summary = "help for one or all commands",
		 .max_args = 1,
		 .without_file = true,
		 .run = help };

/* ---- the program ---- */

static int interactive(struct io *io)
{
	char *line = NULL;
	size_t cap = 0;
	int status = 0;
	while (!io->quit) {
		printf("qemu-io> ");
		fflush(stdout);
		ssize_t n = getline(&line, &cap, stdin);
		if (n <= 0) {
			if (isatty(0))
				putchar('\n');
			break;
		}
		line[strcspn(line, "\n")] = 0;
		status |= io_run_line(io, line);
		/* What completed in the background meanwhile. */
		while (io->in_flight && loop_run_once(loop_here(), false))
			;
	}
	free(line);
	return status;
}

static int usage(FILE *to)
{
	fputs("Usage: qemu-io [OPTIONS]... [-c STRING]... [file]\n"
	      "Exercises disk images.\n\n"
	      "  --object OBJECTDEF   define an object such as 'secret'\n"
	      "  --image-opts         treat file as option string\n"
	      "  -c, --cmd STRING     execute command with its arguments\n"
	      "  -f, --format FMT     specifies the block driver to use\n"
	      "  -r, --read-only      open read-only\n"
	      "  -s, --snapshot       use snapshot file\n"
	      "  -n, --nocache        disable host cache, short for -t none\n"
	      "  -C, --copy-on-read   enable copy-on-read\n"
	      "  -m, --misalign       misalign allocations for O_DIRECT\n"
	      "  -k, --native-aio     use kernel AIO implementation\n"
	      "  -i, --aio=MODE       use AIO mode (threads, native or io_uring)\n"
	      "  -t, --cache=MODE     use the given cache mode for the image\n"
	      "  -d, --discard=MODE   use the given discard mode for the image\n"
	      "  -T, --trace          specify tracing options\n"
	      "  -U, --force-share    force shared permissions\n"
	      "  -h, --help           display this help and exit\n"
	      "  -V, --version        output version information and exit\n\n"
	      "See 'qemu-io -c help' for information on available commands.\n",
	      to);
	return to == stdout ? 0 : 1;
}

static void end(struct io *io)
{
	io_close(io);
	blk_graph_free(io->graph);
}

struct args {
	const char *fmt, *cmds[256];
	unsigned n_cmds;
	struct io_mode mode;
};

static bool add_object(struct io *io, const char *text)
{
	struct err *e = blk_object_add_text(io->graph, text);
	if (e)
		report(e, "");
	return !e;
}

enum { OBJECT = 256, IMAGE_OPTS };

/* -1: go on, else the exit status. */
static int take_option(struct io *io, struct args *a, int c)
{
	switch (c) {
	case 'f':
		a->fmt = optarg;
		return -1;
	case 'c':
		if (a->n_cmds == LEN(a->cmds)) {
			fprintf(stderr,
				"qemu-io: more than %zu commands: give the others on standard input\n",
				LEN(a->cmds));
			return 1;
		}
		a->cmds[a->n_cmds++] = optarg;
		return -1;
	case 'm':
		io->misalign = true;
		return -1;
	case 'T':
		fprintf(stderr, "qemu-io: tracing is not supported\n");
		return 1;
	case 'V':
		puts("qemu-io version " PEER_VERSION " (Rhea " RHEA_VERSION ")");
		return 0;
	case 'h':
		return usage(stdout);
	case OBJECT:
		return add_object(io, optarg) ? -1 : 1;
	case IMAGE_OPTS:
		io->image_opts = true;
		return -1;
	default: {
		int r = io_mode_option(&a->mode, c, optarg);
		return !r ? -1 : r < 0 ? 1 : usage(stderr);
	}
	}
}

static int read_args(struct io *io, int argc, char **argv, struct args *a)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ "cmd", required_argument, NULL, 'c' },
		{ "format", required_argument, NULL, 'f' },
		{ "read-only", no_argument, NULL, 'r' },
		{ "snapshot", no_argument, NULL, 's' },
		{ "nocache", no_argument, NULL, 'n' },
		{ "copy-on-read", no_argument, NULL, 'C' },
		{ "misalign", no_argument, NULL, 'm' },
		{ "native-aio", no_argument, NULL, 'k' },
		{ "aio", required_argument, NULL, 'i' },
		{ "cache", required_argument, NULL, 't' },
		{ "discard", required_argument, NULL, 'd' },
		{ "force-share", no_argument, NULL, 'U' },
		{ "trace", required_argument, NULL, 'T' },
		{ "object", required_argument, NULL, OBJECT },
		{ "image-opts", no_argument, NULL, IMAGE_OPTS },
		{ 0 },
	};
	int c, status = -1;
	while (status < 0 && (c = getopt_long(argc, argv, IO_MODE_OPTIONS "hVc:f:mT:", longs, NULL)) != -1)
		status = take_option(io, a, c);
	if (status >= 0)
		return status;
	if (argc - optind > 1)
		return usage(stderr);
	if (a->fmt && io->image_opts) {
		fprintf(stderr, "qemu-io: --image-opts and -f are mutually exclusive\n");
		return 1;
	}
	return -1;
}

static int run(int argc, char **argv)
{
	AUTO(end) struct io io = { .graph = blk_graph_new() };
	struct args a = { .mode.flags = IO_USUAL_FLAGS };
	signal(SIGPIPE, SIG_IGN);
	blk_graph_listen(io.graph, said, NULL);
	int status = read_args(&io, argc, argv, &a);
	if (status >= 0)
		return status;
	if (argc - optind == 1) {
		char *name = argv[optind];
		int r = io.image_opts ? io_open(&io, NULL, NULL, name, &a.mode)
				      : io_open(&io, name, a.fmt, NULL, &a.mode);
		if (r)
			return 1;
	}
	status = 0;
	for (unsigned i = 0; i < a.n_cmds && !io.quit; i++)
		status |= io_run_line(&io, a.cmds[i]);
	if (!a.n_cmds)
		status |= interactive(&io);
	io_close(&io);
	fflush(stdout);
	return status ? 1 : 0;
}

VERB(io) = { .name = "io", .peer = "qemu-io", .summary = "exercises disk images by commands", .run = run };
