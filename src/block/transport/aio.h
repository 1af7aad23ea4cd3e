/*
 * Requests that the kernel carries out by itself, for host files: io_uring, or Linux native AIO. One library a file.
 *
 * A context belongs to the thread whose loop was there when it was made; calls wait for their own end, in a coroutine
 * without holding up the loop.
 */
#pragma once
#include "base/base.h"
#include <sys/uio.h>

struct aio {
	/* Bytes moved, or a negative errno. The list must stay until the call returns. how: RWF_DSYNC or 0. */
	ssize_t (*rw)(struct aio *aio, int fd, bool write, const struct iovec *v, unsigned n, u64 offset,
		      int how);
	/* fdatasync: 0 or a negative errno. NULL: the kernel has none in this form. */
	int (*sync)(struct aio *aio, int fd);
	/* Nothing is in flight any more. */
	void (*close)(struct aio *aio);
};

/* 0, or the negative errno with which the kernel refuses. */
int aio_uring_new(struct aio **ret) MUST_CHECK;
int aio_native_new(struct aio **ret) MUST_CHECK;
