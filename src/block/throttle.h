/*
 * Throttle groups: limits on bytes and requests a second that several disks share. Leaky buckets: a bucket loses `avg` units a
 * second; a request that finds it above its brim waits, then pours its units in. With `max`, bursts of that rate are let
 * through for `length` seconds.
 *
 * Reads and writes each go in the order in which they came. One thread.
 */
#pragma once
#include "base/base.h"
#include "base/err.h"
#include "base/json.h"

struct throttle;

/*
 * props: of an object "throttle-group": `limits` ({"iops-total": 100, "bps-read-max": 1000, ...}, nested or flat), or the
 * same names as x-iops-total and so on.
 */
struct err *throttle_new(const struct json *props, struct throttle **ret) MUST_CHECK;
/* limits: those that change, by their names; the others stay. On failure all stay. */
struct err *throttle_change(struct throttle *t, const struct json *limits) MUST_CHECK;
/* All of them: {"bps-total": 0, ...}; the caller owns it. */
struct json *throttle_limits(const struct throttle *t);
struct throttle *throttle_ref(struct throttle *t);
void throttle_unref(struct throttle *t); /* NULL is ignored */
struct blk_graph;
/* Waits until a request of that many bytes may go, and counts it. While the graph is being quiesced all may go. */
void throttle_wait(struct throttle *t, struct blk_graph *graph, bool write, u64 bytes);
