/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/v8/position.h"

#include <string.h>

/* InliningPosition: a packed position, an int and padding (V8's globals.h). */
#define INLINING_POSITION_SIZE 16

/* Bytecodes::kWide, kExtraWide and their debug-break twins, fixed as the first four. */
enum { BYTECODE_WIDE, BYTECODE_EXTRA_WIDE, BYTECODE_DEBUG_WIDE, BYTECODE_DEBUG_EXTRA_WIDE };

/* What is left of a table; a NULL one is empty. */
struct table {
	const uint8_t *at;
	size_t left;
};

/* Read a VLQ; false at the end of the table or when it does not fit 64 bits. */
static bool next_vlq(struct table *table, uint64_t *ret)
{
	uint64_t value = 0;
	unsigned int shift = 0;
	uint8_t byte;

	do {
		if (!table->left || shift > 63)
			return false;
		byte = *table->at++;
		table->left--;
		value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	*ret = value;
	return true;
}

static int64_t unzigzag(uint64_t value)
{
	return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

struct nd_v8_position nd_v8_position_unpack(uint64_t packed)
{
	return (struct nd_v8_position){
		.offset = (int32_t)(packed >> 1 & 0x3fffffff) - 1,
		.inlining = (int32_t)(packed >> 31 & 0xffff) - 1,
	};
}

uint64_t nd_v8_positions_find(const uint8_t *table, size_t size, unsigned int flag_bits,
			      int64_t offset)
{
	struct table rest = {.at = table, .left = size};
	uint64_t left = (uint64_t)offset + 1; /* kFunctionEntryBytecodeOffset is -1 */
	uint64_t position = 0, value;

	if (offset < -1)
		return 0;
	while (next_vlq(&rest, &value)) {
		if (value >> flag_bits > left)
			break;
		left -= value >> flag_bits;
		if (!next_vlq(&rest, &value))
			break;
		position += (uint64_t)unzigzag(value);
	}
	return position;
}

static bool fits(const uint8_t *table, size_t size, unsigned int flag_bits, uint64_t code_size)
{
	struct table rest = {.at = table, .left = size};
	uint64_t code_offset = 0, value;

	while (rest.left) {
		if (!next_vlq(&rest, &value))
			return false;
		code_offset += value >> flag_bits;
		/* Offsets start at -1, so the sum may reach the size. */
		if (code_offset > code_size || !next_vlq(&rest, &value))
			return false;
	}
	return true;
}

unsigned int nd_v8_positions_flags(const uint8_t *table, size_t size, unsigned int flag_bits,
				   uint64_t code_size)
{
	while (flag_bits <= ND_V8_FLAGS_MAX && !fits(table, size, flag_bits, code_size))
		flag_bits++;
	return flag_bits;
}

bool nd_v8_inlining_get(const uint8_t *table, size_t size, int32_t index, uint64_t *ret_call,
			int32_t *ret_function)
{
	if (index < 0 || (size_t)index >= size / INLINING_POSITION_SIZE)
		return false;
	table += (size_t)index * INLINING_POSITION_SIZE;
	memcpy(ret_call, table, sizeof(*ret_call));
	memcpy(ret_function, table + sizeof(*ret_call), sizeof(*ret_function));
	return true;
}

/* The length of the bytecode at `at`, with its prefix; 0 when it does not fit. */
static size_t bytecode_length(const uint8_t *at, size_t left,
			      const struct nd_v8_bytecode_sizes *sizes)
{
	size_t prefix = 0;
	uint32_t row = 0;

	if (!left)
		return 0;
	if (at[0] == BYTECODE_WIDE || at[0] == BYTECODE_DEBUG_WIDE)
		row = 1;
	else if (at[0] == BYTECODE_EXTRA_WIDE || at[0] == BYTECODE_DEBUG_EXTRA_WIDE)
		row = 2;
	if (row)
		prefix = 1;
	if (left <= prefix || at[prefix] >= sizes->count)
		return 0;
	return prefix + sizes->sizes[row * sizes->count + at[prefix]];
}

int64_t nd_v8_baseline_offset(const uint8_t *table, size_t size, const uint8_t *bytecodes,
			      size_t bytecodes_size, const struct nd_v8_bytecode_sizes *sizes,
			      uint64_t pc_offset)
{
	struct table rest = {.at = table, .left = size};
	size_t offset = 0, length;
	uint64_t value;

	if (!next_vlq(&rest, &value))
		return -1;
	/* The first entry is the prologue's, which counts as part of the first bytecode. */
	if (value > pc_offset)
		return 0;
	pc_offset -= value;
	while (offset < bytecodes_size && next_vlq(&rest, &value)) {
		if (value > pc_offset)
			return (int64_t)offset;
		pc_offset -= value;
		length = bytecode_length(bytecodes + offset, bytecodes_size - offset, sizes);
		if (!length)
			return -1;
		offset += length;
	}
	return -1;
}
