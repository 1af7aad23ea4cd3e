/*
 * QMP, the control protocol: monitors (one client at a time each), commands, events. Knows nothing of what commands do.
 *
 * Clients are read and written by a thread of its own, so that one can be answered while the main loop is busy: commands
 * sent with exec-oob run there. All others run one after another, whoever sent them, in a coroutine of the main loop.
 * Clients are not trusted with more than the commands: values are bounded in size and depth, a client that sends more than
 * it lets be answered is read no further, and one that does not take its answers is cut off.
 */
#pragma once
#include "backend/chr/chr.h"
#include "control/control.h"
#include "control/schema/schema.h"

struct qmp_call {
	struct control *control;
	const void *arg; /* struct NAME_arg of the command; NULL: it has none */
	const struct json *json; /* the same as JSON, for members C has no form for */
	struct json *ret; /* the command's result, given away; NULL: an empty object */
};

struct qmp_command {
	const struct schema_command *spec;
	/* In a coroutine of the main loop; out of band: in the clients' thread. */
	struct err *(*run)(struct qmp_call *call);
};

#define QMP_COMMAND(id) \
	extern const struct qmp_command qmp_command_##id; \
	const struct qmp_command qmp_command_##id
//registry: QMP_COMMAND struct qmp_command qmp_command_ qmp_commands
extern const struct qmp_command *const qmp_commands[]; /* generated; ends with NULL */

/* The calling thread's loop becomes the main loop. offers: see schema.h. The control's qmp is set. */
struct qmp *qmp_new(struct control *control, schema_offers offers);
/* A monitor on a character device, which nobody else may use. pretty: answers take several lines. */
void qmp_monitor(struct qmp *q, struct chr *chr, bool pretty);
/* Clients are served from now on; starts the thread. */
void qmp_start(struct qmp *q);
/* Sends what is left to be sent, for a second at most, and ends. */
void qmp_free(struct qmp *q);

/* Tells all clients; data (NULL: none) is taken over. Any thread. */
void qmp_event(struct qmp *q, const struct schema_event *event, struct json *data);

/* Whether a program has a command: all that are linked in, but for those that are refused here. */
const struct qmp_command *qmp_find(const char *name);
struct json *qmp_describe(const struct qmp *q);

/*
 * Checks arguments against the schema, runs the command and checks its result: what a client's command does, and for
 * callers in the program itself (options that are commands). args: NULL or an object. The caller owns *ret.
 */
struct err *qmp_run(struct qmp *q, const struct qmp_command *cmd, const struct json *args,
		    struct json **ret) MUST_CHECK;
