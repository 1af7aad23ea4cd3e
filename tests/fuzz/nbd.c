/*
 * Fuzz target of the NBD server and client.
 *
 * Input  byte 0: 0 the rest is what a client says to the server, up to its end; else it is what a server says to the client,
 *        which maps, reads, writes and flushes.
 */
#include "base/coroutine.h"
#include "base/loop/loop.h"
#include "base/sock.h"
#include "block/export/nbd.h"
#include "block/export/nbd/client.h"
#include "block/format/testmem.h"
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

BLK_DRIVER(testmem) = TESTMEM_DRIVER;

enum { DISK = 1 << 20 };

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

/* ---- the server ---- */

static void drain(int fd)
{
	u8 buf[65536];
	while (recv(fd, buf, sizeof(buf), 0) > 0)
		;
}

static void to_server(const u8 *p, size_t len)
{
	struct blk_graph *g = blk_graph_new();
	struct nbd_server s = { 0 };
	struct blk_node *node;
	struct json *opts = json_dict();
	int pair[2];
	json_set(opts, "size", json_strf("%d", DISK));
	struct err *e = blk_create_image(g, "testmem:disk", "raw", opts);
	if (!e)
		e = blk_open(g, "testmem:disk", "raw", NULL, BLK_RDWR | BLK_UNMAP, &node);
	if (e || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair))
		abort();
	struct nbd_export *x = nbd_export_new(&s, "x", node);
	x->allocation_depth = true;
	x->bitmaps = alloc(sizeof(*x->bitmaps));
	x->n_bitmaps = 1;
	if ((e = blk_dirty_new(node, "b", 65536, x->bitmaps)))
		abort();
	nbd_server_attach(&s, pair[0], NULL);
	size_t sent = 0;
	while (s.clients) {
		ssize_t n = sent < len ? send(pair[1], p + sent, len - sent, MSG_NOSIGNAL) : 0;
		sent += n > 0 ? n : 0;
		if (sent == len)
			shutdown(pair[1], SHUT_WR);
		drain(pair[1]);
		loop_run_once(loop_here(), false);
	}
	close(pair[1]);
	nbd_server_stop(&s);
	nbd_export_free(&s, x);
	blk_unref(node);
	blk_graph_free(g);
}

/* ---- the client ---- */

struct actor {
	const u8 *p;
	size_t len;
	int listen;
	char path[64];
	bool done;
};

static void act(void *arg)
{
	struct actor *a = arg;
	struct chan c;
	int fd = sock_accept(a->listen);
	close(a->listen);
	if (fd < 0)
		abort();
	chan_init(&c, fd);
	/* Pieces, so that replies come behind their requests now and then. */
	for (size_t at = 0, n; at < a->len; at += n) {
		n = MIN(a->len - at, at ? (size_t)64 : a->len / 2 + 1);
		if (chan_write(&c, a->p + at, n, (struct iovs){ 0 }))
			break;
		co_sleep(10000);
	}
	shutdown(fd, SHUT_WR);
	u8 rest;
	while (chan_read(&c, &rest, 1) == 0)
		;
	chan_close(&c);
	a->done = true;
}

static void use(void *arg)
{
	struct actor *a = arg;
	static u8 buf[4096];
	struct blk_graph *g = blk_graph_new();
	struct blk_node *n;
	AUTO(free_ptr) char *name = strf("nbd+unix://?socket=%s", a->path);
	struct err *e = blk_open(g, name, "nbd", NULL, BLK_RDWR, &n);
	if (!e) {
		struct blk_extent x;
		int r = blk_map(n, 0, MAX(blk_size(n), 1ull), &x);
		r |= blk_pread(n, 0, buf, sizeof(buf));
		r |= blk_pwrite(n, 0, buf, 512);
		r |= blk_flush(n);
		(void)r;
		blk_unref(n);
	}
	err_free(e);
	blk_graph_free(g);
}

static void to_client(const u8 *p, size_t len)
{
	struct actor a = { .p = p, .len = len };
	struct sock_addr addr = { .path = a.path };
	snprintf(a.path, sizeof(a.path), "/tmp/rhea-fuzz-nbd-%d", getpid());
	struct err *e = sock_listen(&addr, 1, &a.listen);
	if (e)
		abort();
	co_enter(co_new(act, &a));
	co_run(use, &a);
	while (!a.done)
		loop_run_once(loop_here(), true);
	unlink(a.path);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	if (len < 2)
		return 0;
	if (data[0])
		to_client(data + 1, len - 1);
	else
		to_server(data + 1, len - 1);
	return 0;
}
