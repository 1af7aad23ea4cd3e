/* Several harts: atomics, exclusives, messages, code that another hart writes. */
#include "bare.h"
enum { HARTS = 4, ROUNDS = 20000 };
static volatile u32 ready, added, exclusive, messages, go;
static volatile ul lock, locked;
static u32 function[2] __attribute__((aligned(4096)));

static void add_exclusive(volatile u32 *at)
{
	u32 old, fail;
	do
		__asm__ volatile("lr.w %0,(%2)\n addiw %0,%0,1\n sc.w %1,%0,(%2)" : "=&r"(old), "=&r"(fail) : "r"(at) : "memory");
	while (fail);
}

static void work(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		__atomic_fetch_add(&added, 1, __ATOMIC_RELAXED);
		add_exclusive(&exclusive);
		while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
			;
		locked++;
		__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	}
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
}

static void wait_ready(u32 n)
{
	while (ready < n)
		;
}

/* li a0, n; ret: written again and again by one hart while another calls it; the last of a round of writes must never be missed. */
enum { VERSION_ROUNDS = 30 };
static volatile ul published, acknowledged, stale;
static u32 changing[1024] __attribute__((aligned(4096))) = { 0x00000513, 0x00008067 }; /* whole before any hart runs */
static void change(void)
{
	ul seed = 88172645463325252ul, n = 0;
	for (ul round = 1; round <= VERSION_ROUNDS; round++) {
		seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
		for (ul i = 0; i < 20 + seed % 200; i++)
			*(volatile u32 *)changing = 0x00000513 | (n = (n + 1) % 2000) << 20;
		__atomic_store_n(&published, round << 32 | n, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(&acknowledged, __ATOMIC_SEQ_CST) != round)
			;
	}
}
static ul call_changing(void)
{
	__asm__ volatile("fence.i" : : : "memory");
	return ((ul(*)(void))changing)();
}
static void call_rounds(void)
{
	while (acknowledged < VERSION_ROUNDS) {
		call_changing();
		ul now = __atomic_load_n(&published, __ATOMIC_SEQ_CST);
		if (now >> 32 == acknowledged)
			continue;
		stale += call_changing() != (u32)now;
		__atomic_store_n(&acknowledged, now >> 32, __ATOMIC_SEQ_CST);
	}
}

static void other(ul hart)
{
	work();
	if (hart == 1)
		change();
	CSRW(mie, 8);
	for (int n = 0; n < 3; n++) { /* by message, with interrupts off: wfi ends all the same */
		while (!(CSRR(mip) & 8))
			__asm__ volatile("wfi");
		*MSIP(hart) = 0;
		__asm__ volatile("fence.i" : : : "memory");
		messages += ((ul(*)(void))function)() == n + 1 ? 1 : 1000;
		__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	}
	for (;;)
		__asm__ volatile("wfi");
}

void rom_main(ul hart)
{
	if (hart)
		other(hart);
	put("1..5\n");
	work();
	wait_ready(HARTS);
	check(added == HARTS * ROUNDS, "atomic additions of four harts");
	check(exclusive == HARTS * ROUNDS, "load-reserved and store-conditional");
	check(locked == HARTS * ROUNDS, "a lock");
	call_rounds();
	check(stale == 0, "code that another hart goes on writing");
	for (int n = 0; n < 3; n++)
		for (int h = 1; h < HARTS; h++) {
			u32 before = ready;
			function[0] = 0x00000513 | (n + 1) << 20, function[1] = 0x00008067;
			__atomic_thread_fence(__ATOMIC_SEQ_CST);
			*MSIP(h) = 1;
			wait_ready(before + 1);
		}
	check(messages == 3 * (HARTS - 1), "messages, and code that another hart wrote");
	finish();
}
