#include "control/block/transaction.h"
#include "block/root.h"

struct transaction {
	struct storage *storage;
	struct action *last;
	struct job_group *group;
};

static struct err *add(struct transaction *t, const struct action_kind *kind, const struct json *data)
{
	struct action *a = alloc(sizeof(*a));
	*a = (struct action){ .kind = kind,
			      .storage = t->storage,
			      .data = data,
			      .group = t->group,
			      .state = alloc(kind->state_size + 1) };
	struct err *e = kind->prepare(a);
	if (e) {
		free(a->state);
		free(a);
		return e;
	}
	a->next = t->last;
	t->last = a;
	return NULL;
}

static void undo_all(struct transaction *t)
{
	for (struct action *a = t->last; a; a = a->next)
		if (a->kind->undo)
			a->kind->undo(a);
}

/* In the order in which they were asked for. */
static void commit_from(struct action *a)
{
	if (!a)
		return;
	commit_from(a->next);
	if (a->kind->commit)
		a->kind->commit(a);
}

static void end(struct transaction *t)
{
	for (struct action *a; (a = t->last);) {
		t->last = a->next;
		if (a->kind->clean)
			a->kind->clean(a);
		free(a->state);
		free(a);
	}
}

struct err *action_run(struct qmp_call *call, const struct action_kind *kind)
{
	struct transaction t = { .storage = call->control->storage };
	blk_quiesce(t.storage->graph);
	struct err *e = add(&t, kind, call->json);
	if (!e)
		commit_from(t.last);
	end(&t);
	blk_resume(t.storage->graph);
	return e;
}

static const struct action_kind *find_kind(const char *name)
{
	for (const struct action_kind *const *k = action_kinds; *k; k++)
		if (strcmp((*k)->name, name) == 0)
			return *k;
	return NULL;
}

static struct err *transaction(struct qmp_call *call)
{
	const struct json *actions = json_get(call->json, "actions"),
			  *properties = json_get(call->json, "properties");
	const char *mode = json_get_str(properties, "completion-mode");
	struct transaction t = { .storage = call->control->storage };
	struct err *e = NULL;
	if (mode && strcmp(mode, "grouped") == 0) {
		t.group = alloc(sizeof(*t.group));
		t.group->jobs = 1; /* ours, until all are started */
	}
	blk_quiesce(t.storage->graph);
	for (size_t i = 0; i < actions->n && !e; i++) {
		const char *name = json_get_str(actions->items[i], "type");
		const struct action_kind *kind = find_kind(name);
		e = kind ? add(&t, kind, json_get(actions->items[i], "data"))
			 : err_new(ERR_UNSUPPORTED, "Action '%s' is not built", name);
	}
	if (e)
		undo_all(&t);
	else
		commit_from(t.last);
	end(&t);
	blk_resume(t.storage->graph);
	if (t.group && !--t.group->jobs)
		free(t.group);
	return e;
}
QMP_COMMAND(transaction) = { &schema_command_transaction, transaction };

static struct err *abort_action(struct action *a UNUSED)
{
	return err_new(ERR_INVALID, "Transaction aborted using Abort action");
}
ACTION(abort) = { .name = "abort", .prepare = abort_action };
