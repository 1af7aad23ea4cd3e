/* What differs between architectures in the programs here. */
#pragma once
#include <ucontext.h>

#if defined(__aarch64__)
#define MACHINE "aarch64"
#define PLATFORM "aarch64" /* AT_PLATFORM; NULL: the kernel gives none */
#define CPUINFO_WORDS "CPU implementer", "asimd"
#define UNDEFINED_INSN "udf #1"
#define BREAK_INSN "brk #1"
#define STORE_AT_NULL(val) /* an instruction of 4 bytes that faults, its operand in the register CONTEXT_REG names */ \
	register unsigned long operand_ __asm__("x5") = (val), null_ __asm__("x6") = 0; \
	__asm__ volatile("str x5, [x6]" : "+r"(operand_) : "r"(null_) : "memory"); \
	(val) = operand_
#define CODE_SET_RESULT(n) (0x52800000 | (n) << 5) /* words of a function that returns n */
#define CODE_RETURN 0xd65f03c0
#define CONTEXT_REG(uc) (uc)->uc_mcontext.regs[5]
#define CONTEXT_PC(uc) (uc)->uc_mcontext.pc
#define IGNORE_TOP(addr) ((long)((addr) << 8) >> 8) /* an address as faults tell it */
#define CONTEXT_SP(uc) (uc)->uc_mcontext.sp
#elif defined(__riscv)
#if __riscv_xlen == 64
#define MACHINE "riscv64"
#define WORD_STORE "sd"
#else
#define MACHINE "riscv32"
#define WORD_STORE "sw"
#endif
#define PLATFORM NULL
#define CPUINFO_WORDS "isa\t\t: rv", "mvendorid"
#define UNDEFINED_INSN "unimp"
#define BREAK_INSN "ebreak"
#define STORE_AT_NULL(val) \
	register unsigned long operand_ __asm__("t0") = (val), null_ __asm__("t1") = 0; \
	__asm__ volatile(".option push\n.option norvc\n" WORD_STORE " t0, 0(t1)\n.option pop" : "+r"(operand_) : "r"(null_) : "memory"); \
	(val) = operand_
#define CODE_SET_RESULT(n) (0x00000513 | (n) << 20)
#define CODE_RETURN 0x00008067
#define CONTEXT_REG(uc) (uc)->uc_mcontext.__gregs[5]
#define CONTEXT_PC(uc) (uc)->uc_mcontext.__gregs[0]
#define IGNORE_TOP(addr) (addr)
#define CONTEXT_SP(uc) (uc)->uc_mcontext.__gregs[2]
#else
#error "no such architecture yet"
#endif
