/*
 * rhea-user binfmt: registers user mode with the kernel, so that programs of other CPUs run by themselves.
 * Facts: Documentation/admin-guide/binfmt-misc.rst; man 5 binfmt.d; man 8 update-binfmts.
 */
#include "user.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static const char flags[] = "OPF";

struct places {
	const char *root; /* in front of the files below; "" */
	const char *kernel; /* the file system of binfmt_misc */
	char program[PATH_MAX]; /* ours */
	bool files_systemd, files_debian, live; /* what to write */
};

static void magic_text(const struct linux_abi *abi, char *magic, char *mask)
{
	u8 m[20], k[20];
	linux_abi_magic(abi, m, k);
	for (unsigned i = 0; i < 20; i++) {
		sprintf(magic + 4 * i, "\\x%02x", m[i]);
		sprintf(mask + 4 * i, "\\x%02x", k[i]);
	}
}

static char *registration(const struct places *p, const struct linux_abi *abi)
{
	char magic[81], mask[81];
	magic_text(abi, magic, mask);
	return strf(":qemu-%s:M::%s:%s:%s:%s", linux_abi_name(abi), magic, mask, p->program, flags);
}

static char *read_file(const char *path)
{
	char buf[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return NULL;
	buf[n] = 0;
	return str_dup(buf);
}

static struct err *write_file(const char *path, const char *text, int oflags)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | oflags, 0644);
	if (fd < 0)
		return err_errno(errno, "cannot write %s", path);
	ssize_t n = write(fd, text, strlen(text));
	int e = errno;
	close(fd);
	return n == (ssize_t)strlen(text) ? NULL : err_errno(n < 0 ? e : ENOSPC, "cannot write %s", path);
}

/* An entry of the kernel's: its interpreter, "" if it has none, NULL if it is not there. Owned by the caller. */
static char *entry_interpreter(const struct places *p, const struct linux_abi *abi, bool *ret_enabled)
{
	AUTO(free_ptr) char *path = strf("%s/qemu-%s", p->kernel, linux_abi_name(abi));
	AUTO(free_ptr) char *text = read_file(path);
	if (!text)
		return NULL;
	*ret_enabled = strncmp(text, "enabled", 7) == 0;
	const char *at = strstr(text, "interpreter ");
	return at ? strndup(at + 12, strcspn(at + 12, "\n")) : str_dup("");
}

static struct err *need_kernel(const struct places *p)
{
	AUTO(free_ptr) char *path = strf("%s/register", p->kernel);
	if (access(path, F_OK) == 0)
		return NULL;
	if (strcmp(p->kernel, "/proc/sys/fs/binfmt_misc") == 0 &&
	    mount("binfmt_misc", p->kernel, "binfmt_misc", 0, NULL) == 0 && access(path, F_OK) == 0)
		return NULL;
	return err_hint(err_errno(errno, "%s is not there", path),
			"the kernel needs binfmt_misc (modprobe binfmt_misc) and we need to be root; without "
			"it: rhea-user exec ROOT COMMAND");
}

static struct err *live_install(const struct places *p, const struct linux_abi *abi)
{
	struct err *e = need_kernel(p);
	if (e)
		return e;
	bool enabled = false;
	AUTO(free_ptr) char *was = entry_interpreter(p, abi, &enabled);
	if (was && enabled && strcmp(was, p->program) == 0)
		return NULL;
	AUTO(free_ptr) char *entry = strf("%s/qemu-%s", p->kernel, linux_abi_name(abi));
	AUTO(free_ptr) char *line = registration(p, abi);
	AUTO(free_ptr) char *reg = strf("%s/register", p->kernel);
	if (was)
		e = write_file(entry, "-1", 0);
	return e ? e : write_file(reg, line, 0);
}

static struct err *live_remove(const struct places *p, const struct linux_abi *abi)
{
	bool enabled = false;
	AUTO(free_ptr) char *was = entry_interpreter(p, abi, &enabled);
	if (!was || strcmp(was, p->program) != 0)
		return NULL; /* not there, or somebody else's */
	AUTO(free_ptr) char *entry = strf("%s/qemu-%s", p->kernel, linux_abi_name(abi));
	return write_file(entry, "-1", 0);
}

/* Makes the folders of a path. */
static void make_folders(const char *path)
{
	char buf[PATH_MAX];
	snprintf(buf, sizeof(buf), "%s", path);
	for (char *p = buf + 1; *p; p++)
		if (*p == '/') {
			*p = 0;
			mkdir(buf, 0755);
			*p = '/';
		}
}

/* The two files: path and text, owned by the caller. */
static void describe(const struct places *p, const struct linux_abi *abi, bool debian, char **ret_path,
		     char **ret_text)
{
	const char *name = linux_abi_name(abi);
	char magic[81], mask[81];
	AUTO(free_ptr) char *line = registration(p, abi);
	magic_text(abi, magic, mask);
	*ret_path =
	    strf(debian ? "%s/usr/share/binfmts/qemu-%s" : "%s/usr/lib/binfmt.d/qemu-%s.conf", p->root, name);
	*ret_text = debian ? strf("package rhea\ninterpreter %s\nmagic %s\nmask %s\ncredentials "
				  "yes\nfix_binary yes\npreserve yes\n",
				  p->program, magic, mask)
			   : strf("%s\n", line);
}

static struct err *file_change(const struct places *p, const struct linux_abi *abi, bool debian, bool install)
{
	char *path, *text;
	struct err *e = NULL;
	describe(p, abi, debian, &path, &text);
	AUTO(free_ptr) char *now = read_file(path);
	if (install && (!now || strcmp(now, text) != 0)) {
		make_folders(path);
		e = write_file(path, text, O_CREAT | O_TRUNC);
	} else if (!install && now && strstr(now, p->program) && unlink(path) < 0) {
		e = err_errno(errno, "cannot remove %s", path);
	}
	free(path);
	free(text);
	return e;
}

static void print_status(const struct places *p, const struct linux_abi *abi)
{
	bool enabled = false;
	AUTO(free_ptr) char *who = entry_interpreter(p, abi, &enabled);
	const char *state = !who			   ? "not registered"
			    : !enabled			   ? "disabled"
			    : strcmp(who, p->program) == 0 ? "ours"
							   : "another program's";
	printf("qemu-%s: %s%s%s\n", linux_abi_name(abi), state, who && *who ? ", " : "", who ? who : "");
	for (int debian = 0; debian < 2; debian++) {
		char *path, *text;
		describe(p, abi, debian, &path, &text);
		AUTO(free_ptr) char *now = read_file(path);
		if (now)
			printf("qemu-%s: file %s%s\n", linux_abi_name(abi), path,
			       strcmp(now, text) == 0 ? "" : ", not as we would write it");
		free(path);
		free(text);
	}
}

static int usage(void)
{
	fputs("usage: rhea-user binfmt status|install|remove [--systemd] [--debian] [--no-kernel] [--root "
	      "DIR] [--kernel DIR] [GUEST...]\n"
	      "  --systemd    also the file for systemd-binfmt, /usr/lib/binfmt.d/qemu-GUEST.conf\n"
	      "  --debian     also the file for update-binfmts, /usr/share/binfmts/qemu-GUEST\n"
	      "  --no-kernel  the files alone; the running kernel stays as it is\n"
	      "  --root DIR   write the files below DIR\n"
	      "  --kernel DIR where binfmt_misc is mounted (/proc/sys/fs/binfmt_misc)\n",
	      stderr);
	return 1;
}

int user_binfmt(int argc, char **argv)
{
	struct places p = { .root = "", .kernel = "/proc/sys/fs/binfmt_misc", .live = true };
	ssize_t n = readlink("/proc/self/exe", p.program, sizeof(p.program) - 1);
	if (n < 0) {
		fprintf(stderr, "rhea-user: /proc is not mounted, so we do not know our own path\n");
		return 1;
	}
	if (argc < 2)
		return usage();
	const char *verb = argv[1];
	bool install = strcmp(verb, "install") == 0, status = strcmp(verb, "status") == 0;
	if (!install && !status && strcmp(verb, "remove") != 0)
		return usage();
	int i = 2;
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--systemd") == 0)
			p.files_systemd = true;
		else if (strcmp(argv[i], "--debian") == 0)
			p.files_debian = true;
		else if (strcmp(argv[i], "--no-kernel") == 0)
			p.live = false;
		else if (strcmp(argv[i], "--root") == 0 && i + 1 < argc)
			p.root = argv[++i];
		else if (strcmp(argv[i], "--kernel") == 0 && i + 1 < argc)
			p.kernel = argv[++i];
		else
			return usage();
	}
	for (int k = i; k < argc; k++)
		if (!linux_abi_find(argv[k])) {
			fprintf(stderr, "rhea-user: there is no guest '%s' (rhea-user --names lists them)\n",
				argv[k]);
			return 1;
		}
	for (const struct linux_abi *const *a = linux_abis; *a; a++) {
		bool wanted = i == argc;
		for (int k = i; k < argc; k++)
			wanted |= linux_abi_find(argv[k]) == *a;
		if (!wanted)
			continue;
		if (status) {
			print_status(&p, *a);
			continue;
		}
		struct err *e = !p.live ? NULL : install ? live_install(&p, *a) : live_remove(&p, *a);
		if (!e && (p.files_systemd || !install))
			e = file_change(&p, *a, false, install);
		if (!e && (p.files_debian || !install))
			e = file_change(&p, *a, true, install);
		if (e) {
			user_report("rhea-user", e);
			return 1;
		}
	}
	return 0;
}
