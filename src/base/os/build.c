#include "base/os/build.h"
#include "base/hash.h"
#include <elf.h>

extern const char __ehdr_start[]; /* the linker's name for the program's first byte */

u64 os_build_id(void)
{
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)__ehdr_start;
	const Elf64_Phdr *ph = (const Elf64_Phdr *)(__ehdr_start + eh->e_phoff);
	u64 base = 0;
	for (unsigned i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD && !ph[i].p_offset)
			base = (u64)(uintptr_t)__ehdr_start - ph[i].p_vaddr;
	for (unsigned i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type != PT_NOTE)
			continue;
		const u8 *p = (const u8 *)(uintptr_t)(base + ph[i].p_vaddr), *end = p + ph[i].p_memsz;
		while (end - p > (ptrdiff_t)sizeof(Elf64_Nhdr)) {
			const Elf64_Nhdr *n = (const Elf64_Nhdr *)p;
			const u8 *desc = p + sizeof(*n) + ROUND_UP(n->n_namesz, 4u);
			if (n->n_type == NT_GNU_BUILD_ID && n->n_namesz == 4 && memcmp(n + 1, "GNU", 4) == 0)
				return hash_bytes(desc, n->n_descsz, 0) | 1;
			p = desc + ROUND_UP(n->n_descsz, 4u);
		}
	}
	return 0;
}
