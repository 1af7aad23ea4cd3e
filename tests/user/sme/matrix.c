/* What programs do with SME: products of matrices by outer products, transpositions, ZA kept in memory. Prints TAP; every result is computed in C as well. */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define VECTORS \
	"v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", \
	    "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", \
	    "v28", "v29", "v30", "v31"
#define SME(text) ".arch_extension sme\n.arch_extension sme-f64\n.arch_extension sme-i64\n" text
enum { TIMES = 300, DEPTH = 12 }; /* often enough for every way of translating */

static int number, bad;
static void result(int ok, const char *what)
{
	printf("%sok %d - %s\n", ok ? "" : "not ", ++number, what);
	bad |= !ok;
}

static uint32_t seed = 1;
static int small(void) /* -8 to 7: sums are exact in every format */
{
	seed = seed * 1664525u + 1013904223u;
	return (int)(seed >> 24 & 15) - 8;
}

/* 8 by 8 = the four tiles of 32 bits; a is transposed: row k has what is multiplied with row k of b. */
static void singles(const float a[DEPTH][8], const float b[DEPTH][8], float c[8][8])
{
	float(*to)[8] = c;
	long left = DEPTH;
	asm volatile(SME("smstart\n"
			 "zero {za}\n"
			 "ptrue p0.s\n"
			 "mov x9, #4\n"
			 "1: ld1w {z0.s}, p0/z, [%[a]]\n"
			 "ld1w {z1.s}, p0/z, [%[a], x9, lsl #2]\n"
			 "ld1w {z2.s}, p0/z, [%[b]]\n"
			 "ld1w {z3.s}, p0/z, [%[b], x9, lsl #2]\n"
			 "fmopa za0.s, p0/m, p0/m, z0.s, z2.s\n"
			 "fmopa za1.s, p0/m, p0/m, z0.s, z3.s\n"
			 "fmopa za2.s, p0/m, p0/m, z1.s, z2.s\n"
			 "fmopa za3.s, p0/m, p0/m, z1.s, z3.s\n"
			 "add %[a], %[a], #32\n"
			 "add %[b], %[b], #32\n"
			 "subs %[left], %[left], #1\n"
			 "b.ne 1b\n"
			 "mov w12, #0\n"
			 "2: st1w {za0h.s[w12, 0]}, p0, [%[c]]\n"
			 "st1w {za1h.s[w12, 0]}, p0, [%[c], x9, lsl #2]\n"
			 "add x10, %[c], #128\n"
			 "st1w {za2h.s[w12, 0]}, p0, [x10]\n"
			 "st1w {za3h.s[w12, 0]}, p0, [x10, x9, lsl #2]\n"
			 "add %[c], %[c], #32\n"
			 "add w12, w12, #1\n"
			 "cmp w12, #4\n"
			 "b.ne 2b\n"
			 "smstop\n")
		     : [a] "+r"(a), [b] "+r"(b), [c] "+r"(to), [left] "+r"(left)
		     :
		     : "x9", "x10", "x12", "memory", "cc", VECTORS);
}

static int singles_right(void)
{
	float a[DEPTH][8], b[DEPTH][8], c[8][8];
	for (int k = 0; k < DEPTH; k++)
		for (int i = 0; i < 8; i++) {
			a[k][i] = small();
			b[k][i] = small();
		}
	singles(a, b, c);
	for (int i = 0; i < 8; i++)
		for (int j = 0; j < 8; j++) {
			float sum = 0;
			for (int k = 0; k < DEPTH; k++)
				sum += a[k][i] * b[k][j];
			if (sum != c[i][j])
				return 0;
		}
	return 1;
}

/* One instruction on the vectors at n and m, into the tile's rows at za (all of ZA), under the predicates given by the first so many elements. */
#define OUTER(name, instruction, lanes) \
	static void name(uint8_t za[16][16], const void *n, const void *m, long rows, long columns) \
	{ \
		asm volatile( \
		    SME("smstart\n" \
			"mov w12, #0\n" \
			"mov x9, %[za]\n" \
			"1: ldr za[w12, 0], [x9]\n" \
			"add x9, x9, #16\n" \
			"add w12, w12, #1\n" \
			"cmp w12, #16\n" \
			"b.ne 1b\n" \
			"whilelt p1." lanes ", xzr, %[rows]\n" \
			"whilelt p2." lanes ", xzr, %[columns]\n" \
			"ptrue p0.b\n" \
			"ld1b {z1.b}, p0/z, [%[n]]\n" \
			"ld1b {z2.b}, p0/z, [%[m]]\n" instruction "\n" \
			"mov w12, #0\n" \
			"mov x9, %[za]\n" \
			"2: str za[w12, 5], [x9, #5, mul vl]\n" \
			"add x9, x9, #16\n" \
			"add w12, w12, #1\n" \
			"cmp w12, #11\n" \
			"b.ne 2b\n" \
			"mov w12, #16\n" \
			"mov x9, %[za]\n" \
			"3: str za[w12, 0], [x9]\n" \
			"add x9, x9, #16\n" \
			"add w12, w12, #1\n" \
			"cmp w12, #21\n" \
			"b.ne 3b\n" \
			"smstop\n") \
		    : \
		    : [za] "r"(za), [n] "r"(n), [m] "r"(m), [rows] "r"(rows), [columns] "r"(columns) \
		    : "x9", "x12", "memory", "cc", VECTORS); \
	}
OUTER(bytes, "sumopa za2.s, p1/m, p2/m, z1.b, z2.b", "b")
OUTER(shorts, "umops za5.d, p1/m, p2/m, z1.h, z2.h", "h")
OUTER(halves, "fmopa za1.s, p1/m, p2/m, z1.h, z2.h", "h")
OUTER(brains, "bfmops za3.s, p1/m, p2/m, z1.h, z2.h", "h")
OUTER(doubles, "fmops za6.d, p1/m, p2/m, z1.d, z2.d", "d")
OUTER(across, "addha za0.s, p1/m, p2/m, z1.s", "s")
OUTER(down, "addva za7.d, p1/m, p2/m, z1.d", "d")

static uint8_t za[16][16], before[16][16];
static uint8_t n_bytes[16], m_bytes[16];
static long rows, columns;
static void random_za(int elements)
{
	for (int i = 0; i < 256; i++)
		za[i / 16][i % 16] = (uint8_t)(small() * 16 + small());
	for (int i = 0; i < 16; i++) {
		n_bytes[i] = (uint8_t)(small() * 16 + small());
		m_bytes[i] = (uint8_t)(small() * 16 + small());
	}
	rows = small() & 1 ? elements : (8 + small()) % (elements + 1);
	columns = small() & 1 ? elements : (8 + small()) % (elements + 1);
	memcpy(before, za, sizeof(za));
}

static int bytes_right(void)
{
	random_za(16);
	bytes(za, n_bytes, m_bytes, rows, columns);
	for (int r = 0; r < 4; r++)
		for (int c = 0; c < 4; c++) {
			int32_t sum;
			memcpy(&sum, before[4 * r + 2] + 4 * c, 4);
			for (int k = 0; k < 4; k++)
				if (4 * r + k < rows && 4 * c + k < columns)
					sum += (int8_t)n_bytes[4 * r + k] * m_bytes[4 * c + k];
			memcpy(before[4 * r + 2] + 4 * c, &sum, 4);
		}
	return !memcmp(before, za, sizeof(za));
}

static int shorts_right(void)
{
	uint16_t n[8], m[8];
	random_za(8);
	memcpy(n, n_bytes, 16);
	memcpy(m, m_bytes, 16);
	shorts(za, n, m, rows, columns);
	for (int r = 0; r < 2; r++)
		for (int c = 0; c < 2; c++) {
			uint64_t sum;
			memcpy(&sum, before[8 * r + 5] + 8 * c, 8);
			for (int k = 0; k < 4; k++)
				if (4 * r + k < rows && 4 * c + k < columns)
					sum -= (uint64_t)n[4 * r + k] * m[4 * c + k];
			memcpy(before[8 * r + 5] + 8 * c, &sum, 8);
		}
	return !memcmp(before, za, sizeof(za));
}

/* Two-way products of small whole numbers in 16 bits, given as floats; sign 1 or -1. */
static int pairs_right(void (*run)(uint8_t[16][16], const void *, const void *, long, long), int tile,
		       int sign, uint16_t (*narrow)(float))
{
	float n[8], m[8];
	uint16_t nn[8], mm[8];
	random_za(8);
	for (int i = 0; i < 8; i++) {
		n[i] = small();
		m[i] = small();
		nn[i] = narrow(n[i]);
		mm[i] = narrow(m[i]);
	}
	for (int i = 0; i < 64; i++) {
		float f = small();
		memcpy(za[i / 4] + i % 4 * 4, &f, 4);
	}
	memcpy(before, za, sizeof(za));
	run(za, nn, mm, rows, columns);
	for (int r = 0; r < 4; r++)
		for (int c = 0; c < 4; c++) {
			float sum;
			memcpy(&sum, before[4 * r + tile] + 4 * c, 4);
			for (int k = 0; k < 2; k++)
				if (2 * r + k < rows && 2 * c + k < columns)
					sum += sign * n[2 * r + k] * m[2 * c + k];
			memcpy(before[4 * r + tile] + 4 * c, &sum, 4);
		}
	for (int i = 0; i < 64; i++) { /* a zero's sign is not compared */
		float x, y;
		memcpy(&x, za[i / 4] + i % 4 * 4, 4);
		memcpy(&y, before[i / 4] + i % 4 * 4, 4);
		if (x != y)
			return 0;
	}
	return 1;
}

static uint16_t to_half(float f)
{
	_Float16 h = (_Float16)f;
	uint16_t bits;
	memcpy(&bits, &h, 2);
	return bits;
}
static uint16_t to_brain(float f)
{
	uint32_t bits;
	memcpy(&bits, &f, 4);
	return bits >> 16;
}

static int doubles_right(void)
{
	double n[2], m[2];
	random_za(2);
	for (int i = 0; i < 2; i++) {
		n[i] = small();
		m[i] = small();
		for (int c = 0; c < 2; c++) {
			double f = small();
			memcpy(za[8 * i + 6] + 8 * c, &f, 8);
		}
	}
	memcpy(before, za, sizeof(za));
	doubles(za, n, m, rows, columns);
	for (int r = 0; r < rows; r++)
		for (int c = 0; c < columns; c++) {
			double sum;
			memcpy(&sum, before[8 * r + 6] + 8 * c, 8);
			sum -= n[r] * m[c];
			memcpy(before[8 * r + 6] + 8 * c, &sum, 8);
		}
	return !memcmp(before, za, sizeof(za));
}

static int sums_right(void)
{
	random_za(4);
	across(za, n_bytes, m_bytes, rows, columns);
	for (int r = 0; r < rows; r++)
		for (int c = 0; c < columns; c++) {
			uint32_t sum, add;
			memcpy(&sum, before[4 * r] + 4 * c, 4);
			memcpy(&add, n_bytes + 4 * c, 4);
			sum += add;
			memcpy(before[4 * r] + 4 * c, &sum, 4);
		}
	if (memcmp(before, za, sizeof(za)))
		return 0;
	random_za(2);
	down(za, n_bytes, m_bytes, rows, columns);
	for (int r = 0; r < rows; r++)
		for (int c = 0; c < columns; c++) {
			uint64_t sum, add;
			memcpy(&sum, before[8 * r + 7] + 8 * c, 8);
			memcpy(&add, n_bytes + 8 * r, 8);
			sum += add;
			memcpy(before[8 * r + 7] + 8 * c, &sum, 8);
		}
	return !memcmp(before, za, sizeof(za));
}

/* In by rows, out by columns; and the other way round by vectors. */
static int transpositions_right(void)
{
	uint8_t out[16][16], again[16][16];
	uint16_t want;
	random_za(16);
	asm volatile(SME("smstart\n"
			 "ptrue p0.b\n"
			 "mov w13, #0\n"
			 "mov x9, %[in]\n"
			 "1: ld1b {za0h.b[w13, 0]}, p0/z, [x9, xzr]\n"
			 "add x9, x9, #16\n"
			 "add w13, w13, #1\n"
			 "cmp w13, #16\n"
			 "b.ne 1b\n"
			 "mov w13, #0\n"
			 "2: st1b {za0v.b[w13, 0]}, p0, [%[out], xzr]\n"
			 "add %[out], %[out], #16\n"
			 "add w13, w13, #1\n"
			 "cmp w13, #16\n"
			 "b.ne 2b\n"
			 "mov w14, #0\n"
			 "3: ld1h {z3.h}, p0/z, [%[in]]\n"
			 "mov za1v.h[w14, 0], p0/m, z3.h\n"
			 "add %[in], %[in], #16\n"
			 "add w14, w14, #1\n"
			 "cmp w14, #8\n"
			 "b.ne 3b\n"
			 "mov w14, #8\n"
			 "mov x9, #64\n"
			 "4: mov z4.h, p0/m, za1h.h[w14, 0]\n"
			 "mov z5.h, p0/m, za1v.h[w14, 0]\n"
			 "st1h {z4.h}, p0, [%[again]]\n"
			 "st1h {z5.h}, p0, [%[again], x9, lsl #1]\n"
			 "add %[again], %[again], #16\n"
			 "add w14, w14, #1\n"
			 "cmp w14, #16\n"
			 "b.ne 4b\n"
			 "smstop\n")
		     : [in] "+r"((uint8_t *){ &za[0][0] }), [out] "+r"((uint8_t *){ &out[0][0] }),
		       [again] "+r"((uint8_t *){ &again[0][0] })
		     :
		     : "x9", "x13", "x14", "memory", "cc", VECTORS);
	for (int r = 0; r < 16; r++)
		for (int c = 0; c < 16; c++)
			if (out[r][c] != za[c][r])
				return 0;
	for (int r = 0; r < 8; r++)
		for (int c = 0; c < 8; c++) {
			memcpy(&want, za[c] + 2 * r, 2);
			if (memcmp(again[r] + 2 * c, &want, 2))
				return 0;
		}
	return !memcmp(again[8], za, 128);
}

/* Outside of streaming mode, with ZA off: undefined. */
static sigjmp_buf back;
static void undefined(int sig)
{
	siglongjmp(back, sig);
}
#define RAISES(text) \
	(sigsetjmp(back, 1) ? 1 : ({ \
		asm volatile(SME(text)::: "memory", VECTORS); \
		0; \
	}))

static int often(int (*right)(void))
{
	for (int i = 0; i < TIMES; i++)
		if (!right())
			return 0;
	return 1;
}
static int halves_right(void)
{
	return pairs_right(halves, 1, 1, to_half);
}
static int brains_right(void)
{
	return pairs_right(brains, 3, -1, to_brain);
}

int main(void)
{
	result(often(singles_right), "a product of matrices of single precision");
	result(often(bytes_right), "sums of four products of bytes, signed by unsigned");
	result(often(shorts_right), "of four products of 16 bits, subtracted");
	result(often(halves_right), "of two products of half precision");
	result(often(brains_right), "of two products of bfloat16, subtracted");
	result(often(doubles_right), "products of double precision, subtracted");
	result(often(sums_right), "sums by column and by row");
	result(often(transpositions_right), "transpositions by way of memory and of vectors");
	signal(SIGILL, undefined);
	result(RAISES("smstop\nfmopa za0.s, p0/m, p0/m, z0.s, z1.s\n"),
	       "an outer product outside of streaming mode is undefined");
	result(RAISES("smstart sm\nzero {za}\n"), "so is ZA while it is off");
	asm volatile(SME("smstop\n")::: "memory", VECTORS);
	result(!RAISES("smstart za\nzero {za0.d}\nsmstop za\n"), "ZERO wants no streaming mode");
	return bad;
}
