/*
 * RISC-V: compressed instructions: C and Zcb. Each stands for one of 32 bits, which is put together here and run or printed.
 * Manual: volume I, chapters "C" and "Zc".
 */
#include "guest/riscv/riscv.h"
#include "riscv_compressed.decode.h"

/* The five layouts; fields as the instruction has them, immediates by value. */
#define R_TYPE(op, f3, f7, rd, rs1, rs2) \
	((u32)(f7) << 25 | (u32)(rs2) << 20 | (u32)(rs1) << 15 | (u32)(f3) << 12 | (u32)(rd) << 7 | (op))
#define I_TYPE(op, f3, rd, rs1, imm) \
	(((u32)(imm)&0xfff) << 20 | (u32)(rs1) << 15 | (u32)(f3) << 12 | (u32)(rd) << 7 | (op))
#define S_TYPE(op, f3, rs1, rs2, imm) \
	(((u32)(imm) >> 5 & 0x7f) << 25 | (u32)(rs2) << 20 | (u32)(rs1) << 15 | (u32)(f3) << 12 | \
	 ((u32)(imm)&31) << 7 | (op))
#define B_TYPE(f3, rs1, rs2, imm) \
	(((u32)(imm) >> 12 & 1) << 31 | ((u32)(imm) >> 5 & 63) << 25 | (u32)(rs2) << 20 | (u32)(rs1) << 15 | \
	 (u32)(f3) << 12 | ((u32)(imm) >> 1 & 15) << 8 | ((u32)(imm) >> 11 & 1) << 7 | 0x63)
#define J_TYPE(rd, imm) \
	(((u32)(imm) >> 20 & 1) << 31 | ((u32)(imm) >> 1 & 0x3ff) << 21 | ((u32)(imm) >> 11 & 1) << 20 | \
	 ((u32)(imm) >> 12 & 0xff) << 12 | (u32)(rd) << 7 | 0x6f)

#define ADDI(rd, rs1, imm) I_TYPE(0x13, 0, rd, rs1, imm)
#define ADDIW(rd, rs1, imm) I_TYPE(0x1b, 0, rd, rs1, imm)
#define ANDI(rd, rs1, imm) I_TYPE(0x13, 7, rd, rs1, imm)
#define XORI(rd, rs1, imm) I_TYPE(0x13, 4, rd, rs1, imm)
#define SLLI(rd, rs1, imm) I_TYPE(0x13, 1, rd, rs1, imm)
#define SRLI(rd, rs1, imm) I_TYPE(0x13, 5, rd, rs1, imm)
#define SRAI(rd, rs1, imm) I_TYPE(0x13, 5, rd, rs1, (imm) | 0x400)
#define LUI(rd, imm) ((u32)(imm) << 12 | (u32)(rd) << 7 | 0x37)
#define LOAD(f3, rd, rs1, imm) I_TYPE(0x03, f3, rd, rs1, imm)
#define STORE(f3, rs2, rs1, imm) S_TYPE(0x23, f3, rs1, rs2, imm)
#define LOAD_FP(f3, rd, rs1, imm) I_TYPE(0x07, f3, rd, rs1, imm)
#define STORE_FP(f3, rs2, rs1, imm) S_TYPE(0x27, f3, rs1, rs2, imm)
#define OP(f3, f7, rd, rs1, rs2) R_TYPE(0x33, f3, f7, rd, rs1, rs2)
#define OP32(f3, f7, rd, rs1, rs2) R_TYPE(0x3b, f3, f7, rd, rs1, rs2)
#define ADD(rd, rs1, rs2) OP(0, 0, rd, rs1, rs2)
#define JALR(rd, rs1) I_TYPE(0x67, 0, rd, rs1, 0)
#define EBREAK 0x00100073u
#define UNARY(word, rd, rs1) ((word) | (u32)(rs1) << 15 | (u32)(rd) << 7)
#define SEXT_B 0x60401013u
#define SEXT_H 0x60501013u
#define ZEXT_H_32 0x08004033u
#define ZEXT_H_64 0x0800403bu
#define ZEXT_W 0x0800003bu
#define W 2 /* funct3 of sizes */
#define D 3
#define P(r) ((r) + 8) /* the eight registers that three bits name */

/* Patterns ask for every feature the wide instruction needs, so that it is always found. */
static void run(struct tr *t, u32 word)
{
	if (!riscv_run32(t, word))
		tr_raise(t, EV_UNDEFINED, konst64(t, word), t->pc);
}

/* clang-format off */

/* Quadrant 0. */
INSN(c_addi4spn, "000 imm.4:2 imm.6:4 imm.2:1 imm.3:1 rd:3 00", "{word(ADDI(P(rd), 2, imm))}", "imm != 0") { run(t, ADDI(P(a->rd), RV_SP, a->imm)); }
INSN(c_fld, "001 imm.3:3 rs1:3 imm.6:2 rd:3 00", "{word(LOAD_FP(D, P(rd), P(rs1), imm))}", D)                  { run(t, LOAD_FP(D, P(a->rd), P(a->rs1), a->imm)); }
INSN(c_lw,  "010 imm.3:3 rs1:3 imm.2:1 imm.6:1 rd:3 00", "{word(LOAD(W, P(rd), P(rs1), imm))}")                { run(t, LOAD(W, P(a->rd), P(a->rs1), a->imm)); }
INSN(c_ld,  "011 imm.3:3 rs1:3 imm.6:2 rd:3 00", "{word(LOAD(D, P(rd), P(rs1), imm))}", RV64)                  { run(t, LOAD(D, P(a->rd), P(a->rs1), a->imm)); }
INSN(c_flw, "011 imm.3:3 rs1:3 imm.2:1 imm.6:1 rd:3 00", "{word32(LOAD_FP(W, P(rd), P(rs1), imm))}", RV32, F, SPECIAL) { run(t, LOAD_FP(W, P(a->rd), P(a->rs1), a->imm)); }
INSN(c_fsd, "101 imm.3:3 rs1:3 imm.6:2 rs2:3 00", "{word(STORE_FP(D, P(rs2), P(rs1), imm))}", D)               { run(t, STORE_FP(D, P(a->rs2), P(a->rs1), a->imm)); }
INSN(c_sw,  "110 imm.3:3 rs1:3 imm.2:1 imm.6:1 rs2:3 00", "{word(STORE(W, P(rs2), P(rs1), imm))}")             { run(t, STORE(W, P(a->rs2), P(a->rs1), a->imm)); }
INSN(c_sd,  "111 imm.3:3 rs1:3 imm.6:2 rs2:3 00", "{word(STORE(D, P(rs2), P(rs1), imm))}", RV64)               { run(t, STORE(D, P(a->rs2), P(a->rs1), a->imm)); }
INSN(c_fsw, "111 imm.3:3 rs1:3 imm.2:1 imm.6:1 rs2:3 00", "{word32(STORE_FP(W, P(rs2), P(rs1), imm))}", RV32, F, SPECIAL) { run(t, STORE_FP(W, P(a->rs2), P(a->rs1), a->imm)); }
INSN(c_lbu, "100 000 rs1:3 imm.0:1 imm.1:1 rd:3 00", "{word(LOAD(4, P(rd), P(rs1), imm))}", ZCB)  { run(t, LOAD(4, P(a->rd), P(a->rs1), a->imm)); }
INSN(c_lhu, "100 001 rs1:3 0 imm.1:1 rd:3 00", "{word(LOAD(5, P(rd), P(rs1), imm))}", ZCB)        { run(t, LOAD(5, P(a->rd), P(a->rs1), a->imm)); }
INSN(c_lh,  "100 001 rs1:3 1 imm.1:1 rd:3 00", "{word(LOAD(1, P(rd), P(rs1), imm))}", ZCB)        { run(t, LOAD(1, P(a->rd), P(a->rs1), a->imm)); }
INSN(c_sb,  "100 010 rs1:3 imm.0:1 imm.1:1 rs2:3 00", "{word(STORE(0, P(rs2), P(rs1), imm))}", ZCB) { run(t, STORE(0, P(a->rs2), P(a->rs1), a->imm)); }
INSN(c_sh,  "100 011 rs1:3 0 imm.1:1 rs2:3 00", "{word(STORE(1, P(rs2), P(rs1), imm))}", ZCB)     { run(t, STORE(1, P(a->rs2), P(a->rs1), a->imm)); }

/* Quadrant 1. Those with rd 0 are hints. */
INSN(c_addi,  "000 imm.5:1s rd:5 imm.0:5 01", "[!rd && !imm] nop; [!rd] c.nop {imm}; [!imm] addi {x(rd)},{x(rd)},0; {word(ADDI(rd, rd, imm))}") { run(t, ADDI(a->rd, a->rd, a->imm)); }
INSN(c_addiw, "001 imm.5:1s rd:5 imm.0:5 01", "{word(ADDIW(rd, rd, imm))}", RV64, "rd != 0") { run(t, ADDIW(a->rd, a->rd, a->imm)); }
INSN(c_jal,   "001 imm.11:1s imm.4:1 imm.8:2 imm.10:1 imm.6:1 imm.7:1 imm.1:3 imm.5:1 01", "{word32(J_TYPE(1, imm))}", RV32, SPECIAL) { run(t, J_TYPE(RV_RA, a->imm)); }
INSN(c_li,    "010 imm.5:1s rd:5 imm.0:5 01", "[!rd] c.li zero,{imm}; {word(ADDI(rd, 0, imm))}") { run(t, ADDI(a->rd, 0, a->imm)); }
INSN(c_lui,   "011 imm.5:1s rd:5 imm.0:5 01", "[!rd] c.lui zero,{hex(imm & 0xfffff)}; {word(LUI(rd, imm))}", "imm != 0") { run(t, LUI(a->rd, a->imm)); }
INSN(c_addi16sp, "011 imm.9:1s 00010 imm.4:1 imm.6:1 imm.7:2 imm.5:1 01", "{word(ADDI(2, 2, imm))}", "imm != 0", SPECIAL) { run(t, ADDI(RV_SP, RV_SP, a->imm)); }
INSN(c_srli,  "100 imm.5:1 00 rd:3 imm.0:5 01", "[!imm] c.srli64 {x(P(rd))}; {word(SRLI(P(rd), P(rd), imm))}", "imm < 32 || INSN_HAS(t, RV64)") { run(t, SRLI(P(a->rd), P(a->rd), a->imm)); }
INSN(c_srai,  "100 imm.5:1 01 rd:3 imm.0:5 01", "[!imm] c.srai64 {x(P(rd))}; {word(SRAI(P(rd), P(rd), imm))}", "imm < 32 || INSN_HAS(t, RV64)") { run(t, SRAI(P(a->rd), P(a->rd), a->imm)); }
INSN(c_andi,  "100 imm.5:1s 10 rd:3 imm.0:5 01", "{word(ANDI(P(rd), P(rd), imm))}") { run(t, ANDI(P(a->rd), P(a->rd), a->imm)); }
INSN(c_sub,   "100 0 11 rd:3 00 rs2:3 01", "{word(OP(0, 0x20, P(rd), P(rd), P(rs2)))}") { run(t, OP(0, 0x20, P(a->rd), P(a->rd), P(a->rs2))); }
INSN(c_xor,   "100 0 11 rd:3 01 rs2:3 01", "{word(OP(4, 0, P(rd), P(rd), P(rs2)))}")    { run(t, OP(4, 0, P(a->rd), P(a->rd), P(a->rs2))); }
INSN(c_or,    "100 0 11 rd:3 10 rs2:3 01", "{word(OP(6, 0, P(rd), P(rd), P(rs2)))}")    { run(t, OP(6, 0, P(a->rd), P(a->rd), P(a->rs2))); }
INSN(c_and,   "100 0 11 rd:3 11 rs2:3 01", "{word(OP(7, 0, P(rd), P(rd), P(rs2)))}")    { run(t, OP(7, 0, P(a->rd), P(a->rd), P(a->rs2))); }
INSN(c_subw,  "100 1 11 rd:3 00 rs2:3 01", "{word(OP32(0, 0x20, P(rd), P(rd), P(rs2)))}", RV64) { run(t, OP32(0, 0x20, P(a->rd), P(a->rd), P(a->rs2))); }
INSN(c_addw,  "100 1 11 rd:3 01 rs2:3 01", "{word(OP32(0, 0, P(rd), P(rd), P(rs2)))}", RV64)    { run(t, OP32(0, 0, P(a->rd), P(a->rd), P(a->rs2))); }
INSN(c_mul,   "100 1 11 rd:3 10 rs2:3 01", "{word(OP(0, 1, P(rd), P(rd), P(rs2)))}", ZCB, M)    { run(t, OP(0, 1, P(a->rd), P(a->rd), P(a->rs2))); }
INSN(c_zext_b, "100 1 11 rd:3 11 000 01", "{word(ANDI(P(rd), P(rd), 255))}", ZCB)               { run(t, ANDI(P(a->rd), P(a->rd), 255)); }
INSN(c_sext_b, "100 1 11 rd:3 11 001 01", "{word(UNARY(SEXT_B, P(rd), P(rd)))}", ZCB, ZBB)      { run(t, UNARY(SEXT_B, P(a->rd), P(a->rd))); }
INSN(c_zext_h, "100 1 11 rd:3 11 010 01", "{word(UNARY(ZEXT_H_64, P(rd), P(rd)))}", ZCB, ZBB)   { run(t, UNARY(is_rv64(t) ? ZEXT_H_64 : ZEXT_H_32, P(a->rd), P(a->rd))); }
INSN(c_sext_h, "100 1 11 rd:3 11 011 01", "{word(UNARY(SEXT_H, P(rd), P(rd)))}", ZCB, ZBB)      { run(t, UNARY(SEXT_H, P(a->rd), P(a->rd))); }
INSN(c_zext_w, "100 1 11 rd:3 11 100 01", "{word(UNARY(ZEXT_W, P(rd), P(rd)))}", ZCB, ZBA, RV64) { run(t, UNARY(ZEXT_W, P(a->rd), P(a->rd))); }
INSN(c_not,    "100 1 11 rd:3 11 101 01", "{word(XORI(P(rd), P(rd), -1))}", ZCB)                { run(t, XORI(P(a->rd), P(a->rd), -1)); }
INSN(c_j,    "101 imm.11:1s imm.4:1 imm.8:2 imm.10:1 imm.6:1 imm.7:1 imm.1:3 imm.5:1 01", "{word(J_TYPE(0, imm))}") { run(t, J_TYPE(0, a->imm)); }
INSN(c_beqz, "110 imm.8:1s imm.3:2 rs1:3 imm.6:2 imm.1:2 imm.5:1 01", "{word(B_TYPE(0, P(rs1), 0, imm))}") { run(t, B_TYPE(0, P(a->rs1), 0, a->imm)); }
INSN(c_bnez, "111 imm.8:1s imm.3:2 rs1:3 imm.6:2 imm.1:2 imm.5:1 01", "{word(B_TYPE(1, P(rs1), 0, imm))}") { run(t, B_TYPE(1, P(a->rs1), 0, a->imm)); }

/* Quadrant 2. */
INSN(c_slli,  "000 imm.5:1 rd:5 imm.0:5 10", "[!imm] c.slli64 {x(rd)}; [!rd] c.slli zero,{hex(imm)}; {word(SLLI(rd, rd, imm))}", "imm < 32 || INSN_HAS(t, RV64)") { run(t, SLLI(a->rd, a->rd, a->imm)); }
INSN(c_fldsp, "001 imm.5:1 rd:5 imm.3:2 imm.6:3 10", "{word(LOAD_FP(D, rd, 2, imm))}", D) { run(t, LOAD_FP(D, a->rd, RV_SP, a->imm)); }
INSN(c_lwsp,  "010 imm.5:1 rd:5 imm.2:3 imm.6:2 10", "{word(LOAD(W, rd, 2, imm))}", "rd != 0") { run(t, LOAD(W, a->rd, RV_SP, a->imm)); }
INSN(c_ldsp,  "011 imm.5:1 rd:5 imm.3:2 imm.6:3 10", "{word(LOAD(D, rd, 2, imm))}", RV64, "rd != 0") { run(t, LOAD(D, a->rd, RV_SP, a->imm)); }
INSN(c_flwsp, "011 imm.5:1 rd:5 imm.2:3 imm.6:2 10", "{word32(LOAD_FP(W, rd, 2, imm))}", RV32, F, SPECIAL) { run(t, LOAD_FP(W, a->rd, RV_SP, a->imm)); }
INSN(c_mv,    "100 0 rd:5 rs2:5 10", "[!rd] c.mv zero,{x(rs2)}; {word(ADDI(rd, rs2, 0))}", "rs2 != 0") { run(t, ADD(a->rd, 0, a->rs2)); }
INSN(c_jr,    "100 0 rs1:5 00000 10", "{word(JALR(0, rs1))}", "rs1 != 0", SPECIAL) { run(t, JALR(0, a->rs1)); }
INSN(c_add,   "100 1 rd:5 rs2:5 10", "[!rd] c.add zero,{x(rs2)}; {word(ADD(rd, rd, rs2))}") { run(t, ADD(a->rd, a->rd, a->rs2)); }
INSN(c_jalr,  "100 1 rs1:5 00000 10", "{word(JALR(1, rs1))}", "rs1 != 0", SPECIAL) { run(t, JALR(RV_RA, a->rs1)); }
INSN(c_ebreak, "100 1 00000 00000 10", "{word(EBREAK)}", SPECIAL) { run(t, EBREAK); }
INSN(c_fsdsp, "101 imm.3:3 imm.6:3 rs2:5 10", "{word(STORE_FP(D, rs2, 2, imm))}", D) { run(t, STORE_FP(D, a->rs2, RV_SP, a->imm)); }
INSN(c_swsp,  "110 imm.2:4 imm.6:2 rs2:5 10", "{word(STORE(W, rs2, 2, imm))}") { run(t, STORE(W, a->rs2, RV_SP, a->imm)); }
INSN(c_sdsp,  "111 imm.3:3 imm.6:3 rs2:5 10", "{word(STORE(D, rs2, 2, imm))}", RV64) { run(t, STORE(D, a->rs2, RV_SP, a->imm)); }
INSN(c_fswsp, "111 imm.2:4 imm.6:2 rs2:5 10", "{word32(STORE_FP(W, rs2, 2, imm))}", RV32, F, SPECIAL) { run(t, STORE_FP(W, a->rs2, RV_SP, a->imm)); }
/* clang-format on */
#include "riscv_compressed.decode.inc"
