/*
 * Guest memory from system calls, and structures whose layout differs between guest and host.
 */
#include "linux/internal.h"
#include "translate/host/syscall.h"
#include <errno.h>

bool get_mem(struct vm *vm, void *dst, u64 addr, size_t len)
{
	return host_guarded_copy(dst, g2h(vm, addr), len) == 0;
}

bool put_mem(struct vm *vm, u64 addr, const void *src, size_t len)
{
	return host_guarded_copy(g2h(vm, addr), src, len) == 0;
}

i64 get_str(struct vm *vm, char *buf, u64 addr, size_t size)
{
	i64 n = host_guarded_str(buf, g2h(vm, addr), size);
	return n < 0 ? -EFAULT : n == (i64)size ? -ENAMETOOLONG : n;
}

static u64 load(const u8 *p, unsigned size, bool big, bool is_signed)
{
	u64 v = 0;
	for (unsigned i = 0; i < size; i++)
		v = v << 8 | p[big ? i : size - 1 - i];
	unsigned shift = 64 - 8 * size;
	return is_signed && shift ? (u64)((i64)(v << shift) >> shift) : v;
}

static void store(u8 *p, unsigned size, bool big, u64 v)
{
	for (unsigned i = 0; i < size; i++, v >>= 8)
		p[big ? size - 1 - i : i] = (u8)v;
}

static unsigned guest_size(const struct linux_abi *abi, const struct field *f)
{
	switch ((enum field_type)f->type) {
	case F_U8:
		return 1;
	case F_U16:
		return 2;
	case F_U32:
	case F_I32:
		return 4;
	case F_U64:
	case F_LOW32:
		return 8;
	case F_LONG:
	case F_ULONG:
	case F_PTR:
		return abi->word;
	case F_BYTES:
		return f->count;
	}
	return 0;
}

/* Calls for each field with its guest offset; gives the structure's size. */
static u32 walk(const struct linux_abi *abi, const struct layout *l,
		void (*each)(void *user, const struct field *f, u32 at, unsigned size), void *user)
{
	u32 at = 0, align = 1;
	for (unsigned i = 0; i < l->n_fields; i++) {
		const struct field *f = &l->fields[i];
		unsigned size = guest_size(abi, f), need = f->type == F_BYTES || l->packed ? 1 : size;
		at = ROUND_UP(at, need);
		align = MAX(align, need);
		if (each)
			each(user, f, at, size);
		at += size;
	}
	return ROUND_UP(at, align);
}

struct conversion {
	u8 *guest, *host;
	bool big;
};

static void field_to_guest(void *user, const struct field *f, u32 at, unsigned size)
{
	struct conversion *c = user;
	if (f->type == F_BYTES)
		memset(c->guest + at, 0, size);
	if (f->type == F_BYTES && f->host_size)
		memcpy(c->guest + at, c->host + f->host_at, MIN(size, f->host_size));
	if (f->type != F_BYTES)
		store(c->guest + at, size, c->big,
		      f->host_size ? load(c->host + f->host_at, f->host_size, false, f->is_signed) : 0);
}

static u64 field_value(const struct field *f, const u8 *p, unsigned size, bool big)
{
	u64 v = load(p, size, big, f->is_signed);
	return f->type == F_LOW32 ? (u32)v : v;
}

static void field_to_host(void *user, const struct field *f, u32 at, unsigned size)
{
	struct conversion *c = user;
	if (!f->host_size)
		return;
	if (f->type == F_BYTES)
		memcpy(c->host + f->host_at, c->guest + at, MIN(size, f->host_size));
	else
		store(c->host + f->host_at, f->host_size, false, field_value(f, c->guest + at, size, c->big));
}

u32 layout_size(const struct linux_abi *abi, unsigned id)
{
	return walk(abi, &layouts[id], NULL, NULL);
}

bool layout_same(const struct linux_abi *abi, unsigned id)
{
	return layouts[id].same_lp64 && abi->word == 8 && !abi->big_endian;
}

void layout_to_guest(const struct linux_abi *abi, unsigned id, u8 *guest, const void *host)
{
	struct conversion c = { guest, (u8 *)host, abi->big_endian };
	walk(abi, &layouts[id], field_to_guest, &c);
}

void layout_to_host(const struct linux_abi *abi, unsigned id, void *host, const u8 *guest)
{
	struct conversion c = { (u8 *)guest, host, abi->big_endian };
	memset(host, 0, layouts[id].host_size);
	walk(abi, &layouts[id], field_to_host, &c);
}

bool get_struct(struct vm *vm, unsigned id, void *host, u64 addr)
{
	u8 buf[512];
	if (layout_same(vm->abi, id))
		return get_mem(vm, host, addr, layouts[id].host_size);
	if (!get_mem(vm, buf, addr, layout_size(vm->abi, id)))
		return false;
	layout_to_host(vm->abi, id, host, buf);
	return true;
}

bool put_struct(struct vm *vm, unsigned id, u64 addr, const void *host)
{
	u8 buf[512] = { 0 };
	if (layout_same(vm->abi, id))
		return put_mem(vm, addr, host, layouts[id].host_size);
	layout_to_guest(vm->abi, id, buf, host);
	return put_mem(vm, addr, buf, layout_size(vm->abi, id));
}

static bool get_number(struct vm *vm, u64 addr, unsigned size, u64 *ret)
{
	u8 buf[8];
	if (!get_mem(vm, buf, addr, size))
		return false;
	*ret = load(buf, size, vm->abi->big_endian, false);
	return true;
}

static bool put_number(struct vm *vm, u64 addr, unsigned size, u64 val)
{
	u8 buf[8];
	store(buf, size, vm->abi->big_endian, val);
	return put_mem(vm, addr, buf, size);
}

bool get_word(struct vm *vm, u64 addr, u64 *ret)
{
	return get_number(vm, addr, vm->abi->word, ret);
}

bool put_word(struct vm *vm, u64 addr, u64 val)
{
	return put_number(vm, addr, vm->abi->word, val);
}

bool get_u64(struct vm *vm, u64 addr, u64 *ret)
{
	return get_number(vm, addr, 8, ret);
}

bool put_u64(struct vm *vm, u64 addr, u64 val)
{
	return put_number(vm, addr, 8, val);
}

bool get_u32(struct vm *vm, u64 addr, u32 *ret)
{
	u64 v;
	if (!get_number(vm, addr, 4, &v))
		return false;
	*ret = (u32)v;
	return true;
}

bool put_u32(struct vm *vm, u64 addr, u32 val)
{
	return put_number(vm, addr, 4, val);
}
