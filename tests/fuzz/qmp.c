/*
 * Fuzz target of the control protocol: what a client says to a monitor of a storage daemon.
 *
 * Input      what the client sends, up to its end; a node "disk" in memory and a job's worth of room are there.
 * The process can write to build-fuzz alone and connects to nothing: commands open files by name.
 */
#include "backend/chr/chr.h"
#include "base/coroutine.h"
#include "base/loop/loop.h"
#include "block/format/testmem.h"
#include "control/block/storage.h"
#include "control/qmp/qmp.h"
#include <fcntl.h>
#include <linux/landlock.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

BLK_DRIVER(testmem) = TESTMEM_DRIVER;

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* ---- the sandbox ---- */

enum { READING = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR };

static void allow(int rules, const char *path, u64 access)
{
	struct landlock_path_beneath_attr a = { .allowed_access = access,
						.parent_fd = open(path, O_PATH | O_CLOEXEC) };
	if (a.parent_fd < 0 || syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &a, 0)) {
		perror(path);
		abort();
	}
	close(a.parent_fd);
}

int LLVMFuzzerInitialize(int *argc UNUSED, char ***argv UNUSED)
{
	const u64 all = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
	struct landlock_ruleset_attr attr = { .handled_access_fs = all };
	int rules = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (rules < 0) {
		perror("landlock");
		abort();
	}
	allow(rules, "build-fuzz", all);
	allow(rules, "tests/fuzz", READING);
	allow(rules, "/dev/null", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE);
	allow(rules, "/proc/self", READING);
	allow(rules, "/usr", READING | LANDLOCK_ACCESS_FS_EXECUTE); /* the sanitizers look at themselves */
	allow(rules, "/lib64", READING | LANDLOCK_ACCESS_FS_EXECUTE);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_landlock_restrict_self, rules, 0)) {
		perror("landlock");
		abort();
	}
	close(rules);
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

/* ---- the client ---- */

static int server_end; /* the client's connection; -1: it was taken */
static atomic_bool served; /* nothing of the client is left to be read */

static struct err *open_fuzz(struct chr *c UNUSED, const struct json *opts UNUSED)
{
	return NULL;
}

static int wait_fuzz(struct chr *c)
{
	if (server_end < 0) {
		served = true;
		return -ENOTCONN;
	}
	c->in = c->out = server_end;
	server_end = -1;
	return 0;
}

CHR(fuzz) = {
	.name = "fuzz",
	.summary = "the fuzzer",
	.options = (const char *const[]){ NULL },
	.open = open_fuzz,
	.wait = wait_fuzz,
};

static struct json *parse(const char *text)
{
	struct json *j;
	if (json_parse(text, strlen(text), &j))
		abort();
	return j;
}

static void talk(int fd, const u8 *p, size_t len)
{
	u8 buf[65536];
	size_t sent = 0;
	while (!served) {
		ssize_t n = sent < len ? send(fd, p + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
		sent += n > 0 ? n : 0;
		if (sent == len)
			shutdown(fd, SHUT_WR);
		while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
			;
		if (!loop_run_once(loop_here(), false))
			usleep(20);
	}
	while (loop_run_once(loop_here(), false))
		;
}

static void make_disk(struct storage *s)
{
	struct json *opts = json_dict();
	AUTO(json_freep)
	struct json *node = parse("{'driver': 'raw', 'node-name': 'disk', 'file': {'driver': 'testmem', "
				  "'filename': 'testmem:disk'}}");
	json_set(opts, "size", json_strf("%d", 1 << 20));
	if (blk_create_image(s->graph, "testmem:disk", "raw", opts) || storage_add_node(s, node))
		abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	struct control control = { 0 };
	struct chr_set chrs = { 0 };
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair))
		abort();
	server_end = pair[0];
	served = false;
	control.chrs = &chrs;
	struct storage *s = storage_new(&control);
	struct qmp *q = qmp_new(&control, storage_offers);
	make_disk(s);
	struct err *e = chr_add(&chrs, parse("{'backend': 'fuzz', 'id': 'm'}"));
	if (e)
		abort();
	qmp_monitor(q, chr_find(&chrs, "m"), false);
	qmp_start(q);
	talk(pair[1], data, len);
	close(pair[1]);
	storage_free(s);
	qmp_free(q);
	chr_set_free(&chrs);
	mems_free();
	return 0;
}
