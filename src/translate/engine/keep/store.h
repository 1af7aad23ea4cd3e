/*
 * Kept translations on disk: one file for each guest file, in a directory of the user's own.
 *
 *   file     header: magic, version, what it is for (struct store_id), check
 *   segment  head: magic, size, number of index slots, check of head and index; index: hash of (pc, key) -> record; records
 *   segment  ...
 *
 * A file only grows: writers append whole segments under a lock (flock) and never wait for it; a reader maps what was there when it opened. A segment that
 * was torn fails its check: it and what follows does not count, and is written over. Many segments are joined in a new file that takes the old one's place.
 * Every record has a check of its own, verified when it is used. Files that another user owns or may write to are not read.
 *
 * Numbers are in the host's byte order: the files never leave the machine.
 */
#pragma once
#include "base/base.h"

struct store;

/* What the translations of a file are good for. */
struct store_id {
	u64 build; /* of this program */
	u64 host; /* processor features */
	u64 model; /* guest and CPU model */
	u64 dev, ino, size, mtime; /* the guest's file */
};

struct kept_span { /* the guest's bytes that it is made from lie in this page */
	u64 page;
	u32 lo, hi;
	u64 hash; /* of the whole page */
};

/* A record; followed by the code (padded to 8 bytes), spans, ways out, sites and relocations. */
struct kept {
	u64 check; /* of everything behind this field */
	u64 pc, key;
	u32 size; /* of the record, a multiple of 16 */
	u32 code_size, n_span, n_site, n_reloc, n_ways;
	u32 spare[3];
};
_Static_assert(sizeof(struct kept) == 64, "code in a record is aligned");
struct kept_way { /* as struct host_out */
	u64 pc;
	u32 at, what;
};
struct kept_site { /* as struct host_site */
	u32 at, pc, leave;
};
struct kept_reloc { /* as struct host_reloc */
	u32 at, kind;
};

static inline const u8 *kept_code(const struct kept *k)
{
	return (const u8 *)(k + 1);
}
static inline const struct kept_span *kept_spans(const struct kept *k)
{
	return (const struct kept_span *)(kept_code(k) + ROUND_UP(k->code_size, 8u));
}
static inline const struct kept_way *kept_ways(const struct kept *k)
{
	return (const struct kept_way *)(kept_spans(k) + k->n_span);
}
static inline const struct kept_site *kept_sites(const struct kept *k)
{
	return (const struct kept_site *)(kept_ways(k) + k->n_ways);
}
static inline const struct kept_reloc *kept_relocs(const struct kept *k)
{
	return (const struct kept_reloc *)(kept_sites(k) + k->n_site);
}
/* The size of a record with these counts; 0: too large to be one. */
u32 kept_size(const struct kept *counts);

/* Opens what is kept for id under dir (copied). Never fails: where nothing can be read, nothing is kept. Owned by the caller. */
struct store *store_open(const char *dir, const struct store_id *id);
void store_free(struct store *s);
/* The first intact record for this pc and key that fits; NULL if there is none. It stays where it is until store_free. */
const struct kept *store_find(const struct store *s, u64 pc, u64 key,
			      bool (*fits)(void *user, const struct kept *), void *user);
/* Room for a new record with these counts set (pc, key, code_size, n_*); the caller fills in the rest, then calls store_added. NULL: too large. */
struct kept *store_add(struct store *s, const struct kept *counts);
void store_added(struct store *s);
/* Writes new records to the file, if nobody else is writing to it; they are forgotten in any case. */
void store_flush(struct store *s);
/* New records belong to another process: they are forgotten. */
void store_forget(struct store *s);

/* Makes the directory and those above it that are missing, for the user alone. */
void store_make_dir(const char *dir);

/* What dir holds. */
struct store_usage {
	u64 files, bytes;
};
struct store_usage store_usage(const char *dir);
/* Removes the least recently used files until at most `most` bytes are left; 0: all. */
void store_prune(const char *dir, u64 most);
