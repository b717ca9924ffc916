/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/v8/v8.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/symbols/calls.h"
#include "analyzer/symbols/v8/code.h"
#include "analyzer/symbols/v8/function.h"
#include "analyzer/symbols/v8/object.h"
#include "analyzer/symbols/v8/position.h"
#include "proto/sample.h"

/* Rows of kBytecodeSizes: single, double and quadruple operands. */
#define OPERAND_SCALES 3

struct nd_v8 {
	struct nd_v8_layout layout;
	struct nd_v8_heap heap;
	struct nd_profile *profile;
	struct nd_v8_functions *functions;
	struct nd_v8_codes *codes;
	uint8_t *bytecode_sizes;
	bool (*is_jit)(void *arg, uint64_t address);
	void *arg;
	uint32_t unknown_frame;
	uint32_t regexp_frame;
	uint32_t wasm_frame;
	bool offset_is_old; /* the frame before is in a bytecode that did not store its offset */
};

/* The calls being added to, and how the code they come from ran. */
struct sink {
	struct nd_calls *calls;
	enum nd_tier tier;
};

static const struct nd_v8_place nowhere;

static int add_named_frame(struct nd_profile *profile, const char *name, enum nd_frame_kind kind,
			   uint32_t *ret_frame)
{
	struct nd_frame frame = {.name = name, .kind = kind};

	return nd_profile_add_frame(profile, &frame, ret_frame);
}

static int init(struct nd_v8 *v8, const struct nd_v8_options *options)
{
	size_t sizes = (size_t)OPERAND_SCALES * v8->layout.bytecode_count;

	v8->functions = nd_v8_functions_new(&v8->heap, options->files, options->profile);
	if (!v8->functions)
		return -1;
	v8->codes = nd_v8_codes_new(&v8->heap, v8->functions);
	if (!v8->codes)
		return -1;
	if (options->bytecode_sizes && sizes) {
		v8->bytecode_sizes = malloc(sizes);
		if (!v8->bytecode_sizes)
			return -1;
		memcpy(v8->bytecode_sizes, options->bytecode_sizes, sizes);
	}
	return add_named_frame(v8->profile, "[unknown JS]", ND_FRAME_UNKNOWN, &v8->unknown_frame) ||
	       add_named_frame(v8->profile, "(regexp)", ND_FRAME_REGEXP, &v8->regexp_frame) ||
	       add_named_frame(v8->profile, "(wasm)", ND_FRAME_WASM, &v8->wasm_frame);
}

struct nd_v8 *nd_v8_new(const struct nd_v8_options *options)
{
	struct nd_v8 *v8 = calloc(1, sizeof(*v8));

	if (!v8)
		return NULL;
	v8->layout = *options->layout;
	v8->heap = (struct nd_v8_heap){.memory = options->memory, .layout = &v8->layout};
	v8->profile = options->profile;
	v8->is_jit = options->is_jit;
	v8->arg = options->arg;
	if (init(v8, options)) {
		nd_v8_free(v8);
		return NULL;
	}
	return v8;
}

void nd_v8_free(struct nd_v8 *v8)
{
	if (!v8)
		return;
	nd_v8_codes_free(v8->codes);
	nd_v8_functions_free(v8->functions);
	free(v8->bytecode_sizes);
	free(v8);
}

const char *nd_v8_get_limits(const struct nd_v8 *v8)
{
	if (!nd_v8_functions_fit(v8->functions))
		return "its V8 lays out functions in an unknown way: JavaScript shows as [unknown "
		       "JS]";
	if (!nd_v8_codes_flag_bits(v8->codes))
		return "its V8 encodes source positions in an unknown way: no inlined functions "
		       "and no executing lines";
	if (!v8->layout.builtins_size)
		return "its binary is stripped: V8 builtins show as their file, and Sparkplug "
		       "frames without executing lines";
	return NULL;
}

static void add_unknown(struct nd_v8 *v8, struct nd_calls *calls)
{
	nd_profile_add_loss(v8->profile, ND_LOSS_JS_UNNAMED, 1);
	nd_calls_add_frame(calls, v8->unknown_frame);
}

static void add_function(struct nd_v8 *v8, struct nd_calls *calls,
			 const struct nd_v8_function *function, struct nd_v8_place place,
			 enum nd_tier tier)
{
	if (function)
		nd_calls_add(calls, (struct nd_call){.frame = function->frame,
						     .line = place.line,
						     .column = place.column,
						     .tier = tier});
	else
		add_unknown(v8, calls);
}

static void add_inlined(void *arg, const struct nd_v8_function *function, struct nd_v8_place place,
			bool inlined)
{
	struct sink *sink = arg;

	nd_calls_add(sink->calls, (struct nd_call){.frame = function->frame,
						   .line = place.line,
						   .column = place.column,
						   .tier = sink->tier,
						   .inlined = inlined});
}

/* The JavaScript face of a WebAssembly function: a function of a script, but of none of its text.
 */
static bool is_wasm_export(const struct nd_sample_frame *frame)
{
	return frame->script && frame->literal_id == UINT32_MAX;
}

static struct nd_v8_function *function_of(struct nd_v8 *v8, uint32_t isolate,
					  const struct nd_sample_frame *frame)
{
	struct nd_v8_identity identity = {
		.shared = frame->shared,
		.script = frame->script,
		.script_id = frame->script_id,
		.literal_id = frame->literal_id,
	};

	return frame->shared && !is_wasm_export(frame)
		       ? nd_v8_functions_get(v8->functions, isolate, &identity)
		       : NULL;
}

/* The frame's type, from its marker: the type shifted left by one. 0 for a context, which is odd.
 */
static uint64_t frame_type(const struct nd_sample_frame *frame)
{
	return frame->marker & 1 ? 0 : frame->marker >> 1;
}

static bool is_wasm(const struct nd_v8 *v8, const struct nd_sample_frame *frame)
{
	size_t i;

	if (!frame_type(frame))
		return false;
	for (i = 0; i < sizeof(v8->layout.wasm_frames) / sizeof(v8->layout.wasm_frames[0]); i++)
		if (frame_type(frame) == v8->layout.wasm_frames[i])
			return true;
	return false;
}

static bool is_regexp(const struct nd_v8 *v8, const struct nd_sample_frame *frame,
		      const struct nd_v8_code *code)
{
	if (v8->layout.regexp_frame)
		return frame_type(frame) == v8->layout.regexp_frame;
	return code && code->kind == ND_V8_CODE_REGEXP;
}

/* The function's bytecode tables. Those read just now vote on how positions are encoded. */
static const struct nd_v8_bytecode *bytecode_of(struct nd_v8 *v8, struct nd_v8_function *function,
						uint64_t bytecode_array)
{
	bool known = function->bytecode.tried;
	const struct nd_v8_bytecode *bytecode =
		nd_v8_function_bytecode(v8->functions, function, bytecode_array);

	if (!known && bytecode->code)
		nd_v8_codes_check_table(v8->codes, bytecode->positions, bytecode->positions_size,
					bytecode->code_size);
	return bytecode;
}

/* A packed position in the function; nowhere if it is not: the table was another function's. */
static struct nd_v8_place place_of(const struct nd_v8_function *function, uint64_t packed)
{
	int32_t offset = nd_v8_position_unpack(packed).offset;

	return nd_v8_function_contains(function, offset) ? nd_v8_function_locate(function, offset)
							 : nowhere;
}

/* Whether the frame runs this Sparkplug code, which holds what it was compiled from. */
static bool is_baseline_of(const struct nd_v8 *v8, const struct nd_v8_code *code,
			   const struct nd_sample_frame *frame)
{
	return code && code->kind == ND_V8_CODE_BASELINE &&
	       nd_v8_field(&v8->heap, code->object, v8->layout.code_deopt_data) ==
		       frame->bytecode_array;
}

/* The place in Sparkplug code: machine code to bytecode, bytecode to source. */
static struct nd_v8_place baseline_place(struct nd_v8 *v8, const struct nd_v8_code *code,
					 uint64_t pc, struct nd_v8_function *function,
					 uint64_t bytecode_array)
{
	struct nd_v8_bytecode_sizes sizes = {.sizes = v8->bytecode_sizes,
					     .count = v8->layout.bytecode_count};
	const struct nd_v8_bytecode *bytecode = bytecode_of(v8, function, bytecode_array);
	int64_t offset;
	uint64_t packed;

	if (!v8->bytecode_sizes || !nd_v8_codes_flag_bits(v8->codes))
		return nowhere;
	offset = nd_v8_baseline_offset(code->positions, code->positions_size, bytecode->code,
				       bytecode->code_size, &sizes, pc - code->start);
	if (offset < 0)
		return nowhere;
	packed = nd_v8_positions_find(bytecode->positions, bytecode->positions_size,
				      nd_v8_codes_flag_bits(v8->codes), offset);
	return place_of(function, packed);
}

static void add_optimized(struct nd_v8 *v8, const struct nd_v8_code *code, uint64_t pc,
			  struct nd_calls *calls)
{
	struct sink sink = {
		.calls = calls,
		.tier = code->kind == ND_V8_CODE_MAGLEV ? ND_TIER_MAGLEV : ND_TIER_TURBOFAN,
	};

	if (!nd_v8_codes_visit_calls(v8->codes, code, pc, add_inlined, &sink))
		add_function(v8, calls, code->function, nowhere, sink.tier);
}

/*
 * The JavaScript caller of a leaf that has no frame of its own: the frame's function, running at a
 * return address near the top of the stack.
 */
static void add_caller(struct nd_v8 *v8, uint32_t isolate, const struct nd_sample_cpu *sample,
		       struct nd_calls *calls)
{
	const struct nd_sample_frame *frame = &sample->frames[0];
	struct nd_v8_function *function = function_of(v8, isolate, frame);
	enum nd_tier tier = ND_TIER_NONE;
	const struct nd_v8_code *code;
	uint64_t pc;
	int i;

	for (i = 0; function && i < ND_SAMPLE_TOP_WORDS; i++) {
		pc = sample->top[i] - 1;
		if (!v8->is_jit(v8->arg, pc))
			continue;
		code = nd_v8_codes_find(v8->codes, isolate, pc);
		if (code && code->function == function) {
			add_optimized(v8, code, pc, calls);
			return;
		}
		if (is_baseline_of(v8, code, frame)) {
			add_function(v8, calls, function,
				     baseline_place(v8, code, pc, function, frame->bytecode_array),
				     ND_TIER_SPARKPLUG);
			return;
		}
	}
	/* Of the tiers that come here only Sparkplug keeps its bytecode in the frame. */
	if (nd_v8_instance_type(&v8->heap, frame->bytecode_array) == v8->layout.bytecode_type)
		tier = ND_TIER_SPARKPLUG;
	add_function(v8, calls, function, nowhere, tier);
}

static void add_ignition(struct nd_v8 *v8, struct nd_v8_function *function,
			 const struct nd_sample_frame *frame, int64_t offset,
			 struct nd_calls *calls)
{
	const struct nd_v8_bytecode *bytecode = bytecode_of(v8, function, frame->bytecode_array);
	uint64_t packed = 0;

	/* The offset counts from the tagged pointer; 0, before the bytecodes, has no line. */
	offset -= v8->layout.bytecode_data - 1;
	if (nd_v8_codes_flag_bits(v8->codes) && bytecode->positions)
		packed = nd_v8_positions_find(bytecode->positions, bytecode->positions_size,
					      nd_v8_codes_flag_bits(v8->codes), offset);
	add_function(v8, calls, function, place_of(function, packed), ND_TIER_IGNITION);
}

static void add_jit(struct nd_v8 *v8, uint32_t isolate, const struct nd_sample_cpu *sample,
		    uint32_t index, uint64_t pc, struct nd_calls *calls)
{
	const struct nd_sample_frame *frame = &sample->frames[index];
	const struct nd_v8_code *code;
	struct nd_v8_function *function;
	uint64_t bytecode_array;

	if (is_wasm(v8, frame) || is_wasm_export(frame)) {
		nd_calls_add_frame(calls, v8->wasm_frame);
		return;
	}
	code = nd_v8_codes_find(v8->codes, isolate, pc);
	if (code && code->function) {
		add_optimized(v8, code, pc, calls);
		/* In a prologue the frame is still the caller's. */
		if (index == 0 && frame->shared &&
		    function_of(v8, isolate, frame) != code->function)
			add_caller(v8, isolate, sample, calls);
		return;
	}
	if (is_regexp(v8, frame, code)) {
		nd_calls_add_frame(calls, v8->regexp_frame);
		return;
	}
	function = function_of(v8, isolate, frame);
	if (code && code->kind == ND_V8_CODE_INTERPRETED && function) {
		add_ignition(v8, function, frame, nd_v8_smi(frame->bytecode_offset), calls);
	} else if (is_baseline_of(v8, code, frame) && function) {
		add_function(v8, calls, function,
			     baseline_place(v8, code, pc, function, frame->bytecode_array),
			     ND_TIER_SPARKPLUG);
	} else if (code && code->kind == ND_V8_CODE_BASELINE && index == 0 && function) {
		/* In its prologue Sparkplug code only tells whose bytecode it is. */
		bytecode_array = nd_v8_field(&v8->heap, code->object, v8->layout.code_deopt_data);
		add_function(v8, calls,
			     nd_v8_functions_find_bytecode(v8->functions, isolate, bytecode_array),
			     nowhere, ND_TIER_SPARKPLUG);
		add_caller(v8, isolate, sample, calls);
	} else {
		add_function(v8, calls, function, nowhere, ND_TIER_NONE);
	}
}

static bool ends_with(const char *str, const char *suffix)
{
	size_t len = strlen(str), suffix_len = strlen(suffix);

	return len >= suffix_len && !strcmp(str + len - suffix_len, suffix);
}

/* Whether a builtin is the interpreter's own: it runs bytecode and is not called by it. */
static bool is_interpreter(const char *name)
{
	return name &&
	       (ends_with(name, "Handler") ||
		!strncmp(name, "InterpreterEntryTrampoline", strlen("InterpreterEntryTrampoline")));
}

static bool is_arithmetic(const char *name)
{
	static const char *const prefixes[] = {"Add", "Sub", "Mul", "Div",     "Mod",  "Exp",
					       "Inc", "Dec", "Neg", "Bitwise", "Shift"};
	size_t i;

	for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

/*
 * Whether a bytecode handler with a frame of its own did not store its bytecode's offset, so that
 * the interpreted frame below it has an earlier one's. Handlers store it before they call
 * something, but not before they allocate a number; those that are calls by nature do it at once.
 */
static bool leaves_old_offset(const struct nd_sample_frame *frame, uint32_t index, const char *name)
{
	if (frame->shared || !name || !ends_with(name, "Handler"))
		return false;
	if (index > 0)
		return is_arithmetic(name);
	return strncmp(name, "Call", strlen("Call")) != 0 &&
	       strncmp(name, "Construct", strlen("Construct")) != 0;
}

static bool is_ignition(const struct nd_v8 *v8, const struct nd_sample_frame *frame)
{
	return frame->bytecode_offset && nd_v8_is_smi(frame->bytecode_offset) &&
	       nd_v8_instance_type(&v8->heap, frame->bytecode_array) == v8->layout.bytecode_type;
}

static void add_site(const struct nd_site *site, struct nd_calls *calls)
{
	if (site->has_frame)
		nd_calls_add_frame(calls, site->frame);
}

static void add_builtin(struct nd_v8 *v8, uint32_t isolate, const struct nd_sample_cpu *sample,
			uint32_t index, const struct nd_site *site, struct nd_calls *calls)
{
	const struct nd_sample_frame *frame = &sample->frames[index];
	struct nd_v8_function *function = function_of(v8, isolate, frame);
	int64_t offset = nd_v8_smi(frame->bytecode_offset);

	if (is_wasm_export(frame) || (is_wasm(v8, frame) && !function)) {
		add_site(site, calls);
		return;
	}
	if (!frame->shared) {
		add_site(site, calls);
	} else if (!function) {
		add_site(site, calls);
		add_unknown(v8, calls);
	} else if (!function->script) {
		/* JavaScript's own functions, like Array.prototype.map. */
		if (site->name)
			add_site(site, calls);
		else
			add_function(v8, calls, function, nowhere, ND_TIER_NONE);
	} else if (is_ignition(v8, frame)) {
		if (index == 0 && site->name && ends_with(site->name, "Handler"))
			offset = (int32_t)sample->bytecode_offset;
		else if (index == 0 && site->name && !is_interpreter(site->name))
			add_site(site, calls);
		else if (index > 0 && v8->offset_is_old)
			offset = 0;
		add_ignition(v8, function, frame, offset, calls);
	} else {
		add_site(site, calls);
		if (index == 0)
			add_caller(v8, isolate, sample, calls);
		else
			add_function(v8, calls, function, nowhere, ND_TIER_NONE);
	}
}

void nd_v8_add_calls(struct nd_v8 *v8, uint32_t isolate, const struct nd_sample_cpu *sample,
		     uint32_t index, const struct nd_site *site, struct nd_calls *calls)
{
	const struct nd_sample_frame *frame = &sample->frames[index];

	switch (site->kind) {
	case ND_SITE_JIT:
		add_jit(v8, isolate, sample, index, site->pc, calls);
		break;
	case ND_SITE_BUILTIN:
		add_builtin(v8, isolate, sample, index, site, calls);
		break;
	default:
		/* In a stripped binary the interpreter cannot be told from C++, but its frames can.
		 */
		if (frame->shared && !v8->layout.builtins_size && is_ignition(v8, frame)) {
			add_builtin(v8, isolate, sample, index, site, calls);
			break;
		}
		add_site(site, calls);
		/* A native leaf without a frame, called straight from JavaScript. */
		if (index == 0 && frame->shared)
			add_caller(v8, isolate, sample, calls);
		break;
	}
	v8->offset_is_old = leaves_old_offset(frame, index, site->name);
}
