/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "analyzer/heap/deferred.h"
#include "analyzer/heap/heap.h"
#include "cli/command.h"
#include "cli/heap.h"
#include "cli/heap_file.h"
#include "cli/heap_page.h"
#include "cli/out.h"
#include "cli/target.h"
#include "cli/units.h"
#include "common/buf.h"

int heap_status_of(int code)
{
	if (code == -ENOENT)
		return EXIT_NO_TARGET;
	return code == -EACCES || code == -EPERM ? EXIT_PERMISSION : EXIT_FAILED;
}

int heap_print(struct heap *heap, int ret, const struct nd_buf *text)
{
	struct nd_err why = {0};

	if (!ret && heap->snapshot)
		ret = nd_heap_deferred_check(heap->snapshot, &why);
	if (why.code)
		nd_err_set_why(&heap->err, ret, &why, "cannot read the snapshot");
	else
		ret = out_print(text, ret, &heap->err);
	return ret ? EXIT_FAILED : EXIT_DONE;
}

int heap_analyse(struct heap *heap, const char *path)
{
	int ret = heap_file_read(path, heap->defers_edges, &heap->snapshot, &heap->err);

	if (!ret && heap->wants_collections &&
	    nd_heap_find_collections(heap->snapshot, &heap->collections))
		ret = nd_err_set(&heap->err, -ENOMEM, "out of memory");
	if (!ret)
		ret = nd_heap_analyse(heap->snapshot, heap->names, &heap->analysis, &heap->err);
	if (!ret && !heap->skips_distances)
		ret = nd_heap_find_distances(heap->snapshot, &heap->analysis, &heap->err);
	if (!ret && nd_heap_paths_init(&heap->paths, heap->snapshot, &heap->analysis))
		ret = nd_err_set(&heap->err, -ENOMEM, "out of memory");
	return ret ? heap_status_of(ret) : EXIT_DONE;
}

int heap_find_process(struct heap *heap, const char *command, char **words, pid_t *ret_pid)
{
	const struct target_syntax syntax = {.command = command, .pids_only = true};
	struct target target = {0};
	int ret =
		target_parse(&syntax, words, heap->arguments.count - 1, NULL, &target, &heap->err);

	if (!ret)
		*ret_pid = target.pids[0];
	return ret;
}

int heap_claim_page(struct heap *heap)
{
	if (heap->format == HEAP_FORMAT_HTML &&
	    heap_page_open(&heap->page, heap->taking.output, heap->taking.force, &heap->err))
		return EXIT_FAILED;
	return EXIT_DONE;
}

bool heap_page_is_printed(const struct heap *heap)
{
	return heap->format == HEAP_FORMAT_HTML && !strcmp(heap->page.path, "-");
}

int heap_tell_page(struct heap *heap)
{
	if (heap->format == HEAP_FORMAT_HTML && !heap_page_is_printed(heap))
		printf("\n%s\n", heap->page.path);
	return out_flush_stdout(&heap->err) ? EXIT_FAILED : EXIT_DONE;
}

int heap_find_object(struct heap *heap, const char *path, const char *word, uint32_t *ret_node)
{
	uint32_t node = ND_HEAP_NONE;
	uint64_t id;

	if (units_parse_number(word + (*word == '@'), 0, UINT32_MAX, &id))
		node = nd_heap_find_id(heap->snapshot, (uint32_t)id);
	if (node == ND_HEAP_NONE) {
		nd_err_set(&heap->err, -ENOENT, "no object '%s' in '%s'", word, path);
		nd_err_hint(&heap->err, "'nodiag heap summary %s' lists the largest", path);
		return EXIT_NO_TARGET;
	}
	*ret_node = node;
	return EXIT_DONE;
}

int heap_set_no_class(struct heap *heap, const char *path, const char *class)
{
	nd_err_set(&heap->err, -ENOENT, "no class '%s' in '%s'", class, path);
	nd_err_hint(&heap->err, "'nodiag heap summary %s' lists the largest", path);
	return EXIT_NO_TARGET;
}
