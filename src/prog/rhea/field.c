/* Options that only set a member. */
#include "prog/rhea/field.h"
#include <getopt.h>

bool field_set(const struct field *fields, void *args, int c)
{
	for (; fields->option && fields->option != c; fields++)
		;
	if (!fields->option)
		return false;
	void *member = (char *)args + fields->at;
	if (fields->text)
		*(const char **)member = optarg;
	else
		*(bool *)member = true;
	return true;
}
