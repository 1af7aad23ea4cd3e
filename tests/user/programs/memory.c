/* The address space: mmap, mremap, mprotect, brk, code that is made at run time. */
#define _GNU_SOURCE
#include "arch.h"
#include "check.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static sigjmp_buf back;
static void jump(int sig)
{
	siglongjmp(back, 1);
}
static int readable(volatile char *p)
{
	if (sigsetjmp(back, 1))
		return 0;
	(void)*p;
	return 1;
}

static void code(void)
{
	unsigned *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int same = 1;
	for (int i = 0; i < 50; i++) {
		p[0] = CODE_SET_RESULT(i);
		p[1] = CODE_RETURN;
		__builtin___clear_cache((char *)p, (char *)(p + 2));
		same &= ((int (*)(void))p)() == i;
	}
	CHECK("code that changes is seen to change", same);
	int fd = memfd_create("jit", 0);
	ftruncate(fd, 4096);
	unsigned *w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	unsigned *x = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	same = 1;
	for (int i = 0; i < 50; i++) {
		w[0] = CODE_SET_RESULT(i + 100);
		w[1] = CODE_RETURN;
		__builtin___clear_cache((char *)x, (char *)(x + 2));
		same &= ((int (*)(void))x)() == i + 100;
	}
	CHECK("code in a page that is mapped twice", same);
	mprotect(p, 4096, PROT_READ | PROT_WRITE);
	int died = sigsetjmp(back, 1) ? 1 : (((int (*)(void))p)(), 0);
	CHECK("code that lost its permission does not run", died);
	mmap(x, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	died = sigsetjmp(back, 1) ? 1 : (((int (*)(void))x)(), 0);
	CHECK("code that was mapped over does not run", died);
}

/* A child's map is the host's view: there our own map shows what is hidden from us. */
static int own_memory_is_safe(void)
{
	char path[64], line[512];
	int tried = 0, bad = 0;
	pid_t pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		unsigned long lo = strtoul(line, NULL, 16);
		if (!strstr(line, "rhea-user"))
			continue;
		tried++;
		bad += mmap((void *)lo, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
		munmap((void *)lo, 4096);
		mprotect((void *)lo, 4096, PROT_NONE);
		madvise((void *)lo, 4096, MADV_DONTNEED);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return f && !bad;
}

int main(void)
{
	long page = sysconf(_SC_PAGESIZE);
	signal(SIGSEGV, jump);
	signal(SIGILL, jump);
	signal(SIGBUS, jump);
	char *p = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK("mmap", p != MAP_FAILED && p[0] == 0 && (long)p % page == 0);
	memset(p, 1, 4 * page);
	CHECK("munmap of the middle", munmap(p + page, page) == 0 && readable(p) && !readable(p + page) && readable(p + 2 * page));
	CHECK("a fixed mapping fills the hole", mmap(p + page, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + page &&
						    p[page] == 0);
	CHECK("MAP_FIXED_NOREPLACE refuses what is there",
	      mmap(p, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED && errno == EEXIST);
	CHECK("mprotect to nothing", mprotect(p, page, PROT_NONE) == 0 && !readable(p));
	CHECK("mprotect over a hole", (munmap(p + 3 * page, page), mprotect(p, 4 * page, PROT_READ) < 0 && errno == ENOMEM));
	char *q = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	q[0] = 'q';
	char *r = mremap(q, 2 * page, 64 * page, MREMAP_MAYMOVE);
	CHECK("mremap grows", r != MAP_FAILED && r[0] == 'q' && readable(r + 63 * page));
	char *s = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK("mremap to a fixed place", mremap(r, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, s) == s && s[0] == 'q' && !readable(r));
	CHECK("mremap of nothing", mremap((void *)0x10000000000, page, 2 * page, 0) == MAP_FAILED && errno == EFAULT);
	CHECK("bad arguments", mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL &&
				   munmap((char *)p + 1, page) < 0 && errno == EINVAL && mmap((void *)(page + 1), page, PROT_READ,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EINVAL);
	char *b = sbrk(0);
	CHECK("brk grows", sbrk(10 << 20) == b && (b[(10 << 20) - 1] = 1, readable(b)));
	sbrk(-(10 << 20));
	CHECK("brk shrinks", sbrk(0) == b && !readable(b + (5 << 20)));
	CHECK("and is clean when it grows again", sbrk(10 << 20) == b && b[(10 << 20) - 1] == 0);
	CHECK("the emulator's own memory cannot be mapped over", own_memory_is_safe());
	int id = shmget(IPC_PRIVATE, 3 * page, 0600);
	char *m = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	CHECK("shmat", m != (void *)-1 && (m[3 * page - 1] = 1, readable(m)));
	CHECK("shmdt", shmdt(m) == 0 && !readable(m));
	void *reserve = mmap(NULL, 1ul << 40, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK("a tebibyte can be reserved", reserve != MAP_FAILED && munmap(reserve, 1ul << 40) == 0);
	CHECK("madvise drops pages", (p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), p[0] = 1,
				      madvise(p, page, MADV_DONTNEED) == 0 && p[0] == 0));
	unsigned char vec[1];
	CHECK("mincore", mincore(p, page, vec) == 0);
	CHECK("EFAULT from a bad pointer", read(0, (void *)8, 0) == 0 && syscall(SYS_uname, (void *)8) < 0 && errno == EFAULT &&
					       open((char *)8, O_RDONLY) < 0 && errno == EFAULT && syscall(SYS_fstat, 0, (void *)8) < 0 && errno == EFAULT);
	CHECK("the vDSO is there", getauxval(AT_SYSINFO_EHDR) && *(unsigned *)getauxval(AT_SYSINFO_EHDR) == 0x464c457f);
	struct rlimit lim = { 256 << 20, 512 << 20 }, got;
	CHECK("RLIMIT_AS bounds the guest", setrlimit(RLIMIT_AS, &lim) == 0 && getrlimit(RLIMIT_AS, &got) == 0 && got.rlim_cur == lim.rlim_cur &&
						mmap(NULL, 300 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM &&
						mmap(NULL, 100 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	code();
	return check_failed;
}
