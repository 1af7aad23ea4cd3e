/*
 * The system call dispatcher.
 */
#include "linux/internal.h"
#include "linux/syscalls/arg.h"
#include "syscalls.gen.h"
#include "translate/host/syscall.h"
#include <errno.h>

_Static_assert(HOST_CALL_AGAIN == -EINTR_AGAIN && HOST_CALL_RESTART == -EINTR_RESTART, "one set of numbers");

i64 host_call(struct thread *t, long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	return host_safe_syscall(&t->cpu->stop, nr, a, b, c, d, e, f);
}

i64 raw_call(long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	return host_syscall(nr, a, b, c, d, e, f);
}

void syscall_run(struct thread *t)
{
	const struct linux_abi *abi = t->abi;
	bool trace = t->vm->opt->strace;
	if (t->pending) { /* came first: delivered first */
		t->cpu->pc -= abi->insn_len;
		return;
	}
	u64 nr = t->nr = abi->call(t->cpu, t->arg);
	unsigned id = nr < abi->n_numbers ? abi->numbers[nr] : CALL_none;
	if (!id) {
		if (trace)
			strace_remark(t, "Unknown syscall %lld", (long long)nr);
		abi->set_result(t->cpu, -ENOSYS);
		return;
	}
	const struct call *call = &calls[id];
	for (unsigned i = 0; abi->word == 4 && i < call->n_args; i++) /* registers come zero-extended */
		if (call->kind[i] == K_LONG)
			t->arg[i] = (u64)(i32)t->arg[i];
	if (trace)
		strace_enter(t, call);
	i64 r = call->fn(t, t->arg);
	if (trace)
		strace_leave(t, call, r);
	if (r == -RESULT_NONE)
		return;
	if (r == -EINTR_RESTART || r == -EINTR_AGAIN) {
		t->cpu->pc -= abi->insn_len;
		t->restart = true;
		t->restart_result = r;
		return;
	}
	abi->set_result(t->cpu, r);
}

u64 oflags_to_host(const struct thread *t, u64 flags)
{
	u64 out = flags;
	for (const struct flag_pair *p = t->abi->oflags; p->guest; p++)
		out &= ~(u64)(p->guest | p->host);
	for (const struct flag_pair *p = t->abi->oflags; p->guest; p++)
		out |= flags & p->guest ? p->host : 0;
	return out;
}

u64 oflags_to_guest(const struct thread *t, u64 flags)
{
	u64 out = flags;
	for (const struct flag_pair *p = t->abi->oflags; p->guest; p++)
		out &= ~(u64)(p->guest | p->host);
	for (const struct flag_pair *p = t->abi->oflags; p->guest; p++)
		out |= flags & p->host ? p->guest : 0;
	return out;
}

bool fd_is_ours(const struct thread *t, u64 fd)
{
	return (int)fd >= 0 &&
	       ((int)fd == t->vm->self_fd || (int)fd == t->vm->prefix_fd || (int)fd == t->vm->log_fd);
}
