/* What this program was built as. */
#pragma once
#include "base/base.h"

/* A number that tells builds of the running program apart, from the build id that the linker leaves in it; 0 when there is none. */
u64 os_build_id(void);
