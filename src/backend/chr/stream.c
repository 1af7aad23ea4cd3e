/* Character devices that are descriptors once opened: stdio, null, pipe (PATH.in and PATH.out, or PATH), file (output). */
#include "backend/chr/chr.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* What was connected once has left for good. */
static int wait_never(struct chr *c UNUSED)
{
	return -ENOTCONN;
}

static void close_both(struct chr *c)
{
	chr_hang_up(c);
}

static struct err *open_file(const char *path, int flags, int *ret)
{
	*ret = open(path, flags | O_CLOEXEC, 0666);
	return *ret < 0 ? err_errno(errno, "Could not open '%s'", path) : NULL;
}

static struct err *need_path(const struct json *opts, const char *kind, const char **ret)
{
	*ret = json_get_str(opts, "path");
	return *ret ? NULL : err_new(ERR_INVALID, "chardev: %s: no filename given", kind);
}

/* ---- stdio ---- */

static struct err *open_stdio(struct chr *c, const struct json *opts)
{
	const char *signal = json_get_str(opts, "signal");
	if (signal && strcmp(signal, "on") != 0 && strcmp(signal, "off") != 0)
		return err_new(ERR_INVALID, "Parameter 'signal' expects 'on' or 'off'");
	/* Ctrl-C reaches the program anyway: only a terminal in raw mode would have to be told otherwise. */
	c->in = 0;
	c->out = 1;
	return NULL;
}

static void leave(struct chr *c UNUSED)
{
}

CHR(stdio) = {
	.name = "stdio",
	.summary = "standard input and output",
	.options = (const char *const[]){ "signal", NULL },
	.open = open_stdio,
	.wait = wait_never,
	.hang_up = leave,
};

/* ---- null ---- */

static struct err *open_null(struct chr *c UNUSED, const struct json *opts UNUSED)
{
	return NULL;
}

CHR(null) = {
	.name = "null",
	.summary = "nothing comes, what goes is lost",
	.options = (const char *const[]){ NULL },
	.open = open_null,
	.wait = wait_never,
	.hang_up = leave,
};

/* ---- pipe ---- */

static struct err *open_pipe(struct chr *c, const struct json *opts)
{
	const char *path;
	struct err *e = need_path(opts, "pipe", &path);
	if (e)
		return e;
	AUTO(free_ptr) char *in = strf("%s.in", path), *out = strf("%s.out", path);
	if (access(in, F_OK) != 0 && access(out, F_OK) != 0) {
		e = open_file(path, O_RDWR, &c->in);
		c->out = c->in;
		return e;
	}
	e = open_file(in, O_RDWR, &c->in);
	return e ? e : open_file(out, O_RDWR, &c->out);
}

CHR(pipe) = {
	.name = "pipe",
	.summary = "named pipes",
	.options = (const char *const[]){ "path", NULL },
	.open = open_pipe,
	.wait = wait_never,
	.close = close_both,
};

/* ---- file ---- */

static struct err *open_output(struct chr *c, const struct json *opts)
{
	const char *path, *append = json_get_str(opts, "append");
	struct err *e = need_path(opts, "file", &path);
	if (e)
		return e;
	bool keep = append && strcmp(append, "on") == 0;
	e = open_file(path, O_WRONLY | O_CREAT | (keep ? O_APPEND : O_TRUNC), &c->out);
	return e ? e : open_file("/dev/null", O_RDONLY, &c->in);
}

CHR(file) = {
	.name = "file",
	.summary = "output to a file",
	.options = (const char *const[]){ "path", "append", NULL },
	.open = open_output,
	.wait = wait_never,
	.close = close_both,
};
