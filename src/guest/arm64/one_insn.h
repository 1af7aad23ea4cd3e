/* For tests: one instruction of arm64 as a region, with a jump to 0x1004 behind it. */
#include "base/test.h"
#include "guest/arm64/arm64.h"

extern const struct guest guest_aarch64;
static const struct arm64_model everything = { .features = ~0ull };

static void one_insn(struct ir_region *ir, u32 insn, u64 key)
{
	u8 code[4];
	st_le32(code, insn);
	ir_reset(ir);
	struct tr t = { .ir = ir,
			.guest = &guest_aarch64,
			.model = &everything,
			.key = key,
			.pc = 0x1000,
			.code = code,
			.avail = 4 };
	guest_aarch64.begin(&t);
	CHECK_EQ(guest_aarch64.insn(&t), INSN_OK);
	v_op(&t, IR_JUMP, TY_VOID, 0, 0, 0, 0x1004);
}

/* Runs it by the interpreter. */
__attribute__((unused)) static void run_insn(struct arm64 *a, u32 insn, u64 key)
{
	struct ir_region *ir = ir_new(guest_aarch64.slots, TY_I64);
	one_insn(ir, insn, key);
	ir_run(ir, &a->cpu);
	ir_free(ir);
}

__attribute__((unused)) static void fill_randomly(void *to, unsigned size, u32 x)
{
	u8 *p = to;
	for (unsigned i = 0; i < size; i++, x = x * 1664525u + 1013904223u)
		p[i] = x >> 24;
}
