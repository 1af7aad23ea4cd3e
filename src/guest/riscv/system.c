/*
 * RISC-V: the instructions of M and S mode; what they do is in trap.c.
 * Manual: volume II, chapters "Machine-Level ISA", "Supervisor-Level ISA", "Svinval".
 */
#include "guest/riscv/riscv.h"
#include "riscv_system.decode.h"

HELPER_DECL(riscv_mret);
HELPER_DECL(riscv_sret);
HELPER_DECL(riscv_wfi);
HELPER_DECL(riscv_sfence);
HELPER_DECL(riscv_sfence_order);

static ir_ref word(struct tr *t)
{
	return konst64(t, ld_le32(t->code));
}

static void trap_return(struct tr *t, const struct ir_helper *helper)
{
	ir_ref to = v_call(t, helper, TY_I64, (ir_ref[]){ word(t) }, 1);
	tr_jump_to(t, v_trunc(t, XT(t), to));
}

static void fence(struct tr *t, unsigned rs1, unsigned rs2)
{
	const ir_ref args[] = { wide(t, x(t, rs1)), wide(t, x(t, rs2)), word(t), konst32(t, (rs1 ? 1 : 0) | (rs2 ? 2 : 0)) };
	v_call(t, &ir_helper_riscv_sfence, TY_VOID, args, 4);
	tr_end(t, t->pc + t->len);
}

/* clang-format off */
INSN(mret, "0011000 00010 00000 000 00000 1110011", "mret", "is_system(t)") { trap_return(t, &ir_helper_riscv_mret); }
INSN(sret, "0001000 00010 00000 000 00000 1110011", "sret", "is_system(t)") { trap_return(t, &ir_helper_riscv_sret); }
INSN(wfi,  "0001000 00101 00000 000 00000 1110011", "wfi", "is_system(t)")
{
	v_call(t, &ir_helper_riscv_wfi, TY_VOID, (ir_ref[]){ word(t) }, 1);
	tr_raise(t, EV_HALT, IR_NONE, t->pc + t->len);
}
INSN(sfence_vma, "0001001 rs2:5 rs1:5 000 00000 1110011", "[!rs1 && !rs2] sfence.vma; [!rs2] sfence.vma {x(rs1)}; sfence.vma {x(rs1)},{x(rs2)}", S, "is_system(t)") { fence(t, a->rs1, a->rs2); }
INSN(sinval_vma, "0001011 rs2:5 rs1:5 000 00000 1110011", "sinval.vma {x(rs1)},{x(rs2)}", SVINVAL, "is_system(t)") { fence(t, a->rs1, a->rs2); }
INSN(sfence_w_inval,  "0001100 00000 00000 000 00000 1110011", "sfence.w.inval", SVINVAL, "is_system(t)") { v_call(t, &ir_helper_riscv_sfence_order, TY_VOID, (ir_ref[]){ word(t) }, 1); }
INSN(sfence_inval_ir, "0001100 00001 00000 000 00000 1110011", "sfence.inval.ir", SVINVAL, "is_system(t)") { v_call(t, &ir_helper_riscv_sfence_order, TY_VOID, (ir_ref[]){ word(t) }, 1); }
/* clang-format on */
#include "riscv_system.decode.inc"
