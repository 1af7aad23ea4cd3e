/* Operands for the differential tools: the ends of the exponent range, runs of equal bits, near misses of earlier values. */
#pragma once
#include "translate/float/float.h"

static u64 seed = 1;
static u64 next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dull;
}

static u128 operand(enum fp_format f)
{
	static const u8 precision[] = { 11, 8, 24, 53, 64, 113 }, width[] = { 16, 16, 32, 64, 80, 128 };
	static u128 last[FP_FORMATS];
	unsigned w = width[f], p = precision[f], field = p - (f != FP_F80), eb = w - field - 1;
	u64 r = next();
	u64 max = BITS(eb), exponent;
	u128 fraction = next();
	switch (r & 7) {
	case 0:
		exponent = 0;
		break;
	case 1:
		exponent = max - (r >> 8 & 1);
		break;
	case 2:
		exponent = (r >> 8 & 63) % max;
		break;
	case 3:
		exponent = max - (r >> 8 & 63) % max;
		break;
	case 4:
	case 5:
		exponent = (max >> 1) + (r >> 8 & 127) % (max >> 1) - (max >> 2 < 64 ? max >> 2 : 64);
		break;
	default:
		exponent = r >> 8 & max;
	}
	u64 shape = r >> 40 & 15, n = (r >> 48) % field;
	if (shape < 3)
		fraction = 0;
	else if (shape < 5)
		fraction = ((u128)1 << n) - (shape & 1);
	else if (shape < 7)
		fraction = ~(((u128)1 << n) - (shape & 1));
	else if (shape == 7)
		fraction = (u128)1 << n | 1;
	fraction &= ((u128)1 << field) - 1;
	if (f == FP_F80) {
		if (exponent && (r >> 60))
			fraction |= (u128)1 << 63;
		else if (r >> 61)
			fraction &= BITS(63);
	}
	u128 v = (u128)(r >> 39 & 1) << (w - 1) | (u128)exponent << field | fraction;
	if ((r >> 4 & 15) == 0)
		v = last[f] ^ (r >> 32 & 3);
	last[f] = v;
	return v;
}

