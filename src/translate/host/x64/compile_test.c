/*
 * The back end against the interpreter: random regions, and every operation by itself. RHEA_TEST_OP=NAME only that operation; RHEA_TEST_STATS=1 tells which operations
 * go to ir_eval by a call, with the types of operand and result and the lanes.
 */
#include "compile.c"
#include "base/err.h"
#include "base/test.h"
#include "translate/host/x64/compare.h"
#include <stdio.h>

/* ---- random regions ---- */

/* Types of conversions as guests have them. */
static bool sensible(const struct ir_region *r, const struct ir_insn *in)
{
	enum ir_type from = in->a ? r->insn[in->a].type : TY_VOID;
	bool vector = ir_is_vector(in->type), int_lane = in->lane >= TY_I16 && in->lane <= TY_I64;
	switch (in->op) {
	case IR_FCVT:
		return vector ? ir_is_vector(from) && in->lane != (in->imm >> 16 & 0xff)
			      : ir_is_float(from) && ir_is_float(in->type) && from != in->type;
	case IR_FTOI:
	case IR_FTOU:
		return vector ? ir_is_vector(from) && int_lane
			      : ir_is_float(from) && in->type >= TY_I8 && in->type <= TY_I128;
	case IR_ITOF:
	case IR_UTOF:
		return vector ? ir_is_vector(from) && int_lane
			      : ir_is_float(in->type) && from >= TY_I8 && from <= TY_I128;
	case IR_FJCVT:
		return from == TY_F64 && in->type == TY_I64;
	case IR_FCLASS:
		return ir_is_float(from) && in->type >= TY_I16 && in->type <= TY_I64;
	case IR_FEQ:
	case IR_FLT:
	case IR_FLE:
	case IR_FUNORD:
	case IR_FLFCMP:
		return true;
	case IR_VFEQ:
	case IR_VFGT:
	case IR_VFGE:
	case IR_VFPADD:
	case IR_VFPMIN:
	case IR_VFPMAX:
	case IR_FCMLA:
	case IR_FCADD:
		return vector;
	case IR_FMLAL:
	case IR_BFDOT:
	case IR_BFMMLA:
	case IR_BFMLAL:
		return in->lane == TY_F32;
	}
	return true;
}

static bool random_seeds(struct rig *rig, u64 from, u64 to, struct ir_random_options o)
{
	struct ir_region *r = ir_new(random_slots, TY_I64);
	static struct random_cpu start;
	unsigned bad = 0;
	u32 least = o.insns ? o.insns : 4, some = o.insns ? 300 : 97;
	o.allow = sensible;
	for (u64 seed = from; seed < to && bad < 3; seed++) {
		o.insns = least + seed % some; /* short ones first fail */
		o.blocks = 1 + seed % 7;
		ir_random(r, seed, &o);
		r->quick = seed & 2;
		r->fp = fp_arm;
		if (!compare_compile(rig, r))
			continue;
		compare_start(rig, seed, &start);
		compare_quiet = true;
		bool same = compare_from(rig, r, seed, &start, FP_IEEE_FLAGS);
		compare_quiet = false;
		if (!same) {
			compare_shrink(rig, r, seed, &start, FP_IEEE_FLAGS);
			test_fail(__FILE__, __LINE__, "seed %llu", (unsigned long long)seed);
			bad++;
		}
	}
	ir_free(r);
	return !bad;
}

TEST(x64, integer_code_without_memory_does_what_the_interpreter_does)
{
	struct rig *rig = compare_rig(compare_int, compare_vec);
	random_seeds(rig, compare_first_seed(0), compare_seeds(4000),
		     (struct ir_random_options){
			 .no_memory = true, .no_vectors = true, .no_crypto = true, .no_loops = true });
	CHECK(rig->unsupported * 20 < rig->compiled);
	rig_free(rig);
}

/* Slots are set later here, those that have no home too, and homes serve for values, as long as there is something to compute. */
TEST(x64, long_regions_of_integers_do_what_the_interpreter_does_up_to_any_fault)
{
	/* mem x0..x11 */
	static const u16 more_than_homes[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, NO_SLOT };
	static const u16 *const lists[] = { compare_int, more_than_homes };
	struct ir_random_options o = {
		.insns = 50, .no_vectors = true, .no_crypto = true, .no_flags = true, .no_i128 = true
	};
	for (unsigned i = 0; i < 2; i++) {
		struct rig *rig = compare_rig(lists[i], compare_vec);
		o.faults = false;
		random_seeds(rig, compare_first_seed(2680), 2680 + compare_seeds(120), o);
		random_seeds(rig, 7390, 7396, o); /* a constant that dies as an operand, in a register nobody uses for it */
		o.faults = true;
		random_seeds(rig, compare_first_seed(2800), 2800 + compare_seeds(240), o);
		rig_free(rig);
	}
}

TEST(x64, random_regions_do_what_the_interpreter_does)
{
	struct rig *rig = compare_rig(compare_int, compare_vec);
	random_seeds(rig, compare_first_seed(0), compare_seeds(4000), (struct ir_random_options){ .faults = false });
	CHECK(rig->unsupported * 20 < rig->compiled);
	rig_free(rig);
}

TEST(x64, random_regions_with_faults_and_without_homes_do_what_the_interpreter_does)
{
	static const u16 none[] = { NO_SLOT };
	struct rig *rig = compare_rig(compare_int, compare_vec);
	random_seeds(rig, 100000, 100000 + compare_seeds(2000), (struct ir_random_options){ .faults = true });
	rig_free(rig);
	rig = compare_rig(none, none);
	random_seeds(rig, 200000, 200000 + compare_seeds(1000),
		     (struct ir_random_options){ .faults = true, .floats = true });
	CHECK(rig->unsupported * 20 < rig->compiled);
	rig_free(rig);
}

/* As the first tier makes it: many short jumps, also to what lies behind the region. */
TEST(x64, random_regions_that_count_do_what_the_interpreter_does)
{
	struct rig *rig = compare_rig(compare_int, compare_vec);
	rig->job.counts = true;
	random_seeds(rig, compare_first_seed(400000), 400000 + compare_seeds(3000),
		     (struct ir_random_options){ .faults = true });
	CHECK(rig->unsupported * 20 < rig->compiled);
	rig_free(rig);
}

TEST(x64, slots_that_change_registers_inside_a_region_do_what_the_interpreter_does)
{
	static const u16 many[] = { 0, 1, 2, 3, 4, 5, 6, 7, 13, 14, 8, 9, 10, 11, 12, 15, 16, NO_SLOT };
	struct rig *rig = compare_rig(many, compare_vec);
	rig->job.moves = MOVES_ALWAYS;
	random_seeds(rig, compare_first_seed(300000), 300000 + compare_seeds(3000),
		     (struct ir_random_options){ .faults = true });
	CHECK(rig->unsupported * 20 < rig->compiled && rig->moved * 2 > rig->compiled);
	rig_free(rig);
}

/* ---- every operation by itself, on numbers as they hurt ---- */

static u32 slot_of_type(enum ir_type t, unsigned n)
{
	u32 last = ~0u;
	for (u32 i = 1; random_slots[i].name; i++)
		if (random_slots[i].type == t) {
			last = i;
			if (!n--)
				return i;
		}
	return last;
}

static u64 literal_for(enum ir_op op, u64 r)
{
	static const u8 minmax[] = { FP_MM_PROPAGATE, FP_MM_NUMBER_2008, FP_MM_NUMBER_2019, FP_MM_SECOND };
	static const u8 rounds[] = { FP_ROUND_CTL, FP_NEAREST_EVEN, FP_TO_ZERO,
				     FP_DOWN,	   FP_UP,	    FP_NEAREST_AWAY };
	u64 round = rounds[r % LEN(rounds)];
	r >>= 8;
	switch (op) {
	case IR_FMA:
		return (r & 7) << 8;
	case IR_FMIN:
	case IR_FMAX:
	case IR_VFPMIN:
	case IR_VFPMAX:
		return (u64)minmax[r % 4] << 8;
	case IR_FRINT:
		return round | (r & 1) << 8 | (r >> 1) % 5 % 3 << 9;
	case IR_FTOI:
	case IR_FTOU:
		return round | (r % 3 ? 0 : r % 33 << 16);
	case IR_ITOF:
	case IR_UTOF:
		return r % 3 ? 0 : r % 33 << 16;
	case IR_FCVT:
		return (r & 1) << 8 | (u64)(TY_F16 + r / 2 % 3) << 16;
	case IR_FCMLA:
		return (r & 3) << 8;
	case IR_FCADD:
	case IR_FMLAL:
	case IR_BFMLAL:
		return (r & 3) << 8 & (op == IR_FCADD || op == IR_BFMLAL ? 0x100 : 0x300);
	case IR_DEPOSIT:
		return r % 64 | (1 + (r >> 8) % 64) << 8;
	case IR_FLMERGE:
		return r & 0xfc000000;
	case IR_VLOW:
		return 1u << r % 4;
	case IR_BFDOT:
	case IR_BFMMLA:
	case IR_FADD:
	case IR_FSUB:
	case IR_FMUL:
	case IR_FDIV:
	case IR_FSQRT:
	case IR_FMULX:
	case IR_VFPADD:
	case IR_FREM:
	case IR_FRECPE:
	case IR_FRECPS:
	case IR_FRSQRTE:
	case IR_FRSQRTS:
	case IR_FRECPX:
	case IR_FEQ:
	case IR_FLT:
	case IR_FLE:
	case IR_VFEQ:
	case IR_VFGT:
	case IR_VFGE:
		return 0;
	default:
		return r & 1 ? r >> 1 & 3 : (r >> 1) % 65;
	}
}

/* A random instruction of this operation in a region by itself: operands from slots, the result to one. */
static bool one_insn(struct ir_region *r, enum ir_op op, u64 *state)
{
	static const enum ir_type types[] = { TY_I1,  TY_I8,  TY_I16, TY_I32,  TY_I64,	TY_I128,
					      TY_F16, TY_F32, TY_F64, TY_V128, TY_V128, TY_FLAGS };
	static const enum ir_type lanes[] = { TY_I8, TY_I16, TY_I32, TY_I64, TY_F16, TY_F32, TY_F64 };
	const char *sign = ir_signature(op);
	for (unsigned tries = 0; tries < 300; tries++) {
		ir_reset(r);
		r->pc = 0x1000;
		ir_emit(r, &(struct ir_insn){ .op = IR_INSN, .b = 4, .imm = 0x1000 });
		enum ir_type bound = types[random_next(state) % LEN(types)];
		struct ir_insn in = { .op = op, .lane = lanes[random_next(state) % LEN(lanes)] };
		u32 *const ref[3] = { &in.a, &in.b, &in.c };
		unsigned n = random_next(state) % 3;
		bool ok = true, vectors = false;
		for (unsigned i = 0; i < 3; i++) {
			char letter = sign[i];
			if (letter == '-') {
				*ref[i] = ir_op_info[op].operands[i] == 'l' ? random_next(state) % 65 : 0;
				continue;
			}
			enum ir_type t = letter == '1'	 ? TY_I1
					 : letter == 'F' ? TY_FLAGS
					 : letter == '4' ? TY_I32
					 : letter >= 'a' ? bound
							 : types[random_next(state) % LEN(types)];
			u32 slot = slot_of_type(t, (n + i * (random_next(state) & 1)) % 6);
			vectors |= ir_is_vector(t);
			if (slot != ~0u)
				*ref[i] =
				    ir_emit(r, &(struct ir_insn){ .op = IR_GET, .type = t, .imm = slot });
			else if (t == TY_F16)
				*ref[i] = ir_emit(
				    r, &(struct ir_insn){
					   .op = IR_CAST,
					   .type = TY_F16,
					   .a = ir_emit(
					       r, &(struct ir_insn){ .op = IR_GET,
								     .type = TY_I16,
								     .imm = slot_of_type(TY_I16, i & 1) }) });
			else
				ok = false;
		}
		in.type = sign[3] == '1'   ? TY_I1
			  : sign[3] == 'F' ? TY_FLAGS
			  : sign[3] == '4' ? TY_I32
			  : sign[3] >= 'a' ? bound
					   : types[random_next(state) % LEN(types)];
		if (!vectors && !ir_is_vector(in.type))
			in.lane = 0;
		in.imm = literal_for(op, random_next(state));
		if (op == IR_SHUFFLE) {
			static const u8 patterns[][16] = {
				{ 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23 },
				{ 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31 },
				{ 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18 },
				{ 0, 1, 18, 19, 4, 5, 22, 23, 8, 9, 10, 11, 28, 29, 30, 31 },
				{ 4, 5, 6, 7, 12, 13, 14, 15, 16, 17, 18, 19, 28, 29, 30, 31 },
				{ 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7 },
				{ 0, 1, 2, 3, 255, 255, 255, 255, 16, 17, 18, 19, 255, 255, 255, 255 },
				{ 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31 },
				{ 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 0, 1, 2, 3 },
				{ 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7 }
			};
			u8 k[16];
			u64 x = random_next(state);
			for (unsigned i = 0; i < 16; i++)
				k[i] =
				    x & 1 ? patterns[(x >> 1) % LEN(patterns)][i] : random_next(state) % 33;
			for (unsigned i = 0; i < 16; i++)
				k[i] = k[i] == 32 ? 255 : k[i] < 32 && x >> 20 & 1 ? k[i] ^ 16 : k[i];
			in.imm = ir_const128(r, k);
		}
		if (strchr("SC", sign[1]) && ir_op_info[op].operands[1] == 'v' && random_next(state) & 1 &&
		    in.b && ok && r->insn[in.b].type <= TY_I64)
			in.b = ir_emit(r, &(struct ir_insn){ .op = IR_CONST,
							     .type = r->insn[in.b].type,
							     .imm = random_next(state) % 66 });
		if (!ok || !ir_insn_ok(r, &in) || !sensible(r, &in) ||
		    slot_of_type(in.type == TY_F16 ? TY_I16 : in.type, 0) == ~0u)
			continue;
		u32 v = ir_emit(r, &in);
		if (in.type == TY_F16)
			v = ir_emit(r, &(struct ir_insn){ .op = IR_CAST, .type = TY_I16, .a = v });
		ir_emit(r, &(struct ir_insn){ .op = IR_SET,
					      .a = v,
					      .imm = slot_of_type(in.type == TY_F16 ? TY_I16 : in.type,
								  random_next(state) % 6) });
		ir_emit(r, &(struct ir_insn){ .op = IR_JUMP, .imm = 0x2000 });
		return true;
	}
	return false;
}

/* Every operation in some forms, on some values each; mask: the sticky flags that must be the interpreter's. */
static void each_op(const struct fp_ctl *ctl, unsigned forms, unsigned values, bool floats)
{
	u32 mask =
	    ctl->loose_flags ? FP_INVALID | FP_DIVZERO | FP_OVERFLOW : FP_IEEE_FLAGS | FP_INPUT_FLUSHED;
	struct rig *rig = compare_rig(compare_int, compare_vec);
	struct ir_region *r = ir_new(random_slots, TY_I64);
	static struct random_cpu start;
	const char *only = getenv("RHEA_TEST_OP");
	u64 state = 1;
	for (enum ir_op op = IR_COPY; op < IR_OP_COUNT; op++) {
		bool is_float = (op >= IR_FADD && op <= IR_BFMLAL) || op == IR_FLFCMP;
		if ((!ir_has(op, IR_F_PURE) && !ir_has(op, IR_F_FLOAT)) || is_float != floats ||
		    op == IR_CONST || op == IR_VCONST || (only && strcmp(only, ir_op_info[op].name)))
			continue;
		unsigned bad = 0, slow = 0, n = 0;
		char detail[2000] = "";
		for (unsigned form = 0; form < forms && bad < 2; form++) {
			if (!one_insn(r, op, &state))
				continue;
			r->fp = *ctl;
			if (!compare_compile(rig, r))
				continue;
			n++;
			slow += rig->job.n_slow != 0;
			if (rig->job.n_slow && strlen(detail) < sizeof(detail) - 40)
				for (u32 i = 1; i < r->n_insn; i++)
					if (r->insn[i].op == op) {
						char one[60];
						snprintf(one, sizeof(one), " %s/%s.%s",
							 ir_type_name(r->insn[r->insn[i].a].type),
							 ir_type_name(r->insn[i].type),
							 ir_type_name(r->insn[i].lane));
						if (!strstr(detail, one))
							strcat(detail, one);
					}
			for (unsigned seed = 0; seed < values; seed++) {
				compare_hard_start(rig, seed + (u64)form * 1000, &start);
				if (!compare_from(rig, r, seed, &start, mask)) {
					test_fail(__FILE__, __LINE__, "%s, form %u, values %u",
						  ir_op_info[op].name, form, seed);
					bad++;
					break;
				}
			}
		}
		if (getenv("RHEA_TEST_STATS") && slow)
			fprintf(stderr, "# %s: %u of %u by calls:%s\n", ir_op_info[op].name, slow, n, detail);
	}
	ir_free(r);
	rig_free(rig);
}

TEST(x64, every_integer_and_vector_operation_does_what_the_interpreter_does)
{
	each_op(&fp_arm, 60, 25, false);
}

TEST(x64, every_floating_point_operation_does_what_the_interpreter_does)
{
	struct fp_ctl ctl =
	    fp_arm; /* with the host's notion of tininess: the other one is a documented difference */
	ctl.tiny_before_rounding = false;
	each_op(&ctl, 60, 60, true);
	static const enum fp_round rounds[] = { FP_TO_ZERO, FP_DOWN, FP_UP };
	for (unsigned i = 0; i < LEN(rounds); i++) {
		ctl.round = rounds[i];
		each_op(&ctl, 16, 30, true);
	}
	ctl.round = FP_NEAREST_EVEN;
	ctl.flush_in = ctl.flush_out = true; /* FPCR.FZ */
	for (unsigned i = 0; i < LEN(rounds); i++) {
		each_op(&ctl, 30, 60, true);
		ctl.round = rounds[i];
	}
	ctl = fp_x86;
	each_op(&ctl, 16, 30, true);
	ctl = fp_riscv;
	each_op(&ctl, 16, 30, true);
	ctl.flush_in = ctl.flush_out = true;
	each_op(&ctl, 10, 10, true);
	ctl.loose_flags = true;
	each_op(&ctl, 30, 60, true);
	ctl = fp_arm;
	ctl.flush_in = ctl.flush_out = ctl.loose_flags = true;
	each_op(&ctl, 30, 200, true);
}
