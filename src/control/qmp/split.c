#include "control/qmp/split.h"

enum { MAX_VALUE = 64 << 20, MAX_DEPTH = 1024 };

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void keep(struct split *s, char c)
{
	if (s->len == MAX_VALUE) {
		s->fault = s->fault ? s->fault : SPLIT_TOO_LONG;
		return;
	}
	s->text = grow(s->text, &s->cap, s->len + 1, 1);
	s->text[s->len++] = c;
}

/* The byte's part in the structure; true: a value ends with it. */
static bool step(struct split *s, char c)
{
	if (s->quote && c == '\n') { /* not allowed there: the value is broken, the next line begins anew */
		s->quote = s->depth = 0;
		return true;
	}
	if (s->quote) {
		if (s->escaped)
			s->escaped = false;
		else if (c == '\\')
			s->escaped = true;
		else if (c == s->quote)
			s->quote = 0;
		return !s->quote && !s->depth;
	}
	if (c == '"' || c == '\'') {
		s->quote = c;
	} else if (c == '{' || c == '[') {
		if (++s->depth > MAX_DEPTH)
			s->fault = SPLIT_TOO_DEEP;
	} else if (c == '}' || c == ']') {
		s->depth -= s->depth > 0;
		return !s->depth;
	}
	return false;
}

bool split_feed(struct split *s, const char **at, const char *end)
{
	while (*at < end) {
		char c = **at;
		/* Outside brackets and strings a word ends where anything else begins. */
		if (!s->depth && !s->quote && s->len && (is_space(c) || strchr("{[\"'", c)))
			return true;
		++*at;
		if (!s->len && is_space(c))
			continue;
		if (c == '\xff') { /* the sign of a client that begins anew */
			split_next(s);
			continue;
		}
		keep(s, c);
		if (step(s, c))
			return true;
	}
	return false;
}

void split_next(struct split *s)
{
	*s = (struct split){ .text = s->text, .cap = s->cap };
	if (s->cap > 1 << 20) {
		free(s->text);
		*s = (struct split){ 0 };
	}
}

void split_free(struct split *s)
{
	free(s->text);
}
