/*
 * The kernel's side of user mode on riscv64 and riscv32: registers of a system call, signal frames, vDSO code, CPU information.
 *
 * Facts: Linux 6.1 include/uapi/asm/{sigcontext,ucontext,ptrace,hwcap}.h, asm/auxvec.h; the frame's order as
 * arch/riscv/kernel/signal.c has it (siginfo, ucontext); Documentation/arch/riscv/hwprobe.rst.
 */
#include "guest/riscv/riscv.h"
#include "linux/abi/frame.h"
#include "linux/internal.h"
#include "syscalls.gen.h"
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>

GUEST_DECL(riscv64);
GUEST_DECL(riscv32);
extern const struct linux_abi linux_abi_riscv64;

enum { RA = 1, SP = 2, TP = 4, A0 = 10, A1 = 11, A2 = 12, A7 = 17 };

static struct riscv *regs(const struct cpu *cpu)
{
	return container_of(cpu, struct riscv, cpu);
}

/* A register's value: of RV32 the low half counts. */
static u64 reg(const struct riscv *r, unsigned n)
{
	return riscv_model_has(r->model, RISCV_RV64) ? r->x[n] : (u32)r->x[n];
}

/* ---- calls ---- */
static u64 call(struct cpu *cpu, u64 arg[6])
{
	for (unsigned i = 0; i < 6; i++)
		arg[i] = reg(regs(cpu), A0 + i);
	return reg(regs(cpu), A7);
}

static u64 result(const struct cpu *cpu)
{
	return reg(regs(cpu), A0);
}

static void set_result(struct cpu *cpu, i64 value)
{
	regs(cpu)->x[A0] = (u64)value;
}

static u64 sp(const struct cpu *cpu)
{
	return reg(regs(cpu), SP);
}

static void set_sp(struct cpu *cpu, u64 value)
{
	regs(cpu)->x[SP] = value;
}

static void set_tls(struct cpu *cpu, u64 tls)
{
	regs(cpu)->x[TP] = tls;
}

static void start(struct cpu *cpu, u64 entry, u64 stack)
{
	cpu->pc = entry;
	regs(cpu)->x[SP] = stack;
}

static u64 hwcap(const void *model, unsigned n)
{
	return n == 0 ? riscv_hwcap(model) : 0;
}

/* ---- signal frames ---- */
struct fp_state { /* union __riscv_fp_state: as long as its quad-precision form */
	u64 f[32];
	u32 fcsr;
	u32 unused[67]; /* the last three are reserved and 0 */
};
_Static_assert(sizeof(struct fp_state) == 528, "as the kernel's");
enum { GREGS = 32, FRAME_MAX = FRAME_HEAD64 + GREGS * 8 + sizeof(struct fp_state) };

/* mcontext: pc and x1 to x31 in words, then the floating-point state. Gives its length. */
static unsigned mcontext_put(const struct linux_abi *abi, const struct riscv *r, u8 *p)
{
	struct fp_state fp = { .fcsr = riscv_fcsr(r) };
	for (unsigned i = 0; i < GREGS; i++) {
		u64 v = i ? r->x[i] : r->cpu.pc;
		if (abi->word == 8)
			st_le64(p + 8 * i, v);
		else
			st_le32(p + 4 * i, (u32)v);
	}
	memcpy(fp.f, r->f, sizeof(fp.f));
	memcpy(p + GREGS * abi->word, &fp, sizeof(fp));
	return GREGS * abi->word + (unsigned)sizeof(fp);
}

static bool mcontext_take(const struct linux_abi *abi, struct riscv *r, const u8 *p)
{
	struct fp_state fp;
	memcpy(&fp, p + GREGS * abi->word, sizeof(fp));
	if (fp.unused[64] || fp.unused[65] || fp.unused[66])
		return false;
	for (unsigned i = 0; i < GREGS; i++) {
		u64 v = abi->word == 8 ? ld_le64(p + 8 * i) : ld_le32(p + 4 * i);
		*(i ? &r->x[i] : &r->cpu.pc) = v;
	}
	memcpy(r->f, fp.f, sizeof(fp.f));
	riscv_set_fcsr(r, fp.fcsr);
	r->cpu.excl_addr = ~0ull;
	return true;
}

static bool frame_setup(struct thread *t, const struct sigframe_info *f)
{
	struct riscv *r = regs(t->cpu);
	u8 frame[FRAME_MAX] = { 0 };
	unsigned head = frame_head_size(t->abi);
	frame_head_put(t->abi, frame, f, true);
	unsigned size = head + mcontext_put(t->abi, r, frame + head);
	u64 at = ROUND_DOWN(f->sp - size, 16);
	if (!put_mem(t->vm, at, frame, size))
		return false;
	r->x[RA] = f->trampoline;
	r->x[SP] = at;
	r->x[A0] = (u64)f->sig;
	r->x[A1] = at;
	r->x[A2] = at + FRAME_INFO;
	t->cpu->pc = f->action->handler;
	t->cpu->excl_addr = ~0ull;
	return true;
}

static bool frame_return(struct thread *t, u64 *ret_mask)
{
	struct riscv *r = regs(t->cpu);
	u8 frame[FRAME_MAX];
	unsigned head = frame_head_size(t->abi);
	if (!get_mem(t->vm, frame, reg(r, SP), head + GREGS * t->abi->word + sizeof(struct fp_state)) ||
	    !mcontext_take(t->abi, r, frame + head))
		return false;
	*ret_mask = frame_head_take(t, frame);
	return true;
}

/* ---- core dumps (of 64-bit programs): the two halves of mcontext ---- */
static unsigned core_regs(const struct cpu *cpu, u8 *buf)
{
	u8 all[FRAME_MAX];
	mcontext_put(&linux_abi_riscv64, regs(cpu), all);
	memcpy(buf, all, GREGS * sizeof(u64));
	return GREGS * sizeof(u64);
}

static unsigned core_fpregs(const struct cpu *cpu, u8 *buf)
{
	u8 all[FRAME_MAX];
	mcontext_put(&linux_abi_riscv64, regs(cpu), all);
	memcpy(buf, all + GREGS * sizeof(u64), sizeof(struct fp_state));
	return sizeof(struct fp_state);
}

/* ---- /proc/cpuinfo ---- */
static void cpuinfo(const void *vmodel, int fd, unsigned cpus)
{
	const struct riscv_model *m = vmodel;
	char isa[512];
	riscv_isa_string(m, isa, sizeof(isa));
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		dprintf(fd,
			"processor\t: %u\nhart\t\t: %u\nisa\t\t: %s\nmmu\t\t: %s\nmvendorid\t: "
			"0x%llx\nmarchid\t\t: 0x%llx\nmimpid\t\t: 0x%llx\n\n",
			cpu, cpu, isa, riscv_model_has(m, RISCV_RV64) ? "sv48" : "sv32",
			(unsigned long long)m->vendor, (unsigned long long)m->arch,
			(unsigned long long)m->imp);
}

static i64 riscv_prctl(struct thread *t UNUSED, const u64 *a, bool *ret_handled)
{
	*ret_handled =
	    a[0] == 69 || a[0] == 70; /* PR_RISCV_V_SET_CONTROL, PR_RISCV_V_GET_CONTROL: no vectors */
	return -EINVAL;
}

/* ---- riscv_hwprobe, riscv_flush_icache ---- */
struct probe {
	i64 key;
	u64 value;
};
enum {
	KEY_MVENDORID,
	KEY_MARCHID,
	KEY_MIMPID,
	KEY_BASE_BEHAVIOR,
	KEY_IMA_EXT_0,
	KEY_CPUPERF_0,
	KEY_ZICBOZ_BLOCK_SIZE,
	KEY_HIGHEST_VIRT_ADDRESS,
	KEY_TIME_CSR_FREQ,
	KEY_MISALIGNED_SCALAR_PERF,
	KEY_MISALIGNED_VECTOR_PERF,
	KEY_VENDOR_EXT_THEAD_0,
	KEY_ZICBOM_BLOCK_SIZE,
};
enum { BASE_IMA = 1, MISALIGNED_FAST = 3, VECTOR_UNSUPPORTED = 4, WHICH_CPUS = 1, CPUSET_MAX = 1024 };

static bool is_bits(i64 key)
{
	return key == KEY_BASE_BEHAVIOR || key == KEY_IMA_EXT_0 || key == KEY_CPUPERF_0;
}

/* The key's value; an unknown key becomes -1. */
static void probe_one(const struct vm *vm, struct probe *p)
{
	const struct riscv_model *m = vm->model;
	bool zero = riscv_model_has(m, RISCV_ZICBOZ), clean = riscv_model_has(m, RISCV_ZICBOM);
	const u64 value[] = { [KEY_MVENDORID] = m->vendor,
			      [KEY_MARCHID] = m->arch,
			      [KEY_MIMPID] = m->imp,
			      [KEY_BASE_BEHAVIOR] = BASE_IMA,
			      [KEY_IMA_EXT_0] = riscv_hwprobe_ext(m),
			      [KEY_CPUPERF_0] = MISALIGNED_FAST,
			      [KEY_ZICBOZ_BLOCK_SIZE] = zero ? RISCV_CACHE_BLOCK : 0,
			      [KEY_HIGHEST_VIRT_ADDRESS] = vm->va_limit - 1,
			      [KEY_TIME_CSR_FREQ] = 1000000000,
			      [KEY_MISALIGNED_SCALAR_PERF] = MISALIGNED_FAST,
			      [KEY_MISALIGNED_VECTOR_PERF] = VECTOR_UNSUPPORTED,
			      [KEY_VENDOR_EXT_THEAD_0] = 0,
			      [KEY_ZICBOM_BLOCK_SIZE] = clean ? RISCV_CACHE_BLOCK : 0 };
	if (p->key >= 0 && p->key < (i64)LEN(value))
		p->value = value[p->key];
	else
		*p = (struct probe){ -1, 0 };
}

static bool any_set(const u8 *set, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (set[i])
			return true;
	return false;
}

/* Which CPUs have these values: all or none, they are alike. */
static i64 probe_cpus(struct thread *t, const u64 *a)
{
	u8 set[CPUSET_MAX] = { 0 }, online[CPUSET_MAX] = { 0 };
	size_t size = MIN(a[2], (u64)sizeof(set));
	if (!a[3] || !a[2])
		return -EINVAL;
	RAW3(SYS_sched_getaffinity, 0, sizeof(online), online);
	if (!get_mem(t->vm, set, a[3], size))
		return -EFAULT;
	bool empty = !any_set(set, size), all = true;
	for (u64 i = 0; i < a[1]; i++) {
		struct probe want, have;
		if (!get_mem(t->vm, &want, a[0] + i * sizeof(want), sizeof(want)))
			return -EFAULT;
		have = want;
		probe_one(t->vm, &have);
		all =
		    all && have.key >= 0 &&
		    (is_bits(have.key) ? (have.value & want.value) == want.value : have.value == want.value);
		if (have.key < 0 && !put_mem(t->vm, a[0] + i * sizeof(have), &have, sizeof(have)))
			return -EFAULT;
	}
	for (size_t i = 0; i < size; i++)
		set[i] = !all ? 0 : empty ? online[i] : set[i] & online[i];
	return put_mem(t->vm, a[3], set, size) ? 0 : -EFAULT;
}

i64 sys_riscv_hwprobe(CALL_ARGS)
{
	u8 set[CPUSET_MAX];
	if (a[4] == WHICH_CPUS)
		return probe_cpus(t, a);
	if (a[4] || (a[3] && !a[2]) || (!a[3] && a[2]))
		return -EINVAL;
	size_t size = MIN(a[2], (u64)sizeof(set));
	if (a[3] && !get_mem(t->vm, set, a[3], size))
		return -EFAULT;
	if (a[3] && !any_set(set, size))
		return -EINVAL;
	for (u64 i = 0; i < a[1]; i++) {
		struct probe p;
		if (!get_mem(t->vm, &p, a[0] + i * sizeof(p), sizeof(p)))
			return -EFAULT;
		probe_one(t->vm, &p);
		if (!put_mem(t->vm, a[0] + i * sizeof(p), &p, sizeof(p)))
			return -EFAULT;
	}
	return 0;
}

i64 sys_riscv_flush_icache(CALL_ARGS)
{
	if (a[2] & ~1ull)
		return -EINVAL;
	bool all =
	    a[1] <=
	    a[0]; /* the kernel flushes everything whatever the range; programs that count on it give an empty one */
	engine_invalidate(t->vm->engine, all ? 0 : a[0], all ? ~0ull : a[1] - a[0]);
	return 0;
}

/* The vDSO's code. Words: li a7, nr; ecall; ret. Unwinders know the sigreturn trampoline by its two words. */
static const u32 vdso_code[] = {
	0x08b00893, 0x00000073, 0x00000013, 0x00000013, /* 0: rt_sigreturn (139), nop, nop */
	0x07100893, 0x00000073, 0x00008067, 0x00000013, /* 4: clock_gettime (113) */
	0x0a900893, 0x00000073, 0x00008067, 0x00000013, /* 8: gettimeofday (169) */
	0x07200893, 0x00000073, 0x00008067, 0x00000013, /* 12: clock_getres (114) */
	0x0a800893, 0x00000073, 0x00008067, 0x00000013, /* 16: getcpu (168) */
	0x10300893, 0x00000073, 0x00008067, 0x00000013, /* 20: riscv_flush_icache (259) */
	0x10200893, 0x00000073, 0x00008067, 0x00000013, /* 24: riscv_hwprobe (258) */
};
static const struct vdso_entry vdso_entries[] = {
	{ "__vdso_rt_sigreturn", 0 },	{ "__vdso_clock_gettime", 4 },
	{ "__vdso_gettimeofday", 8 },	{ "__vdso_clock_getres", 12 },
	{ "__vdso_getcpu", 16 },	{ "__vdso_flush_icache", 20 },
	{ "__vdso_riscv_hwprobe", 24 }, { NULL, 0 },
};

/* The generic header's flags are the host's. */
static const struct flag_pair oflags[] = { { 0, 0 } };

/* What differs between the widths is in the rows of LINUX_ABI. */
/* clang-format off */
#define RISCV_ABI(bits, va) \
	.name = "riscv" #bits, .guest = &guest_riscv##bits, .machine = EM_RISCV, .word = bits / 8, .va_bits = va, .page_size = 4096, \
	.uts_machine = "riscv" #bits, .numbers = riscv##bits##_numbers, .n_numbers = RISCV##bits##_NUMBERS, .oflags = oflags, \
	.min_sigstack = 2048, .min_frame = FRAME_HEAD##bits + GREGS * bits / 8 + sizeof(struct fp_state), \
	.vdso_code = vdso_code, .vdso_words = LEN(vdso_code), .vdso_entries = vdso_entries, .vdso_version = "LINUX_4.15", \
	.insn_len = 4, .hwcap = hwcap, .start = start, .call = call, .result = result, .set_result = set_result, \
	.sp = sp, .set_sp = set_sp, .set_tls = set_tls, .frame_setup = frame_setup, .frame_return = frame_return, \
	.core_regs = core_regs, .core_fpregs = core_fpregs, .cpuinfo = cpuinfo, .prctl = riscv_prctl
LINUX_ABI(riscv64) = { RISCV_ABI(64, 47), .shared_va = true };
LINUX_ABI(riscv32) = { RISCV_ABI(32, 32) };
/* clang-format on */
