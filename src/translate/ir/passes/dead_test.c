#include "dead.c"
#include "base/err.h"
#include "base/test.h"
#include "translate/ir/random.h"

static void nothing(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
}
static const u16 only_x1[] = { 2, 0xffff };
HELPER(ir_test_reads_x1) = {
	.name = "ir_test_reads_x1", .fn = nothing, .effects = HELP_READS | HELP_VOLATILE, .slots = only_x1
};
HELPER(ir_test_raises) = { .name = "ir_test_raises", .fn = nothing, .effects = HELP_RAISES };
HELPER(ir_test_pure) = { .name = "ir_test_pure", .fn = nothing };

static bool at_0x2000(void *user, u64 pc)
{
	return pc == 0x2000;
}

/* How many of the SETs to a slot are left, and that the region is valid. */
static unsigned sets_left(const char *text, const char *slot, const char *op)
{
	struct ir_region *r;
	unsigned n = 0;
	struct err *e = ir_parse(text, random_slots, TY_I64, &r);
	if (!e && (e = ir_verify(r)))
		ir_free(r);
	if (e) {
		test_fail(__FILE__, __LINE__, "%s: %s", text, err_text(e));
		err_free(e);
		return ~0u;
	}
	ir_pass_dead(r, at_0x2000, NULL);
	e = ir_verify(r);
	if (e)
		test_fail(__FILE__, __LINE__, "%s: %s", text, err_text(e));
	err_free(e);
	AUTO(free_ptr) char *got = ir_print(r);
	AUTO(free_ptr) char *want = op ? strf("%s", op) : strf("set %s,", slot);
	for (const char *at = got; (at = strstr(at, want)); at++)
		n++;
	ir_free(r);
	return n;
}
#define LEFT(slot, text) sets_left(text, slot, NULL)
#define COUNT(op, text) sets_left(text, NULL, op)

TEST(ir_dead, unused_values_go_with_what_only_they_used)
{
	CHECK_EQ(COUNT(" = ", "b0:\n v1:i64 = get x1\n v2:i64 = not v1\n v3:i64 = add v2, v1\n jump #8\n"),
		 0);
	CHECK_EQ(
	    COUNT(" = ",
		  "b0:\n v1:i64 = get x1\n v2:i64 = not v1\n v3:i64 = add v2, v1\n set x1, v2\n jump #8\n"),
	    2);
	CHECK_EQ(COUNT("ld.", "b0:\n v1:i64 = get x1\n v2:i64 = ld.i64 [v1]\n jump #8\n"), 1); /* may fault */
	CHECK_EQ(
	    COUNT(
		"call",
		"b0:\n v1:i64 = get x1\n args v1, -, -\n v2:i64 = call ir_test_pure, v1, v1, v1\n jump #8\n"),
	    0);
	CHECK_EQ(
	    COUNT(
		"args",
		"b0:\n v1:i64 = get x1\n args v1, -, -\n v2:i64 = call ir_test_pure, v1, v1, v1\n jump #8\n"),
	    0);
}

TEST(ir_dead, a_set_overwritten_before_anyone_looks_goes)
{
	CHECK_EQ(LEFT("x1", "b0:\n v1:i64 = get x2\n set x1, v1\n v3:i64 = get x3\n set x1, v3\n jump #8\n"),
		 1);
	CHECK_EQ(LEFT("x1", "b0:\n v1:i64 = get x2\n set x1, v1\n v3:i64 = get x1\n set x2, v3\n v5:i64 = "
			    "get x3\n set x1, v5\n jump #8\n"),
		 2);
	CHECK_EQ(LEFT("x1", "b0:\n v1:i64 = get x2\n set x1, v1\n jump #8\n"), 1);
	CHECK_EQ(LEFT("l0", "local l0:i64\nb0:\n v1:i64 = get x2\n set l0, v1\n jump #8\n"), 0);
}

TEST(ir_dead, a_fault_sees_ordinary_slots_but_not_flags)
{
	CHECK_EQ(
	    LEFT("x1", "b0:\n v1:i64 = get x2\n set x1, v1\n v3:i64 = ld.i64 [v1]\n set x1, v3\n jump #8\n"),
	    2);
	CHECK_EQ(LEFT("fl0", "b0:\n v1:i64 = get x2\n v2:flags = fllogic v1\n set fl0, v2\n v4:i64 = ld.i64 "
			     "[v1]\n v5:flags = fllogic v4\n"
			     " set fl0, v5\n jump #8\n"),
		 1);
	CHECK_EQ(LEFT("x1", "b0:\n v1:i64 = get x2\n set x1, v1\n call ir_test_raises, -, -, -\n v3:i64 = "
			    "get x3\n set x1, v3\n jump #8\n"),
		 2);
	CHECK_EQ(LEFT("l0", "local l0:i64\nb0:\n v1:i64 = get x2\n set l0, v1\n v3:i64 = ld.i64 [v1]\n set "
			    "l0, v3\n jump #8\n"),
		 0);
}

TEST(ir_dead, helpers_see_what_they_declare)
{
	CHECK_EQ(LEFT("x1", "b0:\n v1:i64 = get x2\n set x1, v1\n call ir_test_reads_x1, -, -, -\n v3:i64 = "
			    "get x3\n set x1, v3\n jump #8\n"),
		 2);
	CHECK_EQ(LEFT("x4", "b0:\n v1:i64 = get x2\n set x4, v1\n call ir_test_reads_x1, -, -, -\n v3:i64 = "
			    "get x3\n set x4, v3\n jump #8\n"),
		 1);
}

TEST(ir_dead, indexed_gets_see_the_whole_array)
{
	CHECK_EQ(LEFT("x3", "b0:\n v1:i64 = get x5\n v2:i32 = get w0\n set x3, v1\n v4:i64 = getx x0[v2]\n "
			    "set x3, v4\n jump #8\n"),
		 2);
	CHECK_EQ(LEFT("x4", "b0:\n v1:i64 = get x5\n v2:i32 = get w0\n set x4, v1\n v4:i64 = getx x0[v2]\n "
			    "set x4, v4\n jump #8\n"),
		 1);
}

TEST(ir_dead, every_path_counts)
{
	const char *text = "b0:\n v1:i64 = get x2\n set x1, v1\n v3:i1 = get bit0\n brc v3, b1, b2\n"
			   "b1:\n v5:i64 = get x3\n set x1, v5\n jump #8\nb2:\n %s\n jump #8\n";
	AUTO(free_ptr) char *one = strf(text, ""), *both = strf(text, "v8:i64 = get x4\n set x1, v8");
	CHECK_EQ(LEFT("x1", one), 2);
	CHECK_EQ(LEFT("x1", both), 2);
	free(one);
	one = strf(text, "v8:i64 = get x1\n set x4, v8");
	CHECK_EQ(LEFT("x1", one), 2);
}

TEST(ir_dead, the_engine_says_where_flags_are_dead)
{
	const char *text = "b0:\n v1:i64 = get x2\n v2:flags = fllogic v1\n set fl0, v2\n %s\n";
	static const struct {
		const char *end;
		unsigned left;
	} cases[] = { { "jump #0x2000", 0 }, { "jump #0x2004", 1 },	   { "gosub 4, #0x2000", 0 },
		      { "jumpi v1", 1 },     { "raise -, 0, #0x2000", 0 }, { "raise -, 1, #0x2000", 1 } };
	for (unsigned i = 0; i < LEN(cases); i++) {
		AUTO(free_ptr) char *t = strf(text, cases[i].end);
		if (LEFT("fl0", t) != cases[i].left)
			test_fail(__FILE__, __LINE__, "%s", cases[i].end);
	}
}

/* subs; b.ne: in a loop that sets the flags first, those of the round before are dead at its head, but not behind the loop. */
TEST(ir_dead, flags_of_a_loop_are_dead_on_the_way_back)
{
	const char *loop =
	    "b0:\n insn 4, #0x10\n br b1\n"
	    "b1:\n insn 4, #0x14\n v4:i64 = get x1\n v5:flags = fllogic v4\n set fl0, v5\n"
	    " v7:i64 = ld.i64 [v4]\n v8:flags = fllogic v7\n v9:i1 = cond.ne v8\n %s brc v9, b1, b2\n"
	    "b2:\n %s\n jump #0x2000\n";
	AUTO(free_ptr)
	char *dead = strf(loop, "set fl0, v8\n", ""),
	     *read = strf(loop, "set fl0, v8\n", "v20:flags = get fl0\n v21:i32 = flbits v20\n set w0, v21");
	CHECK_EQ(LEFT("fl0", dead), 0);
	CHECK_EQ(LEFT("fl0", read), 1);
}

TEST(ir_dead, ordinary_slots_are_seen_where_a_loop_may_be_left)
{
	CHECK_EQ(LEFT("x1", "b0:\n insn 4, #0x10\n br b1\nb1:\n insn 4, #0x14\n v4:i64 = get x2\n set x1, "
			    "v4\n v6:i1 = get bit0\n"
			    " brc v6, b1, b2\nb2:\n v8:i64 = get x3\n set x1, v8\n jump #8\n"),
		 2);
}

/* b2 overwrites the flags (0x2000), b1 shows them. */
#define FORKED(between, cond) \
	"b0:\n v1:i64 = get x0\n v2:i64 = get x1\n v3:flags = flsub v1, v2\n set fl0, v3\n" between cond \
	"b1:\n nop\n jump #0x3000\nb2:\n nop\n jump #0x2000\n"
#define EQUAL "v5:i1 = cond.eq v3\n brc v5, b1, b2\n"

static bool set_behind(const char *text, const char *block)
{
	struct ir_region *r;
	struct err *e = ir_parse(text, random_slots, TY_I64, &r);
	if (e) {
		test_fail(__FILE__, __LINE__, "%s: %s", text, err_text(e));
		err_free(e);
		return false;
	}
	ir_pass_dead(r, at_0x2000, NULL);
	CHECK(!ir_verify(r));
	AUTO(free_ptr) char *got = ir_print(r);
	const char *at = strstr(got, block), *set = at ? strstr(at, "set fl0") : NULL,
		   *next = at ? strstr(at, "jump") : NULL;
	ir_free(r);
	return set && next && set < next;
}

TEST(ir_dead, flags_are_set_on_the_way_on_which_they_are_seen)
{
	CHECK(set_behind(FORKED("", EQUAL), "b1:"));
	CHECK_EQ(LEFT("fl0", FORKED("", EQUAL)), 1);
	/* not when something asks for the slot before, when the branch asks for something else, or both ways see them */
	CHECK(!set_behind(
	    FORKED("v4:flags = get fl0\n set fl1, v4\n", "v5:i1 = cond.eq v3\n brc v5, b1, b2\n"), "b1:"));
	CHECK(!set_behind(FORKED("v4:i64 = get x2\n", "v5:i1 = eq v1, v4\n brc v5, b1, b2\n"), "b1:"));
	/* the branch may compare what they are made from */
	CHECK(set_behind(FORKED("", "v5:i1 = eq v1, v2\n brc v5, b1, b2\n"), "b1:"));
	CHECK(set_behind(FORKED("", "v5:i1 = lts v2, v1\n brc v5, b1, b2\n"), "b1:"));
	CHECK(!set_behind(
	    "b0:\n v1:i64 = get x0\n v2:i64 = get x1\n v3:flags = flsub v1, v2\n set fl0, v3\n" EQUAL
	    "b1:\n nop\n jump #0x3000\nb2:\n nop\n jump #0x4000\n",
	    "b1:"));
}

/* b1, which shows flags, is reached from b2, too, which sets others. */
#define SHARED(entry) \
	"b0:\n v1:i64 = get x0\n v2:i64 = get x1\n v3:flags = flsub v1, v2\n set fl0, v3\n v5:i1 = cond.eq " \
	"v3\n brc v5, " entry "\n" \
	"b2:\n v6:flags = fllogic v1\n set fl0, v6\n br b1\nb1:\n jump #0x3000\n"

TEST(ir_dead, flags_are_set_between_blocks_where_others_lead_there_too)
{
	static const char *const texts[] = { SHARED("b1, b2"), SHARED("b2, b1") };
	for (unsigned i = 0; i < LEN(texts); i++) {
		struct ir_region *r;
		struct err *e = ir_parse(texts[i], random_slots, TY_I64, &r);
		CHECK(!e);
		if (e) {
			err_free(e);
			return;
		}
		ir_mark_loops(r);
		ir_pass_dead(r, at_0x2000, NULL);
		CHECK(!ir_verify(r));
		AUTO(free_ptr) char *got = ir_print(r);
		char *between = strstr(got, "b3:"), *set = strstr(got, "set fl0, v3");
		CHECK(between && set && between < set && strstr(set, "br b1"));
		CHECK(strstr(got, i ? "brc v5, b2, b3" : "brc v5, b3, b2") != NULL);
		ir_free(r);
	}
}
