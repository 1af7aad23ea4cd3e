/*
 * Core dumps of the guest, as its own architecture's debuggers read them.
 * Facts: man 5 core, elf; include/uapi/linux/elfcore.h for the notes' layout on 64-bit architectures.
 */
#include "linux/internal.h"
#include "linux/syscalls/arg.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct prstatus { /* up to the registers */
	i32 signo, code, err;
	i16 cursig;
	u64 sigpend, sighold;
	i32 pid, ppid, pgrp, sid;
	u64 times[8];
};
_Static_assert(sizeof(struct prstatus) == 112, "as elfcore.h");
struct prpsinfo {
	char state, sname, zomb, nice;
	u64 flag;
	u32 uid, gid;
	i32 pid, ppid, pgrp, sid;
	char fname[16], psargs[80];
};
_Static_assert(sizeof(struct prpsinfo) == 136, "as elfcore.h");

struct notes {
	u8 *data;
	size_t len, cap;
};

/* name: up to 7 letters. */
static void add_note(struct notes *n, const char *name, u32 type, const void *data, size_t len)
{
	Elf64_Nhdr h = { (u32)strlen(name) + 1, (u32)len, type };
	size_t total = sizeof(h) + 8 + ROUND_UP(len, 4);
	n->data = grow(n->data, &n->cap, n->len + total, 1);
	u8 *p = n->data + n->len;
	memset(p, 0, total);
	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), name, h.n_namesz);
	memcpy(p + sizeof(h) + 8, data, len);
	n->len += total;
}

static void thread_notes(struct notes *n, struct thread *t, int sig)
{
	u8 buf[1024] = { 0 };
	struct prstatus s = { .signo = sig,
			      .cursig = (i16)sig,
			      .sighold = t->mask,
			      .pid = t->tid,
			      .ppid = getppid(),
			      .pgrp = getpgrp(),
			      .sid = getsid(0) };
	memcpy(buf, &s, sizeof(s));
	unsigned len = t->abi->core_regs(t->cpu, buf + sizeof(s));
	add_note(n, "CORE", NT_PRSTATUS, buf, ROUND_UP(sizeof(s) + len + 4, 8));
	if (t->abi->core_fpregs) {
		memset(buf, 0, sizeof(buf));
		len = t->abi->core_fpregs(t->cpu, buf);
		add_note(n, "CORE", NT_FPREGSET, buf, len);
	}
	u32 type = 0;
	for (unsigned i = 0; t->abi->core_note && (len = t->abi->core_note(t, i, &type, buf)); i++)
		add_note(n, "LINUX", type, buf, len);
}

static void process_notes(struct notes *n, struct thread *t)
{
	struct vm *vm = t->vm;
	struct prpsinfo p = { .sname = 'R',
			      .uid = getuid(),
			      .gid = getgid(),
			      .pid = getpid(),
			      .ppid = getppid(),
			      .pgrp = getpgrp(),
			      .sid = getsid(0) };
	const char *base = strrchr(vm->exe, '/');
	snprintf(p.fname, sizeof(p.fname), "%s", base ? base + 1 : vm->exe);
	size_t len = MIN(vm->arg_end - vm->arg_start, sizeof(p.psargs) - 1);
	if (get_mem(vm, p.psargs, vm->arg_start, len))
		for (size_t i = 0; i + 1 < len; i++)
			p.psargs[i] = p.psargs[i] ? p.psargs[i] : ' ';
	add_note(n, "CORE", NT_PRPSINFO, &p, sizeof(p));
	u8 auxv[1024];
	if (vm->auxv_len <= sizeof(auxv) && get_mem(vm, auxv, vm->auxv_addr, vm->auxv_len))
		add_note(n, "CORE", NT_AUXV, auxv, vm->auxv_len);
}

static bool write_range(struct vm *vm, int fd, u64 at, u64 end, off_t offset)
{
	static const u64 chunk = 64 * KiB;
	u8 *buf = alloc(chunk);
	bool ok = true;
	for (; at < end && ok; at += chunk, offset += (off_t)chunk) {
		u64 len = MIN(end - at, chunk);
		bool any = false;
		for (u64 page = 0; page < len; page += 4096) {
			if (!get_mem(vm, buf + page, at + page, 4096))
				memset(buf + page, 0, 4096);
			for (unsigned i = 0; i < 4096 && !any; i += 8)
				any = ld_le64(buf + page + i);
		}
		ok = !any || pwrite(fd, buf, len, offset) == (ssize_t)len;
	}
	free(buf);
	return ok;
}

/* Private, writable or anonymous memory goes in whole; what can be read is enough. */
bool core_dump(struct thread *t, const siginfo_t *info)
{
	struct vm *vm = t->vm;
	struct rlimit lim;
	if (getrlimit(RLIMIT_CORE, &lim) < 0 || !lim.rlim_cur || vm->abi->word != 8 || !vm->abi->core_regs)
		return true; /* not wanted: nothing went wrong */
	char name[PATH_MAX], when[32];
	time_t now = time(NULL);
	struct tm tm;
	strftime(when, sizeof(when), "%Y%m%d-%H%M%S", localtime_r(&now, &tm));
	const char *base = strrchr(vm->exe, '/');
	snprintf(name, sizeof(name), "qemu_%s_%s_%d.core", base ? base + 1 : vm->exe, when, getpid());
	struct notes notes = { 0 };
	thread_notes(&notes, t, info->si_signo);
	for (struct thread *o = t->next; o != t; o = o->next)
		thread_notes(&notes, o, 0);
	process_notes(&notes, t);
	add_note(&notes, "CORE", NT_SIGINFO, info, 128);
	Elf64_Phdr *ph = NULL;
	size_t n = 1, cap = 0;
	struct map_range r;
	for (u64 at = 0; vm_find(vm, at, &r); at = r.end) {
		ph = grow(ph, &cap, n + 1, sizeof(*ph));
		ph[n++] = (Elf64_Phdr){ .p_type = PT_LOAD,
					.p_vaddr = r.start,
					.p_memsz = r.end - r.start,
					.p_align = 4096,
					.p_filesz = r.prot & PROT_READ ? r.end - r.start : 0,
					.p_flags = (r.prot & PROT_READ ? PF_R : 0u) |
						   (r.prot & PROT_WRITE ? PF_W : 0u) |
						   (r.prot & PROT_EXEC ? PF_X : 0u) };
	}
	bool ok = ph && n < 65535;
	u64 offset = sizeof(Elf64_Ehdr) + n * sizeof(*ph);
	if (ok)
		ph[0] = (Elf64_Phdr){
			.p_type = PT_NOTE, .p_offset = offset, .p_filesz = notes.len, .p_align = 4
		};
	offset = ROUND_UP(offset + notes.len, 4096);
	for (size_t i = 1; ok && i < n; i++) {
		ph[i].p_offset = offset;
		offset += ph[i].p_filesz;
	}
	ok = ok && offset <= lim.rlim_cur;
	int fd = ok ? open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
	Elf64_Ehdr eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			  .e_type = ET_CORE,
			  .e_machine = vm->abi->machine,
			  .e_version = EV_CURRENT,
			  .e_phoff = sizeof(eh),
			  .e_ehsize = sizeof(eh),
			  .e_phentsize = sizeof(*ph),
			  .e_phnum = (u16)n };
	ok = fd >= 0 && pwrite(fd, &eh, sizeof(eh), 0) == sizeof(eh) &&
	     pwrite(fd, ph, n * sizeof(*ph), sizeof(eh)) == (ssize_t)(n * sizeof(*ph)) &&
	     pwrite(fd, notes.data, notes.len, (off_t)ph[0].p_offset) == (ssize_t)notes.len;
	for (size_t i = 1; ok && i < n; i++)
		ok =
		    write_range(vm, fd, ph[i].p_vaddr, ph[i].p_vaddr + ph[i].p_filesz, (off_t)ph[i].p_offset);
	if (fd >= 0) {
		ok = ok && ftruncate(fd, (off_t)offset) == 0;
		close(fd);
	}
	free(ph);
	free(notes.data);
	return ok;
}
