/*
 * What the files of src/linux share: the guest's process and its parts.
 *
 * struct vm       the address space: what CLONE_VM shares. Its map has a lock for changes.
 * struct sighand  the signal handlers: what CLONE_SIGHAND shares.
 * struct thread   one guest thread on its own host thread; only that thread touches it, but for the fields said to be atomic.
 *
 * Signals. The host's signal mask is the guest's, except that signals a fault can raise are never blocked on the host (they are held
 * instead). A host handler stands for each signal the guest handles or that dumps core; it stores the one signal it got, asks the CPU to
 * stop and leaves with everything blocked, so that the kernel's own queues keep the order and the siginfo of the rest. The thread's
 * loop then builds the guest's frame. A system call is made by safe_syscall (translate/host): it never blocks when a signal came just before,
 * and says EINTR_RESTART exactly when the kernel would restart the call.
 */
#pragma once
#include "base/trace.h"
#include "control/gdb/gdb.h"
#include "guest/guest.h"
#include "linux/linux.h"
#include "translate/engine/engine.h"
#include "translate/ir/cpu.h"
#include <pthread.h>
#include <signal.h>
#include <sys/types.h>

enum { NSIG_GUEST = 64 };

/* Results of a system call beside a value and -errno; like the kernel's own, never seen by the guest. */
enum {
	EINTR_RESTART = 512, /* interrupted: restart it or say EINTR, by the handler's SA_RESTART */
	EINTR_AGAIN = 513, /* never began: do it again after the handler */
	RESULT_NONE = 514, /* registers are as they shall be (sigreturn, exec) */
};

/* ---- memory ---- */
struct map_node;
struct vm {
	pthread_rwlock_t lock; /* of the map: read to look, write to change */
	struct map_node *root GUARDED_BY(lock);
	u64 brk_start, brk, brk_limit;
	struct engine_origin *file; /* whose code is mapped, or was; under the lock */
	u32 n_file;
	size_t file_cap;
	u64 bytes; /* of the guest's ranges, for RLIMIT_AS */
	u64 va_limit; /* one behind the highest guest address */
	u64 page_size; /* the guest's, at least the host's */
	u8 *mem_base; /* guest address 0 */
	u64 mem_mask;
	bool window; /* a 32-bit guest: see window.c */
	struct engine *engine;
	const struct linux_options *opt;
	const struct linux_abi *abi;
	const void *model;
	/* facts of the image, for /proc and core dumps */
	u64 stack_lo, stack_hi, arg_start, arg_end, env_start, env_end, vdso, auxv_addr, auxv_len;
	u64 code_start, code_end, data_start, data_end, start_stack;
	u64 trampolines; /* the code of the vDSO; 0: there is none */
	char *exe; /* absolute path of the program */
	int self_fd; /* our own program's file */
	int prefix_fd; /* -1: no prefix */
	struct log log; /* of -d and -strace; its .fd: -1: none of ours */
	struct symbols *symbols; /* names of functions; NULL: nobody wants to know */
	u32 map_changes; /* of code in the map; atomic */
	u64 personality;
	u32 guard_prot; /* PROT_* bit of memory whose landings the engine checks; 0: none */
	/* RLIMIT_AS and RLIMIT_DATA: the guest's alone, since our own memory is no business of theirs; RLIM_INFINITY until set */
	struct linux_limit limit_as, limit_data;
	pthread_mutex_t threads_lock;
	struct thread *threads GUARDED_BY(threads_lock); /* a ring through next */
	u32 n_threads;
	volatile u32 exiting;
	struct debug *debug; /* NULL: no debugger was asked for */
	int leader_status; /* debugged only: what the first thread ended with */
};
enum { MAP_NODE_GUEST, MAP_NODE_RESERVED };
/* Guest protection and kind of a range; see memory.c. */
struct map_range {
	u64 start, end;
	u32 prot; /* PROT_* as the guest asked */
	u8 kind; /* MAP_NODE_* */
	bool shared;
	u64 shm; /* where the System V segment it belongs to was attached; 0: none */
	u32 file; /* index + 1 into vm->file, of private mappings that may be code; 0: another, or none */
};

/* The host address of a guest address, and back. */
static inline void *g2h(const struct vm *vm, u64 addr)
{
	return vm->mem_base + (addr & vm->mem_mask);
}
static inline u64 h2g(const struct vm *vm, const void *p)
{
	return (u64)((const u8 *)p - vm->mem_base);
}

struct err *vm_init(struct vm *vm);
/* The calls of the memory map; a guest address or a length, -errno on failure. */
i64 vm_mmap(struct vm *vm, u64 addr, u64 len, int prot, int flags, int fd, u64 offset);
i64 vm_munmap(struct vm *vm, u64 addr, u64 len);
i64 vm_mprotect(struct vm *vm, u64 addr, u64 len, int prot);
i64 vm_mremap(struct vm *vm, u64 old, u64 old_len, u64 new_len, int flags, u64 new_addr);
i64 vm_madvise(struct vm *vm, u64 addr, u64 len, int advice);
u64 vm_brk(struct vm *vm, u64 to);
i64 vm_shmat(struct vm *vm, int id, u64 addr, int flags);
i64 vm_shmdt(struct vm *vm, u64 addr);
/* Enters what the loader or the kernel mapped by other means. */
void vm_note(struct vm *vm, u64 addr, u64 len, u32 prot, bool shared);
/* Chooses where the brk area lies: from addr on; keeps room for it to grow. */
void vm_brk_init(struct vm *vm, u64 addr);
/* The range that holds addr, or the next one above it; false: none. Takes the lock. */
bool vm_find(struct vm *vm, u64 addr, struct map_range *ret_range);
/* Whether all of [addr, addr+len) is the guest's. Takes the lock. */
bool vm_owns(struct vm *vm, u64 addr, u64 len);
/*
 * Where a program's or library's file shall lie, so that it lies there in every run and its translations can be kept: a page's address, other
 * in every installation; 0: anywhere. fd: the file.
 */
u64 vm_place(const struct vm *vm, int fd);
/* For the engine: the file that code is mapped from; whether landings are checked there. user: the struct vm. */
bool vm_origin(void *user, u64 addr, struct engine_origin *ret);
bool vm_guarded(void *user, u64 addr);
void vm_lock_fork(struct vm *vm);
/* ---- window.c: what munmap and mremap are for 32-bit guests; 0 or the new place, or -errno. The map's lock is held. ---- */
struct err *window_init(struct vm *vm) MUST_CHECK;
i64 window_unmap(struct vm *vm, u64 addr, u64 len);
/* Makes [old, old + old_len) appear at to, new_len long; the old place is free then, or with keep_old has fresh pages. */
i64 window_move(struct vm *vm, u64 old, u64 old_len, u64 to, u64 new_len, bool keep_old);
void vm_unlock_fork(struct vm *vm, bool child);

/* Guest memory that may not be there. True: all went well. */
bool get_mem(struct vm *vm, void *dst, u64 addr, size_t len);
bool put_mem(struct vm *vm, u64 addr, const void *src, size_t len);
/* A string of the guest's in buf with its end; -EFAULT, -ENAMETOOLONG, or its length. */
i64 get_str(struct vm *vm, char *buf, u64 addr, size_t size);

/* ---- signals ---- */
struct guest_action { /* as the kernel's struct sigaction, already converted */
	u64 handler, flags, restorer, mask;
};
struct sighand {
	pthread_mutex_t lock;
	u32 refs; /* atomic */
	bool all; /* a debugger wants to see signals that have no handler, too */
	struct guest_action action[NSIG_GUEST + 1];
};
struct sigframe_info { /* what a frame builder gets */
	int sig;
	const siginfo_t *info;
	const struct guest_action *action;
	u64 old_mask;
	u64 sp; /* top of the stack to use */
	u64 stack_base, stack_size;
	u32 stack_flags; /* uc_stack of the frame: the alternate stack as it was */
	u64 fault_addr, fault_esr; /* of a fault, or 0 */
	u64 trampoline; /* sigreturn in the vDSO */
};

/* What a debugger knows of a thread; guarded by its lock. debug.h says how it works. */
struct debug_part {
	enum { DEBUG_RUNNING, DEBUG_CALLING, DEBUG_PARKED } state;
	enum gdb_act action;
	u64 from, to; /* of GDB_RANGE */
	int signal; /* to be taken instead of the one reported; 0 none */
	int injected; /* sent by the client, not to be reported */
	bool has_report, shown, repeats; /* it has something to say, the client has heard it, it would say it again */
	bool stepped; /* the thread's own: the step asked for was made */
	bool gone; /* ending: does not count any more */
	struct gdb_stop report;
	const siginfo_t *info; /* of the signal being reported */
};

struct thread {
	struct cpu *cpu;
	struct vm *vm;
	struct sighand *sighand;
	const struct linux_abi *abi;
	struct thread *next, *prev;
	pid_t tid;
	u64 mask; /* signals the guest blocks: bit sig - 1 */
	u64 suspend_mask; /* the mask in force while a call with a mask of its own waits */
	bool suspended; /* suspend_mask counts */
	volatile u32 pending; /* a signal waits in queued or held; set by the handler */
	volatile u32 has_queued;
	siginfo_t queued; /* the one the handler took; its number in si_signo */
	volatile u64
	    held_set; /* signals that faults can raise, sent by somebody while the guest blocks them */
	siginfo_t held[32];
	u64 alt_base, alt_size;
	u32 alt_flags;
	bool restart; /* the call at pc would be restarted */
	i64 restart_result;
	u32 n_tagged; /* accesses by tagged addresses that were interpreted */
	u64 clear_tid; /* guest address, 0: none */
	u64 robust_head, robust_len;
	u64 fault_esr, fault_addr;
	bool
	    borrowed; /* runs in a process of its own in its parent's memory (CLONE_VM without CLONE_THREAD) */
	bool leave; /* the host thread ends */
	void *exec_memory; /* what a failed or successful exec needs until the thread is gone */
	struct seccomp_filter *seccomp; /* the latest; others may replace it by a longer list (TSYNC): atomic */
	u32 seccomp_mode; /* SECCOMP_MODE_* */
	struct strace_line *line;
	u64 nr, arg[6]; /* the call being made */
	u32 vl_inherit; /* arm64: prctl says that a vector length stays across exec; bit 0 SVE's, bit 1 SME's */
	struct debug_part debug;
};
/* The thread that runs here; NULL on threads that run no guest. */
struct thread *thread_self(void);
void thread_set_self(struct thread *t);

/* The first handlers, as the host's dispositions ask; from then on guest memory that is not there can be met (get_mem, put_mem). */
struct sighand *signal_begin(bool debugged);
void signal_init(struct thread *t); /* the first thread's mask */
/* Delivers what waits, if anything; changes the CPU's state. */
void signal_deliver(struct thread *t);
/* A fault of the guest's own at its pc. code: si_code. */
void signal_fault(struct thread *t, int sig, int code, u64 addr, u64 esr);
/* The same of any signal that the guest cannot put off. */
void signal_force(struct thread *t, const siginfo_t *info);
/* Ends the process by a signal as the kernel does for the default action. */
void signal_die(struct thread *t, const siginfo_t *info) NORETURN;
u64 signal_block_all(void); /* host mask; gives the one before */
void signal_set_mask(struct thread *t, u64 mask); /* guest's mask; the host's follows */
void signal_host_mask(u64 mask); /* the host's alone */
struct sighand *sighand_copy(struct sighand *from);
void sighand_put(struct sighand *sh);
void sighand_clear(struct thread *t); /* handled ones to default (CLONE_CLEAR_SIGHAND) */
void vm_print_stats(struct vm *vm); /* --stats */
/* A signal set of the guest's: always 64 bits. */
bool get_set(struct thread *t, u64 addr, u64 *ret);
void signal_restore_altstack(struct thread *t, u64 base, u64 size, u32 flags);
void signal_before_exec(struct thread *t, bool undo);
/* Blocks everything on the host; true if a signal came before that and has to be delivered first (say -EINTR_AGAIN). */
bool signal_gate(struct thread *t);
/* Makes a host call that waits with a signal mask of its own. call gets the mask the host shall use. */
i64 signal_wait_with(struct thread *t, u64 mask,
		     i64 (*call)(struct thread *t, const u64 *a, const u64 *host_mask), const u64 *a);
extern const char *const signal_names[NSIG_GUEST + 1];

/* ---- threads ---- */
void thread_loop(struct thread *t);
/* From now on others may see this thread's stores one by one: it has memory in common with them. Its children inherit that. */
void thread_shares(struct thread *t);
struct thread *thread_new(struct vm *vm);
void thread_free(struct thread *t);
/* A detached host thread with all signals blocked; 0 or -errno. Everything is blocked already. */
i64 start_host_thread(void *(*fn)(void *), void *arg);

/* ---- names of functions ---- */
struct symbols *symbols_new(void);
/* Name of the guest's function at pc, "" when none is known. */
void symbols_name(struct vm *vm, u64 pc, char *buf, size_t size);
void symbols_after_fork(struct symbols *s);

/* ---- a debugger; all but the first only while vm->debug is set ---- */
/* Waits for gdb where the options say, or goes on with the one they hand over; from then on it holds the threads. */
struct err *debug_begin(struct thread *t) MUST_CHECK;
enum ir_event debug_run(struct thread *t); /* cpu_run as the debugger wants it */
void debug_call(struct thread *t); /* syscall_run, known to the debugger */
/* Before a signal is delivered: which one shall be; 0 none. */
int debug_signal(struct thread *t, const siginfo_t *info);
void debug_entered_handler(struct thread *t);
/* Before the process ends, before a thread does; says so to the client. */
void debug_exit(struct thread *t, int status, int signal);
void debug_thread_exit(struct thread *t, int status);
/* Before a guest program is executed in this process: what it needs to go on with the client; "": there is none. After a failure all is as before. */
void debug_before_exec(struct thread *t, char *session, size_t size);
void debug_exec_failed(struct thread *t);
void debug_after_fork(struct thread *t); /* in the child, which is not debugged */
bool debug_is_kick(const siginfo_t *info); /* a signal by which the debugger's thread brings a thread out of a call */
bool debug_owns_fd(const struct vm *vm, int fd);

/* ---- loading ---- */
struct image {
	u64 entry, base, phdr, phent, phnum; /* of the program */
	u64 interp_entry, interp_base;
	u64 brk;
	bool has_interp, exec_stack;
};
struct err *load_program(struct vm *vm, int fd, const char *path, struct image *ret_image) MUST_CHECK;
/* Makes the stack with arguments and auxv. */
struct err *stack_build(struct vm *vm, const struct image *image, char **argv, char **envp,
			const char *execfn, u64 *ret_sp) MUST_CHECK;
/* Maps the vDSO; 0 when there is none. */
u64 vdso_map(struct vm *vm);
u64 vdso_sigreturn(const struct vm *vm); /* address of the trampoline */

/* ---- files ---- */
/* A descriptor of our own, moved far from those the guest counts on; -1 stays -1. Close-on-exec. */
int move_high(int fd);
/* The host's path of a guest's: the -L prefix, when the file is there. Result in buf, or path itself. */
const char *path_prefixed(struct vm *vm, const char *path, char *buf);
/* /proc files the guest must see its own way: an open file, -1 if the path is none of them, -errno. */
i64 procfs_open(struct thread *t, int dirfd, const char *path, int flags);
/* The target of a link in /proc: 0 if the path is none of them. */
i64 procfs_readlink(struct thread *t, const char *path, char *buf, size_t size);
bool procfs_is_exe(const char *path);
/* execveat with the guest's pointers: comes back only on failure. */
i64 exec_call(struct thread *t, int dirfd, u64 path, u64 argv, u64 envp, int flags);
bool core_dump(struct thread *t, const siginfo_t *info);

/* ---- system calls ---- */
#define CALL_ARGS struct thread *t UNUSED, const u64 *a UNUSED
typedef i64 call_fn(CALL_ARGS);
enum call_kind {
	K_NONE,
	K_INT,
	K_UINT,
	K_LONG,
	K_HEX,
	K_OCTAL,
	K_SIZE,
	K_FD,
	K_DIRFD,
	K_PATH,
	K_STR,
	K_OUTSTR,
	K_PTR,
	K_BUF,
	K_SIGNAL,
	K_PID,
	K_OFLAGS,
	K_MODE,
	K_PROT,
	K_MMAP,
	K_CLONE,
	K_ATFLAGS,
	K_CLOCK,
	K_FCNTL,
	K_IOCTL,
	K_WHENCE,
	K_ACCESS,
	K_STRV,
	K_FUTEX,
	K_DOMAIN,
	K_SOCKTYPE,
	K_ACTION,
	K_TIMESPEC,
	K_SIGSET,
	K_SIGHOW,
	K_PAIR, /* 64 bits in two registers of a 32-bit guest; the second is K_PAIR_END */
	K_PAIR_END,
};
struct call {
	const char *name;
	call_fn *fn;
	u8 n_args;
	u8 kind[6]; /* enum call_kind */
	u8 result; /* enum call_kind */
	u16 layout[6]; /* of structures; 0 none */
};
extern const struct call calls[]; /* by enum call_id, generated */
/* The system call the CPU stands behind. */
void syscall_run(struct thread *t);
/* Through safe_syscall: a host system call that may block; -errno. */
i64 host_call(struct thread *t, long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);
/* Straight to the kernel: -errno, cannot be interrupted by the guest's signals in a way that matters. */
i64 raw_call(long nr, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f);
#define HOST0(nr) host_call(t, nr, 0, 0, 0, 0, 0, 0)
#define HOST1(nr, a) host_call(t, nr, (u64)(a), 0, 0, 0, 0, 0)
#define HOST2(nr, a, b) host_call(t, nr, (u64)(a), (u64)(b), 0, 0, 0, 0)
#define HOST3(nr, a, b, c) host_call(t, nr, (u64)(a), (u64)(b), (u64)(c), 0, 0, 0)
#define HOST4(nr, a, b, c, d) host_call(t, nr, (u64)(a), (u64)(b), (u64)(c), (u64)(d), 0, 0)
#define HOST5(nr, a, b, c, d, e) host_call(t, nr, (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), 0)
#define HOST6(nr, a, b, c, d, e, f) \
	host_call(t, nr, (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), (u64)(f))
#define RAW1(nr, a) raw_call(nr, (u64)(a), 0, 0, 0, 0, 0)
#define RAW2(nr, a, b) raw_call(nr, (u64)(a), (u64)(b), 0, 0, 0, 0)
#define RAW3(nr, a, b, c) raw_call(nr, (u64)(a), (u64)(b), (u64)(c), 0, 0, 0)
#define RAW4(nr, a, b, c, d) raw_call(nr, (u64)(a), (u64)(b), (u64)(c), (u64)(d), 0, 0)
#define RAW5(nr, a, b, c, d, e) raw_call(nr, (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), 0)
#define RAW6(nr, a, b, c, d, e, f) raw_call(nr, (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), (u64)(f))

/* ---- structures ---- */
enum field_type {
	F_U8,
	F_U16,
	F_U32,
	F_I32,
	F_U64,
	F_LONG,
	F_ULONG,
	F_PTR,
	F_BYTES,
	F_LOW32, /* 64 bits of which the guest sets the lower half alone */
};
struct field {
	u16 host_at, host_size;
	u8 type; /* enum field_type: how the guest keeps it */
	u16 count; /* of F_BYTES; otherwise 1 */
	bool is_signed;
};
struct layout {
	const char *name;
	const struct field *fields;
	u16 n_fields, host_size;
	bool same_lp64; /* the host's own layout on 64-bit little-endian guests */
	bool packed;
	u32 guest_size; /* on LP64 guests */
};
extern const struct layout layouts[]; /* by enum layout_id, generated */
u32 layout_size(const struct linux_abi *abi, unsigned id);
bool layout_same(const struct linux_abi *abi, unsigned id);
/* false: EFAULT. */
bool get_struct(struct vm *vm, unsigned id, void *host, u64 addr);
bool put_struct(struct vm *vm, unsigned id, u64 addr, const void *host);
void layout_to_guest(const struct linux_abi *abi, unsigned id, u8 *guest, const void *host);
void layout_to_host(const struct linux_abi *abi, unsigned id, void *host, const u8 *guest);
/* siginfo_t, 128 bytes on either side. */
void siginfo_to_guest(const struct linux_abi *abi, u8 guest[128], const siginfo_t *info);
void siginfo_to_host(const struct linux_abi *abi, siginfo_t *info, const u8 guest[128]);
/* A word of the guest's: pointer-sized. */
bool get_word(struct vm *vm, u64 addr, u64 *ret);
bool put_word(struct vm *vm, u64 addr, u64 val);
/* Always 64 bits. */
bool get_u64(struct vm *vm, u64 addr, u64 *ret);
bool put_u64(struct vm *vm, u64 addr, u64 val);
bool get_u32(struct vm *vm, u64 addr, u32 *ret);
bool put_u32(struct vm *vm, u64 addr, u32 val);

/* ---- seccomp.c ---- */
/* Whether the thread's rules forbid the call it stands behind (t->nr, t->arg); what they want in its place has happened then. With seccomp_mode not 0. */
bool seccomp_refuses(struct thread *t);
i64 seccomp_prctl(struct thread *t, u64 mode, u64 program); /* PR_SET_SECCOMP */
void seccomp_inherit(struct thread *child, const struct thread *parent);
void seccomp_free(struct thread *t);
/* The filters in a file that an executed program of the guest's reads: its descriptor, -1: there are none, or another -errno. */
i64 seccomp_before_exec(struct thread *t);
bool seccomp_after_exec(struct thread *t, int fd); /* closes it; false: it is damaged */

/* ---- strace ---- */
void strace_enter(struct thread *t, const struct call *call);
void strace_leave(struct thread *t, const struct call *call, i64 result);
void strace_signal(struct thread *t, const siginfo_t *info);
void strace_remark(struct thread *t, const char *fmt, ...) PRINTF(2, 3);

/* ---- architectures ---- */
struct flag_pair {
	u32 guest, host;
};
struct vdso_entry {
	const char *name;
	u16 at; /* word in the code */
};
struct linux_abi {
	const char *name; /* as in qemu-NAME */
	const struct guest *guest;
	u16 machine; /* e_machine */
	u8 word; /* bytes of a pointer */
	bool big_endian;
	bool sa_restorer; /* struct sigaction has that member */
	bool shared_va; /* addresses as the host has them, mem_base 0 */
	u8 va_bits;
	u32 page_size;
	const char *platform, *uts_machine, *uts_machine32; /* the last: under PER_LINUX32, or NULL */
	const u16 *numbers; /* enum call_id by number; 0 none */
	u32 n_numbers;
	const struct flag_pair *oflags; /* ended by 0, 0 */
	u32 min_sigstack, min_frame; /* of sigaltstack; AT_MINSIGSTKSZ */
	const u32 *vdso_code;
	u32 vdso_words;
	const struct vdso_entry *vdso_entries; /* the first is sigreturn; ended by NULL */
	const char *vdso_version;
	u8 insn_len; /* of the system call instruction, for restarts */
	u64 (*hwcap)(const void *model, unsigned n); /* AT_HWCAP, AT_HWCAP2, ... */
	/* The protection bit of pages in which landings of indirect jumps are checked, if this model does; NULL: there is none. */
	u32 (*guard_prot)(const void *model);
	u32 guard_property; /* the ELF property whose lowest bit asks for that in a program's code */
	void (*start)(struct cpu *cpu, u64 entry, u64 sp);
	u64 (*call)(struct cpu *cpu, u64 arg[6]); /* number and arguments; changes what every call changes */
	u64 (*result)(const struct cpu *cpu);
	void (*set_result)(struct cpu *cpu, i64 result);
	u64 (*sp)(const struct cpu *cpu);
	void (*set_sp)(struct cpu *cpu, u64 sp);
	void (*set_tls)(struct cpu *cpu, u64 tls);
	bool (*frame_setup)(struct thread *t,
			    const struct sigframe_info *f); /* false: the stack cannot take it */
	bool (*frame_return)(struct thread *t, u64 *ret_mask); /* false: a bad frame */
	unsigned (*core_regs)(const struct cpu *cpu, u8 *buf); /* elf_gregset_t; its length */
	unsigned (*core_fpregs)(const struct cpu *cpu, u8 *buf);
	/* May be NULL, or the architecture's further notes of a thread, numbered from 0: type, data of at most 1024 bytes; their length, 0: no more. */
	unsigned (*core_note)(const struct thread *t, unsigned number, u32 *ret_type, u8 *buf);
	void (*cpuinfo)(const void *model, int fd, unsigned cpus);
	/* May be NULL, or what a file of /proc holds that the kernel has on CPUs of this model alone; NULL: there is none. */
	const char *(*proc_text)(const void *model, const char *path);
	i64 (*prctl)(struct thread *t, const u64 *a, bool *ret_handled);
	u64 (*fault_esr)(const struct cpu *cpu, enum ir_event ev);
};
//registry: LINUX_ABI struct linux_abi linux_abi_ linux_abis
#define LINUX_ABI(id) \
	extern const struct linux_abi linux_abi_##id; \
	const struct linux_abi linux_abi_##id
