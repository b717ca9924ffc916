/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
#ifndef NODIAG_PROTO_WALK_H
#define NODIAG_PROTO_WALK_H

/*
 * The frame-pointer walk, one frame at a time, as the BPF program and the symbolizer both do it.
 *
 * The includer defines
 *
 *	ND_WALK_READ(arg, dst, size, addr)	read the process's memory; 0 on success
 *
 * before including this. All offsets come from `struct nd_walk_layout`, none is compiled in except
 * the frame's own shape, which V8 keeps on all 64-bit targets (V8's frame-constants.h;
 *v8dbg_off_fp_* says the same of each binary, and the symbolizer refuses a binary where it does
 *not):
 *
 *	fp + 8	return address
 *	fp	caller's fp
 *	fp - 8	context, or frame-type marker
 *	fp - 16	JSFunction
 *	fp - 32	bytecode array (Ignition, Sparkplug)
 *	fp - 40	bytecode offset (Ignition)
 */

#include "proto/sample.h"

/* Words read at once from `fp - ND_WALK_BELOW`. */
#define ND_WALK_WORDS 7
#define ND_WALK_BELOW 40

/* The tag of a strong pointer in the low bits of a word (v8dbg_HeapObjectTag, ...TagMask). */
#define ND_WALK_TAG_MASK 3
#define ND_WALK_TAG	 1

/* A frame larger than this is taken for a wrong frame pointer; default stacks have 8 MiB. */
#define ND_WALK_FRAME_MAX (8u << 20)

/* A place in a stack, as the registers there. */
struct nd_walk_place {
	__u64 pc;
	__u64 fp;
	__u64 sp; /* also the lowest address the frame may have */
};

struct nd_walk {
	__u64 pc;
	__u64 fp;
	__u64 sp;
	struct nd_walk_place before; /* one step ago; all 0 before the first */
	__u32 left_root;	     /* it was outside of libc */
	__u32 end;		     /* enum nd_walk_end, when nd_walk_step() says it is over */
};

static inline __attribute__((always_inline)) int nd_walk_is_tagged(__u64 word)
{
	return (word & ND_WALK_TAG_MASK) == ND_WALK_TAG;
}

/* The instance type of a tagged object, 0 when it is none. */
static inline __attribute__((always_inline)) __u32 nd_walk_instance_type(
	void *arg, const struct nd_walk_layout *layout, __u64 object)
{
	__u64 map = 0;
	__u16 type = 0;

	if (!nd_walk_is_tagged(object) || ND_WALK_READ(arg, &map, 8, object - ND_WALK_TAG) ||
	    !nd_walk_is_tagged(map) ||
	    ND_WALK_READ(arg, &type, 2, map - ND_WALK_TAG + layout->map_instance_type))
		return 0;
	return type;
}

/*
 * Take the identity of the frame's function, if the frame is a JavaScript one: its context slot
 * holds an object, its function slot a JSFunction, and that a SharedFunctionInfo.
 */
static inline __attribute__((always_inline)) void nd_walk_identify(
	void *arg, const struct nd_walk_layout *layout, __u64 function,
	struct nd_sample_frame *frame)
{
	__u64 shared = 0, script = 0, id = 0;
	__u32 type, literal = 0;

	if (!layout->js_function_first || !nd_walk_is_tagged(frame->marker))
		return;
	type = nd_walk_instance_type(arg, layout, function);
	if (type < layout->js_function_first || type > layout->js_function_last)
		return;
	if (ND_WALK_READ(arg, &shared, 8, function - ND_WALK_TAG + layout->function_shared) ||
	    nd_walk_instance_type(arg, layout, shared) != layout->shared_function_info)
		return;
	frame->shared = shared;
	ND_WALK_READ(arg, &literal, 4, shared - ND_WALK_TAG + layout->shared_literal_id);
	ND_WALK_READ(arg, &script, 8, shared - ND_WALK_TAG + layout->shared_script);
	if (nd_walk_instance_type(arg, layout, script) != layout->script)
		return;
	if (ND_WALK_READ(arg, &id, 8, script - ND_WALK_TAG + layout->script_id))
		return;
	frame->script = script;
	frame->script_id = id >> 32; /* a Smi's value is its upper half */
	frame->literal_id = literal;
}

/*
 * Fill in `frame` for the walk's current place and go one frame up. Returns 0 to go on, 1 when this
 * was the last; `walk->end` then says why.
 */
static inline __attribute__((always_inline)) int nd_walk_step(void *arg,
							      const struct nd_walk_layout *layout,
							      struct nd_walk *walk,
							      struct nd_sample_frame *frame)
{
	__u64 words[ND_WALK_WORDS] = {0}; /* fp - 40 ... fp + 8 */

	*frame = (struct nd_sample_frame){.pc = walk->pc};
	if (walk->pc < layout->root_start || walk->pc >= layout->root_end)
		walk->left_root = 1;
	if (!walk->fp) {
		walk->end = ND_WALK_ROOT;
		return 1;
	}
	if (walk->fp < walk->sp || walk->fp - walk->sp > ND_WALK_FRAME_MAX || walk->fp & 7) {
		walk->end = ND_WALK_BAD_FRAME;
		return 1;
	}
	if (ND_WALK_READ(arg, words, sizeof(words), walk->fp - ND_WALK_BELOW)) {
		walk->end = ND_WALK_UNREADABLE;
		return 1;
	}
	frame->bytecode_offset = words[0];
	frame->bytecode_array = words[1];
	frame->marker = words[4];
	nd_walk_identify(arg, layout, words[3], frame);
	walk->before.pc = walk->pc;
	walk->before.fp = walk->fp;
	walk->before.sp = walk->sp;
	walk->sp = walk->fp + 16;
	walk->fp = words[5];
	walk->pc = words[6];
	if (walk->pc)
		return 0;
	walk->end = ND_WALK_ROOT;
	return 1;
}

/*
 * Whether the walk ended before the thread's first function, in code without frame pointers. One
 * that never left libc began there: in malloc(), in a system call.
 */
static inline __attribute__((always_inline)) int nd_walk_is_broken(
	const struct nd_walk_layout *layout, const struct nd_walk *walk)
{
	if (walk->end == ND_WALK_TRUNCATED)
		return 0;
	/* A frame pointer of 0 is the end of a chain, or just a register in libc that is 0. */
	if (!walk->left_root)
		return 1;
	return walk->end != ND_WALK_ROOT &&
	       !(walk->pc >= layout->root_start && walk->pc < layout->root_end);
}

#endif /* NODIAG_PROTO_WALK_H */
