/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/otlp_profile.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/intern.h"
#include "common/set.h"
#include "proto/otlp.pb-c.h"
#include "proto/otlp_wire.h"

/* Numbers of fields that are written without a message around them. */
enum {
	MAPPING_TABLE = 1,
	LOCATION_TABLE = 2,
	FUNCTION_TABLE = 3,
	LINK_TABLE = 4,
	STRING_TABLE = 5,
	ATTRIBUTE_TABLE = 6,
	STACK_TABLE = 7,
	PROFILE_SAMPLES = 2,
	SCOPE_PROFILES_PROFILE = 2,
};

/* Records of the tables, by which they are told apart; indexes are one more, but for strings. */
struct function {
	uint32_t name; /* strings */
	uint32_t file;
	uint32_t line;
};

struct attribute {
	uint32_t key; /* a string */
	uint32_t str; /* a string; 0: it is a number */
	int64_t number;
};

struct nd_otlp_dictionary {
	struct nd_buf out;
	struct nd_intern *strings;
	struct nd_set mappings; /* of strings */
	struct nd_set functions;
	struct nd_set locations;
	struct nd_set attributes;
	struct nd_set links;
	uint32_t stacks;
};

/* What stands for nothing, first in each table. */
static int add_zeros(struct nd_otlp_dictionary *dictionary)
{
	static const unsigned int tables[] = {MAPPING_TABLE, LOCATION_TABLE,  FUNCTION_TABLE,
					      STRING_TABLE,  ATTRIBUTE_TABLE, STACK_TABLE};
	static const uint8_t no_trace[16], no_span[8];
	Otlp__Link message = OTLP__LINK__INIT;
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		nd_otlp_add_bytes(&dictionary->out, tables[i], "", 0);
	message.trace_id = (ProtobufCBinaryData){sizeof(no_trace), (uint8_t *)no_trace};
	message.span_id = (ProtobufCBinaryData){sizeof(no_span), (uint8_t *)no_span};
	return nd_otlp_add_message(&dictionary->out, LINK_TABLE, &message.base);
}

struct nd_otlp_dictionary *nd_otlp_dictionary_new(size_t max)
{
	struct nd_otlp_dictionary *dictionary = calloc(1, sizeof(*dictionary));

	if (!dictionary)
		return NULL;
	nd_buf_init(&dictionary->out, max);
	dictionary->mappings.size = sizeof(uint32_t);
	dictionary->functions.size = sizeof(struct function);
	dictionary->locations.size = sizeof(struct nd_otlp_location);
	dictionary->attributes.size = sizeof(struct attribute);
	dictionary->links.size = sizeof(struct nd_otlp_link);
	dictionary->strings = nd_intern_new();
	if (!dictionary->strings || add_zeros(dictionary)) {
		nd_otlp_dictionary_free(dictionary);
		return NULL;
	}
	return dictionary;
}

void nd_otlp_dictionary_free(struct nd_otlp_dictionary *dictionary)
{
	if (!dictionary)
		return;
	nd_buf_fini(&dictionary->out);
	nd_intern_free(dictionary->strings);
	nd_set_fini(&dictionary->mappings);
	nd_set_fini(&dictionary->functions);
	nd_set_fini(&dictionary->locations);
	nd_set_fini(&dictionary->attributes);
	nd_set_fini(&dictionary->links);
	free(dictionary);
}

const struct nd_buf *nd_otlp_dictionary_get(const struct nd_otlp_dictionary *dictionary)
{
	return &dictionary->out;
}

int nd_otlp_dictionary_add_string(struct nd_otlp_dictionary *dictionary, const char *str,
				  uint32_t *ret_index)
{
	uint32_t count = nd_intern_count(dictionary->strings);
	int ret = nd_intern_add(dictionary->strings, str, strlen(str), ret_index);

	if (ret || nd_intern_count(dictionary->strings) == count)
		return ret;
	return nd_otlp_add_bytes(&dictionary->out, STRING_TABLE, str, strlen(str));
}

/* The index of a record, and whether it is new and has to be encoded. */
static int add_record(struct nd_set *set, const void *record, uint32_t *ret_index, bool *ret_is_new)
{
	uint32_t count = set->count, id;
	int ret = nd_set_add(set, record, INT32_MAX - 1, &id);

	if (ret)
		return ret;
	*ret_index = id + 1;
	*ret_is_new = set->count > count;
	return 0;
}

int nd_otlp_dictionary_add_attribute(struct nd_otlp_dictionary *dictionary, const char *key,
				     const char *str, int64_t number, uint32_t *ret_index)
{
	Otlp__KeyValueAndUnit message = OTLP__KEY_VALUE_AND_UNIT__INIT;
	Otlp__AnyValue value = OTLP__ANY_VALUE__INIT;
	struct attribute attribute = {.number = str ? 0 : number};
	bool is_new = false;
	int ret = nd_otlp_dictionary_add_string(dictionary, key, &attribute.key);

	if (!ret && str)
		ret = nd_otlp_dictionary_add_string(dictionary, str, &attribute.str);
	if (!ret)
		ret = add_record(&dictionary->attributes, &attribute, ret_index, &is_new);
	if (ret || !is_new)
		return ret;
	value.value_case =
		str ? OTLP__ANY_VALUE__VALUE_STRING_VALUE : OTLP__ANY_VALUE__VALUE_INT_VALUE;
	if (str)
		value.string_value = (char *)str;
	else
		value.int_value = number;
	message.key_strindex = (int32_t)attribute.key;
	message.value = &value;
	return nd_otlp_add_message(&dictionary->out, ATTRIBUTE_TABLE, &message.base);
}

int nd_otlp_dictionary_add_mapping(struct nd_otlp_dictionary *dictionary, const char *file,
				   uint32_t *ret_index)
{
	Otlp__Mapping message = OTLP__MAPPING__INIT;
	uint32_t name;
	bool is_new = false;
	int ret;

	if (!*file) {
		*ret_index = 0;
		return 0;
	}
	ret = nd_otlp_dictionary_add_string(dictionary, file, &name);
	if (!ret)
		ret = add_record(&dictionary->mappings, &name, ret_index, &is_new);
	if (ret || !is_new)
		return ret;
	message.filename_strindex = (int32_t)name;
	return nd_otlp_add_message(&dictionary->out, MAPPING_TABLE, &message.base);
}

int nd_otlp_dictionary_add_function(struct nd_otlp_dictionary *dictionary, const char *name,
				    const char *file, uint32_t start_line, uint32_t *ret_index)
{
	Otlp__Function message = OTLP__FUNCTION__INIT;
	struct function function = {.line = start_line};
	bool is_new = false;
	int ret = nd_otlp_dictionary_add_string(dictionary, name, &function.name);

	if (!ret)
		ret = nd_otlp_dictionary_add_string(dictionary, file, &function.file);
	if (!ret)
		ret = add_record(&dictionary->functions, &function, ret_index, &is_new);
	if (ret || !is_new)
		return ret;
	message.name_strindex = (int32_t)function.name;
	message.filename_strindex = (int32_t)function.file;
	message.start_line = start_line;
	return nd_otlp_add_message(&dictionary->out, FUNCTION_TABLE, &message.base);
}

int nd_otlp_dictionary_add_location(struct nd_otlp_dictionary *dictionary,
				    const struct nd_otlp_location *location, uint32_t *ret_index)
{
	Otlp__Location message = OTLP__LOCATION__INIT;
	Otlp__Line line = OTLP__LINE__INIT, *lines[] = {&line};
	int32_t attribute = (int32_t)location->attribute;
	bool is_new = false;
	int ret = add_record(&dictionary->locations, location, ret_index, &is_new);

	if (ret || !is_new)
		return ret;
	line.function_index = (int32_t)location->function;
	line.line = location->line;
	message.mapping_index = (int32_t)location->mapping;
	message.lines = lines;
	message.n_lines = 1;
	message.attribute_indices = &attribute;
	message.n_attribute_indices = attribute ? 1 : 0;
	return nd_otlp_add_message(&dictionary->out, LOCATION_TABLE, &message.base);
}

int nd_otlp_dictionary_add_stack(struct nd_otlp_dictionary *dictionary, const uint32_t *locations,
				 size_t depth, uint32_t *ret_index)
{
	Otlp__Stack message = OTLP__STACK__INIT;

	message.location_indices = (int32_t *)locations;
	message.n_location_indices = depth;
	*ret_index = ++dictionary->stacks;
	return nd_otlp_add_message(&dictionary->out, STACK_TABLE, &message.base);
}

int nd_otlp_dictionary_add_link(struct nd_otlp_dictionary *dictionary,
				const struct nd_otlp_link *link, uint32_t *ret_index)
{
	Otlp__Link message = OTLP__LINK__INIT;
	bool is_new = false;
	int ret = add_record(&dictionary->links, link, ret_index, &is_new);

	if (ret || !is_new)
		return ret;
	message.trace_id = (ProtobufCBinaryData){sizeof(link->trace_id), (uint8_t *)link->trace_id};
	message.span_id = (ProtobufCBinaryData){sizeof(link->span_id), (uint8_t *)link->span_id};
	return nd_otlp_add_message(&dictionary->out, LINK_TABLE, &message.base);
}

int nd_otlp_encode_sample(const struct nd_otlp_sample *sample, struct nd_buf *samples)
{
	Otlp__Sample message = OTLP__SAMPLE__INIT;
	int32_t attribute = (int32_t)sample->attribute;

	message.stack_index = (int32_t)sample->stack;
	message.link_index = (int32_t)sample->link;
	message.attribute_indices = &attribute;
	message.n_attribute_indices = attribute ? 1 : 0;
	message.values = (int64_t *)sample->values;
	message.n_values = sample->count;
	message.timestamps_unix_nano = (uint64_t *)sample->times_unix_ns;
	message.n_timestamps_unix_nano = sample->times_unix_ns ? sample->count : 0;
	return nd_otlp_add_message(samples, PROFILE_SAMPLES, &message.base);
}

int nd_otlp_encode_profile(const struct nd_otlp_profile *profile, const struct nd_buf *samples,
			   struct nd_buf *items)
{
	Otlp__Profile message = OTLP__PROFILE__INIT;
	Otlp__ValueType type = OTLP__VALUE_TYPE__INIT;
	size_t len;

	type.type_strindex = (int32_t)profile->type;
	type.unit_strindex = (int32_t)profile->unit;
	message.sample_type = &type;
	message.time_unix_nano = profile->start_unix_ns;
	message.duration_nano = profile->duration_ns;
	message.period_type = profile->period ? &type : NULL;
	message.period = profile->period;
	message.profile_id = (ProtobufCBinaryData){sizeof(profile->id), (uint8_t *)profile->id};
	len = otlp__profile__get_packed_size(&message) + samples->len;
	nd_otlp_add_length(items, SCOPE_PROFILES_PROFILE, len);
	nd_otlp_add_plain(items, &message.base);
	return nd_buf_add(items, samples->data, samples->len);
}
