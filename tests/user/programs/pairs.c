/* FEAT_LSE2: pairs of registers in 16 aligned bytes are stored and loaded at once; atomics at any address within 16 bytes. Arm's alone. */
#define _GNU_SOURCE
#include "check.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/wait.h>

#if defined(__aarch64__)
__asm__(".arch_extension lse");
enum { USCAT = 1 << 25, ROUNDS = 3000000 };

static void store_pair(void *at, uint64_t a, uint64_t b)
{
	__asm__ volatile("stp %1, %2, [%0]" : : "r"(at), "r"(a), "r"(b) : "memory");
}

static int torn_pair(const void *at)
{
	uint64_t a, b;
	__asm__ volatile("ldp %0, %1, [%2]" : "=&r"(a), "=&r"(b) : "r"(at) : "memory");
	return a != b;
}

static int torn_words(const void *at)
{
	uint32_t a, b;
	__asm__ volatile("ldp %w0, %w1, [%2]" : "=&r"(a), "=&r"(b) : "r"(at) : "memory");
	return a != b;
}

struct place {
	uint64_t pair[2] __attribute__((aligned(16)));
	uint32_t words[2] __attribute__((aligned(8)));
	volatile int stop;
};

static void *write_pairs(void *arg)
{
	struct place *p = arg;
	for (uint64_t i = 0; !p->stop; i++) {
		store_pair(p->pair, i, i);
		__asm__ volatile("stp %w1, %w1, [%0]" : : "r"(p->words), "r"(i) : "memory");
	}
	return NULL;
}

static long torn(const struct place *p)
{
	long n = 0;
	for (int i = 0; i < ROUNDS; i++)
		n += torn_pair(p->pair) + torn_words(p->words);
	return n;
}

static void between_threads(void)
{
	static struct place p;
	pthread_t writer;
	pthread_create(&writer, NULL, write_pairs, &p);
	CHECK("a pair that another thread stores is never seen in half", torn(&p) == 0);
	p.stop = 1;
	pthread_join(writer, NULL);
}

static void between_processes(void)
{
	struct place *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child = fork();
	if (!child) {
		write_pairs(p);
		_exit(0);
	}
	CHECK("nor one that another process stores into memory in common", torn(p) == 0);
	p->stop = 1;
	waitpid(child, NULL, 0);
}

static sigjmp_buf back;
static void fault(int sig, siginfo_t *info, void *uc)
{
	siglongjmp(back, sig == SIGBUS && info->si_code == BUS_ADRALN ? 1 : 2);
}

/* How many of the 16 places in an aligned 16 bytes give what they should: the old value, or SIGBUS behind the last one that fits. */
static int places(int kind)
{
	static uint8_t buf[32] __attribute__((aligned(16)));
	int right = 0;
	for (int at = 0; at < 16; at++) {
		uint64_t old = 0, one = 1;
		volatile int fits = at <= 8;
		void *p = buf + at;
		memset(buf, 0x11, sizeof(buf));
		int how = sigsetjmp(back, 1);
		if (how) {
			right += how == 1 && !fits;
			continue;
		}
		if (kind == 0)
			__asm__ volatile("ldadd %1, %0, [%2]" : "=&r"(old) : "r"(one), "r"(p) : "memory");
		else if (kind == 1)
			__asm__ volatile("ldar %0, [%1]" : "=&r"(old) : "r"(p) : "memory");
		else if (kind == 2)
			__asm__ volatile("mov %0, %2\n cas %0, %1, [%3]" : "=&r"(old) : "r"(one), "r"(0x1111111111111111ul), "r"(p) : "memory");
		else
			__asm__ volatile("mov %0, %1\n stlr %0, [%2]" : "=&r"(old) : "r"(0x1111111111111111ul), "r"(p) : "memory");
		uint64_t now;
		memcpy(&now, p, 8);
		right += fits && old == 0x1111111111111111ul && now == (kind == 0 ? old + 1 : kind == 2 ? 1 : old);
	}
	return right;
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = fault, .sa_flags = SA_SIGINFO };
	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	CHECK("HWCAP says uscat", getauxval(AT_HWCAP) & USCAT);
	CHECK("ldadd within 16 bytes", places(0) == 16);
	CHECK("ldar within 16 bytes", places(1) == 16);
	CHECK("cas within 16 bytes", places(2) == 16);
	CHECK("stlr within 16 bytes", places(3) == 16);
	between_processes();
	between_threads();
	return check_failed;
}
#else
int main(void)
{
	return 0;
}
#endif
