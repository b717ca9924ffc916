/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/pprof.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/intern.h"
#include "proto/pprof.pb-c.h"

typedef Perftools__Profiles__Profile pb_profile;
typedef Perftools__Profiles__ValueType pb_value_type;
typedef Perftools__Profiles__Sample pb_sample;
typedef Perftools__Profiles__Label pb_label;
typedef Perftools__Profiles__Mapping pb_mapping;
typedef Perftools__Profiles__Location pb_location;
typedef Perftools__Profiles__Line pb_line;
typedef Perftools__Profiles__Function pb_function;

struct nd_pprof_encoder {
	struct nd_buf *out;
	struct nd_intern *strings;
	size_t value_count; /* of each sample */
	uint64_t mappings;  /* encoded so far, which is also the last one's id */
	uint64_t functions;
	uint64_t locations;
};

struct nd_pprof_encoder *nd_pprof_encoder_new(struct nd_buf *out)
{
	struct nd_pprof_encoder *encoder = calloc(1, sizeof(*encoder));

	if (!encoder)
		return NULL;
	encoder->out = out;
	encoder->strings = nd_intern_new();
	if (!encoder->strings) {
		free(encoder);
		return NULL;
	}
	return encoder;
}

void nd_pprof_encoder_free(struct nd_pprof_encoder *encoder)
{
	if (!encoder)
		return;
	nd_intern_free(encoder->strings);
	free(encoder);
}

/*
 * A message may be written in pieces: its parts, each as a message of its own, one after the other,
 * are the whole (protobuf, "Encoding", last one wins).
 */
static int append(struct nd_pprof_encoder *encoder, const pb_profile *part)
{
	size_t len = perftools__profiles__profile__get_packed_size(part);
	char *at = nd_buf_reserve(encoder->out, len);

	if (!at)
		return nd_buf_error(encoder->out);
	perftools__profiles__profile__pack(part, (uint8_t *)at);
	at[len] = '\0';
	encoder->out->len += len;
	return 0;
}

static int add_string(struct nd_pprof_encoder *encoder, const char *str, int64_t *ret_index)
{
	uint32_t id;

	if (!str)
		str = "";
	if (nd_intern_add(encoder->strings, str, strlen(str), &id))
		return -ENOMEM;
	*ret_index = id;
	return 0;
}

static int encode_value_type(struct nd_pprof_encoder *encoder,
			     const struct nd_pprof_value_type *type, pb_value_type *ret_type)
{
	perftools__profiles__value_type__init(ret_type);
	if (add_string(encoder, type->type, &ret_type->type) ||
	    add_string(encoder, type->unit, &ret_type->unit))
		return -ENOMEM;
	return 0;
}

static int encode_sample_types(struct nd_pprof_encoder *encoder,
			       const struct nd_pprof_header *header)
{
	pb_value_type type, *types[] = {&type};
	pb_profile part = PERFTOOLS__PROFILES__PROFILE__INIT;
	size_t i;
	int ret;

	part.n_sample_type = 1;
	part.sample_type = types;
	for (i = 0; i < header->sample_type_count; i++) {
		ret = encode_value_type(encoder, &header->sample_types[i], &type);
		if (!ret)
			ret = append(encoder, &part);
		if (ret)
			return ret;
	}
	return 0;
}

static int encode_comments(struct nd_pprof_encoder *encoder, const struct nd_pprof_header *header)
{
	pb_profile part = PERFTOOLS__PROFILES__PROFILE__INIT;
	int64_t comment;
	size_t i;
	int ret;

	part.n_comment = 1;
	part.comment = &comment;
	for (i = 0; i < header->comment_count; i++) {
		ret = add_string(encoder, header->comments[i], &comment);
		if (!ret)
			ret = append(encoder, &part);
		if (ret)
			return ret;
	}
	return 0;
}

int nd_pprof_encode_header(struct nd_pprof_encoder *encoder, const struct nd_pprof_header *header)
{
	pb_profile part = PERFTOOLS__PROFILES__PROFILE__INIT;
	pb_value_type period_type;
	int ret;

	encoder->value_count = header->sample_type_count;
	ret = encode_sample_types(encoder, header);
	if (!ret)
		ret = encode_value_type(encoder, &header->period_type, &period_type);
	if (!ret)
		ret = add_string(encoder, header->default_sample_type, &part.default_sample_type);
	if (ret)
		return ret;
	part.period_type = &period_type;
	part.period = header->period;
	part.time_nanos = header->time_ns;
	part.duration_nanos = header->duration_ns;
	ret = append(encoder, &part);
	return ret ? ret : encode_comments(encoder, header);
}

int nd_pprof_encode_mapping(struct nd_pprof_encoder *encoder, const char *file)
{
	pb_mapping mapping = PERFTOOLS__PROFILES__MAPPING__INIT, *mappings[] = {&mapping};
	pb_profile part = PERFTOOLS__PROFILES__PROFILE__INIT;

	mapping.id = ++encoder->mappings;
	mapping.has_functions = true;
	mapping.has_filenames = true;
	mapping.has_line_numbers = true;
	mapping.has_inline_frames = true;
	if (add_string(encoder, file, &mapping.filename))
		return -ENOMEM;
	part.n_mapping = 1;
	part.mapping = mappings;
	return append(encoder, &part);
}

/*
 * Without a system name, which linkers know: where it is the same as the name pprof takes that for
 * mangled, and what is between brackets in it for C++ to leave out.
 */
int nd_pprof_encode_function(struct nd_pprof_encoder *encoder,
			     const struct nd_pprof_function *function)
{
	pb_function message = PERFTOOLS__PROFILES__FUNCTION__INIT, *functions[] = {&message};
	pb_profile part = PERFTOOLS__PROFILES__PROFILE__INIT;

	message.id = ++encoder->functions;
	message.start_line = function->start_line;
	if (add_string(encoder, function->name, &message.name) ||
	    add_string(encoder, function->file, &message.filename))
		return -ENOMEM;
	part.n_function = 1;
	part.function = functions;
	return append(encoder, &part);
}

/* The id that an index has in the file: counted from 1, 0 being none. */
static uint64_t id_of(uint32_t index)
{
	return index == ND_PPROF_NONE ? 0 : (uint64_t)index + 1;
}

int nd_pprof_encode_location(struct nd_pprof_encoder *encoder,
			     const struct nd_pprof_location *location)
{
	pb_location message = PERFTOOLS__PROFILES__LOCATION__INIT, *locations[] = {&message};
	pb_profile part = PERFTOOLS__PROFILES__PROFILE__INIT;
	pb_line *lines = calloc(location->line_count + 1, sizeof(*lines));
	pb_line **line_ptrs = calloc(location->line_count + 1, sizeof(pb_line *));
	int ret = -ENOMEM;
	size_t i;

	if (!lines || !line_ptrs)
		goto out;
	for (i = 0; i < location->line_count; i++) {
		perftools__profiles__line__init(&lines[i]);
		lines[i].function_id = id_of(location->lines[i].function);
		lines[i].line = location->lines[i].line;
		lines[i].column = location->lines[i].column;
		line_ptrs[i] = &lines[i];
	}
	message.id = ++encoder->locations;
	message.mapping_id = id_of(location->mapping);
	message.address = location->address;
	message.n_line = location->line_count;
	message.line = line_ptrs;
	part.n_location = 1;
	part.location = locations;
	ret = append(encoder, &part);
out:
	free(lines);
	free(line_ptrs);
	return ret;
}

/* Fill in `message`'s labels. `labels` and `ptrs` have room for all of them. */
static int encode_labels(struct nd_pprof_encoder *encoder, const struct nd_pprof_sample *sample,
			 pb_label *labels, pb_label **ptrs)
{
	const struct nd_pprof_label *label;
	size_t i;

	for (i = 0; i < sample->label_count; i++) {
		label = &sample->labels[i];
		perftools__profiles__label__init(&labels[i]);
		labels[i].num = label->str ? 0 : label->num;
		if (add_string(encoder, label->key, &labels[i].key) ||
		    add_string(encoder, label->str, &labels[i].str))
			return -ENOMEM;
		ptrs[i] = &labels[i];
	}
	return 0;
}

int nd_pprof_encode_sample(struct nd_pprof_encoder *encoder, const struct nd_pprof_sample *sample)
{
	pb_sample message = PERFTOOLS__PROFILES__SAMPLE__INIT, *samples[] = {&message};
	pb_profile part = PERFTOOLS__PROFILES__PROFILE__INIT;
	pb_label *labels = calloc(sample->label_count + 1, sizeof(*labels));
	pb_label **label_ptrs = calloc(sample->label_count + 1, sizeof(pb_label *));
	uint64_t *ids = calloc(sample->depth + 1, sizeof(*ids));
	int ret = -ENOMEM;
	size_t i;

	if (!labels || !label_ptrs || !ids || encode_labels(encoder, sample, labels, label_ptrs))
		goto out;
	for (i = 0; i < sample->depth; i++)
		ids[i] = id_of(sample->locations[i]);
	message.n_location_id = sample->depth;
	message.location_id = ids;
	message.n_value = encoder->value_count;
	message.value = (int64_t *)sample->values;
	message.n_label = sample->label_count;
	message.label = label_ptrs;
	part.n_sample = 1;
	part.sample = samples;
	ret = append(encoder, &part);
out:
	free(labels);
	free(label_ptrs);
	free(ids);
	return ret;
}

int nd_pprof_encode_end(struct nd_pprof_encoder *encoder)
{
	pb_profile part = PERFTOOLS__PROFILES__PROFILE__INIT;
	char *str;
	uint32_t i;
	int ret;

	part.n_string_table = 1;
	part.string_table = &str;
	for (i = 0; i < nd_intern_count(encoder->strings); i++) {
		str = (char *)nd_intern_get(encoder->strings, i);
		ret = append(encoder, &part);
		if (ret)
			return ret;
	}
	return 0;
}
