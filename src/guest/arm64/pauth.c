/*
 * A64: pointer authentication (FEAT_PAuth): signing, authentication, stripping, and the branches and loads that authenticate.
 *
 * Manual: DDI 0487 D8.10; algorithms and insertion after the pseudo-code AddPAC, Auth, Strip, ComputePACQARMA of Arm's Sail model.
 * Programs have 48 address bits and tags in the top byte.
 * Algorithms: QARMA5, in helpers; and for FEAT_PACIMP a hash of our own, which is a few operations in place. With
 * that one goes FEAT_PAuth2, where both signing and authentication are an exclusive or of pointer and signature.
 */
#include "guest/arm64/arm64.h"
#include "arm64_pauth.decode.h"

enum { KEY_IA, KEY_IB, KEY_DA, KEY_DB, KEY_GA };
enum { PAC_LOW = 48, PAC_BITS = 7 };

/* ---- QARMA5: state and tweak are 16 cells of four bits, cell 0 lowest ---- */
static const u8 shuffle[16] = { 13, 6, 11, 0, 7, 12, 1, 10, 8, 3, 14, 5, 2, 9, 4, 15 };
static const u8 unshuffle[16] = { 3, 6, 12, 9, 14, 11, 1, 4, 8, 13, 7, 2, 5, 0, 10, 15 };
static const u8 tweak_shuffle[16] = { 4, 5, 6, 7, 11, 2, 3, 8, 12, 13, 14, 15, 0, 1, 10, 9 };
static const u8 tweak_unshuffle[16] = { 12, 13, 5, 6, 0, 1, 2, 3, 7, 15, 14, 4, 8, 9, 10, 11 };
enum { TWEAK_ROTATES = 0xd894, TWEAK_UNROTATES = 0x8f41 }; /* destination cells that are also rotated */
static const u8 sbox[16] = { 11, 6, 8, 15, 12, 0, 9, 14, 3, 7, 4, 5, 13, 2, 1, 10 };
static const u8 unsbox[16] = { 5, 14, 13, 8, 10, 11, 1, 9, 2, 6, 15, 0, 4, 12, 7, 3 };

static unsigned cell(u64 v, unsigned i)
{
	return v >> (4 * i) & 15;
}

static u64 permute(u64 v, const u8 from[16])
{
	u64 out = 0;
	for (unsigned i = 0; i < 16; i++)
		out |= (u64)cell(v, from[i]) << (4 * i);
	return out;
}

static u64 substitute(u64 v, const u8 table[16])
{
	u64 out = 0;
	for (unsigned i = 0; i < 16; i++)
		out |= (u64)table[cell(v, i)] << (4 * i);
	return out;
}

static u64 tweak_forward(u64 v)
{
	u64 out = permute(v, tweak_shuffle);
	for (unsigned i = 0; i < 16; i++) {
		u64 c = cell(out, i);
		if (TWEAK_ROTATES >> i & 1)
			out ^= (c ^ (c >> 1 | ((c ^ c >> 1) & 1) << 3)) << (4 * i);
	}
	return out;
}

static u64 tweak_backward(u64 v)
{
	u64 out = permute(v, tweak_unshuffle);
	for (unsigned i = 0; i < 16; i++) {
		u64 c = cell(out, i);
		if (TWEAK_UNROTATES >> i & 1)
			out ^= (c ^ ((c << 1 & 15) | ((c ^ c >> 3) & 1))) << (4 * i);
	}
	return out;
}

/* Every cell rotated left by n. */
static u64 rotate_cells(u64 v, unsigned n)
{
	u64 keep = 0x1111111111111111 * (15u >> n);
	return (v & keep) << n | (v & ~keep) >> (4 - n);
}

/* The matrix of rotations (0 1 2 1) over columns of four cells, which lie 16 bits apart. */
static u64 mix(u64 v)
{
	u64 one = rotate_cells(v, 1), two = rotate_cells(v, 2);
	return (one << 16 | one >> 48) ^ (two << 32 | two >> 32) ^ (one << 48 | one >> 16);
}

static u64 qarma5(u64 data, u64 tweak, struct arm64_key key)
{
	static const u64 round[5] = { 0, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89,
				      0x452821E638D01377 };
	const u64 alpha = 0xC0AC29B7C97C50DD;
	u64 whiten = key.hi << 63 | key.hi >> 2 << 1 | ((key.hi >> 63 ^ key.hi >> 1) & 1);
	u64 v = data ^ key.hi;
	for (unsigned i = 0; i <= 4; i++) {
		v ^= key.lo ^ tweak ^ round[i];
		if (i)
			v = mix(permute(v, shuffle));
		v = substitute(v, sbox);
		tweak = tweak_forward(tweak);
	}
	v = mix(permute(v ^ whiten ^ tweak, shuffle));
	v = mix(permute(substitute(v, sbox), shuffle));
	v = mix(substitute(permute(v ^ key.lo, unshuffle), unsbox));
	v = permute(v, unshuffle) ^ key.hi ^ tweak;
	for (unsigned i = 0; i <= 4; i++) {
		v = substitute(v, unsbox);
		if (i < 4)
			v = permute(mix(v), unshuffle);
		tweak = tweak_backward(tweak);
		v ^= round[4 - i] ^ key.lo ^ tweak ^ alpha;
	}
	return v ^ whiten;
}

/*
 * The bits that hold a signature: of low addresses 54 to 48, since Linux has programs' top bytes ignored; of high ones (bit 55 set)
 * the top byte too.
 */
static u64 field_of(u64 ptr)
{
	u64 field = BITS(PAC_BITS) << PAC_LOW;
	return ptr >> 55 & 1 ? field | 0xffull << 56 : field;
}

static u64 strip(u64 ptr)
{
	return ptr >> 55 & 1 ? ptr | field_of(ptr) : ptr & ~field_of(ptr);
}

static const struct arm64_key *key_of(const struct cpu *cpu, unsigned key)
{
	const struct arm64 *s = (const struct arm64 *)cpu;
	return (const struct arm64_key *const[]){ &s->apia, &s->apib, &s->apda, &s->apdb, &s->apga }[key];
}

static const u16 no_slots[] = { 0xffff };

/* arg: pointer, modifier, key. */
static void sign(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
	u64 ptr = arg[0].u, field = field_of(ptr);
	u64 pac = qarma5(strip(ptr), arg[1].u, *key_of(cpu, arg[2].w));
	if (ptr != strip(ptr)) /* not a plain pointer: a signature that will not be right */
		pac ^= ptr >> 55 & 1 ? BIT(62) : BIT(54);
	ret->u = (ptr & ~field) | (pac & field);
}

static void authenticate(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
	u64 ptr = arg[0].u, plain_ptr = strip(ptr), field = field_of(ptr);
	u64 pac = qarma5(plain_ptr, arg[1].u, *key_of(cpu, arg[2].w));
	u64 error = arg[2].w == KEY_IA || arg[2].w == KEY_DA ? 1 : 2;
	unsigned at = ptr >> 55 & 1 ? 61 : 53;
	ret->u = ((pac ^ ptr) & field) == 0 ? plain_ptr : (plain_ptr & ~(3ull << at)) | error << at;
}

static void sign_generic(struct cpu *cpu, union ir_val *ret, const union ir_val *arg)
{
	ret->u = qarma5(arg[0].u, arg[1].u, *key_of(cpu, KEY_GA)) & ~0xffffffffull;
}

/* They read the keys, which only system calls change, and no slot. */
HELPER(arm64_pac_sign) = { .name = "arm64_pac_sign", .fn = sign, .effects = HELP_READS, .slots = no_slots };
HELPER(arm64_pac_auth) = {
	.name = "arm64_pac_auth", .fn = authenticate, .effects = HELP_READS, .slots = no_slots
};
HELPER(arm64_pac_generic) = {
	.name = "arm64_pac_generic", .fn = sign_generic, .effects = HELP_READS, .slots = no_slots
};

static ir_ref call(struct tr *t, const struct ir_helper *h, ir_ref ptr, ir_ref modifier, unsigned key)
{
	return v_call(t, h, TY_I64, (ir_ref[]){ ptr, modifier, konst32(t, key) }, 3);
}

/* ---- the implementation-defined algorithm ---- */
#define OP(op, x, y) v_bin(t, IR_##op, x, y)

static bool quick(const struct tr *t)
{
	return arm64_model_has(t->model, ARM64_PACIMP);
}

/*
 * Signs or authenticates: FEAT_PAuth2 takes the signature out again by putting it in, and leaves what is wrong for the access to fault on.
 * Functions do this twice a call, so it is short, a tenth of what some programs execute: bits of a checksum, for which hosts have an instruction, over half of
 * the key, the lower half of the pointer (the signature lies in the upper one) and the modifier. In pointers with bit 55 set, too, bits 56 to 63 of the signature
 * are 0.
 */
static ir_ref quick_xor(struct tr *t, ir_ref ptr, ir_ref modifier, unsigned key)
{
	enum { CASTAGNOLI = 1 };
	ir_ref sum = v_trunc(t, TY_I32, v_get(t, A64_KEYS + 2 * key));
	sum = v_op(t, IR_CRC32, TY_I32, sum, v_trunc(t, TY_I32, ptr), 0, CASTAGNOLI);
	sum = v_op(t, IR_CRC32, TY_I32, sum, modifier, 0, CASTAGNOLI);
	ir_ref pac = v_zext(t, TY_I64, OP(AND, sum, konst32(t, BITS(PAC_BITS))));
	return OP(XOR, ptr, OP(SHL, pac, konst32(t, PAC_LOW)));
}

static ir_ref signed_ptr(struct tr *t, ir_ref ptr, ir_ref modifier, unsigned key)
{
	return quick(t) ? quick_xor(t, ptr, modifier, key)
			: call(t, &ir_helper_arm64_pac_sign, ptr, modifier, key);
}

static ir_ref checked_ptr(struct tr *t, ir_ref ptr, ir_ref modifier, unsigned key)
{
	return quick(t) ? quick_xor(t, ptr, modifier, key)
			: call(t, &ir_helper_arm64_pac_auth, ptr, modifier, key);
}

static ir_ref generic(struct tr *t, ir_ref data, ir_ref modifier)
{
	if (!quick(t))
		return v_call(t, &ir_helper_arm64_pac_generic, TY_I64, (ir_ref[]){ data, modifier }, 2);
	ir_ref lo = v_get(t, A64_KEYS + 2 * KEY_GA), hi = v_get(t, A64_KEYS + 2 * KEY_GA + 1);
	ir_ref h = OP(MUL, OP(XOR, data, lo), konst(t, 0x9e3779b97f4a7c15));
	h = OP(XOR, h, OP(SHR, h, konst32(t, 32)));
	h = OP(MUL, OP(XOR, h, OP(ADD, modifier, hi)),
	       konst(t, 0xd6e8feb86659fd93)); /* the upper half depends on all */
	return OP(AND, h, konst(t, BITS(32) << 32));
}

static ir_ref stripped(struct tr *t, ir_ref v)
{
	ir_ref field = konst(t, BITS(PAC_BITS) << PAC_LOW), high = v_op(t, IR_EXTRACTU, TY_I64, v, 55, 1, 0);
	ir_ref set = v_bin(t, IR_OR, v, konst(t, BITS(16) << PAC_LOW));
	return v_select(t, v_trunc(t, TY_I1, high), set, v_bin(t, IR_ANDN, v, field));
}

static void load_checked(struct tr *t, unsigned key, unsigned rt, unsigned rn, i64 disp, bool back)
{
	ir_ref base = checked_ptr(t, xsp(t, rn), konst(t, 0), key);
	ir_ref v = v_load(t, TY_I64, base, plain(TY_I64, (i32)disp));
	if (back)
		set_xsp(t, rn, v_addi(t, base, disp));
	set_x(t, rt, v);
}

/* clang-format off */

/* Signing and authentication; key:2 is IA, IB, DA, DB. */
INSN(pac,   "1 1 0 11010110 00001 000 0 key:2 Rn:5 Rd:5", "pac{#key:ia|ib|da|db} {x(Rd)}, {xsp(Rn)}", PAUTH) { set_x(t, a->Rd, signed_ptr(t, x(t, a->Rd), xsp(t, a->Rn), a->key)); }
INSN(aut,   "1 1 0 11010110 00001 000 1 key:2 Rn:5 Rd:5", "aut{#key:ia|ib|da|db} {x(Rd)}, {xsp(Rn)}", PAUTH) { set_x(t, a->Rd, checked_ptr(t, x(t, a->Rd), xsp(t, a->Rn), a->key)); }
INSN(pacz,  "1 1 0 11010110 00001 001 0 key:2 11111 Rd:5", "pac{#key:iza|izb|dza|dzb} {x(Rd)}", PAUTH) { set_x(t, a->Rd, signed_ptr(t, x(t, a->Rd), konst(t, 0), a->key)); }
INSN(autz,  "1 1 0 11010110 00001 001 1 key:2 11111 Rd:5", "aut{#key:iza|izb|dza|dzb} {x(Rd)}", PAUTH) { set_x(t, a->Rd, checked_ptr(t, x(t, a->Rd), konst(t, 0), a->key)); }
INSN(xpac,  "1 1 0 11010110 00001 010 00 D:1 11111 Rd:5", "xpac{#D:i|d} {x(Rd)}", PAUTH) { set_x(t, a->Rd, stripped(t, x(t, a->Rd))); }
INSN(pacga, "1 0 0 11010110 Rm:5 001100 Rn:5 Rd:5", "pacga {x(Rd)}, {x(Rn)}, {xsp(Rm)}", PAUTH)
{
	set_x(t, a->Rd, generic(t, x(t, a->Rn), xsp(t, a->Rm)));
}

/* In the hint space: nothing on CPUs without the feature. */
INSN(xpaclri,  "1101 0101 0000 0011 0010 0000 111 11111", "xpaclri", PAUTH) { set_x(t, 30, stripped(t, x(t, 30))); }
INSN(pac_1716, "1101 0101 0000 0011 0010 0001 0 key:1 0 11111", "paci{#key:a|b}1716", PAUTH) { set_x(t, 17, signed_ptr(t, x(t, 17), x(t, 16), a->key)); }
INSN(aut_1716, "1101 0101 0000 0011 0010 0001 1 key:1 0 11111", "auti{#key:a|b}1716", PAUTH) { set_x(t, 17, checked_ptr(t, x(t, 17), x(t, 16), a->key)); }
INSN(pac_lr,   "1101 0101 0000 0011 0010 0011 0 key:1 sp:1 11111", "paci{#key:a|b}{#sp:z|sp}", PAUTH)
{
	set_x(t, 30, signed_ptr(t, x(t, 30), a->sp ? xsp(t, 31) : konst(t, 0), a->key));
}
INSN(aut_lr,   "1101 0101 0000 0011 0010 0011 1 key:1 sp:1 11111", "auti{#key:a|b}{#sp:z|sp}", PAUTH)
{
	set_x(t, 30, checked_ptr(t, x(t, 30), a->sp ? xsp(t, 31) : konst(t, 0), a->key));
}

/* Branches. */
INSN(braz,  "1101011 0000 11111 00001 key:1 Rn:5 11111", "bra{#key:a|b}z {x(Rn)}", PAUTH) { tr_jump_to(t, jump_address(t, checked_ptr(t, x(t, a->Rn), konst(t, 0), a->key), a->Rn)); }
INSN(bra,   "1101011 1000 11111 00001 key:1 Rn:5 Rm:5", "bra{#key:a|b} {x(Rn)}, {xsp(Rm)}", PAUTH) { tr_jump_to(t, jump_address(t, checked_ptr(t, x(t, a->Rn), xsp(t, a->Rm), a->key), a->Rn)); }
INSN(blraz, "1101011 0001 11111 00001 key:1 Rn:5 11111", "blra{#key:a|b}z {x(Rn)}", PAUTH)
{
	ir_ref to = call_address(t, checked_ptr(t, x(t, a->Rn), konst(t, 0), a->key));
	set_x(t, 30, konst(t, t->pc + 4));
	tr_gosub_to(t, to);
}
INSN(blra,  "1101011 1001 11111 00001 key:1 Rn:5 Rm:5", "blra{#key:a|b} {x(Rn)}, {xsp(Rm)}", PAUTH)
{
	ir_ref to = call_address(t, checked_ptr(t, x(t, a->Rn), xsp(t, a->Rm), a->key));
	set_x(t, 30, konst(t, t->pc + 4));
	tr_gosub_to(t, to);
}
INSN(reta,  "1101011 0010 11111 00001 key:1 11111 11111", "reta{#key:a|b}", PAUTH) { tr_return(t, checked_ptr(t, x(t, 30), xsp(t, 31), a->key)); }

/* Loads. */
INSN(ldra, "11 111 0 00 key:1 imm.9:1s 1 imm.0:9 W:1 1 Rn:5 Rt:5",
     "[W && !imm] ldra{#key:a|b} {x(Rt)}, {mem(Rn, 0)}!; [W] ldra{#key:a|b} {x(Rt)}, {pre(Rn, imm * 8)}; ldra{#key:a|b} {x(Rt)}, {mem(Rn, imm * 8)}", PAUTH)
{
	load_checked(t, a->key ? KEY_DB : KEY_DA, a->Rt, a->Rn, (i64)a->imm * 8, a->W);
}
/* clang-format on */
#include "arm64_pauth.decode.inc"
