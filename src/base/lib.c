#include "base/lib.h"
#include <dlfcn.h>

struct err *lib_load(const char *soname, const struct lib_function *list)
{
	void *lib = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
	if (!lib)
		return err_hint(err_new(ERR_UNSUPPORTED, "'%s' could not be loaded: %s", soname, dlerror()),
				"Install the library that this program was built with.");
	for (; list->name; list++) {
		void *f = dlsym(lib, list->name);
		if (!f)
			return err_new(ERR_UNSUPPORTED, "'%s' has no function %s", soname, list->name);
		memcpy(list->to, &f, sizeof(f));
	}
	return NULL;
}
