/*
 * What the verbs that serve have in common as processes: signals that end them, a file with their number, a parent that returns
 * when they are ready. One thread.
 */
#pragma once
#include "base/err.h"

struct process {
	int ready_fd, signal_fd; /* ready_fd: tells the parent that waits; -1: none does */
	struct loop_fd *signals;
	const char *pid_file; /* written by this process; NULL: none */
	bool *end; /* set by SIGTERM, SIGINT, SIGHUP */
};

/* Splits in two: *ret_child true where the server goes on; the parent comes back when it is ready or gone, with its *ret_status. */
struct err *process_split(struct process *p, bool *ret_child, int *ret_status) MUST_CHECK;
/* *end becomes true when the process is to end. */
void process_begin(struct process *p, bool *end);
/* The number of a process that may still run is not written over while it does: the file stays locked. NULL: no file. */
struct err *process_write_pid(struct process *p, const char *path) MUST_CHECK;
/* The parent, if any, goes; no terminal is needed any more. keep_stderr: but for messages. */
void process_ready(struct process *p, bool keep_stderr);
/* Undoes what begin and write_pid did. */
void process_end(struct process *p);
