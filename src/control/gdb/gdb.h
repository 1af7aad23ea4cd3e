/*
 * The stub's side of gdb's remote serial protocol: packets, queries, thread and register access. What is being debugged is behind struct
 * gdb_ops; this layer knows guests' register tables and nothing of user mode or machines.
 *
 * Manual: "Debugging with GDB", appendix E, The GDB Remote Serial Protocol.
 *
 * All-stop only: everything stands still while packets are answered, everything that has an action runs after resume. No threads of its
 * own: whoever has the connection calls gdb_input with what came and gdb_report when the target stopped. Nothing a client
 * sends can do more than the operations allow.
 */
#pragma once
#include "guest/guest.h"
#include "translate/ir/cpu.h"

struct gdb;

enum gdb_why {
	GDB_SIGNAL,
	GDB_SWBREAK,
	GDB_HWBREAK,
	GDB_WATCH,
	GDB_RWATCH,
	GDB_AWATCH,
	GDB_EXEC, /* another program goes on in this process */
	GDB_EXITED,
	GDB_KILLED
};
struct gdb_stop {
	enum gdb_why why;
	u64 thread;
	int value; /* GDB_SIGNAL, GDB_KILLED: the signal, host's number. GDB_EXITED: the status */
	u64 addr; /* of a watched access */
	const char *path; /* GDB_EXEC: the new program's */
};

enum gdb_act { GDB_STAY, GDB_GO, GDB_STEP, GDB_RANGE };
struct gdb_action { /* what a thread does when everything is resumed */
	enum gdb_act act;
	int signal; /* it gets this one first; 0: none. Host's number */
	u64 from, to; /* GDB_RANGE: steps as long as pc is in [from, to) */
};

enum gdb_object { GDB_AUXV, GDB_EXEC_FILE, GDB_SIGINFO };
enum gdb_point {
	GDB_POINT_SWBREAK,
	GDB_POINT_HWBREAK,
	GDB_POINT_WATCH,
	GDB_POINT_RWATCH,
	GDB_POINT_AWATCH,
	GDB_POINTS
};

/* What is debugged. All but send, interrupt are called only while everything stands still. Thread ids are positive. */
struct gdb_ops {
	void (*send)(void *user, const void *data, size_t len);
	u64 (*next_thread)(void *user, u64 after); /* in any order; after 0: the first; 0: there is none */
	void (*thread_name)(void *user, u64 thread, char *buf, size_t size);
	struct cpu *(*cpu)(
	    void *user, u64 thread,
	    bool write); /* its registers are about to be read, written; NULL: they cannot be */
	size_t (*read)(void *user, u64 addr, void *buf, size_t len); /* how many bytes could be read */
	bool (*write)(void *user, u64 addr, const void *buf, size_t len);
	bool (*point)(void *user, enum gdb_point type, u64 addr, u64 len, bool set);
	void (*act)(void *user, u64 thread, const struct gdb_action *action);
	void (*resume)(void *user);
	void (*interrupt)(void *user); /* the client wants a stop; it comes by gdb_report */
	void (*detach)(void *user); /* the client leaves: everything runs on */
	void (*kill)(void *user);
	/* An object's bytes, owned by the caller (free); NULL: there is none. */
	void *(*object)(void *user, enum gdb_object object, u64 thread, size_t *ret_len);
	void (*pass_signals)(void *user, u64 set); /* bit sig - 1: not to be reported; host's numbers */
	int (*open)(
	    void *user,
	    const char
		*path); /* a file of the target's, to be read: a descriptor or -errno. NULL: no files */
};

/* ops and guest are borrowed; model: of its CPUs; pid: what the process is called. Free with gdb_free. */
struct gdb *gdb_new(const struct gdb_ops *ops, void *user, const struct guest *guest, const void *model, u64 pid);
void gdb_free(struct gdb *g);
/* Bytes from the client. */
void gdb_input(struct gdb *g, const void *data, size_t len);
/* The target stopped, for the first time or after resume; or it is gone. */
void gdb_report(struct gdb *g, const struct gdb_stop *stop);
/*
 * What client and stub have agreed on, as text: a stub that another program makes for the same connection (exec) takes it over and
 * owes the client the answer to its last resume. False: damaged.
 */
void gdb_save(const struct gdb *g, char *text, size_t size);
bool gdb_restore(struct gdb *g, const char *text);
