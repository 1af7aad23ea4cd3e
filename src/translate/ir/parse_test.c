#include "parse.c"
#include "base/test.h"

static const struct ir_slot slots[] = {
	{ "x0", 0, TY_I64, 2 }, { "x1", 8, TY_I64, 0 }, { "v0", 48, TY_V128, 0 }, { 0 }
};

static void first_argument(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
	ret->u = arg[0].u;
}
HELPER(ir_text_test) = { .name = "ir_text_test", .fn = first_argument };

/* One of everything that has a form of its own. */
static const char sample[] = "region pc 0x400 key 0x7 end 0x408\n"
			     "local l0:i32\n"
			     "const 0: 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e ff\n"
			     "b0: ; pc 0x400 weight 12\n"
			     "\tinsn 4, #0x400\n"
			     "\tv2:i64 = get x0\n"
			     "\tv3:i32 = ld.i32.s.be.acq [v2+16]\n"
			     "\tset l0, v3\n"
			     "\tv5:i64 = rmw.maxs.i64.acq_rel.align8 [v2-8], v2\n"
			     "\tv6:i64 = cas.i64.sc.single.mmu2 [v2], v5, v2\n"
			     "\tst.i8.tso [v2+1], v6\n"
			     "\tv8:v128 = get v0\n"
			     "\tv9:v128 = shuffle v8, v8, #0x0\n"
			     "\tv10:v128 = add.i32 v8, v9\n"
			     "\tv11:i64 = getx x0[v3]\n"
			     "\tsetx x0[v3], v11\n"
			     "\tv13:flags = flsub v5, v6, #0x1\n"
			     "\tv14:i1 = cond.hi v13\n"
			     "\tbrc v14, b1, b2, #0x2\n"
			     "b2: ; pc 0x404 cold\n"
			     "\tv16:i64 = extractu v2, 3, 7\n"
			     "\targs v2, v5, -\n"
			     "\tv18:i64 = call ir_text_test, v2, v5, v16\n"
			     "\traise v18, 1, #0x408\n"
			     "b1: ; pc 0x404\n"
			     "\tv20:i64 = phi b0:v2, b1:v22\n"
			     "\tv22:i64 = const #0x1234\n"
			     "\tv23:i1 = eq v20, v22\n"
			     "\tbrc v23, b1, b3\n"
			     "b3: ; pc 0x0\n"
			     "\tgosub 4, #0x1000\n";

TEST(ir_text, every_form_reads_back)
{
	struct ir_region *r;
	struct err *e = ir_parse(sample, slots, TY_I64, &r);
	if (e) {
		test_fail(__FILE__, __LINE__, "%s", err_text(e));
		err_free(e);
		return;
	}
	CHECK_EQ(r->pc, 0x400);
	CHECK_EQ(r->key, 7);
	CHECK_EQ(r->end_pc, 0x408);
	CHECK_EQ(r->insn[3].mem.disp, 16);
	CHECK_EQ(r->insn[3].mem.order, ORD_ACQUIRE);
	CHECK_EQ(r->insn[5].mem.align, 3);
	CHECK_EQ(r->insn[5].mem.disp, -8);
	CHECK_EQ(r->insn[14].imm, CC_HI);
	CHECK_EQ(r->block[0].weight, 12);
	CHECK(r->block[2].cold);
	AUTO(free_ptr) char *text = ir_print(r);
	/* a literal of zero is not written */
	AUTO(free_ptr) char *want = str_dup(sample);
	char *zero = strstr(want, ", #0x0");
	memmove(zero, zero + 6, strlen(zero + 6) + 1);
	CHECK_STR(text, want);
	ir_free(r);
}

static void refuses(const char *reason, const char *text)
{
	struct ir_region *r;
	struct err *e = ir_parse(text, slots, TY_I64, &r);
	if (!e) {
		test_fail(__FILE__, __LINE__, "accepted: %s", text);
		ir_free(r);
		return;
	}
	CHECK_STR(err_text(e), reason);
	err_free(e);
}

TEST(ir_text, mistakes_are_named_with_their_line)
{
	refuses("line 2: unknown operation 'frobnicate'", "b0:\n v1:i64 = frobnicate v2\n");
	refuses("line 2: unknown type 'i65'", "b0:\n v1:i65 = get x0\n");
	refuses("line 2: unknown slot 'x9'", "b0:\n v1:i64 = get x9\n");
	refuses("line 3: v7 is used and nowhere made", "b0:\n jumpi v7\n");
	refuses("line 3: v1 is there already", "b0:\n v1:i64 = get x0\n v1:i64 = get x0\n");
	refuses("line 2: unknown property 'i33'", "b0:\n v1:i64 = ld.i33 [v1]\n");
	refuses("line 2: unknown helper 'nobody'", "b0:\n v1:i64 = call nobody, -, -, -\n");
	refuses("line 1: unknown operation 'bx'", "bx\n");
	refuses("line 3: the block has ended", "b0:\n jump #0\n jump #4\n");
}

/* Any text is read or refused. */
TEST(ir_text, damaged_text_does_no_harm)
{
	u32 x = 7, read = 0;
	for (unsigned i = 0; i < 20000; i++) {
		AUTO(free_ptr) char *text = str_dup(sample);
		struct ir_region *r;
		for (unsigned k = 0; k < 2; k++) {
			x = x * 1664525 + 1013904223;
			text[(x >> 8) % (sizeof(sample) - 1)] = (char)(32 + (x >> 24) % 95);
		}
		struct err *e = ir_parse(text, slots, TY_I64, &r);
		if (!e) {
			read++;
			free(ir_print(r));
			err_free(ir_verify(r));
			ir_free(r);
		}
		err_free(e);
	}
	CHECK(read > 100);
}
