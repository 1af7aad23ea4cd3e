#include "base/log.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* clang-format off */
const struct log_item_info log_items[] = {
	{ "out_asm", LOG_OUT_ASM, "show generated host assembly code for each region" },
	{ "in_asm", LOG_IN_ASM, "show the guest's assembly code for each region" },
	{ "op", LOG_OP, "show the intermediate form of each region" },
	{ "op_opt", LOG_OP_OPT, "show the intermediate form after optimization" },
	{ "int", LOG_INT, "show faults and signals in short form" },
	{ "exec", LOG_EXEC, "show each region before it is entered (lots of logs)" },
	{ "cpu", LOG_CPU, "show CPU registers before entering a region (lots of logs)" },
	{ "fpu", LOG_FPU, "include floating-point and vector registers in 'cpu'" },
	{ "page", LOG_PAGE, "show the memory map at the beginning of user mode" },
	{ "nochain", LOG_NOCHAIN, "do not link regions, so that 'exec' and 'cpu' show complete traces" },
	{ "unimp", LOG_UNIMP, "log what is not implemented" },
	{ "guest_errors", LOG_GUEST_ERRORS, "log what a correct program would not do" },
	{ "strace", LOG_STRACE, "log every system call, its input, and its result" },
	{ NULL, 0, NULL },
};
/* clang-format on */

static struct err *find_item(const char *name, size_t len, u32 *ret_items)
{
	for (const struct log_item_info *i = log_items; i->name; i++)
		if (strlen(i->name) == len && strncmp(i->name, name, len) == 0) {
			*ret_items |= i->bit;
			return NULL;
		}
	return err_hint(err_new(ERR_NOT_FOUND, "there is no log item '%.*s'", (int)len, name),
			"-d help lists them");
}

struct err *log_parse_items(const char *list, u32 *ret_items)
{
	struct err *e = NULL;
	u32 items = 0;
	while (!e && *list) {
		size_t len = strcspn(list, ",");
		e = find_item(list, len, &items);
		list += len + (list[len] == ',');
	}
	if (!e)
		*ret_items = items;
	return e;
}

static bool scan_number(const char **p, u64 *ret)
{
	char *end;
	errno = 0;
	*ret = strtoull(*p, &end, 0);
	bool good = end != *p && !errno && **p != '-' && **p != '+';
	*p = end;
	return good;
}

static bool scan_range(const char **p, struct log_range *r)
{
	u64 a, b;
	if (!scan_number(p, &a))
		return false;
	if (strncmp(*p, "..", 2) == 0) {
		*p += 2;
		*r = (struct log_range){ a, 0 };
		return scan_number(p, &r->last) && r->last >= a;
	}
	char sign = *(*p)++;
	if ((sign != '+' && sign != '-') || !scan_number(p, &b) || !b)
		return false;
	*r = sign == '+' ? (struct log_range){ a, a + b - 1 } : (struct log_range){ a - b + 1, a };
	return r->last >= r->first;
}

struct err *log_parse_ranges(const char *list, struct log_range **ret_range, unsigned *ret_n)
{
	struct log_range *range = NULL;
	size_t cap = 0;
	unsigned n = 0;
	for (const char *p = list; *p; p += *p == ',') {
		range = grow(range, &cap, n + 1, sizeof(*range));
		if (!scan_range(&p, &range[n++]) || (*p && *p != ',')) {
			free(range);
			return err_new(
			    ERR_INVALID,
			    "'%s': want FIRST..LAST, START+LENGTH or LAST-LENGTH, separated by commas", list);
		}
	}
	*ret_range = range;
	*ret_n = n;
	return NULL;
}

bool log_covers(const struct log *l, u64 addr)
{
	for (unsigned i = 0; i < l->n_range; i++)
		if (addr >= l->range[i].first && addr <= l->range[i].last)
			return true;
	return !l->n_range;
}

static void add_args(struct log_text *t, const char *fmt, va_list args)
{
	va_list again;
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		return;
	t->data = grow(t->data, &t->cap, t->len + (size_t)n + 1, 1);
	vsnprintf(t->data + t->len, (size_t)n + 1, fmt, args);
	t->len += (size_t)n;
}

void log_add(struct log_text *t, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	add_args(t, fmt, args);
	va_end(args);
}

void log_text_end(const struct log *l, struct log_text *t)
{
	int fd = l->fd >= 0 ? l->fd : 2;
	for (size_t at = 0; at < t->len;) {
		ssize_t n = write(fd, t->data + at, t->len - at);
		if (n <= 0 && errno != EINTR)
			break; /* nowhere to say so */
		at += (size_t)MAX(n, 0);
	}
	free(t->data);
	*t = (struct log_text){ 0 };
}

void log_put(const struct log *l, const char *fmt, ...)
{
	struct log_text t = { 0 };
	va_list args;
	va_start(args, fmt);
	add_args(&t, fmt, args);
	va_end(args);
	log_text_end(l, &t);
}
