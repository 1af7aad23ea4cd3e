/*
 * A64: cryptography: AES, SHA-1, SHA-2, SHA-3, SM3, SM4. (Carry-less multiplication is in simd_diff.c.)
 * Manual: Arm A-profile architecture, C4.1 "Cryptographic AES", "two-register SHA", "three-register SHA", "three-register SHA 512",
 * "two-register SHA 512", "four-register", "XAR", "three-register, imm2".
 */
#include "guest/arm64/simd.h"
#include "arm64_crypto.decode.h"

#define D simd_get(t, a->Rd)
#define N simd_get(t, a->Rn)
#define M simd_get(t, a->Rm)
#define A simd_get(t, a->Ra)
#define OUT(v) v_set(t, A64_V0 + a->Rd, v)
#define OP1(op, x) OUT(v_op(t, IR_##op, TY_V128, x, 0, 0, 0))
#define OP2(op, x, y) OUT(v_op(t, IR_##op, TY_V128, x, y, 0, 0))
#define OP3(op, x, y, z) OUT(v_op(t, IR_##op, TY_V128, x, y, z, 0))
#define TT(kind) OUT(v_op(t, IR_SM3TT, TY_V128, D, N, M, a->imm | (kind) << 2))

/* clang-format off */

INSN(aese,   "010011100010100 00100 10 Rn:5 Rd:5", "aese {v2(Rd, Rn, 0, 1)}", AES) { OP2(AESE, D, N); }
INSN(aesd,   "010011100010100 00101 10 Rn:5 Rd:5", "aesd {v2(Rd, Rn, 0, 1)}", AES) { OP2(AESD, D, N); }
INSN(aesmc,  "010011100010100 00110 10 Rn:5 Rd:5", "aesmc {v2(Rd, Rn, 0, 1)}", AES) { OP1(AESMC, N); }
INSN(aesimc, "010011100010100 00111 10 Rn:5 Rd:5", "aesimc {v2(Rd, Rn, 0, 1)}", AES) { OP1(AESIMC, N); }

INSN(sha1c,     "01011110000 Rm:5 0 000 00 Rn:5 Rd:5", "sha1c {f(Rd, 4)}, {f(Rn, 2)}, {v(Rm, 2, 1)}", SHA1) { OP3(SHA1C, D, N, M); }
INSN(sha1p,     "01011110000 Rm:5 0 001 00 Rn:5 Rd:5", "sha1p {f(Rd, 4)}, {f(Rn, 2)}, {v(Rm, 2, 1)}", SHA1) { OP3(SHA1P, D, N, M); }
INSN(sha1m,     "01011110000 Rm:5 0 010 00 Rn:5 Rd:5", "sha1m {f(Rd, 4)}, {f(Rn, 2)}, {v(Rm, 2, 1)}", SHA1) { OP3(SHA1M, D, N, M); }
INSN(sha1su0,   "01011110000 Rm:5 0 011 00 Rn:5 Rd:5", "sha1su0 {v3(Rd, Rn, Rm, 2, 1)}", SHA1) { OP3(SHA1SU0, D, N, M); }
INSN(sha256h,   "01011110000 Rm:5 0 100 00 Rn:5 Rd:5", "sha256h {s2(Rd, Rn, 4)}, {v(Rm, 2, 1)}", SHA256) { OP3(SHA256H, D, N, M); }
INSN(sha256h2,  "01011110000 Rm:5 0 101 00 Rn:5 Rd:5", "sha256h2 {s2(Rd, Rn, 4)}, {v(Rm, 2, 1)}", SHA256) { OP3(SHA256H2, D, N, M); }
INSN(sha256su1, "01011110000 Rm:5 0 110 00 Rn:5 Rd:5", "sha256su1 {v3(Rd, Rn, Rm, 2, 1)}", SHA256) { OP3(SHA256SU1, D, N, M); }
INSN(sha1h,     "010111100010100 00000 10 Rn:5 Rd:5", "sha1h {s2(Rd, Rn, 2)}", SHA1) { OP1(SHA1H, N); }
INSN(sha1su1,   "010111100010100 00001 10 Rn:5 Rd:5", "sha1su1 {v2(Rd, Rn, 2, 1)}", SHA1) { OP2(SHA1SU1, D, N); }
INSN(sha256su0, "010111100010100 00010 10 Rn:5 Rd:5", "sha256su0 {v2(Rd, Rn, 2, 1)}", SHA256) { OP2(SHA256SU0, D, N); }

INSN(sha512h,   "11001110011 Rm:5 1 0 00 00 Rn:5 Rd:5", "sha512h {s2(Rd, Rn, 4)}, {v(Rm, 3, 1)}", SHA512) { OP3(SHA512H, D, N, M); }
INSN(sha512h2,  "11001110011 Rm:5 1 0 00 01 Rn:5 Rd:5", "sha512h2 {s2(Rd, Rn, 4)}, {v(Rm, 3, 1)}", SHA512) { OP3(SHA512H2, D, N, M); }
INSN(sha512su1, "11001110011 Rm:5 1 0 00 10 Rn:5 Rd:5", "sha512su1 {v3(Rd, Rn, Rm, 3, 1)}", SHA512) { OP3(SHA512SU1, D, N, M); }
INSN(sha512su0, "11001110110 00000 1000 00 Rn:5 Rd:5", "sha512su0 {v2(Rd, Rn, 3, 1)}", SHA512) { OP2(SHA512SU0, D, N); }

INSN(rax1, "11001110011 Rm:5 1 0 00 11 Rn:5 Rd:5", "rax1 {v3(Rd, Rn, Rm, 3, 1)}", SHA3) { OUT(simd_xor(t, N, simd_rotate_right(t, TY_I64, M, 63))); }
INSN(eor3, "11001110000 Rm:5 0 Ra:5 Rn:5 Rd:5", "eor3 {v3(Rd, Rn, Rm, 0, 1)}, {v(Ra, 0, 1)}", SHA3) { OUT(simd_xor(t, simd_xor(t, N, M), A)); }
INSN(bcax, "11001110001 Rm:5 0 Ra:5 Rn:5 Rd:5", "bcax {v3(Rd, Rn, Rm, 0, 1)}, {v(Ra, 0, 1)}", SHA3) { OUT(simd_xor(t, N, simd_op2(t, IR_ANDN, TY_I64, M, A))); }
INSN(xar,  "11001110100 Rm:5 imm:6 Rn:5 Rd:5", "xar {v3(Rd, Rn, Rm, 3, 1)}, {dec(imm)}", SHA3) { OUT(simd_rotate_right(t, TY_I64, simd_xor(t, N, M), a->imm)); }

INSN(sm3ss1,    "11001110010 Rm:5 0 Ra:5 Rn:5 Rd:5", "sm3ss1 {v3(Rd, Rn, Rm, 2, 1)}, {v(Ra, 2, 1)}", SM3) { OP3(SM3SS1, N, M, A); }
INSN(sm3tt1a,   "11001110010 Rm:5 10 imm:2 00 Rn:5 Rd:5", "sm3tt1a {v2(Rd, Rn, 2, 1)}, {elem(Rm, 2, imm)}", SM3) { TT(0); }
INSN(sm3tt1b,   "11001110010 Rm:5 10 imm:2 01 Rn:5 Rd:5", "sm3tt1b {v2(Rd, Rn, 2, 1)}, {elem(Rm, 2, imm)}", SM3) { TT(1); }
INSN(sm3tt2a,   "11001110010 Rm:5 10 imm:2 10 Rn:5 Rd:5", "sm3tt2a {v2(Rd, Rn, 2, 1)}, {elem(Rm, 2, imm)}", SM3) { TT(2); }
INSN(sm3tt2b,   "11001110010 Rm:5 10 imm:2 11 Rn:5 Rd:5", "sm3tt2b {v2(Rd, Rn, 2, 1)}, {elem(Rm, 2, imm)}", SM3) { TT(3); }
INSN(sm3partw1, "11001110011 Rm:5 1 1 00 00 Rn:5 Rd:5", "sm3partw1 {v3(Rd, Rn, Rm, 2, 1)}", SM3) { OP3(SM3PARTW1, D, N, M); }
INSN(sm3partw2, "11001110011 Rm:5 1 1 00 01 Rn:5 Rd:5", "sm3partw2 {v3(Rd, Rn, Rm, 2, 1)}", SM3) { OP3(SM3PARTW2, D, N, M); }
INSN(sm4ekey,   "11001110011 Rm:5 1 1 00 10 Rn:5 Rd:5", "sm4ekey {v3(Rd, Rn, Rm, 2, 1)}", SM4) { OP2(SM4EKEY, N, M); }
INSN(sm4e,      "11001110110 00000 1000 01 Rn:5 Rd:5", "sm4e {v2(Rd, Rn, 2, 1)}", SM4) { OP2(SM4E, D, N); }

/* clang-format on */
#include "arm64_crypto.decode.inc"
