/* Flat tables of images, in memory, written back in pieces. */
#include "block/format/table.h"
#include <errno.h>

static u64 pieces_of(const struct blk_table *t)
{
	return (t->bytes + t->piece - 1) / t->piece;
}

struct err *blk_table_load(struct blk_table *t, struct blk_node **file, u64 at, u64 bytes, u32 piece,
			   const char *what)
{
	void *data;
	struct err *e = blk_load_table(*file, at, ROUND_UP(MAX(bytes, (u64)1), (u64)piece), what, &data);
	if (e)
		return e;
	*t = (struct blk_table){ .file = file, .at = at, .bytes = bytes, .piece = piece, .data = data };
	t->dirty = try_alloc((pieces_of(t) / 64 + 1) * 8);
	if (!t->dirty) {
		free(data);
		t->data = NULL;
		return err_new(ERR_BUSY, "Could not allocate memory for the %s", what);
	}
	return NULL;
}

void blk_table_free(struct blk_table *t)
{
	free(t->data);
	free(t->dirty);
	t->data = NULL;
	t->dirty = NULL;
}

void blk_table_dirty(struct blk_table *t, u64 from, u64 len)
{
	for (u64 p = from / t->piece; p <= (from + len - 1) / t->piece; p++)
		if (!(t->dirty[p / 64] & BIT(p % 64))) {
			t->dirty[p / 64] |= BIT(p % 64);
			t->n_dirty++;
		}
}

int blk_table_take(struct blk_table *t, struct blk_pieces *ret)
{
	*ret = (struct blk_pieces){ 0 };
	if (!t->n_dirty)
		return 0;
	ret->index = try_alloc(t->n_dirty * sizeof(u64));
	ret->data = try_alloc(t->n_dirty * t->piece);
	if (!ret->index || !ret->data) {
		blk_pieces_free(ret);
		return -ENOMEM;
	}
	for (u64 w = 0; w <= (pieces_of(t) - 1) / 64; w++)
		for (u64 bits = t->dirty[w]; bits; bits &= bits - 1) {
			u64 i = w * 64 + __builtin_ctzll(bits);
			memcpy(ret->data + ret->n * t->piece, t->data + i * t->piece, t->piece);
			ret->index[ret->n++] = i;
		}
	memset(t->dirty, 0, (pieces_of(t) / 64 + 1) * 8);
	t->n_dirty = 0;
	return 0;
}

void blk_table_untake(struct blk_table *t, const struct blk_pieces *p)
{
	for (size_t i = 0; i < p->n; i++)
		blk_table_dirty(t, p->index[i] * t->piece, 1);
}

void blk_pieces_free(struct blk_pieces *p)
{
	free(p->index);
	free(p->data);
	*p = (struct blk_pieces){ 0 };
}

int blk_table_write(struct blk_table *t, const struct blk_pieces *p)
{
	int r = 0;
	for (size_t i = 0, n; i < p->n && !r; i += n) {
		n = 1;
		while (i + n < p->n && p->index[i + n] == p->index[i] + n)
			n++;
		u64 from = p->index[i] * t->piece;
		r = blk_pwrite(*t->file, t->at + from, p->data + i * t->piece,
			       MIN(n * t->piece, t->bytes - from));
	}
	return r;
}

int blk_table_flush(struct blk_table *t)
{
	if (!t->data || !t->n_dirty)
		return 0;
	struct blk_pieces p;
	co_lock(&t->lock);
	int r = blk_table_take(t, &p);
	if (!r && p.n)
		r = blk_barrier(*t->file);
	if (!r)
		r = blk_table_write(t, &p);
	if (r)
		blk_table_untake(t, &p);
	blk_pieces_free(&p);
	co_unlock(&t->lock);
	return r;
}
