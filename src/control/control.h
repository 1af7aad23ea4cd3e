/*
 * What commands act on: the parts of the program, each known by those commands alone that need it. Belongs to the main
 * thread.
 */
#pragma once
#include "base/base.h"

struct qmp;
struct storage;
struct chr_set;

struct control {
	struct qmp *qmp;
	struct storage *storage; /* the block graph, jobs, exports (control/block); NULL: none */
	struct chr_set *chrs;
	bool quit; /* the program ends */
	void (*ending)(struct control *c); /* work ends before quit is answered; may be NULL */
};
