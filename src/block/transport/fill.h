/*
 * New pages of files on a tmpfs, copied into the page cache past the inode's lock: write(2) lets in one thread at a time, and most of its time are the pages.
 * Follows userfaultfd(2), ioctl_userfaultfd(2) (UFFDIO_COPY; shmem since Linux 4.11, UFFD_USER_MODE_ONLY since 5.11).
 */
#pragma once
#include "base/base.h"
#include <stddef.h>

enum { FILL_UNIT = 4096 }; /* of offsets and lengths, at least the host's page */

/* A descriptor for fill_pages; -1: the file is on no tmpfs, or the host does not let us. The caller closes it. */
int fill_open(int fd);
/*
 * Copies len bytes to offset, both multiples of FILL_UNIT, where the file, opened for reading and writing, has a hole and does not end before. 0, or -EAGAIN: it is to be
 * written in the ordinary way, some of it may have been copied. Any thread; several at a time gain. The file's times stay.
 */
int fill_pages(int filler, int fd, u64 offset, const void *buf, size_t len);
