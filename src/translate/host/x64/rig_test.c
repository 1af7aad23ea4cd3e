#include "translate/host/x64/rig.h"
#include "translate/host/x64/jit.h"
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum { CODE_SIZE = 8 << 20 };

static struct rig *running; /* for the signal handler */

static void on_fault(int sig, siginfo_t *info, void *context)
{
	struct rig *rig = running;
	u64 pc = host_context_pc(context);
	if (rig) {
		struct cpu *cpu = rig->cpu;
		u64 at = pc - (u64)(uintptr_t)(rig->code + rig->to_run);
		for (u32 i = 0; i < rig->job.n_site; i++)
			if (rig->job.site[i].at == at) {
				cpu->fault_addr = (uintptr_t)info->si_addr;
				cpu->pc = rig->job.region->pc + rig->job.site[i].pc;
				cpu->event = EV_MEMORY;
				host_fault(rig->code + rig->to_run, rig->job.site[i].leave, &rig->stubs,
					   context, EV_MEMORY);
				return;
			}
		if (cpu_is_access(pc)) {
			cpu->fault_addr = (uintptr_t)info->si_addr;
			host_divert(context, cpu);
			return;
		}
	}
	fprintf(stderr, "signal %d at %#llx, address %p, code at offset %#llx\n", sig, (unsigned long long)pc,
		info->si_addr,
		rig ? (unsigned long long)(pc - (u64)(uintptr_t)(rig->code + rig->to_run)) : 0);
	signal(sig, SIG_DFL);
}

struct rig *rig_new(const struct ir_slot *slot, size_t state_size, const u16 *ints, const u16 *vecs)
{
	struct rig *rig = alloc(sizeof(*rig));
	int fd = memfd_create("code", 0);
	if (fd < 0 || ftruncate(fd, CODE_SIZE) < 0)
		abort();
	rig->rw = mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	rig->rx = mmap(NULL, CODE_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	close(fd);
	rig->to_run = rig->rx - rig->rw;
	rig->slot = slot;
	rig->mem = mmap(NULL, 3 * RIG_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(rig->mem += RIG_PAGE, RIG_PAGE, PROT_READ | PROT_WRITE);
	size_t n = host_make_stubs(rig->rw, rig->rw + CODE_SIZE, rig->to_run, slot, ints, vecs, &rig->stubs);
	if (!n)
		abort();
	rig->code = rig->rw + ROUND_UP(n, 4096u);
	rig->job = (struct host_job){ .slot = slot,
				      .hot_int = ints,
				      .hot_vec = vecs,
				      .out = rig->code,
				      .out_end = rig->rw + CODE_SIZE,
				      .to_run = rig->to_run,
				      .stubs = &rig->stubs,
				      .insn_shift = 2 };
	rig->jumps = alloc(sizeof(*rig->jumps) << HOST_JUMP_BITS);
	for (u32 i = 0; i < 1u << HOST_JUMP_BITS; i++)
		rig->jumps[i].pc = 0x0123456789abcdef;
	size_t size = ROUND_UP(state_size, (size_t)64);
	rig->cpu = aligned_alloc(64, size);
	memset(rig->cpu, 0, size);
	struct sigaction act = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	sigaction(SIGSEGV, &act, NULL);
	return rig;
}

void rig_free(struct rig *rig)
{
	munmap(rig->rw, CODE_SIZE);
	munmap(rig->rx, CODE_SIZE);
	munmap(rig->mem - RIG_PAGE, 3 * RIG_PAGE);
	host_job_free(&rig->job);
	free(rig->jumps);
	free(rig->cpu);
	free(rig);
	signal(SIGSEGV, SIG_DFL);
}

bool rig_compile(struct rig *rig, const struct ir_region *r)
{
	rig->job.region = r;
	host_compile(&rig->job);
	rig->compiled++;
	rig->unsupported += rig->job.unsupported;
	rig->moved += ((struct jit *)rig->job.own)->n_moved != 0;
	rig->slow += rig->job.n_slow;
	return rig->job.size;
}

enum ir_event rig_run(struct rig *rig)
{
	struct cpu *cpu = rig->cpu;
	cpu->jump_table = cpu->no_table = rig->jumps;
	cpu->raise = &rig->raise;
	u64 event;
	u32 mxcsr = __builtin_ia32_stmxcsr();
	running = rig;
	if (sigsetjmp(rig->raise, 0))
		event = cpu->event;
	else
		event = rig->stubs.enter(cpu, rig->code + rig->to_run);
	running = NULL;
	__builtin_ia32_ldmxcsr(mxcsr);
	host_settle(cpu, &rig->stubs);
	if (event == HOST_OUT) {
		const struct host_out *way = rig->job.ways;
		while (way->at != cpu->scratch[0] - (u64)(uintptr_t)(rig->code + rig->to_run))
			way++;
		cpu->pc = way->pc;
		event = way->what == HOST_LINK || way->what == HOST_HOT ? EV_NONE : way->what;
	}
	if (event == HOST_MISS)
		return EV_NONE;
	if (event != EV_NONE)
		cpu->event = event;
	return event;
}

enum ir_event rig_interpret(struct rig *rig, const struct ir_region *r)
{
	running = rig;
	enum ir_event event = ir_run(r, rig->cpu);
	running = NULL;
	return event;
}
