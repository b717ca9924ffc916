/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_HEAP_CLASSES_H
#define NODIAG_ANALYZER_HEAP_CLASSES_H

/*
 * Classes as DevTools groups objects: by the name of the constructor, and by where it is where that
 * is known; by kind for what is no object; and plain objects by the properties that many of them
 * have in common, "{id, name}".
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/set.h"

struct nd_heap;
struct nd_heap_interfaces;
struct nd_heap_shapes;
struct nd_intern;

/* What tells classes apart. Classes of different heaps with the same are the same. */
struct nd_heap_class_key {
	uint32_t text; /* its name */
	uint32_t is_located;
	uint32_t script; /* of the constructor; with line and column 0 when not known */
	uint32_t line;
	uint32_t column;
};

struct nd_heap_classes {
	struct nd_intern *texts;
	struct nd_set keys; /* a class is the id of its key */
};

/* 0 or -ENOMEM, as all of these. */
int nd_heap_classes_init(struct nd_heap_classes *classes);
void nd_heap_classes_fini(struct nd_heap_classes *classes);

const struct nd_heap_class_key *nd_heap_class_key(const struct nd_heap_classes *classes,
						  uint32_t class);
const char *nd_heap_class_name(const struct nd_heap_classes *classes, uint32_t class);

/* The class of a name without a place. */
int nd_heap_classes_add(struct nd_heap_classes *classes, const char *name, uint32_t *ret_class);

/* The class of a name with all of a key but its text. */
int nd_heap_classes_add_placed(struct nd_heap_classes *classes, const char *name,
			       const struct nd_heap_class_key *place, uint32_t *ret_class);

/* The class in `to` that is the same as one in `from`, added when there is none. */
int nd_heap_classes_copy(struct nd_heap_classes *to, const struct nd_heap_classes *from,
			 uint32_t class, uint32_t *ret_class);

/*
 * Set the element of `class_of` for every node. Plain objects get the class "Object", unless
 * analyzer/heap/shapes.h says better afterwards.
 */
int nd_heap_classify(const struct nd_heap *heap, struct nd_heap_classes *classes,
		     uint32_t *class_of);

#endif /* NODIAG_ANALYZER_HEAP_CLASSES_H */
