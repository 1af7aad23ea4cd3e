/* Formatters of A64 operands, in the GNU assembler's notation. */
#include "guest/arm64/arm64.h"

void arm64_text_r(struct text *o, unsigned sf, unsigned n)
{
	if (n == 31)
		text_put(o, sf ? "xzr" : "wzr");
	else
		text_fmt(o, "%c%u", sf ? 'x' : 'w', n);
}

void arm64_text_rsp(struct text *o, unsigned sf, unsigned n)
{
	if (n == 31)
		text_put(o, sf ? "sp" : "wsp");
	else
		arm64_text_r(o, sf, n);
}

void arm64_text_x(struct text *o, unsigned n)
{
	arm64_text_r(o, 1, n);
}

void arm64_text_w(struct text *o, unsigned n)
{
	arm64_text_r(o, 0, n);
}

void arm64_text_xsp(struct text *o, unsigned n)
{
	arm64_text_rsp(o, 1, n);
}

void arm64_text_cond(struct text *o, unsigned cond)
{
	static const char *const name[16] = { "eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc",
					      "hi", "ls", "ge", "lt", "gt", "le", "al", "nv" };
	text_put(o, name[cond & 15]);
}

void arm64_text_notcond(struct text *o, unsigned cond)
{
	arm64_text_cond(o, cond ^ 1);
}

void arm64_text_hex(struct text *o, u64 v)
{
	text_fmt(o, "#0x%llx", (unsigned long long)v);
}

void arm64_text_dec(struct text *o, i64 v)
{
	text_fmt(o, "#%lld", (long long)v);
}

void arm64_text_num(struct text *o, i64 v)
{
	text_fmt(o, "%lld", (long long)v);
}

void arm64_text_label(struct text *o, i64 offset)
{
	text_fmt(o, "0x%llx", (unsigned long long)(o->pc + (u64)offset));
}

void arm64_text_page(struct text *o, i64 offset)
{
	text_fmt(o, "0x%llx", (unsigned long long)((o->pc & ~0xfffull) + (u64)offset));
}

static const char *const shift_name[4] = { "lsl", "lsr", "asr", "ror" };
static const char *const extend_name[8] = { "uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx" };

void arm64_text_shifted(struct text *o, unsigned sf, unsigned n, unsigned kind, unsigned amount)
{
	arm64_text_r(o, sf, n);
	if (kind || amount)
		text_fmt(o, ", %s #%u", shift_name[kind & 3], amount);
}

void arm64_text_extended(struct text *o, unsigned sf, unsigned n, unsigned option, unsigned amount,
			 bool to_sp)
{
	arm64_text_r(o, sf && (option & 3) == 3, n);
	if (to_sp) { /* written as a shift, left out when it is by 0 */
		if (amount)
			text_fmt(o, ", lsl #%u", amount);
		return;
	}
	text_fmt(o, ", %s", extend_name[option & 7]);
	if (amount)
		text_fmt(o, " #%u", amount);
}

void arm64_text_mem(struct text *o, unsigned n, i64 disp)
{
	text_put(o, "[");
	arm64_text_xsp(o, n);
	if (disp)
		text_fmt(o, ", #%lld", (long long)disp);
	text_put(o, "]");
}

void arm64_text_pre(struct text *o, unsigned n, i64 disp)
{
	text_put(o, "[");
	arm64_text_xsp(o, n);
	text_fmt(o, ", #%lld]!", (long long)disp);
}

void arm64_text_post(struct text *o, unsigned n, i64 disp)
{
	text_put(o, "[");
	arm64_text_xsp(o, n);
	text_fmt(o, "], #%lld", (long long)disp);
}

void arm64_text_index(struct text *o, unsigned n, unsigned m, unsigned option, bool shifted, unsigned amount)
{
	text_put(o, "[");
	arm64_text_xsp(o, n);
	text_put(o, ", ");
	arm64_text_r(o, option & 1, m);
	if (option != 3)
		text_fmt(o, ", %s", extend_name[option & 7]);
	else if (shifted)
		text_put(o, ", lsl");
	if (shifted)
		text_fmt(o, " #%u", amount);
	text_put(o, "]");
}

void arm64_text_bitmask(struct text *o, unsigned sf, unsigned n, unsigned imms, unsigned immr)
{
	u64 mask = 0;
	arm64_bitmask(sf, n, imms, immr, &mask);
	arm64_text_hex(o, sf ? mask : (u32)mask);
}

void arm64_text_prfop(struct text *o, unsigned op)
{
	static const char *const type[3] = { "pld", "pli", "pst" };
	if (op >> 3 == 3 || (op >> 1 & 3) == 3)
		text_fmt(o, "#0x%02x", op);
	else
		text_fmt(o, "%sl%u%s", type[op >> 3], (op >> 1 & 3) + 1, op & 1 ? "strm" : "keep");
}

void arm64_text_v(struct text *o, unsigned n, unsigned size, unsigned q)
{
	text_fmt(o, "v%u.%u%c", n, (q ? 16u : 8u) >> size, "bhsdq"[size]);
}

void arm64_text_f(struct text *o, unsigned n, unsigned size)
{
	text_fmt(o, "%c%u", "bhsdq"[size], n);
}

void arm64_text_elem(struct text *o, unsigned n, unsigned size, unsigned index)
{
	text_fmt(o, "v%u.%c[%u]", n, "bhsdq"[size], index);
}
