/*
 * The differential test's other side on AArch64: runs single instructions on given registers and tells what they did.
 * Built with aarch64-linux-gnu-gcc -static.
 */
enum { TRAP = 0xd4200000u }; /* brk #0 */
#include "diff.h"
#include <sys/auxv.h>

/* Places in diff_regs: tests/diff/aarch64.c has the same. */
enum { R_V = 40, R_P = 104, R_SVCR = 121, R_ZA = 122 };
enum { VL = 16, SVE_SIZE = 576, ZA_SIZE = 272 };

/* The record of this kind in a frame; magic 0: what ends them. */
static void *record(ucontext_t *uc, uint32_t magic)
{
	struct _aarch64_ctx *head = (struct _aarch64_ctx *)uc->uc_mcontext.__reserved;
	while (head->magic != magic && head->magic)
		head = (struct _aarch64_ctx *)((char *)head + head->size);
	return head->magic == magic ? head : NULL;
}

static struct fpsimd_context *vectors(ucontext_t *uc)
{
	return record(uc, FPSIMD_MAGIC);
}

static void take_sve(ucontext_t *uc, struct diff_result *to)
{
	struct sve_context *sve = record(uc, SVE_MAGIC);
	struct za_context *za = record(uc, ZA_MAGIC);
	if (sve && sve->head.size >= SVE_SIZE)
		for (unsigned i = 0; i < 17; i++)
			memcpy(&to->out.r[R_P + i], (char *)sve + SVE_SIG_PREG_OFFSET(1, i), 2);
	if (sve && sve->flags & SVE_SIG_FLAG_SM)
		to->out.r[R_SVCR] |= 1;
	if (za && za->head.size >= ZA_SIZE) {
		to->out.r[R_SVCR] |= 2;
		memcpy(&to->out.r[R_ZA], (char *)za + ZA_SIG_REGS_OFFSET, VL * VL);
	}
}

/* In the place of what came, a record of SVE and one of ZA, at the end. */
static void give_sve(ucontext_t *uc, const struct diff_regs *in)
{
	char *at = (char *)vectors(uc) + sizeof(struct fpsimd_context);
	struct sve_context sve = {
		{ SVE_MAGIC, SVE_SIZE }, VL, in->r[R_SVCR] & 1 ? SVE_SIG_FLAG_SM : 0, { 0 }
	};
	struct za_context za = { { ZA_MAGIC, in->r[R_SVCR] & 2 ? ZA_SIZE : sizeof(za) }, VL, { 0 } };
	if (!(getauxval(AT_HWCAP) & HWCAP_SVE))
		return;
	memset(at, 0, SVE_SIZE);
	memcpy(at, &sve, sizeof(sve));
	memcpy(at + SVE_SIG_REGS_OFFSET, &in->r[R_V], 32 * VL);
	for (unsigned i = 0; i < 17; i++)
		memcpy(at + SVE_SIG_PREG_OFFSET(1, i), &in->r[R_P + i], 2);
	at += SVE_SIZE;
	if (getauxval(AT_HWCAP2) & 1 << 23 /* HWCAP2_SME */) {
		memcpy(at, &za, sizeof(za));
		if (in->r[R_SVCR] & 2)
			memcpy(at + ZA_SIG_REGS_OFFSET, &in->r[R_ZA], VL * VL);
		at += za.head.size;
	}
	memset(at, 0, sizeof(struct _aarch64_ctx));
}

/* r: x0..x30, sp, nzcv, fpcr, fpsr, v0 to v31 in two words each from 40 on, p0 to p15, ffr, svcr, ZA. */
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
	memcpy(&to->out.r[R_V], f->vregs, sizeof(f->vregs));
	take_sve(uc, to);
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
	memcpy(f->vregs, &in->r[R_V], sizeof(f->vregs));
	give_sve(uc, in);
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
