/*
 * The operations of the intermediate form: one list. Enum, verifier, text form, interpreter and back ends are made from it.
 *
 * Columns: name, operands, result, flags.
 *   operands  one letter each for a, b, c:  v value   l literal number   k block number   - none
 *   result    what .type must be:  = as operand a   t any (given by whoever builds it)   1 i1   f flags   - none
 *   flags     P pure: no effect, may be removed or shared    M touches guest memory, may fault    W writes guest memory
 *             E ends a block      X leaves the region      S reads or writes slots      F adds sticky floating-point flags
 *
 * Types. Integer operations work on i8..i128 and, when .type is a vector, on each lane of .lane (i8..i64).
 * Floating-point operations work on f16, f32, f64, f80, f128 and, when .type is a vector, on each lane of .lane.
 * "imm" is the 64-bit literal. Where the meaning of a vector differs from the scalar's, it says so.
 */
#pragma once

/* clang-format off */
#define IR_OPS(_) \
	/* ---- constants, slots ---- */ \
	_(CONST,   "---", 't', "P")  /* imm, zero-extended (i128, scalars of every integer type; floats: the bits) */ \
	_(VCONST,  "---", 't', "P")  /* a vector constant: imm is an index into region->consts, in units of 16 bytes */ \
	_(GET,     "---", 't', "S")  /* slot imm */ \
	_(SET,     "v--", '-', "S")  /* slot imm = a */ \
	_(GETX,    "v--", 't', "S")  /* slot imm + a (a: i32, below the slot's array length, checked by the front end) */ \
	_(SETX,    "vv-", '-', "S")  /* slot imm + a = b */ \
	_(INSN,    "-l-", '-', "")   /* a guest instruction starts: imm = its pc; b literal = its length in bytes */ \
	_(PHI,     "l--", 't', "")   /* value by predecessor: imm = index into region->args, a = how many pairs of block and value. First in its block (optimiser only) */ \
	_(COPY,    "v--", '=', "P") \
	/* ---- integer arithmetic, scalar or lanewise ---- */ \
	_(ADD,     "vv-", '=', "P") \
	_(SUB,     "vv-", '=', "P") \
	_(ADC,     "vvv", '=', "P")  /* scalars: a + b + c (c: i1) */ \
	_(SBC,     "vvv", '=', "P")  /* scalars: imm 0: a - b - !c; imm 1: a - b - c */ \
	_(MUL,     "vv-", '=', "P")  /* low half */ \
	_(MULHU,   "vv-", '=', "P")  /* high half of the unsigned product */ \
	_(MULHS,   "vv-", '=', "P") \
	_(MULWU,   "vv-", 't', "P")  /* the whole product: i64 from i32s, i128 from i64s */ \
	_(MULWS,   "vv-", 't', "P") \
	_(DIVU,    "vv-", '=', "P")  /* x/0 = 0 */ \
	_(DIVS,    "vv-", '=', "P")  /* x/0 = 0, MIN/-1 = MIN */ \
	_(REMU,    "vv-", '=', "P")  /* x%0 = x */ \
	_(REMS,    "vv-", '=', "P")  /* x%0 = x, MIN%-1 = 0 */ \
	_(NEG,     "v--", '=', "P") \
	_(ABS,     "v--", '=', "P")  /* ABS(MIN) = MIN */ \
	_(AND,     "vv-", '=', "P") \
	_(OR,      "vv-", '=', "P") \
	_(XOR,     "vv-", '=', "P") \
	_(ANDN,    "vv-", '=', "P")  /* a & ~b */ \
	_(NOT,     "v--", '=', "P") \
	_(SHL,     "vv-", '=', "P")  /* scalars: count b (same type as a, or i8/i32/i64) modulo the width. Vectors: b is a scalar count, >= width gives 0 */ \
	_(SHR,     "vv-", '=', "P")  /* vectors: >= width gives 0 */ \
	_(SAR,     "vv-", '=', "P")  /* vectors: >= width gives the sign everywhere */ \
	_(ROTR,    "vv-", '=', "P")  /* scalars only */ \
	_(FUNNEL,  "vv-", '=', "P")  /* scalars: low part of (a:b) >> imm, 0 <= imm < width (a is the high half) */ \
	_(MINU,    "vv-", '=', "P") \
	_(MINS,    "vv-", '=', "P") \
	_(MAXU,    "vv-", '=', "P") \
	_(MAXS,    "vv-", '=', "P") \
	_(CLZ,     "v--", '=', "P")  /* of 0: the width */ \
	_(CTZ,     "v--", '=', "P")  /* of 0: the width */ \
	_(CLS,     "v--", '=', "P")  /* leading bits equal to the sign, without it */ \
	_(POPCNT,  "v--", '=', "P") \
	_(BSWAP,   "v--", '=', "P") \
	_(BITREV,  "v--", '=', "P") \
	_(EXTRACTU,"vll", '=', "P")  /* bits b .. b+c-1, zero-extended; c >= 1, b + c <= width */ \
	_(EXTRACTS,"vll", '=', "P") \
	_(DEPOSIT, "vv-", '=', "P")  /* a with bits pos .. pos+len-1 replaced by the low bits of b; imm = pos | len << 8 */ \
	_(PDEP,    "vv-", '=', "P")  /* scatter the low bits of a to where b has ones */ \
	_(PEXT,    "vv-", '=', "P") \
	/* ---- widths ---- */ \
	_(ZEXT,    "v--", 't', "P")  /* integer to a wider integer; i1 too */ \
	_(SEXT,    "v--", 't', "P") \
	_(TRUNC,   "v--", 't', "P")  /* integer to a narrower integer (i1: bit 0) */ \
	_(PAIR,    "vv-", 't', "P")  /* low a, high b: i128 from i64s, i64 from i32s; f80 from an i64, the significand, and an i16, sign and exponent */ \
	_(LO,      "v--", 't', "P")  /* low half: i64 of i128, i32 of i64; i64 of f80 */ \
	_(HI,      "v--", 't', "P")  /* likewise; i16 of f80 */ \
	_(CAST,    "v--", 't', "P")  /* same bits, another type of the same size: i32/f32, i64/f64, i16/f16, i128/vector/f128 */ \
	/* ---- comparison and choice ---- */ \
	_(EQ,      "vv-", '1', "P")  /* scalars: i1. Vectors: VCMP* below */ \
	_(NE,      "vv-", '1', "P") \
	_(LTU,     "vv-", '1', "P") \
	_(LTS,     "vv-", '1', "P") \
	_(LEU,     "vv-", '1', "P") \
	_(LES,     "vv-", '1', "P") \
	_(SELECT,  "vvv", 't', "P")  /* a (i1) ? b : c, any type */ \
	/* ---- flags: a value of type flags holds N Z C V, and P (even parity of the low result byte) and A (carry out of bit 3) ---- */ \
	_(FLADD,   "vv-", 'f', "P")  /* of a + b at a's width */ \
	_(FLADC,   "vvv", 'f', "P")  /* of a + b + c (c: i1) */ \
	_(FLSUB,   "vv-", 'f', "P")  /* of a - b; C by imm: 0 no borrow (Arm, Power, s390x), 1 borrow (x86, SPARC, m68k) */ \
	_(FLSBC,   "vvv", 'f', "P")  /* imm 0: a - b - !c, C = no borrow; imm 1: a - b - c, C = borrow */ \
	_(FLLOGIC, "v--", 'f', "P")  /* N, Z, P of a; C = V = A = 0 */ \
	_(FLFCMP,  "vv-", 'f', "F")  /* floating-point comparison; imm bit 0: quiet NaNs signal too (invalid); bit 1 set: x86 form (unordered ZPC, less C, equal Z), clear: Arm form (less N, equal ZC, greater C, unordered CV) */ \
	_(FLPACK,  "v--", 'f', "P")  /* from i32: N 31, Z 30, C 29, V 28, P 27, A 26 */ \
	_(FLBITS,  "v--", 't', "P")  /* to i32, the same places, other bits 0 */ \
	_(FLMERGE, "vv-", 'f', "P")  /* a with the flags named by imm (same bit places) taken from b */ \
	_(COND,    "v--", '1', "P")  /* imm: enum ir_cc */ \
	/* ---- guest memory: a = address (i32 or i64), imm = struct ir_mem ---- */ \
	_(LD,      "v--", 't', "M")  /* mem.type is what lies in memory; .type the result, wider: extended by mem.sign */ \
	_(ST,      "vv-", '-', "MW") /* b is truncated to mem.type */ \
	_(CAS,     "vvv", 't', "MW") /* if [a] == b then [a] = c; gives the old value. Atomic. i8..i128 */ \
	_(RMW,     "vv-", 't', "MW") /* old = [a]; [a] = mem.rmw(old, b); gives old. Atomic */ \
	_(FENCE,   "---", '-', "MW") /* imm: enum ir_order bits: what is ordered (IR_FENCE_*) */ \
	_(PREFETCH,"v--", '-', "")   \
	_(CLEAN,   "v--", '-', "MW") /* code at [a, a+imm) may have changed: forget its translations (IC IVAU, fence.i with imm ~0) */ \
	/* ---- vectors: moving lanes ---- */ \
	_(DUP,     "v--", 't', "P")  /* every lane = scalar a (integer, truncated to the lane; or float) */ \
	_(VGET,    "v--", 't', "P")  /* lane imm as a scalar, zero-extended to .type; .lane the lane's type */ \
	_(VGETS,   "v--", 't', "P")  /* sign-extended */ \
	_(VSET,    "vv-", '=', "P")  /* a with lane imm = b */ \
	_(VLOW,    "v--", '=', "P")  /* the low imm bytes of a, zero above (imm 1, 2, 4, 8) */ \
	_(VZEXT,   "v--", 't', "P")  /* scalar a in the low bits of a vector, zero above */ \
	_(VTRUNC,  "v--", 't', "P")  /* the low bits of a vector as a scalar of .type */ \
	_(SHUFFLE, "vv-", '=', "P")  /* bytes of a (0..15) and b (16..31) by the constant imm of region->consts; 255 gives 0 */ \
	_(TBL,     "vv-", '=', "P")  /* byte i = a[b[i]], 0 when b[i] > 15 */ \
	_(BSL,     "vvv", '=', "P")  /* bitwise (a & b) | (~a & c) */ \
	_(WIDENU,  "v--", '=', "P")  /* low half of a, each .lane widened to twice its size; imm 1: high half */ \
	_(WIDENS,  "v--", '=', "P") \
	_(NARROW,  "v--", '=', "P")  /* each lane of .lane truncated to half its size, into the low half; high half 0 */ \
	_(NARROWUS,"v--", '=', "P")  /* unsigned to unsigned, saturating */ \
	_(NARROWSS,"v--", '=', "P")  /* signed to signed, saturating */ \
	_(NARROWSU,"v--", '=', "P")  /* signed to unsigned, saturating */ \
	_(PADD,    "vv-", '=', "P")  /* pairwise: sums of neighbours of a, then of b */ \
	_(PMINU,   "vv-", '=', "P") \
	_(PMINS,   "vv-", '=', "P") \
	_(PMAXU,   "vv-", '=', "P") \
	_(PMAXS,   "vv-", '=', "P") \
	_(PADDWU,  "v--", '=', "P")  /* neighbours of .lane widened and added: half as many lanes of twice the size */ \
	_(PADDWS,  "v--", '=', "P") \
	_(REDADD,  "v--", 't', "P")  /* sum of all lanes, truncated to .lane, zero-extended to .type (scalar) */ \
	_(REDMINU, "v--", 't', "P") \
	_(REDMINS, "v--", 't', "P")  /* result: the lane's bits zero-extended */ \
	_(REDMAXU, "v--", 't', "P") \
	_(REDMAXS, "v--", 't', "P") \
	_(VBITS,   "v--", 't', "P")  /* bit i of the result, an integer = the top bit of lane i; as many bits as lanes at least */ \
	/* ---- vectors: lanewise arithmetic ---- */ \
	_(VEQ,     "vv-", '=', "P")  /* all ones where true */ \
	_(VGTU,    "vv-", '=', "P") \
	_(VGTS,    "vv-", '=', "P") \
	_(VGEU,    "vv-", '=', "P") \
	_(VGES,    "vv-", '=', "P") \
	_(VTST,    "vv-", '=', "P")  /* (a & b) != 0 */ \
	_(QADDU,   "vv-", '=', "P")  /* saturating; where saturation is recorded, compare with the plain result */ \
	_(QADDS,   "vv-", '=', "P") \
	_(QSUBU,   "vv-", '=', "P") \
	_(QSUBS,   "vv-", '=', "P") \
	_(QADDUS,  "vv-", '=', "P")  /* unsigned a + signed b, to unsigned (USQADD) */ \
	_(QADDSU,  "vv-", '=', "P")  /* signed a + unsigned b, to signed (SUQADD) */ \
	_(QDMULH,  "vv-", '=', "P")  /* high half of 2*a*b, signed, saturating */ \
	_(QRDMULH, "vv-", '=', "P")  /* the same, rounded */ \
	_(QRDMLAH, "vvv", '=', "P")  /* sat((a << n) + 2*b*c + round) high half (FEAT_RDM) */ \
	_(QRDMLSH, "vvv", '=', "P") \
	_(HADDU,   "vv-", '=', "P")  /* (a + b) >> 1 without overflow */ \
	_(HADDS,   "vv-", '=', "P") \
	_(RHADDU,  "vv-", '=', "P")  /* (a + b + 1) >> 1 */ \
	_(RHADDS,  "vv-", '=', "P") \
	_(HSUBU,   "vv-", '=', "P") \
	_(HSUBS,   "vv-", '=', "P") \
	_(ABDU,    "vv-", '=', "P")  /* |a - b| */ \
	_(ABDS,    "vv-", '=', "P") \
	_(SHLVU,   "vv-", '=', "P")  /* by the signed low byte of b's lane: left, or right when negative (USHL) */ \
	_(SHLVS,   "vv-", '=', "P")  /* SSHL */ \
	_(RSHLVU,  "vv-", '=', "P")  /* rounding (URSHL) */ \
	_(RSHLVS,  "vv-", '=', "P") \
	_(QSHLVU,  "vv-", '=', "P")  /* saturating (UQSHL) */ \
	_(QSHLVS,  "vv-", '=', "P") \
	_(QSHLVSU, "vv-", '=', "P")  /* signed to unsigned (SQSHLU) */ \
	_(QRSHLVU, "vv-", '=', "P") \
	_(QRSHLVS, "vv-", '=', "P") \
	_(RSHRU,   "v--", '=', "P")  /* by imm, 1..width, rounding */ \
	_(RSHRS,   "v--", '=', "P") \
	_(SLI,     "vv-", '=', "P")  /* b << imm inserted into a */ \
	_(SRI,     "vv-", '=', "P")  /* b >> imm inserted into a, imm 1..width */ \
	_(MULLU,   "vv-", '=', "P")  /* low halves, .lane widened, multiplied: lanes of twice the size; imm 1: high halves */ \
	_(MULLS,   "vv-", '=', "P") \
	_(DOTU,    "vvv", '=', "P")  /* a (i32 lanes) + dot of four bytes of b and c, unsigned by unsigned */ \
	_(DOTS,    "vvv", '=', "P") \
	_(DOTUS,   "vvv", '=', "P")  /* b unsigned, c signed */ \
	_(MMLAU,   "vvv", '=', "P")  /* a (2x2 i32) + b (2x8 bytes) times c (2x8) transposed (FEAT_I8MM) */ \
	_(MMLAS,   "vvv", '=', "P") \
	_(MMLAUS,  "vvv", '=', "P") \
	/* ---- floating point; region->fp holds the rules. Rounding, where an operation rounds: imm low byte = enum fp_round; 0, FP_ROUND_CTL, unless the instruction says otherwise ---- */ \
	_(FADD,    "vv-", '=', "F") \
	_(FSUB,    "vv-", '=', "F") \
	_(FMUL,    "vv-", '=', "F") \
	_(FDIV,    "vv-", '=', "F") \
	_(FSQRT,   "v--", '=', "F") \
	_(FREM,    "vv-", '=', "F")  /* IEEE remainder */ \
	_(FMA,     "vvv", '=', "F")  /* a * b + c, one rounding; imm bit 8: negate the product, bit 9: negate c, bit 10: negate the result (after rounding) */ \
	_(FNEG,    "v--", '=', "P")  /* the sign bit alone */ \
	_(FABS,    "v--", '=', "P") \
	_(FCOPYSIGN,"vv-",'=', "P")  /* magnitude of a, sign of b; imm 1: sign inverted; 2: sign of a xor b */ \
	_(FMIN,    "vv-", '=', "F")  /* imm bits 8..15: enum fp_minmax of float.h (Arm, IEEE 2008, IEEE 2019, x86), without FP_MM_MIN */ \
	_(FMAX,    "vv-", '=', "F") \
	_(FMULX,   "vv-", '=', "F")  /* Arm: 0 * inf = 2 with the signs' sign */ \
	_(FRECPE,  "v--", '=', "F")  /* Arm's estimates and steps */ \
	_(FRSQRTE, "v--", '=', "F") \
	_(FRECPS,  "vv-", '=', "F") \
	_(FRSQRTS, "vv-", '=', "F") \
	_(FRECPX,  "v--", '=', "F") \
	_(URECPE,  "v--", '=', "P")  /* i32 lanes */ \
	_(URSQRTE, "v--", '=', "P") \
	_(FRINT,   "v--", '=', "F")  /* to an integral value; imm bit 8: raise inexact; bits 9..10: 1 FRINT32, 2 FRINT64 (out of range gives MIN) */ \
	_(FCVT,    "v--", 't', "F")  /* float to float, scalar. Vectors: .lane is the source's type; imm byte 2 (bits 16..23) = the result lane's type; widening takes the low half (imm bit 8: high), narrowing fills the low half, zero above */ \
	_(FTOI,    "v--", 't', "F")  /* float to signed integer, by the guest's rule for what does not fit; imm: rounding, bits 16..23 fraction bits (fixed point). Vectors: lanes of the same size, .lane is the integer's type */ \
	_(FTOU,    "v--", 't', "F") \
	_(ITOF,    "v--", 't', "F")  /* signed integer to float, likewise; vectors: .lane is the integer's type */ \
	_(UTOF,    "v--", 't', "F") \
	_(FJCVT,   "v--", 't', "F")  /* JavaScript's double to i32; the exactness is bit 32 of the i64 result (1 = exact, not -0) */ \
	_(FEQ,     "vv-", '1', "F")  /* scalars: i1, quiet */ \
	_(FLT,     "vv-", '1', "F")  /* signalling */ \
	_(FLE,     "vv-", '1', "F") \
	_(FUNORD,  "vv-", '1', "F")  /* quiet */ \
	_(VFEQ,    "vv-", '=', "F")  /* vectors: masks */ \
	_(VFGT,    "vv-", '=', "F") \
	_(VFGE,    "vv-", '=', "F") \
	_(VFPADD,  "vv-", '=', "F")  /* pairwise, as PADD */ \
	_(VFPMIN,  "vv-", '=', "F")  /* imm as FMIN */ \
	_(VFPMAX,  "vv-", '=', "F") \
	_(FBOX,    "v--", 't', "P")  /* a narrower float in the low bits of a wider one, ones above (NaN boxing) */ \
	_(FUNBOX,  "v--", 't', "P")  /* the narrower float in the low bits of a; the default NaN when the bits above are not all ones */ \
	_(FCLASS,  "v--", 't', "P")  /* RISC-V's ten classes as a bit mask */ \
	_(FCMLA,   "vvv", '=', "F")  /* a + complex b times c; imm bits 8..9: rotation / 90 */ \
	_(FCADD,   "vv-", '=', "F")  /* imm bit 8: rotation 270 (else 90) */ \
	_(FMLAL,   "vvv", '=', "F")  /* a (f32 lanes) + f16 lanes of b and c widened; imm bit 8: high halves, bit 9: subtract */ \
	_(BFDOT,   "vvv", '=', "F")  /* FEAT_BF16: a (f32 lanes) + two products each of bf16 lanes of b and c; imm bit 8: with the rounding of FPCR.EBF */ \
	_(BFMMLA,  "vvv", '=', "F")  /* imm as BFDOT */ \
	_(BFMLAL,  "vvv", '=', "F")  /* imm bit 8: top (odd) elements */ \
	_(FPFLAGS, "---", 't', "S")  /* i32: the sticky flags as FP_* bits */ \
	_(SETFPFLAGS,"v--",'-', "S") \
	_(UNRAISE, "vvv", '-', "S")  /* SETFPFLAGS a where b or c (f16, f32, f64) is a NaN: takes back what a comparison of those has raised since */ \
	/* ---- cryptography, checksums ---- */ \
	_(CLMUL,   "vv-", '=', "P")  /* scalars of 8 to 64 bits: low half of the carry-less product */ \
	_(CLMULH,  "vv-", '=', "P") \
	_(PMULL,   "vv-", '=', "P")  /* .lane i64: imm bit 0 half of a, bit 1 half of b -> 128 bits; .lane i8: low halves (imm 3: high) -> 8 lanes of 16 bits */ \
	_(PMUL,    "vv-", '=', "P")  /* bytes, low byte of the carry-less product */ \
	_(CRC32,   "vv-", 't', "P")  /* a: i32 sum, b: i8..i64 data, reflected, no inversions; imm: polynomial 0 = 0x04c11db7, 1 = 0x1edc6f41 */ \
	_(AESE,    "vv-", '=', "P")  /* Arm: ShiftRows, SubBytes of a ^ b */ \
	_(AESD,    "vv-", '=', "P") \
	_(AESMC,   "v--", '=', "P") \
	_(AESIMC,  "v--", '=', "P") \
	_(SHA1C,   "vvv", '=', "P")  /* Arm's operand order throughout: a = Qd, b = Qn or Sn (low 32 bits), c = Vm */ \
	_(SHA1P,   "vvv", '=', "P") \
	_(SHA1M,   "vvv", '=', "P") \
	_(SHA1H,   "v--", '=', "P") \
	_(SHA1SU0, "vvv", '=', "P") \
	_(SHA1SU1, "vv-", '=', "P") \
	_(SHA256H, "vvv", '=', "P") \
	_(SHA256H2,"vvv", '=', "P") \
	_(SHA256SU0,"vv-",'=', "P") \
	_(SHA256SU1,"vvv",'=', "P") \
	_(SHA512H, "vvv", '=', "P") \
	_(SHA512H2,"vvv", '=', "P") \
	_(SHA512SU0,"vv-",'=', "P") \
	_(SHA512SU1,"vvv",'=', "P") \
	_(SM3PARTW1,"vvv",'=', "P") \
	_(SM3PARTW2,"vvv",'=', "P") \
	_(SM3SS1,  "vvv", '=', "P")  /* a = Vn, b = Vm, c = Va */ \
	_(SM3TT,   "vvv", '=', "P")  /* imm: index | kind << 2, kind 0..3 = TT1A TT1B TT2A TT2B */ \
	_(SM4E,    "vv-", '=', "P") \
	_(SM4EKEY, "vv-", '=', "P")  /* a = Vn, b = Vm */ \
	_(BITPERM, "v--", '=', "P")  /* i32/i64 scalar permutations and S-boxes of RISC-V's scalar cryptography; imm: enum ir_bitperm */ \
	/* ---- calls into C ---- */ \
	_(ARGS,    "vvv", '-', "")   /* three more arguments of the CALL that follows (4th to 6th) */ \
	_(CALL,    "vvv", 't', "S")  /* imm: struct ir_helper *; missing arguments are IR_NONE; effects by the helper's declaration */ \
	/* ---- ends of blocks ---- */ \
	_(BR,      "k--", '-', "E")  \
	_(BRC,     "vkk", '-', "E")  /* a (i1): to block b if true, else to c; imm: likelihood hint 0 unknown, 1 b likely, 2 c likely */ \
	_(JUMP,    "---", '-', "EX") /* to the guest address imm */ \
	_(JUMPI,   "v--", '-', "EX") /* to the address a (i32/i64) */ \
	_(GOSUB,   "-l-", '-', "EX") /* call of imm; b literal: length of the call, return address = pc of the last INSN + b. The link register is set by SET as usual: this only predicts */ \
	_(GOSUBI,  "vl-", '-', "EX") \
	_(RETURN,  "v--", '-', "EX") /* return to address a: predicted by the last GOSUB */ \
	_(RAISE,   "vl-", '-', "EX") /* guest event b (enum ir_event or the guest's own), argument a (or IR_NONE), pc = imm when control comes back */
/* clang-format on */
