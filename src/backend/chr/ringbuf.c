#include "backend/chr/ringbuf.h"
#include "base/size.h"
#include <errno.h>

enum { USUAL = 65536 };

struct ring {
	u8 *buf;
	size_t size; /* a power of two */
	size_t in, out; /* bytes that ever came and went; at most size between them */
};

static struct err *open_ring(struct chr *c, const struct json *opts)
{
	struct ring *r = c->state;
	const char *text = json_get_str(opts, "size");
	u64 size = USUAL;
	if (text && size_parse(text, &size))
		return err_new(ERR_INVALID, "Parameter 'size' expects a number of bytes, not '%s'", text);
	if (!size || size & (size - 1))
		return err_new(ERR_INVALID, "size of ringbuf chardev must be power of two");
	r->size = size;
	r->buf = try_alloc(size);
	return r->buf ? NULL
		      : err_new(ERR_BUSY, "No memory for a ringbuf of %llu bytes", (unsigned long long)size);
}

/* There is no other end. */
static int wait_ring(struct chr *c UNUSED)
{
	return -ENOTCONN;
}

static void close_ring(struct chr *c)
{
	struct ring *r = c->state;
	free(r->buf);
}

#define RING(kind) \
	{ \
		.name = kind, .summary = "keeps the last bytes that were written", \
		.options = (const char *const[]){ "size", NULL }, .state_size = sizeof(struct ring), \
		.open = open_ring, .wait = wait_ring, .close = close_ring, \
	}
CHR(ringbuf) = RING("ringbuf");
CHR(memory) = RING("memory"); /* its old name */

bool chr_is_ringbuf(const struct chr *c)
{
	return c->kind->open == open_ring;
}

void chr_ringbuf_put(struct chr *c, const void *data, size_t len)
{
	struct ring *r = c->state;
	const u8 *from = data;
	for (size_t i = 0; i < len; i++)
		r->buf[r->in++ & (r->size - 1)] = from[i];
	if (r->in - r->out > r->size)
		r->out = r->in - r->size;
}

size_t chr_ringbuf_take(struct chr *c, void *buf, size_t len)
{
	struct ring *r = c->state;
	size_t n = MIN(len, chr_ringbuf_held(c));
	for (size_t i = 0; i < n; i++)
		((u8 *)buf)[i] = r->buf[r->out++ & (r->size - 1)];
	return n;
}

size_t chr_ringbuf_held(const struct chr *c)
{
	const struct ring *r = c->state;
	return r->in - r->out;
}
