/*
 * Where translations are kept across runs, and the verb that looks after them. $RHEA_KEEP or -keep names a directory or says "off"; otherwise it is
 * rhea/translations in $XDG_CACHE_HOME or ~/.cache.
 */
#include "base/os/build.h"
#include "translate/engine/keep/store.h"
#include "user.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* Owned by the caller; NULL: there is no home. */
static char *usual_dir(void)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	struct stat st;
	if (cache && cache[0] == '/')
		return strf("%s/rhea/translations", cache);
	if (!home || home[0] != '/' || stat(home, &st) < 0 || st.st_uid != geteuid())
		return NULL;
	return strf("%s/.cache/rhea/translations", home);
}

static bool read_place(const char *path, u64 *ret)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool ok = fd >= 0 && !fstat(fd, &st) && st.st_uid == geteuid() && !(st.st_mode & 022) &&
		  read(fd, ret, sizeof(*ret)) == sizeof(*ret);
	if (fd >= 0)
		close(fd);
	return ok;
}

/*
 * A secret number of this user's: the guest's files lie at addresses that follow from it, so that these are the same in every run but not known to
 * others. The first process writes it; another that was as fast reads it.
 */
static bool find_place(const char *dir, u64 *ret)
{
	char *path = strf("%s/place", dir), *mine = strf("%s/place.%d", dir, (int)getpid());
	bool ok = read_place(path, ret);
	if (!ok && getrandom(ret, sizeof(*ret), GRND_NONBLOCK) == sizeof(*ret)) {
		int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, fd = open(mine, flags, 0600);
		if (fd < 0 && errno == ENOENT) {
			store_make_dir(dir);
			fd = open(mine, flags, 0600);
		}
		if (fd >= 0) {
			ok = write(fd, ret, sizeof(*ret)) == sizeof(*ret) && (!link(mine, path) || read_place(path, ret));
			unlink(mine);
			close(fd);
		}
	}
	free(path);
	free(mine);
	return ok;
}

void user_keep(struct linux_options *o, const char *choice)
{
	if (!choice)
		choice = getenv("RHEA_KEEP");
	o->keep_dir = NULL;
	/* a program that runs with more rights than its caller does not believe its environment */
	if (getauxval(AT_SECURE) || (choice && strcmp(choice, "off") == 0))
		return;
	const char *dir = choice ? choice : usual_dir(); /* lives as long as the process */
	o->keep_build = os_build_id();
	if (dir && o->keep_build && find_place(dir, &o->place))
		o->keep_dir = dir;
}

int user_kept(int argc, char **argv)
{
	struct linux_options o = { 0 };
	bool clear = argc == 2 && strcmp(argv[1], "clear") == 0;
	if (argc != 2 || (!clear && strcmp(argv[1], "status") != 0)) {
		fprintf(stderr, "usage: rhea-user kept status|clear\n"
				"  status  where translations are kept across runs, and how much\n"
				"  clear   forget them all\n");
		return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : 1;
	}
	user_keep(&o, NULL);
	if (!o.keep_dir) {
		printf("no translations are kept (no home directory of this user's, or RHEA_KEEP=off)\n");
		return 0;
	}
	if (clear)
		store_prune(o.keep_dir, 0);
	struct store_usage u = store_usage(o.keep_dir);
	printf("%s: %llu files, %llu KiB\n", o.keep_dir, (unsigned long long)u.files, (unsigned long long)u.bytes / 1024);
	return clear && u.files ? 1 : 0;
}
