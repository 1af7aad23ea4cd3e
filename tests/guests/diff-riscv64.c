/*
 * The differential test's other side on RISC-V, 64 bits: runs single instructions on given registers and tells what they did.
 * Built with riscv64-linux-gnu-gcc -static.
 */
enum { TRAP = 0x90029002u }; /* two c.ebreak */
#include "diff.h"

/* r: x0..x31, fcsr, f0 to f31 from 40 on. The context has the pc in the place of x0. */
static void take(ucontext_t *uc, siginfo_t *info, int signal, struct diff_result *to)
{
	memset(to, 0, sizeof(*to));
	for (unsigned i = 1; i < 32; i++)
		to->out.r[i] = uc->uc_mcontext.__gregs[i];
	to->out.r[32] = uc->uc_mcontext.__fpregs.__d.__fcsr;
	memcpy(&to->out.r[40], uc->uc_mcontext.__fpregs.__d.__f, 32 * 8);
	to->pc = uc->uc_mcontext.__gregs[0];
	to->signal = (uint64_t)signal;
	to->fault_addr = (uint64_t)info->si_addr;
}

static void give(ucontext_t *uc, const struct diff_regs *in, uint64_t pc)
{
	for (unsigned i = 1; i < 32; i++)
		uc->uc_mcontext.__gregs[i] = in->r[i];
	uc->uc_mcontext.__fpregs.__d.__fcsr = (unsigned)in->r[32];
	memcpy(uc->uc_mcontext.__fpregs.__d.__f, &in->r[40], 32 * 8);
	uc->uc_mcontext.__gregs[0] = pc;
}

static void stop(void)
{
	__asm__ volatile("ebreak");
}

uint64_t thread_pointer;

/* gp and tp are the test's: ours first. */
static void handler(int signal, siginfo_t *info, void *context)
{
	__asm__ volatile(".option push\n.option norelax\nla gp, __global_pointer$\nla tp, thread_pointer\nld "
			 "tp, 0(tp)\n.option pop" ::
			     : "memory");
	handle(signal, info, context);
}

int main(int argc, char **argv)
{
	__asm__ volatile("mv %0, tp" : "=r"(thread_pointer));
	run(argc > 1 && !strcmp(argv[1], "shared"), handler);
}
