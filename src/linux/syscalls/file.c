/*
 * Files: calls that need more than their row. Manual: section 2 of the man pages, by name.
 */
#include "linux/syscalls/arg.h"
#include "syscalls.gen.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *path_prefixed(struct vm *vm, const char *path, char *buf)
{
	if (vm->prefix_fd < 0 || path[0] != '/')
		return path;
	int n = snprintf(buf, PATH_MAX, "%s%s", vm->opt->prefix, path);
	if (n >= PATH_MAX || RAW4(SYS_faccessat2, AT_FDCWD, buf, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return path;
	return buf;
}

/* The path the host shall see. buf may hold the guest's string and the result. */
const char *path_arg(struct thread *t, u64 addr, char *buf)
{
	struct vm *vm = t->vm;
	char first[8];
	if (!addr)
		return NULL;
	if (!get_mem(vm, first, addr, 1) || first[0] != '/')
		return g2h(vm, addr);
	if (vm->prefix_fd < 0 &&
	    (get_str(vm, first, addr, 7) != -ENAMETOOLONG || memcmp(first, "/proc/", 6) != 0))
		return g2h(vm, addr);
	char path[PATH_MAX];
	i64 n = get_str(vm, path, addr, sizeof(path));
	if (n < 0)
		return g2h(vm, addr); /* the kernel says the same */
	if (procfs_is_exe(path))
		return vm->exe;
	const char *host = path_prefixed(vm, path, buf);
	return host == path ? g2h(vm, addr) : host;
}

static i64 open_path(struct thread *t, int dirfd, u64 path_at, u64 flags, u64 mode)
{
	char path[PATH_MAX], buf[PATH_MAX];
	i64 n = get_str(t->vm, path, path_at, sizeof(path));
	if (n < 0)
		return n;
	i64 fd = procfs_open(t, dirfd, path, (int)flags);
	if (fd != -1)
		return fd;
	return HOST4(SYS_openat, dirfd, path_prefixed(t->vm, path, buf), flags, mode);
}

i64 sys_openat(CALL_ARGS)
{
	return open_path(t, (int)a[0], a[1], oflags_to_host(t, a[2]), a[3]);
}

i64 sys_openat2(CALL_ARGS)
{
	struct open_how how = { 0 };
	if (a[3] < sizeof(how))
		return -EINVAL;
	if (a[3] > 4096)
		return -E2BIG;
	for (u64 at = sizeof(how); at < a[3]; at++) {
		u8 byte;
		if (!get_mem(t->vm, &byte, a[2] + at, 1))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	if (!get_mem(t->vm, &how, a[2], sizeof(how)))
		return -EFAULT;
	how.flags = oflags_to_host(t, how.flags);
	if (!how.resolve && !(how.flags & ~0x7fffffffull)) {
		char path[PATH_MAX];
		if (get_str(t->vm, path, a[1], sizeof(path)) >= 0) {
			i64 fd = procfs_open(t, (int)a[0], path, (int)how.flags);
			if (fd != -1)
				return fd;
		}
	}
	return HOST4(SYS_openat2, a[0], ptr_arg(t, a[1]), &how, sizeof(how));
}

i64 sys_open_by_handle_at(CALL_ARGS)
{
	return HOST3(SYS_open_by_handle_at, a[0], ptr_arg(t, a[1]), oflags_to_host(t, a[2]));
}

i64 sys_newfstatat(CALL_ARGS)
{
	char buf[PATH_MAX];
	struct stat st;
	const char *path = path_arg(t, a[1], buf);
	if (a[3] & AT_SYMLINK_NOFOLLOW && path == t->vm->exe)
		path = ptr_arg(t, a[1]); /* the link itself */
	i64 r = HOST4(SYS_newfstatat, a[0], path, &st, a[3]);
	return r >= 0 && !put_struct(t->vm, LAYOUT_stat, a[2], &st) ? -EFAULT : r;
}

i64 sys_statx(CALL_ARGS)
{
	char buf[PATH_MAX];
	const char *path = path_arg(t, a[1], buf);
	if (a[2] & AT_SYMLINK_NOFOLLOW && path == t->vm->exe)
		path = ptr_arg(t, a[1]);
	return HOST5(SYS_statx, a[0], path, a[2], a[3], ptr_arg(t, a[4]));
}

i64 sys_readlinkat(CALL_ARGS)
{
	char path[PATH_MAX], buf[PATH_MAX], target[PATH_MAX];
	i64 n = get_str(t->vm, path, a[1], sizeof(path));
	if (n < 0)
		return n;
	if ((int)a[3] <= 0)
		return -EINVAL;
	i64 len = procfs_readlink(t, path, target, sizeof(target));
	if (len) {
		len = MIN(len, (i64)(int)a[3]);
		return put_mem(t->vm, a[2], target, (size_t)len) ? len : -EFAULT;
	}
	return HOST4(SYS_readlinkat, a[0], path_prefixed(t->vm, path, buf), ptr_arg(t, a[2]), a[3]);
}

/* ---- descriptors; ours are not there for the guest: syscall_run sees to calls that name them ---- */
i64 sys_close(CALL_ARGS)
{
	return HOST1(SYS_close, (int)a[0]);
}

i64 sys_close_range(CALL_ARGS)
{
	u32 first = (u32)a[0], last = (u32)a[1];
	if (first > last || a[2] & ~6ull)
		return -EINVAL;
	if (a[2] & CLOSE_RANGE_UNSHARE)
		engine_background_end(t->vm->engine); /* which would keep the old table */
	int ours[] = { t->vm->self_fd, t->vm->prefix_fd, t->vm->log.fd };
	while (first <= last) {
		u32 stop = last, next = last;
		bool hit = false;
		for (unsigned i = 0; i < LEN(ours); i++)
			if (ours[i] >= 0 && (u32)ours[i] >= first && (u32)ours[i] <= stop) {
				stop = next = (u32)ours[i];
				hit = true;
			}
		if (!hit || stop > first) {
			i64 r = HOST3(SYS_close_range, first, hit ? stop - 1 : stop, a[2]);
			if (r < 0)
				return r;
		}
		if (next == ~0u || !hit)
			break;
		first = next + 1;
	}
	return 0;
}

/* Moves a descriptor of ours out of the way of one the guest names. */
static void make_room(struct thread *t, int fd)
{
	struct vm *vm = t->vm;
	int *ours[] = { &vm->self_fd, &vm->prefix_fd, &vm->log.fd };
	for (unsigned i = 0; i < LEN(ours); i++)
		if (*ours[i] == fd && fd >= 0) {
			i64 new = RAW3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, fd + 1);
			if (new < 0)
				new = RAW3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3);
			if (new >= 0)
				*ours[i] = (int)new;
		}
}

i64 sys_dup3(CALL_ARGS)
{
	if (fd_is_ours(t, a[1]))
		make_room(t, (int)a[1]);
	return HOST3(SYS_dup3, a[0], a[1], oflags_to_host(t, a[2]));
}

i64 sys_pipe2(CALL_ARGS)
{
	return HOST2(SYS_pipe2, ptr_arg(t, a[0]), oflags_to_host(t, a[1]));
}

i64 sys_flags_fd(CALL_ARGS)
{
	return HOST1(SYS_inotify_init1, oflags_to_host(t, a[0]));
}

i64 sys_fanotify_init(CALL_ARGS)
{
	return HOST2(SYS_fanotify_init, a[0], oflags_to_host(t, a[1]));
}

i64 sys_mq_open(CALL_ARGS)
{
	return HOST4(SYS_mq_open, ptr_arg(t, a[0]), oflags_to_host(t, a[1]), a[2], ptr_arg(t, a[3]));
}

i64 sys_fcntl(CALL_ARGS)
{
	i64 r;
	switch ((int)a[1]) {
	case F_GETFL:
		r = HOST2(SYS_fcntl, a[0], F_GETFL);
		return r < 0 ? r : (i64)oflags_to_guest(t, (u64)r);
	case F_SETFL:
		return HOST3(SYS_fcntl, a[0], F_SETFL, oflags_to_host(t, a[2]));
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
	case F_GETOWN_EX:
	case F_SETOWN_EX:
	case 17: /* F_GETOWNER_UIDS */
	case F_GET_RW_HINT:
	case F_SET_RW_HINT:
	case F_GET_FILE_RW_HINT:
	case F_SET_FILE_RW_HINT: /* structures: alike on both sides */
		return HOST3(SYS_fcntl, a[0], a[1], ptr_arg(t, a[2]));
	default:
		return HOST3(SYS_fcntl, a[0], a[1], a[2]);
	}
}

/* ---- waiting with a signal mask ---- */
#define MASKED(name) static i64 name(struct thread *t, const u64 *a, const u64 *host_mask)

MASKED(ppoll)
{
	return HOST5(SYS_ppoll, ptr_arg(t, a[0]), a[1], ptr_arg(t, a[2]), host_mask, host_mask ? 8 : a[4]);
}

i64 sys_ppoll(CALL_ARGS)
{
	u64 mask;
	if (!a[3])
		return ppoll(t, a, NULL);
	if (a[4] != 8)
		return -EINVAL;
	return get_set(t, a[3], &mask) ? signal_wait_with(t, mask, ppoll, a) : -EFAULT;
}

MASKED(pselect6)
{
	struct {
		const u64 *mask;
		u64 size;
	} arg = { host_mask, 8 };
	return HOST6(SYS_pselect6, a[0], ptr_arg(t, a[1]), ptr_arg(t, a[2]), ptr_arg(t, a[3]),
		     ptr_arg(t, a[4]), host_mask ? &arg : NULL);
}

i64 sys_pselect6(CALL_ARGS)
{
	u64 at = 0, size = 0, mask;
	if (a[5] && (!get_word(t->vm, a[5], &at) || !get_word(t->vm, a[5] + t->abi->word, &size)))
		return -EFAULT;
	if (!at)
		return pselect6(t, a, NULL);
	if (size != 8)
		return -EINVAL;
	return get_set(t, at, &mask) ? signal_wait_with(t, mask, pselect6, a) : -EFAULT;
}

static i64 put_events(struct thread *t, u64 addr, const struct epoll_event *ev, i64 n)
{
	u32 size = layout_size(t->abi, LAYOUT_epoll_event);
	u8 buf[64 * 16];
	for (i64 i = 0; i < n;) {
		i64 k = 0;
		memset(buf, 0, sizeof(buf));
		for (; k < 64 && i + k < n; k++)
			layout_to_guest(t->abi, LAYOUT_epoll_event, buf + k * size, &ev[i + k]);
		if (!put_mem(t->vm, addr + (u64)i * size, buf, (size_t)k * size))
			return -EFAULT;
		i += k;
	}
	return n;
}

/* Events are converted through a buffer; more than fit are given by the next call. */
static i64 epoll_wait_any(struct thread *t, const u64 *a, const u64 *host_mask, long nr)
{
	struct epoll_event ev[1024];
	if ((int)a[2] <= 0)
		return -EINVAL;
	u64 max = MIN((u64)(u32)a[2], LEN(ev));
	u64 timeout = nr == SYS_epoll_pwait2 ? (u64)ptr_arg(t, a[3]) : a[3];
	i64 n = HOST6(nr, a[0], ev, max, timeout, host_mask, host_mask ? 8 : a[5]);
	return n > 0 ? put_events(t, a[1], ev, n) : n;
}

MASKED(epoll_pwait_)
{
	return epoll_wait_any(t, a, host_mask, SYS_epoll_pwait);
}

MASKED(epoll_pwait2_)
{
	return epoll_wait_any(t, a, host_mask, SYS_epoll_pwait2);
}

static i64 epoll_masked(struct thread *t, const u64 *a, i64 (*fn)(struct thread *, const u64 *, const u64 *))
{
	u64 mask;
	if (!a[4])
		return fn(t, a, NULL);
	if (a[5] != 8)
		return -EINVAL;
	return get_set(t, a[4], &mask) ? signal_wait_with(t, mask, fn, a) : -EFAULT;
}

i64 sys_epoll_pwait(CALL_ARGS)
{
	return epoll_masked(t, a, epoll_pwait_);
}

i64 sys_epoll_pwait2(CALL_ARGS)
{
	return epoll_masked(t, a, epoll_pwait2_);
}
