/*
 * The window of 32-bit guests: 4 GiB of the host's address space, reserved without access, in which guest address 0 is vm->mem_base. Every
 * page of it is mapped at all times, so that nothing of the host's own can come to lie there: what the guest unmaps is reserved again
 * in the same step. Behind it lie 4 GiB more that are never mapped otherwise: no guest address plus a length of 32 bits leads out.
 */
#include "base/err.h"
#include "linux/internal.h"
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { RESERVE = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE };
#define WINDOW (4 * GiB)

struct err *window_init(struct vm *vm)
{
	const struct linux_options *o = vm->opt;
	void *at = mmap((void *)o->base, 2 * WINDOW, PROT_NONE, RESERVE | (o->base ? MAP_FIXED_NOREPLACE : 0),
			-1, 0);
	if (at == MAP_FAILED || (o->base && at != (void *)o->base)) {
		struct err *e = err_errno(errno, "no room for the address space of a %s program at %#llx",
					  vm->abi->name, (unsigned long long)o->base);
		return err_hint(e,
				"8 GiB of addresses are needed, not of memory: see ulimit -v, or another -B");
	}
	vm->mem_base = at;
	vm->mem_mask = WINDOW - 1;
	vm->va_limit = WINDOW - 64 * KiB; /* addresses behind it would look like error numbers */
	if (o->reserved)
		vm->va_limit = MIN(vm->va_limit, ROUND_DOWN(o->reserved, vm->page_size));
	return NULL;
}

i64 window_unmap(struct vm *vm, u64 addr, u64 len)
{
	i64 got = RAW6(SYS_mmap, g2h(vm, addr), len, PROT_NONE, RESERVE | MAP_FIXED, -1, 0);
	return got < 0 && got > -4096 ? got : 0;
}

/*
 * The pages are moved out of the window first, which leaves fresh ones in their place, and from there to where they shall be, which replaces
 * what is there: at no time is a page of the window unmapped.
 */
i64 window_move(struct vm *vm, u64 old, u64 old_len, u64 to, u64 new_len, bool keep_old)
{
	void *out =
	    (void *)RAW5(SYS_mremap, g2h(vm, old), old_len, old_len, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
	i64 err = (i64)out;
	if (err < 0 && err > -4096)
		return err;
	if (!keep_old)
		window_unmap(vm, old, old_len);
	i64 got = RAW5(SYS_mremap, out, old_len, new_len, MREMAP_MAYMOVE | MREMAP_FIXED, g2h(vm, to));
	if (got < 0 && got > -4096) {
		if (!keep_old) /* back again; what cannot fail, since nothing grows */
			RAW5(SYS_mremap, out, old_len, old_len, MREMAP_MAYMOVE | MREMAP_FIXED, g2h(vm, old));
		else
			RAW2(SYS_munmap, out, old_len);
		return got;
	}
	return (i64)to;
}
