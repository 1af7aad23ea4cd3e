/* The commands: registers, memory, threads, breakpoints, resuming. */
#include "control/gdb/priv.h"
#include <errno.h>

enum { REG_BYTES_MAX = 256 };

static void put_error(struct gdb *g, int err)
{
	reply_fmt(&g->out, "E%02x", err & 0xff);
}

static void put_result(struct gdb *g, bool good, int err)
{
	if (good)
		reply_fmt(&g->out, "OK");
	else
		put_error(g, err);
}

/* ---- threads ---- */
static bool exists(struct gdb *g, u64 thread)
{
	for (u64 t = g->ops->next_thread(g->user, 0); t; t = g->ops->next_thread(g->user, t))
		if (t == thread)
			return true;
	return false;
}

u64 thread_pick(struct gdb *g, u64 thread)
{
	if (!thread)
		thread = g->stop.thread;
	if (thread && exists(g, thread))
		return thread;
	return g->thread_g ? 0 : g->ops->next_thread(g->user, 0);
}

void put_thread(struct gdb *g, u64 thread)
{
	if (g->multiprocess)
		reply_fmt(&g->out, "p%llx.", (unsigned long long)g->pid);
	reply_fmt(&g->out, "%llx", (unsigned long long)thread);
}

/* "pPID.TID", "TID", with -1 for all and 0 for any; false: malformed, or another process. */
static bool scan_thread(struct gdb *g, const char **p, i64 *ret)
{
	u64 v;
	if (skip_char(p, 'p')) {
		if (skip_text(p, "-1"))
			;
		else if (!scan_hex(p, &v) || (v && v != g->pid))
			return false;
		if (!skip_char(p, '.')) {
			*ret = ALL_THREADS;
			return true;
		}
	}
	if (skip_text(p, "-1")) {
		*ret = ALL_THREADS;
		return true;
	}
	if (!scan_hex(p, &v))
		return false;
	*ret = (i64)v;
	return *ret >= 0;
}

static void choose_thread(struct gdb *g, const char *p)
{
	char what = *p;
	i64 thread;
	if ((what != 'g' && what != 'c') || !scan_thread(g, (p++, &p), &thread) ||
	    (thread > 0 && !exists(g, (u64)thread))) {
		put_error(g, EINVAL);
		return;
	}
	if (what == 'g')
		g->thread_g = thread > 0 ? (u64)thread : 0;
	else
		g->thread_c = thread;
	reply_fmt(&g->out, "OK");
}

static void thread_alive(struct gdb *g, const char *p)
{
	i64 thread;
	put_result(g, scan_thread(g, &p, &thread) && thread > 0 && exists(g, (u64)thread), ESRCH);
}

/* ---- registers ---- */
static bool must_swap(const struct gdb *g)
{
	return g->guest->big_endian != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
}

static void reverse(u8 *p, unsigned n)
{
	for (unsigned i = 0; i < n / 2; i++) {
		u8 t = p[i];
		p[i] = p[n - 1 - i];
		p[n - 1 - i] = t;
	}
}

/* Its bytes in the guest's order; how many. */
static unsigned reg_read(const struct gdb *g, const struct cpu *cpu, const struct guest_reg *r, u8 *buf)
{
	unsigned size = r->bits / 8u;
	if (r->get) {
		u64 v = r->get(cpu);
		memset(buf, 0, size);
		memcpy(buf, &v, MIN(size, sizeof(v)));
	} else {
		memcpy(buf, (const u8 *)cpu + r->offset, size);
	}
	if (must_swap(g))
		reverse(buf, size);
	return size;
}

static void reg_write(const struct gdb *g, struct cpu *cpu, const struct guest_reg *r, u8 *buf)
{
	unsigned size = r->bits / 8u;
	u64 v = 0;
	if (must_swap(g))
		reverse(buf, size);
	memcpy(&v, buf, MIN(size, sizeof(v)));
	if (r->set)
		r->set(cpu, v);
	else if (!r->get)
		memcpy((u8 *)cpu + r->offset, buf, size);
}

static struct cpu *cpu_of(struct gdb *g, bool write)
{
	u64 thread = thread_pick(g, g->thread_g);
	return thread ? g->ops->cpu(g->user, thread, write) : NULL;
}

static void read_all(struct gdb *g, const char *p UNUSED)
{
	u8 buf[REG_BYTES_MAX];
	const struct cpu *cpu = cpu_of(g, false);
	if (!cpu) {
		put_error(g, ESRCH);
		return;
	}
	for (const struct guest_reg *r = g->regs; r->name; r++)
		reply_hex(&g->out, buf, reg_read(g, cpu, r, buf));
}

static void write_all(struct gdb *g, const char *p)
{
	u8 buf[REG_BYTES_MAX];
	size_t want = 0;
	for (const struct guest_reg *r = g->regs; r->name; r++)
		want += r->bits / 8u;
	struct cpu *cpu = strlen(p) == want * 2 ? cpu_of(g, true) : NULL;
	for (const struct guest_reg *r = g->regs; cpu && r->name; p += r->bits / 4u, r++)
		if (scan_bytes(p, buf, r->bits / 8u) == r->bits / 8u)
			reg_write(g, cpu, r, buf);
	put_result(g, cpu, EINVAL);
}

static const struct guest_reg *find_reg(const struct gdb *g, u64 n)
{
	const struct guest_reg *r = g->regs;
	while (r->name && n) {
		r++;
		n--;
	}
	return r->name ? r : NULL;
}

static void read_one(struct gdb *g, const char *p)
{
	u8 buf[REG_BYTES_MAX];
	u64 n;
	const struct guest_reg *r = scan_hex(&p, &n) ? find_reg(g, n) : NULL;
	const struct cpu *cpu = r ? cpu_of(g, false) : NULL;
	if (cpu)
		reply_hex(&g->out, buf, reg_read(g, cpu, r, buf));
	else
		put_error(g, EINVAL);
}

static void write_one(struct gdb *g, const char *p)
{
	u8 buf[REG_BYTES_MAX];
	u64 n;
	const struct guest_reg *r = scan_hex(&p, &n) && skip_char(&p, '=') ? find_reg(g, n) : NULL;
	bool whole = r && strlen(p) == r->bits / 4u && scan_bytes(p, buf, r->bits / 8u) == r->bits / 8u;
	struct cpu *cpu = whole ? cpu_of(g, true) : NULL;
	if (cpu)
		reg_write(g, cpu, r, buf);
	put_result(g, cpu, EINVAL);
}

/* ---- memory ---- */
/* "ADDR,LEN" followed by end. */
static bool scan_range(const char **p, char end, u64 *ret_addr, u64 *ret_len)
{
	return scan_hex(p, ret_addr) && skip_char(p, ',') && scan_hex(p, ret_len) &&
	       (end ? skip_char(p, end) : !**p);
}

/* m in digits, x in binary. */
static void read_memory(struct gdb *g, const char *p)
{
	bool binary = p[-1] == 'x';
	u64 addr, len;
	if (!scan_range(&p, 0, &addr, &len)) {
		put_error(g, EINVAL);
		return;
	}
	len = MIN(len, (u64)PACKET_MAX / 2 - 2);
	u8 *buf = alloc(len + 1);
	size_t got = g->ops->read(g->user, addr, buf, len);
	if (!got && len)
		put_error(g, EFAULT);
	else if (binary)
		reply_put(&g->out, "b", 1), reply_put(&g->out, buf, got);
	else
		reply_hex(&g->out, buf, got);
	free(buf);
}

static void write_memory(struct gdb *g, const char *p)
{
	u64 addr, len;
	u8 *buf = NULL;
	bool good = scan_range(&p, ':', &addr, &len) && len <= PACKET_MAX && strlen(p) == len * 2;
	if (good) {
		buf = alloc(len + 1);
		good = scan_bytes(p, buf, len) == len;
	}
	put_result(g, good && g->ops->write(g->user, addr, buf, len), good ? EFAULT : EINVAL);
	free(buf);
}

/* X: the bytes themselves, with some escaped. */
static void write_binary(struct gdb *g, const char *p)
{
	const char *end = g->in + g->in_len;
	u64 addr, len, n = 0;
	if (!scan_range(&p, ':', &addr, &len) || len > PACKET_MAX) {
		put_error(g, EINVAL);
		return;
	}
	char *buf = alloc(PACKET_MAX);
	for (; p < end; p++)
		buf[n++] = *p == '}' && p + 1 < end ? *++p ^ 0x20 : *p;
	put_result(g, n == len && g->ops->write(g->user, addr, buf, len), n == len ? EFAULT : EINVAL);
	free(buf);
}

/* ---- breakpoints and watchpoints ---- */
static void point(struct gdb *g, const char *p)
{
	bool set = p[-1] == 'Z';
	u64 addr, len;
	unsigned type = (unsigned)(u8)*p - '0';
	if (type >= GDB_POINTS) /* a kind we do not have: the empty reply says so */
		return;
	p++;
	if (!skip_char(&p, ',') || !scan_hex(&p, &addr) || !skip_char(&p, ',') || !scan_hex(&p, &len) || *p ||
	    len > 1 << 20)
		put_error(g, EINVAL);
	else
		put_result(g, g->ops->point(g->user, type, addr, len, set), EINVAL);
}

/* ---- resuming ---- */
struct wish { /* an action of vCont */
	struct gdb_action action;
	i64 thread;
};

static void resume(struct gdb *g, const struct wish *wish, unsigned n)
{
	static const struct gdb_action stay = { 0 };
	for (u64 t = g->ops->next_thread(g->user, 0); t; t = g->ops->next_thread(g->user, t)) {
		const struct gdb_action *a = &stay;
		for (unsigned i = n; i-- > 0;) /* the leftmost that fits counts */
			if (wish[i].thread == ALL_THREADS || wish[i].thread == (i64)t)
				a = &wish[i].action;
		g->ops->act(g->user, t, a);
	}
	g->running = true;
	g->ops->resume(g->user);
}

/* "c", "Cxx", "s", "Sxx", "t", "rFROM,TO" and an optional ":THREAD". */
static bool scan_wish(struct gdb *g, const char **p, struct wish *w)
{
	u64 n = 0;
	char what = *(*p)++;
	*w = (struct wish){ .thread = ALL_THREADS };
	switch (what) {
	case 'C':
	case 'S':
		if (!scan_hex(p, &n))
			return false;
		w->action.signal = signal_from_gdb((unsigned)n);
		w->action.act = what == 'C' ? GDB_GO : GDB_STEP;
		break;
	case 'c':
	case 's':
		w->action.act = what == 'c' ? GDB_GO : GDB_STEP;
		break;
	case 't':
		break;
	case 'r':
		w->action.act = GDB_RANGE;
		if (!scan_hex(p, &w->action.from) || !skip_char(p, ',') || !scan_hex(p, &w->action.to))
			return false;
		break;
	default:
		return false;
	}
	if (skip_char(p, ':') && !scan_thread(g, p, &w->thread))
		return false;
	if (!w->thread)
		w->thread = (i64)thread_pick(g, 0);
	return true;
}

static void v_cont(struct gdb *g, const char *p)
{
	struct wish wish[64];
	unsigned n = 0;
	bool moves = false;
	while (skip_char(&p, ';')) {
		if (n == LEN(wish) || !scan_wish(g, &p, &wish[n])) {
			put_error(g, EINVAL);
			return;
		}
		moves |= wish[n++].action.act != GDB_STAY;
	}
	if (!moves || *p)
		put_error(g, EINVAL);
	else
		resume(g, wish, n);
}

/* c, s, C, S: [signal;] and where to go on. Step: the chosen thread alone, the others run. */
static void old_resume(struct gdb *g, const char *p)
{
	char what = p[-1];
	u64 n, thread = thread_pick(g, g->thread_c > 0 ? (u64)g->thread_c : 0);
	struct wish wish[2] = { { .thread = (i64)thread,
				  .action.act = what == 's' || what == 'S' ? GDB_STEP : GDB_GO },
				{ .thread = ALL_THREADS, .action.act = GDB_GO } };
	if (what == 'C' || what == 'S') {
		if (!scan_hex(&p, &n)) {
			put_error(g, EINVAL);
			return;
		}
		wish[0].action.signal = signal_from_gdb((unsigned)n);
		skip_char(&p, ';');
	}
	if (*p) {
		struct cpu *cpu =
		    scan_hex(&p, &n) && !*p && thread ? g->ops->cpu(g->user, thread, true) : NULL;
		if (!cpu) {
			put_error(g, EINVAL);
			return;
		}
		cpu->pc = n;
	}
	resume(g, wish, 2);
}

static void kill_target(struct gdb *g, const char *p UNUSED)
{
	g->gone = true;
	g->ops->kill(g->user);
}

static void v_kill(struct gdb *g, const char *p)
{
	u64 pid;
	if (skip_char(&p, ';') && (!scan_hex(&p, &pid) || pid != g->pid)) {
		put_error(g, ESRCH);
		return;
	}
	reply_fmt(&g->out, "OK");
	reply_send(g);
	kill_target(g, p);
}

static void detached(struct gdb *g, const char *p)
{
	u64 pid;
	if (skip_char(&p, ';') && (!scan_hex(&p, &pid) || pid != g->pid)) {
		put_error(g, ESRCH);
		return;
	}
	reply_fmt(&g->out, "OK");
	reply_send(g);
	g->gone = true;
	g->ops->detach(g->user);
}

static void v_packet(struct gdb *g, const char *p)
{
	if (strcmp(p, "Cont?") == 0)
		reply_fmt(&g->out, "vCont;c;C;s;S;t;r");
	else if (skip_text(&p, "Cont"))
		v_cont(g, p);
	else if (skip_text(&p, "Kill"))
		v_kill(g, p);
	else if (skip_text(&p, "File:"))
		file_run(g, p);
}

/* ---- stop replies ---- */
static void put_process(struct gdb *g)
{
	if (g->multiprocess)
		reply_fmt(&g->out, ";process:%llx", (unsigned long long)g->pid);
}

void command_stop_reply(struct gdb *g)
{
	static const char *const reasons[] = {
		[GDB_SWBREAK] = "swbreak", [GDB_HWBREAK] = "hwbreak", [GDB_WATCH] = "watch",
		[GDB_RWATCH] = "rwatch",   [GDB_AWATCH] = "awatch",   [GDB_EXEC] = NULL
	};
	enum { TRAP = 5 };
	const struct gdb_stop *s = &g->stop;
	if (s->why == GDB_EXITED || s->why == GDB_KILLED) {
		reply_fmt(&g->out, "%c%02x", s->why == GDB_EXITED ? 'W' : 'X',
			  s->why == GDB_EXITED ? s->value & 0xff : (int)signal_to_gdb(s->value));
		put_process(g);
		return;
	}
	reply_fmt(&g->out, "T%02xthread:", s->why == GDB_SIGNAL ? signal_to_gdb(s->value) : TRAP);
	put_thread(g, s->thread);
	if (s->why >= GDB_WATCH && s->why <= GDB_AWATCH) {
		reply_fmt(&g->out, ";%s:%llx", reasons[s->why], (unsigned long long)s->addr);
	} else if (s->why == GDB_EXEC && g->exec_events) {
		reply_fmt(&g->out, ";exec:");
		reply_hex(&g->out, s->path, strlen(s->path));
	} else if (reasons[s->why]) {
		reply_fmt(&g->out, ";%s:", reasons[s->why]);
	}
	reply_fmt(&g->out, ";");
}

static void ask_stop(struct gdb *g, const char *p UNUSED)
{
	g->thread_g = 0;
	command_stop_reply(g);
}

/* ---- all of them ---- */
/* By the first letter; each gets what follows it. What is not here gets the empty reply, which says so. */
static void (*const commands[128])(struct gdb *g, const char *p) = {
	['?'] = ask_stop,     ['g'] = read_all,	     ['G'] = write_all,	   ['p'] = read_one,
	['P'] = write_one,    ['m'] = read_memory,   ['x'] = read_memory,  ['M'] = write_memory,
	['X'] = write_binary, ['H'] = choose_thread, ['T'] = thread_alive, ['Z'] = point,
	['z'] = point,	      ['c'] = old_resume,    ['C'] = old_resume,   ['s'] = old_resume,
	['S'] = old_resume,   ['v'] = v_packet,	     ['q'] = query_run,	   ['Q'] = query_set,
	['D'] = detached,     ['k'] = kill_target,
};

void command_run(struct gdb *g)
{
	u8 letter = (u8)g->in[0];
	if (letter < LEN(commands) && commands[letter])
		commands[letter](g, g->in + 1);
	if (!g->running && !g->gone)
		reply_send(g);
	g->out.len = 0;
}

void gdb_report(struct gdb *g, const struct gdb_stop *stop)
{
	bool asked = g->running;
	g->stop = *stop;
	g->thread_g = 0;
	g->running = false;
	if (!asked && stop->why != GDB_EXITED && stop->why != GDB_KILLED)
		return; /* the first one: '?' will ask for it */
	command_stop_reply(g);
	reply_send(g);
	g->gone |= stop->why == GDB_EXITED || stop->why == GDB_KILLED;
}

struct gdb *gdb_new(const struct gdb_ops *ops, void *user, const struct guest *guest, const void *model, u64 pid)
{
	struct gdb *g = alloc(sizeof(*g));
	g->ops = ops;
	g->user = user;
	g->guest = guest;
	g->regs = guest_regs(guest, model);
	g->pid = pid;
	for (unsigned i = 0; i < FILES_MAX; i++)
		g->file[i] = -1;
	return g;
}

void gdb_free(struct gdb *g)
{
	file_close_all(g);
	free(g->out.data);
	free(g->last);
	free(g);
}

void gdb_save(const struct gdb *g, char *text, size_t size)
{
	snprintf(text, size, "%d%d%d", g->no_ack, g->multiprocess, g->exec_events);
}

bool gdb_restore(struct gdb *g, const char *text)
{
	if (strlen(text) != 3 || strspn(text, "01") != 3)
		return false;
	g->no_ack = text[0] == '1';
	g->multiprocess = text[1] == '1';
	g->exec_events = text[2] == '1';
	g->running = true;
	return true;
}
