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

/* ---- for character devices ---- */

static struct err *find_creds(void *user, const char *id, bool server, struct tls_creds **ret)
{
	return blk_tls_creds(user, id, server, ret);
}

static struct err *find_identity(void *user, const char *id, const char **ret)
{
	return blk_authz(user, id, ret);
}

void storage_lend_objects(struct storage *s, struct chr_set *chrs)
{
	chrs->objects = (struct chr_objects){ s->graph, find_creds, find_identity };
}
