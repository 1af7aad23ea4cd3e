/* Inside the stub. */
#pragma once
#include "control/gdb/gdb.h"
#include <stdio.h>

enum { PACKET_MAX = 16 << 10, FILES_MAX = 16, ALL_THREADS = -1 };

struct reply { /* a packet under construction, not yet escaped */
	char *data;
	size_t len, cap;
};

struct gdb {
	const struct gdb_ops *ops;
	void *user;
	const struct guest *guest;
	const struct guest_reg *regs;
	u64 pid;
	bool running; /* between resume and report */
	bool gone; /* nothing is left to debug */
	bool no_ack, multiprocess, exec_events; /* agreed with the client */
	struct gdb_stop stop; /* the last one */
	u64 thread_g; /* of g, p, m, ...; 0: any */
	i64 thread_c; /* of c and s; ALL_THREADS, 0: any */
	u64 listed; /* the last thread that q?ThreadInfo gave */
	int file[FILES_MAX]; /* descriptors by the client's numbers; -1 free */
	struct reply out;
	/* framing */
	enum { IN_NOTHING, IN_PACKET, IN_SUM1, IN_SUM2 } state;
	char in[PACKET_MAX + 1];
	size_t in_len;
	bool too_long;
	u8 sum, sum_sent;
	char *last; /* as sent, for '-' */
	size_t last_len;
};

/* ---- packet.c ---- */
void reply_put(struct reply *r, const void *data, size_t len);
void reply_fmt(struct reply *r, const char *fmt, ...) PRINTF(2, 3);
void reply_hex(struct reply *r, const void *data, size_t len);
void reply_send(struct gdb *g); /* g->out becomes a packet and empty */
/* Hexadecimal number at *p, which moves behind it; false: there is none. */
bool scan_hex(const char **p, u64 *ret);
/* Two digits a byte: how many bytes came out, at most size. */
size_t scan_bytes(const char *hex, u8 *ret, size_t size);
bool skip_char(const char **p, char c);
/* If s begins with prefix: moves *s behind it. */
bool skip_text(const char **s, const char *prefix);
/* Signal numbers: host's to gdb's own (0 to 143) and back (0: unknown). */
unsigned signal_to_gdb(int sig);
int signal_from_gdb(unsigned n);

/* ---- command.c ---- */
/* The packet in g->in, ended by 0; binary data may lie inside. */
void command_run(struct gdb *g);
void command_stop_reply(struct gdb *g);
/* A thread that exists: the one asked for, or any for 0. 0: there is none. */
u64 thread_pick(struct gdb *g, u64 thread);
void put_thread(struct gdb *g, u64 thread);

/* ---- query.c ---- */
void query_run(struct gdb *g, const char *packet);
void query_set(struct gdb *g, const char *packet);

/* ---- file.c ---- */
void file_run(struct gdb *g, const char *request);
void file_close_all(struct gdb *g);
