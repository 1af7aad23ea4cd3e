/* What the manual says of CSRs, PMP and traps, where the public riscv-tests do not ask. */
#include "bare.h"
static ul probe(ul at)
{
	ul v = 0;
	__asm__ volatile(".option push\n.option norvc\n ld %0,0(%1)\n.option pop" : "+r"(v) : "r"(at) : "memory");
	return v;
}
static int stepped(ul want)
{
	int good = traps == 1 && cause == want;
	traps = 0;
	return good;
}
#define ILLEGAL(insn) ({ __asm__ volatile(".option push\n.option norvc\n " insn "\n.option pop" : : : "t0", "memory"); stepped(2); })
static ul in_s(ul what)
{
	if (what == 0)
		__asm__ volatile("csrr t0,mstatus" : : : "t0");
	else if (what == 1)
		__asm__ volatile("csrr t0,satp" : : : "t0");
	else if (what == 2)
		__asm__ volatile("csrr t0,time" : : : "t0");
	else
		return probe(0x80300000);
	return 0;
}

#define COUNTED(code) ({ ul a_, b_, at_[2] = { 0 }; \
	__asm__ volatile(".option push\n.option norvc\n csrr %0,minstret\n " code "\n csrr %1,minstret\n.option pop" : "=&r"(a_), "=r"(b_) : "r"(at_) : "t0", "memory"); \
	b_ - a_; })
static void count(void)
{
	check(COUNTED(".rept 10\n nop\n.endr") == 11, "minstret counts instructions");
	check(COUNTED("li t0,100\n 1: addi t0,t0,-1\n bnez t0,1b") == 202, "those of loops");
	/* a fault does not count, but the handler does: the same handler twice, with and without an instruction behind */
	ul one = COUNTED("ld t0,0(zero)"), other = COUNTED("ld t0,0(zero)\n nop\n sd t0,8(%2)");
	check(other == one + 2 && traps == 2, "but not one that faults");
	traps = 0;
}

void rom_main(ul hart)
{
	put("1..15\n");
	check(CSRR(mhartid) == hart, "mhartid");
	check(CSRR(misa) >> 62 == 2 && CSRR(misa) & 1 << 18 && CSRR(misa) & 1 << 20, "misa: 64 bits, S and U");
	count();
	check(ILLEGAL("csrw mhartid,zero"), "a read-only CSR cannot be written");
	check(ILLEGAL("csrr t0,0x5c0"), "a CSR that is not there");
	(void)call_s((ul)in_s, 0);
	check(stepped(2), "S mode has no mstatus");
	CSRS(mstatus, 1 << 20);
	(void)call_s((ul)in_s, 1);
	check(stepped(2), "TVM hides satp");
	CSRC(mstatus, 1 << 20);
	CSRW(mcounteren, 0);
	(void)call_s((ul)in_s, 2);
	int hidden = stepped(2);
	CSRW(mcounteren, 7);
	(void)call_s((ul)in_s, 2);
	check(hidden && !traps, "mcounteren shows and hides time");
	/* PMP: entry 0 takes a page away from S mode, locked also from M mode */
	*(volatile ul *)0x80300000 = 99;
	CSRW(pmpaddr1, -1);
	CSRW(pmpaddr0, 0x80300000 >> 2 | 0x1ff);
	CSRW(pmpcfg0, 0x1f18);
	(void)call_s((ul)in_s, 3);
	check(stepped(5) && probe(0x80300000) == 99, "PMP keeps S mode out, not M mode");
	CSRW(pmpcfg0, 0x1f98);
	(void)probe(0x80300000);
	check(stepped(5), "a locked entry keeps M mode out");
	CSRW(pmpcfg0, 0x1f1f);
	(void)probe(0x80300000);
	check(stepped(5), "and cannot be unlocked");
	check(ILLEGAL(".word 0x0000007f") && tval == 0x7f, "undefined encodings, with the word in mtval");
	CSRC(mstatus, 3 << 13);
	check(ILLEGAL("fmv.w.x ft0,zero"), "floating point that is off");
	finish();
}
