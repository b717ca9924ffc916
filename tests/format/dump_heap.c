/* SPDX-License-Identifier: Apache-2.0 */

/*
 * usage: dump_heap FILE
 *
 * What nodiag finds out of each node of a heap snapshot, on stdout in the order of the file: id,
 * dominator's index and distance in 32 bits each, self size and retained size in 64.
 */

#include <stdint.h>
#include <stdio.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/reader.h"
#include "common/err.h"
#include "common/intern.h"

struct record {
	uint32_t id;
	uint32_t dominator;
	int32_t distance;
	uint32_t unused;
	uint64_t self_size;
	uint64_t retained;
};

static int read_heap(const char *path, struct nd_heap **ret_heap, struct nd_err *err)
{
	struct nd_heap_reader *reader = nd_heap_reader_new();
	FILE *f = fopen(path, "rb");
	char chunk[1u << 16];
	size_t n;
	int ret = reader && f ? 0 : nd_err_set(err, -1, "cannot open '%s'", path);

	while (!ret && (n = fread(chunk, 1, sizeof(chunk), f)))
		ret = nd_heap_reader_feed(reader, chunk, n, err);
	if (!ret)
		ret = nd_heap_reader_finish(reader, ret_heap, err);
	if (f)
		fclose(f);
	nd_heap_reader_free(reader);
	return ret;
}

static void dump(const struct nd_heap *heap, const struct nd_heap_analysis *a)
{
	struct record record;
	uint32_t i;

	for (i = 0; i < heap->node_count; i++) {
		record = (struct record){
			.id = heap->id[i],
			.dominator = a->dominator[i],
			.distance = a->distance[i],
			.self_size = heap->self_size[i],
			.retained = a->retained[i],
		};
		fwrite(&record, sizeof(record), 1, stdout);
	}
}

int main(int argc, char **argv)
{
	struct nd_intern *names = nd_intern_new();
	struct nd_heap_analysis analysis;
	struct nd_heap *heap = NULL;
	struct nd_err err = {0};
	int ret = argc == 2 ? read_heap(argv[1], &heap, &err) : -1;

	if (!ret)
		ret = nd_heap_analyse(heap, names, &analysis, &err);
	if (!ret)
		ret = nd_heap_find_sums(heap, &analysis, &err);
	if (ret) {
		fprintf(stderr, "dump_heap: %s\n", err.what);
	} else {
		dump(heap, &analysis);
		nd_heap_analysis_fini(&analysis);
	}
	nd_heap_free(heap);
	nd_intern_free(names);
	return ret || fflush(stdout) ? 1 : 0;
}
