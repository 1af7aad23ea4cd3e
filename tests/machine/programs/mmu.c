/* Page tables, contexts, code that changes, interrupts: what the engine keeps about addresses must never be older than the manual lets it be. */
#include "bare.h"
#ifndef ROUNDS
#define ROUNDS 60000 /* 10 million for a thorough run */
#endif
enum { V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128, PAGES = 512, FRAMES = 64 };
#define LEAF (V | R | W | X | A | D)
#define PAGE_AT(i) (VA + (ul)(i) * 4096)
#define VA 0x3000000000ul /* root slot 192 */
#define HIGH 0xffffffd000000000ul /* root slot 320 */
static ul root[2][512] __attribute__((aligned(4096))), middle[2][512] __attribute__((aligned(4096))), leaf[2][512] __attribute__((aligned(4096)));
static ul high_middle[512] __attribute__((aligned(4096))), high_leaf[512] __attribute__((aligned(4096)));
static ul frame[FRAMES][512] __attribute__((aligned(4096)));
static ul seed = 88172645463325252ul;
static ul rnd(void)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return seed;
}
static ul pte(const void *at, ul bits)
{
	return (ul)at >> 12 << 10 | bits;
}
static void set_up(void)
{
	for (int s = 0; s < 2; s++) {
		root[s][0] = pte((void *)0, LEAF); /* devices */
		root[s][2] = pte((void *)0x80000000ul, LEAF | G); /* RAM: a page of 1 GiB */
		root[s][VA >> 30] = pte(middle[s], V);
		middle[s][0] = pte(leaf[s], V);
	}
	root[0][HIGH >> 30 & 511] = pte(high_middle, V);
	high_middle[0] = pte(high_leaf, V);
}
static void use(int space)
{
	CSRW(satp, 8ul << 60 | (ul)(space + 1) << 44 | (ul)root[space] >> 12);
}
#define FENCE() __asm__ volatile("sfence.vma" : : : "memory")
#define FENCE_PAGE(a) __asm__ volatile("sfence.vma %0, zero" : : "r"(a) : "memory")
#define FENCE_SPACE(n) __asm__ volatile("sfence.vma zero, %0" : : "r"((ul)(n)) : "memory")
/* In S mode's memory, from M mode. */
static ul get(ul at, ul extra)
{
	ul v = 0x5a5a;
	CSRC(mstatus, MPP | SUM | MXR);
	CSRS(mstatus, MPP_S | extra);
	__asm__ volatile(".option push\n.option norvc\n csrs mstatus,%2\n ld %0,0(%1)\n csrc mstatus,%2\n.option pop" : "+&r"(v) : "r"(at), "r"((ul)MPRV) : "memory");
	return v;
}
static void set(ul at, ul v)
{
	CSRC(mstatus, MPP | SUM | MXR);
	CSRS(mstatus, MPP_S);
	__asm__ volatile(".option push\n.option norvc\n csrs mstatus,%2\n sd %0,0(%1)\n csrc mstatus,%2\n.option pop" : : "r"(v), "r"(at), "r"((ul)MPRV) : "memory");
}
static int faults(ul n, ul want, ul at)
{
	int good = traps == n + 1 && cause == want && tval == at;
	traps = n;
	return good;
}

/* Has the word at an address the value it must have, or does reading it fault as it must? */
static int right_read(ul at, const ul *p, ul extra)
{
	ul was = traps, bits = *p, *f = (ul *)(*p >> 10 << 12);
	int usable = (bits & V) && (bits & (R | W)) != W;
	int may = usable && (bits & R || (bits & X && extra & MXR)) && (!(bits & U) || extra & SUM);
	ul v = get(at, extra);
	return may ? traps == was && v == f[at >> 3 & 511] && *p & A : faults(was, 13, at);
}
static int right_write(ul at, const ul *p, ul v)
{
	ul was = traps, *f = (ul *)(*p >> 10 << 12);
	int may = (*p & (V | W | R | U)) == (V | W | R);
	set(at, v);
	return may ? traps == was && f[at >> 3 & 511] == v && (*p & (A | D)) == (A | D) : faults(was, 15, at);
}
/* Random mappings, permissions and accesses in both halves of the address space against what the tables say. */
static void random_tables(void)
{
	static const ul perm[] = { 0, V | R, V | R | W, V | X, V | R | X, V | R | W | X, V | W, V | R | W | U };
	ul bad = 0;
	for (int i = 0; i < FRAMES; i++)
		for (int k = 0; k < 512; k++)
			frame[i][k] = (ul)i << 32 | k;
	for (ul n = 0; n < ROUNDS; n++) {
		ul r = rnd(), was = traps;
		int page = r % PAGES, high = r >> 44 & 1;
		ul at = (high ? HIGH : VA) + page * 4096ul + (r >> 10 & 511) * 8, *p = high ? &high_leaf[page] : &leaf[0][page];
		if ((r >> 24 & 7) == 0) {
			*p = perm[r >> 28 & 7] ? pte(frame[r >> 32 & (FRAMES - 1)], perm[r >> 28 & 7]) : 0;
			if (r >> 40 & 1)
				FENCE_PAGE(at);
			else
				FENCE_SPACE(1);
		}
		int reads = r >> 41 & 1;
		ul extra = (r >> 42 & 1 ? SUM : 0) | (r >> 43 & 1 ? MXR : 0);
		bad += reads ? !right_read(at, p, extra) : !right_write(at, p, r);
		traps = was;
	}
	check(bad == 0, "accesses under random page tables");
}

/* An instruction of its own for each address, so that none has learned anything: code at `at`, in S mode. */
static ul alone(ul code, u32 *write, u32 insn, ul addr)
{
	write[0] = insn, write[1] = 0x00008067; /* ret */
	__asm__ volatile("fence.i" : : : "memory");
	return call_s(code, addr);
}
static int is_mapped(ul at)
{
	ul sign = (ul)((long)at >> 38);
	return (sign == 0 || sign == ~0ul) && root[0][at >> 30 & 511];
}
static ul boundary(ul at, int store, int disp, ul n)
{
	ul page = n % 2 ? HIGH : VA, was = traps, from = at - disp, place = n / 2 % 512 * 8;
	u32 insn = store ? 0x00a53023 | (disp & 0xfe0) << 20 | (disp & 31) << 7 : 0x00053503 | (u32)disp << 20; /* sd a0,disp(a0); ld */
	if (is_mapped(at) || is_mapped(at + 7)) /* a split access faults at its first page that is not there */
		return 0;
	(void)alone(page + place, (u32 *)((u8 *)frame[40] + place), insn, from);
	return !faults(was, store ? 15 : 13, at);
}
/* No address but those that the tables map reaches any memory: around every power of two, by displacements, from code in both halves. */
static void boundaries(void)
{
	static const int disp[] = { 0, 2047, -2048 };
	ul bad = 0, n = 0;
	for (int i = 0; i < PAGES; i++)
		leaf[0][i] = high_leaf[i] = 0;
	leaf[0][0] = high_leaf[0] = pte(frame[40], LEAF);
	FENCE();
	for (int bit = 12; bit < 65; bit++)
		for (int k = -2; k < 3; k++)
			for (int d = 0; d < 3; d++)
				for (int how = 0; how < 4; how++) {
					ul at = (bit == 64 ? 0 : 1ul << bit) + k * 4, where = how & 1 ? at : -at;
					bad += boundary(where, how >> 1, disp[d], n++);
				}
	check(bad == 0, "around every power of two nothing is reached that is not mapped");
}

/* Sv48: the middle of its addresses, in four places far from one another, two of which want the same slice of a window. */
static ul top[512] __attribute__((aligned(4096))), far[4][2][512] __attribute__((aligned(4096)));
static const ul far_at[4] = { 0x555500000000ul, 0x7ffff0000000ul, 0xffff900000000000ul, 0x555500000000ul + (4ul << 36) };
/* An instruction of its own for each place, and one for all. */
#define FAR(n) \
	__attribute__((noinline, noclone)) static ul far_both##n(ul at, ul v) \
	{ \
		CSRC(mstatus, MPP | SUM | MXR); \
		CSRS(mstatus, MPP_S); \
		ul was; \
		__asm__ volatile("csrs mstatus,%3\n ld %0,0(%1)\n sd %2,0(%1)\n csrc mstatus,%3" : "=&r"(was) : "r"(at), "r"(v), "r"((ul)MPRV) : "memory"); \
		return was; \
	}
FAR(0) FAR(1) FAR(2) FAR(3) FAR(4)
static ul (*const far_both[])(ul, ul) = { far_both0, far_both1, far_both2, far_both3, far_both4 };
static void far_places(void)
{
	ul bad = 0, was = traps;
	top[0] = pte(root[0], V);
	for (int i = 0; i < 4; i++) {
		static ul under[4][512] __attribute__((aligned(4096)));
		ul at = far_at[i];
		if (!top[at >> 39 & 511])
			top[at >> 39 & 511] = pte(under[i], V);
		ul *l3 = (ul *)(top[at >> 39 & 511] >> 10 << 12);
		l3[at >> 30 & 511] = pte(far[i][0], V);
		far[i][0][at >> 21 & 511] = pte(far[i][1], V);
		for (int k = 0; k < 8; k++)
			far[i][1][(at >> 12 & 511) + k] = pte(frame[i * 8 + k], LEAF);
	}
	CSRW(satp, 9ul << 60 | 7ul << 44 | (ul)top >> 12);
	FENCE();
	for (ul n = 0; n < 20000; n++) {
		ul r = rnd(), place = n / 1000 % 5 < 4 ? n / 1000 % 5 : r & 3, page = r >> 8 & 7, word = r >> 16 & 511; /* one for long, or any */
		ul at = far_at[place] + page * 4096 + word * 8, *f = &frame[place * 8 + page][word];
		if (n % 512 == 0) {
			ul *p = &far[place][1][(at >> 12 & 511)];
			*p = 0;
			FENCE_PAGE(at);
			(void)get(at, 0);
			bad += !faults(was, 13, at);
			*p = pte(frame[place * 8 + page], LEAF);
		}
		*f = r;
		bad += far_both[r >> 32 & 7 ? place : 4](at, n) != r;
		bad += *f != n || traps != was;
	}
	check(bad == 0, "places far from one another under Sv48");
	use(0);
	FENCE();
}

static void spaces(void)
{
	leaf[0][0] = pte(frame[0], LEAF), leaf[1][0] = pte(frame[1], LEAF);
	FENCE();
	frame[0][0] = 1111, frame[1][0] = 2222;
	ul bad = 0;
	for (int i = 0; i < 1000; i++) {
		use(i & 1);
		bad += get(VA, 0) != (i & 1 ? 2222 : 1111);
	}
	check(bad == 0, "two address spaces change without a flush");
	use(0);
	leaf[0][0] = pte(frame[2], LEAF);
	frame[2][0] = 3333;
	FENCE_SPACE(2);
	FENCE_SPACE(1);
	check(get(VA, 0) == 3333, "a flush of one address space");
}

static void sizes(void)
{
	ul was = traps;
	middle[0][1] = pte((void *)0x80200000ul, LEAF);
	FENCE();
	*(volatile ul *)0x80200008ul = 77;
	check(get(VA + 0x200008, 0) == 77, "a page of 2 MiB");
	(void)get(VA + 0x3ff000, 0);
	middle[0][1] = pte((void *)0x80400000ul, LEAF);
	*(volatile ul *)0x80400008ul = 78;
	FENCE_PAGE(VA + 0x3ff000); /* another address of the same page */
	check(get(VA + 0x200008, 0) == 78, "a flush by any address of a large page");
	middle[0][1] = pte((void *)0x80201000ul, LEAF);
	FENCE();
	(void)get(VA + 0x200008, 0);
	check(faults(was, 13, VA + 0x200008), "a misaligned large page");
	middle[0][1] = pte(middle[0], V); /* points to itself, and one level too deep */
	FENCE();
	(void)get(VA + 0x200000 + 0x1000, 0);
	check(faults(was, 13, VA + 0x201000), "a page table without a leaf");
	middle[0][1] = pte((void *)0x7000000000ul, LEAF);
	FENCE();
	(void)get(VA + 0x200008, 0);
	check(faults(was, 5, VA + 0x200008), "a page of nothing");
	middle[0][1] = pte((void *)0x7000000000ul, V);
	FENCE();
	(void)get(VA + 0x200008, 0);
	check(faults(was, 5, VA + 0x200008), "a page table in nothing");
	ul bad = 0;
	for (int n = 38; n < 64; n++)
		for (int k = -1; k < 2; k++) {
			ul at = (1ul << n) + k * 8;
			if (at < 1ul << 38 || at >= -(1ul << 38))
				continue;
			(void)get(at, 0);
			bad += !faults(was, 13, at);
		}
	check(bad == 0, "addresses that are not canonical");
}

/* Four accesses by one base: two words before it, two behind; what is read goes to the other place of its side. */
static ul several(ul at)
{
	ul v;
	__asm__ volatile(".option push\n.option norvc\n csrc mstatus,%3\n csrs mstatus,%2\n ld t0,-16(%1)\n ld t1,0(%1)\n sd t0,-8(%1)\n sd t1,8(%1)\n add %0,t0,t1\n csrc mstatus,%4\n"
			 ".option pop"
			 : "=&r"(v)
			 : "r"(at), "r"((ul)(MPRV | MPP_S)), "r"((ul)MPP), "r"((ul)MPRV)
			 : "t0", "t1", "memory");
	return v;
}
/* In one page, in two of different places, and where the second may not be written. */
static void by_one_base(void)
{
	ul bad = 0, was = traps;
	for (ul i = 0; i < 60; i++) {
		ul at = i % 3 ? PAGE_AT(9) : PAGE_AT(9) - 64;
		ul *before = (i % 3 ? &frame[8][512] : &frame[8][504]) - 2, *behind = i % 3 ? &frame[20][0] : &frame[8][504];
		int may = i % 3 != 2;
		leaf[0][9] = pte(frame[20], may ? V | R | W : V | R);
		FENCE();
		several(at); /* so that both pages are known */
		traps = was;
		before[0] = i, behind[0] = 1000 * i, before[1] = behind[1] = 7;
		bad += several(at) != 1001 * i || before[1] != i || behind[1] != (may ? 1000 * i : 7) || traps - was != !may;
		traps = was;
	}
	check(bad == 0, "accesses by one base, in one page and in two");
}
static void straddle(void)
{
	ul was = traps;
	leaf[0][8] = pte(frame[8], LEAF), leaf[0][9] = pte(frame[20], LEAF), leaf[0][10] = 0;
	FENCE();
	frame[8][511] = 0x1122334455667788ul, frame[20][0] = 0xaabbccddeeff0011ul;
	check(get(PAGE_AT(9) - 4, 0) == 0xeeff001111223344ul, "a load in two pages");
	set(PAGE_AT(9) - 2, 0x0102030405060708ul);
	check(frame[8][511] == 0x0708334455667788ul && frame[20][0] == 0xaabb010203040506ul, "a store in two pages");
	frame[20][511] = 1234567;
	set(PAGE_AT(10) - 4, 0);
	check(faults(was, 15, PAGE_AT(10)) && frame[20][511] == 1234567, "the second page faults, and nothing is written");
}

/* li a0, n; ret */
static void write_function(u32 *at, int n)
{
	at[0] = 0x00000513 | (u32)n << 20;
	at[1] = 0x00008067;
}
static void code(void)
{
	ul bad = 0, was = traps;
	leaf[0][16] = pte(frame[30], LEAF), leaf[0][17] = pte(frame[31], LEAF), leaf[0][18] = pte(frame[30], LEAF);
	FENCE();
	for (int i = 0; i < 200; i++) {
		write_function((u32 *)frame[30] + 4, i);
		__asm__ volatile("fence.i" : : : "memory");
		bad += call_s(PAGE_AT(16) + 16, 0) != (ul)i;
		write_function((u32 *)frame[30] + 4, i + 1);
		__asm__ volatile("fence.i" : : : "memory");
		bad += call_s(PAGE_AT(18) + 16, 0) != (ul)i + 1; /* the same code at another address */
	}
	check(bad == 0 && traps == was, "code that is written again, at two addresses");
	write_function((u32 *)frame[31], 5);
	leaf[0][16] = pte(frame[31], LEAF);
	FENCE_PAGE(PAGE_AT(16));
	check(call_s(PAGE_AT(16), 0) == 5, "another page of code at the same address");
	/* an instruction in two pages: the second one changes */
	u32 word[2] = { 0x00000513 | 7 << 20, 0x00008067 };
	for (int k = 0; k < 2; k++) {
		u32 *a = (u32 *)((u8 *)frame[30] + 4094);
		__builtin_memcpy((u8 *)frame[30] + 4094, (u8 *)word, 2);
		__builtin_memcpy((u8 *)frame[32 + k], (u8 *)word + 2, 2);
		__builtin_memcpy((u8 *)frame[32 + k] + 2, (u8 *)&word[1], 4);
		(void)a;
	}
	((u8 *)frame[33])[1] += 0x10; /* li a0, 263 */
	leaf[0][16] = pte(frame[30], LEAF), leaf[0][17] = pte(frame[32], LEAF);
	FENCE();
	bad = call_s(PAGE_AT(17) - 2, 0) != 7;
	leaf[0][17] = pte(frame[33], LEAF);
	FENCE_PAGE(PAGE_AT(17));
	bad += call_s(PAGE_AT(17) - 2, 0) != 263;
	leaf[0][17] = 0;
	FENCE_PAGE(PAGE_AT(17));
	(void)call_s(PAGE_AT(17) - 2, 0);
	bad += !faults(was, 12, PAGE_AT(17));
	leaf[0][17] = pte(frame[32], LEAF);
	FENCE_PAGE(PAGE_AT(17));
	bad += call_s(PAGE_AT(17) - 2, 0) != 7;
	check(bad == 0, "an instruction in two pages, of which the second changes");
}
/* Stores to the instruction behind the store itself. */
static void own_code(void)
{
	ul v;
	__asm__ volatile(".option push\n.option norvc\n la t0,1f\n li t1,0x02a00513\n sw t1,0(t0)\n1: li a0,1\n mv %0,a0\n.option pop" : "=r"(v) : : "t0", "t1", "a0", "memory");
	check(v == 42, "a store to the next instruction");
}

static volatile ul spun;
static ul spin(ul until)
{
	while (interrupts < until)
		spun++;
	return spun;
}
static void timers(void)
{
	interrupts = 0;
	CSRW(mie, 0x80);
	CSRS(mstatus, 8);
	for (ul i = 1; i <= 3; i++) {
		u32 lo = MTIME[0] + 20000;
		MTIMECMP(0)[0] = lo, MTIMECMP(0)[1] = MTIME[1];
		(void)call_s((ul)spin, i);
	}
	check(interrupts == 3, "timer interrupts end loops in S mode");
	CSRC(mstatus, 8); /* or it could come before the wfi, which would wait for ever */
	MTIMECMP(0)[0] = MTIME[0] + 20000, MTIMECMP(0)[1] = MTIME[1];
	__asm__ volatile("wfi");
	ul pending = CSRR(mip) & 0x80, before = interrupts;
	CSRS(mstatus, 8);
	check(pending && before == 3 && interrupts == 4, "wfi waits for one, masked or not");
	CSRW(mie, 0);
}

void rom_main(ul hart)
{
	if (hart)
		for (;;)
			__asm__ volatile("wfi");
	put("1..22\n");
	set_up();
	use(0);
	FENCE();
	random_tables();
	boundaries();
	far_places();
	spaces();
	use(0);
	sizes();
	straddle();
	by_one_base();
	code();
	own_code();
	timers();
	finish();
}
