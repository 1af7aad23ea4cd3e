/* The loader against headers nobody should trust. */
#include "loader.c"
#include "base/test.h"
#include "translate/host/syscall.h"
#include <sys/wait.h>

/* What signal.c's handler does for the loader: copies that fault end. */
static void guard(int sig, void *info UNUSED, void *uc)
{
	if (!host_guard_fault(uc))
		host_sigaction(sig, (void (*)(int, void *, void *))(uintptr_t)SIG_DFL, 0, 0);
}

enum { PAGE = 4096 };

/* A small arm64 program: one segment of code, one of data, an interpreter's name where asked for. */
struct sample {
	u8 bytes[3 * PAGE];
	size_t len;
};

static void sample_make(struct sample *s, u16 type)
{
	Elf64_Ehdr eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			  .e_type = type,
			  .e_machine = EM_AARCH64,
			  .e_version = EV_CURRENT,
			  .e_phoff = sizeof(eh),
			  .e_ehsize = sizeof(eh),
			  .e_phentsize = sizeof(Elf64_Phdr),
			  .e_phnum = 3 };
	u64 base = type == ET_EXEC ? 0x10000000 : 0;
	eh.e_entry = base + 0x400;
	Elf64_Phdr ph[3] = {
		{ .p_type = PT_LOAD,
		  .p_flags = PF_R | PF_X,
		  .p_vaddr = base,
		  .p_filesz = 0x800,
		  .p_memsz = 0x800,
		  .p_align = PAGE },
		{ .p_type = PT_LOAD,
		  .p_flags = PF_R | PF_W,
		  .p_offset = PAGE,
		  .p_vaddr = base + 4 * PAGE,
		  .p_filesz = 0x100,
		  .p_memsz = 5 * PAGE,
		  .p_align = PAGE },
		{ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W },
	};
	memset(s, 0, sizeof(*s));
	memcpy(s->bytes, &eh, sizeof(eh));
	memcpy(s->bytes + sizeof(eh), ph, sizeof(ph));
	memset(s->bytes + PAGE, 0x5a, PAGE);
	s->len = sizeof(s->bytes);
}

/* Loads it: NULL or the error, with the map's state in vm. */
static struct err *load(struct vm *vm, const struct sample *s, struct image *im)
{
	static const struct linux_options options = { .fd = -1, .self_fd = -1 };
	int fd = memfd_create("sample", MFD_CLOEXEC);
	host_sigaction(SIGSEGV, guard, SA_SIGINFO, 0);
	host_sigaction(SIGBUS, guard, SA_SIGINFO, 0);
	memset(vm, 0, sizeof(*vm));
	memset(im, 0, sizeof(*im));
	vm->opt = &options;
	vm->abi = linux_abi_find("aarch64");
	struct err *e = vm_init(vm);
	if (write(fd, s->bytes, s->len) != (ssize_t)s->len)
		test_fail(__FILE__, __LINE__, "cannot write the sample");
	if (!e)
		e = load_program(vm, fd, "sample", im);
	close(fd);
	return e;
}

static void unload(struct vm *vm)
{
	struct map_range r;
	for (u64 at = 0; vm_find(vm, at, &r); at = r.end)
		vm_munmap(vm, r.start, r.end - r.start);
	if (vm->brk_limit > vm->brk_start)
		munmap(g2h(vm, vm->brk_start), vm->brk_limit - vm->brk_start);
	free(vm->root); /* the room of brk, which is all that is left */
	vm->root = NULL;
}

static void expect(const struct sample *s, const char *want)
{
	struct vm vm;
	struct image im;
	struct err *e = load(&vm, s, &im);
	if (!e || !strstr(err_text(e), want))
		test_fail(__FILE__, __LINE__, "'%s', not '%s'", e ? err_text(e) : "no error", want);
	err_free(e);
	unload(&vm);
}

TEST(loader, maps_segments_zeros_and_holes)
{
	struct sample s;
	struct vm vm;
	struct image im;
	sample_make(&s, ET_EXEC);
	struct err *e = load(&vm, &s, &im);
	CHECK(!e);
	err_free(e);
	CHECK_EQ(im.entry, 0x10000400);
	CHECK_EQ(im.phdr, 0x10000040);
	CHECK_EQ(vm.brk_start, 0x10000000 + 9 * PAGE);
	struct map_range r;
	CHECK(vm_find(&vm, 0x10000000, &r) && r.prot == (PROT_READ | PROT_EXEC) && r.end == 0x10001000);
	CHECK(vm_find(&vm, r.end, &r) && r.start == 0x10004000 && r.prot == (PROT_READ | PROT_WRITE) &&
	      r.end == 0x10009000);
	u8 b[2];
	CHECK(get_mem(&vm, b, 0x100040ff, 2) && b[0] == 0x5a && b[1] == 0);
	CHECK(!get_mem(&vm, b, 0x10002000, 1));
	unload(&vm);
}

TEST(loader, places_position_independent_programs_anywhere)
{
	struct sample s;
	struct vm vm;
	struct image im;
	sample_make(&s, ET_DYN);
	struct err *e = load(&vm, &s, &im);
	CHECK(!e);
	err_free(e);
	CHECK(im.base && im.base % PAGE == 0 && im.entry == im.base + 0x400);
	unload(&vm);
}

TEST(loader, says_what_is_wrong_with_a_header)
{
	struct sample s;
	Elf64_Ehdr *eh = (Elf64_Ehdr *)s.bytes;
	Elf64_Phdr *ph = (Elf64_Phdr *)(s.bytes + sizeof(*eh));
	sample_make(&s, ET_EXEC);
	s.bytes[0] = 'x';
	expect(&s, "not an ELF file");
	sample_make(&s, ET_EXEC);
	s.len = 30;
	expect(&s, "the ELF header is cut off");
	sample_make(&s, ET_EXEC);
	eh->e_machine = EM_386;
	expect(&s, "Invalid ELF image for this architecture");
	sample_make(&s, ET_REL);
	expect(&s, "neither an executable nor a shared object");
	sample_make(&s, ET_EXEC);
	eh->e_phentsize = 40;
	expect(&s, "wrong size of program headers");
	sample_make(&s, ET_EXEC);
	eh->e_phnum = 0;
	expect(&s, "wrong number of program headers");
	sample_make(&s, ET_EXEC);
	eh->e_phoff = 1ull << 40;
	expect(&s, "behind the end of the file");
	sample_make(&s, ET_EXEC);
	ph[1].p_filesz = 6 * PAGE;
	expect(&s, "impossible size or address");
	sample_make(&s, ET_EXEC);
	ph[1].p_vaddr = ~0ull - 100;
	expect(&s, "impossible size or address");
	sample_make(&s, ET_EXEC);
	ph[1].p_offset = 100;
	expect(&s, "does not fit its address");
	sample_make(&s, ET_EXEC);
	ph[1].p_offset = 100 * PAGE;
	expect(&s, "lies behind the end of the file");
	sample_make(&s, ET_EXEC);
	ph[0].p_type = ph[1].p_type = PT_NOTE;
	expect(&s, "no segment to load");
	sample_make(&s, ET_EXEC);
	ph[2] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = 0x600, .p_filesz = 4 };
	memcpy(s.bytes + 0x600, "/abc", 4);
	expect(&s, "the name of its interpreter is damaged");
	ph[2].p_filesz = 5;
	expect(&s, "Could not open '/abc'");
}

/* Every header field damaged at random, many times: an error or an image, never a crash. In a child, so that a crash is a failure here. */
TEST(loader, survives_random_headers)
{
	pid_t pid = fork();
	if (!pid) {
		u32 x = 12345;
		for (unsigned i = 0; i < 3000; i++) {
			struct sample s;
			struct vm vm;
			struct image im;
			sample_make(&s, i & 1 ? ET_EXEC : ET_DYN);
			for (unsigned n = 1 + (i >> 1) % 4; n--;) {
				x = x * 1664525u + 1013904223u;
				unsigned at =
				    16 + (x >> 8) % (sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr) - 16);
				x = x * 1664525u + 1013904223u;
				s.bytes[at] = (u8)(x >> 24);
			}
			struct err *e = load(&vm, &s, &im);
			err_free(e);
			unload(&vm);
		}
		_exit(0);
	}
	int status = -1;
	waitpid(pid, &status, 0);
	CHECK_EQ(status, 0);
}
