/* "driver=qcow2,file.filename=a,,b": options as command lines write them. */
#pragma once
#include "base/err.h"
#include "base/json.h"

/*
 * Parses into an object of strings. A comma in a value is doubled. implied: the name of a first value that has none
 * ("secret,id=x" with "qom-type"), or NULL. A word without "=" stands for "word=on" ("noword" for "word=off").
 * Text that begins with "{" is parsed as JSON instead.
 */
struct err *keyval_parse(const char *text, const char *implied, struct json **ret) MUST_CHECK;
