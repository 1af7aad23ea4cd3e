/* Queries, settings, and the objects of qXfer: target description, threads, auxiliary vector, siginfo, the program's name. */
#include "control/gdb/priv.h"
#include <errno.h>

/* ---- objects made here ---- */
static void put_text(struct reply *r, const char *s)
{
	reply_put(r, s, strlen(s));
}

static const char *types_of(const struct guest *guest, const char *feature)
{
	for (const struct guest_reg_types *t = guest->reg_types; t && t->feature; t++)
		if (strcmp(t->feature, feature) == 0)
			return t->xml;
	return "";
}

/* Registers are numbered in the table's order, which keeps each feature's together. */
static void describe(struct gdb *g, struct reply *r)
{
	const char *feature = "";
	put_text(
	    r, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\">");
	if (g->guest->gdb_arch)
		reply_fmt(r, "<architecture>%s</architecture>", g->guest->gdb_arch);
	reply_fmt(r, "<osabi>GNU/Linux</osabi>");
	for (const struct guest_reg *reg = g->regs; reg->name; reg++) {
		if (strcmp(feature, reg->feature) != 0) {
			put_text(r, *feature ? "</feature>" : "");
			feature = reg->feature;
			reply_fmt(r, "<feature name=\"%s\">", feature);
			put_text(r, types_of(g->guest, feature));
		}
		reply_fmt(r, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"", reg->name, reg->bits,
			  reg->type ? reg->type : "int");
		reply_fmt(r, reg->group ? " group=\"%s\"/>" : "/>", reg->group);
	}
	put_text(r, *feature ? "</feature></target>" : "</target>");
}

static void list_threads(struct gdb *g, struct reply *r)
{
	char name[64];
	struct reply saved = g->out;
	put_text(r, "<?xml version=\"1.0\"?><threads>");
	for (u64 t = g->ops->next_thread(g->user, 0); t; t = g->ops->next_thread(g->user, t)) {
		g->out = (struct reply){ 0 };
		put_thread(g, t);
		g->ops->thread_name(g->user, t, name, sizeof(name));
		reply_fmt(r, "<thread id=\"%.*s\" name=\"", (int)g->out.len, g->out.data);
		for (const char *c = name; *c; c++)
			reply_fmt(r, *c < ' ' || strchr("<>&\"'", *c) ? "&#%u;" : "%c",
				  (u8)*c < ' ' ? '?' : (u8)*c);
		put_text(r, "\"></thread>");
		free(g->out.data);
	}
	put_text(r, "</threads>");
	g->out = saved;
}

/* The target's own: auxv, siginfo, exec-file. False: not there. */
static bool ask_target(struct gdb *g, enum gdb_object object, struct reply *r)
{
	size_t len = 0;
	void *data = g->ops->object(g->user, object, thread_pick(g, g->thread_g), &len);
	if (!data)
		return false;
	reply_put(r, data, len);
	free(data);
	return true;
}

/* ---- qXfer:OBJECT:read:ANNEX:OFFSET,LENGTH ---- */
static bool make_object(struct gdb *g, const char *name, const char *annex, struct reply *r)
{
	static const struct {
		const char *name;
		enum gdb_object object;
	} asked[] = { { "auxv", GDB_AUXV }, { "exec-file", GDB_EXEC_FILE }, { "siginfo", GDB_SIGINFO } };
	if (strcmp(name, "features") == 0 && strcmp(annex, "target.xml") == 0) {
		describe(g, r);
		return true;
	}
	if (strcmp(name, "threads") == 0) {
		list_threads(g, r);
		return true;
	}
	for (unsigned i = 0; i < LEN(asked); i++)
		if (strcmp(name, asked[i].name) == 0)
			return ask_target(g, asked[i].object, r);
	return false;
}

static void transfer(struct gdb *g, const char *p)
{
	char name[32], annex[64];
	int used = 0;
	u64 offset, length;
	struct reply r = { 0 };
	annex[0] = 0;
	if (sscanf(p, "%31[^:]:read:%n", name, &used) != 1 || !used)
		return; /* writing: not supported */
	p += used;
	sscanf(p, "%63[^:]%n", annex, &used);
	p += strlen(annex);
	if (!skip_char(&p, ':') || !scan_hex(&p, &offset) || !skip_char(&p, ',') || !scan_hex(&p, &length) ||
	    *p || !make_object(g, name, annex, &r)) {
		reply_fmt(&g->out, "E00");
	} else if (offset > r.len) {
		reply_fmt(&g->out, "E%02x", EINVAL);
	} else {
		size_t n = MIN(length, (u64)PACKET_MAX / 2);
		n = MIN(n, r.len - offset);
		reply_fmt(&g->out, offset + n < r.len ? "m" : "l");
		reply_put(&g->out, r.data + offset, n);
	}
	free(r.data);
}

/* ---- the rest ---- */
static void supported(struct gdb *g, const char *p)
{
	g->multiprocess = strstr(p, "multiprocess+");
	g->exec_events = strstr(p, "exec-events+");
	reply_fmt(&g->out,
		  "PacketSize=%x;QStartNoAckMode+;QPassSignals+;multiprocess+;exec-events+;vContSupported+;"
		  "swbreak+;"
		  "hwbreak+;binary-upload+;"
		  "qXfer:features:read+;qXfer:threads:read+;qXfer:auxv:read+;qXfer:exec-file:read+;qXfer:"
		  "siginfo:read+",
		  PACKET_MAX);
}

static void list_next(struct gdb *g)
{
	if (g->listed)
		g->listed = g->ops->next_thread(g->user, g->listed);
	if (!g->listed) {
		reply_fmt(&g->out, "l");
		return;
	}
	reply_fmt(&g->out, "m");
	put_thread(g, g->listed);
}

static void thread_text(struct gdb *g, const char *p)
{
	char name[64];
	u64 thread, pid;
	if (skip_char(&p, 'p') && (!scan_hex(&p, &pid) || !skip_char(&p, '.')))
		thread = 0;
	else if (!scan_hex(&p, &thread))
		thread = 0;
	if (!thread || thread_pick(g, thread) != thread) {
		reply_fmt(&g->out, "E%02x", ESRCH);
		return;
	}
	g->ops->thread_name(g->user, thread, name, sizeof(name));
	reply_hex(&g->out, name, strlen(name));
}

void query_run(struct gdb *g, const char *p)
{
	if (skip_text(&p, "Supported")) {
		supported(g, p);
	} else if (skip_text(&p, "Xfer:")) {
		transfer(g, p);
	} else if (strcmp(p, "C") == 0) {
		reply_fmt(&g->out, "QC");
		put_thread(g, thread_pick(g, 0));
	} else if (strcmp(p, "fThreadInfo") == 0) {
		g->listed = g->ops->next_thread(g->user, 0);
		reply_fmt(&g->out, "m");
		put_thread(g, g->listed);
	} else if (strcmp(p, "sThreadInfo") == 0) {
		list_next(g);
	} else if (skip_text(&p, "ThreadExtraInfo,")) {
		thread_text(g, p);
	} else if (skip_text(&p, "Attached")) {
		reply_fmt(&g->out, "0"); /* we started it: it ends with the session unless detached */
	} else if (skip_text(&p, "Symbol:")) {
		reply_fmt(&g->out, "OK"); /* we need no symbols */
	}
}

void query_set(struct gdb *g, const char *p)
{
	u64 n, set = 0;
	if (strcmp(p, "StartNoAckMode") == 0) {
		g->no_ack = true;
		reply_fmt(&g->out, "OK");
	} else if (skip_text(&p, "PassSignals:")) {
		while (*p && scan_hex(&p, &n)) {
			int sig = n <= 255 ? signal_from_gdb((unsigned)n) : 0;
			set |= sig ? BIT(sig - 1) : 0;
			skip_char(&p, ';');
		}
		if (*p) {
			reply_fmt(&g->out, "E%02x", EINVAL);
			return;
		}
		g->ops->pass_signals(g->user, set);
		reply_fmt(&g->out, "OK");
	}
}
