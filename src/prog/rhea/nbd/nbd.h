/* rhea nbd: what its files share. */
#pragma once
#include "block/blk.h"
#include "block/export/nbd.h"
#include <stdio.h>

void nbd_error(const char *fmt, ...) PRINTF(1, 2);
/* Prints the text behind front, the remedy, and frees e. */
void nbd_report(struct err *e, const char *front);

/* ---- list.c ---- */
struct nbd_target;
/* Prints what a server exports. Gives the exit status. */
int nbd_print_list(const struct nbd_target *t);

/* ---- device.c: the kernel's client ---- */
struct nbd_device;
/* Opens the device and gives it a connection; *ret_fd: our end of it, to be served without negotiation. */
struct err *nbd_device_connect(const char *path, const struct nbd_export *x, struct nbd_device **ret,
			       int *ret_fd) MUST_CHECK;
/* Ends the connection and waits until the kernel has let go. */
void nbd_device_end(struct nbd_device *d);
struct err *nbd_device_disconnect(const char *path) MUST_CHECK;
