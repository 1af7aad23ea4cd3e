/*
 * pty: the master of a new pseudo terminal; whoever opens its other side is the connected end.
 * The other side is raw. Option: path, a symbolic link to it.
 */
#include "backend/chr/chr.h"
#include "base/loop/loop.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

struct pty {
	int master;
	char name[64]; /* of the other side */
	char *link; /* NULL: none */
};

/* Nothing tells of an opening: it is looked for. */
enum { LOOK_AGAIN_MS = 100 };

/* Opened and closed once, the other side is known to be closed: the master hangs up until somebody opens it. */
static int make_raw(const char *name)
{
	struct termios t;
	int fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	int r = fd < 0 || tcgetattr(fd, &t) ? -errno : 0;
	if (!r) {
		cfmakeraw(&t);
		r = tcsetattr(fd, TCSAFLUSH, &t) ? -errno : 0;
	}
	if (fd >= 0)
		close(fd);
	return r;
}

static struct err *make(struct pty *s)
{
	int r;
	s->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (s->master < 0 || grantpt(s->master) || unlockpt(s->master))
		return err_errno(errno, "Failed to create PTY");
	if ((r = ptsname_r(s->master, s->name, sizeof(s->name))))
		return err_errno(r, "Failed to name the PTY");
	r = make_raw(s->name);
	return r ? err_errno(-r, "Failed to set up '%s'", s->name) : NULL;
}

static struct err *open_pty(struct chr *c, const struct json *opts)
{
	struct pty *s = c->state;
	const char *link = json_get_str(opts, "path");
	struct err *e = make(s);
	if (!e && link && symlink(s->name, link))
		e = err_errno(errno, "Failed to create PTY symlink '%s'", link);
	if (e)
		return e;
	s->link = link ? str_dup(link) : NULL;
	return NULL;
}

static int wait_opened(struct chr *c)
{
	struct pty *s = c->state;
	struct pollfd p = { .fd = s->master };
	while (poll(&p, 1, 0) != 0) /* POLLHUP */
		co_sleep(LOOK_AGAIN_MS * 1000000ll);
	c->in = c->out = s->master;
	return 0;
}

/* The master stays, for the next one. */
static void left(struct chr *c UNUSED)
{
}

static void close_pty(struct chr *c)
{
	struct pty *s = c->state;
	if (s->master >= 0)
		close(s->master);
	if (s->link)
		unlink(s->link);
	free(s->link);
}

static const char *terminal(const struct chr *c)
{
	return ((const struct pty *)c->state)->name;
}

static char *text(const struct chr *c)
{
	return strf("pty:%s", terminal(c));
}

CHR(pty) = {
	.name = "pty",
	.summary = "new pseudo terminal",
	.options = (const char *const[]){ "path", NULL },
	.state_size = sizeof(struct pty),
	.open = open_pty,
	.wait = wait_opened,
	.hang_up = left,
	.close = close_pty,
	.text = text,
	.terminal = terminal,
};
