/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
#ifndef NODIAG_PROTO_WALK_H
#define NODIAG_PROTO_WALK_H

/*
 * The frame-pointer walk, one frame at a time, as the BPF program and the symbolizer both do it.
 *
 * The includer defines
 *
 *	ND_WALK_READ(arg, dst, size, addr)	read the process's memory; 0 on success
 *	ND_WALK_READ_FRAME(arg, words, addr)	the same for ND_WALK_WORDS words of a frame; may be
 *						left out
 *
 * before including this. Each read of cold memory costs more than all the rest of a step, so the
 * header is written for few of them: one of each object, and none of what is known already. All
 *offsets come from `struct nd_walk_layout`, none is compiled in except the frame's own shape, which
 *V8 keeps on all 64-bit targets (V8's frame-constants.h; v8dbg_off_fp_* says the same of each
 *binary, and the symbolizer refuses a binary where it does not):
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

#ifndef ND_WALK_READ_FRAME
#define ND_WALK_READ_FRAME(arg, words, addr) ND_WALK_READ(arg, words, 8 * ND_WALK_WORDS, addr)
#endif

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

/* A JSFunction that was identified. */
struct nd_walk_function {
	__u64 function;
	__u64 shared;
	__u64 script; /* 0: it has none */
	__u32 script_id;
	__u32 literal_id;
};

struct nd_walk {
	__u64 pc;
	__u64 fp;
	__u64 sp;
	struct nd_walk_place before;  /* one step ago; all 0 before the first */
	__u32 left_root;	      /* it was outside of libc */
	__u32 end;		      /* enum nd_walk_end, when nd_walk_step() says it is over */
	struct nd_walk_function last; /* all 0 before the first */
	__u64 object[ND_WALK_OBJECT_BYTES / 8]; /* the object at hand */
};

static inline __attribute__((always_inline)) int nd_walk_is_tagged(__u64 word)
{
	return (word & ND_WALK_TAG_MASK) == ND_WALK_TAG;
}

/* Whether `map` is that of objects with an instance type in [first, last]. */
static inline __attribute__((always_inline)) int nd_walk_check_map(
	void *arg, const struct nd_walk_layout *layout, __u64 map, __u32 first, __u32 last)
{
	__u16 type = 0;

	return nd_walk_is_tagged(map) &&
	       !ND_WALK_READ(arg, &type, 2, map - ND_WALK_TAG + layout->map_instance_type) &&
	       type >= first && type <= last;
}

static inline __attribute__((always_inline)) int nd_walk_is_function_map(
	void *arg, const struct nd_walk_layout *layout, struct nd_walk_maps *maps, __u64 map)
{
	__u32 i;

	for (i = 0; i < ND_WALK_FUNCTION_MAPS; i++)
		if (map && map == maps->function[i])
			return 1;
	if (!nd_walk_check_map(arg, layout, map, layout->js_function_first,
			       layout->js_function_last))
		return 0;
	maps->function[maps->next++ % ND_WALK_FUNCTION_MAPS] = map;
	return 1;
}

/* The same for a type of which all objects have one map: `*known`, if that is not 0. */
static inline __attribute__((always_inline)) int nd_walk_is_root_map(
	void *arg, const struct nd_walk_layout *layout, __u64 *known, __u64 map, __u32 type)
{
	if (map && map == *known)
		return 1;
	if (!nd_walk_check_map(arg, layout, map, type, type))
		return 0;
	*known = map;
	return 1;
}

/* Read the first bytes of an object into `walk->object`. */
static inline __attribute__((always_inline)) int nd_walk_read_object(void *arg,
								     struct nd_walk *walk,
								     __u64 object, __u64 bytes)
{
	return nd_walk_is_tagged(object) && bytes <= ND_WALK_OBJECT_BYTES &&
	       !ND_WALK_READ(arg, walk->object, bytes, object - ND_WALK_TAG);
}

/* A word of the object; layouts are in bounds, but BPF's verifier has to see it. */
static inline __attribute__((always_inline)) __u64 nd_walk_field(const struct nd_walk *walk,
								 __u32 offset)
{
	return walk->object[offset / 8 % (ND_WALK_OBJECT_BYTES / 8)];
}

/* Let `script` be that of `walk->last`, if it is a Script. */
static inline __attribute__((always_inline)) void nd_walk_take_script(
	void *arg, const struct nd_walk_layout *layout, struct nd_walk_maps *maps,
	struct nd_walk *walk, __u64 script)
{
	if (script == walk->last.script)
		return;
	walk->last.script = 0;
	if (!nd_walk_read_object(arg, walk, script, layout->script_bytes) ||
	    !nd_walk_is_root_map(arg, layout, &maps->script, walk->object[0], layout->script))
		return;
	walk->last.script = script;
	walk->last.script_id = nd_walk_field(walk, layout->script_id) >> 32; /* of a Smi */
}

/* Let `function` be `walk->last`, if it is a JSFunction with a SharedFunctionInfo. */
static inline __attribute__((always_inline)) int nd_walk_take_function(
	void *arg, const struct nd_walk_layout *layout, struct nd_walk_maps *maps,
	struct nd_walk *walk, __u64 function)
{
	__u64 shared, literal;

	if (!nd_walk_read_object(arg, walk, function, layout->function_bytes) ||
	    !nd_walk_is_function_map(arg, layout, maps, walk->object[0]))
		return 0;
	shared = nd_walk_field(walk, layout->function_shared);
	if (!nd_walk_read_object(arg, walk, shared, layout->shared_bytes) ||
	    !nd_walk_is_root_map(arg, layout, &maps->shared, walk->object[0],
				 layout->shared_function_info))
		return 0;
	literal = nd_walk_field(walk, layout->shared_literal_id);
	walk->last.function = function;
	walk->last.shared = shared;
	walk->last.literal_id = layout->shared_literal_id % 8 ? literal >> 32 : literal;
	nd_walk_take_script(arg, layout, maps, walk, nd_walk_field(walk, layout->shared_script));
	return 1;
}

/*
 * Take the identity of the frame's function, if the frame is a JavaScript one: its context slot
 * holds an object, its function slot a JSFunction, and that a SharedFunctionInfo.
 */
static inline __attribute__((always_inline)) void nd_walk_identify(
	void *arg, const struct nd_walk_layout *layout, struct nd_walk_maps *maps,
	struct nd_walk *walk, struct nd_sample_frame *frame, __u64 function)
{
	if (!layout->js_function_first || !nd_walk_is_tagged(frame->marker))
		return;
	/* A walk is one moment: what was read in it is still true. */
	if ((!function || function != walk->last.function) &&
	    !nd_walk_take_function(arg, layout, maps, walk, function))
		return;
	frame->shared = walk->last.shared;
	if (!walk->last.script)
		return;
	frame->script = walk->last.script;
	frame->script_id = walk->last.script_id;
	frame->literal_id = walk->last.literal_id;
}

/*
 * Fill in `frame` for the walk's current place and go one frame up. Returns 0 to go on, 1 when this
 * was the last; `walk->end` then says why. `maps` starts with zeros, and may be kept for the next
 * walk through the same process, until it is another program.
 */
static inline __attribute__((always_inline)) int nd_walk_step(void *arg,
							      const struct nd_walk_layout *layout,
							      struct nd_walk_maps *maps,
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
	if (ND_WALK_READ_FRAME(arg, words, walk->fp - ND_WALK_BELOW)) {
		walk->end = ND_WALK_UNREADABLE;
		return 1;
	}
	frame->bytecode_offset = words[0];
	frame->bytecode_array = words[1];
	frame->marker = words[4];
	nd_walk_identify(arg, layout, maps, walk, frame, words[3]);
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
