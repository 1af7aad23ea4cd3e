/*
 * Files of /proc that would show Rhea instead of the guest: they are made here, into a memory file the guest reads.
 * Manual: man 5 proc, Documentation/filesystems/proc.rst.
 */
#include "linux/internal.h"
#include "linux/syscalls/arg.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What follows /proc/self/, /proc/thread-self/, /proc/PID/ or the same with task/TID/ for this process; NULL: another path. */
static const char *self_file(const char *path)
{
	if (strncmp(path, "/proc/", 6) != 0)
		return NULL;
	const char *p = path + 6;
	if (strncmp(p, "self/", 5) == 0) {
		p += 5;
	} else if (strncmp(p, "thread-self/", 12) == 0) {
		p += 12;
	} else {
		char *end;
		long pid = strtol(p, &end, 10);
		if (end == p || *end != '/' || pid != getpid())
			return NULL;
		p = end + 1;
	}
	if (strncmp(p, "task/", 5) == 0) {
		char *end;
		strtol(p + 5, &end, 10);
		if (end > p + 5 && *end == '/')
			p = end + 1;
	}
	return p;
}

bool procfs_is_exe(const char *path)
{
	const char *p = self_file(path);
	return p && strcmp(p, "exe") == 0;
}

i64 procfs_readlink(struct thread *t, const char *path, char *buf, size_t size)
{
	if (!procfs_is_exe(path))
		return 0;
	size_t len = MIN(strlen(t->vm->exe), size);
	memcpy(buf, t->vm->exe, len);
	return (i64)len;
}

/* ---- making them ---- */
static void guest_bytes(struct thread *t, int fd, u64 from, u64 to)
{
	u8 buf[4096];
	while (from < to) {
		size_t n = MIN(to - from, sizeof(buf));
		if (!get_mem(t->vm, buf, from, n) || write(fd, buf, n) != (ssize_t)n)
			return;
		from += n;
	}
}

static const char *range_name(const struct vm *vm, u64 start, u64 end, const char *name)
{
	if (name[0])
		return name;
	if (start < vm->stack_hi && end > vm->stack_lo)
		return "[stack]";
	if (start < vm->brk && end > vm->brk_start)
		return "[heap]";
	return start <= vm->vdso && vm->vdso < end ? "[vdso]" : "";
}

/* One line of the host's map, cut to what of it is the guest's. What it printed: false if nothing. */
static bool print_range(struct thread *t, FILE *out, u64 start, u64 end, char share, u64 offset,
			const char *dev_inode, const char *name, const char *rest)
{
	struct vm *vm = t->vm;
	bool any = false;
	bool is_file = name[0] == '/';
	for (struct map_range r = { 0 }; start < end && vm_find(vm, start, &r) && r.start < end;) {
		u64 lo = MAX(r.start, start), hi = MIN(r.end, end);
		const char *label = range_name(vm, lo, hi, name);
		int width =
		    fprintf(out, "%08llx-%08llx %c%c%c%c %08llx %s", (unsigned long long)lo,
			    (unsigned long long)hi, r.prot & PROT_READ ? 'r' : '-',
			    r.prot & PROT_WRITE ? 'w' : '-', r.prot & PROT_EXEC ? 'x' : '-', share,
			    (unsigned long long)(is_file ? offset + (lo - start) : offset), dev_inode);
		if (label[0])
			fprintf(out, "%*s%s\n", width < 73 ? 73 - width : 1, "", label);
		else
			fputs(" \n", out);
		if (rest)
			fputs(rest, out);
		any = true;
		start = hi;
	}
	return any;
}

struct host_line {
	u64 start, end, offset;
	char perms[8], dev_inode[64], name[PATH_MAX];
};

static bool parse_line(const char *line, struct host_line *h)
{
	unsigned long long start, end, offset;
	char dev[32];
	unsigned long inode;
	int at = 0;
	if (sscanf(line, "%llx-%llx %7s %llx %31s %lu%n", &start, &end, h->perms, &offset, dev, &inode,
		   &at) != 6)
		return false;
	*h = (struct host_line){
		.start = start, .end = end, .offset = offset, .perms = { 0, 0, 0, h->perms[3] }
	};
	snprintf(h->dev_inode, sizeof(h->dev_inode), "%s %lu", dev, inode);
	while (line[at] == ' ')
		at++;
	snprintf(h->name, sizeof(h->name), "%s", line + at);
	h->name[strcspn(h->name, "\n")] = 0;
	if (h->name[0] == '[' && strncmp(h->name, "[anon", 5) != 0)
		h->name[0] = 0; /* [stack], [heap]: the host's */
	return true;
}

/* A line of the host's map at guest addresses; what is not in the window becomes empty. */
static void to_window(const struct vm *vm, struct host_line *h)
{
	u64 base = (u64)vm->mem_base;
	if (!vm->window)
		return;
	bool inside = h->end > base && h->start <= base + vm->mem_mask;
	h->start = inside ? MAX(h->start, base) - base : 0;
	h->end = inside ? h->end - base : 0;
}

/* maps and smaps (whose lines "Name: value" follow each range). */
static void make_maps(struct thread *t, int fd, const char *file)
{
	char path[64], line[PATH_MAX + 128], *rest = NULL;
	size_t rest_len = 0;
	struct host_line h = { 0 };
	bool have = false;
	snprintf(path, sizeof(path), "/proc/self/%s", file);
	FILE *in = fopen(path, "re"), *out = fdopen(dup(fd), "w"), *mem = NULL;
	bool details = strcmp(file, "maps") != 0;
	while (in && out && fgets(line, sizeof(line), in)) {
		struct host_line next = { 0 };
		if (parse_line(line, &next)) {
			if (mem)
				fclose(mem);
			if (have)
				print_range(t, out, h.start, h.end, h.perms[3], h.offset, h.dev_inode, h.name,
					    rest);
			free(rest);
			rest = NULL;
			mem = details ? open_memstream(&rest, &rest_len) : NULL;
			to_window(t->vm, &next);
			h = next;
			have = true;
		} else if (mem) {
			fputs(line, mem);
		}
	}
	if (mem)
		fclose(mem);
	if (have && out)
		print_range(t, out, h.start, h.end, h.perms[3], h.offset, h.dev_inode, h.name, rest);
	free(rest);
	if (in)
		fclose(in);
	if (out)
		fclose(out);
}

/* Fields by their numbers in man 5 proc; the rest as the host has it. */
static void make_stat(struct thread *t, int fd, const char *path)
{
	const struct vm *vm = t->vm;
	const struct {
		unsigned field;
		u64 value;
	} own[] = { { 20, vm->n_threads },
		    { 26, vm->code_start }, { 27, vm->code_end }, { 28, vm->start_stack },
		    { 45, vm->data_start }, { 46, vm->data_end }, { 47, vm->brk_start },
		    { 48, vm->arg_start },  { 49, vm->arg_end },  { 50, vm->env_start },
		    { 51, vm->env_end } };
	char line[2048];
	int in = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = in < 0 ? -1 : read(in, line, sizeof(line) - 1);
	if (in >= 0)
		close(in);
	if (n <= 0)
		return;
	line[n] = 0;
	char *p = strrchr(line, ')'), *save = NULL;
	if (!p || !p[1])
		return;
	p[1] = 0;
	dprintf(fd, "%s", line);
	unsigned field = 3;
	for (char *w = strtok_r(p + 2, " \n", &save); w; w = strtok_r(NULL, " \n", &save), field++) {
		const char *fmt = " %s";
		u64 value = 0;
		for (unsigned i = 0; i < LEN(own); i++)
			if (own[i].field == field) {
				fmt = NULL;
				value = own[i].value;
			}
		if (fmt)
			dprintf(fd, " %s", w);
		else
			dprintf(fd, " %llu", (unsigned long long)value);
	}
	dprintf(fd, "\n");
}

/* The host's, but for the number of threads: the engine has one of its own. */
static void make_status(struct thread *t, int fd, const char *path)
{
	char line[4096];
	FILE *in = fopen(path, "re");
	while (in && fgets(line, sizeof(line), in))
		if (strncmp(line, "Threads:", 8) == 0)
			dprintf(fd, "Threads:\t%u\n", (unsigned)t->vm->n_threads);
		else
			dprintf(fd, "%s", line);
	if (in)
		fclose(in);
}

static unsigned cpu_count(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	return n > 0 ? (unsigned)n : 1;
}

i64 procfs_open(struct thread *t, int dirfd, const char *path, int flags)
{
	struct vm *vm = t->vm;
	bool made = true;
	if (path[0] != '/' || strncmp(path, "/proc/", 6) != 0)
		return -1;
	const char *p = self_file(path);
	bool cpuinfo = strcmp(path, "/proc/cpuinfo") == 0;
	if (p && strcmp(p, "exe") == 0)
		return HOST4(SYS_openat, dirfd, flags & O_NOFOLLOW ? path : vm->exe, flags, 0);
	static const char *const known[] = { "maps", "smaps", "auxv", "cmdline", "environ", "stat", "status" };
	const char *text = vm->abi->proc_text ? vm->abi->proc_text(vm->model, path) : NULL;
	bool mine = text || (cpuinfo && vm->abi->cpuinfo);
	for (unsigned i = 0; p && i < LEN(known); i++)
		mine |= strcmp(p, known[i]) == 0;
	if (!mine)
		return -1;
	if ((flags & O_ACCMODE) != O_RDONLY)
		return -EACCES;
	i64 fd = RAW2(SYS_memfd_create, "proc", flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
	if (fd < 0)
		return fd;
	if (text)
		dprintf((int)fd, "%s", text);
	else if (cpuinfo)
		vm->abi->cpuinfo(vm->model, (int)fd, cpu_count());
	else if (strcmp(p, "maps") == 0 || strcmp(p, "smaps") == 0)
		make_maps(t, (int)fd, p);
	else if (strcmp(p, "auxv") == 0)
		guest_bytes(t, (int)fd, vm->auxv_addr, vm->auxv_addr + vm->auxv_len);
	else if (strcmp(p, "cmdline") == 0)
		guest_bytes(t, (int)fd, vm->arg_start, vm->arg_end);
	else if (strcmp(p, "environ") == 0)
		guest_bytes(t, (int)fd, vm->env_start, vm->env_end);
	else if (strcmp(p, "status") == 0)
		make_status(t, (int)fd, path);
	else if (strcmp(p, "stat") == 0)
		make_stat(t, (int)fd, path);
	else
		made = false;
	RAW3(SYS_lseek, fd, 0, SEEK_SET);
	if (!made) {
		RAW1(SYS_close, fd);
		return -1;
	}
	return fd;
}
