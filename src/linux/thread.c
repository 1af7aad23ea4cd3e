/*
 * Guest threads and processes: the loop that runs a CPU, clone in all its shapes, exit.
 *
 *   CLONE_THREAD                   a host thread
 *   CLONE_VM without CLONE_THREAD  a process of its own in the same memory. The host's thread-local storage of the child is that of a host
 *                                  thread that waits in vfork meanwhile: the caller's own for CLONE_VFORK, else one made for it.
 *   otherwise                      fork
 *
 * Manual: man 2 clone, clone3, set_tid_address, get_robust_list; robust lists as Documentation/locking/robust-futex-ABI.rst has them.
 */
#include "linux/internal.h"
#include "linux/syscalls/arg.h"
#include "syscalls.gen.h"
#include "translate/host/syscall.h"
#include <errno.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOST_STACK = 1 << 20 };

struct thread *thread_new(struct vm *vm)
{
	struct thread *t = alloc(sizeof(*t));
	t->vm = vm;
	t->abi = vm->abi;
	t->debug.action = GDB_GO;
	t->cpu = engine_cpu_new(vm->engine);
	t->cpu->mem_base = vm->mem_base;
	t->cpu->mem_mask = vm->mem_mask;
	t->cpu->user = t;
	pthread_mutex_lock(&vm->threads_lock);
	if (vm->threads) {
		t->next = vm->threads;
		t->prev = vm->threads->prev;
		t->prev->next = t->next->prev = t;
	} else {
		vm->threads = t->next = t->prev = t;
	}
	vm->n_threads++;
	pthread_mutex_unlock(&vm->threads_lock);
	return t;
}

void thread_free(struct thread *t)
{
	struct vm *vm = t->vm;
	pthread_mutex_lock(&vm->threads_lock);
	t->prev->next = t->next;
	t->next->prev = t->prev;
	if (vm->threads == t)
		vm->threads = t->next == t ? NULL : t->next;
	vm->n_threads--;
	pthread_mutex_unlock(&vm->threads_lock);
	if (t->sighand)
		sighand_put(t->sighand);
	engine_cpu_free(t->cpu);
	seccomp_free(t);
	free(t->exec_memory);
	free(t);
}

/* ---- faults ---- */
/* Which signal a failed access is, by the guest's own map: the host's may differ (code is never executable there). */
static void memory_fault(struct thread *t, u64 addr, u32 need, enum ir_event ev)
{
	struct map_range r;
	bool there = vm_find(t->vm, addr & t->vm->mem_mask, &r) && r.start <= (addr & t->vm->mem_mask);
	int sig = SIGSEGV, code = SEGV_MAPERR;
	if (there && (r.prot & need) != need) {
		code = SEGV_ACCERR;
	} else if (there) {
		sig = SIGBUS; /* mapped and allowed: behind the end of its file */
		code = BUS_ADRERR;
	}
	t->cpu->fault_code = (u32)code;
	signal_fault(t, sig, code, addr, t->abi->fault_esr ? t->abi->fault_esr(t->cpu, ev) : 0);
}

/* An address without its tag, as the guest's kernel shows it. */
static u64 untagged(const struct thread *t, u64 addr)
{
	unsigned bits = t->vm->abi->guest->tag_bits;
	return (u64)((i64)(addr << bits) >> bits);
}

/*
 * An access that the host's processor refused for its address, without saying which: it may be tagged. The instruction is interpreted, tags
 * ignored; who does that often gets code that ignores them.
 */
static enum ir_event access_again(struct thread *t)
{
	enum { OFTEN = 16 };
	const struct guest *g = t->vm->abi->guest;
	struct cpu *cpu = t->cpu;
	if (g->tag_bits)
		cpu->mem_mask = BITS(64 - g->tag_bits);
	enum ir_event ev = cpu_step(cpu);
	cpu->mem_mask = t->vm->mem_mask;
	if (ev == EV_MEMORY)
		cpu->fault_addr = untagged(t, cpu->fault_addr);
	else if (++t->n_tagged == OFTEN)
		cpu->key |= g->key_tags;
	return ev;
}

static void handle_event(struct thread *t, enum ir_event ev)
{
	struct cpu *cpu = t->cpu;
	switch (ev) {
	case EV_NONE:
	case EV_DEBUG:
		break;
	case EV_YIELD:
		RAW1(SYS_sched_yield, 0);
		break;
	case EV_SYSCALL:
		if (t->vm->debug)
			debug_call(t);
		else
			syscall_run(t);
		break;
	case EV_UNDEFINED:
		signal_fault(t, SIGILL, ILL_ILLOPC, cpu->pc, 0);
		break;
	case EV_BREAKPOINT:
		signal_fault(t, SIGTRAP, TRAP_BRKPT, cpu->pc, 0);
		break;
	case EV_MEMORY:
		if (cpu->fault_code == SI_KERNEL) {
			ev = access_again(t);
			if (ev != EV_MEMORY) {
				handle_event(t, ev);
				break;
			}
		}
		memory_fault(t, cpu->fault_addr, cpu->fault_write ? PROT_WRITE : PROT_READ, ev);
		break;
	case EV_FETCH:
		if (cpu->pc != untagged(t, cpu->pc)) { /* branches take tags off */
			cpu->pc = untagged(t, cpu->pc);
			break;
		}
		if (cpu->pc & (t->vm->abi->guest->insn_min - 1u))
			signal_fault(t, SIGBUS, BUS_ADRALN, cpu->pc,
				     t->abi->fault_esr ? t->abi->fault_esr(cpu, ev) : 0);
		else
			memory_fault(t, cpu->fault_addr, PROT_EXEC, ev);
		break;
	case EV_ALIGN:
		signal_fault(t, SIGBUS, BUS_ADRALN, cpu->fault_addr,
			     t->abi->fault_esr ? t->abi->fault_esr(cpu, ev) : 0);
		break;
	case EV_FLOAT:
		signal_fault(t, SIGFPE, FPE_FLTINV, cpu->pc, 0);
		break;
	case EV_DIVIDE:
		signal_fault(t, SIGFPE, FPE_INTDIV, cpu->pc, 0);
		break;
	default:
		signal_fault(t, SIGILL, ILL_ILLOPN, cpu->pc, 0);
	}
}

void thread_loop(struct thread *t)
{
	while (!t->leave) {
		enum ir_event ev = t->vm->debug ? debug_run(t) : cpu_run(t->cpu);
		t->cpu->stop = 0;
		__asm__ volatile("" ::: "memory"); /* the handler sets pending first and stop then */
		handle_event(t, ev);
		if (t->pending || t->restart)
			signal_deliver(t);
	}
}

/* ---- exit ---- */
static bool is_leader(void)
{
	return RAW1(SYS_gettid, 0) == RAW1(SYS_getpid, 0);
}

static void futex_wake(void *at, int n)
{
	RAW3(SYS_futex, at, FUTEX_WAKE, n);
}

/* What the kernel does with a robust list when a thread ends; done before the thread's stack may vanish. */
static void robust_exit(struct thread *t)
{
	struct vm *vm = t->vm;
	u64 head = t->robust_head, entry, offset, pending;
	unsigned word = vm->abi->word;
	u32 tid = (u32)RAW1(SYS_gettid, 0);
	if (!head || !get_word(vm, head, &entry) || !get_word(vm, head + word, &offset) ||
	    !get_word(vm, head + 2 * word, &pending))
		return;
	for (unsigned n = 0; n < 2048 && (entry & ~1ull) != head; n++) {
		u64 at = (entry & ~1ull) + offset, next;
		u32 val;
		bool more = get_word(vm, entry & ~1ull, &next);
		if ((entry & ~1ull) != pending && !(entry & 1) && get_u32(vm, at, &val) &&
		    (val & FUTEX_TID_MASK) == tid) {
			u32 *p = g2h(vm, at), new;
			do {
				val = __atomic_load_n(p, __ATOMIC_SEQ_CST);
				new = (val & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
			} while ((val & FUTEX_TID_MASK) == tid &&
				 !__atomic_compare_exchange_n(p, &val, new, false, __ATOMIC_SEQ_CST,
							      __ATOMIC_SEQ_CST));
			if (val & FUTEX_WAITERS)
				futex_wake(p, 1);
		}
		if (!more)
			break;
		entry = next;
	}
	if (pending)
		return; /* half-way through lock or unlock: the kernel knows the rule, leave the list with it */
	RAW2(SYS_set_robust_list, NULL, 24);
}

i64 sys_exit(CALL_ARGS)
{
	if (t->vm->debug)
		debug_thread_exit(t, (int)a[0]);
	signal_block_all();
	if (t->borrowed || is_leader()) {
		engine_keep_flush(t->vm->engine);
		for (;;)
			RAW1(SYS_exit, (int)a[0]);
	}
	robust_exit(t);
	if (t->clear_tid && put_u32(t->vm, t->clear_tid, 0))
		futex_wake(g2h(t->vm, t->clear_tid), 1);
	t->leave = true;
	t->pending = 0;
	return -RESULT_NONE;
}

i64 sys_exit_group(CALL_ARGS)
{
	if (t->vm->debug)
		debug_exit(t, (int)a[0], 0);
	if (t->vm->opt->stats)
		vm_print_stats(t->vm);
	engine_keep_flush(t->vm->engine);
	for (;;)
		RAW1(SYS_exit_group, (int)a[0]);
}

i64 sys_set_tid_address(CALL_ARGS)
{
	t->clear_tid = a[0];
	if (t->borrowed || is_leader())
		return RAW1(SYS_set_tid_address, ptr_arg(t, a[0]));
	return RAW1(SYS_gettid, 0);
}

i64 sys_set_robust_list(CALL_ARGS)
{
	if (a[1] != 3u * t->abi->word)
		return -EINVAL;
	t->robust_head = a[0];
	t->robust_len = a[1];
	return t->abi->word == 8 ? RAW2(SYS_set_robust_list, ptr_arg(t, a[0]), a[1]) : 0;
}

/* ---- clone ---- */
struct clone_request {
	u64 flags; /* without the signal */
	int exit_signal;
	u64 sp; /* 0: as the parent's */
	u64 parent_tid, child_tid, tls, pidfd;
	struct clone_args host; /* for clone3's own: set_tid, cgroup */
	bool is_clone3;
	struct thread *parent, *child;
	sem_t ready; /* the child's id is known */
	sem_t taken; /* and the parent has read it */
	i64 result;
};

static struct thread *child_new(struct clone_request *q)
{
	struct thread *t = q->parent, *c = thread_new(t->vm);
	const struct guest *g = t->abi->guest;
	memcpy((u8 *)c->cpu + sizeof(struct cpu), (u8 *)t->cpu + sizeof(struct cpu),
	       g->state_size - sizeof(struct cpu));
	c->cpu->pc = t->cpu->pc;
	c->cpu->key = t->cpu->key;
	c->cpu->fp_flags = t->cpu->fp_flags;
	c->cpu->excl_addr = ~0ull;
	c->abi->set_result(c->cpu, 0);
	if (q->sp)
		c->abi->set_sp(c->cpu, q->sp);
	if (q->flags & CLONE_SETTLS)
		c->abi->set_tls(c->cpu, q->tls);
	c->mask = t->mask;
	c->vl_inherit = t->vl_inherit;
	seccomp_inherit(c, t);
	if (q->flags & CLONE_VFORK) {
		c->alt_base = t->alt_base;
		c->alt_size = t->alt_size;
		c->alt_flags = t->alt_flags;
	}
	if (q->flags & CLONE_SIGHAND) {
		c->sighand = t->sighand;
		__atomic_add_fetch(&c->sighand->refs, 1, __ATOMIC_RELAXED);
	} else {
		c->sighand = sighand_copy(t->sighand);
	}
	return c;
}

static void *thread_main(void *arg)
{
	struct clone_request *q = arg;
	struct thread *c = q->child;
	c->tid = (pid_t)RAW1(SYS_gettid, 0);
	thread_set_self(c);
	u64 own = ~q->flags & (CLONE_FS | CLONE_FILES | CLONE_SYSVSEM);
	if (own)
		RAW1(SYS_unshare, own);
	if (q->flags & CLONE_CHILD_CLEARTID)
		c->clear_tid = q->child_tid;
	if (q->flags & CLONE_CHILD_SETTID)
		put_u32(c->vm, q->child_tid, (u32)c->tid);
	if (q->flags & CLONE_PARENT_SETTID)
		put_u32(c->vm, q->parent_tid, (u32)c->tid);
	q->result = c->tid;
	sem_post(&q->ready); /* q is the parent's and gone from here on */
	signal_host_mask(c->mask);
	thread_loop(c);
	thread_set_self(NULL);
	thread_free(c);
	return NULL;
}

i64 start_host_thread(void *(*fn)(void *), void *arg)
{
	pthread_t id;
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, HOST_STACK);
	int err = pthread_create(&id, &attr, fn, arg);
	pthread_attr_destroy(&attr);
	return err ? -EAGAIN : 0;
}

static void wait_ready(struct clone_request *q)
{
	while (sem_wait(&q->ready) < 0)
		;
}

static i64 clone_thread(struct clone_request *q)
{
	q->child = child_new(q);
	i64 err = start_host_thread(thread_main, q);
	if (err) {
		thread_free(q->child);
		return err;
	}
	wait_ready(q);
	return q->result;
}

/* ---- CLONE_VM without CLONE_THREAD ---- */
static int borrowed_main(void *arg)
{
	struct clone_request *q = arg;
	struct thread *c = q->child;
	bool vfork = q->flags & CLONE_VFORK;
	c->tid = (pid_t)RAW1(SYS_gettid, 0);
	thread_set_self(c);
	q->result = c->tid;
	if (q->flags & CLONE_CLEAR_SIGHAND)
		sighand_clear(c);
	if (!vfork)
		sem_post(&q->ready);
	signal_host_mask(c->mask);
	thread_loop(c);
	return 0;
}

/* The stack, the clone, and what is left when the child has gone. */
static i64 clone_borrowed(struct clone_request *q)
{
	struct thread *t = q->parent;
	u64 flags = (q->flags & ~(u64)(CLONE_SETTLS | CLONE_VFORK | CLONE_CLEAR_SIGHAND)) | CLONE_VFORK |
		    (u64)q->exit_signal;
	void *stack = mmap(NULL, HOST_STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED)
		return -ENOMEM;
	struct thread *before = thread_self();
	void *ptid = q->flags & CLONE_PIDFD ? ptr_arg(t, q->pidfd) : ptr_arg(t, q->parent_tid);
	i64 r = host_clone(flags, (u8 *)stack + HOST_STACK, borrowed_main, q, ptid, ptr_arg(t, q->child_tid));
	thread_set_self(before);
	thread_free(q->child);
	munmap(stack, HOST_STACK);
	return r;
}

static void *donor_main(void *arg)
{
	struct clone_request *q = arg;
	i64 r = clone_borrowed(q);
	if (r < 0) { /* there was no child to say so */
		q->result = r;
		sem_post(&q->ready);
	}
	while (sem_wait(&q->taken) < 0)
		;
	free(q);
	return NULL;
}

static i64 clone_vm(struct clone_request *q)
{
	q->child = child_new(q);
	q->child->borrowed = true;
	if (q->flags & CLONE_VFORK)
		return clone_borrowed(q);
	/* The donor returns from clone only when the child is gone, so the request must outlive this call. */
	struct clone_request *copy = alloc(sizeof(*copy));
	*copy = *q;
	sem_init(&copy->ready, 0, 0);
	sem_init(&copy->taken, 0, 0);
	i64 err = start_host_thread(donor_main, copy);
	if (err) {
		thread_free(q->child);
		free(copy);
		return err;
	}
	wait_ready(copy);
	i64 r = copy->result;
	sem_post(&copy->taken);
	return r;
}

/* ---- fork ---- */
/* glibc's own locks, where it lets us have them: only for forks that fork() cannot express. */
extern void __malloc_fork_lock_parent(void) __attribute__((weak));
extern void __malloc_fork_unlock_parent(void) __attribute__((weak));
extern void __malloc_fork_unlock_child(void) __attribute__((weak));

static i64 fork_raw(struct clone_request *q)
{
	struct thread *t = q->parent;
	struct clone_args args = q->host;
	args.flags =
	    q->flags & ~(u64)(CLONE_SETTLS | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | CLONE_PARENT_SETTID);
	args.exit_signal = (u64)q->exit_signal;
	args.stack = args.stack_size = args.tls = args.child_tid = args.parent_tid = 0;
	args.pidfd = q->flags & CLONE_PIDFD ? (u64)ptr_arg(t, q->pidfd) : 0;
	if (__malloc_fork_lock_parent)
		__malloc_fork_lock_parent();
	i64 r = host_syscall(SYS_clone3, (u64)&args, sizeof(args), 0, 0, 0, 0);
	if (r == -ENOSYS && !q->is_clone3) /* filtered out by a container's rules */
		r = host_syscall(SYS_clone, args.flags | args.exit_signal, 0, args.pidfd, 0, 0, 0);
	if (r && __malloc_fork_unlock_parent)
		__malloc_fork_unlock_parent();
	if (!r && __malloc_fork_unlock_child)
		__malloc_fork_unlock_child();
	return r;
}

static i64 clone_fork(struct clone_request *q)
{
	struct thread *t = q->parent;
	struct vm *vm = t->vm;
	const u64 plain = CLONE_SETTLS | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | CLONE_PARENT_SETTID;
	struct engine_fork engine;
	engine_background_pause(vm->engine);
	vm_lock_fork(vm);
	if (!engine_fork_begin(vm->engine, &engine)) {
		vm_unlock_fork(vm, false);
		engine_background_resume(vm->engine);
		return -ENOMEM;
	}
	pthread_mutex_lock(&t->sighand->lock);
	i64 r;
	if ((q->flags & ~plain) || q->exit_signal != SIGCHLD || q->is_clone3) {
		r = fork_raw(q);
	} else {
		r = fork();
		r = r < 0 ? -errno : r;
	}
	if (r) {
		pthread_mutex_unlock(&t->sighand->lock);
		engine_fork_parent(vm->engine, &engine);
		vm_unlock_fork(vm, false);
		engine_background_resume(vm->engine);
		if (r > 0 && q->flags & CLONE_PARENT_SETTID)
			put_u32(vm, q->parent_tid, (u32)r);
		return r;
	}
	pthread_mutex_unlock(&t->sighand->lock);
	pthread_mutex_init(&t->sighand->lock, NULL); /* whoever waited for it is not here */
	vm_unlock_fork(vm, true);
	vm->threads = t->next = t->prev = t;
	vm->n_threads = 1;
	t->borrowed = false;
	t->tid = (pid_t)RAW1(SYS_gettid, 0);
	t->clear_tid = 0;
	t->robust_head = 0;
	t->held_set = 0;
	if (t->sighand->refs > 1)
		t->sighand->refs = 1;
	symbols_after_fork(vm->symbols);
	engine_fork_child(vm->engine, &engine, t->cpu);
	debug_after_fork(t);
	t->abi->set_result(t->cpu, 0);
	if (q->sp)
		t->abi->set_sp(t->cpu, q->sp);
	if (q->flags & CLONE_SETTLS)
		t->abi->set_tls(t->cpu, q->tls);
	if (q->flags & CLONE_CHILD_SETTID)
		put_u32(vm, q->child_tid, (u32)t->tid);
	if (q->flags & CLONE_CHILD_CLEARTID) {
		t->clear_tid = q->child_tid;
		RAW1(SYS_set_tid_address, ptr_arg(t, q->child_tid));
	}
	return 0;
}

void thread_shares(struct thread *t)
{
	t->cpu->key |= t->abi->guest->key_shared;
}

static i64 do_clone(struct thread *t, struct clone_request *q)
{
	const u64 namespaces = CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
			       CLONE_NEWUTS | CLONE_NEWCGROUP;
	q->parent = t;
	if ((q->flags & CLONE_THREAD && !(q->flags & CLONE_SIGHAND)) ||
	    (q->flags & CLONE_SIGHAND && !(q->flags & CLONE_VM)) ||
	    (q->flags & CLONE_FS && q->flags & (CLONE_NEWNS | CLONE_NEWUSER)) ||
	    (q->flags & CLONE_THREAD && q->flags & (namespaces | CLONE_PIDFD)) ||
	    (q->flags & CLONE_PIDFD && q->flags & CLONE_PARENT_SETTID && !q->is_clone3))
		return -EINVAL;
	if (q->exit_signal < 0 || q->exit_signal > NSIG_GUEST)
		return -EINVAL;
	if (signal_gate(t))
		return -EINTR_AGAIN;
	if (q->flags & CLONE_VM && !(q->flags & CLONE_VFORK))
		thread_shares(t);
	sem_init(&q->ready, 0, 0);
	if (trace_on(&t->vm->log, TRACE_USER_FORK))
		trace_put(&t->vm->log, TRACE_USER_FORK, "flags=0x%llx", (unsigned long long)q->flags);
	i64 r = q->flags & CLONE_THREAD ? clone_thread(q) : q->flags & CLONE_VM ? clone_vm(q) : clone_fork(q);
	if (!t->has_queued)
		signal_host_mask(t->mask);
	return r;
}

i64 sys_clone(CALL_ARGS)
{
	struct clone_request q = { .flags = a[0] & ~(u64)CSIGNAL & 0xffffffff,
				   .exit_signal = (int)(a[0] & CSIGNAL),
				   .sp = a[1],
				   .parent_tid = a[2],
				   .tls = a[3],
				   .child_tid = a[4],
				   .pidfd = a[2] };
	q.flags &= ~(u64)CLONE_DETACHED;
	return do_clone(t, &q);
}

i64 sys_clone3(CALL_ARGS)
{
	struct clone_args args = { 0 };
	u8 rest[256];
	u64 size = a[1];
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	if (size > 4096)
		return -E2BIG;
	if (!get_mem(t->vm, &args, a[0], MIN(size, sizeof(args))))
		return -EFAULT;
	for (u64 at = sizeof(args); at < size; at++)
		if (!get_mem(t->vm, rest, a[0] + at, 1) || rest[0])
			return -E2BIG;
	struct clone_request q = { .flags = args.flags,
				   .exit_signal = (int)args.exit_signal,
				   .parent_tid = args.parent_tid,
				   .child_tid = args.child_tid,
				   .tls = args.tls,
				   .pidfd = args.pidfd,
				   .host = args,
				   .is_clone3 = true };
	if (args.flags & (CSIGNAL | CLONE_DETACHED) || args.exit_signal > NSIG_GUEST ||
	    !args.stack != !args.stack_size ||
	    (args.flags & (CLONE_THREAD | CLONE_PARENT) && args.exit_signal) ||
	    (args.flags & CLONE_CLEAR_SIGHAND && args.flags & CLONE_SIGHAND))
		return -EINVAL;
	if (args.set_tid_size && args.flags & CLONE_VM)
		return -EINVAL; /* ids cannot be chosen for a child in our memory */
	if (args.stack)
		q.sp = args.stack + args.stack_size;
	i64 r = do_clone(t, &q);
	if (!r && args.flags & CLONE_CLEAR_SIGHAND)
		sighand_clear(thread_self());
	return r;
}
