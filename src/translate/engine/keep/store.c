/* See store.h. */
#include "translate/engine/keep/store.h"
#include "base/hash.h"
#include "translate/host/host.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAGIC 0x5045454b41454852ull /* "RHEAKEEP" */
#define SEGMENT_MAGIC 0x4d474553u /* "SEGM" */
enum { VERSION = 3, MAX_SEGMENTS = 16, FLUSH_AT = 1 << 20, MAX_RECORD = 1 << 20 };
#define MAX_FILE (256 * MiB)
#define MAX_ALL GiB /* of a directory */
#define USED_AGAIN (24 * 3600) /* seconds after which a use is noted in the file's time */

struct file_head {
	u64 magic, version;
	struct store_id id;
	u64 check;
};
struct slot { /* of an index */
	u32 tag; /* the upper half of the hash */
	u32 at; /* the record's place in the segment, in units of 16 bytes; 0: free */
};
struct segment {
	u32 magic, n_slot; /* a power of two */
	u64 size; /* with head and index, a multiple of 16 */
	u64 check; /* of n_slot, size and index */
	u64 spare;
	struct slot slot[];
};

struct store {
	char *path, *dir;
	struct store_id id;
	const u8 *map;
	size_t map_size;
	const struct segment *seg[MAX_SEGMENTS];
	u32 n_seg;
	size_t good; /* bytes of the file up to the last intact segment; 0: no file */
	u8 *fresh; /* new records */
	size_t n_fresh, fresh_cap;
	u32 n_records; /* new ones */
	size_t end; /* the file's size when it was left; 0: it was not written to, or not to the end */
	u32 n_end; /* segments that it had then */
};

/* ---- records ---- */
u32 kept_size(const struct kept *k)
{
	if (k->code_size > MAX_RECORD || k->n_span > 64 || k->n_ways > MAX_RECORD / 16 ||
	    k->n_site > MAX_RECORD / 12 || k->n_reloc > MAX_RECORD / 8)
		return 0;
	u64 size = sizeof(struct kept) + ROUND_UP(k->code_size, 8u) + k->n_span * sizeof(struct kept_span) +
		   k->n_ways * sizeof(struct kept_way) + k->n_site * sizeof(struct kept_site) +
		   k->n_reloc * sizeof(struct kept_reloc);
	return size > MAX_RECORD ? 0 : (u32)ROUND_UP(size, 16u);
}

static u64 record_check(const struct kept *k)
{
	return hash_bytes((const u8 *)k + sizeof(k->check), k->size - sizeof(k->check), 0);
}

/* Is the record at `at` of a segment one that can be used? */
static const struct kept *record(const struct segment *g, u64 at)
{
	if (at + sizeof(struct kept) > g->size)
		return NULL;
	const struct kept *k = (const struct kept *)((const u8 *)g + at);
	if (k->size > g->size - at || !k->size || k->size != kept_size(k) || k->check != record_check(k))
		return NULL;
	for (u32 i = 0; i < k->n_site; i++)
		if (kept_sites(k)[i].leave >= k->code_size)
			return NULL;
	for (u32 i = 0; i < k->n_ways; i++) {
		const struct kept_way *w = &kept_ways(k)[i];
		if (w->at > k->code_size || w->at < HOST_CALL_SIZE || w->what >> 8 > k->code_size - 4)
			return NULL;
	}
	for (u32 i = 0; i < k->n_reloc; i++) { /* what is changed lies inside the code */
		const struct kept_reloc *r = &kept_relocs(k)[i];
		if (r->at > k->code_size || k->code_size - r->at < (r->kind == HOST_RELOC_STUB ? 4 : 8))
			return NULL;
	}
	return k;
}

/* ---- segments ---- */
static u64 segment_check(const struct segment *g)
{
	u64 seed = hash_pair(g->n_slot, g->size);
	return hash_bytes(g->slot, g->n_slot * sizeof(g->slot[0]), seed);
}

static void index_add(struct segment *g, const struct kept *k)
{
	u64 h = hash_pair(k->pc, k->key);
	u32 i = h & (g->n_slot - 1);
	while (g->slot[i].at)
		i = (i + 1) & (g->n_slot - 1);
	g->slot[i] = (struct slot){ h >> 32, ((const u8 *)k - (const u8 *)g) / 16 };
}

static const struct kept *segment_find(const struct segment *g, u64 pc, u64 key,
				       bool (*fits)(void *, const struct kept *), void *user)
{
	u64 h = hash_pair(pc, key);
	u32 i = h & (g->n_slot - 1);
	for (u32 left = g->n_slot; left && g->slot[i].at; left--, i = (i + 1) & (g->n_slot - 1)) {
		if (g->slot[i].tag != (u32)(h >> 32))
			continue;
		const struct kept *k = record(g, 16ull * g->slot[i].at);
		if (k && k->pc == pc && k->key == key && fits(user, k))
			return k;
	}
	return NULL;
}

const struct kept *store_find(const struct store *s, u64 pc, u64 key,
			      bool (*fits)(void *, const struct kept *), void *user)
{
	const struct kept *k = NULL;
	for (u32 i = s->n_seg; i-- > 0 && !k;)
		k = segment_find(s->seg[i], pc, key, fits, user);
	return k;
}

/* ---- reading a file ---- */
static u64 head_check(const struct file_head *h)
{
	return hash_bytes(h, offsetof(struct file_head, check), 0);
}

static bool head_fits(const struct store *s, const struct file_head *h)
{
	return h->magic == FILE_MAGIC && h->version == VERSION &&
	       memcmp(&h->id, &s->id, sizeof(s->id)) == 0 && h->check == head_check(h);
}

static void find_segments(struct store *s)
{
	const size_t first = ROUND_UP(sizeof(struct file_head), 16u);
	s->n_seg = 0;
	s->good = 0;
	if (s->map_size < first || !head_fits(s, (const struct file_head *)s->map))
		return;
	for (s->good = first; s->n_seg < MAX_SEGMENTS && s->map_size - s->good >= sizeof(struct segment);) {
		const struct segment *g = (const struct segment *)(s->map + s->good);
		u64 index = (u64)g->n_slot * sizeof(g->slot[0]);
		if (g->magic != SEGMENT_MAGIC || g->size > s->map_size - s->good || g->size & 15 ||
		    !g->n_slot || g->n_slot & (g->n_slot - 1) || sizeof(*g) + index > g->size ||
		    g->check != segment_check(g))
			break;
		s->seg[s->n_seg++] = g;
		s->good += g->size;
	}
}

static void unmap(struct store *s)
{
	if (s->map)
		munmap((void *)s->map, s->map_size);
	s->map = NULL;
	s->map_size = s->n_seg = s->good = 0;
}

/* Only what is ours alone to write is believed. */
static bool trusted(int fd, struct stat *st)
{
	return !fstat(fd, st) && S_ISREG(st->st_mode) && st->st_uid == geteuid() && !(st->st_mode & 022) &&
	       (u64)st->st_size <= MAX_FILE;
}

static void map_file(struct store *s, int fd, size_t size)
{
	void *map = size ? mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
	if (map == MAP_FAILED)
		return;
	s->map = map;
	s->map_size = size;
	find_segments(s);
}

struct store *store_open(const char *dir, const struct store_id *id)
{
	struct store *s = alloc(sizeof(*s));
	s->dir = str_dup(dir);
	s->id = *id;
	s->path = strf("%s/%016llx", dir, (unsigned long long)hash_bytes(id, sizeof(*id), 0));
	int fd = open(s->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	if (fd < 0)
		return s;
	if (trusted(fd, &st)) {
		map_file(s, fd, st.st_size);
		if (st.st_mtime + USED_AGAIN < time(NULL))
			futimens(fd, NULL);
	}
	close(fd);
	return s;
}

void store_free(struct store *s)
{
	unmap(s);
	free(s->fresh);
	free(s->path);
	free(s->dir);
	free(s);
}

/* ---- writing ---- */
struct kept *store_add(struct store *s, const struct kept *counts)
{
	u32 size = kept_size(counts);
	if (!size)
		return NULL;
	s->fresh = grow(s->fresh, &s->fresh_cap, s->n_fresh + size, 1);
	struct kept *k = (struct kept *)(s->fresh + s->n_fresh);
	memset(k, 0, size);
	*k = *counts;
	k->size = size;
	return k;
}

void store_added(struct store *s)
{
	struct kept *k = (struct kept *)(s->fresh + s->n_fresh);
	k->check = record_check(k);
	s->n_fresh += k->size;
	s->n_records++;
	if (s->n_fresh >= FLUSH_AT)
		store_flush(s);
}

void store_forget(struct store *s)
{
	free(s->fresh);
	s->fresh = NULL;
	s->n_fresh = s->fresh_cap = s->n_records = 0;
}

static bool same(void *user, const struct kept *k)
{
	const struct kept *other = user;
	return k->n_span == other->n_span &&
	       memcmp(kept_spans(k), kept_spans(other), k->n_span * sizeof(struct kept_span)) == 0;
}

/* Room for a segment of at most n records of `bytes` bytes; its size field says what is used. Freed by the caller. */
static struct segment *segment_new(u32 n, size_t bytes)
{
	u32 slots = 8;
	while (slots < n * 2)
		slots *= 2;
	size_t head = ROUND_UP(sizeof(struct segment) + slots * sizeof(struct slot), 16u);
	struct segment *g = alloc(head + bytes);
	g->magic = SEGMENT_MAGIC;
	g->n_slot = slots;
	g->size = head;
	return g;
}

static void segment_add(struct segment *g, const struct kept *k)
{
	struct kept *copy = (struct kept *)((u8 *)g + g->size);
	memcpy(copy, k, k->size);
	g->size += k->size;
	index_add(g, copy);
}

/* The new records that the file (as mapped) does not have; NULL: none. */
static struct segment *fresh_segment(const struct store *s)
{
	struct segment *g = segment_new(s->n_records, s->n_fresh);
	size_t empty = g->size;
	for (size_t at = 0; at < s->n_fresh;) {
		struct kept *k = (struct kept *)(s->fresh + at);
		if (!store_find(s, k->pc, k->key, same, k))
			segment_add(g, k);
		at += k->size;
	}
	if (g->size == empty) {
		free(g);
		return NULL;
	}
	g->check = segment_check(g);
	return g;
}

static u32 count(const struct segment *g)
{
	u32 n = 0;
	for (u32 i = 0; i < g->n_slot; i++)
		n += g->slot[i].at != 0;
	return n;
}

/* One segment with all of the file's records and these. */
static struct segment *join(const struct store *s, const struct segment *more)
{
	u32 n = count(more);
	u64 bytes = more->size;
	for (u32 i = 0; i < s->n_seg; i++) {
		n += count(s->seg[i]);
		bytes += s->seg[i]->size;
	}
	struct segment *all = segment_new(n, bytes);
	u64 end = all->size + bytes;
	for (u32 i = 0; i <= s->n_seg; i++) {
		const struct segment *g = i < s->n_seg ? s->seg[i] : more;
		for (u32 slot = 0; slot < g->n_slot; slot++) {
			const struct kept *k = g->slot[slot].at ? record(g, 16ull * g->slot[slot].at) : NULL;
			if (k && k->size <= end - all->size) /* indices may name one record many times */
				segment_add(all, k);
		}
	}
	all->check = segment_check(all);
	return all;
}

static bool write_at(int fd, const void *bytes, size_t len, u64 at)
{
	struct rlimit most; /* beyond it a write is a signal, which the guest would get */
	if (getrlimit(RLIMIT_FSIZE, &most) || at + len > most.rlim_cur)
		return false;
	return pwrite(fd, bytes, len, (off_t)at) == (ssize_t)len;
}

static bool write_file(const struct store *s, int fd, const struct segment *g)
{
	struct file_head h = { .magic = FILE_MAGIC, .version = VERSION, .id = s->id };
	h.check = head_check(&h);
	return write_at(fd, &h, sizeof(h), 0) && write_at(fd, g, g->size, ROUND_UP(sizeof(h), 16u));
}

/* A whole new file in the place of the old one, whose readers keep what they have mapped. */
static void replace(const struct store *s, const struct segment *g)
{
	char *name = strf("%s.%d", s->path, (int)getpid());
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0) {
		if (!write_file(s, fd, g) || rename(name, s->path) < 0)
			unlink(name);
		close(fd);
	}
	free(name);
}

void store_make_dir(const char *dir)
{
	char *path = str_dup(dir);
	for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		mkdir(path, 0700);
		*slash = '/';
	}
	mkdir(path, 0700);
	free(path);
}

static void append_segment(struct store *s, int fd, const struct segment *g, u64 at, u32 n_before)
{
	bool done = at + g->size <= MAX_FILE && write_at(fd, g, g->size, at);
	s->end = done ? at + g->size : 0;
	s->n_end = n_before + 1;
}

/* To a file that nobody has written to since we did: what we wrote then need not be looked at. */
static void append_again(struct store *s, int fd)
{
	struct segment *g = fresh_segment(s);
	if (g)
		append_segment(s, fd, g, s->end, s->n_end);
	free(g);
}

/*
 * Into the file, which is mapped anew: what others have added is looked at, too. The store itself stays as it is, for other threads look things up
 * in it, and records of its own mapping may be in use.
 */
static void append(struct store *s, int fd)
{
	struct stat st;
	if (!trusted(fd, &st))
		return;
	if (s->end && (u64)st.st_size == s->end && s->n_end < MAX_SEGMENTS) {
		append_again(s, fd);
		return;
	}
	struct store now = *s;
	now.map = NULL;
	now.map_size = now.n_seg = now.good = now.end = 0;
	map_file(&now, fd, st.st_size);
	struct segment *g = fresh_segment(&now);
	if (g && now.n_seg == MAX_SEGMENTS) {
		struct segment *all = join(&now, g);
		replace(&now, all);
		free(all);
	} else if (g && now.good) {
		append_segment(&now, fd, g, now.good, now.n_seg);
	} else if (g) { /* nothing in it, or nothing that can be used */
		if (st.st_size)
			replace(&now, g);
		else if (write_file(&now, fd, g))
			now.end = ROUND_UP(sizeof(struct file_head), 16u) + g->size, now.n_end = 1;
		store_prune(s->dir, MAX_ALL);
	}
	free(g);
	unmap(&now);
	s->end = now.end;
	s->n_end = now.n_end;
}

void store_flush(struct store *s)
{
	if (!s->n_fresh)
		return;
	int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
	int fd = open(s->path, flags, 0600);
	if (fd < 0) {
		store_make_dir(s->dir);
		fd = open(s->path, flags, 0600);
	}
	if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB))
		append(s, fd);
	if (fd >= 0)
		close(fd);
	store_forget(s);
}

/* ---- a directory of them ---- */
struct entry {
	char name[24];
	u64 bytes;
	time_t used;
};

static int by_use(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	return x->used < y->used ? -1 : x->used > y->used;
}

static struct entry *list(const char *dir, size_t *ret_n)
{
	struct entry *all = NULL;
	size_t n = 0, cap = 0;
	DIR *d = opendir(dir);
	struct stat st;
	for (struct dirent *e; d && (e = readdir(d));) {
		if (strspn(e->d_name, "0123456789abcdef") != 16 || strlen(e->d_name) >= sizeof(all->name) ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
			continue;
		all = grow(all, &cap, n + 1, sizeof(*all));
		all[n] = (struct entry){ .bytes = st.st_size, .used = st.st_mtime };
		strcpy(all[n++].name, e->d_name);
	}
	if (d)
		closedir(d);
	*ret_n = n;
	return all;
}

struct store_usage store_usage(const char *dir)
{
	struct store_usage u = { 0 };
	size_t n;
	struct entry *all = list(dir, &n);
	for (size_t i = 0; i < n; i++)
		u.bytes += all[i].bytes;
	u.files = n;
	free(all);
	return u;
}

void store_prune(const char *dir, u64 most)
{
	size_t n;
	struct entry *all = list(dir, &n);
	u64 bytes = 0;
	for (size_t i = 0; i < n; i++)
		bytes += all[i].bytes;
	if (n)
		qsort(all, n, sizeof(*all), by_use);
	for (size_t i = 0; i < n && (bytes > most || !most); i++) {
		char *path = strf("%s/%s", dir, all[i].name);
		if (!unlink(path))
			bytes -= all[i].bytes;
		free(path);
	}
	free(all);
}
