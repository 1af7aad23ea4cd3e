#include "store.c"
#include "base/test.h"
#include <pthread.h>
#include <sys/wait.h>

static const struct store_id id = { 1, 2, 3, 4, 5, 6, 7 };

static char *temp_dir(void)
{
	char *dir = str_dup("/tmp/rhea-store-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	return dir;
}

static void remove_dir(char *dir)
{
	store_prune(dir, 0);
	CHECK_EQ(rmdir(dir), 0);
	free(dir);
}

static void add(struct store *s, u64 pc, u64 key, unsigned n)
{
	struct kept counts = { .pc = pc,
			       .key = key,
			       .code_size = 16 + n % 100,
			       .spare = { n },
			       .n_span = 1,
			       .n_site = n % 3,
			       .n_ways = n % 4,
			       .n_reloc = 1 };
	struct kept *k = store_add(s, &counts);
	memset((u8 *)kept_code(k), (int)(pc + n), k->code_size);
	for (u32 i = 0; i < k->n_site; i++)
		((struct kept_site *)kept_sites(k))[i].leave = i;
	for (u32 i = 0; i < k->n_ways; i++)
		((struct kept_way *)kept_ways(k))[i] = (struct kept_way){ pc, HOST_CALL_SIZE, i << 8 };
	*(struct kept_span *)kept_spans(k) = (struct kept_span){ pc >> 12, 0, 4, n };
	store_added(s);
}

static bool any(void *user UNUSED, const struct kept *k UNUSED)
{
	return true;
}

static bool has_hash(void *user, const struct kept *k)
{
	return kept_spans(k)[0].hash == *(u64 *)user;
}

TEST(store, gives_back_what_was_added_after_it_was_opened_again)
{
	char *dir = temp_dir();
	struct store *s = store_open(dir, &id);
	for (unsigned i = 0; i < 500; i++)
		add(s, 0x1000 + 4 * i, i % 2, i);
	store_flush(s);
	store_free(s);
	s = store_open(dir, &id);
	for (unsigned i = 0; i < 500; i++) {
		const struct kept *k = store_find(s, 0x1000 + 4 * i, i % 2, any, NULL);
		CHECK(k && k->spare[0] == i && k->code_size == 16 + i % 100 &&
		      kept_code(k)[3] == (u8)(0x1000 + 5 * i));
		CHECK(!store_find(s, 0x1000 + 4 * i, 1 - i % 2, any, NULL));
	}
	store_free(s);
	struct store_id other = id;
	other.build++;
	s = store_open(dir, &other);
	CHECK(!store_find(s, 0x1000, 0, any, NULL));
	store_free(s);
	remove_dir(dir);
}

TEST(store, holds_several_records_of_one_address_and_none_twice)
{
	char *dir = temp_dir();
	for (unsigned round = 0; round < 3; round++) {
		struct store *s = store_open(dir, &id);
		for (u64 n = 0; n < 4; n++)
			add(s, 0x4000, 0, n);
		store_flush(s);
		store_free(s);
	}
	struct store *s = store_open(dir, &id);
	CHECK_EQ(s->n_seg, 1);
	for (u64 n = 0; n < 4; n++) {
		const struct kept *k = store_find(s, 0x4000, 0, has_hash, &n);
		CHECK(k && k->spare[0] == n);
	}
	store_free(s);
	remove_dir(dir);
}

TEST(store, appends_again_and_again_with_and_without_others_who_do)
{
	char *dir = temp_dir();
	struct store *one = store_open(dir, &id), *other = store_open(dir, &id);
	for (unsigned i = 0; i < 3 * MAX_SEGMENTS; i++) {
		struct store *s = i % 7 < 5 ? one : other;
		add(s, 0x1000 + 16 * i, 0, i);
		store_flush(s);
	}
	store_free(one);
	store_free(other);
	one = store_open(dir, &id);
	for (unsigned i = 0; i < 3 * MAX_SEGMENTS; i++) {
		const struct kept *k = store_find(one, 0x1000 + 16 * i, 0, any, NULL);
		CHECK(k && k->spare[0] == i);
	}
	store_free(one);
	remove_dir(dir);
}

TEST(store, joins_segments_when_there_are_many)
{
	char *dir = temp_dir();
	struct store *old = NULL;
	for (unsigned i = 0; i < 3 * MAX_SEGMENTS; i++) {
		struct store *s = store_open(dir, &id);
		add(s, 0x1000 + 4 * i, 0, i);
		store_flush(s);
		if (i == 2)
			old = store_open(dir, &id);
		store_free(s);
	}
	struct store *s = store_open(dir, &id);
	CHECK(s->n_seg <= MAX_SEGMENTS);
	for (unsigned i = 0; i < 3 * MAX_SEGMENTS; i++)
		CHECK(store_find(s, 0x1000 + 4 * i, 0, any, NULL));
	CHECK(store_find(old, 0x1004, 0, any, NULL)); /* a reader keeps the file it opened */
	store_free(old);
	store_free(s);
	remove_dir(dir);
}

/* Whatever happens to the file's bytes, a record is right or not there, and the next writer gets along. */
TEST(store, believes_no_damaged_record)
{
	char *dir = temp_dir();
	struct store *s = store_open(dir, &id);
	for (unsigned i = 0; i < 20; i++)
		add(s, 0x1000 + 4 * i, 0, i);
	store_flush(s);
	char *path = str_dup(s->path);
	store_free(s);
	static u8 bytes[1 << 16];
	int fd = open(path, O_RDWR);
	ssize_t size = read(fd, bytes, sizeof(bytes));
	CHECK(size > 1000);
	for (ssize_t at = 0; at < size; at += 5) {
		bytes[at] ^= 0x41;
		CHECK_EQ(pwrite(fd, bytes + at, 1, at), 1);
		s = store_open(dir, &id);
		for (unsigned i = 0; i < 20; i++) {
			const struct kept *k = store_find(s, 0x1000 + 4 * i, 0, any, NULL);
			CHECK(!k || (k->spare[0] == i && k->code_size == 16 + i &&
				     kept_code(k)[0] == (u8)(0x1000 + 5 * i)));
		}
		store_free(s);
		bytes[at] ^= 0x41;
		CHECK_EQ(pwrite(fd, bytes + at, 1, at), 1);
	}
	for (ssize_t len = size - 1; len > 0; len -= 7) {
		CHECK_EQ(ftruncate(fd, len), 0);
		s = store_open(dir, &id);
		CHECK(!store_find(s, 0x1000, 0, any, NULL));
		store_free(s);
	}
	close(fd);
	s = store_open(dir, &id);
	add(s, 0x9000, 0, 1);
	store_flush(s);
	store_free(s);
	s = store_open(dir, &id);
	CHECK(store_find(s, 0x9000, 0, any, NULL));
	store_free(s);
	free(path);
	remove_dir(dir);
}

TEST(store, reads_only_files_that_are_ours_alone_to_write)
{
	char *dir = temp_dir();
	struct store *s = store_open(dir, &id);
	add(s, 0x1000, 0, 1);
	store_flush(s);
	CHECK_EQ(chmod(s->path, 0666), 0);
	char *path = str_dup(s->path);
	store_free(s);
	s = store_open(dir, &id);
	CHECK(!store_find(s, 0x1000, 0, any, NULL));
	store_free(s);
	char *real = strf("%s/real", dir);
	CHECK_EQ(chmod(path, 0600) | rename(path, real) | symlink(real, path), 0);
	s = store_open(dir, &id);
	CHECK(!store_find(s, 0x1000, 0, any, NULL));
	store_free(s);
	unlink(path);
	unlink(real);
	free(real);
	free(path);
	remove_dir(dir);
}

TEST(store, survives_writers_at_the_same_time)
{
	enum { WRITERS = 8, ROUNDS = 20 };
	char *dir = temp_dir();
	for (unsigned w = 0; w < WRITERS; w++)
		if (!fork()) {
			for (unsigned i = 0; i < ROUNDS; i++) {
				struct store *s = store_open(dir, &id);
				add(s, 0x1000 * w + 4 * i, 0, i);
				store_flush(s);
				store_free(s);
			}
			_exit(0);
		}
	for (unsigned w = 0; w < WRITERS; w++)
		wait(NULL);
	struct store *s = store_open(dir, &id);
	unsigned found = 0;
	for (unsigned w = 0; w < WRITERS; w++)
		for (unsigned i = 0; i < ROUNDS; i++) {
			const struct kept *k = store_find(s, 0x1000 * w + 4 * i, 0, any, NULL);
			CHECK(!k || k->spare[0] == i);
			found += k != NULL;
		}
	CHECK(found >= ROUNDS); /* who finds the file locked gives up */
	store_free(s);
	remove_dir(dir);
}

struct flusher {
	struct store *s;
	bool done;
};

static void *flush_often(void *arg)
{
	struct flusher *f = arg;
	for (unsigned i = 0; i < 300; i++) {
		add(f->s, 0x100000 + 4 * i, 0, i);
		store_flush(f->s);
	}
	__atomic_store_n(&f->done, true, __ATOMIC_RELEASE);
	return NULL;
}

TEST(store, is_looked_things_up_in_while_another_thread_writes_to_its_file)
{
	char *dir = temp_dir();
	struct store *s = store_open(dir, &id);
	for (unsigned i = 0; i < 2000; i++) /* so many that it takes a while to look at them */
		add(s, 0x1000 + 4 * i, 0, 7);
	store_flush(s);
	store_free(s);
	struct flusher f = { store_open(dir, &id), false };
	pthread_t writer;
	CHECK_EQ(pthread_create(&writer, NULL, flush_often, &f), 0);
	unsigned missed = 0;
	while (!__atomic_load_n(&f.done, __ATOMIC_ACQUIRE)) {
		const struct kept *k = store_find(f.s, 0x1000, 0, any, NULL);
		missed += !k || k->spare[0] != 7;
	}
	pthread_join(writer, NULL);
	CHECK_EQ(missed, 0);
	store_free(f.s);
	remove_dir(dir);
}

TEST(store, prunes_the_least_recently_used_first)
{
	char *dir = temp_dir();
	char *path[3];
	for (unsigned i = 0; i < 3; i++) {
		struct store_id n = id;
		n.ino = 100 + i;
		struct store *s = store_open(dir, &n);
		add(s, 0x1000, 0, 1);
		store_flush(s);
		path[i] = str_dup(s->path);
		struct timespec t[2] = { { 1000 + i, 0 }, { 1000 + (i + 2) % 3, 0 } };
		CHECK_EQ(utimensat(AT_FDCWD, path[i], t, 0), 0);
		store_free(s);
	}
	struct store_usage u = store_usage(dir);
	CHECK_EQ(u.files, 3);
	store_prune(dir, u.bytes - 1);
	CHECK(access(path[0], F_OK) == 0 && access(path[1], F_OK) != 0 && access(path[2], F_OK) == 0);
	for (unsigned i = 0; i < 3; i++)
		free(path[i]);
	remove_dir(dir);
}
