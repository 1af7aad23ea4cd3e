/*
 * Fuzz target of the ELF loader: the input is a program's file, which is mapped and unmapped again.
 *
 * Input  byte 0: the architecture; then the file.
 */
#include "base/err.h"
#include "linux/internal.h"
#include "translate/host/syscall.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* What a vm holds it holds until its process ends: nothing frees its map of memory. */
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

/* What signal.c's handler does for the loader: copies that fault end. */
static void guard(int sig, void *info UNUSED, void *uc)
{
	if (!host_guard_fault(uc))
		host_sigaction(sig, (void (*)(int, void *, void *))(uintptr_t)SIG_DFL, 0, 0);
}

static void unload(struct vm *vm)
{
	struct map_range r;
	for (u64 at = 0; vm_find(vm, at, &r); at = r.end)
		if (r.kind == MAP_NODE_GUEST)
			vm_munmap(vm, r.start, r.end - r.start);
	if (vm->brk_limit > vm->brk_start)
		munmap(g2h(vm, vm->brk_start), vm->brk_limit - vm->brk_start);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	static const char *const names[] = { "aarch64", "riscv64" };
	static const struct linux_options options = { .fd = -1, .self_fd = -1 };
	static int fd = -1;
	struct vm vm = { 0 };
	struct image im = { 0 };
	if (fd < 0) {
		fd = memfd_create("program", MFD_CLOEXEC);
		host_sigaction(SIGSEGV, guard, SA_SIGINFO, 0);
		host_sigaction(SIGBUS, guard, SA_SIGINFO, 0);
	}
	if (len < 2)
		return 0;
	if (ftruncate(fd, 0) || pwrite(fd, data + 1, len - 1, 0) != (ssize_t)(len - 1))
		abort();
	vm.opt = &options;
	vm.prefix_fd = -1;
	vm.abi = linux_abi_find(names[data[0] % LEN(names)]);
	struct err *e = vm_init(&vm);
	if (!e)
		e = load_program(&vm, fd, "program", &im);
	err_free(e);
	unload(&vm);
	return 0;
}
