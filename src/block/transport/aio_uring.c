/* io_uring, by liburing: a ring a file, its descriptor watched by the loop. */
//needs: uring
#include "block/transport/aio.h"
#include "base/coroutine.h"
#include "base/loop/loop.h"
#include <errno.h>
#include <liburing.h>
#include <sys/epoll.h>

enum { DEPTH = 128 };

struct ring {
	struct aio aio;
	struct io_uring uring;
	struct loop_fd *watch;
	unsigned in_flight;
	struct co_wait room;
};

struct op {
	struct co_wait wait;
	int result;
	bool done;
};

static void reap(struct ring *s)
{
	struct io_uring_cqe *cqe;
	while (io_uring_peek_cqe(&s->uring, &cqe) == 0) {
		struct op *op = io_uring_cqe_get_data(cqe);
		op->result = cqe->res;
		op->done = true;
		io_uring_cqe_seen(&s->uring, cqe);
		s->in_flight--;
		co_wake(&op->wait);
		co_wake(&s->room);
	}
}

static void ready(void *arg, u32 events UNUSED)
{
	reap(arg);
}

/* A free entry: no more are in flight than the completions have room for. */
static struct io_uring_sqe *entry(struct ring *s)
{
	struct io_uring_sqe *sqe;
	while (s->in_flight >= DEPTH || !(sqe = io_uring_get_sqe(&s->uring)))
		co_wait(&s->room);
	s->in_flight++;
	return sqe;
}

/* The ring is this thread's alone: others may go on while the kernel copies. */
static int let_submit(struct ring *s)
{
	loop_let();
	int r = io_uring_submit(&s->uring);
	loop_retake();
	return r;
}

static int submit(struct ring *s, struct io_uring_sqe *sqe)
{
	struct op op = { 0 };
	io_uring_sqe_set_data(sqe, &op);
	/* The kernel is short of something for the moment: what is in flight must end first. */
	while (let_submit(s) < 0) {
		reap(s);
		if (!op.done)
			co_sleep(100000);
	}
	reap(s); /* what the page cache holds is there already */
	while (!op.done)
		co_wait(&op.wait);
	return op.result;
}

static ssize_t rw(struct aio *aio, int fd, bool write, const struct iovec *v, unsigned n, u64 offset, int how)
{
	struct ring *s = (struct ring *)aio;
	struct io_uring_sqe *sqe = entry(s);
	if (write)
		io_uring_prep_writev(sqe, fd, v, n, offset);
	else
		io_uring_prep_readv(sqe, fd, v, n, offset);
	sqe->rw_flags = how;
	return submit(s, sqe);
}

static int sync_data(struct aio *aio, int fd)
{
	struct ring *s = (struct ring *)aio;
	struct io_uring_sqe *sqe = entry(s);
	io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
	return submit(s, sqe);
}

static void close_ring(struct aio *aio)
{
	struct ring *s = (struct ring *)aio;
	loop_unwatch(s->watch);
	io_uring_queue_exit(&s->uring);
	free(s);
}

int aio_uring_new(struct aio **ret)
{
	struct ring *s = alloc(sizeof(*s));
	int r = io_uring_queue_init(DEPTH, &s->uring, 0);
	if (r < 0) {
		free(s);
		return r;
	}
	s->aio = (struct aio){ rw, sync_data, close_ring };
	s->watch = loop_watch(loop_here(), s->uring.ring_fd, EPOLLIN, ready, s);
	*ret = &s->aio;
	return 0;
}
