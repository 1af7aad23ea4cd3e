/*
 * Slots that are set later. In code that runs often, a SET of an integer slot makes no code: the slot is "pending" with the value, wherever that
 * is, until something has to find it in its place (the slot's home, or the CPU state): a way out, a block that several lead to, a call. What is
 * set again before that was never stored; what is only needed on a way out is stored there. A home whose slot is pending holds nothing of
 * use: its register serves for values meanwhile ("away").
 *
 * A word that is extended only for slots' sake is not: it is AT_WAIT, which is what it is extended from.
 *
 * Accesses of guest memory may fault, and then the slots must be exact. So for each such place a table behind the region's code says which
 * slots are pending with what, and host_fault puts them where they belong before it leaves.
 */
#include "translate/host/x64/jit.h"
#include <ucontext.h>

enum from { FROM_HOME, FROM_GPR, FROM_STATE, FROM_CONST };

/* Where a slot is to be found, in place of where it belongs. */
struct found {
	u64 at; /* register; offset in the CPU state; the constant */
	u32 state : 24; /* offset of the slot in the CPU state */
	u32 count : 8;
	u8 slot, from;
	u8 home; /* the register that it belongs in + 1; 0: the CPU state */
	u8 shift : 2, wide : 1,
	    extend : 2; /* what is to be done: a shift by count, of 64 bits or 32, and a word extended */
};
_Static_assert(sizeof(struct found) == 16, "there are many");

enum shift { SHIFT_NONE, SHIFT_LEFT, SHIFT_RIGHT, SHIFT_SIGNED };
enum extend { EXTEND_NONE, EXTEND_SIGNED, EXTEND_ZERO };

/* What changed since the list before. */
struct found_list {
	u32 before; /* number of that list's first byte + 1; 0: none */
	u32 n;
	struct found found[];
};

/* Behind the code: the table, whose sites are sorted, and behind that the lists. */
struct found_table {
	u32 n, pad;
	struct found_site site[];
};

void lazy_start(struct jit *j)
{
	const u16 *hot = j->job->hot_int;
	j->lazy = !j->job->counts && !j->job->link_bits;
	j->pend = jit_zeroes(j, (j->n_slot + 1) * sizeof(*j->pend));
	j->pending = jit_mem(j, (j->n_slot + 1) * sizeof(*j->pending));
	j->deferrable = jit_zeroes(j, j->n_slot + 1);
	if (!j->lazy)
		return;
	j->told = jit_zeroes(j, (j->n_slot + 1) * sizeof(*j->told));
	j->dying = jit_mem(j, (j->n_slot + 1) * sizeof(*j->dying));
	j->next_touch = jit_mem(j, (j->n_slot + 1) * sizeof(*j->next_touch));
	j->death = jit_mem(j, (j->r->n_insn + 2) * sizeof(*j->death));
	j->barrier = jit_mem(j, (j->r->n_insn + 2) * sizeof(*j->barrier));
	for (; hot && *hot != NO_SLOT; hot++)
		j->deferrable[*hot] = *hot < j->r->n_slot && *hot < 0xff && j->r->slot[*hot].type == TY_I64;
}

/* ---- what is pending ---- */
/* Is it still needed, by this instruction or later? */
static bool wanted(const struct jit *j, u32 v)
{
	return j->val[v].last >= j->now || j->val[v].pins;
}

/* The slot's place will change: values that lie there go elsewhere, also those that this instruction uses. */
static void vacate(struct jit *j, unsigned slot)
{
	j->now--;
	slot_changed(j, slot);
	j->now++;
}

static void pin(struct jit *j, u32 v)
{
	j->val[v].pins += j->r->insn[v].op != IR_CONST;
}

void unpin(struct jit *j, u32 v)
{
	if (j->r->insn[v].op != IR_CONST && !--j->val[v].pins && j->val[v].last <= j->now)
		j->next_death = 0;
}

static void drop(struct jit *j, unsigned slot)
{
	u32 v = j->pend[slot];
	if (!v)
		return;
	j->pend[slot] = 0;
	for (u32 i = 0; i < j->n_pending; i++)
		if (j->pending[i] == slot)
			j->pending[i] = j->pending[--j->n_pending];
	unpin(j, v);
}

void lazy_drop(struct jit *j, unsigned slot)
{
	drop(j, slot);
}

bool lazy_set(struct jit *j, unsigned slot, u32 v)
{
	const struct val *x = &j->val[v];
	if (!j->deferrable[slot])
		return false;
	if (x->at == AT_CC || x->at == AT_USE)
		use_gpr(j, v);
	pin(j, v);
	drop(j, slot);
	j->pend[slot] = v;
	j->pending[j->n_pending++] = slot;
	return true;
}

bool lazy_wait(struct jit *j, const struct ir_insn *in, u32 v)
{
	const struct val *operand = &j->val[in->a];
	if (operand->flags & VF_PLACED || operand->at == AT_CC || operand->at == AT_USE ||
	    operand->at == AT_NONE)
		return false;
	put_at(j, v, AT_WAIT);
	pin(j, in->a);
	return true;
}

bool lazy_part(struct jit *j, const struct ir_insn *in, u32 v)
{
	const struct val *x = &j->val[v], *whole = &j->val[in->a];
	if (!j->lazy || in->type != TY_I32 || j->r->insn[in->a].type != TY_I64 || x->flags & VF_MERGE ||
	    whole->flags & VF_PLACED || (whole->at != AT_GPR && whole->at != AT_FRAME))
		return false;
	put_at(j, v, AT_PART);
	pin(j, in->a);
	j->val[v].flags &= ~VF_ZERO_UPPER;
	return true;
}

/* Does a value that is still needed lie where the slot belongs? */
static bool taken(const struct jit *j, unsigned slot)
{
	for (u32 u = j->slot_vals[slot]; u; u = j->val[u].next)
		if (wanted(j, u))
			return true;
	return false;
}

/* ---- registers ---- */
void lazy_block(struct jit *j, const struct blk *x)
{
	if (j->lazy)
		plan_deaths(j, x);
}

/* What is pending may be all that values lie in the frame for. */
void lazy_spare_frame(struct jit *j)
{
	enum { SPARE = 12 };
	if (j->n_pending && FRAME_SLOTS - __builtin_popcountll(j->frame_used) < SPARE)
		lazy_flush_all(j);
}

void lazy_touched(struct jit *j, unsigned slot, u32 pos)
{
	if (j->deferrable[slot])
		j->dying[slot] = j->death[pos];
}

/* Will nobody look at what lies where the slot belongs? */
static bool useless(const struct jit *j, unsigned slot)
{
	const struct death *d = &j->dying[slot];
	return (j->pend[slot] || (d->behind < j->now && j->now < d->until)) && !taken(j, slot);
}

int lazy_room(struct jit *j, u32 locked)
{
	for (unsigned r = 0; j->lazy && r < 16; r++) {
		unsigned slot = j->home[0][r];
		if (slot == NO_SLOT || j->gpr[r] != HOME || (locked | j->placed) & BIT(r) ||
		    !j->deferrable[slot] || !useless(j, slot))
			continue;
		while (j->slot_vals[slot])
			forget(j, j->slot_vals[slot]);
		j->gpr[r] = 0;
		j->away |= BIT(r);
		return (int)r;
	}
	return -1;
}

/* Makes a home that serves for values be its slot's again. */
static void call_back(struct jit *j, unsigned r, u32 v)
{
	u32 other = j->gpr[r];
	if (!(j->away & BIT(r)))
		return;
	if (other && other != v) {
		u32 locked = j->lock_gpr;
		j->lock_gpr &= ~BIT(r);
		take_gpr(j, r);
		j->lock_gpr = locked;
	}
	j->gpr[r] = HOME;
	j->away &= ~BIT(r);
}

/* Of a value that waits: is it a word extended? */
static bool extends(const struct ir_insn *in)
{
	return in->op == IR_SEXT || in->op == IR_ZEXT;
}

static u32 extension(const struct ir_insn *in)
{
	return in->op == IR_SEXT ? X_MOVSXD : X_MOV_LOAD;
}

/* Extends a word in its own register: what is above a word does not count. */
static void extend_in_place(struct jit *j, const struct ir_insn *in)
{
	struct val *word = &j->val[in->a];
	if (in->op == IR_ZEXT && word->flags & VF_ZERO_UPPER)
		return;
	x_rr(&j->c, extension(in), word->reg, word->reg);
	word->flags &= ~VF_ZERO_UPPER;
	word->flags |= in->op == IR_ZEXT ? VF_ZERO_UPPER : 0;
}

unsigned lazy_compute(struct jit *j, u32 v)
{
	static const u8 kinds[] = { [IR_SHL - IR_SHL] = 4, [IR_SHR - IR_SHL] = 5, [IR_SAR - IR_SHL] = 7 };
	const struct ir_insn *in = &j->r->insn[v];
	u32 op = extends(in) ? extension(in) : X_MOV_LOAD | (in->type == TY_I64 ? OPW : 0);
	struct x64_mem m;
	unsigned r;
	if (in_memory(j, in->a, &m)) {
		r = temp_gpr(j);
		x_rm(&j->c, op, r, m);
	} else {
		unsigned a = use_gpr(j, in->a);
		r = temp_gpr(j);
		x_rr(&j->c, op, r, a);
	}
	put_reg(j, v, false, r);
	j->val[v].flags &= ~VF_ZERO_UPPER;
	if (in->op == IR_ZEXT || in->type == TY_I32)
		j->val[v].flags |= VF_ZERO_UPPER;
	if (!extends(in)) {
		j->now--; /* the instruction that this is done before may use the host's flags */
		flags_clobber(j);
		j->now++;
		x_shift_ri(&j->c, kinds[in->op - IR_SHL], op & OPW, r,
			   j->r->insn[in->b].imm & (ir_bits(in->type) - 1));
	}
	return r;
}

/* A shift that waits is computed; a word extended goes on waiting, but not for a shift. */
static void compute_shift(struct jit *j, u32 v)
{
	const struct ir_insn *in = &j->r->insn[v];
	if (j->val[v].at != AT_WAIT)
		return;
	if (extends(in))
		compute_shift(j, in->a);
	else
		lazy_compute(j, v);
}

/* ---- to where they belong ---- */
static void to_home(struct jit *j, unsigned r, u32 v)
{
	const struct ir_insn *in = &j->r->insn[v];
	bool ext = j->val[v].at == AT_WAIT;
	u32 op = ext ? extension(in) : OPW | X_MOV_LOAD, from = ext ? in->a : v;
	struct x64_mem m;
	u64 k;
	if (const_of(j, v, &k))
		x_mov_ri(&j->c, r, k);
	else if (in_memory(j, from, &m))
		x_rm(&j->c, op, r, m);
	else if (ext || j->val[v].at != AT_GPR || j->val[v].reg != r)
		x_rr(&j->c, op, r, use_gpr(j, from));
}

/* A value that was in register r is where the slot belongs now, if anybody wants it. */
static void settle(struct jit *j, u32 v, unsigned slot)
{
	struct val *x = &j->val[v];
	if (!wanted(j, v)) {
		forget(j, v);
	} else {
		x->flags &= ~VF_ZERO_UPPER;
		put_slot(j, v, slot);
	}
}

static void flush_to_home(struct jit *j, unsigned slot, u32 v)
{
	unsigned r = j->slot_home[slot] - 1u;
	u32 from = j->val[v].at == AT_WAIT ? j->r->insn[v].a : v;
	bool here = j->val[from].at == AT_GPR && j->val[from].reg == r;
	call_back(j, r, from);
	if (!here)
		vacate(j, slot);
	j->lock_gpr |= BIT(r);
	to_home(j, r, v);
	drop(j, slot);
	if (here)
		settle(j, from, slot);
	if ((from != v || !here) && j->r->insn[v].op != IR_CONST && j->val[v].at != AT_SLOT &&
	    !(j->val[v].flags & (VF_MERGE | VF_PLACED)))
		settle(j, v, slot);
}

static void flush_to_state(struct jit *j, unsigned slot, u32 v)
{
	const struct ir_insn *in = &j->r->insn[v];
	u64 k;
	vacate(j, slot);
	if (const_of(j, v, &k) && (i64)k == (i32)k) {
		x_rm(&j->c, OPW | 0xc7, 0, slot_mem(j, slot));
		x_32(&j->c, k);
		drop(j, slot);
	} else if (j->val[v].at == AT_WAIT && j->val[in->a].at == AT_GPR &&
		   !(j->val[in->a].flags & VF_PLACED)) {
		extend_in_place(j, in);
		x_rm(&j->c, OPW | X_MOV_STORE, j->val[in->a].reg, slot_mem(j, slot));
		drop(j, slot);
		settle(j, v, slot);
	} else {
		x_rm(&j->c, OPW | X_MOV_STORE, use_gpr(j, v), slot_mem(j, slot));
		drop(j, slot);
		if (wanted(j, v))
			note_copy(j, v, slot);
		else if (!(j->val[v].flags & VF_PLACED))
			forget(j, v);
	}
}

void lazy_flush(struct jit *j, unsigned slot)
{
	u32 v = j->pend[slot], locked = j->lock_gpr;
	if (!v)
		return;
	compute_shift(j, v);
	if (j->slot_home[slot])
		flush_to_home(j, slot, v);
	else
		flush_to_state(j, slot, v);
	j->lock_gpr = locked;
}

/* May the slot be put where it belongs without moving anything else? */
static bool ready(const struct jit *j, unsigned slot)
{
	u32 v = j->pend[slot], r = j->slot_home[slot] - 1u;
	if (j->val[v].at == AT_WAIT)
		v = j->r->insn[v].a;
	return !taken(j, slot) && (r >= 16 || !(j->away & BIT(r)) || !j->gpr[r] || j->gpr[r] == v);
}

void lazy_flush_all(struct jit *j)
{
	while (j->n_pending) {
		u32 i = 0;
		while (i < j->n_pending && !ready(j, j->pending[i]))
			i++;
		lazy_flush(j, j->pending[i < j->n_pending ? i : 0]);
	}
}

/* The register of v shall be free, and v or its extension is pending: that goes to the CPU state, where it belongs. False: not there. */
bool lazy_store(struct jit *j, u32 v)
{
	const struct cold *last = j->n_cold ? &j->cold[j->n_cold - 1] : NULL;
	if (!j->val[v].pins || j->val[v].at != AT_GPR || j->val[v].frame >= 0 ||
	    (last && last->kind == COLD_SLOW && last->insn == j->cur))
		return false;
	for (u32 i = 0; i < j->n_pending; i++) {
		unsigned slot = j->pending[i];
		u32 u = j->pend[slot];
		bool ext = j->val[u].at == AT_WAIT && j->r->insn[u].a == v && extends(&j->r->insn[u]);
		if ((u != v && !ext) || j->slot_home[slot] || taken(j, slot))
			continue;
		if (ext)
			extend_in_place(j, &j->r->insn[u]);
		vacate(j, slot);
		x_rm(&j->c, OPW | X_MOV_STORE, j->val[v].reg, slot_mem(j, slot));
		drop(j, slot);
		if (ext)
			settle(j, u, slot);
		settle(j, v, slot);
		return true;
	}
	return false;
}

/* ---- ways that part ---- */
void lazy_forget(struct jit *j)
{
	for (u32 i = 0; i < j->n_live; i++)
		j->val[j->live[i]].pins = 0;
	for (u32 i = 0; i < j->n_pending; i++)
		j->pend[j->pending[i]] = 0;
	for (unsigned r = 0; r < 16; r++)
		if (j->away & BIT(r))
			j->gpr[r] = HOME;
	j->n_pending = j->away = j->placed = 0;
	if (j->list)
		memset(j->told, 0, j->n_slot * sizeof(*j->told));
	j->list = 0;
}

void lazy_give(struct jit *j, const struct blk *b)
{
	for (const struct snap_val *s = j->snap + b->snap, *end = s + b->n_snap; s < end; s++)
		if (s->at == AT_PART && needed(j, s->v))
			pin(j, j->r->insn[s->v].a);
}

/* ---- where they are when an access faults ---- */
static struct found find(struct jit *j, unsigned slot)
{
	u32 v = j->pend[slot];
	struct found f = { .slot = slot, .state = j->r->slot[slot].offset, .home = j->slot_home[slot] };
	const struct ir_insn *in = &j->r->insn[v];
	struct x64_mem m;
	if (!v) /* all zero: never told of. Else it is said that it is where it belongs again */
		return j->told[slot].from ? f : j->told[slot];
	if (const_of(j, v, &f.at)) {
		f.from = FROM_CONST;
		return f;
	}
	if (j->val[v].at == AT_WAIT && extends(in)) {
		f.extend = in->op == IR_SEXT ? EXTEND_SIGNED : EXTEND_ZERO;
		v = in->a;
		in = &j->r->insn[v];
	}
	if (j->val[v].at == AT_WAIT) {
		f.shift = SHIFT_LEFT + (in->op - IR_SHL);
		f.wide = in->type == TY_I64;
		f.count = j->r->insn[in->b].imm & (ir_bits(in->type) - 1);
		v = in->a;
	}
	if (j->val[v].at == AT_PART)
		v = j->r->insn[v].a;
	const struct val *x = &j->val[v];
	if (in_memory(j, v, &m)) {
		f.from = FROM_STATE;
		f.at = (u32)(m.disp + STATE_BIAS);
	} else {
		f.from = FROM_GPR;
		f.at = x->at == AT_GPR ? x->reg : j->slot_home[x->slot] - 1u;
	}
	return f;
}

/* Puts a record behind the lists. */
static void append(struct jit *j, const void *p, size_t size)
{
	j->lists = grow(j->lists, &j->lists_cap, j->n_lists + size, 1);
	memcpy(j->lists + j->n_lists, p, size);
	j->n_lists += size;
}

void lazy_site(struct jit *j)
{
	if (!j->lazy || (!j->n_pending && !j->list))
		return;
	u32 at = j->n_lists, n = 0;
	append(j, &(struct found_list){ .before = j->list }, sizeof(struct found_list));
	for (const u16 *hot = j->job->hot_int; *hot != NO_SLOT; hot++) {
		struct found f = { 0 };
		if (j->deferrable[*hot])
			f = find(j, *hot);
		if (memcmp(&f, &j->told[*hot], sizeof(f)) == 0)
			continue;
		j->told[*hot] = f;
		append(j, &f, sizeof(f));
		n++;
	}
	if (n) {
		((struct found_list *)(j->lists + at))->n = n;
		j->list = at + 1;
	} else {
		j->n_lists = at;
	}
	j->found_site = grow(j->found_site, &j->found_site_cap, j->n_found + 1, sizeof(*j->found_site));
	j->found_site[j->n_found++] = (struct found_site){ j->c.p - j->c.start, j->list };
}

void lazy_emit(struct jit *j)
{
	struct found_table table = { .n = j->n_found };
	size_t sites = j->n_found * sizeof(*j->found_site);
	if (!j->n_found)
		return;
	while ((uintptr_t)j->c.p & 15)
		x_byte(&j->c, 0xcc);
	if (j->c.end - j->c.p < (ptrdiff_t)(sizeof(table) + sites + j->n_lists + 64)) {
		j->c.full = true;
		return;
	}
	u32 at = (u32)(j->c.p - j->c.start);
	memcpy(j->leave - sizeof(at), &at,
	       sizeof(at)); /* before all that faults may be given as their way out */
	for (u32 i = 0; i < j->n_mend; i++)
		memcpy(j->c.start + j->mend[i].at - sizeof(at), &at, sizeof(at));
	memcpy(j->c.p, &table, sizeof(table));
	memcpy(j->c.p + sizeof(table), j->found_site, sites);
	memcpy(j->c.p + sizeof(table) + sites, j->lists, j->n_lists);
	j->c.p += sizeof(table) + sites + j->n_lists;
}

/* ---- the fault: all from here on is async-signal-safe ---- */
static greg_t *host_reg(greg_t *g, u64 n)
{
	static const u8 places[16] = {
		REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
		REG_R8,	 REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15
	};
	return &g[places[n & 15]];
}

static u64 shifted(u64 n, const struct found *f)
{
	switch (f->shift) {
	case SHIFT_LEFT:
		return n << f->count;
	case SHIFT_RIGHT:
		return (f->wide ? n : (u32)n) >> f->count;
	case SHIFT_SIGNED:
		return (u64)((f->wide ? (i64)n : (i32)n) >> f->count);
	}
	return n;
}

static u64 fetch(greg_t *g, const struct found *f, const u8 *state)
{
	u64 n = f->at;
	if (f->from == FROM_GPR)
		n = (u64)*host_reg(g, f->at);
	else if (f->from == FROM_STATE)
		memcpy(&n, state + f->at, sizeof(n));
	n = shifted(n, f);
	return f->extend == EXTEND_SIGNED ? (u64)(i64)(i32)n : f->extend == EXTEND_ZERO ? (u32)n : n;
}

/* The list of the site at this offset + 1; 0: none. */
static u32 list_at(const struct found_table *t, u32 at)
{
	u32 lo = 0, hi = t->n;
	while (lo < hi) {
		u32 mid = (lo + hi) / 2;
		if (t->site[mid].at < at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < t->n && t->site[lo].at == at ? t->site[lo].list : 0;
}

void lazy_fault(const u8 *code, u32 table, void *ucontext)
{
	greg_t *g = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
	const struct found_table *t = (const void *)(code + table);
	const u8 *lists = (const u8 *)&t->site[t->n];
	u8 *state = (u8 *)(uintptr_t)g[REG_RBP] - STATE_BIAS;
	const struct found *found[256] = { 0 };
	u64 value[256];
	const struct found_list *l;
	for (u32 at = list_at(t, (u32)((uintptr_t)g[REG_RIP] - (uintptr_t)code)); at; at = l->before) {
		l = (const void *)(lists + at - 1);
		for (u32 i = 0; i < l->n; i++)
			if (!found[l->found[i].slot]) /* the latest of a slot counts */
				found[l->found[i].slot] = &l->found[i];
	}
	for (unsigned s = 0; s < 256; s++) /* all of them first: one may lie where another belongs */
		value[s] = found[s] ? fetch(g, found[s], state) : 0;
	for (unsigned s = 0; s < 256; s++) {
		if (!found[s] || found[s]->from == FROM_HOME)
			continue;
		if (found[s]->home)
			*host_reg(g, found[s]->home - 1) = (greg_t)value[s];
		else
			memcpy(state + found[s]->state, &value[s], sizeof(value[s]));
	}
}
