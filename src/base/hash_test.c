#include "hash.c"
#include "base/test.h"

TEST(hash, every_bit_and_the_length_count)
{
	static u8 b[200];
	for (size_t len = 1; len <= sizeof(b); len += 7) {
		u64 h = hash_bytes(b, len, 1);
		CHECK(h != hash_bytes(b, len - 1, 1) && h != hash_bytes(b, len, 2));
		for (size_t i = 0; i < len * 8; i++) {
			b[i / 8] ^= 1 << i % 8;
			CHECK(hash_bytes(b, len, 1) != h);
			b[i / 8] ^= 1 << i % 8;
		}
	}
}

/* A product of two numbers is 0 when one is: no lane may lose what came before for a common input. */
TEST(hash, long_runs_of_one_byte_differ)
{
	static u8 b[4096];
	u64 seen[256];
	for (unsigned v = 0; v < 256; v++) {
		memset(b, v, sizeof(b));
		seen[v] = hash_bytes(b, sizeof(b), 0);
		for (unsigned i = 0; i < v; i++)
			CHECK(seen[i] != seen[v]);
	}
}
