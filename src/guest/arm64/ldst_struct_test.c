#include "ldst_struct.c"
#include "one_insn.h"

enum { BASE = 256, SIZE = 1024 };

/* The manual's loop: registers from 30 on (they wrap), element by element. */
static void model(u8 v[32][16], u8 *memory, bool load, unsigned n, unsigned members_, unsigned size,
		  unsigned bytes)
{
	unsigned at = BASE, esize = 1 << size;
	if (load)
		for (unsigned i = 0; i < n; i++)
			memset(v[(30 + i) & 31], 0, 16);
	for (unsigned reg = 0; reg < n; reg += members_)
		for (unsigned e = 0; e < bytes / esize; e++)
			for (unsigned m = 0; m < members_; m++, at += esize) {
				u8 *lane = v[(30 + reg + m) & 31] + e * esize;
				if (load)
					memcpy(lane, memory + at, esize);
				else
					memcpy(memory + at, lane, esize);
			}
}

TEST(arm64_ldst_struct, multiple_structures_are_the_manual_s_loop)
{
	static const unsigned opcodes[] = { 0, 2, 4, 6, 7, 8, 10 };
	static struct arm64 a;
	static u8 memory[SIZE], want_memory[SIZE], want[32][16];
	for (unsigned i = 0; i < LEN(opcodes); i++)
		for (unsigned bits = 0; bits < 32; bits++) {
			unsigned size = bits & 3, q = bits >> 2 & 1, load = bits >> 3 & 1, post = bits >> 4;
			unsigned n = registers(opcodes[i]), bytes = q_bytes(q);
			if (!multiple_ok(opcodes[i], size, q))
				continue;
			a.cpu.mem_base = memory;
			a.cpu.mem_mask = ~0ull;
			fill_randomly(memory, SIZE, bits);
			fill_randomly((u8 *)a.v, sizeof(a.v), bits + 99);
			a.x[3] = BASE;
			memcpy(want, a.v, sizeof(want));
			memcpy(want_memory, memory, SIZE);
			model(want, want_memory, load, n, members(opcodes[i]), size, bytes);
			run_insn(&a,
				 0x0c00007e | q << 30 | load << 22 | post << 23 | (post ? 31u << 16 : 0) |
				     opcodes[i] << 12 | size << 10,
				 0);
			if (memcmp(want, a.v, sizeof(want)) != 0 || memcmp(memory, want_memory, SIZE) != 0)
				test_fail(__FILE__, __LINE__, "opcode %u size %u q %u load %u", opcodes[i],
					  size, q, load);
			CHECK_EQ(a.x[3], BASE + (post ? n * bytes : 0));
		}
}

TEST(arm64_ldst_struct, single_structures_touch_one_lane)
{
	static struct arm64 a;
	static u8 memory[SIZE];
	a.cpu.mem_base = memory;
	a.cpu.mem_mask = ~0ull;
	fill_randomly(memory, SIZE, 5);
	memset(a.v, 0xee, sizeof(a.v));
	a.x[3] = BASE;
	a.x[4] = 100;
	run_insn(&a, 0x4de44862, 0); /* ld2 {v2.h, v3.h}[5], [x3], x4 */
	CHECK_EQ(a.v[2].h[5], ld_le16(memory + BASE));
	CHECK_EQ(a.v[3].h[5], ld_le16(memory + BASE + 2));
	CHECK_EQ(a.v[2].h[4], 0xeeee);
	CHECK_EQ(a.x[3], BASE + 100);
	a.x[3] = BASE;
	run_insn(&a, 0x0d40c862, 0); /* ld1r {v2.2s}, [x3] */
	CHECK_EQ(a.v[2].s[1], ld_le32(memory + BASE));
	CHECK_EQ(a.v[2].d[1], 0);
	memset(&a.v[2], 0x55, 32);
	run_insn(&a, 0x4d208462, 0); /* st2 {v2.d, v3.d}[1], [x3] */
	CHECK_EQ(ld_le64(memory + BASE + 8), 0x5555555555555555);
}

TEST(arm64_ldst_struct, every_member_has_its_place_whatever_the_grouping)
{
	for (unsigned opcode = 0; opcode < 3; opcode++)
		for (unsigned bits = 0; bits < 16; bits++) {
			unsigned S = bits >> 3, size = bits >> 1 & 3, q = bits & 1;
			if (!single_ok(opcode, S, size))
				continue;
			struct single e = single_of(opcode, S, size, q);
			CHECK((e.index + 1) << e.size <= 16);
			CHECK_EQ(e.size, opcode == 2 && size == 1 ? 3 : opcode);
		}
}
