/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/stack.h"

#include <string.h>

#include "analyzer/symbols/memory.h"
#include "analyzer/symbols/process.h"
#include "analyzer/symbols/unwind.h"

#define ND_WALK_READ(arg, dst, size, addr) nd_memory_read(arg, addr, dst, size)
#include "proto/walk.h"

/* What lies above the copy may have changed since: the walk ends there, as truncated. */
static bool is_above_copy(const struct nd_sample_stack *copy, uint64_t fp)
{
	return copy->size && fp - copy->start >= copy->size &&
	       fp - copy->start <= ND_WALK_FRAME_MAX;
}

/* Walk by frame pointers, as the eBPF program does, over a copy of the stack. */
static void walk_copy(struct nd_process *process, const struct nd_walk_layout *layout,
		      const struct nd_sample_stack *copy, struct nd_walk *walk,
		      struct nd_sample_cpu *walked)
{
	struct nd_walk_maps maps = {0};
	struct nd_sample_frame *frame;

	walk->end = ND_WALK_TRUNCATED;
	while (walked->depth < ND_SAMPLE_FRAMES_MAX) {
		frame = &walked->frames[walked->depth++];
		if (nd_walk_step(process->memory, layout, &maps, walk, frame) ||
		    is_above_copy(copy, walk->fp))
			break;
	}
}

/*
 * A register that only looked like a frame pointer leads to a return address that is none: then the
 * walk broke off one frame earlier.
 */
static void step_back(struct nd_process *process, struct nd_walk *walk,
		      struct nd_sample_cpu *walked)
{
	if (!walk->before.pc || walked->depth < 2 || nd_process_find_map(process, walk->pc))
		return;
	walk->pc = walk->before.pc;
	walk->fp = walk->before.fp;
	walk->sp = walk->before.sp;
	walk->before.pc = 0;
	walked->depth--;
}

/* Go on where frame pointers end, by unwind tables, until they are there again. */
static void unwind_copy(struct nd_process *process, const struct nd_walk_layout *layout,
			const struct nd_sample_stack *copy, struct nd_walk *walk,
			struct nd_sample_cpu *walked)
{
	while (nd_walk_is_broken(layout, walk) && walked->depth < ND_SAMPLE_FRAMES_MAX) {
		step_back(process, walk, walked);
		if (nd_unwinder_step(process->unwinder, walk, walked->depth > 1) <= 0)
			break;
		walk->before.pc = 0;
		walk_copy(process, layout, copy, walk, walked);
	}
	walked->end = walk->end;
}

/*
 * Walk by unwind tables where code has them, and by frame pointers only where it has none: in
 * JavaScript and V8's builtins, where they are always right.
 */
static void walk_exactly(struct nd_process *process, const struct nd_walk_layout *layout,
			 const struct nd_sample_stack *copy, struct nd_walk *walk,
			 struct nd_sample_cpu *walked)
{
	struct nd_walk_maps maps = {0};
	struct nd_sample_frame *frame;
	int ret;

	walked->end = ND_WALK_TRUNCATED;
	while (walked->depth < ND_SAMPLE_FRAMES_MAX) {
		frame = &walked->frames[walked->depth];
		*frame = (struct nd_sample_frame){.pc = walk->pc};
		ret = nd_unwinder_step(process->unwinder, walk, walked->depth++ > 0);
		if (!ret)
			walked->end = ND_WALK_ROOT;
		if (!ret || is_above_copy(copy, walk->sp))
			return;
		if (ret > 0)
			continue;
		if (nd_walk_step(process->memory, layout, &maps, walk, frame)) {
			walked->end = walk->end;
			return;
		}
		if (is_above_copy(copy, walk->fp))
			return;
	}
}

void nd_stack_walk(struct nd_process *process, const struct nd_sample_stack *copy, bool exact,
		   struct nd_sample_cpu *ret_walked)
{
	struct nd_walk walk = {.pc = copy->pc, .fp = copy->fp, .sp = copy->sp};
	struct nd_walk_layout layout;

	nd_memory_set_overlay(process->memory, copy->start, copy->stack, copy->size);
	nd_process_get_walk(process, &layout);
	ret_walked->header = copy->header;
	ret_walked->header.kind = ND_SAMPLE_CPU;
	ret_walked->pc = copy->pc;
	ret_walked->sp = copy->sp;
	ret_walked->fp = copy->fp;
	ret_walked->bytecode_offset = copy->bytecode_offset;
	ret_walked->kernel_depth = 0;
	ret_walked->depth = 0;
	if (nd_memory_read(process->memory, copy->sp, ret_walked->top, sizeof(ret_walked->top)))
		memset(ret_walked->top, 0, sizeof(ret_walked->top));
	if (exact) {
		walk_exactly(process, &layout, copy, &walk, ret_walked);
		return;
	}
	walk_copy(process, &layout, copy, &walk, ret_walked);
	unwind_copy(process, &layout, copy, &walk, ret_walked);
}

void nd_stack_complete(struct nd_process *process, const struct nd_sample_cpu *sample,
		       const struct nd_sample_stack *tail, struct nd_sample_cpu *ret_walked)
{
	struct nd_walk walk = {
		.pc = tail->pc,
		.fp = tail->fp,
		.sp = tail->sp,
		.before = {.pc = tail->before_pc, .fp = tail->before_fp, .sp = tail->before_sp},
		.end = sample->end,
	};
	struct nd_walk_layout layout;
	uint32_t i;

	memcpy(ret_walked, sample,
	       offsetof(struct nd_sample_cpu, frames) + sample->depth * sizeof(sample->frames[0]));
	nd_process_get_walk(process, &layout);
	for (i = 0; i < sample->depth; i++)
		if (sample->frames[i].pc < layout.root_start ||
		    sample->frames[i].pc >= layout.root_end)
			walk.left_root = 1;
	nd_memory_set_overlay(process->memory, tail->start, tail->stack, tail->size);
	unwind_copy(process, &layout, tail, &walk, ret_walked);
}

void nd_stack_forget(struct nd_process *process)
{
	nd_memory_set_overlay(process->memory, 0, NULL, 0);
}
