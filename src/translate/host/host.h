/*
 * A host back end: turns regions into machine code, and knows how generated code is entered, left, linked and interrupted.
 * One folder under host/ a host CPU; a build has the one of the machine it is built for, or none (then the interpreter runs all).
 *
 * Code is written through one mapping and executed through another of the same memory; `to_run` is the distance.
 */
#pragma once
#include "translate/ir/cpu.h"

/* What the engine's dispatcher gets from generated code besides enum ir_event. */
enum {
	HOST_OUT =
	    0xf0, /* a call whose struct host_out says more: cpu->scratch[0] = run address of what follows it */
	HOST_MISS = 0xf1, /* an indirect jump that missed: cpu->pc */
	/* in a struct host_out only */
	HOST_LINK = 0xf2, /* a direct jump that is not linked yet */
	HOST_HOT = 0xf3, /* a region that counts has run often */
};

/* A call by which a region is left, so that little of the code that the processor fetches is for what seldom happens. Sorted by place. */
struct host_out {
	u64 pc; /* where the guest is then, or shall go on */
	u32 at; /* offset in the region's code of what follows the call */
	u32 what : 8; /* enum ir_event, HOST_LINK, HOST_HOT */
	u32 site : 24; /* HOST_LINK: offset of the jump's 32-bit displacement */
};
enum { HOST_CALL_SIZE = 5 };

/* Where a fault may happen: sorted by place. */
struct host_site {
	u32 at; /* offset in the region's code of the instruction that may fault */
	u32 pc; /* guest pc of the instruction, relative to the region's; system mode: offset in the code where it goes on instead; 0: nowhere */
	u32 leave; /* user mode: what a fault there must be given as its way out: host_fault */
};

/* What in a region's code depends on where it lies, beside what is relative to itself. */
enum host_reloc_kind {
	HOST_RELOC_STUB, /* a 32-bit displacement of a jump or call to the stubs */
	HOST_RELOC_IMAGE, /* a 64-bit address in the program */
};
struct host_reloc {
	u32 at; /* offset in the region's code */
	u32 kind;
};

struct host_slots { /* which slots travel in registers, the same for every region of a guest */
	u8 gpr[16]; /* by host register: slot number, 0xff none */
	u8 vec[32];
};

/*
 * How an access of system mode reaches memory: by its context's table; or in the window that host_window set, after a comparison that holds
 * for addresses below cpu->window_low, for those from cpu->window_high on, or for either (addresses of 32 bits are not compared); or in the n-th
 * slice, cpu->window_slice.
 */
enum host_reach {
	REACH_TABLE,
	REACH_LOW,
	REACH_HIGH,
	REACH_BOTH,
	REACH_SLICE,
	REACHES = REACH_SLICE + CPU_SLICES
};

/* When other slots than between regions get registers in one: when that gains, or as often as it can be (for tests). */
enum host_moves { MOVES_WHEN_WORTH, MOVES_ALWAYS };

struct host_job {
	const struct ir_region *region;
	const struct ir_slot *slot;
	const u16 *hot_int, *hot_vec;
	u8 *out, *out_end; /* where to write */
	intptr_t to_run;
	const struct host_stubs *stubs;
	/*
	 * System mode: direct jumps are linked only inside a page of so many bits, and not to where an instruction may reach into the next; others
	 * go through the hash of translations. 0: user mode.
	 */
	u8 link_bits, insn_max;
	/* System mode: how the loads and stores of the instruction at pc reach memory. NULL: all by the table. */
	enum host_reach (*reach)(void *user, u64 pc);
	void *user;
	enum host_moves moves;
	bool
	    counts; /* counts cpu->heat[host_heat_slot] down at its start and in loops: HOST_HOT when nothing is left */
	u8 insn_shift; /* log2 of the shortest instruction: what pc bits the hash of translations uses */
	/* results */
	bool unsupported; /* something here has no host form: the interpreter must run this region */
	size_t size; /* 0: did not fit */
	struct host_site *site;
	u32 n_site;
	size_t site_cap;
	struct host_out *ways; /* out */
	u32 n_ways;
	size_t ways_cap;
	struct host_reloc *reloc;
	u32 n_reloc;
	size_t reloc_cap;
	void *own; /* the back end's memory, used again for the next region */
	u32 stopped; /* with unsupported: the IR instruction */
	u32 n_slow; /* operations without an inline form, done by calls of ir_eval */
	u32 last_slow; /* the last of them: the IR instruction */
};

/* Machine code that all regions share; made once in each code cache. */
struct host_stubs {
	/* Runs generated code: returns an event, or one of HOST_*. */
	u64 (*enter)(struct cpu *cpu, const void *code);
	const u8 *exit, *miss[16] /* by the register that holds the target */, *out, *slow, *helper, *flags,
	    *mem, *miss_leave; /* run addresses, for the back end */
	const u8 *estimates; /* tables of Arm's estimates, see the back end */
	const u8 *start, *end;
	u32 flags_at[4]; /* where the guest's flags lie in its state; the first n_flags */
	u8 n_flags;
	bool sha; /* the host has instructions for SHA-1 and SHA-256 */
};

/* System mode: entries of a context's table (cpu->tlb): the number of them and their size in powers of two, offsets of fields. */
enum {
	HOST_TLB_BITS = 12,
	HOST_TLB_ENTRY_BITS = 5,
	HOST_TLB_READ = 0,
	HOST_TLB_WRITE = 8,
	HOST_TLB_ADD = 16
};

/* One entry of a CPU's hash of translations, probed by generated code. */
struct host_jump {
	u64 pc;
	const void *code;
};
enum { HOST_JUMP_BITS = 15 };
static inline u32 host_jump_slot(u64 pc, unsigned insn_shift)
{
	return (pc >> insn_shift) & ((1u << HOST_JUMP_BITS) - 1);
}

static inline u32 host_heat_slot(u64 pc, unsigned insn_shift)
{
	return (pc >> insn_shift ^ pc >> 12) % CPU_HEAT;
}

/* Whether this machine can run what the back end makes; *ret_why says in a few words what it lacks, a constant text. */
bool host_supported(const char **ret_why);
/*
 * Where guest addresses begin in the host's address space, for generated code on this thread (NULL: at 0): those of 32 bits, and those
 * reached by a window. Cheap when nothing changes; called before generated code is entered.
 */
void host_window(const u8 *base);
/* Makes a signal context go on at a run address. */
void host_go_on(void *ucontext, const u8 *run);
/* Writes the shared code at out; returns how many bytes, 0 if it does not fit. */
size_t host_make_stubs(u8 *out, u8 *out_end, intptr_t to_run, const struct ir_slot *slot, const u16 *hot_int,
		       const u16 *hot_vec, struct host_stubs *ret_stubs);
void host_compile(struct host_job *job);
/* Frees what a job owns: its results' arrays and the back end's memory. */
void host_job_free(struct host_job *job);
/*
 * Makes code that was written for the run address `run` and is not linked independent of its place, and places it again: both change the
 * bytes at code, wherever those lie, in which `reloc` and `ways` say where. Stubs made by the same build on the same host (host_kept_as) are alike.
 */
struct host_placed {
	u8 *code;
	const struct host_reloc *reloc;
	u32 n_reloc;
	const struct host_out *ways;
	u32 n_ways;
};
void host_unplace(const struct host_placed *what, const u8 *run, const struct host_stubs *stubs);
void host_place(const struct host_placed *what, const u8 *run, const struct host_stubs *stubs);
/* A number for what generated code depends on beside build and guest: the features of this host's processor that are used. */
u64 host_kept_as(void);
/* Points the jump whose displacement lies at site (writable view) to target (same view). Atomic for running threads. */
void host_link(u8 *site, const u8 *target);
/*
 * A fault in generated code: makes the signal's context write the guest's state at that point into the CPU and return from stubs->enter with this event. code,
 * leave: the region's run address and host_site.leave. Async-signal-safe.
 */
void host_fault(const u8 *code, u32 leave, const struct host_stubs *stubs, void *ucontext, u64 event);
/* The host's program counter in a signal context. */
u64 host_context_pc(void *ucontext);
/* Turns state that generated code keeps in its own form (flags) into the form of ir.h. After every return from enter. */
void host_settle(struct cpu *cpu, const struct host_stubs *stubs);
/* Makes a signal context go on in cpu_raise(cpu, EV_MEMORY, 0) when the handler returns. */
void host_divert(void *ucontext, struct cpu *cpu);
