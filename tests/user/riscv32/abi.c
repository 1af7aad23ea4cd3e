/*
 * The riscv32 ABI, without a C library: no distribution has one for it. Each check is a line of TAP without a number. Structures are the
 * kernel's, of 32-bit words and 64-bit times.
 */
typedef unsigned u32;
typedef unsigned long long u64;
typedef long long i64;
_Static_assert(sizeof(long) == 4 && sizeof(void *) == 4, "a program of 32 bits");

/* ---- the least of a library ---- */
static long call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long a7 __asm__("a7") = nr, a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c;
	register long a3 __asm__("a3") = d, a4 __asm__("a4") = e, a5 __asm__("a5") = f;
	__asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5) : "memory");
	return a0;
}
#define C0(nr) call(nr, 0, 0, 0, 0, 0, 0)
#define C1(nr, a) call(nr, (long)(a), 0, 0, 0, 0, 0)
#define C2(nr, a, b) call(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define C3(nr, a, b, c) call(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define C4(nr, a, b, c, d) call(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define C5(nr, a, b, c, d, e) call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define C6(nr, a, b, c, d, e, f) call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
enum {
	FCNTL64 = 25, STATFS64 = 43, FTRUNCATE64 = 46, CLOSE = 57, PIPE2 = 59, LLSEEK = 62, READ = 63, WRITE = 64, READV = 65, WRITEV = 66,
	PREAD64 = 67, PWRITE64 = 68, EXIT = 93, EXIT_GROUP = 94, WAITID = 95, SET_ROBUST_LIST = 99, SETITIMER = 103, KILL = 129,
	SIGALTSTACK = 132, SIGACTION = 134, SIGPROCMASK = 135, GETRUSAGE = 165, GETPID = 172, SYSINFO = 179, MSGGET = 186,
	MSGCTL = 187, MSGRCV = 188, MSGSND = 189, SHMGET = 194, SHMCTL = 195, SHMAT = 196, SHMDT = 197, SOCKETPAIR = 199, SENDMSG = 211,
	RECVMSG = 212, BRK = 214, MUNMAP = 215, MREMAP = 216, CLONE = 220, MMAP2 = 222, MPROTECT = 226, FLUSH_ICACHE = 259, PRLIMIT64 = 261,
	MEMFD = 279, CLOCK_GETTIME64 = 403, CLOCK_NANOSLEEP = 407, PSELECT = 413, PPOLL = 414, SIGTIMEDWAIT = 421, FUTEX = 422
};
enum { RWX = 7, RW = 3, PRIVATE = 2, SHARED = 1, FIXED = 0x10, ANON = 0x20, NOREPLACE = 0x100000, PAGE = 4096 };

void *memset(void *p, int c, unsigned n)
{
	for (char *q = p; n--;)
		*q++ = (char)c;
	return p;
}
void *memcpy(void *to, const void *from, unsigned n)
{
	char *q = to;
	for (const char *p = from; n--;)
		*q++ = *p++;
	return to;
}
static unsigned length(const char *s)
{
	unsigned n = 0;
	while (s[n])
		n++;
	return n;
}
static int same(const char *a, const char *b, unsigned n)
{
	while (n-- && *a++ == *b++)
		;
	return n + 1 == 0;
}
static void put(const char *s)
{
	C3(WRITE, 1, s, length(s));
}
static int failed;
static void check(const char *what, int ok)
{
	put(ok ? "ok - " : "not ok - ");
	put(what);
	put("\n");
	failed |= !ok;
}
static void *map(unsigned long at, unsigned long len, int prot, int flags)
{
	return (void *)C6(MMAP2, at, len, prot, flags | PRIVATE | ANON, -1, 0);
}
static int bad(const void *p)
{
	return (unsigned long)p > -4096ul;
}

/* ---- signals ---- */
struct action {
	void (*handler)(int, u32 *, u32 *);
	unsigned long flags;
	u64 mask;
};
enum { SEGV = 11, USR1 = 10, CHLD = 17, ALRM = 14, INFO = 4, ONSTACK = 0x08000000 };
static volatile u32 got[8], hits;
static void *volatile on_stack;

static void on_signal(int sig, u32 *info, u32 *uc)
{
	char here;
	hits++;
	on_stack = &here;
	for (int i = 0; i < 8; i++)
		got[i] = info[i];
	u32 *gregs = uc + 160 / 4; /* pc, x1, ... */
	if (sig == SEGV) {
		gregs[10] = 0x1234; /* a0 */
		gregs[0] += 4;
	}
}

static long act(int sig, void *handler, unsigned long flags)
{
	struct action a = { handler, flags | INFO, 0 };
	return C4(SIGACTION, sig, &a, 0, 8);
}

/* Loads from an address with a handler that gives 0x1234 when that faults. */
static u32 peek(unsigned long at)
{
	register unsigned long a0 __asm__("a0") = at;
	__asm__ volatile(".option push\n.option norvc\nlw a0, 0(a0)\n.option pop" : "+r"(a0) : : "memory");
	return a0;
}

static void signals(void)
{
	struct action old = { 0, 0, 0 };
	static char alt[16384] __attribute__((aligned(16)));
	struct {
		void *sp;
		int flags;
		unsigned long size;
	} stack = { alt, 0, sizeof(alt) };
	check("rt_sigaction", act(SEGV, on_signal, 0) == 0 && act(USR1, on_signal, ONSTACK) == 0);
	C4(SIGACTION, USR1, 0, &old, 8);
	check("and gives back the handler and the mask", old.handler == on_signal && old.flags == (INFO | ONSTACK) && !old.mask);
	check("a fault: address, code, a changed register and pc", peek(0x1238) == 0x1234 && got[0] == SEGV && got[2] == 1 && got[3] == 0x1238);
	check("sigaltstack", C2(SIGALTSTACK, &stack, 0) == 0);
	volatile double kept = 1.25;
	C2(KILL, C0(GETPID), USR1);
	check("a handler on the alternate stack", (char *)on_stack > alt && (char *)on_stack < alt + sizeof(alt) && kept == 1.25);
	check("siginfo tells who sent it", got[0] == USR1 && got[2] == 0 && got[3] == (u32)C0(GETPID));
	u64 set = 1ull << (USR1 - 1), none = 0;
	u32 info[32];
	struct {
		i64 sec;
		u32 nsec, garbage;
	} wait = { 1, 0, 0xdeadbeef };
	C4(SIGPROCMASK, 0, &set, 0, 8);
	C2(KILL, C0(GETPID), USR1);
	check("rt_sigtimedwait", C4(SIGTIMEDWAIT, &set, info, &wait, 8) == USR1 && info[0] == USR1 && info[3] == (u32)C0(GETPID));
	C4(SIGPROCMASK, 2, &none, 0, 8);
	long timer[4] = { 0, 0, 0, 20000 };
	act(ALRM, on_signal, 0);
	C3(SETITIMER, 0, timer, 0);
	wait.sec = 5;
	struct {
		i64 sec;
		u32 nsec, zero;
	} left = { 0 };
	check("a sleep is interrupted and tells what is left",
	      C4(CLOCK_NANOSLEEP, 0, 0, &wait, &left) == -4 && left.sec == 4 && left.nsec && !left.zero);
}

/* ---- memory ---- */
static void memory(void)
{
	char *p = map(0, 4 * PAGE, RW, 0);
	check("mmap2", !bad(p) && !((long)p & (PAGE - 1)) && !p[0]);
	memset(p, 7, 4 * PAGE);
	check("munmap of the middle", C2(MUNMAP, p + PAGE, PAGE) == 0 && p[0] == 7 && p[2 * PAGE] == 7 && peek((long)p + PAGE) == 0x1234);
	check("a hole is filled with zeros", map((long)p + PAGE, PAGE, RW, FIXED | NOREPLACE) == p + PAGE && !p[PAGE]);
	check("what is there is not replaced", map((long)p, PAGE, RW, FIXED | NOREPLACE) == (void *)-17);
	C3(MPROTECT, p, PAGE, 0);
	check("mprotect", peek((long)p) == 0x1234);
	C3(MPROTECT, p, PAGE, RW);
	char *grown = (char *)C5(MREMAP, p, PAGE, 64 * PAGE, 1, 0);
	check("mremap moves and grows", !bad(grown) && grown != p && grown[0] == 7 && !grown[63 * PAGE] && peek((long)p) == 0x1234);
	grown[63 * PAGE] = 9;
	char *shrunk = (char *)C5(MREMAP, grown, 64 * PAGE, PAGE, 0, 0);
	check("mremap shrinks", shrunk == grown && peek((long)grown + PAGE) == 0x1234);
	check("mremap grows in place", (char *)C5(MREMAP, grown, PAGE, 2 * PAGE, 0, 0) == grown && !grown[PAGE] && grown[0] == 7);
	char *to = map(0, PAGE, RW, 0);
	check("mremap to a fixed place", (char *)C5(MREMAP, grown, PAGE, PAGE, 3, to) == to && to[0] == 7);
	char *low = (char *)C1(BRK, 0), *high = (char *)C1(BRK, low + 5 * PAGE);
	check("brk", high == low + 5 * PAGE && (high[-1] = 1) && (char *)C1(BRK, low) == low && peek((long)high - PAGE) == 0x1234);
	long id = C3(SHMGET, 0, 3 * PAGE, 01600);
	char *shm = (char *)C3(SHMAT, id, 0, 0);
	u32 ds[32] = { 0 };
	check("shmat", !bad(shm) && (shm[3 * PAGE - 1] = 1));
	check("shmctl tells size and attachments", C3(SHMCTL, id, 2, ds) == 0 && ds[9] == 3 * PAGE && ds[18] == 1);
	C3(SHMCTL, id, 0, 0);
	check("shmdt", C1(SHMDT, shm) == 0 && peek((long)shm) == 0x1234 && C1(SHMDT, shm) == -22);
}

/* Guest addresses are 32 bits: sums wrap, and nothing lies outside. */
static void edges(void)
{
	int inside = 1;
	for (int bit = 12; bit < 32; bit++) { /* none of these is mapped, or it is the program's own */
		unsigned long at = 1ul << bit;
		u32 below = peek(at - 4), here = peek(at), across = peek(at - 2);
		inside &= below != 1 && here != 1 && across != 1;
	}
	check("every power of two can be asked", inside);
	check("the last word of the address space faults", peek(0xfffffffcul) == 0x1234 && got[3] == 0xfffffffcul);
	u32 *p = map(0x20000, PAGE, RW, FIXED | NOREPLACE);
	p[1] = 77;
	unsigned long far = 0xfffff000ul;
	u32 a, b;
	__asm__ volatile("lui t0, 0x21\nadd t0, t0, %2\nlw %0, 4(t0)\nlui t0, 0x20\naddi t0, t0, 0x7ff\nlw %1, -2043(t0)"
			 : "=&r"(a), "=&r"(b) : "r"(far) : "t0", "memory");
	check("addresses wrap at 32 bits", a == 77 && b == 77);
	check("a length of nearly 4 GiB reaches nothing but the guest", C3(WRITE, -1, p, 0xfffff000ul) < 0 &&
									C3(READ, 0, 0xffff0000ul, 0xfffffffful) <= 0);
	check("the end of the address space cannot be mapped", bad(map(0xfffff000ul, PAGE, RW, FIXED)));
}

/* ---- files and messages ---- */
struct vec {
	void *base;
	unsigned long len;
};
struct header {
	void *name;
	int namelen;
	struct vec *iov;
	unsigned long iovlen;
	void *control;
	unsigned long controllen;
	int flags;
};

static void files(void)
{
	int fd = C2(MEMFD, "file", 0), p[2];
	struct vec v[2] = { { "abc", 3 }, { "defg", 4 } };
	char a[4] = "", b[8] = "";
	struct vec r[2] = { { a, 3 }, { b, 8 } };
	u64 at = 0;
	check("writev", C3(WRITEV, fd, v, 2) == 7);
	check("llseek with 64 bits", C5(LLSEEK, fd, 1, 5, &at, 0) == 0 && at == 0x100000005ull && C5(LLSEEK, fd, 0, 0, &at, 0) == 0);
	check("readv", C3(READV, fd, r, 2) == 7 && same(a, "abc", 3) && same(b, "defg", 4));
	check("pwrite64 and pread64 at 6 GiB", C5(PWRITE64, fd, "x", 1, 0x80000000ul, 1) == 1 && C5(PREAD64, fd, a, 1, 0x80000000ul, 1) == 1 && *a == 'x');
	check("ftruncate64", C3(FTRUNCATE64, fd, 5, 0) == 0 && C5(LLSEEK, fd, 0, 0, &at, 2) == 0 && at == 5);
	u32 fs[22] = { 0 };
	check("statfs64", C3(STATFS64, "/", sizeof(fs), fs) == 0 && fs[1] >= 512 && fs[14] > 100);
	struct {
		short type, whence;
		long start, len;
		int pid;
	} lock = { 1, 0, 1, 2, 0 };
	struct {
		short type, whence;
		i64 start, len;
		int pid;
	} lock64 = { 0, 0, 0x100000000ll, 1, 0 };
	check("fcntl64: locks of both sizes", C3(FCNTL64, fd, 6, &lock) == 0 && C3(FCNTL64, fd, 13, &lock64) == 0);
	C4(SOCKETPAIR, 1, 1, 0, p);
	struct {
		unsigned long len;
		int level, type, fd;
	} rights = { 16, 1, 1, fd }, taken = { 0 };
	struct header h = { 0, 0, v, 2, &rights, sizeof(rights), 0 };
	check("sendmsg of two buffers and a descriptor", C3(SENDMSG, p[0], &h, 0) == 7);
	h = (struct header){ 0, 0, r, 2, &taken, sizeof(taken), 0 };
	check("recvmsg", C3(RECVMSG, p[1], &h, 0) == 7 && same(b, "defg", 4) && h.controllen == 16 && !h.flags);
	check("the descriptor is the file", taken.len == 16 && taken.level == 1 && taken.type == 1 && C5(LLSEEK, taken.fd, 0, 0, &at, 2) == 0 && at == 5);
	struct {
		int fd;
		short events, revents;
	} pfd = { p[1], 1, 0 };
	struct {
		i64 sec;
		u32 nsec, garbage;
	} none = { 0, 1000, ~0u };
	check("ppoll: a time whose padding is not zero", C5(PPOLL, &pfd, 1, &none, 0, 8) == 0);
	u32 set[32] = { 0 };
	set[p[0] / 32] |= 1u << p[0] % 32;
	check("pselect6", C6(PSELECT, p[0] + 1, 0, set, 0, &none, 0) == 1 && set[p[0] / 32] == 1u << p[0] % 32);
	long q = C2(MSGGET, 0, 01600);
	struct {
		long type;
		char text[4];
	} m = { 5, "msg" }, back = { 0 };
	check("msgsnd, msgrcv", C4(MSGSND, q, &m, 4, 0) == 0 && C5(MSGRCV, q, &back, 4, 5, 0) == 4 && back.type == 5 && same(back.text, "msg", 4));
	C3(MSGCTL, q, 0, 0);
}

/* ---- processes, threads, time ---- */
static volatile u32 shared_word;
static long robust[3];

static long thread(void *stack, u32 *tid)
{
	register long a7 __asm__("a7") = CLONE, a0 __asm__("a0") = 0x3d0f00, a1 __asm__("a1") = (long)stack, a2 __asm__("a2") = (long)tid;
	register long a3 __asm__("a3") = 0x5555, a4 __asm__("a4") = (long)tid;
	__asm__ volatile("ecall\n"
			 "bnez a0, 1f\n"
			 "sw tp, 0(%[word])\n" /* the thread: its pointer came with the clone */
			 "li a7, 93\n"
			 "ecall\n"
			 "1:"
			 : "+r"(a0) : [word] "r"(&shared_word), "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4) : "memory");
	return a0;
}

static void processes(void)
{
	struct {
		i64 sec;
		u32 nsec, zero;
	} now = { 0, 0, ~0u };
	check("clock_gettime64", C2(CLOCK_GETTIME64, 0, &now) == 0 && now.sec > 1600000000 && now.nsec < 1000000000 && !now.zero);
	long pid = C5(CLONE, CHLD, 0, 0, 0, 0);
	if (!pid)
		C1(EXIT_GROUP, shared_word + 7);
	u32 info[32] = { 0 };
	long usage[18];
	check("fork and waitid", pid > 0 && C5(WAITID, 1, pid, info, 4, usage) == 0 && info[0] == CHLD && info[2] == 1 && info[3] == (u32)pid && info[5] == 7);
	check("getrusage", C2(GETRUSAGE, 0, usage) == 0 && usage[4] > 0 && usage[4] < 0x1000000);
	u32 si[16] = { 0 };
	check("sysinfo", C1(SYSINFO, si) == 0 && si[4] && si[13]);
	u64 limit[2] = { 0 };
	check("prlimit64", C4(PRLIMIT64, 0, 9, 0, limit) == 0 && limit[0] > 1 << 20);
	check("set_robust_list of 12 bytes", C2(SET_ROBUST_LIST, robust, sizeof(robust)) == 0 && C2(SET_ROBUST_LIST, robust, 24) == -22);
	u32 tid = ~0u;
	char *stack = map(0, 16 * PAGE, RW, 0);
	struct {
		i64 sec;
		u32 nsec, garbage;
	} second = { 5, 0, ~0u };
	thread(stack + 16 * PAGE, &tid);
	for (int i = 0; i < 100 && tid; i++)
		C6(FUTEX, &tid, 0, tid, &second, 0, 0);
	check("a thread: its pointer, and the word that is cleared when it ends", !tid && shared_word == 0x5555);
	second.sec = 0, second.nsec = 1000;
	check("futex times out", C6(FUTEX, &tid, 0, 0, &second, 0, 0) == -110);
	u32 *code = map(0, PAGE, RWX, 0);
	int right = 1;
	for (u32 i = 0; i < 20; i++) {
		code[0] = 0x00000513 | i << 20; /* li a0, i */
		code[1] = 0x00008067;
		C3(FLUSH_ICACHE, code, code + 2, 0);
		right &= ((u32(*)(void))code)() == i;
	}
	check("code that changes", right);
}

/* sp as the kernel leaves it: argc, argv, NULL, environment, NULL, auxv. */
__attribute__((used)) static void start(unsigned long *sp)
{
	unsigned long *p = sp + 1 + sp[0] + 1, page = 0, hwcap = 0, entry = 0, platform = 0;
	extern void _start(void);
	while (*p++)
		;
	for (; p[0]; p += 2) {
		page = p[0] == 6 ? p[1] : page;
		hwcap = p[0] == 16 ? p[1] : hwcap;
		entry = p[0] == 9 ? p[1] : entry;
		platform = p[0] == 15 ? p[1] : platform;
	}
	check("arguments", sp[0] == 2 && same((char *)sp[2], "argument", 9));
	check("the auxiliary vector", page == PAGE && hwcap & 1 << ('c' - 'a') && entry == (unsigned long)_start && !platform);
	signals();
	memory();
	edges();
	files();
	processes();
	C1(EXIT_GROUP, failed);
}
__asm__(".globl _start\n_start: .option push\n.option norelax\nla gp, __global_pointer$\n.option pop\nmv a0, sp\nandi sp, sp, -16\nj start");
