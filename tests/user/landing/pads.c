/*
 * Arm's branch target identification: which ways of jumping may reach which first instruction, in memory that asks for it and elsewhere. The table is
 * that of DDI 0487 D8.4.6 (BTypeCompatible), with Linux's SCTLR_EL1.BT0.
 */
#define _GNU_SOURCE
#include "../programs/check.h"
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

#define PROT_BTI 0x10
enum { CALL, JUMP, JUMP_X16, STRICT_JUMP, STRICT_X16, RETURN, WAYS };
static const char *const way_name[WAYS] = { "BLR", "BR", "BR X16", "BR in guarded code", "BR X16 in guarded code", "RET" };
/* Thunks of two instructions that jump to X1 (their second argument); the first word lets everybody in. */
static const uint32_t thunk[WAYS][3] = {
	[JUMP] = { 0xd50324df, 0xd503201f, 0xd61f0020 },	/* bti jc; nop; br x1 */
	[JUMP_X16] = { 0xd50324df, 0xaa0103f0, 0xd61f0200 },	/* bti jc; mov x16, x1; br x16 */
	[STRICT_JUMP] = { 0xd50324df, 0xd503201f, 0xd61f0020 },
	[STRICT_X16] = { 0xd50324df, 0xaa0103f0, 0xd61f0200 },
	[RETURN] = { 0xd50324df, 0xd503201f, 0xd65f0020 },	/* ret x1 */
};
static const struct pad {
	const char *name;
	uint32_t word, next;
	char lands[WAYS];
} pad[] = {
	{ "nop", 0xd503201f, 0xd503201f, { 0, 0, 0, 0, 0, 1 } },
	{ "bti", 0xd503241f, 0xd503201f, { 0, 0, 0, 0, 0, 1 } },
	{ "bti c", 0xd503245f, 0xd503201f, { 1, 1, 1, 0, 1, 1 } },
	{ "bti j", 0xd503249f, 0xd503201f, { 0, 1, 1, 1, 1, 1 } },
	{ "bti jc", 0xd50324df, 0xd503201f, { 1, 1, 1, 1, 1, 1 } },
	{ "paciasp", 0xd503233f, 0xd50323bf, { 1, 1, 1, 0, 1, 1 } }, /* autiasp */
};
enum { PADS = sizeof(pad) / sizeof(pad[0]) };
static const int btype[WAYS] = { 2, 1, 1, 3, 1, 0 };

static volatile int seen_code, seen_btype;
static volatile uintptr_t seen_at;

static void on_ill(int sig, siginfo_t *info, void *vuc)
{
	ucontext_t *uc = vuc;
	(void)sig;
	seen_code = info->si_code;
	seen_at = (uintptr_t)info->si_addr;
	seen_btype = uc->uc_mcontext.pstate >> 10 & 3;
	uc->uc_mcontext.pstate &= ~(3ull << 10);
	uc->uc_mcontext.regs[0] = 0;
	uc->uc_mcontext.pc = uc->uc_mcontext.regs[30];
}

typedef int fn(int, void *);

/* 1 landed, 0 refused as it should be refused, -1 something else. */
static int try(uint32_t *guarded, uint32_t *open, int way, int n)
{
	uint32_t *target = guarded + 16 * n;
	uint32_t *from = way == CALL ? target : (way == JUMP || way == JUMP_X16 ? open : guarded) + 256 + 16 * way;
	seen_at = 0;
	int got = ((fn *)from)(0, target);
	if (got == 1)
		return seen_at ? -1 : 1;
	return got == 0 && seen_at == (uintptr_t)target && seen_code == ILL_ILLOPC && seen_btype == btype[way] ? 0 : -1;
}

static void write_code(uint32_t *page)
{
	for (int n = 0; n < PADS; n++) {
		const uint32_t words[] = { pad[n].word, pad[n].next, 0x52800020, 0xd65f03c0 }; /* mov w0, #1; ret */
		memcpy(page + 16 * n, words, sizeof(words));
	}
	for (int way = 0; way < WAYS; way++)
		memcpy(page + 256 + 16 * way, thunk[way], sizeof(thunk[way]));
	__builtin___clear_cache((char *)page, (char *)page + 4096);
}

int main(int argc, char **argv)
{
	char what[200];
	uint32_t *page[2];
	struct sigaction act = { .sa_sigaction = on_ill, .sa_flags = SA_SIGINFO };
	sigaction(SIGILL, &act, NULL);
	for (int i = 0; i < 2; i++) {
		page[i] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		write_code(page[i]);
		mprotect(page[i], 4096, PROT_READ | PROT_EXEC);
	}
	int all = 1;
	for (int n = 0; n < PADS; n++)
		for (int way = 0; way < WAYS; way++)
			all &= try(page[0], page[1], way, n) == 1;
	CHECK("jumps land anywhere in memory that does not ask", all);
	if (argc > 1) { /* a CPU without the feature */
		CHECK("PROT_BTI is refused", mprotect(page[0], 4096, PROT_READ | PROT_EXEC | PROT_BTI) < 0 && errno == EINVAL);
		return check_failed;
	}
	CHECK("PROT_BTI is accepted", mprotect(page[0], 4096, PROT_READ | PROT_EXEC | PROT_BTI) == 0);
	for (int n = 0; n < PADS; n++)
		for (int way = 0; way < WAYS; way++) {
			int ok = 1;
			for (int round = 0; round < 3; round++)
				ok &= try(page[0], page[1], way, n) == pad[n].lands[way];
			snprintf(what, sizeof(what), "%s %s at '%s'", way_name[way], pad[n].lands[way] ? "lands" : "does not land", pad[n].name);
			CHECK(what, ok);
		}
	mprotect(page[0], 4096, PROT_READ | PROT_EXEC);
	all = 1;
	for (int n = 0; n < PADS; n++)
		for (int way = 0; way < WAYS; way++)
			all &= try(page[0], page[1], way, n) == 1;
	CHECK("jumps land anywhere when the memory does not ask any more", all);
	return check_failed;
}
