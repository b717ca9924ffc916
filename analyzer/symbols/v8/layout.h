/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODIAG_ANALYZER_SYMBOLS_V8_LAYOUT_H
#define NODIAG_ANALYZER_SYMBOLS_V8_LAYOUT_H

/*
 * How V8 lays out its objects in one particular binary.
 *
 * Most of it is in the binary itself: V8 exports constants named v8dbg_* for postmortem debuggers
 * (V8's tools/gen-postmortem-metadata.py), which survive strip(1). The few that are missing follow
 * from their neighbours; each such gap is named where it is filled, and everything derived is
 * checked against real objects before a name built on it is shown (analyzer/symbols/v8/function.h,
 * code.h).
 *
 * Offsets are in bytes from an object's untagged start; instance types are Map::instance_type
 * values; 0 means "this V8 has no such thing".
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nd_elf;
struct nd_err;
struct nd_walk_layout;

/* Constants by name, without the "v8dbg_". */
struct nd_v8_constants;

struct nd_v8_constants *nd_v8_constants_new(void);
void nd_v8_constants_free(struct nd_v8_constants *constants);
int nd_v8_constants_add(struct nd_v8_constants *constants, const char *name, int32_t value);

/* Add all that an ELF file exports. -ENOENT when it exports none: not a V8. */
int nd_v8_constants_read(struct nd_v8_constants *constants, struct nd_elf *elf);

struct nd_v8_version {
	int major;
	int minor;
	int build;
	int patch;
};

/* What v8::internal::Version says in an ELF file; false when it is not there. */
bool nd_v8_version_read(struct nd_elf *elf, struct nd_v8_version *ret_version);

struct nd_v8_layout {
	struct nd_v8_version version;

	uint32_t map_instance_type;

	/* Strings. */
	uint32_t first_nonstring_type;
	uint32_t string_length;
	uint32_t string_chars; /* sequential strings */
	uint32_t cons_first;
	uint32_t cons_second;
	uint32_t sliced_parent;
	uint32_t sliced_offset;
	uint32_t thin_actual;
	uint32_t external_data; /* gap: the word after `resource` (ExternalString, string.tq) */

	/* JSFunction and SharedFunctionInfo. */
	uint32_t js_function_first;
	uint32_t js_function_last;
	uint32_t function_shared;
	uint32_t shared_type;
	uint32_t shared_name_or_scope_info;
	uint32_t shared_script;
	uint32_t
		shared_function_data; /* two words to look at from 24 on: trusted, then untrusted */
	uint32_t shared_function_data_words;
	uint32_t shared_literal_id; /* gap: behind the 32-bit `flags` */
	uint32_t uncompiled_types[4];
	uint32_t uncompiled_inferred_name;
	uint32_t uncompiled_start;

	/* ScopeInfo. */
	uint32_t scope_info_type;
	uint32_t scope_info_slots;	 /* offset of slot 0 */
	uint32_t scope_info_locals;	 /* slot of the count of context locals */
	uint32_t scope_info_first;	 /* slot of the first variable part */
	bool scope_info_positions_fixed; /* gap: slots 3 and 4 are the positions, from V8 12.8.44 */

	/* Script. */
	uint32_t script_type;
	uint32_t script_source;
	uint32_t script_name;
	uint32_t script_id;		  /* gap: the word after line_ends */
	uint32_t script_eval_from;	  /* 0 or the SharedFunctionInfo of the eval's caller */
	uint32_t script_shared_functions; /* gap: four words after line_ends; a WeakFixedArray */

	/* Arrays. */
	uint32_t array_length;
	uint32_t array_data;
	uint32_t byte_array_types[2]; /* ByteArray and TrustedByteArray */

	/* BytecodeArray. */
	uint32_t bytecode_type;
	uint32_t bytecode_length;
	uint32_t bytecode_positions; /* gap: the word after `wrapper`, or 32 where there is none */
	uint32_t bytecode_data;
	uint64_t bytecode_sizes_vaddr; /* Bytecodes::kBytecodeSizes in the binary; 0 if stripped */
	uint32_t bytecode_count;

	/* Code. */
	bool code_is_inline; /* before V8 11.1 the Code header stands before the instructions */
	uint32_t code_type;
	uint32_t stream_type; /* InstructionStream */
	uint32_t code_deopt_data;
	uint32_t code_positions;
	uint32_t code_start;
	uint32_t code_size;
	uint32_t code_flags;
	uint32_t code_kind_mask;
	uint32_t code_kind_interpreted;
	uint32_t code_kind_baseline; /* Maglev and TurboFan follow */

	/* DeoptimizationData: indexes into a FixedArray. */
	uint32_t deopt_inlined_count;
	uint32_t deopt_literals;
	uint32_t deopt_shared;
	bool deopt_shared_wrapped; /* through a SharedFunctionInfoWrapper */
	uint32_t wrapper_shared;
	uint32_t deopt_positions;

	/* Frame-type markers: those of WebAssembly, and of compiled regular expressions. */
	uint32_t wasm_frames[12];
	uint32_t regexp_frame; /* 0 before V8 11: kind tells */
	uint32_t code_kind_regexp;

	/* V8's embedded builtins in the binary; size 0 when the file does not tell. */
	uint64_t builtins_vaddr;
	uint64_t builtins_size;
};

/*
 * Fill in the layout from a binary's constants, version and symbols. -ENOTSUP with the reason when
 * this V8 cannot be read at all: pointer compression, other frames, constants that are not there.
 */
int nd_v8_layout_derive(const struct nd_v8_constants *constants,
			const struct nd_v8_version *version, struct nd_v8_layout *ret_layout,
			struct nd_err *err);

/* Whether an ELF file has Node.js in it: V8's constants, or node::Start(). Quick. */
bool nd_v8_is_node(struct nd_elf *elf);

/*
 * As above for an ELF file, with the places of builtins and bytecode sizes. -ENOENT: not a V8;
 * -ENOTSUP also for a Node.js whose V8 exports no constants.
 */
int nd_v8_layout_read(struct nd_elf *elf, struct nd_v8_layout *ret_layout, struct nd_err *err);

/* The part that the stack walker needs. */
void nd_v8_layout_get_walk(const struct nd_v8_layout *layout, struct nd_walk_layout *ret_walk);

#endif /* NODIAG_ANALYZER_SYMBOLS_V8_LAYOUT_H */
