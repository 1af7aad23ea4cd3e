/*
 * RISC-V: system instructions, control and status registers, cache-block operations, waiting.
 * Manual: volume I, chapters "RV32I" (ECALL, EBREAK), "Zicsr", "Zicntr and Zihpm", "F" (fcsr), "CMO", "Zawrs".
 *
 * Here are the registers of user mode. Counters count nanoseconds, hpmcounters stand still. In system mode all but those of floating
 * point go to pcsr.c.
 */
#include "guest/riscv/priv.h"
#include "riscv_csr.decode.h"
#include <time.h>

/* ---- fcsr: fflags 4:0 are NV DZ OF UF NX, FP_*'s first five bits in reverse; frm 7:5 ---- */
_Static_assert(FP_INVALID == 1 && FP_DIVZERO == 2 && FP_OVERFLOW == 4 && FP_UNDERFLOW == 8 &&
		   FP_INEXACT == 16,
	       "the reverse of fflags");

static u32 reverse5(u32 v)
{
	return (v & 1) << 4 | (v & 2) << 2 | (v & 4) | (v >> 2 & 2) | (v >> 4 & 1);
}

u32 riscv_fcsr(const struct riscv *r)
{
	return reverse5(r->cpu.fp_flags) | (u32)(r->cpu.key & KEY_FRM) << 5;
}

void riscv_set_fcsr(struct riscv *r, u32 value)
{
	r->cpu.fp_flags = reverse5(value);
	r->cpu.key = (r->cpu.key & ~(u64)KEY_FRM) | (value >> 5 & KEY_FRM);
}

static void frm_write(struct cpu *cpu, union ir_val *ret UNUSED, const union ir_val *arg)
{
	cpu->key = (cpu->key & ~(u64)KEY_FRM) | (arg[0].w & KEY_FRM);
}

static void counter(struct cpu *cpu UNUSED, union ir_val *ret, const union ir_val *arg UNUSED)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	ret->u = (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

static const u16 no_slots[] = { 0xffff };
HELPER(riscv_frm_write) = {
	.name = "riscv_frm_write", .fn = frm_write, .effects = HELP_VOLATILE, .slots = no_slots
};
HELPER(riscv_counter) = {
	.name = "riscv_counter", .fn = counter, .effects = HELP_VOLATILE, .slots = no_slots
};

/* ---- the registers ---- */
struct csr {
	u16 number;
	i8 feature;
	bool rv32; /* only there */
	ir_ref (*get)(struct tr *t);
	void (*set)(struct tr *t,
		    ir_ref v); /* NULL: read-only. A write that changes the mode ends the region */
};

static ir_ref emit_reverse5(struct tr *t, ir_ref v)
{
	return v_bin(t, IR_SHR, v_un(t, IR_BITREV, v_trunc(t, TY_I8, v)), v_const(t, TY_I8, 3));
}

static ir_ref fflags_get(struct tr *t)
{
	t->together = 2; /* often a comparison, and they are put back: passes/unraise.c */
	return v_zext(t, XT(t), emit_reverse5(t, v_op(t, IR_FPFLAGS, TY_I32, 0, 0, 0, 0)));
}

static void fflags_set(struct tr *t, ir_ref v)
{
	v_op(t, IR_SETFPFLAGS, TY_VOID, v_zext(t, TY_I32, emit_reverse5(t, v)), 0, 0, 0);
}

static ir_ref frm_get(struct tr *t)
{
	return konst(t, t->key & KEY_FRM);
}

static void frm_set(struct tr *t, ir_ref v)
{
	v_call(t, &ir_helper_riscv_frm_write, TY_VOID, (ir_ref[]){ v_trunc(t, TY_I32, v) }, 1);
	tr_end(t, t->pc + t->len);
}

static ir_ref fcsr_get(struct tr *t)
{
	return v_bin(t, IR_OR, fflags_get(t), konst(t, (t->key & KEY_FRM) << 5));
}

static void fcsr_set(struct tr *t, ir_ref v)
{
	fflags_set(t, v);
	frm_set(t, v_bin(t, IR_SHR, v, konst(t, 5)));
}

static ir_ref counter_get(struct tr *t)
{
	return v_trunc(t, XT(t), v_call(t, &ir_helper_riscv_counter, TY_I64, NULL, 0));
}

static ir_ref counterh_get(struct tr *t)
{
	return v_op(t, IR_HI, TY_I32, v_call(t, &ir_helper_riscv_counter, TY_I64, NULL, 0), 0, 0, 0);
}

static ir_ref zero_get(struct tr *t)
{
	return konst(t, 0);
}

enum {
	FFLAGS = 1,
	FRM = 2,
	FCSR = 3,
	CYCLE = 0xc00,
	TIME = 0xc01,
	INSTRET = 0xc02,
	HPM3 = 0xc03,
	HPM31 = 0xc1f,
	HIGH = 0x80
};

static const struct csr csrs[] = {
	{ FFLAGS, RISCV_F, false, fflags_get, fflags_set },
	{ FRM, RISCV_F, false, frm_get, frm_set },
	{ FCSR, RISCV_F, false, fcsr_get, fcsr_set },
	{ CYCLE, RISCV_ZICNTR, false, counter_get, NULL },
	{ TIME, RISCV_ZICNTR, false, counter_get, NULL },
	{ INSTRET, RISCV_ZICNTR, false, counter_get, NULL },
	{ CYCLE + HIGH, RISCV_ZICNTR, true, counterh_get, NULL },
	{ TIME + HIGH, RISCV_ZICNTR, true, counterh_get, NULL },
	{ INSTRET + HIGH, RISCV_ZICNTR, true, counterh_get, NULL },
};
static const struct csr hpm = { HPM3, RISCV_ZIHPM, false, zero_get, NULL };

static const struct csr *row(unsigned number)
{
	for (unsigned i = 0; i < LEN(csrs); i++)
		if (csrs[i].number == number)
			return &csrs[i];
	return (number & ~(unsigned)HIGH) >= HPM3 && (number & ~(unsigned)HIGH) <= HPM31 ? &hpm : NULL;
}

static bool of_floating_point(unsigned number)
{
	return number >= FFLAGS && number <= FCSR;
}

/* Whether this register may be read, or written; in system mode the others are found out about when it happens. */
static bool csr_ok(const struct tr *t, unsigned number, bool write)
{
	const struct csr *c = row(number);
	if (is_system(t) && !of_floating_point(number))
		return true;
	if (is_system(t) && t->key & KEY_FS_OFF)
		return false;
	if (!c || (write && !c->set) || !riscv_has(t, (enum riscv_feature)c->feature))
		return false;
	return !(c->rv32 || (c == &hpm && number & HIGH)) || !is_rv64(t);
}

static void riscv_text_fname(struct text *o, unsigned number) /* of frflags, fsrm, ... */
{
	static const char *const name[4] = { "", "flags", "rm", "csr" };
	text_put(o, name[number & 3]);
}

static void riscv_text_counter(struct text *o, unsigned number)
{
	riscv_text_csr(o, number);
}

static void access_pcsr(struct tr *t, unsigned number, unsigned rd, enum ir_op op, ir_ref v, bool write)
{
	unsigned how = !write ? CSR_READ : op == IR_COPY ? CSR_WRITE : op == IR_OR ? CSR_SET : CSR_CLEAR;
	set_x(t, rd, riscv_csr_call(t, number, how, v, ld_le32(t->code)));
	bool starts_count = (number & 0x7f) == (INSTRET & 0x7f) && !(t->key & KEY_COUNT); /* minstret, too */
	if (write || starts_count)
		tr_end(t, t->pc + t->len);
}

/* rd = csr, csr = v combined with it by op (IR_COPY: v). write false: only read. */
static void access_csr(struct tr *t, unsigned number, unsigned rd, enum ir_op op, ir_ref v, bool write)
{
	const struct csr *c = row(number);
	if (is_system(t) && !of_floating_point(number)) {
		access_pcsr(t, number, rd, op, v, write);
		return;
	}
	if (is_system(t) && write && !riscv_fs_dirty(t))
		return;
	ir_ref old = rd || op != IR_COPY ? c->get(t) : IR_NONE;
	if (write && op != IR_COPY)
		v = v_bin(t, op, old, v);
	if (rd && old)
		set_x(t, rd, old);
	if (write)
		c->set(t, v);
}

/* Where the manual lets a cache-block operation fault as a store does: touch the block. */
static void touch_block(struct tr *t, unsigned rs1)
{
	v_load(t, TY_I32, x(t, rs1), plain(TY_I8, 0, false));
}

static void zero_block(struct tr *t, unsigned rs1)
{
	ir_ref base = v_bin(t, IR_AND, x(t, rs1), konst(t, ~(u64)(RISCV_CACHE_BLOCK - 1)));
	for (i32 i = 0; i < RISCV_CACHE_BLOCK; i += 8)
		v_store(t, base, konst64(t, 0), plain(TY_I64, i, false));
}

/* clang-format off */
INSN(ecall,  "000000000000 00000 000 00000 1110011", "ecall")  { tr_raise(t, EV_SYSCALL, IR_NONE, t->pc + t->len); }
INSN(ebreak, "000000000001 00000 000 00000 1110011", "ebreak") { tr_raise(t, EV_BREAKPOINT, IR_NONE, t->pc); }
INSN(wrs_nto, "000000001101 00000 000 00000 1110011", "wrs.nto", ZAWRS) { tr_raise(t, EV_YIELD, IR_NONE, t->pc + t->len); }
INSN(wrs_sto, "000000011101 00000 000 00000 1110011", "wrs.sto", ZAWRS) { tr_raise(t, EV_YIELD, IR_NONE, t->pc + t->len); }

INSN(csrrw,  "csr:12 rs1:5 001 rd:5 1110011", "[csr == 0xc00 && !rd && !rs1] unimp; [csr >= 1 && csr <= 3 && !rd] fs{fname(csr)} {x(rs1)}; [csr >= 1 && csr <= 3] fs{fname(csr)} {x(rd)},{x(rs1)}; [!rd] csrw {csr(csr)},{x(rs1)}; csrrw {x(rd)},{csr(csr)},{x(rs1)}", ZICSR, "csr_ok(t, csr, true)") { access_csr(t, a->csr, a->rd, IR_COPY, x(t, a->rs1), true); }
INSN(csrrs,  "csr:12 rs1:5 010 rd:5 1110011",
	"[csr >= 1 && csr <= 3 && !rs1] fr{fname(csr)} {x(rd)}; [csr >= 0xc00 && csr <= 0xc02 && !rs1] rd{counter(csr)} {x(rd)}; [csr >= 0xc80 && csr <= 0xc82 && !rs1] rd{counter(csr)} {x(rd)}; "
	"[!rs1] csrr {x(rd)},{csr(csr)}; [!rd] csrs {csr(csr)},{x(rs1)}; csrrs {x(rd)},{csr(csr)},{x(rs1)}", ZICSR, "csr_ok(t, csr, rs1 != 0)") { access_csr(t, a->csr, a->rd, IR_OR, x(t, a->rs1), a->rs1 != 0); }
INSN(csrrc,  "csr:12 rs1:5 011 rd:5 1110011", "[!rd] csrc {csr(csr)},{x(rs1)}; csrrc {x(rd)},{csr(csr)},{x(rs1)}", ZICSR, "csr_ok(t, csr, rs1 != 0)") { access_csr(t, a->csr, a->rd, IR_ANDN, x(t, a->rs1), a->rs1 != 0); }
INSN(csrrwi, "csr:12 imm:5 101 rd:5 1110011", "[csr >= 1 && csr <= 2] fs{fname(csr)}i {x(rd)},{imm}; [!rd] csrwi {csr(csr)},{imm}; csrrwi {x(rd)},{csr(csr)},{imm}", ZICSR, "csr_ok(t, csr, true)") { access_csr(t, a->csr, a->rd, IR_COPY, konst(t, (u64)a->imm), true); }
INSN(csrrsi, "csr:12 imm:5 110 rd:5 1110011", "[!rd] csrsi {csr(csr)},{imm}; csrrsi {x(rd)},{csr(csr)},{imm}", ZICSR, "csr_ok(t, csr, imm != 0)") { access_csr(t, a->csr, a->rd, IR_OR, konst(t, (u64)a->imm), a->imm != 0); }
INSN(csrrci, "csr:12 imm:5 111 rd:5 1110011", "[!rd] csrci {csr(csr)},{imm}; csrrci {x(rd)},{csr(csr)},{imm}", ZICSR, "csr_ok(t, csr, imm != 0)") { access_csr(t, a->csr, a->rd, IR_ANDN, konst(t, (u64)a->imm), a->imm != 0); }

INSN(cbo_inval, "000000000000 rs1:5 010 00000 0001111", "cbo.inval ({x(rs1)})", ZICBOM) { touch_block(t, a->rs1); }
INSN(cbo_clean, "000000000001 rs1:5 010 00000 0001111", "cbo.clean ({x(rs1)})", ZICBOM) { touch_block(t, a->rs1); }
INSN(cbo_flush, "000000000010 rs1:5 010 00000 0001111", "cbo.flush ({x(rs1)})", ZICBOM) { touch_block(t, a->rs1); }
INSN(cbo_zero,  "000000000100 rs1:5 010 00000 0001111", "cbo.zero ({x(rs1)})", ZICBOZ)  { zero_block(t, a->rs1); }
/* clang-format on */
#include "riscv_csr.decode.inc"
