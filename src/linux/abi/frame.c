/* The head of signal frames; see frame.h. */
#include "linux/abi/frame.h"

/* Where the members of the ucontext lie, in words but for the mask. */
enum { UC_FLAGS, UC_LINK, UC_STACK_BASE, UC_STACK_FLAGS, UC_STACK_SIZE, UC_MASK };

static u8 *word_at(const struct linux_abi *abi, const u8 *frame, unsigned n)
{
	return (u8 *)frame + FRAME_INFO + n * abi->word;
}

static void put(const struct linux_abi *abi, u8 *p, u64 v)
{
	if (abi->word == 8)
		st_le64(p, v);
	else
		st_le32(p, (u32)v);
}

static u64 get(const struct linux_abi *abi, const u8 *p)
{
	return abi->word == 8 ? ld_le64(p) : ld_le32(p);
}

void frame_head_put(const struct linux_abi *abi, u8 *frame, const struct sigframe_info *f, bool with_info)
{
	if (with_info)
		siginfo_to_guest(abi, frame, f->info);
	put(abi, word_at(abi, frame, UC_STACK_BASE), f->stack_base);
	st_le32(word_at(abi, frame, UC_STACK_FLAGS), f->stack_flags);
	put(abi, word_at(abi, frame, UC_STACK_SIZE), f->stack_size);
	st_le64(word_at(abi, frame, UC_MASK), f->old_mask);
}

u64 frame_head_take(struct thread *t, const u8 *frame)
{
	const struct linux_abi *abi = t->abi;
	signal_restore_altstack(t, get(abi, word_at(abi, frame, UC_STACK_BASE)),
				get(abi, word_at(abi, frame, UC_STACK_SIZE)),
				ld_le32(word_at(abi, frame, UC_STACK_FLAGS)));
	return ld_le64(word_at(abi, frame, UC_MASK));
}
