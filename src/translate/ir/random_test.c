#include "translate/ir/random.h"
#include "base/err.h"
#include "base/test.h"

#define S(field, i, type, length) { #field #i, offsetof(struct random_cpu, field[i]), type, length }
/* clang-format off */
const struct ir_slot random_slots[] = {
	{ "mem", offsetof(struct random_cpu, mem), TY_I64, 0 },
	S(x, 0, TY_I64, 4), S(x, 1, TY_I64, 0), S(x, 2, TY_I64, 0), S(x, 3, TY_I64, 0), S(x, 4, TY_I64, 0), S(x, 5, TY_I64, 0),
	S(x, 6, TY_I64, 0), S(x, 7, TY_I64, 0), S(x, 8, TY_I64, 0), S(x, 9, TY_I64, 0), S(x, 10, TY_I64, 0), S(x, 11, TY_I64, 0),
	S(w, 0, TY_I32, 0), S(w, 1, TY_I32, 0), S(w, 2, TY_I32, 0), S(w, 3, TY_I32, 0),
	S(h, 0, TY_I16, 0), S(h, 1, TY_I16, 0), S(b, 0, TY_I8, 0), S(b, 1, TY_I8, 0), S(bit, 0, TY_I1, 0), S(bit, 1, TY_I1, 0),
	S(fl, 0, TY_FLAGS, 0), S(fl, 1, TY_FLAGS, 0), S(s, 0, TY_F32, 0), S(s, 1, TY_F32, 0), S(d, 0, TY_F64, 0), S(d, 1, TY_F64, 0),
	S(q, 0, TY_I128, 0), S(q, 1, TY_I128, 0),
	S(v, 0, TY_V128, 3), S(v, 1, TY_V128, 0), S(v, 2, TY_V128, 0), S(v, 3, TY_V128, 0), S(v, 4, TY_V128, 0), S(v, 5, TY_V128, 0),
	S(y, 0, TY_V256, 0), S(y, 1, TY_V256, 0),
	{ 0 },
};
/* clang-format on */

u64 random_next(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

struct gen {
	struct ir_region *r;
	const struct ir_random_options *o;
	u64 state;
	u32 entry_end; /* values of the first block lie below */
	u32 block_start; /* values of this one from here on */
	u32 counter; /* a local slot: how often the region may go back */
	u64 pc;
};

static u32 below(struct gen *g, u32 n)
{
	return (u32)((random_next(&g->state) >> 11) % n);
}

/* Numbers as they occur: small, ends of ranges, bit patterns, and any. */
static u64 some_number(struct gen *g)
{
	static const u64 special[] = { 0,	   1,
				       2,	   ~0ull,
				       1ull << 63, BITS(63),
				       BITS(31),   1ull << 31,
				       BITS(32),   0x8080808080808080,
				       0x7fff,	   0x8000,
				       0x7f80,	   0x3ff0000000000000,
				       0x7f800000, 0x3f800000 };
	switch (below(g, 4)) {
	case 0:
		return special[below(g, LEN(special))];
	case 1:
		return below(g, 70);
	case 2:
		return -(u64)below(g, 70);
	}
	return random_next(&g->state);
}

static enum ir_type some_type(struct gen *g)
{
	static const enum ir_type types[] = { TY_I1,   TY_I8,	TY_I16,	 TY_I32,  TY_I32,  TY_I64,
					      TY_I64,  TY_I64,	TY_F32,	 TY_F64,  TY_F16,  TY_V128,
					      TY_V128, TY_V128, TY_I128, TY_V256, TY_FLAGS };
	for (;;) {
		enum ir_type t = types[below(g, LEN(types))];
		if ((t == TY_V128 && g->o->no_vectors) ||
		    (t == TY_V256 && (g->o->no_vectors || !g->o->wide)) || (t == TY_I128 && g->o->no_i128) ||
		    (t == TY_FLAGS && g->o->no_flags))
			continue;
		return t;
	}
}

static ir_ref emit(struct gen *g, struct ir_insn in)
{
	return ir_emit(g->r, &in);
}

/* A slot of that type, or ~0. */
static u32 some_slot(struct gen *g, enum ir_type t)
{
	u32 n = 0, found = ~0u;
	for (u32 i = 1; i < g->r->n_slot; i++) /* not mem */
		if (g->r->slot[i].type == t && !below(g, ++n))
			found = i;
	return found;
}

static ir_ref make_value(struct gen *g, enum ir_type t)
{
	u32 slot = some_slot(g, t);
	if (slot != ~0u && below(g, 3))
		return emit(g, (struct ir_insn){ .op = IR_GET, .type = t, .imm = slot });
	if (ir_is_vector(t)) {
		u8 bytes[256];
		for (unsigned i = 0; i < ir_type_size(t); i += 8)
			st_le64(bytes + i, some_number(g));
		return emit(g, (struct ir_insn){ .op = IR_VCONST,
						 .type = t,
						 .imm = ir_constv(g->r, bytes, ir_type_size(t)) });
	}
	if (t == TY_FLAGS)
		return emit(g, (struct ir_insn){ .op = IR_FLPACK, .type = t, .a = make_value(g, TY_I32) });
	return emit(g, (struct ir_insn){
			   .op = IR_CONST, .type = t, .imm = t == TY_I1 ? below(g, 2) : some_number(g) });
}

/* A value of that type: one there is, or a new one. */
static ir_ref value(struct gen *g, enum ir_type t)
{
	u32 recent = g->r->n_insn - g->block_start;
	for (unsigned tries = 0; tries < 12; tries++) {
		bool old = !g->o->no_carry_over && g->entry_end > 1 && !below(g, 4);
		u32 v = old ? 1 + below(g, g->entry_end - 1) : recent ? g->block_start + below(g, recent) : 0;
		if (v && g->r->insn[v].type == t)
			return v;
	}
	return make_value(g, t);
}

static bool wanted(const struct gen *g, enum ir_op op)
{
	if (op == IR_CONST || op == IR_VCONST || (!ir_has(op, IR_F_PURE) && !ir_has(op, IR_F_FLOAT)))
		return false;
	bool is_float =
	    (op >= IR_FADD && op <= IR_BFMLAL && op != IR_URECPE && op != IR_URSQRTE) || op == IR_FLFCMP;
	return (g->o->floats || !(is_float || op == IR_URECPE || op == IR_URSQRTE)) &&
	       !(g->o->no_crypto && op >= IR_CLMUL);
}

static u64 some_literal(struct gen *g, const struct ir_insn *in)
{
	switch (in->op) {
	case IR_DEPOSIT:
		return below(g, 64) | (1 + below(g, 64)) << 8;
	case IR_SHUFFLE: {
		u8 bytes[16];
		for (unsigned i = 0; i < 16; i++)
			bytes[i] = below(g, 9) ? below(g, 32) : 255;
		return ir_const128(g->r, bytes);
	}
	case IR_VLOW:
		return 1u << below(g, 4);
	case IR_FLMERGE:
		return random_next(&g->state) & 0xfc000000;
	}
	if (ir_op_info[in->op].operands[1] == 'l' || in->op == IR_NOP)
		return 0;
	return below(g, 3) ? below(g, 4) : below(g, 65);
}

static bool needs_literal(enum ir_op op)
{
	switch (op) {
	case IR_FUNNEL:
	case IR_DEPOSIT:
	case IR_SBC:
	case IR_FLSUB:
	case IR_FLSBC:
	case IR_FLMERGE:
	case IR_COND:
	case IR_VGET:
	case IR_VGETS:
	case IR_VSET:
	case IR_VLOW:
	case IR_SHUFFLE:
	case IR_WIDENU:
	case IR_WIDENS:
	case IR_RSHRU:
	case IR_RSHRS:
	case IR_SLI:
	case IR_SRI:
	case IR_MULLU:
	case IR_MULLS:
	case IR_PMULL:
	case IR_CRC32:
	case IR_SM3TT:
	case IR_BITPERM:
		return true;
	default:
		return false;
	}
}

static bool lanes_of(enum ir_op op)
{
	return op >= IR_ADD;
}

/* One pure operation, of a random kind. The operands' types are guessed; ir_insn_ok says what is right. */
static void pure(struct gen *g)
{
	static const enum ir_type lanes[] = { TY_I8, TY_I16, TY_I32, TY_I64 };
	for (;;) {
		enum ir_op op = below(g, IR_OP_COUNT);
		if (!wanted(g, op))
			continue;
		for (unsigned tries = 0; tries < 24; tries++) {
			struct ir_insn in = { .op = op };
			const char *sign = ir_signature(op);
			enum ir_type t = some_type(g);
			ir_ref *const ref[3] = { &in.a, &in.b, &in.c };
			u32 was = g->r->n_insn, count = g->r->block[g->r->cur].count;
			bool vectors = false;
			for (unsigned i = 0; i < 3; i++) {
				char letter = sign[i];
				if (letter == '-') {
					*ref[i] = ir_op_info[op].operands[i] == 'l' ? below(g, 65) : 0;
					continue;
				}
				enum ir_type mine = letter == '1'   ? TY_I1
						    : letter == 'F' ? TY_FLAGS
						    : letter == '4' ? TY_I32
						    : letter == 'C' ? (below(g, 2) ? TY_I8 : TY_I64)
						    : letter >= 'a' ? t
								    : some_type(g);
				*ref[i] = value(g, mine);
				vectors |= ir_is_vector(mine);
			}
			in.type = sign[3] == '1'   ? TY_I1
				  : sign[3] == 'F' ? TY_FLAGS
				  : sign[3] == '4' ? TY_I32
				  : sign[3] >= 'a' ? t
						   : some_type(g);
			if ((vectors || ir_is_vector(in.type)) && lanes_of(op))
				in.lane = lanes[below(g, 4)];
			if (needs_literal(op))
				in.imm = some_literal(g, &in);
			if (ir_insn_ok(g->r, &in) && (!g->o->allow || g->o->allow(g->r, &in))) {
				emit(g, in);
				return;
			}
			g->r->n_insn = was; /* take back what was made for it */
			g->r->block[g->r->cur].count = count;
		}
	}
}

static ir_ref constant(struct gen *g, enum ir_type t, u64 n)
{
	return emit(g, (struct ir_insn){ .op = IR_CONST, .type = t, .imm = n });
}

static ir_ref two(struct gen *g, enum ir_op op, enum ir_type t, ir_ref a, ir_ref b)
{
	return emit(g, (struct ir_insn){ .op = op, .type = t, .a = a, .b = b });
}

/* An address inside the guest's memory, aligned to 16 now and then; or, rarely, outside. */
static ir_ref some_address(struct gen *g, unsigned align)
{
	ir_ref base = emit(g, (struct ir_insn){ .op = IR_GET, .type = TY_I64, .imm = 0 });
	ir_ref index = two(g, IR_AND, TY_I64, value(g, TY_I64), constant(g, TY_I64, align ? 0xf0 : 0xff));
	if (g->o->faults && !below(g, 4)) /* may be outside, as the index decides */
		index = two(g, IR_SHL, TY_I64, index, constant(g, TY_I8, 2));
	return two(g, IR_ADD, TY_I64, base, index);
}

static void memory(struct gen *g)
{
	static const enum ir_type types[] = {
		TY_I8, TY_I16, TY_I32, TY_I64, TY_I128, TY_F32, TY_F64, TY_V128
	};
	static const u8 orders[] = { ORD_RELAXED, ORD_RELAXED, ORD_RELAXED, ORD_ACQUIRE,
				     ORD_RELEASE, ORD_ACQ_REL, ORD_SEQ_CST, ORD_TSO };
	for (;;) {
		struct ir_insn in = { .op = IR_LD + below(g, 4) };
		in.mem = (struct ir_mem){ .disp = (i32)below(g, 200) - 40,
					  .type = types[below(g, LEN(types))],
					  .order = orders[below(g, LEN(orders))],
					  .rmw = in.op == IR_RMW ? below(g, 10) : 0,
					  .sign = in.op == IR_LD && below(g, 2),
					  .big_endian = !below(g, 4) };
		bool exchange = in.op == IR_CAS || in.op == IR_RMW;
		enum ir_type t = exchange ? (enum ir_type)in.mem.type : some_type(g);
		u32 was = g->r->n_insn, count = g->r->block[g->r->cur].count;
		if (exchange)
			in.mem.disp &= ~15;
		in.a = some_address(g, exchange);
		in.type = in.op == IR_ST ? TY_VOID : t;
		in.b = in.op == IR_LD ? 0 : value(g, t);
		in.c = in.op == IR_CAS ? value(g, t) : 0;
		if (t != TY_I1 && t != TY_FLAGS && ir_insn_ok(g->r, &in) &&
		    (!g->o->allow || g->o->allow(g->r, &in))) {
			emit(g, in);
			return;
		}
		g->r->n_insn = was;
		g->r->block[g->r->cur].count = count;
	}
}

static void set_slot(struct gen *g)
{
	for (;;) {
		enum ir_type t = some_type(g);
		u32 slot = some_slot(g, t);
		if (slot == ~0u)
			continue;
		ir_ref v = value(g, t);
		if (g->r->slot[slot].array && below(g, 2)) {
			ir_ref index = two(g, IR_AND, TY_I32, value(g, TY_I32), constant(g, TY_I32, 1));
			if (below(g, 2))
				emit(g, (struct ir_insn){ .op = IR_SETX, .a = index, .b = v, .imm = slot });
			else
				emit(g,
				     (struct ir_insn){ .op = IR_GETX, .type = t, .a = index, .imm = slot });
		} else {
			emit(g, (struct ir_insn){ .op = IR_SET, .a = v, .imm = slot });
		}
		return;
	}
}

static void next_insn(struct gen *g)
{
	emit(g, (struct ir_insn){ .op = IR_INSN, .b = 4, .imm = g->pc });
	g->pc += 4;
}

static void end_block(struct gen *g, u32 block)
{
	u32 n = g->r->n_block, later = n - 1 - block;
	struct ir_insn in = { .op = IR_RAISE, .b = EV_GUEST + below(g, 8), .imm = g->pc };
	if (later && below(g, 8)) {
		u32 yes = block + 1 + below(g, MIN(later, 3u)), no = block + 1 + below(g, MIN(later, 3u));
		if (!g->o->no_loops && block && !below(g, 3)) {
			ir_ref left =
			    emit(g, (struct ir_insn){ .op = IR_GET, .type = TY_I32, .imm = g->counter });
			ir_ref less = two(g, IR_SUB, TY_I32, left, constant(g, TY_I32, 1));
			emit(g, (struct ir_insn){ .op = IR_SET, .a = less, .imm = g->counter });
			ir_ref more = two(g, IR_LTS, TY_I1, constant(g, TY_I32, 0), less);
			in = (struct ir_insn){ .op = IR_BRC, .a = more, .b = 1 + below(g, block), .c = no };
		} else if (below(g, 4)) {
			in = (struct ir_insn){ .op = IR_BRC, .a = value(g, TY_I1), .b = yes, .c = no };
		} else {
			in = (struct ir_insn){ .op = IR_BR, .a = yes };
		}
	} else {
		switch (below(g, 4)) {
		case 0:
			in = (struct ir_insn){ .op = IR_JUMP, .imm = g->pc + below(g, 64) };
			break;
		case 1:
			in = (struct ir_insn){ .op = IR_JUMPI, .a = value(g, TY_I64) };
			break;
		case 2:
			in.a = value(g, TY_I64);
			break;
		}
	}
	emit(g, in);
}

void ir_random(struct ir_region *r, u64 seed, const struct ir_random_options *o)
{
	struct gen g = { .r = r, .o = o, .state = seed, .pc = 0x1000 };
	ir_reset(r);
	u32 blocks = o->blocks ? o->blocks : 1 + below(&g, 8),
	    insns = o->insns ? o->insns : 10 + below(&g, 100);
	r->pc = g.pc;
	while (r->n_block < blocks)
		ir_block_new(r);
	g.counter = ir_local(r, TY_I32);
	for (u32 b = 0; b < blocks; b++) {
		ir_block_start(r, b);
		g.block_start = r->n_insn;
		r->block[b].pc = g.pc;
		next_insn(&g);
		if (!b)
			emit(&g, (struct ir_insn){
				     .op = IR_SET, .a = constant(&g, TY_I32, 20), .imm = g.counter });
		for (u32 until = r->n_insn + insns / blocks; r->n_insn < until;)
			switch (below(&g, 10)) {
			case 0:
				next_insn(&g);
				break;
			case 1:
				if (!o->no_memory)
					memory(&g);
				break;
			case 2:
			case 3:
				set_slot(&g);
				break;
			default:
				pure(&g);
			}
		end_block(&g, b);
		if (!b)
			g.entry_end = r->n_insn;
	}
	r->end_pc = g.pc;
	if (seed & 4)
		ir_mark_loops(r);
}

/* ---- the CPU ---- */

static u8 *place(struct cpu *cpu, u64 addr, unsigned size, bool write)
{
	struct random_cpu *c = container_of(cpu, struct random_cpu, cpu);
	u64 start = (uintptr_t)cpu->user;
	if (addr < start || addr > start + RANDOM_MEMORY - size) {
		cpu->fault_addr = addr;
		cpu->fault_write = write;
		cpu_raise(cpu, EV_MEMORY, 0);
	}
	return c->memory + (addr - start);
}

static void read_memory(struct cpu *cpu, u64 addr, void *buf, unsigned size, struct ir_mem mem)
{
	memcpy(buf, place(cpu, addr, size, false), size);
}

static void write_memory(struct cpu *cpu, u64 addr, const void *buf, unsigned size, struct ir_mem mem)
{
	memcpy(place(cpu, addr, size, true), buf, size);
}

static void *host_memory(struct cpu *cpu, u64 addr, unsigned size, struct ir_mem mem)
{
	return place(cpu, addr, size, true);
}

void random_cpu_init(struct random_cpu *c, u64 seed, bool user)
{
	static const struct cpu_memory hooks = { read_memory, write_memory, host_memory };
	struct gen g = { .state = ~seed };
	memset(c, 0, sizeof(*c));
	for (size_t at = offsetof(struct random_cpu, x); at < offsetof(struct random_cpu, raise); at += 8) {
		u64 n = some_number(&g);
		memcpy((u8 *)c + at, &n, 8);
	}
	for (unsigned i = 0; i < 2; i++) {
		c->bit[i] &= 1;
		c->fl[i] &= 0xfc000000;
	}
	if (user) {
		c->cpu.mem_base = c->memory;
		c->cpu.mem_mask = ~0ull;
	} else {
		c->cpu.memory = &hooks;
		c->cpu.user = (void *)0x40000000; /* where it starts, for the guest */
	}
	c->mem = (user ? 0 : 0x40000000) + 64;
}

bool random_cpu_same(const struct random_cpu *a, const struct random_cpu *b, bool fl, char *text, size_t size)
{
	for (const struct ir_slot *s = random_slots; s->name; s++)
		if ((fl || s->type != TY_FLAGS) &&
		    memcmp((const u8 *)a + s->offset, (const u8 *)b + s->offset, ir_type_size(s->type))) {
			snprintf(text, size, "slot %s", s->name);
			return false;
		}
	if (memcmp(a->memory, b->memory, sizeof(a->memory))) {
		snprintf(text, size, "memory");
		return false;
	}
	if (a->cpu.pc != b->cpu.pc || a->cpu.event != b->cpu.event || a->cpu.event_arg != b->cpu.event_arg) {
		snprintf(text, size, "pc %#llx %#llx, event %u %u", (unsigned long long)a->cpu.pc,
			 (unsigned long long)b->cpu.pc, a->cpu.event, b->cpu.event);
		return false;
	}
	if (a->cpu.fault_addr != b->cpu.fault_addr || a->cpu.fp_flags != b->cpu.fp_flags) {
		snprintf(text, size, "fault address or floating-point flags");
		return false;
	}
	return true;
}

/* ---- what must hold for every region ---- */

TEST(ir_random, regions_are_valid_and_use_every_operation)
{
	struct ir_region *r = ir_new(random_slots, TY_I64);
	static u32 seen[IR_OP_COUNT];
	for (u64 seed = 0; seed < 3000; seed++) {
		ir_random(r, seed, &(struct ir_random_options){ .wide = seed & 1, .faults = seed & 2 });
		struct err *e = ir_verify(r);
		if (e) {
			test_fail(__FILE__, __LINE__, "seed %llu: %s", (unsigned long long)seed, err_text(e));
			err_free(e);
			break;
		}
		for (u32 i = 1; i < r->n_insn; i++)
			seen[r->insn[i].op]++;
	}
	for (enum ir_op op = 1; op < IR_OP_COUNT; op++)
		if (ir_has(op, IR_F_PURE) && !(op >= IR_FADD && op <= IR_FCLASS) && !seen[op])
			test_fail(__FILE__, __LINE__, "%s never occurs", ir_op_info[op].name);
	ir_free(r);
}

TEST(ir_random, the_text_form_reads_back_exactly)
{
	struct ir_region *r = ir_new(random_slots, TY_I64), *again;
	for (u64 seed = 0; seed < 500; seed++) {
		ir_random(r, seed, &(struct ir_random_options){ .wide = true });
		AUTO(free_ptr) char *text = ir_print(r);
		struct err *e = ir_parse(text, random_slots, TY_I64, &again);
		if (e) {
			test_fail(__FILE__, __LINE__, "seed %llu: %s", (unsigned long long)seed, err_text(e));
			err_free(e);
			break;
		}
		AUTO(free_ptr) char *twice = ir_print(again);
		CHECK(strcmp(text, twice) == 0);
		if (r->loops_marked)
			ir_mark_loops(again);
		CHECK_EQ(again->n_insn, r->n_insn);
		CHECK_EQ(again->n_block, r->n_block);
		CHECK(memcmp(again->insn + 1, r->insn + 1, (r->n_insn - 1) * sizeof(*r->insn)) == 0);
		CHECK(memcmp(again->block, r->block, r->n_block * sizeof(*r->block)) == 0);
		ir_free(again);
	}
	ir_free(r);
}

TEST(ir_random, regions_run_to_an_end_in_user_mode_and_with_hooks_alike)
{
	struct ir_region *r = ir_new(random_slots, TY_I64);
	struct random_cpu user, hooks;
	char text[100] = "";
	for (u64 seed = 0; seed < 1000; seed++) {
		ir_random(r, seed, &(struct ir_random_options){ .wide = seed & 1 });
		random_cpu_init(&user, seed, true);
		random_cpu_init(&hooks, seed, false);
		user.mem = hooks.mem; /* the same for the guest */
		user.cpu.mem_base -= (uintptr_t)hooks.cpu.user;
		enum ir_event e1 = ir_run(r, &user.cpu), e2 = ir_run(r, &hooks.cpu);
		if (e1 != e2 || !random_cpu_same(&user, &hooks, true, text, sizeof(text)))
			test_fail(__FILE__, __LINE__, "seed %llu: event %u %u, %s", (unsigned long long)seed,
				  e1, e2, text);
	}
	ir_free(r);
}
