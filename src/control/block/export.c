/* Exports and the NBD server. */
#include "control/block/storage.h"
#include "block/nbd.h"
#include "block/object.h"
#include "base/sock.h"
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 10, ALL_CLIENTS = 100 };

/* ---- the server ---- */

void storage_stop_nbd(struct storage *s)
{
	if (!s->exports.nbd)
		return;
	blk_exports_end(&s->exports, blk_export_kind_find("nbd"));
	nbd_server_stop(&s->nbd);
	s->exports.nbd = NULL;
	if (s->nbd_path)
		unlink(s->nbd_path);
	free(s->nbd_path);
	s->nbd_path = NULL;
	tls_creds_unref(s->nbd_creds);
	s->nbd_creds = NULL;
	free(s->nbd_identity);
	s->nbd_identity = NULL;
}

static struct err *passed_fd(const char *text, int *ret)
{
	char *end;
	long fd = strtol(text, &end, 10);
	int on = 0;
	socklen_t len = sizeof(on);
	if (*end || fd < 0 || fd > INT32_MAX || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) || !on)
		return err_new(ERR_INVALID, "File descriptor '%s' is not a listening socket", text);
	*ret = fd;
	return NULL;
}

/* addr: SocketAddress, its members beside the type. */
static struct err *listen_at(const struct json *addr, char **ret_path, int *ret)
{
	const char *type = json_get_str(addr, "type");
	struct sock_addr a = { 0 };
	if (strcmp(type, "fd") == 0)
		return passed_fd(json_get_str(addr, "str"), ret);
	if (strcmp(type, "unix") == 0)
		a.path = (char *)json_get_str(addr, "path");
	a.host = (char *)json_get_str(addr, "host");
	a.port = (char *)json_get_str(addr, "port");
	if (strcmp(type, "unix") != 0 && strcmp(type, "inet") != 0)
		return err_new(ERR_UNSUPPORTED, "Socket address type '%s' is not built: use inet, unix or fd",
			       type);
	if (json_get_bool(addr, "abstract", false))
		return err_new(ERR_UNSUPPORTED, "'abstract' is not built: give the path of a file");
	struct err *e = sock_listen(&a, BACKLOG, ret);
	if (!e && a.path)
		*ret_path = str_dup(a.path);
	return e;
}

struct err *storage_start_nbd(struct storage *s, const struct json *addr, const struct json *opts)
{
	const char *creds = json_get_str(opts, "tls-creds"), *authz = json_get_str(opts, "tls-authz");
	struct tls_creds *tls = NULL;
	const char *identity = NULL;
	struct err *e = NULL;
	int fd;
	if (s->exports.nbd)
		return err_new(ERR_INVALID, "NBD server already running");
	if (creds)
		e = blk_tls_creds(s->graph, creds, true, &tls);
	if (!e && authz)
		e = blk_authz(s->graph, authz, &identity);
	if (!e)
		e = listen_at(addr, &s->nbd_path, &fd);
	if (e)
		return e;
	s->nbd_identity = identity ? str_dup(identity) : NULL;
	s->nbd = (struct nbd_server){ .creds = tls,
				      .identity = s->nbd_identity,
				      .max_clients = json_get_int(opts, "max-connections", ALL_CLIENTS) };
	s->nbd_creds = tls ? tls_creds_ref(tls) : NULL;
	s->exports.nbd = &s->nbd;
	nbd_server_listen(&s->nbd, fd);
	return NULL;
}

/* SocketAddressLegacy keeps its members below "data". */
static struct err *nbd_server_start(struct qmp_call *call)
{
	const struct json *given = json_get(call->json, "addr");
	AUTO(json_freep) struct json *addr = json_copy(json_get(given, "data"));
	json_set(addr, "type", json_str(json_get_str(given, "type")));
	return storage_start_nbd(call->control->storage, addr, call->json);
}
QMP_COMMAND(nbd_server_start) = { &schema_command_nbd_server_start, nbd_server_start };

static struct err *stop_nbd(struct qmp_call *call)
{
	struct storage *s = call->control->storage;
	if (!s->exports.nbd)
		return err_new(ERR_INVALID, "NBD server not running");
	storage_stop_nbd(s);
	return NULL;
}
QMP_COMMAND(nbd_server_stop) = { &schema_command_nbd_server_stop, stop_nbd };

/* ---- exports ---- */

static struct err *block_export_add(struct qmp_call *call)
{
	struct storage *s = call->control->storage;
	return blk_export_add(&s->exports, s->graph, call->json);
}
QMP_COMMAND(block_export_add) = { &schema_command_block_export_add, block_export_add };

static struct err *remove_export(struct blk_export *x, bool hard)
{
	if (x->ending)
		return err_new(ERR_BUSY, "Export '%s' is already shutting down", x->id);
	if (!hard && x->kind->busy && x->kind->busy(x))
		return err_hint(err_new(ERR_BUSY, "export '%s' still in use", x->id),
				"Use mode='hard' to force client disconnect");
	blk_export_end(x);
	return NULL;
}

static struct err *block_export_del(struct qmp_call *call)
{
	const struct block_export_del_arg *a = call->arg;
	struct blk_export *x = blk_export_find(&call->control->storage->exports, a->id);
	if (!x)
		return err_new(ERR_NOT_FOUND, "Export '%s' is not found", a->id);
	return remove_export(x, a->mode == BLOCK_EXPORT_REMOVE_MODE_HARD);
}
QMP_COMMAND(block_export_del) = { &schema_command_block_export_del, block_export_del };

static struct err *query_block_exports(struct qmp_call *call)
{
	call->ret = json_list();
	for (const struct blk_export *x = call->control->storage->exports.list; x; x = x->next) {
		struct json *j = json_dict();
		json_set(j, "node-name", json_str(x->node_name));
		json_set(j, "type", json_str(x->kind->name));
		json_set(j, "id", json_str(x->id));
		json_set(j, "shutting-down", json_bool(x->ending));
		json_add(call->ret, j);
	}
	return NULL;
}
QMP_COMMAND(query_block_exports) = { &schema_command_query_block_exports, query_block_exports };

/* ---- the old commands: exports named as the clients see them ---- */

static struct err *nbd_server_add(struct qmp_call *call)
{
	struct storage *s = call->control->storage;
	const struct nbd_server_add_arg *a = call->arg;
	struct blk_node *node;
	struct err *e = s->exports.nbd ? storage_find(s, a->device, a->device, &node)
				       : err_new(ERR_INVALID, "NBD server not running");
	if (e)
		return e;
	const char *name = a->name ? a->name : a->device;
	AUTO(json_freep) struct json *opts = json_dict();
	json_set(opts, "type", json_str("nbd"));
	json_set(opts, "id", json_str(name));
	json_set(opts, "node-name", json_str(node->node_name));
	json_set(opts, "writable", json_bool(a->writable && node->flags & BLK_RDWR));
	json_set(opts, "name", json_str(name));
	if (a->description)
		json_set(opts, "description", json_str(a->description));
	if (a->bitmap) {
		struct json *list = json_list();
		json_add(list, json_str(a->bitmap));
		json_set(opts, "bitmaps", list);
	}
	return blk_export_add(&s->exports, s->graph, opts);
}
QMP_COMMAND(nbd_server_add) = { &schema_command_nbd_server_add, nbd_server_add };

static struct err *nbd_server_remove(struct qmp_call *call)
{
	const struct nbd_server_remove_arg *a = call->arg;
	struct blk_export *x = blk_export_find(&call->control->storage->exports, a->name);
	if (!x || strcmp(x->kind->name, "nbd") != 0)
		return err_new(ERR_NOT_FOUND, "Export '%s' is not found", a->name);
	return remove_export(x, a->mode == BLOCK_EXPORT_REMOVE_MODE_HARD);
}
QMP_COMMAND(nbd_server_remove) = { &schema_command_nbd_server_remove, nbd_server_remove };
