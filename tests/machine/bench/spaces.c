/*
 * What address spaces cost, in S mode under Sv39: -DPART=1 work in two, with a switch between them each round; =2 the same without switches, by turns on
 * as many pages of one (twice the pages take more of the caches, which is not the switches' doing);
 * =3 and =4 the same with rounds of some 100 microseconds, so that there are 10,000 switches a second; =5 pages that are mapped, touched and unmapped;
 * =6 a thousand small spaces after one another. Who runs it compares times.
 */
#include "../programs/bare.h"
enum { V = 1, RWX = 14, G = 32, AD = 192, SPACES = 2, PAGES = 256 };
#define LEAF (V | RWX | AD)
#define VA 0x3000000000ul
static ul root[SPACES][512] __attribute__((aligned(4096))), middle[SPACES][512] __attribute__((aligned(4096)));
static ul leaf[SPACES][512] __attribute__((aligned(4096))), frame[SPACES * PAGES][512] __attribute__((aligned(4096)));

static ul pte(const void *at, ul bits)
{
	return (ul)at >> 12 << 10 | bits;
}
static void use(ul space, ul asid)
{
	CSRW(satp, 8ul << 60 | asid << 44 | (ul)root[space] >> 12);
}
static void make_space(ul s)
{
	root[s][0] = pte((void *)0, LEAF | G);
	root[s][2] = pte((void *)0x80000000ul, LEAF | G);
	root[s][VA >> 30] = pte(middle[s], V);
	middle[s][0] = pte(leaf[s], V);
	for (ul i = 0; i < PAGES; i++) /* places as if they had been used for long */
		leaf[s][i] = pte(frame[s * PAGES + i * 97 % PAGES], LEAF);
}
/* n rounds over some pages of the present space, from one on. */
__attribute__((noinline)) static ul work(ul rounds, ul pages, ul first)
{
	ul sum = 0;
	for (ul i = 0; i < rounds; i++)
		for (ul p = 0; p < pages; p++) {
			volatile ul *at = (volatile ul *)(VA + (first + p) * 4096 + (i * 8 & 4088));
			sum = sum * 5 + *at;
			*at = sum;
		}
	return sum;
}
static void rounds(ul n, ul work_rounds, ul pages, int with_switches)
{
	for (ul i = 0; i < n; i++) {
		if (with_switches)
			use(i & 1, (i & 1) + 1);
		work(work_rounds, pages, with_switches ? 0 : (i & 1) * pages);
	}
}
static ul often(ul n)
{
	rounds(n, 1, 8, PART == 1);
	return 0;
}
static ul seldom(ul n)
{
	rounds(n, 600, 64, PART == 3);
	return 0;
}
static ul churn(ul n)
{
	ul sum = 0;
	for (ul i = 0; i < n; i++) {
		ul p = i % PAGES, at = VA + p * 4096;
		leaf[0][p] = pte(frame[i * 7 % PAGES], LEAF);
		for (ul k = 0; k < 64; k++)
			sum += ((volatile ul *)at)[k]++;
		leaf[0][p] = 0;
		__asm__ volatile("sfence.vma %0, zero" : : "r"(at) : "memory");
	}
	return sum;
}
static ul forks(ul n)
{
	enum { SMALL = 32 };
	for (ul i = 0; i < n; i++) {
		ul asid = i % 1000 + 2;
		use(0, 1);
		for (ul p = 0; p < SMALL; p++) /* a copy of the parent's page each */
			for (ul k = 0; k < 512; k++)
				frame[PAGES + p][k] = ((volatile ul *)(VA + p * 4096))[k];
		for (ul p = 0; p < SMALL; p++)
			leaf[1][p] = pte(frame[PAGES + p], LEAF);
		__asm__ volatile("sfence.vma zero, %0" : : "r"(asid) : "memory");
		use(1, asid);
		work(200, SMALL, 0);
	}
	return 0;
}

void rom_main(ul hart)
{
	static ul (*const part[])(ul) = { often, often, seldom, seldom, churn, forks };
	static const ul count[] = { 1000000, 1000000, 20000, 20000, 2000000, 4000 };
	for (ul s = 0; s < SPACES; s++)
		make_space(s);
	use(0, 1);
	__asm__ volatile("sfence.vma" : : : "memory");
	call_s((ul)part[PART - 1], count[PART - 1]);
	put("done\n");
	finish();
}
