/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_SYMBOLS_V8_FUNCTION_H
#define NODIAG_ANALYZER_SYMBOLS_V8_FUNCTION_H

/*
 * JavaScript functions, each named once.
 *
 * A function is known by its isolate, script id and function literal id: unlike the address of its
 * SharedFunctionInfo this never changes and is never used again, so a sample that carries the ids
 * is named right whatever the collector did since. V8 keeps the same in the script's table of
 * functions; a function whose entry there is not itself is not believed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/symbols/v8/object.h"
#include "analyzer/symbols/v8/script.h"

struct nd_profile;
struct nd_v8_functions;

/* Source positions of a function's bytecode, read when first needed. */
struct nd_v8_bytecode {
	bool tried;
	uint64_t array; /* where it was when read */
	uint8_t *positions;
	size_t positions_size;
	uint8_t *code;
	size_t code_size;
};

struct nd_v8_function {
	uint32_t frame;		     /* in the profile */
	struct nd_v8_script *script; /* NULL for a builtin */
	const char *name;	     /* borrowed from the profile */
	int32_t start;		     /* offsets in the script; -1 unknown */
	int32_t end;
	struct nd_v8_bytecode bytecode;
};

/* What a sample says of a frame's function: tagged objects, and its ids if it has a script. */
struct nd_v8_identity {
	uint64_t shared;
	uint64_t script;
	uint32_t script_id;
	uint32_t literal_id;
};

/* No functions yet; frames go into `profile`. NULL when out of memory. */
struct nd_v8_functions *nd_v8_functions_new(const struct nd_v8_heap *heap,
					    const struct nd_v8_files *files,
					    struct nd_profile *profile);
void nd_v8_functions_free(struct nd_v8_functions *functions);

/*
 * The function with that identity. NULL when it was not seen before and cannot be read, any more or
 * just now; this is counted as ND_LOSS_JS_STALE. Lives as long as the table.
 */
struct nd_v8_function *nd_v8_functions_get(struct nd_v8_functions *functions, uint32_t isolate,
					   const struct nd_v8_identity *identity);

/* The function behind a SharedFunctionInfo that was found just now, in a code object, say; or NULL.
 */
struct nd_v8_function *nd_v8_functions_get_shared(struct nd_v8_functions *functions,
						  uint32_t isolate, uint64_t shared);

/*
 * False once many functions were looked at and most were not listed by their scripts: then this V8
 * is not laid out as we think, and nothing is named.
 */
bool nd_v8_functions_fit(const struct nd_v8_functions *functions);

/* The place of a script offset inside a function; its line is 0 when unknown. */
struct nd_v8_place nd_v8_function_locate(const struct nd_v8_function *function, int32_t offset);

/* Whether a script offset can be inside the function, as far as its range is known. */
bool nd_v8_function_contains(const struct nd_v8_function *function, int32_t offset);

/*
 * The function whose bytecode is that, by the frames seen so far: the same array with the same
 * content. NULL when there is none.
 */
struct nd_v8_function *nd_v8_functions_find_bytecode(struct nd_v8_functions *functions,
						     uint32_t isolate, uint64_t bytecode_array);

/* The function's bytecode tables, from the tagged BytecodeArray of one of its frames. */
const struct nd_v8_bytecode *nd_v8_function_bytecode(struct nd_v8_functions *functions,
						     struct nd_v8_function *function,
						     uint64_t bytecode_array);

#endif /* NODIAG_ANALYZER_SYMBOLS_V8_FUNCTION_H */
