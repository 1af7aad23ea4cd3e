/* Hashes of bytes for tables and for telling contents apart. Not for secrets: who chooses the bytes can make two alike. */
#pragma once
#include "base/base.h"

/* 64 bits from any number of bytes; the same on every machine of the same byte order. */
u64 hash_bytes(const void *bytes, size_t len, u64 seed);
/* 64 bits from two numbers. */
static inline u64 hash_pair(u64 a, u64 b)
{
	u128 p = (u128)(a ^ 0x9e3779b97f4a7c15ull) * (b ^ 0xd6e8feb86659fd93ull);
	return ((u64)p ^ (u64)(p >> 64)) * 0x9fb21c651e98df25ull;
}
