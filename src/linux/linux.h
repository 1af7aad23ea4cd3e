/*
 * User mode: runs a Linux program of another architecture as a process of the host's Linux.
 *
 * One guest process is one host process, one guest thread one host thread. System calls are those of the host's kernel, converted where the
 * two architectures differ. There is one guest process in a host process; what it is made of hangs on struct thread (internal.h).
 */
#pragma once
#include "guest/guest.h"

struct err;
struct linux_abi;

/* A resource limit of the guest's that the host does not keep. */
struct linux_limit {
	u64 cur, max; /* ~0: none */
};

/* Whether the engine has a thread of its own. By the number of processors: run.c says from how many on. */
enum own_thread { OWN_THREAD_BY_CPUS, OWN_THREAD_ON, OWN_THREAD_OFF };

/* How to run a program. Strings belong to the caller and stay for the life of the process. */
struct linux_options {
	const struct linux_abi *abi; /* NULL: by the ELF header */
	const char *prog_name; /* what messages call us: "qemu-aarch64" */
	const char *path; /* the program's file */
	int fd; /* the program's file, open (binfmt_misc's O flag, fexecve); -1: path is opened */
	const char *execfn; /* AT_EXECFN, NULL: path */
	char **argv, **envp; /* of the guest, NULL-terminated */
	const char *prefix; /* -L, NULL: none */
	const char *cpu; /* -cpu MODEL[,option=value...], NULL: the default */
	const char
	    *release; /* uname -r, NULL: the host's, but never older than the guest's libraries ask for */
	u64 stack_size; /* 0: RLIMIT_STACK, at most 8 MiB when that is unlimited */
	u64 base, reserved; /* -B, -R; 0: ours to choose */
	u64 code_size; /* of the code cache; 0: the usual */
	u64 hot_after; /* as in engine.h */
	u64 page_size; /* -p, 0: the architecture's */
	enum own_thread own_thread; /* of the engine's, which translates for speed */
	u32 vl_inherit; /* across exec: the first thread's (struct thread) */
	bool interpret, one_insn, preserve_argv0, stats;
	bool perf_map, jit_dump; /* files for perf */
	bool seeded; /* seed holds what AT_RANDOM is made from */
	u64 seed;
	u32 log; /* LOG_* */
	u32 traces; /* by enum trace_id */
	const char *log_file; /* -D; "%d" in it is the process's number. NULL: stderr */
	const char *log_ranges; /* -dfilter; NULL: all addresses */
	const char *keep_dir; /* of kept translations, NULL: none are kept */
	u64 keep_build; /* as engine_config's */
	u64 place; /* with keep_dir: what makes the addresses of the guest's files this machine's own, and the same in every run */
	const char *gdb; /* -g, where gdb connects; NULL: no debugger */
	const char *gdb_session; /* the debugger of the program that executed this one; NULL: none */
	bool restore_mask; /* signal_mask is the guest's first signal mask; otherwise it is the host's */
	u64 signal_mask;
	bool has_limits; /* limit_as and limit_data are those of the program that executed this one */
	struct linux_limit limit_as, limit_data;
	int filters_fd; /* seccomp filters of the program that executed this one; 0: none */
	int self_fd; /* this program's own file when it is open already (after an exec by ourselves), -1 otherwise */
};

/* Every architecture user mode knows, ended by NULL. */
extern const struct linux_abi *const linux_abis[];
const char *linux_abi_name(const struct linux_abi *abi); /* as in qemu-NAME */
const struct guest *linux_abi_guest(const struct linux_abi *abi);
const struct linux_abi *linux_abi_find(const char *name); /* NULL if there is none */
/* The first 20 bytes of an ELF header and the bits of it that count, as binfmt_misc wants them; a bit for every file that abi runs. */
void linux_abi_magic(const struct linux_abi *abi, u8 magic[20], u8 mask[20]);

/*
 * Runs the program; comes back only with an error, before its first instruction. The process ends with the guest's exit
 * status or by the signal that killed the guest.
 */
struct err *linux_run(const struct linux_options *options) MUST_CHECK;
/* Whether exec would find a guest program in this file: its architecture, or NULL. */
const struct linux_abi *linux_identify(const u8 *header, size_t len);

/* The errors of linux_run by which prog/ chooses the exit status. */
bool linux_err_is_foreign(const struct err *e);
