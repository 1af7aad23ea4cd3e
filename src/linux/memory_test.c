/* The tree of ranges against a plain list of pages; what a fixed mapping may hit. */
#include "memory.c"
#include "base/test.h"

enum { PAGE = 4096, PAGES = 64 };

static void start(struct vm *vm)
{
	static const struct linux_options options = { .fd = -1, .self_fd = -1 };
	memset(vm, 0, sizeof(*vm));
	vm->opt = &options;
	vm->abi = linux_abi_find("aarch64");
	struct err *e = vm_init(vm);
	CHECK(!e);
	err_free(e);
}

static unsigned count(const struct map_node *n)
{
	return n ? 1 + count(n->left) + count(n->right) : 0;
}

TEST(memory, ranges_agree_with_a_list_of_pages)
{
	struct vm vm;
	u32 x = 7;
	u8 want[PAGES] = { 0 }; /* 0 nothing, else prot + 1 */
	start(&vm);
	for (unsigned i = 0; i < 20000; i++) {
		x = x * 1664525u + 1013904223u;
		unsigned lo = (x >> 8) % PAGES, hi = lo + 1 + (x >> 16) % (PAGES - lo), prot = x >> 28 & 3;
		if (x >> 30 & 1)
			set_guest(&vm, lo * PAGE, hi * PAGE, prot, false, 0);
		else
			set_range(&vm, lo * PAGE, hi * PAGE, NULL);
		memset(want + lo, x >> 30 & 1 ? prot + 1 : 0, hi - lo);
		unsigned runs = 0;
		for (unsigned p = 0; p < PAGES; p++) {
			const struct map_node *n = lookup(vm.root, p * PAGE);
			u8 got = n && n->r.start <= p * PAGE ? n->r.prot + 1 : 0;
			if (got != want[p]) {
				test_fail(__FILE__, __LINE__, "page %u is %u, not %u", p, got, want[p]);
				return;
			}
			runs += want[p] && (!p || want[p - 1] != want[p]);
		}
		CHECK_EQ(count(vm.root), runs); /* neighbours that are alike are one */
	}
	free_tree(vm.root);
}

TEST(memory, fixed_mappings_never_hit_what_is_not_the_guests)
{
	struct vm vm;
	start(&vm);
	u8 *ours = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(ours, PAGE); /* a hole in front */
	ours[PAGE] = 7;
	CHECK_EQ(
	    vm_mmap(&vm, (u64)ours + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
	    -ENOMEM);
	CHECK_EQ(vm_mmap(&vm, (u64)ours, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		 -ENOMEM);
	CHECK_EQ(vm_mprotect(&vm, (u64)ours + PAGE, PAGE, PROT_NONE), -ENOMEM);
	CHECK_EQ(vm_munmap(&vm, (u64)ours + PAGE, PAGE), 0);
	CHECK_EQ(vm_madvise(&vm, (u64)ours + PAGE, PAGE, MADV_DONTNEED), -ENOMEM);
	CHECK_EQ(vm_mremap(&vm, (u64)ours + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0), -EFAULT);
	CHECK_EQ(ours[PAGE], 7);
	/* the guest's own range with a hole that we keep: the whole is refused, and nothing of it is lost */
	CHECK_EQ(vm_mmap(&vm, (u64)ours, PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		 (u64)ours);
	ours[0] = 9;
	CHECK_EQ(vm_mmap(&vm, (u64)ours, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		 -ENOMEM);
	CHECK_EQ(ours[0], 9);
	CHECK_EQ(vm_munmap(&vm, (u64)ours, 3 * PAGE), 0);
	CHECK_EQ(ours[PAGE], 7);
	munmap(ours + PAGE, 2 * PAGE);
}

TEST(memory, pages_larger_than_the_hosts)
{
	struct vm vm;
	start(&vm);
	vm.page_size = 65536;
	i64 at = vm_mmap(&vm, 0, 100, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(at > 0 && at % 65536 == 0);
	struct map_range r;
	CHECK(vm_find(&vm, (u64)at, &r) && r.end - r.start == 65536);
	CHECK_EQ(vm_munmap(&vm, (u64)at + 4096, 4096), -EINVAL);
	CHECK_EQ(vm_munmap(&vm, (u64)at, 65536), 0);
}

TEST(memory, brk_keeps_its_place)
{
	struct vm vm;
	start(&vm);
	i64 at = vm_mmap(&vm, 0, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	vm_munmap(&vm, (u64)at, PAGE);
	u64 base = 0x200000000000;
	vm_brk_init(&vm, base + 5);
	CHECK_EQ(vm.brk, base + PAGE);
	CHECK_EQ(vm_brk(&vm, 0), base + PAGE);
	CHECK_EQ(vm_brk(&vm, base + 3 * PAGE + 1), base + 3 * PAGE + 1);
	*(u8 *)(base + 3 * PAGE) = 1;
	CHECK_EQ(vm_brk(&vm, base + PAGE + 1), base + PAGE + 1);
	CHECK(!vm_owns(&vm, base + 3 * PAGE, PAGE));
	CHECK_EQ(vm_brk(&vm, base + 4 * PAGE), base + 4 * PAGE);
	CHECK_EQ(*(u8 *)(base + 3 * PAGE), 0);
	/* what the guest maps into the way stops it */
	CHECK_EQ(
	    vm_mmap(&vm, base + 8 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
	    base + 8 * PAGE);
	CHECK_EQ(vm_brk(&vm, base + 9 * PAGE), base + 4 * PAGE);
	munmap((void *)base, vm.brk_limit - base);
	free_tree(vm.root);
}
