/*
 * A guest architecture: what its folder tells the rest. One folder under guest/, declared by GUEST(name).
 */
#pragma once
#include "guest/system.h"
#include "translate/ir/build.h"

struct err;

enum guest_sense { INSN_OK, INSN_UNDEFINED };
/* Overwrites all flags and reads none; leaves them alone; reads them, goes elsewhere, or who knows. */
enum guest_flags { FLAGS_SET, FLAGS_NOT, FLAGS_OTHER };

/* A CPU model: a name and the guest's own description of it. Tables end with name NULL. */
struct guest_model {
	const char *name, *summary;
	const void *data;
};

/* One register as gdb and the monitor know it. Tables end with name NULL. */
struct guest_reg {
	const char *name, *feature; /* "org.gnu.gdb.aarch64.core" */
	u16 offset; /* in the CPU state */
	u16 bits;
	const char *type, *group; /* gdb's type names, NULL for the default */
	/* Registers that are not kept as they read (offset is 0 then). */
	u64 (*get)(const struct cpu *cpu);
	void (*set)(struct cpu *cpu, u64 value);
};

/* Type definitions that gdb's register types of one feature need, in the target description's XML. Tables end with feature NULL. */
struct guest_reg_types {
	const char *feature, *xml;
};

struct guest {
	const char *name; /* as in qemu-NAME */
	const char *summary;
	u8 addr_type; /* TY_I32, TY_I64 */
	bool big_endian;
	u8 insn_min, insn_max; /* lengths of instructions, bytes */
	size_t state_size; /* of the guest's struct, which begins with struct cpu */
	const struct ir_slot *slots;
	/* Slots in the order in which they deserve a host register: integer ones, then vector ones; each ended by 0xffff. */
	const u16 *hot_int, *hot_vec;
	const struct guest_model *models; /* the first is the default */
	size_t model_size; /* of a model's data, which holds no pointers */
	const struct guest_reg *regs;
	const struct guest_reg *(*model_regs)(const void *model); /* NULL, or those of a CPU of this model */
	const struct guest_reg_types *reg_types; /* NULL: no types of its own */
	const char *gdb_arch; /* gdb's name of the architecture: "aarch64", "riscv:rv64" */
	/*
	 * User mode: so many upper bits of an address are ignored by accesses (Arm's top-byte-ignore), the bit below repeated in them. Code finds
	 * out by faults; that of key | key_tags takes them off itself, when they are common.
	 */
	u8 tag_bits;
	u64 key_tags;
	/* User mode: with these bits of the key what needs it only when other threads or processes look on is done in one access. */
	u64 key_shared;
	bool watch_before; /* gdb expects a watchpoint to stop before the access was made, not behind the instruction */
	/* NULL, or options after the model's name in -cpu ("pauth=off"): a new model, owned by the caller (free). */
	struct err *(*model_option)(const void *model, const char *option, const char *value, void **ret_model);

	const struct guest_system *system; /* NULL: user mode only */

	/*
	 * Guests in which indirect jumps must not land anywhere. The bit of cpu->key that says so (the engine sets it, see engine_guard): then
	 * tr_landing gives jumps their addresses; and whether the code at a place in guarded memory (4 bytes at least) may be jumped to like that.
	 */
	u64 landing_key; /* 0: they may */
	bool (*lands)(const u8 *code, unsigned how);

	/* Prepares a zeroed CPU of this model. In system mode (cpu->system): as after power-on. */
	void (*reset)(struct cpu *cpu, const void *model);
	/* Sets region->fp and whatever else follows from the key. Called before the first instruction of a region. */
	void (*begin)(struct tr *t);
	/*
	 * Translates the instruction at t->pc: sets t->len and emits, INSN first. An instruction that is undefined in this mode and model emits
	 * RAISE EV_UNDEFINED and gives INSN_UNDEFINED. t->avail < length: raises EV_FETCH with the address of the first byte that is missing.
	 */
	enum guest_sense (*insn)(struct tr *t);
	/*
	 * What the instruction at code (all of one length) does to flags, without translating it; may be NULL. Only what nothing follows from but going on
	 * behind it may be FLAGS_SET or FLAGS_NOT.
	 */
	enum guest_flags (*flags)(const u8 *code);
	/* Assembly text of the instruction at code; its length in ret_len. Never fails: ".inst 0x..." for what is undefined. */
	const char *(*text)(const u8 *code, u32 avail, u64 pc, u64 key, char *buf, size_t size, u32 *ret_len);
};
static inline const struct guest_reg *guest_regs(const struct guest *g, const void *model)
{
	return g->model_regs ? g->model_regs(model) : g->regs;
}
//registry: GUEST struct guest guest_ guests
#define GUEST(id) \
	extern const struct guest guest_##id; \
	const struct guest guest_##id
#define GUEST_DECL(id) extern const struct guest guest_##id /* for code that names one guest */
extern const struct guest *const guests[];
