/*
 * quorum: a disk kept in several children at once; reads go by the vote of what they answer.
 *
 * Options    children.N (children), vote-threshold, blkverify (two children, any difference is an error), rewrite-corrupted
 *            (outvoted children get what won), read-pattern (quorum; fifo: the first child that answers).
 */
#include "block/filter/pass.h"
#include "base/coroutine.h"
#include <errno.h>

enum { MAX_CHILDREN = 32 };

struct quorum {
	struct blk_node *child[MAX_CHILDREN];
	u64 names; /* counts those that children were given */
	u64 n, threshold;
	bool verify, rewrite, fifo;
};

enum what { READ, WRITE, ZERO, DISCARD, FLUSH };

/* One request to every child at once. */
struct all {
	enum what what;
	u64 offset, len;
	struct iovs iov; /* WRITE */
	u32 flags;
	unsigned left;
	struct co_wait done;
	struct one {
		struct all *all;
		struct blk_node *node;
		u8 *buf; /* READ */
		int result;
	} one[MAX_CHILDREN];
};

static int do_one(struct one *o)
{
	struct all *a = o->all;
	struct iovec v;
	switch (a->what) {
	case READ:
		return blk_preadv(o->node, a->offset, iovs_one(&v, o->buf, a->len), a->flags);
	case WRITE:
		return blk_pwritev(o->node, a->offset, a->iov, a->flags);
	case ZERO:
		return blk_zero(o->node, a->offset, a->len, a->flags);
	case DISCARD:
		return blk_discard(o->node, a->offset, a->len);
	case FLUSH:
		return blk_flush(o->node);
	}
	return -EINVAL;
}

static void run_one(void *arg)
{
	struct one *o = arg;
	o->result = do_one(o);
	if (!--o->all->left)
		co_wake(&o->all->done);
}

static void run_all(struct quorum *s, struct all *a)
{
	a->left = s->n + 1; /* one more: nobody wakes before we wait */
	for (unsigned i = 0; i < s->n; i++) {
		a->one[i].all = a;
		a->one[i].node = s->child[i];
		co_enter(co_new(run_one, &a->one[i]));
	}
	if (--a->left)
		co_wait(&a->done);
}

static void report(struct blk_node *node, const struct one *o)
{
	blk_say(node, "quorum: child '%s' failed at offset %llu, %llu bytes: %s", o->node->node_name,
		(unsigned long long)o->all->offset, (unsigned long long)o->all->len,
		o->result ? strerror(-o->result) : "its contents were outvoted");
}

/* Enough children did it; else what most of those that failed say. */
static int outcome(struct blk_node *node, struct all *a)
{
	struct quorum *s = node->state;
	u64 good = 0;
	int error = 0;
	for (unsigned i = 0; i < s->n; i++) {
		good += !a->one[i].result;
		if (a->one[i].result) {
			error = a->one[i].result;
			report(node, &a->one[i]);
		}
	}
	return good >= s->threshold ? 0 : error;
}

static int change(struct blk_node *node, enum what what, u64 offset, u64 len, struct iovs iov, u32 flags)
{
	struct all *a = try_alloc(sizeof(*a));
	if (!a)
		return -ENOMEM;
	*a = (struct all){ .what = what, .offset = offset, .len = len, .iov = iov, .flags = flags };
	run_all(node->state, a);
	int r = outcome(node, a);
	free(a);
	return r;
}

/* ---- reading ---- */

/* The child whose answer has the most votes, the first of them; -1: none answered. */
static int elect(const struct quorum *s, const struct all *a, u64 *ret_votes)
{
	int winner = -1;
	*ret_votes = 0;
	for (unsigned i = 0; i < s->n; i++) {
		u64 votes = 0;
		for (unsigned k = 0; k < s->n && !a->one[i].result; k++)
			votes += !a->one[k].result && memcmp(a->one[i].buf, a->one[k].buf, a->len) == 0;
		if (votes > *ret_votes) {
			*ret_votes = votes;
			winner = i;
		}
	}
	return winner;
}

/* Tells of the outvoted and, when asked to, gives them what won. */
static void correct(struct blk_node *node, struct all *a, unsigned winner)
{
	struct quorum *s = node->state;
	for (unsigned i = 0; i < s->n; i++) {
		struct one *o = &a->one[i];
		if (!o->result && memcmp(o->buf, a->one[winner].buf, a->len) == 0)
			continue;
		report(node, o);
		if (s->rewrite && (node->flags & BLK_RDWR) &&
		    blk_pwrite(o->node, a->offset, a->one[winner].buf, a->len))
			blk_say(node, "quorum: child '%s' could not be corrected", o->node->node_name);
	}
}

static int vote(struct blk_node *node, struct all *a, struct iovs iov)
{
	struct quorum *s = node->state;
	u64 votes;
	int winner = elect(s, a, &votes);
	if (winner < 0)
		return outcome(node, a);
	if (s->verify && votes < s->n) {
		blk_say(node, "quorum: contents mismatch at offset %llu, %zu bytes",
			(unsigned long long)a->offset, iov.len);
		return -EIO;
	}
	if (votes < s->threshold) {
		blk_say(node, "quorum: %llu of %llu votes are needed at offset %llu, there are %llu",
			(unsigned long long)s->threshold, (unsigned long long)s->n,
			(unsigned long long)a->offset, (unsigned long long)votes);
		return -EIO;
	}
	iovs_from_buf(iov, a->one[winner].buf);
	if (votes < s->n)
		correct(node, a, winner);
	return 0;
}

static int read_first(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	struct quorum *s = node->state;
	int r = -EIO;
	for (unsigned i = 0; i < s->n && r; i++) {
		r = blk_preadv(s->child[i], offset, iov, flags);
		if (r)
			blk_say(node, "quorum: child '%s' failed at offset %llu, %zu bytes: %s",
				s->child[i]->node_name, (unsigned long long)offset, iov.len, strerror(-r));
	}
	return r;
}

static int preadv_quorum(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	struct quorum *s = node->state;
	if (s->fifo)
		return read_first(node, offset, iov, flags);
	struct all *a = try_alloc(sizeof(*a));
	u8 *bufs = try_alloc(s->n * iov.len);
	int r = a && bufs ? 0 : -ENOMEM;
	if (!r) {
		*a = (struct all){ .what = READ, .offset = offset, .len = iov.len, .flags = flags };
		for (unsigned i = 0; i < s->n; i++)
			a->one[i].buf = bufs + i * iov.len;
		run_all(s, a);
		r = vote(node, a, iov);
	}
	free(bufs);
	free(a);
	return r;
}

/* ---- changing ---- */

static int pwritev_quorum(struct blk_node *node, u64 offset, struct iovs iov, u32 flags)
{
	return change(node, WRITE, offset, iov.len, iov, flags);
}

static const struct iovs none;

static int zero(struct blk_node *node, u64 offset, u64 len, u32 flags)
{
	return change(node, ZERO, offset, len, none, flags);
}

static int discard(struct blk_node *node, u64 offset, u64 len)
{
	return change(node, DISCARD, offset, len, none, 0);
}

static int flush(struct blk_node *node)
{
	return change(node, FLUSH, 0, 0, none, 0);
}

static struct err *truncate_quorum(struct blk_node *node, u64 size, bool exact, enum blk_prealloc prealloc,
				   bool zeros)
{
	struct quorum *s = node->state;
	for (unsigned i = 0; i < s->n; i++) {
		struct err *e = blk_truncate(s->child[i], size, exact, prealloc, zeros);
		if (e)
			return err_in(e, "Child '%s'", s->child[i]->node_name);
	}
	node->size = s->child[0]->size;
	return NULL;
}

/* ---- opening ---- */

static struct err *take_options(struct quorum *s, struct json *opts)
{
	AUTO(free_ptr) char *pattern = blk_take_str(opts, "read-pattern");
	struct err *e = blk_take_size(opts, "vote-threshold", &s->threshold);
	if (!e)
		e = blk_take_bool(opts, "blkverify", &s->verify);
	if (!e)
		e = blk_take_bool(opts, "rewrite-corrupted", &s->rewrite);
	if (e)
		return e;
	s->fifo = pattern && strcmp(pattern, "fifo") == 0;
	if (pattern && !s->fifo && strcmp(pattern, "quorum") != 0)
		return err_new(ERR_INVALID, "Please set read-pattern as fifo or quorum");
	if (s->fifo && (s->verify || s->rewrite))
		return err_new(ERR_INVALID, "%s=on needs read-pattern=quorum",
			       s->verify ? "blkverify" : "rewrite-corrupted");
	if (!s->threshold && !s->fifo)
		return err_new(ERR_INVALID, "Parameter 'vote-threshold' expects a value >= 1");
	if (s->threshold > s->n)
		return err_new(ERR_INVALID, "threshold may not exceed children count");
	if (s->verify && (s->n != 2 || s->threshold != 2))
		return err_new(ERR_INVALID, "blkverify=on can only be set if there are exactly two files and "
					    "vote-threshold is 2");
	if (s->verify && s->rewrite)
		return err_new(ERR_INVALID, "rewrite-corrupted=on cannot be used with blkverify=on");
	s->threshold = MAX(s->threshold, 1ull);
	return NULL;
}

static struct err *same_size(const struct quorum *s, const struct blk_node *child)
{
	return !s->n || child->size == s->child[0]->size
		   ? NULL
		   : err_new(ERR_INVALID, "Child '%s' has %llu bytes, the others %llu", child->node_name,
			     (unsigned long long)child->size, (unsigned long long)s->child[0]->size);
}

static struct err *open_children(struct blk_node *node, struct json *opts, u32 flags)
{
	struct quorum *s = node->state;
	for (;;) {
		AUTO(free_ptr) char *name = strf("children.%llu", (unsigned long long)s->n);
		struct blk_node *child;
		struct err *e = blk_open_child(node, opts, name, NULL, flags, true, &child);
		if (e)
			return e;
		if (!child)
			break;
		if (s->n == MAX_CHILDREN)
			return err_new(ERR_INVALID, "Number of provided children must be %d or less",
				       MAX_CHILDREN);
		if ((e = same_size(s, child)))
			return e;
		s->child[s->n++] = child;
	}
	s->names = s->n;
	return s->n ? NULL : err_new(ERR_INVALID, "Number of provided children must be 1 or more");
}

static struct err *open_quorum(struct blk_node *node, struct json *opts, u32 flags)
{
	struct quorum *s = node->state;
	struct err *e = open_children(node, opts, flags);
	if (!e)
		e = take_options(s, opts);
	if (e)
		return e;
	node->size = s->child[0]->size;
	node->zero_init = true;
	for (unsigned i = 0; i < s->n; i++) {
		node->align = MAX(node->align, s->child[i]->align);
		node->zero_init &= s->child[i]->zero_init;
	}
	return NULL;
}

/* ---- children that come and go ---- */

static void moved(struct blk_node *node, struct blk_node *from, struct blk_node *to)
{
	struct quorum *s = node->state;
	for (unsigned i = 0; i < s->n; i++)
		if (s->child[i] == from)
			s->child[i] = to;
}

static struct err *add_child(struct blk_node *node, struct blk_node *child, char **ret_name)
{
	struct quorum *s = node->state;
	if (s->verify)
		return err_new(ERR_INVALID, "Cannot add a child to a quorum in blkverify mode");
	if (s->n == MAX_CHILDREN)
		return err_new(ERR_INVALID, "Cannot add more than %d children to a quorum", MAX_CHILDREN);
	struct err *e = same_size(s, child);
	if (e)
		return e;
	*ret_name = strf("children.%llu", (unsigned long long)s->names++);
	s->child[s->n++] = child;
	return NULL;
}

static struct err *remove_child(struct blk_node *node, struct blk_node *child)
{
	struct quorum *s = node->state;
	unsigned i = 0;
	if (s->n <= s->threshold)
		return err_new(ERR_INVALID,
			       "The number of children cannot be lower than the vote threshold %llu",
			       (unsigned long long)s->threshold);
	while (s->child[i] != child)
		i++;
	memmove(&s->child[i], &s->child[i + 1], (--s->n - i) * sizeof(s->child[0]));
	return NULL;
}

BLK_DRIVER(quorum) = {
	.name = "quorum",
	.summary = "a disk in several children, read by vote",
	.kind = BLK_FILTER,
	.state_size = sizeof(struct quorum),
	.open = open_quorum,
	.moved = moved,
	.add_child = add_child,
	.remove_child = remove_child,
	.preadv = preadv_quorum,
	.pwritev = pwritev_quorum,
	.zero = zero,
	.discard = discard,
	.flush = flush,
	.flushes_children = true,
	.truncate = truncate_quorum,
};
