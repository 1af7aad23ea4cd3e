#include "split.c"
#include "base/test.h"

/* The values of a stream, cut at every byte in turn, joined by '|'. */
static void check_stream(const char *in, const char *want)
{
	for (size_t cut = 0; cut <= strlen(in); cut++) {
		struct split s = { 0 };
		char got[256] = "";
		const char *parts[2][2] = { { in, in + cut }, { in + cut, in + strlen(in) } };
		for (unsigned i = 0; i < 2; i++)
			for (const char *at = parts[i][0]; split_feed(&s, &at, parts[i][1]);) {
				strncat(got, s.text, s.len);
				strcat(got, "|");
				split_next(&s);
			}
		CHECK(strcmp(got, want) == 0);
		split_free(&s);
	}
}

TEST(split, several_values_in_one_stream)
{
	check_stream("{\"a\":1}{'b':[2]}\r\n [3] ", "{\"a\":1}|{'b':[2]}|[3]|");
}

TEST(split, brackets_in_strings_do_not_count)
{
	check_stream("{\"}\":'{\\'{'}{}", "{\"}\":'{\\'{'}|{}|");
}

TEST(split, what_is_no_json_ends_at_a_space)
{
	check_stream("frob {} }\n12\n", "frob|{}|}|12|");
}

TEST(split, a_line_that_ends_within_a_string_is_a_broken_value)
{
	check_stream("{\"a\n{}", "{\"a\n|{}|");
}

TEST(split, a_byte_of_all_ones_begins_anew)
{
	check_stream("{\"a\": [\xff{}", "{}|");
}

TEST(split, too_deep_a_value_is_taken_whole_and_marked)
{
	struct split s = { 0 };
	char text[2 * (MAX_DEPTH + 1)];
	memset(text, '[', MAX_DEPTH + 1);
	memset(text + MAX_DEPTH + 1, ']', MAX_DEPTH + 1);
	const char *at = text;
	CHECK(split_feed(&s, &at, text + sizeof(text)));
	CHECK(at == text + sizeof(text));
	CHECK_EQ(s.fault, SPLIT_TOO_DEEP);
	split_free(&s);
}
