/* ringbuf-write, ringbuf-read. */
#include "backend/chr/ringbuf.h"
#include "base/base64.h"
#include "control/qmp/qmp.h"
#include "schema.gen.h"

static struct err *find(const struct qmp_call *call, const char *id, struct chr **ret)
{
	*ret = chr_find(call->control->chrs, id);
	if (!*ret)
		return err_new(ERR_NOT_FOUND, "Device '%s' not found", id);
	return chr_is_ringbuf(*ret) ? NULL : err_new(ERR_INVALID, "%s is not a ringbuf device", id);
}

static bool is_base64(const struct qmp_call *call)
{
	const char *format = json_get_str(call->json, "format");
	return format && strcmp(format, "base64") == 0;
}

static struct err *ringbuf_write(struct qmp_call *call)
{
	const struct ringbuf_write_arg *a = call->arg;
	struct chr *c;
	struct err *e = find(call, a->device, &c);
	if (e)
		return e;
	if (!is_base64(call)) {
		chr_ringbuf_put(c, a->data, strlen(a->data));
		return NULL;
	}
	u8 *data;
	size_t len;
	if ((e = base64_decode(a->data, strlen(a->data), &data, &len)))
		return e;
	chr_ringbuf_put(c, data, len);
	free(data);
	return NULL;
}
QMP_COMMAND(ringbuf_write) = { &schema_command_ringbuf_write, ringbuf_write };

/* Bytes of the character of UTF-8 that begins here: 0 when none does, or it is U+0000, too long a form, a surrogate or beyond U+10FFFF. */
static size_t utf8_len(const u8 *p, size_t left)
{
	size_t n = p[0] < 0x80	 ? 1
		   : p[0] < 0xc2 ? 0
		   : p[0] < 0xe0 ? 2
		   : p[0] < 0xf0 ? 3
		   : p[0] < 0xf5 ? 4
				 : 0;
	if (!p[0] || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	bool bad = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ||
		   (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90);
	return bad ? 0 : n;
}

static struct json *as_text(const u8 *data, size_t len)
{
	static const char instead[] = "\xef\xbf\xbd";
	AUTO(free_ptr) char *text = alloc(len * 3 + 1);
	char *to = text;
	for (size_t i = 0; i < len;) {
		size_t n = utf8_len(data + i, len - i);
		memcpy(to, n ? (const char *)data + i : instead, n ? n : 3);
		to += n ? n : 3;
		i += n ? n : 1;
	}
	return json_str(text);
}

static struct err *ringbuf_read(struct qmp_call *call)
{
	const struct ringbuf_read_arg *a = call->arg;
	struct chr *c;
	struct err *e = find(call, a->device, &c);
	if (e)
		return e;
	if (a->size <= 0)
		return err_new(ERR_INVALID, "size must be greater than zero");
	size_t len = MIN((size_t)a->size, chr_ringbuf_held(c));
	AUTO(free_ptr) u8 *data = try_alloc(len);
	if (!data)
		return err_new(ERR_BUSY, "No memory for %zu bytes", len);
	chr_ringbuf_take(c, data, len);
	AUTO(free_ptr) char *base64 = is_base64(call) ? base64_encode(data, len) : NULL;
	call->ret = base64 ? json_str(base64) : as_text(data, len);
	return NULL;
}
QMP_COMMAND(ringbuf_read) = { &schema_command_ringbuf_read, ringbuf_read };
