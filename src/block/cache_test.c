#include "cache.c"
#include "base/test.h"
#include <stdio.h>
#include <unistd.h>

static struct blk_node *file(struct blk_graph *g, char *path)
{
	struct blk_node *n = NULL;
	strcpy(path, "/tmp/rhea-cache-XXXXXX");
	close(mkstemp(path));
	struct err *e = blk_create_file(g, path, 1 << 20, &n);
	CHECK(!e);
	err_free(e);
	return n;
}

TEST(cache, keeps_its_bound_and_writes_back_what_it_drops)
{
	struct blk_graph *g = blk_graph_new();
	char path[64];
	struct blk_node *n = file(g, path);
	struct cache *c = cache_new(&n, 4096, 8 * 4096, "test");
	for (u64 i = 0; i < 100; i++) {
		u8 *p;
		CHECK_EQ(cache_get(c, i * 4096, (void **)&p), 0);
		p[7] = i + 1;
		cache_dirty(c, p, 7, 8);
		cache_put(c, p);
		CHECK(c->n <= 8);
	}
	CHECK_EQ(cache_flush(c), 0);
	for (u64 i = 0; i < 100; i++) {
		u8 b;
		CHECK_EQ(blk_pread(n, i * 4096 + 7, &b, 1), 0);
		CHECK_EQ(b, i + 1);
	}
	cache_free(c);
	blk_unref(n);
	unlink(path);
	blk_graph_free(g);
}

TEST(cache, writes_what_another_cache_waits_for_first)
{
	struct blk_graph *g = blk_graph_new();
	char path[64];
	struct blk_node *n = file(g, path);
	struct cache *a = cache_new(&n, 4096, 1 << 20, "a"), *b = cache_new(&n, 4096, 1 << 20, "b");
	u8 *p;
	CHECK_EQ(cache_get_new(a, 0, (void **)&p), 0);
	p[0] = 1;
	cache_put(a, p);
	CHECK_EQ(cache_get_new(b, 4096, (void **)&p), 0);
	cache_put(b, p);
	CHECK_EQ(cache_after(b, a), 0);
	CHECK_EQ(cache_flush(b), 0);
	CHECK(!cache_is_dirty(a));
	/* A circle is settled on the spot. */
	CHECK_EQ(cache_get_new(a, 0, (void **)&p), 0);
	cache_put(a, p);
	CHECK_EQ(cache_get_new(b, 4096, (void **)&p), 0);
	cache_put(b, p);
	CHECK_EQ(cache_after(b, a), 0);
	CHECK_EQ(cache_after(a, b), 0);
	CHECK_EQ(cache_flush(a), 0);
	CHECK_EQ(cache_flush(b), 0);
	cache_free(a);
	cache_free(b);
	blk_unref(n);
	unlink(path);
	blk_graph_free(g);
}

TEST(cache, takes_another_shape_when_nothing_in_it_is_dirty_or_held)
{
	struct blk_graph *g = blk_graph_new();
	char path[64];
	struct blk_node *n = file(g, path);
	struct cache *c = cache_new(&n, 4096, 64 * 4096, "test");
	u8 *p;
	CHECK_EQ(cache_get_new(c, 4096, (void **)&p), 0);
	p[512] = 9;
	CHECK_EQ(cache_reshape(c, 512, 8 * 512), -EBUSY);
	cache_put(c, p);
	CHECK_EQ(cache_reshape(c, 512, 8 * 512), -EBUSY);
	CHECK_EQ(cache_flush(c), 0);
	CHECK_EQ(cache_reshape(c, 512, 8 * 512), 0);
	CHECK_EQ(cache_get(c, 4096 + 512, (void **)&p), 0);
	CHECK_EQ(p[0], 9);
	cache_put(c, p);
	for (u64 i = 0; i < 100; i++) {
		CHECK_EQ(cache_get(c, i * 512, (void **)&p), 0);
		cache_put(c, p);
		CHECK(c->n <= 8);
	}
	cache_free(c);
	blk_unref(n);
	unlink(path);
	blk_graph_free(g);
}
