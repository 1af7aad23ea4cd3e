#include "base/trace.h"
#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>

const char *const trace_names[TRACE_IDS] = {
	[TRACE_GUEST_USER_SYSCALL] = "guest_user_syscall",
	[TRACE_GUEST_USER_SYSCALL_RET] = "guest_user_syscall_ret",
	[TRACE_USER_HANDLE_SIGNAL] = "user_handle_signal",
	[TRACE_USER_SETUP_RT_FRAME] = "user_setup_rt_frame",
	[TRACE_USER_DO_RT_SIGRETURN] = "user_do_rt_sigreturn",
	[TRACE_USER_HOST_SIGNAL] = "user_host_signal",
	[TRACE_USER_DUMP_CORE_AND_ABORT] = "user_dump_core_and_abort",
	[TRACE_USER_FORK] = "user_fork",
	[TRACE_USER_EXEC] = "user_exec",
};

static struct err *switch_events(const char *pattern, u32 *traces)
{
	bool off = pattern[0] == '-', found = false;
	for (unsigned i = 0; i < TRACE_IDS; i++)
		if (fnmatch(pattern + off, trace_names[i], 0) == 0) {
			*traces = off ? *traces & ~(1u << i) : *traces | 1u << i;
			found = true;
		}
	return found ? NULL
		     : err_hint(err_new(ERR_NOT_FOUND, "there is no trace event '%s'", pattern + off),
				"-trace help lists them");
}

/* A file with a pattern a line; empty lines and those that begin with # do not count. */
static struct err *events_file(const char *path, u32 *traces)
{
	char line[256];
	struct err *e = NULL;
	FILE *in = fopen(path, "re");
	if (!in)
		return err_errno(errno, "cannot read the events in '%s'", path);
	while (!e && fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\r\n")] = 0;
		if (line[0] && line[0] != '#')
			e = switch_events(line, traces);
	}
	fclose(in);
	return e;
}

static struct err *word(const char *w, u32 *traces, char **ret_file)
{
	if (strncmp(w, "events=", 7) == 0)
		return events_file(w + 7, traces);
	if (strncmp(w, "file=", 5) == 0) {
		free(*ret_file);
		*ret_file = str_dup(w + 5);
		return NULL;
	}
	return switch_events(strncmp(w, "enable=", 7) == 0 ? w + 7 : w, traces);
}

struct err *trace_parse(const char *spec, u32 *traces, char **ret_file)
{
	struct err *e = NULL;
	while (!e && *spec) {
		size_t len = strcspn(spec, ",");
		char *w = strndup(spec, len);
		e = word(w, traces, ret_file);
		free(w);
		spec += len + (spec[len] == ',');
	}
	return e;
}

void trace_put(const struct log *l, enum trace_id id, const char *fmt, ...)
{
	char text[256];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	log_put(l, "%s %s\n", trace_names[id], text);
}
