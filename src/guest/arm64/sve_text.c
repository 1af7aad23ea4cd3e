/* arm64 front end: formatters of SVE's and SME's operands, in the GNU assembler's notation. */
#include "guest/arm64/sve.h"

void arm64_text_zr(struct text *o, unsigned n)
{
	text_fmt(o, "z%u", n & 31);
}

void arm64_text_z(struct text *o, unsigned n, unsigned size)
{
	text_fmt(o, "z%u.%c", n & 31, "bhsdq"[size]);
}

void arm64_text_z2(struct text *o, unsigned d, unsigned n, unsigned size)
{
	arm64_text_z(o, d, size);
	text_put(o, ", ");
	arm64_text_z(o, n, size);
}

void arm64_text_z3(struct text *o, unsigned d, unsigned n, unsigned m, unsigned size)
{
	arm64_text_z2(o, d, n, size);
	text_put(o, ", ");
	arm64_text_z(o, m, size);
}

void arm64_text_ze(struct text *o, unsigned n, unsigned size, unsigned index)
{
	arm64_text_z(o, n, size);
	text_fmt(o, "[%u]", index);
}

void arm64_text_zlist(struct text *o, unsigned n, unsigned count, unsigned size)
{
	text_put(o, "{");
	if (count > 2 && n + count <= 32) {
		arm64_text_z(o, n, size);
		text_put(o, "-");
		arm64_text_z(o, n + count - 1, size);
	} else {
		for (unsigned i = 0; i < count; i++) {
			text_put(o, i ? ", " : "");
			arm64_text_z(o, n + i, size);
		}
	}
	text_put(o, "}");
}

void arm64_text_p(struct text *o, unsigned n)
{
	text_fmt(o, "p%u", n);
}

void arm64_text_ps(struct text *o, unsigned n, unsigned size)
{
	text_fmt(o, "p%u.%c", n, "bhsdq"[size]);
}

void arm64_text_pm(struct text *o, unsigned n)
{
	text_fmt(o, "p%u/m", n);
}

void arm64_text_pz(struct text *o, unsigned n)
{
	text_fmt(o, "p%u/z", n);
}

void arm64_text_pattern(struct text *o, unsigned pattern)
{
	if (pattern == 0)
		text_put(o, "pow2");
	else if (pattern <= 8)
		text_fmt(o, "vl%u", pattern);
	else if (pattern <= 13)
		text_fmt(o, "vl%u", 16u << (pattern - 9));
	else if (pattern >= 29)
		text_put(o, pattern == 29 ? "mul4" : pattern == 30 ? "mul3" : "all");
	else
		text_fmt(o, "#%u", pattern);
}

void arm64_text_vl(struct text *o, unsigned n, i32 imm)
{
	if (!imm) {
		arm64_text_mem(o, n, 0);
		return;
	}
	text_put(o, "[");
	arm64_text_xsp(o, n);
	text_fmt(o, ", #%d, mul vl]", imm);
}
