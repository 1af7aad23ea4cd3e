/*
 * Cryptography and checksums: meanings as Arm's pseudo-code (rems-project/sail-arm, arm-v9.4-a/src: instrs64.sail, v8_base.sail), that is
 * FIPS 197 (AES), FIPS 180-4 (SHA), GB/T 32905 (SM3), GB/T 32907 (SM4). Tables are those of the standards.
 */
#include "translate/ir/eval.h"

/* clang-format off */
static const u8 aes_sbox[256] = {
	0x63, 0x7c, 0x77, 0x7b, 0xf2, 0x6b, 0x6f, 0xc5, 0x30, 0x01, 0x67, 0x2b, 0xfe, 0xd7, 0xab, 0x76,
	0xca, 0x82, 0xc9, 0x7d, 0xfa, 0x59, 0x47, 0xf0, 0xad, 0xd4, 0xa2, 0xaf, 0x9c, 0xa4, 0x72, 0xc0,
	0xb7, 0xfd, 0x93, 0x26, 0x36, 0x3f, 0xf7, 0xcc, 0x34, 0xa5, 0xe5, 0xf1, 0x71, 0xd8, 0x31, 0x15,
	0x04, 0xc7, 0x23, 0xc3, 0x18, 0x96, 0x05, 0x9a, 0x07, 0x12, 0x80, 0xe2, 0xeb, 0x27, 0xb2, 0x75,
	0x09, 0x83, 0x2c, 0x1a, 0x1b, 0x6e, 0x5a, 0xa0, 0x52, 0x3b, 0xd6, 0xb3, 0x29, 0xe3, 0x2f, 0x84,
	0x53, 0xd1, 0x00, 0xed, 0x20, 0xfc, 0xb1, 0x5b, 0x6a, 0xcb, 0xbe, 0x39, 0x4a, 0x4c, 0x58, 0xcf,
	0xd0, 0xef, 0xaa, 0xfb, 0x43, 0x4d, 0x33, 0x85, 0x45, 0xf9, 0x02, 0x7f, 0x50, 0x3c, 0x9f, 0xa8,
	0x51, 0xa3, 0x40, 0x8f, 0x92, 0x9d, 0x38, 0xf5, 0xbc, 0xb6, 0xda, 0x21, 0x10, 0xff, 0xf3, 0xd2,
	0xcd, 0x0c, 0x13, 0xec, 0x5f, 0x97, 0x44, 0x17, 0xc4, 0xa7, 0x7e, 0x3d, 0x64, 0x5d, 0x19, 0x73,
	0x60, 0x81, 0x4f, 0xdc, 0x22, 0x2a, 0x90, 0x88, 0x46, 0xee, 0xb8, 0x14, 0xde, 0x5e, 0x0b, 0xdb,
	0xe0, 0x32, 0x3a, 0x0a, 0x49, 0x06, 0x24, 0x5c, 0xc2, 0xd3, 0xac, 0x62, 0x91, 0x95, 0xe4, 0x79,
	0xe7, 0xc8, 0x37, 0x6d, 0x8d, 0xd5, 0x4e, 0xa9, 0x6c, 0x56, 0xf4, 0xea, 0x65, 0x7a, 0xae, 0x08,
	0xba, 0x78, 0x25, 0x2e, 0x1c, 0xa6, 0xb4, 0xc6, 0xe8, 0xdd, 0x74, 0x1f, 0x4b, 0xbd, 0x8b, 0x8a,
	0x70, 0x3e, 0xb5, 0x66, 0x48, 0x03, 0xf6, 0x0e, 0x61, 0x35, 0x57, 0xb9, 0x86, 0xc1, 0x1d, 0x9e,
	0xe1, 0xf8, 0x98, 0x11, 0x69, 0xd9, 0x8e, 0x94, 0x9b, 0x1e, 0x87, 0xe9, 0xce, 0x55, 0x28, 0xdf,
	0x8c, 0xa1, 0x89, 0x0d, 0xbf, 0xe6, 0x42, 0x68, 0x41, 0x99, 0x2d, 0x0f, 0xb0, 0x54, 0xbb, 0x16,
};
static const u8 aes_sbox_inv[256] = {
	0x52, 0x09, 0x6a, 0xd5, 0x30, 0x36, 0xa5, 0x38, 0xbf, 0x40, 0xa3, 0x9e, 0x81, 0xf3, 0xd7, 0xfb,
	0x7c, 0xe3, 0x39, 0x82, 0x9b, 0x2f, 0xff, 0x87, 0x34, 0x8e, 0x43, 0x44, 0xc4, 0xde, 0xe9, 0xcb,
	0x54, 0x7b, 0x94, 0x32, 0xa6, 0xc2, 0x23, 0x3d, 0xee, 0x4c, 0x95, 0x0b, 0x42, 0xfa, 0xc3, 0x4e,
	0x08, 0x2e, 0xa1, 0x66, 0x28, 0xd9, 0x24, 0xb2, 0x76, 0x5b, 0xa2, 0x49, 0x6d, 0x8b, 0xd1, 0x25,
	0x72, 0xf8, 0xf6, 0x64, 0x86, 0x68, 0x98, 0x16, 0xd4, 0xa4, 0x5c, 0xcc, 0x5d, 0x65, 0xb6, 0x92,
	0x6c, 0x70, 0x48, 0x50, 0xfd, 0xed, 0xb9, 0xda, 0x5e, 0x15, 0x46, 0x57, 0xa7, 0x8d, 0x9d, 0x84,
	0x90, 0xd8, 0xab, 0x00, 0x8c, 0xbc, 0xd3, 0x0a, 0xf7, 0xe4, 0x58, 0x05, 0xb8, 0xb3, 0x45, 0x06,
	0xd0, 0x2c, 0x1e, 0x8f, 0xca, 0x3f, 0x0f, 0x02, 0xc1, 0xaf, 0xbd, 0x03, 0x01, 0x13, 0x8a, 0x6b,
	0x3a, 0x91, 0x11, 0x41, 0x4f, 0x67, 0xdc, 0xea, 0x97, 0xf2, 0xcf, 0xce, 0xf0, 0xb4, 0xe6, 0x73,
	0x96, 0xac, 0x74, 0x22, 0xe7, 0xad, 0x35, 0x85, 0xe2, 0xf9, 0x37, 0xe8, 0x1c, 0x75, 0xdf, 0x6e,
	0x47, 0xf1, 0x1a, 0x71, 0x1d, 0x29, 0xc5, 0x89, 0x6f, 0xb7, 0x62, 0x0e, 0xaa, 0x18, 0xbe, 0x1b,
	0xfc, 0x56, 0x3e, 0x4b, 0xc6, 0xd2, 0x79, 0x20, 0x9a, 0xdb, 0xc0, 0xfe, 0x78, 0xcd, 0x5a, 0xf4,
	0x1f, 0xdd, 0xa8, 0x33, 0x88, 0x07, 0xc7, 0x31, 0xb1, 0x12, 0x10, 0x59, 0x27, 0x80, 0xec, 0x5f,
	0x60, 0x51, 0x7f, 0xa9, 0x19, 0xb5, 0x4a, 0x0d, 0x2d, 0xe5, 0x7a, 0x9f, 0x93, 0xc9, 0x9c, 0xef,
	0xa0, 0xe0, 0x3b, 0x4d, 0xae, 0x2a, 0xf5, 0xb0, 0xc8, 0xeb, 0xbb, 0x3c, 0x83, 0x53, 0x99, 0x61,
	0x17, 0x2b, 0x04, 0x7e, 0xba, 0x77, 0xd6, 0x26, 0xe1, 0x69, 0x14, 0x63, 0x55, 0x21, 0x0c, 0x7d,
};
static const u8 sm4_sbox[256] = {
	0xd6, 0x90, 0xe9, 0xfe, 0xcc, 0xe1, 0x3d, 0xb7, 0x16, 0xb6, 0x14, 0xc2, 0x28, 0xfb, 0x2c, 0x05,
	0x2b, 0x67, 0x9a, 0x76, 0x2a, 0xbe, 0x04, 0xc3, 0xaa, 0x44, 0x13, 0x26, 0x49, 0x86, 0x06, 0x99,
	0x9c, 0x42, 0x50, 0xf4, 0x91, 0xef, 0x98, 0x7a, 0x33, 0x54, 0x0b, 0x43, 0xed, 0xcf, 0xac, 0x62,
	0xe4, 0xb3, 0x1c, 0xa9, 0xc9, 0x08, 0xe8, 0x95, 0x80, 0xdf, 0x94, 0xfa, 0x75, 0x8f, 0x3f, 0xa6,
	0x47, 0x07, 0xa7, 0xfc, 0xf3, 0x73, 0x17, 0xba, 0x83, 0x59, 0x3c, 0x19, 0xe6, 0x85, 0x4f, 0xa8,
	0x68, 0x6b, 0x81, 0xb2, 0x71, 0x64, 0xda, 0x8b, 0xf8, 0xeb, 0x0f, 0x4b, 0x70, 0x56, 0x9d, 0x35,
	0x1e, 0x24, 0x0e, 0x5e, 0x63, 0x58, 0xd1, 0xa2, 0x25, 0x22, 0x7c, 0x3b, 0x01, 0x21, 0x78, 0x87,
	0xd4, 0x00, 0x46, 0x57, 0x9f, 0xd3, 0x27, 0x52, 0x4c, 0x36, 0x02, 0xe7, 0xa0, 0xc4, 0xc8, 0x9e,
	0xea, 0xbf, 0x8a, 0xd2, 0x40, 0xc7, 0x38, 0xb5, 0xa3, 0xf7, 0xf2, 0xce, 0xf9, 0x61, 0x15, 0xa1,
	0xe0, 0xae, 0x5d, 0xa4, 0x9b, 0x34, 0x1a, 0x55, 0xad, 0x93, 0x32, 0x30, 0xf5, 0x8c, 0xb1, 0xe3,
	0x1d, 0xf6, 0xe2, 0x2e, 0x82, 0x66, 0xca, 0x60, 0xc0, 0x29, 0x23, 0xab, 0x0d, 0x53, 0x4e, 0x6f,
	0xd5, 0xdb, 0x37, 0x45, 0xde, 0xfd, 0x8e, 0x2f, 0x03, 0xff, 0x6a, 0x72, 0x6d, 0x6c, 0x5b, 0x51,
	0x8d, 0x1b, 0xaf, 0x92, 0xbb, 0xdd, 0xbc, 0x7f, 0x11, 0xd9, 0x5c, 0x41, 0x1f, 0x10, 0x5a, 0xd8,
	0x0a, 0xc1, 0x31, 0x88, 0xa5, 0xcd, 0x7b, 0xbd, 0x2d, 0x74, 0xd0, 0x12, 0xb8, 0xe5, 0xb4, 0xb0,
	0x89, 0x69, 0x97, 0x4a, 0x0c, 0x96, 0x77, 0x7e, 0x65, 0xb9, 0xf1, 0x09, 0xc5, 0x6e, 0xc6, 0x84,
	0x18, 0xf0, 0x7d, 0xec, 0x3a, 0xdc, 0x4d, 0x20, 0x79, 0xee, 0x5f, 0x3e, 0xd7, 0xcb, 0x39, 0x48,
};
/* clang-format on */

struct words {
	u32 w[4];
};
struct pair {
	u64 d[2];
};

static u32 rol(u32 v, unsigned n)
{
	return v << n | v >> (32 - n);
}
static u32 ror(u32 v, unsigned n)
{
	return v >> n | v << (32 - n);
}
static u64 ror64(u64 v, unsigned n)
{
	return v >> n | v << (64 - n);
}

/* ---- carry-less products, checksums ---- */

u128 ir_clmul(u64 a, u64 b)
{
	u128 sum = 0;
	for (unsigned i = 0; i < 64; i++)
		if (b >> i & 1)
			sum ^= (u128)a << i;
	return sum;
}

static void pmull(const struct ir_insn *in, const union ir_val *a, const union ir_val *b, union ir_val *ret)
{
	for (unsigned at = 0; at < ir_type_size(in->type); at += 16) {
		const union ir_val *x = (const void *)(a->b + at), *y = (const void *)(b->b + at);
		union ir_val *out = (void *)(ret->b + at);
		if (in->lane == TY_I64) {
			u128 v = ir_clmul(lane_get(x, 8, in->imm & 1), lane_get(y, 8, in->imm >> 1 & 1));
			lane_put(out, 8, 0, (u64)v);
			lane_put(out, 8, 1, (u64)(v >> 64));
		} else {
			unsigned from = in->imm == 3 ? 8 : 0;
			for (unsigned i = 0; i < 8; i++)
				lane_put(out, 2, i, (u64)ir_clmul(x->b[from + i], y->b[from + i]));
		}
	}
}

static u32 crc(u32 sum, u64 data, unsigned bytes, bool castagnoli)
{
	u32 poly = castagnoli ? 0x82f63b78 : 0xedb88320; /* bits reversed */
	for (unsigned i = 0; i < bytes; i++) {
		sum ^= (u8)(data >> 8 * i);
		for (unsigned k = 0; k < 8; k++)
			sum = sum >> 1 ^ (sum & 1 ? poly : 0);
	}
	return sum;
}

/* ---- AES ---- */

/* x times b in AES's field. */
static u8 times(u8 x, unsigned b)
{
	u8 sum = 0;
	for (; b; b >>= 1, x = x << 1 ^ (x & 0x80 ? 0x1b : 0))
		if (b & 1)
			sum ^= x;
	return sum;
}

static u32 mix_column(u32 column, bool inverse)
{
	static const u8 factor[2][4] = { { 2, 3, 1, 1 }, { 14, 11, 13, 9 } };
	u32 out = 0;
	for (unsigned i = 0; i < 4; i++)
		for (unsigned k = 0; k < 4; k++)
			out ^= (u32)times((u8)(column >> 8 * ((i + k) & 3)), factor[inverse][k]) << 8 * i;
	return out;
}

static void aes_round(const u8 *a, const u8 *b, u8 *ret, bool decrypt)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned from =
		    decrypt ? (i + 16 - 4 * (i & 3)) & 15 : (i + 4 * (i & 3)) & 15; /* ShiftRows */
		u8 v = a[from] ^ b[from];
		ret[i] = decrypt ? aes_sbox_inv[v] : aes_sbox[v];
	}
}

/* ---- SHA-1, SHA-256 ---- */

static u32 choose(u32 x, u32 y, u32 z)
{
	return ((y ^ z) & x) ^ z;
}
static u32 majority(u32 x, u32 y, u32 z)
{
	return (x & y) | ((x | y) & z);
}

static struct words sha1(enum ir_op op, struct words x, u32 y, struct words w)
{
	for (unsigned e = 0; e < 4; e++) {
		u32 t = op == IR_SHA1C	 ? choose(x.w[1], x.w[2], x.w[3])
			: op == IR_SHA1M ? majority(x.w[1], x.w[2], x.w[3])
					 : x.w[1] ^ x.w[2] ^ x.w[3];
		y += rol(x.w[0], 5) + t + w.w[e];
		u32 last = x.w[3];
		x = (struct words){ { y, x.w[0], rol(x.w[1], 30), x.w[2] } };
		y = last;
	}
	return x;
}

static struct words sha1_su0(struct words a, struct words b, struct words c)
{
	return (struct words){ { a.w[2] ^ a.w[0] ^ c.w[0], a.w[3] ^ a.w[1] ^ c.w[1], b.w[0] ^ a.w[2] ^ c.w[2],
				 b.w[1] ^ a.w[3] ^ c.w[3] } };
}

static struct words sha1_su1(struct words a, struct words b)
{
	u32 t = a.w[0] ^ b.w[1];
	return (struct words){ { rol(t, 1), rol(a.w[1] ^ b.w[2], 1), rol(a.w[2] ^ b.w[3], 1),
				 rol(a.w[3], 1) ^ rol(t, 2) } };
}

static struct words sha256(struct words x, struct words y, struct words w, bool part1)
{
	for (unsigned e = 0; e < 4; e++) {
		u32 sigma0 = ror(x.w[0], 2) ^ ror(x.w[0], 13) ^ ror(x.w[0], 22);
		u32 sigma1 = ror(y.w[0], 6) ^ ror(y.w[0], 11) ^ ror(y.w[0], 25);
		u32 t = y.w[3] + sigma1 + choose(y.w[0], y.w[1], y.w[2]) + w.w[e];
		u32 into_y = t + x.w[3], into_x = t + sigma0 + majority(x.w[0], x.w[1], x.w[2]);
		x = (struct words){ { into_x, x.w[0], x.w[1], x.w[2] } };
		y = (struct words){ { into_y, y.w[0], y.w[1], y.w[2] } };
	}
	return part1 ? x : y;
}

static struct words sha256_su0(struct words a, struct words b)
{
	const u32 t[4] = { a.w[1], a.w[2], a.w[3], b.w[0] };
	struct words out;
	for (unsigned e = 0; e < 4; e++)
		out.w[e] = (ror(t[e], 7) ^ ror(t[e], 18) ^ t[e] >> 3) + a.w[e];
	return out;
}

static struct words sha256_su1(struct words a, struct words b, struct words c)
{
	const u32 t[4] = { b.w[1], b.w[2], b.w[3], c.w[0] };
	struct words out;
	for (unsigned e = 0; e < 4; e++) {
		u32 v = e < 2 ? c.w[e + 2] : out.w[e - 2];
		out.w[e] = (ror(v, 17) ^ ror(v, 19) ^ v >> 10) + a.w[e] + t[e];
	}
	return out;
}

/* ---- SHA-512 ---- */

static struct pair sha512h(struct pair w, struct pair x, struct pair y)
{
	u64 y1 = y.d[1], high = ((y1 & x.d[0]) ^ (~y1 & x.d[1])) + w.d[1];
	high += ror64(y1, 14) ^ ror64(y1, 18) ^ ror64(y1, 41);
	u64 t = high + y.d[0], low = ((t & y1) ^ (~t & x.d[0])) + w.d[0];
	low += ror64(t, 14) ^ ror64(t, 18) ^ ror64(t, 41);
	return (struct pair){ { low, high } };
}

static u64 majority64(u64 x, u64 y, u64 z)
{
	return (x & y) ^ (x & z) ^ (y & z);
}

static struct pair sha512h2(struct pair w, struct pair x, struct pair y)
{
	u64 y0 = y.d[0], high = majority64(x.d[0], y.d[1], y0) + w.d[1];
	high += ror64(y0, 28) ^ ror64(y0, 34) ^ ror64(y0, 39);
	u64 low = majority64(high, y0, y.d[1]) + w.d[0];
	low += ror64(high, 28) ^ ror64(high, 34) ^ ror64(high, 39);
	return (struct pair){ { low, high } };
}

static struct pair sha512_su0(struct pair w, struct pair x)
{
	u64 w1 = w.d[1], x0 = x.d[0];
	return (struct pair){ { w.d[0] + (ror64(w1, 1) ^ ror64(w1, 8) ^ w1 >> 7),
				w1 + (ror64(x0, 1) ^ ror64(x0, 8) ^ x0 >> 7) } };
}

static struct pair sha512_su1(struct pair w, struct pair x, struct pair y)
{
	struct pair out;
	for (unsigned e = 0; e < 2; e++)
		out.d[e] = w.d[e] + (ror64(x.d[e], 19) ^ ror64(x.d[e], 61) ^ x.d[e] >> 6) + y.d[e];
	return out;
}

/* ---- SM3, SM4 ---- */

static struct words sm3_partw1(struct words d, struct words n, struct words m)
{
	struct words out;
	for (unsigned i = 0; i < 4; i++) {
		u32 v = d.w[i] ^ n.w[i] ^ rol(i < 3 ? m.w[i + 1] : out.w[0], 15);
		out.w[i] = v ^ rol(v, 15) ^ rol(v, 23);
	}
	return out;
}

static struct words sm3_partw2(struct words d, struct words n, struct words m)
{
	struct words out;
	for (unsigned i = 0; i < 4; i++)
		out.w[i] = d.w[i] ^ n.w[i] ^ rol(m.w[i], 7);
	u32 t = rol(n.w[0] ^ rol(m.w[0], 7), 15);
	out.w[3] ^= t ^ rol(t, 15) ^ rol(t, 23);
	return out;
}

static struct words sm3_tt(struct words d, struct words n, struct words m, unsigned index, unsigned kind)
{
	u32 x = d.w[3], y = d.w[2], z = d.w[1], w = m.w[index], t;
	switch (kind) {
	case 0: /* TT1A */
	case 2: /* TT2A */
		t = z ^ x ^ y;
		break;
	case 1: /* TT1B */
		t = majority(x, y, z);
		break;
	default: /* TT2B */
		t = choose(x, y, z);
	}
	t += d.w[0] + w + (kind < 2 ? n.w[3] ^ rol(x, 12) : n.w[3]);
	if (kind >= 2)
		t ^= rol(t, 9) ^ rol(t, 17);
	return (struct words){ { z, rol(y, kind < 2 ? 9 : 19), x, t } };
}

static u32 substitute(u32 v, const u8 *box)
{
	return (u32)box[v & 255] | (u32)box[v >> 8 & 255] << 8 | (u32)box[v >> 16 & 255] << 16 |
	       (u32)box[v >> 24] << 24;
}

static struct words sm4(struct words x, struct words keys, bool expand)
{
	for (unsigned i = 0; i < 4; i++) {
		u32 v = substitute(x.w[3] ^ x.w[2] ^ x.w[1] ^ keys.w[i], sm4_sbox);
		v ^= expand ? rol(v, 13) ^ rol(v, 23) : rol(v, 2) ^ rol(v, 10) ^ rol(v, 18) ^ rol(v, 24);
		x = (struct words){ { x.w[1], x.w[2], x.w[3], v ^ x.w[0] } };
	}
	return x;
}

/* ---- bits of scalars ---- */

static u64 zip(u64 v, unsigned w, bool undo)
{
	u64 out = 0;
	for (unsigned i = 0; i < w; i++) {
		unsigned far = i < w / 2 ? 2 * i : 2 * (i - w / 2) + 1;
		out |= undo ? (v >> far & 1) << i : (v >> i & 1) << far;
	}
	return out;
}

static u64 permute(enum ir_bitperm kind, u64 v, unsigned w)
{
	u64 out = 0;
	switch (kind) {
	case BP_BREV8:
		for (unsigned i = 0; i < w; i++)
			out |= (v >> i & 1) << (i ^ 7);
		return out;
	case BP_ZIP:
		return zip(v, w, false);
	case BP_UNZIP:
		return zip(v, w, true);
	case BP_AES_SBOX:
		return substitute(v, aes_sbox) | (u64)substitute(v >> 32, aes_sbox) << 32;
	case BP_AES_SBOX_INV:
		return substitute(v, aes_sbox_inv) | (u64)substitute(v >> 32, aes_sbox_inv) << 32;
	case BP_AES_MC:
		return mix_column(v, false) | (u64)mix_column(v >> 32, false) << 32;
	case BP_AES_MC_INV:
		return mix_column(v, true) | (u64)mix_column(v >> 32, true) << 32;
	case BP_SM4_SBOX:
		return substitute(v, sm4_sbox) | (u64)substitute(v >> 32, sm4_sbox) << 32;
	case BP_COUNT:
		break;
	}
	return 0;
}

/* ---- by operation ---- */

static struct words words_of(const u8 *p)
{
	return (struct words){ { ld_le32(p), ld_le32(p + 4), ld_le32(p + 8), ld_le32(p + 12) } };
}
static struct pair pair_of(const u8 *p)
{
	return (struct pair){ { ld_le64(p), ld_le64(p + 8) } };
}

static struct words by_words(const struct ir_insn *in, struct words a, struct words b, struct words c)
{
	/* clang-format off */
	switch (in->op) {
	case IR_AESMC: case IR_AESIMC:
		for (unsigned i = 0; i < 4; i++)
			a.w[i] = mix_column(a.w[i], in->op == IR_AESIMC);
		return a;
	case IR_SHA1C: case IR_SHA1P: case IR_SHA1M: return sha1(in->op, a, b.w[0], c);
	case IR_SHA1H: return (struct words){ { rol(a.w[0], 30), 0, 0, 0 } };
	case IR_SHA1SU0: return sha1_su0(a, b, c);
	case IR_SHA1SU1: return sha1_su1(a, b);
	case IR_SHA256H: return sha256(a, b, c, true);
	case IR_SHA256H2: return sha256(b, a, c, false);
	case IR_SHA256SU0: return sha256_su0(a, b);
	case IR_SHA256SU1: return sha256_su1(a, b, c);
	case IR_SM3PARTW1: return sm3_partw1(a, b, c);
	case IR_SM3PARTW2: return sm3_partw2(a, b, c);
	case IR_SM3SS1: return (struct words){ { 0, 0, 0, rol(rol(a.w[3], 12) + b.w[3] + c.w[3], 7) } };
	case IR_SM3TT: return sm3_tt(a, b, c, in->imm & 3, in->imm >> 2 & 3);
	case IR_SM4E: return sm4(a, b, false);
	case IR_SM4EKEY: return sm4(a, b, true);
	}
	/* clang-format on */
	abort(); /* not an operation of this section */
}

static struct pair by_pairs(const struct ir_insn *in, struct pair a, struct pair b, struct pair c)
{
	switch (in->op) {
	case IR_SHA512H:
		return sha512h(a, b, c);
	case IR_SHA512H2:
		return sha512h2(a, b, c);
	case IR_SHA512SU0:
		return sha512_su0(a, b);
	}
	return sha512_su1(a, b, c);
}

/* Sixteen bytes of a vector operation; operands that it has not point at zeros. */
static void segment(const struct ir_insn *in, const u8 *a, const u8 *b, const u8 *c, u8 *ret)
{
	if (in->op == IR_AESE || in->op == IR_AESD) {
		aes_round(a, b, ret, in->op == IR_AESD);
	} else if (in->op >= IR_SHA512H && in->op <= IR_SHA512SU1) {
		struct pair v = by_pairs(in, pair_of(a), pair_of(b), pair_of(c));
		st_le64(ret, v.d[0]);
		st_le64(ret + 8, v.d[1]);
	} else {
		struct words v = by_words(in, words_of(a), words_of(b), words_of(c));
		for (unsigned i = 0; i < 4; i++)
			st_le32(ret + 4 * i, v.w[i]);
	}
}

void ir_eval_crypto(const struct ir_region *r, const struct ir_insn *in, const union ir_val *a,
		    const union ir_val *b, const union ir_val *c, union ir_val *ret)
{
	static const u8 zeros[256];
	const char *operands = ir_op_info[in->op].operands;
	unsigned size = ir_type_size(in->type), w = size * 8;
	switch (in->op) {
	case IR_CLMUL:
		val_put(ret, in->type, ir_clmul((u64)val_num(a, in->type), (u64)val_num(b, in->type)));
		return;
	case IR_CLMULH:
		val_put(ret, in->type, ir_clmul((u64)val_num(a, in->type), (u64)val_num(b, in->type)) >> w);
		return;
	case IR_PMULL:
		pmull(in, a, b, ret);
		return;
	case IR_PMUL:
		for (unsigned i = 0; i < size; i++)
			ret->b[i] = (u8)ir_clmul(a->b[i], b->b[i]);
		return;
	case IR_CRC32:
		val_put(ret, in->type,
			crc(a->w, (u64)val_num(b, r->insn[in->b].type), ir_type_size(r->insn[in->b].type),
			    in->imm & 1));
		return;
	case IR_BITPERM:
		val_put(ret, in->type, permute(in->imm, (u64)val_num(a, in->type), w));
		return;
	}
	for (unsigned at = 0; at < size; at += 16)
		segment(in, a->b + at, operands[1] == 'v' ? b->b + at : zeros,
			operands[2] == 'v' ? c->b + at : zeros, ret->b + at);
}
