/*
 * ELF programs: checks and mappings as the kernel does them (man 5 elf; behaviour of Linux's exec). Every number in the file is suspect.
 */
#include "base/err.h"
#include "linux/internal.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_HEADERS = 65536 / sizeof(Elf64_Phdr) };

struct elf_file {
	int fd;
	const char *path;
	u16 type;
	u64 entry, phoff;
	unsigned n;
	Elf64_Phdr *ph; /* in the host's order, whatever the class */
	bool guard; /* its code goes into guarded memory */
};

static u16 rd16(const struct linux_abi *abi, const u8 *p)
{
	return abi->big_endian ? ld_be16(p) : ld_le16(p);
}

static u32 rd32(const struct linux_abi *abi, const u8 *p)
{
	return abi->big_endian ? ld_be32(p) : ld_le32(p);
}

static u64 rd_word(const struct linux_abi *abi, const u8 *p)
{
	return abi->word == 4 ? rd32(abi, p) : abi->big_endian ? ld_be64(p) : ld_le64(p);
}

const struct linux_abi *linux_identify(const u8 *h, size_t len)
{
	if (len < EI_NIDENT + 4 || memcmp(h, ELFMAG, SELFMAG) != 0 || h[EI_VERSION] != EV_CURRENT)
		return NULL;
	for (const struct linux_abi *const *a = linux_abis; *a; a++)
		if (h[EI_CLASS] == ((*a)->word == 8 ? ELFCLASS64 : ELFCLASS32) &&
		    h[EI_DATA] == ((*a)->big_endian ? ELFDATA2MSB : ELFDATA2LSB) &&
		    rd16(*a, h + 18) == (*a)->machine)
			return *a;
	return NULL;
}

void linux_abi_magic(const struct linux_abi *abi, u8 magic[20], u8 mask[20])
{
	memset(magic, 0, 20);
	memcpy(magic, ELFMAG, SELFMAG);
	magic[EI_CLASS] = abi->word == 8 ? ELFCLASS64 : ELFCLASS32;
	magic[EI_DATA] = abi->big_endian ? ELFDATA2MSB : ELFDATA2LSB;
	magic[EI_VERSION] = EV_CURRENT;
	memset(mask, 0xff, 20);
	mask[EI_OSABI] = 0;
	unsigned low = abi->big_endian ? 1 : 0; /* the byte of e_type in which ET_EXEC and ET_DYN differ */
	magic[16 + low] = ET_EXEC;
	mask[16 + low] = 0xfe;
	if (abi->big_endian)
		st_be16(magic + 18, abi->machine);
	else
		st_le16(magic + 18, abi->machine);
}

static struct err *bad(const struct elf_file *f, const char *what)
{
	return err_new(ERR_CORRUPT, "%s: Invalid ELF image: %s", f->path, what);
}

static struct err *read_headers(const struct linux_abi *abi, struct elf_file *f)
{
	u8 h[64] = { 0 };
	bool wide = abi->word == 8;
	size_t ehsize = wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr),
	       phsize = wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	ssize_t got = pread(f->fd, h, ehsize, 0);
	if (got < 0)
		return err_errno(errno, "%s: cannot read", f->path);
	if ((size_t)got < ehsize)
		return err_new(ERR_CORRUPT, "%s: %s", f->path,
			       got >= 4 && !memcmp(h, ELFMAG, 4) ? "the ELF header is cut off"
								 : "not an ELF file");
	if (memcmp(h, ELFMAG, SELFMAG) != 0)
		return err_new(ERR_CORRUPT, "%s: not an ELF file", f->path);
	if (linux_identify(h, (size_t)got) != abi)
		return err_new(ERR_UNSUPPORTED, "%s: Invalid ELF image for this architecture", f->path);
	f->type = rd16(abi, h + 16);
	f->entry = rd_word(abi, h + 24);
	f->phoff = rd_word(abi, h + (wide ? 32 : 28));
	f->n = rd16(abi, h + (wide ? 56 : 44));
	if (f->type != ET_EXEC && f->type != ET_DYN)
		return bad(f, "neither an executable nor a shared object");
	if (rd16(abi, h + (wide ? 54 : 42)) != phsize)
		return bad(f, "wrong size of program headers");
	if (!f->n || f->n > MAX_HEADERS)
		return bad(f, "wrong number of program headers");
	u8 *raw = alloc(f->n * phsize);
	f->ph = alloc(f->n * sizeof(*f->ph));
	if (f->phoff > LLONG_MAX - 65536 ||
	    pread(f->fd, raw, f->n * phsize, (off_t)f->phoff) != (ssize_t)(f->n * phsize)) {
		free(raw);
		return bad(f, "program headers lie behind the end of the file");
	}
	for (unsigned i = 0; i < f->n; i++) {
		const u8 *p = raw + i * phsize;
		Elf64_Phdr *o = &f->ph[i];
		o->p_type = rd32(abi, p);
		o->p_flags = rd32(abi, p + (wide ? 4 : 24));
		o->p_offset = rd_word(abi, p + (wide ? 8 : 4));
		o->p_vaddr = rd_word(abi, p + (wide ? 16 : 8));
		o->p_filesz = rd_word(abi, p + (wide ? 32 : 16));
		o->p_memsz = rd_word(abi, p + (wide ? 40 : 20));
		o->p_align = rd_word(abi, p + (wide ? 48 : 28));
	}
	free(raw);
	return NULL;
}

/*
 * Whether the file's properties (System V ABI, "Program Property"; for arm64 aaelf64) ask that landings of indirect jumps be checked. A damaged
 * note asks for nothing.
 */
static bool wants_guard(const struct vm *vm, const struct elf_file *f)
{
	const struct linux_abi *abi = vm->abi;
	u8 note[512];
	unsigned align = abi->word;
	for (unsigned i = 0; i < f->n; i++) {
		const Elf64_Phdr *p = &f->ph[i];
		ssize_t n = p->p_type == PT_GNU_PROPERTY && p->p_filesz >= 16 && p->p_offset < LLONG_MAX
				? pread(f->fd, note, MIN(p->p_filesz, sizeof(note)), (off_t)p->p_offset)
				: 0;
		if (n < 16 || rd32(abi, note) != 4 || rd32(abi, note + 8) != NT_GNU_PROPERTY_TYPE_0 || memcmp(note + 12, "GNU", 4) != 0)
			continue;
		size_t end = MIN((size_t)n, 16 + (size_t)rd32(abi, note + 4));
		for (size_t at = 16; at + 12 <= end; at += 8 + ROUND_UP((size_t)rd32(abi, note + at + 4), align))
			if (rd32(abi, note + at) == abi->guard_property && rd32(abi, note + at + 4) == 4)
				return rd32(abi, note + at + 8) & 1;
	}
	return false;
}

struct span {
	u64 low, high, align;
	u64 code_start, code_end, data_start, data_end;
};

/* The addresses all segments need, and that they can be had. */
static struct err *measure(struct vm *vm, const struct elf_file *f, struct span *s)
{
	*s = (struct span){ .low = ~0ull, .align = vm->page_size };
	u64 page = vm->page_size;
	for (unsigned i = 0; i < f->n; i++) {
		const Elf64_Phdr *p = &f->ph[i];
		if (p->p_type != PT_LOAD)
			continue;
		if (p->p_filesz > p->p_memsz || p->p_memsz > vm->va_limit ||
		    p->p_vaddr > vm->va_limit - p->p_memsz)
			return bad(f, "a segment has an impossible size or address");
		if (p->p_filesz && (p->p_offset > LLONG_MAX - p->p_filesz - page ||
				    ((p->p_vaddr ^ p->p_offset) & (page - 1))))
			return bad(f, "a segment's file offset does not fit its address");
		if (!p->p_memsz)
			continue;
		s->low = MIN(s->low, ROUND_DOWN(p->p_vaddr, page));
		s->high = MAX(s->high, ROUND_UP(p->p_vaddr + p->p_memsz, page));
		if (p->p_align > s->align && !(p->p_align & (p->p_align - 1)) && p->p_align <= GiB)
			s->align = p->p_align;
	}
	return s->low == ~0ull ? bad(f, "no segment to load") : NULL;
}

static struct err *map_segment(struct vm *vm, const struct elf_file *f, const Elf64_Phdr *p, u64 bias)
{
	u64 page = vm->page_size, start = p->p_vaddr + bias, low = ROUND_DOWN(start, page);
	u64 file_end = start + p->p_filesz, end = start + p->p_memsz, zero = ROUND_UP(file_end, page);
	int prot = (p->p_flags & PF_R ? PROT_READ : 0) | (p->p_flags & PF_W ? PROT_WRITE : 0) |
		   (p->p_flags & PF_X ? PROT_EXEC | (f->guard ? (int)vm->guard_prot : 0) : 0);
	if (p->p_filesz) {
		i64 got = vm_mmap(vm, low, file_end - low, prot, MAP_PRIVATE | MAP_FIXED, f->fd,
				  p->p_offset - (start - low));
		if (got < 0)
			return err_errno((int)-got, "%s: cannot map a segment at %#llx", f->path,
					 (unsigned long long)low);
	} else {
		zero = low;
	}
	if (p->p_memsz <= p->p_filesz)
		return NULL;
	if (p->p_filesz && prot & PROT_WRITE) { /* the rest of the last page of the file */
		static const u8 zeros[65536];
		for (u64 at = file_end; at < MIN(zero, ROUND_UP(end, page));) {
			u64 n = MIN(zero - at, sizeof(zeros));
			if (!put_mem(vm, at, zeros, n))
				return bad(f, "a segment lies behind the end of the file");
			at += n;
		}
	}
	if (end > zero) {
		i64 got = vm_mmap(vm, zero, end - zero, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		if (got < 0)
			return err_errno((int)-got, "%s: no memory for %llu bytes of zeros", f->path,
					 (unsigned long long)(end - zero));
	}
	return NULL;
}

/* Places of position-independent programs: a third of the way up, where neither we nor the kernel put anything. */
static u64 pie_base(struct vm *vm, int fd)
{
	u64 r = vm_place(vm, fd) >> 12;
	u64 base = vm->va_limit > 4 * GiB ? 0x2aaaaaaaa000 : 0x400000;
	if (!r && !(vm->personality & ADDR_NO_RANDOMIZE))
		RAW3(SYS_getrandom, &r, sizeof(r), 0);
	return base + (vm->va_limit > 4 * GiB ? (r & 0xfffffff) << 12 : 0);
}

static struct err *map_image(struct vm *vm, const struct elf_file *f, bool is_interp, struct span *s,
			     u64 *ret_bias)
{
	struct err *e = measure(vm, f, s);
	if (e)
		return e;
	u64 bias = 0, len = s->high - s->low;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	if (f->type == ET_DYN) {
		i64 got = -ENOMEM;
		for (int i = 0; i < 8 && !is_interp && got < 0; i++) {
			u64 at = ROUND_UP(pie_base(vm, f->fd), s->align);
			got = vm_mmap(vm, at, len, PROT_NONE, flags | MAP_FIXED_NOREPLACE, -1, 0);
		}
		if (got < 0)
			got = vm_mmap(vm, vm_place(vm, f->fd), len + s->align, PROT_NONE, flags, -1, 0);
		if (got < 0)
			return err_errno((int)-got, "%s: no room for %llu bytes", f->path,
					 (unsigned long long)len);
		u64 at = ROUND_UP((u64)got, s->align);
		if (at != (u64)got)
			vm_munmap(vm, (u64)got, at - (u64)got);
		bias = at - s->low;
	} else {
		i64 got = vm_mmap(vm, s->low, len, PROT_NONE, flags | MAP_FIXED_NOREPLACE, -1, 0);
		if (got < 0)
			return err_errno((int)-got, "%s: its addresses %#llx to %#llx are not free", f->path,
					 (unsigned long long)s->low, (unsigned long long)s->high);
	}
	for (unsigned i = 0; i < f->n && !e; i++)
		if (f->ph[i].p_type == PT_LOAD && f->ph[i].p_memsz)
			e = map_segment(vm, f, &f->ph[i], bias);
	if (e)
		return e;
	/* Holes between segments are not the program's. */
	u64 at = s->low;
	while (at < s->high) {
		u64 next = s->high;
		bool covered = false;
		for (unsigned i = 0; i < f->n; i++) {
			const Elf64_Phdr *p = &f->ph[i];
			if (p->p_type != PT_LOAD || !p->p_memsz)
				continue;
			u64 low = ROUND_DOWN(p->p_vaddr, vm->page_size),
			    high = ROUND_UP(p->p_vaddr + p->p_memsz, vm->page_size);
			if (low <= at && at < high) {
				at = high;
				covered = true;
				break;
			}
			if (low > at)
				next = MIN(next, low);
		}
		if (!covered) {
			vm_munmap(vm, at + bias, next - at);
			at = next;
		}
	}
	*ret_bias = bias;
	return NULL;
}

static struct err *open_interp(struct vm *vm, const char *path, int *ret_fd)
{
	if (vm->prefix_fd >= 0) {
		struct open_how how = { .flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
		i64 fd = RAW4(SYS_openat2, vm->prefix_fd, path, &how, sizeof(how));
		char buf[PATH_MAX];
		if (fd < 0 && snprintf(buf, sizeof(buf), "%s%s", vm->opt->prefix, path) < (int)sizeof(buf))
			fd = open(buf, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			*ret_fd = (int)fd;
			return NULL;
		}
	}
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		struct err *e = err_errno(errno, "Could not open '%s'", path);
		return err_hint(e, "the program's interpreter is not on this system: -L DIR (or "
				   "QEMU_LD_PREFIX) names the folder of the guest's root");
	}
	*ret_fd = fd;
	return NULL;
}

static struct err *load_interp(struct vm *vm, const struct elf_file *prog, const Elf64_Phdr *p,
			       struct image *im)
{
	char path[PATH_MAX];
	if (p->p_filesz < 2 || p->p_filesz > sizeof(path) || p->p_offset > LLONG_MAX ||
	    pread(prog->fd, path, p->p_filesz, (off_t)p->p_offset) != (ssize_t)p->p_filesz ||
	    path[p->p_filesz - 1])
		return bad(prog, "the name of its interpreter is damaged");
	struct elf_file f = { .path = path, .fd = -1 };
	struct span s;
	u64 bias = 0;
	struct err *e = open_interp(vm, path, &f.fd);
	if (!e)
		e = read_headers(vm->abi, &f);
	if (!e) {
		f.guard = vm->guard_prot && wants_guard(vm, &f);
		e = map_image(vm, &f, true, &s, &bias);
	}
	if (!e) {
		im->interp_base = bias;
		im->interp_entry = f.entry + bias;
		im->has_interp = true;
	}
	if (f.fd >= 0)
		close(f.fd);
	free(f.ph);
	return e ? err_in(e, "%s", prog->path) : NULL;
}

static bool has_interp(const struct elf_file *f)
{
	for (unsigned i = 0; i < f->n; i++)
		if (f->ph[i].p_type == PT_INTERP)
			return true;
	return false;
}

struct err *load_program(struct vm *vm, int fd, const char *path, struct image *im)
{
	struct elf_file f = { .fd = fd, .path = path };
	struct span s;
	u64 bias = 0;
	const Elf64_Phdr *interp = NULL;
	struct err *e = read_headers(vm->abi, &f);
	if (!e) {
		/* of a dynamic program the kernel guards the dynamic linker alone, which guards the rest */
		f.guard = vm->guard_prot && !has_interp(&f) && wants_guard(vm, &f);
		e = map_image(vm, &f, false, &s, &bias);
	}
	for (unsigned i = 0; !e && i < f.n; i++) {
		const Elf64_Phdr *p = &f.ph[i];
		u64 start = p->p_vaddr + bias, end = start + p->p_memsz;
		if (p->p_type == PT_INTERP && !interp) {
			interp = p;
		} else if (p->p_type == PT_GNU_STACK) {
			im->exec_stack = p->p_flags & PF_X;
		} else if (p->p_type == PT_LOAD && p->p_memsz) {
			if (f.phoff >= p->p_offset && f.phoff - p->p_offset < p->p_filesz)
				im->phdr = f.phoff - p->p_offset + start;
			if (p->p_flags & PF_X) {
				vm->code_start = vm->code_start ? MIN(vm->code_start, start) : start;
				vm->code_end = MAX(vm->code_end, start + p->p_filesz);
			}
			if (start >= vm->data_start) {
				vm->data_start = start;
				vm->data_end = start + p->p_filesz;
			}
			im->brk = MAX(im->brk, end);
		}
	}
	if (!e) {
		im->base = bias;
		im->entry = f.entry + bias;
		im->phnum = f.n;
		im->phent = vm->abi->word == 8 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
		vm_brk_init(vm, im->brk);
	}
	if (!e && interp)
		e = load_interp(vm, &f, interp, im);
	free(f.ph);
	return e;
}
