/*
 * What front ends write instructions with: one translation in progress, and short names for making values.
 *
 * Values never cross guest instructions: what one instruction leaves for the next goes through slots (optimiser passes forward it),
 * so that the region former may cut a block before any instruction. Inside one instruction a front end may make blocks of its own.
 */
#pragma once
#include "translate/ir/cpu.h"

struct guest;

struct tr {
	struct ir_region *ir;
	const struct guest *guest;
	const void *model; /* the guest's CPU model: which instructions exist */
	u64 key; /* the mode */
	u8 tag_bits; /* set by the front end: upper bits of addresses that are taken off before an access */
	u64 pc; /* the instruction being translated */
	const u8 *code; /* its bytes */
	u32 avail; /* how many of them may be read */
	u32 len; /* set by the front end: how long it is */
	u32 together; /* set by the front end: so many instructions behind it are translated better in the same region, for which that may be a little longer */
	bool guarded; /* the code lies in memory in which landings of indirect jumps are checked */
	/* The region former's: the block in which the guest code at pc goes on, inside this region or leaving it. */
	u32 (*block_of)(struct tr *t, u64 pc);
	/*
	 * The region former's, for functions that are taken in where they are called; NULL: none is. The block in which a call of pc goes on, and in such a
	 * function the one in which it returns, with the address that the return then has. NO_BLOCK: elsewhere.
	 */
	u32 (*call)(struct tr *t, u64 pc);
	u32 (*back)(struct tr *t, u64 *ret_pc);
	void *former;
};
enum { NO_BLOCK = 0xffffffff };

/* ---- the end of an instruction that changes control ---- */
/* Go on at pc. */
void tr_jump(struct tr *t, u64 pc);
/* To taken if cond, else to next. hint: 0 unknown, 1 taken is likely, 2 next is likely. */
void tr_branch(struct tr *t, ir_ref cond, u64 taken, u64 next, unsigned hint);
void tr_jump_to(struct tr *t, ir_ref addr); /* indirect */
/*
 * For guests with landing checks, where the key says that they are on: the address for tr_jump_to and tr_gosub_to that also says which kind
 * of jump it is (1 to 3, for guest->lands). The top byte of the address does not count then.
 */
ir_ref tr_landing(struct tr *t, ir_ref addr, unsigned how);
void tr_gosub(struct tr *t, u64 pc); /* call; the return address is behind this instruction */
void tr_gosub_to(struct tr *t, ir_ref addr);
void tr_return(struct tr *t, ir_ref addr);
/* Leaves with an event; control comes back at resume. */
void tr_raise(struct tr *t, unsigned event, ir_ref arg, u64 resume);
/* Ends the region here, without an event: what follows is translated anew (mode changes, ISB). */
void tr_end(struct tr *t, u64 next);

/* A new block inside the instruction being translated; what passes between such blocks goes through slots. */
static inline u32 inner_block(struct tr *t, bool cold)
{
	u32 b = ir_block_new(t->ir);
	t->ir->block[b].pc = t->pc;
	t->ir->block[b].cold = cold;
	return b;
}

/* ---- values; v_ for "value" ---- */
static inline ir_ref v_op(struct tr *t, enum ir_op op, enum ir_type type, ir_ref a, ir_ref b, ir_ref c, u64 imm)
{
	return ir_emit_parts(t->ir, op, type, TY_VOID, a, b, c, imm);
}
static inline ir_ref v_lanes(struct tr *t, enum ir_op op, enum ir_type lane, ir_ref a, ir_ref b, ir_ref c, u64 imm)
{
	return ir_emit_parts(t->ir, op, TY_V128, lane, a, b, c, imm);
}
static inline ir_ref v_const(struct tr *t, enum ir_type type, u64 value)
{
	return v_op(t, IR_CONST, type, 0, 0, 0, value);
}
static inline ir_ref v_const128(struct tr *t, const u8 bytes[16])
{
	return v_op(t, IR_VCONST, TY_V128, 0, 0, 0, ir_const128(t->ir, bytes));
}
/* Leaves room for an instruction in front of the next: a logical operation whose operands may turn out to be extended words (passes/forward.c). */
enum { IR_ROOM = 1 };
static inline void v_room(struct tr *t)
{
	v_op(t, IR_NOP, TY_VOID, 0, 0, 0, IR_ROOM);
}

static inline ir_ref v_get(struct tr *t, unsigned slot)
{
	return v_op(t, IR_GET, slot >= IR_LOCAL ? t->ir->local[slot - IR_LOCAL] : t->ir->slot[slot].type, 0, 0, 0, slot);
}
static inline void v_set(struct tr *t, unsigned slot, ir_ref v)
{
	v_op(t, IR_SET, TY_VOID, v, 0, 0, slot);
}
static inline enum ir_type v_type(struct tr *t, ir_ref v)
{
	return t->ir->insn[v].type;
}
/* Two operands, the result of a's type (comparisons: see v_cmp). */
static inline ir_ref v_bin(struct tr *t, enum ir_op op, ir_ref a, ir_ref b)
{
	return v_op(t, op, v_type(t, a), a, b, 0, 0);
}
static inline ir_ref v_un(struct tr *t, enum ir_op op, ir_ref a)
{
	return v_op(t, op, v_type(t, a), a, 0, 0, 0);
}
static inline ir_ref v_cmp(struct tr *t, enum ir_op op, ir_ref a, ir_ref b) /* EQ NE LTU LTS LEU LES, FEQ FLT FLE FUNORD */
{
	return v_op(t, op, TY_I1, a, b, 0, 0);
}
static inline ir_ref v_select(struct tr *t, ir_ref cond, ir_ref yes, ir_ref no)
{
	return v_op(t, IR_SELECT, v_type(t, yes), cond, yes, no, 0);
}
/* To another width; nothing when it has it already. */
static inline ir_ref v_zext(struct tr *t, enum ir_type type, ir_ref a)
{
	return v_type(t, a) == type ? a : v_op(t, IR_ZEXT, type, a, 0, 0, 0);
}
static inline ir_ref v_sext(struct tr *t, enum ir_type type, ir_ref a)
{
	return v_type(t, a) == type ? a : v_op(t, IR_SEXT, type, a, 0, 0, 0);
}
static inline ir_ref v_trunc(struct tr *t, enum ir_type type, ir_ref a)
{
	return v_type(t, a) == type ? a : v_op(t, IR_TRUNC, type, a, 0, 0, 0);
}
static inline ir_ref v_cast(struct tr *t, enum ir_type type, ir_ref a)
{
	return v_type(t, a) == type ? a : v_op(t, IR_CAST, type, a, 0, 0, 0);
}
static inline ir_ref v_addi(struct tr *t, ir_ref a, i64 n)
{
	return n ? v_bin(t, IR_ADD, a, v_const(t, v_type(t, a), (u64)n)) : a;
}
static inline ir_ref v_cond(struct tr *t, ir_ref flags, enum ir_cc cc)
{
	return v_op(t, IR_COND, TY_I1, flags, 0, 0, cc);
}
/* An address without its tag. */
static inline ir_ref v_address(struct tr *t, ir_ref addr)
{
	return t->tag_bits ? v_op(t, IR_EXTRACTS, TY_I64, addr, 0, 64u - t->tag_bits, 0) : addr;
}
static inline ir_ref v_load(struct tr *t, enum ir_type type, ir_ref addr, struct ir_mem mem)
{
	return ir_emit(t->ir, &(struct ir_insn){ .op = IR_LD, .type = type, .a = v_address(t, addr), .mem = mem });
}
static inline void v_store(struct tr *t, ir_ref addr, ir_ref v, struct ir_mem mem)
{
	ir_emit(t->ir, &(struct ir_insn){ .op = IR_ST, .type = TY_VOID, .a = v_address(t, addr), .b = v, .mem = mem });
}
/* Calls a helper with up to six arguments (IR_NONE behind the last). */
ir_ref v_call(struct tr *t, const struct ir_helper *helper, enum ir_type type, const ir_ref *args, unsigned n);
