/* Files, directories, descriptors, pipes, sockets, events, System V objects. */
#define _GNU_SOURCE
#include "arch.h"
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pty.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/msg.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

static void plain(void)
{
	struct stat st, st2;
	char buf[64];
	int fd = open("f", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	CHECK("open makes a file; it is the first free descriptor", fd == 3);
	CHECK("write, lseek, read", write(fd, "hello world", 11) == 11 && lseek(fd, 6, SEEK_SET) == 6 && read(fd, buf, 64) == 5 &&
					!memcmp(buf, "world", 5));
	CHECK("fstat", fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0777) == 0640 && st.st_size == 11 && st.st_nlink == 1 &&
			   st.st_uid == getuid() && st.st_mtim.tv_sec > 1600000000 && st.st_blksize >= 512);
	CHECK("stat agrees", stat("f", &st2) == 0 && st2.st_ino == st.st_ino && st2.st_dev == st.st_dev && st2.st_size == 11);
	struct iovec iov[2] = { { "ab", 2 }, { "cd", 2 } };
	CHECK("pwritev and preadv", pwritev(fd, iov, 2, 3) == 4 && pread(fd, buf, 11, 0) == 11 && !memcmp(buf, "helabcdorld", 11));
	CHECK("flags", (fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND)) == O_RDWR && fcntl(fd, F_GETFD) == FD_CLOEXEC &&
			   fcntl(fd, F_SETFL, O_APPEND) == 0 && fcntl(fd, F_GETFL) & O_APPEND);
	CHECK("O_DIRECTORY on a file", open("f", O_RDONLY | O_DIRECTORY) < 0 && errno == ENOTDIR);
	symlink("f", "l");
	CHECK("O_NOFOLLOW on a link", open("l", O_RDONLY | O_NOFOLLOW) < 0 && errno == ELOOP);
	CHECK("readlink", readlink("l", buf, 64) == 1 && buf[0] == 'f');
	struct flock lk = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	CHECK("locks", fcntl(fd, F_SETLK, &lk) == 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
	pid_t pid = fork();
	if (!pid) {
		struct flock other = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
		_exit(fcntl(fd, F_GETLK, &other) == 0 && other.l_type == F_WRLCK && other.l_pid == getppid() ? 0 : 1);
	}
	int status;
	waitpid(pid, &status, 0);
	CHECK("a lock is seen by another process", status == 0);
	struct timespec ts[2] = { { 1000, 5 }, { 2000, 7 } };
	CHECK("utimensat", futimens(fd, ts) == 0 && fstat(fd, &st) == 0 && st.st_atim.tv_sec == 1000 && st.st_mtim.tv_nsec == 7);
	struct statx sx;
	CHECK("statx", statx(AT_FDCWD, "f", 0, STATX_ALL, &sx) == 0 && sx.stx_size == 11 && sx.stx_ino == st.st_ino);
	struct statfs fs;
	CHECK("statfs", statfs(".", &fs) == 0 && fs.f_bsize >= 512 && fs.f_blocks > 0);
	CHECK("truncate and fallocate", ftruncate(fd, 100) == 0 && fallocate(fd, 0, 0, 8192) == 0 && fstat(fd, &st) == 0 && st.st_size == 8192);
	close(fd);
	int high = fcntl(1, F_DUPFD, 1000);
	CHECK("a high descriptor can be had", high >= 1000 && dup2(1, 1000) == 1000 && write(1000, "", 0) == 0);
	close(high);
	CHECK("closing every descriptor does no harm", close_range(3, ~0u, 0) == 0);
	for (int i = 3; i < 1100; i++)
		close(i);
	CHECK("renameat2 and access", syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "g", 1) == 0 && access("g", R_OK) == 0 &&
					  access("f", F_OK) < 0 && errno == ENOENT);
}

static void folders(void)
{
	mkdir("d", 0700);
	for (int i = 0; i < 200; i++) {
		char name[32];
		snprintf(name, sizeof(name), "d/file-%d", i);
		close(open(name, O_CREAT | O_WRONLY, 0600));
	}
	DIR *d = opendir("d");
	int n = 0;
	long sum = 0;
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.') {
			n++;
			sum += atoi(e->d_name + 5);
		}
	closedir(d);
	CHECK("a folder of 200 files", n == 200 && sum == 199 * 100);
	int in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	inotify_add_watch(in, "d", IN_CREATE);
	close(open("d/new", O_CREAT | O_WRONLY, 0600));
	char buf[512];
	CHECK("inotify", read(in, buf, sizeof(buf)) > 0 && !strcmp(((struct inotify_event *)buf)->name, "new"));
	close(in);
	char cwd[256];
	CHECK("chdir and getcwd", chdir("d") == 0 && getcwd(cwd, sizeof(cwd)) && strlen(cwd) > 2 && !strcmp(cwd + strlen(cwd) - 2, "/d") &&
				      chdir("..") == 0);
}

static void events(void)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), p[2], ev = eventfd(0, EFD_NONBLOCK), tfd = timerfd_create(CLOCK_MONOTONIC, 0);
	pipe2(p, O_NONBLOCK | O_CLOEXEC);
	struct epoll_event e[3] = { { EPOLLIN, { .u64 = 0x1122334455667788 } }, { EPOLLIN, { .u64 = 0x99aabbccddeeff00 } }, { EPOLLIN, { .u64 = 3 } } };
	epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e[0]);
	epoll_ctl(ep, EPOLL_CTL_ADD, ev, &e[1]);
	epoll_ctl(ep, EPOLL_CTL_ADD, tfd, &e[2]);
	struct epoll_event got[4] = { 0 };
	CHECK("epoll waits", epoll_wait(ep, got, 4, 10) == 0);
	write(p[1], "x", 1);
	eventfd_write(ev, 7);
	int n = epoll_wait(ep, got, 4, 1000);
	CHECK("epoll tells both with their data", n == 2 && got[0].data.u64 + got[1].data.u64 == 0x1122334455667788 + 0x99aabbccddeeff00 &&
						      got[0].events == EPOLLIN);
	char c;
	eventfd_t v;
	read(p[0], &c, 1);
	CHECK("eventfd", eventfd_read(ev, &v) == 0 && v == 7);
	struct itimerspec it = { .it_value = { 0, 20000000 } };
	timerfd_settime(tfd, 0, &it, NULL);
	CHECK("timerfd", epoll_wait(ep, got, 4, 2000) == 1 && got[0].data.u64 == 3);
	struct pollfd pf = { p[1], POLLOUT };
	fd_set w;
	FD_ZERO(&w);
	FD_SET(p[1], &w);
	CHECK("poll and select", poll(&pf, 1, 100) == 1 && pf.revents == POLLOUT && select(p[1] + 1, NULL, &w, NULL, NULL) == 1);
	close(ep), close(p[0]), close(p[1]), close(ev), close(tfd);
}

static void sockets(void)
{
	int s[2], fds[1], got = -1;
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s);
	fds[0] = open("g", O_RDONLY);
	char ctl[CMSG_SPACE(sizeof(int))] = { 0 }, text[8] = "fd";
	struct iovec iov = { text, 2 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), fds, sizeof(int));
	CHECK("sendmsg with a descriptor", sendmsg(s[0], &m, 0) == 2);
	memset(ctl, 0, sizeof(ctl));
	CHECK("recvmsg gives it", recvmsg(s[1], &m, 0) == 2 && (c = CMSG_FIRSTHDR(&m)) && c->cmsg_type == SCM_RIGHTS &&
				      (memcpy(&got, CMSG_DATA(c), sizeof(int)), fcntl(got, F_GETFD) >= 0));
	int srv = socket(AF_INET, SOCK_STREAM, 0), one = 1, val = 0;
	socklen_t len = sizeof(val);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	setsockopt(srv, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	CHECK("socket options", getsockopt(srv, SOL_SOCKET, SO_REUSEADDR, &val, &len) == 0 && val == 1);
	bind(srv, (struct sockaddr *)&a, sizeof(a));
	listen(srv, 1);
	len = sizeof(a);
	getsockname(srv, (struct sockaddr *)&a, &len);
	int cl = socket(AF_INET, SOCK_STREAM, 0);
	CHECK("TCP connects", connect(cl, (struct sockaddr *)&a, sizeof(a)) == 0);
	int ac = accept4(srv, NULL, NULL, SOCK_CLOEXEC);
	char buf[16];
	CHECK("TCP carries", send(cl, "ping", 4, 0) == 4 && recv(ac, buf, 16, 0) == 4 && !memcmp(buf, "ping", 4));
	CHECK("sendfile", sendfile(cl, fds[0], NULL, 3) == 3 && recv(ac, buf, 16, 0) == 3);
	close(srv), close(cl), close(ac), close(s[0]), close(s[1]), close(fds[0]), close(got);
}

static void others(void)
{
	struct utsname u;
	uname(&u);
	CHECK("uname tells the guest's machine", !strcmp(u.machine, MACHINE) && !strcmp(u.sysname, "Linux"));
	int sem = semget(IPC_PRIVATE, 2, 0600), msg = msgget(IPC_PRIVATE, 0600);
	struct semid_ds ds = { 0 };
	union semun {
		int val;
		struct semid_ds *buf;
	} arg = { .buf = &ds };
	CHECK("semctl", semctl(sem, 0, IPC_STAT, arg) == 0 && ds.sem_nsems == 2 && (ds.sem_perm.mode & 0777) == 0600 && ds.sem_ctime > 1600000000);
	arg.val = 5;
	struct sembuf op = { 0, -3, 0 };
	CHECK("semaphores", semctl(sem, 0, SETVAL, arg) == 0 && semop(sem, &op, 1) == 0 && semctl(sem, 0, GETVAL) == 2);
	semctl(sem, 0, IPC_RMID);
	struct {
		long type;
		char text[8];
	} m = { 3, "message" }, r = { 0 };
	CHECK("message queues", msgsnd(msg, &m, 8, 0) == 0 && msgrcv(msg, &r, 8, 3, 0) == 8 && !strcmp(r.text, "message"));
	msgctl(msg, IPC_RMID, NULL);
	int master, slave;
	struct termios t;
	struct winsize ws = { 33, 99 }, ws2 = { 0 };
	CHECK("a terminal", openpty(&master, &slave, NULL, NULL, &ws) == 0 && tcgetattr(slave, &t) == 0 && t.c_lflag & ECHO &&
				ioctl(slave, TIOCGWINSZ, &ws2) == 0 && ws2.ws_row == 33 && ws2.ws_col == 99 && isatty(slave));
	CHECK("an unknown ioctl", ioctl(slave, 0x12345678, 0) < 0 && errno == ENOTTY);
	close(master), close(slave);
	struct rlimit rl, back;
	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = 512;
	CHECK("limits", setrlimit(RLIMIT_NOFILE, &rl) == 0 && getrlimit(RLIMIT_NOFILE, &back) == 0 && back.rlim_cur == 512);
	struct rusage ru;
	struct sysinfo si;
	CHECK("usage and sysinfo", getrusage(RUSAGE_SELF, &ru) == 0 && ru.ru_maxrss > 0 && sysinfo(&si) == 0 && si.totalram > 0);
	struct timespec a, b;
	struct timeval tv;
	clock_gettime(CLOCK_MONOTONIC, &a);
	usleep(2000);
	clock_gettime(CLOCK_MONOTONIC, &b);
	gettimeofday(&tv, NULL);
	CHECK("clocks", (b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec >= 2000000 && tv.tv_sec > 1600000000 &&
			    clock_gettime(9999, &a) < 0 && errno == EINVAL);
	CHECK("calls that are not there", syscall(SYS_io_uring_setup, 1, NULL) < 0 && errno == ENOSYS && syscall(999) < 0 && errno == ENOSYS &&
					      syscall(293, 0, 0, 0, 0) < 0 && errno == ENOSYS);
	CHECK("nobody is traced, as where Yama forbids it",
	      ptrace(PTRACE_TRACEME, 0, 0, 0) < 0 && errno == EPERM && ptrace(PTRACE_ATTACH, getppid(), 0, 0) < 0 && errno == EPERM &&
		  ptrace(PTRACE_SEIZE, getppid(), 0, 0) < 0 && errno == EPERM && ptrace(PTRACE_CONT, getppid(), 0, 0) < 0 && errno == ESRCH);
}

static void strangers(void)
{
	struct stat st;
	int agree = 1;
	for (int fd = 3; fd < 4096; fd++)
		agree &= (fcntl(fd, F_GETFD) < 0) == (fstat(fd, &st) < 0) && (fstat(fd, &st) < 0) == (lseek(fd, 0, SEEK_CUR) < 0 && errno == EBADF);
	CHECK("no descriptor is there for some calls and not for others", agree);
}

int main(void)
{
	char dir[] = "/tmp/user-files-XXXXXX";
	if (!mkdtemp(dir) || chdir(dir))
		return 1;
	plain();
	folders();
	events();
	sockets();
	others();
	strangers();
	chdir("/");
	char cmd[64];
	snprintf(cmd, sizeof(cmd), "/bin/rm -rf %s", dir);
	CHECK("system() runs the host's programs", system(cmd) == 0 && access(dir, F_OK) < 0);
	return check_failed;
}
