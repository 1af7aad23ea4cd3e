#include "base/size.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>

static int shift_of(char c)
{
	static const char units[] = "bkmgtpe";
	const char *at = c ? strchr(units, tolower((u8)c)) : NULL;
	return at ? 10 * (at - units) : -1;
}

int size_parse_part(const char *text, u64 unit, u64 *ret, const char **ret_end)
{
	const char *p = text;
	bool hex = p[0] == '0' && tolower((u8)p[1]) == 'x';
	while (isspace((u8)*p))
		p++;
	p += *p == '+';
	if (!isdigit((u8)*p))
		return -EINVAL;
	char *end;
	errno = 0;
	u64 whole = strtoull(p, &end, hex ? 16 : 10);
	if (errno)
		return -ERANGE;
	double fraction = 0;
	if (*end == '.' && !hex) {
		const char *dot = end;
		if (isdigit((u8)dot[1])) {
			fraction = strtod(dot, &end);
			if (strchr("eE", dot[1]))
				return -EINVAL;
			for (const char *q = dot + 1; q < end; q++) /* an exponent is none of ours */
				if (!isdigit((u8)*q)) {
					end = (char *)q;
					break;
				}
		} else {
			end++;
		}
	}
	u64 mul = unit;
	int shift = hex ? -1 : shift_of(*end);
	if (shift >= 0) {
		mul = 1ull << shift;
		end++;
	}
	if (fraction != 0 && mul == 1)
		return -EINVAL;
	u64 v;
	if (__builtin_mul_overflow(whole, mul, &v) ||
	    __builtin_add_overflow(v, (u64)(fraction * mul + 0.5), &v))
		return -ERANGE;
	*ret = v;
	*ret_end = end;
	return 0;
}

int size_parse(const char *text, u64 *ret)
{
	const char *end;
	u64 v;
	int r = size_parse_part(text, 1, &v, &end);
	if (r)
		return r;
	if (*end)
		return -EINVAL;
	*ret = v;
	return 0;
}

const char *size_text(u64 bytes, char *buf)
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	int exponent, i = 0;
	/* The unit in which the number stays below 1000: what rounds to 1000 goes on to the next. */
	frexp(bytes / (1000.0 / 1024.0), &exponent);
	if (bytes)
		i = (exponent - 1) / 10;
	snprintf(buf, 32, "%0.3g %s", (double)bytes / (double)(1ull << (i * 10)), names[i]);
	return buf;
}
