#include "flags.c"
#include "base/test.h"

extern const struct guest guest_aarch64;

static u32 block_of(struct tr *t, u64 pc)
{
	(void)pc;
	return ir_block_new(t->ir);
}

/* What the instruction's translation says: bit 0 overwrites flags, bit 1 may read them, bit 2 does not just go on behind. */
static unsigned translated(struct ir_region *ir, const struct arm64_model *model, u32 word)
{
	u8 code[4];
	unsigned does = 0;
	st_le32(code, word);
	ir_reset(ir);
	struct tr t = { .ir = ir,
			.guest = &guest_aarch64,
			.model = model,
			.pc = 0x1000,
			.code = code,
			.avail = 4,
			.block_of = block_of };
	guest_aarch64.begin(&t);
	ir_block_start(ir, 0);
	if (guest_aarch64.insn(&t) != INSN_OK)
		return 8;
	for (u32 v = 1; v < ir->n_insn; v++) {
		const struct ir_insn *in = &ir->insn[v];
		if (in->op == IR_SET && in->imm == A64_NZCV)
			does |= 1;
		if (in->op == IR_GET && in->imm == A64_NZCV)
			does |= 2;
		if (ir_has(in->op, IR_F_END) && in->op != IR_BR && in->op != IR_BRC)
			does |= 4;
	}
	return does;
}

TEST(arm64_flags, what_encodings_say_is_what_translations_do)
{
	struct ir_region *ir = ir_new(arm64_slots, TY_I64);
	const struct arm64_model *max = NULL;
	u64 x = 88172645463325252ull;
	u32 seen[3] = { 0 };
	for (const struct guest_model *m = arm64_models; m->name; m++)
		if (strcmp(m->name, "max") == 0)
			max = m->data;
	for (u32 i = 0; i < 400000; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		u32 word = x >> 16;
		u8 code[4];
		st_le32(code, word);
		enum guest_flags says = arm64_flags(code);
		unsigned does = translated(ir, max, word);
		if (does & 8)
			continue;
		seen[says]++;
		if ((says == FLAGS_SET && (does & 7) != 1) || (says == FLAGS_NOT && does & 7))
			test_fail(__FILE__, __LINE__, "%08x: said to be %d, does %x", word, says, does);
	}
	CHECK(seen[FLAGS_SET] > 1000 && seen[FLAGS_NOT] > 1000 && seen[FLAGS_OTHER] > 1000);
	ir_free(ir);
}
