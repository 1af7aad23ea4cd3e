/* rhea img (qemu-img): makes, looks at, converts and repairs disk images. */
#include "prog/rhea/img/img.h"
#include "prog/rhea/verb.h"
#include "base/keyval.h"
#include "base/loop/loop.h"
#include "base/size.h"
#include "block/object.h"
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

/* ---- messages ---- */

static void vsay(const char *fmt, va_list args)
{
	fputs("qemu-img: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
}

void img_error(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsay(fmt, args);
	va_end(args);
}

void img_report(struct err *e, const char *fmt, ...)
{
	va_list args;
	char *front = NULL;
	va_start(args, fmt);
	if (vasprintf(&front, fmt, args) < 0)
		abort();
	va_end(args);
	img_error("%s%s", front, err_text(e));
	if (err_remedy(e))
		fprintf(stderr, "%s\n", err_remedy(e));
	free(front);
	err_free(e);
}

void img_usage_error(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsay(fmt, args);
	va_end(args);
	fputs("Try 'qemu-img --help' for more information\n", stderr);
	exit(1);
}

static void said(void *user UNUSED, const char *line)
{
	fprintf(stderr, "%s\n", line);
}

/* ---- options ---- */

int img_getopt(struct img *m, int argc, char **argv, const char *shorts, const struct option *longs)
{
	for (;;) {
		int c = getopt_long(argc, argv, shorts, longs, NULL);
		switch (c) {
		case ':':
			img_usage_error("missing argument for option '%s'", argv[optind - 1]);
		case '?':
			img_usage_error("unrecognized option '%s'", argv[optind - 1]);
		case 'h':
			return OPT_FLAG_HELP;
		case 'U':
			m->force_share = true;
			break;
		case 'q':
			m->quiet = true;
			break;
		case OPT_IMAGE_OPTS:
			m->image_opts = true;
			break;
		case OPT_OBJECT: {
			struct json *props;
			struct err *e = keyval_parse(optarg, "qom-type", &props);
			if (e) {
				img_report(e, "%s", "");
				exit(1);
			}
			json_add(m->objects, props);
			break;
		}
		default:
			return c;
		}
	}
}

bool img_make_objects(struct img *m)
{
	for (size_t i = 0; i < m->objects->n; i++) {
		struct err *e = blk_object_add(m->graph, json_copy(m->objects->items[i]));
		if (e) {
			img_report(e, "%s", "");
			return false;
		}
	}
	return true;
}

bool img_is_local(const struct blk_node *node)
{
	while (node->file)
		node = node->file;
	return node->driver->copy_range; /* what files of the host have in common */
}

bool img_cache_mode(const char *mode, u32 *flags)
{
	static const struct {
		const char *name;
		u32 flags;
	} modes[] = { { "none", BLK_DIRECT },
		      { "off", BLK_DIRECT },
		      { "directsync", BLK_DIRECT | BLK_WRITETHROUGH },
		      { "writeback", 0 },
		      { "unsafe", BLK_NO_FLUSH },
		      { "writethrough", BLK_WRITETHROUGH } };
	for (unsigned i = 0; i < LEN(modes); i++)
		if (strcmp(modes[i].name, mode) == 0) {
			*flags &= ~(u32)(BLK_DIRECT | BLK_WRITETHROUGH | BLK_NO_FLUSH);
			*flags |= modes[i].flags;
			return true;
		}
	return false;
}

bool img_aio_mode(const char *mode, u32 *flags)
{
	static const struct {
		const char *name;
		u32 flag;
	} modes[] = { { "threads", 0 }, { "native", BLK_IO_NATIVE }, { "io_uring", BLK_IO_URING } };
	for (unsigned i = 0; i < LEN(modes); i++)
		if (strcmp(modes[i].name, mode) == 0) {
			*flags = (*flags & ~(u32)(BLK_IO_NATIVE | BLK_IO_URING)) | modes[i].flag;
			return true;
		}
	return false;
}

bool img_output_mode(const char *mode, bool *ret_json)
{
	*ret_json = strcmp(mode, "json") == 0;
	if (!*ret_json && strcmp(mode, "human") != 0) {
		img_error("--output must be used with human or json as argument.");
		return false;
	}
	return true;
}

bool img_parse_size(const char *what, const char *text, u64 *ret)
{
	return img_parse_size_to(what, text, INT64_MAX, ret);
}

bool img_parse_size_to(const char *what, const char *text, u64 max, u64 *ret)
{
	int r = size_parse(text, ret);
	if (r == 0 && *ret <= max)
		return true;
	if (max < INT64_MAX && (r == -34 || r == 0))
		img_error("Invalid %s specified. Must be between 0 and %llu.", what, (unsigned long long)max);
	else if (r == -34 || r == 0)
		img_error("Invalid %s specified. Must be less than or equal to %lld.", what,
			  (long long)INT64_MAX);
	else
		img_error(
		    "Invalid %s specified. You may use k, M, G, T, P or E suffixes for\nqemu-img: kilobytes, "
		    "megabytes, gigabytes, terabytes, petabytes and exabytes.",
		    what);
	return false;
}

/* A single comma at either end, or "help" between two, is no list. */
bool img_add_options(struct json *opts, char **list, const char *text)
{
	size_t len = strlen(text), tail = 0;
	while (tail < len && text[len - 1 - tail] == ',')
		tail++;
	if (!len || text[0] == ',' || tail % 2) {
		img_error("Invalid option list: %s", text);
		return false;
	}
	char *both = *list ? strf("%s,%s", *list, text) : str_dup(text);
	free(*list);
	*list = both;
	struct json *more;
	struct err *e = keyval_parse(text, NULL, &more);
	if (e) {
		img_report(e, "%s", "");
		return false;
	}
	for (size_t i = 0; i < more->n; i++)
		json_set(opts, more->keys[i], json_copy(more->items[i]));
	json_free(more);
	return true;
}

bool img_wants_help(const char *text)
{
	for (const char *p = text; p && *p;) {
		size_t n = 0;
		while (p[n] && (p[n] != ',' || p[n + 1] == ','))
			n += p[n] == ',' ? 2 : 1;
		if ((n == 4 && strncmp(p, "help", 4) == 0) || (n == 1 && *p == '?'))
			return true;
		p += n + (p[n] == ',');
	}
	return false;
}

/* ---- opening ---- */

struct blk_node *img_open_as(struct img *m, bool image_opts, const char *name, const char *fmt, u32 flags)
{
	struct json *opts = NULL;
	if (!image_opts)
		return img_open_with(m, name, name, fmt, NULL, flags);
	if (fmt) {
		img_error("--image-opts and --format are mutually exclusive");
		return NULL;
	}
	struct err *e = keyval_parse(name, NULL, &opts);
	if (e) {
		img_report(e, "%s", "");
		return NULL;
	}
	return img_open_with(m, name, NULL, NULL, opts, flags);
}

struct blk_node *img_open_with(struct img *m, const char *name, const char *filename, const char *fmt,
			       struct json *opts, u32 flags)
{
	struct blk_node *node = NULL;
	if (m->force_share)
		flags |= BLK_FORCE_SHARE;
	/* No flags here: -U on a command that writes is refused as the peer does. */
	if ((flags & BLK_FORCE_SHARE) && (flags & BLK_RDWR)) {
		json_free(opts);
		img_error("Could not open '%s': force-share=on can only be used with read-only images", name);
		return NULL;
	}
	struct err *e = blk_open(m->graph, filename, fmt, opts, flags, &node);
	if (!e && (flags & BLK_RDWR) && (e = blk_need_writable(node))) /* options may say so */
		blk_unref(node);
	if (e) {
		img_report(e, "Could not open '%s': ", name);
		return NULL;
	}
	if (filename && (flags & BLK_RDWR)) {
		fflush(stdout);
		blk_warn_of_probing(node, name);
	}
	return node;
}

struct blk_node *img_open(struct img *m, const char *name, const char *fmt, u32 flags)
{
	return img_open_as(m, m->image_opts, name, fmt, flags);
}

/* ---- progress ---- */

/* With a report each percent or so; SIGUSR1 asks for one at any time. */
void progress_begin(struct progress *p, bool on, u64 total)
{
	*p = (struct progress){
		.on = on, .tty = on && isatty(1), .total = total, .start = loop_now(), .last = -1
	};
	progress_set(p, 0, total);
}

static void show(struct progress *p, double percent)
{
	p->last = percent;
	if (!p->tty) {
		printf("    (%3.2f/100%%)\r", percent);
		fflush(stdout);
		return;
	}
	enum { BAR = 30 };
	char bar[BAR + 1], rate[32] = "", left[32] = "";
	int full = percent * BAR / 100;
	memset(bar, ' ', BAR);
	memset(bar, '#', full);
	bar[BAR] = 0;
	double seconds = (loop_now() - p->start) / 1e9;
	if (seconds > 0.5 && p->done) {
		char size[32];
		double per = p->done / seconds;
		snprintf(rate, sizeof(rate), "%.20s/s", size_text(per, size));
		unsigned s = (p->total - MIN(p->done, p->total)) / per;
		snprintf(left, sizeof(left), "%u:%02u left", s / 60, s % 60);
	}
	printf("\r    (%3.2f/100%%) [%s] %-12s %-14s\r", percent, bar, rate, left);
	fflush(stdout);
}

void progress_set(struct progress *p, u64 done, u64 total)
{
	p->done = done;
	p->total = total;
	if (!p->on)
		return;
	double percent = total ? 100.0 * done / total : 100;
	if (percent - p->last >= 1 || p->last < 0 || (percent >= 100 && p->last < 100))
		show(p, MIN(percent, 100.0));
}

void progress_add(struct progress *p, u64 done)
{
	progress_set(p, p->done + done, p->total);
}

void progress_end(struct progress *p)
{
	if (!p->on)
		return;
	show(p, 100);
	putchar('\n');
	fflush(stdout);
	p->on = false;
}

/* ---- the verb ---- */

static int help(void)
{
	puts("qemu-img version " PEER_VERSION " (Rhea " RHEA_VERSION ")");
	puts("usage: qemu-img [standard options] command [command options]\n"
	     "Makes, looks at, converts and repairs disk images.\n\n"
	     "    '-h', '--help'       display this help and exit\n"
	     "    '-V', '--version'    output version information and exit\n"
	     "    '-T', '--trace'      [[enable=]<pattern>][,events=<file>][,file=<file>]\n\n"
	     "Command syntax:");
	for (const struct img_verb *const *v = img_verbs; *v; v++)
		printf("  %s %s\n", (*v)->name, (*v)->usage);
	printf("\nSupported formats:");
	for (const struct blk_driver *const *d = blk_drivers; *d; d++)
		printf(" %s", (*d)->name);
	putchar('\n');
	return 0;
}

static int run(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2)
		img_usage_error("Not enough arguments");
	static const struct option longs[] = { { "help", no_argument, 0, 'h' },
					       { "version", no_argument, 0, 'V' },
					       { 0 } };
	opterr = 0;
	int c;
	while ((c = getopt_long(argc, argv, "+:hV", longs, NULL)) != -1) {
		if (c == 'h')
			return help();
		if (c == 'V') {
			puts("qemu-img version " PEER_VERSION " (Rhea " RHEA_VERSION ")");
			return 0;
		}
		img_usage_error(c == ':' ? "missing argument for option '%s'" : "unrecognized option '%s'",
				argv[optind - 1]);
	}
	if (optind >= argc)
		img_usage_error("Not enough arguments");
	const char *name = argv[optind];
	argc -= optind;
	argv += optind;
	optind = 0;
	for (const struct img_verb *const *v = img_verbs; *v; v++) {
		if (strcmp((*v)->name, name) != 0)
			continue;
		struct img m = { .graph = blk_graph_new(), .objects = json_list() };
		blk_graph_listen(m.graph, said, NULL);
		int status = (*v)->run(&m, argc, argv);
		json_free(m.objects);
		blk_graph_free(m.graph);
		if (fflush(stdout) || ferror(stdout)) {
			img_error("cannot write to standard output");
			return status ? status : 1;
		}
		return status;
	}
	img_usage_error("Command not found: %s", name);
}

VERB(img) = {
	.name = "img",
	.peer = "qemu-img",
	.summary = "makes, looks at, converts and repairs disk images",
	.run = run,
};
