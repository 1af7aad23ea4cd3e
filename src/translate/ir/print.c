/*
 * The text form. docs/dev/ir.md describes it; this is a region in it:
 *
 *	region pc 0x1000 key 0 end 0x1008
 *	b0: ; pc 0x1000
 *		insn 4, #0x1000
 *		v2:i64 = get x1
 *		v3:i32 = ld.i32.acq [v2+16]
 *		v4:i64 = zext v3
 *		set x0, v4
 *		raise -, 1, #0x1004
 *
 * A value's number is its index; instructions that were removed (NOP) leave gaps. The parser takes any numbers and fills gaps with NOP.
 */
#include "translate/ir/text.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

const char *const ir_cc_names[CC_COUNT] = { "eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls",
					    "ge", "lt", "gt", "le", "al", "a",	"be", "p",  "np" };
const char *const ir_rmw_names[RMW_MINU + 1] = { "add",	 "and",	 "andn", "or",	 "xor",
						 "xchg", "maxs", "mins", "maxu", "minu" };
const char *const ir_order_names[16] = { [ORD_ACQUIRE] = "acq",
					 [ORD_RELEASE] = "rel",
					 [ORD_ACQ_REL] = "acq_rel",
					 [ORD_SEQ_CST] = "sc",
					 [ORD_TSO] = "tso" };

struct out {
	char *text;
	size_t len, cap;
};

static void put(struct out *o, const char *fmt, ...) PRINTF(2, 3);
static void put(struct out *o, const char *fmt, ...)
{
	va_list args, again;
	va_start(args, fmt);
	va_copy(again, args);
	size_t n = (size_t)vsnprintf(NULL, 0, fmt, args);
	o->text = grow(o->text, &o->cap, o->len + n + 1, 1);
	vsnprintf(o->text + o->len, n + 1, fmt, again);
	o->len += n;
	va_end(again);
	va_end(args);
}

static void put_slot(struct out *o, const struct ir_region *r, u64 slot)
{
	if (slot >= IR_LOCAL)
		put(o, " l%u", (unsigned)(slot - IR_LOCAL));
	else if (slot < r->n_slot)
		put(o, " %s", r->slot[slot].name);
	else
		put(o, " s%u", (unsigned)slot);
}

static void put_mem(struct out *o, const struct ir_insn *in)
{
	struct ir_mem m = in->mem;
	if (in->op == IR_RMW)
		put(o, ".%s", m.rmw < LEN(ir_rmw_names) ? ir_rmw_names[m.rmw] : "?");
	put(o, ".%s", ir_type_name(m.type));
	if (m.sign)
		put(o, ".s");
	if (m.big_endian)
		put(o, ".be");
	if (m.order)
		put(o, ".%s", ir_order_names[m.order] ? ir_order_names[m.order] : "?");
	if (m.align == IR_WITHIN_16)
		put(o, ".within16");
	else if (m.align)
		put(o, ".align%u", 1u << m.align);
	if (m.single)
		put(o, ".single");
	if (m.mmu)
		put(o, ".mmu%u", m.mmu);
	if (m.disp)
		put(o, " [v%u%+d]", in->a, m.disp);
	else
		put(o, " [v%u]", in->a);
}

static void put_ref(struct out *o, const char *before, ir_ref v)
{
	if (v)
		put(o, "%sv%u", before, v);
	else
		put(o, "%s-", before);
}

static void put_phi(struct out *o, const struct ir_region *r, const struct ir_insn *in)
{
	for (u32 k = 0; k < in->a && in->imm + 2 * k + 1 < r->n_args; k++)
		put(o, "%sb%u:v%u", k ? ", " : " ", r->args[in->imm + 2 * k], r->args[in->imm + 2 * k + 1]);
}

/* Operands from number `from` on, as their letters say. */
static void put_operands(struct out *o, const struct ir_insn *in, unsigned from, bool more)
{
	const ir_ref ref[3] = { in->a, in->b, in->c };
	const char *letters = ir_op_info[in->op].operands;
	for (unsigned i = from; i < 3; i++) {
		const char *before = more ? ", " : " ";
		if (letters[i] == '-')
			continue;
		more = true;
		if (letters[i] == 'v')
			put_ref(o, before, ref[i]);
		else
			put(o, letters[i] == 'k' ? "%sb%u" : "%s%u", before, ref[i]);
	}
	if (in->imm && !ir_is_memory(in->op) && !ir_is_slot(in->op) && in->op != IR_COND && in->op != IR_CALL)
		put(o, "%s#0x%llx", more ? ", " : " ", (unsigned long long)in->imm);
}

static void put_insn(struct out *o, const struct ir_region *r, u32 at)
{
	const struct ir_insn *in = r->insn + at;
	if (in->op == IR_NOP || in->op >= IR_OP_COUNT)
		return;
	put(o, "\t");
	if (in->type)
		put(o, "v%u:%s = ", at, ir_type_name(in->type));
	for (const char *s = ir_op_info[in->op].name; *s; s++)
		put(o, "%c", tolower(*s));
	if (in->lane)
		put(o, ".%s", ir_type_name(in->lane));
	if (in->op == IR_PHI) {
		put_phi(o, r, in);
	} else if (ir_is_memory(in->op)) {
		put_mem(o, in);
		put_operands(o, in, 1, true);
	} else if (in->op == IR_GETX || in->op == IR_SETX) {
		put_slot(o, r, in->imm);
		put(o, "[v%u]", in->a);
		put_operands(o, in, 1, true);
	} else if (ir_is_slot(in->op)) {
		put_slot(o, r, in->imm);
		put_operands(o, in, 0, true);
	} else if (in->op == IR_CALL) {
		put(o, " %s", ((const struct ir_helper *)(uintptr_t)in->imm)->name);
		put_operands(o, in, 0, true);
	} else {
		if (in->op == IR_COND)
			put(o, ".%s", in->imm < CC_COUNT ? ir_cc_names[in->imm] : "?");
		put_operands(o, in, 0, false);
	}
	put(o, "\n");
}

static int by_place(const void *a, const void *b)
{
	const struct ir_block *const *x = a, *const *y = b;
	return (*x)->first < (*y)->first ? -1 : (*x)->first > (*y)->first;
}

static void put_block(struct out *o, const struct ir_region *r, const struct ir_block *block)
{
	put(o, "b%u: ; pc 0x%llx", (unsigned)(block - r->block), (unsigned long long)block->pc);
	if (block->weight)
		put(o, " weight %u", block->weight);
	if (block->cold)
		put(o, " cold");
	put(o, "\n");
	for (u32 i = 0; i < block->count; i++)
		put_insn(o, r, block->first + i);
}

char *ir_print(const struct ir_region *r)
{
	struct out o = { 0 };
	const struct fp_ctl no_fp = { 0 };
	const struct ir_block **order = alloc(r->n_block * sizeof(*order));
	put(&o, "region pc 0x%llx key 0x%llx end 0x%llx\n", (unsigned long long)r->pc,
	    (unsigned long long)r->key, (unsigned long long)r->end_pc);
	if (memcmp(&r->fp, &no_fp, sizeof(no_fp))) {
		put(&o, "fp");
		for (size_t i = 0; i < sizeof(r->fp); i++)
			put(&o, " %02x", ((const u8 *)&r->fp)[i]);
		put(&o, "\n");
	}
	for (u32 i = 0; i < r->n_local; i++)
		put(&o, "local l%u:%s\n", i, ir_type_name(r->local[i]));
	for (u32 i = 0; i < r->n_consts; i++) {
		put(&o, "const %u:", i);
		for (unsigned k = 0; k < 16; k++)
			put(&o, " %02x", r->consts[i][k]);
		put(&o, "\n");
	}
	for (u32 i = 0; i < r->n_block; i++)
		order[i] = r->block + i;
	qsort(order, r->n_block, sizeof(*order), by_place);
	for (u32 i = 0; i < r->n_block; i++)
		if (order[i]->count)
			put_block(&o, r, order[i]);
	free(order);
	return o.text;
}
