/*
 * What the programs of tests/guests/diff-GUEST.c have in common: the differential test's other side. See tests/diff/protocol.h.
 *
 * Every instruction is entered by returning from a signal handler, with all registers out of the signal frame, and left by a
 * signal: the trap behind it or its own fault. The program that includes this defines TRAP, an instruction that traps (twice, when it has 16 bits),
 * and the three functions declared first.
 */
#pragma once
#define _GNU_SOURCE
#include "../diff/protocol.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

static void take(ucontext_t *uc, siginfo_t *info, int signal, struct diff_result *to); /* what the test did */
static void give(ucontext_t *uc, const struct diff_regs *in, uint64_t pc); /* where and with what it starts */
static void stop(void); /* traps */

static struct diff_batch batch;
static struct diff_result result[DIFF_SLOTS];
static uint64_t pattern[DIFF_DATA_SIZE / 8], untouched; /* the scratch memory at the start of a test, and its hash */
static unsigned current; /* the test that runs */
static int running;

static void whole(int fd, void *buf, size_t len, int out)
{
	char *p = buf;
	while (len) {
		ssize_t n = out ? write(fd, p, len) : read(fd, p, len);
		if (n <= 0)
			_exit(n == 0 && !out ? 0 : 1);
		p += n;
		len -= (size_t)n;
	}
}

static uint64_t slot_addr(unsigned i)
{
	return DIFF_CODE + (uint64_t)i * DIFF_SLOT;
}

static void next_batch(void)
{
	whole(0, &batch.count, sizeof(batch.count), 0);
	if (!batch.count)
		_exit(0);
	whole(0, (char *)&batch + sizeof(batch.count), sizeof(batch) - sizeof(batch.count), 0);
	diff_fill(pattern, batch.seed);
	untouched = diff_hash(pattern);
	memcpy((void *)DIFF_DATA, pattern, sizeof(pattern));
	uint32_t *code = (uint32_t *)DIFF_CODE;
	for (unsigned i = 0; i < batch.count; i++)
		for (unsigned j = 0; j < DIFF_WORDS; j++)
			code[(i * DIFF_SLOT + DIFF_MIDDLE) / 4 + j] =
			    j < batch.test[i].n_words ? batch.test[i].word[j] : TRAP;
	__builtin___clear_cache((char *)DIFF_CODE, (char *)DIFF_CODE + DIFF_SLOTS * DIFF_SLOT);
	current = 0;
}

static __attribute__((noinline)) void handle(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	if (running) {
		take(uc, info, signal, &result[current]);
		result[current].memory = diff_take((uint64_t *)DIFF_DATA, pattern, untouched);
		if (++current == batch.count) {
			whole(1, result, sizeof(result[0]) * batch.count, 1);
			next_batch();
		}
	}
	running = 1;
	give(uc, &batch.test[current].in, slot_addr(current) + DIFF_MIDDLE);
}

static void *map_at(uint64_t addr, size_t size, int prot, int kind)
{
	void *p = mmap((void *)addr, size, prot, kind | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (p == MAP_FAILED)
		_exit(2);
	return p;
}

/*
 * Sets everything up and runs tests until there are no more. handler calls handle, on its own stack. shared: in memory that other processes could
 * see, where an emulator may do accesses in other ways.
 */
static void run(int shared, void (*handler)(int, siginfo_t *, void *))
{
	/* Where no test's stack pointer is likely to be: the kernel would go on from there. */
	void *stack = map_at(0x3a5f37100000, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	static const int signals[] = { SIGTRAP, SIGILL, SIGSEGV, SIGBUS, SIGFPE };
	uint32_t *code = map_at(DIFF_CODE, DIFF_SLOTS * DIFF_SLOT, PROT_READ | PROT_WRITE | PROT_EXEC,
				MAP_PRIVATE);
	for (unsigned i = 0; i < DIFF_SLOTS * DIFF_SLOT / 4; i++)
		code[i] = TRAP;
	map_at(DIFF_DATA, DIFF_DATA_SIZE, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE);
	sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = 65536 }, NULL);
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	sigfillset(&action.sa_mask);
	for (unsigned i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &action, NULL);
	next_batch();
	for (;;)
		stop();
}
