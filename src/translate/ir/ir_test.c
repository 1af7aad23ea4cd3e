#include "ir.c"
#include "base/test.h"

static const struct ir_slot slots[] = { { "x0", 0, TY_I64, 0 }, { "x1", 8, TY_I64, 0 }, { 0 } };

TEST(ir, blocks_hold_what_is_emitted_between_start_and_end)
{
	struct ir_region *r = ir_new(slots, TY_I64);
	CHECK_EQ(r->n_slot, 2);
	u32 next = ir_block_new(r);
	ir_ref x = ir_emit(r, &(struct ir_insn){ .op = IR_GET, .type = TY_I64 });
	CHECK(!ir_block_ended(r));
	ir_emit(r, &(struct ir_insn){ .op = IR_BR, .a = next });
	CHECK(ir_block_ended(r));
	ir_emit(r, &(struct ir_insn){ .op = IR_GET, .type = TY_I64 }); /* of no block */
	ir_block_start(r, next);
	ir_emit(r, &(struct ir_insn){ .op = IR_JUMPI, .a = x });
	CHECK_EQ(r->block[0].first, 1);
	CHECK_EQ(r->block[0].count, 2);
	CHECK_EQ(r->block[next].first, 4);
	CHECK_EQ(r->block[next].count, 1);
	CHECK_EQ(ir_type_of(r, x), TY_I64);
	ir_reset(r);
	CHECK_EQ(r->n_block, 1);
	CHECK_EQ(r->n_insn, 1);
	ir_free(r);
}

TEST(ir, constants_are_shared)
{
	struct ir_region *r = ir_new(NULL, TY_I64);
	u8 one[16] = { 1 }, two[16] = { 2 }, both[32] = { [0] = 1, [16] = 2 };
	CHECK_EQ(ir_const128(r, one), 0);
	CHECK_EQ(ir_const128(r, two), 1);
	CHECK_EQ(ir_const128(r, one), 0);
	CHECK_EQ(ir_constv(r, both, 32), 0);
	CHECK_EQ(r->n_consts, 2);
	ir_free(r);
}

TEST(ir, a_condition_and_its_opposite_are_pairs)
{
	for (enum ir_cc cc = 0; cc < CC_COUNT; cc++)
		if (cc != CC_AL)
			CHECK(ir_cc_not(cc) != cc && ir_cc_not(cc) != CC_AL &&
			      ir_cc_not(ir_cc_not(cc)) == cc);
	CHECK_EQ(ir_cc_not(CC_HI), CC_LS);
	CHECK_EQ(ir_cc_not(CC_A), CC_BE);
	CHECK_EQ(ir_cc_not(CC_NP), CC_P);
}

TEST(ir, a_long_region_keeps_its_memory_for_the_next)
{
	struct ir_region *r = ir_new(slots, TY_I64);
	for (unsigned round = 0; round < 2; round++, ir_reset(r))
		for (unsigned i = 0; i < 5000; i++)
			ir_emit(r, &(struct ir_insn){ .op = IR_CONST, .type = TY_I64, .imm = i });
	CHECK(r->insn_cap >= 5000); /* memory is kept */
	ir_free(r);
}

/* Block `from` leads to one block, or to two. */
static void lead(struct ir_region *r, u32 from, u32 to, u32 other)
{
	ir_block_start(r, from);
	ir_emit(r, &(struct ir_insn){ .op = IR_CONST, .type = TY_I1 });
	if (other)
		ir_emit(r, &(struct ir_insn){ .op = IR_BRC, .a = r->n_insn - 1, .b = to, .c = other });
	else
		ir_emit(r, &(struct ir_insn){ .op = IR_BR, .a = to });
}

TEST(ir, loops_begin_where_a_way_comes_round_again)
{
	struct ir_region *r = ir_new(slots, TY_I64);
	while (r->n_block < 6)
		ir_block_new(r);
	lead(r, 0, 3, 1);
	lead(r, 3, 4, 0);
	lead(r, 4, 5, 3); /* 3 and 4: a loop */
	lead(
	    r, 1, 4,
	    2); /* into its middle, which stands before; that is no way round, but the loop now begins at two places */
	lead(r, 2, 2, 5);
	ir_block_start(r, 5);
	ir_emit(r, &(struct ir_insn){ .op = IR_JUMP });
	CHECK(ir_polls(r, 1, 4)); /* not looked at: it stands before */
	ir_mark_loops(r);
	CHECK(!r->block[0].head && !r->block[1].head && r->block[2].head && r->block[3].head &&
	      !r->block[4].head && !r->block[5].head);
	CHECK(!ir_polls(r, 1, 4) && ir_polls(r, 4, 3) && ir_polls(r, 0, 3));
	ir_reset(r);
	CHECK(!r->loops_marked);
	ir_free(r);
}
