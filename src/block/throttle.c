#include "block/throttle.h"
#include "base/coroutine.h"
#include "base/loop/loop.h"
#include "base/size.h"
#include "block/root.h"

enum { BPS_TOTAL, BPS_READ, BPS_WRITE, IOPS_TOTAL, IOPS_READ, IOPS_WRITE, BUCKETS };
static const u64 MOST = 1000000000000000;
static const char *const names[BUCKETS] = { "bps-total",  "bps-read",  "bps-write",
					    "iops-total", "iops-read", "iops-write" };

struct bucket {
	u64 avg, max, length; /* units a second, units a second, seconds */
	double level, burst; /* units: over all, and of the last moment at the rate `max` */
};

struct throttle {
	struct bucket buckets[BUCKETS];
	u64 iops_size; /* bytes that count as one request; 0: any */
	i64 leaked; /* until when */
	struct co_lock turn[2]; /* reads, writes */
	unsigned refs;
};

/* ---- limits ---- */

static struct err *take_limit(struct json *limits, const char *name, u64 *ret)
{
	const struct json *j = json_get(limits, name);
	if (j && ((j->kind == JSON_INT && j->i < 0) || (j->kind == JSON_STR && j->s[0] == '-')))
		return err_new(ERR_INVALID, "Property values cannot be negative");
	return blk_take_size(limits, name, ret);
}

static struct err *take_bucket(struct json *limits, const char *name, struct bucket *b)
{
	AUTO(free_ptr) char *max = strf("%s-max", name);
	AUTO(free_ptr) char *length = strf("%s-max-length", name);
	struct err *e = take_limit(limits, name, &b->avg);
	if (!e)
		e = take_limit(limits, max, &b->max);
	if (!e)
		e = take_limit(limits, length, &b->length);
	if (e)
		return e;
	if (b->avg > MOST || b->max > MOST)
		return err_new(ERR_INVALID, "bps/iops/max values must be within [0, %llu]",
			       (unsigned long long)MOST);
	if (!b->length)
		return err_new(ERR_INVALID, "the burst length cannot be 0");
	if (b->length > 1 && !b->max)
		return err_new(ERR_INVALID, "burst length set without burst rate");
	if (b->max && b->length > MOST / b->max)
		return err_new(ERR_INVALID, "burst length too high for this burst rate");
	if (b->max && !b->avg)
		return err_new(ERR_INVALID, "bps_max/iops_max require corresponding bps/iops values");
	if (b->max && b->max < b->avg)
		return err_new(ERR_INVALID, "bps_max/iops_max cannot be lower than bps/iops");
	return NULL;
}

static struct err *check(const struct throttle *t)
{
	const struct bucket *b = t->buckets;
	for (const struct bucket *total = b; total < b + BUCKETS; total += IOPS_TOTAL)
		if ((total[0].avg && (total[1].avg || total[2].avg)) ||
		    (total[0].max && (total[1].max || total[2].max)))
			return err_new(ERR_INVALID, "bps/iops/max total values and read/write values cannot "
						    "be used at the same time");
	if (t->iops_size && !b[IOPS_TOTAL].avg && !b[IOPS_READ].avg && !b[IOPS_WRITE].avg)
		return err_new(ERR_INVALID, "iops size requires an iops value to be set");
	return NULL;
}

/* The limits alone, by their names without prefix. Refuses what else there is. */
static struct err *limits_of(const struct json *props, struct json **ret)
{
	AUTO(json_freep) struct json *flat = json_copy(props);
	json_flatten(flat);
	json_del(flat, "qom-type");
	json_del(flat, "id");
	struct json *limits = json_take_prefix(flat, "limits."), *x = json_take_prefix(flat, "x-");
	for (size_t i = 0; i < x->n; i++)
		json_set(limits, x->keys[i], json_copy(x->items[i]));
	json_free(x);
	*ret = limits;
	return flat->n ? err_new(ERR_INVALID, "Parameter '%s' is unexpected", flat->keys[0]) : NULL;
}

/* Takes the members it knows out of limits, and refuses others. */
static struct err *take_limits(struct json *limits, struct throttle *t)
{
	struct err *e = NULL;
	for (unsigned i = 0; i < BUCKETS && !e; i++)
		e = take_bucket(limits, names[i], &t->buckets[i]);
	if (!e)
		e = take_limit(limits, "iops-size", &t->iops_size);
	if (!e && limits->n)
		e = err_new(ERR_INVALID, "Parameter '%s' is unexpected", limits->keys[0]);
	return e ? e : check(t);
}

struct err *throttle_new(const struct json *props, struct throttle **ret)
{
	AUTO(json_freep) struct json *limits = NULL;
	struct throttle *t = alloc(sizeof(*t));
	for (unsigned i = 0; i < BUCKETS; i++)
		t->buckets[i].length = 1;
	struct err *e = limits_of(props, &limits);
	if (!e)
		e = take_limits(limits, t);
	if (e) {
		free(t);
		return e;
	}
	t->leaked = loop_now();
	t->refs = 1;
	*ret = t;
	return NULL;
}

struct json *throttle_limits(const struct throttle *t)
{
	struct json *j = json_dict();
	for (unsigned i = 0; i < BUCKETS; i++) {
		const struct bucket *b = &t->buckets[i];
		AUTO(free_ptr)
		char *max = strf("%s-max", names[i]),
		     *length = strf("%s-max-length", names[i]);
		json_set(j, names[i], json_int(b->avg));
		json_set(j, max, json_int(b->max));
		json_set(j, length, json_int(b->length));
	}
	json_set(j, "iops-size", json_int(t->iops_size));
	return j;
}

struct throttle *throttle_ref(struct throttle *t)
{
	t->refs++;
	return t;
}

void throttle_unref(struct throttle *t)
{
	if (t && !--t->refs)
		free(t);
}

/* ---- waiting ---- */

static void leak(struct throttle *t)
{
	i64 now = loop_now();
	double seconds = (now - t->leaked) / 1e9;
	t->leaked = now;
	for (unsigned i = 0; i < BUCKETS; i++) {
		struct bucket *b = &t->buckets[i];
		b->level = MAX(b->level - b->avg * seconds, 0.0);
		b->burst = MAX(b->burst - b->max * seconds, 0.0);
	}
}

/* Seconds until the bucket is down to its brim: a tenth of a second's worth, or the burst. */
static double delay(const struct bucket *b)
{
	if (!b->avg)
		return 0;
	double brim = b->max ? (double)b->max * b->length : b->avg / 10.0;
	double wait = (b->level - brim) / b->avg;
	if (b->length > 1)
		wait = MAX(wait, (b->burst - b->max / 10.0) / b->max);
	return MAX(wait, 0.0);
}

struct err *throttle_change(struct throttle *t, const struct json *limits)
{
	AUTO(json_freep) struct json *rest = json_copy(limits);
	leak(t); /* at the rates so far */
	struct throttle next = *t;
	struct err *e = take_limits(rest, &next);
	if (e)
		return e;
	memcpy(t->buckets, next.buckets, sizeof(t->buckets));
	t->iops_size = next.iops_size;
	return NULL;
}

static double units(const struct throttle *t, unsigned bucket, u64 bytes)
{
	if (bucket < IOPS_TOTAL)
		return bytes;
	return t->iops_size && bytes > t->iops_size ? (double)bytes / t->iops_size : 1;
}

/* Whether a bucket counts this direction: 0 is the total, 1 reads, 2 writes. */
static bool counts(unsigned bucket, bool write)
{
	unsigned kind = bucket % IOPS_TOTAL;
	return !kind || (kind == 2) == write;
}

void throttle_wait(struct throttle *t, struct blk_graph *graph, bool write, u64 bytes)
{
	co_lock(&t->turn[write]);
	for (;;) {
		double wait = 0;
		leak(t);
		for (unsigned i = 0; i < BUCKETS; i++)
			if (counts(i, write))
				wait = MAX(wait, delay(&t->buckets[i]));
		if (wait <= 0 || !blk_rest(graph, MIN(wait, 1e6) * 1e9 + 1))
			break;
	}
	for (unsigned i = 0; i < BUCKETS; i++)
		if (counts(i, write)) {
			t->buckets[i].level += units(t, i, bytes);
			t->buckets[i].burst += units(t, i, bytes);
		}
	co_unlock(&t->turn[write]);
}
