/* Options: taking them out of a description, with the messages users know; tables of creation options. */
#include "block/blk.h"
#include "base/size.h"
#include <stdio.h>

char *blk_take_str(struct json *opts, const char *name)
{
	AUTO(json_freep) struct json *j = json_take(opts, name);
	if (!j)
		return NULL;
	switch (j->kind) {
	case JSON_STR:
		return str_dup(j->s);
	case JSON_INT:
		return strf("%lld", (long long)j->i);
	case JSON_BOOL:
		return str_dup(j->b ? "on" : "off");
	default:
		return json_text(j, false);
	}
}

static bool on_off(const char *s, bool *ret)
{
	static const char *const on[] = { "on", "yes", "true", "y" }, *const off[] = { "off", "no", "false",
										       "n" };
	for (unsigned i = 0; i < LEN(on); i++)
		if (strcmp(s, on[i]) == 0 || strcmp(s, off[i]) == 0)
			return *ret = strcmp(s, on[i]) == 0, true;
	return false;
}

struct err *blk_take_bool(struct json *opts, const char *name, bool *ret)
{
	AUTO(json_freep) struct json *j = json_take(opts, name);
	if (!j)
		return NULL;
	if (j->kind == JSON_BOOL) {
		*ret = j->b;
		return NULL;
	}
	if (j->kind == JSON_STR && on_off(j->s, ret))
		return NULL;
	return err_new(ERR_INVALID, "Parameter '%s' expects 'on' or 'off'", name);
}

struct err *blk_take_size(struct json *opts, const char *name, u64 *ret)
{
	AUTO(json_freep) struct json *j = json_take(opts, name);
	if (!j)
		return NULL;
	if (j->kind == JSON_INT && j->i >= 0) {
		*ret = j->i;
		return NULL;
	}
	if (j->kind == JSON_STR && size_parse(j->s, ret) == 0)
		return NULL;
	return err_hint(
	    err_new(ERR_INVALID, "Parameter '%s' expects a non-negative number below 2^64", name),
	    "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\nand exabytes, "
	    "respectively.");
}

const char *blk_opt_str(const struct json *opts, const char *name)
{
	return json_get_str(opts, name);
}

bool blk_opt_bool(const struct json *opts, const char *name, bool otherwise)
{
	const char *s = json_get_str(opts, name);
	if (s)
		on_off(s, &otherwise);
	return otherwise;
}

u64 blk_opt_num(const struct json *opts, const char *name, u64 otherwise)
{
	const char *s = json_get_str(opts, name);
	u64 v;
	return s && size_parse(s, &v) == 0 ? v : otherwise;
}

const char *const blk_prealloc_names[] = { "off", "metadata", "falloc", "full" };

bool blk_prealloc_find(const char *name, enum blk_prealloc *ret)
{
	unsigned i = 0;
	while (name && i < LEN(blk_prealloc_names) && strcmp(blk_prealloc_names[i], name) != 0)
		i++;
	*ret = i;
	return i < LEN(blk_prealloc_names);
}

static struct err *check_value(const struct blk_opt *o, const char *text)
{
	bool b;
	u64 v;
	switch (o->type) {
	case BLK_OPT_STR:
		return NULL;
	case BLK_OPT_BOOL:
		return on_off(text, &b)
			   ? NULL
			   : err_new(ERR_INVALID, "Parameter '%s' expects 'on' or 'off'", o->name);
	case BLK_OPT_NUM: {
		char *end;
		v = strtoull(text, &end, 0);
		return *text && !*end && *text != '-'
			   ? NULL
			   : err_new(ERR_INVALID, "Parameter '%s' expects a number", o->name);
	}
	case BLK_OPT_SIZE:
		break;
	}
	int r = size_parse(text, &v);
	if (r == -34)
		return err_new(ERR_INVALID, "Value '%s' is out of range for parameter '%s'", text, o->name);
	if (r)
		return err_hint(
		    err_new(ERR_INVALID, "Parameter '%s' expects a non-negative number below 2^64", o->name),
		    "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\nand "
		    "exabytes, respectively.");
	return NULL;
}

const struct blk_opt *blk_opt_find(const struct blk_opt *table, const char *name)
{
	for (; table && table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

struct err *blk_opts_check(const struct json *opts, const struct blk_opt *table, const struct blk_opt *more)
{
	for (size_t i = 0; i < opts->n; i++) {
		const struct blk_opt *o = blk_opt_find(table, opts->keys[i]);
		if (!o)
			o = blk_opt_find(more, opts->keys[i]);
		if (!o)
			return err_new(ERR_INVALID, "Invalid parameter '%s'", opts->keys[i]);
		struct err *e = check_value(o, opts->items[i]->s);
		if (e)
			return e;
	}
	return NULL;
}
