/*
 * Switching between stacks: what coroutines stand on. Assembly on x86-64, ucontext elsewhere.
 * A context is entered by context_switch and left by another; it belongs to one thread at a time.
 */
#pragma once
#include "base/base.h"

struct context {
	void *sp; /* x86-64: everything else lies on the stack */
	void *other; /* elsewhere: a ucontext_t */
	void *fiber; /* the sanitizers' view */
	void *stack;
	size_t stack_size;
};

/* Prepares ctx to run fn(arg) on a new stack of this size (with a guard page below); fn must not return. */
void context_make(struct context *ctx, size_t stack_size, void (*fn)(void *arg), void *arg);
/* Starts another function on the same stack; the earlier one must have left for good. */
void context_again(struct context *ctx, void (*fn)(void *arg), void *arg);
void context_free(struct context *ctx);
/* The first thing that fn does: tells the sanitizers that the new stack is in use. */
void context_arrived(void);
/* Saves the running context into from and goes on with to. */
void context_switch(struct context *from, struct context *to);
