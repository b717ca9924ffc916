/* SPDX-License-Identifier: Apache-2.0 */
#include "analyzer/profile/import.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/gzip.h"
#include "analyzer/profile/kind.h"
#include "common/buf.h"
#include "common/err.h"
#include "proto/limits.h"
#include "proto/pprof.h"

/* Where a function is defined, which not all writers say. */
struct definition {
	uint32_t line;
	uint32_t column;
};

/* The calls of a location: one for each of its lines, or one for its address. */
struct calls {
	size_t first;
	size_t count;
};

struct reader {
	struct nd_profile *profile;
	struct nd_pprof *pprof;
	struct definition *definitions; /* by function */
	struct calls *locations;	/* by location */
	struct nd_call *calls;
	size_t call_count;
	size_t value;	  /* index of the sample type that is taken */
	size_t count;	  /* of the one that counts samples, or as `value` where there is none */
	uint64_t unit_ns; /* nanoseconds in its unit, 1 where that is no time */
	const char *unit;
	uint64_t period;
	uint64_t total;
	struct nd_call stack[ND_STACK_DEPTH_MAX];
	struct nd_err *err;
};

static int no_memory(const struct reader *reader)
{
	return nd_err_set_errno(reader->err, -ENOMEM, "cannot read pprof profile");
}

/* A profile's word for a unit, and what to multiply with to get there. */
static const char *unit_of(const char *unit, uint64_t *ret_factor)
{
	static const struct {
		const char *unit;
		const char *ours;
		uint64_t factor;
	} units[] = {
		{"nanoseconds", "nanoseconds", 1},
		{"microseconds", "nanoseconds", 1000},
		{"milliseconds", "nanoseconds", 1000000},
		{"seconds", "nanoseconds", 1000000000},
		{"bytes", "bytes", 1},
	};
	size_t i;

	*ret_factor = 1;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(units[i].unit, unit) != 0)
			continue;
		*ret_factor = units[i].factor;
		return units[i].ours;
	}
	return "count";
}

/* The type the writer wants shown, else the last; and its counts, which come before it. */
static void choose_types(struct reader *reader)
{
	const struct nd_pprof_header *header = &reader->pprof->header;
	uint64_t factor;
	size_t i;

	reader->value = header->sample_type_count - 1;
	for (i = 0; header->default_sample_type[0] && i < header->sample_type_count; i++)
		if (!strcmp(header->sample_types[i].type, header->default_sample_type))
			reader->value = i;
	reader->count = reader->value;
	for (i = reader->value; i-- > 0;) {
		if (strcmp(header->sample_types[i].unit, "count") != 0)
			continue;
		reader->count = i;
		break;
	}
	reader->unit = unit_of(header->sample_types[reader->value].unit, &reader->unit_ns);
	if (header->period > 0 && unit_of(header->period_type.unit, &factor) == reader->unit &&
	    __builtin_mul_overflow((uint64_t)header->period, factor, &reader->period))
		reader->period = 0;
}

/*
 * A function without a start line was defined where all its lines are, if that is one line: writers
 * that know no lines of calls put the definition's there. UINT32_MAX stands for several lines.
 */
static void learn_definition(struct reader *reader, const struct nd_pprof_line *line)
{
	struct definition *definition = &reader->definitions[line->function];

	if (reader->pprof->functions[line->function].start_line) {
		if (line->line == definition->line && line->column)
			definition->column = line->column;
	} else if (!definition->line) {
		definition->line = line->line;
	} else if (definition->line != line->line) {
		definition->line = UINT32_MAX;
	}
}

static void find_definitions(struct reader *reader)
{
	const struct nd_pprof *pprof = reader->pprof;
	const struct nd_pprof_location *location;
	size_t i, j;

	for (i = 0; i < pprof->function_count; i++)
		reader->definitions[i].line = pprof->functions[i].start_line;
	for (i = 0; i < pprof->location_count; i++) {
		location = &pprof->locations[i];
		for (j = 0; j < location->line_count; j++)
			if (location->lines[j].function != ND_PPROF_NONE)
				learn_definition(reader, &location->lines[j]);
	}
	for (i = 0; i < pprof->function_count; i++)
		if (reader->definitions[i].line == UINT32_MAX)
			reader->definitions[i].line = 0;
}

static bool is_script(const char *file)
{
	static const char *const endings[] = {".js", ".mjs", ".cjs", ".jsx",
					      ".ts", ".mts", ".cts", ".tsx"};
	size_t len = strlen(file), i;

	if (nd_frame_kind_of_url(file) == ND_FRAME_NODE || strstr(file, "://"))
		return true;
	for (i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (len > strlen(endings[i]) &&
		    !strcmp(file + len - strlen(endings[i]), endings[i]))
			return true;
	return false;
}

/* The kind that nd_render_pprof() made a mapping's name of; false for all others. */
static bool kind_of_mapping(const char *mapping, enum nd_frame_kind *ret_kind)
{
	size_t len = strlen(mapping);
	const char *name;
	int kind;

	if (!strcmp(mapping, "[kernel.kallsyms]")) {
		*ret_kind = ND_FRAME_KERNEL;
		return true;
	}
	for (kind = 0; kind < ND_FRAME_KIND_COUNT; kind++) {
		name = nd_frame_kind_name((enum nd_frame_kind)kind);
		if (len != strlen(name) + 2 || mapping[0] != '[' || mapping[len - 1] != ']' ||
		    strncmp(mapping + 1, name, strlen(name)) != 0)
			continue;
		*ret_kind = (enum nd_frame_kind)kind;
		return true;
	}
	return false;
}

/*
 * The kind of a call: what its location's mapping says, if it is the call that the code was made
 * for and not one that was inlined; what its file says; what V8's profiler calls it.
 */
static enum nd_frame_kind kind_of_call(const char *mapping, const char *file, const char *name,
				       bool inlined)
{
	enum nd_frame_kind kind;
	bool known = kind_of_mapping(mapping, &kind);

	if (known && !(inlined && is_script(file)))
		return kind;
	if (is_script(file))
		return nd_frame_kind_of_url(file);
	if (file[0] || mapping[0])
		return ND_FRAME_NATIVE;
	return strcmp(name, "Garbage Collection") != 0 ? nd_frame_kind_of_v8(name) : ND_FRAME_GC;
}

/* pprof-nodejs and its descendants put the position into the name of a function that has none. */
static void set_name(struct nd_frame *frame, const char *name)
{
	uint32_t line, column;
	int len = 0;

	frame->name = name[0] ? name : "(anonymous)";
	if (sscanf(name, "(anonymous:L#%9" SCNu32 ":C#%9" SCNu32 ")%n", &line, &column, &len) < 2 ||
	    !len || name[len])
		return;
	frame->name = "(anonymous)";
	if (frame->line && frame->line != line)
		return;
	frame->line = line;
	frame->column = column;
}

/* The call of one of a location's lines. */
static int add_call(struct reader *reader, const struct nd_pprof_location *location, size_t index)
{
	const struct nd_pprof_line *line = &location->lines[index];
	const struct nd_pprof_function *function = &reader->pprof->functions[line->function];
	const struct definition *definition = &reader->definitions[line->function];
	const char *mapping = location->mapping == ND_PPROF_NONE
				      ? ""
				      : reader->pprof->mappings[location->mapping];
	bool inlined = index + 1 < location->line_count;
	struct nd_frame frame = {.file = function->file[0] ? function->file : mapping,
				 .line = definition->line,
				 .column = definition->column};
	struct nd_call *call = &reader->calls[reader->call_count++];

	frame.kind = kind_of_call(mapping, function->file, function->name, inlined);
	if (!function->file[0] && mapping[0] == '[')
		frame.file = "";
	set_name(&frame, function->name);
	/* The line of the definition says nothing of where it was executing. */
	*call = (struct nd_call){.line = line->line == definition->line ? 0 : line->line,
				 .inlined = inlined};
	return nd_profile_add_frame(reader->profile, &frame, &call->frame) ? no_memory(reader) : 0;
}

/* A location that nobody gave names to. */
static int add_address(struct reader *reader, const struct nd_pprof_location *location)
{
	char name[32];
	struct nd_frame frame = {.name = name, .kind = ND_FRAME_UNKNOWN};
	struct nd_call *call = &reader->calls[reader->call_count++];

	snprintf(name, sizeof(name), "0x%" PRIx64, location->address);
	if (location->mapping != ND_PPROF_NONE)
		frame.file = reader->pprof->mappings[location->mapping];
	*call = (struct nd_call){0};
	return nd_profile_add_frame(reader->profile, &frame, &call->frame) ? no_memory(reader) : 0;
}

static int add_locations(struct reader *reader)
{
	const struct nd_pprof_location *location;
	size_t i, j;
	int ret;

	for (i = 0; i < reader->pprof->location_count; i++) {
		location = &reader->pprof->locations[i];
		reader->locations[i].first = reader->call_count;
		for (j = 0; j < location->line_count; j++) {
			if (location->lines[j].function == ND_PPROF_NONE)
				continue;
			ret = add_call(reader, location, j);
			if (ret)
				return ret;
		}
		if (reader->call_count == reader->locations[i].first) {
			ret = add_address(reader, location);
			if (ret)
				return ret;
		}
		reader->locations[i].count = reader->call_count - reader->locations[i].first;
	}
	return 0;
}

/* Put a sample's calls together; what is too deep loses its root. */
static size_t build_stack(struct reader *reader, const struct nd_pprof_sample *sample)
{
	const struct calls *location;
	size_t depth = 0, i, j;

	for (i = 0; i < sample->depth; i++) {
		location = &reader->locations[sample->locations[i]];
		for (j = 0; j < location->count; j++) {
			if (depth == ND_STACK_DEPTH_MAX) {
				nd_profile_add_loss(reader->profile, ND_LOSS_TRUNCATED, 1);
				return depth;
			}
			reader->stack[depth++] = reader->calls[location->first + j];
		}
	}
	return depth;
}

static int weigh(struct reader *reader, size_t index, struct nd_stack *stack)
{
	const int64_t *values = reader->pprof->samples[index].values;

	if (values[reader->value] < 0 || values[reader->count] < 0)
		return nd_err_set(reader->err, -EBADMSG,
				  "cannot show pprof profile: sample %zu has a negative value",
				  index);
	if (__builtin_mul_overflow((uint64_t)values[reader->value], reader->unit_ns,
				   &stack->weight) ||
	    __builtin_add_overflow(reader->total, stack->weight, &reader->total) ||
	    reader->total > INT64_MAX)
		return nd_err_set(reader->err, -EBADMSG,
				  "cannot show pprof profile: the sum of values is too large");
	stack->count = (uint64_t)values[reader->count];
	/* Nobody counted: each period is a sample. */
	if (reader->count == reader->value && strcmp(reader->unit, "count") != 0)
		stack->count = reader->period ? stack->weight / reader->period : 0;
	if (!stack->count && stack->weight)
		stack->count = 1;
	return 0;
}

static int add_samples(struct reader *reader)
{
	struct nd_stack stack = {.calls = reader->stack};
	size_t i;
	int ret;

	for (i = 0; i < reader->pprof->sample_count; i++) {
		ret = weigh(reader, i, &stack);
		if (ret)
			return ret;
		if (!stack.weight && !stack.count)
			continue;
		stack.depth = build_stack(reader, &reader->pprof->samples[i]);
		ret = nd_profile_add_stack(reader->profile, &stack);
		if (ret == -ENOMEM)
			return no_memory(reader);
		if (ret)
			return nd_err_set(reader->err, ret, "pprof profile has more than %u stacks",
					  ND_PROFILE_NODES_MAX);
	}
	return 0;
}

static int set_info(struct reader *reader)
{
	const struct nd_pprof_header *header = &reader->pprof->header;
	struct nd_profile_info info = {
		.sampler = "imported pprof profile",
		.sample_type = header->sample_types[reader->value].type,
		.unit = reader->unit,
		.period = reader->period,
		.start_unix_ns = header->time_ns > 0 ? (uint64_t)header->time_ns : 0,
		.duration_ns = header->duration_ns > 0 ? (uint64_t)header->duration_ns : 0,
	};

	return nd_profile_set_info(reader->profile, &info) ? no_memory(reader) : 0;
}

static int allocate(struct reader *reader)
{
	const struct nd_pprof *pprof = reader->pprof;
	size_t calls = pprof->location_count, i;

	for (i = 0; i < pprof->location_count; i++)
		calls += pprof->locations[i].line_count;
	reader->profile = nd_profile_new(false);
	reader->definitions = calloc(pprof->function_count + 1, sizeof(*reader->definitions));
	reader->locations = calloc(pprof->location_count + 1, sizeof(*reader->locations));
	reader->calls = calloc(calls + 1, sizeof(*reader->calls));
	if (!reader->profile || !reader->definitions || !reader->locations || !reader->calls)
		return no_memory(reader);
	return 0;
}

static int read_profile(struct reader *reader)
{
	int ret = allocate(reader);

	if (ret)
		return ret;
	choose_types(reader);
	find_definitions(reader);
	ret = add_locations(reader);
	if (!ret)
		ret = add_samples(reader);
	return ret ? ret : set_info(reader);
}

static int decode(const void *data, size_t len, struct nd_pprof **ret_pprof, struct nd_err *err)
{
	struct nd_buf plain;
	int ret;

	if (!nd_gzip_is(data, len))
		return nd_pprof_decode(data, len, ret_pprof, err);
	nd_buf_init(&plain, ND_IMPORT_UNPACKED_MAX);
	ret = nd_gunzip(data, len, &plain);
	if (ret)
		nd_err_set_errno(err, ret, "cannot unpack pprof profile");
	else
		ret = nd_pprof_decode(plain.data, plain.len, ret_pprof, err);
	nd_buf_fini(&plain);
	return ret;
}

int nd_import_pprof(const void *data, size_t len, struct nd_profile **ret_profile,
		    struct nd_err *err)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	int ret;

	if (!reader)
		return nd_err_set_errno(err, -ENOMEM, "cannot read pprof profile");
	reader->err = err;
	ret = decode(data, len, &reader->pprof, err);
	if (!ret)
		ret = read_profile(reader);
	if (ret)
		nd_profile_free(reader->profile);
	else
		*ret_profile = reader->profile;
	nd_pprof_free(reader->pprof);
	free(reader->definitions);
	free(reader->locations);
	free(reader->calls);
	free(reader);
	return ret;
}
