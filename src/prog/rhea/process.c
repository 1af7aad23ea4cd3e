#include "prog/rhea/process.h"
#include "base/loop/loop.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct err *process_split(struct process *p, bool *ret_child, int *ret_status)
{
	int fds[2], status;
	char c;
	*ret_status = 1;
	*ret_child = false;
	if (pipe2(fds, O_CLOEXEC))
		return err_errno(errno, "Failed to make a pipe");
	pid_t pid = fork();
	if (pid < 0)
		return err_errno(errno, "Failed to fork");
	*ret_child = pid == 0;
	close(fds[pid ? 1 : 0]);
	if (*ret_child) {
		p->ready_fd = fds[1];
		setsid();
		return NULL;
	}
	ssize_t got;
	while ((got = read(fds[0], &c, 1)) < 0 && errno == EINTR)
		;
	if (got == 1)
		*ret_status = 0;
	else if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status))
		*ret_status = WEXITSTATUS(status);
	return NULL;
}

static void signalled(void *arg, u32 events UNUSED)
{
	struct process *p = arg;
	struct signalfd_siginfo info;
	if (read(p->signal_fd, &info, sizeof(info)) == sizeof(info))
		*p->end = true;
}

void process_begin(struct process *p, bool *end)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	p->end = end;
	p->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	p->signals = loop_watch(loop_here(), p->signal_fd, EPOLLIN, signalled, p);
}

struct err *process_write_pid(struct process *p, const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	if (!path)
		return NULL;
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(errno, "Could not create '%s'", path);
	struct err *e = NULL;
	if (fcntl(fd, F_SETLK, &lock))
		e = err_errno(errno, "Cannot lock pid file");
	else if (ftruncate(fd, 0) || dprintf(fd, "%ld\n", (long)getpid()) < 0)
		e = err_errno(errno, "Failed to write pid file '%s'", path);
	if (e)
		close(fd);
	else
		p->pid_file = path; /* open and locked until the process ends */
	return e;
}

void process_ready(struct process *p, bool keep_stderr)
{
	if (p->ready_fd < 0)
		return;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd < (keep_stderr ? 2 : 3) && null >= 0; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	if (write(p->ready_fd, "", 1) < 0)
		*p->end = true; /* the parent was killed */
	close(p->ready_fd);
}

void process_end(struct process *p)
{
	loop_unwatch(p->signals);
	close(p->signal_fd);
	if (p->pid_file)
		unlink(p->pid_file);
}
