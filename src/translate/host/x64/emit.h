/*
 * x86-64 instruction encoding. An instruction is named by one number that holds opcode, map, prefix and width; the emitters add
 * registers, memory operands and immediates. Register numbers have room for 32 (APX, EVEX); the encoders here use 16.
 *
 * Source: Intel SDM volume 2, chapter 2 (formats), opcodes as in intelxed/xed datafiles.
 */
#pragma once
#include "base/base.h"

enum x64_reg { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, NOREG = 255 };

enum x64_cc {
	XC_O,
	XC_NO,
	XC_B,
	XC_AE,
	XC_E,
	XC_NE,
	XC_BE,
	XC_A,
	XC_S,
	XC_NS,
	XC_P,
	XC_NP,
	XC_L,
	XC_GE,
	XC_LE,
	XC_G,
};

/* Code being written: p in the writable view, run = address of the same byte where it will execute. */
struct x64_code {
	u8 *p, *start, *end;
	intptr_t to_run; /* run address = write address + to_run */
	bool full; /* ran over end: what was written is void */
};

/* What GS begins at: nothing; a window that is reached with an address of 32 bits (the sum wraps), or with one of 64. */
enum x64_window { NO_WINDOW, WINDOW_32, WINDOW_64 };

struct x64_mem {
	u8 base, index; /* NOREG: none */
	u8 scale; /* log2 */
	i32 disp;
	u8 window; /* enum x64_window; LEA: just the address */
};

/* Opcode numbers: map, mandatory prefix, W. */
#define MAP0F 0x100u
#define MAP38 0x200u
#define MAP3A 0x300u
#define P66 0x1000u
#define PF3 0x2000u
#define PF2 0x3000u
#define OPW 0x10000u /* REX.W / VEX.W */
#define OPB 0x20000u /* byte registers: sil, dil need REX */
#define OPL 0x40000u /* VEX.L: 256 bits */

static inline struct x64_mem x_mem(unsigned base, i32 disp)
{
	return (struct x64_mem){ .base = base, .index = NOREG, .disp = disp };
}

static inline void x_byte(struct x64_code *c, unsigned v)
{
	*c->p++ = v;
}
static inline void x_32(struct x64_code *c, u32 v)
{
	memcpy(c->p, &v, 4);
	c->p += 4;
}
static inline void x_64(struct x64_code *c, u64 v)
{
	memcpy(c->p, &v, 8);
	c->p += 8;
}
/* Every emitter's first act: room for the longest instruction. */
static inline void x_room(struct x64_code *c)
{
	if (UNLIKELY(c->p + 64 > c->end)) {
		c->full = true;
		c->p = c->start;
	}
}

/* Prefixes and opcode alone. */
void x_prefix(struct x64_code *c, u32 op, unsigned reg, unsigned index, unsigned base);

/* A memory operand but for its displacement as one number: built in a register, where the struct would be built in memory and read back. */
static inline u32 x_pack(struct x64_mem m)
{
	return m.base | (u32)m.index << 8 | (u32)m.scale << 16 | (u32)m.window << 24;
}
static inline struct x64_mem x_unpack(u32 regs, i32 disp)
{
	return (struct x64_mem){
		.base = regs, .index = regs >> 8, .scale = regs >> 16, .window = regs >> 24, .disp = disp
	};
}

/* reg and rm registers, rm or reg and memory. */
void x_rr(struct x64_code *c, u32 op, unsigned reg, unsigned rm);
void x_rm_packed(struct x64_code *c, u32 op, unsigned reg, u32 regs, i32 disp);
static inline void x_rm(struct x64_code *c, u32 op, unsigned reg, struct x64_mem m)
{
	x_rm_packed(c, op, reg, x_pack(m), m.disp);
}

/* VEX: dst (reg), first source (vvvv), second source (rm). Unused vvvv: 0. */
void x_vex(struct x64_code *c, u32 op, unsigned reg, unsigned v, unsigned index, unsigned base);
void x_vrr(struct x64_code *c, u32 op, unsigned reg, unsigned v, unsigned rm);
void x_vrm_packed(struct x64_code *c, u32 op, unsigned reg, unsigned v, u32 regs, i32 disp);
static inline void x_vrm(struct x64_code *c, u32 op, unsigned reg, unsigned v, struct x64_mem m)
{
	x_vrm_packed(c, op, reg, v, x_pack(m), m.disp);
}

/* ---- general purpose ---- */
enum { /* the eight classic operations, by their place */
       X_ADD,
       X_OR,
       X_ADC,
       X_SBB,
       X_AND,
       X_SUB,
       X_XOR,
       X_CMP,
};
#define X_MOV_LOAD 0x8bu
#define X_MOV_STORE 0x89u
#define X_LEA 0x8du
#define X_TEST 0x85u
#define X_IMUL (MAP0F | 0xaf)
#define X_MOVZX8 (MAP0F | 0xb6)
#define X_MOVZX16 (MAP0F | 0xb7)
#define X_MOVSX8 (MAP0F | 0xbe)
#define X_MOVSX16 (MAP0F | 0xbf)
#define X_MOVSXD (OPW | 0x63)
#define X_XCHG 0x87u
#define X_BSR (MAP0F | 0xbd)
#define X_BSF (MAP0F | 0xbc)
#define X_LZCNT (PF3 | MAP0F | 0xbd)
#define X_TZCNT (PF3 | MAP0F | 0xbc)
#define X_POPCNT (PF3 | MAP0F | 0xb8)
#define X_CMOV(cc) (MAP0F | 0x40 | (cc))
#define X_SETCC(cc) (MAP0F | OPB | 0x90 | (cc))
#define X_ALU(n) ((n) << 3 | 3) /* reg = reg op rm */
#define X_ALU_STORE(n) ((n) << 3 | 1) /* rm = rm op reg */
/* VEX-coded BMI */
#define X_ANDN (MAP38 | 0xf2) /* dst = ~v & rm */
#define X_SHLX (P66 | MAP38 | 0xf7) /* dst = rm << v: operands in the order dst, count, source of x_vrr */
#define X_SHRX (PF2 | MAP38 | 0xf7)
#define X_SARX (PF3 | MAP38 | 0xf7)
#define X_RORX (PF2 | MAP3A | 0xf0)
#define X_PDEP (PF2 | MAP38 | 0xf5)
#define X_PEXT (PF3 | MAP38 | 0xf5)
#define X_MULX (PF2 | MAP38 | 0xf6)
#define X_BEXTR (MAP38 | 0xf7)
#define X_BZHI (MAP38 | 0xf5)

/* An ALU operation with an immediate of 32 bits, sign-extended. size64: OPW or 0. */
static inline void x_alu_ri(struct x64_code *c, unsigned alu, u32 w, unsigned reg, i32 imm)
{
	bool small = imm == (i8)imm;
	x_prefix(c, w | (small ? 0x83 : 0x81), 0, 0, reg);
	x_byte(c, 0xc0 | alu << 3 | (reg & 7));
	if (small)
		x_byte(c, imm);
	else
		x_32(c, imm);
}
static inline void x_alu_mi(struct x64_code *c, unsigned alu, u32 w, struct x64_mem m, i32 imm)
{
	bool small = imm == (i8)imm;
	x_rm(c, w | (small ? 0x83 : 0x81), alu, m);
	if (small)
		x_byte(c, imm);
	else
		x_32(c, imm);
}
static inline void x_mov_rr(struct x64_code *c, u32 w, unsigned dst, unsigned src)
{
	x_rr(c, w | X_MOV_LOAD, dst, src);
}
/* Shortest constant; never touches the flags. */
static inline void x_mov_ri(struct x64_code *c, unsigned reg, u64 v)
{
	if (v == (u32)v) {
		x_room(c);
		if (reg & 8)
			x_byte(c, 0x41);
		x_byte(c, 0xb8 | (reg & 7));
		x_32(c, v);
	} else if ((i64)v == (i32)v) {
		x_prefix(c, OPW | 0xc7, 0, 0, reg);
		x_byte(c, 0xc0 | (reg & 7));
		x_32(c, v);
	} else {
		x_room(c);
		x_byte(c, 0x48 | (reg >> 3 & 1));
		x_byte(c, 0xb8 | (reg & 7));
		x_64(c, v);
	}
}
/* Shifts by a constant: 4 shl, 5 shr, 7 sar, 1 ror, 0 rol. */
static inline void x_shift_ri(struct x64_code *c, unsigned kind, u32 w, unsigned reg, unsigned n)
{
	x_prefix(c, w | 0xc1, 0, 0, reg);
	x_byte(c, 0xc0 | kind << 3 | (reg & 7));
	x_byte(c, n);
}
/* One-operand group F6/F7: 2 not, 3 neg, 4 mul, 5 imul, 6 div, 7 idiv. */
static inline void x_group3(struct x64_code *c, unsigned kind, u32 w, unsigned reg)
{
	x_rr(c, w | 0xf7, kind, reg);
}
static inline void x_lea(struct x64_code *c, u32 w, unsigned dst, struct x64_mem m)
{
	x_rm(c, w | X_LEA, dst, m);
}

/* ---- jumps; a label is patched when its place is known ---- */
static inline u8 *x_jcc(struct x64_code *c, unsigned cc) /* returns where its rel32 lies */
{
	x_room(c);
	x_byte(c, 0x0f);
	x_byte(c, 0x80 | cc);
	c->p += 4;
	return c->p - 4;
}
static inline u8 *x_jmp(struct x64_code *c)
{
	x_room(c);
	x_byte(c, 0xe9);
	c->p += 4;
	return c->p - 4;
}
static inline u8 *x_call(struct x64_code *c)
{
	x_room(c);
	x_byte(c, 0xe8);
	c->p += 4;
	return c->p - 4;
}
/* target: in the writable view of the same mapping */
static inline void x_patch(u8 *rel, const u8 *target)
{
	i32 d = target - (rel + 4);
	memcpy(rel, &d, 4);
}
static inline u8 *x_jcc8(struct x64_code *c, unsigned cc)
{
	x_room(c);
	x_byte(c, 0x70 | cc);
	return c->p++;
}
static inline u8 *x_jmp8(struct x64_code *c)
{
	x_room(c);
	x_byte(c, 0xeb);
	return c->p++;
}
static inline void x_patch8(struct x64_code *c, u8 *rel)
{
	*rel = c->p - (rel + 1);
}

/* ---- vectors (VEX) ---- */
#define V_MOVQ_LOAD (PF3 | MAP0F | 0x7e) /* xmm = 64 bits, zero above */
#define V_MOVQ_STORE (P66 | MAP0F | 0xd6)
#define V_MOVD_LOAD (P66 | MAP0F | 0x6e) /* xmm = r/m32, OPW: r/m64 */
#define V_MOVD_STORE (P66 | MAP0F | 0x7e) /* r/m32 = xmm, OPW: r/m64 */
#define V_MOVDQU_LOAD (PF3 | MAP0F | 0x6f)
#define V_MOVDQU_STORE (PF3 | MAP0F | 0x7f)
#define V_MOVAPS (MAP0F | 0x28)
#define V_MOVAPS_STORE (MAP0F | 0x29)
#define V_PXOR (P66 | MAP0F | 0xef)
#define V_PAND (P66 | MAP0F | 0xdb)
#define V_PANDN (P66 | MAP0F | 0xdf) /* ~v & rm */
#define V_POR (P66 | MAP0F | 0xeb)
#define V_OP(n) (P66 | MAP0F | (n)) /* most of SSE2 */
#define V_OP38(n) (P66 | MAP38 | (n))
#define V_OP3A(n) (P66 | MAP3A | (n))
#define V_PSHUFB V_OP38(0x00)
#define V_PTEST V_OP38(0x17) /* C: v has all bits of rm */
#define V_BLENDPS V_OP3A(0x0c) /* imm8: which lanes are rm's */
#define V_PBLENDW V_OP3A(0x0e)
#define V_PSHUFD V_OP(0x70)
#define V_ONES V_OP(0x76) /* pcmpeqd r, r, r */
#define V_UNPCKLQ V_OP(0x6c)
#define V_UNPCKHQ V_OP(0x6d)
#define V_PINSRB (P66 | MAP3A | 0x20)
#define V_PINSRW (P66 | MAP0F | 0xc4)
#define V_PINSRD (P66 | MAP3A | 0x22) /* OPW: 64 bits */
#define V_PEXTRB (P66 | MAP3A | 0x14)
#define V_PEXTRW (P66 | MAP3A | 0x15)
/* Shifts by an immediate: the opcode, and what stands in the place of a register (ext). */
static inline void x_vshift(struct x64_code *c, u32 op, unsigned ext, unsigned dst, unsigned src, unsigned n)
{
	x_vex(c, op, 0, dst, 0, src);
	x_byte(c, 0xc0 | ext << 3 | (src & 7));
	x_byte(c, n);
}
static inline void x_vrri(struct x64_code *c, u32 op, unsigned reg, unsigned v, unsigned rm, unsigned imm)
{
	x_vrr(c, op, reg, v, rm);
	x_byte(c, imm);
}
#define V_PEXTRD (P66 | MAP3A | 0x16) /* OPW: 64 bits */
