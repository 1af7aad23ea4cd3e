/*
 * guest-diff: developer's tool and part of `make test`.
 *
 *   guest-diff text GUEST [PC]              assembly text of the hexadecimal words on standard input, a line each
 *   guest-diff patterns GUEST               the pattern table
 *   guest-diff words GUEST [options]        every word there is through the front end, and the verifier
 *     --first N --end N --step N     those words alone (0, 2^32, 1)
 *     --verify N    the verifier looks at every N-th (1; 0: none)
 *     --compile N   every N-th of those that are defined through the back end, too; says which operations became calls
 *   guest-diff run GUEST [options] -- PEER PROGRAM...   random instructions against another implementation
 *     --count N     tests a pattern (50)      --seed N
 *     --only NAME   this group or pattern     --all      every mismatch, not one a pattern
 *     --untested    names what no test was made for
 *     --set zva=7   AArch64: the other side's DC ZVA block, as in DCZID_EL0
 *     --set no-lse2=1   AArch64: the other side has no FEAT_LSE2
 *     --set after-rounding=1   AArch64: the other side is generated code, which asks after rounding whether a number is tiny
 */
#include "diff.h"
#include "base/err.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct diff_guest *const diff_guests[] = { &diff_aarch64, &diff_riscv64, &diff_riscv32, NULL };

static const char *options[8]; /* NAME=N */
static unsigned n_options;

u64 diff_option(const char *name)
{
	size_t len = strlen(name);
	for (unsigned i = 0; i < n_options; i++)
		if (strncmp(options[i], name, len) == 0 && options[i][len] == '=')
			return strtoull(options[i] + len + 1, NULL, 0);
	return 0;
}

/* ---- random numbers and fields ---- */
u64 rnd_value(struct rng *r)
{
	static const u64 edge[] = { 0,
				    1,
				    2,
				    0x7f,
				    0x80,
				    0xff,
				    0x7fff,
				    0x8000,
				    0xffff,
				    0x7fffffff,
				    0x80000000,
				    0xffffffff,
				    0x100000000,
				    0x7fffffffffffffff,
				    0x8000000000000000,
				    ~0ull,
				    ~1ull,
				    0xffffffff80000000,
				    0xffffffff00000000 };
	u64 v = rnd(r);
	switch (below(r, 6)) {
	case 0:
		return edge[below(r, LEN(edge))];
	case 1:
		return v >> below(r, 64);
	case 2:
		return (u64)((i64)v >> below(r, 64));
	case 3:
		return v & rnd(r) & rnd(r);
	default:
		return v;
	}
}

bool field_has(const struct insn_pattern *p, const char *name)
{
	for (unsigned i = 0; i < p->n_fields; i++)
		if (strcmp(p->fields[i].name, name) == 0)
			return true;
	return false;
}

u32 field_get(const struct insn_pattern *p, const char *name, u32 word)
{
	u32 v = 0;
	for (unsigned i = 0; i < p->n_fields; i++) {
		const struct insn_field *f = &p->fields[i];
		if (strcmp(f->name, name) == 0)
			v |= (u32)((word >> f->lo & BITS(f->width)) << f->at);
	}
	return v;
}

u32 field_set(const struct insn_pattern *p, const char *name, u32 word, u32 value)
{
	for (unsigned i = 0; i < p->n_fields; i++) {
		const struct insn_field *f = &p->fields[i];
		u32 bits = (u32)(BITS(f->width) << f->lo) & ~p->mask;
		if (strcmp(f->name, name) == 0)
			word = (word & ~bits) | ((value >> f->at << f->lo) & bits);
	}
	return word;
}

/* ---- our side ---- */
struct ours {
	const struct diff_guest *g;
	const void *model;
	struct cpu *cpu;
	struct ir_region *ir;
	struct {
		u32 block;
		u64 pc;
	} exit[8];
	unsigned n_exits;
	u64 pattern[DIFF_DATA_SIZE / 8],
	    untouched; /* the scratch memory at the start of a test, and its hash */
};
static struct cpu *running; /* for the signal handler */

static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	if (!running || !cpu_is_access((uintptr_t)uc->uc_mcontext.gregs[REG_RIP])) {
		signal(sig, SIG_DFL);
		return;
	}
	running->fault_addr = (u64)(uintptr_t)info->si_addr;
	cpu_raise(running, EV_MEMORY, 0);
}

static u32 block_of(struct tr *t, u64 pc)
{
	struct ours *o = t->former;
	u32 b = ir_block_new(t->ir);
	o->exit[o->n_exits].block = b;
	o->exit[o->n_exits++].pc = pc;
	return b;
}

static void translate(struct ours *o, u64 pc, const u8 *code)
{
	ir_reset(o->ir);
	struct tr t = { .ir = o->ir,
			.guest = o->g->guest,
			.model = o->model,
			.key = o->cpu->key,
			.pc = pc,
			.code = code,
			.avail = 8,
			.block_of = block_of,
			.former = o };
	o->n_exits = 0;
	o->ir->pc = pc;
	o->ir->key = o->cpu->key;
	o->g->guest->begin(&t);
	o->g->guest->insn(&t);
	if (!ir_block_ended(o->ir))
		tr_jump(&t, pc + t.len);
	for (unsigned i = 0; i < o->n_exits; i++) {
		ir_block_start(o->ir, o->exit[i].block);
		v_op(&t, IR_JUMP, TY_VOID, 0, 0, 0, o->exit[i].pc);
	}
	struct err *e = ir_verify(o->ir);
	if (e) {
		char *text = ir_print(o->ir);
		fprintf(stderr, "guest-diff: bad IR of 0x%08x: %s\n%s", ld_le32(code), err_text(e), text);
		exit(1);
	}
}

static void run_ours(struct ours *o, const struct diff_test *test, unsigned slot, struct diff_result *res)
{
	u64 start = DIFF_CODE + (u64)slot * DIFF_SLOT + DIFF_MIDDLE;
	memset(res, 0, sizeof(*res));
	o->g->load(o->cpu, &test->in);
	o->cpu->pc = start;
	o->cpu->excl_addr = ~0ull;
	res->signal = SIGTRAP;
	for (unsigned step = 0; step < 16; step++) {
		u64 at = o->cpu->pc - start;
		if (at >= 4 * (u64)test->n_words || (at % 4 == 0 && test->word[at / 4] == o->g->trap))
			break;
		translate(o, o->cpu->pc, (const u8 *)(uintptr_t)o->cpu->pc);
		running = o->cpu;
		enum ir_event ev = ir_run(o->ir, o->cpu);
		running = NULL;
		if (ev == EV_NONE || ev == EV_YIELD)
			continue;
		res->signal = ev == EV_UNDEFINED		  ? SIGILL
			      : ev == EV_MEMORY || ev == EV_FETCH ? SIGSEGV
			      : ev == EV_ALIGN			  ? SIGBUS
								  : SIGTRAP;
		res->fault_addr = o->cpu->fault_addr;
		break;
	}
	res->pc = o->cpu->pc;
	o->g->save(o->cpu, &res->out);
	res->memory = diff_take((u64 *)DIFF_DATA, o->pattern, o->untouched);
}

/* ---- the other side ---- */
struct peer {
	int to, from;
	pid_t pid;
};

static void start_peer(struct peer *p, char **argv)
{
	int in[2], out[2];
	if (pipe(in) || pipe(out)) {
		perror("guest-diff: pipe");
		exit(2);
	}
	p->pid = fork();
	if (p->pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[0]);
		close(in[1]);
		close(out[0]);
		close(out[1]);
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	p->to = in[1];
	p->from = out[0];
}

static void whole(int fd, void *buf, size_t len, bool out)
{
	for (u8 *p = buf; len;) {
		ssize_t n = out ? write(fd, p, len) : read(fd, p, len);
		if (n <= 0) {
			fprintf(stderr, "guest-diff: the other side ended\n");
			exit(2);
		}
		p += n;
		len -= (size_t)n;
	}
}

/* ---- comparison ---- */
struct count {
	u64 tests, bad, excused, no_test;
};

static const char *text_of(const struct diff_guest *g, u32 word, u64 pc, char *buf, size_t size)
{
	u8 code[4];
	u32 len;
	st_le32(code, word);
	return g->guest->text(code, 4, pc, 0, buf, size, &len);
}

static void show(struct ours *o, const struct insn_pattern *p, const struct diff_test *test, unsigned slot,
		 const struct diff_result *got, const struct diff_result *want)
{
	char buf[128];
	u64 pc = DIFF_CODE + (u64)slot * DIFF_SLOT + DIFF_MIDDLE;
	printf("%s:", p->name);
	for (unsigned i = 0; i < test->n_words; i++)
		printf(" %08x %s;", test->word[i],
		       text_of(o->g, test->word[i], pc + 4 * i, buf, sizeof(buf)));
	printf("\n");
	if (got->signal != want->signal)
		printf("  signal %llu, not %llu\n", (unsigned long long)got->signal,
		       (unsigned long long)want->signal);
	if (got->pc != want->pc)
		printf("  pc %llx, not %llx\n", (unsigned long long)got->pc, (unsigned long long)want->pc);
	if (got->memory != want->memory)
		printf("  memory differs\n");
	for (unsigned i = 0; i < DIFF_REGS; i++) {
		char name[16];
		if (!o->g->reg_name(i, name))
			continue;
		u64 a = got->out.r[i], b = want->out.r[i];
		if (a != b)
			printf("  %-5s %016llx, not %016llx\n", name, (unsigned long long)a,
			       (unsigned long long)b);
	}
	printf("  given:");
	for (unsigned i = 0; i < DIFF_REGS; i++) {
		char name[16];
		if (o->g->reg_name(i, name))
			printf(" %s=%llx", name, (unsigned long long)test->in.r[i]);
	}
	printf("\n");
}

static bool same(struct ours *o, struct diff_result *got, struct diff_result *want)
{
	o->g->mask(&got->out);
	o->g->mask(&want->out);
	if (memcmp(&got->out, &want->out, sizeof(got->out)) || got->pc != want->pc ||
	    got->signal != want->signal)
		return false;
	return got->signal == SIGSEGV ||
	       got->memory == want->memory; /* half a store may be done when the rest faults */
}

static void flush(struct ours *o, struct peer *peer, struct diff_batch *b, const struct insn_pattern **of,
		  struct count *counts[], bool all)
{
	static struct diff_result want[DIFF_SLOTS];
	if (!b->count)
		return;
	whole(peer->to, b, sizeof(*b), true);
	diff_fill(o->pattern, b->seed);
	o->untouched = diff_hash(o->pattern);
	memcpy((void *)DIFF_DATA, o->pattern, DIFF_DATA_SIZE);
	static struct diff_result got[DIFF_SLOTS];
	u8 *code = (u8 *)DIFF_CODE;
	for (unsigned i = 0; i < b->count; i++)
		for (unsigned j = 0; j < DIFF_WORDS; j++)
			st_le32(code + i * DIFF_SLOT + DIFF_MIDDLE + 4 * j,
				j < b->test[i].n_words ? b->test[i].word[j] : o->g->trap);
	for (unsigned i = 0; i < b->count; i++)
		run_ours(o, &b->test[i], i, &got[i]);
	whole(peer->from, want, sizeof(want[0]) * b->count, false);
	for (unsigned i = 0; i < b->count; i++) {
		counts[i]->tests++;
		if (same(o, &got[i], &want[i]))
			continue;
		if (o->g->excuse(of[i], &b->test[i], &got[i], &want[i])) {
			counts[i]->excused++;
			continue;
		}
		if (!counts[i]->bad++ || all)
			show(o, of[i], &b->test[i], i, &got[i], &want[i]);
	}
	b->count = 0;
	b->seed++;
}

static void map_at(u64 addr, size_t size)
{
	if (mmap((void *)addr, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED) {
		perror("guest-diff: mmap");
		exit(2);
	}
}

static int run(const struct diff_guest *g, unsigned count, u64 seed, const char *only, bool all, bool list,
	       char **peer_argv)
{
	struct ours o = { .g = g, .model = g->model(), .ir = ir_new(g->guest->slots, g->guest->addr_type) };
	static struct diff_batch batch;
	const struct insn_pattern *of[DIFF_SLOTS];
	struct count *counts[DIFF_SLOTS], total = { 0 };
	struct rng r = { seed };
	struct peer peer;
	o.cpu = aligned_alloc(64, ROUND_UP(g->guest->state_size, 64));
	memset(o.cpu, 0, g->guest->state_size);
	o.cpu->guest = g->guest;
	o.cpu->mem_mask = ~0ull;
	g->guest->reset(o.cpu, o.model);
	map_at(DIFF_DATA, DIFF_DATA_SIZE);
	map_at(DIFF_CODE, DIFF_SLOTS * DIFF_SLOT);
	for (unsigned i = 0; i < DIFF_SLOTS * DIFF_SLOT / 4; i++)
		st_le32((u8 *)DIFF_CODE + 4 * i, g->trap);
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	start_peer(&peer, peer_argv);
	unsigned n_patterns = 0, n_tested = 0, n_bad = 0;
	for (const struct insn_group *const *gp = g->groups; *gp; gp++) {
		struct count *c = alloc((*gp)->n * sizeof(*c));
		for (u32 i = 0; i < (*gp)->n; i++) {
			const struct insn_pattern *p = &(*gp)->patterns[i];
			if (only && strcmp(only, p->name) != 0 && strcmp(only, (*gp)->name) != 0)
				continue;
			n_patterns++;
			/* hundreds of words were tried for one that was not found: there are none when that happens twice */
			for (unsigned j = 0; j < count && (c[i].no_test < 2 || j > c[i].no_test); j++) {
				struct diff_test *test = &batch.test[batch.count];
				memset(test, 0, sizeof(*test));
				if (!g->make(*gp, p, o.model, &r, test)) {
					c[i].no_test++;
					continue;
				}
				of[batch.count] = p;
				counts[batch.count++] = &c[i];
				if (batch.count == DIFF_SLOTS)
					flush(&o, &peer, &batch, of, counts, all);
			}
		}
		flush(&o, &peer, &batch, of, counts, all);
		u64 bad = 0, tests = 0;
		for (u32 i = 0; i < (*gp)->n; i++) {
			bad += c[i].bad;
			tests += c[i].tests;
			n_tested += c[i].tests != 0;
			n_bad += c[i].bad != 0;
			total.excused += c[i].excused;
			if (list && !c[i].tests && c[i].no_test)
				printf("not tested: %s\n", (*gp)->patterns[i].name);
		}
		total.tests += tests;
		total.bad += bad;
		if (tests)
			printf("%s: %llu tests, %llu differ\n", (*gp)->name, (unsigned long long)tests,
			       (unsigned long long)bad);
		free(c);
	}
	printf("%u of %u patterns tested, %u differ: %llu of %llu tests; %llu excused\n", n_tested,
	       n_patterns, n_bad, (unsigned long long)total.bad, (unsigned long long)total.tests,
	       (unsigned long long)total.excused);
	close(peer.to);
	waitpid(peer.pid, NULL, 0);
	ir_free(o.ir);
	free(o.cpu);
	return total.bad || !total.tests;
}

static int print_text(const struct diff_guest *g, u64 pc)
{
	char line[256], buf[128];
	while (fgets(line, sizeof(line), stdin)) {
		char *rest;
		u32 word = (u32)strtoul(line, &rest, 16);
		u64 at = *rest == ' ' ? strtoull(rest, NULL, 16) : pc;
		puts(text_of(g, word, at, buf, sizeof(buf)));
	}
	return 0;
}

static int print_patterns(const struct diff_guest *g)
{
	for (const struct insn_group *const *gp = g->groups; *gp; gp++)
		for (u32 i = 0; i < (*gp)->n; i++)
			printf("%s %s %08x %08x %d\n", (*gp)->name, (*gp)->patterns[i].name,
			       (*gp)->patterns[i].mask, (*gp)->patterns[i].value, (*gp)->patterns[i].feature);
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "guest-diff text GUEST [PC] | patterns GUEST | words GUEST [options] | run GUEST "
			"[--count N] [--seed N] "
			"[--only NAME] [--all] -- PEER PROGRAM\n");
	return 2;
}

static int words(const struct diff_guest *g, int argc, char **argv)
{
	u64 first = 0, end = BIT(32), step = 1, verify = 1, compile = 0;
	const struct {
		const char *name;
		u64 *value;
	} option[] = { { "--first", &first },
		       { "--end", &end },
		       { "--step", &step },
		       { "--verify", &verify },
		       { "--compile", &compile } };
	for (int i = 0; i < argc; i += 2) {
		u64 *value = NULL;
		for (unsigned n = 0; n < LEN(option); n++)
			if (strcmp(argv[i], option[n].name) == 0)
				value = option[n].value;
		if (!value || i + 1 == argc)
			return usage();
		*value = strtoull(argv[i + 1], NULL, 0);
	}
	return diff_words(g, first, end, (u32)MAX(step, 1ull), (u32)verify, (u32)compile);
}

int main(int argc, char **argv)
{
	const struct diff_guest *g = NULL;
	for (const struct diff_guest *const *p = diff_guests; *p && argc > 2; p++)
		if (strcmp((*p)->name, argv[2]) == 0)
			g = *p;
	if (!g)
		return usage();
	if (strcmp(argv[1], "text") == 0)
		return print_text(g, argc > 3 ? strtoull(argv[3], NULL, 0) : 0);
	if (strcmp(argv[1], "patterns") == 0)
		return print_patterns(g);
	if (strcmp(argv[1], "words") == 0)
		return words(g, argc - 3, argv + 3);
	if (strcmp(argv[1], "run") != 0)
		return usage();
	unsigned count = 50;
	u64 seed = 1;
	const char *only = NULL;
	bool all = false, list = false;
	int i = 3;
	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--all") == 0)
			all = true;
		else if (strcmp(argv[i], "--untested") == 0)
			list = true;
		else if (i + 1 < argc && strcmp(argv[i], "--count") == 0)
			count = (unsigned)strtoul(argv[++i], NULL, 0);
		else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[++i], NULL, 0);
		else if (i + 1 < argc && strcmp(argv[i], "--set") == 0 && n_options < LEN(options))
			options[n_options++] = argv[++i];
		else if (i + 1 < argc && strcmp(argv[i], "--only") == 0)
			only = argv[++i];
		else
			return usage();
	}
	if (i + 1 >= argc)
		return usage();
	return run(g, count, seed, only, all, list, argv + i + 1);
}
