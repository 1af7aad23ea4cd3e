/*
 * Processes, limits, time, System V semaphores: calls that need more than their row. Manual: section 2 of the man pages, by name.
 */
#include "linux/syscalls/arg.h"
#include "syscalls.gen.h"
#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

i64 sys_uname(CALL_ARGS)
{
	struct utsname u;
	i64 r = RAW1(SYS_uname, &u);
	if (r < 0)
		return r;
	bool narrow = t->abi->word == 8 && t->vm->personality == PER_LINUX32;
	memset(u.machine, 0, sizeof(u.machine));
	snprintf(u.machine, sizeof(u.machine), "%s",
		 narrow && t->abi->uts_machine32 ? t->abi->uts_machine32 : t->abi->uts_machine);
	if (t->vm->opt->release) {
		memset(u.release, 0, sizeof(u.release));
		snprintf(u.release, sizeof(u.release), "%s", t->vm->opt->release);
	}
	return put_mem(t->vm, a[0], &u, sizeof(u)) ? 0 : -EFAULT;
}

/* The guest's own: on the host only what does not change how we run. */
i64 sys_personality(CALL_ARGS)
{
	u64 old = t->vm->personality;
	if ((u32)a[0] != 0xffffffff) {
		t->vm->personality = (u32)a[0];
		RAW1(SYS_personality, (u32)a[0] & (ADDR_NO_RANDOMIZE | STICKY_TIMEOUTS | WHOLE_SECONDS));
	}
	return (i64)old;
}

/* Which argument is an address; 0: none. */
static unsigned prctl_pointer(int option)
{
	switch (option) {
	case PR_GET_PDEATHSIG:
	case PR_SET_NAME:
	case PR_GET_NAME:
	case PR_GET_CHILD_SUBREAPER:
	case 0x41555856: /* PR_GET_AUXV */
		return 1;
	case PR_SCHED_CORE:
	case PR_SET_VMA:
		return 4;
	}
	return 0;
}

i64 sys_prctl(CALL_ARGS)
{
	bool handled = false;
	i64 r = t->abi->prctl ? t->abi->prctl(t, a, &handled) : 0;
	if (handled)
		return r;
	switch ((int)a[0]) {
	case PR_SET_SECCOMP:
		return seccomp_prctl(t, a[1], a[2]);
	case PR_GET_TSC:
	case PR_SET_TSC:
	case PR_SET_FPEMU:
	case PR_GET_FPEMU:
	case PR_SET_FPEXC:
	case PR_GET_FPEXC:
	case PR_SET_ENDIAN:
	case PR_GET_ENDIAN:
	case PR_SET_UNALIGN:
	case PR_GET_UNALIGN:
	case PR_SET_SYSCALL_USER_DISPATCH:
	case PR_SET_FP_MODE:
	case PR_GET_FP_MODE:
	case PR_MPX_ENABLE_MANAGEMENT:
	case PR_MPX_DISABLE_MANAGEMENT:
		return -EINVAL;
	case PR_SET_MM:
		return -EPERM;
	case PR_GET_TID_ADDRESS:
		return put_word(t->vm, a[1], t->clear_tid) ? 0 : -EFAULT;
	case PR_GET_SECCOMP:
		return t->seccomp_mode;
	}
	u64 b[5];
	memcpy(b, a, sizeof(b));
	unsigned at = prctl_pointer((int)a[0]);
	if (at)
		b[at] = (u64)ptr_arg(t, a[at]);
	if ((int)a[0] == PR_SET_VMA)
		b[2] = (u64)ptr_arg(t, a[2]);
	return HOST5(SYS_prctl, b[0], b[1], b[2], b[3], b[4]);
}

/* Registers and memory of another process would be the host's: refused, as where Yama's ptrace_scope is 3. */
i64 sys_ptrace(CALL_ARGS)
{
	return a[0] == PTRACE_TRACEME || a[0] == PTRACE_ATTACH || a[0] == PTRACE_SEIZE ? -EPERM : -ESRCH;
}

/* Code made by one thread is seen by others through the engine's own rules; the host's SYNC_CORE is what generated code needs, too. */
/* Namespaces and tables are left by processes of one thread, or by a thread: the engine's own must not stay behind with what the guest leaves. */
i64 sys_unshare(CALL_ARGS)
{
	engine_background_end(t->vm->engine);
	return HOST1(SYS_unshare, a[0]);
}

i64 sys_setns(CALL_ARGS)
{
	engine_background_end(t->vm->engine);
	return HOST2(SYS_setns, a[0], a[1]);
}

i64 sys_membarrier(CALL_ARGS)
{
	return HOST3(SYS_membarrier, a[0], a[1], a[2]);
}

/* ---- limits ---- */

/* The guest's own limit, or NULL when the host keeps it. */
static struct linux_limit *own_limit(struct thread *t, u32 resource)
{
	return resource == RLIMIT_AS ? &t->vm->limit_as : resource == RLIMIT_DATA ? &t->vm->limit_data : NULL;
}

/* A limit in the guest's memory: two numbers of size bytes. */
static bool get_limit(struct thread *t, u64 addr, unsigned size, u64 *ret_cur, u64 *ret_max)
{
	if (size == 8)
		return get_u64(t->vm, addr, ret_cur) && get_u64(t->vm, addr + 8, ret_max);
	return get_word(t->vm, addr, ret_cur) && get_word(t->vm, addr + size, ret_max);
}

static i64 set_own_limit(struct thread *t, struct linux_limit *own, u64 addr, unsigned size)
{
	u64 cur, max;
	if (!get_limit(t, addr, size, &cur, &max))
		return -EFAULT;
	if (cur > max)
		return -EINVAL;
	if (max > own->max && geteuid() != 0)
		return -EPERM;
	*own = (struct linux_limit){ cur, max };
	return 0;
}

static i64 get_own_limit(struct thread *t, const struct linux_limit *own, u64 addr, unsigned size)
{
	bool ok = size == 8 ? put_u64(t->vm, addr, own->cur) && put_u64(t->vm, addr + 8, own->max)
			    : put_word(t->vm, addr, own->cur) && put_word(t->vm, addr + size, own->max);
	return ok ? 0 : -EFAULT;
}

i64 sys_getrlimit(CALL_ARGS)
{
	struct linux_limit *own = own_limit(t, (u32)a[0]);
	return own ? get_own_limit(t, own, a[1], t->abi->word) : HOST2(SYS_getrlimit, a[0], ptr_arg(t, a[1]));
}

i64 sys_setrlimit(CALL_ARGS)
{
	struct linux_limit *own = own_limit(t, (u32)a[0]);
	return own ? set_own_limit(t, own, a[1], t->abi->word) : HOST2(SYS_setrlimit, a[0], ptr_arg(t, a[1]));
}

i64 sys_prlimit64(CALL_ARGS)
{
	struct linux_limit *own = !(u32)a[0] || (pid_t)a[0] == getpid() ? own_limit(t, (u32)a[1]) : NULL;
	if (!own)
		return HOST4(SYS_prlimit64, a[0], a[1], ptr_arg(t, a[2]), ptr_arg(t, a[3]));
	struct linux_limit old = *own;
	i64 r = a[2] ? set_own_limit(t, own, a[2], 8) : 0;
	return r || !a[3] ? r : get_own_limit(t, &old, a[3], 8);
}

/* ---- time: through the host's vDSO ---- */
i64 sys_clock_gettime(CALL_ARGS)
{
	struct timespec ts;
	if (clock_gettime((clockid_t)a[0], &ts) < 0)
		return -errno;
	return put_struct(t->vm, LAYOUT_timespec, a[1], &ts) ? 0 : -EFAULT;
}

i64 sys_gettimeofday(CALL_ARGS)
{
	struct timeval tv;
	if (a[0]) {
		gettimeofday(&tv, NULL);
		if (!put_word(t->vm, a[0], (u64)tv.tv_sec) ||
		    !put_word(t->vm, a[0] + t->abi->word, (u64)tv.tv_usec))
			return -EFAULT;
	}
	return a[1] ? HOST2(SYS_gettimeofday, NULL, ptr_arg(t, a[1])) : 0;
}

/* ---- semctl: the last argument is a union ---- */
i64 sys_semctl(CALL_ARGS)
{
	struct semid_ds ds = { 0 };
	i64 r;
	switch ((int)a[2] & ~0x100) {
	case IPC_SET:
		if (!get_struct(t->vm, LAYOUT_semid_ds, &ds, a[3]))
			return -EFAULT;
		return HOST4(SYS_semctl, a[0], a[1], IPC_SET, &ds);
	case IPC_STAT:
	case SEM_STAT:
	case SEM_STAT_ANY:
		r = HOST4(SYS_semctl, a[0], a[1], a[2], &ds);
		return r >= 0 && !put_struct(t->vm, LAYOUT_semid_ds, a[3], &ds) ? -EFAULT : r;
	case GETALL:
	case SETALL:
	case IPC_INFO:
	case SEM_INFO:
		return HOST4(SYS_semctl, a[0], a[1], a[2], ptr_arg(t, a[3]));
	default:
		return HOST4(SYS_semctl, a[0], a[1], a[2], a[3]);
	}
}

i64 sys_execve(CALL_ARGS)
{
	return exec_call(t, -100 /* AT_FDCWD */, a[0], a[1], a[2], 0);
}

i64 sys_execveat(CALL_ARGS)
{
	return exec_call(t, (int)a[0], a[1], a[2], a[3], (int)a[4]);
}
