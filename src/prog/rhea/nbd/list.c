/* rhea nbd --list: what another server exports. */
#include "prog/rhea/nbd/nbd.h"
#include "block/nbd.h"
#include "block/transport/nbd/client.h"

/* What a server says goes to a terminal: without control characters. */
static void print_text(const char *front, const char *text, const char *back)
{
	fputs(front, stdout);
	for (; *text; text++)
		putchar((u8)*text < 32 || *text == 127 ? '?' : *text);
	fputs(back, stdout);
}

static void print_flags(u16 flags)
{
	static const char *const names[] = { NULL,	   "readonly", "flush",	 "fua",
					     "rotational", "trim",     "zeroes", "df",
					     "multi",	   "resize",   "cache",	 "fast-zero" };
	printf("  flags: 0x%x (", flags);
	for (unsigned i = 1; i < LEN(names); i++)
		if (flags & BIT(i))
			printf(" %s", names[i]);
	puts(" )");
}

static void print_info(const struct nbd_info *i)
{
	print_text(" export: '", i->name, "'\n");
	if (i->description && *i->description)
		print_text("  description: ", i->description, "\n");
	if (i->flags & NBD_HAS_FLAGS) {
		printf("  size:  %llu\n", (unsigned long long)i->size);
		print_flags(i->flags);
	}
	if (i->min_block) {
		printf("  min block: %u\n", i->min_block);
		printf("  opt block: %u\n", i->opt_block);
		printf("  max block: %u\n", i->max_block);
	}
	if (!i->n_contexts)
		return;
	printf("  available meta contexts: %u\n", i->n_contexts);
	for (unsigned k = 0; k < i->n_contexts; k++)
		print_text("   ", i->contexts[k], "\n");
}

int nbd_print_list(const struct nbd_target *t)
{
	struct nbd_info *list;
	size_t n;
	struct err *e = nbd_link_list(t, &list, &n);
	if (e) {
		nbd_report(e, "");
		return 1;
	}
	printf("exports available: %zu\n", n);
	for (size_t i = 0; i < n; i++) {
		print_info(&list[i]);
		nbd_info_done(&list[i]);
	}
	free(list);
	return fflush(stdout) ? 1 : 0;
}
