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

static void touch(struct cpu *cpu, void *arg)
{
	u8 byte;
	cpu_read(cpu, 1, &byte, 1, (struct ir_mem){ 0 });
	cpu_raise(cpu, *(enum ir_event *)arg, 5);
}

static void touch_only(struct cpu *cpu, void *arg)
{
	cpu_read(cpu, 1, arg, 1, (struct ir_mem){ 0 });
}

TEST(ir_cpu, a_try_keeps_faults_of_memory_and_lets_other_events_pass)
{
	static u8 buf[2] = { 7, 8 };
	sigjmp_buf outer;
	struct cpu cpu = { .mem_base = buf, .mem_mask = ~0ull, .pc = 4, .insn_pc = 8, .raise = &outer };
	enum ir_event memory = EV_MEMORY, align = EV_ALIGN, debug = EV_DEBUG;
	volatile int passed = 0;
	u8 byte = 0;
	if (sigsetjmp(outer, 0) == 0) {
		CHECK(cpu_try(&cpu, touch_only, &byte) && byte == 8);
		CHECK(!cpu_try(&cpu, touch, &memory) && !cpu_try(&cpu, touch, &align));
		CHECK(cpu.raise == &outer && cpu.event == EV_NONE && cpu.pc == 4);
		cpu_try(&cpu, touch, &debug);
	} else {
		passed = 1;
	}
	CHECK(passed && cpu.event == EV_DEBUG && cpu.event_arg == 5 && cpu.pc == 8);
}
