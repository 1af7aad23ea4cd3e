/*
 * Actions of a transaction: done one after another; when one fails those before it are undone, else what cannot be undone is
 * done at last. A kind is a row: ACTION(name). The graph is quiesced meanwhile.
 */
#pragma once
#include "control/block/storage.h"

struct action {
	struct action *next; /* the one before */
	const struct action_kind *kind;
	struct storage *storage;
	const struct json *data;
	struct job_group *group; /* of jobs, NULL: each for itself */
	void *state;
};

struct action_kind {
	const char *name; /* as in TransactionActionType */
	size_t state_size;
	struct err *(*prepare)(struct action *a);
	void (*commit)(struct action *a); /* may be NULL; so may the others */
	void (*undo)(struct action *a);
	void (*clean)(struct action *a); /* after either */
};

#define ACTION(id) \
	extern const struct action_kind action_kind_##id; \
	const struct action_kind action_kind_##id
//registry: ACTION struct action_kind action_kind_ action_kinds
extern const struct action_kind *const action_kinds[]; /* generated; ends with NULL */

/* One action as a command of its own. */
struct err *action_run(struct qmp_call *call, const struct action_kind *kind) MUST_CHECK;
