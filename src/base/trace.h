/*
 * Trace events: named lines of the log that can be had one by one. A component declares its events in a table; a log holds which are on (log->traces).
 */
#pragma once
#include "base/log.h"

enum trace_id {
	TRACE_GUEST_USER_SYSCALL,
	TRACE_GUEST_USER_SYSCALL_RET,
	TRACE_USER_HANDLE_SIGNAL,
	TRACE_USER_SETUP_RT_FRAME,
	TRACE_USER_DO_RT_SIGRETURN,
	TRACE_USER_HOST_SIGNAL,
	TRACE_USER_DUMP_CORE_AND_ABORT,
	TRACE_USER_FORK,
	TRACE_USER_EXEC,
	TRACE_IDS
};
extern const char *const trace_names[TRACE_IDS];

/*
 * "[enable=]PATTERN[,events=FILE][,file=FILE]" changes which are on; a pattern has * and ?, and a '-' in front turns off. *ret_file (NULL
 * before) becomes the file's name, owned by the caller.
 */
struct err *trace_parse(const char *spec, u32 *traces, char **ret_file) MUST_CHECK;
static inline bool trace_on(const struct log *l, enum trace_id id)
{
	return UNLIKELY(l->traces >> id & 1);
}
/* A line "name text". */
void trace_put(const struct log *l, enum trace_id id, const char *fmt, ...) PRINTF(3, 4);
