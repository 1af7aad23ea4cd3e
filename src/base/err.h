/*
 * Errors are values. A function that can fail returns `struct err *`; NULL means success.
 * Results go out through parameters named ret_*, written only on success.
 *
 *	struct err *e = blk_open(path, &disk);
 *	if (e)
 *		return err_in(e, "drive '%s'", id);
 *
 * Who reports: only prog/ and control/ print or send an error; everything below passes it up.
 * Fast paths (block I/O, DMA) return a negative errno instead and never allocate.
 * Any thread; an error belongs to whoever holds the pointer.
 */
#pragma once
#include "base/base.h"

enum err_code {
	ERR_INVALID = 1,
	ERR_NOT_FOUND,
	ERR_BUSY,
	ERR_DENIED,
	ERR_IO,
	ERR_CORRUPT,
	ERR_UNSUPPORTED,
	ERR_NO_DEVICE, /* of this name: clients of QMP tell it from other errors */
	ERR_NOT_ACTIVE, /* the device does nothing that could be ended */
};

struct err;

struct err *err_new(enum err_code code, const char *fmt, ...) PRINTF(2, 3) MUST_CHECK;
/* errnum: a positive errno; its text is put behind the message. */
struct err *err_errno(int errnum, const char *fmt, ...) PRINTF(2, 3) MUST_CHECK;
/* Put context in front: "drive 'hd0': cannot open a.qcow2: No such file or directory". Takes e, never NULL. */
struct err *err_in(struct err *e, const char *fmt, ...) PRINTF(2, 3) MUST_CHECK;
/* What to do about it, shown on a line of its own. Takes e and gives it back. */
struct err *err_hint(struct err *e, const char *fmt, ...) PRINTF(2, 3) MUST_CHECK;
enum err_code err_code(const struct err *e);
/* The errno it came from, 0 if none. */
int err_errnum(const struct err *e);
const char *err_text(const struct err *e);
/* NULL when there is none. */
const char *err_remedy(const struct err *e);
void err_free(struct err *e);
