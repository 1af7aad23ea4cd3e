/* A client: reading values, queueing them, sending what was answered. All here runs in the clients' thread. */
#include "control/qmp/private.h"
#include "control/qmp/split.h"
#include "schema.gen.h"
#include <sys/socket.h>

enum { READ = 4096 };

void qmp_put(struct qmp_session *s, const struct json *j)
{
	AUTO(free_ptr) char *text = json_text(j, s->monitor->pretty);
	size_t n = strlen(text);
	if (s->gone)
		return;
	if (s->out_len + n > QMP_MAX_OUT) { /* nobody reads: the end for this client */
		s->gone = true;
		return;
	}
	s->out = grow(s->out, &s->out_cap, s->out_len + n + 2, 1);
	memcpy(s->out + s->out_len, text, n);
	memcpy(s->out + s->out_len + n, "\r\n", 2);
	s->out_len += n + 2;
}

static void sender(void *arg)
{
	struct qmp_session *s = arg;
	struct qmp *q = s->monitor->qmp;
	pthread_mutex_lock(&q->lock);
	while (s->out_len) {
		AUTO(free_ptr) char *text = s->out;
		size_t n = s->out_len;
		s->out = NULL;
		s->out_len = s->out_cap = 0;
		pthread_mutex_unlock(&q->lock);
		int r = chr_write(s->monitor->chr, text, n);
		pthread_mutex_lock(&q->lock);
		if (r) {
			s->gone = true;
			s->out_len = 0;
		}
	}
	s->writing = false;
	pthread_cond_broadcast(&q->ready);
	pthread_mutex_unlock(&q->lock);
	co_wake_all(&s->idle);
}

void qmp_send(struct qmp_session *s)
{
	if (s->gone)
		shutdown(s->monitor->chr->in, SHUT_RDWR); /* the reader comes back */
	if (s->writing || !s->out_len)
		return;
	s->writing = true;
	co_enter(co_new(sender, s));
}

static void send_now(struct qmp_session *s, struct json *j)
{
	struct qmp *q = s->monitor->qmp;
	pthread_mutex_lock(&q->lock);
	qmp_put(s, j);
	qmp_kick(q);
	pthread_mutex_unlock(&q->lock);
	json_free(j);
}

static void greet(struct qmp_session *s)
{
	struct qmp *q = s->monitor->qmp;
	struct json *j = json_dict(), *qmp = json_dict(), *caps = json_list(), *version = NULL;
	struct err *e = qmp_run(q, qmp_find("query-version"), NULL, &version);
	err_free(e); /* asks nobody: cannot fail */
	json_set(qmp, "version", version);
	json_add(caps, json_str("oob"));
	json_set(qmp, "capabilities", caps);
	json_set(j, "QMP", qmp);
	send_now(s, j);
}

/* ---- requests ---- */

static struct err *input_member(const char *name, const char *what)
{
	return err_new(ERR_INVALID, "QMP input member '%s' %s", name, what);
}

/* The form of a request; what the command is comes later. */
static struct err *check_form(const struct qmp_session *s, const struct json *j, const char **ret_name,
			      bool *ret_oob)
{
	bool found = false;
	if (j->kind != JSON_DICT)
		return err_new(ERR_INVALID, "QMP input must be a JSON object");
	for (size_t i = 0; i < j->n; i++) {
		const char *key = j->keys[i];
		bool oob = s->oob && strcmp(key, "exec-oob") == 0;
		if (oob || strcmp(key, "execute") == 0) {
			if (j->items[i]->kind != JSON_STR)
				return input_member(key, "must be a string");
			if (found)
				return input_member(key, "clashes with 'execute' or 'exec-oob'");
			found = true;
			*ret_oob = oob;
			*ret_name = j->items[i]->s;
		} else if (strcmp(key, "arguments") == 0) {
			if (j->items[i]->kind != JSON_DICT)
				return input_member(key, "must be an object");
		} else if (strcmp(key, "id") != 0) {
			return input_member(key, "is unexpected");
		}
	}
	return found ? NULL : err_new(ERR_INVALID, "QMP input lacks member 'execute'");
}

static void run_oob(struct qmp_request *r, const char *name)
{
	struct qmp *q = r->session->monitor->qmp;
	const struct qmp_command *cmd = qmp_find(name);
	struct json *ret = NULL;
	if (!cmd) {
		qmp_reply(r, NULL, err_new(ERR_INVALID, "The command %s has not been found", name),
			  "CommandNotFound");
	} else if (!cmd->spec->oob) {
		qmp_reply(r, NULL, err_new(ERR_INVALID, "The command %s does not support OOB", name), NULL);
	} else {
		struct err *e = qmp_run(q, cmd, json_get(r->json, "arguments"), &ret);
		qmp_reply(r, ret, e, NULL);
	}
}

static unsigned room(const struct qmp_session *s)
{
	return s->oob ? QMP_QUEUE : 1;
}

/* Gives the request to the main thread, when there is room in the queue. */
static void queue(struct qmp_request *r)
{
	struct qmp_session *s = r->session;
	struct qmp *q = s->monitor->qmp;
	pthread_mutex_lock(&q->lock);
	s->queued++;
	r->next = NULL;
	*q->last = r;
	q->last = &r->next;
	if (!q->work_posted) {
		q->work_posted = true;
		loop_post(q->main, &q->work);
	}
	pthread_mutex_unlock(&q->lock);
}

/* The lock is not held: whether the queue is full may only change to the better meanwhile. */
static bool is_full(struct qmp_session *s)
{
	struct qmp *q = s->monitor->qmp;
	pthread_mutex_lock(&q->lock);
	bool full = s->queued >= room(s) && !s->gone;
	pthread_mutex_unlock(&q->lock);
	return full;
}

static void handle(struct qmp_session *s, struct split *in)
{
	struct json *j = NULL;
	struct err *e = in->fault == SPLIT_TOO_LONG ? err_new(ERR_INVALID, "JSON token size limit exceeded")
			: in->fault == SPLIT_TOO_DEEP
			    ? err_new(ERR_INVALID, "JSON nesting depth limit exceeded")
			    : json_parse(in->text, in->len, &j);
	struct qmp_request *r = alloc(sizeof(*r));
	struct qmp *q = s->monitor->qmp;
	const char *name = NULL;
	bool oob = false;
	*r = (struct qmp_request){ .session = s, .json = j };
	pthread_mutex_lock(&q->lock);
	s->refs++;
	pthread_mutex_unlock(&q->lock);
	if (!e)
		e = check_form(s, j, &name, &oob);
	if (e)
		qmp_reply(r, NULL, e, NULL);
	else if (oob)
		run_oob(r, name);
	else
		queue(r);
	while (is_full(s))
		co_wait(&s->room);
}

static void receive(struct qmp_session *s)
{
	struct split in = { 0 };
	char buf[READ];
	ssize_t n;
	while (!s->gone && (n = chr_read(s->monitor->chr, buf, sizeof(buf))) > 0) {
		const char *at = buf;
		while (!s->gone && split_feed(&in, &at, buf + n)) {
			handle(s, &in);
			split_next(&in);
		}
	}
	split_free(&in);
}

void qmp_session_drop(struct qmp_session *s)
{
	if (--s->refs)
		return;
	free(s->out);
	free(s);
}

static void serve_one(struct qmp_monitor *m)
{
	struct qmp *q = m->qmp;
	struct qmp_session *s = alloc(sizeof(*s));
	*s = (struct qmp_session){ .monitor = m, .refs = 1 };
	pthread_mutex_lock(&q->lock);
	m->session = s;
	pthread_mutex_unlock(&q->lock);
	greet(s);
	receive(s);
	while (s->writing)
		co_wait(&s->idle);
	pthread_mutex_lock(&q->lock);
	s->gone = true;
	m->session = NULL;
	qmp_session_drop(s);
	pthread_mutex_unlock(&q->lock);
}

void qmp_serve(void *arg)
{
	struct qmp_monitor *m = arg;
	while (chr_wait(m->chr) == 0) {
		serve_one(m);
		chr_hang_up(m->chr);
	}
}
