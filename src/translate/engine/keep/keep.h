/*
 * Translations kept across runs: looked up by the content of the guest's pages before anything is translated, and written down when something was.
 * A kept translation is copied into the code cache and placed there; it is then like any other.
 */
#pragma once
#include "translate/engine/priv.h"

struct keep;

struct keep *keep_new(struct engine *e);
void keep_free(struct keep *k);
/* The translation of p's CPU's code at pc in this mode, in the code cache and not yet in the tables; NULL: none is kept, or there is no room. */
struct tb *keep_load(struct priv *p, u64 pc);
/* Writes down what p->job has just made. Before anything is linked. */
void keep_save(struct priv *p, const struct tb *tb);
/* Writes all that is new to disk. */
void keep_flush(struct keep *k);
/* In a forked child: what is new is the parent's to write; locks are as new. */
void keep_after_fork(struct keep *k);
