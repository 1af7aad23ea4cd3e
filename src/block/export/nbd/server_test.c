#include "block/export/nbd/server.c"
#include "base/test.h"
#include "block/dirty.h"
#include <fcntl.h>
#include <stdio.h>

enum { DISK = 1 << 20 };

/* A server with one export of a temporary file, and the other end of a client's connection. */
struct bench {
	struct blk_graph *graph;
	struct blk_node *node;
	struct nbd_server server;
	char path[64];
};

static void set_up(struct bench *b)
{
	*b = (struct bench){ .graph = blk_graph_new() };
	snprintf(b->path, sizeof(b->path), "/tmp/rhea-nbd-%d-XXXXXX", getpid());
	int fd = mkstemp(b->path);
	CHECK(fd >= 0 && ftruncate(fd, DISK) == 0 && pwrite(fd, "rhea", 4, 4096) == 4);
	close(fd);
	struct err *e = blk_open(b->graph, b->path, "raw", NULL, BLK_RDWR | BLK_UNMAP, &b->node);
	CHECK(!e);
	struct nbd_export *x = nbd_export_new(&b->server, "x", b->node);
	x->allocation_depth = true;
	x->description = str_dup("a disk");
	x->bitmaps = alloc(sizeof(*x->bitmaps));
	x->n_bitmaps = 1;
	e = blk_dirty_new(b->node, "b", 65536, x->bitmaps);
	CHECK(!e);
}

static void tear_down(struct bench *b)
{
	nbd_server_stop(&b->server);
	nbd_export_free(&b->server, b->server.exports);
	blk_unref(b->node);
	blk_graph_free(b->graph);
	unlink(b->path);
}

struct text {
	u8 b[4096];
	size_t n;
};

static void add(struct text *t, const void *p, size_t n)
{
	if (n)
		memcpy(t->b + t->n, p, n);
	t->n += n;
}

static void add_option(struct text *t, u32 opt, const void *data, u32 len)
{
	u8 h[16];
	st_be64(h, NBD_OPT_MAGIC);
	st_be32(h + 8, opt);
	st_be32(h + 12, len);
	add(t, h, 16);
	add(t, data, len);
}

static void add_command(struct text *t, u16 type, u16 flags, u64 offset, u32 len)
{
	static const u8 data[512] = "data";
	u8 h[28];
	st_be32(h, NBD_REQUEST_MAGIC);
	st_be16(h + 4, flags);
	st_be16(h + 6, type);
	st_be64(h + 8, t->n);
	st_be64(h + 16, offset);
	st_be32(h + 24, len);
	add(t, h, 28);
	if (type == NBD_CMD_WRITE)
		add(t, data, len);
}

/* All that a well-behaved client may say. */
static void whole_session(struct text *t)
{
	static const u8 meta[] = "\0\0\0\1x\0\0\0\3\0\0\0\17base:allocation\0\0\0\25qemu:allocation-depth"
				 "\0\0\0\23qemu:dirty-bitmap:b",
			list[] = "\0\0\0\1x\0\0\0\1\0\0\0\5qemu:", go[] = "\0\0\0\1x\0\3\0\1\0\2\0\3";
	t->n = 0;
	add(t, "\0\0\0\3", 4);
	add_option(t, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
	add_option(t, NBD_OPT_LIST, NULL, 0);
	add_option(t, NBD_OPT_STARTTLS, NULL, 0);
	add_option(t, NBD_OPT_LIST_META, list, sizeof(list) - 1);
	add_option(t, NBD_OPT_SET_META, meta, sizeof(meta) - 1);
	add_option(t, NBD_OPT_INFO, go, sizeof(go) - 1);
	add_option(t, NBD_OPT_GO, go, sizeof(go) - 1);
	add_command(t, NBD_CMD_WRITE, NBD_FLAG_FUA, 8192, 512);
	add_command(t, NBD_CMD_READ, 0, 4096, 65536);
	add_command(t, NBD_CMD_READ, NBD_FLAG_DF, 4096, 512);
	add_command(t, NBD_CMD_BLOCK_STATUS, 0, 0, DISK);
	add_command(t, NBD_CMD_BLOCK_STATUS, NBD_FLAG_REQ_ONE, 4096, 65536);
	add_command(t, NBD_CMD_WRITE_ZEROES, NBD_FLAG_NO_HOLE, 16384, 4096);
	add_command(t, NBD_CMD_TRIM, 0, 32768, 4096);
	add_command(t, NBD_CMD_CACHE, 0, 0, 65536);
	add_command(t, NBD_CMD_FLUSH, 0, 0, 0);
	add_command(t, NBD_CMD_READ, 0, DISK, 512);
	add_command(t, NBD_CMD_DISC, 0, 0, 0);
}

static size_t drain(int fd, u8 *out, size_t room, size_t at)
{
	u8 buf[65536];
	size_t got = 0;
	for (ssize_t n; (n = recv(fd, buf, sizeof(buf), 0)) > 0; got += n)
		if (at + got < room)
			memcpy(out + at + got, buf, MIN((size_t)n, room - at - got));
	return got;
}

/* Says it all, hears the answers out, and gives their number of bytes; out holds the first of them. */
static size_t converse(struct bench *b, const struct text *t, u8 *out, size_t room)
{
	int pair[2];
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	client_new(&b->server, pair[0], NULL);
	size_t sent = 0, got = 0;
	i64 until = loop_now() + 5000000000;
	bool closed = false;
	while (b->server.clients && loop_now() < until) {
		ssize_t n = sent < t->n ? send(pair[1], t->b + sent, t->n - sent, MSG_NOSIGNAL) : 0;
		sent += n > 0 ? n : 0;
		if (sent == t->n && !closed)
			closed = shutdown(pair[1], SHUT_WR) == 0;
		got += drain(pair[1], out, room, got);
		loop_run_once(loop_here(), false);
	}
	CHECK_EQ(b->server.clients, 0);
	got += drain(pair[1], out, room, got);
	close(pair[1]);
	return got;
}

/* Counts how often a 32-bit number stands in the answers. */
static unsigned count(const u8 *p, size_t n, u32 value)
{
	unsigned c = 0;
	for (size_t i = 0; i + 4 <= n; i++)
		c += ld_be32(p + i) == value;
	return c;
}

TEST(nbd_server, a_whole_session_is_answered)
{
	struct bench b;
	struct text t;
	static u8 out[1 << 20];
	set_up(&b);
	whole_session(&t);
	size_t n = converse(&b, &t, out, sizeof(out));
	CHECK(n > 65536 / 16);
	CHECK_EQ(ld_be64(out), NBD_MAGIC);
	/* read in pieces 2 or 3, read whole, status 2 times 3, write, zeroes, trim, cache, flush, an error. */
	unsigned chunks = count(out, n, NBD_CHUNK_MAGIC);
	CHECK(chunks >= 14 && chunks <= 16);
	CHECK_EQ(count(out, n, 0x72686561), 2); /* "rhea", as both reads saw it */
	char word[4];
	CHECK_EQ(blk_pread(b.node, 8192, word, 4), 0);
	CHECK(memcmp(word, "data", 4) == 0);
	tear_down(&b);
}

TEST(nbd_server, without_the_export_nothing_is_served)
{
	struct bench b;
	struct text t = { .n = 0 };
	u8 out[4096];
	set_up(&b);
	add(&t, "\0\0\0\3", 4);
	add_option(&t, NBD_OPT_GO, "\0\0\0\1y\0\0", 7);
	add_command(&t, NBD_CMD_READ, 0, 0, 512);
	size_t n = converse(&b, &t, out, sizeof(out));
	CHECK(n > 38 && n < 200);
	CHECK_EQ(ld_be32(out + 18 + 12), NBD_REP_ERR(NBD_ERR_UNKNOWN));
	tear_down(&b);
}

TEST(nbd_server, a_read_only_export_takes_no_writes)
{
	struct bench b;
	struct text t = { .n = 0 };
	u8 out[4096], now[512];
	set_up(&b);
	b.server.exports->read_only = true;
	add(&t, "\0\0\0\3", 4);
	add_option(&t, NBD_OPT_EXPORT_NAME, "x", 1);
	add_command(&t, NBD_CMD_WRITE, 0, 8192, 512);
	add_command(&t, NBD_CMD_WRITE_ZEROES, 0, 4096, 512);
	add_command(&t, NBD_CMD_TRIM, 0, 4096, 512);
	size_t n = converse(&b, &t, out, sizeof(out));
	CHECK_EQ(n, 18 + 10 + 3 * 16);
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(ld_be32(out + 28 + i * 16 + 4), 1); /* EPERM */
	CHECK_EQ(blk_pread(b.node, 4096, now, 512), 0);
	CHECK(memcmp(now, "rhea", 4) == 0);
	tear_down(&b);
}

static u32 next(u32 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	return *seed ^= *seed << 5;
}

TEST(nbd_server, broken_sessions_break_nothing_else)
{
	static const u32 odd[] = {
		0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x02000000, 0x02000001, 0x10000
	};
	struct bench b;
	struct text good, t;
	u8 out[64];
	u32 seed = 0x5eed;
	set_up(&b);
	whole_session(&good);
	for (unsigned i = 0; i < 1500; i++) {
		t = good;
		for (unsigned k = next(&seed) % 4; k < 4; k++) {
			size_t at = next(&seed) % (t.n - 4);
			switch (next(&seed) % 4) {
			case 0:
				t.b[at] = next(&seed);
				break;
			case 1:
				st_be32(t.b + at, odd[next(&seed) % LEN(odd)]);
				break;
			case 2: /* a piece is lost */
				memmove(t.b + at, t.b + at + 4, t.n - at - 4);
				t.n -= 4;
				break;
			case 3:
				t.n = MAX(at, (size_t)16);
				break;
			}
		}
		converse(&b, &t, out, sizeof(out));
	}
	CHECK(converse(&b, &good, out, sizeof(out)) > 4096);
	tear_down(&b);
}
