#include "arm64.c"
#include "base/err.h"
#include "base/test.h"
#include <setjmp.h>

/* ---- a CPU with a little memory at guest address 0, and instructions run one after the other ---- */
struct rig {
	struct arm64 a;
	u8 memory[4096];
	const struct arm64_model *model;
	enum ir_event event;
};

static u32 exits_block;
static u64 exits_pc[4];
static u32 exits[4];
static u32 block_of(struct tr *t, u64 pc)
{
	exits[exits_block] = ir_block_new(t->ir);
	exits_pc[exits_block] = pc;
	return exits[exits_block++];
}

static void step(struct rig *g, u32 word)
{
	u8 code[4];
	st_le32(code, word);
	struct ir_region *ir = ir_new(arm64_slots, TY_I64);
	struct tr t = { .ir = ir,
			.guest = &guest_aarch64,
			.model = g->a.model,
			.key = g->a.cpu.key,
			.pc = g->a.cpu.pc,
			.code = code,
			.avail = 4,
			.block_of = block_of };
	exits_block = 0;
	guest_aarch64.begin(&t);
	guest_aarch64.insn(&t);
	if (!ir_block_ended(ir))
		tr_jump(&t, t.pc + t.len);
	for (u32 i = 0; i < exits_block; i++) {
		ir_block_start(ir, exits[i]);
		v_op(&t, IR_JUMP, TY_VOID, 0, 0, 0, exits_pc[i]);
	}
	struct err *e = ir_verify(ir);
	if (e)
		test_fail(__FILE__, __LINE__, "%08x: %s", word, err_text(e));
	err_free(e);
	g->event = ir_run(ir, &g->a.cpu);
	ir_free(ir);
}

static void open_rig(struct rig *g, const char *model)
{
	memset(g, 0, sizeof(*g));
	g->a.cpu.mem_base = g->memory;
	g->a.cpu.mem_mask = ~0ull;
	g->a.cpu.guest = &guest_aarch64;
	for (const struct guest_model *m = arm64_models; m->name; m++)
		if (strcmp(m->name, model) == 0)
			guest_aarch64.reset(&g->a.cpu, m->data);
	g->a.cpu.pc = 0x1000;
}

enum { LDXR_X0_X1 = 0xc85f7c20, STXR_W2_X3_X1 = 0xc8027c23, CLREX = 0xd503335f };
enum { LDXP_X4_X5_X1 = 0xc87f1424, STXP_W2_X6_X7_X1 = 0xc8221c26, LDR_X0_X1_PRE8 = 0xf8408c20 };

TEST(arm64, store_exclusive_follows_the_monitor)
{
	static struct rig g;
	open_rig(&g, "max");
	g.a.x[1] = 64;
	g.a.x[3] = 0x1234;
	g.a.x[2] = 99;
	step(&g, STXR_W2_X3_X1); /* nothing was loaded */
	CHECK_EQ(g.a.x[2], 1);
	CHECK_EQ(ld_le64(g.memory + 64), 0);
	step(&g, LDXR_X0_X1);
	step(&g, STXR_W2_X3_X1);
	CHECK_EQ(g.a.x[2], 0);
	CHECK_EQ(ld_le64(g.memory + 64), 0x1234);
	g.a.x[3] = 5;
	step(&g, STXR_W2_X3_X1); /* the monitor is open again */
	CHECK_EQ(g.a.x[2], 1);
	step(&g, LDXR_X0_X1);
	CHECK_EQ(g.a.x[0], 0x1234);
	step(&g, CLREX);
	step(&g, STXR_W2_X3_X1);
	CHECK_EQ(g.a.x[2], 1);
	step(&g, LDXR_X0_X1);
	st_le64(g.memory + 64, 7); /* somebody else writes */
	step(&g, STXR_W2_X3_X1);
	CHECK_EQ(g.a.x[2], 1);
	CHECK_EQ(ld_le64(g.memory + 64), 7);
}

TEST(arm64, store_exclusive_pair_compares_both_halves)
{
	static struct rig g;
	open_rig(&g, "max");
	g.a.x[1] = 0;
	while ((uintptr_t)(g.memory + g.a.x[1]) % 16)
		g.a.x[1] += 1;
	u8 *at = g.memory + g.a.x[1];
	g.a.cpu.mem_base = at;
	g.a.x[1] = 0;
	st_le64(at, 1);
	st_le64(at + 8, 2);
	g.a.x[6] = 3;
	g.a.x[7] = 4;
	step(&g, LDXP_X4_X5_X1);
	CHECK_EQ(g.a.x[4], 1);
	CHECK_EQ(g.a.x[5], 2);
	st_le64(at + 8, 9);
	step(&g, STXP_W2_X6_X7_X1);
	CHECK_EQ(g.a.x[2], 1);
	step(&g, LDXP_X4_X5_X1);
	step(&g, STXP_W2_X6_X7_X1);
	CHECK_EQ(g.a.x[2], 0);
	CHECK_EQ(ld_le64(at), 3);
	CHECK_EQ(ld_le64(at + 8), 4);
}

static void read_faults(struct cpu *cpu, u64 addr, void *buf UNUSED, unsigned size UNUSED,
			struct ir_mem mem UNUSED)
{
	cpu->fault_addr = addr;
	cpu_raise(cpu, EV_MEMORY, 0);
}

TEST(arm64, a_load_that_faults_changes_nothing)
{
	static const struct cpu_memory nothing = { .read = read_faults };
	static struct rig g;
	open_rig(&g, "max");
	g.a.cpu.memory = &nothing;
	g.a.x[0] = 11;
	g.a.x[1] = 64;
	step(&g, LDR_X0_X1_PRE8);
	CHECK_EQ(g.event, EV_MEMORY);
	CHECK_EQ(g.a.cpu.fault_addr, 72);
	CHECK_EQ(g.a.x[0], 11);
	CHECK_EQ(g.a.x[1], 64);
	CHECK_EQ(g.a.cpu.pc, 0x1000);
}

TEST(arm64, instructions_of_absent_features_are_undefined)
{
	static const struct {
		const char *model;
		u32 word;
		bool there;
	} v[] = {
		{ "max", 0xf8210020, true }, /* ldadd x1, x0, [x1] */
		{ "cortex-a53", 0xf8210020, false },
		{ "cortex-a76", 0xf8210020, true },
		{ "cortex-a53", 0x1ac14000, true }, /* crc32b */
		{ "cortex-a76", 0xdac10000, false }, /* pacia x0, x0 */
		{ "max", 0xdac10000, true },
		{ "cortex-a72", 0xd503233f, true }, /* paciasp: a hint there */
		{ "max", 0x04a0e3e0, true }, /* cntw: SVE */
		{ "cortex-a76", 0x04a0e3e0, false },
		{ "max", 0x9adf1020, false }, /* irg x0, x1: MTE */
		{ "max", 0x05a20000, false }, /* zip1 z0.q, z0.q, z2.q: FEAT_F64MM */
		{ "max", 0xd4000002, false }, /* hvc */
		{ "max", 0xd69f03e0, false }, /* eret */
		{ "max", 0xd53be040, true }, /* mrs x0, cntvct_el0 */
		{ "max", 0xd53be020, false }, /* mrs x0, cntpct_el0 */
		{ "max", 0xd51bd060, false }, /* msr tpidrro_el0, x0 */
		{ "max", 0xd5380400, true }, /* mrs x0, id_aa64pfr0_el1 */
		{ "cortex-a72", 0xd53b2400, false }, /* mrs x0, rndr */
	};
	static struct rig g;
	for (unsigned i = 0; i < LEN(v); i++) {
		open_rig(&g, v[i].model);
		step(&g, v[i].word);
		if ((g.event != EV_UNDEFINED) != v[i].there)
			test_fail(__FILE__, __LINE__, "%08x on %s", v[i].word, v[i].model);
		if (!v[i].there) {
			CHECK_EQ(g.a.cpu.event_arg, v[i].word);
			CHECK_EQ(g.a.cpu.pc, 0x1000);
		}
	}
}

TEST(arm64, events_say_where_control_comes_back)
{
	static struct rig g;
	open_rig(&g, "max");
	step(&g, 0xd4000541); /* svc #42 */
	CHECK_EQ(g.event, EV_SYSCALL);
	CHECK_EQ(g.a.cpu.event_arg, 42);
	CHECK_EQ(g.a.cpu.pc, 0x1004);
	step(&g, 0xd4200020); /* brk #1 */
	CHECK_EQ(g.event, EV_BREAKPOINT);
	CHECK_EQ(g.a.cpu.pc, 0x1004);
	step(&g, 0x00000007); /* udf #7 */
	CHECK_EQ(g.event, EV_UNDEFINED);
	CHECK_EQ(g.a.cpu.pc, 0x1004);
	g.a.cpu.pc = 0x1002;
	step(&g, 0xd503201f);
	CHECK_EQ(g.event, EV_ALIGN);
}

TEST(arm64, fpcr_is_in_the_key_and_in_the_rules)
{
	static struct rig g;
	open_rig(&g, "max");
	g.a.x[0] = ~0ull;
	step(&g, 0xd51b4400); /* msr fpcr, x0 */
	CHECK_EQ(g.event, EV_NONE);
	CHECK_EQ(g.a.cpu.key, KEY_FPCR);
	CHECK_EQ(g.a.fpcr, KEY_FPCR);
	step(&g, 0xd53b4401); /* mrs x1, fpcr */
	CHECK_EQ(g.a.x[1], KEY_FPCR);
	open_rig(&g, "cortex-a53"); /* no FEAT_FP16, no FZ16 */
	g.a.x[0] = ~0ull;
	step(&g, 0xd51b4400);
	CHECK_EQ(g.a.fpcr, KEY_FPCR & ~FPCR_FZ16);
	struct ir_region *ir = ir_new(arm64_slots, TY_I64);
	struct tr t = { .ir = ir, .key = FPCR_FZ | 2 << 22 };
	begin(&t);
	CHECK(ir->fp.flush_in && ir->fp.flush_out && !ir->fp.default_nan && !ir->fp.flush_in_f16);
	CHECK_EQ(ir->fp.round, FP_DOWN);
	ir_free(ir);
}

TEST(arm64, fpsr_is_made_of_flags_and_saturation)
{
	static struct rig g;
	open_rig(&g, "max");
	g.a.cpu.fp_flags = FP_INVALID | FP_INEXACT | FP_INPUT_FLUSHED;
	g.a.qc.d[1] = 4;
	step(&g, 0xd53b4420); /* mrs x0, fpsr */
	CHECK_EQ(g.a.x[0], FPSR_QC | FPSR_IDC | 0x11);
	CHECK_EQ(arm64_fpsr(&g.a), FPSR_QC | FPSR_IDC | 0x11);
	g.a.x[0] = 0x8;
	step(&g, 0xd51b4420); /* msr fpsr, x0 */
	CHECK_EQ(g.a.cpu.fp_flags, FP_UNDERFLOW);
	CHECK_EQ(g.a.qc.d[0] | g.a.qc.d[1], 0);
}

static u64 cleaned_addr, cleaned_len;
static void note_clean(struct cpu *cpu UNUSED, u64 addr, u64 len)
{
	cleaned_addr = addr;
	cleaned_len = len;
}

TEST(arm64, cache_instructions_zero_a_block_and_forget_a_line)
{
	static struct rig g;
	open_rig(&g, "max");
	memset(g.memory, 0xff, sizeof(g.memory));
	g.a.x[0] = 200;
	step(&g, 0xd50b7420); /* dc zva, x0 */
	unsigned zeros = 0;
	for (unsigned i = 0; i < 4096; i++)
		zeros += !g.memory[i];
	CHECK_EQ(zeros, 64);
	CHECK(!g.memory[192] && !g.memory[255]);
	g.a.cpu.clean = note_clean;
	step(&g, 0xd50b7520); /* ic ivau, x0 */
	CHECK(cleaned_addr <= 200 && cleaned_addr + cleaned_len >= 256 && cleaned_len <= 64);
}

TEST(arm64, random_numbers_follow_the_seed_and_set_the_flags)
{
	static struct rig g;
	open_rig(&g, "max");
	g.a.rng = 1;
	g.a.nzcv = 0xf0000000;
	step(&g, 0xd53b2400); /* mrs x0, rndr */
	step(&g, 0xd53b2421); /* mrs x1, rndrrs */
	CHECK_EQ(g.a.nzcv & 0xf0000000, 0);
	CHECK(g.a.x[0] != g.a.x[1]);
	u64 first = g.a.x[0];
	g.a.rng = 1;
	step(&g, 0xd53b2400);
	CHECK_EQ(g.a.x[0], first);
}

TEST(arm64, branches_of_always_and_never_do_not_depend_on_flags)
{
	static struct rig g;
	open_rig(&g, "max");
	step(&g, 0x5400004e); /* b.al +8 */
	CHECK_EQ(g.a.cpu.pc, 0x1008);
	step(&g, 0x5400004f); /* b.nv +8 */
	CHECK_EQ(g.a.cpu.pc, 0x1010);
	g.a.x[30] = 0x2000;
	step(&g, 0xd63f03c0); /* blr x30: to the old value */
	CHECK_EQ(g.a.cpu.pc, 0x2000);
	CHECK_EQ(g.a.x[30], 0x1014);
}

TEST(arm64, slots_lie_in_the_state_and_do_not_overlap)
{
	static u8 used[sizeof(struct arm64)];
	for (unsigned i = 0; i < A64_SLOTS; i++) {
		const struct ir_slot *s = &arm64_slots[i];
		CHECK(s->name);
		for (unsigned j = 0; j < ir_type_size(s->type); j++)
			CHECK_EQ(used[s->offset + j]++, 0);
	}
	CHECK(!arm64_slots[A64_SLOTS].name);
	CHECK_EQ(offsetof(struct arm64, v) % 16, 0);
	bool hot[A64_SLOTS] = { 0 };
	for (const u16 *h = hot_int; *h != 0xffff; h++) {
		CHECK(!hot[*h] && arm64_slots[*h].type == TY_I64);
		hot[*h] = true;
	}
	for (const u16 *h = hot_vec; *h != 0xffff; h++) {
		CHECK(!hot[*h] && arm64_slots[*h].type == TY_V128);
		hot[*h] = true;
	}
}

TEST(arm64, text_is_cut_to_the_buffer_and_says_inst_for_the_undefined)
{
	char buf[64];
	u32 len;
	u8 code[4] = { 0x20, 0x10, 0xdf, 0x9a };
	CHECK_STR(text(code, 4, 0, 0, buf, sizeof(buf), &len), ".inst\t0x9adf1020");
	CHECK_EQ(len, 4);
	st_le32(code, 0x8b020c20);
	CHECK_STR(text(code, 4, 0, 0, buf, sizeof(buf), &len), "add\tx0, x1, x2, lsl #3");
	CHECK_STR(text(code, 4, 0, 0, buf, 6, &len), "add\tx");
	CHECK_STR(text(code, 2, 0, 0, buf, sizeof(buf), &len), ".byte\t0x20, 0x0c");
	CHECK_EQ(len, 2);
	st_le32(code, 0x97fffffc);
	CHECK_STR(text(code, 4, 0x400010, 0, buf, sizeof(buf), &len), "bl\t0x400000");
}

/* ---- pointer authentication by the algorithm of our own ---- */
enum { PACIA_X0_X1 = 0xdac10020, AUTIA_X0_X1 = 0xdac11020, PACDB_X0_X1 = 0xdac10c20, AUTDB_X0_X1 = 0xdac11c20 };

static u64 pauth(struct rig *g, u32 word, u64 ptr, u64 modifier)
{
	g->a.x[0] = ptr;
	g->a.x[1] = modifier;
	step(g, word);
	return g->a.x[0];
}

TEST(arm64, quick_signatures_are_taken_out_again_and_wrong_ones_spoil_the_pointer)
{
	static const u64 pointers[] = { 0, 0x1000, 0xffffdeadbeef, 0x5a007fffabcd1230, 0xffff800000001000 };
	static struct rig g;
	open_rig(&g, "max");
	g.a.apia = (struct arm64_key){ 0x123456789abcdef0, 0xfedcba9876543210 };
	g.a.apdb = (struct arm64_key){ 0x243f6a8885a308d3, 0x13198a2e03707344 }; /* keys are random: digits of pi */
	unsigned changed = 0;
	for (unsigned i = 0; i < LEN(pointers); i++) {
		u64 p = pointers[i], field = p >> 55 & 1 ? 0xff7full << 48 : 0x7full << 48;
		u64 s = pauth(&g, PACIA_X0_X1, p, i * 16), d = pauth(&g, PACDB_X0_X1, p, i * 16);
		changed += (s != p) + (d != p) + (s != d);
		CHECK_EQ(s & ~field, p & ~field);
		CHECK_EQ(pauth(&g, AUTIA_X0_X1, s, i * 16), p);
		CHECK_EQ(pauth(&g, AUTDB_X0_X1, d, i * 16), p);
		CHECK(pauth(&g, AUTIA_X0_X1, s ^ BIT(50), i * 16) != p);
	}
	CHECK(changed >= 13); /* of 15; a signature may be the plain bits by chance */
	/* near pointers and near stacks have signatures of their own: 127 of 128 differ */
	unsigned other = 0;
	for (u64 i = 1; i <= 500; i++) {
		u64 p = 0xaaaac0de1000, s = pauth(&g, PACIA_X0_X1, p, 0xffffee00) >> 48;
		other += pauth(&g, PACIA_X0_X1, p + i * 4, 0xffffee00) >> 48 != s;
		other += pauth(&g, PACIA_X0_X1, p, 0xffffee00 - i * 16) >> 48 != s;
	}
	CHECK(other >= 960);
	/* signing what is signed already gives something that fails */
	u64 once = pauth(&g, PACIA_X0_X1, 0x1000, 0);
	CHECK(once != 0x1000 && pauth(&g, AUTIA_X0_X1, pauth(&g, PACIA_X0_X1, once, 0), 0) != 0x1000);
}

TEST(arm64, quick_signatures_depend_on_every_input_bit_that_takes_part)
{
	static struct rig g;
	open_rig(&g, "max");
	const struct arm64_key key = { 0x0123456789abcdef, 0x1122334455667788 };
	const u64 p = 0x7fff12345678, m = 0x7ffffff000;
	g.a.apia = key;
	unsigned same = 0;
	u64 base = pauth(&g, PACIA_X0_X1, p, m);
	for (unsigned i = 0; i < 64; i++) {
		same += pauth(&g, PACIA_X0_X1, p, m ^ BIT(i)) == base;
		if (i >= 32)
			continue; /* the lower halves of key and pointer */
		g.a.apia.lo = key.lo ^ BIT(i);
		same += pauth(&g, PACIA_X0_X1, p, m) == base;
		g.a.apia = key;
		same += ((pauth(&g, PACIA_X0_X1, p ^ BIT(i), m) ^ base) >> 48 & 0x7f) == 0;
	}
	CHECK(same <= 4); /* seven bits: one in 128 is the same by chance */
}
