/* Character device of kind ringbuf: keeps the last bytes that were written, for clients that fetch them. One thread. */
#pragma once
#include "backend/chr/chr.h"

bool chr_is_ringbuf(const struct chr *c);
/* What does not fit any more pushes out the oldest bytes. */
void chr_ringbuf_put(struct chr *c, const void *data, size_t len);
/* Takes out up to len of the oldest bytes; the number of them. */
size_t chr_ringbuf_take(struct chr *c, void *buf, size_t len);
/* Bytes that lie there. */
size_t chr_ringbuf_held(const struct chr *c);
