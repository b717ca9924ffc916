/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/pprof.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "proto/budget.h"
#include "proto/limits.h"
#include "proto/pprof.pb-c.h"

typedef Perftools__Profiles__Profile pb_profile;
typedef Perftools__Profiles__ValueType pb_value_type;
typedef Perftools__Profiles__Sample pb_sample;
typedef Perftools__Profiles__Location pb_location;
typedef Perftools__Profiles__Function pb_function;

/* What a decoded profile points into. */
struct storage {
	pb_profile *message;
	struct nd_pprof_value_type *sample_types;
	struct nd_pprof_line *lines;
	uint32_t *locations; /* of all samples, one after the other */
};

/* Where one kind of thing with ids is in its array. */
struct id_entry {
	uint64_t id;
	uint32_t index;
};

struct id_index {
	struct id_entry *entries; /* sorted by id */
	size_t count;
};

/* One decoding. */
struct decoder {
	struct nd_pprof *pprof;
	const pb_profile *message;
	struct id_index mappings;
	struct id_index functions;
	struct id_index locations;
	struct nd_err *err;
};

/* Why nothing was unpacked. */
static int unpack_error(const struct nd_budget *budget, struct nd_err *err)
{
	if (budget->exceeded)
		return nd_err_set(err, -E2BIG, "pprof profile needs more than %u MiB",
				  ND_PPROF_MEMORY_MAX >> 20);
	if (budget->failed)
		return nd_err_set_errno(err, -ENOMEM, "cannot decode pprof profile");
	return nd_err_set(err, -EBADMSG, "not a pprof profile: broken protobuf");
}

static int compare_ids(const void *a, const void *b)
{
	const struct id_entry *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Sort an index that was filled in, and see that ids are unique and none is 0. */
static int sort_ids(struct decoder *decoder, struct id_index *index, const char *what)
{
	size_t i;

	qsort(index->entries, index->count, sizeof(*index->entries), compare_ids);
	for (i = 0; i < index->count; i++)
		if (index->entries[i].id == (i ? index->entries[i - 1].id : 0))
			return nd_err_set(decoder->err, -EBADMSG,
					  "not a pprof profile: %s id %" PRIu64 " is %s", what,
					  index->entries[i].id, i ? "given twice" : "reserved");
	return 0;
}

/* The index that belongs to an id, or ND_PPROF_NONE. Most writers count ids up from 1. */
static uint32_t find_id(const struct id_index *index, uint64_t id)
{
	struct id_entry key = {.id = id};
	const struct id_entry *entry = NULL;

	if (id - 1 < index->count && index->entries[id - 1].id == id)
		entry = &index->entries[id - 1];
	else if (index->count)
		entry = bsearch(&key, index->entries, index->count, sizeof(key), compare_ids);
	return entry ? entry->index : ND_PPROF_NONE;
}

static int get_string(const struct decoder *decoder, int64_t index, const char **ret_str)
{
	const pb_profile *message = decoder->message;

	if (index < 0 || (uint64_t)index >= message->n_string_table)
		return nd_err_set(decoder->err, -EBADMSG,
				  "not a pprof profile: it has %zu strings, not %" PRId64,
				  message->n_string_table, index);
	*ret_str = message->string_table[index];
	return 0;
}

/* Line and column numbers that cannot be are unknown. */
static uint32_t line_number(int64_t line)
{
	return line > 0 && line < UINT32_MAX ? (uint32_t)line : 0;
}

static int decode_value_type(const struct decoder *decoder, const pb_value_type *message,
			     struct nd_pprof_value_type *ret_type)
{
	int ret = get_string(decoder, message->type, &ret_type->type);

	return ret ? ret : get_string(decoder, message->unit, &ret_type->unit);
}

static int decode_header(struct decoder *decoder)
{
	static const pb_value_type none = PERFTOOLS__PROFILES__VALUE_TYPE__INIT;
	const pb_profile *message = decoder->message;
	struct storage *storage = decoder->pprof->storage;
	struct nd_pprof_header *header = &decoder->pprof->header;
	size_t i;
	int ret;

	if (!message->n_string_table || message->string_table[0][0])
		return nd_err_set(decoder->err, -EBADMSG,
				  "not a pprof profile: the first string is not empty");
	if (!message->n_sample_type)
		return nd_err_set(decoder->err, -EBADMSG, "not a pprof profile: no sample type");
	for (i = 0; i < message->n_sample_type; i++) {
		ret = decode_value_type(decoder, message->sample_type[i],
					&storage->sample_types[i]);
		if (ret)
			return ret;
	}
	header->sample_types = storage->sample_types;
	header->sample_type_count = message->n_sample_type;
	header->period = message->period;
	header->time_ns = message->time_nanos;
	header->duration_ns = message->duration_nanos;
	ret = decode_value_type(decoder, message->period_type ? message->period_type : &none,
				&header->period_type);
	if (ret)
		return ret;
	return get_string(decoder, message->default_sample_type, &header->default_sample_type);
}

static int decode_mappings(struct decoder *decoder)
{
	const pb_profile *message = decoder->message;
	struct nd_pprof *pprof = decoder->pprof;
	size_t i;
	int ret;

	for (i = 0; i < message->n_mapping; i++) {
		ret = get_string(decoder, message->mapping[i]->filename, &pprof->mappings[i]);
		if (ret)
			return ret;
		decoder->mappings.entries[i] =
			(struct id_entry){message->mapping[i]->id, (uint32_t)i};
	}
	pprof->mapping_count = decoder->mappings.count = message->n_mapping;
	return sort_ids(decoder, &decoder->mappings, "mapping");
}

static int decode_functions(struct decoder *decoder)
{
	const pb_profile *message = decoder->message;
	struct nd_pprof *pprof = decoder->pprof;
	const pb_function *function;
	size_t i;
	int ret;

	for (i = 0; i < message->n_function; i++) {
		function = message->function[i];
		ret = get_string(decoder, function->name, &pprof->functions[i].name);
		if (!ret)
			ret = get_string(decoder, function->filename, &pprof->functions[i].file);
		if (ret)
			return ret;
		pprof->functions[i].start_line = line_number(function->start_line);
		decoder->functions.entries[i] = (struct id_entry){function->id, (uint32_t)i};
	}
	pprof->function_count = decoder->functions.count = message->n_function;
	return sort_ids(decoder, &decoder->functions, "function");
}

/* Fill in what `*lines` points at and move it on. */
static int decode_lines(struct decoder *decoder, const pb_location *location,
			struct nd_pprof_line **lines)
{
	const Perftools__Profiles__Line *line;
	uint32_t function;
	size_t i;

	for (i = 0; i < location->n_line; i++) {
		line = location->line[i];
		function = find_id(&decoder->functions, line->function_id);
		if (function == ND_PPROF_NONE && line->function_id)
			return nd_err_set(decoder->err, -EBADMSG,
					  "not a pprof profile: location %" PRIu64
					  " names function %" PRIu64 ", which is not there",
					  location->id, line->function_id);
		*(*lines)++ = (struct nd_pprof_line){.function = function,
						     .line = line_number(line->line),
						     .column = line_number(line->column)};
	}
	return 0;
}

static int decode_locations(struct decoder *decoder)
{
	const pb_profile *message = decoder->message;
	struct nd_pprof *pprof = decoder->pprof;
	struct nd_pprof_line *lines = ((struct storage *)pprof->storage)->lines;
	const pb_location *location;
	size_t i;
	int ret;

	for (i = 0; i < message->n_location; i++) {
		location = message->location[i];
		pprof->locations[i] = (struct nd_pprof_location){
			.mapping = find_id(&decoder->mappings, location->mapping_id),
			.address = location->address,
			.lines = lines,
			.line_count = location->n_line,
		};
		if (location->mapping_id && pprof->locations[i].mapping == ND_PPROF_NONE)
			return nd_err_set(decoder->err, -EBADMSG,
					  "not a pprof profile: location %" PRIu64
					  " names mapping %" PRIu64 ", which is not there",
					  location->id, location->mapping_id);
		ret = decode_lines(decoder, location, &lines);
		if (ret)
			return ret;
		decoder->locations.entries[i] = (struct id_entry){location->id, (uint32_t)i};
	}
	pprof->location_count = decoder->locations.count = message->n_location;
	return sort_ids(decoder, &decoder->locations, "location");
}

/* Fill in what `*locations` points at and move it on. */
static int decode_sample(struct decoder *decoder, size_t index, uint32_t **locations)
{
	const pb_sample *message = decoder->message->sample[index];
	size_t types = decoder->message->n_sample_type;
	uint32_t location;
	size_t i;

	if (message->n_value != types)
		return nd_err_set(decoder->err, -EBADMSG,
				  "not a pprof profile: sample %zu has %zu values of %zu types",
				  index, message->n_value, types);
	decoder->pprof->samples[index] = (struct nd_pprof_sample){
		.locations = *locations,
		.depth = message->n_location_id,
		.values = message->value,
	};
	for (i = 0; i < message->n_location_id; i++) {
		location = find_id(&decoder->locations, message->location_id[i]);
		if (location == ND_PPROF_NONE)
			return nd_err_set(decoder->err, -EBADMSG,
					  "not a pprof profile: sample %zu names location %" PRIu64
					  ", which is not there",
					  index, message->location_id[i]);
		*(*locations)++ = location;
	}
	return 0;
}

static int decode_samples(struct decoder *decoder)
{
	uint32_t *locations = ((struct storage *)decoder->pprof->storage)->locations;
	size_t i;
	int ret;

	for (i = 0; i < decoder->message->n_sample; i++) {
		ret = decode_sample(decoder, i, &locations);
		if (ret)
			return ret;
	}
	decoder->pprof->sample_count = decoder->message->n_sample;
	return 0;
}

/* An array of at least one item. */
static void *new_array(size_t count, size_t size)
{
	return calloc(count ? count : 1, size);
}

/* Allocate everything at its final size. The caller frees all of it, here too. */
static int allocate(struct decoder *decoder)
{
	const pb_profile *message = decoder->message;
	struct nd_pprof *pprof = decoder->pprof;
	struct storage *storage = pprof->storage;
	size_t lines = 0, locations = 0, i;

	for (i = 0; i < message->n_location; i++)
		lines += message->location[i]->n_line;
	for (i = 0; i < message->n_sample; i++)
		locations += message->sample[i]->n_location_id;
	storage->sample_types = new_array(message->n_sample_type, sizeof(*storage->sample_types));
	storage->lines = new_array(lines, sizeof(*storage->lines));
	storage->locations = new_array(locations, sizeof(*storage->locations));
	pprof->mappings = new_array(message->n_mapping, sizeof(*pprof->mappings));
	pprof->functions = new_array(message->n_function, sizeof(*pprof->functions));
	pprof->locations = new_array(message->n_location, sizeof(*pprof->locations));
	pprof->samples = new_array(message->n_sample, sizeof(*pprof->samples));
	decoder->mappings.entries = new_array(message->n_mapping, sizeof(struct id_entry));
	decoder->functions.entries = new_array(message->n_function, sizeof(struct id_entry));
	decoder->locations.entries = new_array(message->n_location, sizeof(struct id_entry));
	if (!storage->sample_types || !storage->lines || !storage->locations || !pprof->mappings ||
	    !pprof->functions || !pprof->locations || !pprof->samples ||
	    !decoder->mappings.entries || !decoder->functions.entries ||
	    !decoder->locations.entries)
		return nd_err_set_errno(decoder->err, -ENOMEM, "cannot decode pprof profile");
	return 0;
}

static int decode(struct decoder *decoder)
{
	int ret = allocate(decoder);

	if (!ret)
		ret = decode_header(decoder);
	if (!ret)
		ret = decode_mappings(decoder);
	if (!ret)
		ret = decode_functions(decoder);
	if (!ret)
		ret = decode_locations(decoder);
	if (!ret)
		ret = decode_samples(decoder);
	free(decoder->mappings.entries);
	free(decoder->functions.entries);
	free(decoder->locations.entries);
	return ret;
}

int nd_pprof_decode(const void *data, size_t len, struct nd_pprof **ret_pprof, struct nd_err *err)
{
	struct nd_pprof *pprof = calloc(1, sizeof(*pprof));
	struct storage *storage = calloc(1, sizeof(*storage));
	struct decoder decoder = {.pprof = pprof, .err = err};
	struct nd_budget budget = {.left = ND_PPROF_MEMORY_MAX};
	ProtobufCAllocator allocator = {nd_budget_alloc, nd_budget_free, &budget};
	int ret;

	if (!pprof || !storage) {
		free(pprof);
		free(storage);
		return nd_err_set_errno(err, -ENOMEM, "cannot decode pprof profile");
	}
	pprof->storage = storage;
	storage->message = perftools__profiles__profile__unpack(&allocator, len, data);
	decoder.message = storage->message;
	ret = storage->message ? decode(&decoder) : unpack_error(&budget, err);
	if (ret) {
		nd_pprof_free(pprof);
		return ret;
	}
	*ret_pprof = pprof;
	return 0;
}

void nd_pprof_free(struct nd_pprof *pprof)
{
	struct storage *storage;

	if (!pprof)
		return;
	storage = pprof->storage;
	if (storage->message)
		perftools__profiles__profile__free_unpacked(storage->message, NULL);
	free(storage->sample_types);
	free(storage->lines);
	free(storage->locations);
	free(storage);
	free(pprof->mappings);
	free(pprof->functions);
	free(pprof->locations);
	free(pprof->samples);
	free(pprof);
}
