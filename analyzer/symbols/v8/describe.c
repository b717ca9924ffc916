/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/v8/describe.h"

#include <string.h>

#include "proto/limits.h"

/* ScopeInfo keeps up to 74 names of context locals in itself, more in a table (scope-info.h). */
#define SCOPE_INLINED_NAMES_MAX 75

/* Context locals of one function; V8's own limit is far above any real program. */
#define SCOPE_LOCALS_MAX 65536

/* Slots behind the locals that matter: three of names, and before V8 12.8.44 the positions. */
#define SCOPE_TAIL_SLOTS 5

void nd_v8_description_init(struct nd_v8_description *description)
{
	nd_buf_init(&description->name, 4 * ND_V8_NAME_MAX);
}

void nd_v8_description_fini(struct nd_v8_description *description)
{
	nd_buf_fini(&description->name);
}

static void take_name(const struct nd_v8_heap *heap, uint64_t string, struct nd_buf *name)
{
	nd_buf_reset(name);
	if (nd_v8_read_string(heap, string, ND_V8_NAME_MAX, name))
		nd_buf_reset(name);
}

static void take_positions(uint64_t start, uint64_t end, struct nd_v8_description *ret)
{
	if (!nd_v8_is_smi(start) || !nd_v8_is_smi(end))
		return;
	ret->start = nd_v8_smi(start);
	ret->end = nd_v8_smi(end);
}

/*
 * What follows the locals: the function's name and the slot it is in, the inferred name (not for
 * eval and scripts), and before 12.8.44 start and end. Which of these are there is told by flag
 * bits that differ between versions, so go by what they must be.
 */
static void describe_tail(const struct nd_v8_heap *heap, const uint64_t *slots,
			  struct nd_v8_description *ret)
{
	bool nameless = slots[0] == 0 && nd_v8_smi(slots[1]) == -1;

	if (nd_v8_is_smi(slots[1]) && (nameless || nd_v8_is_string(heap, slots[0]))) {
		take_name(heap, slots[0], &ret->name);
		if (!ret->name.len)
			take_name(heap, slots[2], &ret->name);
		slots += nd_v8_is_smi(slots[2]) ? 2 : 3;
	}
	if (!heap->layout->scope_info_positions_fixed)
		take_positions(slots[0], slots[1], ret);
}

/* False when it is no ScopeInfo. */
static bool describe_scope(const struct nd_v8_heap *heap, uint64_t scope_info,
			   struct nd_v8_description *ret)
{
	const struct nd_v8_layout *layout = heap->layout;
	uint32_t base = layout->scope_info_slots;
	uint64_t word = nd_v8_field(heap, scope_info, base + 8 * layout->scope_info_locals);
	uint64_t slots[SCOPE_TAIL_SLOTS] = {0};
	int64_t locals = nd_v8_smi(word);
	uint32_t first;
	int i;

	if (nd_v8_instance_type(heap, scope_info) != layout->scope_info_type ||
	    !nd_v8_is_smi(word) || locals < 0 || locals > SCOPE_LOCALS_MAX)
		return false;
	if (layout->scope_info_positions_fixed)
		take_positions(nd_v8_field(heap, scope_info, base + 8 * 3),
			       nd_v8_field(heap, scope_info, base + 8 * 4), ret);
	/* Names and infos of the locals; many names go into one table. */
	first = layout->scope_info_first +
		(uint32_t)(locals < SCOPE_INLINED_NAMES_MAX ? 2 * locals : 1 + locals);
	for (i = 0; i < SCOPE_TAIL_SLOTS; i++)
		slots[i] = nd_v8_field(heap, scope_info, base + 8 * (first + (uint32_t)i));
	describe_tail(heap, slots, ret);
	return true;
}

/* A function whose bytecode was flushed keeps its place in its UncompiledData. */
static void describe_uncompiled(const struct nd_v8_heap *heap, uint64_t shared,
				struct nd_v8_description *ret)
{
	const struct nd_v8_layout *layout = heap->layout;
	uint64_t data, name;
	uint32_t i, j, type;

	for (i = 0; layout->uncompiled_start && i < layout->shared_function_data_words; i++) {
		data = nd_v8_field(heap, shared, layout->shared_function_data + 8 * i);
		type = nd_v8_instance_type(heap, data);
		for (j = 0; type && j < 4; j++) {
			if (type != layout->uncompiled_types[j])
				continue;
			ret->start = (int32_t)nd_v8_field_u32(heap, data, layout->uncompiled_start);
			ret->end =
				(int32_t)nd_v8_field_u32(heap, data, layout->uncompiled_start + 4);
			name = nd_v8_field(heap, data, layout->uncompiled_inferred_name);
			if (!ret->name.len)
				take_name(heap, name, &ret->name);
			return;
		}
	}
}

/* One look. False when there is neither a name nor a ScopeInfo nor the Smi that stands for none. */
static bool look(const struct nd_v8_heap *heap, uint64_t shared, struct nd_v8_description *ret)
{
	uint64_t object = nd_v8_field(heap, shared, heap->layout->shared_name_or_scope_info);

	nd_buf_reset(&ret->name);
	ret->start = ret->end = -1;
	if (nd_v8_is_string(heap, object))
		take_name(heap, object, &ret->name);
	else if (!nd_v8_is_smi(object) && !describe_scope(heap, object, ret))
		return false;
	if (ret->start < 0)
		describe_uncompiled(heap, shared, ret);
	if (ret->start < 0 || ret->end < ret->start)
		ret->start = ret->end = -1;
	if (!*ret->name.data) {
		nd_buf_reset(&ret->name);
		nd_buf_add_str(&ret->name, "(anonymous)");
	}
	return !nd_buf_error(&ret->name);
}

bool nd_v8_describe(const struct nd_v8_heap *heap, uint64_t shared,
		    struct nd_v8_description *description)
{
	struct nd_v8_description again;
	bool same;

	nd_v8_description_init(&again);
	same = look(heap, shared, description);
	nd_memory_forget(heap->memory);
	same = same && look(heap, shared, &again) && again.start == description->start &&
	       again.end == description->end &&
	       strcmp(again.name.data, description->name.data) == 0;
	nd_v8_description_fini(&again);
	return same;
}
