/* Code that is moved: the few places in it that depend on where it lies. */
#include "translate/host/x64/jit.h"

static void note(struct jit *j, const u8 *at, enum host_reloc_kind kind)
{
	struct host_job *job = j->job;
	job->reloc = grow(job->reloc, &job->reloc_cap, job->n_reloc + 1, sizeof(*job->reloc));
	job->reloc[job->n_reloc++] = (struct host_reloc){ at - j->c.start, kind };
}

void to_stub(struct jit *j, u8 *rel, const u8 *run)
{
	x_patch(rel, run - j->c.to_run);
	note(j, rel, HOST_RELOC_STUB);
}

void lea_stub(struct jit *j, unsigned reg, const u8 *run)
{
	x_prefix(&j->c, OPW | X_LEA, reg, 0, 0);
	x_byte(&j->c, (reg & 7) << 3 | 5);
	x_32(&j->c, 0);
	to_stub(j, j->c.p - 4, run);
}

void mov_image(struct jit *j, unsigned reg, u64 addr)
{
	x_room(&j->c);
	x_byte(&j->c, 0x48 | reg >> 3);
	x_byte(&j->c, 0xb8 | (reg & 7));
	note(j, j->c.p, HOST_RELOC_IMAGE);
	x_64(&j->c, addr);
}

/* Any address of the program: what lies in its image keeps its distance from this. */
static u64 image(void)
{
	return (u64)(uintptr_t)image;
}

/* A displacement from run address `from` to what stubs have at a distance from their start is, for the time of being moved, that distance. */
static void unplace_call(u8 *at, const u8 *from, const struct host_stubs *stubs)
{
	st_le32(at, ld_le32(at) + (u32)(uintptr_t)from - (u32)(uintptr_t)stubs->start);
}

static void place_call(u8 *at, const u8 *from, const struct host_stubs *stubs)
{
	st_le32(at, ld_le32(at) + (u32)(uintptr_t)stubs->start - (u32)(uintptr_t)from);
}

void host_unplace(const struct host_placed *what, const u8 *run, const struct host_stubs *stubs)
{
	for (const struct host_reloc *r = what->reloc; r < what->reloc + what->n_reloc; r++) {
		u8 *at = what->code + r->at;
		if (r->kind == HOST_RELOC_STUB)
			unplace_call(at, run + r->at + 4, stubs);
		else
			st_le64(at, ld_le64(at) - image());
	}
	for (const struct host_out *w = what->ways; w < what->ways + what->n_ways; w++)
		unplace_call(what->code + w->at - 4, run + w->at, stubs);
}

void host_place(const struct host_placed *what, const u8 *run, const struct host_stubs *stubs)
{
	for (const struct host_reloc *r = what->reloc; r < what->reloc + what->n_reloc; r++) {
		u8 *at = what->code + r->at;
		if (r->kind == HOST_RELOC_STUB)
			place_call(at, run + r->at + 4, stubs);
		else
			st_le64(at, ld_le64(at) + image());
	}
	for (const struct host_out *w = what->ways; w < what->ways + what->n_ways; w++)
		place_call(what->code + w->at - 4, run + w->at, stubs);
}

u64 host_kept_as(void)
{
	return has_sha();
}
