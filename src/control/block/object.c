/* Objects: secrets, credentials, throttle groups. */
#include "control/block/storage.h"
#include "block/object.h"

static struct err *object_add(struct qmp_call *call)
{
	return blk_object_add(call->control->storage->graph, json_copy(call->json));
}
QMP_COMMAND(object_add) = { &schema_command_object_add, object_add };

static struct err *object_del(struct qmp_call *call)
{
	const struct object_del_arg *a = call->arg;
	return blk_object_del(call->control->storage->graph, a->id);
}
QMP_COMMAND(object_del) = { &schema_command_object_del, object_del };
