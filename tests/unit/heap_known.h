/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_TESTS_HEAP_KNOWN_H
#define NODIAG_TESTS_HEAP_KNOWN_H

/* Heaps made by hand, with all that an analysis finds in them. After cmocka.h. */

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/path.h"
#include "common/intern.h"
#include "heap_build.h"

struct known {
	struct nd_heap *heap;
	struct nd_intern *names;
	struct nd_heap_analysis a;
	struct nd_heap_paths paths;
};

static inline void analyse(struct known *k, const struct build *build)
{
	k->heap = build_heap(build);
	k->names = nd_intern_new();
	assert_non_null(k->heap);
	assert_int_equal(nd_heap_analyse(k->heap, k->names, &k->a, NULL), 0);
	assert_int_equal(nd_heap_find_sums(k->heap, &k->a, NULL), 0);
	assert_int_equal(nd_heap_paths_init(&k->paths, k->heap, &k->a), 0);
}

static inline void forget(struct known *k)
{
	nd_heap_paths_fini(&k->paths);
	nd_heap_analysis_fini(&k->a);
	nd_intern_free(k->names);
	nd_heap_free(k->heap);
}

#endif /* NODIAG_TESTS_HEAP_KNOWN_H */
