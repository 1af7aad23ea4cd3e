/* io: reading and writing. */
#include "prog/rhea/io/io.h"
#include "prog/rhea/field.h"
#include "base/coroutine.h"
#include "base/loop/loop.h"
#include <ctype.h>
#include <errno.h>
#include <unistd.h>

enum { DEFAULT_FILL = 0xcd, MAX_IOV = 1024 };

/* One request, as the options describe it. */
struct req {
	struct io *io;
	struct blk_node *node;
	bool write, async, vm_state, compressed, machine, fua, quiet, zero, unmap, no_fallback, verbose,
	    has_pattern, invalid;
	const char *verb; /* of the failure message */
	int pattern;
	u64 pattern_at, pattern_len;
	bool has_pattern_len;
	const char *source;
	u64 offset, len;
	u8 *buf, *room;
	struct iovec *v;
	unsigned n;
	i64 start;
	int result;
	bool done;
};

static bool byte_of(const char *text, int *ret)
{
	char *end;
	long v = strtol(text, &end, 0);
	if (*end || end == text || v < 0 || v > 255) {
		printf("%s is not a valid pattern byte\n", text);
		return false;
	}
	*ret = v;
	return true;
}

static void *get_buf(struct io *io, size_t len, int fill, u8 **ret_room)
{
	void *p;
	if (posix_memalign(&p, 4096, len + 16 + (len == 0)))
		return NULL;
	*ret_room = p;
	if (io->misalign)
		p = (char *)p + 16;
	memset(p, fill, len);
	return p;
}

/* The file's bytes, over and over. */
static bool fill_from(struct req *q)
{
	FILE *f = fopen(q->source, "re");
	if (!f) {
		printf("%s: %s\n", q->source, strerror(errno));
		return false;
	}
	size_t n = fread(q->buf, 1, q->len, f);
	bool bad = ferror(f) || !n;
	fclose(f);
	if (bad && q->len) {
		printf("%s: file is empty or cannot be read\n", q->source);
		return false;
	}
	for (size_t i = n; i < q->len; i++)
		q->buf[i] = q->buf[i - n];
	return true;
}

static void dump(const u8 *buf, u64 offset, u64 len)
{
	for (u64 i = 0; i < len; i += 16) {
		printf("%08llx:  ", (unsigned long long)(offset + i));
		for (u64 k = i; k < i + 16 && k < len; k++)
			printf("%02x ", buf[k]);
		putchar(' ');
		for (u64 k = i; k < i + 16 && k < len; k++)
			putchar(isalnum(buf[k]) ? buf[k] : '.');
		putchar('\n');
	}
}

void io_report(const char *did, u64 offset, u64 len, i64 start, bool machine)
{
	double seconds = MAX((loop_now() - start) / 1e9, 1e-9);
	char size[64], rate[64];
	if (machine) {
		printf("%llu,%d,%d:%02d:%05.2f,%.3f,%.3f\n", (unsigned long long)len, 1,
		       (int)(seconds / 3600), (int)(seconds / 60) % 60, seconds - (int)(seconds / 60) * 60,
		       len / seconds, 1 / seconds);
		return;
	}
	printf("%s %llu/%llu bytes at offset %lld\n", did, (unsigned long long)len, (unsigned long long)len,
	       (long long)offset);
	printf("%s, %d ops; %05.2f sec (%s/sec and %.4f ops/sec)\n", io_size(len, size), 1, seconds,
	       io_size(len / seconds, rate), 1 / seconds);
}

static int issue(struct req *q)
{
	struct iovs iov = { q->v, q->n, 0, q->len };
	u32 flags = (q->fua ? BLK_REQ_FUA : 0) | (q->vm_state ? BLK_REQ_VM_STATE : 0);
	if (!q->vm_state && (q->offset > blk_size(q->node) || q->len > blk_size(q->node) - q->offset))
		return -EIO;
	if (!q->write)
		return blk_preadv(q->node, q->offset, iov, flags);
	if (q->zero)
		return blk_zero(q->node, q->offset, q->len,
				flags | (q->unmap ? BLK_REQ_MAY_UNMAP : 0) |
				    (q->no_fallback ? BLK_REQ_NO_FALLBACK : 0));
	return blk_pwritev(q->node, q->offset, iov, flags | (q->compressed ? BLK_REQ_COMPRESSED : 0));
}

/* Prints what came of it; not 0: failed. */
static int finish(struct req *q)
{
	int status = 0;
	if (q->result < 0) {
		/* Scripts know what a failed aio_read says by this name. */
		printf("%s failed: %s\n", q->async && !q->write ? "readv" : q->verb, strerror(-q->result));
		return 1;
	}
	if (!q->write && q->has_pattern) {
		u64 n = q->has_pattern_len ? q->pattern_len : q->len - q->pattern_at;
		for (u64 i = 0; i < n; i++)
			if (q->buf[q->pattern_at + i] != q->pattern) {
				printf("Pattern verification failed at offset %lld, %lld bytes\n",
				       (long long)(q->offset + q->pattern_at), (long long)n);
				status = 1;
				break;
			}
	}
	if (q->quiet)
		return status;
	if (q->verbose)
		dump(q->buf, q->offset, q->len);
	io_report(q->write ? "wrote" : "read", q->offset, q->len, q->start, q->machine);
	return status;
}

static void drop(struct req *q)
{
	free(q->room);
	free(q->v);
	free(q);
}

static void background(void *arg)
{
	struct req *q = arg;
	struct io *io = q->io;
	q->result = q->invalid ? -EINVAL : issue(q);
	finish(q);
	fflush(stdout);
	io->in_flight--;
	drop(q);
}

static void foreground(void *arg)
{
	struct req *q = arg;
	q->result = issue(q);
}

static int go(struct req *q)
{
	q->start = loop_now();
	if (q->async) {
		q->io->in_flight++;
		co_enter(co_new(background, q));
		return 0;
	}
	co_run(foreground, q);
	int status = finish(q);
	drop(q);
	return status;
}

enum shape { PLAIN, VECTORED, ASYNC };

/* Requests end at the last sector that an int can count. What is written as zeroes needs no memory: it may be longer where it is asked for so. */
static const u64 longest = ROUND_DOWN((u64)INT32_MAX, 512);

static bool fits(const struct req *q, enum shape shape, const char *arg, u64 len, u64 before)
{
	if (len <= longest - before || (q->zero && (q->no_fallback || shape == ASYNC)))
		return true;
	if (shape == PLAIN)
		printf("length cannot exceed %llu%s, given %s\n", (unsigned long long)longest,
		       q->write ? " without -n" : "", arg);
	else if (len > longest)
		printf("Argument '%s' exceeds maximum size %llu\n", arg, (unsigned long long)longest);
	else
		printf("The total number of bytes exceed the maximum size %llu\n",
		       (unsigned long long)longest);
	return false;
}

/* Lengths of a vectored request, or the one length of a plain one. */
static bool take_lengths(struct req *q, enum shape shape, int argc, char **argv)
{
	u64 total = 0;
	if (argc > MAX_IOV) {
		printf("more than %d lengths\n", MAX_IOV);
		return false;
	}
	if (q->zero && argc > 1) {
		puts("-z supports only a single length parameter");
		return false;
	}
	AUTO(free_ptr) u64 *lens = alloc(argc * sizeof(u64));
	for (int i = 0; i < argc; i++) {
		if (!io_number(argv[i], &lens[i]) || !fits(q, shape, argv[i], lens[i], total))
			return false;
		total += lens[i];
	}
	q->len = total;
	if (q->zero)
		return true;
	q->buf =
	    get_buf(q->io, total, q->write ? (q->has_pattern ? q->pattern : DEFAULT_FILL) : 0xab, &q->room);
	if (!q->buf) {
		printf("no memory for %llu bytes\n", (unsigned long long)total);
		return false;
	}
	q->v = alloc(argc * sizeof(*q->v));
	q->n = argc;
	u8 *at = q->buf;
	for (int i = 0; i < argc; i++) {
		q->v[i] = (struct iovec){ at, lens[i] };
		at += lens[i];
	}
	return true;
}

static int check(struct req *q)
{
	if (q->compressed && q->zero)
		puts("-c and -z cannot be specified at the same time");
	else if (q->vm_state && q->compressed)
		puts("-b and -c cannot be specified at the same time");
	else if (q->vm_state && q->zero)
		puts("-b and -z cannot be specified at the same time");
	else if (q->fua && (q->compressed || q->vm_state))
		puts("-f and -b or -c cannot be specified at the same time");
	else if (q->no_fallback && !q->zero)
		puts("-n requires -z to be specified");
	else if (q->unmap && !q->zero)
		puts("-u requires -z to be specified");
	else if (q->zero && q->has_pattern)
		puts("-z and -P cannot be specified at the same time");
	else if (q->source && q->has_pattern)
		puts("Only one of -z, -P, and -s can be specified at the same time");
	else
		return 0;
	return 1;
}

static const struct field fields[] = { FIELD_FLAG('b', struct req, vm_state),
				       FIELD_FLAG('c', struct req, compressed),
				       FIELD_FLAG('C', struct req, machine),
				       FIELD_FLAG('f', struct req, fua),
				       FIELD_FLAG('i', struct req, invalid),
				       FIELD_FLAG('n', struct req, no_fallback),
				       FIELD_FLAG('q', struct req, quiet),
				       FIELD_FLAG('u', struct req, unmap),
				       FIELD_FLAG('v', struct req, verbose),
				       FIELD_FLAG('z', struct req, zero),
				       { 0 } };

static bool take_option(struct req *q, const struct io_cmd *cmd, int c)
{
	if (field_set(fields, q, c))
		return true;
	switch (c) {
	case 'p': /* means nothing any more */
		return true;
	case 'P':
		return q->has_pattern = byte_of(optarg, &q->pattern);
	case 'l':
		return q->has_pattern_len = io_number(optarg, &q->pattern_len);
	case 's':
		if (!q->write)
			return io_number(optarg, &q->pattern_at);
		q->source = optarg;
		return true;
	}
	io_usage(cmd);
	return false;
}

/* Which part of what is read is to hold the pattern. */
static bool pattern_fits(const struct req *q, const struct io_cmd *cmd)
{
	if ((q->has_pattern_len || q->pattern_at) && !q->has_pattern)
		return !io_usage(cmd);
	if (q->pattern_at <= q->len && (!q->has_pattern_len || q->pattern_len <= q->len - q->pattern_at))
		return true;
	puts("pattern verification range exceeds end of read data");
	return false;
}

static bool read_words(struct req *q, int argc, char **argv, const struct io_cmd *cmd, enum shape shape,
		       const char *opts)
{
	int c;
	while ((c = getopt(argc, argv, opts)) != -1)
		if (!take_option(q, cmd, c))
			return false;
	int left = argc - optind;
	if (left < 2 || (shape == PLAIN && left != 2))
		return !io_usage(cmd);
	if (check(q) || !io_number(argv[optind], &q->offset) ||
	    !take_lengths(q, shape, left - 1, argv + optind + 1) || (!q->write && !pattern_fits(q, cmd)))
		return false;
	if (q->vm_state && ((q->offset | q->len) & 511)) {
		printf(" %lld is not a sector-aligned value for 'offset'\n", (long long)q->offset);
		return false;
	}
	return !q->source || fill_from(q);
}

static int read_or_write(struct io *io, int argc, char **argv, const struct io_cmd *cmd, bool write,
			 enum shape shape, const char *opts)
{
	struct req *q = alloc(sizeof(*q));
	*q = (struct req){
		.io = io, .node = io->node, .write = write, .async = shape == ASYNC, .verb = cmd->name
	};
	if (!read_words(q, argc, argv, cmd, shape, opts)) {
		drop(q);
		return 1;
	}
	if (write && !(io->node->flags & BLK_RDWR)) {
		fflush(stdout);
		fprintf(stderr, "qemu-io: Block node is read-only\n");
		drop(q);
		return 1;
	}
	return go(q);
}

/* clang-format off */
extern const struct io_cmd io_cmd_read, io_cmd_write, io_cmd_readv, io_cmd_writev, io_cmd_aio_read, io_cmd_aio_write;
static int do_read(struct io *io, int n, char **v) { return read_or_write(io, n, v, &io_cmd_read, false, PLAIN, "bCl:pP:qs:v"); }
static int do_readv(struct io *io, int n, char **v) { return read_or_write(io, n, v, &io_cmd_readv, false, VECTORED, "CP:qv"); }
static int do_write(struct io *io, int n, char **v) { return read_or_write(io, n, v, &io_cmd_write, true, PLAIN, "bcCfnpP:qs:uz"); }
static int do_writev(struct io *io, int n, char **v) { return read_or_write(io, n, v, &io_cmd_writev, true, VECTORED, "CfqP:"); }
static int do_aio_read(struct io *io, int n, char **v) { return read_or_write(io, n, v, &io_cmd_aio_read, false, ASYNC, "CP:iqv"); }
static int do_aio_write(struct io *io, int n, char **v) { return read_or_write(io, n, v, &io_cmd_aio_write, true, ASYNC, "CfiP:quz"); }

IO_CMD(read) = { "read", "r", "[-abCqv] [-P pattern [-s off] [-l len]] off len", "reads a number of bytes at a specified offset",
	" Reads a part of the open file.\n -b, -- read from the VM state rather than the virtual disk\n -C, -- report statistics in a machine parsable format\n"
	" -l, -- length for pattern verification (only with -P)\n -P, -- use a pattern to verify read data\n -q, -- quiet mode, do not show I/O statistics\n"
	" -s, -- start offset for pattern verification (only with -P)\n -v, -- dump buffer to standard output\n", 2, -1, false, do_read };
IO_CMD(readv) = { "readv", NULL, "[-Cqv] [-P pattern] off len [len..]", "reads a number of bytes at a specified offset", " Reads into several buffers.\n", 2, -1, false, do_readv };
IO_CMD(write) = { "write", "w", "[-bcCfnquz] [-P pattern | -s source_file] off len", "writes a number of bytes at a specified offset",
	" Writes a pattern (0xcd) to a part of the open file.\n -b, -- write to the VM state rather than the virtual disk\n -c, -- write compressed data\n"
	" -f, -- use Force Unit Access semantics\n -n, -- with -z, don't allow slow fallback\n -P, -- use different pattern to fill file\n"
	" -s, -- use a pattern file to fill the write buffer\n -C, -- report statistics in a machine parsable format\n -q, -- quiet mode, do not show I/O statistics\n"
	" -u, -- with -z, allow unmapping\n -z, -- write zeroes\n", 2, -1, false, do_write };
IO_CMD(writev) = { "writev", NULL, "[-Cfq] [-P pattern] off len [len..]", "writes a number of bytes at a specified offset", " Writes from several buffers.\n", 2, -1, false, do_writev };
IO_CMD(aio_read) = { "aio_read", NULL, "[-Ciqv] [-P pattern] off len [len..]", "asynchronously reads a number of bytes", " Reads in the background; see aio_flush.\n", 2, -1, false, do_aio_read };
IO_CMD(aio_write) = { "aio_write", NULL, "[-Cfiquz] [-P pattern] off len [len..]", "asynchronously writes a number of bytes", " Writes in the background; see aio_flush.\n", 2, -1, false, do_aio_write };
/* clang-format on */
