#include "words.c"
#include "base/err.h"
#include "base/test.h"
#include "translate/ir/random.h"

static void nothing(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
}
static const u16 only_x1[] = { 2, 0xffff };
HELPER(ir_test_sets_x1) = {
	.name = "ir_test_sets_x1", .fn = nothing, .effects = HELP_WRITES | HELP_VOLATILE, .slots = only_x1
};
HELPER(ir_test_sets_all) = { .name = "ir_test_sets_all", .fn = nothing, .effects = HELP_WRITES };

/* How many extensions are left, and that the region is valid. */
static unsigned extensions_left(const char *text)
{
	struct ir_region *r;
	unsigned n = 0;
	struct err *e = ir_parse(text, random_slots, TY_I64, &r);
	if (!e) {
		ir_pass_forward(r);
		ir_pass_words(r);
		e = ir_verify(r);
	}
	if (e) {
		test_fail(__FILE__, __LINE__, "%s: %s", text, err_text(e));
		err_free(e);
		return ~0u;
	}
	AUTO(free_ptr) char *got = ir_print(r);
	for (const char *at = got; (at = strstr(at, "ext v")); at++)
		n++;
	ir_free(r);
	return n;
}

/* A loop in which x1 moves to x2 by what makes it a word; what comes before it and in it first. */
#define LOOP(before, first, extend) \
	"b0:\n v1:i64 = get x3\n " before "br b1\nb1:\n insn 4, #16\n " first \
	"v40:i64 = get x1\n v41:i32 = trunc v40\n v42:i64 = " extend " v41\n set x2, v42\n " \
	"v43:i1 = const #1\n v44:i64 = get x4\n v45:i64 = get x5\n v46:i1 = ltu v44, v45\n " \
	"brc v46, b1, b2\nb2:\n jump #32\n"

TEST(ir_words, what_is_a_word_on_every_way_is_not_extended_again)
{
	CHECK_EQ(extensions_left(LOOP("v2:i64 = ld.i32.s [v1]\n set x1, v2\n ", "", "sext")), 0);
	CHECK_EQ(extensions_left(LOOP("v2:i64 = ld.i32 [v1]\n set x1, v2\n ", "", "zext")), 0);
	CHECK_EQ(extensions_left(LOOP("v2:i64 = ld.i16 [v1]\n set x1, v2\n ", "", "sext")), 0);
	CHECK_EQ(extensions_left(LOOP("v2:i64 = const #0xffffffff80000000\n set x1, v2\n ", "", "sext")), 0);
	/* the loop's own: x1 takes x2, which takes x1 */
	CHECK_EQ(extensions_left(LOOP("v2:i64 = ld.i32.s [v1]\n set x1, v2\n set x2, v2\n ",
				      "v10:i64 = get x2\n set x1, v10\n ", "sext")),
		 0);
}

TEST(ir_words, what_need_not_be_a_word_is_extended)
{
	CHECK_EQ(extensions_left(LOOP("", "", "sext")), 1);
	CHECK_EQ(extensions_left(LOOP("v2:i64 = ld.i32.s [v1]\n set x1, v2\n ", "", "zext")), 1);
	CHECK_EQ(extensions_left(LOOP("v2:i64 = ld.i32 [v1]\n set x1, v2\n ", "", "sext")), 1);
	CHECK_EQ(extensions_left(LOOP("v2:i64 = const #0x80000000\n set x1, v2\n ", "", "sext")), 1);
	CHECK_EQ(extensions_left(LOOP("v2:i64 = ld.i64 [v1]\n set x1, v2\n ", "", "sext")), 1);
	/* a word at first, a sum of two later */
	CHECK_EQ(extensions_left(LOOP("v2:i64 = ld.i32.s [v1]\n set x1, v2\n ",
				      "v10:i64 = get x1\n v11:i64 = add v10, v10\n set x1, v11\n ", "sext")),
		 1);
	/* and a loop later: x1 takes x6, x6 what is not a word */
	CHECK_EQ(extensions_left(LOOP(
		     "v2:i64 = ld.i32.s [v1]\n set x1, v2\n set x6, v2\n ",
		     "v10:i64 = get x6\n set x1, v10\n v12:i64 = ld.i64 [v10]\n set x6, v12\n ", "sext")),
		 1);
}

TEST(ir_words, helpers_change_slots)
{
#define CALL(helper) "args -, -, -\n call " helper ", -, -, -\n "
	const char *const all =
	    LOOP("v2:i64 = ld.i32.s [v1]\n set x1, v2\n ", CALL("ir_test_sets_all"), "sext");
	CHECK_EQ(extensions_left(all), 1);
	CHECK_EQ(
	    extensions_left(LOOP("v2:i64 = ld.i32.s [v1]\n set x1, v2\n ", CALL("ir_test_sets_x1"), "sext")),
	    1);
}

/* What fact says of an operation on operands of which that much is known. */
static u8 fact(enum ir_op op, u8 a, u8 b, u64 count)
{
	struct ir_region *r = ir_new(random_slots, TY_I64);
	u8 known[5] = { 0, a, b, b, 0 }, now[1];
	struct words w = { .r = r, .fact = known, .now = now };
	ir_emit(r, &(struct ir_insn){ .op = IR_GET, .type = TY_I64, .imm = 1 });
	ir_emit(r, &(struct ir_insn){ .op = count ? IR_CONST : IR_GET, .type = TY_I64, .imm = count });
	ir_ref v = ir_emit(r, &(struct ir_insn){ .op = op, .type = TY_I64, .a = 1, .b = 2, .c = 2 });
	u8 f = fact_of(&w, r->insn + v);
	ir_free(r);
	return f;
}

/* Every fact that is claimed holds for all operands of which as much is known: tried with words at the bounds. */
TEST(ir_words, facts_hold)
{
	static const u64 value[] = { 0,
				     1,
				     0x7fffffff,
				     0x80000000,
				     0xffffffff,
				     0x100000000,
				     ~0ull,
				     0xffffffff80000000,
				     0xffffffff7fffffff,
				     1ull << 63,
				     0x7fffffffffffffff };
	static const enum ir_op op[] = { IR_AND, IR_OR, IR_XOR, IR_NOT, IR_SHR, IR_SAR };
	unsigned claims = 0;
	for (u32 i = 0; i < LEN(op) * LEN(value) * LEN(value); i++) {
		u64 a = value[i % LEN(value)], b = value[i / LEN(value) % LEN(value)];
		enum ir_op o = op[i / LEN(value) / LEN(value)];
		bool shift = o == IR_SHR || o == IR_SAR;
		u64 n = 30 + i / LEN(value) % LEN(value) / 3;
		u64 is = o == IR_AND   ? a & b
			 : o == IR_OR  ? a | b
			 : o == IR_XOR ? a ^ b
			 : o == IR_NOT ? ~a
			 : o == IR_SHR ? a >> n
				       : (u64)((i64)a >> n);
		u8 f = fact(o, constant(a), constant(b), shift ? n : 0);
		claims += f != 0;
		CHECK((f & ~constant(is)) == 0);
	}
	CHECK(claims > 200);
	CHECK_EQ(fact(IR_AND, UNSIGNED, 0, 0), UNSIGNED);
	CHECK_EQ(fact(IR_AND, BOTH, 0, 0), BOTH);
	CHECK_EQ(fact(IR_XOR, SIGNED, SIGNED, 0), SIGNED);
	CHECK_EQ(fact(IR_SELECT, 0, SIGNED, 0), SIGNED);
	CHECK_EQ(fact(IR_ADD, BOTH, BOTH, 0), 0);
}
