/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/symbols/v8/layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/symbols/elf.h"
#include "common/err.h"
#include "proto/sample.h"

#define CONSTANT_PREFIX "v8dbg_"

/* Constants of one binary; V8 exports about 500. */
#define CONSTANTS_MAX 8192

/* kBytecodeSizes has a row for each of the three operand scales. */
#define OPERAND_SCALES 3

struct constant {
	char *name;
	int32_t value;
};

struct nd_v8_constants {
	struct constant *list;
	size_t count;
	struct nd_elf *elf; /* while reading */
};

struct nd_v8_constants *nd_v8_constants_new(void)
{
	return calloc(1, sizeof(struct nd_v8_constants));
}

void nd_v8_constants_free(struct nd_v8_constants *constants)
{
	size_t i;

	if (!constants)
		return;
	for (i = 0; i < constants->count; i++)
		free(constants->list[i].name);
	free(constants->list);
	free(constants);
}

int nd_v8_constants_add(struct nd_v8_constants *constants, const char *name, int32_t value)
{
	struct constant *grown;
	size_t count = constants->count;
	char *copy;

	if (count >= CONSTANTS_MAX)
		return -E2BIG;
	if ((count & (count - 1)) == 0) {
		grown = reallocarray(constants->list, count ? count * 2 : 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		constants->list = grown;
	}
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	constants->list[constants->count++] = (struct constant){.name = copy, .value = value};
	return 0;
}

static int add_symbol(void *arg, const struct nd_elf_symbol *symbol)
{
	struct nd_v8_constants *constants = arg;
	int32_t value;

	if (!nd_elf_read(constants->elf, symbol->vaddr, &value, sizeof(value)))
		return 0;
	return nd_v8_constants_add(constants, symbol->name + strlen(CONSTANT_PREFIX), value);
}

int nd_v8_constants_read(struct nd_v8_constants *constants, struct nd_elf *elf)
{
	int ret;

	constants->elf = elf;
	ret = nd_elf_visit(elf, CONSTANT_PREFIX, add_symbol, constants);
	constants->elf = NULL;
	if (ret)
		return ret;
	return constants->count ? 0 : -ENOENT;
}

/* v8::internal::Version's members, in one pass over the symbols. */
#define VERSION_PREFIX "_ZN2v88internal7Version"

struct version_visit {
	struct nd_elf *elf;
	struct nd_v8_version version;
	int found;
};

static int visit_version(void *arg, const struct nd_elf_symbol *symbol)
{
	struct version_visit *visit = arg;
	const struct {
		const char *name;
		int *value;
	} members[] = {
		{"6major_E", &visit->version.major},
		{"6minor_E", &visit->version.minor},
		{"6build_E", &visit->version.build},
		{"6patch_E", &visit->version.patch},
	};
	size_t i;

	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (!strcmp(symbol->name + strlen(VERSION_PREFIX), members[i].name) &&
		    nd_elf_read(visit->elf, symbol->vaddr, members[i].value, sizeof(int)))
			visit->found++;
	return 0;
}

bool nd_v8_version_read(struct nd_elf *elf, struct nd_v8_version *ret_version)
{
	struct version_visit visit = {.elf = elf};

	if (nd_elf_visit(elf, VERSION_PREFIX, visit_version, &visit) || visit.found != 4)
		return false;
	*ret_version = visit.version;
	return true;
}

/* The constant of that name; a name that ends in '*' matches all that begin so. */
static const int32_t *find(const struct nd_v8_constants *constants, const char *name)
{
	size_t len = strcspn(name, "*");
	size_t i;

	for (i = 0; i < constants->count; i++)
		if (name[len] == '*' ? !strncmp(constants->list[i].name, name, len)
				     : !strcmp(constants->list[i].name, name))
			return &constants->list[i].value;
	return NULL;
}

static uint32_t get(const struct nd_v8_constants *constants, const char *name, uint32_t fallback)
{
	const int32_t *value = find(constants, name);

	return value && *value >= 0 ? (uint32_t)*value : fallback;
}

/* What to take from where. `fallback` REQUIRED: without this constant nothing works. */
#define REQUIRED UINT32_MAX

struct rule {
	size_t field;
	const char *name;
	uint32_t fallback;
};

#define FIELD(name) offsetof(struct nd_v8_layout, name)

/* Names end in the field's type, which changes between versions: hence the stars. */
static const struct rule rules[] = {
	{FIELD(map_instance_type), "class_Map__instance_type__*", REQUIRED},
	{FIELD(first_nonstring_type), "FirstNonstringType", REQUIRED},
	{FIELD(string_length), "class_String__length__*", REQUIRED},
	{FIELD(string_chars), "class_SeqOneByteString__chars__*", REQUIRED},
	{FIELD(cons_first), "class_ConsString__first__*", REQUIRED},
	{FIELD(cons_second), "class_ConsString__second__*", REQUIRED},
	{FIELD(sliced_parent), "class_SlicedString__parent__*", REQUIRED},
	{FIELD(sliced_offset), "class_SlicedString__offset__*", REQUIRED},
	{FIELD(thin_actual), "class_ThinString__actual__*", REQUIRED},
	{FIELD(function_shared), "class_JSFunction__shared__*", REQUIRED},
	{FIELD(shared_type), "type_SharedFunctionInfo__*", REQUIRED},
	{FIELD(shared_name_or_scope_info), "class_SharedFunctionInfo__name_or_scope_info__*",
	 REQUIRED},
	{FIELD(shared_script), "class_SharedFunctionInfo__script_*", REQUIRED},
	{FIELD(scope_info_type), "type_ScopeInfo__*", REQUIRED},
	{FIELD(scope_info_locals), "scopeinfo_idx_ncontextlocals", REQUIRED},
	{FIELD(scope_info_first), "scopeinfo_idx_first_vars", REQUIRED},
	{FIELD(script_type), "type_Script__*", REQUIRED},
	{FIELD(script_source), "class_Script__source__*", REQUIRED},
	{FIELD(script_name), "class_Script__name__*", REQUIRED},
	{FIELD(script_eval_from), "class_Script__eval_from_shared*", 0},
	{FIELD(array_length), "class_FixedArrayBase__length__*", REQUIRED},
	{FIELD(array_data), "class_FixedArray__data__*", REQUIRED},
	{FIELD(byte_array_types[0]), "type_ByteArray__*", REQUIRED},
	{FIELD(byte_array_types[1]), "type_TrustedByteArray__*", 0},
	{FIELD(bytecode_type), "type_BytecodeArray__*", REQUIRED},
	{FIELD(bytecode_data), "class_BytecodeArray__data__*", REQUIRED},
	{FIELD(uncompiled_types[0]), "type_UncompiledDataWithPreparseDataAndJob__*", 0},
	{FIELD(uncompiled_types[1]), "type_UncompiledDataWithPreparseData__*", 0},
	{FIELD(uncompiled_types[2]), "type_UncompiledDataWithoutPreparseDataWithJob__*", 0},
	{FIELD(uncompiled_types[3]), "type_UncompiledDataWithoutPreparseData__*", 0},
	{FIELD(uncompiled_inferred_name), "class_UncompiledData__inferred_name__*", 0},
	{FIELD(uncompiled_start), "class_UncompiledData__start_position__*", 0},
	{FIELD(code_type), "type_Code__*", REQUIRED},
	{FIELD(stream_type), "type_InstructionStream__*", 0},
	{FIELD(code_size), "class_Code__instruction_size__*", 0},
	{FIELD(code_flags), "class_Code__flags__*", 0},
	{FIELD(code_start), "class_Code__instruction_start__*", 0},
	{FIELD(code_positions), "class_Code__source_position_table__*", 0},
	{FIELD(code_deopt_data), "class_Code__deoptimization_data__*", 0},
	{FIELD(code_kind_mask), "CodeKindFieldMask", 15},
	{FIELD(code_kind_interpreted), "CodeKindInterpretedFunction", REQUIRED},
	{FIELD(code_kind_baseline), "CodeKindBaseline", REQUIRED},
	{FIELD(wrapper_shared), "class_SharedFunctionInfoWrapper__shared_info__*", 8},
	{FIELD(regexp_frame), "frametype_IrregexpFrame", 0},
	{FIELD(wasm_frames[0]), "frametype_WasmFrame", 0},
	{FIELD(wasm_frames[1]), "frametype_WasmToJsFrame", 0},
	{FIELD(wasm_frames[2]), "frametype_WasmToJsFunctionFrame", 0},
	{FIELD(wasm_frames[3]), "frametype_JsToWasmFrame", 0},
	{FIELD(wasm_frames[4]), "frametype_CWasmEntryFrame", 0},
	{FIELD(wasm_frames[5]), "frametype_WasmExitFrame", 0},
	{FIELD(wasm_frames[6]), "frametype_WasmJspiFrame", 0},
	{FIELD(wasm_frames[7]), "frametype_WasmDebugBreakFrame", 0},
	{FIELD(wasm_frames[8]), "frametype_WasmLiftoffSetupFrame", 0},
	{FIELD(wasm_frames[9]), "frametype_WasmSegmentStartFrame", 0},
	{FIELD(wasm_frames[10]), "frametype_WasmStackEntryFrame", 0},
	{FIELD(wasm_frames[11]), "frametype_WasmStackExitFrame", 0},
};

/* What the walker and the decoders take for granted. */
static const struct {
	const char *name;
	int32_t value;
} invariants[] = {
	{"TaggedSize", 8},	  {"SmiValueShift", 1},		  {"SmiShiftSize", 31},
	{"HeapObjectTag", 1},	  {"HeapObjectTagMask", 3},	  {"off_fp_context", -8},
	{"off_fp_function", -16}, {"off_fp_bytecode_array", -32}, {"off_fp_bytecode_offset", -40},
	{"SeqStringTag", 0},	  {"ConsStringTag", 1},		  {"ExternalStringTag", 2},
	{"SlicedStringTag", 3},	  {"ThinStringTag", 5},		  {"StringRepresentationMask", 7},
	{"OneByteStringTag", 8},
};

static int check_invariants(const struct nd_v8_constants *constants, struct nd_err *err)
{
	const int32_t *value = find(constants, "TaggedSize");
	size_t i;

	if (value && *value != 8)
		return nd_err_set(err, -ENOTSUP, "its V8 uses pointer compression");
	for (i = 0; i < sizeof(invariants) / sizeof(invariants[0]); i++) {
		value = find(constants, invariants[i].name);
		if (value && *value != invariants[i].value)
			return nd_err_set(err, -ENOTSUP, "its V8 has an unknown %s (%d)",
					  invariants[i].name, *value);
	}
	return 0;
}

static int apply_rules(const struct nd_v8_constants *constants, struct nd_v8_layout *layout,
		       struct nd_err *err)
{
	uint32_t value;
	size_t i;

	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		value = get(constants, rules[i].name, rules[i].fallback);
		if (value == REQUIRED)
			return nd_err_set(err, -ENOTSUP, "its V8 does not say '%s'", rules[i].name);
		*(uint32_t *)((char *)layout + rules[i].field) = value;
	}
	return 0;
}

/* Offsets that the walker goes by: it reads an object at once, as words. */
static const struct {
	size_t field;
	const char *name;
	uint32_t alignment;
} walked[] = {
	{FIELD(function_shared), "class_JSFunction__shared__*", 8},
	{FIELD(shared_script), "class_SharedFunctionInfo__script_*", 8},
	{FIELD(shared_literal_id), "class_SharedFunctionInfo__flags__*", 4},
	{FIELD(script_id), "class_Script__line_ends__*", 8},
};

static int check_walked(const struct nd_v8_layout *layout, struct nd_err *err)
{
	uint32_t offset;
	size_t i;

	for (i = 0; i < sizeof(walked) / sizeof(walked[0]); i++) {
		offset = *(const uint32_t *)((const char *)layout + walked[i].field);
		if (offset % walked[i].alignment || offset > ND_WALK_OBJECT_BYTES - 8)
			return nd_err_set(err, -ENOTSUP, "its V8 has an unknown %s (%u)",
					  walked[i].name, offset);
	}
	return 0;
}

static bool at_least(const struct nd_v8_version *version, int major, int minor, int build)
{
	if (version->major != major)
		return version->major > major;
	if (version->minor != minor)
		return version->minor > minor;
	return version->build >= build;
}

static void derive_functions(const struct nd_v8_constants *constants, struct nd_v8_layout *layout)
{
	uint32_t line_ends = get(constants, "class_Script__line_ends__*", 56);
	uint32_t plain = get(constants, "type_JSFunction__*", 0);

	/* Before 12.x the range is not exported; its 17 types follow JS_FUNCTION_TYPE. */
	layout->js_function_first = get(constants, "FirstJSFunctionType", plain);
	layout->js_function_last = get(constants, "LastJSFunctionType", plain + 16);
	layout->shared_literal_id = get(constants, "class_SharedFunctionInfo__flags__*", 48) + 4;
	layout->shared_function_data =
		get(constants, "class_SharedFunctionInfo__function_data__*", 8);
	layout->shared_function_data_words = layout->shared_name_or_scope_info > 16 ? 2 : 1;
	layout->script_id = line_ends + 8;
	layout->script_shared_functions = line_ends + 32;
	layout->scope_info_slots = 8;
	layout->scope_info_positions_fixed = at_least(&layout->version, 12, 8, 44);
	layout->external_data = get(constants, "class_ExternalString__resource__*", 16) + 8;
}

/* The constant that a gap could not be filled without, or NULL. */
static const char *find_missing(const struct nd_v8_layout *layout)
{
	if (!layout->js_function_first)
		return "type_JSFunction__*";
	if (!layout->code_is_inline && !layout->stream_type)
		return "type_InstructionStream__*";
	if (!layout->code_size && !layout->code_positions)
		return "class_Code__instruction_size__*";
	if (layout->code_size && !layout->code_start)
		return "class_Code__instruction_start__*";
	if (layout->code_size && !layout->code_flags)
		return "class_Code__flags__*";
	return NULL;
}

/* Code's fields, where not exported: see the order of fields in V8's code.h of each version. */
static void derive_code(const struct nd_v8_constants *constants, struct nd_v8_layout *layout)
{
	if (layout->code_size && !layout->code_positions)
		layout->code_positions =
			layout->code_is_inline ? layout->code_size - 16 : layout->code_start - 24;
	if (!layout->code_size) {
		layout->code_start = layout->code_positions + 16;
		layout->code_flags = layout->code_start + 8;
		/* 11.4.59 put size right behind the 32-bit flags. */
		layout->code_size =
			layout->code_flags + (at_least(&layout->version, 11, 4, 59) ? 4 : 8);
	}
	if (!layout->code_deopt_data)
		layout->code_deopt_data = layout->code_positions - 8;
	/* CodeKind::REGEXP follows BYTECODE_HANDLER, FOR_TESTING and BUILTIN in V8 10. */
	layout->code_kind_regexp = 3;
}

static void derive_tables(const struct nd_v8_constants *constants, struct nd_v8_layout *layout)
{
	uint32_t wrapper = get(constants, "class_BytecodeArray__wrapper__*", 0);
	uint32_t wrapped = get(constants, "DeoptimizationDataWrappedSharedFunctionInfoIndex", 0);

	layout->bytecode_length = layout->array_length;
	layout->bytecode_positions = get(constants, "class_BytecodeArray__source_position_table__*",
					 wrapper ? wrapper + 8 : 32);
	layout->deopt_inlined_count =
		get(constants, "DeoptimizationDataInlinedFunctionCountIndex", 1);
	layout->deopt_literals = get(constants, "DeoptimizationDataLiteralArrayIndex",
				     layout->deopt_inlined_count + 1);
	layout->deopt_shared =
		wrapped ? wrapped : get(constants, "DeoptimizationDataSharedFunctionInfoIndex", 6);
	layout->deopt_shared_wrapped = wrapped != 0;
	layout->deopt_positions = get(constants, "DeoptimizationDataInliningPositionsIndex",
				      layout->deopt_shared + 1);
}

int nd_v8_layout_derive(const struct nd_v8_constants *constants,
			const struct nd_v8_version *version, struct nd_v8_layout *ret_layout,
			struct nd_err *err)
{
	struct nd_v8_layout layout = {.version = *version};
	int ret = check_invariants(constants, err);
	const char *missing;

	if (!ret)
		ret = apply_rules(constants, &layout, err);
	if (ret)
		return ret;
	layout.code_is_inline = !at_least(version, 11, 1, 204);
	derive_functions(constants, &layout);
	missing = find_missing(&layout);
	if (missing)
		return nd_err_set(err, -ENOTSUP, "its V8 does not say '%s'", missing);
	ret = check_walked(&layout, err);
	if (ret)
		return ret;
	derive_code(constants, &layout);
	derive_tables(constants, &layout);
	*ret_layout = layout;
	return 0;
}

/*
 * The embedded builtins: from V8 11 the symbol itself is the code; before, it is a pointer to what
 * ..._data_ names.
 */
static void find_builtins(struct nd_elf *elf, struct nd_v8_layout *layout)
{
	struct nd_elf_symbol symbol, size;
	uint32_t bytes;

	if (!nd_elf_find_symbol(elf, "v8_Default_embedded_blob_code_data_", &symbol) &&
	    !nd_elf_find_symbol(elf, "v8_Default_embedded_blob_code_", &symbol))
		return;
	if (!nd_elf_find_symbol(elf, "v8_Default_embedded_blob_code_size_", &size) ||
	    !nd_elf_read(elf, size.vaddr, &bytes, sizeof(bytes)))
		return;
	layout->builtins_vaddr = symbol.vaddr;
	layout->builtins_size = bytes;
}

static void find_bytecode_sizes(struct nd_elf *elf, struct nd_v8_layout *layout)
{
	static const char name[] = "_ZN2v88internal11interpreter9Bytecodes14kBytecodeSizesE";
	struct nd_elf_symbol symbol;

	if (!nd_elf_find_symbol(elf, name, &symbol) || symbol.size % OPERAND_SCALES ||
	    symbol.size > OPERAND_SCALES * 256)
		return;
	layout->bytecode_sizes_vaddr = symbol.vaddr;
	layout->bytecode_count = (uint32_t)(symbol.size / OPERAND_SCALES);
}

static bool exports_node(struct nd_elf *elf)
{
	struct nd_elf_symbol symbol;

	/* node::Start(int, char**): whatever has Node.js inside exports it, Electron too. */
	return nd_elf_find_symbol(elf, "_ZN4node5StartEiPPc", &symbol);
}

bool nd_v8_is_node(struct nd_elf *elf)
{
	return nd_elf_links(elf, CONSTANT_PREFIX) || exports_node(elf);
}

int nd_v8_layout_read(struct nd_elf *elf, struct nd_v8_layout *ret_layout, struct nd_err *err)
{
	struct nd_v8_constants *constants = nd_v8_constants_new();
	struct nd_v8_version version;
	int ret;

	if (!constants)
		return nd_err_set(err, -ENOMEM, "out of memory");
	ret = nd_v8_constants_read(constants, elf);
	if (ret == -ENOENT && exports_node(elf))
		ret = nd_err_set(err, -ENOTSUP, "its V8 tells nothing of itself (v8dbg_ symbols)");
	else if (ret)
		nd_err_set(err, ret, "it has no V8 metadata (v8dbg_ symbols)");
	else if (!nd_v8_version_read(elf, &version))
		ret = nd_err_set(err, -ENOTSUP, "its V8 does not say its version");
	else
		ret = nd_v8_layout_derive(constants, &version, ret_layout, err);
	if (!ret) {
		find_builtins(elf, ret_layout);
		find_bytecode_sizes(elf, ret_layout);
	}
	nd_v8_constants_free(constants);
	return ret;
}

void nd_v8_layout_get_walk(const struct nd_v8_layout *layout, struct nd_walk_layout *ret_walk)
{
	uint32_t after_script = layout->shared_script + 8;
	uint32_t after_literal_id = layout->shared_literal_id + 4;

	*ret_walk = (struct nd_walk_layout){
		.js_function_first = layout->js_function_first,
		.js_function_last = layout->js_function_last,
		.shared_function_info = layout->shared_type,
		.script = layout->script_type,
		.map_instance_type = layout->map_instance_type,
		.function_shared = layout->function_shared,
		.shared_script = layout->shared_script,
		.shared_literal_id = layout->shared_literal_id,
		.script_id = layout->script_id,
		.function_bytes = layout->function_shared + 8,
		.shared_bytes = after_script > after_literal_id ? after_script : after_literal_id,
		.script_bytes = layout->script_id + 8,
	};
}
