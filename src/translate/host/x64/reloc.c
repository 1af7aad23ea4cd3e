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

void host_unplace(u8 *code, const struct host_reloc *reloc, u32 n, const u8 *run,
		  const struct host_stubs *stubs)
{
	for (const struct host_reloc *r = reloc; r < reloc + n; r++) {
		u8 *at = code + r->at;
		if (r->kind == HOST_RELOC_STUB)
			st_le32(at, ld_le32(at) + (u32)(uintptr_t)(run + r->at + 4) -
					(u32)(uintptr_t)stubs->start);
		else
			st_le64(at, ld_le64(at) - image());
	}
}

void host_place(u8 *code, const struct host_reloc *reloc, u32 n, const u8 *run,
		const struct host_stubs *stubs)
{
	for (const struct host_reloc *r = reloc; r < reloc + n; r++) {
		u8 *at = code + r->at;
		if (r->kind == HOST_RELOC_STUB)
			st_le32(at, ld_le32(at) + (u32)(uintptr_t)stubs->start -
					(u32)(uintptr_t)(run + r->at + 4));
		else
			st_le64(at, ld_le64(at) + image());
	}
}

u64 host_kept_as(void)
{
	return has_sha();
}
