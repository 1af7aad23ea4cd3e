/* What the tests of the back end have in common: compare.h. */
#include "translate/host/x64/compare.h"
#include "translate/host/x64/jit.h"
#include "base/err.h"
#include "base/test.h"
#include <stdio.h>

const u16 compare_int[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 13, NO_SLOT }; /* mem x0..x7 w0 */
const u16 compare_vec[] = { 31, 32, 33, 34, NO_SLOT }; /* v0..v3 */

struct rig *compare_rig(const u16 *ints, const u16 *vecs)
{
	return rig_new(random_slots, sizeof(struct random_cpu), ints, vecs);
}

struct random_cpu *compare_state(struct rig *rig)
{
	return (struct random_cpu *)rig->cpu;
}

void compare_dump(const struct rig *rig)
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
	compare_dump(rig);
}

bool compare_compile(struct rig *rig, const struct ir_region *r)
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

bool compare_quiet;

/* One run by interpreter and code from the same start; the region was compiled. mask: the fp_flags that must agree. */
bool compare_from(struct rig *rig, const struct ir_region *r, u64 seed, const struct random_cpu *start,
		      u32 mask)
{
	static struct random_cpu want;
	static u8 mem_start[RIG_PAGE], mem_want[RIG_PAGE];
	char text[200] = "";
	memcpy(mem_start, rig->mem, RIG_PAGE);
	struct random_cpu *got = compare_state(rig);
	*got = *start;
	enum ir_event wanted = rig_interpret(rig, r);
	want = *got;
	memcpy(mem_want, rig->mem, RIG_PAGE);
	memcpy(rig->mem, mem_start, RIG_PAGE);
	*got = *start;
	enum ir_event event = rig_run(rig);
	want.cpu.fp_flags &= mask;
	got->cpu.fp_flags &= mask;
	if (event != EV_MEMORY && event != EV_ALIGN)
		want.cpu.fault_addr = got->cpu.fault_addr;
	if (event == EV_MEMORY) /* of an access over a page's end either part may fault first */
		want.cpu.fault_addr &= -(u64)RIG_PAGE, got->cpu.fault_addr &= -(u64)RIG_PAGE;
	bool same = random_cpu_same(got, &want, true, text, sizeof(text));
	if (event != wanted) {
		same = false;
		snprintf(text, sizeof(text), "event %u, want %u", event, wanted);
	}
	if (memcmp(rig->mem, mem_want, RIG_PAGE)) {
		same = false;
		for (unsigned i = RIG_PAGE; i-- > 0;)
			if (rig->mem[i] != mem_want[i])
				snprintf(text, sizeof(text), "guest memory at mem+%d: %#x, want %#x",
					 (int)(i - (RIG_PAGE - 400)), rig->mem[i], mem_want[i]);
	}
	if (!same && !compare_quiet)
		complain(rig, r, seed, start, &want, got, text);
	return same;
}

void compare_start(struct rig *rig, u64 seed, struct random_cpu *start)
{
	u64 state = ~seed;
	random_cpu_init(start, seed, true);
	start->cpu.mem_base = NULL;
	start->mem = (uintptr_t)rig->mem + RIG_PAGE - 512; /* with an index of 255 + 160 + 16 inside */
	start->cpu.host_fp = 0x1f80;
	memset(start->cpu.heat, 0x3f, sizeof(start->cpu.heat)); /* regions that count go on */
	for (unsigned i = 0; i < RIG_PAGE; i += 8)
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

void compare_shrink(struct rig *rig, struct ir_region *r, u64 seed, const struct random_cpu *start, u32 mask)
{
	compare_quiet = true;
	for (unsigned round = 0; round < 3; round++)
		for (u32 i = r->n_insn; i-- > 1;) {
			struct ir_insn was = r->insn[i];
			if (was.op == IR_NOP || was.op == IR_INSN || ir_has(was.op, IR_F_END) ||
			    (was.op == IR_SET && was.imm >= IR_LOCAL) || is_used(r, i))
				continue;
			r->insn[i] = (struct ir_insn){ .op = IR_NOP };
			struct random_cpu unused;
			compare_start(rig, seed, &unused);
			if (!compare_compile(rig, r) || compare_from(rig, r, seed, start, mask))
				r->insn[i] = was;
		}
	compare_quiet = false;
	struct random_cpu again;
	compare_start(rig, seed, &again);
	compare_compile(rig, r);
	compare_from(rig, r, seed, start, mask);
}

/* ---- numbers as they hurt ---- */

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

void compare_hard_start(struct rig *rig, u64 seed, struct random_cpu *start)
{
	u64 state = seed * 77 + 5;
	compare_start(rig, seed, start);
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

u64 compare_first_seed(u64 usual)
{
	const char *s = getenv("RHEA_TEST_FIRST");
	return s ? strtoull(s, NULL, 0) : usual;
}

u64 compare_seeds(u64 usual)
{
	const char *s = getenv("RHEA_TEST_SEEDS");
	return s ? strtoull(s, NULL, 0) : usual;
}

void compare_hard_seeds(struct rig *rig, struct ir_random_options o, unsigned blocks,
			void (*change)(struct random_cpu *start, u64 values),
			unsigned (*count)(const struct rig *rig, const struct ir_region *r), unsigned *ret_counted)
{
	static struct random_cpu start;
	struct ir_region *r = ir_new(random_slots, TY_I64);
	unsigned bad = 0;
	*ret_counted = 0;
	for (u64 seed = compare_first_seed(0), end = seed + compare_seeds(600); seed < end && bad < 3; seed++) {
		o.insns = 8 + seed % 70;
		o.blocks = 1 + seed % blocks;
		ir_random(r, seed, &o);
		r->fp = fp_riscv;
		if (!compare_compile(rig, r))
			continue;
		*ret_counted += count(rig, r);
		for (u64 values = seed * 8; values < seed * 8 + 8; values++) {
			compare_hard_start(rig, values, &start);
			if (change)
				change(&start, values);
			if (!compare_from(rig, r, values, &start, FP_IEEE_FLAGS)) {
				test_fail(__FILE__, __LINE__, "seed %llu", (unsigned long long)seed);
				bad++;
				break;
			}
		}
	}
	CHECK(rig->unsupported * 20 < rig->compiled);
	ir_free(r);
}
