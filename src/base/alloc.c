#include "base/base.h"
#include <stdarg.h>
#include <stdio.h>

void *alloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);
	if (!p) {
		fputs("rhea: out of memory\n", stderr);
		abort();
	}
	return p;
}

void *try_alloc(size_t size)
{
	return calloc(1, size ? size : 1);
}

void *grow(void *array, size_t *cap, size_t n, size_t size)
{
	if (n <= *cap)
		return array;
	size_t want = MAX(n, *cap ? *cap * 2 : 16);
	void *p = reallocarray(array, want, size);
	if (!p) {
		fputs("rhea: out of memory\n", stderr);
		abort();
	}
	*cap = want;
	return p;
}

char *strf(const char *fmt, ...)
{
	va_list args;
	char *s;
	va_start(args, fmt);
	if (vasprintf(&s, fmt, args) < 0) {
		fputs("rhea: out of memory\n", stderr);
		abort();
	}
	va_end(args);
	return s;
}

char *str_dup(const char *s)
{
	size_t len = strlen(s) + 1;
	return memcpy(alloc(len), s, len);
}
