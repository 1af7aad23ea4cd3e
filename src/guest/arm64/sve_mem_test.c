#include "sve_mem.c"
#include "base/test.h"

/* Guest memory of which bytes from END on are not there; an address says what lies there. */
enum { END = 0x1000 };

static void read_to_end(struct cpu *cpu, u64 addr, void *buf, unsigned size, struct ir_mem mem UNUSED)
{
	if (addr + size > END)
		cpu_raise(cpu, EV_MEMORY, 0);
	for (unsigned i = 0; i < size; i++)
		((u8 *)buf)[i] = (u8)(addr + i);
}
static const struct cpu_memory to_end = { .read = read_to_end };

/* Runs a helper: whether it raised; the arguments' vectors are bytes. */
static bool raised(struct arm64 *a, ir_helper_fn *fn, struct sve_access how, u64 base, const u8 pred[16],
		   const u64 offset[2], u8 ret[16])
{
	static union ir_val arg[5], out;
	sigjmp_buf outer;
	a->cpu.memory = &to_end;
	a->cpu.raise = &outer;
	arg[0].w = pack(how);
	memcpy(arg[1].b, pred, 16);
	arg[2].u = base;
	memcpy(arg[3].b, offset, 16);
	memset(&out, 0xee, sizeof(out));
	if (sigsetjmp(outer, 0))
		return true;
	fn(&a->cpu, &out, arg);
	memcpy(ret, out.b, 16);
	return false;
}

static const u64 no_offset[2];
static const u8 all[16] = { [0 ... 15] = 0xff };

TEST(arm64_sve_mem, a_fault_is_at_the_first_element_that_has_one_and_nothing_is_loaded)
{
	static struct arm64 a;
	static const u8 second[16] = { [4] = 0xff, [12] = 0xff };
	u8 v[16];
	struct sve_access words = { .elem = 2, .mem = 2 };
	CHECK(!raised(&a, load, words, END - 16, all, no_offset, v) && v[0] == 0xf0 && v[15] == 0xff);
	CHECK(raised(&a, load, words, END - 4, all, no_offset, v) && a.cpu.fault_addr == END);
	CHECK(raised(&a, load, words, END, second, no_offset, v) && a.cpu.fault_addr == END + 4);
	CHECK(raised(&a, load, words, END - 8, second, no_offset, v) && a.cpu.fault_addr == END + 4);
	CHECK(!raised(&a, load, words, END, (const u8[16]){ 0 }, no_offset, v) && v[0] == 0);
	struct sve_access pairs = { .elem = 3, .mem = 3, .more = 1, .reg = 31 };
	memset(a.v, 0x11, sizeof(a.v));
	CHECK(raised(&a, load_many, pairs, END - 24, all, no_offset, v) && a.cpu.fault_addr == END);
	CHECK(a.v[31].b[0] == 0x11 && a.v[0].b[0] == 0x11);
	CHECK(!raised(&a, load_many, pairs, END - 32, all, no_offset, v));
	CHECK(a.v[31].b[8] == 0xf0 && a.v[0].b[8] == 0xf8);
}

TEST(arm64_sve_mem, behind_the_first_element_faults_clear_ffr)
{
	static struct arm64 a;
	static const u8 from_second[16] = { [4 ... 15] = 0xff };
	static const u8 wide_second[16] = { [8] = 0xff };
	u8 v[16];
	struct sve_access first = { .elem = 2, .mem = 1, .sign = true, .faults = SVE_FIRST_FAULTS },
			  none = first;
	none.faults = SVE_NO_FAULTS;
	memset(a.p[16].b, 0xff, 16);
	CHECK(!raised(&a, load_some, first, END - 8, all, no_offset, v) && arm64_pred(&a.p[16]) == 0xffff);
	CHECK(v[0] == 0xf8 && v[2] == 0xff && v[12] == 0xfe);
	CHECK(!raised(&a, load_some, first, END - 4, all, no_offset, v) && arm64_pred(&a.p[16]) == 0x00ff);
	CHECK(v[4] == 0xfe && v[8] == 0 && v[12] == 0);
	CHECK(raised(&a, load_some, first, END - 2, from_second, no_offset, v) && a.cpu.fault_addr == END);
	CHECK(arm64_pred(&a.p[16]) == 0x00ff);
	CHECK(!raised(&a, load_some, none, END - 2, from_second, no_offset, v) &&
	      arm64_pred(&a.p[16]) == 0x000f);
	struct sve_access far = {
		.elem = 3, .mem = 3, .offsets = SVE_OFFSETS_64, .scale = 3, .faults = SVE_FIRST_FAULTS
	};
	memset(a.p[16].b, 0xff, 16);
	CHECK(!raised(&a, load_some, far, END - 8, all, (const u64[2]){ 0, 1 }, v) &&
	      arm64_pred(&a.p[16]) == 0x00ff);
	CHECK(raised(&a, load_some, far, END - 8, wide_second, (const u64[2]){ 0, 1 }, v) &&
	      a.cpu.fault_addr == END);
}

TEST(arm64_sve_mem, addresses_lose_their_tags_where_they_have_some)
{
	static struct arm64 a;
	u8 v[16];
	struct sve_access bytes = { .elem = 3, .offsets = SVE_OFFSETS_64 };
	const u64 tagged[2] = { 0x5500000000000010, 0xaa00000000000020 };
	CHECK(raised(&a, load, bytes, 0, all, tagged, v));
	a.cpu.key = KEY_TAGS;
	CHECK(!raised(&a, load, bytes, 0, all, tagged, v) && v[0] == 0x10 && v[8] == 0x20);
}
