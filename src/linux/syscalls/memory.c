/*
 * The address space: calls that change the guest's map. Manual: man 2 mmap and its kin.
 */
#include "linux/syscalls/arg.h"
#include "syscalls.gen.h"
#include <errno.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

/* May other processes write to what is mapped of this file while we read? One that is mapped to be read only is, on a disk, data. */
static bool is_exchange(int prot, int fd)
{
	struct statfs fs;
	return prot & PROT_WRITE || (fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC);
}

i64 sys_mmap(CALL_ARGS)
{
	if (((int)a[3] & MAP_TYPE) != MAP_PRIVATE && is_exchange((int)a[2], (int)a[4]))
		thread_shares(t);
	return vm_mmap(t->vm, a[0], a[1], (int)a[2], (int)a[3], (int)a[4], a[5]);
}

/* An address of mapped memory may have a tag, where the guest has asked for that. */
static u64 mapped(const struct thread *t, u64 addr)
{
	return addr & t->vm->mem_mask;
}

i64 sys_munmap(CALL_ARGS)
{
	return vm_munmap(t->vm, mapped(t, a[0]), a[1]);
}

i64 sys_mprotect(CALL_ARGS)
{
	return vm_mprotect(t->vm, mapped(t, a[0]), a[1], (int)a[2]);
}

i64 sys_pkey_mprotect(CALL_ARGS)
{
	return (int)a[3] == -1 ? vm_mprotect(t->vm, mapped(t, a[0]), a[1], (int)a[2]) : -EINVAL;
}

i64 sys_mremap(CALL_ARGS)
{
	return vm_mremap(t->vm, mapped(t, a[0]), a[1], a[2], (int)a[3], a[4]);
}

i64 sys_brk(CALL_ARGS)
{
	return (i64)vm_brk(t->vm, a[0]);
}

i64 sys_madvise(CALL_ARGS)
{
	return vm_madvise(t->vm, mapped(t, a[0]), a[1], (int)a[2]);
}

i64 sys_msync(CALL_ARGS)
{
	if (a[0] & (t->vm->page_size - 1))
		return -EINVAL;
	return HOST3(SYS_msync, g2h(t->vm, a[0]), a[1], a[2]);
}

i64 sys_shmat(CALL_ARGS)
{
	thread_shares(t);
	return vm_shmat(t->vm, (int)a[0], a[1], (int)a[2]);
}

i64 sys_shmdt(CALL_ARGS)
{
	return vm_shmdt(t->vm, a[0]);
}
