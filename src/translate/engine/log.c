/* What -d shows of regions. Texts are for people; their heads are the peer's, so that scripts find them. */
#include "translate/engine/priv.h"

/* "function" of a guest address where it is known. */
static const char *symbol(struct priv *p, u64 pc, char *buf, size_t size)
{
	const struct engine_config *c = &p->e->config;
	buf[0] = 0;
	if (c->symbol)
		c->symbol(c->user, pc, buf, size);
	return buf;
}

static void add_insn(struct log_text *t, struct priv *p, u64 pc, u32 len)
{
	const struct engine_config *c = &p->e->config;
	char text[160];
	u8 bytes[32];
	u32 avail, code, used = 0, n = 0;
	while (n < MIN(len, (u32)sizeof(bytes))) { /* it may lie in two pages */
		const u8 *at = c->fetch(c->user, p->cpu, pc + n, &avail, &code);
		if (!at || !avail)
			break;
		avail = MIN(avail, len - n);
		memcpy(bytes + n, at, avail);
		n += avail;
	}
	log_add(t, "0x%08llx:  ", (unsigned long long)pc);
	for (u32 i = 0; i < n; i++)
		log_add(t, "%02x", bytes[p->e->guest->big_endian ? i : n - 1 - i]);
	log_add(t, "%*s  %s\n", 8 - 2 * (int)MIN(n, 4u), "",
		p->e->guest->text(bytes, n, pc, p->cpu->key, text, sizeof(text), &used));
}

static void guest_code(struct priv *p)
{
	struct log_text t = { 0 };
	char name[256];
	u64 next = p->region->pc;
	log_add(&t, "----------------\nIN: %s\n", symbol(p, p->region->pc, name, sizeof(name)));
	for (u32 b = 0; b < p->region->n_block; b++) {
		const struct ir_block *block = &p->region->block[b];
		for (u32 i = block->first; i < block->first + block->count; i++) {
			const struct ir_insn *in = &p->region->insn[i];
			if (in->op != IR_INSN)
				continue;
			if (in->imm != next)
				log_add(&t, "...\n");
			add_insn(&t, p, in->imm, in->b);
			next = in->imm + in->b;
		}
	}
	log_add(&t, "\n");
	log_text_end(p->e->config.log, &t);
}

static bool wants(struct priv *p, u32 items)
{
	const struct log *l = p->e->config.log;
	return log_has(l, items) && log_covers(l, p->region->pc);
}

static void operations(struct priv *p, const char *head)
{
	char *text = ir_print(p->region);
	log_put(p->e->config.log, "%s\n%s\n", head, text);
	free(text);
}

void log_formed(struct priv *p)
{
	if (wants(p, LOG_IN_ASM))
		guest_code(p);
	if (wants(p, LOG_OP))
		operations(p, "OP:");
}

void log_optimized(struct priv *p)
{
	if (wants(p, LOG_OP_OPT))
		operations(p, "OP after optimization:");
}

void log_compiled(struct priv *p, const struct tb *tb)
{
	struct log_text t = { 0 };
	if (!wants(p, LOG_OUT_ASM) || !tb->code)
		return;
	log_add(&t, "OUT: [size=%u] %p", tb->size, (const void *)tb->code);
	for (u32 i = 0; i < tb->size;
	     i++) /* a small static program has no disassembler: "rhea disasm" reads these lines */
		log_add(&t, i % 32 ? "%02x" : "\nOBJD-H: %02x", tb->code[i]);
	log_add(&t, "\n\n");
	log_text_end(p->e->config.log, &t);
}

static u64 reg_word(const struct cpu *cpu, const struct guest_reg *r, unsigned at)
{
	u64 v = 0;
	if (r->get)
		return r->get(cpu);
	memcpy(&v, (const u8 *)cpu + r->offset + at, MIN(r->bits / 8u, 8u));
	return v;
}

/* Whether it belongs to the program's integer registers: the first feature of the table holds those. */
static bool is_basic(const struct guest *g, const struct guest_reg *r)
{
	return strcmp(r->feature, g->regs->feature) == 0;
}

static void registers(struct priv *p, struct log_text *t)
{
	const struct guest *g = p->e->guest;
	unsigned column = 0;
	for (const struct guest_reg *r = guest_regs(g, p->e->config.model); r->name; r++) {
		if (!is_basic(g, r) && !(p->e->config.log->items & LOG_FPU))
			continue;
		log_add(t, "%*s%s=", column ? (int)(8 - strlen(r->name)) : (int)(5 - strlen(r->name)), "",
			r->name);
		for (unsigned at = r->bits / 8u; at > 8; at -= 8)
			log_add(t, "%016llx:", (unsigned long long)reg_word(p->cpu, r, at - 8));
		log_add(t, "%0*llx", MIN(r->bits, 64) / 4, (unsigned long long)reg_word(p->cpu, r, 0));
		column = r->bits > 64 || column == 3 ? 0 : column + 1;
		log_add(t, column ? "" : "\n");
	}
	log_add(t, column ? "\n" : "");
}

void log_entered(struct priv *p, const struct tb *tb)
{
	const struct log *l = p->e->config.log;
	struct log_text t = { 0 };
	char name[256];
	if (!log_covers(l, tb->pc))
		return;
	if (l->items & LOG_EXEC)
		log_add(&t, "Trace %u: %p [%016llx/%llx] %s\n", p->number, (const void *)tb->code,
			(unsigned long long)tb->pc, (unsigned long long)tb->key,
			symbol(p, tb->pc, name, sizeof(name)));
	if (l->items & LOG_CPU)
		registers(p, &t);
	log_text_end(l, &t);
}
