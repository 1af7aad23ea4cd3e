/*
 * The intermediate form between guest front ends and host back ends.
 *
 * A region is a graph of blocks with one entry, made from one guest address in one mode. Values are typed and in SSA form: an
 * instruction is its value, defined once, used only where it dominates. Guest registers are slots, described by a table; between
 * blocks (and for a front end's own control flow inside one guest instruction) data travels in slots; GET and SET make values, not
 * memory traffic. Local slots (numbers from IR_LOCAL on) live only inside the region.
 *
 * Exactness. The guest's state at any instruction that can fault or leave is the state made by the SETs before it, in the order written.
 * So a front end computes and accesses memory first and SETs afterwards, and a back end may keep slots wherever it likes as long as it can
 * put them into the CPU state at those points. INSN marks where each guest instruction starts: that is the pc of a fault.
 *
 * Layer translate/ir. No thread owns anything here: a region belongs to whoever builds it.
 */
#pragma once
#include "base/base.h"
#include "translate/float/float.h"
#include "translate/ir/ops.h"

enum ir_op {
	IR_NOP,
#define _(name, operands, result, flags) IR_##name,
	IR_OPS(_)
#undef _
	IR_OP_COUNT
};

enum ir_type {
	TY_VOID, TY_I1, TY_I8, TY_I16, TY_I32, TY_I64, TY_I128,
	TY_F16, TY_F32, TY_F64, TY_F80, TY_F128, TY_BF16,
	TY_V128, TY_V256, TY_V512, TY_V1024, TY_V2048, /* vectors; a scalable register is one of these, chosen by the CPU model */
	TY_FLAGS,
	TY_COUNT
};

/* Bytes of a type: TY_I1 1, TY_F80 10, TY_FLAGS 4. */
extern const u16 ir_type_sizes[TY_COUNT];
static inline unsigned ir_type_size(enum ir_type type)
{
	return type < TY_COUNT ? ir_type_sizes[type] : 0;
}
const char *ir_type_name(enum ir_type type);
static inline bool ir_is_vector(enum ir_type type)
{
	return type >= TY_V128 && type <= TY_V2048;
}
static inline bool ir_is_float(enum ir_type type)
{
	return type >= TY_F16 && type <= TY_BF16;
}
static inline unsigned ir_bits(enum ir_type type) /* of an integer type */
{
	return type == TY_I1 ? 1 : 4u << type >> 1;
}
_Static_assert((4u << TY_I8 >> 1) == 8 && (4u << TY_I128 >> 1) == 128, "ir_bits counts by the order of enum ir_type");

/* Conditions of COND, over N Z C V P. */
enum ir_cc {
	CC_EQ, CC_NE, CC_CS, CC_CC, CC_MI, CC_PL, CC_VS, CC_VC,
	CC_HI, CC_LS, /* C && !Z, and its opposite: unsigned after a subtraction whose C is "no borrow" */
	CC_GE, CC_LT, CC_GT, CC_LE, CC_AL,
	CC_A, CC_BE, /* !C && !Z, and its opposite: unsigned after a subtraction whose C is "borrow" */
	CC_P, CC_NP,
	CC_COUNT
};
enum ir_cc ir_cc_not(enum ir_cc cc); /* not for CC_AL */
enum { FL_N = 1u << 31, FL_Z = 1 << 30, FL_C = 1 << 29, FL_V = 1 << 28, FL_P = 1 << 27, FL_A = 1 << 26 };

enum ir_rmw { RMW_ADD, RMW_AND, RMW_ANDN, RMW_OR, RMW_XOR, RMW_XCHG, RMW_MAXS, RMW_MINS, RMW_MAXU, RMW_MINU };

enum ir_order { ORD_RELAXED, ORD_ACQUIRE = 1, ORD_RELEASE = 2, ORD_ACQ_REL = 3, ORD_SEQ_CST = 7, ORD_TSO = 8 };
enum { IR_FENCE_LL = 1, IR_FENCE_LS = 2, IR_FENCE_SL = 4, IR_FENCE_SS = 8, IR_FENCE_ALL = 15, IR_FENCE_INSN = 16 /* ISB: refetch */ };

/* How guest memory is touched: the imm of LD, ST, CAS, RMW. The front end says what; how it is lowered is the back end's. */
struct ir_mem {
	i32 disp; /* added to the address */
	u8 type; /* enum ir_type of what lies in memory */
	u8 order : 4, rmw : 4;
	u8 sign : 1, big_endian : 1, align : 3, /* align: log2 of the alignment that is demanded, 0 none, or IR_WITHIN_16; a fault (EV_ALIGN) otherwise */
		single : 1 /* at most 16 bytes, single-copy atomic (LSE2, LDXP) */, nofault_high : 2;
	u8 mmu; /* the guest's translation regime; 0 in user mode */
};
_Static_assert(sizeof(struct ir_mem) == 8, "fits imm");
enum { IR_WITHIN_16 = 7 }; /* .align: at any address, if all of it lies in the same aligned 16 bytes */
/* Is an access of so many bytes at addr aligned as demanded? */
static inline bool ir_mem_aligned(struct ir_mem m, u64 addr, unsigned size)
{
	return m.align == IR_WITHIN_16 ? (addr & 15) + size <= 16 : !(addr & BITS(m.align));
}

/*
 * BITPERM: on i32 and i64; SBOX and MC work on each byte and each 32-bit column. With rotations and XOR they make all of
 * Zbkb, Zknd, Zkne, Zksed.
 */
enum ir_bitperm {
	BP_BREV8, /* the bits of each byte in reverse order */
	BP_ZIP, /* the low half to the even bits, the high half to the odd ones */
	BP_UNZIP,
	BP_AES_SBOX, BP_AES_SBOX_INV,
	BP_AES_MC, BP_AES_MC_INV, /* MixColumns of FIPS 197 */
	BP_SM4_SBOX,
	BP_COUNT
};

typedef u32 ir_ref; /* the value an instruction made: its index. 0: none */
#define IR_NONE 0

struct ir_insn {
	u16 op;
	u8 type; /* enum ir_type of the result */
	u8 lane; /* enum ir_type of the lanes when operands are vectors */
	ir_ref a, b, c; /* values, or literals and block numbers as ops.h says */
	union {
		u64 imm;
		i64 simm;
		struct ir_mem mem;
	};
};

struct ir_block {
	u32 first, count; /* its instructions; the last one ends it */
	u64 pc; /* the guest instruction it starts with; blocks inside one instruction have that one's */
	u32 weight; /* how often it ran, from profiles; 0 unknown */
	bool cold; /* expected to be rare: goes out of line */
	bool head; /* a loop begins here (ir_mark_loops) */
};

/* A slot: a guest register. Tables end with name NULL. Slots do not overlap; one of f80 has 16 bytes, of which six do not count; parts of registers are made with DEPOSIT, EXTRACT, VSET. */
struct ir_slot {
	const char *name;
	u16 offset; /* in the CPU state */
	u8 type; /* TY_FLAGS: kept in the state as a u32 in FLBITS form */
	u8 array; /* GETX, SETX: how many slots from this one on may be indexed; 0 otherwise */
};
#define IR_LOCAL 0x8000 /* numbers of local slots start here; their types are in region->local */

union ir_val {
	u64 u;
	i64 s;
	u32 w;
	u128 q;
	struct f80 x;
	u8 b[256]; /* vectors; byte 0 is the lowest. Only the type's size is meaningful */
	u16 h[128];
	u32 wl[64];
	u64 d[32];
};

struct cpu;

/*
 * A function that generated code and interpreter can call. Declared in the guest's folder:
 *   HELPER(arm64_fpcr_write) = { .name = "arm64_fpcr_write", .fn = fpcr_write, .effects = HELP_ALL };
 */
typedef void ir_helper_fn(struct cpu *cpu, union ir_val *ret, const union ir_val *arg);
enum {
	HELP_PURE = 0, /* result depends on the arguments alone */
	HELP_READS = 1, /* reads slots: those in .slots, or all when it is NULL */
	HELP_WRITES = 2, /* writes them */
	HELP_MEMORY = 4, /* touches guest memory (by way of cpu_read, cpu_write): may fault */
	HELP_RAISES = 8, /* may not come back: cpu_raise */
	HELP_VOLATILE = 16, /* has other effects, or reads what changes (time, random) */
	HELP_ALL = HELP_READS | HELP_WRITES | HELP_MEMORY | HELP_RAISES | HELP_VOLATILE,
};
struct ir_helper {
	const char *name;
	ir_helper_fn *fn;
	u8 effects;
	const u16 *slots; /* which slots are read and written, ended by 0xffff; NULL: all */
};
//registry: HELPER struct ir_helper ir_helper_ ir_helpers
#define HELPER(id) \
	extern const struct ir_helper ir_helper_##id; \
	const struct ir_helper ir_helper_##id
#define HELPER_DECL(id) extern const struct ir_helper ir_helper_##id
extern const struct ir_helper *const ir_helpers[];

/* Events that leave the run loop: RAISE, cpu_raise, faults. Numbers from EV_GUEST on belong to the guest. */
enum ir_event {
	EV_NONE, /* a stop was asked for */
	EV_SYSCALL, /* arg: immediate of the instruction, if any */
	EV_UNDEFINED, /* arg: the instruction word */
	EV_BREAKPOINT,
	EV_MEMORY, /* a guest access failed: cpu->fault_addr, fault_write, fault_code */
	EV_FETCH, /* the instruction at pc cannot be fetched: cpu->fault_addr */
	EV_ALIGN,
	EV_FLOAT, /* arg: FP_* bits */
	EV_DIVIDE,
	EV_YIELD, /* a hint that this CPU waits for another */
	EV_HALT, /* waits for an interrupt */
	EV_DEBUG, /* stopped by the debugger: breakpoint, watchpoint, step */
	EV_GUEST = 64,
};

struct ir_region {
	struct ir_insn *insn; /* [0] is unused */
	struct ir_block *block; /* [0] is the entry */
	u32 n_insn, n_block;
	size_t insn_cap, block_cap;
	u8 (*consts)[16];
	u32 n_consts;
	size_t consts_cap;
	ir_ref *args; /* of PHIs: pairs of a predecessor's block number and the value from there */
	u32 n_args;
	size_t args_cap;
	u8 *local; /* types of local slots */
	u16 n_local;
	size_t local_cap;
	const struct ir_slot *slot; /* the guest's table */
	u16 n_slot;
	u64 *flag_slots; /* the set of those whose type is flags */
	u8 addr_type; /* TY_I32 or TY_I64: what guest addresses are */
	struct fp_ctl fp; /* rules of floating point in this region */
	u64 pc, key; /* what it was made from: address and mode */
	u64 end_pc; /* one behind the last byte of guest code it holds, for the page it starts in */
	u32 cur; /* block under construction */
	void *scratch; /* of passes: nothing in it outlives one */
	size_t scratch_cap;
	bool quick; /* it is expected to run seldom: what makes its code but a little better is left out */
	bool ended; /* it has its end: what is emitted now belongs to no block */
	bool loops_marked;
};

/* ---- building; src/translate/ir/build.h has the short names that front ends use ---- */
/* An empty region whose block 0 is under construction. slot: the guest's table, borrowed; NULL for none. */
struct ir_region *ir_new(const struct ir_slot *slot, enum ir_type addr_type);
void ir_reset(struct ir_region *r); /* empty again, keeping memory */
void ir_free(struct ir_region *r);
/* Appends to the block under construction. Behind a block's end it makes a value of no block, which nobody will see. */
static inline ir_ref ir_emit(struct ir_region *r, const struct ir_insn *insn);
u32 ir_block_new(struct ir_region *r); /* number of a new, still empty block */
void ir_block_start(struct ir_region *r, u32 block); /* what is emitted from now on goes there; the one before must have ended */
bool ir_block_ended(const struct ir_region *r);
u32 ir_const128(struct ir_region *r, const u8 bytes[16]); /* index of a 16-byte constant, shared */
u32 ir_constv(struct ir_region *r, const u8 *bytes, unsigned size); /* the same for 32 to 256 bytes */
u32 ir_args(struct ir_region *r, const ir_ref *args, unsigned n); /* puts n of them behind region->args: the index */
u32 ir_local(struct ir_region *r, enum ir_type type); /* a new local slot */
enum ir_type ir_type_of(const struct ir_region *r, ir_ref v);
/*
 * Finds where loops begin: every way round in the region leads through such a block. Once all blocks stand; where it was not done every way to a
 * block that was emitted no later counts as one back.
 */
void ir_mark_loops(struct ir_region *r);
/*
 * Does the way from one block to another lead to a loop's beginning? Where it does, and the target's first instruction behind PHIs and NOPs is INSN, code
 * polls cpu->stop and may leave with pc at that INSN: the state is exact there.
 */
static inline bool ir_polls(const struct ir_region *r, u32 from, u32 to)
{
	return r->loops_marked ? r->block[to].head : r->block[to].first <= r->block[from].first;
}

/* ---- checking, text ---- */
struct err;
struct err *ir_verify(const struct ir_region *r) MUST_CHECK;
/* Whether an instruction's types and literals are right; its operands exist. */
bool ir_insn_ok(const struct ir_region *r, const struct ir_insn *in);
/* What types an operation takes and gives: four letters, explained in verify.c. */
const char *ir_signature(enum ir_op op);
/* The text form; ir_parse reads it back. Owned by the caller. */
char *ir_print(const struct ir_region *r);
struct err *ir_parse(const char *text, const struct ir_slot *slot, enum ir_type addr_type, struct ir_region **ret_region) MUST_CHECK;

struct ir_op_info {
	const char *name, *operands, *flags;
	char result;
	u8 bits; /* .flags as IR_F_* */
	u8 values; /* bit k: operand k is a value */
};
enum { IR_F_PURE = 1, IR_F_MEM = 2, IR_F_WRITE = 4, IR_F_END = 8, IR_F_EXIT = 16, IR_F_SLOT = 32, IR_F_FLOAT = 64 };
extern const struct ir_op_info ir_op_info[IR_OP_COUNT];
/* Does the operation have one of these flags (IR_F_*)? */
static inline bool ir_has(enum ir_op op, unsigned bits)
{
	return ir_op_info[op].bits & bits;
}
/* Is operand k (0 to 2) of the operation a value? */
static inline bool ir_is_value(enum ir_op op, unsigned k)
{
	return ir_op_info[op].values >> k & 1;
}

/* Makes room for an instruction more. */
void ir_more_room(struct ir_region *r);

/* The same with the instruction's parts, which are written where they shall lie. */
static inline ir_ref ir_emit_parts(struct ir_region *r, enum ir_op op, enum ir_type type, enum ir_type lane, ir_ref a, ir_ref b,
				   ir_ref c, u64 imm)
{
	u32 n = r->n_insn;
	if (UNLIKELY(n >= r->insn_cap))
		ir_more_room(r);
	struct ir_insn *in = &r->insn[n];
	in->op = op;
	in->type = type;
	in->lane = lane;
	in->a = a;
	in->b = b;
	in->c = c;
	in->imm = imm;
	r->n_insn = n + 1;
	if (LIKELY(!r->ended)) {
		r->block[r->cur].count++;
		r->ended = ir_has(op, IR_F_END);
	}
	return n;
}
static inline ir_ref ir_emit(struct ir_region *r, const struct ir_insn *in)
{
	return ir_emit_parts(r, in->op, in->type, in->lane, in->a, in->b, in->c, in->imm);
}

/* ---- the reference: slow, obvious, and what every back end is tested against ---- */
/* One operation without slots, memory or control flow (flags P or F) on given operands. fp_flags: sticky flags are added. */
void ir_eval(const struct ir_region *r, const struct ir_insn *in, const union ir_val *a, const union ir_val *b,
	     const union ir_val *c, union ir_val *ret, u32 *fp_flags);
/* The part of ir_eval in eval_fp.c: the operations of the floating-point section of ops.h and FLFCMP. False: not one of them. */
bool ir_eval_fp(const struct ir_region *r, const struct ir_insn *in, const union ir_val *a, const union ir_val *b,
		const union ir_val *c, union ir_val *ret, u32 *fp_flags);
/*
 * Runs a region on a CPU until it leaves: cpu->pc is then the next guest address, or an event was raised.
 * Returns how it ended: EV_NONE with cpu->pc set, or an event with cpu->event_arg.
 */
enum ir_event ir_run(const struct ir_region *r, struct cpu *cpu);
