/* The verbs of rhea-user. Each gives the process's exit status. */
#pragma once
#include "base/err.h"
#include "linux/linux.h"

/* A program as the peer's user mode runs it: options, program, arguments. name: what we were called. Comes back only with a failure. */
int user_run(const char *name, const struct linux_abi *abi, int argc, char **argv);
/* Decides where translations are kept; choice: a directory, "off", or NULL: by the environment. */
void user_keep(struct linux_options *o, const char *choice);
/* kept status|clear */
int user_kept(int argc, char **argv);
/* binfmt status|install|remove */
int user_binfmt(int argc, char **argv);
/* exec ROOT COMMAND... */
int user_exec(int argc, char **argv);
/* Prints an error in one line, and its remedy; frees it. */
void user_report(const char *name, struct err *e);
/* The version, as -version prints it. */
extern const char user_version[];
/* "NAME" of "-version" and usage: "qemu-aarch64" whatever the path. */
const char *user_base_name(const char *path);
