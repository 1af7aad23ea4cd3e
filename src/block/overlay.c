/* Images that are written to for as long as they are open. */
#include "block/blk.h"
#include <stdio.h>
#include <unistd.h>

struct err *blk_open_overlay(struct blk_graph *graph, const char *name, const char *fmt, struct json *opts,
			     u32 flags, struct blk_node **ret)
{
	const char *dir = getenv("TMPDIR");
	AUTO(free_ptr) char *path = strf("%s/rhea-XXXXXX", dir && *dir ? dir : "/var/tmp");
	struct blk_node *base;
	struct err *e = blk_open(graph, name, fmt, opts, flags & ~(u32)BLK_RDWR, &base);
	if (e)
		return e;
	int fd = mkstemp(path);
	if (fd < 0) {
		blk_unref(base);
		return err_new(ERR_IO, "Could not get temporary filename in '%s'", path);
	}
	close(fd);
	struct json *make = json_dict(), *how = json_dict();
	AUTO(free_ptr) char *size = strf("%llu", (unsigned long long)blk_size(base));
	json_set(make, "size", json_str(size));
	e = blk_create_image(graph, path, "qcow2", make);
	json_set(how, "backing", json_str(base->node_name));
	json_set(how, "file.filename", json_str(path));
	json_set(how, "file.driver", json_str("file"));
	if (e)
		json_free(how);
	else
		e = blk_open(graph, NULL, "qcow2", how, flags | BLK_RDWR | BLK_NO_FLUSH, ret);
	unlink(path);
	blk_unref(base);
	return e;
}
