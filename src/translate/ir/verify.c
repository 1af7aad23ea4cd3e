/*
 * Checks a region: structure of blocks, operands that exist and dominate, types, literals. For tests and debugging builds of passes:
 * it is linear but for the dominators, and never runs on the way of a translation.
 */
#include "translate/ir/ir.h"
#include "base/err.h"
#include <stdarg.h>
#include <stdio.h>

/*
 * What types an operation takes and gives: one letter each for a, b, c and the result. Small letters bind: all of them in one operation
 * are the same type.
 *   n  integer i8..i128, or a vector of integer lanes      s  integer i8..i128        i  i1 too
 *   b  i1..i128 or any vector                              v  vector of integer lanes w  any vector
 *   f  float, or a vector of float lanes                   g  float                   t  any type
 *   S I V W G H T  the same as s i v w g f t, without binding      X  integer (i1 too) or float      P  integer or f80
 *   C  a shift's count: i8, i32, i64 or what is shifted (a vector's: integer)         A  guest address: i32, i64
 *   4  i32      1  i1      F  flags      o  any value, or none (of a result: any type, or void)      0  void      -  not a value
 */
/* clang-format off */
static const char signature[IR_OP_COUNT][5] = {
	[IR_NOP] = "---0", [IR_CONST] = "---X", [IR_VCONST] = "---W", [IR_GET] = "---T", [IR_SET] = "T--0",
	[IR_GETX] = "4--T", [IR_SETX] = "4T-0", [IR_INSN] = "---0", [IR_PHI] = "---T", [IR_COPY] = "t--t",
	[IR_ADD ... IR_SUB] = "nn-n", [IR_ADC ... IR_SBC] = "ss1s", [IR_MUL ... IR_MULHS] = "nn-n", [IR_MULWU ... IR_MULWS] = "ss-S", [IR_DIVU ... IR_REMS] = "nn-n",
	[IR_NEG ... IR_ABS] = "n--n", [IR_AND ... IR_ANDN] = "bb-b", [IR_NOT] = "b--b",
	[IR_SHL ... IR_SAR] = "nC-n", [IR_ROTR] = "sC-s", [IR_FUNNEL] = "ss-s", [IR_MINU ... IR_MAXS] = "nn-n",
	[IR_CLZ ... IR_BITREV] = "n--n", [IR_EXTRACTU ... IR_EXTRACTS] = "s--s", [IR_DEPOSIT] = "ss-s", [IR_PDEP ... IR_PEXT] = "nn-n",
	[IR_ZEXT ... IR_SEXT] = "I--S", [IR_TRUNC] = "S--I", [IR_PAIR] = "SS-P", [IR_LO ... IR_HI] = "P--S", [IR_CAST] = "T--T",
	[IR_EQ ... IR_LES] = "ii-1", [IR_SELECT] = "1ttt",
	[IR_FLADD] = "ss-F", [IR_FLADC] = "ss1F", [IR_FLSUB] = "ss-F", [IR_FLSBC] = "ss1F", [IR_FLLOGIC] = "s--F",
	[IR_FLFCMP] = "gg-F", [IR_FLPACK] = "4--F", [IR_FLBITS] = "F--4", [IR_FLMERGE] = "FF-F", [IR_COND] = "F--1",
	[IR_LD] = "A--T", [IR_ST] = "AT-0", [IR_CAS] = "ASSS", [IR_RMW] = "AS-S", [IR_FENCE] = "---0",
	[IR_PREFETCH ... IR_CLEAN] = "A--0",
	[IR_DUP] = "X--W", [IR_VGET] = "W--X", [IR_VGETS] = "W--S", [IR_VSET] = "wX-w", [IR_VLOW] = "w--w", [IR_VZEXT] = "X--W",
	[IR_VTRUNC] = "W--X", [IR_SHUFFLE ... IR_TBL] = "ww-w", [IR_BSL] = "wwww", [IR_WIDENU ... IR_NARROWSU] = "v--v",
	[IR_PADD ... IR_PMAXS] = "vv-v", [IR_PADDWU ... IR_PADDWS] = "v--v", [IR_REDADD ... IR_VBITS] = "V--S",
	[IR_VEQ ... IR_QRDMULH] = "vv-v", [IR_QRDMLAH ... IR_QRDMLSH] = "vvvv", [IR_HADDU ... IR_QRSHLVS] = "vv-v",
	[IR_RSHRU ... IR_RSHRS] = "v--v", [IR_SLI ... IR_SRI] = "vv-v", [IR_MULLU ... IR_MULLS] = "vv-v",
	[IR_DOTU ... IR_MMLAUS] = "vvvv",
	[IR_FADD ... IR_FDIV] = "ff-f", [IR_FSQRT] = "f--f", [IR_FREM] = "ff-f", [IR_FMA] = "ffff", [IR_FNEG ... IR_FABS] = "f--f",
	[IR_FCOPYSIGN ... IR_FMULX] = "ff-f", [IR_FRECPE ... IR_FRSQRTE] = "f--f", [IR_FRECPS ... IR_FRSQRTS] = "ff-f",
	[IR_FRECPX] = "f--f", [IR_URECPE ... IR_URSQRTE] = "v--v", [IR_FRINT] = "f--f", [IR_FCVT] = "H--T",
	[IR_FTOI ... IR_FTOU] = "T--T", [IR_ITOF ... IR_UTOF] = "T--T", [IR_FJCVT] = "G--S", [IR_FEQ ... IR_FUNORD] = "gg-1",
	[IR_VFEQ ... IR_VFPMAX] = "ff-f", [IR_FBOX ... IR_FUNBOX] = "G--G", [IR_FCLASS] = "H--T", [IR_FCMLA] = "ffff", [IR_FCADD] = "ff-f",
	[IR_FMLAL ... IR_BFMLAL] = "wwww", [IR_FPFLAGS] = "---4", [IR_SETFPFLAGS] = "4--0", [IR_UNRAISE] = "4gg0",
	[IR_CLMUL ... IR_CLMULH] = "ss-s", [IR_PMULL ... IR_PMUL] = "ww-w", [IR_CRC32] = "4S-4", [IR_AESE ... IR_AESD] = "ww-w",
	[IR_AESMC ... IR_AESIMC] = "w--w", [IR_SHA1C ... IR_SHA1M] = "wwww", [IR_SHA1H] = "w--w", [IR_SHA1SU0] = "wwww",
	[IR_SHA1SU1] = "ww-w", [IR_SHA256H ... IR_SHA256H2] = "wwww", [IR_SHA256SU0] = "ww-w", [IR_SHA256SU1] = "wwww",
	[IR_SHA512H ... IR_SHA512H2] = "wwww", [IR_SHA512SU0] = "ww-w", [IR_SHA512SU1] = "wwww",
	[IR_SM3PARTW1 ... IR_SM3TT] = "wwww", [IR_SM4E ... IR_SM4EKEY] = "ww-w", [IR_BITPERM] = "s--s",
	[IR_ARGS] = "ooo0", [IR_CALL] = "oooo",
	[IR_BR] = "---0", [IR_BRC] = "1--0", [IR_JUMP] = "---0", [IR_JUMPI] = "A--0", [IR_GOSUB] = "---0", [IR_GOSUBI] = "A--0",
	[IR_RETURN] = "A--0", [IR_RAISE] = "o--0",
};
/* clang-format on */

struct check {
	const struct ir_region *r;
	u32 *block_of; /* of each instruction; NONE: of no block */
	u32 *idom,
	    *order; /* immediate dominators, and each block's place in reverse post-order; NONE: not reached */
	u32 at, block; /* where we are */
	struct err *error;
};
#define NONE (~0u)

static bool bad(struct check *c, const char *fmt, ...) PRINTF(2, 3);
static bool bad(struct check *c, const char *fmt, ...)
{
	va_list args;
	char *text;
	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		abort();
	va_end(args);
	if (!c->error)
		c->error =
		    c->at ? err_new(ERR_INVALID, "b%u: v%u (%s): %s", c->block, c->at,
				    c->r->insn[c->at].op < IR_OP_COUNT ? ir_op_info[c->r->insn[c->at].op].name
								       : "?",
				    text)
			  : err_new(ERR_INVALID, "b%u: %s", c->block, text);
	free(text);
	return false;
}

/* ---- types ---- */

static bool is_int(enum ir_type t)
{
	return t >= TY_I8 && t <= TY_I128;
}
static bool int_lane(enum ir_type t)
{
	return t >= TY_I8 && t <= TY_I64;
}
static bool float_lane(enum ir_type t)
{
	return t == TY_F16 || t == TY_F32 || t == TY_F64 || t == TY_BF16;
}

/* Whether a type belongs to a letter's class, whatever it is bound to. */
static bool belongs(char letter, enum ir_type t, const struct ir_insn *in)
{
	enum ir_type lane = in->lane;
	bool vector = ir_is_vector(t), integer = is_int(t);
	/* clang-format off */
	switch (letter) {
	case 'n': case 'N': return integer || (vector && int_lane(lane));
	case 's': case 'S': return integer;
	case 'i': case 'I': return integer || t == TY_I1;
	case 'b': return integer || t == TY_I1 || vector;
	case 'v': case 'V': return vector && int_lane(lane);
	case 'w': case 'W': return vector;
	case 'f': case 'H': return ir_is_float(t) || (vector && float_lane(lane));
	case 'g': case 'G': return ir_is_float(t);
	case 't': case 'T': return t != TY_VOID;
	case 'P': return integer || t == TY_F80;
	case 'X': return integer || t == TY_I1 || ir_is_float(t);
	case 'C': return integer;
	case 'A': return t == TY_I32 || t == TY_I64;
	case '4': return t == TY_I32;
	case '1': return t == TY_I1;
	case 'F': return t == TY_FLAGS;
	case 'o': return true;
	case '0': return t == TY_VOID;
	}
	/* clang-format on */
	return false;
}

static bool check_types(struct check *c, const struct ir_insn *in)
{
	static const char *const place[] = { "operand a", "operand b", "operand c", "the result" };
	const ir_ref ref[3] = { in->a, in->b, in->c };
	enum ir_type bound = TY_VOID;
	for (unsigned i = 0; i < 4; i++) {
		char letter = signature[in->op][i];
		enum ir_type t = i == 3			    ? in->type
				 : letter == '-' || !ref[i] ? TY_VOID
							    : c->r->insn[ref[i]].type;
		if (letter == '-' || (letter == 'o' && i < 3 && !ref[i]))
			continue;
		if (!belongs(letter, t, in))
			return bad(c, "%s cannot be %s (lanes %s)", place[i], ir_type_name(t),
				   ir_type_name(in->lane));
		if (letter >= 'a' && letter != 'o') {
			if (bound && t != bound)
				return bad(c, "%s is %s, not %s", place[i], ir_type_name(t),
					   ir_type_name(bound));
			bound = t;
		}
	}
	return true;
}

/* ---- literals, and types that depend on one another ---- */

static unsigned bits_of(enum ir_type t)
{
	return t == TY_I1 ? 1 : ir_type_size(t) * 8;
}

static bool check_slot(struct check *c, const struct ir_insn *in)
{
	const struct ir_region *r = c->r;
	bool local = in->imm >= IR_LOCAL, indexed = in->op == IR_GETX || in->op == IR_SETX;
	enum ir_type t = in->op == IR_SET    ? r->insn[in->a].type
			 : in->op == IR_SETX ? r->insn[in->b].type
					     : (enum ir_type)in->type;
	if (local ? in->imm - IR_LOCAL >= r->n_local : in->imm >= r->n_slot)
		return bad(c, "no slot %llu", (unsigned long long)in->imm);
	enum ir_type want = local ? r->local[in->imm - IR_LOCAL] : r->slot[in->imm].type;
	if (t != want)
		return bad(c, "slot is %s, not %s", ir_type_name(want), ir_type_name(t));
	if (indexed && (local || !r->slot[in->imm].array))
		return bad(c, "slot has no index");
	return true;
}

static bool check_memory(struct check *c, const struct ir_insn *in)
{
	struct ir_mem m = in->mem;
	bool exchange = in->op == IR_CAS || in->op == IR_RMW;
	enum ir_type value = in->op == IR_LD ? (enum ir_type)in->type : c->r->insn[in->b].type;
	if (m.type == TY_VOID || m.type == TY_I1 || m.type == TY_FLAGS || m.type >= TY_COUNT ||
	    value == TY_FLAGS || value == TY_I1)
		return bad(c, "%s cannot lie in memory", ir_type_name(m.type));
	if (exchange && !is_int(m.type))
		return bad(c, "atomic exchange of %s", ir_type_name(m.type));
	if (ir_type_size(value) < ir_type_size(m.type) ||
	    (in->op != IR_ST && ir_type_size(in->type) < ir_type_size(m.type)))
		return bad(c, "%s is too narrow for %s", ir_type_name(value), ir_type_name(m.type));
	if (in->op == IR_CAS && ir_type_size(c->r->insn[in->c].type) < ir_type_size(m.type))
		return bad(c, "operand c is too narrow for %s", ir_type_name(m.type));
	if (m.sign && (!is_int(m.type) || in->op != IR_LD || !is_int(in->type)))
		return bad(c, "sign extension of %s", ir_type_name(m.type));
	if (in->op == IR_RMW && m.rmw > RMW_MINU)
		return bad(c, "unknown operation %u", m.rmw);
	if (m.order != ORD_RELAXED && m.order != ORD_ACQUIRE && m.order != ORD_RELEASE &&
	    m.order != ORD_ACQ_REL && m.order != ORD_SEQ_CST && m.order != ORD_TSO)
		return bad(c, "unknown order %u", m.order);
	return true;
}

static bool check_cast(struct check *c, const struct ir_insn *in, enum ir_type from)
{
	if (from == TY_FLAGS || in->type == TY_FLAGS || from == TY_I1 || in->type == TY_I1 ||
	    ir_type_size(from) != ir_type_size(in->type))
		return bad(c, "%s is not as long as %s", ir_type_name(from), ir_type_name(in->type));
	return true;
}

/* Is a value of type part what LO or HI gives of a whole? */
static bool is_part(bool high, enum ir_type part, enum ir_type whole)
{
	if (whole == TY_F80)
		return part == (high ? TY_I16 : TY_I64);
	return is_int(whole) && bits_of(part) * 2 == bits_of(whole);
}

static bool check_widths(struct check *c, const struct ir_insn *in)
{
	enum ir_type from = c->r->insn[in->a].type, high;
	unsigned w = bits_of(from), to = bits_of(in->type);
	switch (in->op) {
	case IR_ZEXT:
	case IR_SEXT:
		return to > w ||
		       bad(c, "%s is not wider than %s", ir_type_name(in->type), ir_type_name(from));
	case IR_TRUNC:
		return to < w ||
		       bad(c, "%s is not narrower than %s", ir_type_name(in->type), ir_type_name(from));
	case IR_LO:
	case IR_HI:
		return is_part(in->op == IR_HI, in->type, from) ||
		       bad(c, "%s is not half of %s", ir_type_name(in->type), ir_type_name(from));
	case IR_PAIR:
		high = c->r->insn[in->b].type;
		return (is_part(false, from, in->type) && is_part(true, high, in->type)) ||
		       bad(c, "%s is not %s and %s", ir_type_name(in->type), ir_type_name(from),
			   ir_type_name(high));
	case IR_MULWU:
	case IR_MULWS:
		return to == w * 2 ||
		       bad(c, "%s is not two of %s", ir_type_name(in->type), ir_type_name(from));
	}
	return check_cast(c, in, from);
}

static bool in_range(struct check *c, u64 value, u64 low, u64 high)
{
	return (value >= low && value <= high) ||
	       bad(c, "literal %llu is not in %llu..%llu", (unsigned long long)value, (unsigned long long)low,
		   (unsigned long long)high);
}

static bool check_lanes(struct check *c, const struct ir_insn *in)
{
	enum ir_type vector =
	    in->op == IR_DUP || in->op == IR_VSET ? (enum ir_type)in->type : c->r->insn[in->a].type;
	enum ir_type scalar = in->op == IR_DUP	  ? c->r->insn[in->a].type
			      : in->op == IR_VSET ? c->r->insn[in->b].type
						  : (enum ir_type)in->type;
	unsigned size = ir_type_size(in->lane);
	if (!int_lane(in->lane) && !float_lane(in->lane))
		return bad(c, "lanes of %s", ir_type_name(in->lane));
	if (ir_is_float(scalar) ? ir_type_size(scalar) != size
				: ir_type_size(scalar) < size || scalar == TY_I1)
		return bad(c, "%s does not hold a lane of %s", ir_type_name(scalar), ir_type_name(in->lane));
	return in->op == IR_DUP || in_range(c, in->imm, 0, ir_type_size(vector) / size - 1);
}

/* What an operation asks of its literals beyond types. */
static bool check_literals(struct check *c, const struct ir_insn *in)
{
	const struct ir_region *r = c->r;
	unsigned w = bits_of(in->type), lane = bits_of(in->lane);
	/* clang-format off */
	switch (in->op) {
	case IR_CONST: return in->type != TY_I1 || in_range(c, in->imm, 0, 1);
	case IR_VCONST: return in_range(c, in->imm + ir_type_size(in->type) / 16, 0, r->n_consts);
	case IR_SHUFFLE: return in_range(c, in->imm + 1, 1, r->n_consts);
	case IR_GET: case IR_SET: case IR_GETX: case IR_SETX: return check_slot(c, in);
	case IR_LD: case IR_ST: case IR_CAS: case IR_RMW: return check_memory(c, in);
	case IR_ZEXT: case IR_SEXT: case IR_TRUNC: case IR_LO: case IR_HI: case IR_PAIR: case IR_MULWU: case IR_MULWS: case IR_CAST:
		return check_widths(c, in);
	case IR_UNRAISE: return r->insn[in->b].type <= TY_F64 || bad(c, "%s is not compared by flags", ir_type_name(r->insn[in->b].type));
	case IR_FBOX: return w > bits_of(r->insn[in->a].type) || bad(c, "not wider");
	case IR_FUNBOX: return w < bits_of(r->insn[in->a].type) || bad(c, "not narrower");
	case IR_FUNNEL: return in_range(c, in->imm, 0, w - 1);
	case IR_EXTRACTU: case IR_EXTRACTS: return in_range(c, in->c, 1, w) && in_range(c, (u64)in->b + in->c, 1, w);
	case IR_DEPOSIT: return in_range(c, in->imm >> 8, 1, w) && in_range(c, (in->imm & 0xff) + (in->imm >> 8), 1, w);
	case IR_SBC: case IR_FLSUB: case IR_FLSBC: return in_range(c, in->imm, 0, 1);
	case IR_CRC32: return in_range(c, in->imm, 0, 1) && in_range(c, bits_of(r->insn[in->b].type), 8, 64);
	case IR_CLMUL: case IR_CLMULH: return in_range(c, w, 8, 64);
	case IR_FLFCMP: case IR_PMULL: return in_range(c, in->imm, 0, 3);
	case IR_COND: return in_range(c, in->imm, 0, CC_COUNT - 1);
	case IR_BRC: return in_range(c, in->imm, 0, 2);
	case IR_DUP: case IR_VGET: case IR_VGETS: case IR_VSET: return check_lanes(c, in);
	case IR_VLOW: return (in->imm && !(in->imm & (in->imm - 1)) && in->imm <= 8) || in_range(c, in->imm, 1, 0);
	case IR_VZEXT: return w >= bits_of(r->insn[in->a].type) || bad(c, "too wide");
	case IR_WIDENU: case IR_WIDENS: case IR_MULLU: case IR_MULLS: return in_range(c, lane, 8, 32) && in_range(c, in->imm, 0, 1);
	case IR_PADDWU: case IR_PADDWS: return in_range(c, lane, 8, 32);
	case IR_NARROW: case IR_NARROWUS: case IR_NARROWSS: case IR_NARROWSU: return in_range(c, lane, 16, 64);
	case IR_REDADD: case IR_REDMINU: case IR_REDMINS: case IR_REDMAXU: case IR_REDMAXS: return w >= lane || bad(c, "narrower than a lane");
	case IR_VBITS: return w * lane >= bits_of(r->insn[in->a].type) || bad(c, "fewer bits than lanes");
	case IR_RSHRU: case IR_RSHRS: case IR_SRI: return in_range(c, in->imm, 1, lane);
	case IR_SLI: return in_range(c, in->imm, 0, lane - 1);
	case IR_DOTU: case IR_DOTS: case IR_DOTUS: return in_range(c, lane, 32, 64);
	case IR_SM3TT: return in_range(c, in->imm, 0, 15);
	case IR_BITPERM: return in_range(c, in->imm, 0, BP_COUNT - 1) && in_range(c, w, 32, 64);
	case IR_CALL: return in->imm || bad(c, "no helper");
	}
	/* clang-format on */
	return true;
}

/* ---- blocks ---- */

static unsigned successors(const struct ir_region *r, u32 block, u32 to[2])
{
	const struct ir_insn *end = r->insn + r->block[block].first + r->block[block].count - 1;
	if (end->op == IR_BR) {
		to[0] = end->a;
		return 1;
	}
	if (end->op != IR_BRC)
		return 0;
	to[0] = end->b;
	to[1] = end->c;
	return 2;
}

static bool check_block(struct check *c)
{
	const struct ir_region *r = c->r;
	const struct ir_block *b = r->block + c->block;
	c->at = 0;
	if (!b->count)
		return true; /* an error only when something leads there */
	if (!b->first || b->first > r->n_insn || b->count > r->n_insn - b->first)
		return bad(c, "lies outside the region");
	bool phis = true;
	for (u32 i = 0; i < b->count; i++) {
		const struct ir_insn *in = r->insn + b->first + i;
		c->at = b->first + i;
		if (in->op >= IR_OP_COUNT || in->type >= TY_COUNT || in->lane >= TY_COUNT)
			return bad(c, "no such operation or type");
		if (c->block_of[c->at] != NONE)
			return bad(c, "belongs to b%u as well", c->block_of[c->at]);
		c->block_of[c->at] = c->block;
		if (ir_has(in->op, IR_F_END) != (i + 1 == b->count))
			return bad(c,
				   i + 1 == b->count ? "does not end the block" : "ends the block too early");
		if (in->op == IR_PHI && (!phis || !c->block))
			return bad(c, "stands behind another operation, or in the first block");
		phis &= in->op == IR_PHI || in->op == IR_NOP;
		if (in->op == IR_ARGS && in[1].op != IR_CALL)
			return bad(c, "is not followed by CALL");
	}
	return true;
}

static bool check_targets(struct check *c)
{
	const struct ir_region *r = c->r;
	const struct ir_block *b = r->block + c->block;
	u32 to[2];
	if (!b->count)
		return true;
	c->at = b->first + b->count - 1;
	for (unsigned i = successors(r, c->block, to); i-- > 0;)
		if (to[i] >= r->n_block || !r->block[to[i]].count)
			return bad(c, "b%u is not there", to[i]);
	return true;
}

/* ---- dominance ---- */

/* Reverse post-order of the blocks that are reached, into list; gives how many. */
static u32 reverse_post_order(struct check *c, u32 *list)
{
	const struct ir_region *r = c->r;
	u32 *stack = alloc(r->n_block * sizeof(*stack)), depth = 0, n = r->n_block;
	u8 *state = alloc(r->n_block); /* 0 new, then how many successors were looked at plus one */
	stack[depth++] = 0;
	state[0] = 1;
	while (depth) {
		u32 b = stack[depth - 1], to[2];
		if (state[b] <= successors(r, b, to)) {
			u32 next = to[state[b]++ - 1];
			if (!state[next]) {
				state[next] = 1;
				stack[depth++] = next;
			}
		} else {
			list[--n] = b;
			depth--;
		}
	}
	memmove(list, list + n, (r->n_block - n) * sizeof(*list));
	free(stack);
	free(state);
	return r->n_block - n;
}

static u32 common(const struct check *c, u32 a, u32 b)
{
	while (a != b) {
		while (c->order[a] > c->order[b])
			a = c->idom[a];
		while (c->order[b] > c->order[a])
			b = c->idom[b];
	}
	return a;
}

/* Cooper, Harvey, Kennedy: "A Simple, Fast Dominance Algorithm". */
static void find_dominators(struct check *c)
{
	u32 *list = alloc(c->r->n_block * sizeof(*list)), n = reverse_post_order(c, list), to[2];
	for (u32 i = 0; i < n; i++)
		c->order[list[i]] = i;
	c->idom[0] = 0;
	for (bool changed = true; changed;) {
		changed = false;
		for (u32 i = 0; i < n; i++)
			for (unsigned k = successors(c->r, list[i], to); k-- > 0;) {
				u32 s = to[k],
				    d = c->idom[s] == NONE ? list[i] : common(c, c->idom[s], list[i]);
				changed |= d != c->idom[s];
				c->idom[s] = d;
			}
	}
	free(list);
}

static bool dominates(const struct check *c, u32 a, u32 b)
{
	while (c->order[b] > c->order[a])
		b = c->idom[b];
	return a == b;
}

static bool check_use(struct check *c, ir_ref v, const char *what)
{
	if (!v || v >= c->r->n_insn || c->block_of[v] == NONE)
		return bad(c, "%s is v%u, which no block makes", what, v);
	if (c->r->insn[v].type == TY_VOID)
		return bad(c, "%s is v%u, which is no value", what, v);
	if (c->block_of[v] == c->block ? v >= c->at : !dominates(c, c->block_of[v], c->block))
		return bad(c, "%s is v%u, which does not come before it", what, v);
	return true;
}

static bool leads_to(const struct ir_region *r, u32 from, u32 to)
{
	u32 s[2];
	for (unsigned k = successors(r, from, s); k-- > 0;)
		if (s[k] == to)
			return true;
	return false;
}

static bool check_phi(struct check *c, const struct ir_insn *in)
{
	const struct ir_region *r = c->r;
	u32 block = c->block, at = c->at, n = 0, have = 0;
	if (in->imm > r->n_args || in->a > (r->n_args - in->imm) / 2)
		return bad(c, "operands lie outside the region");
	for (u32 b = 0; b < r->n_block; b++)
		n += c->order[b] != NONE && leads_to(r, b, block);
	for (u32 k = 0; k < in->a; k++) {
		u32 from = r->args[in->imm + 2 * k], v = r->args[in->imm + 2 * k + 1];
		if (from >= r->n_block || !r->block[from].count || !leads_to(r, from, block))
			return bad(c, "b%u does not lead here", from);
		if (c->order[from] == NONE)
			continue; /* nor does it ever run */
		have++;
		for (u32 m = 0; m < k; m++)
			if (r->args[in->imm + 2 * m] == from)
				return bad(c, "two values from b%u", from);
		c->block = from; /* it must be there at that block's end */
		c->at = r->block[from].first + r->block[from].count;
		bool there = check_use(c, v, "a value");
		c->block = block;
		c->at = at;
		if (!there)
			return false;
		if (r->insn[v].type != in->type)
			return bad(c, "v%u is %s", v, ir_type_name(r->insn[v].type));
	}
	return n == have || bad(c, "%u values for %u ways in", have, n);
}

static bool check_insn(struct check *c)
{
	static const char *const place[] = { "operand a", "operand b", "operand c" };
	const struct ir_insn *in = c->r->insn + c->at;
	const ir_ref ref[3] = { in->a, in->b, in->c };
	for (unsigned i = 0; i < 3; i++) {
		bool optional = signature[in->op][i] == 'o' && !ref[i];
		if (ir_op_info[in->op].operands[i] == 'v' && !optional && !check_use(c, ref[i], place[i]))
			return false;
	}
	return check_types(c, in) && (in->op != IR_PHI || check_phi(c, in)) && check_literals(c, in);
}

bool ir_insn_ok(const struct ir_region *r, const struct ir_insn *in)
{
	struct check c = { .r = r };
	bool ok = check_types(&c, in) && check_literals(&c, in);
	err_free(c.error);
	return ok;
}

const char *ir_signature(enum ir_op op)
{
	return signature[op];
}

static void check_all(struct check *c)
{
	const struct ir_region *r = c->r;
	for (c->block = 0; c->block < r->n_block; c->block++)
		if (!check_block(c))
			return;
	for (c->block = 0; c->block < r->n_block; c->block++)
		if (!check_targets(c))
			return;
	c->block = c->at = 0;
	if (!r->block[0].count) {
		bad(c, "is empty");
		return;
	}
	find_dominators(c);
	for (c->block = 0; c->block < r->n_block; c->block++) {
		const struct ir_block *b = r->block + c->block;
		if (c->order[c->block] == NONE)
			continue; /* never runs */
		for (c->at = b->first; c->at < b->first + b->count; c->at++)
			if (!check_insn(c))
				return;
	}
}

struct err *ir_verify(const struct ir_region *r)
{
	struct check c = { .r = r };
	c.block_of = alloc(r->n_insn * sizeof(u32));
	c.idom = alloc(r->n_block * sizeof(u32));
	c.order = alloc(r->n_block * sizeof(u32));
	memset(c.block_of, 0xff, r->n_insn * sizeof(u32));
	memset(c.idom, 0xff, r->n_block * sizeof(u32));
	memset(c.order, 0xff, r->n_block * sizeof(u32));
	check_all(&c);
	free(c.block_of);
	free(c.idom);
	free(c.order);
	return c.error;
}
