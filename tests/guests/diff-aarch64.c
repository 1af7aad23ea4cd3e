/*
 * The differential test's other side on AArch64: runs single instructions on given registers and tells what they did.
 * Built with aarch64-linux-gnu-gcc -static.
 */
enum { TRAP = 0xd4200000u }; /* brk #0 */
#include "diff.h"

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

static void stop(void)
{
	__asm__ volatile("brk #0");
}

int main(int argc, char **argv)
{
	run(argc > 1 && !strcmp(argv[1], "shared"), handle);
}
