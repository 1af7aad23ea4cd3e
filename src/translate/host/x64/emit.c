/*
 * The encoders that nearly every instruction goes through. They write by a pointer of their own: a byte through struct x64_code would wait for the
 * one before it.
 */
#include "translate/host/x64/emit.h"

static u8 *room(struct x64_code *c)
{
	x_room(c);
	return c->p;
}

static u8 *put_32(u8 *p, u32 v)
{
	memcpy(p, &v, 4);
	return p + 4;
}

static u8 *put_prefix(u8 *p, u32 op, unsigned reg, unsigned index, unsigned base)
{
	static const u8 prefix[4] = { 0, 0x66, 0xf3, 0xf2 };
	unsigned pp = op >> 12 & 3, map = op >> 8 & 3;
	unsigned rex = (op & OPW ? 8 : 0) | (reg >> 3 & 1) << 2 | (index >> 3 & 1) << 1 | (base >> 3 & 1);
	if (pp)
		*p++ = prefix[pp];
	if (rex || (op & OPB))
		*p++ = 0x40 | rex;
	if (map)
		*p++ = 0x0f;
	if (map >= 2)
		*p++ = map == 2 ? 0x38 : 0x3a;
	*p++ = op;
	return p;
}

static u8 *put_vex(u8 *p, u32 op, unsigned reg, unsigned v, unsigned index, unsigned base)
{
	unsigned map = op >> 8 & 3, pp = op >> 12 & 3, r = ~reg >> 3 & 1, x = ~index >> 3 & 1,
		 b = ~base >> 3 & 1;
	unsigned last = (~v & 15) << 3 | (op & OPL ? 4 : 0) | pp;
	if (x && b && map == 1 && !(op & OPW)) {
		*p++ = 0xc5;
		*p++ = r << 7 | last;
	} else {
		*p++ = 0xc4;
		*p++ = r << 7 | x << 6 | b << 5 | map;
		*p++ = (op & OPW ? 0x80 : 0) | last;
	}
	*p++ = op;
	return p;
}

/* What stands in front of everything else of an instruction with this operand. */
static u8 *put_window(u8 *p, struct x64_mem m)
{
	if (UNLIKELY(m.window)) {
		*p++ = 0x65;
		if (m.window == WINDOW_32)
			*p++ = 0x67;
	}
	return p;
}

static u8 *put_modrm_mem(u8 *p, unsigned reg, struct x64_mem m)
{
	reg = (reg & 7) << 3;
	if (UNLIKELY(m.base == NOREG)) { /* by the index, or absolute: 32 bits, sign-extended */
		*p++ = reg | 4;
		*p++ = m.index == NOREG ? 0x25 : m.scale << 6 | (m.index & 7) << 3 | 5;
		return put_32(p, m.disp);
	}
	unsigned mod = m.disp == 0 && (m.base & 7) != 5 ? 0 : m.disp == (i8)m.disp ? 0x40 : 0x80;
	if (m.index != NOREG || (m.base & 7) == 4) {
		*p++ = mod | reg | 4;
		*p++ = m.scale << 6 | (m.index == NOREG ? 4 : m.index & 7) << 3 | (m.base & 7);
	} else {
		*p++ = mod | reg | (m.base & 7);
	}
	if (mod == 0x40)
		*p++ = m.disp;
	else if (mod)
		p = put_32(p, m.disp);
	return p;
}

static unsigned or_0(u8 reg)
{
	return reg == NOREG ? 0 : reg;
}

void x_prefix(struct x64_code *c, u32 op, unsigned reg, unsigned index, unsigned base)
{
	c->p = put_prefix(room(c), op, reg, index, base);
}

void x_rr(struct x64_code *c, u32 op, unsigned reg, unsigned rm)
{
	u8 *p = put_prefix(room(c), op, reg, 0, rm);
	*p++ = 0xc0 | (reg & 7) << 3 | (rm & 7);
	c->p = p;
}

void x_rm_packed(struct x64_code *c, u32 op, unsigned reg, u32 regs, i32 disp)
{
	struct x64_mem m = x_unpack(regs, disp);
	u8 *p = put_window(room(c), m);
	p = put_prefix(p, op, reg, or_0(m.index), or_0(m.base));
	c->p = put_modrm_mem(p, reg, m);
}

void x_vex(struct x64_code *c, u32 op, unsigned reg, unsigned v, unsigned index, unsigned base)
{
	c->p = put_vex(room(c), op, reg, v, index, base);
}

void x_vrr(struct x64_code *c, u32 op, unsigned reg, unsigned v, unsigned rm)
{
	u8 *p = put_vex(room(c), op, reg, v, 0, rm);
	*p++ = 0xc0 | (reg & 7) << 3 | (rm & 7);
	c->p = p;
}

void x_vrm_packed(struct x64_code *c, u32 op, unsigned reg, unsigned v, u32 regs, i32 disp)
{
	struct x64_mem m = x_unpack(regs, disp);
	u8 *p = put_window(room(c), m);
	p = put_vex(p, op, reg, v, or_0(m.index), or_0(m.base));
	c->p = put_modrm_mem(p, reg, m);
}
