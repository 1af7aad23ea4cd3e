#include "base/json.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

static struct json *make(enum json_kind kind)
{
	struct json *j = alloc(sizeof(*j));
	j->kind = kind;
	return j;
}

struct json *json_null(void)
{
	return make(JSON_NULL);
}

struct json *json_bool(bool b)
{
	struct json *j = make(JSON_BOOL);
	j->b = b;
	return j;
}

struct json *json_int(i64 i)
{
	struct json *j = make(JSON_INT);
	j->i = i;
	return j;
}

struct json *json_real(double d)
{
	struct json *j = make(JSON_REAL);
	j->d = d;
	return j;
}

struct json *json_str(const char *s)
{
	struct json *j = make(JSON_STR);
	j->s = str_dup(s);
	return j;
}

struct json *json_strf(const char *fmt, ...)
{
	struct json *j = make(JSON_STR);
	va_list args;
	va_start(args, fmt);
	if (vasprintf(&j->s, fmt, args) < 0)
		abort();
	va_end(args);
	return j;
}

struct json *json_list(void)
{
	return make(JSON_LIST);
}

struct json *json_dict(void)
{
	return make(JSON_DICT);
}

void json_free(struct json *j)
{
	if (!j)
		return;
	if (j->kind == JSON_STR)
		free(j->s);
	if (j->kind == JSON_LIST || j->kind == JSON_DICT) {
		for (size_t i = 0; i < j->n; i++) {
			json_free(j->items[i]);
			if (j->kind == JSON_DICT)
				free(j->keys[i]);
		}
		free(j->items);
		free(j->keys);
	}
	free(j);
}

struct json *json_copy(const struct json *j)
{
	switch (j->kind) {
	case JSON_STR:
		return json_str(j->s);
	case JSON_LIST:
	case JSON_DICT: {
		struct json *c = make(j->kind);
		for (size_t i = 0; i < j->n; i++)
			if (j->kind == JSON_LIST)
				json_add(c, json_copy(j->items[i]));
			else
				json_set(c, j->keys[i], json_copy(j->items[i]));
		return c;
	}
	default: {
		struct json *c = make(j->kind);
		*c = *j;
		return c;
	}
	}
}

void json_add(struct json *list, struct json *item)
{
	list->items = grow(list->items, &list->cap, list->n + 1, sizeof(*list->items));
	list->items[list->n++] = item;
}

static size_t find(const struct json *dict, const char *key)
{
	size_t i = 0;
	while (i < dict->n && strcmp(dict->keys[i], key) != 0)
		i++;
	return i;
}

void json_set(struct json *dict, const char *key, struct json *val)
{
	if (!val)
		return;
	size_t i = find(dict, key);
	if (i < dict->n) {
		json_free(dict->items[i]);
		dict->items[i] = val;
		return;
	}
	dict->keys = grow(dict->keys, &dict->key_cap, dict->n + 1, sizeof(*dict->keys));
	dict->keys[dict->n] = str_dup(key);
	json_add(dict, val);
}

struct json *json_get(const struct json *dict, const char *key)
{
	if (!dict || dict->kind != JSON_DICT)
		return NULL;
	size_t i = find(dict, key);
	return i < dict->n ? dict->items[i] : NULL;
}

static struct json *take_at(struct json *dict, size_t i)
{
	struct json *val = dict->items[i];
	free(dict->keys[i]);
	dict->n--;
	memmove(dict->items + i, dict->items + i + 1, (dict->n - i) * sizeof(*dict->items));
	memmove(dict->keys + i, dict->keys + i + 1, (dict->n - i) * sizeof(*dict->keys));
	return val;
}

struct json *json_take(struct json *dict, const char *key)
{
	size_t i = find(dict, key);
	return i < dict->n ? take_at(dict, i) : NULL;
}

void json_del(struct json *dict, const char *key)
{
	json_free(json_take(dict, key));
}

const char *json_get_str(const struct json *dict, const char *key)
{
	struct json *j = json_get(dict, key);
	return j && j->kind == JSON_STR ? j->s : NULL;
}

i64 json_get_int(const struct json *dict, const char *key, i64 otherwise)
{
	struct json *j = json_get(dict, key);
	return j && j->kind == JSON_INT ? j->i : otherwise;
}

bool json_get_bool(const struct json *dict, const char *key, bool otherwise)
{
	struct json *j = json_get(dict, key);
	return j && j->kind == JSON_BOOL ? j->b : otherwise;
}

/* Moves the members of from into flat; empty objects and lists stay as they are. */
static void flatten_into(struct json *flat, struct json *from, const char *prefix)
{
	for (size_t i = 0; i < from->n; i++) {
		struct json *val = from->items[i];
		AUTO(free_ptr)
		char *name =
		    from->kind == JSON_DICT ? strf("%s%s", prefix, from->keys[i]) : strf("%s%zu", prefix, i);
		if ((val->kind == JSON_DICT || val->kind == JSON_LIST) && val->n) {
			AUTO(free_ptr) char *deeper = strf("%s.", name);
			flatten_into(flat, val, deeper);
			json_free(val);
		} else {
			json_set(flat, name, val);
		}
		if (from->kind == JSON_DICT)
			free(from->keys[i]);
	}
	from->n = 0;
}

void json_flatten(struct json *dict)
{
	struct json *flat = json_dict();
	flatten_into(flat, dict, "");
	free(dict->keys);
	free(dict->items);
	*dict = *flat;
	free(flat);
}

static bool is_list(const struct json *dict)
{
	if (!dict->n)
		return false;
	for (size_t i = 0; i < dict->n; i++) {
		char want[24];
		snprintf(want, sizeof(want), "%zu", i);
		if (find(dict, want) == dict->n)
			return false;
	}
	return true;
}

static void lists_from_dicts(struct json *dict)
{
	for (size_t i = 0; i < dict->n; i++) {
		struct json *val = dict->items[i];
		if (val->kind != JSON_DICT)
			continue;
		lists_from_dicts(val);
		if (!is_list(val))
			continue;
		struct json *list = json_list();
		for (size_t k = 0, n = val->n; k < n; k++) {
			char key[24];
			snprintf(key, sizeof(key), "%zu", k);
			json_add(list, json_take(val, key));
		}
		json_free(val);
		dict->items[i] = list;
	}
}

struct err *json_nest(struct json *dict)
{
	for (size_t i = 0; i < dict->n;) {
		char *dot = strchr(dict->keys[i], '.');
		if (!dot) {
			i++;
			continue;
		}
		AUTO(free_ptr) char *key = str_dup(dict->keys[i]);
		struct json *val = take_at(dict, i), *at = dict;
		char *part = key;
		while ((dot = strchr(part, '.'))) {
			*dot = 0;
			struct json *next = json_get(at, part);
			if (!next) {
				next = json_dict();
				json_set(at, part, next);
			}
			if (next->kind != JSON_DICT) {
				json_free(val);
				return err_new(ERR_INVALID, "Cannot mix scalar and non-scalar keys");
			}
			at = next;
			part = dot + 1;
		}
		json_set(at, part, val);
	}
	lists_from_dicts(dict);
	return NULL;
}

struct json *json_take_prefix(struct json *dict, const char *prefix)
{
	struct json *out = json_dict();
	size_t len = strlen(prefix);
	for (size_t i = 0; i < dict->n;) {
		if (strncmp(dict->keys[i], prefix, len) != 0) {
			i++;
			continue;
		}
		AUTO(free_ptr) char *name = str_dup(dict->keys[i] + len);
		json_set(out, name, take_at(dict, i));
	}
	return out;
}

bool json_equal(const struct json *a, const struct json *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case JSON_NULL:
		return true;
	case JSON_BOOL:
		return a->b == b->b;
	case JSON_INT:
		return a->i == b->i;
	case JSON_REAL:
		return a->d == b->d;
	case JSON_STR:
		return strcmp(a->s, b->s) == 0;
	case JSON_LIST:
	case JSON_DICT:
		break;
	}
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct json *other = a->kind == JSON_LIST ? b->items[i] : json_get(b, a->keys[i]);
		if (!other || !json_equal(a->items[i], other))
			return false;
	}
	return true;
}

/* ---- reading ---- */

enum { MAX_DEPTH = 64 };

struct parser {
	const char *p, *end;
	unsigned depth;
};

static struct err *bad(const char *what)
{
	return err_new(ERR_INVALID, "JSON parse error, %s", what);
}

static void space(struct parser *p)
{
	while (p->p < p->end && strchr(" \t\r\n", *p->p) && *p->p)
		p->p++;
}

static struct err *value(struct parser *p, struct json **ret);

static int hex4(struct parser *p)
{
	int v = 0;
	for (int i = 0; i < 4; i++) {
		if (p->p == p->end)
			return -1;
		char c = *p->p++;
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
			    : c >= 'A' && c <= 'F' ? c - 'A' + 10
						   : -1;
		if (digit < 0)
			return -1;
		v = v << 4 | digit;
	}
	return v;
}

static size_t put_utf8(char *out, u32 c)
{
	if (c < 0x80)
		return out[0] = c, 1;
	if (c < 0x800)
		return out[0] = 0xc0 | c >> 6, out[1] = 0x80 | (c & 63), 2;
	if (c < 0x10000)
		return out[0] = 0xe0 | c >> 12, out[1] = 0x80 | (c >> 6 & 63), out[2] = 0x80 | (c & 63), 3;
	out[0] = 0xf0 | c >> 18;
	out[1] = 0x80 | (c >> 12 & 63);
	out[2] = 0x80 | (c >> 6 & 63);
	out[3] = 0x80 | (c & 63);
	return 4;
}

static struct err *escape(struct parser *p, char *out, size_t *ret_n)
{
	static const char from[] = "bfnrt\"'\\/", to[] = "\b\f\n\r\t\"'\\/";
	if (p->p == p->end)
		return bad("unterminated string");
	char c = *p->p++;
	if (c != 'u') {
		const char *at = strchr(from, c);
		if (!at || !c)
			return bad("invalid escape sequence");
		*out = to[at - from];
		*ret_n = 1;
		return NULL;
	}
	int v = hex4(p);
	if (v >= 0xd800 && v < 0xdc00 && p->end - p->p >= 6 && p->p[0] == '\\' && p->p[1] == 'u') {
		p->p += 2;
		int low = hex4(p);
		v = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((v - 0xd800) << 10 | (low - 0xdc00)) : -1;
	}
	if (v <= 0 || (v >= 0xd800 && v < 0xe000))
		return bad("invalid \\u escape sequence");
	*ret_n = put_utf8(out, v);
	return NULL;
}

/* Bytes of the UTF-8 sequence at the front, 0: it is none. */
static unsigned utf8_len(const char *text, const char *end)
{
	const u8 *s = (const u8 *)text;
	unsigned n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
	if (n > end - text)
		return 0;
	for (unsigned i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	bool longer = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
	bool beyond = (s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xf4 && s[1] >= 0x90);
	return n > 1 && (longer || beyond) ? 0 : n;
}

static struct err *string(struct parser *p, char **ret)
{
	char quote = *p->p++;
	char *out = alloc(p->end - p->p + 1), *at = out;
	while (p->p < p->end && *p->p != quote) {
		if ((u8)*p->p < 0x20) {
			free(out);
			return bad("control character in string");
		}
		if (*p->p != '\\') {
			unsigned len = utf8_len(p->p, p->end);
			if (!len) {
				free(out);
				return bad("invalid UTF-8 sequence in string");
			}
			at = mempcpy(at, p->p, len);
			p->p += len;
			continue;
		}
		p->p++;
		size_t n = 0;
		struct err *e = escape(p, at, &n);
		if (e) {
			free(out);
			return e;
		}
		at += n;
	}
	if (p->p == p->end) {
		free(out);
		return bad("unterminated string");
	}
	p->p++;
	*ret = out;
	return NULL;
}

static struct err *number(struct parser *p, struct json **ret)
{
	char text[64];
	size_t n = 0;
	bool real = false;
	while (p->p < p->end && n < sizeof(text) - 1 && strchr("+-0123456789.eE", *p->p) && *p->p) {
		real |= *p->p == '.' || *p->p == 'e' || *p->p == 'E';
		text[n++] = *p->p++;
	}
	text[n] = 0;
	char *end;
	errno = 0;
	if (!real) {
		i64 i = strtoll(text, &end, 10);
		if (!errno && !*end && n) {
			*ret = json_int(i);
			return NULL;
		}
	}
	double d = strtod(text, &end);
	if (!n || *end)
		return bad("invalid number");
	*ret = json_real(d);
	return NULL;
}

static struct err *members(struct parser *p, struct json *out, char close)
{
	space(p);
	if (p->p < p->end && *p->p == close) {
		p->p++;
		return NULL;
	}
	for (;;) {
		AUTO(free_ptr) char *key = NULL;
		struct err *e;
		space(p);
		if (close == '}') {
			if (p->p == p->end || (*p->p != '"' && *p->p != '\''))
				return bad("key is not a string in object");
			if ((e = string(p, &key)))
				return e;
			space(p);
			if (p->p == p->end || *p->p++ != ':')
				return bad("missing : in object pair");
			if (json_get(out, key))
				return bad("duplicate key");
		}
		struct json *val;
		if ((e = value(p, &val)))
			return e;
		if (close == '}')
			json_set(out, key, val);
		else
			json_add(out, val);
		space(p);
		if (p->p == p->end)
			return bad("unexpected end of input");
		char c = *p->p++;
		if (c == close)
			return NULL;
		if (c != ',')
			return bad("expected separator");
	}
}

static struct err *word(struct parser *p, struct json **ret)
{
	static const struct {
		const char *text;
		enum json_kind kind;
		bool b;
	} words[] = { { "true", JSON_BOOL, true }, { "false", JSON_BOOL }, { "null", JSON_NULL } };
	for (unsigned i = 0; i < LEN(words); i++) {
		size_t n = strlen(words[i].text);
		if ((size_t)(p->end - p->p) < n || memcmp(p->p, words[i].text, n) != 0)
			continue;
		p->p += n;
		*ret = words[i].kind == JSON_BOOL ? json_bool(words[i].b) : json_null();
		return NULL;
	}
	return bad("invalid keyword");
}

static struct err *value(struct parser *p, struct json **ret)
{
	space(p);
	if (p->p == p->end)
		return bad("unexpected end of input");
	switch (*p->p) {
	case '"':
	case '\'': {
		struct json *j = make(JSON_STR);
		struct err *e = string(p, &j->s);
		if (e) {
			free(j);
			return e;
		}
		*ret = j;
		return NULL;
	}
	case '{':
	case '[': {
		char open = *p->p++;
		if (p->depth == MAX_DEPTH)
			return bad("nested too deeply");
		p->depth++;
		struct json *j = make(open == '{' ? JSON_DICT : JSON_LIST);
		struct err *e = members(p, j, open == '{' ? '}' : ']');
		p->depth--;
		if (e) {
			json_free(j);
			return e;
		}
		*ret = j;
		return NULL;
	}
	}
	if (*p->p == '-' || (*p->p >= '0' && *p->p <= '9'))
		return number(p, ret);
	return *p->p >= 'a' && *p->p <= 'z' ? word(p, ret) : bad("expecting value");
}

struct err *json_parse(const char *text, size_t len, struct json **ret)
{
	struct parser p = { text, text + len, 0 };
	struct json *j;
	struct err *e = value(&p, &j);
	if (e)
		return e;
	space(&p);
	if (p.p != p.end) {
		json_free(j);
		return bad("expecting value");
	}
	*ret = j;
	return NULL;
}

/* ---- writing ---- */

static void put_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		static const char from[] = "\b\f\n\r\t\"\\", to[] = "bfnrt\"\\";
		const char *at = strchr(from, *s);
		if (at)
			fprintf(f, "\\%c", to[at - from]);
		else if ((u8)*s < 0x20 || *s == 0x7f)
			fprintf(f, "\\u%04X", (u8)*s);
		else
			fputc(*s, f);
	}
	fputc('"', f);
}

static void put(FILE *f, const struct json *j, bool pretty, int depth)
{
	switch (j->kind) {
	case JSON_NULL:
		fputs("null", f);
		return;
	case JSON_BOOL:
		fputs(j->b ? "true" : "false", f);
		return;
	case JSON_INT:
		fprintf(f, "%lld", (long long)j->i);
		return;
	case JSON_REAL:
		fprintf(f, "%.17g", j->d);
		return;
	case JSON_STR:
		put_string(f, j->s);
		return;
	case JSON_LIST:
	case JSON_DICT:
		break;
	}
	fputc(j->kind == JSON_LIST ? '[' : '{', f);
	for (size_t i = 0; i < j->n; i++) {
		if (pretty)
			fprintf(f, "%s\n%*s", i ? "," : "", 4 * (depth + 1), "");
		else if (i)
			fputs(", ", f);
		if (j->kind == JSON_DICT) {
			put_string(f, j->keys[i]);
			fputs(": ", f);
		}
		put(f, j->items[i], pretty, depth + 1);
	}
	if (pretty)
		fprintf(f, "\n%*s", 4 * depth, "");
	fputc(j->kind == JSON_LIST ? ']' : '}', f);
}

char *json_text(const struct json *j, bool pretty)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		abort();
	put(f, j, pretty, 0);
	fclose(f);
	return text;
}
