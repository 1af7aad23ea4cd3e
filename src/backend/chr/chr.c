#include "backend/chr/chr.h"
#include "base/loop/loop.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

struct chr *chr_find(const struct chr_set *s, const char *id)
{
	struct chr *c = s->list;
	while (c && strcmp(c->id, id) != 0)
		c = c->next;
	return c;
}

static void drop(struct chr *c)
{
	if (c->kind->close)
		c->kind->close(c);
	free(c->state);
	free(c->id);
	free(c);
}

static const struct chr_kind *find_kind(const char *name)
{
	for (const struct chr_kind *const *k = chr_kinds; *k; k++)
		if (strcmp((*k)->name, name) == 0)
			return *k;
	return NULL;
}

static struct err *unknown_kind(const char *name)
{
	AUTO(free_ptr) char *known = str_dup("");
	for (const struct chr_kind *const *k = chr_kinds; *k; k++) {
		char *more = strf("%s%s%s", known, *known ? ", " : "", (*k)->name);
		free(known);
		known = more;
	}
	return err_hint(err_new(ERR_INVALID, "'%s' is not a valid char driver name", name),
			"Character devices here: %s", known);
}

static struct err *check_options(const struct chr_kind *kind, const struct json *opts)
{
	for (size_t i = 0; i < opts->n; i++) {
		const char *const *known = kind->options;
		const char *name = opts->keys[i];
		if (strcmp(name, "id") == 0 || strcmp(name, "backend") == 0)
			continue;
		while (*known && strcmp(*known, name) != 0)
			known++;
		if (!*known)
			return err_new(ERR_INVALID,
				       "Parameter '%s' is not supported by character devices of kind '%s'",
				       name, kind->name);
	}
	return NULL;
}

static struct err *open_new(const struct chr_set *s, const char *id, const struct json *opts,
			    struct chr **ret)
{
	const char *name = json_get_str(opts, "backend");
	if (!name)
		return err_new(ERR_INVALID, "chardev: \"%s\" missing backend", id);
	const struct chr_kind *kind = find_kind(name);
	if (!kind)
		return unknown_kind(name);
	struct err *e = check_options(kind, opts);
	if (e)
		return e;
	struct chr *c = alloc(sizeof(*c));
	*c = (struct chr){
		.kind = kind,
		.id = str_dup(id),
		.state = alloc(kind->state_size + 1),
		.in = -1,
		.out = -1,
		.objects = &s->objects,
	};
	if ((e = kind->open(c, opts)))
		drop(c);
	else
		*ret = c;
	return e;
}

/* Where the pointer to it lies; that at the end of the list when there is none. */
static struct chr **place_of(struct chr_set *s, const char *id)
{
	struct chr **at = &s->list;
	while (*at && strcmp((*at)->id, id) != 0)
		at = &(*at)->next;
	return at;
}

struct err *chr_add(struct chr_set *s, struct json *options)
{
	AUTO(json_freep) struct json *opts = options;
	const char *id = json_get_str(opts, "id");
	if (!id)
		return err_new(ERR_INVALID, "chardev: no id specified");
	struct chr **at = place_of(s, id);
	return *at ? err_new(ERR_INVALID, "Chardev with id '%s' already exists", id)
		   : open_new(s, id, opts, at);
}

struct err *chr_change(struct chr_set *s, struct json *options)
{
	AUTO(json_freep) struct json *opts = options;
	const char *id = json_get_str(opts, "id");
	struct chr **at = place_of(s, id), *old = *at, *c;
	if (!old)
		return err_new(ERR_NOT_FOUND, "Chardev '%s' does not exist", id);
	if (old->used)
		return err_new(ERR_BUSY, "Chardev user does not support chardev hotswap");
	struct err *e = open_new(s, id, opts, &c);
	if (e)
		return e;
	c->next = old->next;
	*at = c;
	drop(old);
	return NULL;
}

struct err *chr_remove(struct chr_set *s, const char *id)
{
	struct chr **at = place_of(s, id), *c = *at;
	if (!c)
		return err_new(ERR_NOT_FOUND, "Chardev '%s' not found", id);
	if (c->used)
		return err_new(ERR_BUSY, "Chardev '%s' is busy", id);
	*at = c->next;
	drop(c);
	return NULL;
}

void chr_set_free(struct chr_set *s)
{
	for (struct chr *c; (c = s->list);) {
		s->list = c->next;
		drop(c);
	}
}

char *chr_text(const struct chr *c)
{
	return c->kind->text ? c->kind->text(c) : str_dup(c->kind->name);
}

int chr_wait(struct chr *c)
{
	return c->in >= 0 ? 0 : c->kind->wait(c);
}

void chr_hang_up(struct chr *c)
{
	if (c->kind->hang_up) {
		c->kind->hang_up(c);
	} else {
		if (c->out != c->in && c->out >= 0)
			close(c->out);
		if (c->in >= 0)
			close(c->in);
	}
	c->in = c->out = -1;
}

/*
 * The standard streams may be shared with other programs, and files cannot be polled: so descriptors stay as they are and
 * are asked before each call.
 */
static void wait_ready(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	while (poll(&p, 1, 0) == 0)
		co_wait_fd(fd, events == POLLIN ? EPOLLIN : EPOLLOUT);
}

/* A terminal that nobody has open takes no more, and never will. */
static bool hung_up(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR));
}

ssize_t chr_read(struct chr *c, void *buf, size_t len)
{
	if (c->kind->read)
		return c->kind->read(c, buf, len);
	for (;;) {
		wait_ready(c->in, POLLIN);
		ssize_t n = read(c->in, buf, len);
		if (n >= 0)
			return n;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
}

int chr_write(struct chr *c, const void *buf, size_t len)
{
	const char *at = buf;
	if (c->kind->write)
		return c->kind->write(c, buf, len);
	while (len) {
		wait_ready(c->out, POLLOUT);
		/* A pipe that is ready takes this much at once. */
		ssize_t n = write(c->out, at, MIN(len, (size_t)PIPE_BUF));
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n < 0 && errno == EAGAIN && hung_up(c->out))
			return -EPIPE;
		at += MAX(n, (ssize_t)0);
		len -= MAX(n, (ssize_t)0);
	}
	return 0;
}
