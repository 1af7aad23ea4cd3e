/* Linux native AIO, by libaio: a context a file, its ends told through an eventfd. Asynchronous with O_DIRECT only. */
//needs: aio
#include "block/transport/aio.h"
#include "base/coroutine.h"
#include "base/loop/loop.h"
#include <errno.h>
#include <libaio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { DEPTH = 128 };

struct context {
	struct aio aio;
	io_context_t ctx;
	int event;
	struct loop_fd *watch;
	unsigned in_flight;
	struct co_wait room;
};

struct op {
	struct iocb cb;
	struct co_wait wait;
	ssize_t result;
	bool done;
};

static void ready(void *arg, u32 events UNUSED)
{
	struct context *s = arg;
	struct io_event ev[DEPTH];
	struct timespec now = { 0 };
	u64 count;
	if (read(s->event, &count, sizeof(count)) < 0)
		return;
	int n = io_getevents(s->ctx, 0, LEN(ev), ev, &now);
	/* All marked first: whoever is woken may end the wait of another, or free itself. */
	for (int i = 0; i < n; i++) {
		struct op *op = ev[i].data;
		op->result = (ssize_t)ev[i].res;
		s->in_flight--;
	}
	for (int i = 0; i < n; i++) {
		struct op *op = ev[i].data;
		op->done = true;
		co_wake(&op->wait);
		co_wake(&s->room);
	}
}

static ssize_t rw(struct aio *aio, int fd, bool write, const struct iovec *v, unsigned n, u64 offset, int how)
{
	struct context *s = (struct context *)aio;
	struct op op = { 0 };
	struct iocb *list[] = { &op.cb };
	while (s->in_flight >= DEPTH)
		co_wait(&s->room);
	if (write)
		io_prep_pwritev(&op.cb, fd, v, n, offset);
	else
		io_prep_preadv(&op.cb, fd, v, n, offset);
	io_set_eventfd(&op.cb, s->event);
	op.cb.aio_rw_flags = how;
	op.cb.data = &op;
	s->in_flight++;
	int r;
	while ((r = io_submit(s->ctx, 1, list)) == -EAGAIN || r == -EINTR)
		co_sleep(100000);
	if (r < 0) {
		s->in_flight--;
		return r;
	}
	while (!op.done)
		co_wait(&op.wait);
	return op.result;
}

static void close_context(struct aio *aio)
{
	struct context *s = (struct context *)aio;
	loop_unwatch(s->watch);
	io_destroy(s->ctx);
	close(s->event);
	free(s);
}

int aio_native_new(struct aio **ret)
{
	struct context *s = alloc(sizeof(*s));
	s->aio = (struct aio){ rw, NULL, close_context };
	s->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int r = s->event < 0 ? -errno : io_setup(DEPTH, &s->ctx);
	if (r < 0) {
		if (s->event >= 0)
			close(s->event);
		free(s);
		return r;
	}
	s->watch = loop_watch(loop_here(), s->event, EPOLLIN, ready, s);
	*ret = &s->aio;
	return 0;
}
