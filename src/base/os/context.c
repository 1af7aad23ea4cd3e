#include "base/os/context.h"
#include <stdio.h>
#include <sys/mman.h>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

enum { GUARD = 65536 }; /* a multiple of every page size */

static void *stack_new(size_t size)
{
	char *p = mmap(NULL, size + GUARD, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED || mprotect(p, GUARD, PROT_NONE)) {
		fputs("rhea: no memory for a stack\n", stderr);
		abort();
	}
	return p + GUARD;
}

#if defined(__x86_64__)

/* Callee-saved registers of the System V ABI, the control words included. void swap(void **save_sp, void *to_sp) */
__asm__(".text\n"
	".type context_swap, @function\n"
	"context_swap:\n"
	"	push %rbp\n	push %rbx\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
	"	sub $8, %rsp\n	stmxcsr (%rsp)\n	fnstcw 4(%rsp)\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	ldmxcsr (%rsp)\n	fldcw 4(%rsp)\n	add $8, %rsp\n"
	"	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbx\n	pop %rbp\n"
	"	ret\n"
	".size context_swap, .-context_swap\n"
	".type context_entry, @function\n"
	"context_entry:\n"
	"	mov %r13, %rdi\n"
	"	call *%r12\n"
	"	ud2\n"
	".size context_entry, .-context_entry\n");
void context_swap(void **save_sp, void *to_sp);
void context_entry(void);

void context_again(struct context *ctx, void (*fn)(void *), void *arg)
{
	u64 *top =
	    (u64 *)((char *)ctx->stack + ctx->stack_size) - 2; /* keeps the stack aligned at the call */
	u64 *sp = top;
	u32 mxcsr;
	u16 cw;
	__asm__("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(cw));
	*--sp = (u64)context_entry;
	*--sp = 0; /* rbp */
	*--sp = 0; /* rbx */
	*--sp = (u64)fn; /* r12 */
	*--sp = (u64)arg; /* r13 */
	*--sp = 0;
	*--sp = 0;
	*--sp = mxcsr | (u64)cw << 32;
	ctx->sp = sp;
}

static void swap(struct context *from, struct context *to)
{
	context_swap(&from->sp, to->sp);
}

#else

struct start {
	void (*fn)(void *);
	void *arg;
};

static void entry(unsigned high, unsigned low)
{
	struct start *s = (struct start *)(uintptr_t)((u64)high << 32 | low);
	s->fn(s->arg);
	abort();
}

void context_again(struct context *ctx, void (*fn)(void *), void *arg)
{
	ucontext_t *u = ctx->other ? ctx->other : alloc(sizeof(*u));
	struct start *s = (struct start *)ctx->stack; /* the far end of the stack */
	*s = (struct start){ fn, arg };
	getcontext(u);
	u->uc_stack.ss_sp = (char *)ctx->stack + sizeof(*s);
	u->uc_stack.ss_size = ctx->stack_size - sizeof(*s);
	u->uc_link = NULL;
	makecontext(u, (void (*)(void))entry, 2, (unsigned)((u64)(uintptr_t)s >> 32), (unsigned)(uintptr_t)s);
	ctx->other = u;
}

static void swap(struct context *from, struct context *to)
{
	if (!from->other)
		from->other = alloc(sizeof(ucontext_t));
	swapcontext(from->other, to->other);
}

#endif

void context_make(struct context *ctx, size_t stack_size, void (*fn)(void *), void *arg)
{
	*ctx = (struct context){ .stack = stack_new(stack_size), .stack_size = stack_size };
#if defined(__SANITIZE_THREAD__)
	ctx->fiber = __tsan_create_fiber(0);
#endif
	context_again(ctx, fn, arg);
}

void context_free(struct context *ctx)
{
#if defined(__SANITIZE_THREAD__)
	__tsan_destroy_fiber(ctx->fiber);
#endif
	munmap((char *)ctx->stack - GUARD, ctx->stack_size + GUARD);
	free(ctx->other);
}

#if defined(__SANITIZE_ADDRESS__)
/* A thread's own stack has no bounds here until it is left for the first time: the runtime knows them. */
static __thread struct context *leaving;

static void arrive(void *fake)
{
	const void *bottom;
	size_t size;
	__sanitizer_finish_switch_fiber(fake, &bottom, &size);
	if (!leaving->stack) {
		leaving->stack = (void *)bottom;
		leaving->stack_size = size;
	}
}

void context_arrived(void)
{
	arrive(NULL);
}
#else
void context_arrived(void)
{
}
#endif

void context_switch(struct context *from, struct context *to)
{
#if defined(__SANITIZE_ADDRESS__)
	void *fake;
	leaving = from;
	__sanitizer_start_switch_fiber(&fake, to->stack, to->stack_size);
	swap(from, to);
	arrive(fake);
#elif defined(__SANITIZE_THREAD__)
	if (!from->fiber)
		from->fiber = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(to->fiber, 0);
	swap(from, to);
#else
	swap(from, to);
#endif
}
