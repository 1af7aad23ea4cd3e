#include "translate/ir/build.h"

static u64 next_pc(const struct tr *t)
{
	return t->pc + t->len;
}

void tr_jump(struct tr *t, u64 pc)
{
	v_op(t, IR_BR, TY_VOID, t->block_of(t, pc), 0, 0, 0);
}

void tr_branch(struct tr *t, ir_ref cond, u64 taken, u64 next, unsigned hint)
{
	u32 yes = t->block_of(t, taken), no = t->block_of(t, next);
	v_op(t, IR_BRC, TY_VOID, cond, yes, no, hint);
}

void tr_jump_to(struct tr *t, ir_ref addr)
{
	v_op(t, IR_JUMPI, TY_VOID, addr, 0, 0, 0);
}

ir_ref tr_landing(struct tr *t, ir_ref addr, unsigned how)
{
	ir_ref low = v_bin(t, IR_AND, addr, v_const(t, TY_I64, BITS(LANDING_SHIFT)));
	return v_bin(t, IR_XOR, low, v_const(t, TY_I64, landing_mark(how)));
}

void tr_gosub(struct tr *t, u64 pc)
{
	u32 block = t->call ? t->call(t, pc) : NO_BLOCK;
	if (block == NO_BLOCK)
		v_op(t, IR_GOSUB, TY_VOID, 0, t->len, 0, pc);
	else
		v_op(t, IR_BR, TY_VOID, block, 0, 0, 0);
}

void tr_gosub_to(struct tr *t, ir_ref addr)
{
	v_op(t, IR_GOSUBI, TY_VOID, addr, t->len, 0, 0);
}

void tr_return(struct tr *t, ir_ref addr)
{
	u64 pc;
	u32 block = t->back ? t->back(t, &pc) : NO_BLOCK;
	if (block != NO_BLOCK) {
		const struct ir_insn *in = t->ir->insn + addr;
		unsigned slot = in->op == IR_GET ? (unsigned)in->imm : ir_local(t->ir, v_type(t, addr));
		if (in->op != IR_GET)
			v_set(t, slot, addr);
		u32 other = inner_block(t, true);
		v_op(t, IR_BRC, TY_VOID, v_cmp(t, IR_EQ, addr, v_const(t, v_type(t, addr), pc)), block, other, 1);
		ir_block_start(t->ir, other);
		addr = v_get(t, slot);
	}
	v_op(t, IR_RETURN, TY_VOID, addr, 0, 0, 0);
}

void tr_raise(struct tr *t, unsigned event, ir_ref arg, u64 resume)
{
	v_op(t, IR_RAISE, TY_VOID, arg, event, 0, resume);
}

void tr_end(struct tr *t, u64 next)
{
	tr_raise(t, EV_NONE, IR_NONE, next ? next : next_pc(t));
}

ir_ref v_call(struct tr *t, const struct ir_helper *helper, enum ir_type type, const ir_ref *args, unsigned n)
{
	ir_ref arg[6] = { 0 };
	for (unsigned i = 0; i < n; i++) /* no memcpy: args may be NULL when there are none */
		arg[i] = args[i];
	if (n > 3)
		v_op(t, IR_ARGS, TY_VOID, arg[3], arg[4], arg[5], 0);
	return v_op(t, IR_CALL, type, arg[0], arg[1], arg[2], (u64)(uintptr_t)helper);
}
