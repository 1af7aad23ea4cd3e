//needs: gnutls
#include "base/gnutls.h"
#include "base/lib.h"
#include <pthread.h>

struct gnutls gnutls;

/* The first try counts for the whole process. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char *trouble;

static void open_once(void)
{
#define ENTRY(name) { "gnutls_" #name, &gnutls.name },
	static const struct lib_function list[] = { GNUTLS_FUNCTIONS(ENTRY){ NULL } };
#undef ENTRY
	struct err *e = lib_load("libgnutls.so.30", list);
	if (e)
		trouble = strf("%s", err_text(e));
	err_free(e);
}

struct err *gnutls_open(void)
{
	pthread_once(&once, open_once);
	return trouble ? err_new(ERR_UNSUPPORTED, "%s", trouble) : NULL;
}
