/* VHDX: making images. */
#include "block/format/vhdx/vhdx.h"

/* Block sizes that keep the table small for large disks. */
static u64 default_block(u64 size)
{
	if (size > 32 * TiB)
		return 64 * MiB;
	if (size > 100 * GiB)
		return 32 * MiB;
	return size > 1 * GiB ? 16 * MiB : 8 * MiB;
}

struct plan {
	u64 size, log, block, ratio, blocks, entries;
	u64 bat_at, bat_len, metadata_at, data_at;
	bool fixed, zero;
};

static struct err *check_plan(struct blk_create *c, struct plan *p)
{
	const char *sub = blk_opt_str(c->opts, "subformat");
	*p = (struct plan){ .size = ROUND_UP(c->size, 512ull),
			    .log = blk_opt_num(c->opts, "log_size", VHDX_MB),
			    .block = blk_opt_num(c->opts, "block_size", 0),
			    .zero = blk_opt_bool(c->opts, "block_state_zero", true),
			    .fixed = sub && strcmp(sub, "fixed") == 0 };
	if (sub && !p->fixed && strcmp(sub, "dynamic") != 0)
		return err_new(ERR_INVALID, "Invalid parameter '%s'", sub);
	if (p->size > VHDX_MAX_SIZE)
		return err_new(ERR_INVALID, "Image size too large; max of 64TB");
	if (!p->log)
		p->log = VHDX_MB;
	if (p->log % VHDX_MB)
		return err_new(ERR_INVALID, "Log size must be a multiple of 1 MB");
	if (p->log > UINT32_MAX)
		return err_new(ERR_INVALID, "Log size must be smaller than 4 GB");
	if (!p->block)
		p->block = default_block(p->size);
	if (p->block % VHDX_MB)
		return err_new(ERR_INVALID, "Block size must be a multiple of 1 MB");
	if (p->block & (p->block - 1))
		return err_new(ERR_INVALID, "Block size must be a power of two");
	if (p->block > 256 * MiB)
		return err_new(ERR_INVALID, "Block size must not exceed %llu", 256 * MiB);
	return NULL;
}

static void lay_out(struct plan *p)
{
	p->ratio = BIT(23) * 512 / p->block;
	p->blocks = (p->size + p->block - 1) / p->block;
	p->entries = p->blocks ? p->blocks + (p->blocks - 1) / p->ratio : 0;
	p->bat_at = VHDX_START + p->log;
	p->bat_len = MAX(ROUND_UP(p->entries * 8, (u64)VHDX_MB), (u64)VHDX_MB);
	p->metadata_at = p->bat_at + p->bat_len;
	p->data_at = ROUND_UP(p->metadata_at + VHDX_MB, p->block);
}

static int write_identifier(struct blk_node *file)
{
	u8 id[512 + 8] = "vhdxfile";
	static const char creator[] = "Rhea 0.1.0";
	for (unsigned i = 0; creator[i]; i++)
		st_le16(id + 8 + i * 2, creator[i]);
	return blk_pwrite(file, 0, id, sizeof(id));
}

static int write_new_headers(struct blk_node *file, const struct plan *p)
{
	u8 h[VHDX_HEADER_SIZE] = "head";
	guid_new_le(h + H_FILE_GUID);
	guid_new_le(h + H_DATA_GUID);
	st_le16(h + H_VERSION, 1);
	st_le32(h + H_LOG_LENGTH, p->log);
	st_le64(h + H_LOG_AT, VHDX_START);
	int r = 0;
	for (unsigned i = 0; i < 2 && !r; i++) {
		st_le64(h + H_SEQUENCE, i + 1);
		st_le32(h + H_CHECKSUM, vhdx_checksum(h, sizeof(h)));
		r = blk_pwrite(file, i ? VHDX_HEADER_2 : VHDX_HEADER_1, h, sizeof(h));
	}
	return r;
}

static int write_regions(struct blk_node *file, const struct plan *p)
{
	AUTO(free_ptr) u8 *t = alloc(VHDX_REGIONS_SIZE);
	memcpy(t, "regi", 4);
	st_le32(t + 8, 2);
	u8 *bat = t + 16, *meta = t + 48;
	memcpy(bat, vhdx_bat_guid, 16);
	st_le64(bat + 16, p->bat_at);
	st_le32(bat + 24, p->bat_len);
	st_le32(bat + 28, 1);
	memcpy(meta, vhdx_metadata_guid, 16);
	st_le64(meta + 16, p->metadata_at);
	st_le32(meta + 24, VHDX_MB);
	st_le32(meta + 28, 1);
	st_le32(t + 4, vhdx_checksum(t, VHDX_REGIONS_SIZE));
	int r = blk_pwrite(file, VHDX_REGIONS_1, t, VHDX_REGIONS_SIZE);
	return r ? r : blk_pwrite(file, VHDX_REGIONS_2, t, VHDX_REGIONS_SIZE);
}

/* 2.6: five items behind a table of them. */
static int write_metadata(struct blk_node *file, const struct plan *p)
{
	enum { VIRTUAL_DISK = 2, REQUIRED = 4, ITEMS = 64 << 10 };
	const struct {
		const u8 *guid;
		u32 len, flags;
	} items[] = {
		{ vhdx_params_guid, 8, REQUIRED },
		{ vhdx_size_guid, 8, REQUIRED | VIRTUAL_DISK },
		{ vhdx_disk_id_guid, 16, REQUIRED | VIRTUAL_DISK },
		{ vhdx_logical_guid, 4, REQUIRED | VIRTUAL_DISK },
		{ vhdx_physical_guid, 4, REQUIRED | VIRTUAL_DISK },
	};
	AUTO(free_ptr) u8 *m = alloc(ITEMS + 64);
	u32 at = ITEMS;
	memcpy(m, "metadata", 8);
	st_le16(m + 10, LEN(items));
	for (unsigned i = 0; i < LEN(items); i++) {
		u8 *e = m + 32 + i * 32;
		memcpy(e, items[i].guid, 16);
		st_le32(e + 16, at);
		st_le32(e + 20, items[i].len);
		st_le32(e + 24, items[i].flags);
		at += items[i].len;
	}
	u8 *v = m + ITEMS;
	st_le32(v, p->block);
	st_le32(v + 4, p->fixed ? 1 : 0); /* leave blocks allocated */
	st_le64(v + 8, p->size);
	guid_new_le(v + 16);
	st_le32(v + 32, 512);
	st_le32(v + 36, 512);
	return blk_pwrite(file, p->metadata_at, m, ITEMS + 64);
}

/* Dynamic images say of every block that it is zero, when asked to: a block that is only "not present" may hold anything. */
static int write_table(struct blk_node *file, const struct plan *p)
{
	if (!p->fixed && !p->zero)
		return 0;
	AUTO(free_ptr) u8 *t = try_alloc(VHDX_MB);
	int r = 0;
	if (!t)
		return -12;
	for (u64 i = 0, from = 0; i < p->entries && !r; from = i) {
		u64 n = MIN(p->entries - i, (u64)VHDX_MB / 8);
		memset(t, 0, VHDX_MB);
		for (; i < from + n; i++) {
			u64 chunk = i / (p->ratio + 1), block = i - chunk;
			if (i % (p->ratio + 1) == p->ratio) /* sector bitmap: none */
				continue;
			st_le64(t + (i - from) * 8,
				p->fixed ? (p->data_at + block * p->block) | S_PRESENT : (u64)S_ZERO);
		}
		r = blk_pwrite(file, p->bat_at + from * 8, t, ROUND_UP(n * 8, 4096ull));
	}
	return r;
}

struct err *vhdx_create(struct blk_create *c)
{
	struct plan p;
	struct err *e = check_plan(c, &p);
	if (e)
		return e;
	lay_out(&p);
	if (p.bat_len > UINT32_MAX)
		return err_new(ERR_INVALID, "Block size %llu is too small for an image of %llu bytes",
			       (unsigned long long)p.block, (unsigned long long)p.size);
	e = blk_truncate(c->file, p.data_at + (p.fixed ? p.blocks * p.block : 0), false, BLK_PREALLOC_OFF,
			 true);
	if (e)
		return e;
	int r = write_identifier(c->file);
	if (!r)
		r = write_new_headers(c->file, &p);
	if (!r)
		r = write_regions(c->file, &p);
	if (!r)
		r = write_metadata(c->file, &p);
	if (!r)
		r = write_table(c->file, &p);
	return r ? err_errno(-r, "Could not write the VHDX image's metadata") : NULL;
}

const struct blk_opt vhdx_opts[] = {
	{ "size", BLK_OPT_SIZE, "Virtual disk size; max of 64TB." },
	{ "log_size", BLK_OPT_SIZE, "Log size; min 1MB.", "1048576" },
	{ "block_size", BLK_OPT_SIZE,
	  "Block Size; min 1MB, max 256MB. 0 means auto-calculate based on image size.", "0" },
	{ "subformat", BLK_OPT_STR,
	  "VHDX format type, can be either 'dynamic' or 'fixed'. Default is 'dynamic'." },
	{ "block_state_zero", BLK_OPT_BOOL,
	  "Force use of payload blocks of type 'ZERO'. Non-standard, but default.  Do not set to 'off' when "
	  "using 'qemu-img convert' with subformat=dynamic." },
	{ NULL },
};
