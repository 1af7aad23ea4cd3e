/*
 * System calls, guarded copies and signal returns of the host CPU. ABI: "System V ABI AMD64", appendix A.2; man 2 syscall, sigreturn, clone.
 */
#include "translate/host/syscall.h"
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>

#if defined(__x86_64__)
/* r11 holds stop up to the instruction; the instruction replaces it by the flags. So a context at the instruction says whether the call ran. */
__asm__(".text\n"
	".globl host_safe_syscall, host_safe_start, host_safe_insn, host_safe_leave\n"
	".type host_safe_syscall, @function\n"
	"host_safe_syscall:\n"
	"	mov %rdi, %r11\n"
	"	mov %rsi, %rax\n"
	"	mov %rdx, %rdi\n"
	"	mov %rcx, %rsi\n"
	"	mov %r8, %rdx\n"
	"	mov %r9, %r10\n"
	"	mov 8(%rsp), %r8\n"
	"	mov 16(%rsp), %r9\n"
	"host_safe_start:\n"
	"	cmpl $0, (%r11)\n"
	"	jnz host_safe_leave\n"
	"host_safe_insn:\n"
	"	syscall\n"
	"	ret\n"
	"host_safe_leave:\n"
	"	mov $-513, %rax\n"
	"	ret\n"
	"host_safe_restart:\n"
	"	mov $-512, %rax\n"
	"	ret\n"
	".size host_safe_syscall, . - host_safe_syscall\n"
	".globl host_guarded_copy, host_copy_insn, host_copy_fault\n"
	".type host_guarded_copy, @function\n"
	"host_guarded_copy:\n"
	"	mov %rdx, %rcx\n"
	"host_copy_insn:\n"
	"	rep movsb\n"
	"host_copy_fault:\n"
	"	mov %rcx, %rax\n"
	"	ret\n"
	".size host_guarded_copy, . - host_guarded_copy\n"
	".globl host_guarded_str, host_str_start, host_str_end, host_str_fault\n"
	".type host_guarded_str, @function\n"
	"host_guarded_str:\n"
	"	xor %eax, %eax\n"
	"1:	cmp %rdx, %rax\n"
	"	jae 2f\n"
	"host_str_start:\n"
	"	movb (%rsi,%rax), %cl\n"
	"host_str_end:\n"
	"	movb %cl, (%rdi,%rax)\n"
	"	test %cl, %cl\n"
	"	jz 2f\n"
	"	inc %rax\n"
	"	jmp 1b\n"
	"2:	ret\n"
	"host_str_fault:\n"
	"	mov $-1, %rax\n"
	"	ret\n"
	".size host_guarded_str, . - host_guarded_str\n"
	".globl host_sigreturn\n"
	"host_sigreturn:\n"
	"	mov $15, %eax\n" /* rt_sigreturn */
	"	syscall\n"
	".globl host_clone\n"
	".type host_clone, @function\n"
	"host_clone:\n" /* flags rdi, stack rsi, fn rdx, arg rcx, parent_tid r8, child_tid r9 */
	"	and $-16, %rsi\n"
	"	sub $16, %rsi\n"
	"	mov %rdx, (%rsi)\n"
	"	mov %rcx, 8(%rsi)\n"
	"	mov %r8, %rdx\n"
	"	mov %r9, %r10\n"
	"	xor %r8d, %r8d\n"
	"	mov $56, %eax\n" /* clone */
	"	syscall\n"
	"	test %rax, %rax\n"
	"	jz 1f\n"
	"	ret\n"
	"1:	xor %ebp, %ebp\n"
	"	pop %rax\n"
	"	pop %rdi\n"
	"	call *%rax\n"
	"	mov %eax, %edi\n"
	"	mov $60, %eax\n" /* exit */
	"	syscall\n"
	"	ud2\n"
	".size host_clone, . - host_clone\n");

extern const char host_safe_start[], host_safe_insn[], host_safe_leave[], host_safe_restart[];
extern const char host_copy_insn[], host_copy_fault[], host_str_start[], host_str_end[], host_str_fault[];
void host_sigreturn(void);
enum { RESTORER_FLAG = 0x04000000 };

i64 host_syscall(long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	i64 ret;
	register u64 r10 __asm__("r10") = d;
	register u64 r8 __asm__("r8") = e;
	register u64 r9 __asm__("r9") = f;
	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

void host_signal_fix(void *ucontext)
{
	greg_t *r = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
	const char *pc = (const char *)r[REG_RIP];
	if (pc < host_safe_start || pc > host_safe_insn)
		return;
	/* Restarted by the kernel: back at the instruction, with r11 as the instruction left it: flags, never a pointer. */
	bool ran = pc == host_safe_insn && (u64)r[REG_R11] <= 0xffffffff;
	r[REG_RIP] = (greg_t)(ran ? host_safe_restart : host_safe_leave);
}

bool host_guard_fault(void *ucontext)
{
	greg_t *r = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
	const char *pc = (const char *)r[REG_RIP];
	if (pc == host_copy_insn)
		r[REG_RIP] = (greg_t)host_copy_fault;
	else if (pc >= host_str_start && pc < host_str_end)
		r[REG_RIP] = (greg_t)host_str_fault;
	else
		return false;
	return true;
}
#else
#error "user mode does not know this host CPU yet: add its system calls here"
#endif

struct kernel_action {
	void (*fn)(int, void *, void *);
	u64 flags;
	void (*restorer)(void);
	u64 mask;
};

i64 host_sigaction(int sig, void (*fn)(int, void *, void *), u64 flags, u64 mask)
{
	struct kernel_action act = { fn, flags | RESTORER_FLAG, host_sigreturn, mask };
	return host_syscall(SYS_rt_sigaction, (u64)sig, (u64)&act, 0, sizeof(mask), 0, 0);
}

u64 host_context_mask(const void *ucontext)
{
	u64 mask;
	memcpy(&mask, &((const ucontext_t *)ucontext)->uc_sigmask, sizeof(mask));
	return mask;
}

void host_context_set_mask(void *ucontext, u64 mask)
{
	memcpy(&((ucontext_t *)ucontext)->uc_sigmask, &mask, sizeof(mask));
}
