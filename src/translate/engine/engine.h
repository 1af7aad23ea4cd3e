/*
 * The engine: translates guest code when it is first reached, keeps and links translations, and runs CPUs.
 *
 * Threads: one host thread runs a CPU at a time (cpu_run). Translation happens on the CPU's own thread, several at a time, and what runs often is translated again by
 * one of the engine's own; the table of
 * translations is read without locks. engine_invalidate may be called from any thread.
 */
#pragma once
#include "base/log.h"
#include "guest/guest.h"

struct engine;
struct err;
struct phys_map;

/* A file and its state, as fstat tells. */
struct engine_origin {
	u64 dev, ino, size, mtime; /* mtime in nanoseconds */
};

/* System mode: map hot pages of the guest into our address space? */
enum engine_windows {
	WINDOWS_AUTO, /* where it pays */
	WINDOWS_OFF,
	WINDOWS_ON, /* everywhere, at once: for tests */
};

struct engine_config {
	const struct guest *guest;
	const void *model; /* the guest's CPU model data */
	bool interpret; /* run everything in the interpreter */
	bool one_insn; /* one guest instruction a region */
	bool exact; /* for debuggers and logs: state that nobody will read is kept too */
	bool stats; /* measure the time in translation too */
	size_t code_size; /* bytes of code cache; 0: the default */
	u32 hot_after; /* how often code runs before it is translated for speed; 0: at once */
	bool background; /* user mode: by a thread of the engine's own, while the code goes on as it is */
	const char *keep_dir; /* where translations are kept across runs; NULL: nowhere */
	u64 keep_build; /* tells this program's builds apart */
	const struct log *log; /* NULL: nothing is logged; borrowed */
	bool perf_map, jit_dump; /* files for perf: /tmp/perf-PID.map, jit-PID.dump in the current folder */
	/* Name of the function at a guest address; "" when it is not known. NULL: none is. */
	void (*symbol)(void *user, u64 pc, char *buf, size_t size);
	enum engine_windows windows; /* system mode */
	struct phys_map *phys; /* system mode: physical memory, borrowed; NULL: user mode. Then fetch is the engine's own */
	/*
	 * Gives the code at a guest address: a host pointer to its bytes and how many may be read (up to the end of the page), or NULL with
	 * the fault in *ret_code when it cannot be fetched.
	 */
	const u8 *(*fetch)(void *user, struct cpu *cpu, u64 pc, u32 *ret_avail, u32 *ret_code);
	/* The file that the guest's code at addr is mapped from; false: from none, or it may be written to. Needed with keep_dir. */
	bool (*origin)(void *user, u64 addr, struct engine_origin *ret);
	/* Whether landings are checked in the page of addr, once engine_guard was called. NULL: nowhere. */
	bool (*guarded)(void *user, u64 addr);
	void *user;
};

struct err *engine_new(const struct engine_config *config, struct engine **ret_engine) MUST_CHECK;
void engine_free(struct engine *e);

/* A CPU of the engine's guest and model, reset. Belongs to the caller; free with engine_cpu_free on the thread that ran it, or when none does. */
struct cpu *engine_cpu_new(struct engine *e);
void engine_cpu_free(struct cpu *cpu);

/*
 * Runs the CPU on this thread from cpu->pc until something happens; cpu->pc and all state are then exact. EV_NONE: cpu->stop was set
 * (the caller clears it). EV_SYSCALL, ...: cpu->event_arg. EV_MEMORY, EV_FETCH, EV_ALIGN: cpu->fault_*.
 */
enum ir_event cpu_run(struct cpu *cpu);

/*
 * System mode: runs it until cpu_leave was called (EV_NONE) or the guest waits (EV_HALT). Exceptions and interrupts are the guest's own.
 */
enum ir_event cpu_run_system(struct cpu *cpu);
/* Makes cpu_run_system return; from any thread. */
void cpu_leave(struct cpu *cpu);

/*
 * For the signal handler of SIGSEGV, SIGBUS, SIGFPE: a fault on this thread with this host context. cpu->fault_code is si_code; SI_KERNEL
 * (an address that the host's processor does not have) from generated code means that fault_addr is not known: cpu_step finds it. True: it was a guest access (of generated
 * code, interpreter or helper); the context has been changed so that cpu_run returns EV_MEMORY (EV_ALIGN) when the handler returns.
 * ucontext: ucontext_t *; info: siginfo_t *. Async-signal-safe.
 */
bool engine_fault(struct cpu *cpu, void *ucontext, void *info);

/*
 * From now on indirect jumps into memory that config.guarded names must find a place to land (guest->lands), or cpu_run gives EV_UNDEFINED with
 * pc there and cpu->landing not 0. Code pays for it only from here on. From any thread; for good. Where that memory changes: engine_invalidate.
 */
void engine_guard(struct engine *e);

/* Code at [addr, addr+len) changed, was unmapped or lost its permission. Takes effect for every CPU before it next enters a translation. */
void engine_invalidate(struct engine *e, u64 addr, u64 len);
/*
 * Around a fork: begin before it (false: no memory, do not fork), then parent or child with the same struct. In between the engine is locked.
 * child: on the only thread left; other CPUs' engine state is dropped.
 */
struct engine_fork {
	void *rw, *rx; /* the child's code cache */
};
bool engine_fork_begin(struct engine *e, struct engine_fork *f) MUST_CHECK;
void engine_fork_parent(struct engine *e, struct engine_fork *f);
void engine_fork_child(struct engine *e, struct engine_fork *f, struct cpu *self);

/*
 * The engine's own thread (config.background), which is there once something ran often. Pause: it holds no lock and does nothing until resume; around a fork, before
 * any lock that config.fetch takes; not to be called in the child. End: there is no such thread when this returns; it is started again when there is something to do.
 */
void engine_background_pause(struct engine *e);
void engine_background_resume(struct engine *e);
void engine_background_end(struct engine *e);
unsigned engine_background_threads(struct engine *e); /* how many there are */

/*
 * For debuggers. Breakpoints: cpu_run comes back with EV_DEBUG, event_arg 0 and cpu->pc at the instruction, which has not run. A
 * second one at the same place changes nothing.
 */
void engine_breakpoint(struct engine *e, u64 addr, bool set);
/*
 * Watchpoints: an access of these WATCH_* kinds in [addr, addr+len) makes cpu_run and cpu_step give EV_DEBUG with event_arg the kind of access
 * and cpu->fault_addr its address: before it was made (pc at the instruction) or behind the instruction, by guest->watch_before. While there
 * is any, all code is interpreted, instruction by instruction. Accesses by system calls do not count.
 */
void engine_watchpoint(struct engine *e, u64 addr, u64 len, unsigned kinds, bool set);
void engine_debug_clear(struct engine *e);
/* Runs the instruction at cpu->pc, whether or not a breakpoint is there or a stop was asked for: EV_NONE, or the event it raised. */
enum ir_event cpu_step(struct cpu *cpu);
/* Before the process ends or executes another program: writes down what is to be kept. From any thread. */
void engine_keep_flush(struct engine *e);

/* Counters for --stats; names and values, ended by name NULL. */
struct engine_stat {
	const char *name;
	u64 value;
};
unsigned engine_stats(struct engine *e, struct engine_stat *stats, unsigned n);
