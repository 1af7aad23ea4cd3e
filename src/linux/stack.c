/*
 * The first stack: strings, argv, envp and the auxiliary vector, as the kernel lays them out; and the vDSO, a small shared object made here.
 * Facts: man 3 getauxval, man 7 vdso, include/uapi/linux/auxvec.h; psABI of each architecture for the order.
 */
#include "base/err.h"
#include "linux/internal.h"
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { AUXV_MAX = 32, GUARD = 65536 };

struct builder {
	struct vm *vm;
	u64 sp;
	bool failed;
};

static u64 push(struct builder *b, const void *data, size_t len)
{
	b->sp -= len;
	if (!put_mem(b->vm, b->sp, data, len))
		b->failed = true;
	return b->sp;
}

static u64 push_str(struct builder *b, const char *s)
{
	return push(b, s, strlen(s) + 1);
}

static u64 stack_size(const struct vm *vm, u64 strings)
{
	struct rlimit lim;
	u64 size = vm->opt->stack_size;
	u64 most = vm->window ? vm->va_limit / 4 : 64 * GiB;
	if (!size && !getrlimit(RLIMIT_STACK, &lim) && lim.rlim_cur != RLIM_INFINITY)
		size = MIN(lim.rlim_cur, most);
	if (!size)
		size = 8 * MiB;
	return ROUND_UP(MAX(size, strings + 256 * KiB), vm->page_size);
}

static size_t strings_size(char **v, unsigned *ret_n)
{
	size_t total = 0;
	unsigned n = 0;
	for (; v[n]; n++)
		total += strlen(v[n]) + 1 + sizeof(u64);
	*ret_n = n;
	return total;
}

struct auxv {
	u64 entry[AUXV_MAX][2];
	unsigned n;
};

static void aux(struct auxv *v, u64 type, u64 value)
{
	v->entry[v->n][0] = type;
	v->entry[v->n++][1] = value;
}

static void random_bytes(const struct linux_options *opt, u8 out[16])
{
	u64 x = opt->seed;
	if (!opt->seeded) {
		RAW3(SYS_getrandom, out, 16, 0);
		return;
	}
	for (unsigned i = 0; i < 16; i++) { /* splitmix64's step */
		u64 z = x += 0x9e3779b97f4a7c15ull;
		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
		out[i] = (u8)((z ^ z >> 27) >> 32);
	}
}

static void fill_auxv(struct auxv *v, struct vm *vm, const struct image *im, u64 random, u64 platform,
		      u64 execfn)
{
	const struct linux_abi *abi = vm->abi;
	if (vm->vdso)
		aux(v, AT_SYSINFO_EHDR, vm->vdso);
	if (abi->min_frame)
		aux(v, AT_MINSIGSTKSZ, abi->min_frame);
	aux(v, AT_HWCAP, abi->hwcap(vm->model, 0));
	aux(v, AT_PAGESZ, vm->page_size);
	aux(v, AT_CLKTCK, (u64)sysconf(_SC_CLK_TCK));
	aux(v, AT_PHDR, im->phdr);
	aux(v, AT_PHENT, im->phent);
	aux(v, AT_PHNUM, im->phnum);
	aux(v, AT_BASE, im->interp_base);
	aux(v, AT_FLAGS, vm->opt->preserve_argv0 ? 1 : 0);
	aux(v, AT_ENTRY, im->entry);
	aux(v, AT_UID, getuid());
	aux(v, AT_EUID, geteuid());
	aux(v, AT_GID, getgid());
	aux(v, AT_EGID, getegid());
	aux(v, AT_SECURE, getauxval(AT_SECURE));
	aux(v, AT_RANDOM, random);
	aux(v, AT_HWCAP2, abi->hwcap(vm->model, 1));
	aux(v, AT_EXECFN, execfn);
	if (platform)
		aux(v, AT_PLATFORM, platform);
	aux(v, AT_NULL, 0);
}

struct err *stack_build(struct vm *vm, const struct image *im, char **argv, char **envp, const char *execfn,
			u64 *ret_sp)
{
	unsigned argc, envc, word = vm->abi->word;
	u64 strings = strings_size(argv, &argc) + strings_size(envp, &envc) + strlen(execfn) + 4096;
	u64 size = stack_size(vm, strings);
	int prot = PROT_READ | PROT_WRITE | (im->exec_stack ? PROT_EXEC : 0);
	i64 low = vm_mmap(vm, 0, size + GUARD, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK,
			  -1, 0);
	if (low < 0)
		return err_errno((int)-low, "no room for a stack of %llu bytes", (unsigned long long)size);
	vm_mprotect(vm, (u64)low, GUARD, PROT_NONE);
	vm->stack_lo = (u64)low + GUARD;
	vm->stack_hi = vm->stack_lo + size;
	struct builder b = { .vm = vm, .sp = vm->stack_hi - word };
	u8 seed[16];
	u64 execfn_at = push_str(&b, execfn);
	u64 *at = alloc((argc + envc + 2) * sizeof(u64));
	vm->env_end = b.sp;
	for (unsigned i = envc; i-- > 0;)
		at[argc + i] = push_str(&b, envp[i]);
	vm->env_start = vm->arg_end = b.sp;
	for (unsigned i = argc; i-- > 0;)
		at[i] = push_str(&b, argv[i]);
	vm->arg_start = b.sp;
	u64 platform = vm->abi->platform ? push_str(&b, vm->abi->platform) : 0;
	random_bytes(vm->opt, seed);
	b.sp = ROUND_DOWN(b.sp, 16);
	u64 random = push(&b, seed, sizeof(seed));
	struct auxv v = { .n = 0 };
	fill_auxv(&v, vm, im, random, platform, execfn_at);
	u64 words = 1 + argc + 1 + envc + 1 + 2 * v.n;
	b.sp = ROUND_DOWN(b.sp - words * word, 16);
	u64 p = b.sp;
	bool ok = !b.failed;
#define WORD(val) (ok = ok && put_word(vm, p, (val)), p += word)
	WORD(argc);
	for (unsigned i = 0; i < argc; i++)
		WORD(at[i]);
	WORD(0);
	for (unsigned i = 0; i < envc; i++)
		WORD(at[argc + i]);
	WORD(0);
	vm->auxv_addr = p;
	for (unsigned i = 0; i < v.n; i++) {
		WORD(v.entry[i][0]);
		WORD(v.entry[i][1]);
	}
#undef WORD
	vm->auxv_len = p - vm->auxv_addr;
	vm->start_stack = *ret_sp = b.sp;
	free(at);
	return ok ? NULL
		  : err_new(ERR_IO, "the arguments do not fit the stack of %llu bytes",
			    (unsigned long long)size);
}

/* ---- vDSO ---- */
struct vdso_layout { /* one page; 64-bit */
	Elf64_Ehdr eh;
	Elf64_Phdr load, dynamic;
	Elf64_Dyn dyn[10];
	Elf64_Sym sym[8];
	u32 hash[2 + 1 + 8]; /* nbucket, nchain, one bucket, a chain */
	u16 versym[8];
	Elf64_Verdef def[2];
	Elf64_Verdaux aux[2];
	char str[512];
	u32 code[64];
};
_Static_assert(sizeof(struct vdso_layout) < 4096, "a page");

static u32 elf_hash(const char *s)
{
	u32 h = 0;
	for (; *s; s++) {
		h = (h << 4) + (u8)*s;
		u32 g = h & 0xf0000000;
		h = (h ^ g >> 24) & ~g;
	}
	return h;
}

static u32 add_str(char *table, u32 *len, const char *s)
{
	u32 at = *len;
	strcpy(table + at, s);
	*len += (u32)strlen(s) + 1;
	return at;
}

static void vdso_make(const struct linux_abi *abi, struct vdso_layout *v)
{
	enum { CODE = offsetof(struct vdso_layout, code) };
	u32 len = 1, n = 1;
	u32 soname = add_str(v->str, &len, "linux-vdso.so.1"),
	    version = add_str(v->str, &len, abi->vdso_version);
	for (const struct vdso_entry *e = abi->vdso_entries; e->name; e++, n++) {
		v->sym[n] = (Elf64_Sym){ .st_name = add_str(v->str, &len, e->name),
					 .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
					 .st_shndx = 1,
					 .st_value = CODE + e->at * 4u,
					 .st_size = 12 };
		v->versym[n] = 2;
	}
	v->hash[0] = 1;
	v->hash[1] = n;
	v->hash[2] = n - 1;
	for (u32 i = n - 1; i > 0; i--)
		v->hash[3 + i] = i - 1;
	v->def[0] = (Elf64_Verdef){ 1,
				    VER_FLG_BASE,
				    1,
				    1,
				    elf_hash("linux-vdso.so.1"),
				    2 * sizeof(Elf64_Verdef),
				    sizeof(Elf64_Verdef) };
	v->def[1] = (Elf64_Verdef){
		1, 0, 2, 1, elf_hash(abi->vdso_version), sizeof(Elf64_Verdef) + sizeof(Elf64_Verdaux), 0
	};
	v->aux[0] = (Elf64_Verdaux){ soname, 0 };
	v->aux[1] = (Elf64_Verdaux){ version, 0 };
	const Elf64_Dyn dyn[] = {
		{ DT_HASH, { offsetof(struct vdso_layout, hash) } },
		{ DT_STRTAB, { offsetof(struct vdso_layout, str) } },
		{ DT_SYMTAB, { offsetof(struct vdso_layout, sym) } },
		{ DT_STRSZ, { len } },
		{ DT_SYMENT, { sizeof(Elf64_Sym) } },
		{ DT_SONAME, { soname } },
		{ DT_VERDEF, { offsetof(struct vdso_layout, def) } },
		{ DT_VERDEFNUM, { 2 } },
		{ DT_VERSYM, { offsetof(struct vdso_layout, versym) } },
		{ DT_NULL, { 0 } },
	};
	memcpy(v->dyn, dyn, sizeof(dyn));
	v->load = (Elf64_Phdr){ .p_type = PT_LOAD,
				.p_flags = PF_R | PF_X,
				.p_filesz = sizeof(*v),
				.p_memsz = sizeof(*v),
				.p_align = 4096 };
	v->dynamic = (Elf64_Phdr){ .p_type = PT_DYNAMIC,
				   .p_flags = PF_R,
				   .p_offset = offsetof(struct vdso_layout, dyn),
				   .p_vaddr = offsetof(struct vdso_layout, dyn),
				   .p_filesz = sizeof(v->dyn),
				   .p_memsz = sizeof(v->dyn),
				   .p_align = 8 };
	v->eh = (Elf64_Ehdr){ .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			      .e_type = ET_DYN,
			      .e_machine = abi->machine,
			      .e_version = EV_CURRENT,
			      .e_phoff = offsetof(struct vdso_layout, load),
			      .e_ehsize = sizeof(Elf64_Ehdr),
			      .e_phentsize = sizeof(Elf64_Phdr),
			      .e_phnum = 2,
			      .e_shentsize = sizeof(Elf64_Shdr) };
}

/*
 * Placed where the guest's code may be: readable and executable. With other word sizes and byte orders than 64 bits little-endian it has no ELF
 * headers and is not announced: only its code is there, for the return from signal handlers.
 */
u64 vdso_map(struct vm *vm)
{
	const struct linux_abi *abi = vm->abi;
	struct vdso_layout v = { 0 };
	bool elf = abi->word == 8 && !abi->big_endian;
	if (!abi->vdso_code)
		return 0;
	if (elf)
		vdso_make(abi, &v);
	memcpy(v.code, abi->vdso_code, abi->vdso_words * 4);
	i64 at = vm_mmap(vm, 0, sizeof(v), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at < 0 || !put_mem(vm, (u64)at, &v, sizeof(v)) ||
	    vm_mprotect(vm, (u64)at, sizeof(v), PROT_READ | PROT_EXEC) < 0)
		return 0;
	vm->trampolines = (u64)at + offsetof(struct vdso_layout, code);
	return vm->vdso = elf ? (u64)at : 0;
}

u64 vdso_sigreturn(const struct vm *vm)
{
	return vm->trampolines ? vm->trampolines + vm->abi->vdso_entries[0].at * 4u : 0;
}
