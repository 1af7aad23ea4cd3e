/*
 * For tests only: a transport that keeps files in memory and remembers each write. A .c file that includes this declares the driver:
 * BLK_DRIVER(testmem) = TESTMEM_DRIVER;
 */
#pragma once
#include "block/blk.h"
#include "block/format/vhdx/vhdx.h"
#include <errno.h>

struct event {
	struct mem *mem; /* NULL: a flush */
	u64 offset, len; /* len 0: truncation to offset */
	u8 *data;
};

struct mem {
	struct mem *next;
	char *name;
	u8 *data, *base; /* base: as it was when the log began */
	u64 bytes, cap, base_bytes;
};

static struct mem *mems;
static struct event *events;
static size_t n_events, cap_events;
static bool logging;

/* Requests that fail: those of the kinds in `on` behind the first `left`, all of them or one. */
enum { FAULT_READ = BIT(0), FAULT_WRITE = BIT(1), FAULT_FLUSH = BIT(2) };
static struct fault {
	u32 on;
	size_t left;
	bool once;
	int error;
	struct mem *only; /* NULL: all files */
	size_t hits;
} fault;

/* 0, or the error that a request meets. */
static int fault_meets(u32 kind, const struct mem *m)
{
	if (!(fault.on & kind) || (fault.only && m != fault.only))
		return 0;
	if (fault.left) {
		fault.left--;
		return 0;
	}
	if (fault.once)
		fault.on = 0;
	fault.hits++;
	return -fault.error;
}

static struct mem *mem_find(const char *name)
{
	struct mem *m = mems;
	while (m && strcmp(m->name, name) != 0)
		m = m->next;
	return m;
}

static void mem_set_size(struct mem *m, u64 bytes)
{
	if (bytes > m->cap || !m->data) {
		u64 cap = bytes > m->cap * 2 ? bytes + 4096 : m->cap * 2;
		u8 *data = calloc(1, cap);
		memcpy(data, m->data ? m->data : data, m->bytes);
		free(m->data);
		m->data = data;
		m->cap = cap;
	}
	if (bytes < m->bytes)
		memset(m->data + bytes, 0, m->bytes - bytes);
	m->bytes = bytes;
}

static void log_event(struct mem *m, u64 offset, const u8 *data, u64 len)
{
	if (!logging)
		return;
	events = grow(events, &cap_events, n_events + 1, sizeof(*events));
	events[n_events++] = (struct event){ m, offset, len, data ? memcpy(malloc(len), data, len) : NULL };
}

static void log_clear(void)
{
	for (size_t i = 0; i < n_events; i++)
		free(events[i].data);
	n_events = 0;
}

static inline void log_begin(void)
{
	log_clear();
	for (struct mem *m = mems; m; m = m->next) {
		free(m->base);
		m->base = memcpy(malloc(m->bytes + 1), m->data, m->bytes);
		m->base_bytes = m->bytes;
	}
	logging = true;
}

/* A sequence of numbers that is the same each time. */
static u64 seed;

static inline u32 any(u32 below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (seed >> 33) % below;
}

static inline void apply(const struct event *ev, u64 len)
{
	if (!ev->len)
		mem_set_size(ev->mem, ev->offset);
	else if (ev->offset + len > ev->mem->bytes)
		mem_set_size(ev->mem, ev->offset + len);
	if (ev->data)
		memcpy(ev->mem->data + ev->offset, ev->data, len);
	else
		memset(ev->mem->data + ev->offset, 0, len);
}

/* The files as they are after the first n events; cut: those since the last flush may be lost or torn. */
static inline void crash(size_t n, bool cut)
{
	size_t safe = n;
	for (struct mem *m = mems; m; m = m->next) {
		mem_set_size(m, 0);
		mem_set_size(m, m->base_bytes);
		memcpy(m->data, m->base, m->base_bytes);
	}
	while (cut && safe && events[safe - 1].mem)
		safe--;
	for (size_t i = 0; i < n; i++) {
		const struct event *ev = &events[i];
		if (!ev->mem || (i >= safe && any(2)))
			continue;
		apply(ev, i >= safe && any(4) == 0 ? any(ev->len / 512 + 1) * 512ull : ev->len);
	}
}

struct testmem {
	struct mem *m;
};

static struct err *testmem_open(struct blk_node *node, struct json *opts, u32 flags)
{
	struct testmem *s = node->state;
	AUTO(free_ptr) char *name = blk_take_str(opts, "filename");
	s->m = name ? mem_find(name) : NULL;
	if (!s->m)
		return err_new(ERR_NOT_FOUND, "Could not open '%s': No such file or directory", name);
	node->size = ROUND_UP(s->m->bytes, 512ull);
	node->zero_init = true;
	return NULL;
}

static int testmem_preadv(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	struct mem *m = ((struct testmem *)node->state)->m;
	size_t part = offset >= m->bytes ? 0 : MIN(iov.len, m->bytes - offset);
	int r = fault_meets(FAULT_READ, m);
	if (r)
		return r;
	iovs_fill(iov, 0);
	if (part)
		iovs_from_buf(iovs_cut(iov, 0, part), m->data + offset);
	return 0;
}

enum { MEM_MAX = 1 << 30 };

static void testmem_grown(struct blk_node *node)
{
	node->size = ROUND_UP(((struct testmem *)node->state)->m->bytes, 512ull);
}

static int testmem_pwritev(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	struct mem *m = ((struct testmem *)node->state)->m;
	if (offset + iov.len > MEM_MAX)
		return -ENOSPC;
	int r = fault_meets(FAULT_WRITE, m);
	if (r)
		return r;
	if (offset + iov.len > m->bytes)
		mem_set_size(m, offset + iov.len);
	iovs_to_buf(iov, m->data + offset);
	log_event(m, offset, m->data + offset, iov.len);
	testmem_grown(node);
	return 0;
}

/* What was there is gone at once. */
static int testmem_discard(struct blk_node *node, u64 offset, u64 len)
{
	struct mem *m = ((struct testmem *)node->state)->m;
	int r = fault_meets(FAULT_WRITE, m);
	len = offset < m->bytes ? MIN(len, m->bytes - offset) : 0;
	if (r || !len)
		return r;
	memset(m->data + offset, 0, len);
	log_event(m, offset, NULL, len);
	return 0;
}

static int testmem_flush(struct blk_node *node)
{
	int r = fault_meets(FAULT_FLUSH, ((struct testmem *)node->state)->m);
	if (!r)
		log_event(NULL, 0, NULL, 0);
	return r;
}

static struct err *testmem_truncate(struct blk_node *node, u64 size, bool exact, enum blk_prealloc mode,
				    bool zero)
{
	struct mem *m = ((struct testmem *)node->state)->m;
	int r = size > MEM_MAX ? -ENOSPC : size > m->bytes ? fault_meets(FAULT_WRITE, m) : 0;
	if (r)
		return err_errno(-r, "Failed to resize the file");
	mem_set_size(m, size);
	log_event(m, size, NULL, 0);
	testmem_grown(node);
	return NULL;
}

static struct err *testmem_create(struct blk_create *c)
{
	struct mem *m = mem_find(c->filename);
	if (!m) {
		m = alloc(sizeof(*m));
		m->name = str_dup(c->filename);
		m->next = mems;
		mems = m;
	}
	mem_set_size(m, 0);
	mem_set_size(m, c->size);
	return NULL;
}

static void mems_free(void)
{
	log_clear();
	logging = false;
	while (mems) {
		struct mem *m = mems;
		mems = m->next;
		free(m->name);
		free(m->data);
		free(m->base);
		free(m);
	}
}

static const char *const testmem_prefixes[] UNUSED = { "testmem", NULL };
static const struct blk_opt testmem_opts[] = { { "size", BLK_OPT_SIZE, "" }, { NULL } };

/* clang-format off */
/* Under another name, for a second test in the same program: each has its own files. */
#define TESTMEM_DRIVER_AS(n, p) { \
	.name = n, .summary = "a file in memory, for tests", .kind = BLK_TRANSPORT, .prefixes = p, \
	.state_size = sizeof(struct testmem), .open = testmem_open, .preadv = testmem_preadv, .pwritev = testmem_pwritev, .discard = testmem_discard, \
	.flush = testmem_flush, .truncate = testmem_truncate, .create = testmem_create, .create_opts = testmem_opts }
#define TESTMEM_DRIVER TESTMEM_DRIVER_AS("testmem", testmem_prefixes)
/* clang-format on */

static inline void mend_vpc(struct mem *m, u64 at, u64 len, u32 field)
{
	u32 sum = 0;
	if (at > m->bytes || m->bytes - at < len)
		return;
	st_be32(m->data + at + field, 0);
	for (u64 i = 0; i < len; i++)
		sum += m->data[at + i];
	st_be32(m->data + at + field, ~sum);
}

/* Makes the checksums of a changed image right again, so that what lies behind them is tested too. */
static inline void mend(struct mem *m)
{
	static const u64 headers[] = { VHDX_HEADER_1, VHDX_HEADER_2, VHDX_REGIONS_1, VHDX_REGIONS_2 };
	if (m->bytes > VHDX_START && memcmp(m->data, "vhdxfile", 8) == 0)
		for (unsigned i = 0; i < LEN(headers); i++)
			st_le32(m->data + headers[i] + 4,
				vhdx_checksum(m->data + headers[i],
					      i < 2 ? VHDX_HEADER_SIZE : VHDX_REGIONS_SIZE));
	bool front = m->bytes >= 1536 && memcmp(m->data, "conectix", 8) == 0;
	if (front) {
		mend_vpc(m, 0, 512, 64);
		mend_vpc(m, 512, 1024, 36);
	}
	if (m->bytes >= 512 && memcmp(m->data + m->bytes - 512, "conectix", 8) == 0)
		mend_vpc(m, m->bytes - 512, 512, 64);
}
