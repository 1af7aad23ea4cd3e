/* Two CPUs share data: a counter, a lock, a queue. Bare on the test machine, or a program of two threads.

Both are built to ask for the same order of accesses. RISC-V's acquire and release are spelled as the RISC-V ELF psABI has them ("Mappings from C/C++ primitives to
RISC-V primitives", A.6), which Linux and GCC since 13 use; GCC 12 makes a full fence and a swap of them, for which nothing stands in the program that the host runs.
With FULL every acquire and release is a full barrier, on both sides. */
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

#ifdef FULL
#define LOAD_ACQUIRE(p) \
	({ \
		__typeof__(*(p)) v_ = *(p); \
		__atomic_thread_fence(__ATOMIC_SEQ_CST); \
		v_; \
	})
#define STORE_RELEASE(p, v) ((void)__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST))
#elif defined __riscv
#define LOAD_ACQUIRE(p) \
	({ \
		__typeof__(*(p)) v_ = *(p); \
		__asm__ volatile("fence r,rw" ::: "memory"); \
		v_; \
	})
#define STORE_RELEASE(p, v) \
	({ \
		__asm__ volatile("fence rw,w" ::: "memory"); \
		*(p) = v; \
	})
#else
#define LOAD_ACQUIRE(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define STORE_RELEASE(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#endif

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
		STORE_RELEASE(&lock, 0);
	}
	together(4);
	ul total = 0;
	for (ul i = 0; i < ITEMS; i++) {
		if (which) {
			while (i - LOAD_ACQUIRE(&tail) == QUEUE)
				;
			item[i % QUEUE] = i * 3;
			STORE_RELEASE(&head, i + 1);
		} else {
			while (LOAD_ACQUIRE(&head) == i)
				;
			total += item[i % QUEUE];
			STORE_RELEASE(&tail, i + 1);
		}
	}
	if (!which)
		sum = total;
	together(6);
}
static int right(void)
{
	return counter == 2ul * ROUNDS && locked == 2ul * (ROUNDS / 4) &&
	       sum == 3ul * (ITEMS - 1ul) * ITEMS / 2;
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
