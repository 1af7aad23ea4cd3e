#include "block/stats.h"
#include "base/loop/loop.h"
#include "block/graph.h"

i64 blk_stats_begin(const struct blk_node *node)
{
	return node->stats.timed ? loop_now() : 0;
}

int blk_stats_end(struct blk_node *node, enum blk_stat what, i64 began, u64 len, int r)
{
	struct blk_stat_count *c = &node->stats.of[what];
	if (began)
		c->ns += loop_now() - began;
	if (UNLIKELY(r)) {
		c->failed++;
		return r;
	}
	c->done++;
	c->bytes += len;
	return 0;
}

void blk_stats_write(struct blk_node *node, u64 offset, u64 len)
{
	struct blk_stats *s = &node->stats;
	u64 end = offset + len, threshold = s->threshold;
	s->highest = MAX(s->highest, end);
	if (LIKELY(!threshold || end <= threshold))
		return;
	s->threshold = 0;
	if (node->graph->watch.past_threshold)
		node->graph->watch.past_threshold(node->graph->watch.user, node, end - threshold, threshold);
}
