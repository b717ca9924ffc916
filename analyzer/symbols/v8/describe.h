/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_SYMBOLS_V8_DESCRIBE_H
#define NODIAG_ANALYZER_SYMBOLS_V8_DESCRIBE_H

/* What a SharedFunctionInfo says of its function: the name, and where in the script it is. */

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/symbols/v8/object.h"
#include "common/buf.h"

struct nd_v8_description {
	struct nd_buf name; /* never empty: "(anonymous)" */
	int32_t start;	    /* offsets in the script; -1 unknown */
	int32_t end;
};

void nd_v8_description_init(struct nd_v8_description *description);
void nd_v8_description_fini(struct nd_v8_description *description);

/*
 * Describe the function behind a SharedFunctionInfo, which the caller has identified. The process
 * runs on meanwhile and its collector moves objects, so this looks twice, the second time at memory
 * that is read anew (nd_memory_forget()). False when the two do not tell the same, or when
 * something is not what it must be: then it is worth another try at another moment.
 */
bool nd_v8_describe(const struct nd_v8_heap *heap, uint64_t shared,
		    struct nd_v8_description *description);

#endif /* NODIAG_ANALYZER_SYMBOLS_V8_DESCRIBE_H */
