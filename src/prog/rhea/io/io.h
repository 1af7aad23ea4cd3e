/* rhea io: what its files share. */
#pragma once
#include "block/blk.h"
#include <stdio.h>

struct io {
	struct blk_graph *graph;
	struct blk_node *node; /* NULL: nothing is open */
	char *name; /* as it was opened, for reopen */
	bool image_opts, misalign, quit;
	unsigned in_flight; /* aio requests */
	char *temp; /* of -s: the overlay, unlinked at once */
};

struct io_cmd {
	const char *name, *alt, *args, *summary, *help;
	int min_args, max_args; /* -1: any */
	bool without_file;
	/* Not 0: failed. */
	int (*run)(struct io *io, int argc, char **argv);
};

#define IO_CMD(id) \
	extern const struct io_cmd io_cmd_##id; \
	const struct io_cmd io_cmd_##id
//registry: IO_CMD struct io_cmd io_cmd_ io_cmds
extern const struct io_cmd *const io_cmds[];

/* A number with suffix; prints what is wrong and gives false. */
bool io_number(const char *text, u64 *ret);
/* "64 KiB", "1.500 MiB", "512 bytes": as the reports print sizes. buf: 64 bytes. */
const char *io_size(double bytes, char *buf);
/* "wrote 512/512 bytes at offset 0" and the rate since start (loop_now()); machine: as numbers between commas. */
void io_report(const char *did, u64 offset, u64 len, i64 start, bool machine);
int io_usage(const struct io_cmd *cmd);
/* How an image is opened: options that the program and its command "open" have in common. */
/* As the peer: writethrough unless another cache mode is asked for. */
enum { IO_USUAL_FLAGS = BLK_UNMAP | BLK_RESIZE | BLK_WRITETHROUGH };
struct io_mode {
	u32 flags;
	bool rdonly, snapshot;
};
#define IO_MODE_OPTIONS "snCrki:t:d:U"
/* Takes one; 1: it is another option, -1: its value is wrong, which was reported. */
int io_mode_option(struct io_mode *m, int option, const char *arg);
/* Opens; options: keyval text or NULL. Reports. */
int io_open(struct io *io, const char *name, const char *fmt, const char *options,
	    const struct io_mode *mode);
void io_close(struct io *io);
int io_run_line(struct io *io, const char *line);
void io_drain(struct io *io);
