#include "block/cache.h"
#include <errno.h>

struct slice {
	u64 offset;
	u32 pins, dirty_from, dirty_to; /* dirty_from == dirty_to: clean */
	bool loading, dead, used;
	struct slice *hash_next, *next, *prev; /* the clock's circle */
	struct co_wait loaded;
	void *data;
};

struct cache {
	struct blk_node **file; /* the user's pointer, which follows when the child is replaced */
	const char *what, *load_event, *update_event;
	u32 unit;
	size_t n, max, dirty, buckets;
	struct slice **table, *hand, *last; /* last: the slice found last */
	struct cache *after;
	struct blk_node **after_data;
	struct co_lock flushing;
	u8 *bounce;
};

static void set_shape(struct cache *c, u32 unit, u64 bytes)
{
	c->unit = unit;
	c->max = MAX(bytes / unit, 4ull);
	free(c->bounce);
	c->bounce = alloc(unit);
}

struct cache *cache_new(struct blk_node **file, u32 unit, u64 bytes, const char *what)
{
	struct cache *c = alloc(sizeof(*c));
	c->file = file;
	c->what = what;
	cache_events(c, "table_load", "table_update");
	c->buckets = 64;
	c->table = alloc(c->buckets * sizeof(*c->table));
	set_shape(c, unit, bytes);
	return c;
}

void cache_events(struct cache *c, const char *load, const char *update)
{
	c->load_event = load;
	c->update_event = update;
}

static struct slice **bucket(struct cache *c, u64 offset)
{
	return &c->table[(offset / c->unit * 0x9e3779b97f4a7c15ull >> 32) & (c->buckets - 1)];
}

static void rehash(struct cache *c)
{
	struct slice *s = c->hand;
	free(c->table);
	c->buckets *= 4;
	c->table = alloc(c->buckets * sizeof(*c->table));
	for (size_t i = 0; i < c->n; i++, s = s->next) {
		struct slice **at = bucket(c, s->offset);
		s->hash_next = *at;
		*at = s;
	}
}

static struct slice *find(struct cache *c, u64 offset)
{
	if (c->last && c->last->offset == offset)
		return c->last;
	struct slice *s = *bucket(c, offset);
	while (s && s->offset != offset)
		s = s->hash_next;
	if (s)
		c->last = s;
	return s;
}

static void unlink_slice(struct cache *c, struct slice *s)
{
	struct slice **at = bucket(c, s->offset);
	while (*at != s)
		at = &(*at)->hash_next;
	*at = s->hash_next;
	s->prev->next = s->next;
	s->next->prev = s->prev;
	if (c->hand == s)
		c->hand = s->next == s ? NULL : s->next;
	if (c->last == s)
		c->last = NULL;
	if (s->dirty_from != s->dirty_to)
		c->dirty--;
	c->n--;
}

static void drop(struct cache *c, struct slice *s)
{
	unlink_slice(c, s);
	if (s->pins) { /* whoever holds it frees it */
		s->dead = true;
		return;
	}
	free(s->data);
	free(s);
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	while (c->hand)
		drop(c, c->hand);
	free(c->table);
	free(c->bounce);
	free(c);
}

static int write_slice(struct cache *c, struct slice *s)
{
	u32 from = s->dirty_from, to = s->dirty_to;
	/* A copy: what is changed while the write is under way belongs to the next one, in its own order. */
	memcpy(c->bounce, (u8 *)s->data + from, to - from);
	s->dirty_from = s->dirty_to = 0;
	c->dirty--;
	s->pins++;
	blk_event(*c->file, c->update_event);
	int r = blk_pwrite(*c->file, s->offset + from, c->bounce, to - from);
	if (r && !s->dead)
		cache_dirty(c, s->data, from, to);
	cache_put(c, s->data);
	return r;
}

/* What must be stable first is made so. */
static int before_writing(struct cache *c)
{
	while (c->after || c->after_data) {
		struct cache *first = c->after;
		struct blk_node **data = c->after_data;
		int r = 0;
		c->after = NULL;
		c->after_data = NULL;
		if (first && first->dirty)
			r = cache_flush(first);
		if (!r && data && *data != *c->file)
			r = blk_barrier(*data);
		if (!r)
			r = blk_barrier(*c->file);
		if (r) { /* nothing was made stable: the order still stands */
			c->after = c->after ? c->after : first;
			c->after_data = c->after_data ? c->after_data : data;
			return r;
		}
	}
	return 0;
}

int cache_flush(struct cache *c)
{
	int r = 0;
	co_lock(&c->flushing);
	/* New ones may be made dirty, and slices may go, meanwhile: one round over what is there now, again if need be. */
	while (c->dirty && !r) {
		struct slice *s = c->hand;
		size_t n = c->n;
		while (n-- && s->dirty_from == s->dirty_to)
			s = s->next;
		s->pins++; /* it may be forgotten meanwhile */
		if (!(r = before_writing(c)) && s->dirty_from != s->dirty_to && !s->dead) {
			r = write_slice(c, s);
			if (!r && c->hand)
				c->hand = s->dead ? c->hand : s->next;
		}
		cache_put(c, s->data);
	}
	co_unlock(&c->flushing);
	return r;
}

/* Room for one more: the clock's hand passes over what was used since it came by last. */
static int make_room(struct cache *c)
{
	size_t tries = 2 * c->n;
	while (c->n >= c->max && tries--) {
		struct slice *s = c->hand;
		c->hand = s->next;
		if (s->pins || s->loading)
			continue;
		if (s->used) {
			s->used = false;
			continue;
		}
		if (s->dirty_from != s->dirty_to) {
			int r = cache_flush(c);
			if (r)
				return r;
			continue;
		}
		drop(c, s);
	}
	return 0; /* all pinned: the bound gives way */
}

static struct slice *insert(struct cache *c, u64 offset)
{
	struct slice *s = try_alloc(sizeof(*s));
	if (!s || posix_memalign(&s->data, 4096, MAX(c->unit + sizeof(s), 4096u))) {
		free(s);
		return NULL;
	}
	/* Behind the data: the way back from data to slice. */
	memcpy((u8 *)s->data + c->unit, &s, sizeof(s));
	s->offset = offset;
	if (c->n >= c->buckets * 2)
		rehash(c);
	struct slice **at = bucket(c, offset);
	s->hash_next = *at;
	*at = s;
	if (c->hand) {
		s->next = c->hand;
		s->prev = c->hand->prev;
		s->prev->next = s->next->prev = s;
	} else {
		s->next = s->prev = c->hand = s;
	}
	c->n++;
	return s;
}

static struct slice *slice_of(struct cache *c, void *data)
{
	struct slice *s;
	memcpy(&s, (u8 *)data + c->unit, sizeof(s));
	return s;
}

int cache_get(struct cache *c, u64 offset, void **ret)
{
	struct slice *s;
again:
	s = find(c, offset);
	if (LIKELY(s && !s->loading)) {
		s->used = true;
		s->pins++;
		*ret = s->data;
		return 0;
	}
	if (s) { /* somebody else reads it */
		co_wait(&s->loaded);
		goto again;
	}
	if (c->n >= c->max) {
		int r = make_room(c);
		if (r)
			return r;
		if (find(c, offset))
			goto again;
	}
	s = insert(c, offset);
	if (!s)
		return -ENOMEM;
	s->loading = true;
	s->pins = 1;
	blk_event(*c->file, c->load_event);
	int r = blk_pread(*c->file, offset, s->data, c->unit);
	s->loading = false;
	struct co_wait waiting = s->loaded;
	s->loaded = (struct co_wait){ 0 };
	if (r || s->dead) {
		if (!s->dead)
			unlink_slice(c, s);
		free(s->data);
		free(s);
		co_wake_all(&waiting);
		if (!r)
			goto again;
		return r;
	}
	s->used = true;
	*ret = s->data;
	co_wake_all(&waiting);
	return 0;
}

int cache_get_new(struct cache *c, u64 offset, void **ret)
{
	int r = c->n >= c->max ? make_room(c) : 0;
	if (r)
		return r;
	struct slice *s = find(c, offset);
	if (!s)
		s = insert(c, offset);
	if (!s)
		return -ENOMEM;
	s->used = true;
	s->pins++;
	memset(s->data, 0, c->unit);
	cache_dirty(c, s->data, 0, c->unit);
	*ret = s->data;
	return 0;
}

void *cache_peek(struct cache *c, u64 offset)
{
	struct slice *s = find(c, offset);
	if (!s || s->loading)
		return NULL;
	s->used = true;
	s->pins++;
	return s->data;
}

void cache_put(struct cache *c, void *data)
{
	struct slice *s = slice_of(c, data);
	if (--s->pins || !s->dead)
		return;
	free(s->data);
	free(s);
}

void cache_dirty(struct cache *c, void *data, u32 from, u32 to)
{
	struct slice *s = slice_of(c, data);
	if (s->dead)
		return;
	if (s->dirty_from == s->dirty_to) {
		s->dirty_from = from;
		s->dirty_to = to;
		c->dirty++;
		return;
	}
	s->dirty_from = MIN(s->dirty_from, from);
	s->dirty_to = MAX(s->dirty_to, to);
}

int cache_after(struct cache *c, struct cache *first)
{
	if (c->after == first)
		return 0;
	/* One line of waiting at a time: anything else is settled now. */
	int r = 0;
	if (c->after)
		r = cache_flush(c->after);
	if (!r && first->after && first->dirty)
		r = cache_flush(first);
	first->after = NULL;
	if (!r)
		c->after = first;
	return r;
}

void cache_after_data(struct cache *c, struct blk_node **data)
{
	c->after_data = data;
}

void cache_forget(struct cache *c, u64 offset, u64 len)
{
	for (u64 at = offset; at < offset + len; at += c->unit) {
		struct slice *s = find(c, at);
		if (s)
			drop(c, s);
	}
}

bool cache_is_dirty(const struct cache *c)
{
	return c->dirty;
}

static void drop_clean(struct cache *c, bool unused)
{
	struct slice *s = c->hand;
	for (size_t n = c->n; n; n--) {
		struct slice *next = s->next;
		if (!s->pins && !s->loading && s->dirty_from == s->dirty_to && !(unused && s->used))
			drop(c, s);
		else
			s->used = false;
		s = next;
	}
}

void cache_age(struct cache *c)
{
	drop_clean(c, true);
}

void cache_drop(struct cache *c)
{
	drop_clean(c, false);
}

int cache_reshape(struct cache *c, u32 unit, u64 bytes)
{
	cache_drop(c);
	if (c->n)
		return -EBUSY;
	set_shape(c, unit, bytes);
	return 0;
}
