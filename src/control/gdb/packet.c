/* Framing: from bytes to packets and back; numbers and signals as the protocol writes them. */
#include "control/gdb/priv.h"
#include <signal.h>
#include <stdarg.h>

/* ---- what goes out ---- */
void reply_put(struct reply *r, const void *data, size_t len)
{
	r->data = grow(r->data, &r->cap, r->len + len + 1, 1);
	memcpy(r->data + r->len, data, len);
	r->len += len;
}

void reply_fmt(struct reply *r, const char *fmt, ...)
{
	char text[512];
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	reply_put(r, text, MIN((size_t)MAX(n, 0), sizeof(text) - 1));
}

void reply_hex(struct reply *r, const void *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const u8 *p = data;
	for (size_t i = 0; i < len; i++)
		reply_put(r, (char[]){ digits[p[i] >> 4], digits[p[i] & 15] }, 2);
}

void reply_send(struct gdb *g)
{
	struct reply packet = { 0 };
	u8 sum = 0;
	reply_put(&packet, "$", 1);
	for (size_t i = 0; i < g->out.len; i++) {
		char c = g->out.data[i];
		bool special = c == '#' || c == '$' || c == '}' || c == '*';
		if (special) {
			reply_put(&packet, "}", 1);
			sum += '}';
			c ^= 0x20;
		}
		reply_put(&packet, &c, 1);
		sum += (u8)c;
	}
	reply_fmt(&packet, "#%02x", sum);
	g->out.len = 0;
	g->ops->send(g->user, packet.data, packet.len);
	free(g->last);
	g->last = packet.data;
	g->last_len = packet.len;
}

/* ---- what comes in ---- */
static void packet_done(struct gdb *g)
{
	bool good = g->no_ack || (g->sum == g->sum_sent && !g->too_long);
	if (!g->no_ack)
		g->ops->send(g->user, good ? "+" : "-", 1);
	if (!good || g->too_long)
		return;
	g->in[g->in_len] = 0;
	if (!g->running)
		command_run(g);
}

static int digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

static void packet_begin(struct gdb *g)
{
	g->state = IN_PACKET;
	g->in_len = 0;
	g->sum = 0;
	g->too_long = false;
}

static void between_packets(struct gdb *g, char c)
{
	if (c == '$') {
		packet_begin(g);
	} else if (c == 3 && g->running) {
		g->ops->interrupt(g->user);
	} else if (c == '-' && !g->no_ack && g->last) {
		g->ops->send(g->user, g->last, g->last_len);
	}
}

static void in_packet(struct gdb *g, char c)
{
	if (c == '#') {
		g->state = IN_SUM1;
		return;
	}
	if (c == '$') { /* never part of one: the end of the last was lost */
		packet_begin(g);
		return;
	}
	g->sum += (u8)c;
	if (g->in_len < PACKET_MAX)
		g->in[g->in_len++] = c;
	else
		g->too_long = true;
}

void gdb_input(struct gdb *g, const void *data, size_t len)
{
	const char *p = data;
	for (size_t i = 0; i < len && !g->gone; i++) {
		switch (g->state) {
		case IN_NOTHING:
			between_packets(g, p[i]);
			break;
		case IN_PACKET:
			in_packet(g, p[i]);
			break;
		case IN_SUM1:
			g->sum_sent = (u8)((unsigned)digit(p[i]) << 4);
			g->state = IN_SUM2;
			break;
		case IN_SUM2:
			g->sum_sent |= (u8)digit(p[i]);
			g->state = IN_NOTHING;
			packet_done(g);
			break;
		}
	}
}

/* ---- numbers ---- */
bool scan_hex(const char **p, u64 *ret)
{
	const char *start = *p;
	u64 v = 0;
	while (digit(**p) >= 0)
		v = v << 4 | (u64)digit(*(*p)++);
	*ret = v;
	return *p != start && *p - start <= 16;
}

size_t scan_bytes(const char *hex, u8 *ret, size_t size)
{
	size_t n = 0;
	for (; n < size && digit(hex[0]) >= 0 && digit(hex[1]) >= 0; n++, hex += 2)
		ret[n] = (u8)(digit(hex[0]) << 4 | digit(hex[1]));
	return n;
}

bool skip_char(const char **p, char c)
{
	if (**p != c)
		return false;
	++*p;
	return true;
}

bool skip_text(const char **s, const char *prefix)
{
	size_t len = strlen(prefix);
	if (strncmp(*s, prefix, len) != 0)
		return false;
	*s += len;
	return true;
}

/* ---- signals: gdb has numbers of its own, the same on every system (include/gdb/signals.def of its manual's "Signals") ---- */
/* clang-format off */
static const u8 signals[] = { /* by the host's number */
	[SIGHUP] = 1, [SIGINT] = 2, [SIGQUIT] = 3, [SIGILL] = 4, [SIGTRAP] = 5, [SIGABRT] = 6, [SIGFPE] = 8, [SIGKILL] = 9, [SIGBUS] = 10,
	[SIGSEGV] = 11, [SIGSYS] = 12, [SIGPIPE] = 13, [SIGALRM] = 14, [SIGTERM] = 15, [SIGURG] = 16, [SIGSTOP] = 17, [SIGTSTP] = 18,
	[SIGCONT] = 19, [SIGCHLD] = 20, [SIGTTIN] = 21, [SIGTTOU] = 22, [SIGIO] = 23, [SIGXCPU] = 24, [SIGXFSZ] = 25, [SIGVTALRM] = 26,
	[SIGPROF] = 27, [SIGWINCH] = 28, [SIGUSR1] = 30, [SIGUSR2] = 31, [SIGPWR] = 32,
};
/* clang-format on */
enum { GDB_SIG33 = 45, GDB_SIG32 = 77, GDB_SIG64 = 78, GDB_SIG_UNKNOWN = 143 };

unsigned signal_to_gdb(int sig)
{
	if (sig >= 33 && sig <= 63)
		return GDB_SIG33 + (unsigned)sig - 33;
	if (sig == 32 || sig == 64)
		return sig == 32 ? GDB_SIG32 : GDB_SIG64;
	return sig == 0						       ? 0
	       : sig > 0 && (size_t)sig < LEN(signals) && signals[sig] ? signals[sig]
								       : GDB_SIG_UNKNOWN;
}

int signal_from_gdb(unsigned n)
{
	for (int sig = 1; sig <= 64; sig++)
		if (signal_to_gdb(sig) == n && n != GDB_SIG_UNKNOWN)
			return sig;
	return 0;
}
