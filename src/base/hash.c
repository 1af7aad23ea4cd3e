#include "base/hash.h"

static u64 fold(u64 a, u64 b)
{
	u128 p = (u128)a * b;
	return (u64)p ^ (u64)(p >> 64);
}

static u64 word(const u8 *p)
{
	u64 v;
	memcpy(&v, p, 8);
	return v;
}

/* Four lanes, each a chain of folded products, so that a processor works on all at once. */
u64 hash_bytes(const void *bytes, size_t len, u64 seed)
{
	static const u64 k[4] = { 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93, 0x9fb21c651e98df25,
				  0xc2b2ae3d27d4eb4f };
	const u8 *p = bytes;
	u64 lane[4] = { seed ^ k[0], seed ^ k[1], seed ^ k[2], seed ^ k[3] };
	size_t n = len;
	for (; n >= 64; n -= 64, p += 64)
		for (unsigned i = 0; i < 4; i++)
			lane[i] = fold(word(p + 16 * i) ^ lane[i], word(p + 16 * i + 8) ^ k[i]);
	for (; n >= 16; n -= 16, p += 16)
		lane[0] = fold(word(p) ^ lane[0], word(p + 8) ^ k[1]);
	u8 rest[16] = { 0 };
	if (n)
		memcpy(rest, p, n);
	lane[1] = fold(word(rest) ^ lane[1], word(rest + 8) ^ k[2]);
	return fold(hash_pair(lane[0], lane[1]), hash_pair(lane[2], lane[3]) ^ len);
}
