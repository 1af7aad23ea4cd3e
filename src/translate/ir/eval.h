/* Inside the evaluator (eval*.c): values as numbers and lanes, and its parts by section of ops.h. */
#pragma once
#include "translate/ir/ir.h"

/* The value's bits as a number: scalars of every type, flags, vectors of 128 bits. */
static inline u128 val_num(const union ir_val *v, enum ir_type type)
{
	switch (ir_type_size(type)) {
	case 1:
		return type == TY_I1 ? v->b[0] & 1 : v->b[0];
	case 2:
		return v->h[0];
	case 4:
		return v->w;
	case 8:
		return v->u;
	case 10:
		return f80_bits(v->x);
	case 16:
		if (ir_is_vector(type))
			return ld_le64(v->b) | (u128)ld_le64(v->b + 8) << 64;
		return v->q;
	}
	return 0;
}

/* Writes the low bits of n as a value of that type; all 16 bytes of ret, the rest zero. */
static inline void val_put(union ir_val *ret, enum ir_type type, u128 n)
{
	unsigned unused = type == TY_I1 ? 127 : 128 - ir_type_size(type) * 8;
	n = n << unused >> unused;
	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) {
		ret->q = n;
		return;
	}
	ret->q = 0;
	switch (ir_type_size(type)) {
	case 1:
		ret->b[0] = n;
		return;
	case 2:
		ret->h[0] = n;
		return;
	case 4:
		ret->w = n;
		return;
	case 8:
		ret->u = n;
		return;
	case 10:
		ret->x = f80_of(n);
		return;
	}
	ret->q = n;
	if (ir_is_vector(type)) {
		st_le64(ret->b, n);
		st_le64(ret->b + 8, n >> 64);
	}
}

/* Lane i of size bytes, 1 to 8. */
static inline u64 lane_get(const union ir_val *v, unsigned size, unsigned i)
{
	switch (size) {
	case 1:
		return v->b[i];
	case 2:
		return ld_le16(v->b + 2 * i);
	case 4:
		return ld_le32(v->b + 4 * i);
	}
	return ld_le64(v->b + 8 * i);
}

static inline void lane_put(union ir_val *v, unsigned size, unsigned i, u64 n)
{
	switch (size) {
	case 1:
		v->b[i] = n;
		return;
	case 2:
		st_le16(v->b + 2 * i, n);
		return;
	case 4:
		st_le32(v->b + 4 * i, n);
		return;
	}
	st_le64(v->b + 8 * i, n);
}

/* Sign extension from w bits, 1 to 128. */
static inline i128 sext(u128 n, unsigned w)
{
	return (i128)(n << (128 - w)) >> (128 - w);
}
static inline u128 zext(u128 n, unsigned w)
{
	return n << (128 - w) >> (128 - w);
}

/* Carry-less product of two 64-bit numbers. */
u128 ir_clmul(u64 a, u64 b);

typedef void ir_eval_fn(const struct ir_region *r, const struct ir_insn *in, const union ir_val *a, const union ir_val *b,
			const union ir_val *c, union ir_val *ret);
ir_eval_fn ir_eval_int, ir_eval_flags, ir_eval_vec, ir_eval_crypto;
