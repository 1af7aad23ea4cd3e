/*
 * dmg: Apple disk image (UDIF), read only.
 *
 * Spec       keramics docs/formats/src/udif.md; libyal/libmodi documentation.
 * Layout     data, a property list (XML) with tables of chunks in base64, a trailer of 512 bytes. All numbers big-endian.
 * Modelled   chunks that are raw, zero, packed by zlib, by bzip2 (where the library was found).
 * Absent     ADC, lzfse and lzma chunks, tables in a resource fork, images in several segments: refused.
 */
#include "base/base64.h"
#include "block/format/compress.h"
#include "block/format/table.h"
#include <errno.h>
#ifdef HAVE_BZIP2
#include <bzlib.h>
#endif

enum { T_DATA_AT = 24, T_SEGMENTS = 60, T_XML_AT = 216, T_XML_LEN = 224, T_SECTORS = 492, TRAILER = 512 };
enum { B_FIRST = 8, B_SECTORS = 16, B_DATA_AT = 24, B_CHUNKS = 200, B_HEADER = 204, CHUNK = 40 };
enum {
	ZERO = 0,
	RAW = 1,
	IGNORED = 2,
	ZLIB = 0x80000005,
	BZIP2 = 0x80000006,
	COMMENT = 0x7ffffffe,
	END = 0xffffffff
};
enum { MAX_CHUNK = 64 << 20, MAX_XML = 64 << 20 };

struct chunk {
	u32 type;
	u64 start, len; /* of the disk; bytes */
	u64 at, packed; /* in the file */
};

struct dmg {
	struct chunk *chunks; /* by start */
	size_t n, cap;
	u64 data_at, max_packed, max_len;
	struct co_lock lock;
	u8 *packed, *unpacked;
	const struct chunk *current; /* what is unpacked */
};

static unsigned probe_dmg(const u8 *head, size_t len, const char *filename)
{
	size_t n = filename ? strlen(filename) : 0;
	return n > 4 && strcmp(filename + n - 4, ".dmg") == 0 ? 2 : 0;
}

static void close_dmg(struct blk_node *node)
{
	struct dmg *s = node->state;
	free(s->chunks);
	free(s->packed);
	free(s->unpacked);
	memset(s, 0, sizeof(*s));
}

/* ---- tables ---- */

static struct err *check_chunk(struct blk_node *node, const struct chunk *c)
{
	u64 file = node->file->size;
	bool packed = c->type == (u32)ZLIB || c->type == (u32)BZIP2;
	if (c->start > (u64)INT64_MAX / 2 || c->len > (u64)INT64_MAX / 2)
		return err_new(ERR_CORRUPT, "dmg chunk at sector %llu is too large",
			       (unsigned long long)c->start / 512);
	if (packed && c->len > MAX_CHUNK)
		return err_new(ERR_CORRUPT, "sector count %llu of a chunk is larger than max (%u)",
			       (unsigned long long)c->len / 512, MAX_CHUNK / 512);
	if (packed && c->packed > MAX_CHUNK)
		return err_new(ERR_CORRUPT, "length %llu of a chunk is larger than max (%u)",
			       (unsigned long long)c->packed, MAX_CHUNK);
	if ((packed || c->type == RAW) && (c->at > file || c->packed > file - c->at))
		return err_new(ERR_CORRUPT,
			       "dmg chunk at offset %llu with %llu bytes reaches beyond the end of the file",
			       (unsigned long long)c->at, (unsigned long long)c->packed);
	if (c->type == RAW && c->packed < c->len)
		return err_new(ERR_CORRUPT, "dmg chunk at offset %llu holds %llu bytes of %llu",
			       (unsigned long long)c->at, (unsigned long long)c->packed,
			       (unsigned long long)c->len);
	return NULL;
}

static bool known(u32 type)
{
#ifndef HAVE_BZIP2
	if (type == (u32)BZIP2)
		return false;
#endif
	return type == ZERO || type == RAW || type == IGNORED || type == (u32)ZLIB || type == (u32)BZIP2;
}

static struct err *add_table(struct blk_node *node, const u8 *t, size_t len)
{
	struct dmg *s = node->state;
	if (len < B_HEADER || memcmp(t, "mish", 4) != 0)
		return NULL; /* other resources of the same kind hold no chunks */
	u32 n = ld_be32(t + B_CHUNKS);
	u64 first = ld_be64(t + B_FIRST), data = ld_be64(t + B_DATA_AT);
	if (n > (len - B_HEADER) / CHUNK)
		return err_new(ERR_CORRUPT, "dmg table of %zu bytes has no room for %u chunks", len, n);
	for (u32 i = 0; i < n; i++) {
		const u8 *p = t + B_HEADER + (size_t)i * CHUNK;
		struct chunk c = { .type = ld_be32(p) };
		u64 sector = ld_be64(p + 8) + first, sectors = ld_be64(p + 16);
		if (c.type == COMMENT || c.type == (u32)END || !sectors)
			continue;
		if (!known(c.type))
			return err_new(ERR_UNSUPPORTED,
				       "dmg chunk %u is of type 0x%08x, which is not supported", i, c.type);
		if (sector > INT64_MAX / 1024 || sectors > INT64_MAX / 1024)
			return err_new(ERR_CORRUPT, "dmg chunk %u begins at sector %llu, with %llu", i,
				       (unsigned long long)sector, (unsigned long long)sectors);
		c.start = sector * 512;
		c.len = sectors * 512;
		c.at = ld_be64(p + 24) + data + s->data_at;
		c.packed = ld_be64(p + 32);
		struct err *e = check_chunk(node, &c);
		if (e)
			return e;
		if (c.type == (u32)ZLIB || c.type == (u32)BZIP2) {
			s->max_packed = MAX(s->max_packed, c.packed);
			s->max_len = MAX(s->max_len, c.len);
		}
		node->size = MAX(node->size, c.start + c.len);
		s->chunks = grow(s->chunks, &s->cap, s->n + 1, sizeof(c));
		s->chunks[s->n++] = c;
	}
	return NULL;
}

/* Every <data> behind <key>blkx</key>, up to the end of its list. */
static struct err *read_list(struct blk_node *node, const char *xml)
{
	const char *p = strstr(xml, "<key>blkx</key>"), *stop;
	if (!p)
		return err_new(ERR_CORRUPT, "dmg property list names no tables of chunks");
	if (!(stop = strstr(p, "</array>")))
		stop = p + strlen(p);
	struct err *e = NULL;
	while (!e && (p = strstr(p, "<data>")) && p < stop) {
		const char *end = strstr(p += 6, "</data>");
		if (!end)
			return err_new(ERR_CORRUPT, "dmg property list is cut off");
		u8 *table;
		size_t len;
		e = base64_decode(p, end - p, &table, &len);
		if (e)
			return err_in(e, "dmg table of chunks cannot be read");
		e = add_table(node, table, len);
		free(table);
		p = end;
	}
	return e;
}

static int by_start(const void *a, const void *b)
{
	const struct chunk *x = a, *y = b;
	return x->start < y->start ? -1 : x->start > y->start;
}

/* The last 512 bytes of the file, whose size is only known in whole sectors. */
static int find_trailer(struct blk_node *file, u8 *ret)
{
	u8 end[2 * TRAILER] = { 0 };
	u64 len = MIN(file->size, (u64)sizeof(end));
	int r = blk_pread(file, file->size - len, end + sizeof(end) - len, len);
	for (int i = TRAILER; i >= 0 && !r; i--)
		if (memcmp(end + i, "koly", 4) == 0 && ld_be32(end + i + 8) == TRAILER) {
			memcpy(ret, end + i, sizeof(end) - i < TRAILER ? sizeof(end) - i : TRAILER);
			return 0;
		}
	return -EINVAL;
}

static struct err *open_dmg(struct blk_node *node, struct json *opts, u32 flags)
{
	struct dmg *s = node->state;
	u8 t[TRAILER];
	AUTO(free_ptr) void *xml = NULL;
	u64 file = node->file->size;
	if (flags & BLK_RDWR)
		return err_new(ERR_UNSUPPORTED, "Block format 'dmg' does not support writing");
	int r = file < TRAILER ? -EINVAL : find_trailer(node->file, t);
	if (r)
		return err_new(ERR_INVALID, "Image not in dmg format: no trailer at its end");
	if (ld_be32(t + T_SEGMENTS) > 1)
		return err_new(ERR_UNSUPPORTED, "dmg images of %u segments are not supported",
			       ld_be32(t + T_SEGMENTS));
	s->data_at = ld_be64(t + T_DATA_AT);
	u64 at = ld_be64(t + T_XML_AT), len = ld_be64(t + T_XML_LEN);
	if (!at || !len)
		return err_new(ERR_UNSUPPORTED,
			       "dmg images with their tables in a resource fork are not supported");
	if (at > file || len > file - at || len > MAX_XML)
		return err_new(ERR_CORRUPT, "dmg property list of %llu bytes at offset %llu is not valid",
			       (unsigned long long)len, (unsigned long long)at);
	struct err *e = blk_load_table(node->file, at, len + 1, "dmg property list", &xml);
	if (e)
		return e;
	((char *)xml)[len] = 0;
	node->size = ld_be64(t + T_SECTORS) > INT64_MAX / 1024 ? 0 : ld_be64(t + T_SECTORS) * 512;
	e = read_list(node, xml);
	if (s->n)
		qsort(s->chunks, s->n, sizeof(*s->chunks), by_start);
	for (size_t i = 1; i < s->n && !e; i++)
		if (s->chunks[i].start < s->chunks[i - 1].start + s->chunks[i - 1].len)
			e = err_new(ERR_CORRUPT, "dmg chunks overlap at sector %llu",
				    (unsigned long long)s->chunks[i].start / 512);
	if (!e) {
		s->packed = try_alloc(s->max_packed + 1);
		s->unpacked = try_alloc(s->max_len + 1);
		if (!s->packed || !s->unpacked)
			e = err_new(ERR_BUSY, "Could not allocate memory for chunks of %llu bytes",
				    (unsigned long long)s->max_len);
	}
	if (e)
		close_dmg(node);
	return e;
}

/* ---- data ---- */

static int map_dmg(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	struct dmg *s = node->state;
	size_t lo = 0, hi = s->n;
	while (lo < hi) { /* the first chunk that begins behind offset */
		size_t mid = (lo + hi) / 2;
		if (s->chunks[mid].start <= offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	const struct chunk *c = lo ? &s->chunks[lo - 1] : NULL;
	*ret = (struct blk_extent){ .where = BLK_ZERO,
				    .len = lo < s->n ? MIN(len, s->chunks[lo].start - offset) : len };
	if (!c || offset >= c->start + c->len) /* between chunks */
		return 0;
	ret->len = MIN(len, c->start + c->len - offset);
	if (c->type == RAW) {
		ret->where = BLK_DATA;
		ret->file = node->file;
		ret->offset = c->at + (offset - c->start);
	} else if (c->type != ZERO && c->type != IGNORED) {
		ret->where = BLK_ENCODED;
		ret->cookie[0] = c - s->chunks;
	}
	return 0;
}

static int unpack(struct blk_node *node, const struct chunk *c)
{
	struct dmg *s = node->state;
	bool ok = false;
	s->current = NULL;
	int r = blk_pread(node->file, c->at, s->packed, c->packed);
	if (r)
		return r;
	if (c->type == (u32)ZLIB)
		ok = zlib_expand(s->packed, c->packed, s->unpacked, c->len) == (int)c->len;
#ifdef HAVE_BZIP2
	if (c->type == (u32)BZIP2) {
		unsigned got = c->len;
		ok = BZ2_bzBuffToBuffDecompress((char *)s->unpacked, &got, (char *)s->packed, c->packed, 0,
						0) == BZ_OK &&
		     got == c->len;
	}
#endif
	s->current = ok ? c : NULL;
	return ok ? 0 : -EIO;
}

static int read_dmg(struct blk_node *node, const struct blk_extent *x, u64 offset, struct iovs iov)
{
	struct dmg *s = node->state;
	const struct chunk *c = &s->chunks[x->cookie[0]];
	co_lock(&s->lock);
	int r = s->current == c ? 0 : unpack(node, c);
	if (!r)
		iovs_from_buf(iov, s->unpacked + (offset - c->start));
	co_unlock(&s->lock);
	return r;
}

BLK_DRIVER(dmg) = {
	.name = "dmg",
	.summary = "Apple disk image (read only)",
	.spec = "UDIF",
	.kind = BLK_FORMAT,
	.state_size = sizeof(struct dmg),
	.probe = probe_dmg,
	.open = open_dmg,
	.close = close_dmg,
	.map = map_dmg,
	.read = read_dmg,
};
