/*
 * exec: a guest program is run by executing ourselves again, a script by its interpreter's kind, anything else by the host's kernel. Nothing
 * need be registered with binfmt_misc. The options travel in the arguments, in the form that exec_state_parse reads.
 *
 * Manual: man 2 execve, execveat; "Interpreter scripts" there.
 */
#include "linux/exec.h"
#include "base/err.h"
#include "linux/internal.h"
#include "linux/syscalls/arg.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SCRIPT_LINE = 256, SCRIPT_DEPTH = 5, ARGS_MAX = 1 << 20 };

/* ---- the state that travels ---- */
enum {
	S_MARK = 1,
	S_NUMBERS,
	S_EXECFN,
	S_PATH,
	S_PREFIX,
	S_CPU,
	S_RELEASE,
	S_LOGFILE,
	S_LOGRANGES,
	S_PROG,
	S_KEEP,
	S_DEBUGGER,
	S_FILTERS,
	S_ARGV
};

static char *null_if_empty(char *s)
{
	return s[0] ? s : NULL;
}

bool exec_state_parse(int argc, char **argv, struct linux_options *o)
{
	unsigned long long size, base, reserved, page, log, mask, seed, as, as_max, data, data_max, code, hot;
	int self_fd, fd, flags;
	if (argc < S_ARGV || strcmp(argv[S_MARK], EXEC_MARK) != 0)
		return false;
	if (sscanf(argv[S_NUMBERS], "%d,%d,%d,%llx,%llx,%llx,%llx,%llx,%llx,%llx,%llx,%llx,%llx,%llx,%llx,%llx", &self_fd, &fd, &flags,
		   &size, &base, &reserved, &page, &log, &mask, &seed, &as, &as_max, &data, &data_max, &code, &hot) != 16)
		return false;
	o->self_fd = self_fd;
	o->fd = fd;
	o->perf_map = flags & 1;
	o->interpret = flags & 2;
	o->one_insn = flags & 4;
	o->stats = flags & 8;
	o->seeded = flags & 16;
	o->jit_dump = flags & 32;
	o->own_thread = flags >> 9 & 3;
	o->vl_inherit = (u32)flags >> 7 & 3;
	o->stack_size = size;
	o->code_size = code;
	o->hot_after = hot;
	o->base = base;
	o->reserved = reserved;
	o->page_size = page;
	o->log = (u32)log;
	o->traces = (u32)(log >> 32);
	o->seed = seed;
	o->execfn = argv[S_EXECFN];
	o->path = argv[S_PATH];
	o->prefix = null_if_empty(argv[S_PREFIX]);
	o->cpu = null_if_empty(argv[S_CPU]);
	o->release = null_if_empty(argv[S_RELEASE]);
	o->log_file = null_if_empty(argv[S_LOGFILE]);
	o->log_ranges = null_if_empty(argv[S_LOGRANGES]);
	o->prog_name = argv[S_PROG];
	o->keep_dir = null_if_empty(argv[S_KEEP]);
	o->gdb_session = null_if_empty(argv[S_DEBUGGER]);
	o->filters_fd = atoi(argv[S_FILTERS]);
	o->argv = argv + S_ARGV;
	o->restore_mask = o->has_limits = true;
	o->limit_as = (struct linux_limit){ as, as_max };
	o->limit_data = (struct linux_limit){ data, data_max };
	o->signal_mask = mask;
	return true;
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

/* Fills the arguments before the guest's; numbers: a buffer of 400. */
static void state_write(const struct thread *t, const struct linux_abi *abi, int fd,
			const char *execfn, const char *path, char *numbers, const char **argv)
{
	const struct vm *vm = t->vm;
	const struct linux_options *o = vm->opt;
	int flags = (o->perf_map ? 1 : 0) | (o->interpret ? 2 : 0) | (o->one_insn ? 4 : 0) |
		    (o->stats ? 8 : 0) | (o->seeded ? 16 : 0) | (o->jit_dump ? 32 : 0) | (int)t->vl_inherit << 7 |
		    (int)o->own_thread << 9;
	snprintf(numbers, 400, "%d,%d,%d,%llx,%llx,%llx,%llx,%llx,%llx,%llx,%llx,%llx,%llx,%llx,%llx,%llx", vm->self_fd, fd, flags,
		 (unsigned long long)o->stack_size, (unsigned long long)o->base,
		 (unsigned long long)o->reserved, (unsigned long long)o->page_size,
		 (unsigned long long)o->traces << 32 | o->log, (unsigned long long)t->mask, (unsigned long long)o->seed,
		 (unsigned long long)vm->limit_as.cur, (unsigned long long)vm->limit_as.max, (unsigned long long)vm->limit_data.cur,
		 (unsigned long long)vm->limit_data.max, (unsigned long long)o->code_size, (unsigned long long)o->hot_after);
	bool same = abi == vm->abi;
	argv[0] = o->prog_name;
	argv[S_MARK] = EXEC_MARK;
	argv[S_NUMBERS] = numbers;
	argv[S_EXECFN] = execfn;
	argv[S_PATH] = path;
	argv[S_PREFIX] = or_empty(o->prefix);
	argv[S_CPU] = or_empty(same ? o->cpu : NULL);
	argv[S_RELEASE] = or_empty(o->release);
	argv[S_LOGFILE] = or_empty(o->log_file);
	argv[S_LOGRANGES] = or_empty(o->log_ranges);
	argv[S_PROG] = o->prog_name;
	argv[S_KEEP] = or_empty(o->keep_dir);
}

/* ---- what a file is ---- */
struct target {
	int fd;
	const struct linux_abi *abi; /* NULL: the host's matter */
	char path[PATH_MAX]; /* as exec was told, or the script's interpreter */
	unsigned n_extra; /* arguments that scripts put in front: interpreter, option, script, ... */
	const char *extra[3 * SCRIPT_DEPTH];
	char lines[SCRIPT_DEPTH][SCRIPT_LINE + PATH_MAX];
};

static i64 open_target(struct thread *t, int dirfd, const char *path, int flags)
{
	char buf[PATH_MAX];
	if (procfs_is_exe(path))
		path = t->vm->exe;
	else
		path = path_prefixed(t->vm, path, buf);
	if (!path[0] && flags & AT_EMPTY_PATH) {
		i64 fd = RAW3(SYS_fcntl, dirfd, F_DUPFD_CLOEXEC, 0);
		if (fd >= 0 && RAW3(SYS_fcntl, fd, F_GETFL, 0) & O_PATH) {
			RAW1(SYS_close, fd);
			snprintf(buf, sizeof(buf), "/proc/self/fd/%d", dirfd);
			fd = RAW4(SYS_openat, AT_FDCWD, buf, O_RDONLY | O_CLOEXEC, 0);
		}
		return fd;
	}
	return RAW4(SYS_openat, dirfd, path,
		    O_RDONLY | O_CLOEXEC | (flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0), 0);
}

/* Takes "#! interpreter [argument]" apart; false: no such line. */
static bool script_line(char *line, ssize_t len, const char **ret_interp, const char **ret_arg)
{
	if (len < 3 || line[0] != '#' || line[1] != '!')
		return false;
	char *end = memchr(line, '\n', (size_t)len), *p = line + 2;
	if (!end)
		end = line + len;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = 0;
	while (*p == ' ' || *p == '\t')
		p++;
	if (!*p)
		return false;
	*ret_interp = p;
	while (*p && *p != ' ' && *p != '\t')
		p++;
	*ret_arg = NULL;
	if (*p) {
		*p++ = 0;
		while (*p == ' ' || *p == '\t')
			p++;
		*ret_arg = *p ? p : NULL;
	}
	return true;
}

/* Opens and identifies: 0 with the answer in ret, or -errno. With abi NULL the host's kernel decides, about the first file. */
static i64 identify(struct thread *t, int dirfd, const char *path, int flags, struct target *x)
{
	x->n_extra = 0;
	x->abi = NULL;
	snprintf(x->path, sizeof(x->path), "%s", path);
	for (unsigned depth = 0;; depth++) {
		struct stat st;
		i64 fd = open_target(t, dirfd, x->path, flags);
		if (fd < 0) {
			x->fd = -1;
			return fd == -EACCES && !depth ? 0 : fd;
		}
		x->fd = (int)fd;
		if (fstat(x->fd, &st) < 0 || !S_ISREG(st.st_mode))
			return -EACCES;
		if (RAW4(SYS_faccessat2, x->fd, "", X_OK, AT_EMPTY_PATH | AT_EACCESS) == -EACCES)
			return -EACCES;
		char *line = x->lines[MIN(depth, SCRIPT_DEPTH - 1u)];
		ssize_t n = pread(x->fd, line, SCRIPT_LINE, 0);
		x->abi = n > 0 ? linux_identify((u8 *)line, (size_t)n) : NULL;
		if (x->abi)
			return 0;
		const char *interp, *arg;
		line[n > 0 ? n : 0] = 0;
		if (n < 0 || !script_line(line, n, &interp, &arg))
			return 0;
		if (depth == SCRIPT_DEPTH - 1)
			return -ELOOP;
		/* interp [arg] script, in front of what is there (without the interpreter's own name for nested ones) */
		char *keep = line + SCRIPT_LINE;
		snprintf(keep, PATH_MAX, "%s", x->path);
		unsigned add = arg ? 3 : 2, old = x->n_extra ? x->n_extra - 1 : 0;
		memmove(x->extra + add, x->extra + 1, old * sizeof(x->extra[0]));
		x->extra[0] = interp;
		x->extra[1] = arg ? arg : keep;
		x->extra[add - 1] = keep;
		x->n_extra = add + old;
		snprintf(x->path, sizeof(x->path), "%s", interp);
		RAW1(SYS_close, x->fd);
		dirfd = AT_FDCWD;
		flags = 0;
	}
}

/* ---- the call ---- */
/* A NULL-terminated list of the guest's strings, with room in front. count: -errno on failure. */
static i64 list_length(struct vm *vm, u64 addr)
{
	u64 p;
	for (i64 n = 0; addr; n++) {
		if (n > ARGS_MAX)
			return -E2BIG;
		if (!get_word(vm, addr + (u64)n * vm->abi->word, &p))
			return -EFAULT;
		if (!p)
			return n;
	}
	return 0;
}

static void copy_list(struct vm *vm, const char **out, u64 addr, i64 n)
{
	for (i64 i = 0; i < n; i++) {
		u64 p = 0;
		get_word(vm, addr + (u64)i * vm->abi->word, &p);
		out[i] = g2h(vm, p);
	}
	out[n] = NULL;
}

static i64 run_self(struct thread *t, struct target *x, const char *execfn, const char **argv,
		    const char **guest_argv, i64 argc, const char **envp)
{
	struct vm *vm = t->vm;
	char numbers[400], path[PATH_MAX], session[64] = "", filters[16] = "";
	if (procfs_is_exe(x->path))
		snprintf(path, sizeof(path), "%s", vm->exe);
	else
		snprintf(path, sizeof(path), "%s", x->path);
	state_write(t, x->abi, x->fd, execfn, path, numbers, argv);
	argv[S_DEBUGGER] = session;
	argv[S_FILTERS] = filters;
	const char **p = argv + S_ARGV;
	for (unsigned i = 0; i < x->n_extra; i++)
		*p++ = x->extra[i];
	for (i64 i = x->n_extra ? 1 : 0; i < argc; i++)
		*p++ = guest_argv[i];
	*p = NULL;
	i64 filters_fd = seccomp_before_exec(t);
	if (filters_fd < -1)
		return filters_fd;
	if (filters_fd >= 0)
		snprintf(filters, sizeof(filters), "%d", (int)filters_fd);
	RAW3(SYS_fcntl, x->fd, F_SETFD, 0);
	RAW3(SYS_fcntl, vm->self_fd, F_SETFD, 0);
	engine_keep_flush(vm->engine);
	if (vm->debug)
		debug_before_exec(t, session, sizeof(session));
	i64 r = RAW5(SYS_execveat, vm->self_fd, "", argv, envp, AT_EMPTY_PATH);
	if (session[0])
		debug_exec_failed(t);
	if (filters_fd >= 0)
		RAW1(SYS_close, filters_fd);
	RAW3(SYS_fcntl, vm->self_fd, F_SETFD, FD_CLOEXEC);
	return r;
}

static i64 run_host(struct thread *t, int dirfd, const char *path, int flags, const char **argv,
		    const char **envp)
{
	char buf[PATH_MAX];
	u64 mask = t->mask;
	RAW4(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
	if (t->has_queued)
		return -EINTR_AGAIN;
	path = procfs_is_exe(path) ? t->vm->exe : path_prefixed(t->vm, path, buf);
	engine_keep_flush(t->vm->engine);
	return RAW5(SYS_execveat, dirfd, path, argv, envp, flags);
}

i64 exec_call(struct thread *t, int dirfd, u64 path_at, u64 argv_at, u64 envp_at, int flags)
{
	struct vm *vm = t->vm;
	char path[PATH_MAX], execfn[PATH_MAX + 32];
	i64 r = get_str(vm, path, path_at, sizeof(path));
	if (r < 0)
		return r;
	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	i64 argc = list_length(vm, argv_at), envc = list_length(vm, envp_at);
	if (argc < 0 || envc < 0)
		return argc < 0 ? argc : envc;
	if (signal_gate(t))
		return -EINTR_AGAIN;
	/* Freed with the thread: after a vfork this is the parent's memory. */
	size_t words = (size_t)(argc + envc) + 2,
	       total = sizeof(struct target) + (2 * words + S_ARGV + 3 * SCRIPT_DEPTH + 2) * sizeof(char *);
	free(t->exec_memory);
	struct target *x = t->exec_memory = try_alloc(total);
	if (!x) {
		signal_set_mask(t, t->mask);
		return -ENOMEM;
	}
	const char **guest_argv = (const char **)(x + 1), **envp = guest_argv + argc + 2,
		   **argv = envp + envc + 1;
	copy_list(vm, guest_argv, argv_at, argc);
	if (!argc) { /* as Linux since 5.18 */
		guest_argv[0] = "";
		guest_argv[1] = NULL;
	}
	copy_list(vm, envp, envp_at, envc);
	if (dirfd == AT_FDCWD || path[0] == '/')
		snprintf(execfn, sizeof(execfn), "%s", path);
	else
		snprintf(execfn, sizeof(execfn), path[0] ? "/dev/fd/%d/%s" : "/dev/fd/%d", dirfd, path);
	if (trace_on(&vm->log, TRACE_USER_EXEC))
		trace_put(&vm->log, TRACE_USER_EXEC, "path=%s", path);
	signal_before_exec(t, false);
	x->fd = -1;
	r = !path[0] && !(flags & AT_EMPTY_PATH) ? -ENOENT : identify(t, dirfd, path, flags, x);
	/* Without a file of ourselves (no /proc: binfmt_misc started us in a bare chroot) the kernel starts us as it did before. */
	if (!r)
		r = x->abi && vm->self_fd >= 0 ? run_self(t, x, execfn, argv, guest_argv, MAX(argc, 1), envp)
					       : run_host(t, dirfd, path, flags, guest_argv, envp);
	if (x->fd >= 0)
		RAW1(SYS_close, x->fd);
	signal_before_exec(t, true);
	signal_block_all();
	signal_set_mask(t, t->mask);
	return r;
}
