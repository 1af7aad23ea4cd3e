/*
 * Names of the guest's functions, from the symbol tables of the ELF files that are mapped: for -d, perf and the like. Files are read when an address
 * in them is first asked for, also those mapped later.
 *
 * Format: System V ABI, "Object Files"; man 5 elf.
 */
#include "linux/internal.h"
#include "linux/syscalls/arg.h"
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TABLE_MAX = 256 << 20 };

struct symbol {
	u64 addr, size; /* as linked */
	u32 name; /* in .names */
};
struct object { /* an ELF file */
	char *path;
	u64 inode;
	struct symbol *symbol; /* by address */
	u32 n;
	char *names;
	size_t names_len;
	Elf64_Phdr *ph;
	u32 n_ph;
	struct object *next;
};
struct place { /* where a part of one is mapped */
	u64 start, end, bias; /* bias: address minus address as linked */
	const struct object *object; /* NULL: no ELF file */
};
struct symbols {
	pthread_mutex_t lock;
	struct object *objects;
	struct place *place;
	u32 n;
	size_t cap;
	u32 map_changes; /* vm's, when .place was made */
};

/* ---- reading files: both classes and byte orders; nothing in them is believed ---- */
struct reader {
	int fd;
	bool wide, big;
};

static u64 field(const struct reader *r, const u8 *p, unsigned size)
{
	u64 v = 0;
	for (unsigned i = 0; i < size; i++)
		v = v << 8 | p[r->big ? i : size - 1 - i];
	return v;
}

/* A part of the file in memory of its own; NULL: it cannot be had. */
static u8 *part(const struct reader *r, u64 offset, u64 len)
{
	u8 *p = len && len <= TABLE_MAX && offset <= LLONG_MAX ? try_alloc(len + 1) : NULL;
	if (p && pread(r->fd, p, len, (off_t)offset) != (ssize_t)len) {
		free(p);
		return NULL;
	}
	return p;
}

#define FIELD(r, p, type, member) \
	((r)->wide ? field(r, (p) + offsetof(Elf64_##type, member), sizeof(((Elf64_##type *)0)->member)) \
		   : field(r, (p) + offsetof(Elf32_##type, member), sizeof(((Elf32_##type *)0)->member)))
#define SIZE(r, type) ((r)->wide ? sizeof(Elf64_##type) : sizeof(Elf32_##type))

static int by_addr(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;
	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static void take_symbols(struct object *o, const struct reader *r, const u8 *table, u64 len)
{
	size_t each = SIZE(r, Sym), cap = 0;
	for (u64 at = 0; at + each <= len; at += each) {
		const u8 *p = table + at;
		u32 name = (u32)FIELD(r, p, Sym, st_name), type = FIELD(r, p, Sym, st_info) & 15;
		bool wanted =
		    (type == STT_FUNC || type == STT_GNU_IFUNC) && FIELD(r, p, Sym, st_shndx) != SHN_UNDEF;
		if (!wanted || name >= o->names_len || !o->names[name])
			continue;
		o->symbol = grow(o->symbol, &cap, o->n + 1, sizeof(*o->symbol));
		o->symbol[o->n++] =
		    (struct symbol){ FIELD(r, p, Sym, st_value), FIELD(r, p, Sym, st_size), name };
	}
	qsort(o->symbol, o->n, sizeof(*o->symbol), by_addr);
}

/* The full table, or that of the dynamic linker in a stripped file. */
static void read_symbols(struct object *o, const struct reader *r, const u8 *eh)
{
	u64 n = FIELD(r, eh, Ehdr, e_shnum), each = FIELD(r, eh, Ehdr, e_shentsize);
	if (each < SIZE(r, Shdr))
		return;
	u8 *sh = part(r, FIELD(r, eh, Ehdr, e_shoff), n * each);
	const u8 *best = NULL;
	for (u64 i = 0; sh && i < n; i++) {
		u64 type = FIELD(r, sh + i * each, Shdr, sh_type);
		if (type == SHT_SYMTAB || (type == SHT_DYNSYM && !best))
			best = sh + i * each;
	}
	u64 link = best ? FIELD(r, best, Shdr, sh_link) : n;
	if (link < n) {
		const u8 *names = sh + link * each;
		u8 *table = part(r, FIELD(r, best, Shdr, sh_offset), FIELD(r, best, Shdr, sh_size));
		o->names_len = FIELD(r, names, Shdr, sh_size);
		o->names = (char *)part(r, FIELD(r, names, Shdr, sh_offset), o->names_len);
		if (o->names && table)
			take_symbols(o, r, table, FIELD(r, best, Shdr, sh_size));
		free(table);
	}
	free(sh);
}

static void read_segments(struct object *o, const struct reader *r, const u8 *eh)
{
	u64 n = FIELD(r, eh, Ehdr, e_phnum), each = FIELD(r, eh, Ehdr, e_phentsize);
	u8 *ph = each < SIZE(r, Phdr) ? NULL : part(r, FIELD(r, eh, Ehdr, e_phoff), n * each);
	if (!ph)
		return;
	o->ph = alloc(n * sizeof(*o->ph) + 1);
	for (u64 i = 0; i < n; i++) {
		const u8 *p = ph + i * each;
		if (FIELD(r, p, Phdr, p_type) == PT_LOAD)
			o->ph[o->n_ph++] = (Elf64_Phdr){ .p_offset = FIELD(r, p, Phdr, p_offset),
							 .p_vaddr = FIELD(r, p, Phdr, p_vaddr),
							 .p_filesz = FIELD(r, p, Phdr, p_filesz) };
	}
	free(ph);
}

static struct object *read_object(const char *path, u64 inode)
{
	struct object *o = alloc(sizeof(*o));
	struct reader r = { .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) };
	u8 eh[sizeof(Elf64_Ehdr)];
	o->path = str_dup(path);
	o->inode = inode;
	if (r.fd >= 0 && pread(r.fd, eh, sizeof(eh), 0) == sizeof(eh) && memcmp(eh, ELFMAG, SELFMAG) == 0) {
		r.wide = eh[EI_CLASS] == ELFCLASS64;
		r.big = eh[EI_DATA] == ELFDATA2MSB;
		read_segments(o, &r, eh);
		read_symbols(o, &r, eh);
	}
	if (r.fd >= 0)
		close(r.fd);
	return o;
}

/* ---- places ---- */
static const struct object *object_of(struct symbols *s, const char *path, u64 inode)
{
	struct object *o = s->objects;
	while (o && (o->inode != inode || strcmp(o->path, path) != 0))
		o = o->next;
	if (!o) {
		o = read_object(path, inode);
		o->next = s->objects;
		s->objects = o;
	}
	return o->n ? o : NULL;
}

static u64 bias_of(const struct object *o, u64 start, u64 offset)
{
	for (u32 i = 0; i < o->n_ph; i++) {
		const Elf64_Phdr *p = &o->ph[i];
		if (offset + 4095 >= p->p_offset && offset < p->p_offset + p->p_filesz)
			return start - (p->p_vaddr + (offset - p->p_offset));
	}
	return start - offset;
}

/* The host's map says which file lies at a host address. The place is remembered, also when it is no ELF file. */
static const struct place *look(struct symbols *s, u64 host)
{
	char line[PATH_MAX + 128], path[PATH_MAX];
	FILE *in = fopen("/proc/self/maps", "re");
	const struct place *found = NULL;
	while (in && !found && fgets(line, sizeof(line), in)) {
		unsigned long start, end, offset, inode;
		int at = 0;
		path[0] = 0;
		if (sscanf(line, "%lx-%lx %*4s %lx %*s %lu %n", &start, &end, &offset, &inode, &at) < 4 ||
		    host < start || host >= end)
			continue;
		snprintf(path, sizeof(path), "%s", at ? line + at : "");
		path[strcspn(path, "\n")] = 0;
		const struct object *o = path[0] == '/' ? object_of(s, path, inode) : NULL;
		s->place = grow(s->place, &s->cap, s->n + 1, sizeof(*s->place));
		s->place[s->n] = (struct place){ start, end, o ? bias_of(o, start, offset) : 0, o };
		found = &s->place[s->n++];
	}
	if (in)
		fclose(in);
	return found;
}

static const struct place *place_of(struct symbols *s, u64 host)
{
	for (u32 i = 0; i < s->n; i++)
		if (host >= s->place[i].start && host < s->place[i].end)
			return &s->place[i];
	return look(s, host);
}

static void name_in(const struct place *p, u64 host, char *buf, size_t size)
{
	const struct object *o = p->object;
	u64 addr = host - p->bias;
	u32 lo = 0, hi = o->n;
	while (lo < hi) { /* the first one above */
		u32 mid = (lo + hi) / 2;
		if (o->symbol[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return;
	const struct symbol *s = &o->symbol[lo - 1];
	if (!s->size || addr - s->addr < s->size) /* assembly often leaves sizes out */
		snprintf(buf, size, "%.*s", (int)(o->names_len - s->name), o->names + s->name);
}

struct symbols *symbols_new(void)
{
	struct symbols *s = alloc(sizeof(*s));
	pthread_mutex_init(&s->lock, NULL);
	return s;
}

void symbols_after_fork(struct symbols *s)
{
	pthread_mutex_init(&s->lock, NULL);
}

void symbols_name(struct vm *vm, u64 pc, char *buf, size_t size)
{
	struct symbols *s = vm->symbols;
	u64 host = (u64)(uintptr_t)g2h(vm, pc), mask = signal_block_all();
	u32 changes = __atomic_load_n(&vm->map_changes, __ATOMIC_ACQUIRE);
	buf[0] = 0;
	pthread_mutex_lock(&s->lock);
	if (s->map_changes != changes) {
		s->n = 0;
		s->map_changes = changes;
	}
	const struct place *p = place_of(s, host);
	if (p && p->object)
		name_in(p, host, buf, size);
	pthread_mutex_unlock(&s->lock);
	RAW4(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
}
