/*
 * Fuzz target of every disk format: the input is a list of changes to a sound image of that format, which is then opened, read, checked,
 * repaired and written.
 *
 * Input      byte 0: which image; byte 1: how it is opened (bit 0 writable, 1 for check, 2 checksums are made right again, 3 without I/O);
 *            then changes: offset (u24), length (u8), bytes.
 * FUZZ_SKIP  names one format that is left out; FUZZ_ONLY: one that alone is tried.
 *
 * An image that is refused, or not opened for writing, must not be written to: a write ends the run.
 */
#include "base/coroutine.h"
#include "block/format/testmem.h"
#include "block/dirty.h"
#include "block/object.h"
#include <stdio.h>

BLK_DRIVER(testmem) = TESTMEM_DRIVER;

static const struct {
	const char *fmt, *opts, *secret; /* secret: the option that names it when the image is opened */
	bool snapshots; /* has some, and bitmaps */
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
	{ "qcow2", "{'cluster_size': '4096'}", .snapshots = true },
#ifdef HAVE_GNUTLS
	{ "luks", "{'key-secret': 's', 'iter-time': '1'}", "key-secret" },
	{ "qcow2", "{'encrypt.format': 'luks', 'encrypt.key-secret': 's', 'encrypt.iter-time': '1'}",
	  "encrypt.key-secret" },
#endif
};

/* Formats that nothing here makes: the input is the file itself. */
static const char *const bare[] = { "bochs", "cloop", "cow", "dmg", "raw" };

#define IMAGE "testmem:image"
enum { DISK = 1 << 20 };

static u8 *base[LEN(images)];
static u64 base_len[LEN(images)];

static struct blk_graph *new_graph(void)
{
	static const char secret[] = "{'qom-type': 'secret', 'id': 's', 'data': 'xyz'}";
	struct blk_graph *g = blk_graph_new();
	struct json *props;
	if (json_parse(secret, strlen(secret), &props) || blk_object_add(g, props))
		abort();
	return g;
}

static struct err *open_image(struct blk_graph *g, const char *fmt, const char *secret, u32 flags,
			      struct blk_node **ret)
{
	struct json *opts = secret ? json_dict() : NULL;
	if (secret)
		json_set(opts, secret, json_str("s"));
	return blk_open(g, IMAGE, fmt, opts, flags, ret);
}

static struct err *add_snapshots(struct blk_node *node)
{
	static const struct blk_snapshot meta = { .icount = -1 };
	struct blk_dirty *d;
	struct err *e = node->driver->snapshot_create(node, "s", &meta);
	if (!e)
		e = blk_dirty_new(node, "b", 65536, &d);
	if (e)
		return e;
	d->persistent = d->enabled = d->changed = true;
	return NULL;
}

static void make(unsigned i)
{
	struct blk_graph *g = new_graph();
	struct json *opts;
	struct blk_node *node;
	struct err *e = json_parse(images[i].opts, strlen(images[i].opts), &opts);
	if (!e) {
		json_set(opts, "size", json_strf("%d", DISK));
		e = blk_create_image(g, IMAGE, images[i].fmt, opts);
	}
	if (!e)
		e = open_image(g, images[i].fmt, images[i].secret, BLK_RDWR, &node);
	if (!e && images[i].snapshots)
		e = add_snapshots(node);
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

/* Counts of iterations that would take minutes are as they were. */
static void keep_iterations(struct mem *m, const u8 *was, u64 len)
{
	enum { DIGEST_ITER = 164, SLOT_ITER = 212, SLOT_SIZE = 48, HEADER = 592 };
	const u8 *luks = memmem(was, len, "LUKS\xba\xbe", 6);
	u64 at = luks ? luks - was : len;
	if (at + HEADER > MIN(len, m->bytes))
		return;
	memcpy(m->data + at + DIGEST_ITER, luks + DIGEST_ITER, 4);
	for (unsigned i = SLOT_ITER; i < HEADER; i += SLOT_SIZE)
		memcpy(m->data + at + i, luks + i, 4);
}

static void use_snapshots(struct blk_node *node)
{
	struct blk_snapshot *list = NULL;
	size_t n = 0;
	struct err *e = node->driver->snapshot_list(node, &list, &n);
	if (!e && n)
		e = node->driver->snapshot_apply(node, list[0].name);
	if (!e && n)
		e = node->driver->snapshot_delete(node, list[0].name);
	err_free(e);
	for (size_t i = 0; i < n; i++) {
		free(list[i].id);
		free(list[i].name);
	}
	free(list);
}

static void write_to(struct blk_node *node, u64 size, u8 *buf)
{
	int r = blk_pwrite(node, size - 20000, buf, 20000);
	r |= blk_zero(node, size / 2, 5000, BLK_REQ_MAY_UNMAP);
	r |= blk_discard(node, 0, 8192);
	r |= blk_flush(node);
	(void)r;
	if (node->driver->snapshot_list)
		use_snapshots(node);
	if (node->driver->truncate) {
		struct err *e = blk_truncate(node, size / 1024 * 512, true, BLK_PREALLOC_OFF, false);
		err_free(e);
	}
}

static void use(struct blk_graph *g, const char *fmt, const char *secret, u32 flags)
{
	static u8 buf[1 << 16];
	struct blk_node *node;
	log_begin();
	struct err *e = open_image(g, fmt, secret, flags, &node);
	if (e) {
		err_free(e);
		if (n_events)
			abort();
		return;
	}
	u64 size = MIN(blk_size(node), 2ull * DISK);
	int r = 0;
	if ((flags & BLK_FOR_CHECK) && node->driver->check) {
		struct blk_check res = { 0 };
		e = node->driver->check(node, &res, flags & BLK_RDWR ? BLK_FIX_LEAKS | BLK_FIX_ERRORS : 0);
		err_free(e);
	}
	for (u64 at = 0; at < size && !(flags & BLK_NO_IO); at += sizeof(buf))
		r |= blk_pread(node, at, buf, MIN(size - at, sizeof(buf)));
	(void)r;
	if ((flags & BLK_RDWR) && size >= 20000)
		write_to(node, size, buf);
	struct blk_info info = { 0 };
	e = node->driver->info ? node->driver->info(node, &info) : NULL;
	err_free(e);
	json_free(info.specific);
	blk_unref(node);
	if (!(flags & BLK_RDWR) && n_events)
		abort();
}

int LLVMFuzzerTestOneInput(const u8 *p, size_t len);
/* The format of an image, by number. */
static const char *format_of(unsigned i)
{
	return i < LEN(images) ? images[i].fmt : bare[i - LEN(images)];
}

/* Which image a byte stands for; false: one that is not tried. */
static bool choose(u8 byte, unsigned *ret)
{
	enum { ALL = LEN(images) + LEN(bare) };
	const char *skip = getenv("FUZZ_SKIP"), *only = getenv("FUZZ_ONLY");
	unsigned i = byte % ALL, n = 0, mine[ALL];
	for (unsigned k = 0; only && k < ALL; k++)
		if (strcmp(format_of(k), only) == 0)
			mine[n++] = k;
	if (only && !n)
		abort();
	*ret = only && strcmp(format_of(i), only) != 0 ? mine[byte % n] : i;
	return blk_driver_find(format_of(*ret)) && !(skip && strcmp(skip, format_of(*ret)) == 0);
}

int LLVMFuzzerTestOneInput(const u8 *p, size_t len)
{
	unsigned i;
	if (len < 2 || !choose(p[0], &i))
		return -1; /* not for the corpus */
	bool made = i < LEN(images);
	if (made && !base[i])
		make(i);
	struct blk_create none = { .filename = IMAGE };
	struct err *e = testmem_create(&none);
	err_free(e);
	struct mem *m = mem_find(IMAGE);
	logging = false;
	if (made) {
		mem_set_size(m, base_len[i]);
		memcpy(m->data, base[i], base_len[i]);
		change(m, p + 2, len - 2);
		keep_iterations(m, base[i], base_len[i]);
	} else {
		mem_set_size(m, len - 2);
		memcpy(m->data, p + 2, len - 2);
	}
	if (p[1] & 4)
		mend(m);
	u32 flags = BLK_NO_BACKING | (p[1] & 1 ? BLK_RDWR | BLK_UNMAP | BLK_RESIZE : 0) |
		    (p[1] & 2 ? BLK_FOR_CHECK : 0) | ((p[1] & 9) == 8 ? BLK_NO_IO : 0);
	struct blk_graph *g = new_graph();
	use(g, format_of(i), made ? images[i].secret : NULL, flags);
	blk_graph_free(g);
	return 0;
}
