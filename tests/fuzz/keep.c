/*
 * Fuzz target of files with kept translations: the input is a list of changes to a sound file, which is then opened, searched, added to and
 * joined.
 *
 * Input  byte 0: bit 0: the checks of head, segments and records are made right again, bit 1: more is added until segments are joined; then
 *        changes: offset (u16), length (u8), bytes.
 */
#include "translate/engine/keep/store.c"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

static const struct store_id id = { 1, 2, 3, 4, 5, 6, 7 };
enum { RECORDS = 12, SEGMENTS = 3, SOUND_MAX = 64 << 10 };
static u8 sound[SOUND_MAX];
static size_t sound_len;
static char dir[] = "/dev/shm/rhea-fuzz-keep-XXXXXX";

static void add(struct store *s, u64 pc)
{
	struct kept counts = {
		.pc = pc, .key = pc & 1, .code_size = 16 + pc % 50, .n_span = 1, .n_site = 2, .n_reloc = 1
	};
	struct kept *k = store_add(s, &counts);
	memset((u8 *)kept_code(k), 0xcc, k->code_size);
	store_added(s);
}

static void remove_dir(void)
{
	store_prune(dir, 0);
	rmdir(dir);
}

/* The sound file: some segments of some records. */
static void make(void)
{
	if (!mkdtemp(dir))
		abort();
	atexit(remove_dir);
	for (u64 seg = 0; seg < SEGMENTS; seg++) {
		struct store *s = store_open(dir, &id);
		for (u64 i = 0; i < RECORDS; i++)
			add(s, seg * RECORDS + i);
		store_flush(s);
		store_free(s);
	}
	struct store *s = store_open(dir, &id);
	sound_len = s->map_size;
	if (!sound_len || sound_len > SOUND_MAX)
		abort();
	memcpy(sound, s->map, sound_len);
	store_free(s);
}

static void change(u8 *file, const u8 *p, size_t len)
{
	while (len > 3) {
		size_t at = ld_le16(p), n = MIN(p[2], len - 3);
		if (at + n <= sound_len)
			memcpy(file + at, p + 3, n);
		p += 3 + n;
		len -= 3 + n;
	}
}

/* Makes the checks right, as somebody would who wants his file to be believed. */
static void repair(u8 *file)
{
	struct file_head *h = (struct file_head *)file;
	h->check = head_check(h);
	for (size_t at = ROUND_UP(sizeof(*h), 16u); sound_len - at >= sizeof(struct segment);) {
		struct segment *g = (struct segment *)(file + at);
		size_t rest = sound_len - at;
		if (g->size > rest || g->size < sizeof(*g) || g->size & 15 ||
		    (u64)g->n_slot * sizeof(g->slot[0]) > g->size - sizeof(*g))
			return;
		for (u32 i = 0; i < g->n_slot; i++) {
			u64 in = 16ull * g->slot[i].at;
			struct kept *k = (struct kept *)((u8 *)g + in);
			if (in && in + sizeof(*k) <= g->size && k->size <= g->size - in &&
			    k->size >= sizeof(*k))
				k->check = record_check(k);
		}
		g->check = segment_check(g);
		at += g->size;
	}
}

static bool any(void *user, const struct kept *k)
{
	*(u64 *)user += hash_bytes(k, k->size, 0); /* all of it can be read */
	return false;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	static u8 file[SOUND_MAX] __attribute__((aligned(16)));
	if (!sound_len)
		make();
	if (!len)
		return 0;
	memcpy(file, sound, sound_len);
	change(file, data + 1, len - 1);
	if (data[0] & 1)
		repair(file);
	struct store *s = store_open(dir, &id);
	int fd = open(s->path, O_WRONLY | O_TRUNC | O_CREAT, 0600);
	if (fd < 0 || write(fd, file, sound_len) != (ssize_t)sound_len)
		abort();
	close(fd);
	store_free(s);
	u64 sum = 0;
	for (unsigned round = 0; round < (data[0] & 2 ? MAX_SEGMENTS : 1); round++) {
		s = store_open(dir, &id);
		for (u64 pc = 0; pc < RECORDS * SEGMENTS; pc++)
			store_find(s, pc, pc & 1, any, &sum);
		add(s, 1000 + round);
		store_flush(s);
		store_free(s);
	}
	return 0;
}
