/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause */
#ifndef NODIAG_PROTO_SAMPLE_H
#define NODIAG_PROTO_SAMPLE_H

/*
 * A CPU sample as the sampler writes it and the symbolizer reads it: registers, the words of each
 * stack frame that matter to V8, and the identity of each JavaScript function, taken at the moment
 * of the sample because objects move.
 *
 * Shared between BPF and user space: plain fixed-size integers only.
 */

#include <linux/types.h>

/* Frames kept of one stack. Deeper stacks lose their root end and say so. */
#define ND_SAMPLE_FRAMES_MAX 1024

/* Kernel frames kept of one stack; the kernel's own default is 127 (kernel.perf_event_max_stack).
 */
#define ND_SAMPLE_KERNEL_MAX 127

/* Words kept from the top of the stack, where the return address of a frameless leaf is. */
#define ND_SAMPLE_TOP_WORDS 4

/* Why the walk ended. */
enum nd_walk_end {
	ND_WALK_ROOT,	    /* frame pointer or return address is 0 */
	ND_WALK_TRUNCATED,  /* ND_SAMPLE_FRAMES_MAX frames, and there were more */
	ND_WALK_UNREADABLE, /* the frame's memory is not there */
	ND_WALK_BAD_FRAME,  /* the frame pointer does not point up the stack: no frame pointers */
};

/*
 * One stack frame. `shared` is 0 unless the frame was checked to be a JavaScript one; the ids are
 * then the function's: (script_id, literal_id) names a function for good within an isolate,
 * wherever the garbage collector moves its objects.
 */
struct nd_sample_frame {
	__u64 pc;	       /* for [0] the sampled pc, else a return address */
	__u64 shared;	       /* tagged SharedFunctionInfo, or 0 */
	__u64 script;	       /* tagged Script, or 0 where the function has none (builtins) */
	__u64 bytecode_array;  /* the frame's bytecode array slot, as found */
	__u64 bytecode_offset; /* the frame's bytecode offset slot, as found: a Smi in Ignition */
	__u64 marker;	       /* context (odd) or 0, or frame-type marker (even) */
	__u32 script_id;
	__u32 literal_id;
};

/* What a record in the ring is. */
enum nd_sample_kind {
	ND_SAMPLE_CPU = 1, /* struct nd_sample_cpu */
	ND_SAMPLE_STACK,   /* struct nd_sample_stack: not walked yet */
	ND_SAMPLE_EXEC,	   /* struct nd_sample_header: the process is another program now */
	ND_SAMPLE_TAIL,	   /* struct nd_sample_stack: comes before the sample it belongs to */
	ND_SAMPLE_LATE,	   /* struct nd_sample_late, before the samples that it tells of */
	ND_SAMPLE_STALL,   /* struct nd_sample_stall */
};

struct nd_sample_header {
	__u32 kind; /* enum nd_sample_kind */
	__u32 pid;  /* process, as nodiag's own pid namespace numbers it */
	__u32 tid;  /* thread, likewise */
	__u32 pad;
	__u64 time_ns;	       /* monotonic */
	__u64 thread_start_ns; /* tells a thread from an older one of the same tid; 0 if unknown */
};

/* Only the first `kernel_depth` addresses and `depth` frames are there. */
struct nd_sample_cpu {
	struct nd_sample_header header;
	__u64 pc;
	__u64 sp;
	__u64 fp;
	__u64 bytecode_offset;		    /* the register that holds Ignition's current offset */
	__u64 top[ND_SAMPLE_TOP_WORDS];	    /* words at `sp` */
	__u64 kernel[ND_SAMPLE_KERNEL_MAX]; /* innermost first */
	__u32 kernel_depth;
	__u32 depth;
	__u32 end;	  /* enum nd_walk_end */
	__u32 has_layout; /* the walker knew V8's layout: `shared` 0 means "not JavaScript" */
	struct nd_sample_frame frames[ND_SAMPLE_FRAMES_MAX];
};

/* Bytes copied where a walk broke off; Node's usual stacks have 5 KB. */
#define ND_SAMPLE_TAIL_MAX 16384

/* What a function may use below its stack pointer (x86-64 psABI); unwind rules look there too. */
#define ND_RED_ZONE 128

/*
 * Registers and a copy of the stack around `sp` and up, for the symbolizer to walk. Without BPF
 * this is the whole sample. With BPF it comes before a sample whose walk broke off in code without
 * frame pointers, and tells where that was: the symbolizer goes on with the file's unwind tables.
 */
struct nd_sample_stack {
	struct nd_sample_header header;
	__u64 pc;
	__u64 sp;
	__u64 fp;
	__u64 bytecode_offset;
	__u64 before_pc; /* one frame earlier, for when that was no frame; 0: there is none */
	__u64 before_sp;
	__u64 before_fp;
	__u64 start;	 /* address of the copy: the lowest `sp`, or ND_RED_ZONE below it */
	__u64 size;	 /* bytes of the copy; 0: the thread sleeps, and its stack is as it was */
	__u8 span_id[8]; /* that the thread was in, as the agent knows; all zeros: not known */
	__u8 stack[];
};

/* Bytes read at once of a V8 object, from its map on; a layout that needs more is refused. */
#define ND_WALK_OBJECT_BYTES 128

/*
 * What the walker must know of a process's V8. All offsets are from the untagged start of the
 * object (V8's v8dbg_class_* values). `js_function_first` 0: not V8, or not known; walk without
 * identities.
 */
struct nd_walk_layout {
	__u32 js_function_first; /* instance types of JSFunction and its subclasses */
	__u32 js_function_last;
	__u32 shared_function_info; /* instance type */
	__u32 script;		    /* instance type */
	__u32 map_instance_type;    /* Map, u16 */
	__u32 function_shared;	    /* JSFunction -> SharedFunctionInfo */
	__u32 shared_script;	    /* SharedFunctionInfo -> Script */
	__u32 shared_literal_id;    /* SharedFunctionInfo, s32 */
	__u32 script_id;	    /* Script, Smi */
	__u32 function_bytes; /* of a JSFunction, up to the last field above; it may end there */
	__u32 shared_bytes;   /* likewise */
	__u32 script_bytes;
	__u64 root_start; /* libc's code, where threads begin: a walk that ends there is complete */
	__u64 root_end;
};

/* Maps of JSFunctions to remember: functions, arrows, async ones and classes have their own. */
#define ND_WALK_FUNCTION_MAPS 4

/*
 * Maps whose instance type was checked, 0 where there is none yet: they need not be read again as
 * long as the program runs. Those of SharedFunctionInfo and Script are read-only roots of V8, which
 * never move. That of a JSFunction may move and leave its place to another map, but only to one of
 * objects and contexts of JavaScript. None of these holds a SharedFunctionInfo, for which the
 * function is always checked too.
 */
struct nd_walk_maps {
	__u64 function[ND_WALK_FUNCTION_MAPS];
	__u64 shared;
	__u64 script;
	__u32 next; /* of `function` to be replaced, modulo its length */
	__u32 pad;
};

#endif /* NODIAG_PROTO_SAMPLE_H */
