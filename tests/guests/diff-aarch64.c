/*
 * The differential test's other side on AArch64: runs single instructions on given registers and tells what they did.
 *
 * Every instruction is entered by returning from a signal handler, with all registers out of the signal frame, and left by a
 * signal: the trap behind it or its own fault. Built with aarch64-linux-gnu-gcc -static; see tests/diff/protocol.h.
 */
#define _GNU_SOURCE
#include "../diff/protocol.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum { BRK = 0xd4200000u };

static struct diff_batch batch;
static struct diff_result result[DIFF_SLOTS];
static uint64_t pattern[DIFF_DATA_SIZE / 8];
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

static struct fpsimd_context *vectors(ucontext_t *uc)
{
	struct _aarch64_ctx *head = (struct _aarch64_ctx *)uc->uc_mcontext.__reserved;
	while (head->magic != FPSIMD_MAGIC)
		head = (struct _aarch64_ctx *)((char *)head + head->size);
	return (struct fpsimd_context *)head;
}

/* r: x0..x30, sp, nzcv, fpcr, fpsr, v0 to v31 in two words each from 40 on. */
static void take(ucontext_t *uc, siginfo_t *info, int signal, struct diff_result *to)
{
	struct fpsimd_context *f = vectors(uc);
	memset(to, 0, sizeof(*to));
	for (unsigned i = 0; i < 31; i++)
		to->out.r[i] = uc->uc_mcontext.regs[i];
	to->out.r[31] = uc->uc_mcontext.sp;
	to->out.r[32] = uc->uc_mcontext.pstate & 0xf0000000;
	to->out.r[33] = f->fpcr;
	to->out.r[34] = f->fpsr;
	memcpy(&to->out.r[40], f->vregs, sizeof(f->vregs));
	to->pc = uc->uc_mcontext.pc;
	to->signal = (uint64_t)signal;
	to->fault_addr = (uint64_t)info->si_addr;
	to->memory = diff_hash((uint64_t *)DIFF_DATA);
}

static void give(ucontext_t *uc, const struct diff_regs *in, uint64_t pc)
{
	struct fpsimd_context *f = vectors(uc);
	for (unsigned i = 0; i < 31; i++)
		uc->uc_mcontext.regs[i] = in->r[i];
	uc->uc_mcontext.sp = in->r[31];
	uc->uc_mcontext.pstate = (uc->uc_mcontext.pstate & ~0xf0000000ull) | in->r[32];
	f->fpcr = (uint32_t)in->r[33];
	f->fpsr = (uint32_t)in->r[34];
	memcpy(f->vregs, &in->r[40], sizeof(f->vregs));
	uc->uc_mcontext.pc = pc;
}

static void next_batch(void)
{
	whole(0, &batch.count, sizeof(batch.count), 0);
	if (!batch.count)
		_exit(0);
	whole(0, (char *)&batch + sizeof(batch.count), sizeof(batch) - sizeof(batch.count), 0);
	diff_fill(pattern, batch.seed);
	uint32_t *code = (uint32_t *)DIFF_CODE;
	for (unsigned i = 0; i < batch.count; i++)
		for (unsigned j = 0; j < DIFF_WORDS; j++)
			code[(i * DIFF_SLOT + DIFF_MIDDLE) / 4 + j] =
			    j < batch.test[i].n_words ? batch.test[i].word[j] : BRK;
	__builtin___clear_cache((char *)DIFF_CODE, (char *)DIFF_CODE + DIFF_SLOTS * DIFF_SLOT);
	current = 0;
}

static void handler(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	if (running) {
		take(uc, info, signal, &result[current]);
		if (++current == batch.count) {
			whole(1, result, sizeof(result[0]) * batch.count, 1);
			next_batch();
		}
	}
	running = 1;
	memcpy((void *)DIFF_DATA, pattern, sizeof(pattern));
	give(uc, &batch.test[current].in, slot_addr(current) + DIFF_MIDDLE);
}

static void *map_at(uint64_t addr, size_t size, int prot)
{
	void *p = mmap((void *)addr, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (p == MAP_FAILED)
		_exit(2);
	return p;
}

int main(void)
{
	/* Where no test's stack pointer is likely to be: the kernel would go on from there. */
	void *stack = map_at(0x3a5f37100000, 65536, PROT_READ | PROT_WRITE);
	static const int signals[] = { SIGTRAP, SIGILL, SIGSEGV, SIGBUS, SIGFPE };
	uint32_t *code = map_at(DIFF_CODE, DIFF_SLOTS * DIFF_SLOT, PROT_READ | PROT_WRITE | PROT_EXEC);
	for (unsigned i = 0; i < DIFF_SLOTS * DIFF_SLOT / 4; i++)
		code[i] = BRK;
	map_at(DIFF_DATA, DIFF_DATA_SIZE, PROT_READ | PROT_WRITE);
	sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = 65536 }, NULL);
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	sigfillset(&action.sa_mask);
	for (unsigned i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &action, NULL);
	next_batch();
	__builtin_trap();
	for (;;)
		__asm__ volatile("brk #0");
}
