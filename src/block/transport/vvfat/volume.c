/* vvfat: the disk's layout, its tables, and which cluster is which file's. */
#include "block/transport/vvfat/vvfat.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PARTITION_AT = 63, FATS = 2, ROOT_ENTRIES = 512, FLOPPY_ROOT_ENTRIES = 224 };
static const u64 MOST = 2 * TiB / SECTOR;

/* ---- chains ---- */

u32 volume_end_mark(const struct volume *v)
{
	return v->bits == 12 ? 0xff8 : v->bits == 16 ? 0xfff8 : 0x0ffffff8;
}

u32 volume_next(const struct volume *v, const u8 *fat, u32 cluster)
{
	if (v->bits == 32)
		return ld_le32(fat + cluster * 4ull) & 0x0fffffff;
	if (v->bits == 16)
		return ld_le16(fat + cluster * 2);
	u16 pair = ld_le16(fat + cluster + cluster / 2);
	return cluster & 1 ? pair >> 4 : pair & 0xfff;
}

static void set_next(struct volume *v, u32 cluster, u32 next)
{
	u8 *fat = volume_fat(v);
	if (v->bits == 32) {
		st_le32(fat + cluster * 4ull, next);
	} else if (v->bits == 16) {
		st_le16(fat + cluster * 2, next);
	} else {
		u8 *at = fat + cluster + cluster / 2;
		u16 pair = ld_le16(at);
		st_le16(at, cluster & 1 ? (pair & 0xf) | next << 4 : (pair & 0xf000) | next);
	}
}

struct err *volume_take(struct volume *v, u64 n, u32 *ret)
{
	*ret = n ? v->next : 0;
	if (n > v->clusters + 2 - v->next)
		return err_hint(err_new(ERR_INVALID, "Directory does not fit in FAT%u (capacity %.2f MB)",
					v->bits, (double)v->clusters * v->cluster / 1000000),
				"With fat-type=32 the disk is as large as it has to be.");
	for (u64 i = 0; i < n; i++, v->next++)
		set_next(v, v->next, i + 1 < n ? v->next + 1 : volume_end_mark(v) | 7);
	return NULL;
}

struct source *volume_add(struct volume *v, u32 first, u32 n)
{
	v->sources = grow(v->sources, &v->cap_sources, v->n_sources + 1, sizeof(*v->sources));
	struct source *s = &v->sources[v->n_sources++];
	*s = (struct source){ .first = first, .n = n, .fd = -1 };
	return s;
}

struct source *volume_source(const struct volume *v, u32 cluster)
{
	size_t low = 0, high = v->n_sources;
	while (low < high) {
		size_t mid = (low + high) / 2;
		struct source *s = &v->sources[mid];
		if (cluster < s->first)
			high = mid;
		else if (cluster >= s->first + s->n)
			low = mid + 1;
		else
			return s;
	}
	return NULL;
}

int volume_open(const struct volume *v, const char *path, int flags, int mode)
{
	struct open_how how = { .flags = flags | O_CLOEXEC,
				.mode = flags & O_CREAT ? mode : 0,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	int fd = syscall(SYS_openat2, v->root, *path ? path : ".", &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

void volume_free(struct volume *v)
{
	for (size_t i = 0; i < v->n_sources; i++) {
		free(v->sources[i].dir);
		free(v->sources[i].path);
		if (v->sources[i].fd >= 0)
			close(v->sources[i].fd);
	}
	free(v->sources);
	free(v->head);
	if (v->root >= 0)
		close(v->root);
}

/* ---- layout ---- */

/* Size and shape of the disk, as users of such folders know them. */
static void shape(struct volume *v, const struct vvfat_layout *how, u64 content)
{
	v->bits = how->bits ? how->bits : how->floppy ? 12 : 16;
	v->heads = how->floppy ? 2 : 16;
	v->cylinders = how->floppy ? 80 : v->bits == 12 ? 64 : 1024;
	v->per_track = !how->floppy ? 63 : how->bits == 12 ? 18 : 36;
	v->cluster = !how->floppy ? (v->bits == 32 ? 8 : 16) * SECTOR : how->bits ? SECTOR : 2 * SECTOR;
	v->base = how->floppy ? 0 : PARTITION_AT;
	v->reserved = v->bits == 32 ? 32 : 1;
	v->total = (u64)v->cylinders * v->heads * v->per_track;
	while (v->bits == 32 && content / v->cluster > 4 << 20)
		v->cluster *= 2;
	/* Room for the tables, and some for the guest. */
	if (v->bits == 32)
		v->total = MAX(v->total, (content + content / 8) / SECTOR + 256 * MiB / SECTOR);
}

/* The tables need room by the number of clusters that is left beside them. */
static struct err *divide(struct volume *v, bool floppy)
{
	u32 entries = v->bits == 32 ? 0 : floppy ? FLOPPY_ROOT_ENTRIES : ROOT_ENTRIES;
	u64 room = v->total - v->base - v->reserved, sectors = v->cluster / SECTOR, clusters = room / sectors;
	v->root_sectors = entries * ENTRY / SECTOR;
	room -= v->root_sectors;
	v->fat_sectors = ((clusters + 2) * v->bits / 8 + SECTOR) / SECTOR;
	v->data = v->base + v->reserved + FATS * v->fat_sectors + v->root_sectors;
	clusters = (room - FATS * v->fat_sectors) / sectors;
	u64 most = v->bits == 12 ? 4084 : v->bits == 16 ? 65524 : 0x0ffffff5;
	u64 least = v->bits == 12 ? 1 : v->bits == 16 ? 4085 : 65525;
	if (clusters < least || v->total > MOST)
		return err_new(ERR_INVALID, "FAT%u does not suit a disk of %llu bytes", v->bits,
			       (unsigned long long)v->total * SECTOR);
	v->clusters = MIN(clusters, most);
	v->next = 2;
	return NULL;
}

static void put_chs(const struct volume *v, u64 sector, u8 *out)
{
	u64 cylinder = sector / (v->heads * v->per_track);
	u32 head = sector / v->per_track % v->heads, at = sector % v->per_track + 1;
	if (cylinder > 1023) {
		cylinder = 1023;
		head = v->heads - 1;
		at = v->per_track;
	}
	out[0] = head;
	out[1] = at | (cylinder >> 8) << 6;
	out[2] = cylinder;
}

static void put_partition(struct volume *v)
{
	u8 *p = v->head + 446;
	st_le32(v->head + 440, 0xbe1afdfa);
	p[0] = 0x80;
	put_chs(v, v->base, p + 1);
	p[4] = v->bits == 12 ? 1 : v->bits == 16 ? 6 : 0xc;
	put_chs(v, v->total - 1, p + 5);
	st_le32(p + 8, v->base);
	st_le32(p + 12, v->total - v->base);
	st_le16(v->head + 510, 0xaa55);
}

static void put_boot_sector(struct volume *v, bool floppy, const char *label)
{
	u8 *b = v->head + (u64)v->base * SECTOR, *ext = b + (v->bits == 32 ? 64 : 36);
	u64 sectors = v->total - v->base;
	memcpy(b, "\xeb\x3e\x90MSWIN4.1", 11);
	st_le16(b + 11, SECTOR);
	b[13] = v->cluster / SECTOR;
	st_le16(b + 14, v->reserved);
	b[16] = FATS;
	st_le16(b + 17, v->root_sectors * SECTOR / ENTRY);
	st_le16(b + 19, sectors < 65536 ? sectors : 0);
	b[21] = floppy ? 0xf0 : 0xf8;
	st_le16(b + 22, v->bits == 32 ? 0 : v->fat_sectors);
	st_le16(b + 24, v->per_track);
	st_le16(b + 26, v->heads);
	st_le32(b + 28, v->base);
	st_le32(b + 32, sectors < 65536 ? 0 : sectors);
	if (v->bits == 32) {
		st_le32(b + 36, v->fat_sectors);
		st_le32(b + 44, 2);
		st_le16(b + 48, 1);
		st_le16(b + 50, 6);
	}
	ext[0] = floppy ? 0 : 0x80;
	ext[2] = 0x29;
	st_le32(ext + 3, 0xfabe1afd);
	memcpy(ext + 7, label, 11);
	memcpy(ext + 18, v->bits == 12 ? "FAT12   " : v->bits == 16 ? "FAT16   " : "FAT32   ", 8);
	st_le16(b + 510, 0xaa55);
}

/* FAT32 only: how much is free (not known), and the boot sector's copy. */
static void put_fat32(struct volume *v)
{
	u8 *b = v->head + (u64)v->base * SECTOR, *info = b + SECTOR;
	st_le32(info, 0x41615252);
	st_le32(info + 484, 0x61417272);
	st_le32(info + 488, UINT32_MAX);
	st_le32(info + 492, UINT32_MAX);
	st_le32(info + 508, 0xaa550000);
	memcpy(b + 6 * SECTOR, b, 2 * SECTOR);
}

struct err *volume_lay_out(struct volume *v, const struct vvfat_layout *how, u64 content)
{
	shape(v, how, content);
	struct err *e = divide(v, how->floppy);
	if (e)
		return e;
	v->head = try_alloc((u64)v->data * SECTOR);
	if (!v->head)
		return err_new(ERR_BUSY, "No memory for the tables of a disk of %llu bytes",
			       (unsigned long long)v->total * SECTOR);
	if (!how->floppy)
		put_partition(v);
	put_boot_sector(v, how->floppy, how->label);
	if (v->bits == 32)
		put_fat32(v);
	set_next(v, 0, (volume_end_mark(v) & ~0xfu) | (how->floppy ? 0 : 8));
	set_next(v, 1, volume_end_mark(v) | 7);
	return NULL;
}
