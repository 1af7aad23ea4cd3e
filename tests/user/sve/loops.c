/*
 * Plain C in loops that a compiler makes vector code of: each is run over random numbers in many lengths, and what it leaves is printed as a sum.
 * Compiled for the host too, whose sums are the right ones: nothing in here is undefined, rounded at the compiler's choice or a NaN.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#define SEED 1
#include "sums.h"

/* clang-format off */

enum { MOST = 300 };
/* Operands of every type; a count beyond the end of what is used shows stores where none belong. */
#define TYPES(_) \
	_(i8, int8_t) _(u8, uint8_t) _(i16, int16_t) _(u16, uint16_t) _(i32, int32_t) _(u32, uint32_t) _(i64, int64_t) _(u64, uint64_t) \
	_(f32, float) _(f64, double)
#define _(t, c) static c t##_a[MOST], t##_b[MOST], t##_c[MOST], t##_d[MOST * 4];
TYPES(_)
#undef _

static void fill(void)
{
#define _(t, c) \
	for (int i = 0; i < MOST; i++) { \
		uint64_t x = rnd(), y = rnd(), z = rnd(); \
		t##_a[i] = (c)(int32_t)x; \
		t##_b[i] = (c)((int32_t)y | 1); \
		t##_c[i] = (c)(int32_t)(z % 5 ? z : x); \
	} \
	memset(t##_d, 0x5a, sizeof(t##_d));
	TYPES(_)
#undef _
	for (int i = 0; i < MOST; i++) {
		f32_a[i] = (float)(int32_t)rnd() / 65536, f32_b[i] = (float)(int32_t)(rnd() | 1) / 4096;
		f64_a[i] = (double)(int64_t)rnd() / 1e12, f64_b[i] = (double)(int64_t)(rnd() | 1) / 1e9;
	}
}

#define EACH for (int i = 0; i < n; i++)
#define KERNEL(name) static __attribute__((noinline)) void name(int n)

/* One of each over all integer types. */
#define INTEGER(t, c, u) \
	KERNEL(t##_arithmetic) { EACH t##_d[i] = (c)((u)t##_a[i] + (u)t##_b[i] * (u)t##_c[i] - (u)(t##_a[i] ^ t##_c[i])); } \
	KERNEL(t##_logic) { EACH t##_d[i] = (c)((t##_a[i] & t##_b[i]) | (~t##_a[i] & t##_c[i])); } \
	KERNEL(t##_shift) { EACH t##_d[i] = (c)((u)((u)t##_a[i] << (t##_b[i] & (sizeof(c) * 8 - 1))) ^ (u)(t##_c[i] >> (t##_a[i] & (sizeof(c) * 8 - 1)))); } \
	KERNEL(t##_shift_by_constants) { EACH t##_d[i] = (c)((u)((u)t##_a[i] << 3) ^ (u)(t##_c[i] >> (sizeof(c) * 8 - 3)) ^ (u)(t##_b[i] / 8)); } \
	KERNEL(t##_choice) { EACH if (t##_a[i] > t##_b[i]) t##_d[i] = t##_c[i]; else if (t##_a[i] != t##_c[i]) t##_d[i] = (c)((u)t##_a[i] + 1); } \
	KERNEL(t##_extremes) { EACH { c m = t##_a[i] < t##_b[i] ? t##_a[i] : t##_b[i]; t##_d[i] = m > t##_c[i] ? m : t##_c[i]; } } \
	KERNEL(t##_difference) { EACH t##_d[i] = t##_a[i] > t##_b[i] ? (c)((u)t##_a[i] - (u)t##_b[i]) : (c)((u)t##_b[i] - (u)t##_a[i]); } \
	KERNEL(t##_reductions) \
	{ \
		u s = 0, x = 0, o = 0, a = (u)~0ull; \
		c least = t##_a[0], most = t##_a[0]; \
		EACH s += (u)t##_a[i], x ^= (u)t##_b[i], o |= (u)t##_c[i], a &= (u)t##_b[i] | 6, least = least < t##_a[i] ? least : t##_a[i], most = most > t##_a[i] ? most : t##_a[i]; \
		c all[] = { (c)s, (c)x, (c)o, (c)a, least, most }; \
		mix(all, sizeof(all)); \
	} \
	KERNEL(t##_sum_of_some) \
	{ \
		u s = 0; \
		uint32_t count = 0; \
		EACH if (t##_a[i] > t##_c[i]) s += (u)t##_b[i], count++; \
		mix(&s, sizeof(s)), mix(&count, 4); \
	} \
	KERNEL(t##_strided) { EACH t##_d[2 * i] = t##_a[n - 1 - i], t##_d[2 * i + 1] = (c)((u)t##_b[i] + 1); } \
	KERNEL(t##_threes) { for (int i = 0; 3 * i + 2 < n; i++) t##_d[4 * i] = t##_a[3 * i + 2], t##_d[4 * i + 1] = t##_a[3 * i + 1], t##_d[4 * i + 2] = t##_b[3 * i], t##_d[4 * i + 3] = 7; } \
	KERNEL(t##_last) { c last = 0; EACH if (t##_a[i] < t##_b[i]) last = t##_c[i]; mix(&last, sizeof(last)); } \
	KERNEL(t##_counting) { EACH t##_d[i] = (c)(i * 3 + 1); }
INTEGER(i8, int8_t, uint8_t)
INTEGER(u8, uint8_t, uint8_t)
INTEGER(i16, int16_t, uint16_t)
INTEGER(u16, uint16_t, uint16_t)
INTEGER(i32, int32_t, uint32_t)
INTEGER(u32, uint32_t, uint32_t)
INTEGER(i64, int64_t, uint64_t)
INTEGER(u64, uint64_t, uint64_t)

/* Quotients, bits, gathering and scattering: of 32 and 64 bits. */
#define WIDE(t, c, u, index) \
	KERNEL(t##_quotients) { EACH t##_d[i] = t##_b[i] == (c)-1 ? 0 : t##_a[i] / t##_b[i]; } \
	KERNEL(t##_by_a_power) { EACH t##_d[i] = t##_a[i] / 16; } \
	KERNEL(t##_bits) { EACH t##_d[i] = (c)(__builtin_popcountll((u)t##_a[i]) + 3 * __builtin_clzll((uint64_t)t##_b[i] | 1)); } \
	KERNEL(t##_gather) { EACH t##_d[i] = t##_a[index[i] % MOST]; } \
	KERNEL(t##_scatter) { EACH t##_d[index[i] % MOST] = t##_a[i]; } \
	KERNEL(t##_gather_some) { EACH if (t##_c[i] > 0) t##_d[i] = t##_a[index[i] % MOST]; } \
	KERNEL(t##_gather_bytes) { EACH t##_d[i] = (c)i8_a[index[i] % MOST]; }
WIDE(i32, int32_t, uint32_t, u32_b)
WIDE(u32, uint32_t, uint32_t, u32_b)
WIDE(i64, int64_t, uint64_t, u64_b)
WIDE(u64, uint64_t, uint64_t, u64_b)

/* Between widths. */
KERNEL(widen_signed) { EACH i64_d[i] = (int64_t)i32_a[i] * i16_b[i] + i8_c[i]; }
KERNEL(widen_unsigned) { EACH u32_d[i] = (uint32_t)u16_a[i] * u8_b[i] + u8_c[i]; }
KERNEL(widen_halves) { EACH i32_d[i] = i16_a[i] * i16_b[i]; }
KERNEL(widen_bytes) { EACH i16_d[i] = (int16_t)(i8_a[i] * i8_b[i] + i8_c[i]); }
KERNEL(narrow) { EACH u8_d[i] = (uint8_t)(u32_a[i] >> 7), i16_d[i] = (int16_t)i64_a[i]; }
KERNEL(average) { EACH u8_d[i] = (uint8_t)((u8_a[i] + u8_b[i] + 1) >> 1), i16_d[i] = (int16_t)((i16_a[i] + i16_b[i]) >> 1); }
KERNEL(saturate) { EACH { int s = i16_a[i] + i16_b[i]; i16_d[i] = (int16_t)(s > 32767 ? 32767 : s < -32768 ? -32768 : s); } }
KERNEL(high_half) { EACH i32_d[i] = (int32_t)((int64_t)i32_a[i] * i32_b[i] >> 32), u16_d[i] = (uint16_t)((uint32_t)u16_a[i] * u16_b[i] >> 16); }
KERNEL(absolute) { EACH i32_d[i] = i32_a[i] < 0 ? (int32_t)-(uint32_t)i32_a[i] : i32_a[i]; }
KERNEL(dot_signed) { int32_t s = 0; EACH s = (int32_t)((uint32_t)s + (uint32_t)(i8_a[i] * i8_b[i])); mix(&s, 4); }
KERNEL(dot_unsigned) { uint32_t s = 0; EACH s += u8_a[i] * u8_b[i]; mix(&s, 4); }
KERNEL(dot_halves) { uint64_t s = 0; EACH s += (uint64_t)((int64_t)i16_a[i] * i16_b[i]); mix(&s, 8); }
KERNEL(differences) { uint32_t s = 0; EACH s += (uint32_t)(u8_a[i] > u8_b[i] ? u8_a[i] - u8_b[i] : u8_b[i] - u8_a[i]); mix(&s, 4); }
KERNEL(rotate) { EACH u32_d[i] = (u32_a[i] << 7 | u32_a[i] >> 25) ^ u32_b[i]; }
KERNEL(reverse) { EACH u32_d[i] = __builtin_bswap32(u32_a[i]), u64_d[i] = __builtin_bswap64(u64_b[i]); }
KERNEL(table) { EACH u8_d[i] = u8_b[u8_a[i]]; }

/* Floating point: sums in the order of the program. */
#define FLOATING(t, c, i, ic, root, fused, rounds) \
	KERNEL(t##_arithmetic) { for (int k = 0; k < n; k++) t##_d[k] = t##_a[k] * t##_b[k] + t##_c[k] - t##_a[k] / t##_b[k]; } \
	KERNEL(t##_fused) { for (int k = 0; k < n; k++) t##_d[k] = fused(t##_a[k], t##_b[k], t##_c[k]), t##_d[k + n] = fused(-t##_a[k], t##_b[k], -t##_c[k]); } \
	KERNEL(t##_roots) { for (int k = 0; k < n; k++) t##_d[k] = root(t##_a[k] < 0 ? -t##_a[k] : t##_a[k]); } \
	KERNEL(t##_in_order) { c s = 1; for (int k = 0; k < n; k++) s += t##_a[k] * 3; mix(&s, sizeof(s)); } \
	KERNEL(t##_in_order_some) { c s = 0; for (int k = 0; k < n; k++) if (t##_b[k] > 0) s += t##_a[k]; mix(&s, sizeof(s)); } \
	KERNEL(t##_choice) { for (int k = 0; k < n; k++) if (t##_a[k] >= t##_b[k]) t##_d[k] = -t##_c[k]; else if (t##_c[k] != 0) t##_d[k] = t##_c[k] < 0 ? -t##_c[k] : t##_c[k]; } \
	KERNEL(t##_to_integers) { for (int k = 0; k < n; k++) i##_d[k] = (ic)t##_c[k]; } \
	KERNEL(t##_from_integers) { for (int k = 0; k < n; k++) t##_d[k] = (c)i##_a[k] + (c)u##i##_b[k]; } \
	KERNEL(t##_rounded) { for (int k = 0; k < n; k++) t##_d[k] = rounds(t##_a[k]); } \
	KERNEL(t##_turned) { for (int k = 0; 2 * k + 1 < n; k++) t##_d[2 * k] = t##_a[2 * k] - t##_b[2 * k + 1], t##_d[2 * k + 1] = t##_a[2 * k + 1] + t##_b[2 * k]; } \
	KERNEL(t##_gather) { for (int k = 0; k < n; k++) t##_d[k] = t##_a[u32_b[k] % MOST] + 1; }
#define ui32_b u32_b
#define ui64_b u64_b
FLOATING(f32, float, i32, int32_t, __builtin_sqrtf, __builtin_fmaf, __builtin_truncf)
FLOATING(f64, double, i64, int64_t, __builtin_sqrt, __builtin_fma, __builtin_floor)
KERNEL(widen_floats) { EACH f64_d[i] = f32_a[i] * 2.0 + f32_b[i]; }
KERNEL(narrow_floats) { EACH f32_d[i] = (float)(f64_a[i] + f64_b[i]); }
KERNEL(floats_of_halves) { EACH f32_d[i] = i16_a[i], f64_d[i] = u32_b[i]; }

#define OF_INTEGERS(t) \
	{ #t "_arithmetic", t##_arithmetic }, { #t "_logic", t##_logic }, { #t "_shift", t##_shift }, { #t "_shift_by_constants", t##_shift_by_constants }, \
	{ #t "_choice", t##_choice }, { #t "_extremes", t##_extremes }, { #t "_difference", t##_difference }, { #t "_reductions", t##_reductions }, \
	{ #t "_sum_of_some", t##_sum_of_some }, { #t "_strided", t##_strided }, { #t "_threes", t##_threes }, { #t "_last", t##_last }, { #t "_counting", t##_counting },
#define OF_WIDE(t) \
	{ #t "_quotients", t##_quotients }, { #t "_by_a_power", t##_by_a_power }, { #t "_bits", t##_bits }, { #t "_gather", t##_gather }, { #t "_scatter", t##_scatter }, \
	{ #t "_gather_some", t##_gather_some }, { #t "_gather_bytes", t##_gather_bytes },
#define OF_FLOATING(t) \
	{ #t "_arithmetic", t##_arithmetic }, { #t "_fused", t##_fused }, { #t "_roots", t##_roots }, { #t "_in_order", t##_in_order }, { #t "_in_order_some", t##_in_order_some }, \
	{ #t "_choice", t##_choice }, { #t "_to_integers", t##_to_integers }, { #t "_from_integers", t##_from_integers }, { #t "_rounded", t##_rounded }, \
	{ #t "_turned", t##_turned }, { #t "_gather", t##_gather },
#define ONE(k) { #k, k },
static const struct {
	const char *name;
	void (*run)(int n);
} kernel[] = {
	OF_INTEGERS(i8) OF_INTEGERS(u8) OF_INTEGERS(i16) OF_INTEGERS(u16) OF_INTEGERS(i32) OF_INTEGERS(u32) OF_INTEGERS(i64) OF_INTEGERS(u64)
	OF_WIDE(i32) OF_WIDE(u32) OF_WIDE(i64) OF_WIDE(u64) OF_FLOATING(f32) OF_FLOATING(f64)
	ONE(widen_signed) ONE(widen_unsigned) ONE(widen_halves) ONE(widen_bytes) ONE(narrow) ONE(average) ONE(saturate) ONE(high_half) ONE(absolute)
	ONE(dot_signed) ONE(dot_unsigned) ONE(dot_halves) ONE(differences) ONE(rotate) ONE(reverse) ONE(table)
	ONE(widen_floats) ONE(narrow_floats) ONE(floats_of_halves)
};

int main(void)
{
	static const int lengths[] = { 1, 2, 3, 5, 8, 15, 16, 17, 31, 64, 99, 299 };
	for (size_t k = 0; k < sizeof(kernel) / sizeof(*kernel); k++) {
		sum = 0xcbf29ce484222325;
		for (size_t l = 0; l < sizeof(lengths) / sizeof(*lengths); l++) {
			fill();
			kernel[k].run(lengths[l]);
#define _(t, c) mix(t##_d, sizeof(t##_d));
			if (l % 4 == 3)
			{ TYPES(_) }
#undef _
		}
		printf("%s %016llx\n", kernel[k].name, (unsigned long long)sum);
	}
	return 0;
}
