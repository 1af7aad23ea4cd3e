/* What the server's own files share. */
#pragma once
#include "base/coroutine.h"
#include "base/loop/loop.h"
#include "control/qmp/qmp.h"
#include <pthread.h>

enum { QMP_QUEUE = 8, QMP_MAX_OUT = 64 << 20 };

/* A client of a monitor. */
struct qmp_session {
	struct qmp_monitor *monitor;
	unsigned refs; /* below: guarded by the server's lock */
	bool negotiated, oob, gone;
	unsigned queued;
	char *out;
	size_t out_len, out_cap;
	/* The clients' thread alone. */
	bool writing;
	struct co_wait room, idle;
};

struct qmp_monitor {
	struct qmp_monitor *next;
	struct qmp *qmp;
	struct chr *chr;
	bool pretty;
	struct qmp_session *session; /* guarded by the server's lock */
	struct loop_job start;
};

struct qmp_request {
	struct qmp_request *next;
	struct qmp_session *session;
	struct json *json;
};

/* An event that is held back because one of its kind was sent less than a second ago. */
struct qmp_held {
	struct qmp_held *next;
	const struct schema_event *event;
	char *key;
	struct json *pending; /* the newest; NULL: none came since */
	i64 until;
};

struct qmp {
	struct control *control;
	schema_offers offers;
	struct loop *main, *io;
	struct qmp_monitor *monitors;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t ready; /* the thread runs; it has nothing left to send */
	/* Below: guarded by the lock. */
	struct qmp_request *first, **last; /* to be run */
	struct qmp_held *held;
	struct loop_job work, kick, tick;
	bool work_posted, kick_posted, tick_posted, ending;
	/* The main thread alone. */
	bool running;
	struct co_wait done;
};

/* Puts a value into the session's output; the lock is held. */
void qmp_put(struct qmp_session *s, const struct json *j);
/* Wakes the clients' thread to send; the lock is held. */
void qmp_kick(struct qmp *q);
void qmp_session_drop(struct qmp_session *s);
/* The clients' thread: reads and answers one monitor's clients. arg: struct qmp_monitor. */
void qmp_serve(void *arg);
/* Starts to send what is in the output. */
void qmp_send(struct qmp_session *s);
/* Answers to a request; frees it and r or e. */
void qmp_reply(struct qmp_request *request, struct json *r, struct err *e, const char *class_name);
/* The clients' thread: sends events that were held back and whose time has come. arg: struct qmp. */
void qmp_tick(void *arg);
void qmp_free_held(struct qmp *q);
