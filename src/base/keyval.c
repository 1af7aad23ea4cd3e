#include "base/keyval.h"

/* The value at *p up to a single comma, doubled ones halved; *p moves behind it and the comma. */
static char *take_value(const char **p)
{
	char *out = alloc(strlen(*p) + 1), *at = out;
	while (**p) {
		if (**p == ',') {
			if ((*p)[1] != ',')
				break;
			++*p;
		}
		*at++ = *(*p)++;
	}
	if (**p == ',')
		++*p;
	return out;
}

struct err *keyval_parse(const char *text, const char *implied, struct json **ret)
{
	if (*text == '{') {
		struct err *e = json_parse(text, strlen(text), ret);
		if (!e && (*ret)->kind != JSON_DICT) {
			json_free(*ret);
			return err_new(ERR_INVALID, "Expecting a JSON object");
		}
		return e;
	}
	struct json *out = json_dict();
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, "=,");
		AUTO(free_ptr) char *key = strf("%.*s", (int)n, p);
		if (p[n] == '=') {
			p += n + 1;
			AUTO(free_ptr) char *val = take_value(&p);
			if (!*key) {
				json_free(out);
				return err_new(ERR_INVALID, "Invalid parameter ''");
			}
			json_set(out, key, json_str(val));
		} else if (implied && p == text) {
			AUTO(free_ptr) char *val = take_value(&p);
			json_set(out, implied, json_str(val));
		} else {
			p += n + (p[n] == ',');
			if (!*key) {
				json_free(out);
				return err_new(ERR_INVALID, "Invalid parameter ''");
			}
			if (strncmp(key, "no", 2) == 0 && key[2] && strcmp(key, "nocow") != 0)
				json_set(out, key + 2, json_str("off"));
			else
				json_set(out, key, json_str("on"));
		}
	}
	*ret = out;
	return NULL;
}
