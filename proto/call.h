/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_PROTO_CALL_H
#define NODIAG_PROTO_CALL_H

/*
 * Named stacks: what the symbolizer makes of samples, what profiles are built of, and what a
 * recording keeps. The numbers of each enum are in files: new ones go to the end, and none is used
 * again for something else.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a frame's code comes from; the colour of a frame. */
enum nd_frame_kind {
	ND_FRAME_UNKNOWN, /* no name could be found, e.g. "[unknown JS]" */
	ND_FRAME_JS,	  /* the application's own JavaScript */
	ND_FRAME_NPM,	  /* JavaScript below a node_modules folder */
	ND_FRAME_NODE,	  /* Node's own JavaScript, "node:..." */
	ND_FRAME_BUILTIN, /* V8 builtins and bytecode handlers */
	ND_FRAME_WASM,
	ND_FRAME_NATIVE, /* C and C++: node itself, shared libraries, addons */
	ND_FRAME_GC,
	ND_FRAME_COMPILE, /* V8's parser and compilers */
	ND_FRAME_REGEXP,
	ND_FRAME_KERNEL,
	ND_FRAME_IDLE,	 /* waiting for events */
	ND_FRAME_THREAD, /* the root that --threads puts below a thread's stacks */
	ND_FRAME_ROUTE,	 /* the root that --by route puts below those of a route */
	ND_FRAME_KIND_COUNT
};

/* How V8 ran a JavaScript frame. */
enum nd_tier {
	ND_TIER_NONE, /* not JavaScript, or not known */
	ND_TIER_IGNITION,
	ND_TIER_SPARKPLUG,
	ND_TIER_MAGLEV,
	ND_TIER_TURBOFAN,
	ND_TIER_COUNT
};

/*
 * A function. Two frames that agree in every field are the same frame. Strings are UTF-8 and never
 * NULL in a frame that comes from a profile.
 */
struct nd_frame {
	const char *name; /* "(anonymous)" where a JS function has none */
	const char *file; /* script URL or path, or module path; "" when unknown */
	uint32_t line;	  /* of the definition, from 1; 0 when unknown */
	uint32_t column;  /* of the definition, from 1; 0 when unknown */
	enum nd_frame_kind kind;
};

/* One call in a stack. */
struct nd_call {
	uint32_t frame;	   /* id from nd_profile_add_frame() */
	uint32_t line;	   /* being executed, from 1; 0 when unknown */
	uint32_t column;   /* likewise; the tree does not keep it */
	enum nd_tier tier; /* how this call ran */
	bool inlined;	   /* the compiler put it into its caller's code */
};

/* One sample. */
struct nd_stack {
	const struct nd_call *calls; /* [0] is the innermost */
	size_t depth;
	uint64_t weight;  /* in the profile's unit */
	uint64_t count;	  /* samples that this stands for, usually 1 */
	uint64_t time_ns; /* monotonic; 0 where the source has no times */
	uint32_t pid;
	uint32_t tid;
	uint8_t span_id[8]; /* of the span that the thread was in; all zeros: not known */
};

/* Why a sample or a part of one is missing; shown with every answer. */
enum nd_loss {
	ND_LOSS_RING_FULL = 1,	/* dropped: nodiag did not keep up */
	ND_LOSS_THREAD_LIMIT,	/* threads that could not be watched */
	ND_LOSS_TRUNCATED,	/* stack deeper than the walker goes; its root is missing */
	ND_LOSS_ROOT_MISSING,	/* the walk ended before the thread's first function */
	ND_LOSS_JS_UNNAMED,	/* JS frame shown as "[unknown JS]" */
	ND_LOSS_JS_STALE,	/* JS function moved or died before it was named */
	ND_LOSS_NATIVE_UNNAMED, /* native frame shown by its module only */
	ND_LOSS_PROCESS_GONE,	/* the process ended before the sample was named */
	ND_LOSS_TIMELINE,	/* samples counted in the tree but too many for the timeline */
	ND_LOSS_RECORDING,	/* parts of the recording that are damaged or not there */
	ND_LOSS_COUNT
};

#endif /* NODIAG_PROTO_CALL_H */
