/*
 * RISC-V in the differential test: what random instructions look like so that they can be compared, and what the registers are.
 *
 * Left out: system calls, counters, cache-block operations, jumps to themselves or into their own second half; AMOs and LR/SC off their
 * alignment; what the peer (qemu-riscv64 7.2) has not. riscv32 has no other side yet: text and patterns only.
 */
#include "diff.h"
#include "guest/riscv/riscv.h"

extern const struct guest guest_riscv64, guest_riscv32;

enum { R_FCSR = 32, R_F = 40 };

/* --set full: compare with something that has every extension; otherwise with what qemu-riscv64 7.2 has. */
static const void *model(void)
{
	static struct riscv_model m;
	m = riscv64_everything;
	if (!diff_option("full"))
		for (unsigned i = 0; i < RISCV_FEATURE_COUNT; i++)
			switch (i) {
			case RISCV_ZICOND:
			case RISCV_ZFA:
			case RISCV_ZCB:
			case RISCV_ZACAS:
			case RISCV_ZAWRS:
			case RISCV_ZICBOM:
			case RISCV_ZICBOP:
			case RISCV_ZICBOZ:
			case RISCV_ZIHPM:
				m.features &= ~BIT(i);
			}
	return &m;
}

static bool named(const struct insn_pattern *p, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(p->name, *names) == 0)
			return true;
	return false;
}

/* Floating-point bits: doubles, boxed and unboxed narrower values, often special. */
static u64 rnd_float(struct rng *r)
{
	static const u64 f64[] = { 0,
				   0x3ff0000000000000,
				   0x7ff0000000000000,
				   0x7ff8000000000000,
				   0x7ff0000000000001,
				   0x0010000000000000,
				   0x000fffffffffffff,
				   1,
				   0x7fefffffffffffff,
				   0x7ff8000012345678,
				   0x43e0000000000000,
				   0x41e0000000000000,
				   0x3fe0000000000000,
				   0x4000000000000000,
				   0x47efffffe0000000,
				   0x3690000000000000 };
	static const u32 f32[] = { 0,	       0x3f800000, 0x7f800000, 0x7fc00000, 0x7f800001, 0x00800000,
				   0x007fffff, 1,	   0x7f7fffff, 0x7fc12345, 0x5f000000, 0x4f000000,
				   0x3f000000, 0x40000000, 0x477fe000, 0x33800000 };
	static const u16 f16[] = { 0, 0x3c00, 0x7c00, 0x7e00, 0x7c01, 0x0400, 0x03ff,
				   1, 0x7bff, 0x7e12, 0x3800, 0x4000, 0x7800, 0x5bff };
	switch (below(r, 9)) {
	case 0:
	case 1:
		return f64[below(r, LEN(f64))] | (rnd(r) & BIT(63));
	case 2:
	case 3:
		return 0xffffffff00000000 | f32[below(r, LEN(f32))] | (rnd(r) & BIT(31));
	case 4:
		return 0xffffffffffff0000 | f16[below(r, LEN(f16))] | (rnd(r) & BIT(15));
	case 5: /* near each other, so that sums cancel */
		return 0x3ff0000000000000 + (rnd(r) & 0x800fffff800fffff);
	case 6:
		return 0xffffffff00000000 | (0x3f800000 + (rnd(r) & 0x81ffffff));
	case 7:
		return 0xffffffffffff0000 | (rnd(r) & 0xffff);
	default:
		return rnd_value(r);
	}
}

static void registers(struct rng *r, struct diff_regs *in)
{
	u64 common = rnd_float(r);
	for (unsigned i = 1; i < 32; i++)
		in->r[i] = rnd_value(r);
	in->r[R_FCSR] = one_in(r, 2) ? 0 : (rnd(r) & 31) | below(r, one_in(r, 10) ? 8 : 5) << 5;
	for (unsigned i = R_F; i < R_F + 32; i++)
		in->r[i] = one_in(r, 10) ? common : rnd_float(r);
}

static u32 bias_registers(const struct insn_pattern *p, struct rng *r, u32 word)
{
	static const char *const names[] = { "rd", "rs1", "rs2", "rs3" };
	u32 one = (u32)below(r, 32);
	for (unsigned i = 0; i < LEN(names); i++) {
		if (one_in(r, 12))
			word = field_set(p, names[i], word, 0);
		else if (one_in(r, 6))
			word = field_set(p, names[i], word, one);
	}
	return word;
}

/* Which register a memory instruction takes its address from, or 0. */
static unsigned base_of(const struct insn_group *g, const struct insn_pattern *p, u32 word)
{
	static const char *const plain[] = { "lb",	  "lh",	       "lw",	    "ld",  "lbu", "lhu",
					     "lwu",	  "sb",	       "sh",	    "sw",  "sd",  "flw",
					     "fld",	  "flh",       "fsw",	    "fsd", "fsh", "cbo_zero",
					     "cbo_clean", "cbo_flush", "cbo_inval", NULL };
	static const char *const sp[] = {
		"c_lwsp", "c_ldsp", "c_fldsp", "c_swsp", "c_sdsp", "c_fsdsp", NULL
	};
	static const char *const small[] = { "c_lw",  "c_ld",  "c_fld", "c_sw", "c_sd", "c_fsd",
					     "c_lbu", "c_lhu", "c_lh",	"c_sb", "c_sh", NULL };
	if (named(p, plain) || g == &riscv_atomic)
		return field_get(p, "rs1", word);
	return named(p, sp) ? RV_SP : named(p, small) ? 8 + field_get(p, "rs1", word) : 0;
}

static bool jump_ok(const struct insn_pattern *p, struct rng *r, struct diff_test *test, u32 *word,
		    bool compressed)
{
	static const char *const indirect[] = { "jalr", "c_jr", "c_jalr", NULL };
	static const char *const direct[] = { "jal",  "beq", "bne",    "blt",	 "bge", "bltu",
					      "bgeu", "c_j", "c_beqz", "c_bnez", NULL };
	if (named(p, indirect)) {
		u32 rs1 = field_get(p, "rs1", *word);
		if (!rs1)
			return false;
		*word = field_set(p, "imm", *word, (u32)below(r, 64));
		test->in.r[rs1] = DIFF_CODE + below(r, 32) * 2 + (compressed ? 0 : below(r, 2));
	} else if (named(p, direct)) {
		i32 imm = ((i32)below(r, 100) - 50) * 2;
		*word = field_set(p, "imm", *word, (u32)imm);
		return imm != 0 && (compressed || imm != 2);
	}
	return true;
}

static bool make(const struct insn_group *g, const struct insn_pattern *p, const void *cpu_model,
		 struct rng *r, struct diff_test *test)
{
	static const char *const never[] = { "ecall", "pause", "wrs_nto", "wrs_sto", NULL };
	struct tr t = { .model = cpu_model };
	bool compressed = g->length == 16;
	if (named(p, never))
		return false;
	for (unsigned tries = 0; tries < 400; tries++) {
		u32 word = p->value | ((u32)rnd(r) & ~p->mask);
		word = bias_registers(p, r, word);
		if (compressed)
			word &= 0xffff;
		test->n_words = 0;
		registers(r, &test->in);
		if (field_has(p, "rm") && one_in(r, 2))
			word = field_set(p, "rm", word, 7);
		if (field_has(p, "csr"))
			word = field_set(p, "csr", word, 1 + (u32)below(r, 3));
		if (!jump_ok(p, r, test, &word, compressed))
			continue;
		t.key = test->in.r[R_FCSR] >> 5;
		int n = g->find(&t, word);
		if (n < 0 || &g->patterns[n] != p)
			continue;
		unsigned base = base_of(g, p, word);
		if (base) {
			u64 addr = DIFF_DATA + DIFF_DATA_SIZE / 2 + below(r, 64) * 16 - 512;
			if (g == &riscv_atomic)
				test->in.r[base] = addr;
			else
				test->in.r[base] = addr + (one_in(r, 4) ? below(r, 16) : 0);
			if (!compressed && !one_in(r, 10))
				word = field_set(p, "imm", word, (u32)below(r, 128) - 64);
		} else if (g == &riscv_atomic) {
			continue;
		}
		if (strcmp(p->name, "sc") ==
		    0) { /* an LR in front, into a register that the SC does not need */
			u32 other = 1 + (base + 5) % 30;
			if (other == field_get(p, "rs2", word) || other == base)
				continue;
			test->word[test->n_words++] = 0x1000202f | (word & 0x7000) | base << 15 | other << 7;
		}
		test->word[test->n_words++] = compressed ? word | 0x9002u << 16 : word;
		return true;
	}
	return false;
}

static void load(struct cpu *cpu, const struct diff_regs *in)
{
	struct riscv *a = (struct riscv *)cpu;
	for (unsigned i = 1; i < 32; i++)
		a->x[i] = in->r[i];
	memcpy(a->f, &in->r[R_F], sizeof(a->f));
	riscv_set_fcsr(a, (u32)in->r[R_FCSR]);
}

static void save(const struct cpu *cpu, struct diff_regs *out)
{
	const struct riscv *a = (const struct riscv *)cpu;
	memset(out, 0, sizeof(*out));
	memcpy(out->r, a->x, sizeof(a->x));
	out->r[R_FCSR] = riscv_fcsr(a);
	memcpy(&out->r[R_F], a->f, sizeof(a->f));
}

static void mask(struct diff_regs *regs)
{
	regs->r[R_FCSR] &= 0xff;
}

static const char *excuse(const struct insn_pattern *p, const struct diff_test *test,
			  const struct diff_result *ours, const struct diff_result *theirs UNUSED)
{
	u32 rs1 = field_get(p, "rs1", test->word[0]), rd = field_get(p, "rd", test->word[0]);
	if (strcmp(p->name, "ctzw") == 0 && !(u32)test->in.r[rs1] && ours->out.r[rd] == 32)
		return "Zbb: ctzw of 0 is 32, whatever lies above";
	return NULL;
}

static const char *reg_name(unsigned i, char buf[16])
{
	struct text o = { buf, 16, 0, 0 };
	text_put(&o, "");
	if (i < 32)
		riscv_text_x(&o, i);
	else if (i == R_FCSR)
		text_put(&o, "fcsr");
	else if (i >= R_F && i < R_F + 32)
		riscv_text_f(&o, i - R_F);
	else
		return NULL;
	return buf;
}

#define GUEST_OF(width) \
	const struct diff_guest diff_riscv##width = { \
		.name = "riscv" #width, \
		.guest = &guest_riscv##width, \
		.groups = riscv_groups, \
		.trap = 0x90029002, \
		.model = model, \
		.make = make, \
		.load = load, \
		.save = save, \
		.mask = mask, \
		.excuse = excuse, \
		.reg_name = reg_name, \
	}
GUEST_OF(64);
GUEST_OF(32);
