/* qcow2: room in the file that nothing refers to goes back to the host. */
#include "block/format/qcow2/qcow2.h"
#include <errno.h>

/* The clusters from `from` on that nobody counts, in a row. */
static int free_run(struct blk_node *node, u64 from, u64 end, u64 *ret)
{
	u64 n = 0, count = 0;
	int r = 0;
	while (from + n < end && !(r = qcow2_refcount(node, from + n, &count)) && !count)
		n++;
	*ret = n;
	return r;
}

int qcow2_release(struct blk_node *node)
{
	struct qcow2 *s = node->state;
	/* What was freed must be free on stable storage as well, before its contents go. */
	int r = s->dead ? -ENOMEDIUM : qcow2_flush_meta(node);
	if (!r)
		r = blk_barrier(node->file);
	u64 end = node->file->size >> s->cluster_bits;
	for (u64 at = 0, n; at < end && !r; at += n + 1) {
		r = free_run(node, at, end, &n);
		if (!r && n)
			r = blk_discard(node->file, at << s->cluster_bits, n << s->cluster_bits);
	}
	struct err *e = r ? NULL : qcow2_cut_file(node);
	err_free(e); /* the end of the file stays where it is: no harm */
	return r;
}
