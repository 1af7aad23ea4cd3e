/*
 * The back end against the interpreter: regions are compiled, run on one copy of a CPU's state, interpreted on another, and everything a
 * guest can see is compared. RHEA_TEST_SEEDS=N runs that many random regions instead of some; RHEA_TEST_OP=NAME only that operation;
 * RHEA_TEST_STATS=1 tells which operations go to ir_eval by a call, with the types of operand and result and the lanes.
 */
#include "compile.c"
#include "base/err.h"
#include "base/test.h"
#include "translate/host/x64/rig.h"
#include "translate/ir/random.h"
#include <stdio.h>

enum { PAGE = RIG_PAGE };

static const u16 hot_int[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 13, NO_SLOT }; /* mem x0..x7 w0 */
static const u16 hot_vec[] = { 31, 32, 33, 34, NO_SLOT }; /* v0..v3 */

static struct rig *rig_of(const u16 *ints, const u16 *vecs)
{
	return rig_new(random_slots, sizeof(struct random_cpu), ints, vecs);
}

static struct random_cpu *state_of(struct rig *rig)
{
	return (struct random_cpu *)rig->cpu;
}

static void dump(const struct rig *rig)
{
	const char *name = getenv("RHEA_TEST_DUMP");
	FILE *f = name ? fopen(name, "wb") : NULL;
	if (f) {
		fwrite(rig->code, 1, rig->job.size, f);
		fclose(f);
	}
}

static u64 show_slot(const struct random_cpu *c, const struct ir_slot *s, unsigned half)
{
	u64 v = 0;
	if (half * 8 < ir_type_size(s->type))
		memcpy(&v, (const u8 *)c + s->offset + half * 8, MIN(ir_type_size(s->type), 8u));
	return v;
}

static void print_region(const struct ir_region *r)
{
	AUTO(free_ptr) char *text = ir_print(r);
	for (const char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (strncmp(line, "const ", 6) || getenv("RHEA_TEST_DUMP"))
			fprintf(stderr, "%s\n", line);
}

static void complain(const struct rig *rig, const struct ir_region *r, u64 seed,
		     const struct random_cpu *start, const struct random_cpu *want,
		     const struct random_cpu *got, const char *what)
{
	fprintf(stderr, "---- seed %llu: %s\n", (unsigned long long)seed, what);
	print_region(r);
	for (const struct ir_slot *s = random_slots; s->name; s++)
		if (memcmp((const u8 *)want + s->offset, (const u8 *)got + s->offset, ir_type_size(s->type)))
			for (unsigned half = 0; half < (ir_type_size(s->type) + 7) / 8; half++)
				fprintf(stderr, "%s.%u: %#llx, want %#llx, was %#llx\n", s->name, half,
					(unsigned long long)show_slot(got, s, half),
					(unsigned long long)show_slot(want, s, half),
					(unsigned long long)show_slot(start, s, half));
	for (const struct ir_slot *s = random_slots; getenv("RHEA_TEST_DUMP") && s->name; s++)
		fprintf(stderr, "  %s was %#llx %#llx\n", s->name, (unsigned long long)show_slot(start, s, 1),
			(unsigned long long)show_slot(start, s, 0));
	fprintf(stderr, "event_arg %#llx, want %#llx; fault_addr %#llx, want %#llx; fp_flags %#x, want %#x\n",
		(unsigned long long)got->cpu.event_arg, (unsigned long long)want->cpu.event_arg,
		(unsigned long long)got->cpu.fault_addr, (unsigned long long)want->cpu.fault_addr,
		got->cpu.fp_flags, want->cpu.fp_flags);
	dump(rig);
}

static bool compile(struct rig *rig, const struct ir_region *r)
{
	bool done = rig_compile(rig, r);
	if (rig->job.unsupported && getenv("RHEA_TEST_DUMP"))
		fprintf(stderr, "unsupported: %s\n", ir_op_info[r->insn[rig->job.stopped].op].name);
	if (!done && !rig->job.unsupported && r->n_insn < 64) {
		print_region(r);
		test_fail(__FILE__, __LINE__, "a small region did not fit");
	}
	return done;
}

static bool quiet; /* no complaints: a failing region is being made smaller */

/* One run by interpreter and code from the same start; the region was compiled. mask: the fp_flags that must agree. */
static bool same_from(struct rig *rig, const struct ir_region *r, u64 seed, const struct random_cpu *start,
		      u32 mask)
{
	static struct random_cpu want;
	static u8 mem_start[PAGE], mem_want[PAGE];
	char text[200] = "";
	memcpy(mem_start, rig->mem, PAGE);
	struct random_cpu *got = state_of(rig);
	*got = *start;
	enum ir_event wanted = rig_interpret(rig, r);
	want = *got;
	memcpy(mem_want, rig->mem, PAGE);
	memcpy(rig->mem, mem_start, PAGE);
	*got = *start;
	enum ir_event event = rig_run(rig);
	want.cpu.fp_flags &= mask;
	got->cpu.fp_flags &= mask;
	if (event != EV_MEMORY && event != EV_ALIGN)
		want.cpu.fault_addr = got->cpu.fault_addr;
	if (event == EV_MEMORY) /* of an access over a page's end either part may fault first */
		want.cpu.fault_addr &= -(u64)PAGE, got->cpu.fault_addr &= -(u64)PAGE;
	bool same = random_cpu_same(got, &want, true, text, sizeof(text));
	if (event != wanted) {
		same = false;
		snprintf(text, sizeof(text), "event %u, want %u", event, wanted);
	}
	if (memcmp(rig->mem, mem_want, PAGE)) {
		same = false;
		for (unsigned i = PAGE; i-- > 0;)
			if (rig->mem[i] != mem_want[i])
				snprintf(text, sizeof(text), "guest memory at mem+%d: %#x, want %#x",
					 (int)(i - (PAGE - 400)), rig->mem[i], mem_want[i]);
	}
	if (!same && !quiet)
		complain(rig, r, seed, start, &want, got, text);
	return same;
}

static void start_of(struct rig *rig, u64 seed, struct random_cpu *start)
{
	u64 state = ~seed;
	random_cpu_init(start, seed, true);
	start->cpu.mem_base = NULL;
	start->mem = (uintptr_t)rig->mem + PAGE - 512; /* with an index of 255 + 160 + 16 inside */
	start->cpu.host_fp = 0x1f80;
	for (unsigned i = 0; i < PAGE; i += 8)
		st_le64(rig->mem + i, random_next(&state));
}

static bool is_used(const struct ir_region *r, u32 v)
{
	for (u32 i = 1; i < r->n_insn; i++) {
		const struct ir_insn *in = &r->insn[i];
		const char *kinds = ir_op_info[in->op].operands;
		if ((kinds && kinds[0] == 'v' && in->a == v) || (kinds && kinds[1] == 'v' && in->b == v) ||
		    (kinds && kinds[2] == 'v' && in->c == v))
			return true;
	}
	return false;
}

/* Takes away what a failing region can do without, then lets it fail aloud. */
static void shrink(struct rig *rig, struct ir_region *r, u64 seed, const struct random_cpu *start, u32 mask)
{
	quiet = true;
	for (unsigned round = 0; round < 3; round++)
		for (u32 i = r->n_insn; i-- > 1;) {
			struct ir_insn was = r->insn[i];
			if (was.op == IR_NOP || was.op == IR_INSN || ir_has(was.op, IR_F_END) ||
			    (was.op == IR_SET && was.imm >= IR_LOCAL) || is_used(r, i))
				continue;
			r->insn[i] = (struct ir_insn){ .op = IR_NOP };
			struct random_cpu unused;
			start_of(rig, seed, &unused);
			if (!compile(rig, r) || same_from(rig, r, seed, start, mask))
				r->insn[i] = was;
		}
	quiet = false;
	struct random_cpu again;
	start_of(rig, seed, &again);
	compile(rig, r);
	same_from(rig, r, seed, start, mask);
}

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
		if (!compile(rig, r))
			continue;
		start_of(rig, seed, &start);
		quiet = true;
		bool same = same_from(rig, r, seed, &start, FP_IEEE_FLAGS);
		quiet = false;
		if (!same) {
			shrink(rig, r, seed, &start, FP_IEEE_FLAGS);
			test_fail(__FILE__, __LINE__, "seed %llu", (unsigned long long)seed);
			bad++;
		}
	}
	ir_free(r);
	return !bad;
}

static u64 first_seed(u64 usual)
{
	const char *s = getenv("RHEA_TEST_FIRST");
	return s ? strtoull(s, NULL, 0) : usual;
}

static u64 seeds(u64 usual)
{
	const char *s = getenv("RHEA_TEST_SEEDS");
	return s ? strtoull(s, NULL, 0) : usual;
}

TEST(x64, integer_code_without_memory_does_what_the_interpreter_does)
{
	struct rig *rig = rig_of(hot_int, hot_vec);
	random_seeds(rig, first_seed(0), seeds(4000),
		     (struct ir_random_options){
			 .no_memory = true, .no_vectors = true, .no_crypto = true, .no_loops = true });
	CHECK(rig->unsupported * 20 < rig->compiled);
	rig_free(rig);
}

/* Slots are set later here, and homes serve for values, as long as there is something to compute. */
TEST(x64, long_regions_of_integers_do_what_the_interpreter_does_up_to_any_fault)
{
	struct ir_random_options o = {
		.insns = 50, .no_vectors = true, .no_crypto = true, .no_flags = true, .no_i128 = true
	};
	struct rig *rig = rig_of(hot_int, hot_vec);
	random_seeds(rig, first_seed(2680), 2680 + seeds(120), o);
	o.faults = true;
	random_seeds(rig, first_seed(2800), 2800 + seeds(240), o);
	rig_free(rig);
}

TEST(x64, random_regions_do_what_the_interpreter_does)
{
	struct rig *rig = rig_of(hot_int, hot_vec);
	random_seeds(rig, first_seed(0), seeds(4000), (struct ir_random_options){ .faults = false });
	CHECK(rig->unsupported * 20 < rig->compiled);
	rig_free(rig);
}

TEST(x64, random_regions_with_faults_and_without_homes_do_what_the_interpreter_does)
{
	static const u16 none[] = { NO_SLOT };
	struct rig *rig = rig_of(hot_int, hot_vec);
	random_seeds(rig, 100000, 100000 + seeds(2000), (struct ir_random_options){ .faults = true });
	rig_free(rig);
	rig = rig_of(none, none);
	random_seeds(rig, 200000, 200000 + seeds(1000),
		     (struct ir_random_options){ .faults = true, .floats = true });
	CHECK(rig->unsupported * 20 < rig->compiled);
	rig_free(rig);
}

TEST(x64, slots_that_change_registers_inside_a_region_do_what_the_interpreter_does)
{
	static const u16 many[] = { 0, 1, 2, 3, 4, 5, 6, 7, 13, 14, 8, 9, 10, 11, 12, 15, 16, NO_SLOT };
	struct rig *rig = rig_of(many, hot_vec);
	rig->job.moves = MOVES_ALWAYS;
	random_seeds(rig, first_seed(300000), 300000 + seeds(3000),
		     (struct ir_random_options){ .faults = true });
	CHECK(rig->unsupported * 20 < rig->compiled && rig->moved * 2 > rig->compiled);
	rig_free(rig);
}

/* ---- every operation by itself, on numbers as they hurt ---- */

static u64 hard_lane(u64 *state, unsigned size)
{
	static const u64 f16[] = { 0,	   0x8000, 0x3c00, 0xbc00, 1,	   0x8001, 0x3ff,  0x400,  0x7bff,
				   0xfbff, 0x7c00, 0xfc00, 0x7e00, 0xfe01, 0x7c01, 0x3800, 0x4100, 0x57ff };
	static const u64 f32[] = { 0,	       0x80000000, 0x3f800000, 0xbf800000, 1,	       0x80000001,
				   0x7fffff,   0x800000,   0x80800000, 0x7f7fffff, 0xff7fffff, 0x7f800000,
				   0xff800000, 0x7fc00000, 0xffc00001, 0x7f800001, 0x3f000000, 0xbf000000,
				   0x40200000, 0x4effffff, 0x4f000000, 0xcf000000, 0x4f7fffff, 0x4f800000,
				   0x5f000000, 0xdf000000, 0x5f7fffff, 0x3f7fffff, 0x4b000001, 0x33800000,
				   0x3fc00000, 0x1f800000 };
	static const u64 f64[] = { 0,
				   1ull << 63,
				   0x3ff0000000000000,
				   0xbff0000000000000,
				   1,
				   0x8000000000000001,
				   0xfffffffffffff,
				   0x10000000000000,
				   0x8010000000000000,
				   0x7fefffffffffffff,
				   0xffefffffffffffff,
				   0x7ff0000000000000,
				   0xfff0000000000000,
				   0x7ff8000000000000,
				   0xfff8000000000001,
				   0x7ff0000000000001,
				   0x3fe0000000000000,
				   0xbfe0000000000000,
				   0x4004000000000000,
				   0x41dfffffffc00000,
				   0x41e0000000000000,
				   0xc1e0000000000000,
				   0x41efffffffe00000,
				   0x41f0000000000000,
				   0x43e0000000000000,
				   0xc3e0000000000000,
				   0x43dfffffffffffff,
				   0x43efffffffffffff,
				   0x43f0000000000000,
				   0x3fefffffffffffff,
				   0x3810000000000000,
				   0x47efffffe0000000,
				   0x47effffff0000000,
				   0x36a0000000000000,
				   0x3690000000000000,
				   0x3ff8000000000000,
				   0x4330000000000001,
				   0x380fffffffffffff };
	u64 r = random_next(state);
	switch (r % 8) {
	case 0:
	case 1:
	case 2:
		r >>= 8;
		return size == 2   ? f16[r % LEN(f16)]
		       : size == 4 ? f32[r % LEN(f32)]
		       : size == 8 ? f64[r % LEN(f64)]
				   : (r & 1 ? 0x80 : 0x7f);
	case 3:
		return (r >> 8) % 70;
	case 4:
		return -((r >> 8) % 70);
	case 5: { /* numbers near one another, where sums and products round */
		u64 m = random_next(state);
		return size == 2   ? (0x3000 + (m & 0x1fff)) | (m & 0x8000)
		       : size == 4 ? (0x3e000000 + (m & 0x3ffffff)) | (m & 0x80000000)
				   : (0x3fc0000000000000 + (m & 0x7fffffffffffff)) | (m & 1ull << 63);
	}
	case 6:
		return ~0ull << (r >> 8) % 64;
	}
	return random_next(state);
}

static void hard_start(struct rig *rig, u64 seed, struct random_cpu *start)
{
	u64 state = seed * 77 + 5;
	start_of(rig, seed, start);
	unsigned size = 1u << random_next(&state) % 4;
	for (const struct ir_slot *s = random_slots + 1; s->name; s++) {
		u8 *p = (u8 *)start + s->offset;
		if (s->type == TY_FLAGS || s->type == TY_I1)
			continue;
		unsigned n = ir_is_float(s->type) ? ir_type_size(s->type) : MIN(size, ir_type_size(s->type));
		for (unsigned at = 0; at < ir_type_size(s->type); at += n) {
			u64 lane = hard_lane(&state, n);
			memcpy(p + at, &lane, n);
		}
	}
	if (random_next(&state) % 4 == 0) /* equal operands */
		memcpy(start->v[1], start->v[0], 16), start->d[1] = start->d[0], start->s[1] = start->s[0];
}

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
	struct rig *rig = rig_of(hot_int, hot_vec);
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
			if (!compile(rig, r))
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
				hard_start(rig, seed + (u64)form * 1000, &start);
				if (!same_from(rig, r, seed, &start, mask)) {
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

/* ---- cases in text: what front ends write ---- */

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
	"v1:v128 = get v0\nv2:v128 = get v1\nv3:v128 = aese v1, v2\nv4:v128 = aesmc v3\nset v2, v4\nv6:v128 = aesd v4, v1\n"
	"v7:v128 = aesimc v6\nset v3, v7\nv9:v128 = aese v7, v2\nset v0, v9\nv11:v128 = aesmc v9\nset v1, v11\n"
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
	/* a slot's old value goes to a register that is needed at once: not back to the slot */
	"v2:i32 = const #0x14\nv6:i64 = mulws v2, v2\nv7:i16 = get h1\nv8:i16 = sar v7, v6\nv9:i1 = get bit1\nset bit0, v9\n"
	"v11:i32 = rems v2, v2\nv14:i1 = lts v8, v7\nv15:i8 = const #0x12\nv16:i8 = adc v15, v15, v14\nv22:i1 = const #0x1\n"
	"set bit0, v22\nv29:i8 = bitrev v16\nset bit1, v14\nv31:i16 = trunc v11\nset bit1, v9\njump #0x2000\n",
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
	bool same = r && compile(rig, r);
	if (r && !same)
		test_fail(__FILE__, __LINE__, "not compiled:\n%s", body);
	for (unsigned seed = 0; same && seed < values; seed++) {
		hard_start(rig, seed, &start);
		same = same_from(rig, r, seed, &start, FP_IEEE_FLAGS);
		if (!same)
			test_fail(__FILE__, __LINE__, "values %u of\n%s", seed, body);
	}
	if (r)
		ir_free(r);
	return same;
}

TEST(x64, flags_and_carries_live_as_front_ends_need_them)
{
	struct rig *rig = rig_of(hot_int, hot_vec);
	for (unsigned i = 0; i < LEN(cases); i++)
		run_case(rig, cases[i], 300);
	rig_free(rig);
}

TEST(x64, single_bits_are_tested_where_they_are)
{
	static const char *const from[] = { "x0", "x9", "x10", "w0", "w3" };
	struct rig *rig = rig_of(hot_int, hot_vec);
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
	struct rig *rig = rig_of(hot_int, hot_vec);
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

TEST(x64, both_halves_of_sha256_rounds_in_every_choice_of_registers_with_and_without_the_hosts_instructions)
{
	static const u8 slots[] = { 0, 1, 3, 4, 5 }; /* v0 to v3 have homes, the others have none */
	struct rig *rig = rig_of(hot_int, hot_vec);
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
	struct rig *rig = rig_of(hot_int, all_vec);
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
	struct rig *rig = rig_of(hot_int, hot_vec);
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
	struct rig *rig = rig_of(hot_int, hot_vec);
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
	struct rig *rig = rig_of(hot_int, hot_vec);
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
	struct rig *rig = rig_of(hot_int, hot_vec);
	struct ir_region *r = case_of("insn 4, #0x1000\nv2:i64 = get mem\nv3:i64 = const #0x0\nv4:i1 = ne v2, v3\nbrc v4, b1, b2, #0x2\n"
				      "b1: ; pc 0x1000 cold\nraise v2, 4, #0x1000\n"
				      "b2: ; pc 0x1000\ninsn 4, #0x1004\nset x1, v2\njump #0x2000\n");
	if (r) {
		CHECK(compile(rig, r));
		state_of(rig)->mem = 1;
		CHECK_EQ(rig_run(rig), EV_MEMORY);
		CHECK_EQ(rig->cpu->insn_pc, 0x1000);
		ir_free(r);
	}
	rig_free(rig);
}

/* ---- NaNs that may be any ---- */

/* Arithmetic of doubles, and now and then somebody who looks at them. */
static bool doubles(const struct ir_region *r, const struct ir_insn *in)
{
	enum ir_type a = in->a ? r->insn[in->a].type : TY_VOID;
	switch (in->op) {
	case IR_FADD ... IR_FSQRT:
	case IR_FMA:
		return in->type == TY_F64;
	case IR_FEQ ... IR_FUNORD:
		return a == TY_F64;
	case IR_FNEG:
	case IR_FCOPYSIGN:
	case IR_SELECT:
		return in->type == TY_F64 && r->n_insn % 4 == 0;
	case IR_CAST:
		return a == TY_F64 && in->type == TY_I64 && r->n_insn % 4 == 0;
	case IR_LD:
		return in->mem.type == in->type && in->type == TY_F64 && !in->mem.order;
	case IR_ST:
		return r->insn[in->b].type == TY_F64 && in->mem.type == TY_F64 && !in->mem.order;
	default:
		return false;
	}
}

/* How many of a compiled region's results are not tested. */
static unsigned loose_results(const struct rig *rig, const struct ir_region *r)
{
	const struct jit *j = rig->job.own;
	unsigned n = 0;
	for (u32 o = 0; o < j->n_order; o++) {
		const struct ir_block *b = &r->block[j->order[o]];
		for (u32 i = b->first; i < b->first + b->count; i++)
			n += r->insn[i].op >= IR_FADD && r->insn[i].op <= IR_FSQRT && j->val[i].flags & VF_LOOSE;
	}
	return n;
}

TEST(x64, nans_that_nobody_looks_at_are_the_default_one_where_a_region_is_left)
{
	static const u16 one_home[] = { 27, 31, NO_SLOT }; /* d0 v0 */
	static struct random_cpu start;
	struct ir_random_options o = { .floats = true, .faults = true, .allow = doubles };
	struct rig *rig = rig_of(hot_int, one_home);
	struct ir_region *r = ir_new(random_slots, TY_I64);
	unsigned loose = 0, bad = 0;
	CHECK_STR(random_slots[27].name, "d0");
	for (u64 seed = first_seed(0), end = seed + seeds(600); seed < end && bad < 3; seed++) {
		o.insns = 8 + seed % 70;
		o.blocks = 1 + seed % 5;
		ir_random(r, seed, &o);
		r->fp = fp_riscv;
		if (!compile(rig, r))
			continue;
		loose += loose_results(rig, r);
		for (u64 values = seed * 8; values < seed * 8 + 8; values++) {
			hard_start(rig, values, &start);
			if (!same_from(rig, r, values, &start, FP_IEEE_FLAGS)) {
				test_fail(__FILE__, __LINE__, "seed %llu", (unsigned long long)seed);
				bad++;
				break;
			}
		}
	}
	CHECK(loose > rig->compiled);
	CHECK(rig->unsupported * 20 < rig->compiled);
	ir_free(r);
	rig_free(rig);
}

TEST(x64, code_of_a_case_can_be_looked_at)
{
	const char *name = getenv("RHEA_TEST_CASE");
	FILE *f = name ? fopen(name, "r") : NULL;
	char body[8192] = "";
	struct rig *rig = rig_of(hot_int, hot_vec);
	if (f) {
		body[fread(body, 1, sizeof(body) - 1, f)] = 0;
		fclose(f);
	}
	struct ir_region *r = case_of(f ? body : "v1:i64 = get x0\njumpi v1\n");
	if (r) {
		CHECK(compile(rig, r));
		dump(rig);
		ir_free(r);
	}
	rig_free(rig);
}
