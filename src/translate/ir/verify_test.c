#include "verify.c"
#include "base/test.h"

static const struct ir_slot slots[] = { { "x0", 0, TY_I64, 4 },	   { "x1", 8, TY_I64, 0 },
					{ "x2", 16, TY_I64, 0 },   { "x3", 24, TY_I64, 0 },
					{ "w0", 32, TY_I32, 0 },   { "v0", 48, TY_V128, 0 },
					{ "fl", 64, TY_FLAGS, 0 }, { 0 } };

/* Text that the parser takes and the verifier refuses for a reason; NULL: accepts. */
static void refuses(const char *reason, const char *text)
{
	struct ir_region *r;
	struct err *e = ir_parse(text, slots, TY_I64, &r);
	if (e) {
		test_fail(__FILE__, __LINE__, "%s: %s", text, err_text(e));
		err_free(e);
		return;
	}
	e = ir_verify(r);
	if (reason ? !e || !strstr(err_text(e), reason) : e != NULL)
		test_fail(__FILE__, __LINE__, "%s: '%s', not '%s'", text, e ? err_text(e) : "accepted",
			  reason ? reason : "accepted");
	err_free(e);
	ir_free(r);
}

TEST(ir_verify, accepts_what_is_right)
{
	refuses(NULL, "b0:\n v1:i64 = get x0\n v2:i64 = add v1, v1\n set x1, v2\n jump #0x10\n");
	refuses(NULL, "b0:\n v1:i64 = get x0\n br b1\nb1:\n v3:i64 = phi b0:v1, b1:v5\n v5:i64 = add v3, v1\n"
		      " v6:i1 = eq v3, v5\n brc v6, b1, b2\nb2:\n jumpi v3\n");
}

TEST(ir_verify, refuses_wrong_types)
{
	refuses("operand b is i32, not i64",
		"b0:\n v1:i64 = get x0\n v2:i32 = get w0\n v3:i64 = add v1, v2\n jump #0\n");
	refuses("the result is i32, not i64", "b0:\n v1:i64 = get x0\n v3:i32 = add v1, v1\n jump #0\n");
	refuses("operand a cannot be i64", "b0:\n v1:i64 = get x0\n v3:i1 = cond.eq v1\n jump #0\n");
	refuses("operand a cannot be v128 (lanes void)",
		"b0:\n v1:v128 = get v0\n v3:v128 = add v1, v1\n jump #0\n");
	refuses("operand a cannot be i64", "b0:\n v1:i64 = get x0\n brc v1, b1, b1\nb1:\n jump #0\n");
	refuses("the result cannot be void", "b0:\n v1:i64 = get x0\n add v1, v1\n jump #0\n");
	refuses("i32 is not wider than i64", "b0:\n v1:i64 = get x0\n v2:i32 = zext v1\n jump #0\n");
	refuses("v128 is not as long as i64", "b0:\n v1:v128 = get v0\n v2:i64 = cast v1\n jump #0\n");
	refuses("i8 does not hold a lane of i32", "b0:\n v1:v128 = get v0\n v2:i8 = vget.i32 v1\n jump #0\n");
}

TEST(ir_verify, refuses_wrong_slots)
{
	refuses("no slot 99", "b0:\n v1:i64 = get s99\n jump #0\n");
	refuses("no slot 32768", "b0:\n v1:i64 = get l0\n jump #0\n");
	refuses("slot is i64, not i32", "b0:\n v1:i32 = get x0\n jump #0\n");
	refuses("slot is i32, not i64", "b0:\n v1:i64 = get x0\n set w0, v1\n jump #0\n");
	refuses("slot has no index", "b0:\n v1:i32 = get w0\n v2:i64 = getx x1[v1]\n jump #0\n");
	refuses(NULL, "local l0:i8\nb0:\n v1:i8 = get l0\n jump #0\n");
}

TEST(ir_verify, refuses_values_that_do_not_come_before)
{
	refuses("operand a is v2, which does not come before",
		"b0:\n v1:i64 = add v2, v2\n v2:i64 = get x0\n jump #0\n");
	refuses("operand a is v1, which does not come before", "b0:\n v1:i64 = not v1\n jump #0\n");
	refuses("which does not come before",
		"b0:\n v1:i1 = const #1\n brc v1, b1, b2\nb1:\n v3:i64 = get x0\n br b2\n"
		"b2:\n jumpi v3\n");
	refuses("operand b is v0, which no block makes",
		"b0:\n v1:i64 = get x0\n v2:i64 = add v1, -\n jump #0\n");
}

TEST(ir_verify, refuses_broken_blocks)
{
	refuses("b0: is empty", "b1:\n jump #0\n");
	refuses("does not end the block", "b0:\n v1:i64 = get x0\n");
	refuses("b7 is not there", "b0:\n br b7\n");
	refuses("stands behind another operation",
		"b0:\n br b1\nb1:\n v2:i64 = get x0\n v3:i64 = phi b0:v2\n jump #0\n");
	refuses("1 values for 2 ways in",
		"b0:\n v1:i64 = get x0\n br b1\nb1:\n v3:i64 = phi b0:v1\n v4:i1 = eq v3, v1\n"
		" brc v4, b1, b2\nb2:\n jump #0\n");
	refuses("is not followed by CALL", "b0:\n v1:i64 = get x0\n args v1, -, -\n jump #0\n");
}

TEST(ir_verify, refuses_literals_out_of_range)
{
	refuses("literal 5 is not in 0..3", "b0:\n v1:v128 = get v0\n v2:i32 = vget.i32 v1, #5\n jump #0\n");
	refuses("literal 9 is not in 1..8", "b0:\n v1:v128 = get v0\n v2:v128 = rshru.i8 v1, #9\n jump #0\n");
	refuses("literal 65 is not in 1..64",
		"b0:\n v1:i64 = get x0\n v2:i64 = extractu v1, 60, 5\n jump #0\n");
	refuses("literal 3 is not in 1..0", "b0:\n v1:v128 = get v0\n v2:v128 = vlow v1, #3\n jump #0\n");
	refuses("literal 1 is not in 0..0", "b0:\n v1:v128 = vconst #0\n jump #0\n");
	refuses("literal 64 is not in 0..63",
		"b0:\n v1:i64 = get x0\n v2:i64 = funnel v1, v1, #64\n jump #0\n");
}

TEST(ir_verify, refuses_impossible_memory)
{
	refuses("i32 is too narrow for i64", "b0:\n v1:i64 = get x0\n v2:i32 = ld.i64 [v1]\n jump #0\n");
	refuses("flags cannot lie in memory", "b0:\n v1:i64 = get x0\n v2:i64 = ld.flags [v1]\n jump #0\n");
	refuses("sign extension of f32", "b0:\n v1:i64 = get x0\n v2:f32 = ld.f32.s [v1]\n jump #0\n");
	refuses("atomic exchange of f64",
		"b0:\n v1:i64 = get x0\n v2:i64 = rmw.add.f64 [v1], v1\n jump #0\n");
	refuses("operand a cannot be v128", "b0:\n v1:v128 = get v0\n v2:i32 = ld.i32 [v1]\n jump #0\n");
}

/* Damage of any kind to valid regions is refused or harmless, never a crash. */
TEST(ir_verify, damaged_regions_do_no_harm)
{
	static const char text[] =
	    "const 0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\nb0:\n v1:i64 = get x0\n v2:v128 = get v0\n"
	    " v3:v128 = shuffle v2, v2, #0\n v4:i64 = vget.i64 v3, #1\n br b1\n"
	    "b1:\n v6:i64 = phi b0:v4, b1:v7\n v7:i64 = add v6, v1\n v8:i1 = ltu v7, v1\n set v0, v3\n"
	    " brc v8, b1, b2\nb2:\n jumpi v7\n";
	u32 x = 1, refused = 0;
	for (unsigned i = 0; i < 20000; i++) {
		struct ir_region *r;
		struct err *e = ir_parse(text, slots, TY_I64, &r);
		CHECK(!e);
		x = x * 1664525 + 1013904223;
		u8 *p = (u8 *)(r->insn + 1);
		p[(x >> 8) % ((r->n_insn - 1) * sizeof(*r->insn))] ^= (u8)(1 << (x >> 4 & 7));
		e = ir_verify(r);
		refused += e != NULL;
		err_free(e);
		ir_free(r);
	}
	CHECK(refused > 10000 && refused < 20000);
}

TEST(ir_verify, refuses_an_end_inside_a_block)
{
	struct ir_region *r = ir_new(slots, TY_I64);
	for (unsigned i = 0; i < 2; i++)
		ir_emit(r, &(struct ir_insn){ .op = IR_JUMP });
	r->block[0].count = 2;
	struct err *e = ir_verify(r);
	CHECK_STR(e ? err_text(e) : "accepted", "b0: v1 (JUMP): ends the block too early");
	err_free(e);
	ir_free(r);
}
