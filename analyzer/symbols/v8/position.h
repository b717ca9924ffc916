/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_SYMBOLS_V8_POSITION_H
#define NODIAG_ANALYZER_SYMBOLS_V8_POSITION_H

/*
 * From an offset in bytecode or machine code to a place in the source, and through the functions
 * that were inlined on the way. Pure functions over bytes: no process, no allocation.
 *
 * A source position table (V8's source-position-table.cc) is a sequence of entries, each a pair of
 * variable-length integers: the distance from the previous code offset, shifted left by some flag
 * bits, and the zigzag-coded distance from the previous source position. Up to V8 13 there is one
 * flag (is_statement), 14 added a second (is_breakable), later ones may add more, and nothing in
 * the binary tells; nd_v8_positions_flags() finds out from tables themselves.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The flag bits that any known V8 uses. */
#define ND_V8_FLAGS_MIN 1
#define ND_V8_FLAGS_MAX 3

/* A source position as V8 packs it: bit 0 external, 1-30 script offset + 1, 31-46 inlining id + 1.
 */
struct nd_v8_position {
	int32_t offset;	  /* in the script, in UTF-16 units; -1 unknown */
	int32_t inlining; /* index into the inlining positions, -1: not inlined */
};

struct nd_v8_position nd_v8_position_unpack(uint64_t packed);

/*
 * The packed position at code offset `offset`: that of the last entry at or before it. 0, which
 * unpacks as unknown, when there is none or the table is damaged before.
 */
uint64_t nd_v8_positions_find(const uint8_t *table, size_t size, unsigned int flag_bits,
			      int64_t offset);

/*
 * The fewest flag bits, from `flag_bits` on, with which all code offsets of the table stay below
 * `code_size`. ND_V8_FLAGS_MAX + 1 when none does: the encoding is not known.
 */
unsigned int nd_v8_positions_flags(const uint8_t *table, size_t size, unsigned int flag_bits,
				   uint64_t code_size);

/*
 * Entry `index` of the inlining positions (V8's InliningPosition): where the function was called,
 * as a packed position, and which of the code's inlined functions it is, -1 for the code's own.
 * False when there is no such entry.
 */
bool nd_v8_inlining_get(const uint8_t *table, size_t size, int32_t index, uint64_t *ret_call,
			int32_t *ret_function);

/* The lengths of all bytecodes: three rows of `count`, for single, double, quadruple operands. */
struct nd_v8_bytecode_sizes {
	const uint8_t *sizes;
	uint32_t count;
};

/*
 * The bytecode offset that Sparkplug code at `pc_offset` was compiled from. Its table (V8's
 * bytecode-offset-iterator.h) gives, for the prologue and then for each bytecode in turn, how much
 * machine code it made. -1 when the tables do not tell.
 */
int64_t nd_v8_baseline_offset(const uint8_t *table, size_t size, const uint8_t *bytecodes,
			      size_t bytecodes_size, const struct nd_v8_bytecode_sizes *sizes,
			      uint64_t pc_offset);

#endif /* NODIAG_ANALYZER_SYMBOLS_V8_POSITION_H */
