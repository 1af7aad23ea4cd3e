/* What a program sees of itself: arguments, /proc, exec of itself, of scripts, of the host's programs. argv[1]: a folder to write in. */
#define _GNU_SOURCE
#include "arch.h"
#include "check.h"
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char self[PATH_MAX];

static int run(const char *path, char *const argv[], char *const envp[])
{
	int status;
	pid_t pid = fork();
	if (!pid) {
		execve(path, argv, envp);
		_exit(100 + (errno == ENOENT) + 2 * (errno == EACCES) + 3 * (errno == ENOEXEC) + 4 * (errno == ELOOP));
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static size_t slurp(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	size_t n = 0;
	for (ssize_t k; fd >= 0 && n < size - 1 && (k = read(fd, buf + n, size - 1 - n)) > 0;)
		n += k;
	if (fd >= 0)
		close(fd);
	buf[n] = 0;
	return n;
}

static void script(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	write(fd, text, strlen(text));
	fchmod(fd, 0755);
	close(fd);
}

/* The child's part: argv[1] says what is expected. */
static int child(int argc, char **argv)
{
	char buf[4096], link[PATH_MAX] = "";
	if (!strcmp(argv[1], "--args"))
		return argc == 4 && !strcmp(argv[0], "a zero") && !strcmp(argv[2], "") && !strcmp(argv[3], "x y") && getenv("ONLY") &&
			       !getenv("HOME") ? 7 : 8;
	if (!strcmp(argv[1], "--exe"))
		return readlink("/proc/self/exe", link, sizeof(link)) > 0 && !strcmp(link, getenv("SELF")) &&
			       !strcmp((char *)getauxval(AT_EXECFN), argv[2]) ? 7 : 8;
	if (!strcmp(argv[1], "--cmdline")) {
		size_t n = slurp("/proc/self/cmdline", buf, sizeof(buf));
		return n == sizeof("zero\0--cmdline") && !memcmp(buf, "zero\0--cmdline", n) ? 7 : 8;
	}
	if (!strcmp(argv[1], "--script")) /* zero arg script more */
		return argc == 4 && strstr(argv[2], "script") && (!strcmp(argv[3], "more") || !strcmp(argv[3], "./script2")) ? 7 : 8;
	return 9;
}

int main(int argc, char **argv)
{
	static char buf[1 << 20], line[PATH_MAX + 128];
	if (argc > 1 && argv[1][0] == '-')
		return child(argc, argv);
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	CHECK("/proc/self/exe is the program", n > 0 && strstr(self, "proc") && !strstr(self, "rhea"));
	char selfenv[PATH_MAX + 8];
	snprintf(selfenv, sizeof(selfenv), "SELF=%s", self);
	char *only[] = { "ONLY=1", selfenv, NULL };
	CHECK("exec of ourselves with arguments and environment", run(self, (char *[]){ "a zero", "--args", "", "x y", NULL }, only) == 7);
	CHECK("exec of /proc/self/exe", run("/proc/self/exe", (char *[]){ "z", "--exe", "/proc/self/exe", NULL }, only) == 7);
	CHECK("the program's own command line", run(self, (char *[]){ "zero", "--cmdline", NULL }, only) == 7);
	chdir(argv[1]);
	snprintf(line, sizeof(line), "#!%s --script\n", self);
	script("script", line);
	CHECK("a script that the program interprets", run("./script", (char *[]){ "s", "more", NULL }, only) == 7);
	script("script2", "#!./script\n");
	CHECK("a script of a script", run("./script2", (char *[]){ "s", NULL }, only) == 7);
	script("hostscript", "#!/bin/sh\nexit $(($1 + 1))\n");
	CHECK("a script of the host's shell", run("./hostscript", (char *[]){ "s", "40", NULL }, only) == 41);
	CHECK("a program of the host's", run("/bin/true", (char *[]){ "true", NULL }, only) == 0);
	CHECK("exec of nothing", run("/nowhere", (char *[]){ "x", NULL }, only) == 101);
	CHECK("exec of a folder", run("/tmp", (char *[]){ "x", NULL }, only) == 102);
	script("plain", "not a program");
	CHECK("exec of text", run("./plain", (char *[]){ "x", NULL }, only) == 103);
	chmod("plain", 0644);
	script("loop", "#!./loop\n");
	CHECK("exec of a script of itself", run("./loop", (char *[]){ "x", NULL }, only) == 104);
	int fd = open(self, O_RDONLY | O_CLOEXEC);
	pid_t pid = fork();
	int status;
	if (!pid) {
		fexecve(fd, (char *[]){ "a zero", "--args", "", "x y", NULL }, only);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	CHECK("fexecve", status == 7 << 8);
	close(fd);

	CHECK("/proc/self/maps shows the guest", slurp("/proc/self/maps", buf, sizeof(buf)) > 0 && strstr(buf, self) && strstr(buf, "[stack]") &&
						     strstr(buf, "[vdso]") && !strstr(buf, "rhea") && strstr(buf, "r-xp"));
	int found = 0;
	for (char *l = strtok(buf, "\n"); l; l = strtok(NULL, "\n")) {
		unsigned long lo, hi;
		if (sscanf(l, "%lx-%lx", &lo, &hi) == 2 && lo <= (unsigned long)&found && (unsigned long)&found < hi)
			found = strstr(l, "[stack]") != NULL;
	}
	CHECK("our stack lies in [stack]", found);
	CHECK("/proc/self/smaps", slurp("/proc/self/smaps", buf, sizeof(buf)) > 0 && strstr(buf, self) && strstr(buf, "Rss:") && !strstr(buf, "rhea"));
	n = slurp("/proc/self/auxv", buf, sizeof(buf));
	int entry = 0, hwcap = 0;
	for (ElfW(auxv_t) *a = (void *)buf; (char *)a < buf + n; a++) {
		entry |= a->a_type == AT_ENTRY && a->a_un.a_val == getauxval(AT_ENTRY);
		hwcap |= a->a_type == AT_HWCAP && a->a_un.a_val == getauxval(AT_HWCAP);
	}
	CHECK("/proc/self/auxv is ours", entry && hwcap);
	static const char *const words[] = { CPUINFO_WORDS };
	CHECK("/proc/cpuinfo is the guest's", slurp("/proc/cpuinfo", buf, sizeof(buf)) > 0 && strstr(buf, words[0]) && strstr(buf, words[1]));
	char *p;
	slurp("/proc/self/stat", buf, sizeof(buf));
	unsigned long v = 0;
	int fields = 2;
	p = strrchr(buf, ')') + 1;
	for (char *w = strtok(p, " "); w; w = strtok(NULL, " "))
		if (++fields == 28)
			v = strtoul(w, NULL, 10);
	CHECK("/proc/self/stat has our stack and 52 fields", fields == 52 && v > (unsigned long)&v && v - (unsigned long)&v < 1 << 20);
	CHECK("/proc/self/status and comm carry our name", slurp("/proc/self/status", buf, sizeof(buf)) > 0 && !strncmp(buf, "Name:\tproc", 10) &&
							       slurp("/proc/self/comm", buf, sizeof(buf)) > 0 && !strncmp(buf, "proc", 4));
	CHECK("the program headers are where auxv says", ((ElfW(Phdr) *)getauxval(AT_PHDR))->p_type && getauxval(AT_PHNUM) > 2 &&
							     getauxval(AT_PAGESZ) == 4096);
	const char *platform = (const char *)getauxval(AT_PLATFORM), *want = PLATFORM;
	CHECK("AT_PLATFORM is the kernel's", want ? platform && !strcmp(platform, want) : !platform);
	CHECK("AT_RANDOM is random", getauxval(AT_RANDOM) && *(long *)getauxval(AT_RANDOM));
	return check_failed;
}
