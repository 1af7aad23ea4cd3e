#include "cpu.c"
#include "base/test.h"

TEST(ir_cpu, guest_accesses_are_known_by_their_place)
{
	CHECK(cpu_is_access((uintptr_t)load));
	CHECK(cpu_is_access((uintptr_t)store));
	CHECK(cpu_is_access((uintptr_t)cas_aligned));
	CHECK(!cpu_is_access((uintptr_t)cpu_read));
	CHECK(!cpu_is_access((uintptr_t)memcpy));
}

TEST(ir_cpu, accesses_have_any_size_up_to_sixteen)
{
	static u8 buf[48] __attribute__((aligned(16)));
	struct cpu cpu = { .mem_base = buf, .mem_mask = ~0ull };
	for (unsigned size = 1; size <= 16; size++)
		for (unsigned at = 0; at < 24; at++) {
			u8 in[16], out[17], want[48];
			for (unsigned i = 0; i < 16; i++)
				in[i] = (u8)(i * 11 + size + at);
			for (unsigned i = 0; i < 48; i++)
				want[i] = buf[i] = (u8)~i;
			memcpy(want + at, in, size);
			memset(out, 0xee, sizeof(out));
			cpu_write(&cpu, at, in, size, (struct ir_mem){ .order = ORD_SEQ_CST });
			CHECK(memcmp(buf, want, 48) == 0);
			cpu_read(&cpu, at, out, size, (struct ir_mem){ .order = ORD_ACQUIRE });
			CHECK(memcmp(out, in, size) == 0 && out[size] == 0xee);
		}
}
