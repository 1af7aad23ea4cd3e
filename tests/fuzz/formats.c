/*
 * Fuzz target of every disk format: the input is a list of changes to a sound image of that format, which is then opened, read, checked,
 * repaired and written.
 *
 * Input      byte 0: which image; byte 1: how it is opened (bit 0 writable, 1 for check, 2 checksums are made right again, 3 without I/O);
 *            then changes: offset (u24), length (u8), bytes.
 * FUZZ_SKIP  names one format that is left out.
 */
#include "base/coroutine.h"
#include "block/format/testmem.h"
#include <stdio.h>

BLK_DRIVER(testmem) = TESTMEM_DRIVER;

static const struct {
	const char *fmt, *opts;
} images[] = {
	{ "vdi", "{}" },
	{ "vpc", "{}" },
	{ "vhdx", "{'block_size': '1M'}" },
	{ "vmdk", "{'zeroed_grain': 'on'}" },
	{ "vmdk", "{'subformat': 'streamOptimized'}" },
	{ "vmdk", "{'subformat': 'monolithicFlat'}" },
	{ "qed", "{'cluster_size': '4096'}" },
	{ "qcow", "{}" },
	{ "parallels", "{'cluster_size': '4096'}" },
	{ "qcow2", "{'cluster_size': '4096'}" },
	{ "qcow2", "{'extended_l2': 'on', 'cluster_size': '16384'}" },
};

/* Formats that nothing here makes: the input is the file itself. */
static const char *const bare[] = { "bochs", "cloop", "cow", "dmg", "raw" };

#define IMAGE "testmem:image"
enum { DISK = 1 << 20 };

static u8 *base[LEN(images)];
static u64 base_len[LEN(images)];

static void make(unsigned i)
{
	struct blk_graph *g = blk_graph_new();
	struct json *opts;
	struct blk_node *node;
	struct err *e = json_parse(images[i].opts, strlen(images[i].opts), &opts);
	if (!e) {
		json_set(opts, "size", json_strf("%d", DISK));
		e = blk_create_image(g, IMAGE, images[i].fmt, opts);
	}
	if (!e)
		e = blk_open(g, IMAGE, images[i].fmt, NULL, BLK_RDWR, &node);
	if (e) {
		fprintf(stderr, "%s %s: %s\n", images[i].fmt, images[i].opts, err_text(e));
		abort();
	}
	static u8 buf[DISK / 2];
	memset(buf, 0xdd, sizeof(buf));
	if (blk_pwrite(node, 0, buf, sizeof(buf)) || blk_zero(node, 65536, 65536, 0))
		abort();
	blk_unref(node);
	struct mem *m = mem_find(IMAGE);
	base[i] = memcpy(malloc(m->bytes), m->data, m->bytes);
	base_len[i] = m->bytes;
	blk_graph_free(g);
}

static void change(struct mem *m, const u8 *p, size_t len)
{
	while (len > 4) {
		u64 at = p[0] | p[1] << 8 | p[2] << 16;
		size_t n = MIN((size_t)p[3], len - 4);
		if (at < m->bytes)
			memcpy(m->data + at, p + 4, MIN(n, m->bytes - at));
		p += 4 + n;
		len -= 4 + n;
	}
}

static void use(struct blk_graph *g, const char *fmt, u32 flags)
{
	static u8 buf[1 << 16];
	struct blk_node *node;
	struct err *e = blk_open(g, IMAGE, fmt, NULL, flags, &node);
	err_free(e);
	if (e)
		return;
	u64 size = MIN(blk_size(node), 2ull * DISK);
	int r = 0;
	if ((flags & BLK_FOR_CHECK) && node->driver->check) {
		struct blk_check res = { 0 };
		e = node->driver->check(node, &res, flags & BLK_RDWR ? BLK_FIX_LEAKS | BLK_FIX_ERRORS : 0);
		err_free(e);
	}
	for (u64 at = 0; at < size && !(flags & BLK_NO_IO); at += sizeof(buf))
		r |= blk_pread(node, at, buf, MIN(size - at, sizeof(buf)));
	if ((flags & BLK_RDWR) && size >= 20000) {
		r |= blk_pwrite(node, size - 20000, buf, 20000);
		r |= blk_zero(node, size / 2, 5000, BLK_REQ_MAY_UNMAP);
		r |= blk_discard(node, 0, 8192);
		r |= blk_flush(node);
	}
	struct blk_info info = { 0 };
	e = node->driver->info ? node->driver->info(node, &info) : NULL;
	err_free(e);
	json_free(info.specific);
	blk_unref(node);
}

int LLVMFuzzerTestOneInput(const u8 *p, size_t len);
int LLVMFuzzerTestOneInput(const u8 *p, size_t len)
{
	if (len < 2)
		return 0;
	unsigned i = p[0] % (LEN(images) + LEN(bare));
	const char *fmt = i < LEN(images) ? images[i].fmt : bare[i - LEN(images)];
	const char *skip = getenv("FUZZ_SKIP");
	if (!blk_driver_find(fmt) || (skip && strcmp(skip, fmt) == 0))
		return 0;
	if (i < LEN(images) && !base[i])
		make(i);
	struct blk_create none = { .filename = IMAGE };
	struct err *e = testmem_create(&none);
	err_free(e);
	struct mem *m = mem_find(IMAGE);
	if (i < LEN(images)) {
		mem_set_size(m, base_len[i]);
		memcpy(m->data, base[i], base_len[i]);
		change(m, p + 2, len - 2);
	} else {
		mem_set_size(m, len - 2);
		memcpy(m->data, p + 2, len - 2);
	}
	if (p[1] & 4)
		mend(m);
	u32 flags = BLK_NO_BACKING | (p[1] & 1 ? BLK_RDWR | BLK_UNMAP : 0) | (p[1] & 2 ? BLK_FOR_CHECK : 0) |
		    ((p[1] & 9) == 8 ? BLK_NO_IO : 0);
	struct blk_graph *g = blk_graph_new();
	use(g, fmt, flags);
	blk_graph_free(g);
	return 0;
}
