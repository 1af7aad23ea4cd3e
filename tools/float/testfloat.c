/*
 * Developer's tool: checks src/translate/float against vectors of Berkeley TestFloat's testfloat_gen.
 *
 *	testfloat_gen -rmin -exact f64_mulAdd | testfloat x86 down 0 f64_mulAdd
 *
 * Arguments: preset, rounding, f80 precision (0: all), function. Format of a line: TestFloat's doc/testfloat_gen.html.
 * With no arguments every line begins with these four words; lines beginning with # are skipped.
 * tools/float/testfloat.sh builds it and runs everything. Prints the first differences and a count; exit status 1 if any.
 */
#include "translate/float/float.h"
#include <stdio.h>

static const struct {
	const char *name;
	enum fp_format format;
} formats[] = {
	{ "f16", FP_F16 }, { "f32", FP_F32 }, { "f64", FP_F64 }, { "extF80", FP_F80 }, { "f128", FP_F128 }
};

static const struct {
	const char *name;
	unsigned bits;
	bool is_signed;
} integers[] = { { "ui32", 32, false }, { "ui64", 64, false }, { "i32", 32, true }, { "i64", 64, true } };

static const char *const rounds[] = { "", "near_even", "minMag", "min", "max", "near_maxMag", "odd" };
static const struct {
	const char *name;
	const struct fp_ctl *ctl;
} presets[] = { { "arm", &fp_arm }, { "x86", &fp_x86 }, { "x87", &fp_x87 }, { "riscv", &fp_riscv } };

static int format_at(const char **s)
{
	for (unsigned i = 0; i < LEN(formats); i++) {
		size_t n = strlen(formats[i].name);
		if (!strncmp(*s, formats[i].name, n) && ((*s)[n] == '_' || !(*s)[n])) {
			*s += n;
			return formats[i].format;
		}
	}
	return -1;
}

static int integer_at(const char **s)
{
	for (unsigned i = 0; i < LEN(integers); i++) {
		size_t n = strlen(integers[i].name);
		if (!strncmp(*s, integers[i].name, n) && ((*s)[n] == '_' || !(*s)[n])) {
			*s += n;
			return i;
		}
	}
	return -1;
}

static u128 hex(const char **s)
{
	u128 v = 0;
	while (**s == ' ')
		++*s;
	for (; **s > ' '; ++*s)
		v = v << 4 | ((unsigned)(**s <= '9' ? **s - '0' : (**s | 32) - 'a' + 10) & 15);
	return v;
}

/* The function's result; *in walks over the operands. */
static u128 call(const char *name, const char **in, const struct fp_ctl *ctl, u32 *flags)
{
	int i = integer_at(&name), f = i < 0 ? format_at(&name) : -1;
	if (i >= 0) { /* from an integer */
		name += 4;
		u128 n = hex(in);
		unsigned up = 128 - integers[i].bits;
		f = format_at(&name);
		return integers[i].is_signed ? fp_from_int(f, (i128)(n << up) >> up, 0, ctl, flags)
					     : fp_from_uint(f, n, 0, ctl, flags);
	}
	u128 a = hex(in);
	name++;
	if (!strncmp(name, "to_", 3)) {
		name += 3;
		i = integer_at(&name);
		if (i < 0)
			return fp_convert(format_at(&name), f, a, ctl, flags);
		u128 r =
		    fp_to_int(f, a, integers[i].bits, integers[i].is_signed, 0, FP_ROUND_CTL, ctl, flags);
		return r & (~(u128)0 >> (128 - integers[i].bits));
	}
	if (!strcmp(name, "roundToInt"))
		return fp_round_int(f, a, FP_ROUND_CTL, true, ctl, flags);
	if (!strcmp(name, "sqrt"))
		return fp_sqrt(f, a, ctl, flags);
	u128 b = hex(in);
	if (!strcmp(name, "add"))
		return fp_add(f, a, b, ctl, flags);
	if (!strcmp(name, "sub"))
		return fp_sub(f, a, b, ctl, flags);
	if (!strcmp(name, "mul"))
		return fp_mul(f, a, b, ctl, flags);
	if (!strcmp(name, "div"))
		return fp_div(f, a, b, ctl, flags);
	if (!strcmp(name, "rem"))
		return fp_rem(f, a, b, true, NULL, ctl, flags);
	if (!strcmp(name, "mulAdd"))
		return fp_fma(f, a, b, hex(in), 0, ctl, flags);
	bool quiet = strstr(name, "_quiet") || (!strncmp(name, "eq", 2) && !strstr(name, "_signaling"));
	enum fp_order order = fp_compare(f, a, b, !quiet, ctl, flags);
	if (!strncmp(name, "eq", 2))
		return order == FP_EQUAL;
	if (!strncmp(name, "le", 2))
		return order == FP_EQUAL || order == FP_LESS;
	if (!strncmp(name, "lt", 2))
		return order == FP_LESS;
	fprintf(stderr, "unknown function %s\n", name);
	exit(2);
}

/* TestFloat's order of flag bits. */
static unsigned testfloat_flags(u32 flags)
{
	return (flags & FP_INEXACT ? 1 : 0) | (flags & FP_UNDERFLOW ? 2 : 0) | (flags & FP_OVERFLOW ? 4 : 0) |
	       (flags & FP_DIVZERO ? 8 : 0) | (flags & FP_INVALID ? 16 : 0);
}

/* One test: its four words, and the line from the first operand on. */
static bool agrees(char *const word[4], const char *in)
{
	struct fp_ctl ctl = { 0 };
	for (unsigned i = 0; i < LEN(presets); i++)
		if (!strcmp(word[0], presets[i].name))
			ctl = *presets[i].ctl;
	for (unsigned i = 0; i < LEN(rounds); i++)
		if (!strcmp(word[1], rounds[i]))
			ctl.round = i;
	ctl.f80_prec = atoi(word[2]);
	u32 flags = 0;
	u128 got = call(word[3], &in, &ctl, &flags), want = hex(&in);
	unsigned raised = testfloat_flags(flags), expected = (unsigned)hex(&in);
	if (got != want || raised != expected)
		printf("  got %llx:%016llx %02x for %s %s ", (unsigned long long)(got >> 64),
		       (unsigned long long)got, raised, word[1], word[3]);
	return got == want && raised == expected;
}

int main(int argc, char **argv)
{
	char line[512], copy[512];
	unsigned long count = 0, bad = 0;
	char *word[4];
	if (argc != 5 && argc != 1)
		return 2;
	while (fgets(line, sizeof(line), stdin)) {
		const char *operands = line;
		if (line[0] == '#')
			continue;
		if (argc == 5) {
			memcpy(word, argv + 1, sizeof(word));
		} else {
			strcpy(copy, line);
			for (unsigned i = 0; i < 4; i++)
				word[i] = strtok(i ? NULL : copy, " ");
			operands += word[3] - copy + strlen(word[3]);
		}
		count++;
		if (!agrees(word, operands) && bad++ < 1000)
			fputs(line, stdout);
	}
	printf("%s %s %s %s: %lu of %lu differ\n", argc == 5 ? argv[1] : "vectors", argc == 5 ? argv[2] : "",
	       argc == 5 ? argv[3] : "", argc == 5 ? argv[4] : "", bad, count);
	return bad || !count;
}
