/*
 * RISC-V: integer multiplication and division. Manual: volume I, chapter "M".
 * x / 0 is all ones, x % 0 is x, MIN / -1 is MIN with remainder 0; the operations of the IR have the latter two.
 */
#include "guest/riscv/riscv.h"
#include "riscv_muldiv.decode.h"

static ir_ref divide(struct tr *t, enum ir_op op, ir_ref n, ir_ref d)
{
	ir_ref zero = v_const(t, v_type(t, d), 0),
	       ones = v_const(t, v_type(t, d), v_type(t, d) == TY_I64 ? ~0ull : ~0u);
	return v_select(t, v_cmp(t, IR_EQ, d, zero), ones, v_bin(t, op, n, d));
}

/* High half of signed a times unsigned b: the unsigned product less b when a is negative. */
static ir_ref high_signed_unsigned(struct tr *t, ir_ref a, ir_ref b)
{
	ir_ref sign = v_bin(t, IR_SAR, a, konst(t, xlen(t) - 1));
	return v_bin(t, IR_SUB, v_bin(t, IR_MULHU, a, b), v_bin(t, IR_AND, sign, b));
}

#define D(v) set_x(t, a->rd, v)
#define S1 x(t, a->rs1)
#define S2 x(t, a->rs2)
#define W1 w(t, a->rs1)
#define W2 w(t, a->rs2)

/* clang-format off */
INSN(mul,    "0000001 rs2:5 rs1:5 000 rd:5 0110011", "mul {x(rd)},{x(rs1)},{x(rs2)}", M)    { D(v_bin(t, IR_MUL, S1, S2)); }
INSN(mulh,   "0000001 rs2:5 rs1:5 001 rd:5 0110011", "mulh {x(rd)},{x(rs1)},{x(rs2)}", M)   { D(v_bin(t, IR_MULHS, S1, S2)); }
INSN(mulhsu, "0000001 rs2:5 rs1:5 010 rd:5 0110011", "mulhsu {x(rd)},{x(rs1)},{x(rs2)}", M) { D(high_signed_unsigned(t, S1, S2)); }
INSN(mulhu,  "0000001 rs2:5 rs1:5 011 rd:5 0110011", "mulhu {x(rd)},{x(rs1)},{x(rs2)}", M)  { D(v_bin(t, IR_MULHU, S1, S2)); }
INSN(div,    "0000001 rs2:5 rs1:5 100 rd:5 0110011", "div {x(rd)},{x(rs1)},{x(rs2)}", M)    { D(divide(t, IR_DIVS, S1, S2)); }
INSN(divu,   "0000001 rs2:5 rs1:5 101 rd:5 0110011", "divu {x(rd)},{x(rs1)},{x(rs2)}", M)   { D(divide(t, IR_DIVU, S1, S2)); }
INSN(rem,    "0000001 rs2:5 rs1:5 110 rd:5 0110011", "rem {x(rd)},{x(rs1)},{x(rs2)}", M)    { D(v_bin(t, IR_REMS, S1, S2)); }
INSN(remu,   "0000001 rs2:5 rs1:5 111 rd:5 0110011", "remu {x(rd)},{x(rs1)},{x(rs2)}", M)   { D(v_bin(t, IR_REMU, S1, S2)); }
INSN(mulw,   "0000001 rs2:5 rs1:5 000 rd:5 0111011", "mulw {x(rd)},{x(rs1)},{x(rs2)}", M, RV64)  { D(v_bin(t, IR_MUL, W1, W2)); }
INSN(divw,   "0000001 rs2:5 rs1:5 100 rd:5 0111011", "divw {x(rd)},{x(rs1)},{x(rs2)}", M, RV64)  { D(divide(t, IR_DIVS, W1, W2)); }
INSN(divuw,  "0000001 rs2:5 rs1:5 101 rd:5 0111011", "divuw {x(rd)},{x(rs1)},{x(rs2)}", M, RV64) { D(divide(t, IR_DIVU, W1, W2)); }
INSN(remw,   "0000001 rs2:5 rs1:5 110 rd:5 0111011", "remw {x(rd)},{x(rs1)},{x(rs2)}", M, RV64)  { D(v_bin(t, IR_REMS, W1, W2)); }
INSN(remuw,  "0000001 rs2:5 rs1:5 111 rd:5 0111011", "remuw {x(rd)},{x(rs1)},{x(rs2)}", M, RV64) { D(v_bin(t, IR_REMU, W1, W2)); }
/* clang-format on */
#include "riscv_muldiv.decode.inc"
