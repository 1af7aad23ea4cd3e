/*
 * I/O threads (object `iothread`): an export's connections and requests run in one instead of in the graph's own thread.
 *
 * All threads of a graph take turns by a gate (loop.h): one at a time runs the graph's code, and gives way in every system call
 * that moves bytes (sockets, files), in its workers' work and when it sleeps. So any thread may use any node, nodes have no home, and the
 * graph is changed and drained (blk_quiesce) as with one thread.
 *
 * All but the thread itself belongs to whoever holds the gate.
 */
#pragma once
#include "base/err.h"
#include "base/loop/loop.h"

struct blk_graph;
struct blk_node;
struct iothread;

/* name: what it is known by ("IO name"). It runs from its first use on, so that a process can fork before. */
struct iothread *iothread_new(struct blk_graph *graph, const char *name);
/* May be called while it runs, too. What is not said: 0, but for poll_grow and max_workers. */
void iothread_configure(struct iothread *t, const struct loop_config *config);
/* Ends it; nobody uses it. NULL is ignored. */
void iothread_free(struct iothread *t);
/* Exports of the node, and of the nodes it stands on, that name no thread run in this one from now on; NULL: in the graph's own. */
void blk_set_iothread(struct blk_node *node, struct iothread *t);
/* Of one in use. */
struct loop *iothread_loop(const struct iothread *t);
/*
 * Users: while there are some the object cannot be deleted. NULL is the graph's own thread, which is the one that first calls this,
 * and ignored. Refused when no thread can be made.
 */
struct err *iothread_use(struct iothread *t) MUST_CHECK;
void iothread_unuse(struct iothread *t);
bool iothread_is_used(const struct iothread *t);
