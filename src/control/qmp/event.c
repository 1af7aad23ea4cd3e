/* Events: their form, and the rate at which some of them are sent. */
#include "control/qmp/private.h"
#include <stdio.h>
#include <time.h>

static const i64 SECOND = 1000000000;

static struct json *with_time(const struct schema_event *event, struct json *data)
{
	struct timespec now;
	struct json *j = json_dict(), *t = json_dict();
	clock_gettime(CLOCK_REALTIME, &now);
	json_set(t, "seconds", json_int(now.tv_sec));
	json_set(t, "microseconds", json_int(now.tv_nsec / 1000));
	json_set(j, "timestamp", t);
	json_set(j, "event", json_str(event->name));
	json_set(j, "data", data);
	return j;
}

/* To all clients that have negotiated; the lock is held. */
static void broadcast(struct qmp *q, const struct json *j)
{
	for (struct qmp_monitor *m = q->monitors; m; m = m->next)
		if (m->session && m->session->negotiated)
			qmp_put(m->session, j);
	qmp_kick(q);
}

static struct qmp_held *find_held(struct qmp *q, const struct schema_event *event, const char *key)
{
	struct qmp_held *h = q->held;
	while (h && (h->event != event || strcmp(h->key, key) != 0))
		h = h->next;
	return h;
}

/* Sends the event, or keeps it as the newest of its kind until a second is over. The lock is held. */
static void send_limited(struct qmp *q, const struct schema_event *event, const char *key, struct json *j)
{
	struct qmp_held *h = find_held(q, event, key);
	if (h) {
		json_free(h->pending);
		h->pending = j;
		return;
	}
	h = alloc(sizeof(*h));
	*h = (struct qmp_held){
		.next = q->held, .event = event, .key = str_dup(key), .until = loop_now() + SECOND
	};
	q->held = h;
	broadcast(q, j);
	json_free(j);
	if (q->io && !q->tick_posted) {
		q->tick_posted = true;
		loop_post(q->io, &q->tick);
	}
}

void qmp_event(struct qmp *q, const struct schema_event *event, struct json *data)
{
	struct err *e = data ? schema_check(event->data, data, NULL) : NULL;
	if (e) {
		fprintf(stderr, "event %s does not fit the schema: %s\n", event->name, err_text(e));
		err_free(e);
	}
	const char *key = event->limit_by && data ? json_get_str(data, event->limit_by) : NULL;
	AUTO(free_ptr) char *name = str_dup(key ? key : "");
	struct json *j = with_time(event, data);
	pthread_mutex_lock(&q->lock);
	if (event->limit_by) {
		send_limited(q, event, name, j);
	} else {
		broadcast(q, j);
		json_free(j);
	}
	pthread_mutex_unlock(&q->lock);
}

/* One that is due is sent and holds back the next second's; one that nothing followed is forgotten. */
void qmp_tick(void *arg)
{
	struct qmp *q = arg;
	i64 now = loop_now(), next = 0;
	pthread_mutex_lock(&q->lock);
	for (struct qmp_held **at = &q->held, *h; (h = *at);) {
		if (h->until <= now && !h->pending) {
			*at = h->next;
			free(h->key);
			free(h);
			continue;
		}
		if (h->until <= now) {
			broadcast(q, h->pending);
			json_free(h->pending);
			h->pending = NULL;
			h->until = now + SECOND;
		}
		next = next ? MIN(next, h->until) : h->until;
		at = &h->next;
	}
	q->tick_posted = next;
	pthread_mutex_unlock(&q->lock);
	if (next)
		loop_timer(q->io, next, qmp_tick, q);
}

void qmp_free_held(struct qmp *q)
{
	for (struct qmp_held *h; (h = q->held);) {
		q->held = h->next;
		json_free(h->pending);
		free(h->key);
		free(h);
	}
}
