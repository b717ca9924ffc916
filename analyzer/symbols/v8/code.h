/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_SYMBOLS_V8_CODE_H
#define NODIAG_ANALYZER_SYMBOLS_V8_CODE_H

/*
 * Machine code that V8 made: from a pc to the code object that holds it, and what that knows of its
 * functions.
 *
 * A JSFunction does not lead to the code that runs (on-stack replacement, deoptimization, dispatch
 * handles), so the code is found from the pc itself: its InstructionStream stands before the
 * instructions and points to the Code object, which must point back. Code once found is kept, and
 * looked at again before each use, since V8 reuses the memory of dead code.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/symbols/v8/function.h"
#include "analyzer/symbols/v8/object.h"

struct nd_v8_codes;

enum nd_v8_code_kind {
	ND_V8_CODE_OTHER,	/* WebAssembly wrappers and what else there may be */
	ND_V8_CODE_REGEXP,	/* told by kind where frames have no type for it */
	ND_V8_CODE_INTERPRETED, /* --interpreted-frames-native-stack: a trampoline for each function
				 */
	ND_V8_CODE_BASELINE,
	ND_V8_CODE_MAGLEV,
	ND_V8_CODE_TURBOFAN,
};

struct nd_v8_code {
	uint64_t start; /* of the instructions */
	uint64_t end;
	enum nd_v8_code_kind kind;
	struct nd_v8_function *function; /* optimized code: whose it is; else NULL */
	uint8_t *positions;		 /* source positions; for baseline, bytecode offsets */
	size_t positions_size;
	uint8_t *inlinings;
	size_t inlinings_size;
	struct nd_v8_function **inlined; /* entries may be NULL */
	int32_t inlined_count;
	bool is_whole;	    /* all that it leads to could be read */
	unsigned int reads; /* how often that was tried */
	/* What must not have changed for all this to be true. */
	uint64_t header;
	uint64_t object;
	uint64_t positions_object;
	uint32_t isolate;
};

struct nd_v8_codes *nd_v8_codes_new(const struct nd_v8_heap *heap,
				    struct nd_v8_functions *functions);
void nd_v8_codes_free(struct nd_v8_codes *codes);

/*
 * The code that holds `pc`, an address inside an instruction (for a return address, one less). NULL
 * when there is none that can be believed. Valid until the next call.
 */
const struct nd_v8_code *nd_v8_codes_find(struct nd_v8_codes *codes, uint32_t isolate, uint64_t pc);

/*
 * The calls at `pc` in optimized code: the innermost inlined function first, then its callers, at
 * last the code's own function. `add` gets each with its place. False, with nothing added, when the
 * code's tables do not make sense.
 */
bool nd_v8_codes_visit_calls(struct nd_v8_codes *codes, const struct nd_v8_code *code, uint64_t pc,
			     void (*add)(void *arg, const struct nd_v8_function *function,
					 struct nd_v8_place place, bool inlined),
			     void *arg);

/*
 * The flag bits of this process's source position tables (see position.h), 0 once tables were seen
 * that fit none: then there are no lines.
 */
unsigned int nd_v8_codes_flag_bits(const struct nd_v8_codes *codes);

/* Let a table vote on the flag bits. `code_size` is what its code offsets stay below. */
void nd_v8_codes_check_table(struct nd_v8_codes *codes, const uint8_t *table, size_t size,
			     uint64_t code_size);

#endif /* NODIAG_ANALYZER_SYMBOLS_V8_CODE_H */
