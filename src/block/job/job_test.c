/*
 * Jobs over files whose requests fail: at every place, one request or all from there on. A job ends with the cause, stops and goes on when
 * told, or goes past it, as its policy says; what a guest sees stays as it was, every image is sound, and a job that succeeded has done
 * its work.
 */
#include "job.c"
#include "base/loop/loop.h"
#include "base/test.h"
#include "block/format/testmem.h"
#include "block/job/kinds.h"
#include <stdio.h>

static const char *const prefixes[] = { "testjob", NULL };
BLK_DRIVER(testjob) = TESTMEM_DRIVER_AS("testjob", prefixes);

enum { DISK = 512 << 10, N = DISK / 4 };
enum layer { BASE, MID, TOP, TARGET, LAYERS };
static const char *const files[] = { "testjob:base", "testjob:mid", "testjob:top", "testjob:target" };

struct rig {
	struct jobs jobs;
	struct blk_node *node[LAYERS];
	u32 want[N]; /* what the guest sees */
	bool stopped, reading;
	unsigned errors;
};

struct kind {
	const char *name;
	struct err *(*start)(struct rig *x, enum job_policy policy);
	bool copies; /* the target shows what the guest sees */
	bool completes;
};

static const struct job_options options = { .id = "j", .auto_finalize = true };

static struct err *start_stream(struct rig *x, enum job_policy policy)
{
	struct job_stream j = { .o = options, .top = x->node[TOP], .on_error = policy };
	return job_stream(&x->jobs, &j);
}

static struct err *start_commit(struct rig *x, enum job_policy policy)
{
	struct job_commit j = { .o = options,
				.active = x->node[TOP],
				.top = x->node[MID],
				.base = x->node[BASE],
				.on_error = policy };
	return job_commit(&x->jobs, &j);
}

static struct err *start_mirror(struct rig *x, enum job_policy policy)
{
	struct job_mirror j = { .o = options,
				.source = x->node[TOP],
				.target = x->node[TARGET],
				.sync = SYNC_FULL,
				.on_source = policy,
				.on_target = policy };
	return job_mirror(&x->jobs, &j);
}

static struct err *start_backup(struct rig *x, enum job_policy policy)
{
	struct job *job;
	struct job_backup j = { .o = options,
				.source = x->node[TOP],
				.target = x->node[TARGET],
				.sync = SYNC_FULL,
				.on_source = policy,
				.on_target = policy };
	struct err *e = job_backup(&x->jobs, &j, &job);
	if (!e)
		job_start(job);
	return e;
}

static const struct kind kinds[] = {
	{ "stream", start_stream },
	{ "commit", start_commit },
	{ "mirror", start_mirror, .copies = true, .completes = true },
	{ "backup", start_backup, .copies = true },
};

/* ---- images ---- */

static struct blk_node *open_layer(struct rig *x, enum layer l, u32 flags)
{
	struct blk_node *node = NULL;
	struct err *e = blk_open(x->jobs.graph, files[l], "qcow2", NULL, flags, &node);
	if (e)
		test_fail(__FILE__, __LINE__, "open %s: %s", files[l], err_text(e));
	err_free(e);
	return node;
}

static void make_layer(struct rig *x, enum layer l)
{
	struct json *opts = json_dict();
	json_set(opts, "size", json_strf("%d", DISK));
	json_set(opts, "cluster_size", json_str("4096"));
	if (l == MID || l == TOP) {
		json_set(opts, "backing_file", json_str(files[l - 1]));
		json_set(opts, "backing_fmt", json_str("qcow2"));
	}
	struct err *e = blk_create_image(x->jobs.graph, files[l], "qcow2", opts);
	CHECK(!e);
	err_free(e);
	struct blk_node *node = open_layer(x, l, BLK_RDWR);
	static u32 buf[N / 2];
	for (unsigned i = 0; i < N / 2; i++)
		buf[i] = (l + 1) << 24 | i;
	if (node && l != TARGET)
		CHECK_EQ(blk_pwrite(node, l * (DISK / 6), buf, sizeof(buf) / 2), 0);
	blk_unref(node);
}

static void erred(void *user, const struct job *job UNUSED, bool reading, enum job_action action)
{
	struct rig *x = user;
	x->errors++;
	x->reading = reading;
	x->stopped |= action == JOB_ACTION_STOP;
}

static struct rig *rig_new(void)
{
	struct rig *x = alloc(sizeof(*x));
	*x = (struct rig){ .jobs = { .graph = blk_graph_new(), .user = x, .erred = erred } };
	for (enum layer l = 0; l < LAYERS; l++)
		make_layer(x, l);
	x->node[TOP] = open_layer(x, TOP, BLK_RDWR);
	x->node[MID] = x->node[TOP]->backing;
	x->node[BASE] = x->node[MID]->backing;
	x->node[TARGET] = open_layer(x, TARGET, BLK_RDWR);
	CHECK_EQ(blk_pread(x->node[TOP], 0, x->want, DISK), 0);
	return x;
}

static bool shows(const struct rig *x, struct blk_node *node)
{
	static u32 got[N];
	return node && blk_pread(node, 0, got, DISK) == 0 && memcmp(got, x->want, DISK) == 0;
}

static bool sound(struct blk_node *node)
{
	struct blk_check res = { 0 };
	struct err *e = node ? node->driver->check(node, &res, 0) : NULL;
	bool ok = node && !e && !res.corruptions && !res.check_errors;
	err_free(e);
	return ok;
}

/* Closes everything and looks at what is in the files. */
static void rig_end(struct rig *x, const struct kind *k, bool succeeded, const char *what)
{
	blk_unref(x->node[TOP]);
	blk_unref(x->node[TARGET]);
	struct blk_node *top = open_layer(x, TOP, 0), *target = open_layer(x, TARGET, 0);
	for (struct blk_node *n = top; n; n = n->backing)
		if (!sound(n))
			test_fail(__FILE__, __LINE__, "%s: %s: %s is not sound", k->name, what, n->filename);
	if (!sound(target))
		test_fail(__FILE__, __LINE__, "%s: %s: the target is not sound", k->name, what);
	if (!shows(x, top))
		test_fail(__FILE__, __LINE__, "%s: %s: the guest sees something else", k->name, what);
	if (succeeded && k->copies && !shows(x, target))
		test_fail(__FILE__, __LINE__, "%s: %s: the target shows something else", k->name, what);
	blk_unref(top);
	blk_unref(target);
	blk_graph_free(x->jobs.graph);
	mems_free();
	free(x);
}

/* ---- the life of a job ---- */

/* Until it concluded, or stopped. */
static void let_run(struct rig *x, struct job *job)
{
	while (job->status != JOB_CONCLUDED && !(job->stopped && job->status == JOB_PAUSED)) {
		if (job->status != JOB_READY || job->completing) {
			loop_run_once(loop_here(), true);
			continue;
		}
		struct err *e = job_complete(job);
		CHECK(!e);
		err_free(e);
	}
}

/* One run with a fault; true: the fault was met. */
static bool run_with(const struct kind *k, struct fault f, enum job_policy policy)
{
	struct rig *x = rig_new();
	bool succeeded = false;
	AUTO(free_ptr)
	char *what = strf("%s %s from %zu, error %d, policy %d", f.once ? "one" : "all",
			  f.on == FAULT_READ ? "reads" : "writes", f.left, f.error, policy);
	fault = f;
	struct err *e = k->start(x, policy);
	struct job *job = job_find(&x->jobs, "j");
	if (job) {
		let_run(x, job);
		bool stops = policy == JOB_STOP || (policy == JOB_ENOSPC && f.error == ENOSPC);
		if (x->errors && x->stopped != stops)
			test_fail(__FILE__, __LINE__, "%s: %s: it %s", k->name, what,
				  stops ? "did not stop" : "stopped");
		while (job->status != JOB_CONCLUDED) { /* stopped: it goes on where it was */
			fault.on = 0;
			err_free(job_resume(job));
			let_run(x, job);
		}
		succeeded = !job->error;
		if (x->stopped && f.once && !succeeded)
			test_fail(__FILE__, __LINE__, "%s: %s: ends with %s after it was resumed", k->name,
				  what, err_text(job->error));
		if (job->error && !strstr(err_text(job->error), strerror(f.error)))
			test_fail(__FILE__, __LINE__, "%s: %s: ends with \"%s\"", k->name, what,
				  err_text(job->error));
		bool fails = policy == JOB_IGNORE && k->start == start_stream;
		if (policy == JOB_IGNORE && x->errors && succeeded == fails)
			test_fail(__FILE__, __LINE__, "%s: %s: it %s", k->name, what,
				  fails ? "succeeds without all data" : "does not try again");
		err_free(job_dismiss(job));
	}
	err_free(e);
	bool met = fault.hits;
	fault = (struct fault){ 0 };
	jobs_end(&x->jobs);
	rig_end(x, k, succeeded, what);
	return met;
}

TEST(jobs, end_or_stop_with_the_cause_wherever_a_request_fails)
{
	static const enum job_policy policies[] = { JOB_REPORT, JOB_STOP, JOB_ENOSPC, JOB_IGNORE };
	static const u32 what[] = { FAULT_READ, FAULT_WRITE | FAULT_FLUSH };
	for (const struct kind *k = kinds; k < kinds + LEN(kinds); k++)
		for (unsigned w = 0; w < LEN(what); w++)
			for (unsigned p = 0; p < LEN(policies); p++) {
				struct fault f = { .on = what[w] };
				do {
					f.once = policies[p] != JOB_REPORT || f.left % 2;
					f.error = f.left / 2 % 2 ? ENOSPC : EIO;
				} while (run_with(k, f, policies[p]) && ++f.left);
			}
}
