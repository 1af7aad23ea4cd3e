/* How a guest's exec of a guest program comes back to main(). */
#pragma once
#include "linux/linux.h"

/* argv[1] of a program that executed itself again. */
#define EXEC_MARK "--exec-state"
/* Takes the options out of such arguments; false: they are none. */
bool exec_state_parse(int argc, char **argv, struct linux_options *options);
