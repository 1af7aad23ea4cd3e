/* Formatters of RISC-V operands, in the GNU assembler's notation. */
#include "guest/riscv/riscv.h"

void riscv_text_x(struct text *o, unsigned n)
{
	static const char *const name[32] = { "zero", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0",
					      "a1",   "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
					      "s6",   "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6" };
	text_put(o, name[n & 31]);
}

void riscv_text_f(struct text *o, unsigned n)
{
	n &= 31;
	if (n < 8)
		text_fmt(o, "ft%u", n);
	else if (n < 10)
		text_fmt(o, "fs%u", n - 8);
	else if (n < 18)
		text_fmt(o, "fa%u", n - 10);
	else if (n < 28)
		text_fmt(o, "fs%u", n - 16);
	else
		text_fmt(o, "ft%u", n - 20);
}

void riscv_text_num(struct text *o, i64 v)
{
	text_fmt(o, "%lld", (long long)v);
}

void riscv_text_hex(struct text *o, u64 v)
{
	text_fmt(o, "0x%llx", (unsigned long long)v);
}

void riscv_text_label(struct text *o, i64 offset)
{
	text_fmt(o, "0x%llx", (unsigned long long)(o->pc + (u64)offset));
}

void riscv_text_mem(struct text *o, unsigned rs1, i64 disp)
{
	text_fmt(o, "%lld(", (long long)disp);
	riscv_text_x(o, rs1);
	text_put(o, ")");
}

void riscv_text_aqrl(struct text *o, unsigned aq, unsigned rl)
{
	static const char *const name[4] = { "", ".rl", ".aq", ".aqrl" };
	text_put(o, name[(aq & 1) << 1 | (rl & 1)]);
}

void riscv_text_rm(struct text *o, unsigned rm)
{
	static const char *const name[8] = { ",rne", ",rtz", ",rdn", ",rup", ",rmm", ",unknown", ",unknown", "" };
	text_put(o, name[rm & 7]);
}

void riscv_text_fence(struct text *o, unsigned set)
{
	if (!set)
		text_put(o, "unknown");
	for (unsigned i = 0; i < 4; i++)
		if (set >> (3 - i) & 1)
			text_fmt(o, "%c", "iorw"[i]);
}

void riscv_text_word(struct text *o, u32 word)
{
	if (!riscv_text32(o, word, false))
		text_fmt(o, ".4byte\t0x%x", word);
}

void riscv_text_word32(struct text *o, u32 word)
{
	if (!riscv_text32(o, word, true))
		text_fmt(o, ".4byte\t0x%x", word);
}
