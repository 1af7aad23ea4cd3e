/*
 * Instructions of architectures that have no front end yet, written by hand in the form's text: tests/ir/ARCH/NAME.ir, with states
 * before and after. Each is run by interpreter and generated code, as written and after the passes. docs/dev/ir.md has the files' form.
 */
#include "base/err.h"
#include "base/test.h"
#include "translate/host/x64/rig.h"
#include "translate/ir/passes.h"
#include <ctype.h>
#include <dirent.h>
#include <sys/mman.h>

enum { MAX_SLOTS = 200, NAME = 16, MEMORY_AT = 0x20000000, N_EVENTS = EV_DEBUG + 1 };

/* An architecture: what tests/ir/ARCH/state says. */
struct arch {
	struct ir_slot slot[MAX_SLOTS + 1];
	char name[MAX_SLOTS][NAME];
	unsigned n;
	struct fp_ctl fp;
	enum ir_type addr;
};

struct state { /* a guest's */
	struct cpu cpu;
	u8 slots[MAX_SLOTS * 16];
	u8 memory[RIG_PAGE]; /* a copy of what lies at MEMORY_AT */
	u32 event; /* enum ir_event */
};

static const struct {
	const char *name;
	const struct fp_ctl *ctl;
} rules[] = { { "arm", &fp_arm },     { "x86", &fp_x86 },	   { "x87", &fp_x87 },
	      { "ppc", &fp_ppc },     { "mips", &fp_mips_legacy }, { "sparc", &fp_sparc },
	      { "s390x", &fp_s390x }, { "sh4", &fp_sh4 },	   { "m68k", &fp_m68k } };

static const char *const events[N_EVENTS] = {
	[EV_SYSCALL] = "syscall", [EV_UNDEFINED] = "undefined", [EV_BREAKPOINT] = "breakpoint",
	[EV_MEMORY] = "memory",	  [EV_FETCH] = "fetch",		[EV_ALIGN] = "align",
	[EV_FLOAT] = "float",	  [EV_DIVIDE] = "divide"
};

/* ---- reading ---- */

static char *file_text(const char *path)
{
	FILE *f = fopen(path, "r");
	size_t cap = 0, n = 0;
	char *text = NULL;
	if (!f)
		return NULL;
	do {
		text = grow(text, &cap, n + 4096, 1);
		n += fread(text + n, 1, 4095, f);
	} while (!feof(f));
	text[n] = 0;
	fclose(f);
	return text;
}

static enum ir_type type_named(const char *name)
{
	for (enum ir_type t = TY_I1; t < TY_COUNT; t++)
		if (!strcmp(ir_type_name(t), name))
			return t;
	return TY_VOID;
}

/* slot NAME TYPE, or slot NAME TYPE LENGTH for NAME0, NAME1... that may be indexed. */
static bool add_slots(struct arch *a, const char *name, const char *type, unsigned length)
{
	enum ir_type t = type_named(type);
	unsigned size = ir_type_size(t), stride = size == 10 ? 16 : MAX(size, 4u);
	for (unsigned i = 0; i < MAX(length, 1u); i++) {
		if (a->n == MAX_SLOTS || !t || size > 16)
			return false;
		struct ir_slot *s = &a->slot[a->n], *last = a->n ? s - 1 : NULL;
		if (length)
			snprintf(a->name[a->n], NAME, "%s%u", name, i);
		else
			snprintf(a->name[a->n], NAME, "%s", name);
		u32 at =
		    last ? last->offset + MAX(ir_type_size(last->type), 4u) : offsetof(struct state, slots);
		*s = (struct ir_slot){ a->name[a->n++], (u16)ROUND_UP(at, stride), t, i ? 0 : (u8)length };
	}
	return true;
}

static bool read_arch(struct arch *a, const char *dir)
{
	AUTO(free_ptr) char *path = strf("%s/state", dir);
	AUTO(free_ptr) char *text = file_text(path);
	memset(a, 0, sizeof(*a));
	a->addr = TY_I32;
	if (!text)
		return false;
	for (char *line = text, *next; line; line = next) {
		char one[NAME] = "", two[NAME] = "";
		unsigned n = 0;
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		if (sscanf(line, "slot %15s %15s %u", one, two, &n) >= 2) {
			if (!add_slots(a, one, two, n))
				return false;
		} else if (sscanf(line, "address %15s", one) == 1) {
			a->addr = type_named(one);
		} else if (sscanf(line, "fp %15s", one) == 1) {
			for (unsigned i = 0; i < LEN(rules); i++)
				if (!strcmp(rules[i].name, one))
					a->fp = *rules[i].ctl;
		} else if (*line && *line != ';') {
			return false;
		}
	}
	return true;
}

static const char flag_letters[] = "NZCVPA"; /* from bit 31 downwards */
static const char raised_letters[] = "IZOUX"; /* from bit 0 upwards */

static bool letters(const char *text, size_t len, const char *from, bool down, u32 *ret)
{
	*ret = 0;
	for (size_t i = 0; i < len && !(len == 1 && *text == '-'); i++) {
		const char *p = strchr(from, text[i]);
		if (!p)
			return false;
		*ret |= down ? 1u << 31 >> (p - from) : 1u << (p - from);
	}
	return true;
}

/* A number of up to 128 bits, decimal or with 0x. */
static bool wide_number(const char *text, size_t len, u128 *ret)
{
	unsigned base = len > 2 && text[1] == 'x' ? 16 : 10;
	*ret = 0;
	for (size_t i = base == 16 ? 2 : 0; i < len; i++) {
		unsigned digit =
		    isdigit((u8)text[i]) ? (unsigned)text[i] - '0' : (unsigned)text[i] - 'a' + 10;
		if (digit >= base)
			return false;
		*ret = *ret * base + digit;
	}
	return len > 0;
}

/* [ADDRESS]=BYTES: two hexadecimal digits each, as they lie in memory. */
static bool memory_item(struct state *s, const char *item)
{
	char *end;
	u64 at = strtoull(item + 1, &end, 0) - MEMORY_AT;
	if (end[0] != ']' || end[1] != '=')
		return false;
	for (end += 2; isxdigit((u8)end[0]) && isxdigit((u8)end[1]) && at < RIG_PAGE; end += 2)
		s->memory[at++] = (u8)strtoul((char[]){ end[0], end[1], 0 }, NULL, 16);
	return !*end;
}

/* A number is one of the guest's own. */
static u32 event_named(const char *name)
{
	for (u32 e = 1; e < N_EVENTS; e++)
		if (events[e] && !strcmp(events[e], name))
			return e;
	return isdigit((u8)*name) ? EV_GUEST + (u32)strtoul(name, NULL, 0) : EV_NONE;
}

static bool own_item(struct state *s, const char *name, size_t n, const char *value)
{
	u64 number = strtoull(value, NULL, 0);
	if (n == 5 && !strncmp(name, "event", n))
		return (s->event = event_named(value)) != EV_NONE;
	if (n == 6 && !strncmp(name, "raised", n))
		return letters(value, strlen(value), raised_letters, false, &s->cpu.fp_flags);
	u64 *to = n == 2 && !strncmp(name, "pc", n)	 ? &s->cpu.pc
		  : n == 3 && !strncmp(name, "arg", n)	 ? &s->cpu.event_arg
		  : n == 5 && !strncmp(name, "fault", n) ? &s->cpu.fault_addr
							 : NULL;
	if (to)
		*to = number;
	return to;
}

/* One NAME=VALUE into a state. */
static bool item(const struct arch *a, struct state *s, const char *text)
{
	const char *value = strchr(text, '=');
	size_t n = value ? (size_t)(value++ - text) : 0;
	if (*text == '[')
		return memory_item(s, text);
	for (unsigned i = 0; n && i < a->n; i++) {
		if (strlen(a->name[i]) != n || strncmp(a->name[i], text, n))
			continue;
		u8 *to = (u8 *)s + a->slot[i].offset;
		u32 fl;
		u128 number;
		if (a->slot[i].type == TY_FLAGS ? !letters(value, strlen(value), flag_letters, true, &fl)
						: !wide_number(value, strlen(value), &number))
			return false;
		memcpy(to, a->slot[i].type == TY_FLAGS ? (void *)&fl : (void *)&number,
		       ir_type_size(a->slot[i].type));
		return true;
	}
	return n && own_item(s, text, n, value);
}

static bool items(const struct arch *a, struct state *s, char *line, char *ret_bad, size_t size)
{
	char *save;
	for (char *word = strtok_r(line, " \t", &save); word; word = strtok_r(NULL, " \t", &save))
		if (!item(a, s, word)) {
			snprintf(ret_bad, size, "%s", word);
			return false;
		}
	return true;
}

/* Registers that a file does not name hold something all the same, which must stay. */
static void unnamed(const struct arch *a, struct state *s)
{
	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < a->n; i++) {
		u8 *p = (u8 *)s + a->slot[i].offset;
		if (a->slot[i].type == TY_FLAGS)
			st_le32(p, i << 28);
		else if (a->slot[i].type == TY_I1)
			*p = i & 1;
		else
			memset(p, 0x11 * (i % 15 + 1), ir_type_size(a->slot[i].type));
	}
	memset(s->memory, 0xee, RIG_PAGE);
	s->cpu.host_fp = 0x1f80;
	s->cpu.mem_mask = a->addr == TY_I32 ? 0xffffffff : ~0ull;
}

/* ---- running ---- */

struct proof {
	const struct arch *a;
	const char *name;
	struct rig *rig;
	u8 *memory;
	bool translated;
};

static void same_slots(const struct proof *p, const struct state *got, const struct state *want, unsigned line)
{
	for (unsigned i = 0; i < p->a->n; i++) {
		const struct ir_slot *s = &p->a->slot[i];
		u128 x = 0, y = 0;
		memcpy(&x, (const u8 *)got + s->offset, ir_type_size(s->type));
		memcpy(&y, (const u8 *)want + s->offset, ir_type_size(s->type));
		if (x != y)
			test_fail(p->name, line, "%s is %#llx %016llx, not %#llx %016llx", s->name,
				  (unsigned long long)(x >> 64), (unsigned long long)x,
				  (unsigned long long)(y >> 64), (unsigned long long)y);
	}
	for (unsigned i = 0; i < RIG_PAGE; i++)
		if (got->memory[i] != want->memory[i])
			test_fail(p->name, line, "memory at %#x is %#x, not %#x", MEMORY_AT + i,
				  got->memory[i], want->memory[i]);
}

static void compare(const struct proof *p, struct state *got, const struct state *want, unsigned line)
{
	for (unsigned i = 0; i < p->a->n; i++)
		if (p->a->slot[i].type == TY_FLAGS)
			*(u32 *)((u8 *)got + p->a->slot[i].offset) &= 0xfc000000;
	same_slots(p, got, want, line);
	if (got->event != want->event)
		test_fail(p->name, line, "event %u, not %u", got->event, want->event);
	if (got->cpu.pc != want->cpu.pc && got->event != EV_MEMORY && got->event != EV_ALIGN)
		test_fail(p->name, line, "pc %#llx, not %#llx", (unsigned long long)got->cpu.pc,
			  (unsigned long long)want->cpu.pc);
	if (want->event >= EV_GUEST && got->cpu.event_arg != want->cpu.event_arg)
		test_fail(p->name, line, "argument %#llx, not %#llx", (unsigned long long)got->cpu.event_arg,
			  (unsigned long long)want->cpu.event_arg);
	if (want->event == EV_MEMORY && (got->cpu.fault_addr ^ want->cpu.fault_addr) & -(u64)RIG_PAGE)
		test_fail(p->name, line, "fault at %#llx, not %#llx", (unsigned long long)got->cpu.fault_addr,
			  (unsigned long long)want->cpu.fault_addr);
	if ((got->cpu.fp_flags ^ want->cpu.fp_flags) & FP_IEEE_FLAGS)
		test_fail(p->name, line, "raised %#x, not %#x", got->cpu.fp_flags & FP_IEEE_FLAGS,
			  want->cpu.fp_flags & FP_IEEE_FLAGS);
}

static void run_one(const struct proof *p, const struct ir_region *r, bool code, const struct state *given,
		    const struct state *want, unsigned line)
{
	struct state *s = (struct state *)p->rig->cpu;
	*s = *given;
	memcpy(p->memory, given->memory, RIG_PAGE);
	enum ir_event event = code ? rig_run(p->rig) : rig_interpret(p->rig, r);
	s->event = event;
	if (event == EV_MEMORY || event == EV_ALIGN)
		s->cpu.pc = want->cpu.pc; /* interpreter: insn_pc; compared by the differential tests */
	memcpy(s->memory, p->memory, RIG_PAGE);
	compare(p, s, want, line);
}

/* Every pair of "given" and "then" behind the region. */
static unsigned run_cases(const struct proof *p, const struct ir_region *r, const char *text, bool code)
{
	static struct state given, want;
	unsigned line = 1, n = 0;
	char bad[64] = "";
	for (const char *at = text; *at; line++) {
		size_t len = strcspn(at, "\n");
		AUTO(free_ptr) char *copy = strf("%.*s", (int)len, at);
		at += len + (at[len] != 0);
		if (!strncmp(copy, "given ", 6)) {
			unnamed(p->a, &given);
			if (!items(p->a, &given, copy + 6, bad, sizeof(bad)))
				test_fail(p->name, line, "cannot understand %s", bad);
			want = given;
			want.cpu.pc = r->end_pc;
		} else if (!strncmp(copy, "then ", 5) || !strcmp(copy, "then")) {
			if (!items(p->a, &want, copy + 4, bad, sizeof(bad)))
				test_fail(p->name, line, "cannot understand %s", bad);
			run_one(p, r, code, &given, &want, line);
			n++;
		}
	}
	return n;
}

static struct ir_region *region_of(const struct proof *p, const char *text)
{
	struct ir_region *r = NULL;
	const char *end = strstr(text, "\ngiven ");
	AUTO(free_ptr) char *ir = strf("%.*s", end ? (int)(end - text) : 0, text);
	struct err *e = ir_parse(ir, p->a->slot, p->a->addr, &r);
	if (!e) {
		if (!r->fp.sticky && !memcmp(&r->fp, &(struct fp_ctl){ 0 }, sizeof(r->fp)))
			r->fp = p->a->fp;
		e = ir_verify(r);
	}
	if (!e)
		return r;
	test_fail(p->name, 0, "%s", err_text(e));
	err_free(e);
	return NULL;
}

/* A file, as written or after the passes. */
static void prove(const struct proof *p, const char *text, bool passes)
{
	struct ir_region *r = region_of(p, text);
	if (!r)
		return;
	if (passes) {
		ir_pass_forward(r);
		ir_pass_words(r);
		ir_pass_dead(r, NULL, NULL);
	}
	if (!run_cases(p, r, text, false))
		test_fail(p->name, 0, "it has no case");
	if (rig_compile(p->rig, r))
		run_cases(p, r, text, true);
	else
		test_fail(p->name, 0, "no code: %s", ir_op_info[r->insn[p->rig->job.stopped].op].name);
	ir_free(r);
}

static bool is_text(const struct dirent *d)
{
	size_t n = strlen(d->d_name);
	return n > 3 && !strcmp(d->d_name + n - 3, ".ir");
}

static int wanted(const struct dirent *d)
{
	const char *only = getenv("RHEA_TEST_FILE");
	return is_text(d) && (!only || !strcmp(only, d->d_name));
}

/* All files of an architecture, with its first slots in registers and with none there. */
static void prove_all(const char *name)
{
	static const u16 none[] = { 0xffff }, some[] = { 0, 1, 2, 3, 4, 5, 0xffff };
	static struct arch arch;
	struct dirent **file = NULL;
	AUTO(free_ptr) char *dir = strf("tests/ir/%s", name);
	int n = scandir(dir, &file, wanted, alphasort);
	struct proof p = { .a = &arch };
	if (n < 0) {
		test_skip("%s is not below this folder", dir);
		return;
	}
	CHECK(n >= 5 || getenv("RHEA_TEST_FILE"));
	CHECK(read_arch(&arch, dir));
	p.memory = mmap((void *)MEMORY_AT, RIG_PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	CHECK(p.memory == (u8 *)MEMORY_AT);
	bool homes = arch.slot[0].type == TY_I32 || arch.slot[0].type == TY_I64;
	for (unsigned round = 0; round < 4; round++) {
		p.rig = rig_new(arch.slot, sizeof(struct state), round & 1 && homes ? some : none, none);
		for (int i = 0; i < n; i++) {
			AUTO(free_ptr) char *path = strf("%s/%s", dir, file[i]->d_name);
			AUTO(free_ptr) char *text = file_text(path);
			p.name = path;
			prove(&p, text, round & 2);
		}
		rig_free(p.rig);
	}
	munmap(p.memory, RIG_PAGE);
	while (n--)
		free(file[n]);
	free(file);
}

TEST(proof, instructions_of_x86_fit_the_form)
{
	prove_all("x86");
}

TEST(proof, instructions_of_arm_fit_the_form)
{
	prove_all("arm");
}

TEST(proof, instructions_of_powerpc_fit_the_form)
{
	prove_all("ppc");
}

TEST(proof, instructions_of_sparc_fit_the_form)
{
	prove_all("sparc");
}

TEST(proof, instructions_of_mips_fit_the_form)
{
	prove_all("mips");
}

TEST(proof, instructions_of_sh4_fit_the_form)
{
	prove_all("sh4");
}

TEST(proof, instructions_of_s390x_fit_the_form)
{
	prove_all("s390x");
}

TEST(proof, instructions_of_m68k_fit_the_form)
{
	prove_all("m68k");
}
