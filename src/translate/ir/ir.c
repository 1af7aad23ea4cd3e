/* Building regions: ir_new to ir_local, and what is known of types, conditions and operations. */
#include "translate/ir/passes.h"

/* clang-format off */
const struct ir_op_info ir_op_info[IR_OP_COUNT] = {
#define BIT_OF(flags, letter, bit) (__builtin_strchr(flags, letter) != 0 ? bit : 0)
#define BITS_OF(f) (BIT_OF(f, 'P', IR_F_PURE) | BIT_OF(f, 'M', IR_F_MEM) | BIT_OF(f, 'W', IR_F_WRITE) | BIT_OF(f, 'E', IR_F_END) | \
		    BIT_OF(f, 'X', IR_F_EXIT) | BIT_OF(f, 'S', IR_F_SLOT) | BIT_OF(f, 'F', IR_F_FLOAT))
#define VALUES_OF(o) (((o)[0] == 'v') | ((o)[1] == 'v') << 1 | ((o)[2] == 'v') << 2)
	[IR_NOP] = { "nop", "---", "P", '-', IR_F_PURE, 0 },
#define _(NAME, ops, res, flag) [IR_##NAME] = { #NAME, ops, flag, res, BITS_OF(flag), VALUES_OF(ops) },
	IR_OPS(_)
#undef _
};

const u16 ir_type_sizes[TY_COUNT] = {
	[TY_I1] = 1, [TY_I8] = 1, [TY_I16] = 2, [TY_I32] = 4, [TY_I64] = 8, [TY_I128] = 16,
	[TY_F16] = 2, [TY_F32] = 4, [TY_F64] = 8, [TY_F80] = 10, [TY_F128] = 16, [TY_BF16] = 2,
	[TY_V128] = 16, [TY_V256] = 32, [TY_V512] = 64, [TY_V1024] = 128, [TY_V2048] = 256, [TY_FLAGS] = 4,
};

static const char *const type_names[TY_COUNT] = {
	[TY_VOID] = "void", [TY_I1] = "i1", [TY_I8] = "i8", [TY_I16] = "i16", [TY_I32] = "i32", [TY_I64] = "i64", [TY_I128] = "i128",
	[TY_F16] = "f16", [TY_F32] = "f32", [TY_F64] = "f64", [TY_F80] = "f80", [TY_F128] = "f128", [TY_BF16] = "bf16",
	[TY_V128] = "v128", [TY_V256] = "v256", [TY_V512] = "v512", [TY_V1024] = "v1024", [TY_V2048] = "v2048", [TY_FLAGS] = "flags",
};

/* clang-format on */

const char *ir_type_name(enum ir_type type)
{
	return type < TY_COUNT ? type_names[type] : "?";
}

enum ir_cc ir_cc_not(enum ir_cc cc)
{
	return cc < CC_AL ? cc ^ 1 : ((cc - CC_A) ^ 1) + CC_A; /* pairs stand side by side */
}

struct ir_region *ir_new(const struct ir_slot *slot, enum ir_type addr_type)
{
	struct ir_region *r = alloc(sizeof(*r));
	r->slot = slot;
	r->addr_type = addr_type;
	while (slot && slot[r->n_slot].name)
		r->n_slot++;
	r->flag_slots = alloc((r->n_slot / 64u + 1) * sizeof(u64));
	for (u32 s = 0; s < r->n_slot; s++)
		if (slot[s].type == TY_FLAGS)
			r->flag_slots[s / 64] |= BIT(s % 64);
	ir_reset(r);
	return r;
}

void ir_reset(struct ir_region *r)
{
	r->insn = grow(r->insn, &r->insn_cap, 256, sizeof(*r->insn));
	r->block = grow(r->block, &r->block_cap, 16, sizeof(*r->block));
	r->insn[0] = (struct ir_insn){ 0 };
	r->block[0] = (struct ir_block){ .first = 1 };
	r->n_insn = r->n_block = 1;
	r->n_consts = r->n_args = 0;
	r->n_local = 0;
	r->cur = 0;
	r->ended = r->quick = r->loops_marked = false;
	r->fp = (struct fp_ctl){ 0 };
	r->pc = r->key = r->end_pc = 0;
}

void ir_free(struct ir_region *r)
{
	if (!r)
		return;
	free(r->insn);
	free(r->block);
	free(r->consts);
	free(r->args);
	free(r->local);
	free(r->flag_slots);
	free(r->scratch);
	free(r);
}

void ir_more_room(struct ir_region *r)
{
	r->insn = grow(r->insn, &r->insn_cap, r->n_insn + 1, sizeof(*r->insn));
}

u32 ir_block_new(struct ir_region *r)
{
	u32 n = r->n_block++;
	r->block = grow(r->block, &r->block_cap, r->n_block, sizeof(*r->block));
	r->block[n] = (struct ir_block){ 0 };
	return n;
}

void ir_block_start(struct ir_region *r, u32 block)
{
	r->cur = block;
	r->ended = false;
	r->block[block].first = r->n_insn;
	r->block[block].count = 0;
}

bool ir_block_ended(const struct ir_region *r)
{
	return r->ended;
}

u32 ir_const128(struct ir_region *r, const u8 bytes[16])
{
	for (u32 i = 0; i < r->n_consts; i++)
		if (!memcmp(r->consts[i], bytes, 16))
			return i;
	r->consts = grow(r->consts, &r->consts_cap, r->n_consts + 1, sizeof(*r->consts));
	memcpy(r->consts[r->n_consts], bytes, 16);
	return r->n_consts++;
}

u32 ir_constv(struct ir_region *r, const u8 *bytes, unsigned size)
{
	unsigned n = size / 16;
	for (u32 i = 0; i + n <= r->n_consts; i++)
		if (!memcmp(r->consts[i], bytes, size))
			return i;
	r->consts = grow(r->consts, &r->consts_cap, r->n_consts + n, sizeof(*r->consts));
	memcpy(r->consts[r->n_consts], bytes, size);
	r->n_consts += n;
	return r->n_consts - n;
}

u32 ir_args(struct ir_region *r, const ir_ref *args, unsigned n)
{
	r->args = grow(r->args, &r->args_cap, r->n_args + n, sizeof(*r->args));
	memcpy(r->args + r->n_args, args, n * sizeof(*args));
	r->n_args += n;
	return r->n_args - n;
}

u32 ir_local(struct ir_region *r, enum ir_type type)
{
	r->local = grow(r->local, &r->local_cap, r->n_local + 1u, sizeof(*r->local));
	r->local[r->n_local] = type;
	return IR_LOCAL + r->n_local++;
}

void ir_mark_loops(struct ir_region *r)
{
	enum { OPEN = 1, DONE };
	/* depth first: what leads to a block that is still open leads back */
	struct {
		u32 block, next;
	} *path = ir_scratch(r, r->n_block * (sizeof(*path) + 1));
	u8 *state = (u8 *)(path + r->n_block);
	u32 n = 0, to[2];
	memset(state, 0, r->n_block);
	path[n].block = 0;
	path[n++].next = 0;
	state[0] = OPEN;
	while (n) {
		u32 b = path[n - 1].block;
		if (path[n - 1].next >= ir_successors(r, b, to)) {
			state[b] = DONE;
			n--;
			continue;
		}
		u32 way = to[path[n - 1].next++];
		r->block[way].head |= state[way] == OPEN;
		if (state[way])
			continue;
		state[way] = OPEN;
		path[n].block = way;
		path[n++].next = 0;
	}
	r->loops_marked = true;
}

enum ir_type ir_type_of(const struct ir_region *r, ir_ref v)
{
	return r->insn[v].type;
}
