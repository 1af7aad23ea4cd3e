/*
 * The log of -d: what is written down while a guest runs, item by item, where it is asked for. A log belongs to whoever made it; once
 * it is set up any thread may write to it: each log_put is one write, so lines do not mix.
 */
#pragma once
#include "base/err.h"

enum log_item {
	LOG_OUT_ASM = 1 << 0,
	LOG_IN_ASM = 1 << 1,
	LOG_OP = 1 << 2,
	LOG_OP_OPT = 1 << 3,
	LOG_INT = 1 << 4,
	LOG_EXEC = 1 << 5,
	LOG_CPU = 1 << 6,
	LOG_FPU = 1 << 7,
	LOG_PAGE = 1 << 8,
	LOG_NOCHAIN = 1 << 9,
	LOG_UNIMP = 1 << 10,
	LOG_GUEST_ERRORS = 1 << 11,
	LOG_STRACE = 1 << 12,
};
struct log_item_info {
	const char *name;
	u32 bit;
	const char *help;
};
extern const struct log_item_info log_items[]; /* ended by name NULL */

struct log_range { /* first to last, both in it */
	u64 first, last;
};
struct log {
	int fd; /* -1: stderr */
	u32 items; /* LOG_* */
	u32 traces; /* trace events that are on: bits by enum trace_id */
	struct log_range *range; /* of guest addresses; n_range 0: all */
	unsigned n_range;
};

/* "in_asm,cpu": names of items; the error names the one that is none and says what there is. */
struct err *log_parse_items(const char *list, u32 *ret_items) MUST_CHECK;
/* "0x1000..0x1fff,0x4000+0x100,0x9000-0x10": inclusive ends, a length behind, a length before the address. */
struct err *log_parse_ranges(const char *list, struct log_range **ret_range, unsigned *ret_n) MUST_CHECK;
static inline bool log_has(const struct log *l, u32 items)
{
	return UNLIKELY(l && l->items & items);
}
/* Whether what happens at a guest address is to be written down. */
bool log_covers(const struct log *l, u64 addr);
void log_put(const struct log *l, const char *fmt, ...) PRINTF(2, 3);

/* A text that grows, for what is written in one go. Free with log_text_end, which writes it. */
struct log_text {
	char *data;
	size_t len, cap;
};
void log_add(struct log_text *t, const char *fmt, ...) PRINTF(2, 3);
void log_text_end(const struct log *l, struct log_text *t);
