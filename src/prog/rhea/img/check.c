/* img check: finds and repairs faults of an image's tables. */
#include "prog/rhea/img/img.h"
#include <getopt.h>

static void say(void *user UNUSED, const char *line)
{
	fprintf(stderr, "%s\n", line);
}

static void say_nothing(void *user UNUSED, const char *line UNUSED)
{
}

struct sums {
	struct blk_check c;
	const char *filename, *format;
};

static void print_human(const struct sums *s)
{
	const struct blk_check *c = &s->c;
	if (!(c->corruptions || c->leaks || c->check_errors))
		printf("No errors were found on the image.\n");
	if (c->corruptions)
		printf("\n%llu errors were found on the image.\nData may be corrupted, or further writes to "
		       "the image may "
		       "corrupt it.\n",
		       (unsigned long long)c->corruptions);
	if (c->leaks)
		printf("\n%llu leaked clusters were found on the image.\nThis means waste of disk space, but "
		       "no harm to "
		       "data.\n",
		       (unsigned long long)c->leaks);
	if (c->check_errors)
		printf("\n%llu internal errors have occurred during the check.\n",
		       (unsigned long long)c->check_errors);
	if (c->total_clusters && c->allocated_clusters)
		printf("%llu/%llu = %0.2f%% allocated, %0.2f%% fragmented, %0.2f%% compressed clusters\n",
		       (unsigned long long)c->allocated_clusters, (unsigned long long)c->total_clusters,
		       c->allocated_clusters * 100.0 / c->total_clusters,
		       c->fragmented_clusters * 100.0 / c->allocated_clusters,
		       c->compressed_clusters * 100.0 / c->allocated_clusters);
	if (c->image_end)
		printf("Image end offset: %llu\n", (unsigned long long)c->image_end);
}

static void set_if(struct json *j, const char *name, u64 v)
{
	if (v)
		json_set(j, name, json_int(v));
}

static void print_json(const struct sums *s)
{
	AUTO(json_freep) struct json *j = json_dict();
	set_if(j, "image-end-offset", s->c.image_end);
	set_if(j, "total-clusters", s->c.total_clusters);
	set_if(j, "corruptions", s->c.corruptions);
	json_set(j, "check-errors", json_int(s->c.check_errors));
	set_if(j, "allocated-clusters", s->c.allocated_clusters);
	set_if(j, "fragmented-clusters", s->c.fragmented_clusters);
	set_if(j, "compressed-clusters", s->c.compressed_clusters);
	set_if(j, "corruptions-fixed", s->c.corruptions_fixed);
	set_if(j, "leaks-fixed", s->c.leaks_fixed);
	set_if(j, "leaks", s->c.leaks);
	json_set(j, "filename", json_str(s->filename));
	json_set(j, "format", json_str(s->format));
	AUTO(free_ptr) char *text = json_text(j, true);
	puts(text);
}

/* Exit status: 0 clean, 1 the check failed, 2 corrupt, 3 leaks. 63: the format has no check, or no repair. */
static int check_image(struct blk_node *node, const char *filename, u32 fix, bool as_json, bool quiet)
{
	struct sums s = { .filename = filename, .format = node->driver->name };
	if (!node->driver->check) {
		img_error("This image format does not support checks");
		return 63;
	}
	s.c.say = quiet ? say_nothing : say;
	struct err *e = node->driver->check(node, &s.c, fix);
	if (e && err_code(e) == ERR_UNSUPPORTED) {
		img_report(e, "%s", "");
		return 63;
	}
	if (!e && (s.c.leaks_fixed || s.c.corruptions_fixed)) {
		u64 leaks = s.c.leaks_fixed, corruptions = s.c.corruptions_fixed;
		if (!as_json) {
			if (!quiet)
				printf("The following inconsistencies were found and repaired:\n\n    %llu "
				       "leaked clusters\n    "
				       "%llu corruptions\n\nDouble checking the fixed image now...\n",
				       (unsigned long long)leaks, (unsigned long long)corruptions);
		}
		s.c = (struct blk_check){ .say = s.c.say };
		e = node->driver->check(node, &s.c, 0);
		s.c.leaks_fixed = leaks;
		s.c.corruptions_fixed = corruptions;
	}
	if (e) {
		img_report(e, "%s", "");
		return 1;
	}
	if (!quiet) {
		if (as_json)
			print_json(&s);
		else
			print_human(&s);
	}
	return s.c.check_errors ? 1 : s.c.corruptions ? 2 : s.c.leaks ? 3 : 0;
}

static int check(struct img *m, int argc, char **argv)
{
	static const struct option longs[] = { { "help", no_argument, 0, 'h' },
					       { "format", required_argument, 0, 'f' },
					       { "repair", required_argument, 0, 'r' },
					       { "output", required_argument, 0, OPT_OUTPUT },
					       { "object", required_argument, 0, OPT_OBJECT },
					       { "image-opts", no_argument, 0, OPT_IMAGE_OPTS },
					       { "force-share", no_argument, 0, 'U' },
					       { 0 } };
	const char *fmt = NULL, *output = "human", *cache = "writeback";
	u32 flags = BLK_FOR_CHECK | BLK_UNMAP, fix = 0;
	int c;
	while ((c = img_getopt(m, argc, argv, ":hf:r:T:qU", longs)) != -1) {
		switch (c) {
		case 'f':
			fmt = optarg;
			break;
		case 'r':
			flags |= BLK_RDWR;
			if (strcmp(optarg, "leaks") == 0)
				fix = BLK_FIX_LEAKS;
			else if (strcmp(optarg, "all") == 0)
				fix = BLK_FIX_LEAKS | BLK_FIX_ERRORS;
			else
				img_usage_error(
				    "Unknown option value for -r (expecting 'leaks' or 'all'): %s", optarg);
			break;
		case 'T':
			cache = optarg;
			break;
		case OPT_OUTPUT:
			output = optarg;
			break;
		default:
			return 0;
		}
	}
	if (optind != argc - 1)
		img_usage_error("Expecting one image file name");
	bool as_json;
	if (!img_output_mode(output, &as_json))
		return 1;
	if (!img_make_objects(m))
		return 1;
	if (!img_cache_mode(cache, &flags)) {
		img_error("Invalid source cache option: %s", cache);
		return 1;
	}
	struct blk_node *node = img_open(m, argv[optind], fmt, flags);
	if (!node)
		return 1;
	int status = check_image(node, argv[optind], fix, as_json, m->quiet);
	blk_unref(node);
	return status;
}

IMG_VERB(check) = {
	.name = "check",
	.usage = "[--object objectdef] [--image-opts] [-q] [-f fmt] [--output=ofmt] [-r [leaks | all]] [-T "
		 "src_cache] [-U] "
		 "filename",
	.run = check,
};
