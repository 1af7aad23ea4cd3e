/* rhea img: what its verbs share. */
#pragma once
#include "base/json.h"
#include "block/blk.h"
#include "block/dirty.h"
#include "prog/rhea/field.h"
#include <stdio.h>

struct img {
	struct blk_graph *graph;
	bool image_opts, force_share, quiet;
	struct json *objects; /* of --object, made when all options are read */
};

struct img_verb {
	const char *name, *usage;
	int (*run)(struct img *m, int argc, char **argv);
};

#define IMG_VERB(id) \
	extern const struct img_verb img_verb_##id; \
	const struct img_verb img_verb_##id
//registry: IMG_VERB struct img_verb img_verb_ img_verbs
extern const struct img_verb *const img_verbs[];

/* ---- messages ---- */
void img_error(const char *fmt, ...) PRINTF(1, 2);
/* Prints "qemu-img: " prefix, text, remedy; frees e. */
void img_report(struct err *e, const char *fmt, ...) PRINTF(2, 3);
NORETURN void img_usage_error(const char *fmt, ...) PRINTF(1, 2);

/* ---- options every verb has ---- */
enum {
	OPT_OUTPUT = 256,
	OPT_BACKING_CHAIN,
	OPT_OBJECT,
	OPT_IMAGE_OPTS,
	OPT_PATTERN,
	OPT_FLUSH_INTERVAL,
	OPT_NO_DRAIN,
	OPT_TARGET_IMAGE_OPTS,
	OPT_SIZE,
	OPT_PREALLOCATION,
	OPT_SHRINK,
	OPT_SALVAGE,
	OPT_TARGET_IS_ZERO,
	OPT_ADD,
	OPT_REMOVE,
	OPT_CLEAR,
	OPT_ENABLE,
	OPT_DISABLE,
	OPT_MERGE,
	OPT_BITMAPS,
	OPT_FORCE,
	OPT_SKIP_BROKEN,
	OPT_START_OFFSET,
	OPT_MAX_LENGTH,
	OPT_FLAG_HELP
};
struct option;
/* getopt_long with the peer's messages; handles --object, --image-opts, -U, -q, -h. -1 at the end. */
int img_getopt(struct img *m, int argc, char **argv, const char *shorts, const struct option *longs);
/* Makes the objects; false: reported. */
bool img_make_objects(struct img *m);

/* ---- images ---- */
/* Opens by name, or by --image-opts; reports failure and gives NULL. */
struct blk_node *img_open(struct img *m, const char *name, const char *fmt, u32 flags);
struct blk_node *img_open_as(struct img *m, bool image_opts, const char *name, const char *fmt, u32 flags);
/* The same by file name (NULL: the options say it all) and options, which are taken over. name: for messages. */
struct blk_node *img_open_with(struct img *m, const char *name, const char *filename, const char *fmt,
			       struct json *opts, u32 flags);
/* Are its bytes in a file or device of this host, nothing remote? Of the image itself, not of its backing files. */
bool img_is_local(const struct blk_node *node);
/* "none", "writeback", ... into flags; false: unknown. */
bool img_cache_mode(const char *mode, u32 *flags);
/* aio=threads, native, io_uring as flags. False: no such mode. */
bool img_aio_mode(const char *mode, u32 *flags);
/* --output: "human" or "json". Reports anything else and gives false. */
bool img_output_mode(const char *mode, bool *ret_json);
/* A size with suffix, and one of at most max bytes; reports anything else and gives false. */
bool img_parse_size(const char *what, const char *text, u64 *ret);
bool img_parse_size_to(const char *what, const char *text, u64 max, u64 *ret);
/* "-o a=b,c=d" collected into opts (strings). Reports and gives false. */
bool img_add_options(struct json *opts, char **list, const char *text);
/* Does an -o text ask for help? */
bool img_wants_help(const char *text);
int img_print_create_options(const char *filename, const char *fmt, bool amend);
/* Shows an internal snapshot from now on: an id, a name, or "snapshot.id=..,snapshot.name=..". Reports failure. */
bool img_load_snapshot(struct blk_node *node, const char *spec);
/* "{...}" values of json as indented "name: value" lines. */
void img_print_specific(const struct json *j, int indent);
void img_print_snapshots(const struct json *list);
int img_create_image(struct img *m, const char *filename, const char *fmt, const char *base,
		     const char *base_fmt, struct json *opts, bool has_size, u64 size, bool no_check,
		     bool quiet);

/* ---- progress ---- */
struct progress {
	bool on, tty, percent_only;
	double last;
	i64 start, last_time;
	u64 done, total;
};
void progress_begin(struct progress *p, bool on, u64 total);
void progress_add(struct progress *p, u64 done);
void progress_set(struct progress *p, u64 done, u64 total);
void progress_end(struct progress *p);
