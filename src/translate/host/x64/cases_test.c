/* The back end against the interpreter: regions in text, as front ends write them. */
#include "translate/host/x64/compare.h"
#include "translate/host/x64/jit.h"
#include "base/err.h"
#include "base/test.h"
#include <stdio.h>

static const char *const cases[] = {
	/* a sum of three words, its carries handed on, and the flags kept */
	"v1:i64 = get x0\nv2:i64 = get x1\nv3:i64 = add v1, v2\nv4:flags = fladd v1, v2\nset x0, v3\n"
	"v6:i64 = get x2\nv7:i64 = get x9\nv8:i1 = cond.cs v4\nv9:i64 = adc v6, v7, v8\nv10:flags = fladc "
	"v6, v7, v8\nset x2, v9\n"
	"v12:i64 = get x10\nv13:i1 = cond.cs v10\nv14:i64 = adc v12, v7, v13\nv15:flags = fladc v12, v7, "
	"v13\nset x10, v14\nset fl0, v15\njump #0x2000\n",
	/* a difference likewise: Arm's sense of the carry, then x86's */
	"v1:i64 = get x0\nv2:i64 = get x1\nv3:flags = flsub v1, v2\nv4:i64 = sub v1, v2\nv5:i1 = cond.cs "
	"v3\nv6:i64 = sbc v2, v1, v5\n"
	"v7:flags = flsbc v2, v1, v5\nset x3, v4\nset x4, v6\nset fl0, v7\nv11:flags = flsub v1, v2, "
	"#0x1\nv12:i1 = cond.cs v11\n"
	"v13:i64 = sbc v2, v1, v12, #0x1\nv14:flags = flsbc v2, v1, v12, #0x1\nset x5, v13\nset fl1, "
	"v14\njump #0x2000\n",
	/* conditional compares */
	"v1:i32 = get w0\nv2:i32 = get w1\nv3:flags = flsub v1, v2\nv4:i1 = cond.ge v3\nv5:i32 = const "
	"#0x5\nv6:flags = flsub v2, v5\n"
	"v7:i32 = const #0x40000000\nv8:flags = flpack v7\nv9:flags = select v4, v6, v8\nv10:i1 = cond.hi "
	"v9\nv11:i32 = get w2\n"
	"v12:flags = fladd v11, v1\nv13:i32 = const #0x90000000\nv14:flags = flpack v13\nv15:flags = select "
	"v10, v12, v14\nset fl0, v15\n"
	"v17:i1 = cond.le v15\nv18:i32 = select v17, v1, v11\nset w3, v18\njump #0x2000\n",
	/* comparisons of what was compared for the flags that are stored: turned round, unsigned */
	"v1:i64 = get x0\nv2:i64 = get x1\nv3:flags = flsub v1, v2\nset fl0, v3\nv5:i1 = lts v2, v1\n"
	"v6:i64 = select v5, v1, v2\nset x2, v6\njump #0x2000\n",
	"v1:i64 = get x0\nv2:i64 = get x1\nv3:flags = flsub v1, v2\nset fl0, v3\nv5:i1 = leu v1, v2\n"
	"v6:i64 = select v5, v1, v2\nset x2, v6\njump #0x2000\n",
	/* but not behind a conditional compare, which compares on one way only */
	"v1:i32 = get w0\nv2:i32 = get w1\nv3:flags = flsub v1, v2\nv4:i1 = cond.ge v3\nv5:i32 = const #0x5\n"
	"v6:flags = flsub v2, v5\nv7:i32 = const #0x40000000\nv8:flags = flpack v7\nv9:flags = select v4, "
	"v6, v8\n"
	"set fl0, v9\nv11:i1 = lts v2, v5\nv12:i32 = select v11, v1, v2\nset w3, v12\njump #0x2000\n",
	/* flags read again behind what destroys the host's */
	"v1:i64 = get x0\nv2:i64 = get x1\nv3:flags = flsub v1, v2\nv4:i64 = mul v1, v2\nv5:i64 = divu v4, "
	"v2\nv6:i1 = cond.lt v3\n"
	"v7:i64 = select v6, v4, v5\nset x2, v7\nv9:i64 = rems v1, v2\nv10:i1 = cond.eq v3\nv11:i64 = select "
	"v10, v9, v1\nset x3, v11\nset fl1, v3\njump #0x2000\n",
	/* flags from a slot, on and off */
	"v1:flags = get fl0\nv2:i1 = cond.vs v1\nv3:i1 = cond.ls v1\nv4:i64 = zext v2\nv5:i64 = zext "
	"v3\nv6:i64 = add v4, v5\nset x0, v6\n"
	"v8:i64 = get x1\nv9:flags = fllogic v8\nset fl0, v9\nv11:flags = get fl0\nv12:i1 = cond.mi "
	"v11\nv13:i64 = zext v12\nset x2, v13\nset fl1, v1\njump #0x2000\n",
	/* floating-point comparison, kept over a call's worth of work */
	"v1:f64 = get d0\nv2:f64 = get d1\nv3:flags = flfcmp v1, v2\nset fl0, v3\nv5:i1 = cond.gt v3\nv6:f64 "
	"= select v5, v1, v2\nset d0, v6\n"
	"v8:i64 = get x0\nv9:i64 = mul v8, v8\nset x0, v9\nv11:i1 = cond.ls v3\nv12:i64 = zext v11\nset x1, "
	"v12\nv14:i32 = flbits v3\nset w0, v14\njump #0x2000\n",
	/* quiet comparisons by hand: the condition asked again, in a slot, and behind what destroys the host's flags; other roundings of it */
	"v1:f64 = get d0\nv2:f64 = get d1\nv3:f64 = fdiv v1, v2\nv4:i32 = fpflags\nv5:i1 = flt v1, "
	"v2\nv6:i64 = zext v5\n"
	"set x0, v6\nunraise v4, v1, v2\nv9:i64 = get x1\nv10:i64 = select v5, v9, v6\nset x2, v10\njump "
	"#0x2000\n",
	"v1:f32 = get s0\nv2:f32 = get s1\nv3:i32 = fpflags\nv4:i1 = fle v2, v1\nv5:i64 = get x1\nv6:i64 = "
	"mul v5, v5\n"
	"unraise v3, v1, v2\nv8:i64 = select v4, v5, v6\nset x0, v8\nset w0, v3\njump #0x2000\n",
	"v1:f64 = get d0\nv2:f64 = get d1\nv3:i32 = fpflags\nv4:i1 = feq v1, v2\nunraise v3, v2, v1\nv6:i1 = "
	"fle v2, v1\n"
	"unraise v3, v2, v1\nv8:i64 = zext v4\nv9:i64 = zext v6\nset x0, v8\nset x1, v9\njump #0x2000\n",
	/* rounds of AES that are the host's, and ones whose halves are both used, or are of two kinds */
	"v1:v128 = get v0\nv2:v128 = get v1\nv3:v128 = aese v1, v2\nv4:v128 = aesmc v3\nset v2, v4\nv6:v128 "
	"= aesd v4, v1\n"
	"v7:v128 = aesimc v6\nset v3, v7\nv9:v128 = aese v7, v2\nset v0, v9\nv11:v128 = aesmc v9\nset v1, "
	"v11\n"
	"v13:v128 = aesd v11, v7\nv14:v128 = aesmc v13\nset v4, v14\njump #0x2000\n",
	/* division: by zero, MIN / -1 */
	"v1:i64 = get x0\nv2:i64 = get x1\nv3:i64 = divs v1, v2\nset x2, v3\nv5:i64 = rems v1, v2\nset x3, "
	"v5\nv7:i64 = divu v1, v2\nset x4, v7\n"
	"v9:i32 = get w0\nv10:i32 = get w1\nv11:i32 = divs v9, v10\nset w2, v11\nv13:i32 = rems v9, v10\nset "
	"w3, v13\nv15:i32 = remu v9, v10\nset w0, v15\njump #0x2000\n",
	/* a 32-bit result's upper half is clear in its register */
	"v1:i32 = get w0\nv2:i32 = get w1\nv3:i32 = add v1, v2\nv4:i64 = zext v3\nset x0, v4\nv6:i64 = get "
	"x1\nv7:i32 = trunc v6\nv8:i64 = zext v7\nset x2, v8\n"
	"v10:i32 = sub v7, v1\nv11:i64 = zext v10\nset x3, v11\njump #0x2000\n",
	/* a difference with a carry that means borrow is no twin of one where it means none */
	"v1:i64 = get x0\nv2:i64 = get x1\nv3:i1 = get bit0\nv4:i64 = sbc v1, v2, v3\n"
	"v5:flags = flsbc v1, v2, v3, #1\nset x2, v4\nset fl0, v5\njump #0x2000\n",
	/* a slot's old value goes to a register that is needed at once: not back to the slot */
	"v2:i32 = const #0x14\nv6:i64 = mulws v2, v2\nv7:i16 = get h1\nv8:i16 = sar v7, v6\nv9:i1 = get bit1\nset bit0, v9\n"
	"v11:i32 = rems v2, v2\nv14:i1 = lts v8, v7\nv15:i8 = const #0x12\nv16:i8 = adc v15, v15, v14\nv22:i1 = const #0x1\n"
	"set bit0, v22\nv29:i8 = bitrev v16\nset bit1, v14\nv31:i16 = trunc v11\nset bit1, v9\njump #0x2000\n",
	/* what waits for its slot is shifted before a branch that asks for the flags, and that takes both ways */
	"v1:i64 = get x1\nv2:i32 = trunc v1\nv3:i32 = add v2, v2\nv4:i64 = get x2\nv5:i32 = trunc v4\n"
	"v6:i32 = const #1\nv7:i32 = sar v3, v6\nv8:i64 = zext v7\nset x3, v8\nv10:flags = flsub v2, v5\n"
	"v11:i1 = cond.lt v10\nbrc v11, b1, b2\nb1: ; pc 0x1000\nset x4, v1\njump #0x2000\n"
	"b2: ; pc 0x1000\nset x5, v1\njump #0x3000\n",
	/* a difference in one register, its extended lower half in another, and the whole of it compared behind that */
	"v1:i64 = get x1\nv2:i64 = get x2\nv3:i64 = sub v1, v2\nset x1, v3\nv5:i32 = trunc v3\nv6:i64 = zext "
	"v5\nset x0, v6\n"
	"v8:i64 = const #0x5\nv9:flags = flsub v3, v8\nset fl0, v9\nv11:i64 = mul v3, v8\nset x3, v11\njump "
	"#0x2000\n",
};

/* For looking at code: the region in the file named by RHEA_TEST_CASE goes to that of RHEA_TEST_DUMP. */
static struct ir_region *case_of(const char *body)
{
	struct ir_region *r = NULL;
	AUTO(free_ptr) char *text = strf("region pc 0x1000 key 0x0 end 0x1004\nb0:\n%s", body);
	struct err *e = ir_parse(text, random_slots, TY_I64, &r);
	if (!e)
		e = ir_verify(r);
	if (e) {
		test_fail(__FILE__, __LINE__, "%s in\n%s", err_text(e), text);
		err_free(e);
		return NULL;
	}
	r->fp = fp_arm;
	return r;
}

static bool run_case(struct rig *rig, const char *body, unsigned values)
{
	static struct random_cpu start;
	struct ir_region *r = case_of(body);
	bool same = r && compare_compile(rig, r);
	if (r && !same)
		test_fail(__FILE__, __LINE__, "not compiled:\n%s", body);
	for (unsigned seed = 0; same && seed < values; seed++) {
		compare_hard_start(rig, seed, &start);
		same = compare_from(rig, r, seed, &start, FP_IEEE_FLAGS);
		if (!same)
			test_fail(__FILE__, __LINE__, "values %u of\n%s", seed, body);
	}
	if (r)
		ir_free(r);
	return same;
}

TEST(x64, flags_and_carries_live_as_front_ends_need_them)
{
	struct rig *rig = compare_rig(compare_int, compare_vec);
	for (unsigned i = 0; i < LEN(cases); i++)
		run_case(rig, cases[i], 300);
	rig_free(rig);
}

TEST(x64, single_bits_are_tested_where_they_are)
{
	static const char *const from[] = { "x0", "x9", "x10", "w0", "w3" };
	struct rig *rig = compare_rig(compare_int, compare_vec);
	for (unsigned s = 0; s < LEN(from); s++)
		for (unsigned bit = 0; bit < (from[s][0] == 'x' ? 64 : 32); bit += bit % 8 == 0 ? 7 : 1) {
			int bits = from[s][0] == 'x' ? 64 : 32;
			AUTO(free_ptr)
			char *body = strf(
			    "v1:i%d = get %s\nv2:i%d = extractu v1, %u, 1\nv3:i%d = const #0\nv4:i1 = %s v2, "
			    "v3\n"
			    "v5:i64 = get x1\nv6:i64 = get x2\nv7:i64 = select v4, v5, v6\nset x4, v7\n"
			    "v9:i1 = %s v2, v3\nv10:i64 = zext v9\nset x5, v10\njump #0x2000\n",
			    bits, from[s], bits, bit, bits, bit & 1 ? "eq" : "ne", bit & 1 ? "ne" : "eq");
			AUTO(free_ptr)
			char *once = strf("v1:i%d = get %s\nv2:i%d = extractu v1, %u, 1\nv3:i%d = const "
					  "#0\nv4:i1 = %s v2, v3\n"
					  "v5:i64 = get x1\nv6:i64 = get x2\nv7:i64 = select v4, v5, v6\nset "
					  "x4, v7\njump #0x2000\n",
					  bits, from[s], bits, bit, bits, bit & 1 ? "eq" : "ne");
			if (!run_case(rig, body, 40) || !run_case(rig, once, 40))
				goto out;
		}
out:
	rig_free(rig);
}

TEST(x64, conditions_of_packed_flags_are_those_of_their_bits)
{
	static const char *const names[] = { "eq", "ne", "cs", "cc", "mi", "pl", "vs",
					     "vc", "hi", "ls", "ge", "lt", "gt", "le" };
	static const char *const from[] = { "w0", "w3" };
	struct rig *rig = compare_rig(compare_int, compare_vec);
	for (unsigned i = 0; i < LEN(names); i++) {
		AUTO(free_ptr)
		char *body =
		    strf("v1:i32 = get %s\nv2:i32 = bitrev v1\nv3:flags = flpack v2\nv4:i1 = cond.%s "
			 "v3\nv5:i64 = get x1\n"
			 "v6:i64 = get x2\nv7:i64 = select v4, v5, v6\nset x4, v7\n%sv10:i1 = cond.%s v3\n"
			 "v11:i64 = zext v10\nset x5, v11\njump #0x2000\n",
			 from[i / 2 % 2], names[i],
			 i & 1 ? "set fl0, v3\nv9:i64 = mul v5, v6\n" : "nop\nv9:i64 = mul v5, v6\n",
			 names[(i * 5 + 2) % LEN(names)]);
		if (!run_case(rig, body, 60))
			break;
	}
	rig_free(rig);
}

/* The text and behind it values v10 to v62 made of v1, more than there are registers, all needed by the last. Frees text. */
static char *crowded(char *text)
{
	for (unsigned k = 0; k < 47; k++) {
		char *more = k < 24 ? strf("%sv%u:i64 = xor v%u, v%u\n", text, 10 + k, k ? 9 + k : 1, k > 3 ? 7 + k : 1)
				    : strf("%sv%u:i64 = add v%u, v%u\n", text, 16 + k, k > 24 ? 15 + k : 33, k - 14);
		free(text);
		text = more;
	}
	return text;
}

/* What waits for its slot is made of a value whose register others need. */
TEST(x64, slots_that_wait_for_shifts_and_words_are_right_when_registers_run_short)
{
	/* mem x0..x11 */
	static const u16 more_than_homes[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, NO_SLOT };
	static const char *const waits[] = {
		"v4:i64 = zext v3\nv6:i64 = shl v4, v5\n", "v4:i64 = sext v3\nv6:i64 = sar v4, v5\n",
		"v4:i32 = shr v3, v5\nv6:i64 = zext v4\n", "v4:i32 = sar v3, v5\nv6:i64 = sext v4\n",
		"v6:i64 = sext v3\n",			     "v6:i64 = zext v3\n",
	};
	struct rig *rig = compare_rig(more_than_homes, compare_vec);
	bool same = true;
	for (unsigned i = 0; i < LEN(waits) * 12 && same; i++) {
		const char *w = waits[i / 12];
		AUTO(free_ptr)
		char *text = crowded(strf(
		    "v1:i64 = get x%u\nv2:i32 = trunc v1\nv3:i32 = add v2, v2\nv5:i%d = const #2\n%sset x%u, v6\n", i % 5,
		    strstr(w, ":i32") ? 32 : 64, w, i % 12));
		AUTO(free_ptr) char *body = strf("%sset x11, v62\njump #0x2000\n", text);
		same = run_case(rig, body, 4);
	}
	rig_free(rig);
}

TEST(x64, narrow_values_that_lie_in_their_slots_alone_have_nothing_above_them)
{
	struct rig *rig = compare_rig(compare_int, compare_vec);
	for (unsigned i = 0; i < 2; i++) {
		AUTO(free_ptr)
		char *text = crowded(strf("v1:i64 = get x1\nv2:i%d = const #0x70\nv3:i64 = get mem\n"
					  "v4:i%d = cas.i%d [v3], v2, v2\nset %s, v4\n",
					  i ? 8 : 16, i ? 8 : 16, i ? 8 : 16, i ? "b0" : "h0"));
		AUTO(free_ptr) char *body = strf("%sset x11, v62\nv63:v128 = vzext.i64 v4\nset v4, v63\njump #0x2000\n", text);
		run_case(rig, body, 20);
	}
	rig_free(rig);
}

TEST(x64, both_halves_of_sha256_rounds_in_every_choice_of_registers_with_and_without_the_hosts_instructions)
{
	static const u8 slots[] = { 0, 1, 3, 4, 5 }; /* v0 to v3 have homes, the others have none */
	struct rig *rig = compare_rig(compare_int, compare_vec);
	bool sha = rig->stubs.sha;
	for (unsigned i = 0; i < 2 * 125 * 2; i++) {
		unsigned x = slots[i / 4 % 5], y = slots[i / 20 % 5], w = slots[i / 100];
		const char *first = i & 1 ? "2" : "", *second = i & 1 ? "" : "2";
		rig->stubs.sha = sha && i & 2;
		AUTO(free_ptr)
		char *text = strf("v1:v128 = get v%u\nv2:v128 = get v%u\nv3:v128 = get v%u\n"
				  "v4:v128 = sha256h%s v1, v2, v3\nset v%u, v4\n"
				  "v6:v128 = sha256h%s v2, v1, v3\nset v%u, v6\n"
				  "v8:v128 = sha256h%s v1, v2, v6\nv9:v128 = xor.i8 v8, v4\nset v2, v9\n"
				  "jump #0x2000\n",
				  x, y, w, first, x, second, y, first);
		if (!run_case(rig, text, 4))
			break;
		CHECK(!rig->job.n_slow == rig->stubs.sha);
	}
	rig_free(rig);
}

TEST(x64, values_that_go_to_the_frame_behind_a_jump_to_cold_code_are_there_when_it_comes_back)
{
	static const u16 all_vec[] = {
		31, 32, 33, 34, 35, 36, 25, 26, 27, 28, 29, 30, NO_SLOT
	}; /* four registers are left */
	static const char *const ops[] = { "ftoi.i64 v4, #0x5", "frint.f64 v4, #0x5", "fmax.f32 v4, v5",
					   "frsqrts.f64 v4, v5" };
	struct rig *rig = compare_rig(compare_int, all_vec);
	for (unsigned i = 0; i < LEN(ops); i++) {
		AUTO(free_ptr)
		char *text =
		    strf("v1:v128 = get v0\nv2:v128 = get v1\nv3:v128 = get v2\nv4:v128 = get v3\nv5:v128 = "
			 "get v4\n"
			 "v6:v128 = add.i64 v1, v2\nv7:v128 = add.i64 v2, v3\nv8:v128 = add.i64 v3, v4\n"
			 "v9:v128 = add.i64 v1, v3\nv10:v128 = %s\nv11:v128 = xor.i8 v6, v7\n"
			 "v12:v128 = xor.i8 v8, v9\nv13:v128 = add.i8 v11, v12\nset v5, v13\nset v4, v10\n"
			 "jump #0x2000\n",
			 ops[i]);
		if (!run_case(rig, text, 300))
			break;
	}
	rig_free(rig);
}

TEST(x64, loads_and_stores_of_every_size_order_and_sign)
{
	static const char *const types[] = { "i8", "i16", "i32", "i64", "i128", "f32", "f64", "v128" };
	static const char *const slots[] = { "b0", "h0", "w0", "x9", "q0", "s0", "d0", "v1" };
	static const char *const how[] = { "",	  ".be",  ".acq",   ".rel",   ".acq_rel",
					   ".sc", ".tso", ".be.sc", ".align4" };
	struct rig *rig = compare_rig(compare_int, compare_vec);
	for (unsigned t = 0; t < LEN(types); t++)
		for (unsigned h = 0; h < LEN(how); h++) {
			AUTO(free_ptr)
			char *ld = strf("v1:i64 = get mem\nv2:i64 = get x0\nv3:i64 = const #0xf1\nv4:i64 = "
					"and v2, v3\nv5:i64 = add v1, v4\n"
					"v6:%s = ld.%s%s [v5+3]\nset %s, v6\njump #0x2000\n",
					types[t], types[t], how[h], slots[t]);
			AUTO(free_ptr)
			char *st = strf("v1:i64 = get mem\nv2:i64 = get x0\nv3:i64 = const #0xf1\nv4:i64 = "
					"and v2, v3\nv5:i64 = add v1, v4\n"
					"v6:%s = get %s\nst.%s%s [v5-1], v6\njump #0x2000\n",
					types[t], slots[t], types[t], how[h]);
			if (!run_case(rig, ld, 30) || !run_case(rig, st, 30))
				goto out;
		}
	for (unsigned t = 0; t < 4; t++)
		for (unsigned u = MAX(t, 2u); u < 4; u++)
			for (unsigned big = 0; big < 2; big++) {
				AUTO(free_ptr)
				char *ld = strf(
				    "v1:i64 = get mem\nv6:%s = ld.%s%s%s [v1+5]\nset %s, v6\njump #0x2000\n",
				    types[u], types[t], u > t ? ".s" : "", big ? ".be" : "", slots[u]);
				if (!run_case(rig, ld, 30))
					goto out;
			}
out:
	rig_free(rig);
}

TEST(x64, atomic_operations_of_every_kind_and_width)
{
	static const char *const kinds[] = { "add",  "and",  "andn", "or",   "xor",
					     "xchg", "maxs", "mins", "maxu", "minu" };
	static const char *const types[] = { "i8", "i16", "i32", "i64", "i128" }, *const slots[] = {
		"b0", "h0", "w0", "x9", "q0"
	};
	struct rig *rig = compare_rig(compare_int, compare_vec);
	for (unsigned t = 0; t < LEN(types); t++) {
		for (unsigned k = 0; k < LEN(kinds); k++)
			for (unsigned used = 0; used < 2; used++) {
				AUTO(free_ptr) char *set = strf("set %s, v5\n", slots[t]);
				AUTO(free_ptr)
				char *text =
				    strf("v1:i64 = get mem\nv4:%s = "
					 "get %s\nv5:%s = rmw.%s.%s.sc.align%u [v1+16], v4\n%sjump #0x2000\n",
					 types[t], slots[t], types[t], kinds[k], types[t], 1u << t,
					 used ? set : "");
				if (!run_case(rig, text, 40))
					goto out;
			}
		for (unsigned off = 0; off < 2; off++) { /* equal and not, aligned and not */
			AUTO(free_ptr)
			char *text = strf("v1:i64 = get mem\nv2:%s = ld.%s [v1+32]\nv3:%s = get %s\nv4:%s = "
					  "cas.%s.acq_rel.align%u [v1+%u], v2, v3\nset %s, v4\n"
					  "v6:%s = cas.%s [v1+48], v3, v2\njump #0x2000\n",
					  types[t], types[t], types[t], slots[t], types[t], types[t], 1u << t,
					  32 + off, slots[t], types[t], types[t]);
			if (!run_case(rig, text, 40))
				goto out;
		}
	}
out:
	rig_free(rig);
}

TEST(x64, accesses_within_16_bytes_wherever_they_begin)
{
	static const char *const types[] = { "i16", "i32", "i64" }, *const slots[] = { "h0", "w0", "x9" };
	struct rig *rig = compare_rig(compare_int, compare_vec);
	for (unsigned t = 0; t < LEN(types); t++)
		for (unsigned off = 0; off < 16;
		     off++) { /* some leave their 16 bytes: an event, with the same state */
			AUTO(free_ptr)
			char *text = strf(
			    "v1:i64 = get mem\nv2:%s = get %s\nst.%s.rel.within16 [v1+%u], v2\n"
			    "v4:%s = rmw.add.%s.sc.within16 [v1+%u], v2\n"
			    "v5:%s = cas.%s.sc.within16 [v1+%u], v2, v4\n"
			    "v6:i64 = ld.%s.acq.within16 [v1+%u]\nset x3, v6\nset %s, v5\njump #0x2000\n",
			    types[t], slots[t], types[t], 16 + off, types[t], types[t], 32 + off, types[t],
			    types[t], 16 + off, types[t], 32 + off, slots[t]);
			if (!run_case(rig, text, 10))
				goto out;
		}
out:
	rig_free(rig);
}

/* Cold code comes behind that of later instructions. */
TEST(x64, an_event_in_a_cold_block_is_the_instructions_that_the_block_is_inside_of)
{
	struct rig *rig = compare_rig(compare_int, compare_vec);
	struct ir_region *r = case_of("insn 4, #0x1000\nv2:i64 = get mem\nv3:i64 = const #0x0\nv4:i1 = ne "
				      "v2, v3\nbrc v4, b1, b2, #0x2\n"
				      "b1: ; pc 0x1000 cold\nraise v2, 4, #0x1000\n"
				      "b2: ; pc 0x1000\ninsn 4, #0x1004\nset x1, v2\njump #0x2000\n");
	if (r) {
		CHECK(compare_compile(rig, r));
		compare_state(rig)->mem = 1;
		CHECK_EQ(rig_run(rig), EV_MEMORY);
		CHECK_EQ(rig->cpu->insn_pc, 0x1000);
		ir_free(r);
	}
	rig_free(rig);
}

TEST(x64, a_box_that_was_opened_where_the_region_begins_is_opened_again_when_its_slot_is_set)
{
	static const u16 one_home[] = { 27, 31, NO_SLOT }; /* d0 v0 */
	struct rig *rig = compare_rig(compare_int, one_home);
	rig->job.moves = MOVES_ALWAYS;
	for (unsigned i = 0; i < 8; i++) {
		AUTO(free_ptr)
		char *text = strf("v1:f64 = get d%u\nv2:f32 = funbox v1\nv3:f32 = get s0\nv4:f32 = fadd %s, "
				  "v3\nv5:f64 = fbox v4\n"
				  "set d%u, v5\nv7:f64 = get d%u\nv8:f32 = funbox v7\nv9:f32 = fmul v8, "
				  "%s\nset s1, v9\njump #0x2000\n",
				  i % 2, i / 4 ? "v3" : "v2", i % 2, i % 2, i / 2 % 2 ? "v2" : "v3");
		if (!run_case(rig, text, 400))
			break;
		CHECK_EQ(((struct jit *)rig->job.own)->n_box, 1);
	}
	rig_free(rig);
}

/* Bytes of the block that is emitted second, where the first one's operand `also` is used in the third as well. */
static size_t second_block(struct rig *rig, const char *also)
{
	AUTO(free_ptr)
	char *text = strf(
	    "insn 4, #0x1000\nv2:i64 = get x0\nv3:i64 = get x1\nv4:i1 = ne v2, v3\nbrc v4, b1, b2, #0x2\n"
	    "b1: ; pc 0x1004\ninsn 4, #0x1004\nset x2, %s\njump #0x2000\n"
	    "b2: ; pc 0x1008\ninsn 4, #0x1008\nv10:i64 = const #0x4\nv11:i64 = add v2, v10\nset x0, "
	    "v11\njump #0x3000\n",
	    also);
	struct ir_region *r = case_of(text);
	size_t size = 0;
	if (r && compare_compile(rig, r)) {
		const struct jit *j = rig->job.own;
		size = (size_t)(j->blk[1].start - j->blk[2].start);
		CHECK(j->order[1] == 2 && j->order[2] == 1);
		CHECK(run_case(rig, text, 20));
	}
	if (r)
		ir_free(r);
	return size;
}

TEST(x64, what_another_way_still_reads_is_not_kept_on_this_one)
{
	struct rig *rig = compare_rig(compare_int, compare_vec);
	size_t free = second_block(rig, "v3");
	CHECK(free > 4);
	CHECK_EQ(second_block(rig, "v2"), free);
	rig_free(rig);
}

TEST(x64, jumps_to_odd_targets_without_their_lowest_bit_go_where_they_should)
{
	static const char *const how[] = { "jumpi v3", "return v3", "gosubi v3, 4" };
	struct rig *rig = compare_rig(compare_int, compare_vec);
	for (unsigned i = 0; i < LEN(how) * 4; i++) {
		AUTO(free_ptr)
		char *text =
		    strf("v1:i64 = get x%u\nv2:i64 = const #0x%llx\nv3:i64 = and v1, v2\nset x%u, v2\n%s\n",
			 i % 2 ? 3 : 10, i % 4 < 2 ? ~1ull : ~3ull, i % 2 ? 3 : 11, how[i / 4]);
		rig->job.insn_shift = 1 + i % 2;
		if (!run_case(rig, text, 40))
			break;
	}
	rig_free(rig);
}

TEST(x64, constants_are_compared_from_either_side)
{
	static const char *const ops[] = { "eq", "ne", "ltu", "lts", "leu", "les" };
	static const char *const constants[] = {
		"0x0", "0x1", "0x7fffffff", "0x80000000", "0xffffffffffffffff", "0x123456789ab"
	};
	struct rig *rig = compare_rig(compare_int, compare_vec);
	for (unsigned i = 0; i < LEN(ops) * LEN(constants) * 4; i++) {
		unsigned bits = i & 1 ? 64 : 32;
		AUTO(free_ptr)
		char *text = strf("v1:i%u = get %s\nv2:i%u = const #%s\nv3:i1 = %s v2, v1\nv4:i64 = get "
				  "x1\nv5:i64 = get x9\n"
				  "v6:i64 = select v3, v4, v5\nset x4, v6\njump #0x2000\n",
				  bits, bits == 64 ? (i & 2 ? "x2" : "x10") : (i & 2 ? "w0" : "w3"), bits,
				  constants[i / 4 % LEN(constants)], ops[i / 4 / LEN(constants)]);
		if (!run_case(rig, text, 40))
			break;
	}
	rig_free(rig);
}

TEST(x64, code_of_a_case_can_be_looked_at)
{
	const char *name = getenv("RHEA_TEST_CASE");
	FILE *f = name ? fopen(name, "r") : NULL;
	char body[8192] = "";
	struct rig *rig = compare_rig(compare_int, compare_vec);
	if (f) {
		body[fread(body, 1, sizeof(body) - 1, f)] = 0;
		fclose(f);
	}
	struct ir_region *r = case_of(f ? body : "v1:i64 = get x0\njumpi v1\n");
	if (r) {
		CHECK(compare_compile(rig, r));
		compare_dump(rig);
		ir_free(r);
	}
	rig_free(rig);
}
