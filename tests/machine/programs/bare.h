/* What the bare programs share: start, console, end, traps that are noted and stepped over, calls in S mode. */
typedef unsigned int u32;
typedef unsigned long ul;
typedef unsigned char u8;
#define CSRR(n) ({ ul v_; __asm__ volatile("csrr %0," #n : "=r"(v_)); v_; })
#define CSRW(n, v) __asm__ volatile("csrw " #n ",%0" : : "r"((ul)(v)) : "memory")
#define CSRS(n, v) __asm__ volatile("csrs " #n ",%0" : : "r"((ul)(v)) : "memory")
#define CSRC(n, v) __asm__ volatile("csrc " #n ",%0" : : "r"((ul)(v)) : "memory")
#define LAST_BIT (1ul << (sizeof(ul) * 8 - 1))
#define MTIMECMP(hart) ((volatile u32 *)0x2004000 + 2 * (hart))
#define MTIME ((volatile u32 *)0x200bff8)
#define MSIP(hart) ((volatile u32 *)0x2000000 + (hart))
enum { MPP_S = 1 << 11, MPP = 3 << 11, MPRV = 1 << 17, SUM = 1 << 18, MXR = 1 << 19 };

static volatile ul cause, tval, traps, interrupts, back;
static volatile u32 failed, number;

static void put(const char *s)
{
	while (*s)
		*(volatile u8 *)0x10000000 = *s++;
}
static void put_number(ul v)
{
	char b[24], *p = b + 23;
	*p = 0;
	do
		*--p = '0' + v % 10;
	while (v /= 10);
	put(p);
}
static void check(int good, const char *what)
{
	put(good ? "ok " : "not ok "), put_number(++number), put(" - "), put(what), put("\n");
	failed |= !good;
}
static void finish(void)
{
	*(volatile u32 *)0x100000 = failed ? 0x13333 : 0x5555;
	for (;;)
		;
}
/* Exceptions step over an instruction of four bytes; a call in S mode comes back by ecall, or by a fault of its fetch. */
__attribute__((interrupt("machine"), aligned(4), used)) static void trap(void)
{
	ul c = CSRR(mcause);
	if (c & LAST_BIT) {
		interrupts++;
		if ((c & 0xff) == 7) {
			MTIMECMP(CSRR(mhartid))[1] = ~0u;
		} else if ((c & 0xff) == 3) {
			*MSIP(CSRR(mhartid)) = 0;
		}
		return;
	}
	if (c != 9)
		cause = c, tval = CSRR(mtval), traps++;
	if (c == 9 || c == 12 || c == 1) {
		CSRW(mepc, back);
		CSRS(mstatus, MPP);
	} else {
		CSRW(mepc, CSRR(mepc) + 4);
	}
}
/* Calls a function at a virtual address in S mode, and gives what it returns. Interrupts of M mode come through. */
static ul call_s(ul fn, ul arg)
{
	register ul a0 __asm__("a0") = arg;
	register ul a1 __asm__("a1") = fn;
	__asm__ volatile(".option push\n.option norvc\n li t0,0x1800\n csrc mstatus,t0\n li t0,0x800\n csrs mstatus,t0\n la t0,1f\n sd t0,%[back]\n csrw mepc,a1\n la ra,2f\n mret\n"
			 "2: ecall\n1:\n.option pop"
			 : "+r"(a0), "+r"(a1), [back] "=m"(back)
			 :
			 : "memory", "ra", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a2", "a3", "a4", "a5", "a6", "a7");
	return a0;
}
void rom_main(ul hart);
__asm__(".section .start,\"ax\"\n.globl _start\n_start: csrr a0,mhartid\n la sp,stacks\n addi t0,a0,1\n slli t0,t0,14\n add sp,sp,t0\n la t0,trap\n csrw mtvec,t0\n"
	" li t0,-1\n csrw pmpaddr0,t0\n li t0,0x1f\n csrw pmpcfg0,t0\n li t0,0x6000\n csrs mstatus,t0\n j rom_main\n.previous\n");
__attribute__((aligned(16), used)) u8 stacks[4 << 14];
