/*
 * The riscv64 kernel's side of user mode: registers of a system call, signal frames, vDSO code, CPU information.
 *
 * Facts: Linux 6.1 include/uapi/asm/{sigcontext,ucontext,ptrace,hwcap}.h, asm/auxvec.h; the frame's order as
 * arch/riscv/kernel/signal.c has it (siginfo, ucontext); Documentation/arch/riscv/hwprobe.rst.
 */
#include "guest/riscv/riscv.h"
#include "linux/internal.h"
#include "syscalls.gen.h"
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>

GUEST_DECL(riscv64);

enum { RA = 1, SP = 2, TP = 4, A0 = 10, A1 = 11, A2 = 12, A7 = 17 };

static struct riscv *regs(const struct cpu *cpu)
{
	return container_of(cpu, struct riscv, cpu);
}

/* ---- calls ---- */
static u64 call(const struct cpu *cpu, u64 arg[6])
{
	memcpy(arg, &regs(cpu)->x[A0], 6 * sizeof(u64));
	return regs(cpu)->x[A7];
}

static u64 result(const struct cpu *cpu)
{
	return regs(cpu)->x[A0];
}

static void set_result(struct cpu *cpu, i64 value)
{
	regs(cpu)->x[A0] = (u64)value;
}

static u64 sp(const struct cpu *cpu)
{
	return regs(cpu)->x[SP];
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
struct frame {
	u8 info[128];
	u64 uc_flags, uc_link;
	u64 stack_base;
	u32 stack_flags, pad;
	u64 stack_size;
	u64 sigmask;
	u8 unused[120];
	u64 pad2;
	u64 pc, x[31]; /* x1 to x31 */
	struct fp_state fp;
};
_Static_assert(offsetof(struct frame, pc) == 128 + 176 && sizeof(struct fp_state) == 528 && sizeof(struct frame) == 128 + 176 + 784,
	       "as the kernel's");

static void frame_registers(const struct riscv *r, struct frame *fr)
{
	fr->pc = r->cpu.pc;
	memcpy(fr->x, &r->x[1], sizeof(fr->x));
	memcpy(fr->fp.f, r->f, sizeof(fr->fp.f));
	fr->fp.fcsr = riscv_fcsr(r);
}

static bool frame_setup(struct thread *t, const struct sigframe_info *f)
{
	struct riscv *r = regs(t->cpu);
	struct frame fr;
	u64 at = ROUND_DOWN(f->sp - sizeof(fr), 16);
	memset(&fr, 0, sizeof(fr));
	memcpy(fr.info, f->info, sizeof(fr.info));
	fr.stack_base = f->stack_base;
	fr.stack_size = f->stack_size;
	fr.stack_flags = f->stack_flags;
	fr.sigmask = f->old_mask;
	frame_registers(r, &fr);
	if (!put_mem(t->vm, at, &fr, sizeof(fr)))
		return false;
	r->x[RA] = f->trampoline;
	r->x[SP] = at;
	r->x[A0] = (u64)f->sig;
	r->x[A1] = at;
	r->x[A2] = at + offsetof(struct frame, uc_flags);
	t->cpu->pc = f->action->handler;
	t->cpu->excl_addr = ~0ull;
	return true;
}

static bool frame_return(struct thread *t, u64 *ret_mask)
{
	struct riscv *r = regs(t->cpu);
	struct frame fr;
	if (!get_mem(t->vm, &fr, r->x[SP], sizeof(fr)))
		return false;
	if (fr.fp.unused[64] || fr.fp.unused[65] || fr.fp.unused[66])
		return false;
	t->cpu->pc = fr.pc;
	memcpy(&r->x[1], fr.x, sizeof(fr.x));
	memcpy(r->f, fr.fp.f, sizeof(fr.fp.f));
	riscv_set_fcsr(r, fr.fp.fcsr);
	t->cpu->excl_addr = ~0ull;
	signal_restore_altstack(t, fr.stack_base, fr.stack_size, fr.stack_flags);
	*ret_mask = fr.sigmask;
	return true;
}

/* ---- core dumps ---- */
static unsigned core_regs(const struct cpu *cpu, u8 *buf)
{
	const struct riscv *r = regs(cpu);
	memcpy(buf, r->x, sizeof(r->x));
	memcpy(buf, &cpu->pc, sizeof(u64));
	return sizeof(r->x);
}

static unsigned core_fpregs(const struct cpu *cpu, u8 *buf)
{
	struct frame fr = { 0 };
	frame_registers(regs(cpu), &fr);
	memcpy(buf, &fr.fp, sizeof(fr.fp));
	return sizeof(fr.fp);
}

/* ---- /proc/cpuinfo ---- */
static void cpuinfo(const void *vmodel, int fd, unsigned cpus)
{
	const struct riscv_model *m = vmodel;
	char isa[512];
	riscv_isa_string(m, isa, sizeof(isa));
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		dprintf(fd, "processor\t: %u\nhart\t\t: %u\nisa\t\t: %s\nmmu\t\t: sv48\nmvendorid\t: 0x%llx\nmarchid\t\t: 0x%llx\nmimpid\t\t: 0x%llx\n\n",
			cpu, cpu, isa, (unsigned long long)m->vendor, (unsigned long long)m->arch, (unsigned long long)m->imp);
}

static i64 riscv_prctl(struct thread *t UNUSED, const u64 *a, bool *ret_handled)
{
	*ret_handled = a[0] == 69 || a[0] == 70; /* PR_RISCV_V_SET_CONTROL, PR_RISCV_V_GET_CONTROL: no vectors */
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
		all = all && have.key >= 0 && (is_bits(have.key) ? (have.value & want.value) == want.value : have.value == want.value);
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
	engine_invalidate(t->vm->engine, 0, ~0ull); /* as the kernel: all of it, whatever the range */
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
	{ "__vdso_rt_sigreturn", 0 },
	{ "__vdso_clock_gettime", 4 },
	{ "__vdso_gettimeofday", 8 },
	{ "__vdso_clock_getres", 12 },
	{ "__vdso_getcpu", 16 },
	{ "__vdso_flush_icache", 20 },
	{ "__vdso_riscv_hwprobe", 24 },
	{ NULL, 0 },
};

/* The generic header's flags are the host's. */
static const struct flag_pair oflags[] = { { 0, 0 } };

LINUX_ABI(riscv64) = {
	.name = "riscv64",
	.guest = &guest_riscv64,
	.machine = EM_RISCV,
	.word = 8,
	.shared_va = true,
	.va_bits = 47,
	.page_size = 4096,
	.platform = NULL,
	.uts_machine = "riscv64",
	.numbers = riscv64_numbers,
	.n_numbers = RISCV64_NUMBERS,
	.oflags = oflags,
	.min_sigstack = 2048,
	.min_frame = sizeof(struct frame),
	.vdso_code = vdso_code,
	.vdso_words = LEN(vdso_code),
	.vdso_entries = vdso_entries,
	.vdso_version = "LINUX_4.15",
	.insn_len = 4,
	.hwcap = hwcap,
	.start = start,
	.call = call,
	.result = result,
	.set_result = set_result,
	.sp = sp,
	.set_sp = set_sp,
	.set_tls = set_tls,
	.frame_setup = frame_setup,
	.frame_return = frame_return,
	.core_regs = core_regs,
	.core_fpregs = core_fpregs,
	.cpuinfo = cpuinfo,
	.prctl = riscv_prctl,
};
