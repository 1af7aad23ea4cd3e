#include "sme_outer.c"
#include "one_insn.h"

static i64 part(const union ir_vec128 *v, unsigned bytes, unsigned i, bool is_unsigned)
{
	if (bytes == 1)
		return is_unsigned ? v->b[i] : (i8)v->b[i];
	return is_unsigned ? v->h[i] : (i16)v->h[i];
}

/* The manual's loops: Pn = P1, Pm = P2, Zn = Z3, Zm = Z4; elements of four parts. */
static void model(struct arm64 *a, unsigned size, unsigned tile, bool n_unsigned, bool m_unsigned,
		  bool subtract)
{
	unsigned dim = 16 >> size, bytes = (1 << size) / 4;
	for (unsigned row = 0; row < dim; row++)
		for (unsigned col = 0; col < dim; col++) {
			u64 sum = 0;
			for (unsigned k = 0; k < 4; k++) {
				unsigned i = 4 * row + k, j = 4 * col + k;
				if (a->p[1].b[i * bytes] && a->p[2].b[j * bytes])
					sum += (u64)(part(&a->v[3], bytes, i, n_unsigned) *
						     part(&a->v[4], bytes, j, m_unsigned));
			}
			union ir_vec128 *to = &a->za[(row << size) + tile];
			sum = subtract ? -sum : sum;
			if (size == 2)
				to->s[col] += (u32)sum;
			else
				to->d[col] += sum;
		}
}

/* The peer computes those of bytes otherwise, so that they are not compared with it. */
TEST(arm64_sme_outer, integer_outer_products_are_the_manual_s_loops)
{
	static struct arm64 a, want;
	for (unsigned seed = 0; seed < 512; seed++) {
		unsigned kind = seed & 7, size = 2 + (seed >> 3 & 1), tile = seed >> 4 & 3;
		fill_randomly(a.v, sizeof(a.v), seed);
		fill_randomly(a.za, sizeof(a.za), seed + 1000);
		arm64_set_pred(&a.p[1], seed & 32 ? 0xffff : seed * 40503u >> 3);
		arm64_set_pred(&a.p[2], seed & 64 ? 0xffff : seed * 30011u >> 5);
		want = a;
		model(&want, size, tile, kind & 1, kind & 2, kind & 4);
		run_insn(&a,
			 0xa0800000 | (kind & 1) << 24 | (size - 2) << 22 | (kind >> 1 & 1) << 21 | 4 << 16 |
			     2 << 13 | 1 << 10 | 3 << 5 | (kind >> 2) << 4 | tile,
			 KEY_SM | KEY_ZA);
		CHECK(memcmp(a.za, want.za, sizeof(a.za)) == 0);
	}
}
