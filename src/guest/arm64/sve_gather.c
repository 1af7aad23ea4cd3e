/*
 * A64: SVE: loads and stores of elements each of which has an address of its own; prefetches.
 * Manual: Arm A-profile architecture, C4.1 "SVE Memory - 32-bit Gather and Unsized Contiguous", "SVE Memory - 64-bit Gather", "SVE Memory - Store".
 *
 * Addresses are a register and offsets in a vector (32 bits of each element, zero- or sign-extended, or 64; perhaps times the size in memory), or a vector and an
 * immediate or a register. Prefetches do nothing.
 */
#include "guest/arm64/sve.h"
#include "arm64_sve_gather.decode.h"

enum { W = 2, X = 3 }; /* sizes of elements */

/* ---- text ---- */
static void arm64_text_gmnemonic(struct text *o, unsigned unsign, unsigned size)
{
	text_fmt(o, "%s%c", unsign ? "" : "s", "bhwd"[size]);
}
/* [x1, z2.s, sxtw #1] */
static void arm64_text_ext(struct text *o, unsigned n, unsigned m, unsigned elem, unsigned sign,
			   unsigned shift)
{
	text_put(o, "[");
	arm64_text_xsp(o, n);
	text_put(o, ", ");
	arm64_text_z(o, m, elem);
	text_put(o, sign ? ", sxtw" : ", uxtw");
	text_fmt(o, shift ? " #%u]" : "]", shift);
}
/* [x1, z2.d, lsl #3] */
static void arm64_text_off64(struct text *o, unsigned n, unsigned m, unsigned shift)
{
	text_put(o, "[");
	arm64_text_xsp(o, n);
	text_put(o, ", ");
	arm64_text_z(o, m, X);
	text_fmt(o, shift ? ", lsl #%u]" : "]", shift);
}
/* [z1.d, #8] */
static void arm64_text_vec(struct text *o, unsigned n, unsigned elem, unsigned disp)
{
	text_put(o, "[");
	arm64_text_z(o, n, elem);
	text_fmt(o, disp ? ", #%u]" : "]", disp);
}
/* [z1.d, x2] */
static void arm64_text_vecx(struct text *o, unsigned n, unsigned elem, unsigned m)
{
	text_put(o, "[");
	arm64_text_z(o, n, elem);
	text_put(o, ", ");
	arm64_text_x(o, m);
	text_put(o, "]");
}
static void arm64_text_svprf(struct text *o, unsigned op)
{
	if ((op >> 1 & 3) == 3)
		text_fmt(o, "#%u", op);
	else
		arm64_text_prfop(o, (op & 8) << 1 | (op & 7));
}

/* ---- meaning ---- */
/* What the fields of a gather say; elements of W are loaded at W, others at X. */
static struct sve_access access(unsigned elem, unsigned mem, enum sve_offsets offsets, unsigned scale)
{
	return (
	    struct sve_access){ .elem = (u8)elem, .mem = (u8)mem, .offsets = offsets, .scale = (u8)scale };
}
static struct sve_access extended(unsigned elem, unsigned mem, unsigned sign, unsigned scaled)
{
	return access(elem, mem, sign ? SVE_OFFSETS_S32 : SVE_OFFSETS_U32, scaled ? mem : 0);
}
/* The addresses are the vector's. */
static struct sve_access vector(unsigned elem, unsigned mem)
{
	return access(elem, mem, elem == W ? SVE_OFFSETS_U32 : SVE_OFFSETS_64, 0);
}

static void gather(struct tr *t, struct sve_access how, unsigned unsign, unsigned first, unsigned rd,
		   unsigned pg, ir_ref base, unsigned offsets)
{
	how.sign = !unsign;
	how.faults = first ? SVE_FIRST_FAULTS : SVE_FAULTS;
	sve_load(t, how, A64_V0 + rd, sve_pred(t, pg), base, simd_get(t, offsets));
}
static void scatter(struct tr *t, struct sve_access how, unsigned rd, unsigned pg, ir_ref base,
		    unsigned offsets)
{
	sve_store(t, how, simd_get(t, rd), sve_pred(t, pg), base, simd_get(t, offsets));
}

/* clang-format off */

#define GATHER(how, base, offsets) gather(t, how, a->U, a->ff, a->Rd, a->Pg, base, offsets)
#define SCATTER(how, base, offsets) scatter(t, how, a->Rd, a->Pg, base, offsets)

/* Loads: a register and offsets in a vector. The size of an element in memory is not larger than in the register, and signed only if smaller. */
INSN(ld1_x32_s, "1000010 size=0x xs:1 0 Zm:5 0 U:1 ff:1 Pg:3 Rn:5 Rd:5", "ld{?ff:ff}1{gmnemonic(U, size)} {zlist(Rd, 1, W)}, {pz(Pg)}, {ext(Rn, Zm, W, xs, 0)}", SVE) { GATHER(extended(W, a->size, a->xs, 0), xsp(t, a->Rn), a->Zm); }
INSN(ld1w_x32_s, "1000010 size=10 xs:1 0 Zm:5 0 U=1 ff:1 Pg:3 Rn:5 Rd:5", "ld{?ff:ff}1{gmnemonic(U, size)} {zlist(Rd, 1, W)}, {pz(Pg)}, {ext(Rn, Zm, W, xs, 0)}", SVE) { GATHER(extended(W, a->size, a->xs, 0), xsp(t, a->Rn), a->Zm); }
INSN(ld1_x32_s_scaled, "1000010 size=01 xs:1 1 Zm:5 0 U:1 ff:1 Pg:3 Rn:5 Rd:5", "ld{?ff:ff}1{gmnemonic(U, size)} {zlist(Rd, 1, W)}, {pz(Pg)}, {ext(Rn, Zm, W, xs, size)}", SVE) { GATHER(extended(W, a->size, a->xs, 1), xsp(t, a->Rn), a->Zm); }
INSN(ld1w_x32_s_scaled, "1000010 size=10 xs:1 1 Zm:5 0 U=1 ff:1 Pg:3 Rn:5 Rd:5", "ld{?ff:ff}1{gmnemonic(U, size)} {zlist(Rd, 1, W)}, {pz(Pg)}, {ext(Rn, Zm, W, xs, size)}", SVE) { GATHER(extended(W, a->size, a->xs, 1), xsp(t, a->Rn), a->Zm); }
INSN(ld1_x32_d, "1100010 size:2 xs:1 0 Zm:5 0 U:1 ff:1 Pg:3 Rn:5 Rd:5", "ld{?ff:ff}1{gmnemonic(U, size)} {zlist(Rd, 1, X)}, {pz(Pg)}, {ext(Rn, Zm, X, xs, 0)}", SVE, "size < 3 + U") { GATHER(extended(X, a->size, a->xs, 0), xsp(t, a->Rn), a->Zm); }
INSN(ld1_x32_d_scaled, "1100010 size:2 xs:1 1 Zm:5 0 U:1 ff:1 Pg:3 Rn:5 Rd:5", "ld{?ff:ff}1{gmnemonic(U, size)} {zlist(Rd, 1, X)}, {pz(Pg)}, {ext(Rn, Zm, X, xs, size)}", SVE, "size && size < 3 + U") { GATHER(extended(X, a->size, a->xs, 1), xsp(t, a->Rn), a->Zm); }
INSN(ld1_64, "1100010 size:2 10 Zm:5 1 U:1 ff:1 Pg:3 Rn:5 Rd:5", "ld{?ff:ff}1{gmnemonic(U, size)} {zlist(Rd, 1, X)}, {pz(Pg)}, {off64(Rn, Zm, 0)}", SVE, "size < 3 + U") { GATHER(access(X, a->size, SVE_OFFSETS_64, 0), xsp(t, a->Rn), a->Zm); }
INSN(ld1_64_scaled, "1100010 size:2 11 Zm:5 1 U:1 ff:1 Pg:3 Rn:5 Rd:5", "ld{?ff:ff}1{gmnemonic(U, size)} {zlist(Rd, 1, X)}, {pz(Pg)}, {off64(Rn, Zm, size)}", SVE, "size && size < 3 + U") { GATHER(access(X, a->size, SVE_OFFSETS_64, a->size), xsp(t, a->Rn), a->Zm); }

/* A vector and an immediate, a vector and a register. */
INSN(ld1_ai_s, "1000010 size:2 01 imm:5 1 U:1 ff:1 Pg:3 Zn:5 Rd:5", "ld{?ff:ff}1{gmnemonic(U, size)} {zlist(Rd, 1, W)}, {pz(Pg)}, {vec(Zn, W, imm << size)}", SVE, "size < 2 + U") { GATHER(vector(W, a->size), konst(t, (u64)a->imm << a->size), a->Zn); }
INSN(ld1_ai_d, "1100010 size:2 01 imm:5 1 U:1 ff:1 Pg:3 Zn:5 Rd:5", "ld{?ff:ff}1{gmnemonic(U, size)} {zlist(Rd, 1, X)}, {pz(Pg)}, {vec(Zn, X, imm << size)}", SVE, "size < 3 + U") { GATHER(vector(X, a->size), konst(t, (u64)a->imm << a->size), a->Zn); }
INSN(ldnt1_ar_s, "1000010 size:2 00 Rm:5 10 U:1 Pg:3 Zn:5 Rd:5", "ldnt1{gmnemonic(U, size)} {zlist(Rd, 1, W)}, {pz(Pg)}, {vecx(Zn, W, Rm)}", SVE2, "size < 2 + U") { gather(t, vector(W, a->size), a->U, 0, a->Rd, a->Pg, x(t, a->Rm), a->Zn); }
INSN(ldnt1_ar_d, "1100010 size:2 00 Rm:5 1 U:1 0 Pg:3 Zn:5 Rd:5", "ldnt1{gmnemonic(U, size)} {zlist(Rd, 1, X)}, {pz(Pg)}, {vecx(Zn, X, Rm)}", SVE2, "size < 3 + U") { gather(t, vector(X, a->size), a->U, 0, a->Rd, a->Pg, x(t, a->Rm), a->Zn); }

/* Stores. */
INSN(st1_x32_d, "1110010 size:2 00 Zm:5 1 xs:1 0 Pg:3 Rn:5 Rd:5", "st1{#size:b|h|w|d} {zlist(Rd, 1, X)}, {p(Pg)}, {ext(Rn, Zm, X, xs, 0)}", SVE) { SCATTER(extended(X, a->size, a->xs, 0), xsp(t, a->Rn), a->Zm); }
INSN(st1_x32_d_scaled, "1110010 size:2 01 Zm:5 1 xs:1 0 Pg:3 Rn:5 Rd:5", "st1{#size:b|h|w|d} {zlist(Rd, 1, X)}, {p(Pg)}, {ext(Rn, Zm, X, xs, size)}", SVE, "size") { SCATTER(extended(X, a->size, a->xs, 1), xsp(t, a->Rn), a->Zm); }
INSN(st1_x32_s, "1110010 size:2 10 Zm:5 1 xs:1 0 Pg:3 Rn:5 Rd:5", "st1{#size:b|h|w|d} {zlist(Rd, 1, W)}, {p(Pg)}, {ext(Rn, Zm, W, xs, 0)}", SVE, "size < 3") { SCATTER(extended(W, a->size, a->xs, 0), xsp(t, a->Rn), a->Zm); }
INSN(st1_x32_s_scaled, "1110010 size:2 11 Zm:5 1 xs:1 0 Pg:3 Rn:5 Rd:5", "st1{#size:b|h|w|d} {zlist(Rd, 1, W)}, {p(Pg)}, {ext(Rn, Zm, W, xs, size)}", SVE, "size && size < 3") { SCATTER(extended(W, a->size, a->xs, 1), xsp(t, a->Rn), a->Zm); }
INSN(st1_64, "1110010 size:2 00 Zm:5 101 Pg:3 Rn:5 Rd:5", "st1{#size:b|h|w|d} {zlist(Rd, 1, X)}, {p(Pg)}, {off64(Rn, Zm, 0)}", SVE) { SCATTER(access(X, a->size, SVE_OFFSETS_64, 0), xsp(t, a->Rn), a->Zm); }
INSN(st1_64_scaled, "1110010 size:2 01 Zm:5 101 Pg:3 Rn:5 Rd:5", "st1{#size:b|h|w|d} {zlist(Rd, 1, X)}, {p(Pg)}, {off64(Rn, Zm, size)}", SVE, "size") { SCATTER(access(X, a->size, SVE_OFFSETS_64, a->size), xsp(t, a->Rn), a->Zm); }
INSN(st1_ai_d, "1110010 size:2 10 imm:5 101 Pg:3 Zn:5 Rd:5", "st1{#size:b|h|w|d} {zlist(Rd, 1, X)}, {p(Pg)}, {vec(Zn, X, imm << size)}", SVE) { SCATTER(vector(X, a->size), konst(t, (u64)a->imm << a->size), a->Zn); }
INSN(st1_ai_s, "1110010 size:2 11 imm:5 101 Pg:3 Zn:5 Rd:5", "st1{#size:b|h|w|d} {zlist(Rd, 1, W)}, {p(Pg)}, {vec(Zn, W, imm << size)}", SVE, "size < 3") { SCATTER(vector(W, a->size), konst(t, (u64)a->imm << a->size), a->Zn); }
INSN(stnt1_ar_d, "1110010 size:2 00 Rm:5 001 Pg:3 Zn:5 Rd:5", "stnt1{#size:b|h|w|d} {zlist(Rd, 1, X)}, {p(Pg)}, {vecx(Zn, X, Rm)}", SVE2) { SCATTER(vector(X, a->size), x(t, a->Rm), a->Zn); }
INSN(stnt1_ar_s, "1110010 size:2 10 Rm:5 001 Pg:3 Zn:5 Rd:5", "stnt1{#size:b|h|w|d} {zlist(Rd, 1, W)}, {p(Pg)}, {vecx(Zn, W, Rm)}", SVE2, "size < 3") { SCATTER(vector(W, a->size), x(t, a->Rm), a->Zn); }

/* Prefetches. */
#define NOTHING { (void)t; (void)a; }
INSN(prf_x32_s, "100001000 xs:1 1 Zm:5 0 size:2 Pg:3 Rn:5 0 op:4", "prf{#size:b|h|w|d} {svprf(op)}, {p(Pg)}, {ext(Rn, Zm, W, xs, size)}", SVE) NOTHING
INSN(prf_x32_d, "110001000 xs:1 1 Zm:5 0 size:2 Pg:3 Rn:5 0 op:4", "prf{#size:b|h|w|d} {svprf(op)}, {p(Pg)}, {ext(Rn, Zm, X, xs, size)}", SVE, SPECIAL) NOTHING
INSN(prf_64, "11000100011 Zm:5 1 size:2 Pg:3 Rn:5 0 op:4", "prf{#size:b|h|w|d} {svprf(op)}, {p(Pg)}, {off64(Rn, Zm, size)}", SVE, SPECIAL) NOTHING
INSN(prf_ai_s, "1000010 size:2 00 imm:5 111 Pg:3 Zn:5 0 op:4", "prf{#size:b|h|w|d} {svprf(op)}, {p(Pg)}, {vec(Zn, W, imm << size)}", SVE) NOTHING
INSN(prf_ai_d, "1100010 size:2 00 imm:5 111 Pg:3 Zn:5 0 op:4", "prf{#size:b|h|w|d} {svprf(op)}, {p(Pg)}, {vec(Zn, X, imm << size)}", SVE) NOTHING
INSN(prf_br, "1000010 size:2 00 Rm:5 110 Pg:3 Rn:5 0 op:4", "prf{#size:b|h|w|d} {svprf(op)}, {p(Pg)}, {index(Rn, Rm, 3, size, size)}", SVE, "Rm != 31") NOTHING
INSN(prf_bi, "1000010111 imm:6s 0 size:2 Pg:3 Rn:5 0 op:4", "prf{#size:b|h|w|d} {svprf(op)}, {p(Pg)}, {vl(Rn, imm)}", SVE) NOTHING

/* clang-format on */
#include "arm64_sve_gather.decode.inc"
