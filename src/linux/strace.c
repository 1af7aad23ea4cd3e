/*
 * -strace: one line a system call on stderr or in the log file, in the peer's form: PID name(args) = result.
 */
#include "linux/internal.h"
#include "linux/syscalls/arg.h"
#include "syscalls.gen.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct strace_line {
	char text[1024];
	unsigned len;
};

static PRINTF(2, 3) void add(struct strace_line *l, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, args);
	va_end(args);
	if (n > 0)
		l->len = MIN(l->len + (unsigned)n, (unsigned)sizeof(l->text) - 1);
}

struct name {
	u64 value;
	const char *name;
};
/* clang-format off */
#define N(x) { (u64)(x), #x }
static const struct name oflag_names[] = { N(O_WRONLY), N(O_RDWR), N(O_CREAT), N(O_EXCL), N(O_NOCTTY), N(O_TRUNC), N(O_APPEND), N(O_NONBLOCK),
	N(O_DIRECTORY), N(O_NOFOLLOW), N(O_CLOEXEC), N(O_DIRECT), N(O_PATH), { 0, NULL } };
static const struct name prot_names[] = { N(PROT_READ), N(PROT_WRITE), N(PROT_EXEC), { 0, NULL } };
static const struct name mmap_names[] = { N(MAP_SHARED), N(MAP_PRIVATE), N(MAP_FIXED), N(MAP_ANONYMOUS), N(MAP_NORESERVE), N(MAP_STACK),
	N(MAP_DENYWRITE), N(MAP_FIXED_NOREPLACE), N(MAP_POPULATE), N(MAP_HUGETLB), N(MAP_GROWSDOWN), { 0, NULL } };
static const struct name clone_names[] = { N(CLONE_VM), N(CLONE_FS), N(CLONE_FILES), N(CLONE_SIGHAND), N(CLONE_PIDFD), N(CLONE_PTRACE),
	N(CLONE_VFORK), N(CLONE_PARENT), N(CLONE_THREAD), N(CLONE_NEWNS), N(CLONE_SYSVSEM), N(CLONE_SETTLS), N(CLONE_PARENT_SETTID),
	N(CLONE_CHILD_CLEARTID), N(CLONE_CHILD_SETTID), N(CLONE_NEWCGROUP), N(CLONE_NEWUTS), N(CLONE_NEWIPC), N(CLONE_NEWUSER),
	N(CLONE_NEWPID), N(CLONE_NEWNET), { 0, NULL } };
static const struct name at_names[] = { N(AT_SYMLINK_NOFOLLOW), N(AT_REMOVEDIR), N(AT_SYMLINK_FOLLOW), N(AT_NO_AUTOMOUNT), N(AT_EMPTY_PATH), { 0, NULL } };
static const struct name access_names[] = { N(R_OK), N(W_OK), N(X_OK), { 0, NULL } };
static const struct name clock_names[] = { N(CLOCK_REALTIME), N(CLOCK_MONOTONIC), N(CLOCK_PROCESS_CPUTIME_ID), N(CLOCK_THREAD_CPUTIME_ID),
	N(CLOCK_MONOTONIC_RAW), N(CLOCK_REALTIME_COARSE), N(CLOCK_MONOTONIC_COARSE), N(CLOCK_BOOTTIME), { 0, NULL } };
static const struct name fcntl_names[] = { N(F_DUPFD), N(F_GETFD), N(F_SETFD), N(F_GETFL), N(F_SETFL), N(F_GETLK), N(F_SETLK), N(F_SETLKW),
	N(F_SETOWN), N(F_GETOWN), N(F_DUPFD_CLOEXEC), N(F_SETPIPE_SZ), N(F_GETPIPE_SZ), N(F_ADD_SEALS), N(F_GET_SEALS), { 0, NULL } };
static const struct name whence_names[] = { N(SEEK_SET), N(SEEK_CUR), N(SEEK_END), N(SEEK_DATA), N(SEEK_HOLE), { 0, NULL } };
static const struct name how_names[] = { N(SIG_BLOCK), N(SIG_UNBLOCK), N(SIG_SETMASK), { 0, NULL } };
static const struct name domain_names[] = { N(PF_UNIX), N(PF_INET), N(PF_INET6), N(PF_NETLINK), N(PF_PACKET), { 0, NULL } };
static const struct name type_names[] = { N(SOCK_STREAM), N(SOCK_DGRAM), N(SOCK_RAW), N(SOCK_SEQPACKET), { 0, NULL } };
static const struct name futex_names[] = { N(FUTEX_WAIT), N(FUTEX_WAKE), N(FUTEX_REQUEUE), N(FUTEX_CMP_REQUEUE), N(FUTEX_WAKE_OP),
	N(FUTEX_LOCK_PI), N(FUTEX_UNLOCK_PI), N(FUTEX_TRYLOCK_PI), N(FUTEX_WAIT_BITSET), N(FUTEX_WAKE_BITSET), { 0, NULL } };
/* clang-format on */

static void add_flags(struct strace_line *l, const struct name *names, u64 value, const char *zero)
{
	const char *sep = "";
	if (!value && zero)
		add(l, "%s", zero);
	for (; names->name; names++)
		if (names->value && (value & names->value) == names->value) {
			add(l, "%s%s", sep, names->name);
			sep = "|";
			value &= ~names->value;
		}
	if (value)
		add(l, "%s0x%llx", sep, (unsigned long long)value);
}

static void add_name(struct strace_line *l, const struct name *names, u64 value)
{
	for (; names->name; names++)
		if (names->value == value) {
			add(l, "%s", names->name);
			return;
		}
	add(l, "%lld", (long long)(int)value);
}

static void add_string(struct strace_line *l, struct vm *vm, u64 addr)
{
	char s[256];
	if (!addr) {
		add(l, "NULL");
		return;
	}
	i64 n = get_str(vm, s, addr, sizeof(s));
	if (n == -EFAULT) {
		add(l, "0x%016llx", (unsigned long long)addr);
		return;
	}
	s[sizeof(s) - 1] = 0;
	add(l, "\"%s\"%s", s, n < 0 ? "..." : "");
}

static void add_strings(struct strace_line *l, struct vm *vm, u64 addr)
{
	u64 p;
	add(l, "{");
	for (unsigned i = 0; i < 32 && get_word(vm, addr + i * vm->abi->word, &p) && p; i++) {
		add_string(l, vm, p);
		add(l, ",");
	}
	add(l, "NULL}");
}

static void add_signal(struct strace_line *l, u64 sig)
{
	if (sig <= NSIG_GUEST && signal_names[sig])
		add(l, "%s", signal_names[sig]);
	else
		add(l, "%lld", (long long)sig);
}

static void add_pointer(struct strace_line *l, u64 v)
{
	if (v)
		add(l, "0x%016llx", (unsigned long long)v);
	else
		add(l, "NULL");
}

static void add_set(struct strace_line *l, struct vm *vm, u64 addr)
{
	u8 b[8];
	if (!addr || !get_mem(vm, b, addr, 8)) {
		add_pointer(l, addr);
		return;
	}
	u64 set = vm->abi->big_endian ? ld_be64(b) : ld_le64(b);
	const char *sep = "[";
	if (set == ~0ull) {
		add(l, "~[]");
		return;
	}
	if (!set)
		add(l, "[");
	for (unsigned sig = 1; sig <= NSIG_GUEST; sig++)
		if (set >> (sig - 1) & 1) {
			add(l, "%s", sep);
			add_signal(l, sig);
			sep = ",";
		}
	add(l, "]");
}

/* ---- arguments of each kind ---- */
static void arg_int(struct strace_line *l, struct thread *t UNUSED, u64 v)
{
	add(l, "%d", (int)v);
}

static void arg_uint(struct strace_line *l, struct thread *t UNUSED, u64 v)
{
	add(l, "%u", (u32)v);
}

static void arg_size(struct strace_line *l, struct thread *t UNUSED, u64 v)
{
	add(l, "%llu", (unsigned long long)v);
}

static void arg_long(struct strace_line *l, struct thread *t UNUSED, u64 v)
{
	add(l, "%lld", (long long)v);
}

static void arg_octal(struct strace_line *l, struct thread *t UNUSED, u64 v)
{
	add(l, "0%o", (u32)v);
}

static void arg_hex(struct strace_line *l, struct thread *t UNUSED, u64 v)
{
	add(l, "0x%llx", (unsigned long long)v);
}

static void arg_dirfd(struct strace_line *l, struct thread *t, u64 v)
{
	if ((int)v == AT_FDCWD)
		add(l, "AT_FDCWD");
	else
		arg_int(l, t, v);
}

static void arg_string(struct strace_line *l, struct thread *t, u64 v)
{
	add_string(l, t->vm, v);
}

static void arg_strings(struct strace_line *l, struct thread *t, u64 v)
{
	add_strings(l, t->vm, v);
}

static void arg_signal(struct strace_line *l, struct thread *t UNUSED, u64 v)
{
	add_signal(l, v);
}

static void arg_sigset(struct strace_line *l, struct thread *t, u64 v)
{
	add_set(l, t->vm, v);
}

static void arg_oflags(struct strace_line *l, struct thread *t, u64 v)
{
	v = oflags_to_host(t, v);
	add_flags(l, oflag_names, v, v & 3 ? NULL : "O_RDONLY");
}

static void arg_clone(struct strace_line *l, struct thread *t UNUSED, u64 v)
{
	add_flags(l, clone_names, v & ~0xffull, v & 0xff ? NULL : "0");
	if (v & 0xff) {
		add(l, "|");
		add_signal(l, v & 0xff);
	}
}

static void arg_socktype(struct strace_line *l, struct thread *t UNUSED, u64 v)
{
	add_name(l, type_names, v & 15);
	if (v & ~15ull)
		add(l, "|0x%llx", (unsigned long long)(v & ~15ull));
}

static void arg_futex(struct strace_line *l, struct thread *t UNUSED, u64 v)
{
	if (v & FUTEX_PRIVATE_FLAG)
		add(l, "FUTEX_PRIVATE_FLAG|");
	if (v & FUTEX_CLOCK_REALTIME)
		add(l, "FUTEX_CLOCK_REALTIME|");
	add_name(l, futex_names, v & (u64)FUTEX_CMD_MASK);
}

static void arg_ioctl(struct strace_line *l, struct thread *t UNUSED, u64 v)
{
	if (ioctl_name((u32)v))
		add(l, "%s", ioctl_name((u32)v));
	else
		add(l, "0x%x", (u32)v);
}

static void arg_timespec(struct strace_line *l, struct thread *t, u64 v)
{
	struct timespec ts;
	if (v && get_struct(t->vm, LAYOUT_timespec, &ts, v))
		add(l, "{tv_sec = %lld,tv_nsec = %lld}", (long long)ts.tv_sec, (long long)ts.tv_nsec);
	else
		add_pointer(l, v);
}

/* How a kind is written: by a function, as flags (none is what no flag is), or as one of some names; what is not here as a pointer. */
/* clang-format off */
static const struct {
	void (*put)(struct strace_line *l, struct thread *t, u64 v);
	const struct name *names;
	const char *none;
} manner[] = {
	[K_FD] = { arg_int }, [K_INT] = { arg_int }, [K_PID] = { arg_int }, [K_UINT] = { arg_uint }, [K_SIZE] = { arg_size }, [K_LONG] = { arg_long },
	[K_OCTAL] = { arg_octal }, [K_MODE] = { arg_octal }, [K_HEX] = { arg_hex }, [K_DIRFD] = { arg_dirfd }, [K_PATH] = { arg_string },
	[K_STR] = { arg_string }, [K_STRV] = { arg_strings }, [K_SIGNAL] = { arg_signal }, [K_SIGSET] = { arg_sigset }, [K_OFLAGS] = { arg_oflags },
	[K_CLONE] = { arg_clone }, [K_SOCKTYPE] = { arg_socktype }, [K_FUTEX] = { arg_futex }, [K_IOCTL] = { arg_ioctl }, [K_TIMESPEC] = { arg_timespec },
	[K_PROT] = { NULL, prot_names, "PROT_NONE" }, [K_MMAP] = { NULL, mmap_names, "0" }, [K_ATFLAGS] = { NULL, at_names, "0" },
	[K_ACCESS] = { NULL, access_names, "F_OK" }, [K_CLOCK] = { NULL, clock_names }, [K_FCNTL] = { NULL, fcntl_names }, [K_WHENCE] = { NULL, whence_names },
	[K_SIGHOW] = { NULL, how_names }, [K_DOMAIN] = { NULL, domain_names },
};
/* clang-format on */

static void add_arg(struct strace_line *l, struct thread *t, enum call_kind kind, u64 v)
{
	if ((unsigned)kind >= LEN(manner) || (!manner[kind].put && !manner[kind].names))
		add_pointer(l, v);
	else if (manner[kind].put)
		manner[kind].put(l, t, v);
	else if (manner[kind].none)
		add_flags(l, manner[kind].names, v, manner[kind].none);
	else
		add_name(l, manner[kind].names, v);
}

static void put_line(struct thread *t, const struct strace_line *l)
{
	log_put(&t->vm->log, "%.*s", (int)l->len, l->text);
}

/* The arguments are printed before the call, since it may not come back; the result ends the line. */
void strace_enter(struct thread *t, const struct call *call)
{
	struct strace_line l = { .len = 0 };
	add(&l, "%d %s(", getpid(), call->name);
	for (unsigned i = 0; i < call->n_args; i++) {
		if (call->kind[i] == K_PAIR_END)
			continue;
		if (i)
			add(&l, ",");
		if (call->kind[i] == K_PAIR)
			add_arg(&l, t, K_LONG, pair_arg(t, t->arg + i));
		else
			add_arg(&l, t, (enum call_kind)call->kind[i], t->arg[i]);
	}
	add(&l, ")");
	put_line(t, &l);
}

void strace_leave(struct thread *t, const struct call *call, i64 r)
{
	struct strace_line l = { .len = 0 };
	if (r == -RESULT_NONE) {
		add(&l, "\n");
	} else if (r == -EINTR_RESTART || r == -EINTR_AGAIN) {
		add(&l, " = ? (to be restarted)\n");
	} else if (r < 0 && r > -4096) {
		add(&l, " = -1 errno=%d (%s)\n", (int)-r, strerror((int)-r));
	} else {
		add(&l, " = ");
		if (call->result == K_PTR)
			add(&l, "0x%016llx", (unsigned long long)r);
		else
			add_arg(&l, t, (enum call_kind)call->result, (u64)r);
		add(&l, "\n");
	}
	put_line(t, &l);
}

void strace_signal(struct thread *t, const siginfo_t *info)
{
	static const struct name codes[] = { N(SI_USER),  N(SI_QUEUE),	N(SI_TIMER),
					     N(SI_TKILL), N(SI_KERNEL), { 0, NULL } };
	struct strace_line l = { .len = 0 };
	add(&l, "--- ");
	add_signal(&l, (u64)info->si_signo);
	add(&l, " {si_signo=");
	add_signal(&l, (u64)info->si_signo);
	add(&l, ", si_code=");
	if (info->si_code > 0 && info->si_code != SI_KERNEL)
		add(&l, "%d", info->si_code);
	else
		add_name(&l, codes, (u64)info->si_code);
	if (info->si_code <= 0)
		add(&l, ", si_pid=%d, si_uid=%d", info->si_pid, info->si_uid);
	else if (info->si_signo == SIGSEGV || info->si_signo == SIGBUS || info->si_signo == SIGILL ||
		 info->si_signo == SIGFPE)
		add(&l, ", si_addr=%p", info->si_addr);
	add(&l, "} ---\n");
	put_line(t, &l);
}

void strace_remark(struct thread *t, const char *fmt, ...)
{
	struct strace_line l = { .len = 0 };
	char text[256];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	add(&l, "%d %s\n", getpid(), text);
	put_line(t, &l);
}
