/*
 * vvfat: what the guest wrote becomes files again.
 *
 * The file system is read as the guest sees it and compared with how it was the last time. New contents are written beside the
 * files and then take their names, so that each file is the old or the new one whenever the program ends. Files whose name goes
 * to something else stay open: clusters that nobody wrote to still come from them. Only what the guest was shown is ever removed.
 */
#include "block/transport/vvfat/vvfat.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_LONGS = 20, MAX_PATH = 4096 };

struct record {
	char *path;
	bool dir, changed;
	u32 first;
	u64 size, chain; /* chain: a hash of its clusters */
	int temp; /* number of the file with the new contents; -1: none */
};

struct records {
	struct record *list; /* by path */
	size_t n, cap;
};

struct sync {
	struct volume *v;
	int (*read)(void *user, u64 offset, void *buf, size_t len);
	void *user;
	struct records known;
	bool started;
};

/* One reading of the file system. */
struct walk {
	struct sync *s;
	const struct blk_dirty *dirty; /* NULL: nothing counts as changed */
	u8 *fat, *used; /* used: a byte a cluster */
	struct records now;
};

static void records_free(struct records *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->list[i].path);
	free(r->list);
	*r = (struct records){ 0 };
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct record *)a)->path, ((const struct record *)b)->path);
}

static struct record *find(const struct records *r, const char *path)
{
	struct record key = { .path = (char *)path };
	return r->n ? bsearch(&key, r->list, r->n, sizeof(key), by_path) : NULL;
}

/* ---- reading the file system ---- */

static u64 place_of(const struct volume *v, u32 cluster)
{
	return (u64)v->data * SECTOR + (u64)(cluster - 2) * v->cluster;
}

static bool is_cluster(const struct volume *v, u32 cluster)
{
	return cluster >= 2 && cluster < v->clusters + 2;
}

static bool was_written(const struct walk *w, u32 cluster)
{
	const struct volume *v = w->s->v;
	u64 at, len, from = place_of(v, cluster);
	return w->dirty && blk_dirty_next(w->dirty, from, &at, &len) && at < from + v->cluster;
}

/* Follows a chain, every cluster of which is its own; fills the record in. Gives the number of clusters. */
static int follow(struct walk *w, struct record *r, u64 *ret_n)
{
	const struct volume *v = w->s->v;
	u64 n = 0, hash = 14695981039346656037ull;
	for (u32 c = r->first; c; c = volume_next(v, w->fat, c)) {
		if (c >= volume_end_mark(v))
			break;
		if (!is_cluster(v, c) || w->used[c])
			return -EAGAIN;
		w->used[c] = 1;
		hash = (hash ^ c) * 1099511628211ull;
		r->changed |= !r->dir && n * v->cluster < r->size && was_written(w, c);
		n++;
	}
	r->chain = hash;
	*ret_n = n;
	return r->dir || n * v->cluster >= r->size ? 0 : -EAGAIN;
}

static int read_chain(struct walk *w, u32 first, u8 *buf, u64 n)
{
	const struct volume *v = w->s->v;
	int r = 0;
	for (u64 i = 0; i < n && !r; i++, first = volume_next(v, w->fat, first))
		r = w->s->read(w->s->user, place_of(v, first), buf + i * v->cluster, v->cluster);
	return r;
}

static int walk_entries(struct walk *w, const char *path, const u8 *entries, u64 n, unsigned depth);

static int walk_folder(struct walk *w, const char *path, u32 first, u64 clusters, unsigned depth)
{
	u64 bytes = clusters * w->s->v->cluster;
	if (depth > MAX_DEPTH || bytes > (u64)MAX_ENTRIES * ENTRY || strlen(path) > MAX_PATH)
		return -EAGAIN;
	AUTO(free_ptr) u8 *entries = try_alloc(bytes);
	if (!entries)
		return -ENOMEM;
	int r = read_chain(w, first, entries, clusters);
	return r ? r : walk_entries(w, path, entries, bytes / ENTRY, depth);
}

static int walk_entry(struct walk *w, const char *path, const u8 *e, char *name, unsigned depth)
{
	struct record rec = { .dir = e[ENTRY_ATTR] & ATTR_DIR,
			      .first = ld_le16(e + ENTRY_LOW) |
				       (w->s->v->bits == 32 ? ld_le16(e + ENTRY_HIGH) << 16 : 0),
			      .size = ld_le32(e + ENTRY_SIZE),
			      .temp = -1 };
	u64 clusters;
	int r = follow(w, &rec, &clusters);
	if (r)
		return r;
	rec.path = *path ? strf("%s/%s", path, name) : str_dup(name);
	w->now.list = grow(w->now.list, &w->now.cap, w->now.n + 1, sizeof(rec));
	w->now.list[w->now.n++] = rec;
	return rec.dir ? walk_folder(w, rec.path, rec.first, clusters, depth + 1) : 0;
}

static int walk_entries(struct walk *w, const char *path, const u8 *entries, u64 n, unsigned depth)
{
	u8 longs[MAX_LONGS * ENTRY];
	unsigned n_long = 0;
	int r = 0;
	for (u64 i = 0; i < n && entries[i * ENTRY] && !r; i++) {
		const u8 *e = entries + i * ENTRY;
		if (e[0] != 0xe5 && (e[ENTRY_ATTR] & 0x3f) == ATTR_LONG && n_long < MAX_LONGS) {
			memcpy(longs + n_long++ * ENTRY, e, ENTRY);
			continue;
		}
		if (e[0] != 0xe5 && !(e[ENTRY_ATTR] & ATTR_VOLUME) && e[0] != '.') {
			AUTO(free_ptr) char *name = name_of_entry(e, longs, n_long);
			if (name)
				r = walk_entry(w, path, e, name, depth);
		}
		n_long = 0;
	}
	return r;
}

static int walk_root(struct walk *w)
{
	const struct volume *v = w->s->v;
	if (!v->root_sectors) {
		struct record root = { .dir = true, .first = 2 };
		u64 clusters;
		int r = follow(w, &root, &clusters);
		return r ? r : walk_folder(w, "", 2, clusters, 0);
	}
	u64 bytes = (u64)v->root_sectors * SECTOR;
	AUTO(free_ptr) u8 *entries = try_alloc(bytes);
	if (!entries)
		return -ENOMEM;
	int r = w->s->read(w->s->user, (u64)v->data * SECTOR - bytes, entries, bytes);
	return r ? r : walk_entries(w, "", entries, bytes / ENTRY, 0);
}

static int walk_begin(struct walk *w)
{
	const struct volume *v = w->s->v;
	u64 bytes = (u64)v->fat_sectors * SECTOR;
	w->fat = try_alloc(bytes);
	w->used = try_alloc(v->clusters + 2);
	if (!w->fat || !w->used)
		return -ENOMEM;
	int r = w->s->read(w->s->user, (u64)(v->base + v->reserved) * SECTOR, w->fat, bytes);
	if (!r)
		r = walk_root(w);
	if (r)
		return r;
	if (w->now.n)
		qsort(w->now.list, w->now.n, sizeof(*w->now.list), by_path);
	/* Two files of one name: the guest is about to move one. */
	for (size_t i = 1; i < w->now.n; i++)
		if (strcmp(w->now.list[i - 1].path, w->now.list[i].path) == 0)
			return -EAGAIN;
	return 0;
}

static void walk_end(struct walk *w)
{
	free(w->fat);
	free(w->used);
	records_free(&w->now);
}

/* ---- changing the folder ---- */

static void temp_name(int number, char out[40])
{
	snprintf(out, 40, ".rhea-vvfat-%d-%d", (int)getpid(), number);
}

static bool same(const struct record *was, const struct record *is)
{
	return was && was->dir == is->dir &&
	       (is->dir || (was->first == is->first && was->size == is->size && was->chain == is->chain &&
			    !is->changed));
}

/* The file's bytes stay to be had when its name goes. */
static int keep_open(struct volume *v, const char *path)
{
	for (size_t i = 0; i < v->n_sources; i++) {
		struct source *src = &v->sources[i];
		if (src->fd >= 0 || !src->path || strcmp(src->path, path) != 0)
			continue;
		src->fd = volume_open(v, path, O_RDONLY, 0);
		return src->fd < 0 ? src->fd : 0;
	}
	return 0;
}

static int write_all(int fd, const u8 *buf, size_t len)
{
	for (ssize_t n; len; buf += n, len -= n)
		if ((n = write(fd, buf, len)) < 0)
			return -errno;
	return 0;
}

static int copy_out(struct walk *w, const struct record *r, int fd)
{
	const struct volume *v = w->s->v;
	AUTO(free_ptr) u8 *buf = try_alloc(v->cluster);
	int err = buf ? 0 : -ENOMEM;
	u32 c = r->first;
	for (u64 at = 0; at < r->size && !err; at += v->cluster, c = volume_next(v, w->fat, c)) {
		err = w->s->read(w->s->user, place_of(v, c), buf, v->cluster);
		if (!err)
			err = write_all(fd, buf, MIN(r->size - at, (u64)v->cluster));
	}
	return !err && fsync(fd) ? -errno : err;
}

static int make_temp(struct walk *w, struct record *r, int number)
{
	char name[40];
	struct stat st;
	temp_name(number, name);
	/* A file that is there already keeps its mode. */
	int old = volume_open(w->s->v, r->path, O_RDONLY | O_NONBLOCK, 0);
	mode_t mode = old >= 0 && fstat(old, &st) == 0 ? st.st_mode & 0777 : 0644;
	if (old >= 0)
		close(old);
	int fd = openat(w->s->v->root, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	r->temp = number;
	int err = copy_out(w, r, fd);
	close(fd);
	return err;
}

/* What carries the old names must be open, and the new contents written, before anything changes. */
static int prepare(struct walk *w)
{
	struct sync *s = w->s;
	int r = 0, temps = 0;
	for (size_t i = 0; i < s->known.n && !r; i++) {
		const struct record *was = &s->known.list[i], *is = find(&w->now, was->path);
		if (!was->dir && (!is || !same(was, is)))
			r = keep_open(s->v, was->path);
	}
	for (size_t i = 0; i < w->now.n && !r; i++) {
		struct record *is = &w->now.list[i];
		if (!is->dir && !same(find(&s->known, is->path), is))
			r = make_temp(w, is, temps++);
	}
	return r;
}

/* The folder that holds a path, and the name in it. */
static int parent_of(const struct volume *v, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	AUTO(free_ptr) char *folder = strf("%.*s", slash ? (int)(slash - path) : 0, path);
	*ret_name = slash ? slash + 1 : path;
	return volume_open(v, folder, O_RDONLY | O_DIRECTORY, 0);
}

enum step { REMOVE, REMOVE_DIR, MAKE_DIR, RENAME };

static int change(const struct volume *v, enum step step, const struct record *r)
{
	const char *name;
	char temp[40];
	int dir = parent_of(v, r->path, &name), err = 0;
	if (dir < 0)
		return dir;
	temp_name(r->temp, temp);
	switch (step) {
	case REMOVE:
		err = unlinkat(dir, name, 0);
		break;
	case REMOVE_DIR:
		err = unlinkat(dir, name, AT_REMOVEDIR);
		break;
	case MAKE_DIR:
		err = mkdirat(dir, name, 0755);
		break;
	case RENAME:
		err = renameat(v->root, temp, dir, name);
		break;
	}
	err = err ? -errno : 0;
	close(dir);
	/* Somebody else did it, or keeps something there that the guest never saw. */
	if ((step == REMOVE && err == -ENOENT) || (step == MAKE_DIR && err == -EEXIST) ||
	    (step == REMOVE_DIR && (err == -ENOENT || err == -ENOTEMPTY)))
		err = 0;
	return err;
}

static int carry_out(struct walk *w)
{
	struct sync *s = w->s;
	int r = 0;
	for (size_t i = s->known.n; i-- && !r;) { /* what is in a folder before the folder */
		const struct record *was = &s->known.list[i], *is = find(&w->now, was->path);
		if (!is || is->dir != was->dir)
			r = change(s->v, was->dir ? REMOVE_DIR : REMOVE, was);
	}
	for (size_t i = 0; i < w->now.n && !r; i++) {
		struct record *is = &w->now.list[i];
		if (is->dir && !same(find(&s->known, is->path), is))
			r = change(s->v, MAKE_DIR, is);
	}
	for (size_t i = 0; i < w->now.n && !r; i++) {
		struct record *is = &w->now.list[i];
		if (is->temp >= 0 && !(r = change(s->v, RENAME, is)))
			is->temp = -1;
	}
	return r;
}

static void drop_temps(struct walk *w)
{
	for (size_t i = 0; i < w->now.n; i++) {
		char name[40];
		if (w->now.list[i].temp < 0)
			continue;
		temp_name(w->now.list[i].temp, name);
		unlinkat(w->s->v->root, name, 0);
	}
}

int sync_run(struct sync *s, const struct blk_dirty *dirty)
{
	struct walk w = { .s = s, .dirty = s->started ? dirty : NULL };
	int r = walk_begin(&w);
	if (!r && s->started)
		r = prepare(&w);
	if (!r && s->started)
		r = carry_out(&w);
	if (!r && s->started && fsync(s->v->root))
		r = -errno;
	drop_temps(&w);
	if (!r) {
		records_free(&s->known);
		s->known = w.now;
		w.now = (struct records){ 0 };
		s->started = true;
	}
	walk_end(&w);
	return r;
}

struct sync *sync_new(struct volume *v, int (*read)(void *, u64, void *, size_t), void *user)
{
	struct sync *s = alloc(sizeof(*s));
	*s = (struct sync){ .v = v, .read = read, .user = user };
	return s;
}

void sync_free(struct sync *s)
{
	if (s)
		records_free(&s->known);
	free(s);
}
