/*
 * The arm64 kernel's side of user mode: registers of a system call, signal frames, vDSO code, CPU information.
 *
 * Facts: Linux 6.1 include/uapi/asm/{sigcontext,ucontext,ptrace,hwcap,fcntl}.h, asm/auxvec.h; the frame's order as arch/arm64/kernel/signal.c
 * documents it (siginfo, ucontext, records, frame record); Documentation/arm64/sve.rst, sme.rst.
 */
#include "guest/arm64/sve.h"
#include "linux/abi/frame.h"
#include "linux/internal.h"
#include "syscalls.gen.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

GUEST_DECL(aarch64);

static struct arm64 *regs(const struct cpu *cpu)
{
	return container_of(cpu, struct arm64, cpu);
}

/* ---- calls ---- */
/* Streaming mode is left by every call; ZA stays. */
static u64 call(struct cpu *cpu, u64 arg[6])
{
	arm64_set_svcr(regs(cpu), regs(cpu)->svcr & ~(u32)SVCR_SM);
	memcpy(arg, regs(cpu)->x, 6 * sizeof(u64));
	return regs(cpu)->x[8];
}

static u64 result(const struct cpu *cpu)
{
	return regs(cpu)->x[0];
}

static void set_result(struct cpu *cpu, i64 value)
{
	regs(cpu)->x[0] = (u64)value;
}

static u64 sp(const struct cpu *cpu)
{
	return regs(cpu)->sp;
}

static void set_sp(struct cpu *cpu, u64 value)
{
	regs(cpu)->sp = value;
}

static void set_tls(struct cpu *cpu, u64 tls)
{
	regs(cpu)->tpidr_el0 = tls;
	regs(cpu)->tpidr2 = 0;
}

static void start(struct cpu *cpu, u64 entry, u64 stack)
{
	cpu->pc = entry;
	regs(cpu)->sp = stack;
}

static u64 hwcap(const void *model, unsigned n)
{
	u64 hwcap2 = 0, hwcap1 = arm64_hwcap(model, &hwcap2);
	return n == 0 ? hwcap1 : n == 1 ? hwcap2 : 0;
}

enum { PROT_BTI = 0x10 };
static u32 guard_prot(const void *model)
{
	return arm64_model_has(model, ARM64_BTI) ? PROT_BTI : 0;
}

/* ---- signal frames ---- */
struct record {
	u32 magic, size;
};
enum {
	FPSIMD_MAGIC = 0x46508001,
	ESR_MAGIC = 0x45535201,
	EXTRA_MAGIC = 0x45585401,
	SVE_MAGIC = 0x53564501,
	TPIDR2_MAGIC = 0x54504902,
	ZA_MAGIC = 0x54366345
};
enum { SVE_STREAMING = 1 };
struct fpsimd_record {
	struct record head;
	u32 fpsr, fpcr;
	u8 v[32][16];
};
struct vl_record { /* of SVE, of ZA: followed by the registers at 16, or not when they are unused */
	struct record head;
	u16 vl, flags;
	u16 reserved[2];
};
struct sve_record {
	struct vl_record head;
	u8 z[32][SVE_BYTES];
	u16 p[17]; /* and FFR */
	u8 pad[14];
};
struct tpidr2_record {
	struct record head;
	u64 tpidr2;
};
struct za_record {
	struct vl_record head;
	u8 za[SVE_BYTES][SVE_BYTES];
};
_Static_assert(sizeof(struct sve_record) % 16 == 0 && offsetof(struct sve_record, z) == 16,
	       "as sigcontext.h says");
struct esr_record {
	struct record head;
	u64 esr;
};
struct frame {
	u8 head[FRAME_HEAD64];
	u64 fault_address, x[31], sp, pc, pstate, pad3;
	u8 reserved[4096];
};
_Static_assert(offsetof(struct frame, reserved) == FRAME_INFO + 464, "as the kernel's");
enum {
	FRAME_RECORD = 16,
	PSTATE_AARCH32 = 1 << 4,
	PSTATE_BTYPE = 10,
	PSTATE_SSBS = 1 << 12,
	PSTATE_DIT = 1 << 24
};
#define PSTATE_NZCV 0xf0000000u

static u64 pstate(const struct arm64 *r)
{
	return (r->nzcv & PSTATE_NZCV) | (r->ssbs & PSTATE_SSBS) | (r->dit & PSTATE_DIT) |
	       (u64)r->cpu.landing << PSTATE_BTYPE;
}

/* The records of SVE, TPIDR2 and ZA at p, where the CPU has them; behind them. */
static u8 *sve_records_put(const struct arm64 *r, u8 *p)
{
	if (!arm64_model_has(r->model, ARM64_SVE))
		return p;
	struct sve_record sve = {
		.head = { { SVE_MAGIC, sizeof(sve) }, SVE_BYTES, r->svcr & SVCR_SM ? SVE_STREAMING : 0 }
	};
	memcpy(sve.z, r->v, sizeof(sve.z));
	for (unsigned i = 0; i < LEN(sve.p); i++)
		sve.p[i] = arm64_pred(&r->p[i]);
	memcpy(p, &sve, sizeof(sve));
	p += sizeof(sve);
	if (!arm64_model_has(r->model, ARM64_SME))
		return p;
	struct tpidr2_record tpidr2 = { { TPIDR2_MAGIC, sizeof(tpidr2) }, r->tpidr2 };
	memcpy(p, &tpidr2, sizeof(tpidr2));
	p += sizeof(tpidr2);
	struct za_record za = { .head = { { ZA_MAGIC, r->svcr & SVCR_ZA ? sizeof(za) : sizeof(za.head) },
					  SVE_BYTES } };
	memcpy(za.za, r->za, sizeof(za.za));
	memcpy(p, &za, za.head.head.size);
	return p + za.head.head.size;
}

/* The records of a frame, NULL where there is none. */
struct records {
	const u8 *fpsimd, *sve, *tpidr2, *za;
};

/* What those of SVE, TPIDR2 and ZA say; one that is not there, or has no registers, leaves them zero. False: not what the kernel would take. */
static bool sve_records_take(struct arm64 *r, const struct records *from)
{
	const u8 *sve = from->sve, *za = from->za;
	struct sve_record s = { 0 };
	struct za_record z = { 0 };
	if (sve)
		memcpy(&s, sve, MIN((size_t)((const struct record *)sve)->size, sizeof(s)));
	if (za)
		memcpy(&z, za, MIN((size_t)((const struct record *)za)->size, sizeof(z)));
	bool streaming = s.head.flags & SVE_STREAMING, on = z.head.head.size >= sizeof(z);
	if ((sve && (!arm64_model_has(r->model, ARM64_SVE) || s.head.vl != SVE_BYTES ||
		     s.head.head.size < sizeof(s.head))) ||
	    (za && (z.head.vl != SVE_BYTES || z.head.head.size < sizeof(z.head))) ||
	    ((streaming || za || from->tpidr2) && !arm64_model_has(r->model, ARM64_SME)))
		return false;
	if (from->tpidr2)
		memcpy(&r->tpidr2, from->tpidr2 + offsetof(struct tpidr2_record, tpidr2), sizeof(r->tpidr2));
	arm64_set_svcr(r, 0);
	arm64_set_svcr(r, (streaming ? SVCR_SM : 0) | (on ? SVCR_ZA : 0));
	for (unsigned i = 0; i < LEN(s.p); i++)
		arm64_set_pred(&r->p[i], s.head.head.size >= sizeof(s) ? s.p[i] : 0);
	if (on)
		memcpy(r->za, z.za, sizeof(z.za));
	return true;
}

static bool frame_setup(struct thread *t, const struct sigframe_info *f)
{
	struct arm64 *r = regs(t->cpu);
	struct frame fr;
	memset(&fr, 0, offsetof(struct frame, reserved));
	u64 link = ROUND_DOWN(f->sp - FRAME_RECORD, 16), at = ROUND_DOWN(link - sizeof(fr), 16);
	frame_head_put(t->abi, fr.head, f, f->action->flags & SA_SIGINFO);
	fr.fault_address = f->fault_addr;
	memcpy(fr.x, r->x, sizeof(fr.x));
	fr.sp = r->sp;
	fr.pc = t->cpu->pc;
	fr.pstate = pstate(r);
	struct fpsimd_record fp = { { FPSIMD_MAGIC, sizeof(fp) }, arm64_fpsr(r), r->fpcr, { { 0 } } };
	memcpy(fp.v, r->v, sizeof(fp.v));
	u8 *p = fr.reserved;
	memcpy(p, &fp, sizeof(fp));
	p += sizeof(fp);
	if (f->fault_esr) {
		struct esr_record esr = { { ESR_MAGIC, sizeof(esr) }, f->fault_esr };
		memcpy(p, &esr, sizeof(esr));
		p += sizeof(esr);
	}
	p = sve_records_put(r, p);
	memset(p, 0, sizeof(struct record));
	p += sizeof(struct record);
	u64 frame_record[2] = { r->x[29], r->x[30] };
	if (!put_mem(t->vm, at, &fr, (size_t)(p - (u8 *)&fr)) ||
	    !put_mem(t->vm, link, frame_record, sizeof(frame_record)))
		return false;
	r->x[0] = (u64)f->sig;
	if (f->action->flags & SA_SIGINFO) {
		r->x[1] = at;
		r->x[2] = at + FRAME_INFO;
	}
	arm64_set_svcr(r, 0);
	r->sp = at;
	r->x[29] = link;
	r->x[30] = f->action->flags & 0x04000000 ? f->action->restorer : f->trampoline;
	t->cpu->pc = f->action->handler;
	t->cpu->landing = t->cpu->key & KEY_BTI ? BTYPE_CALL : 0;
	t->cpu->excl_addr = ~0ull;
	return true;
}

/* False: they are not well-formed, or one is there that the kernel does not know. */
static bool records_find(const struct frame *fr, struct records *ret)
{
	const u8 *p = fr->reserved, *end = fr->reserved + sizeof(fr->reserved);
	while (end - p >= (ptrdiff_t)sizeof(struct record)) {
		struct record head;
		memcpy(&head, p, sizeof(head));
		if (!head.magic && !head.size)
			break;
		if (head.size < sizeof(head) || head.size > (size_t)(end - p) || head.size % 16)
			return false;
		if (head.magic == FPSIMD_MAGIC && head.size == sizeof(struct fpsimd_record))
			ret->fpsimd = p;
		else if (head.magic == SVE_MAGIC)
			ret->sve = p;
		else if (head.magic == TPIDR2_MAGIC && head.size == sizeof(struct tpidr2_record))
			ret->tpidr2 = p;
		else if (head.magic == ZA_MAGIC)
			ret->za = p;
		else if (head.magic != ESR_MAGIC && head.magic != EXTRA_MAGIC)
			return false;
		p += head.size;
	}
	return ret->fpsimd;
}

static bool frame_return(struct thread *t, u64 *ret_mask)
{
	struct arm64 *r = regs(t->cpu);
	struct frame fr;
	if (r->sp & 15 || !get_mem(t->vm, &fr, r->sp, sizeof(fr)))
		return false;
	struct records from = { NULL };
	struct fpsimd_record fp;
	if (!records_find(&fr, &from))
		return false;
	/* The kernel refuses every mode but EL0t here; the peer's own tests set others and count on EL0. */
	if (fr.pstate & PSTATE_AARCH32 || !sve_records_take(r, &from))
		return false;
	memcpy(&fp, from.fpsimd, sizeof(fp));
	memcpy(r->x, fr.x, sizeof(fr.x));
	r->sp = fr.sp;
	t->cpu->pc = fr.pc;
	r->nzcv = (u32)fr.pstate & PSTATE_NZCV;
	r->ssbs = fr.pstate & PSTATE_SSBS;
	r->dit = fr.pstate & PSTATE_DIT;
	r->cpu.landing = fr.pstate >> PSTATE_BTYPE & 3;
	memcpy(r->v, fp.v, sizeof(fp.v));
	arm64_set_fpsr(r, fp.fpsr);
	arm64_set_fpcr(r, fp.fpcr);
	t->cpu->excl_addr = ~0ull;
	*ret_mask = frame_head_take(t, fr.head);
	return true;
}

/* The syndrome of a data or instruction abort from EL0: class, 32-bit instruction, write, fault status (DDI 0487 D17.2.37). */
static u64 fault_esr(const struct cpu *cpu, enum ir_event ev)
{
	enum {
		DATA_ABORT = 0x24,
		FETCH_ABORT = 0x20,
		PC_ALIGN = 0x22,
		IL = 1 << 25,
		WNR = 1 << 6,
		TRANSLATION3 = 7,
		PERMISSION3 = 15,
		ALIGN = 0x21
	};
	u64 status = ev == EV_ALIGN ? ALIGN : cpu->fault_code == SEGV_ACCERR ? PERMISSION3 : TRANSLATION3;
	if (ev == EV_FETCH)
		return (u64)(cpu->pc & 3 ? PC_ALIGN : FETCH_ABORT) << 26 | IL | (cpu->pc & 3 ? 0 : status);
	return (u64)DATA_ABORT << 26 | IL | (cpu->fault_write ? WNR : 0) | status;
}

/* ---- lengths of vectors (Documentation/arm64/sve.rst, sme.rst, 6 and 9): there is one ---- */
enum {
	VL_SVE,
	VL_SME,
	VL_MAX = 8192,
	SME_SET_VL = 63,
	SME_GET_VL = 64
}; /* PR_SME_*: newer than some headers */

static bool has_length(const struct arm64_model *m, unsigned which)
{
	return arm64_model_has(m, which == VL_SME ? ARM64_SME : ARM64_SVE);
}

static i64 get_length(const struct thread *t, unsigned which)
{
	if (!has_length(regs(t->cpu)->model, which))
		return -EINVAL;
	return SVE_BYTES | (t->vl_inherit >> which & 1 ? PR_SVE_VL_INHERIT : 0);
}

/* The longest one that is not longer than what is asked, now or at the next exec. SME's flags are the same bits. */
static i64 set_length(struct thread *t, unsigned which, u64 arg)
{
	u64 vl = arg & PR_SVE_VL_LEN_MASK, flags = arg & ~(u64)PR_SVE_VL_LEN_MASK;
	if (!has_length(regs(t->cpu)->model, which) ||
	    flags & ~(u64)(PR_SVE_VL_INHERIT | PR_SVE_SET_VL_ONEXEC) || vl < 16 || vl % 16 || vl > VL_MAX)
		return -EINVAL;
	t->vl_inherit = (t->vl_inherit & ~(1u << which)) | (flags & PR_SVE_VL_INHERIT ? 1u << which : 0);
	return get_length(t, which);
}

static const char *proc_text(const void *model, const char *path)
{
	static const char *const file[] = { [VL_SVE] = "/proc/sys/abi/sve_default_vector_length",
					    [VL_SME] = "/proc/sys/abi/sme_default_vector_length" };
	for (unsigned i = 0; i < LEN(file); i++)
		if (strcmp(path, file[i]) == 0 && has_length(model, i))
			return "16\n";
	return NULL;
}

/* ---- core dumps ---- */
static unsigned core_regs(const struct cpu *cpu, u8 *buf)
{
	const struct arm64 *r = regs(cpu);
	u64 set[34];
	memcpy(set, r->x, sizeof(r->x));
	set[31] = r->sp;
	set[32] = cpu->pc;
	set[33] = pstate(r);
	memcpy(buf, set, sizeof(set));
	return sizeof(set);
}

static unsigned core_fpregs(const struct cpu *cpu, u8 *buf)
{
	const struct arm64 *r = regs(cpu);
	u32 tail[4] = { arm64_fpsr(r), r->fpcr };
	memcpy(buf, r->v, sizeof(r->v));
	memcpy(buf + sizeof(r->v), tail, sizeof(tail));
	return sizeof(r->v) + sizeof(tail);
}

/* What begins a note of SVE or ZA (struct user_sve_header, user_za_header). */
struct vl_note {
	u32 size, max_size;
	u16 vl, max_vl, flags, reserved;
};
struct sve_note {
	struct vl_note head;
	u8 z[32][SVE_BYTES];
	u16 p[17], pad[7];
	u32 fpsr, fpcr, pad2[2];
};
struct za_note {
	struct vl_note head;
	u8 za[SVE_BYTES][SVE_BYTES];
};
_Static_assert(offsetof(struct sve_note, fpsr) == 576 && sizeof(struct sve_note) == 592,
	       "SVE_PT_SIZE(1, SVE_PT_REGS_SVE)");
enum {
	SVE_PT_REGS_SVE = 1,
	SVE_PT_VL_INHERIT = 2,
	NT_SSVE = 0x40b,
	NT_ZA = 0x40c
}; /* NT_ARM_*: newer than some hosts' headers */

/* The registers are in the note of the mode that the thread is in; the other has its head alone. */
static unsigned sve_note(const struct thread *t, bool streaming, u8 *buf)
{
	const struct arm64 *r = regs(t->cpu);
	bool live = streaming == !!(r->svcr & SVCR_SM),
	     inherit = t->vl_inherit >> (streaming ? VL_SME : VL_SVE) & 1;
	struct sve_note n = { .head = { live ? sizeof(n) : sizeof(n.head), sizeof(n), SVE_BYTES, SVE_BYTES,
					(live ? SVE_PT_REGS_SVE : 0) | (inherit ? SVE_PT_VL_INHERIT : 0), 0 },
			      .fpsr = arm64_fpsr(r),
			      .fpcr = r->fpcr };
	memcpy(n.z, r->v, sizeof(n.z));
	for (unsigned i = 0; i < LEN(n.p); i++)
		n.p[i] = arm64_pred(&r->p[i]);
	memcpy(buf, &n, n.head.size);
	return n.head.size;
}

static unsigned za_note(const struct thread *t, u8 *buf)
{
	const struct arm64 *r = regs(t->cpu);
	bool live = r->svcr & SVCR_ZA, inherit = t->vl_inherit >> VL_SME & 1;
	struct za_note n = { .head = { live ? sizeof(n) : sizeof(n.head), sizeof(n), SVE_BYTES, SVE_BYTES,
				       inherit ? SVE_PT_VL_INHERIT : 0, 0 } };
	memcpy(n.za, r->za, sizeof(n.za));
	memcpy(buf, &n, n.head.size);
	return n.head.size;
}

static unsigned core_note(const struct thread *t, unsigned number, u32 *ret_type, u8 *buf)
{
	static const u32 type[] = { NT_ARM_TLS, NT_ARM_SVE, NT_SSVE, NT_ZA };
	const struct arm64 *r = regs(t->cpu);
	bool sve = arm64_model_has(r->model, ARM64_SVE), sme = arm64_model_has(r->model, ARM64_SME);
	unsigned count = sme ? 4 : sve ? 2 : 1;
	if (number >= count)
		return 0;
	*ret_type = type[number];
	if (number) /* of one and the same layout */
		return *ret_type == NT_ZA ? za_note(t, buf) : sve_note(t, *ret_type == NT_SSVE, buf);
	u64 tls[2] = { r->tpidr_el0, r->tpidr2 };
	memcpy(buf, tls, sizeof(tls));
	return sme ? 16 : 8;
}

/* ---- /proc/cpuinfo ---- */
static void cpuinfo(const void *vmodel, int fd, unsigned cpus)
{
	/* Names of HWCAP and HWCAP2 bits, as the kernel prints them. */
	static const char *const names[] = { "fp",	 "asimd", "evtstrm", "aes",    "pmull",	  "sha1",
					     "sha2",	 "crc32", "atomics", "fphp",   "asimdhp", "cpuid",
					     "asimdrdm", "jscvt", "fcma",    "lrcpc",  "dcpop",	  "sha3",
					     "sm3",	 "sm4",	  "asimddp", "sha512", "sve",	  "asimdfhm",
					     "dit",	 "uscat", "ilrcpc",  "flagm",  "ssbs",	  "sb",
					     "paca",	 "pacg" };
	static const char *const names2[] = { "dcpodp",	   "sve2",     "sveaes",    "svepmull",	 "svebitperm",
					      "svesha3",   "svesm4",   "flagm2",    "frint",	 "svei8mm",
					      "svef32mm",  "svef64mm", "svebf16",   "i8mm",	 "bf16",
					      "dgh",	   "rng",      "bti",	    "mte",	 "ecv",
					      "afp",	   "rpres",    "mte3",	    "sme",	 "smei16i64",
					      "smef64f64", "smei8i32", "smef16f32", "smeb16f32", "smef32f32",
					      "smefa64",   "wfxt",     "ebf16" };
	const struct arm64_model *m = vmodel;
	u64 hwcap2 = 0, cap = arm64_hwcap(m, &hwcap2);
	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		dprintf(fd, "processor\t: %u\nBogoMIPS\t: 100.00\nFeatures\t:", cpu);
		for (unsigned i = 0; i < LEN(names); i++)
			if (cap >> i & 1)
				dprintf(fd, " %s", names[i]);
		for (unsigned i = 0; i < LEN(names2); i++)
			if (hwcap2 >> i & 1)
				dprintf(fd, " %s", names2[i]);
		dprintf(fd,
			"\nCPU implementer\t: 0x%02x\nCPU architecture: 8\nCPU variant\t: 0x%x\nCPU part\t: "
			"0x%03x\nCPU revision\t: %u\n\n",
			(unsigned)(m->midr >> 24 & 0xff), (unsigned)(m->midr >> 20 & 15),
			(unsigned)(m->midr >> 4 & 0xfff), (unsigned)(m->midr & 15));
	}
}

/* ---- prctl ---- */
static i64 arm64_prctl(struct thread *t, const u64 *a, bool *ret_handled)
{
	struct arm64 *r = regs(t->cpu);
	struct arm64_key *const key[] = { &r->apia, &r->apib, &r->apda, &r->apdb, &r->apga };
	*ret_handled = true;
	switch ((int)a[0]) {
	case PR_PAC_RESET_KEYS:
		if (!arm64_model_has(r->model, ARM64_PAUTH) || a[1] & ~31ull || a[2] || a[3] || a[4])
			return -EINVAL;
		for (unsigned i = 0; i < LEN(key); i++)
			if (!a[1] || a[1] >> i & 1)
				RAW3(SYS_getrandom, key[i], sizeof(*key[i]), 0);
		return 0;
	case PR_PAC_SET_ENABLED_KEYS:
	case PR_PAC_GET_ENABLED_KEYS:
		return -EINVAL; /* not offered: keys are always on */
	case PR_SET_TAGGED_ADDR_CTRL: /* the process's here, where the kernel has it by thread */
		if (a[1] & ~(u64)PR_TAGGED_ADDR_ENABLE || a[2] || a[3] || a[4])
			return -EINVAL;
		t->vm->mem_mask = a[1] ? BITS(64 - TAG_BITS) : ~0ull;
		return 0;
	case PR_GET_TAGGED_ADDR_CTRL:
		if (a[1] || a[2] || a[3] || a[4])
			return -EINVAL;
		return t->vm->mem_mask == ~0ull ? 0 : PR_TAGGED_ADDR_ENABLE;
	case PR_SVE_SET_VL:
		return set_length(t, VL_SVE, a[1]);
	case PR_SVE_GET_VL:
		return get_length(t, VL_SVE);
	case SME_SET_VL:
		return set_length(t, VL_SME, a[1]);
	case SME_GET_VL:
		return get_length(t, VL_SME);
	}
	*ret_handled = false;
	return 0;
}

/*
 * The vDSO's code. Words: mov x8, #nr; svc #0; ret. The unwinders of gcc and gdb know the sigreturn trampoline by its two words.
 */
static const u32 vdso_code[] = {
	0xd2801168, 0xd4000001, 0xd503201f, 0xd503201f, /* 0: rt_sigreturn (139), nop, nop */
	0xd2800e28, 0xd4000001, 0xd65f03c0, 0xd503201f, /* 4: clock_gettime (113) */
	0xd2801528, 0xd4000001, 0xd65f03c0, 0xd503201f, /* 8: gettimeofday (169) */
	0xd2800e48, 0xd4000001, 0xd65f03c0, 0xd503201f, /* 12: clock_getres (114) */
};
static const struct vdso_entry vdso_entries[] = {
	{ "__kernel_rt_sigreturn", 0 },
	{ "__kernel_clock_gettime", 4 },
	{ "__kernel_gettimeofday", 8 },
	{ "__kernel_clock_getres", 12 },
	{ NULL, 0 },
};

/* O_DIRECTORY, O_NOFOLLOW, O_DIRECT, O_LARGEFILE: arm64's beside those of x86 and the generic header. */
static const struct flag_pair oflags[] = {
	{ 040000, O_DIRECTORY },
	{ 0100000, O_NOFOLLOW },
	{ 0200000, O_DIRECT },
	{ 0400000, 0100000 },
	{ 0, 0 },
};

LINUX_ABI(arm64) = {
	.name = "aarch64",
	.guest = &guest_aarch64,
	.machine = EM_AARCH64,
	.word = 8,
	.sa_restorer = true,
	.shared_va = true,
	.va_bits = 48,
	.page_size = 4096,
	.platform = "aarch64",
	.uts_machine = "aarch64",
	.uts_machine32 = "armv8l",
	.numbers = arm64_numbers,
	.n_numbers = ARM64_NUMBERS,
	.oflags = oflags,
	.min_sigstack = 5120,
	.min_frame = 4720,
	.vdso_code = vdso_code,
	.vdso_words = LEN(vdso_code),
	.vdso_entries = vdso_entries,
	.vdso_version = "LINUX_2.6.39",
	.insn_len = 4,
	.hwcap = hwcap,
	.guard_prot = guard_prot,
	.guard_property = 0xc0000000, /* GNU_PROPERTY_AARCH64_FEATURE_1_AND */
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
	.core_note = core_note,
	.cpuinfo = cpuinfo,
	.proc_text = proc_text,
	.prctl = arm64_prctl,
	.fault_esr = fault_esr,
};
