/*
 * Calls of 32-bit guests that need more than their row in narrow.tbl. Manual: section 2 of the man pages, by name; the guest's structures as
 * include/uapi/asm-generic and include/uapi/linux have them with words of 32 bits and times of 64.
 */
#include "linux/syscalls/arg.h"
#include "syscalls.gen.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

/* A timespec of 64 bits that may be missing; false: EFAULT. */
static bool time_arg(struct thread *t, u64 addr, struct timespec *buf, struct timespec **ret)
{
	*ret = addr ? buf : NULL;
	return !addr || get_struct(t->vm, LAYOUT_timespec64, buf, addr);
}

/* ---- files ---- */
i64 sys_llseek(CALL_ARGS)
{
	i64 r = HOST3(SYS_lseek, a[0], a[1] << 32 | (u32)a[2], a[4]);
	return r < 0 ? r : put_u64(t->vm, a[3], (u64)r) ? 0 : -EFAULT;
}

static i64 put_statfs(struct thread *t, i64 r, const struct statfs *st, const u64 *a)
{
	if (a[1] != layout_size(t->abi, LAYOUT_statfs64))
		return -EINVAL;
	return r >= 0 && !put_struct(t->vm, LAYOUT_statfs64, a[2], st) ? -EFAULT : r;
}

i64 sys_statfs64(CALL_ARGS)
{
	struct statfs st;
	char buf[4096];
	return put_statfs(t, HOST2(SYS_statfs, path_arg(t, a[0], buf), &st), &st, a);
}

i64 sys_fstatfs64(CALL_ARGS)
{
	struct statfs st;
	return put_statfs(t, HOST2(SYS_fstatfs, a[0], &st), &st, a);
}

enum { GUEST_GETLK64 = 12, GUEST_SETLK64, GUEST_SETLKW64 };

/* Locks with offsets of 32 bits are converted; the structure of those with 64 is the host's. */
i64 sys_fcntl64(CALL_ARGS)
{
	struct flock lock;
	u64 same[3] = { a[0], a[1], a[2] };
	switch ((int)a[1]) {
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
		if (!get_struct(t->vm, LAYOUT_flock, &lock, a[2]))
			return -EFAULT;
		i64 r = HOST3(SYS_fcntl, a[0], a[1], &lock);
		if (r < 0 || a[1] != F_GETLK)
			return r;
		if (lock.l_type != F_UNLCK && (lock.l_start > INT32_MAX || lock.l_len > INT32_MAX))
			return -EOVERFLOW;
		return put_struct(t->vm, LAYOUT_flock, a[2], &lock) ? r : -EFAULT;
	case GUEST_GETLK64:
	case GUEST_SETLK64:
	case GUEST_SETLKW64:
		same[1] = (u64)(F_GETLK + ((int)a[1] - GUEST_GETLK64));
		break;
	}
	return sys_fcntl(t, same);
}

i64 sys_mmap2(CALL_ARGS)
{
	return vm_mmap(t->vm, a[0], a[1], (int)a[2], (int)a[3], (int)a[4], a[5] * 4096);
}

/* ---- clocks ---- */
i64 sys_clock_gettime64(CALL_ARGS)
{
	struct timespec ts;
	if (clock_gettime((clockid_t)a[0], &ts) < 0)
		return -errno;
	return put_struct(t->vm, LAYOUT_timespec64, a[1], &ts) ? 0 : -EFAULT;
}

i64 sys_clock_nanosleep_time64(CALL_ARGS)
{
	struct timespec ts, left = { 0 };
	if (!get_struct(t->vm, LAYOUT_timespec64, &ts, a[2]))
		return -EFAULT;
	i64 r = HOST4(SYS_clock_nanosleep, a[0], a[1], &ts, &left);
	bool interrupted = r == -EINTR || r == -EINTR_RESTART;
	if (interrupted && a[3] && !(a[1] & TIMER_ABSTIME) &&
	    !put_struct(t->vm, LAYOUT_timespec64, a[3], &left))
		return -EFAULT;
	return r;
}

/* sigevent_t: value, signal, how, thread; false: EFAULT. */
static bool get_sigevent(struct thread *t, u64 addr, struct sigevent *ev)
{
	u64 value;
	u32 word[3];
	memset(ev, 0, sizeof(*ev));
	for (unsigned i = 0; i < LEN(word); i++)
		if (!get_u32(t->vm, addr + t->abi->word + 4 * i, &word[i]))
			return false;
	if (!get_word(t->vm, addr, &value))
		return false;
	ev->sigev_value.sival_ptr = (void *)value;
	ev->sigev_signo = (int)word[0];
	ev->sigev_notify = (int)word[1];
	ev->_sigev_un._tid = (int)word[2];
	return true;
}

i64 sys_timer_create32(CALL_ARGS)
{
	struct sigevent ev;
	if (a[1] && !get_sigevent(t, a[1], &ev))
		return -EFAULT;
	return HOST3(SYS_timer_create, a[0], a[1] ? &ev : NULL, ptr_arg(t, a[2]));
}

i64 sys_mq_notify32(CALL_ARGS)
{
	struct sigevent ev;
	if (a[1] && !get_sigevent(t, a[1], &ev))
		return -EFAULT;
	if (a[1] && ev.sigev_notify == SIGEV_THREAD) /* a cookie of 32 bytes, read by the kernel */
		ev.sigev_value.sival_ptr = ptr_arg(t, (u64)ev.sigev_value.sival_ptr);
	return HOST2(SYS_mq_notify, a[0], a[1] ? &ev : NULL);
}

/* ---- waiting ---- */
#define MASKED(name) static i64 name(struct thread *t, const u64 *a, const u64 *host_mask)

MASKED(ppoll64)
{
	struct timespec ts, *timeout;
	if (!time_arg(t, a[2], &ts, &timeout))
		return -EFAULT;
	i64 r = HOST5(SYS_ppoll, ptr_arg(t, a[0]), a[1], timeout, host_mask, host_mask ? 8 : a[4]);
	if (timeout)
		put_struct(t->vm, LAYOUT_timespec64, a[2],
			   timeout); /* what is left; may be read-only memory */
	return r;
}

i64 sys_ppoll_time64(CALL_ARGS)
{
	u64 mask;
	if (!a[3])
		return ppoll64(t, a, NULL);
	if (a[4] != 8)
		return -EINVAL;
	return get_set(t, a[3], &mask) ? signal_wait_with(t, mask, ppoll64, a) : -EFAULT;
}

/* A set of descriptors in the guest's words, of which the kernel would read a whole number of its own. */
static bool get_fds(struct thread *t, u64 addr, fd_set *set, unsigned bytes, fd_set **ret)
{
	*ret = addr ? set : NULL;
	memset(set, 0, sizeof(*set));
	return !addr || get_mem(t->vm, set, addr, bytes);
}

MASKED(pselect64)
{
	struct {
		const u64 *mask;
		u64 size;
	} arg = { host_mask, 8 };
	fd_set set[3], *p[3];
	struct timespec ts, *timeout;
	if ((int)a[0] < 0)
		return -EINVAL;
	unsigned n = MIN((unsigned)a[0], 8 * (unsigned)sizeof(fd_set)), bytes = ROUND_UP(n, 32u) / 8;
	for (unsigned i = 0; i < 3; i++)
		if (!get_fds(t, a[1 + i], &set[i], bytes, &p[i]))
			return -EFAULT;
	if (!time_arg(t, a[4], &ts, &timeout))
		return -EFAULT;
	i64 r = HOST6(SYS_pselect6, n, p[0], p[1], p[2], timeout, host_mask ? &arg : NULL);
	if (timeout)
		put_struct(t->vm, LAYOUT_timespec64, a[4], timeout);
	for (unsigned i = 0; i < 3 && r >= 0; i++)
		if (p[i] && !put_mem(t->vm, a[1 + i], p[i], bytes))
			return -EFAULT;
	return r;
}

i64 sys_pselect6_time64(CALL_ARGS)
{
	u64 at = 0, size = 0, mask;
	if (a[5] && (!get_word(t->vm, a[5], &at) || !get_word(t->vm, a[5] + t->abi->word, &size)))
		return -EFAULT;
	if (!at)
		return pselect64(t, a, NULL);
	if (size != 8)
		return -EINVAL;
	return get_set(t, at, &mask) ? signal_wait_with(t, mask, pselect64, a) : -EFAULT;
}

i64 sys_epoll_pwait2_32(CALL_ARGS)
{
	struct timespec ts;
	u64 b[6];
	memcpy(b, a, sizeof(b));
	if (!a[3])
		b[3] = (u64)-1; /* for ever */
	else if (!get_struct(t->vm, LAYOUT_timespec64, &ts, a[3]))
		return -EFAULT;
	else if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= 1000000000)
		return -EINVAL;
	else
		b[3] = MIN((u64)ts.tv_sec, 1000000ull) * 1000 + ((u64)ts.tv_nsec + 999999) / 1000000;
	return sys_epoll_pwait(t, b);
}

/* Which futex operations have a time in the fourth argument; with the others it is a number. */
static bool has_timeout(int op)
{
	switch (op & FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
	case FUTEX_WAIT_REQUEUE_PI:
		return true;
	}
	return false;
}

i64 sys_futex_time64(CALL_ARGS)
{
	struct timespec ts, *timeout;
	if (!has_timeout((int)a[1]))
		return HOST6(SYS_futex, ptr_arg(t, a[0]), a[1], a[2], a[3], ptr_arg(t, a[4]), a[5]);
	if (!time_arg(t, a[3], &ts, &timeout))
		return -EFAULT;
	return HOST6(SYS_futex, ptr_arg(t, a[0]), a[1], a[2], timeout, ptr_arg(t, a[4]), a[5]);
}

/* ---- signals ---- */
static bool get_siginfo(struct thread *t, u64 addr, siginfo_t *info)
{
	u8 buf[sizeof(*info)];
	if (!get_mem(t->vm, buf, addr, sizeof(buf)))
		return false;
	siginfo_to_host(t->abi, info, buf);
	return true;
}

static bool put_siginfo(struct thread *t, u64 addr, const siginfo_t *info)
{
	u8 buf[sizeof(*info)];
	siginfo_to_guest(t->abi, buf, info);
	return put_mem(t->vm, addr, buf, sizeof(buf));
}

i64 sys_rt_sigqueueinfo32(CALL_ARGS)
{
	siginfo_t info;
	return get_siginfo(t, a[2], &info) ? HOST3(SYS_rt_sigqueueinfo, a[0], a[1], &info) : -EFAULT;
}

i64 sys_rt_tgsigqueueinfo32(CALL_ARGS)
{
	siginfo_t info;
	return get_siginfo(t, a[3], &info) ? HOST4(SYS_rt_tgsigqueueinfo, a[0], a[1], a[2], &info) : -EFAULT;
}

i64 sys_pidfd_send_signal32(CALL_ARGS)
{
	siginfo_t info;
	if (a[2] && !get_siginfo(t, a[2], &info))
		return -EFAULT;
	return HOST4(SYS_pidfd_send_signal, a[0], a[1], a[2] ? &info : NULL, a[3]);
}

/* ---- processes ---- */
i64 sys_waitid32(CALL_ARGS)
{
	siginfo_t info = { .si_signo = 0 };
	struct rusage ru;
	i64 r = HOST5(SYS_waitid, a[0], a[1], &info, a[3], a[4] ? &ru : NULL);
	if (r < 0)
		return r;
	if (a[4] && info.si_signo && !put_struct(t->vm, LAYOUT_rusage, a[4], &ru))
		return -EFAULT;
	return a[2] && !put_siginfo(t, a[2], &info) ? -EFAULT : r;
}

/* The kernel keeps lists of 64-bit words alone: ours are walked when a thread ends (thread.c). */
i64 sys_get_robust_list32(CALL_ARGS)
{
	struct thread *of = NULL;
	pthread_mutex_lock(&t->vm->threads_lock);
	for (struct thread *x = t; !of && x;) {
		if (!a[0] || x->tid == (pid_t)a[0])
			of = x;
		x = x->next == t ? NULL : x->next;
	}
	u64 head = of ? of->robust_head : 0, len = of ? 3u * t->abi->word : 0;
	pthread_mutex_unlock(&t->vm->threads_lock);
	if (!of)
		return -ESRCH;
	return put_word(t->vm, a[1], head) && put_word(t->vm, a[2], len) ? 0 : -EFAULT;
}

/* Sets of CPUs: the kernel wants a whole number of its own words. */
i64 sys_sched_setaffinity32(CALL_ARGS)
{
	u8 set[1024] = { 0 };
	size_t len = MIN(a[1], (u64)sizeof(set));
	return get_mem(t->vm, set, a[2], len) ? HOST3(SYS_sched_setaffinity, a[0], ROUND_UP(len, 8), set)
					      : -EFAULT;
}

i64 sys_sched_getaffinity32(CALL_ARGS)
{
	u8 set[1024];
	if (a[1] & 3)
		return -EINVAL;
	i64 r = HOST3(SYS_sched_getaffinity, a[0], sizeof(set), set);
	if (r < 0)
		return r;
	for (i64 i = (i64)a[1]; i < r; i++)
		if (set[i])
			return -EINVAL;
	r = MIN(r, (i64)a[1]);
	return put_mem(t->vm, a[2], set, (size_t)r) ? r : -EFAULT;
}

/* Amounts that do not fit 32 bits are told in pages. */
i64 sys_sysinfo32(CALL_ARGS)
{
	struct sysinfo s;
	i64 r = RAW1(SYS_sysinfo, &s);
	if (r < 0)
		return r;
	unsigned unit = s.mem_unit, shift = 0;
	while ((s.totalram >> shift | s.totalswap >> shift) >> 32) {
		shift++;
		unit <<= 1;
	}
	const u64 word[] = { (u64)s.uptime,
			     s.loads[0],
			     s.loads[1],
			     s.loads[2],
			     s.totalram >> shift,
			     s.freeram >> shift,
			     s.sharedram >> shift,
			     s.bufferram >> shift,
			     s.totalswap >> shift,
			     s.freeswap >> shift,
			     s.procs,
			     s.totalhigh >> shift,
			     s.freehigh >> shift };
	for (unsigned i = 0; i < LEN(word); i++) /* procs and its padding are a word of 32 bits, too */
		if (!put_u32(t->vm, a[0] + 4 * i, (u32)word[i]))
			return -EFAULT;
	return put_u32(t->vm, a[0] + 4 * LEN(word), unit) && put_u64(t->vm, a[0] + 4 * LEN(word) + 4, 0)
		   ? 0
		   : -EFAULT;
}

/* ---- System V ---- */
i64 sys_semctl32(CALL_ARGS)
{
	struct semid_ds ds = { 0 };
	int cmd = (int)a[2] & ~0x100;
	i64 r;
	switch (cmd) {
	case IPC_SET:
		if (!get_struct(t->vm, LAYOUT_semid_narrow, &ds, a[3]))
			return -EFAULT;
		return HOST4(SYS_semctl, a[0], a[1], cmd, &ds);
	case IPC_STAT:
	case SEM_STAT:
	case SEM_STAT_ANY:
		r = HOST4(SYS_semctl, a[0], a[1], cmd, &ds);
		return r >= 0 && !put_struct(t->vm, LAYOUT_semid_narrow, a[3], &ds) ? -EFAULT : r;
	}
	return sys_semctl(t, a);
}

i64 sys_shmctl32(CALL_ARGS)
{
	struct shmid_ds ds = { 0 };
	int cmd = (int)a[1] & ~0x100;
	i64 r;
	switch (cmd) {
	case IPC_SET:
		if (!get_struct(t->vm, LAYOUT_shmid_narrow, &ds, a[2]))
			return -EFAULT;
		return HOST3(SYS_shmctl, a[0], cmd, &ds);
	case IPC_STAT:
	case SHM_STAT:
	case SHM_STAT_ANY:
		r = HOST3(SYS_shmctl, a[0], cmd, &ds);
		return r >= 0 && !put_struct(t->vm, LAYOUT_shmid_narrow, a[2], &ds) ? -EFAULT : r;
	case IPC_INFO:
	case SHM_INFO:
		return -EINVAL; /* words; only ipcs asks, and reads /proc instead */
	}
	return HOST3(SYS_shmctl, a[0], cmd, ptr_arg(t, a[2]));
}

i64 sys_msgctl32(CALL_ARGS)
{
	struct msqid_ds ds = { 0 };
	int cmd = (int)a[1] & ~0x100;
	i64 r;
	switch (cmd) {
	case IPC_SET:
		if (!get_struct(t->vm, LAYOUT_msqid_narrow, &ds, a[2]))
			return -EFAULT;
		return HOST3(SYS_msgctl, a[0], cmd, &ds);
	case IPC_STAT:
	case MSG_STAT:
	case MSG_STAT_ANY:
		r = HOST3(SYS_msgctl, a[0], cmd, &ds);
		return r >= 0 && !put_struct(t->vm, LAYOUT_msqid_narrow, a[2], &ds) ? -EFAULT : r;
	}
	return HOST3(SYS_msgctl, a[0], cmd, ptr_arg(t, a[2]));
}

/* A message begins with its type, a word. */
struct message {
	long type;
	u8 text[];
};
enum { MESSAGE_MAX = 1 << 20 };

i64 sys_msgsnd32(CALL_ARGS)
{
	u64 type;
	if (a[2] > MESSAGE_MAX)
		return -EINVAL;
	struct message *m = try_alloc(sizeof(*m) + a[2]);
	if (!m)
		return -ENOMEM;
	i64 r = -EFAULT;
	if (get_word(t->vm, a[1], &type) && get_mem(t->vm, m->text, a[1] + t->abi->word, a[2])) {
		m->type = (i32)type;
		r = HOST4(SYS_msgsnd, a[0], m, a[2], a[3]);
	}
	free(m);
	return r;
}

i64 sys_msgrcv32(CALL_ARGS)
{
	u64 size = MIN(a[2], (u64)MESSAGE_MAX);
	struct message *m = try_alloc(sizeof(*m) + size);
	if (!m)
		return -ENOMEM;
	i64 r = HOST5(SYS_msgrcv, a[0], m, size, a[3], a[4]);
	if (r >= 0 && (!put_word(t->vm, a[1], (u64)m->type) ||
		       !put_mem(t->vm, a[1] + t->abi->word, m->text, (size_t)r)))
		r = -EFAULT;
	free(m);
	return r;
}
