/* Conversion of structures, against what the cross compiler says of the guest's layout. */
#include "access.c"
#include "base/test.h"
#include "syscalls.gen.h"
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

/* Offsets and sizes out of an object file of the guest's compiler: a table of numbers in section .facts. */
static bool ask_compiler(const char *source, u32 *ret_facts, unsigned n)
{
	char dir[] = "/tmp/layout-XXXXXX", cmd[512], path[64];
	if (!mkdtemp(dir))
		return false;
	snprintf(path, sizeof(path), "%s/a.c", dir);
	FILE *f = fopen(path, "w");
	bool ok = f && fputs(source, f) >= 0;
	if (f)
		fclose(f);
	snprintf(cmd, sizeof(cmd),
		 "cd %s && aarch64-linux-gnu-gcc -w -c a.c -o a.o 2>/dev/null && aarch64-linux-gnu-objcopy "
		 "-O binary -j .facts a.o a.bin",
		 dir);
	ok = ok && system(cmd) == 0;
	snprintf(path, sizeof(path), "%s/a.bin", dir);
	f = ok ? fopen(path, "r") : NULL;
	ok = f && fread(ret_facts, sizeof(u32), n, f) == n;
	if (f)
		fclose(f);
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	return system(cmd) == 0 && ok;
}

static const struct linux_abi *arm64(void)
{
	return linux_abi_find("aarch64");
}

TEST(layout, stat_is_laid_out_as_the_guests_compiler_does)
{
	static const char source[] =
	    "#include <sys/stat.h>\n#include <stddef.h>\n#define O(f) offsetof(struct stat, f)\n"
	    "unsigned facts[] __attribute__((section(\".facts\"))) = { sizeof(struct stat), O(st_dev), "
	    "O(st_ino), O(st_mode), "
	    "O(st_nlink), O(st_uid), O(st_gid), O(st_rdev), O(st_size), O(st_blksize), O(st_blocks), "
	    "O(st_atim), O(st_mtim), "
	    "O(st_ctim) };\n";
	u32 fact[14];
	if (!ask_compiler(source, fact, LEN(fact))) {
		test_skip("aarch64-linux-gnu-gcc is not there");
		return;
	}
	struct stat st = { .st_dev = 0x1122334455667788,
			   .st_ino = 2,
			   .st_mode = 3,
			   .st_nlink = 4,
			   .st_uid = 5,
			   .st_gid = 6,
			   .st_rdev = 7,
			   .st_size = 8,
			   .st_blksize = 9,
			   .st_blocks = 10,
			   .st_atim.tv_sec = 11,
			   .st_mtim.tv_sec = 12,
			   .st_ctim.tv_sec = 13 };
	u8 g[256];
	memset(g, 0xee, sizeof(g));
	layout_to_guest(arm64(), LAYOUT_stat, g, &st);
	CHECK_EQ(layout_size(arm64(), LAYOUT_stat), fact[0]);
	CHECK_EQ(ld_le64(g + fact[1]), 0x1122334455667788);
	for (unsigned i = 2; i < 14; i++)
		CHECK_EQ(ld_le32(g + fact[i]), i);
	CHECK_EQ(g[fact[0]], 0xee);
	struct stat back;
	layout_to_host(arm64(), LAYOUT_stat, &back, g);
	CHECK(back.st_ino == 2 && back.st_ctim.tv_sec == 13 && back.st_blksize == 9);
}

TEST(layout, epoll_event_has_the_guests_padding)
{
	struct epoll_event e = { .events = 5, .data.u64 = 0x0102030405060708 };
	u8 g[16] = { 0 };
	layout_to_guest(arm64(), LAYOUT_epoll_event, g, &e);
	CHECK_EQ(layout_size(arm64(), LAYOUT_epoll_event), 16);
	CHECK_EQ(ld_le32(g), 5);
	CHECK_EQ(ld_le64(g + 8), 0x0102030405060708);
}

TEST(layout, other_word_sizes_and_byte_orders)
{
	struct linux_abi big = { .word = 4, .big_endian = true };
	struct timespec ts = { .tv_sec = 0x12345678, .tv_nsec = -2 }, back;
	u8 g[16];
	CHECK_EQ(layout_size(&big, LAYOUT_timespec), 8);
	layout_to_guest(&big, LAYOUT_timespec, g, &ts);
	CHECK_EQ(ld_be32(g), 0x12345678);
	CHECK_EQ(ld_be32(g + 4), 0xfffffffe);
	layout_to_host(&big, LAYOUT_timespec, &back, g);
	CHECK(back.tv_sec == ts.tv_sec && back.tv_nsec == -2);
}
