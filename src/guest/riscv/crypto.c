/*
 * RISC-V: scalar cryptography: Zknd, Zkne, Zknh, Zksed, Zksh.
 * Manual: volume I, chapter "Scalar cryptography".
 *
 * RV64's AES instructions give half of what the 128-bit round operations of the IR do. RV32's SHA-512 ones give half of RV64's.
 */
#include "guest/riscv/riscv.h"
#include "riscv_crypto.decode.h"

static ir_ref rotate(struct tr *t, ir_ref v, unsigned right)
{
	return v_bin(t, IR_ROTR, v, v_const(t, v_type(t, v), right));
}

static ir_ref shift(struct tr *t, ir_ref v, enum ir_op op, unsigned n)
{
	return v_bin(t, op, v, v_const(t, v_type(t, v), n));
}

static ir_ref mask(struct tr *t, ir_ref v, u32 bits)
{
	return v_bin(t, IR_AND, v, konst32(t, bits));
}

static ir_ref xor3(struct tr *t, ir_ref a, ir_ref b, ir_ref c)
{
	return v_bin(t, IR_XOR, v_bin(t, IR_XOR, a, b), c);
}

static ir_ref permute(struct tr *t, ir_ref v, enum ir_bitperm op)
{
	return v_op(t, IR_BITPERM, v_type(t, v), v, 0, 0, op);
}

/* ---- AES ---- */
static ir_ref state(struct tr *t, ir_ref low, ir_ref high)
{
	return v_cast(t, TY_V128, v_op(t, IR_PAIR, TY_I128, low, high, 0, 0));
}

static ir_ref low_half(struct tr *t, ir_ref v)
{
	return v_op(t, IR_LO, TY_I64, v_cast(t, TY_I128, v), 0, 0, 0);
}

/* Half of a round, with mix: columns mixed too. */
static ir_ref aes_round(struct tr *t, enum ir_op op, ir_ref low, ir_ref high, enum ir_op mix)
{
	static const u8 no_key[16];
	ir_ref v = v_op(t, op, TY_V128, state(t, low, high), v_const128(t, no_key), 0, 0);
	return low_half(t, mix == IR_NOP ? v : v_op(t, mix, TY_V128, v, 0, 0, 0));
}

static ir_ref aes_key1(struct tr *t, ir_ref s1, unsigned round)
{
	static const u8 constant[11] = { 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36, 0 };
	ir_ref v = v_op(t, IR_HI, TY_I32, s1, 0, 0, 0);
	if (round != 10)
		v = rotate(t, v, 8);
	v = v_bin(t, IR_XOR, permute(t, v, BP_AES_SBOX), konst32(t, constant[round]));
	return v_op(t, IR_PAIR, TY_I64, v, v, 0, 0);
}

static ir_ref aes_key2(struct tr *t, ir_ref s1, ir_ref s2)
{
	ir_ref low =
	    v_bin(t, IR_XOR, v_op(t, IR_HI, TY_I32, s1, 0, 0, 0), v_op(t, IR_LO, TY_I32, s2, 0, 0, 0));
	ir_ref high = v_bin(t, IR_XOR, low, v_op(t, IR_HI, TY_I32, s2, 0, 0, 0));
	return v_op(t, IR_PAIR, TY_I64, low, high, 0, 0);
}

/* Byte number of v through an S-box, in the low byte. */
static ir_ref substituted(struct tr *t, ir_ref v, unsigned number, enum ir_bitperm box)
{
	return mask(t, permute(t, v_op(t, IR_EXTRACTU, TY_I32, v, number * 8, 8, 0), box), 0xff);
}

static ir_ref aes32(struct tr *t, ir_ref s1, ir_ref s2, unsigned byte, enum ir_bitperm box, bool mix,
		    enum ir_bitperm columns)
{
	ir_ref v = substituted(t, s2, byte, box);
	if (mix)
		v = permute(t, v, columns);
	return v_bin(t, IR_XOR, s1, byte ? rotate(t, v, 32 - byte * 8) : v);
}

/* ---- SM4 ---- */
static ir_ref sm4_encrypt(struct tr *t, ir_ref v)
{
	ir_ref a = xor3(t, v, shift(t, v, IR_SHL, 8), shift(t, v, IR_SHL, 2));
	ir_ref b = xor3(t, shift(t, v, IR_SHL, 18), shift(t, mask(t, v, 0x3f), IR_SHL, 26),
			shift(t, mask(t, v, 0xc0), IR_SHL, 10));
	return v_bin(t, IR_XOR, a, b);
}

static ir_ref sm4_key(struct tr *t, ir_ref v)
{
	ir_ref a = xor3(t, v, shift(t, mask(t, v, 7), IR_SHL, 29), shift(t, mask(t, v, 0xfe), IR_SHL, 7));
	ir_ref b =
	    v_bin(t, IR_XOR, shift(t, mask(t, v, 1), IR_SHL, 23), shift(t, mask(t, v, 0xf8), IR_SHL, 13));
	return v_bin(t, IR_XOR, a, b);
}

static ir_ref sm4(struct tr *t, ir_ref s1, ir_ref s2, unsigned byte, ir_ref (*fn)(struct tr *, ir_ref))
{
	ir_ref v = fn(t, substituted(t, s2, byte, BP_SM4_SBOX));
	return v_bin(t, IR_XOR, s1, byte ? rotate(t, v, 32 - byte * 8) : v);
}

/* ---- SHA-2, SM3: three rotations, or two and a shift ---- */
static ir_ref sum(struct tr *t, ir_ref v, unsigned a, unsigned b, unsigned c)
{
	return xor3(t, rotate(t, v, a), rotate(t, v, b), rotate(t, v, c));
}

static ir_ref sigma(struct tr *t, ir_ref v, unsigned a, unsigned b, unsigned c)
{
	return xor3(t, rotate(t, v, a), rotate(t, v, b), shift(t, v, IR_SHR, c));
}

static ir_ref sm3(struct tr *t, ir_ref v, unsigned left1, unsigned left2)
{
	return xor3(t, v, rotate(t, v, 32 - left1), rotate(t, v, 32 - left2));
}

#define D(v) set_x(t, a->rd, v)
#define S1 x(t, a->rs1)
#define S2 x(t, a->rs2)
#define W1 w(t, a->rs1)
#define W2 w(t, a->rs2)
#define LOW_OF(v) v_op(t, IR_LO, TY_I32, v, 0, 0, 0)
#define HIGH_OF(v) v_op(t, IR_HI, TY_I32, v, 0, 0, 0)
#define PAIR(low, high) v_op(t, IR_PAIR, TY_I64, low, high, 0, 0)

/* clang-format off */
INSN(aes64ds,   "00 11101 rs2:5 rs1:5 000 rd:5 0110011", "aes64ds {x(rd)},{x(rs1)},{x(rs2)}", ZKND, RV64)  { D(aes_round(t, IR_AESD, S1, S2, IR_NOP)); }
INSN(aes64dsm,  "00 11111 rs2:5 rs1:5 000 rd:5 0110011", "aes64dsm {x(rd)},{x(rs1)},{x(rs2)}", ZKND, RV64) { D(aes_round(t, IR_AESD, S1, S2, IR_AESIMC)); }
INSN(aes64es,   "00 11001 rs2:5 rs1:5 000 rd:5 0110011", "aes64es {x(rd)},{x(rs1)},{x(rs2)}", ZKNE, RV64)  { D(aes_round(t, IR_AESE, S1, S2, IR_NOP)); }
INSN(aes64esm,  "00 11011 rs2:5 rs1:5 000 rd:5 0110011", "aes64esm {x(rd)},{x(rs1)},{x(rs2)}", ZKNE, RV64) { D(aes_round(t, IR_AESE, S1, S2, IR_AESMC)); }
INSN(aes64im,   "00 11000 00000 rs1:5 001 rd:5 0010011", "aes64im {x(rd)},{x(rs1)}", ZKND, RV64) { D(low_half(t, v_op(t, IR_AESIMC, TY_V128, state(t, S1, konst64(t, 0)), 0, 0, 0))); }
INSN(aes64ks1i, "00 11000 1 rnum:4 rs1:5 001 rd:5 0010011", "aes64ks1i {x(rd)},{x(rs1)},{hex(rnum)}", RV64, "rnum <= 10", "INSN_HAS(t, ZKND) || INSN_HAS(t, ZKNE)") { D(aes_key1(t, S1, (unsigned)a->rnum)); }
INSN(aes64ks2,  "01 11111 rs2:5 rs1:5 000 rd:5 0110011", "aes64ks2 {x(rd)},{x(rs1)},{x(rs2)}", RV64, "INSN_HAS(t, ZKND) || INSN_HAS(t, ZKNE)") { D(aes_key2(t, S1, S2)); }
INSN(aes32dsi,  "bs:2 10101 rs2:5 rs1:5 000 rd:5 0110011", "aes32dsi {x(rd)},{x(rs1)},{x(rs2)},{hex(bs)}", ZKND, RV32)  { D(aes32(t, S1, S2, (unsigned)a->bs, BP_AES_SBOX_INV, false, BP_AES_MC_INV)); }
INSN(aes32dsmi, "bs:2 10111 rs2:5 rs1:5 000 rd:5 0110011", "aes32dsmi {x(rd)},{x(rs1)},{x(rs2)},{hex(bs)}", ZKND, RV32) { D(aes32(t, S1, S2, (unsigned)a->bs, BP_AES_SBOX_INV, true, BP_AES_MC_INV)); }
INSN(aes32esi,  "bs:2 10001 rs2:5 rs1:5 000 rd:5 0110011", "aes32esi {x(rd)},{x(rs1)},{x(rs2)},{hex(bs)}", ZKNE, RV32)  { D(aes32(t, S1, S2, (unsigned)a->bs, BP_AES_SBOX, false, BP_AES_MC)); }
INSN(aes32esmi, "bs:2 10011 rs2:5 rs1:5 000 rd:5 0110011", "aes32esmi {x(rd)},{x(rs1)},{x(rs2)},{hex(bs)}", ZKNE, RV32) { D(aes32(t, S1, S2, (unsigned)a->bs, BP_AES_SBOX, true, BP_AES_MC)); }
INSN(sm4ed,     "bs:2 11000 rs2:5 rs1:5 000 rd:5 0110011", "sm4ed {x(rd)},{x(rs1)},{x(rs2)},{hex(bs)}", ZKSED) { D(sm4(t, W1, W2, (unsigned)a->bs, sm4_encrypt)); }
INSN(sm4ks,     "bs:2 11010 rs2:5 rs1:5 000 rd:5 0110011", "sm4ks {x(rd)},{x(rs1)},{x(rs2)},{hex(bs)}", ZKSED) { D(sm4(t, W1, W2, (unsigned)a->bs, sm4_key)); }

INSN(sha256sum0, "0001000 00000 rs1:5 001 rd:5 0010011", "sha256sum0 {x(rd)},{x(rs1)}", ZKNH) { D(sum(t, W1, 2, 13, 22)); }
INSN(sha256sum1, "0001000 00001 rs1:5 001 rd:5 0010011", "sha256sum1 {x(rd)},{x(rs1)}", ZKNH) { D(sum(t, W1, 6, 11, 25)); }
INSN(sha256sig0, "0001000 00010 rs1:5 001 rd:5 0010011", "sha256sig0 {x(rd)},{x(rs1)}", ZKNH) { D(sigma(t, W1, 7, 18, 3)); }
INSN(sha256sig1, "0001000 00011 rs1:5 001 rd:5 0010011", "sha256sig1 {x(rd)},{x(rs1)}", ZKNH) { D(sigma(t, W1, 17, 19, 10)); }
INSN(sha512sum0, "0001000 00100 rs1:5 001 rd:5 0010011", "sha512sum0 {x(rd)},{x(rs1)}", ZKNH, RV64) { D(sum(t, S1, 28, 34, 39)); }
INSN(sha512sum1, "0001000 00101 rs1:5 001 rd:5 0010011", "sha512sum1 {x(rd)},{x(rs1)}", ZKNH, RV64) { D(sum(t, S1, 14, 18, 41)); }
INSN(sha512sig0, "0001000 00110 rs1:5 001 rd:5 0010011", "sha512sig0 {x(rd)},{x(rs1)}", ZKNH, RV64) { D(sigma(t, S1, 1, 8, 7)); }
INSN(sha512sig1, "0001000 00111 rs1:5 001 rd:5 0010011", "sha512sig1 {x(rd)},{x(rs1)}", ZKNH, RV64) { D(sigma(t, S1, 19, 61, 6)); }
INSN(sha512sum0r, "0101000 rs2:5 rs1:5 000 rd:5 0110011", "sha512sum0r {x(rd)},{x(rs1)},{x(rs2)}", ZKNH, RV32) { D(LOW_OF(sum(t, PAIR(S1, S2), 28, 34, 39))); }
INSN(sha512sum1r, "0101001 rs2:5 rs1:5 000 rd:5 0110011", "sha512sum1r {x(rd)},{x(rs1)},{x(rs2)}", ZKNH, RV32) { D(LOW_OF(sum(t, PAIR(S1, S2), 14, 18, 41))); }
INSN(sha512sig0l, "0101010 rs2:5 rs1:5 000 rd:5 0110011", "sha512sig0l {x(rd)},{x(rs1)},{x(rs2)}", ZKNH, RV32) { D(LOW_OF(sigma(t, PAIR(S1, S2), 1, 8, 7))); }
INSN(sha512sig1l, "0101011 rs2:5 rs1:5 000 rd:5 0110011", "sha512sig1l {x(rd)},{x(rs1)},{x(rs2)}", ZKNH, RV32) { D(LOW_OF(sigma(t, PAIR(S1, S2), 19, 61, 6))); }
INSN(sha512sig0h, "0101110 rs2:5 rs1:5 000 rd:5 0110011", "sha512sig0h {x(rd)},{x(rs1)},{x(rs2)}", ZKNH, RV32) { D(HIGH_OF(sigma(t, PAIR(S2, S1), 1, 8, 7))); }
INSN(sha512sig1h, "0101111 rs2:5 rs1:5 000 rd:5 0110011", "sha512sig1h {x(rd)},{x(rs1)},{x(rs2)}", ZKNH, RV32) { D(HIGH_OF(sigma(t, PAIR(S2, S1), 19, 61, 6))); }
INSN(sm3p0,      "0001000 01000 rs1:5 001 rd:5 0010011", "sm3p0 {x(rd)},{x(rs1)}", ZKSH) { D(sm3(t, W1, 9, 17)); }
INSN(sm3p1,      "0001000 01001 rs1:5 001 rd:5 0010011", "sm3p1 {x(rd)},{x(rs1)}", ZKSH) { D(sm3(t, W1, 15, 23)); }
/* clang-format on */
#include "riscv_crypto.decode.inc"
