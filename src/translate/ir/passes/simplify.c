/* Simplification of one instruction by what its operands are. Part of the forward pass; never adds an instruction. */
#include "translate/ir/passes.h"

static unsigned width(enum ir_type t)
{
	return t == TY_I1 ? 1 : ir_type_size(t) * 8;
}

static bool is_int(enum ir_type t)
{
	return t >= TY_I1 && t <= TY_I64; /* those whose constants are known whole */
}

static u64 ones(enum ir_type t)
{
	return ~0ull >> (64 - width(t));
}

static bool constant(const struct ir_region *r, ir_ref v, u64 *ret)
{
	const struct ir_insn *in = r->insn + v;
	if (in->op != IR_CONST || !is_int(in->type))
		return false;
	*ret = in->imm & ones(in->type);
	return true;
}

static ir_ref become_const(struct ir_insn *in, u64 n)
{
	*in = (struct ir_insn){ .op = IR_CONST, .type = in->type, .imm = n };
	return 0;
}

static ir_ref become(struct ir_region *r, struct ir_insn *in, enum ir_op op, ir_ref a, ir_ref b)
{
	*in = (struct ir_insn){ .op = op, .type = in->type, .lane = in->lane, .a = a, .b = b };
	if (op == IR_ZEXT || op == IR_SEXT || op == IR_TRUNC)
		return r->insn[a].type == in->type ? a : 0;
	return 0;
}

/* All operands are constants: ask the reference what it gives. */
static bool fold(struct ir_region *r, struct ir_insn *in)
{
	const char *letters = ir_op_info[in->op].operands;
	const ir_ref ref[3] = { in->a, in->b, in->c };
	union {
		u64 whole[2];
		union ir_val val;
	} v[3], out;
	u32 fl = 0;
	if (!is_int(in->type) || (in->op >= IR_FADD && in->op <= IR_BFMLAL))
		return false;
	for (unsigned i = 0; i < 3; i++) {
		u64 n;
		if (letters[i] != 'v')
			continue;
		if (!constant(r, ref[i], &n))
			return false;
		v[i].val.q = n;
	}
	if (letters[0] != 'v')
		return false;
	ir_eval(r, in, &v[0].val, &v[1].val, &v[2].val, &out.val, &fl);
	become_const(in, out.val.u & ones(in->type));
	return true;
}

static bool commutes(enum ir_op op)
{
	switch (op) {
	case IR_ADD:
	case IR_MUL:
	case IR_AND:
	case IR_OR:
	case IR_XOR:
	case IR_EQ:
	case IR_NE:
	case IR_MINU:
	case IR_MINS:
	case IR_MAXU:
	case IR_MAXS:
		return true;
	default:
		return false;
	}
}

/* Bits reversed and shifted down, twice: the low bits that were left over. */
static void reversed_twice(struct ir_region *r, struct ir_insn *in, u64 n)
{
	const struct ir_insn *again = r->insn + in->a, *shift = r->insn + again->a,
			     *once = r->insn + shift->a;
	u64 m;
	if (in->op != IR_SHR || again->op != IR_BITREV || shift->op != IR_SHR || once->op != IR_BITREV ||
	    !is_int(in->type) || !constant(r, shift->b, &m) || m != n)
		return;
	*in = (struct ir_insn){
		.op = IR_EXTRACTU, .type = in->type, .a = once->a, .c = (u32)(width(in->type) - n)
	};
}

/* A truth value, widened, against 0. */
static ir_ref is_false(struct ir_region *r, struct ir_insn *in)
{
	const struct ir_insn *a = r->insn + in->a;
	if (a->op != IR_ZEXT || r->insn[a->a].type != TY_I1)
		return 0;
	return in->op == IR_NE ? a->a : become(r, in, IR_NOT, a->a, 0);
}

/* x op constant. */
static ir_ref with_const(struct ir_region *r, struct ir_insn *in, u64 n)
{
	bool all = n == ones(in->type);
	switch (in->op) {
	case IR_ADD:
	case IR_SUB:
	case IR_OR:
	case IR_XOR:
		if (!n)
			return in->a;
		if (in->op == IR_OR && all)
			return in->b;
		if (in->op == IR_XOR && all)
			return become(r, in, IR_NOT, in->a, 0);
		break;
	case IR_SHL:
	case IR_SHR:
	case IR_SAR:
	case IR_ROTR:
		if (!(n % width(in->type)))
			return in->a;
		reversed_twice(r, in, n);
		break;
	case IR_MUL:
		if (n == 1)
			return in->a;
		if (!n)
			return in->b;
		break;
	case IR_AND:
		if (all)
			return in->a;
		if (!n)
			return in->b;
		break;
	case IR_ANDN:
		if (!n)
			return in->a;
		if (all)
			return become_const(in, 0);
		break;
	case IR_DIVU:
		if (n == 1)
			return in->a;
		break;
	case IR_EQ:
	case IR_NE:
		return n ? 0 : is_false(r, in);
	}
	return 0;
}

/* x op x. */
static ir_ref with_itself(struct ir_insn *in)
{
	switch (in->op) {
	case IR_AND:
	case IR_OR:
	case IR_MINU:
	case IR_MINS:
	case IR_MAXU:
	case IR_MAXS:
		return in->a;
	case IR_SUB:
	case IR_XOR:
	case IR_ANDN:
	case IR_NE:
	case IR_LTU:
	case IR_LTS:
		return is_int(in->type) ? become_const(in, 0) : 0;
	case IR_EQ:
	case IR_LEU:
	case IR_LES:
		return become_const(in, 1);
	}
	return 0;
}

/* x << n put together with x >> (width - n): a rotation, as sets without one write it. */
static bool rotation(struct ir_region *r, struct ir_insn *in)
{
	const struct ir_insn *left = r->insn + in->a, *right = r->insn + in->b;
	u64 n, m;
	if (left->op == IR_SHR) {
		const struct ir_insn *other = left;
		left = right;
		right = other;
	}
	if (left->op != IR_SHL || right->op != IR_SHR || left->a != right->a || ir_is_vector(in->type) ||
	    !constant(r, left->b, &n) || !constant(r, right->b, &m) || !n || n + m != width(in->type))
		return false;
	become(r, in, IR_ROTR, left->a, right->b);
	return true;
}

/* x << n >> n: the low bits, zero- or sign-extended. Where that is no more than one instruction of a host. */
static void low_bits(struct ir_region *r, struct ir_insn *in)
{
	const struct ir_insn *left = r->insn + in->a;
	u64 n, m;
	if (left->op != IR_SHL || !is_int(in->type) || !constant(r, left->b, &n) || !constant(r, in->b, &m) ||
	    n != m)
		return;
	unsigned bits = width(in->type), low = bits - (unsigned)n;
	if (n && n < bits && (low == 8 || low == 16 || low == 32))
		*in = (struct ir_insn){ .op = in->op == IR_SAR ? IR_EXTRACTS : IR_EXTRACTU,
					.type = in->type,
					.a = left->a,
					.c = low };
}

static ir_ref binary(struct ir_region *r, struct ir_insn *in)
{
	u64 n;
	if ((in->op == IR_OR || in->op == IR_XOR || in->op == IR_ADD) && rotation(r, in))
		return 0;
	if (in->op == IR_SHR || in->op == IR_SAR)
		low_bits(r, in);
	if (in->op == IR_EXTRACTU || in->op == IR_EXTRACTS)
		return 0;
	if (commutes(in->op) && r->insn[in->a].op == IR_CONST && r->insn[in->b].op != IR_CONST) {
		ir_ref a = in->a;
		in->a = in->b;
		in->b = a;
	}
	if (!ir_is_vector(in->type) && is_int(in->type) && constant(r, in->b, &n)) {
		ir_ref v = with_const(r, in, n);
		if (v || in->op == IR_CONST || in->op == IR_NOT)
			return v;
	}
	return in->a == in->b ? with_itself(in) : 0;
}

/* ---- widths ---- */

static ir_ref truncation(struct ir_region *r, struct ir_insn *in)
{
	const struct ir_insn *a = r->insn + in->a;
	switch (a->op) {
	case IR_TRUNC:
		return become(r, in, IR_TRUNC, a->a, 0);
	case IR_ZEXT:
	case IR_SEXT: {
		enum ir_type from = r->insn[a->a].type;
		enum ir_op op = width(from) > width(in->type) ? IR_TRUNC : (enum ir_op)a->op;
		return become(r, in, op, a->a, 0);
	}
	case IR_PAIR:
		if (width(r->insn[a->a].type) >= width(in->type))
			return become(r, in, IR_TRUNC, a->a, 0);
		break;
	}
	return 0;
}

static ir_ref extension(struct ir_region *r, struct ir_insn *in)
{
	const struct ir_insn *a = r->insn + in->a;
	if (a->op == IR_TRUNC && in->op == IR_SEXT) { /* what was loaded that way is extended already */
		const struct ir_insn *whole = r->insn + a->a;
		if (whole->op == IR_LD && whole->mem.sign && whole->mem.type == a->type &&
		    whole->type == in->type)
			return a->a;
	}
	u64 n;
	if (a->op == IR_SHR && in->op == IR_SEXT && !ir_is_vector(a->type) && constant(r, a->b, &n) &&
	    n % width(a->type))
		in->op = IR_ZEXT; /* the sign was shifted away */
	if (a->op == IR_ZEXT || (a->op == IR_SEXT && in->op == IR_SEXT))
		return become(r, in, a->op, a->a, 0);
	return 0;
}

static ir_ref half(struct ir_region *r, struct ir_insn *in)
{
	const struct ir_insn *a = r->insn + in->a;
	if (a->op == IR_PAIR)
		return in->op == IR_LO ? a->a : a->b;
	if (a->op == IR_ZEXT || a->op == IR_SEXT) {
		if (in->op == IR_LO && width(r->insn[a->a].type) <= width(in->type))
			return become(r, in, a->op, a->a, 0);
		if (in->op == IR_HI && a->op == IR_ZEXT && width(r->insn[a->a].type) <= width(in->type))
			return become_const(in, 0);
	}
	return 0;
}

static ir_ref unbox(struct ir_region *r, struct ir_insn *in)
{
	const struct ir_insn *a = r->insn + in->a;
	return a->op == IR_FBOX && r->insn[a->a].type == in->type ? a->a : 0;
}

static ir_ref cast(struct ir_region *r, struct ir_insn *in)
{
	const struct ir_insn *a = r->insn + in->a;
	if (a->type == in->type)
		return in->a;
	if (a->op == IR_CAST)
		return r->insn[a->a].type == in->type ? a->a : become(r, in, IR_CAST, a->a, 0);
	return 0;
}

static ir_ref extract(struct ir_region *r, struct ir_insn *in)
{
	const struct ir_insn *a = r->insn + in->a;
	if (in->c == width(in->type))
		return in->a;
	if (a->op == IR_EXTRACTU && in->b + in->c <= a->c) { /* bits of bits */
		in->b += a->b;
		in->a = a->a;
	}
	return 0;
}

static ir_ref deposit(struct ir_insn *in)
{
	return (in->imm & 0xff) == 0 && in->imm >> 8 == width(in->type) ? in->b : 0;
}

/* ---- choice and conditions ---- */

static ir_ref select_value(struct ir_region *r, struct ir_insn *in)
{
	u64 n, yes, no;
	const struct ir_insn *a = r->insn + in->a;
	if (in->b == in->c)
		return in->b;
	if (constant(r, in->a, &n))
		return n ? in->b : in->c;
	if (a->op == IR_NOT) {
		ir_ref b = in->b;
		in->a = a->a;
		in->b = in->c;
		in->c = b;
	}
	if (is_int(in->type) && constant(r, in->b, &yes) && constant(r, in->c, &no) && yes == 1 && no == 0)
		return become(r, in, IR_ZEXT, in->a, 0);
	return 0;
}

static ir_ref negation(struct ir_region *r, struct ir_insn *in)
{
	const struct ir_insn *a = r->insn + in->a;
	if (a->op == IR_NOT)
		return a->a;
	if (in->type != TY_I1)
		return 0;
	switch (a->op) {
	case IR_EQ:
	case IR_NE:
		return become(r, in, a->op == IR_EQ ? IR_NE : IR_EQ, a->a, a->b);
	case IR_LTU:
	case IR_LTS: /* !(x < y) is y <= x */
	case IR_LEU:
	case IR_LES: {
		static const u16 other[] = { IR_LEU, IR_LES, IR_LTU, IR_LTS };
		return become(r, in, other[a->op - IR_LTU], a->b, a->a);
	}
	case IR_COND:
		if (a->imm == CC_AL)
			return become_const(in, 0);
		*in = *a;
		in->imm = ir_cc_not(a->imm);
	}
	return 0;
}

/* What a condition of a subtraction's flags compares: operation, and whether with the operands exchanged. By no borrow, borrow. */
static const struct {
	u16 op;
	bool swap;
} compares[2][CC_COUNT] = {
	{ [CC_EQ] = { IR_EQ, false },
	  [CC_NE] = { IR_NE, false },
	  [CC_CS] = { IR_LEU, true },
	  [CC_CC] = { IR_LTU, false },
	  [CC_HI] = { IR_LTU, true },
	  [CC_LS] = { IR_LEU, false },
	  [CC_GE] = { IR_LES, true },
	  [CC_LT] = { IR_LTS, false },
	  [CC_GT] = { IR_LTS, true },
	  [CC_LE] = { IR_LES, false } },
	{ [CC_EQ] = { IR_EQ, false },
	  [CC_NE] = { IR_NE, false },
	  [CC_CS] = { IR_LTU, false },
	  [CC_CC] = { IR_LEU, true },
	  [CC_A] = { IR_LTU, true },
	  [CC_BE] = { IR_LEU, false },
	  [CC_GE] = { IR_LES, true },
	  [CC_LT] = { IR_LTS, false },
	  [CC_GT] = { IR_LTS, true },
	  [CC_LE] = { IR_LES, false } },
};

static ir_ref condition(struct ir_region *r, struct ir_insn *in)
{
	const struct ir_insn *a = r->insn + in->a;
	if (in->imm == CC_AL)
		return become_const(in, 1);
	if (a->op != IR_FLSUB)
		return 0;
	enum ir_op op = compares[a->imm & 1][in->imm].op;
	bool swap = compares[a->imm & 1][in->imm].swap;
	return op ? become(r, in, op, swap ? a->b : a->a, swap ? a->a : a->b) : 0;
}

static void branch(struct ir_region *r, struct ir_insn *in)
{
	u64 n;
	const struct ir_insn *a = r->insn + in->a;
	if (in->b == in->c || constant(r, in->a, &n)) {
		u32 to = in->b == in->c || n ? in->b : in->c;
		*in = (struct ir_insn){ .op = IR_BR, .a = to };
	} else if (a->op == IR_NOT) {
		u32 yes = in->b;
		in->a = a->a;
		in->b = in->c;
		in->c = yes;
		in->imm = in->imm == 1 ? 2 : in->imm == 2 ? 1 : 0;
	}
}

/* ---- vectors ---- */

static ir_ref vector_low(struct ir_region *r, struct ir_insn *in)
{
	const struct ir_insn *a = r->insn + in->a;
	if (a->op == IR_VLOW) {
		if (a->imm <= in->imm)
			return in->a;
		in->a = a->a;
	} else if (a->op == IR_VZEXT && ir_type_size(r->insn[a->a].type) <= in->imm) {
		return in->a;
	} else if (a->op >= IR_NARROW && a->op <= IR_NARROWSU && in->imm == 8 && in->type == TY_V128) {
		return in->a;
	}
	return 0;
}

static ir_ref vector_scalar(struct ir_region *r, struct ir_insn *in)
{
	const struct ir_insn *a = r->insn + in->a;
	unsigned size = ir_type_size(in->type);
	if (a->op == IR_VZEXT) {
		enum ir_type from = r->insn[a->a].type;
		if (from == in->type)
			return a->a;
		if (ir_type_size(from) == size && from != TY_I1 && in->type != TY_I1)
			return become(r, in, IR_CAST, a->a, 0);
	}
	if (a->op == IR_VLOW && a->imm >= size)
		in->a = a->a;
	return 0;
}

static ir_ref vector_lane(struct ir_region *r, struct ir_insn *in)
{
	const struct ir_insn *a = r->insn + in->a;
	unsigned size = ir_type_size(in->lane);
	if (in->imm == 0 && ir_type_size(in->type) == size) {
		in->op = IR_VTRUNC;
		in->lane = TY_VOID;
		return vector_scalar(r, in);
	}
	if (a->op == IR_VLOW && (in->imm + 1) * size <= a->imm)
		in->a = a->a;
	else if (a->op == IR_VSET && a->lane == in->lane && a->imm != in->imm)
		in->a = a->a;
	else if (a->op == IR_VSET && a->lane == in->lane && r->insn[a->b].type == in->type &&
		 ir_type_size(in->type) == size)
		return a->b;
	return 0;
}

static ir_ref vector_zext(struct ir_region *r, struct ir_insn *in)
{
	const struct ir_insn *a = r->insn + in->a;
	unsigned size = ir_type_size(a->type);
	if (a->op != IR_VTRUNC || r->insn[a->a].type != in->type || a->type == TY_I1 || size > 8)
		return 0;
	*in = (struct ir_insn){ .op = IR_VLOW, .type = in->type, .a = a->a, .imm = size };
	return vector_low(r, in);
}

/* ---- memory, slots ---- */

/* A constant added to the address goes into the displacement. */
static void address(struct ir_region *r, struct ir_insn *in)
{
	const struct ir_insn *a = r->insn + in->a;
	u64 n;
	if (a->op != IR_ADD || !constant(r, a->b, &n))
		return;
	i64 disp = (a->type == TY_I32 ? (i64)(i32)n : (i64)n);
	if (disp != (i32)disp || disp + in->mem.disp != (i32)(disp + in->mem.disp))
		return;
	in->a = a->a;
	in->mem.disp += (i32)disp;
}

static void indexed(struct ir_region *r, struct ir_insn *in)
{
	u64 n;
	if (!constant(r, in->a, &n) || n >= r->slot[in->imm].array)
		return;
	in->imm += n;
	if (in->op == IR_SETX) {
		in->a = in->b;
		in->b = 0;
	} else {
		in->a = 0;
	}
	in->op = in->op == IR_SETX ? IR_SET : IR_GET;
}

static ir_ref by_kind(struct ir_region *r, struct ir_insn *in)
{
	switch (in->op) {
	case IR_COPY:
		return in->a;
	case IR_ADD ... IR_SUB:
	case IR_MUL:
	case IR_DIVU:
	case IR_AND ... IR_ANDN:
	case IR_SHL ... IR_ROTR:
	case IR_MINU ... IR_MAXS:
	case IR_EQ ... IR_LES:
		return binary(r, in);
	case IR_NEG:
		return r->insn[in->a].op == IR_NEG && !ir_is_vector(in->type) ? r->insn[in->a].a : 0;
	case IR_NOT:
		return negation(r, in);
	case IR_ZEXT:
	case IR_SEXT:
		return extension(r, in);
	case IR_TRUNC:
		return truncation(r, in);
	case IR_LO:
	case IR_HI:
		return half(r, in);
	case IR_PAIR: {
		const struct ir_insn *a = r->insn + in->a, *b = r->insn + in->b;
		return a->op == IR_LO && b->op == IR_HI && a->a == b->a && r->insn[a->a].type == in->type
			   ? a->a
			   : 0;
	}
	case IR_CAST:
		return cast(r, in);
	case IR_FUNBOX:
		return unbox(r, in);
	case IR_EXTRACTU:
	case IR_EXTRACTS:
		return extract(r, in);
	case IR_DEPOSIT:
		return deposit(in);
	case IR_SELECT:
		return select_value(r, in);
	case IR_COND:
		return condition(r, in);
	case IR_BRC:
		branch(r, in);
		return 0;
	case IR_VLOW:
		return vector_low(r, in);
	case IR_VGET:
		return vector_lane(r, in);
	case IR_VTRUNC:
		return vector_scalar(r, in);
	case IR_VZEXT:
		return vector_zext(r, in);
	case IR_LD ... IR_RMW:
		address(r, in);
		return 0;
	case IR_GETX:
	case IR_SETX:
		indexed(r, in);
		return 0;
	}
	return 0;
}

/* clang-format off */
static const bool pure[IR_OP_COUNT] = {
#define _(name, ops, res, flag) [IR_##name] = (flag)[0] == 'P',
	IR_OPS(_)
#undef _
};
/* clang-format on */

ir_ref ir_simplify(struct ir_region *r, struct ir_insn *in)
{
	for (unsigned rounds = 0; rounds < 4; rounds++) {
		enum ir_op op = in->op;
		ir_ref a = in->a;
		if (op == IR_CONST)
			return 0;
		/* a's being constant is the cheap sign that folding may work; b's too, when a is no value */
		if (r->insn[a].op == IR_CONST && pure[op] && fold(r, in))
			return 0;
		ir_ref v = by_kind(r, in);
		if (v)
			return v;
		if (in->op == op && in->a == a)
			return 0;
	}
	return 0;
}
