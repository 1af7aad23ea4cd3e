/*
 * For perf: which host addresses are which guest functions.
 * Formats: tools/perf/Documentation/jit-interface.txt and jitdump-specification.txt of the Linux kernel.
 */
#include "base/err.h"
#include "translate/engine/priv.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct perf {
	int map, dump; /* files; -1: not wanted */
	void *marker; /* a mapping by which perf learns of the dump */
	u64 n_code;
	bool broken; /* a file could not be written: no more tries */
};

enum { JIT_MAGIC = 0x4a695444, JIT_VERSION = 1, JIT_CODE_LOAD = 0, NAME_SIZE = 256 };
struct jit_header {
	u32 magic, version, size, machine, pad, pid;
	u64 time, flags;
};
_Static_assert(sizeof(struct jit_header) == 40, "as specified");
struct jit_load {
	u32 id, size;
	u64 time;
	u32 pid, tid;
	u64 vma, addr, len, index;
};
_Static_assert(sizeof(struct jit_load) == 56, "as specified");

static u64 now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

static u32 host_machine(void)
{
#if defined(__x86_64__)
	return EM_X86_64;
#elif defined(__aarch64__)
	return EM_AARCH64;
#else
	return EM_NONE;
#endif
}

static struct err *create(const char *name, int *ret_fd)
{
	unlink(name); /* of a process that had our number before; never somebody's link */
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno(errno, "cannot make '%s'", name);
	*ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, 512);
	if (*ret_fd < 0) {
		*ret_fd = fd;
		return NULL;
	}
	close(fd);
	return NULL;
}

static struct err *open_map(struct perf *f)
{
	char name[64];
	snprintf(name, sizeof(name), "/tmp/perf-%d.map", getpid());
	return create(name, &f->map);
}

static struct err *open_dump(struct perf *f)
{
	char name[64];
	const struct jit_header h = { .magic = JIT_MAGIC,
				      .version = JIT_VERSION,
				      .size = sizeof(h),
				      .machine = host_machine(),
				      .pid = (u32)getpid(),
				      .time = now() };
	snprintf(name, sizeof(name), "jit-%d.dump", getpid());
	struct err *e = create(name, &f->dump);
	if (e)
		return e;
	if (write(f->dump, &h, sizeof(h)) != sizeof(h))
		return err_errno(errno, "cannot write '%s'", name);
	f->marker = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, f->dump, 0);
	return f->marker == MAP_FAILED ? err_errno(errno, "cannot map '%s' for perf to see", name) : NULL;
}

static struct err *open_files(struct engine *e, struct perf *f)
{
	struct err *err = NULL;
	*f = (struct perf){ .map = -1, .dump = -1 };
	if (e->config.perf_map)
		err = open_map(f);
	if (!err && e->config.jit_dump)
		err = open_dump(f);
	return err;
}

struct err *perf_begin(struct engine *e)
{
	if (!e->config.perf_map && !e->config.jit_dump)
		return NULL;
	e->perf = alloc(sizeof(*e->perf));
	return open_files(e, e->perf);
}

static void put(struct perf *f, int fd, const void *data, size_t len)
{
	if (!f->broken && write(fd, data, len) != (ssize_t)len)
		f->broken = true;
}

static void name_of(const struct engine *e, u64 pc, char name[NAME_SIZE])
{
	name[0] = 0;
	if (e->config.symbol)
		e->config.symbol(e->config.user, pc, name, NAME_SIZE);
	if (!name[0])
		snprintf(name, NAME_SIZE, "guest-%llx", (unsigned long long)pc);
}

static void put_map(struct perf *f, const struct tb *tb, const char *name)
{
	char line[NAME_SIZE + 64];
	int n = snprintf(line, sizeof(line), "%llx %x %s\n", (unsigned long long)(uintptr_t)tb->code,
			 tb->size, name);
	put(f, f->map, line, (size_t)n);
}

static void put_dump(struct perf *f, const struct tb *tb, const char *name)
{
	size_t name_len = strlen(name) + 1, total = sizeof(struct jit_load) + name_len + tb->size;
	const struct jit_load r = { .id = JIT_CODE_LOAD,
				    .size = (u32)total,
				    .time = now(),
				    .pid = (u32)getpid(),
				    .tid = (u32)syscall(SYS_gettid),
				    .vma = (u64)(uintptr_t)tb->code,
				    .addr = (u64)(uintptr_t)tb->code,
				    .len = tb->size,
				    .index = f->n_code++ };
	u8 *all = alloc(total);
	memcpy(all, &r, sizeof(r));
	memcpy(all + sizeof(r), name, name_len);
	memcpy(all + sizeof(r) + name_len, tb->code, tb->size);
	put(f, f->dump, all, total);
	free(all);
}

void perf_region(struct engine *e, const struct tb *tb)
{
	struct perf *f = e->perf;
	char name[NAME_SIZE];
	if (LIKELY(!f) || !tb->code)
		return;
	name_of(e, tb->pc, name);
	if (f->map >= 0)
		put_map(f, tb, name);
	if (f->dump >= 0)
		put_dump(f, tb, name);
}

/* The child's files are its own, and begin with what it has from its parent. */
void perf_after_fork(struct engine *e)
{
	if (!e->perf)
		return;
	if (e->perf->map >= 0)
		close(e->perf->map);
	if (e->perf->dump >= 0)
		close(e->perf->dump);
	if (e->perf->marker)
		munmap(e->perf->marker, 4096);
	struct err *err = open_files(e, e->perf);
	if (err) { /* the program is worth more than its profile */
		err_free(err);
		e->perf->broken = true;
	}
	for (size_t a = 0; a < e->size / ARENA; a++)
		for (u32 i = 0; i < e->arena[a].n; i++)
			perf_region(e, e->arena[a].tb[i]);
}

void perf_end(struct engine *e)
{
	free(e->perf);
}
