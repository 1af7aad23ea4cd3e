#include "block/transport/fill.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

int fill_open(int fd)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct statfs fs;
	if (fstatfs(fd, &fs) || fs.f_type != TMPFS_MAGIC || getpagesize() != FILL_UNIT)
		return -1;
	int filler = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	if (filler >= 0 && ioctl(filler, UFFDIO_API, &api)) {
		close(filler);
		return -1;
	}
	return filler;
}

/* Into a mapping of the file that nobody looks at. */
static int copy(int filler, void *window, const void *buf, size_t len)
{
	struct uffdio_register all = { .range = { (uintptr_t)window, len },
				       .mode = UFFDIO_REGISTER_MODE_MISSING };
	if (ioctl(filler, UFFDIO_REGISTER, &all))
		return -EAGAIN;
	for (size_t done = 0; done < len;) {
		struct uffdio_copy part = { .dst = (uintptr_t)window + done,
					    .src = (uintptr_t)buf + done,
					    .len = len - done,
					    .mode = UFFDIO_COPY_MODE_DONTWAKE };
		bool failed = ioctl(filler, UFFDIO_COPY, &part) < 0;
		if (failed &&
		    (errno != EAGAIN || part.copy <= 0)) /* a page is there, the file ends, no room */
			return -EAGAIN;
		done += part.copy;
	}
	return 0;
}

int fill_pages(int filler, int fd, u64 offset, const void *buf, size_t len)
{
	void *window = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	if (window == MAP_FAILED)
		return -EAGAIN;
	int r = copy(filler, window, buf, len);
	munmap(window, len);
	return r;
}
