/* vvfat: a folder of the host becomes folders and files of the disk. Symbolic links and special files are not shown. */
#include "block/transport/vvfat/vvfat.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct item {
	char *name;
	struct stat st;
};

struct folder {
	char *path; /* below the root; "" is the root */
	struct item *items;
	size_t n, cap;
	u8 *entries;
	size_t used, room; /* entries */
	u32 first; /* cluster */
};

static void folder_free(struct folder *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->items[i].name);
	free(f->items);
	free(f->path);
	free(f->entries);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct item *)a)->name, ((const struct item *)b)->name);
}

static struct err *list(const struct volume *v, struct folder *f)
{
	int fd = volume_open(v, f->path, O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return err_errno(fd < 0 ? -fd : errno, "Could not read directory '%s'", f->path);
	for (struct dirent *d; (d = readdir(dir));) {
		struct stat st;
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0 ||
		    fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
		    !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
			continue;
		f->items = grow(f->items, &f->cap, f->n + 1, sizeof(*f->items));
		f->items[f->n++] = (struct item){ str_dup(d->d_name), st };
	}
	closedir(dir);
	qsort(f->items, f->n, sizeof(*f->items), by_name);
	return NULL;
}

static char *below(const char *path, const char *name)
{
	return *path ? strf("%s/%s", path, name) : str_dup(name);
}

/* ---- how much ---- */

static struct err *measure(const struct volume *v, const char *path, unsigned depth, u64 *sum)
{
	enum { UNIT = 32 << 10 }; /* no cluster is longer */
	AUTO(folder_free) struct folder f = { .path = str_dup(path) };
	struct err *e = depth > MAX_DEPTH
			    ? err_new(ERR_INVALID, "'%s' lies more than %d folders deep", path, MAX_DEPTH)
			    : list(v, &f);
	*sum += UNIT + f.n * 22 * ENTRY;
	for (size_t i = 0; i < f.n && !e; i++) {
		AUTO(free_ptr) char *at = below(path, f.items[i].name);
		if (S_ISDIR(f.items[i].st.st_mode))
			e = measure(v, at, depth + 1, sum);
		else
			*sum += ROUND_UP((u64)f.items[i].st.st_size, (u64)UNIT);
	}
	return e;
}

struct err *volume_measure(const struct volume *v, u64 *ret)
{
	*ret = 0;
	return measure(v, "", 0, ret);
}

/* ---- entries ---- */

static void put_entry(u8 *e, const u8 name[11], u8 attr, u32 cluster, u64 size, time_t when)
{
	struct tm tm;
	localtime_r(&when, &tm);
	bool known = tm.tm_year >= 80 && tm.tm_year < 208;
	u16 date = known ? (tm.tm_year - 80) << 9 | (tm.tm_mon + 1) << 5 | tm.tm_mday : 1 << 5 | 1;
	u16 clock = known ? tm.tm_hour << 11 | tm.tm_min << 5 | tm.tm_sec / 2 : 0;
	memcpy(e, name, 11);
	e[ENTRY_ATTR] = attr;
	st_le16(e + 14, clock);
	st_le16(e + 16, date);
	st_le16(e + 18, date);
	st_le16(e + ENTRY_HIGH, cluster >> 16);
	st_le16(e + ENTRY_TIME, clock);
	st_le16(e + ENTRY_DATE, date);
	st_le16(e + ENTRY_LOW, cluster);
	st_le32(e + ENTRY_SIZE, size);
}

static void add_entry(struct folder *f, const struct item *it, u32 cluster)
{
	u8 name[11];
	unsigned longs;
	bool dir = S_ISDIR(it->st.st_mode);
	name_make_short(it->name, f->entries, f->used, name, &longs);
	name_put_long(it->name, longs, name_sum(name), f->entries + f->used * ENTRY);
	f->used += longs;
	u8 attr = (dir ? ATTR_DIR : ATTR_ARCHIVE) | (it->st.st_mode & 0200 ? 0 : ATTR_READ_ONLY);
	put_entry(f->entries + f->used++ * ENTRY, name, attr, cluster, dir ? 0 : it->st.st_size,
		  it->st.st_mtime);
}

/* Entries at most: the longest name takes 21. */
static size_t entries_for(const struct folder *f)
{
	size_t n = 3;
	for (size_t i = 0; i < f->n; i++)
		n += 1 + (strlen(f->items[i].name) + 12) / 13;
	return n;
}

static struct err *add_file(struct volume *v, const struct folder *f, const struct item *it, u32 *ret)
{
	if (it->st.st_size > UINT32_MAX)
		return err_new(ERR_INVALID, "File '%s' in '%s' is larger than the 4 GiB that FAT can say",
			       it->name, f->path);
	u64 n = (it->st.st_size + v->cluster - 1) / v->cluster;
	struct err *e = volume_take(v, n, ret);
	if (e || !n)
		return e;
	struct source *s = volume_add(v, *ret, n);
	s->path = below(f->path, it->name);
	s->size = it->st.st_size;
	return NULL;
}

static struct err *scan(struct volume *v, const char *path, u32 parent, const char *label, unsigned depth,
			u32 *ret);

static struct err *add_items(struct volume *v, struct folder *f, unsigned depth)
{
	struct err *e = NULL;
	for (size_t i = 0; i < f->n && !e; i++) {
		u32 first;
		AUTO(free_ptr) char *at = below(f->path, f->items[i].name);
		/* Below the root, ".." is cluster 0. */
		if (S_ISDIR(f->items[i].st.st_mode))
			e = scan(v, at, *f->path ? f->first : 0, NULL, depth + 1, &first);
		else
			e = add_file(v, f, &f->items[i], &first);
		if (!e)
			add_entry(f, &f->items[i], first);
	}
	return e;
}

/* The root of FAT12 and FAT16 has a place and a size of its own. */
static struct err *place(struct volume *v, struct folder *f, bool fixed)
{
	f->room = entries_for(f);
	size_t fixed_room = (size_t)v->root_sectors * SECTOR / ENTRY;
	if (fixed && f->room > fixed_room)
		return err_hint(err_new(ERR_INVALID,
					"The root directory has room for %zu entries; %zu are needed",
					fixed_room, f->room),
				"Names of 8.3 capital letters take one entry, others more; fat-type=32 has "
				"no such limit.");
	if (f->room > MAX_ENTRIES)
		return err_new(ERR_INVALID, "Directory '%s' has more than %d entries", f->path, MAX_ENTRIES);
	f->room = fixed ? fixed_room : ROUND_UP(f->room * ENTRY, (size_t)v->cluster) / ENTRY;
	f->entries = try_alloc(f->room * ENTRY);
	if (!f->entries)
		return err_new(ERR_BUSY, "No memory for directory '%s'", f->path);
	return fixed ? NULL : volume_take(v, f->room * ENTRY / v->cluster, &f->first);
}

static void begin_folder(struct folder *f, u32 parent, const char *label)
{
	static const u8 dot[11] = ".          ", dots[11] = "..         ";
	time_t now = time(NULL);
	if (label) {
		put_entry(f->entries + f->used++ * ENTRY, (const u8 *)label, ATTR_VOLUME, 0, 0, now);
		return;
	}
	put_entry(f->entries + f->used++ * ENTRY, dot, ATTR_DIR, f->first, 0, now);
	put_entry(f->entries + f->used++ * ENTRY, dots, ATTR_DIR, parent, 0, now);
}

static struct err *scan(struct volume *v, const char *path, u32 parent, const char *label, unsigned depth,
			u32 *ret)
{
	AUTO(folder_free) struct folder f = { .path = str_dup(path) };
	bool fixed = !*path && v->root_sectors;
	struct err *e = depth > MAX_DEPTH
			    ? err_new(ERR_INVALID, "'%s' lies more than %d folders deep", path, MAX_DEPTH)
			    : list(v, &f);
	if (!e)
		e = place(v, &f, fixed);
	if (e)
		return e;
	size_t source = v->n_sources;
	if (!fixed)
		volume_add(v, f.first, f.room * ENTRY / v->cluster);
	begin_folder(&f, parent, label);
	e = add_items(v, &f, depth);
	*ret = f.first;
	if (fixed) {
		memcpy(v->head + ((u64)v->data - v->root_sectors) * SECTOR, f.entries, f.room * ENTRY);
	} else {
		v->sources[source].dir = f.entries;
		f.entries = NULL;
	}
	return e;
}

struct err *volume_scan(struct volume *v, const char *label)
{
	u32 root;
	struct err *e = scan(v, "", 0, label, 0, &root);
	u64 fat = (u64)v->fat_sectors * SECTOR;
	if (!e)
		memcpy(volume_fat(v) + fat, volume_fat(v), fat);
	return e;
}
