/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_CLI_HEAP_QUERY_H
#define NODIAG_CLI_HEAP_QUERY_H

#include <argp.h>

struct heap;

/* Keys of the options of 'nodiag heap query'. */
enum heap_query_option {
	HEAP_QUERY_CLASS = 512,
	HEAP_QUERY_TYPE,
	HEAP_QUERY_SELF,
	HEAP_QUERY_RETAINED,
	HEAP_QUERY_DISTANCE,
	HEAP_QUERY_RETAINED_BY,
	HEAP_QUERY_SORT
};

/* Read one of them. 0, or EINVAL with the error of `heap` set. */
error_t heap_query_parse(struct heap *heap, int key, const char *arg);

#endif /* NODIAG_CLI_HEAP_QUERY_H */
