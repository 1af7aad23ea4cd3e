/*
 * SVE and SME as Linux shows them to a program: lengths, system calls, signal frames, new threads and programs, faults of predicated loads.
 * Wants vectors of 16 bytes. With an argument it is the program of an exec: it prints what lengths it has.
 */
#define _GNU_SOURCE
#include "../programs/check.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>

enum {
	SVE_SET = 50,
	SVE_GET = 51,
	SME_SET = 63,
	SME_GET = 64,
	INHERIT = 1 << 17,
	ONEXEC = 1 << 18,
	SM = 1,
	ZA = 2
};
enum {
	SVE_RECORD = 0x53564501,
	ZA_RECORD = 0x54366345,
	TPIDR2_RECORD = 0x54504902,
	FPSIMD_RECORD = 0x46508001
};
enum { SVE_FULL = 576, ZA_FULL = 272 };

#define ASM(...) __asm__ volatile(".arch_extension sve\n.arch_extension sme\n" __VA_ARGS__)

static long svcr(void)
{
	long v;
	ASM("mrs %0, svcr" : "=r"(v));
	return v;
}
static long tpidr2(void)
{
	long v;
	ASM("mrs %0, tpidr2_el0" : "=r"(v));
	return v;
}
static void set_tpidr2(long v)
{
	ASM("msr tpidr2_el0, %0" ::"r"(v));
}
static void set_svcr(long v)
{
	ASM("msr svcr, %0" ::"r"(v) : "memory");
}

/* ---- the frame of a signal ---- */
static char *record(ucontext_t *uc, uint32_t magic)
{
	uint32_t *p = (uint32_t *)uc->uc_mcontext.__reserved;
	while (p[0] && p[0] != magic)
		p = (uint32_t *)((char *)p + p[1]);
	return p[0] == magic ? (char *)p : NULL;
}

static struct {
	long svcr, tpidr2; /* in the handler */
	uint16_t sve_flags, sve_vl, p0, p15, ffr;
	uint32_t za_size, tpidr2_size;
	long tpidr2_value;
	uint8_t z31[16], za[256];
} seen;
/* What the handler does to the frame: NULL nothing. */
static void (*change)(ucontext_t *uc);

static void handler(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	char *sve = record(uc, SVE_RECORD), *za = record(uc, ZA_RECORD), *two = record(uc, TPIDR2_RECORD);
	seen.svcr = svcr();
	seen.tpidr2 = tpidr2();
	memcpy(&seen.sve_vl, sve + 8, 2);
	memcpy(&seen.sve_flags, sve + 10, 2);
	memcpy(seen.z31, sve + 16 + 31 * 16, 16);
	memcpy(&seen.p0, sve + 16 + 512, 2);
	memcpy(&seen.p15, sve + 16 + 512 + 30, 2);
	memcpy(&seen.ffr, sve + 16 + 512 + 32, 2);
	memcpy(&seen.za_size, za + 4, 4);
	memcpy(seen.za, za + 16, seen.za_size == ZA_FULL ? 256 : 0);
	memcpy(&seen.tpidr2_size, two + 4, 4);
	memcpy(&seen.tpidr2_value, two + 8, 8);
	ASM("pfalse p0.b\npfalse p15.b\nwrffr p0.b" ::: "memory");
	if (change)
		change(uc);
}

static void signal_now(void (*how)(ucontext_t *uc))
{
	change = how;
	memset(&seen, 0, sizeof(seen));
	syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1);
}

/* Everything behind the first record replaced: SVE's, perhaps in streaming mode, then a full one of ZA. */
static void put_records(ucontext_t *uc, unsigned vl, unsigned sve_flags)
{
	char *p = record(uc, FPSIMD_RECORD) + 528;
	memset(p, 0, SVE_FULL + ZA_FULL + 16);
	memcpy(p, &(uint32_t[2]){ SVE_RECORD, SVE_FULL }, 8);
	memcpy(p + 8, &(uint16_t[2]){ vl, sve_flags }, 4);
	memset(p + 16 + 512, 0x55, 34);
	p += SVE_FULL;
	memcpy(p, &(uint32_t[2]){ ZA_RECORD, ZA_FULL }, 8);
	memcpy(p + 8, &(uint16_t[1]){ vl }, 2);
	for (unsigned i = 0; i < 256; i++)
		p[16 + i] = i * 3;
}
static void turn_za_on(ucontext_t *uc)
{
	put_records(uc, 16, 0);
}
static void turn_streaming(ucontext_t *uc)
{
	put_records(uc, 16, 1);
	char *p = record(uc, SVE_RECORD);
	memset(p + 16 + 512, 0x11, 34);
}
static void wrong_length(ucontext_t *uc)
{
	put_records(uc, 32, 0);
}
static void other_tpidr2(ucontext_t *uc)
{
	memcpy(record(uc, TPIDR2_RECORD) + 8, &(long){ 0x7777 }, 8);
}
static int za_is_there(void)
{
	int same = seen.za_size == ZA_FULL;
	for (unsigned i = 0; i < 256; i++)
		same &= seen.za[i] == (uint8_t)(i * 3);
	return same;
}

/* The status of a child that runs this. */
static int child(void (*what)(void))
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		what();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void die_of_length(void)
{
	signal_now(wrong_length);
}
static void look_at_fork(void)
{
	signal_now(NULL);
	_exit(za_is_there() && tpidr2() == 0x1234 && prctl(SVE_GET) == (16 | INHERIT) ? 0 : 1);
}
static void *look_at_thread(void *arg)
{
	long *result = arg;
	result[0] = tpidr2();
	result[1] = svcr() & SM;
	result[2] = prctl(SVE_GET);
	return NULL;
}

static void lengths(int get, int set, const char *name)
{
	char what[80];
#define SAYS(text, cond) \
	do { \
		snprintf(what, sizeof(what), "%s: %s", name, text); \
		CHECK(what, cond); \
	} while (0)
	SAYS("the length is 16", prctl(get) == 16);
	SAYS("the longest that fits is taken", prctl(set, 8192) == 16 && prctl(set, 48) == 16);
	errno = 0;
	SAYS("no length at all",
	     prctl(set, 0) < 0 && errno == EINVAL && prctl(set, 24) < 0 && prctl(set, 8208) < 0);
	SAYS("no such flag", prctl(set, 16 | 1 << 20) < 0 && prctl(set, 16 | 1 << 16) < 0);
	SAYS("inherited by the next program",
	     prctl(set, 16 | INHERIT) == (16 | INHERIT) && prctl(get) == (16 | INHERIT));
	SAYS("not any more, but then", prctl(set, 16 | ONEXEC) == 16 && prctl(get) == 16);
}

static void system_calls(void)
{
	long low = 1;
	set_tpidr2(0x1234);
	ASM("smstart sm\nmov z0.b, #7\n" ::: "v0", "memory");
	getppid();
	ASM("fmov %0, d0" : "=r"(low));
	CHECK("a system call leaves streaming mode, which clears the registers", svcr() == 0 && low == 0);
	signal_now(turn_za_on);
	CHECK("a frame turns ZA on", svcr() == ZA);
	getppid();
	signal_now(NULL);
	CHECK("ZA stays over system calls and signals", svcr() == ZA && za_is_there());
	CHECK("a handler has neither", seen.svcr == 0);
}

static void signals(void)
{
	uint16_t p0 = 0, p15 = 0, ffr = 0;
	ASM("mov x8, #131\nmov x0, %3\nmov x1, %4\nmov x2, #10\nptrue p0.b, vl3\nptrue p15.h, vl2\nptrue "
	    "p1.b, vl5\nwrffr p1.b\nsvc #0\n"
	    "str p0, [%0]\nstr p15, [%1]\nrdffr p1.b\nstr p1, [%2]" ::"r"(&p0),
	    "r"(&p15), "r"(&ffr), "r"((long)getpid()), "r"((long)gettid())
	    : "x0", "x1", "x2", "x8", "memory");
	CHECK("predicates and FFR are in the frame",
	      seen.sve_vl == 16 && seen.p0 == 7 && seen.p15 == 5 && seen.ffr == 0x1f);
	CHECK("and come out of it", p0 == 7 && p15 == 5 && ffr == 0x1f);
	CHECK("TPIDR2 is in it",
	      seen.tpidr2_size == 16 && seen.tpidr2_value == 0x1234 && seen.tpidr2 == 0x1234);
	signal_now(other_tpidr2);
	CHECK("and comes out of it", tpidr2() == 0x7777);
	set_tpidr2(0x1234);
	signal_now(turn_streaming);
	long on = svcr();
	CHECK("a frame turns streaming mode on", on == (SM | ZA));
	set_svcr(ZA);
	int status = child(die_of_length);
	CHECK("a frame of another length is none", WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void others(void)
{
	long result[3] = { 1, 1, 1 };
	pthread_t thread;
	prctl(SVE_SET, 16 | INHERIT);
	CHECK("a forked child has ZA, TPIDR2 and the flags of lengths", child(look_at_fork) == 0);
	pthread_create(&thread, NULL, look_at_thread, result);
	pthread_join(thread, NULL);
	CHECK("a thread with its own TLS has no TPIDR2", result[0] == 0 && result[1] == 0);
	CHECK("and the flags of lengths", result[2] == (16 | INHERIT));
	set_svcr(0);
	CHECK("room for a frame", getauxval(AT_MINSIGSTKSZ) >= 4688);
}

static void files(void)
{
	char buf[4096] = "";
	FILE *f = fopen("/proc/sys/abi/sve_default_vector_length", "r");
	CHECK("sve_default_vector_length", f && fgets(buf, sizeof(buf), f) && !strcmp(buf, "16\n"));
	f = fopen("/proc/sys/abi/sme_default_vector_length", "r");
	CHECK("sme_default_vector_length", f && fgets(buf, sizeof(buf), f) && !strcmp(buf, "16\n"));
	f = fopen("/proc/cpuinfo", "r");
	while (f && fgets(buf, sizeof(buf), f) && strncmp(buf, "Features", 8))
		;
	CHECK("/proc/cpuinfo", strstr(buf, " sve ") && strstr(buf, " sve2 ") && strstr(buf, " sme ") &&
				   strstr(buf, " smefa64"));
}

/* ---- loads at the end of memory ---- */
static sigjmp_buf back;
static void *volatile fault_addr;
static void on_fault(int sig, siginfo_t *info, void *context)
{
	fault_addr = info->si_addr;
	siglongjmp(back, 1);
}

#define LOAD(insn, active, at, out) \
	({ \
		fault_addr = NULL; \
		if (!sigsetjmp(back, 1)) \
			ASM("ptrue p0.b\nwrffr p0.b\nldr p0, [%2]\n" insn \
			    "\nstr z0, [%0]\nrdffr p1.b\nstr p1, [%3]" ::"r"(out), \
			    "r"(at), "r"(&(uint16_t){ active }), "r"(&ffr) \
			    : "v0", "memory"); \
		fault_addr; \
	})

static void faults(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	     *end = page + 4096;
	uint8_t out[16] = { 0 };
	uint16_t ffr = 0;
	mprotect(end, 4096, PROT_NONE);
	for (unsigned i = 0; i < 4096; i++)
		page[i] = i;
	sigaction(SIGSEGV, &(struct sigaction){ .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO }, NULL);
	CHECK("a predicated load ends where the predicate does",
	      !LOAD("ld1b {z0.b}, p0/z, [%1]", 0x7f, end - 7, out) && out[6] == 0xff && out[7] == 0);
	CHECK("it faults at the first byte that is not there",
	      LOAD("ld1b {z0.b}, p0/z, [%1]", 0xff, end - 7, out) == end);
	CHECK("at the first element that is active",
	      LOAD("ld1w {z0.s}, p0/z, [%1]", 0xff00, end - 4, out) == end + 4);
	CHECK("nothing active, no fault", !LOAD("ld1d {z0.d}, p0/z, [%1]", 0, end, out) && out[0] == 0);
	CHECK("a whole one in the last page faults at its first",
	      LOAD("ld1b {z0.b}, p0/z, [%1]", 0xfff0, end, out) == end + 4);
	CHECK("first-fault: behind the first element FFR ends",
	      !LOAD("ldff1b {z0.b}, p0/z, [%1, xzr]", 0xffff, end - 5, out) && ffr == 0x1f && out[4] == 0xff);
	CHECK("first-fault: the first one faults",
	      LOAD("ldff1b {z0.b}, p0/z, [%1, xzr]", 0xffe0, end - 5, out) == end);
	CHECK("non-fault: none does", !LOAD("ldnf1h {z0.h}, p0/z, [%1]", 0xffff, end, out) && ffr == 0);
	CHECK("structures fault whole", LOAD("mov z1.b, #5\nld2b {z0.b-z1.b}, p0/z, [%1]\nmov z0.d, z1.d",
					     0xffff, end - 20, out) == end);
	for (unsigned at = 0; at < 16; at++)
		out[at] = 0x80 + at;
	uint16_t eleven = 0x7ff;
	ASM("ldr p0, [%0]\nldr z0, [%1]\nst1b {z0.b}, p0, [%2]" ::"r"(&eleven), "r"(out), "r"(end - 11)
	    : "v0", "memory");
	CHECK("a predicated store ends where the predicate does",
	      !memcmp(end - 11, out, 11) && end[-12] == (char)0xf4);
}

int main(int argc, char **argv)
{
	if (argc > 2) {
		printf("%d %d\n", prctl(SVE_GET), prctl(SME_GET));
		return 0;
	}
	sigaction(SIGUSR1, &(struct sigaction){ .sa_sigaction = handler, .sa_flags = SA_SIGINFO }, NULL);
	lengths(SVE_GET, SVE_SET, "SVE");
	lengths(SME_GET, SME_SET, "SME");
	system_calls();
	signals();
	others();
	files();
	faults();
	fflush(stdout);
	prctl(SVE_SET, 16 | INHERIT);
	execl(argv[0], argv[0], "after", "exec", NULL);
	return 1;
}
