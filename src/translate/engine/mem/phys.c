/* The physical address space: a sorted array, and RAM in one memory file. */
#include "translate/engine/mem/phys.h"
#include "base/err.h"
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096 };

struct phys_map {
	struct phys_range *range;
	unsigned n;
	size_t cap;
	int fd; /* -1: no RAM yet */
	u64 file_size;
};

struct phys_map *phys_new(void)
{
	struct phys_map *map = alloc(sizeof(*map));
	map->fd = -1;
	return map;
}

void phys_free(struct phys_map *map)
{
	for (unsigned i = 0; i < map->n; i++)
		if (map->range[i].host) {
			munmap(map->range[i].host, map->range[i].size);
			free(map->range[i].code);
			free(map->range[i].windowed);
		}
	if (map->fd >= 0)
		close(map->fd);
	free(map->range);
	free(map);
}

static struct err *add(struct phys_map *map, const struct phys_range *r)
{
	unsigned at = map->n;
	if (!r->size || (r->base | r->size) % PAGE || r->base + r->size - 1 < r->base)
		return err_new(ERR_INVALID, "a range of %#llx bytes at %#llx is not whole pages",
			       (unsigned long long)r->size, (unsigned long long)r->base);
	while (at && map->range[at - 1].base > r->base)
		at--;
	if ((at && map->range[at - 1].base + map->range[at - 1].size > r->base) ||
	    (at < map->n && r->base + r->size > map->range[at].base))
		return err_new(ERR_INVALID, "the range at %#llx overlaps another",
			       (unsigned long long)r->base);
	map->range = grow(map->range, &map->cap, map->n + 1, sizeof(*map->range));
	memmove(map->range + at + 1, map->range + at, (map->n - at) * sizeof(*map->range));
	map->range[at] = *r;
	map->n++;
	return NULL;
}

struct err *phys_add_ram(struct phys_map *map, u64 base, u64 size)
{
	struct phys_range r = { .base = base, .size = size, .offset = map->file_size };
	if (map->fd < 0 && (map->fd = memfd_create("rhea-ram", MFD_CLOEXEC)) < 0)
		return err_errno(errno, "cannot make the guest's memory");
	if (ftruncate(map->fd, (off_t)(map->file_size + size)) < 0)
		return err_errno(errno, "cannot make %llu bytes of guest memory", (unsigned long long)size);
	r.host =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, map->fd, (off_t)r.offset);
	if (r.host == MAP_FAILED)
		return err_errno(errno, "cannot map %llu bytes of guest memory", (unsigned long long)size);
	r.code = alloc(size / PAGE);
	r.windowed = alloc(size / PAGE);
	struct err *e = add(map, &r);
	if (e) {
		munmap(r.host, size);
		free(r.code);
		free(r.windowed);
		return e;
	}
	map->file_size += size;
	return NULL;
}

struct err *phys_add_io(struct phys_map *map, u64 base, u64 size, const struct phys_io *io, void *user)
{
	return add(map, &(struct phys_range){ .base = base, .size = size, .io = io, .user = user });
}

const struct phys_range *phys_find(const struct phys_map *map, u64 addr)
{
	unsigned lo = 0, hi = map->n;
	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		if (map->range[mid].base <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && addr - map->range[lo - 1].base < map->range[lo - 1].size ? &map->range[lo - 1] : NULL;
}

int phys_fd(const struct phys_map *map)
{
	return map->fd;
}
