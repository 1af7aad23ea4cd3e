/*
 * Cases for the tests of floating point, Advanced SIMD and cryptography: instructions of a pattern and their operands, always the same ones,
 * drawn by the pattern's name. Rd, Rn, Rm, Ra are registers 0 to 3; register i of either file starts as operand i & 3.
 */
#pragma once
#include "guest/arm64/simd.h"

enum { CASES = 160, CASE_NZCV = 6 };
struct simd_case {
	u32 insn, fpcr;
	u64 in[4][2];
};

/* What an instruction left behind. */
struct simd_outcome {
	u64 v0[2], x0;
	u32 nzcv, fpsr;
};

static inline u64 case_rnd(u64 *state)
{
	*state += 0x9e3779b97f4a7c15;
	u64 x = *state;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* A lane: special values of its format, their neighbours, small integers, numbers near one, anything; bytes that often index. */
static inline u64 case_lane(u64 *state, unsigned bits)
{
	static const u64 special[3][16] = {
		{ 0, 0x3c00, 0x7c00, 0x7e00, 0x7c01, 0x7d23, 1, 0x03ff, 0x0400, 0x7bff, 0x3800, 0x3e00,
		  0x7800, 0x77ff, 0x7fff, 0x0010 },
		{ 0, 0x3f800000, 0x7f800000, 0x7fc00000, 0x7f800001, 0x7fa00123, 1, 0x007fffff, 0x00800000,
		  0x7f7fffff, 0x3f000000, 0x3fc00000, 0x4f000000, 0x5f000000, 0x477ff000, 0x33000001 },
		{ 0, 0x3ff0000000000000, 0x7ff0000000000000, 0x7ff8000000000000, 0x7ff0000000000001,
		  0x7ff4000000000123, 1, 0x000fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff,
		  0x3fe0000000000000, 0x3ff8000000000000, 0x41e0000000000000, 0x43e0000000000000,
		  0x47effffff0000000, 0x3690000000000001 },
	};
	static const u64 one[3] = { 0x3c00, 0x3f800000, 0x3ff0000000000000 };
	static const u8 short_fraction[3] = { 7, 20, 48 };
	u64 r = case_rnd(state);
	if (bits == 8)
		return r >> 63 ? r & 63 : r;
	unsigned format = bits == 16 ? 0 : bits == 32 ? 1 : 2;
	u64 sign = (r >> 40 & 1) << (bits - 1);
	switch (r >> 60) {
	case 0 ... 4:
		return special[format][r & 15] | sign;
	case 5 ... 6:
		return (special[format][r & 15] + (r >> 8 & 3)) | sign;
	case 7 ... 8:
		return (u64)(i64)(i8)r;
	case 9 ... 11:
		return (one[format] + (r & BITS(bits - 4)) - BIT(bits - 5)) | sign;
	case 12 ... 13: /* a short fraction, often an integer */
		return (one[format] + ((r & 0x1ff) << short_fraction[format])) | sign;
	default:
		return r;
	}
}

static inline void case_operand(u64 *state, u64 out[2])
{
	unsigned bits = 8u << case_rnd(state) % 4;
	out[0] = out[1] = 0;
	for (unsigned at = 0; at < 128; at += bits) {
		u64 lane = case_lane(state, bits);
		out[at / 64] |= (bits == 64 ? lane : lane & BITS(bits)) << at % 64;
	}
}

/* Where the state of a pattern's cases starts. */
static inline u64 case_seed(const char *name)
{
	u64 h = 0xcbf29ce484222325;
	for (; *name; name++)
		h = (h ^ (u8)*name) * 0x100000001b3;
	return h;
}

static inline u32 case_registers(const struct insn_pattern *p, u32 word)
{
	static const char *const names[] = { "Rd", "Rn", "Rm", "Ra" };
	for (unsigned i = 0; i < p->n_fields; i++)
		for (unsigned k = 0; k < LEN(names); k++)
			if (strcmp(p->fields[i].name, names[k]) == 0)
				word = (word & ~(u32)(BITS(p->fields[i].width) << p->fields[i].lo)) |
				       k << p->fields[i].lo;
	return word;
}

/* The next case of the group's pattern n. */
static inline void case_next(u64 *state, const struct insn_group *g, u32 n, struct simd_case *out)
{
	const struct insn_pattern *p = &g->patterns[n];
	u64 r;
	do {
		r = case_rnd(state);
		out->insn = case_registers(p, ((u32)r & ~p->mask) | p->value);
	} while (g->find(NULL, out->insn) != (int)n);
	out->fpcr = (r >> 32 & 1 ? 0 : (u32)(r >> 33) & KEY_FPCR);
	for (unsigned i = 0; i < 4; i++)
		case_operand(state, out->in[i]);
}

static inline u64 case_hash(u64 hash, const struct simd_outcome *o)
{
	u64 words[] = { o->v0[0], o->v0[1], o->x0, (u64)o->nzcv << 32 | o->fpsr };
	for (unsigned i = 0; i < LEN(words); i++) {
		hash ^= words[i];
		case_rnd(&hash);
		hash = hash << 29 | hash >> 35;
		hash *= 0x100000001b3;
	}
	return hash;
}
