/* RV32: addresses whose displacement has to be added before they are looked up, in registers that the access itself needs. */
#include "bare.h"
static volatile u32 word[64];

/* v, of which a new region knows nothing, goes to memory and comes back in the register that the address was in; then the address itself goes there. */
#define CASE(d, v)                                                                                                                      \
	({                                                                                                                              \
		u32 good_, same_;                                                                                                       \
		__asm__ volatile(".option push\n.option norvc\n li " v ",%2\n csrw mscratch,zero\n" /* a region begins */          \
				 "la a0,word+140\n sw " v ",-100(a0)\n la " d ",word+104\n lw " d ",-64(" d ")\n sub %0," d "," v "\n" \
				 "la " d ",word+108\n sw " d ",-64(" d ")\n la " v ",word+72\n lw " v ",-28(" v ")\n sub %1," d "," v  \
				 "\n.option pop"                                                                                       \
				 : "=&r"(good_), "=&r"(same_)                                                                           \
				 : "i"(__COUNTER__ * 77 + 0x1234)                                                                      \
				 : "memory", "a0", d, v);                                                                              \
		!good_ && !same_;                                                                                                       \
	})

void rom_main(ul hart)
{
	int good = 1;
	for (int i = 0; i < 100; i++) {
		good &= CASE("t0", "t2") & CASE("t2", "t0") & CASE("t3", "s2") & CASE("s2", "s3") & CASE("s4", "t6");
		good &= CASE("a1", "t1") & CASE("t1", "a2") & CASE("a5", "a4") & CASE("s0", "t4") & CASE("t5", "s1");
	}
	check(good, "what an address was made in can be what is loaded or stored");
	put("1.."), put_number(number), put("\n");
	finish();
}
