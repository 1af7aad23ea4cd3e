/*
 * Image locks between processes: byte-range locks on the image file, one byte a permission, as QEMU takes them (seen in
 * its system calls), so that both programs respect each other's.
 *
 * Byte 100 + p is locked (shared) by who uses permission p, byte 200 + p by who lets nobody else use it.
 */
#pragma once
#include "base/base.h"
#include "base/err.h"

enum lock_perm { PERM_READ = BIT(0), PERM_WRITE = BIT(1), PERM_UNCHANGED = BIT(2), PERM_RESIZE = BIT(3) };

/*
 * Changes the locks held on fd from (old_perm, old_alone) to (perm, alone). ERR_BUSY with the holder's name in the
 * remedy when another process is in the way; what was held before is held then. filename: for the message.
 */
struct err *lock_change(int fd, const char *filename, u32 old_perm, u32 old_alone, u32 perm,
			u32 alone) MUST_CHECK;
/* Whether the kernel and the file system have open-file-description locks. */
bool lock_works(int fd);
