/*
 * Going through an image by pieces: lanes (coroutines) fetch the next ones while the caller, which is no coroutine, uses those
 * that are there, in order.
 *
 * What is used on the spot, by the thread that has nothing else to do, needs no handing over to a worker and back; the lanes'
 * reads run on workers meanwhile. Where the thread has other things to do (it moves the bytes of connections), the lanes use what they
 * fetched by themselves, in order as well.
 */
#pragma once
#include "base/coroutine.h"

struct ahead_lane {
	u64 turn; /* of the piece: 0, 1, ... */
	bool fetched;
	struct co_wait used;
	struct ahead *of;
};

struct ahead {
	/* The lane's next piece; false: none is left, or an error has been noted. In a coroutine. */
	bool (*next)(void *user, struct ahead_lane *lane);
	/* Gets what `use` needs. In a coroutine; others go on meanwhile. */
	void (*fetch)(void *user, struct ahead_lane *lane);
	/* One piece after another, outside coroutines or in the lane's; no more comes after false. NULL: fetch is all there is. */
	bool (*use)(void *user, struct ahead_lane *lane);
	bool in_lane;
	void *user;
	/* The caller's lanes: n structures of `size` bytes, each beginning with its struct ahead_lane. */
	void *lanes;
	unsigned n;
	size_t size;
	/* Its own. */
	unsigned active;
	u64 given, turn;
	struct co_wait turns; /* lanes that wait for theirs */
	bool stop;
};

/* Until no piece is left and all were used. Outside coroutines. */
void ahead_run(struct ahead *a);
