/*
 * The options and environment variables of the peer's user mode; the option wins. Names and meaning: qemu-aarch64(1) of Debian 12.
 */
#include "base/trace.h"
#include "user.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct settings {
	struct linux_options o;
	const char *name;
	char *argv0;
	char **env;
	size_t n_env, env_cap;
	struct err *err;
	const char *keep; /* "off" or a directory, NULL: by the environment */
	bool done; /* the option was all there was to do (help, version) */
};

struct option {
	const char *name, *variable;
	bool has_arg;
	struct err *(*set)(struct settings *s, const char *arg);
	const char *arg, *help;
};
static const struct option options[];

/* ---- environment of the guest ---- */
static void env_remove(struct settings *s, const char *name, size_t len)
{
	size_t n = 0;
	for (size_t i = 0; i < s->n_env; i++)
		if (strncmp(s->env[i], name, len) != 0 || s->env[i][len] != '=')
			s->env[n++] = s->env[i];
	s->n_env = n;
}

static void env_add(struct settings *s, char *var)
{
	s->env = grow(s->env, &s->env_cap, s->n_env + 2, sizeof(*s->env));
	s->env[s->n_env++] = var;
	s->env[s->n_env] = NULL;
}

/* "a=1,b=2": the words of a list, each in its own memory. */
static struct err *each_word(struct settings *s, const char *list,
			     struct err *(*fn)(struct settings *s, char *word))
{
	struct err *e = NULL;
	while (!e && *list) {
		size_t len = strcspn(list, ",");
		char *word = strndup(list, len);
		e = fn(s, word);
		list += len + (list[len] == ',');
	}
	return e;
}

static struct err *set_var(struct settings *s, char *word)
{
	char *eq = strchr(word, '=');
	if (!eq || eq == word)
		return err_new(ERR_INVALID, "-E wants NAME=VALUE, not '%s'", word);
	env_remove(s, word, (size_t)(eq - word));
	env_add(s, word);
	return NULL;
}

static struct err *unset_var(struct settings *s, char *word)
{
	if (!*word || strchr(word, '='))
		return err_new(ERR_INVALID, "-U wants the name of a variable, not '%s'", word);
	env_remove(s, word, strlen(word));
	if (s->env)
		s->env[s->n_env] = NULL;
	free(word);
	return NULL;
}

/* ---- the options ---- */
static struct err *number(const char *option, const char *arg, u64 *ret)
{
	char *end;
	errno = 0;
	unsigned long long v = strtoull(arg, &end, 0);
	unsigned shift = 0;
	if (*end == 'k' || *end == 'K')
		shift = 10;
	else if (*end == 'm' || *end == 'M')
		shift = 20;
	else if (*end == 'g' || *end == 'G')
		shift = 30;
	end += shift != 0;
	if (errno || end == arg || *end || arg[0] == '-' || v > ~0ull >> shift)
		return err_new(ERR_INVALID,
			       "%s: '%s' is not a number (decimal or 0x..., K, M or G behind it)", option,
			       arg);
	*ret = (u64)v << shift;
	return NULL;
}

static struct err *opt_stack(struct settings *s, const char *arg)
{
	struct err *e = number("-s", arg, &s->o.stack_size);
	if (!e && (!s->o.stack_size || s->o.stack_size > 64 * GiB))
		e = err_new(ERR_INVALID, "-s: a stack of %s bytes cannot be", arg);
	return e;
}

static struct err *opt_prefix(struct settings *s, const char *arg)
{
	s->o.prefix = arg;
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void list_cpus(const struct linux_abi *abi)
{
	const char *names[256];
	unsigned n = 0;
	for (const struct guest_model *m = linux_abi_guest(abi)->models; m->name && n < LEN(names); m++)
		names[n++] = m->name;
	qsort(names, n, sizeof(names[0]), by_name);
	puts("Available CPUs:");
	for (unsigned i = 0; i < n; i++)
		printf("  %s\n", names[i]);
}

static struct err *opt_cpu(struct settings *s, const char *arg)
{
	if (strcmp(arg, "help") == 0 || strcmp(arg, "?") == 0) {
		for (const struct linux_abi *const *a = linux_abis; *a; a++)
			if (!s->o.abi || s->o.abi == *a)
				list_cpus(*a);
		s->done = true;
	}
	s->o.cpu = arg;
	return NULL;
}

static struct err *opt_set_env(struct settings *s, const char *arg)
{
	return each_word(s, arg, set_var);
}

static struct err *opt_unset_env(struct settings *s, const char *arg)
{
	return each_word(s, arg, unset_var);
}

static struct err *opt_argv0(struct settings *s, const char *arg)
{
	s->argv0 = str_dup(arg);
	return NULL;
}

static struct err *opt_release(struct settings *s, const char *arg)
{
	if (strlen(arg) > 64)
		return err_new(ERR_INVALID, "-r: '%s' is longer than a release can be (64 bytes)", arg);
	s->o.release = arg;
	return NULL;
}

static struct err *opt_base(struct settings *s, const char *arg)
{
	return number("-B", arg, &s->o.base);
}

static struct err *opt_reserved(struct settings *s, const char *arg)
{
	return number("-R", arg, &s->o.reserved);
}

static struct err *opt_pagesize(struct settings *s, const char *arg)
{
	struct err *e = number("-p", arg, &s->o.page_size);
	if (!e && (s->o.page_size < 4096 || s->o.page_size > 65536 || s->o.page_size & (s->o.page_size - 1)))
		e = err_new(ERR_INVALID,
			    "-p: the page size must be a power of two from 4096 to 65536, not %s", arg);
	return e;
}

static struct err *opt_seed(struct settings *s, const char *arg)
{
	s->o.seeded = true;
	return number("-seed", arg, &s->o.seed);
}

static struct err *opt_one_insn(struct settings *s, const char *arg UNUSED)
{
	s->o.one_insn = true;
	return NULL;
}

static struct err *opt_strace(struct settings *s, const char *arg UNUSED)
{
	s->o.log |= LOG_STRACE;
	return NULL;
}

static struct err *opt_interpret(struct settings *s, const char *arg UNUSED)
{
	s->o.interpret = true;
	return NULL;
}

static struct err *opt_stats(struct settings *s, const char *arg UNUSED)
{
	s->o.stats = true;
	return NULL;
}

static struct err *opt_log_file(struct settings *s, const char *arg)
{
	s->o.log_file = arg;
	return NULL;
}

static struct err *opt_trace(struct settings *s, const char *arg)
{
	char *file = NULL;
	if (strcmp(arg, "help") == 0 || strcmp(arg, "?") == 0) {
		for (unsigned i = 0; i < TRACE_IDS; i++)
			puts(trace_names[i]);
		s->done = true;
		return NULL;
	}
	struct err *e = trace_parse(arg, &s->o.traces, &file);
	if (file)
		s->o.log_file = file;
	return e ? err_in(e, "-trace") : NULL;
}

/* The words of -d that are "trace:PATTERN"; what is left in rest. */
static struct err *take_traces(struct settings *s, const char *list, char *rest)
{
	struct err *e = NULL;
	size_t n = 0;
	while (!e && *list) {
		size_t len = strcspn(list, ",");
		if (strncmp(list, "trace:", 6) == 0) {
			char *pattern = strndup(list + 6, len - 6);
			e = opt_trace(s, pattern);
			free(pattern);
		} else {
			n += (size_t)sprintf(rest + n, "%s%.*s", n ? "," : "", (int)len, list);
		}
		list += len + (list[len] == ',');
	}
	return e;
}

static struct err *opt_log(struct settings *s, const char *arg)
{
	if (strcmp(arg, "help") == 0 || strcmp(arg, "?") == 0) {
		puts("Log items (comma separated):");
		for (const struct log_item_info *i = log_items; i->name; i++)
			printf("%-15s %s\n", i->name, i->help);
		s->done = true;
		return NULL;
	}
	u32 items = 0;
	AUTO(free_ptr) char *rest = alloc(strlen(arg) + 1);
	struct err *e = take_traces(s, arg, rest);
	if (!e)
		e = log_parse_items(rest, &items);
	s->o.log |= items;
	return e ? err_in(e, "-d") : NULL;
}

static struct err *opt_log_ranges(struct settings *s, const char *arg)
{
	s->o.log_ranges = arg;
	return NULL;
}

static struct err *opt_perf_map(struct settings *s, const char *arg UNUSED)
{
	s->o.perf_map = true;
	return NULL;
}

static struct err *opt_jit_dump(struct settings *s, const char *arg UNUSED)
{
	s->o.jit_dump = true;
	return NULL;
}

static struct err *opt_gdb(struct settings *s, const char *arg)
{
	s->o.gdb = arg;
	return NULL;
}

static struct err *opt_code_cache(struct settings *s, const char *arg)
{
	struct err *e = number("-codecache", arg, &s->o.code_size);
	if (!e && (s->o.code_size < MiB || s->o.code_size > GiB))
		e = err_new(ERR_INVALID, "-codecache: from 1M to 1G, not %s", arg);
	return e;
}

static struct err *opt_hot(struct settings *s, const char *arg)
{
	struct err *e = number("-hot", arg, &s->o.hot_after);
	if (!e && s->o.hot_after > 1000000000)
		e = err_new(ERR_INVALID, "-hot: from 0 to 1000000000, not %s", arg);
	return e;
}

static struct err *opt_background(struct settings *s, const char *arg)
{
	if (strcmp(arg, "on") != 0 && strcmp(arg, "off") != 0)
		return err_new(ERR_INVALID, "-background is on or off, not %s", arg);
	s->o.own_thread = arg[1] == 'f' ? OWN_THREAD_OFF : OWN_THREAD_ON;
	return NULL;
}

static struct err *opt_keep(struct settings *s, const char *arg)
{
	if (strcmp(arg, "off") != 0 && arg[0] != '/')
		return err_new(ERR_INVALID, "-keep wants 'off' or the absolute path of a directory, not '%s'", arg);
	s->keep = arg;
	return NULL;
}

static struct err *opt_version(struct settings *s, const char *arg UNUSED)
{
	printf("%s version %s\n", s->name, user_version);
	s->done = true;
	return NULL;
}

static struct err *opt_not_built(struct settings *s UNUSED, const char *arg UNUSED)
{
	return err_new(ERR_UNSUPPORTED, "is not built yet");
}

static struct err *opt_help(struct settings *s, const char *arg UNUSED)
{
	printf("usage: %s [options] program [arguments...]\nLinux programs of other CPUs (%s)\n\nArgument    "
	       "         Env-variable      "
	       "Description\n",
	       s->name, s->o.abi ? linux_abi_name(s->o.abi) : "the program's ELF header says which");
	for (const struct option *o = options; o->name; o++) {
		char both[64];
		snprintf(both, sizeof(both), "-%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
		printf("%-20s %-17s %s\n", both, o->variable ? o->variable : "", o->help);
	}
	puts("\n-E and -U take lists separated by commas and may be given several times.");
	if (!s->o.abi)
		puts("\nOther uses: rhea-user binfmt status|install|remove, rhea-user exec ROOT COMMAND..., rhea-user kept status|clear");
	s->done = true;
	return NULL;
}

/* clang-format off */
static const struct option options[] = {
	{ "h", NULL, false, opt_help, NULL, "print this help" },
	{ "help", NULL, false, opt_help, NULL, "" },
	{ "g", "QEMU_GDB", true, opt_gdb, "port", "wait for gdb: PORT, ADDRESS:PORT or unix:PATH" },
	{ "L", "QEMU_LD_PREFIX", true, opt_prefix, "path", "look for the guest's files below this folder first" },
	{ "s", "QEMU_STACK_SIZE", true, opt_stack, "size", "size of the stack in bytes" },
	{ "cpu", "QEMU_CPU", true, opt_cpu, "model", "CPU model; 'help' lists them" },
	{ "E", "QEMU_SET_ENV", true, opt_set_env, "var=value", "set an environment variable of the program" },
	{ "U", "QEMU_UNSET_ENV", true, opt_unset_env, "var", "unset an environment variable of the program" },
	{ "0", "QEMU_ARGV0", true, opt_argv0, "argv0", "the program's argv[0]" },
	{ "r", "QEMU_UNAME", true, opt_release, "uname", "the release that uname shows" },
	{ "B", "QEMU_GUEST_BASE", true, opt_base, "address", "where the guest's address 0 lies in the host's memory" },
	{ "R", "QEMU_RESERVED_VA", true, opt_reserved, "size", "size of the guest's address space" },
	{ "d", "QEMU_LOG", true, opt_log, "item[,...]", "log these items; 'help' lists them" },
	{ "dfilter", "QEMU_DFILTER", true, opt_log_ranges, "range[,...]", "log only regions that begin there: FIRST..LAST, START+LENGTH, LAST-LENGTH" },
	{ "D", "QEMU_LOG_FILENAME", true, opt_log_file, "logfile", "where the log and -strace go (stderr)" },
	{ "p", "QEMU_PAGESIZE", true, opt_pagesize, "pagesize", "page size of the guest" },
	{ "singlestep", "QEMU_SINGLESTEP", false, opt_one_insn, NULL, "translate one instruction at a time" },
	{ "one-insn-per-tb", "QEMU_ONE_INSN_PER_TB", false, opt_one_insn, NULL, "the same" },
	{ "strace", "QEMU_STRACE", false, opt_strace, NULL, "log system calls" },
	{ "seed", "QEMU_RAND_SEED", true, opt_seed, "number", "seed of the random numbers the program starts with" },
	{ "interpret", NULL, false, opt_interpret, NULL, "run in the reference interpreter" },
	{ "perfmap", NULL, false, opt_perf_map, NULL, "write /tmp/perf-PID.map, so that perf names the guest's functions" },
	{ "jitdump", NULL, false, opt_jit_dump, NULL, "write jit-PID.dump, for perf inject --jit" },
	{ "stats", NULL, false, opt_stats, NULL, "print counters at the end" },
	{ "background", "RHEA_BACKGROUND", true, opt_background, "on|off", "translate for speed on a thread of its own (on where there are more than two processors)" },
	{ "hot", "RHEA_HOT", true, opt_hot, "count", "how often code runs before it is translated for speed (20000); 0: at once" },
	{ "codecache", "RHEA_CODECACHE", true, opt_code_cache, "size", "memory for translations (256M); emptied when it is full" },
	{ "keep", "RHEA_KEEP", true, opt_keep, "off|dir", "where translations are kept across runs (~/.cache/rhea/translations)" },
	{ "trace", "QEMU_TRACE", true, opt_trace, "[enable=]pattern", "log these events; 'help' lists them; also events=FILE, file=FILE" },
	{ "plugin", "QEMU_PLUGIN", true, opt_not_built, "file", "plugins (not built yet)" },
	{ "version", "QEMU_VERSION", false, opt_version, NULL, "print the version" },
	{ NULL, NULL, false, NULL, NULL, NULL },
};
/* clang-format on */

static void from_environment(struct settings *s)
{
	for (const struct option *o = options; o->name && !s->err && !s->done; o++) {
		const char *val = o->variable ? getenv(o->variable) : NULL;
		if (!val)
			continue;
		s->err = o->set(s, val);
		if (s->err)
			s->err = err_in(s->err, "%s=%s", o->variable, val);
	}
}

/* Index of the program in argv; 0 with err set or done. */
static int from_arguments(struct settings *s, int argc, char **argv)
{
	int i = 1;
	while (i < argc && argv[i][0] == '-' && !s->err && !s->done) {
		const char *name = argv[i++] + 1;
		if (strcmp(name, "-") == 0)
			break;
		if (name[0] == '-')
			name++;
		const struct option *o = options;
		while (o->name && strcmp(o->name, name) != 0)
			o++;
		if (!o->name) {
			s->err = err_new(ERR_INVALID, "unknown option '%s'", name);
		} else if (o->has_arg && i >= argc) {
			s->err = err_new(ERR_INVALID, "missing argument for option '%s'", name);
		} else {
			s->err = o->set(s, o->has_arg ? argv[i++] : NULL);
			if (s->err && err_code(s->err) == ERR_UNSUPPORTED)
				s->err = err_in(s->err, "option '-%s'", name);
		}
	}
	return s->err || s->done ? 0 : i;
}

int user_run(const char *name, const struct linux_abi *abi, int argc, char **argv)
{
	struct settings s = { .name = name, .o = { .abi = abi, .prog_name = name, .fd = -1, .self_fd = -1, .hot_after = 20000 } };
	struct stat st;
	for (char **e = environ; *e; e++)
		env_add(&s, *e);
	if (!s.env)
		s.env = alloc(sizeof(*s.env));
	from_environment(&s);
	int at = s.err || s.done ? 0 : from_arguments(&s, argc, argv);
	if (s.done)
		return 0;
	if (!s.err && at >= argc)
		s.err = err_new(ERR_INVALID, "no user program specified");
	if (s.err) {
		user_report("qemu", s.err);
		return 1;
	}
	static char usual[] = "/etc/qemu-binfmt/aarch64";
	if (!s.o.prefix && abi)
		s.o.prefix = strf("/etc/qemu-binfmt/%s", linux_abi_name(abi));
	else if (!s.o.prefix)
		s.o.prefix = usual;
	if (stat(s.o.prefix, &st) < 0 || !S_ISDIR(st.st_mode) || strcmp(s.o.prefix, "/") == 0)
		s.o.prefix = NULL;
	s.o.path = argv[at];
	s.o.argv = argv + at;
	if (s.argv0)
		s.o.argv[0] = s.argv0;
	s.o.envp = s.env;
	user_keep(&s.o, s.keep);
	struct err *e = linux_run(&s.o);
	bool foreign = linux_err_is_foreign(e);
	user_report(name, e);
	return foreign ? 255 : 1;
}
