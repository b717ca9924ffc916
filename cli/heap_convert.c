/* SPDX-License-Identifier: Apache-2.0 */

/* nodiag heap convert: from a snapshot of any format to a packed one, or to one for DevTools. */

#include "cli/heap_convert.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "analyzer/heap/heap.h"
#include "analyzer/heap/pack.h"
#include "analyzer/heap/write.h"
#include "analyzer/render/units.h"
#include "cli/command.h"
#include "cli/heap.h"
#include "cli/heap_file.h"
#include "cli/out.h"

static int take(void *arg, const void *data, size_t len, struct nd_err *err)
{
	return out_write(arg, data, len, err);
}

int heap_write(struct nd_heap *heap, enum heap_format format, struct out *out, struct nd_err *err)
{
	const struct nd_heap_sink sink = {.take = take, .arg = out};
	bool is_analysed;
	int ret;

	if (format == HEAP_FORMAT_HEAPSNAPSHOT)
		return nd_heap_write(heap, &sink, err);
	ret = nd_heap_pack_analysed(heap, &sink, &is_analysed, err);
	if (!ret && !is_analysed)
		term_note("%s: there was no memory to analyse it: it is whole, and opens slower",
			  out->path);
	return ret;
}

/* The file's name with the format's ending in place of the one it has. */
static void name_output(const char *path, enum heap_format format, char *name, size_t size)
{
	static const char *const endings[] = {".heapsnapshot", ".nd", ".gz", ".zst"};
	size_t len = strlen(path), i, cut = 1;

	while (cut) {
		for (i = 0, cut = 0; i < sizeof(endings) / sizeof(endings[0]) && !cut; i++)
			if (len > strlen(endings[i]) && !strncmp(path + len - strlen(endings[i]),
								 endings[i], strlen(endings[i])))
				cut = strlen(endings[i]);
		len -= cut;
	}
	snprintf(name, size, "%.*s.%s", (int)len, path, heap_format_get_name(format));
}

static void report(const char *from, const char *to)
{
	char from_size[ND_UNITS_MAX], to_size[ND_UNITS_MAX];
	struct stat before, after;

	if (stat(from, &before) || stat(to, &after) || !S_ISREG(after.st_mode))
		return;
	term_note("%s: %s, from %s", to, nd_units_weight((uint64_t)after.st_size, "bytes", to_size),
		  nd_units_weight((uint64_t)before.st_size, "bytes", from_size));
}

/* What is packed is unpacked, unless something else is asked for. */
static enum heap_format choose_format(const struct heap *heap, const char *from)
{
	if (heap->format == HEAP_FORMAT_USUAL && !heap->taking.output &&
	    heap_format_of_path(from) == HEAP_FORMAT_ND)
		return HEAP_FORMAT_HEAPSNAPSHOT;
	return heap_format_choose(heap->format, heap->taking.output);
}

int heap_answer_convert(struct heap *heap, char **files)
{
	enum heap_format format = choose_format(heap, files[0]);
	struct out out = {.fd = -1};
	char name[4096];
	int ret;

	if (!heap->taking.output && !strcmp(files[0], "-")) {
		nd_err_set(&heap->err, -EINVAL, "what is read from a pipe needs a name");
		nd_err_hint(&heap->err, "give it with -o");
		return EXIT_USAGE;
	}
	name_output(files[0], format, name, sizeof(name));
	if (heap->taking.output)
		snprintf(name, sizeof(name), "%s", heap->taking.output);
	ret = out_open(&out, name, heap->taking.force, true, &heap->err);
	out_make_private(&out);
	if (!ret)
		ret = heap_file_read(files[0], false, &heap->snapshot, &heap->err);
	if (!ret)
		ret = heap_write(heap->snapshot, format, &out, &heap->err);
	if (!ret)
		ret = out_commit(&out, "", 0, &heap->err);
	out_close(&out);
	if (!ret)
		report(files[0], name);
	return ret ? heap_status_of(ret) : EXIT_DONE;
}
