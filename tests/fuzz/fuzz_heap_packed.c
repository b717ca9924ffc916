/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Parts of a packed heap snapshot, as they are before zstd and checksums, which no fuzzer gets
 * right: for each its kind, two bytes of length, and what is in it.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/path.h"
#include "analyzer/heap/reader.h"
#include "analyzer/heap/suspects.h"
#include "common/buf.h"
#include "common/intern.h"
#include "proto/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_parts(const uint8_t *data, size_t size, struct nd_buf *file)
{
	struct nd_packer *packer = nd_packer_new();
	size_t at = 0, len;

	nd_frame_add_head(file);
	while (packer && size - at >= 3) {
		len = (size_t)data[at + 1] | (size_t)data[at + 2] << 8;
		if (len > size - at - 3)
			len = size - at - 3;
		nd_frame_add_part(packer, (enum nd_part_kind)data[at], data + at + 3, len, file);
		at += 3 + len;
	}
	nd_packer_free(packer);
}

static struct nd_heap *read_heap(const struct nd_buf *file, bool defers_edges)
{
	struct nd_heap_reader *reader = nd_heap_reader_new();
	struct nd_heap *heap = NULL;

	if (reader && defers_edges)
		nd_heap_reader_defer_edges(reader);
	if (reader && !nd_heap_reader_feed(reader, file->data, file->len, NULL) &&
	    nd_heap_reader_finish(reader, &heap, NULL))
		heap = NULL;
	nd_heap_reader_free(reader);
	return heap;
}

static void add_words(const struct nd_heap_paths *paths)
{
	struct nd_buf words;
	uint32_t node;

	nd_buf_init(&words, 1u << 16);
	for (node = 0; node < paths->heap->node_count && node < 50; node++)
		nd_heap_add_words(paths, node, false, &words);
	nd_buf_fini(&words);
}

/* Along all that was stored; with deferred edges, along those alone that are asked for. */
static void use_heap(struct nd_heap *heap, struct nd_intern *names)
{
	struct nd_heap_suspects suspects;
	struct nd_heap_analysis analysis;
	struct nd_heap_paths paths;

	if (nd_heap_analyse(heap, names, &analysis, NULL))
		return;
	if (!nd_heap_paths_init(&paths, heap, &analysis))
		add_words(&paths);
	if (!heap->deferred && !nd_heap_find_tree(heap, &analysis, NULL))
		nd_heap_find_gatherers(heap, &analysis, &suspects, NULL);
	if (!heap->deferred)
		nd_heap_find_interfaces(heap, names, &analysis, NULL);
	nd_heap_analysis_fini(&analysis);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nd_intern *names = nd_intern_new();
	struct nd_heap *heap;
	struct nd_buf file;
	int defers_edges;

	nd_buf_init(&file, 1u << 24);
	add_parts(data, size, &file);
	for (defers_edges = 0; defers_edges < 2; defers_edges++) {
		heap = read_heap(&file, defers_edges);
		if (heap && names)
			use_heap(heap, names);
		nd_heap_free(heap);
	}
	nd_buf_fini(&file);
	nd_intern_free(names);
	return 0;
}
