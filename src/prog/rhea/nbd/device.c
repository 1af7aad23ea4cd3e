/*
 * The kernel's NBD client, /dev/nbdN: a socket pair, one end of which the kernel keeps.
 *
 * Specification  linux/nbd.h (ioctl interface).
 */
#include "prog/rhea/nbd/nbd.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/nbd.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct nbd_device {
	int fd, kernel_end;
	pthread_t thread; /* stays in the kernel while the device is connected */
};

enum { SECTOR = 512 };

static void *stay(void *arg)
{
	struct nbd_device *d = arg;
	ioctl(d->fd, NBD_DO_IT);
	/* Ends our end, which the server notices. */
	shutdown(d->kernel_end, SHUT_RDWR);
	return NULL;
}

static struct err *set_up(struct nbd_device *d, const struct nbd_export *x)
{
	int read_only = x->read_only;
	if (x->size / SECTOR != (unsigned long)(x->size / SECTOR))
		return err_new(ERR_INVALID, "The disk is too large for this kernel");
	/* A connection left behind by a program that was killed. */
	ioctl(d->fd, NBD_CLEAR_SOCK);
	if (ioctl(d->fd, NBD_SET_SOCK, (unsigned long)d->kernel_end))
		return errno == EBUSY ? err_errno(errno, "Failed to set NBD socket: the device is in use")
				      : err_errno(errno, "Failed to set NBD socket");
	if (ioctl(d->fd, NBD_SET_BLKSIZE, (unsigned long)SECTOR))
		return err_errno(errno, "Failed setting NBD block size");
	if (ioctl(d->fd, NBD_SET_SIZE_BLOCKS, (unsigned long)(x->size / SECTOR)))
		return err_errno(errno, "Failed setting size (in blocks)");
	if (ioctl(d->fd, NBD_SET_FLAGS, (unsigned long)nbd_export_flags(x, false)) && errno != ENOTTY)
		return err_errno(errno, "Failed setting flags");
	if (ioctl(d->fd, BLKROSET, &read_only))
		return err_errno(errno, "Setting read-only attribute failed");
	return NULL;
}

struct err *nbd_device_connect(const char *path, const struct nbd_export *x, struct nbd_device **ret,
			       int *ret_fd)
{
	int pair[2];
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return err_errno(errno, "Failed to open %s", path);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		close(fd);
		return err_errno(errno, "Failed to make a socket pair");
	}
	struct nbd_device *d = alloc(sizeof(*d));
	*d = (struct nbd_device){ .fd = fd, .kernel_end = pair[0] };
	struct err *e = set_up(d, x);
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (!e && pthread_create(&d->thread, NULL, stay, d))
		e = err_new(ERR_BUSY, "Failed to start a thread");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (e) {
		ioctl(fd, NBD_CLEAR_SOCK);
		close(fd);
		close(pair[0]);
		close(pair[1]);
		free(d);
		return e;
	}
	*ret = d;
	*ret_fd = pair[1];
	return NULL;
}

void nbd_device_end(struct nbd_device *d)
{
	ioctl(d->fd, NBD_DISCONNECT);
	pthread_join(d->thread, NULL);
	ioctl(d->fd, NBD_CLEAR_QUE);
	ioctl(d->fd, NBD_CLEAR_SOCK);
	close(d->kernel_end);
	close(d->fd);
	free(d);
}

struct err *nbd_device_disconnect(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return err_errno(errno, "Cannot open %s", path);
	int r = ioctl(fd, NBD_CLEAR_QUE) | ioctl(fd, NBD_DISCONNECT) | ioctl(fd, NBD_CLEAR_SOCK) ? -errno : 0;
	close(fd);
	return r ? err_errno(-r, "%s is not a connected NBD device", path) : NULL;
}
