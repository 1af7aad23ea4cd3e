/*
 * rhea-user: user mode of every guest. By the name it is called with it answers as qemu-ARCH or qemu-ARCH-static; under its own name
 * the ELF header says which guest it is.
 */
#include "linux/exec.h"
#include "base/log.h"
#include "user.h"
#include <stdio.h>
#include <sys/auxv.h>
#include <unistd.h>

const char user_version[] = "0.1.0 (Rhea)";

const char *user_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

void user_report(const char *name, struct err *e)
{
	fprintf(stderr, "%s: %s\n", name, err_text(e));
	if (err_remedy(e))
		fprintf(stderr, "%s: %s\n", name, err_remedy(e));
	err_free(e);
}

static int print_names(void)
{
	for (const struct linux_abi *const *a = linux_abis; *a; a++)
		printf("qemu-%s\nqemu-%s-static\n", linux_abi_name(*a), linux_abi_name(*a));
	return 0;
}

/* The guest that a name such as qemu-aarch64-static or aarch64-binfmt-P asks for; NULL: the ELF header decides. */
static const struct linux_abi *guest_of_name(const char *base, bool *ret_binfmt)
{
	static const char *const endings[] = { "-static", "-binfmt-P", "-binfmt" };
	char name[64];
	if (strncmp(base, "qemu-", 5) == 0)
		base += 5;
	snprintf(name, sizeof(name), "%s", base);
	for (unsigned i = 0; i < LEN(endings); i++) {
		size_t len = strlen(name), end = strlen(endings[i]);
		if (len > end && strcmp(name + len - end, endings[i]) == 0) {
			name[len - end] = 0;
			*ret_binfmt = i == 1;
			break;
		}
	}
	return linux_abi_find(name);
}

/* Started by the kernel for a program's file (flag P): path, the program's own argv[0], its arguments. */
static int run_for_binfmt(const char *name, const struct linux_abi *abi, int argc, char **argv)
{
	char none[] = "";
	char *args[] = { none, NULL };
	struct linux_options o = { .abi = abi,
				   .prog_name = name,
				   .path = argv[1],
				   .fd = -1,
				   .self_fd = -1,
				   .preserve_argv0 = true,
				   .prefix = getenv("QEMU_LD_PREFIX"),
				   .cpu = getenv("QEMU_CPU"),
				   .release = getenv("QEMU_UNAME"),
				   .log = getenv("QEMU_STRACE") ? LOG_STRACE : 0,
				   .argv = argc > 2 ? argv + 2 : args,
				   .envp = environ };
	unsigned long fd = getauxval(AT_EXECFD);
	if (fd)
		o.fd = (int)fd;
	user_keep(&o, NULL);
	struct err *e = linux_run(&o);
	bool foreign = linux_err_is_foreign(e);
	user_report(name, e);
	return foreign ? 255 : 1;
}

static int run_again(int argc, char **argv)
{
	struct linux_options o = { .envp = environ };
	if (!exec_state_parse(argc, argv, &o)) {
		fprintf(stderr, "rhea-user: damaged --exec-state\n");
		return 1;
	}
	if (o.keep_dir)
		user_keep(&o, o.keep_dir);
	user_report(o.prog_name, linux_run(&o));
	return 127;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} verbs[] = { { "binfmt", user_binfmt }, { "exec", user_exec }, { "kept", user_kept } };
	enum { PRESERVED_ARGV0 = 1 };
	bool binfmt = false;
	if (argc > 1 && strcmp(argv[1], EXEC_MARK) == 0)
		return run_again(argc, argv);
	const char *name = argc > 0 ? user_base_name(argv[0]) : "rhea-user";
	const struct linux_abi *abi = guest_of_name(name, &binfmt);
	if (argc > 1 && (binfmt || getauxval(AT_FLAGS) & PRESERVED_ARGV0))
		return run_for_binfmt(name, abi, argc, argv);
	if (argc > 1 && strcmp(argv[1], "--names") == 0)
		return print_names();
	for (unsigned i = 0; !abi && argc > 1 && i < LEN(verbs); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	return user_run(name, abi, argc, argv);
}
