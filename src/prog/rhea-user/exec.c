/*
 * rhea-user exec ROOT COMMAND...: runs a program of a foreign root folder with nothing registered, as an ordinary user: in a user and mount
 * namespace of its own whose root is ROOT, with the host's /proc, /sys, /dev and resolv.conf in it. As root the mount namespace is enough.
 * Where user namespaces are forbidden, the root cannot be entered and the -L prefix is all there is: said, and refused.
 *
 * Manual: man 7 user_namespaces, mount_namespaces; man 2 pivot_root, mount.
 */
#include "base/log.h"
#include "user.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct err *put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	int e = errno;
	if (fd >= 0)
		close(fd);
	return ok ? NULL : err_errno(e, "cannot write %s", path);
}

/* In the new namespace we are root, or who we were. */
static struct err *enter_namespaces(bool keep_user)
{
	unsigned uid = getuid(), gid = getgid();
	if (uid == 0 && unshare(CLONE_NEWNS) == 0)
		return NULL;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return err_hint(err_errno(errno, "cannot make a user namespace"),
				"the system forbids them (kernel.unprivileged_userns_clone, "
				"user.max_user_namespaces, a container's rules); "
				"a single program runs with: rhea-user -L ROOT ROOT/usr/bin/PROGRAM");
	AUTO(free_ptr) char *uids = strf("%u %u 1", keep_user ? uid : 0, uid);
	AUTO(free_ptr) char *gids = strf("%u %u 1", keep_user ? gid : 0, gid);
	struct err *e = put("/proc/self/setgroups", "deny");
	if (!e)
		e = put("/proc/self/uid_map", uids);
	return e ? e : put("/proc/self/gid_map", gids);
}

static void bind_into(const char *root, const char *what, unsigned long flags)
{
	char at[PATH_MAX];
	struct stat st;
	if ((size_t)snprintf(at, sizeof(at), "%s%s", root, what) < sizeof(at) && stat(what, &st) == 0 &&
	    stat(at, &st) == 0)
		if (mount(what, at, NULL, MS_BIND | flags, NULL) < 0 && flags & MS_REC)
			fprintf(stderr, "rhea-user: %s is not to be had in %s: %s\n", what, root,
				strerror(errno));
}

static struct err *enter_root(const char *root, bool with_host)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(root, root, NULL, MS_BIND | MS_REC, NULL) < 0)
		return err_errno(errno, "cannot make %s a mount point", root);
	if (with_host) {
		bind_into(root, "/proc", MS_REC);
		bind_into(root, "/sys", MS_REC);
		bind_into(root, "/dev", MS_REC);
		bind_into(root, "/etc/resolv.conf", 0);
	}
	if (chdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
		if (chroot(root) < 0)
			return err_errno(errno, "cannot enter %s", root);
	return chdir("/") < 0 ? err_errno(errno, "cannot enter %s", root) : NULL;
}

static int usage(void)
{
	fputs(
	    "usage: rhea-user exec [--keep-user] [--bare] [-cpu MODEL] [-strace] ROOT COMMAND [ARGUMENT...]\n"
	    "  --keep-user  keep the user id; otherwise the program sees itself as root of its namespace\n"
	    "  --bare       without the host's /proc, /sys, /dev and resolv.conf\n",
	    stderr);
	return 1;
}

/* The command's file, by the root's own PATH. Owned by the caller; NULL if there is none. */
static char *find_command(const char *name)
{
	static const char *const dirs[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					    "/usr/bin",	       "/sbin",		 "/bin" };
	if (strchr(name, '/'))
		return str_dup(name);
	for (unsigned i = 0; i < LEN(dirs); i++) {
		char *path = strf("%s/%s", dirs[i], name);
		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

enum { SCRIPT_LINE = 256 };

/* A script is run by its interpreter, which is a program of the root. What is returned lives as long as the process. */
static char **unscript(char *path, char **argv, int argc)
{
	char *line = alloc(SCRIPT_LINE);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, line, SCRIPT_LINE - 1);
	if (fd >= 0)
		close(fd);
	if (n < 3 || line[0] != '#' || line[1] != '!') {
		free(line);
		return NULL;
	}
	line[n] = 0;
	line[strcspn(line, "\n")] = 0;
	char **out = alloc(((size_t)argc + 3) * sizeof(*out)), **p = out, *save = NULL;
	*p++ = strtok_r(line + 2, " \t", &save);
	char *arg = strtok_r(NULL, "", &save);
	if (arg && arg[strspn(arg, " \t")])
		*p++ = arg + strspn(arg, " \t");
	*p++ = path;
	for (int i = 1; i < argc; i++)
		*p++ = argv[i];
	*p = NULL;
	return out[0] ? out : NULL;
}

int user_exec(int argc, char **argv)
{
	bool keep_user = false, bare = false;
	struct linux_options o = { .prog_name = "rhea-user", .fd = -1, .envp = environ };
	int i = 1;
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--keep-user") == 0)
			keep_user = true;
		else if (strcmp(argv[i], "--bare") == 0)
			bare = true;
		else if (strcmp(argv[i], "-strace") == 0)
			o.log |= LOG_STRACE;
		else if (strcmp(argv[i], "-cpu") == 0 && i + 1 < argc)
			o.cpu = argv[++i];
		else
			return usage();
	}
	if (argc - i < 2)
		return usage();
	char root[PATH_MAX];
	struct err *e = NULL;
	o.self_fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	if (o.self_fd >= 0) {
		int high = fcntl(o.self_fd, F_DUPFD_CLOEXEC, 1000);
		if (high >= 0) {
			close(o.self_fd);
			o.self_fd = high;
		}
	}
	if (!realpath(argv[i], root))
		e = err_errno(errno, "%s", argv[i]);
	if (!e)
		e = enter_namespaces(keep_user);
	if (!e)
		e = enter_root(root, !bare);
	if (e) {
		user_report("rhea-user", e);
		return 125;
	}
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	o.envp = environ;
	char *path = find_command(argv[i + 1]);
	if (!path || access(path, F_OK) < 0) {
		fprintf(stderr, "rhea-user: %s: not found in %s\n", argv[i + 1], root);
		return 127;
	}
	o.argv = argv + i + 1;
	o.execfn = path;
	for (int depth = 0; depth < 4; depth++) {
		char **script = unscript(path, o.argv, argc - i - 1 + 2 * depth);
		if (!script)
			break;
		o.argv = script;
		path = script[0];
	}
	o.path = path;
	user_report("rhea-user", linux_run(&o));
	return 126;
}
