/*
 * guest-diff words: every word there is through a front end. Each must give a region, or be undefined; of every N-th the verifier is asked
 * whether it accepts that, and every M-th of those that are defined is compiled, in a region of its own.
 */
#include "diff.h"
#include "base/err.h"
#include "translate/host/host.h"
#include "translate/ir/passes.h"
#include <stdio.h>

enum { CODE_SIZE = 1 << 20, STUBS_MAX = 64 << 10, PC = 0x10000 };

struct words {
	const struct diff_guest *g;
	struct tr t;
	u8 code[8];
	u32 n_exits;
	u64 exit_pc[8];
	u32 exit_block[8];
	u64 defined, undefined, bad, compiled, n_slow;
	u64 slow[IR_OP_COUNT]
		[TY_COUNT]; /* by operation and type or lane: words whose code calls ir_eval for it */
	struct host_stubs stubs;
	struct host_job job;
};

static u32 block_of(struct tr *t, u64 pc)
{
	struct words *w = t->former;
	if (w->n_exits == LEN(w->exit_pc))
		return 0;
	w->exit_pc[w->n_exits] = pc;
	return w->exit_block[w->n_exits++] = ir_block_new(t->ir);
}

static void complain(struct words *w, u32 word, const char *what)
{
	enum { SHOWN = 20 };
	if (w->bad++ < SHOWN)
		printf("%08x: %s\n", word, what);
}

/* The region of one word in w->t.ir; false: it is undefined. */
static bool build(struct words *w, u32 word, bool verify)
{
	struct tr *t = &w->t;
	ir_reset(t->ir);
	t->ir->pc = t->pc = PC;
	t->code = w->code;
	t->avail = sizeof(w->code);
	t->len = 0;
	st_le32(w->code, word);
	w->n_exits = 0;
	w->g->guest->begin(t);
	enum guest_sense sense = w->g->guest->insn(t);
	if (t->len < w->g->guest->insn_min || t->len > w->g->guest->insn_max)
		complain(w, word, "no length");
	if (!ir_block_ended(t->ir))
		tr_jump(t, t->pc + t->len);
	for (u32 i = 0; i < w->n_exits; i++) {
		ir_block_start(t->ir, w->exit_block[i]);
		v_op(t, IR_JUMP, TY_VOID, 0, 0, 0, w->exit_pc[i]);
	}
	struct err *e = verify ? ir_verify(t->ir) : NULL;
	if (e)
		complain(w, word, err_text(e));
	err_free(e);
	return sense == INSN_OK;
}

static void compile(struct words *w, u32 word)
{
	ir_pass_forward(w->t.ir);
	ir_pass_dead(w->t.ir, NULL, NULL);
	w->job.region = w->t.ir;
	host_compile(&w->job);
	w->compiled++;
	if (w->job.unsupported || !w->job.size)
		complain(w, word, w->job.unsupported ? "no host form" : "its code is too long");
	if (w->job.n_slow) {
		w->n_slow++;
		const struct ir_insn *in = &w->t.ir->insn[w->job.last_slow];
		w->slow[in->op][in->lane ? in->lane : in->type]++;
	}
}

static bool prepare(struct words *w)
{
	const struct guest *guest = w->g->guest;
	u8 *out = alloc(CODE_SIZE);
	if (!host_make_stubs(out, out + STUBS_MAX, 0, guest->slots, guest->hot_int, guest->hot_vec,
			     &w->stubs))
		return false;
	w->job = (struct host_job){ .slot = guest->slots,
				    .hot_int = guest->hot_int,
				    .hot_vec = guest->hot_vec,
				    .out = out + STUBS_MAX,
				    .out_end = out + CODE_SIZE,
				    .stubs = &w->stubs,
				    .insn_shift = __builtin_ctz(guest->insn_min) };
	w->t = (struct tr){ .guest = guest,
			    .model = w->g->model(),
			    .ir = ir_new(guest->slots, guest->addr_type),
			    .block_of = block_of,
			    .former = w };
	return true;
}

static void report(const struct words *w)
{
	printf("%llu words: %llu translate, %llu are undefined, %llu went wrong\n",
	       (unsigned long long)(w->defined + w->undefined), (unsigned long long)w->defined,
	       (unsigned long long)w->undefined, (unsigned long long)w->bad);
	printf("%llu compiled, %llu of them with calls:", (unsigned long long)w->compiled,
	       (unsigned long long)w->n_slow);
	for (unsigned op = 0; op < IR_OP_COUNT; op++)
		for (unsigned type = 0; type < TY_COUNT; type++)
			if (w->slow[op][type])
				printf(" %s.%s %llu", ir_op_info[op].name, ir_type_name(type),
				       (unsigned long long)w->slow[op][type]);
	printf("\n");
}

int diff_words(const struct diff_guest *g, u64 first, u64 end, u32 step, u32 verify_every, u32 compile_every)
{
	struct words *w = alloc(sizeof(*w));
	memset(w, 0, sizeof(*w));
	w->g = g;
	if (!prepare(w)) {
		fprintf(stderr, "guest-diff: no back end\n");
		return 2;
	}
	u32 until = compile_every, unverified = 0;
	for (u64 word = first; word < end; word += step) {
		bool verify = ++unverified == verify_every;
		bool defined = build(w, (u32)word, verify);
		unverified = verify ? 0 : unverified;
		w->defined += defined;
		w->undefined += !defined;
		if (defined && compile_every && !--until) {
			until = compile_every;
			compile(w, (u32)word);
		}
	}
	report(w);
	u64 bad = w->bad;
	free(w->job.out - STUBS_MAX);
	free(w->job.site);
	free(w->job.reloc);
	ir_free(w->t.ir);
	free(w);
	return bad != 0;
}
