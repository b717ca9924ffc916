/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_COMMON_LIST_H
#define NODIAG_COMMON_LIST_H

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/*
 * A growing array of items of one size, which keeps its room when it is emptied by setting `count`;
 * common/array.h is for those that never are. All zeros but `size` is an empty one; free `items` at
 * the end.
 */
struct nd_list {
	void *items;
	size_t count;
	size_t cap;
	size_t size; /* of an item */
};

/* Add a copy of an item. 0 or -ENOMEM. */
static inline int nd_list_add(struct nd_list *list, const void *item)
{
	size_t cap = list->cap ? list->cap * 2 : 16;
	void *grown;

	if (list->count == list->cap) {
		grown = reallocarray(list->items, cap, list->size);
		if (!grown)
			return -ENOMEM;
		list->items = grown;
		list->cap = cap;
	}
	memcpy((char *)list->items + list->count++ * list->size, item, list->size);
	return 0;
}

#endif /* NODIAG_COMMON_LIST_H */
