/*
 * Guest memory in user mode: direct accesses. Guests of 64 bits: at the guest's address. Guests of 32 bits: in a window of 4 GiB and a little
 * more that GS begins at, with the address computed in 32 bits (prefix 67), so that it wraps and needs no check.
 */
#include "translate/host/x64/jit.h"

void site(struct jit *j)
{
	struct host_job *job = j->job;
	lazy_site(j);
	job->site = grow(job->site, &job->site_cap, job->n_site + 1, sizeof(*job->site));
	job->site[job->n_site++] =
	    (struct host_site){ j->c.p - j->c.start, job->link_bits ? 0 : j->insn_pc - j->r->pc,
				mend_number(j) };
}

/* The memory operand for a guest address: parts that are computed where they are used become base, index and displacement. */
static struct x64_mem guest_mem(struct jit *j, u32 addr, i64 disp)
{
	const struct ir_insn *in = &j->r->insn[addr];
	bool narrow = in->type == TY_I32;
	struct x64_mem m = { NOREG, NOREG, 0, 0, narrow ? WINDOW_32 : NO_WINDOW };
	u64 k;
	j->mem_base = 0;
	if (j->val[addr].at == AT_USE && in->op == IR_ADD) {
		i64 sum = const_of(j, in->b, &k) ? (narrow ? (i32)k : (i64)k) + disp : INT64_MAX;
		if (sum == (i32)sum) {
			disp = sum;
			addr = in->a;
		} else {
			const struct ir_insn *shift = &j->r->insn[in->b];
			m.base = use_gpr(j, in->a);
			if (j->val[in->b].at == AT_USE && shift->op == IR_SHL) {
				const_of(j, shift->b, &k);
				m.index = use_gpr(j, shift->a);
				m.scale = k;
			} else {
				m.index = use_gpr(j, in->b);
			}
			m.disp = disp;
			return m;
		}
	}
	m.base = use_gpr(j, addr);
	m.disp = disp;
	j->mem_base = addr;
	return m;
}

/* The same memory, its address in a register. */
static struct x64_mem at_reg(struct x64_mem m, unsigned reg)
{
	return (struct x64_mem){ .base = reg, .index = NOREG, .window = m.window };
}

/* As guest_mem, in at most one register: base and displacement. */
static struct x64_mem guest_mem1(struct jit *j, u32 addr, i64 disp)
{
	struct x64_mem m = guest_mem(j, addr, disp);
	if (m.index == NOREG)
		return m;
	unsigned t = temp_gpr(j);
	x_lea(&j->c, OPW, t, m);
	j->lock_gpr &= ~(BIT(m.base) | BIT(m.index));
	j->lock_gpr |= BIT(t);
	return at_reg(m, t);
}

/* An address that must be aligned: raises EV_ALIGN out of line. */
static void check_align(struct jit *j, const struct ir_insn *in, struct x64_mem *m)
{
	if (!in->mem.align)
		return;
	flags_clobber(j);
	bool within = in->mem.align == IR_WITHIN_16;
	unsigned t = temp_gpr(j), size = ir_type_size(in->mem.type);
	x_lea(&j->c, OPW, t, *m);
	x_rr(&j->c, 0xf6 | OPB, 0, t); /* test r8, imm8 */
	x_byte(&j->c, within ? size - 1 : (1u << in->mem.align) - 1);
	struct cold *c = cold_new(j, within ? COLD_WITHIN : COLD_EVENT, x_jcc(&j->c, XC_NE));
	c->event = EV_ALIGN;
	c->pc = j->insn_pc;
	c->a = t;
	c->b = in->op != IR_LD;
	c->dst = size;
	c->back = j->c.p;
	j->mem_base = 0;
	*m = at_reg(*m, t);
}

/* The integer type of a size: how values of other types travel. */
static enum ir_type int_of(unsigned size)
{
	return size == 1 ? TY_I8 : size == 2 ? TY_I16 : size == 4 ? TY_I32 : size == 8 ? TY_I64 : TY_I128;
}

/* What has no form of its own here: by the functions that interpreter and helpers use. */
static bool odd(struct jit *j, const struct ir_insn *in)
{
	struct ir_mem mem = in->mem;
	enum ir_type value = in->op == IR_LD ? (enum ir_type)in->type : j->r->insn[in->b].type;
	unsigned size = ir_type_size(mem.type);
	bool fast = is_gpr(value);
	if (size > 16 || size == 10)
		return true;
	switch (in->op) {
	case IR_LD:
		return !fast && ((mem.big_endian && size > 1) || mem.sign);
	case IR_ST:
		return !fast && mem.big_endian && size > 1;
	case IR_CAS:
		if (j->job->link_bits && (size == 16 || !mem.align))
			return true;
		return (mem.big_endian && size > 1) ||
		       (size == 16 ? mem.align < 4 || in->type != TY_I128
				   : !fast || !is_gpr(in->type) || !is_gpr(j->r->insn[in->c].type));
	default:
		if (j->job->link_bits && !mem.align && size > 1)
			return true;
		return (mem.big_endian && size > 1) || !fast || size == 16 || !is_gpr(in->type) ||
		       (mem.rmw >= RMW_MAXS && size < 4);
	}
}

static bool load(struct jit *j, const struct ir_insn *in, u32 v)
{
	struct ir_mem mem = in->mem;
	struct x64_mem m = guest_mem(j, in->a, mem.disp);
	check_align(j, in, &m);
	/* all places are found before the look-up, since what comes behind it may be left out */
	unsigned d = is_gpr(in->type) ? def_gpr(j, v) : def_xmm(j, v);
	u32 access = system_begin(j, in, &m);
	mem.type = int_of(ir_type_size(mem.type));
	if (!is_gpr(in->type)) {
		static const u32 op[TY_COUNT] = {
			[TY_I32] = V_MOVD_LOAD, [TY_I64] = V_MOVQ_LOAD, [TY_I128] = V_MOVDQU_LOAD
		};
		if (ir_type_size(mem.type) <= 2) {
			unsigned t = temp_gpr(j);
			site(j);
			x_rm(&j->c, mem.type == TY_I8 ? X_MOVZX8 : X_MOVZX16, t, m);
			x_vrr(&j->c, V_MOVD_LOAD, d, 0, t);
		} else {
			site(j);
			x_vrm(&j->c, op[mem.type], d, 0, m);
		}
		system_end(j, access, 16 + d);
		j->val[v].flags |= VF_ZERO_UPPER;
		return true;
	}
	u32 w = in->type == TY_I64 ? OPW : 0;
	if (mem.big_endian && mem.type != TY_I8) {
		site(j);
		x_rm(&j->c,
		     (mem.type == TY_I64   ? OPW
		      : mem.type == TY_I16 ? P66
					   : 0) |
			 MAP38 | 0xf0,
		     d, m); /* movbe */
		if (mem.type == TY_I16)
			x_rr(&j->c, (mem.sign ? w | X_MOVSX16 : X_MOVZX16), d, d);
		else if (mem.type == TY_I32 && mem.sign && w)
			x_rr(&j->c, X_MOVSXD, d, d);
	} else {
		site(j);
		switch (mem.type) {
		case TY_I8:
			x_rm(&j->c, mem.sign ? w | X_MOVSX8 : X_MOVZX8, d, m);
			break;
		case TY_I16:
			x_rm(&j->c, mem.sign ? w | X_MOVSX16 : X_MOVZX16, d, m);
			break;
		case TY_I32:
			x_rm(&j->c, mem.sign && w ? X_MOVSXD : X_MOV_LOAD, d, m);
			break;
		default:
			x_rm(&j->c, OPW | X_MOV_LOAD, d, m);
		}
	}
	system_end(j, access, d);
	j->val[v].flags &= ~VF_ZERO_UPPER;
	if (!w && (in->type == TY_I32 || !mem.sign))
		j->val[v].flags |= VF_ZERO_UPPER;
	return true;
}

static bool store_xmm(struct jit *j, const struct ir_insn *in, struct x64_mem m)
{
	unsigned r = use_xmm(j, in->b);
	u32 access = system_begin(j, in, &m);
	system_value(j, access, 16 + r, 0);
	site(j);
	switch (ir_type_size(in->mem.type)) {
	case 1:
		x_vrm(&j->c, V_PEXTRB, r, 0, m);
		x_byte(&j->c, 0);
		break;
	case 2:
		x_vrm(&j->c, V_PEXTRW, r, 0, m);
		x_byte(&j->c, 0);
		break;
	case 4:
		x_vrm(&j->c, V_MOVD_STORE, r, 0, m);
		break;
	case 8:
		x_vrm(&j->c, V_MOVQ_STORE, r, 0, m);
		break;
	case 16:
		x_vrm(&j->c, V_MOVDQU_STORE, r, 0, m);
		break;
	default:
		return false;
	}
	system_end(j, access, 0xff);
	return true;
}

static void fence(struct jit *j)
{
	flags_clobber(j);
	x_room(&j->c);
	x_byte(&j->c, 0xf0);
	x_alu_mi(&j->c, X_OR, 0, x_mem(RSP, -64), 0);
}

static bool store(struct jit *j, const struct ir_insn *in)
{
	struct ir_mem mem = in->mem;
	struct x64_mem m = guest_mem(j, in->a, mem.disp);
	enum ir_type type = j->r->insn[in->b].type;
	u64 k;
	check_align(j, in, &m);
	mem.type = int_of(ir_type_size(mem.type));
	if (!is_gpr(type)) {
		bool ok = store_xmm(j, in, m);
		if (mem.order & ORD_RELEASE)
			fence(j);
		return ok;
	}
	static const u32 plain[] = {
		[TY_I8] = OPB | 0x88, [TY_I16] = P66 | 0x89, [TY_I32] = 0x89, [TY_I64] = OPW | 0x89
	};
	static const u32 swap[] = {
		[TY_I8] = OPB | 0x86, [TY_I16] = P66 | 0x87, [TY_I32] = 0x87, [TY_I64] = OPW | 0x87
	};
	if (mem.order & ORD_RELEASE && mem.order != ORD_TSO &&
	    !mem.big_endian) { /* also before later acquiring loads */
		unsigned r = use_gpr(j, in->b);
		u32 access = system_begin(j, in, &m);
		unsigned t = temp_gpr(j);
		system_value(j, access, r, 0);
		x_mov_rr(&j->c, OPW, t, r);
		site(j);
		x_rm(&j->c, swap[mem.type], t, m);
		system_end(j, access, 0xff);
		j->lock_gpr &= ~BIT(t);
		return true;
	}
	if (mem.big_endian && mem.type != TY_I8) {
		unsigned r = use_gpr(j, in->b);
		u32 access = system_begin(j, in, &m);
		system_value(j, access, r, 0);
		site(j);
		x_rm(&j->c, (mem.type == TY_I64 ? OPW : mem.type == TY_I16 ? P66 : 0) | MAP38 | 0xf1, r, m);
		system_end(j, access, 0xff);
		if (mem.order & ORD_RELEASE)
			fence(j);
		return true;
	}
	if (const_of(j, in->b, &k) && mem.type >= TY_I32 && (mem.type == TY_I32 || (i64)k == (i32)k)) {
		u32 access = system_begin(j, in, &m);
		system_value(j, access, 0xff, k);
		site(j);
		x_rm(&j->c, (mem.type == TY_I64 ? OPW : 0) | 0xc7, 0, m);
		x_32(&j->c, k);
		system_end(j, access, 0xff);
		return true;
	}
	unsigned r = use_gpr(j, in->b);
	u32 access = system_begin(j, in, &m);
	system_value(j, access, r, 0);
	site(j);
	x_rm(&j->c, plain[mem.type], r, m);
	system_end(j, access, 0xff);
	return true;
}

static void lock(struct jit *j)
{
	x_room(&j->c);
	x_byte(&j->c, 0xf0);
}

static u32 sized(enum ir_type type, u32 byte_op, u32 op)
{
	return type == TY_I8 ? OPB | byte_op : type == TY_I16 ? P66 | op : type == TY_I64 ? OPW | op : op;
}

static u32 alu_store(enum ir_type type, unsigned alu)
{
	return sized(type, alu << 3, X_ALU_STORE(alu));
}

/*
 * Sixteen bytes: RBX and RSI are lent by the slots that live there, after a write that changes nothing has shown that the memory is
 * there, so that nothing faults while they are away.
 */
static bool cas16(struct jit *j, const struct ir_insn *in, u32 v, struct x64_mem m)
{
	flags_clobber(j);
	unsigned b = use_xmm(j, in->b), c = use_xmm(j, in->c);
	unsigned d = def_xmm_apart(j, v);
	j->lock_gpr |= BIT(m.base);
	if (m.base == RAX || m.base == RDX || m.base == RCX) {
		x_mov_rr(&j->c, OPW, R11, m.base);
		m.base = R11;
	}
	lock(j);
	site(j);
	j->job->site[j->job->n_site - 1].at--; /* the prefix belongs to it */
	x_alu_mi(&j->c, X_OR, OPW, m, 0);
	x_rm(&j->c, OPW | X_MOV_STORE, RBX, CPU(scratch[2]));
	x_rm(&j->c, OPW | X_MOV_STORE, RSI, CPU(scratch[3]));
	x_lea(&j->c, OPW, RSI, m);
	m = at_reg(m, RSI);
	x_vrr(&j->c, OPW | V_MOVD_STORE, b, 0, RAX);
	x_vrr(&j->c, OPW | V_PEXTRD, b, 0, RDX);
	x_byte(&j->c, 1);
	x_vrr(&j->c, OPW | V_MOVD_STORE, c, 0, RBX);
	x_vrr(&j->c, OPW | V_PEXTRD, c, 0, RCX);
	x_byte(&j->c, 1);
	lock(j);
	x_rm(&j->c, OPW | MAP0F | 0xc7, 1, m); /* cmpxchg16b */
	x_rm(&j->c, OPW | X_MOV_LOAD, RBX, CPU(scratch[2]));
	x_rm(&j->c, OPW | X_MOV_LOAD, RSI, CPU(scratch[3]));
	x_vrr(&j->c, OPW | V_MOVD_LOAD, d, 0, RAX);
	x_vrr(&j->c, OPW | V_PINSRD, d, d, RDX);
	x_byte(&j->c, 1);
	return true;
}

static void site_locked(struct jit *j)
{
	lock(j);
	site(j);
	j->job->site[j->job->n_site - 1].at--;
}

/* RAX is taken and the address of a locked access is in m: its parts are needed no more. There are few registers to spare here. */
static void lock_only(struct jit *j, const struct x64_mem *m)
{
	j->lock_gpr = BIT(RAX) | BIT(m->base);
	if (m->index != NOREG)
		j->lock_gpr |= BIT(m->index);
}

static bool cas(struct jit *j, const struct ir_insn *in, u32 v)
{
	enum ir_type type = in->mem.type;
	if (type == TY_I128) { /* all of the scratch registers at once */
		for (unsigned r = 0; r < 4; r++)
			take_gpr(j, (const u8[]){ RAX, RDX, RCX, R11 }[r]);
		j->lock_gpr = 0;
		struct x64_mem m = guest_mem1(j, in->a, in->mem.disp);
		check_align(j, in, &m);
		return cas16(j, in, v, m);
	}
	flags_clobber(j);
	take_gpr(j, RAX);
	struct x64_mem m = guest_mem1(j, in->a, in->mem.disp);
	check_align(j, in, &m);
	lock_only(j, &m);
	system_begin(j, in, &m);
	unsigned b = use_gpr(j, in->b), c = use_gpr(j, in->c);
	x_mov_rr(&j->c, OPW, RAX, b);
	site_locked(j);
	x_rm(&j->c, sized(type, MAP0F | 0xb0, MAP0F | 0xb1), c, m);
	if (j->val[v].uses) {
		put_reg(j, v, false, RAX);
		if (type == TY_I32)
			x_mov_rr(&j->c, 0, RAX, RAX);
		if (type < TY_I32)
			x_rr(&j->c, type == TY_I8 ? X_MOVZX8 | OPB : X_MOVZX16, RAX, RAX);
		j->val[v].flags |= VF_ZERO_UPPER;
	}
	return true;
}

/* old = [m]; loop: new = f(old, b); until nobody came between */
static bool rmw_loop(struct jit *j, const struct ir_insn *in, u32 v)
{
	enum ir_type type = in->mem.type;
	u32 w = type == TY_I64 ? OPW : 0;
	take_gpr(j, RAX);
	struct x64_mem m = guest_mem1(j, in->a, in->mem.disp);
	check_align(j, in, &m);
	lock_only(j, &m);
	system_begin(j, in, &m);
	unsigned b = use_gpr(j, in->b), t = temp_gpr(j);
	site(j);
	x_rm(&j->c, type == TY_I8 ? X_MOVZX8 : type == TY_I16 ? X_MOVZX16 : w | X_MOV_LOAD, RAX, m);
	u8 *again = j->c.p;
	switch (in->mem.rmw) {
	case RMW_AND:
	case RMW_OR:
	case RMW_XOR:
		x_mov_rr(&j->c, w, t, RAX);
		x_rr(&j->c,
		     w | X_ALU(in->mem.rmw == RMW_AND  ? X_AND
			       : in->mem.rmw == RMW_OR ? X_OR
						       : X_XOR),
		     t, b);
		break;
	case RMW_ANDN:
		x_vrr(&j->c, w | X_ANDN, t, b, RAX);
		break;
	default: {
		static const u8 keep[] = { XC_GE, XC_LE, XC_AE, XC_BE }; /* MAXS MINS MAXU MINU */
		x_mov_rr(&j->c, w, t, b);
		x_rr(&j->c, w | X_ALU(X_CMP), RAX, b);
		x_rr(&j->c, w | X_CMOV(keep[in->mem.rmw - RMW_MAXS]), t, RAX);
	}
	}
	site_locked(j);
	x_rm(&j->c, sized(type, MAP0F | 0xb0, MAP0F | 0xb1), t, m);
	x_patch(x_jcc(&j->c, XC_NE), again);
	if (j->val[v].uses) {
		put_reg(j, v, false, RAX);
		j->val[v].flags |= VF_ZERO_UPPER;
	}
	return true;
}

static bool rmw(struct jit *j, const struct ir_insn *in, u32 v)
{
	static const u8 direct[] = {
		[RMW_ADD] = X_ADD, [RMW_AND] = X_AND, [RMW_OR] = X_OR, [RMW_XOR] = X_XOR
	};
	enum ir_type type = in->mem.type;
	unsigned kind = in->mem.rmw;
	flags_clobber(j);
	bool add_or_xchg = kind == RMW_ADD || kind == RMW_XCHG;
	if (!add_or_xchg && (j->val[v].uses || kind == RMW_ANDN || kind >= RMW_MAXS))
		return rmw_loop(j, in, v);
	struct x64_mem m = guest_mem1(j, in->a, in->mem.disp);
	check_align(j, in, &m);
	system_begin(j, in, &m);
	unsigned b = use_gpr(j, in->b);
	if (!j->val[v].uses && kind != RMW_XCHG) {
		site_locked(j);
		x_rm(&j->c, alu_store(type, direct[kind]), b, m);
		return true;
	}
	unsigned d = temp_gpr(j);
	x_mov_rr(&j->c, OPW, d, b);
	site_locked(j);
	if (kind == RMW_XCHG)
		x_rm(&j->c, sized(type, 0x86, 0x87), d, m);
	else
		x_rm(&j->c, sized(type, MAP0F | 0xc0, MAP0F | 0xc1), d, m);
	if (j->val[v].uses) {
		put_reg(j, v, false, d);
		if (type < TY_I32)
			x_rr(&j->c, type == TY_I8 ? X_MOVZX8 | OPB : X_MOVZX16, d, d);
		j->val[v].flags |= VF_ZERO_UPPER;
	}
	return true;
}

/* Called by generated code: arguments address, value, value, struct ir_mem, IR operation. */
static u128 low_part(const union ir_val *v, unsigned size)
{
	u128 n = 0;
	memcpy(&n, v, size);
	return n;
}

static void access(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
	struct ir_mem mem;
	memcpy(&mem, &arg[3].u, sizeof(mem));
	u64 addr = arg[0].u;
	unsigned size = ir_type_size(mem.type);
	u8 buf[16] = { 0 }, swapped[16];
	ret->q = 0;
	switch (arg[4].u) {
	case IR_CAS:
		ret->q = cpu_cas(cpu, addr, size, low_part(&arg[1], size), low_part(&arg[2], size), mem);
		return;
	case IR_RMW:
		ret->q = cpu_rmw(cpu, addr, size, low_part(&arg[1], size), mem);
		return;
	case IR_LD:
		cpu_read(cpu, addr, buf, size, mem);
		for (unsigned i = 0; i < size; i++)
			swapped[i] = buf[mem.big_endian ? size - 1 - i : i];
		memcpy(ret->b, swapped, size);
		if (mem.sign)
			ret->q = (u128)((i128)(ret->q << (128 - size * 8)) >> (128 - size * 8));
		return;
	default:
		memcpy(buf, arg[1].b, size);
		for (unsigned i = 0; i < size; i++)
			swapped[i] = buf[mem.big_endian ? size - 1 - i : i];
		cpu_write(cpu, addr, swapped, size, mem);
	}
}

static void by_call(struct jit *j, const struct ir_insn *in, u32 v)
{
	struct ir_mem mem = in->mem;
	i32 disp = mem.disp;
	mem.disp = 0;
	struct x64_mem m = guest_mem(j, in->a, disp), to = CPU(call_arg);
	unsigned t = temp_gpr(j);
	u64 bits;
	memcpy(&bits, &mem, sizeof(bits));
	x_lea(&j->c, OPW, t, m);
	x_rm(&j->c, OPW | X_MOV_STORE, t, to);
	x_mov_ri(&j->c, t, bits);
	to.disp += 3 * sizeof(union ir_val);
	x_rm(&j->c, OPW | X_MOV_STORE, t, to);
	x_mov_ri(&j->c, t, in->op);
	to.disp += sizeof(union ir_val);
	x_rm(&j->c, OPW | X_MOV_STORE, t, to);
	j->lock_gpr = 0;
	if (in->op != IR_LD)
		put_arg(j, 1, in->b);
	j->lock_gpr = j->lock_xmm = 0;
	if (in->op == IR_CAS)
		put_arg(j, 2, in->c);
	call_c(j, (u64)(uintptr_t)access);
	if (in->op != IR_ST)
		call_result(j, in, v);
}

bool lower_mem(struct jit *j, const struct ir_insn *in, u32 v)
{
	if (in->op >= IR_LD && in->op <= IR_RMW && odd(j, in)) {
		if (ir_type_size(in->mem.type) > 16)
			return false;
		by_call(j, in, v);
		return true;
	}
	switch (in->op) {
	case IR_LD:
		return load(j, in, v);
	case IR_ST:
		return store(j, in);
	case IR_CAS:
		return cas(j, in, v);
	case IR_RMW:
		return rmw(j, in, v);
	case IR_FENCE:
		if (in->imm & IR_FENCE_SL)
			fence(j);
		return true;
	case IR_PREFETCH:
		return true;
	}
	return false;
}
