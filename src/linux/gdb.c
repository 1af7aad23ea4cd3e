/*
 * -g: waits for gdb and serves it on a host thread of its own. The protocol is control/gdb; this file is what it debugs: a process in user mode.
 */
#include "base/err.h"
#include "linux/debug.h"
#include "linux/syscalls/arg.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* ---- threads ---- */
static struct thread *thread_of(struct debug *d, u64 id)
{
	struct vm *vm = d->vm;
	struct thread *found = NULL;
	pthread_mutex_lock(&vm->threads_lock);
	struct thread *t = vm->threads;
	for (u32 i = 0; i < vm->n_threads && !found; i++, t = t->next)
		if (debug_counts(t) && (u64)t->tid == id)
			found = t;
	pthread_mutex_unlock(&vm->threads_lock);
	return found; /* stays as long as everything is halted: threads that end wait */
}

/* By rising numbers: a list that changes meanwhile is no harm. */
static u64 next_thread(void *user, u64 after)
{
	struct debug *d = user;
	struct vm *vm = d->vm;
	u64 best = 0;
	pthread_mutex_lock(&vm->threads_lock);
	struct thread *t = vm->threads;
	for (u32 i = 0; i < vm->n_threads; i++, t = t->next) {
		u64 id = (u64)t->tid;
		if (debug_counts(t) && id > after && (!best || id < best))
			best = id;
	}
	pthread_mutex_unlock(&vm->threads_lock);
	return best;
}

static void thread_name(void *user UNUSED, u64 thread, char *buf, size_t size)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/task/%llu/comm", (unsigned long long)thread);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, buf, size - 1) : 0;
	if (fd >= 0)
		close(fd);
	buf[MAX(n, 0)] = 0;
	buf[strcspn(buf, "\n")] = 0;
}

/* Out of its system call, which the kernel then restarts or ends with EINTR. False: it sleeps too deeply. */
static bool bring_out(struct debug *d, struct thread *t)
{
	enum { TRIES = 20, TRY_NS = 50 * 1000 * 1000 };
	pthread_mutex_lock(&d->lock);
	for (unsigned i = 0; i < TRIES && t->debug.state == DEBUG_CALLING; i++) {
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		u64 ns = (u64)until.tv_nsec + TRY_NS;
		until.tv_sec += (time_t)(ns / 1000000000);
		until.tv_nsec = (long)(ns % 1000000000);
		debug_kick(t);
		pthread_cond_timedwait(&d->changed, &d->lock, &until);
	}
	bool out = t->debug.state == DEBUG_PARKED;
	pthread_mutex_unlock(&d->lock);
	return out;
}

static struct cpu *cpu_of(void *user, u64 thread, bool write)
{
	struct thread *t = thread_of(user, thread);
	return t && (!write || bring_out(user, t)) ? t->cpu : NULL;
}

/* ---- memory: whatever the guest's map holds, also what it may not touch itself ---- */
/* How much from addr on is the guest's. */
static size_t owned(struct vm *vm, u64 addr, size_t len)
{
	struct map_range r;
	u64 at = addr;
	while (at - addr < len && vm_find(vm, at, &r) && r.start <= at)
		at = r.end;
	return (size_t)MIN(at - addr, (u64)len);
}

static size_t read_memory(void *user, u64 addr, void *buf, size_t len)
{
	struct debug *d = user;
	len = owned(d->vm, addr, len);
	ssize_t n = d->mem >= 0 ? pread(d->mem, buf, len, (off_t)g2h(d->vm, addr)) : -1;
	return n >= 0 ? (size_t)n : get_mem(d->vm, buf, addr, len) ? len : 0;
}

static bool write_memory(void *user, u64 addr, const void *buf, size_t len)
{
	struct debug *d = user;
	if (owned(d->vm, addr, len) < len)
		return false;
	bool good = d->mem >= 0 && pwrite(d->mem, buf, len, (off_t)g2h(d->vm, addr)) == (ssize_t)len;
	good = good || put_mem(d->vm, addr, buf, len);
	engine_invalidate(d->vm->engine, addr, len);
	return good;
}

/* ---- breakpoints and watchpoints ---- */
static void set_point(struct debug *d, const struct debug_point *p, bool set)
{
	static const u8 kinds[GDB_POINTS] = { 0, 0, WATCH_WRITE, WATCH_READ, WATCH_READ | WATCH_WRITE };
	if (kinds[p->type])
		engine_watchpoint(d->vm->engine, p->addr, p->len, kinds[p->type], set);
	else if (set || !debug_point_at(d, p->addr, 0))
		engine_breakpoint(d->vm->engine, p->addr, set);
}

static bool point(void *user, enum gdb_point type, u64 addr, u64 len, bool set)
{
	struct debug *d = user;
	struct debug_point p = { type, addr, len };
	u32 i = 0;
	if (type >= GDB_POINT_WATCH && !len)
		return false;
	while (i < d->n_point &&
	       (d->point[i].type != type || d->point[i].addr != addr || d->point[i].len != len))
		i++;
	bool was = i < d->n_point;
	if (set == was)
		return true;
	if (set) {
		d->point = grow(d->point, &d->point_cap, i + 1, sizeof(p));
		d->point[d->n_point++] = p;
	} else {
		d->point[i] = d->point[--d->n_point];
	}
	set_point(d, &p, set);
	return true;
}

/* ---- resuming ---- */
static void act(void *user, u64 thread, const struct gdb_action *a)
{
	struct debug *d = user;
	struct thread *t = thread_of(d, thread);
	if (!t)
		return;
	pthread_mutex_lock(&d->lock);
	struct debug_part *s = &t->debug;
	s->action = a->act;
	s->from = a->from;
	s->to = a->to;
	s->stepped = false;
	s->signal = a->signal;
	bool sent = s->info && s->shown; /* it waits to be told which signal to take */
	pthread_mutex_unlock(&d->lock);
	if (a->signal && !sent) {
		s->injected = a->signal;
		RAW3(SYS_tgkill, getpid(), t->tid, a->signal);
	}
}

static void resume(void *user)
{
	debug_release(user);
}

static struct thread *first_thread(struct debug *d)
{
	u64 id = (u64)getpid();
	return thread_of(d, id) ? thread_of(d, id) : thread_of(d, next_thread(d, 0));
}

static void interrupt(void *user)
{
	struct debug *d = user;
	debug_halt(d);
	struct thread *t = first_thread(d);
	gdb_report(d->gdb, &(struct gdb_stop){ .why = GDB_SIGNAL,
					       .thread = t ? (u64)t->tid : (u64)getpid(),
					       .value = SIGINT });
}

static void detach(void *user)
{
	debug_end(user);
}

static void kill_guest(void *user UNUSED)
{
	dprintf(2, "qemu: Terminated via GDBstub\n");
	RAW1(SYS_exit_group, 0);
}

static void pass_signals(void *user, u64 set)
{
	struct debug *d = user;
	d->pass = set;
}

/* ---- objects and files ---- */
static void *copy(const void *data, size_t len, size_t *ret_len)
{
	void *p = alloc(len + 1);
	memcpy(p, data, len);
	*ret_len = len;
	return p;
}

static void *object(void *user, enum gdb_object what, u64 thread, size_t *ret_len)
{
	struct debug *d = user;
	struct vm *vm = d->vm;
	const struct thread *t = thread_of(d, thread);
	if (what == GDB_EXEC_FILE)
		return copy(vm->exe, strlen(vm->exe), ret_len);
	if (what == GDB_SIGINFO) /* as the guest's own where the layout is the same */
		return t && t->debug.info && vm->abi->word == 8 && !vm->abi->big_endian
			   ? copy(t->debug.info, 128, ret_len)
			   : NULL;
	u8 *auxv = alloc(vm->auxv_len + 1);
	*ret_len = read_memory(d, vm->auxv_addr, auxv, vm->auxv_len);
	return auxv;
}

static int open_file(void *user, const char *path)
{
	struct debug *d = user;
	char buf[PATH_MAX];
	int fd = move_high(open(path_prefixed(d->vm, path, buf), O_RDONLY | O_CLOEXEC));
	return fd < 0 ? -errno : fd;
}

/* ---- the connection ---- */
static void send_all(void *user, const void *data, size_t len)
{
	const struct debug *d = user;
	const u8 *p = data;
	while (len) {
		ssize_t n = send(d->fd, p, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* the next recv will say so */
		p += n;
		len -= (size_t)n;
	}
}

static const struct gdb_ops ops = {
	.send = send_all,
	.next_thread = next_thread,
	.thread_name = thread_name,
	.cpu = cpu_of,
	.read = read_memory,
	.write = write_memory,
	.point = point,
	.act = act,
	.resume = resume,
	.interrupt = interrupt,
	.detach = detach,
	.kill = kill_guest,
	.object = object,
	.pass_signals = pass_signals,
	.open = open_file,
};

/* What guest threads left for the client. */
static void attend(struct debug *d)
{
	pthread_mutex_lock(&d->lock);
	bool exiting = d->exiting;
	struct thread *t = d->halted || exiting ? NULL : debug_reporter(d);
	pthread_mutex_unlock(&d->lock);
	if (exiting) {
		gdb_report(d->gdb, &d->exit);
		debug_end(d);
	} else if (t) {
		debug_halt(d);
		pthread_mutex_lock(&d->lock);
		t->debug.shown = true;
		struct gdb_stop stop = t->debug.report;
		pthread_mutex_unlock(&d->lock);
		gdb_report(d->gdb, &stop);
	}
}

/* Whether a program is being executed, in which another thread will serve this connection. */
static bool leaves(struct debug *d)
{
	pthread_mutex_lock(&d->lock);
	d->left = d->leaving && !d->halted;
	bool yes = d->left;
	if (yes)
		pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
	return yes;
}

static void *serve(void *arg)
{
	struct debug *d = arg;
	char buf[4096];
	u64 woken;
	while (!d->over && !leaves(d)) {
		struct pollfd p[2] = { { .fd = d->fd, .events = POLLIN },
				       { .fd = d->wake, .events = POLLIN } };
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents && read(d->wake, &woken, sizeof(woken)) < 0)
			continue;
		attend(d);
		if (!p[0].revents || d->over)
			continue;
		ssize_t n = recv(d->fd, buf, sizeof(buf), 0);
		if (n <= 0)
			debug_end(d);
		else
			gdb_input(d->gdb, buf, (size_t)n);
		attend(d); /* what had to wait while everything stood still */
	}
	if (d->over) {
		gdb_free(d->gdb);
		close(d->fd);
	}
	return NULL;
}

i64 debug_serve(struct debug *d)
{
	return start_host_thread(serve, d);
}

/* ---- waiting for the client ---- */
static struct err *listen_unix(const char *path, int *ret_fd)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(a.sun_path))
		return err_new(ERR_INVALID, "the socket's path is longer than %zu bytes",
			       sizeof(a.sun_path) - 1);
	strcpy(a.sun_path, path);
	*ret_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unlink(path); /* left by an earlier run */
	if (*ret_fd < 0 || bind(*ret_fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(*ret_fd, 1) < 0)
		return err_errno(errno, "cannot listen");
	return NULL;
}

/* "PORT" on every address, or "ADDRESS:PORT" (IPv4 in digits, or localhost). */
static struct err *listen_tcp(const char *where, int *ret_fd)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	const char *colon = strrchr(where, ':');
	char host[64] = "0.0.0.0", *end;
	if (colon)
		snprintf(host, sizeof(host), "%.*s", (int)(colon - where), where);
	unsigned long port = strtoul(colon ? colon + 1 : where, &end, 10);
	if (*end || !port || port > 65535 ||
	    inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &a.sin_addr) != 1)
		return err_new(ERR_INVALID, "want PORT, ADDRESS:PORT or unix:PATH");
	a.sin_port = htons((u16)port);
	const int on = 1;
	*ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(*ret_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (*ret_fd < 0 || bind(*ret_fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(*ret_fd, 1) < 0)
		return err_errno(errno, "cannot listen");
	return NULL;
}

static struct err *wait_for_client(const char *where, int *ret_fd)
{
	const char *path = strncmp(where, "unix:", 5) == 0 ? where + 5 : strchr(where, '/') ? where : NULL;
	const int on = 1;
	int fd = -1;
	struct err *e = path ? listen_unix(path, &fd) : listen_tcp(where, &fd);
	if (!e) {
		do
			*ret_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		while (*ret_fd < 0 && errno == EINTR);
		if (*ret_fd < 0)
			e = err_errno(errno, "cannot accept gdb");
	}
	if (fd >= 0)
		close(fd);
	if (e)
		return err_in(e, "-g %s", where);
	setsockopt(*ret_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	*ret_fd = move_high(*ret_fd);
	return NULL;
}

/* The client's connection and what is agreed on it: a new one at where, or that of the program which executed this one. */
static struct err *connect_client(struct debug *d, const struct linux_options *o)
{
	unsigned long long pass;
	int at = 0;
	if (!o->gdb_session)
		return wait_for_client(o->gdb, &d->fd);
	if (sscanf(o->gdb_session, "%d %llx %n", &d->fd, &pass, &at) != 2 || !at ||
	    !gdb_restore(d->gdb, o->gdb_session + at))
		return err_new(ERR_CORRUPT, "damaged state of the debugger's connection");
	d->pass = pass;
	fcntl(d->fd, F_SETFD, FD_CLOEXEC);
	return NULL;
}

struct err *debug_begin(struct thread *t)
{
	struct vm *vm = t->vm;
	struct debug *d = alloc(sizeof(*d));
	d->vm = vm;
	d->gdb = gdb_new(&ops, d, vm->abi->guest, vm->model, (u64)getpid());
	struct err *e = connect_client(d, vm->opt);
	if (e) {
		gdb_free(d->gdb);
		free(d);
		return e;
	}
	d->wake = move_high(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	d->mem = move_high(open("/proc/self/mem", O_RDWR | O_CLOEXEC));
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->changed, NULL);
	d->halted = true;
	gdb_report(d->gdb, &(struct gdb_stop){ .why = vm->opt->gdb_session ? GDB_EXEC : GDB_SIGNAL,
					       .thread = (u64)t->tid,
					       .value = SIGTRAP,
					       .path = vm->exe });
	u64 mask = signal_block_all();
	i64 err = debug_serve(d);
	signal_host_mask(mask);
	if (d->wake < 0 || err)
		return err_errno(d->wake < 0 ? EMFILE : (int)-err, "-g: cannot start a thread for gdb");
	vm->debug = d;
	return NULL;
}
