/*
 * What user mode needs of the host CPU beside generated code: system calls that a signal cannot slip past, copies that survive a fault,
 * and the return from signal handlers. The assembly is one file; a host is supported when it is in there.
 *
 * Any thread; nothing here takes a lock or allocates; all of it may be called from signal handlers.
 */
#pragma once
#include "base/base.h"

/*
 * Makes a host system call unless *stop is set. Gives its result (-errno), or one of these when a signal handler that called
 * host_signal_fix came between. A handler sets *stop first.
 */
enum {
	HOST_CALL_AGAIN = -513 /* the call did not begin */,
	HOST_CALL_RESTART = -512 /* the kernel would restart it (SA_RESTART) */
};
i64 host_safe_syscall(const volatile u32 *stop, long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);
/* A system call as it is: -errno. */
i64 host_syscall(long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);

/* In a signal handler, for signals that are to interrupt: if the context is inside host_safe_syscall before the call, it leaves now. */
void host_signal_fix(void *ucontext);

/* Copies; gives how many bytes could not be copied, counted from the first that faulted. */
size_t host_guarded_copy(void *dst, const void *src, size_t n);
/* Copies a string and its end, at most n bytes: its length, -1 after a fault, n when there is no end. */
i64 host_guarded_str(char *dst, const char *src, size_t n);
/* In the handler of SIGSEGV and SIGBUS: true if one of the copies faulted; the context then goes on behind it. */
bool host_guard_fault(void *ucontext);

/* Installs a handler by the kernel's own call, so that any signal from 1 to 64 can be had. 0 or -errno. fn: SIG_DFL, SIG_IGN, or a handler. */
i64 host_sigaction(int sig, void (*fn)(int, void *, void *), u64 flags, u64 mask);
/* The signal mask in a handler's context. */
u64 host_context_mask(const void *ucontext);
void host_context_set_mask(void *ucontext, u64 mask);

/*
 * clone on a stack of its own: fn(arg) runs in the child and its result is the child's exit status. Thread-local storage stays the caller's
 * unless flags say otherwise. The child's id, or -errno.
 */
i64 host_clone(u64 flags, void *stack_top, int (*fn)(void *), void *arg, void *parent_tid, void *child_tid);
