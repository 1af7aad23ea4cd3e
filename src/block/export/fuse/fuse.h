/*
 * FUSE export: a node shown as a regular file. The mount point is an existing file, which the disk covers while the export
 * lasts; programs read and write it, make it longer or shorter, punch holes and ask where data lies.
 *
 * Belongs to the thread (and its loop) that made it; requests run as coroutines of that loop, or of another that shares its gate.
 */
#pragma once
#include "block/root.h"

struct fuse_export;

enum fuse_others { FUSE_OTHERS_AUTO, FUSE_OTHERS_OFF, FUSE_OTHERS_ON };

struct fuse_describe {
	const char *mountpoint;
	bool writable;
	bool
	    writethrough; /* what a write, a zeroed range or a new size changed is on stable storage before it is answered */
	bool growable; /* writes behind the end make the disk longer */
	struct blk_use use; /* of the node */
	enum fuse_others allow_other; /* users other than the one who mounts; auto: where the host lets us */
	struct loop *loop; /* where requests run; NULL: in the calling thread's */
	/* Somebody unmounted the file: the export is over and only waits to be freed. May be NULL. */
	void (*ended)(void *user);
	void *user;
};

/* Mounts; holds a root for the node. Without libfuse, and with a mount point that will not do: refused. */
struct err *fuse_export_new(struct blk_node *node, const struct fuse_describe *d,
			    struct fuse_export **ret) MUST_CHECK;
/* Unmounts, waits for the requests under way and frees. */
void fuse_export_free(struct fuse_export *x);
