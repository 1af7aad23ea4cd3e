/* The passes over random regions: valid before and after, and running alike. */
#include "translate/ir/passes.h"
#include "translate/ir/random.h"
#include "base/err.h"
#include "base/test.h"
#include <time.h>

static bool verify(const struct ir_region *r, u64 seed, const char *when)
{
	struct err *e = ir_verify(r);
	if (!e)
		return true;
	test_fail(__FILE__, __LINE__, "seed %llu, %s: %s", (unsigned long long)seed, when, err_text(e));
	err_free(e);
	return false;
}

static u32 length(const struct ir_region *r)
{
	u32 n = 0;
	for (u32 i = 1; i < r->n_insn; i++)
		n += r->insn[i].op != IR_NOP;
	return n;
}

/* Runs the region before and after passes (bit 0 forward and words, bit 1 dead). Flags are compared unless a fault or a stop came between. */
static bool compare(struct ir_region *r, u64 seed, const struct ir_random_options *o, unsigned passes,
		    bool stop, u64 sum[2])
{
	struct random_cpu before, after;
	char text[100];
	random_cpu_init(&before, seed, false);
	random_cpu_init(&after, seed, false);
	before.cpu.stop = after.cpu.stop = stop;
	ir_random(r, seed, o);
	r->quick = seed & 1;
	enum ir_event e1 = ir_run(r, &before.cpu);
	sum[0] += length(r);
	if (passes & 1) {
		ir_pass_forward(r);
		ir_pass_words(r);
	}
	if (!verify(r, seed, "forward"))
		return false;
	if (passes & 2)
		ir_pass_dead(r, NULL, NULL);
	if (!verify(r, seed, "dead"))
		return false;
	sum[1] += length(r);
	enum ir_event e2 = ir_run(r, &after.cpu);
	bool exact = e1 != EV_MEMORY && !(stop && e1 == EV_NONE);
	if (e1 == e2 && random_cpu_same(&before, &after, exact, text, sizeof(text)))
		return true;
	test_fail(__FILE__, __LINE__, "seed %llu, passes %u: event %u, then %u; %s", (unsigned long long)seed,
		  passes, e1, e2, e1 == e2 ? text : "");
	return false;
}

static void many(u64 from, u64 n, const struct ir_random_options *o, bool stop)
{
	struct ir_region *r = ir_new(random_slots, TY_I64);
	u64 sum[2] = { 0 };
	for (u64 seed = from; seed < from + n; seed++)
		if (!compare(r, seed, o, 1 + seed % 3, stop, sum))
			break;
	CHECK(sum[1] < sum[0]);
	ir_free(r);
}

TEST(ir_passes, random_regions_run_alike)
{
	many(1000, 3000, &(struct ir_random_options){ .wide = true }, false);
	many(5000, 3000,
	     &(struct ir_random_options){ .no_vectors = true, .no_crypto = true, .no_carry_over = true },
	     false);
}

TEST(ir_passes, faults_find_the_same_state)
{
	many(10000, 3000, &(struct ir_random_options){ .faults = true, .no_crypto = true }, false);
}

TEST(ir_passes, stops_find_the_same_state)
{
	many(20000, 2000, &(struct ir_random_options){ .no_vectors = true }, true);
}

/* Two instructions as a front end makes them: subs x, x, #1 with flags; ldr w, [x, #8]; and a branch. */
static void typical(struct ir_region *r, unsigned n)
{
#define E(...) ir_emit(r, &(struct ir_insn){ __VA_ARGS__ })
	ir_reset(r);
	for (unsigned i = 0; i < n; i++) {
		unsigned x = 1 + i % 12, y = 1 + (i + 5) % 12;
		E(.op = IR_INSN, .b = 4, .imm = 0x1000 + 8 * i);
		ir_ref a = E(.op = IR_GET, .type = TY_I64, .imm = x),
		       one = E(.op = IR_CONST, .type = TY_I64, .imm = 1);
		ir_ref sub = E(.op = IR_SUB, .type = TY_I64, .a = a, .b = one),
		       fl = E(.op = IR_FLSUB, .type = TY_FLAGS, .a = a, .b = one);
		E(.op = IR_SET, .a = sub, .imm = x);
		E(.op = IR_SET, .a = fl, .imm = 23);
		E(.op = IR_INSN, .b = 4, .imm = 0x1004 + 8 * i);
		ir_ref base = E(.op = IR_GET, .type = TY_I64, .imm = x),
		       eight = E(.op = IR_CONST, .type = TY_I64, .imm = 8);
		ir_ref addr = E(.op = IR_ADD, .type = TY_I64, .a = base, .b = eight);
		ir_ref w = E(.op = IR_LD, .type = TY_I32, .a = addr, .mem = { .type = TY_I32 }),
		       z = E(.op = IR_ZEXT, .type = TY_I64, .a = w);
		E(.op = IR_SET, .a = z, .imm = y);
	}
	ir_ref fl = E(.op = IR_GET, .type = TY_FLAGS, .imm = 23),
	       cond = E(.op = IR_COND, .type = TY_I1, .a = fl, .imm = CC_NE);
	u32 yes = ir_block_new(r), no = ir_block_new(r);
	E(.op = IR_BRC, .a = cond, .b = yes, .c = no);
	ir_block_start(r, yes);
	E(.op = IR_JUMP, .imm = 0x2000);
	ir_block_start(r, no);
	E(.op = IR_JUMP, .imm = 0x3000);
#undef E
}

static u64 now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

/* They run on every cold translation. The limit is wide; the best of many rounds is printed. */
TEST(ir_passes, take_little_time)
{
	enum { ROUNDS = 3000, PAIRS = 8 };
	struct ir_region *r = ir_new(random_slots, TY_I64);
	u64 build = ~0ull, forward = ~0ull, dead = ~0ull;
	for (unsigned i = 0; i < ROUNDS; i++) {
		u64 t0 = now_ns();
		typical(r, PAIRS);
		u64 t1 = now_ns();
		ir_pass_forward(r);
		ir_pass_words(r);
		u64 t2 = now_ns();
		ir_pass_dead(r, NULL, NULL);
		u64 t3 = now_ns();
		build = MIN(build, t1 - t0);
		forward = MIN(forward, t2 - t1);
		dead = MIN(dead, t3 - t2);
	}
	CHECK(verify(r, 0, "typical"));
	printf("# ns per guest instruction: building %.1f, forward %.1f, dead %.1f\n",
	       (double)build / PAIRS / 2, (double)forward / PAIRS / 2, (double)dead / PAIRS / 2);
	CHECK(forward + dead < (u64)PAIRS * 2 * 2000);
	ir_free(r);
}
