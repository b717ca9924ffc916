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
#include "common/buf.h"
#include "proto/limits.h"

/* ScopeInfo keeps up to 74 names of context locals in itself, more in a table (scope-info.h). */
#define SCOPE_INLINED_NAMES_MAX 75

/* Context locals of one function; V8's own limit is far above any real program. */
#define SCOPE_LOCALS_MAX 65536

/* Slots behind the locals that matter: three of names, and before V8 12.8.44 the positions. */
#define SCOPE_TAIL_SLOTS 5

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

/* A function as its SharedFunctionInfo tells. */
struct description {
	struct nd_buf name;
	int32_t start;
	int32_t end;
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

static void free_entry(struct entry *entry)
{
	free(entry->function.bytecode.positions);
	free(entry->function.bytecode.code);
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

static void take_name(struct nd_v8_functions *functions, uint64_t string, struct nd_buf *name)
{
	nd_buf_reset(name);
	if (nd_v8_read_string(&functions->heap, string, ND_V8_NAME_MAX, name))
		nd_buf_reset(name);
}

static void take_positions(uint64_t start, uint64_t end, struct description *ret)
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
static void describe_tail(struct nd_v8_functions *functions, const uint64_t *slots,
			  struct description *ret)
{
	const struct nd_v8_heap *heap = &functions->heap;
	bool nameless = slots[0] == 0 && nd_v8_smi(slots[1]) == -1;

	if (nd_v8_is_smi(slots[1]) && (nameless || nd_v8_is_string(heap, slots[0]))) {
		take_name(functions, slots[0], &ret->name);
		if (!ret->name.len)
			take_name(functions, slots[2], &ret->name);
		slots += nd_v8_is_smi(slots[2]) ? 2 : 3;
	}
	if (!heap->layout->scope_info_positions_fixed)
		take_positions(slots[0], slots[1], ret);
}

static void describe_scope(struct nd_v8_functions *functions, uint64_t scope_info,
			   struct description *ret)
{
	const struct nd_v8_layout *layout = functions->heap.layout;
	uint32_t base = layout->scope_info_slots;
	uint64_t word =
		nd_v8_field(&functions->heap, scope_info, base + 8 * layout->scope_info_locals);
	uint64_t slots[SCOPE_TAIL_SLOTS] = {0};
	int64_t locals = nd_v8_smi(word);
	uint32_t first;
	int i;

	if (!nd_v8_is_smi(word) || locals < 0 || locals > SCOPE_LOCALS_MAX)
		return;
	if (layout->scope_info_positions_fixed)
		take_positions(nd_v8_field(&functions->heap, scope_info, base + 8 * 3),
			       nd_v8_field(&functions->heap, scope_info, base + 8 * 4), ret);
	/* Names and infos of the locals; many names go into one table. */
	first = layout->scope_info_first +
		(uint32_t)(locals < SCOPE_INLINED_NAMES_MAX ? 2 * locals : 1 + locals);
	for (i = 0; i < SCOPE_TAIL_SLOTS; i++)
		slots[i] =
			nd_v8_field(&functions->heap, scope_info, base + 8 * (first + (uint32_t)i));
	describe_tail(functions, slots, ret);
}

/* A function whose bytecode was flushed keeps its place in its UncompiledData. */
static void describe_uncompiled(struct nd_v8_functions *functions, uint64_t shared,
				struct description *ret)
{
	const struct nd_v8_layout *layout = functions->heap.layout;
	uint64_t data;
	uint32_t i, j, type;

	for (i = 0; layout->uncompiled_start && i < layout->shared_function_data_words; i++) {
		data = nd_v8_field(&functions->heap, shared, layout->shared_function_data + 8 * i);
		type = nd_v8_instance_type(&functions->heap, data);
		for (j = 0; type && j < 4; j++) {
			if (type != layout->uncompiled_types[j])
				continue;
			ret->start = (int32_t)nd_v8_field_u32(&functions->heap, data,
							      layout->uncompiled_start);
			ret->end = (int32_t)nd_v8_field_u32(&functions->heap, data,
							    layout->uncompiled_start + 4);
			if (!ret->name.len)
				take_name(functions,
					  nd_v8_field(&functions->heap, data,
						      layout->uncompiled_inferred_name),
					  &ret->name);
			return;
		}
	}
}

static void describe(struct nd_v8_functions *functions, uint64_t shared, struct description *ret)
{
	const struct nd_v8_layout *layout = functions->heap.layout;
	uint64_t object = nd_v8_field(&functions->heap, shared, layout->shared_name_or_scope_info);

	ret->start = ret->end = -1;
	if (nd_v8_is_string(&functions->heap, object))
		take_name(functions, object, &ret->name);
	else if (nd_v8_instance_type(&functions->heap, object) == layout->scope_info_type)
		describe_scope(functions, object, ret);
	if (ret->start < 0)
		describe_uncompiled(functions, shared, ret);
	if (ret->start < 0 || ret->end < ret->start)
		ret->start = ret->end = -1;
	if (!*ret->name.data) {
		nd_buf_reset(&ret->name);
		nd_buf_add_str(&ret->name, "(anonymous)");
	}
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
		     const struct description *description)
{
	struct nd_frame frame = {.name = description->name.data, .kind = ND_FRAME_BUILTIN};
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

static struct nd_v8_function *add_entry(struct nd_v8_functions *functions,
					const struct function_key *key,
					const struct nd_v8_identity *identity)
{
	struct description description;
	struct entry *entry = calloc(1, sizeof(*entry));
	struct nd_v8_function *function;
	int ret;

	if (!entry)
		return NULL;
	function = &entry->function;
	entry->key = *key;
	nd_buf_init(&description.name, 4 * ND_V8_NAME_MAX);
	describe(functions, identity->shared, &description);
	function->start = description.start;
	function->end = description.end;
	if (identity->script)
		function->script =
			nd_v8_scripts_get(functions->scripts, key->isolate, identity->script);
	if (function->script)
		nd_v8_script_check_end(function->script, function->end);
	if (function->script && !*nd_v8_script_get_url(function->script) &&
	    is_nameless(&functions->heap, identity->script))
		name_eval(functions, key->isolate, identity->script, function->script);
	ret = add_frame(functions, function, &description);
	nd_buf_fini(&description.name);
	if (!ret)
		HASH_ADD(hh, functions->set, key, sizeof(entry->key), entry);
	if (ret || !entry->hh.tbl) {
		free_entry(entry);
		return NULL;
	}
	return function;
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
	if (!(identify(functions, identity->shared, &now) && same(&now, identity)) &&
	    !(recover(functions, identity, &now) && same(&now, identity))) {
		nd_profile_add_loss(functions->profile, ND_LOSS_JS_STALE, 1);
		return NULL;
	}
	return add_entry(functions, &key, &now);
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

const struct nd_v8_bytecode *nd_v8_function_bytecode(struct nd_v8_functions *functions,
						     struct nd_v8_function *function,
						     uint64_t bytecode_array)
{
	const struct nd_v8_layout *layout = functions->heap.layout;
	const struct nd_v8_heap *heap = &functions->heap;
	struct nd_v8_bytecode *bytecode = &function->bytecode;
	uint64_t length;

	if (bytecode->tried || nd_v8_instance_type(heap, bytecode_array) != layout->bytecode_type)
		return bytecode;
	bytecode->tried = true;
	bytecode->array = bytecode_array;
	length = nd_v8_field(heap, bytecode_array, layout->bytecode_length);
	if (!nd_v8_is_smi(length) || nd_v8_smi(length) <= 0 ||
	    nd_v8_smi(length) > (int32_t)ND_V8_TABLE_MAX)
		return bytecode;
	if (nd_v8_read_byte_array(heap,
				  nd_v8_field(heap, bytecode_array, layout->bytecode_positions),
				  ND_V8_TABLE_MAX, &bytecode->positions, &bytecode->positions_size))
		return bytecode;
	bytecode->code = malloc((size_t)nd_v8_smi(length));
	if (!bytecode->code)
		return bytecode;
	bytecode->code_size = (size_t)nd_v8_smi(length);
	if (nd_memory_read(heap->memory, bytecode_array - 1 + layout->bytecode_data, bytecode->code,
			   bytecode->code_size)) {
		free(bytecode->code);
		bytecode->code = NULL;
		bytecode->code_size = 0;
	}
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
