#include "json.c"
#include "base/test.h"

static struct json *parsed(const char *text)
{
	struct json *j = NULL;
	struct err *e = json_parse(text, strlen(text), &j);
	if (e)
		test_fail(__FILE__, __LINE__, "%s: %s", text, err_text(e));
	err_free(e);
	return j;
}

TEST(json, prints_what_it_read)
{
	AUTO(json_freep) struct json *j = parsed("{'a': [1, -2, true, null, 'x\\n\\u00e9'], \"b\": {}}");
	AUTO(free_ptr) char *text = json_text(j, false);
	CHECK_STR(text, "{\"a\": [1, -2, true, null, \"x\\n\xc3\xa9\"], \"b\": {}}");
}

TEST(json, flattens_and_nests_again)
{
	AUTO(json_freep)
	struct json *j = parsed("{'file': {'driver': 'file', 'l': [{'x': 1}, {'x': 2}]}, 'k': 3}");
	AUTO(json_freep) struct json *copy = json_copy(j);
	json_flatten(j);
	CHECK_EQ(json_get_int(j, "file.l.1.x", 0), 2);
	struct err *e = json_nest(j);
	CHECK(!e);
	CHECK(json_equal(j, copy));
}

TEST(json, refuses_broken_and_deep_text)
{
	static const char *const bad[] = { "",	  "{",	 "[1,]",    "{'a' 1}",	    "'abc",
					   "tru", "1 2", "\"\\q\"", "{'a':1,'a':2}" };
	for (unsigned i = 0; i < LEN(bad); i++) {
		struct json *j;
		struct err *e = json_parse(bad[i], strlen(bad[i]), &j);
		if (!e)
			test_fail(__FILE__, __LINE__, "'%s' was accepted", bad[i]);
		err_free(e);
	}
	char deep[5000];
	struct json *j;
	memset(deep, '[', sizeof(deep));
	struct err *e = json_parse(deep, sizeof(deep), &j);
	CHECK(e);
	err_free(e);
}

TEST(json, strings_are_utf8)
{
	static const char *const good[] = { "'\xc3\xa4'", "'\xe2\x82\xac'", "'\xf0\x9f\x98\x80'" },
				 *const bad_ones[] = { "'\xff'", "'\xc3'", "'\xc0\x80'", "'\xed\xa0\x80'", "'\xf4\x90\x80\x80'" };
	struct json *j;
	for (unsigned i = 0; i < LEN(good); i++) {
		struct err *e = json_parse(good[i], strlen(good[i]), &j);
		CHECK(!e);
		json_free(j);
	}
	for (unsigned i = 0; i < LEN(bad_ones); i++) {
		struct err *e = json_parse(bad_ones[i], strlen(bad_ones[i]), &j);
		CHECK(e);
		if (e)
			err_free(e);
	}
}
