#include "interp.c"
#include "base/err.h"
#include "base/test.h"
#include "translate/ir/random.h"
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

static struct ir_region *parse(const char *text)
{
	struct ir_region *r;
	struct err *e = ir_parse(text, random_slots, TY_I64, &r);
	if (!e && (e = ir_verify(r)))
		ir_free(r);
	if (!e)
		return r;
	test_fail(__FILE__, __LINE__, "%s: %s", text, err_text(e));
	err_free(e);
	return NULL;
}

static enum ir_event run_text(const char *text, struct random_cpu *c)
{
	struct ir_region *r = parse(text);
	if (!r)
		return EV_NONE;
	enum ir_event event = ir_run(r, &c->cpu);
	ir_free(r);
	return event;
}

static struct random_cpu fresh(void)
{
	struct random_cpu c;
	random_cpu_init(&c, 1, false);
	return c;
}

TEST(ir_interp, a_loop_with_a_phi_counts)
{
	struct random_cpu c = fresh();
	CHECK_EQ(
	    run_text(
		"b0:\n v1:i64 = const #0\n v2:i64 = const #1\n v3:i64 = const #10\n br b1\n"
		"b1:\n v5:i64 = phi b0:v1, b1:v8\n v6:i64 = phi b0:v2, b1:v5\n" /* v6 is v5 of the round before */
		" v8:i64 = add v5, v2\n v9:i1 = ltu v8, v3\n brc v9, b1, b2\n"
		"b2:\n set x0, v8\n set x1, v6\n jump #0x2000\n",
		&c),
	    EV_NONE);
	CHECK_EQ(c.x[0], 10);
	CHECK_EQ(c.x[1], 8);
	CHECK_EQ(c.cpu.pc, 0x2000);
}

TEST(ir_interp, every_way_out_leaves_its_pc)
{
	struct random_cpu c = fresh();
	c.x[0] = 0x1234;
	CHECK_EQ(run_text("b0:\n v1:i64 = get x0\n jumpi v1\n", &c), EV_NONE);
	CHECK_EQ(c.cpu.pc, 0x1234);
	CHECK_EQ(run_text("b0:\n gosub 4, #0x50\n", &c), EV_NONE);
	CHECK_EQ(c.cpu.pc, 0x50);
	CHECK_EQ(run_text("b0:\n v1:i64 = get x0\n return v1\n", &c), EV_NONE);
	CHECK_EQ(c.cpu.pc, 0x1234);
	CHECK_EQ(run_text("b0:\n v1:i64 = get x0\n raise v1, 1, #0x54\n", &c), EV_SYSCALL);
	CHECK_EQ(c.cpu.pc, 0x54);
	CHECK_EQ(c.cpu.event, EV_SYSCALL);
	CHECK_EQ(c.cpu.event_arg, 0x1234);
}

TEST(ir_interp, memory_has_size_sign_order_of_bytes_and_displacement)
{
	struct random_cpu c = fresh();
	static const u8 bytes[8] = { 0x80, 0x81, 0x82, 0x83, 4, 5, 6, 7 };
	memcpy(c.memory + 64, bytes, 8); /* slot mem points at 64 */
	run_text("b0:\n v1:i64 = get mem\n v2:i64 = ld.i16 [v1]\n set x0, v2\n v4:i64 = ld.i16.s [v1]\n set "
		 "x1, v4\n"
		 " v6:i64 = ld.i16.be [v1]\n set x2, v6\n v8:i32 = ld.i8.s [v1+1]\n set w0, v8\n"
		 " v10:i128 = ld.i32.s [v1]\n set q0, v10\n v12:v128 = ld.i64 [v1]\n set v0, v12\n"
		 " st.i32.be [v1+8], v8\n st.i8 [v1-1], v2\n jump #0\n",
		 &c);
	CHECK_EQ(c.x[0], 0x8180);
	CHECK_EQ(c.x[1], 0xffffffffffff8180);
	CHECK_EQ(c.x[2], 0x8081);
	CHECK_EQ(c.w[0], 0xffffff81);
	CHECK(c.q[0] == (u128)(i128)(i32)0x83828180);
	CHECK_EQ(ld_le64(c.v[0]), 0x0706050483828180);
	CHECK_EQ(ld_le64(c.v[0] + 8), 0);
	CHECK_EQ(ld_be32(c.memory + 72), 0xffffff81);
	CHECK_EQ(c.memory[63], 0x80);
}

TEST(ir_interp, exchanges_are_atomic_operations_of_their_size)
{
	struct random_cpu c = fresh();
	st_le64(c.memory + 64, 0x1111111122222222);
	c.x[0] = 5;
	c.x[1] = 0xffffffffffffffff;
	run_text(
	    "b0:\n v1:i64 = get mem\n v2:i64 = get x0\n v3:i64 = get x1\n"
	    " v4:i64 = rmw.add.i32 [v1], v2\n set x2, v4\n v6:i64 = rmw.maxs.i32 [v1+4], v3\n set x3, v6\n"
	    " v8:i64 = rmw.minu.i16.be [v1], v2\n set x4, v8\n"
	    " v10:i64 = const #0x11111111\n v11:i64 = cas.i32 [v1+4], v10, v3\n set x5, v11\n"
	    " v13:i64 = cas.i32 [v1+4], v10, v2\n set x6, v13\n jump #0\n",
	    &c);
	CHECK_EQ(c.x[2], 0x22222222);
	CHECK_EQ(c.x[3], 0x11111111); /* the larger of that and -1 is that */
	CHECK_EQ(c.x[4], 0x2722); /* 0x22222227 as it lies, the other way round */
	CHECK_EQ(c.x[5], 0x11111111);
	CHECK_EQ(c.x[6], 0xffffffff);
	CHECK_EQ(ld_le64(c.memory + 64), 0xffffffff22220500);
}

/* Every size at every place, against plain arithmetic. */
TEST(ir_interp, unaligned_exchanges_touch_nothing_else)
{
	static u8 buf[64] __attribute__((aligned(16)));
	struct cpu cpu = { .mem_base = buf, .mem_mask = ~0ull };
	for (unsigned size = 1; size <= 16; size *= 2)
		for (unsigned at = 0; at < 40; at++) {
			u8 want[64];
			for (unsigned i = 0; i < 64; i++)
				want[i] = buf[i] = (u8)(i * 7 + 3);
			u128 old = 0, v = ((u128)0x0123456789abcdef << 64) | 0xfedcba9876543210, sum;
			memcpy(&old, buf + at, size);
			sum = old + v;
			memcpy(want + at, &sum, size);
			CHECK(cpu_rmw(&cpu, at, size, v, (struct ir_mem){ .rmw = RMW_ADD }) == old);
			CHECK(memcmp(buf, want, 64) == 0);
			memcpy(&old, want + at, size);
			memcpy(want + at, &v, size);
			CHECK(cpu_cas(&cpu, at, size, old, v, (struct ir_mem){ 0 }) == old);
			CHECK(memcmp(buf, want, 64) == 0);
			u128 seen = cpu_cas(&cpu, at, size, v ^ 1, 0, (struct ir_mem){ 0 }), low = 0;
			memcpy(&low, &v, size);
			CHECK(seen == low);
			CHECK(memcmp(buf, want, 64) == 0);
		}
}

static void *add_many(void *user)
{
	struct cpu cpu = { .mem_base = user, .mem_mask = ~0ull };
	for (unsigned i = 0; i < 20000; i++) {
		cpu_rmw(&cpu, 0, 4, 1, (struct ir_mem){ .rmw = RMW_ADD });
		cpu_rmw(&cpu, 5, 2, 1, (struct ir_mem){ .rmw = RMW_ADD });
		cpu_rmw(&cpu, 16, 16, ((u128)1 << 64) + 1, (struct ir_mem){ .rmw = RMW_ADD });
		cpu_rmw(&cpu, 46, 4, 1, (struct ir_mem){ .rmw = RMW_ADD });
	}
	return NULL;
}

TEST(ir_interp, exchanges_of_two_threads_lose_nothing)
{
	static u8 buf[64] __attribute__((aligned(16)));
	pthread_t other;
	memset(buf, 0, sizeof(buf));
	pthread_create(&other, NULL, add_many, buf);
	add_many(buf);
	pthread_join(other, NULL);
	CHECK_EQ(ld_le32(buf), 40000);
	CHECK_EQ(ld_le16(buf + 5), 40000);
	CHECK_EQ(ld_le64(buf + 16), 40000);
	CHECK_EQ(ld_le64(buf + 24), 40000);
	CHECK_EQ(ld_le32(buf + 46), 40000);
}

TEST(ir_interp, a_fault_leaves_the_state_of_its_instruction)
{
	struct random_cpu c = fresh();
	c.x[0] = 0x10;
	CHECK_EQ(run_text("b0:\n insn 4, #0x1000\n v2:i64 = get x0\n v3:i64 = add v2, v2\n set x1, v3\n"
			  " insn 4, #0x1004\n v6:i64 = ld.i64 [v2]\n set x1, v6\n jump #0x1008\n",
			  &c),
		 EV_MEMORY);
	CHECK_EQ(c.cpu.pc, 0x1004);
	CHECK_EQ(c.x[1], 0x20);
	CHECK_EQ(c.cpu.fault_addr, 0x10);
	CHECK_EQ(
	    run_text(
		"b0:\n insn 4, #0x1004\n v2:i64 = get mem\n v3:i32 = ld.i32.align4 [v2+2]\n jump #0x1008\n",
		&c),
	    EV_ALIGN);
	CHECK_EQ(c.cpu.fault_addr, c.mem + 2);
}

static struct cpu *faulting;

/* What an engine's handler does, in short. */
static void on_segv(int sig, siginfo_t *info, void *context)
{
	faulting->fault_addr = (uintptr_t)info->si_addr;
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGSEGV);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	cpu_raise(faulting, EV_MEMORY, 0);
}

TEST(ir_interp, a_fault_of_the_host_raises_the_guests)
{
	struct sigaction act = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO }, old;
	u8 *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(page != MAP_FAILED);
	mprotect(page + 4096, 4096, PROT_NONE);
	sigaction(SIGSEGV, &act, &old);
	static const char *const accesses[] = {
		"v30:i64 = ld.i64 [v20]",
		"v30:v128 = ld.v128 [v20]",
		"v30:i32 = ld.i8 [v20]",
		"st.i16 [v20], v1",
		"st.i128 [v20-8], v9",
		"v30:i64 = rmw.add.i64 [v20], v1",
		"v30:i128 = cas.i128 [v20], v9, v9",
		"v30:i64 = rmw.or.i32 [v20-2], v1",
		"v30:f64 = ld.f64 [v20-1]",
	};
	for (unsigned i = 0; i < LEN(accesses); i++) {
		struct random_cpu c = fresh();
		c.cpu.memory = NULL;
		c.cpu.mem_base = page;
		c.cpu.mem_mask = 0xffffffff;
		c.x[0] = 0xff00000000001000; /* bits that do not count */
		faulting = &c.cpu;
		AUTO(free_ptr)
		char *text = strf("b0:\n v1:i64 = get x0\n v9:i128 = get q0\n insn 4, #0x77\n v20:i64 = or "
				  "v1, v1\n %s\n jump #0\n",
				  accesses[i]);
		CHECK_EQ(run_text(text, &c), EV_MEMORY);
		CHECK_EQ(c.cpu.pc, 0x77);
		CHECK_EQ(c.cpu.fault_write, !strstr(accesses[i], "ld."));
		if (c.cpu.fault_addr < (uintptr_t)page + 4096 || c.cpu.fault_addr >= (uintptr_t)page + 4112)
			test_fail(__FILE__, __LINE__, "%s: %#llx", accesses[i],
				  (unsigned long long)c.cpu.fault_addr);
	}
	sigaction(SIGSEGV, &old, NULL);
	munmap(page, 8192);
}

static void six(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
	ret->u = arg[0].u + 10 * arg[1].u + 100 * arg[2].u + 1000 * arg[3].u + 10000 * arg[4].u +
		 100000 * arg[5].u;
	if (ret->u == 654321)
		cpu_raise(cpu, EV_GUEST, ret->u);
}
HELPER(ir_test_six) = { .name = "ir_test_six", .fn = six, .effects = HELP_RAISES };

TEST(ir_interp, helpers_take_six_arguments_and_may_not_come_back)
{
	struct random_cpu c = fresh();
	for (unsigned i = 0; i < 6; i++)
		c.x[i] = i + 1;
	const char *text = "b0:\n v1:i64 = get x0\n v2:i64 = get x1\n v3:i64 = get x2\n v4:i64 = get x3\n "
			   "v5:i64 = get x4\n v6:i64 = get x5\n"
			   " insn 4, #0x10\n args v4, v5, v6\n v9:i64 = call ir_test_six, v1, v2, v3\n set "
			   "x6, v9\n jump #0x20\n";
	CHECK_EQ(run_text(text, &c), EV_GUEST);
	CHECK_EQ(c.cpu.event_arg, 654321);
	CHECK_EQ(c.cpu.pc, 0x10);
	c.x[0] = 0;
	CHECK_EQ(run_text(text, &c), EV_NONE);
	CHECK_EQ(c.x[6], 654320);
}

TEST(ir_interp, a_stop_is_heeded_on_the_way_back_only)
{
	struct random_cpu c = fresh();
	const char *text =
	    "b0:\n insn 4, #0x10\n br b1\nb1:\n insn 4, #0x14\n v4:i64 = get x0\n v5:i64 = const #1\n v6:i64 "
	    "= add v4, v5\n"
	    " set x0, v6\n v8:i64 = const #100\n v9:i1 = ltu v6, v8\n brc v9, b1, b2\nb2:\n jump #0x18\n";
	c.x[0] = 0;
	cpu_stop(&c.cpu);
	CHECK_EQ(run_text(text, &c), EV_NONE);
	CHECK_EQ(c.cpu.pc, 0x14);
	CHECK_EQ(c.x[0], 1);
	c.cpu.stop = 0;
	CHECK_EQ(run_text(text, &c), EV_NONE);
	CHECK_EQ(c.cpu.pc, 0x18);
	CHECK_EQ(c.x[0], 100);
	/* a removed PHI and other gaps do not hide it */
	text = "b0:\n v1:i64 = const #1\n br b1\nb1:\n v4:i64 = phi b0:v1, b1:v8\n v6:i64 = phi b0:v1, "
	       "b1:v4\n nop\n insn 4, #0x14\n"
	       " v8:i64 = add v4, v1\n set x0, v8\n set x1, v6\n v11:i1 = get bit0\n brc v11, b1, b2\nb2:\n "
	       "jump #0x18\n";
	c.bit[0] = 1;
	c.cpu.stop = ~0u;
	CHECK_EQ(run_text(text, &c), EV_NONE);
	CHECK_EQ(c.cpu.pc, 0x14);
	CHECK_EQ(c.x[0], 2);
}

TEST(ir_interp, local_slots_start_at_zero_and_indexed_slots_follow_the_table)
{
	struct random_cpu c = fresh();
	c.w[0] = 2;
	run_text("local l0:i64\nb0:\n v1:i64 = get l0\n set x5, v1\n v3:i64 = const #7\n set l0, v3\n v5:i64 "
		 "= get l0\n"
		 " v6:i32 = get w0\n setx x0[v6], v5\n v8:i32 = const #3\n v9:i64 = getx x0[v8]\n set x6, "
		 "v9\n jump #0\n",
		 &c);
	CHECK_EQ(c.x[5], 0);
	CHECK_EQ(c.x[2], 7);
	CHECK_EQ(c.x[6], c.x[3]);
}
