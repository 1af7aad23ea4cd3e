/* What signal frames with the generic ucontext have in common, whatever the word size. */
#pragma once
#include "linux/internal.h"

/*
 * A frame begins with siginfo and the head of the ucontext: flags, link, stack, mask, room for 1,024 signals, up to 16-byte alignment,
 * where the registers (mcontext) begin. Facts: include/uapi/asm-generic/ucontext.h with the order of riscv's and arm64's own.
 */
enum { FRAME_INFO = 128, FRAME_HEAD64 = FRAME_INFO + 176, FRAME_HEAD32 = FRAME_INFO + 160 };
static inline unsigned frame_head_size(const struct linux_abi *abi)
{
	return abi->word == 8 ? FRAME_HEAD64 : FRAME_HEAD32;
}
/* Writes the head into a zeroed frame; siginfo only if with_info. */
void frame_head_put(const struct linux_abi *abi, u8 *frame, const struct sigframe_info *f, bool with_info);
/* Takes the alternate stack back from it (with the registers restored already) and gives the mask. */
u64 frame_head_take(struct thread *t, const u8 *frame);
