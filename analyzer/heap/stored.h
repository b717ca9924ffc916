/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_STORED_H
#define NODIAG_ANALYZER_HEAP_STORED_H

/*
 * What an analysis found, as a packed snapshot has it: all that takes long to find. Indexes in it
 * are in range; that sizes are and that dominators are a tree is seen when it is taken.
 */

#include <stddef.h>
#include <stdint.h>

#include "analyzer/heap/scopes.h"
#include "common/buf.h"

struct nd_err;
struct nd_heap;
struct nd_heap_analysis;

struct nd_heap_stored {
	/*
	 * What nd_heap_charge_owners() changed, as the file's parts say it: a third of all sizes,
	 * and by little. Retained sizes are without the charged ones until it is taken.
	 */
	struct nd_buf charges;
	uint32_t *dominator;
	uint64_t *retained;
	int32_t *distance;
	uint32_t *before;
	uint32_t *class_of;

	uint32_t class_count;
	size_t class_bytes;
	uint32_t *name_size; /* with the NUL */
	char *name_bytes;
	uint8_t *is_located;
	uint32_t *script;
	uint32_t *line;
	uint32_t *column;
	uint32_t *count;
	int32_t *class_distance;
	uint64_t *self;
	uint64_t *class_retained;

	struct nd_heap_scopes scopes;
};

void nd_heap_stored_free(struct nd_heap_stored *stored);

/*
 * Make it a heap's analysis, and its self sizes the charged ones. What is quickly found, the tree
 * and the interfaces, is not there yet. 0, -EBADMSG where it contradicts itself, or -ENOMEM.
 */
int nd_heap_stored_take(struct nd_heap *heap, struct nd_heap_analysis *analysis);

#endif /* NODIAG_ANALYZER_HEAP_STORED_H */
