#include "packet.c"
#include "base/test.h"
#include <errno.h>

/* A target of two threads, three registers and 64 bytes of memory at 0x1000. */
struct fake {
	struct gdb *g;
	char sent[PACKET_MAX * 2];
	size_t n_sent;
	struct {
		struct cpu cpu;
		u64 a, b;
	} state;
	u8 mem[64];
	struct gdb_action act[3];
	unsigned resumed, interrupted, points;
	bool killed, detached;
	u64 pass;
};

static void fake_send(void *user, const void *data, size_t len)
{
	struct fake *f = user;
	if (f->n_sent + len < sizeof(f->sent)) {
		memcpy(f->sent + f->n_sent, data, len);
		f->n_sent += len;
	}
	f->sent[f->n_sent] = 0;
}
static u64 fake_next(void *user UNUSED, u64 after)
{
	return after < 2 ? after + 1 : 0;
}
static void fake_name(void *user UNUSED, u64 thread UNUSED, char *buf, size_t size)
{
	snprintf(buf, size, "<t>");
}
static struct cpu *fake_cpu(void *user, u64 thread UNUSED, bool write UNUSED)
{
	return &((struct fake *)user)->state.cpu;
}
static size_t fake_read(void *user, u64 addr, void *buf, size_t len)
{
	struct fake *f = user;
	if (addr < 0x1000 || addr >= 0x1000 + sizeof(f->mem))
		return 0;
	len = MIN(len, 0x1000 + sizeof(f->mem) - addr);
	memcpy(buf, f->mem + (addr - 0x1000), len);
	return len;
}
static bool fake_write(void *user, u64 addr, const void *buf, size_t len)
{
	struct fake *f = user;
	if (addr < 0x1000 || len > sizeof(f->mem) || addr - 0x1000 > sizeof(f->mem) - len)
		return false;
	memcpy(f->mem + (addr - 0x1000), buf, len);
	return true;
}
static bool fake_point(void *user, enum gdb_point type UNUSED, u64 addr UNUSED, u64 len UNUSED, bool set)
{
	((struct fake *)user)->points += set ? 1 : -1;
	return true;
}
static void fake_act(void *user, u64 thread, const struct gdb_action *a)
{
	((struct fake *)user)->act[thread] = *a;
}
static void fake_resume(void *user)
{
	((struct fake *)user)->resumed++;
}
static void fake_interrupt(void *user)
{
	((struct fake *)user)->interrupted++;
}
static void fake_detach(void *user)
{
	((struct fake *)user)->detached = true;
}
static void fake_kill(void *user)
{
	((struct fake *)user)->killed = true;
}
static void *fake_object(void *user UNUSED, enum gdb_object o, u64 thread UNUSED, size_t *ret_len)
{
	if (o != GDB_AUXV)
		return NULL;
	*ret_len = 4;
	return memcpy(alloc(5), "#}$*", 4);
}
static void fake_pass(void *user, u64 set)
{
	((struct fake *)user)->pass = set;
}
static int fake_open(void *user UNUSED, const char *path UNUSED)
{
	return -ENOENT;
}
static const struct gdb_ops fake_ops = {
	.send = fake_send,
	.next_thread = fake_next,
	.thread_name = fake_name,
	.cpu = fake_cpu,
	.read = fake_read,
	.write = fake_write,
	.point = fake_point,
	.act = fake_act,
	.resume = fake_resume,
	.interrupt = fake_interrupt,
	.detach = fake_detach,
	.kill = fake_kill,
	.object = fake_object,
	.pass_signals = fake_pass,
	.open = fake_open,
};
static const struct guest_reg fake_regs[] = {
	{ "a", "test.core", offsetof(struct fake, state.a) - offsetof(struct fake, state), 64, NULL, NULL,
	  NULL, NULL },
	{ "pc", "test.core", offsetof(struct cpu, pc), 64, "code_ptr", NULL, NULL, NULL },
	{ "b", "test.more", offsetof(struct fake, state.b) - offsetof(struct fake, state), 32, NULL, "float",
	  NULL, NULL },
	{ 0 },
};
static const struct guest fake_guest = { .name = "fake", .regs = fake_regs, .gdb_arch = "fake" };

static struct fake *fake_new(void)
{
	struct fake *f = alloc(sizeof(*f));
	f->g = gdb_new(&fake_ops, f, &fake_guest, NULL, 0x10);
	gdb_report(f->g, &(struct gdb_stop){ .why = GDB_SIGNAL, .thread = 1, .value = SIGTRAP });
	return f;
}
static void fake_free(struct fake **f)
{
	gdb_free((*f)->g);
	free(*f);
}

/* Sends one packet and gives the answer's content, without framing; NULL when there was none. */
static const char *ask(struct fake *f, const char *packet)
{
	char framed[512];
	u8 sum = 0;
	for (const char *c = packet; *c; c++)
		sum += (u8)*c;
	snprintf(framed, sizeof(framed), "$%s#%02x", packet, sum);
	f->n_sent = 0;
	f->sent[0] = 0;
	gdb_input(f->g, framed, strlen(framed));
	char *start = strchr(f->sent, '$'), *end = strrchr(f->sent, '#');
	if (!start || !end)
		return NULL;
	*end = 0;
	return start + 1;
}
#define FAKE AUTO(fake_free) struct fake *f = fake_new()

TEST(gdb, acknowledges_good_packets_and_asks_again_for_bad_ones)
{
	FAKE;
	gdb_input(f->g, "$?#3f", 5);
	CHECK_STR(f->sent, "+$T05thread:1;#d7");
	f->n_sent = 0;
	gdb_input(f->g, "$?#00", 5);
	CHECK_STR(f->sent, "-");
	f->n_sent = 0;
	gdb_input(f->g, "-", 1);
	CHECK_STR(f->sent, "$T05thread:1;#d7");
	CHECK_STR(ask(f, "QStartNoAckMode"), "OK");
	f->n_sent = 0;
	gdb_input(f->g, "$?#00", 5); /* sums do not count any more */
	CHECK_STR(f->sent, "$T05thread:1;#d7");
}

TEST(gdb, reads_and_writes_registers)
{
	FAKE;
	CHECK_STR(ask(f, "P0=8877665544332211"), "OK");
	CHECK_EQ(f->state.a, 0x1122334455667788);
	CHECK_STR(ask(f, "p0"), "8877665544332211");
	CHECK_STR(ask(f, "g"), "8877665544332211000000000000000000000000");
	CHECK_STR(ask(f, "G0100000000000000020000000000000003000000"), "OK");
	CHECK_EQ(f->state.cpu.pc, 2);
	CHECK_EQ(f->state.b, 3);
	CHECK_STR(ask(f, "p3"), "E16");
	CHECK_STR(ask(f, "P0=88"), "E16");
	CHECK_STR(ask(f, "G00"), "E16");
}

TEST(gdb, reads_and_writes_memory)
{
	FAKE;
	CHECK_STR(ask(f, "M1000,3:010203"), "OK");
	CHECK_STR(ask(f, "m1000,4"), "01020300");
	CHECK_STR(ask(f, "m103e,10"), "0000");
	CHECK_STR(ask(f, "m2000,4"), "E0e");
	CHECK_STR(ask(f, "M2000,1:00"), "E0e");
	CHECK_STR(ask(f, "X1000,2:}\x03\x7f"), "OK"); /* } escapes # */
	CHECK_EQ(f->mem[0], '#');
	CHECK_EQ(f->mem[1], 0x7f);
}

TEST(gdb, gives_each_thread_the_leftmost_action_that_fits)
{
	FAKE;
	CHECK(!strcmp(ask(f, "qSupported:multiprocess+") ? "yes" : "no", "yes"));
	CHECK(!ask(f, "vCont;S0b:p10.2;r10,20:p10.1;c"));
	CHECK_EQ(f->resumed, 1);
	CHECK_EQ(f->act[2].act, GDB_STEP);
	CHECK_EQ(f->act[2].signal, SIGSEGV);
	CHECK_EQ(f->act[1].act, GDB_RANGE);
	CHECK_EQ(f->act[1].to, 0x20);
	gdb_input(f->g, "\003", 1);
	CHECK_EQ(f->interrupted, 1);
	f->n_sent = 0;
	gdb_report(f->g, &(struct gdb_stop){ .why = GDB_WATCH, .thread = 2, .addr = 0x1234 });
	CHECK_STR(f->sent, "$T05thread:p10.2;watch:1234;#2d");
	CHECK(!ask(f, "vCont;c:p10.1"));
	CHECK_EQ(f->act[2].act, GDB_STAY);
}

TEST(gdb, describes_registers_by_feature)
{
	FAKE;
	const char *xml = ask(f, "qXfer:features:read:target.xml:0,1000");
	CHECK(xml && xml[0] == 'l');
	CHECK(strstr(xml, "<architecture>fake</architecture>"));
	CHECK(strstr(xml, "<feature name=\"test.core\"><reg name=\"a\" bitsize=\"64\" type=\"int\"/>"));
	CHECK(strstr(xml, "</feature><feature name=\"test.more\"><reg name=\"b\" bitsize=\"32\" type=\"int\" "
			  "group=\"float\"/>"));
	CHECK_STR(ask(f, "qXfer:features:read:target.xml:0,5"), "m<?xml");
	CHECK_STR(ask(f, "qXfer:auxv:read::0,10"), "l}\x03}]}\x04}\x0a");
	CHECK_STR(ask(f, "qXfer:siginfo:read::0,10"), "E00");
	CHECK(strstr(ask(f, "qXfer:threads:read::0,1000"), "<thread id=\"1\" name=\"&}\x03"
							   "60;t&}\x03"
							   "62;\">"));
}

TEST(gdb, malformed_packets_get_an_error_or_nothing)
{
	FAKE;
	static const char *const bad[] = { "",
					   "m",
					   "m1000",
					   "m1000,",
					   "m,4",
					   "mzz,4",
					   "M1000,4:00",
					   "M1000,ffffffffffffffff:00",
					   "X1000",
					   "X1000,5:ab",
					   "P",
					   "P=0",
					   "p",
					   "p99999999999999999999",
					   "H",
					   "Hx1",
					   "Hgzz",
					   "Hgp11.1",
					   "T",
					   "Tp",
					   "T99",
					   "Z0",
					   "Z0,",
					   "Z0,1000",
					   "Z9,0,0",
					   "Z0,1000,4;X",
					   "z",
					   "vCont",
					   "vCont;",
					   "vCont;q",
					   "vCont;r10",
					   "vCont;s:",
					   "C",
					   "Czz",
					   "czz",
					   "D;99",
					   "vKill;99",
					   "vKill",
					   "vFile:",
					   "vFile:open:",
					   "vFile:open:2f,0",
					   "vFile:pread:0,10,0",
					   "vFile:pread:ffffffff,1,1",
					   "vFile:close:",
					   "vFile:fstat:5",
					   "qXfer:",
					   "qXfer::read::0,1",
					   "qXfer:features:read:target.xml:",
					   "qXfer:features:read:target.xml:ffffffff,1",
					   "qXfer:features:write:x:0:",
					   "QPassSignals:zz",
					   "qThreadExtraInfo,",
					   "qThreadExtraInfo,p10",
					   "\x7f\x7f" };
	for (unsigned i = 0; i < LEN(bad); i++) {
		const char *got = ask(f, bad[i]);
		if (strcmp(bad[i], "vKill") == 0) { /* without a process: ours */
			CHECK(f->killed);
			f->g->gone = f->killed = false;
			continue;
		}
		if (!got || (got[0] && got[0] != 'E' && strncmp(got, "F-1", 3) != 0))
			test_fail(__FILE__, __LINE__, "'%s' got '%s'", bad[i], got ? got : "nothing");
	}
	CHECK(!f->killed && !f->detached && !f->resumed && !f->points);
}

TEST(gdb, survives_random_bytes_and_endless_packets)
{
	FAKE;
	u32 x = 1;
	static const char chars[] = "$#qmMXGgPpvHTZz?:;,0123456789abcdef}\x03+-ContFile";
	for (unsigned i = 0; i < 200000; i++) {
		x = x * 1664525 + 1013904223;
		gdb_input(f->g, &chars[(x >> 8) % (sizeof(chars) - 1)], 1);
		f->n_sent = 0;
		f->g->running = f->g->gone = false;
	}
	gdb_input(f->g, "#00$", 4);
	for (unsigned i = 0; i < PACKET_MAX + 100; i++)
		gdb_input(f->g, "a", 1);
	gdb_input(f->g, "#00", 3);
	f->g->no_ack = true;
	CHECK_STR(ask(f, "qAttached"), "0");
}

TEST(gdb, numbers_signals_its_own_way)
{
	static const struct {
		int sig;
		unsigned gdb;
	} known[] = { { SIGUSR1, 30 }, { SIGBUS, 10 }, { SIGSEGV, 11 }, { 34, 46 }, { 64, 78 }, { 32, 77 } };
	for (unsigned i = 0; i < LEN(known); i++) {
		CHECK_EQ(signal_to_gdb(known[i].sig), known[i].gdb);
		CHECK_EQ(signal_from_gdb(known[i].gdb), known[i].sig);
	}
	FAKE;
	CHECK_STR(ask(f, "QPassSignals:e;1e;"), "OK");
	CHECK_EQ(f->pass, BIT(SIGALRM - 1) | BIT(SIGUSR1 - 1));
}

TEST(gdb, another_stub_goes_on_behind_an_exec)
{
	FAKE;
	char agreed[32];
	ask(f, "qSupported:multiprocess+;exec-events+");
	ask(f, "QStartNoAckMode");
	CHECK(!ask(f, "vCont;c"));
	gdb_save(f->g, agreed, sizeof(agreed));
	AUTO(fake_free) struct fake *n = alloc(sizeof(*n));
	n->g = gdb_new(&fake_ops, n, &fake_guest, NULL, 0x10);
	CHECK(!gdb_restore(n->g, "12"));
	CHECK(gdb_restore(n->g, agreed));
	gdb_report(n->g, &(struct gdb_stop){ .why = GDB_EXEC, .thread = 2, .path = "/a" });
	CHECK_STR(n->sent, "$T05thread:p10.2;exec:2f61;#f0");
}
