//needs: gnutls
/*
 * luks: Linux Unified Key Setup, version 1: an encrypted disk.
 *
 * Spec       "LUKS On-Disk Format Specification", version 1.2.3; see header.c.
 * Layout     header, key slots, payload: the disk, encrypted sector by sector.
 * Modelled   opening by a passphrase, reading, writing, making, resizing, adding and erasing key slots; headers in a file of their own.
 * Absent     LUKS2, ciphers other than AES: refused.
 * Options    key-secret: the object that holds the passphrase. header: the node with the header, where the file holds the payload alone
 *            (or still has an old header in front: the header says where the payload begins).
 */
#include "block/format/luks/header.h"
#include "block/object.h"
#include <errno.h>

struct state {
	struct luks luks;
};

static unsigned probe_luks(const u8 *head, size_t len, const char *filename)
{
	return len >= 8 && memcmp(head, "LUKS\xba\xbe\0\1", 8) == 0 ? 100 : 0;
}

static struct err *unlock(struct blk_node *node, struct json *opts, u32 flags)
{
	struct state *s = node->state;
	AUTO(free_ptr) char *id = blk_take_str(opts, "key-secret");
	const u8 *pass;
	size_t len;
	if (flags & BLK_NO_IO)
		return NULL;
	if (!id)
		return err_new(ERR_INVALID, "Parameter 'key-secret' is required for cipher");
	struct err *e = blk_secret(node->graph, id, &pass, &len);
	return e ? e : luks_unlock(&s->luks, pass, len);
}

static struct err *open_luks(struct blk_node *node, struct json *opts, u32 flags)
{
	struct state *s = node->state;
	struct blk_node *header = NULL;
	struct err *e = blk_open_child(node, opts, "header", NULL, flags, true, &header);
	if (e)
		return e;
	struct blk_node *from = header ? header : node->file;
	e = luks_load(&s->luks, from, 0, from->size);
	if (!e && !header && !luks_payload(&s->luks))
		e = err_hint(err_new(ERR_INVALID, "This is the header of a disk that lies elsewhere"),
			     "Give the disk as 'file', and this as 'header'.");
	if (!e && luks_payload(&s->luks) > node->file->size)
		e = err_new(ERR_CORRUPT, "LUKS payload at offset %llu lies beyond the end of the file",
			    (unsigned long long)luks_payload(&s->luks));
	if (!e)
		e = unlock(node, opts, flags);
	if (e) {
		luks_close(&s->luks);
		return e;
	}
	node->encoded = true;
	node->size = ROUND_DOWN(node->file->size - luks_payload(&s->luks), 512ull);
	return NULL;
}

/* The node with the header is another one. */
static void moved(struct blk_node *node, struct blk_node *from, struct blk_node *to)
{
	struct state *s = node->state;
	if (s->luks.file == from)
		s->luks.file = to;
}

static void close_luks(struct blk_node *node)
{
	luks_close(&((struct state *)node->state)->luks);
}

/* ---- data ---- */

static int map_luks(struct blk_node *node, u64 offset, u64 len, struct blk_extent *ret)
{
	struct state *s = node->state;
	*ret = (struct blk_extent){
		.where = BLK_DATA, .file = node->file, .offset = luks_payload(&s->luks) + offset, .len = len
	};
	return 0;
}

static int place_luks(struct blk_node *node, u64 offset, u64 len, struct blk_place *ret)
{
	struct state *s = node->state;
	*ret = (struct blk_place){ .offset = offset,
				   .len = len,
				   .file = node->file,
				   .file_offset = luks_payload(&s->luks) + offset };
	return 0;
}

static int decode(struct blk_node *node, u64 offset, u64 file_offset, void *buf, size_t len)
{
	return luks_crypt(&((struct state *)node->state)->luks, false, offset / 512, buf, len);
}

static int encode(struct blk_node *node, u64 offset, u64 file_offset, void *buf, size_t len)
{
	return luks_crypt(&((struct state *)node->state)->luks, true, offset / 512, buf, len);
}

static struct err *truncate_luks(struct blk_node *node, u64 size, bool exact, enum blk_prealloc prealloc,
				 bool zero)
{
	struct state *s = node->state;
	u64 payload = luks_payload(&s->luks), old = node->size;
	if (size > INT64_MAX - payload)
		return err_new(ERR_INVALID, "The requested file size is too large");
	struct err *e = blk_truncate(node->file, payload + size, exact, prealloc, false);
	if (e)
		return e;
	node->size = ROUND_UP(size, 512ull);
	/* What the file reads as there is not zeros once it is deciphered. */
	int r = zero && size > old ? blk_zero(node, old, node->size - old, 0) : 0;
	return r ? err_errno(-r, "Could not write zeros to the new part") : NULL;
}

/* ---- info, amend, making ---- */

static struct err *info_luks(struct blk_node *node, struct blk_info *ret)
{
	ret->encrypted = true;
	ret->specific = json_dict();
	json_set(ret->specific, "type", json_str("luks"));
	json_set(ret->specific, "data", luks_info(&((struct state *)node->state)->luks));
	return NULL;
}

static struct err *amend_luks(struct blk_node *node, const struct json *opts, bool force,
			      void (*progress)(void *user, u64 done, u64 total), void *user)
{
	return luks_amend(&((struct state *)node->state)->luks, node->graph, opts, "", force);
}

static struct err *measure_luks(const struct json *opts, struct blk_node *src, u64 size,
				struct blk_measure *ret)
{
	struct luks_params p = luks_params_of(opts, "");
	u64 header;
	struct err *e = luks_header_bytes(&p, &header);
	ret->required = ret->fully_allocated = header + (p.detached ? 0 : src ? src->size : size);
	return e;
}

static struct err *create_luks(struct blk_create *c)
{
	struct luks_params p = luks_params_of(c->opts, "");
	const char *id = blk_opt_str(c->opts, "key-secret");
	struct luks l = { 0 };
	const u8 *pass;
	size_t len;
	u64 header;
	if (!id)
		return err_new(ERR_INVALID, "Parameter 'key-secret' is required for cipher");
	struct err *e = blk_secret(c->graph, id, &pass, &len);
	if (!e)
		e = luks_header_bytes(&p, &header);
	if (!e && c->size > INT64_MAX - header)
		e = err_new(ERR_INVALID, "The requested file size is too large");
	u64 disk = p.detached ? 0 : ROUND_UP(c->size, 512ull);
	if (!e)
		e = blk_truncate(c->file, header + disk, false, BLK_PREALLOC_OFF, true);
	if (!e)
		e = luks_format(&l, c->file, 0, &p, pass, len);
	luks_close(&l);
	return e;
}

static const struct blk_opt luks_opts[] = {
	{ "size", BLK_OPT_SIZE, "Virtual disk size" },
	{ "key-secret", BLK_OPT_STR, "ID of the secret that provides the keyslot passphrase" },
	{ "cipher-alg", BLK_OPT_STR, "Name of encryption cipher algorithm" },
	{ "cipher-mode", BLK_OPT_STR, "Name of encryption cipher mode" },
	{ "ivgen-alg", BLK_OPT_STR, "Name of IV generator algorithm" },
	{ "ivgen-hash-alg", BLK_OPT_STR, "Name of IV generator hash algorithm" },
	{ "hash-alg", BLK_OPT_STR, "Name of encryption hash algorithm" },
	{ "detached-header", BLK_OPT_BOOL, "Make the header alone, for a disk in another file" },
	{ "iter-time", BLK_OPT_NUM, "Time to spend in PBKDF in milliseconds", .amend = true },
	{ "state", BLK_OPT_STR, "Select new state of affected keyslots (active/inactive)", .amend = true,
	  .amend_only = true },
	{ "keyslot", BLK_OPT_NUM, "Select a single keyslot to modify explicitly", .amend = true,
	  .amend_only = true },
	{ "old-secret", BLK_OPT_STR, "Select all keyslots that match this password", .amend = true,
	  .amend_only = true },
	{ "new-secret", BLK_OPT_STR, "New secret to set in the matching keyslots", .amend = true,
	  .amend_only = true },
	{ NULL },
};

BLK_DRIVER(luks) = {
	.name = "luks",
	.summary = "encrypted disk of Linux Unified Key Setup, version 1",
	.spec = "LUKS On-Disk Format Specification 1.2.3",
	.kind = BLK_FORMAT,
	.state_size = sizeof(struct state),
	.probe = probe_luks,
	.open = open_luks,
	.close = close_luks,
	.moved = moved,
	.map = map_luks,
	.place = place_luks,
	.decode = decode,
	.encode = encode,
	.truncate = truncate_luks,
	.info = info_luks,
	.amend = amend_luks,
	.measure = measure_luks,
	.create = create_luks,
	.create_opts = luks_opts,
};
