/* Commands of the protocol itself. */
#include "control/qmp/qmp.h"
#include "base/version.h"
#include "schema.gen.h"

/* Listed for clients that look for it; what it does is negotiate() of server.c, which knows the session. */
static struct err *qmp_capabilities(struct qmp_call *call UNUSED)
{
	return err_new(ERR_INVALID, "Capabilities negotiation is already complete, command ignored");
}
QMP_COMMAND(qmp_capabilities) = { &schema_command_qmp_capabilities, qmp_capabilities };

static struct err *query_version(struct qmp_call *call)
{
	struct json *version = json_dict();
	call->ret = json_dict();
	json_set(version, "micro", json_int(PEER_MICRO));
	json_set(version, "minor", json_int(PEER_MINOR));
	json_set(version, "major", json_int(PEER_MAJOR));
	json_set(call->ret, "qemu", version);
	json_set(call->ret, "package", json_str("Rhea " RHEA_VERSION));
	return NULL;
}
QMP_COMMAND(query_version) = { &schema_command_query_version, query_version };

static struct err *query_commands(struct qmp_call *call)
{
	call->ret = json_list();
	for (const struct qmp_command *const *c = qmp_commands; *c; c++) {
		struct json *j = json_dict();
		json_set(j, "name", json_str((*c)->spec->name));
		json_add(call->ret, j);
	}
	return NULL;
}
QMP_COMMAND(query_commands) = { &schema_command_query_commands, query_commands };

static struct err *query_qmp_schema(struct qmp_call *call)
{
	call->ret = qmp_describe(call->control->qmp);
	return NULL;
}
QMP_COMMAND(query_qmp_schema) = { &schema_command_query_qmp_schema, query_qmp_schema };

static struct err *quit(struct qmp_call *call)
{
	struct control *c = call->control;
	c->quit = true;
	if (c->ending)
		c->ending(c);
	return NULL;
}
QMP_COMMAND(quit) = { &schema_command_quit, quit };
