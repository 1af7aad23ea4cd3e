/* For tls.c: are certificates fit for use before anybody connects? */
#pragma once
#include "base/err.h"

/* ca, cert (NULL: there is none): files of PEM. Times, constraints, usage, purpose, and that the one vouches for the other. */
struct err *tls_check_files(const char *ca, const char *cert, bool server) MUST_CHECK;
