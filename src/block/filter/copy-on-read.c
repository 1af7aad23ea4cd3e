/*
 * copy-on-read: what is read from a backing file is kept in the layer above it. Options: file (child), bottom (the node-name of
 * the lowest layer to copy from).
 */
#include "block/filter/pass.h"
#include "block/graph.h"

struct cor {
	struct blk_node *base; /* below bottom: not copied from; NULL: everything is */
};

static struct err *find_bottom(struct blk_node *node, const char *name)
{
	struct cor *s = node->state;
	struct blk_node *n = node->file, *bottom = blk_find(node->graph, name);
	if (!bottom)
		return err_new(ERR_NOT_FOUND, "Bottom node '%s' not found", name);
	while (n && n != bottom)
		n = blk_layer_below(n);
	if (!n || n == node->file)
		return err_new(ERR_INVALID, "Node '%s' is not a backing file of '%s'", name,
			       node->file->node_name);
	s->base = blk_layer_below(bottom);
	return NULL;
}

static struct err *open_cor(struct blk_node *node, struct json *opts, u32 flags)
{
	AUTO(free_ptr) char *bottom = blk_take_str(opts, "bottom");
	struct err *e = pass_open(node, opts, flags);
	return e || !bottom ? e : find_bottom(node, bottom);
}

static int preadv_cor(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	int r = pass_preadv(node, offset, iov, flags);
	if (r || !(node->file->flags & BLK_RDWR))
		return r;
	return blk_copy_up(node->file, ((struct cor *)node->state)->base, offset, iov.len);
}

BLK_DRIVER(copy_on_read) = {
	.name = "copy-on-read",
	.summary = "keeps what was read from backing files",
	.kind = BLK_FILTER,
	.state_size = sizeof(struct cor),
	.open = open_cor,
	.preadv = preadv_cor,
	.pwritev = pass_pwritev,
	.passes_fua = true,
	.zero = pass_zero,
	.discard = pass_discard,
	.map = pass_map,
	.truncate = pass_truncate,
};
