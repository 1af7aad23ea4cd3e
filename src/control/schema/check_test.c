#include "check.c"
#include "base/test.h"
#include "schema.gen.h"

static struct json *parse(const char *text)
{
	struct json *j = NULL;
	struct err *e = json_parse(text, strlen(text), &j);
	CHECK(!e);
	return j;
}

/* NULL: it is of the type. */
static void check_text(const struct schema_type *t, const char *text, const char *want)
{
	AUTO(json_freep) struct json *j = parse(text);
	struct err *e = schema_check(t, j, NULL);
	CHECK(want ? e && strcmp(err_text(e), want) == 0 : !e);
	if (e)
		err_free(e);
}

TEST(schema, a_struct_has_its_members_and_no_others)
{
	const struct schema_type *t = &schema_type_block_dirty_bitmap;
	check_text(t, "{'node':'n','name':'b'}", NULL);
	check_text(t, "{'node':'n'}", "Parameter 'name' is missing");
	check_text(t, "{'node':'n','name':1}", "Invalid parameter type for 'name', expected: string");
	check_text(t, "{'node':'n','name':'b','x':1}", "Parameter 'x' is unexpected");
}

TEST(schema, a_union_has_the_members_of_its_variant)
{
	const struct schema_type *t = &schema_type_blockdev_options;
	check_text(t, "{'driver':'null-co','size':1}", NULL);
	check_text(t, "{'driver':'null-co','filename':'x'}", "Parameter 'filename' is unexpected");
	check_text(t, "{'driver':'qcow2','file':{'driver':'file'}}", "Parameter 'file.filename' is missing");
	check_text(t, "{'driver':'none'}", "Parameter 'driver' does not accept value 'none'");
}

TEST(schema, an_alternate_takes_each_of_its_kinds)
{
	const struct schema_type *t = &schema_type_blockdev_ref_or_null;
	check_text(t, "'node'", NULL);
	check_text(t, "null", NULL);
	check_text(t, "{'driver':'null-co'}", NULL);
	check_text(t, "1", "Invalid parameter type for 'null', expected: BlockdevRefOrNull");
}

TEST(schema, numbers_stay_within_their_type)
{
	const struct schema_type *t = &schema_type_block_dirty_bitmap_add;
	check_text(t, "{'node':'n','name':'b','granularity':4294967295}", NULL);
	check_text(t, "{'node':'n','name':'b','granularity':4294967296}",
		   "Parameter 'granularity' expects uint32_t");
}

TEST(schema, a_struct_is_filled_and_says_what_was_given)
{
	AUTO(json_freep) struct json *j = parse("{'node':'n','name':'b','persistent':true}");
	struct block_dirty_bitmap_add arg;
	schema_fill(&schema_type_block_dirty_bitmap_add, j, &arg);
	CHECK(strcmp(arg.node, "n") == 0 && arg.persistent && arg.has_persistent);
	CHECK(!arg.has_granularity && !arg.has_disabled);
}

TEST(schema, words_of_a_command_line_become_what_the_type_wants)
{
	struct json *j = parse("{'driver':'qcow2','lazy-refcounts':'on','cache-size':'1M','file':{'driver':'"
			       "null-co','size':'4k'}}");
	j = schema_coerce(&schema_type_blockdev_options, j);
	AUTO(free_ptr) char *text = json_text(j, false);
	CHECK(json_get_bool(j, "lazy-refcounts", false));
	CHECK_EQ(json_get_int(j, "cache-size", 0), 1 << 20);
	CHECK_EQ(json_get_int(json_get(j, "file"), "size", 0), 4096);
	json_free(j);
}

static bool all_but_qcow2(const struct schema_type *t UNUSED, const char *value)
{
	return strcmp(value, "qcow2") != 0;
}

TEST(schema, what_is_not_offered_is_refused_and_not_described)
{
	AUTO(json_freep) struct json *j = parse("{'driver':'qcow2','file':'x'}");
	struct err *e = schema_check(&schema_type_blockdev_options, j, all_but_qcow2);
	CHECK(e);
	if (e)
		err_free(e);
	const struct schema_command *const commands[] = { &schema_command_blockdev_add };
	AUTO(json_freep) struct json *d = schema_describe(commands, 1, all_but_qcow2);
	AUTO(free_ptr) char *text = json_text(d, false);
	CHECK(strstr(text, "\"case\": \"qed\"") && !strstr(text, "\"case\": \"qcow2\""));
}
