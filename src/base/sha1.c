#include "base/sha1.h"

enum { BLOCK = 64 };

static u32 rotate(u32 x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static void add_block(u32 h[5], const u8 *p)
{
	static const u32 k[4] = { 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6 };
	u32 w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
	for (unsigned t = 0; t < 80; t++)
		w[t] = t < 16 ? ld_be32(p + t * 4) : rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
	for (unsigned t = 0; t < 80; t++) {
		u32 f = t < 20		    ? (b & c) | (~b & d)
			: t >= 40 && t < 60 ? (b & c) | (b & d) | (c & d)
					    : b ^ c ^ d;
		u32 next = rotate(a, 5) + f + e + k[t / 20] + w[t];
		e = d;
		d = c;
		c = rotate(b, 30);
		b = a;
		a = next;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

void sha1(const void *data, size_t len, u8 ret[20])
{
	u32 h[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
	const u8 *p = data;
	u8 last[2 * BLOCK] = { 0 };
	size_t left = len;
	for (; left >= BLOCK; left -= BLOCK, p += BLOCK)
		add_block(h, p);
	memcpy(last, p, left);
	last[left] = 0x80;
	size_t end = left + 9 > BLOCK ? 2 * BLOCK : BLOCK;
	st_be64(last + end - 8, (u64)len * 8);
	for (size_t at = 0; at < end; at += BLOCK)
		add_block(h, last + at);
	for (unsigned i = 0; i < 5; i++)
		st_be32(ret + i * 4, h[i]);
}
