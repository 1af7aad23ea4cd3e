#include "eval.c"
#include "base/test.h"

/* A region that holds three values of given types, for ir_eval to ask for types. */
static struct ir_region *typed(enum ir_type a, enum ir_type b, enum ir_type c)
{
	struct ir_region *r = ir_new(NULL, TY_I64);
	const enum ir_type t[] = { a, b, c };
	for (unsigned i = 0; i < 3; i++)
		ir_emit(r, &(struct ir_insn){ .op = IR_CONST, .type = t[i] });
	return r;
}

static u128 eval3(enum ir_op op, enum ir_type type, enum ir_type result, u64 imm, u128 a, u128 b, u128 c)
{
	struct ir_region *r = typed(type, type, op == IR_FLADC || op == IR_FLSBC ? TY_I1 : type);
	struct ir_insn in = { .op = op, .type = result, .a = 1, .b = 2, .c = 3, .imm = imm };
	union ir_val va, vb, vc, ret;
	u32 fl = 0;
	val_put(&va, type, a);
	val_put(&vb, type, b);
	val_put(&vc, op == IR_FLADC || op == IR_FLSBC ? TY_I1 : type, c);
	ir_eval(r, &in, &va, &vb, &vc, &ret, &fl);
	ir_free(r);
	return val_num(&ret, result);
}

static u64 eval(enum ir_op op, enum ir_type type, u64 imm, u64 a, u64 b)
{
	return (u64)eval3(op, type, type, imm, a, b, 0);
}

static const struct row {
	u16 op;
	u8 lane, type;
	int imm;
	const char *a, *b, *c, *result;
} rows[] = {
#include "eval_vectors.inc"
};

static void unhex(const char *s, union ir_val *v)
{
	for (unsigned i = 0; i < 16; i++)
		v->b[i] = (u8)((s[2 * i] & 15) + (s[2 * i] > '9' ? 9 : 0)) << 4 |
			  (u8)((s[2 * i + 1] & 15) + (s[2 * i + 1] > '9' ? 9 : 0));
}

TEST(ir_eval, vectors_and_cryptography_agree_with_arm64)
{
	struct ir_region *r = typed(TY_V128, TY_V128, TY_V128), *crc = typed(TY_I32, TY_I64, TY_I64);
	unsigned bad = 0;
	for (const struct row *row = rows; row < rows + LEN(rows); row++) {
		struct ir_insn in = { .op = row->op,
				      .type = row->type,
				      .lane = row->lane,
				      .a = 1,
				      .b = 2,
				      .c = 3,
				      .imm = (u64)row->imm };
		union ir_val a, b, c, want, ret;
		u32 fl = 0;
		unhex(row->a, &a);
		unhex(row->b, &b);
		unhex(row->c, &c);
		unhex(row->result, &want);
		memset(&ret, 0, 16);
		ir_eval(row->op == IR_CRC32 ? crc : r, &in, &a, &b, &c, &ret, &fl);
		if (memcmp(&ret, &want, 16) && bad++ < 20)
			test_fail(__FILE__, __LINE__, "%s, lanes %s, row %zu", ir_op_info[row->op].name,
				  ir_type_name(row->lane), (size_t)(row - rows));
	}
	CHECK_EQ(bad, 0);
	ir_free(r);
	ir_free(crc);
}

/* Every vector operation on 256 bits is two of 128, when it speaks of lanes or 16 bytes only. */
TEST(ir_eval, longer_vectors_are_made_of_segments)
{
	static const enum ir_op ops[] = { IR_ADD,     IR_MUL,  IR_SHUFFLE, IR_TBL,  IR_BSL,	IR_QADDS,
					  IR_QRDMLAH, IR_DOTS, IR_MMLAUS,  IR_AESE, IR_SHA256H, IR_PMULL };
	struct ir_region *narrow = typed(TY_V128, TY_V128, TY_V128), *wide = typed(TY_V256, TY_V256, TY_V256);
	u8 mix[16] = { 3, 31, 255, 16, 0, 9, 8, 7, 20, 21, 22, 1, 1, 1, 30, 15 };
	union ir_val v[3], half, whole;
	u32 fl = 0;
	ir_const128(narrow, mix);
	ir_const128(wide, mix);
	for (unsigned i = 0; i < sizeof(v); i++)
		((u8 *)v)[i] = (u8)(i * 37 >> 2);
	for (unsigned i = 0; i < LEN(ops); i++)
		for (unsigned at = 0; at < 32; at += 16) {
			struct ir_insn in = {
				.op = ops[i], .type = TY_V128, .lane = TY_I32, .a = 1, .b = 2, .c = 3
			};
			if (ops[i] == IR_PMULL)
				in.lane = TY_I64;
			ir_eval(narrow, &in, (void *)(v[0].b + at), (void *)(v[1].b + at),
				(void *)(v[2].b + at), &half, &fl);
			in.type = TY_V256;
			ir_eval(wide, &in, &v[0], &v[1], &v[2], &whole, &fl);
			if (memcmp(&half, whole.b + at, 16))
				test_fail(__FILE__, __LINE__, "%s at %u", ir_op_info[ops[i]].name, at);
		}
	ir_free(narrow);
	ir_free(wide);
}

TEST(ir_eval, division_has_no_traps)
{
	CHECK_EQ(eval(IR_DIVU, TY_I32, 0, 7, 0), 0);
	CHECK_EQ(eval(IR_DIVS, TY_I32, 0, 0x80000000, 0xffffffff), 0x80000000);
	CHECK_EQ(eval(IR_DIVS, TY_I64, 0, -7ull, 2), -3ull);
	CHECK_EQ(eval(IR_REMU, TY_I8, 0, 200, 0), 200);
	CHECK_EQ(eval(IR_REMS, TY_I64, 0, 1ull << 63, ~0ull), 0);
	CHECK_EQ(eval(IR_REMS, TY_I16, 0, -7 & 0xffff, 2), 0xffff);
	u128 min = (u128)1 << 127;
	CHECK(eval3(IR_DIVS, TY_I128, TY_I128, 0, min, ~(u128)0, 0) == min);
	CHECK(eval3(IR_REMS, TY_I128, TY_I128, 0, min, ~(u128)0, 0) == 0);
}

TEST(ir_eval, products_have_two_halves)
{
	CHECK_EQ(eval(IR_MULHU, TY_I64, 0, ~0ull, ~0ull), ~0ull - 1);
	CHECK_EQ(eval(IR_MULHS, TY_I64, 0, ~0ull, 5), ~0ull);
	CHECK_EQ(eval(IR_MULHS, TY_I8, 0, 0x80, 0x80), 0x40);
	u128 all = ~(u128)0;
	CHECK(eval3(IR_MULHU, TY_I128, TY_I128, 0, all, all, 0) == all - 1);
	CHECK(eval3(IR_MULHS, TY_I128, TY_I128, 0, all, all, 0) == 0);
	CHECK(eval3(IR_MULWU, TY_I64, TY_I128, 0, ~0ull, 3, 0) == (u128)~0ull * 3);
	CHECK(eval3(IR_MULWS, TY_I64, TY_I128, 0, ~0ull, 3, 0) == (u128)-3);
	CHECK(eval3(IR_MULWS, TY_I32, TY_I64, 0, 0x80000000, 2, 0) == 0xffffffff00000000);
}

TEST(ir_eval, scalar_shifts_count_modulo_the_width)
{
	CHECK_EQ(eval(IR_SHL, TY_I32, 0, 1, 33), 2);
	CHECK_EQ(eval(IR_SHR, TY_I8, 0, 0x80, 15), 1);
	CHECK_EQ(eval(IR_SAR, TY_I16, 0, 0x8000, 31), 0xffff);
	CHECK_EQ(eval(IR_ROTR, TY_I8, 0, 0x81, 1), 0xc0);
	CHECK_EQ(eval(IR_ROTR, TY_I64, 0, 5, 64), 5);
	CHECK_EQ(eval(IR_FUNNEL, TY_I32, 8, 0x11223344, 0xaabbccdd), 0x44aabbcc);
	CHECK_EQ(eval(IR_FUNNEL, TY_I32, 0, 1, 2), 2);
}

TEST(ir_eval, vector_shifts_by_a_count_do_not_wrap)
{
	struct ir_region *r = typed(TY_V128, TY_I8, TY_I8);
	union ir_val a, n, ret;
	u32 fl = 0;
	memset(&a, 0x80, 16);
	static const struct {
		enum ir_op op;
		u8 count;
		u16 want;
	} cases[] = { { IR_SHL, 16, 0 },
		      { IR_SHL, 1, 0x0100 },
		      { IR_SHR, 200, 0 },
		      { IR_SHR, 15, 1 },
		      { IR_SAR, 99, 0xffff } };
	for (unsigned i = 0; i < LEN(cases); i++) {
		val_put(&n, TY_I8, cases[i].count);
		ir_eval(
		    r,
		    &(struct ir_insn){ .op = cases[i].op, .type = TY_V128, .lane = TY_I16, .a = 1, .b = 2 },
		    &a, &n, NULL, &ret, &fl);
		CHECK_EQ(lane_get(&ret, 2, 7), cases[i].want);
	}
	ir_free(r);
}

TEST(ir_eval, bits_are_counted_moved_and_gathered)
{
	CHECK_EQ(eval(IR_CLZ, TY_I16, 0, 1, 0), 15);
	CHECK_EQ(eval(IR_CLZ, TY_I64, 0, 0, 0), 64);
	CHECK_EQ(eval(IR_CTZ, TY_I8, 0, 0, 0), 8);
	CHECK_EQ(eval(IR_CTZ, TY_I32, 0, 8, 0), 3);
	CHECK_EQ(eval(IR_CLS, TY_I32, 0, 0, 0), 31);
	CHECK_EQ(eval(IR_CLS, TY_I32, 0, 0xfffffffe, 0), 30);
	CHECK_EQ(eval(IR_CLS, TY_I64, 0, 1ull << 62, 0), 0);
	CHECK_EQ(eval(IR_POPCNT, TY_I64, 0, 0xf0f0, 0), 8);
	CHECK_EQ(eval(IR_BSWAP, TY_I32, 0, 0x11223344, 0), 0x44332211);
	CHECK_EQ(eval(IR_BITREV, TY_I8, 0, 0x13, 0), 0xc8);
	CHECK_EQ(eval(IR_PDEP, TY_I32, 0, 5, 0xf0f), 5);
	CHECK_EQ(eval(IR_PDEP, TY_I32, 0, 0x2a, 0x0f0f), 0x020a);
	CHECK_EQ(eval(IR_PEXT, TY_I32, 0, 0x1234, 0x0ff0), 0x23);
	CHECK_EQ(eval(IR_DEPOSIT, TY_I32, 8 | 8 << 8, 0xaaaaaaaa, 0x1ff), 0xaaaaffaa);
	CHECK_EQ(eval(IR_DEPOSIT, TY_I64, 0 | 64 << 8, 1, 2), 2);
	struct ir_region *r = typed(TY_I32, TY_I32, TY_I32);
	union ir_val a, ret;
	u32 fl = 0;
	val_put(&a, TY_I32, 0x0000f800);
	ir_eval(r, &(struct ir_insn){ .op = IR_EXTRACTS, .type = TY_I32, .a = 1, .b = 8, .c = 8 }, &a, NULL,
		NULL, &ret, &fl);
	CHECK_EQ(ret.w, 0xfffffff8);
	ir_eval(r, &(struct ir_insn){ .op = IR_EXTRACTU, .type = TY_I32, .a = 1, .b = 11, .c = 5 }, &a, NULL,
		NULL, &ret, &fl);
	CHECK_EQ(ret.w, 31);
	ir_free(r);
}

static u32 flags(enum ir_op op, enum ir_type t, u64 imm, u64 a, u64 b, bool c)
{
	return (u32)eval3(op, t, TY_FLAGS, imm, a, b, c);
}

/* What x86's manual and Arm's give for additions and subtractions at the ends of ranges. */
TEST(ir_eval, flags_of_arithmetic)
{
	CHECK_EQ(flags(IR_FLADD, TY_I8, 0, 0x7f, 1, 0), FL_N | FL_V | FL_A); /* 0x80: one bit set, odd */
	CHECK_EQ(flags(IR_FLADD, TY_I8, 0, 0xff, 1, 0), FL_Z | FL_C | FL_P | FL_A);
	CHECK_EQ(flags(IR_FLADC, TY_I64, 0, ~0ull, 0, 1), FL_Z | FL_C | FL_P | FL_A);
	CHECK_EQ(flags(IR_FLADC, TY_I64, 0, ~0ull, ~0ull, 1), FL_N | FL_C | FL_P | FL_A);
	CHECK_EQ(flags(IR_FLSUB, TY_I32, 0, 5, 5, 0), FL_Z | FL_C | FL_P | FL_A); /* no borrow */
	CHECK_EQ(flags(IR_FLSUB, TY_I32, 1, 5, 5, 0), FL_Z | FL_P);
	CHECK_EQ(flags(IR_FLSUB, TY_I32, 1, 0, 1, 0), FL_N | FL_C | FL_P | FL_A); /* borrow */
	CHECK_EQ(flags(IR_FLSUB, TY_I32, 0, 0x80000000, 1, 0), FL_C | FL_V | FL_P);
	CHECK_EQ(flags(IR_FLSBC, TY_I32, 0, 5, 4, 0), FL_Z | FL_C | FL_P | FL_A); /* 5 - 4 - 1 */
	CHECK_EQ(flags(IR_FLSBC, TY_I32, 1, 5, 5, 1), FL_N | FL_C | FL_P | FL_A); /* 5 - 5 - 1 */
	CHECK_EQ(flags(IR_FLSBC, TY_I64, 1, 0, ~0ull, 1), FL_Z | FL_C | FL_P | FL_A);
	CHECK_EQ(flags(IR_FLLOGIC, TY_I16, 0, 0x8001, 0, 0), FL_N);
	CHECK_EQ(flags(IR_FLPACK, TY_I32, 0, ~0u, 0, 0), 0xfc000000);
	CHECK_EQ(flags(IR_FLMERGE, TY_FLAGS, FL_C, FL_N | FL_C, FL_V, 0), FL_N);
}

/* The flags of a comparison answer every condition as the comparison itself does, at 8 bits for all pairs. */
TEST(ir_eval, conditions_answer_comparisons)
{
	for (unsigned a = 0; a < 256; a += 3)
		for (unsigned b = 0; b < 256; b++)
			for (unsigned borrow = 0; borrow < 2; borrow++) {
				u32 fl = flags(IR_FLSUB, TY_I8, borrow, a, b, 0);
#define HOLDS(cc) ((bool)eval3(IR_COND, TY_FLAGS, TY_I1, cc, fl, 0, 0))
				bool ok = HOLDS(CC_EQ) == (a == b) && HOLDS(CC_LT) == ((i8)a < (i8)b) &&
					  HOLDS(CC_LE) == ((i8)a <= (i8)b) &&
					  HOLDS(CC_MI) == ((i8)(a - b) < 0) &&
					  HOLDS(CC_VS) == ((i8)a - (i8)b != (i8)(a - b)) && HOLDS(CC_AL) &&
					  HOLDS(borrow ? CC_A : CC_HI) == (a > b) &&
					  HOLDS(borrow ? CC_CS : CC_CC) == (a < b);
				for (enum ir_cc cc = 0; cc < CC_COUNT; cc++)
					ok &= cc == CC_AL || HOLDS(cc) != HOLDS(ir_cc_not(cc));
				if (!ok) {
					test_fail(__FILE__, __LINE__, "%u - %u", a, b);
					return;
				}
			}
}

TEST(ir_eval, carry_less_products_of_scalars)
{
	CHECK_EQ(eval(IR_CLMUL, TY_I64, 0, 3, 3), 5);
	CHECK_EQ(eval(IR_CLMULH, TY_I64, 0, 1ull << 63, 6), 3);
	CHECK_EQ(eval(IR_CLMULH, TY_I32, 0, 1u << 31, 6), 3);
}

/* FIPS 197's first round of its example, GB/T 32907's S-box, and definitions. */
TEST(ir_eval, bit_permutations)
{
	CHECK_EQ(eval(IR_BITPERM, TY_I32, BP_BREV8, 0x01804001, 0), 0x80010280);
	CHECK_EQ(eval(IR_BITPERM, TY_I32, BP_ZIP, 0xffff0000, 0), 0xaaaaaaaa);
	CHECK_EQ(eval(IR_BITPERM, TY_I32, BP_UNZIP, 0xaaaaaaaa, 0), 0xffff0000);
	CHECK_EQ(
	    eval(IR_BITPERM, TY_I64, BP_UNZIP, eval(IR_BITPERM, TY_I64, BP_ZIP, 0x123456789abcdef0, 0), 0),
	    0x123456789abcdef0);
	CHECK_EQ(eval(IR_BITPERM, TY_I32, BP_AES_SBOX, 0x0053e319, 0), 0x63ed11d4);
	CHECK_EQ(eval(IR_BITPERM, TY_I64, BP_AES_SBOX_INV, 0x63ed11d463ed11d4, 0), 0x0053e3190053e319);
	CHECK_EQ(eval(IR_BITPERM, TY_I32, BP_AES_MC, 0x305dbfd4, 0), 0xe5816604);
	CHECK_EQ(eval(IR_BITPERM, TY_I32, BP_AES_MC_INV, 0xe5816604, 0), 0x305dbfd4);
	CHECK_EQ(eval(IR_BITPERM, TY_I32, BP_SM4_SBOX, 0xff0100ef, 0), 0x4890d684);
}

TEST(ir_eval, widths)
{
	CHECK(eval3(IR_SEXT, TY_I8, TY_I128, 0, 0x80, 0, 0) == (u128)-128);
	CHECK(eval3(IR_SEXT, TY_I1, TY_I32, 0, 1, 0, 0) == 0xffffffff);
	CHECK(eval3(IR_ZEXT, TY_I1, TY_I8, 0, 1, 0, 0) == 1);
	CHECK(eval3(IR_TRUNC, TY_I64, TY_I1, 0, 0xfe, 0, 0) == 0);
	CHECK(eval3(IR_PAIR, TY_I64, TY_I128, 0, 1, 2, 0) == ((u128)2 << 64 | 1));
	CHECK(eval3(IR_HI, TY_I128, TY_I64, 0, (u128)2 << 64 | 1, 0, 0) == 2);
	CHECK(eval3(IR_LO, TY_I64, TY_I32, 0, 0x100000002, 0, 0) == 2);
	CHECK(eval3(IR_CAST, TY_V128, TY_I128, 0, (u128)7 << 100, 0, 0) == (u128)7 << 100);
}
