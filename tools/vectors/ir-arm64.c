/*
 * Makes src/translate/ir/eval_vectors.inc: what Arm's instructions give for operations of the intermediate form, as rows of
 *	{ IR_op, lane, result type, literal, a, b, c, result }
 * from an arm64 CPU, or what plays one:
 *	aarch64-linux-gnu-gcc -O1 -static -march=armv8.6-a+aes+sha2+sha3+sm4 -o /tmp/v tools/vectors/ir-arm64.c
 *	qemu-aarch64 -cpu max /tmp/v >src/translate/ir/eval_vectors.inc
 * v0 to v2 hold the operands a, b, c; v0 receives the result.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint64_t state = 1;

static uint64_t next(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Random bytes, with lanes of ends of ranges and small numbers among them. */
static void fill(uint8_t *p)
{
	static const uint8_t special[] = { 0, 0xff, 0x80, 0x7f, 1, 0xfe };
	for (int i = 0; i < 16; i += 8) {
		uint64_t v = next();
		memcpy(p + i, &v, 8);
	}
	for (int i = 0; i < 16; i++) {
		uint64_t r = next();
		if (r % 3 == 0)
			p[i] = special[r / 3 % 6];
		if (r % 16 == 5 && i < 8)
			memset(p + (i & ~3), r & 16 ? 0 : 0xff, 4), p[i | 3] ^= r & 32 ? 0x80 : 0;
	}
}

static void bytes(const uint8_t *p)
{
	printf(", \"");
	for (int i = 0; i < 16; i++)
		printf("%02x", p[i]);
	printf("\"");
}

#define RUN(op, lane, type, imm, text) \
	for (int k = 0; k < 3; k++) { \
		uint8_t a[16], b[16], c[16], r[16]; \
		fill(a), fill(b), fill(c); \
		__asm__ volatile("ldr q0, [%0]\nldr q1, [%1]\nldr q2, [%2]\nldr x9, [%0]\nldr x10, [%1]\n" text "\nstr q0, [%3]" ::"r"(a), \
				 "r"(b), "r"(c), "r"(r) \
				 : "v0", "v1", "v2", "x9", "x10", "memory"); \
		printf("{ IR_" #op ", TY_" #lane ", TY_" #type ", %d", imm); \
		bytes(a), bytes(b), bytes(c), bytes(r); \
		printf(" },\n"); \
	}

#define V(op, lane, text) RUN(op, lane, V128, 0, text)
#define TWO1(op, insn, lane, t) V(op, lane, insn " v0." t ", v0." t ", v1." t)
#define ONE1(op, insn, lane, t) V(op, lane, insn " v0." t ", v0." t)
#define THREE1(op, insn, lane, t) V(op, lane, insn " v0." t ", v1." t ", v2." t)
#define BHS(m, op, insn) m(op, insn, I8, "16b") m(op, insn, I16, "8h") m(op, insn, I32, "4s")
#define BHSD(m, op, insn) BHS(m, op, insn) m(op, insn, I64, "2d")
#define HS(m, op, insn) m(op, insn, I16, "8h") m(op, insn, I32, "4s")
#define RSHR(op, insn, lane, t, n) RUN(op, lane, V128, n, insn " v0." t ", v0." t ", #" #n)
#define INS(op, insn, lane, t, n) RUN(op, lane, V128, n, insn " v0." t ", v1." t ", #" #n)
#define WIDE(op, insn, args, lane, w, l, h) \
	RUN(op, lane, V128, 0, insn " v0." w ", v0." l args(l)) RUN(op, lane, V128, 1, insn "2 v0." w ", v0." h args(h))
#define SHLL0(t) ", #0"
#define MULLB(t) ", v1." t
#define WIDEN(op, insn, args) \
	WIDE(op, insn, args, I8, "8h", "8b", "16b") WIDE(op, insn, args, I16, "4s", "4h", "8h") WIDE(op, insn, args, I32, "2d", "2s", "4s")
#define NARROW(op, insn) \
	V(op, I16, insn " v0.8b, v0.8h") V(op, I32, insn " v0.4h, v0.4s") V(op, I64, insn " v0.2s, v0.2d")
#define PAIRW(op, insn) \
	V(op, I8, insn " v0.8h, v0.16b") V(op, I16, insn " v0.4s, v0.8h") V(op, I32, insn " v0.2d, v0.4s")
#define RED(op, insn) \
	RUN(op, I8, I64, 0, insn " b0, v0.16b") RUN(op, I16, I64, 0, insn " h0, v0.8h") RUN(op, I32, I64, 0, insn " s0, v0.4s")
#define CRC(imm, text) RUN(CRC32, VOID, I32, imm, text "\nfmov s0, w9")

int main(void)
{
	BHSD(TWO1, ADD, "add") BHSD(TWO1, SUB, "sub") BHS(TWO1, MUL, "mul") BHSD(ONE1, NEG, "neg") BHSD(ONE1, ABS, "abs")
	ONE1(NOT, "not", I8, "16b") TWO1(AND, "and", I8, "16b") TWO1(OR, "orr", I8, "16b") TWO1(XOR, "eor", I8, "16b")
	TWO1(ANDN, "bic", I8, "16b") BHS(ONE1, CLZ, "clz") BHS(ONE1, CLS, "cls") ONE1(POPCNT, "cnt", I8, "16b")
	ONE1(BITREV, "rbit", I8, "16b") ONE1(BSWAP, "rev16", I16, "16b") ONE1(BSWAP, "rev32", I32, "16b") ONE1(BSWAP, "rev64", I64, "16b")
	BHS(TWO1, MINU, "umin") BHS(TWO1, MINS, "smin") BHS(TWO1, MAXU, "umax") BHS(TWO1, MAXS, "smax")
	V(BSL, I8, "bsl v0.16b, v1.16b, v2.16b") V(TBL, I8, "movi v3.16b, #31\nand v1.16b, v1.16b, v3.16b\nstr q1, [%1]\ntbl v0.16b, {v0.16b}, v1.16b")
	BHSD(TWO1, PADD, "addp") BHS(TWO1, PMINU, "uminp") BHS(TWO1, PMINS, "sminp") BHS(TWO1, PMAXU, "umaxp") BHS(TWO1, PMAXS, "smaxp")
	PAIRW(PADDWU, "uaddlp") PAIRW(PADDWS, "saddlp")
	RED(REDADD, "addv") RED(REDMINU, "uminv") RED(REDMINS, "sminv") RED(REDMAXU, "umaxv") RED(REDMAXS, "smaxv")
	BHSD(TWO1, VEQ, "cmeq") BHSD(TWO1, VGTU, "cmhi") BHSD(TWO1, VGTS, "cmgt") BHSD(TWO1, VGEU, "cmhs") BHSD(TWO1, VGES, "cmge")
	BHSD(TWO1, VTST, "cmtst") BHSD(TWO1, QADDU, "uqadd") BHSD(TWO1, QADDS, "sqadd") BHSD(TWO1, QSUBU, "uqsub") BHSD(TWO1, QSUBS, "sqsub")
#define ACC1(op, insn, lane, t) V(op, lane, insn " v0." t ", v1." t)
	BHSD(ACC1, QADDUS, "usqadd") BHSD(ACC1, QADDSU, "suqadd")
	HS(TWO1, QDMULH, "sqdmulh") HS(TWO1, QRDMULH, "sqrdmulh") HS(THREE1, QRDMLAH, "sqrdmlah") HS(THREE1, QRDMLSH, "sqrdmlsh")
	BHS(TWO1, HADDU, "uhadd") BHS(TWO1, HADDS, "shadd") BHS(TWO1, RHADDU, "urhadd") BHS(TWO1, RHADDS, "srhadd")
	BHS(TWO1, HSUBU, "uhsub") BHS(TWO1, HSUBS, "shsub") BHS(TWO1, ABDU, "uabd") BHS(TWO1, ABDS, "sabd")
	BHSD(TWO1, SHLVU, "ushl") BHSD(TWO1, SHLVS, "sshl") BHSD(TWO1, RSHLVU, "urshl") BHSD(TWO1, RSHLVS, "srshl")
	BHSD(TWO1, QSHLVU, "uqshl") BHSD(TWO1, QSHLVS, "sqshl") BHSD(TWO1, QRSHLVU, "uqrshl") BHSD(TWO1, QRSHLVS, "sqrshl")
	V(QSHLVSU, I8, "movi v1.16b, #3\nstr q1, [%1]\nsqshlu v0.16b, v0.16b, #3")
	V(QSHLVSU, I16, "movi v1.8h, #9\nstr q1, [%1]\nsqshlu v0.8h, v0.8h, #9")
	V(QSHLVSU, I32, "movi v1.4s, #21\nstr q1, [%1]\nsqshlu v0.4s, v0.4s, #21")
	V(QSHLVSU, I64, "movi v1.16b, #1\nstr q1, [%1]\nsqshlu v0.2d, v0.2d, #1")
	RSHR(RSHRU, "urshr", I8, "16b", 1) RSHR(RSHRU, "urshr", I8, "16b", 8) RSHR(RSHRU, "urshr", I16, "8h", 5) RSHR(RSHRU, "urshr", I32, "4s", 32)
	RSHR(RSHRU, "urshr", I64, "2d", 64) RSHR(RSHRU, "urshr", I64, "2d", 17) RSHR(RSHRS, "srshr", I8, "16b", 3) RSHR(RSHRS, "srshr", I16, "8h", 16)
	RSHR(RSHRS, "srshr", I32, "4s", 7) RSHR(RSHRS, "srshr", I64, "2d", 64) RSHR(RSHRS, "srshr", I64, "2d", 1)
	INS(SLI, "sli", I8, "16b", 3) INS(SLI, "sli", I16, "8h", 0) INS(SLI, "sli", I32, "4s", 31) INS(SLI, "sli", I64, "2d", 33)
	INS(SRI, "sri", I8, "16b", 8) INS(SRI, "sri", I16, "8h", 1) INS(SRI, "sri", I32, "4s", 13) INS(SRI, "sri", I64, "2d", 64) INS(SRI, "sri", I64, "2d", 40)
	WIDEN(WIDENU, "ushll", SHLL0) WIDEN(WIDENS, "sshll", SHLL0) WIDEN(MULLU, "umull", MULLB) WIDEN(MULLS, "smull", MULLB)
	NARROW(NARROW, "xtn") NARROW(NARROWUS, "uqxtn") NARROW(NARROWSS, "sqxtn") NARROW(NARROWSU, "sqxtun")
	V(DOTU, I32, "udot v0.4s, v1.16b, v2.16b") V(DOTS, I32, "sdot v0.4s, v1.16b, v2.16b") V(DOTUS, I32, "usdot v0.4s, v1.16b, v2.16b")
	V(MMLAU, I32, "ummla v0.4s, v1.16b, v2.16b") V(MMLAS, I32, "smmla v0.4s, v1.16b, v2.16b") V(MMLAUS, I32, "usmmla v0.4s, v1.16b, v2.16b")
	RUN(PMULL, I64, V128, 0, "pmull v0.1q, v0.1d, v1.1d") RUN(PMULL, I64, V128, 3, "pmull2 v0.1q, v0.2d, v1.2d")
	RUN(PMULL, I8, V128, 0, "pmull v0.8h, v0.8b, v1.8b") RUN(PMULL, I8, V128, 3, "pmull2 v0.8h, v0.16b, v1.16b")
	V(PMUL, I8, "pmul v0.16b, v0.16b, v1.16b")
	CRC(0, "crc32x w9, w9, x10") CRC(1, "crc32cx w9, w9, x10")
	V(AESE, VOID, "aese v0.16b, v1.16b") V(AESD, VOID, "aesd v0.16b, v1.16b") V(AESMC, VOID, "aesmc v0.16b, v0.16b") V(AESIMC, VOID, "aesimc v0.16b, v0.16b")
	V(SHA1C, VOID, "sha1c q0, s1, v2.4s") V(SHA1P, VOID, "sha1p q0, s1, v2.4s") V(SHA1M, VOID, "sha1m q0, s1, v2.4s")
	V(SHA1H, VOID, "sha1h s0, s0") V(SHA1SU0, VOID, "sha1su0 v0.4s, v1.4s, v2.4s") V(SHA1SU1, VOID, "sha1su1 v0.4s, v1.4s")
	V(SHA256H, VOID, "sha256h q0, q1, v2.4s") V(SHA256H2, VOID, "sha256h2 q0, q1, v2.4s")
	V(SHA256SU0, VOID, "sha256su0 v0.4s, v1.4s") V(SHA256SU1, VOID, "sha256su1 v0.4s, v1.4s, v2.4s")
	V(SHA512H, VOID, "sha512h q0, q1, v2.2d") V(SHA512H2, VOID, "sha512h2 q0, q1, v2.2d")
	V(SHA512SU0, VOID, "sha512su0 v0.2d, v1.2d") V(SHA512SU1, VOID, "sha512su1 v0.2d, v1.2d, v2.2d")
	V(SM3PARTW1, VOID, "sm3partw1 v0.4s, v1.4s, v2.4s") V(SM3PARTW2, VOID, "sm3partw2 v0.4s, v1.4s, v2.4s")
	V(SM3SS1, VOID, "sm3ss1 v0.4s, v0.4s, v1.4s, v2.4s")
	RUN(SM3TT, VOID, V128, 0 | 0 << 2, "sm3tt1a v0.4s, v1.4s, v2.s[0]") RUN(SM3TT, VOID, V128, 1 | 1 << 2, "sm3tt1b v0.4s, v1.4s, v2.s[1]")
	RUN(SM3TT, VOID, V128, 2 | 2 << 2, "sm3tt2a v0.4s, v1.4s, v2.s[2]") RUN(SM3TT, VOID, V128, 3 | 3 << 2, "sm3tt2b v0.4s, v1.4s, v2.s[3]")
	V(SM4E, VOID, "sm4e v0.4s, v1.4s") V(SM4EKEY, VOID, "sm4ekey v0.4s, v0.4s, v1.4s")
	return 0;
}
