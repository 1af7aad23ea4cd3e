/*
 * The guest's memory map. The host's kernel does the mapping at the addresses the guest names; a tree of ranges remembers what is the guest's
 * and with which protection, since code that the guest may execute is only readable for the host, and since nothing the guest says
 * may touch the memory that Rhea itself lives in: outside the tree a fixed mapping is made with MAP_FIXED_NOREPLACE, and fails.
 * The addresses of a 32-bit guest are a window (window.c), in which the places are chosen here.
 *
 * Manual: man 2 mmap, mremap, mprotect, brk, shmat. Behaviour of brk as in Documentation/x86 and man brk.
 */
#include "base/err.h"
#include "base/hash.h"
#include "linux/internal.h"
#include <errno.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* A treap by start; ranges do not overlap. */
struct map_node {
	struct map_range r;
	u32 weight;
	struct map_node *left, *right;
};

static u32 next_weight(const struct map_range *r)
{
	u64 x = (r->start >> 12) * 0x9e3779b97f4a7c15ull;
	return (u32)(x ^ x >> 29) * 0x85ebca6bu;
}

static struct map_node *node_new(const struct map_range *r)
{
	struct map_node *n = alloc(sizeof(*n));
	n->r = *r;
	n->weight = next_weight(r);
	return n;
}

static struct map_node *join(struct map_node *a, struct map_node *b)
{
	if (!a || !b)
		return a ? a : b;
	if (a->weight > b->weight) {
		a->right = join(a->right, b);
		return a;
	}
	b->left = join(a, b->left);
	return b;
}

/* Parts the tree at addr; a range that spans it is cut in two. */
static void split(struct map_node *n, u64 addr, struct map_node **ret_low, struct map_node **ret_high)
{
	if (!n) {
		*ret_low = *ret_high = NULL;
	} else if (n->r.end <= addr) {
		split(n->right, addr, &n->right, ret_high);
		*ret_low = n;
	} else if (n->r.start >= addr) {
		split(n->left, addr, ret_low, &n->left);
		*ret_high = n;
	} else {
		struct map_range high = n->r;
		high.start = addr;
		n->r.end = addr;
		struct map_node *right = n->right;
		n->right = NULL;
		*ret_low = n;
		*ret_high = join(node_new(&high), right);
	}
}

/* Gives the bytes of the guest that were in it. */
static u64 free_tree(struct map_node *n)
{
	if (!n)
		return 0;
	u64 bytes = n->r.kind == MAP_NODE_GUEST ? n->r.end - n->r.start : 0;
	bytes += free_tree(n->left) + free_tree(n->right);
	free(n);
	return bytes;
}

static const struct map_node *lookup(const struct map_node *n,
				     u64 addr) /* the range that holds addr or the next one above */
{
	const struct map_node *best = NULL;
	while (n) {
		if (addr < n->r.end) {
			best = n;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

static struct map_node *pop_edge(struct map_node **root, bool last)
{
	struct map_node **at = root;
	if (!*at)
		return NULL;
	while (last ? (*at)->right : (*at)->left)
		at = last ? &(*at)->right : &(*at)->left;
	struct map_node *n = *at;
	*at = last ? n->left : n->right;
	n->left = n->right = NULL;
	return n;
}

static bool alike(const struct map_range *a, const struct map_range *b)
{
	return a->end == b->start && a->prot == b->prot && a->kind == b->kind && a->shared == b->shared &&
	       a->shm == b->shm && a->file == b->file;
}

/* Makes [start, end) this range, or nothing (r NULL). Neighbours that are alike become one. */
static void set_range(struct vm *vm, u64 start, u64 end, const struct map_range *r)
{
	struct map_node *low, *mid, *high;
	split(vm->root, start, &low, &mid);
	split(mid, end, &mid, &high);
	vm->bytes -= free_tree(mid);
	if (!r) {
		vm->root = join(low, high);
		return;
	}
	struct map_range whole = *r;
	vm->bytes += r->kind == MAP_NODE_GUEST ? end - start : 0;
	whole.start = start;
	whole.end = end;
	struct map_node *n = pop_edge(&low, true);
	if (n && alike(&n->r, &whole)) {
		whole.start = n->r.start;
		free(n);
	} else if (n) {
		low = join(low, n);
	}
	n = pop_edge(&high, false);
	if (n && alike(&whole, &n->r)) {
		whole.end = n->r.end;
		free(n);
	} else if (n) {
		high = join(n, high);
	}
	vm->root = join(join(low, node_new(&whole)), high);
}

/* What a range remembers of the protection asked for. */
static u32 kept_prot(const struct vm *vm, u32 prot)
{
	return prot & (PROT_READ | PROT_WRITE | PROT_EXEC | vm->guard_prot);
}

static void set_guest(struct vm *vm, u64 start, u64 end, u32 prot, bool shared, u32 file)
{
	struct map_range r = { .prot = kept_prot(vm, prot),
			       .kind = MAP_NODE_GUEST,
			       .shared = shared,
			       .file = file };
	set_range(vm, start, end, &r);
}

void vm_note(struct vm *vm, u64 addr, u64 len, u32 prot, bool shared)
{
	pthread_rwlock_wrlock(&vm->lock);
	set_guest(vm, addr, addr + ROUND_UP(len, vm->page_size), prot, shared, 0);
	pthread_rwlock_unlock(&vm->lock);
}

bool vm_find(struct vm *vm, u64 addr, struct map_range *ret_range)
{
	pthread_rwlock_rdlock(&vm->lock);
	const struct map_node *n = lookup(vm->root, addr);
	while (n && n->r.kind != MAP_NODE_GUEST)
		n = lookup(vm->root, n->r.end);
	if (n)
		*ret_range = n->r;
	pthread_rwlock_unlock(&vm->lock);
	return n;
}

static bool owns(const struct vm *vm, u64 start, u64 end)
{
	while (start < end) {
		const struct map_node *n = lookup(vm->root, start);
		if (!n || n->r.start > start || n->r.kind != MAP_NODE_GUEST)
			return false;
		start = n->r.end;
	}
	return true;
}

bool vm_owns(struct vm *vm, u64 addr, u64 len)
{
	pthread_rwlock_rdlock(&vm->lock);
	bool yes = addr + len >= addr && owns(vm, addr, addr + len);
	pthread_rwlock_unlock(&vm->lock);
	return yes;
}

static bool has_exec(const struct vm *vm, u64 start, u64 end)
{
	for (const struct map_node *n = lookup(vm->root, start); n && n->r.start < end;
	     n = lookup(vm->root, n->r.end))
		if (n->r.prot & PROT_EXEC)
			return true;
	return false;
}

/* Whether RLIMIT_AS lets the guest have len bytes more. */
static bool may_grow(const struct vm *vm, u64 len)
{
	return vm->limit_as.cur == ~0ull || (len <= vm->limit_as.cur && vm->bytes <= vm->limit_as.cur - len);
}

static int host_prot(u32 prot)
{
	return (int)((prot & (PROT_READ | PROT_WRITE | PROT_GROWSDOWN | PROT_GROWSUP)) |
		     (prot & PROT_EXEC ? PROT_READ : 0));
}

static bool is_free(const struct vm *vm, u64 start, u64 end)
{
	const struct map_node *n = lookup(vm->root, start);
	return !n || n->r.start >= end;
}

/* A free place in the window, at the hint or as high as possible; 0: none. */
static u64 find_gap(const struct vm *vm, u64 hint, u64 len)
{
	u64 page = vm->page_size, from = ROUND_UP(64 * KiB, page), best = 0;
	if (hint >= from && hint <= vm->va_limit - len && is_free(vm, hint, hint + len))
		return hint;
	while (from < vm->va_limit) {
		const struct map_node *n = lookup(vm->root, from);
		u64 end = n ? MIN(n->r.start, vm->va_limit) : vm->va_limit;
		if (end >= from && end - from >= len)
			best = ROUND_DOWN(end - len, page);
		if (!n)
			break;
		from = MAX(from, ROUND_UP(n->r.end, page));
	}
	return best;
}

/* mmap at guest addresses, as the kernel's: the guest's address or -errno. */
static i64 host_mmap(struct vm *vm, u64 addr, u64 len, int prot, int flags, int fd, u64 offset)
{
	if (vm->window) {
		if (flags & MAP_FIXED_NOREPLACE && !is_free(vm, addr, addr + len))
			return -EEXIST;
		if (!(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)))
			addr = find_gap(vm, addr, len);
		if (!addr && !(flags & MAP_FIXED))
			return -ENOMEM;
		flags = (flags & ~MAP_FIXED_NOREPLACE) | MAP_FIXED;
	}
	i64 got = RAW6(SYS_mmap, g2h(vm, addr), len, prot, flags, fd, offset);
	return got < 0 && got > -4096 ? got : (i64)h2g(vm, (void *)got);
}

static i64 host_munmap(struct vm *vm, u64 addr, u64 len)
{
	return vm->window ? window_unmap(vm, addr, len) : RAW2(SYS_munmap, g2h(vm, addr), len);
}

static i64 host_mremap(struct vm *vm, u64 old, u64 old_len, u64 new_len, int flags, u64 new_addr)
{
	bool keep = flags & MREMAP_DONTUNMAP, fixed = flags & MREMAP_FIXED;
	if (!vm->window) {
		i64 got = RAW5(SYS_mremap, g2h(vm, old), old_len, new_len, flags, g2h(vm, new_addr));
		return got < 0 && got > -4096 ? got : (i64)h2g(vm, (void *)got);
	}
	if (!old_len || (keep && old_len != new_len))
		return -EINVAL;
	if (!fixed && !keep && new_len <= old_len)
		return new_len == old_len || !window_unmap(vm, old + new_len, old_len - new_len) ? (i64)old
												 : -ENOMEM;
	bool grows_in_place =
	    !fixed && !keep && old <= vm->va_limit - new_len && is_free(vm, old + old_len, old + new_len);
	if (!fixed && !grows_in_place && !(flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	u64 to = fixed ? new_addr : grows_in_place ? old : find_gap(vm, 0, new_len);
	return to ? window_move(vm, old, old_len, to, new_len, keep) : -ENOMEM;
}

/*
 * Makes sure that a fixed mapping of [start, end) hits nothing of ours: holes between the guest's ranges are mapped without access.
 * On failure nothing has changed.
 */
static i64 claim(struct vm *vm, u64 start, u64 end)
{
	for (u64 at = vm->window ? end : start; at < end;) { /* a window holds nothing else */
		const struct map_node *n = lookup(vm->root, at);
		u64 stop = n && n->r.start < end ? n->r.start : end;
		if (stop > at) {
			i64 got = host_mmap(vm, at, stop - at, PROT_NONE,
					    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE,
					    -1, 0);
			if (got < 0 || (u64)got != at) {
				if (got >= 0)
					host_munmap(vm, (u64)got, stop - at);
				for (u64 undo = start; undo < at;) { /* give the earlier holes back */
					const struct map_node *m = lookup(vm->root, undo);
					u64 upto = m && m->r.start < at ? m->r.start : at;
					if (upto > undo)
						host_munmap(vm, undo, upto - undo);
					undo = m && m->r.start < at ? m->r.end : at;
				}
				return got == -EPERM || got == -EACCES ? got : -ENOMEM;
			}
		}
		at = n && n->r.start < end ? n->r.end : end;
	}
	return 0;
}

static void forget_code(struct vm *vm, u64 start, u64 end)
{
	__atomic_add_fetch(&vm->map_changes, 1, __ATOMIC_RELEASE);
	if (vm->engine)
		engine_invalidate(vm->engine, start, end - start);
}

/* A mapping the kernel places, aligned to guest pages that may be larger than the host's. */
static i64 map_anywhere(struct vm *vm, u64 addr, u64 len, int prot, int flags, int fd, u64 offset)
{
	u64 page = vm->page_size;
	i64 got = host_mmap(vm, addr, len, prot, flags, fd, offset);
	if (got < 0 || !((u64)got & (page - 1)))
		return got;
	host_munmap(vm, (u64)got, len);
	i64 room =
	    host_mmap(vm, 0, len + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room < 0)
		return room;
	u64 at = ROUND_UP((u64)room, page);
	got = host_mmap(vm, at, len, prot, flags | MAP_FIXED, fd, offset);
	if (got < 0) {
		host_munmap(vm, (u64)room, len + page);
		return got;
	}
	if (at > (u64)room)
		host_munmap(vm, (u64)room, at - (u64)room);
	host_munmap(vm, at + len, (u64)room + page - at);
	return got;
}

static i64 map_fixed(struct vm *vm, u64 addr, u64 len, int prot, int flags, int fd, u64 offset,
		     bool no_replace)
{
	u64 end = addr + len;
	const struct map_node *n = lookup(vm->root, addr);
	if (!n || n->r.start >= end) { /* nothing there: the kernel says whether it is ours */
		i64 got =
		    host_mmap(vm, addr, len, prot, (flags & ~MAP_FIXED) | MAP_FIXED_NOREPLACE, fd, offset);
		if (got >= 0 && (u64)got != addr) {
			host_munmap(vm, (u64)got, len);
			got = -EEXIST;
		}
		return got == -EEXIST && !no_replace ? -ENOMEM : got;
	}
	for (const struct map_node *m = n; no_replace && m && m->r.start < end;
	     m = lookup(vm->root, m->r.end))
		if (m->r.kind == MAP_NODE_GUEST)
			return -EEXIST;
	i64 ret = claim(vm, addr, end);
	if (ret < 0)
		return ret;
	return host_mmap(vm, addr, len, prot, (flags & ~MAP_FIXED_NOREPLACE) | MAP_FIXED, fd, offset);
}

/* ---- files of code ---- */
static bool identify(int fd, struct engine_origin *ret)
{
	struct stat st;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	*ret = (struct engine_origin){ st.st_dev, st.st_ino, st.st_size,
				       st.st_mtim.tv_sec * 1000000000ull + st.st_mtim.tv_nsec };
	return true;
}

/* Under the lock. */
static u32 note_file(struct vm *vm, int fd)
{
	struct engine_origin o;
	if (!identify(fd, &o))
		return 0;
	for (u32 i = 0; i < vm->n_file; i++)
		if (memcmp(&vm->file[i], &o, sizeof(o)) == 0)
			return i + 1;
	vm->file = grow(vm->file, &vm->file_cap, vm->n_file + 1, sizeof(o));
	vm->file[vm->n_file++] = o;
	return vm->n_file;
}

bool vm_origin(void *user, u64 addr, struct engine_origin *ret)
{
	struct vm *vm = user;
	pthread_rwlock_rdlock(&vm->lock);
	const struct map_node *n = lookup(vm->root, addr & vm->mem_mask);
	bool yes = n && n->r.start <= (addr & vm->mem_mask) && n->r.file && !(n->r.prot & PROT_WRITE);
	if (yes)
		*ret = vm->file[n->r.file - 1];
	pthread_rwlock_unlock(&vm->lock);
	return yes;
}

bool vm_guarded(void *user, u64 addr)
{
	struct vm *vm = user;
	struct map_range r;
	return vm_find(vm, addr & vm->mem_mask, &r) && r.start <= (addr & vm->mem_mask) && r.prot & vm->guard_prot;
}

static u64 place(const struct vm *vm, u64 what)
{
	const u64 low = 1ull << 46; /* 16 TiB that neither we nor the kernel use unasked */
	if (!vm->opt || !vm->opt->keep_dir || vm->va_limit < low + low / 2 ||
	    vm->personality & ADDR_NO_RANDOMIZE)
		return 0;
	return low + (hash_pair(what, vm->opt->place) >> 41) * 2 * MiB;
}

u64 vm_place(const struct vm *vm, int fd)
{
	struct engine_origin o;
	return identify(fd, &o) ? place(vm, hash_pair(o.dev, o.ino)) : 0;
}

/* Dynamic linkers ask for room before they say for which library: its size is the next best thing. The kernel decides if both are taken. */
static u64 place_library(const struct vm *vm, u64 len)
{
	u64 at = 0;
	for (unsigned i = 0; i < 2; i++) {
		at = place(vm, hash_pair(len, i));
		const struct map_node *n = lookup(vm->root, at);
		if (!n || n->r.start >= at + len)
			break;
	}
	return at;
}

/* Before the map's lock is taken: the engine's own comes first. */
static void want_guard(struct vm *vm, int prot)
{
	if ((u32)prot & vm->guard_prot)
		engine_guard(vm->engine);
}

i64 vm_mmap(struct vm *vm, u64 addr, u64 len, int prot, int flags, int fd, u64 offset)
{
	u64 page = vm->page_size;
	bool fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE), shared = (flags & MAP_TYPE) != MAP_PRIVATE;
	if (!len || offset & (page - 1) || prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | 0x10))
		return -EINVAL;
	if (fixed && addr & (page - 1))
		return -EINVAL;
	len = ROUND_UP(len, page);
	if (!len || len > vm->va_limit || (fixed && addr > vm->va_limit - len))
		return -ENOMEM;
	if (!fixed && addr > vm->va_limit - len)
		addr = 0;
	flags &= ~(MAP_32BIT | 0x80 | MAP_GROWSDOWN); /* x86's own bits; a stack that grows by itself */
	int hprot = host_prot((u32)prot);
	bool is_code =
	    vm->opt && vm->opt->keep_dir && !shared && !(flags & MAP_ANONYMOUS) && !(prot & PROT_WRITE) &&
	    (prot & PROT_EXEC || flags & MAP_DENYWRITE); /* which dynamic linkers say of libraries */
	want_guard(vm, prot);
	pthread_rwlock_wrlock(&vm->lock);
	i64 got = -ENOMEM;
	bool code = false;
	u32 file = is_code ? note_file(vm, fd) : 0;
	if (!may_grow(vm, len)) {
		pthread_rwlock_unlock(&vm->lock);
		return got;
	}
	if (!addr && is_code)
		addr = vm_place(vm, fd);
	else if (!addr && flags & MAP_ANONYMOUS && !(flags & MAP_NORESERVE) && prot == PROT_NONE && !shared &&
		 len < GiB)
		addr = place_library(vm, len);
	if (fixed) {
		code = has_exec(vm, addr, addr + len);
		got = map_fixed(vm, addr, len, hprot, flags, fd, offset, !!(flags & MAP_FIXED_NOREPLACE));
	} else {
		got = map_anywhere(vm, ROUND_DOWN(addr, page), len, hprot, flags, fd, offset);
	}
	if (got >= 0)
		set_guest(vm, (u64)got, (u64)got + len, (u32)prot, shared, file);
	pthread_rwlock_unlock(&vm->lock);
	if (code)
		forget_code(vm, addr, addr + len);
	return got;
}

i64 vm_munmap(struct vm *vm, u64 addr, u64 len)
{
	if (addr & (vm->page_size - 1) || !len || len > vm->va_limit || addr > vm->va_limit - len)
		return -EINVAL;
	u64 end = addr + ROUND_UP(len, vm->page_size);
	i64 ret = 0;
	bool code = false;
	pthread_rwlock_wrlock(&vm->lock);
	for (u64 at = addr; at < end && !ret;) {
		const struct map_node *n = lookup(vm->root, at);
		if (!n || n->r.start >= end)
			break;
		u64 from = MAX(at, n->r.start), to = MIN(end, n->r.end);
		at = to;
		if (n->r.kind != MAP_NODE_GUEST)
			continue;
		code |= n->r.prot & PROT_EXEC;
		ret = host_munmap(vm, from, to - from);
		if (!ret)
			set_range(vm, from, to, NULL);
	}
	pthread_rwlock_unlock(&vm->lock);
	if (code)
		forget_code(vm, addr, end);
	return ret;
}

i64 vm_mprotect(struct vm *vm, u64 addr, u64 len, int prot)
{
	if (addr & (vm->page_size - 1) ||
	    (u32)prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN | PROT_GROWSUP | vm->guard_prot))
		return -EINVAL;
	u64 end = addr + ROUND_UP(len, vm->page_size);
	if (end < addr)
		return -ENOMEM;
	i64 ret = 0;
	bool code = false;
	want_guard(vm, prot);
	pthread_rwlock_wrlock(&vm->lock);
	for (u64 at = addr; at < end && !ret;) {
		const struct map_node *n = lookup(vm->root, at);
		if (!n || n->r.start > at || n->r.kind != MAP_NODE_GUEST) {
			ret = -ENOMEM;
			break;
		}
		struct map_range was = n->r;
		u64 to = MIN(end, was.end);
		if (host_prot((u32)prot) != host_prot(was.prot) || prot & (PROT_GROWSDOWN | PROT_GROWSUP))
			ret = RAW3(SYS_mprotect, g2h(vm, at), to - at, host_prot((u32)prot));
		if (!ret && was.prot != (u32)prot) {
			code |= was.prot & PROT_EXEC;
			was.prot = kept_prot(vm, (u32)prot);
			set_range(vm, at, to, &was);
		}
		at = to;
	}
	pthread_rwlock_unlock(&vm->lock);
	if (code)
		forget_code(vm, addr, end);
	return ret;
}

i64 vm_mremap(struct vm *vm, u64 old, u64 old_len, u64 new_len, int flags, u64 new_addr)
{
	u64 page = vm->page_size;
	old_len = ROUND_UP(old_len, page);
	new_len = ROUND_UP(new_len, page);
	if (old & (page - 1) || !new_len || flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
		return -EINVAL;
	if (old_len > vm->va_limit || old > vm->va_limit - old_len)
		return -EFAULT;
	if (new_len > vm->va_limit)
		return -ENOMEM;
	if (flags & MREMAP_FIXED &&
	    (new_addr & (page - 1) || new_addr > vm->va_limit - new_len || !(flags & MREMAP_MAYMOVE) ||
	     (new_addr < old + old_len && old < new_addr + new_len)))
		return -EINVAL;
	pthread_rwlock_wrlock(&vm->lock);
	i64 got = -EFAULT;
	bool code = false;
	const struct map_node *n = lookup(vm->root, old);
	if (!n || n->r.start > old || !owns(vm, old, old + MAX(old_len, page)))
		goto out;
	struct map_range was = n->r;
	got = -ENOMEM;
	if (new_len > old_len && !may_grow(vm, new_len - old_len))
		goto out;
	if (flags & MREMAP_FIXED) {
		got = claim(vm, new_addr, new_addr + new_len);
		if (got < 0)
			goto out;
		code = has_exec(vm, new_addr, new_addr + new_len);
	}
	got = host_mremap(vm, old, old_len, new_len, flags, new_addr);
	if (got < 0)
		goto out;
	if (old_len && !(flags & MREMAP_DONTUNMAP))
		set_range(vm, old, old + old_len, NULL);
	was.shm = was.shm ? (u64)got : 0;
	set_range(vm, (u64)got, (u64)got + new_len, &was);
out:
	pthread_rwlock_unlock(&vm->lock);
	if (got >= 0 && was.prot & PROT_EXEC)
		forget_code(vm, old, old + old_len);
	if (code)
		forget_code(vm, new_addr, new_addr + new_len);
	return got;
}

i64 vm_madvise(struct vm *vm, u64 addr, u64 len, int advice)
{
	u64 end = addr + ROUND_UP(len, vm->page_size);
	if (addr & (vm->page_size - 1) || end < addr)
		return -EINVAL;
	if (!len)
		return RAW3(SYS_madvise, g2h(vm, addr), 0, advice);
	i64 ret = 0;
	bool code = false, hole = false;
	pthread_rwlock_rdlock(&vm->lock);
	for (u64 at = addr; at < end && !ret;) {
		const struct map_node *n = lookup(vm->root, at);
		u64 from = n ? MAX(at, n->r.start) : end, to = n ? MIN(end, n->r.end) : end;
		hole |= from > at || (n && n->r.kind != MAP_NODE_GUEST);
		at = MAX(to, from);
		if (from >= end || n->r.kind != MAP_NODE_GUEST)
			continue;
		code |= n->r.prot & PROT_EXEC;
		ret = RAW3(SYS_madvise, g2h(vm, from), to - from, advice);
	}
	pthread_rwlock_unlock(&vm->lock);
	if (code && (advice == MADV_DONTNEED || advice == MADV_REMOVE || advice == MADV_FREE))
		forget_code(vm, addr, end);
	return ret ? ret : hole ? -ENOMEM : 0;
}

/* ---- brk ---- */
void vm_brk_init(struct vm *vm, u64 addr)
{
	static const u64 sizes[] = { 4 * GiB, 512 * MiB, 64 * MiB, 8 * MiB, 1 * MiB };
	addr = ROUND_UP(addr, vm->page_size);
	vm->brk_start = vm->brk = vm->brk_limit = addr;
	pthread_rwlock_wrlock(&vm->lock);
	for (unsigned i = 0; i < LEN(sizes); i++) {
		if (sizes[i] > vm->va_limit / 4 || addr > vm->va_limit - sizes[i])
			continue;
		i64 got = host_mmap(vm, addr, sizes[i], PROT_NONE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
		if (got >= 0 && (u64)got != addr)
			host_munmap(vm, (u64)got, sizes[i]);
		if (got != (i64)addr)
			continue;
		struct map_range r = { .kind = MAP_NODE_RESERVED };
		set_range(vm, addr, addr + sizes[i], &r);
		vm->brk_limit = addr + sizes[i];
		break;
	}
	pthread_rwlock_unlock(&vm->lock);
}

static bool brk_grow(struct vm *vm, u64 from, u64 to)
{
	for (const struct map_node *n = lookup(vm->root, from); n && n->r.start < to;
	     n = lookup(vm->root, n->r.end))
		if (n->r.kind != MAP_NODE_RESERVED)
			return false;
	if (to - vm->brk_start > vm->limit_data.cur || !may_grow(vm, to - from))
		return false;
	if (claim(vm, from, to) < 0)
		return false;
	i64 got = host_mmap(vm, from, to - from, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (got < 0)
		return false;
	set_guest(vm, from, to, PROT_READ | PROT_WRITE, false, 0);
	return true;
}

u64 vm_brk(struct vm *vm, u64 to)
{
	pthread_rwlock_wrlock(&vm->lock);
	u64 old = ROUND_UP(vm->brk, vm->page_size), new = ROUND_UP(to, vm->page_size);
	if (to < vm->brk_start || to > vm->va_limit)
		;
	else if (new > old ? brk_grow(vm, old, new) : true) {
		if (new < old &&
		    host_mmap(vm, new, old - new, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) >= 0) {
			struct map_range r = { .kind = MAP_NODE_RESERVED };
			set_range(vm, new, old, &r);
		}
		vm->brk = to;
	}
	u64 ret = vm->brk;
	pthread_rwlock_unlock(&vm->lock);
	return ret;
}

/* ---- System V shared memory ---- */
i64 vm_shmat(struct vm *vm, int id, u64 addr, int flags)
{
	struct shmid_ds ds;
	i64 got = RAW3(SYS_shmctl, id, IPC_STAT, &ds);
	u64 page = vm->page_size, len = got < 0 ? page : ROUND_UP((u64)ds.shm_segsz, page);
	if (addr && addr & (page - 1)) {
		if (!(flags & SHM_RND))
			return -EINVAL;
		addr = ROUND_DOWN(addr, page);
	}
	if (addr > vm->va_limit - len)
		return -EINVAL;
	bool code = false;
	pthread_rwlock_wrlock(&vm->lock);
	if (addr) {
		for (const struct map_node *n = lookup(vm->root, addr);
		     n && n->r.start < addr + len && !(flags & SHM_REMAP); n = lookup(vm->root, n->r.end))
			if (n->r.kind == MAP_NODE_GUEST) {
				pthread_rwlock_unlock(&vm->lock);
				return -EINVAL;
			}
		got = claim(vm, addr, addr + len);
		if (got < 0) {
			pthread_rwlock_unlock(&vm->lock);
			return -EINVAL;
		}
		code = has_exec(vm, addr, addr + len);
		flags |= SHM_REMAP;
	}
	if (!addr && vm->window) {
		addr = find_gap(vm, 0, len);
		flags |= SHM_REMAP;
	}
	got = vm->window && !addr ? -ENOMEM
				  : RAW3(SYS_shmat, id, addr ? g2h(vm, addr) : NULL, flags & ~SHM_EXEC);
	if (got >= 0 || got < -4095) {
		got = (i64)h2g(vm, (void *)got);
		struct map_range r = { .prot = PROT_READ | (flags & SHM_RDONLY ? 0 : PROT_WRITE) |
					       (flags & SHM_EXEC ? PROT_EXEC : 0),
				       .kind = MAP_NODE_GUEST,
				       .shared = true,
				       .shm = (u64)got };
		set_range(vm, (u64)got, (u64)got + len, &r);
	}
	pthread_rwlock_unlock(&vm->lock);
	if (code)
		forget_code(vm, addr, addr + len);
	return got;
}

/* Forgets what is left of the segment that was attached at addr; in a window, unmaps it too. False: there is none. */
static bool drop_segment(struct vm *vm, u64 addr, u64 *ret_end, bool *ret_code)
{
	bool any = false;
	for (const struct map_node *n = lookup(vm->root, addr); n;) {
		struct map_range r = n->r;
		if (r.shm == addr) {
			any = true;
			*ret_end = r.end;
			*ret_code |= r.prot & PROT_EXEC;
			if (vm->window)
				window_unmap(vm, r.start, r.end - r.start);
			set_range(vm, r.start, r.end, NULL);
		}
		n = lookup(vm->root, r.end);
	}
	return any;
}

i64 vm_shmdt(struct vm *vm, u64 addr)
{
	u64 end = addr;
	bool code = false;
	pthread_rwlock_wrlock(&vm->lock);
	i64 ret = drop_segment(vm, addr, &end, &code) ? 0 : -EINVAL;
	if (!ret && !vm->window)
		ret = RAW1(SYS_shmdt, g2h(vm, addr));
	pthread_rwlock_unlock(&vm->lock);
	if (code)
		forget_code(vm, addr, end);
	return ret;
}

struct err *vm_init(struct vm *vm)
{
	long host_page = sysconf(_SC_PAGESIZE);
	pthread_rwlock_init(&vm->lock, NULL);
	pthread_mutex_init(&vm->threads_lock, NULL);
	vm->page_size = vm->opt->page_size ? vm->opt->page_size : vm->abi->page_size;
	if (vm->page_size < (u64)host_page)
		vm->page_size = (u64)host_page;
	vm->va_limit = MIN(BIT(vm->abi->va_bits), BIT(47) - 4096);
	vm->mem_base = NULL;
	vm->mem_mask = ~0ull;
	vm->window = !vm->abi->shared_va;
	vm->limit_as = vm->limit_data = (struct linux_limit){ ~0ull, ~0ull };
	if (vm->opt->has_limits) {
		vm->limit_as = vm->opt->limit_as;
		vm->limit_data = vm->opt->limit_data;
	}
	vm->self_fd = vm->prefix_fd = vm->log.fd = -1;
	if (vm->window)
		return window_init(vm);
	if (vm->opt->base || (vm->opt->reserved && vm->opt->reserved < vm->va_limit))
		return err_new(ERR_UNSUPPORTED, "-B and -R: a %s program's addresses are the host's own",
			       vm->abi->name);
	return NULL;
}

void vm_lock_fork(struct vm *vm)
{
	pthread_rwlock_wrlock(&vm->lock);
	pthread_mutex_lock(&vm->threads_lock);
}

void vm_unlock_fork(struct vm *vm, bool child)
{
	pthread_mutex_unlock(&vm->threads_lock);
	pthread_rwlock_unlock(&vm->lock);
	if (child) { /* whoever waited for them is not here */
		pthread_mutex_init(&vm->threads_lock, NULL);
		pthread_rwlock_init(&vm->lock, NULL);
	}
}
