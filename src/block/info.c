/* What can be said of any node: how much it takes on the host. */
#include "block/blk.h"

u64 blk_disk_size(struct blk_node *node)
{
	if (node->driver->disk_size)
		return node->driver->disk_size(node);
	u64 sum = 0;
	bool any = false;
	for (struct blk_child *c = node->children; c; c = c->next) {
		if (c->node == node->backing)
			continue;
		u64 n = blk_disk_size(c->node);
		if (n == ~0ull)
			return n;
		sum += n;
		any = true;
	}
	return any ? sum : ~0ull;
}
