/*
 * Runs a benchmark kernel bare: S mode under Sv39 (Sv48 with -DLEVELS=4), pages of 4 KiB in shuffled places. A little of a C library.
 * The program is linked at 0x80000000; M mode copies it page by page to where the tables then map it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#ifndef LEVELS
#define LEVELS 3
#endif
#ifndef PAGES
#define PAGES 16384
#define PLACES 0x88000000ull /* behind the program */
#endif
enum { V = 1, RWX = 14, AD = 192 };
typedef uint64_t u64;
static u64 tables[LEVELS][512] __attribute__((aligned(4096))), leaf[PAGES / 512][512] __attribute__((aligned(4096)));
static uint32_t place[PAGES];
extern char _end[];
int main(void);

/* Of the C library proper: string.h, linked in. Its toupper wants a thread's locale, and its stack's guard all of the start of a program. */
u64 __stack_chk_guard;
void __stack_chk_fail(void)
{
	for (;;)
		;
}
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
const int32_t **__ctype_toupper_loc(void)
{
	static int32_t table[128];
	static const int32_t *at;
	for (int c = 0; !at && c < 128; c++)
		table[c] = c >= 'a' && c <= 'z' ? c - 32 : c;
	at = table;
	return &at;
}
/*
 * Blocks of the sizes that the host's C library makes them, so that both sides touch as much memory: with a word in front, multiples of 16 up to a
 * KiB; larger ones powers of two. Never given to another size.
 */
static char *heap_at;
static void *free_list[112];
static unsigned class_of(size_t n)
{
	size_t size = n + 8 < 32 ? 32 : (n + 8 + 15) & ~(size_t)15;
	unsigned k = 64;
	while (size > 1024 && size > 1ul << (k - 64))
		k++;
	return size <= 1024 ? size / 16 : k;
}
static size_t size_of(unsigned k)
{
	return k <= 64 ? k * 16ul : 1ul << (k - 64);
}
void *malloc(size_t n)
{
	unsigned k = class_of(n);
	char *p = free_list[k];
	if (p) {
		free_list[k] = *(void **)p;
		return p;
	}
	if (!heap_at)
		heap_at = _end + (24 - (uintptr_t)_end % 16);
	p = heap_at;
	heap_at += size_of(k);
	*(u64 *)p = k;
	return p + 8;
}
void free(void *q)
{
	if (q) {
		unsigned k = *(u64 *)((char *)q - 8);
		*(void **)q = free_list[k];
		free_list[k] = q;
	}
}
void *calloc(size_t n, size_t m)
{
	return memset(malloc(n * m), 0, n * m);
}
int putchar(int c)
{
	*(volatile char *)0x10000000 = (char)c;
	return c;
}
int puts(const char *s)
{
	while (*s)
		putchar(*s++);
	return putchar('\n');
}
static void number(u64 v, unsigned base, int width, char fill)
{
	char b[32];
	int n = 0;
	do
		b[n++] = "0123456789abcdef"[v % base];
	while (v /= base);
	while (n < width)
		b[n++] = fill;
	while (n)
		putchar(b[--n]);
}
int printf(const char *f, ...)
{
	va_list a;
	va_start(a, f);
	for (; *f; f++) {
		if (*f != '%') {
			putchar(*f);
			continue;
		}
		char fill = *++f == '0' ? '0' : ' ';
		int width = 0, prec = 6, wide = 0;
		for (; *f >= '0' && *f <= '9'; f++)
			width = width * 10 + *f - '0';
		if (*f == '.')
			for (prec = 0, f++; *f >= '0' && *f <= '9'; f++)
				prec = prec * 10 + *f - '0';
		for (; *f == 'l'; f++)
			wide = 1;
		if (*f == 's') {
			for (const char *s = va_arg(a, const char *); *s; s++)
				putchar(*s);
		} else if (*f == 'c') {
			putchar(va_arg(a, int));
		} else if (*f == 'd') {
			int64_t v = wide ? va_arg(a, int64_t) : va_arg(a, int);
			if (v < 0)
				putchar('-'), v = -v;
			number(v, 10, width, fill);
		} else if (*f == 'f' || *f == 'g' || *f == 'e') {
			double d = va_arg(a, double);
			if (d < 0)
				putchar('-'), d = -d;
			number((u64)d, 10, 1, '0');
			putchar('.');
			for (d -= (u64)d; prec--; d -= (int)d)
				putchar('0' + (int)(d *= 10));
		} else {
			u64 v = wide ? va_arg(a, u64) : va_arg(a, unsigned);
			number(v, *f == 'x' ? 16 : 10, width, fill);
		}
	}
	return 0;
}
__attribute__((used)) static void in_s(void)
{
	int status = main();
	*(volatile uint32_t *)0x100000 = status ? 0x3333 | status << 16 : 0x5555;
	for (;;)
		;
}
__attribute__((used)) static void start(void)
{
	u64 seed = 88172645463325252ull, *low = tables[LEVELS - 1];
	for (int i = 0; i < PAGES; i++)
		place[i] = i;
	for (int i = PAGES - 1; i > 0; i--) {
		seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
		uint32_t k = seed % (i + 1), t = place[i];
		place[i] = place[k], place[k] = t;
	}
	for (int i = 0; i < PAGES; i++) {
		u64 to = PLACES + (u64)place[i] * 4096;
		leaf[i / 512][i % 512] = to >> 12 << 10 | V | RWX | AD;
		if (0x80000000ull + i * 4096ull < (u64)_end)
			memcpy((void *)to, (void *)(0x80000000ull + i * 4096ull), 4096);
	}
	static u64 under2[512] __attribute__((aligned(4096)));
	for (int i = 0; i < PAGES / 512; i++)
		under2[i] = (u64)leaf[i] >> 12 << 10 | V;
	low[0] = 0 << 10 | V | RWX | AD; /* devices: 1 GiB */
	low[2] = (u64)under2 >> 12 << 10 | V;
	if (LEVELS == 4)
		tables[0][0] = (u64)low >> 12 << 10 | V;
	u64 satp = (u64)(LEVELS == 4 ? 9 : 8) << 60 | (u64)(LEVELS == 4 ? tables[0] : low) >> 12;
	__asm__ volatile("csrw satp,%0\n sfence.vma\n li t0,-1\n csrw pmpaddr0,t0\n li t0,0x1f\n csrw pmpcfg0,t0\n li t0,0x1800\n csrc mstatus,t0\n li t0,0x6800\n csrs mstatus,t0\n"
			 "la t0,in_s\n csrw mepc,t0\n mret"
			 :
			 : "r"(satp)
			 : "t0", "memory");
}
__asm__(".section .start,\"ax\"\n.globl _start\n_start: la sp,stack_end\n j start\n.previous\n.bss\n.balign 16\nstack: .space 1048576\nstack_end:\n.previous\n");
