/* Dirty bitmaps: each change is an action of a transaction, and a command of one action. */
#include "control/block/transaction.h"
#include "block/format/luks/crypto.h"
#include <stdio.h>

enum { MIN_GRANULARITY = 512, MAX_NAME = 1023, PLAIN = 65536, SMALL = 4096 };

struct state {
	struct blk_node *node;
	struct blk_dirty *bitmap;
	u64 *saved; /* bits before */
	bool was_enabled;
};

static u64 words(const struct blk_dirty *d)
{
	return (blk_dirty_bits(d) + 63) / 64;
}

static void save(struct state *s)
{
	s->saved = alloc(words(s->bitmap) * 8 + 8);
	memcpy(s->saved, s->bitmap->bits, words(s->bitmap) * 8);
}

static void restore(struct action *a)
{
	struct state *s = a->state;
	memcpy(s->bitmap->bits, s->saved, words(s->bitmap) * 8);
}

static void forget(struct action *a)
{
	struct state *s = a->state;
	free(s->saved);
}

/* The bitmap that the action names, which may be changed. broken: it may be inconsistent. */
static struct err *find(struct action *a, bool broken)
{
	struct state *s = a->state;
	const char *name = json_get_str(a->data, "name");
	name = name ? name : json_get_str(a->data, "target");
	struct err *e =
	    storage_find_bitmap(a->storage, json_get_str(a->data, "node"), name, &s->node, &s->bitmap);
	if (!e && s->bitmap->busy)
		e = err_new(ERR_BUSY,
			    "Bitmap '%s' is currently in use by another operation and cannot be used", name);
	if (!e && s->bitmap->inconsistent && !broken)
		e = err_hint(err_new(ERR_INVALID, "Bitmap '%s' is inconsistent and cannot be used", name),
			     "Try block-dirty-bitmap-remove to delete this bitmap from disk");
	return e;
}

/* ---- add ---- */

static struct err *check_new(const struct blk_node *node, const char *name, i64 granularity, bool persistent)
{
	if (!*name)
		return err_new(ERR_INVALID, "Bitmap name cannot be empty");
	if (strlen(name) > MAX_NAME)
		return err_new(ERR_INVALID, "Bitmap name is too long: it has %zu bytes of at most %d",
			       strlen(name), MAX_NAME);
	if (granularity < MIN_GRANULARITY || granularity & (granularity - 1))
		return err_new(ERR_INVALID, "Granularity must be power of 2 and at least 512");
	return persistent ? blk_dirty_kept(node) : NULL;
}

static struct err *add(struct action *a)
{
	struct state *s = a->state;
	struct block_dirty_bitmap_add arg;
	schema_fill(&schema_type_block_dirty_bitmap_add, a->data, &arg);
	struct err *e = storage_find(a->storage, arg.node, arg.node, &s->node);
	if (e)
		return e;
	i64 granularity = arg.has_granularity ? arg.granularity
			  : s->node->cluster  ? MAX(MIN(s->node->cluster, (u32)PLAIN), (u32)SMALL)
					      : PLAIN;
	if ((e = check_new(s->node, arg.name, granularity, arg.persistent)))
		return e;
	e = blk_dirty_new(s->node, arg.name, granularity, &s->bitmap);
	if (e)
		return e;
	s->bitmap->persistent = arg.persistent;
	s->bitmap->enabled = !arg.disabled;
	s->bitmap->changed = s->node->written = true;
	return NULL;
}

static void undo_add(struct action *a)
{
	struct state *s = a->state;
	blk_dirty_free(s->node, s->bitmap);
}
ACTION(block_dirty_bitmap_add) = {
	"block-dirty-bitmap-add", sizeof(struct state), add, NULL, undo_add, NULL
};

/* ---- remove: last, as it cannot be undone; until then nobody else finds it ---- */

static struct err *find_any(struct action *a)
{
	struct state *s = a->state;
	struct err *e = find(a, true);
	if (!e)
		s->bitmap->busy = true;
	return e;
}

static void remove_now(struct action *a)
{
	struct state *s = a->state;
	blk_dirty_free(s->node, s->bitmap);
	s->node->written = true;
}

static void undo_remove(struct action *a)
{
	struct state *s = a->state;
	s->bitmap->busy = false;
}
ACTION(block_dirty_bitmap_remove) = {
	"block-dirty-bitmap-remove", sizeof(struct state), find_any, remove_now, undo_remove, NULL
};

/* ---- clear, enable, disable ---- */

static struct err *clear(struct action *a)
{
	struct state *s = a->state;
	struct err *e = find(a, false);
	if (e)
		return e;
	save(s);
	blk_dirty_clear(s->bitmap, 0, s->bitmap->size);
	return NULL;
}
ACTION(block_dirty_bitmap_clear) = {
	"block-dirty-bitmap-clear", sizeof(struct state), clear, NULL, restore, forget
};

static struct err *set_enabled(struct action *a, bool on)
{
	struct state *s = a->state;
	struct err *e = find(a, false);
	if (e)
		return e;
	s->was_enabled = s->bitmap->enabled;
	s->bitmap->enabled = on;
	s->bitmap->changed = true;
	return NULL;
}

static struct err *enable(struct action *a)
{
	return set_enabled(a, true);
}

static struct err *disable(struct action *a)
{
	return set_enabled(a, false);
}

static void undo_enabled(struct action *a)
{
	struct state *s = a->state;
	s->bitmap->enabled = s->was_enabled;
}
ACTION(block_dirty_bitmap_enable) = {
	"block-dirty-bitmap-enable", sizeof(struct state), enable, NULL, undo_enabled, NULL
};
ACTION(block_dirty_bitmap_disable) = {
	"block-dirty-bitmap-disable", sizeof(struct state), disable, NULL, undo_enabled, NULL
};

/* ---- merge ---- */

static struct err *merge_one(struct action *a, const struct json *from)
{
	struct state *s = a->state;
	bool plain = from->kind == JSON_STR;
	struct blk_node *node;
	struct blk_dirty *d;
	const char *name = plain ? from->s : json_get_str(from, "name"),
		   *where = plain ? s->node->node_name : json_get_str(from, "node");
	struct err *e = storage_find_bitmap(a->storage, where, name, &node, &d);
	if (!e && d->inconsistent)
		e = err_new(ERR_INVALID, "Bitmap '%s' is inconsistent and cannot be used", name);
	if (!e && d->size != s->bitmap->size)
		e = err_new(ERR_INVALID,
			    "Bitmaps are incompatible and can't be merged: they are for %llu and %llu bytes",
			    (unsigned long long)s->bitmap->size, (unsigned long long)d->size);
	if (!e)
		blk_dirty_merge(s->bitmap, d);
	return e;
}

static struct err *merge(struct action *a)
{
	struct state *s = a->state;
	const struct json *list = json_get(a->data, "bitmaps");
	struct err *e = find(a, false);
	if (e)
		return e;
	save(s);
	for (size_t i = 0; i < list->n && !e; i++)
		e = merge_one(a, list->items[i]);
	if (e) {
		restore(a);
		forget(a);
	}
	return e;
}
ACTION(block_dirty_bitmap_merge) = {
	"block-dirty-bitmap-merge", sizeof(struct state), merge, NULL, restore, forget
};

/* ---- as commands ---- */

#define BITMAP_COMMAND(id) \
	static struct err *run_##id(struct qmp_call *call) \
	{ \
		return action_run(call, &action_kind_block_dirty_bitmap_##id); \
	}
BITMAP_COMMAND(add)
BITMAP_COMMAND(remove)
BITMAP_COMMAND(clear)
BITMAP_COMMAND(enable)
BITMAP_COMMAND(disable)
BITMAP_COMMAND(merge)
QMP_COMMAND(block_dirty_bitmap_add) = { &schema_command_block_dirty_bitmap_add, run_add };
QMP_COMMAND(block_dirty_bitmap_remove) = { &schema_command_block_dirty_bitmap_remove, run_remove };
QMP_COMMAND(block_dirty_bitmap_clear) = { &schema_command_block_dirty_bitmap_clear, run_clear };
QMP_COMMAND(block_dirty_bitmap_enable) = { &schema_command_block_dirty_bitmap_enable, run_enable };
QMP_COMMAND(block_dirty_bitmap_disable) = { &schema_command_block_dirty_bitmap_disable, run_disable };
QMP_COMMAND(block_dirty_bitmap_merge) = { &schema_command_block_dirty_bitmap_merge, run_merge };

/* ---- debugging ---- */

/* The hash that the peer takes: of the words, of which there is one at least. */
static struct err *sha256(struct qmp_call *call)
{
	const struct block_dirty_bitmap *a = call->arg;
	struct blk_node *node;
	struct blk_dirty *d;
	u8 hash[64];
	struct err *e = storage_find_bitmap(call->control->storage, a->node, a->name, &node, &d);
	if (e)
		return e;
	static const u64 none;
	u64 n = words(d);
	if (crypto_hash("sha256", n ? d->bits : &none, MAX(n, 1ull) * 8, hash))
		return err_new(ERR_UNSUPPORTED, "This build has no SHA-256");
	char text[2 * 32 + 1];
	for (unsigned i = 0; i < 32; i++)
		snprintf(text + 2 * i, 3, "%02x", hash[i]);
	call->ret = json_dict();
	json_set(call->ret, "sha256", json_str(text));
	return NULL;
}
QMP_COMMAND(x_debug_block_dirty_bitmap_sha256) = { &schema_command_x_debug_block_dirty_bitmap_sha256,
						   sha256 };
