/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/v8/code.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/symbols/v8/position.h"
#include "proto/limits.h"

/* Code objects kept; beyond, all are forgotten and found anew. About 200 bytes and tables each. */
#define CODES_MAX 16384

/* V8 puts code objects at multiples of a word, and their header words too. */
#define WORD 8

/* What is read at once in search of code. */
#define PAGE_BYTES 4096

/* What could not be read may be under way, moved by the collector, or gone for good. */
#define READS_MAX 3

/* Tables that must fit another number of flag bits before it is believed. */
#define VOTES_MIN 3

struct nd_v8_codes {
	struct nd_v8_heap heap;
	struct nd_v8_functions *functions;
	struct nd_v8_code *list; /* sorted by start, not overlapping */
	size_t count;
	size_t cap;
	uint64_t stream_map; /* map of InstructionStream (or inline Code), once learnt */
	unsigned int flag_bits;
	unsigned int votes[ND_V8_FLAGS_MAX + 2]; /* tables, by the flag bits that they fit */
};

/* Where the newest known encoding begins: V8 14 has two flags, whoever comes later starts there. */
static unsigned int guess_flag_bits(const struct nd_v8_layout *layout)
{
	return layout->version.major >= 14 ? 2 : 1;
}

struct nd_v8_codes *nd_v8_codes_new(const struct nd_v8_heap *heap,
				    struct nd_v8_functions *functions)
{
	struct nd_v8_codes *codes = calloc(1, sizeof(*codes));

	if (!codes)
		return NULL;
	codes->heap = *heap;
	codes->functions = functions;
	codes->flag_bits = guess_flag_bits(heap->layout);
	return codes;
}

static void fini_code(struct nd_v8_code *code)
{
	free(code->positions);
	free(code->inlinings);
	free(code->inlined);
}

static void forget_all(struct nd_v8_codes *codes)
{
	while (codes->count)
		fini_code(&codes->list[--codes->count]);
}

void nd_v8_codes_free(struct nd_v8_codes *codes)
{
	if (!codes)
		return;
	forget_all(codes);
	free(codes->list);
	free(codes);
}

unsigned int nd_v8_codes_flag_bits(const struct nd_v8_codes *codes)
{
	return codes->flag_bits;
}

void nd_v8_codes_check_table(struct nd_v8_codes *codes, const uint8_t *table, size_t size,
			     uint64_t code_size)
{
	unsigned int fit;

	if (!codes->flag_bits || !size)
		return;
	fit = nd_v8_positions_flags(table, size, codes->flag_bits, code_size);
	codes->votes[fit]++;
	if (fit == codes->flag_bits || codes->votes[fit] < VOTES_MIN ||
	    codes->votes[fit] < codes->votes[codes->flag_bits] / 16)
		return;
	codes->flag_bits = fit > ND_V8_FLAGS_MAX ? 0 : fit;
	memset(codes->votes, 0, sizeof(codes->votes));
}

/* Index of the first code that ends after `pc`. */
static size_t lower_bound(const struct nd_v8_codes *codes, uint64_t pc)
{
	size_t low = 0, high = codes->count, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (codes->list[mid].end <= pc)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void remove_code(struct nd_v8_codes *codes, size_t i)
{
	fini_code(&codes->list[i]);
	codes->count--;
	memmove(&codes->list[i], &codes->list[i + 1], (codes->count - i) * sizeof(codes->list[0]));
}

/* Put the code in its place, in the stead of dead ones that overlap it. */
static const struct nd_v8_code *insert_code(struct nd_v8_codes *codes,
					    const struct nd_v8_code *code)
{
	size_t cap = codes->cap ? codes->cap * 2 : 64;
	struct nd_v8_code *grown;
	size_t i;

	if (codes->count >= CODES_MAX)
		forget_all(codes);
	if (codes->count == codes->cap) {
		grown = reallocarray(codes->list, cap, sizeof(*grown));
		if (!grown)
			return NULL;
		codes->list = grown;
		codes->cap = cap;
	}
	i = lower_bound(codes, code->start);
	while (i < codes->count && codes->list[i].start < code->end)
		remove_code(codes, i);
	memmove(&codes->list[i + 1], &codes->list[i], (codes->count - i) * sizeof(codes->list[0]));
	codes->list[i] = *code;
	codes->count++;
	return &codes->list[i];
}

/* Whether the memory still holds the code that was read. A process that is gone cannot change it.
 */
static bool is_current(const struct nd_v8_codes *codes, const struct nd_v8_code *code)
{
	const struct nd_v8_layout *layout = codes->heap.layout;
	struct nd_memory *memory = codes->heap.memory;

	if (nd_memory_is_gone(memory))
		return true;
	if (nd_memory_read_u64(memory, code->header) != codes->stream_map)
		return nd_memory_is_gone(memory);
	if (!layout->code_is_inline &&
	    nd_memory_read_u64(memory, code->header + WORD) != code->object)
		return nd_memory_is_gone(memory);
	return nd_v8_field(&codes->heap, code->object, layout->code_positions) ==
		       code->positions_object ||
	       nd_memory_is_gone(memory);
}

static enum nd_v8_code_kind kind_of(const struct nd_v8_layout *layout, uint32_t flags)
{
	uint32_t kind = flags & layout->code_kind_mask;

	if (kind == layout->code_kind_interpreted)
		return ND_V8_CODE_INTERPRETED;
	if (!layout->regexp_frame && kind == layout->code_kind_regexp)
		return ND_V8_CODE_REGEXP;
	if (kind < layout->code_kind_baseline || kind > layout->code_kind_baseline + 2)
		return ND_V8_CODE_OTHER;
	return ND_V8_CODE_BASELINE + (kind - layout->code_kind_baseline);
}

/* The functions inlined into optimized code, and where. False when some could not be read. */
static bool read_inlinings(struct nd_v8_codes *codes, struct nd_v8_code *code, uint64_t deopt)
{
	const struct nd_v8_layout *layout = codes->heap.layout;
	const struct nd_v8_heap *heap = &codes->heap;
	uint64_t count = nd_v8_element(heap, deopt, layout->deopt_inlined_count);
	uint64_t literals = nd_v8_element(heap, deopt, layout->deopt_literals);
	bool is_whole = true;
	uint64_t shared;
	int32_t i;

	if (!nd_v8_is_smi(count) || nd_v8_smi(count) < 0 || nd_v8_smi(count) > ND_V8_INLINED_MAX)
		return false;
	if (!nd_v8_smi(count))
		return true;
	if (nd_v8_read_byte_array(heap, nd_v8_element(heap, deopt, layout->deopt_positions),
				  ND_V8_TABLE_MAX, &code->inlinings, &code->inlinings_size))
		return false;
	code->inlined = calloc((size_t)nd_v8_smi(count), sizeof(struct nd_v8_function *));
	if (!code->inlined)
		return false;
	code->inlined_count = nd_v8_smi(count);
	for (i = 0; i < code->inlined_count; i++) {
		shared = nd_v8_strong(nd_v8_element(heap, literals, (uint32_t)i));
		code->inlined[i] =
			nd_v8_functions_get_shared(codes->functions, code->isolate, shared);
		is_whole = is_whole && code->inlined[i];
	}
	return is_whole;
}

static bool read_optimized(struct nd_v8_codes *codes, struct nd_v8_code *code)
{
	const struct nd_v8_layout *layout = codes->heap.layout;
	const struct nd_v8_heap *heap = &codes->heap;
	uint64_t deopt = nd_v8_field(heap, code->object, layout->code_deopt_data);
	uint64_t shared = nd_v8_element(heap, deopt, layout->deopt_shared);

	if (layout->deopt_shared_wrapped)
		shared = nd_v8_field(heap, shared, layout->wrapper_shared);
	code->function = nd_v8_functions_get_shared(codes->functions, code->isolate, shared);
	/* However often it is read, it is one table. */
	if (code->reads == 1)
		nd_v8_codes_check_table(codes, code->positions, code->positions_size,
					code->end - code->start);
	return read_inlinings(codes, code, deopt) && code->function;
}

static const struct nd_v8_code *read_code(struct nd_v8_codes *codes, struct nd_v8_code *code)
{
	const struct nd_v8_layout *layout = codes->heap.layout;
	const struct nd_v8_heap *heap = &codes->heap;
	const struct nd_v8_code *kept;

	code->kind = kind_of(layout, nd_v8_field_u32(heap, code->object, layout->code_flags));
	code->positions_object = nd_v8_field(heap, code->object, layout->code_positions);
	code->reads++;
	code->is_whole = true;
	if (code->kind >= ND_V8_CODE_BASELINE)
		code->is_whole =
			!nd_v8_read_byte_array(heap, code->positions_object, ND_V8_TABLE_MAX,
					       &code->positions, &code->positions_size);
	if (code->kind == ND_V8_CODE_MAGLEV || code->kind == ND_V8_CODE_TURBOFAN)
		code->is_whole = read_optimized(codes, code) && code->is_whole;
	kept = insert_code(codes, code);
	if (!kept)
		fini_code(code);
	return kept;
}

/*
 * Whether the word at `header`, which is `map`, begins an InstructionStream whose code holds `pc`.
 * On success fills in object, start and end of `ret`. A stream that ends before the pc sets
 * `*ret_passed`: then nothing further back can hold it either.
 */
static bool is_stream(const struct nd_v8_codes *codes, uint64_t header, uint64_t map, uint64_t pc,
		      struct nd_v8_code *ret, bool *ret_passed)
{
	const struct nd_v8_layout *layout = codes->heap.layout;
	const struct nd_v8_heap *heap = &codes->heap;
	uint16_t type = 0;

	if (!nd_v8_is_strong(map) ||
	    nd_memory_read(heap->memory, map - 1 + layout->map_instance_type, &type, sizeof(type)))
		return false;
	ret->header = header;
	if (layout->code_is_inline) {
		if (type != layout->code_type)
			return false;
		ret->object = header + 1;
		ret->start = header + layout->code_start;
	} else {
		if (type != layout->stream_type)
			return false;
		ret->object = nd_memory_read_u64(heap->memory, header + WORD);
		if (nd_v8_instance_type(heap, ret->object) != layout->code_type)
			return false;
		ret->start = nd_v8_field(heap, ret->object, layout->code_start);
	}
	ret->end = ret->start + nd_v8_field_u32(heap, ret->object, layout->code_size);
	if (ret->start <= header || ret->start - header > 256)
		return false;
	*ret_passed = pc >= ret->end;
	return pc >= ret->start && pc < ret->end;
}

/* Look back from the pc, word by word, for the start of its code. */
static bool scan(struct nd_v8_codes *codes, uint64_t pc, struct nd_v8_code *ret)
{
	uint64_t limit = pc > ND_V8_CODE_MAX ? pc - ND_V8_CODE_MAX : 0;
	uint64_t page = pc - pc % PAGE_BYTES, map;
	uint64_t words[PAGE_BYTES / WORD];
	size_t i = (pc - page) / WORD + 1;
	bool passed = false;

	for (; page >= limit; page -= PAGE_BYTES, i = PAGE_BYTES / WORD) {
		if (nd_memory_read(codes->heap.memory, page, words, i * WORD))
			return false;
		while (i-- > 0 && !passed) {
			map = words[i];
			if (codes->stream_map && map != codes->stream_map)
				continue;
			if (is_stream(codes, page + i * WORD, map, pc, ret, &passed)) {
				codes->stream_map = map;
				return true;
			}
		}
		if (passed || page < PAGE_BYTES)
			return false;
	}
	return false;
}

const struct nd_v8_code *nd_v8_codes_find(struct nd_v8_codes *codes, uint32_t isolate, uint64_t pc)
{
	size_t i = lower_bound(codes, pc);
	struct nd_v8_code code = {.isolate = isolate};
	const struct nd_v8_code *known;

	if (i < codes->count && codes->list[i].start <= pc) {
		known = &codes->list[i];
		if (known->isolate == isolate && is_current(codes, known)) {
			if (known->is_whole || known->reads >= READS_MAX)
				return known;
			code = (struct nd_v8_code){.isolate = isolate,
						   .header = known->header,
						   .object = known->object,
						   .start = known->start,
						   .end = known->end,
						   .reads = known->reads};
		}
		remove_code(codes, i);
	}
	if (!code.reads && !scan(codes, pc, &code))
		return NULL;
	return read_code(codes, &code);
}

/* One call of a chain of inlined ones. */
struct step {
	const struct nd_v8_function *function;
	int32_t offset;
};

/*
 * Follow the inlinings from a packed position outwards. Returns how many steps there are, 0 when
 * the tables contradict themselves: an id out of range, a chain too deep, an offset that is not in
 * its function.
 */
static int unwind_inlinings(const struct nd_v8_code *code, uint64_t packed, struct step *steps)
{
	struct nd_v8_position position = nd_v8_position_unpack(packed);
	int32_t index;
	int count = 0;

	while (position.inlining >= 0) {
		if (count == ND_V8_INLINE_DEPTH_MAX - 1 ||
		    !nd_v8_inlining_get(code->inlinings, code->inlinings_size, position.inlining,
					&packed, &index) ||
		    index >= code->inlined_count)
			return 0;
		steps[count].function = index >= 0 ? code->inlined[index] : code->function;
		steps[count++].offset = position.offset;
		position = nd_v8_position_unpack(packed);
	}
	steps[count].function = code->function;
	steps[count++].offset = position.offset;
	return count;
}

bool nd_v8_codes_visit_calls(struct nd_v8_codes *codes, const struct nd_v8_code *code, uint64_t pc,
			     void (*add)(void *arg, const struct nd_v8_function *function,
					 struct nd_v8_place place, bool inlined),
			     void *arg)
{
	struct step steps[ND_V8_INLINE_DEPTH_MAX];
	uint64_t packed;
	int i, count;

	if (!codes->flag_bits || !code->function)
		return false;
	packed = nd_v8_positions_find(code->positions, code->positions_size, codes->flag_bits,
				      (int64_t)(pc - code->start));
	count = unwind_inlinings(code, packed, steps);
	for (i = 0; i < count; i++)
		if (!steps[i].function ||
		    (steps[i].offset >= 0 &&
		     !nd_v8_function_contains(steps[i].function, steps[i].offset)))
			return false;
	for (i = 0; i < count; i++)
		add(arg, steps[i].function,
		    nd_v8_function_locate(steps[i].function, steps[i].offset), i < count - 1);
	return count > 0;
}
