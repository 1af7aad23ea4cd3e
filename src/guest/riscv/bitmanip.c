/*
 * RISC-V: bit manipulation: Zba, Zbb, Zbc, Zbs, Zbkb, Zbkc, Zbkx.
 * Manual: volume I, chapters "B" and "Scalar cryptography".
 */
#include "guest/riscv/riscv.h"
#include "riscv_bitmanip.decode.h"

static ir_ref shifted_add(struct tr *t, ir_ref v, unsigned n, ir_ref to)
{
	return v_bin(t, IR_ADD, v_bin(t, IR_SHL, v, konst(t, n)), to);
}

static ir_ref one_bit(struct tr *t, ir_ref at) /* 1 << at modulo XLEN */
{
	return v_bin(t, IR_SHL, konst(t, 1), at);
}

static ir_ref rotate_left(struct tr *t, ir_ref v, ir_ref by)
{
	return v_bin(t, IR_ROTR, v, v_un(t, IR_NEG, by));
}

/* All ones in each byte that is not 0. */
static ir_ref or_combine(struct tr *t, ir_ref v)
{
	ir_ref low = konst(t, 0x7f7f7f7f7f7f7f7f), high = konst(t, 0x8080808080808080);
	ir_ref m = v_bin(t, IR_ADD, v_bin(t, IR_AND, v, low), low);
	m = v_bin(t, IR_AND, v_bin(t, IR_OR, m, v), high);
	return v_bin(t, IR_SUB, v_bin(t, IR_SHL, m, konst(t, 1)), v_bin(t, IR_SHR, m, konst(t, 7)));
}

/* The carry-less product of 2 * XLEN bits from bit at on: 0, XLEN - 1 (reversed) or XLEN. */
static ir_ref clmul(struct tr *t, ir_ref a, ir_ref b, unsigned at)
{
	if (!is_rv64(t)) {
		ir_ref p = v_bin(t, IR_CLMUL, wide(t, a), wide(t, b));
		return v_trunc(t, TY_I32, at ? v_bin(t, IR_SHR, p, konst64(t, at)) : p);
	}
	if (at == 0)
		return v_bin(t, IR_CLMUL, a, b);
	ir_ref high = v_bin(t, IR_CLMULH, a, b);
	return at == 64 ? high : v_op(t, IR_FUNNEL, TY_I64, high, v_bin(t, IR_CLMUL, a, b), 0, 63);
}

static ir_ref vector(struct tr *t, ir_ref low, ir_ref high) /* of two i64 */
{
	return v_cast(t, TY_V128, v_op(t, IR_PAIR, TY_I128, low, high, 0, 0));
}

/* The nibbles of v as bytes. */
static ir_ref spread(struct tr *t, ir_ref v)
{
	ir_ref mask = konst64(t, 0x0f0f0f0f0f0f0f0f);
	v = wide(t, v);
	return vector(t, v_bin(t, IR_PDEP, v, mask),
		      v_bin(t, IR_PDEP, v_bin(t, IR_SHR, v, konst64(t, 32)), mask));
}

static ir_ref permute_nibbles(struct tr *t, ir_ref table, ir_ref index)
{
	ir_ref mask = konst64(t, 0x0f0f0f0f0f0f0f0f);
	ir_ref v = v_cast(t, TY_I128, v_lanes(t, IR_TBL, TY_I8, spread(t, table), spread(t, index), 0, 0));
	ir_ref low = v_bin(t, IR_PEXT, v_op(t, IR_LO, TY_I64, v, 0, 0, 0), mask);
	ir_ref high = v_bin(t, IR_PEXT, v_op(t, IR_HI, TY_I64, v, 0, 0, 0), mask);
	return v_trunc(t, XT(t), v_bin(t, IR_OR, low, v_bin(t, IR_SHL, high, konst64(t, 32))));
}

static ir_ref permute_bytes(struct tr *t, ir_ref table, ir_ref index)
{
	ir_ref v = v_lanes(t, IR_TBL, TY_I8, vector(t, wide(t, table), konst64(t, 0)),
			   vector(t, wide(t, index), konst64(t, 0)), 0, 0);
	v = v_op(t, IR_LO, TY_I64, v_cast(t, TY_I128, v), 0, 0, 0);
	return v_trunc(t, XT(t), v);
}

static ir_ref bits(struct tr *t, ir_ref v, enum ir_bitperm op)
{
	return v_op(t, IR_BITPERM, v_type(t, v), v, 0, 0, op);
}

/* low halves of a and b side by side */
static ir_ref pack(struct tr *t, ir_ref a, ir_ref b, unsigned half)
{
	return v_op(t, IR_DEPOSIT, v_type(t, a), v_op(t, IR_EXTRACTU, v_type(t, a), a, 0, half, 0), b, 0,
		    half | half << 8);
}

#define D(v) set_x(t, a->rd, v)
#define S1 x(t, a->rs1)
#define S2 x(t, a->rs2)
#define W1 w(t, a->rs1)
#define W2 w(t, a->rs2)
#define UW v_zext(t, TY_I64, W1)
#define IMM konst(t, (u64)a->imm)

/* clang-format off */

/* Zba. */
INSN(sh1add, "0010000 rs2:5 rs1:5 010 rd:5 0110011", "sh1add {x(rd)},{x(rs1)},{x(rs2)}", ZBA) { D(shifted_add(t, S1, 1, S2)); }
INSN(sh2add, "0010000 rs2:5 rs1:5 100 rd:5 0110011", "sh2add {x(rd)},{x(rs1)},{x(rs2)}", ZBA) { D(shifted_add(t, S1, 2, S2)); }
INSN(sh3add, "0010000 rs2:5 rs1:5 110 rd:5 0110011", "sh3add {x(rd)},{x(rs1)},{x(rs2)}", ZBA) { D(shifted_add(t, S1, 3, S2)); }
INSN(add_uw, "0000100 rs2:5 rs1:5 000 rd:5 0111011", "[!rs2] zext.w {x(rd)},{x(rs1)}; add.uw {x(rd)},{x(rs1)},{x(rs2)}", ZBA, RV64) { D(a->rs2 ? v_bin(t, IR_ADD, UW, S2) : UW); }
INSN(sh1add_uw, "0010000 rs2:5 rs1:5 010 rd:5 0111011", "sh1add.uw {x(rd)},{x(rs1)},{x(rs2)}", ZBA, RV64) { D(shifted_add(t, UW, 1, S2)); }
INSN(sh2add_uw, "0010000 rs2:5 rs1:5 100 rd:5 0111011", "sh2add.uw {x(rd)},{x(rs1)},{x(rs2)}", ZBA, RV64) { D(shifted_add(t, UW, 2, S2)); }
INSN(sh3add_uw, "0010000 rs2:5 rs1:5 110 rd:5 0111011", "sh3add.uw {x(rd)},{x(rs1)},{x(rs2)}", ZBA, RV64) { D(shifted_add(t, UW, 3, S2)); }
INSN(slli_uw, "000010 imm:6 rs1:5 001 rd:5 0011011", "slli.uw {x(rd)},{x(rs1)},{hex(imm)}", ZBA, RV64) { D(v_bin(t, IR_SHL, UW, IMM)); }

/* Zbb, Zbkb. */
INSN(andn, "0100000 rs2:5 rs1:5 111 rd:5 0110011", "andn {x(rd)},{x(rs1)},{x(rs2)}", "INSN_HAS(t, ZBB) || INSN_HAS(t, ZBKB)") { D(logic(t, IR_ANDN, S1, S2)); }
INSN(orn,  "0100000 rs2:5 rs1:5 110 rd:5 0110011", "orn {x(rd)},{x(rs1)},{x(rs2)}", "INSN_HAS(t, ZBB) || INSN_HAS(t, ZBKB)")  { D(logic(t, IR_OR, S1, logic(t, IR_NOT, S2, 0))); }
INSN(xnor, "0100000 rs2:5 rs1:5 100 rd:5 0110011", "xnor {x(rd)},{x(rs1)},{x(rs2)}", "INSN_HAS(t, ZBB) || INSN_HAS(t, ZBKB)") { D(logic(t, IR_NOT, logic(t, IR_XOR, S1, S2), 0)); }
INSN(clz,  "011000000000 rs1:5 001 rd:5 0010011", "clz {x(rd)},{x(rs1)}", ZBB)  { D(v_un(t, IR_CLZ, S1)); }
INSN(ctz,  "011000000001 rs1:5 001 rd:5 0010011", "ctz {x(rd)},{x(rs1)}", ZBB)  { D(v_un(t, IR_CTZ, S1)); }
INSN(cpop, "011000000010 rs1:5 001 rd:5 0010011", "cpop {x(rd)},{x(rs1)}", ZBB) { D(v_un(t, IR_POPCNT, S1)); }
INSN(clzw,  "011000000000 rs1:5 001 rd:5 0011011", "clzw {x(rd)},{x(rs1)}", ZBB, RV64)  { D(v_un(t, IR_CLZ, W1)); }
INSN(ctzw,  "011000000001 rs1:5 001 rd:5 0011011", "ctzw {x(rd)},{x(rs1)}", ZBB, RV64)  { D(v_un(t, IR_CTZ, W1)); }
INSN(cpopw, "011000000010 rs1:5 001 rd:5 0011011", "cpopw {x(rd)},{x(rs1)}", ZBB, RV64) { D(v_un(t, IR_POPCNT, W1)); }
INSN(sext_b, "011000000100 rs1:5 001 rd:5 0010011", "sext.b {x(rd)},{x(rs1)}", ZBB) { D(v_trunc(t, TY_I8, S1)); }
INSN(sext_h, "011000000101 rs1:5 001 rd:5 0010011", "sext.h {x(rd)},{x(rs1)}", ZBB) { D(v_trunc(t, TY_I16, S1)); }
INSN(min,  "0000101 rs2:5 rs1:5 100 rd:5 0110011", "min {x(rd)},{x(rs1)},{x(rs2)}", ZBB)  { D(v_bin(t, IR_MINS, S1, S2)); }
INSN(minu, "0000101 rs2:5 rs1:5 101 rd:5 0110011", "minu {x(rd)},{x(rs1)},{x(rs2)}", ZBB) { D(v_bin(t, IR_MINU, S1, S2)); }
INSN(max,  "0000101 rs2:5 rs1:5 110 rd:5 0110011", "max {x(rd)},{x(rs1)},{x(rs2)}", ZBB)  { D(v_bin(t, IR_MAXS, S1, S2)); }
INSN(maxu, "0000101 rs2:5 rs1:5 111 rd:5 0110011", "maxu {x(rd)},{x(rs1)},{x(rs2)}", ZBB) { D(v_bin(t, IR_MAXU, S1, S2)); }
INSN(rol,  "0110000 rs2:5 rs1:5 001 rd:5 0110011", "rol {x(rd)},{x(rs1)},{x(rs2)}", "INSN_HAS(t, ZBB) || INSN_HAS(t, ZBKB)") { D(rotate_left(t, S1, S2)); }
INSN(ror,  "0110000 rs2:5 rs1:5 101 rd:5 0110011", "ror {x(rd)},{x(rs1)},{x(rs2)}", "INSN_HAS(t, ZBB) || INSN_HAS(t, ZBKB)") { D(v_bin(t, IR_ROTR, S1, S2)); }
INSN(rori, "011000 imm:6 rs1:5 101 rd:5 0010011", "rori {x(rd)},{x(rs1)},{hex(imm)}", "INSN_HAS(t, ZBB) || INSN_HAS(t, ZBKB)", "imm < 32 || INSN_HAS(t, RV64)") { D(v_bin(t, IR_ROTR, S1, IMM)); }
INSN(rolw,  "0110000 rs2:5 rs1:5 001 rd:5 0111011", "rolw {x(rd)},{x(rs1)},{x(rs2)}", RV64, "INSN_HAS(t, ZBB) || INSN_HAS(t, ZBKB)") { D(rotate_left(t, W1, W2)); }
INSN(rorw,  "0110000 rs2:5 rs1:5 101 rd:5 0111011", "rorw {x(rd)},{x(rs1)},{x(rs2)}", RV64, "INSN_HAS(t, ZBB) || INSN_HAS(t, ZBKB)") { D(v_bin(t, IR_ROTR, W1, W2)); }
INSN(roriw, "0110000 imm:5 rs1:5 101 rd:5 0011011", "roriw {x(rd)},{x(rs1)},{hex(imm)}", RV64, "INSN_HAS(t, ZBB) || INSN_HAS(t, ZBKB)") { D(v_bin(t, IR_ROTR, W1, konst32(t, (u32)a->imm))); }
INSN(orc_b, "001010000111 rs1:5 101 rd:5 0010011", "orc.b {x(rd)},{x(rs1)}", ZBB) { D(or_combine(t, S1)); }
INSN(rev8_64, "011010111000 rs1:5 101 rd:5 0010011", "rev8 {x(rd)},{x(rs1)}", RV64, "INSN_HAS(t, ZBB) || INSN_HAS(t, ZBKB)") { D(v_un(t, IR_BSWAP, S1)); }
INSN(rev8_32, "011010011000 rs1:5 101 rd:5 0010011", "rev8 {x(rd)},{x(rs1)}", RV32, "INSN_HAS(t, ZBB) || INSN_HAS(t, ZBKB)") { D(v_un(t, IR_BSWAP, S1)); }
INSN(brev8, "011010000111 rs1:5 101 rd:5 0010011", "brev8 {x(rd)},{x(rs1)}", ZBKB) { D(bits(t, S1, BP_BREV8)); }
INSN(pack,  "0000100 rs2:5 rs1:5 100 rd:5 0110011", "pack {x(rd)},{x(rs1)},{x(rs2)}", ZBKB)  { D(pack(t, S1, S2, xlen(t) / 2)); }
INSN(packh, "0000100 rs2:5 rs1:5 111 rd:5 0110011", "packh {x(rd)},{x(rs1)},{x(rs2)}", ZBKB) { D(pack(t, S1, S2, 8)); }
INSN(packw, "0000100 rs2:5 rs1:5 100 rd:5 0111011", "packw {x(rd)},{x(rs1)},{x(rs2)}", ZBKB, RV64) { D(pack(t, W1, W2, 16)); }
INSN(zext_h_32, "0000100 00000 rs1:5 100 rd:5 0110011", "zext.h {x(rd)},{x(rs1)}", ZBB, RV32, SPECIAL) { D(v_zext(t, XT(t), v_trunc(t, TY_I16, S1))); }
INSN(zext_h_64, "0000100 00000 rs1:5 100 rd:5 0111011", "zext.h {x(rd)},{x(rs1)}", ZBB, RV64, SPECIAL) { D(v_zext(t, XT(t), v_trunc(t, TY_I16, S1))); }
INSN(zip,   "000010001111 rs1:5 001 rd:5 0010011", "zip {x(rd)},{x(rs1)}", ZBKB, RV32)   { D(bits(t, S1, BP_ZIP)); }
INSN(unzip, "000010001111 rs1:5 101 rd:5 0010011", "unzip {x(rd)},{x(rs1)}", ZBKB, RV32) { D(bits(t, S1, BP_UNZIP)); }

/* Zbc, Zbkc. */
INSN(clmul,  "0000101 rs2:5 rs1:5 001 rd:5 0110011", "clmul {x(rd)},{x(rs1)},{x(rs2)}", "INSN_HAS(t, ZBC) || INSN_HAS(t, ZBKC)")  { D(clmul(t, S1, S2, 0)); }
INSN(clmulr, "0000101 rs2:5 rs1:5 010 rd:5 0110011", "clmulr {x(rd)},{x(rs1)},{x(rs2)}", ZBC) { D(clmul(t, S1, S2, xlen(t) - 1)); }
INSN(clmulh, "0000101 rs2:5 rs1:5 011 rd:5 0110011", "clmulh {x(rd)},{x(rs1)},{x(rs2)}", "INSN_HAS(t, ZBC) || INSN_HAS(t, ZBKC)") { D(clmul(t, S1, S2, xlen(t))); }

/* Zbs. */
INSN(bclr,  "0100100 rs2:5 rs1:5 001 rd:5 0110011", "bclr {x(rd)},{x(rs1)},{x(rs2)}", ZBS) { D(v_bin(t, IR_ANDN, S1, one_bit(t, S2))); }
INSN(bext,  "0100100 rs2:5 rs1:5 101 rd:5 0110011", "bext {x(rd)},{x(rs1)},{x(rs2)}", ZBS) { D(v_bin(t, IR_AND, v_bin(t, IR_SHR, S1, S2), konst(t, 1))); }
INSN(binv,  "0110100 rs2:5 rs1:5 001 rd:5 0110011", "binv {x(rd)},{x(rs1)},{x(rs2)}", ZBS) { D(v_bin(t, IR_XOR, S1, one_bit(t, S2))); }
INSN(bset,  "0010100 rs2:5 rs1:5 001 rd:5 0110011", "bset {x(rd)},{x(rs1)},{x(rs2)}", ZBS) { D(v_bin(t, IR_OR, S1, one_bit(t, S2))); }
INSN(bclri, "010010 imm:6 rs1:5 001 rd:5 0010011", "bclri {x(rd)},{x(rs1)},{hex(imm)}", ZBS, "imm < 32 || INSN_HAS(t, RV64)") { D(v_bin(t, IR_AND, S1, konst(t, ~BIT(a->imm)))); }
INSN(bexti, "010010 imm:6 rs1:5 101 rd:5 0010011", "bexti {x(rd)},{x(rs1)},{hex(imm)}", ZBS, "imm < 32 || INSN_HAS(t, RV64)") { D(v_op(t, IR_EXTRACTU, XT(t), S1, a->imm, 1, 0)); }
INSN(binvi, "011010 imm:6 rs1:5 001 rd:5 0010011", "binvi {x(rd)},{x(rs1)},{hex(imm)}", ZBS, "imm < 32 || INSN_HAS(t, RV64)") { D(v_bin(t, IR_XOR, S1, konst(t, BIT(a->imm)))); }
INSN(bseti, "001010 imm:6 rs1:5 001 rd:5 0010011", "bseti {x(rd)},{x(rs1)},{hex(imm)}", ZBS, "imm < 32 || INSN_HAS(t, RV64)") { D(v_bin(t, IR_OR, S1, konst(t, BIT(a->imm)))); }

/* Zbkx. */
INSN(xperm4, "0010100 rs2:5 rs1:5 010 rd:5 0110011", "xperm4 {x(rd)},{x(rs1)},{x(rs2)}", ZBKX) { D(permute_nibbles(t, S1, S2)); }
INSN(xperm8, "0010100 rs2:5 rs1:5 100 rd:5 0110011", "xperm8 {x(rd)},{x(rs1)},{x(rs2)}", ZBKX) { D(permute_bytes(t, S1, S2)); }
/* clang-format on */
#include "riscv_bitmanip.decode.inc"
