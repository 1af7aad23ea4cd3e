#include "guest/insn.h"
#include <stdarg.h>
#include <stdio.h>

void text_put(struct text *o, const char *s)
{
	while (*s && o->len + 1 < o->size)
		o->buf[o->len++] = *s++;
	if (o->size)
		o->buf[o->len] = 0;
}

void text_fmt(struct text *o, const char *fmt, ...)
{
	char buf[128];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	text_put(o, buf);
}
