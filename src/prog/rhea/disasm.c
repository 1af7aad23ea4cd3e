/*
 * rhea disasm: makes assembly text of the generated code in a log of -d out_asm. Here, since rhea-user is small and static and has no disassembler.
 */
//needs: capstone
#include "prog/rhea/verb.h"
#include "base/lib.h"
#include <capstone/capstone.h>
#include <stdio.h>

struct code { /* one region's */
	u64 addr;
	u8 *bytes;
	size_t len, cap;
};

static struct {
	typeof(cs_open) *open;
	typeof(cs_close) *close;
	typeof(cs_malloc) *malloc;
	typeof(cs_free) *free;
	typeof(cs_disasm_iter) *disasm_iter;
} cs;

static struct err *load_capstone(void)
{
	static const struct lib_function list[] = {
		{ "cs_open", &cs.open },
		{ "cs_close", &cs.close },
		{ "cs_malloc", &cs.malloc },
		{ "cs_free", &cs.free },
		{ "cs_disasm_iter", &cs.disasm_iter },
		{ NULL },
	};
	AUTO(free_ptr) char *soname = strf("libcapstone.so.%d", CS_API_MAJOR);
	return lib_load(soname, list);
}

static bool open_host(csh *ret_handle)
{
#if defined(__x86_64__)
	return cs.open(CS_ARCH_X86, CS_MODE_64, ret_handle) == CS_ERR_OK;
#elif defined(__aarch64__)
	return cs.open(CS_ARCH_ARM64, CS_MODE_ARM, ret_handle) == CS_ERR_OK;
#else
	return false;
#endif
}

/* Prints what was gathered; bytes that are no instruction (records behind unlinked jumps, constants) as such. */
static void print_code(csh host, struct code *c)
{
	const u8 *p = c->bytes;
	size_t left = c->len;
	u64 addr = c->addr;
	cs_insn *in = cs.malloc(host);
	while (left) {
		if (cs.disasm_iter(host, &p, &left, &addr, in)) {
			printf("0x%08llx:  %s %s\n", (unsigned long long)in->address, in->mnemonic,
			       in->op_str);
			continue;
		}
		printf("0x%08llx:  .byte 0x%02x\n", (unsigned long long)addr++, *p++);
		left--;
	}
	cs.free(in, 1);
	c->len = 0;
}

static void add_bytes(struct code *c, const char *hex)
{
	unsigned byte;
	for (; sscanf(hex, "%2x", &byte) == 1 && hex[0] != '\n' && hex[1] != '\n'; hex += 2) {
		c->bytes = grow(c->bytes, &c->cap, c->len + 1, 1);
		c->bytes[c->len++] = (u8)byte;
	}
}

static void filter(csh host, FILE *in)
{
	struct code c = { 0 };
	char *line = NULL;
	size_t size = 0;
	while (getline(&line, &size, in) >= 0) {
		unsigned long long addr;
		if (strncmp(line, "OBJD-H: ", 8) == 0) {
			add_bytes(&c, line + 8);
			continue;
		}
		print_code(host, &c);
		fputs(line, stdout);
		if (sscanf(line, "OUT: [size=%*u] %llx", &addr) == 1)
			c.addr = addr;
	}
	print_code(host, &c);
	free(line);
	free(c.bytes);
}

static int run(int argc, char **argv)
{
	csh host;
	if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
		printf("usage: rhea disasm [LOG]\n\nReads a log written by -d out_asm (standard input "
		       "without LOG) and prints it with assembly text in "
		       "place of bytes.\n");
		return argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) ? 0 : 1;
	}
	FILE *in = argc == 2 ? fopen(argv[1], "re") : stdin;
	if (!in) {
		fprintf(stderr, "rhea disasm: cannot read '%s': %m\n", argv[1]);
		return 1;
	}
	struct err *e = load_capstone();
	if (e) {
		fprintf(stderr, "rhea disasm: %s\n", err_text(e));
		err_free(e);
		return 1;
	}
	if (!open_host(&host)) {
		fprintf(stderr, "rhea disasm: the disassembler does not know this host's instructions\n");
		return 1;
	}
	filter(host, in);
	cs.close(&host);
	return 0;
}

VERB(disasm) = { .name = "disasm",
		 .summary = "assembly text of the code in a log of -d out_asm",
		 .run = run };
