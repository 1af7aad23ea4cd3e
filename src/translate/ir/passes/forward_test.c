#include "forward.c"
#include "base/err.h"
#include "base/test.h"
#include "translate/ir/random.h"

static void six(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
}
static const u16 only_x1[] = { 2, 0xffff };
HELPER(ir_test_writes_x1) = {
	.name = "ir_test_writes_x1", .fn = six, .effects = HELP_WRITES, .slots = only_x1
};

/* The region after the pass, as text without its head; the first lines of both are compared. Region: b0 is implied. */
static void becomes(const char *text, const char *want)
{
	struct ir_region *r;
	struct err *e = ir_parse(text, random_slots, TY_I64, &r);
	if (!e && (e = ir_verify(r)))
		ir_free(r);
	if (e) {
		test_fail(__FILE__, __LINE__, "%s: %s", text, err_text(e));
		err_free(e);
		return;
	}
	for (u32 v = 1; v < r->n_insn; v++) /* gaps are room */
		if (r->insn[v].op == IR_NOP)
			r->insn[v].imm = IR_ROOM;
	ir_pass_forward(r);
	e = ir_verify(r);
	if (e)
		test_fail(__FILE__, __LINE__, "%s: %s", text, err_text(e));
	err_free(e);
	AUTO(free_ptr) char *got = ir_print(r);
	char *body = strstr(got, "b0:"), *to = got;
	for (; *body; body++) /* without the blocks' comments and tabs */
		if (*body == ';')
			while (body[1] != '\n')
				body++;
		else if (*body != '\t' && !(*body == ' ' && body[1] == ';'))
			*to++ = *body;
	*to = 0;
	CHECK_STR(got, want);
	ir_free(r);
}

TEST(ir_forward, a_get_takes_the_value_that_was_set)
{
	becomes("b0:\n v1:i64 = get x1\n v2:i64 = not v1\n set x2, v2\n v4:i64 = get x2\n v5:i64 = get x1\n "
		"set x3, v4\n set x4, v5\n jump #8\n",
		"b0:\nv1:i64 = get x1\nv2:i64 = not v1\nset x2, v2\nset x3, v2\nset x4, v1\njump #0x8\n");
}

TEST(ir_forward, flags_put_back_behind_a_comparison_are_so_for_nans_alone)
{
	static const char start
	    [] = "b0:\n v1:f64 = get d0\n v2:f64 = get d1\n v3:i32 = fpflags\n v4:i8 = trunc v3\n "
		 "v5:i8 = bitrev v4\n v6:i8 = const #3\n v7:i8 = shr v5, v6\n v8:i64 = zext v7\n set x1, "
		 "v8\n ",
       again[] = "v20:i64 = get x1\n v21:i8 = trunc v20\n v22:i8 = bitrev v21\n v23:i8 = shr v22, v6\n "
		 "v24:i32 = zext v23\n setfpflags v24\n jump #8\n",
       head[] =
	    "b0:\nv1:f64 = get d0\nv2:f64 = get d1\nv3:i32 = fpflags\nv4:i8 = trunc v3\nv5:i8 = bitrev v4\n"
	    "v6:i8 = const #0x3\nv7:i8 = shr v5, v6\nv8:i64 = zext v7\nset x1, v8\n",
       tail[] = "v22:i8 = bitrev v7\nv23:i8 = extractu v4, 0, 5\nv24:i32 = zext v23\n";
	static const struct {
		const char *text, *want, *end;
	} rows[] = {
		{ "v10:i1 = flt v1, v2\n set bit0, v10\n ", "v10:i1 = flt v1, v2\nset bit0, v10\n",
		  "unraise v3, v1, v2\n" },
		{ "v10:i1 = fle v1, v2\n v11:i1 = feq v2, v1\n ",
		  "v10:i1 = fle v1, v2\nv11:i1 = feq v2, v1\n", "unraise v3, v1, v2\n" },
		{ "", "", "" },
		/* what raises more, or compares others */
		{ "v10:f64 = fadd v1, v2\n ", "v10:f64 = fadd v1, v2\n", "setfpflags v24\n" },
		{ "v10:i1 = flt v1, v2\n v11:i1 = flt v1, v1\n ",
		  "v10:i1 = flt v1, v2\nv11:i1 = flt v1, v1\n", "setfpflags v24\n" },
		{ "v10:i1 = flt v1, v2\n setfpflags v3\n ", "v10:i1 = flt v1, v2\nunraise v3, v1, v2\n",
		  "setfpflags v24\n" },
	};
	for (unsigned i = 0; i < LEN(rows); i++) {
		AUTO(free_ptr) char *text = strf("%s%s%s", start, rows[i].text, again);
		AUTO(free_ptr)
		char *want = strf("%s%s%s%sjump #0x8\n", head, rows[i].want, tail, rows[i].end);
		becomes(text, want);
	}
}

TEST(ir_forward, a_truth_value_widened_is_asked_itself)
{
	becomes("b0:\n v1:i1 = get bit0\n v2:i64 = zext v1\n v3:i64 = const #0\n v4:i1 = ne v2, v3\n v5:i1 = "
		"eq v2, v3\n "
		"set bit0, v5\n set bit1, v4\n jump #8\n",
		"b0:\nv1:i1 = get bit0\nv2:i64 = zext v1\nv3:i64 = const\nv5:i1 = not v1\nset bit0, v5\nset "
		"bit1, v1\njump #0x8\n");
}

TEST(ir_forward, values_go_on_into_a_block_with_one_way_in)
{
	becomes("b0:\n v1:i64 = get x1\n v2:i1 = get bit0\n brc v2, b1, b2\nb1:\n v4:i64 = get x1\n set x2, "
		"v4\n br b2\n"
		"b2:\n v7:i64 = get x1\n set x3, v7\n jump #8\n",
		"b0:\nv1:i64 = get x1\nv2:i1 = get bit0\nbrc v2, b1, b2\nb1:\nset x2, v1\nbr b2\n"
		"b2:\nv7:i64 = get x1\nset x3, v7\njump #0x8\n");
}

TEST(ir_forward, a_set_of_what_is_there_goes)
{
	becomes("b0:\n v1:i64 = get x1\n set x1, v1\n set x2, v1\n set x2, v1\n jump #8\n",
		"b0:\nv1:i64 = get x1\nset x2, v1\njump #0x8\n");
}

TEST(ir_forward, indexed_sets_and_helpers_end_what_is_known)
{
	becomes("b0:\n v1:i64 = get x1\n v2:i64 = get x5\n v3:i32 = get w0\n setx x0[v3], v2\n v5:i64 = get "
		"x1\n v6:i64 = get x5\n"
		" set x6, v5\n set x7, v6\n jump #8\n",
		"b0:\nv1:i64 = get x1\nv2:i64 = get x5\nv3:i32 = get w0\nsetx x0[v3], v2\nv5:i64 = get "
		"x1\nset x6, v5\nset x7, v2\njump #0x8\n");
	becomes("b0:\n v1:i64 = get x1\n v2:i64 = get x5\n call ir_test_writes_x1, -, -, -\n v5:i64 = get "
		"x1\n v6:i64 = get x5\n"
		" set x6, v5\n set x7, v6\n jump #8\n",
		"b0:\nv1:i64 = get x1\nv2:i64 = get x5\ncall ir_test_writes_x1, -, -, -\nv5:i64 = get "
		"x1\nset x6, v5\nset x7, v2\njump #0x8\n");
}

TEST(ir_forward, an_index_that_is_known_becomes_a_slot)
{
	becomes("b0:\n v1:i32 = const #2\n v2:i64 = getx x0[v1]\n setx x0[v1], v2\n set x5, v2\n jump #8\n",
		"b0:\nv1:i32 = const #0x2\nv2:i64 = get x2\nset x5, v2\njump #0x8\n");
}

TEST(ir_forward, constants_are_folded_and_algebra_done)
{
	becomes("b0:\n v1:i64 = const #6\n v2:i64 = const #7\n v3:i64 = mul v1, v2\n set x1, v3\n v5:i64 = "
		"get x2\n v6:i64 = const #0\n"
		" v7:i64 = add v6, v5\n v8:i64 = xor v7, v7\n set x3, v7\n set x4, v8\n jump #8\n",
		"b0:\nv1:i64 = const #0x6\nv2:i64 = const #0x7\nv3:i64 = const #0x2a\nset x1, v3\nv5:i64 = "
		"get x2\nv6:i64 = const\n"
		"set x3, v5\nset x4, v6\njump #0x8\n");
	becomes("b0:\n v1:i32 = get w0\n v2:i32 = const #0xffffffffffffffff\n v3:i32 = and v1, v2\n v4:i32 = "
		"xor v1, v2\n set w1, v3\n"
		" set w2, v4\n v7:i32 = deposit v1, v2, #0x808\n v8:i1 = eq v1, v1\n v9:i32 = select v8, v7, "
		"v1\n set w3, v9\n jump #8\n",
		"b0:\nv1:i32 = get w0\nv2:i32 = const #0xffffffffffffffff\nv4:i32 = not v1\nset w1, v1\nset "
		"w2, v4\n"
		"v7:i32 = deposit v1, v2, #0x808\nv8:i1 = const #0x1\nset w3, v7\njump #0x8\n");
}

TEST(ir_forward, chains_of_widths_are_cut)
{
	becomes("b0:\n v1:i32 = get w0\n v2:i64 = zext v1\n v3:i32 = trunc v2\n v4:i64 = zext v3\n v5:i8 = "
		"trunc v2\n v6:i16 = trunc v4\n"
		" set w1, v3\n set x1, v4\n set b0, v5\n set h0, v6\n jump #8\n",
		"b0:\nv1:i32 = get w0\nv2:i64 = zext v1\nv5:i8 = trunc v1\nv6:i16 = trunc v1\nset w1, "
		"v1\nset x1, v2\nset b0, v5\nset h0, v6\njump #0x8\n");
	becomes("b0:\n v1:i64 = get x1\n v2:i64 = get x2\n v3:i128 = pair v1, v2\n v4:i64 = hi v3\n set x3, "
		"v4\n v6:i64 = lo v3\n v7:i64 = hi v3\n"
		" v8:i128 = pair v6, v7\n set q0, v8\n jump #8\n",
		"b0:\nv1:i64 = get x1\nv2:i64 = get x2\nv3:i128 = pair v1, v2\nset x3, v2\nset q0, v3\njump "
		"#0x8\n");
}

TEST(ir_forward, scalars_pass_through_vectors)
{
	becomes("b0:\n v1:f64 = get d0\n v2:v128 = vzext v1\n v3:v128 = vlow v2, #8\n set v0, v3\n v5:v128 = "
		"get v0\n v6:f64 = vtrunc v5\n"
		" set d1, v6\n v8:i64 = vget.i64 v5\n set x1, v8\n jump #8\n",
		"b0:\nv1:f64 = get d0\nv2:v128 = vzext v1\nset v0, v2\nset d1, v1\nv8:i64 = cast v1\nset x1, "
		"v8\njump #0x8\n");
	becomes(
	    "b0:\n v1:v128 = get v1\n v2:f32 = vtrunc v1\n v3:v128 = vzext v2\n v4:v128 = vlow v3, #8\n set "
	    "v0, v4\n jump #8\n",
	    "b0:\nv1:v128 = get v1\nv2:f32 = vtrunc v1\nv3:v128 = vlow v1, #0x4\nset v0, v3\njump #0x8\n");
}

TEST(ir_forward, conditions_of_subtractions_become_comparisons)
{
	becomes("b0:\n v1:i64 = get x1\n v2:i64 = get x2\n v3:flags = flsub v1, v2\n set fl0, v3\n v5:i1 = "
		"cond.hi v3\n v6:i1 = not v5\n"
		" brc v6, b1, b2, #1\nb1:\n jump #8\nb2:\n jump #12\n",
		"b0:\nv1:i64 = get x1\nv2:i64 = get x2\nv3:flags = flsub v1, v2\nset fl0, v3\nv5:i1 = ltu "
		"v2, v1\nv6:i1 = leu v1, v2\n"
		"brc v6, b1, b2, #0x1\nb1:\njump #0x8\nb2:\njump #0xc\n");
	becomes("b0:\n v1:i64 = get x1\n v2:flags = flsub v1, v1, #1\n v3:i1 = cond.be v2\n brc v3, b1, "
		"b2\nb1:\n jump #8\nb2:\n jump #12\n",
		"b0:\nv1:i64 = get x1\nv2:flags = flsub v1, v1, #0x1\nv3:i1 = const #0x1\nbr b1\nb1:\njump "
		"#0x8\nb2:\njump #0xc\n");
}

TEST(ir_forward, a_displacement_takes_what_is_added_to_the_address)
{
	becomes("b0:\n v1:i64 = get x1\n v2:i64 = const #0xfffffffffffffff0\n v3:i64 = add v1, v2\n v4:i64 = "
		"ld.i64 [v3+4]\n set x1, v4\n jump #8\n",
		"b0:\nv1:i64 = get x1\nv2:i64 = const #0xfffffffffffffff0\nv3:i64 = add v1, v2\nv4:i64 = "
		"ld.i64 [v1-12]\nset x1, v4\njump #0x8\n");
}

TEST(ir_forward, what_was_computed_in_the_block_is_not_computed_again)
{
	becomes("b0:\n v1:i64 = get x1\n v2:i64 = const #3\n v3:i64 = shl v1, v2\n v4:i64 = const #3\n "
		"v5:i64 = shl v1, v4\n v6:i64 = add v3, v5\n"
		" set x2, v6\n jump #8\n",
		"b0:\nv1:i64 = get x1\nv2:i64 = const #0x3\nv3:i64 = shl v1, v2\nv6:i64 = add v3, v3\nset "
		"x2, v6\njump #0x8\n");
}

TEST(ir_forward, a_branch_that_is_decided_takes_its_phis_value)
{
	becomes("b0:\n v1:i64 = get x1\n v2:i1 = const #0\n brc v2, b1, b2\nb1:\n br b2\nb2:\n v5:i64 = phi "
		"b0:v1, b1:v1\n set x2, v5\n jump #8\n",
		"b0:\nv1:i64 = get x1\nv2:i1 = const\nbr b2\nb1:\nbr b2\nb2:\nv5:i64 = phi b0:v1, b1:v1\nset "
		"x2, v5\njump #0x8\n");
}

TEST(ir_forward, shifts_that_meet_are_a_rotation)
{
	becomes("b0:\n v1:i64 = get x1\n v2:i64 = const #0x3\n v3:i64 = const #0x3d\n v4:i64 = shl v1, v2\n "
		"v5:i64 = shr v1, v3\n"
		" v6:i64 = or v5, v4\n set x2, v6\n jump #8\n",
		"b0:\nv1:i64 = get x1\nv2:i64 = const #0x3\nv3:i64 = const #0x3d\nv4:i64 = shl v1, "
		"v2\nv5:i64 = shr v1, v3\n"
		"v6:i64 = rotr v1, v3\nset x2, v6\njump #0x8\n");
}

TEST(ir_forward, shifts_there_and_back_are_low_bits)
{
	becomes(
	    "b0:\n v1:i64 = get x1\n v2:i64 = const #0x20\n v3:i64 = shl v1, v2\n v4:i64 = shr v3, v2\n "
	    "v5:i64 = sar v3, v2\n"
	    " set x2, v4\n set x3, v5\n jump #8\n",
	    "b0:\nv1:i64 = get x1\nv2:i64 = const #0x20\nv3:i64 = shl v1, v2\nv4:i64 = extractu v1, 0, 32\n"
	    "v5:i64 = extracts v1, 0, 32\nset x2, v4\nset x3, v5\njump #0x8\n");
}

TEST(ir_forward, bits_of_extended_words_are_computed_on_the_words)
{
	becomes("b0:\n v1:i32 = get w0\n v2:i32 = const #0x3\n v3:i32 = const #0x1d\n v4:i32 = shl v1, v2\n "
		"v5:i64 = sext v4\n"
		" v6:i32 = shr v1, v3\n v7:i64 = sext v6\n v9:i64 = or v7, v5\n v10:i64 = not v9\n v12:i64 = "
		"not v9\n v13:i32 = trunc v9\n"
		" set w1, v13\n set x2, v10\n set x3, v12\n jump #8\n",
		"b0:\nv1:i32 = get w0\nv2:i32 = const #0x3\nv3:i32 = const #0x1d\nv4:i32 = shl v1, "
		"v2\nv5:i64 = sext v4\n"
		"v6:i32 = shr v1, v3\nv7:i64 = zext v6\nv8:i32 = rotr v1, v3\nv9:i64 = sext v8\nv10:i64 = "
		"not v9\nv11:i32 = not v8\n"
		"v12:i64 = sext v11\nset w1, v8\nset x2, v10\nset x3, v12\njump #0x8\n");
}

TEST(ir_forward, what_was_shifted_right_has_no_sign)
{
	becomes("b0:\n v1:i32 = get w0\n v2:i32 = const #0x3\n v3:i32 = shr v1, v2\n v4:i64 = sext v3\n set "
		"x1, v4\n jump #8\n",
		"b0:\nv1:i32 = get w0\nv2:i32 = const #0x3\nv3:i32 = shr v1, v2\nv4:i64 = zext v3\nset x1, "
		"v4\njump #0x8\n");
}

TEST(ir_forward, a_word_loaded_by_its_sign_is_extended_already)
{
	becomes("b0:\n v1:i64 = get mem\n v2:i64 = ld.i32.s [v1]\n v3:i32 = trunc v2\n v4:i64 = sext v3\n "
		"set x1, v4\n jump #8\n",
		"b0:\nv1:i64 = get mem\nv2:i64 = ld.i32.s [v1]\nv3:i32 = trunc v2\nset x1, v2\njump #0x8\n");
}

TEST(ir_forward, what_was_boxed_is_unboxed_for_nothing)
{
	becomes("b0:\n v1:f32 = get s0\n v2:f64 = fbox v1\n v3:f32 = funbox v2\n v4:f16 = funbox v2\n v5:f32 "
		"= fcvt v4\n set s1, v3\n"
		" set s0, v5\n jump #8\n",
		"b0:\nv1:f32 = get s0\nv2:f64 = fbox v1\nv4:f16 = funbox v2\nv5:f32 = fcvt v4\nset s1, "
		"v1\nset s0, v5\njump #0x8\n");
}
