/* Two CPUs share data: a counter, a lock, a queue. Bare on the test machine, or a program of two threads. */
#ifdef __riscv
#include "../programs/bare.h"
#else
#include <pthread.h>
#include <stdio.h>
typedef unsigned long ul;
#endif
enum { ROUNDS = 3000000, ITEMS = 3000000, QUEUE = 1024 };
static volatile ul ready, counter, sum;
static ul locked;
static volatile int lock;
static volatile ul head __attribute__((aligned(64))), tail __attribute__((aligned(64)));
static ul item[QUEUE];

static void together(ul n)
{
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) < n)
		;
}
static void work(ul which)
{
	together(2);
	for (ul i = 0; i < ROUNDS; i++)
		__atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED);
	for (ul i = 0; i < ROUNDS / 4; i++) {
		while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
			while (__atomic_load_n(&lock, __ATOMIC_RELAXED))
				;
		locked++;
		__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	}
	together(4);
	ul total = 0;
	for (ul i = 0; i < ITEMS; i++) {
		if (which) {
			while (i - __atomic_load_n(&tail, __ATOMIC_ACQUIRE) == QUEUE)
				;
			item[i % QUEUE] = i * 3;
			__atomic_store_n(&head, i + 1, __ATOMIC_RELEASE);
		} else {
			while (__atomic_load_n(&head, __ATOMIC_ACQUIRE) == i)
				;
			total += item[i % QUEUE];
			__atomic_store_n(&tail, i + 1, __ATOMIC_RELEASE);
		}
	}
	if (!which)
		sum = total;
	together(6);
}
static int right(void)
{
	return counter == 2ul * ROUNDS && locked == 2ul * (ROUNDS / 4) && sum == 3ul * (ITEMS - 1ul) * ITEMS / 2;
}
#ifdef __riscv
void rom_main(ul hart)
{
	work(hart);
	if (hart)
		for (;;)
			__asm__ volatile("wfi");
	put(right() ? "shared\n" : "wrong\n");
	finish();
}
#else
static void *other(void *unused)
{
	work(1);
	return unused;
}
int main(void)
{
	pthread_t t;
	pthread_create(&t, 0, other, 0);
	work(0);
	pthread_join(t, 0);
	puts(right() ? "shared" : "wrong");
	return 0;
}
#endif
