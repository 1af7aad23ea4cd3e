/*
 * seccomp: what the guest forbids itself. The host's kernel cannot keep these rules, since it sees its own call numbers and Rhea's calls beside the
 * guest's: filters are run here, before each call of a thread that has any. They go on to threads, children and guest programs executed; a
 * program of the host's that is executed leaves them behind.
 *
 * Manual: man 2 seccomp; Documentation/networking/filter.rst (the machine), Documentation/userspace-api/seccomp_filter.rst. Numbers: uapi
 * linux/seccomp.h, filter.h, audit.h.
 */
#include "linux/internal.h"
#include "linux/syscalls/arg.h"
#include "syscalls.gen.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	MAX_PATH = 32768,
	EACH = 4 /* what a filter counts for beside its instructions */,
	SYS_SECCOMP_CODE = 1
};

struct seccomp_filter { /* never changes once it is in a list */
	struct seccomp_filter *before; /* installed earlier: counted in its .refs */
	u32 refs; /* atomic: threads and filters that lead to it */
	u32 total; /* instructions of this and all before, as the kernel counts them */
	u32 n;
	struct sock_filter insn[];
};

/* struct seccomp_data as the guest's words: number, architecture, program counter and six arguments of 64 bits each. */
enum { DATA_WORDS = 16 };

static void make_data(const struct thread *t, u32 data[DATA_WORDS])
{
	const struct linux_abi *abi = t->abi;
	u64 wide[7] = { t->cpu->pc };
	memcpy(wide + 1, t->arg, 6 * sizeof(u64));
	data[0] = (u32)t->nr;
	data[1] = abi->machine | (abi->word == 8 ? 0x80000000u : 0) | (abi->big_endian ? 0 : 0x40000000u);
	for (unsigned i = 0; i < LEN(wide); i++) {
		data[2 + 2 * i + abi->big_endian] = (u32)wide[i];
		data[2 + 2 * i + !abi->big_endian] = (u32)(wide[i] >> 32);
	}
}

static u32 alu(u32 op, u32 a, u32 b)
{
	switch (op) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return b ? a / b : 0;
	case BPF_OR:
		return a | b;
	case BPF_AND:
		return a & b;
	case BPF_LSH:
		return b < 32 ? a << b : 0;
	case BPF_RSH:
		return b < 32 ? a >> b : 0;
	case BPF_XOR:
		return a ^ b;
	default:
		return -a; /* BPF_NEG */
	}
}

static bool jumps(u32 op, u32 a, u32 b)
{
	return op == BPF_JEQ ? a == b : op == BPF_JGT ? a > b : op == BPF_JGE ? a >= b : (a & b) != 0;
}

/* A checked program: it ends, since jumps only lead on. */
static u32 run(const struct seccomp_filter *f, const u32 data[DATA_WORDS])
{
	u32 a = 0, x = 0, mem[BPF_MEMWORDS] = { 0 };
	for (const struct sock_filter *i = f->insn;; i++) {
		u32 k = i->k, operand = BPF_SRC(i->code) == BPF_X ? x : k;
		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			a = BPF_MODE(i->code) == BPF_ABS   ? data[k / 4]
			    : BPF_MODE(i->code) == BPF_MEM ? mem[k]
			    : BPF_MODE(i->code) == BPF_IMM ? k
							   : 4 * DATA_WORDS;
			break;
		case BPF_LDX:
			x = BPF_MODE(i->code) == BPF_MEM   ? mem[k]
			    : BPF_MODE(i->code) == BPF_IMM ? k
							   : 4 * DATA_WORDS;
			break;
		case BPF_ST:
			mem[k] = a;
			break;
		case BPF_STX:
			mem[k] = x;
			break;
		case BPF_ALU:
			if (BPF_OP(i->code) == BPF_DIV && !operand)
				return 0; /* as the kernel: the program ends with 0 */
			a = alu(BPF_OP(i->code), a, operand);
			break;
		case BPF_JMP:
			i += BPF_OP(i->code) == BPF_JA		  ? k
			     : jumps(BPF_OP(i->code), a, operand) ? i->jt
								  : i->jf;
			break;
		case BPF_RET:
			return BPF_RVAL(i->code) == BPF_A ? a : k;
		default: /* BPF_MISC */
			if (BPF_MISCOP(i->code) == BPF_TAX)
				x = a;
			else
				a = x;
		}
	}
}

/* Whether one instruction, with rest more behind it, is one that filters may have. */
static bool valid(const struct sock_filter *i, u32 rest)
{
	u32 k = i->k;
	switch (i->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return k < 4 * DATA_WORDS && !(k & 3);
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return k < BPF_MEMWORDS;
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
	case BPF_ALU | BPF_NEG:
		return true;
	case BPF_ALU | BPF_DIV | BPF_K:
		return k;
	case BPF_ALU | BPF_LSH | BPF_K:
	case BPF_ALU | BPF_RSH | BPF_K:
		return k < 32;
	case BPF_ALU | BPF_ADD | BPF_K:
	case BPF_ALU | BPF_SUB | BPF_K:
	case BPF_ALU | BPF_MUL | BPF_K:
	case BPF_ALU | BPF_OR | BPF_K:
	case BPF_ALU | BPF_AND | BPF_K:
	case BPF_ALU | BPF_XOR | BPF_K:
	case BPF_ALU | BPF_ADD | BPF_X:
	case BPF_ALU | BPF_SUB | BPF_X:
	case BPF_ALU | BPF_MUL | BPF_X:
	case BPF_ALU | BPF_DIV | BPF_X:
	case BPF_ALU | BPF_OR | BPF_X:
	case BPF_ALU | BPF_AND | BPF_X:
	case BPF_ALU | BPF_XOR | BPF_X:
	case BPF_ALU | BPF_LSH | BPF_X:
	case BPF_ALU | BPF_RSH | BPF_X:
		return true;
	case BPF_JMP | BPF_JA:
		return k < rest;
	case BPF_JMP | BPF_JEQ | BPF_K:
	case BPF_JMP | BPF_JGT | BPF_K:
	case BPF_JMP | BPF_JGE | BPF_K:
	case BPF_JMP | BPF_JSET | BPF_K:
	case BPF_JMP | BPF_JEQ | BPF_X:
	case BPF_JMP | BPF_JGT | BPF_X:
	case BPF_JMP | BPF_JGE | BPF_X:
	case BPF_JMP | BPF_JSET | BPF_X:
		return i->jt < rest && i->jf < rest;
	}
	return false;
}

static bool program_valid(const struct seccomp_filter *f)
{
	for (u32 i = 0; i < f->n; i++)
		if (!valid(&f->insn[i], f->n - 1 - i))
			return false;
	return f->n && BPF_CLASS(f->insn[f->n - 1].code) == BPF_RET;
}

/* ---- lists ---- */
static struct seccomp_filter *hold(struct seccomp_filter *f)
{
	if (f)
		__atomic_add_fetch(&f->refs, 1, __ATOMIC_RELAXED);
	return f;
}

static void put(struct seccomp_filter *f)
{
	while (f && __atomic_sub_fetch(&f->refs, 1, __ATOMIC_ACQ_REL) == 0) {
		struct seccomp_filter *before = f->before;
		free(f);
		f = before;
	}
}

void seccomp_inherit(struct thread *child, const struct thread *parent)
{
	child->seccomp_mode = parent->seccomp_mode;
	child->seccomp = hold(parent->seccomp);
}

void seccomp_free(struct thread *t)
{
	put(t->seccomp);
}

/* Puts a checked filter in front of the thread's. */
static i64 add(struct thread *t, struct seccomp_filter *f)
{
	f->total = f->n + EACH + (t->seccomp ? t->seccomp->total : 0);
	if (f->total > MAX_PATH)
		return -ENOMEM;
	f->refs = 1;
	f->before = t->seccomp;
	t->seccomp = f;
	t->seccomp_mode = SECCOMP_MODE_FILTER;
	return 0;
}

static bool leads_to(const struct seccomp_filter *f, const struct seccomp_filter *to)
{
	while (f && f != to)
		f = f->before;
	return f == to;
}

/* Gives all threads this one's filters; the id of one that has others of its own. Under the threads' lock. */
static i64 synchronize(struct thread *t, const struct seccomp_filter *old)
{
	for (struct thread *c = t->next; c != t; c = c->next)
		if (!c->borrowed && (c->seccomp_mode == SECCOMP_MODE_STRICT || !leads_to(old, c->seccomp)))
			return c->tid;
	for (struct thread *c = t->next; c != t; c = c->next)
		if (!c->borrowed) {
			struct seccomp_filter *was = c->seccomp; /* one of those before ours, so it stays */
			__atomic_store_n(&c->seccomp, hold(t->seccomp), __ATOMIC_RELEASE);
			__atomic_store_n(&c->seccomp_mode, SECCOMP_MODE_FILTER, __ATOMIC_RELEASE);
			put(was);
		}
	return 0;
}

/* ---- before each call ---- */
static NORETURN void kill_process(struct thread *t, int sig)
{
	siginfo_t info = { .si_signo = sig, .si_code = SYS_SECCOMP_CODE };
	if (sig == SIGSYS)
		signal_die(t, &info);
	for (;;)
		RAW2(SYS_kill, getpid(), SIGKILL);
}

static void kill_thread(struct thread *t, int sig)
{
	u64 status[6] = { (u64)sig };
	if (t->vm->n_threads == 1)
		kill_process(t, sig);
	sys_exit(t, status);
}

static void trap(struct thread *t, u32 data)
{
	siginfo_t info = { .si_signo = SIGSYS, .si_code = SYS_SECCOMP_CODE, .si_errno = (int)data };
	u32 words[DATA_WORDS];
	make_data(t, words);
	info.si_call_addr = (void *)t->cpu->pc;
	info.si_syscall = (int)t->nr;
	info.si_arch = words[1];
	signal_force(t, &info);
}

/* The strictest of all filters' answers; of those alike, the latest filter's. */
static u32 judge(const struct thread *t)
{
	u32 data[DATA_WORDS], best = SECCOMP_RET_ALLOW;
	make_data(t, data);
	for (const struct seccomp_filter *f = __atomic_load_n(&t->seccomp, __ATOMIC_ACQUIRE); f;
	     f = f->before) {
		u32 says = run(f, data);
		if ((i32)(says & SECCOMP_RET_ACTION_FULL) < (i32)(best & SECCOMP_RET_ACTION_FULL))
			best = says;
	}
	return best;
}

bool seccomp_refuses(struct thread *t)
{
	unsigned id = t->nr < t->abi->n_numbers ? t->abi->numbers[t->nr] : CALL_none;
	if (t->seccomp_mode == SECCOMP_MODE_STRICT) {
		bool fine = id == CALL_read || id == CALL_write || id == CALL_exit || id == CALL_rt_sigreturn;
		if (!fine)
			kill_thread(t, SIGKILL);
		return !fine;
	}
	u32 says = judge(t), value = says & SECCOMP_RET_DATA;
	switch (says & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
		return false;
	case SECCOMP_RET_ERRNO:
		t->abi->set_result(t->cpu, -(i64)MIN(value, 4095u));
		return true;
	case SECCOMP_RET_TRACE: /* nobody traces */
	case SECCOMP_RET_USER_NOTIF: /* nobody listens */
		t->abi->set_result(t->cpu, -ENOSYS);
		return true;
	case SECCOMP_RET_TRAP:
		trap(t, value);
		return true;
	case SECCOMP_RET_KILL_THREAD:
		kill_thread(t, SIGSYS);
		return true;
	default:
		kill_process(t, SIGSYS);
	}
}

/* ---- the calls ---- */
static i64 set_strict(struct thread *t)
{
	if (t->seccomp_mode == SECCOMP_MODE_FILTER)
		return -EINVAL;
	t->seccomp_mode = SECCOMP_MODE_STRICT;
	return 0;
}

/* Filters are for those who cannot gain privileges by exec, or could have anything anyway: CAP_SYS_ADMIN. */
static bool may_filter(void)
{
	struct {
		u32 version;
		int pid;
	} head = { 0x20080522, 0 };
	struct {
		u32 effective, permitted, inheritable;
	} cap[2] = { { 0 } };
	if (RAW5(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return true;
	return RAW2(SYS_capget, &head, cap) == 0 && cap[0].effective >> 21 & 1;
}

/* The guest's struct sock_fprog at addr, checked; -errno. */
static i64 read_program(struct thread *t, u64 addr, struct seccomp_filter **ret)
{
	u8 len[2], raw[8];
	u64 code;
	bool big = t->abi->big_endian;
	if (!get_mem(t->vm, len, addr, 2) || !get_word(t->vm, addr + t->abi->word, &code))
		return -EFAULT;
	u32 n = big ? ld_be16(len) : ld_le16(len);
	if (!n || n > BPF_MAXINSNS)
		return -EINVAL;
	struct seccomp_filter *f = alloc(sizeof(*f) + n * sizeof(f->insn[0]));
	f->n = n;
	for (u32 i = 0; i < n; i++) {
		if (!get_mem(t->vm, raw, code + 8 * i, 8)) {
			free(f);
			return -EFAULT;
		}
		f->insn[i] = (struct sock_filter){ big ? ld_be16(raw) : ld_le16(raw), raw[2], raw[3],
						   big ? ld_be32(raw + 4) : ld_le32(raw + 4) };
	}
	if (program_valid(f)) {
		*ret = f;
		return 0;
	}
	free(f);
	return -EINVAL;
}

static i64 set_filter(struct thread *t, u64 flags, u64 program)
{
	const u64 known = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG |
			  SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
	struct seccomp_filter *f, *old = t->seccomp;
	if (flags & ~known) /* listeners among them */
		return -EINVAL;
	if (!may_filter())
		return -EACCES;
	i64 r = read_program(t, program, &f);
	if (r < 0)
		return r;
	pthread_mutex_lock(&t->vm->threads_lock);
	r = t->seccomp_mode == SECCOMP_MODE_STRICT ? -EINVAL : add(t, f);
	if (r < 0)
		free(f);
	if (!r && flags & SECCOMP_FILTER_FLAG_TSYNC)
		r = synchronize(t, old);
	if (r > 0) { /* nothing has changed for anybody */
		t->seccomp = old;
		t->seccomp_mode = old ? SECCOMP_MODE_FILTER : SECCOMP_MODE_DISABLED;
		free(f);
		r = flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : r;
	}
	pthread_mutex_unlock(&t->vm->threads_lock);
	return r;
}

static i64 action_avail(struct thread *t, u64 flags, u64 addr)
{
	static const u32 there[] = { SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP,
				     SECCOMP_RET_ERRNO,	       SECCOMP_RET_TRACE,	SECCOMP_RET_LOG,
				     SECCOMP_RET_ALLOW };
	u32 action;
	if (flags)
		return -EINVAL;
	if (!get_u32(t->vm, addr, &action))
		return -EFAULT;
	for (unsigned i = 0; i < LEN(there); i++)
		if (there[i] == action)
			return 0;
	return -EOPNOTSUPP;
}

i64 sys_seccomp(CALL_ARGS)
{
	switch ((u32)a[0]) {
	case SECCOMP_SET_MODE_STRICT:
		return a[1] || a[2] ? -EINVAL : set_strict(t);
	case SECCOMP_SET_MODE_FILTER:
		return set_filter(t, a[1], a[2]);
	case SECCOMP_GET_ACTION_AVAIL:
		return action_avail(t, a[1], a[2]);
	default:
		return -EINVAL;
	}
}

i64 seccomp_prctl(struct thread *t, u64 mode, u64 program)
{
	return mode == SECCOMP_MODE_STRICT   ? set_strict(t)
	       : mode == SECCOMP_MODE_FILTER ? set_filter(t, 0, program)
					     : -EINVAL;
}

/* ---- exec ---- */
/* The oldest first: a count, then the instructions. */
static bool write_filters(int fd, const struct seccomp_filter *f)
{
	size_t size = f ? f->n * sizeof(f->insn[0]) : 0;
	return !f || (write_filters(fd, f->before) && write(fd, &f->n, sizeof(f->n)) == sizeof(f->n) &&
		      write(fd, f->insn, size) == (ssize_t)size);
}

i64 seccomp_before_exec(struct thread *t)
{
	if (!t->seccomp)
		return -1;
	int fd = move_high((int)RAW2(SYS_memfd_create, "seccomp", MFD_CLOEXEC));
	if (fd < 0 || !write_filters(fd, t->seccomp) || fcntl(fd, F_SETFD, 0) < 0) {
		if (fd >= 0)
			close(fd);
		return -ENOMEM;
	}
	return fd;
}

bool seccomp_after_exec(struct thread *t, int fd)
{
	u32 n;
	off_t at = 0;
	for (; pread(fd, &n, sizeof(n), at) == sizeof(n); at += (off_t)sizeof(n)) {
		struct seccomp_filter *f =
		    n && n <= BPF_MAXINSNS ? alloc(sizeof(*f) + n * sizeof(f->insn[0])) : NULL;
		ssize_t size = f ? (ssize_t)(n * sizeof(f->insn[0])) : 0;
		if (f)
			f->n = n;
		if (!f || pread(fd, f->insn, (size_t)size, at + (off_t)sizeof(n)) != size ||
		    !program_valid(f) || add(t, f) < 0) {
			free(f);
			return false;
		}
		at += size;
	}
	close(fd);
	return t->seccomp;
}
