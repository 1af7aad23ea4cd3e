/*
 * Starting a guest program: from options to its first instruction.
 */
#include "base/err.h"
#include "linux/internal.h"
#include "linux/syscalls/arg.h"
#include "translate/host/syscall.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/prctl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *linux_abi_name(const struct linux_abi *abi)
{
	return abi->name;
}

const struct guest *linux_abi_guest(const struct linux_abi *abi)
{
	return abi->guest;
}

const struct linux_abi *linux_abi_find(const char *name)
{
	for (const struct linux_abi *const *a = linux_abis; *a; a++)
		if (strcmp((*a)->name, name) == 0)
			return *a;
	return NULL;
}

/* "MODEL[,option=value...]"; NULL: the first model. */
static struct err *find_model(const struct guest *g, const char *spec, const void **ret_model)
{
	const struct guest_model *m = g->models;
	char *copy = spec ? str_dup(spec) : NULL, *save = NULL;
	struct err *e = NULL;
	if (copy) {
		char *name = strtok_r(copy, ",", &save);
		while (m->name && strcmp(m->name, name ? name : "") != 0)
			m++;
		if (!m->name) {
			e = err_new(ERR_NOT_FOUND, "unable to find CPU model '%s'", name ? name : spec);
			e = err_hint(e, "-cpu help lists them");
		}
	}
	const void *model = m->data;
	for (char *opt; !e && copy && (opt = strtok_r(NULL, ",", &save));) {
		char *eq = strchr(opt, '=');
		void *changed = NULL;
		if (eq)
			*eq++ = 0;
		e = g->model_option ? g->model_option(model, opt, eq ? eq : "on", &changed)
				    : err_new(ERR_INVALID, "CPU model '%s' has no option '%s'", m->name, opt);
		if (changed)
			model = changed; /* lives as long as the process */
	}
	free(copy);
	*ret_model = model;
	return e;
}

/* ---- instruction fetch ---- */
static const u8 *fetch(void *user, struct cpu *cpu, u64 pc, u32 *ret_avail, u32 *ret_code)
{
	struct vm *vm = user;
	struct map_range r;
	u64 at = pc & vm->mem_mask;
	u8 probe;
	cpu->fault_addr = pc;
	bool tagged = at != pc && cpu->guest->tag_bits; /* no place for code to be: jumps take tags off */
	if (tagged || !vm_find(vm, at, &r) || r.start > at) {
		*ret_code = SEGV_MAPERR;
		return NULL;
	}
	if (!(r.prot & PROT_EXEC)) {
		*ret_code = SEGV_ACCERR;
		return NULL;
	}
	u64 end = MIN(r.end, ROUND_DOWN(at, 4096ull) + 4096);
	*ret_avail = (u32)(end - at);
	if (!get_mem(vm, &probe, at, 1)) { /* behind the end of the file */
		*ret_code = BUS_ADRERR;
		return NULL;
	}
	return g2h(vm, at);
}

static void symbol(void *user, u64 pc, char *buf, size_t size)
{
	symbols_name(user, pc, buf, size);
}

/* On how many processors we may run. */
static int host_cpus(void)
{
	cpu_set_t set;
	return sched_getaffinity(0, sizeof(set), &set) < 0 ? 2 : CPU_COUNT(&set);
}

/* ---- our own descriptors: far from those the guest counts on ---- */
int move_high(int fd)
{
	struct rlimit lim;
	int at = 1000;
	if (fd < 0)
		return -1;
	if (!getrlimit(RLIMIT_NOFILE, &lim) && lim.rlim_cur < 1020)
		at = lim.rlim_cur > 16 ? (int)lim.rlim_cur - 8 : 3;
	int high = fcntl(fd, F_DUPFD_CLOEXEC, at);
	if (high < 0)
		return fd;
	close(fd);
	return high;
}

/* -D: "%d" stands for the process's number. Appended to, since programs that are executed write to the same one. */
static struct err *open_log(struct vm *vm)
{
	const struct linux_options *o = vm->opt;
	char name[PATH_MAX];
	const char *percent = o->log_file ? strchr(o->log_file, '%') : NULL;
	vm->log.items = o->log;
	vm->log.traces = o->traces;
	if (o->log_ranges) {
		struct err *e = log_parse_ranges(o->log_ranges, &vm->log.range, &vm->log.n_range);
		if (e)
			return err_in(e, "-dfilter");
	}
	if (!o->log_file || !(o->log | o->traces))
		return NULL;
	if (percent && (percent[1] != 'd' || strchr(percent + 1, '%')))
		return err_new(ERR_INVALID, "-D %s: only one '%%d' may be in it", o->log_file);
	if (percent)
		snprintf(name, sizeof(name), "%.*s%d%s", (int)(percent - o->log_file), o->log_file, getpid(), percent + 2);
	else
		snprintf(name, sizeof(name), "%s", o->log_file);
	vm->log.fd = move_high(open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
	return vm->log.fd < 0 ? err_errno(errno, "cannot open the log file '%s'", name) : NULL;
}

static struct err *open_own(struct vm *vm)
{
	const struct linux_options *o = vm->opt;
	vm->self_fd = o->self_fd >= 0 ? o->self_fd : move_high(open("/proc/self/exe", O_PATH | O_CLOEXEC));
	if (o->self_fd >= 0)
		fcntl(vm->self_fd, F_SETFD, FD_CLOEXEC);
	if (o->prefix)
		vm->prefix_fd = move_high(open(o->prefix, O_PATH | O_DIRECTORY | O_CLOEXEC));
	return open_log(vm);
}

/* The absolute path of an open file, as /proc/self/exe shows it. */
static char *file_path(int fd, const char *fallback)
{
	char link[64], path[PATH_MAX];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	if (n > 0 && path[0] == '/') {
		path[n] = 0;
		return str_dup(path);
	}
	return realpath(fallback, path) ? str_dup(path) : str_dup(fallback);
}

/*
 * Tells the host's kernel where the guest's arguments and so on lie, so that other processes see them in /proc/PID. Kernels that do not
 * let us leave ours there.
 */
static void show_guest(struct vm *vm, const char *name)
{
	prctl(PR_SET_NAME, name, 0, 0, 0);
	u64 now = (u64)sbrk(0);
	struct prctl_mm_map map = { .start_code = vm->code_start,
				    .end_code = vm->code_end,
				    .start_data = vm->data_start,
				    .end_data = vm->data_end,
				    .start_brk = now,
				    .brk = now,
				    .start_stack = vm->start_stack,
				    .arg_start = vm->arg_start,
				    .arg_end = vm->arg_end,
				    .env_start = vm->env_start,
				    .env_end = vm->env_end,
				    .auxv = g2h(vm, vm->auxv_addr),
				    .auxv_size = (u32)vm->auxv_len,
				    .exe_fd = ~0u };
	if (vm->mem_base == NULL && vm->auxv_len <= 44 * sizeof(u64))
		prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0);
}

static struct err *open_program(const struct linux_options *o, int *ret_fd)
{
	int fd = o->fd >= 0 ? o->fd : open(o->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(errno, "Error while loading %s", o->path);
	struct stat st;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_errno(S_ISDIR(st.st_mode) ? EISDIR : EACCES, "Error while loading %s", o->path);
	*ret_fd = fd;
	return NULL;
}

static struct err *identify_program(struct vm *vm, int fd, const char *path)
{
	u8 head[64];
	ssize_t n = pread(fd, head, sizeof(head), 0);
	const struct linux_abi *found = linux_identify(head, n > 0 ? (size_t)n : 0);
	vm->abi = vm->opt->abi ? vm->opt->abi : found;
	if (n < 4 || memcmp(head, "\177ELF", 4) != 0)
		return err_new(ERR_CORRUPT, "Error while loading %s: Exec format error (not an ELF file)",
			       path);
	if (n < 52)
		return err_new(ERR_CORRUPT, "Error while loading %s: the ELF header is cut off", path);
	if (!found || found != vm->abi)
		return err_new(ERR_UNSUPPORTED, "%s: Invalid ELF image for this architecture", path);
	return NULL;
}

bool linux_err_is_foreign(const struct err *e)
{
	return err_code(e) == ERR_UNSUPPORTED &&
	       strstr(err_text(e), "Invalid ELF image for this architecture");
}

/*
 * With so many processors and fewer the program's threads translate for speed themselves, unless told otherwise: where the two are halves of one core, as
 * in virtual machines, a thread for it costs more time than it gives (docs/performance.md).
 */
enum { FEW_CPUS = 2 };

/* -d page: the guest's map and what lies where in it. */
static void log_pages(struct vm *vm, const struct image *im)
{
	const struct {
		const char *name;
		u64 value;
	} facts[] = { { "guest_base", (u64)(uintptr_t)vm->mem_base },
		      { "start_brk", vm->brk_start },
		      { "end_code", vm->code_end },
		      { "start_code", vm->code_start },
		      { "start_data", vm->data_start },
		      { "end_data", vm->data_end },
		      { "start_stack", vm->start_stack },
		      { "brk", vm->brk },
		      { "entry", im->entry },
		      { "argv_start", vm->arg_start },
		      { "env_start", vm->env_start },
		      { "auxv_start", vm->auxv_addr } };
	struct log_text t = { 0 };
	struct map_range r;
	log_add(&t, "%-16s-%-16s %-16s prot\n", "start", "end", "size");
	for (u64 at = 0; vm_find(vm, at, &r); at = r.end)
		log_add(&t, "%016llx-%016llx %016llx %c%c%c\n", (unsigned long long)r.start, (unsigned long long)r.end,
			(unsigned long long)(r.end - r.start), r.prot & PROT_READ ? 'r' : '-', r.prot & PROT_WRITE ? 'w' : '-',
			r.prot & PROT_EXEC ? 'x' : '-');
	for (unsigned i = 0; i < LEN(facts); i++)
		log_add(&t, "%-12s 0x%016llx\n", facts[i].name, (unsigned long long)facts[i].value);
	log_text_end(&vm->log, &t);
}

struct err *linux_run(const struct linux_options *o)
{
	struct vm *vm = alloc(sizeof(*vm));
	struct image im = { 0 };
	bool debugged = o->gdb || o->gdb_session;
	int fd = -1;
	vm->opt = o;
	struct err *e = open_program(o, &fd);
	if (!e)
		e = identify_program(vm, fd, o->path);
	if (!e)
		e = vm_init(vm);
	if (!e)
		e = find_model(vm->abi->guest, o->cpu, &vm->model);
	if (!e)
		e = open_own(vm);
	if (e)
		return e;
	vm->guard_prot = vm->abi->guard_prot ? vm->abi->guard_prot(vm->model) : 0;
	vm->exe = file_path(fd, o->path);
	long was = syscall(SYS_personality, 0xffffffff);
	vm->personality = was < 0 ? 0 : (u64)was;
	const struct engine_config config = { .guest = vm->abi->guest,
					      .model = vm->model,
					      .interpret = o->interpret,
					      .one_insn = o->one_insn,
					      .exact = debugged || o->log & LOG_CPU,
					      .stats = o->stats,
					      .code_size = o->code_size,
					      .hot_after = (u32)o->hot_after,
					      .background = o->own_thread == OWN_THREAD_ON || (o->own_thread == OWN_THREAD_BY_CPUS && host_cpus() > FEW_CPUS),
					      .keep_dir = o->keep_dir,
					      .keep_build = o->keep_build,
					      .origin = vm_origin,
					      .guarded = vm_guarded,
					      .log = o->log & ~(u32)LOG_STRACE ? &vm->log : NULL,
					      .perf_map = o->perf_map,
					      .jit_dump = o->jit_dump,
					      .symbol = symbol,
					      .fetch = fetch,
					      .user = vm };
	vm->symbols = symbols_new();
	struct sighand *sighand = signal_begin(debugged);
	e = engine_new(&config, &vm->engine);
	if (!e)
		e = load_program(vm, fd, o->path, &im);
	if (e)
		return e;
	vdso_map(vm);
	u64 sp;
	e = stack_build(vm, &im, o->argv, o->envp, o->execfn ? o->execfn : o->path, &sp);
	if (e)
		return e;
	close(fd);
	struct thread *t = thread_new(vm);
	t->tid = getpid();
	t->vl_inherit = o->vl_inherit;
	t->sighand = sighand;
	if (o->filters_fd && !seccomp_after_exec(t, o->filters_fd))
		return err_new(ERR_CORRUPT, "the seccomp filters handed over are damaged");
	vm->abi->start(t->cpu, im.has_interp ? im.interp_entry : im.entry, sp);
	const char *name = strrchr(o->execfn ? o->execfn : o->path, '/');
	show_guest(vm, name ? name + 1 : o->path);
	thread_set_self(t);
	signal_init(t);
	if (log_has(&vm->log, LOG_PAGE))
		log_pages(vm, &im);
	if (debugged) {
		e = debug_begin(t);
		if (e)
			return e;
	}
	thread_loop(t);
	return NULL;
}

void vm_print_stats(struct vm *vm)
{
	struct engine_stat stats[64];
	unsigned n = engine_stats(vm->engine, stats, LEN(stats));
	for (unsigned i = 0; i < n; i++)
		dprintf(2, "%-32s %llu\n", stats[i].name, (unsigned long long)stats[i].value);
}
