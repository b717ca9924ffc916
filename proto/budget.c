/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/budget.h"

#include <stdlib.h>

void *nd_budget_alloc(void *data, size_t size)
{
	struct nd_budget *budget = data;
	void *ptr;

	if (size > budget->left) {
		budget->exceeded = true;
		return NULL;
	}
	ptr = malloc(size);
	if (!ptr) {
		budget->failed = true;
		return NULL;
	}
	budget->left -= size;
	return ptr;
}

void nd_budget_free(void *data, void *ptr)
{
	free(ptr);
}
