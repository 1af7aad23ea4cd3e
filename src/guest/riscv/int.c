/*
 * RISC-V: the base integer instruction sets RV32I and RV64I, Zifencei's place in them, Zicond, Zihintpause and the hints.
 * Manual: volume I, chapters "RV32I", "RV64I", "Zifencei", "Zihintpause", "Zihintntl", "Zicond".
 */
#include "guest/riscv/riscv.h"
#include "riscv_int.decode.h"

static ir_ref address(struct tr *t, unsigned rs1, i32 *disp)
{
	if (rs1)
		return x(t, rs1);
	ir_ref at = konst(t, (u64)(i64)*disp);
	*disp = 0;
	return at;
}

static void load(struct tr *t, unsigned size, bool sign, unsigned rd, unsigned rs1, i32 disp)
{
	ir_ref base = address(t, rs1, &disp);
	set_x(t, rd, v_load(t, XT(t), base, plain(size_type(size), disp, sign)));
}

static void store(struct tr *t, unsigned size, unsigned rs2, unsigned rs1, i32 disp)
{
	ir_ref base = address(t, rs1, &disp);
	v_store(t, base, x(t, rs2), plain(size_type(size), disp, false));
}

static void branch(struct tr *t, enum ir_op op, unsigned rs1, unsigned rs2, i32 offset, bool inverted)
{
	u64 taken = t->pc + (u64)(i64)offset, next = t->pc + t->len;
	ir_ref cond = v_cmp(t, op, x(t, rs1), x(t, rs2));
	if (inverted)
		tr_branch(t, cond, next, taken, 0);
	else
		tr_branch(t, cond, taken, next, 0);
}

static bool is_link(unsigned n) /* "RV32I", table of return-address prediction hints */
{
	return n == RV_RA || n == RV_T0;
}

static void jump_and_link(struct tr *t, unsigned rd, i32 offset)
{
	u64 to = t->pc + (u64)(i64)offset;
	if (rd)
		set_x(t, rd, konst(t, t->pc + t->len));
	if (is_link(rd))
		tr_gosub(t, to);
	else
		tr_jump(t, to);
}

static void jump_register(struct tr *t, unsigned rd, unsigned rs1, i32 offset)
{
	ir_ref to = v_bin(t, IR_AND, v_addi(t, x(t, rs1), offset), konst(t, ~1ull));
	if (rd)
		set_x(t, rd, konst(t, t->pc + t->len));
	if (is_link(rd))
		tr_gosub_to(t, to);
	else if (is_link(rs1))
		tr_return(t, to);
	else
		tr_jump_to(t, to);
}

/* fm, pred and succ: which accesses are ordered; device accesses count as memory. */
static void fence(struct tr *t, unsigned fm, unsigned pred, unsigned succ)
{
	bool pr = pred & 10, pw = pred & 5, sr = succ & 10, sw = succ & 5;
	unsigned kind = (pr && sr ? IR_FENCE_LL : 0) | (pr && sw ? IR_FENCE_LS : 0) |
			(pw && sr ? IR_FENCE_SL : 0) | (pw && sw ? IR_FENCE_SS : 0);
	if (fm == 8) /* TSO */
		kind &= ~(unsigned)IR_FENCE_SL;
	if (kind)
		v_op(t, IR_FENCE, TY_VOID, 0, 0, 0, kind);
}

#define D(v) set_x(t, a->rd, v)
#define S1 x(t, a->rs1)
#define S2 x(t, a->rs2)
#define W1 w(t, a->rs1)
#define W2 w(t, a->rs2)
#define IMM konst(t, (u64)(i64)a->imm)
#define IMM32 konst32(t, (u32)a->imm)
#define BRANCH(op, inverted) branch(t, IR_##op, a->rs1, a->rs2, a->imm, inverted)

/* clang-format off */
INSN(lui,   "imm:20s rd:5 0110111", "lui {x(rd)},{hex(imm & 0xfffff)}") { D(konst(t, (u64)((i64)a->imm << 12))); }
INSN(auipc, "imm:20s rd:5 0010111", "auipc {x(rd)},{hex(imm & 0xfffff)}") { D(konst(t, t->pc + (u64)((i64)a->imm << 12))); }
INSN(jal,   "imm.20:1s imm.1:10 imm.11:1 imm.12:8 rd:5 1101111", "[!rd] j {label(imm)}; [rd == 1] jal {label(imm)}; jal {x(rd)},{label(imm)}") { jump_and_link(t, a->rd, a->imm); }
INSN(jalr,  "imm:12s rs1:5 000 rd:5 1100111",
	"[rd == 0 && rs1 == 1 && !imm] ret; [rd == 0 && !imm] jr {x(rs1)}; [rd == 0] jr {mem(rs1, imm)}; [rd == 1 && !imm] jalr {x(rs1)}; "
	"[rd == 1] jalr {mem(rs1, imm)}; [!imm] jalr {x(rd)},{x(rs1)}; jalr {x(rd)},{mem(rs1, imm)}") { jump_register(t, a->rd, a->rs1, a->imm); }

INSN(beq,  "imm.12:1s imm.5:6 rs2:5 rs1:5 000 imm.1:4 imm.11:1 1100011", "[!rs2] beqz {x(rs1)},{label(imm)}; beq {x(rs1)},{x(rs2)},{label(imm)}") { BRANCH(EQ, 0); }
INSN(bne,  "imm.12:1s imm.5:6 rs2:5 rs1:5 001 imm.1:4 imm.11:1 1100011", "[!rs2] bnez {x(rs1)},{label(imm)}; bne {x(rs1)},{x(rs2)},{label(imm)}") { BRANCH(NE, 0); }
INSN(blt,  "imm.12:1s imm.5:6 rs2:5 rs1:5 100 imm.1:4 imm.11:1 1100011", "[!rs2] bltz {x(rs1)},{label(imm)}; [!rs1] bgtz {x(rs2)},{label(imm)}; blt {x(rs1)},{x(rs2)},{label(imm)}") { BRANCH(LTS, 0); }
INSN(bge,  "imm.12:1s imm.5:6 rs2:5 rs1:5 101 imm.1:4 imm.11:1 1100011", "[!rs2] bgez {x(rs1)},{label(imm)}; [!rs1] blez {x(rs2)},{label(imm)}; bge {x(rs1)},{x(rs2)},{label(imm)}") { BRANCH(LTS, 1); }
INSN(bltu, "imm.12:1s imm.5:6 rs2:5 rs1:5 110 imm.1:4 imm.11:1 1100011", "bltu {x(rs1)},{x(rs2)},{label(imm)}") { BRANCH(LTU, 0); }
INSN(bgeu, "imm.12:1s imm.5:6 rs2:5 rs1:5 111 imm.1:4 imm.11:1 1100011", "bgeu {x(rs1)},{x(rs2)},{label(imm)}") { BRANCH(LTU, 1); }

/* Loads and stores: any alignment. */
INSN(lb,  "imm:12s rs1:5 000 rd:5 0000011", "lb {x(rd)},{mem(rs1, imm)}")  { load(t, SIZE_B, 1, a->rd, a->rs1, a->imm); }
INSN(lh,  "imm:12s rs1:5 001 rd:5 0000011", "lh {x(rd)},{mem(rs1, imm)}")  { load(t, SIZE_H, 1, a->rd, a->rs1, a->imm); }
INSN(lw,  "imm:12s rs1:5 010 rd:5 0000011", "lw {x(rd)},{mem(rs1, imm)}")  { load(t, SIZE_W, 1, a->rd, a->rs1, a->imm); }
INSN(ld,  "imm:12s rs1:5 011 rd:5 0000011", "ld {x(rd)},{mem(rs1, imm)}", RV64)  { load(t, SIZE_D, 0, a->rd, a->rs1, a->imm); }
INSN(lbu, "imm:12s rs1:5 100 rd:5 0000011", "lbu {x(rd)},{mem(rs1, imm)}") { load(t, SIZE_B, 0, a->rd, a->rs1, a->imm); }
INSN(lhu, "imm:12s rs1:5 101 rd:5 0000011", "lhu {x(rd)},{mem(rs1, imm)}") { load(t, SIZE_H, 0, a->rd, a->rs1, a->imm); }
INSN(lwu, "imm:12s rs1:5 110 rd:5 0000011", "lwu {x(rd)},{mem(rs1, imm)}", RV64) { load(t, SIZE_W, 0, a->rd, a->rs1, a->imm); }
INSN(sb,  "imm.5:7s rs2:5 rs1:5 000 imm.0:5 0100011", "sb {x(rs2)},{mem(rs1, imm)}") { store(t, SIZE_B, a->rs2, a->rs1, a->imm); }
INSN(sh,  "imm.5:7s rs2:5 rs1:5 001 imm.0:5 0100011", "sh {x(rs2)},{mem(rs1, imm)}") { store(t, SIZE_H, a->rs2, a->rs1, a->imm); }
INSN(sw,  "imm.5:7s rs2:5 rs1:5 010 imm.0:5 0100011", "sw {x(rs2)},{mem(rs1, imm)}") { store(t, SIZE_W, a->rs2, a->rs1, a->imm); }
INSN(sd,  "imm.5:7s rs2:5 rs1:5 011 imm.0:5 0100011", "sd {x(rs2)},{mem(rs1, imm)}", RV64) { store(t, SIZE_D, a->rs2, a->rs1, a->imm); }

/* Immediates. */
INSN(addi,  "imm:12s rs1:5 000 rd:5 0010011", "[!rd && !rs1 && !imm] nop; [!rs1] li {x(rd)},{imm}; [!imm] mv {x(rd)},{x(rs1)}; addi {x(rd)},{x(rs1)},{imm}") { D(v_addi(t, S1, a->imm)); }
INSN(slti,  "imm:12s rs1:5 010 rd:5 0010011", "slti {x(rd)},{x(rs1)},{imm}") { D(v_cmp(t, IR_LTS, S1, IMM)); }
INSN(sltiu, "imm:12s rs1:5 011 rd:5 0010011", "[imm == 1] seqz {x(rd)},{x(rs1)}; sltiu {x(rd)},{x(rs1)},{imm}") { D(v_cmp(t, IR_LTU, S1, IMM)); }
INSN(xori,  "imm:12s rs1:5 100 rd:5 0010011", "[imm == -1] not {x(rd)},{x(rs1)}; xori {x(rd)},{x(rs1)},{imm}") { D(a->imm == -1 ? logic(t, IR_NOT, S1, 0) : v_bin(t, IR_XOR, S1, IMM)); }
INSN(ori,   "imm:12s rs1:5 110 rd:5 0010011", "ori {x(rd)},{x(rs1)},{imm}") { D(v_bin(t, IR_OR, S1, IMM)); }
INSN(prefetch, "imm.5:7s op:5 rs1:5 110 00000 0010011", "prefetch.{#op:i|r||w} {mem(rs1, imm)}", ZICBOP, "op == 0 || op == 1 || op == 3", SPECIAL)
{
	if (a->op)
		v_op(t, IR_PREFETCH, TY_VOID, v_addi(t, S1, a->imm), 0, 0, 0);
}
INSN(andi,  "imm:12s rs1:5 111 rd:5 0010011", "[imm == 255] zext.b {x(rd)},{x(rs1)}; andi {x(rd)},{x(rs1)},{imm}") { D(v_bin(t, IR_AND, S1, IMM)); }
INSN(slli,  "000000 imm:6 rs1:5 001 rd:5 0010011", "slli {x(rd)},{x(rs1)},{hex(imm)}", "imm < 32 || INSN_HAS(t, RV64)") { D(v_bin(t, IR_SHL, S1, IMM)); }
INSN(srli,  "000000 imm:6 rs1:5 101 rd:5 0010011", "srli {x(rd)},{x(rs1)},{hex(imm)}", "imm < 32 || INSN_HAS(t, RV64)") { D(v_bin(t, IR_SHR, S1, IMM)); }
INSN(srai,  "010000 imm:6 rs1:5 101 rd:5 0010011", "srai {x(rd)},{x(rs1)},{hex(imm)}", "imm < 32 || INSN_HAS(t, RV64)") { D(v_bin(t, IR_SAR, S1, IMM)); }
INSN(addiw, "imm:12s rs1:5 000 rd:5 0011011", "[!imm] sext.w {x(rd)},{x(rs1)}; addiw {x(rd)},{x(rs1)},{imm}", RV64) { D(v_addi(t, W1, a->imm)); }
INSN(slliw, "0000000 imm:5 rs1:5 001 rd:5 0011011", "slliw {x(rd)},{x(rs1)},{hex(imm)}", RV64) { D(v_bin(t, IR_SHL, W1, IMM32)); }
INSN(srliw, "0000000 imm:5 rs1:5 101 rd:5 0011011", "srliw {x(rd)},{x(rs1)},{hex(imm)}", RV64) { D(v_bin(t, IR_SHR, W1, IMM32)); }
INSN(sraiw, "0100000 imm:5 rs1:5 101 rd:5 0011011", "sraiw {x(rd)},{x(rs1)},{hex(imm)}", RV64) { D(v_bin(t, IR_SAR, W1, IMM32)); }

/* Registers. */
INSN(add,  "0000000 rs2:5 rs1:5 000 rd:5 0110011", "[!rd && !rs1 && rs2 >= 2 && rs2 <= 5] ntl.{#rs2 - 2:p1|pall|s1|all}; add {x(rd)},{x(rs1)},{x(rs2)}")  { D(!a->rs1 ? S2 : v_bin(t, IR_ADD, S1, S2)); }
INSN(sub,  "0100000 rs2:5 rs1:5 000 rd:5 0110011", "[!rs1] neg {x(rd)},{x(rs2)}; sub {x(rd)},{x(rs1)},{x(rs2)}")  { D(a->rs1 ? v_bin(t, IR_SUB, S1, S2) : v_un(t, IR_NEG, S2)); }
INSN(sll,  "0000000 rs2:5 rs1:5 001 rd:5 0110011", "sll {x(rd)},{x(rs1)},{x(rs2)}")  { D(v_bin(t, IR_SHL, S1, S2)); }
INSN(slt,  "0000000 rs2:5 rs1:5 010 rd:5 0110011", "[!rs2] sltz {x(rd)},{x(rs1)}; [!rs1] sgtz {x(rd)},{x(rs2)}; slt {x(rd)},{x(rs1)},{x(rs2)}")  { D(v_cmp(t, IR_LTS, S1, S2)); }
INSN(sltu, "0000000 rs2:5 rs1:5 011 rd:5 0110011", "[!rs1] snez {x(rd)},{x(rs2)}; sltu {x(rd)},{x(rs1)},{x(rs2)}") { D(a->rs1 ? v_cmp(t, IR_LTU, S1, S2) : v_cmp(t, IR_NE, S2, konst(t, 0))); }
INSN(xor,  "0000000 rs2:5 rs1:5 100 rd:5 0110011", "xor {x(rd)},{x(rs1)},{x(rs2)}")  { D(logic(t, IR_XOR, S1, S2)); }
INSN(srl,  "0000000 rs2:5 rs1:5 101 rd:5 0110011", "srl {x(rd)},{x(rs1)},{x(rs2)}")  { D(v_bin(t, IR_SHR, S1, S2)); }
INSN(sra,  "0100000 rs2:5 rs1:5 101 rd:5 0110011", "sra {x(rd)},{x(rs1)},{x(rs2)}")  { D(v_bin(t, IR_SAR, S1, S2)); }
INSN(or,   "0000000 rs2:5 rs1:5 110 rd:5 0110011", "or {x(rd)},{x(rs1)},{x(rs2)}")   { D(logic(t, IR_OR, S1, S2)); }
INSN(and,  "0000000 rs2:5 rs1:5 111 rd:5 0110011", "and {x(rd)},{x(rs1)},{x(rs2)}")  { D(logic(t, IR_AND, S1, S2)); }
INSN(addw, "0000000 rs2:5 rs1:5 000 rd:5 0111011", "addw {x(rd)},{x(rs1)},{x(rs2)}", RV64) { D(v_bin(t, IR_ADD, W1, W2)); }
INSN(subw, "0100000 rs2:5 rs1:5 000 rd:5 0111011", "[!rs1] negw {x(rd)},{x(rs2)}; subw {x(rd)},{x(rs1)},{x(rs2)}", RV64) { D(v_bin(t, IR_SUB, W1, W2)); }
INSN(sllw, "0000000 rs2:5 rs1:5 001 rd:5 0111011", "sllw {x(rd)},{x(rs1)},{x(rs2)}", RV64) { D(v_bin(t, IR_SHL, W1, W2)); }
INSN(srlw, "0000000 rs2:5 rs1:5 101 rd:5 0111011", "srlw {x(rd)},{x(rs1)},{x(rs2)}", RV64) { D(v_bin(t, IR_SHR, W1, W2)); }
INSN(sraw, "0100000 rs2:5 rs1:5 101 rd:5 0111011", "sraw {x(rd)},{x(rs1)},{x(rs2)}", RV64) { D(v_bin(t, IR_SAR, W1, W2)); }
INSN(czero_eqz, "0000111 rs2:5 rs1:5 101 rd:5 0110011", "czero.eqz {x(rd)},{x(rs1)},{x(rs2)}", ZICOND) { D(v_select(t, v_cmp(t, IR_EQ, S2, konst(t, 0)), konst(t, 0), S1)); }
INSN(czero_nez, "0000111 rs2:5 rs1:5 111 rd:5 0110011", "czero.nez {x(rd)},{x(rs1)},{x(rs2)}", ZICOND) { D(v_select(t, v_cmp(t, IR_NE, S2, konst(t, 0)), konst(t, 0), S1)); }

/* Fences; reserved combinations are ordinary fences, rd and rs1 are ignored. */
INSN(fence, "fm:4 pred:4 succ:4 rs1:5 000 rd:5 0001111",
	"[fm == 8 && pred == 3 && succ == 3] fence.tso; [pred == 15 && succ == 15] fence; fence {fence(pred)},{fence(succ)}") { fence(t, (unsigned)a->fm, (unsigned)a->pred, (unsigned)a->succ); }
INSN(pause, "0000 0001 0000 00000 000 00000 0001111", "pause", ZIHINTPAUSE, SPECIAL) { tr_raise(t, EV_YIELD, IR_NONE, t->pc + t->len); }
INSN(fence_i, "imm:12 rs1:5 001 rd:5 0001111", "fence.i", ZIFENCEI)
{
	v_op(t, IR_CLEAN, TY_VOID, konst(t, 0), 0, 0, ~0ull);
	tr_end(t, t->pc + t->len);
}
/* clang-format on */
#include "riscv_int.decode.inc"
