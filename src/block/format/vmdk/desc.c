/* VMDK: the descriptor, a text of "name=value" lines and extent lines. */
#include "block/format/vmdk/vmdk.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

/* The value of `name` at the start of a line, without quotes; NULL when there is none. Caller frees. *ret_at: where it begins. */
static char *value(const char *text, const char *name, const char **ret_at)
{
	size_t n = strlen(name);
	for (const char *p = text; p; p = (p = strchr(p, '\n')) ? p + 1 : NULL) {
		p += strspn(p, " \t");
		if (strncasecmp(p, name, n) != 0)
			continue;
		const char *v = p + n + strspn(p + n, " \t");
		if (*v++ != '=')
			continue;
		v += strspn(v, " \t");
		bool quoted = *v == '"';
		v += quoted;
		if (ret_at)
			*ret_at = v;
		return strf("%.*s", (int)strcspn(v, quoted ? "\"\n" : " \t\r\n"), v);
	}
	return NULL;
}

static struct err *number(const char *text, const char *name, u32 *ret)
{
	AUTO(free_ptr) char *v = value(text, name, NULL);
	char *end;
	if (!v)
		return NULL;
	errno = 0;
	unsigned long n = strtoul(v, &end, 16);
	if (!*v || *end || errno || n > UINT32_MAX)
		return err_new(ERR_CORRUPT, "VMDK descriptor: %s=%.20s is not a number", name, v);
	*ret = n;
	return NULL;
}

struct err *vmdk_parse_desc(struct blk_node *node)
{
	struct vmdk *s = node->state;
	s->parent_cid = s->cid = UINT32_MAX;
	struct err *e = number(s->desc, "CID", &s->cid);
	if (!e)
		e = number(s->desc, "parentCID", &s->parent_cid);
	if (e)
		return e;
	s->opened_cid = s->cid;
	s->create_type = value(s->desc, "createType", NULL);
	char *hint = value(s->desc, "parentFileNameHint", NULL);
	if (hint && *hint && strlen(hint) < 1024)
		node->backing_file = hint;
	else
		free(hint);
	if (hint && !node->backing_file && *hint)
		return err_new(ERR_CORRUPT, "VMDK descriptor: the parent's file name is too long");
	return NULL;
}

/* ---- extent lines ---- */

static const char *word(const char *p, char **ret)
{
	p += strspn(p, " \t");
	size_t n = strcspn(p, " \t\r\n");
	*ret = strf("%.*s", (int)n, p);
	return p + n;
}

static const char *line_number(const char *p, u64 *ret, bool *ret_ok)
{
	AUTO(free_ptr) char *w = NULL;
	char *end;
	p = word(p, &w);
	errno = 0;
	*ret = strtoull(w, &end, 10);
	*ret_ok = isdigit((u8)*w) && !*end && !errno && *ret <= (u64)INT64_MAX / 512;
	return p;
}

void vmdk_line_free(struct vmdk_line *l)
{
	free(l->name);
	free(l->type);
	free(l->access);
	*l = (struct vmdk_line){ 0 };
}

static bool parse_line(const char *p, struct vmdk_line *l)
{
	bool ok, more = false;
	p = word(p, &l->access);
	p = line_number(p, &l->sectors, &ok);
	if (!ok || !l->sectors)
		return false;
	p = word(p, &l->type);
	p += strspn(p, " \t");
	if (*p == '"') {
		size_t n = strcspn(++p, "\"\n");
		l->name = strf("%.*s", (int)n, p);
		p += n + (p[n] == '"');
		p += strspn(p, " \t");
		more = *p && *p != '\r' && *p != '\n';
		if (more && !line_number(p, &l->offset, &ok))
			return false;
	}
	bool flat = strcmp(l->type, "FLAT") == 0, zero = strcmp(l->type, "ZERO") == 0;
	return ok && zero == !l->name && (flat ? more : zero || !more) && (zero || *l->name);
}

bool vmdk_next_line(const char **pos, struct vmdk_line *ret, struct err **ret_err)
{
	static const char *const access[] = { "RW ", "RDONLY ", "NOACCESS " };
	*ret_err = NULL;
	for (const char *p = *pos; p && *p;) {
		const char *end = strchr(p, '\n'), *line = p + strspn(p, " \t");
		p = end ? end + 1 : NULL;
		for (unsigned i = 0; i < LEN(access); i++) {
			if (strncmp(line, access[i], strlen(access[i])) != 0)
				continue;
			*pos = p ? p : "";
			*ret = (struct vmdk_line){ 0 };
			if (parse_line(line, ret))
				return true;
			vmdk_line_free(ret);
			*ret_err = err_new(ERR_CORRUPT, "Invalid extent line: %.*s",
					   (int)strcspn(line, "\r\n"), line);
			return false;
		}
	}
	return false;
}

/* ---- a new content identifier ---- */

int vmdk_begin_writing(struct blk_node *node)
{
	struct vmdk *s = node->state;
	const char *at;
	if (LIKELY(s->changed) || !s->desc)
		return 0;
	AUTO(free_ptr) char *old = value(s->desc, "CID", &at);
	s->changed = true;
	if (!old) /* an extent of an image, opened alone: it has no descriptor */
		return 0;
	u32 cid = random_u32();
	if (cid >= UINT32_MAX - 1) /* these two say "none" and "elsewhere" */
		cid = 0x12345678;
	char *text = strf("%.*s%08x%s", (int)(at - s->desc), s->desc, cid, at + strlen(old));
	size_t len = strlen(text), old_len = strlen(s->desc),
	       room = s->desc_room ? s->desc_room : MAX(len, old_len);
	int r = len > room ? -ENOSPC : 0;
	/* Only what changed, unless the text moves. */
	if (!r && len == old_len) {
		r = blk_pwrite(node->file, s->desc_at + (at - s->desc), text + (at - s->desc), 8);
	} else if (!r) {
		AUTO(free_ptr) char *all = alloc(room + 1);
		memcpy(all, text, len);
		r = blk_pwrite(node->file, s->desc_at, all, room);
	}
	if (r) {
		s->changed = false;
		free(text);
		return r;
	}
	s->cid = cid;
	free(s->desc);
	s->desc = text;
	return 0;
}
