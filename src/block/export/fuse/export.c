//needs: fuse
/* Exports as files. One that somebody unmounts ends by itself. */
#include "block/export/export.h"
#include "base/loop/loop.h"
#include "block/export/fuse/fuse.h"
#include "block/iothread.h"
#include <errno.h>

struct state {
	struct fuse_export *export;
	char *path; /* of the mount point, without symbolic links */
	struct loop_timer *end; /* NULL: not unmounted */
};

static void end_now(void *arg)
{
	struct blk_export *x = arg;
	((struct state *)x->state)->end = NULL;
	blk_export_end(x);
}

/* The export still handles its last event: it is ended afterwards. */
static void unmounted(void *user)
{
	struct blk_export *x = user;
	struct state *s = x->state;
	if (!x->ending && !s->end)
		s->end = loop_timer(loop_here(), 0, end_now, x);
}

/* One of ours, looked at as a file, would wait for this very thread to answer. */
static struct err *check_unused(const struct blk_export *new, const char *path, const char *given)
{
	for (const struct blk_export *x = new->all->list; x; x = x->next)
		if (x->kind == new->kind && strcmp(((struct state *)x->state)->path, path) == 0)
			return err_new(ERR_BUSY, "There already is a FUSE export on '%s'", given);
	return NULL;
}

static enum fuse_others others(const char *word)
{
	if (!word || strcmp(word, "auto") == 0)
		return FUSE_OTHERS_AUTO;
	return strcmp(word, "on") == 0 ? FUSE_OTHERS_ON : FUSE_OTHERS_OFF;
}

static struct err *open_fuse(struct blk_export *x, struct blk_node *node, const struct json *opts)
{
	struct state *s = x->state;
	struct fuse_describe d = { .mountpoint = json_get_str(opts, "mountpoint"),
				   .writable = x->writable,
				   .use = x->use,
				   .writethrough = x->writethrough,
				   .loop = x->thread ? iothread_loop(x->thread) : NULL,
				   .growable = json_get_bool(opts, "growable", false),
				   .allow_other = others(json_get_str(opts, "allow-other")),
				   .ended = unmounted,
				   .user = x };
	AUTO(free_ptr) char *path = realpath(d.mountpoint, NULL);
	struct err *e = path ? check_unused(x, path, d.mountpoint)
			     : err_errno(errno, "Failed to stat '%s'", d.mountpoint);
	if (!e)
		e = fuse_export_new(node, &d, &s->export);
	if (e)
		return e;
	s->path = path;
	path = NULL;
	return NULL;
}

static void close_fuse(struct blk_export *x)
{
	struct state *s = x->state;
	if (s->end)
		loop_timer_cancel(s->end);
	s->end = NULL;
	fuse_export_free(s->export);
	free(s->path);
}

EXPORT(fuse) = { .name = "fuse",
		 .write_perms = BLK_PERM_WRITE | BLK_PERM_RESIZE,
		 .shares = BLK_PERM_ALL,
		 .state_size = sizeof(struct state),
		 .open = open_fuse,
		 .close = close_fuse };
