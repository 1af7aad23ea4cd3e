/* The server: running commands in the main loop, its thread, events. */
#include "control/qmp/private.h"
#include "schema.gen.h"
#include <signal.h>
#include <time.h>

const struct qmp_command *qmp_find(const char *name)
{
	for (const struct qmp_command *const *c = qmp_commands; *c; c++)
		if (strcmp((*c)->spec->name, name) == 0)
			return *c;
	return NULL;
}

struct json *qmp_describe(const struct qmp *q)
{
	size_t n = 0;
	while (qmp_commands[n])
		n++;
	AUTO(free_ptr) const struct schema_command **specs = alloc((n + 1) * sizeof(*specs));
	for (size_t i = 0; i < n; i++)
		specs[i] = qmp_commands[i]->spec;
	return schema_describe(specs, n, q->offers);
}

struct err *qmp_run(struct qmp *q, const struct qmp_command *cmd, const struct json *args, struct json **ret)
{
	AUTO(json_freep) struct json *none = json_dict();
	struct qmp_call call = { .control = q->control, .json = args ? args : none };
	struct err *e = schema_check(cmd->spec->arg, call.json, q->offers);
	if (e)
		return e;
	AUTO(free_ptr) void *arg = alloc(cmd->spec->arg->size);
	schema_fill(cmd->spec->arg, call.json, arg);
	call.arg = arg;
	e = cmd->run(&call);
	if (!e && !call.ret)
		call.ret = json_dict();
	if (!e && cmd->spec->returns && (e = schema_check(cmd->spec->returns, call.ret, NULL)))
		e = err_in(e, "The result of %s does not fit the schema", cmd->spec->name);
	if (e)
		json_free(call.ret);
	else
		*ret = call.ret;
	return e;
}

/* ---- answers ---- */

static const char *class_of(const struct err *e)
{
	switch (err_code(e)) {
	case ERR_NO_DEVICE:
		return "DeviceNotFound";
	case ERR_NOT_ACTIVE:
		return "DeviceNotActive";
	default:
		return "GenericError";
	}
}

static struct json *answer(const struct qmp_request *r, struct json *value, struct err *e,
			   const char *class_name)
{
	struct json *j = json_dict(), *error;
	if (e) {
		json_set(j, "error", error = json_dict());
		json_set(error, "class", json_str(class_name ? class_name : class_of(e)));
		json_set(error, "desc", json_str(err_text(e)));
	} else {
		json_set(j, "return", value ? value : json_dict());
	}
	const struct json *id = r->json ? json_get(r->json, "id") : NULL;
	if (id)
		json_set(j, "id", json_copy(id));
	return j;
}

/* The request is done with; what its client is told, if anything. */
static void finish(struct qmp_request *r, struct json *told)
{
	struct qmp *q = r->session->monitor->qmp;
	pthread_mutex_lock(&q->lock);
	if (told)
		qmp_put(r->session, told);
	qmp_session_drop(r->session);
	qmp_kick(q);
	pthread_mutex_unlock(&q->lock);
	json_free(told);
	json_free(r->json);
	free(r);
}

void qmp_reply(struct qmp_request *r, struct json *value, struct err *e, const char *class_name)
{
	struct json *j = answer(r, value, e, class_name);
	if (e)
		err_free(e);
	finish(r, j);
}

/* ---- negotiation ---- */

/* In the clients' main loop, like all commands; but it is the session's, so it is no row of the table's functions. */
static struct err *negotiate(struct qmp *q, struct qmp_session *s, const struct json *args)
{
	AUTO(json_freep) struct json *none = json_dict();
	const struct json *enable;
	args = args ? args : none;
	struct err *e = schema_check(schema_command_qmp_capabilities.arg, args, NULL);
	if (e)
		return e;
	enable = json_get(args, "enable");
	pthread_mutex_lock(&q->lock);
	s->oob = enable && enable->n; /* there is one capability */
	s->negotiated = true;
	pthread_mutex_unlock(&q->lock);
	return NULL;
}

static void run_request(struct qmp *q, struct qmp_request *r)
{
	const char *name = json_get_str(r->json, "execute");
	const struct json *args = json_get(r->json, "arguments");
	bool handshake = strcmp(name, schema_command_qmp_capabilities.name) == 0;
	const struct qmp_command *cmd = qmp_find(name);
	struct json *ret = NULL;
	struct err *e;
	if (handshake && !r->session->negotiated)
		e = negotiate(q, r->session, args);
	else if (cmd && !handshake && r->session->negotiated)
		e = qmp_run(q, cmd, args, &ret);
	else {
		e = !r->session->negotiated
			? err_new(ERR_INVALID, "Expecting capabilities negotiation with 'qmp_capabilities'")
		    : handshake ? err_new(ERR_INVALID,
					  "Capabilities negotiation is already complete, command ignored")
				: err_new(ERR_INVALID, "The command %s has not been found", name);
		qmp_reply(r, NULL, e, "CommandNotFound");
		return;
	}
	qmp_reply(r, ret, e, NULL);
}

/* ---- the main thread ---- */

static struct qmp_request *next_request(struct qmp *q)
{
	pthread_mutex_lock(&q->lock);
	struct qmp_request *r = q->first;
	if (r) {
		q->first = r->next;
		if (!q->first)
			q->last = &q->first;
	}
	pthread_mutex_unlock(&q->lock);
	return r;
}

static void run_all(void *arg)
{
	struct qmp *q = arg;
	struct qmp_request *r;
	while ((r = next_request(q))) {
		struct qmp_session *s = r->session;
		pthread_mutex_lock(&q->lock);
		bool gone = s->gone;
		s->refs++;
		pthread_mutex_unlock(&q->lock);
		if (gone || q->control->quit)
			finish(r, NULL);
		else
			run_request(q, r);
		pthread_mutex_lock(&q->lock);
		s->queued--;
		qmp_session_drop(s);
		qmp_kick(q); /* its reader may go on */
		pthread_mutex_unlock(&q->lock);
	}
	q->running = false;
	co_wake_all(&q->done);
}

static void work(void *arg)
{
	struct qmp *q = arg;
	pthread_mutex_lock(&q->lock);
	q->work_posted = false;
	pthread_mutex_unlock(&q->lock);
	if (q->running)
		return;
	q->running = true;
	co_enter(co_new(run_all, q));
}

/* ---- the clients' thread ---- */

void qmp_kick(struct qmp *q)
{
	if (q->kick_posted || !q->io)
		return;
	q->kick_posted = true;
	loop_post(q->io, &q->kick);
}

static void kicked(void *arg)
{
	struct qmp *q = arg;
	pthread_mutex_lock(&q->lock);
	q->kick_posted = false;
	pthread_mutex_unlock(&q->lock);
	for (struct qmp_monitor *m = q->monitors; m; m = m->next)
		if (m->session) {
			qmp_send(m->session);
			co_wake(&m->session->room);
		}
}

static void start_monitor(void *arg)
{
	co_enter(co_new(qmp_serve, arg));
}

static void *clients(void *arg)
{
	struct qmp *q = arg;
	pthread_setname_np(pthread_self(), "IO mon_iothread");
	pthread_mutex_lock(&q->lock);
	q->io = loop_here();
	pthread_cond_broadcast(&q->ready);
	bool ending = q->ending;
	pthread_mutex_unlock(&q->lock);
	while (!ending) {
		loop_run_once(q->io, true);
		pthread_mutex_lock(&q->lock);
		ending = q->ending;
		pthread_mutex_unlock(&q->lock);
	}
	loop_done();
	return NULL;
}

struct qmp *qmp_new(struct control *control, schema_offers offers)
{
	struct qmp *q = alloc(sizeof(*q));
	*q = (struct qmp){ .control = control, .offers = offers, .main = loop_here() };
	q->last = &q->first;
	q->work = (struct loop_job){ .fn = work, .arg = q };
	q->kick = (struct loop_job){ .fn = kicked, .arg = q };
	q->tick = (struct loop_job){ .fn = qmp_tick, .arg = q };
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->ready, NULL);
	control->qmp = q;
	return q;
}

void qmp_monitor(struct qmp *q, struct chr *chr, bool pretty)
{
	struct qmp_monitor *m = alloc(sizeof(*m));
	*m = (struct qmp_monitor){ .next = q->monitors, .qmp = q, .chr = chr, .pretty = pretty };
	m->start = (struct loop_job){ .fn = start_monitor, .arg = m };
	chr->used = true;
	q->monitors = m;
}

void qmp_start(struct qmp *q)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	q->started = pthread_create(&q->thread, NULL, clients, q) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!q->started)
		return;
	pthread_mutex_lock(&q->lock);
	while (!q->io)
		pthread_cond_wait(&q->ready, &q->lock);
	pthread_mutex_unlock(&q->lock);
	for (struct qmp_monitor *m = q->monitors; m; m = m->next)
		loop_post(q->io, &m->start);
}

static bool is_sending(struct qmp *q)
{
	for (struct qmp_monitor *m = q->monitors; m; m = m->next)
		if (m->session && !m->session->gone && (m->session->out_len || m->session->writing))
			return true;
	return false;
}

void qmp_free(struct qmp *q)
{
	struct timespec until;
	while (q->running)
		co_wait(&q->done);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	pthread_mutex_lock(&q->lock);
	while (q->started && is_sending(q) && pthread_cond_timedwait(&q->ready, &q->lock, &until) == 0)
		;
	q->ending = true;
	qmp_kick(q);
	pthread_mutex_unlock(&q->lock);
	if (q->started)
		pthread_join(q->thread, NULL);
	q->control->qmp = NULL;
	/* Sessions and their coroutines end with the process: the thread was stopped where it was. */
	for (struct qmp_monitor *m; (m = q->monitors);) {
		q->monitors = m->next;
		m->chr->used = false;
		free(m);
	}
	qmp_free_held(q);
	free(q);
}
