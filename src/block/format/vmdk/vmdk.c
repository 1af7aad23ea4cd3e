/*
 * VMDK: VMware virtual disk.
 *
 * Spec       "VMware Virtual Disk Format 5.0" as described by libyal/libvmdk, documentation; space-efficient extents: see sesparse.c.
 * Layout     a descriptor (text) that names extents, each a file of its own; or one sparse extent with the descriptor within.
 * Modelled   monolithicSparse, monolithicFlat, twoGbMaxExtentSparse, twoGbMaxExtentFlat, streamOptimized: read, write, make. vmfs,
 *            vmfsSparse, custom mixtures of these: read, write. seSparse: read. Parents by content identifier; check.
 * Absent     physical devices, change tracking, encryption: refused.
 */
#include "block/format/vmdk/vmdk.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>

/* A descriptor begins with comments and empty lines, then says its version. */
static bool is_descriptor(const u8 *head, size_t len)
{
	size_t i = 0;
	while (i < len) {
		if (head[i] == '#') {
			while (i < len && head[i] != '\n')
				i++;
		} else if (!isspace(head[i])) {
			break;
		}
		i++;
	}
	return len - MIN(i, len) >= 9 && memcmp(head + i, "version=", 8) == 0 && head[i + 8] >= '1' &&
	       head[i + 8] <= '3';
}

static unsigned probe_vmdk(const u8 *head, size_t len, const char *filename)
{
	if (len >= 4 && (memcmp(head, "KDMV", 4) == 0 || memcmp(head, "COWD", 4) == 0))
		return 100;
	return is_descriptor(head, len) ? 100 : 0;
}

/* ---- opening ---- */

static struct err *read_text(struct blk_node *node, u64 at, u64 len)
{
	struct vmdk *s = node->state;
	if (len > VMDK_DESC_MAX || at > INT64_MAX - VMDK_DESC_MAX)
		return err_new(ERR_CORRUPT, "VMDK descriptor of %llu bytes at offset %llu is not valid",
			       (unsigned long long)len, (unsigned long long)at);
	s->desc = try_alloc(len + 1);
	if (!s->desc)
		return err_new(ERR_BUSY, "Could not allocate %llu bytes for the descriptor",
			       (unsigned long long)len);
	int r = len ? blk_pread(node->file, at, s->desc, len) : 0;
	return r ? err_errno(-r, "Could not read the VMDK descriptor") : NULL;
}

/* Extents are named relative to the descriptor, wherever that really lies. */
static const char *base_name(struct blk_node *node)
{
	struct blk_node *n = node->file;
	while (n->filename && strncmp(n->filename, "json:", 5) == 0 && n->file)
		n = n->file;
	return n->filename;
}

static struct err *open_extent(struct blk_node *node, struct json *opts, u32 flags, const struct vmdk_line *l)
{
	/* clang-format off */
	static const struct { const char *type; enum vmdk_kind kind; } types[] = {
		{ "FLAT", VMDK_FLAT }, { "VMFS", VMDK_FLAT }, { "SPARSE", VMDK_SPARSE }, { "VMFSSPARSE", VMDK_COWD },
		{ "SESPARSE", VMDK_SE }, { "ZERO", VMDK_ZERO },
	};
	/* clang-format on */
	struct vmdk *s = node->state;
	struct vmdk_extent e = { .start = node->size, .size = l->sectors * 512, .flat_at = l->offset * 512 };
	for (unsigned i = 0; i < LEN(types); i++)
		if (strcmp(types[i].type, l->type) == 0) {
			e.type = types[i].type;
			e.kind = types[i].kind;
		}
	if (!e.type)
		return err_new(ERR_UNSUPPORTED, "Unsupported extent type '%s'", l->type);
	if (strcmp(l->access, "NOACCESS") == 0)
		return err_new(ERR_UNSUPPORTED, "Extent '%s' of the VMDK image may not be accessed",
			       l->name ? l->name : "");
	e.read_only = strcmp(l->access, "RDONLY") == 0;
	if (e.size > (u64)INT64_MAX - node->size)
		return err_new(ERR_CORRUPT, "VMDK extents are too large for one disk");
	node->size += e.size;
	if (e.kind == VMDK_ZERO) {
		vmdk_add_extent(node, e);
		return NULL;
	}
	const char *base = base_name(node);
	if (base && strncmp(base, "json:", 5) == 0 && l->name[0] != '/' && !blk_path_has_protocol(l->name))
		return err_new(ERR_INVALID, "Cannot use relative paths with VMDK descriptor file '%s'", base);
	AUTO(free_ptr) char *path = blk_path_join(base, l->name), *name = strf("extents.%zu", s->n);
	u32 child = e.read_only ? flags & ~(u32)BLK_RDWR : flags;
	struct err *err = blk_open_child(node, opts, name, path, child, false, &e.file);
	if (err)
		return err;
	struct vmdk_extent *x = vmdk_add_extent(node, e);
	if (e.kind == VMDK_FLAT)
		return NULL;
	return vmdk_open_sparse(node, x);
}

static struct err *open_extents(struct blk_node *node, struct json *opts, u32 flags)
{
	struct vmdk *s = node->state;
	const char *pos = s->desc;
	struct vmdk_line l;
	struct err *e = NULL;
	node->size = 0;
	while (!e && vmdk_next_line(&pos, &l, &e)) {
		e = open_extent(node, opts, flags, &l);
		vmdk_line_free(&l);
	}
	return e;
}

static struct err *open_descriptor(struct blk_node *node, struct json *opts, u32 flags)
{
	static const char *const known[] = { "monolithicFlat",
					     "monolithicSparse",
					     "twoGbMaxExtentSparse",
					     "twoGbMaxExtentFlat",
					     "2GbMaxExtentSparse",
					     "2GbMaxExtentFlat",
					     "vmfs",
					     "vmfsSparse",
					     "vmfsThin",
					     "vmfsPreallocated",
					     "vmfsEagerZeroedThick",
					     "seSparse",
					     "streamOptimized",
					     "custom" };
	struct vmdk *s = node->state;
	struct err *e = s->desc ? NULL : read_text(node, 0, node->file->size);
	if (e)
		return e;
	if (!is_descriptor((u8 *)s->desc, strlen(s->desc)))
		return err_new(ERR_INVALID, "Image not in VMDK format");
	if ((e = vmdk_parse_desc(node)))
		return e;
	if (!s->create_type)
		return err_new(ERR_CORRUPT, "invalid VMDK image descriptor");
	bool ok = false;
	for (unsigned i = 0; i < LEN(known); i++)
		ok |= strcmp(s->create_type, known[i]) == 0;
	if (!ok)
		return err_new(ERR_UNSUPPORTED, "Unsupported image type '%s'", s->create_type);
	return open_extents(node, opts, flags);
}

/* A sparse extent that is the whole image, or one of several that somebody opens alone. */
static struct err *open_single(struct blk_node *node, const u8 *h)
{
	struct vmdk *s = node->state;
	struct vmdk_extent *e = vmdk_add_extent(node, (struct vmdk_extent){ .file = node->file, .type = "" });
	struct err *err = vmdk_open_sparse(node, e);
	node->size = e->size;
	if (!err && memcmp(h, "KDMV", 4) == 0 && ld_le64(h + K_DESC_AT)) {
		u64 at = ld_le64(h + K_DESC_AT), len = ld_le64(h + K_DESC_LEN);
		if (at > VMDK_DESC_MAX || len > VMDK_DESC_MAX / 512)
			return err_new(ERR_CORRUPT,
				       "VMDK descriptor of %llu sectors at sector %llu is not valid",
				       (unsigned long long)len, (unsigned long long)at);
		s->desc_at = at * 512;
		s->desc_room = len * 512;
		err = read_text(node, s->desc_at, s->desc_room);
		if (!err)
			err = vmdk_parse_desc(node);
	}
	return err;
}

static void free_state(struct blk_node *node)
{
	struct vmdk *s = node->state;
	for (size_t i = 0; i < s->n; i++)
		vmdk_close_extent(&s->extents[i]);
	free(s->extents);
	free(s->desc);
	free(s->create_type);
	free(s->packed);
	free(s->unpacked);
	memset(s, 0, sizeof(*s));
}

/* Requests wait for each other in grains; where extents do not begin at grains, in anything. */
static void set_granularity(struct blk_node *node)
{
	struct vmdk *s = node->state;
	bool crooked = false;
	for (size_t i = 0; i < s->n; i++)
		node->granularity = MAX(node->granularity, s->extents[i].grain);
	for (size_t i = 0; i < s->n; i++)
		crooked |= s->extents[i].start & (node->granularity - 1);
	node->cluster = crooked && node->granularity > 1 ? 1u << 31 : 0;
}

static struct err *open_vmdk(struct blk_node *node, struct json *opts, u32 flags)
{
	u8 h[512] = { 0 };
	struct vmdk *s = node->state;
	int r = blk_pread(node->file, 0, h, sizeof(h));
	if (r)
		return err_errno(-r, "Could not read the VMDK header");
	bool kdmv = memcmp(h, "KDMV", 4) == 0;
	struct err *e;
	if (kdmv && !ld_le64(h + K_CAPACITY) && ld_le64(h + K_DESC_AT)) {
		/* Nothing but a descriptor in the dress of an extent. */
		s->desc_at = MIN(ld_le64(h + K_DESC_AT), (u64)VMDK_DESC_MAX) * 512;
		s->desc_room = MIN(ld_le64(h + K_DESC_LEN), (u64)VMDK_DESC_MAX) * 512;
		e = read_text(node, s->desc_at, s->desc_room);
		if (!e)
			e = open_descriptor(node, opts, flags);
	} else if (kdmv || memcmp(h, "COWD", 4) == 0 || ld_le64(h) == 0xcafebabe) {
		e = open_single(node, h);
	} else {
		e = open_descriptor(node, opts, flags);
	}
	if (!e && node->size > (u64)INT64_MAX - 512)
		e = err_new(ERR_CORRUPT, "VMDK disk is too large");
	if (e)
		free_state(node);
	else
		set_granularity(node);
	return e;
}

static int flush_vmdk(struct blk_node *node)
{
	struct vmdk *s = node->state;
	int r = 0;
	for (size_t i = 0; i < s->n && !r; i++)
		r = vmdk_flush_extent(&s->extents[i]);
	return r;
}

static void close_vmdk(struct blk_node *node)
{
	struct vmdk *s = node->state;
	if ((node->flags & BLK_RDWR) && s->changed && flush_vmdk(node) == 0) {
		int r = 0;
		for (struct blk_child *c = node->children; c && !r; c = c->next)
			if (c->node != node->backing)
				r = blk_flush(c->node);
		(void)r; /* blk_flush() before reports it to those who want to know */
	}
	free_state(node);
}

/* ---- info, check ---- */

static struct err *info_vmdk(struct blk_node *node, struct blk_info *ret)
{
	struct vmdk *s = node->state;
	struct json *data = json_dict(), *list = json_list();
	json_set(data, "cid", json_int(s->cid));
	json_set(data, "parent-cid", json_int(s->parent_cid));
	json_set(data, "create-type", json_str(s->create_type ? s->create_type : ""));
	for (size_t i = 0; i < s->n; i++) {
		const struct vmdk_extent *e = &s->extents[i];
		struct json *j = json_dict();
		if (e->compressed)
			json_set(j, "compressed", json_bool(true));
		json_set(j, "virtual-size", json_int(e->size));
		json_set(j, "filename", json_str(e->file && e->file->filename ? e->file->filename : ""));
		if (e->grain)
			json_set(j, "cluster-size", json_int(e->grain));
		json_set(j, "format", json_str(e->type));
		json_add(list, j);
		/* One size for all, or none. */
		if (!i)
			ret->cluster_size = e->grain;
		else if (ret->cluster_size != e->grain)
			ret->cluster_size = 0;
	}
	json_set(data, "extents", list);
	ret->specific = json_dict();
	json_set(ret->specific, "type", json_str("vmdk"));
	json_set(ret->specific, "data", data);
	return NULL;
}

static struct err *check_vmdk(struct blk_node *node, struct blk_check *res, u32 fix)
{
	struct vmdk *s = node->state;
	struct err *e = NULL;
	if (fix)
		return err_new(ERR_UNSUPPORTED, "This image format does not support repair");
	for (size_t i = 0; i < s->n && !e; i++)
		e = vmdk_check_extent(&s->extents[i], res);
	return e;
}

static void moved(struct blk_node *node, struct blk_node *from, struct blk_node *to)
{
	struct vmdk *s = node->state;
	for (size_t i = 0; i < s->n; i++)
		if (s->extents[i].file == from)
			s->extents[i].file = to;
}

BLK_DRIVER(vmdk) = {
	.name = "vmdk",
	.summary = "VMware disk image",
	.spec = "VMware Virtual Disk Format 5.0",
	.kind = BLK_FORMAT,
	.state_size = sizeof(struct vmdk),
	.probe = probe_vmdk,
	.open = open_vmdk,
	.close = close_vmdk,
	.moved = moved,
	.map = vmdk_map,
	.read = vmdk_read,
	.place = vmdk_place,
	.commit = vmdk_commit,
	.abandon = vmdk_abandon,
	.zero = vmdk_zero,
	.pack = vmdk_pack,
	.write_compressed = vmdk_write_compressed,
	.flush = flush_vmdk,
	.info = info_vmdk,
	.check = check_vmdk,
	.create = vmdk_create,
	.create_opts = vmdk_opts,
	.supports_backing = true,
};
