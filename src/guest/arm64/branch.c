/*
 * A64: branches and exception generation (DDI 0487 C4.1.93), and UDF. What higher exception levels have (HVC, SMC, HLT, DCPS, ERET) is
 * undefined for programs.
 */
#include "guest/arm64/arm64.h"
#include "arm64_branch.decode.h"

static u64 target(const struct tr *t, i64 words)
{
	return t->pc + (u64)(words * 4);
}

static ir_ref tested_bit(struct tr *t, unsigned n, unsigned bit)
{
	return v_op(t, IR_EXTRACTU, TY_I64, x(t, n), bit, 1, 0);
}

static void branch_if(struct tr *t, enum ir_op op, ir_ref v, i64 words)
{
	ir_ref zero = v_const(t, v_type(t, v), 0);
	tr_branch(t, v_cmp(t, op, v, zero), target(t, words), t->pc + 4, 0);
}

/* clang-format off */
INSN(b,  "000101 imm:26s", "b {label((i64)imm * 4)}") { tr_jump(t, target(t, a->imm)); }
INSN(bl, "100101 imm:26s", "bl {label((i64)imm * 4)}")
{
	set_x(t, A64_LR, konst(t, t->pc + 4));
	tr_gosub(t, target(t, a->imm));
}
INSN(b_cond, "01010100 imm:19s 0 cond:4", "b.{cond(cond)} {label((i64)imm * 4)}")
{
	if (a->cond >= 14)
		tr_jump(t, target(t, a->imm));
	else
		tr_branch(t, cond_holds(t, a->cond), target(t, a->imm), t->pc + 4, 0);
}
INSN(cbz,  "sf:1 011010 0 imm:19s Rt:5", "cbz {r(sf, Rt)}, {label((i64)imm * 4)}")  { branch_if(t, IR_EQ, r(t, a->sf, a->Rt), a->imm); }
INSN(cbnz, "sf:1 011010 1 imm:19s Rt:5", "cbnz {r(sf, Rt)}, {label((i64)imm * 4)}") { branch_if(t, IR_NE, r(t, a->sf, a->Rt), a->imm); }
INSN(tbz,  "bit.5:1 011011 0 bit.0:5 imm:14s Rt:5", "tbz {r(bit > 31, Rt)}, {dec(bit)}, {label((i64)imm * 4)}")
{
	branch_if(t, IR_EQ, tested_bit(t, a->Rt, a->bit), a->imm);
}
INSN(tbnz, "bit.5:1 011011 1 bit.0:5 imm:14s Rt:5", "tbnz {r(bit > 31, Rt)}, {dec(bit)}, {label((i64)imm * 4)}")
{
	branch_if(t, IR_NE, tested_bit(t, a->Rt, a->bit), a->imm);
}

INSN(br, "1101011 0000 11111 000000 Rn:5 00000", "br {x(Rn)}") { tr_jump_to(t, jump_address(t, x(t, a->Rn), a->Rn)); }
INSN(blr, "1101011 0001 11111 000000 Rn:5 00000", "blr {x(Rn)}")
{
	ir_ref to = call_address(t, x(t, a->Rn));
	set_x(t, A64_LR, konst(t, t->pc + 4));
	tr_gosub_to(t, to);
}
INSN(ret, "1101011 0010 11111 000000 Rn:5 00000", "[Rn == 30] ret; ret {x(Rn)}") { tr_return(t, x(t, a->Rn)); }

INSN(svc, "11010100 000 imm:16 00001", "svc {hex(imm)}") { tr_raise(t, EV_SYSCALL, konst(t, a->imm), t->pc + 4); }
INSN(brk, "11010100 001 imm:16 00000", "brk {hex(imm)}") { tr_raise(t, EV_BREAKPOINT, konst(t, a->imm), t->pc); }
INSN(udf, "00000000 00000000 imm:16", "udf {dec(imm)}") { tr_raise(t, EV_UNDEFINED, konst(t, a->imm), t->pc); }
/* clang-format on */
#include "arm64_branch.decode.inc"
