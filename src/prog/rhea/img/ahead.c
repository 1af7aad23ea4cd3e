#include "prog/rhea/img/ahead.h"
#include "base/loop/loop.h"

static struct ahead_lane *lane_at(const struct ahead *a, unsigned i)
{
	return (struct ahead_lane *)((char *)a->lanes + i * a->size);
}

/* The lane's own use of its piece, when its turn has come. */
static void use_here(struct ahead *a, struct ahead_lane *l)
{
	while (l->turn != a->turn)
		co_wait(&a->turns);
	if (!a->stop && !a->use(a->user, l))
		a->stop = true;
	a->turn++;
	co_wake_all(&a->turns);
}

static void run_lane(void *arg)
{
	struct ahead_lane *l = arg;
	struct ahead *a = l->of;
	while (!a->stop && a->next(a->user, l)) {
		l->turn = a->given++;
		a->fetch(a->user, l);
		if (a->use && a->in_lane)
			use_here(a, l);
		else
			l->fetched = a->use;
		while (l->fetched)
			co_wait(&l->used);
	}
	a->active--;
}

/* The piece whose turn it is, when it is there. */
static struct ahead_lane *ready(const struct ahead *a)
{
	for (unsigned i = 0; i < a->n; i++)
		if (lane_at(a, i)->fetched && (lane_at(a, i)->turn == a->turn || a->stop))
			return lane_at(a, i);
	return NULL;
}

void ahead_run(struct ahead *a)
{
	a->active = a->n;
	for (unsigned i = 0; i < a->n; i++) {
		lane_at(a, i)->of = a;
		co_enter(co_new(run_lane, lane_at(a, i)));
	}
	while (a->active) {
		struct ahead_lane *l = ready(a);
		if (!l) {
			loop_run_once(loop_here(), true);
			continue;
		}
		if (!a->stop)
			a->stop = !a->use(a->user, l);
		a->turn++;
		l->fetched = false;
		co_wake(&l->used);
	}
}
