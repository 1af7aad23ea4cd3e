#include "block/transport/nbd/nbd.c"
#include "base/test.h"
#include <sys/socket.h>
#include <unistd.h>

enum { SIZE = 1 << 20 };

struct text {
	u8 b[8192];
	size_t n, cut[8]; /* cut: a new request is waited for before the bytes from there on */
	unsigned cuts;
};

/* A server that says what it was told to, whatever it hears. */
struct actor {
	struct text says;
	char path[64];
	int fd;
	i64 patience; /* nanoseconds */
	bool done;
	struct co_wait end;
};

static void add(struct text *t, const void *p, size_t n)
{
	if (n)
		memcpy(t->b + t->n, p, n);
	t->n += n;
}

static void add_reply(struct text *t, u32 opt, u32 type, const void *data, u32 len)
{
	u8 h[20];
	st_be64(h, NBD_REP_MAGIC);
	st_be32(h + 8, opt);
	st_be32(h + 12, type);
	st_be32(h + 16, len);
	add(t, h, 20);
	add(t, data, len);
}

/* request: which one of the session is answered, from 1. */
static void add_chunk(struct text *t, u32 request, u16 flags, u16 type, const void *head, u32 head_len,
		      u32 fill)
{
	u8 h[20], zeros[4096] = { 0 };
	st_be32(h, NBD_CHUNK_MAGIC);
	st_be16(h + 4, flags);
	st_be16(h + 6, type);
	st_be64(h + 8, (u64)request << 32);
	st_be32(h + 16, head_len + fill);
	add(t, h, 20);
	add(t, head, head_len);
	add(t, zeros, fill);
}

/* Negotiation, then answers to a map, a read, a write and a flush. */
static void whole_session(struct text *t)
{
	u8 size[12] = { 0, NBD_INFO_EXPORT }, status[12] = { 0 }, data[8] = { 0 }, hole[12] = { 0 };
	static const u8 blocks[] = { 0, NBD_INFO_BLOCK_SIZE, 0, 0, 0, 1, 0, 0, 16, 0, 2, 0, 0, 0 };
	t->n = 0;
	add(t, "NBDMAGICIHAVEOPT\0\3", 18);
	add_reply(t, NBD_OPT_STRUCTURED_REPLY, NBD_REP_ACK, NULL, 0);
	add_reply(t, NBD_OPT_SET_META, NBD_REP_META, "\0\0\0\7base:allocation", 19);
	add_reply(t, NBD_OPT_SET_META, NBD_REP_ACK, NULL, 0);
	st_be64(size + 2, SIZE);
	st_be16(size + 10, NBD_HAS_FLAGS | NBD_SEND_FLUSH | NBD_SEND_DF);
	add_reply(t, NBD_OPT_GO, NBD_REP_INFO, blocks, sizeof(blocks));
	add_reply(t, NBD_OPT_GO, NBD_REP_INFO, size, sizeof(size));
	add_reply(t, NBD_OPT_GO, NBD_REP_ACK, NULL, 0);
	st_be32(status, 7);
	st_be32(status + 4, 65536);
	st_be32(status + 8, NBD_STATE_ZERO | NBD_STATE_HOLE);
	t->cuts = 0;
	t->cut[t->cuts++] = t->n;
	add_chunk(t, 1, NBD_CHUNK_DONE, NBD_CHUNK_STATUS, status, 12, 0);
	t->cut[t->cuts++] = t->n;
	add_chunk(t, 2, 0, NBD_CHUNK_DATA, data, 8, 2048);
	st_be64(hole, 2048);
	st_be32(hole + 8, 2048);
	add_chunk(t, 2, 0, NBD_CHUNK_HOLE, hole, 12, 0);
	add_chunk(t, 2, NBD_CHUNK_DONE, NBD_CHUNK_NONE, NULL, 0, 0);
	t->cut[t->cuts++] = t->n;
	add_chunk(t, 3, NBD_CHUNK_DONE, NBD_CHUNK_ERROR, "\0\0\0\34\0\0", 6, 0);
	t->cut[t->cuts++] = t->n;
	add_chunk(t, 4, NBD_CHUNK_DONE, NBD_CHUNK_NONE, NULL, 0, 0);
}

/* Until the client has chosen: then requests follow. */
static bool hear_options(struct chan *c)
{
	u8 h[16];
	if (chan_read(c, h, 4))
		return false;
	do {
		if (chan_read(c, h, 16) || chan_skip(c, ld_be32(h + 12)))
			return false;
	} while (ld_be32(h + 8) != NBD_OPT_GO && ld_be32(h + 8) != NBD_OPT_EXPORT_NAME);
	return true;
}

static bool hear_request(struct chan *c)
{
	u8 h[28];
	return !chan_read(c, h, 28) && (ld_be16(h + 6) != NBD_CMD_WRITE || !chan_skip(c, ld_be32(h + 24)));
}

struct patience {
	struct chan *chan;
	struct loop_timer *timer;
};

static void lose_patience(void *arg)
{
	struct patience *p = arg;
	p->timer = NULL;
	chan_shut(p->chan);
}

static void act(void *arg)
{
	struct actor *a = arg;
	struct text *t = &a->says;
	int fd = sock_accept(a->fd);
	CHECK(fd >= 0);
	close(a->fd); /* nobody comes back */
	struct chan c;
	chan_init(&c, fd);
	/* A lie about a length has both sides wait. */
	struct patience p = { .chan = &c };
	p.timer = loop_timer(loop_here(), loop_now() + a->patience, lose_patience, &p);
	size_t at = 0;
	bool on = true;
	for (unsigned i = 0; on; i++) {
		size_t to = i < t->cuts ? MIN(t->cut[i], t->n) : t->n;
		on = chan_write(&c, t->b + at, to - at, (struct iovs){ 0 }) == 0 && to < t->n &&
		     (i ? hear_request(&c) : hear_options(&c) && hear_request(&c));
		at = to;
	}
	shutdown(fd, SHUT_WR);
	u8 rest;
	while (chan_read(&c, &rest, 1) == 0)
		;
	if (p.timer)
		loop_timer_cancel(p.timer);
	chan_close(&c);
	a->done = true;
	co_wake_all(&a->end);
}

struct outcome {
	struct actor *actor;
	bool opened;
	int map, read, write, flush;
	struct blk_extent extent;
	u8 data[4096];
};

static void use(void *arg)
{
	struct outcome *o = arg;
	struct blk_graph *g = blk_graph_new();
	struct blk_node *n;
	AUTO(free_ptr) char *name = strf("nbd+unix://?socket=%s", o->actor->path);
	struct err *e = blk_open(g, name, "nbd", NULL, BLK_RDWR, &n);
	o->opened = !e;
	if (!e) {
		o->map = blk_map(n, 0, SIZE, &o->extent);
		o->read = blk_pread(n, 0, o->data, sizeof(o->data));
		o->write = blk_pwrite(n, 0, o->data, 512);
		o->flush = blk_flush(n);
		blk_unref(n);
	}
	err_free(e);
	blk_graph_free(g);
	while (!o->actor->done)
		co_wait(&o->actor->end);
}

static void play(struct actor *a, struct outcome *o)
{
	struct sock_addr addr = { .path = a->path };
	snprintf(a->path, sizeof(a->path), "/tmp/rhea-nbd-test-%d", getpid());
	struct err *e = sock_listen(&addr, 1, &a->fd);
	CHECK(!e);
	memset(o, 0, sizeof(*o));
	memset(o->data, 0xee, sizeof(o->data));
	o->actor = a;
	a->done = false;
	if (!a->patience)
		a->patience = 20000000000;
	co_enter(co_new(act, a));
	co_run(use, o);
	unlink(a->path);
}

TEST(nbd_client, answers_reach_their_requests)
{
	static struct actor a;
	static struct outcome o;
	whole_session(&a.says);
	play(&a, &o);
	CHECK(o.opened);
	CHECK_EQ(o.map, 0);
	CHECK_EQ(o.extent.len, 65536);
	CHECK_EQ(o.extent.where, BLK_ZERO);
	CHECK_EQ(o.read, 0);
	CHECK(is_zero(o.data, sizeof(o.data)));
	CHECK_EQ(o.write, -ENOSPC);
	CHECK_EQ(o.flush, 0);
}

TEST(nbd_client, a_read_with_a_part_left_out_fails)
{
	static struct actor a;
	static struct outcome o;
	whole_session(&a.says);
	/* The hole's chunk: its length says less than was left. */
	for (size_t i = 0; i + 12 <= a.says.n; i++)
		if (ld_be64(a.says.b + i) == 2048 && ld_be32(a.says.b + i + 8) == 2048)
			st_be32(a.says.b + i + 8, 1024);
	play(&a, &o);
	CHECK_EQ(o.read, -EIO);
}

static u32 next(u32 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	return *seed ^= *seed << 5;
}

TEST(nbd_client, lies_end_in_errors)
{
	static const u32 odd[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 4096, 0x10001 };
	static struct actor a;
	static struct outcome o;
	u32 seed = 0x1ead;
	for (unsigned i = 0; i < 400; i++) {
		whole_session(&a.says);
		for (unsigned k = next(&seed) % 3; k < 3; k++) {
			/* Zeros of the read's data are not worth a change. */
			size_t at = next(&seed) % 2 ? next(&seed) % 340 : next(&seed) % (a.says.n - 4);
			if (next(&seed) % 2)
				a.says.b[at] = next(&seed);
			else
				st_be32(a.says.b + at, odd[next(&seed) % LEN(odd)]);
			if (next(&seed) % 16 == 0)
				a.says.n = MAX(at, (size_t)8);
		}
		a.patience = 5000000;
		play(&a, &o);
	}
	a.patience = 0;
	whole_session(&a.says);
	play(&a, &o);
	CHECK(o.opened && !o.read);
}

TEST(nbd_client, names_become_members_and_names_again)
{
	static const struct {
		const char *name, *path, *host, *port, *export;
	} good[] = {
		{ "nbd://host", NULL, "host", NULL, NULL },
		{ "nbd://host:1/x", NULL, "host", "1", "x" },
		{ "nbd://[::1]:5/a%20b", NULL, "::1", "5", "a b" },
		{ "nbd+unix:///x/y?socket=/s%2Fk", "/s/k", NULL, NULL, "x/y" },
		{ "nbd+unix://?socket=/s", "/s", NULL, NULL, NULL },
		{ "nbd:unix:/s:exportname=a:b", "/s", NULL, NULL, "a:b" },
		{ "nbd:host:1", NULL, "host", "1", NULL },
		{ "nbd:[::1]:7:exportname=q", NULL, "::1", "7", "q" },
	};
	static const char *const bad[] = { "nbd://",
					   "nbd+unix:///x",
					   "nbd://?socket=/x",
					   "nbd+unix://h/x?socket=/s",
					   "nbd+unix:///x?socket=/s&y=1",
					   "nbd://h/%zz",
					   "nbd://h/%0",
					   "nbd://h/%00",
					   "nbd://[::1/x",
					   "nbd://h:1x/",
					   "nbd:foo",
					   "nbd:foo:",
					   "nbd://h/#x" };
	for (unsigned i = 0; i < LEN(good); i++) {
		AUTO(json_freep) struct json *o = json_dict();
		struct err *e = nbd_parse_name(good[i].name, o);
		CHECK(!e);
		const char *const want[][2] = { { "path", good[i].path },
						{ "host", good[i].host },
						{ "port", good[i].port },
						{ "export", good[i].export } };
		for (unsigned k = 0; k < LEN(want); k++) {
			const char *got = json_get_str(o, want[k][0]);
			if (want[k][1])
				CHECK_STR(got, want[k][1]);
			else
				CHECK(!got);
		}
	}
	for (unsigned i = 0; i < LEN(bad); i++) {
		AUTO(json_freep) struct json *o = json_dict();
		struct err *e = nbd_parse_name(bad[i], o);
		if (!e)
			test_fail(__FILE__, __LINE__, "'%s' was taken", bad[i]);
		err_free(e);
	}
}
