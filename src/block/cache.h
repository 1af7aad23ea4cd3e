/*
 * The metadata cache: pieces of a file (slices of tables), bounded, written back in the order that keeps an image valid.
 *
 * A slice is got (and pinned), changed, marked dirty, and put. Dirty slices are written by cache_flush(), or when room is
 * needed. `after` makes a cache wait for another: all that was dirty there at that moment is written, followed by a
 * barrier, before the first dirty slice here. Two caches must not wait for each other at once: the second request
 * of a circle is resolved by writing one of them back on the spot.
 *
 * Belongs to one node; used by its thread only. Errors are negative errnos.
 */
#pragma once
#include "block/blk.h"

struct cache;

/* unit: bytes of a slice, a power of two; bytes: the bound for all slices together (at least 4 slices are kept). what: names the tables in messages. */
/* file: the user's own pointer, which stays where it is. */
struct cache *cache_new(struct blk_node **file, u32 unit, u64 bytes, const char *what);
/* Names of the events that a load and a write-back report (blk_event), in place of "table_load" and "table_update". */
void cache_events(struct cache *c, const char *load, const char *update);
/* Other slices, another bound; all that is kept goes. After cache_flush; -EBUSY when a slice is dirty, or pinned. */
int cache_reshape(struct cache *c, u32 unit, u64 bytes) MUST_CHECK;
/* Drops everything; what is dirty is lost (call cache_flush before). NULL is ignored. */
void cache_free(struct cache *c);

/* The slice that begins at offset (a multiple of the unit), read from the file; pinned until cache_put. */
int cache_get(struct cache *c, u64 offset, void **ret) MUST_CHECK;
/* The same for new room: not read, zeroed, dirty. */
int cache_get_new(struct cache *c, u64 offset, void **ret) MUST_CHECK;
/* A slice that is in memory, pinned; NULL otherwise. No I/O. */
void *cache_peek(struct cache *c, u64 offset);
void cache_put(struct cache *c, void *slice);
/* Bytes [from, to) of the slice were changed. */
void cache_dirty(struct cache *c, void *slice, u32 from, u32 to);
/* What is dirty in c must not be written before what is dirty in first is stable. */
int cache_after(struct cache *c, struct cache *first) MUST_CHECK;
/* c's dirty slices must not be written before what was written to node data so far is stable. */
void cache_after_data(struct cache *c, struct blk_node **data);
/* Forgets a slice, dirty or not: its room was given back. */
void cache_forget(struct cache *c, u64 offset, u64 len);
/* Writes everything dirty, dependencies first. Does not flush the file at the end. */
int cache_flush(struct cache *c) MUST_CHECK;
bool cache_is_dirty(const struct cache *c);
/* Forgets clean slices that were not used since the last call. */
void cache_age(struct cache *c);
/* Forgets all clean slices; after cache_flush: all. */
void cache_drop(struct cache *c);
