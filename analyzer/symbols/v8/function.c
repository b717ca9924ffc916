/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/v8/function.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "analyzer/profile/kind.h"
#include "analyzer/profile/profile.h"
#include "analyzer/symbols/sourcemap.h"
#include "analyzer/symbols/v8/describe.h"
#include "common/buf.h"
#include "proto/limits.h"

/* Functions not listed by their script before the layout is doubted; garbage shows a few. */
#define UNLISTED_MIN 8

/* How deep an eval inside an eval is described. */
#define EVAL_DEPTH_MAX 4

struct function_key {
	uint64_t shared; /* of a builtin, which has no ids and never moves; else 0 */
	uint32_t isolate;
	uint32_t script_id;
	uint32_t literal_id;
	uint32_t pad;
};

struct entry {
	UT_hash_handle hh;
	struct function_key key;
	struct nd_v8_function function;
};

struct nd_v8_functions {
	struct nd_v8_heap heap;
	struct nd_profile *profile;
	struct nd_v8_scripts *scripts;
	struct entry *set;
	int eval_depth;	       /* evals inside evals being described */
	unsigned int listed;   /* functions that their script lists under their id */
	unsigned int unlisted; /* functions that it does not */
};

struct nd_v8_functions *nd_v8_functions_new(const struct nd_v8_heap *heap,
					    const struct nd_v8_files *files,
					    struct nd_profile *profile)
{
	struct nd_v8_functions *functions = calloc(1, sizeof(*functions));

	if (!functions)
		return NULL;
	functions->heap = *heap;
	functions->profile = profile;
	functions->scripts = nd_v8_scripts_new(heap, files);
	if (!functions->scripts) {
		free(functions);
		return NULL;
	}
	return functions;
}

static void free_bytecode(struct nd_v8_bytecode *bytecode)
{
	free(bytecode->positions);
	free(bytecode->code);
	*bytecode = (struct nd_v8_bytecode){0};
}

static void free_entry(struct entry *entry)
{
	free_bytecode(&entry->function.bytecode);
	free(entry);
}

void nd_v8_functions_free(struct nd_v8_functions *functions)
{
	struct entry *entry, *next;

	if (!functions)
		return;
	/* uthash keeps its elements in a list too, which outlives the table. */
	entry = functions->set;
	HASH_CLEAR(hh, functions->set);
	for (; entry; entry = next) {
		next = entry->hh.next;
		free_entry(entry);
	}
	nd_v8_scripts_free(functions->scripts);
	free(functions);
}

/*
 * Read an object's identity. False when it is no SharedFunctionInfo, or when its script does not
 * list it under its id: then it is something else by now, or this V8 is not as we think.
 */
static bool identify(struct nd_v8_functions *functions, uint64_t shared, struct nd_v8_identity *ret)
{
	const struct nd_v8_layout *layout = functions->heap.layout;
	const struct nd_v8_heap *heap = &functions->heap;
	uint64_t id, list;

	*ret = (struct nd_v8_identity){.shared = shared};
	if (nd_v8_instance_type(heap, shared) != layout->shared_type)
		return false;
	ret->script = nd_v8_field(heap, shared, layout->shared_script);
	if (nd_v8_instance_type(heap, ret->script) != layout->script_type) {
		ret->script = 0;
		return true;
	}
	id = nd_v8_field(heap, ret->script, layout->script_id);
	if (!nd_v8_is_smi(id))
		return false;
	ret->script_id = (uint32_t)nd_v8_smi(id);
	ret->literal_id = nd_v8_field_u32(heap, shared, layout->shared_literal_id);
	list = nd_v8_field(heap, ret->script, layout->script_shared_functions);
	if (nd_v8_strong(nd_v8_element(heap, list, ret->literal_id)) != shared) {
		functions->unlisted++;
		return false;
	}
	functions->listed++;
	return true;
}

bool nd_v8_functions_fit(const struct nd_v8_functions *functions)
{
	return functions->unlisted < UNLISTED_MIN || functions->unlisted < functions->listed;
}

/* Describe the eval that a nameless script came from, as V8 does: "eval at f (/a.js:3)". */
static void name_eval(struct nd_v8_functions *functions, uint32_t isolate, uint64_t script,
		      struct nd_v8_script *info)
{
	const struct nd_v8_layout *layout = functions->heap.layout;
	uint64_t shared = nd_v8_field(&functions->heap, script, layout->script_eval_from);
	struct nd_v8_function *caller = NULL;
	char text[2 * ND_V8_NAME_MAX];
	struct nd_v8_place place;

	if (layout->script_eval_from && functions->eval_depth < EVAL_DEPTH_MAX) {
		functions->eval_depth++;
		caller = nd_v8_functions_get_shared(functions, isolate, shared);
		functions->eval_depth--;
	}
	if (!caller || !caller->script) {
		nd_v8_script_set_url(info, "eval");
		return;
	}
	place = nd_v8_script_locate(caller->script, caller->start);
	if (place.line)
		snprintf(text, sizeof(text), "eval at %.256s (%.1024s:%u)", caller->name,
			 place.file, place.line);
	else
		snprintf(text, sizeof(text), "eval at %.256s (%.1024s)", caller->name, place.file);
	nd_v8_script_set_url(info, text);
}

/* Whether a script has no name, rather than one that cannot be read. */
static bool is_nameless(const struct nd_v8_heap *heap, uint64_t script)
{
	uint64_t name = nd_v8_field(heap, script, heap->layout->script_name);

	return nd_v8_instance_type(heap, name) != 0 && !nd_v8_is_string(heap, name);
}

/* Put the function's frame into the profile. */
static int add_frame(struct nd_v8_functions *functions, struct nd_v8_function *function,
		     const char *name)
{
	struct nd_frame frame = {.name = name, .kind = ND_FRAME_BUILTIN};
	struct nd_v8_place place;
	struct nd_buf path;
	uint32_t count;
	int ret;

	nd_buf_init(&path, 1 << 16);
	if (function->script) {
		place = nd_v8_script_locate(function->script, function->start);
		frame.file = place.file;
		if (place.mapped && !nd_sourcemap_resolve(nd_v8_script_get_url(function->script),
							  place.file, &path))
			frame.file = path.data;
		frame.line = place.line;
		frame.column = place.column;
		frame.kind = nd_frame_kind_of_url(frame.file);
	}
	ret = nd_profile_add_frame(functions->profile, &frame, &function->frame);
	if (!ret)
		function->name =
			nd_profile_frames(functions->profile, &count)[function->frame].name;
	nd_buf_fini(&path);
	return ret;
}

/* Let the function have its script, if it has one; false when that cannot be read now. */
static bool take_script(struct nd_v8_functions *functions, const struct function_key *key,
			const struct nd_v8_identity *identity, struct nd_v8_function *function)
{
	struct nd_v8_script *script;

	if (!identity->script)
		return true;
	script = nd_v8_scripts_get(functions->scripts, key->isolate, identity->script);
	if (!script)
		return false;
	nd_v8_script_check_end(script, function->end);
	if (!*nd_v8_script_get_url(script) && is_nameless(&functions->heap, identity->script))
		name_eval(functions, key->isolate, identity->script, script);
	function->script = script;
	return true;
}

/* Fill in the function; false when it cannot be read now, or there is no memory. */
static bool read_function(struct nd_v8_functions *functions, const struct function_key *key,
			  const struct nd_v8_identity *identity, struct nd_v8_function *function)
{
	struct nd_v8_description description;
	bool done;

	nd_v8_description_init(&description);
	done = nd_v8_describe(&functions->heap, identity->shared, &description);
	function->start = description.start;
	function->end = description.end;
	done = done && take_script(functions, key, identity, function) &&
	       !add_frame(functions, function, description.name.data);
	nd_v8_description_fini(&description);
	return done;
}

static struct nd_v8_function *add_entry(struct nd_v8_functions *functions,
					const struct function_key *key,
					const struct nd_v8_identity *identity)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->key = *key;
	if (read_function(functions, key, identity, &entry->function))
		HASH_ADD(hh, functions->set, key, sizeof(entry->key), entry);
	if (!entry->hh.tbl) {
		free_entry(entry);
		return NULL;
	}
	return &entry->function;
}

static struct function_key key_of(uint32_t isolate, const struct nd_v8_identity *identity)
{
	struct function_key key;

	memset(&key, 0, sizeof(key));
	key.isolate = isolate;
	if (identity->script) {
		key.script_id = identity->script_id;
		key.literal_id = identity->literal_id;
	} else {
		key.shared = identity->shared;
	}
	return key;
}

static struct nd_v8_function *find(struct nd_v8_functions *functions,
				   const struct function_key *key)
{
	struct entry *entry;

	HASH_FIND(hh, functions->set, key, sizeof(*key), entry);
	return entry ? &entry->function : NULL;
}

struct nd_v8_function *nd_v8_functions_get_shared(struct nd_v8_functions *functions,
						  uint32_t isolate, uint64_t shared)
{
	struct nd_v8_identity identity;
	struct nd_v8_function *function;
	struct function_key key;

	if (!identify(functions, shared, &identity))
		return NULL;
	key = key_of(isolate, &identity);
	function = find(functions, &key);
	return function ? function : add_entry(functions, &key, &identity);
}

/* The function may have moved: its script, which moves less, lists where it is now. */
static bool recover(struct nd_v8_functions *functions, const struct nd_v8_identity *wanted,
		    struct nd_v8_identity *ret)
{
	const struct nd_v8_layout *layout = functions->heap.layout;
	const struct nd_v8_heap *heap = &functions->heap;
	uint64_t list;

	if (nd_v8_instance_type(heap, wanted->script) != layout->script_type)
		return false;
	list = nd_v8_field(heap, wanted->script, layout->script_shared_functions);
	return identify(functions, nd_v8_strong(nd_v8_element(heap, list, wanted->literal_id)),
			ret);
}

static bool same(const struct nd_v8_identity *a, const struct nd_v8_identity *b)
{
	return a->script_id == b->script_id && a->literal_id == b->literal_id &&
	       !a->script == !b->script;
}

struct nd_v8_function *nd_v8_functions_get(struct nd_v8_functions *functions, uint32_t isolate,
					   const struct nd_v8_identity *identity)
{
	struct function_key key = key_of(isolate, identity);
	struct nd_v8_function *function = find(functions, &key);
	struct nd_v8_identity now;

	if (function)
		return function;
	if ((identify(functions, identity->shared, &now) && same(&now, identity)) ||
	    (recover(functions, identity, &now) && same(&now, identity)))
		function = add_entry(functions, &key, &now);
	if (!function)
		nd_profile_add_loss(functions->profile, ND_LOSS_JS_STALE, 1);
	return function;
}

struct nd_v8_place nd_v8_function_locate(const struct nd_v8_function *function, int32_t offset)
{
	if (!function->script)
		return (struct nd_v8_place){.file = ""};
	return nd_v8_script_locate(function->script, offset);
}

bool nd_v8_function_contains(const struct nd_v8_function *function, int32_t offset)
{
	return offset >= 0 &&
	       (function->start < 0 || (offset >= function->start && offset <= function->end));
}

static void read_bytecode(const struct nd_v8_heap *heap, uint64_t array, uint64_t length,
			  uint64_t positions, struct nd_v8_bytecode *ret)
{
	size_t size = (size_t)nd_v8_smi(length);

	if (!nd_v8_is_smi(length) || nd_v8_smi(length) <= 0 || size > ND_V8_TABLE_MAX ||
	    nd_v8_read_byte_array(heap, positions, ND_V8_TABLE_MAX, &ret->positions,
				  &ret->positions_size))
		return;
	ret->code = malloc(size);
	if (!ret->code)
		return;
	ret->code_size = size;
	if (nd_memory_read(heap->memory, array - 1 + heap->layout->bytecode_data, ret->code,
			   size)) {
		free(ret->code);
		ret->code = NULL;
		ret->code_size = 0;
	}
}

const struct nd_v8_bytecode *nd_v8_function_bytecode(struct nd_v8_functions *functions,
						     struct nd_v8_function *function,
						     uint64_t bytecode_array)
{
	const struct nd_v8_layout *layout = functions->heap.layout;
	const struct nd_v8_heap *heap = &functions->heap;
	struct nd_v8_bytecode *bytecode = &function->bytecode;
	uint64_t length, positions;

	if (bytecode->tried || nd_v8_instance_type(heap, bytecode_array) != layout->bytecode_type)
		return bytecode;
	nd_memory_forget(heap->memory);
	length = nd_v8_field(heap, bytecode_array, layout->bytecode_length);
	positions = nd_v8_field(heap, bytecode_array, layout->bytecode_positions);
	read_bytecode(heap, bytecode_array, length, positions, bytecode);
	/* What the collector moved meanwhile is read again for the next sample. */
	nd_memory_forget(heap->memory);
	bytecode->tried =
		nd_v8_instance_type(heap, bytecode_array) == layout->bytecode_type &&
		nd_v8_field(heap, bytecode_array, layout->bytecode_length) == length &&
		nd_v8_field(heap, bytecode_array, layout->bytecode_positions) == positions;
	if (bytecode->tried)
		bytecode->array = bytecode_array;
	else
		free_bytecode(bytecode);
	return bytecode;
}

/* Whether a BytecodeArray holds just that code. */
static bool has_code(const struct nd_v8_heap *heap, uint64_t bytecode_array,
		     const struct nd_v8_bytecode *bytecode)
{
	const struct nd_v8_layout *layout = heap->layout;
	uint64_t length = nd_v8_field(heap, bytecode_array, layout->bytecode_length);
	uint8_t *code;
	bool same;

	if (!bytecode->code_size || !nd_v8_is_smi(length) ||
	    (size_t)nd_v8_smi(length) != bytecode->code_size)
		return false;
	code = malloc(bytecode->code_size);
	same = code &&
	       !nd_memory_read(heap->memory, bytecode_array - 1 + layout->bytecode_data, code,
			       bytecode->code_size) &&
	       !memcmp(code, bytecode->code, bytecode->code_size);
	free(code);
	return same;
}

struct nd_v8_function *nd_v8_functions_find_bytecode(struct nd_v8_functions *functions,
						     uint32_t isolate, uint64_t bytecode_array)
{
	struct entry *entry;

	if (nd_v8_instance_type(&functions->heap, bytecode_array) !=
	    functions->heap.layout->bytecode_type)
		return NULL;
	for (entry = functions->set; entry; entry = entry->hh.next)
		if (entry->key.isolate == isolate &&
		    entry->function.bytecode.array == bytecode_array &&
		    has_code(&functions->heap, bytecode_array, &entry->function.bytecode))
			return &entry->function;
	return NULL;
}
