/*
 * The back end against the interpreter: regions are compiled, run on one copy of a CPU's state, interpreted on another, and everything a
 * guest can see is compared. RHEA_TEST_SEEDS=N runs that many random regions instead of some; RHEA_TEST_OP=NAME only that operation.
 */
#include "compile.c"
#include "base/err.h"
#include "base/test.h"
#include "translate/ir/random.h"
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum { CODE_SIZE = 8 << 20, PAGE = 4096 };

static const u16 hot_int[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 13, NO_SLOT }; /* mem x0..x7 w0 */
static const u16 hot_vec[] = { 31, 32, 33, 34, NO_SLOT }; /* v0..v3 */

/* Code memory in two views, a CPU, and a page of guest memory that ends where nothing is. */
struct rig {
	u8 *rw, *rx, *code;
	intptr_t to_run;
	struct host_stubs stubs;
	struct host_jump *jumps;
	u8 *mem;
	struct random_cpu *cpu;
	struct host_job job;
	sigjmp_buf raise;
	u32 unsupported, compiled, slow;
};
static struct rig *running; /* for the signal handler */

static void on_fault(int sig, siginfo_t *info, void *context)
{
	struct rig *rig = running;
	u64 pc = host_context_pc(context);
	if (rig) {
		struct cpu *cpu = &rig->cpu->cpu;
		u64 at = pc - (u64)(uintptr_t)(rig->code + rig->to_run);
		for (u32 i = 0; i < rig->job.n_site; i++)
			if (rig->job.site[i].at == at) {
				cpu->fault_addr = (uintptr_t)info->si_addr;
				cpu->pc = rig->job.region->pc + rig->job.site[i].pc;
				cpu->event = EV_MEMORY;
				host_fault(cpu, &rig->job, &rig->stubs, context, EV_MEMORY);
				return;
			}
		if (cpu_is_access(pc)) {
			cpu->fault_addr = (uintptr_t)info->si_addr;
			cpu_raise(cpu, EV_MEMORY, 0);
		}
	}
	fprintf(stderr, "signal %d at %#llx, address %p, code at offset %#llx\n", sig, (unsigned long long)pc, info->si_addr,
		rig ? (unsigned long long)(pc - (u64)(uintptr_t)(rig->code + rig->to_run)) : 0);
	signal(sig, SIG_DFL);
}

static struct rig *rig_new(const u16 *ints, const u16 *vecs)
{
	struct rig *rig = alloc(sizeof(*rig));
	int fd = memfd_create("code", 0);
	if (fd < 0 || ftruncate(fd, CODE_SIZE) < 0)
		abort();
	rig->rw = mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	rig->rx = mmap(NULL, CODE_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	close(fd);
	rig->to_run = rig->rx - rig->rw;
	rig->mem = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(rig->mem += PAGE, PAGE, PROT_READ | PROT_WRITE);
	size_t n = host_make_stubs(rig->rw, rig->rw + CODE_SIZE, rig->to_run, random_slots, ints, vecs, &rig->stubs);
	if (!n)
		abort();
	rig->code = rig->rw + ROUND_UP(n, 4096u);
	rig->job = (struct host_job){ .slot = random_slots,
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
	rig->cpu = aligned_alloc(64, ROUND_UP(sizeof(*rig->cpu), 64u));
	struct sigaction act = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	sigaction(SIGSEGV, &act, NULL);
	return rig;
}

static void rig_free(struct rig *rig)
{
	munmap(rig->rw, CODE_SIZE);
	munmap(rig->rx, CODE_SIZE);
	munmap(rig->mem - PAGE, 3 * PAGE);
	free(rig->job.site);
	free(rig->jumps);
	free(rig->cpu);
	free(rig);
	signal(SIGSEGV, SIG_DFL);
}

/* Runs the compiled region until it leaves, as the engine would. */
static enum ir_event run_code(struct rig *rig)
{
	struct cpu *cpu = &rig->cpu->cpu;
	cpu->jump_table = cpu->no_table = rig->jumps;
	cpu->raise = &rig->raise;
	u64 event;
	u32 mxcsr = __builtin_ia32_stmxcsr();
	if (sigsetjmp(rig->raise, 0))
		event = cpu->event;
	else
		event = rig->stubs.enter(cpu, rig->code + rig->to_run);
	__builtin_ia32_ldmxcsr(mxcsr);
	host_settle(cpu, random_slots);
	if (event == HOST_LINK) {
		const struct host_link *link = (const void *)(uintptr_t)cpu->scratch[0];
		cpu->pc = link->pc;
		return EV_NONE;
	}
	if (event == HOST_MISS)
		return EV_NONE;
	if (event != EV_NONE)
		cpu->event = event;
	return event;
}

static void dump(const struct rig *rig)
{
	const char *name = getenv("RHEA_TEST_DUMP");
	FILE *f = name ? fopen(name, "wb") : NULL;
	if (f) {
		fwrite(rig->code, 1, rig->job.size, f);
		fclose(f);
	}
}

static u64 show_slot(const struct random_cpu *c, const struct ir_slot *s, unsigned half)
{
	u64 v = 0;
	if (half * 8 < ir_type_size(s->type))
		memcpy(&v, (const u8 *)c + s->offset + half * 8, MIN(ir_type_size(s->type), 8u));
	return v;
}

static void print_region(const struct ir_region *r)
{
	AUTO(free_ptr) char *text = ir_print(r);
	for (const char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (strncmp(line, "const ", 6) || getenv("RHEA_TEST_DUMP"))
			fprintf(stderr, "%s\n", line);
}

static void complain(const struct rig *rig, const struct ir_region *r, u64 seed, const struct random_cpu *start,
		     const struct random_cpu *want, const struct random_cpu *got, const char *what)
{
	fprintf(stderr, "---- seed %llu: %s\n", (unsigned long long)seed, what);
	print_region(r);
	for (const struct ir_slot *s = random_slots; s->name; s++)
		if (memcmp((const u8 *)want + s->offset, (const u8 *)got + s->offset, ir_type_size(s->type)))
			for (unsigned half = 0; half < (ir_type_size(s->type) + 7) / 8; half++)
				fprintf(stderr, "%s.%u: %#llx, want %#llx, was %#llx\n", s->name, half,
					(unsigned long long)show_slot(got, s, half), (unsigned long long)show_slot(want, s, half),
					(unsigned long long)show_slot(start, s, half));
	for (const struct ir_slot *s = random_slots; getenv("RHEA_TEST_DUMP") && s->name; s++)
		fprintf(stderr, "  %s was %#llx %#llx\n", s->name, (unsigned long long)show_slot(start, s, 1),
			(unsigned long long)show_slot(start, s, 0));
	fprintf(stderr, "event_arg %#llx, want %#llx; fault_addr %#llx, want %#llx; fp_flags %#x, want %#x\n",
		(unsigned long long)got->cpu.event_arg, (unsigned long long)want->cpu.event_arg,
		(unsigned long long)got->cpu.fault_addr, (unsigned long long)want->cpu.fault_addr, got->cpu.fp_flags,
		want->cpu.fp_flags);
	dump(rig);
}

static bool compile(struct rig *rig, const struct ir_region *r)
{
	rig->job.region = r;
	host_compile(&rig->job);
	rig->compiled++;
	rig->unsupported += rig->job.unsupported;
	rig->slow += rig->job.n_slow;
	if (rig->job.unsupported && getenv("RHEA_TEST_DUMP"))
		fprintf(stderr, "unsupported: %s\n", ir_op_info[r->insn[rig->job.stopped].op].name);
	if (!rig->job.size && !rig->job.unsupported && r->n_insn < 64) {
		print_region(r);
		test_fail(__FILE__, __LINE__, "a small region did not fit");
	}
	return rig->job.size;
}

static bool quiet; /* no complaints: a failing region is being made smaller */

/* One run by interpreter and code from the same start; the region was compiled. mask: the fp_flags that must agree. */
static bool same_from(struct rig *rig, const struct ir_region *r, u64 seed, const struct random_cpu *start, u32 mask)
{
	static struct random_cpu want;
	static u8 mem_start[PAGE], mem_want[PAGE];
	char text[200] = "";
	memcpy(mem_start, rig->mem, PAGE);
	*rig->cpu = *start;
	running = rig;
	enum ir_event wanted = ir_run(r, &rig->cpu->cpu);
	want = *rig->cpu;
	memcpy(mem_want, rig->mem, PAGE);
	memcpy(rig->mem, mem_start, PAGE);
	*rig->cpu = *start;
	enum ir_event event = run_code(rig);
	running = NULL;
	want.cpu.fp_flags &= mask;
	rig->cpu->cpu.fp_flags &= mask;
	if (event != EV_MEMORY && event != EV_ALIGN)
		want.cpu.fault_addr = rig->cpu->cpu.fault_addr;
	if (event == EV_MEMORY) /* of an access over a page's end either part may fault first */
		want.cpu.fault_addr &= -(u64)PAGE, rig->cpu->cpu.fault_addr &= -(u64)PAGE;
	bool same = random_cpu_same(rig->cpu, &want, true, text, sizeof(text));
	if (event != wanted) {
		same = false;
		snprintf(text, sizeof(text), "event %u, want %u", event, wanted);
	}
	if (memcmp(rig->mem, mem_want, PAGE)) {
		same = false;
		for (unsigned i = PAGE; i-- > 0;)
			if (rig->mem[i] != mem_want[i])
				snprintf(text, sizeof(text), "guest memory at mem+%d: %#x, want %#x",
					 (int)(i - (PAGE - 400)), rig->mem[i], mem_want[i]);
	}
	if (!same && !quiet)
		complain(rig, r, seed, start, &want, rig->cpu, text);
	return same;
}

static void start_of(struct rig *rig, u64 seed, struct random_cpu *start)
{
	u64 state = ~seed;
	random_cpu_init(start, seed, true);
	start->cpu.mem_base = NULL;
	start->mem = (uintptr_t)rig->mem + PAGE - 512; /* with an index of 255 + 160 + 16 inside */
	host_fp_mode(&start->cpu, &fp_arm);
	for (unsigned i = 0; i < PAGE; i += 8)
		st_le64(rig->mem + i, random_next(&state));
}

static bool is_used(const struct ir_region *r, u32 v)
{
	for (u32 i = 1; i < r->n_insn; i++) {
		const struct ir_insn *in = &r->insn[i];
		const char *kinds = ir_op_info[in->op].operands;
		if ((kinds && kinds[0] == 'v' && in->a == v) || (kinds && kinds[1] == 'v' && in->b == v) || (kinds && kinds[2] == 'v' && in->c == v))
			return true;
	}
	return false;
}

/* Takes away what a failing region can do without, then lets it fail aloud. */
static void shrink(struct rig *rig, struct ir_region *r, u64 seed, const struct random_cpu *start, u32 mask)
{
	quiet = true;
	for (unsigned round = 0; round < 3; round++)
		for (u32 i = r->n_insn; i-- > 1;) {
			struct ir_insn was = r->insn[i];
			if (was.op == IR_NOP || was.op == IR_INSN || ir_has(was.op, 'E') || (was.op == IR_SET && was.imm >= IR_LOCAL) || is_used(r, i))
				continue;
			r->insn[i] = (struct ir_insn){ .op = IR_NOP };
			struct random_cpu unused;
			start_of(rig, seed, &unused);
			if (!compile(rig, r) || same_from(rig, r, seed, start, mask))
				r->insn[i] = was;
		}
	quiet = false;
	struct random_cpu again;
	start_of(rig, seed, &again);
	compile(rig, r);
	same_from(rig, r, seed, start, mask);
}

/* ---- random regions ---- */


static bool allow(const struct ir_region *r, const struct ir_insn *in)
{
	return in->op != IR_GETX && in->op != IR_SETX;
}

static bool random_seeds(struct rig *rig, u64 from, u64 to, struct ir_random_options o)
{
	struct ir_region *r = ir_new(random_slots, TY_I64);
	static struct random_cpu start;
	unsigned bad = 0;
	o.allow = allow;
	for (u64 seed = from; seed < to && bad < 3; seed++) {
		o.insns = 4 + seed % 97; /* short ones first fail */
		o.blocks = 1 + seed % 7;
		ir_random(r, seed, &o);
		r->fp = fp_arm;
		if (!compile(rig, r))
			continue;
		start_of(rig, seed, &start);
		quiet = true;
		bool same = same_from(rig, r, seed, &start, FP_IEEE_FLAGS);
		quiet = false;
		if (!same) {
			shrink(rig, r, seed, &start, FP_IEEE_FLAGS);
			test_fail(__FILE__, __LINE__, "seed %llu", (unsigned long long)seed);
			bad++;
		}
	}
	ir_free(r);
	return !bad;
}

static u64 first_seed(u64 usual)
{
	const char *s = getenv("RHEA_TEST_FIRST");
	return s ? strtoull(s, NULL, 0) : usual;
}

static u64 seeds(u64 usual)
{
	const char *s = getenv("RHEA_TEST_SEEDS");
	return s ? strtoull(s, NULL, 0) : usual;
}

TEST(x64, integer_code_without_memory_does_what_the_interpreter_does)
{
	struct rig *rig = rig_new(hot_int, hot_vec);
	random_seeds(rig, first_seed(0), seeds(4000),
		     (struct ir_random_options){ .no_memory = true, .no_vectors = true, .no_crypto = true, .no_loops = true });
	CHECK(rig->unsupported * 20 < rig->compiled);
	rig_free(rig);
}

TEST(x64, random_regions_do_what_the_interpreter_does)
{
	struct rig *rig = rig_new(hot_int, hot_vec);
	random_seeds(rig, first_seed(0), seeds(4000), (struct ir_random_options){ .faults = false });
	CHECK(rig->unsupported * 20 < rig->compiled);
	rig_free(rig);
}

TEST(x64, random_regions_with_faults_and_without_homes_do_what_the_interpreter_does)
{
	static const u16 none[] = { NO_SLOT };
	struct rig *rig = rig_new(hot_int, hot_vec);
	random_seeds(rig, 100000, 100000 + seeds(2000), (struct ir_random_options){ .faults = true });
	rig_free(rig);
	rig = rig_new(none, none);
	random_seeds(rig, 200000, 200000 + seeds(1000), (struct ir_random_options){ .faults = true, .floats = true });
	CHECK(rig->unsupported * 20 < rig->compiled);
	rig_free(rig);
}
