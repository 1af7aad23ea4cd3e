#include "block/transport/lock.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { USED = 100, ALONE = 200, PERMS = 4 };

static const char *const names[PERMS] = { "consistent read", "write", "write unchanged", "resize" };

static int lock_byte(int fd, int byte, short type)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
	int r;
	do
		r = fcntl(fd, F_OFD_SETLK, &l);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/* Would a lock of all of the byte succeed? 1: yes, 0: somebody holds it. */
static int is_free(int fd, int byte)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
	if (fcntl(fd, F_OFD_GETLK, &l) < 0)
		return -errno;
	return l.l_type == F_UNLCK;
}

bool lock_works(int fd)
{
	return is_free(fd, 0) >= 0;
}

/* Does this descriptor of that process hold a lock on the byte? */
static bool holds(const char *fdinfo, int byte)
{
	FILE *f = fopen(fdinfo, "re");
	char line[256];
	bool found = false;
	while (f && !found && fgets(line, sizeof(line), f)) {
		long long start, end;
		if (sscanf(line, "lock: %*d: OFDLCK %*s %*s %*s %*[^ ] %lld %lld", &start, &end) == 2)
			found = start <= byte && byte <= end;
	}
	if (f)
		fclose(f);
	return found;
}

static time_t started(const char *pid)
{
	struct stat st;
	AUTO(free_ptr) char *path = strf("/proc/%s", pid);
	return stat(path, &st) ? 0 : st.st_mtime;
}

static char *describe(const char *pid)
{
	char name[64] = "", when[64];
	AUTO(free_ptr) char *path = strf("/proc/%s/comm", pid);
	FILE *f = fopen(path, "re");
	if (f && fgets(name, sizeof(name), f))
		name[strcspn(name, "\n")] = 0;
	if (f)
		fclose(f);
	time_t t = started(pid);
	struct tm tm;
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", localtime_r(&t, &tm));
	return strf("It is held by process %s (%s), running since %s.", pid, name[0] ? name : "?", when);
}

/* Looks through /proc for an open description of the same file that holds the byte; NULL when it cannot be seen. */
static char *find_holder(int fd, int byte)
{
	struct stat mine, st;
	DIR *proc = fstat(fd, &mine) ? NULL : opendir("/proc");
	char *found = NULL;
	for (struct dirent *p; proc && !found && (p = readdir(proc));) {
		if (p->d_name[0] < '0' || p->d_name[0] > '9' || atoi(p->d_name) == getpid())
			continue;
		AUTO(free_ptr) char *dir = strf("/proc/%s/fd", p->d_name);
		DIR *fds = opendir(dir);
		for (struct dirent *d; fds && !found && (d = readdir(fds));) {
			AUTO(free_ptr) char *path = strf("%s/%s", dir, d->d_name);
			if (d->d_name[0] == '.' || stat(path, &st) || st.st_ino != mine.st_ino ||
			    st.st_dev != mine.st_dev)
				continue;
			AUTO(free_ptr) char *info = strf("/proc/%s/fdinfo/%s", p->d_name, d->d_name);
			if (holds(info, byte))
				found = describe(p->d_name);
		}
		if (fds)
			closedir(fds);
	}
	if (proc)
		closedir(proc);
	return found;
}

static struct err *in_the_way(int fd, const char *filename, const char *shared, int perm, int byte)
{
	AUTO(free_ptr) char *holder = find_holder(fd, byte);
	return err_hint(err_new(ERR_BUSY, "Failed to get %s\"%s\" lock", shared, names[perm]),
			"Is another process using the image [%s]?%s%s", filename, holder ? "\n" : "",
			holder ? holder : "");
}

static struct err *check(int fd, const char *filename, u32 perm, u32 alone)
{
	for (int p = 0; p < PERMS; p++) {
		if ((perm & BIT(p)) && is_free(fd, ALONE + p) == 0)
			return in_the_way(fd, filename, "", p, ALONE + p);
		if ((alone & BIT(p)) && is_free(fd, USED + p) == 0)
			return in_the_way(fd, filename, "shared ", p, USED + p);
	}
	return NULL;
}

static void drop(int fd, u32 old, u32 now, int base)
{
	for (int p = 0; p < PERMS; p++)
		if ((old & ~now) & BIT(p))
			lock_byte(fd, base + p, F_UNLCK);
}

static struct err *take(int fd, const char *filename, u32 old, u32 now, int base)
{
	for (int p = 0; p < PERMS; p++) {
		if (!((now & ~old) & BIT(p)))
			continue;
		int r = lock_byte(fd, base + p, F_RDLCK);
		if (r == -EAGAIN || r == -EACCES)
			return in_the_way(fd, filename, base == ALONE ? "shared " : "", p, base + p);
		if (r)
			return err_errno(-r, "Failed to lock byte %d", base + p);
	}
	return NULL;
}

struct err *lock_change(int fd, const char *filename, u32 old_perm, u32 old_alone, u32 perm, u32 alone)
{
	struct err *e = take(fd, filename, old_perm, perm, USED);
	if (!e)
		e = take(fd, filename, old_alone, alone, ALONE);
	if (!e)
		e = check(fd, filename, perm & ~old_perm, alone & ~old_alone);
	if (e) {
		drop(fd, perm, old_perm, USED);
		drop(fd, alone, old_alone, ALONE);
		return e;
	}
	drop(fd, old_perm, perm, USED);
	drop(fd, old_alone, alone, ALONE);
	return NULL;
}
