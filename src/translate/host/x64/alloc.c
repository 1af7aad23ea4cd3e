/* Where values are: registers, homes of slots, frame. See jit.h. */
#include "translate/host/x64/jit.h"

/* The region cannot be compiled as it is: the engine tries a smaller one. */
static void __attribute__((noinline)) give_up(struct jit *j)
{
	j->c.full = true;
}

void forget(struct jit *j, u32 v)
{
	struct val *x = &j->val[v];
	if (x->at == AT_GPR && j->gpr[x->reg] == v)
		j->gpr[x->reg] = 0;
	if (x->at == AT_XMM && j->xmm[x->reg] == v)
		j->xmm[x->reg] = 0;
	if (x->at == AT_SLOT) {
		u32 *p = &j->slot_vals[x->slot];
		while (*p && *p != v)
			p = &j->val[*p].next;
		if (*p)
			*p = x->next;
	}
	bool stands_for = x->at == AT_WAIT || x->at == AT_PART;
	x->at = AT_NONE;
	if (stands_for)
		unpin(j, j->r->insn[v].a);
}

static void enliven(struct jit *j, u32 v)
{
	if (!j->val[v].listed) {
		j->val[v].listed = true;
		j->live[j->n_live++] = v;
		j->next_death = MIN(j->next_death, j->val[v].last);
	}
}

void put_at(struct jit *j, u32 v, enum place at)
{
	enliven(j, v);
	forget(j, v);
	j->val[v].at = at;
}

void put_reg(struct jit *j, u32 v, bool xmm, unsigned reg)
{
	u32 *owner = xmm ? j->xmm : j->gpr;
	enliven(j, v);
	forget(j, v);
	j->val[v].at = xmm ? AT_XMM : AT_GPR;
	j->val[v].reg = reg;
	if (owner[reg] != HOME)
		owner[reg] = v;
}

void put_slot(struct jit *j, u32 v, unsigned slot)
{
	enliven(j, v);
	forget(j, v);
	j->val[v].at = AT_SLOT;
	j->val[v].slot = slot;
	if (j->r->insn[v].type < TY_I32) /* it is read with what lies behind it */
		j->val[v].flags &= ~VF_ZERO_UPPER;
	j->val[v].next = j->slot_vals[slot];
	j->slot_vals[slot] = v;
}

int frame_new(struct jit *j)
{
	u64 freed = ~j->frame_used & BITS(FRAME_SLOTS);
	if (!freed) {
		give_up(j); /* too big a region: the engine tries a smaller one */
		return 0;
	}
	int f = __builtin_ctzll(freed);
	j->frame_used |= BIT(f);
	return f;
}

/* Stores a register into a frame slot; cold code that the instruction may be in instead does so as well. */
static void put_aside(struct jit *j, bool xmm, unsigned reg, int frame)
{
	const struct cold *last = j->n_cold ? &j->cold[j->n_cold - 1] : NULL;
	move_aside(j, xmm, reg, frame);
	if (!last || last->kind != COLD_SLOW || last->insn != j->cur)
		return;
	j->aside = grow(j->aside, &j->aside_cap, j->n_aside + 1, sizeof(*j->aside));
	j->aside[j->n_aside++] = (struct aside){ j->cur, j->n_cold, xmm, reg, frame };
}

void move_aside(struct jit *j, bool xmm, unsigned reg, int frame)
{
	if (xmm)
		x_vrm(&j->c, V_MOVAPS_STORE, reg, 0, frame_mem(frame));
	else
		x_rm(&j->c, OPW | X_MOV_STORE, reg, frame_mem(frame));
}

/* Stores a register value into its frame slot (a new one if it has none). */
static void to_frame(struct jit *j, u32 v)
{
	struct val *x = &j->val[v];
	if (x->frame < 0) {
		x->frame = frame_new(j);
		put_aside(j, x->at != AT_GPR, x->reg, x->frame);
	}
}

void alloc_start(struct jit *j)
{
	for (unsigned r = 0; r < 16; r++) {
		j->gpr[r] = j->home[0][r] != NO_SLOT || r == RSP || r == RBP ? HOME : 0;
		j->xmm[r] = j->home[1][r] != NO_SLOT ? HOME : 0;
	}
	for (unsigned i = 0; i < j->r->n_local; i++)
		j->frame_kept |= BIT(FRAME_SLOTS - 1 - i);
	j->frame_used = j->frame_kept;
}

void keep_in_frame(struct jit *j, u32 v)
{
	struct val *x = &j->val[v];
	j->lock_gpr = j->lock_xmm = 0; /* the instruction is done */
	if (x->at == AT_SLOT || x->at == AT_USE || x->at == AT_CC || x->at == AT_FLAGS) {
		if (is_gpr(j->r->insn[v].type)) {
			unsigned r = temp_gpr(j), from = use_gpr(j, v);
			if (x->at == AT_SLOT) {
				x_mov_rr(&j->c, OPW, r, from);
				put_reg(j, v, false, r);
			}
		} else if (j->r->insn[v].type == TY_FLAGS) {
			if (x->frame < 0) {
				int frame = frame_new(j);
				flags_store(j, v, frame_mem(frame));
				x->frame = frame;
			}
			j->frame_kept |= BIT(x->frame);
			put_at(j, v, AT_FLMEM);
			return;
		} else {
			unsigned from = use_xmm(j, v), r = temp_xmm(j);
			if (x->at == AT_SLOT) {
				x_vrr(&j->c, V_MOVAPS, r, 0, from);
				put_reg(j, v, true, r);
			}
		}
	}
	if (x->at == AT_GPR || x->at == AT_XMM)
		to_frame(j, v);
	if (x->frame >= 0)
		j->frame_kept |= BIT(x->frame);
}

static void flags_to_frame(struct jit *j, u32 v)
{
	if (j->val[v].frame < 0) {
		int frame = frame_new(j);
		flags_store(j, v, frame_mem(frame));
		j->val[v].frame = frame;
	}
	put_at(j, v, AT_FLMEM);
}

void forget_copies(struct jit *j)
{
	memset(j->slot_copy, 0, j->n_slot * sizeof(*j->slot_copy));
}

void note_copy(struct jit *j, u32 v, unsigned slot)
{
	j->slot_copy[slot] = v;
	j->val[v].copy = slot;
}

static void spill(struct jit *j, u32 v)
{
	int frame;
	unsigned copy = j->val[v].copy;
	if (j->r->insn[v].op == IR_CONST || j->r->insn[v].op == IR_VCONST) {
		forget(j, v);
		return;
	}
	if (j->slot_copy[copy] == v && j->val[v].frame < 0) {
		put_slot(j, v, copy);
		return;
	}
	if (lazy_store(j, v))
		return;
	to_frame(j, v);
	frame = j->val[v].frame;
	forget(j, v);
	j->val[v].at = AT_FRAME;
	j->val[v].frame = frame;
}

static int pick(struct jit *j, const u32 *owner, u32 locked, unsigned n, unsigned first)
{
	int worst = -1;
	u32 last = 0;
	for (unsigned i = 0; i < n; i++) {
		unsigned r = (first + i) & 15;
		if (owner[r] == HOME || locked & BIT(r))
			continue;
		if (!owner[r])
			return r;
		const struct val *x = &j->val[owner[r]];
		u32 until = x->pins && x->last <= j->now ? ~0u : x->last; /* for slots alone: first to go */
		if (until >= last) {
			last = until;
			worst = r;
		}
	}
	return worst;
}

/*
 * Nothing is free: a slot's home that this instruction does not touch is put aside until its end. Only where nothing can fault or leave.
 */
static int lend(struct jit *j, bool xmm)
{
	const struct ir_insn *in = &j->r->insn[j->cur];
	const u32 *owner = xmm ? j->xmm : j->gpr, locked = xmm ? j->lock_xmm : j->lock_gpr;
	bool straight = ir_has(in->op, IR_F_PURE | IR_F_FLOAT) || in->op == IR_SET || in->op == IR_GET;
	for (unsigned r = 0; straight && r < 16; r++) {
		unsigned slot = j->home[xmm][r];
		if (owner[r] != HOME || slot == NO_SLOT || locked & BIT(r) || j->slot_vals[slot] ||
		    j->val[j->cur].hint == slot || (in->op == IR_SET && in->imm == slot))
			continue;
		unsigned frame = frame_new(j);
		put_aside(j, xmm, r, (int)frame);
		j->lent[xmm] |= BIT(r);
		j->lent_frame[xmm][r] = frame;
		(xmm ? j->xmm : j->gpr)[r] = 0;
		return r;
	}
	return -1;
}

/* What was lent goes back; a result that lies there goes to the frame. */
static void take_back(struct jit *j, bool xmm)
{
	u32 *owner = xmm ? j->xmm : j->gpr;
	for (unsigned r = 0; r < 16; r++) {
		if (!(j->lent[xmm] & BIT(r)))
			continue;
		if (owner[r])
			spill(j, owner[r]);
		unsigned frame = j->lent_frame[xmm][r];
		if (xmm)
			x_vrm(&j->c, V_MOVAPS, r, 0, frame_mem(frame));
		else
			x_rm(&j->c, OPW | X_MOV_LOAD, r, frame_mem(frame));
		j->frame_used &= ~BIT(frame);
		owner[r] = HOME;
	}
	j->lent[xmm] = 0;
}

unsigned temp_gpr(struct jit *j)
{
	int r = pick(j, j->gpr, j->lock_gpr, 16, RCX);
	if (r < 0 || j->gpr[r]) {
		int home = lazy_room(j, j->lock_gpr);
		r = home >= 0 ? home : r;
	}
	if (r < 0)
		r = lend(j, false);
	if (r < 0) {
		give_up(j);
		return RAX;
	}
	if (j->gpr[r])
		spill(j, j->gpr[r]);
	j->lock_gpr |= BIT(r);
	return r;
}

unsigned temp_xmm(struct jit *j)
{
	int r = pick(j, j->xmm, j->lock_xmm, 16, XMM_TEMP0);
	if (r < 0)
		r = lend(j, true);
	if (r < 0) {
		give_up(j);
		return 15;
	}
	if (j->xmm[r])
		spill(j, j->xmm[r]);
	j->lock_xmm |= BIT(r);
	return r;
}

void take_gpr(struct jit *j, unsigned reg)
{
	u32 v = j->gpr[reg];
	if (v && v != HOME) {
		u32 locked = j->lock_gpr;
		j->lock_gpr |= BIT(reg);
		int r = pick(j, j->gpr, j->lock_gpr, 16, RDX);
		if (r >= 0 && !j->gpr[r]) { /* a free one: move there */
			u8 flags = j->val[v].flags;
			x_mov_rr(&j->c, OPW, r, reg);
			put_reg(j, v, false, r);
			j->val[v].flags = flags;
			if (locked & BIT(reg))
				locked |= BIT(r);
		} else {
			spill(j, v);
		}
		j->lock_gpr = locked;
	}
	j->lock_gpr |= BIT(reg);
}

bool const_of(const struct jit *j, u32 v, u64 *ret_value)
{
	const struct ir_insn *in = &j->r->insn[v];
	if (!v || in->op != IR_CONST)
		return false;
	*ret_value = in->imm;
	if (in->type < TY_I64 && in->type >= TY_I1)
		*ret_value &= in->type == TY_I1 ? 1 : BITS(ir_bits(in->type));
	return true;
}

bool in_memory(struct jit *j, u32 v, struct x64_mem *ret_mem)
{
	const struct val *x = &j->val[v];
	if (x->at == AT_FRAME)
		*ret_mem = frame_mem(x->frame);
	else if (x->at == AT_SLOT && !j->slot_home[x->slot])
		*ret_mem = slot_mem(j, x->slot);
	else
		return x->at == AT_PART && in_memory(j, j->r->insn[v].a, ret_mem);
	return true;
}

static bool home_of(const struct jit *j, const struct val *x, unsigned *ret_reg)
{
	if (x->at != AT_SLOT || !j->slot_home[x->slot])
		return false;
	*ret_reg = (j->slot_home[x->slot] - 1) & 15;
	return true;
}

unsigned use_gpr(struct jit *j, u32 v)
{
	struct val *x = &j->val[v];
	struct x64_mem m;
	unsigned r;
	if (x->at == AT_GPR) {
		j->lock_gpr |= BIT(x->reg);
		return x->reg;
	}
	if (home_of(j, x, &r)) {
		j->lock_gpr |= BIT(r);
		return r;
	}
	if (x->at == AT_PART)
		return use_gpr(j, j->r->insn[v].a);
	if (x->at == AT_WAIT)
		return lazy_compute(j, v);
	if (x->at == AT_CC || x->at == AT_USE) {
		struct cc cc = cc_of(j, v);
		r = temp_gpr(j);
		setcc(j, cc, r);
		put_reg(j, v, false, r);
		x->flags |= VF_ZERO_UPPER;
		return r;
	}
	r = temp_gpr(j);
	u64 k;
	if (const_of(j, v, &k)) {
		x_mov_ri(&j->c, r, k);
		put_reg(j, v, false, r);
		x->flags |= VF_ZERO_UPPER;
		return r;
	}
	if (in_memory(j, v, &m)) {
		/* a whole 64-bit slot, or what the type needs of it */
		bool wide = x->at == AT_FRAME || ir_type_size(j->r->insn[v].type) == 8;
		if (x->at == AT_SLOT)
			note_copy(j, v, x->slot);
		x_rm(&j->c, (wide ? OPW : 0) | X_MOV_LOAD, r, m);
		if (!wide && ir_type_size(j->r->insn[v].type) == 4)
			x->flags |= VF_ZERO_UPPER;
		put_reg(j, v, false, r);
	} else {
		give_up(
		    j); /* a value used where it has no place: a bug in the front end, caught by the verifier */
	}
	return r;
}

unsigned use_xmm(struct jit *j, u32 v)
{
	struct val *x = &j->val[v];
	const struct ir_insn *in = &j->r->insn[v];
	struct x64_mem m;
	unsigned r;
	if (x->at == AT_XMM) {
		j->lock_xmm |= BIT(x->reg);
		return x->reg;
	}
	if (home_of(j, x, &r)) {
		j->lock_xmm |= BIT(r);
		return r;
	}
	r = temp_xmm(j);
	if (in->op == IR_CONST) {
		unsigned size = ir_type_size(in->type);
		u64 k = size < 8 ? in->imm & BITS(size * 8) : in->imm; /* bits above do not count */
		if (!k) {
			x_vrr(&j->c, V_PXOR, r, r, r);
		} else {
			unsigned g = temp_gpr(j);
			x_mov_ri(&j->c, g, k);
			x_vrr(&j->c, OPW | V_MOVD_LOAD, r, 0, g);
			j->lock_gpr &= ~BIT(g);
		}
		put_reg(j, v, true, r);
		x->flags |= VF_ZERO_UPPER;
		return r;
	}
	if (in->op == IR_VCONST && x->at != AT_FRAME) {
		const u8 *k = j->r->consts[in->imm];
		u64 lo = ld_le64(k), hi = ld_le64(k + 8);
		if (!lo && !hi) {
			x_vrr(&j->c, V_PXOR, r, r, r);
		} else if (lo == ~0ull && hi == ~0ull) {
			x_vrr(&j->c, P66 | MAP0F | 0x76, r, r, r);
		} else {
			v_const(j, V_MOVAPS, r, 0, k, 0);
		}
		put_reg(j, v, true, r);
		return r;
	}
	if (in_memory(j, v, &m)) {
		unsigned size = ir_type_size(in->type);
		if (x->at == AT_FRAME || size > 8) {
			x_vrm(&j->c, V_MOVAPS, r, 0, m);
		} else if (size == 8) {
			x_vrm(&j->c, V_MOVQ_LOAD, r, 0, m);
			x->flags |= VF_ZERO_UPPER;
		} else {
			x_vrm(&j->c, V_MOVD_LOAD, r, 0,
			      m); /* f16: the upper bits of the slot come along and do no harm */
		}
		put_reg(j, v, true, r);
	} else {
		give_up(j);
	}
	return r;
}

bool dies(const struct jit *j, u32 v)
{
	return !needed(j, v);
}

/* May v be computed straight into its slot's home? Not while another value that is still needed is there. */
static int home_for(struct jit *j, u32 v, bool xmm)
{
	const struct val *x = &j->val[v];
	if (x->hint == NO_SLOT || !j->slot_home[x->hint])
		return -1;
	unsigned home = j->slot_home[x->hint] - 1;
	if ((home >= 16) != xmm || (!xmm && j->gpr[home] != HOME))
		return -1;
	for (u32 u = j->slot_vals[x->hint]; u; u = j->val[u].next)
		if (needed(j, u) && u != v)
			return -1;
	return home & 15;
}

static unsigned def(struct jit *j, u32 v, bool xmm, bool apart)
{
	int home = home_for(j, v, xmm);
	u32 locked = xmm ? j->lock_xmm : j->lock_gpr;
	if (home >= 0 && !(apart && locked & BIT(home))) {
		/* values that die here are still read from the home by this instruction: they keep their place until kill_dead */
		enliven(j, v);
		j->val[v].at = xmm ? AT_XMM : AT_GPR;
		j->val[v].reg = home;
		j->val[v].flags |= VF_PLACED;
		if (xmm)
			j->lock_xmm |= BIT(home);
		else
			j->lock_gpr |= BIT(home), j->placed |= BIT(home);
		return home;
	}
	if (!xmm && j->val[v].hint != NO_SLOT) { /* its slot's home, when that serves for values */
		unsigned r = j->slot_home[j->val[v].hint] - 1u;
		if (r < 16 && !j->gpr[r] && j->away & BIT(r) && !(locked & BIT(r))) {
			j->lock_gpr |= BIT(r);
			put_reg(j, v, false, r);
			return r;
		}
	}
	if (!apart) { /* the register of an operand that dies here */
		const struct ir_insn *in = &j->r->insn[j->cur];
		u32 operand[3] = { in->a, in->b, in->c };
		const char *kinds = ir_op_info[in->op].operands;
		for (unsigned i = 0; i < 3; i++) {
			struct val *o = &j->val[operand[i]];
			if (kinds[i] != 'v' || !operand[i] || !dies(j, operand[i]) || o->flags & VF_PLACED ||
			    o->at != (xmm ? AT_XMM : AT_GPR))
				continue;
			unsigned reg = o->reg;
			u32 *owner = xmm ? j->xmm : j->gpr;
			if (owner[reg] != operand[i])
				continue;
			enliven(j, v);
			j->val[v].at = o->at;
			j->val[v].reg = reg;
			owner[reg] = v;
			*(xmm ? &j->lock_xmm : &j->lock_gpr) |=
			    BIT(reg); /* a constant's register may not be */
			return reg;
		}
	}
	if (xmm) {
		unsigned r = temp_xmm(j);
		put_reg(j, v, true, r);
		return r;
	}
	unsigned r = temp_gpr(j);
	put_reg(j, v, false, r);
	return r;
}

unsigned def_gpr(struct jit *j, u32 v)
{
	return def(j, v, false, false);
}
unsigned def_xmm(struct jit *j, u32 v)
{
	return def(j, v, true, false);
}
unsigned def_gpr_apart(struct jit *j, u32 v)
{
	return def(j, v, false, true);
}
unsigned def_xmm_apart(struct jit *j, u32 v)
{
	return def(j, v, true, true);
}

bool alias(struct jit *j, u32 v, u32 src)
{
	struct val *s = &j->val[src];
	if (s->at == AT_SLOT) {
		put_slot(j, v, s->slot);
		return true;
	}
	if (s->flags & VF_PLACED) {
		if (j->val[v].hint != s->hint || is_gpr(j->r->insn[v].type) != (s->at == AT_GPR))
			return false;
		enliven(j, v);
		j->val[v].at = s->at;
		j->val[v].reg = s->reg;
		j->val[v].flags |= VF_PLACED;
		return true;
	}
	if (!dies(j, src))
		return false;
	if (s->at == AT_GPR && is_gpr(j->r->insn[v].type)) {
		unsigned reg = s->reg;
		forget(j, src);
		put_reg(j, v, false, reg);
		return true;
	}
	if (s->at == AT_XMM && !is_gpr(j->r->insn[v].type)) {
		unsigned reg = s->reg;
		forget(j, src);
		put_reg(j, v, true, reg);
		return true;
	}
	return false;
}

void slot_changed(struct jit *j, unsigned slot)
{
	u32 v = j->slot_vals[slot];
	unsigned home = j->slot_home[slot];
	j->slot_copy[slot] = 0;
	while (v) {
		u32 next = j->val[v].next;
		if (!needed(j, v)) {
			forget(j, v);
		} else if (j->r->insn[v].type == TY_FLAGS) {
			flags_to_frame(j, v);
		} else if (home && home <= 16) {
			unsigned r = temp_gpr(j);
			x_mov_rr(&j->c, OPW, r, home - 1);
			put_reg(j, v, false, r);
			j->lock_gpr &= ~BIT(r);
		} else if (home) {
			unsigned r = temp_xmm(j);
			x_vrr(&j->c, V_MOVAPS, r, 0, home - 17);
			put_reg(j, v, true, r);
			j->lock_xmm &= ~BIT(r);
		} else if (is_gpr(j->r->insn[v].type)) {
			unsigned r = use_gpr(j, v);
			j->lock_gpr &= ~BIT(r);
		} else {
			unsigned r = use_xmm(j, v);
			j->lock_xmm &= ~BIT(r);
		}
		j->slot_copy[slot] = 0; /* nor may what was just loaded from there be put back */
		v = next;
	}
}

void get_slot(struct jit *j, u32 v, unsigned slot)
{
	lazy_flush(j, slot);
	put_slot(j, v, slot);
}

static void store_slot(struct jit *j, unsigned slot, u32 v)
{
	struct x64_mem m = slot_mem(j, slot);
	enum ir_type type = slot >= j->r->n_slot ? j->r->local[slot - j->r->n_slot] : j->r->slot[slot].type;
	unsigned size = ir_type_size(type);
	u64 k;
	if (is_gpr(type)) {
		u32 w = size == 8 ? OPW : 0;
		if (const_of(j, v, &k) && j->val[v].at != AT_GPR && size >= 4 &&
		    (size == 4 || (i64)k == (i32)k)) {
			x_rm(&j->c, w | 0xc7, 0, m);
			x_32(&j->c, k);
			return;
		}
		unsigned r = use_gpr(j, v);
		if (type == TY_I1 &&
		    !(j->val[v].flags & VF_ZERO_UPPER)) { /* bit 0 alone, without touching the flags */
			unsigned t = temp_gpr(j);
			x_mov_ri(&j->c, t, 1);
			x_vrr(&j->c, X_PEXT, t, r, t);
			r = t;
		}
		u32 op = size == 1 ? 0x88 | OPB : size == 2 ? P66 | 0x89 : w | X_MOV_STORE;
		x_rm(&j->c, op, r, m);
		return;
	}
	unsigned r = use_xmm(j, v);
	if (size > 8)
		x_vrm(&j->c, V_MOVAPS_STORE, r, 0, m);
	else if (size == 8)
		x_vrm(&j->c, V_MOVQ_STORE, r, 0, m);
	else if (size == 4)
		x_vrm(&j->c, V_MOVD_STORE, r, 0, m);
	else {
		x_vrm(&j->c, V_PEXTRW, r, 0, m);
		x_byte(&j->c, 0);
	}
}

void flags_at_slot(struct jit *j, u32 v, unsigned slot)
{
	for (u32 i = 0; i < j->n_ef; i++)
		if (j->ef[i] == v)
			j->ef[i] = j->ef[--j->n_ef];
	put_slot(j, v, slot);
}

static void set_flags_slot(struct jit *j, unsigned slot, u32 v)
{
	struct val *x = &j->val[v];
	if (x->at == AT_SLOT && x->slot == slot)
		return;
	for (u32 u = j->slot_vals[slot], next; u; u = next) { /* older flags that are still needed */
		next = j->val[u].next;
		if (j->val[u].last > j->now) {
			flags_to_frame(j, u);
		} else {
			forget(j, u);
		}
	}
	flags_store(j, v, slot_mem(j, slot));
}

/* A slot was set to v: when that is a word extended, the word lies there too, and needs no register of its own. */
static void with_word(struct jit *j, unsigned slot, u32 v)
{
	const struct ir_insn *in = &j->r->insn[v];
	struct val *word = &j->val[in->a];
	if ((in->op != IR_SEXT && in->op != IR_ZEXT) || in->type != TY_I64 ||
	    j->r->insn[in->a].type != TY_I32 || word->last <= j->now ||
	    word->flags & (VF_MERGE | VF_PLACED) || word->at != AT_GPR)
		return;
	if (j->slot_home[slot]) {
		put_slot(j, in->a, slot);
		word->flags &= ~VF_ZERO_UPPER;
	} else if (dies(j, v)) {
		note_copy(j, in->a, slot);
	}
}

/* A home's register becomes a constant; the host's flags last as far as they are needed. */
static void set_const(struct jit *j, unsigned reg, u64 k)
{
	if (k || j->compared || flags_needed(j)) {
		x_mov_ri(&j->c, reg, k);
		return;
	}
	flags_clobber(j);
	x_rr(&j->c, X_ALU(X_XOR), reg, reg);
}

void set_slot(struct jit *j, unsigned slot, u32 v)
{
	struct val *x = &j->val[v];
	if (j->r->insn[v].type == TY_FLAGS) {
		set_flags_slot(j, slot, v);
		return;
	}
	unsigned home = j->slot_home[slot];
	bool other = false; /* does it lie in the memory of another slot? */
	if (x->at == AT_SLOT && x->slot == slot) { /* it is there already */
		lazy_drop(j, slot);
		return;
	}
	if (x->flags & VF_PLACED && x->hint == slot) { /* computed into the home */
		for (u32 u = j->slot_vals[slot], next; u; u = next) {
			next = j->val[u].next;
			forget(j, u);
		}
		u32 n = j->n_live;
		for (u32 i = 0; i < n;
		     i++) { /* it, and what it was extended from or to: all in the slot now */
			struct val *u = &j->val[j->live[i]];
			if (!(u->flags & VF_PLACED) || u->hint != slot ||
			    (u->at != AT_GPR && u->at != AT_XMM))
				continue;
			u->flags &= ~VF_PLACED;
			put_slot(j, j->live[i], slot);
		}
		lazy_drop(j, slot);
		if (home <= 16)
			j->placed &= ~BIT(home - 1);
		with_word(j, slot, v);
		return;
	}
	if (lazy_set(j, slot, v))
		return;
	if (home && home <= 16) { /* the operand first: it may lie in what is saved */
		u64 k;
		struct x64_mem m;
		bool constant = const_of(j, v, &k) && x->at != AT_GPR;
		other = x->at == AT_SLOT && j->r->insn[v].type == TY_I64 && in_memory(j, v, &m);
		unsigned r = constant || other ? 0 : use_gpr(j, v);
		slot_changed(j, slot);
		if (constant)
			set_const(j, home - 1, k);
		else if (other)
			x_rm(&j->c, OPW | X_MOV_LOAD, home - 1, m);
		else if (r != home - 1u)
			x_mov_rr(&j->c, OPW, home - 1, r);
	} else if (home) {
		unsigned r = use_xmm(j, v);
		slot_changed(j, slot);
		if (r != home - 17u)
			x_vrr(&j->c, V_MOVAPS, home - 17, 0, r);
	} else {
		u64 k;
		if (!const_of(j, v, &k)) {
			if (is_gpr(j->r->insn[v].type))
				use_gpr(j, v);
			else
				use_xmm(j, v);
		}
		slot_changed(j, slot);
		store_slot(j, slot, v);
		note_copy(j, v, slot);
		with_word(j, slot, v);
		return;
	}
	/* from now on it lives in the home: its own register is free */
	if (x->last > j->now && (x->at != AT_SLOT || other) && !(x->flags & (VF_MERGE | VF_PLACED)))
		put_slot(j, v, slot);
	with_word(j, slot, v);
}

static void bury(struct jit *j)
{
	u32 n = 0;
	j->next_death = ~0u;
	for (u32 i = 0; i < j->n_live; i++) {
		u32 v = j->live[i];
		struct val *x = &j->val[v];
		if (x->at == AT_NONE) {
			x->listed = false;
			continue;
		}
		if (!needed(j, v)) {
			if (x->frame >= 0 && !(x->flags & VF_MERGE)) {
				j->frame_used &= ~BIT(x->frame);
				x->frame = -1;
			}
			forget(j, v);
			x->listed = false;
			continue;
		}
		if (x->last > j->now)
			j->next_death = MIN(j->next_death, x->last);
		j->live[n++] = v;
	}
	j->n_live = n;
}

void kill_dead(struct jit *j)
{
	if (j->next_death <= j->now)
		bury(j);
	j->lock_gpr = j->lock_xmm = 0;
	if (j->lent[0])
		take_back(j, false);
	if (j->lent[1])
		take_back(j, true);
}

void cut_lives(struct jit *j, const struct blk *b)
{
	for (u32 i = 0; i < j->n_live; i++)
		cut_life(j, b, j->live[i]);
	kill_dead(j);
}

void spill_all(struct jit *j)
{
	for (unsigned r = 0; r < 16; r++) {
		u32 v = j->gpr[r];
		if (v && v != HOME)
			spill(j, v);
		v = j->xmm[r];
		if (v && v != HOME)
			spill(j, v);
	}
}

void alloc_reset(struct jit *j)
{
	for (u32 i = 0; i < j->n_live; i++) {
		u32 v = j->live[i];
		struct val *x = &j->val[v];
		bool keep = x->flags & VF_MERGE && x->frame >= 0;
		forget(j, v);
		if (keep)
			x->at = j->r->insn[v].type == TY_FLAGS ? AT_FLMEM : AT_FRAME;
		x->flags &= ~VF_PLACED;
	}
	lazy_forget(j);
	u32 n = 0;
	for (u32 i = 0; i < j->n_live; i++) {
		j->val[j->live[i]].listed = j->val[j->live[i]].at != AT_NONE;
		if (j->val[j->live[i]].listed)
			j->live[n++] = j->live[i];
	}
	j->n_live = n;
	j->n_ef = j->compared = 0;
	j->frame_used = j->frame_kept;
	j->lock_gpr = j->lock_xmm = 0;
	forget_copies(j);
}

void snap_take(struct jit *j, struct blk *b)
{
	j->snap = grow(j->snap, &j->snap_cap, j->n_snap + j->n_live, sizeof(*j->snap));
	b->has_snap = true;
	b->snap = j->n_snap;
	for (u32 i = 0; i < j->n_live; i++) {
		const struct val *x = &j->val[j->live[i]];
		if (x->at != AT_NONE)
			j->snap[j->n_snap++] = (struct snap_val){ j->live[i], x->slot,	x->frame, x->at,
								  x->reg,     x->flags, x->fkind, x->cc };
	}
	b->n_snap = j->n_snap - b->snap;
}

void snap_give(struct jit *j, const struct blk *b)
{
	const struct snap_val *first = j->snap + b->snap, *end = first + b->n_snap;
	for (u32 i = 0; i < j->n_live; i++) {
		forget(j, j->live[i]);
		j->val[j->live[i]].listed = false;
	}
	lazy_forget(j);
	for (const struct snap_val *s = first; s < end; s++)
		cut_life(j, b, s->v);
	lazy_give(j, b);
	j->n_live = j->n_ef = j->compared = 0;
	j->lock_gpr = j->lock_xmm = 0;
	j->frame_used = j->frame_kept;
	forget_copies(j);
	for (const struct snap_val *s = first; s < end; s++) {
		u32 v = s->v;
		struct val *x = &j->val[v];
		if (!needed(j, v) && !(s->flags & VF_MERGE))
			continue;
		x->frame = s->frame;
		x->flags = s->flags;
		x->fkind = s->fkind;
		x->cc = s->cc;
		if (x->frame >= 0)
			j->frame_used |= BIT(x->frame);
		switch (s->at) {
		case AT_GPR:
			put_reg(j, v, false, s->reg);
			break;
		case AT_XMM:
			put_reg(j, v, true, s->reg);
			break;
		case AT_SLOT:
			put_slot(j, v, s->slot);
			break;
		default:
			enliven(j, v);
			x->at = s->at;
			if (x->at == AT_FLAGS || x->at == AT_CC)
				j->ef[j->n_ef++] = v;
		}
	}
}
