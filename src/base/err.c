#include "base/err.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

struct err {
	enum err_code code;
	int errnum;
	char *text, *remedy;
};

static char *format(const char *fmt, va_list args)
{
	char *s;
	if (vasprintf(&s, fmt, args) < 0)
		abort();
	return s;
}

struct err *err_new(enum err_code code, const char *fmt, ...)
{
	struct err *e = alloc(sizeof(*e));
	va_list args;
	va_start(args, fmt);
	e->code = code;
	e->text = format(fmt, args);
	va_end(args);
	return e;
}

static enum err_code code_of(int errnum)
{
	switch (errnum) {
	case ENOENT:
		return ERR_NOT_FOUND;
	case EACCES:
	case EPERM:
		return ERR_DENIED;
	case EINVAL:
		return ERR_INVALID;
	case EBUSY:
	case EAGAIN:
		return ERR_BUSY;
	case ENOTSUP:
	case ENOSYS:
		return ERR_UNSUPPORTED;
	}
	return ERR_IO;
}

struct err *err_errno(int errnum, const char *fmt, ...)
{
	struct err *e = alloc(sizeof(*e));
	va_list args;
	va_start(args, fmt);
	AUTO(free_ptr) char *front = format(fmt, args);
	va_end(args);
	e->code = code_of(errnum);
	e->errnum = errnum;
	e->text = strf("%s: %s", front, strerror(errnum));
	return e;
}

struct err *err_in(struct err *e, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	AUTO(free_ptr) char *front = format(fmt, args);
	va_end(args);
	char *text = strf("%s: %s", front, e->text);
	free(e->text);
	e->text = text;
	return e;
}

struct err *err_hint(struct err *e, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	free(e->remedy);
	e->remedy = format(fmt, args);
	va_end(args);
	return e;
}

enum err_code err_code(const struct err *e)
{
	return e->code;
}

int err_errnum(const struct err *e)
{
	return e->errnum;
}

const char *err_text(const struct err *e)
{
	return e->text;
}

const char *err_remedy(const struct err *e)
{
	return e->remedy;
}

void err_free(struct err *e)
{
	if (!e)
		return;
	free(e->text);
	free(e->remedy);
	free(e);
}
