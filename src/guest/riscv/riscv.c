/*
 * RISC-V guests: registers, reset, and where each instruction goes.
 */
#include "guest/riscv/riscv.h"

#define AT(field) offsetof(struct riscv, field)
/* clang-format off */
#define X(n, type) { "x" #n, AT(x[n]), type, 0 }
#define F(n) { "f" #n, AT(f[n]), TY_F64, 0 }
#define SLOTS(type) \
	X(0, type), X(1, type), X(2, type), X(3, type), X(4, type), X(5, type), X(6, type), X(7, type), \
	X(8, type), X(9, type), X(10, type), X(11, type), X(12, type), X(13, type), X(14, type), X(15, type), \
	X(16, type), X(17, type), X(18, type), X(19, type), X(20, type), X(21, type), X(22, type), X(23, type), \
	X(24, type), X(25, type), X(26, type), X(27, type), X(28, type), X(29, type), X(30, type), X(31, type), \
	F(0), F(1), F(2), F(3), F(4), F(5), F(6), F(7), F(8), F(9), F(10), F(11), F(12), F(13), F(14), F(15), \
	F(16), F(17), F(18), F(19), F(20), F(21), F(22), F(23), F(24), F(25), F(26), F(27), F(28), F(29), F(30), F(31), \
	[RV_EXCL_ADDR] = { "excl_addr", AT(cpu.excl_addr), TY_I64, 0 }, \
	[RV_EXCL_VAL] = { "excl_val", AT(cpu.excl_val[0]), TY_I64, 0 }, \
	[RV_INSTRET] = { "instret", AT(p.minstret), TY_I64, 0 }, \
	[RV_SLOTS] = { 0 }
static const struct ir_slot riscv64_slots[] = { SLOTS(TY_I64) };
static const struct ir_slot riscv32_slots[] = { SLOTS(TY_I32) };

/* By how often compiled programs use them (psABI): a0-a5, s0, sp, s1, a6, a7, saved ones, temporaries, ra, gp, tp. */
static const u16 hot_int[] = {
	15, 14, 10, 11, 12, 13, 2, 8, 9, 16, 17, 18, 19, 20, 21, 5, 6, 7, 28, 29, 1, 22, 23, 24, 25, 26, 27, 30, 31, 3, 4, 0xffff,
};
#define HF(n) RV_F0 + n
static const u16 hot_vec[] = { /* fa5 to fa0, ft0.., fa6, fa7, ft8.., fs */
	HF(15), HF(14), HF(10), HF(11), HF(12), HF(13), HF(0), HF(1), HF(2), HF(3), HF(4), HF(5), HF(6), HF(7), HF(16), HF(17),
	HF(28), HF(29), HF(30), HF(31), HF(8), HF(9), HF(18), HF(19), HF(20), HF(21), HF(22), HF(23), HF(24), HF(25), HF(26), HF(27), 0xffff,
};

static u64 fflags_get(const struct cpu *cpu) { return riscv_fcsr((const struct riscv *)cpu) & 31; }
static u64 frm_get(const struct cpu *cpu) { return riscv_fcsr((const struct riscv *)cpu) >> 5; }
static u64 fcsr_get(const struct cpu *cpu) { return riscv_fcsr((const struct riscv *)cpu); }
static void fcsr_set(struct cpu *cpu, u64 v) { riscv_set_fcsr((struct riscv *)cpu, (u32)v); }
static void fflags_set(struct cpu *cpu, u64 v) { fcsr_set(cpu, (fcsr_get(cpu) & ~31ull) | (v & 31)); }
static void frm_set(struct cpu *cpu, u64 v) { fcsr_set(cpu, fflags_get(cpu) | (v & 7) << 5); }

static u64 zero_get(const struct cpu *cpu UNUSED) { return 0; }
static void zero_set(struct cpu *cpu UNUSED, u64 v UNUSED) { }

#define CORE "org.gnu.gdb.riscv.cpu"
#define FPU "org.gnu.gdb.riscv.fpu"
#define GX(name, n, bits, type) { name, CORE, AT(x[n]), bits, type, NULL, NULL, NULL }
#define GF(name, n) { name, FPU, AT(f[n]), 64, "riscv_double", NULL, NULL, NULL }
#define REGS(bits) \
	{ "zero", CORE, 0, bits, NULL, NULL, zero_get, zero_set }, GX("ra", 1, bits, "code_ptr"), GX("sp", 2, bits, "data_ptr"), GX("gp", 3, bits, "data_ptr"), \
	GX("tp", 4, bits, "data_ptr"), GX("t0", 5, bits, NULL), GX("t1", 6, bits, NULL), GX("t2", 7, bits, NULL), \
	GX("fp", 8, bits, "data_ptr"), GX("s1", 9, bits, NULL), GX("a0", 10, bits, NULL), GX("a1", 11, bits, NULL), \
	GX("a2", 12, bits, NULL), GX("a3", 13, bits, NULL), GX("a4", 14, bits, NULL), GX("a5", 15, bits, NULL), \
	GX("a6", 16, bits, NULL), GX("a7", 17, bits, NULL), GX("s2", 18, bits, NULL), GX("s3", 19, bits, NULL), \
	GX("s4", 20, bits, NULL), GX("s5", 21, bits, NULL), GX("s6", 22, bits, NULL), GX("s7", 23, bits, NULL), \
	GX("s8", 24, bits, NULL), GX("s9", 25, bits, NULL), GX("s10", 26, bits, NULL), GX("s11", 27, bits, NULL), \
	GX("t3", 28, bits, NULL), GX("t4", 29, bits, NULL), GX("t5", 30, bits, NULL), GX("t6", 31, bits, NULL), \
	{ "pc", CORE, AT(cpu.pc), bits, "code_ptr", NULL, NULL, NULL }, \
	GF("ft0", 0), GF("ft1", 1), GF("ft2", 2), GF("ft3", 3), GF("ft4", 4), GF("ft5", 5), GF("ft6", 6), GF("ft7", 7), \
	GF("fs0", 8), GF("fs1", 9), GF("fa0", 10), GF("fa1", 11), GF("fa2", 12), GF("fa3", 13), GF("fa4", 14), GF("fa5", 15), \
	GF("fa6", 16), GF("fa7", 17), GF("fs2", 18), GF("fs3", 19), GF("fs4", 20), GF("fs5", 21), GF("fs6", 22), GF("fs7", 23), \
	GF("fs8", 24), GF("fs9", 25), GF("fs10", 26), GF("fs11", 27), GF("ft8", 28), GF("ft9", 29), GF("ft10", 30), GF("ft11", 31), \
	{ "fflags", FPU, 0, 32, "int", "float", fflags_get, fflags_set }, \
	{ "frm", FPU, 0, 32, "int", "float", frm_get, frm_set }, \
	{ "fcsr", FPU, 0, 32, "int", "float", fcsr_get, fcsr_set }, \
	{ 0 }
static const struct guest_reg riscv64_regs[] = { REGS(64) };
static const struct guest_reg riscv32_regs[] = { REGS(32) };
static const struct guest_reg_types reg_types[] = {
	{ FPU, "<union id='riscv_double'><field name='float' type='ieee_single'/><field name='double' type='ieee_double'/></union>" },
	{ 0 },
};

/* Groups by bits 6 to 2 of the word (volume I, "RV32/64G Instruction Set Listings"): each list is asked in order. */
static const struct insn_group *const load_store[] = { &riscv_int, NULL };
static const struct insn_group *const misc_mem[] = { &riscv_int, &riscv_csr, NULL };
static const struct insn_group *const op_imm[] = { &riscv_int, &riscv_bitmanip, &riscv_crypto, NULL };
static const struct insn_group *const op[] = { &riscv_int, &riscv_muldiv, &riscv_bitmanip, &riscv_crypto, NULL };
static const struct insn_group *const amo[] = { &riscv_atomic, NULL };
static const struct insn_group *const fp[] = { &riscv_fp, NULL };
static const struct insn_group *const system_[] = { &riscv_csr, &riscv_system, NULL };
static const struct insn_group *const *const top[32] = {
	[0x00] = load_store, [0x01] = fp, [0x03] = misc_mem, [0x04] = op_imm, [0x05] = load_store, [0x06] = op_imm,
	[0x08] = load_store, [0x09] = fp, [0x0b] = amo, [0x0c] = op, [0x0d] = load_store, [0x0e] = op,
	[0x10] = fp, [0x11] = fp, [0x12] = fp, [0x13] = fp, [0x14] = fp,
	[0x18] = load_store, [0x19] = load_store, [0x1b] = load_store, [0x1c] = system_,
};
const struct insn_group *const riscv_groups[] = {
	&riscv_int, &riscv_muldiv, &riscv_atomic, &riscv_csr, &riscv_system, &riscv_bitmanip, &riscv_crypto, &riscv_fp, &riscv_compressed, NULL,
};
/* clang-format on */

bool riscv_run32(struct tr *t, u32 word)
{
	const struct insn_group *const *g = top[word >> 2 & 31];
	if (g == fp && t->key & (KEY_FS_OFF | KEY_FS_CLEAN)) {
		if (t->key & KEY_FS_OFF || riscv_fp.find(t, word) < 0)
			return false;
		if (!riscv_fs_dirty(t))
			return true;
	}
	for (; (word & 3) == 3 && g && *g; g++)
		if (insn_decode(*g, t, word))
			return true;
	return false;
}

static bool text_by(const struct insn_group *g, struct text *o, u32 word, bool rv32)
{
	const struct tr t = { .model = rv32 ? &riscv32_everything : &riscv64_everything, .key = KEY_SYSTEM };
	int n = g->find(&t, word);
	if (n < 0)
		return false;
	g->patterns[n].say(o, word);
	return true;
}

bool riscv_text32(struct text *o, u32 word, bool rv32)
{
	const struct insn_group *const *g = top[word >> 2 & 31];
	for (; (word & 3) == 3 && g && *g; g++)
		if (text_by(*g, o, word, rv32))
			return true;
	return false;
}

static void reset(struct cpu *cpu, const void *model)
{
	struct riscv *r = (struct riscv *)cpu;
	r->model = model;
	r->cpu.excl_addr = ~0ull;
}

static void begin(struct tr *t)
{
	/* frm: nearest even, zero, down, up, nearest away; with the others nothing is rounded dynamically */
	static const u8 round[8] = { FP_NEAREST_EVEN, FP_TO_ZERO, FP_DOWN, FP_UP, FP_NEAREST_AWAY };
	t->ir->fp = fp_riscv;
	t->ir->fp.round = round[t->key & KEY_FRM];
}

static enum guest_sense missing(struct tr *t, unsigned event)
{
	tr_raise(t, event, konst64(t, t->pc + (event == EV_FETCH ? t->avail : 0)), t->pc);
	return INSN_UNDEFINED;
}

/* Jumps and system instructions: they end blocks, or ask for the count themselves, but never access memory. */
static bool counts_first(u32 word, bool is16)
{
	static const u32 ends = BIT(0x03) | BIT(0x18) | BIT(0x19) | BIT(0x1b) | BIT(0x1c);
	if (!is16)
		return ends >> (word >> 2 & 31) & 1;
	unsigned quadrant = word & 3, what = word >> 13;
	return (quadrant == 1 && (what >= 5 || what == 1)) ||
	       (quadrant == 2 && what == 4 && !(word >> 2 & 31));
}

/* One more instruction: others after they are done, since one that faults, or is done again, does not count. */
static void count(struct tr *t)
{
	if (!ir_block_ended(t->ir))
		v_set(t, RV_INSTRET, v_bin(t, IR_ADD, v_get(t, RV_INSTRET), konst64(t, 1)));
}

static enum guest_sense insn(struct tr *t)
{
	bool compressed = riscv_has(t, RISCV_C);
	u32 low = t->avail >= 2 ? ld_le16(t->code) : 0;
	bool is16 = (low & 3) != 3;
	t->len = t->avail >= 2 && is16 ? 2 : 4;
	v_op(t, IR_INSN, TY_VOID, 0, t->len, 0, t->pc);
	if (t->pc & (compressed ? 1 : 3))
		return missing(t, is_system(t) ? EV_RISCV_JUMP : EV_ALIGN);
	if (t->avail < t->len)
		return missing(t, EV_FETCH);
	u32 word = is16 ? low : ld_le32(t->code);
	bool counted = is_system(t) && t->key & KEY_COUNT, first = counts_first(word, is16);
	if (counted && first)
		count(t);
	if (is16 ? compressed && insn_decode(&riscv_compressed, t, word) : riscv_run32(t, word)) {
		if (counted && !first)
			count(t);
		return INSN_OK;
	}
	tr_raise(t, EV_UNDEFINED, konst64(t, word), t->pc);
	return INSN_UNDEFINED;
}

static const char *text(const u8 *code, u32 avail, u64 pc, char *buf, size_t size, u32 *ret_len, bool rv32)
{
	struct text o = { buf, size, 0, pc };
	u32 low = avail >= 2 ? ld_le16(code) : 0, len = (low & 3) == 3 ? 4 : 2;
	text_put(&o, "");
	*ret_len = MIN(avail, len);
	if (avail < len) {
		text_put(&o, ".byte");
		for (u32 i = 0; i < avail; i++)
			text_fmt(&o, "%s0x%02x", i ? ", " : "\t", code[i]);
		return buf;
	}
	u32 word = len == 2 ? low : ld_le32(code);
	if (len == 2 ? !text_by(&riscv_compressed, &o, word, rv32) : !riscv_text32(&o, word, rv32))
		text_fmt(&o, len == 2 ? ".2byte\t0x%x" : ".4byte\t0x%x", word);
	return buf;
}

static const char *text64(const u8 *code, u32 avail, u64 pc, u64 key UNUSED, char *buf, size_t size,
			  u32 *ret_len)
{
	return text(code, avail, pc, buf, size, ret_len, false);
}

static const char *text32(const u8 *code, u32 avail, u64 pc, u64 key UNUSED, char *buf, size_t size,
			  u32 *ret_len)
{
	return text(code, avail, pc, buf, size, ret_len, true);
}

/* What differs between the two is in front of it. */
// clang-format off
#define RISCV_COMMON \
	.insn_min = 2, .insn_max = 4, .state_size = sizeof(struct riscv), .hot_int = hot_int, .hot_vec = hot_vec, \
	.reg_types = reg_types, .model_size = sizeof(struct riscv_model), .model_option = riscv_model_option, \
	.reset = reset, .system = &riscv_system_mode, .begin = begin, .insn = insn
// clang-format on

GUEST(riscv64) = {
	.name = "riscv64",
	.summary = "RISC-V, 64 bits",
	.addr_type = TY_I64,
	.slots = riscv64_slots,
	.models = riscv64_models,
	.regs = riscv64_regs,
	.gdb_arch = "riscv:rv64",
	.text = text64,
	RISCV_COMMON,
};

GUEST(riscv32) = {
	.name = "riscv32",
	.summary = "RISC-V, 32 bits",
	.addr_type = TY_I32,
	.slots = riscv32_slots,
	.models = riscv32_models,
	.regs = riscv32_regs,
	.gdb_arch = "riscv:rv32",
	.text = text32,
	RISCV_COMMON,
};
