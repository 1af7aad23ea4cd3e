/*
 * The x86-64 back end's own header: one region being compiled.
 *
 * Registers. RBP points into the CPU state, RSP the host's stack. The guest's hottest slots have fixed host registers, the same at every region's
 * border (host_slots): "homes". RAX, RCX, RDX, R11 and XMM12 to XMM15 are for values. A value is in one place at a time (struct val): a register of
 * its own, the home (or state memory) of a slot that holds the same, a frame slot in the CPU state, a constant, the host's flags, or nowhere
 * yet because it is computed where it is used (conditions, addresses).
 *
 * Blocks are laid out so that extended basic blocks stay together; a block with one predecessor starts with the places its predecessor left.
 */
#pragma once
#include "translate/host/host.h"
#include "translate/host/x64/emit.h"

enum { XMM_TEMP0 = 12, FRAME_SLOTS = 48, MOST_BOXES = 4 };

enum place {
	AT_NONE, /* not computed, or dead */
	AT_CONST,
	AT_GPR,
	AT_XMM,
	AT_SLOT, /* where slot .slot lives */
	AT_FRAME, /* frame slot .frame */
	AT_FLAGS, /* flags value: in the host's flags, in the way .fkind says */
	AT_FLMEM, /* flags value: frame slot .frame, in the stored form */
	AT_CC, /* i1: the host's flags, condition .cc */
	AT_USE, /* computed where it is used */
	AT_WAIT, /* for slots alone, not computed yet: its operand stands for it. lazy.c */
	AT_PART, /* the low word of a value that is still needed as a whole: it lies where that lies */
};

/* How the host's flags stand for the guest's. */
enum fkind { FK_SUB /* CF = !C: what is stored in the fewest bytes */, FK_ADD /* CF = C */, FK_FCMP /* of ucomis */ };

/* One or two host conditions. */
struct cc {
	u8 a, b; /* b: second one */
	u8 two; /* 0: a alone, 1: a and b, 2: a or b */
};

enum {
	VF_ZERO_UPPER = 1 /* bits above the type are zero in the register */,
	VF_PLACED = 2 /* already in its slot's home */,
	VF_LATER = 4 /* compute where it is used */,
	VF_MERGE = 8 /* used where places are not known: kept in the frame from the start */,
	VF_RESULT = 16 /* flags: recompute from the result in .partner */,
	VF_SETFL = 32 /* must leave its flags: the FL* value .partner */,
	VF_LOOSE = 64 /* f64: when a NaN, any quiet one */,
	VF_BITS = 128 /* f64: what bits it has is asked */
};

struct val {
	u32 pos; /* where it is computed */
	u32 last; /* position of the last use: of those that can still come, lives.c */
	u32 latest, use; /* lives.c: of all; list of the last ones of each block */
	u32 uses;
	u32 plan; /* the prepass's: what it is used for */
	u32 root; /* the block from which on places are known where it is computed */
	u32 hint_pos;
	u32 partner; /* flags value <-> arithmetic value with the same operands */
	u32 next; /* of the values at the same slot */
	u16 slot, hint; /* hint: the slot that will be set to it; NO_SLOT */
	u16 pins; /* needed for so many pending slots, AT_WAITs and AT_PARTs */
	u16 copy; /* a slot in memory that holds it as well, while slot_copy says so */
	i16 frame; /* -1: none */
	u8 at, reg, flags, fkind;
	bool listed; /* in jit->live */
	bool more; /* used for more than slots */
	bool waits; /* computed when a slot that was set to it is looked at */
	struct cc cc;
};
#define NO_SLOT 0xffff

struct snap_val { /* where a value is at the start of a block with one predecessor */
	u32 v;
	u16 slot;
	i16 frame;
	u8 at, reg, flags, fkind;
	struct cc cc;
};

struct use { /* of a value */
	u32 pos, next;
};

struct blk {
	u32 order; /* position in the layout */
	u32 preds, pred;
	u32 root; /* the block from which on places are known here: the first of those with one predecessor that lead here */
	u32 first_pos, end_pos; /* of its instructions */
	u32 reach; /* the end of those that are reached through it alone: lives.c */
	u8 *start; /* where its code begins, NULL before */
	u8 depth; /* in how many loops it is */
	bool loop_head; /* it is polled there (ir_polls) */
	u32 snap, n_snap; /* with has_snap: the values that have places, in jit->snap */
	bool has_snap;
	u64 computed, read, loose; /* f64 slots at its start: loose.c */
	bool in_branch; /* only a jump out, which the branch to it does itself */
	u32 fixes; /* jumps waiting for it: index + 1 into jit->fix */
};

struct fix {
	u8 *rel;
	u32 next;
	bool near; /* of 8 bits */
};

struct cold { /* code out of line, emitted behind the region */
	u8 *from; /* the displacement of what jumps there; NULL: only faults lead there */
	u8 *back; /* where it comes back, NULL: does not */
	u8 kind; /* COLD_* */
	bool from_near; /* .from is of 8 bits, not 32 */
	u8 dst, a, b, c; /* registers, as in struct slow_desc */
	u32 insn; /* IR instruction */
	u32 event;
	u64 pc;
	u8 base, index, scale; /* COLD_MISS: .a holds the distance to host memory, .b what is stored */
	u8 reach; /* enum host_reach */
	u8 near; /* COLD_FAR: number + 1 of the place in cpu->near that others shall not use */
	u32 site; /* number + 1 of the access that comes here when it faults; 0: none does */
	i32 disp;
	u64 konst;
	u8 *done; /* where it goes on when nothing is left to do */
	u64 loose; /* COLD_EVENT, COLD_MEND: these slots are mended */
};

struct mend { /* a way out for faults where these slots are loose; at: offset in the code */
	u64 slots;
	u32 at;
};

/* A register whose contents went to the frame behind a jump to cold code that comes back: that must do the same. */
struct aside {
	u32 insn, n_cold; /* the instruction, and how many cold pieces there were */
	u8 xmm, reg, frame;
};

struct pool_fix { /* an instruction that reads a constant */
	u8 *disp; /* its displacement, relative to the end of the instruction */
	u32 index;
	u8 behind; /* bytes of the instruction behind the displacement */
};

/* A slot's value: behind one position and before another, which sets it, nothing can find it. */
struct death {
	u32 until, behind;
};

/* Of a slot, where blocks are looked at backwards: the SET, and how many barriers there are behind it. */
struct next_touch {
	u32 set, barrier;
};

/* An access that may fault: offset in the code, and where its list of slots begins in jit->lists + 1. */
struct found_site {
	u32 at, list;
};

struct near { /* bytes from lo to below hi, from a value on; n accesses */
	u32 base, n;
	i64 lo, hi;
	bool write; /* they may be written */
};

struct moved { /* a register that has another slot in this region than between regions */
	bool xmm, set; /* set: the region writes the slot */
	u8 reg;
	u16 was, slot;
};

struct jit {
	/* what outlives a region: memory, and the homes */
	u8 (*pool)[16]; /* constants, laid behind the region's code */
	size_t pool_cap, pool_fix_cap;
	struct pool_fix *pool_fix;
	u8 *mem; /* what arrays of a region are carved from */
	size_t mem_cap;
	struct snap_val *snap;
	size_t snap_cap;
	struct cold *cold;
	size_t cold_cap;
	struct aside *aside;
	size_t aside_cap;
	struct fix *fix;
	size_t fix_cap;
	u8 *lists;
	size_t lists_cap;
	struct found_site *found_site;
	size_t found_site_cap;
	struct mend *mend;
	size_t mend_cap;
	struct use *use;
	size_t use_cap;
	const struct ir_slot *homes_of; /* the guest's slots whose homes these are: */
	u16 home[2][16]; /* slot whose home this register is: [0] gpr, [1] xmm; NO_SLOT */
	u8 *slot_home; /* by slot: register + 1, 0 memory */
	size_t slot_home_cap;
	/* the region's, all zero at its start */
	struct x64_code c;
	u32 n_pool, n_pool_fix;
	const struct ir_region *r;
	struct host_job *job;
	size_t mem_used;
	struct val *val;
	struct blk *blk;
	u32 *order, n_order; /* blocks in layout order */
	u32 *at; /* by position, in emission order: the instruction */
	u32 now; /* position being emitted */
	u32 cur; /* instruction being emitted */
	u32 gpr[16], xmm[16]; /* which value owns it; 0 none, HOME: a slot's home */
	struct moved moved[16];
	unsigned n_moved;
	u8 *leave, *leave_event; /* with slots moved: their way out, with the event in EAX, and in the CPU; NULL: not there yet */
	u32 *slot_vals; /* by slot: list of values that are there */
	u32 *slot_copy; /* by slot in memory: the value in a register that is there as well, 0 none known */
	u16 n_slot; /* incl. locals, and those of boxes.c */
	/* slots that are set later: lazy.c */
	bool lazy;
	u8 *deferrable; /* by slot: may it be? */
	u32 *pend; /* by slot: the value that it is pending with; 0: none */
	u32 *pending, n_pending; /* the slots that are */
	u32 away; /* homes that serve for values, their slots being pending or dead */
	struct death *death; /* by position of a GET or SET in this block: of what the slot holds behind it */
	struct death *dying; /* by slot: of what it holds */
	struct next_touch *next_touch; /* plan_deaths' own */
	u32 *barrier;
	u32 placed; /* homes with a value computed for a SET to come */
	struct found *told; /* by slot: what the lists say in this block so far */
	size_t n_lists;
	u32 n_found, list; /* list: the last one, + 1 */
	u32 lock_gpr, lock_xmm; /* registers the current instruction uses */
	u32 lent[2]; /* homes that serve the current instruction as scratch: [0] gpr, [1] xmm */
	u8 lent_frame[2][16]; /* where their contents are */
	u64 frame_used, frame_kept;
	u32 *live, n_live; /* values that have a place */
	u32 n_snap;
	u32 next_death; /* no value in live is used last before this position */
	u32 ef[8]; /* values in the host's flags */
	u32 n_ef;
	u32 compared; /* the FLSUB, or comparison of floats, that the host's flags are still of; 0: none */
	u32 n_cold, n_cold_near;
	u32 n_aside;
	u32 n_fix;
	u32 n_mend;
	u32 n_use;
	u64 loose; /* slots that may be, at the instruction being emitted */
	u16 box[MOST_BOXES]; /* slots whose f32 lie in local slots of our own: boxes.c */
	unsigned n_box;
	u64 insn_pc;
	u32 mem_base; /* the value that the current access's base register holds */
	struct {
		u32 value;
		u8 reach;
	} checked[8]; /* system mode: values known, in this block, to lie in the window */
	u32 n_checked;
	struct near near[CPU_NEARS]; /* system mode: what is in cpu->near here */
	u32 n_near;
	u32 end_pos; /* of the last block */
	bool long_jumps; /* none of 8 bits forwards */
	bool too_far; /* one of them does not reach */
	u32 last_block; /* emitted last */
	u32 next_block; /* what the layout puts next, ~0 none */
};
#define HOME 0xffffffffu

/* Memory for this region, as much as set_up reckoned with; until the next one. */
static inline void *jit_mem(struct jit *j, size_t size)
{
	void *p = j->mem + j->mem_used;
	j->mem_used += ROUND_UP(size, (size_t)16);
	return p;
}
static inline void *jit_zeroes(struct jit *j, size_t size)
{
	return memset(jit_mem(j, size), 0, size);
}

/* The number of a slot in tables: local ones behind the guest's. */
static inline unsigned slot_of(const struct jit *j, u64 imm)
{
	return imm >= IR_LOCAL ? imm - IR_LOCAL + j->r->n_slot : imm;
}

/* ---- fields of the CPU state as memory operands ---- */
/*
 * RBP points into the guest's registers, which follow struct cpu, so that 32 of them are reached by a displacement of one byte: the ones without a home
 * are read and written by instructions of four bytes instead of seven. It is no multiple of 8: emit_poll needs some bit in it.
 */
enum { STATE_BIAS = sizeof(struct cpu) + 124 };
_Static_assert(offsetof(struct cpu, stop) == STATE_BIAS - 128, "the stop word is reached with a displacement of 8 bits");
_Static_assert(STATE_BIAS % 8 == 4 && _Alignof(struct cpu) % 8 == 0, "RBP is not zero");
static inline struct x64_mem state_mem(size_t offset)
{
	return x_mem(RBP, (i32)offset - STATE_BIAS);
}
#define CPU(field) state_mem(offsetof(struct cpu, field))
static inline struct x64_mem frame_mem(int frame)
{
	return state_mem(offsetof(struct cpu, frame) + (size_t)frame * 16);
}
/* Local slots are the last frame slots; of our own come behind the region's. */
static inline struct x64_mem slot_mem(const struct jit *j, unsigned slot)
{
	return slot < j->r->n_slot ? state_mem(j->r->slot[slot].offset) : frame_mem(FRAME_SLOTS - 1 - (int)(slot - j->r->n_slot));
}

/* ---- alloc.c: places ---- */
static inline bool is_gpr(enum ir_type type) /* does a value of this type live in a general register? */
{
	return type >= TY_I1 && type <= TY_I64;
}
void alloc_start(struct jit *j);
void alloc_reset(struct jit *j); /* nothing has a place but what was kept in the frame */
void cut_lives(struct jit *j, const struct blk *b); /* where b goes on from the block emitted last */
void snap_take(struct jit *j, struct blk *b);
void snap_give(struct jit *j, const struct blk *b);
/* Brings a value into a register of its kind and locks that for the current instruction. The register may be a home: read only. */
unsigned use_gpr(struct jit *j, u32 v);
unsigned use_xmm(struct jit *j, u32 v);
/* The register that the current instruction shall compute v into: its slot's home when that is safe, else a free one. Locked. */
unsigned def_gpr(struct jit *j, u32 v);
unsigned def_xmm(struct jit *j, u32 v);
/* Like def, but never a register that holds a value still to be read by this instruction (all locked ones). */
unsigned def_gpr_apart(struct jit *j, u32 v);
unsigned def_xmm_apart(struct jit *j, u32 v);
/* A scratch register for the current instruction only. */
unsigned temp_gpr(struct jit *j);
unsigned temp_xmm(struct jit *j);
/* One particular register (RAX, RCX, RDX), emptied and locked. */
void take_gpr(struct jit *j, unsigned reg);
/* v now is where src is (no code): src dies or is a slot's. False when that cannot be. */
bool alias(struct jit *j, u32 v, u32 src);
void set_slot(struct jit *j, unsigned slot, u32 v);
void get_slot(struct jit *j, u32 v, unsigned slot);
void forget_copies(struct jit *j); /* slots in memory may change behind our back, or this is another path */
void slot_changed(struct jit *j,
		  unsigned slot); /* somebody writes it behind our back: save values that are there */
void put_reg(struct jit *j, u32 v, bool xmm, unsigned reg); /* v lies in this register, which was a temp or free */
void put_at(struct jit *j, u32 v, enum place at); /* v is there now: AT_FLAGS, AT_FLMEM, AT_CC, AT_USE */
void flags_at_slot(struct jit *j, u32 v,
		   unsigned slot); /* a flags value in the host's flags lies in its slot as well */
void keep_in_frame(struct jit *j, u32 v); /* a VF_MERGE value, just computed */
void kill_dead(struct jit *j); /* after each instruction that may touch values: frees what was used last */
void spill_all(struct jit *j); /* every value out of registers (not homes): before calls */
bool dies(const struct jit *j, u32 v); /* is this its last use? */
/* Memory operand of a value that is in memory (slot or frame); false if it is not. */
bool in_memory(struct jit *j, u32 v, struct x64_mem *ret_mem);
void move_aside(struct jit *j, bool xmm, unsigned reg, int frame); /* a register into a frame slot */
bool const_of(const struct jit *j, u32 v, u64 *ret_value);

void put_slot(struct jit *j, u32 v, unsigned slot); /* v lies where the slot does */
void forget(struct jit *j, u32 v); /* takes v out of where it is */
void note_copy(struct jit *j, u32 v, unsigned slot); /* v, in a register, lies in this slot's memory as well */
static inline bool needed(const struct jit *j, u32 v) /* behind this instruction */
{
	return j->val[v].last > j->now || j->val[v].pins;
}

/* ---- lazy.c: slots that are set later ---- */
void lazy_start(struct jit *j); /* needs the homes */
/* A SET: true when the slot is pending now. */
bool lazy_set(struct jit *j, unsigned slot, u32 v);
void lazy_drop(struct jit *j, unsigned slot); /* it was set in another way */
void unpin(struct jit *j, u32 v);
/* A value that waits is made: true when it is AT_WAIT now; and its register, when it must have one. */
bool lazy_wait(struct jit *j, const struct ir_insn *in, u32 v);
unsigned lazy_compute(struct jit *j, u32 v);
/* The low word of a value: true when it is AT_PART now. */
bool lazy_part(struct jit *j, const struct ir_insn *in, u32 v);
void lazy_block(struct jit *j, const struct blk *x); /* it begins here */
void lazy_spare_frame(struct jit *j); /* before each instruction: keeps some of the frame free */
void lazy_touched(struct jit *j, unsigned slot, u32 pos); /* behind a GET or SET */
/* A home whose slot is pending or dead, for values; -1: none. */
int lazy_room(struct jit *j, u32 locked);
/* The register of v shall be free: true when what it is needed for could be stored, and v lies there if it is needed. */
bool lazy_store(struct jit *j, u32 v);
void lazy_flush(struct jit *j, unsigned slot); /* puts a slot where it belongs */
void lazy_flush_all(struct jit *j);
void lazy_forget(struct jit *j); /* as alloc_reset; nothing is pending between blocks but where one goes on straight */
void lazy_give(struct jit *j, const struct blk *b); /* as snap_give */
void lazy_site(struct jit *j); /* the next host instruction may fault */
void lazy_emit(struct jit *j); /* the table for lazy_fault */
/* A fault in code at this run address, whose table lies at this offset: puts pending slots where they belong. Async-signal-safe. */
void lazy_fault(const u8 *code, u32 table, void *ucontext);

/* ---- flags.c ---- */
bool flags_needed(const struct jit *j); /* behind this instruction */
void flags_clobber(struct jit *j); /* before an instruction that destroys the host's flags */
void flags_now(struct jit *j, u32 v, enum fkind kind); /* v (flags) is in the host's flags now */
void cc_now(struct jit *j, u32 v, struct cc cc); /* v (i1) is in the host's flags now */
/* Puts an i1 value into the host's flags and says how to test it. */
struct cc cc_of(struct jit *j, u32 v);
void flags_load(struct jit *j,
		u32 v); /* puts a flags value into the host's flags; val.fkind says how it stands there */
void flags_store(struct jit *j, u32 v, struct x64_mem to); /* in the stored form */
struct cc cc_not(struct cc cc);
/* Brings operands that are conditions in the host's flags into registers: before those are clobbered for the instruction's own sake. */
void conditions_to_gpr(struct jit *j, const struct ir_insn *in);
void use_later(struct jit *j, u32 v); /* v is computed where it is used */
/* Bit 0 of an i1 value into CF, inverted or not. Saves what was in the flags. */
void flags_in_frame(struct jit *j, u32 v,
		    int frame); /* v (flags) lies in a frame slot, in the form of ir.h */
int frame_new(struct jit *j); /* a frame slot; the region does not fit when there is none */
void carry_in(struct jit *j, u32 c, bool inverted);
bool lower_flags(struct jit *j, const struct ir_insn *in, u32 v);
/* Moves a flags or condition value out of the host's flags. */
void setcc(struct jit *j, struct cc cc,
	   unsigned reg); /* reg = 0 or 1; host flags stay (unless two conditions) */

/* ---- lowering: one function a group; false: no inline form (slow path) ---- */
bool lower_int(struct jit *j, const struct ir_insn *in, u32 v);
bool lower_mem(struct jit *j, const struct ir_insn *in, u32 v);
bool lower_vec(struct jit *j, const struct ir_insn *in, u32 v);
enum { MXCSR_FLUSH = 0x8040 /* FTZ, DAZ */, MXCSR_MODES = 0x6000 | MXCSR_FLUSH };
bool fp_flushes(const struct jit *j); /* does the region compute with MXCSR's DAZ and FTZ? */
bool fp_host_rules(const struct jit *j); /* may host instructions stand for the region's rules of floating point? */
bool fp_compared(const struct jit *j, enum ir_type type); /* may host instructions compare numbers of this type? */
bool lower_fp(struct jit *j, const struct ir_insn *in, u32 v);
void lower_fp_flags(struct jit *j, const struct ir_insn *in, u32 v);
void emit_nan(struct jit *j, const struct cold *c); /* a COLD_NAN; fp.c */
void emit_unraise(struct jit *j, const struct cold *c); /* a COLD_UNRAISE; fp_flags.c */
void lower_slow(struct jit *j, const struct ir_insn *in,
		u32 v); /* any pure operation, through the interpreter's ir_eval */
void lower_call(struct jit *j, const struct ir_insn *in, u32 v);
void lower_end(struct jit *j, const struct ir_insn *in);
void emit_cold(struct jit *j);
void jump_patch(struct jit *j, u8 *rel, bool near, const u8 *target); /* of 8 bits or 32 */
void leave_by_exit(struct jit *j); /* to the stub that leaves, with the event in EAX */
void emit_compare(struct jit *j, const struct cold *c); /* a COLD_COMPARE; fp_flush.c */
/* An out-of-line piece, entered from the jump at `from`. */
struct cold *cold_new(struct jit *j, unsigned kind, u8 *from);
enum {
	COLD_SLOW, /* compute IR instruction .insn by ir_eval with a, b, c in the given registers, into dst; comes back */
	COLD_LINK, /* an unlinked jump to .pc */
	COLD_HOT, /* what is counted has run often; the guest is at .pc */
	COLD_MISS, /* an address that is not in its table */
	COLD_COMPARE, /* the comparison .event of XMM a and b, operands flushed; comes back with the host's flags */
	COLD_NAN, /* the default NaN into XMM register .dst, .event: f64; comes back */
	COLD_MEND, /* one of two slots is a NaN: mended; comes back */
	COLD_UNRAISE, /* puts the sticky flags in register a back, for a NaN; comes back with the host's flags as a comparison leaves them */
	COLD_ODD, /* a jump to RAX without its lowest bit misses */
	COLD_FAR, /* one that is not where others by the same base are: looked up alone first */
	COLD_WITHIN, /* register a is not aligned to .dst bytes: is all of the access in the same 16? if not, as COLD_EVENT */
	COLD_EVENT, /* leave with .event at .pc; for EV_ALIGN with the address in register a */
};
void cold_slow(struct jit *j, u8 *from, const struct ir_insn *in, u32 v, unsigned dst, unsigned a, unsigned b,
	       unsigned c);
void site(struct jit *j); /* the next host instruction may fault */
/* ---- reloc.c ---- */
void to_stub(struct jit *j, u8 *rel,
	     const u8 *run); /* rel, just written, is the displacement of a jump or call there */
void mov_image(struct jit *j, unsigned reg, u64 addr); /* an address in our program */
/* reg = a run address in the stubs. */
void lea_stub(struct jit *j, unsigned reg, const u8 *run);
u32 helper_index(const struct ir_helper *helper);

bool has_sha(void); /* are the SHA extensions there? */
void put_arg(struct jit *j, unsigned n, u32 v); /* v becomes argument n of the call to come */
/* Calls a function of a helper's kind. All slots go to the CPU state, values to the frame. */
void call_c(struct jit *j, u64 fn);
void call_result(struct jit *j, const struct ir_insn *in, u32 v); /* v is what it returned */
/* ---- mem_system.c ---- */
/*
 * In system mode: looks the address *m up; *m becomes the host's. Gives a number for the other two; in user mode 0, and nothing is done.
 */
u32 system_begin(struct jit *j, const struct ir_insn *in, struct x64_mem *m);
void system_value(struct jit *j, u32 access, unsigned reg,
		  u64 konst); /* what is stored: a register, 16 and up XMM; 0xff: konst */
void system_end(struct jit *j, u32 access, unsigned dst); /* the access ends here; dst as above, 0xff none */
void emit_miss(struct jit *j, const struct cold *c);
void emit_far(struct jit *j, const struct cold *c);
void system_forget(struct jit *j); /* what is known of addresses: another block, or page tables may have changed */
struct miss_desc;
/* Called by the stub with registers saved: gives the address to go on at. */
u64 host_miss(struct cpu *cpu, const struct miss_desc *d);

/* ---- vec.c: constants and building blocks ---- */
/* op reg, v, [constant]: behind: how many bytes of immediate the caller puts behind. */
void v_const(struct jit *j, u32 op, unsigned reg, unsigned v, const u8 bytes[16], unsigned behind);
/* The same with a constant that has n in every lane of size bytes. */
void v_splat(struct jit *j, u32 op, unsigned reg, unsigned v, unsigned size, u64 n, unsigned behind);
void emit_pool(struct jit *j);
/* Bytes of an XMM value above which all is known to be zero; 16: nothing is known. */
unsigned zero_above(const struct jit *j, u32 v);
/* d = a >> n of each lane of size bytes, d != a for bytes; n from 0, too much gives 0 or the sign. */
void v_shift_right(struct jit *j, unsigned size, bool sign, unsigned d, unsigned a, unsigned n);
/* The even lanes of a and b into e, the odd ones into o, a's in the low half. e, o apart from a, b. */
void v_even_odd(struct jit *j, unsigned size, unsigned e, unsigned o, unsigned a, unsigned b);
bool lower_vec_move(struct jit *j, const struct ir_insn *in, u32 v);
bool lower_vec_shift(struct jit *j, const struct ir_insn *in, u32 v);
bool lower_vec_sat(struct jit *j, const struct ir_insn *in, u32 v);
bool lower_vec_wide(struct jit *j, const struct ir_insn *in, u32 v);
bool lower_crypto(struct jit *j, const struct ir_insn *in, u32 v);
bool lower_crypto_more(struct jit *j, const struct ir_insn *in, u32 v);
/* d = each 32-bit lane of a rotated left by n; t is scratch. Two of the three may be the same register: d and a, or a and t. */
void v_rotate_left(struct jit *j, unsigned d, unsigned a, unsigned t, unsigned n);
void lower_clean(struct jit *j, const struct ir_insn *in);
void emit_poll(struct jit *j, u64 pc);
void emit_count(struct jit *j, u64 pc);
/* The move between an XMM register and a slot of this type. */
static inline u32 xmm_move(enum ir_type type, bool store)
{
	switch (ir_type_size(type)) {
	case 4:
		return store ? V_MOVD_STORE : V_MOVD_LOAD;
	case 8:
		return store ? V_MOVQ_STORE : V_MOVQ_LOAD;
	default:
		return store ? V_MOVAPS_STORE : V_MOVAPS;
	}
}
void choose_homes(const struct ir_slot *slot, const u16 *hot_int, const u16 *hot_vec, u16 home[2][16]);
void host_clean(struct cpu *cpu, union ir_val *ret, const union ir_val *arg);

/* ---- prepass.c ---- */
void prepass(struct jit *j);
void plan_deaths(struct jit *j, const struct blk *x); /* fills j->death for this block, and j->dying for its beginning */

/* ---- lives.c ---- */
void find_uses(struct jit *j); /* needs all that the prepass plans */
void cut_life(struct jit *j, const struct blk *x, u32 v); /* to what can still come where x begins */

/* ---- boxes.c ---- */
void choose_boxes(struct jit *j); /* needs the loops' depths */
void boxes_enter(struct jit *j); /* where the region begins */
unsigned box_of(const struct jit *j, unsigned slot); /* the place with the slot's f32; NO_SLOT: it has none */
void box_set(struct jit *j, unsigned slot, u32 v); /* the slot, which has one, was set to v, a box */
bool box_opened(struct jit *j, const struct ir_insn *in, u32 v); /* v, in->a opened, is such a place */

/* ---- homes.c ---- */
void choose_moves(struct jit *j); /* needs the layout and the heads of loops */
void homes_enter(struct jit *j); /* where the region begins */
void homes_leave(struct jit *j); /* where it is left, and before a call of C, which sees slots; touches nothing but homes */
void homes_called(struct jit *j); /* behind such a call */
void homes_way_out(struct jit *j); /* the code that all ways out of line share */

/* ---- loose.c ---- */
bool slots_reached(enum ir_op op); /* may slots be read or written by it in another way than by GET and SET? */
void choose_loose(struct jit *j); /* which results need not be tested for NaNs; needs the layout */
void loose_step(struct jit *j, u32 v); /* instruction v, a SET, was emitted */
void mend(struct jit *j); /* before the region is left: all slots are as the guest has them. XMM values are dead */
void mend_for_ways(struct jit *j, u32 block); /* before the end of a block: those that are not loose where it leads */
void emit_mend(struct jit *j, const struct cold *c); /* what a COLD_MEND or COLD_EVENT has to mend */
u32 mend_number(struct jit *j); /* of the way out for an access that faults now; 0: no slot is loose */
void mend_ways_out(struct jit *j); /* behind all code that may fault: gives every site its way out */

/*
 * The stored form of flags: bit 0 = overflow, the bits behind it enum fkind, byte 1 = LAHF's; the upper half is anything. LAHF always sets bit 1 of its byte, where
 * the form of ir.h, with nothing below bit 26, has none: who reads knows the two forms by it.
 */
enum { STORED_KIND = 1, STORED_MARK = 2 << 8 };

/* Registers in the descriptors of slow calls: 0..15 general, 16..31 XMM, from SLOW_FRAME on frame slots (flags), 0xff none. */
enum { SLOW_FRAME = 64 };
struct slow_desc {
	u64 imm;
	u16 op;
	u8 type, lane;
	u8 dst, a, b, c;
	u8 atype, btype, ctype;
	u8 konst[16]; /* SHUFFLE's */
	struct fp_ctl fp;
} __attribute__((packed));
