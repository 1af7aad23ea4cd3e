/* io: breakpoints of the blkdebug filter. */
#include "prog/rhea/io/io.h"

/* The filter nearest to the top that knows breakpoints. */
static int debug(struct io *io, enum blk_debug_op op, const char *event, const char *tag, const char *what)
{
	struct blk_node *n = io->node;
	while (n && !n->driver->debug)
		n = n->file;
	int r = n ? n->driver->debug(n, op, event, tag) : -95;
	if (r)
		printf("%s: %s\n", what, strerror(-r));
	return r;
}

/* clang-format off */
static int do_break(struct io *io, int n, char **v) { return debug(io, BLK_DEBUG_BREAK, v[1], v[2], "Could not set a breakpoint"); }
static int do_remove(struct io *io, int n, char **v) { return debug(io, BLK_DEBUG_REMOVE, NULL, v[1], "Could not remove a breakpoint"); }
static int do_resume(struct io *io, int n, char **v) { return debug(io, BLK_DEBUG_RESUME, NULL, v[1], "Could not resume request"); }
static int do_wait(struct io *io, int n, char **v) { return debug(io, BLK_DEBUG_WAIT, NULL, v[1], "Could not wait for a breakpoint"); }

IO_CMD(break) = { "break", NULL, "event tag", "sets a breakpoint on event and tags the stopped request as tag", NULL, 2, 2, false, do_break };
IO_CMD(remove_break) = { "remove_break", NULL, "tag", "remove a breakpoint by tag", NULL, 1, 1, false, do_remove };
IO_CMD(resume) = { "resume", NULL, "tag", "resumes the request tagged as tag", NULL, 1, 1, false, do_resume };
IO_CMD(wait_break) = { "wait_break", NULL, "tag", "waits for the suspension of a request", NULL, 1, 1, false, do_wait };
/* clang-format on */
