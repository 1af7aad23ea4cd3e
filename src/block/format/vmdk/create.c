/* VMDK: making images. */
#include "block/format/vmdk/vmdk.h"
#include <errno.h>

enum { GRAIN = 128, GT_ENTRIES = 512, DESC_AT = 1, DESC_SECTORS = 20 };
#define SPLIT (2 * GiB)

struct plan {
	const char *filename, *subformat, *adapter, *hw, *tools, *backing;
	bool flat, split, stream, zero_grain, single;
	u64 size;
	u32 parent_cid;
	char *stem, *suffix; /* of the file name: "dir/name", ".vmdk" */
};

/* ---- a sparse extent ---- */

static int write_directory(struct blk_node *file, u64 at, u64 tables, u64 gts)
{
	u64 bytes = ROUND_UP(tables * 4, 512ull);
	AUTO(free_ptr) u8 *gd = try_alloc(bytes + 1);
	if (!gd)
		return -ENOMEM;
	for (u64 i = 0; i < tables; i++)
		st_le32(gd + i * 4, gts + i * (GT_ENTRIES * 4 / 512));
	return bytes ? blk_pwrite(file, at * 512, gd, bytes) : 0;
}

/* Header, both directories, both sets of tables (zeros). */
static struct err *make_sparse(struct blk_node *file, const struct plan *p, u64 size)
{
	u64 sectors = (size + 511) / 512, grains = (sectors + GRAIN - 1) / GRAIN;
	u64 tables = (grains + GT_ENTRIES - 1) / GT_ENTRIES, gd_sectors = (tables * 4 + 511) / 512;
	u64 gt_sectors = tables * (GT_ENTRIES * 4 / 512), rgd = DESC_AT + DESC_SECTORS,
	    gd = rgd + gd_sectors + gt_sectors;
	u64 overhead = ROUND_UP(gd + gd_sectors + gt_sectors, (u64)GRAIN);
	u8 h[K_HEADER] = "KDMV";
	if (overhead > UINT32_MAX / 2)
		return err_new(ERR_INVALID, "VMDK extent of %llu bytes is too large",
			       (unsigned long long)size);
	st_le32(h + K_VERSION, p->stream ? 3 : p->zero_grain ? 2 : 1);
	st_le32(h + K_FLAGS, KF_NEWLINES | KF_BACKUP | (p->zero_grain ? KF_ZERO_GRAIN : 0) |
				 (p->stream ? KF_COMPRESSED | KF_MARKERS : 0));
	st_le64(h + K_CAPACITY, sectors);
	st_le64(h + K_GRAIN, GRAIN);
	st_le64(h + K_DESC_AT, DESC_AT);
	st_le64(h + K_DESC_LEN, DESC_SECTORS);
	st_le32(h + K_GT_ENTRIES, GT_ENTRIES);
	st_le64(h + K_RGD, rgd);
	st_le64(h + K_GD, gd);
	st_le64(h + K_OVERHEAD, overhead);
	memcpy(h + K_EOL, "\n \r\n", 4);
	st_le16(h + K_COMPRESSION, p->stream);
	struct err *e = blk_truncate(file, overhead * 512, false, BLK_PREALLOC_OFF, true);
	if (e)
		return e;
	int r = blk_pwrite(file, 0, h, sizeof(h));
	if (!r)
		r = write_directory(file, rgd, tables, rgd + gd_sectors);
	if (!r)
		r = write_directory(file, gd, tables, gd + gd_sectors);
	return r ? err_errno(-r, "Could not write a VMDK extent's tables") : NULL;
}

/* ---- options ---- */

static bool one_of(const char *s, const char *const *list)
{
	while (*list && strcmp(*list, s) != 0)
		list++;
	return *list;
}

static struct err *parent(struct blk_create *c, struct plan *p)
{
	p->parent_cid = UINT32_MAX;
	p->backing = blk_opt_str(c->opts, "backing_file");
	const char *fmt = blk_opt_str(c->opts, "backing_fmt");
	if (!p->backing)
		return NULL;
	if (p->flat)
		return err_new(ERR_INVALID, "Flat image can't have backing file");
	if (fmt && strcmp(fmt, "vmdk") != 0)
		return err_new(ERR_INVALID, "backing_file must be a vmdk image");
	AUTO(free_ptr) char *path = blk_path_join(c->filename, p->backing);
	struct blk_node *b;
	struct err *e = blk_open(c->graph, path, fmt, NULL, BLK_NO_BACKING | BLK_NO_IO, &b);
	if (e)
		return e;
	if (strcmp(b->driver->name, "vmdk") != 0)
		e = err_new(ERR_INVALID, "Invalid backing file format: %s. Must be vmdk", b->driver->name);
	else
		p->parent_cid = ((struct vmdk *)b->state)->cid;
	blk_unref(b);
	return e;
}

static struct err *make_plan(struct blk_create *c, struct plan *p)
{
	static const char *const subformats[] = { "monolithicSparse",	  "monolithicFlat",
						  "twoGbMaxExtentSparse", "twoGbMaxExtentFlat",
						  "streamOptimized",	  NULL };
	static const char *const adapters[] = { "ide", "buslogic", "lsilogic", "legacyESX", NULL };
	*p = (struct plan){ .filename = c->filename, .size = ROUND_UP(c->size, 512ull) };
	p->subformat = blk_opt_str(c->opts, "subformat") ?: "monolithicSparse";
	p->adapter = blk_opt_str(c->opts, "adapter_type") ?: "ide";
	p->hw = blk_opt_str(c->opts, "hwversion") ?: "undefined";
	p->tools = blk_opt_str(c->opts, "toolsversion") ?: "2147483647";
	p->zero_grain = blk_opt_bool(c->opts, "zeroed_grain", false);
	if (!one_of(p->subformat, subformats))
		return err_new(ERR_INVALID, "Invalid subformat: '%s'", p->subformat);
	if (!one_of(p->adapter, adapters))
		return err_new(ERR_INVALID, "Unknown adapter type: %s", p->adapter);
	p->flat = strstr(p->subformat, "Flat");
	p->split = strncmp(p->subformat, "twoGb", 5) == 0;
	p->stream = strcmp(p->subformat, "streamOptimized") == 0;
	p->single = !p->flat && !p->split;
	bool compat6 = blk_opt_bool(c->opts, "compat6", false), no_hw = strcmp(p->hw, "undefined") == 0;
	if (compat6 && !no_hw)
		return err_new(ERR_INVALID, "compat6 cannot be enabled with hwversion set");
	if (no_hw)
		p->hw = compat6 ? "6" : "4";
	if (p->flat && p->zero_grain)
		return err_new(ERR_INVALID, "Flat image can't enable zeroed grain");
	return parent(c, p);
}

/* ---- the descriptor ---- */

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/'), *from = slash ? slash + 1 : path;
	if (!slash && blk_path_has_protocol(path))
		from = strchr(path, ':') + 1;
	return from;
}

static void split_name(struct plan *p)
{
	const char *dot = strrchr(last_part(p->filename), '.');
	p->stem = dot ? strf("%.*s", (int)(dot - p->filename), p->filename) : str_dup(p->filename);
	p->suffix = str_dup(dot ? dot : "");
}

static char *append(char *text, char *more)
{
	char *all = strf("%s%s", text, more);
	free(text);
	free(more);
	return all;
}

static char *describe(const struct plan *p, char *extents)
{
	u32 cid = random_u32() & 0x7fffffff, heads = strcmp(p->adapter, "ide") == 0 ? 16 : 255;
	char *text = strf("# Disk DescriptorFile\nversion=1\nCID=%08x\nparentCID=%08x\ncreateType=\"%s\"\n",
			  cid, p->parent_cid, p->subformat);
	if (p->backing)
		text = append(text, strf("parentFileNameHint=\"%s\"\n", p->backing));
	text = append(text, str_dup("\n# Extent description\n"));
	text = append(text, extents);
	return append(
	    text,
	    strf("\n# The Disk Data Base\n#DDB\n\nddb.virtualHWVersion = \"%s\"\n"
		 "ddb.geometry.cylinders = \"%llu\"\nddb.geometry.heads = \"%u\"\n"
		 "ddb.geometry.sectors = \"63\"\nddb.adapterType = \"%s\"\nddb.toolsVersion = \"%s\"\n",
		 p->hw, (unsigned long long)(p->size / (63ull * heads * 512)), heads, p->adapter, p->tools));
}

/* ---- the files ---- */

static struct err *make_file(struct blk_create *c, const struct plan *p, const char *path, u64 size)
{
	struct blk_node *file;
	struct err *e = blk_create_file(c->graph, path, p->flat ? size : 0, &file);
	if (e)
		return e;
	if (!p->flat)
		e = make_sparse(file, p, size);
	int r = e ? 0 : blk_flush(file);
	blk_unref(file);
	return r ? err_errno(-r, "Could not flush '%s'", path) : e;
}

static struct err *make_extents(struct blk_create *c, struct plan *p, char **ret)
{
	struct err *e = NULL;
	char *lines = str_dup("");
	split_name(p);
	u64 done = 0;
	for (unsigned i = 1; !e && (done < p->size || i == 1); i++) {
		u64 size = p->split ? MIN(p->size - done, SPLIT) : p->size;
		AUTO(free_ptr)
		char *path = p->split ? strf("%s-%c%03u%s", p->stem, p->flat ? 'f' : 's', i, p->suffix)
				      : strf("%s-flat%s", p->stem, p->suffix);
		e = make_file(c, p, path, size);
		lines =
		    append(lines, strf("RW %llu %s \"%s\"%s\n", (unsigned long long)size / 512,
				       p->flat ? "FLAT" : "SPARSE", last_part(path), p->flat ? " 0" : ""));
		done += size;
	}
	free(p->stem);
	free(p->suffix);
	*ret = lines;
	return e;
}

struct err *vmdk_create(struct blk_create *c)
{
	struct plan p;
	char *lines;
	struct err *e = make_plan(c, &p);
	if (e)
		return e;
	if (p.single) {
		e = make_sparse(c->file, &p, p.size);
		lines =
		    strf("RW %llu SPARSE \"%s\"\n", (unsigned long long)p.size / 512, last_part(c->filename));
	} else {
		e = make_extents(c, &p, &lines);
	}
	AUTO(free_ptr) char *text = describe(&p, lines);
	size_t len = strlen(text);
	if (!e && p.single && len > DESC_SECTORS * 512)
		e = err_new(ERR_INVALID, "Names in the VMDK descriptor are too long");
	int r = e ? 0 : blk_pwrite(c->file, p.single ? DESC_AT * 512 : 0, text, len);
	return r ? err_errno(-r, "Could not write description") : e;
}

const struct blk_opt vmdk_opts[] = {
	{ "size", BLK_OPT_SIZE, "Virtual disk size" },
	{ "adapter_type", BLK_OPT_STR,
	  "Virtual adapter type, can be one of ide (default), lsilogic, buslogic or legacyESX" },
	{ "backing_file", BLK_OPT_STR, "File name of a base image" },
	{ "backing_fmt", BLK_OPT_STR, "Must be 'vmdk' if present" },
	{ "compat6", BLK_OPT_BOOL, "VMDK version 6 image", "off" },
	{ "hwversion", BLK_OPT_STR, "VMDK hardware version", "undefined" },
	{ "toolsversion", BLK_OPT_STR, "VMware guest tools version" },
	{ "subformat", BLK_OPT_STR,
	  "VMDK flat extent format, can be one of {monolithicSparse (default) | monolithicFlat | "
	  "twoGbMaxExtentSparse | twoGbMaxExtentFlat | streamOptimized} " },
	{ "zeroed_grain", BLK_OPT_BOOL, "Enable efficient zero writes using the zeroed-grain GTE feature" },
	{ NULL },
};
