/* Reads the text form, which print.c shows. Any text is read or refused with its line. */
#include "translate/ir/text.h"
#include "base/err.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

enum { MAX_NUMBER = 1 << 24 }; /* of values and blocks: what a text may ask for */

struct in {
	const char *at;
	unsigned line;
	struct ir_region *r;
	ir_ref *of; /* the instruction that a value's number means */
	size_t of_cap, n_of;
	struct err *error;
};

static bool fail(struct in *p, const char *fmt, ...) PRINTF(2, 3);
static bool fail(struct in *p, const char *fmt, ...)
{
	va_list args;
	char *text;
	if (p->error)
		return false;
	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		abort();
	va_end(args);
	p->error = err_new(ERR_INVALID, "line %u: %s", p->line, text);
	free(text);
	return false;
}

static void blanks(struct in *p)
{
	while (*p->at == ' ' || *p->at == '\t')
		p->at++;
}

/* Takes the word if it comes next (after blanks). */
static bool take(struct in *p, const char *word)
{
	size_t n = strlen(word);
	blanks(p);
	if (strncmp(p->at, word, n))
		return false;
	if (isalnum((u8)word[n - 1]) && (isalnum((u8)p->at[n]) || p->at[n] == '_'))
		return false;
	p->at += n;
	return true;
}

static bool need(struct in *p, const char *word)
{
	return take(p, word) || fail(p, "'%s' expected before '%.12s'", word, p->at);
}

static bool number(struct in *p, u64 *ret)
{
	char *end;
	blanks(p);
	if (!isdigit((u8)*p->at))
		return fail(p, "a number expected before '%.12s'", p->at);
	*ret = strtoull(p->at, &end, 0);
	p->at = end;
	return true;
}

/* A letter and a number: v12, b3. Decimal. */
static bool numbered(struct in *p, char letter, u32 *ret)
{
	char *end;
	blanks(p);
	if (*p->at != letter || !isdigit((u8)p->at[1]))
		return fail(p, "'%c' and a number expected before '%.12s'", letter, p->at);
	unsigned long n = strtoul(p->at + 1, &end, 10);
	if (n >= MAX_NUMBER)
		return fail(p, "number too large: '%.12s'", p->at);
	*ret = (u32)n;
	p->at = end;
	return true;
}

/* A name: letters, digits and '_'. Gives its length, 0 when there is none. */
static size_t name(struct in *p, const char **ret)
{
	size_t n = 0;
	blanks(p);
	while (isalnum((u8)p->at[n]) || p->at[n] == '_')
		n++;
	*ret = p->at;
	p->at += n;
	return n;
}

static bool same(const char *s, size_t n, const char *want)
{
	return want && strlen(want) == n && !strncasecmp(s, want, n);
}

static bool type_named(const char *s, size_t n, enum ir_type *ret)
{
	for (enum ir_type t = 0; t < TY_COUNT; t++)
		if (same(s, n, ir_type_name(t))) {
			*ret = t;
			return true;
		}
	return false;
}

static bool type(struct in *p, enum ir_type *ret)
{
	const char *s;
	size_t n = name(p, &s);
	return type_named(s, n, ret) || fail(p, "unknown type '%.*s'", (int)n, s);
}

/* A reference is kept as its number plus one until all are known; 0 is none. */
static bool reference(struct in *p, ir_ref *ret)
{
	u32 n;
	if (take(p, "-")) {
		*ret = 0;
		return true;
	}
	if (!numbered(p, 'v', &n))
		return false;
	*ret = n + 1;
	return true;
}

static bool block_number(struct in *p, u32 *ret)
{
	if (!numbered(p, 'b', ret))
		return false;
	if (*ret > 65535)
		return fail(p, "block number %u is too large", *ret);
	while (p->r->n_block <= *ret)
		ir_block_new(p->r);
	return true;
}

static bool slot(struct in *p, u64 *ret)
{
	const char *s;
	size_t n = name(p, &s);
	for (u32 i = 0; i < p->r->n_slot; i++)
		if (same(s, n, p->r->slot[i].name)) {
			*ret = i;
			return true;
		}
	if (n > 1 && (*s == 'l' || *s == 's') && isdigit((u8)s[1])) {
		*ret = strtoul(s + 1, NULL, 10) + (*s == 'l' ? IR_LOCAL : 0);
		return true;
	}
	return fail(p, "unknown slot '%.*s'", (int)n, s);
}

static bool find(const char *s, size_t n, const char *const *names, unsigned count, unsigned *ret)
{
	for (unsigned i = 0; i < count; i++)
		if (same(s, n, names[i])) {
			*ret = i;
			return true;
		}
	return false;
}

/* One of the words behind a memory operation's name. */
static bool mem_word(struct in *p, struct ir_insn *in, const char *s, size_t n)
{
	enum ir_type t;
	unsigned k;
	if (type_named(s, n, &t))
		in->mem.type = t;
	else if (in->op == IR_RMW && find(s, n, ir_rmw_names, LEN(ir_rmw_names), &k))
		in->mem.rmw = k;
	else if (find(s, n, ir_order_names, LEN(ir_order_names), &k))
		in->mem.order = k;
	else if (same(s, n, "s"))
		in->mem.sign = 1;
	else if (same(s, n, "be"))
		in->mem.big_endian = 1;
	else if (same(s, n, "single"))
		in->mem.single = 1;
	else if (same(s, n, "within16"))
		in->mem.align = IR_WITHIN_16;
	else if (n > 5 && !strncmp(s, "align", 5))
		in->mem.align = (u8)(__builtin_ctz((unsigned)strtoul(s + 5, NULL, 10) | 128) & 7);
	else if (n > 3 && !strncmp(s, "mmu", 3))
		in->mem.mmu = (u8)strtoul(s + 3, NULL, 10);
	else
		return fail(p, "unknown property '%.*s'", (int)n, s);
	return true;
}

static bool op_name(struct in *p, struct ir_insn *in)
{
	const char *s;
	size_t n = name(p, &s);
	unsigned cc;
	enum ir_type lane;
	for (in->op = IR_NOP; in->op < IR_OP_COUNT && !same(s, n, ir_op_info[in->op].name); in->op++)
		;
	if (!n || in->op == IR_OP_COUNT)
		return fail(p, "unknown operation '%.*s'", (int)n, s);
	while (*p->at == '.') {
		p->at++;
		n = name(p, &s);
		if (ir_is_memory(in->op)) {
			if (!mem_word(p, in, s, n))
				return false;
		} else if (in->op == IR_COND && find(s, n, ir_cc_names, CC_COUNT, &cc)) {
			in->imm = cc;
		} else if (type_named(s, n, &lane)) {
			in->lane = lane;
		} else {
			return fail(p, "unknown suffix '%.*s'", (int)n, s);
		}
	}
	return true;
}

static bool mem_address(struct in *p, struct ir_insn *in)
{
	u64 disp = 0;
	if (!need(p, "[") || !reference(p, &in->a))
		return false;
	bool minus = take(p, "-");
	if ((minus || take(p, "+")) && !number(p, &disp))
		return false;
	in->mem.disp = (i32)(minus ? -disp : disp);
	return need(p, "]");
}

static bool phi(struct in *p, struct ir_insn *in)
{
	in->imm = p->r->n_args;
	do {
		ir_ref pair[2];
		if (!block_number(p, &pair[0]) || !need(p, ":") || !reference(p, &pair[1]))
			return false;
		ir_args(p->r, pair, 2);
		in->a++;
	} while (take(p, ","));
	return true;
}

static bool helper(struct in *p, struct ir_insn *in)
{
	const char *s;
	size_t n = name(p, &s);
	for (const struct ir_helper *const *h = ir_helpers; *h; h++)
		if (same(s, n, (*h)->name)) {
			in->imm = (u64)(uintptr_t)*h;
			return true;
		}
	return fail(p, "unknown helper '%.*s'", (int)n, s);
}

static bool operands(struct in *p, struct ir_insn *in, unsigned from, bool more)
{
	ir_ref *const ref[3] = { &in->a, &in->b, &in->c };
	const char *letters = ir_op_info[in->op].operands;
	for (unsigned i = from; i < 3; i++) {
		u64 n;
		if (letters[i] == '-')
			continue;
		if (more && !need(p, ","))
			return false;
		more = true;
		if (letters[i] == 'v' ? !reference(p, ref[i]) : letters[i] == 'k' && !block_number(p, ref[i]))
			return false;
		if (letters[i] == 'l') {
			if (!number(p, &n))
				return false;
			*ref[i] = (u32)n;
		}
	}
	if (more ? take(p, ",") : true)
		if (take(p, "#") && !number(p, &in->imm))
			return false;
	return true;
}

static bool insn_body(struct in *p, struct ir_insn *in)
{
	if (!op_name(p, in))
		return false;
	if (in->op == IR_PHI)
		return phi(p, in);
	if (ir_is_memory(in->op))
		return mem_address(p, in) && operands(p, in, 1, true);
	if (in->op == IR_GETX || in->op == IR_SETX)
		return slot(p, &in->imm) && need(p, "[") && reference(p, &in->a) && need(p, "]") &&
		       operands(p, in, 1, true);
	if (ir_is_slot(in->op))
		return slot(p, &in->imm) && operands(p, in, 0, true);
	if (in->op == IR_CALL)
		return helper(p, in) && operands(p, in, 0, true);
	return operands(p, in, 0, false);
}

static bool insn(struct in *p)
{
	struct ir_insn in = { 0 };
	enum ir_type result = TY_VOID;
	u32 n = 0;
	const char *start = p->at;
	if (ir_block_ended(p->r))
		return fail(p, "the block has ended");
	if (*p->at == 'v' && isdigit((u8)p->at[1])) {
		if (!numbered(p, 'v', &n) || !need(p, ":") || !type(p, &result) || !need(p, "="))
			return false;
		while (p->r->n_insn < n && p->r->n_insn < MAX_NUMBER)
			ir_emit(p->r, &(struct ir_insn){ 0 });
		size_t had = p->n_of;
		p->of = grow(p->of, &p->of_cap, n + 1, sizeof(*p->of));
		p->n_of = MAX(p->n_of, (size_t)n + 1);
		memset(p->of + had, 0, (p->n_of - had) * sizeof(*p->of));
		if (p->of[n])
			return fail(p, "v%u is there already", n);
		p->of[n] = p->r->n_insn;
	}
	if (!insn_body(p, &in))
		return false;
	blanks(p);
	if (*p->at && *p->at != '\n' && *p->at != ';')
		return fail(p, "cannot understand '%.12s' in '%.20s'", p->at, start);
	in.type = result;
	ir_emit(p->r, &in);
	return true;
}

static bool bytes(struct in *p, u8 *to, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char *end;
		blanks(p);
		to[i] = (u8)strtoul(p->at, &end, 16);
		if (end == p->at)
			return fail(p, "%u bytes expected", n);
		p->at = end;
	}
	return true;
}

static bool attributes(struct in *p, struct ir_block *block)
{
	u64 n;
	for (;;) {
		if (take(p, "pc")) {
			if (!number(p, &block->pc))
				return false;
		} else if (take(p, "weight")) {
			if (!number(p, &n))
				return false;
			block->weight = (u32)n;
		} else if (take(p, "cold")) {
			block->cold = true;
		} else {
			return true;
		}
	}
}

static bool block(struct in *p)
{
	u32 n;
	if (!block_number(p, &n) || !need(p, ":"))
		return false;
	if (p->r->block[n].count)
		return fail(p, "b%u is there already", n);
	ir_block_start(p->r, n);
	return !take(p, ";") || attributes(p, p->r->block + n);
}

static bool header(struct in *p)
{
	for (;;) {
		blanks(p);
		if (!*p->at || *p->at == '\n')
			return true;
		u64 *to = take(p, "pc")	   ? &p->r->pc
			  : take(p, "key") ? &p->r->key
			  : take(p, "end") ? &p->r->end_pc
					   : NULL;
		if (!to)
			return fail(p, "cannot understand '%.12s'", p->at);
		if (!number(p, to))
			return false;
	}
}

static bool line(struct in *p)
{
	u32 n;
	u64 index;
	enum ir_type t;
	blanks(p);
	if (!*p->at || *p->at == '\n' || *p->at == ';')
		return true;
	if (take(p, "region"))
		return header(p);
	if (take(p, "fp"))
		return bytes(p, (u8 *)&p->r->fp, sizeof(p->r->fp));
	if (take(p, "local")) {
		if (!numbered(p, 'l', &n) || !need(p, ":") || !type(p, &t))
			return false;
		return ir_local(p->r, t) == IR_LOCAL + n || fail(p, "local slots must come in order");
	}
	if (p->r->n_insn == 1 && take(p, "const")) {
		u8 b[16];
		if (!number(p, &index) || !need(p, ":") || !bytes(p, b, 16))
			return false;
		struct ir_region *r = p->r; /* in its place, even when equal to another */
		r->consts = grow(r->consts, &r->consts_cap, r->n_consts + 1, sizeof(*r->consts));
		memcpy(r->consts[r->n_consts], b, 16);
		return index == r->n_consts++ || fail(p, "constants must come in order");
	}
	if (*p->at == 'b' && isdigit((u8)p->at[1]))
		return block(p);
	return insn(p);
}

/* From numbers to instructions. */
static bool resolve(struct in *p, ir_ref *ref, u32 user)
{
	if (!*ref)
		return true;
	u32 n = *ref - 1;
	if (n >= p->n_of || !p->of[n])
		return fail(p, "v%u is used and nowhere made", n);
	*ref = p->of[n];
	return true;
}

static bool resolve_all(struct in *p)
{
	struct ir_region *r = p->r;
	for (u32 i = 1; i < r->n_args; i += 2)
		if (!resolve(p, &r->args[i], 0))
			return false;
	for (u32 i = 1; i < r->n_insn; i++) {
		const char *letters = ir_op_info[r->insn[i].op].operands;
		if ((letters[0] == 'v' && !resolve(p, &r->insn[i].a, i)) ||
		    (letters[1] == 'v' && !resolve(p, &r->insn[i].b, i)) ||
		    (letters[2] == 'v' && !resolve(p, &r->insn[i].c, i)))
			return false;
	}
	return true;
}

struct err *ir_parse(const char *text, const struct ir_slot *slots, enum ir_type addr_type,
		     struct ir_region **ret_region)
{
	struct in p = { .at = text, .line = 1, .r = ir_new(slots, addr_type) };
	bool ok = true;
	while (ok && *p.at) {
		ok = line(&p);
		while (ok && *p.at && *p.at != '\n')
			p.at++;
		if (ok && *p.at)
			p.at++, p.line++;
	}
	if (ok)
		resolve_all(&p);
	free(p.of);
	if (p.error) {
		ir_free(p.r);
		return p.error;
	}
	*ret_region = p.r;
	return NULL;
}
