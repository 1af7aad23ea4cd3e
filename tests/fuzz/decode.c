/*
 * Fuzz target of front ends, passes and back end: the input is code, which becomes one region that must be well-formed, and its machine
 * code. What either does is the differential tests' business.
 *
 * Input  byte 0: the guest; 1 to 4: the mode's bits (arm64: FPCR's); then code.
 */
#include "base/err.h"
#include "guest/guest.h"
#include "translate/host/host.h"
#include "translate/ir/passes.h"
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

GUEST_DECL(aarch64);
GUEST_DECL(riscv64);
GUEST_DECL(riscv32);

enum { CODE_SIZE = 1 << 20, STUBS_MAX = 64 << 10, PC = 0x10000, MAX_INSNS = 64 };

struct world {
	const struct guest *guest;
	struct tr t;
	struct host_stubs stubs;
	struct host_job job;
	struct {
		u64 pc;
		u32 block;
	} exit[4 * MAX_INSNS];
	u32 n_exits;
};

static u32 block_of(struct tr *t, u64 pc)
{
	struct world *w = t->former;
	for (u32 i = 0; i < w->n_exits; i++)
		if (w->exit[i].pc == pc)
			return w->exit[i].block;
	w->exit[w->n_exits].pc = pc;
	return w->exit[w->n_exits++].block = ir_block_new(t->ir);
}

static struct world *world_new(const struct guest *guest)
{
	struct world *w = calloc(1, sizeof(*w));
	u8 *out = malloc(CODE_SIZE);
	w->guest = guest;
	w->t = (struct tr){ .guest = guest,
			    .model = guest->models[0].data,
			    .ir = ir_new(guest->slots, guest->addr_type),
			    .block_of = block_of,
			    .former = w };
	if (!host_make_stubs(out, out + STUBS_MAX, 0, guest->slots, guest->hot_int, guest->hot_vec,
			     &w->stubs))
		abort();
	w->job = (struct host_job){ .slot = guest->slots,
				    .hot_int = guest->hot_int,
				    .hot_vec = guest->hot_vec,
				    .out = out + STUBS_MAX,
				    .out_end = out + CODE_SIZE,
				    .stubs = &w->stubs,
				    .insn_shift = __builtin_ctz(guest->insn_min) };
	return w;
}

static void must(struct world *w, const char *when)
{
	struct err *e = ir_verify(w->t.ir);
	if (!e)
		return;
	char *text = ir_print(w->t.ir);
	fprintf(stderr, "%s: %s\n%s", when, err_text(e), text);
	abort();
}

/* Straight on until a block ends, then exits for where it may go. */
static void form(struct world *w, const u8 *code, size_t len, u64 key)
{
	struct tr *t = &w->t;
	ir_reset(t->ir);
	t->ir->pc = t->pc = PC;
	t->ir->key = t->key = key;
	w->n_exits = 0;
	w->guest->begin(t);
	for (unsigned n = 0; n < MAX_INSNS && !ir_block_ended(t->ir); n++) {
		t->code = code;
		t->avail = (u32)MIN(len, 4096u);
		t->len = 0;
		w->guest->insn(t);
		if (!t->len && !ir_block_ended(t->ir))
			abort();
		t->pc += t->len;
		code += MIN(t->len, len);
		len -= MIN(t->len, len);
	}
	if (!ir_block_ended(t->ir))
		tr_jump(t, t->pc);
	for (u32 i = 0; i < w->n_exits; i++) {
		ir_block_start(t->ir, w->exit[i].block);
		v_op(t, IR_JUMP, TY_VOID, 0, 0, 0, w->exit[i].pc);
	}
	t->ir->end_pc = t->pc;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	static struct world *world[3];
	if (!world[0]) {
		world[0] = world_new(&guest_aarch64);
		world[1] = world_new(&guest_riscv64);
		world[2] = world_new(&guest_riscv32);
	}
	if (len < 6)
		return 0;
	struct world *w = world[data[0] % LEN(world)];
	u8 *code = malloc(len - 5); /* of its exact size: what is read behind it is noticed */
	memcpy(code, data + 5, len - 5);
	form(w, code, len - 5, w->guest == &guest_aarch64 ? ld_le32(data + 1) : 0);
	must(w, "the front end's");
	ir_pass_forward(w->t.ir);
	ir_pass_dead(w->t.ir, NULL, NULL);
	must(w, "after the passes");
	w->job.region = w->t.ir;
	host_compile(&w->job);
	free(code);
	return 0;
}
