/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/heap/stored.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/heap/analysis.h"
#include "analyzer/heap/heap.h"
#include "analyzer/heap/unpack_columns.h"

void nd_heap_stored_free(struct nd_heap_stored *s)
{
	if (!s)
		return;
	nd_buf_fini(&s->charges);
	free(s->dominator);
	free(s->retained);
	free(s->distance);
	free(s->before);
	free(s->class_of);
	free(s->name_size);
	free(s->name_bytes);
	free(s->is_located);
	free(s->script);
	free(s->line);
	free(s->column);
	free(s->count);
	free(s->class_distance);
	free(s->self);
	free(s->class_retained);
	nd_heap_scopes_fini(&s->scopes);
	free(s);
}

/* Classes were numbered in the order in which they were added, which is theirs here. */
static int take_classes(const struct nd_heap_stored *s, struct nd_heap_analysis *a)
{
	const char *name = s->name_bytes;
	uint32_t i, class;

	a->class = calloc((size_t)s->class_count + 1, sizeof(*a->class));
	if (!a->class || nd_heap_classes_init(&a->classes))
		return -ENOMEM;
	for (i = 0; i < s->class_count; name += s->name_size[i++]) {
		struct nd_heap_class_key place = {
			.is_located = s->is_located[i],
			.script = s->script[i],
			.line = s->line[i],
			.column = s->column[i],
		};

		if (nd_heap_classes_add_placed(&a->classes, name, &place, &class))
			return -ENOMEM;
		if (class != i)
			return -EBADMSG;
		a->class[i] = (struct nd_heap_class){s->count[i], s->class_distance[i], s->self[i],
						     s->class_retained[i]};
	}
	return 0;
}

int nd_heap_stored_take(struct nd_heap *heap, struct nd_heap_analysis *a)
{
	struct nd_heap_stored *s = heap->stored;
	int ret = take_classes(s, a);

	if (ret)
		return ret;
	if (!nd_heap_unpacked_charge(s, heap))
		return -EBADMSG;
	a->dominator = s->dominator;
	a->retained = s->retained;
	a->distance = s->distance;
	a->before = s->before;
	a->class_of = s->class_of;
	a->scopes = s->scopes;
	a->has_scopes = true;
	s->dominator = NULL;
	s->retained = NULL;
	s->distance = NULL;
	s->before = NULL;
	s->class_of = NULL;
	s->scopes = (struct nd_heap_scopes){0};
	nd_heap_stored_free(s);
	heap->stored = NULL;
	return a->dominator[heap->root] == heap->root ? 0 : -EBADMSG;
}
