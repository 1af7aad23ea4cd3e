/* Loading a bare program. */
#include "board.h"
#include "base/err.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
	const u8 *at;
	u64 size;
};

u8 *board_ram(struct board *b, u64 phys, u64 size)
{
	const struct phys_range *r = phys_find(b->phys, phys);
	return r && r->host && size <= r->size && phys - r->base <= r->size - size
		   ? r->host + (phys - r->base)
		   : NULL;
}

static bool inside(const struct file *f, u64 at, u64 size)
{
	return at <= f->size && size <= f->size - at;
}

/* Both classes in the form of the larger. */
static Elf64_Phdr segment(const struct file *f, bool wide, u64 at)
{
	if (wide)
		return *(const Elf64_Phdr *)(f->at + at);
	const Elf32_Phdr *p = (const Elf32_Phdr *)(f->at + at);
	return (Elf64_Phdr){ .p_type = p->p_type,
			     .p_offset = p->p_offset,
			     .p_paddr = p->p_paddr,
			     .p_filesz = p->p_filesz,
			     .p_memsz = p->p_memsz };
}

static Elf64_Shdr section(const struct file *f, bool wide, u64 at)
{
	if (wide)
		return *(const Elf64_Shdr *)(f->at + at);
	const Elf32_Shdr *s = (const Elf32_Shdr *)(f->at + at);
	return (Elf64_Shdr){
		.sh_type = s->sh_type, .sh_offset = s->sh_offset, .sh_size = s->sh_size, .sh_link = s->sh_link
	};
}

static struct err *load_segments(struct board *b, const struct file *f, bool wide, u64 at, unsigned n,
				 unsigned size)
{
	for (unsigned i = 0; i < n; i++) {
		if (!inside(f, at + i * size, size))
			return err_new(ERR_CORRUPT, "its program headers lie behind its end");
		Elf64_Phdr p = segment(f, wide, at + i * size);
		if (p.p_type != PT_LOAD || !p.p_memsz)
			continue;
		u8 *to = board_ram(b, p.p_paddr, p.p_memsz);
		if (!inside(f, p.p_offset, p.p_filesz) || p.p_filesz > p.p_memsz || !to)
			return err_new(ERR_INVALID, "a segment for %#llx does not fit into RAM",
				       (unsigned long long)p.p_paddr);
		memcpy(to, f->at + p.p_offset, p.p_filesz);
	}
	return NULL;
}

static void find_symbols(struct board *b, const struct file *f, bool wide, const Elf64_Shdr *table,
			 const Elf64_Shdr *names)
{
	unsigned size = wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
	for (u64 i = 0; i + size <= table->sh_size; i += size) {
		const u8 *s = f->at + table->sh_offset + i;
		u64 value = wide ? ((const Elf64_Sym *)s)->st_value : ((const Elf32_Sym *)s)->st_value;
		u32 name = ((const Elf32_Sym *)s)->st_name; /* first in both */
		if (name + 9ull > names->sh_size)
			continue;
		const char *text = (const char *)f->at + names->sh_offset + name;
		if (strncmp(text, "tohost", 7) == 0)
			b->tohost = value;
		if (strncmp(text, "fromhost", 9) == 0)
			b->fromhost = value;
	}
}

static void load_symbols(struct board *b, const struct file *f, bool wide, u64 at, unsigned n, unsigned size)
{
	for (unsigned i = 0; i < n && inside(f, at + i * size, size); i++) {
		Elf64_Shdr s = section(f, wide, at + i * size);
		if (s.sh_type != SHT_SYMTAB || s.sh_link >= n || !inside(f, at + s.sh_link * size, size))
			continue;
		Elf64_Shdr names = section(f, wide, at + s.sh_link * size);
		if (inside(f, s.sh_offset, s.sh_size) && inside(f, names.sh_offset, names.sh_size))
			find_symbols(b, f, wide, &s, &names);
	}
}

static struct err *load(struct board *b, const struct file *f, bool *ret_rv64)
{
	const Elf64_Ehdr *h = (const Elf64_Ehdr *)f->at;
	const Elf32_Ehdr *h32 = (const Elf32_Ehdr *)f->at;
	if (f->size < sizeof(*h) || memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 || h->e_machine != EM_RISCV)
		return err_new(ERR_INVALID, "it is no ELF file for RISC-V");
	bool wide = *ret_rv64 = h->e_ident[EI_CLASS] == ELFCLASS64;
	if (!b->phys)
		return NULL;
	b->entry = wide ? h->e_entry : h32->e_entry;
	struct err *e = wide ? load_segments(b, f, wide, h->e_phoff, h->e_phnum, sizeof(Elf64_Phdr))
			     : load_segments(b, f, wide, h32->e_phoff, h32->e_phnum, sizeof(Elf32_Phdr));
	if (wide)
		load_symbols(b, f, wide, h->e_shoff, h->e_shnum, sizeof(Elf64_Shdr));
	else
		load_symbols(b, f, wide, h32->e_shoff, h32->e_shnum, sizeof(Elf32_Shdr));
	return e;
}

struct err *board_load(struct board *b, const char *path, bool *ret_rv64)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(errno, "cannot open %s", path);
	void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	int why = errno;
	close(fd);
	if (map == MAP_FAILED)
		return err_errno(why, "cannot read %s", path);
	struct err *e = load(b, &(struct file){ map, (u64)st.st_size }, ret_rv64);
	munmap(map, (size_t)st.st_size);
	return e ? err_in(e, "%s", path) : NULL;
}
