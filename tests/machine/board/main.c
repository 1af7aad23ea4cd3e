/*
 * rv-bare: runs a bare RISC-V program on the test machine.
 * usage: rv-bare [-interpret] [-one] [-smp N] [-m MiB] [-cpu MODEL[,option...]] [-seconds N] [-stats] [-windows on|off|auto]
 * [-d ITEMS] PROGRAM
 * Status: that of the program; 124 when time is up.
 */
#include "board.h"
#include "base/err.h"
#include "guest/guest.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

GUEST_DECL(riscv64);
GUEST_DECL(riscv32);

struct options {
	bool interpret, one, stats;
	unsigned harts, mib, seconds;
	const char *cpu, *path;
	enum engine_windows windows;
	struct log log; /* to stderr */
};

static void *run_hart(void *arg)
{
	struct cpu *cpu = arg;
	struct board *b = cpu->user;
	for (;;) {
		if (cpu_run_system(cpu) != EV_HALT)
			break;
		pthread_mutex_lock(&b->lock);
		while (!b->ended && !riscv_system_mode.wakes(cpu))
			pthread_cond_wait(&b->changed, &b->lock);
		bool ended = b->ended;
		pthread_mutex_unlock(&b->lock);
		if (ended)
			break;
		cpu_stop(cpu); /* look at the interrupt */
	}
	return NULL;
}

static struct err *find_model(const struct guest *g, const char *spec, const void **ret_model)
{
	const struct guest_model *m = g->models;
	char *copy = str_dup(spec ? spec : m->name), *save = NULL, *name = strtok_r(copy, ",", &save);
	while (m->name && strcmp(m->name, name) != 0)
		m++;
	struct err *e = m->name ? NULL : err_new(ERR_NOT_FOUND, "no CPU model '%s'", name);
	const void *model = m->data;
	for (char *opt; !e && (opt = strtok_r(NULL, ",", &save));) {
		char *eq = strchr(opt, '=');
		void *changed = NULL;
		if (eq)
			*eq++ = 0;
		e = g->model_option(model, opt, eq ? eq : "on", &changed);
		model = changed ? changed : model;
	}
	free(copy);
	*ret_model = model;
	return e;
}

static struct err *start(struct board *b, const struct options *o, struct engine **ret_engine)
{
	bool wide;
	const void *model;
	struct err *e = board_load(b, o->path, &wide);
	if (e)
		return e;
	const struct guest *g = wide ? &guest_riscv64 : &guest_riscv32;
	b->phys = phys_new();
	b->ram_size = o->mib * MiB;
	b->n_harts = o->harts;
	if ((e = find_model(g, o->cpu, &model)) || (e = board_devices(b)) ||
	    (e = board_load(b, o->path, &wide)))
		return e;
	struct engine_config config = { .guest = g,
					.model = model,
					.interpret = o->interpret,
					.one_insn = o->one,
					.stats = o->stats,
					.windows = o->windows,
					.log = o->log.items ? &o->log : NULL,
					.phys = b->phys };
	if ((e = engine_new(&config, ret_engine)))
		return e;
	for (unsigned i = 0; i < b->n_harts; i++) {
		b->hart[i] = engine_cpu_new(*ret_engine);
		b->hart[i]->user = b;
		riscv_start(b->hart[i], i, b->entry, &b->riscv);
		((struct riscv *)b->hart[i])->x[RV_A0] = i;
	}
	return NULL;
}

static void print_stats(struct engine *engine)
{
	struct engine_stat s[32];
	unsigned n = engine_stats(engine, s, LEN(s));
	for (unsigned i = 0; i < n; i++)
		fprintf(stderr, "%s: %llu\n", s[i].name, (unsigned long long)s[i].value);
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	fprintf(stderr, "milliseconds of CPU: %lld\n", (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

static int run(const struct options *o)
{
	struct board b = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct engine *engine = NULL;
	pthread_t thread[MAX_HARTS];
	pthread_condattr_t clock;
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&b.changed, &clock);
	struct err *e = start(&b, o, &engine);
	if (e) {
		fprintf(stderr, "rv-bare: %s\n", err_text(e));
		err_free(e);
		return 2;
	}
	for (unsigned i = 0; i < b.n_harts; i++)
		pthread_create(&thread[i], NULL, run_hart, b.hart[i]);
	board_run(&b, o->seconds);
	for (unsigned i = 0; i < b.n_harts; i++)
		pthread_join(thread[i], NULL);
	fflush(stdout);
	if (o->stats)
		print_stats(engine);
	for (unsigned i = 0; i < b.n_harts; i++)
		engine_cpu_free(b.hart[i]);
	engine_free(engine);
	phys_free(b.phys);
	return b.status;
}

static unsigned number(const char *text, unsigned lo, unsigned hi)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);
	if (*end || v < lo || v > hi) {
		fprintf(stderr, "rv-bare: '%s' is not a number from %u to %u\n", text, lo, hi);
		exit(2);
	}
	return (unsigned)v;
}

static enum engine_windows windows(const char *text)
{
	static const char *const name[] = {
		[WINDOWS_AUTO] = "auto", [WINDOWS_OFF] = "off", [WINDOWS_ON] = "on"
	};
	for (unsigned i = 0; i < LEN(name); i++)
		if (strcmp(text, name[i]) == 0)
			return i;
	fprintf(stderr, "rv-bare: -windows is on, off or auto, not '%s'\n", text);
	exit(2);
}

static u32 items(const char *list)
{
	u32 found = 0;
	struct err *e = log_parse_items(list, &found);
	if (e) {
		fprintf(stderr, "rv-bare: %s\n", err_text(e));
		exit(2);
	}
	return found;
}

int main(int argc, char **argv)
{
	struct options o = { .harts = 1, .mib = 64, .seconds = 60, .log.fd = 2 };
	for (int i = 1; i < argc; i++) {
		bool more = i + 1 < argc;
		if (strcmp(argv[i], "-interpret") == 0)
			o.interpret = true;
		else if (strcmp(argv[i], "-one") == 0)
			o.one = true;
		else if (strcmp(argv[i], "-stats") == 0)
			o.stats = true;
		else if (strcmp(argv[i], "-smp") == 0 && more)
			o.harts = number(argv[++i], 1, MAX_HARTS);
		else if (strcmp(argv[i], "-m") == 0 && more)
			o.mib = number(argv[++i], 1, 2048);
		else if (strcmp(argv[i], "-seconds") == 0 && more)
			o.seconds = number(argv[++i], 1, 100000);
		else if (strcmp(argv[i], "-cpu") == 0 && more)
			o.cpu = argv[++i];
		else if (strcmp(argv[i], "-windows") == 0 && more)
			o.windows = windows(argv[++i]);
		else if (strcmp(argv[i], "-d") == 0 && more)
			o.log.items = items(argv[++i]);
		else if (argv[i][0] != '-' && !o.path)
			o.path = argv[i];
		else
			o.path = NULL, i = argc;
	}
	if (!o.path) {
		fprintf(stderr, "usage: rv-bare [-interpret] [-one] [-smp N] [-m MiB] [-cpu MODEL] [-seconds "
				"N] [-stats] [-windows on|off|auto] [-d ITEMS] PROGRAM\n");
		return 2;
	}
	return run(&o);
}
