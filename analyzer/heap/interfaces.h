/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_INTERFACES_H
#define NODIAG_ANALYZER_HEAP_INTERFACES_H

/*
 * Classes of plain objects by what they look like: DevTools' inferred interfaces. A list of
 * properties that at least two and one in a thousand of all plain objects begin with is an
 * interface, named "{id, name}"; an object is of that one, among those whose properties it has,
 * that has most properties, and of these the most popular.
 */

#include <stdint.h>

#include "analyzer/heap/shapes.h"

struct nd_heap_classes;
struct nd_intern;

struct nd_heap_interface {
	const uint32_t *names; /* of its properties */
	uint32_t len;
	uint32_t count; /* of plain objects that look so */
	char *text;
};

struct nd_heap_interfaces {
	struct nd_heap_shapes lists;
	struct nd_heap_interface *interface; /* the most popular first */
	uint32_t count;
};

/*
 * Find the interfaces of a heap by its shapes, whose names are in `names`. 0 or -ENOMEM. They may
 * be all that is kept of the heap, together with `names`.
 */
int nd_heap_infer_interfaces(const struct nd_heap_shapes *shapes, struct nd_intern *names,
			     struct nd_heap_interfaces *ret);
void nd_heap_interfaces_fini(struct nd_heap_interfaces *interfaces);

/*
 * The class of each shape, of the same heap or of another one with the same `names`: that of its
 * interface, or "Object". The caller frees the list.
 */
int nd_heap_class_shapes(const struct nd_heap_shapes *shapes,
			 const struct nd_heap_interfaces *interfaces, struct nd_intern *names,
			 struct nd_heap_classes *classes, uint32_t **ret_class_of_shape);

#endif /* NODIAG_ANALYZER_HEAP_INTERFACES_H */
