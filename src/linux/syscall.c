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

static void trace_call(const struct thread *t)
{
	const u64 *a = t->arg;
	trace_put(&t->vm->log, TRACE_GUEST_USER_SYSCALL,
		  "cpu=%p num=0x%016llx arg1=0x%016llx arg2=0x%016llx arg3=0x%016llx arg4=0x%016llx arg5=0x%016llx arg6=0x%016llx", (void *)t->cpu,
		  (unsigned long long)t->nr, (unsigned long long)a[0], (unsigned long long)a[1], (unsigned long long)a[2],
		  (unsigned long long)a[3], (unsigned long long)a[4], (unsigned long long)a[5]);
}

/* Our own descriptors do not exist for the guest. */
static bool names_our_fd(const struct thread *t, const struct call *call)
{
	for (unsigned i = 0; i < call->n_args; i++)
		if ((call->kind[i] == K_FD || call->kind[i] == K_DIRFD) && fd_is_ours(t, t->arg[i]))
			return true;
	return false;
}

void syscall_run(struct thread *t)
{
	const struct linux_abi *abi = t->abi;
	bool trace = log_has(&t->vm->log, LOG_STRACE);
	if (t->pending) { /* came first: delivered first */
		t->cpu->pc -= abi->insn_len;
		return;
	}
	u64 nr = t->nr = abi->call(t->cpu, t->arg);
	if (trace_on(&t->vm->log, TRACE_GUEST_USER_SYSCALL))
		trace_call(t);
	if (t->seccomp_mode && seccomp_refuses(t)) {
		if (trace)
			strace_remark(t, "seccomp: call %lld is forbidden", (long long)nr);
		return;
	}
	unsigned id = nr < abi->n_numbers ? abi->numbers[nr] : CALL_none;
	if (!id) {
		if (trace)
			strace_remark(t, "Unknown syscall %lld", (long long)nr);
		if (log_has(&t->vm->log, LOG_UNIMP))
			log_put(&t->vm->log, "Unsupported syscall: %lld\n", (long long)nr);
		abi->set_result(t->cpu, -ENOSYS);
		return;
	}
	const struct call *call = &calls[id];
	for (unsigned i = 0; abi->word == 4 && i < call->n_args; i++) /* registers come zero-extended */
		if (call->kind[i] == K_LONG)
			t->arg[i] = (u64)(i32)t->arg[i];
	if (trace)
		strace_enter(t, call);
	i64 r = names_our_fd(t, call) ? -EBADF : call->fn(t, t->arg);
	if (trace)
		strace_leave(t, call, r);
	if (trace_on(&t->vm->log, TRACE_GUEST_USER_SYSCALL_RET))
		trace_put(&t->vm->log, TRACE_GUEST_USER_SYSCALL_RET, "cpu=%p num=0x%016llx ret=0x%016llx", (void *)t->cpu,
			  (unsigned long long)nr, (unsigned long long)r);
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
	if (t->vm->debug && debug_owns_fd(t->vm, (int)fd))
		return true;
	return (int)fd >= 0 &&
	       ((int)fd == t->vm->self_fd || (int)fd == t->vm->prefix_fd || (int)fd == t->vm->log.fd);
}
