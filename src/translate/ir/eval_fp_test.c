#include "eval_fp.c"
#include "base/test.h"

/* A region with three operands of the given types, and one instruction to evaluate on them. */
struct bench {
	struct ir_region r;
	struct ir_insn insn[4];
	u32 flags;
	union ir_val v[3], out;
};

static void bench_eval(struct bench *b, enum ir_op op, enum ir_type type, enum ir_type lane,
		       enum ir_type from, u64 imm)
{
	b->r.insn = b->insn;
	b->flags = 0;
	for (unsigned i = 0; i < 3; i++)
		b->insn[i].type = from;
	struct ir_insn in = { .op = op, .type = type, .lane = lane, .a = 0, .b = 1, .c = 2, .imm = imm };
	ir_eval(&b->r, &in, &b->v[0], &b->v[1], &b->v[2], &b->out, &b->flags);
}

static void put_f32(union ir_val *v, float a, float b, float c, float d)
{
	float lanes[4] = { a, b, c, d };
	for (unsigned i = 0; i < 4; i++) {
		u32 bits;
		memcpy(&bits, &lanes[i], 4);
		lane_put(v, 4, i, bits);
	}
}

static float get_f32(const union ir_val *v, unsigned i)
{
	u32 bits = lane_get(v, 4, i);
	float f;
	memcpy(&f, &bits, 4);
	return f;
}

#define CHECK_LANES(v, a, b, c, d) \
	CHECK(get_f32(v, 0) == (a) && get_f32(v, 1) == (b) && get_f32(v, 2) == (c) && get_f32(v, 3) == (d))

TEST(eval_fp, adds_scalars_and_lanes_and_collects_flags)
{
	struct bench b = { .r.fp = fp_arm };
	b.v[0].u = 0x3ff0000000000000;
	b.v[1].u = 0x3ca0000000000000; /* 2^-53 */
	bench_eval(&b, IR_FADD, TY_F64, TY_VOID, TY_F64, 0);
	CHECK_EQ(b.out.u, 0x3ff0000000000000);
	CHECK_EQ(b.flags, FP_INEXACT);
	bench_eval(&b, IR_FADD, TY_F64, TY_VOID, TY_F64, FP_UP);
	CHECK_EQ(b.out.u, 0x3ff0000000000001);
	put_f32(&b.v[0], 1, 2, 3, 4);
	put_f32(&b.v[1], 10, 20, 30, 40);
	bench_eval(&b, IR_FADD, TY_V128, TY_F32, TY_V128, 0);
	CHECK_LANES(&b.out, 11, 22, 33, 44);
	CHECK_EQ(b.flags, 0);
}

TEST(eval_fp, keeps_only_the_flags_that_the_guest_has)
{
	struct bench b = { .r.fp = fp_arm };
	b.v[0].w = 1; /* a denormal */
	b.v[1].w = 0x3f800000;
	bench_eval(&b, IR_FADD, TY_F32, TY_VOID, TY_F32, FP_UP);
	CHECK_EQ(b.flags, FP_INEXACT);
	b.r.fp.flush_in = true;
	bench_eval(&b, IR_FADD, TY_F32, TY_VOID, TY_F32, 0);
	CHECK_EQ(b.flags, FP_INPUT_FLUSHED);
	b.r.fp = fp_x86;
	bench_eval(&b, IR_FADD, TY_F32, TY_VOID, TY_F32, 0);
	CHECK_EQ(b.flags, FP_INEXACT | FP_INPUT_DENORMAL);
	b.r.fp = fp_ppc;
	b.v[0].w = 0x7f800000;
	b.v[1].w = 0xff800000;
	bench_eval(&b, IR_FADD, TY_F32, TY_VOID, TY_F32, 0);
	CHECK_EQ(b.flags, FP_INVALID | FP_INVALID_ISI);
}

TEST(eval_fp, obeys_the_rounding_of_the_region_unless_the_instruction_has_one)
{
	struct bench b = { .r.fp = fp_arm };
	b.r.fp.round = FP_DOWN;
	b.v[0].w = 0xc0200000; /* -2.5 */
	bench_eval(&b, IR_FTOI, TY_I32, TY_VOID, TY_F32, 0);
	CHECK_EQ(b.out.w, (u32)-3);
	bench_eval(&b, IR_FTOI, TY_I32, TY_VOID, TY_F32, FP_NEAREST_AWAY);
	CHECK_EQ(b.out.w, (u32)-3);
	bench_eval(&b, IR_FTOI, TY_I32, TY_VOID, TY_F32, FP_NEAREST_EVEN);
	CHECK_EQ(b.out.w, (u32)-2);
	bench_eval(&b, IR_FTOI, TY_I64, TY_VOID, TY_F32, FP_TO_ZERO | 4 << 16); /* four fraction bits */
	CHECK_EQ(b.out.u, (u64)-40);
	CHECK_EQ(b.flags, 0);
	bench_eval(&b, IR_FTOU, TY_I32, TY_VOID, TY_F32, FP_TO_ZERO);
	CHECK_EQ(b.out.w, 0);
	CHECK(b.flags & FP_INVALID);
}

TEST(eval_fp, multiplies_and_adds_with_one_rounding)
{
	struct bench b = { .r.fp = fp_riscv };
	b.v[0].u = 0x3ff0000000000001;
	b.v[1].u = 0x3ff0000000000001;
	b.v[2].u = 0xbff0000000000002;
	bench_eval(&b, IR_FMA, TY_F64, TY_VOID, TY_F64, 0);
	CHECK_EQ(b.out.u, 0x3970000000000000); /* 2^-104 */
	bench_eval(&b, IR_FMA, TY_F64, TY_VOID, TY_F64, 1 << 8 | 1 << 9);
	CHECK_EQ(b.out.u, 0xb970000000000000);
	bench_eval(&b, IR_FMA, TY_F64, TY_VOID, TY_F64, 1 << 10);
	CHECK_EQ(b.out.u, 0xb970000000000000);
}

TEST(eval_fp, compares_into_flags_of_both_forms)
{
	static const struct {
		u32 a, b, arm, x86;
	} rows[] = {
		{ 0x3f800000, 0x40000000, FL_N, FL_C },
		{ 0x3f800000, 0x3f800000, FL_Z | FL_C, FL_Z },
		{ 0x40000000, 0x3f800000, FL_C, 0 },
		{ 0x7fc00000, 0x3f800000, FL_C | FL_V, FL_Z | FL_P | FL_C },
	};
	struct bench b = { .r.fp = fp_arm };
	for (unsigned i = 0; i < LEN(rows); i++) {
		b.v[0].w = rows[i].a;
		b.v[1].w = rows[i].b;
		bench_eval(&b, IR_FLFCMP, TY_FLAGS, TY_VOID, TY_F32, 0);
		CHECK_EQ(b.out.w, rows[i].arm);
		CHECK_EQ(b.flags, 0);
		bench_eval(&b, IR_FLFCMP, TY_FLAGS, TY_VOID, TY_F32, 3);
		CHECK_EQ(b.out.w, rows[i].x86);
		CHECK_EQ(b.flags & FP_INVALID, i == 3 ? FP_INVALID : 0);
	}
}

TEST(eval_fp, lane_comparisons_give_masks_and_order_matters)
{
	struct bench b = { .r.fp = fp_arm };
	put_f32(&b.v[0], 1, 2, 3, 4);
	put_f32(&b.v[1], 1, 3, 2, 4);
	bench_eval(&b, IR_VFGE, TY_V128, TY_F32, TY_V128, 0);
	CHECK_EQ(ld_le64(b.out.b), 0x00000000ffffffff);
	CHECK_EQ(ld_le64(b.out.b + 8), ~0ull);
	bench_eval(&b, IR_VFGT, TY_V128, TY_F32, TY_V128, 0);
	CHECK_EQ(ld_le64(b.out.b), 0);
	CHECK_EQ(ld_le64(b.out.b + 8), 0x00000000ffffffff);
	bench_eval(&b, IR_VFEQ, TY_V128, TY_F32, TY_V128, 0);
	CHECK_EQ(ld_le64(b.out.b), 0x00000000ffffffff);
	CHECK_EQ(ld_le64(b.out.b + 8), 0xffffffff00000000);
}

TEST(eval_fp, pairs_take_neighbours_of_a_then_of_b)
{
	struct bench b = { .r.fp = fp_arm };
	put_f32(&b.v[0], 1, 2, 3, 5);
	put_f32(&b.v[1], 10, 20, 30, 50);
	bench_eval(&b, IR_VFPADD, TY_V128, TY_F32, TY_V128, 0);
	CHECK_LANES(&b.out, 3, 8, 30, 80);
	bench_eval(&b, IR_VFPMAX, TY_V128, TY_F32, TY_V128, FP_MM_NUMBER_2008 << 8);
	CHECK_LANES(&b.out, 2, 5, 20, 50);
	bench_eval(&b, IR_VFPMIN, TY_V128, TY_F32, TY_V128, 0);
	CHECK_LANES(&b.out, 1, 3, 10, 30);
}

TEST(eval_fp, complex_products_add_up_over_two_rotations)
{
	struct bench b = { .r.fp = fp_arm };
	/* (1 + 2i)(5 + 6i) = -7 + 16i, (3 + 4i)(7 + 8i) = -11 + 52i */
	put_f32(&b.v[0], 0, 0, 0, 0);
	put_f32(&b.v[1], 1, 2, 3, 4);
	put_f32(&b.v[2], 5, 6, 7, 8);
	bench_eval(&b, IR_FCMLA, TY_V128, TY_F32, TY_V128, 0 << 8);
	b.v[0] = b.out;
	bench_eval(&b, IR_FCMLA, TY_V128, TY_F32, TY_V128, 1 << 8);
	CHECK_LANES(&b.out, -7, 16, -11, 52);
	/* 180 and 270 degrees take the same away again */
	b.v[0] = b.out;
	bench_eval(&b, IR_FCMLA, TY_V128, TY_F32, TY_V128, 2 << 8);
	b.v[0] = b.out;
	bench_eval(&b, IR_FCMLA, TY_V128, TY_F32, TY_V128, 3 << 8);
	CHECK_LANES(&b.out, 0, 0, 0, 0);
	/* a + i c and a - i c */
	put_f32(&b.v[0], 10, 20, 30, 40);
	bench_eval(&b, IR_FCADD, TY_V128, TY_F32, TY_V128, 0);
	CHECK_LANES(&b.out, 8, 21, 26, 43);
	bench_eval(&b, IR_FCADD, TY_V128, TY_F32, TY_V128, 1 << 8);
	CHECK_LANES(&b.out, 12, 19, 34, 37);
}

TEST(eval_fp, lanes_widen_from_either_half_and_narrow_into_the_low_one)
{
	struct bench b = { .r.fp = fp_arm };
	for (unsigned i = 0; i < 8; i++)
		lane_put(&b.v[0], 2, i, i < 4 ? 0x3c00 : 0x4000); /* 1 and 2 */
	bench_eval(&b, IR_FCVT, TY_V128, TY_F16, TY_V128, TY_F32 << 16);
	CHECK_LANES(&b.out, 1, 1, 1, 1);
	bench_eval(&b, IR_FCVT, TY_V128, TY_F16, TY_V128, TY_F32 << 16 | 1 << 8);
	CHECK_LANES(&b.out, 2, 2, 2, 2);
	put_f32(&b.v[0], 1, 2, 1, 2);
	bench_eval(&b, IR_FCVT, TY_V128, TY_F32, TY_V128, TY_F16 << 16);
	CHECK_EQ(ld_le64(b.out.b), 0x40003c0040003c00);
	CHECK_EQ(ld_le64(b.out.b + 8), 0);
	bench_eval(&b, IR_FCVT, TY_V128, TY_F32, TY_V128, TY_BF16 << 16);
	CHECK_EQ(ld_le64(b.out.b), 0x40003f8040003f80);
}

TEST(eval_fp, converts_integer_lanes_with_fraction_bits)
{
	struct bench b = { .r.fp = fp_arm };
	for (unsigned i = 0; i < 4; i++)
		lane_put(&b.v[0], 4, i, (u32) - (i32)i * 3);
	bench_eval(&b, IR_ITOF, TY_V128, TY_I32, TY_V128, 1 << 16);
	CHECK_LANES(&b.out, 0, -1.5, -3, -4.5);
	b.v[0] = b.out;
	bench_eval(&b, IR_FTOI, TY_V128, TY_I32, TY_V128, FP_TO_ZERO | 1 << 16);
	CHECK_EQ(lane_get(&b.out, 4, 3), (u32)-9);
	bench_eval(&b, IR_FTOI, TY_V128, TY_I32, TY_V128, FP_DOWN);
	CHECK_EQ(lane_get(&b.out, 4, 1), (u32)-2);
	CHECK_EQ(b.flags & FP_IEEE_FLAGS, FP_INEXACT);
}

TEST(eval_fp, matrix_product_of_bf16_takes_rows_of_both)
{
	struct bench b = { .r.fp = fp_arm };
	static const u16 one_to_eight[] = { 0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0, 0x40c0, 0x40e0, 0x4100 };
	for (unsigned i = 0; i < 8; i++) {
		lane_put(&b.v[1], 2, i, one_to_eight[i]);
		lane_put(&b.v[2], 2, i, one_to_eight[i]);
	}
	put_f32(&b.v[0], 100, 200, 300, 400);
	bench_eval(&b, IR_BFMMLA, TY_V128, TY_F32, TY_V128, 0);
	CHECK_LANES(&b.out, 130, 270, 370, 574);
	bench_eval(&b, IR_BFDOT, TY_V128, TY_F32, TY_V128, 0);
	CHECK_LANES(&b.out, 105, 225, 361, 513);
	bench_eval(&b, IR_BFMLAL, TY_V128, TY_F32, TY_V128, 1 << 8);
	CHECK_LANES(&b.out, 104, 216, 336, 464);
	CHECK_EQ(b.flags, 0);
}

TEST(eval_fp, f16_products_go_into_f32_sums)
{
	struct bench b = { .r.fp = fp_arm };
	static const u16 small[] = {
		0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600, 0x4700, 0x4800
	}; /* 1 to 8 */
	for (unsigned i = 0; i < 8; i++) {
		lane_put(&b.v[1], 2, i, small[i]);
		lane_put(&b.v[2], 2, i, small[7 - i]);
	}
	put_f32(&b.v[0], 100, 100, 100, 100);
	bench_eval(&b, IR_FMLAL, TY_V128, TY_F32, TY_V128, 0);
	CHECK_LANES(&b.out, 108, 114, 118, 120);
	bench_eval(&b, IR_FMLAL, TY_V128, TY_F32, TY_V128, 1 << 8 | 1 << 9);
	CHECK_LANES(&b.out, 80, 82, 86, 92);
}

TEST(eval_fp, classes_have_riscv_bits)
{
	static const struct {
		u32 value, mask;
	} rows[] = { { 0xff800000, 1 },	  { 0xbf800000, 2 },  { 0x80000001, 4 },  { 0x80000000, 8 },
		     { 0, 16 },		  { 1, 32 },	      { 0x3f800000, 64 }, { 0x7f800000, 128 },
		     { 0x7f800001, 256 }, { 0xffc00000, 512 } };
	struct bench b = { .r.fp = fp_riscv };
	for (unsigned i = 0; i < LEN(rows); i++) {
		b.v[0].w = rows[i].value;
		bench_eval(&b, IR_FCLASS, TY_I64, TY_VOID, TY_F32, 0);
		CHECK_EQ(b.out.u, rows[i].mask);
	}
}

TEST(eval_fp, what_is_not_boxed_reads_as_the_default_nan)
{
	struct bench b = { .r.fp = fp_riscv };
	b.v[0].w = 0x7fa00001;
	bench_eval(&b, IR_FBOX, TY_F64, TY_VOID, TY_F32, 0);
	CHECK_EQ(b.out.u, 0xffffffff7fa00001);
	b.v[0].u = b.out.u;
	bench_eval(&b, IR_FUNBOX, TY_F32, TY_VOID, TY_F64, 0);
	CHECK_EQ(b.out.w, 0x7fa00001);
	bench_eval(&b, IR_FUNBOX, TY_F16, TY_VOID, TY_F64, 0);
	CHECK_EQ(b.out.h[0], 0x7e00);
	b.v[0].u = 0xfffffffe3f800000;
	bench_eval(&b, IR_FUNBOX, TY_F32, TY_VOID, TY_F64, 0);
	CHECK_EQ(b.out.w, 0x7fc00000);
	CHECK_EQ(b.flags, 0);
}

TEST(eval_fp, javascript_conversion_wraps_and_says_whether_it_was_exact)
{
	struct bench b = { .r.fp = fp_arm };
	b.v[0].u = 0x41f0000000100000; /* 2^32 + 1 */
	bench_eval(&b, IR_FJCVT, TY_I64, TY_VOID, TY_F64, 0);
	CHECK_EQ(b.out.u, 1);
	CHECK_EQ(b.flags & FP_IEEE_FLAGS, FP_INVALID);
	b.v[0].u = 0xc000000000000000;
	bench_eval(&b, IR_FJCVT, TY_I64, TY_VOID, TY_F64, 0);
	CHECK_EQ(b.out.u, 1ull << 32 | (u32)-2);
	b.v[0].u = 0x8000000000000000;
	bench_eval(&b, IR_FJCVT, TY_I64, TY_VOID, TY_F64, 0);
	CHECK_EQ(b.out.u, 0);
}

TEST(eval_fp, signs_are_copied_without_looking_at_the_value)
{
	struct bench b = { .r.fp = fp_riscv };
	b.v[0].w = 0x7fa00001;
	b.v[1].w = 0x80000000;
	bench_eval(&b, IR_FCOPYSIGN, TY_F32, TY_VOID, TY_F32, 0);
	CHECK_EQ(b.out.w, 0xffa00001);
	bench_eval(&b, IR_FCOPYSIGN, TY_F32, TY_VOID, TY_F32, 1);
	CHECK_EQ(b.out.w, 0x7fa00001);
	b.v[0].w = 0xffa00001;
	bench_eval(&b, IR_FCOPYSIGN, TY_F32, TY_VOID, TY_F32, 2);
	CHECK_EQ(b.out.w, 0x7fa00001);
	bench_eval(&b, IR_FNEG, TY_F32, TY_VOID, TY_F32, 0);
	CHECK_EQ(b.out.w, 0x7fa00001);
	CHECK_EQ(b.flags, 0);
}
