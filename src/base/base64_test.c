#include "base64.c"
#include "base/test.h"

TEST(base64, encodes_and_decodes_the_vectors_of_rfc_4648)
{
	static const char *const pairs[][2] = { { "", "" },
						{ "f", "Zg==" },
						{ "fo", "Zm8=" },
						{ "foo", "Zm9v" },
						{ "foob", "Zm9vYg==" },
						{ "fooba", "Zm9vYmE=" },
						{ "foobar", "Zm9vYmFy" } };
	for (unsigned i = 0; i < LEN(pairs); i++) {
		u8 *back;
		size_t n;
		AUTO(free_ptr) char *text = base64_encode(pairs[i][0], strlen(pairs[i][0]));
		CHECK_STR(text, pairs[i][1]);
		CHECK(!base64_decode(text, strlen(text), &back, &n));
		CHECK_STR((char *)back, pairs[i][0]);
		CHECK_EQ(n, strlen(pairs[i][0]));
		free(back);
	}
}

TEST(base64, skips_white_space_and_refuses_other_characters)
{
	u8 *back;
	size_t n;
	CHECK(!base64_decode("Zm9v\r\n\t YmFy\n", 13, &back, &n));
	CHECK_STR((char *)back, "foobar");
	free(back);
	static const struct {
		const char *text;
		size_t len;
	} bad[] = { { "Zm-9v", 5 }, { "@@@", 3 }, { "Z\0m9", 4 } };
	for (unsigned i = 0; i < LEN(bad); i++) {
		struct err *e = base64_decode(bad[i].text, bad[i].len, &back, &n);
		CHECK(e);
		err_free(e);
	}
}
